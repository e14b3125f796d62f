// SPDX-License-Identifier: GPL-2.0-only
/*
 * What brings KVM_RUN back: port I/O, HLT, shutdown, a failed entry, an access without memory,
 * signals; and how an exit is completed.
 */
#include <errno.h>
#include <linux/kvm.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "lib/guest.h"

static void start(struct guest *guest, enum cpu_mode mode)
{
	guest_create(guest, 1);
	guest_start(guest, 0, mode);
}

static void expect_port(struct guest *guest, int direction, uint8_t size, uint16_t port)
{
	struct kvm_run *run = guest->vcpu[0].run;

	guest_run(guest, 0);
	guest_expect_exit(guest, 0, KVM_EXIT_IO);
	EXPECT_EQ(direction, run->io.direction);
	EXPECT_EQ(size, run->io.size);
	EXPECT_EQ(port, run->io.port);
	EXPECT_EQ(1, run->io.count);
	REQUIRE(run->io.data_offset >= sizeof(*run) &&
			run->io.data_offset + 4 <= guest->dev.run_size,
		"data offset 0x%llx", run->io.data_offset);
}

guest_code(code_out, 64,
	   "mov $0x1122334455667788, %rax\n"
	   "out %al, $0x10\n"
	   "mov $0x1234, %edx\n"
	   "out %ax, %dx\n"
	   "mov $0xffff, %edx\n"
	   "out %eax, %dx\n"
	   "hlt\n");

static uint32_t port_data(const struct guest *guest, size_t size)
{
	uint32_t data = 0;

	memcpy(&data, vcpu_io_data(&guest->vcpu[0]), size);
	return data;
}

static void port_out(void)
{
	struct guest guest;

	start(&guest, MODE_LONG);
	guest_load(&guest, code_out);
	expect_port(&guest, KVM_EXIT_IO_OUT, 1, 0x10);
	EXPECT_EQ(0x88, port_data(&guest, 1));
	expect_port(&guest, KVM_EXIT_IO_OUT, 2, 0x1234);
	EXPECT_EQ(0x7788, port_data(&guest, 2));
	expect_port(&guest, KVM_EXIT_IO_OUT, 4, 0xffff);
	EXPECT_EQ(0x55667788, port_data(&guest, 4));
	guest_run_to_hlt(&guest, 0);
	EXPECT_EQ(0x1122334455667788, guest_regs(&guest, 0).rax);
}

guest_code(code_out_7e, 64,
	   "out %al, $0x7e\n"
	   "out %al, $0x10\n"
	   "hlt\n");

/* At one port's exit RIP is behind the instruction already, for QEMU's option ROM. */
static void port_out_is_past(void)
{
	struct guest guest;

	start(&guest, MODE_LONG);
	guest_load(&guest, code_out_7e);
	expect_port(&guest, KVM_EXIT_IO_OUT, 1, 0x7e);
	EXPECT_EQ(GUEST_CODE + 2, guest_regs(&guest, 0).rip);
	expect_port(&guest, KVM_EXIT_IO_OUT, 1, 0x10);
	EXPECT_EQ(GUEST_CODE + 2, guest_regs(&guest, 0).rip);
	guest_run_to_hlt(&guest, 0);
}

/* What waits for a write by another processor does not wait. */
guest_code(code_mwait, 64,
	   "lea " S_SHARED ", %rax\n"
	   "xor %ecx, %ecx\n"
	   "xor %edx, %edx\n"
	   "monitor\n"
	   "xor %eax, %eax\n"
	   "mwait\n"
	   "mov $1, %ebx\n"
	   "hlt\n");

static void monitor_and_mwait(void)
{
	struct guest guest;

	start(&guest, MODE_LONG);
	guest_load(&guest, code_mwait);
	guest_enable_traps(&guest, 0);
	guest_run_to_hlt(&guest, 0);
	EXPECT_EQ(0, guest_nr_traps(&guest));
	EXPECT_EQ(1, guest_regs(&guest, 0).rbx);
}

guest_code(code_in, 64,
	   "mov $0x1122334455667788, %rax\n"
	   "in $0x10, %al\n"
	   "mov %rax, %r8\n"
	   "mov $0x1234, %edx\n"
	   "in %dx, %ax\n"
	   "mov %rax, %r9\n"
	   "mov $0xffff, %edx\n"
	   "in %dx, %eax\n"
	   "hlt\n");

