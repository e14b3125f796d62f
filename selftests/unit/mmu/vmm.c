// SPDX-License-Identifier: GPL-2.0-only
/*
 * What user space asks of a VM: slots come, go, move and change; logs are read and cleared.
 */
#include "shim.h"
#include "watch.h"
#include "world.h"

#define GIANT (1u << 18) /* frames: a GiB */

static u64 words(const struct model_slot *slot)
{
	return DIV_ROUND_UP(slot->npages, BITS_PER_LONG);
}

void vmm_forget_slot(struct model_slot *slot)
{
	free(slot->due);
	*slot = (struct model_slot){ .id = slot->id };
}

static int set_region(const struct model_slot *slot, u64 npages)
{
	struct kvm_userspace_memory_region2 region = {
		.slot = slot->id,
		.flags = slot->flags,
		.guest_phys_addr = gfn_to_gpa(slot->base),
		.memory_size = npages << PAGE_SHIFT,
		.userspace_addr = slot->hva,
	};

	return memslot_set(&world.slots, &world.mmu, &region);
}

static bool overlaps(const struct model_slot *slot)
{
	unsigned int i;

	for (i = 0; i < world.nr_slots; i++) {
		const struct model_slot *other = &world.slot[i];

		if (i != slot->id && other->live && slot->base < other->base + other->npages &&
		    other->base < slot->base + slot->npages)
			return true;
	}
	return false;
}

/* Where no slot is, and where one may come.  No vCPU is in a fault. */
void vmm_add_own_page(void)
{
	gfn_t gfn = draw(2) ? 3000 + draw(100) : draw(3000);
	bool hidden = model_find(gfn, false);

	if (hidden && draw(8))
		return;
	world.own = page_get(PAGE_DATA);
	world.own_gfn = gfn;
	mmu_own_page_set(&world.mmu, gfn, page_to_pfn(world.own));
	check(mmu_own_page_is_on(&world.mmu) == !hidden);
	if (!hidden)
		return;
	put_page(world.own);
	world.own = NULL;
}

/* What may have taken it away has ended.  If it @has to, or did, no processor may know it. */
static void own_page_ended(bool has_to)
{
	struct page *page = world.own;

	check(!has_to || !mmu_own_page_is_on(&world.mmu));
	world.own_going = false;
	if (mmu_own_page_is_on(&world.mmu))
		return;
	world.own = NULL;
	world_event();
	put_page(page);
}

static void vmm_remove_own_page(void)
{
	world.own_going = true;
	mmu_own_page_remove(&world.mmu);
	own_page_ended(true);
}

/*
 * Asks for @next instead of the slot of its number.  What has to come of it is known: success,
 * @expected, or no memory.
 */
static int change(const struct model_slot *next, int expected)
{
	struct model_slot *slot = &world.slot[next->id];
	bool log = next->live && (next->flags & KVM_MEM_LOG_DIRTY_PAGES), hides;
	int r;

	world.before = *slot;
	if (!expected) {
		*slot = *next;
		world.changing = next->id;
		if (log && !slot->due)
			slot->due = calloc(words(slot), sizeof(*slot->due));
	}
	world.changes++;
	hides = world.own && next->live && world.own_gfn - next->base < next->npages;
	world.own_going |= hides;
	r = set_region(next, next->live ? next->npages : 0);
	if (hides)
		own_page_ended(!r);
	world.changes++;
	world.changing = -1;
	if (r && !expected) {
		if (slot->due != world.before.due)
			free(slot->due);
		*slot = world.before;
	}
	if (r != expected && !(r == -ENOMEM && self->alloc_failed))
		fail("a slot's change: %d, not %d", r, expected);
	if (r) {
		count(r == -ENOMEM ? SLOT_NO_MEMORY : SLOT_REFUSED);
		return r;
	}
	if (log && !world.before.due && (world.manual & KVM_DIRTY_LOG_INITIALLY_SET))
		bitmap_set(slot->due, 0, slot->npages);
	if (!log && world.before.due) {
		free(world.before.due);
		slot->due = NULL;
	}
	return 0;
}

/* Places at the edges of tables of each level. */
static gfn_t pick_base(void)
{
	static const gfn_t edges[] = { 0, 512, 2048, 1u << 18, 2u << 18, 1u << 27, 3u << 27 };
	gfn_t edge = edges[draw(ARRAY_SIZE(edges))];
	gfn_t down = draw(3) ? 0 : draw(300);

	return edge > down ? edge - down : edge;
}

