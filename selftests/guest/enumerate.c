// SPDX-License-Identifier: GPL-2.0-only
/*
 * A guest that tries what its page tables permit: one access a case (paging_case.h), by entries
 * that it has just written, compared with the manuals' rules (paging_model.h): fault, code, CR2,
 * instruction, accessed and dirty bits, and what was read or written.
 *
 * Between two cases it makes the processor forget by INVLPG; or, half the time, not, where it need
 * not: if nothing has changed, if what has changed could not be kept as it was absent or malformed,
 * or if a permission was added, where one fault too many is the processor's right.  It is not where
 * mkvm's shadow tables lag, so such a fault is counted.
 *
 * Accesses of both kinds have a page of their own, and so an entry of their own in the last table.
 *
 * PAE's pointers are tried by a store to one of them and a load of CR3; where that is what reads
 * them, half the time without, so that the one before is in force.  In between all is as usual.
 */
#include "enumerate_cpu.h"
#include "paging_model.h"

#define PLACE	     64 /* of the data in its page */
#define CODE_MOV     0xb8
#define CODE_INT     0xcd
#define BIT(x, n)    ((x) >> (n)&1)
#define ENTRY_P	     1ULL
#define ENTRY_W	     2ULL
#define ENTRY_AD     0x60ULL
#define ENTRY_NX     (1ULL << 63)
#define IMMEDIATE(i) (0x5a0001 + (i))

/* One case under way. */
struct trial {
	struct paging_case c;
	uint32_t section, number;
	bool fetch, forgotten;
	u64_at8 old[MAX_LEVELS], before[MAX_LEVELS], after[MAX_LEVELS];
	struct paging_verdict verdict;
	uint64_t pointer; /* PAE's, in memory; before[2] is the one in force */
	bool pointed_wrong;
	uint64_t value;
	unsigned int page; /* which of the two it leads to */
};

volatile struct enumerate_seen enumerate_seen;

static struct enumerate *const shared = (struct enumerate *)ENUMERATE_SHARED;
static const unsigned long pages[2] = { ENUMERATE_DATA, ENUMERATE_OTHER };
static unsigned long contents[2];
static uint64_t last_cr2;
/* What the processor may have kept: the last case's, and whether it may lag behind. */
static struct {
	bool any, fetch, late;
	uint32_t mode;
	struct paging_verdict verdict;
} kept;

static volatile unsigned long *content(unsigned int page)
{
	return (unsigned long *)(pages[page] + PLACE);
}

/* The pages that are mapped: a word, and code that says which it is. */
static void set_up_pages(void)
{
	unsigned int i;

	for (i = 0; i < 2; i++) {
		unsigned char *code = (unsigned char *)(pages[i] + PAGE);

		contents[i] = 0x1000 + i;
		*content(i) = contents[i];
		code[0] = CODE_MOV;
		*(uint32_t *)(code + 1) = IMMEDIATE(i);
		code[5] = CODE_INT;
		code[6] = LEAVE_VECTOR;
	}
}

/* Levels of @t's entries that have to change: the topmost; 0: none. */
static int topmost_change(const struct trial *t)
{
	int level;

	for (level = paging_levels(shared->cpu.format); level; level--)
		if (t->old[level - 1] != t->before[level - 1])
			break;
	return level;
}

/* Do the new entries but add permissions, and bits that the processor itself would set? */
static bool only_adds(const struct trial *t)
{
	int level;

	for (level = paging_levels(shared->cpu.format); level; level--) {
		uint64_t old = t->old[level - 1], new = t->before[level - 1];

		if ((old ^ new) & ~(ENTRY_W | ENTRY_AD | ENTRY_NX))
			return false;
		if ((old & ~new &(ENTRY_W | ENTRY_AD)) || (new & ~old &ENTRY_NX))
			return false;
	}
	return true;
}

