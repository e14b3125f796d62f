// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM_EXIT_MMIO: what leaves the guest, in which pieces, and when it is complete.
 *
 * The device is what lies behind the guest's memory: DEVICE is the first address without a slot, so
 * that an operand can begin in memory and end in the device.
 */
#include <errno.h>
#include <linux/kvm.h>
#include <linux/mkvm.h>
#include <signal.h>
#include <string.h>
#include <sys/time.h>

#include "lib/guest.h"
#include "lib/trace.h"

#define DEVICE	    GUEST_MEM_SIZE
#define S_DEVICE    STRING(GUEST_MEM_SIZE)
#define DEVICE_SIZE 0x3000
#define MAX_LOG	    32

/* One exit. */
struct piece {
	uint64_t offset;
	uint32_t len;
	bool write;
};

static struct guest guest;
static uint8_t device[DEVICE_SIZE];
static struct piece pieces[MAX_LOG];
static unsigned int nr_pieces;

static void __start(const unsigned char *code, size_t size, enum cpu_mode mode)
{
	unsigned int i;

	guest_create(&guest, 1);
	__guest_load(&guest, code, size);
	guest_start(&guest, 0, mode);
	for (i = 0; i < DEVICE_SIZE; i++)
		device[i] = i * 7 + 1;
	nr_pieces = 0;
}

#define start(code, mode) __start(code, code##_end - code, mode)

/* The guest may use SSE. */
static void enable_sse(void)
{
	struct kvm_sregs sregs = guest_sregs(&guest, 0);

	sregs.cr4 |= X86_CR4_OSFXSR;
	REQUIRE_OK(vcpu_set_sregs(&guest.vcpu[0], &sregs));
}

static void set_rdi(uint64_t rdi)
{
	struct kvm_regs regs = guest_regs(&guest, 0);

	regs.rdi = rdi;
	REQUIRE_OK(vcpu_set_regs(&guest.vcpu[0], &regs));
}

/* The exit is the device's: does what it asks for, and notes it. */
static void serve(void)
{
	struct kvm_run *run = guest.vcpu[0].run;
	uint64_t offset = run->mmio.phys_addr - DEVICE;

	guest_expect_exit(&guest, 0, KVM_EXIT_MMIO);
	REQUIRE(offset < DEVICE_SIZE && run->mmio.len <= 8 && nr_pieces < MAX_LOG,
		"%u bytes at 0x%llx", run->mmio.len, (unsigned long long)run->mmio.phys_addr);
	pieces[nr_pieces++] = (struct piece){ offset, run->mmio.len, run->mmio.is_write };
	if (run->mmio.is_write)
		memcpy(device + offset, run->mmio.data, run->mmio.len);
	else
		memcpy(run->mmio.data, device + offset, run->mmio.len);
}

static void run_to_hlt(void)
{
	while (guest_run(&guest, 0) == KVM_EXIT_MMIO)
		serve();
	guest_expect_exit(&guest, 0, KVM_EXIT_HLT);
}

static void __expect_pieces(const struct piece *expected, unsigned int nr)
{
	unsigned int i;

	EXPECT_EQ(nr, nr_pieces);
	for (i = 0; i < nr && i < nr_pieces; i++)
		EXPECT(expected[i].offset == pieces[i].offset && expected[i].len == pieces[i].len &&
			       expected[i].write == pieces[i].write,
		       "piece %u: %s of %u bytes at 0x%llx", i, pieces[i].write ? "write" : "read",
		       pieces[i].len, (unsigned long long)pieces[i].offset);
}

#define expect_pieces(...)                                                            \
	do {                                                                          \
		const struct piece expected_[] = { __VA_ARGS__ };                     \
		__expect_pieces(expected_, sizeof(expected_) / sizeof(expected_[0])); \
	} while (0)

guest_code(code_lengths, 64,
	   "mov $0x1122334455667788, %rax\n"
	   "mov %al, (%rdi)\n"
	   "mov %ax, 0x10(%rdi)\n"
	   "mov %eax, 0x20(%rdi)\n"
	   "mov %rax, 0x30(%rdi)\n"
	   "mov 0x41(%rdi), %bl\n"
	   "movzwl 0x42(%rdi), %ecx\n"
	   "mov 0x44(%rdi), %edx\n"
	   "mov 0x48(%rdi), %rsi\n"
	   "movb $1, 0x50(%rdi)\n"
	   "movq $-1, 0x58(%rdi)\n"
	   "hlt\n");

