/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SELFTESTS_STEADY_H
#define SELFTESTS_STEADY_H

#include <stddef.h>

#include "guest.h"

#define STEADY_WORDS 64

/* steady.S: the guest's code, and the address in it at which its breakpoint is */
guest_code_extern(steady_code);
extern const unsigned char steady_break[];

/* Shared with the guest while it runs; what the guest finds wrong is counted, not fatal. */
struct steady {
	uint64_t stop; /* ours to set; the guest halts at the end of its turn */
	uint64_t turns;
	uint64_t sum; /* of 1 .. turns */
	uint64_t errors;
	uint64_t first_error; /* see steady.c */
	uint64_t seed;
	uint64_t fpu_turns;   /* counted by the FPU; there after the halt */
	uint64_t slow_checks; /* of model-specific and debug registers */
	uint8_t scratch[64];
	uint8_t xmm[16][16];
	struct {
		uint64_t number, value;
	} msr[16]; /* ends with number 0 */
	uint64_t dr[4];
	uint64_t dr7;
	uint64_t breaks;  /* the debug exceptions taken */
	uint64_t watched; /* stored to at each slow check: DR3 points here */
	uint64_t table;	  /* where STEADY_WORDS words are; turn n adds n to one of them */
	uint32_t mxcsr;
	uint32_t fcw;
};

_Static_assert(offsetof(struct steady, errors) == 24, "steady.S");
_Static_assert(offsetof(struct steady, first_error) == 32, "steady.S");
_Static_assert(offsetof(struct steady, seed) == 40, "steady.S");
_Static_assert(offsetof(struct steady, fpu_turns) == 48, "steady.S");
_Static_assert(offsetof(struct steady, slow_checks) == 56, "steady.S");
_Static_assert(offsetof(struct steady, scratch) == 64, "steady.S");
_Static_assert(offsetof(struct steady, xmm) == 128, "steady.S");
_Static_assert(offsetof(struct steady, msr) == 384, "steady.S");
_Static_assert(offsetof(struct steady, dr) == 640, "steady.S");
_Static_assert(offsetof(struct steady, dr7) == 672, "steady.S");
_Static_assert(offsetof(struct steady, breaks) == 680, "steady.S");
_Static_assert(offsetof(struct steady, watched) == 688, "steady.S");
_Static_assert(offsetof(struct steady, table) == 696, "steady.S");
_Static_assert(offsetof(struct steady, mxcsr) == 704, "steady.S");
_Static_assert(offsetof(struct steady, fcw) == 708, "steady.S");

void steady_create(struct guest *guest, unsigned int nr_cpus);
volatile struct steady *steady_of(const struct guest *guest, unsigned int cpu);
void steady_await_turns(const struct guest *guest, unsigned int cpu, uint64_t turns);
void steady_stop(const struct guest *guest, unsigned int cpu);
void steady_check(const struct guest *guest, unsigned int cpu);

#endif
