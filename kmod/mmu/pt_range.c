// SPDX-License-Identifier: GPL-2.0-only
/*
 * Range operations: each is a loop over the one iterator.
 */
#include "mmu/pt_change.h"
#include "mmu/pt_page.h"
#include "mmu/pt_range.h"

/* What to do with the pages of a tree that nothing names any more. */
typedef void (*page_fn)(struct mmu_vm *mmu, hpte_t *table);

/* Forgets all that the tree under @table (of @level) maps; hands its pages to @fn, leaves first. */
static void range_dispose(struct mmu_backend *be, hpte_t *table, int level, page_fn fn)
{
	unsigned int i;

	for (i = 0; i < PT_ENTRIES; i++) {
		hpte_t pte = { READ_ONCE(table[i].v) };

		if (hpte_is_table(be->fmt, pte, level))
			range_dispose(be, hpte_table(be->fmt, pte), level - 1, fn);
		else
			pt_forget(be, pte, level);
	}
	fn(be->mmu, table);
}

/*
 * Takes away every mapping of [start, end), whole tables where the range covers them.  The flush is
 * owed; pages of tables wait for it.
 */
void pt_range_zap(struct mmu_backend *be, gfn_t start, gfn_t end)
{
	struct pt_iter it;

	lockdep_assert_held_write(&be->mmu->lock);
	pt_for_each(&it, be, 1, start, end) {
		bool table = hpte_is_table(be->fmt, it.pte, it.level);
		hpte_t old;

		if (!hpte_present(be->fmt, it.pte))
			continue;
		if (table &&
		    (pt_iter_base(&it) < start || pt_iter_base(&it) + pt_span(it.level) > end))
			continue;
		old = pt_change(&it, HPTE_NONE);
		if (table)
			range_dispose(be, hpte_table(be->fmt, old), it.level - 1, pt_page_retire);
	}
}

/* Frees all tables, the root included.  No vCPU is left and no processor holds a translation. */
void pt_range_free_all(struct mmu_backend *be)
{
	range_dispose(be, be->root, be->root_level, pt_page_free);
	be->root = NULL;
}
