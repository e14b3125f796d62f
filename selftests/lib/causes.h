/* SPDX-License-Identifier: GPL-2.0-only */
/* Exits of a vCPU by cause, each of which a test has to claim. */
#ifndef SELFTESTS_CAUSES_H
#define SELFTESTS_CAUSES_H

#include <linux/mkvm.h>

#include "guest.h"

struct causes {
	const struct guest *guest; /* its first CPU */
	struct counts before;
	uint64_t expected[MKVM_NR_CAUSES];
};

/* What was before does not count. */
void causes_begin(struct causes *causes, const struct guest *guest);
/* The next causes_check() is to find @n exits more with @cause. */
void causes_expect(struct causes *causes, enum mkvm_mmu_cause cause, uint64_t n);
/* All exits since the last call have been claimed, and no others: after @what, in line @line. */
void causes_check(struct causes *causes, const char *what, int line);

#endif
