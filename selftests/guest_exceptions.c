// SPDX-License-Identifier: GPL-2.0-only
/*
 * Exceptions that the guest causes and takes by its own interrupt table: the right vector, error
 * code, return address and registers, and no exit to user space.
 */
#include <linux/kvm.h>
#include <string.h>

#include "lib/guest.h"
#include "lib/host.h"

/* In each piece of code the exception is at label 2, and the guest goes on at label 3. */
#define EXCEPTION(name, before, text)                                          \
	guest_code(name, 64,                                                   \
		   "1: mov $3f - 1b + " S_CODE ", %r15d\n"                     \
		   "mov $2f - 1b + " S_CODE ", %r14d\n" before "2: " text "\n" \
		   "3: mov $0x600d, %ebx\n"                                    \
		   "hlt\n")

struct expected {
	uint64_t vector, error;
	uint64_t behind; /* bytes from the instruction to the return address */
};

static struct trap run(struct guest *guest, const struct expected *expected)
{
	struct trap trap;

	guest_run_to_hlt(guest, 0);
	EXPECT_EQ(1, guest_nr_traps(guest));
	trap = guest_trap(guest, 0);
	EXPECT_EQ(expected->vector, trap.vector);
	EXPECT_EQ(expected->error, trap.error);
	EXPECT_EQ(guest_regs(guest, 0).r14 + expected->behind, trap.rip);
	EXPECT_EQ(SEL_CODE64, trap.cs);
	EXPECT_EQ(0x600d, guest_regs(guest, 0).rbx);
	return trap;
}

EXCEPTION(code_ud, "", "ud2");
EXCEPTION(code_bp, "", "int3");
EXCEPTION(code_de, "xor %ecx, %ecx\n", "div %ecx");
EXCEPTION(code_int, "", "int $0x1f");
EXCEPTION(code_rdmsr, "mov $0x4d4d4d4d, %ecx\n", "rdmsr");
EXCEPTION(code_wrmsr, "mov $0x4d4d4d4d, %ecx\n", "wrmsr");
EXCEPTION(code_selector, "mov $0x1238, %ecx\n", "mov %ecx, %es");
EXCEPTION(code_cr4, "mov $0x8020, %eax\n", "mov %rax, %cr4");
EXCEPTION(code_noncanonical, "mov $0x800000000000, %rax\n", "mov (%rax), %rcx");
EXCEPTION(code_nm, "mov %cr0, %rax\nor $8, %al\nmov %rax, %cr0\n", "fld1");
EXCEPTION(code_pf_read, "mov $0xc0000000, %eax\nmov %cr2, %rdx\n", "mov 0x123(%rax), %rcx");
EXCEPTION(code_pf_write, "mov $0xc0000000, %eax\n", "mov %rcx, 0x123(%rax)");
EXCEPTION(code_pf_stack, "mov $0xc0001000, %esp\n", "mov 0xc8(%rsp), %rcx");
EXCEPTION(code_pf_protection, "", "movl $1, " S_SHARED);

static void undefined_opcode(void)
{
	struct guest guest;

	guest_begin(&guest, code_ud);
	run(&guest, &(struct expected){ 6, 0, 0 });
}

static void breakpoint(void)
{
	struct guest guest;

	guest_begin(&guest, code_bp);
	run(&guest, &(struct expected){ 3, 0, 1 });
}

static void divide_error(void)
{
	struct guest guest;

	guest_begin(&guest, code_de);
	run(&guest, &(struct expected){ 0, 0, 0 });
}

static void software_interrupt(void)
{
	struct guest guest;

	guest_begin(&guest, code_int);
	run(&guest, &(struct expected){ 0x1f, 0, 2 });
}

static void unknown_msr_read(void)
{
	struct guest guest;

	guest_begin(&guest, code_rdmsr);
	run(&guest, &(struct expected){ 13, 0, 0 });
}

static void unknown_msr_write(void)
{
	struct guest guest;

	guest_begin(&guest, code_wrmsr);
	run(&guest, &(struct expected){ 13, 0, 0 });
}

