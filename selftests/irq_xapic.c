// SPDX-License-Identifier: GPL-2.0-only
/*
 * A local APIC in xAPIC mode, whose registers are a page: as irq_virtual.c, and where the page is
 * when a local APIC is off, moved, or in x2APIC mode.
 */
#include <linux/kvm.h>

#include "lib/apicv.h"

#define N	 100
#define PIN	 20 /* none of the 8259 pair's */
#define OTHER	 0xfee10000
#define S_OTHER	 "0xfee10000"
#define SLOT_GPA (APIC_GPA - 0x1000)

static void start(struct guest *guest, const void *code, size_t size)
{
	vec_create(guest, 2, VEC_KERNEL);
	__guest_load(guest, code, size);
	vec_start(guest, 0);
	vec_start(guest, 1);
}

#define START(guest, code) start(guest, code, code##_end - code)

/* Accesses of the page that cost an exit, and ends that do. */
static void expect_exits(const struct guest *guest, uint64_t accesses, uint64_t ends)
{
	if (!kvm_dev_is_mkvm(&guest->dev))
		return;
	EXPECT_ABOUT(accesses, apicv_page_exits(guest));
	EXPECT_EQ(ends, apicv_eoi_exits(guest));
}

/* clang-format off */
guest_code(code_self, 64,
	   S_APIC
	   "mov $" STRING(N) ", %ebp\n"
	   "1:\n"
	   S_SET(APIC_ICR, 0x44041)
	   "nop\n"
	   "dec %ebp\n"
	   "jnz 1b\n"
	   S_GET(APIC_ICR, r12d)
	   S_LOOK);
/* clang-format on */

/* Sending and ending; and the one read. */
static void sent_to_itself(void)
{
	struct guest guest;

	START(&guest, code_self);
	guest_run_to_sync(&guest, 0);
	EXPECT_ABOUT(N, vec_count(&guest, 0x41));
	EXPECT_EQ(vec_count(&guest, 0x41), vec_logged(&guest));
	EXPECT_EQ(0x44041, guest_regs(&guest, 0).r12);
	EXPECT_EQ(0x44041, vec_apic(&guest, 0, APIC_ICR));
	expect_exits(&guest, apicv_helps ? 0 : 2 * N + 1, 0);
	guest_destroy(&guest);
}

guest_code(code_look, 64,
	   "1: " S_LOOK "nop\n"
	   "jmp 1b\n");

static void messages(void)
{
	struct kvm_msi msi = { .address_lo = APIC_GPA, .data = 0x45 };
	struct guest guest;
	int i;

	START(&guest, code_look);
	guest_run_to_sync(&guest, 0);
	for (i = 1; i <= N; i++) {
		EXPECT_EQ(1, vm_call(&guest, KVM_SIGNAL_MSI, &msi));
		guest_run_to_sync(&guest, 0);
		EXPECT_ABOUT(i, vec_count(&guest, 0x45));
	}
	expect_exits(&guest, apicv_helps ? 0 : N, 0);
	guest_destroy(&guest);
}

/* The I/O APIC waits for the end, to send again. */
static void levels(void)
{
	struct guest guest;
	int i;

	START(&guest, code_look);
	vec_ioapic_pin(&guest, PIN, 0x8047);
	guest_run_to_sync(&guest, 0);
	for (i = 1; i <= N; i++) {
		vec_line(&guest, PIN, true);
		EXPECT(vec_ioapic_entry(&guest, PIN) & 0x4000, "the pin does not wait");
		vec_line(&guest, PIN, false);
		guest_run_to_sync(&guest, 0);
		EXPECT_ABOUT(i, vec_count(&guest, 0x47));
		EXPECT(!(vec_ioapic_entry(&guest, PIN) & 0x4000), "the pin still waits");
	}
	expect_exits(&guest, apicv_helps ? 0 : N, apicv_helps ? N : 0);
	guest_destroy(&guest);
}

