// SPDX-License-Identifier: GPL-2.0-only
/*
 * A vCPU without paging in a VM whose tables are shadowed, beside one that is paged: it can write
 * to the other's tables, and the other has to see that.  And the ways from the one state to the
 * other.
 */
#include <linux/kvm.h>
#include <linux/mkvm.h>
#include <stdlib.h>
#include <string.h>

#include "lib/guest.h"
#include "lib/host.h"
#include "lib/vectors.h"

#define PAGE	    0x1000UL
#define WINDOW	    0x8000000000UL /* the second entry of the topmost table */
#define POINTERS    0x200000UL
#define DIRECTORY   0x201000UL
#define TABLE	    0x202000UL
#define DATA	    0x400000UL
#define FLAGS	    (X86_PTE_P | X86_PTE_W)
#define ACCESSED    (1UL << 5)
#define CODE_STRIDE 16
#define CR0_WAY	    0x80000001 /* PG and PE */

enum op {
	STEP_READ,  /* rdi */
	STEP_WRITE, /* rsi to rdi */
	STEP_OTHER  /* paged: INVLPG of rdi; unpaged: FXSAVE to edi, which no emulator has */
};

guest_code(code_paged, 64,
	   "mov (%rdi), %rax\n hlt\n .skip 16 - (. - code_paged)\n"
	   "mov %rsi, (%rdi)\n hlt\n .skip 32 - (. - code_paged)\n"
	   "invlpg (%rdi)\n hlt\n");
guest_code(code_unpaged, 32,
	   "mov (%edi), %eax\n hlt\n .skip 16 - (. - code_unpaged)\n"
	   "mov %esi, (%edi)\n hlt\n .skip 32 - (. - code_unpaged)\n"
	   "fxsave (%edi)\n hlt\n");

static uint64_t *entry(struct guest *guest, uint64_t table, unsigned int i)
{
	return (uint64_t *)guest_at(guest, table, PAGE) + i;
}

/* One step of a CPU: the first is paged, the second is not. */
static uint64_t run(struct guest *guest, unsigned int cpu, enum op step, uint64_t rdi, uint64_t rsi)
{
	struct kvm_regs regs = guest_regs(guest, cpu);

	regs.rip = GUEST_CODE + cpu * PAGE + step * CODE_STRIDE;
	regs.rdi = rdi;
	regs.rsi = rsi;
	REQUIRE_OK(vcpu_set_regs(&guest->vcpu[cpu], &regs));
	guest_run_to_hlt(guest, cpu);
	return guest_regs(guest, cpu).rax;
}

static uint64_t exits(const struct guest *guest, unsigned int cpu, enum mkvm_mmu_cause cause)
{
	static struct counts counts;

	guest_counts(guest, cpu, &counts);
	return counts.sum.causes[cause];
}

