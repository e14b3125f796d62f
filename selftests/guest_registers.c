// SPDX-License-Identifier: GPL-2.0-only
/*
 * The guest's general registers and segments over exits, signals, and changes of thread; and that
 * two vCPUs on one thread keep apart.
 */
#include <errno.h>
#include <linux/kvm.h>
#include <pthread.h>
#include <string.h>

#include "lib/guest.h"

#define S_SEL_DATA STRING(SEL_DATA)
#define S_SEL_TSS  STRING(SEL_TSS)

/* Every register is changed by one instruction between two exits. */
guest_code(code_registers, 64,
	   "1: out %al, $" S_SYNC "\n"
	   "inc %rax\n"
	   "inc %rbx\n"
	   "inc %rcx\n"
	   "inc %rdx\n"
	   "inc %rsi\n"
	   "inc %rdi\n"
	   "inc %rbp\n"
	   "inc %rsp\n"
	   "inc %r8\n"
	   "inc %r9\n"
	   "inc %r10\n"
	   "inc %r11\n"
	   "inc %r12\n"
	   "inc %r13\n"
	   "inc %r14\n"
	   "inc %r15\n"
	   "jmp 1b\n");

#define NR_GENERAL 16

static void set_general(struct guest *guest, unsigned int cpu, uint64_t seed)
{
	struct kvm_regs regs = guest_regs(guest, cpu);
	unsigned long long *word = (unsigned long long *)&regs;
	unsigned int i;

	for (i = 0; i < NR_GENERAL; i++)
		word[i] = seed * (i + 1);
	REQUIRE_OK(vcpu_set_regs(&guest->vcpu[cpu], &regs));
}

static void expect_general(const struct guest *guest, unsigned int cpu, uint64_t seed, uint64_t add)
{
	struct kvm_regs regs = guest_regs(guest, cpu);
	const unsigned long long *word = (const unsigned long long *)&regs;
	unsigned int i;

	for (i = 0; i < NR_GENERAL; i++)
		EXPECT(word[i] == seed * (i + 1) + add,
		       "CPU %u, register %u of kvm_regs: expected 0x%llx, is 0x%llx", cpu, i,
		       (unsigned long long)(seed * (i + 1) + add), word[i]);
}

#define SEED_A 0x0102030405060708
#define SEED_B 0x1f2e3d4c5b6a7988

static void over_exits(void)
{
	struct guest guest;
	uint64_t i;

	guest_create(&guest, 1);
	guest_load(&guest, code_registers);
	guest_start(&guest, 0, MODE_LONG);
	set_general(&guest, 0, SEED_A);
	for (i = 0; i < 10; i++) {
		guest_run_to_sync(&guest, 0);
		expect_general(&guest, 0, SEED_A, i);
	}
}

static void two_vcpus_on_one_thread(void)
{
	struct guest guest;
	uint64_t i;

	guest_create(&guest, 2);
	guest_load(&guest, code_registers);
	guest_start(&guest, 0, MODE_LONG);
	guest_start(&guest, 1, MODE_LONG);
	set_general(&guest, 0, SEED_A);
	set_general(&guest, 1, SEED_B);
	for (i = 0; i < 10; i++) {
		guest_run_to_sync(&guest, 0);
		guest_run_to_sync(&guest, 1);
		expect_general(&guest, 0, SEED_A, i);
		expect_general(&guest, 1, SEED_B, i);
	}
}

static void *run_once(void *data)
{
	guest_run_to_sync(data, 0);
	return NULL;
}

static void from_thread_to_thread(void)
{
	pthread_t thread;
	struct guest guest;
	uint64_t i;

	guest_create(&guest, 1);
	guest_load(&guest, code_registers);
	guest_start(&guest, 0, MODE_LONG);
	set_general(&guest, 0, SEED_A);
	for (i = 0; i < 10; i++) {
		REQUIRE(!pthread_create(&thread, NULL, run_once, &guest));
		REQUIRE(!pthread_join(thread, NULL));
		expect_general(&guest, 0, SEED_A, i);
	}
}

