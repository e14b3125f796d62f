// SPDX-License-Identifier: GPL-2.0-only
/*
 * Exit counts, by the hardware's reason and by the MMU's cause.
 * Invariant: reasons are in ascending order, each once.
 */
#include "counts.h"

#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

/* -ENOTTY: not mkvm. */
int counts_get(struct counts *counts, const struct vcpu *vcpu)
{
	memset(counts, 0, sizeof(*counts));
	counts->sum.nr_reasons = COUNTS_MAX_REASONS;
	counts->sum.reasons = (uintptr_t)counts->reasons;
	return ioctl(vcpu->fd, MKVM_GET_COUNTS, &counts->sum) < 0 ? -errno : 0;
}

static int counts_add_reason(struct counts *total, const struct mkvm_exit_count *add)
{
	uint32_t nr = total->sum.nr_reasons, i = 0;

	while (i < nr && total->reasons[i].reason < add->reason)
		i++;
	if (i < nr && total->reasons[i].reason == add->reason) {
		total->reasons[i].count += add->count;
		return 0;
	}
	if (nr == COUNTS_MAX_REASONS)
		return -E2BIG;
	memmove(&total->reasons[i + 1], &total->reasons[i], (nr - i) * sizeof(*add));
	total->reasons[i] = *add;
	total->sum.nr_reasons++;
	return 0;
}

/* Adds one vCPU's counts to a total that began as all zeros. */
int counts_add(struct counts *total, const struct counts *counts)
{
	uint32_t i;
	int err;

	for (i = 0; i < counts->sum.nr_reasons; i++) {
		err = counts_add_reason(total, &counts->reasons[i]);
		if (err)
			return err;
	}
	total->sum.vendor = counts->sum.vendor;
	total->sum.entries += counts->sum.entries;
	total->sum.exits += counts->sum.exits;
	total->sum.mmu_exits += counts->sum.mmu_exits;
	for (i = 0; i < MKVM_NR_CAUSES; i++)
		total->sum.causes[i] += counts->sum.causes[i];
	return 0;
}

uint64_t counts_of_reason(const struct counts *counts, uint32_t reason)
{
	uint32_t i;

	for (i = 0; i < counts->sum.nr_reasons; i++) {
		if (counts->reasons[i].reason == reason)
			return counts->reasons[i].count;
	}
	return 0;
}
