// SPDX-License-Identifier: GPL-2.0-only
/*
 * Numbers and guest-physical addresses that a fuzzer draws: edges rather than any.
 */
#include "fuzz_draw.h"

#define PAGE 0x1000UL

static const uint64_t some_numbers[] = {
	0,
	1,
	2,
	7,
	0x7f,
	0x80,
	0xff,
	0xfff,
	0x1000,
	0xffff,
	0x7fffffff,
	0x80000000,
	0xffffffff,
	0x100000000,
	1UL << 47,
	0x7ffffffff000,
	1UL << 51,
	1UL << 52,
	1UL << 63,
	-1UL,
	-4096UL,
	0xffff888000000000,
	0xffffffff81000000,
};

uint64_t fuzz_number(struct rng *rng)
{
	switch (rng_below(rng, 4)) {
	case 0:
		return 1UL << rng_below(rng, 64);
	case 1:
		return rng_next(rng);
	case 2:
		return (1UL << rng_below(rng, 64)) - 1;
	default:
		return some_numbers[rng_below(rng, sizeof(some_numbers) / 8)];
	}
}

/* Of a page in or near what slots mostly have. */
uint64_t fuzz_gpa(struct rng *rng)
{
	static const uint64_t bases[] = {
		0, 0x100000, 0x200000, 0x40000000, 0xfee00000, 1UL << 36
	};

	return bases[rng_below(rng, 6)] + rng_below(rng, 64) * PAGE;
}
