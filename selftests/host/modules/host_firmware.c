// SPDX-License-Identifier: GPL-2.0-only
/*
 * A firmware that has the virtualisation extension locked off, as far as one can be had: neither
 * emulator's processor can be set so. While this module is loaded, the two registers that say so
 * read as such a firmware leaves them. Everybody's reads of them go by a function of the kernel's
 * (where it can run under Xen, as Debian's can), and its answer is changed here.
 *
 * /sys/module/host_firmware/parameters/reads: how many reads were answered so.
 */
#include <linux/kprobes.h>
#include <linux/module.h>
#include <linux/string.h>
#include <asm/msr-index.h>
#include <asm/svm.h>

#define HOST_FIRMWARE_VM_CR_LOCK BIT(3)

static int reads;
module_param(reads, int, 0444);

/* What native_read_msr_safe() was asked: the register, and where the error goes. */
struct host_firmware_read {
	unsigned int msr;
	int *error;
};

static int host_firmware_entry(struct kretprobe_instance *instance, struct pt_regs *regs)
{
	struct host_firmware_read *read = (void *)instance->data;

	read->msr = regs->di;
	read->error = (int *)regs->si;
	/* Nonzero: the return is of no interest. */
	return read->msr != MSR_IA32_FEAT_CTL && read->msr != MSR_VM_CR;
}

static int host_firmware_return(struct kretprobe_instance *instance, struct pt_regs *regs)
{
	struct host_firmware_read *read = (void *)instance->data;

	if (read->msr == MSR_IA32_FEAT_CTL)
		regs->ax = FEAT_CTL_LOCKED;
	else
		regs->ax = HOST_FIRMWARE_VM_CR_LOCK | SVM_VM_CR_SVM_DIS_MASK;
	*read->error = 0;
	reads++;
	return 0;
}

static struct kretprobe host_firmware_probe = {
	.kp.symbol_name = "native_read_msr_safe",
	.entry_handler = host_firmware_entry,
	.handler = host_firmware_return,
	.data_size = sizeof(struct host_firmware_read),
};

static int __init host_firmware_init(void)
{
	return register_kretprobe(&host_firmware_probe);
}

static void __exit host_firmware_exit(void)
{
	unregister_kretprobe(&host_firmware_probe);
}

module_init(host_firmware_init);
module_exit(host_firmware_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("lets a host's processor look as if the firmware had its extension off");
