// SPDX-License-Identifier: GPL-2.0-only
/*
 * A local APIC in x2APIC mode, whose interrupts the processor itself delivers and ends where it
 * can (virtual-interrupt delivery of VMX), or nobody but the module: the guest sees no difference,
 * and the number of exits is exact.
 */
#include <asm/svm.h>
#include <asm/vmx.h>
#include <linux/kvm.h>

#include "lib/apicv.h"

#define APIC_SELF_IPI 0x3f0
#define N	      100
#define PIN	      20 /* none of the 8259 pair's */

/* Guest code: a register's MSR is written; or read, into r12. */
#define S_X2_SET(r, v)                                                   \
	"mov $(0x800 + (" STRING(r) " >> 4)), %ecx\n"                    \
				    "mov $" STRING(v) ", %eax\n"         \
						      "xor %edx, %edx\n" \
						      "wrmsr\n"
#define S_X2_GET(r)                                   \
	"mov $(0x800 + (" STRING(r) " >> 4)), %ecx\n" \
				    "rdmsr\n"         \
				    "mov %rax, %r12\n"

static void start(struct guest *guest, const void *code, size_t size)
{
	vec_create(guest, 1, VEC_KERNEL);
	__guest_load(guest, code, size);
	vec_start(guest, 0);
	vec_set_apic_base(guest, 0, APIC_GPA | APIC_BASE_BSP | APIC_BASE_ON | APIC_BASE_X2);
	vec_end_all(guest, VEC_END_X2APIC);
}

#define START(guest, code) start(guest, code, code##_end - code)

static uint64_t msr_exits(const struct guest *guest)
{
	return apicv_exits_of(guest, EXIT_REASON_MSR_WRITE, SVM_EXIT_MSR);
}

static void expect_exits(const struct guest *guest, uint64_t writes, uint64_t ends)
{
	if (!kvm_dev_is_mkvm(&guest->dev))
		return;
	EXPECT_ABOUT(writes, msr_exits(guest));
	EXPECT_EQ(ends, apicv_eoi_exits(guest));
}

/* clang-format off */
guest_code(code_self, 64,
	   "mov $" STRING(N) ", %ebx\n"
	   "1:\n"
	   S_X2_SET(APIC_SELF_IPI, 0x41)
	   "nop\n"
	   "dec %ebx\n"
	   "jnz 1b\n"
	   S_LOOK);
/* clang-format on */

/* Neither sending nor ending costs an exit, or both do. */
static void sent_to_itself(void)
{
	struct guest guest;

	START(&guest, code_self);
	guest_run_to_sync(&guest, 0);
	EXPECT_ABOUT(N, vec_count(&guest, 0x41));
	EXPECT_EQ(vec_count(&guest, 0x41), vec_logged(&guest));
	expect_exits(&guest, apicv_helps ? 0 : 2 * N, 0);
	guest_destroy(&guest);
}

guest_code(code_look, 64,
	   "1: " S_LOOK "nop\n"
	   "jmp 1b\n");

/* Whoever sends it: of an end that nobody waits for there is no exit. */
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

