// SPDX-License-Identifier: GPL-2.0-only
/*
 * Machine checks that user space raises: what stands in the banks then, and what the guest gets.
 */
#include <errno.h>
#include <linux/kvm.h>
#include <string.h>
#include <sys/ioctl.h>

#include "lib/guest.h"

#define NR_BANKS 10
#define CAP	 (NR_BANKS | MCG_CTL_P | MCG_SER_P)

#define MCG_CTL_P (1ULL << 8)
#define MCG_SER_P (1ULL << 24)

#define MSR_MCG_STATUS 0x17a
#define MSR_MCG_CTL    0x17b
#define MSR_BANK(bank) (0x400 + 4 * (bank))

#define MCG_RIPV 1
#define MCG_MCIP 4

#define VAL  (1ULL << 63)
#define OVER (1ULL << 62)
#define UC   (1ULL << 61)
#define EN   (1ULL << 60)
#define PCC  (1ULL << 57)

#define CR4_MCE (1 << 6)

guest_code(code_loop, 64,
	   "1: out %al, $" S_SYNC "\n"
	   "jmp 1b\n");

struct error {
	uint64_t status, addr, misc, mcg_status;
	unsigned int bank;
};

static int set_mce(const struct guest *guest, const struct error *error)
{
	struct kvm_x86_mce mce = {
		.status = error->status,
		.addr = error->addr,
		.misc = error->misc,
		.mcg_status = error->mcg_status,
		.bank = error->bank,
	};

	return vcpu_call(&guest->vcpu[0], KVM_X86_SET_MCE, &mce);
}

static uint64_t msr(const struct guest *guest, uint32_t index)
{
	struct {
		struct kvm_msrs head;
		struct kvm_msr_entry entry;
	} msrs = { .head.nmsrs = 1, .entry.index = index };

	REQUIRE(vcpu_call(&guest->vcpu[0], KVM_GET_MSRS, &msrs) == 1, "MSR 0x%x", index);
	return msrs.entry.data;
}

static void set_msr(const struct guest *guest, uint32_t index, uint64_t value)
{
	struct {
		struct kvm_msrs head;
		struct kvm_msr_entry entry;
	} msrs = { .head.nmsrs = 1, .entry = { .index = index, .data = value } };

	REQUIRE(vcpu_call(&guest->vcpu[0], KVM_SET_MSRS, &msrs) == 1, "MSR 0x%x", index);
}

/* @over: bits of the status besides. */
static void expect_bank(const struct guest *guest, const struct error *error, uint64_t over)
{
	EXPECT_EQ(error->status | over, msr(guest, MSR_BANK(error->bank) + 1));
	EXPECT_EQ(error->addr, msr(guest, MSR_BANK(error->bank) + 2));
	EXPECT_EQ(error->misc, msr(guest, MSR_BANK(error->bank) + 3));
}

static void start(struct guest *guest, bool takes_them)
{
	struct kvm_sregs sregs;
	uint64_t cap = CAP;

	guest_create(guest, 1);
	REQUIRE_OK(vcpu_call(&guest->vcpu[0], KVM_X86_SETUP_MCE, &cap));
	guest_load(guest, code_loop);
	guest_start(guest, 0, MODE_LONG);
	guest_enable_traps(guest, 0);
	sregs = guest_sregs(guest, 0);
	sregs.cr4 = takes_them ? sregs.cr4 | CR4_MCE : sregs.cr4 & ~CR4_MCE;
	REQUIRE_OK(vcpu_set_sregs(&guest->vcpu[0], &sregs));
	guest_run_to_sync(guest, 0);
}

static const struct error bad = { VAL | UC | EN | PCC | 0x135, 0x1234000, 0x8c, MCG_MCIP | MCG_RIPV,
				  3 };

static void arguments(void)
{
	struct kvm_x86_mce padded = { .status = VAL, .bank = 4, .pad2[2] = 1 };
	struct error error = bad;
	struct guest guest;

	start(&guest, true);
	error.bank = NR_BANKS;
	EXPECT_ERRNO(EINVAL, set_mce(&guest, &error));
	error.bank = 255;
	EXPECT_ERRNO(EINVAL, set_mce(&guest, &error));
	error = bad;
	error.status &= ~VAL;
	EXPECT_ERRNO(EINVAL, set_mce(&guest, &error));
	EXPECT_ERRNO(EFAULT, vcpu_call(&guest.vcpu[0], KVM_X86_SET_MCE, NULL));
	EXPECT_OR_DIFFERS(&guest.dev, "padding",
			  vcpu_call(&guest.vcpu[0], KVM_X86_SET_MCE, &padded) == -EINVAL,
			  "it is let through");
	EXPECT_EQ(0, msr(&guest, MSR_BANK(3) + 1));
	guest_run_to_sync(&guest, 0);
	EXPECT_EQ(0, guest_nr_traps(&guest));
}

