// SPDX-License-Identifier: GPL-2.0-only
/*
 * What page table entries permit, by trying: a guest (guest/enumerate.c) makes an access by each
 * of very many sets of entries, in each mode, and compares what comes of it with the manuals'
 * rules.
 *
 *   leaf 1, 2, 3   all combinations of a leaf's bits, below entries that permit all
 *   pairs          a bit of one level and a bit of another not as usual, for all pairs of levels
 *   keys           protection keys, where the processor offers them
 *   pairs in full  all combinations of P, W, U, NX, a reserved bit and PS of two levels; not usual
 *   sample         all bits of all levels drawn
 *
 * It does so on the second table, then on shadow tables; or on what MKVM_MMU or ENUMERATE_MMUS
 * says.  The kernel's own kvm has the one that its module was told.
 *
 * And with a VM that goes from one to the other after each 128 cases.
 *
 * ENUMERATE_CASES: how many; the usual number is all of the sections but "pairs in full", and a
 * sample.  Fewer: so many of each section as its part is, evenly; more: pairs in full, and the rest
 * in the sample.  ENUMERATE_SEED: which are drawn.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/mkvm.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "guest/enumerate.h"
#include "lib/guest.h"
#include "lib/host.h"
#include "lib/paging_quirks.h"
#include "lib/program.h"

#define CHUNK  4096 /* cases of a KVM_RUN */
#define MOVES  128  /* and where the VM changes its MMU after it */
#define SAMPLE 10000
#define LIMIT  1800
#define BOUND  2 /* at least so many per cent of the cases have no fault */

static const char *const section_names[NR_SECTIONS] = {
	"leaf 1", "leaf 2", "leaf 3", "pairs", "keys", "pairs in full", "sample",
};

/* What is to be run of each section: every so many-th case, and how many that makes. */
struct plan {
	uint32_t first, step, count;
};

static struct enumerate *shared_of(const struct guest *guest)
{
	return guest_at(guest, ENUMERATE_SHARED, sizeof(struct enumerate));
}

static void call_program(struct guest *guest, bool set_up)
{
	program_begin(guest, set_up, 0);
	guest_run_to_hlt(guest, 0);
}

/* Is the second table what the guest's addresses go through?  kvm's module knows. */
static bool kvm_has(const char *path)
{
	char value = 'N';
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return false;
	REQUIRE(read(fd, &value, 1) == 1, "%s: %s", path, strerror(errno));
	close(fd);
	return value == 'Y' || value == '1';
}

/* The VM goes from one to the other. */
static bool moves;

static bool is_on_shadow_tables(const struct guest *guest)
{
	if (moves)
		return false;
	if (!kvm_dev_is_mkvm(&guest->dev))
		return !kvm_has("/sys/module/kvm_amd/parameters/npt") &&
		       !kvm_has("/sys/module/kvm_intel/parameters/ept");
	return device_vm_type() == MKVM_VM_SHADOW;
}

static void list_quirks(struct guest *guest)
{
	struct enumerate *shared = shared_of(guest);
	const struct paging_quirk *quirk = NULL;

	while ((quirk = paging_quirk_next(quirk, is_on_shadow_tables(guest)))) {
		REQUIRE(shared->nr_quirks < ENUMERATE_QUIRKS, "too many quirks");
		shared->quirk[shared->nr_quirks++] =
			(struct enumerate_quirk){ quirk->has, quirk->lost, quirk->gained,
						  quirk->marks, quirk->unreserved };
	}
}

/* One that no longer occurs has to go. */
static void check_quirks(const struct guest *guest)
{
	const struct enumerate *shared = shared_of(guest);
	const struct paging_quirk *quirk = NULL;
	unsigned int i;

	for (i = 0; (quirk = paging_quirk_next(quirk, is_on_shadow_tables(guest))); i++) {
		EXPECT(shared->quirks[i], "%s has not occurred: paging_quirks.c", quirk->name);
		ktap_note("the emulator's %s: %llu cases", quirk->name,
			  (unsigned long long)shared->quirks[i]);
	}
}

static void set_up(struct guest *guest, uint32_t seed)
{
	struct enumerate *shared;

	guest_create(guest, 1);
	guest_start(guest, 0, MODE_LONG);
	program_load(guest, "enumerate");
	shared = shared_of(guest);
	shared->seed = seed;
	list_quirks(guest);
	call_program(guest, true);
}