static void port_in(void)
{
	struct kvm_regs regs;
	struct guest guest;

	start(&guest, MODE_LONG);
	guest_load(&guest, code_in);
	expect_port(&guest, KVM_EXIT_IO_IN, 1, 0x10);
	memcpy(vcpu_io_data(&guest.vcpu[0]), "\xa1\xa2\xa3\xa4", 4);
	expect_port(&guest, KVM_EXIT_IO_IN, 2, 0x1234);
	memcpy(vcpu_io_data(&guest.vcpu[0]), "\xb1\xb2\xb3\xb4", 4);
	expect_port(&guest, KVM_EXIT_IO_IN, 4, 0xffff);
	memcpy(vcpu_io_data(&guest.vcpu[0]), "\xc1\xc2\xc3\xc4", 4);
	guest_run_to_hlt(&guest, 0);
	regs = guest_regs(&guest, 0);
	EXPECT_EQ(0x11223344556677a1, regs.r8);
	EXPECT_EQ(0x112233445566b2b1, regs.r9);
	/* A 32-bit result clears the upper half. */
	EXPECT_EQ(0xc4c3c2c1, regs.rax);
}

guest_code(code_out16, 16,
	   "mov $0x77, %al\n"
	   "out %al, $0x42\n"
	   "hlt\n");

static void port_out_in_real_mode(void)
{
	struct guest guest;

	start(&guest, MODE_REAL);
	guest_load(&guest, code_out16);
	expect_port(&guest, KVM_EXIT_IO_OUT, 1, 0x42);
	EXPECT_EQ(0x77, port_data(&guest, 1));
	guest_run_to_hlt(&guest, 0);
}

guest_code(code_in_twice, 64,
	   "xor %eax, %eax\n"
	   "in $0x10, %al\n"
	   "in $0x11, %al\n"
	   "hlt\n");

guest_code(code_in_moved, 64,
	   "in $0x10, %eax\n"
	   "out %al, $0x11\n"
	   "nop\n"
	   "hlt\n");

/* Where user space has moved RIP, what the last exit left to do is given up: nothing changes. */
static void instruction_given_up(void)
{
	struct kvm_regs regs;
	struct guest guest;

	start(&guest, MODE_LONG);
	guest_load(&guest, code_in_moved);
	expect_port(&guest, KVM_EXIT_IO_IN, 4, 0x10);
	memcpy(vcpu_io_data(&guest.vcpu[0]), "\xc1\xc2\xc3\xc4", 4);
	regs = guest_regs(&guest, 0);
	regs.rip = GUEST_CODE + 2;
	regs.rax = 0x1111;
	REQUIRE_OK(vcpu_set_regs(&guest.vcpu[0], &regs));
	expect_port(&guest, KVM_EXIT_IO_OUT, 1, 0x11);
	EXPECT_EQ(0x11, port_data(&guest, 1));
	EXPECT_EQ(0x1111, guest_regs(&guest, 0).rax);
	regs = guest_regs(&guest, 0);
	regs.rip = GUEST_CODE + 5;
	REQUIRE_OK(vcpu_set_regs(&guest.vcpu[0], &regs));
	guest_run_to_hlt(&guest, 0);
	EXPECT_EQ(GUEST_CODE + 6, guest_regs(&guest, 0).rip);
	EXPECT_EQ(0x1111, guest_regs(&guest, 0).rax);
}

/* immediate_exit: what the last exit left to do is done, no instruction more. */
static void immediate_exit_completes_a_port_read(void)
{
	struct kvm_regs before, after;
	struct guest guest;

	start(&guest, MODE_LONG);
	guest_load(&guest, code_in_twice);
	expect_port(&guest, KVM_EXIT_IO_IN, 1, 0x10);
	before = guest_regs(&guest, 0);
	*(uint8_t *)vcpu_io_data(&guest.vcpu[0]) = 0x5a;
	guest.vcpu[0].run->immediate_exit = 1;
	EXPECT_ERRNO(EINTR, vcpu_run(&guest.vcpu[0]));
	after = guest_regs(&guest, 0);
	EXPECT_EQ(0x5a, after.rax);
	EXPECT_EQ(GUEST_CODE + 4, after.rip);
	EXPECT(before.rip == GUEST_CODE + 2 || before.rip == GUEST_CODE + 4, "rip 0x%llx",
	       before.rip);
	/* Again: nothing is left to do. */
	EXPECT_ERRNO(EINTR, vcpu_run(&guest.vcpu[0]));
	EXPECT_EQ(GUEST_CODE + 4, guest_regs(&guest, 0).rip);
	guest.vcpu[0].run->immediate_exit = 0;
	expect_port(&guest, KVM_EXIT_IO_IN, 1, 0x11);
	*(uint8_t *)vcpu_io_data(&guest.vcpu[0]) = 0x6b;
	guest_run_to_hlt(&guest, 0);
	EXPECT_EQ(0x6b, guest_regs(&guest, 0).rax);
}