/* Nothing for the guest to do at once: it goes on, and finds the newest that was not worse. */
static void corrected(void)
{
	struct error first = { VAL | EN | 0x10, 0x1000, 1, MCG_RIPV, 2 };
	struct error second = { VAL | EN | 0x20, 0x2000, 2, MCG_RIPV, 2 };
	struct error quiet = { VAL | UC | 0x30, 0x3000, 3, 0, 2 };
	struct guest guest;

	start(&guest, true);
	EXPECT_ERRNO(0, set_mce(&guest, &first));
	expect_bank(&guest, &first, 0);
	EXPECT_ERRNO(0, set_mce(&guest, &second));
	expect_bank(&guest, &second, OVER);
	EXPECT_EQ(0, msr(&guest, MSR_MCG_STATUS));
	/* Uncorrected, but of no consequence yet. */
	EXPECT_ERRNO(0, set_mce(&guest, &quiet));
	expect_bank(&guest, &quiet, 0);
	EXPECT_ERRNO(0, set_mce(&guest, &first));
	expect_bank(&guest, &quiet, OVER);
	guest_run_to_sync(&guest, 0);
	EXPECT_EQ(0, guest_nr_traps(&guest));
}

/* One that was corrected comes while the guest has one to handle that was not. */
static void corrected_behind(void)
{
	struct error small = { VAL | EN | 0x10, 0x1000, 1, 0, 0 };
	struct guest guest;

	start(&guest, true);
	small.bank = bad.bank;
	EXPECT_ERRNO(0, set_mce(&guest, &bad));
	EXPECT_ERRNO(0, set_mce(&guest, &small));
	expect_bank(&guest, &bad, OVER);
	EXPECT_EQ(bad.mcg_status, msr(&guest, MSR_MCG_STATUS));
}

static void uncorrected(void)
{
	struct guest guest;
	uint64_t rip;

	start(&guest, true);
	/* Behind the OUT, once that has been completed. */
	guest.vcpu[0].run->immediate_exit = 1;
	vcpu_run(&guest.vcpu[0]);
	guest.vcpu[0].run->immediate_exit = 0;
	rip = guest_regs(&guest, 0).rip;
	EXPECT_ERRNO(0, set_mce(&guest, &bad));
	expect_bank(&guest, &bad, 0);
	EXPECT_EQ(bad.mcg_status, msr(&guest, MSR_MCG_STATUS));
	guest_run_to_hlt(&guest, 0);
	EXPECT_EQ(1, guest_nr_traps(&guest));
	EXPECT_EQ(18, guest_trap(&guest, 0).vector);
	EXPECT_EQ(rip, guest_trap(&guest, 0).rip);
	/* Another one while that is being handled is the end. */
	EXPECT_ERRNO(0, set_mce(&guest, &bad));
	guest_run(&guest, 0);
	guest_expect_exit(&guest, 0, KVM_EXIT_SHUTDOWN);
}

/* The guest is done with the first, and has not cleared the bank. */
static void overflow(void)
{
	struct guest guest;

	start(&guest, true);
	EXPECT_ERRNO(0, set_mce(&guest, &bad));
	guest_run_to_hlt(&guest, 0);
	set_msr(&guest, MSR_MCG_STATUS, 0);
	EXPECT_ERRNO(0, set_mce(&guest, &bad));
	expect_bank(&guest, &bad, OVER);
	guest_run_to_hlt(&guest, 0);
	EXPECT_EQ(2, guest_nr_traps(&guest));
}

static void not_enabled(void)
{
	struct guest guest;

	start(&guest, false);
	EXPECT_ERRNO(0, set_mce(&guest, &bad));
	EXPECT_EQ(0, msr(&guest, MSR_BANK(3) + 1));
	guest_run(&guest, 0);
	guest_expect_exit(&guest, 0, KVM_EXIT_SHUTDOWN);
}

/* Reports that the guest has switched off: of the bank, of all. */
static void reports_are_off(void)
{
	static const uint32_t ctl[] = { MSR_BANK(3), MSR_MCG_CTL };
	struct guest guest;
	size_t i;

	for (i = 0; i < 2; i++) {
		start(&guest, true);
		set_msr(&guest, ctl[i], 0);
		EXPECT_ERRNO(0, set_mce(&guest, &bad));
		EXPECT_EQ(0, msr(&guest, MSR_BANK(3) + 1));
		guest_run_to_sync(&guest, 0);
		EXPECT_EQ(0, guest_nr_traps(&guest));
		guest_destroy(&guest);
	}
}

static const struct ktap_test tests[] = {
	KTAP_TEST(arguments),	    KTAP_TEST(corrected), KTAP_TEST(corrected_behind),
	KTAP_TEST(uncorrected),	    KTAP_TEST(overflow),  KTAP_TEST(not_enabled),
	KTAP_TEST(reports_are_off),
};

KTAP_MAIN(tests)
