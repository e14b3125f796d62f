// SPDX-License-Identifier: GPL-2.0-only
/*
 * The FPU and the extended states by KVM_GET/SET_FPU, XSAVE, XSAVE2 and XCRS: what is refused, what
 * is read after reset, and that the guest and all of them speak of the same registers.
 */
#include <errno.h>
#include <linux/kvm.h>
#include <stdlib.h>
#include <string.h>

#include "lib/guest.h"

/* Of the XSAVE area, in 32-bit words. */
#define XSAVE_MXCSR    6
#define XSAVE_XMM0     40
#define XSAVE_FEATURES 128
#define XSAVE_RESERVED 130 /* the compaction word */
#define FCW_RESET      0x37f
#define MXCSR_RESET    0x1f80

static int call(const struct guest *guest, unsigned long request, void *argument)
{
	return vcpu_call(&guest->vcpu[0], request, argument);
}

static bool has_xsave(const struct guest *guest)
{
	return kvm_dev_extension(&guest->dev, KVM_CAP_XCRS);
}

static void capabilities(void)
{
	struct guest guest;

	guest_create(&guest, 0);
	EXPECT_EQ(1, kvm_dev_extension(&guest.dev, KVM_CAP_XSAVE));
	EXPECT(kvm_dev_extension(&guest.dev, KVM_CAP_XSAVE2) >= 4096, "XSAVE2 is too small");
}

static void bad_addresses(void)
{
	struct guest guest;

	guest_create(&guest, 1);
	EXPECT_ERRNO(EFAULT, call(&guest, KVM_GET_FPU, (void *)-1L));
	EXPECT_ERRNO(EFAULT, call(&guest, KVM_SET_FPU, (void *)-1L));
	EXPECT_ERRNO(EFAULT, call(&guest, KVM_GET_XSAVE, (void *)-1L));
	EXPECT_ERRNO(EFAULT, call(&guest, KVM_GET_XSAVE2, (void *)-1L));
	EXPECT_ERRNO(EFAULT, call(&guest, KVM_SET_XSAVE, (void *)-1L));
	EXPECT_ERRNO(EFAULT, call(&guest, KVM_GET_XCRS, (void *)-1L));
	EXPECT_ERRNO(EFAULT, call(&guest, KVM_SET_XCRS, (void *)-1L));
}

static void reset_state(void)
{
	struct kvm_xsave xsave;
	struct kvm_xcrs xcrs;
	struct kvm_fpu fpu;
	struct guest guest;
	unsigned int i;

	guest_create(&guest, 1);
	memset(&fpu, 0xff, sizeof(fpu));
	REQUIRE_OK(call(&guest, KVM_GET_FPU, &fpu));
	EXPECT_EQ(FCW_RESET, fpu.fcw);
	EXPECT_EQ(0, fpu.fsw);
	EXPECT_EQ(0, fpu.ftwx);
	for (i = 0; i < sizeof(fpu.xmm); i++)
		EXPECT(fpu.xmm[i / 16][i % 16] == 0, "byte %u of the vectors is not 0", i);
	memset(&xsave, 0xff, sizeof(xsave));
	REQUIRE_OK(call(&guest, KVM_GET_XSAVE, &xsave));
	EXPECT_EQ(FCW_RESET, xsave.region[0] & 0xffff);
	EXPECT_EQ(MXCSR_RESET, xsave.region[XSAVE_MXCSR]);
	if (!has_xsave(&guest))
		return;
	memset(&xcrs, 0xff, sizeof(xcrs));
	REQUIRE_OK(call(&guest, KVM_GET_XCRS, &xcrs));
	EXPECT_EQ(1, xcrs.nr_xcrs);
	EXPECT_EQ(0, xcrs.flags);
	EXPECT_EQ(0, xcrs.xcrs[0].xcr);
	EXPECT_EQ(1, xcrs.xcrs[0].value);
}

/* Registers in, changed, and out by the other way. */
guest_code(code_add, 64,
	   "paddq %xmm0, %xmm15\n"
	   "fld1\n"
	   "faddp\n"
	   "hlt\n");

static void start(struct guest *guest)
{
	struct kvm_sregs sregs;

	guest_create(guest, 1);
	guest_load(guest, code_add);
	guest_start(guest, 0, MODE_LONG);
	sregs = guest_sregs(guest, 0);
	sregs.cr4 |= X86_CR4_OSFXSR | X86_CR4_OSXMMEXCPT;
	REQUIRE_OK(vcpu_set_sregs(&guest->vcpu[0], &sregs));
}

