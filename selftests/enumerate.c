// SPDX-License-Identifier: GPL-2.0-only
/*
 * What page table entries permit, by trying: a guest (guest/enumerate.c) makes an access by each
 * of very many sets of entries, in each mode, and compares what comes of it with the manuals'
 * rules.
 *
 *   leaf 1, 2, 3   all combinations of a leaf's bits, below entries that permit all; of PAE the
 *                  third is one of the pointers that begin a walk
 *   pairs          a bit of one level and a bit of another not as usual, for all pairs of levels
 *   keys           protection keys, where the processor offers them
 *   pairs in full  all combinations of P, W, U, NX, a reserved bit and PS of two levels; not usual
 *   sample         all bits of all levels drawn
 *
 * Each format of tables is a test of its own: long mode's four levels, PAE, and the two levels of
 * 32-bit entries, with and without CR4.PSE.  A page of 4 MiB may be above 4 GiB there.
 *
 * It does so on the second table, then on shadow tables; or on what MKVM_MMU or ENUMERATE_MMUS
 * says.  The kernel's own kvm has the one that its module was told.  On shadow tables a guest of
 * 32 bits has the narrow addresses of such processors.
 *
 * And with a VM that goes from one to the other after each 128 cases.
 *
 * ENUMERATE_CASES: how many with four levels, a third of it with the others; the usual number is
 * all of the sections but "pairs in full", and a sample, of the others 30,000.  Fewer than all: so
 * many of each section as its part is, evenly; more: pairs in full, and the rest in the sample.
 * ENUMERATE_SEED: which are drawn.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/mkvm.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "guest/enumerate.h"
#include "lib/cpuid.h"
#include "lib/guest.h"
#include "lib/host.h"
#include "lib/paging_quirks.h"
#include "lib/program.h"

#define CHUNK	 4096 /* cases of a KVM_RUN */
#define MOVES	 128  /* and where the VM changes its MMU after it */
#define SAMPLE	 10000
#define OTHERS	 30000 /* cases of another format than long mode's, if none are asked for */
#define NARROW	 36    /* bits of an address */
#define ACCESSED 0x20
#define LIMIT	 1800
#define LARGE_32 (4UL << 20)
#define BOUND	 2 /* at least so many per cent of the cases have no fault */

static const char *const section_names[NR_SECTIONS] = {
	"leaf 1", "leaf 2", "leaf 3", "pairs", "keys", "pairs in full", "sample",
};

/* What is to be run of each section: every so many-th case, and how many that makes. */
struct plan {
	uint32_t first, step, count;
};

static const char *const format_names[NR_FORMATS] = { "four levels", "PAE", "two levels" };

/* What the test is about.  The VM goes from one MMU to the other? */
static enum paging_format format;
static bool moves;

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

static bool is_on_shadow_tables(const struct guest *guest)
{
	if (moves)
		return false;
	if (!kvm_dev_is_mkvm(&guest->dev))
		return !kvm_has("/sys/module/kvm_amd/parameters/npt") &&
		       !kvm_has("/sys/module/kvm_intel/parameters/ept");
	return device_vm_type() == MKVM_VM_SHADOW;
}

static const struct paging_quirk *quirk_after(const struct guest *guest,
					      const struct paging_quirk *last)
{
	return paging_quirk_next(last, format, is_on_shadow_tables(guest));
}

static void list_quirks(struct guest *guest)
{
	struct enumerate *shared = shared_of(guest);
	const struct paging_quirk *quirk = NULL;

	while ((quirk = quirk_after(guest, quirk))) {
		REQUIRE(shared->nr_quirks < ENUMERATE_QUIRKS, "too many quirks");
		shared->quirk[shared->nr_quirks++] =
			(struct enumerate_quirk){ quirk->has,	quirk->lost,	quirk->gained,
						  quirk->marks, quirk->lenient, quirk->points };
	}
}

/* One that no longer occurs has to go. */
static void check_quirks(const struct guest *guest)
{
	const struct enumerate *shared = shared_of(guest);
	const struct paging_quirk *quirk = NULL;
	unsigned int i;

	for (i = 0; (quirk = quirk_after(guest, quirk)); i++) {
		EXPECT(shared->quirks[i], "%s has not occurred: paging_quirks.c", quirk->name);
		ktap_note("the emulator's %s: %llu cases", quirk->name,
			  (unsigned long long)shared->quirks[i]);
	}
}

