/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What an ioctl is to the module: a row of a table, one table for each kind of descriptor.
 *
 * A row names the ioctl, its handler and what is special.  Direction and size are in the ioctl's
 * number, so the copying stands once, in ioctl_call(): a handler gets a kernel copy of the argument
 * and what it leaves there goes back if the ioctl reads.  Where the argument ends in an array, the
 * copy is what stands before the array, and the handler reads the rest by the user's address.
 */
#ifndef MKVM_IOCTL_H
#define MKVM_IOCTL_H

#include <linux/bits.h>
#include <linux/types.h>

/* Copy the argument back although the call failed: it says what would have been right. */
#define ROW_OUT_ON_ERROR BIT(0)
/* The argument must be 0. */
#define ROW_NO_ARG BIT(1)
/* For any thread, also while another one is in KVM_RUN. */
#define ROW_NO_MUTEX BIT(2)
/* The vCPU has to be loaded. */
#define ROW_LOADED BIT(3)
/* Neither copy the argument in nor out, whatever the number says: the handler does what is due. */
#define ROW_RAW BIT(4)

/**
 * struct ioctl_row - one ioctl
 * @cmd: its number
 * @flags: ROW_*
 * @call: @obj is what the descriptor stands for; @data the kernel copy of the argument, for ioctls
 *	that carry one; @arg the argument itself.  Returns what the ioctl returns.
 */
struct ioctl_row {
	unsigned int cmd;
	u32 flags;
	long (*call)(void *obj, void *data, unsigned long arg);
};

const struct ioctl_row *ioctl_find(const struct ioctl_row *rows, unsigned int nr, unsigned int cmd);
bool ioctl_padding_is_zero(unsigned int cmd, const void *data);
long ioctl_call(const struct ioctl_row *row, void *obj, unsigned long arg);

#endif /* MKVM_IOCTL_H */
