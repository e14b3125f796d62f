// SPDX-License-Identifier: GPL-2.0-only
/*
 * CPUID: a guest to which user space has shown nothing sees nothing, whatever the host has.
 */
#include <linux/kvm.h>

#include "lib/guest.h"

guest_code(code_cpuid, 32,
	   "cpuid\n"
	   "hlt\n");

static void nothing_was_set(void)
{
	static const uint32_t leaves[] = { 0,	       1,	   7,
					   0xd,	       0x40000000, 0x80000000,
					   0x80000001, 0x80000008, 0xffffffff };
	struct kvm_regs regs;
	struct guest guest;
	size_t i;

	guest_create_without_cpuid(&guest, 1);
	guest_load(&guest, code_cpuid);
	for (i = 0; i < sizeof(leaves) / sizeof(leaves[0]); i++) {
		guest_start(&guest, 0, MODE_PROT32);
		regs = guest_regs(&guest, 0);
		regs.rax = leaves[i];
		regs.rbx = 0x5a5a5a5a;
		regs.rdx = 0x5a5a5a5a;
		regs.rcx = 0;
		REQUIRE_OK(vcpu_set_regs(&guest.vcpu[0], &regs));
		guest_run_to_hlt(&guest, 0);
		regs = guest_regs(&guest, 0);
		EXPECT(!(regs.rax | regs.rbx | regs.rcx | regs.rdx),
		       "leaf 0x%x: eax 0x%llx ebx 0x%llx ecx 0x%llx edx 0x%llx", leaves[i],
		       regs.rax, regs.rbx, regs.rcx, regs.rdx);
		EXPECT_EQ(GUEST_CODE + 3, regs.rip);
	}
}

static const struct ktap_test tests[] = {
	KTAP_TEST(nothing_was_set),
};

KTAP_MAIN(tests)
