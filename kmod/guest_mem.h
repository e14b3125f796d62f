/* SPDX-License-Identifier: GPL-2.0-only */
/* Guest memory as the kernel reads and writes it: through slots and the process's mapping. */
#ifndef MKVM_GUEST_MEM_H
#define MKVM_GUEST_MEM_H

#include "memslot.h"

/**
 * struct guest_store - a store of mkvm's own to guest memory, within one page
 * @user: where it goes
 * @old: an exchange: what has to be there; NULL: just a store
 * @new: what shall be there
 * @len: bytes
 */
struct guest_store {
	void __user *user;
	const void *old;
	const void *new;
	size_t len;
};

/**
 * struct guest_store_watcher - who has to know of stores before they happen
 * @store: makes @store at @gpa, by guest_store_do().  Results of that
 * @put: stores a byte, in any context but an NMI.  0, or -EFAULT: no page is at hand, or it cannot
 *	be told now that nobody has to know of the store
 */
struct guest_store_watcher {
	int (*store)(struct guest_store_watcher *watcher, gpa_t gpa,
		     const struct guest_store *store);
	int (*put)(struct guest_store_watcher *watcher, void __user *user, u8 value);
};

int guest_store_do(const struct guest_store *store) __must_check;

int guest_mem_read(struct memslot_table *slots, gpa_t gpa, void *data, size_t len) __must_check;
int guest_mem_write(struct memslot_table *slots, gpa_t gpa, const void *data,
		    size_t len) __must_check;
int guest_mem_put_u32(struct memslot_table *slots, gpa_t gpa, u32 value) __must_check;
int guest_mem_put_u8_nofault(struct memslot_table *slots, gpa_t gpa, u8 value) __must_check;
int guest_mem_exchange(struct memslot_table *slots, gpa_t gpa, const void *old, const void *new,
		       size_t len) __must_check;
int guest_mem_peek(struct memslot_table *slots, gpa_t gpa, void *data, size_t len) __must_check;

#endif /* MKVM_GUEST_MEM_H */
