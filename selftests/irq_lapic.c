// SPDX-License-Identifier: GPL-2.0-only
/*
 * A local APIC in the kernel: priorities, interrupts to itself, ends, its timer in each mode, both
 * ways to its registers.
 */
#include <asm/svm.h>
#include <asm/vmx.h>
#include <linux/kvm.h>
#include <linux/mkvm.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/vectors.h"

#define SELF(vector) (0x44000 + (vector))

static void start(struct guest *guest, const void *code, size_t size)
{
	vec_create(guest, 1, VEC_KERNEL);
	__guest_load(guest, code, size);
	vec_start(guest, 0);
}

#define START(guest, code) start(guest, code, code##_end - code)

/* clang-format off */
guest_code(code_priorities, 64,
	   S_APIC
	   "cli\n"
	   S_SET(APIC_ICR, SELF(0x41))
	   S_SET(APIC_ICR, SELF(0x31))
	   S_SET(APIC_ICR, SELF(0x52))
	   S_SET(APIC_ICR, SELF(0x51))
	   S_SET(APIC_ICR, SELF(0x51)) /* once more is no more */
	   S_LOOK
	   "sti\n"
	   "nop\n"
	   S_LOOK);
/* clang-format on */

static void priorities(void)
{
	struct guest guest;

	START(&guest, code_priorities);
	guest_run_to_sync(&guest, 0);
	EXPECT_EQ(0, vec_logged(&guest));
	EXPECT(vec_apic_bit(&guest, 0, APIC_IRR, 0x41), "0x41 does not wait");
	EXPECT(vec_apic_bit(&guest, 0, APIC_IRR, 0x51), "0x51 does not wait");
	guest_run_to_sync(&guest, 0);
	EXPECT_EQ(4, vec_logged(&guest));
	EXPECT_EQ(0x52, vec_log(&guest, 0));
	EXPECT_EQ(0x51, vec_log(&guest, 1));
	EXPECT_EQ(0x41, vec_log(&guest, 2));
	EXPECT_EQ(0x31, vec_log(&guest, 3));
	EXPECT(!vec_apic_bit(&guest, 0, APIC_ISR, 0x41), "0x41 has not ended");
	guest_destroy(&guest);
}

/* clang-format off */
guest_code(code_in_service, 64,
	   S_APIC
	   S_SET(APIC_ICR, SELF(0x51)) /* stays in service */
	   "nop\n"
	   S_SET(APIC_ICR, SELF(0x41)) /* waits */
	   S_SET(APIC_ICR, SELF(0x5f)) /* of the same class: waits */
	   S_SET(APIC_ICR, SELF(0x61)) /* goes in between */
	   "nop\n"
	   S_GET(APIC_PPR, r12d)
	   S_LOOK
	   S_SET(APIC_EOI, 0)
	   "nop\n"
	   S_GET(APIC_PPR, r12d)
	   S_LOOK);
/* clang-format on */

static void in_service(void)
{
	struct guest guest;

	START(&guest, code_in_service);
	vec_end(&guest, 0x51, VEC_END_NONE);
	guest_run_to_sync(&guest, 0);
	EXPECT_EQ(2, vec_logged(&guest));
	EXPECT_EQ(0x51, vec_log(&guest, 0));
	EXPECT_EQ(0x61, vec_log(&guest, 1));
	EXPECT_EQ(0x50, guest_regs(&guest, 0).r12);
	EXPECT(vec_apic_bit(&guest, 0, APIC_ISR, 0x51), "0x51 is not in service");
	guest_run_to_sync(&guest, 0);
	EXPECT_EQ(4, vec_logged(&guest));
	EXPECT_EQ(0x5f, vec_log(&guest, 2));
	EXPECT_EQ(0x41, vec_log(&guest, 3));
	EXPECT_EQ(0, guest_regs(&guest, 0).r12);
	guest_destroy(&guest);
}