/* Must the processor forget before this case? */
static bool must_forget(const struct trial *t)
{
	int top = topmost_change(t);

	if (!kept.any || kept.fetch != t->fetch || !BIT(t->c.draw, DRAW_KEEP))
		return true;
	if ((kept.mode ^ t->c.mode) & (MODE_NX | MODE_PSE))
		return true;
	if (!top || (kept.verdict.unusable && top <= kept.verdict.last))
		return false;
	if (kept.verdict.unusable || !only_adds(t))
		return true;
	kept.late = true;
	return false;
}

static void forget(void)
{
	cpu_invlpg(cpu_address(false));
	cpu_invlpg(cpu_address(true));
	kept.late = false;
}

static void judge(struct trial *t, const struct paging_cpu *cpu)
{
	paging_judge(cpu, &t->c, t->before, &t->verdict);
	/* A page of 1 GiB is the first, and with it what is at the address. */
	t->page = t->verdict.last == 3 ? 0 : BIT(t->c.draw, DRAW_OTHER);
}

/* Where the entry of @level leads to if it is a leaf. */
static uint64_t page_of(const struct trial *t, int level)
{
	uint64_t page = pages[t->page];

	if (shared->high && t->page && level == 2 && shared->cpu.format == FORMAT_32)
		page = shared->high;
	return page + (t->fetch ? PAGE : 0);
}

static void make_entries(struct trial *t)
{
	int level;

	t->page = BIT(t->c.draw, DRAW_OTHER);
	for (level = paging_levels(shared->cpu.format); level; level--) {
		t->before[level - 1] =
			paging_entry(&shared->cpu, &t->c, level,
				     level > 1 ? cpu_table(level - 1) : 0, page_of(t, level));
		t->old[level - 1] = cpu_get(level, t->fetch);
	}
	judge(t, &shared->cpu);
}

/* From the bottom: what is absent becomes present when all below it is as it should be. */
static void write_entries(const struct trial *t)
{
	uint32_t level;

	for (level = 1; level <= paging_levels(shared->cpu.format); level++)
		if (t->old[level - 1] != t->before[level - 1])
			cpu_set(level, t->fetch, t->before[level - 1]);
}

static bool is_about_pointers(const struct trial *t)
{
	return shared->cpu.format == FORMAT_PAE && t->section == SECTION_LEAF_3;
}

/* The case's pointer, and what of it is in force then. */
static void point(struct trial *t)
{
	bool loads = !shared->cpu.loads || BIT(t->c.draw, DRAW_LOAD), fine;

	t->pointer = paging_entry(&shared->cpu, &t->c, 3, cpu_table(2), 0);
	fine = !shared->cpu.loads || paging_pointer_loads(&shared->cpu, t->pointer);
	cpu_set(3, false, t->pointer);
	t->pointed_wrong = loads && cpu_load_tables() != fine;
	if (loads && fine)
		t->before[2] = t->pointer;
	judge(t, &shared->cpu);
	kept.any = false;
}

static void point_as_usual(void)
{
	cpu_set(3, false, cpu_table(2) | ENTRY_P);
	cpu_load_tables();
	kept.any = false;
}

static void set_up_trial(struct trial *t)
{
	t->fetch = access_is_fetch(t->c.access);
	t->pointed_wrong = false;
	if (shared->cpu.format == FORMAT_PAE) {
		t->pointer = cpu_get(3, t->fetch);
		t->before[2] = t->pointer;
	}
	make_entries(t);
	cpu_set_mode(t->c.mode, shared->cpu.modes);
	if (t->c.mode & shared->cpu.modes & MODE_PKE && shared->cpu.format == FORMAT_LONG)
		cpu_set_key_rights(t->c.key, t->c.rights);
	if (is_about_pointers(t))
		point(t);
	t->forgotten = must_forget(t);
	write_entries(t);
	if (t->forgotten)
		forget();
	else
		shared->unforgotten++;
	shared->late += kept.late;
}