static void narrow_addresses(const struct guest *guest)
{
	struct kvm_cpuid_entry2 *entry;
	struct cpuid cpuid;

	REQUIRE_OK(cpuid_get_supported(&cpuid, &guest->dev));
	entry = cpuid_find(&cpuid, 0x80000008, 0);
	REQUIRE(entry, "no leaf 0x80000008");
	entry->eax = (entry->eax & ~0xffU) | NARROW;
	REQUIRE_OK(cpuid_set(&guest->vcpu[0], &cpuid));
}

/*
 * The second page's memory is, too, where bits 39:32 of an address are needed, the uppermost that
 * the guest's addresses have among them; nothing is where it is without them.
 */
static void attach_high(const struct guest *guest)
{
	struct enumerate *shared = shared_of(guest);
	uint32_t bits = shared->cpu.phys_bits < 40 ? shared->cpu.phys_bits : 40;
	uint64_t large = ENUMERATE_OTHER >> 22 << 22;
	struct mem high = {
		.host = guest_at(guest, large, LARGE_32),
		.gpa = 1ULL << 32 | 1ULL << (bits - 1) | (GUEST_MEM_SIZE + large),
		.size = LARGE_32,
	};

	REQUIRE_OK(mem_attach(&high, &guest->vm, 1));
	shared->high = high.gpa + ENUMERATE_OTHER - large;
}

/*
 * kvm's shadow tables on AMD's processors load them, as those do without NPT.  Where they are
 * walked like other entries, A is not minded: QEMU's processor sets it there, and mkvm's shadow
 * tables have to do with what it leaves if the VM goes over to them.
 */
static void set_pointers_rules(const struct guest *guest)
{
	struct paging_cpu *cpu = &shared_of(guest)->cpu;

	if (!kvm_dev_is_mkvm(&guest->dev) && is_on_shadow_tables(guest))
		cpu->loads = true;
	if (!cpu->loads)
		cpu->lenient = ACCESSED;
}

