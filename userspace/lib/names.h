/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MKVM_USER_NAMES_H
#define MKVM_USER_NAMES_H

#include <stdint.h>

/* Each answers NULL for a value that has no name. */
const char *name_of_exit(uint32_t kvm_exit_reason);
const char *name_of_hardware_exit(uint32_t vendor, uint32_t reason);
const char *name_of_cause(uint32_t cause);

#endif
