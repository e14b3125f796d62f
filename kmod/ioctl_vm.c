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

static long vm_register_coalesced(void *obj, void *data, unsigned long arg)
{
	struct mkvm *vm = obj;

	return coalesced_register(&vm->coalesced, data);
}

static long vm_unregister_coalesced(void *obj, void *data, unsigned long arg)
{
	struct mkvm *vm = obj;

	return coalesced_unregister(&vm->coalesced, data);
}

/*
 * Three pages below 4 GiB that kvm needs on a processor which cannot run real mode as a guest.  No
 * processor that mkvm runs on needs them.
 */
static long vm_set_tss_addr(void *obj, void *data, unsigned long arg)
{
	return arg > (u32)(-3 * PAGE_SIZE) ? -EINVAL : 0;
}

/* As above, a page of tables.  KVM looks for vCPUs before it looks at the argument. */
static long vm_set_identity_map_addr(void *obj, void *data, unsigned long arg)
{
	struct mkvm *vm = obj;
	u64 addr;
	int r;

	mutex_lock(&vm->lock);
	if (mkvm_vm_has_vcpus(vm))
		r = -EINVAL;
	else
		r = copy_from_user(&addr, (void __user *)arg, sizeof(addr)) ? -EFAULT : 0;
	mutex_unlock(&vm->lock);
	return r;
}

static long vm_set_boot_cpu_id(void *obj, void *data, unsigned long arg)
{
	return mkvm_vm_set_boot_cpu(obj, arg);
}

/* A limit on the memory of page tables; the tables take what they need, and no call tells it. */
static long vm_set_nr_mmu_pages(void *obj, void *data, unsigned long arg)
{
	return arg < 64 ? -EINVAL : 0;
}

static long vm_stats_fd(void *obj, void *data, unsigned long arg)
{
	return mkvm_stats_fd(obj, NULL);
}

static long vm_get_tsc_khz(void *obj, void *data, unsigned long arg)
{
	const struct mkvm *vm = obj;

	return READ_ONCE(vm->tsc_khz);
}

static long vm_set_tsc_khz(void *obj, void *data, unsigned long arg)
{
	return x86_tsc_set_vm_khz(obj, arg);
}

static long vm_get_clock(void *obj, void *data, unsigned long arg)
{
	x86_kvmclock_get(obj, data);
	return 0;
}

static long vm_set_clock(void *obj, void *data, unsigned long arg)
{
	return x86_kvmclock_set(obj, data);
}

static const struct ioctl_row vm_rows[] = {
	{ KVM_CHECK_EXTENSION, 0, vm_check_extension },
	{ KVM_CREATE_VCPU, 0, vm_create_vcpu },
	{ KVM_ENABLE_CAP, 0, vm_enable_cap },
	{ KVM_X86_SET_MSR_FILTER, 0, vm_set_msr_filter },
	{ KVM_GET_TSC_KHZ, 0, vm_get_tsc_khz },
	{ KVM_SET_TSC_KHZ, 0, vm_set_tsc_khz },
	{ KVM_GET_CLOCK, 0, vm_get_clock },
	{ KVM_SET_CLOCK, 0, vm_set_clock },
	{ KVM_SET_USER_MEMORY_REGION, 0, vm_set_memory_region },
	{ KVM_SET_USER_MEMORY_REGION2, 0, vm_set_memory_region2 },
	{ KVM_GET_DIRTY_LOG, 0, vm_get_dirty_log },
	{ KVM_CLEAR_DIRTY_LOG, ROW_RAW, vm_clear_dirty_log },
	{ KVM_REGISTER_COALESCED_MMIO, 0, vm_register_coalesced },
	{ KVM_UNREGISTER_COALESCED_MMIO, 0, vm_unregister_coalesced },
	{ KVM_SET_TSS_ADDR, 0, vm_set_tss_addr },
	{ KVM_SET_IDENTITY_MAP_ADDR, ROW_RAW, vm_set_identity_map_addr },
	{ KVM_SET_BOOT_CPU_ID, 0, vm_set_boot_cpu_id },
	{ KVM_SET_NR_MMU_PAGES, 0, vm_set_nr_mmu_pages },
	{ KVM_GET_STATS_FD, 0, vm_stats_fd },
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
