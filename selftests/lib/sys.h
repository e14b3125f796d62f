/* SPDX-License-Identifier: GPL-2.0-only */
/* The host kernel's files: settings, counts, and swap space in compressed memory. */
#ifndef SELFTESTS_SYS_H
#define SELFTESTS_SYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A setting that a test changes, for the time that it runs. */
struct sys_setting {
	const char *path;
	char before[64];
};

bool sys_write(const char *path, const char *text);
bool sys_read(const char *path, char *text, size_t size);
bool sys_set(struct sys_setting *setting, const char *path, const char *text);
void sys_restore(const struct sys_setting *setting);
/* The number behind "@name " at the beginning of a line, as in /proc/vmstat; without, the first. */
uint64_t sys_count(const char *path, const char *name);

bool swap_start(size_t bytes);
void swap_stop(void);
/* Is the page at @at in our address space, or has it been swapped out? */
bool page_is_present(const volatile void *at);
bool page_is_swapped(const volatile void *at);

#endif
