// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM_PRE_FAULT_MEMORY: what was mapped ahead costs the guest no exit; how far it came is told.
 */
#include <errno.h>
#include <linux/mkvm.h>
#include <linux/mkvm_kvm.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>

#include "lib/guest.h"
#include "lib/stats.h"

#define PAGE  0x1000UL
#define FAR   (1UL << 30)
#define SLOT  3
#define PAGES 256UL
#define LONG  65536UL /* pages whose mapping takes longer than the timer */

guest_code(code_write, 64,
	   "1: incl (%rdi)\n"
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

static char *map(uint64_t pages)
{
	char *at = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	REQUIRE(at != MAP_FAILED);
	REQUIRE(madvise(at, pages * PAGE, MADV_NOHUGEPAGE) == 0);
	return at;
}

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
	guest_run_to_hlt(&f->guest, 0);
}

#define EXPECT_FAULTS(f, n) EXPECT_EQ(n, stats_value(&(f)->vcpu, "pf_taken") - (f)->faults)

/* All pages are there; the code, the tables and the slot's last page are mapped. */
static void set_up(struct fixture *f, uint32_t flags)
{
	memset(f, 0, sizeof(*f));
	guest_create(&f->guest, 1);
	if (!kvm_dev_extension(&f->guest.dev, KVM_CAP_PRE_FAULT_MEMORY))
		ktap_skip("this kvm has no KVM_PRE_FAULT_MEMORY");
	guest_start(&f->guest, 0, MODE_LONG);
	stats_open(&f->vm, f->guest.vm.fd);
	stats_open(&f->vcpu, f->guest.vcpu[0].fd);
	f->host = map(PAGES);
	memset(f->host, 1, PAGES * PAGE);
	REQUIRE_OK(vm_set_slot(&f->guest.vm, SLOT, FAR, PAGES * PAGE, f->host, flags));
	RUN(f, code_read, PAGES - 1, 1);
	f->mapped = stats_value(&f->vm, "pages_4k");
}

static void clean_up(struct fixture *f)
{
	stats_close(&f->vm);
	stats_close(&f->vcpu);
	guest_destroy(&f->guest);
}

static int ask(struct fixture *f, struct kvm_pre_fault_memory *range)
{
	return vcpu_call(&f->guest.vcpu[0], KVM_PRE_FAULT_MEMORY, range);
}

/* The answer to a range of pages from @first on; what is left has to be @left pages. */
static int ahead(struct fixture *f, uint64_t first, uint64_t pages, uint64_t left)
{
	struct kvm_pre_fault_memory range = {
		.gpa = FAR + first * PAGE,
		.size = pages * PAGE,
	};
	int r = ask(f, &range);

	EXPECT_EQ(left * PAGE, range.size);
	EXPECT_EQ(FAR + (first + pages - left) * PAGE, range.gpa);
	return r;
}

static void costs_no_exits(void)
{
	struct fixture f;

	set_up(&f, 0);
	EXPECT_ERRNO(0, ahead(&f, 0, 64, 0));
	EXPECT_EQ(64, stats_value(&f.vm, "pages_4k") - f.mapped);
	RUN(&f, code_write, 0, 64);
	EXPECT_FAULTS(&f, 0);
	RUN(&f, code_read, 0, 64);
	EXPECT_FAULTS(&f, 0);
	/* Not one more. */
	RUN(&f, code_read, 64, 8);
	EXPECT_FAULTS(&f, 8);
	/* What is there already is no error. */
	EXPECT_ERRNO(0, ahead(&f, 0, 72, 0));
	EXPECT_EQ(0x01010102, *(int *)f.host);
	clean_up(&f);
}

/* Nor does the module's own fault-around reach beyond the range. */
static void nothing_around(void)
{
	struct fixture f;

	set_up(&f, 0);
	if (kvm_dev_is_mkvm(&f.guest.dev))
		REQUIRE_OK(vm_enable_cap(&f.guest.vm, MKVM_CAP_FAULT_AROUND, 64));
	EXPECT_ERRNO(0, ahead(&f, 3, 1, 0));
	EXPECT_EQ(1, stats_value(&f.vm, "pages_4k") - f.mapped);
	clean_up(&f);
}

static void arguments(void)
{
	static const struct kvm_pre_fault_memory wrong[] = {
		{ .gpa = FAR, .size = 0 },
		{ .gpa = FAR + 1, .size = PAGE },
		{ .gpa = FAR, .size = PAGE - 1 },
		{ .gpa = -PAGE, .size = PAGE },
		{ .gpa = -PAGE, .size = 2 * PAGE },
		{ .gpa = FAR, .size = PAGE, .flags = 1 },
		{ .gpa = FAR, .size = PAGE, .flags = 1ULL << 63 },
	};
	struct kvm_pre_fault_memory range = { .gpa = FAR, .size = PAGE };
	struct fixture f;
	unsigned int i;

	set_up(&f, 0);
	EXPECT_EQ(1, kvm_dev_extension(&f.guest.dev, KVM_CAP_PRE_FAULT_MEMORY));
	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		range = wrong[i];
		EXPECT_ERRNO(EINVAL, ask(&f, &range));
		EXPECT_EQ(0, memcmp(&range, &wrong[i], sizeof(range)));
	}
	EXPECT_ERRNO(EFAULT, ask(&f, NULL));
	if (kvm_dev_is_mkvm(&f.guest.dev))
		EXPECT_EQ(0, stats_value(&f.vm, "pages_4k") - f.mapped);
	clean_up(&f);
}

