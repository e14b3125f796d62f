// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fault-around: a fault maps the neighbours that the host has at hand, as far as it may.  All this
 * is mkvm's own; the pages are of 4 KiB.
 */
#include <errno.h>
#include <linux/mkvm.h>
#include <string.h>
#include <sys/mman.h>

#include "lib/guest.h"
#include "lib/stats.h"
#include "lib/sys.h"

#define PAGE  0x1000UL
#define FAR   (1UL << 30)
#define SLOT  3
#define PAGES 1024UL
#define PARAM "/sys/module/mkvm/parameters/fault_around"

guest_code(code_write, 64,
	   "1: incl (%rdi)\n"
	   "add %rdx, %rdi\n"
	   "dec %rcx\n"
	   "jnz 1b\n"
	   "hlt\n");
guest_code(code_read, 64,
	   "1: mov (%rdi), %eax\n"
	   "add %rdx, %rdi\n"
	   "dec %rcx\n"
	   "jnz 1b\n"
	   "hlt\n");

struct fixture {
	struct guest guest;
	char *host;
	struct stats vm, vcpu;
	uint64_t faults, mapped; /* before the last run */
};

static void set_slot(struct fixture *f, uint32_t flags)
{
	REQUIRE_OK(vm_set_slot(&f->guest.vm, SLOT, FAR, PAGES * PAGE, f->host, flags));
}

#define RUN(f, code, first, stride, pages) run(f, code, code##_end - code, first, stride, pages)

static void prepare(struct fixture *f, const unsigned char *code, size_t size, uint64_t first,
		    uint64_t stride, uint64_t pages)
{
	struct kvm_regs regs = guest_regs(&f->guest, 0);

	__guest_load(&f->guest, code, size);
	regs.rip = GUEST_CODE;
	regs.rdi = FAR + first * PAGE;
	regs.rdx = stride * PAGE;
	regs.rcx = pages;
	REQUIRE_OK(vcpu_set_regs(&f->guest.vcpu[0], &regs));
	f->faults = stats_value(&f->vcpu, "pf_taken");
	f->mapped = stats_value(&f->vm, "pages_4k");
}

static void run(struct fixture *f, const unsigned char *code, size_t size, uint64_t first,
		uint64_t stride, uint64_t pages)
{
	prepare(f, code, size, first, stride, pages);
	guest_run_to_hlt(&f->guest, 0);
}

/*
 * All pages are there, and nothing is mapped but the code, the tables, the slot's last page, and
 * with @around 0, the module's choice, what is around those.
 */
static void set_up(struct fixture *f, unsigned int around)
{
	memset(f, 0, sizeof(*f));
	guest_create_vm_around(&f->guest);
	guest_add_cpus(&f->guest, 1);
	REQUIRE_OK(vcpu_offer_host_cpuid(&f->guest.vcpu[0], &f->guest.dev));
	if (kvm_dev_is_mkvm(&f->guest.dev) && around)
		REQUIRE_OK(vm_enable_cap(&f->guest.vm, MKVM_CAP_FAULT_AROUND, 1));
	if (!kvm_dev_is_mkvm(&f->guest.dev))
		ktap_skip("fault-around is mkvm's own");
	guest_start(&f->guest, 0, MODE_LONG);
	stats_open(&f->vm, f->guest.vm.fd);
	stats_open(&f->vcpu, f->guest.vcpu[0].fd);
	f->host = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		       0);
	REQUIRE(f->host != MAP_FAILED);
	REQUIRE(madvise(f->host, PAGES * PAGE, MADV_NOHUGEPAGE) == 0);
	memset(f->host, 1, PAGES * PAGE);
	set_slot(f, 0);
	RUN(f, code_write, PAGES - 1, 1, 1);
	if (around)
		REQUIRE_OK(vm_enable_cap(&f->guest.vm, MKVM_CAP_FAULT_AROUND, around));
}

static void clean_up(struct fixture *f)
{
	stats_close(&f->vm);
	stats_close(&f->vcpu);
	guest_destroy(&f->guest);
}

#define EXPECT_FAULTS(f, n) EXPECT_EQ(n, stats_value(&(f)->vcpu, "pf_taken") - (f)->faults)
#define EXPECT_MAPPED(f, n) EXPECT_EQ(n, stats_value(&(f)->vm, "pages_4k") - (f)->mapped)

static void off(void)
{
	struct fixture f;

	set_up(&f, 1);
	RUN(&f, code_write, 0, 1, 64);
	EXPECT_FAULTS(&f, 64);
	EXPECT_MAPPED(&f, 64);
	clean_up(&f);
}