static void registers(void)
{
	static const uint8_t two[10] = { 0, 0, 0, 0, 0, 0, 0, 0x80, 0, 0x40 };
	static const uint8_t three[10] = { 0, 0, 0, 0, 0, 0, 0, 0xc0, 0, 0x40 };
	struct kvm_xsave xsave = {};
	struct kvm_fpu fpu = { .fcw = 0x37f };
	struct guest guest;
	uint64_t value;

	start(&guest);
	/* Not in their initial configuration any more: see set_after_reset(). */
	xsave.region[XSAVE_MXCSR] = MXCSR_RESET;
	xsave.region[XSAVE_FEATURES] = 3;
	REQUIRE_OK(call(&guest, KVM_SET_XSAVE, &xsave));
	value = 0x1111111100000001;
	memcpy(fpu.xmm[0], &value, 8);
	value = 0x2222222200000002;
	memcpy(fpu.xmm[15], &value, 8);
	memcpy(fpu.fpr[0], two, sizeof(two));
	fpu.ftwx = 1 << 7; /* the register on top, as TOP is 7 */
	fpu.fsw = 7 << 11;
	REQUIRE_OK(call(&guest, KVM_SET_FPU, &fpu));
	guest_run_to_hlt(&guest, 0);

	memset(&fpu, 0, sizeof(fpu));
	REQUIRE_OK(call(&guest, KVM_GET_FPU, &fpu));
	memcpy(&value, fpu.xmm[15], 8);
	EXPECT_EQ(0x3333333300000003, value);
	EXPECT(memcmp(fpu.fpr[0], three, sizeof(three)) == 0, "2 + 1 is not 3");
	EXPECT_EQ(7, fpu.fsw >> 11 & 7);
	EXPECT_EQ(1 << 7, fpu.ftwx);
	REQUIRE_OK(call(&guest, KVM_GET_XSAVE, &xsave));
	memcpy(&value, &xsave.region[XSAVE_XMM0 + 15 * 4], 8);
	EXPECT_EQ(0x3333333300000003, value);
	EXPECT(memcmp(&xsave.region[8], three, sizeof(three)) == 0, "2 + 1 is not 3");
	EXPECT_EQ(3, xsave.region[XSAVE_FEATURES] & 3);

	/* And once more from there. */
	guest_set_rip(&guest, 0, GUEST_CODE);
	xsave.region[XSAVE_XMM0] = 0x10;
	xsave.region[XSAVE_XMM0 + 1] = 0;
	REQUIRE_OK(call(&guest, KVM_SET_XSAVE, &xsave));
	guest_run_to_hlt(&guest, 0);
	REQUIRE_OK(call(&guest, KVM_GET_FPU, &fpu));
	memcpy(&value, fpu.xmm[15], 8);
	EXPECT_EQ(0x3333333300000013, value);
}

/* kvm forgets what it was given while the states were in their initial configuration. */
static void set_after_reset(void)
{
	struct kvm_fpu fpu = { .fcw = 0x37f };
	struct guest guest;

	start(&guest);
	fpu.xmm[0][0] = 5;
	REQUIRE_OK(call(&guest, KVM_SET_FPU, &fpu));
	guest_run_to_hlt(&guest, 0);
	memset(&fpu, 0, sizeof(fpu));
	REQUIRE_OK(call(&guest, KVM_GET_FPU, &fpu));
	EXPECT_OR_DIFFERS(&guest.dev, "kept", fpu.xmm[15][0] == 5, "is %u", fpu.xmm[15][0]);
}

/* States that are said to be in their initial configuration are. */
static void initial_states(void)
{
	struct kvm_xsave xsave = {};
	struct kvm_fpu fpu;
	struct guest guest;

	start(&guest);
	if (!has_xsave(&guest))
		ktap_skip("the host has no XSAVE");
	xsave.region[XSAVE_MXCSR] = MXCSR_RESET;
	xsave.region[XSAVE_XMM0] = 0x1234;
	REQUIRE_OK(call(&guest, KVM_SET_XSAVE, &xsave));
	memset(&xsave, 0xff, sizeof(xsave));
	REQUIRE_OK(call(&guest, KVM_GET_XSAVE, &xsave));
	EXPECT_EQ(FCW_RESET, xsave.region[0] & 0xffff);
	EXPECT_EQ(0, xsave.region[XSAVE_XMM0]);
	guest_run_to_hlt(&guest, 0);
	REQUIRE_OK(call(&guest, KVM_GET_FPU, &fpu));
	EXPECT_EQ(FCW_RESET, fpu.fcw);
}

static void refused(struct guest *guest, struct kvm_xsave *xsave, const char *why)
{
	int err = call(guest, KVM_SET_XSAVE, xsave);

	EXPECT(err == -EINVAL, "%s: %s instead of EINVAL", why, err ? strerror(-err) : "success");
}

