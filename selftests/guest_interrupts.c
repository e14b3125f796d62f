// SPDX-License-Identifier: GPL-2.0-only
/*
 * Interrupts and NMIs of user space: KVM_INTERRUPT with its window, KVM_NMI while another is being
 * handled, interrupt shadows, the task priority, and what struct kvm_run says of all that.
 *
 * The guest's handlers stand for the first 32 vectors; a processor takes an external interrupt with
 * any of them.
 */
#include <errno.h>
#include <linux/kvm.h>
#include <string.h>

#include "lib/guest.h"
#include "lib/host.h"

#define VECTOR_NMI  2
#define VECTOR_UD   6
#define VECTOR_IRQ  25
#define VECTOR_IRQ2 26

#define TRAP_STUB 16
#define RFLAGS_RF (1UL << 16)

static struct kvm_vcpu_events events_of(const struct guest *guest)
{
	struct kvm_vcpu_events events;

	REQUIRE_OK(vcpu_call(&guest->vcpu[0], KVM_GET_VCPU_EVENTS, &events));
	return events;
}

static void set_events(const struct guest *guest, struct kvm_vcpu_events *events)
{
	REQUIRE_OK(vcpu_call(&guest->vcpu[0], KVM_SET_VCPU_EVENTS, events));
}

static void interrupt(const struct guest *guest, uint32_t vector)
{
	struct kvm_interrupt irq = { .irq = vector };

	REQUIRE_OK(vcpu_call(&guest->vcpu[0], KVM_INTERRUPT, &irq));
}

static void nmi(const struct guest *guest)
{
	REQUIRE_OK(vcpu_call(&guest->vcpu[0], KVM_NMI, NULL));
}

#define START(guest, code)                \
	do {                              \
		guest_unmask_nmis();      \
		guest_begin(guest, code); \
	} while (0)

/* In all of the code r14 names the instruction at which the guest is interrupted. */
guest_code(code_window, 64,
	   "1: mov $2f - 1b + " S_CODE ", %r14d\n"
	   "cli\n"
	   "out %al, $" S_SYNC "\n"
	   "nop\n"
	   "sti\n"
	   "nop\n" /* in the shadow */
	   "2: mov $1, %ebx\n"
	   "hlt\n");

static void window(void)
{
	struct guest guest;
	struct kvm_run *run;
	struct trap trap;

	START(&guest, code_window);
	run = guest.vcpu[0].run;
	guest_run_to_sync(&guest, 0);
	EXPECT_EQ(0, run->if_flag);
	EXPECT_EQ(0, run->ready_for_interrupt_injection);
	run->request_interrupt_window = 1;
	guest_run(&guest, 0);
	guest_expect_exit(&guest, 0, KVM_EXIT_IRQ_WINDOW_OPEN);
	EXPECT_EQ(1, run->if_flag);
	EXPECT_EQ(1, run->ready_for_interrupt_injection);
	EXPECT_EQ(guest_regs(&guest, 0).r14, guest_regs(&guest, 0).rip);
	/* It stays open, and nothing is executed. */
	guest_run(&guest, 0);
	guest_expect_exit(&guest, 0, KVM_EXIT_IRQ_WINDOW_OPEN);
	EXPECT_EQ(guest_regs(&guest, 0).r14, guest_regs(&guest, 0).rip);

	interrupt(&guest, VECTOR_IRQ);
	EXPECT_EQ(1, events_of(&guest).interrupt.injected);
	EXPECT_EQ(VECTOR_IRQ, events_of(&guest).interrupt.nr);
	EXPECT_EQ(1ULL << VECTOR_IRQ, guest_sregs(&guest, 0).interrupt_bitmap[0]);
	run->request_interrupt_window = 0;
	guest_run_to_hlt(&guest, 0);
	EXPECT_EQ(1, guest_nr_traps(&guest));
	trap = guest_trap(&guest, 0);
	EXPECT_EQ(VECTOR_IRQ, trap.vector);
	EXPECT_EQ(guest_regs(&guest, 0).r14, trap.rip);
	EXPECT_EQ(0, guest_regs(&guest, 0).rbx);
	EXPECT_EQ(0, events_of(&guest).interrupt.injected);
	/* The handler's gate has cleared the flag. */
	EXPECT_EQ(0, run->if_flag);
}

