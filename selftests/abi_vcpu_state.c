// SPDX-License-Identifier: GPL-2.0-only
/*
 * The rest of a vCPU's state from outside: system registers with page-directory pointers, debug
 * registers, MP state, the TSC's frequency, and addresses translated by the guest's tables.
 */
#include <errno.h>
#include <linux/kvm.h>
#include <string.h>
#include <sys/ioctl.h>

#include "lib/guest.h"

#define DR6_FIXED 0xffff0ff0ULL
#define DR7_FIXED 0x400ULL

static int call(const struct guest *guest, unsigned long request, void *argument)
{
	return vcpu_call(&guest->vcpu[0], request, argument);
}

static void capabilities(void)
{
	struct guest guest;

	guest_create(&guest, 0);
	EXPECT_EQ(1, kvm_dev_extension(&guest.dev, KVM_CAP_SREGS2));
	EXPECT_EQ(1, kvm_dev_extension(&guest.dev, KVM_CAP_DEBUGREGS));
	EXPECT_EQ(1, kvm_dev_extension(&guest.dev, KVM_CAP_MP_STATE));
	EXPECT_EQ(1, kvm_dev_extension(&guest.dev, KVM_CAP_GET_TSC_KHZ));
}

static void bad_addresses(void)
{
	struct guest guest;

	guest_create(&guest, 1);
	EXPECT_ERRNO(EFAULT, call(&guest, KVM_GET_SREGS2, (void *)-1L));
	EXPECT_ERRNO(EFAULT, call(&guest, KVM_SET_SREGS2, (void *)-1L));
	EXPECT_ERRNO(EFAULT, call(&guest, KVM_GET_DEBUGREGS, (void *)-1L));
	EXPECT_ERRNO(EFAULT, call(&guest, KVM_SET_DEBUGREGS, (void *)-1L));
	EXPECT_ERRNO(EFAULT, call(&guest, KVM_GET_MP_STATE, (void *)-1L));
	EXPECT_ERRNO(EFAULT, call(&guest, KVM_SET_MP_STATE, (void *)-1L));
	EXPECT_ERRNO(EFAULT, call(&guest, KVM_TRANSLATE, (void *)-1L));
}

static struct kvm_sregs2 sregs2_of(const struct guest *guest)
{
	struct kvm_sregs2 sregs2;

	memset(&sregs2, 0, sizeof(sregs2));
	REQUIRE_OK(call(guest, KVM_GET_SREGS2, &sregs2));
	return sregs2;
}

static void system_registers(void)
{
	struct kvm_sregs2 sregs2;
	struct kvm_sregs sregs;
	enum cpu_mode mode;
	struct guest guest;

	guest_create(&guest, 1);
	for (mode = 0; mode < MODE_NR; mode++) {
		guest_start(&guest, 0, mode);
		sregs = guest_sregs(&guest, 0);
		sregs2 = sregs2_of(&guest);
		EXPECT(memcmp(&sregs, &sregs2, offsetof(struct kvm_sregs2, flags)) == 0,
		       "%s: the two forms differ", mode_name(mode));
		EXPECT_EQ(mode == MODE_PAE ? KVM_SREGS2_FLAGS_PDPTRS_VALID : 0, sregs2.flags);
		REQUIRE_OK(call(&guest, KVM_SET_SREGS2, &sregs2));
		if (mode == MODE_PAE)
			continue;
		sregs2.flags = KVM_SREGS2_FLAGS_PDPTRS_VALID;
		EXPECT_ERRNO(EINVAL, call(&guest, KVM_SET_SREGS2, &sregs2));
	}
	sregs2 = sregs2_of(&guest);
	sregs2.flags = 2;
	EXPECT_ERRNO(EINVAL, call(&guest, KVM_SET_SREGS2, &sregs2));
	sregs2 = sregs2_of(&guest);
	sregs2.cr4 |= 1ULL << 40;
	EXPECT_ERRNO(EINVAL, call(&guest, KVM_SET_SREGS2, &sregs2));
}

static void page_directory_pointers(void)
{
	struct kvm_sregs2 sregs2;
	struct guest guest;
	uint64_t *pointers;
	int i;

	guest_create(&guest, 1);
	guest_start(&guest, 0, MODE_PAE);
	sregs2 = sregs2_of(&guest);
	pointers = guest_at(&guest, sregs2.cr3, 32);
	for (i = 0; i < 4; i++)
		EXPECT_EQ(pointers[i], sregs2.pdptrs[i]);
}

