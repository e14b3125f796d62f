/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Every ioctl of KVM on x86, and mkvm's own, as a table: what a sweep or a fuzzer goes through.
 */
#ifndef SELFTESTS_IOCTLS_H
#define SELFTESTS_IOCTLS_H

#include <stdbool.h>
#include <stddef.h>

/* What a descriptor stands for. */
enum fd_kind {
	FD_SYSTEM,
	FD_VM,
	FD_VCPU,
	FD_KINDS
};

/*
 * @size: bytes behind the argument, arrays that follow it included; 0: the argument is a value
 * @get: the ioctl that fills in a valid argument for this one; 0: there is none
 */
struct ioctl_info {
	const char *name;
	unsigned long cmd;
	enum fd_kind kind;
	size_t size;
	unsigned long get;
};

#define IOCTL_MAX_SIZE 0x4000

extern const struct ioctl_info ioctls[];
extern const size_t nr_ioctls;

const struct ioctl_info *ioctl_info(enum fd_kind kind, unsigned long cmd);
bool ioctl_is_had(const struct ioctl_info *info, int fd);

#endif
