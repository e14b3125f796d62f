// SPDX-License-Identifier: GPL-2.0-only
/*
 * A world: a VM of a drawn format from its making to its end, with vCPUs, user space and the host
 * at work on it in a drawn order.  Now and then all rest, and everything is compared and counted.
 */
#include "shim.h"
#include "watch.h"
#include "world.h"

#define AUDIT_EVERY 512

struct world world;

static struct fiber fibers[NR_CPUS + NR_HOSTS + 1]; /* in this order */

/* It may have dropped all since the last change: vCPUs share it, come and go. */
static bool flush_if_due(struct cpu *cpu)
{
	if (world.seen && !mmu_flush_is_due(&world.mmu, &cpu->seen)) {
		count(FLUSH_COVERED);
		return false;
	}
	cpu_flush(cpu);
	return true;
}

/* Now and then the processors are slow to take the interrupt, and go on with what they have. */
static void up_flush(struct mmu_vm *mmu)
{
	unsigned int slow = draw_one_in(4) ? 16 : 1;
	unsigned long number = ++world.flushes_begun;
	bool all = true;
	int i;

	check(!self->spinning);
	count(FLUSH);
	for (i = 0; i < NR_CPUS; i++) {
		let_others(draw(slow));
		point();
		all &= flush_if_due(&world.cpu[i]);
	}
	if (all)
		world.flushed = max(world.flushed, number);
	point();
}

/* Each processor that is in the guest leaves it, and enters again. */
static void up_drain(struct mmu_vm *mmu)
{
	int i;

	check(!self->spinning);
	for (i = 0; i < NR_CPUS; i++) {
		point();
		cpu_exit(&world.cpu[i]);
	}
	point();
}

static void up_kill(struct mmu_vm *mmu)
{
	fail("the MMU contradicts itself");
}

/* Does the thread have to go to user space?  Where tables are shadowed that ends walks. */
bool sim_signal_pending(void)
{
	bool pending = world.shadow && draw_one_in(8);

	self->signaled |= pending;
	return pending;
}

static const struct mmu_up up = {
	.flush_tlb = up_flush,
	.drain_log = up_drain,
	.kill = up_kill,
};

struct model_slot *world_pick_slot(void)
{
	/* That of the giant pages is the first one. */
	return &world.slot[world.giant && draw(4) ? 0 : draw(world.nr_slots)];
}

/* A frame, most often one of a few of a slot. */
static gfn_t pick_in_slot(const struct model_slot *slot)
{
	if (draw(8))
		return slot->base + draw(min(slot->npages, 12));
	return slot->base + draw(slot->npages + 1);
}

static struct model_slot *pick_live(void)
{
	int i;

	for (i = 0; i < 6; i++) {
		struct model_slot *slot = world_pick_slot();

		if (slot->live)
			return slot;
	}
	return NULL;
}

/* Most often one that was picked before, so that caches are hit and vCPUs meet. */
gfn_t world_pick_gfn(void)
{
	gfn_t *recent = &world.recent[draw(ARRAY_SIZE(world.recent))];
	const struct model_slot *slot;

	if (world.own && draw_one_in(world.own_going ? 3 : 30))
		return world.own_gfn;
	if (draw(world.quiet ? 40 : 8))
		return *recent;
	slot = pick_live();
	*recent = slot ? pick_in_slot(slot) : draw(4096);
	return *recent;
}

/* Guests come to @slot for a while. */
void world_crowd_at(const struct model_slot *slot)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(world.recent); i++)
		if (world.quiet || draw(2))
			world.recent[i] = pick_in_slot(slot);
}

/* To one of them: which one, or NULL. */
struct model_slot *world_crowd(void)
{
	struct model_slot *slot = pick_live();

	if (slot)
		world_crowd_at(slot);
	return slot;
}

