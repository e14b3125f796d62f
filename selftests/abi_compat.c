// SPDX-License-Identifier: GPL-2.0-only
/*
 * Ioctls as a 32-bit process makes them: by its system calls, with its structures.
 */
#include <errno.h>
#include <linux/kvm.h>
#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "lib/guest.h"

#define NR_IOCTL_32 54

#define SLOT	  5
#define SLOT_GPA  0x40000000UL
#define SLOT_SIZE 0x100000UL
#define NR_PAGES  (SLOT_SIZE / 0x1000)
#define S_SLOT	  STRING(0x40000000)

#define MSR_FILTER_32 _IOC(_IOC_WRITE, KVMIO, 0xc6, sizeof(struct msr_filter_32))

struct dirty_log_32 {
	uint32_t slot, padding, bitmap, unused;
};

struct clear_dirty_log_32 {
	uint32_t slot, num_pages;
	uint64_t first_page;
	uint32_t bitmap, unused;
};

struct msr_filter_32 {
	uint32_t flags;
	struct {
		uint32_t flags, nmsrs, base, bitmap;
	} ranges[16];
};

/* What the kernel is told of lies below 4 GiB. */
struct low {
	union {
		struct dirty_log_32 get;
		struct clear_dirty_log_32 clear;
		struct msr_filter_32 filter;
		struct kvm_regs regs;
	};
	uint64_t bitmap[NR_PAGES / 64];
};

static struct low *low;
static sigjmp_buf no_such_call;

static void on_fault(int signal)
{
	siglongjmp(no_such_call, signal);
}

static int call_32(int fd, unsigned int cmd, const void *arg)
{
	long answer;

	asm volatile("int $0x80"
		     : "=a"(answer)
		     : "a"((long)NR_IOCTL_32), "b"((long)fd), "c"((long)cmd), "d"(arg)
		     : "memory", "r8", "r9", "r10", "r11");
	return (int)answer;
}

static uint32_t address(const void *pointer)
{
	return (uint32_t)(uintptr_t)pointer;
}

/* A VM, and room below 4 GiB. */
static void start(struct guest *guest)
{
	struct sigaction action = { .sa_handler = on_fault }, old;

	low = mmap(NULL, sizeof(*low), PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	REQUIRE(low != MAP_FAILED);
	sigaction(SIGSEGV, &action, &old);
	if (sigsetjmp(no_such_call, 1))
		ktap_skip("the kernel has no 32-bit system calls");
	call_32(-1, 0, NULL);
	sigaction(SIGSEGV, &old, NULL);
	guest_create(guest, 1);
}

guest_code(code_store, 64,
	   "movl $1, " S_SLOT " + 0x3000\n"
	   "movl $1, " S_SLOT " + 0x45000\n"
	   "hlt\n");

static void add_slot(struct guest *guest)
{
	void *memory =
		mmap(NULL, SLOT_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	REQUIRE(memory != MAP_FAILED);
	REQUIRE_OK(vm_set_slot(&guest->vm, SLOT, SLOT_GPA, SLOT_SIZE, memory,
			       KVM_MEM_LOG_DIRTY_PAGES));
	guest_load(guest, code_store);
	guest_start(guest, 0, MODE_LONG);
	guest_run_to_hlt(guest, 0);
}

static int get_log(struct guest *guest)
{
	memset(low->bitmap, 0xff, sizeof(low->bitmap));
	/* The pointer's other half has never been written. */
	low->get = (struct dirty_log_32){ .slot = SLOT,
					  .bitmap = address(low->bitmap),
					  .unused = 0xdeadbeef };
	return call_32(guest->vm.fd, KVM_GET_DIRTY_LOG, low);
}

static void dirty_log(void)
{
	struct guest guest;

	start(&guest);
	add_slot(&guest);
	EXPECT_ERRNO(0, get_log(&guest));
	EXPECT_EQ(1UL << 3, low->bitmap[0]);
	EXPECT_EQ(1UL << 5, low->bitmap[1]);
	EXPECT_ERRNO(0, get_log(&guest));
	EXPECT_EQ(0, low->bitmap[0]);
	low->get = (struct dirty_log_32){ .slot = SLOT + 1, .bitmap = address(low->bitmap) };
	EXPECT_ERRNO(ENOENT, call_32(guest.vm.fd, KVM_GET_DIRTY_LOG, low));
	EXPECT_ERRNO(EFAULT, call_32(guest.vm.fd, KVM_GET_DIRTY_LOG, NULL));
	EXPECT_ERRNO(EFAULT, call_32(guest.vm.fd, KVM_CLEAR_DIRTY_LOG, NULL));
}

static void clear_dirty_log(void)
{
	struct guest guest;

	start(&guest);
	REQUIRE_OK(vm_enable_cap(&guest.vm, KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2, 1));
	add_slot(&guest);
	memset(low->bitmap, 0, sizeof(low->bitmap));
	low->bitmap[0] = 1UL << 5;
	low->clear = (struct clear_dirty_log_32){ .slot = SLOT,
						  .num_pages = 64,
						  .first_page = 64,
						  .bitmap = address(low->bitmap),
						  .unused = 0xdeadbeef };
	EXPECT_ERRNO(0, call_32(guest.vm.fd, KVM_CLEAR_DIRTY_LOG, low));
	EXPECT_ERRNO(0, get_log(&guest));
	EXPECT_EQ(1UL << 3, low->bitmap[0]);
	EXPECT_EQ(0, low->bitmap[1]);
}

#define MSR_STAR 0xc0000081

static void msr_filter(void)
{
	struct guest guest;

	start(&guest);
	low->filter = (struct msr_filter_32){ .ranges = { { KVM_MSR_FILTER_READ, 1, MSR_STAR,
							    address(low->bitmap) } } };
	EXPECT_ERRNO(0, call_32(guest.vm.fd, MSR_FILTER_32, low));
	/* Bit 0 is clear: refused. */
	guest_start_msr(&guest, false, MSR_STAR, 0, 0);
	guest_run_to_hlt(&guest, 0);
	EXPECT_EQ(1, guest_nr_traps(&guest));
	low->bitmap[0] = 1;
	EXPECT_ERRNO(0, call_32(guest.vm.fd, MSR_FILTER_32, low));
	guest_start_msr(&guest, false, MSR_STAR, 0, 0);
	guest_run_to_hlt(&guest, 0);
	EXPECT_EQ(0, guest_nr_traps(&guest));
	low->filter.flags = 2;
	EXPECT_ERRNO(EINVAL, call_32(guest.vm.fd, MSR_FILTER_32, low));
	EXPECT_ERRNO(EFAULT, call_32(guest.vm.fd, MSR_FILTER_32, NULL));
}

/* What has no pointers in it is the same for both. */
static void others(void)
{
	struct kvm_regs regs;
	struct guest guest;

	start(&guest);
	EXPECT_EQ(1, call_32(guest.vm.fd, KVM_CHECK_EXTENSION, (void *)KVM_CAP_USER_MEMORY));
	regs = guest_regs(&guest, 0);
	EXPECT_ERRNO(0, call_32(guest.vcpu[0].fd, KVM_GET_REGS, low));
	EXPECT(!memcmp(&regs, &low->regs, sizeof(regs)), "other registers");
	EXPECT_ERRNO(ENOTTY, call_32(guest.vm.fd, _IO(KVMIO, 0xfe), NULL));
}

static const struct ktap_test tests[] = {
	KTAP_TEST(dirty_log),
	KTAP_TEST(clear_dirty_log),
	KTAP_TEST(msr_filter),
	KTAP_TEST(others),
};

KTAP_MAIN(tests)
