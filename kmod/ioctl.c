// SPDX-License-Identifier: GPL-2.0-only
/*
 * The ABI: three kinds of descriptor, a table of ioctls for each.
 *
 * A row names the ioctl, its handler and what is special.  Direction and size are in the ioctl's
 * number, so the copying stands here once: a handler gets a kernel copy of the argument and what it
 * leaves there goes back if the ioctl reads.  A number that is in no row is -ENOTTY.
 */
#include <linux/fs.h>
#include <linux/kvm.h>
#include <linux/mkvm.h>
#include <linux/uaccess.h>
#include "mkvm.h"
#include "vm_type.h"
#include "x86/x86.h"

/* Copy the argument back although the call failed: it says what would have been right. */
#define ROW_OUT_ON_ERROR BIT(0)
/* The argument must be 0. */
#define ROW_NO_ARG BIT(1)
/* For any thread, also while another one is in KVM_RUN. */
#define ROW_NO_MUTEX BIT(2)
/* The vCPU has to be loaded. */
#define ROW_LOADED BIT(3)

#define ARG_MAX_BYTES 512

/**
 * struct ioctl_row - one ioctl
 * @cmd: its number
 * @flags: ROW_*
 * @call: @obj is what the descriptor stands for; @data the kernel copy of the argument, for ioctls
 *	that carry one; @arg the argument itself.  Returns what the ioctl returns.
 */
struct ioctl_row {
	unsigned int cmd;
	u32 flags;
	long (*call)(void *obj, void *data, unsigned long arg);
};

static const struct ioctl_row *row_find(const struct ioctl_row *rows, unsigned int nr,
					unsigned int cmd)
{
	unsigned int i;

	for (i = 0; i < nr; i++)
		if (rows[i].cmd == cmd)
			return &rows[i];
	return NULL;
}

static long row_call(const struct ioctl_row *row, void *obj, unsigned long arg)
{
	u64 data[ARG_MAX_BYTES / sizeof(u64)];
	size_t size = _IOC_SIZE(row->cmd);
	void __user *user = (void __user *)arg;
	long r;

	if ((row->flags & ROW_NO_ARG) && arg)
		return -EINVAL;
	if (WARN_ON_ONCE(size > sizeof(data)))
		return -ENOTTY;
	memset(data, 0, size);
	if ((_IOC_DIR(row->cmd) & _IOC_WRITE) && copy_from_user(data, user, size))
		return -EFAULT;
	r = row->call(obj, data, arg);
	if (r < 0 && !(row->flags & ROW_OUT_ON_ERROR))
		return r;
	if ((_IOC_DIR(row->cmd) & _IOC_READ) && copy_to_user(user, data, size))
		return -EFAULT;
	return r;
}

/* The system: /dev/mkvm itself. */

static long dev_api_version(void *obj, void *data, unsigned long arg)
{
	return KVM_API_VERSION;
}

static long dev_create_vm(void *obj, void *data, unsigned long arg)
{
	return mkvm_vm_create(arg);
}

static long dev_check_extension(void *obj, void *data, unsigned long arg)
{
	switch (arg) {
	case KVM_CAP_USER_MEMORY:
	case KVM_CAP_DESTROY_MEMORY_REGION_WORKS:
	case KVM_CAP_JOIN_MEMORY_REGIONS_WORKS:
	case KVM_CAP_SYNC_MMU:
	case KVM_CAP_IMMEDIATE_EXIT:
	case KVM_CAP_INTERNAL_ERROR_DATA:
	case KVM_CAP_CHECK_EXTENSION_VM:
		return 1;
	case KVM_CAP_NR_MEMSLOTS:
		return MEMSLOT_MAX;
	case KVM_CAP_NR_VCPUS:
		return min_t(unsigned int, num_online_cpus(), MKVM_MAX_VCPUS);
	case KVM_CAP_MAX_VCPUS:
		return MKVM_MAX_VCPUS;
	case KVM_CAP_MAX_VCPU_ID:
		return MKVM_MAX_VCPU_ID;
	case MKVM_CAP_MMU:
		return vm_type_kinds();
	default:
		return 0;
	}
}

