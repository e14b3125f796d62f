// SPDX-License-Identifier: GPL-2.0-only
/*
 * Large pages: where the host has one and the slot lies right, one fault maps it all; where it has
 * none, or a dirty log wants to see each page, the leaves are small; and they become large again.
 *
 * The memory is of our own making, at 1 GiB: as many huge pages as the host gives.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/mkvm.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/guest.h"
#include "lib/stats.h"

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

#define PAGE  0x1000UL
#define HUGE  0x200000UL
#define FAR   (1UL << 30)
#define SLOT  3
#define WARM  (FAR + (256UL << 20)) /* by the same table of the guest as FAR */
#define NR    3UL		    /* huge pages */
#define PAGES (HUGE / PAGE)

/* A word in each of rcx pages from rdi on. */
guest_code(code_write, 64,
	   "1: incl (%rdi)\n"
	   "add $0x1000, %rdi\n"
	   "dec %rcx\n"
	   "jnz 1b\n"
	   "hlt\n");
/* Its sum in rax. */
guest_code(code_read, 64,
	   "xor %eax, %eax\n"
	   "1: add (%rdi), %eax\n"
	   "add $0x1000, %rdi\n"
	   "dec %rcx\n"
	   "jnz 1b\n"
	   "hlt\n");

#define THP "/sys/kernel/mm/transparent_hugepage/enabled"

static bool thp_was_off;

static void set_thp(const char *mode)
{
	FILE *file = fopen(THP, "w");

	if (!file)
		return;
	fprintf(file, "%s\n", mode);
	fclose(file);
}

/* Small hosts have no huge pages unless they are told to.  If that fails make_huge() tells. */
__attribute__((constructor)) static void allow_thp(void)
{
	FILE *file = fopen(THP, "r");
	char modes[64] = "";

	if (!file)
		return;
	thp_was_off = fgets(modes, sizeof(modes), file) && strstr(modes, "[never]");
	fclose(file);
	if (thp_was_off)
		set_thp("madvise");
}

/* In the program's first process, when all tests are done. */
__attribute__((destructor)) static void restore_thp(void)
{
	if (thp_was_off)
		set_thp("never");
}

struct fixture {
	struct guest guest;
	char *host; /* NR huge pages and one more, aligned */
	struct stats vm, vcpu;
	uint64_t faults; /* before the last run */
};

static void set_up(struct fixture *f)
{
	char *at;

	memset(f, 0, sizeof(*f));
	guest_create(&f->guest, 1);
	guest_start(&f->guest, 0, MODE_LONG);
	stats_open(&f->vm, f->guest.vm.fd);
	stats_open(&f->vcpu, f->guest.vcpu[0].fd);
	at = mmap(NULL, (NR + 2) * HUGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		  0);
	REQUIRE(at != MAP_FAILED);
	f->host = (char *)(((unsigned long)at + HUGE - 1) & ~(HUGE - 1));
}

static void clean_up(struct fixture *f)
{
	stats_close(&f->vm);
	stats_close(&f->vcpu);
	guest_destroy(&f->guest);
}

static void set_slot(struct fixture *f, uint64_t gpa, void *host, uint64_t size, uint32_t flags)
{
	REQUIRE_OK(vm_set_slot(&f->guest.vm, SLOT, gpa, size, host, flags));
}

/* Is the whole huge page at @at one of the host's? */
static bool is_huge(const char *at)
{
	FILE *smaps = fopen("/proc/self/smaps", "r");
	unsigned long start, end, kib = 0;
	char line[256];
	bool within = false;

	REQUIRE(smaps);
	while (fgets(line, sizeof(line), smaps)) {
		if (sscanf(line, "%lx-%lx ", &start, &end) == 2)
			within = (unsigned long)at >= start && (unsigned long)at + HUGE <= end;
		else if (within && sscanf(line, "AnonHugePages: %lu kB", &kib) == 1)
			break;
	}
	fclose(smaps);
	return kib >= HUGE / 1024;
}

/* Has the host huge pages there; if it has none to give there is nothing to test. */
static void make_huge(char *at, uint64_t nr)
{
	uint64_t i;

	REQUIRE(madvise(at, nr * HUGE, MADV_HUGEPAGE) == 0, "%s", strerror(errno));
	for (i = 0; i < nr * PAGES; i++)
		*(volatile int *)(at + i * PAGE) = 1;
	for (i = 0; i < nr; i++)
		REQUIRE(is_huge(at + i * HUGE), "the host has no huge page to give");
}

static void make_small(char *at, uint64_t nr)
{
	REQUIRE(madvise(at, nr * HUGE, MADV_NOHUGEPAGE) == 0, "%s", strerror(errno));
	memset(at, 1, nr * HUGE);
}

