/* SPDX-License-Identifier: GPL-2.0-only */
/* Guest page tables, as the kernel walks them: 32-bit, PAE, 4-level. */
#ifndef MKVM_MMU_GPT_WALK_H
#define MKVM_MMU_GPT_WALK_H

#include "memslot.h"
#include "types.h"

enum gpt_mode {
	GPT_NONE,	/* paging is off: linear is physical */
	GPT_32,
	GPT_PAE,
	GPT_LONG,
};

/**
 * struct gpt_root - where a guest's walk begins
 * @mode: format of the tables
 * @cr3: guest CR3
 * @pse: CR4.PSE: 4 MiB pages in 32-bit tables
 */
struct gpt_root {
	enum gpt_mode mode;
	u64 cr3;
	bool pse;
};

gpa_t gpt_translate(struct memslot_table *slots, const struct gpt_root *root, gva_t gva);

#endif /* MKVM_MMU_GPT_WALK_H */
