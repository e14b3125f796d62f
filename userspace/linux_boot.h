/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MKVM_USER_LINUX_BOOT_H
#define MKVM_USER_LINUX_BOOT_H

#include <linux/kvm.h>
#include <stdint.h>

#include "file.h"
#include "lib/mem.h"
#include "linux_image.h"

/* A kernel, what it is told, and what it begins with; kept as long as it may boot. */
struct linux_boot {
	const char *cmdline;
	struct file kernel, initrd; /* initrd.size 0: none */
	struct linux_image image;
	uint64_t initrd_gpa;
};

int linux_boot_read(struct linux_boot *boot, const char *kernel, const char *initrd,
		    const char *cmdline, uint64_t mem_size);
void linux_boot_free(struct linux_boot *boot);
int linux_boot_load(const struct linux_boot *boot, const struct mem *mem);
void linux_boot_set(const struct linux_boot *boot, struct kvm_regs *regs, struct kvm_sregs *sregs);

#endif
