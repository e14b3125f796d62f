// SPDX-License-Identifier: GPL-2.0-only
/*
 * Numbers that repeat: the same seed gives the same instances.
 */
#include "instance.h"

static uint64_t state = 1;

void random_seed(uint64_t seed)
{
	state = seed * 0xd1342543de82ef95 + 1;
}

uint64_t random_u64(void)
{
	uint64_t z;

	state += 0x9e3779b97f4a7c15;
	z = state;
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

unsigned int random_below(unsigned int limit)
{
	return (random_u64() >> 32) % limit;
}
