// SPDX-License-Identifier: GPL-2.0-only
/*
 * A virtual machine: memory slots (here) and vCPUs (vcpu.c).
 */
#include "vm.h"

#include <errno.h>
#include <linux/mkvm.h>
#include <sys/ioctl.h>
#include <unistd.h>

int vm_create(struct vm *vm, const struct kvm_dev *dev, unsigned long type)
{
	vm->fd = ioctl(dev->fd, KVM_CREATE_VM, type);
	return vm->fd < 0 ? -errno : 0;
}

void vm_close(struct vm *vm)
{
	if (vm->fd >= 0)
		close(vm->fd);
	vm->fd = -1;
}

/* The VM runs on that MMU from now on: MKVM_VM_TDP or MKVM_VM_SHADOW. */
int vm_set_mmu(const struct vm *vm, unsigned long type)
{
	return ioctl(vm->fd, MKVM_SET_MMU, type) < 0 ? -errno : 0;
}

/* Creates, moves, changes or (size 0) deletes a slot. */
int vm_set_slot(const struct vm *vm, uint32_t slot, uint64_t gpa, uint64_t size, void *host,
		uint32_t flags)
{
	struct kvm_userspace_memory_region region = {
		.slot = slot,
		.flags = flags,
		.guest_phys_addr = gpa,
		.memory_size = size,
		.userspace_addr = (uintptr_t)host,
	};

	return ioctl(vm->fd, KVM_SET_USER_MEMORY_REGION, &region) < 0 ? -errno : 0;
}

int vm_set_slot2(const struct vm *vm, const struct kvm_userspace_memory_region2 *region)
{
	return ioctl(vm->fd, KVM_SET_USER_MEMORY_REGION2, region) < 0 ? -errno : 0;
}

/* A bit a page of the slot, in whole words of 64. */
int vm_get_dirty_log(const struct vm *vm, uint32_t slot, void *bits)
{
	struct kvm_dirty_log log = { .slot = slot, .dirty_bitmap = bits };

	return ioctl(vm->fd, KVM_GET_DIRTY_LOG, &log) < 0 ? -errno : 0;
}

/* Bit 0 is the page first; of those that are set the log begins anew. */
int vm_clear_dirty_log(const struct vm *vm, uint32_t slot, uint64_t first, uint32_t pages,
		       void *bits)
{
	struct kvm_clear_dirty_log log = {
		.slot = slot,
		.first_page = first,
		.num_pages = pages,
		.dirty_bitmap = bits,
	};

	return ioctl(vm->fd, KVM_CLEAR_DIRTY_LOG, &log) < 0 ? -errno : 0;
}

/* Switches a capability of the VM on; @arg is its first argument. */
int vm_enable_cap(const struct vm *vm, uint32_t cap, uint64_t arg)
{
	struct kvm_enable_cap enable = { .cap = cap, .args = { arg } };

	return ioctl(vm->fd, KVM_ENABLE_CAP, &enable) < 0 ? -errno : 0;
}