/* clang-format off */
guest_code(code_priority, 64,
	   S_APIC
	   "mov $" STRING(N) ", %ebp\n"
	   "1:\n"
	   S_SET(APIC_TPR, 0x30)
	   S_GET(APIC_TPR, r12d)
	   "cmp $0x30, %r12d\n"
	   "jne 2f\n"
	   S_SET(APIC_TPR, 0)
	   "dec %ebp\n"
	   "jnz 1b\n"
	   "2:\n"
	   S_LOOK
	   S_SET(APIC_TPR, 0x50)
	   S_SET(APIC_ICR, 0x44041)
	   S_SET(APIC_ICR, 0x44061)
	   "nop\n"
	   S_GET(APIC_PPR, r12d)
	   S_LOOK
	   S_SET(APIC_TPR, 0x3f)
	   "nop\n"
	   "mov %cr8, %r12\n"
	   S_LOOK);
/* clang-format on */

static void task_priority(void)
{
	struct guest guest;

	START(&guest, code_priority);
	guest_run_to_sync(&guest, 0);
	EXPECT_EQ(0, guest_regs(&guest, 0).rbp);
	expect_exits(&guest, apicv_helps ? 0 : 3 * N, 0);
	guest_run_to_sync(&guest, 0);
	EXPECT_EQ(0x50, guest_regs(&guest, 0).r12);
	EXPECT_EQ(1, vec_logged(&guest));
	EXPECT_EQ(0x61, vec_log(&guest, 0));
	EXPECT_EQ(5, guest_sregs(&guest, 0).cr8);
	EXPECT(vec_apic_bit(&guest, 0, APIC_IRR, 0x41), "0x41 does not wait");
	guest_run_to_sync(&guest, 0);
	EXPECT_EQ(2, vec_logged(&guest));
	EXPECT_EQ(0x41, vec_log(&guest, 1));
	EXPECT_EQ(3, guest_regs(&guest, 0).r12);
	EXPECT_OR_DIFFERS(&guest.dev, "priority_within_class",
			  vec_apic(&guest, 0, APIC_TPR) == 0x3f, "0x%x",
			  vec_apic(&guest, 0, APIC_TPR));
	guest_destroy(&guest);
}

/* clang-format off */
guest_code(code_nested, 64,
	   S_APIC
	   S_SET(APIC_ICR, 0x44051) /* stays in service */
	   "nop\n"
	   S_SET(APIC_ICR, 0x44041) /* waits */
	   S_SET(APIC_ICR, 0x4405f) /* of the same class: waits */
	   S_SET(APIC_ICR, 0x44061) /* goes in between */
	   "nop\n"
	   S_GET(APIC_PPR, r12d)
	   S_GET(0x120, r13d) /* ISR: vectors 0x40 to 0x5f */
	   S_GET(0x220, r14d) /* IRR */
	   S_LOOK
	   S_SET(APIC_EOI, 0)
	   "nop\n"
	   S_GET(APIC_PPR, r12d)
	   S_LOOK);
/* clang-format on */

static void in_service(void)
{
	struct guest guest;

	START(&guest, code_nested);
	vec_end(&guest, 0x51, VEC_END_NONE);
	guest_run_to_sync(&guest, 0);
	EXPECT_EQ(2, vec_logged(&guest));
	EXPECT_EQ(0x51, vec_log(&guest, 0));
	EXPECT_EQ(0x61, vec_log(&guest, 1));
	EXPECT_EQ(0x50, guest_regs(&guest, 0).r12);
	EXPECT_EQ(1u << 0x11, guest_regs(&guest, 0).r13);
	EXPECT_EQ(1u << 0x01 | 1u << 0x1f, guest_regs(&guest, 0).r14);
	EXPECT(vec_apic_bit(&guest, 0, APIC_ISR, 0x51), "0x51 is not in service");
	EXPECT(vec_apic_bit(&guest, 0, APIC_IRR, 0x5f), "0x5f does not wait");
	/* What user space puts there is what the processor goes on with. */
	vec_set_apic(&guest, 0, APIC_IRR + 0x20, 1u << 0x02 | 1u << 0x1f);
	guest_run_to_sync(&guest, 0);
	EXPECT_EQ(4, vec_logged(&guest));
	EXPECT_EQ(0x5f, vec_log(&guest, 2));
	EXPECT_EQ(0x42, vec_log(&guest, 3));
	EXPECT_EQ(0, guest_regs(&guest, 0).r12);
	guest_destroy(&guest);
}

