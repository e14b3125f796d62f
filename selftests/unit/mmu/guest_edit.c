// SPDX-License-Identifier: GPL-2.0-only
/*
 * What guests do with their tables in a few steps that belong together, and that chance alone would
 * seldom bring together: an address is used, an entry on its way or a rule changes, the processor
 * may be told, and the address is used again.
 */
#include "shim.h"
#include "watch.h"
#include "world.h"

#define ERRAND_TURNS 60 /* others may have so many, while one waits for them */

#define ENTRY_SIMPLE 0x63 /* present, writable, not a user's, accessed, dirty */

static unsigned int index_at(gva_t gva, int level)
{
	return gva >> (PAGE_SHIFT + 9 * (level - 1)) & 511;
}

/* Where the entry of @level for @gva is, if there is a way there, by tables of 512 entries. */
static gpa_t entry_at(struct cpu *cpu, gva_t gva, int level)
{
	bool pae = cpu->root.mode == GPT_PAE;
	gpa_t table = pae ? cpu->pdptr[gva >> 30 & 3] : cpu->root.cr3, gpa;
	int at;

	for (at = pae ? 2 : 4;; at--) {
		gpa = (table & GENMASK_ULL(45, 12)) + index_at(gva, at) * 8;
		if (at == level)
			return gpa;
		table = guest_entry_now(gpa, 8);
		if ((table & 0x81) != 1)
			return GPA_NONE;
	}
}

static bool store_entry(struct cpu *cpu, gva_t gva, int level, u64 entry)
{
	gpa_t gpa = entry_at(cpu, gva, level);

	if (gpa == GPA_NONE)
		return false;
	sim_srcu_lock();
	guest_store(gpa, &entry, sizeof(entry));
	sim_srcu_unlock();
	return true;
}

/* An address is used, goes elsewhere, and is used again: the processor may not have seen that. */
static void access_stale(struct cpu *cpu)
{
	gva_t gva = guest_pick_gva(cpu);

	if (draw_one_in(3)) {
		guest_invlpg(cpu, gva);
		return guest_access_memory(cpu, gva);
	}
	guest_build(cpu, gva, false);
	guest_access_memory(cpu, gva);
	guest_build(cpu, gva, true);
	if (draw_one_in(4)) {
		guest_invlpg(cpu, gva ^ (draw(2) ? 0 : 128 << PAGE_SHIFT));
		guest_build(cpu, gva, true);
	}
	guest_access_memory(cpu, gva);
}

/*
 * A frame is written by a translation that the processor may keep; becomes a table that is used;
 * and is written once more by the same.
 */
static void write_kept(struct cpu *cpu)
{
	u64 link = guest_pick_table(1) << PAGE_SHIFT | ENTRY_SIMPLE;
	gva_t by = guest_pick_gva(cpu), of = guest_pick_gva(cpu);

	if (cpu->root.mode < GPT_PAE || by >> 21 == of >> 21)
		return;
	guest_build(cpu, by, false);
	guest_build(cpu, of, false);
	if (!store_entry(cpu, by, 1, link))
		return;
	by |= index_at(of, 1) * 8;
	guest_access_at(cpu, by, ACC_W, world_pick_gfn() << PAGE_SHIFT | ENTRY_SIMPLE);
	if (!store_entry(cpu, of, 2, link))
		return;
	guest_access_at(cpu, of, ACC_R, 0);
	guest_access_at(cpu, by, ACC_W, world_pick_gfn() << PAGE_SHIFT | ENTRY_SIMPLE);
	guest_invlpg(cpu, of);
	guest_access_at(cpu, of, ACC_R, 0);
}

/**
 * struct large - a large page that a guest uses two small pages of
 * @gva: one
 * @other: and the other
 * @entry: what maps them
 */
struct large {
	gva_t gva;
	gva_t other;
	u64 entry;
};

/* Makes one where memory is, most often, and uses it.  False: there is none. */
static bool use_large(struct cpu *cpu, struct large *large)
{
	gfn_t gfn = world_pick_gfn();

	if (cpu->root.mode < GPT_PAE)
		return false;
	large->gva = (guest_pick_gva(cpu) & ~0x1fffffull) | (gfn & 511) << PAGE_SHIFT;
	large->other = large->gva ^ PAGE_SIZE;
	large->entry = (gfn & ~511ull) << PAGE_SHIFT | ENTRY_SIMPLE | 0x80;
	guest_build(cpu, large->gva & ~0x1fffffull, false);
	if (!store_entry(cpu, large->gva, 2, large->entry))
		return false;
	guest_access_at(cpu, large->gva, ACC_R, 0);
	guest_access_at(cpu, large->other, ACC_R, 0);
	return true;
}

/*
 * A large page goes elsewhere, or a table that leads to it goes, and INVLPG of one of its addresses
 * is for all of them.
 */
static void move_large(struct cpu *cpu)
{
	int level = cpu->root.mode == GPT_LONG && draw(2) ? 3 + draw(2) : 2;
	struct large large;

	if (!use_large(cpu, &large))
		return;
	store_entry(cpu, large.gva, level, level == 2 ? large.entry ^ 0x200000 : 0);
	guest_invlpg(cpu, large.gva);
	guest_access_at(cpu, large.other, ACC_R, 0);
}

/*
 * The same, but another vCPU stores to the entry.  This one goes on when it knows that; if nobody
 * finds the time it does something else.
 */