/* Does the topmost table of a vCPU lie in no slot? */
static bool is_rootless(const struct cpu *cpu)
{
	return !model_find(gpa_to_gfn(cpu->root.cr3), false);
}

static const struct cpu *pick_rootless(void)
{
	const struct cpu *cpu = &world.cpu[draw(NR_CPUS)];
	int i;

	for (i = 0; i < NR_CPUS && !is_rootless(cpu); i++)
		cpu = &world.cpu[i];
	return cpu;
}

/* Where a vCPU's topmost table is, with memory that is elsewhere too. */
static void slot_at_root(struct model_slot *slot)
{
	gfn_t gfn = draw(2) ? world_pick_gfn() : world.written[draw(ARRAY_SIZE(world.written))];
	const struct model_slot *other = model_find(gfn, false);

	slot->base = gpa_to_gfn(pick_rootless()->root.cr3);
	slot->npages = 1;
	slot->flags = 0;
	if (other)
		slot->hva = other->hva + gfn_to_gpa(gfn - other->base);
}

/* Where leaves of a GiB can be, and meet the tables of other slots. */
static gfn_t pick_giant_base(void)
{
	return (gfn_t)GIANT * (draw_one_in(4) ? draw(2048) : 1 + draw(3));
}

static bool is_of_giants(const struct model_slot *slot)
{
	return world.giant && !slot->id;
}

/* The slot of giant pages, which large leaves of each size can map. */
static void slot_add_giant(struct model_slot *old)
{
	struct model_slot slot = {
		.live = true,
		.id = old->id,
		.base = pick_giant_base(),
		.npages = GIANT,
		.hva = HVA_BASE + GIANT_FIRST * PAGE_SIZE,
		.flags = draw(3) ? 0 : draw(4),
	};

	if (!change(&slot, overlaps(&slot) ? -EEXIST : 0))
		count(SLOT_ADD);
}

static void slot_add(struct model_slot *old)
{
	struct model_slot slot = { .live = true, .id = old->id, .base = pick_base() };
	u64 room;

	switch (draw(8)) {
	case 0:
	case 1:
		slot.npages = 512 + draw(1100);
		break;
	case 2:
		slot.npages = draw_one_in(10) && world.nr_slots < 20 ? GIANT + draw(600) : 300;
		break;
	default:
		slot.npages = 1 + draw(120);
	}
	if (world.nr_slots > 20)
		slot.base += draw(4000);
	if (world.large && slot.npages < 1500)
		slot.npages += 1024;
	room = HVA_PAGES - slot.npages;
	slot.hva = HVA_BASE + (draw(4) ? draw(min(room, 3000)) : draw(room)) * PAGE_SIZE;
	/* So that large leaves can map it. */
	if ((world.large || draw(2)) && slot.npages >= 512 &&
	    (slot.hva & 0x1fffff) != (slot.base & 511) * PAGE_SIZE)
		slot.hva = HVA_BASE +
			   (draw(min(room - 512, 3000)) / 512 * 512 + slot.base % 512) * PAGE_SIZE;
	slot.flags = draw(3) ? 0 : draw(4);
	if (world.shadow && (draw(2) || is_rootless(pick_rootless())))
		slot_at_root(&slot);
	if (!change(&slot, overlaps(&slot) ? -EEXIST : 0))
		count(SLOT_ADD);
}

static void slot_delete(struct model_slot *old)
{
	struct model_slot slot = { .id = old->id };

	if (!change(&slot, old->live ? 0 : -EINVAL))
		count(SLOT_DELETE);
}

static void slot_move(struct model_slot *old)
{
	struct model_slot slot = *old;

	slot.base = draw_one_in(3) ? old->base + draw(64) : pick_base();
	if (is_of_giants(old) && draw(20))
		slot.base = pick_giant_base();
	if (slot.base == old->base)
		return;
	if (draw_one_in(40))
		slot.base = mmu_end_gfn(&world.mmu) - draw(2);
	/* Who comes to the new place finds it half there. */
	if (draw(2))
		world_crowd_at(&slot);
	if (!change(&slot, overlaps(&slot)				       ? -EEXIST
			   : slot.base + slot.npages > mmu_end_gfn(&world.mmu) ? -EINVAL
									       : 0))
		count(SLOT_MOVE);
}