/* 0x51 has a handler of the guest's own, in which others are sent and may come. */
/* clang-format off */
guest_code(code_nests, 64,
	   S_APIC
	   "lea 3f(%rip), %rax\n"
	   "mov %ax, " STRING(VEC_IDT) " + 16 * 0x51\n"
	   "movw $0, " STRING(VEC_IDT) " + 16 * 0x51 + 6\n"
	   S_SET(APIC_ICR, SELF(0x51))
	   "nop\n"
	   S_LOOK
	   "3: " S_SET(APIC_ICR, SELF(0x41))
	   S_SET(APIC_ICR, SELF(0x5f)) /* of the same class */
	   S_SET(APIC_ICR, SELF(0x61))
	   "sti\n"
	   "nop\n"
	   "nop\n"
	   "cli\n"
	   "mov " STRING(VEC_LOG) ", %r12d\n"
	   S_GET(APIC_PPR, r13d)
	   S_SET(APIC_EOI, 0)
	   "iretq\n");
/* clang-format on */

static void nests(void)
{
	struct guest guest;

	START(&guest, code_nests);
	guest_run_to_sync(&guest, 0);
	/* Inside only the one of a higher class. */
	EXPECT_EQ(1, guest_regs(&guest, 0).r12);
	EXPECT_EQ(0x50, guest_regs(&guest, 0).r13);
	EXPECT_EQ(3, vec_logged(&guest));
	EXPECT_EQ(0x61, vec_log(&guest, 0));
	EXPECT_EQ(0x5f, vec_log(&guest, 1));
	EXPECT_EQ(0x41, vec_log(&guest, 2));
	guest_destroy(&guest);
}

/* clang-format off */
guest_code(code_task_priority, 64,
	   S_APIC
	   S_SET(APIC_TPR, 0x4f)
	   "mov %cr8, %r12\n"
	   S_SET(APIC_ICR, SELF(0x41))
	   S_SET(APIC_ICR, SELF(0x51))
	   "nop\n"
	   S_LOOK
	   "mov $3, %eax\n"
	   "mov %rax, %cr8\n"
	   "nop\n"
	   S_GET(APIC_TPR, r12d)
	   S_LOOK);
/* clang-format on */

static void task_priority(void)
{
	struct guest guest;

	START(&guest, code_task_priority);
	guest_run_to_sync(&guest, 0);
	EXPECT_EQ(4, guest_regs(&guest, 0).r12);
	EXPECT_EQ(4, guest_sregs(&guest, 0).cr8);
	EXPECT_EQ(4, guest.vcpu[0].run->cr8);
	EXPECT_EQ(1, vec_logged(&guest));
	EXPECT_EQ(0x51, vec_log(&guest, 0));
	guest_run_to_sync(&guest, 0);
	EXPECT_EQ(2, vec_logged(&guest));
	EXPECT_EQ(0x41, vec_log(&guest, 1));
	EXPECT_EQ(0x30, guest_regs(&guest, 0).r12);
	guest_destroy(&guest);
}

/* clang-format off */
guest_code(code_cr8, 64,
	   "mov $1000, %ecx\n"
	   "xor %r12d, %r12d\n"
	   "1: mov %ecx, %eax\n"
	   "and $0xf, %eax\n"
	   "mov %rax, %cr8\n"
	   "mov %cr8, %rdx\n"
	   "cmp %rax, %rdx\n"
	   "jne 2f\n"
	   "inc %r12\n"
	   "2: dec %ecx\n"
	   "jnz 1b\n"
	   S_LOOK
	   "mov $5, %eax\n"
	   "mov %rax, %cr8\n"
	   S_APIC
	   S_GET(APIC_TPR, r12d)
	   S_LOOK);
/* clang-format on */

static uint64_t cr8_exits(const struct guest *guest)
{
	struct counts counts;

	guest_counts(guest, 0, &counts);
	if (counts.sum.vendor == MKVM_VENDOR_VMX)
		return counts_of_reason(&counts, EXIT_REASON_CR_ACCESS);
	return counts_of_reason(&counts, SVM_EXIT_READ_CR8) +
	       counts_of_reason(&counts, SVM_EXIT_WRITE_CR8);
}