#define RUN(f, code, gpa, pages) run(f, code, code##_end - code, gpa, pages)

static uint32_t run(struct fixture *f, const unsigned char *code, size_t size, uint64_t gpa,
		    uint64_t pages)
{
	struct kvm_regs regs = guest_regs(&f->guest, 0);

	__guest_load(&f->guest, code, size);
	regs.rip = GUEST_CODE;
	regs.rdi = gpa;
	regs.rcx = pages;
	REQUIRE_OK(vcpu_set_regs(&f->guest.vcpu[0], &regs));
	f->faults = stats_value(&f->vcpu, "pf_taken");
	guest_run_to_hlt(&f->guest, 0);
	return guest_regs(&f->guest, 0).rax;
}

/* The code and the tables are mapped from now on. */
static void warm_up(struct fixture *f)
{
	REQUIRE_OK(vm_set_slot(&f->guest.vm, SLOT + 1, WARM, PAGE, f->host + NR * HUGE, 0));
	RUN(f, code_write, WARM, 1);
}

/* A slot of huge pages, of which nothing is mapped yet. */
static void set_up_huge(struct fixture *f)
{
	set_up(f);
	make_huge(f->host, NR);
	set_slot(f, FAR, f->host, NR * HUGE, 0);
	warm_up(f);
}

#define EXPECT_FAULTS(f, n) EXPECT_EQ(n, stats_value(&(f)->vcpu, "pf_taken") - (f)->faults)
#define EXPECT_LARGE(f, n)  EXPECT_EQ(n, stats_value(&(f)->vm, "pages_2m"))

static void one_fault_each(void)
{
	struct fixture f;

	set_up_huge(&f);
	RUN(&f, code_write, FAR, NR * PAGES);
	EXPECT_FAULTS(&f, NR);
	EXPECT_LARGE(&f, NR);
	EXPECT_EQ(NR * PAGES * 2, RUN(&f, code_read, FAR, NR * PAGES));
	EXPECT_FAULTS(&f, 0);
	clean_up(&f);
}

/* A read maps it for writing too. */
static void read_first(void)
{
	struct fixture f;

	set_up_huge(&f);
	EXPECT_EQ(NR * PAGES, RUN(&f, code_read, FAR, NR * PAGES));
	EXPECT_FAULTS(&f, NR);
	RUN(&f, code_write, FAR, NR * PAGES);
	EXPECT_FAULTS(&f, 0);
	clean_up(&f);
}

/* Guest-physical and host addresses are not alike modulo 2 MiB. */
static void slot_lies_askew(void)
{
	struct fixture f;

	set_up(&f);
	make_huge(f.host, NR);
	set_slot(&f, FAR + PAGE, f.host, NR * HUGE, 0);
	warm_up(&f);
	RUN(&f, code_write, FAR + PAGE, PAGES);
	EXPECT_FAULTS(&f, PAGES);
	EXPECT_LARGE(&f, 0);
	clean_up(&f);
}

/* The slot's first and last page lie in huge pages of which it has no more than half. */
static void slot_has_ragged_ends(void)
{
	struct fixture f;

	set_up(&f);
	make_huge(f.host, NR);
	set_slot(&f, FAR + HUGE / 2, f.host + HUGE / 2, (NR - 1) * HUGE, 0);
	warm_up(&f);
	RUN(&f, code_write, FAR + HUGE / 2, (NR - 1) * PAGES);
	EXPECT_FAULTS(&f, PAGES + NR - 2);
	EXPECT_LARGE(&f, NR - 2);
	clean_up(&f);
}

static void read_only_slot(void)
{
	struct fixture f;

	set_up(&f);
	make_huge(f.host, NR);
	set_slot(&f, FAR, f.host, NR * HUGE, KVM_MEM_READONLY);
	warm_up(&f);
	EXPECT_EQ(NR * PAGES, RUN(&f, code_read, FAR, NR * PAGES));
	EXPECT_FAULTS(&f, NR);
	EXPECT_LARGE(&f, NR);
	clean_up(&f);
}

static uint64_t dirty_pages(struct fixture *f)
{
	uint64_t bits[NR * PAGES / 64], n = 0;
	unsigned int i;

	REQUIRE_OK(vm_get_dirty_log(&f->guest.vm, SLOT, bits));
	for (i = 0; i < NR * PAGES / 64; i++)
		n += __builtin_popcountll(bits[i]);
	return n;
}

/*
 * While writes are logged each page is seen by itself; afterwards the large leaves come back.  In
 * @mode (0: the device's own) that costs @faults for ten first writes.
 */
