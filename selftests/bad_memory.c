// SPDX-License-Identifier: GPL-2.0-only
/*
 * Slots with something else behind them than ordinary memory: holes, a file that becomes shorter,
 * broken memory, firmware's and devices' memory.  KVM_RUN ends with an errno, and says where.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/mkvm_kvm.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/guest.h"
#include "lib/stats.h"

#define PAGE  0x1000UL
#define FAR   (1UL << 30)
#define SLOT  3
#define PAGES 16UL
#define BIOS  0xf0000UL	   /* the firmware's copy: reserved, with struct page */
#define ROM   0xffff0000UL /* the firmware's own: no memory to the kernel */

guest_code(code_write, 64, "incl (%rdi)\nhlt\n");
guest_code(code_read, 64, "mov (%rdi), %eax\nhlt\n");
guest_code(code_sum, 64,
	   "xor %eax, %eax\n"
	   "1: add (%rdi), %eax\n"
	   "add $4, %rdi\n"
	   "dec %rcx\n"
	   "jnz 1b\n"
	   "hlt\n");

struct fixture {
	struct guest guest;
	struct stats vcpu;
};

static void set_up(struct fixture *f)
{
	guest_create(&f->guest, 1);
	guest_start(&f->guest, 0, MODE_LONG);
	stats_open(&f->vcpu, f->guest.vcpu[0].fd);
}

static void clean_up(struct fixture *f)
{
	stats_close(&f->vcpu);
	guest_destroy(&f->guest);
}

static void set_slot(struct fixture *f, void *host, uint64_t pages, uint32_t flags)
{
	REQUIRE_OK(vm_set_slot(&f->guest.vm, SLOT, FAR, pages * PAGE, host, flags));
}

#define PREPARE(f, code, page) prepare(f, code, code##_end - code, page)

static void prepare(struct fixture *f, const unsigned char *code, size_t size, uint64_t page)
{
	struct kvm_regs regs = guest_regs(&f->guest, 0);

	__guest_load(&f->guest, code, size);
	regs.rip = GUEST_CODE;
	regs.rdi = FAR + page * PAGE;
	regs.rcx = PAGE / 4;
	REQUIRE_OK(vcpu_set_regs(&f->guest.vcpu[0], &regs));
}

/* KVM_RUN fails for @page, again and again, and the guest stays where it is. */
static void expect_fault(struct fixture *f, uint64_t page)
{
	struct kvm_run *run = f->guest.vcpu[0].run;
	struct mkvm_memory_fault *info = (void *)run->padding;
	int i;

	for (i = 0; i < 2; i++) {
		memset(run->padding, 0xff, sizeof(*info));
		EXPECT_ERRNO(EFAULT, vcpu_run(&f->guest.vcpu[0]));
		EXPECT_OR_DIFFERS(&f->guest.dev, "facts_told",
				  run->exit_reason == KVM_EXIT_MEMORY_FAULT && !info->flags &&
					  info->gpa == FAR + page * PAGE && info->size == PAGE,
				  "exit %u, address 0x%llx", run->exit_reason,
				  (unsigned long long)info->gpa);
		EXPECT_EQ(GUEST_CODE, guest_regs(&f->guest, 0).rip);
	}
}

static char *map(void)
{
	char *at = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
			0);

	REQUIRE(at != MAP_FAILED);
	memset(at, 1, PAGES * PAGE);
	return at;
}

static void hole(void)
{
	struct fixture f;
	char *host = map();

	set_up(&f);
	EXPECT_OR_DIFFERS(&f.guest.dev, "capability",
			  kvm_dev_extension(&f.guest.dev, KVM_CAP_MEMORY_FAULT_INFO) == 1);
	REQUIRE(munmap(host + 2 * PAGE, PAGE) == 0);
	REQUIRE(mprotect(host + 3 * PAGE, PAGE, PROT_READ) == 0);
	set_slot(&f, host, PAGES, 0);
	PREPARE(&f, code_read, 2);
	expect_fault(&f, 2);
	PREPARE(&f, code_write, 3);
	expect_fault(&f, 3);
	/* What is there again is found. */
	REQUIRE(mprotect(host + 3 * PAGE, PAGE, PROT_READ | PROT_WRITE) == 0);
	guest_run_to_hlt(&f.guest, 0);
	EXPECT_EQ(0x01010102, *(int *)(host + 3 * PAGE));
	clean_up(&f);
}

/* Under the guest: what it had mapped goes, and its next touch is an error, and no loop. */
static void file_becomes_shorter(void)
{
	struct fixture f;
	char *host;
	int fd = memfd_create("guest", 0);

	REQUIRE(fd >= 0 && ftruncate(fd, PAGES * PAGE) == 0);
	host = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	REQUIRE(host != MAP_FAILED);
	set_up(&f);
	set_slot(&f, host, PAGES, 0);
	PREPARE(&f, code_write, 8);
	guest_run_to_hlt(&f.guest, 0);
	EXPECT_EQ(1, *(int *)(host + 8 * PAGE));
	REQUIRE(ftruncate(fd, 4 * PAGE) == 0);
	PREPARE(&f, code_write, 8);
	expect_fault(&f, 8);
	PREPARE(&f, code_write, 3);
	guest_run_to_hlt(&f.guest, 0);
	EXPECT_EQ(1, *(int *)(host + 3 * PAGE));
	REQUIRE(ftruncate(fd, PAGES * PAGE) == 0);
	PREPARE(&f, code_write, 8);
	guest_run_to_hlt(&f.guest, 0);
	EXPECT_EQ(1, *(int *)(host + 8 * PAGE));
	close(fd);
	clean_up(&f);
}