static bool has_tpr(void)
{
	char line[4096];
	bool found = false;
	FILE *file = fopen("/proc/cpuinfo", "re");

	REQUIRE(file, "/proc/cpuinfo");
	while (!found && fgets(line, sizeof(line), file))
		found = (!strncmp(line, "vmx flags", 9) && strstr(line, " vtpr")) ||
			(!strncmp(line, "flags", 5) && strstr(line, " svm "));
	fclose(file);
	return found;
}

/* SVM has V_TPR.  VMX does without exits with a TPR shadow; else each access is one. */
static void cr8(void)
{
	struct guest guest;

	START(&guest, code_cr8);
	guest_run_to_sync(&guest, 0);
	EXPECT_EQ(1000, guest_regs(&guest, 0).r12);
	EXPECT_EQ(1, guest_sregs(&guest, 0).cr8);
	if (kvm_dev_is_mkvm(&guest.dev))
		EXPECT_EQ(has_tpr() ? 0 : 2000, cr8_exits(&guest));
	guest_run_to_sync(&guest, 0);
	EXPECT_EQ(0x50, guest_regs(&guest, 0).r12);
	EXPECT_EQ(0x50, vec_apic(&guest, 0, APIC_TPR));
	guest_destroy(&guest);
}

/* Switched off it takes nothing; its local vectors are masked, and stay so. */
/* clang-format off */
guest_code(code_switched_off, 64,
	   S_APIC
	   S_SET(APIC_LVT0, 0x41)
	   S_SET(APIC_SVR, 0xff)
	   S_SET(APIC_ICR, SELF(0x51))
	   S_SET(APIC_LVT0, 0x41)
	   "nop\n"
	   S_LOOK
	   S_SET(APIC_SVR, 0x1ff)
	   S_SET(APIC_ICR, SELF(0x52))
	   "nop\n"
	   S_LOOK);
/* clang-format on */

static void switched_off(void)
{
	struct guest guest;

	START(&guest, code_switched_off);
	guest_run_to_sync(&guest, 0);
	EXPECT_EQ(0, vec_logged(&guest));
	EXPECT_EQ(LVT_MASKED | 0x41, vec_apic(&guest, 0, APIC_LVT0));
	guest_run_to_sync(&guest, 0);
	EXPECT_EQ(1, vec_logged(&guest));
	EXPECT_EQ(0x52, vec_log(&guest, 0));
	guest_destroy(&guest);
}

/* An interrupt that waits is taken behind STI's next instruction; HLT there wakes up at once. */
/* clang-format off */
guest_code(code_halt, 64,
	   S_APIC
	   "cli\n"
	   S_SET(APIC_ICR, SELF(0x41))
	   "sti\n"
	   "hlt\n"
	   S_LOOK);
/* clang-format on */

static void halt_with_one_waiting(void)
{
	struct guest guest;

	START(&guest, code_halt);
	guest_run_to_sync(&guest, 0);
	EXPECT_EQ(1, vec_count(&guest, 0x41));
	EXPECT_EQ(KVM_MP_STATE_RUNNABLE, vec_mp_state(&guest, 0));
	guest_destroy(&guest);
}

/* clang-format off */
guest_code(code_one_shot, 64,
	   S_APIC
	   S_SET(APIC_TDCR, 0xb)
	   S_SET(APIC_LVTT, 0x41)
	   S_SET(APIC_TMICT, 1000000)
	   S_WAIT(0x41, 1)
	   S_GET(APIC_TMCCT, r12d)
	   /* Masked it fires unheard. */
	   S_SET(APIC_LVTT, 0x10041)
	   S_SET(APIC_TMICT, 1000)
	   "1: pause\n"
	   S_GET(APIC_TMCCT, eax)
	   "test %eax, %eax\n"
	   "jnz 1b\n"
	   S_LOOK);
/* clang-format on */

static void one_shot(void)
{
	struct guest guest;

	START(&guest, code_one_shot);
	guest_run_to_sync(&guest, 0);
	EXPECT_EQ(1, vec_count(&guest, 0x41));
	EXPECT_EQ(1, vec_logged(&guest));
	EXPECT_EQ(0, guest_regs(&guest, 0).r12);
	guest_destroy(&guest);
}