static void wrong_states(void)
{
	struct kvm_xsave good, bad;
	struct guest guest;

	guest_create(&guest, 1);
	REQUIRE_OK(call(&guest, KVM_GET_XSAVE, &good));
	bad = good;
	bad.region[XSAVE_FEATURES + 1] = 1U << 30;
	refused(&guest, &bad, "a state that does not exist");
	bad = good;
	bad.region[XSAVE_FEATURES] = 3;
	bad.region[XSAVE_MXCSR] = 0x80000000;
	refused(&guest, &bad, "reserved bit of MXCSR");
	if (!has_xsave(&guest))
		return;
	bad = good;
	bad.region[XSAVE_RESERVED] = 1;
	refused(&guest, &bad, "compacted form");
	EXPECT_ERRNO(0, call(&guest, KVM_SET_XSAVE, &good));
}

/* The larger form has the same beginning. */
static void larger_form(void)
{
	struct kvm_xsave small;
	struct guest guest;
	char *large;
	int size;

	guest_create(&guest, 1);
	size = kvm_dev_extension(&guest.dev, KVM_CAP_XSAVE2);
	large = calloc(1, size > 65536 ? size : 65536);
	REQUIRE(large);
	REQUIRE_OK(call(&guest, KVM_GET_XSAVE2, large));
	REQUIRE_OK(call(&guest, KVM_GET_XSAVE, &small));
	EXPECT(memcmp(large, &small, sizeof(small)) == 0, "the two forms differ");
	REQUIRE_OK(call(&guest, KVM_SET_XSAVE, large));
	free(large);
}

static int set_xcr0(const struct guest *guest, uint64_t value)
{
	struct kvm_xcrs xcrs = { .nr_xcrs = 1, .xcrs = { { .value = value } } };

	return call(guest, KVM_SET_XCRS, &xcrs);
}

static uint64_t xcr0(const struct guest *guest)
{
	struct kvm_xcrs xcrs;

	REQUIRE_OK(call(guest, KVM_GET_XCRS, &xcrs));
	return xcrs.xcrs[0].value;
}

static void control_register(void)
{
	struct kvm_xcrs xcrs = {};
	struct guest guest;
	unsigned int i;

	guest_create(&guest, 1);
	if (!has_xsave(&guest))
		ktap_skip("the host has no XSAVE");
	EXPECT_ERRNO(0, set_xcr0(&guest, 3));
	EXPECT_EQ(3, xcr0(&guest));
	EXPECT_ERRNO(EINVAL, set_xcr0(&guest, 0));
	EXPECT_ERRNO(EINVAL, set_xcr0(&guest, 2));
	EXPECT_ERRNO(EINVAL, set_xcr0(&guest, 5));
	EXPECT_ERRNO(EINVAL, set_xcr0(&guest, 1ULL << 62 | 1));
	EXPECT_EQ(3, xcr0(&guest));
	/* None at all, and others than XCR0, change nothing. */
	EXPECT_ERRNO(0, call(&guest, KVM_SET_XCRS, &xcrs));
	xcrs.nr_xcrs = 1;
	xcrs.xcrs[0].xcr = 1;
	EXPECT_ERRNO(0, call(&guest, KVM_SET_XCRS, &xcrs));
	EXPECT_EQ(3, xcr0(&guest));
	xcrs.flags = 1;
	EXPECT_ERRNO(EINVAL, call(&guest, KVM_SET_XCRS, &xcrs));
	xcrs.flags = 0;
	xcrs.nr_xcrs = KVM_MAX_XCRS + 1;
	EXPECT_ERRNO(EINVAL, call(&guest, KVM_SET_XCRS, &xcrs));
	xcrs.nr_xcrs = KVM_MAX_XCRS;
	for (i = 0; i < KVM_MAX_XCRS; i++)
		xcrs.xcrs[i].xcr = 1;
	xcrs.xcrs[KVM_MAX_XCRS - 1] = (struct kvm_xcr){ .xcr = 0, .value = 1 };
	EXPECT_ERRNO(0, call(&guest, KVM_SET_XCRS, &xcrs));
	EXPECT_EQ(1, xcr0(&guest));
}

static const struct ktap_test tests[] = {
	KTAP_TEST(capabilities), KTAP_TEST(bad_addresses),   KTAP_TEST(reset_state),
	KTAP_TEST(registers),	 KTAP_TEST(set_after_reset), KTAP_TEST(initial_states),
	KTAP_TEST(wrong_states), KTAP_TEST(larger_form),     KTAP_TEST(control_register),
};

KTAP_MAIN(tests)
