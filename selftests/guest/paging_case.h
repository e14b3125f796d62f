/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One access by one set of page table entries: what the enumerator (enumerate.c here, and the test
 * of that name) is made of.  For the guest, in 64 and in 32 bits, and for the test.
 *
 * Cases have numbers.  A section is a range of them in which everything is combined with
 * everything; what is drawn follows from the seed and the number.
 */
#ifndef SELFTESTS_GUEST_PAGING_CASE_H
#define SELFTESTS_GUEST_PAGING_CASE_H

#include <stdbool.h>
#include <stdint.h>

/* The same place in both kinds of code. */
typedef uint64_t u64_at8 __attribute__((aligned(8)));

enum paging_format {
	FORMAT_LONG, /* four levels of 512 entries */
	FORMAT_PAE,  /* two of 512, below four entries that are loaded */
	FORMAT_32,   /* two of 1024, of 32 bits each */
	NR_FORMATS
};

#define MAX_LEVELS 4

/* What a mode is made of. */
#define MODE_WP	  1u /* CR0.WP */
#define MODE_NX	  2u /* EFER.NXE */
#define MODE_SMEP 4u /* CR4 */
#define MODE_SMAP 8u
#define MODE_PKE  16u /* CR4.PKE, in long mode */
#define MODE_PSE  16u /* CR4.PSE, in 32-bit paging */

/* An entry's bits by their names. */
#define FLAG_P	  0x001u
#define FLAG_W	  0x002u
#define FLAG_U	  0x004u
#define FLAG_NX	  0x008u
#define FLAG_RSVD 0x010u /* a bit of the address that no address has */
#define FLAG_PS	  0x020u /* in the last level: of the memory's type */
#define FLAG_A	  0x040u
#define FLAG_D	  0x080u
#define FLAG_G	  0x100u
#define FLAG_LOW  0x200u /* a bit of the address below a large page */
#define FLAG_PAT  0x400u /* bit 12 of a large page */
#define FLAG_AVL  0x800u /* those that nobody looks at */

/* Permits all. */
#define FLAGS_OPEN (FLAG_P | FLAG_W | FLAG_U | FLAG_A)

enum paging_access {
	READ_0,	   /* by a supervisor */
	READ_0_AC, /* with RFLAGS.AC */
	WRITE_0,
	WRITE_0_AC,
	FETCH_0,
	READ_3, /* by a user */
	WRITE_3,
	FETCH_3,
	NR_ACCESSES
};

/*
 * Bits of what is drawn: the page is the other one; nothing is forgotten that need not be; PAE's
 * pointers are loaded anew.
 */
#define DRAW_OTHER 60
#define DRAW_KEEP  61
#define DRAW_LOAD  62

/*
 * struct paging_case - what is set up, and done
 * @mode: MODE_*
 * @access: enum paging_access
 * @flags: of the entries, by level - 1
 * @key: the page's protection key
 * @rights: what the key's register forbids: 1 all, 2 writes
 * @draw: for the choice of bits, and of DRAW_*
 */
struct paging_case {
	uint32_t mode;
	uint32_t access;
	uint32_t flags[MAX_LEVELS];
	uint32_t key;
	uint32_t rights;
	u64_at8 draw;
};

enum paging_section {
	SECTION_LEAF_1, /* all combinations of a leaf's bits, of that level, in all modes */
	SECTION_LEAF_2,
	SECTION_LEAF_3,	    /* of PAE: one of its pointers */
	SECTION_PAIRS,	    /* a bit of a level and a bit of another not as FLAGS_OPEN has it */
	SECTION_KEYS,	    /* protection keys */
	SECTION_PAIRS_FULL, /* all combinations of six bits of a level and six of another */
	SECTION_SAMPLE,	    /* all drawn, as many as wanted */
	NR_SECTIONS
};

#define LEAF_BITS 9 /* of entries of 64 bits */
#define PAIR_BITS 6 /* P, W, U, NX, RSVD, PS */
#define PAIR_ODD  7 /* and G, which is not combined in full */

/* What the processor has, in the guest's eyes. */
struct paging_cpu {
	uint32_t format;
	uint32_t phys_bits;
	uint32_t modes;	 /* MODE_* that it has */
	uint32_t large3; /* pages of 1 GiB */
	uint32_t amd;	 /* it is one of AMD's */
	uint32_t loads;	 /* PAE's pointers are read, and checked, when CR3 is loaded */
	u64_at8 lenient; /* bits of a topmost entry that it should mind as reserved, and does not */
};

/* Those that have permissions. */
static inline uint32_t paging_levels(uint32_t format)
{
	return format == FORMAT_LONG ? 4 : 2;
}

/* The level at which a walk begins. */
static inline int paging_top(uint32_t format)
{
	return format == FORMAT_PAE ? 3 : (int)paging_levels(format);
}

static inline uint32_t paging_nr_pairs(uint32_t format)
{
	return format == FORMAT_LONG ? 6 : 1;
}

/* Modes that are combined with all: those of protection keys have a section. */
static inline uint32_t paging_nr_modes(uint32_t format)
{
	return format == FORMAT_32 ? 32 : 16;
}

/* How many cases there are; 0: no such. */
uint32_t paging_section_size(const struct paging_cpu *cpu, uint32_t section);
void paging_case_make(const struct paging_cpu *cpu, uint32_t section, uint32_t number,
		      uint32_t seed, struct paging_case *c);
u64_at8 paging_entry(const struct paging_cpu *cpu, const struct paging_case *c, int level,
		     uint64_t table, uint64_t page);

static inline bool access_is_user(uint32_t access)
{
	return access >= READ_3;
}

static inline bool access_is_write(uint32_t access)
{
	return access == WRITE_0 || access == WRITE_0_AC || access == WRITE_3;
}

static inline bool access_is_fetch(uint32_t access)
{
	return access == FETCH_0 || access == FETCH_3;
}

static inline bool access_has_ac(uint32_t access)
{
	return access == READ_0_AC || access == WRITE_0_AC;
}

#endif
