/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SELFTESTS_FUZZ_ROUND_H
#define SELFTESTS_FUZZ_ROUND_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "fuzz_args.h"
#include "ioctls.h"
#include "lib/kvm_dev.h"

#define FUZZ_MAX_IOCTLS	 256
#define FUZZ_MAX_THREADS 16
#define FUZZ_ROUND_CALLS 4000

/* What rounds tell; in memory that they share with who starts them. */
struct fuzz_tally {
	atomic_ulong calls[FUZZ_MAX_IOCTLS], successes[FUZZ_MAX_IOCTLS]; /* by row of ioctls[] */
	atomic_ulong other; /* what is no ioctl of the table */
	atomic_bool wrong;
	char what[200]; /* the first thing that went wrong */
};

/* The same for all rounds. */
struct fuzz_setup {
	struct fuzz_tally *tally;
	struct fuzz_world world;
	struct kvm_dev device;
	unsigned int nr_threads;
	size_t had[FUZZ_MAX_IOCTLS]; /* rows of ioctls[] that the device knows */
	unsigned int nr_had;
};

void fuzz_round(const struct fuzz_setup *with, uint64_t seed, unsigned long number,
		unsigned long calls) __attribute__((noreturn));

#endif
