// SPDX-License-Identifier: GPL-2.0-only
/*
 * Coalesced MMIO and port I/O.
 *
 * A zone is a range of addresses, or of ports, for which user space need not be asked at each
 * store: the store goes into a ring, one for the VM, and the guest goes on.  User space empties the
 * ring when it comes by.  A store that finds the ring full is an exit as any other.
 *
 * The ring lies in a page that user space writes too: what it says of itself is taken as a wish,
 * and read once.
 */
#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/nospec.h>
#include <linux/slab.h>
#include "coalesced.h"

#define COALESCED_MAX_ZONES 1000 /* of each kind; KVM's limit */

struct coalesced_zone {
	struct list_head link;
	struct kvm_coalesced_mmio_zone zone;
};

/* May sleep.  0 or -ENOMEM. */
int coalesced_init(struct coalesced *co)
{
	co->page = alloc_page(GFP_KERNEL_ACCOUNT | __GFP_ZERO);
	if (!co->page)
		return -ENOMEM;
	spin_lock_init(&co->lock);
	INIT_LIST_HEAD(&co->zones);
	return 0;
}

/* No vCPU is left. */
void coalesced_destroy(struct coalesced *co)
{
	struct coalesced_zone *zone, *next;

	list_for_each_entry_safe(zone, next, &co->zones, link)
		kfree(zone);
	__free_page(co->page);
}

static bool zone_holds(const struct kvm_coalesced_mmio_zone *zone, bool pio, u64 addr, u32 len)
{
	u64 end;

	if (pio != !!zone->pio || addr < zone->addr || check_add_overflow(addr, (u64)len, &end))
		return false;
	return end <= zone->addr + zone->size;
}

/* KVM_REGISTER_COALESCED_MMIO: 0, -EINVAL: no such kind, -ENOSPC: too many zones, -ENOMEM. */
int coalesced_register(struct coalesced *co, const struct kvm_coalesced_mmio_zone *zone)
{
	struct coalesced_zone *new;
	int r = 0;

	if (zone->pio > 1)
		return -EINVAL;
	new = kzalloc(sizeof(*new), GFP_KERNEL_ACCOUNT);
	if (!new)
		return -ENOMEM;
	new->zone = *zone;
	spin_lock(&co->lock);
	if (co->nr[zone->pio] < COALESCED_MAX_ZONES) {
		list_add_tail(&new->link, &co->zones);
		WRITE_ONCE(co->nr[zone->pio], co->nr[zone->pio] + 1);
	} else {
		r = -ENOSPC;
	}
	spin_unlock(&co->lock);
	if (r)
		kfree(new);
	return r;
}

/*
 * KVM_UNREGISTER_COALESCED_MMIO: forgets each zone that holds all of @zone.  When this returns no
 * store goes to the ring for their sake.  0, or -EINVAL: no such kind.
 */
int coalesced_unregister(struct coalesced *co, const struct kvm_coalesced_mmio_zone *zone)
{
	struct coalesced_zone *old, *next;
	LIST_HEAD(gone);

	if (zone->pio > 1)
		return -EINVAL;
	spin_lock(&co->lock);
	list_for_each_entry_safe(old, next, &co->zones, link) {
		if (!zone_holds(&old->zone, zone->pio, zone->addr, zone->size))
			continue;
		list_move(&old->link, &gone);
		WRITE_ONCE(co->nr[zone->pio], co->nr[zone->pio] - 1);
	}
	spin_unlock(&co->lock);
	list_for_each_entry_safe(old, next, &gone, link)
		kfree(old);
	return 0;
}

static bool ring_put(struct coalesced *co, bool pio, u64 addr, u32 len, const void *data)
{
	struct kvm_coalesced_mmio_ring *ring = page_address(co->page);
	u32 last = READ_ONCE(ring->last), next;
	struct kvm_coalesced_mmio *slot;

	lockdep_assert_held(&co->lock);
	if (last >= KVM_COALESCED_MMIO_MAX)
		return false;
	last = array_index_nospec(last, KVM_COALESCED_MMIO_MAX);
	/* One entry stays free, so that a full ring does not look like an empty one. */
	next = (last + 1) % KVM_COALESCED_MMIO_MAX;
	if (next == READ_ONCE(ring->first))
		return false;
	slot = &ring->coalesced_mmio[last];
	slot->phys_addr = addr;
	slot->len = len;
	slot->pio = pio;
	memcpy(slot->data, data, len);
	/* Who sees the new end sees the entry. */
	smp_store_release(&ring->last, next);
	return true;
}

/*
 * A store of the guest, of @len bytes (at most 8), in none of its memory.  True: it is done, in the
 * ring.  Any context that may take a spinlock.
 */
bool coalesced_store(struct coalesced *co, bool pio, u64 addr, u32 len, const void *data)
{
	struct coalesced_zone *zone;
	bool done = false;

	if (!READ_ONCE(co->nr[pio]) || len > 8)
		return false;
	spin_lock(&co->lock);
	list_for_each_entry(zone, &co->zones, link) {
		if (zone_holds(&zone->zone, pio, addr, len)) {
			done = ring_put(co, pio, addr, len, data);
			break;
		}
	}
	spin_unlock(&co->lock);
	return done;
}