static void immediate_exit_runs_nothing(void)
{
	struct guest guest;

	start(&guest, MODE_LONG);
	guest_load(&guest, code_out);
	guest.vcpu[0].run->immediate_exit = 1;
	EXPECT_ERRNO(EINTR, vcpu_run(&guest.vcpu[0]));
	EXPECT_EQ(GUEST_CODE, guest_regs(&guest, 0).rip);
}

guest_code(code_hlt_twice, 64,
	   "mov $1, %eax\n"
	   "hlt\n"
	   "mov $2, %eax\n"
	   "hlt\n");

static void halt(void)
{
	struct guest guest;

	start(&guest, MODE_LONG);
	guest_load(&guest, code_hlt_twice);
	guest_run_to_hlt(&guest, 0);
	EXPECT_EQ(1, guest_regs(&guest, 0).rax);
	EXPECT_EQ(GUEST_CODE + 6, guest_regs(&guest, 0).rip);
	guest_run_to_hlt(&guest, 0);
	EXPECT_EQ(2, guest_regs(&guest, 0).rax);
}

guest_code(code_ud2, 64, "ud2");
guest_code(code_hlt, 64, "hlt");

/* An exception without an interrupt table: three faults in a row. */
static void triple_fault(void)
{
	struct kvm_sregs sregs;
	struct guest guest;

	start(&guest, MODE_LONG);
	sregs = guest_sregs(&guest, 0);
	sregs.idt.limit = 0;
	REQUIRE_OK(vcpu_set_sregs(&guest.vcpu[0], &sregs));
	guest_load(&guest, code_ud2);
	guest_run(&guest, 0);
	guest_expect_exit(&guest, 0, KVM_EXIT_SHUTDOWN);
}

/* Set up anew, a vCPU that was shut down runs again. */
static void life_after_shutdown(void)
{
	struct kvm_sregs sregs;
	struct guest guest;

	start(&guest, MODE_LONG);
	sregs = guest_sregs(&guest, 0);
	sregs.idt.limit = 0;
	REQUIRE_OK(vcpu_set_sregs(&guest.vcpu[0], &sregs));
	guest_load(&guest, code_ud2);
	guest_run(&guest, 0);
	guest_expect_exit(&guest, 0, KVM_EXIT_SHUTDOWN);
	guest_load(&guest, code_hlt);
	guest_start(&guest, 0, MODE_LONG);
	guest_run_to_hlt(&guest, 0);
}

/* A code segment that is 64-bit and 32-bit at once: no processor enters with it. */
static void impossible_state(void)
{
	struct kvm_sregs sregs;
	struct kvm_run *run;
	struct guest guest;
	uint64_t reason;

	start(&guest, MODE_LONG);
	guest_load(&guest, code_hlt);
	run = guest.vcpu[0].run;
	sregs = guest_sregs(&guest, 0);
	sregs.cs.db = 1;
	REQUIRE_OK(vcpu_set_sregs(&guest.vcpu[0], &sregs));
	guest_run(&guest, 0);
	guest_expect_exit(&guest, 0, KVM_EXIT_FAIL_ENTRY);
	/* VMX: "invalid guest state" with the bit for a failed entry; SVM: VMEXIT_INVALID. */
	reason = run->fail_entry.hardware_entry_failure_reason;
	EXPECT(reason == 0x80000021 || (uint32_t)reason == 0xffffffff, "hardware reason 0x%llx",
	       (unsigned long long)reason);
	/* The same again, not a loop; and set up anew, it runs. */
	guest_run(&guest, 0);
	guest_expect_exit(&guest, 0, KVM_EXIT_FAIL_ENTRY);
	guest_start(&guest, 0, MODE_LONG);
	guest_run_to_hlt(&guest, 0);
}

guest_code(code_touch, 64,
	   "movl $1, (%rdi)\n"
	   "hlt\n");
guest_code(code_read, 64,
	   "mov (%rdi), %eax\n"
	   "hlt\n");

/* Where there is no memory: an exit to user space. */
static void expect_no_memory(struct guest *guest)
{
	struct kvm_regs regs = guest_regs(guest, 0);

	regs.rdi = 2UL << 30;
	REQUIRE_OK(vcpu_set_regs(&guest->vcpu[0], &regs));
	guest_run(guest, 0);
	guest_expect_exit(guest, 0, KVM_EXIT_MMIO);
	EXPECT_EQ(2UL << 30, guest->vcpu[0].run->mmio.phys_addr);
	EXPECT_EQ(4, guest->vcpu[0].run->mmio.len);
}

