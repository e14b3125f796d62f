/* SPDX-License-Identifier: GPL-2.0-only */
/* Table pages: got in advance, linked, retired, and freed when no processor can walk them. */
#ifndef MKVM_MMU_PT_PAGE_H
#define MKVM_MMU_PT_PAGE_H

#include "mmu/mmu.h"

int pt_cache_fill(struct pt_cache *cache, unsigned int nr) __must_check;
hpte_t *pt_cache_get(struct pt_cache *cache);
void pt_cache_put(struct pt_cache *cache, hpte_t *table);
void pt_cache_drain(struct pt_cache *cache);

hpte_t *pt_page_alloc(struct mmu_vm *mmu);
hpte_t *pt_page_alloc_low(struct mmu_vm *mmu);
void pt_page_linked(struct mmu_vm *mmu);
void pt_page_free(struct mmu_vm *mmu, hpte_t *table);
void pt_page_retire(struct mmu_vm *mmu, hpte_t *table);
void pt_page_free_list(struct mmu_vm *mmu, struct list_head *pages);

#endif /* MKVM_MMU_PT_PAGE_H */
