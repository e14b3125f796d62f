// SPDX-License-Identifier: GPL-2.0-only
/*
 * The walk of a guest's page tables.
 *
 * gpt_translate() finds where an address is that the processor has just used itself, an instruction
 * that exited: permissions were checked and accessed bits set by the processor.  gpt_access() is an
 * access that mkvm makes for the guest: it obeys the tables as the processor does, page fault and
 * accessed and dirty bits included.
 *
 * The guest may change its tables meanwhile, so whatever is read is taken as a wish: an entry that
 * is not present, or a table in no slot, ends the walk.  Knows no host entry.
 */
#include <linux/errno.h>
#include <linux/sched/signal.h>
#include "guest_mem.h"
#include "mmu/gpt_walk.h"

#define GPTE_PRESENT  BIT_ULL(0)
#define GPTE_WRITE    BIT_ULL(1)
#define GPTE_USER     BIT_ULL(2)
#define GPTE_ACCESSED BIT_ULL(5)
#define GPTE_DIRTY    BIT_ULL(6)
#define GPTE_LARGE    BIT_ULL(7)
#define GPTE_GLOBAL   BIT_ULL(8)
#define GPTE_NX	      BIT_ULL(63)
#define GPTE_ADDR     GENMASK_ULL(51, 12)
#define GPTE_ADDR_32  GENMASK_ULL(31, 12)
/* A 4 MiB page: bits 39:32 of the address stand in bits 20:13. */
#define GPTE_ADDR_4M GENMASK_ULL(31, 22)
#define GPTE_PSE36   GENMASK_ULL(20, 13)

/* Bits of the address that an entry of @level leaves to the page, by format. */
static unsigned int gpt_shift(enum gpt_mode mode, int level)
{
	return PAGE_SHIFT + (level - 1) * (mode == GPT_32 ? 10 : 9);
}

static bool gpte_is_large(const struct gpt_root *root, gpte_t gpte, int level)
{
	if (!(gpte.v & GPTE_LARGE))
		return false;
	if (root->mode == GPT_32)
		return level == 2 && root->pse;
	return level == 2 || (level == 3 && root->mode == GPT_LONG);
}

static gpa_t gpte_page(const struct gpt_root *root, gpte_t gpte, gva_t gva, int level)
{
	u64 offset = GENMASK_ULL(gpt_shift(root->mode, level) - 1, 0);

	if (root->mode == GPT_32 && level == 2)
		return (gpte.v & GPTE_ADDR_4M) | (gpte.v & GPTE_PSE36) << (32 - 13) |
		       (gva & offset);
	return (gpte.v & GPTE_ADDR & ~offset) | (gva & offset);
}

static size_t gpte_size(const struct gpt_root *root)
{
	return root->mode == GPT_32 ? sizeof(u32) : sizeof(u64);
}

/* Where the entry for @gva is in a table. */
static gpa_t gpte_address(const struct gpt_root *root, gpa_t table, gva_t gva, int level)
{
	u64 entries = PAGE_SIZE / gpte_size(root);

	return table + ((gva >> gpt_shift(root->mode, level)) & (entries - 1)) * gpte_size(root);
}

/* 0, or as guest_mem_read(): the entry is not in memory. */
static int gpte_read(struct memslot_table *slots, const struct gpt_root *root, gpa_t table,
		     gva_t gva, int level, gpte_t *gpte)
{
	gpte->v = 0;
	if (root->mode == GPT_PAE && level == 3 && root->pdptr) {
		gpte->v = root->pdptr[(gva >> gpt_shift(root->mode, level)) & 3];
		return 0;
	}
	return guest_mem_read(slots, gpte_address(root, table, gva, level), gpte, gpte_size(root));
}

/* The table at which a walk begins, and its level; 0: paging is off. */
static int gpt_start(const struct gpt_root *root, gpa_t *table)
{
	switch (root->mode) {
	case GPT_NONE:
		return 0;
	case GPT_32:
		*table = root->cr3 & GPTE_ADDR_32;
		return 2;
	case GPT_PAE:
		*table = root->cr3 & GENMASK_ULL(31, 5);
		return 3;
	default:
		*table = root->cr3 & GPTE_ADDR;
		return 4;
	}
}

static gpa_t gpte_table(const struct gpt_root *root, gpte_t gpte)
{
	return gpte.v & (root->mode == GPT_32 ? GPTE_ADDR_32 : GPTE_ADDR);
}

static u64 gpte_reserved(const struct gpt_root *root, gpte_t gpte, int level);

/*
 * The guest-physical address of @gva, or GPA_NONE; so with a reserved bit, if those are @checked.
 * The caller runs in the VM's process and holds a read side of the slots.  May sleep.
 */
