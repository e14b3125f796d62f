// SPDX-License-Identifier: GPL-2.0-only
/* VMCALL and VMMCALL: both are hypercalls on either vendor's processor, and no one offers one. */
#include <errno.h>
#include <linux/kvm.h>
#include <linux/kvm_para.h>
#include <string.h>

#include "lib/guest.h"

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

static const struct ktap_test tests[] = {
	KTAP_TEST(from_the_kernel),
	KTAP_TEST(in_32_bits),
	KTAP_TEST(from_user_mode),
};

KTAP_MAIN(tests)
