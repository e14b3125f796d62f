/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MKVM_USER_VM_H
#define MKVM_USER_VM_H

#include <linux/mkvm_kvm.h>
#include <stdint.h>

#include "kvm_dev.h"

struct vm {
	int fd;
};

int vm_create(struct vm *vm, const struct kvm_dev *dev, unsigned long type);
void vm_close(struct vm *vm);
int vm_set_slot(const struct vm *vm, uint32_t slot, uint64_t gpa, uint64_t size, void *host,
		uint32_t flags);
int vm_set_slot2(const struct vm *vm, const struct kvm_userspace_memory_region2 *region);
int vm_get_dirty_log(const struct vm *vm, uint32_t slot, void *bits);
int vm_clear_dirty_log(const struct vm *vm, uint32_t slot, uint64_t first, uint32_t pages,
		       void *bits);
int vm_set_mmu(const struct vm *vm, unsigned long type);
int vm_enable_cap(const struct vm *vm, uint32_t cap, uint64_t arg);

#endif