static void move_large_by_other(struct cpu *cpu)
{
	struct errand *errand = &world.errand;
	unsigned int turns = ERRAND_TURNS;
	struct large large = {};

	if (errand->by || cpu->root.mode < GPT_PAE)
		return;
	errand->by = cpu;
	let_others(draw(ERRAND_TURNS));
	errand->gpa = use_large(cpu, &large) ? entry_at(cpu, large.gva, 2) : GPA_NONE;
	errand->value = large.entry ^ 0x200000;
	/* Who is unpaged has no more. */
	errand->asked = errand->gpa < BIT_ULL(32);
	while (errand->asked ? turns-- : errand->taken && !errand->done)
		let_others(1);
	if (errand->done) {
		guest_invlpg(cpu, large.gva);
		guest_access_at(cpu, large.other, ACC_R, 0);
	}
	*errand = (struct errand){};
}

/*
 * Another vCPU has asked for a store, or is about to: @cpu may see to it, where there is a second
 * table unpaged and so by that.  Has it done anything for it?
 */
bool guest_run_errand(struct cpu *cpu)
{
	struct errand *errand = &world.errand;

	if (!errand->by || errand->by == cpu)
		return false;
	if (world.second && !world.moved && cpu->root.mode != GPT_NONE) {
		guest_toggle_paging(cpu);
		return true;
	}
	if (!errand->asked)
		return false;
	errand->asked = false;
	errand->taken = true;
	note("guest: %#lx is stored to for another", errand->gpa, 0, 0);
	if (cpu->root.mode == GPT_NONE) {
		guest_access_at(cpu, errand->gpa, ACC_W, errand->value);
	} else {
		sim_srcu_lock();
		guest_store(errand->gpa, &errand->value, sizeof(errand->value));
		sim_srcu_unlock();
	}
	errand->done = true;
	count(SHADOW_ERRAND);
	return true;
}

/* The same access under two sets of rules, by an entry to which they may make a difference. */
static void access_by_other_rule(struct cpu *cpu)
{
	gva_t gva = guest_pick_gva(cpu);
	gpa_t gpa = GPA_NONE;

	guest_build(cpu, gva, false);
	if (cpu->root.mode >= GPT_PAE && draw(2))
		gpa = entry_at(cpu, gva, 1 + draw(cpu->root.mode == GPT_LONG ? 4 : 2));
	if (gpa != GPA_NONE) {
		u64 entry = guest_entry_now(gpa, 8) | BIT_ULL(63);

		sim_srcu_lock();
		guest_store(gpa, &entry, sizeof(entry));
		sim_srcu_unlock();
	}
	guest_access_memory(cpu, gva);
	guest_change_rule(cpu, gpa != GPA_NONE && draw(2) ? RULE_NX : draw(NR_RULES));
	guest_access_memory(cpu, gva);
}

/* Two pages side by side that were read are mapped anew, as one fault may do. */
static void access_side_by_side(struct cpu *cpu)
{
	gva_t gva = guest_pick_gva(cpu), other = gva ^ PAGE_SIZE;

	if (cpu->root.mode != GPT_32)
		return;
	guest_build(cpu, gva, false);
	guest_build(cpu, other, false);
	guest_access_at(cpu, gva, ACC_R, 0);
	guest_access_at(cpu, other, ACC_R, 0);
	guest_change_rule(cpu, RULE_WP);
	guest_access_at(cpu, gva, ACC_R, 0);
	guest_access_at(cpu, other, ACC_W, guest_pick_value());
}

/* The entries on the way to @gva let a user read what is there, and nobody write.  False: none. */
static bool make_read_only(struct cpu *cpu, gva_t gva)
{
	int level = cpu->root.mode == GPT_LONG ? 4 : 2;

	guest_build(cpu, gva, false);
	for (; level > 1; level--) {
		gpa_t gpa = entry_at(cpu, gva, level);
		u64 entry = gpa == GPA_NONE ? 0 : guest_entry_now(gpa, 8);

		if (!(entry & 1) || !store_entry(cpu, gva, level, entry | 4))
			return false;
	}
	return store_entry(cpu, gva, 1, world_pick_gfn() << PAGE_SHIFT | 0x65);
}

/* A user's page that is read-only, and a supervisor that writes to it: by CR0.WP it may or not. */
static void access_read_only(struct cpu *cpu)
{
	static const u32 kinds[] = { ACC_R | ACC_U, ACC_X | ACC_U, ACC_X, ACC_R };
	gva_t gva = guest_pick_gva(cpu);
	unsigned int n;

	if (cpu->root.mode < GPT_PAE || !make_read_only(cpu, gva))
		return;
	if (cpu->root.wp)
		guest_change_rule(cpu, RULE_WP);
	for (n = 8 + draw(6); n; n--) {
		cpu->root.smap = cpu->root.cr4_smap && draw(2);
		guest_access_at(cpu, gva, ACC_W, guest_pick_value());
		if (draw_one_in(6))
			guest_change_rule(cpu, draw(2) ? RULE_SMAP : RULE_SMEP);
		cpu->root.smap = cpu->root.cr4_smap && draw(2);
		guest_access_at(cpu, gva, kinds[n & 1 ? 0 : draw(ARRAY_SIZE(kinds))],
				guest_pick_value());
	}
	if (draw(2))
		guest_change_rule(cpu, RULE_WP);
	guest_access_at(cpu, gva, ACC_W, guest_pick_value());
}

/* One of them, drawn. */
void guest_edit(struct cpu *cpu)
{
	switch (draw(world.second ? 15 : 12)) {
	case 0:
	case 1:
	case 2:
		return access_stale(cpu);
	case 3:
		return write_kept(cpu);
	case 4:
		return move_large(cpu);
	case 5:
		return access_by_other_rule(cpu);
	case 6:
		return access_side_by_side(cpu);
	case 7:
	case 8:
	case 9:
	case 10:
		return access_read_only(cpu);
	default:
		move_large_by_other(cpu);
	}
}
