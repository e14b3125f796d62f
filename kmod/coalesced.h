/* SPDX-License-Identifier: GPL-2.0-only */
/* Coalesced MMIO and port I/O: stores that user space reads from a ring, later. */
#ifndef MKVM_COALESCED_H
#define MKVM_COALESCED_H

#include <linux/list.h>
#include <linux/mkvm_kvm.h>
#include <linux/mm_types.h>
#include <linux/spinlock.h>

#define MKVM_COALESCED_PAGE KVM_COALESCED_MMIO_PAGE_OFFSET /* in a vCPU's mapping */

/**
 * struct coalesced - a VM's ring and its zones
 * @page: the ring, shared by all vCPUs with user space; immutable pointer
 * @lock: the zones, and who puts something into the ring
 * @zones: of both kinds; @lock
 * @nr: how many there are of each kind: MMIO, port I/O; written under @lock
 */
struct coalesced {
	struct page *page;
	spinlock_t lock;
	struct list_head zones;
	unsigned int nr[2];
};

int coalesced_init(struct coalesced *co) __must_check;
void coalesced_destroy(struct coalesced *co);
int coalesced_register(struct coalesced *co,
		       const struct kvm_coalesced_mmio_zone *zone) __must_check;
int coalesced_unregister(struct coalesced *co,
			 const struct kvm_coalesced_mmio_zone *zone) __must_check;
bool coalesced_store(struct coalesced *co, bool pio, u64 addr, u32 len, const void *data);

#endif /* MKVM_COALESCED_H */
