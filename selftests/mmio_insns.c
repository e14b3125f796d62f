// SPDX-License-Identifier: GPL-2.0-only
/*
 * What instructions do to a device behind memory accesses: faults, the stack, strings, locks, each
 * mode of the processor, and what nobody emulates.
 */
#include <errno.h>
#include <linux/kvm.h>
#include <string.h>

#include "lib/cpuid.h"
#include "lib/host.h"
#include "lib/mmio.h"

guest_code(code_absent, 64,
	   "lea 1f(%rip), %r15\n"
	   "movq $0, (%rdi)\n"
	   "1: hlt\n");

/* The second page is not there: a page fault, and the device sees nothing. */
static void fault_before_the_device(void)
{
	uint64_t *directory, second = DEVICE + 0x200000;
	struct trap trap;

	start(code_absent, MODE_LONG);
	guest_enable_traps(&guest, 0);
	directory = guest_at(&guest, GUEST_TABLES + 0x2000, 0x1000);
	directory[second >> 21] = 0;
	set_rdi(second - 3);
	run_to_hlt();
	EXPECT_EQ(0, nr_pieces);
	EXPECT_EQ(1, guest_nr_traps(&guest));
	trap = guest_trap(&guest, 0);
	EXPECT_EQ(14, trap.vector);
	EXPECT_EQ(2, trap.error);
	EXPECT_EQ(second, trap.cr2);
}

guest_code(code_push, 64,
	   "lea 1f(%rip), %r15\n"
	   "push (%rdi)\n"
	   "mov %rsp, %rbx\n"
	   "mov $0x800100, %esp\n"
	   "push (%rdi)\n"
	   "1: hlt\n");

/* The handler of page faults has a stack of its own: the first of the interrupt stack table. */
static void use_own_stack_for_faults(void)
{
	uint64_t *idt = guest_at(&guest, GUEST_IDT, 32 * 16);
	uint64_t stack = GUEST_STACKS - 0x200;

	memcpy(guest_at(&guest, guest_sregs(&guest, 0).tr.base + 0x24, 8), &stack, 8);
	idt[2 * 14] |= 1ULL << 32;
}

/* PUSH of the device's word, which is read; and once more, onto a stack that is not there. */
static void push_and_its_stack(void)
{
	uint64_t *directory;
	struct trap trap;

	start(code_push, MODE_LONG);
	guest_enable_traps(&guest, 0);
	use_own_stack_for_faults();
	directory = guest_at(&guest, GUEST_TABLES + 0x2000, 0x1000);
	directory[0x800000 >> 21] = 0;
	set_rdi(DEVICE + 8);
	run_to_hlt();
	EXPECT_EQ(8, pieces[0].offset);
	EXPECT_EQ(8, pieces[0].len);
	EXPECT_OR_DIFFERS(&guest.dev, "push_reads_before_its_fault", nr_pieces == 1, "%u pieces",
			  nr_pieces);
	EXPECT_EQ(GUEST_STACKS - 8, guest_regs(&guest, 0).rbx);
	EXPECT_EQ(*(uint64_t *)(device + 8), *(uint64_t *)guest_at(&guest, GUEST_STACKS - 8, 8));
	EXPECT_EQ(1, guest_nr_traps(&guest));
	trap = guest_trap(&guest, 0);
	EXPECT_EQ(14, trap.vector);
	EXPECT_EQ(2, trap.error);
	EXPECT_EQ(0x8000f8, trap.cr2);
}

guest_code(code_string, 64,
	   "mov $5, %ecx\n"
	   "mov $" S_SHARED ", %esi\n"
	   "rep movsb\n"
	   "mov $2, %ecx\n"
	   "mov $0x01020304, %eax\n"
	   "rep stosl\n"
	   "mov $" S_DEVICE ", %esi\n"
	   "mov $" S_SHARED " + 0x100, %edi\n"
	   "mov $3, %ecx\n"
	   "rep movsw\n"
	   "hlt\n");

