// SPDX-License-Identifier: GPL-2.0-only
/* The list: see paging_quirks.h. */
#include "paging_quirks.h"

#include "host.h"

#define P    1
#define RSVD 8

/* Formats */
#define LONG (1 << FORMAT_LONG)
#define PAE  (1 << FORMAT_PAE)
#define ALL  (LONG | PAE | 1 << FORMAT_32)

/* Of an entry */
#define ACCESSED 0x20
#define GLOBAL	 0x100
#define POINTERS 0x1c6 /* of PAE: bits 1, 2 and 6 to 8 */

static const struct paging_quirk quirks[] = {
	{
		.name = "reserved_not_present",
		.emulator = EMULATOR_QEMU,
		.tdp = true,
		.formats = ALL,
		.has = RSVD | P,
		.lost = P,
	},
	{
		.name = "large_accessed",
		.emulator = EMULATOR_QEMU,
		.tdp = true,
		.formats = LONG,
		.marks = ACCESSED,
	},
	{
		.name = "global_not_reserved",
		.emulator = EMULATOR_QEMU,
		.tdp = true,
		.formats = LONG,
		.lenient = GLOBAL,
	},
	{
		.name = "pointers_not_reserved",
		.emulator = EMULATOR_QEMU,
		.tdp = true,
		.formats = PAE,
		.lenient = POINTERS,
	},
	{
		.name = "pointers_accessed",
		.emulator = EMULATOR_QEMU,
		.tdp = true,
		.formats = PAE,
		.points = ACCESSED,
	},
};

static bool is_here(const struct paging_quirk *quirk, enum paging_format format, bool shadow)
{
	if (!(shadow ? quirk->shadow : quirk->tdp) || !(quirk->formats >> format & 1))
		return false;
	return quirk->emulator == EMULATOR_QEMU ? host_is_qemu() : host_is_bochs();
}

const struct paging_quirk *paging_quirk_next(const struct paging_quirk *last,
					     enum paging_format format, bool shadow)
{
	const struct paging_quirk *quirk = last ? last + 1 : quirks;

	for (; quirk < quirks + sizeof(quirks) / sizeof(quirks[0]); quirk++)
		if (is_here(quirk, format, shadow))
			return quirk;
	return NULL;
}
