// SPDX-License-Identifier: GPL-2.0-only
/* VMCALL and VMMCALL: both are hypercalls on either vendor's processor. */
#include <errno.h>
#include <linux/kvm.h>
#include <linux/kvm_para.h>
#include <string.h>
#include <time.h>

#include "lib/cpuid.h"
#include "lib/guest.h"
#include "lib/host.h"
#include "lib/vectors.h"

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

/* CPU 0 calls; the other looks, halts with interrupts off, and looks again. */
guest_code(code_two, 64,
	   "test %edi, %edi\n"
	   "jnz 2f\n"
	   "1: mov %r12, %rax\n"
	   "mov %r13, %rbx\n"
	   "mov %r14, %rcx\n"
	   "mov %r15, %rdx\n"
	   "mov %r8, %rsi\n"
	   "vmmcall\n"
	   "mov %rax, %r9\n"
	   "nop\n" S_LOOK "jmp 1b\n"
	   "2:\n" S_LOOK "nop\n"
	   "cli\n"
	   "hlt\n" S_LOOK "sti\n"
	   "jmp 2b\n");

static void start_two(struct guest *guest)
{
	vec_create(guest, 2, VEC_KERNEL);
	guest_load(guest, code_two);
	vec_start(guest, 0);
	vec_start(guest, 1);
}

static uint64_t call_from_0(struct guest *guest, uint64_t nr, uint64_t low, uint64_t high,
			    uint64_t min, uint64_t icr)
{
	struct kvm_regs regs = guest_regs(guest, 0);

	regs.r12 = nr;
	regs.r13 = low;
	regs.r14 = high;
	regs.r15 = min;
	regs.r8 = icr;
	REQUIRE_OK(vcpu_set_regs(&guest->vcpu[0], &regs));
	guest_run_to_sync(guest, 0);
	return guest_regs(guest, 0).r9;
}

static uint64_t send(struct guest *guest, uint64_t low, uint64_t high, uint64_t min, uint64_t icr)
{
	return call_from_0(guest, KVM_HC_SEND_IPI, low, high, min, icr);
}

/* To a set of IDs; the answer is how many took it. */
static void interrupts_for_many(void)
{
	struct guest guest;

	start_two(&guest);
	guest_run_to_sync(&guest, 1);
	EXPECT_EQ(2, send(&guest, 3, 0, 0, 0x41));
	EXPECT_EQ(1, vec_count(&guest, 0x41));
	EXPECT(vec_apic_bit(&guest, 1, APIC_IRR, 0x41), "CPU 1 has got nothing");
	/* IDs from 1 on; then 0 and 1 by the upper word of 64 IDs that begin below 0. */
	EXPECT_EQ(1, send(&guest, 5, 0, 1, 0x42));
	EXPECT(vec_apic_bit(&guest, 1, APIC_IRR, 0x42), "CPU 1 has not got 0x42");
	EXPECT_EQ(0, vec_count(&guest, 0x42));
	EXPECT_EQ(0, send(&guest, ~0ULL, ~0ULL, 2, 0x43));
	EXPECT_EQ(0, send(&guest, 0, 3, 0, 0x43));
	EXPECT_EQ(0, send(&guest, ~0ULL, ~0ULL, 0xffffffff, 0x43));
	/* The end of a level. */
	EXPECT_EQ(0, send(&guest, 3, 0, 0, 0x8043));
	/* An NMI, and what such a call cannot say. */
	EXPECT_EQ(1, send(&guest, 2, 0, 0, 0x400));
	EXPECT_EQ(-KVM_EINVAL, send(&guest, 3, 0, 0, 0x841));
	EXPECT_EQ(-KVM_EINVAL, send(&guest, 3, 0, 0, 0x80041));
	EXPECT_EQ(0, vec_count(&guest, 0x43));
	guest_destroy(&guest);
}

/* One that waits goes on, though no interrupt comes; and one that will halt does not wait. */
static void kicks(void)
{
	struct kvm_mp_state halted = { KVM_MP_STATE_HALTED };
	struct guest guest;
	int i;

	start_two(&guest);
	for (i = 0; i < 2; i++) {
		guest_run_to_sync(&guest, 1);
		EXPECT_EQ(0, call_from_0(&guest, KVM_HC_KICK_CPU, 0, 1, 0, 0));
		EXPECT_EQ(KVM_MP_STATE_RUNNABLE, vec_mp_state(&guest, 1));
		guest_run_to_sync(&guest, 1);
	}
	REQUIRE_OK(vcpu_call(&guest.vcpu[1], KVM_SET_MP_STATE, &halted));
	EXPECT_EQ(KVM_MP_STATE_HALTED, vec_mp_state(&guest, 1));
	EXPECT_EQ(0, call_from_0(&guest, KVM_HC_KICK_CPU, 0, 0, 0, 0));
	EXPECT_EQ(KVM_MP_STATE_HALTED, vec_mp_state(&guest, 1));
	EXPECT_EQ(0, call_from_0(&guest, KVM_HC_KICK_CPU, 0, 1, 0, 0));
	EXPECT_EQ(KVM_MP_STATE_RUNNABLE, vec_mp_state(&guest, 1));
	guest_run_to_sync(&guest, 1);
	guest_destroy(&guest);
}

/* Whose CPUID does not tell of them has none of them; without local APICs there is nobody. */
static void not_told_of(void)
{
	struct kvm_enable_cap cap = { .cap = KVM_CAP_ENFORCE_PV_FEATURE_CPUID, .args[0] = 1 };
	struct cpuid cpuid;
	struct guest guest;

	guest_create(&guest, 1);
	guest_load(&guest, code_two);
	guest_start(&guest, 0, MODE_LONG);
	EXPECT_EQ(-KVM_EOPNOTSUPP, send(&guest, 1, 0, 0, 0x41));
	EXPECT_EQ(0, call_from_0(&guest, KVM_HC_KICK_CPU, 0, 0, 0, 0));
	guest_destroy(&guest);

	guest_create_without_cpuid(&guest, 1);
	EXPECT_ERRNO(0, vcpu_call(&guest.vcpu[0], KVM_ENABLE_CAP, &cap));
	REQUIRE_OK(cpuid_get_supported(&cpuid, &guest.dev));
	EXPECT(cpuid_find(&cpuid, 0x40000001, 0)->eax & 1 << KVM_FEATURE_PV_UNHALT, "not offered");
	EXPECT(cpuid_find(&cpuid, 0x40000001, 0)->eax & 1 << KVM_FEATURE_PV_SEND_IPI,
	       "not offered");
	cpuid_find(&cpuid, 0x40000001, 0)->eax = 1 << KVM_FEATURE_CLOCKSOURCE;
	REQUIRE_OK(cpuid_set(&guest.vcpu[0], &cpuid));
	guest_load(&guest, code_two);
	guest_start(&guest, 0, MODE_LONG);
	EXPECT_EQ(ENOSYS_64, send(&guest, 1, 0, 0, 0x41));
	EXPECT_EQ(ENOSYS_64, call_from_0(&guest, KVM_HC_KICK_CPU, 0, 0, 0, 0));
	guest_destroy(&guest);
}

static const struct ktap_test tests[] = {
	KTAP_TEST(from_the_kernel), KTAP_TEST(in_32_bits),  KTAP_TEST(from_user_mode),
	KTAP_TEST(clock_pairing),   KTAP_TEST(others),	    KTAP_TEST(interrupts_for_many),
	KTAP_TEST(kicks),	    KTAP_TEST(not_told_of),
};

KTAP_MAIN(tests)
