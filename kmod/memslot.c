// SPDX-License-Identifier: GPL-2.0-only
/*
 * Changes of the memory slots, with KVM's rules and errno values.
 *
 * All memory that a change needs is there before the first step that others see.  A slot goes away
 * in this order: publish an array without it, wait until no reader can hold it, take its mappings
 * away, and only then let the notifier forget it.
 */
#include <linux/kvm.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include "memslot.h"
#include "mmu/mmu.h"

#define MEMSLOT_MAX_PAGES ((1ull << 31) - 1) /* KVM's limit for one slot */
#define MEMSLOT_FLAGS	  0		     /* no flag is supported yet */

static struct memslots *slots_alloc(u32 nr)
{
	struct memslots *slots = kvzalloc(struct_size(slots, slot, nr), GFP_KERNEL_ACCOUNT);

	if (slots)
		slots->nr = nr;
	return slots;
}

/* May sleep.  0 or a negative errno. */
int memslot_table_init(struct memslot_table *table)
{
	struct memslots *none = slots_alloc(0);
	int r;

	if (!none)
		return -ENOMEM;
	r = init_srcu_struct(&table->srcu);
	if (r) {
		kvfree(none);
		return r;
	}
	mutex_init(&table->lock);
	table->hva_tree = RB_ROOT_CACHED;
	RCU_INIT_POINTER(table->active, none);
	return 0;
}

/* No reader and no notifier is left. */
void memslot_table_destroy(struct memslot_table *table)
{
	struct memslots *slots = rcu_dereference_protected(table->active, true);
	u32 i;

	for (i = 0; i < slots->nr; i++)
		kfree(slots->slot[i]);
	kvfree(slots);
	cleanup_srcu_struct(&table->srcu);
}

static struct memslot *slot_by_id(const struct memslots *slots, u16 id)
{
	u32 i;

	for (i = 0; i < slots->nr; i++)
		if (slots->slot[i]->id == id)
			return slots->slot[i];
	return NULL;
}

/* Does [base, base + npages) meet a slot other than @except? */
static bool slots_overlap(const struct memslots *slots, gfn_t base, u64 npages,
			  const struct memslot *except)
{
	u32 i;

	for (i = 0; i < slots->nr; i++) {
		const struct memslot *slot = slots->slot[i];

		if (slot != except && base < slot->base_gfn + slot->npages &&
		    slot->base_gfn < base + npages)
			return true;
	}
	return false;
}

/* Fills @new with @old's slots, without @gone and with @added, in order; either may be NULL. */
static void slots_copy(struct memslots *new, const struct memslots *old, const struct memslot *gone,
		       struct memslot *added)
{
	u32 i, n = 0;

	for (i = 0; i < old->nr; i++) {
		if (old->slot[i] == gone)
			continue;
		if (added && added->base_gfn < old->slot[i]->base_gfn) {
			new->slot[n++] = added;
			added = NULL;
		}
		new->slot[n++] = old->slot[i];
	}
	if (added)
		new->slot[n++] = added;
	new->generation = old->generation + 1;
}

/* Readers see @new from now on; returns when none can see what was before. */
static void slots_publish(struct memslot_table *table, struct memslots *new)
{
	struct memslots *old = memslots_get(table);

	lockdep_assert_held(&table->lock);
	rcu_assign_pointer(table->active, new);
	synchronize_srcu_expedited(&table->srcu);
	kvfree(old);
}

static int slot_add(struct memslot_table *table, struct mmu_vm *mmu, struct memslot *slot)
{
	struct memslots *old = memslots_get(table);
	struct memslots *new = slots_alloc(old->nr + 1);

	if (!new)
		return -ENOMEM;
	slots_copy(new, old, NULL, slot);
	mmu_slot_added(mmu, slot);
	slots_publish(table, new);
	return 0;
}

static int slot_remove(struct memslot_table *table, struct mmu_vm *mmu, struct memslot *slot)
{
	struct memslots *old = memslots_get(table);
	struct memslots *new = slots_alloc(old->nr - 1);

	if (!new)
		return -ENOMEM;
	slots_copy(new, old, slot, NULL);
	slots_publish(table, new);
	mmu_slot_removed(mmu, slot);
	kfree(slot);
	return 0;
}

/* Guest accesses between the two steps find no memory, as with KVM. */
static int slot_move(struct memslot_table *table, struct mmu_vm *mmu, struct memslot *old_slot,
		     struct memslot *slot)
{
	struct memslots *old = memslots_get(table);
	struct memslots *without = slots_alloc(old->nr - 1);
	struct memslots *with = slots_alloc(old->nr);

	if (!without || !with) {
		kvfree(without);
		kvfree(with);
		return -ENOMEM;
	}
	slots_copy(without, old, old_slot, NULL);
	slots_copy(with, without, NULL, slot);
	slots_publish(table, without);
	mmu_slot_removed(mmu, old_slot);
	kfree(old_slot);
	mmu_slot_added(mmu, slot);
	slots_publish(table, with);
	return 0;
}

static struct memslot *slot_alloc(const struct kvm_userspace_memory_region *region)
{
	struct memslot *slot = kzalloc(sizeof(*slot), GFP_KERNEL_ACCOUNT);

	if (slot) {
		slot->base_gfn = gpa_to_gfn(region->guest_phys_addr);
		slot->npages = region->memory_size >> PAGE_SHIFT;
		slot->hva = region->userspace_addr;
		slot->flags = region->flags;
		slot->id = region->slot;
	}
	return slot;
}

static int region_check(const struct kvm_userspace_memory_region *region)
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
			const struct kvm_userspace_memory_region *region)
{
	struct memslots *slots = memslots_get(table);
	struct memslot *old = slot_by_id(slots, region->slot);
	u64 npages = region->memory_size >> PAGE_SHIFT;
	gfn_t base = gpa_to_gfn(region->guest_phys_addr);
	struct memslot *slot;
	int r;

	if (!npages)
		return old ? slot_remove(table, mmu, old) : -EINVAL;
	if (old) {
		if (old->npages != npages || old->hva != region->userspace_addr)
			return -EINVAL;
		if (old->base_gfn == base)
			return 0;
	}
	if (base + npages > mmu_end_gfn(mmu))
		return -EINVAL;
	if (slots_overlap(slots, base, npages, old))
		return -EEXIST;

	slot = slot_alloc(region);
	if (!slot)
		return -ENOMEM;
	r = old ? slot_move(table, mmu, old, slot) : slot_add(table, mmu, slot);
	if (r)
		kfree(slot);
	return r;
}

/**
 * memslot_set() - add, move or delete a slot: KVM_SET_USER_MEMORY_REGION
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
		const struct kvm_userspace_memory_region *region)
{
	int r = region_check(region);

	if (r)
		return r;
	mutex_lock(&table->lock);
	r = region_apply(table, mmu, region);
	mutex_unlock(&table->lock);
	return r;
}
