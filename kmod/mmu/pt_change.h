/* SPDX-License-Identifier: GPL-2.0-only */
/* The only stores to live host entries. */
#ifndef MKVM_MMU_PT_CHANGE_H
#define MKVM_MMU_PT_CHANGE_H

#include "mmu/pt_iter.h"

bool pt_try_change(struct pt_iter *it, hpte_t new) __must_check;
bool pt_try_split(struct pt_iter *it, hpte_t *table, u32 more) __must_check;
bool pt_test_and_clear_accessed(struct pt_iter *it);
struct mmu_debt pt_change(struct pt_iter *it, hpte_t new, hpte_t *old) __must_check;
hpte_t pt_take(struct mmu_backend *be, hpte_t *ptep);
void pt_forget(struct mmu_backend *be, hpte_t pte, int level);

#endif /* MKVM_MMU_PT_CHANGE_H */
