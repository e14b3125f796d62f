// SPDX-License-Identifier: GPL-2.0-only
/*
 * Calls the handler of an ioctl, with its argument copied in and out.
 */
#include <linux/mm.h>
#include <linux/string.h>
#include <linux/uaccess.h>
#include "ioctl.h"

/* Larger arguments are not for the stack. */
#define ARG_STACK_BYTES 512

/* The row of @cmd, or NULL: the caller's -ENOTTY. */
const struct ioctl_row *ioctl_find(const struct ioctl_row *rows, unsigned int nr, unsigned int cmd)
{
	unsigned int i;

	for (i = 0; i < nr; i++)
		if (rows[i].cmd == cmd)
			return &rows[i];
	return NULL;
}

static long call_with(const struct ioctl_row *row, void *obj, unsigned long arg, void *data)
{
	size_t size = _IOC_SIZE(row->cmd);
	void __user *user = (void __user *)arg;
	long r;

	if ((_IOC_DIR(row->cmd) & _IOC_WRITE) && copy_from_user(data, user, size))
		return -EFAULT;
	if (!ioctl_padding_is_zero(row->cmd, data))
		return -EINVAL;
	r = row->call(obj, data, arg);
	if (r < 0 && !(row->flags & ROW_OUT_ON_ERROR))
		return r;
	if ((_IOC_DIR(row->cmd) & _IOC_READ) && copy_to_user(user, data, size))
		return -EFAULT;
	return r;
}

/* Context: may sleep.  What the ioctl returns: the handler's answer, -EFAULT, -ENOMEM, -EINVAL. */
long ioctl_call(const struct ioctl_row *row, void *obj, unsigned long arg)
{
	u64 on_stack[ARG_STACK_BYTES / sizeof(u64)];
	size_t size = _IOC_SIZE(row->cmd);
	void *data;
	long r;

	if ((row->flags & ROW_NO_ARG) && arg)
		return -EINVAL;
	if (row->flags & ROW_RAW)
		return row->call(obj, NULL, arg);
	if (size <= sizeof(on_stack)) {
		memset(on_stack, 0, size);
		return call_with(row, obj, arg, on_stack);
	}
	data = kvzalloc(size, GFP_KERNEL_ACCOUNT);
	if (!data)
		return -ENOMEM;
	r = call_with(row, obj, arg, data);
	kvfree(data);
	return r;
}