static void bad_selector(void)
{
	struct guest guest;

	guest_begin(&guest, code_selector);
	run(&guest, &(struct expected){ 13, 0x1238, 0 });
}

static void reserved_bit_of_cr4(void)
{
	struct guest guest;

	guest_begin(&guest, code_cr4);
	run(&guest, &(struct expected){ 13, 0, 0 });
	EXPECT_EQ(X86_CR4_PAE, guest_sregs(&guest, 0).cr4);
}

static void noncanonical_address(void)
{
	struct guest guest;

	guest_begin(&guest, code_noncanonical);
	run(&guest, &(struct expected){ 13, 0, 0 });
}

static void device_not_available(void)
{
	struct guest guest;

	guest_begin(&guest, code_nm);
	run(&guest, &(struct expected){ 7, 0, 0 });
}

/* The last GiB of the map is taken away: four directories, the last one's pointer. */
static void unmap_last_gib(struct guest *guest)
{
	uint64_t *pointers = guest_at(guest, GUEST_TABLES + 0x1000, 0x1000);

	pointers[3] = 0;
}

static void page_fault_read(void)
{
	struct kvm_sregs sregs;
	struct guest guest;
	struct trap trap;

	guest_begin(&guest, code_pf_read);
	unmap_last_gib(&guest);
	sregs = guest_sregs(&guest, 0);
	sregs.cr2 = 0x77;
	REQUIRE_OK(vcpu_set_sregs(&guest.vcpu[0], &sregs));
	trap = run(&guest, &(struct expected){ 14, 0, 0 });
	EXPECT_EQ(0xc0000123, trap.cr2);
	EXPECT_EQ(0x77, guest_regs(&guest, 0).rdx);
	EXPECT_EQ(0xc0000123, guest_sregs(&guest, 0).cr2);
}

static void page_fault_write(void)
{
	struct guest guest;
	struct trap trap;

	guest_begin(&guest, code_pf_write);
	unmap_last_gib(&guest);
	trap = run(&guest, &(struct expected){ 14, 2, 0 });
	EXPECT_EQ(0xc0000123, trap.cr2);
}

/* A page of its own for what is written, which the tables allow to read only. */
static void page_fault_protection(void)
{
	uint64_t *directory, *table, i;
	struct kvm_sregs sregs;
	struct guest guest;
	struct trap trap;

	guest_begin(&guest, code_pf_protection);
	directory = guest_at(&guest, GUEST_TABLES + 0x2000, 0x1000);
	table = guest_at(&guest, GUEST_DATA, 0x1000);
	for (i = 0; i < 512; i++)
		table[i] = i << 12 | X86_PTE_P | X86_PTE_W;
	table[GUEST_SHARED >> 12] &= ~X86_PTE_W;
	directory[0] = GUEST_DATA | X86_PTE_P | X86_PTE_W;
	sregs = guest_sregs(&guest, 0);
	sregs.cr0 |= X86_CR0_WP;
	REQUIRE_OK(vcpu_set_sregs(&guest.vcpu[0], &sregs));
	trap = run(&guest, &(struct expected){ 14, 3, 0 });
	EXPECT_EQ(GUEST_SHARED, trap.cr2);
	EXPECT_EQ(0, *guest_shared(&guest));
}

/*
 * A page fault whose frame cannot be stored is a double fault, which gets a stack of its own.  The
 * task state's first such stack is at byte 36; in the gate it is named by byte 4.
 */
static void double_fault(void)
{
	uint64_t stack = GUEST_STACKS - GUEST_STACK_SIZE;
	struct kvm_sregs sregs;
	struct guest guest;
	struct trap trap;
	uint64_t *idt;

	guest_begin(&guest, code_pf_stack);
	unmap_last_gib(&guest);
	idt = guest_at(&guest, GUEST_IDT, 32 * 16);
	idt[2 * 8] |= 1ULL << 32;
	memcpy(guest_at(&guest, GUEST_TSS + 36, 8), &stack, 8);
	sregs = guest_sregs(&guest, 0);
	sregs.tr.base = GUEST_TSS;
	sregs.tr.selector = SEL_TSS;
	REQUIRE_OK(vcpu_set_sregs(&guest.vcpu[0], &sregs));
	trap = run(&guest, &(struct expected){ 8, 0, 0 });
	EXPECT_EQ(0xc0001000, trap.rsp);
	EXPECT_EQ(0xc0000ff8, trap.cr2);
}

