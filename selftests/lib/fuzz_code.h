/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SELFTESTS_FUZZ_CODE_H
#define SELFTESTS_FUZZ_CODE_H

#include "rng.h"

#define FUZZ_CODE_STEP 16 /* bytes from one instruction to the next */

void fuzz_code_one(struct rng *rng, void *to);

#endif
