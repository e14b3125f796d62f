// SPDX-License-Identifier: GPL-2.0-only
/* VMCALL and VMMCALL: both are hypercalls on either vendor's processor. */
#include <errno.h>
#include <linux/kvm.h>
#include <linux/kvm_para.h>
#include <string.h>
#include <time.h>

#include "lib/guest.h"
#include "lib/host.h"

#define ENOSYS_64 ((uint64_t)-KVM_ENOSYS)
#define EPERM_64  ((uint64_t)-KVM_EPERM)

guest_code(code_calls, 64,
	   "mov $0x12345, %eax\n"
	   "vmcall\n"
	   "mov %rax, %rbx\n"
	   "mov $0x12345, %eax\n"
	   "vmmcall\n"
	   "hlt\n");

static void expect_calls(struct guest *guest, uint64_t expected)
{
	unsigned int size = code_calls_end - code_calls;

	guest_run_to_hlt(guest, 0);
	EXPECT_EQ(expected, guest_regs(guest, 0).rax);
	EXPECT_EQ(expected, guest_regs(guest, 0).rbx);
	EXPECT_EQ(GUEST_CODE + size, guest_regs(guest, 0).rip);
}

static void from_the_kernel(void)
{
	unsigned int size = code_calls_end - code_calls;
	struct guest guest;

	guest_create(&guest, 1);
	guest_load(&guest, code_calls);
	guest_start(&guest, 0, MODE_LONG);
	expect_calls(&guest, ENOSYS_64);
	EXPECT_OR_DIFFERS(&guest.dev, "hypercall_patches",
			  !memcmp(guest_at(&guest, GUEST_CODE, size), code_calls, size),
			  "the guest's code was changed");
}

guest_code(code_calls32, 32,
	   "mov $0x12345, %eax\n"
	   "vmcall\n"
	   "mov %eax, %ebx\n"
	   "vmmcall\n"
	   "hlt\n");

static void in_32_bits(void)
{
	struct guest guest;

	guest_create(&guest, 1);
	guest_load(&guest, code_calls32);
	guest_start(&guest, 0, MODE_PROT32);
	guest_run_to_hlt(&guest, 0);
	EXPECT_EQ((uint32_t)ENOSYS_64, guest_regs(&guest, 0).rax);
	EXPECT_EQ((uint32_t)ENOSYS_64, guest_regs(&guest, 0).rbx);
}

guest_code(code_user, 64,
	   "vmcall\n"
	   "mov %rax, %rbx\n"
	   "vmmcall\n"
	   "ud2\n");

/* User mode may not; the UD2 that ends it is its own. */
static void from_user_mode(void)
{
	struct kvm_sregs sregs;
	struct guest guest;
	uint64_t stack = GUEST_STACKS;
	struct kvm_regs regs;
	struct trap trap;

	guest_create(&guest, 1);
	guest_load(&guest, code_user);
	guest_start(&guest, 0, MODE_LONG);
	guest_enable_traps(&guest, 0);
	sregs = guest_sregs(&guest, 0);
	sregs.cs.dpl = 3;
	sregs.cs.selector |= 3;
	sregs.ss.dpl = 3;
	sregs.ss.selector |= 3;
	REQUIRE_OK(vcpu_set_sregs(&guest.vcpu[0], &sregs));
	/* The stack of the kernel, in the task state segment. */
	memcpy(guest_at(&guest, sregs.tr.base + 4, 8), &stack, 8);
	guest_run_to_hlt(&guest, 0);
	regs = guest_regs(&guest, 0);
	EXPECT_EQ(1, guest_nr_traps(&guest));
	trap = guest_trap(&guest, 0);
	EXPECT_OR_DIFFERS(&guest.dev, "hypercall_in_user_mode",
			  trap.vector == 6 && trap.rip == GUEST_CODE + 9 && regs.rax == EPERM_64 &&
				  regs.rbx == EPERM_64,
			  "vector %u at 0x%llx, rax 0x%llx, rbx 0x%llx", (unsigned int)trap.vector,
			  (unsigned long long)trap.rip, regs.rax, regs.rbx);
}

