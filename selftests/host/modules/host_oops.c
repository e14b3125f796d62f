// SPDX-License-Identifier: GPL-2.0-only
/* Reads through a bad pointer as it is loaded. For the test of the harness. */

#include <linux/compiler.h>
#include <linux/init.h>
#include <linux/module.h>

static int __init host_oops_init(void)
{
	int *nowhere = (int *)16UL;

	OPTIMIZER_HIDE_VAR(nowhere);
	return READ_ONCE(*nowhere);
}

static void __exit host_oops_exit(void)
{
}

module_init(host_oops_init);
module_exit(host_oops_exit);
MODULE_DESCRIPTION("Oopses as it is loaded");
MODULE_LICENSE("GPL");