/* An interrupt handed over too early waits; on kvm it is lost, goes in all the same, or fails. */
static void interrupt_waits(void)
{
	struct guest guest;

	START(&guest, code_window);
	if (!kvm_dev_is_mkvm(&guest.dev))
		ktap_skip("kvm injects it whatever the guest's state is");
	guest_run_to_sync(&guest, 0);
	interrupt(&guest, VECTOR_IRQ);
	EXPECT_EQ(0, guest.vcpu[0].run->ready_for_interrupt_injection);
	guest_run_to_hlt(&guest, 0);
	EXPECT_EQ(1, guest_nr_traps(&guest));
	EXPECT_EQ(VECTOR_IRQ, guest_trap(&guest, 0).vector);
	EXPECT_EQ(guest_regs(&guest, 0).r14, guest_trap(&guest, 0).rip);
	EXPECT_EQ(0, guest_regs(&guest, 0).rbx);
}

guest_code(code_nops, 64,
	   "1: mov $3f - 1b + " S_CODE ", %r14d\n"
	   "mov $2f - 1b + " S_CODE ", %r13d\n"
	   "out %al, $" S_SYNC "\n"
	   "2: nop\n"
	   "3: nop\n"
	   "hlt\n");

/* To where the guest is interrupted: the exit at the OUT is done, and nothing after it. */
static void run_to_nops(struct guest *guest)
{
	struct kvm_run *run = guest->vcpu[0].run;

	guest_run_to_sync(guest, 0);
	run->immediate_exit = 1;
	EXPECT_ERRNO(EINTR, vcpu_run(&guest->vcpu[0]));
	run->immediate_exit = 0;
	EXPECT_EQ(guest_regs(guest, 0).r13, guest_regs(guest, 0).rip);
}

static void set_shadow(struct guest *guest, uint8_t shadow)
{
	struct kvm_vcpu_events events = events_of(guest);

	events.flags = KVM_VCPUEVENT_VALID_SHADOW;
	events.interrupt.shadow = shadow;
	set_events(guest, &events);
	EXPECT(events_of(guest).interrupt.shadow & shadow, "the shadow is not there");
}

static void shadow_and_window(struct guest *guest, uint8_t shadow)
{
	struct kvm_run *run;

	START(guest, code_nops);
	run = guest->vcpu[0].run;
	run_to_nops(guest);
	set_shadow(guest, shadow);
	run->request_interrupt_window = 1;
	guest_run(guest, 0);
	guest_expect_exit(guest, 0, KVM_EXIT_IRQ_WINDOW_OPEN);
	EXPECT_EQ(guest_regs(guest, 0).r14, guest_regs(guest, 0).rip);
	EXPECT_EQ(0, events_of(guest).interrupt.shadow);
	guest_destroy(guest);
}

/* A shadow that user space sets holds an interrupt off for one instruction. */
static void interrupt_shadow(void)
{
	struct guest guest;

	if (host_is_qemu())
		ktap_skip("QEMU's VMRUN does not look at the interrupt shadow in the block");
	shadow_and_window(&guest, KVM_X86_SHADOW_INT_STI);
	shadow_and_window(&guest, KVM_X86_SHADOW_INT_MOV_SS);
}

/* False: the NMI came at once, and there are more @tries. */
static bool shadow_and_nmi(uint8_t shadow, unsigned int tries)
{
	struct guest guest;
	struct trap trap;
	bool lost;

	START(&guest, code_nops);
	run_to_nops(&guest);
	set_shadow(&guest, shadow);
	nmi(&guest);
	guest_run_to_hlt(&guest, 0);
	REQUIRE(guest_nr_traps(&guest) == 1, "%llu exceptions",
		(unsigned long long)guest_nr_traps(&guest));
	trap = guest_trap(&guest, 0);
	lost = tries && trap.rip < guest_regs(&guest, 0).r14;
	if (!lost)
		EXPECT_EQ(guest_regs(&guest, 0).r14, trap.rip);
	EXPECT_EQ(VECTOR_NMI, trap.vector);
	EXPECT_EQ(0, trap.rflags & X86_RFLAGS_TF);
	EXPECT_EQ(0, trap.dr6 & 0x400f);
	guest_destroy(&guest);
	return !lost;
}

/*
 * And an NMI as well.  QEMU's exit forgets a shadow that VMRUN found in the block: it is lost when
 * the host is interrupted before the first instruction, which on a slow host often happens.
 */