/* A period that a slow emulator has time for, too. */
/* clang-format off */
guest_code(code_periodic, 64,
	   S_APIC
	   S_SET(APIC_TDCR, 0)
	   S_SET(APIC_LVTT, 0x20041)
	   S_SET(APIC_TMICT, 10000000)
	   S_WAIT(0x41, 5)
	   S_SET(APIC_TMICT, 0)
	   "nop\n"
	   "mov " STRING(VEC_COUNTS) " + 8 * 0x41, %r12\n"
	   S_LOOK);
/* clang-format on */

static void periodic(void)
{
	struct guest guest;

	START(&guest, code_periodic);
	guest_run_to_sync(&guest, 0);
	EXPECT(vec_count(&guest, 0x41) >= 5, "%llu", (unsigned long long)vec_count(&guest, 0x41));
	EXPECT_EQ(vec_count(&guest, 0x41), guest_regs(&guest, 0).r12);
	guest_destroy(&guest);
}

/* Until interrupts of the timer do not end any more. */
/* clang-format off */
guest_code(code_shortest, 64,
	   S_APIC
	   S_SET(APIC_TDCR, 0xb)
	   S_SET(APIC_LVTT, 0x20041)
	   S_SET(APIC_TMICT, 1)
	   "1: pause\n"
	   "cmpb $" STRING(VEC_END_NONE) ", " STRING(VEC_ENDS) " + 0x41\n"
	   "jne 1b\n"
	   S_LOOK);
/* clang-format on */

static void *run_to_sync(void *guest)
{
	guest_run_to_sync(guest, 0);
	return NULL;
}

/* One tick is not the period: the host goes on, and the guest as far as it has time for. */
static void shortest_period(void)
{
	struct guest guest;
	pthread_t thread;

	START(&guest, code_shortest);
	REQUIRE(!pthread_create(&thread, NULL, run_to_sync, &guest));
	while (vec_count(&guest, 0x41) < 50)
		usleep(1000);
	vec_end(&guest, 0x41, VEC_END_NONE);
	REQUIRE(!pthread_join(thread, NULL));
	EXPECT(vec_count(&guest, 0x41) >= 50, "%llu", (unsigned long long)vec_count(&guest, 0x41));
	guest_destroy(&guest);
}

/* clang-format off */
guest_code(code_deadline, 64,
	   S_APIC
	   S_SET( APIC_LVTT, 0x40041)
	   "rdtsc\n"
	   "shl $32, %rdx\n"
	   "or %rdx, %rax\n"
	   "add $2000000, %rax\n"
	   "mov %rax, %rdx\n"
	   "shr $32, %rdx\n"
	   "mov $" STRING( MSR_DEADLINE) ", %ecx\n"
	   "wrmsr\n"
	   "mov %rax, %r13\n"
	   S_WAIT(0x41, 1)
	   "mov $" STRING( MSR_DEADLINE) ", %ecx\n"
	   "rdmsr\n"
	   "or %rdx, %rax\n"
	   "mov %rax, %r12\n"
	   S_LOOK
	   /* One that is past fires at once. */
	   "mov $1, %eax\n"
	   "xor %edx, %edx\n"
	   "wrmsr\n"
	   S_WAIT(0x41, 2)
	   S_LOOK);
/* clang-format on */

static void deadline(void)
{
	struct guest guest;

	START(&guest, code_deadline);
	guest_run_to_sync(&guest, 0);
	EXPECT_EQ(1, vec_count(&guest, 0x41));
	EXPECT_EQ(0, guest_regs(&guest, 0).r12);
	guest_run_to_sync(&guest, 0);
	EXPECT_EQ(2, vec_count(&guest, 0x41));
	guest_destroy(&guest);
}

/* clang-format off */
guest_code(code_later, 64,
	   S_APIC
	   S_SET(APIC_LVTT, 0x40041)
	   "rdtsc\n"
	   "shl $32, %rdx\n"
	   "or %rdx, %rax\n"
	   "add $0x8000000, %rax\n"
	   "mov %rax, %rdx\n"
	   "shr $32, %rdx\n"
	   "mov $" STRING(MSR_DEADLINE) ", %ecx\n"
	   "wrmsr\n"
	   S_LOOK
	   S_WAIT(0x41, 1)
	   S_LOOK);
