// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM_SET_GUEST_DEBUG: single steps, breakpoints by INT3 and by debug registers, exceptions and
 * interrupts under a debugger; and the guest's own debug registers meanwhile.
 */
#include <errno.h>
#include <linux/kvm.h>
#include <string.h>

#include "lib/guest.h"
#include "lib/host.h"

#define VECTOR_DB  1
#define VECTOR_NMI 2
#define VECTOR_BP  3
#define DR6_FIXED  0xffff0ff0ULL
#define DR6_BS	   0x4000ULL
#define DR6_BD	   0x2000ULL
#define DR7_FIXED  0x400ULL
#define DR7_GD	   0x2000ULL

static int debug(const struct guest *guest, uint32_t control)
{
	struct kvm_guest_debug debug = { .control = control };

	return vcpu_call(&guest->vcpu[0], KVM_SET_GUEST_DEBUG, &debug);
}

static struct kvm_debugregs debugregs(const struct guest *guest)
{
	struct kvm_debugregs regs;

	REQUIRE_OK(vcpu_call(&guest->vcpu[0], KVM_GET_DEBUGREGS, &regs));
	return regs;
}

static void expect_debug(struct guest *guest, uint32_t exception, uint64_t pc)
{
	const struct kvm_debug_exit_arch *arch = &guest->vcpu[0].run->debug.arch;

	guest_expect_exit(guest, 0, KVM_EXIT_DEBUG);
	EXPECT_EQ(exception, arch->exception);
	EXPECT_EQ(pc, arch->pc);
	EXPECT_EQ(pc, guest_regs(guest, 0).rip);
}

#define STEP (KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_SINGLESTEP)

/*
 * A step is asked for anew each time: kvm forgets it when it has emulated an instruction.  In Bochs
 * 2.7 an exit amidst a stepped instruction leaves the step pending: the next one ends where it
 * began.
 */
static void step(struct guest *guest, uint32_t control)
{
	const struct kvm_run *run = guest->vcpu[0].run;
	unsigned int spare = host_is_bochs() ? 8 : 0;
	uint64_t pc = guest_regs(guest, 0).rip;

	do {
		REQUIRE_OK(debug(guest, control));
		guest_run(guest, 0);
	} while (run->exit_reason == KVM_EXIT_DEBUG && run->debug.arch.pc == pc && spare--);
}

static void expect_step(struct guest *guest, uint32_t control, uint64_t pc)
{
	step(guest, control);
	expect_debug(guest, VECTOR_DB, pc);
	EXPECT_EQ(DR6_FIXED | DR6_BS, guest->vcpu[0].run->debug.arch.dr6);
	EXPECT_EQ(0, guest_regs(guest, 0).rflags & X86_RFLAGS_TF);
}

static void capabilities(void)
{
	struct guest guest;

	guest_create(&guest, 0);
	EXPECT_EQ(1, kvm_dev_extension(&guest.dev, KVM_CAP_SET_GUEST_DEBUG));
	EXPECT_EQ(1, kvm_dev_extension(&guest.dev, KVM_CAP_X86_ROBUST_SINGLESTEP));
	EXPECT_EQ(KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_SINGLESTEP | KVM_GUESTDBG_USE_HW_BP |
			  KVM_GUESTDBG_USE_SW_BP | KVM_GUESTDBG_INJECT_BP | KVM_GUESTDBG_INJECT_DB |
			  KVM_GUESTDBG_BLOCKIRQ,
		  kvm_dev_extension(&guest.dev, KVM_CAP_SET_GUEST_DEBUG2));
	guest_destroy(&guest);
	guest_create(&guest, 1);
	EXPECT_ERRNO(EFAULT, vcpu_call(&guest.vcpu[0], KVM_SET_GUEST_DEBUG, (void *)-1L));
}

guest_code(code_int3, 64,
	   "nop\n"
	   "int3\n"
	   "mov $1, %ebx\n"
	   "hlt\n");

