// SPDX-License-Identifier: GPL-2.0-only
/*
 * The MMU's door: the life of a VM's tables, and the host's changes of what they map.
 *
 * Events from outside stand here and in mmu_slot.c once and reach each live backend.
 *
 * Owed flushes.  A change that takes a translation away raises flush_owed and returns the debt
 * (pt_change.c).  Every event ends with mmu_settle(), also when it found nothing to change itself:
 * the change that it would have made may be another thread's, whose flush is still under way.
 */
#include <linux/interval_tree.h>
#include "mmu/backend.h"
#include "mmu/mmu.h"
#include "mmu/pt_page.h"

void mmu_vm_init(struct mmu_vm *mmu, struct memslot_table *slots, const struct mmu_up *up,
		 const struct mmu_caps *caps)
{
	rwlock_init(&mmu->lock);
	mmu->slots = slots;
	mmu->up = up;
	mmu->caps = *caps;
	mmu->around = 1;
	mmu->log_mode = mmu_log_best(caps);
	INIT_LIST_HEAD(&mmu->retired);
}

/*
 * Gives the VM a backend of @kind.  May sleep; the VM is not yet visible to others.  0, -EOPNOTSUPP
 * (neither the processor nor this version has it), -ENOMEM.
 */
int mmu_vm_enable(struct mmu_vm *mmu, enum mmu_kind kind)
{
	struct mmu_backend *be;

	be = kind == MMU_TDP ? tdp_create(mmu) : shadow_create(mmu);
	if (IS_ERR(be))
		return PTR_ERR(be);
	mmu->backend[kind] = be;
	return 0;
}

/* Does the processor keep accessed and dirty bits in the VM's second table? */
bool mmu_has_accessed_bits(const struct mmu_vm *mmu)
{
	return mmu->caps.fmt && mmu->caps.fmt->accessed;
}

/* The first guest frame that cannot be: a slot ends there at the latest. */
gfn_t mmu_end_gfn(const struct mmu_vm *mmu)
{
	gfn_t end = 1ull << (mmu->caps.phys_bits - PAGE_SHIFT);
	int i;

	for (i = 0; i < MMU_NR_KINDS; i++)
		if (mmu->backend[i])
			end = min(end, mmu->backend[i]->end_gfn);
	return end;
}

/* What tables take now, those included that wait for a flush. */
size_t mmu_table_bytes(const struct mmu_vm *mmu)
{
	return atomic_long_read(&mmu->table_pages) * PAGE_SIZE;
}

/* What else the MMU takes for the VM, but for its slots. */
size_t mmu_metadata_bytes(const struct mmu_vm *mmu)
{
	size_t bytes = sizeof(*mmu);
	int i;

	for (i = 0; i < MMU_NR_KINDS; i++)
		if (mmu->backend[i])
			bytes += mmu->backend[i]->ops->bytes(mmu->backend[i]);
	return bytes;
}

/*
 * What the MMU takes for a vCPU: table pages in reserve, no more than its next fault may need; and
 * the page in which its processor lists what it writes, where that can.  Any thread.
 */
size_t mmu_vcpu_bytes(const struct mmu_vcpu *mv)
{
	return (READ_ONCE(mv->cache.nr) + mv->vm->caps.pml) * PAGE_SIZE;
}

/* All vCPUs are gone and the notifier is silent; each CPU flushes before it runs another guest. */
void mmu_vm_destroy(struct mmu_vm *mmu)
{
	int i;

	for (i = 0; i < MMU_NR_KINDS; i++)
		if (mmu->backend[i])
			mmu->backend[i]->ops->destroy(mmu->backend[i]);
	pt_page_free_list(mmu, &mmu->retired);

	/* What was counted in must have been counted out: a leak or a double free otherwise. */
	WARN_ON_ONCE(atomic_long_read(&mmu->table_pages));
	for (i = 0; i <= MMU_MAX_LEVEL; i++)
		WARN_ON_ONCE(atomic_long_read(&mmu->mapped[i]));
}

void mmu_vcpu_init(struct mmu_vcpu *mv, struct mmu_vm *mmu, enum mmu_kind kind)
{
	mv->vm = mmu;
	mv->kind = kind;
	INIT_LIST_HEAD(&mv->cache.pages);
	INIT_LIST_HEAD(&mv->spares);
	mv->opened = GPA_NONE;
}

/*
 * The vCPU, which is outside the guest, runs on its VM's tables of @kind from now on.  It may have
 * cached what those said when it was last there: see mmu_vcpu.flush.  On shadow tables it has no
 * roots before mmu_load_root().
 */
