// SPDX-License-Identifier: GPL-2.0-only
/*
 * From a case's number to the case, and from its flags to entries.
 */
#include "paging_case.h"

#define ADDRESS_BITS 52

static uint64_t draw_next(uint64_t *state)
{
	uint64_t x = *state += 0x9e3779b97f4a7c15;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
	x = (x ^ x >> 27) * 0x94d049bb133111eb;
	return x ^ x >> 31;
}

static uint32_t draw_below(uint64_t *state, uint32_t end)
{
	return (uint32_t)(draw_next(state) >> 32) % end;
}

/*
 * What a bit of a leaf's combination stands for, for pages of 4 KiB and for large ones.  Those that
 * entries of 32 bits do not have are the last.
 */
static const uint16_t small_bits[LEAF_BITS] = { FLAG_P,	 FLAG_W, FLAG_U,  FLAG_A,   FLAG_D,
						FLAG_PS, FLAG_G, FLAG_NX, FLAG_RSVD };
static const uint16_t large_bits[LEAF_BITS] = { FLAG_P,	   FLAG_W,   FLAG_U,   FLAG_A, FLAG_D,
						FLAG_RSVD, FLAG_LOW, FLAG_PAT, FLAG_NX };
/* The first PAIR_BITS of them are combined in full. */
static const uint16_t pair_bits[PAIR_ODD] = {
	FLAG_P, FLAG_W, FLAG_U, FLAG_NX, FLAG_RSVD, FLAG_PS, FLAG_G,
};

static const uint8_t pairs[][2] = { { 1, 2 }, { 1, 3 }, { 2, 3 }, { 1, 4 }, { 2, 4 }, { 3, 4 } };

static uint32_t nr_leaf_bits(uint32_t format, int level)
{
	if (format != FORMAT_32)
		return LEAF_BITS;
	return level == 1 ? LEAF_BITS - 2 : LEAF_BITS - 1;
}

uint32_t paging_section_size(const struct paging_cpu *cpu, uint32_t section)
{
	uint32_t each = paging_nr_modes(cpu->format) * NR_ACCESSES;

	switch (section) {
	case SECTION_LEAF_1:
	case SECTION_LEAF_2:
		return each << nr_leaf_bits(cpu->format, 1 + (section - SECTION_LEAF_1));
	case SECTION_LEAF_3:
		return cpu->format == FORMAT_32 ? 0 : each << LEAF_BITS;
	case SECTION_PAIRS:
		return each * paging_nr_pairs(cpu->format) * (PAIR_ODD + 1) * (PAIR_ODD + 1);
	case SECTION_KEYS:
		return cpu->format == FORMAT_LONG && (cpu->modes & MODE_PKE) ? each << 8 : 0;
	case SECTION_PAIRS_FULL:
		return each * paging_nr_pairs(cpu->format) << 2 * PAIR_BITS;
	case SECTION_SAMPLE:
		return UINT32_MAX;
	}
	return 0;
}

static uint32_t flags_of_bits(const uint16_t *names, uint32_t nr, uint32_t bits)
{
	uint32_t flags = 0, i;

	for (i = 0; i < nr; i++)
		if (bits >> i & 1)
			flags |= names[i];
	return flags;
}

/* PAE's pointers are no leaves, and have as many bits. */
static void make_leaf(const struct paging_cpu *cpu, struct paging_case *c, int level, uint32_t bits)
{
	bool small = level == 1 || (level == 3 && cpu->format == FORMAT_PAE);

	c->flags[level - 1] = small ? flags_of_bits(small_bits, LEAF_BITS, bits)
				    : FLAG_PS | flags_of_bits(large_bits, LEAF_BITS, bits);
}

/* Bit @bit of pair_bits is the other way round than usual; beyond them: none. */
static void deviate(struct paging_case *c, int level, uint32_t bit)
{
	if (bit < PAIR_ODD)
		c->flags[level - 1] ^= pair_bits[bit];
}

static void make_pair(struct paging_case *c, uint32_t number)
{
	const uint8_t *pair = pairs[number / ((PAIR_ODD + 1) * (PAIR_ODD + 1))];
	uint32_t bits = number % ((PAIR_ODD + 1) * (PAIR_ODD + 1));

	deviate(c, pair[0], bits / (PAIR_ODD + 1));
	deviate(c, pair[1], bits % (PAIR_ODD + 1));
}

