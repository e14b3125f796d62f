/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MKVM_USER_STATS_H
#define MKVM_USER_STATS_H

#include "machine.h"

void stats_print(const struct machine *machine);

#endif