/* Many in a row: each is delivered once. */
guest_code(code_many, 64,
	   "1: mov $2f - 1b + " S_CODE ", %r15d\n"
	   "mov $20, %ecx\n"
	   "3: ud2\n"
	   "2: dec %ecx\n"
	   "jnz 3b\n"
	   "hlt\n");

static void many(void)
{
	struct guest guest;
	int i;

	guest_begin(&guest, code_many);
	guest_run_to_hlt(&guest, 0);
	EXPECT_EQ(20, guest_nr_traps(&guest));
	for (i = 0; i < 20; i++)
		EXPECT_EQ(6, guest_trap(&guest, i).vector);
}

/* In user mode, with alignment checks on. */
guest_code(code_misaligned, 64,
	   "mov (%rdi), %eax\n"
	   "ud2\n");

static struct trap misaligned(struct guest *guest, uint64_t address)
{
	uint64_t stack = GUEST_STACKS;
	struct kvm_sregs sregs;
	struct kvm_regs regs;

	guest_begin(guest, code_misaligned);
	sregs = guest_sregs(guest, 0);
	sregs.cr0 |= X86_CR0_AM;
	sregs.cs.dpl = 3;
	sregs.cs.selector |= 3;
	sregs.ss.dpl = 3;
	sregs.ss.selector |= 3;
	REQUIRE_OK(vcpu_set_sregs(&guest->vcpu[0], &sregs));
	/* The stack of the kernel, in the task state segment. */
	memcpy(guest_at(guest, sregs.tr.base + 4, 8), &stack, 8);
	regs = guest_regs(guest, 0);
	regs.rdi = address;
	regs.rflags |= X86_RFLAGS_AC;
	REQUIRE_OK(vcpu_set_regs(&guest->vcpu[0], &regs));
	if (guest_run(guest, 0) != KVM_EXIT_HLT)
		return (struct trap){};
	EXPECT_EQ(1, guest_nr_traps(guest));
	return guest_trap(guest, 0);
}

static bool is_alignment_check(const struct trap *trap)
{
	return trap->vector == 17 && trap->error == 0 && trap->rip == GUEST_CODE;
}

/* By the processor on memory, and by the emulator on a device. */
static void alignment_check(void)
{
	struct guest guest;
	struct trap trap;

	trap = misaligned(&guest, GUEST_SHARED + 4);
	EXPECT_EQ(6, trap.vector);
	guest_destroy(&guest);
	/* QEMU 7.2 has no alignment checks. */
	if (!host_is_qemu()) {
		trap = misaligned(&guest, GUEST_SHARED + 2);
		EXPECT(is_alignment_check(&trap), "vector %u", (unsigned int)trap.vector);
		guest_destroy(&guest);
	}
	trap = misaligned(&guest, GUEST_MEM_SIZE + 2);
	EXPECT_OR_DIFFERS(&guest.dev, "of_a_device", is_alignment_check(&trap), "vector %u",
			  (unsigned int)trap.vector);
}

static const struct ktap_test tests[] = {
	KTAP_TEST(undefined_opcode),
	KTAP_TEST(breakpoint),
	KTAP_TEST(divide_error),
	KTAP_TEST(software_interrupt),
	KTAP_TEST(unknown_msr_read),
	KTAP_TEST(unknown_msr_write),
	KTAP_TEST(bad_selector),
	KTAP_TEST(reserved_bit_of_cr4),
	KTAP_TEST(noncanonical_address),
	KTAP_TEST(device_not_available),
	KTAP_TEST(page_fault_read),
	KTAP_TEST(page_fault_write),
	KTAP_TEST(page_fault_protection),
	KTAP_TEST(double_fault),
	KTAP_TEST(many),
	KTAP_TEST(alignment_check),
};

KTAP_MAIN(tests)
