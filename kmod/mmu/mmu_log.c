// SPDX-License-Identifier: GPL-2.0-only
/*
 * The dirty log as the MMU sees it: how writes to a logged slot come to be known.
 *
 * By write protection (MKVM_DIRTY_LOG_PROTECT) an entry allows writing only once the bit of its
 * frame is set, which a fault does.  By dirty bits (MKVM_DIRTY_LOG_BITS) a small leaf may allow
 * writing at any time, and the processor's dirty bit tells; what is written is in the log or in a
 * dirty bit, and whoever takes an entry away puts that into the log (pt_range.c).  By listing
 * (MKVM_DIRTY_LOG_PML) the processor also lists the frames, so that nobody has to look for them.
 * To "watch" a frame is to make the next write to it be seen; to "collect" is to bring into the log
 * what has been written so far.
 *
 * The caller of these is a thread of the VM's process that holds the lock of the slots.  Faults and
 * the notifier go on meanwhile.
 */
#include <linux/log2.h>
#include "mmu/backend.h"
#include "mmu/mmu.h"
#include "mmu/pt_page.h"

#define LOG_SPLIT_PAGES 16 /* pages for tables that are got at a time */

/* MKVM_DIRTY_LOG_* of the modes that a processor has. */
u32 mmu_log_modes(const struct mmu_caps *caps)
{
	u32 modes = MKVM_DIRTY_LOG_PROTECT;

	if (caps->fmt && caps->fmt->dirty)
		modes |= MKVM_DIRTY_LOG_BITS | (caps->pml ? MKVM_DIRTY_LOG_PML : 0);
	return modes;
}

/* The one of them with the fewest exits and the least to look at. */
u32 mmu_log_best(const struct mmu_caps *caps)
{
	return 1u << __fls(mmu_log_modes(caps));
}

/*
 * @mode: one of the processor's, and MKVM_DIRTY_LOG_EAGER_SPLIT or not.  0, or -EINVAL: it is not,
 * or a slot is logged.
 */
int mmu_set_log(struct mmu_vm *mmu, u64 mode)
{
	u64 kind = mode & ~(u64)MKVM_DIRTY_LOG_EAGER_SPLIT;

	lockdep_assert_held(&mmu->slots->lock);
	if (!is_power_of_2(kind) || (kind & ~(u64)mmu_log_modes(&mmu->caps)) || mmu->nr_logged)
		return -EINVAL;
	WRITE_ONCE(mmu->log_mode, kind);
	mmu->log_eager = mode & MKVM_DIRTY_LOG_EAGER_SPLIT;
	return 0;
}

/* Slots have come or gone: processors list what is written while one is logged, and only then. */
void mmu_log_update(struct mmu_vm *mmu)
{
	bool listing = mmu->nr_logged && mmu->log_mode == MKVM_DIRTY_LOG_PML;

	lockdep_assert_held(&mmu->slots->lock);
	if (listing == mmu->listing)
		return;
	WRITE_ONCE(mmu->listing, listing);
	mmu->up->drain_log(mmu);
}

/*
 * Splits the large leaves of [start, end), so that no write has to.  What is not split for want of
 * memory is split by a write.
 */
static void log_split(struct mmu_vm *mmu, gfn_t start, gfn_t end)
{
	gfn_t at;
	struct pt_cache cache = { .nr = 0 };
	int i;

	INIT_LIST_HEAD(&cache.pages);
	for (i = 0; i < MMU_NR_KINDS; i++) {
		at = mmu->backend[i] ? start : end;
		while (at < end && !pt_cache_fill(&cache, LOG_SPLIT_PAGES)) {
			write_lock(&mmu->lock);
			at = mmu->backend[i]->ops->split_slowly(mmu->backend[i], &cache, at, end);
			write_unlock(&mmu->lock);
		}
	}
	pt_cache_drain(&cache);
}

/* A log has begun: when this returns every write to @slot is seen.  May sleep. */
void mmu_slot_watch(struct mmu_vm *mmu, struct memslot *slot)
{
	gfn_t start = slot->base_gfn, end = start + slot->npages;
	struct mmu_debt debt = {};
	struct mmu_backend *be;
	int i;

	if (mmu->log_eager)
		log_split(mmu, start, end);
	write_lock(&mmu->lock);
	for (i = 0; i < MMU_NR_KINDS; i++) {
		be = mmu->backend[i];
		if (be)
			mmu_debt_add(&debt, be->ops->watch_slowly(be, start, end));
	}
	write_unlock(&mmu->lock);
	mmu_settle(mmu, debt);
}

/*
 * When this returns the log of @slot has the bit of each of @npages frames from number @first on
 * that was written before.  May sleep.
 */
void mmu_slot_collect(struct mmu_vm *mmu, struct memslot *slot, u64 first, u64 npages)
{
	gfn_t start = slot->base_gfn + first;
	struct mmu_backend *be;
	int i;

	if (mmu->log_mode == MKVM_DIRTY_LOG_PML)
		mmu->up->drain_log(mmu);
	if (mmu->log_mode != MKVM_DIRTY_LOG_BITS)
		return;
	write_lock(&mmu->lock);
	for (i = 0; i < MMU_NR_KINDS; i++) {
		be = mmu->backend[i];
		if (be)
			be->ops->collect_slowly(be, slot, start, start + npages);
	}
	write_unlock(&mmu->lock);
}

/*
 * Clears *@bits in the word of the log that begins with the slot's @first frame; *@bits is what was
 * set of them.
 */
static struct mmu_debt __must_check harvest_word(struct mmu_vm *mmu, struct memslot *slot,
						 u64 first, unsigned long *bits)
{
	unsigned long *word = slot->dirty + first / BITS_PER_LONG;
	struct mmu_debt debt = {};
	gfn_t gfn = slot->base_gfn + first;
	struct mmu_backend *be;
	int i;

	lockdep_assert_held_write(&mmu->lock);
	*bits &= READ_ONCE(*word);
	if (!*bits)
		return debt;
	*bits &= atomic_long_fetch_andnot(*bits, (atomic_long_t *)word);
	for (i = 0; i < MMU_NR_KINDS; i++) {
		be = mmu->backend[i];
		if (be)
			mmu_debt_add(&debt, be->ops->watch(be, gfn, *bits));
	}
	return debt;
}

/*
 * Takes bits out of the log of @slot, which has been collected: @words words from @word on, in each
 * those that @bits has.  @bits has what was set when this returns, and the next write to those
 * frames will be recorded.  May sleep.
 */
void mmu_slot_harvest(struct mmu_vm *mmu, struct memslot *slot, u64 word, u64 words,
		      unsigned long *bits)
{
	gfn_t start = slot->base_gfn + word * BITS_PER_LONG;
	struct mmu_debt debt = {};
	u64 i;

	/* A log that began with all bits set has left them whole. */
	if (mmu->log_eager)
		log_split(mmu, start,
			  min(start + words * BITS_PER_LONG, slot->base_gfn + slot->npages));
	write_lock(&mmu->lock);
	for (i = 0; i < words; i++) {
		mmu_debt_add(&debt, harvest_word(mmu, slot, (word + i) * BITS_PER_LONG, &bits[i]));
		cond_resched_rwlock_write(&mmu->lock);
	}
	write_unlock(&mmu->lock);
	mmu_settle(mmu, debt);
}
