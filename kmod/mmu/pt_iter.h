/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The one way through host tables: a cursor that visits the entries over a range of guest frames,
 * an entry before what is below it, and knows no format but what struct pte_fmt tells.
 *
 *	struct pt_iter it;
 *
 *	pt_for_each(&it, be, 1, start, end)
 *		if (hpte_is_leaf(be->fmt, it.pte, it.level))
 *			...
 *
 * The entry is read again when the cursor moves on, so the body may change it: a table that it
 * linked is entered, one that it took away is not.
 */
#ifndef MKVM_MMU_PT_ITER_H
#define MKVM_MMU_PT_ITER_H

#include "mmu/backend.h"

/**
 * struct pt_iter - where the cursor stands
 * @be: whose tables
 * @gfn: first frame of the range that the current entry covers
 * @end: exclusive end of the range
 * @level: level of the current entry
 * @min_level: do not go below it
 * @ptep: the current entry
 * @pte: its value when the cursor came to it
 * @table: the table of each level on the way down
 */
struct pt_iter {
	const struct mmu_backend *be;
	gfn_t gfn;
	gfn_t end;
	int level;
	int min_level;
	hpte_t *ptep;
	hpte_t pte;
	hpte_t *table[MMU_MAX_LEVEL + 1];
};

void pt_iter_start(struct pt_iter *it, const struct mmu_backend *be, int min_level, gfn_t start,
		   gfn_t end);
bool pt_iter_enter(struct pt_iter *it) __must_check;
void pt_iter_next(struct pt_iter *it);

static inline bool pt_iter_valid(const struct pt_iter *it)
{
	return it->gfn < it->end;
}

/* The first frame that the current entry spans, which may lie before the range. */
static inline gfn_t pt_iter_base(const struct pt_iter *it)
{
	return it->gfn & ~(pt_span(it->level) - 1);
}

#define pt_for_each(it, be, min_level, start, end) \
	for (pt_iter_start(it, be, min_level, start, end); pt_iter_valid(it); pt_iter_next(it))

#endif /* MKVM_MMU_PT_ITER_H */
