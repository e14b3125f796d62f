// SPDX-License-Identifier: GPL-2.0-only
/*
 * Never comes back from being loaded. For the test of the harness. The parameter says how:
 *   dead   loops with interrupts off: with one processor nothing in the host can tell
 *   loop   loops with preemption off: a soft lockup for the watchdog
 *   sleep  sleeps and cannot be woken: a hung task for the watchdog
 */

#include <linux/init.h>
#include <linux/irqflags.h>
#include <linux/module.h>
#include <linux/preempt.h>
#include <linux/processor.h>
#include <linux/sched.h>
#include <linux/string.h>

static char *how = "dead";
module_param(how, charp, 0444);
MODULE_PARM_DESC(how, "dead, loop or sleep");

static int __init host_hang_init(void)
{
	if (!strcmp(how, "dead")) {
		pr_info("host_hang: dead from here on\n");
		local_irq_disable();
	} else if (!strcmp(how, "loop")) {
		preempt_disable();
	} else if (!strcmp(how, "sleep")) {
		for (;;) {
			set_current_state(TASK_UNINTERRUPTIBLE);
			schedule();
		}
	} else {
		pr_err("host_hang: how=%s is none of dead, loop, sleep\n", how);
		return -EINVAL;
	}
	for (;;)
		cpu_relax();
}

static void __exit host_hang_exit(void)
{
}

module_init(host_hang_init);
module_exit(host_hang_exit);
MODULE_DESCRIPTION("Hangs as it is loaded");
MODULE_LICENSE("GPL");
