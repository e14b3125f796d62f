// SPDX-License-Identifier: GPL-2.0-only
/*
 * The fault sequence, once for every backend: find the slot; note the notifier's sequence; get the
 * frame, which may sleep; take the lock; is the frame stale?  then once more; let the backend map
 * it, in a leaf as large as the slot and the host's own mapping allow.
 *
 * Faults hold the lock for reading and run in parallel.  The one thing that they need it for
 * writing for is to make room: where the host had small pages and now has a large one, a table
 * may be left that has to go before the large leaf can come.
 */
#include <linux/sched/signal.h>
#include "mmu/around.h"
#include "mmu/backend.h"
#include "mmu/frame.h"
#include "mmu/host_map.h"
#include "mmu/mmu.h"
#include "mmu/pt_page.h"

#define CREATE_TRACE_POINTS
#include "mmu/mmu_trace.h"

/* After so many stale frames in a row the guest tries again itself, and others get their turn. */
#define FAULT_MAX_TRIES 3
/* The same for what a backend itself wants to begin anew with. */
#define FAULT_MAX_AGAIN 16

/* Has the host taken back what is behind @hva since @seq was read? */
static bool fault_is_stale(struct mmu_vm *mmu, unsigned long seq, hva_t hva)
{
	return mmu_is_invalidating(mmu, hva, hva + PAGE_SIZE) || mmu->invalidate_seq != seq;
}

static enum mmu_outcome fault_failed(struct mmu_fault *fault, int error)
{
	fault->cause = MKVM_CAUSE_HOST_ERROR;
	fault->error = error;
	return MMU_FAILED;
}

/* May the guest write to @frame from now on?  Then the host has to know. */
static bool fault_opened(const struct mmu_fault *fault, const struct frame *frame)
{
	return frame->writable &&
	       (fault->cause == MKVM_CAUSE_FILL || fault->cause == MKVM_CAUSE_DIRTY_LOG ||
		fault->cause == MKVM_CAUSE_DIRTY_BIT || fault->cause == MKVM_CAUSE_ACCESSED_BIT ||
		fault->cause == MKVM_CAUSE_TRACKED_OPENED);
}

/* Can a leaf of @level map @gfn?  Nothing that it reaches may be under an invalidation. */
static bool fault_fits(const struct mmu_vm *mmu, const struct memslot *slot, gfn_t gfn, int level)
{
	u64 span = pt_span(level);
	hva_t start;

	if (!memslot_fits(slot, gfn, span))
		return false;
	start = memslot_hva(slot, gfn & ~(span - 1));
	return !mmu_is_invalidating(mmu, start, start + (span << PAGE_SHIFT));
}

/*
 * The frame is not stale, so the host maps all of the leaf's frames as it maps the one that was
 * asked for, with the same permissions.
 */
static int fault_host_level(const struct mmu_vm *mmu, const struct mmu_fault *fault,
			    const struct frame *frame)
{
	gfn_t gfn = gpa_to_gfn(fault->gpa);
	int level;

	/* A device's neighbours may be something else. */
	if (frame->device || !frame->page)
		return 1;
	level = min(mmu->caps.max_level, host_map_level(memslot_hva(fault->slot, gfn)));
	while (level > 1 && !fault_fits(mmu, fault->slot, gfn, level))
		level--;
	return level;
}

static int fault_level(const struct mmu_vm *mmu, const struct mmu_fault *fault)
{
	/* The log tells pages of 4 KiB. */
	if (fault->logged)
		return 1;
	if (mmu->caps.no_large_exec && (fault->access & ACC_X))
		return 1;
	/* Any page may be a table that is shadowed. */
	if (mmu->backend[MMU_SHADOW])
		return 1;
	return fault->host_level;
}

/* Lets the backend map @frame unless it is stale.  The MMU's lock is held. */
static void fault_map(struct mmu_vcpu *mv, struct mmu_fault *fault, const struct frame *frame,
		      unsigned long seq)
{
	struct mmu_backend *be = mmu_backend_of(mv);
	gfn_t gfn = gpa_to_gfn(fault->gpa);

	if (fault_is_stale(mv->vm, seq, memslot_hva(fault->slot, gfn))) {
		fault->cause = MKVM_CAUSE_NOTIFIER_RETRY;
		return;
	}
	fault->host_level = fault_host_level(mv->vm, fault, frame);
	fault->level = fault_level(mv->vm, fault);
	/* Before the entry: another vCPU may write by it at once, and user space read the log. */
	if (fault->access & ACC_W)
		memslot_mark_dirty(fault->slot, gfn);
	fault->cause = be->ops->map(be, mv, fault, frame);
}