/* clang-format off */
guest_code(code_registers, 64,
	   S_APIC
	   S_SET(APIC_LVT0, 0x10042)
	   S_GET(APIC_LVT0, r12d)
	   S_SET(APIC_LVTT, 0xffffffff) /* of which most bits are reserved */
	   S_GET(APIC_LVTT, r13d)
	   S_SET(APIC_LVTT, 0x10000)
	   S_SET(APIC_ESR, 0x55) /* there was no error */
	   S_GET(APIC_ESR, r14d)
	   S_SET(APIC_VERSION, 0) /* read-only */
	   S_GET(APIC_VERSION, r15d)
	   S_LOOK
	   S_SET(APIC_LDR, 0x12345678)
	   S_GET(APIC_LDR, r12d)
	   S_SET(APIC_ICR2, 0x01345678)
	   S_GET(APIC_ICR2, r13d)
	   S_SET(APIC_ICR, 0x4045) /* to CPU 1 */
	   S_GET(APIC_ID, r14d)
	   S_SET(APIC_TDCR, 0xb)
	   S_SET(APIC_TMICT, 0x10000000)
	   S_GET(APIC_TMCCT, r15d)
	   S_LOOK);
/* clang-format on */

static void registers(void)
{
	struct kvm_regs regs;
	struct guest guest;

	START(&guest, code_registers);
	guest_run_to_sync(&guest, 0);
	regs = guest_regs(&guest, 0);
	EXPECT_EQ(0x10042, regs.r12);
	EXPECT_EQ(0, regs.r13 & ~0x710ffu);
	EXPECT_EQ(0, regs.r14);
	EXPECT_EQ(0x50014, regs.r15);
	guest_run_to_sync(&guest, 0);
	regs = guest_regs(&guest, 0);
	EXPECT_EQ(0x12000000, regs.r12);
	EXPECT_EQ(0x01000000, regs.r13);
	EXPECT_EQ(0, regs.r14);
	EXPECT(regs.r15 <= 0x10000000, "0x%llx", regs.r15);
	EXPECT_EQ(0x12000000, vec_apic(&guest, 0, APIC_LDR));
	EXPECT_EQ(0x01000000, vec_apic(&guest, 0, APIC_ICR2));
	EXPECT(vec_apic_bit(&guest, 1, APIC_IRR, 0x45), "CPU 1 did not get it");
	guest_destroy(&guest);
}

/* By an instruction that is more than a MOV, which reads and writes. */
/* clang-format off */
guest_code(code_emulated, 64,
	   S_APIC
	   "orl $0x30, " STRING(APIC_TPR) "(%rbx)\n"
	   "addl $0x10, " STRING(APIC_TPR) "(%rbx)\n"
	   "xor %eax, %eax\n"
	   "lea " STRING(APIC_VERSION) "(%rbx), %rsi\n"
	   "lodsl\n"
	   "mov %eax, %r13d\n"
	   S_LOOK);
/* clang-format on */

static void other_instructions(void)
{
	struct guest guest;

	START(&guest, code_emulated);
	guest_run_to_sync(&guest, 0);
	EXPECT_EQ(0x40, vec_apic(&guest, 0, APIC_TPR));
	EXPECT_EQ(0x50014, guest_regs(&guest, 0).r13);
	guest_destroy(&guest);
}

