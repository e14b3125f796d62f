// SPDX-License-Identifier: GPL-2.0-only
/*
 * The ioctls of a VM.
 */
#include <linux/fs.h>
#include <linux/mkvm_kvm.h>
#include <linux/string.h>
#include <linux/uaccess.h>
#include "ioctl.h"
#include "mkvm.h"
#include "x86/x86.h"

/* The first structure is the beginning of the second, which knows the same flags here. */
static long vm_set_memory_region(void *obj, void *data, unsigned long arg)
{
	struct kvm_userspace_memory_region2 region = {};
	struct mkvm *vm = obj;

	memcpy(&region, data, sizeof(struct kvm_userspace_memory_region));
	return memslot_set(&vm->slots, &vm->mmu, &region);
}

static long vm_set_memory_region2(void *obj, void *data, unsigned long arg)
{
	struct mkvm *vm = obj;

	return memslot_set(&vm->slots, &vm->mmu, data);
}

static long vm_get_dirty_log(void *obj, void *data, unsigned long arg)
{
	struct mkvm *vm = obj;

	return dirty_log_get(&vm->slots, &vm->mmu, data);
}

/* The ioctl's number promises an answer, but nothing is written back. */
static long vm_clear_dirty_log(void *obj, void *data, unsigned long arg)
{
	struct kvm_clear_dirty_log log;
	struct mkvm *vm = obj;

	if (copy_from_user(&log, (void __user *)arg, sizeof(log)))
		return -EFAULT;
	return dirty_log_clear(&vm->slots, &vm->mmu, &log);
}

static long vm_create_vcpu(void *obj, void *data, unsigned long arg)
{
	return arg > U32_MAX ? -EINVAL : mkvm_vcpu_create(obj, arg);
}

static long vm_check_extension(void *obj, void *data, unsigned long arg)
{
	return mkvm_cap(arg);
}

static long vm_enable_cap(void *obj, void *data, unsigned long arg)
{
	return mkvm_cap_enable(obj, data);
}

static long vm_set_msr_filter(void *obj, void *data, unsigned long arg)
{
	return x86_msr_set_filter(obj, data);
}

static const struct ioctl_row vm_rows[] = {
	{ KVM_CHECK_EXTENSION, 0, vm_check_extension },
	{ KVM_CREATE_VCPU, 0, vm_create_vcpu },
	{ KVM_ENABLE_CAP, 0, vm_enable_cap },
	{ KVM_X86_SET_MSR_FILTER, 0, vm_set_msr_filter },
	{ KVM_SET_USER_MEMORY_REGION, 0, vm_set_memory_region },
	{ KVM_SET_USER_MEMORY_REGION2, 0, vm_set_memory_region2 },
	{ KVM_GET_DIRTY_LOG, 0, vm_get_dirty_log },
	{ KVM_CLEAR_DIRTY_LOG, ROW_RAW, vm_clear_dirty_log },
};

static long vm_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	const struct ioctl_row *row = ioctl_find(vm_rows, ARRAY_SIZE(vm_rows), cmd);

	if (!mkvm_vm_usable(file->private_data))
		return -EIO;
	return row ? ioctl_call(row, file->private_data, arg) : -ENOTTY;
}

static int vm_release(struct inode *inode, struct file *file)
{
	mkvm_vm_put(file->private_data);
	return 0;
}

const struct file_operations mkvm_vm_fops = {
	.owner = THIS_MODULE,
	.release = vm_release,
	.unlocked_ioctl = vm_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.llseek = noop_llseek,
};