/* An element a time, the counts and pointers as on memory. */
static void strings(void)
{
	struct kvm_regs regs;

	start(code_string, MODE_LONG);
	memcpy(guest_at(&guest, GUEST_SHARED, 5), "hello", 5);
	set_rdi(DEVICE);
	run_to_hlt();
	expect_pieces({ 0, 1, true }, { 1, 1, true }, { 2, 1, true }, { 3, 1, true },
		      { 4, 1, true }, { 5, 4, true }, { 9, 4, true }, { 0, 2, false },
		      { 2, 2, false }, { 4, 2, false });
	EXPECT(!memcmp(device, "hello\x04\x03\x02\x01\x04\x03\x02\x01", 13), "the device's bytes");
	EXPECT(!memcmp(guest_at(&guest, GUEST_SHARED + 0x100, 6), "hello\x04", 6), "the guest's");
	regs = guest_regs(&guest, 0);
	EXPECT_EQ(0, regs.rcx);
	EXPECT_EQ(DEVICE + 6, regs.rsi);
	EXPECT_EQ(GUEST_SHARED + 0x106, regs.rdi);
}

guest_code(code_locked, 64,
	   "mov (%rdi), %eax\n"
	   "mov $0x55, %ebx\n"
	   "lock cmpxchg %ebx, (%rdi)\n"
	   "setz %dl\n"
	   "lock incl (%rdi)\n"
	   "lock btsl $31, (%rdi)\n"
	   "xchg %ebx, (%rdi)\n"
	   "hlt\n");

/* A device has no bus lock: a read and a write. */
static void locked(void)
{
	struct kvm_regs regs;

	start(code_locked, MODE_LONG);
	set_rdi(DEVICE);
	run_to_hlt();
	regs = guest_regs(&guest, 0);
	EXPECT_EQ(1, regs.rdx & 0xff);
	EXPECT_EQ(0x80000056, regs.rbx);
	EXPECT_EQ(0x55, *(uint32_t *)device);
	EXPECT_EQ(9, nr_pieces);
}

guest_code(code_real, 16,
	   "mov $0x1234, %ax\n"
	   "mov %ax, (%bx)\n"
	   "mov 1(%bx), %cl\n"
	   "hlt\n");

static void real_mode(void)
{
	struct kvm_sregs sregs;

	start(code_real, MODE_REAL);
	sregs = guest_sregs(&guest, 0);
	sregs.ds.base = DEVICE + 0x40;
	REQUIRE_OK(vcpu_set_sregs(&guest.vcpu[0], &sregs));
	run_to_hlt();
	expect_pieces({ 0x40, 2, true }, { 0x41, 1, false });
	EXPECT_EQ(0x12, guest_regs(&guest, 0).rcx & 0xff);
}

guest_code(code_32, 32,
	   "movl $0xabcdef01, " S_DEVICE " + 0x80\n"
	   "mov $" S_DEVICE ", %ebp\n"
	   "addl $0x1000, 0x80(%ebp)\n"
	   "mov %gs:0x80, %eax\n"
	   "hlt\n");

static void in_32_bits(enum cpu_mode mode)
{
	struct kvm_sregs sregs;

	start(code_32, mode);
	sregs = guest_sregs(&guest, 0);
	sregs.gs.base = DEVICE;
	REQUIRE_OK(vcpu_set_sregs(&guest.vcpu[0], &sregs));
	run_to_hlt();
	expect_pieces({ 0x80, 4, true }, { 0x80, 4, false }, { 0x80, 4, true }, { 0x80, 4, false });
	EXPECT_EQ(0xabcdff01, guest_regs(&guest, 0).rax);
}

static void protected_32(void)
{
	in_32_bits(MODE_PROT32);
}

static void paging_32(void)
{
	in_32_bits(MODE_PAGED32);
}

static void paging_pae(void)
{
	in_32_bits(MODE_PAE);
}

static void compatibility(void)
{
	in_32_bits(MODE_COMPAT);
}

guest_code(code_unknown, 64,
	   "addps (%rdi), %xmm0\n"
	   "hlt\n");

