// SPDX-License-Identifier: GPL-2.0-only
/*
 * RDMSR and WRMSR that the module refuses, handed to user space: KVM_CAP_X86_USER_SPACE_MSR.
 */
#include <errno.h>
#include <linux/kvm.h>
#include <sys/ioctl.h>

#include "lib/guest.h"

#define MSR_NOBODYS 0x4b564dff /* in no processor, and not one of KVM's own */
#define MSR_PAT	    0x277
#define BAD_PAT	    0x0202020202020202ULL /* there is no memory type 2 */
#define VALUE	    0x1122334455667788ULL

#define REASONS (KVM_MSR_EXIT_REASON_INVAL | KVM_MSR_EXIT_REASON_UNKNOWN)

/* Either instruction is as long. */
#define BEHIND_MSR (GUEST_CODE + 2)

static void start(struct guest *guest, bool write, uint32_t msr, uint64_t value)
{
	guest_start_msr(guest, write, msr, 0xaaaaaaaa00000000 | (uint32_t)value,
			0xdddddddd00000000 | value >> 32);
}

static void create(struct guest *guest, uint64_t reasons)
{
	guest_create(guest, 1);
	REQUIRE_OK(vm_enable_cap(&guest->vm, KVM_CAP_X86_USER_SPACE_MSR, reasons));
}

static void expect_exit(struct guest *guest, uint32_t exit, uint32_t msr, uint32_t reason,
			uint64_t data)
{
	const struct kvm_run *run = guest->vcpu[0].run;

	guest_run(guest, 0);
	guest_expect_exit(guest, 0, exit);
	EXPECT_EQ(0, run->msr.error);
	EXPECT_EQ(reason, run->msr.reason);
	EXPECT_EQ(msr, run->msr.index);
	EXPECT_EQ(data, run->msr.data);
	EXPECT_EQ(GUEST_CODE, guest_regs(guest, 0).rip);
}

static void expect_gp(struct guest *guest)
{
	guest_run_to_hlt(guest, 0);
	EXPECT_EQ(1, guest_nr_traps(guest));
	EXPECT_EQ(13, guest_trap(guest, 0).vector);
	EXPECT_EQ(0, guest_trap(guest, 0).error);
	EXPECT_EQ(GUEST_CODE, guest_trap(guest, 0).rip);
}

static void arguments(void)
{
	struct kvm_enable_cap cap = { .cap = KVM_CAP_X86_USER_SPACE_MSR };
	struct guest guest;

	guest_create(&guest, 1);
	EXPECT_EQ(1, kvm_dev_extension(&guest.dev, KVM_CAP_ENABLE_CAP_VM));
	EXPECT_EQ(1, kvm_dev_extension(&guest.dev, KVM_CAP_X86_USER_SPACE_MSR));
	EXPECT_ERRNO(0, vm_enable_cap(&guest.vm, cap.cap, 0));
	EXPECT_ERRNO(0, vm_enable_cap(&guest.vm, cap.cap, 7));
	EXPECT_ERRNO(EINVAL, vm_enable_cap(&guest.vm, cap.cap, 8));
	EXPECT_ERRNO(EINVAL, vm_enable_cap(&guest.vm, cap.cap, 1ULL << 32));
	EXPECT_ERRNO(EINVAL, vm_enable_cap(&guest.vm, 0x4dffffff, 0));
	EXPECT_ERRNO(EINVAL, vm_enable_cap(&guest.vm, KVM_CAP_USER_MEMORY, 0));
	cap.flags = 1;
	EXPECT_ERRNO(EINVAL, ioctl(guest.vm.fd, KVM_ENABLE_CAP, &cap) < 0 ? -errno : 0);
	EXPECT_ERRNO(EFAULT, ioctl(guest.vm.fd, KVM_ENABLE_CAP, NULL) < 0 ? -errno : 0);
}

static void nobody_asked(void)
{
	struct guest guest;

	create(&guest, 0);
	start(&guest, false, MSR_NOBODYS, 0);
	expect_gp(&guest);
	start(&guest, true, MSR_NOBODYS, VALUE);
	expect_gp(&guest);
}

static void read_answered(void)
{
	struct kvm_regs regs;
	struct guest guest;

	create(&guest, REASONS);
	start(&guest, false, MSR_NOBODYS, 0);
	expect_exit(&guest, KVM_EXIT_X86_RDMSR, MSR_NOBODYS, KVM_MSR_EXIT_REASON_UNKNOWN, 0);
	guest.vcpu[0].run->msr.data = VALUE;
	guest_run_to_hlt(&guest, 0);
	regs = guest_regs(&guest, 0);
	EXPECT_EQ((uint32_t)VALUE, regs.rax);
	EXPECT_EQ(VALUE >> 32, regs.rdx);
	EXPECT_EQ(BEHIND_MSR + 1, regs.rip);
	EXPECT_EQ(0, guest_nr_traps(&guest));
}

