/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MKVM_USER_MMU_CHOICE_H
#define MKVM_USER_MMU_CHOICE_H

#include <stdbool.h>

enum mmu_choice {
	MMU_AUTO, /* as the module's parameter says */
	MMU_TDP,
	MMU_SHADOW,
};

bool mmu_choice_parse(const char *text, void *into);
int mmu_choice_vm_type(enum mmu_choice choice, const char *device, unsigned long *type);

#endif
