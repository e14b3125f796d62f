// SPDX-License-Identifier: GPL-2.0-only
/*
 * The time stamp counter: 0 when the vCPU is made, then forward with the host's, whoever runs it;
 * or at a frequency of its own, where the processor can multiply.
 */
#include <linux/kvm.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <x86intrin.h>

#include "lib/guest.h"

#define MSR_TSC 0x10

guest_code(code_tsc, 64,
	   "1: rdtsc\n"
	   "shl $32, %rdx\n"
	   "or %rdx, %rax\n"
	   "out %al, $" S_SYNC "\n"
	   "jmp 1b\n");

static uint64_t read_tsc(struct guest *guest, unsigned int cpu)
{
	guest_run_to_sync(guest, cpu);
	return guest_regs(guest, cpu).rax;
}

static uint64_t msr_tsc(const struct vcpu *vcpu)
{
	struct {
		struct kvm_msrs head;
		struct kvm_msr_entry entry;
	} msrs = { .head.nmsrs = 1, .entry.index = MSR_TSC };

	REQUIRE(vcpu_call(vcpu, KVM_GET_MSRS, &msrs) == 1);
	return msrs.entry.data;
}

static void set_msr_tsc(const struct vcpu *vcpu, uint64_t value)
{
	struct {
		struct kvm_msrs head;
		struct kvm_msr_entry entry;
	} msrs = { .head.nmsrs = 1, .entry = { .index = MSR_TSC, .data = value } };

	REQUIRE(vcpu_call(vcpu, KVM_SET_MSRS, &msrs) == 1);
}

/* It cannot be more than what the host's has advanced since before the vCPU was made. */
static void starts_at_0(void)
{
	uint64_t before = __rdtsc(), tsc, passed;
	struct guest guest;

	guest_create(&guest, 1);
	guest_load(&guest, code_tsc);
	guest_start(&guest, 0, MODE_LONG);
	tsc = read_tsc(&guest, 0);
	passed = __rdtsc() - before;
	EXPECT(tsc > 0 && tsc <= passed, "the guest reads %llu, the host's has advanced by %llu",
	       (unsigned long long)tsc, (unsigned long long)passed);
}

static void *read_in_thread(void *data)
{
	static uint64_t tsc;

	tsc = read_tsc(data, 0);
	return &tsc;
}

static void goes_forward(void)
{
	uint64_t last = 0, tsc;
	pthread_t thread;
	struct guest guest;
	void *found;
	int i;

	guest_create(&guest, 1);
	guest_load(&guest, code_tsc);
	guest_start(&guest, 0, MODE_LONG);
	for (i = 0; i < 50; i++) {
		if (i % 5 == 4) {
			REQUIRE(!pthread_create(&thread, NULL, read_in_thread, &guest));
			REQUIRE(!pthread_join(thread, &found));
			tsc = *(uint64_t *)found;
		} else {
			tsc = read_tsc(&guest, 0);
		}
		EXPECT(tsc > last, "%llu after %llu", (unsigned long long)tsc,
		       (unsigned long long)last);
		last = tsc;
	}
}

/* Between two reads the host's counter advances by at least as much as the guest's. */
static void advances_with_the_hosts(void)
{
	uint64_t host, first, second;
	struct guest guest;
	int i;

	guest_create(&guest, 1);
	guest_load(&guest, code_tsc);
	guest_start(&guest, 0, MODE_LONG);
	for (i = 0; i < 10; i++) {
		host = __rdtsc();
		first = read_tsc(&guest, 0);
		second = read_tsc(&guest, 0);
		host = __rdtsc() - host;
		EXPECT(second - first < host, "the guest's advanced by %llu, the host's by %llu",
		       (unsigned long long)(second - first), (unsigned long long)host);
	}
}

/* A guest whose counter runs at @tenths of ten of the host's frequency; what that is in kHz. */
static uint32_t create_at(struct guest *guest, unsigned int nr_cpus, unsigned int tenths)
{
	unsigned int i;
	int khz;

	guest_create(guest, nr_cpus);
	if (!kvm_dev_extension(&guest->dev, KVM_CAP_TSC_CONTROL))
		ktap_skip("this processor does not scale the counter");
	khz = ioctl(guest->vm.fd, KVM_GET_TSC_KHZ, 0);
	REQUIRE(khz > 0);
	guest_load(guest, code_tsc);
	for (i = 0; i < nr_cpus; i++) {
		REQUIRE_OK(vcpu_call(&guest->vcpu[i], KVM_SET_TSC_KHZ,
				     (void *)(long)(khz / 10 * tenths)));
		guest_start(guest, i, MODE_LONG);
	}
	return khz;
}

