// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fault-around for shadow tables: a fault that puts a leaf in puts in its neighbours too whose
 * guest entries have been used already (their A bit is set), and whose frames the host has at hand.
 *
 * The neighbours are those in the aligned window around the fault, in one shadow page.  None gets a
 * right that a fault of its own would not give it: W only with the guest's D bit, no log, a frame
 * that the process may write, and no table there.  No accessed or dirty bit of the host's is set.
 * As the caller's fault, all of it happens under the lock for writing, with a shadow page that no
 * flush is owed for: what is read from the guest's table is what is there.
 */
#include "mmu/gpt_walk.h"
#include "mmu/pt_change.h"
#include "mmu/shadow.h"

#define AROUND_MAX 32u

/* What a leaf at entry @i of @sp would map.  False: it must not be there before it is used. */
static bool around_read(struct shadow *shadow, const struct shadow_page *sp, unsigned int i,
			const struct gpt_root *root, gfn_t *gfn, u32 *access)
{
	unsigned int size = sp->role.mode == GPT_32 ? sizeof(u32) : sizeof(u64);
	gpa_t gpa = gfn_to_gpa(sp->gfn) + (sp->role.quadrant * PT_ENTRIES + i) * size;
	struct gpt_entry entry;
	gpte_t gpte = { 0 };

	*access = shadow_access(sp);
	*gfn = sp->gfn + i;
	if (sp->role.direct)
		return true;
	if (guest_mem_peek(shadow_mmu(shadow)->slots, gpa, &gpte, size))
		return false;
	gpt_entry_read(root, gpte, 1, &entry);
	if (!entry.present || !entry.accessed)
		return false;
	*gfn = gpa_to_gfn(entry.gpa);
	*access = shadow_effective(root, *access & entry.access);
	if (!entry.dirty)
		*access &= ~ACC_W;
	return true;
}

static void around_install(struct shadow *shadow, struct shadow_page *sp, unsigned int i, gfn_t gfn,
			   hpte_t leaf)
{
	struct pt_iter it;

	shadow_cursor(shadow, sp, i, &it);
	rmap_add(shadow, sp, i, gfn);
	it.gfn = gfn;
	shadow_change(shadow, &it, leaf);
	atomic_long_inc(&shadow_mmu(shadow)->mapped_around);
}

/* The leaf at entry @i of @sp, if it can be had. */
static void around_map(struct shadow *shadow, struct shadow_page *sp, unsigned int i,
		       const struct gpt_root *root)
{
	struct mmu_vm *mmu = shadow_mmu(shadow);
	struct frame_run run;
	struct memslot *slot;
	bool table;
	u32 access;
	hpte_t leaf;
	gfn_t gfn;
	hva_t hva;

	if (!around_read(shadow, sp, i, root, &gfn, &access))
		return;
	slot = memslot_find(memslots_get(mmu->slots), gfn);
	/* Nothing goes for what nobody has asked for. */
	if (!slot || rmap_is_full(shadow, gfn))
		return;
	hva = memslot_hva(slot, gfn);
	/* What the host takes back right now is not present, whatever its table says. */
	if (mmu_is_invalidating(mmu, hva, hva + PAGE_SIZE))
		return;
	if (memslot_readonly(slot) || memslot_logged(slot))
		access &= ~ACC_W;
	table = wtrack_is_tracked(shadow, hva);
	frame_run_get(&run, hva, 1, access & ACC_W);
	if (!run.writable)
		access &= ~ACC_W;
	if (run.nr && !frame_run_is_device(&run, 0)) {
		leaf = hpte_make_leaf(shadow->be.fmt, page_to_pfn(run.page[0]), 1, access);
		if ((access & ACC_W) && table)
			leaf = hpte_hold(shadow->be.fmt, leaf);
		around_install(shadow, sp, i, gfn, leaf);
	}
	frame_run_put(&run);
}

/*
 * A store has changed the guest's entry @i of @sp, a page of level 1, and the shadow's has gone:
 * puts in what memory says now, if it can be had.  False: nothing.
 */
bool shadow_around_one(struct shadow *shadow, struct shadow_page *sp, unsigned int i)
{
	const struct gpt_root root = shadow_role_root(sp->role);

	lockdep_assert_held_write(&shadow_mmu(shadow)->lock);
	if (hpte_present(shadow->be.fmt, shadow_entry(sp, i)))
		return false;
	around_map(shadow, sp, i, &root);
	return hpte_present(shadow->be.fmt, shadow_entry(sp, i));
}

/* A leaf was just put in at entry @i of @sp, a page of level 1. */
void shadow_around(struct shadow *shadow, struct shadow_page *sp, unsigned int i,
		   const struct gpt_root *root)
{
	unsigned int pages = min(READ_ONCE(shadow_mmu(shadow)->around), AROUND_MAX);
	unsigned int at = i & ~(pages - 1), end = at + pages;

	lockdep_assert_held_write(&shadow_mmu(shadow)->lock);
	for (; shadow_pieces_gone(shadow) && at < end; at++)
		if (!hpte_present(shadow->be.fmt, shadow_entry(sp, at)))
			around_map(shadow, sp, at, root);
}