/* Written while the guest is out, it goes on with what was written. */
static void changed_between_runs(void)
{
	struct kvm_regs regs;
	struct guest guest;

	guest_create(&guest, 1);
	guest_load(&guest, code_registers);
	guest_start(&guest, 0, MODE_LONG);
	set_general(&guest, 0, SEED_A);
	guest_run_to_sync(&guest, 0);
	guest.vcpu[0].run->immediate_exit = 1; /* completes the OUT */
	EXPECT_ERRNO(EINTR, vcpu_run(&guest.vcpu[0]));
	guest.vcpu[0].run->immediate_exit = 0;
	regs = guest_regs(&guest, 0);
	regs.r13 = 0x7777;
	regs.rsp = 0x8888;
	REQUIRE_OK(vcpu_set_regs(&guest.vcpu[0], &regs));
	guest_run_to_sync(&guest, 0);
	regs = guest_regs(&guest, 0);
	EXPECT_EQ(0x7778, regs.r13);
	EXPECT_EQ(0x8889, regs.rsp);
	EXPECT_EQ(SEED_A * 1 + 1, regs.rax);
}

/* Flags: what the guest computes is what is read, and what is written is what it sees. */
guest_code(code_flags, 64,
	   "pushfq\n"
	   "pop %rbx\n"
	   "xor %eax, %eax\n"
	   "sub $1, %eax\n"
	   "hlt\n"
	   "std\n"
	   "hlt\n");

static void flags(void)
{
	struct guest guest;
	struct kvm_regs regs;

	guest_create(&guest, 1);
	guest_load(&guest, code_flags);
	guest_start(&guest, 0, MODE_LONG);
	regs = guest_regs(&guest, 0);
	regs.rflags = 0x8d7; /* OF SF ZF AF PF CF */
	REQUIRE_OK(vcpu_set_regs(&guest.vcpu[0], &regs));
	guest_run_to_hlt(&guest, 0);
	regs = guest_regs(&guest, 0);
	EXPECT_EQ(0x8d7, regs.rbx);
	EXPECT_EQ(0x97, regs.rflags & 0x8d7); /* SF AF PF CF */
	guest_run_to_hlt(&guest, 0);
	EXPECT_EQ(0x400, guest_regs(&guest, 0).rflags & 0x400);
}

/* Segments that the guest loads; bases that it reads through. */
guest_code(code_segments, 64,
	   "mov %fs:0, %rax\n"
	   "mov %gs:8, %rbx\n"
	   "mov $" S_SEL_DATA ", %ecx\n"
	   "mov %ecx, %es\n"
	   "str %dx\n"
	   "mov $" S_SEL_TSS ", %ecx\n"
	   "ltr %cx\n"
	   "str %si\n"
	   "sldt %r8\n"
	   "sidt " S_SHARED "+64\n"
	   "sgdt " S_SHARED "+80\n"
	   "hlt\n");

static void segments(void)
{
	volatile uint64_t *shared;
	struct kvm_sregs sregs;
	struct kvm_regs regs;
	struct guest guest;
	uint64_t base;

	guest_create(&guest, 1);
	guest_load(&guest, code_segments);
	guest_start(&guest, 0, MODE_LONG);
	shared = guest_shared(&guest);
	shared[0] = 0xfefe;
	shared[2] = 0x9191;
	sregs = guest_sregs(&guest, 0);
	sregs.fs.base = GUEST_SHARED;
	sregs.gs.base = GUEST_SHARED + 8;
	sregs.es.selector = 0;
	sregs.tr.selector = 0x18;
	sregs.idt.base = 0x123456;
	sregs.idt.limit = 0x789;
	REQUIRE_OK(vcpu_set_sregs(&guest.vcpu[0], &sregs));
	guest_run_to_hlt(&guest, 0);
	regs = guest_regs(&guest, 0);
	sregs = guest_sregs(&guest, 0);
	EXPECT_EQ(0xfefe, regs.rax);
	EXPECT_EQ(0x9191, regs.rbx);
	EXPECT_EQ(SEL_DATA, sregs.es.selector);
	EXPECT_EQ(0x18, regs.rdx & 0xffff);
	EXPECT_EQ(SEL_TSS, regs.rsi & 0xffff);
	EXPECT_EQ(SEL_TSS, sregs.tr.selector);
	EXPECT_EQ(GUEST_TSS, sregs.tr.base);
	EXPECT_EQ(11, sregs.tr.type);
	EXPECT_EQ(0, regs.r8);
	EXPECT_EQ(0x789, shared[8] & 0xffff);
	memcpy(&base, (const char *)guest_at(&guest, GUEST_SHARED + 66, 8), 8);
	EXPECT_EQ(0x123456, base);
	EXPECT_EQ(GDT_SIZE - 1, shared[10] & 0xffff);
	memcpy(&base, (const char *)guest_at(&guest, GUEST_SHARED + 82, 8), 8);
	EXPECT_EQ(GUEST_GDT, base);
}