static void apic_base(void)
{
	struct kvm_sregs sregs;
	struct guest guest;

	guest_create(&guest, 1);
	sregs = guest_sregs(&guest, 0);
	EXPECT_EQ(0xfee00900, sregs.apic_base);
	sregs.apic_base = 0xfed00800;
	REQUIRE_OK(vcpu_set_sregs(&guest.vcpu[0], &sregs));
	EXPECT_EQ(0xfed00800, guest_sregs(&guest, 0).apic_base);
	sregs.apic_base |= 1;
	EXPECT_ERRNO(EINVAL, vcpu_set_sregs(&guest.vcpu[0], &sregs));
	sregs.apic_base = 1ULL << 60;
	EXPECT_ERRNO(EINVAL, vcpu_set_sregs(&guest.vcpu[0], &sregs));
	sregs.apic_base = 0xfee00400; /* x2APIC of an APIC that is off */
	EXPECT_ERRNO(EINVAL, vcpu_set_sregs(&guest.vcpu[0], &sregs));
	EXPECT_EQ(0xfed00800, guest_sregs(&guest, 0).apic_base);
}

static void debug_registers(void)
{
	struct kvm_debugregs regs, out;
	struct guest guest;

	guest_create(&guest, 1);
	memset(&regs, 0xff, sizeof(regs));
	REQUIRE_OK(call(&guest, KVM_GET_DEBUGREGS, &regs));
	EXPECT_EQ(0, regs.db[0] | regs.db[1] | regs.db[2] | regs.db[3]);
	EXPECT_EQ(DR6_FIXED, regs.dr6);
	EXPECT_EQ(DR7_FIXED, regs.dr7);
	EXPECT_EQ(0, regs.flags);

	regs.db[0] = 0x1000;
	regs.db[1] = 0x7fffffffffff;
	regs.db[2] = 0xffff800000000000;
	regs.db[3] = 3;
	regs.dr6 = DR6_FIXED | 0xe00f;
	regs.dr7 = DR7_FIXED | 0xffff0000;
	REQUIRE_OK(call(&guest, KVM_SET_DEBUGREGS, &regs));
	REQUIRE_OK(call(&guest, KVM_GET_DEBUGREGS, &out));
	EXPECT(memcmp(&regs, &out, sizeof(regs)) == 0, "what was set is not what is read");

	out.flags = 1;
	EXPECT_ERRNO(EINVAL, call(&guest, KVM_SET_DEBUGREGS, &out));
	out = regs;
	out.dr6 |= 1ULL << 32;
	EXPECT_ERRNO(EINVAL, call(&guest, KVM_SET_DEBUGREGS, &out));
	out = regs;
	out.dr7 |= 1ULL << 63;
	EXPECT_ERRNO(EINVAL, call(&guest, KVM_SET_DEBUGREGS, &out));
	REQUIRE_OK(call(&guest, KVM_GET_DEBUGREGS, &out));
	EXPECT(memcmp(&regs, &out, sizeof(regs)) == 0, "a refusal changed something");
}

guest_code(code_drs, 64,
	   "mov %dr1, %r8\n"
	   "mov %dr2, %r9\n"
	   "mov %dr6, %r10\n"
	   "mov %dr7, %r11\n"
	   "mov $0x77, %eax\n"
	   "mov %rax, %dr3\n"
	   "hlt\n");

static void debug_registers_in_the_guest(void)
{
	struct kvm_debugregs debugregs = {
		.db = { 1, 2, 3, 4 },
		.dr6 = DR6_FIXED | 0x4000,
		.dr7 = DR7_FIXED,
	};
	struct kvm_regs regs;
	struct guest guest;

	guest_create(&guest, 1);
	guest_load(&guest, code_drs);
	guest_start(&guest, 0, MODE_LONG);
	REQUIRE_OK(call(&guest, KVM_SET_DEBUGREGS, &debugregs));
	guest_run_to_hlt(&guest, 0);
	regs = guest_regs(&guest, 0);
	EXPECT_EQ(2, regs.r8);
	EXPECT_EQ(3, regs.r9);
	EXPECT_EQ(DR6_FIXED | 0x4000, regs.r10);
	EXPECT_EQ(DR7_FIXED, regs.r11);
	REQUIRE_OK(call(&guest, KVM_GET_DEBUGREGS, &debugregs));
	EXPECT_EQ(1, debugregs.db[0]);
	EXPECT_EQ(0x77, debugregs.db[3]);
	EXPECT_EQ(DR6_FIXED | 0x4000, debugregs.dr6);
}

/* Without an interrupt controller in the kernel a vCPU is always runnable. */
static void mp_state(void)
{
	struct kvm_mp_state state = { .mp_state = 77 };
	struct guest guest;
	uint32_t i;

	guest_create(&guest, 2);
	REQUIRE_OK(call(&guest, KVM_GET_MP_STATE, &state));
	EXPECT_EQ(KVM_MP_STATE_RUNNABLE, state.mp_state);
	REQUIRE_OK(vcpu_call(&guest.vcpu[1], KVM_GET_MP_STATE, &state));
	EXPECT_EQ(KVM_MP_STATE_RUNNABLE, state.mp_state);
	for (i = 0; i < 12; i++) {
		state.mp_state = i;
		EXPECT_ERRNO(i == KVM_MP_STATE_RUNNABLE ? 0 : EINVAL,
			     call(&guest, KVM_SET_MP_STATE, &state));
	}
	state.mp_state = ~0U;
	EXPECT_ERRNO(EINVAL, call(&guest, KVM_SET_MP_STATE, &state));
}