/* As many bytes as the operand has. */
static void lengths(void)
{
	struct kvm_regs regs;

	start(code_lengths, MODE_LONG);
	set_rdi(DEVICE);
	run_to_hlt();
	expect_pieces({ 0, 1, true }, { 0x10, 2, true }, { 0x20, 4, true }, { 0x30, 8, true },
		      { 0x41, 1, false }, { 0x42, 2, false }, { 0x44, 4, false },
		      { 0x48, 8, false }, { 0x50, 1, true }, { 0x58, 8, true });
	regs = guest_regs(&guest, 0);
	EXPECT_EQ(0x1122334455667788, *(uint64_t *)(device + 0x30));
	EXPECT_EQ(0x55667788, *(uint32_t *)(device + 0x20));
	EXPECT_EQ(device[0x41], regs.rbx & 0xff);
	EXPECT_EQ(*(uint16_t *)(device + 0x42), regs.rcx);
	EXPECT_EQ(*(uint32_t *)(device + 0x44), regs.rdx);
	EXPECT_EQ(*(uint64_t *)(device + 0x48), regs.rsi);
	EXPECT_EQ(~0ull, *(uint64_t *)(device + 0x58));
}

guest_code(code_wide, 64,
	   "movdqu (%rdi), %xmm3\n"
	   "movdqu %xmm3, 0x20(%rdi)\n"
	   "hlt\n");

/* Sixteen bytes are twice eight. */
static void sixteen_bytes(void)
{
	start(code_wide, MODE_LONG);
	enable_sse();
	set_rdi(DEVICE + 0x100);
	run_to_hlt();
	expect_pieces({ 0x100, 8, false }, { 0x108, 8, false }, { 0x120, 8, true },
		      { 0x128, 8, true });
	EXPECT(!memcmp(device + 0x100, device + 0x120, 16), "the bytes differ");
}

guest_code(code_add, 64,
	   "mov $0x0101010101010101, %rax\n"
	   "add %rax, (%rdi)\n"
	   "hlt\n");

/* Each page by itself. */
static void page_crossing(void)
{
	uint64_t before;

	start(code_add, MODE_LONG);
	memcpy(&before, device + 0xffd, 8);
	set_rdi(DEVICE + 0xffd);
	run_to_hlt();
	expect_pieces({ 0xffd, 3, false }, { 0x1000, 5, false }, { 0xffd, 3, true },
		      { 0x1000, 5, true });
	EXPECT_EQ(before + 0x0101010101010101, *(uint64_t *)(device + 0xffd));
}

/* The first bytes are memory, the others are the device's. */
static void half_in_memory(void)
{
	uint8_t *memory, value[8];
	uint64_t sum = 0;

	start(code_add, MODE_LONG);
	memory = guest_at(&guest, DEVICE - 3, 3);
	memcpy(memory, "\x11\x22\x33", 3);
	memcpy(value, memory, 3);
	memcpy(value + 3, device, 5);
	set_rdi(DEVICE - 3);
	run_to_hlt();
	expect_pieces({ 0, 5, false }, { 0, 5, true });
	memcpy(&sum, value, 8);
	sum += 0x0101010101010101;
	memcpy(value, &sum, 8);
	EXPECT(!memcmp(value, memory, 3), "bytes in memory");
	EXPECT(!memcmp(value + 3, device, 5), "bytes in the device");
}

guest_code(code_read, 64,
	   "mov (%rdi), %rax\n"
	   "hlt\n");

/* A read has happened when KVM_RUN comes back, even if it was told to do nothing else. */
static void immediate_exit_completes_a_read(void)
{
	struct kvm_run *run;

	start(code_read, MODE_LONG);
	run = guest.vcpu[0].run;
	set_rdi(DEVICE + 0x200);
	guest_run(&guest, 0);
	serve();
	EXPECT_EQ(GUEST_CODE, guest_regs(&guest, 0).rip);
	run->immediate_exit = 1;
	EXPECT_ERRNO(EINTR, vcpu_run(&guest.vcpu[0]));
	EXPECT_EQ(*(uint64_t *)(device + 0x200), guest_regs(&guest, 0).rax);
	EXPECT_EQ(GUEST_CODE + 3, guest_regs(&guest, 0).rip);
	run->immediate_exit = 0;
	run_to_hlt();
}

/* As long as there are pieces, the next one comes. */
static void immediate_exit_between_pieces(void)
{
	struct kvm_run *run;

	start(code_read, MODE_LONG);
	run = guest.vcpu[0].run;
	set_rdi(DEVICE + 0xffc);
	guest_run(&guest, 0);
	serve();
	run->immediate_exit = 1;
	EXPECT_ERRNO(0, vcpu_run(&guest.vcpu[0]));
	serve();
	EXPECT_ERRNO(EINTR, vcpu_run(&guest.vcpu[0]));
	EXPECT_EQ(*(uint64_t *)(device + 0xffc), guest_regs(&guest, 0).rax);
	run->immediate_exit = 0;
	run_to_hlt();
	expect_pieces({ 0xffc, 4, false }, { 0x1000, 4, false });
}

