// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM_EXIT_MMIO: what leaves the guest, in which pieces, and when it is complete.
 */
#include <errno.h>
#include <linux/kvm.h>
#include <linux/mkvm.h>
#include <signal.h>
#include <string.h>
#include <sys/time.h>

#include "lib/host.h"
#include "lib/mmio.h"
#include "lib/trace.h"

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

#define RF 0x10000

guest_code(code_repeat, 64,
	   "rep stosb\n"
	   "hlt\n");

/* While elements are left RF says that breakpoints on the instruction were seen to. */
static void resume_flag(void)
{
	struct kvm_regs regs;

	start(code_repeat, MODE_LONG);
	regs = guest_regs(&guest, 0);
	regs.rdi = DEVICE;
	regs.rcx = 3;
	regs.rflags |= RF;
	REQUIRE_OK(vcpu_set_regs(&guest.vcpu[0], &regs));
	while (guest_run(&guest, 0) == KVM_EXIT_MMIO) {
		serve();
		regs = guest_regs(&guest, 0);
		if (regs.rcx)
			EXPECT_EQ(RF, regs.rflags & RF);
	}
	guest_expect_exit(&guest, 0, KVM_EXIT_HLT);
	EXPECT_EQ(3, nr_pieces);
	EXPECT_EQ(0, guest_regs(&guest, 0).rflags & RF);
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

guest_code(code_user_in, 64,
	   "in $0x10, %al\n"
	   "hlt\n");

/*
 * May user mode use the port?  The processor looks it up in the task state segment, which goes on
 * in the device here.  That access is no instruction's: it ends in an answer, not in the kernel.
 */
static void permissions_in_the_device(void)
{
	uint64_t base = DEVICE - 0x80;
	struct kvm_sregs sregs;

	if (host_is_qemu())
		ktap_skip("QEMU aborts when its guest's VMRUN has such a bitmap");
	start(code_user_in, MODE_LONG);
	if (!kvm_dev_is_mkvm(&guest.dev))
		ktap_skip("kvm emulates the instruction at RIP");
	guest_enable_traps(&guest, 0);
	memcpy(guest_at(&guest, base, 0x80), guest_at(&guest, GUEST_TSS, 0x80), 0x68);
	*(uint64_t *)guest_at(&guest, base + 4, 8) = GUEST_STACKS;
	*(uint16_t *)guest_at(&guest, base + 0x66, 2) = 0x80;
	sregs = guest_sregs(&guest, 0);
	sregs.cs.dpl = 3;
	sregs.cs.selector |= 3;
	sregs.ss.dpl = 3;
	sregs.ss.selector |= 3;
	sregs.tr.base = base;
	sregs.tr.limit = 0x1fff;
	REQUIRE_OK(vcpu_set_sregs(&guest.vcpu[0], &sregs));
	guest_run(&guest, 0);
	guest_expect_exit(&guest, 0, KVM_EXIT_INTERNAL_ERROR);
	EXPECT_EQ(KVM_INTERNAL_ERROR_EMULATION, guest.vcpu[0].run->internal.suberror);
	EXPECT_EQ(GUEST_CODE, guest_regs(&guest, 0).rip);
	EXPECT_EQ(0, guest_nr_traps(&guest));
}

static const struct ktap_test tests[] = {
	KTAP_TEST(lengths),
	KTAP_TEST(sixteen_bytes),
	KTAP_TEST(page_crossing),
	KTAP_TEST(half_in_memory),
	KTAP_TEST(immediate_exit_completes_a_read),
	KTAP_TEST(immediate_exit_between_pieces),
	KTAP_TEST(write_is_done_when_it_leaves),
	KTAP_TEST(moved_meanwhile),
	KTAP_TEST(signals),
	KTAP_TEST(traced),
	KTAP_TEST(single_step),
	KTAP_TEST(resume_flag),
	KTAP_TEST(delivery_into_the_device),
	KTAP_TEST(permissions_in_the_device),
};

KTAP_MAIN(tests)
