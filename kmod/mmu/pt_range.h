/* SPDX-License-Identifier: GPL-2.0-only */
/* Operations on all entries of a range of guest frames. */
#ifndef MKVM_MMU_PT_RANGE_H
#define MKVM_MMU_PT_RANGE_H

#include "mmu/backend.h"

bool pt_range_zap(struct mmu_backend *be, gfn_t start, gfn_t end);
void pt_range_zap_slowly(struct mmu_backend *be, gfn_t start, gfn_t end);
void pt_range_protect(struct mmu_backend *be, gfn_t start, unsigned long mask);
void pt_range_protect_slowly(struct mmu_backend *be, gfn_t start, gfn_t end);
bool pt_range_age(struct mmu_backend *be, gfn_t start, gfn_t end);
bool pt_range_is_young(struct mmu_backend *be, gfn_t start, gfn_t end);

/* Could @level's leaf map @gfn and those around it? */
typedef bool (*pt_large_fn)(const void *data, gfn_t gfn, int level);
void pt_range_collapse_slowly(struct mmu_backend *be, gfn_t start, gfn_t end, pt_large_fn large,
			      const void *data);
void pt_range_free_all(struct mmu_backend *be);

#endif /* MKVM_MMU_PT_RANGE_H */
