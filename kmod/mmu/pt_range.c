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

/*
 * Under the lock, read or write: splits the large leaf under the cursor with a page of @cache,
 * unless another vCPU was first: false.  The pieces allow what it does and @more.
 */
bool pt_split(struct pt_iter *it, struct pt_cache *cache, u32 more)
{
	hpte_t *table = pt_cache_get(cache);

	lockdep_assert_held(&it->be->mmu->lock);
	if (pt_try_split(it, table, more)) {
		pt_page_linked(it->be->mmu);
		return true;
	}
	clear_page(table);
	pt_cache_put(cache, table);
	return false;
}

/* What to do with the pages of a tree that nothing names any more. */
typedef void (*page_fn)(struct mmu_vm *mmu, hpte_t *table);

/**
 * struct range_disposal - what becomes of a tree that nothing names any more
 * @fn: of its pages
 * @log: the slot in whose log writes go that only dirty bits tell of; NULL: there are none
 */
struct range_disposal {
	page_fn fn;
	const struct memslot *log;
};

/* A small leaf has been taken away: what the processor has told of it goes into the log. */
static void range_drain(const struct mmu_backend *be, const struct memslot *log, gfn_t gfn,
			hpte_t old)
{
	if (log && hpte_dirty(be->fmt, old))
		memslot_mark_dirty(log, gfn);
}

/*
 * Forgets all that the tree under @table (of @level, from @gfn on) maps; disposes of its pages,
 * leaves first.  Until the flush a processor may walk them and set dirty bits there: if a log has
 * to know of those the entries go first, so that it finds none and faults.
 */
static void range_dispose(struct mmu_backend *be, hpte_t *table, int level, gfn_t gfn,
			  const struct range_disposal *disposal)
{
	unsigned int i;

	for (i = 0; i < PT_ENTRIES; i++, gfn += pt_span(level)) {
		hpte_t pte = { READ_ONCE(table[i].v) };

		if (hpte_is_table(be->fmt, pte, level)) {
			range_dispose(be, hpte_table(be->fmt, pte), level - 1, gfn, disposal);
			continue;
		}
		pt_forget(be, pte, level);
		if (disposal->log && level == 1 && pte.v)
			range_drain(be, disposal->log, gfn, pt_take(be, &table[i]));
	}
	disposal->fn(be->mmu, table);
}

/*
 * Takes away every mapping of [start, end), frames of @slot, whole tables where the range covers
 * them, and pages of tables wait for the flush.  Sets *@found if there was one.
 */
struct mmu_debt pt_range_zap(struct mmu_backend *be, const struct memslot *slot, gfn_t start,
			     gfn_t end, bool *found)
{
	const struct range_disposal disposal = {
		.fn = pt_page_retire,
		.log = memslot_logged(slot) && mmu_logs_by_bits(be->mmu) ? slot : NULL,
	};
	struct mmu_debt debt = {};
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
		mmu_debt_add(&debt, pt_change(&it, HPTE_NONE, &old));
		*found |= hpte_present(be->fmt, old);
		if (table)
			range_dispose(be, hpte_table(be->fmt, old), it.level - 1, pt_iter_base(&it),
				      &disposal);
		else if (it.level == 1)
			range_drain(be, disposal.log, it.gfn, old);
	}
	return debt;
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
static struct mmu_debt __must_check range_zap_level(struct mmu_backend *be,
						    const struct memslot *slot, int level,
						    gfn_t start, gfn_t end)
{
	struct mmu_debt debt = {};
	struct pt_iter it;
	bool found = false;

	for (pt_iter_start(&it, be, level, start, end); pt_iter_valid(&it);
	     range_next_slowly(&it)) {
		gfn_t base = pt_iter_base(&it);

		if (it.level == level && it.pte.v && base >= start && base + pt_span(level) <= end)
			mmu_debt_add(&debt,
				     pt_range_zap(be, slot, base, base + pt_span(level), &found));
	}
	return debt;
}

/*
 * Takes away every mapping of @slot, with breaks.  Tables of the last level go first, one at a
 * time; then the rest at both ends; then the tables above, which are empty by now.
 */
struct mmu_debt pt_range_zap_slowly(struct mmu_backend *be, const struct memslot *slot)
{
	gfn_t start = slot->base_gfn, end = start + slot->npages;
	struct mmu_debt debt;
	int level;

	lockdep_assert_held_write(&be->mmu->lock);
	debt = range_zap_level(be, slot, 2, start, end);
	mmu_debt_add(&debt, range_zap_level(be, slot, 1, start, end));
	for (level = 3; level <= be->root_level; level++)
		mmu_debt_add(&debt, range_zap_level(be, slot, level, start, end));
	return debt;
}

/*
 * Makes the next write by the entry be seen: by a dirty bit where those tell and it maps one frame;
 * else by a fault.  A large leaf's dirty bit, which tells not which frame, goes with the right.
 */
static struct mmu_debt __must_check range_watch_entry(struct pt_iter *it)
{
	const struct pte_fmt *fmt = it->be->fmt;
	bool bits = mmu_logs_by_bits(it->be->mmu);
	hpte_t old, new = it->pte;

	if (!hpte_is_leaf(fmt, it->pte, it->level))
		return (struct mmu_debt){};
	if (bits)
		new = hpte_clean(fmt, new);
	if (!bits || it->level > 1)
		new = hpte_deny_write(fmt, new);
	return new.v == it->pte.v ? (struct mmu_debt){} : pt_change(it, new, &old);
}

