// SPDX-License-Identifier: GPL-2.0-only
/*
 * The format of Intel's extended page tables.
 *
 * Bits 2:0 allow read, write and fetch; an entry with none of them is not present.  A leaf carries
 * the memory type (6: write-back) in bits 5:3 and "ignore PAT" in bit 6, so that the guest's PAT
 * cannot make the host's memory uncached; a device's has neither: type 0 is uncached.  Bits 8 and 9
 * are accessed and dirty where the processor keeps them.
 */
#include "mmu/mmu.h"
#include "mmu/pte.h"

#define EPT_READ       BIT_ULL(0)
#define EPT_WRITE      BIT_ULL(1)
#define EPT_EXEC       BIT_ULL(2)
#define EPT_MEMTYPE_WB (6ull << 3)
#define EPT_IGNORE_PAT BIT_ULL(6)
#define EPT_LEAF       BIT_ULL(7)
#define EPT_ACCESSED   BIT_ULL(8)
#define EPT_DIRTY      BIT_ULL(9)
#define EPT_IGNORED    BIT_ULL(52)

#define EPT_COMMON                                                                             \
	.present = EPT_READ | EPT_WRITE | EPT_EXEC, .grant_r = EPT_READ, .grant_w = EPT_WRITE, \
	.grant_x = EPT_EXEC, .leaf = EPT_LEAF, .addr = GENMASK_ULL(51, 12)

static const struct pte_fmt fmt_ept = {
	.name = "EPT",
	EPT_COMMON,
	.leaf_cached = EPT_MEMTYPE_WB | EPT_IGNORE_PAT,
	.aged = EPT_IGNORED,
	.table_always = EPT_READ | EPT_WRITE | EPT_EXEC,
};

static const struct pte_fmt fmt_ept_ad = {
	.name = "EPT with A/D bits",
	EPT_COMMON,
	.leaf_cached = EPT_MEMTYPE_WB | EPT_IGNORE_PAT,
	.accessed = EPT_ACCESSED,
	.dirty = EPT_DIRTY,
	.table_always = EPT_READ | EPT_WRITE | EPT_EXEC | EPT_ACCESSED,
};

/* @ad: the processor keeps accessed and dirty bits in its extended page tables. */
const struct pte_fmt *pte_fmt_ept(bool ad)
{
	return ad ? &fmt_ept_ad : &fmt_ept;
}
