/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SELFTESTS_FUZZ_MAKE_H
#define SELFTESTS_FUZZ_MAKE_H

#include "fuzz_args.h"

/*
 * @make: writes a valid argument of the ioctl @cmd on a descriptor of @kind; @buffer has zeroes, or
 * what the ioctl's getter answered
 */
struct fuzz_maker {
	unsigned long cmd;
	enum fd_kind kind;
	void (*make)(struct rng *rng, const struct fuzz_world *world, void *buffer);
};

extern const struct fuzz_maker fuzz_irq_makers[];
extern const size_t fuzz_nr_irq_makers;

void fuzz_make(struct rng *rng, const struct fuzz_world *world, const struct ioctl_info *info,
	       void *buffer);

#endif