static void write_without_memory(void)
{
	struct guest guest;

	start(&guest, MODE_LONG);
	guest_load(&guest, code_touch);
	expect_no_memory(&guest);
}

static void read_without_memory(void)
{
	struct guest guest;

	start(&guest, MODE_LONG);
	guest_load(&guest, code_read);
	expect_no_memory(&guest);
}

/* Code where there is no memory: no one can emulate what is not there, nor does stock kvm. */
static void fetch_without_memory(void)
{
	struct kvm_run *run;
	struct guest guest;

	start(&guest, MODE_LONG);
	guest_set_rip(&guest, 0, 2UL << 30);
	guest_run(&guest, 0);
	guest_expect_exit(&guest, 0, KVM_EXIT_INTERNAL_ERROR);
	run = guest.vcpu[0].run;
	EXPECT_EQ(KVM_INTERNAL_ERROR_EMULATION, run->internal.suberror);
	/* The flags are told nevertheless, and that there are no bytes. */
	EXPECT(run->emulation_failure.ndata >= 1 && run->emulation_failure.ndata <= 16, "%u words",
	       run->emulation_failure.ndata);
	EXPECT_EQ(0, run->emulation_failure.flags);
}

/* A VM without any memory: an exit. */
static void no_slots(void)
{
	struct kvm_dev dev;
	struct vcpu vcpu;
	struct vm vm;
	int err;

	device_open(&dev);
	REQUIRE_OK(vm_create(&vm, &dev, device_vm_type()));
	REQUIRE_OK(vcpu_create(&vcpu, &dev, &vm, 0));
	err = vcpu_run(&vcpu);
	EXPECT_OR_DIFFERS(&dev, "runs_without_memory", !err, "%s", strerror(-err));
	if (err)
		return;
	EXPECT(vcpu.run->exit_reason == KVM_EXIT_INTERNAL_ERROR ||
		       vcpu.run->exit_reason == KVM_EXIT_MMIO,
	       "exit %u", vcpu.run->exit_reason);
}

guest_code(code_loop, 64,
	   "1: incq " S_SHARED "\n"
	   "jmp 1b\n");

static void nothing(int signal)
{
	(void)signal;
}

struct kicker {
	pthread_t target;
	volatile uint64_t *word;
};

/* Kicks only once the guest is seen to run. */
static void *kick(void *data)
{
	struct kicker *kicker = data;
	uint64_t before = *kicker->word;

	while (*kicker->word == before)
		usleep(1000);
	pthread_kill(kicker->target, SIGUSR1);
	return NULL;
}

static void signal_ends_a_loop(void)
{
	struct sigaction action = { .sa_handler = nothing };
	struct kicker kicker = { .target = pthread_self() };
	pthread_t thread;
	struct guest guest;
	uint64_t count;
	int i;

	start(&guest, MODE_LONG);
	guest_load(&guest, code_loop);
	sigaction(SIGUSR1, &action, NULL);
	kicker.word = guest_shared(&guest);
	for (i = 0; i < 3; i++) {
		REQUIRE(!pthread_create(&thread, NULL, kick, &kicker));
		EXPECT_ERRNO(EINTR, vcpu_run(&guest.vcpu[0]));
		EXPECT_EQ(KVM_EXIT_INTR, guest.vcpu[0].run->exit_reason);
		REQUIRE(!pthread_join(thread, NULL));
		/* It really is out. */
		count = *guest_shared(&guest);
		usleep(10000);
		EXPECT_EQ(count, *guest_shared(&guest));
	}
}

static const struct ktap_test tests[] = {
	KTAP_TEST(port_out),
	KTAP_TEST(port_out_is_past),
	KTAP_TEST(monitor_and_mwait),
	KTAP_TEST(port_in),
	KTAP_TEST(port_out_in_real_mode),
	KTAP_TEST(instruction_given_up),
	KTAP_TEST(immediate_exit_completes_a_port_read),
	KTAP_TEST(immediate_exit_runs_nothing),
	KTAP_TEST(halt),
	KTAP_TEST(triple_fault),
	KTAP_TEST(life_after_shutdown),
	KTAP_TEST(impossible_state),
	KTAP_TEST(write_without_memory),
	KTAP_TEST(read_without_memory),
	KTAP_TEST(fetch_without_memory),
	KTAP_TEST(no_slots),
	KTAP_TEST(signal_ends_a_loop),
};

KTAP_MAIN(tests)