static bool is_usual(uint32_t section)
{
	return section != SECTION_PAIRS_FULL && section != SECTION_SAMPLE;
}

/* @cases in all, 0: the usual number.  Answers how many it is. */
static uint64_t make_plan(const struct paging_cpu *cpu, uint64_t cases, uint32_t seed,
			  struct plan plan[NR_SECTIONS])
{
	uint64_t usual = 0, step = 1, total = 0;
	uint32_t i;

	memset(plan, 0, NR_SECTIONS * sizeof(*plan));
	for (i = 0; i < NR_SECTIONS; i++)
		usual += is_usual(i) ? paging_section_size(cpu, i) : 0;
	if (!cases)
		cases = usual + SAMPLE;
	/* Odd, so that no bit of a number is the same in all cases. */
	if (cases < usual)
		step = (usual / cases + 1) | 1;
	for (i = 0; i < NR_SECTIONS; i++) {
		uint32_t size = paging_section_size(cpu, i);

		if (!size || (!is_usual(i) && (i == SECTION_SAMPLE || cases < usual + size)))
			continue;
		plan[i].step = is_usual(i) ? step : 1;
		plan[i].first = seed % plan[i].step;
		plan[i].count = (size - plan[i].first + plan[i].step - 1) / plan[i].step;
		total += plan[i].count;
	}
	if (cases > total) {
		plan[SECTION_SAMPLE] = (struct plan){ 0, 1, cases - total };
		total = cases;
	}
	return total;
}

static void tell_entries(const char *what, const u64_at8 entries[MAX_LEVELS])
{
	ktap_note("  %s %016llx %016llx %016llx %016llx", what, (unsigned long long)entries[3],
		  (unsigned long long)entries[2], (unsigned long long)entries[1],
		  (unsigned long long)entries[0]);
}

static void tell_wrong(const struct enumerate_wrong *w)
{
	static const char *const accesses[NR_ACCESSES] = {
		"read",	 "read, AC",	"write",	"write, AC",
		"fetch", "user's read", "user's write", "user's fetch",
	};

	ktap_note("%s, case %u: %s%s%s%s, mode %x, key's rights %u, %s", section_names[w->section],
		  w->number, w->what & WRONG_FAULT ? "fault " : "",
		  w->what & WRONG_PLACE ? "place " : "", w->what & WRONG_BITS ? "bits " : "",
		  w->what & WRONG_VALUE ? "value " : "", w->c.mode, w->c.rights,
		  accesses[w->c.access]);
	ktap_note("  expected %s %llx, level %llu; seen %s %llx, cr2 %llx, rip %llx, value %llx%s",
		  w->fault ? "fault" : "none", (unsigned long long)w->code,
		  (unsigned long long)w->last, w->seen.fault ? "fault" : "none",
		  (unsigned long long)w->seen.code, (unsigned long long)w->seen.cr2,
		  (unsigned long long)w->seen.rip, (unsigned long long)w->seen.value,
		  w->forgotten ? "" : ", nothing forgotten");
	tell_entries("before", w->before);
	tell_entries("after ", w->after);
}

static void move(const struct guest *guest)
{
	static bool to_shadow;

	REQUIRE_OK(vm_set_mmu(&guest->vm, to_shadow ? MKVM_VM_SHADOW : MKVM_VM_TDP));
	to_shadow = !to_shadow;
}

static void run_section(struct guest *guest, uint32_t section, const struct plan *plan)
{
	struct enumerate *shared = shared_of(guest);
	uint64_t before = shared->done;
	uint32_t done, wrong = shared->wrong, chunk = moves ? MOVES : CHUNK;

	for (done = 0; done < plan->count; done += shared->count) {
		shared->section = section;
		shared->first = plan->first + done * plan->step;
		shared->step = plan->step;
		shared->count = plan->count - done < chunk ? plan->count - done : chunk;
		if (moves)
			move(guest);
		call_program(guest, false);
		REQUIRE(!shared->vector, "exception %u in case %u of %s, after %llu of them",
			shared->vector, shared->first, section_names[section],
			(unsigned long long)(shared->done - before));
	}
	EXPECT_EQ(plan->count, shared->done - before);
	ktap_note("%s: %u cases, %u wrong", section_names[section], plan->count,
		  shared->wrong - wrong);
}