/* The second CPU's step costs @n exits with @cause. */
#define EXPECT_EXITS(guest, cause, n, step)                                              \
	do {                                                                             \
		uint64_t before_ = exits(guest, 1, MKVM_CAUSE_##cause);                  \
		step;                                                                    \
		EXPECT_EQ((uint64_t)(n), exits(guest, 1, MKVM_CAUSE_##cause) - before_); \
	} while (0)

static uint64_t tracked(const struct guest *guest)
{
	return exits(guest, 1, MKVM_CAUSE_TRACKED_EMULATED) +
	       exits(guest, 1, MKVM_CAUSE_TRACKED_OPENED);
}

/* So many of the second CPU's exits were for writes to tables, emulated or not. */
#define EXPECT_TRACKED(guest, n, step)                              \
	do {                                                        \
		uint64_t before_ = tracked(guest);                  \
		step;                                               \
		EXPECT_EQ((uint64_t)(n), tracked(guest) - before_); \
	} while (0)

static void set_up(struct guest *guest)
{
	unsigned int i;

	device_needs_shadow();
	guest_create(guest, 2);
	guest_start(guest, 0, MODE_LONG);
	guest_start(guest, 1, MODE_PROT32);
	guest_load(guest, code_paged);
	memcpy(guest_at(guest, GUEST_CODE + PAGE, code_unpaged_end - code_unpaged), code_unpaged,
	       code_unpaged_end - code_unpaged);
	*entry(guest, GUEST_TABLES, WINDOW >> 39) = POINTERS | FLAGS;
	*entry(guest, POINTERS, 0) = DIRECTORY | FLAGS;
	*entry(guest, DIRECTORY, 0) = TABLE | FLAGS;
	for (i = 0; i < 16; i++) {
		*entry(guest, TABLE, i) = (DATA + i * PAGE) | FLAGS;
		*entry(guest, DATA + i * PAGE, 0) = 0x1000 + i;
	}
	/* The first entry after registers were set forgets all tables. */
	run(guest, 1, STEP_READ, GUEST_SHARED, 0);
}

/*
 * What it could write before the frame was a table that is shadowed, it cannot write unseen after.
 */
static void writes_to_tables(void)
{
	struct guest guest;

	set_up(&guest);
	run(&guest, 1, STEP_WRITE, TABLE, (DATA + 3 * PAGE) | FLAGS);
	EXPECT_EXITS(&guest, FILL, 0, run(&guest, 1, STEP_WRITE, TABLE, (DATA + 2 * PAGE) | FLAGS));
	EXPECT_EQ(0x1002, run(&guest, 0, STEP_READ, WINDOW, 0));
	EXPECT_EQ((DATA + 2 * PAGE) | FLAGS | ACCESSED, *entry(&guest, TABLE, 0));

	EXPECT_TRACKED(&guest, 1,
		       run(&guest, 1, STEP_WRITE, TABLE, (DATA + 5 * PAGE) | FLAGS | ACCESSED));
	EXPECT_EQ((DATA + 5 * PAGE) | FLAGS | ACCESSED, *entry(&guest, TABLE, 0));
	run(&guest, 0, STEP_OTHER, WINDOW, 0);
	EXPECT_EQ(0x1005, run(&guest, 0, STEP_READ, WINDOW, 0));

	/* Having read the table does not let it write there either. */
	EXPECT_EQ(DATA + 5 * PAGE + (FLAGS | ACCESSED), run(&guest, 1, STEP_READ, TABLE, 0));
	EXPECT_TRACKED(&guest, 1,
		       run(&guest, 1, STEP_WRITE, TABLE, (DATA + 6 * PAGE) | FLAGS | ACCESSED));
	run(&guest, 0, STEP_OTHER, WINDOW, 0);
	EXPECT_EQ(0x1006, run(&guest, 0, STEP_READ, WINDOW, 0));
	guest_destroy(&guest);
}

/* A store that cannot be emulated opens the table, which is closed again by its next use. */
static void opens_a_table(void)
{
	uint64_t nothing[64] = {};
	struct guest guest;

	set_up(&guest);
	EXPECT_EQ(0x1000, run(&guest, 0, STEP_READ, WINDOW, 0));
	EXPECT_EXITS(&guest, TRACKED_OPENED, 1, run(&guest, 1, STEP_OTHER, TABLE + 0x400, 0));
	EXPECT(memcmp(entry(&guest, TABLE, 0x80), nothing, sizeof(nothing)) != 0,
	       "nothing was stored");
	EXPECT_TRACKED(&guest, 0, run(&guest, 1, STEP_WRITE, TABLE + 8, (DATA + 7 * PAGE) | FLAGS));
	run(&guest, 0, STEP_OTHER, WINDOW + PAGE, 0);
	EXPECT_EQ(0x1007, run(&guest, 0, STEP_READ, WINDOW + PAGE, 0));
	EXPECT_TRACKED(&guest, 1, run(&guest, 1, STEP_WRITE, TABLE + 8, (DATA + 8 * PAGE) | FLAGS));
	run(&guest, 0, STEP_OTHER, WINDOW + PAGE, 0);
	EXPECT_EQ(0x1008, run(&guest, 0, STEP_READ, WINDOW + PAGE, 0));
	guest_destroy(&guest);
}

#define ROUNDS 50

/* On and off, by tables that are edited in between. */
guest_code(code_toggle, 32,
	   "1: mov %cr0, %eax\n"
	   "or $0x80000000, %eax\n"
	   "mov %eax, %cr0\n"
	   "mov (%edi), %ebx\n"
	   "add %ebx, " S_SHARED "\n"
	   "mov %cr0, %eax\n"
	   "and $0x7fffffff, %eax\n"
	   "mov %eax, %cr0\n"
	   "xorl $0x1000, (%esi)\n"
	   "dec %ecx\n"
	   "jnz 1b\n"
	   "hlt\n");

static void on_and_off(void)
{
	struct kvm_sregs sregs;
	struct kvm_regs regs;
	struct guest guest;

	device_needs_shadow();
	guest_create(&guest, 1);
	*(uint32_t *)entry(&guest, TABLE, 0) = DATA | FLAGS;
	*entry(&guest, DATA, 0) = 1;
	*entry(&guest, DATA + PAGE, 0) = 0x100;
	guest_load(&guest, code_toggle);
	guest_start(&guest, 0, MODE_PROT32);
	/* The tables are those of paging that is not on yet. */
	REQUIRE_OK(mode_build_tables(&guest.mem, GUEST_TABLES, MODE_PAGED32));
	((uint32_t *)entry(&guest, GUEST_TABLES, 0))[0x3ff] = TABLE | FLAGS;
	sregs = guest_sregs(&guest, 0);
	sregs.cr3 = GUEST_TABLES;
	sregs.cr4 = X86_CR4_PSE;
	REQUIRE_OK(vcpu_set_sregs(&guest.vcpu[0], &sregs));
	regs = guest_regs(&guest, 0);
	regs.rdi = 0xffc00000;
	regs.rsi = TABLE;
	regs.rcx = ROUNDS;
	REQUIRE_OK(vcpu_set_regs(&guest.vcpu[0], &regs));
	guest_run_to_hlt(&guest, 0);
	EXPECT_EQ(ROUNDS / 2 * 0x101, *guest_shared(&guest));
	EXPECT_EQ(2 * ROUNDS, exits(&guest, 0, MKVM_CAUSE_MODE_CHANGE));
	guest_destroy(&guest);
}

/*
 * Both bits of CR0 at once, from real mode: the segments are those of real mode until they have
 * been loaded anew, in paged code.  VMX cannot have such a guest on shadow tables: it is stepped
 * for the five instructions from there to the load of SS, or where the processor (Bochs's) cannot
 * do that, goes on until its next exit.
 */
guest_code(code_way, 16,
	   "mov %cr0, %eax\n"
	   "or $" STRING(CR0_WAY) ", %eax\n"
				  "mov %eax, %cr0\n"
				  "movw $0x5aa5, " S_SHARED "\n"
				  "nop\n"
				  ".byte 0x66, 0xea\n"
				  ".long " S_CODE " + 1f - code_way\n"
				  ".word " STRING(
					  SEL_CODE32) "\n"
						      ".code32\n"
						      "1: mov $" STRING(
							      SEL_DATA) ", %eax\n"
									"mov %eax, %ss\n"
									"mov %eax, %ds\n"
									"movl $0x1234, " S_SHARED
									" + 8\n"
									"hlt\n"
									"mov %cr3, %eax\n"
									"hlt\n");

static void from_real_mode(void)
{
	static struct counts counts;
	struct kvm_sregs sregs;
	struct guest guest;

	device_needs_shadow();
	guest_create(&guest, 1);
	guest_load(&guest, code_way);
	guest_start(&guest, 0, MODE_REAL);
	REQUIRE_OK(mode_build_tables(&guest.mem, GUEST_TABLES, MODE_PAE));
	sregs = guest_sregs(&guest, 0);
	sregs.cr3 = GUEST_TABLES;
	sregs.cr4 = X86_CR4_PAE;
	sregs.gdt.base = GUEST_GDT;
	sregs.gdt.limit = GDT_SIZE - 1;
	sregs.ss.selector = 3;
	sregs.ss.base = 0x30;
	REQUIRE_OK(vcpu_set_sregs(&guest.vcpu[0], &sregs));
	guest_run_to_hlt(&guest, 0);
	EXPECT_EQ(0x5aa5, guest_shared(&guest)[0]);
	EXPECT_EQ(0x1234, guest_shared(&guest)[1]);
	sregs = guest_sregs(&guest, 0);
	EXPECT_EQ(CR0_WAY, sregs.cr0 & CR0_WAY);
	EXPECT_EQ(GUEST_TABLES, sregs.cr3);
	guest_counts(&guest, 0, &counts);
	EXPECT_EQ(counts.sum.vendor == MKVM_VENDOR_VMX && !host_is_bochs() ? 1 + 5 : 1,
		  counts.sum.causes[MKVM_CAUSE_MODE_CHANGE]);
	/* It is there now: CR3 is no longer the guest's alone. */
	guest_run_to_hlt(&guest, 0);
	EXPECT_EQ(GUEST_TABLES, guest_regs(&guest, 0).rax);
	EXPECT_EQ(1, exits(&guest, 0, MKVM_CAUSE_CR3));
	guest_destroy(&guest);
}

guest_code(code_reads, 64,
	   "1: mov (%rdi), %rax\n"
	   "out %al, $" S_SYNC "\n"
	   "jmp 1b\n");
guest_code(code_starts, 16, "out %al, $" S_SYNC "\n");

#define START_PAGE 0x0d /* of GUEST_CODE's */
#define MSI_INIT   0x500
#define MSI_START  0x600

static uint64_t all_causes(const struct guest *guest, unsigned int cpu)
{
	uint64_t sum = 0;
	int cause;

	for (cause = 0; cause < MKVM_NR_CAUSES; cause++)
		sum += exits(guest, cpu, cause);
	return sum;
}

/* The second CPU is sent INIT, and starts in real mode. */
static void init_and_start(struct guest *guest)
{
	struct kvm_msi init = { .address_lo = APIC_GPA | 1 << 12, .data = MSI_INIT };
	struct kvm_msi start = { .address_lo = APIC_GPA | 1 << 12, .data = MSI_START | START_PAGE };

	REQUIRE(vm_call(guest, KVM_SIGNAL_MSI, &init) == 1, "INIT is nobody's");
	REQUIRE(vm_call(guest, KVM_SIGNAL_MSI, &start) == 1, "the start is nobody's");
	guest_run_to_sync(guest, 1);
}

/* INIT is the guest's own: what is shadowed for others stays. */
static void init_of_another(void)
{
	struct kvm_regs regs;
	struct guest guest;
	uint64_t before;

	device_needs_shadow();
	vec_create(&guest, 2, VEC_KERNEL);
	guest_start(&guest, 0, MODE_LONG);
	guest_load(&guest, code_reads);
	memcpy(guest_at(&guest, START_PAGE << 12, PAGE), code_starts,
	       code_starts_end - code_starts);
	regs = guest_regs(&guest, 0);
	regs.rdi = DATA;
	REQUIRE_OK(vcpu_set_regs(&guest.vcpu[0], &regs));
	/* A CPU that has just been made may have memory that user space has changed. */
	init_and_start(&guest);
	guest_run_to_sync(&guest, 0);
	before = all_causes(&guest, 0);
	init_and_start(&guest);
	guest_run_to_sync(&guest, 0);
	EXPECT_EQ(before, all_causes(&guest, 0));
	guest_destroy(&guest);
}

static const struct ktap_test tests[] = {
	KTAP_TEST(writes_to_tables), KTAP_TEST(opens_a_table),	 KTAP_TEST(on_and_off),
	KTAP_TEST(from_real_mode),   KTAP_TEST(init_of_another),
};

int main(int argc, char **argv)
{
	setenv("MKVM_MMU", "shadow", 1);
	return ktap_main(tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
