// SPDX-License-Identifier: GPL-2.0-only
/*
 * The filter of MSRs: what it takes, and that it holds for registers of every kind, those that a
 * guest else gets at without an exit among them.
 */
#include <errno.h>
#include <linux/kvm.h>
#include <pthread.h>
#include <string.h>
#include <sys/ioctl.h>

#include "lib/guest.h"

#define MSR_MISC_ENABLE	   0x1a0
#define MSR_SYSENTER_CS	   0x174
#define MSR_SYSENTER_EIP   0x176
#define MSR_PAT		   0x277
#define MSR_KERNEL_GS_BASE 0xc0000102
#define VALUE		   0x0000040600070406ULL /* legal in all of them */

#define BOTH (KVM_MSR_FILTER_READ | KVM_MSR_FILTER_WRITE)

/* Reads and writes as long as nobody stops it. */
guest_code(code_loop, 64,
	   "1: rdmsr\n"
	   "incq (%rsi)\n"
	   "jmp 1b\n");

static int set_filter(const struct guest *guest, const struct kvm_msr_filter *filter)
{
	return ioctl(guest->vm.fd, KVM_X86_SET_MSR_FILTER, filter) < 0 ? -errno : 0;
}

/* Forbids @access to @msr, and nothing else. */
static void forbid(const struct guest *guest, uint32_t msr, uint32_t access)
{
	uint8_t bitmap[8] = { 0 };
	struct kvm_msr_filter filter = {
		.ranges[0] = { .flags = access, .base = msr, .nmsrs = 1, .bitmap = bitmap },
	};

	REQUIRE_OK(set_filter(guest, &filter));
}

static void start(struct guest *guest, bool write, uint32_t msr)
{
	guest_start_msr(guest, write, msr, (uint32_t)VALUE, VALUE >> 32);
}

static void expect_done(struct guest *guest, bool write, uint32_t msr)
{
	start(guest, write, msr);
	guest_run_to_hlt(guest, 0);
	EXPECT(guest_nr_traps(guest) == 0, "%s of 0x%x: exception %llu", write ? "WRMSR" : "RDMSR",
	       msr, guest_nr_traps(guest) ? (unsigned long long)guest_trap(guest, 0).vector : 0);
}

static void expect_gp(struct guest *guest, bool write, uint32_t msr)
{
	start(guest, write, msr);
	guest_run_to_hlt(guest, 0);
	EXPECT(guest_nr_traps(guest) == 1, "%s of 0x%x is not refused", write ? "WRMSR" : "RDMSR",
	       msr);
	if (guest_nr_traps(guest))
		EXPECT_EQ(13, guest_trap(guest, 0).vector);
}

static void arguments(void)
{
	static uint8_t bitmap[0x608];
	struct kvm_msr_filter filter;
	struct guest guest;

	guest_create(&guest, 1);
	EXPECT_EQ(1, kvm_dev_extension(&guest.dev, KVM_CAP_X86_MSR_FILTER));
	memset(&filter, 0, sizeof(filter));
	EXPECT_ERRNO(0, set_filter(&guest, &filter));
	EXPECT_ERRNO(EFAULT, set_filter(&guest, NULL));
	filter.flags = 2;
	EXPECT_ERRNO(EINVAL, set_filter(&guest, &filter));
	/* To forbid all is not offered. */
	filter.flags = KVM_MSR_FILTER_DEFAULT_DENY;
	EXPECT_ERRNO(EINVAL, set_filter(&guest, &filter));
	filter.ranges[3] = (struct kvm_msr_filter_range){
		.flags = BOTH, .base = MSR_PAT, .nmsrs = 1, .bitmap = bitmap
	};
	EXPECT_ERRNO(0, set_filter(&guest, &filter));
	filter.flags = 0;
	EXPECT_ERRNO(0, set_filter(&guest, &filter));
	filter.ranges[3].flags = 0;
	EXPECT_ERRNO(EINVAL, set_filter(&guest, &filter));
	filter.ranges[3].flags = 4 | BOTH;
	EXPECT_ERRNO(EINVAL, set_filter(&guest, &filter));
	/* An empty range is not looked at. */
	filter.ranges[3].nmsrs = 0;
	EXPECT_ERRNO(0, set_filter(&guest, &filter));
	filter.ranges[3].flags = BOTH;
	filter.ranges[3].nmsrs = 0x600 * 8;
	EXPECT_ERRNO(0, set_filter(&guest, &filter));
	filter.ranges[3].nmsrs++;
	EXPECT_ERRNO(EINVAL, set_filter(&guest, &filter));
	filter.ranges[3].nmsrs = 0xffffffff;
	EXPECT_ERRNO(EINVAL, set_filter(&guest, &filter));
	filter.ranges[3].nmsrs = 1;
	filter.ranges[3].bitmap = NULL;
	EXPECT_ERRNO(EFAULT, set_filter(&guest, &filter));
}

