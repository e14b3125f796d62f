// SPDX-License-Identifier: GPL-2.0-only
/*
 * The same guest on the second table and on shadow tables: it changes its page tables at random and
 * uses them (guest/equivalence.c), in two VMs side by side.  Every so many steps all is compared:
 * what came of each access, all of memory and what the devices have been told, registers.  So it is
 * with a VM that goes from one MMU to the other and back every few milliseconds.
 *
 * EQUIVALENCE_STEPS: how many; EQUIVALENCE_SEED: which.
 */
#include <linux/kvm.h>
#include <linux/mkvm.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "guest/enumerate.h"
#include "guest/equivalence.h"
#include "lib/guest.h"
#include "lib/host.h"
#include "lib/paging_quirks.h"
#include "lib/program.h"

#define STEPS	    40000
#define LIMIT	    1800
#define PAGE	    0x1000UL
#define LOCKED_SIZE (EQ_PAGES * PAGE)
#define FAULT_CODES 32
#define MOVE_US	    2000
#define LEAST_MOVES 20
#define PF_WRITE    2

/* What has been seen, of each kind. */
struct seen {
	unsigned long edits[NR_EDITS];
	unsigned long done[NR_EQ_ACCESSES], faulted[NR_EQ_ACCESSES], skipped;
	unsigned long codes[FAULT_CODES];
	unsigned long device_reads, device_writes, locked_writes, to_tables;
};

/* One of the two VMs, and what is outside of its memory. */
struct side {
	const char *name;
	struct guest guest;
	void *locked;
	unsigned char device[EQ_PAGES * PAGE];
	uint64_t told; /* a sum of all that was written outside */
	struct seen *seen;
};

static struct equivalence *shared_of(const struct side *side)
{
	return guest_at(&side->guest, EQ_SHARED, sizeof(struct equivalence));
}

