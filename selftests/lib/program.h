/* SPDX-License-Identifier: GPL-2.0-only */
/* Guests' programs from guest/, as they lie in memory: a test has no reader of ELF files. */
#ifndef SELFTESTS_PROGRAM_H
#define SELFTESTS_PROGRAM_H

#include "guest.h"

#define PROGRAM_LOAD 0x100000UL /* where each of them was linked to */

/* Reads guest/@name, beside the test, into @guest's memory. */
void program_load(const struct guest *guest, const char *name);
/* CPU 0 is about to call the program's guest_main() with these arguments; then it halts. */
void program_begin(struct guest *guest, uint64_t rdi, uint64_t rsi);

#endif