static void each_kind(void)
{
	static const uint32_t msrs[] = { MSR_PAT,	    MSR_MISC_ENABLE, MSR_SYSENTER_CS,
					 MSR_SYSENTER_EIP,  0xc0000081,	     0xc0000082,
					 0xc0000084,	    0xc0000100,	     0xc0000101,
					 MSR_KERNEL_GS_BASE };
	struct guest guest;
	size_t i;

	guest_create(&guest, 1);
	for (i = 0; i < sizeof(msrs) / sizeof(msrs[0]); i++) {
		forbid(&guest, msrs[i], KVM_MSR_FILTER_READ);
		expect_gp(&guest, false, msrs[i]);
		forbid(&guest, msrs[i], KVM_MSR_FILTER_WRITE);
		expect_gp(&guest, true, msrs[i]);
		expect_done(&guest, false, msrs[i]);
		/* The others are as they were. */
		expect_done(&guest, true, msrs[i] == MSR_PAT ? MSR_SYSENTER_CS : MSR_PAT);
		expect_done(&guest, false, msrs[i] == MSR_PAT ? MSR_SYSENTER_CS : MSR_PAT);
	}
}

/* What goes by an exit while the filter stands is what goes without one afterwards. */
static void values_are_kept(void)
{
	struct kvm_msr_filter none = { 0 };
	struct kvm_regs regs;
	struct guest guest;

	guest_create(&guest, 1);
	expect_done(&guest, true, MSR_KERNEL_GS_BASE);
	forbid(&guest, MSR_KERNEL_GS_BASE, KVM_MSR_FILTER_WRITE);
	expect_done(&guest, false, MSR_KERNEL_GS_BASE);
	regs = guest_regs(&guest, 0);
	EXPECT_EQ((uint32_t)VALUE, regs.rax);
	EXPECT_EQ(VALUE >> 32, regs.rdx);
	expect_done(&guest, true, MSR_SYSENTER_EIP);
	REQUIRE_OK(set_filter(&guest, &none));
	expect_done(&guest, false, MSR_SYSENTER_EIP);
	EXPECT_EQ((uint32_t)VALUE, guest_regs(&guest, 0).rax);
}

static void deny_by_default(void)
{
	uint8_t bitmap[8] = { 0x05 }; /* the first and the third */
	struct kvm_msr_filter filter = {
		.flags = KVM_MSR_FILTER_DEFAULT_DENY,
		.ranges[0] = { .flags = BOTH,
			       .base = MSR_SYSENTER_CS,
			       .nmsrs = 3,
			       .bitmap = bitmap },
	};
	struct guest guest;

	guest_create(&guest, 1);
	REQUIRE_OK(set_filter(&guest, &filter));
	expect_done(&guest, false, MSR_SYSENTER_CS);
	expect_gp(&guest, false, MSR_SYSENTER_CS + 1);
	expect_done(&guest, true, MSR_SYSENTER_EIP);
	expect_gp(&guest, false, MSR_SYSENTER_EIP + 1);
	expect_gp(&guest, false, MSR_PAT);
	expect_gp(&guest, true, MSR_KERNEL_GS_BASE);
}

/* The first range that has the register and the kind of access decides. */
static void first_range_decides(void)
{
	uint8_t none[8] = { 0 }, all[8] = { 0xff };
	struct kvm_msr_filter filter = {
		.ranges[0] = { .flags = KVM_MSR_FILTER_READ,
			       .base = MSR_PAT,
			       .nmsrs = 1,
			       .bitmap = all },
		.ranges[1] = { .flags = BOTH, .base = MSR_PAT, .nmsrs = 1, .bitmap = none },
	};
	struct guest guest;

	guest_create(&guest, 1);
	REQUIRE_OK(set_filter(&guest, &filter));
	expect_done(&guest, false, MSR_PAT);
	expect_gp(&guest, true, MSR_PAT);
}

