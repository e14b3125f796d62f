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
 * @leaf_always: set in each leaf
 * @leaf_cached: set in each leaf but a device's: ordinary write-back memory
 * @accessed: set in a leaf by the processor when it uses it; 0: the processor does not tell
 * @aged: where there is no @accessed, in an entry that is not present: it was a leaf until the host
 *	asked whether it is in use
 * @dirty: set in a leaf by the processor when it writes there; 0: the processor does not tell
 * @held: ours, in a leaf that allows all that it could but writing, as its frame is a table that is
 *	shadowed; 0: the format has no such leaves
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
	u64 leaf_cached;
	u64 accessed;
	u64 aged;
	u64 dirty;
	u64 held;
	u64 table_always;
	u64 addr;
};

#define PT_SHIFT   9
#define PT_ENTRIES 512u

/*
 * An entry that maps nothing is all zeroes, or pte_fmt.aged: it names no memory that a processor
 * could peek at.
 */
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
	u64 v = __sme_set(hfn_to_hpa(hfn)) | fmt->leaf_always | fmt->leaf_cached;

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

/* The same leaf for a device's frame: not cached, and not encrypted by the host. */
static inline hpte_t hpte_make_device(const struct pte_fmt *fmt, hpte_t pte)
{
	return (hpte_t){ __sme_clr(pte.v & ~fmt->leaf_cached) };
}

/*
 * The same leaf as the processor leaves it after a use, and a write if @dirty.  Set in advance
 * where the access is about to come, it saves the processor a store to the table.
 */
static inline hpte_t hpte_touch(const struct pte_fmt *fmt, hpte_t pte, bool dirty)
{
	return (hpte_t){ pte.v | fmt->accessed | (dirty ? fmt->dirty : 0) };
}

static inline bool hpte_accessed(const struct pte_fmt *fmt, hpte_t pte)
{
	return hpte_present(fmt, pte) && (pte.v & fmt->accessed);
}

static inline bool hpte_dirty(const struct pte_fmt *fmt, hpte_t pte)
{
	return hpte_present(fmt, pte) && (pte.v & fmt->dirty);
}

/* The same entry as if nothing had been written by it. */
static inline hpte_t hpte_clean(const struct pte_fmt *fmt, hpte_t pte)
{
	return (hpte_t){ pte.v & ~fmt->dirty };
}

/* @new with what the processor has told of @old, which maps the same frame. */
static inline hpte_t hpte_keep_touched(const struct pte_fmt *fmt, hpte_t new, hpte_t old)
{
	return (hpte_t){ new.v | (old.v & (fmt->accessed | fmt->dirty)) };
}

/* The leaf number @i of the table that maps what the leaf @pte of @level maps; allows @access. */
static inline hpte_t hpte_split(const struct pte_fmt *fmt, hpte_t pte, int level, unsigned int i,
				u32 access)
{
	hfn_t hfn = (hpte_addr(fmt, pte) >> PAGE_SHIFT) + i * pt_span(level - 1);
	hpte_t piece = hpte_make_leaf(fmt, hfn, level - 1, access);

	return hpte_keep_touched(fmt, piece, pte);
}

/* The same entry without the permission to write. */
static inline hpte_t hpte_deny_write(const struct pte_fmt *fmt, hpte_t pte)
{
	return (hpte_t){ pte.v & ~fmt->grant_w };
}

/* The same, with a note that nothing else forbids it. */
static inline hpte_t hpte_hold(const struct pte_fmt *fmt, hpte_t pte)
{
	return (hpte_t){ (pte.v & ~fmt->grant_w) | fmt->held };
}

static inline bool hpte_is_held(const struct pte_fmt *fmt, hpte_t pte)
{
	return hpte_present(fmt, pte) && (pte.v & fmt->held);
}

/* The entry that hpte_hold() was given. */
static inline hpte_t hpte_let_go(const struct pte_fmt *fmt, hpte_t pte)
{
	return (hpte_t){ (pte.v & ~fmt->held) | fmt->grant_w };
}

static inline hpte_t hpte_make_table(const struct pte_fmt *fmt, hpa_t table)
{
	return (hpte_t){ __sme_set(table) | fmt->table_always };
}

#endif /* MKVM_MMU_PTE_H */