static void edges(void)
{
	struct guest guest;
	int i;

	START(&guest, code_look);
	vec_ioapic_pin(&guest, PIN, 0x46);
	guest_run_to_sync(&guest, 0);
	for (i = 1; i <= N; i++) {
		vec_line(&guest, PIN, true);
		vec_line(&guest, PIN, false);
		guest_run_to_sync(&guest, 0);
		EXPECT_ABOUT(i, vec_count(&guest, 0x46));
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
	   "mov $" STRING(N) ", %ebx\n"
	   "1:\n"
	   S_X2_SET(APIC_TPR, 0x30)
	   S_X2_GET(APIC_TPR)
	   "cmp $0x30, %r12d\n"
	   "jne 2f\n"
	   S_X2_SET(APIC_TPR, 0)
	   "dec %ebx\n"
	   "jnz 1b\n"
	   "2:\n"
	   S_LOOK
	   S_X2_SET(APIC_TPR, 0x50)
	   S_X2_SET(APIC_SELF_IPI, 0x41)
	   S_X2_SET(APIC_SELF_IPI, 0x61)
	   "nop\n"
	   S_X2_GET(APIC_PPR)
	   S_LOOK
	   "mov $3, %eax\n"
	   "mov %rax, %cr8\n"
	   "nop\n"
	   S_LOOK);
/* clang-format on */

static void task_priority(void)
{
	struct guest guest;
	uint64_t before = 0;

	START(&guest, code_priority);
	if (kvm_dev_is_mkvm(&guest.dev))
		before = apicv_exits(&guest);
	guest_run_to_sync(&guest, 0);
	EXPECT_EQ(0, guest_regs(&guest, 0).rbx);
	if (apicv_helps && kvm_dev_is_mkvm(&guest.dev)) {
		/* Those are the code's own: its first pages, and the sync. */
		EXPECT_EQ(0, msr_exits(&guest));
		EXPECT(apicv_exits(&guest) - before < N, "%llu exits",
		       (unsigned long long)(apicv_exits(&guest) - before));
	}
	guest_run_to_sync(&guest, 0);
	EXPECT_EQ(0x50, guest_regs(&guest, 0).r12);
	EXPECT_EQ(1, vec_logged(&guest));
	EXPECT_EQ(0x61, vec_log(&guest, 0));
	EXPECT_EQ(5, guest_sregs(&guest, 0).cr8);
	EXPECT(vec_apic_bit(&guest, 0, APIC_IRR, 0x41), "0x41 does not wait");
	guest_run_to_sync(&guest, 0);
	EXPECT_EQ(2, vec_logged(&guest));
	EXPECT_EQ(0x41, vec_log(&guest, 1));
	guest_destroy(&guest);
}

/* clang-format off */
guest_code(code_nested, 64,
	   S_X2_SET(APIC_SELF_IPI, 0x51) /* stays in service */
	   "nop\n"
	   S_X2_SET(APIC_SELF_IPI, 0x41) /* waits */
	   S_X2_SET(APIC_SELF_IPI, 0x5f) /* of the same class: waits */
	   S_X2_SET(APIC_SELF_IPI, 0x61) /* goes in between */
	   "nop\n"
	   S_X2_GET(APIC_PPR)
	   S_LOOK
	   S_X2_SET(APIC_EOI, 0)
	   "nop\n"
	   S_X2_GET(APIC_PPR)
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
	EXPECT(vec_apic_bit(&guest, 0, APIC_ISR, 0x51), "0x51 is not in service");
	EXPECT(vec_apic_bit(&guest, 0, APIC_IRR, 0x5f), "0x5f does not wait");
	guest_run_to_sync(&guest, 0);
	EXPECT_EQ(4, vec_logged(&guest));
	EXPECT_EQ(0x5f, vec_log(&guest, 2));
	EXPECT_EQ(0x41, vec_log(&guest, 3));
	EXPECT_EQ(0, guest_regs(&guest, 0).r12);
	guest_destroy(&guest);
}

/* What user space puts there, and what it reads in between, is what the processor goes on with. */
static void state_comes_and_goes(void)
{
	struct guest guest;
	uint32_t value;

	START(&guest, code_nested);
	vec_end(&guest, 0x51, VEC_END_NONE);
	guest_run_to_sync(&guest, 0);
	value = vec_apic(&guest, 0, APIC_IRR + 0x20); /* vectors 0x40 to 0x5f */
	EXPECT_EQ(1u << 0x01 | 1u << 0x1f, value);
	vec_set_apic(&guest, 0, APIC_IRR + 0x20, 1u << 0x02);
	guest_run_to_sync(&guest, 0);
	EXPECT_EQ(3, vec_logged(&guest));
	EXPECT_EQ(0x42, vec_log(&guest, 2));
	EXPECT_EQ(0, vec_apic(&guest, 0, APIC_ISR + 0x20));
	guest_destroy(&guest);
}

/* clang-format off */
guest_code(code_registers, 64,
	   S_X2_SET(APIC_LVT0, 0x10042)
	   S_X2_GET(APIC_LVT0)
	   S_LOOK
	   S_X2_GET(APIC_ID)
	   S_LOOK
	   S_X2_GET(APIC_SVR)
	   S_LOOK
	   S_X2_SET(APIC_SELF_IPI, 5) /* below 16 there are none */
	   S_LOOK);
/* clang-format on */

static void registers(void)
{
	struct guest guest;

	START(&guest, code_registers);
	guest_run_to_sync(&guest, 0);
	EXPECT_EQ(0x10042, guest_regs(&guest, 0).r12);
	guest_run_to_sync(&guest, 0);
	EXPECT_EQ(0, guest_regs(&guest, 0).r12);
	guest_run_to_sync(&guest, 0);
	EXPECT_EQ(0x1ff, guest_regs(&guest, 0).r12);
	vec_set_apic(&guest, 0, APIC_SVR, 0x1fe);
	guest_run_to_sync(&guest, 0);
	EXPECT_EQ(0x1fe, vec_apic(&guest, 0, APIC_SVR));
	guest_destroy(&guest);
}

/* The 8259 pair's come by the module, with what the processor delivers before and behind it. */
static void external(void)
{
	struct kvm_msi msi = { .address_lo = APIC_GPA, .data = 0x45 };
	struct kvm_irqchip pic = { .chip_id = KVM_IRQCHIP_PIC_MASTER };
	struct guest guest;

	START(&guest, code_look);
	vec_set_apic(&guest, 0, APIC_LVT0, LVT_EXTINT);
	vec_end(&guest, 0x23, VEC_END_MASTER);
	REQUIRE_OK(vm_call(&guest, KVM_GET_IRQCHIP, &pic));
	pic.chip.pic.irq_base = 0x20;
	pic.chip.pic.imr = 0;
	REQUIRE_OK(vm_call(&guest, KVM_SET_IRQCHIP, &pic));
	guest_run_to_sync(&guest, 0);
	EXPECT_EQ(1, vm_call(&guest, KVM_SIGNAL_MSI, &msi));
	vec_line(&guest, 3, true);
	vec_line(&guest, 3, false);
	guest_run_to_sync(&guest, 0);
	guest_run_to_sync(&guest, 0);
	EXPECT_EQ(1, vec_count(&guest, 0x23));
	EXPECT_EQ(1, vec_count(&guest, 0x45));
	guest_destroy(&guest);
}

BOTH_WAYS(sent_to_itself)
BOTH_WAYS(messages)
BOTH_WAYS(edges)
BOTH_WAYS(levels)
BOTH_WAYS(task_priority)
BOTH_WAYS(in_service)
BOTH_WAYS(state_comes_and_goes)
BOTH_WAYS(registers)
BOTH_WAYS(external)

static const struct ktap_test tests[] = {
	KTAP_TEST(sent_to_itself_both_ways), KTAP_TEST(messages_both_ways),
	KTAP_TEST(edges_both_ways),	     KTAP_TEST(levels_both_ways),
	KTAP_TEST(task_priority_both_ways),  KTAP_TEST(in_service_both_ways),
	KTAP_TEST(registers_both_ways),	     KTAP_TEST(state_comes_and_goes_both_ways),
	KTAP_TEST(external_both_ways),
};

KTAP_MAIN(tests)
