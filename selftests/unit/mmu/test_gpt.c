// SPDX-License-Identifier: GPL-2.0-only
/*
 * The walk of guest tables against one that is written by the manual alone: random tables in a
 * small memory, random modes and accesses.  Address, page fault code, and every accessed and dirty
 * bit in memory have to be the same.  SEED=n, CALLS=n.
 */
#include <stdarg.h>
#include <stdio.h>
#include "guest_mem.h"
#include "mmu/mmu.h"
#include "seed.h"
#include "shim.h"

#define NR_PAGES 48u

static u8 memory[NR_PAGES * PAGE_SIZE], expected[sizeof(memory)];
static bool readonly;	     /* no store can be made: the tables are in ROM */
static unsigned int disturb; /* so many exchanges find that somebody was first */
static u64 seed;

/* How walks ended. */
static unsigned long ends[4];
enum {
	DONE,
	ABSENT,
	PROTECTION,
	RESERVED
};

void note(const char *format, uint64_t a, uint64_t b, uint64_t c)
{
}

void fail(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	printf("FOUND: ");
	vprintf(format, args);
	printf("\nSEED=%llu finds it\n", (unsigned long long)seed);
	va_end(args);
	exit(1);
}

int guest_mem_read(struct memslot_table *slots, gpa_t gpa, void *data, size_t len)
{
	if (gpa >= sizeof(memory) || sizeof(memory) - gpa < len)
		return -ENOENT;
	memcpy(data, memory + gpa, len);
	return 0;
}

int guest_mem_peek(struct memslot_table *slots, gpa_t gpa, void *data, size_t len)
{
	return guest_mem_read(slots, gpa, data, len);
}

int guest_mem_exchange(struct memslot_table *slots, gpa_t gpa, const void *old, const void *new,
		       size_t len)
{
	if (readonly)
		return -ENOENT;
	if (disturb) {
		disturb--;
		return 1;
	}
	/* One entry may be there at two levels. */
	if (memcmp(memory + gpa, old, len))
		return 1;
	memcpy(memory + gpa, new, len);
	return 0;
}

bool sim_signal_pending(void)
{
	return false;
}

/* A format by the manual: how an address is cut up, from the top. */
struct cut {
	int levels;
	int bits[4];
	int size; /* of an entry */
	u64 base; /* the bits of CR3 that are an address */
};

static const struct cut cuts[] = {
	[GPT_32] = { 2, { 10, 10 }, 4, 0xfffff000 },
	[GPT_PAE] = { 3, { 2, 9, 9 }, 8, 0xffffffe0 },
	[GPT_LONG] = { 4, { 9, 9, 9, 9 }, 8, 0xffffffffff000 },
};

static u64 bits(int high, int low)
{
	return high < low ? 0 : GENMASK_ULL(high, low);
}

/* Bits that are reserved in an entry that is @left levels above the last; @page: it maps a page. */
static u64 reserved(const struct gpt_root *root, int left, bool page, int shift)
{
	u64 r = bits(51, root->phys_bits);

	if (root->mode == GPT_32)
		return page && left ? BIT_ULL(21) | bits(20, 13 + root->phys_bits - 32) : 0;
	if (root->mode == GPT_PAE)
		r |= left == 2 ? bits(63, 52) | bits(8, 6) | bits(2, 1) : bits(62, 52);
	if (!root->nx && !(root->mode == GPT_PAE && left == 2))
		r |= BIT_ULL(63);
	if (left == 3 || (root->mode == GPT_LONG && left == 2 && !root->gbpages))
		r |= BIT_ULL(7);
	if (left == 3 && root->amd)
		r |= BIT_ULL(8);
	return page && left ? r | bits(shift - 1, 13) : r;
}

static bool maps_page(const struct gpt_root *root, int left, u64 entry)
{
	if (!left)
		return true;
	if (!(entry & BIT_ULL(7)))
		return false;
	if (root->mode == GPT_32)
		return root->pse;
	return left == 1 || (left == 2 && root->mode == GPT_LONG);
}

