// SPDX-License-Identifier: GPL-2.0-only
/*
 * A page of the module's own in a VM's second table, where no slot is.
 *
 * A processor may redirect accesses of the local APIC's registers, which it knows by the frame that
 * their address leads to.  So there has to be a frame, though nothing is ever read from it or
 * written to it.  It is mapped by the first access, and stays until its owner, or a slot at that
 * place, takes it away for good.  Nothing of the host's takes it away, as it is not user space's.
 *
 * A VM with shadow tables has none.
 */
#include "mmu/backend.h"
#include "mmu/pt_change.h"

/*
 * What is at @gfn from now on is frame @hfn, unless there is a slot.  No vCPU has run yet; the
 * frame stays until no vCPU is left.  May sleep.
 */
void mmu_own_page_set(struct mmu_vm *mmu, gfn_t gfn, hfn_t hfn)
{
	mutex_lock(&mmu->slots->lock);
	write_lock(&mmu->lock);
	mmu->own_page = (struct mmu_own_page){
		.gfn = gfn,
		.hfn = hfn,
		.on = !mmu->backend[MMU_SHADOW] && !memslot_find(memslots_get(mmu->slots), gfn),
	};
	write_unlock(&mmu->lock);
	mutex_unlock(&mmu->slots->lock);
}

static struct mmu_debt __must_check own_page_zap(struct mmu_backend *be, gfn_t gfn)
{
	struct mmu_debt debt = {};
	struct pt_iter it;
	hpte_t old;

	lockdep_assert_held_write(&be->mmu->lock);
	pt_for_each(&it, be, 1, gfn, gfn + 1)
		if (it.level == 1 && it.pte.v)
			mmu_debt_add(&debt, pt_change(&it, HPTE_NONE, &old));
	return debt;
}

/* There is nothing any more where it was, on any processor, when this returns. */
void mmu_own_page_remove(struct mmu_vm *mmu)
{
	struct mmu_debt debt = {};

	if (!mmu_own_page_is_on(mmu))
		return;
	write_lock(&mmu->lock);
	if (mmu->own_page.on)
		debt = own_page_zap(mmu->backend[MMU_TDP], mmu->own_page.gfn);
	WRITE_ONCE(mmu->own_page.on, false);
	write_unlock(&mmu->lock);
	mmu_settle(mmu, debt);
}

/* Is it there?  If the answer may change meanwhile is the caller's to know. */
bool mmu_own_page_is_on(const struct mmu_vm *mmu)
{
	return READ_ONCE(mmu->own_page.on);
}