static void add_locked_slot(struct side *side)
{
	struct kvm_userspace_memory_region slot = {
		.slot = 9,
		.flags = KVM_MEM_READONLY,
		.guest_phys_addr = EQ_LOCKED,
		.memory_size = LOCKED_SIZE,
	};

	side->locked =
		mmap(NULL, LOCKED_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	REQUIRE(side->locked != MAP_FAILED);
	slot.userspace_addr = (uintptr_t)side->locked;
	REQUIRE(ioctl(side->guest.vm.fd, KVM_SET_USER_MEMORY_REGION, &slot) == 0);
}

static void create(struct side *side, const char *mmu, struct seen *seen)
{
	memset(side, 0, sizeof(*side));
	side->name = mmu;
	side->seen = seen;
	setenv("MKVM_MMU", mmu, 1);
	guest_create_vm_around(&side->guest);
	guest_add_cpus(&side->guest, 1);
	REQUIRE_OK(vcpu_offer_host_cpuid(&side->guest.vcpu[0], &side->guest.dev));
	add_locked_slot(side);
	guest_start(&side->guest, 0, MODE_LONG);
	program_load(&side->guest, "equivalence");
	shared_of(side)->reads_first = host_is_qemu();
}

static void destroy(struct side *side)
{
	guest_destroy(&side->guest);
	munmap(side->locked, LOCKED_SIZE);
}

static bool is_within(uint64_t gpa, uint64_t from, uint64_t size)
{
	return gpa >= from && gpa < from + size;
}

static void note_write(struct side *side, const struct kvm_run *run)
{
	uint64_t value = 0, gpa = run->mmio.phys_addr;

	memcpy(&value, run->mmio.data, run->mmio.len);
	side->told = (side->told ^ gpa) * 0x100000001b3 + value;
	side->told = side->told * 0x100000001b3 + run->mmio.len;
	if (is_within(gpa, EQ_LOCKED, LOCKED_SIZE)) {
		side->seen->locked_writes++;
		return;
	}
	side->seen->device_writes++;
	memcpy(side->device + (gpa - EQ_DEVICE), run->mmio.data, run->mmio.len);
}

/* The devices are memory, what is read-only does not change. */
static void do_mmio(struct side *side, struct kvm_run *run)
{
	uint64_t gpa = run->mmio.phys_addr;

	REQUIRE(is_within(gpa, EQ_DEVICE, sizeof(side->device) - 7) ||
			(run->mmio.is_write && is_within(gpa, EQ_LOCKED, LOCKED_SIZE)),
		"%s: %s of 0x%llx", side->name, run->mmio.is_write ? "write" : "read",
		(unsigned long long)gpa);
	if (run->mmio.is_write) {
		note_write(side, run);
		return;
	}
	side->seen->device_reads++;
	memcpy(run->mmio.data, side->device + (gpa - EQ_DEVICE), run->mmio.len);
}

static void run(struct side *side, bool set_up)
{
	struct kvm_run *run = side->guest.vcpu[0].run;

	program_begin(&side->guest, set_up, 0);
	while (guest_run(&side->guest, 0) == KVM_EXIT_MMIO)
		do_mmio(side, run);
	guest_expect_exit(&side->guest, 0, KVM_EXIT_HLT);
	REQUIRE(!shared_of(side)->vector, "%s: exception %u in step %llu", side->name,
		shared_of(side)->vector, (unsigned long long)shared_of(side)->done);
}

/* The right code as this side's emulated processor tells it. */
static uint64_t code_as_told(uint64_t code, bool shadow)
{
	const struct paging_quirk *quirk = NULL;

	while ((quirk = paging_quirk_next(quirk, FORMAT_LONG, shadow)))
		if (!quirk->marks && (code & quirk->has) == quirk->has)
			code = (code & ~(uint64_t)quirk->lost) | quirk->gained;
	return code;
}

/* QEMU exchanges by a read and then a write, as one of its threads is all processors. */
static bool is_told_as_read(const struct eq_step *step)
{
	return host_is_qemu() && step->access >= EQ_EXCHANGE && step->access <= EQ_OR;
}

/*
 * On shadow tables codes are told as they should be: the module tells them.  One that moves may be
 * told either.
 */
static bool steps_equal(const struct eq_step *tdp, const struct eq_step *shadow)
{
	struct eq_step a = *tdp, b = *shadow;

	if (b.fault && b.code != a.code)
		b.code = code_as_told(b.code, false);
	if (is_told_as_read(&b) && a.fault && b.fault) {
		a.code &= ~(uint64_t)PF_WRITE;
		b.code &= ~(uint64_t)PF_WRITE;
	}
	return memcmp(&a, &b, sizeof(a)) == 0;
}

static void tell_step(const struct side *side, const struct eq_step *s)
{
	ktap_note("  %s: edit %u, access %u%s%s in mode %x of %llx, which leads to %llx: %s %llx, "
		  "cr2 %llx, rip %llx, value %llx",
		  side->name, s->edit, s->access, s->user ? " by a user" : "", s->ac ? ", AC" : "",
		  s->mode, (unsigned long long)s->address, (unsigned long long)s->gpa,
		  s->fault ? "fault" : "none", (unsigned long long)s->code,
		  (unsigned long long)s->cr2, (unsigned long long)s->rip,
		  (unsigned long long)s->value);
}

static void compare_steps(const struct side *tdp, const struct side *shadow, uint32_t count)
{
	const struct equivalence *a = shared_of(tdp), *b = shared_of(shadow);
	uint32_t i;

	EXPECT_EQ(a->draws, b->draws);
	EXPECT_EQ(a->done, b->done);
	for (i = 0; i < count; i++) {
		if (steps_equal(&a->step[i], &b->step[i]))
			continue;
		tell_step(tdp, &a->step[i]);
		tell_step(shadow, &b->step[i]);
		REQUIRE(false, "step %llu is not the same",
			(unsigned long long)(a->done - count + i));
	}
}

static void compare_memory(const struct side *tdp, const struct side *shadow, uint64_t from,
			   uint64_t size)
{
	const uint64_t *a = guest_at(&tdp->guest, from, size);
	const uint64_t *b = guest_at(&shadow->guest, from, size);
	uint64_t i;

	for (i = 0; i < size / 8; i++)
		REQUIRE(a[i] == b[i], "at 0x%llx: %s 0x%llx, %s 0x%llx, after step %llu",
			(unsigned long long)(from + 8 * i), tdp->name, (unsigned long long)a[i],
			shadow->name, (unsigned long long)b[i],
			(unsigned long long)shared_of(tdp)->done);
}

static void compare_registers(const struct side *tdp, const struct side *shadow)
{
	struct kvm_sregs a = guest_sregs(&tdp->guest, 0), b = guest_sregs(&shadow->guest, 0);
	struct kvm_regs x = guest_regs(&tdp->guest, 0), y = guest_regs(&shadow->guest, 0);

	EXPECT(memcmp(&a, &b, sizeof(a)) == 0, "system registers: cr0 %llx %llx cr2 %llx %llx",
	       a.cr0, b.cr0, a.cr2, b.cr2);
	EXPECT_EQ(x.rip, y.rip);
	EXPECT_EQ(x.rsp, y.rsp);
	EXPECT_EQ(x.rflags, y.rflags);
}

static void compare(const struct side *tdp, const struct side *shadow, uint32_t count)
{
	compare_steps(tdp, shadow, count);
	compare_memory(tdp, shadow, ENUMERATE_TABLES, 0x10000);
	compare_memory(tdp, shadow, EQ_POOL, EQ_NR_POOL * PAGE);
	compare_memory(tdp, shadow, EQ_DATA, EQ_NR_DATA * PAGE);
	EXPECT(!memcmp(tdp->device, shadow->device, sizeof(tdp->device)), "the device's memory");
	EXPECT_EQ(tdp->told, shadow->told);
	compare_registers(tdp, shadow);
}

static void note_steps(struct seen *seen, const struct equivalence *shared, uint32_t count)
{
	uint32_t i;

	for (i = 0; i < count; i++) {
		const struct eq_step *step = &shared->step[i];

		seen->edits[step->edit]++;
		if (step->access == EQ_SKIPPED) {
			seen->skipped++;
			continue;
		}
		if (step->fault) {
			seen->faulted[step->access]++;
			seen->codes[step->code % FAULT_CODES]++;
			continue;
		}
		seen->done[step->access]++;
		seen->to_tables += step->access != EQ_READ && step->access != EQ_FETCH &&
				   is_within(step->gpa, EQ_POOL, EQ_NR_POOL * PAGE);
	}
}

/* Each kind of thing has happened; @shadowed: codes too, which an emulator's own walk lacks. */
static void check_variety(const struct seen *seen, bool shadowed)
{
	static const uint32_t codes[] = { 0, 1, 2, 3, 4, 5, 6, 7, 9, 11, 13, 15, 16, 17, 20, 21 };
	unsigned int i;

	for (i = 0; i < NR_EDITS; i++)
		EXPECT(seen->edits[i], "no edit of kind %u", i);
	for (i = 0; i < NR_EQ_ACCESSES; i++)
		EXPECT(seen->done[i] && seen->faulted[i], "access %u: %lu done, %lu faulted", i,
		       seen->done[i], seen->faulted[i]);
	for (i = 0; shadowed && i < sizeof(codes) / sizeof(codes[0]); i++)
		EXPECT(seen->codes[codes[i]], "no fault has the code %u", codes[i]);
	EXPECT(seen->device_reads && seen->device_writes && seen->locked_writes && seen->to_tables,
	       "%lu reads of the device, %lu writes, %lu of what is read-only, %lu of tables",
	       seen->device_reads, seen->device_writes, seen->locked_writes, seen->to_tables);
}

static void tell_seen(const struct seen *seen, uint64_t steps)
{
	unsigned long done = 0, faulted = 0;
	unsigned int i;

	for (i = 0; i < NR_EQ_ACCESSES; i++) {
		done += seen->done[i];
		faulted += seen->faulted[i];
	}
	ktap_note(
		"%llu steps: %lu accesses, %lu of them stores to tables, %lu faults, %lu not made; "
		"device: %lu reads, %lu writes; %lu writes to what is read-only",
		(unsigned long long)steps, done, seen->to_tables, faulted, seen->skipped,
		seen->device_reads, seen->device_writes, seen->locked_writes);
}

struct mover {
	const struct side *side;
	pthread_t thread;
	atomic_bool stop;
	unsigned long moves;
};

static void *move(void *data)
{
	struct mover *mover = data;

	for (; !mover->stop; mover->moves++) {
		unsigned long to = mover->moves % 2 ? MKVM_VM_SHADOW : MKVM_VM_TDP;

		if (ioctl(mover->side->guest.vm.fd, MKVM_SET_MMU, to))
			break;
		usleep(MOVE_US);
	}
	return NULL;
}

static void set_up(struct side *tdp, struct side *shadow, struct seen *seen)
{
	uint32_t seed = host_number("EQUIVALENCE_SEED", 1);
	static struct seen unused;

	device_needs_shadow();
	create(tdp, "tdp", &unused);
	create(shadow, "shadow", seen);
	shared_of(tdp)->seed = shared_of(shadow)->seed = seed;
	run(tdp, true);
	run(shadow, true);
	compare(tdp, shadow, 0);
}

static void go_on(struct side *tdp, struct side *shadow, uint64_t steps, bool shadowed)
{
	uint64_t done;
	uint32_t count;

	ktap_note("EQUIVALENCE_SEED=%u EQUIVALENCE_STEPS=%llu", shared_of(tdp)->seed,
		  (unsigned long long)steps);
	for (done = 0; done < steps; done += count) {
		count = steps - done < EQ_STEPS ? steps - done : EQ_STEPS;
		shared_of(tdp)->count = shared_of(shadow)->count = count;
		run(tdp, false);
		run(shadow, false);
		compare(tdp, shadow, count);
		note_steps(shadow->seen, shared_of(shadow), count);
	}
	EXPECT_EQ(steps, shared_of(shadow)->done);
	tell_seen(shadow->seen, steps);
	check_variety(shadow->seen, shadowed);
}

static void same_on_both(void)
{
	static struct side tdp, shadow;
	static struct seen seen;

	set_up(&tdp, &shadow, &seen);
	go_on(&tdp, &shadow, host_number("EQUIVALENCE_STEPS", STEPS), true);
	destroy(&shadow);
	destroy(&tdp);
}

static void same_while_it_moves(void)
{
	static struct side tdp, moving;
	static struct seen seen;
	struct mover mover = { .side = &moving };

	set_up(&tdp, &moving, &seen);
	REQUIRE(!pthread_create(&mover.thread, NULL, move, &mover));
	go_on(&tdp, &moving, host_number("EQUIVALENCE_STEPS", STEPS), false);
	mover.stop = true;
	REQUIRE(!pthread_join(mover.thread, NULL));
	ktap_note("%lu times to the other MMU", mover.moves);
	EXPECT(mover.moves >= LEAST_MOVES, "it moved %lu times", mover.moves);
	destroy(&moving);
	destroy(&tdp);
}

static const struct ktap_test tests[] = {
	KTAP_TEST_LIMIT(same_on_both, LIMIT),
	KTAP_TEST_LIMIT(same_while_it_moves, LIMIT),
};

KTAP_MAIN(tests)
