// SPDX-License-Identifier: GPL-2.0-only
/*
 * Debug registers: the guest's breakpoints hit in the guest, keep over exits and apart between
 * vCPUs; breakpoints of the process that runs it work before and after, and never in the guest.
 */
#include <errno.h>
#include <linux/hw_breakpoint.h>
#include <linux/kvm.h>
#include <linux/perf_event.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/guest.h"
#include "lib/host.h"

#define VECTOR_DB   1
#define DR6_FIXED   0xffff0ff0
#define S_DR6_FIXED STRING(DR6_FIXED)
#define DR6_BS	    0x4000

/* An instruction breakpoint on the no-op: #DB before it, DR6 names DR0. */
guest_code(code_break, 64,
	   "1: mov $2f - 1b + " S_CODE ", %eax\n"
	   "mov %rax, %dr0\n"
	   "mov $3f - 1b + " S_CODE ", %r15d\n"
	   "mov $" S_DR6_FIXED ", %eax\n"
	   "mov %rax, %dr6\n"
	   "mov $0x401, %eax\n"
	   "mov %rax, %dr7\n"
	   "mov $1, %ebx\n"
	   "2: nop\n"
	   "mov $2, %ebx\n"
	   "3: mov %dr6, %r8\n"
	   "mov %dr7, %r9\n"
	   "mov $0x400, %eax\n"
	   "mov %rax, %dr7\n"
	   "hlt\n");

/*
 * QEMU's VMRUN and #VMEXIT load DR7 without the breakpoints that it enables: what a guest has set
 * on one processor is not set on another, and taking it away there, or twice, crashes QEMU.  So
 * there a guest stays where it is, takes away what it has set, and is alone in setting anything.
 */
static void stay_if_qemu(void)
{
	if (host_is_qemu())
		host_pin(0);
}

static void start(struct guest *guest)
{
	stay_if_qemu();
	guest_start(guest, 0, MODE_LONG);
	guest_enable_traps(guest, 0);
}

static void instruction_breakpoint(void)
{
	struct kvm_regs regs;
	struct guest guest;
	struct trap trap;

	guest_create(&guest, 1);
	guest_load(&guest, code_break);
	start(&guest);
	guest_run_to_hlt(&guest, 0);
	EXPECT_EQ(1, guest_nr_traps(&guest));
	trap = guest_trap(&guest, 0);
	EXPECT_EQ(VECTOR_DB, trap.vector);
	EXPECT_EQ(DR6_FIXED | 1, trap.dr6);
	regs = guest_regs(&guest, 0);
	EXPECT_EQ(1, regs.rbx);
	EXPECT_EQ(DR6_FIXED | 1, regs.r8);
	EXPECT_EQ(0x401, regs.r9);
}

/* A data breakpoint by DR1 on four bytes: #DB after the write. */
guest_code(code_watch, 64,
	   "1: mov $" S_SHARED " + 16, %eax\n"
	   "mov %rax, %dr1\n"
	   "mov $" S_DR6_FIXED ", %eax\n"
	   "mov %rax, %dr6\n"
	   "mov $0xd00404, %eax\n"
	   "mov %rax, %dr7\n"
	   "mov $3f - 1b + " S_CODE ", %r15d\n"
	   "movl $7, " S_SHARED " + 8\n"   /* beside it */
	   "mov " S_SHARED " + 16, %ebx\n" /* a read */
	   "movl $9, " S_SHARED " + 16\n"
	   "2: nop\n"
	   "3: mov $2b - 1b + " S_CODE ", %ecx\n"
	   "mov $0x400, %eax\n"
	   "mov %rax, %dr7\n"
	   "hlt\n");

static void data_breakpoint(void)
{
	struct guest guest;
	struct trap trap;

	guest_create(&guest, 1);
	guest_load(&guest, code_watch);
	start(&guest);
	guest_run_to_hlt(&guest, 0);
	EXPECT_EQ(1, guest_nr_traps(&guest));
	trap = guest_trap(&guest, 0);
	EXPECT_EQ(VECTOR_DB, trap.vector);
	EXPECT_EQ(DR6_FIXED | 2, trap.dr6);
	EXPECT_EQ(guest_regs(&guest, 0).rcx, trap.rip);
	EXPECT_EQ(9, guest_shared(&guest)[2]);
}

/*
 * The trap flag: #DB after the next instruction.  The handler returns with the flag still set, so
 * the instruction that it returns to traps as well; that one tells the handler to halt.
 */
guest_code(code_step, 64,
	   "1: mov $4f - 1b + " S_CODE ", %r15d\n"
	   "mov $" S_DR6_FIXED ", %eax\n"
	   "mov %rax, %dr6\n"
	   "mov $3f - 1b + " S_CODE ", %ecx\n"
	   "pushfq\n"
	   "orq $0x100, (%rsp)\n"
	   "popfq\n"
	   "inc %ebx\n"
	   "3: inc %ebx\n"
	   "4: xor %r15d, %r15d\n"
	   "inc %ebx\n");

static void single_step(void)
{
	struct kvm_regs regs;
	struct guest guest;
	struct trap trap;

	guest_create(&guest, 1);
	guest_load(&guest, code_step);
	start(&guest);
	guest_run_to_hlt(&guest, 0);
	regs = guest_regs(&guest, 0);
	EXPECT_EQ(2, guest_nr_traps(&guest));
	trap = guest_trap(&guest, 0);
	EXPECT_EQ(VECTOR_DB, trap.vector);
	EXPECT_EQ(DR6_FIXED | DR6_BS, trap.dr6);
	EXPECT_EQ(regs.rcx, trap.rip);
	trap = guest_trap(&guest, 1);
	EXPECT_EQ(VECTOR_DB, trap.vector);
	EXPECT_EQ(regs.rcx + 2 + 3, trap.rip);
	EXPECT_EQ(1, regs.rbx);
}

