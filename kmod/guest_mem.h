/* SPDX-License-Identifier: GPL-2.0-only */
/* Guest memory as the kernel reads and writes it: through slots and the process's mapping. */
#ifndef MKVM_GUEST_MEM_H
#define MKVM_GUEST_MEM_H

#include "memslot.h"

int guest_mem_read(struct memslot_table *slots, gpa_t gpa, void *data, size_t len) __must_check;
int guest_mem_write(struct memslot_table *slots, gpa_t gpa, const void *data,
		    size_t len) __must_check;
int guest_mem_put_u32(struct memslot_table *slots, gpa_t gpa, u32 value) __must_check;
int guest_mem_put_u8_nofault(struct memslot_table *slots, gpa_t gpa, u8 value) __must_check;
int guest_mem_exchange(struct memslot_table *slots, gpa_t gpa, const void *old, const void *new,
		       size_t len) __must_check;

#endif /* MKVM_GUEST_MEM_H */
