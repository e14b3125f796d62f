// SPDX-License-Identifier: GPL-2.0-only
/*
 * The next exit from a guest is one that mkvm has no handler for: no emulated processor leaves a
 * guest for a reason that was not asked for. The vendor's dispatch is left for the function that it
 * would end with, once; so the reason that is reported is the exit's own.
 *
 * /sys/module/host_exit/parameters/done: 1 when that has happened.
 */
#include <linux/atomic.h>
#include <linux/kprobes.h>
#include <linux/module.h>

static int done;
module_param(done, int, 0444);

static unsigned long host_exit_unknown;
static atomic_t host_exit_pending = ATOMIC_INIT(1);

static int host_exit_probed(struct kprobe *probe, struct pt_regs *regs)
{
	if (!atomic_dec_if_positive(&host_exit_pending)) {
		done = 1;
		/* The same argument, the same way back. */
		instruction_pointer_set(regs, host_exit_unknown);
		return 1;
	}
	return 0;
}

static struct kprobe host_exit_probe = {
	.pre_handler = host_exit_probed,
};

/* Where a function is; a probe is the way to ask. */
static int host_exit_find(const char *name, unsigned long *address)
{
	struct kprobe probe = { .symbol_name = name };
	int err = register_kprobe(&probe);

	if (err)
		return err;
	*address = (unsigned long)probe.addr;
	unregister_kprobe(&probe);
	return 0;
}

static int __init host_exit_init(void)
{
	int err = host_exit_find("x86_exit_unknown", &host_exit_unknown);

	if (err)
		return err;
	host_exit_probe.symbol_name =
		boot_cpu_has(X86_FEATURE_SVM) ? "svm_exit_handle" : "vmx_handle_exit";
	return register_kprobe(&host_exit_probe);
}

static void __exit host_exit_exit(void)
{
	unregister_kprobe(&host_exit_probe);
}

module_init(host_exit_init);
module_exit(host_exit_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("makes mkvm see an exit that nobody handles");
