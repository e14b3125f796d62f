/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MKVM_USER_COUNTS_H
#define MKVM_USER_COUNTS_H

#include <linux/mkvm.h>

#include "vcpu.h"

#define COUNTS_MAX_REASONS 256

/* Why a vCPU has left guest mode so far.  Only mkvm can tell. */
struct counts {
	struct mkvm_counts sum;
	struct mkvm_exit_count reasons[COUNTS_MAX_REASONS]; /* sum.nr_reasons of them */
};

int counts_get(struct counts *counts, const struct vcpu *vcpu);
int counts_add(struct counts *total, const struct counts *counts);
uint64_t counts_of_reason(const struct counts *counts, uint32_t reason);

#endif