unsigned int world_pick_vpage(void)
{
	const struct model_slot *slot = pick_live();
	unsigned long hva;

	if (!slot)
		return draw(HVA_PAGES);
	hva = slot->hva + ((pick_in_slot(slot) - slot->base) << PAGE_SHIFT);
	if (draw(2)) {
		gfn_t gfn = world.recent[draw(ARRAY_SIZE(world.recent))];

		slot = model_find(gfn, false);
		hva = slot ? slot->hva + ((gfn - slot->base) << PAGE_SHIFT) : hva;
	}
	return min((hva - HVA_BASE) >> PAGE_SHIFT, HVA_PAGES - 1);
}

/* A mode of the dirty log that the processor has. */
u64 world_pick_mode(void)
{
	u32 modes = mmu_log_modes(&world.mmu.caps), mode;

	/* Few formats have lists.  Large leaves are opened where dirty bits tell. */
	do {
		mode = world.large && draw(3) ? MKVM_DIRTY_LOG_BITS : 1u << (draw(2) ? 2 : draw(2));
	} while (!(mode & modes));
	return mode | (draw_one_in(6) ? MKVM_DIRTY_LOG_EAGER_SPLIT : 0);
}

static void host_job(void *unused)
{
	host_op();
}

static void guest_job(void *cpu)
{
	/* The vCPU comes to the processor, or another one that is to flush. */
	if (world.seen && draw_one_in(8))
		flush_if_due(cpu);
	if (world.shadow)
		guest_shadow_op(cpu);
	else
		guest_op(cpu);
}

static void vmm_job(void *unused)
{
	vmm_op();
}

/* What the host has there; where the guest may write the host has to know that it may be dirty. */
static bool is_frame(void *unused, hva_t hva, hfn_t hfn, bool writable)
{
	const struct vpage *v = host_vpage(hva);
	const struct page *page = v->page;

	if (writable && page && !page->device && !v->dirty && !(page->head ?: page)->dirty)
		return false;
	return (v->state == VPAGE_PRESENT || v->state == VPAGE_DEVICE) &&
	       v->page == sim_pfn_to_page(hfn) && (v->writable || !writable);
}

/* All fibers rest: module, model and processors have to agree. */
static void world_audit(void)
{
	struct mmu_audit audit = { .is_frame = is_frame };

	mmu_audit(&world.mmu, &audit);
	if (audit.found)
		fail("audit: %s: guest frame %#llx, level %d, entry %#llx", audit.found,
		     (unsigned long long)audit.gfn, audit.level, (unsigned long long)audit.entry);
	check(audit.pages + audit.retired == (u64)atomic_long_read(&world.mmu.table_pages));
	if (world.shadow)
		oracle_check_caches();
	else
		model_check_caches();
	model_check_due();
	count(AUDIT);
}

static struct fiber *pick_fiber(void)
{
	static const u8 turns[] = { 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 3, 4, 5, 5 };
	unsigned int n = turns[draw(ARRAY_SIZE(turns))];

	/* What user space has begun comes to its end soon. */
	if (world.quiet && fibers[NR_CPUS + NR_HOSTS].busy && draw(2))
		n = NR_CPUS + NR_HOSTS;
	/* A host that rests begins nothing, most often; what it has begun goes on. */
	if (world.quiet && n >= NR_CPUS && n < NR_CPUS + NR_HOSTS && !fibers[n].busy && draw(32))
		n = draw(NR_CPUS);
	return &fibers[n];
}

/* All finish what they are at, and begin nothing. */
static void rest(void)
{
	bool busy;
	unsigned int i;

	do {
		busy = false;
		for (i = 0; i < ARRAY_SIZE(fibers); i++) {
			if (fibers[i].busy)
				fiber_run(&fibers[i]);
			busy |= fibers[i].busy;
		}
	} while (busy);
}

