// SPDX-License-Identifier: GPL-2.0-only
/*
 * The ioctls of the system: of /dev/mkvm itself.
 */
#include <linux/fs.h>
#include <linux/kvm.h>
#include "ioctl.h"
#include "mkvm.h"
#include "x86/cpuid.h"
#include "x86/x86.h"

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
	return MKVM_MMAP_PAGES * PAGE_SIZE;
}

static long dev_supported_cpuid(void *obj, void *data, unsigned long arg)
{
	struct kvm_cpuid2 __user *user = (void __user *)arg;

	return x86_cpuid_supported(data, user->entries);
}

static long dev_emulated_cpuid(void *obj, void *data, unsigned long arg)
{
	struct kvm_cpuid2 __user *user = (void __user *)arg;

	return x86_cpuid_emulated(data, user->entries);
}

static long dev_msr_list(void *obj, void *data, unsigned long arg)
{
	struct kvm_msr_list __user *user = (void __user *)arg;

	return x86_msr_list(data, user->indices);
}

static long dev_msr_feature_list(void *obj, void *data, unsigned long arg)
{
	struct kvm_msr_list __user *user = (void __user *)arg;

	return x86_msr_feature_list(data, user->indices);
}

static long dev_get_msrs(void *obj, void *data, unsigned long arg)
{
	struct kvm_msrs __user *user = (void __user *)arg;

	return x86_msr_get_features(data, user->entries);
}

static long dev_mce_cap(void *obj, void *data, unsigned long arg)
{
	*(u64 *)data = x86_mce_cap_offered();
	return 0;
}

static const struct ioctl_row dev_rows[] = {
	{ KVM_GET_API_VERSION, ROW_NO_ARG, dev_api_version },
	{ KVM_CREATE_VM, 0, dev_create_vm },
	{ KVM_CHECK_EXTENSION, 0, dev_check_extension },
	{ KVM_GET_VCPU_MMAP_SIZE, ROW_NO_ARG, dev_vcpu_mmap_size },
	{ KVM_GET_SUPPORTED_CPUID, 0, dev_supported_cpuid },
	{ KVM_GET_EMULATED_CPUID, 0, dev_emulated_cpuid },
	{ KVM_GET_MSR_INDEX_LIST, ROW_OUT_ON_ERROR, dev_msr_list },
	{ KVM_GET_MSR_FEATURE_INDEX_LIST, ROW_OUT_ON_ERROR, dev_msr_feature_list },
	{ KVM_GET_MSRS, 0, dev_get_msrs },
	{ KVM_X86_GET_MCE_CAP_SUPPORTED, 0, dev_mce_cap },
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