static long dev_vcpu_mmap_size(void *obj, void *data, unsigned long arg)
{
	return MKVM_VCPU_PAGES * PAGE_SIZE;
}

static const struct ioctl_row dev_rows[] = {
	{ KVM_GET_API_VERSION, ROW_NO_ARG, dev_api_version },
	{ KVM_CREATE_VM, 0, dev_create_vm },
	{ KVM_CHECK_EXTENSION, 0, dev_check_extension },
	{ KVM_GET_VCPU_MMAP_SIZE, ROW_NO_ARG, dev_vcpu_mmap_size },
};

static long dev_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	const struct ioctl_row *row = row_find(dev_rows, ARRAY_SIZE(dev_rows), cmd);

	return row ? row_call(row, NULL, arg) : -ENOTTY;
}

const struct file_operations mkvm_dev_fops = {
	.owner = THIS_MODULE,
	.unlocked_ioctl = dev_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.llseek = noop_llseek,
};

/* A VM. */

static long vm_set_memory_region(void *obj, void *data, unsigned long arg)
{
	struct mkvm *vm = obj;

	return memslot_set(&vm->slots, &vm->mmu, data);
}

static long vm_create_vcpu(void *obj, void *data, unsigned long arg)
{
	return arg > U32_MAX ? -EINVAL : mkvm_vcpu_create(obj, arg);
}

static const struct ioctl_row vm_rows[] = {
	{ KVM_CHECK_EXTENSION, 0, dev_check_extension },
	{ KVM_CREATE_VCPU, 0, vm_create_vcpu },
	{ KVM_SET_USER_MEMORY_REGION, 0, vm_set_memory_region },
};

/* The VM is its process's alone, and of no more use once it is dead. */
static bool vm_usable(const struct mkvm *vm)
{
	return vm->mm == current->mm && !mkvm_vm_dead(vm);
}

static long vm_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	const struct ioctl_row *row = row_find(vm_rows, ARRAY_SIZE(vm_rows), cmd);

	if (!vm_usable(file->private_data))
		return -EIO;
	return row ? row_call(row, file->private_data, arg) : -ENOTTY;
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

/* A vCPU. */

static long vcpu_run(void *obj, void *data, unsigned long arg)
{
	return mkvm_vcpu_run(obj);
}

static long vcpu_get_regs(void *obj, void *data, unsigned long arg)
{
	x86_get_regs(obj, data);
	return 0;
}

static long vcpu_set_regs(void *obj, void *data, unsigned long arg)
{
	x86_put_regs(obj, data);
	return 0;
}

static long vcpu_get_sregs(void *obj, void *data, unsigned long arg)
{
	x86_get_sregs(obj, data);
	return 0;
}

static long vcpu_set_sregs(void *obj, void *data, unsigned long arg)
{
	return x86_put_sregs(obj, data);
}

/* Reasons that occurred, in ascending order; at most @room are written.  How many there are. */
static int counts_reasons(const struct mkvm_vcpu *vcpu, struct mkvm_counts *counts, u32 room)
{
	struct mkvm_exit_count __user *user = u64_to_user_ptr(counts->reasons);
	u32 i, nr = 0;

	for (i = 0; i < MKVM_NR_REASONS; i++) {
		struct mkvm_exit_count row = {
			.reason = mkvm_vendor->index_reason(i),
			.count = READ_ONCE(vcpu->counts.exits[i]),
		};

		if (!row.count)
			continue;
		counts->exits += row.count;
		if (room && copy_to_user(user + nr, &row, sizeof(row)))
			return -EFAULT;
		if (room)
			room--;
		nr++;
	}
	return nr;
}

