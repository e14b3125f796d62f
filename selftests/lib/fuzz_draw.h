/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SELFTESTS_FUZZ_DRAW_H
#define SELFTESTS_FUZZ_DRAW_H

#include "rng.h"

uint64_t fuzz_number(struct rng *rng);
uint64_t fuzz_gpa(struct rng *rng);

#endif
