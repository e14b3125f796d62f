// SPDX-License-Identifier: GPL-2.0-only
/*
 * Warns once as it is loaded, and is loaded all the same. For the test of the harness: a run must
 * fail although all that is asked of it succeeds.
 */

#include <linux/bug.h>
#include <linux/init.h>
#include <linux/module.h>

static int __init host_warn_init(void)
{
	WARN(1, "host_warn: as asked\n");
	return 0;
}

static void __exit host_warn_exit(void)
{
}

module_init(host_warn_init);
module_exit(host_warn_exit);
MODULE_DESCRIPTION("Warns as it is loaded");
MODULE_LICENSE("GPL");