static void do_access(struct trial *t)
{
	unsigned long rip, address = cpu_address(t->fetch) + (t->fetch ? 0 : PLACE);
	int level;

	t->value = shared->done + 0x10000;
	enumerate_seen.vector = UINT32_MAX;
	rip = (unsigned long)(access_is_write(t->c.access) ? enumerate_write : enumerate_read);
	cpu_access(access_is_user(t->c.access), access_has_ac(t->c.access),
		   t->fetch ? address : rip, address, t->value);
	for (level = paging_levels(shared->cpu.format); level; level--)
		t->after[level - 1] = cpu_get(level, t->fetch);
	if (shared->cpu.format == FORMAT_PAE)
		t->after[2] = cpu_get(3, t->fetch);
}

static uint32_t check_place(const struct trial *t)
{
	unsigned long rip, address = cpu_address(t->fetch) + (t->fetch ? 0 : PLACE);

	if (!enumerate_seen.fault)
		return enumerate_seen.cr2 == last_cr2 ? 0 : WRONG_PLACE;
	rip = (unsigned long)(access_is_write(t->c.access) ? enumerate_write : enumerate_read);
	if (t->fetch)
		rip = address;
	return enumerate_seen.cr2 == address && enumerate_seen.rip == rip ? 0 : WRONG_PLACE;
}

static uint32_t check_value(const struct trial *t)
{
	unsigned int i;

	if (!enumerate_seen.fault && access_is_write(t->c.access))
		contents[t->page] = t->value;
	for (i = 0; i < 2; i++)
		if (*content(i) != contents[i]) {
			contents[i] = *content(i);
			return WRONG_VALUE;
		}
	if (enumerate_seen.fault || access_is_write(t->c.access))
		return 0;
	if (t->fetch)
		return enumerate_seen.value == IMMEDIATE(t->page) ? 0 : WRONG_VALUE;
	return enumerate_seen.value == contents[t->page] ? 0 : WRONG_VALUE;
}

/* No walk marks PAE's pointers, but for an emulator that is known to. */
static bool is_pointer_right(const struct trial *t)
{
	uint32_t i;

	if (t->after[2] == t->pointer)
		return true;
	for (i = 0; i < shared->nr_quirks; i++) {
		uint32_t points = shared->quirk[i].points;

		if (points && t->after[2] == (t->pointer | points)) {
			shared->quirks[i]++;
			return true;
		}
	}
	return false;
}

static uint32_t check_bits(const struct trial *t)
{
	int level;

	for (level = paging_levels(shared->cpu.format); level; level--)
		if (!paging_bits_right(&t->c, &t->verdict, level, t->before[level - 1],
				       t->after[level - 1]))
			return WRONG_BITS;
	if (shared->cpu.format == FORMAT_PAE && !is_pointer_right(t))
		return WRONG_BITS;
	return 0;
}

static bool is_topmost_reserved(const struct trial *t)
{
	return t->verdict.last == paging_top(shared->cpu.format) && (t->verdict.code & CODE_RSVD);
}

/*
 * A reserved bit in the topmost entry did not make the fault that it should have: if the emulator
 * is known for that, all else is as without that rule.
 */
static void judge_as_emulator(struct trial *t)
{
	struct paging_cpu cpu = shared->cpu;
	uint32_t i;

	if (!is_topmost_reserved(t) ||
	    (enumerate_seen.fault && enumerate_seen.code == t->verdict.code))
		return;
	for (i = 0; i < shared->nr_quirks; i++) {
		if (!shared->quirk[i].lenient)
			continue;
		cpu.lenient |= shared->quirk[i].lenient;
		judge(t, &cpu);
		shared->quirks[i] += !is_topmost_reserved(t);
	}
}

/* A fault that came, with a code that the emulator is known for. */
static bool is_wrong_code(const struct trial *t)
{
	uint32_t i, code = t->verdict.code;

	for (i = 0; i < shared->nr_quirks; i++) {
		const struct enumerate_quirk *quirk = &shared->quirk[i];

		if (quirk->marks || quirk->lenient || quirk->points ||
		    (code & quirk->has) != quirk->has ||
		    enumerate_seen.code != ((code & ~quirk->lost) | quirk->gained))
			continue;
		shared->quirks[i]++;
		return true;
	}
	return false;
}

