// SPDX-License-Identifier: GPL-2.0-only
/*
 * The ioctls of the system: of /dev/mkvm itself.
 */
#include <linux/fs.h>
#include <linux/kvm.h>
#include "ioctl.h"
#include "mkvm.h"

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
	return mkvm_cap(arg);
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
	const struct ioctl_row *row = ioctl_find(dev_rows, ARRAY_SIZE(dev_rows), cmd);

	return row ? ioctl_call(row, NULL, arg) : -ENOTTY;
}

const struct file_operations mkvm_dev_fops = {
	.owner = THIS_MODULE,
	.unlocked_ioctl = dev_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.llseek = noop_llseek,
};
