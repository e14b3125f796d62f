/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef UNIT_SEED_H
#define UNIT_SEED_H

#include <stdio.h>
#include <stdlib.h>

/* The seed, told so that a run can be had again: SEED=n. */
static inline unsigned long long test_seed(void)
{
	const char *text = getenv("SEED");
	unsigned long long seed = text ? strtoull(text, NULL, 0) : 1;

	printf("# SEED=%llu\n", seed);
	return seed;
}

#endif
