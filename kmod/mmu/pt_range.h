/* SPDX-License-Identifier: GPL-2.0-only */
/* Operations on all entries of a range of guest frames. */
#ifndef MKVM_MMU_PT_RANGE_H
#define MKVM_MMU_PT_RANGE_H

#include "mmu/backend.h"

void pt_range_zap(struct mmu_backend *be, gfn_t start, gfn_t end);
void pt_range_zap_slowly(struct mmu_backend *be, gfn_t start, gfn_t end);
void pt_range_protect(struct mmu_backend *be, gfn_t start, unsigned long mask);
void pt_range_protect_slowly(struct mmu_backend *be, gfn_t start, gfn_t end);
void pt_range_free_all(struct mmu_backend *be);

#endif /* MKVM_MMU_PT_RANGE_H */