static void software_breakpoint(void)
{
	struct guest guest;

	if (host_is_qemu())
		ktap_skip("QEMU does not intercept the exception of an INT3");
	guest_begin(&guest, code_int3);
	REQUIRE_OK(debug(&guest, KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_USE_SW_BP));
	guest_run(&guest, 0);
	expect_debug(&guest, VECTOR_BP, GUEST_CODE + 1);
	/* The instruction is still to be executed. */
	guest_run(&guest, 0);
	expect_debug(&guest, VECTOR_BP, GUEST_CODE + 1);
	EXPECT_EQ(0, guest_nr_traps(&guest));

	/* It was the guest's own: it gets it, with the debugger still there. */
	REQUIRE_OK(debug(&guest,
			 KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_USE_SW_BP | KVM_GUESTDBG_INJECT_BP));
	guest_run_to_hlt(&guest, 0);
	EXPECT_EQ(1, guest_nr_traps(&guest));
	EXPECT_EQ(VECTOR_BP, guest_trap(&guest, 0).vector);
	EXPECT_EQ(GUEST_CODE + 2, guest_trap(&guest, 0).rip);
	EXPECT_EQ(0, guest_regs(&guest, 0).rbx);
}

/* Without the debugger, or with one that did not ask for it, it is the guest's at once. */
static void breakpoint_of_the_guest(void)
{
	struct guest guest;

	guest_begin(&guest, code_int3);
	REQUIRE_OK(debug(&guest, KVM_GUESTDBG_USE_SW_BP));
	guest_run_to_hlt(&guest, 0);
	EXPECT_EQ(1, guest_nr_traps(&guest));
	EXPECT_EQ(VECTOR_BP, guest_trap(&guest, 0).vector);
	EXPECT_EQ(GUEST_CODE + 2, guest_trap(&guest, 0).rip);
}

/* CPUID, RDMSR and OUT are done by the module, the others by the processor. */
guest_code(code_steps, 64,
	   "xor %eax, %eax\n"	    /* 2 */
	   "cpuid\n"		    /* 2 */
	   "mov $0x277, %ecx\n"	    /* 5 */
	   "rdmsr\n"		    /* 2 */
	   "mov %cr4, %rdx\n"	    /* 3 */
	   "mov %rdx, %cr4\n"	    /* 3 */
	   "nop\n"		    /* 1 */
	   "cli\n"		    /* 1 */
	   "out %al, $" S_SYNC "\n" /* 2 */
	   "in $" S_SYNC ", %al\n"  /* 2 */
	   "nop\n"
	   "hlt\n");

static void single_step(void)
{
	static const uint8_t lengths[] = { 2, 2, 5, 2, 3, 3, 1, 1 };
	uint64_t pc = GUEST_CODE;
	struct guest guest;
	unsigned int i;

	guest_begin(&guest, code_steps);
	REQUIRE_OK(debug(&guest, STEP));
	EXPECT_EQ(0, guest_regs(&guest, 0).rflags & X86_RFLAGS_TF);
	for (i = 0; i < sizeof(lengths); i++) {
		pc += lengths[i];
		expect_step(&guest, STEP, pc);
	}
	/* Port I/O is an exit first, and a step when it is completed. */
	for (i = 0; i < 2; i++) {
		step(&guest, STEP);
		guest_expect_exit(&guest, 0, KVM_EXIT_IO);
		pc += 2;
		expect_step(&guest, STEP, pc);
	}
	expect_step(&guest, STEP, pc + 1);
	REQUIRE_OK(debug(&guest, 0));
	guest_run_to_hlt(&guest, 0);
	EXPECT_EQ(0, guest_nr_traps(&guest));
	EXPECT_EQ(DR6_FIXED, debugregs(&guest).dr6);
}

/* The step is completed by immediate_exit too. */
guest_code(code_in, 64,
	   "in $" S_SYNC ", %al\n"
	   "nop\n"
	   "hlt\n");

static void step_and_immediate_exit(void)
{
	struct guest guest;

	guest_begin(&guest, code_in);
	step(&guest, STEP);
	guest_expect_exit(&guest, 0, KVM_EXIT_IO);
	guest.vcpu[0].run->immediate_exit = 1;
	expect_step(&guest, STEP, GUEST_CODE + 2);
	EXPECT_ERRNO(EINTR, vcpu_run(&guest.vcpu[0]));
	guest.vcpu[0].run->immediate_exit = 0;
	expect_step(&guest, STEP, GUEST_CODE + 3);
}