static void slot_log(struct model_slot *old)
{
	struct model_slot slot = *old;
	bool on = !(slot.flags & KVM_MEM_LOG_DIRTY_PAGES);

	slot.flags ^= KVM_MEM_LOG_DIRTY_PAGES;
	if (!on)
		slot.due = NULL;
	if (change(&slot, 0))
		return;
	count(on ? SLOT_LOG_ON : SLOT_LOG_OFF);
	if (on)
		model_check_log(&world.slot[slot.id]);
}

/* A call on the log of @slot begins: what was written before has to be told. */
static void call_begin(struct model_slot *slot)
{
	slot->during = calloc(words(slot), sizeof(*slot->during));
}

/* It ends: the bits that it cleared, and what was written meanwhile, which may be among them. */
static void call_end(struct model_slot *slot, const unsigned long *cleared)
{
	u64 i;

	for (i = 0; i < words(slot); i++)
		slot->due[i] = (slot->due[i] | slot->during[i]) & ~(cleared ? cleared[i] : 0);
	free(slot->during);
	slot->during = NULL;
}

static enum watched told_by(void)
{
	return world.mmu.log_mode == MKVM_DIRTY_LOG_PROTECT ? LOG_BY_PROTECTION
	       : world.mmu.log_mode == MKVM_DIRTY_LOG_BITS  ? LOG_BY_BITS
							    : LOG_BY_LIST;
}

static void check_told(const struct model_slot *slot, const unsigned long *bits)
{
	u64 i;

	for (i = 0; i < words(slot); i++) {
		if (slot->due[i] & ~bits[i])
			fail("guest frame %#llx was written, and the log does not say so",
			     (unsigned long long)(slot->base + i * 64 +
						  __ffs(slot->due[i] & ~bits[i])));
		if (slot->due[i]) {
			count(LOG_DIRTY);
			count(told_by());
		}
	}
	if (slot->npages % 64)
		check(!(bits[slot->npages / 64] >> (slot->npages % 64)));
}

static void log_get(struct model_slot *slot)
{
	bool clears = !(world.manual & KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE);
	struct kvm_dirty_log log = { .slot = slot->id };
	unsigned long *bits;
	int r;

	if (!slot->due) {
		check(dirty_log_get(&world.slots, &world.mmu, &log) == -ENOENT);
		return count(LOG_REFUSED);
	}
	bits = malloc(words(slot) * sizeof(*bits));
	log.dirty_bitmap = bits;
	call_begin(slot);
	slot->calls++;
	r = dirty_log_get(&world.slots, &world.mmu, &log);
	slot->calls++;
	if (r) {
		check(r == -EFAULT);
		count(LOG_EFAULT);
	} else {
		check_told(slot, bits);
		count(clears ? LOG_GET : LOG_PEEK);
	}
	call_end(slot, r || !clears ? NULL : bits);
	model_check_log(slot);
	free(bits);
}

static void log_clear(struct model_slot *slot)
{
	struct kvm_clear_dirty_log log = { .slot = slot->id };
	unsigned long *bits = calloc(words(slot) + 1, sizeof(*bits)), *all;
	int r, expected = 0;
	u64 i;

	log.first_page = draw(words(slot)) * 64;
	log.num_pages =
		draw(2) ? slot->npages - log.first_page : min(64, slot->npages - log.first_page);
	if (draw_one_in(20)) {
		log.first_page++;
		expected = -EINVAL;
	} else if (!slot->due) {
		expected = -ENOENT;
	}
	for (i = 0; i < words(slot); i++)
		bits[i] = draw(2) ? ~0ul : (unsigned long)draw(~0u) << 17;
	log.dirty_bitmap = bits;
	if (slot->due)
		call_begin(slot);
	slot->calls++;
	r = dirty_log_clear(&world.slots, &world.mmu, &log);
	slot->calls++;
	check(r == expected);
	count(r ? LOG_REFUSED : LOG_CLEAR);
	all = calloc(words(slot), sizeof(*all));
	for (i = 0; !r && i < DIV_ROUND_UP(log.num_pages, 64); i++)
		all[log.first_page / 64 + i] = bits[i];
	if (slot->due) {
		call_end(slot, all);
		model_check_log(slot);
	}
	free(all);
	free(bits);
}

