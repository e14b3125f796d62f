/* SPDX-License-Identifier: GPL-2.0-only */
/* Guest memory as the kernel reads it: through the slots and the process's address space. */
#ifndef MKVM_GUEST_MEM_H
#define MKVM_GUEST_MEM_H

#include "memslot.h"

int guest_mem_read(struct memslot_table *slots, gpa_t gpa, void *data, size_t len) __must_check;

#endif /* MKVM_GUEST_MEM_H */
