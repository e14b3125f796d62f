// SPDX-License-Identifier: GPL-2.0-only
#include "causes.h"

#include <string.h>

#include "lib/names.h"

void causes_begin(struct causes *causes, const struct guest *guest)
{
	memset(causes, 0, sizeof(*causes));
	causes->guest = guest;
	guest_counts(guest, 0, &causes->before);
}

void causes_expect(struct causes *causes, enum mkvm_mmu_cause cause, uint64_t n)
{
	causes->expected[cause] += n;
}

void causes_check(struct causes *causes, const char *what, int line)
{
	static struct counts after;
	unsigned int i;

	guest_counts(causes->guest, 0, &after);
	for (i = 0; i < MKVM_NR_CAUSES; i++) {
		uint64_t n = after.sum.causes[i] - causes->before.sum.causes[i];

		EXPECT(n == causes->expected[i], "line %d: %s: %s: %llu exits, not %llu", line,
		       what, name_of_cause(i), (unsigned long long)n,
		       (unsigned long long)causes->expected[i]);
	}
	memset(causes->expected, 0, sizeof(causes->expected));
	causes->before = after;
}
