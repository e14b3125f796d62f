/* SPDX-License-Identifier: GPL-2.0-only */
/* What the module says of the tables of this process's VMs. */
#ifndef SELFTESTS_AUDIT_H
#define SELFTESTS_AUDIT_H

#include "lib/vm.h"

/* Each has to be right.  Of how many something is said. */
unsigned int audit_vms(void);

/* The linker puts the second ones in the place of the library's (selftests/Makefile). */
int __real_vm_create(struct vm *vm, const struct kvm_dev *dev, unsigned long type);
void __real_vm_close(struct vm *vm);
int __wrap_vm_create(struct vm *vm, const struct kvm_dev *dev, unsigned long type);
void __wrap_vm_close(struct vm *vm);

#endif