guest_code(code_write, 64,
	   "movl $0x12345678, (%rdi)\n"
	   "hlt\n");

/* When a write leaves, its instruction is done. */
static void write_is_done_when_it_leaves(void)
{
	struct kvm_run *run;

	start(code_write, MODE_LONG);
	run = guest.vcpu[0].run;
	set_rdi(DEVICE);
	guest_run(&guest, 0);
	serve();
	EXPECT_EQ(GUEST_CODE + 6, guest_regs(&guest, 0).rip);
	run->immediate_exit = 1;
	EXPECT_ERRNO(EINTR, vcpu_run(&guest.vcpu[0]));
	EXPECT_EQ(GUEST_CODE + 6, guest_regs(&guest, 0).rip);
	run->immediate_exit = 0;
	run_to_hlt();
	expect_pieces({ 0, 4, true });
}

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
}

/* User space has sent the guest elsewhere meanwhile: the read is dropped. */
static void moved_meanwhile(void)
{
	struct kvm_regs regs;

	start(code_read, MODE_LONG);
	set_rdi(DEVICE);
	guest_run(&guest, 0);
	serve();
	regs = guest_regs(&guest, 0);
	regs.rip = GUEST_CODE + 3;
	regs.rax = 0x1111;
	REQUIRE_OK(vcpu_set_regs(&guest.vcpu[0], &regs));
	run_to_hlt();
	EXPECT_OR_DIFFERS(&guest.dev, "read_after_set_regs", guest_regs(&guest, 0).rax == 0x1111,
			  "rax 0x%llx", guest_regs(&guest, 0).rax);
}

guest_code(code_many, 64,
	   "mov $2000, %ecx\n"
	   "xor %eax, %eax\n"
	   "1: add (%rdi), %rax\n"
	   "mov %rax, 8(%rdi)\n"
	   "loop 1b\n"
	   "hlt\n");

static volatile unsigned int nr_signals;

static void count_signal(int signal)
{
	(void)signal;
	nr_signals++;
}

/* Signals come while the guest reads and writes a device: each access is had once. */
static void signals(void)
{
	struct sigaction action = { .sa_handler = count_signal };
	struct itimerval timer = { { 0, 3000 }, { 0, 3000 } };
	uint64_t reads = 0, sum = 0, last = 0, interrupted = 0;
	struct kvm_run *run;

	start(code_many, MODE_LONG);
	run = guest.vcpu[0].run;
	set_rdi(DEVICE);
	REQUIRE(!sigaction(SIGALRM, &action, NULL));
	REQUIRE(!setitimer(ITIMER_REAL, &timer, NULL));
	for (;;) {
		int err = vcpu_run(&guest.vcpu[0]);

		if (err == -EINTR) {
			interrupted++;
			continue;
		}
		REQUIRE(!err, "%s", strerror(-err));
		if (run->exit_reason != KVM_EXIT_MMIO)
			break;
		if (run->mmio.is_write) {
			memcpy(&last, run->mmio.data, 8);
			EXPECT_EQ(sum, last);
		} else {
			reads++;
			sum += reads;
			memcpy(run->mmio.data, &reads, 8);
		}
	}
	memset(&timer, 0, sizeof(timer));
	setitimer(ITIMER_REAL, &timer, NULL);
	guest_expect_exit(&guest, 0, KVM_EXIT_HLT);
	EXPECT_EQ(2000, reads);
	EXPECT_EQ(2000 * 2001 / 2, guest_regs(&guest, 0).rax);
	ktap_note("%u signals, %llu of them ended a run", nr_signals,
		  (unsigned long long)interrupted);
}

/* The trace and the counters tell of each: one cause an exit, one event a piece. */
static void traced(void)
{
	struct counts before, after;
	struct trace trace;

	start(code_add, MODE_LONG);
	if (!kvm_dev_is_mkvm(&guest.dev))
		ktap_skip("the counters are mkvm's own");
	if (!trace_available("mkvm", "mkvm_mmio"))
		ktap_skip("no tracing here");
	trace_start(&trace);
	trace_enable(&trace, "mkvm", "mkvm_mmio");
	trace_enable(&trace, "mkvm", "mkvm_emulate");
	guest_counts(&guest, 0, &before);
	set_rdi(DEVICE + 0xffd);
	run_to_hlt();
	guest_counts(&guest, 0, &after);
	EXPECT_EQ(1, after.sum.causes[MKVM_CAUSE_MMIO] - before.sum.causes[MKVM_CAUSE_MMIO]);
	EXPECT_EQ(2, trace_count(&trace, "mkvm_mmio", "read"));
	EXPECT_EQ(2, trace_count(&trace, "mkvm_mmio", "write"));
	EXPECT_EQ(1, trace_count(&trace, "mkvm_emulate", "48 01 07 status done"));
	EXPECT_EQ(1, trace_count(&trace, "mkvm_emulate", NULL));
	trace_stop(&trace);
}