/* Control registers: read by the guest as they were set, written by it as they are then read. */
guest_code(code_control, 64,
	   "mov %cr0, %rax\n"
	   "mov %cr3, %rbx\n"
	   "mov %cr4, %rcx\n"
	   "mov %cr2, %rdx\n"
	   "mov %cr8, %rsi\n"
	   "hlt\n"
	   "mov $0x5544332211, %r8\n"
	   "mov %r8, %cr2\n"
	   "mov $9, %r8d\n"
	   "mov %r8, %cr8\n"
	   "mov %cr8, %r9\n"
	   "mov %cr0, %rax\n"
	   "or $0x8, %al\n" /* TS */
	   "mov %rax, %cr0\n"
	   "mov %cr0, %r10\n"
	   "clts\n"
	   "mov %cr0, %r11\n"
	   "smsw %r13\n"
	   "mov %cr4, %rax\n"
	   "or $0x80, %al\n" /* PGE */
	   "mov %rax, %cr4\n"
	   "mov %cr4, %r12\n"
	   "mov %rbx, %cr3\n"
	   "hlt\n");

static void control_registers(void)
{
	struct kvm_sregs sregs;
	struct kvm_regs regs;
	struct guest guest;

	guest_create(&guest, 1);
	guest_load(&guest, code_control);
	guest_start(&guest, 0, MODE_LONG);
	sregs = guest_sregs(&guest, 0);
	sregs.cr2 = 0xabcdef;
	sregs.cr8 = 6;
	guest.vcpu[0].run->cr8 = 6;
	sregs.cr0 |= X86_CR0_MP | X86_CR0_WP;
	REQUIRE_OK(vcpu_set_sregs(&guest.vcpu[0], &sregs));
	guest_run_to_hlt(&guest, 0);
	regs = guest_regs(&guest, 0);
	EXPECT_EQ(sregs.cr0, regs.rax);
	EXPECT_EQ(GUEST_TABLES, regs.rbx);
	EXPECT_EQ(X86_CR4_PAE, regs.rcx);
	EXPECT_EQ(0xabcdef, regs.rdx);
	EXPECT_EQ(6, regs.rsi);
	guest_run_to_hlt(&guest, 0);
	regs = guest_regs(&guest, 0);
	EXPECT_EQ(9, regs.r9);
	EXPECT_EQ(sregs.cr0 | X86_CR0_TS, regs.r10);
	EXPECT_EQ(sregs.cr0, regs.r11);
	EXPECT_EQ(sregs.cr0 & 0xffff, regs.r13 & 0xffff);
	EXPECT_EQ(X86_CR4_PAE | X86_CR4_PGE, regs.r12);
	sregs = guest_sregs(&guest, 0);
	EXPECT_EQ(0x5544332211, sregs.cr2);
	EXPECT_EQ(X86_CR4_PAE | X86_CR4_PGE, sregs.cr4);
	EXPECT_EQ(9, sregs.cr8);
}

/* SMSW and LMSW with a word in memory, and in a device. */
guest_code(code_msw, 64,
	   "smsw " S_SHARED "\n"
	   "lmsw " S_SHARED " + 8\n"
	   "mov %cr0, %rbx\n"
	   "clts\n"
	   "smsw (%rdi)\n"
	   "lmsw 2(%rdi)\n"
	   "mov %cr0, %rcx\n"
	   "hlt\n");

