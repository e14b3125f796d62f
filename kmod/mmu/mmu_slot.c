// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a change of slots asks of the MMU.
 *
 * The caller is a thread of the VM's process that holds the lock of the slots, so there is one such
 * event at a time.  Faults and the notifier go on meanwhile: work on a whole slot gives the lock to
 * who waits for it.  Each function returns with every flush done that it or an earlier event owed.
 */
#include <linux/interval_tree.h>
#include "mmu/backend.h"
#include "mmu/host_map.h"
#include "mmu/mmu.h"

static void slot_insert(struct mmu_vm *mmu, struct memslot *slot)
{
	lockdep_assert_held_write(&mmu->lock);
	slot->hva_node.start = slot->hva;
	slot->hva_node.last = slot->hva + (slot->npages << PAGE_SHIFT) - 1;
	interval_tree_insert(&slot->hva_node, &mmu->slots->hva_tree);
	mmu->nr_logged += memslot_logged(slot);
}

static void slot_erase(struct mmu_vm *mmu, struct memslot *slot)
{
	lockdep_assert_held_write(&mmu->lock);
	interval_tree_remove(&slot->hva_node, &mmu->slots->hva_tree);
	mmu->nr_logged -= memslot_logged(slot);
}

/* @slot is about to be published: the notifier shall find it.  Nothing else is at its place. */
void mmu_slot_added(struct mmu_vm *mmu, struct memslot *slot)
{
	if (mmu->own_page.gfn - slot->base_gfn < slot->npages)
		mmu_own_page_remove(mmu);
	write_lock(&mmu->lock);
	slot_insert(mmu, slot);
	write_unlock(&mmu->lock);
	mmu_log_update(mmu);
}

/* No reader can find @slot any more: nothing maps its memory when this returns.  May sleep. */
void mmu_slot_removed(struct mmu_vm *mmu, struct memslot *slot)
{
	struct mmu_debt debt = {};
	struct mmu_backend *be;
	int i;

	write_lock(&mmu->lock);
	for (i = 0; i < MMU_NR_KINDS; i++) {
		be = mmu->backend[i];
		if (be)
			mmu_debt_add(&debt, be->ops->zap_slowly(be, slot));
	}
	slot_erase(mmu, slot);
	write_unlock(&mmu->lock);
	mmu_log_update(mmu);
	mmu_settle(mmu, debt);
}

/* @slot, the same memory at the same place, has been published instead of @old. */
void mmu_slot_replaced(struct mmu_vm *mmu, struct memslot *old, struct memslot *slot)
{
	write_lock(&mmu->lock);
	slot_erase(mmu, old);
	slot_insert(mmu, slot);
	write_unlock(&mmu->lock);
	mmu_log_update(mmu);
}

/* For slot_is_large(). */
struct slot_limits {
	const struct memslot *slot;
	int max_level;
};

/* As the host maps it now; if it changes its mind meanwhile, the table that went comes again. */
static bool slot_is_large(const void *data, gfn_t gfn, int level)
{
	const struct slot_limits *limits = data;

	return level <= limits->max_level && memslot_fits(limits->slot, gfn, pt_span(level)) &&
	       host_map_level(memslot_hva(limits->slot, gfn)) >= level;
}

/* @slot has no dirty log any more: large leaves can map it again.  May sleep. */
void mmu_slot_unlogged(struct mmu_vm *mmu, struct memslot *slot)
{
	const struct slot_limits limits = { slot, mmu->caps.max_level };
	struct mmu_debt debt = {};
	struct mmu_backend *be;
	int i;

	write_lock(&mmu->lock);
	for (i = 0; i < MMU_NR_KINDS; i++) {
		be = mmu->backend[i];
		if (be)
			mmu_debt_add(&debt,
				     be->ops->collapse_slowly(be, slot, slot_is_large, &limits));
	}
	write_unlock(&mmu->lock);
	mmu_settle(mmu, debt);
}
