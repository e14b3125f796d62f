// SPDX-License-Identifier: GPL-2.0-only
/*
 * The format of ordinary x86 page tables, as AMD's nested page tables and shadow tables use it.
 *
 * A shadow leaf says by itself what is allowed; a shadow's table entry allows all.
 *
 * The processor walks a nested table as user mode does, so each entry allows user access.  All page
 * attribute bits are zero: the first PAT entry of the host, write-back, which the processor then
 * combines with the guest's own choice; what the host's MTRRs say of a device's addresses goes
 * first.
 */
#include "mmu/mmu.h"
#include "mmu/pte.h"

#define X86_PTE_PRESENT	 BIT_ULL(0)
#define X86_PTE_WRITE	 BIT_ULL(1)
#define X86_PTE_USER	 BIT_ULL(2)
#define X86_PTE_ACCESSED BIT_ULL(5)
#define X86_PTE_DIRTY	 BIT_ULL(6)
#define X86_PTE_LEAF	 BIT_ULL(7)
#define X86_PTE_FREE	 BIT_ULL(9) /* no processor looks at it; PAE paging does from 52 on */
#define X86_PTE_NX	 BIT_ULL(63)

static const struct pte_fmt fmt_npt = {
	.name = "NPT",
	.present = X86_PTE_PRESENT,
	.grant_r = X86_PTE_PRESENT,
	.grant_w = X86_PTE_WRITE,
	.deny_x = X86_PTE_NX,
	.leaf = X86_PTE_LEAF,
	.leaf_always = X86_PTE_PRESENT | X86_PTE_USER,
	.accessed = X86_PTE_ACCESSED,
	.dirty = X86_PTE_DIRTY,
	.table_always = X86_PTE_PRESENT | X86_PTE_WRITE | X86_PTE_USER | X86_PTE_ACCESSED,
	.addr = GENMASK_ULL(51, 12),
};

static const struct pte_fmt fmt_shadow = {
	.name = "shadow",
	.present = X86_PTE_PRESENT,
	.grant_r = X86_PTE_PRESENT,
	.grant_w = X86_PTE_WRITE,
	.grant_u = X86_PTE_USER,
	.deny_x = X86_PTE_NX,
	.leaf = X86_PTE_LEAF,
	.leaf_always = X86_PTE_PRESENT,
	.accessed = X86_PTE_ACCESSED,
	.dirty = X86_PTE_DIRTY,
	.held = X86_PTE_FREE,
	.table_always = X86_PTE_PRESENT | X86_PTE_WRITE | X86_PTE_USER | X86_PTE_ACCESSED,
	.addr = GENMASK_ULL(51, 12),
};

const struct pte_fmt *pte_fmt_shadow(void)
{
	return &fmt_shadow;
}

const struct pte_fmt *pte_fmt_npt(void)
{
	return &fmt_npt;
}
