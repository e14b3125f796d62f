// SPDX-License-Identifier: GPL-2.0-only
/*
 * The manuals' rules, in their order: entries from the top; absent ends it, then reserved bits;
 * then what all entries allow together.  Shares nothing with the module.
 */
#include "paging_model.h"

#define P  0x01ULL
#define W  0x02ULL
#define U  0x04ULL
#define A  0x20ULL
#define D  0x40ULL
#define PS 0x80ULL
#define G  0x100ULL
#define NX (1ULL << 63)

#define BITS(low, high) ((~0ULL >> (63 - (high))) & (~0ULL << (low)))

static bool is_leaf(const struct paging_cpu *cpu, const struct paging_case *c, uint64_t entry,
		    int level)
{
	if (level == 1)
		return true;
	if (!(entry & PS))
		return false;
	if (cpu->format == FORMAT_32)
		return c->mode & MODE_PSE;
	return level == 2 || (level == 3 && cpu->format == FORMAT_LONG && cpu->large3);
}

static uint64_t reserved_32(const struct paging_cpu *cpu, bool large)
{
	uint64_t reserved = 0;

	if (!large)
		return 0;
	reserved = 1 << 21;
	if (cpu->phys_bits < 40)
		reserved |= BITS(cpu->phys_bits - 32 + 13, 20);
	return reserved;
}

/* One of PAE's pointers has an address, and bits that nobody looks at. */
static uint64_t reserved_pointer(const struct paging_cpu *cpu)
{
	return BITS(1, 2) | BITS(5, 8) | BITS(cpu->phys_bits, 63);
}

/* An entry that is loaded is checked then. */
bool paging_pointer_loads(const struct paging_cpu *cpu, uint64_t entry)
{
	return !(entry & P) || !(entry & reserved_pointer(cpu));
}

static uint64_t reserved(const struct paging_cpu *cpu, const struct paging_case *c, uint64_t entry,
			 int level)
{
	bool large = level > 1 && is_leaf(cpu, c, entry, level);
	uint64_t bits = 0;

	if (cpu->format == FORMAT_32)
		return reserved_32(cpu, large);
	if (cpu->format == FORMAT_PAE && level == 3)
		return reserved_pointer(cpu) & ~cpu->lenient;
	if (cpu->phys_bits < 52)
		bits |= BITS(cpu->phys_bits, 51);
	if (!(c->mode & MODE_NX))
		bits |= NX;
	if (cpu->format == FORMAT_PAE)
		bits |= BITS(52, 62);
	if (level == 4 || (level == 3 && !cpu->large3))
		bits |= PS;
	/* Intel's processors ignore it there. */
	if (level == 4 && cpu->amd)
		bits |= G;
	if (large)
		bits |= BITS(13, level == 2 ? 20 : 29);
	return level == 4 ? bits & ~cpu->lenient : bits;
}

/* Bits of the code that the access alone makes. */
static uint32_t code_of_access(const struct paging_cpu *cpu, const struct paging_case *c)
{
	bool nx = (c->mode & MODE_NX) && cpu->format != FORMAT_32;
	uint32_t code = 0;

	if (access_is_write(c->access))
		code |= CODE_W;
	if (access_is_user(c->access))
		code |= CODE_U;
	if (access_is_fetch(c->access) && (nx || (c->mode & MODE_SMEP)))
		code |= CODE_I;
	return code;
}

static bool key_forbids(const struct paging_cpu *cpu, const struct paging_case *c, uint64_t all)
{
	if (cpu->format != FORMAT_LONG || !(c->mode & MODE_PKE) || access_is_fetch(c->access))
		return false;
	if (!(all & U))
		return false;
	return (c->rights & 1) || ((c->rights & 2) && access_is_write(c->access) &&
				   (access_is_user(c->access) || (c->mode & MODE_WP)));
}

/* @all: W and U as all entries have them together, NX as one of them has it. */
static bool permits(const struct paging_case *c, uint64_t all)
{
	bool user = access_is_user(c->access);

	if (user && !(all & U))
		return false;
	if (access_is_fetch(c->access))
		return !(all & NX) && (user || !(all & U) || !(c->mode & MODE_SMEP));
	if (!user && (all & U) && (c->mode & MODE_SMAP) && !access_has_ac(c->access))
		return false;
	if (access_is_write(c->access) && !(all & W))
		return !user && !(c->mode & MODE_WP);
	return true;
}

void paging_judge(const struct paging_cpu *cpu, const struct paging_case *c,
		  const u64_at8 entries[MAX_LEVELS], struct paging_verdict *v)
{
	uint64_t all = W | U;
	int level;

	v->fault = true;
	v->unusable = true;
	v->code = code_of_access(cpu, c);
	for (level = paging_top(cpu->format); level; level--) {
		uint64_t entry = entries[level - 1];

		v->last = level;
		if (!(entry & P))
			return;
		if (entry & reserved(cpu, c, entry, level)) {
			v->code |= CODE_P | CODE_RSVD;
			return;
		}
		if (cpu->format == FORMAT_PAE && level == 3)
			continue;
		all &= entry | NX;
		all |= cpu->format != FORMAT_32 ? entry & NX : 0;
		if (is_leaf(cpu, c, entry, level))
			break;
	}
	v->unusable = false;
	v->code |= CODE_P;
	if (key_forbids(cpu, c, all))
		v->code |= CODE_PK;
	v->fault = (v->code & CODE_PK) || !permits(c, all);
	if (!v->fault)
		v->code = 0;
}

/*
 * An access sets A on its whole way, and D of the leaf if it writes.  A fault changes nothing at
 * the entry that it ends at and below; whether A is set above is the processor's choice.
 */
bool paging_bits_right(const struct paging_case *c, const struct paging_verdict *v, int level,
		       uint64_t before, uint64_t after)
{
	uint64_t all = before | A;

	if (level < v->last)
		return after == before;
	if (v->fault)
		return after == before || (level > v->last && after == all);
	if (level == v->last && access_is_write(c->access))
		all |= D;
	return after == all;
}