/* With KVM_CAP_X86_USER_SPACE_MSR user space does what the filter forbids. */
static void user_space_does_it(void)
{
	struct kvm_run *run;
	struct guest guest;

	guest_create(&guest, 1);
	run = guest.vcpu[0].run;
	REQUIRE_OK(
		vm_enable_cap(&guest.vm, KVM_CAP_X86_USER_SPACE_MSR, KVM_MSR_EXIT_REASON_FILTER));
	forbid(&guest, MSR_KERNEL_GS_BASE, BOTH);
	start(&guest, false, MSR_KERNEL_GS_BASE);
	guest_run(&guest, 0);
	guest_expect_exit(&guest, 0, KVM_EXIT_X86_RDMSR);
	EXPECT_EQ(KVM_MSR_EXIT_REASON_FILTER, run->msr.reason);
	EXPECT_EQ(MSR_KERNEL_GS_BASE, run->msr.index);
	run->msr.data = 0x1111222233334444;
	guest_run_to_hlt(&guest, 0);
	EXPECT_EQ(0x33334444, guest_regs(&guest, 0).rax);
	EXPECT_EQ(0x11112222, guest_regs(&guest, 0).rdx);
	start(&guest, true, MSR_KERNEL_GS_BASE);
	guest_run(&guest, 0);
	guest_expect_exit(&guest, 0, KVM_EXIT_X86_WRMSR);
	EXPECT_EQ(VALUE, run->msr.data);
	guest_run_to_hlt(&guest, 0);
	EXPECT_EQ(0, guest_nr_traps(&guest));
	/* It was not written. */
	forbid(&guest, MSR_PAT, KVM_MSR_FILTER_WRITE);
	expect_done(&guest, false, MSR_KERNEL_GS_BASE);
	EXPECT_EQ(0, guest_regs(&guest, 0).rax);
}

static void *filter_soon(void *arg)
{
	struct guest *guest = arg;
	volatile uint64_t *shared = guest_shared(guest);

	while (*shared < 1000)
		;
	forbid(guest, MSR_KERNEL_GS_BASE, KVM_MSR_FILTER_READ);
	return NULL;
}

/* A filter reaches a vCPU that is in the guest, and one that is made later. */
static void while_it_runs(void)
{
	struct kvm_regs regs;
	struct guest guest;
	struct vcpu late;
	pthread_t thread;

	guest_create(&guest, 1);
	guest_load(&guest, code_loop);
	guest_start(&guest, 0, MODE_LONG);
	guest_enable_traps(&guest, 0);
	regs = guest_regs(&guest, 0);
	regs.rcx = MSR_KERNEL_GS_BASE;
	regs.rsi = GUEST_SHARED;
	REQUIRE_OK(vcpu_set_regs(&guest.vcpu[0], &regs));
	*guest_shared(&guest) = 0;
	REQUIRE(pthread_create(&thread, NULL, filter_soon, &guest) == 0);
	guest_run_to_hlt(&guest, 0);
	pthread_join(thread, NULL);
	EXPECT_EQ(1, guest_nr_traps(&guest));
	EXPECT_EQ(13, guest_trap(&guest, 0).vector);

	REQUIRE_OK(vcpu_create(&late, &guest.dev, &guest.vm, 1));
	REQUIRE_OK(vcpu_offer_host_cpuid(&late, &guest.dev));
	vcpu_destroy(&guest.vcpu[0]);
	guest.vcpu[0] = late;
	expect_gp(&guest, false, MSR_KERNEL_GS_BASE);
}

static const struct ktap_test tests[] = {
	KTAP_TEST(arguments),	    KTAP_TEST(each_kind),	    KTAP_TEST(values_are_kept),
	KTAP_TEST(deny_by_default), KTAP_TEST(first_range_decides), KTAP_TEST(user_space_does_it),
	KTAP_TEST(while_it_runs),
};

KTAP_MAIN(tests)
