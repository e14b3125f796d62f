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
 *
 * Populate mode: before the fault looks for its frame it has the host bring in what is missing of
 * its window, which has a size of its own then, and stays as it is.  Only memory of the mapping
 * that the fault is in, and not where the process or the guest may not write or a log is kept: no
 * page comes that the guest's next accesses could not make come.
 */
#include <linux/log2.h>
#include "mmu/around.h"
#include "mmu/frame.h"
#include "mmu/host_map.h"
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

/* @pages: what a fault may bring in; 0: off, else as with mmu_set_around().  0 or -EINVAL. */
int mmu_set_populate(struct mmu_vm *mmu, u64 pages)
{
	if (!mmu_populate_is_valid(pages))
		return -EINVAL;
	WRITE_ONCE(mmu->populate, pages);
	return 0;
}

bool mmu_populate_is_valid(u64 pages)
{
	return !pages || mmu_around_is_valid(pages);
}

/* Frames [*@start, *@end): of the slot, and in the aligned window of @pages around the fault. */
static void around_window(const struct mmu_fault *fault, unsigned int pages, gfn_t *start,
			  gfn_t *end)
{
	const struct memslot *slot = fault->slot;
	gfn_t first = gpa_to_gfn(fault->gpa) & ~((gfn_t)pages - 1);

	*start = max(first, slot->base_gfn);
	*end = min(first + pages, slot->base_gfn + slot->npages);
}

/* Before the fault looks for its frame.  May sleep. */
void around_populate(struct mmu_vcpu *mv, const struct mmu_fault *fault)
{
	unsigned int pages = READ_ONCE(mv->vm->populate);
	gfn_t first, last;
	hva_t start, end;

	if (!pages || fault->ahead || fault->logged || memslot_readonly(fault->slot))
		return;
	around_window(fault, pages, &first, &last);
	start = memslot_hva(fault->slot, first);
	end = start + ((last - first) << PAGE_SHIFT);
	if (host_map_populatable(memslot_hva(fault->slot, gpa_to_gfn(fault->gpa)), &start, &end))
		frame_populate(start, end, fault->access & ACC_W);
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
		/* Writing to it would be seen by a fault only. */
		if (shadow_tracks(be->mmu, memslot_hva(slot, it.gfn)))
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
	unsigned int limit = READ_ONCE(mv->vm->around), populate = READ_ONCE(mv->vm->populate);
	const struct memslot *slot = fault->slot;
	struct mmu_around *around = &mv->around;
	gfn_t start, end;

	lockdep_assert_held(&be->mmu->lock);
	if (limit == 1 && !populate)
		return;
	around->pages = populate ?: min(around_adapt(be, around), limit);
	around->start = gpa_to_gfn(fault->gpa) & ~((gfn_t)around->pages - 1);
	around_window(fault, around->pages, &start, &end);
	/* What the host takes back right now is not present, whatever its table says. */
	if (!mmu_is_invalidating(be->mmu, memslot_hva(slot, start), memslot_hva(slot, end)))
		around_map(be, slot, start, end);
}
