// SPDX-License-Identifier: GPL-2.0-only
/*
 * The MMU's door.
 *
 * The fault sequence stands here once, for every backend: note the notifier's sequence; find the
 * slot; get the frame, which may sleep; take the lock; is the frame stale?  then once more; let the
 * backend map it.  Events from outside stand here once too and reach each live backend.
 *
 * Owed flushes.  A change that takes a translation away raises flush_owed (pt_change.c).  Every
 * event ends with mmu_settle(), also when it found nothing to change itself: the change that it
 * would have made may be another thread's, whose flush is still under way.
 */
#include <linux/interval_tree.h>
#include <linux/sched/signal.h>
#include "mmu/backend.h"
#include "mmu/frame.h"
#include "mmu/mmu.h"
#include "mmu/pt_page.h"
#include "mmu/pt_range.h"

#define CREATE_TRACE_POINTS
#include "mmu/mmu_trace.h"

void mmu_vm_init(struct mmu_vm *mmu, struct memslot_table *slots, const struct mmu_up *up,
		 const struct mmu_caps *caps)
{
	rwlock_init(&mmu->lock);
	mmu->slots = slots;
	mmu->up = up;
	mmu->caps = *caps;
	INIT_LIST_HEAD(&mmu->retired);
}

/*
 * Gives the VM a backend of @kind.  May sleep; the VM is not yet visible to others.  0, -EOPNOTSUPP
 * (neither the processor nor this version has it), -ENOMEM.
 */
int mmu_vm_enable(struct mmu_vm *mmu, enum mmu_kind kind)
{
	struct mmu_backend *be;

	if (kind != MMU_TDP)
		return -EOPNOTSUPP;
	be = tdp_create(mmu);
	if (IS_ERR(be))
		return PTR_ERR(be);
	mmu->backend[kind] = be;
	return 0;
}

/* The first guest frame that cannot be: a slot ends there at the latest. */
gfn_t mmu_end_gfn(const struct mmu_vm *mmu)
{
	gfn_t end = 1ull << (mmu->caps.phys_bits - PAGE_SHIFT);
	int i;

	for (i = 0; i < MMU_NR_KINDS; i++)
		if (mmu->backend[i])
			end = min(end, backend_end_gfn(mmu->backend[i]));
	return end;
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
}

void mmu_vcpu_destroy(struct mmu_vcpu *mv)
{
	pt_cache_drain(&mv->cache);
}

static struct mmu_backend *vcpu_backend(const struct mmu_vcpu *mv)
{
	return mv->vm->backend[mv->kind];
}

hpa_t mmu_root(const struct mmu_vcpu *mv)
{
	return virt_to_phys(vcpu_backend(mv)->root);
}

int mmu_root_level(const struct mmu_vcpu *mv)
{
	return vcpu_backend(mv)->root_level;
}

/*
 * Completes every flush that is owed, this event's and others', and frees the table pages that
 * waited for it.  Called without the lock, so that faults go on while processors are interrupted.
 */
void mmu_settle(struct mmu_vm *mmu)
{
	s64 owed, done;
	LIST_HEAD(pages);

	/* A page on the list was unlinked by a change that @owed, read after, includes. */
	write_lock(&mmu->lock);
	list_splice_init(&mmu->retired, &pages);
	owed = atomic64_read(&mmu->flush_owed);
	write_unlock(&mmu->lock);

	done = atomic64_read(&mmu->flush_done);
	if (done < owed) {
		mmu->up->flush_tlb(mmu);
		while (done < owed && !atomic64_try_cmpxchg(&mmu->flush_done, &done, owed))
			;
	}
	pt_page_free_list(mmu, &pages);
}

/* Has the host taken back what is behind @hva since @seq was read? */
static bool fault_is_stale(struct mmu_vm *mmu, unsigned long seq, hva_t hva)
{
	lockdep_assert_held_read(&mmu->lock);
	if (mmu->invalidate_active && hva >= mmu->invalidate_start && hva < mmu->invalidate_end)
		return true;
	return mmu->invalidate_seq != seq;
}

static enum mmu_outcome fault_failed(struct mmu_fault *fault, int error)
{
	fault->cause = MKVM_CAUSE_HOST_ERROR;
	fault->error = error;
	return MMU_FAILED;
}