/* A window of 16, and no more: an exit for each. */
static void a_window(void)
{
	struct fixture f;

	set_up(&f, 16);
	RUN(&f, code_write, 0, 1, 256);
	EXPECT_FAULTS(&f, 16);
	EXPECT_MAPPED(&f, 256);
	/* In the middle of one. */
	RUN(&f, code_read, 256 + 7, 1, 1);
	EXPECT_FAULTS(&f, 1);
	EXPECT_MAPPED(&f, 16);
	RUN(&f, code_write, 256, 1, 16);
	EXPECT_FAULTS(&f, 0);
	clean_up(&f);
}

/* Where all that was mapped is used the window grows: 16, 32, 64, 64, ... */
static void it_grows(void)
{
	struct fixture f;

	set_up(&f, 64);
	RUN(&f, code_write, 0, 1, 512);
	EXPECT(stats_value(&f.vcpu, "pf_taken") - f.faults <= 10, "%llu faults",
	       (unsigned long long)(stats_value(&f.vcpu, "pf_taken") - f.faults));
	EXPECT_MAPPED(&f, 512);
	clean_up(&f);
}

/* Where nothing else was used it shrinks, but where the processor does not tell. */
static void it_shrinks(void)
{
	struct fixture f;

	set_up(&f, 64);
	RUN(&f, code_write, 0, 64, 8);
	EXPECT_FAULTS(&f, 8);
	EXPECT(stats_value(&f.vm, "pages_4k") - f.mapped <= 8 * 16, "%llu pages",
	       (unsigned long long)(stats_value(&f.vm, "pages_4k") - f.mapped));
	EXPECT(stats_value(&f.vm, "pages_4k") - f.mapped >= 8 * 8);
	clean_up(&f);
}

/* What the host has not is not brought in. */
static void only_what_is_there(void)
{
	unsigned char there[16];
	struct fixture f;

	set_up(&f, 16);
	REQUIRE(madvise(f.host + 4 * PAGE, 3 * PAGE, MADV_DONTNEED) == 0);
	RUN(&f, code_write, 0, 1, 1);
	EXPECT_FAULTS(&f, 1);
	EXPECT_MAPPED(&f, 13);
	REQUIRE(mincore(f.host, 16 * PAGE, there) == 0);
	EXPECT_EQ(1, there[3] & 1);
	EXPECT_EQ(0, there[4] & 1);
	EXPECT_EQ(0, there[6] & 1);
	EXPECT_EQ(1, there[7] & 1);
	clean_up(&f);
}

/* What we may not write the guest cannot write. */
static void no_more_than_we_may(void)
{
	struct fixture f;

	set_up(&f, 16);
	REQUIRE(mprotect(f.host + 4 * PAGE, 2 * PAGE, PROT_READ) == 0);
	REQUIRE(mprotect(f.host + 8 * PAGE, PAGE, PROT_NONE) == 0);
	RUN(&f, code_write, 0, 1, 1);
	EXPECT_MAPPED(&f, 15);
	RUN(&f, code_read, 0, 1, 8);
	EXPECT_FAULTS(&f, 0);
	/* The kernel cannot make it writable either. */
	prepare(&f, code_write, code_write_end - code_write, 4, 1, 1);
	EXPECT_ERRNO(EFAULT, vcpu_run(&f.guest.vcpu[0]));
	EXPECT_EQ(0x01010101, *(int *)(f.host + 4 * PAGE));
	clean_up(&f);
}

static uint64_t dirty_pages(struct fixture *f)
{
	uint64_t bits[PAGES / 64], n = 0;
	unsigned int i;

	REQUIRE_OK(vm_get_dirty_log(&f->guest.vm, SLOT, bits));
	for (i = 0; i < PAGES / 64; i++)
		n += __builtin_popcountll(bits[i]);
	return n;
}

/* A logged page is written only under the log's eyes; to read it costs nothing. */
static void log_sees_all(uint64_t mode, uint64_t first_writes)
{
	struct fixture f;

	set_up(&f, 16);
	REQUIRE_OK(vm_enable_cap(&f.guest.vm, MKVM_CAP_DIRTY_LOG_MODE, mode));
	set_slot(&f, KVM_MEM_LOG_DIRTY_PAGES);
	RUN(&f, code_read, 0, 1, 16);
	EXPECT_FAULTS(&f, 1);
	EXPECT_EQ(0, dirty_pages(&f));
	RUN(&f, code_write, 3, 2, 4);
	EXPECT_FAULTS(&f, first_writes);
	EXPECT_EQ(4, dirty_pages(&f));
	RUN(&f, code_write, 32, 1, 1);
	EXPECT_EQ(1, dirty_pages(&f));
	RUN(&f, code_read, 32, 1, 16);
	EXPECT_FAULTS(&f, 0);
	EXPECT_EQ(0, dirty_pages(&f));
	clean_up(&f);
}

static void the_log_sees_all(void)
{
	log_sees_all(MKVM_DIRTY_LOG_PROTECT, 4);
}

