// SPDX-License-Identifier: GPL-2.0-only
/*
 * Populate mode: a fault has the host bring in what is missing of its window, and no more than
 * that.  All this is mkvm's own; the pages are of 4 KiB.
 */
#include <errno.h>
#include <linux/mkvm.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "lib/guest.h"
#include "lib/stats.h"
#include "lib/sys.h"

#define PAGE  0x1000UL
#define FAR   (1UL << 30)
#define SLOT  3
#define PAGES 512UL
#define PARAM "/sys/module/mkvm/parameters/populate"

/* A write alone: what reads first would have two faults of an empty page. */
guest_code(code_write, 64,
	   "1: mov %rdi, (%rdi)\n"
	   "add $0x1000, %rdi\n"
	   "dec %rcx\n"
	   "jnz 1b\n"
	   "hlt\n");
guest_code(code_read, 64,
	   "1: mov (%rdi), %eax\n"
	   "add $0x1000, %rdi\n"
	   "dec %rcx\n"
	   "jnz 1b\n"
	   "hlt\n");

struct fixture {
	struct guest guest;
	char *host;
	struct stats vm, vcpu;
	uint64_t faults, mapped; /* before the last run */
};

#define RUN(f, code, first, pages) run(f, code, code##_end - code, first, pages)

static void run(struct fixture *f, const unsigned char *code, size_t size, uint64_t first,
		uint64_t pages)
{
	struct kvm_regs regs = guest_regs(&f->guest, 0);

	__guest_load(&f->guest, code, size);
	regs.rip = GUEST_CODE;
	regs.rdi = FAR + first * PAGE;
	regs.rcx = pages;
	REQUIRE_OK(vcpu_set_regs(&f->guest.vcpu[0], &regs));
	f->faults = stats_value(&f->vcpu, "pf_taken");
	f->mapped = stats_value(&f->vm, "pages_4k");
	guest_run_to_hlt(&f->guest, 0);
}

#define EXPECT_FAULTS(f, n) EXPECT_EQ(n, stats_value(&(f)->vcpu, "pf_taken") - (f)->faults)
#define EXPECT_MAPPED(f, n) EXPECT_EQ(n, stats_value(&(f)->vm, "pages_4k") - (f)->mapped)

static void set_slot(struct fixture *f, uint64_t first, uint64_t pages, uint32_t flags)
{
	REQUIRE_OK(vm_set_slot(&f->guest.vm, SLOT, FAR + first * PAGE, pages * PAGE,
			       f->host + first * PAGE, flags));
}

/*
 * No page of the slot is there but the last, which is mapped with the tables that lead to all.
 * Frames and host addresses are alike modulo the largest window.
 */
static void set_up(struct fixture *f, uint64_t populate)
{
	char *at;

	memset(f, 0, sizeof(*f));
	guest_create(&f->guest, 1);
	if (!kvm_dev_is_mkvm(&f->guest.dev))
		ktap_skip("populate mode is mkvm's own");
	guest_start(&f->guest, 0, MODE_LONG);
	stats_open(&f->vm, f->guest.vm.fd);
	stats_open(&f->vcpu, f->guest.vcpu[0].fd);
	at = mmap(NULL, 2 * PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		  0);
	REQUIRE(at != MAP_FAILED);
	REQUIRE(madvise(at, 2 * PAGES * PAGE, MADV_NOHUGEPAGE) == 0);
	f->host = (char *)(((unsigned long)at + PAGES * PAGE - 1) & ~(PAGES * PAGE - 1));
	set_slot(f, 0, PAGES, 0);
	RUN(f, code_write, PAGES - 1, 1);
	REQUIRE_OK(vm_enable_cap(&f->guest.vm, MKVM_CAP_POPULATE, populate));
}

static void clean_up(struct fixture *f)
{
	stats_close(&f->vm);
	stats_close(&f->vcpu);
	guest_destroy(&f->guest);
}

/* The pages that the process has are [first, first + n), and the slot's last one. */
static void expect_present(const struct fixture *f, uint64_t first, uint64_t n)
{
	uint64_t i;

	for (i = 0; i < PAGES - 1; i++)
		EXPECT(page_is_present(f->host + i * PAGE) == (i - first < n),
		       "page %llu, where %llu from %llu on should be there", (unsigned long long)i,
		       (unsigned long long)n, (unsigned long long)first);
}

static void off(void)
{
	struct fixture f;

	set_up(&f, 0);
	RUN(&f, code_write, 40, 1);
	EXPECT_FAULTS(&f, 1);
	EXPECT_MAPPED(&f, 1);
	expect_present(&f, 40, 1);
	clean_up(&f);
}

/* One fault for a window; for the whole slot one for each. */
static void a_window(void)
{
	struct fixture f;

	set_up(&f, 32);
	RUN(&f, code_write, 40, 1);
	EXPECT_FAULTS(&f, 1);
	EXPECT_MAPPED(&f, 32);
	expect_present(&f, 32, 32);
	RUN(&f, code_write, 32, 32);
	EXPECT_FAULTS(&f, 0);
	RUN(&f, code_write, 0, 256);
	EXPECT_FAULTS(&f, 7);
	EXPECT_MAPPED(&f, 7 * 32);
	expect_present(&f, 0, 256);
	clean_up(&f);
}

