/* SPDX-License-Identifier: GPL-2.0-only */
/* Operations on all entries of a range of guest frames. */
#ifndef MKVM_MMU_PT_RANGE_H
#define MKVM_MMU_PT_RANGE_H

#include "mmu/pt_iter.h"

bool pt_split(struct pt_iter *it, struct pt_cache *cache, u32 more);
struct mmu_debt pt_range_zap(struct mmu_backend *be, const struct memslot *slot, gfn_t start,
			     gfn_t end, bool *found) __must_check;
struct mmu_debt pt_range_zap_slowly(struct mmu_backend *be,
				    const struct memslot *slot) __must_check;
struct mmu_debt pt_range_watch(struct mmu_backend *be, gfn_t start,
			       unsigned long mask) __must_check;
struct mmu_debt pt_range_watch_slowly(struct mmu_backend *be, gfn_t start, gfn_t end) __must_check;
void pt_range_collect_slowly(struct mmu_backend *be, const struct memslot *slot, gfn_t start,
			     gfn_t end);
gfn_t pt_range_split_slowly(struct mmu_backend *be, struct pt_cache *cache, gfn_t start, gfn_t end);
struct mmu_debt pt_range_age(struct mmu_backend *be, const struct memslot *slot, gfn_t start,
			     gfn_t end, bool *young) __must_check;
struct mmu_debt pt_range_is_young(struct mmu_backend *be, const struct memslot *slot, gfn_t start,
				  gfn_t end, bool *young) __must_check;
struct mmu_debt pt_range_collapse_slowly(struct mmu_backend *be, const struct memslot *slot,
					 mmu_large_fn large, const void *data) __must_check;
void pt_range_free_all(struct mmu_backend *be);

#endif /* MKVM_MMU_PT_RANGE_H */