static void make_pair_full(struct paging_case *c, uint32_t number)
{
	const uint8_t *pair = pairs[number >> 2 * PAIR_BITS];
	uint32_t one = (1 << PAIR_BITS) - 1;

	c->flags[pair[0] - 1] = FLAG_A | flags_of_bits(pair_bits, PAIR_BITS, number & one);
	c->flags[pair[1] - 1] =
		FLAG_A | flags_of_bits(pair_bits, PAIR_BITS, number >> PAIR_BITS & one);
}

/* What the register forbids, whose pages they are, what the page allows, and its key. */
static void make_keys(struct paging_case *c, uint32_t bits)
{
	c->mode |= MODE_PKE;
	c->rights = bits & 3;
	c->key = bits & 4 ? 1 + (uint32_t)(c->draw >> 40) % 15 : 0;
	c->flags[0] ^= flags_of_bits(pair_bits, 4, bits >> 3 & 0xf);
	if (bits & 0x80)
		c->flags[1] ^= FLAG_U;
}

/* Mostly present, mostly permitted: what is forbidden above hides the rest. */
static uint32_t draw_flags(uint64_t *state)
{
	uint64_t r = draw_next(state), s = draw_next(state);
	uint32_t flags = FLAG_P | (r & (FLAG_A | FLAG_D | FLAG_G | FLAG_AVL));

	if (!(r >> 16 & 0xf))
		flags &= ~FLAG_P;
	if (r >> 20 & 3)
		flags |= FLAG_W;
	if (r >> 22 & 3)
		flags |= FLAG_U;
	if (!(r >> 24 & 7))
		flags |= FLAG_NX;
	if (!(r >> 28 & 0x1f))
		flags |= FLAG_RSVD;
	if (!(s & 7))
		flags |= FLAG_PS;
	if (!(s >> 4 & 0xf))
		flags |= FLAG_LOW;
	if (!(s >> 8 & 3))
		flags |= FLAG_PAT;
	return flags;
}

/* The state of what is drawn, for that number. */
static uint64_t draw_begin(uint32_t seed, uint32_t section, uint32_t number)
{
	return ((uint64_t)seed << 32 | section) * 0xd1342543de82ef95 + number;
}

/* All but the mode */
static void draw_case(const struct paging_cpu *cpu, struct paging_case *c, uint64_t state)
{
	uint32_t i;

	c->draw = draw_next(&state);
	c->access = draw_below(&state, NR_ACCESSES);
	for (i = 0; i < paging_levels(cpu->format); i++)
		c->flags[i] = draw_flags(&state);
	c->key = draw_below(&state, 16);
	c->rights = draw_below(&state, 4);
}

/* The case before, by which the access has been made, permits more. */
static void draw_addition(const struct paging_cpu *cpu, struct paging_case *c, uint64_t state)
{
	uint32_t fetch = access_is_fetch(c->access), level = draw_below(&state, MAX_LEVELS), i;

	for (i = 0; i < paging_levels(cpu->format); i++)
		c->flags[i] |= FLAG_A | FLAG_D;
	level %= paging_levels(cpu->format);
	if (fetch)
		c->flags[level] &= ~FLAG_NX;
	else
		c->flags[level] |= FLAG_W;
	c->draw |= 1ULL << DRAW_KEEP;
	do
		c->access = draw_below(&state, NR_ACCESSES);
	while (access_is_fetch(c->access) != fetch);
}

/* A mode lasts for eight cases. */
static void make_sample(const struct paging_cpu *cpu, struct paging_case *c, uint32_t number,
			uint32_t seed)
{
	uint64_t state = draw_begin(seed, NR_SECTIONS, number / 8);

	c->mode = draw_below(&state, 2 * paging_nr_modes(cpu->format)) & cpu->modes;
	state = draw_begin(seed, SECTION_SAMPLE, number);
	if (!(number & 1) || draw_below(&state, 2))
		return draw_case(cpu, c, state);
	draw_case(cpu, c, draw_begin(seed, SECTION_SAMPLE, number - 1));
	draw_addition(cpu, c, state);
}

/*
 * The access changes from one case to the next, then the entries, then the mode.  A mode that this
 * processor does not have is made one that it has.
 */