void mmu_vcpu_use(struct mmu_vcpu *mv, enum mmu_kind kind)
{
	if (mv->kind == kind)
		return;
	if (mv->kind == MMU_SHADOW)
		shadow_vcpu_leave(mv);
	mv->kind = kind;
	mv->flush = true;
}

void mmu_vcpu_destroy(struct mmu_vcpu *mv)
{
	if (mv->vm->backend[MMU_SHADOW])
		shadow_vcpu_destroy(mv);
	pt_cache_drain(&mv->cache);
}

hpa_t mmu_root(const struct mmu_vcpu *mv)
{
	if (mv->kind == MMU_SHADOW)
		return shadow_root(mv);
	return virt_to_phys(mmu_backend_of(mv)->root);
}

int mmu_root_level(const struct mmu_vcpu *mv)
{
	if (mv->kind == MMU_SHADOW)
		return shadow_root_level(mv);
	return mmu_backend_of(mv)->root_level;
}

/*
 * Completes every flush that is owed, @debt of this event and others', and frees the table pages
 * that waited for it.  Called without the lock, so that faults go on while processors are
 * interrupted.
 */
void mmu_settle(struct mmu_vm *mmu, struct mmu_debt debt)
{
	s64 owed, done;
	LIST_HEAD(pages);

	/* A page on the list was unlinked by a change that @owed, read after, includes. */
	write_lock(&mmu->lock);
	list_splice_init(&mmu->retired, &pages);
	owed = atomic64_read(&mmu->flush_owed);
	write_unlock(&mmu->lock);
	WARN_ON_ONCE(owed < debt.change);

	done = atomic64_read(&mmu->flush_done);
	if (done < owed) {
		mmu->up->flush_tlb(mmu);
		while (done < owed && !atomic64_try_cmpxchg(&mmu->flush_done, &done, owed))
			;
	}
	pt_page_free_list(mmu, &pages);
}

/*
 * For a vendor whose vCPUs share what a processor has cached: does this processor have to drop that
 * before it enters the guest?  Not if it has since the last change: a change has its number when it
 * has been made.  @seen is the processor's for this VM: one more than the number when it last
 * dropped all, 0 if it never has; if true, the caller does so now.  Preemption off.
 */
bool mmu_flush_is_due(struct mmu_vm *mmu, s64 *seen)
{
	s64 owed = atomic64_read(&mmu->flush_owed);

	if (*seen > owed)
		return false;
	*seen = owed + 1;
	return true;
}

/* A range operation sets *@found if it has found something. */
typedef struct mmu_debt (*range_fn)(struct mmu_backend *be, const struct memslot *slot, gfn_t start,
				    gfn_t end, bool *found);

static struct mmu_debt range_zap(struct mmu_backend *be, const struct memslot *slot, gfn_t start,
				 gfn_t end, bool *found)
{
	return be->ops->zap(be, slot, start, end, found);
}

static struct mmu_debt range_age(struct mmu_backend *be, const struct memslot *slot, gfn_t start,
				 gfn_t end, bool *found)
{
	return be->ops->age(be, slot, start, end, found);
}

static struct mmu_debt range_is_young(struct mmu_backend *be, const struct memslot *slot,
				      gfn_t start, gfn_t end, bool *found)
{
	return be->ops->is_young(be, slot, start, end, found);
}

/* Does @fn with every backend and all guest frames that are host addresses [start, end). */
static struct mmu_debt __must_check each_range(struct mmu_vm *mmu, hva_t start, hva_t end,
					       range_fn fn, bool *found)
{
	struct interval_tree_node *node;
	struct mmu_debt debt = {};
	int i;

	lockdep_assert_held(&mmu->lock);
	for (node = interval_tree_iter_first(&mmu->slots->hva_tree, start, end - 1); node;
	     node = interval_tree_iter_next(node, start, end - 1)) {
		struct memslot *slot = container_of(node, struct memslot, hva_node);
		hva_t from = max(start, slot->hva);
		hva_t to = min(end, (hva_t)(node->last + 1));
		gfn_t first = slot->base_gfn + ((from - slot->hva) >> PAGE_SHIFT);
		gfn_t last = slot->base_gfn + ((to - 1 - slot->hva) >> PAGE_SHIFT);

		for (i = 0; i < MMU_NR_KINDS; i++)
			if (mmu->backend[i])
				mmu_debt_add(&debt,
					     fn(mmu->backend[i], slot, first, last + 1, found));
	}
	return debt;
}

static void count_event(struct mmu_vm *mmu, enum mmu_host_event event)
{
	atomic_long_inc(&mmu->host_events[event]);
}

