/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the emulated hosts' processors get wrong of page faults.  One list for all tests of what
 * page tables permit.  An entry stands for what is the emulator's own: it was seen on stock kvm,
 * too; and a test that should have met it and has not fails.
 */
#ifndef SELFTESTS_PAGING_QUIRKS_H
#define SELFTESTS_PAGING_QUIRKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "guest/paging_case.h"

enum paging_emulator {
	EMULATOR_QEMU,
	EMULATOR_BOCHS,
};

/*
 * struct paging_quirk - one of them
 * @name: to tell it by
 * @emulator: whose it is
 * @tdp, @shadow: guests on which MMU see it
 * @formats: those with tables of these formats, a bit each (enum paging_format)
 * @has: bits that the right code has
 * @lost, @gained: of these bits; as the emulator tells it
 * @marks: bits that a fault sets in the entry of a large page that it ends at
 * @points: bits that a walk sets in PAE's pointers
 * @lenient: these bits of a topmost entry, which are reserved, are ignored
 */
struct paging_quirk {
	const char *name;
	enum paging_emulator emulator;
	bool tdp, shadow;
	uint32_t formats;
	uint32_t has, lost, gained, marks, lenient, points;
};

/* The next one after @last (NULL: the first) of this host, that format and MMU; NULL: none. */
const struct paging_quirk *paging_quirk_next(const struct paging_quirk *last,
					     enum paging_format format, bool shadow);

#endif