/* What a device is touched by: emulated. */
guest_code(code_device, 64,
	   "mov (%rdi), %eax\n" /* 2 */
	   "mov %eax, (%rdi)\n" /* 2 */
	   "nop\n"		/* 1 */
	   "addb $1, (%rdi)\n"	/* 3 */
	   "nop\n"		/* 1 */
	   "rep movsb\n"	/* 2 */
	   "rep stosb\n"	/* 2 */
	   "nop\n"		/* 1 */
	   "hlt\n");

static void expect_device(struct guest *guest, bool write)
{
	step(guest, STEP);
	guest_expect_exit(guest, 0, KVM_EXIT_MMIO);
	EXPECT_EQ(write, guest->vcpu[0].run->mmio.is_write);
}

static void set_strings(struct guest *guest, uint64_t rsi, uint64_t rdi)
{
	struct kvm_regs regs = guest_regs(guest, 0);

	regs.rcx = 3;
	regs.rsi = rsi;
	regs.rdi = rdi;
	REQUIRE_OK(vcpu_set_regs(&guest->vcpu[0], &regs));
}

/* kvm has one more step to go, with no element left. */
static void end_of_string(struct guest *guest, uint64_t rip)
{
	uint64_t is = guest_regs(guest, 0).rip;

	EXPECT_OR_DIFFERS(&guest->dev, "string_ends", is == rip, "rip 0x%llx",
			  (unsigned long long)is);
	if (is != rip)
		expect_step(guest, STEP, rip);
	EXPECT_EQ(0, guest_regs(guest, 0).rcx);
}

/*
 * An exit to user space ends a step that is done by then: behind a store the next one goes over the
 * instruction that follows.  A string instruction is one step.
 */
static void step_over_a_device(void)
{
	struct guest guest;
	unsigned int i;

	guest_begin(&guest, code_device);
	set_strings(&guest, 0, GUEST_MEM_SIZE);
	expect_device(&guest, false);
	expect_step(&guest, STEP, GUEST_CODE + 2);
	expect_device(&guest, true);
	EXPECT_EQ(GUEST_CODE + 4, guest_regs(&guest, 0).rip);
	expect_step(&guest, STEP, GUEST_CODE + 5);
	expect_device(&guest, false);
	expect_device(&guest, true);
	EXPECT_EQ(GUEST_CODE + 8, guest_regs(&guest, 0).rip);
	expect_step(&guest, STEP, GUEST_CODE + 9);

	set_strings(&guest, GUEST_MEM_SIZE, GUEST_DATA);
	for (i = 0; i < 3; i++)
		expect_device(&guest, false);
	step(&guest, STEP);
	guest_expect_exit(&guest, 0, KVM_EXIT_DEBUG);
	end_of_string(&guest, GUEST_CODE + 11);
	set_strings(&guest, 0, GUEST_MEM_SIZE);
	for (i = 0; i < 3; i++)
		expect_device(&guest, true);
	end_of_string(&guest, GUEST_CODE + 13);
	expect_step(&guest, STEP, GUEST_CODE + 14);
	REQUIRE_OK(debug(&guest, 0));
	guest_run_to_hlt(&guest, 0);
	EXPECT_EQ(0, guest_nr_traps(&guest));
}

guest_code(code_hlt, 64,
	   "nop\n"
	   "nop\n"
	   "hlt\n");

static void injected_debug_exception(void)
{
	struct guest guest;

	guest_begin(&guest, code_hlt);
	REQUIRE_OK(debug(&guest, KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_INJECT_DB));
	EXPECT_ERRNO(EBUSY, debug(&guest, KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_INJECT_DB));
	EXPECT_ERRNO(EBUSY, debug(&guest, KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_INJECT_BP));
	guest_run_to_hlt(&guest, 0);
	EXPECT_EQ(1, guest_nr_traps(&guest));
	EXPECT_EQ(VECTOR_DB, guest_trap(&guest, 0).vector);
	EXPECT_EQ(GUEST_CODE, guest_trap(&guest, 0).rip);
}