/* @ticks of the host's as the guest counts them, in tenths and with 1 in 1000 to spare. */
static bool at_least(uint64_t guest, uint64_t host, unsigned int tenths)
{
	return (__uint128_t)guest * 10 * 1000 + 1000 >= (__uint128_t)host * tenths * 999;
}

static bool at_most(uint64_t guest, uint64_t host, unsigned int tenths)
{
	return (__uint128_t)guest * 10 * 999 <= (__uint128_t)host * tenths * 1000 + 1000;
}

/*
 * Of two reads of the guest's, each lies between two of the host's.  They are as far apart as it
 * takes for another ratio to be seen.
 */
static void expect_ratio(struct guest *guest, unsigned int tenths)
{
	uint64_t before, after, first, later, last, second;

	before = __rdtsc();
	first = read_tsc(guest, 0);
	after = __rdtsc();
	do
		later = __rdtsc();
	while (later - after < 100 * (after - before));
	second = read_tsc(guest, 0);
	last = __rdtsc();
	EXPECT(at_least(second - first, later - after, tenths) &&
		       at_most(second - first, last - before, tenths),
	       "%u tenths: the guest's advanced by %llu, the host's by %llu to %llu", tenths,
	       (unsigned long long)(second - first), (unsigned long long)(later - after),
	       (unsigned long long)(last - before));
}

static void runs_at_its_frequency(void)
{
	static const unsigned int tenths[] = { 1, 5, 9, 10, 11, 20, 70 };
	struct guest guest;
	unsigned int i;

	for (i = 0; i < sizeof(tenths) / sizeof(*tenths); i++) {
		create_at(&guest, 1, tenths[i]);
		expect_ratio(&guest, tenths[i]);
		guest_destroy(&guest);
	}
}

/* What the VM is told before a vCPU is made is the vCPU's: its counter starts at 0, too. */
static void vm_says_the_frequency(void)
{
	uint64_t before = __rdtsc(), tsc, passed;
	struct guest guest;
	struct vcpu second;
	int khz;

	khz = create_at(&guest, 1, 10) / 10 * 30;
	REQUIRE_OK(ioctl(guest.vm.fd, KVM_SET_TSC_KHZ, khz));
	REQUIRE_OK(vcpu_create(&second, &guest.dev, &guest.vm, 1));
	EXPECT_EQ(khz, vcpu_call(&second, KVM_GET_TSC_KHZ, NULL));
	EXPECT_EQ(khz / 3, vcpu_call(&guest.vcpu[0], KVM_GET_TSC_KHZ, NULL));
	tsc = msr_tsc(&second);
	passed = __rdtsc() - before;
	EXPECT(tsc > 0 && at_most(tsc, passed, 30),
	       "the vCPU has %llu, the host has advanced by %llu", (unsigned long long)tsc,
	       (unsigned long long)passed);
	vcpu_destroy(&second);
}

/* vCPUs of one frequency agree, with each other and with what user space is told. */
static void scaled_ones_agree(void)
{
	uint64_t last = 0, tsc;
	struct guest guest;
	int i;

	create_at(&guest, 2, 25);
	for (i = 0; i < 30; i++) {
		tsc = i % 3 == 2 ? msr_tsc(&guest.vcpu[i & 1]) : read_tsc(&guest, i & 1);
		EXPECT(tsc > last, "%llu after %llu", (unsigned long long)tsc,
		       (unsigned long long)last);
		last = tsc;
	}
}

/* User space sets the counter: it goes on from there, at its frequency. */
static void scaled_is_set(void)
{
	uint64_t tsc, set = 1ULL << 60, before, passed;
	struct guest guest;

	create_at(&guest, 1, 5);
	before = __rdtsc();
	set_msr_tsc(&guest.vcpu[0], set);
	tsc = read_tsc(&guest, 0);
	passed = __rdtsc() - before;
	EXPECT(tsc > set && at_most(tsc - set, passed, 5), "%llu after %llu ticks",
	       (unsigned long long)(tsc - set), (unsigned long long)passed);
	expect_ratio(&guest, 5);
}

static const struct ktap_test tests[] = {
	KTAP_TEST(starts_at_0),
	KTAP_TEST(goes_forward),
	KTAP_TEST(advances_with_the_hosts),
	KTAP_TEST(runs_at_its_frequency),
	KTAP_TEST(vm_says_the_frequency),
	KTAP_TEST(scaled_ones_agree),
	KTAP_TEST(scaled_is_set),
};

KTAP_MAIN(tests)