/* What no one emulates: its bytes, and the guest stands where it stood. */
static void unknown_instruction(void)
{
	struct kvm_run *run;

	start(code_unknown, MODE_LONG);
	enable_sse();
	run = guest.vcpu[0].run;
	set_rdi(DEVICE);
	guest_run(&guest, 0);
	guest_expect_exit(&guest, 0, KVM_EXIT_INTERNAL_ERROR);
	EXPECT_EQ(KVM_INTERNAL_ERROR_EMULATION, run->emulation_failure.suberror);
	EXPECT_EQ(GUEST_CODE, guest_regs(&guest, 0).rip);
	EXPECT(run->emulation_failure.flags & KVM_INTERNAL_ERROR_EMULATION_FLAG_INSTRUCTION_BYTES,
	       "no bytes");
	EXPECT(run->emulation_failure.insn_size >= 3 &&
		       !memcmp(run->emulation_failure.insn_bytes, code_unknown, 3),
	       "other bytes");
	EXPECT(run->emulation_failure.ndata >= 3, "%u words", run->emulation_failure.ndata);
}

static void exit_on_failure_can_be_asked_for(void)
{
	guest_create(&guest, 1);
	EXPECT_EQ(1, kvm_dev_extension(&guest.dev, KVM_CAP_EXIT_ON_EMULATION_FAILURE));
	EXPECT_ERRNO(0, vm_enable_cap(&guest.vm, KVM_CAP_EXIT_ON_EMULATION_FAILURE, 1));
	EXPECT_ERRNO(0, vm_enable_cap(&guest.vm, KVM_CAP_EXIT_ON_EMULATION_FAILURE, 0));
	EXPECT_ERRNO(EINVAL, vm_enable_cap(&guest.vm, KVM_CAP_EXIT_ON_EMULATION_FAILURE, 2));
}

guest_code(code_read_to_memory, 64,
	   "mov $" S_DEVICE ", %esi\n"
	   "movsb\n"
	   "hlt\n");

static unsigned int set_width_of_addresses(unsigned int bits)
{
	struct cpuid cpuid;
	struct kvm_cpuid_entry2 *entry;
	unsigned int former;

	REQUIRE_OK(cpuid_get_supported(&cpuid, &guest.dev));
	entry = cpuid_find(&cpuid, 0x80000008, 0);
	REQUIRE(entry, "no leaf 0x80000008");
	former = entry->eax & 0xff;
	entry->eax = (entry->eax & ~0xffU) | bits;
	REQUIRE_OK(cpuid_set(&guest.vcpu[0], &cpuid));
	return former;
}

/*
 * An address that is too wide for the guest's processor, but not for the host's: where mkvm walks
 * the tables, it is a reserved bit.
 */
static void width_of_addresses(void)
{
	const uint64_t to = 0x800000;
	uint64_t *directory;
	unsigned int width;
	struct trap trap;

	start(code_read_to_memory, MODE_LONG);
	guest_enable_traps(&guest, 0);
	width = set_width_of_addresses(36);
	if (width <= 36)
		ktap_skip("the host's addresses are no wider");
	directory = guest_at(&guest, GUEST_TABLES + 0x2000, 0x1000);
	directory[to >> 21] |= 1UL << (width - 1);
	set_rdi(to);
	run_to_hlt();
	EXPECT_EQ(1, guest_nr_traps(&guest));
	trap = guest_trap(&guest, 0);
	EXPECT_EQ(14, trap.vector);
	EXPECT_EQ(0xb, trap.error); /* present, a write, a reserved bit */
	EXPECT_EQ(to, trap.cr2);
}

/* Widths that no processor has: nothing is reserved for them that an entry has room for. */
static void width_beyond_all(void)
{
	static const unsigned int widths[] = { 52, 53, 63, 64, 65, 100, 255 };
	struct kvm_regs regs;
	unsigned int i;

	for (i = 0; i < sizeof(widths) / sizeof(widths[0]); i++) {
		start(code_read_to_memory, MODE_LONG);
		guest_enable_traps(&guest, 0);
		set_width_of_addresses(widths[i]);
		device[0] = 0x5a;
		set_rdi(GUEST_SHARED);
		run_to_hlt();
		EXPECT_EQ(0, guest_nr_traps(&guest));
		EXPECT_EQ(0x5a, *guest_shared(&guest) & 0xff);
		regs = guest_regs(&guest, 0);
		EXPECT_EQ(GUEST_SHARED + 1, regs.rdi);
		guest_destroy(&guest);
	}
}