/* A table is in the way of the large leaf: takes it away, with all that it maps. */
static void fault_make_room(struct mmu_vcpu *mv, struct mmu_fault *fault, const struct frame *frame,
			    unsigned long seq)
{
	struct mmu_vm *mmu = mv->vm;
	gfn_t base = gpa_to_gfn(fault->gpa) & ~(pt_span(fault->level) - 1);
	struct mmu_backend *be = mmu_backend_of(mv);
	struct mmu_debt debt;
	bool found = false;

	write_lock(&mmu->lock);
	debt = be->ops->zap(be, fault->slot, base, base + pt_span(fault->level), &found);
	fault_map(mv, fault, frame, seq);
	write_unlock(&mmu->lock);
	mmu_settle(mmu, debt);
	/* Twice in a row: the host has changed its mind; so shall the guest. */
	if (fault->cause == MKVM_CAUSE_NONE)
		fault->cause = MKVM_CAUSE_NOTIFIER_RETRY;
}

/* Lets the backend map @frame, under the lock as it wants it, and makes room if it has to. */
static void fault_map_locked(struct mmu_vcpu *mv, struct mmu_fault *fault,
			     const struct frame *frame, unsigned long seq)
{
	struct mmu_vm *mmu = mv->vm;

	if (mmu_backend_of(mv)->ops->exclusive) {
		write_lock(&mmu->lock);
		fault_map(mv, fault, frame, seq);
		write_unlock(&mmu->lock);
	} else {
		read_lock(&mmu->lock);
		fault_map(mv, fault, frame, seq);
		read_unlock(&mmu->lock);
	}
	if (fault->cause == MKVM_CAUSE_NONE)
		fault_make_room(mv, fault, frame, seq);
	if (fault->again == MMU_AGAIN_FLUSH)
		mmu_settle(mmu, fault->debt);
}

/* After a read: may the leaf allow writing too, if the host lets it? */
static bool fault_is_generous(const struct mmu_vm *mmu, const struct mmu_fault *fault)
{
	/* A read of a logged page must leave the first write to be seen, by a bit or a fault. */
	return fault->writable && (!fault->logged || mmu_logs_by_bits(mmu)) &&
	       !memslot_readonly(fault->slot);
}

/* The frame of fault->gpa, which lies in fault->slot. */
static enum mmu_outcome fault_resolve_frame(struct mmu_vcpu *mv, struct mmu_fault *fault)
{
	hva_t hva = memslot_hva(fault->slot, gpa_to_gfn(fault->gpa));
	struct mmu_vm *mmu = mv->vm;
	bool write = fault->access & ACC_W;
	struct frame frame;
	unsigned long seq;
	int r;

	seq = READ_ONCE(mmu->invalidate_seq);
	/* The sequence first, then the frame: pairs with the barrier of mmu_invalidate_end(). */
	smp_rmb();

	r = frame_get(&frame, hva, write);
	if (r == -EINTR) {
		/* The signal is looked at before the guest repeats the access. */
		fault->cause = MKVM_CAUSE_NOTIFIER_RETRY;
		return MMU_RESUME;
	}
	if (r)
		return fault_failed(fault, r);
	if (!write && fault_is_generous(mmu, fault))
		frame_try_writable(&frame, hva);
	fault_map_locked(mv, fault, &frame, seq);
	frame_put(&frame, fault_opened(fault, &frame));
	if (fault->cause == MKVM_CAUSE_HOST_ERROR)
		return fault_failed(fault, -EIO);
	return fault->cause == MKVM_CAUSE_TRACKED_EMULATED ? MMU_EMULATE : MMU_RESUME;
}

/* In no slot, but where the module's own page is, which nothing of the host's makes stale. */
static enum mmu_outcome fault_resolve_own_page(struct mmu_vcpu *mv, struct mmu_fault *fault)
{
	struct frame frame = { .hfn = mv->vm->own_page.hfn, .writable = true };
	struct mmu_backend *be = mmu_backend_of(mv);
	struct mmu_vm *mmu = mv->vm;
	int r;