static void set_up(struct guest *guest, uint32_t seed)
{
	struct enumerate *shared;

	guest_create(guest, 1);
	if (format != FORMAT_LONG && is_on_shadow_tables(guest))
		narrow_addresses(guest);
	guest_start(guest, 0, format == FORMAT_LONG ? MODE_LONG : MODE_PROT32);
	program_load(guest, format == FORMAT_LONG ? "enumerate" : "enumerate32");
	shared = shared_of(guest);
	shared->format = format;
	shared->seed = seed;
	list_quirks(guest);
	call_program(guest, true);
	if (format == FORMAT_PAE)
		set_pointers_rules(guest);
	if (format == FORMAT_32)
		attach_high(guest);
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
	/* Odd, so that no bit of a number is the same in all cases.  A tenth is for the sample. */
	if (cases < usual)
		step = (usual / (cases - cases / 10) + 1) | 1;
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

	ktap_note("%s, case %u: %s%s%s%s%s, mode %x, key's rights %u, %s",
		  section_names[w->section], w->number, w->what & WRONG_FAULT ? "fault " : "",
		  w->what & WRONG_PLACE ? "place " : "", w->what & WRONG_BITS ? "bits " : "",
		  w->what & WRONG_VALUE ? "value " : "", w->what & WRONG_LOAD ? "load " : "",
		  w->c.mode, w->c.rights, accesses[w->c.access]);
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

	for (i = 0; i < 4 && format == FORMAT_LONG && (shared->cpu.modes & MODE_PKE); i++)
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

static uint64_t nr_cases(void)
{
	uint64_t cases = host_number("ENUMERATE_CASES", 0);

	if (format == FORMAT_LONG)
		return cases;
	return cases ? cases / 3 : OTHERS;
}

static void enumerate(void)
{
	uint32_t seed = host_number("ENUMERATE_SEED", 1), i;
	struct plan plan[NR_SECTIONS];
	struct enumerate *shared;
	struct guest guest;
	uint64_t total;

	set_up(&guest, seed);
	shared = shared_of(&guest);
	total = make_plan(&shared->cpu, nr_cases(), seed, plan);
	ktap_note("%s: ENUMERATE_SEED=%u, %llu cases, modes %x, addresses of %u bits",
		  format_names[format], seed, (unsigned long long)total, shared->cpu.modes,
		  shared->cpu.phys_bits);
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

static void on_the_second_table(enum paging_format of)
{
	format = of;
	setenv("MKVM_MMU", "tdp", 1);
	enumerate();
}

static void on_shadow_tables(enum paging_format of)
{
	format = of;
	setenv("MKVM_MMU", "shadow", 1);
	enumerate();
}

static void on_both_in_turn(enum paging_format of)
{
	moves = true;
	on_shadow_tables(of);
}

static void on_what_kvm_has(enum paging_format of)
{
	format = of;
	enumerate();
}

static void long_on_the_second_table(void)
{
	on_the_second_table(FORMAT_LONG);
}

static void pae_on_the_second_table(void)
{
	on_the_second_table(FORMAT_PAE);
}

static void two_levels_on_the_second_table(void)
{
	on_the_second_table(FORMAT_32);
}

static void long_on_shadow_tables(void)
{
	on_shadow_tables(FORMAT_LONG);
}

static void pae_on_shadow_tables(void)
{
	on_shadow_tables(FORMAT_PAE);
}

static void two_levels_on_shadow_tables(void)
{
	on_shadow_tables(FORMAT_32);
}

static void long_on_both_in_turn(void)
{
	on_both_in_turn(FORMAT_LONG);
}

static void pae_on_both_in_turn(void)
{
	on_both_in_turn(FORMAT_PAE);
}

static void two_levels_on_both_in_turn(void)
{
	on_both_in_turn(FORMAT_32);
}

static void long_on_what_kvm_has(void)
{
	on_what_kvm_has(FORMAT_LONG);
}

static void pae_on_what_kvm_has(void)
{
	on_what_kvm_has(FORMAT_PAE);
}

static void two_levels_on_what_kvm_has(void)
{
	on_what_kvm_has(FORMAT_32);
}

#define TEST(name) KTAP_TEST_LIMIT(name, LIMIT)

static const struct ktap_test tests_tdp[NR_FORMATS] = {
	TEST(long_on_the_second_table),
	TEST(pae_on_the_second_table),
	TEST(two_levels_on_the_second_table),
};

static const struct ktap_test tests_shadow[NR_FORMATS] = {
	TEST(long_on_shadow_tables),
	TEST(pae_on_shadow_tables),
	TEST(two_levels_on_shadow_tables),
};

static const struct ktap_test tests_turn[NR_FORMATS] = {
	TEST(long_on_both_in_turn),
	TEST(pae_on_both_in_turn),
	TEST(two_levels_on_both_in_turn),
};

static const struct ktap_test tests_kvm[NR_FORMATS] = {
	TEST(long_on_what_kvm_has),
	TEST(pae_on_what_kvm_has),
	TEST(two_levels_on_what_kvm_has),
};

static void add(struct ktap_test *tests, size_t *nr, const struct ktap_test add[NR_FORMATS])
{
	memcpy(tests + *nr, add, NR_FORMATS * sizeof(*add));
	*nr += NR_FORMATS;
}

/* What can be asked for, and what there is. */
int main(int argc, char **argv)
{
	const char *mmus = getenv("MKVM_MMU") ?: getenv("ENUMERATE_MMUS") ?: "tdp,shadow";
	struct ktap_test tests[3 * NR_FORMATS];
	struct kvm_dev dev;
	size_t nr = 0;

	device_open(&dev);
	if (!kvm_dev_is_mkvm(&dev))
		add(tests, &nr, tests_kvm);
	else if (strstr(mmus, "tdp"))
		add(tests, &nr, tests_tdp);
	if (kvm_dev_is_mkvm(&dev) && strstr(mmus, "shadow"))
		add(tests, &nr, tests_shadow);
	if (kvm_dev_is_mkvm(&dev) && strstr(mmus, "shadow") && (dev.mmus & 1))
		add(tests, &nr, tests_turn);
	kvm_dev_close(&dev);
	return ktap_main(tests, nr, argc, argv);
}