/* clang-format on */

static uint64_t get_deadline(const struct guest *guest)
{
	struct {
		struct kvm_msrs head;
		struct kvm_msr_entry entry;
	} msr = { .head.nmsrs = 1, .entry.index = MSR_DEADLINE };

	REQUIRE(vcpu_call(&guest->vcpu[0], KVM_GET_MSRS, &msr) == 1, "the deadline");
	return msr.entry.data;
}

/* KVM_SET_LAPIC leaves a deadline armed, and only one that is in LVTT's mode. */
static void deadline_stays(void)
{
	struct kvm_msi msi = { .address_lo = APIC_GPA, .data = 0x41 };
	struct kvm_lapic_state state;
	uint32_t one_shot = LVT_MASKED;
	struct guest guest;

	START(&guest, code_later);
	guest_run_to_sync(&guest, 0);
	REQUIRE_OK(vcpu_call(&guest.vcpu[0], KVM_GET_LAPIC, &state));
	REQUIRE_OK(vcpu_call(&guest.vcpu[0], KVM_SET_LAPIC, &state));
	/* It may have fired in between: then that is in neither. */
	if (!get_deadline(&guest))
		REQUIRE(vm_call(&guest, KVM_SIGNAL_MSI, &msi) == 1, "nobody's");
	guest_run_to_sync(&guest, 0);
	EXPECT_EQ(1, vec_count(&guest, 0x41));
	guest_destroy(&guest);

	START(&guest, code_later);
	guest_run_to_sync(&guest, 0);
	REQUIRE_OK(vcpu_call(&guest.vcpu[0], KVM_GET_LAPIC, &state));
	memcpy(state.regs + APIC_LVTT, &one_shot, sizeof(one_shot));
	REQUIRE_OK(vcpu_call(&guest.vcpu[0], KVM_SET_LAPIC, &state));
	vec_set_apic(&guest, 0, APIC_LVTT, LVT_MASKED | LVT_DEADLINE);
	EXPECT_EQ(0, get_deadline(&guest));
	guest_destroy(&guest);
}

/* A one-shot timer that has expired, and whose mode is periodic then, is not started by that. */
/* clang-format off */
guest_code(code_expired, 64,
	   S_APIC
	   S_SET(APIC_TDCR, 0xb)
	   S_SET(APIC_LVTT, 0x41)
	   S_SET(APIC_TMICT, 1000000)
	   S_WAIT(0x41, 1)
	   S_SET(APIC_LVTT, 0x20041)
	   "mov $1000, %ecx\n"
	   "1: pause\n"
	   S_GET(APIC_TMCCT, eax)
	   "or %eax, %r12d\n"
	   "dec %ecx\n"
	   "jnz 1b\n"
	   S_SET(APIC_LVTT, 0x10041)
	   S_LOOK);
/* clang-format on */

static void expired_becomes_periodic(void)
{
	struct guest guest;

	START(&guest, code_expired);
	guest_run_to_sync(&guest, 0);
	EXPECT_EQ(0, guest_regs(&guest, 0).r12);
	EXPECT_EQ(1, vec_count(&guest, 0x41));
	guest_destroy(&guest);
}

/* Without its bit in CPUID there is no such mode. */
/* clang-format off */
guest_code(code_lvtt, 64,
	   S_APIC
	   S_SET(APIC_LVTT, 0x50041)
	   S_LOOK);
/* clang-format on */

static void no_deadline_without_cpuid(void)
{
	struct guest guest;

	START(&guest, code_lvtt);
	guest_run_to_sync(&guest, 0);
	EXPECT_EQ(LVT_DEADLINE | LVT_MASKED | 0x41, vec_apic(&guest, 0, APIC_LVTT));
	guest_destroy(&guest);
	START(&guest, code_lvtt);
	REQUIRE_OK(vcpu_offer_host_cpuid(&guest.vcpu[0], &guest.dev));
	guest_run_to_sync(&guest, 0);
	EXPECT_EQ(LVT_MASKED | 0x41, vec_apic(&guest, 0, APIC_LVTT));
	guest_destroy(&guest);
}

