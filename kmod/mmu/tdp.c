// SPDX-License-Identifier: GPL-2.0-only
/*
 * Two-dimensional paging: one table per VM from guest-physical to host-physical addresses, which
 * the processor walks behind the guest's own (EPT, NPT).
 *
 * The guest's page faults never come here.  What comes is a hole in this table, or a write to what
 * it maps read-only because the host does or because a dirty log wants to see the write.  Faults of
 * several vCPUs run in parallel under the read lock: an entry is installed by compare-exchange, and
 * who loses finds what it wanted already there.
 */
#include <linux/slab.h>
#include "mmu/backend.h"
#include "mmu/pt_change.h"
#include "mmu/pt_page.h"
#include "mmu/pt_range.h"

/* Goes down to level 1 of the fault's frame and links the tables that are missing. */
static void tdp_descend(struct pt_iter *it, struct mmu_backend *be, struct mmu_vcpu *mv, gfn_t gfn)
{
	pt_iter_start(it, be, 1, gfn, gfn + 1);
	while (it->level > 1) {
		if (!hpte_present(be->fmt, it->pte)) {
			hpte_t *table = pt_cache_get(&mv->cache);

			if (pt_try_change(it, hpte_make_table(be->fmt, virt_to_phys(table))))
				pt_page_linked(be->mmu);
			else
				pt_cache_put(&mv->cache, table);
		}
		pt_iter_next(it);
	}
}

static enum mkvm_mmu_cause tdp_map(struct mmu_backend *be, struct mmu_vcpu *mv,
				   const struct mmu_fault *fault, const struct frame *frame)
{
	u32 access = ACC_R | ACC_X | ACC_U | (frame->writable ? ACC_W : 0);
	struct pt_iter it;
	bool opened;
	hpte_t new;

	lockdep_assert_held_read(&be->mmu->lock);
	tdp_descend(&it, be, mv, gpa_to_gfn(fault->gpa));
	new = hpte_make_leaf(be->fmt, frame->hfn, 1, access);
	do {
		/* Another vCPU was here first, and with no fewer permissions. */
		if (!(fault->access & ~hpte_access(be->fmt, it.pte)))
			return MKVM_CAUSE_SPURIOUS;
		/*
		 * A present entry with another frame cannot be: the notifier took the old one away
		 * before the host replaced it, and the frame here is not stale.
		 */
		if (hpte_present(be->fmt, it.pte) &&
		    hpte_addr(be->fmt, it.pte) != hfn_to_hpa(frame->hfn)) {
			be->mmu->up->kill(be->mmu);
			return MKVM_CAUSE_HOST_ERROR;
		}
		opened = fault->logged && hpte_present(be->fmt, it.pte);
	} while (!pt_try_change(&it, new));
	return opened ? MKVM_CAUSE_DIRTY_LOG : MKVM_CAUSE_FILL;
}

static void tdp_destroy(struct mmu_backend *be)
{
	pt_range_free_all(be);
	kfree(be);
}

static const struct mmu_backend_ops tdp_ops = {
	.map = tdp_map,
	.destroy = tdp_destroy,
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
	be->root = pt_page_alloc(mmu);
	if (!be->root) {
		kfree(be);
		return ERR_PTR(-ENOMEM);
	}
	return be;
}
