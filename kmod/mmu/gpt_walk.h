/* SPDX-License-Identifier: GPL-2.0-only */
/* A walk of the guest's tables, as who shadows them has to know it. */
#ifndef MKVM_MMU_GPT_WALK_H
#define MKVM_MMU_GPT_WALK_H

#include "mmu/mmu.h"

/**
 * struct gpt_walk - what a walk has found, top-down
 * @gpte: the entries by level - 1, as the walk left them
 * @address: and where they are
 * @allowed: ACC_* that all entries down to this one allow together
 * @top: level at which it began
 * @leaf: level of the entry that maps the page
 * @gpa: what the address is
 * @dirty: the last entry says that the page was written
 * @marked: accessed and dirty bits that the walk has set
 */
struct gpt_walk {
	gpte_t gpte[4];
	gpa_t address[4];
	u32 allowed[4];
	int top;
	int leaf;
	gpa_t gpa;
	bool dirty;
	u64 marked;
};

/* In @marked. */
#define GPT_MARKED_ACCESSED BIT_ULL(5)
#define GPT_MARKED_DIRTY    BIT_ULL(6)

/* Error code of a page fault */
#define PF_CODE_PRESENT	 BIT(0)
#define PF_CODE_WRITE	 BIT(1)
#define PF_CODE_USER	 BIT(2)
#define PF_CODE_RESERVED BIT(3)
#define PF_CODE_FETCH	 BIT(4)

/**
 * struct gpt_entry - what one entry says
 * @present: it is, and has no reserved bit set
 * @leaf: it maps a page
 * @access: ACC_* that it allows
 * @accessed: its accessed bit
 * @dirty: its dirty bit
 * @gpa: the page or the table
 */
struct gpt_entry {
	bool present;
	bool leaf;
	u32 access;
	bool accessed;
	bool dirty;
	gpa_t gpa;
};

int gpt_walk(struct memslot_table *slots, const struct gpt_root *root, gva_t gva, u32 access,
	     struct gpt_walk *walk, u32 *error) __must_check;
bool gpt_walk_is_current(struct memslot_table *slots, const struct gpt_root *root,
			 const struct gpt_walk *walk);
void gpt_entry_read(const struct gpt_root *root, gpte_t gpte, int level, struct gpt_entry *entry);

#endif /* MKVM_MMU_GPT_WALK_H */