#define X2(reg) (MSR_X2APIC + ((reg) >> 4))

/* clang-format off */
guest_code(code_x2apic, 64,
	   "mov $" STRING( MSR_APIC_BASE) ", %ecx\n"
	   "rdmsr\n"
	   "or $" STRING( APIC_BASE_X2) ", %eax\n"
	   "wrmsr\n"
	   "mov $" STRING(X2( APIC_ID)) ", %ecx\n"
	   "rdmsr\n"
	   "mov %eax, %r12d\n"
	   "mov $" STRING(X2( APIC_LDR)) ", %ecx\n"
	   "rdmsr\n"
	   "mov %eax, %r13d\n"
	   /* To itself, physically, logically, and by the register for that. */
	   "mov $" STRING(X2( APIC_ICR)) ", %ecx\n"
	   "mov $0x4041, %eax\n"
	   "xor %edx, %edx\n"
	   "wrmsr\n"
	   "nop\n"
	   "mov $0x4842, %eax\n"
	   "mov $1, %edx\n"
	   "wrmsr\n"
	   "nop\n"
	   "mov $0x83f, %ecx\n"
	   "mov $0x43, %eax\n"
	   "xor %edx, %edx\n"
	   "wrmsr\n"
	   "nop\n"
	   S_LOOK);
/* clang-format on */

static void x2apic(void)
{
	struct guest guest;

	START(&guest, code_x2apic);
	vec_end_all(&guest, VEC_END_X2APIC);
	guest_run_to_sync(&guest, 0);
	EXPECT_EQ(0, guest_regs(&guest, 0).r12);
	EXPECT_EQ(1, guest_regs(&guest, 0).r13);
	EXPECT_EQ(3, vec_logged(&guest));
	EXPECT_EQ(0x41, vec_log(&guest, 0));
	EXPECT_EQ(0x42, vec_log(&guest, 1));
	EXPECT_EQ(0x43, vec_log(&guest, 2));
	guest_destroy(&guest);
}

/* Bits 31:20, 17:16 and 13, one at a time. */
/* clang-format off */
guest_code(code_reserved, 64,
	   "xor %edx, %edx\n"
	   "mov $" STRING(X2( APIC_ICR)) ", %ecx\n"
	   "mov $0xfff32000, %r12d\n"
	   "1: mov %r12d, %eax\n"
	   "neg %eax\n"
	   "and %r12d, %eax\n" /* the lowest one that is left */
	   "xor %eax, %r12d\n"
	   "or $0x44041, %eax\n"
	   "wrmsr\n"
	   "nop\n"
	   "test %r12d, %r12d\n"
	   "jnz 1b\n"
	   S_LOOK);
/* clang-format on */

static void x2apic_icr_reserved(void)
{
	struct guest guest;

	START(&guest, code_reserved);
	vec_end_all(&guest, VEC_END_X2APIC);
	vec_end(&guest, 13, VEC_SKIPS);
	vec_set_apic_base(&guest, 0, APIC_GPA | APIC_BASE_BSP | APIC_BASE_ON | APIC_BASE_X2);
	guest_run_to_sync(&guest, 0);
	EXPECT_EQ(15, vec_count(&guest, 13));
	EXPECT_EQ(0, vec_count(&guest, 0x41));
	guest_destroy(&guest);
}

static const struct ktap_test tests[] = {
	KTAP_TEST(priorities),
	KTAP_TEST(in_service),
	KTAP_TEST(nests),
	KTAP_TEST(task_priority),
	KTAP_TEST(cr8),
	KTAP_TEST(switched_off),
	KTAP_TEST(halt_with_one_waiting),
	KTAP_TEST(one_shot),
	KTAP_TEST(periodic),
	KTAP_TEST(shortest_period),
	KTAP_TEST(deadline),
	KTAP_TEST(x2apic),
	KTAP_TEST(deadline_stays),
	KTAP_TEST(expired_becomes_periodic),
	KTAP_TEST(no_deadline_without_cpuid),
	KTAP_TEST(x2apic_icr_reserved),
};

KTAP_MAIN(tests)
