// SPDX-License-Identifier: GPL-2.0-only
/*
 * The only place that stores to live host entries.
 *
 * Everything that has to happen with a change happens here and cannot be forgotten: the counts of
 * what is mapped, and the debt of a flush.  A processor may hold a translation of any entry that
 * was present.  A change that takes something away (the entry itself, a permission, the frame)
 * therefore returns a debt (struct mmu_debt), which goes up to the event that it belongs to, to be
 * settled there (mmu_settle()).  A change that only adds owes nothing: what is not present is never
 * cached, and a processor that holds fewer permissions faults once and walks again.
 *
 * A leaf and a table of leaves that map the same frames with the same permissions are the same
 * translation to a processor: a split owes nothing either.  Every flush covers all sizes, so what a
 * processor holds of the large leaf goes with the first flush that one of the pieces owes.
 *
 * A dirty bit that the processor set is not needed for the host: a frame counts as dirty from the
 * moment it is mapped for writing.  A dirty log may live by it: to clear one takes something away,
 * since a processor that holds a dirty translation does not set it again.
 *
 *	old		new		by			owes a flush
 *	none		leaf, table	try, read lock		no
 *	leaf		leaf, same frame,
 *			more allowed	try, read lock		no
 *	leaf		table, the same
 *			or more allowed	try, read lock		no
 *	leaf		leaf, otherwise	write lock		yes
 *	leaf		leaf, not dirty	write lock		yes
 *	leaf, table	none		write lock		yes
 */
#include "mmu/mmu_trace.h"
#include "mmu/pt_change.h"

static bool change_takes_away(const struct pte_fmt *fmt, hpte_t old, hpte_t new, int level)
{
	if (!hpte_present(fmt, old))
		return false;
	if (!hpte_present(fmt, new) || hpte_addr(fmt, old) != hpte_addr(fmt, new))
		return true;
	if (hpte_is_leaf(fmt, old, level) != hpte_is_leaf(fmt, new, level))
		return true;
	if (hpte_dirty(fmt, old) && !hpte_dirty(fmt, new) && hpte_is_leaf(fmt, old, level))
		return true;
	return hpte_access(fmt, old) & ~hpte_access(fmt, new);
}

static void change_account(const struct pt_iter *it, hpte_t old, hpte_t new)
{
	const struct pte_fmt *fmt = it->be->fmt;
	struct mmu_vm *mmu = it->be->mmu;
	int level = it->level;

	atomic_long_add(hpte_is_leaf(fmt, new, level) - hpte_is_leaf(fmt, old, level),
			&mmu->mapped[level]);
	trace_mkvm_pt_change(pt_iter_base(it), level, old.v, new.v,
			     it->be == mmu->backend[MMU_SHADOW]);
}

/* Replaces it->pte by @new, unless another vCPU was first: it->pte is what that one made of it. */
static bool change_try(struct pt_iter *it, hpte_t new)
{
	u64 old = it->pte.v;

	if (!try_cmpxchg64(&it->ptep->v, &old, new.v)) {
		it->pte.v = old;
		return false;
	}
	change_account(it, it->pte, new);
	it->pte = new;
	return true;
}

/*
 * Under the lock, read or write: replaces it->pte by @new, unless another vCPU was first.  For
 * changes that only add; one that would take something away is left undone, as others may be
 * walking.
 */
bool pt_try_change(struct pt_iter *it, hpte_t new)
{
	lockdep_assert_held(&it->be->mmu->lock);
	if (change_takes_away(it->be->fmt, it->pte, new, it->level))
		return false;
	return change_try(it, new);
}

/*
 * As pt_try_change(): replaces the large leaf it->pte by @table, a page that is not linked yet,
 * with leaves of the next level that map the same, allow that and @more, and are dirty if it is: a
 * processor may hold it as a dirty translation, and the flush that makes it set dirty bits again is
 * owed by who clears one.
 */
bool pt_try_split(struct pt_iter *it, hpte_t *table, u32 more)
{
	const struct pte_fmt *fmt = it->be->fmt;
	struct mmu_vm *mmu = it->be->mmu;
	int level = it->level;
	unsigned int i;

	lockdep_assert_held(&mmu->lock);
	for (i = 0; i < PT_ENTRIES; i++)
		table[i] = hpte_split(fmt, it->pte, level, i, hpte_access(fmt, it->pte) | more);
	if (!change_try(it, hpte_make_table(fmt, virt_to_phys(table))))
		return false;
	atomic_long_add(PT_ENTRIES, &mmu->mapped[level - 1]);
	return true;
}

/*
 * Under the lock, read or write: clears the accessed bit of a leaf.  True: it was set.  A processor
 * that holds the translation sets it again only after a flush, which is the caller's to owe if he
 * wants to know.  If the leaf has been split meanwhile it->pte is a table.
 */
bool pt_test_and_clear_accessed(struct pt_iter *it)
{
	const struct pte_fmt *fmt = it->be->fmt;

	lockdep_assert_held(&it->be->mmu->lock);
	while (hpte_is_leaf(fmt, it->pte, it->level) && hpte_accessed(fmt, it->pte)) {
		u64 old = it->pte.v;

		if (try_cmpxchg64(&it->ptep->v, &old, old & ~fmt->accessed)) {
			it->pte.v &= ~fmt->accessed;
			return true;
		}
		it->pte.v = old;
	}
	return false;
}

/* Under the write lock: stores @new.  @old is what was there, with the processor's own bits. */
struct mmu_debt pt_change(struct pt_iter *it, hpte_t new, hpte_t *old)
{
	lockdep_assert_held_write(&it->be->mmu->lock);
	old->v = xchg(&it->ptep->v, new.v);
	change_account(it, *old, new);
	it->pte = new;
	if (change_takes_away(it->be->fmt, *old, new, it->level))
		return mmu_debt_raise(it->be->mmu);
	return (struct mmu_debt){};
}

/*
 * Under the write lock: as pt_change() to nothing, of an entry whose table is no longer reachable,
 * but that a processor may still be walking.  The flush is owed already.
 */
hpte_t pt_take(struct mmu_backend *be, hpte_t *ptep)
{
	lockdep_assert_held_write(&be->mmu->lock);
	return (hpte_t){ xchg(&ptep->v, HPTE_NONE.v) };
}

/* The table that held @pte is no longer reachable: it maps nothing any more. */
void pt_forget(struct mmu_backend *be, hpte_t pte, int level)
{
	if (hpte_is_leaf(be->fmt, pte, level))
		atomic_long_dec(&be->mmu->mapped[level]);
}
