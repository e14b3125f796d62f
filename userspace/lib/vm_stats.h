/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MKVM_USER_VM_STATS_H
#define MKVM_USER_VM_STATS_H

#include <stdint.h>

#include "vm.h"

int vm_stats_get(const struct vm *vm, const char *name, uint64_t *value);

#endif
