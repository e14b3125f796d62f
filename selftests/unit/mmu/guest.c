// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a vCPU does: accesses of the guest, each repeated until it succeeds or leaves for user
 * space, and the kernel's own accesses of guest memory.
 */
#include "guest_mem.h"
#include "shim.h"
#include "watch.h"
#include "world.h"

#define MAX_QUIET_FAULTS 4   /* of one access, while nothing happens that could cause one */
#define MAX_FAULTS	 300 /* of one access, while something does */

/*
 * By an entry that is there, and not by what was cached before it was aged.  While a slot moves one
 * frame may be two pages, and both the page of zeroes: which of them it was nobody can say.
 */
void guest_touch(struct vpage *v)
{
	if (world.changing < 0 && !v->aging && world.flushed > v->forgotten &&
	    world.mmu.flush_owed.counter == world.mmu.flush_done.counter)
		v->touched = world.zaps + 1;
}

static void perform(gfn_t gfn, u32 access, hfn_t hfn)
{
	struct page *page = sim_pfn_to_page(hfn);
	struct vpage *v;

	if (model_is_own(gfn, page))
		return count(GUEST_OWN_PAGE);
	v = model_judge(gfn, page, access, true);
	guest_touch(v);
	if (access & ACC_W)
		host_written(v, 0, ++world.value);
	else if (*page_value(page) != v->value[0])
		fail("guest frame %#llx: reads %llu, not %llu", (unsigned long long)gfn,
		     (unsigned long long)*page_value(page), (unsigned long long)v->value[0]);
	count(access & ACC_W ? GUEST_WRITE : access & ACC_X ? GUEST_FETCH : GUEST_READ);
}

/* What could be a reason for a fault's outcome, as it was when the fault began. */
struct circumstances look_around(void)
{
	return (struct circumstances){
		.events = world.events,
		.changes = world.changes,
		.entries = world.entries - self->changes,
		.time = world.time,
		.storing = world.storing,
		.busy = world.invalidating || world.changing >= 0,
	};
}

bool quiet_since(const struct circumstances *then)
{
	return !then->busy && !world.invalidating && world.changing < 0 &&
	       world.events == then->events && world.changes == then->changes;
}

void check_mmio(gfn_t gfn, u32 access, const struct circumstances *then)
{
	const struct model_slot *slot = model_find(gfn, false);

	if (world.changing >= 0 || world.changes != then->changes)
		return;
	if (slot && !((access & ACC_W) && (slot->flags & KVM_MEM_READONLY)))
		fail("guest frame %#llx is memory, and not MMIO", (unsigned long long)gfn);
}

/* Nothing but its end keeps an access from the module's own page. */
static void check_not_own(gfn_t gfn)
{
	if (world.own && !world.own_going && gfn == world.own_gfn)
		fail("the module's own page is MMIO");
}

void check_failed(const struct mmu_fault *fault)
{
	int gup = self->gup_error;

	if (fault->error == -ENOMEM && self->alloc_failed)
		return;
	if (!gup || fault->error != (gup == -EHWPOISON || gup == -ENOMEM ? gup : -EFAULT))
		fail("a fault ended with %d, the host said %d", fault->error, gup);
}

/* Does the cause go with what was done? */
static void check_cause(const struct mmu_fault *fault, enum mmu_outcome outcome, gfn_t gfn,
			const struct circumstances *then)
{
	const struct model_slot *slot = model_find(gfn, false);

	if (self->faults != 1)
		fail("one fault has %u causes", self->faults);
	switch (fault->cause) {
	case MKVM_CAUSE_FILL:
		check(outcome == MMU_RESUME && self->installs);
		return count(CAUSE_FILL);
	case MKVM_CAUSE_DIRTY_LOG:
		check(outcome == MMU_RESUME && self->installs && (fault->access & ACC_W));
		check(world.changes != then->changes || world.changing >= 0 ||
		      (slot && (slot->flags & KVM_MEM_LOG_DIRTY_PAGES)));
		return count(CAUSE_DIRTY_LOG);
	case MKVM_CAUSE_SPURIOUS:
		check(outcome == MMU_RESUME && !self->installs);
		return count(CAUSE_SPURIOUS);
	case MKVM_CAUSE_NOTIFIER_RETRY:
		check(outcome == MMU_RESUME && !self->installs &&
		      (self->signaled || !quiet_since(then)));
		return count(CAUSE_NOTIFIER_RETRY);
	case MKVM_CAUSE_MMIO:
		check(outcome == MMU_MMIO && !self->installs);
		return count(CAUSE_MMIO);
	case MKVM_CAUSE_HOST_ERROR:
		check(outcome == MMU_FAILED && !self->installs);
		return count(CAUSE_HOST_ERROR);
	default:
		fail("cause %d is none of this MMU's", fault->cause);
	}
}

/* An exit: what the MMU makes of it.  True: the access is to be repeated. */
static bool guest_fault(struct cpu *cpu, gfn_t gfn, u32 access)
{
	struct mmu_fault fault = { .gpa = gfn_to_gpa(gfn) + draw(8) * 8, .access = access };
	struct circumstances then = look_around();
	enum mmu_outcome outcome;

	sim_srcu_lock();
	cpu_exit(cpu);
	sim_srcu_unlock();
	cpu_drop(cpu, gfn);
	self->faults = 0;
	self->signaled = false;
	self->installs = 0;
	sim_srcu_lock();
	outcome = mmu_handle_fault(&cpu->mv, &fault);
	check_cause(&fault, outcome, gfn, &then);
	if (outcome == MMU_MMIO) {
		check_mmio(gfn, access, &then);
		check_not_own(gfn);
	} else if (outcome == MMU_FAILED) {
		check_failed(&fault);
	}
	sim_srcu_unlock();
	return outcome == MMU_RESUME;
}