static void machine_status_word(void)
{
	struct kvm_regs regs;
	struct guest guest;
	struct kvm_run *run;
	uint64_t cr0;

	guest_create(&guest, 1);
	guest_load(&guest, code_msw);
	guest_start(&guest, 0, MODE_LONG);
	run = guest.vcpu[0].run;
	cr0 = guest_sregs(&guest, 0).cr0;
	guest_shared(&guest)[0] = -1ULL;
	guest_shared(&guest)[1] = 0xfff0 | X86_CR0_MP | X86_CR0_TS;
	regs = guest_regs(&guest, 0);
	regs.rdi = GUEST_MEM_SIZE;
	REQUIRE_OK(vcpu_set_regs(&guest.vcpu[0], &regs));

	guest_run(&guest, 0);
	guest_expect_exit(&guest, 0, KVM_EXIT_MMIO);
	EXPECT_EQ(~0xffffULL | (cr0 & 0xffff), guest_shared(&guest)[0]);
	EXPECT_EQ(cr0 | X86_CR0_MP | X86_CR0_TS, guest_regs(&guest, 0).rbx);
	EXPECT_EQ(1, run->mmio.is_write);
	EXPECT_EQ(2, run->mmio.len);
	EXPECT_EQ((cr0 | X86_CR0_MP) & 0xff, run->mmio.data[0]);
	guest_run(&guest, 0);
	guest_expect_exit(&guest, 0, KVM_EXIT_MMIO);
	EXPECT_EQ(0, run->mmio.is_write);
	EXPECT_EQ(2, run->mmio.len);
	EXPECT_EQ(GUEST_MEM_SIZE + 2, run->mmio.phys_addr);
	memcpy(run->mmio.data, &(uint16_t){ X86_CR0_TS }, 2);
	guest_run_to_hlt(&guest, 0);
	EXPECT_EQ(cr0 | X86_CR0_TS, guest_regs(&guest, 0).rcx);
	EXPECT_EQ(cr0 | X86_CR0_TS, guest_sregs(&guest, 0).cr0);
}

guest_code(code_msw_fault, 64,
	   "1: mov $2f - 1b + " S_CODE ", %r15d\n"
	   "smsw (%rdi)\n"
	   "2: xor %r15d, %r15d\n"
	   "lmsw (%rdi)\n"
	   "hlt\n");

static void msw_faults(struct guest *guest, uint64_t address, uint64_t vector)
{
	struct kvm_regs regs;
	uint64_t i;

	guest_create(guest, 1);
	guest_load(guest, code_msw_fault);
	guest_start(guest, 0, MODE_LONG);
	guest_enable_traps(guest, 0);
	regs = guest_regs(guest, 0);
	regs.rdi = address;
	REQUIRE_OK(vcpu_set_regs(&guest->vcpu[0], &regs));
	guest_run_to_hlt(guest, 0);
	REQUIRE(guest_nr_traps(guest) == 2);
	for (i = 0; i < 2; i++)
		EXPECT_EQ(vector, guest_trap(guest, i).vector);
	EXPECT_EQ(GUEST_CODE + 6, guest_trap(guest, 0).rip);
	EXPECT_EQ(GUEST_CODE + 12, guest_trap(guest, 1).rip);
}

static void machine_status_word_faults(void)
{
	struct guest guest;

	/* Not present: a write, a read. */
	msw_faults(&guest, 1ULL << 40, 14);
	EXPECT_EQ(2, guest_trap(&guest, 0).error);
	EXPECT_EQ(0, guest_trap(&guest, 1).error);
	EXPECT_EQ(1ULL << 40, guest_trap(&guest, 1).cr2);
	guest_destroy(&guest);
	/* Not canonical. */
	msw_faults(&guest, 1ULL << 47, 13);
}

static const struct ktap_test tests[] = {
	KTAP_TEST(over_exits),
	KTAP_TEST(two_vcpus_on_one_thread),
	KTAP_TEST(from_thread_to_thread),
	KTAP_TEST(changed_between_runs),
	KTAP_TEST(flags),
	KTAP_TEST(segments),
	KTAP_TEST(control_registers),
	KTAP_TEST(machine_status_word),
	KTAP_TEST(machine_status_word_faults),
};

KTAP_MAIN(tests)