guest_code(code_step, 64,
	   "pushfq\n"
	   "orl $0x100, (%rsp)\n"
	   "popfq\n"
	   "add %rax, (%rdi)\n"
	   "pushfq\n"
	   "hlt\n");

/* An emulated instruction that is single-stepped ends in a debug exception. */
static void single_step(void)
{
	uint64_t last = GUEST_CODE + (code_step_end - code_step) - 2;
	struct trap trap;

	start(code_step, MODE_LONG);
	guest_enable_traps(&guest, 0);
	set_rdi(DEVICE);
	while (guest_run(&guest, 0) == KVM_EXIT_MMIO)
		serve();
	EXPECT_EQ(2, nr_pieces);
	REQUIRE(guest_nr_traps(&guest) >= 1, "no debug exception");
	trap = guest_trap(&guest, 0);
	EXPECT_EQ(1, trap.vector);
	EXPECT_EQ(0x4000, trap.dr6 & 0x4000);
	EXPECT_OR_DIFFERS(&guest.dev, "single_step_of_a_device", trap.rip == last, "rip 0x%llx",
			  (unsigned long long)trap.rip);
}

guest_code(code_lost, 64, "ud2");

/* An exception whose frame would lie in the device: no instruction does that. */
static void delivery_into_the_device(void)
{
	struct kvm_regs regs;

	start(code_lost, MODE_LONG);
	if (!kvm_dev_is_mkvm(&guest.dev))
		ktap_skip("kvm emulates the instruction at RIP, for ever");
	guest_enable_traps(&guest, 0);
	regs = guest_regs(&guest, 0);
	regs.rsp = DEVICE + 0x800;
	REQUIRE_OK(vcpu_set_regs(&guest.vcpu[0], &regs));
	guest_run(&guest, 0);
	guest_expect_exit(&guest, 0, KVM_EXIT_INTERNAL_ERROR);
	EXPECT_EQ(KVM_INTERNAL_ERROR_DELIVERY_EV, guest.vcpu[0].run->internal.suberror);
	EXPECT_EQ(6, guest.vcpu[0].run->internal.data[0] & 0xff);
	EXPECT_EQ(GUEST_CODE, guest_regs(&guest, 0).rip);
}

static void exit_on_failure_can_be_asked_for(void)
{
	guest_create(&guest, 1);
	EXPECT_EQ(1, kvm_dev_extension(&guest.dev, KVM_CAP_EXIT_ON_EMULATION_FAILURE));
	EXPECT_ERRNO(0, vm_enable_cap(&guest.vm, KVM_CAP_EXIT_ON_EMULATION_FAILURE, 1));
	EXPECT_ERRNO(0, vm_enable_cap(&guest.vm, KVM_CAP_EXIT_ON_EMULATION_FAILURE, 0));
	EXPECT_ERRNO(EINVAL, vm_enable_cap(&guest.vm, KVM_CAP_EXIT_ON_EMULATION_FAILURE, 2));
}

static const struct ktap_test tests[] = {
	KTAP_TEST(lengths),
	KTAP_TEST(sixteen_bytes),
	KTAP_TEST(page_crossing),
	KTAP_TEST(half_in_memory),
	KTAP_TEST(immediate_exit_completes_a_read),
	KTAP_TEST(immediate_exit_between_pieces),
	KTAP_TEST(write_is_done_when_it_leaves),
	KTAP_TEST(fault_before_the_device),
	KTAP_TEST(push_and_its_stack),
	KTAP_TEST(strings),
	KTAP_TEST(locked),
	KTAP_TEST(real_mode),
	KTAP_TEST(protected_32),
	KTAP_TEST(paging_32),
	KTAP_TEST(paging_pae),
	KTAP_TEST(compatibility),
	KTAP_TEST(unknown_instruction),
	KTAP_TEST(moved_meanwhile),
	KTAP_TEST(signals),
	KTAP_TEST(traced),
	KTAP_TEST(single_step),
	KTAP_TEST(delivery_into_the_device),
	KTAP_TEST(exit_on_failure_can_be_asked_for),
};

KTAP_MAIN(tests)