/* Where the part of [@start, @end) ends that is done without a break: a table of the last level. */
static hva_t part_end(hva_t start, hva_t end)
{
	return min(end, (start | ((pt_span(2) << PAGE_SHIFT) - 1)) + 1);
}

/*
 * Takes away what is mapped of [start, end), a part at a time, and gives the lock to who waits for
 * it in between.  Where nothing is mapped any more nothing comes back: the invalidation is active.
 * The slots may be others after a break, so the place is kept as an address.
 */
static struct mmu_debt __must_check zap_slowly(struct mmu_vm *mmu, hva_t start, hva_t end,
					       bool *found)
{
	struct interval_tree_node *node;
	struct mmu_debt debt = {};
	hva_t part;

	lockdep_assert_held_write(&mmu->lock);
	for (; start < end; start = part) {
		node = interval_tree_iter_first(&mmu->slots->hva_tree, start, end - 1);
		if (!node)
			break;
		start = max_t(hva_t, start, node->start);
		part = part_end(start, end);
		mmu_debt_add(&debt, each_range(mmu, start, part, range_zap, found));
		if (part < end)
			cond_resched_rwlock_write(&mmu->lock);
	}
	return debt;
}

/*
 * The host is about to change what is behind [start, end): takes the mappings away and keeps new
 * ones out until mmu_invalidate_end().  Sleeps only if it @may_sleep.
 */
void mmu_invalidate_begin(struct mmu_vm *mmu, hva_t start, hva_t end, bool may_sleep)
{
	struct mmu_debt debt;
	bool found = false;

	write_lock(&mmu->lock);
	if (!mmu->invalidate_active++) {
		mmu->invalidate_start = start;
		mmu->invalidate_end = end;
	} else {
		mmu->invalidate_start = min(mmu->invalidate_start, start);
		mmu->invalidate_end = max(mmu->invalidate_end, end);
	}
	count_event(mmu, MMU_HOST_INVALIDATE);
	debt = may_sleep ? zap_slowly(mmu, start, end, &found)
			 : each_range(mmu, start, end, range_zap, &found);
	if (found)
		count_event(mmu, MMU_HOST_INVALIDATE_HIT);
	write_unlock(&mmu->lock);
	mmu_settle(mmu, debt);
}

void mmu_invalidate_end(struct mmu_vm *mmu)
{
	write_lock(&mmu->lock);
	/* A fault that reads the new sequence shall get its frame from the host's changed table. */
	smp_wmb();
	WRITE_ONCE(mmu->invalidate_seq, mmu->invalidate_seq + 1);
	WARN_ON_ONCE(!mmu->invalidate_active);
	mmu->invalidate_active--;
	write_unlock(&mmu->lock);
}

/* Do all backends keep accessed bits? */
static bool tells_accessed(const struct mmu_vm *mmu)
{
	int i;

	for (i = 0; i < MMU_NR_KINDS; i++)
		if (mmu->backend[i] && !mmu->backend[i]->fmt->accessed)
			return false;
	return true;
}

/*
 * Has the guest used what is behind [start, end)?  Forgets it, so that the next question is about
 * the time from now on; with @flush exactly, else but for what processors have cached.  Does not
 * sleep.
 */
bool mmu_age(struct mmu_vm *mmu, hva_t start, hva_t end, bool flush)
{
	struct mmu_debt debt;
	bool young = false;

	count_event(mmu, flush ? MMU_HOST_AGE_FLUSH : MMU_HOST_AGE);
	if (tells_accessed(mmu)) {
		read_lock(&mmu->lock);
		debt = each_range(mmu, start, end, range_age, &young);
		if (young && flush)
			mmu_debt_add(&debt, mmu_debt_raise(mmu));
		read_unlock(&mmu->lock);
		if (!young || !flush)
			return young;
	} else {
		write_lock(&mmu->lock);
		debt = each_range(mmu, start, end, range_age, &young);
		/* One of the backends may keep them, and owe nothing for what it has cleared. */
		if (young && flush)
			mmu_debt_add(&debt, mmu_debt_raise(mmu));
		write_unlock(&mmu->lock);
	}
	mmu_settle(mmu, debt);
	return young;
}

/* Has the guest used the page at @hva since that was last forgotten?  Does not sleep. */
bool mmu_is_young(struct mmu_vm *mmu, hva_t hva)
{
	struct mmu_debt none;
	bool young = false;

	count_event(mmu, MMU_HOST_TEST_YOUNG);
	read_lock(&mmu->lock);
	none = each_range(mmu, hva, hva + 1, range_is_young, &young);
	read_unlock(&mmu->lock);
	WARN_ON_ONCE(none.change);
	return young;
}
