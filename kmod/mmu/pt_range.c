// SPDX-License-Identifier: GPL-2.0-only
/*
 * Range operations: each is a loop over the one iterator.
 *
 * Those called "slowly" let others have the lock in between.  They are for ranges that nobody else
 * maps anything in, or where what others map meanwhile is as it shall be.
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
 * owed; pages of tables wait for it.  True: there was one.
 */
bool pt_range_zap(struct mmu_backend *be, gfn_t start, gfn_t end)
{
	bool found = false;
	struct pt_iter it;

	lockdep_assert_held_write(&be->mmu->lock);
	pt_for_each(&it, be, 1, start, end) {
		bool table = hpte_is_table(be->fmt, it.pte, it.level);
		hpte_t old;

		if (!it.pte.v)
			continue;
		if (table &&
		    (pt_iter_base(&it) < start || pt_iter_base(&it) + pt_span(it.level) > end))
			continue;
		old = pt_change(&it, HPTE_NONE);
		found |= hpte_present(be->fmt, old);
		if (table)
			range_dispose(be, hpte_table(be->fmt, old), it.level - 1, pt_page_retire);
	}
	return found;
}

/* The cursor's next entry, after others have had the lock if they wait for it. */
static void range_next_slowly(struct pt_iter *it)
{
	gfn_t next = pt_iter_base(it) + pt_span(it->level);

	if (hpte_is_table(it->be->fmt, it->pte, it->level) && it->level > it->min_level)
		pt_iter_next(it);
	else if (cond_resched_rwlock_write(&it->be->mmu->lock))
		pt_iter_start(it, it->be, it->min_level, next, it->end);
	else
		pt_iter_next(it);
}

/*
 * As pt_range_zap(), a table of @level's at most at a time.  Of what lies deeper only tables that
 * reach beyond the range are visited.
 */
static void range_zap_level(struct mmu_backend *be, int level, gfn_t start, gfn_t end)
{
	struct pt_iter it;

	for (pt_iter_start(&it, be, level, start, end); pt_iter_valid(&it);
	     range_next_slowly(&it)) {
		gfn_t base = pt_iter_base(&it);

		if (it.level == level && it.pte.v && base >= start && base + pt_span(level) <= end)
			pt_range_zap(be, base, base + pt_span(level));
	}
}

/*
 * Takes away every mapping of [start, end), with breaks.  Tables of the last level go first, one at
 * a time; then the rest at both ends; then the tables above, which are empty by now.
 */
void pt_range_zap_slowly(struct mmu_backend *be, gfn_t start, gfn_t end)
{
	int level;

	lockdep_assert_held_write(&be->mmu->lock);
	range_zap_level(be, 2, start, end);
	range_zap_level(be, 1, start, end);
	for (level = 3; level <= be->root_level; level++)
		range_zap_level(be, level, start, end);
}

static void range_protect_entry(struct pt_iter *it)
{
	const struct pte_fmt *fmt = it->be->fmt;

	if (hpte_is_leaf(fmt, it->pte, it->level) && (hpte_access(fmt, it->pte) & ACC_W))
		pt_change(it, hpte_deny_write(fmt, it->pte));
}

/* Takes the permission to write from the frames @start + n for each bit n of @mask. */
void pt_range_protect(struct mmu_backend *be, gfn_t start, unsigned long mask)
{
	struct pt_iter it;

	lockdep_assert_held_write(&be->mmu->lock);
	if (!mask)
		return;
	pt_for_each(&it, be, 1, start + __ffs(mask), start + __fls(mask) + 1)
		if (it.level > 1 || (mask & BIT(it.gfn - start)))
			range_protect_entry(&it);
}

/* Takes the permission to write from all of [start, end), with breaks. */
void pt_range_protect_slowly(struct mmu_backend *be, gfn_t start, gfn_t end)
{
	struct pt_iter it;

	lockdep_assert_held_write(&be->mmu->lock);
	for (pt_iter_start(&it, be, 1, start, end); pt_iter_valid(&it); range_next_slowly(&it))
		range_protect_entry(&it);
}

/* Where the processor does not tell: what it uses after this faults. */
static bool age_by_fault(struct pt_iter *it)
{
	lockdep_assert_held_write(&it->be->mmu->lock);
	pt_change(it, (hpte_t){ it->be->fmt->aged });
	return true;
}

/*
 * Forgets that the processor has used what is mapped of [start, end).  True: it had.  Called with
 * the lock for reading, or for writing where the format has no accessed bits.
 */
bool pt_range_age(struct mmu_backend *be, gfn_t start, gfn_t end)
{
	bool young = false;
	struct pt_iter it;

	pt_for_each(&it, be, 1, start, end) {
		if (!hpte_is_leaf(be->fmt, it.pte, it.level))
			continue;
		young |= be->fmt->accessed ? pt_test_and_clear_accessed(&it) : age_by_fault(&it);
	}
	return young;
}

/* Has the processor used any of [start, end) since that was last forgotten? */
bool pt_range_is_young(struct mmu_backend *be, gfn_t start, gfn_t end)
{
	struct pt_iter it;

	pt_for_each(&it, be, 1, start, end)
		if (hpte_is_leaf(be->fmt, it.pte, it.level) &&
		    (!be->fmt->accessed || hpte_accessed(be->fmt, it.pte)))
			return true;
	return false;
}

/*
 * Takes away the tables in [start, end) in whose place there could be a large leaf: the next faults
 * will map those.  With breaks.
 */
void pt_range_collapse_slowly(struct mmu_backend *be, gfn_t start, gfn_t end, pt_large_fn large,
			      const void *data)
{
	struct pt_iter it;

	lockdep_assert_held_write(&be->mmu->lock);
	for (pt_iter_start(&it, be, 2, start, end); pt_iter_valid(&it); range_next_slowly(&it)) {
		gfn_t base = pt_iter_base(&it);

		if (hpte_is_table(be->fmt, it.pte, it.level) && large(data, it.gfn, it.level))
			pt_range_zap(be, base, base + pt_span(it.level));
	}
}

/* Frees all tables, the root included.  No vCPU is left and no processor holds a translation. */
void pt_range_free_all(struct mmu_backend *be)
{
	range_dispose(be, be->root, be->root_level, pt_page_free);
	be->root = NULL;
}
