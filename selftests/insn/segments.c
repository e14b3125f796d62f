// SPDX-License-Identifier: GPL-2.0-only
/*
 * Where segments begin, and names.
 *
 * Outside 64-bit mode each segment has a base of its own, so near below the window that 16 bits
 * reach all of it.  In 64-bit mode FS and GS have one; GS wraps around.
 */
#include "instance.h"

uint64_t segment_base(enum try_mode mode, int seg)
{
	static const uint32_t low[NR_SEGS] = {
		[ES] = 0x3c400, [CS] = 0x3d800, [SS] = 0x3c800,
		[DS] = 0x3c000, [FS] = 0x3cc00, [GS] = 0x3d000,
	};

	if (mode != IN_LONG)
		return low[seg];
	if (seg == FS)
		return 0x1f000;
	return seg == GS ? 0xffffffff80000000 : 0;
}

const char *mode_title(enum try_mode mode)
{
	static const char *const titles[] = { "real", "prot16", "prot32", "long" };

	return titles[mode];
}

const char *prefix_title(enum try_prefix prefix)
{
	static const char *const titles[] = {
		"", "lock ", "rep ", "repne ", "es ", "cs ", "ss ", "ds ", "fs ", "gs ", "addr ",
	};

	return titles[prefix];
}

const char *fault_title(enum try_fault fault)
{
	static const char *const titles[] = {
		"no fault", "absent",	 "read-only", "supervisor", "page",
		"limit",    "canonical", "align",     "selector",
	};

	return titles[fault];
}