static void log_manual(void)
{
	world.manual = draw(2) ? 0 : KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE;
	/* A log that leaves large leaves as they are for a while. */
	if (world.large && draw(4))
		world.manual = KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE;
	if (world.manual && draw(world.large ? 8 : 2))
		world.manual |= KVM_DIRTY_LOG_INITIALLY_SET;
	check(!dirty_log_set_manual(&world.slots, world.manual));
}

static bool any_logged(void)
{
	unsigned int i;

	for (i = 0; i < world.nr_slots; i++)
		if (world.slot[i].live && world.slot[i].due)
			return true;
	return false;
}

/* Another mode: not while a slot is logged. */
static void log_mode(void)
{
	u64 mode = draw(4) ? world_pick_mode() : draw(20);
	bool refused = any_logged() || !(mode & 7) || (mode & (mode - 1) & 7) || mode > 15 ||
		       (mode & 7 & ~mmu_log_modes(&world.mmu.caps));

	check(dirty_log_set_mode(&world.slots, &world.mmu, mode) == (refused ? -EINVAL : 0));
	count(refused ? LOG_MODE_REFUSED : LOG_MODE);
}

/* All logs go off; one goes on where the guest is at work, and is read soon after. */
static void logs_anew(void)
{
	struct model_slot *slot = world_crowd();
	unsigned int i;

	for (i = 0; i < world.nr_slots; i++)
		if (world.slot[i].live && world.slot[i].due)
			slot_log(&world.slot[i]);
	if (draw_one_in(3))
		log_mode();
	if (draw(2)) {
		world.manual = 0;
		check(!dirty_log_set_manual(&world.slots, 0));
	}
	if (!slot)
		return;
	let_others(draw(200));
	slot_log(slot);
	let_others(draw(100));
	if (!slot->due)
		return;
	count(LOG_ANEW);
	log_get(slot);
}

/* A slot where the guest has been lately, and where the host has a huge page; or NULL. */
static struct model_slot *pick_huge(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(world.recent); i++) {
		gfn_t gfn = world.recent[i];
		struct model_slot *slot = model_find(gfn, false);

		if (slot && model_vpage(slot, gfn)->huge)
			return slot;
	}
	return NULL;
}

/*
 * A log goes on where large leaves may be, which takes guests some time; or is cleared, or goes off
 * again.
 */
static void log_where_huge(struct model_slot *slot)
{
	note("user space: log of slot %lu", slot->id, 0, 0);
	if (!slot->due)
		let_others(draw(100));
	if (!slot->due || draw_one_in(3))
		slot_log(slot);
	else if (draw(2))
		log_get(slot);
	else
		log_clear(slot);
}

/* One call, drawn. */
void vmm_op(void)
{
	struct model_slot *slot = world_pick_slot();

	if (world.large && draw(3)) {
		struct model_slot *huge = pick_huge();

		if (huge)
			return log_where_huge(huge);
	}

	/* Memory comes where a table is thought to be, with a slot that is elsewhere before. */
	if (world.shadow && draw_one_in(3) && is_rootless(pick_rootless())) {
		slot = &world.slot[world.nr_slots - 1];
		return slot->live ? slot_delete(slot) : slot_add(slot);
	}
	if (world.own && draw_one_in(100))
		return vmm_remove_own_page();
	if (world.second && draw_one_in(world.moved ? 8 : 30))
		return tables_move();
	note("user space: slot %lu", slot->id, 0, 0);
	if (!slot->live)
		return draw_one_in(20)	    ? slot_delete(slot)
		       : is_of_giants(slot) ? slot_add_giant(slot)
					    : slot_add(slot);
	if (draw_one_in(any_logged() ? 40 : 4))
		return log_mode();
	if (draw_one_in(world.quiet && !world.giant ? 5 : 30))
		return logs_anew();
	/* Where there are tables memory shall stay for a while. */
	switch (world.shadow && draw(6) ? 2 + draw(14) : draw(16)) {
	case 0:
		return slot_delete(slot);
	case 1:
		return slot_move(slot);
	case 2:
	case 3:
	case 4:
		/* Where a log is on no leaf of a GiB comes. */
		if (is_of_giants(slot) && !slot->due && draw(2))
			return;
		return slot_log(slot);
	case 5:
		return log_manual();
	case 6:
	case 7:
	case 8:
		return log_clear(slot);
	default:
		return log_get(slot);
	}
}
