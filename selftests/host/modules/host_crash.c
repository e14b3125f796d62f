// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a crash makes of the virtualisation extension: a line on the console for each processor on
 * which the crashing kernel has had it switched off, before and after. An emulated machine restarts
 * with the extension on as well, so that its restarting shows nothing.
 */
#include <linux/kprobes.h>
#include <linux/module.h>
#include <linux/smp.h>
#include <asm/msr.h>
#include <asm/processor.h>
#include <asm/tlbflush.h>

static bool host_crash_extension_on(void)
{
	u64 efer;

	if (native_read_cr4() & X86_CR4_VMXE)
		return true;
	rdmsrl(MSR_EFER, efer);
	return efer & EFER_SVME;
}

static int host_crash_entry(struct kretprobe_instance *instance, struct pt_regs *regs)
{
	*(bool *)instance->data = host_crash_extension_on();
	return 0;
}

static int host_crash_return(struct kretprobe_instance *instance, struct pt_regs *regs)
{
	pr_emerg("host_crash: CPU %d: extension %s, then %s\n", raw_smp_processor_id(),
		 *(bool *)instance->data ? "on" : "off", host_crash_extension_on() ? "on" : "off");
	return 0;
}

static struct kretprobe host_crash_probe = {
	.kp.symbol_name = "cpu_emergency_disable_virtualization",
	.entry_handler = host_crash_entry,
	.handler = host_crash_return,
	.data_size = sizeof(bool),
};

static int __init host_crash_init(void)
{
	return register_kretprobe(&host_crash_probe);
}

module_init(host_crash_init);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("tells what a crash makes of VMX and SVM");
