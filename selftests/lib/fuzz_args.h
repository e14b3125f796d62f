/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Arguments for ioctls: valid ones, valid ones with a few things wrong, garbage, wild pointers.
 */
#ifndef SELFTESTS_FUZZ_ARGS_H
#define SELFTESTS_FUZZ_ARGS_H

#include <linux/kvm.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ioctls.h"
#include "rng.h"

#define FUZZ_MEM_SIZE 0x400000UL /* of the memory that slots name */
#define FUZZ_CODE     0x20000UL	 /* the guests' code in it */
#define FUZZ_CODE_END 0x28000UL
#define FUZZ_MSRS     192
#define FUZZ_EVENTS   4

/* What generators need to know; the same for all threads, and not changed while they run. */
struct fuzz_world {
	char *mem;     /* FUZZ_MEM_SIZE bytes: the guests' */
	char *scratch; /* IOCTL_MAX_SIZE bytes for what the kernel writes where an argument says */
	char *forbidden;	 /* a page before which is memory and in which is none */
	char *readonly;		 /* a page */
	int events[FUZZ_EVENTS]; /* eventfds, which nobody reads */
	int kick;		 /* the signal that gets a thread out of KVM_RUN: never blocked */
	bool no_breakpoints;	 /* the host cannot bear breakpoints of a guest */
	bool interrupts_on;	 /* nor a guest that loops with interrupts off */
	uint32_t msrs[FUZZ_MSRS];
	unsigned int nr_msrs;
	unsigned int cpuid_nent;
	struct kvm_cpuid_entry2 cpuid[256];
};

void fuzz_world_learn(struct fuzz_world *world, int system_fd);
unsigned long fuzz_argument(struct rng *rng, const struct fuzz_world *world,
			    const struct ioctl_info *info, int fd, void *buffer);

#endif
