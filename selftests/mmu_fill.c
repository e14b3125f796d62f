// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a fresh page costs: with 4 KiB pages behind the guest's memory, exactly one exit a page, and
 * none the second time.  On mkvm the counters and the trace events must both say so, and the sums
 * must agree; on stock kvm its own trace event is counted.  Fault-around is off (guest_create()).
 */
#include <linux/kvm.h>
#include <linux/mkvm.h>
#include <string.h>
#include <sys/mman.h>

#include "lib/audit.h"
#include "lib/guest.h"
#include "lib/names.h"
#include "lib/trace.h"

/* From rdi on, rcx pages, a word in each. */
guest_code(code_write, 64,
	   "1: movl $1, (%rdi)\n"
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

#define FIRST_PAGE 0x100000UL
#define N	   100

struct fixture {
	struct guest guest;
	struct trace trace;
	struct counts before;
	uint64_t next; /* the next fresh page */
};

static void run_pages(struct fixture *f, uint64_t gpa, uint64_t pages)
{
	struct kvm_regs regs = guest_regs(&f->guest, 0);

	regs.rip = GUEST_CODE;
	regs.rdi = gpa;
	regs.rcx = pages;
	REQUIRE_OK(vcpu_set_regs(&f->guest.vcpu[0], &regs));
	trace_clear(&f->trace);
	if (kvm_dev_is_mkvm(&f->guest.dev))
		guest_counts(&f->guest, 0, &f->before);
	guest_run_to_hlt(&f->guest, 0);
}

/* The guest has halted once: what its code and its tables cost is past. */
static void set_up(struct fixture *f)
{
	memset(f, 0, sizeof(*f));
	guest_create(&f->guest, 1);
	guest_load(&f->guest, code_write);
	guest_start(&f->guest, 0, MODE_LONG);
	trace_start(&f->trace);
	run_pages(f, FIRST_PAGE - 0x1000, 1);
	f->next = FIRST_PAGE;
	if (kvm_dev_is_mkvm(&f->guest.dev)) {
		trace_enable(&f->trace, "mkvm", "mkvm_mmu_fault");
		trace_enable(&f->trace, "mkvm", "mkvm_exit");
	} else {
		trace_enable(&f->trace, "kvm", "kvm_page_fault");
	}
}

static const char *violation_name(const struct counts *counts)
{
	uint32_t reason = counts->sum.vendor == MKVM_VENDOR_VMX ? 48 : 0x400;

	return name_of_hardware_exit(counts->sum.vendor, reason);
}

static void expect_fills_mkvm(struct fixture *f, uint64_t fills)
{
	static struct counts after;
	uint64_t violations;
	int i;

	guest_counts(&f->guest, 0, &after);
	for (i = 0; i < MKVM_NR_CAUSES; i++)
		EXPECT(after.sum.causes[i] - f->before.sum.causes[i] ==
			       (i == MKVM_CAUSE_FILL ? fills : 0),
		       "cause %s: %llu exits", name_of_cause(i),
		       (unsigned long long)(after.sum.causes[i] - f->before.sum.causes[i]));
	EXPECT_EQ(fills, after.sum.mmu_exits - f->before.sum.mmu_exits);
	violations =
		after.sum.vendor == MKVM_VENDOR_VMX
			? counts_of_reason(&after, 48) - counts_of_reason(&f->before, 48)
			: counts_of_reason(&after, 0x400) - counts_of_reason(&f->before, 0x400);
	EXPECT_EQ(fills, violations);
	/* Each exit is followed by an entry, but the last. */
	EXPECT_EQ(after.sum.exits - f->before.sum.exits, after.sum.entries - f->before.sum.entries);
	/* The trace tells the same. */
	EXPECT_EQ(fills, trace_count(&f->trace, "mkvm_mmu_fault", NULL));
	EXPECT_EQ(after.sum.exits - f->before.sum.exits, trace_count(&f->trace, "mkvm_exit", NULL));
	EXPECT_EQ(fills, trace_count(&f->trace, "mkvm_exit", violation_name(&after)));
	EXPECT_EQ(fills, trace_count(&f->trace, "mkvm_exit", name_of_cause(MKVM_CAUSE_FILL)));
}

static void expect_fills(struct fixture *f, uint64_t fills)
{
	if (kvm_dev_is_mkvm(&f->guest.dev))
		expect_fills_mkvm(f, fills);
	else
		EXPECT_EQ(fills, trace_count(&f->trace, "kvm_page_fault", NULL));
}

static void fresh_pages(struct fixture *f, uint64_t pages)
{
	run_pages(f, f->next, pages);
	expect_fills(f, pages);
	f->next += pages << 12;
}

static void clean_up(struct fixture *f)
{
	trace_stop(&f->trace);
}

static void written_pages(void)
{
	struct fixture f;

	set_up(&f);
	fresh_pages(&f, 1);
	fresh_pages(&f, N);
	fresh_pages(&f, 2 * N);
	clean_up(&f);
}

static void touched_again(void)
{
	struct fixture f;

	set_up(&f);
	fresh_pages(&f, N);
	run_pages(&f, FIRST_PAGE, N);
	expect_fills(&f, 0);
	clean_up(&f);
}

/* Pages that we have written are there: a read of the guest maps them for writing at once. */
static void read_then_written(void)
{
	struct fixture f;

	set_up(&f);
	memset(guest_at(&f.guest, FIRST_PAGE, N << 12), 1, N << 12);
	guest_load(&f.guest, code_read);
	fresh_pages(&f, N);
	guest_load(&f.guest, code_write);
	run_pages(&f, FIRST_PAGE, N);
	expect_fills(&f, 0);
	clean_up(&f);
}

/* What the host took back is fresh again. */
static void taken_back(void)
{
	struct fixture f;

	set_up(&f);
	fresh_pages(&f, N);
	REQUIRE(madvise(guest_at(&f.guest, FIRST_PAGE, N << 12), (N / 2) << 12, MADV_DONTNEED) ==
		0);
	run_pages(&f, FIRST_PAGE, N);
	expect_fills(&f, N / 2);
	run_pages(&f, FIRST_PAGE, N);
	expect_fills(&f, 0);
	clean_up(&f);
}

/* The module can say itself that its tables are right. */
static void audited(void)
{
	struct fixture f;

	set_up(&f);
	if (!kvm_dev_is_mkvm(&f.guest.dev))
		ktap_skip("stock kvm has no audit");
	fresh_pages(&f, N);
	EXPECT_EQ(1, audit_vms());
	clean_up(&f);
}

static const struct ktap_test tests[] = {
	KTAP_TEST(written_pages), KTAP_TEST(touched_again), KTAP_TEST(read_then_written),
	KTAP_TEST(taken_back),	  KTAP_TEST(audited),
};

KTAP_MAIN(tests)
