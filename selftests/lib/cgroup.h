/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Whether all memory that the kernel got for somebody has been given back.
 *
 * A memory cgroup outlives its removal for as long as any page or object that was charged to it is
 * held.  So: make one, let a process enter it and end, and see whether the cgroup goes.
 */
#ifndef SELFTESTS_CGROUP_H
#define SELFTESTS_CGROUP_H

#include <stdbool.h>

bool cgroup_make(const char *name);
bool cgroup_enter(const char *name);
bool cgroup_remove(const char *name);
bool cgroup_ends(const char *name);

#endif