/* May the guest write to @frame from now on?  Then the host has to know, and a dirty log. */
static bool fault_opened(const struct mmu_fault *fault, const struct frame *frame)
{
	return frame->writable &&
	       (fault->cause == MKVM_CAUSE_FILL || fault->cause == MKVM_CAUSE_DIRTY_LOG);
}

static enum mmu_outcome fault_resolve(struct mmu_vcpu *mv, struct mmu_fault *fault)
{
	struct mmu_backend *be = vcpu_backend(mv);
	struct mmu_vm *mmu = mv->vm;
	bool write = fault->access & ACC_W;
	gfn_t gfn = gpa_to_gfn(fault->gpa);
	struct memslot *slot;
	struct frame frame;
	unsigned long seq;
	hva_t hva;
	int r;

	slot = memslot_find(memslots_get(mmu->slots), gfn);
	if (!slot || (write && memslot_readonly(slot))) {
		fault->cause = MKVM_CAUSE_MMIO;
		return MMU_MMIO;
	}
	fault->logged = memslot_logged(slot);
	r = pt_cache_fill(&mv->cache, be->root_level - 1);
	if (r)
		return fault_failed(fault, r);

	seq = READ_ONCE(mmu->invalidate_seq);
	/* The sequence first, then the frame: pairs with the barrier of mmu_invalidate_end(). */
	smp_rmb();

	hva = memslot_hva(slot, gfn);
	r = frame_get(&frame, hva, write);
	if (r)
		return fault_failed(fault, r);
	/* A read of a logged page must leave the first write to be seen. */
	if (!write && !fault->logged && !memslot_readonly(slot))
		frame_try_writable(&frame, hva);

	read_lock(&mmu->lock);
	if (fault_is_stale(mmu, seq, hva))
		fault->cause = MKVM_CAUSE_NOTIFIER_RETRY;
	else
		fault->cause = be->ops->map(be, mv, fault, &frame);
	if (fault_opened(fault, &frame))
		memslot_mark_dirty(slot, gfn);
	read_unlock(&mmu->lock);

	frame_put(&frame, fault_opened(fault, &frame));
	if (fault->cause == MKVM_CAUSE_HOST_ERROR)
		return fault_failed(fault, -EIO);
	return MMU_RESUME;
}

/*
 * An access that the host's table did not allow.  The caller is the owner vCPU in the VM's process,
 * and holds a read side of the slots.  May sleep.
 */
enum mmu_outcome mmu_handle_fault(struct mmu_vcpu *mv, struct mmu_fault *fault)
{
	enum mmu_outcome outcome = fault_resolve(mv, fault);

	trace_mkvm_mmu_fault(fault->gpa, fault->access, fault->cause);
	return outcome;
}

/* Takes away what every backend maps of host addresses [start, end). */
static void zap_hva(struct mmu_vm *mmu, hva_t start, hva_t end)
{
	struct interval_tree_node *node;
	int i;

	lockdep_assert_held_write(&mmu->lock);
	for (node = interval_tree_iter_first(&mmu->slots->hva_tree, start, end - 1); node;
	     node = interval_tree_iter_next(node, start, end - 1)) {
		struct memslot *slot = container_of(node, struct memslot, hva_node);
		hva_t from = max(start, slot->hva);
		hva_t to = min(end, (hva_t)(node->last + 1));
		gfn_t first = slot->base_gfn + ((from - slot->hva) >> PAGE_SHIFT);
		gfn_t last = slot->base_gfn + ((to - 1 - slot->hva) >> PAGE_SHIFT);

		for (i = 0; i < MMU_NR_KINDS; i++)
			if (mmu->backend[i])
				pt_range_zap(mmu->backend[i], first, last + 1);
	}
}

/*
 * The host is about to change what is behind [start, end): takes the mappings away and keeps new
 * ones out until mmu_invalidate_end().  Does not sleep.
 */
void mmu_invalidate_begin(struct mmu_vm *mmu, hva_t start, hva_t end)
{
	write_lock(&mmu->lock);
	if (!mmu->invalidate_active++) {
		mmu->invalidate_start = start;
		mmu->invalidate_end = end;
	} else {
		mmu->invalidate_start = min(mmu->invalidate_start, start);
		mmu->invalidate_end = max(mmu->invalidate_end, end);
	}
	zap_hva(mmu, start, end);
	write_unlock(&mmu->lock);
	mmu_settle(mmu);
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
