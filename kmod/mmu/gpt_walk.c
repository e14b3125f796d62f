// SPDX-License-Identifier: GPL-2.0-only
/*
 * The walk of a guest's page tables.
 *
 * It finds where an address is that the processor has just used itself, an instruction that exited:
 * permissions were checked and accessed bits set by the processor.  The guest may have changed its
 * tables since, so whatever is read is taken as a wish: an entry that is not present, or a table in
 * no slot, ends the walk.
 *
 * Knows no host entry.
 */
#include "guest_mem.h"
#include "mmu/mmu.h"

#define GPTE_PRESENT BIT_ULL(0)
#define GPTE_LARGE   BIT_ULL(7)
#define GPTE_ADDR    GENMASK_ULL(51, 12)
#define GPTE_ADDR_32 GENMASK_ULL(31, 12)
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

/* 0, or -EFAULT: the entry is not in memory. */
static int gpte_read(struct memslot_table *slots, const struct gpt_root *root, gpa_t table,
		     gva_t gva, int level, gpte_t *gpte)
{
	size_t size = root->mode == GPT_32 ? sizeof(u32) : sizeof(u64);
	unsigned int entries = root->mode == GPT_32 ? 1024 : 512;
	u64 index = (gva >> gpt_shift(root->mode, level)) & (entries - 1);

	gpte->v = 0;
	return guest_mem_read(slots, table + index * size, gpte, size);
}

/*
 * The guest-physical address of @gva, or GPA_NONE.  The caller runs in the VM's process and holds a
 * read side of the slots.  May sleep.
 */
gpa_t gpt_translate(struct memslot_table *slots, const struct gpt_root *root, gva_t gva)
{
	gpa_t table = root->cr3 & GPTE_ADDR;
	int level;

	switch (root->mode) {
	case GPT_NONE:
		return gva;
	case GPT_32:
		table = root->cr3 & GPTE_ADDR_32;
		level = 2;
		break;
	case GPT_PAE:
		table = root->cr3 & GENMASK_ULL(31, 5);
		level = 3;
		break;
	default:
		level = 4;
	}
	for (; level; level--) {
		gpte_t gpte;

		if (gpte_read(slots, root, table, gva, level, &gpte) || !(gpte.v & GPTE_PRESENT))
			return GPA_NONE;
		if (level == 1 || gpte_is_large(root, gpte, level))
			return gpte_page(root, gpte, gva, level);
		table = gpte.v & (root->mode == GPT_32 ? GPTE_ADDR_32 : GPTE_ADDR);
	}
	return GPA_NONE;
}
