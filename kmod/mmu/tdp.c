// SPDX-License-Identifier: GPL-2.0-only
/*
 * Two-dimensional paging: one table per VM from guest-physical to host-physical addresses, which
 * the processor walks behind the guest's own (EPT, NPT).
 *
 * The guest's page faults never come here.  What comes is a hole in this table, or a write to what
 * it maps read-only because the host does or because a dirty log wants to see the write.  Faults of
 * several vCPUs run in parallel under the read lock: an entry is installed by compare-exchange, and
 * who loses finds what it wanted already there.
 *
 * A leaf is as large as the fault may have it.  A large one that forbids the access while a smaller
 * one is due (a dirty log, code where large leaves may hold none) is split first, into a table that
 * maps the same.
 *
 * Where the VM has shadow tables too, no entry here allows writing a table that is shadowed: what
 * writes to one goes the way of such stores (wtrack.c), whoever makes it.
 */
#include <linux/slab.h>
#include "mmu/around.h"
#include "mmu/backend.h"
#include "mmu/pt_change.h"
#include "mmu/pt_page.h"
#include "mmu/pt_range.h"

/*
 * Splits the large leaf under the cursor, which does not allow the access.  If dirty bits tell of
 * each write from now on, and the host lets all of it be written as it does @frame, all small
 * pieces may be: true, and to the host the whole huge page is dirty by @frame.
 */
static bool tdp_split(struct pt_iter *it, struct mmu_vcpu *mv, const struct mmu_fault *fault,
		      const struct frame *frame)
{
	bool open = frame->writable && mmu_logs_by_bits(mv->vm) && it->level == 2 &&
		    fault->host_level >= 2 && !(hpte_access(it->be->fmt, it->pte) & ACC_W);

	return pt_split(it, &mv->cache, open ? ACC_W : 0) && open;
}

static void tdp_link(struct pt_iter *it, struct mmu_vcpu *mv)
{
	hpte_t *table = pt_cache_get(&mv->cache);

	if (pt_try_change(it, hpte_make_table(it->be->fmt, virt_to_phys(table))))
		pt_page_linked(mv->vm);
	else
		pt_cache_put(&mv->cache, table);
}

static bool tdp_allows(const struct pt_iter *it, const struct mmu_fault *fault)
{
	return !(fault->access & ~hpte_access(it->be->fmt, it->pte));
}

/*
 * Goes down to the fault's level, or to a larger leaf that allows the access already.  Links the
 * tables that are missing, and splits larger leaves that do not allow it.  True: it has opened the
 * pieces of one.
 */
static bool tdp_descend(struct pt_iter *it, struct mmu_backend *be, struct mmu_vcpu *mv,
			const struct mmu_fault *fault, const struct frame *frame)
{
	gfn_t gfn = gpa_to_gfn(fault->gpa);
	bool opened = false;

	pt_iter_start(it, be, fault->level, gfn, gfn + 1);
	while (it->level > fault->level) {
		if (pt_iter_enter(it))
			continue;
		if (!hpte_present(be->fmt, it->pte))
			tdp_link(it, mv);
		else if (!tdp_allows(it, fault))
			opened |= tdp_split(it, mv, fault, frame);
		else
			break;
	}
	return opened;
}

/* Which frame the leaf under the cursor maps @gfn to. */
static hfn_t tdp_hfn(const struct pt_iter *it, gfn_t gfn)
{
	hpa_t base = hpte_addr(it->be->fmt, it->pte);

	return (base >> PAGE_SHIFT) + (gfn & (pt_span(it->level) - 1));
}

/* What the entry under the cursor shall be: what it is, and the access to @frame. */
static hpte_t tdp_make_leaf(const struct pt_iter *it, const struct mmu_fault *fault,
			    const struct frame *frame)
{
	/* The log has to tell a read from a write. */
	bool dirty = frame->writable && (!fault->logged || (fault->access & ACC_W));
	const struct pte_fmt *fmt = it->be->fmt;
	u32 access = ACC_R | ACC_X | ACC_U | (frame->writable ? ACC_W : 0);
	hfn_t hfn = frame->hfn & ~(pt_span(it->level) - 1);
	hpte_t leaf;

	if (it->level > 1 && it->be->mmu->caps.no_large_exec)
		access &= ~ACC_X;
	leaf = hpte_make_leaf(fmt, hfn, it->level, access | hpte_access(fmt, it->pte));
	if (frame->device)
		leaf = hpte_make_device(fmt, leaf);
	if (!fault->ahead)
		leaf = hpte_touch(fmt, leaf, dirty);
	return hpte_keep_touched(fmt, leaf, it->pte);
}