static void split_in_mode(uint64_t mode, uint64_t faults)
{
	struct fixture f;

	set_up_huge(&f);
	if (mode)
		REQUIRE_OK(vm_enable_cap(&f.guest.vm, MKVM_CAP_DIRTY_LOG_MODE, mode));
	RUN(&f, code_write, FAR, NR * PAGES);
	EXPECT_LARGE(&f, NR);
	set_slot(&f, FAR, f.host, NR * HUGE, KVM_MEM_LOG_DIRTY_PAGES);
	EXPECT_EQ(0, dirty_pages(&f));
	/* A read sees none of it. */
	EXPECT_EQ(NR * PAGES * 2, RUN(&f, code_read, FAR, NR * PAGES));
	if (kvm_dev_is_mkvm(&f.guest.dev)) {
		EXPECT_FAULTS(&f, 0);
		EXPECT_EQ(0, dirty_pages(&f));
	}
	if (mode & MKVM_DIRTY_LOG_EAGER_SPLIT)
		EXPECT_LARGE(&f, 0);
	RUN(&f, code_write, FAR + HUGE, 10);
	if (mode)
		EXPECT_FAULTS(&f, faults);
	EXPECT(stats_value(&f.vm, "pages_2m") < NR);
	EXPECT_EQ(10, dirty_pages(&f));
	EXPECT_EQ(NR * PAGES * 2 + 10, RUN(&f, code_read, FAR, NR * PAGES));

	set_slot(&f, FAR, f.host, NR * HUGE, 0);
	RUN(&f, code_write, FAR, NR * PAGES);
	EXPECT_FAULTS(&f, NR);
	EXPECT_LARGE(&f, NR);
	EXPECT_EQ(NR * PAGES * 3 + 10, RUN(&f, code_read, FAR, NR * PAGES));
	clean_up(&f);
}

static void split_for_the_log(void)
{
	split_in_mode(0, 0);
}

static uint32_t log_modes(void)
{
	struct kvm_dev dev;
	int modes = 0;

	device_open(&dev);
	if (kvm_dev_is_mkvm(&dev))
		modes = kvm_dev_extension(&dev, MKVM_CAP_DIRTY_LOG_MODE);
	kvm_dev_close(&dev);
	return modes;
}

/* In each mode that the processor has, by a write and eagerly. */
static void split_in_each_mode(void)
{
	uint32_t modes = log_modes();

	if (!modes)
		ktap_skip("modes of the dirty log are mkvm's own");
	split_in_mode(MKVM_DIRTY_LOG_PROTECT, 10);
	split_in_mode(MKVM_DIRTY_LOG_PROTECT | MKVM_DIRTY_LOG_EAGER_SPLIT, 10);
	if (modes & MKVM_DIRTY_LOG_BITS) {
		split_in_mode(MKVM_DIRTY_LOG_BITS, 1);
		split_in_mode(MKVM_DIRTY_LOG_BITS | MKVM_DIRTY_LOG_EAGER_SPLIT, 0);
	}
	if (modes & MKVM_DIRTY_LOG_PML) {
		split_in_mode(MKVM_DIRTY_LOG_PML, 1);
		split_in_mode(MKVM_DIRTY_LOG_PML | MKVM_DIRTY_LOG_EAGER_SPLIT, 0);
	}
}

/* All pages begin as dirty: a large leaf stays until one of its bits is cleared. */
static void initially_all_set(void)
{
	struct fixture f;
	uint64_t one[1] = { 1 };

	set_up(&f);
	REQUIRE_OK(
		vm_enable_cap(&f.guest.vm, KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2,
			      KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE | KVM_DIRTY_LOG_INITIALLY_SET));
	make_huge(f.host, NR);
	set_slot(&f, FAR, f.host, NR * HUGE, 0);
	warm_up(&f);
	RUN(&f, code_write, FAR, NR * PAGES);
	set_slot(&f, FAR, f.host, NR * HUGE, KVM_MEM_LOG_DIRTY_PAGES);
	EXPECT_LARGE(&f, NR);
	RUN(&f, code_write, FAR, NR * PAGES);
	EXPECT_FAULTS(&f, 0);
	EXPECT_EQ(NR * PAGES, dirty_pages(&f));
	REQUIRE_OK(vm_clear_dirty_log(&f.guest.vm, SLOT, 0, 64, one));
	EXPECT_EQ(NR * PAGES - 1, dirty_pages(&f));
	RUN(&f, code_write, FAR, 1);
	if (kvm_dev_is_mkvm(&f.guest.dev))
		EXPECT_FAULTS(&f, 1);
	EXPECT_EQ(NR * PAGES, dirty_pages(&f));
	clean_up(&f);
}