static void blocked_nmi(void)
{
	struct guest guest;

	guest_unmask_nmis();
	guest_begin(&guest, code_hlt);
	REQUIRE_OK(vcpu_call(&guest.vcpu[0], KVM_NMI, NULL));
	expect_step(&guest, STEP | KVM_GUESTDBG_BLOCKIRQ, GUEST_CODE + 1);
	expect_step(&guest, STEP | KVM_GUESTDBG_BLOCKIRQ, GUEST_CODE + 2);
	EXPECT_EQ(0, guest_nr_traps(&guest));
	REQUIRE_OK(debug(&guest, 0));
	guest_run_to_hlt(&guest, 0);
	EXPECT_EQ(1, guest_nr_traps(&guest));
	EXPECT_EQ(VECTOR_NMI, guest_trap(&guest, 0).vector);
	EXPECT_EQ(GUEST_CODE + 2, guest_trap(&guest, 0).rip);
}

/* A guest that steps itself still does, after a debugger has been there. */
guest_code(code_own_step, 64,
	   "1: mov $4f - 1b + " S_CODE ", %r15d\n"
	   "mov $3f - 1b + " S_CODE ", %ecx\n"
	   "out %al, $" S_SYNC "\n"
	   "pushfq\n"
	   "orq $0x100, (%rsp)\n"
	   "popfq\n"
	   "nop\n"
	   "3: nop\n"
	   "4: xor %r15d, %r15d\n"
	   "hlt\n");

static void step_of_the_guest(void)
{
	struct guest guest;

	guest_begin(&guest, code_own_step);
	expect_step(&guest, STEP, GUEST_CODE + 6);
	REQUIRE_OK(debug(&guest, KVM_GUESTDBG_ENABLE));
	guest_run_to_sync(&guest, 0);
	guest_run_to_hlt(&guest, 0);
	EXPECT_EQ(2, guest_nr_traps(&guest));
	EXPECT_EQ(VECTOR_DB, guest_trap(&guest, 0).vector);
	EXPECT_EQ(guest_regs(&guest, 0).rcx, guest_trap(&guest, 0).rip);
	EXPECT_EQ(DR6_FIXED | DR6_BS, guest_trap(&guest, 0).dr6);
}

guest_code(code_own_registers, 64,
	   "mov %r8, %dr0\n"
	   "mov %r9, %dr3\n"
	   "mov %r10, %dr7\n"
	   "out %al, $" S_SYNC "\n"
	   "mov %dr0, %r11\n"
	   "mov %dr3, %r12\n"
	   "mov %dr7, %r13\n"
	   "hlt\n");

/* Under a debugger MOV DR reads and writes what is the guest's. */
static void registers_of_the_guest(void)
{
	struct kvm_regs regs;
	struct guest guest;

	guest_begin(&guest, code_own_registers);
	REQUIRE_OK(debug(&guest, KVM_GUESTDBG_ENABLE));
	regs = guest_regs(&guest, 0);
	regs.r8 = 0x123456;
	regs.r9 = 0x7f0000000000;
	regs.r10 = 0xf0000400;
	REQUIRE_OK(vcpu_set_regs(&guest.vcpu[0], &regs));
	guest_run_to_sync(&guest, 0);
	EXPECT_EQ(0x123456, debugregs(&guest).db[0]);
	EXPECT_EQ(0x7f0000000000, debugregs(&guest).db[3]);
	EXPECT_EQ(0xf0000400, debugregs(&guest).dr7);
	guest_run_to_hlt(&guest, 0);
	regs = guest_regs(&guest, 0);
	EXPECT_EQ(0x123456, regs.r11);
	EXPECT_EQ(0x7f0000000000, regs.r12);
	EXPECT_EQ(0xf0000400, regs.r13);
}

static int hardware(const struct guest *guest, unsigned int nr, uint64_t address, uint64_t dr7)
{
	struct kvm_guest_debug debug = {
		.control = KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_USE_HW_BP,
	};

	debug.arch.debugreg[nr] = address;
	debug.arch.debugreg[7] = DR7_FIXED | dr7;
	return vcpu_call(&guest->vcpu[0], KVM_SET_GUEST_DEBUG, &debug);
}