static void nmi_shadow(void)
{
	unsigned int tries = host_is_qemu() ? 20 : 0;

	while (!shadow_and_nmi(KVM_X86_SHADOW_INT_STI, tries))
		tries--;
	while (!shadow_and_nmi(KVM_X86_SHADOW_INT_MOV_SS, tries))
		tries--;
}

/* The handler halts; what stands behind it is done by the test, so as to look in between. */
guest_code(code_iret, 64,
	   "1: mov $2f - 1b + " S_CODE ", %r14d\n"
	   "mov $3f - 1b + " S_CODE ", %r13d\n"
	   "hlt\n"
	   "2: mov $1, %ebx\n"
	   "mov $2, %ebx\n"
	   "hlt\n"
	   "3: iretq\n");

/* The guest's NMI handler stands at its HLT; the frame is what the stack pointer names. */
static void return_from_handler(struct guest *guest, uint64_t to)
{
	struct kvm_regs regs = guest_regs(guest, 0);
	uint64_t *frame = guest_at(guest, regs.rsp, 40);

	frame[0] = to;
	regs.rip = regs.r13;
	REQUIRE_OK(vcpu_set_regs(&guest->vcpu[0], &regs));
}

/* One NMI is handled, one waits until the IRET is done, the rest is lost. */
static void nmi_is_masked_till_iret(void)
{
	struct kvm_vcpu_events events;
	struct guest guest;
	struct trap trap;

	START(&guest, code_iret);
	guest_run_to_hlt(&guest, 0);
	nmi(&guest);
	EXPECT_EQ(1, events_of(&guest).nmi.pending);
	guest_run_to_hlt(&guest, 0);
	EXPECT_EQ(1, guest_nr_traps(&guest));
	EXPECT_EQ(VECTOR_NMI, guest_trap(&guest, 0).vector);
	events = events_of(&guest);
	EXPECT_EQ(1, events.nmi.masked);
	EXPECT_EQ(0, events.nmi.pending);
	EXPECT_EQ(0, events.nmi.injected);

	nmi(&guest);
	nmi(&guest);
	nmi(&guest);
	EXPECT_EQ(1, events_of(&guest).nmi.pending);
	guest_run_to_hlt(&guest, 0);
	EXPECT_EQ(1, guest_nr_traps(&guest));
	EXPECT_EQ(1, events_of(&guest).nmi.pending);

	return_from_handler(&guest, guest_regs(&guest, 0).r14);
	guest_run_to_hlt(&guest, 0);
	REQUIRE(guest_nr_traps(&guest) == 2, "%llu exceptions",
		(unsigned long long)guest_nr_traps(&guest));
	trap = guest_trap(&guest, 1);
	EXPECT_EQ(VECTOR_NMI, trap.vector);
	EXPECT_EQ(guest_regs(&guest, 0).r14, trap.rip);
	EXPECT_EQ(0, trap.rflags & X86_RFLAGS_TF);
	EXPECT_EQ(0, trap.dr6 & 0x400f);
	EXPECT_EQ(0, guest_regs(&guest, 0).rbx);
	EXPECT_EQ(1, events_of(&guest).nmi.masked);

	return_from_handler(&guest, guest_regs(&guest, 0).r14);
	guest_run_to_hlt(&guest, 0);
	EXPECT_EQ(2, guest_nr_traps(&guest));
	EXPECT_EQ(2, guest_regs(&guest, 0).rbx);
	EXPECT_EQ(0, events_of(&guest).nmi.masked);
	EXPECT_EQ(0, events_of(&guest).nmi.pending);
}

/* Two at a time while none is handled: the second comes at the end of the first. */
static void two_nmis(void)
{
	struct guest guest;

	START(&guest, code_iret);
	guest_run_to_hlt(&guest, 0);
	nmi(&guest);
	nmi(&guest);
	nmi(&guest);
	EXPECT_OR_DIFFERS(&guest.dev, "two_told", events_of(&guest).nmi.pending == 2);
	guest_run_to_hlt(&guest, 0);
	EXPECT_EQ(1, guest_nr_traps(&guest));
	EXPECT_EQ(1, events_of(&guest).nmi.pending);
	return_from_handler(&guest, guest_regs(&guest, 0).r14);
	guest_run_to_hlt(&guest, 0);
	EXPECT_EQ(2, guest_nr_traps(&guest));
	EXPECT_EQ(0, guest_regs(&guest, 0).rbx);
}