static long vcpu_get_counts(void *obj, void *data, unsigned long arg)
{
	const struct mkvm_vcpu *vcpu = obj;
	struct mkvm_counts *counts = data;
	u32 i, room = counts->nr_reasons;
	int nr;

	if (counts->flags || counts->pad)
		return -EINVAL;
	counts->vendor = mkvm_vendor->vendor;
	counts->entries = READ_ONCE(vcpu->counts.entries);
	counts->mmu_exits = 0;
	memset(counts->causes, 0, sizeof(counts->causes));
	for (i = 0; i < MKVM_NR_CAUSES; i++) {
		counts->causes[i] = READ_ONCE(vcpu->counts.causes[i]);
		counts->mmu_exits += counts->causes[i];
	}
	counts->exits = 0;
	nr = counts_reasons(vcpu, counts, 0);
	counts->nr_reasons = nr;
	if (nr > room)
		return -E2BIG;
	counts->exits = 0;
	nr = counts_reasons(vcpu, counts, room);
	if (nr < 0)
		return nr;
	counts->nr_reasons = min_t(u32, nr, room);
	return 0;
}

static const struct ioctl_row vcpu_rows[] = {
	{ KVM_RUN, ROW_NO_ARG, vcpu_run },
	{ KVM_GET_REGS, ROW_LOADED, vcpu_get_regs },
	{ KVM_SET_REGS, ROW_LOADED, vcpu_set_regs },
	{ KVM_GET_SREGS, ROW_LOADED, vcpu_get_sregs },
	{ KVM_SET_SREGS, ROW_LOADED, vcpu_set_sregs },
	{ MKVM_GET_COUNTS, ROW_NO_MUTEX | ROW_OUT_ON_ERROR, vcpu_get_counts },
};

static long vcpu_row_call(const struct ioctl_row *row, struct mkvm_vcpu *vcpu, unsigned long arg)
{
	long r;

	if (row->flags & ROW_NO_MUTEX)
		return row_call(row, vcpu, arg);
	if (mutex_lock_killable(&vcpu->mutex))
		return -EINTR;
	if (row->flags & ROW_LOADED)
		mkvm_vcpu_load(vcpu);
	r = row_call(row, vcpu, arg);
	if (row->flags & ROW_LOADED)
		mkvm_vcpu_put(vcpu);
	mutex_unlock(&vcpu->mutex);
	return r;
}

static long vcpu_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct mkvm_vcpu *vcpu = file->private_data;
	const struct ioctl_row *row = row_find(vcpu_rows, ARRAY_SIZE(vcpu_rows), cmd);

	if (!vm_usable(vcpu->vm))
		return -EIO;
	return row ? vcpu_row_call(row, vcpu, arg) : -ENOTTY;
}

static vm_fault_t vcpu_page_fault(struct vm_fault *vmf)
{
	struct mkvm_vcpu *vcpu = vmf->vma->vm_file->private_data;

	if (vmf->pgoff >= MKVM_VCPU_PAGES)
		return VM_FAULT_SIGBUS;
	vmf->page = vcpu->pages[vmf->pgoff];
	get_page(vmf->page);
	return 0;
}

static const struct vm_operations_struct vcpu_vm_ops = {
	.fault = vcpu_page_fault,
};

static int vcpu_mmap(struct file *file, struct vm_area_struct *vma)
{
	vma->vm_ops = &vcpu_vm_ops;
	return 0;
}

static int vcpu_release(struct inode *inode, struct file *file)
{
	struct mkvm_vcpu *vcpu = file->private_data;

	mkvm_vm_put(vcpu->vm);
	return 0;
}

const struct file_operations mkvm_vcpu_fops = {
	.owner = THIS_MODULE,
	.release = vcpu_release,
	.unlocked_ioctl = vcpu_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.mmap = vcpu_mmap,
	.llseek = noop_llseek,
};