/* Makes the next write be seen to each frame @start + n of which bit n of @mask is set. */
struct mmu_debt pt_range_watch(struct mmu_backend *be, gfn_t start, unsigned long mask)
{
	struct mmu_debt debt = {};
	struct pt_iter it;

	lockdep_assert_held_write(&be->mmu->lock);
	if (!mask)
		return debt;
	pt_for_each(&it, be, 1, start + __ffs(mask), start + __fls(mask) + 1)
		if (it.level > 1 || (mask & BIT(it.gfn - start)))
			mmu_debt_add(&debt, range_watch_entry(&it));
	return debt;
}

/* Makes the next write be seen to each frame of [start, end), with breaks. */
struct mmu_debt pt_range_watch_slowly(struct mmu_backend *be, gfn_t start, gfn_t end)
{
	struct mmu_debt debt = {};
	struct pt_iter it;

	lockdep_assert_held_write(&be->mmu->lock);
	for (pt_iter_start(&it, be, 1, start, end); pt_iter_valid(&it); range_next_slowly(&it))
		mmu_debt_add(&debt, range_watch_entry(&it));
	return debt;
}

/*
 * Puts into the log of @slot which of [start, end) have been written by what dirty bits tell, and
 * leaves those set.  With breaks.
 */
void pt_range_collect_slowly(struct mmu_backend *be, const struct memslot *slot, gfn_t start,
			     gfn_t end)
{
	struct pt_iter it;

	lockdep_assert_held_write(&be->mmu->lock);
	for (pt_iter_start(&it, be, 1, start, end); pt_iter_valid(&it); range_next_slowly(&it))
		if (it.level == 1)
			range_drain(be, slot, it.gfn, it.pte);
}

/*
 * Splits the large leaves of [start, end) that allow writing, as long as there are pages in @cache.
 * Returns where it stopped.  With breaks: no large leaf comes meanwhile where a log is on.
 */
gfn_t pt_range_split_slowly(struct mmu_backend *be, struct pt_cache *cache, gfn_t start, gfn_t end)
{
	struct pt_iter it;

	lockdep_assert_held_write(&be->mmu->lock);
	for (pt_iter_start(&it, be, 2, start, end); pt_iter_valid(&it); range_next_slowly(&it)) {
		while (hpte_is_leaf(be->fmt, it.pte, it.level) &&
		       (hpte_access(be->fmt, it.pte) & ACC_W)) {
			if (!cache->nr)
				return it.gfn;
			pt_split(&it, cache, 0);
		}
	}
	return end;
}

/* Where the processor does not tell: what it uses after this faults. */
static struct mmu_debt __must_check age_by_fault(struct pt_iter *it, bool *young)
{
	hpte_t old;

	lockdep_assert_held_write(&it->be->mmu->lock);
	*young = true;
	return pt_change(it, (hpte_t){ it->be->fmt->aged }, &old);
}

/*
 * Forgets that the processor has used what is mapped of [start, end); sets *@young if it had.
 * Called with the lock for reading, or for writing where the format has no accessed bits.  For one
 * that has, a flush is for the caller to owe (see pt_test_and_clear_accessed()).
 */
struct mmu_debt pt_range_age(struct mmu_backend *be, const struct memslot *slot, gfn_t start,
			     gfn_t end, bool *young)
{
	struct mmu_debt debt = {};
	struct pt_iter it;

	pt_for_each(&it, be, 1, start, end) {
		if (!hpte_is_leaf(be->fmt, it.pte, it.level))
			continue;
		if (be->fmt->accessed)
			*young |= pt_test_and_clear_accessed(&it);
		else
			mmu_debt_add(&debt, age_by_fault(&it, young));
	}
	return debt;
}

/* Sets *@young if the processor has used any of [start, end) since that was last forgotten. */
struct mmu_debt pt_range_is_young(struct mmu_backend *be, const struct memslot *slot, gfn_t start,
				  gfn_t end, bool *young)
{
	struct pt_iter it;

	pt_for_each(&it, be, 1, start, end)
		if (hpte_is_leaf(be->fmt, it.pte, it.level) &&
		    (!be->fmt->accessed || hpte_accessed(be->fmt, it.pte)))
			*young = true;
	return (struct mmu_debt){};
}

/*
 * Takes away the tables of @slot in whose place there could be a large leaf: the next faults will
 * map those.  With breaks.
 */
struct mmu_debt pt_range_collapse_slowly(struct mmu_backend *be, const struct memslot *slot,
					 mmu_large_fn large, const void *data)
{
	gfn_t start = slot->base_gfn, end = start + slot->npages;
	struct mmu_debt debt = {};
	struct pt_iter it;
	bool found = false;

	lockdep_assert_held_write(&be->mmu->lock);
	for (pt_iter_start(&it, be, 2, start, end); pt_iter_valid(&it); range_next_slowly(&it)) {
		gfn_t base = pt_iter_base(&it);

		if (hpte_is_table(be->fmt, it.pte, it.level) && large(data, it.gfn, it.level))
			mmu_debt_add(&debt, pt_range_zap(be, slot, base, base + pt_span(it.level),
							 &found));
	}
	return debt;
}

/* Frees all tables, the root included.  No vCPU is left and no processor holds a translation. */
void pt_range_free_all(struct mmu_backend *be)
{
	const struct range_disposal disposal = { .fn = pt_page_free };

	range_dispose(be, be->root, be->root_level, 0, &disposal);
	be->root = NULL;
}