static void tsc_frequency(void)
{
	struct guest guest;
	int khz, fd;

	guest_create(&guest, 1);
	khz = call(&guest, KVM_GET_TSC_KHZ, NULL);
	EXPECT(khz > 1000, "the TSC has %d kHz", khz);
	EXPECT_EQ(khz, ioctl(guest.vm.fd, KVM_GET_TSC_KHZ, 0));
	EXPECT_ERRNO(0, call(&guest, KVM_SET_TSC_KHZ, (void *)(long)khz));
	EXPECT_EQ(khz, call(&guest, KVM_GET_TSC_KHZ, NULL));
	/* 0 stands for the host's. */
	EXPECT_ERRNO(0, call(&guest, KVM_SET_TSC_KHZ, NULL));
	EXPECT_EQ(khz, call(&guest, KVM_GET_TSC_KHZ, NULL));
	/* As near as clocks are. */
	EXPECT_ERRNO(0, call(&guest, KVM_SET_TSC_KHZ, (void *)(long)(khz + khz / 10000)));
	EXPECT_EQ(khz + khz / 10000, call(&guest, KVM_GET_TSC_KHZ, NULL));
	EXPECT_EQ(khz, ioctl(guest.vm.fd, KVM_GET_TSC_KHZ, 0));

	/* What the VM is told holds for vCPUs that come later. */
	EXPECT_EQ(0, ioctl(guest.vm.fd, KVM_SET_TSC_KHZ, khz - khz / 10000));
	EXPECT_EQ(khz - khz / 10000, ioctl(guest.vm.fd, KVM_GET_TSC_KHZ, 0));
	fd = ioctl(guest.vm.fd, KVM_CREATE_VCPU, 1);
	REQUIRE(fd >= 0, "no second vCPU");
	EXPECT_EQ(khz - khz / 10000, ioctl(fd, KVM_GET_TSC_KHZ, 0));
	EXPECT_EQ(khz + khz / 10000, call(&guest, KVM_GET_TSC_KHZ, NULL));
}

/* A processor that does not scale: kvm lets a counter that shall be faster catch up. */
static void refuse_frequencies(const struct guest *guest, long khz)
{
	bool refused = call(guest, KVM_SET_TSC_KHZ, (void *)(khz * 2)) == -EINVAL;

	EXPECT_OR_DIFFERS(&guest->dev, "faster_refused", refused, "twice the host's is taken");
	refused = ioctl(guest->vm.fd, KVM_SET_TSC_KHZ, khz * 2) < 0;
	EXPECT_OR_DIFFERS(&guest->dev, "vm_refused", refused, "the VM takes any frequency");
	EXPECT_ERRNO(EINVAL, call(guest, KVM_SET_TSC_KHZ, (void *)(khz / 2)));
	EXPECT_ERRNO(0, call(guest, KVM_SET_TSC_KHZ, NULL));
	EXPECT_EQ(khz, call(guest, KVM_GET_TSC_KHZ, NULL));
}

/* guest_tsc.c looks at what comes of them. */
static void take_frequencies(const struct guest *guest, long khz)
{
	long wanted;

	for (wanted = khz / 8; wanted <= khz * 8; wanted *= 2) {
		EXPECT_ERRNO(0, call(guest, KVM_SET_TSC_KHZ, (void *)wanted));
		EXPECT_EQ(wanted, call(guest, KVM_GET_TSC_KHZ, NULL));
		EXPECT_EQ(0, ioctl(guest->vm.fd, KVM_SET_TSC_KHZ, wanted));
		EXPECT_EQ(wanted, ioctl(guest->vm.fd, KVM_GET_TSC_KHZ, 0));
	}
	wanted /= 2;
	EXPECT_ERRNO(EINVAL, call(guest, KVM_SET_TSC_KHZ, (void *)0x7fffffffL));
	EXPECT_ERRNO(EINVAL, call(guest, KVM_SET_TSC_KHZ, (void *)0xffffffffL));
	EXPECT_EQ(-1, ioctl(guest->vm.fd, KVM_SET_TSC_KHZ, 0x7fffffffL));
	EXPECT_EQ(wanted, call(guest, KVM_GET_TSC_KHZ, NULL));
	EXPECT_EQ(wanted, ioctl(guest->vm.fd, KVM_GET_TSC_KHZ, 0));
	/* 0 is the host's again, for both. */
	EXPECT_ERRNO(0, call(guest, KVM_SET_TSC_KHZ, NULL));
	EXPECT_EQ(khz, call(guest, KVM_GET_TSC_KHZ, NULL));
	EXPECT_EQ(0, ioctl(guest->vm.fd, KVM_SET_TSC_KHZ, 0));
	EXPECT_EQ(khz, ioctl(guest->vm.fd, KVM_GET_TSC_KHZ, 0));
}

