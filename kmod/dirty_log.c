// SPDX-License-Identifier: GPL-2.0-only
/*
 * The dirty log: which frames of a slot were written since user space last asked.
 *
 * How writes come to be known is the MMU's business (mmu/mmu_log.c): by faults that set the bit and
 * open the entry, or by the processor's dirty bits, which are collected.  A harvest collects, then
 * clears bits and makes the next write to those frames be seen, under the MMU's lock held for
 * writing; it flushes, and only then are the bits told.  So a write either came before the flush,
 * and is in memory when user space learns of the bit; or it is seen anew.
 *
 * With KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE reading the log clears nothing: KVM_CLEAR_DIRTY_LOG
 * does, the bits it is given.  With KVM_DIRTY_LOG_INITIALLY_SET a log begins with all bits set.
 */
#include <linux/slab.h>
#include <linux/uaccess.h>
#include "memslot.h"
#include "mmu/mmu.h"

static u64 log_words(u64 npages)
{
	return DIV_ROUND_UP(npages, BITS_PER_LONG);
}

/* The room behind the log, for a copy of it. */
static unsigned long *log_copy(const struct memslot *slot)
{
	return slot->dirty + log_words(slot->npages);
}

/* What that takes. */
size_t dirty_log_bytes(u64 npages)
{
	return 2 * log_words(npages) * sizeof(unsigned long);
}

/* A log for @npages frames, and the room for its copy.  May sleep.  NULL: no memory. */
unsigned long *dirty_log_alloc(u64 npages, bool all_set)
{
	unsigned long *log = kvcalloc(log_words(npages), 2 * sizeof(*log), GFP_KERNEL_ACCOUNT);

	if (log && all_set)
		bitmap_set(log, 0, npages);
	return log;
}

/* The slot that has the log, or an ERR_PTR. */
static struct memslot *log_slot(struct memslot_table *table, u32 id)
{
	struct memslot *slot;

	lockdep_assert_held(&table->lock);
	if (id >= MEMSLOT_MAX) /* address spaces other than 0 included */
		return ERR_PTR(-EINVAL);
	slot = xa_load(&table->by_id, id);
	return slot && slot->dirty ? slot : ERR_PTR(-ENOENT);
}

static int log_tell(const struct kvm_dirty_log *log, const unsigned long *bits, u64 words)
{
	return copy_to_user(log->dirty_bitmap, bits, words * sizeof(*bits)) ? -EFAULT : 0;
}

static int log_peek(struct mmu_vm *mmu, struct memslot *slot, const struct kvm_dirty_log *log)
{
	mmu_slot_collect(mmu, slot, 0, slot->npages);
	return log_tell(log, slot->dirty, log_words(slot->npages));
}

static int log_harvest(struct mmu_vm *mmu, struct memslot *slot, const struct kvm_dirty_log *log)
{
	u64 i, words = log_words(slot->npages);
	unsigned long *copy = log_copy(slot);
	int r;

	memset(copy, 0xff, words * sizeof(*copy));
	mmu_slot_collect(mmu, slot, 0, slot->npages);
	mmu_slot_harvest(mmu, slot, 0, words, copy);
	r = log_tell(log, copy, words);
	if (!r)
		return 0;
	/* Nobody has learnt of these bits. */
	for (i = 0; i < words; i++)
		if (copy[i])
			atomic_long_or(copy[i], (atomic_long_t *)&slot->dirty[i]);
	return r;
}

/**
 * dirty_log_get() - KVM_GET_DIRTY_LOG
 * @table: the VM's slots
 * @mmu: its MMU
 * @log: the slot, and where its bits go; bits beyond the slot's end are 0
 *
 * Context: may sleep; takes table->lock.
 * Return: 0, -EINVAL: no such slot number, -ENOENT: no slot there or it is not logged, -EFAULT.
 */