/* clang-format off */
guest_code(code_disabled, 64,
	   S_APIC
	   S_SET(APIC_ICR, 0x44041)
	   "nop\n"
	   S_SET(APIC_SVR, 0xff)
	   S_SET(APIC_ICR, 0x44051)
	   "nop\n"
	   S_LOOK
	   S_SET(APIC_SVR, 0x1ff)
	   S_SET(APIC_ICR, 0x44061)
	   "nop\n"
	   S_LOOK);
/* clang-format on */

/* Disabled by its spurious-vector register it takes nothing, not of itself either. */
static void disabled(void)
{
	struct guest guest;

	START(&guest, code_disabled);
	guest_run_to_sync(&guest, 0);
	EXPECT_EQ(1, vec_logged(&guest));
	EXPECT_EQ(0x41, vec_log(&guest, 0));
	EXPECT(!vec_apic_bit(&guest, 0, APIC_IRR, 0x51), "0x51 waits");
	guest_run_to_sync(&guest, 0);
	EXPECT_EQ(2, vec_logged(&guest));
	EXPECT_EQ(0x61, vec_log(&guest, 1));
	guest_destroy(&guest);
}

/* clang-format off */
guest_code(code_reads, 64,
	   S_APIC
	   "1: mov " STRING(APIC_VERSION) "(%rbx), %r12d\n"
	   S_LOOK
	   "mov $" S_OTHER ", %ecx\n"
	   "mov " STRING(APIC_VERSION) "(%rcx), %r13d\n"
	   S_LOOK
	   "jmp 1b\n");
/* clang-format on */

static bool is_mmio(const struct guest *guest, unsigned int cpu, uint64_t page)
{
	const struct kvm_run *run = guest->vcpu[cpu].run;

	return run->exit_reason == KVM_EXIT_MMIO && run->mmio.phys_addr == page + APIC_VERSION;
}

/* A read of the page is user space's, at the address of a register. */
static void expect_mmio(struct guest *guest, unsigned int cpu, uint64_t page)
{
	struct kvm_run *run = guest->vcpu[cpu].run;
	uint32_t value = 0x12345678;

	guest_run(guest, cpu);
	guest_expect_exit(guest, cpu, KVM_EXIT_MMIO);
	EXPECT_EQ(page + APIC_VERSION, run->mmio.phys_addr);
	EXPECT_EQ(0, run->mmio.is_write);
	__builtin_memcpy(run->mmio.data, &value, sizeof(value));
}

/* One that is off has no registers; that of another vCPU has, at the same address. */
static void switched_off(void)
{
	struct guest guest;

	START(&guest, code_reads);
	guest_run_to_sync(&guest, 0);
	EXPECT_EQ(0x50014, guest_regs(&guest, 0).r12);
	vec_set_apic_base(&guest, 1, APIC_GPA);
	guest_run(&guest, 1);
	EXPECT_OR_DIFFERS(&guest.dev, "page_while_off", is_mmio(&guest, 1, APIC_GPA), "exit %u",
			  guest.vcpu[1].run->exit_reason);
	expect_mmio(&guest, 0, OTHER);
	guest_run_to_sync(&guest, 0);
	guest_run_to_sync(&guest, 0);
	EXPECT_EQ(0x50014, guest_regs(&guest, 0).r12);
	guest_destroy(&guest);
}

/* Elsewhere: there it works, and where it was is nothing; another vCPU's stays. */
static void moved(void)
{
	struct guest guest;

	START(&guest, code_reads);
	guest_run_to_sync(&guest, 0);
	guest_run_to_sync(&guest, 1);
	vec_set_apic_base(&guest, 0, OTHER | APIC_BASE_BSP | APIC_BASE_ON);
	guest_run_to_sync(&guest, 0);
	EXPECT_EQ(0x50014, guest_regs(&guest, 0).r13);
	expect_mmio(&guest, 0, APIC_GPA);
	guest_run_to_sync(&guest, 0);
	expect_mmio(&guest, 1, OTHER);
	guest_run_to_sync(&guest, 1);
	guest_run_to_sync(&guest, 1);
	EXPECT_EQ(0x50014, guest_regs(&guest, 1).r12);
	guest_destroy(&guest);
}

