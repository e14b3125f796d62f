// SPDX-License-Identifier: GPL-2.0-only
/*
 * Descriptors for instructions that load segment registers, and the choice of a selector.
 *
 * Code begins where the mode's own does, and in compatibility mode where that of 32 bits does, so
 * that what a far pointer leads to is the HLT at CODE_PAD in each of them.
 */
#include "instance.h"

#include "lib/host.h"

/* What an entry is good for at CPL 0 by a selector with RPL 0. */
#define AS_DATA	 1
#define AS_STACK 2
#define AS_CODE	 4

#define TYPE_ACCESSED 1
#define TYPE_CODE     8
#define IS_SEGMENT    0x10
#define IS_64BIT      2
#define IS_32BIT      4

/* Rights are a descriptor's bits 47:40, flags G, D, L and AVL its bits 55:52. */
static const struct {
	uint8_t rights, flags, use;
} entries[] = {
	{ 0x92, 0xc, AS_DATA | AS_STACK },
	{ 0x92, 0x4, AS_DATA | AS_STACK },
	{ 0x92, 0x1, AS_DATA | AS_STACK },
	{ 0x96, 0xc, AS_DATA | AS_STACK }, /* expands down */
	{ 0x93, 0xc, AS_DATA | AS_STACK },
	{ 0x90, 0xc, AS_DATA },
	{ 0xb2, 0xc, AS_DATA },
	{ 0xf2, 0xc, AS_DATA },
	{ 0xf3, 0x0, AS_DATA },
	{ 0xf0, 0xd, AS_DATA },
	{ 0x9a, 0xc, AS_DATA | AS_CODE },
	{ 0x98, 0xc, AS_CODE },
	{ 0x9a, 0x8, AS_DATA | AS_CODE }, /* 16-bit */
	{ 0x9e, 0xc, AS_DATA | AS_CODE }, /* conforming */
	{ 0x9c, 0x8, AS_CODE },
	{ 0x9a, 0xa, AS_DATA | AS_CODE }, /* 64-bit */
	{ 0x9e, 0xa, AS_DATA | AS_CODE },
	{ 0xfa, 0xc, AS_DATA },
	{ 0xf8, 0x8, 0 },
	{ 0xfe, 0xc, AS_DATA },
	{ 0xfa, 0xa, AS_DATA },
	{ 0xfa, 0xe, AS_DATA }, /* L and D */
	{ 0x12, 0xc, 0 },	/* not present */
	{ 0x72, 0xc, 0 },
	{ 0x7a, 0xc, 0 },
	{ 0x7a, 0xa, 0 },
	{ 0x1e, 0xc, 0 },
	{ 0x82, 0x0, 0 }, /* a local table, an interrupt gate */
	{ 0xe2, 0x0, 0 },
	{ 0xee, 0x0, 0 },
	{ 0x00, 0x0, 0 },
};

#define NR_ENTRIES (sizeof(entries) / sizeof(entries[0]))

unsigned int descriptors_size(void)
{
	return NR_ENTRIES * 8;
}

static bool is_code(unsigned int i)
{
	return (entries[i].rights & (IS_SEGMENT | TYPE_CODE)) == (IS_SEGMENT | TYPE_CODE);
}

static bool is_code64(unsigned int i, enum try_mode mode)
{
	return mode == IN_LONG && entries[i].flags & IS_64BIT;
}

static uint64_t base_of(unsigned int i, enum try_mode mode)
{
	if (!is_code(i))
		return 0x12345678 + i;
	return is_code64(i, mode) ? 0 : segment_base(IN_PROT32, CS);
}

/* QEMU does not mark code as accessed by a far jump, so there it is already. */
static uint64_t rights_of(unsigned int i)
{
	return entries[i].rights | (is_code(i) && host_is_qemu() ? TYPE_ACCESSED : 0);
}

/* QEMU takes code of 64 bits and of 32 bits at the same time for the former. */
static uint64_t flags_of(unsigned int i)
{
	bool both = (entries[i].flags & (IS_64BIT | IS_32BIT)) == (IS_64BIT | IS_32BIT);

	return entries[i].flags & ~(both && host_is_qemu() ? IS_32BIT : 0);
}

/* The table from FIRST_DESCRIPTOR on. */
void descriptors_build(uint64_t *table, enum try_mode mode)
{
	unsigned int i;

	for (i = 0; i < NR_ENTRIES; i++) {
		uint64_t base = base_of(i, mode);

		table[i] = 0xffff | 0xfULL << 48 | (base & 0xffffff) << 16 | (base >> 24) << 56 |
			   rights_of(i) << 40 | flags_of(i) << 52;
	}
}

static bool choose_real(struct instance *in, int seg, uint16_t *selector)
{
	*selector = random_u64();
	if (seg == CS) {
		*selector = (segment_base(IN_REAL, CS) >> 4) - random_below(0x400);
		in->pad = CODE_PAD - ((uint64_t)*selector << 4);
	}
	return true;
}

static bool choose_entry(struct instance *in, int seg, unsigned int i)
{
	if (seg != CS)
		return true;
	in->pad = CODE_PAD - (is_code64(i, in->mode) ? 0 : segment_base(IN_PROT32, CS));
	return in->size > 2 || in->pad <= 0xffff;
}

/* One that loads, or with FAULT_SELECTOR any; for CS with the offset of the pad in it. */
bool descriptor_choose(struct instance *in, int seg, uint16_t *selector)
{
	uint8_t use = seg == CS ? AS_CODE : seg == SS ? AS_STACK : AS_DATA;
	bool any = in->fault == FAULT_SELECTOR;
	unsigned int i = random_below(NR_ENTRIES);
	bool null = random_below(12) == 0;

	if (in->mode == IN_REAL)
		return choose_real(in, seg, selector);
	*selector = FIRST_DESCRIPTOR + 8 * i;
	if (any)
		*selector |= random_below(4);
	if (any && random_below(12) == 0)
		*selector |= 4; /* there is no local table */
	if (any && random_below(12) == 0)
		*selector += 8 * NR_ENTRIES;
	if (null && (any || (seg != CS && (seg != SS || in->mode == IN_LONG)))) {
		/* As SS at CPL 0 another RPL is for AMD no fault, and for Intel one. */
		*selector = (any && in->user) || seg != SS ? random_below(4) : 0;
		return true;
	}
	return choose_entry(in, seg, i) && (any || entries[i].use & use);
}