static enum mkvm_mmu_cause tdp_map_frame(struct mmu_backend *be, struct mmu_vcpu *mv,
					 struct mmu_fault *fault, const struct frame *frame)
{
	const struct pte_fmt *fmt = be->fmt;
	gfn_t gfn = gpa_to_gfn(fault->gpa);
	struct pt_iter it;
	bool write = fault->access & ACC_W, split, opened;

	split = tdp_descend(&it, be, mv, fault, frame);
	do {
		if (hpte_is_table(fmt, it.pte, it.level))
			return MKVM_CAUSE_NONE;
		/* Another vCPU was here first, and with no fewer permissions. */
		if (!split && tdp_allows(&it, fault))
			return MKVM_CAUSE_SPURIOUS;
		/*
		 * A present entry with another frame cannot be: the notifier took the old one away
		 * before the host replaced it, and the frame here is not stale.
		 */
		if (hpte_present(fmt, it.pte) && tdp_hfn(&it, gfn) != frame->hfn) {
			be->mmu->up->kill(be->mmu);
			return MKVM_CAUSE_HOST_ERROR;
		}
		opened = write && fault->logged && hpte_present(fmt, it.pte);
	} while (!pt_try_change(&it, tdp_make_leaf(&it, fault, frame)));
	if (opened)
		return MKVM_CAUSE_DIRTY_LOG;
	if (it.level == 1 && !fault->ahead && fault->slot)
		around_fill(be, mv, fault);
	return MKVM_CAUSE_FILL;
}

static enum mkvm_mmu_cause tdp_map(struct mmu_backend *be, struct mmu_vcpu *mv,
				   struct mmu_fault *fault, const struct frame *frame)
{
	struct frame readonly = *frame;

	lockdep_assert_held(&be->mmu->lock);
	if (fault->slot && shadow_is_settling(be->mmu)) {
		fault->again = MMU_AGAIN_FLUSH;
		return MKVM_CAUSE_NOTIFIER_RETRY;
	}
	if (!fault->slot ||
	    !shadow_tracks(be->mmu, memslot_hva(fault->slot, gpa_to_gfn(fault->gpa))))
		return tdp_map_frame(be, mv, fault, frame);
	if (fault->access & ACC_W)
		return MKVM_CAUSE_TRACKED_EMULATED;
	readonly.writable = false;
	return tdp_map_frame(be, mv, fault, &readonly);
}

static void tdp_destroy(struct mmu_backend *be)
{
	pt_range_free_all(be);
	kfree(be);
}

static size_t tdp_bytes(const struct mmu_backend *be)
{
	return sizeof(*be);
}

static const struct mmu_backend_ops tdp_ops = {
	.map = tdp_map,
	.destroy = tdp_destroy,
	.zap = pt_range_zap,
	.zap_slowly = pt_range_zap_slowly,
	.watch = pt_range_watch,
	.watch_slowly = pt_range_watch_slowly,
	.collect_slowly = pt_range_collect_slowly,
	.split_slowly = pt_range_split_slowly,
	.age = pt_range_age,
	.is_young = pt_range_is_young,
	.collapse_slowly = pt_range_collapse_slowly,
	.audit = audit_tables,
	.bytes = tdp_bytes,
};

/* May sleep.  The backend, or an ERR_PTR: -EOPNOTSUPP, -ENOMEM. */
struct mmu_backend *tdp_create(struct mmu_vm *mmu)
{
	struct mmu_backend *be;

	if (!mmu->caps.fmt)
		return ERR_PTR(-EOPNOTSUPP);
	be = kzalloc(sizeof(*be), GFP_KERNEL_ACCOUNT);
	if (!be)
		return ERR_PTR(-ENOMEM);
	be->ops = &tdp_ops;
	be->mmu = mmu;
	be->fmt = mmu->caps.fmt;
	be->root_level = mmu->caps.levels;
	be->end_gfn = backend_end_gfn(be);
	be->root = pt_page_alloc(mmu);
	if (!be->root) {
		kfree(be);
		return ERR_PTR(-ENOMEM);
	}
	return be;
}
