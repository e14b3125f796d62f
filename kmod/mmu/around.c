// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fault-around: a fault that maps a page of 4 KiB maps the neighbours too that the host has at
 * hand, so that they cost no exit of their own.
 *
 * The neighbours are those in the aligned window around the fault, a power of two of frames in one
 * table of the last level, within the slot.  A neighbour gets no right that the process has not,
 * none to write where a dirty log sees writes by faults, and no accessed or dirty bit: both stay
 * true.  The host is not asked to bring anything in.
 *
 * The window adapts to its use, by the accessed bits: if at the next fault half of the last window
 * has been used it doubles, if not an eighth has been it halves.  Where the processor keeps no such
 * bits it stays as it begins.
 */
#include <linux/log2.h>
#include "mmu/around.h"
#include "mmu/frame.h"
#include "mmu/pt_change.h"

#define AROUND_BEGIN 16u
#define AROUND_MIN   8u

bool mmu_around_is_valid(u64 pages)
{
	return pages <= MMU_AROUND_MAX && is_power_of_2(pages);
}

/* @pages: a power of two up to %MMU_AROUND_MAX; 1: off.  0 or -EINVAL. */
int mmu_set_around(struct mmu_vm *mmu, u64 pages)
{
	if (!mmu_around_is_valid(pages))
		return -EINVAL;
	WRITE_ONCE(mmu->around, pages);
	return 0;
}

/* How large the next window shall be, by what became of the last one. */
static unsigned int around_adapt(struct mmu_backend *be, const struct mmu_around *around)
{
	unsigned int mapped = 0, used = 0;
	struct pt_iter it;

	if (!around->pages)
		return AROUND_BEGIN;
	if (!be->fmt->accessed)
		return around->pages;
	pt_for_each(&it, be, 1, around->start, around->start + around->pages) {
		mapped += hpte_present(be->fmt, it.pte) && it.level == 1;
		used += it.level == 1 && hpte_accessed(be->fmt, it.pte);
	}
	if (mapped > 1 && used * 2 >= mapped)
		return around->pages * 2;
	if (used * 8 < mapped)
		return max(around->pages / 2, AROUND_MIN);
	return around->pages;
}

static void around_install(struct pt_iter *it, struct page *page, bool writable)
{
	u32 access = ACC_R | ACC_X | ACC_U | (writable ? ACC_W : 0);

	/* Whoever was first has it right too. */
	if (pt_try_change(it, hpte_make_leaf(it->be->fmt, page_to_pfn(page), 1, access)))
		atomic_long_inc(&it->be->mmu->mapped_around);
}

/* Maps what is present of the frames from @start to @end and not mapped yet. */
static void around_map(struct mmu_backend *be, const struct memslot *slot, gfn_t start, gfn_t end)
{
	bool write =
		!memslot_readonly(slot) && (!memslot_logged(slot) || mmu_logs_by_bits(be->mmu));
	struct frame_run run = {};
	gfn_t first = start;
	struct pt_iter it;

	pt_for_each(&it, be, 1, start, end) {
		/* Of an aged one the host shall learn whether it is used. */
		if (it.level > 1 || it.pte.v)
			continue;
		if (it.gfn >= first + run.nr) {
			frame_run_put(&run);
			first = it.gfn;
			frame_run_get(&run, memslot_hva(slot, first), end - first, write);
		}
		if (it.gfn < first + run.nr && !frame_run_is_device(&run, it.gfn - first))
			around_install(&it, run.page[it.gfn - first], run.writable);
	}
	frame_run_put(&run);
}

/*
 * The fault has just been resolved by a page of 4 KiB, and its frame is not stale.  The MMU's lock
 * has been held since.
 */
void around_fill(struct mmu_backend *be, struct mmu_vcpu *mv, const struct mmu_fault *fault)
{
	unsigned int limit = READ_ONCE(mv->vm->around);
	const struct memslot *slot = fault->slot;
	struct mmu_around *around = &mv->around;
	gfn_t start, end;

	lockdep_assert_held(&be->mmu->lock);
	if (limit == 1)
		return;
	around->pages = min(around_adapt(be, around), limit);
	around->start = gpa_to_gfn(fault->gpa) & ~((gfn_t)around->pages - 1);
	start = max(around->start, slot->base_gfn);
	end = min(around->start + around->pages, slot->base_gfn + slot->npages);
	/* What the host takes back right now is not present, whatever its table says. */
	if (!mmu_is_invalidating(be->mmu, memslot_hva(slot, start), memslot_hva(slot, end)))
		around_map(be, slot, start, end);
}