int dirty_log_get(struct memslot_table *table, struct mmu_vm *mmu, const struct kvm_dirty_log *log)
{
	struct memslot *slot;
	int r;

	mutex_lock(&table->lock);
	slot = log_slot(table, log->slot);
	if (IS_ERR(slot))
		r = PTR_ERR(slot);
	else if (table->manual_log & KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE)
		r = log_peek(mmu, slot, log);
	else
		r = log_harvest(mmu, slot, log);
	mutex_unlock(&table->lock);
	return r;
}

static int log_clear(struct memslot_table *table, struct mmu_vm *mmu,
		     const struct kvm_clear_dirty_log *log)
{
	struct memslot *slot = log_slot(table, log->slot);
	u64 words = log_words(log->num_pages), behind;
	unsigned long *wanted;

	if (PTR_ERR(slot) == -EINVAL || log->first_page % BITS_PER_LONG)
		return -EINVAL;
	if (IS_ERR(slot))
		return PTR_ERR(slot);
	if (log->first_page > slot->npages)
		return -EINVAL;
	behind = slot->npages - log->first_page;
	if (log->num_pages > behind || (log->num_pages < behind && log->num_pages % BITS_PER_LONG))
		return -EINVAL;
	wanted = log_copy(slot);
	if (copy_from_user(wanted, log->dirty_bitmap, words * sizeof(*wanted)))
		return -EFAULT;
	mmu_slot_collect(mmu, slot, log->first_page, log->num_pages);
	mmu_slot_harvest(mmu, slot, log->first_page / BITS_PER_LONG, words, wanted);
	return 0;
}

/**
 * dirty_log_clear() - KVM_CLEAR_DIRTY_LOG
 * @table: the VM's slots
 * @mmu: its MMU
 * @log: the slot, a range of its pages in steps of 64 (or to its end), and the bits to clear
 *
 * Context: may sleep; takes table->lock.
 * Return: 0, -EINVAL: no such slot number or range, -ENOENT: no slot there or it is not logged,
 * -EFAULT.
 */
int dirty_log_clear(struct memslot_table *table, struct mmu_vm *mmu,
		    const struct kvm_clear_dirty_log *log)
{
	int r;

	mutex_lock(&table->lock);
	r = log_clear(table, mmu, log);
	mutex_unlock(&table->lock);
	return r;
}

/*
 * A processor of the VM's has written to the frames at @gpa, @nr of them, and listed them.  The
 * caller holds a read side of the slots.  A slot that has gone meanwhile got the bits of its frames
 * when its mappings went.
 */
void dirty_log_record(struct memslot_table *table, const u64 *gpa, unsigned int nr)
{
	struct memslots *slots = memslots_get(table);
	struct memslot *slot = NULL;
	unsigned int i;

	for (i = 0; i < nr; i++) {
		gfn_t gfn = gpa_to_gfn(gpa[i]);

		if (!slot || gfn - slot->base_gfn >= slot->npages)
			slot = memslot_find(slots, gfn);
		if (slot)
			memslot_mark_dirty(slot, gfn);
	}
}

/* MKVM_CAP_DIRTY_LOG_MODE: 0, or -EINVAL as mmu_set_log(). */
int dirty_log_set_mode(struct memslot_table *table, struct mmu_vm *mmu, u64 mode)
{
	int r;

	mutex_lock(&table->lock);
	r = mmu_set_log(mmu, mode);
	mutex_unlock(&table->lock);
	return r;
}

/*
 * KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2: @mode, of DIRTY_LOG_MANUAL_MODES, holds at once for what the
 * calls do, and for how a log begins from now on.  0, or -EINVAL for half a mode.
 */
int dirty_log_set_manual(struct memslot_table *table, u64 mode)
{
	if (mode == KVM_DIRTY_LOG_INITIALLY_SET)
		return -EINVAL;
	mutex_lock(&table->lock);
	table->manual_log = mode;
	mutex_unlock(&table->lock);
	return 0;
}
