/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MKVM_USER_TERMINAL_H
#define MKVM_USER_TERMINAL_H

#include <stdbool.h>

enum terminal_mode {
	TERMINAL_KEYS, /* single keys, unechoed; ^C and ^Z still mean what they mean */
	TERMINAL_RAW,  /* every key is the guest's */
};

bool terminal_is_ours(int fd);
void terminal_set(int fd, enum terminal_mode mode);
void terminal_restore(void);
void terminal_guard(void);

#endif