/* Bits that a fault should not have set, as the emulator is known to. */
static void forget_wrong_marks(struct trial *t)
{
	uint64_t *last = &t->after[t->verdict.last - 1], before = t->before[t->verdict.last - 1];
	uint32_t i;

	for (i = 0; i < shared->nr_quirks && t->verdict.last > 1 && *last != before; i++) {
		if (!shared->quirk[i].marks || *last != (before | shared->quirk[i].marks))
			continue;
		shared->quirks[i]++;
		*last = before;
	}
}

static void tell(const struct trial *t, uint32_t what)
{
	struct enumerate_wrong *wrong;
	int i;

	if (shared->wrong++ >= ENUMERATE_WRONG)
		return;
	wrong = &shared->wrongs[shared->wrong - 1];
	wrong->section = t->section;
	wrong->number = t->number;
	wrong->what = what;
	wrong->forgotten = t->forgotten;
	wrong->c = t->c;
	for (i = 0; i < paging_top(shared->cpu.format); i++) {
		wrong->before[i] = t->before[i];
		wrong->after[i] = t->after[i];
	}
	wrong->fault = t->verdict.fault;
	wrong->code = t->verdict.code;
	wrong->last = t->verdict.last;
	wrong->seen = *(const struct enumerate_seen *)&enumerate_seen;
}

static void check(struct trial *t)
{
	const struct paging_verdict *v = &t->verdict;
	uint32_t what = t->pointed_wrong ? WRONG_LOAD : 0;

	if (!!enumerate_seen.fault != v->fault || (v->fault && enumerate_seen.code != v->code))
		what |= WRONG_FAULT;
	if (v->fault && enumerate_seen.fault) {
		if ((what & WRONG_FAULT) && is_wrong_code(t))
			what &= ~WRONG_FAULT;
		forget_wrong_marks(t);
	}
	what |= check_place(t) | check_value(t) | check_bits(t);
	if (what)
		tell(t, what);
	if (v->fault)
		shared->codes[v->code & 63]++;
	else
		shared->fine++;
}

/* One fault too many, by what was kept of entries that permitted less. */
static bool is_spurious(const struct trial *t)
{
	uint32_t code = CODE_P;

	if (!kept.late || t->verdict.fault || !enumerate_seen.fault)
		return false;
	code |= access_is_write(t->c.access) ? CODE_W : 0;
	code |= access_is_user(t->c.access) ? CODE_U : 0;
	return (enumerate_seen.code & ~CODE_I) == code;
}

/* Answers whether the program can go on. */
static bool try_case(uint32_t section, uint32_t number)
{
	struct trial t;

	t.section = section;
	t.number = number;
	paging_case_make(&shared->cpu, section, number, shared->seed, &t.c);
	set_up_trial(&t);
	do_access(&t);
	judge_as_emulator(&t);
	if (is_spurious(&t)) {
		shared->spurious++;
		last_cr2 = enumerate_seen.cr2;
		do_access(&t);
	}
	if (enumerate_seen.vector != UINT32_MAX) {
		shared->vector = enumerate_seen.vector;
		tell(&t, WRONG_FAULT);
		return false;
	}
	check(&t);
	last_cr2 = enumerate_seen.cr2;
	kept.any = true;
	kept.fetch = t.fetch;
	kept.mode = t.c.mode;
	kept.verdict = t.verdict;
	if (is_about_pointers(&t))
		point_as_usual();
	shared->done++;
	return true;
}

/* What the test wants: a set-up, or so many cases. */
void guest_main(unsigned long set_up)
{
	uint32_t i;

	if (set_up) {
		shared->cpu.format = shared->format;
		cpu_set_up(&shared->cpu);
		set_up_pages();
		last_cr2 = cpu_cr2();
		return;
	}
	for (i = 0; i < shared->count; i++)
		if (!try_case(shared->section, shared->first + i * shared->step))
			return;
}