/* One page of a huge one is given back: the guest finds it empty, and the others as they were. */
static void one_page_is_taken(void)
{
	struct fixture f;

	set_up_huge(&f);
	RUN(&f, code_write, FAR, NR * PAGES);
	REQUIRE(madvise(f.host + HUGE + 5 * PAGE, PAGE, MADV_DONTNEED) == 0);
	EXPECT_EQ(NR * PAGES * 2 - 2, RUN(&f, code_read, FAR, NR * PAGES));
	EXPECT_FAULTS(&f, PAGES);
	EXPECT_LARGE(&f, NR - 1);
	clean_up(&f);
}

/* Is a table of small pages replaced where it could map a huge one now? */
static bool gives_way(const struct fixture *f)
{
	bool large = stats_value(&f->vm, "pages_2m");

	EXPECT_OR_DIFFERS(&f->guest.dev, "table_stays", large, "no large page is mapped");
	return large;
}

/* The host makes a huge page of small ones. */
static void host_collapses(void)
{
	struct fixture f;

	set_up(&f);
	make_small(f.host, NR);
	set_slot(&f, FAR, f.host, NR * HUGE, 0);
	warm_up(&f);
	RUN(&f, code_write, FAR, NR * PAGES);
	EXPECT_FAULTS(&f, NR * PAGES);
	EXPECT_LARGE(&f, 0);
	REQUIRE(madvise(f.host, NR * HUGE, MADV_HUGEPAGE) == 0);
	REQUIRE(madvise(f.host, NR * HUGE, MADV_COLLAPSE) == 0, "%s", strerror(errno));
	RUN(&f, code_write, FAR, NR * PAGES);
	if (gives_way(&f)) {
		EXPECT_FAULTS(&f, NR);
		EXPECT_LARGE(&f, NR);
	}
	clean_up(&f);
}

/*
 * Small pages are taken away piece by piece, so that their table stays; then a huge page comes in
 * their place.
 */
static void table_gives_way(void)
{
	struct fixture f;

	set_up(&f);
	make_small(f.host, 1);
	set_slot(&f, FAR, f.host, NR * HUGE, 0);
	warm_up(&f);
	RUN(&f, code_write, FAR, PAGES);
	EXPECT_LARGE(&f, 0);
	REQUIRE(munmap(f.host, HUGE / 2) == 0);
	REQUIRE(munmap(f.host + HUGE / 2, HUGE / 2) == 0);
	REQUIRE(mmap(f.host, HUGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
		     -1, 0) == f.host);
	make_huge(f.host, 1);
	RUN(&f, code_write, FAR, PAGES);
	if (gives_way(&f)) {
		EXPECT_FAULTS(&f, 1);
		EXPECT_LARGE(&f, 1);
	}
	EXPECT_EQ(2 * PAGES, RUN(&f, code_read, FAR, PAGES));
	clean_up(&f);
}

/* hugetlbfs; the host has to have set such pages aside. */
static void hugetlb(void)
{
	struct fixture f;
	FILE *nr = fopen("/proc/sys/vm/nr_hugepages", "w");
	void *at;

	REQUIRE(nr && fprintf(nr, "%lu\n", NR) > 0 && fclose(nr) == 0, "%s", strerror(errno));
	set_up(&f);
	at = mmap(f.host, NR * HUGE, PROT_READ | PROT_WRITE,
		  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_HUGETLB, -1, 0);
	REQUIRE(at == f.host, "%s", strerror(errno));
	memset(f.host, 0, NR * HUGE);
	set_slot(&f, FAR, f.host, NR * HUGE, 0);
	warm_up(&f);
	RUN(&f, code_write, FAR, NR * PAGES);
	EXPECT_FAULTS(&f, NR);
	EXPECT_LARGE(&f, NR);
	EXPECT_EQ(NR * PAGES, RUN(&f, code_read, FAR, NR * PAGES));
	clean_up(&f);
	munmap(f.host, NR * HUGE);
	nr = fopen("/proc/sys/vm/nr_hugepages", "w");
	if (nr) {
		fprintf(nr, "0\n");
		fclose(nr);
	}
}

static const struct ktap_test tests[] = {
	KTAP_TEST(one_fault_each),	 KTAP_TEST(read_first),	       KTAP_TEST(slot_lies_askew),
	KTAP_TEST(slot_has_ragged_ends), KTAP_TEST(read_only_slot),    KTAP_TEST(split_for_the_log),
	KTAP_TEST(split_in_each_mode),	 KTAP_TEST(initially_all_set), KTAP_TEST(one_page_is_taken),
	KTAP_TEST(host_collapses),	 KTAP_TEST(table_gives_way),   KTAP_TEST(hugetlb),
};

KTAP_MAIN(tests)