void paging_case_make(const struct paging_cpu *cpu, uint32_t section, uint32_t number,
		      uint32_t seed, struct paging_case *c)
{
	uint32_t size = paging_section_size(cpu, section), in_mode;
	uint64_t state = draw_begin(seed, section, number);
	int i;

	for (i = 0; i < MAX_LEVELS; i++)
		c->flags[i] = FLAGS_OPEN;
	if (cpu->format == FORMAT_PAE)
		c->flags[2] = FLAG_P;
	c->key = 0;
	c->rights = 0;
	c->draw = draw_next(&state);
	if (section == SECTION_SAMPLE)
		return make_sample(cpu, c, number, seed);
	in_mode = size / paging_nr_modes(cpu->format);
	c->mode = number / in_mode & cpu->modes;
	c->access = number % NR_ACCESSES;
	number = number % in_mode / NR_ACCESSES;
	if (section <= SECTION_LEAF_3)
		make_leaf(cpu, c, 1 + (section - SECTION_LEAF_1), number);
	else if (section == SECTION_PAIRS)
		make_pair(c, number);
	else if (section == SECTION_PAIRS_FULL)
		make_pair_full(c, number);
	else
		make_keys(c, number);
}

/* Bits first .. end - 1: one of them, by the case's draw. */
static uint64_t one_of(const struct paging_case *c, int level, uint32_t first, uint32_t end)
{
	return 1ULL << (first + (uint32_t)(c->draw >> (8 * level)) % (end - first));
}

/* Bits of an address that a page of @level has for itself. */
static uint32_t page_shift(uint32_t format, int level)
{
	return 12 + (level - 1) * (format == FORMAT_32 ? 10 : 9);
}

static uint64_t entry_32(const struct paging_cpu *cpu, const struct paging_case *c, int level,
			 uint64_t entry, bool large)
{
	uint32_t flags = c->flags[level - 1];

	if (!large)
		return entry;
	/* Bits 39:32 of the address stand in bits 20:13. */
	entry = (uint32_t)entry | (entry >> 32 & 0xff) << 13;
	if (flags & FLAG_PAT)
		entry |= 1 << 12;
	if (flags & FLAG_LOW)
		entry |= 1 << 21;
	if ((flags & FLAG_RSVD) && cpu->phys_bits < 40)
		entry |= one_of(c, level, cpu->phys_bits - 32 + 13, 21);
	return entry;
}

/*
 * The entry of @level: names @table, the next level's, or if it is a leaf @page (whose address has
 * all its bits).
 */
u64_at8 paging_entry(const struct paging_cpu *cpu, const struct paging_case *c, int level,
		     uint64_t table, uint64_t page)
{
	uint32_t flags = c->flags[level - 1], shift = page_shift(cpu->format, level);
	bool large =
		(flags & FLAG_PS) && (level == 2 || (level == 3 && cpu->format == FORMAT_LONG));
	uint64_t entry;

	/* Without PSE the bit is none. */
	if (cpu->format == FORMAT_32 && !(c->mode & MODE_PSE))
		large = false;
	entry = large || level == 1 ? page >> shift << shift : table;
	entry |= flags & FLAG_P ? 1 : 0;
	entry |= flags & FLAG_W ? 2 : 0;
	entry |= flags & FLAG_U ? 4 : 0;
	entry |= flags & FLAG_A ? 0x20 : 0;
	entry |= flags & FLAG_D ? 0x40 : 0;
	entry |= flags & FLAG_PS ? 0x80 : 0;
	entry |= flags & FLAG_AVL ? 0xe00 : 0;
	entry |= flags & FLAG_G ? 0x100 : 0;
	if (cpu->format == FORMAT_32)
		return entry_32(cpu, c, level, entry, large);
	if ((flags & FLAG_AVL) && cpu->format == FORMAT_LONG)
		entry |= 0x7fULL << 52;
	if (flags & FLAG_NX)
		entry |= 1ULL << 63;
	if ((flags & FLAG_RSVD) && cpu->phys_bits < ADDRESS_BITS)
		entry |= one_of(c, level, cpu->phys_bits,
				cpu->format == FORMAT_PAE ? 63 : ADDRESS_BITS);
	if (large && (flags & FLAG_PAT))
		entry |= 1 << 12;
	if (large && (flags & FLAG_LOW))
		entry |= one_of(c, level, 13, shift);
	if (cpu->format == FORMAT_LONG)
		entry |= (uint64_t)c->key << 59;
	return entry;
}