static volatile int signals, signal_code;
static void *volatile signal_address;

static void take_sigbus(int signal, siginfo_t *info, void *context)
{
	(void)signal;
	(void)context;
	signals++;
	signal_code = info->si_code;
	signal_address = info->si_addr;
}

/* The thread gets the signal that it would get for a touch of its own. */
static void broken_memory(void)
{
	struct sigaction action = { .sa_sigaction = take_sigbus, .sa_flags = SA_SIGINFO };
	struct fixture f;
	char *host = map();
	sigset_t bus;

	set_up(&f);
	REQUIRE(sigaction(SIGBUS, &action, NULL) == 0);
	set_slot(&f, host, PAGES, 0);
	PREPARE(&f, code_write, 5);
	guest_run_to_hlt(&f.guest, 0);
	if (madvise(host + 5 * PAGE, PAGE, MADV_HWPOISON) != 0)
		ktap_skip("no memory can be broken here: %s", strerror(errno));
	PREPARE(&f, code_write, 5);
	signals = 0;
	EXPECT_ERRNO(EINTR, vcpu_run(&f.guest.vcpu[0]));
	EXPECT_EQ(1, signals);
	EXPECT_EQ(BUS_MCEERR_AR, signal_code);
	EXPECT(signal_address == host + 5 * PAGE);
	EXPECT_EQ(GUEST_CODE, guest_regs(&f.guest, 0).rip);
	/* Who blocks it gets an errno; kvm tries for ever. */
	if (kvm_dev_is_mkvm(&f.guest.dev)) {
		sigemptyset(&bus);
		sigaddset(&bus, SIGBUS);
		sigprocmask(SIG_BLOCK, &bus, NULL);
		EXPECT_ERRNO(EHWPOISON, vcpu_run(&f.guest.vcpu[0]));
		EXPECT_EQ(KVM_EXIT_MEMORY_FAULT, f.guest.vcpu[0].run->exit_reason);
		EXPECT_EQ(1, signals);
	}
	/* A page in its place, and the guest goes on. */
	REQUIRE(mmap(host + 5 * PAGE, PAGE, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != MAP_FAILED);
	guest_run_to_hlt(&f.guest, 0);
	EXPECT_EQ(1, *(int *)(host + 5 * PAGE));
	clean_up(&f);
}

static uint32_t sum(const void *at)
{
	const volatile uint32_t *word = at;
	uint32_t total = 0;
	unsigned int i;

	for (i = 0; i < PAGE / 4; i++)
		total += word[i];
	return total;
}

/* Read-only memory, none of the kernel's: the guest reads what we read, and writes nothing. */
static void firmware(uint64_t physical)
{
	int fd = open("/dev/mem", O_RDONLY | O_SYNC);
	struct fixture f;
	uint64_t faults;
	char *host;

	REQUIRE(fd >= 0, "/dev/mem: %s", strerror(errno));
	host = mmap(NULL, PAGES * PAGE, PROT_READ, MAP_SHARED, fd, physical);
	REQUIRE(host != MAP_FAILED, "%s", strerror(errno));
	close(fd);
	set_up(&f);
	set_slot(&f, host, PAGES, 0);
	PREPARE(&f, code_sum, 15);
	faults = stats_value(&f.vcpu, "pf_taken");
	guest_run_to_hlt(&f.guest, 0);
	EXPECT_EQ(sum(host + 15 * PAGE), (uint32_t)guest_regs(&f.guest, 0).rax);
	EXPECT(sum(host + 15 * PAGE) != 0, "nothing to compare");
	PREPARE(&f, code_sum, 15);
	faults = stats_value(&f.vcpu, "pf_taken");
	guest_run_to_hlt(&f.guest, 0);
	EXPECT_EQ(0, stats_value(&f.vcpu, "pf_taken") - faults);
	if (kvm_dev_is_mkvm(&f.guest.dev)) {
		PREPARE(&f, code_write, 15);
		expect_fault(&f, 15);
	}
	/* We give it up, and so has the guest. */
	REQUIRE(munmap(host, PAGES * PAGE) == 0);
	PREPARE(&f, code_read, 15);
	expect_fault(&f, 15);
	clean_up(&f);
}

static void reserved_memory(void)
{
	firmware(BIOS);
}

static void no_struct_page(void)
{
	firmware(ROM);
}

static const struct ktap_test tests[] = {
	KTAP_TEST(hole),	   KTAP_TEST(file_becomes_shorter),
	KTAP_TEST(broken_memory),  KTAP_TEST(reserved_memory),
	KTAP_TEST(no_struct_page),
};

KTAP_MAIN(tests)
