/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SELFTESTS_HOST_H
#define SELFTESTS_HOST_H

#include <stdbool.h>

bool host_is_qemu(void);
void host_pin(int cpu);

#endif
