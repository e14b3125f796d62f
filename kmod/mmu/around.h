/* SPDX-License-Identifier: GPL-2.0-only */
/* Fault-around: what else a fault maps. */
#ifndef MKVM_MMU_AROUND_H
#define MKVM_MMU_AROUND_H

#include "mmu/backend.h"

void around_populate(struct mmu_vcpu *mv, const struct mmu_fault *fault);
void around_fill(struct mmu_backend *be, struct mmu_vcpu *mv, const struct mmu_fault *fault);

#endif /* MKVM_MMU_AROUND_H */