gpa_t gpt_translate(struct memslot_table *slots, const struct gpt_root *root, gva_t gva,
		    bool checked)
{
	gpa_t table = 0;
	int level = gpt_start(root, &table);

	if (!level)
		return gva;
	for (; level; level--) {
		gpte_t gpte;

		if (gpte_read(slots, root, table, gva, level, &gpte) || !(gpte.v & GPTE_PRESENT))
			return GPA_NONE;
		if (checked && gpte.v & gpte_reserved(root, gpte, level))
			return GPA_NONE;
		if (level == 1 || gpte_is_large(root, gpte, level))
			return gpte_page(root, gpte, gva, level);
		table = gpte_table(root, gpte);
	}
	return GPA_NONE;
}

/* Bits that must be 0 in a present entry. */
static u64 gpte_reserved(const struct gpt_root *root, gpte_t gpte, int level)
{
	u64 high = GENMASK_ULL(51, 0) & (~0ull << root->phys_bits), bits = high;

	if (root->mode == GPT_32) {
		if (level != 2 || !gpte_is_large(root, gpte, level))
			return 0;
		/* Bit 21, and those of bits 39:32 of the address that do not exist. */
		return BIT_ULL(21) | ((high >> (32 - 13)) & GPTE_PSE36);
	}
	/* Bit 5 is one, too, but an emulated processor with nested paging sets it as it walks. */
	if (root->mode == GPT_PAE && level == 3)
		return high | GENMASK_ULL(63, 52) | GENMASK_ULL(8, 6) | GENMASK_ULL(2, 1);
	if (!root->nx)
		bits |= GPTE_NX;
	if (root->mode == GPT_PAE)
		bits |= GENMASK_ULL(62, 52);
	if (level == 4 || (level == 3 && !root->gbpages))
		bits |= GPTE_LARGE;
	if (level == 4 && root->amd)
		bits |= GPTE_GLOBAL;
	/* Below the address of a large page, but for the bit of its memory type. */
	if (level > 1 && gpte_is_large(root, gpte, level))
		bits |= GENMASK_ULL(gpt_shift(root->mode, level) - 1, 13);
	return bits;
}

static u32 fault_code(const struct gpt_root *root, u32 access, u32 cause)
{
	/* Entries of 32 bits have no such bit, whatever EFER says. */
	bool nx = root->nx && root->mode != GPT_32;
	u32 error = cause;

	if (access & ACC_W)
		error |= PF_CODE_WRITE;
	if (access & ACC_U)
		error |= PF_CODE_USER;
	if ((access & ACC_X) && (nx || root->smep))
		error |= PF_CODE_FETCH;
	return error;
}

/* What an entry of @level allows by itself: the four topmost entries of PAE hold no permissions. */
static u32 gpte_access(const struct gpt_root *root, gpte_t gpte, int level)
{
	if (root->mode == GPT_PAE && level == 3)
		return ACC_R | ACC_W | ACC_X | ACC_U;
	return ACC_R | (gpte.v & GPTE_WRITE ? ACC_W : 0) | (gpte.v & GPTE_USER ? ACC_U : 0) |
	       (gpte.v & GPTE_NX ? 0 : ACC_X);
}

static bool walk_allows(const struct gpt_root *root, u32 allowed, u32 access)
{
	bool user = allowed & ACC_U;

	if ((access & ACC_U) && !user)
		return false;
	if ((access & ACC_W) && !(allowed & ACC_W) && (root->wp || (access & ACC_U)))
		return false;
	if (access & ACC_X)
		return (allowed & ACC_X) && !(root->smep && user && !(access & ACC_U));
	return !(root->smap && user && !(access & ACC_U));
}

/*
 * Reads the entries down to the page; walk->leaf is where it ends.  0; 1: a page fault, with its
 * code; -EFAULT: the host cannot supply the table.
 */
static int walk_down(struct memslot_table *slots, const struct gpt_root *root, gva_t gva,
		     u32 access, struct gpt_walk *walk, u32 *error)
{
	u32 allowed = ACC_R | ACC_W | ACC_X | ACC_U;
	gpa_t table = 0;
	int r, level = gpt_start(root, &table);

	walk->top = level;
	for (;; level--) {
		gpte_t *gpte = &walk->gpte[level - 1];

		walk->leaf = level;
		walk->address[level - 1] = gpte_address(root, table, gva, level);
		r = gpte_read(slots, root, table, gva, level, gpte);
		if (r == -EFAULT)
			return r;
		/* A table that is in no slot has no entry. */
		if (r || !(gpte->v & GPTE_PRESENT)) {
			*error = fault_code(root, access, 0);
			return 1;
		}
		if (gpte->v & gpte_reserved(root, *gpte, level)) {
			*error = fault_code(root, access, PF_CODE_PRESENT | PF_CODE_RESERVED);
			return 1;
		}
		allowed &= gpte_access(root, *gpte, level);
		walk->allowed[level - 1] = allowed;
		if (level == 1 || gpte_is_large(root, *gpte, level))
			break;
		table = gpte_table(root, *gpte);
	}
	if (walk_allows(root, allowed, access))
		return 0;
	*error = fault_code(root, access, PF_CODE_PRESENT);
	return 1;
}