/* The page fault's code, or -1 and the address; marks what the processor would in @expected. */
static int walk(const struct gpt_root *root, gva_t gva, u32 access, gpa_t *gpa)
{
	const struct cut *cut = &cuts[root->mode];
	bool w = true, u = true, x = true;
	u64 at[4], entry = 0, table = root->cr3 & cut->base;
	int code = (access & ACC_W ? 2 : 0) | (access & ACC_U ? 4 : 0) |
		   (access & ACC_X && ((cut->size == 8 && root->nx) || root->smep) ? 16 : 0);
	int i, left, shift = 12, n;

	for (i = 0; i < cut->levels; i++)
		shift += cut->bits[i];
	for (i = 0;; i++) {
		bool pdpte = root->mode == GPT_PAE && !i;

		left = cut->levels - 1 - i;
		shift -= cut->bits[i];
		at[i] = table + (gva >> shift & (BIT_ULL(cut->bits[i]) - 1)) * cut->size;
		if (at[i] >= sizeof(memory))
			return code;
		entry = 0;
		memcpy(&entry, memory + at[i], cut->size);
		if (!(entry & 1))
			return code;
		if (entry & reserved(root, left, maps_page(root, left, entry), shift))
			return code | 9;
		if (!pdpte) {
			w &= entry >> 1 & 1;
			u &= entry >> 2 & 1;
			x &= !(entry >> 63);
		}
		if (maps_page(root, left, entry))
			break;
		table = entry & (cut->size == 4 ? 0xfffff000 : 0xffffffffff000);
	}
	if (access & ACC_U ? !u : u && (access & ACC_X ? root->smep : root->smap))
		return code | 1;
	if ((access & ACC_W && !w && (root->wp || access & ACC_U)) || (access & ACC_X && !x))
		return code | 1;
	for (n = 0; n <= i && !readonly; n++)
		if (root->mode != GPT_PAE || n)
			expected[at[n]] |= 0x20 | (n == i && access & ACC_W ? 0x40 : 0);
	*gpa = (entry & 0xffffffffff000 & ~bits(shift - 1, 0)) | (gva & bits(shift - 1, 0));
	if (cut->size == 4 && left)
		*gpa = (entry & 0xffc00000) | (entry >> 13 & 0xff) << 32 | (gva & 0x3fffff);
	return -1;
}

static u64 random_entry(int size)
{
	u64 entry = (u64)draw(NR_PAGES) << 12 | draw(256) | (draw(10) ? 7 : 0);

	if (draw(3))
		entry &= ~0x80ull;
	if (draw_one_in(8))
		entry |= 0x100;
	if (draw_one_in(12))
		entry |= BIT_ULL(draw(64));
	if (draw_one_in(8))
		entry = (entry & 0xfff) | (u64)draw(1 << 10) << 22 | draw(2) * 0x1000;
	return size == 4 ? (u32)entry : entry;
}

/* Entries only where the walk of one of few addresses comes by. */
static gva_t random_gva(int size)
{
	gva_t gva = draw(4096);
	int i, width = size == 4 ? 10 : 9;

	for (i = 0; i < 4; i++)
		gva |= (gva_t)draw(3) << (12 + width * i);
	return gva;
}

static void one(void)
{
	struct gpt_root root = {
		.mode = GPT_32 + draw(3),
		.cr3 = draw(NR_PAGES) * PAGE_SIZE + draw(2) * 0x18,
		.pse = draw(2),
		.gbpages = draw(2),
		.amd = draw(2),
		.wp = draw(2),
		.nx = draw(4),
		.smep = draw_one_in(4),
		.smap = draw_one_in(4),
		.phys_bits = 36 + draw(17),
	};
	int size = cuts[root.mode].size, code, r;
	u32 access = draw_one_in(3) ? ACC_W : draw(2) ? ACC_R : ACC_X, error = 0;
	gva_t gva = random_gva(size);
	gpa_t gpa = 0, right = 0;
	unsigned int page, i;

	access |= draw(2) ? ACC_U : 0;
	for (page = 0; page < NR_PAGES; page++)
		for (i = 0; i < 4; i++) {
			u64 entry = random_entry(size);

			memcpy(memory + page * PAGE_SIZE + i * size, &entry, size);
		}
	/* These four have few bits that may be set. */
	for (i = 0; root.mode == GPT_PAE && i < 4; i++)
		if (draw(8))
			memory[(root.cr3 & ~0x1full) + i * size] &= 0x39;
	memcpy(expected, memory, sizeof(memory));
	readonly = draw_one_in(8);
	disturb = draw_one_in(8) ? draw(3) : 0;
	code = walk(&root, gva, access, &right);
	if (code < 0 && gpt_translate(NULL, &root, gva, draw(2)) != right)
		fail("gpt_translate() finds another address");
	if (code >= 0 && code & 8 && gpt_translate(NULL, &root, gva, true) != GPA_NONE)
		fail("gpt_translate() goes by a reserved bit");
	r = gpt_access(NULL, &root, gva, access, &gpa, &error);
	if (code < 0 ? r || gpa != right : r != 1 || error != (u32)code)
		fail("gpt_access() comes to another end");
	if (memcmp(memory, expected, sizeof(memory)))
		fail("other accessed or dirty bits");
	ends[code < 0 ? DONE : code & 8 ? RESERVED : code & 1 ? PROTECTION : ABSENT]++;
}

int main(void)
{
	const char *text = getenv("CALLS");
	unsigned long calls = text ? strtoul(text, NULL, 0) : 20000, i;

	seed = test_seed();
	draw_seed(seed);
	for (i = 0; i < calls; i++)
		one();
	printf("# translated %lu, absent %lu, protection %lu, reserved %lu\n", ends[DONE],
	       ends[ABSENT], ends[PROTECTION], ends[RESERVED]);
	for (i = 0; i < ARRAY_SIZE(ends); i++)
		if (ends[i] < calls / 50)
			fail("end %lu was reached %lu times in %lu", i, ends[i], calls);
	printf("ok: guest tables are walked as by the manual\n");
	return 0;
}