/* Loads DR0-DR3 and DR7 from registers, exits, reads them back. */
guest_code(code_keep, 64,
	   "mov %r8, %dr0\n"
	   "mov %r9, %dr1\n"
	   "mov %r10, %dr2\n"
	   "mov %r11, %dr3\n"
	   "mov %r12, %dr7\n"
	   "1: out %al, $" S_SYNC "\n"
	   "xor %r8d, %r8d\n"
	   "mov %r8, %r9\n"
	   "mov %r8, %r10\n"
	   "mov %r8, %r11\n"
	   "mov %r8, %r12\n"
	   "mov %dr0, %r8\n"
	   "mov %dr1, %r9\n"
	   "mov %dr2, %r10\n"
	   "mov %dr3, %r11\n"
	   "mov %dr7, %r12\n"
	   "jmp 1b\n");

static uint64_t all_enabled(void)
{
	return host_is_qemu() ? 0x400 : 0x455;
}

/* Linear addresses that nothing here executes or touches, all four enabled. */
static void set_registers(struct guest *guest, unsigned int cpu, uint64_t seed)
{
	struct kvm_regs regs = guest_regs(guest, cpu);

	regs.r8 = seed;
	regs.r9 = seed + 0x1000;
	regs.r10 = seed + 0x2000;
	regs.r11 = seed + 0x3000;
	regs.r12 = all_enabled();
	REQUIRE_OK(vcpu_set_regs(&guest->vcpu[cpu], &regs));
	guest_run_to_sync(guest, cpu);
}

static void expect_registers(struct guest *guest, unsigned int cpu, uint64_t seed)
{
	struct kvm_regs regs;

	guest_run_to_sync(guest, cpu);
	regs = guest_regs(guest, cpu);
	EXPECT_EQ(seed, regs.r8);
	EXPECT_EQ(seed + 0x1000, regs.r9);
	EXPECT_EQ(seed + 0x2000, regs.r10);
	EXPECT_EQ(seed + 0x3000, regs.r11);
	EXPECT_EQ(all_enabled(), regs.r12);
}

static void kept_over_exits(void)
{
	struct guest guest;
	int i;

	guest_create(&guest, 2);
	guest_load(&guest, code_keep);
	guest_start(&guest, 0, MODE_LONG);
	guest_start(&guest, 1, MODE_LONG);
	set_registers(&guest, 0, 0x700000);
	set_registers(&guest, 1, 0x7f0000000000);
	for (i = 0; i < 3; i++) {
		expect_registers(&guest, 0, 0x700000);
		expect_registers(&guest, 1, 0x7f0000000000);
	}
}

static int host_watch(void *address)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_BREAKPOINT,
		.size = sizeof(attr),
		.bp_type = HW_BREAKPOINT_W,
		.bp_addr = (uintptr_t)address,
		.bp_len = HW_BREAKPOINT_LEN_4,
		.exclude_kernel = 1,
		.exclude_hv = 1,
	};
	int fd = syscall(SYS_perf_event_open, &attr, 0, -1, -1, 0);

	REQUIRE(fd >= 0, "perf_event_open of a breakpoint: %s", strerror(errno));
	return fd;
}

static uint64_t host_hits(int fd)
{
	uint64_t hits;

	REQUIRE(read(fd, &hits, sizeof(hits)) == sizeof(hits), "%s", strerror(errno));
	return hits;
}

/* In the guest the same linear address is another thing. */
#define WATCHED	  GUEST_DATA
#define S_WATCHED STRING(WATCHED)
guest_code(code_write_watched, 64,
	   "mov $0x700000, %eax\n"
	   "mov %rax, %dr0\n"
	   "mov $0x401, %eax\n"
	   "mov %rax, %dr7\n"
	   "1: movl $1, " S_WATCHED "\n"
	   "out %al, $" S_SYNC "\n"
	   "jmp 1b\n");

static void breakpoints_of_the_process(void)
{
	volatile uint32_t *watched;
	struct guest guest;
	uint64_t hits;
	int fd, i;

	if (host_is_qemu())
		ktap_skip("QEMU crashes where a host's breakpoint meets a guest's");
	watched = mmap((void *)WATCHED, 0x1000, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	REQUIRE(watched == (void *)WATCHED, "mmap at 0x%x: %s", WATCHED, strerror(errno));
	guest_create(&guest, 1);
	guest_load(&guest, code_write_watched);
	start(&guest);
	*watched = 1;
	fd = host_watch((void *)watched);
	*watched = 2;
	EXPECT_EQ(1, host_hits(fd));
	for (i = 0; i < 3; i++) {
		hits = host_hits(fd);
		guest_run_to_sync(&guest, 0);
		EXPECT_EQ(hits, host_hits(fd));
		*watched = 3 + i;
		EXPECT_EQ(hits + 1, host_hits(fd));
	}
	EXPECT_EQ(0, guest_nr_traps(&guest));
}

static const struct ktap_test tests[] = {
	KTAP_TEST(instruction_breakpoint),
	KTAP_TEST(data_breakpoint),
	KTAP_TEST(single_step),
	KTAP_TEST(kept_over_exits),
	KTAP_TEST(breakpoints_of_the_process),
};

KTAP_MAIN(tests)