/*
 * Sets accessed bits, and the dirty bit for a write, where they are not.  0; -EAGAIN: an entry has
 * changed, the walk is void; -EFAULT: nothing behind it.  Entries in read-only memory stay as
 * they are.
 */
static int walk_mark(struct memslot_table *slots, const struct gpt_root *root, u32 access,
		     struct gpt_walk *walk)
{
	int level, r;

	for (level = walk->top; level >= walk->leaf; level--) {
		gpte_t old = walk->gpte[level - 1], new = old;

		if (root->mode == GPT_PAE && level == 3)
			continue;
		new.v |= GPTE_ACCESSED;
		if (level == walk->leaf && (access & ACC_W))
			new.v |= GPTE_DIRTY;
		if (new.v == old.v)
			continue;
		r = guest_mem_exchange(slots, walk->address[level - 1], &old, &new,
				       gpte_size(root));
		if (r > 0)
			return -EAGAIN;
		if (r && r != -ENOENT)
			return r;
		if (r)
			continue;
		walk->marked |= new.v & ~old.v;
		walk->gpte[level - 1] = new;
	}
	return 0;
}

/*
 * Walks to @gva for an access of ACC_*, with accessed and dirty bits set.  Same context as
 * gpt_translate(); paging is on.  0; 1: a page fault, with its error code; -EFAULT: the host cannot
 * supply a table; -EAGAIN: entries change all the time, and a signal is waiting.
 */
int gpt_walk(struct memslot_table *slots, const struct gpt_root *root, gva_t gva, u32 access,
	     struct gpt_walk *walk, u32 *error)
{
	const gpte_t *leaf;
	int r;

	walk->marked = 0;
	do {
		r = walk_down(slots, root, gva, access, walk, error);
		if (r)
			return r;
		r = walk_mark(slots, root, access, walk);
	} while (r == -EAGAIN && !signal_pending(current));
	if (r)
		return r;
	leaf = &walk->gpte[walk->leaf - 1];
	walk->gpa = gpte_page(root, *leaf, gva, walk->leaf);
	walk->dirty = leaf->v & GPTE_DIRTY;
	return 0;
}

/*
 * Are the entries of @walk still what it saw?  Does not sleep: one that is not at hand counts as
 * changed.  The caller holds a read side of the slots.
 */
bool gpt_walk_is_current(struct memslot_table *slots, const struct gpt_root *root,
			 const struct gpt_walk *walk)
{
	int level;

	for (level = walk->top; level >= walk->leaf; level--) {
		gpte_t gpte = { 0 };

		/* These four are the processor's, read when they were loaded. */
		if (root->mode == GPT_PAE && level == 3 && root->pdptr)
			continue;
		if (guest_mem_peek(slots, walk->address[level - 1], &gpte, gpte_size(root)) ||
		    gpte.v != walk->gpte[level - 1].v)
			return false;
	}
	return true;
}

/* What @gpte, at @level of tables as @root has them, says: see struct gpt_entry. */
void gpt_entry_read(const struct gpt_root *root, gpte_t gpte, int level, struct gpt_entry *entry)
{
	*entry = (struct gpt_entry){ .present = gpte.v & GPTE_PRESENT };
	if (!entry->present || (gpte.v & gpte_reserved(root, gpte, level)))
		entry->present = false;
	entry->leaf = level == 1 || gpte_is_large(root, gpte, level);
	entry->access = gpte_access(root, gpte, level);
	entry->accessed = gpte.v & GPTE_ACCESSED;
	entry->dirty = gpte.v & GPTE_DIRTY;
	entry->gpa = entry->leaf ? gpte_page(root, gpte, 0, level) : gpte_table(root, gpte);
}

/*
 * The guest-physical address of @gva for an access of ACC_*, accessed and dirty bits set.  Same
 * context and results as gpt_walk().
 */
int gpt_access(struct memslot_table *slots, const struct gpt_root *root, gva_t gva, u32 access,
	       gpa_t *gpa, u32 *error)
{
	struct gpt_walk walk;
	int r;

	if (root->mode == GPT_NONE) {
		*gpa = gva;
		return 0;
	}
	r = gpt_walk(slots, root, gva, access, &walk, error);
	if (!r)
		*gpa = walk.gpa;
	return r;
}