/* An exit: the list has to be emptied before the access can be made. */
void guest_list_full(struct cpu *cpu)
{
	sim_srcu_lock();
	cpu_exit(cpu);
	sim_srcu_unlock();
	count(CAUSE_LOG_FULL);
}

/* What a vCPU's read will need is mapped before it comes. */
static void guest_prefault(struct cpu *cpu)
{
	gfn_t gfn = world_pick_gfn();
	struct circumstances then = look_around();
	struct mmu_fault failed = {};
	long r;

	note("guest: frame %#lx ahead", gfn, 0, 0);
	self->faults = 0;
	self->signaled = false;
	sim_srcu_lock();
	r = mmu_prefault(&cpu->mv, gfn_to_gpa(gfn));
	check(!self->faults);
	if (r == -ENOENT)
		check_mmio(gfn, ACC_R, &then);
	else if (r == -EAGAIN)
		check(self->signaled || !quiet_since(&then));
	else if (r < 0)
		check_failed((failed.error = r, &failed));
	else
		check(r && !(r % PAGE_SIZE));
	sim_srcu_unlock();
	if (r > 0)
		count(GUEST_AHEAD);
}

static void guest_access(struct cpu *cpu)
{
	gfn_t gfn = world_pick_gfn();
	u32 access = draw_one_in(12) ? ACC_X : draw(2) ? ACC_W : ACC_R;
	struct circumstances then = look_around();
	int faults = 0, quiet = 0;
	hfn_t hfn;

	note("guest: frame %#lx access %lu", gfn, access, 0);
	for (;;) {
		enum cpu_result r = cpu_translate(cpu, gfn, access, &hfn);

		if (r == CPU_DONE)
			return perform(gfn, access, hfn);
		if (r == CPU_FLUSHED)
			continue;
		if (r == CPU_FULL) {
			guest_list_full(cpu);
			continue;
		}
		quiet = quiet_since(&then) && !self->signaled ? quiet + 1 : 0;
		then = look_around();
		if (quiet > MAX_QUIET_FAULTS)
			fail("guest frame %#llx: the same fault again and again",
			     (unsigned long long)gfn);
		if (!guest_fault(cpu, gfn, access) || ++faults > MAX_FAULTS)
			return;
	}
}

/* Is the model certain of the slot of @gfn?  Only while none changes, and none has since. */
struct model_slot *certain_slot(gfn_t gfn, const struct circumstances *then)
{
	if (world.changing >= 0 || world.changes != then->changes || then->busy)
		return NULL;
	return model_find(gfn, false);
}

static void kernel_read(gfn_t gfn)
{
	struct circumstances then;
	struct model_slot *slot;
	u64 value;
	int r;

	sim_srcu_lock();
	then = look_around();
	r = guest_mem_read(&world.slots, gfn_to_gpa(gfn), &value, sizeof(value));
	slot = certain_slot(gfn, &then);
	if (slot && !r && value != model_vpage(slot, gfn)->value[0])
		fail("the kernel reads %#llx wrong", (unsigned long long)gfn);
	check(!r || r == -EFAULT || (r == -ENOENT && !slot));
	sim_srcu_unlock();
	count(KERNEL_READ);
}

/* A write has to be logged by the time that it has returned, if no log was cleared meanwhile. */
static void kernel_write(gfn_t gfn, enum watched how)
{
	struct model_slot *slot;
	struct circumstances then;
	unsigned long calls;
	u64 old, value = ++world.value;
	int r;

	sim_srcu_lock();
	then = look_around();
	slot = certain_slot(gfn, &then);
	calls = slot ? slot->calls : 0;
	if (how == KERNEL_EXCHANGE) {
		old = slot ? model_vpage(slot, gfn)->value[0] : 0;
		r = guest_mem_exchange(&world.slots, gfn_to_gpa(gfn), &old, &value, sizeof(value));
	} else if (how == KERNEL_PUT) {
		r = guest_mem_put_u32(&world.slots, gfn_to_gpa(gfn), value);
	} else {
		r = guest_mem_write(&world.slots, gfn_to_gpa(gfn), &value, sizeof(value));
	}
	if (slot && slot == certain_slot(gfn, &then)) {
		if (!r && slot->calls == calls && !slot->during)
			model_written(slot, gfn);
		check((r == -ENOENT) == !!(slot->flags & KVM_MEM_READONLY));
	}
	sim_srcu_unlock();
	count(how);
}

/* One thing that the vCPU does, drawn. */
void guest_op(struct cpu *cpu)
{
	static const enum watched how[] = { KERNEL_WRITE, KERNEL_EXCHANGE, KERNEL_PUT };

	switch (draw(16)) {
	case 0:
		return kernel_read(world_pick_gfn());
	case 1:
		return kernel_write(world_pick_gfn(), how[draw(ARRAY_SIZE(how))]);
	case 2:
		return guest_prefault(cpu);
	default:
		guest_access(cpu);
	}
}
