/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Host page-table entries: a format as data, and what can be said of an entry with it.
 *
 * A format belongs to a backend, never to the module: EPT, NPT and shadow tables live side by side.
 * All formats here have 512 entries a table and tables of one page.  Level 1 maps 4 KiB.
 */
#ifndef MKVM_MMU_PTE_H
#define MKVM_MMU_PTE_H

#include <linux/bits.h>
#include <linux/io.h>
#include <linux/mem_encrypt.h>
#include "types.h"

/**
 * struct pte_fmt - the bits of an entry
 * @name: for people
 * @present: an entry with any of these set is present
 * @grant_r: set to allow reading
 * @grant_w: set to allow writing
 * @grant_x: set to allow instruction fetches; 0 where @deny_x rules them
 * @grant_u: set to allow access by user mode; 0: the format knows no user mode
 * @deny_x: set to forbid instruction fetches
 * @leaf: set above level 1 when the entry maps memory itself
 * @leaf_always: set in each leaf: ordinary write-back memory, accessed and dirty where the
 *	processor shall not spend a walk on setting them
 * @table_always: set in each entry that names a table
 * @addr: the physical address
 */
struct pte_fmt {
	const char *name;
	u64 present;
	u64 grant_r;
	u64 grant_w;
	u64 grant_x;
	u64 grant_u;
	u64 deny_x;
	u64 leaf;
	u64 leaf_always;
	u64 table_always;
	u64 addr;
};

#define PT_SHIFT   9
#define PT_ENTRIES 512u

/* An entry that maps nothing is all zeroes: it names no memory that a processor could peek at. */
#define HPTE_NONE ((hpte_t){ 0 })

/* How many frames an entry of @level spans. */
static inline gfn_t pt_span(int level)
{
	return 1ull << (PT_SHIFT * (level - 1));
}

static inline unsigned int pt_index(gfn_t gfn, int level)
{
	return (gfn >> (PT_SHIFT * (level - 1))) & (PT_ENTRIES - 1);
}

static inline bool hpte_present(const struct pte_fmt *fmt, hpte_t pte)
{
	return pte.v & fmt->present;
}

static inline bool hpte_is_leaf(const struct pte_fmt *fmt, hpte_t pte, int level)
{
	return hpte_present(fmt, pte) && (level == 1 || (pte.v & fmt->leaf));
}

static inline bool hpte_is_table(const struct pte_fmt *fmt, hpte_t pte, int level)
{
	return hpte_present(fmt, pte) && level > 1 && !(pte.v & fmt->leaf);
}

static inline hpa_t hpte_addr(const struct pte_fmt *fmt, hpte_t pte)
{
	return __sme_clr(pte.v & fmt->addr);
}

/* The table that a table entry names. */
static inline hpte_t *hpte_table(const struct pte_fmt *fmt, hpte_t pte)
{
	return phys_to_virt(hpte_addr(fmt, pte));
}

/* ACC_* that the entry by itself allows. */
static inline u32 hpte_access(const struct pte_fmt *fmt, hpte_t pte)
{
	u32 access = 0;

	if (!hpte_present(fmt, pte))
		return 0;
	if (pte.v & fmt->grant_r)
		access |= ACC_R;
	if (pte.v & fmt->grant_w)
		access |= ACC_W;
	if (fmt->deny_x ? !(pte.v & fmt->deny_x) : (pte.v & fmt->grant_x) != 0)
		access |= ACC_X;
	if (!fmt->grant_u || (pte.v & fmt->grant_u))
		access |= ACC_U;
	return access;
}

static inline hpte_t hpte_make_leaf(const struct pte_fmt *fmt, hfn_t hfn, int level, u32 access)
{
	u64 v = __sme_set(hfn_to_hpa(hfn)) | fmt->leaf_always;

	if (level > 1)
		v |= fmt->leaf;
	if (access & ACC_R)
		v |= fmt->grant_r;
	if (access & ACC_W)
		v |= fmt->grant_w;
	if (access & ACC_X)
		v |= fmt->grant_x;
	else
		v |= fmt->deny_x;
	if (access & ACC_U)
		v |= fmt->grant_u;
	return (hpte_t){ v };
}

/* The same entry without the permission to write. */
static inline hpte_t hpte_deny_write(const struct pte_fmt *fmt, hpte_t pte)
{
	return (hpte_t){ pte.v & ~fmt->grant_w };
}

static inline hpte_t hpte_make_table(const struct pte_fmt *fmt, hpa_t table)
{
	return (hpte_t){ __sme_set(table) | fmt->table_always };
}

#endif /* MKVM_MMU_PTE_H */
