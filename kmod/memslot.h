/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Memory slots: which guest frames are which host virtual addresses.
 *
 * A slot is immutable once it is published; a change publishes a new one.  Readers look slots up in
 * an array sorted by frame number, under the table's SRCU, and may sleep while they use what they
 * found.  The mmu notifier, which must not sleep, finds slots by host virtual address in an
 * interval tree under the MMU's lock; a slot stays in that tree until nothing maps its memory any
 * more.
 */
#ifndef MKVM_MEMSLOT_H
#define MKVM_MEMSLOT_H

#include <linux/interval_tree.h>
#include <linux/mutex.h>
#include <linux/srcu.h>
#include "types.h"

struct kvm_userspace_memory_region;
struct mmu_vm;

#define MEMSLOT_MAX 32764 /* what KVM_CAP_NR_MEMSLOTS answers */

/**
 * struct memslot - a run of guest frames and the host memory behind them
 * @hva_node: in memslot_table.hva_tree while entries may map it; the MMU's lock
 * @base_gfn: first guest frame; immutable
 * @npages: number of frames; immutable
 * @hva: where the first frame lies in the process's address space; immutable
 * @flags: KVM_MEM_*; immutable
 * @id: the caller's slot number; immutable
 */
struct memslot {
	struct interval_tree_node hva_node;
	gfn_t base_gfn;
	u64 npages;
	hva_t hva;
	u32 flags;
	u16 id;
};

/**
 * struct memslots - one published state of all slots
 * @generation: grows with each change
 * @nr: slots in @slot
 * @slot: by ascending base_gfn, no two overlap
 */
struct memslots {
	u64 generation;
	u32 nr;
	struct memslot *slot[];
};

/**
 * struct memslot_table - a VM's slots
 * @lock: serialises changes (slots_lock of Documentation/locking.rst)
 * @srcu: readers of @active and of slots found there
 * @active: the published state; written under @lock
 * @hva_tree: slots by host virtual address; the MMU's lock
 */
struct memslot_table {
	struct mutex lock;
	struct srcu_struct srcu;
	struct memslots __rcu *active;
	struct rb_root_cached hva_tree;
};

int memslot_table_init(struct memslot_table *table) __must_check;
void memslot_table_destroy(struct memslot_table *table);
int memslot_set(struct memslot_table *table, struct mmu_vm *mmu,
		const struct kvm_userspace_memory_region *region) __must_check;

/* The published slots; the caller holds a read side of @table's SRCU, or its lock. */
static inline struct memslots *memslots_get(struct memslot_table *table)
{
	return srcu_dereference_check(table->active, &table->srcu, lockdep_is_held(&table->lock));
}

/* The slot that holds @gfn, or NULL.  Same context as memslots_get(). */
static inline struct memslot *memslot_find(const struct memslots *slots, gfn_t gfn)
{
	u32 lo = 0, hi = slots->nr;

	/* The slot wanted is the last one that starts at or below gfn. */
	while (lo < hi) {
		u32 mid = lo + (hi - lo) / 2;

		if (slots->slot[mid]->base_gfn <= gfn)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (!lo || gfn - slots->slot[lo - 1]->base_gfn >= slots->slot[lo - 1]->npages)
		return NULL;
	return slots->slot[lo - 1];
}

static inline hva_t memslot_hva(const struct memslot *slot, gfn_t gfn)
{
	return slot->hva + ((gfn - slot->base_gfn) << PAGE_SHIFT);
}

#endif /* MKVM_MEMSLOT_H */
