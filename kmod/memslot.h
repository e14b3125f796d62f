/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Memory slots: which guest frames are which host virtual addresses.
 *
 * A slot is immutable once it is published, but for the bits of its dirty log; a change publishes a
 * new one.  Readers look slots up by guest frame in a set that never changes either (memslots.c),
 * under the table's SRCU, and may sleep while they use what they found.  The mmu notifier, which
 * must not sleep, finds slots by host virtual address in an interval tree under the MMU's lock; a
 * slot stays in that tree until nothing maps its memory any more.
 */
#ifndef MKVM_MEMSLOT_H
#define MKVM_MEMSLOT_H

#include <linux/bitops.h>
#include <linux/interval_tree.h>
#include <linux/mkvm_kvm.h>
#include <linux/mutex.h>
#include <linux/srcu.h>
#include <linux/xarray.h>
#include "types.h"

struct guest_store_watcher;
struct memslots;
struct mmu_vm;

#define MEMSLOT_MAX 32764 /* what KVM_CAP_NR_MEMSLOTS answers */

/**
 * struct memslot - a run of guest frames and the host memory behind them
 * @hva_node: in memslot_table.hva_tree while entries may map it; the MMU's lock
 * @base_gfn: first guest frame; immutable
 * @npages: number of frames; immutable
 * @hva: where the first frame lies in the process's address space; immutable
 * @dirty: the dirty log: a bit for each frame that was written since the bit was last read and
 *	cleared, followed by room for a copy of all; NULL: not logged.  Bits are atomic, the copy is
 *	the table lock's; the pointer is immutable, but for going over to the slot that takes this
 *	one's place
 * @flags: KVM_MEM_*; immutable
 * @id: the caller's slot number; immutable
 */
struct memslot {
	struct interval_tree_node hva_node;
	gfn_t base_gfn;
	u64 npages;
	hva_t hva;
	unsigned long *dirty;
	u32 flags;
	u16 id;
};

/* What was replaced and that a reader may still see; first member of what can be. */
struct memslots_retired {
	struct memslots_retired *next;
};

/**
 * struct memslot_table - a VM's slots
 * @lock: serialises changes (slots_lock of Documentation/locking.rst)
 * @srcu: readers of @active and of slots found there
 * @active: the published set; written under @lock
 * @retired: former sets, to be freed when no reader can be left; @lock
 * @nr_retired: how many there are; @lock
 * @retired_bytes: what they take; @lock
 * @by_id: the slots by the caller's number; @lock
 * @hva_tree: slots by host virtual address; the MMU's lock
 * @split_lock: excludes emulated split locks from each other; inside @srcu
 * @watcher: who makes mkvm's own stores to guest memory, as they may be to what has a shadow; NULL:
 *	nobody has to; set before a vCPU runs
 * @manual_log: KVM_DIRTY_LOG_* of KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2; @lock
 */
struct memslot_table {
	struct mutex lock;
	struct srcu_struct srcu;
	struct memslots __rcu *active;
	struct memslots_retired *retired;
	unsigned int nr_retired;
	size_t retired_bytes;
	struct xarray by_id;
	struct rb_root_cached hva_tree;
	struct mutex split_lock;
	struct guest_store_watcher *watcher;
	u64 manual_log;
};

/* What KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2 has. */
#define DIRTY_LOG_MANUAL_MODES (KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE | KVM_DIRTY_LOG_INITIALLY_SET)

/* memslot.c: changes */
int memslot_table_init(struct memslot_table *table) __must_check;
void memslot_table_destroy(struct memslot_table *table);
int memslot_set(struct memslot_table *table, struct mmu_vm *mmu,
		const struct kvm_userspace_memory_region2 *region) __must_check;

/* memslots.c: the set that readers see */
size_t memslot_table_bytes(struct memslot_table *table);
struct memslot *memslot_find(const struct memslots *slots, gfn_t gfn);

/* dirty_log.c */
size_t dirty_log_bytes(u64 npages);
unsigned long *dirty_log_alloc(u64 npages, bool all_set);
int dirty_log_get(struct memslot_table *table, struct mmu_vm *mmu,
		  const struct kvm_dirty_log *log) __must_check;
int dirty_log_clear(struct memslot_table *table, struct mmu_vm *mmu,
		    const struct kvm_clear_dirty_log *log) __must_check;
int dirty_log_set_manual(struct memslot_table *table, u64 mode) __must_check;
int dirty_log_set_mode(struct memslot_table *table, struct mmu_vm *mmu, u64 mode) __must_check;
void dirty_log_record(struct memslot_table *table, const u64 *gpa, unsigned int nr);

/* The published slots; the caller holds a read side of @table's SRCU, or its lock. */
static inline struct memslots *memslots_get(struct memslot_table *table)
{
	return srcu_dereference_check(table->active, &table->srcu, lockdep_is_held(&table->lock));
}

static inline hva_t memslot_hva(const struct memslot *slot, gfn_t gfn)
{
	return slot->hva + ((gfn - slot->base_gfn) << PAGE_SHIFT);
}

/* Can one leaf of @span frames map @gfn, by where the slot lies in both address spaces? */
static inline bool memslot_fits(const struct memslot *slot, gfn_t gfn, u64 span)
{
	gfn_t base = gfn & ~(span - 1);

	return base >= slot->base_gfn && base + span <= slot->base_gfn + slot->npages &&
	       !((slot->base_gfn ^ (slot->hva >> PAGE_SHIFT)) & (span - 1));
}

static inline bool memslot_readonly(const struct memslot *slot)
{
	return slot->flags & KVM_MEM_READONLY;
}

/* Are writes to the slot recorded? */
static inline bool memslot_logged(const struct memslot *slot)
{
	return slot->dirty;
}

/*
 * @gfn of @slot has been written, or an entry is there that allows it.  A store of mkvm's own comes
 * before this, so that a log that is read in between has not reported the page too early.
 */
static inline void memslot_mark_dirty(const struct memslot *slot, gfn_t gfn)
{
	u64 nr = gfn - slot->base_gfn;

	if (slot->dirty && !test_bit(nr, slot->dirty))
		set_bit(nr, slot->dirty);
}

#endif /* MKVM_MEMSLOT_H */
