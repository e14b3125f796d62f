// SPDX-License-Identifier: GPL-2.0-only
/*
 * Changes of the memory slots, with KVM's rules and errno values, checked in KVM's order.
 *
 * All memory that a change needs is there before the first step that others see.  A slot goes away
 * in this order: publish a set without it, wait until no reader can hold it, take its mappings
 * away, and only then let the notifier forget it.  A slot whose flags change is replaced by another
 * in one step, so that the guest always finds its memory.
 */
#include <linux/slab.h>
#include <linux/uaccess.h>
#include "memslots.h"
#include "mmu/mmu.h"

#define MEMSLOT_MAX_PAGES ((1ull << 31) - 1) /* KVM's limit for one slot */
#define MEMSLOT_FLAGS	  (KVM_MEM_LOG_DIRTY_PAGES | KVM_MEM_READONLY)

/* May sleep.  0 or a negative errno. */
int memslot_table_init(struct memslot_table *table)
{
	struct memslots *none = memslots_empty();
	int r;

	if (!none)
		return -ENOMEM;
	r = init_srcu_struct(&table->srcu);
	if (r) {
		memslots_free(none);
		return r;
	}
	mutex_init(&table->lock);
	mutex_init(&table->split_lock);
	xa_init(&table->by_id);
	table->hva_tree = RB_ROOT_CACHED;
	RCU_INIT_POINTER(table->active, none);
	return 0;
}

static void slot_free(struct memslot *slot)
{
	kvfree(slot->dirty);
	kfree(slot);
}

/* No reader and no notifier is left. */
void memslot_table_destroy(struct memslot_table *table)
{
	struct memslot *slot;
	unsigned long id;

	memslots_destroy(table);
	xa_for_each(&table->by_id, id, slot)
		slot_free(slot);
	xa_destroy(&table->by_id);
	cleanup_srcu_struct(&table->srcu);
}

/* @slot, which holds @old's log, takes its place; nobody else uses @old any more. */
static void slot_succeed(struct memslot *slot, struct memslot *old)
{
	if (slot->dirty == old->dirty)
		old->dirty = NULL;
	slot_free(old);
}

static int slot_add(struct memslot_table *table, struct mmu_vm *mmu, struct memslot *slot)
{
	struct memslots_step step;
	int r;

	r = memslots_step(&step, memslots_get(table), NULL, slot);
	if (r)
		return r;
	r = xa_err(xa_store(&table->by_id, slot->id, slot, GFP_KERNEL_ACCOUNT));
	if (r) {
		memslots_drop(&step);
		return r;
	}
	mmu_slot_added(mmu, slot);
	memslots_publish(table, &step);
	return 0;
}

static int slot_remove(struct memslot_table *table, struct mmu_vm *mmu, struct memslot *slot)
{
	struct memslots_step step;
	int r;

	r = memslots_step(&step, memslots_get(table), slot, NULL);
	if (r)
		return r;
	memslots_publish(table, &step);
	memslots_wait(table);
	mmu_slot_removed(mmu, slot);
	xa_erase(&table->by_id, slot->id);
	slot_free(slot);
	return 0;
}

/* Guest accesses between the two steps find no memory, as with KVM. */
static int slot_move(struct memslot_table *table, struct mmu_vm *mmu, struct memslot *old,
		     struct memslot *slot)
{
	struct memslots_step without, with;
	int r;

	r = memslots_step(&without, memslots_get(table), old, NULL);
	if (r)
		return r;
	r = memslots_step(&with, without.next, NULL, slot);
	if (r) {
		memslots_drop(&without);
		return r;
	}
	memslots_publish(table, &without);
	memslots_wait(table);
	mmu_slot_removed(mmu, old);
	xa_store(&table->by_id, slot->id, slot, 0); /* in a place that is there: cannot fail */
	slot_succeed(slot, old);
	mmu_slot_added(mmu, slot);
	memslots_publish(table, &with);
	return 0;
}

/*
 * The log goes on or off.  When it goes on, vCPUs that still see the old slot may map pages for
 * writing; these entries are watched after the wait, like all that were there before.  Unless all
 * pages count as dirty from the start: then each is watched when its bit is cleared.
 */
static int slot_change_flags(struct memslot_table *table, struct mmu_vm *mmu, struct memslot *old,
			     struct memslot *slot)
{
	struct memslots_step step;
	int r;