/* NMIs are masked by user space: IRET ends that too. */
static void mask_of_user_space(void)
{
	struct kvm_vcpu_events events;
	struct kvm_regs regs;
	struct guest guest;
	uint64_t *frame;

	START(&guest, code_iret);
	guest_run_to_hlt(&guest, 0);
	events = events_of(&guest);
	events.nmi.masked = 1;
	set_events(&guest, &events);
	EXPECT_EQ(1, events_of(&guest).nmi.masked);
	nmi(&guest);
	regs = guest_regs(&guest, 0);
	frame = guest_at(&guest, regs.rsp - 40, 40);
	frame[0] = regs.r14;
	frame[1] = SEL_CODE64;
	frame[2] = X86_RFLAGS_FIXED;
	frame[3] = regs.rsp;
	frame[4] = SEL_DATA;
	regs.rsp -= 40;
	regs.rip = regs.r13;
	REQUIRE_OK(vcpu_set_regs(&guest.vcpu[0], &regs));
	guest_run_to_hlt(&guest, 0);
	EXPECT_EQ(1, guest_nr_traps(&guest));
	EXPECT_EQ(regs.r14, guest_trap(&guest, 0).rip);
}

/* The NMI goes first; the handler of the interrupt has then not begun. */
static void nmi_and_interrupt(void)
{
	struct guest guest;

	START(&guest, code_nops);
	run_to_nops(&guest);
	interrupt(&guest, VECTOR_IRQ);
	nmi(&guest);
	guest_run_to_hlt(&guest, 0);
	EXPECT_EQ(1, guest_nr_traps(&guest));
	EXPECT_EQ(VECTOR_NMI, guest_trap(&guest, 0).vector);
}

/* An exception is delivered first; the NMI meets its handler's first instruction. */
static void exception_and_nmi(void)
{
	struct kvm_vcpu_events events;
	struct guest guest;

	START(&guest, code_nops);
	run_to_nops(&guest);
	events = events_of(&guest);
	events.exception.injected = 1;
	events.exception.nr = VECTOR_UD;
	set_events(&guest, &events);
	EXPECT_EQ(1, events_of(&guest).exception.injected);
	nmi(&guest);
	guest_run_to_hlt(&guest, 0);
	EXPECT_EQ(1, guest_nr_traps(&guest));
	EXPECT_EQ(VECTOR_NMI, guest_trap(&guest, 0).vector);
	EXPECT_EQ(GUEST_TRAPS + VECTOR_UD * TRAP_STUB, guest_trap(&guest, 0).rip);
}

/* An exception that waits keeps the window shut. */
static void exception_and_window(void)
{
	struct kvm_vcpu_events events;
	struct guest guest;

	START(&guest, code_nops);
	run_to_nops(&guest);
	events = events_of(&guest);
	events.exception.injected = 1;
	events.exception.nr = VECTOR_UD;
	set_events(&guest, &events);
	guest.vcpu[0].run->immediate_exit = 1;
	EXPECT_ERRNO(EINTR, vcpu_run(&guest.vcpu[0]));
	guest.vcpu[0].run->immediate_exit = 0;
	EXPECT_EQ(1, guest.vcpu[0].run->if_flag);
	EXPECT_EQ(0, guest.vcpu[0].run->ready_for_interrupt_injection);
	guest.vcpu[0].run->request_interrupt_window = 1;
	/* The handler runs with interrupts off, and halts. */
	guest_run_to_hlt(&guest, 0);
	EXPECT_EQ(1, guest_nr_traps(&guest));
	EXPECT_EQ(VECTOR_UD, guest_trap(&guest, 0).vector);
}

/* The flag that lets the instruction begin again without its breakpoint, in what a fault pushes. */
guest_code(code_gp, 64,
	   "mov $0x4d4d4d4d, %ecx\n"
	   "rdmsr\n");

static void resume_flag(void)
{
	struct guest guest;

	START(&guest, code_gp);
	guest_run_to_hlt(&guest, 0);
	EXPECT_EQ(13, guest_trap(&guest, 0).vector);
	EXPECT_EQ(RFLAGS_RF, guest_trap(&guest, 0).rflags & RFLAGS_RF);
}

guest_code(code_tpr, 64,
	   "1: mov $3f - 1b + " S_CODE ", %r14d\n"
	   "mov $5, %eax\n"
	   "mov %rax, %cr8\n"
	   "mov $7, %eax\n"
	   "mov %rax, %cr8\n"
	   "mov $3, %eax\n"
	   "mov %rax, %cr8\n"
	   "3: mov %cr8, %rbx\n"
	   "mov $3, %eax\n"
	   "mov %rax, %cr8\n"
	   "hlt\n");

