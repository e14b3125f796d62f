/* SPDX-License-Identifier: GPL-2.0-only */
/* What the type of KVM_CREATE_VM means here. */
#ifndef MKVM_VM_TYPE_H
#define MKVM_VM_TYPE_H

#include "mmu/mmu.h"

int vm_type_kind(unsigned long type, enum mmu_kind *kind) __must_check;
u32 vm_type_kinds(void);
u32 vm_type_log_mode(const struct mmu_caps *caps);

#endif /* MKVM_VM_TYPE_H */