	r = memslots_step(&step, memslots_get(table), old, slot);
	if (r)
		return r;
	memslots_publish(table, &step);
	memslots_wait(table);
	mmu_slot_replaced(mmu, old, slot);
	xa_store(&table->by_id, slot->id, slot, 0); /* in a place that is there: cannot fail */
	if (memslot_logged(slot) && !(table->manual_log & KVM_DIRTY_LOG_INITIALLY_SET))
		mmu_slot_watch(mmu, slot);
	if (!memslot_logged(slot))
		mmu_slot_unlogged(mmu, slot);
	slot_succeed(slot, old);
	return 0;
}

static struct memslot *slot_alloc(const struct memslot_table *table, const struct memslot *old,
				  const struct kvm_userspace_memory_region2 *region)
{
	struct memslot *slot = kzalloc(sizeof(*slot), GFP_KERNEL_ACCOUNT);

	if (!slot)
		return NULL;
	slot->base_gfn = gpa_to_gfn(region->guest_phys_addr);
	slot->npages = region->memory_size >> PAGE_SHIFT;
	slot->hva = region->userspace_addr;
	slot->flags = region->flags;
	slot->id = region->slot;
	if (!(slot->flags & KVM_MEM_LOG_DIRTY_PAGES))
		return slot;
	if (old)
		slot->dirty = old->dirty;
	if (!slot->dirty)
		slot->dirty = dirty_log_alloc(slot->npages,
					      table->manual_log & KVM_DIRTY_LOG_INITIALLY_SET);
	if (!slot->dirty) {
		kfree(slot);
		return NULL;
	}
	return slot;
}

static int region_check(const struct kvm_userspace_memory_region2 *region)
{
	if (region->flags & ~MEMSLOT_FLAGS)
		return -EINVAL;
	if (region->slot >= MEMSLOT_MAX) /* address spaces other than 0 included */
		return -EINVAL;
	if (!PAGE_ALIGNED(region->memory_size) || !PAGE_ALIGNED(region->guest_phys_addr) ||
	    !PAGE_ALIGNED(region->userspace_addr))
		return -EINVAL;
	if (!access_ok((void __user *)region->userspace_addr, region->memory_size))
		return -EINVAL;
	if (region->guest_phys_addr + region->memory_size < region->guest_phys_addr)
		return -EINVAL;
	if (region->memory_size >> PAGE_SHIFT > MEMSLOT_MAX_PAGES)
		return -EINVAL;
	return 0;
}

static int region_apply(struct memslot_table *table, struct mmu_vm *mmu,
			const struct kvm_userspace_memory_region2 *region)
{
	struct memslot *old = xa_load(&table->by_id, region->slot);
	u64 npages = region->memory_size >> PAGE_SHIFT;
	gfn_t base = gpa_to_gfn(region->guest_phys_addr);
	struct memslot *slot;
	bool moved;
	int r;

	if (!npages)
		return old ? slot_remove(table, mmu, old) : -EINVAL;
	if (old) {
		if (old->npages != npages || old->hva != region->userspace_addr ||
		    ((old->flags ^ region->flags) & KVM_MEM_READONLY))
			return -EINVAL;
		if (old->base_gfn == base && old->flags == region->flags)
			return 0;
	}
	moved = !old || old->base_gfn != base;
	if (moved && memslots_overlap(memslots_get(table), base, npages, old))
		return -EEXIST;
	if (base + npages > mmu_end_gfn(mmu))
		return -EINVAL;

	slot = slot_alloc(table, old, region);
	if (!slot)
		return -ENOMEM;
	if (!old)
		r = slot_add(table, mmu, slot);
	else if (moved)
		r = slot_move(table, mmu, old, slot);
	else
		r = slot_change_flags(table, mmu, old, slot);
	if (r) {
		if (old && slot->dirty == old->dirty)
			slot->dirty = NULL;
		slot_free(slot);
	}
	return r;
}

/**
 * memslot_set() - add, move, change or delete a slot: KVM_SET_USER_MEMORY_REGION2
 * @table: the VM's slots
 * @mmu: its MMU
 * @region: the caller's wish; a size of 0 deletes
 *
 * Context: may sleep; takes table->lock, waits for the readers of the slots.
 * Return: 0; -EINVAL for what is unaligned, out of range, absent when deleted, or of another size
 * or address than the slot that is there; -EEXIST for an overlap; -ENOMEM.  On error nothing
 * changed.
 */
int memslot_set(struct memslot_table *table, struct mmu_vm *mmu,
		const struct kvm_userspace_memory_region2 *region)
{
	int r = region_check(region);

	if (r)
		return r;
	mutex_lock(&table->lock);
	r = region_apply(table, mmu, region);
	mutex_unlock(&table->lock);
	return r;
}
