// SPDX-License-Identifier: GPL-2.0-only
/*
 * The only place that stores to live host entries.
 *
 * Everything that has to happen with a change happens here and cannot be forgotten: the counts of
 * what is mapped, and the debt of a flush.  A processor may hold a translation of any entry that
 * was present.  A change that takes something away (the entry itself, a permission, the frame)
 * therefore raises mmu->flush_owed, and whoever made it, or the next event from outside, settles
 * that debt (mmu_settle()).  A change that only adds owes nothing: what is not present is never
 * cached, and a processor that holds fewer permissions faults once and walks again.
 *
 * Accessed and dirty bits that the processor set are not carried over: a frame counts as dirty from
 * the moment it is mapped for writing, so nothing is lost with them.
 *
 *	old		new		by			owes a flush
 *	none		leaf, table	try, read lock		no
 *	leaf		leaf, same frame,
 *			more allowed	try, read lock		no
 *	leaf		leaf, otherwise	write lock		yes
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
	return hpte_access(fmt, old) & ~hpte_access(fmt, new);
}

static void change_account(const struct pt_iter *it, hpte_t old, hpte_t new)
{
	const struct pte_fmt *fmt = it->be->fmt;
	struct mmu_vm *mmu = it->be->mmu;
	int level = it->level;

	atomic_long_add(hpte_is_leaf(fmt, new, level) - hpte_is_leaf(fmt, old, level),
			&mmu->mapped[level]);
	if (change_takes_away(fmt, old, new, level))
		atomic64_inc(&mmu->flush_owed);
	trace_mkvm_pt_change(pt_iter_base(it), level, old.v, new.v);
}

/*
 * Under the read lock: replaces it->pte by @new, unless another vCPU was first.  For changes that
 * only add; one that would take something away is left undone, as others may be walking.
 */
bool pt_try_change(struct pt_iter *it, hpte_t new)
{
	u64 old = it->pte.v;

	lockdep_assert_held_read(&it->be->mmu->lock);
	if (change_takes_away(it->be->fmt, it->pte, new, it->level))
		return false;
	if (!try_cmpxchg64(&it->ptep->v, &old, new.v)) {
		it->pte.v = old;
		return false;
	}
	change_account(it, it->pte, new);
	it->pte = new;
	return true;
}

/* Under the write lock: stores @new; returns what was there, with the processor's own bits. */
hpte_t pt_change(struct pt_iter *it, hpte_t new)
{
	hpte_t old;

	lockdep_assert_held_write(&it->be->mmu->lock);
	old.v = xchg(&it->ptep->v, new.v);
	change_account(it, old, new);
	it->pte = new;
	return old;
}

/* The table that held @pte is no longer reachable: it maps nothing any more. */
void pt_forget(struct mmu_backend *be, hpte_t pte, int level)
{
	if (hpte_is_leaf(be->fmt, pte, level))
		atomic_long_dec(&be->mmu->mapped[level]);
}