static void read_refused(void)
{
	struct guest guest;

	create(&guest, REASONS);
	start(&guest, false, MSR_NOBODYS, VALUE);
	expect_exit(&guest, KVM_EXIT_X86_RDMSR, MSR_NOBODYS, KVM_MSR_EXIT_REASON_UNKNOWN, 0);
	guest.vcpu[0].run->msr.data = ~VALUE;
	guest.vcpu[0].run->msr.error = 1;
	expect_gp(&guest);
	EXPECT_EQ(0xaaaaaaaa00000000 | (uint32_t)VALUE, guest_regs(&guest, 0).rax);
}

static void write_answered(void)
{
	struct guest guest;

	create(&guest, REASONS);
	start(&guest, true, MSR_NOBODYS, VALUE);
	expect_exit(&guest, KVM_EXIT_X86_WRMSR, MSR_NOBODYS, KVM_MSR_EXIT_REASON_UNKNOWN, VALUE);
	guest_run_to_hlt(&guest, 0);
	EXPECT_EQ(BEHIND_MSR + 1, guest_regs(&guest, 0).rip);
	EXPECT_EQ(0, guest_nr_traps(&guest));
}

static void write_refused(void)
{
	struct guest guest;

	create(&guest, REASONS);
	start(&guest, true, MSR_PAT, BAD_PAT);
	expect_exit(&guest, KVM_EXIT_X86_WRMSR, MSR_PAT, KVM_MSR_EXIT_REASON_INVAL, BAD_PAT);
	guest.vcpu[0].run->msr.error = 1;
	expect_gp(&guest);
}

/* Only the reasons that were asked for. */
static void other_reason(void)
{
	struct guest guest;

	create(&guest, KVM_MSR_EXIT_REASON_UNKNOWN);
	start(&guest, true, MSR_PAT, BAD_PAT);
	expect_gp(&guest);
	REQUIRE_OK(vm_enable_cap(&guest.vm, KVM_CAP_X86_USER_SPACE_MSR, KVM_MSR_EXIT_REASON_INVAL));
	start(&guest, true, MSR_PAT, BAD_PAT);
	expect_exit(&guest, KVM_EXIT_X86_WRMSR, MSR_PAT, KVM_MSR_EXIT_REASON_INVAL, BAD_PAT);
	guest_run_to_hlt(&guest, 0);
	start(&guest, false, MSR_NOBODYS, 0);
	expect_gp(&guest);
}

/* The answer is taken by a KVM_RUN that runs nothing, too. */
static void immediate_exit(void)
{
	struct kvm_regs regs;
	struct guest guest;

	create(&guest, REASONS);
	start(&guest, false, MSR_NOBODYS, 0);
	expect_exit(&guest, KVM_EXIT_X86_RDMSR, MSR_NOBODYS, KVM_MSR_EXIT_REASON_UNKNOWN, 0);
	guest.vcpu[0].run->msr.data = VALUE;
	guest.vcpu[0].run->immediate_exit = 1;
	EXPECT_ERRNO(EINTR, vcpu_run(&guest.vcpu[0]));
	guest.vcpu[0].run->immediate_exit = 0;
	regs = guest_regs(&guest, 0);
	EXPECT_EQ(BEHIND_MSR, regs.rip);
	EXPECT_EQ((uint32_t)VALUE, regs.rax);
	EXPECT_EQ(VALUE >> 32, regs.rdx);
	guest_run_to_hlt(&guest, 0);
}

/*
 * User space has moved RIP: its answer is to no instruction, and changes nothing.  kvm completes
 * the instruction wherever RIP is.
 */
static void given_up(void)
{
	struct kvm_regs regs;
	struct guest guest;

	create(&guest, REASONS);
	start(&guest, false, MSR_NOBODYS, 0);
	expect_exit(&guest, KVM_EXIT_X86_RDMSR, MSR_NOBODYS, KVM_MSR_EXIT_REASON_UNKNOWN, 0);
	guest.vcpu[0].run->msr.data = VALUE;
	regs = guest_regs(&guest, 0);
	regs.rip = BEHIND_MSR;
	regs.rax = 0x1111;
	regs.rdx = 0x2222;
	REQUIRE_OK(vcpu_set_regs(&guest.vcpu[0], &regs));
	guest.vcpu[0].run->immediate_exit = 1;
	EXPECT_ERRNO(EINTR, vcpu_run(&guest.vcpu[0]));
	guest.vcpu[0].run->immediate_exit = 0;
	regs = guest_regs(&guest, 0);
	EXPECT_OR_DIFFERS(&guest.dev, "given_up",
			  regs.rip == BEHIND_MSR && regs.rax == 0x1111 && regs.rdx == 0x2222,
			  "rip 0x%llx, rax 0x%llx, rdx 0x%llx", regs.rip, regs.rax, regs.rdx);
}

static const struct ktap_test tests[] = {
	KTAP_TEST(arguments),	 KTAP_TEST(nobody_asked),   KTAP_TEST(read_answered),
	KTAP_TEST(read_refused), KTAP_TEST(write_answered), KTAP_TEST(write_refused),
	KTAP_TEST(other_reason), KTAP_TEST(immediate_exit), KTAP_TEST(given_up),
};

KTAP_MAIN(tests)