/* What a read brings in of empty memory is the page of zeroes, which is nobody's neighbour. */
static void for_a_read(void)
{
	struct fixture f;

	set_up(&f, 32);
	RUN(&f, code_read, 40, 1);
	EXPECT_FAULTS(&f, 1);
	EXPECT_MAPPED(&f, 1);
	expect_present(&f, 32, 32);
	RUN(&f, code_write, 40, 1);
	EXPECT_FAULTS(&f, 1);
	EXPECT_MAPPED(&f, 31);
	RUN(&f, code_write, 32, 32);
	EXPECT_FAULTS(&f, 0);
	clean_up(&f);
}

static void within_the_slot(void)
{
	struct fixture f;

	set_up(&f, 64);
	REQUIRE_OK(vm_set_slot(&f.guest.vm, SLOT, FAR, 0, f.host, 0));
	set_slot(&f, 70, 20, 0);
	RUN(&f, code_write, 75, 1);
	EXPECT_FAULTS(&f, 1);
	expect_present(&f, 70, 20);
	clean_up(&f);
}

/* Another mapping begins, or none is there. */
static void within_the_mapping(void)
{
	struct fixture f;

	set_up(&f, 64);
	REQUIRE(mprotect(f.host + 64 * PAGE, 4 * PAGE, PROT_READ) == 0);
	REQUIRE(munmap(f.host + 100 * PAGE, 4 * PAGE) == 0);
	RUN(&f, code_write, 80, 1);
	EXPECT_FAULTS(&f, 1);
	expect_present(&f, 68, 32);
	clean_up(&f);
}

/* Where no write may be: only the page that was asked for. */
static void only_what_is_writable(void)
{
	struct fixture f;

	set_up(&f, 64);
	REQUIRE(mprotect(f.host, 64 * PAGE, PROT_READ) == 0);
	RUN(&f, code_read, 10, 1);
	EXPECT_FAULTS(&f, 1);
	expect_present(&f, 10, 1);
	clean_up(&f);

	set_up(&f, 64);
	REQUIRE_OK(vm_set_slot(&f.guest.vm, SLOT, FAR, 0, f.host, 0));
	set_slot(&f, 0, PAGES, KVM_MEM_READONLY);
	RUN(&f, code_read, 10, 1);
	EXPECT_FAULTS(&f, 1);
	expect_present(&f, 10, 1);
	clean_up(&f);
}

static void not_in_a_log(void)
{
	struct fixture f;

	set_up(&f, 64);
	set_slot(&f, 0, PAGES, KVM_MEM_LOG_DIRTY_PAGES);
	RUN(&f, code_write, 10, 1);
	EXPECT_FAULTS(&f, 1);
	expect_present(&f, 10, 1);
	clean_up(&f);
}

/* What was swapped out, or thrown away, comes again. */
static void what_is_missing(void)
{
	struct fixture f;

	set_up(&f, 32);
	RUN(&f, code_write, 0, 32);
	EXPECT_FAULTS(&f, 1);
	REQUIRE(madvise(f.host + 3 * PAGE, 5 * PAGE, MADV_DONTNEED) == 0);
	RUN(&f, code_write, 0, 32);
	EXPECT_FAULTS(&f, 1);
	EXPECT_MAPPED(&f, 5);
	expect_present(&f, 0, 32);
	clean_up(&f);
}

static void values(void)
{
	static const uint64_t wrong[] = { 3, 1023, 1024, 1ULL << 32 };
	struct sys_setting param;
	struct fixture f;
	unsigned int i;

	set_up(&f, 1);
	EXPECT_EQ(512, kvm_dev_extension(&f.guest.dev, MKVM_CAP_POPULATE));
	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		EXPECT_EQ(-EINVAL, vm_enable_cap(&f.guest.vm, MKVM_CAP_POPULATE, wrong[i]));
	RUN(&f, code_write, 0, 4);
	EXPECT_FAULTS(&f, 4);
	expect_present(&f, 0, 4);
	clean_up(&f);
	/* The parameter is for VMs that are made from then on. */
	REQUIRE(sys_set(&param, PARAM, "16"));
	EXPECT(!sys_write(PARAM, "24"));
	memset(&f, 0, sizeof(f));
	set_up(&f, 0);
	clean_up(&f);
	sys_restore(&param);
}

static const struct ktap_test tests[] = {
	KTAP_TEST(off),
	KTAP_TEST(a_window),
	KTAP_TEST(for_a_read),
	KTAP_TEST(within_the_slot),
	KTAP_TEST(within_the_mapping),
	KTAP_TEST(only_what_is_writable),
	KTAP_TEST(not_in_a_log),
	KTAP_TEST(what_is_missing),
	KTAP_TEST(values),
};

KTAP_MAIN(tests)
