// SPDX-License-Identifier: GPL-2.0-only
/*
 * The module: finds out which processor it is on, and registers /dev/mkvm.
 */
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/mmu_notifier.h>
#include <asm/cpufeature.h>
#include <asm/processor.h>
#include "mkvm.h"
#include "vm_type.h"
#include "x86/x86.h"

const struct vendor_ops *mkvm_vendor __ro_after_init;

static struct miscdevice mkvm_dev = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "mkvm",
	.mode = 0660,
	.fops = &mkvm_dev_fops,
};

static bool kvm_device;
module_param(kvm_device, bool, 0444);
MODULE_PARM_DESC(kvm_device, "register the device as /dev/kvm too, where no kvm has that name");

/* The same device under the name and number that clients of KVM know. */
static struct miscdevice mkvm_kvm_dev = {
	.minor = KVM_MINOR,
	.name = "kvm",
	.mode = 0660,
	.fops = &mkvm_dev_fops,
};

/* 0, or a negative errno with nothing registered. */
static int __init devices_register(void)
{
	int r = misc_register(&mkvm_dev);

	if (r) {
		pr_err("mkvm: cannot register /dev/mkvm: %d\n", r);
		return r;
	}
	if (!kvm_device)
		return 0;
	r = misc_register(&mkvm_kvm_dev);
	if (!r)
		return 0;
	if (r == -EBUSY)
		pr_err("mkvm: kvm_device=1, but /dev/kvm is another's: unload that first (modprobe -r kvm_intel or kvm_amd), or load mkvm without kvm_device\n");
	else
		pr_err("mkvm: cannot register /dev/kvm: %d\n", r);
	misc_deregister(&mkvm_dev);
	return r;
}

/*
 * The processor is asked, and not the kernel: that forgets the extension when the firmware has
 * switched it off, which deserves a message of its own.
 */
static const struct vendor_ops *__init find_vendor(void)
{
	if (cpuid_ecx(1) & BIT(X86_FEATURE_VMX & 31))
		return &vmx_vendor_ops;
	if (cpuid_eax(0x80000000) >= 0x80000001 &&
	    (cpuid_ecx(0x80000001) & BIT(X86_FEATURE_SVM & 31)))
		return &svm_vendor_ops;
	return NULL;
}

/* What the processor says, and not what the kernel has left of it for memory encryption. */
static int __init physical_address_bits(void)
{
	if (cpuid_eax(0x80000000) >= 0x80000008)
		return cpuid_eax(0x80000008) & 0xff;
	return boot_cpu_data.x86_phys_bits;
}

static int __init mkvm_init(void)
{
	int r;

	mkvm_vendor = find_vendor();
	if (!mkvm_vendor) {
		pr_err("mkvm: this processor has neither VT-x (VMX) nor AMD-V (SVM); if it is a virtual one, its hypervisor has to offer it\n");
		return -EOPNOTSUPP;
	}
	r = mkvm_vendor->setup(&mkvm_mmu_caps);
	if (r)
		return r;
	r = mkvm_kick_init();
	if (r)
		goto teardown;
	r = irqfd_init();
	if (r)
		goto kick_exit;
	mkvm_mmu_caps.phys_bits = physical_address_bits();
	r = x86_host_init();
	if (r)
		goto irqfd_exit;
	r = x86_kvmclock_init();
	if (r)
		goto host_exit;
	x86_cpuid_setup_xstates();
	x86_cpuid_setup_features();
	x86_spec_setup();
	mkvm_debugfs_init();
	r = devices_register();
	if (r)
		goto debugfs_exit;
	pr_info("mkvm: %s, second table %s of %d levels\n", mkvm_vendor->name,
		mkvm_vendor->vendor == MKVM_VENDOR_VMX ? "EPT" : "NPT", mkvm_mmu_caps.levels);
	return 0;

debugfs_exit:
	mkvm_debugfs_exit();
	x86_kvmclock_exit();
host_exit:
	x86_host_exit();
irqfd_exit:
	irqfd_exit();
kick_exit:
	mkvm_kick_exit();
teardown:
	mkvm_vendor->teardown();
	return r;
}

static void __exit mkvm_exit(void)
{
	if (kvm_device)
		misc_deregister(&mkvm_kvm_dev);
	misc_deregister(&mkvm_dev);
	mkvm_debugfs_exit();
	x86_kvmclock_exit();
	x86_host_exit();
	irqfd_exit();
	mkvm_kick_exit();
	mkvm_vendor->teardown();
	/* Callbacks of notifiers that were unregistered may still be on their way. */
	mmu_notifier_synchronize();
}

module_init(mkvm_init);
module_exit(mkvm_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("mini-KVM: virtual machines with two MMUs");
MODULE_AUTHOR("The mkvm authors");