guest_code(code_stack_segment, 64,
	   "mov (%rdi), %ds\n"
	   "mov (%rdi), %ss\n"
	   "mov (%rdi), %ss\n"
	   "hlt\n");

/* Executes one load by the device, and no instruction more. */
static uint8_t shadow_after_load(void)
{
	struct kvm_vcpu_events events;
	struct kvm_run *run = guest.vcpu[0].run;
	uint64_t rip = guest_regs(&guest, 0).rip;

	guest_run(&guest, 0);
	serve();
	run->immediate_exit = 1;
	EXPECT_ERRNO(EINTR, vcpu_run(&guest.vcpu[0]));
	run->immediate_exit = 0;
	EXPECT_EQ(rip + 2, guest_regs(&guest, 0).rip);
	REQUIRE_OK(vcpu_call(&guest.vcpu[0], KVM_GET_VCPU_EVENTS, &events));
	return events.interrupt.shadow;
}

/*
 * After a load of SS interrupts wait for one instruction.  Of two in a row only the first has this
 * effect; QEMU's processor has forgotten by then.
 */
static void shadow_of_the_stack_segment(void)
{
	uint16_t selector = SEL_DATA;

	start(code_stack_segment, MODE_LONG);
	memcpy(device, &selector, sizeof(selector));
	set_rdi(DEVICE);
	EXPECT_EQ(0, shadow_after_load());
	EXPECT(shadow_after_load() & KVM_X86_SHADOW_INT_MOV_SS, "SS was loaded");
	EXPECT(host_is_qemu() || shadow_after_load() == 0, "SS was loaded before");
	run_to_hlt();
	EXPECT_EQ(SEL_DATA, guest_sregs(&guest, 0).ss.selector);
}

guest_code(code_stack_segment_stepped, 64,
	   "lea 1f(%rip), %r15\n"
	   "pushfq\n"
	   "orq $0x100, (%rsp)\n"
	   "popfq\n"
	   "mov (%rdi), %ss\n"
	   "nop\n"
	   "1: hlt\n");

/* So does a single step: the first is over behind the next instruction. */
static void step_over_the_stack_segment(void)
{
	uint16_t selector = SEL_DATA;
	struct trap trap;

	start(code_stack_segment_stepped, MODE_LONG);
	guest_enable_traps(&guest, 0);
	memcpy(device, &selector, sizeof(selector));
	set_rdi(DEVICE);
	run_to_hlt();
	trap = guest_trap(&guest, 0);
	EXPECT_EQ(1, trap.vector);
	EXPECT_OR_DIFFERS(&guest.dev, "step_in_the_shadow",
			  guest_nr_traps(&guest) == 1 && trap.rip == guest_regs(&guest, 0).r15,
			  "%llu traps, the first at %llx",
			  (unsigned long long)guest_nr_traps(&guest), (unsigned long long)trap.rip);
}

static const struct ktap_test tests[] = {
	KTAP_TEST(fault_before_the_device),
	KTAP_TEST(push_and_its_stack),
	KTAP_TEST(strings),
	KTAP_TEST(locked),
	KTAP_TEST(real_mode),
	KTAP_TEST(protected_32),
	KTAP_TEST(paging_32),
	KTAP_TEST(paging_pae),
	KTAP_TEST(compatibility),
	KTAP_TEST(width_of_addresses),
	KTAP_TEST(width_beyond_all),
	KTAP_TEST(shadow_of_the_stack_segment),
	KTAP_TEST(step_over_the_stack_segment),
	KTAP_TEST(unknown_instruction),
	KTAP_TEST(exit_on_failure_can_be_asked_for),
};

KTAP_MAIN(tests)