guest_code(code_call_one, 64,
	   "1: rdtsc\n"
	   "shl $32, %rdx\n"
	   "or %rdx, %rax\n"
	   "mov %rax, %r8\n"
	   "mov %r12, %rax\n"
	   "mov %r13, %rbx\n"
	   "mov %r14, %rcx\n"
	   "vmmcall\n"
	   "mov %rax, %r9\n"
	   "rdtsc\n"
	   "shl $32, %rdx\n"
	   "or %rax, %rdx\n"
	   "out %al, $" S_SYNC "\n"
	   "jmp 1b\n");

/* The answer to one hypercall; the counter before it is in r8, that behind it in rdx. */
static struct kvm_regs call_one(struct guest *guest, uint64_t nr, uint64_t first, uint64_t second)
{
	struct kvm_regs regs = guest_regs(guest, 0);

	regs.r12 = nr;
	regs.r13 = first;
	regs.r14 = second;
	REQUIRE_OK(vcpu_set_regs(&guest->vcpu[0], &regs));
	guest_run_to_sync(guest, 0);
	return guest_regs(guest, 0);
}

/* The time of day and the counter of one moment, if the host keeps its time by its own counter. */
static void clock_pairing(void)
{
	volatile struct kvm_clock_pairing *pairing;
	time_t before = time(NULL);
	struct kvm_regs regs;
	struct guest guest;

	guest_create(&guest, 1);
	guest_load(&guest, code_call_one);
	guest_start(&guest, 0, MODE_LONG);
	pairing = guest_at(&guest, GUEST_DATA, sizeof(*pairing));
	memset((void *)pairing, 0xcc, sizeof(*pairing));
	EXPECT_EQ(-KVM_EOPNOTSUPP, call_one(&guest, KVM_HC_CLOCK_PAIRING, GUEST_DATA, 1).r9);
	EXPECT_EQ(0xcccccccccccccccc, pairing->sec);
	regs = call_one(&guest, KVM_HC_CLOCK_PAIRING, GUEST_DATA, 0);
	if (!host_clocksource_is("tsc")) {
		EXPECT_EQ(-KVM_EOPNOTSUPP, regs.r9);
		return;
	}
	EXPECT_EQ(0, regs.r9);
	EXPECT(pairing->sec >= before && pairing->sec <= time(NULL) + 1, "second %lld",
	       (long long)pairing->sec);
	EXPECT(pairing->nsec >= 0 && pairing->nsec < 1000000000, "%lld ns",
	       (long long)pairing->nsec);
	EXPECT(pairing->tsc >= regs.r8 && pairing->tsc <= regs.rdx, "the TSC is %llu",
	       (unsigned long long)pairing->tsc);
	EXPECT_EQ(0, pairing->flags | pairing->pad[0] | pairing->pad[8]);
	regs = call_one(&guest, KVM_HC_CLOCK_PAIRING, GUEST_MEM_SIZE, 0);
	EXPECT_EQ(-KVM_EFAULT, regs.r9);
}

/* An exit and no more; and what nobody knows. */
static void others(void)
{
	static const uint64_t unknown[] = { 0, KVM_HC_MMU_OP, 6, 7, 8, 13, 1ULL << 32 | 1, ~0ULL };
	struct guest guest;
	size_t i;

	guest_create(&guest, 1);
	guest_load(&guest, code_call_one);
	guest_start(&guest, 0, MODE_LONG);
	EXPECT_EQ(0, call_one(&guest, KVM_HC_VAPIC_POLL_IRQ, 0, 0).r9);
	for (i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++)
		EXPECT_EQ(ENOSYS_64, call_one(&guest, unknown[i], 0, 0).r9);
}

static const struct ktap_test tests[] = {
	KTAP_TEST(from_the_kernel), KTAP_TEST(in_32_bits), KTAP_TEST(from_user_mode),
	KTAP_TEST(clock_pairing),   KTAP_TEST(others),
};

KTAP_MAIN(tests)