/* Lower than before, it may let interrupts in that user space holds back. */
static void task_priority(void)
{
	struct kvm_run *run;
	struct guest guest;

	START(&guest, code_tpr);
	run = guest.vcpu[0].run;
	guest_run(&guest, 0);
	guest_expect_exit(&guest, 0, KVM_EXIT_SET_TPR);
	EXPECT_EQ(3, run->cr8);
	EXPECT_EQ(3, guest_sregs(&guest, 0).cr8);
	EXPECT_EQ(guest_regs(&guest, 0).r14, guest_regs(&guest, 0).rip);

	run->cr8 = 16;
	EXPECT_ERRNO(EINVAL, vcpu_run(&guest.vcpu[0]));
	/* User space is asked by the run page, and told there. */
	EXPECT_EQ(3, run->cr8);
	run->cr8 = 9;
	guest_run(&guest, 0);
	guest_expect_exit(&guest, 0, KVM_EXIT_SET_TPR);
	EXPECT_EQ(9, guest_regs(&guest, 0).rbx);
	EXPECT_EQ(3, run->cr8);
	guest_run_to_hlt(&guest, 0);
	EXPECT_EQ(3, run->cr8);
}

guest_code(code_tpr_wrong, 64,
	   "mov $8, %eax\n"
	   "mov %rax, %cr8\n"
	   "mov $16, %eax\n"
	   "mov %rax, %cr8\n");

static void task_priority_too_high(void)
{
	struct guest guest;

	START(&guest, code_tpr_wrong);
	guest_run_to_hlt(&guest, 0);
	EXPECT_EQ(1, guest_nr_traps(&guest));
	EXPECT_EQ(13, guest_trap(&guest, 0).vector);
	EXPECT_EQ(8, guest.vcpu[0].run->cr8);
}

guest_code(code_hlt, 64, "hlt");

static void run_page(void)
{
	struct kvm_run *run;
	struct guest guest;

	START(&guest, code_hlt);
	run = guest.vcpu[0].run;
	run->flags = 0xff;
	run->apic_base = 0;
	guest_run_to_hlt(&guest, 0);
	EXPECT_EQ(0, run->flags);
	EXPECT_EQ(1, run->if_flag);
	EXPECT_EQ(1, run->ready_for_interrupt_injection);
	EXPECT_EQ(0, run->cr8);
	EXPECT_EQ(guest_sregs(&guest, 0).apic_base, run->apic_base);
}

/* Every vector goes in, once. */
guest_code(code_many, 64,
	   "1: mov $2f - 1b + " S_CODE ", %r15d\n"
	   "sti\n"
	   "2: sti\n"
	   "hlt\n"
	   "jmp 2b\n");

static void many_interrupts(void)
{
	struct guest guest;
	unsigned int i;

	START(&guest, code_many);
	guest_run_to_hlt(&guest, 0);
	for (i = 0; i < 30; i++) {
		uint32_t vector = i & 1 ? VECTOR_IRQ : VECTOR_IRQ2;

		REQUIRE(guest.vcpu[0].run->ready_for_interrupt_injection, "not ready");
		interrupt(&guest, vector);
		guest_run_to_hlt(&guest, 0);
		REQUIRE(guest_nr_traps(&guest) == i + 1, "%llu traps after %u interrupts",
			(unsigned long long)guest_nr_traps(&guest), i + 1);
		EXPECT_EQ(vector, guest_trap(&guest, i).vector);
	}
}

static const struct ktap_test tests[] = {
	KTAP_TEST(window),
	KTAP_TEST(interrupt_waits),
	KTAP_TEST(interrupt_shadow),
	KTAP_TEST(nmi_shadow),
	KTAP_TEST(nmi_is_masked_till_iret),
	KTAP_TEST(two_nmis),
	KTAP_TEST(mask_of_user_space),
	KTAP_TEST(nmi_and_interrupt),
	KTAP_TEST(exception_and_nmi),
	KTAP_TEST(exception_and_window),
	KTAP_TEST(resume_flag),
	KTAP_TEST(task_priority),
	KTAP_TEST(task_priority_too_high),
	KTAP_TEST(run_page),
	KTAP_TEST(many_interrupts),
};

KTAP_MAIN(tests)