static void other_frequencies(void)
{
	struct guest guest;
	long khz;

	guest_create(&guest, 1);
	khz = call(&guest, KVM_GET_TSC_KHZ, NULL);
	EXPECT_EQ(kvm_dev_extension(&guest.dev, KVM_CAP_TSC_CONTROL),
		  kvm_dev_extension(&guest.dev, KVM_CAP_VM_TSC_CONTROL));
	if (kvm_dev_extension(&guest.dev, KVM_CAP_TSC_CONTROL))
		take_frequencies(&guest, khz);
	else
		refuse_frequencies(&guest, khz);
}

static struct kvm_translation translate(const struct guest *guest, uint64_t address)
{
	struct kvm_translation translation = { .linear_address = address };

	REQUIRE_OK(call(guest, KVM_TRANSLATE, &translation));
	EXPECT_EQ(address, translation.linear_address);
	return translation;
}

static void addresses(void)
{
	struct kvm_translation translation;
	struct guest guest;
	enum cpu_mode mode;
	uint64_t *entry;

	guest_create(&guest, 1);
	for (mode = 0; mode < MODE_NR; mode++) {
		guest_start(&guest, 0, mode);
		translation = translate(&guest, GUEST_CODE + 0x123);
		EXPECT_EQ(1, translation.valid);
		EXPECT_EQ(GUEST_CODE + 0x123, translation.physical_address);
		EXPECT_EQ(1, translation.writeable);
		EXPECT_EQ(0, translation.usermode);
	}
	guest_start(&guest, 0, MODE_LONG);
	entry = guest_at(&guest, GUEST_TABLES + 0x1000, 32);
	entry[3] = 0;
	translation = translate(&guest, 0xc0000123);
	EXPECT_EQ(0, translation.valid);
	EXPECT_EQ(~0ULL, translation.physical_address);
	/* Where there is no memory is no matter of the tables. */
	translation = translate(&guest, 0x80000123);
	EXPECT_EQ(1, translation.valid);
	EXPECT_EQ(0x80000123, translation.physical_address);
}

/* An entry that no processor would go by. */
static void addresses_by_reserved_bits(void)
{
	static const struct {
		unsigned int level;
		uint64_t bits;
		const char *what;
	} cases[] = {
		{ 4, X86_PTE_PS, "a large entry of level 4" },
		{ 3, 1UL << 51, "an address that is too wide" },
		{ 2, 1UL << 51, "the same in a page of 2 MiB" },
		{ 2, 1UL << 13, "the lower part of a page of 2 MiB" },
		{ 2, 1UL << 63, "NX without EFER.NXE" },
	};
	const uint64_t top = 0x8000000000UL, tables = 0x200000;
	struct kvm_translation translation;
	struct guest guest;
	uint64_t *entry;
	unsigned int i;

	guest_create(&guest, 1);
	guest_start(&guest, 0, MODE_LONG);
	entry = guest_at(&guest, tables, 0x2000);
	memset(entry, 0, 0x2000);
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]) + 1; i++) {
		bool good = i == sizeof(cases) / sizeof(cases[0]);
		uint64_t bits[5] = { 0 };

		if (!good)
			bits[cases[i].level] = cases[i].bits;
		*(uint64_t *)guest_at(&guest, GUEST_TABLES + 8, 8) = tables | 3 | bits[4];
		entry[0] = (tables + 0x1000) | 3 | bits[3];
		entry[512] = 0x400000 | X86_PTE_PS | 3 | bits[2];
		translation = translate(&guest, top + 0x123);
		EXPECT(translation.valid == good, "%s", good ? "none" : cases[i].what);
		if (good)
			EXPECT_EQ(0x400123, translation.physical_address);
	}
}

static const struct ktap_test tests[] = {
	KTAP_TEST(capabilities),
	KTAP_TEST(bad_addresses),
	KTAP_TEST(system_registers),
	KTAP_TEST(page_directory_pointers),
	KTAP_TEST(apic_base),
	KTAP_TEST(debug_registers),
	KTAP_TEST(debug_registers_in_the_guest),
	KTAP_TEST(mp_state),
	KTAP_TEST(tsc_frequency),
	KTAP_TEST(other_frequencies),
	KTAP_TEST(addresses),
	KTAP_TEST(addresses_by_reserved_bits),
};

KTAP_MAIN(tests)