/* In x2APIC mode there is no page. */
static void to_x2apic(void)
{
	struct guest guest;

	START(&guest, code_reads);
	guest_run_to_sync(&guest, 0);
	guest_run_to_sync(&guest, 1);
	vec_set_apic_base(&guest, 1, APIC_GPA | APIC_BASE_ON | APIC_BASE_X2);
	expect_mmio(&guest, 1, OTHER);
	guest_run_to_sync(&guest, 1);
	guest_run(&guest, 1);
	EXPECT_OR_DIFFERS(&guest.dev, "page_in_x2apic_mode", is_mmio(&guest, 1, APIC_GPA),
			  "exit %u", guest.vcpu[1].run->exit_reason);
	expect_mmio(&guest, 0, OTHER);
	guest_run_to_sync(&guest, 0);
	guest_run_to_sync(&guest, 0);
	EXPECT_EQ(0x50014, guest_regs(&guest, 0).r12);
	guest_destroy(&guest);
}

/* Memory at that place is memory for who has no registers there, and hides nothing elsewhere. */
static void a_slot_comes(void)
{
	struct kvm_userspace_memory_region region = {
		.slot = 9,
		.guest_phys_addr = SLOT_GPA,
		.memory_size = 0x3000,
	};
	struct guest guest;
	int answer;

	START(&guest, code_reads);
	guest_run_to_sync(&guest, 0);
	EXPECT_EQ(0x50014, guest_regs(&guest, 0).r12);
	region.userspace_addr = (uintptr_t)guest_at(&guest, GUEST_DATA, 0x3000);
	*(uint32_t *)guest_at(&guest, GUEST_DATA + 0x1000 + APIC_VERSION, 4) = 0x87654321;
	answer = vm_call(&guest, KVM_SET_USER_MEMORY_REGION, &region);
	EXPECT_OR_DIFFERS(&guest.dev, "slot_at_the_page", !answer, "%d", answer);
	if (answer) {
		guest_destroy(&guest);
		return;
	}
	vec_set_apic_base(&guest, 1, APIC_GPA);
	guest_run_to_sync(&guest, 1);
	EXPECT_EQ(0x87654321, guest_regs(&guest, 1).r12);
	region.memory_size = 0;
	REQUIRE_OK(vm_call(&guest, KVM_SET_USER_MEMORY_REGION, &region));
	expect_mmio(&guest, 0, OTHER);
	guest_run_to_sync(&guest, 0);
	guest_run_to_sync(&guest, 0);
	EXPECT_EQ(0x50014, guest_regs(&guest, 0).r12);
	guest_destroy(&guest);
}

BOTH_WAYS(sent_to_itself)
BOTH_WAYS(messages)
BOTH_WAYS(levels)
BOTH_WAYS(task_priority)
BOTH_WAYS(in_service)
BOTH_WAYS(registers)
BOTH_WAYS(other_instructions)
BOTH_WAYS(disabled)
BOTH_WAYS(switched_off)
BOTH_WAYS(moved)
BOTH_WAYS(to_x2apic)
BOTH_WAYS(a_slot_comes)

static const struct ktap_test tests[] = {
	KTAP_TEST(sent_to_itself_both_ways),
	KTAP_TEST(messages_both_ways),
	KTAP_TEST(levels_both_ways),
	KTAP_TEST(task_priority_both_ways),
	KTAP_TEST(in_service_both_ways),
	KTAP_TEST(registers_both_ways),
	KTAP_TEST(other_instructions_both_ways),
	KTAP_TEST(disabled_both_ways),
	KTAP_TEST(switched_off_both_ways),
	KTAP_TEST(moved_both_ways),
	KTAP_TEST(to_x2apic_both_ways),
	KTAP_TEST(a_slot_comes_both_ways),
};

KTAP_MAIN(tests)