	r = pt_cache_fill(&mv->cache, be->root_level - 1);
	if (r)
		return fault_failed(fault, r);
	fault->slot = NULL;
	fault->logged = false;
	fault->host_level = 1;
	fault->level = 1;
	read_lock(&mmu->lock);
	if (mmu->own_page.on)
		fault->cause = be->ops->map(be, mv, fault, &frame);
	else
		fault->cause = MKVM_CAUSE_NOTIFIER_RETRY;
	read_unlock(&mmu->lock);
	return fault->cause == MKVM_CAUSE_HOST_ERROR ? fault_failed(fault, -EIO) : MMU_RESUME;
}

static bool fault_is_own_page(const struct mmu_vm *mmu, const struct mmu_fault *fault)
{
	return mmu_own_page_is_on(mmu) && !fault->ahead &&
	       gpa_to_gfn(fault->gpa) == mmu->own_page.gfn;
}

static enum mmu_outcome fault_resolve(struct mmu_vcpu *mv, struct mmu_fault *fault)
{
	struct mmu_backend *be = mmu_backend_of(mv);
	enum mmu_outcome outcome = MMU_RESUME;
	struct memslot *slot;
	int r;

	fault->again = MMU_AGAIN_NOT;
	fault->writable = true;
	if (be->ops->walk)
		outcome = be->ops->walk(be, mv, fault);
	if (outcome != MMU_RESUME || fault->again)
		return outcome;
	slot = memslot_find(memslots_get(mv->vm->slots), gpa_to_gfn(fault->gpa));
	if (!slot && fault_is_own_page(mv->vm, fault))
		return fault_resolve_own_page(mv, fault);
	if (!slot || ((fault->access & ACC_W) && memslot_readonly(slot))) {
		fault->cause = MKVM_CAUSE_MMIO;
		return MMU_MMIO;
	}
	fault->slot = slot;
	fault->logged = memslot_logged(slot);
	r = pt_cache_fill(&mv->cache, be->root_level - 1);
	if (r)
		return fault_failed(fault, r);
	around_populate(mv, fault);
	return fault_resolve_frame(mv, fault);
}

static bool fault_goes_on(const struct mmu_fault *fault, enum mmu_outcome outcome, int tries)
{
	if (outcome != MMU_RESUME || fault->cause != MKVM_CAUSE_NOTIFIER_RETRY)
		return false;
	return tries < (fault->again ? FAULT_MAX_AGAIN : FAULT_MAX_TRIES) &&
	       !signal_pending(current);
}

/* Often it is the fault itself that makes its frame stale: a page is copied for a write. */
static enum mmu_outcome fault_retry(struct mmu_vcpu *mv, struct mmu_fault *fault)
{
	enum mmu_outcome outcome;
	int tries = 0;

	do {
		outcome = fault_resolve(mv, fault);
	} while (fault_goes_on(fault, outcome, ++tries));
	return outcome;
}

/*
 * An access that the host's table did not allow.  The caller is the owner vCPU in the VM's process,
 * and holds a read side of the slots.  May sleep.
 */
enum mmu_outcome mmu_handle_fault(struct mmu_vcpu *mv, struct mmu_fault *fault)
{
	enum mmu_outcome outcome = fault_retry(mv, fault);

	trace_mkvm_mmu_fault(fault->gpa, fault->access, fault->cause);
	return outcome;
}

/*
 * Maps what is at @gpa, as a read by the guest would, before it comes.  It is no exit, and has no
 * cause.  Context as mmu_handle_fault().  How many bytes from @gpa on are mapped now; -EAGAIN: the
 * host changed it each time; -ENOENT: no memory there; -EOPNOTSUPP: the VM has shadow tables, whose
 * faults have other addresses; or what the host's memory management says.
 */
long mmu_prefault(struct mmu_vcpu *mv, gpa_t gpa)
{
	struct mmu_fault fault = { .gpa = gpa, .access = ACC_R, .ahead = true };
	u64 size;

	if (mv->vm->backend[MMU_SHADOW])
		return -EOPNOTSUPP;
	switch (fault_retry(mv, &fault)) {
	case MMU_RESUME:
		break;
	case MMU_FAILED:
		return fault.error;
	default:
		return -ENOENT;
	}
	if (fault.cause == MKVM_CAUSE_NOTIFIER_RETRY)
		return -EAGAIN;
	size = pt_span(fault.level) << PAGE_SHIFT;
	return size - (gpa & (size - 1));
}
