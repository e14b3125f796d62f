// SPDX-License-Identifier: GPL-2.0-only
/*
 * Chance: numbers that follow from a seed, or from the bytes that a fuzzer gives.  After the last
 * byte numbers go on from a fixed seed, so that what is under way can end; nothing new begins.
 */
#include "fiber.h"

static uint64_t state;
static const uint8_t *bytes;
static size_t left;
static bool fuzzing;

void draw_seed(uint64_t seed)
{
	state = seed * 0x9e3779b97f4a7c15ull + 0x1234567;
	fuzzing = false;
}

void draw_bytes(const uint8_t *data, size_t size)
{
	draw_seed(1);
	bytes = data;
	left = size;
	fuzzing = true;
}

bool draw_is_over(void)
{
	return fuzzing && !left;
}

/* A number below @n. */
uint32_t draw(uint32_t n)
{
	if (fuzzing && left) {
		uint32_t value = *bytes++;

		left--;
		if (n > 256 && left) {
			value = value << 8 | *bytes++;
			left--;
		}
		return value % n;
	}
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (uint64_t)(uint32_t)(state >> 32) * n >> 32;
}