static void world_start(void)
{
	const struct mmu_caps caps = {
		.fmt = world.shadow && !world.second ? NULL : world.format->fmt(),
		.levels = world.format->levels,
		.max_level = world.giant      ? 3
			     : draw_one_in(5) ? 1
					      : 2 + draw(2),
		.no_large_exec = draw_one_in(4),
		.pml = world.format->pml && draw(4),
		.phys_bits = CPU_PHYS_BITS,
	};
	enum mmu_kind kind = world.shadow ? MMU_SHADOW : MMU_TDP;
	unsigned int i;

	alloc_failing = 0;
	oracle_start();
	host_start();
	check(!memslot_table_init(&world.slots));
	mmu_vm_init(&world.mmu, &world.slots, &up, &caps);
	check(!mmu_vm_enable(&world.mmu, kind));
	if (world.second)
		check(!mmu_vm_enable(&world.mmu, MMU_TDP));
	if (world.shadow)
		mmu_set_shadow_limit(&world.mmu, draw(3) ? 1000 : 24 + draw(40));
	check(!mmu_set_around(&world.mmu, draw(3) ? 1 << draw(10) : 1));
	check(!mmu_set_populate(&world.mmu, draw(3) ? 0 : 1 << draw(6)));
	if (!world.shadow && draw(2))
		vmm_add_own_page();
	check(!dirty_log_set_mode(&world.slots, &world.mmu, world_pick_mode()));
	alloc_failing = draw(2) ? 20 + draw(200) : 0;
	for (i = 0; i < NR_SLOTS; i++)
		world.slot[i].id = i;
	for (i = 0; i < NR_CPUS; i++) {
		mmu_vcpu_init(&world.cpu[i].mv, &world.mmu,
			      world.second && !world.rests ? MMU_TDP : kind);
		world.cpu[i].epoch = 1;
		fiber_init(&fibers[i], guest_job, &world.cpu[i]);
	}
	for (; i < NR_CPUS + NR_HOSTS; i++)
		fiber_init(&fibers[i], host_job, NULL);
	fiber_init(&fibers[i], vmm_job, NULL);
	if (world.shadow)
		guest_shadow_start();
}

static void world_stop(void)
{
	unsigned int i;

	watched[SHADOW_CUT] += mmu_shadow_cut(&world.mmu);
	for (i = 0; i < ARRAY_SIZE(fibers); i++)
		fiber_destroy(&fibers[i]);
	fibers_forget();
	for (i = 0; i < NR_CPUS; i++) {
		mmu_vcpu_destroy(&world.cpu[i].mv);
		cpu_flush(&world.cpu[i]);
	}
	mmu_vm_destroy(&world.mmu);
	if (world.own)
		put_page(world.own);
	memslot_table_destroy(&world.slots);
	for (i = 0; i < NR_SLOTS; i++)
		vmm_forget_slot(&world.slot[i]);
	host_stop();
	check(!pages_used(PAGE_TABLE));
}

void world_run(unsigned long ops)
{
	memset(&world, 0, sizeof(world));
	world.changing = -1;
	world.shadow = draw_one_in(3) || getenv("SHADOW");
	world.second = world.shadow && draw(2);
	world.rests = world.second && draw(2);
	/* Beside shadow tables it is EPT without bits of its own: the first one. */
	world.format = &cpu_formats[world.second && draw(2) ? 0 : draw(cpu_nr_formats)];
	world.large = draw(2);
	world.quiet = draw_one_in(4);
	world.seen = !world.shadow && draw(2);
	world.giant = !world.shadow && draw(2);
	world.nr_slots = draw_one_in(10) ? NR_SLOTS : 2 + draw(12);
	if (world.shadow)
		world.nr_slots = 2 + draw(6);
	if (world.giant)
		world.nr_slots = 2 + draw(3);
	world_start();
	while (world.ops < ops && !draw_is_over()) {
		struct fiber *fiber = pick_fiber();

		world.ops += !fiber->busy;
		fiber_run(fiber);
		if (!fiber->busy && world.ops % AUDIT_EVERY == 0) {
			rest();
			world_audit();
			if (!world.shadow && !world.own)
				vmm_add_own_page();
		}
	}
	rest();
	world_audit();
	world_stop();
}