/* Each thing that can come of a case has come of some. */
static void check_variety(const struct enumerate *shared, bool shadow)
{
	static const uint32_t codes[] = { 0, 1, 2, 3, 4, 5, 6, 7, 9, 11, 13, 15, 16, 17, 20, 21 };
	static const uint32_t key_codes[] = { 33, 35, 37, 39 };
	unsigned int i;

	for (i = 0; i < 4 && (shared->cpu.modes & MODE_PKE); i++)
		EXPECT(shared->codes[key_codes[i]], "no fault has the code %u", key_codes[i]);

	for (i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		EXPECT(shared->codes[codes[i]], "no fault has the code %u", codes[i]);
	EXPECT(shared->fine * 100 >= shared->done * BOUND, "%llu cases without a fault",
	       (unsigned long long)shared->fine);
	EXPECT(shared->unforgotten * 100 >= shared->done * BOUND, "%llu cases without INVLPG",
	       (unsigned long long)shared->unforgotten);
	EXPECT(shared->late, "no permission was added");
	/* A processor may have kept less, a shadow table may not show that it has. */
	if (shadow)
		EXPECT_EQ(0, shared->spurious);
	ktap_note("%llu without a fault, %llu without INVLPG, a permission added in %llu, of them "
		  "%llu faults too many",
		  (unsigned long long)shared->fine, (unsigned long long)shared->unforgotten,
		  (unsigned long long)shared->late, (unsigned long long)shared->spurious);
}

static void enumerate(void)
{
	uint32_t seed = host_number("ENUMERATE_SEED", 1), i;
	uint64_t total, cases = host_number("ENUMERATE_CASES", 0);
	struct plan plan[NR_SECTIONS];
	struct enumerate *shared;
	struct guest guest;

	set_up(&guest, seed);
	shared = shared_of(&guest);
	total = make_plan(&shared->cpu, cases, seed, plan);
	ktap_note("ENUMERATE_SEED=%u ENUMERATE_CASES=%llu, modes %x, addresses of %u bits", seed,
		  (unsigned long long)total, shared->cpu.modes, shared->cpu.phys_bits);
	for (i = 0; i < NR_SECTIONS; i++)
		if (plan[i].count)
			run_section(&guest, i, &plan[i]);
	EXPECT_EQ(total, shared->done);
	for (i = 0; i < shared->wrong && i < ENUMERATE_WRONG; i++)
		tell_wrong(&shared->wrongs[i]);
	EXPECT_EQ(0, shared->wrong);
	check_variety(shared, is_on_shadow_tables(&guest));
	check_quirks(&guest);
	guest_destroy(&guest);
}

static void on_the_second_table(void)
{
	setenv("MKVM_MMU", "tdp", 1);
	enumerate();
}

static void on_shadow_tables(void)
{
	setenv("MKVM_MMU", "shadow", 1);
	enumerate();
}

static void on_both_in_turn(void)
{
	setenv("MKVM_MMU", "shadow", 1);
	moves = true;
	enumerate();
}

static void on_what_kvm_has(void)
{
	enumerate();
}

/* What can be asked for, and what there is. */
int main(int argc, char **argv)
{
	const char *mmus = getenv("MKVM_MMU") ?: getenv("ENUMERATE_MMUS") ?: "tdp,shadow";
	struct ktap_test tests[3];
	struct kvm_dev dev;
	size_t nr = 0;

	device_open(&dev);
	if (!kvm_dev_is_mkvm(&dev))
		tests[nr++] = (struct ktap_test)KTAP_TEST_LIMIT(on_what_kvm_has, LIMIT);
	else if (strstr(mmus, "tdp"))
		tests[nr++] = (struct ktap_test)KTAP_TEST_LIMIT(on_the_second_table, LIMIT);
	if (kvm_dev_is_mkvm(&dev) && strstr(mmus, "shadow"))
		tests[nr++] = (struct ktap_test)KTAP_TEST_LIMIT(on_shadow_tables, LIMIT);
	if (kvm_dev_is_mkvm(&dev) && strstr(mmus, "shadow") && (dev.mmus & 1))
		tests[nr++] = (struct ktap_test)KTAP_TEST_LIMIT(on_both_in_turn, LIMIT);
	kvm_dev_close(&dev);
	return ktap_main(tests, nr, argc, argv);
}
