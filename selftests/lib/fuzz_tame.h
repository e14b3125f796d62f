/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SELFTESTS_FUZZ_TAME_H
#define SELFTESTS_FUZZ_TAME_H

#include "fuzz_args.h"

void fuzz_tame(const struct fuzz_world *world, const struct ioctl_info *info, void *buffer);
bool fuzz_is_tamed(const struct ioctl_info *info);

#endif
