// SPDX-License-Identifier: GPL-2.0-only
/*
 * Ioctls of 32-bit processes: their structures that have pointers in them.
 *
 * All others are the same for both, and an argument that is an address is made one by widening.
 */
#include <linux/fs.h>
#include <linux/kvm.h>
#include <linux/mkvm_kvm.h>
#include <linux/uaccess.h>
#include "ioctl.h"
#include "mkvm.h"
#include "x86/x86.h"

/* struct kvm_dirty_log.  The other half of a 64-bit pointer is not looked at. */
struct dirty_log_32 {
	u32 slot;
	u32 padding;
	u32 bitmap;
	u32 unused;
};

/* struct kvm_clear_dirty_log */
struct clear_dirty_log_32 {
	u32 slot;
	u32 num_pages;
	u64 first_page;
	u32 bitmap;
	u32 unused;
};

/* struct kvm_msr_filter, which is shorter, so that the ioctl has another number. */
struct msr_filter_32 {
	u32 flags;
	struct {
		u32 flags;
		u32 nmsrs;
		u32 base;
		u32 bitmap;
	} ranges[KVM_MSR_FILTER_MAX_RANGES];
};

#define SET_MSR_FILTER_32 _IOW(KVMIO, 0xc6, struct msr_filter_32)

static_assert(sizeof(struct dirty_log_32) == sizeof(struct kvm_dirty_log));
static_assert(sizeof(struct clear_dirty_log_32) == sizeof(struct kvm_clear_dirty_log));
static_assert(sizeof(struct msr_filter_32) == 260);

static void __user *pointer(u32 address)
{
	return (void __user *)(unsigned long)address;
}

static long get_dirty_log(struct mkvm *vm, const void __user *arg)
{
	struct dirty_log_32 from;
	struct kvm_dirty_log log;

	if (copy_from_user(&from, arg, sizeof(from)))
		return -EFAULT;
	if (from.padding)
		return -EINVAL;
	log = (struct kvm_dirty_log){ .slot = from.slot, .dirty_bitmap = pointer(from.bitmap) };
	return dirty_log_get(&vm->slots, &vm->mmu, &log);
}

static long clear_dirty_log(struct mkvm *vm, const void __user *arg)
{
	struct clear_dirty_log_32 from;
	struct kvm_clear_dirty_log log;

	if (copy_from_user(&from, arg, sizeof(from)))
		return -EFAULT;
	log = (struct kvm_clear_dirty_log){
		.slot = from.slot,
		.num_pages = from.num_pages,
		.first_page = from.first_page,
		.dirty_bitmap = pointer(from.bitmap),
	};
	return dirty_log_clear(&vm->slots, &vm->mmu, &log);
}

static long set_msr_filter(struct mkvm *vm, const void __user *arg)
{
	struct kvm_msr_filter filter = {};
	struct msr_filter_32 from;
	unsigned int i;

	if (copy_from_user(&from, arg, sizeof(from)))
		return -EFAULT;
	filter.flags = from.flags;
	for (i = 0; i < ARRAY_SIZE(from.ranges); i++)
		filter.ranges[i] = (struct kvm_msr_filter_range){
			.flags = from.ranges[i].flags,
			.nmsrs = from.ranges[i].nmsrs,
			.base = from.ranges[i].base,
			.bitmap = (__force u8 *)pointer(from.ranges[i].bitmap),
		};
	return x86_msr_set_filter(vm, &filter);
}

/* An ioctl on a VM.  May sleep. */
long mkvm_vm_compat_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	void __user *user = pointer(arg);
	struct mkvm *vm = file->private_data;

	switch (cmd) {
	case KVM_GET_DIRTY_LOG:
	case KVM_CLEAR_DIRTY_LOG:
	case SET_MSR_FILTER_32:
		break;
	default:
		return file->f_op->unlocked_ioctl(file, cmd, (unsigned long)user);
	}
	if (!mkvm_vm_usable(vm))
		return -EIO;
	if (cmd == KVM_GET_DIRTY_LOG)
		return get_dirty_log(vm, user);
	return cmd == KVM_CLEAR_DIRTY_LOG ? clear_dirty_log(vm, user) : set_msr_filter(vm, user);
}