/* By dirty bits, if the processor has them: the neighbours may be written. */
static void dirty_bits_see_all(void)
{
	struct kvm_dev dev;
	int modes;

	device_open(&dev);
	modes = kvm_dev_extension(&dev, MKVM_CAP_DIRTY_LOG_MODE);
	kvm_dev_close(&dev);
	if (!(modes & MKVM_DIRTY_LOG_BITS))
		ktap_skip("dirty bits are not there");
	log_sees_all(MKVM_DIRTY_LOG_BITS, 0);
}

/* The slot's ends cut the window. */
static void within_the_slot(void)
{
	struct fixture f;

	set_up(&f, 16);
	REQUIRE_OK(vm_set_slot(&f.guest.vm, SLOT, FAR, 0, NULL, 0));
	REQUIRE_OK(vm_set_slot(&f.guest.vm, SLOT, FAR + 5 * PAGE, 7 * PAGE, f.host, 0));
	RUN(&f, code_write, 8, 1, 1);
	EXPECT_FAULTS(&f, 1);
	EXPECT_MAPPED(&f, 7);
	RUN(&f, code_write, 5, 1, 7);
	EXPECT_FAULTS(&f, 0);
	EXPECT_EQ(0x01010102, *(int *)f.host);
	clean_up(&f);
}

/* A neighbour that the host replaces is replaced for the guest too. */
static void neighbours_go_too(void)
{
	struct fixture f;

	set_up(&f, 16);
	RUN(&f, code_write, 0, 1, 1);
	EXPECT_MAPPED(&f, 16);
	REQUIRE(madvise(f.host + 8 * PAGE, PAGE, MADV_DONTNEED) == 0);
	*(int *)(f.host + 8 * PAGE) = 5;
	RUN(&f, code_write, 8, 1, 1);
	EXPECT_FAULTS(&f, 1);
	EXPECT_EQ(6, *(int *)(f.host + 8 * PAGE));
	clean_up(&f);
}

static void values(void)
{
	struct guest guest;

	guest_create(&guest, 1);
	if (!kvm_dev_is_mkvm(&guest.dev))
		ktap_skip("fault-around is mkvm's own");
	EXPECT_EQ(512, kvm_dev_extension(&guest.dev, MKVM_CAP_FAULT_AROUND));
	EXPECT_ERRNO(EINVAL, vm_enable_cap(&guest.vm, MKVM_CAP_FAULT_AROUND, 0));
	EXPECT_ERRNO(EINVAL, vm_enable_cap(&guest.vm, MKVM_CAP_FAULT_AROUND, 3));
	EXPECT_ERRNO(EINVAL, vm_enable_cap(&guest.vm, MKVM_CAP_FAULT_AROUND, 1024));
	EXPECT_ERRNO(EINVAL, vm_enable_cap(&guest.vm, MKVM_CAP_FAULT_AROUND, 1ULL << 32));
	EXPECT_ERRNO(0, vm_enable_cap(&guest.vm, MKVM_CAP_FAULT_AROUND, 512));
	guest_destroy(&guest);
}

/* A VM that was made while the parameter was @value has @faults for a pass over 256 pages. */
static void expect_by_parameter(const char *value, uint64_t faults)
{
	struct sys_setting param;
	struct fixture f;

	REQUIRE(sys_set(&param, PARAM, value));
	set_up(&f, 0);
	sys_restore(&param);
	RUN(&f, code_write, 0, 1, 256);
	EXPECT_FAULTS(&f, faults);
	EXPECT_MAPPED(&f, 256);
	clean_up(&f);
}

/* The parameter is for VMs that are made from then on; only a power of two up to 512 is one. */
static void by_the_parameter(void)
{
	static const char *const bad[] = { "0", "3", "24", "1024", "-1", "0x100000001", "x" };
	struct kvm_dev dev;
	char before[16], after[16];
	unsigned int i;

	device_open(&dev);
	if (!kvm_dev_is_mkvm(&dev))
		ktap_skip("fault-around is mkvm's own");
	kvm_dev_close(&dev);
	REQUIRE(sys_read(PARAM, before, sizeof(before)));
	expect_by_parameter("1", 256);
	expect_by_parameter("4", 256 / 4);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		EXPECT(!sys_write(PARAM, bad[i]), "%s is taken", bad[i]);
	REQUIRE(sys_read(PARAM, after, sizeof(after)));
	EXPECT(strcmp(before, after) == 0, "%s was %s", after, before);
}

static const struct ktap_test tests[] = {
	KTAP_TEST(values),
	KTAP_TEST(by_the_parameter),
	KTAP_TEST(off),
	KTAP_TEST(a_window),
	KTAP_TEST(it_grows),
	KTAP_TEST(it_shrinks),
	KTAP_TEST(only_what_is_there),
	KTAP_TEST(no_more_than_we_may),
	KTAP_TEST(the_log_sees_all),
	KTAP_TEST(dirty_bits_see_all),
	KTAP_TEST(within_the_slot),
	KTAP_TEST(neighbours_go_too),
};

KTAP_MAIN(tests)