/* It comes as far as there is memory, and says so; no step at all is an error. */
static void to_the_slots_end(void)
{
	struct fixture f;

	set_up(&f, 0);
	/* There it did not come back in 120 s, nor was it seen from which of the calls. */
	if (!kvm_dev_is_mkvm(&f.guest.dev))
		ktap_skip("stock kvm may stay in the call for ever");
	EXPECT_ERRNO(0, ahead(&f, PAGES - 4, 8, 4));
	EXPECT_ERRNO(ENOENT, ahead(&f, PAGES, 4, 4));
	REQUIRE_OK(vm_set_slot(&f.guest.vm, SLOT, FAR, 0, NULL, 0));
	EXPECT_ERRNO(ENOENT, ahead(&f, 0, 4, 4));
	clean_up(&f);
}

static void to_a_hole(void)
{
	struct fixture f;

	set_up(&f, 0);
	REQUIRE(mprotect(f.host + 4 * PAGE, PAGE, PROT_NONE) == 0);
	EXPECT_ERRNO(0, ahead(&f, 0, 8, 4));
	EXPECT_ERRNO(EFAULT, ahead(&f, 4, 4, 4));
	REQUIRE(munmap(f.host + 5 * PAGE, PAGE) == 0);
	EXPECT_ERRNO(EFAULT, ahead(&f, 5, 3, 3));
	EXPECT_ERRNO(0, ahead(&f, 6, 2, 0));
	clean_up(&f);
}

static void read_only_slot(void)
{
	struct fixture f;

	set_up(&f, KVM_MEM_READONLY);
	EXPECT_ERRNO(0, ahead(&f, 0, 16, 0));
	RUN(&f, code_read, 0, 16);
	EXPECT_FAULTS(&f, 0);
	clean_up(&f);
}

/* It is no write: the log knows nothing of it, and sees the first one. */
static void the_log_sees_writes_only(void)
{
	uint64_t bits[PAGES / 64];
	struct fixture f;

	set_up(&f, KVM_MEM_LOG_DIRTY_PAGES);
	EXPECT_ERRNO(0, ahead(&f, 0, 16, 0));
	REQUIRE_OK(vm_get_dirty_log(&f.guest.vm, SLOT, bits));
	EXPECT_OR_DIFFERS(&f.guest.dev, "told_as_written", !bits[0]);
	RUN(&f, code_write, 2, 3);
	REQUIRE_OK(vm_get_dirty_log(&f.guest.vm, SLOT, bits));
	EXPECT_EQ(7 << 2, bits[0]);
	clean_up(&f);
}

/* Pages that nobody has touched: it reads, and the guest's write still finds them so. */
static void untouched_memory(void)
{
	struct fixture f;

	set_up(&f, 0);
	REQUIRE(madvise(f.host, 16 * PAGE, MADV_DONTNEED) == 0);
	EXPECT_ERRNO(0, ahead(&f, 0, 16, 0));
	RUN(&f, code_read, 0, 16);
	EXPECT_FAULTS(&f, 0);
	RUN(&f, code_write, 0, 1);
	EXPECT_EQ(1, *(int *)f.host);
	EXPECT_EQ(0, *(int *)(f.host + PAGE));
	clean_up(&f);
}

static volatile int alarms;

static void count_alarm(int signal)
{
	(void)signal;
	alarms++;
}

/* A signal ends it: success if it came on, else EINTR.  Called again it goes on from there. */
static void a_signal_ends_it(void)
{
	struct kvm_pre_fault_memory range = { .gpa = FAR, .size = LONG * PAGE };
	struct itimerval every = { { 0, 5000 }, { 0, 5000 } };
	struct sigaction action = { .sa_handler = count_alarm };
	unsigned int early = 0;
	struct fixture f;
	int r;

	set_up(&f, 0);
	/* There it had not come back after 500 s. */
	if (!kvm_dev_is_mkvm(&f.guest.dev))
		ktap_skip("stock kvm may stay in the call for ever");
	REQUIRE_OK(vm_set_slot(&f.guest.vm, SLOT, FAR, 0, NULL, 0));
	REQUIRE_OK(vm_set_slot(&f.guest.vm, SLOT, FAR, LONG * PAGE, map(LONG), 0));
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &every, NULL);
	while (range.size) {
		uint64_t left = range.size;

		r = ask(&f, &range);
		REQUIRE(r == 0 || r == -EINTR, "%s", strerror(-r));
		REQUIRE((r == -EINTR) == (range.size == left));
		REQUIRE(range.gpa == FAR + LONG * PAGE - range.size);
		early += range.size != 0;
		/* One is enough: they need not come faster than this gets on. */
		if (early)
			setitimer(ITIMER_REAL, &(struct itimerval){ 0 }, NULL);
	}
	setitimer(ITIMER_REAL, &(struct itimerval){ 0 }, NULL);
	EXPECT(alarms && early, "%d signals, ended early %u times", alarms, early);
	RUN(&f, code_read, LONG - 16, 16);
	EXPECT_FAULTS(&f, 0);
	clean_up(&f);
}

static const struct ktap_test tests[] = {
	KTAP_TEST(costs_no_exits),
	KTAP_TEST(nothing_around),
	KTAP_TEST(arguments),
	KTAP_TEST(to_the_slots_end),
	KTAP_TEST(to_a_hole),
	KTAP_TEST(read_only_slot),
	KTAP_TEST(the_log_sees_writes_only),
	KTAP_TEST(untouched_memory),
	KTAP_TEST(a_signal_ends_it),
};

KTAP_MAIN(tests)
