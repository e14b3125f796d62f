/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Numbers that look random and come again with the same seed.
 */
#ifndef SELFTESTS_RNG_H
#define SELFTESTS_RNG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rng {
	uint64_t state;
};

/* Different for each (seed, stream), and for each seed. */
static inline struct rng rng_seeded(uint64_t seed, uint64_t stream)
{
	return (struct rng){ .state = seed * 0xd1342543de82ef95 + stream };
}

static inline uint64_t rng_next(struct rng *rng)
{
	uint64_t x = rng->state += 0x9e3779b97f4a7c15;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
	x = (x ^ x >> 27) * 0x94d049bb133111eb;
	return x ^ x >> 31;
}

/* 0 .. end - 1 */
static inline uint64_t rng_below(struct rng *rng, uint64_t end)
{
	return rng_next(rng) % end;
}

static inline bool rng_chance(struct rng *rng, unsigned int percent)
{
	return rng_below(rng, 100) < percent;
}

static inline void rng_fill(struct rng *rng, void *to, size_t size)
{
	unsigned char *bytes = to;

	while (size--)
		*bytes++ = rng_next(rng);
}

#endif