guest_code(code_data, 64,
	   "mov $0x999, %eax\n"
	   "mov %rax, %dr0\n"
	   "out %al, $" S_SYNC "\n"
	   "movl $1, " S_SHARED " + 8\n"
	   "movl $1, " S_SHARED "\n"
	   "1: nop\n"
	   "mov %dr0, %rbx\n"
	   "mov %dr7, %rcx\n"
	   "hlt\n");

#define BEHIND_DATA (GUEST_CODE + 5 + 3 + 2 + 11 + 11)

static void hardware_breakpoints(void)
{
	struct kvm_regs regs;
	struct guest guest;
	unsigned int nr;

	if (host_is_qemu())
		ktap_skip("a breakpoint that VMRUN enables never fires in QEMU");
	for (nr = 0; nr < 4; nr++) {
		guest_begin(&guest, code_data);
		guest_run_to_sync(&guest, 0);
		/* By execution. */
		REQUIRE_OK(hardware(&guest, nr, BEHIND_DATA - 11, 1 << (2 * nr)));
		guest_run(&guest, 0);
		expect_debug(&guest, VECTOR_DB, BEHIND_DATA - 11);
		EXPECT_EQ(DR6_FIXED | 1 << nr, guest.vcpu[0].run->debug.arch.dr6);
		/* By a write of four bytes. */
		REQUIRE_OK(hardware(&guest, nr, GUEST_SHARED,
				    1 << (2 * nr) | 0xdULL << (16 + 4 * nr)));
		guest_run(&guest, 0);
		expect_debug(&guest, VECTOR_DB, BEHIND_DATA);
		EXPECT_EQ(DR6_FIXED | 1 << nr, guest.vcpu[0].run->debug.arch.dr6);
		/* The guest's registers are what they were. */
		EXPECT_EQ(DR6_FIXED, debugregs(&guest).dr6);
		EXPECT_EQ(DR7_FIXED, debugregs(&guest).dr7);
		guest_run_to_hlt(&guest, 0);
		regs = guest_regs(&guest, 0);
		EXPECT_EQ(0x999, regs.rbx);
		EXPECT_EQ(DR7_FIXED, regs.rcx);
		EXPECT_EQ(0, guest_nr_traps(&guest));
		guest_destroy(&guest);
	}
}

guest_code(code_mov_dr, 64,
	   "nop\n"
	   "mov %dr0, %rax\n"
	   "hlt\n");

/* Any touch of a debug register; kvm on SVM does not look for it. */
static void general_detect(void)
{
	struct guest guest;

	guest_begin(&guest, code_mov_dr);
	if (host_is_qemu() && !kvm_dev_is_mkvm(&guest.dev))
		ktap_skip("kvm on SVM leaves it to the processor, and QEMU has none of it");
	REQUIRE_OK(hardware(&guest, 0, 0, DR7_GD));
	guest_run(&guest, 0);
	expect_debug(&guest, VECTOR_DB, GUEST_CODE + 1);
	EXPECT_EQ(DR6_FIXED | DR6_BD, guest.vcpu[0].run->debug.arch.dr6);
	REQUIRE_OK(debug(&guest, 0));
	guest_run_to_hlt(&guest, 0);
	EXPECT_EQ(0, guest_nr_traps(&guest));
}

static const struct ktap_test tests[] = {
	KTAP_TEST(capabilities),
	KTAP_TEST(software_breakpoint),
	KTAP_TEST(breakpoint_of_the_guest),
	KTAP_TEST(single_step),
	KTAP_TEST(step_and_immediate_exit),
	KTAP_TEST(step_over_a_device),
	KTAP_TEST(injected_debug_exception),
	KTAP_TEST(blocked_nmi),
	KTAP_TEST(step_of_the_guest),
	KTAP_TEST(registers_of_the_guest),
	KTAP_TEST(hardware_breakpoints),
	KTAP_TEST(general_detect),
};

KTAP_MAIN(tests)
