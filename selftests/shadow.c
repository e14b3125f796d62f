// SPDX-License-Identifier: GPL-2.0-only
/*
 * Shadow paging, by what a guest can do to its tables, each step with the exact number of exits and
 * their causes.
 *
 * The guest's low memory is mapped linear, by pages of 2 MiB, the tables included.  A window
 * elsewhere has a page table of its own, with pages of 4 KiB, which the steps are about.  All is in
 * long mode; shadow_formats.c has the others.
 */
#include <linux/kvm.h>
#include <linux/mkvm.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "lib/causes.h"
#include "lib/guest.h"

#define PAGE	    0x1000UL
#define WINDOW	    0x8000000000UL /* the second entry of the topmost table */
#define TABLES	    0x200000UL	   /* three: of the levels 3, 2, 1 */
#define POINTERS    TABLES
#define DIRECTORY   (TABLES + PAGE)
#define TABLE	    (TABLES + 2 * PAGE)
#define OTHER_ROOT  (TABLES + 3 * PAGE)
#define DATA	    0x400000UL
#define NOT_THERE   0x40000000UL /* no slot */
#define READ_ONLY   0x2000000UL	 /* a slot of one page that the guest cannot write */
#define FLAGS	    (X86_PTE_P | X86_PTE_W)
#define ACCESSED    (1UL << 5)
#define DIRTY	    (1UL << 6)
#define RESERVED    (1UL << 51)
#define CR4_SMAP    (1UL << 21)
#define RFLAGS_AC   (1UL << 18)
#define CODE_STRIDE 16

/* What the guest can do: one step each, CODE_STRIDE bytes apart. */
enum op {
	STEP_READ,   /* rdi */
	STEP_WRITE,  /* rsi to rdi */
	STEP_INVLPG, /* rdi */
	STEP_CR3,    /* = rdi */
	STEP_CR0,    /* = rdi */
	STEP_FXSAVE, /* to rdi: no emulator has it */
	STEP_PUSH,   /* rsi, with rdi for the stack */
	STEP_READ_CR3,
	STEP_HALF,     /* esi to rdi */
	STEP_EXCHANGE, /* rsi with rdi */
	STEP_UD,       /* an exception, with rdi for the stack */
	STEP_INT3,     /* the same, by an instruction that means one */
	STEP_AGAIN     /* FXSAVE to rdi, load CR3, read rsi, as often as r9 points to */
};

guest_code(code_steps, 64,
	   "mov (%rdi), %rax\n hlt\n .balign 16, 0x90\n"
	   "mov %rsi, (%rdi)\n hlt\n .balign 16, 0x90\n"
	   "invlpg (%rdi)\n hlt\n .balign 16, 0x90\n"
	   "mov %rdi, %cr3\n hlt\n .balign 16, 0x90\n"
	   "mov %rdi, %cr0\n hlt\n .balign 16, 0x90\n"
	   "fxsave (%rdi)\n hlt\n .balign 16, 0x90\n"
	   "mov %rdi, %rsp\n push %rsi\n hlt\n .balign 16, 0x90\n"
	   "mov %cr3, %rax\n hlt\n .balign 16, 0x90\n"
	   "mov %esi, (%rdi)\n hlt\n .balign 16, 0x90\n"
	   "xchg %rsi, (%rdi)\n hlt\n .balign 16, 0x90\n"
	   "mov %rdi, %rsp\n ud2\n hlt\n .balign 16, 0x90\n"
	   "mov %rdi, %rsp\n int3\n hlt\n .balign 16, 0x90\n"
	   "1: fxsave (%rdi)\n mov %cr3, %rax\n mov %rax, %cr3\n mov (%rsi), %rax\n"
	   "decq (%r9)\n jnz 1b\n hlt\n");

struct fixture {
	struct guest guest;
	struct causes causes;
};

static uint64_t *entry(struct fixture *f, uint64_t table, unsigned int i)
{
	return (uint64_t *)guest_at(&f->guest, table, PAGE) + i;
}

static void set_up_window(struct fixture *f)
{
	unsigned int i;

	memset(guest_at(&f->guest, TABLES, 4 * PAGE), 0, 4 * PAGE);
	*entry(f, GUEST_TABLES, WINDOW >> 39) = POINTERS | FLAGS;
	*entry(f, POINTERS, 0) = DIRECTORY | FLAGS;
	*entry(f, DIRECTORY, 0) = TABLE | FLAGS;
	for (i = 0; i < 16; i++) {
		*entry(f, TABLE, i) = (DATA + i * PAGE) | FLAGS;
		*entry(f, DATA + i * PAGE, 0) = 0x1000 + i;
	}
	memcpy(entry(f, OTHER_ROOT, 0), entry(f, GUEST_TABLES, 0), PAGE);
}

static void run(struct fixture *f, enum op step, uint64_t rdi, uint64_t rsi);

/* With so many CPUs in long mode. */
static void begin(struct fixture *f, unsigned int cpus)
{
	unsigned int i;

	memset(f, 0, sizeof(*f));
	device_needs_shadow();
	guest_create(&f->guest, cpus);
	for (i = 0; i < cpus; i++)
		guest_start(&f->guest, i, MODE_LONG);
	set_up_window(f);
}

static void set_up(struct fixture *f)
{
	begin(f, 1);
	guest_load(&f->guest, code_steps);
	guest_enable_traps(&f->guest, 0);
	/* What the code costs, and the exception handlers, is past. */
	run(f, STEP_READ, 3 * WINDOW, 0);
	memset(guest_at(&f->guest, GUEST_TRAP_LOG, PAGE), 0, PAGE);
	/* The first write to the large page that they lie in has made it another one. */
	run(f, STEP_READ, GUEST_TRAP_LOG, 0);
	causes_begin(&f->causes, &f->guest);
}

static void clean_up(struct fixture *f)
{
	guest_destroy(&f->guest);
}

static uint32_t enter(struct fixture *f, enum op step, uint64_t rdi, uint64_t rsi)
{
	struct kvm_regs regs = guest_regs(&f->guest, 0);

	regs.rip = GUEST_CODE + step * CODE_STRIDE;
	regs.rdi = rdi;
	regs.rsi = rsi;
	regs.rsp = GUEST_STACKS;
	regs.r9 = GUEST_SHARED;
	REQUIRE_OK(vcpu_set_regs(&f->guest.vcpu[0], &regs));
	return guest_run(&f->guest, 0);
}

static void run(struct fixture *f, enum op step, uint64_t rdi, uint64_t rsi)
{
	uint32_t reason = enter(f, step, rdi, rsi);

	REQUIRE(reason == KVM_EXIT_HLT, "step %d: exit %u", step, reason);
}

static uint64_t result(struct fixture *f)
{
	return guest_regs(&f->guest, 0).rax;
}

/* One step that costs @n exits with @cause. */
#define STEP(f, step, rdi, rsi, cause, n)                           \
	do {                                                        \
		run(f, step, rdi, rsi);                             \
		causes_expect(&(f)->causes, MKVM_CAUSE_##cause, n); \
		causes_check(&(f)->causes, #step, __LINE__);        \
	} while (0)

static void expect_page_fault(struct fixture *f, uint64_t nr, uint64_t address, uint64_t error)
{
	struct trap trap;

	REQUIRE(guest_nr_traps(&f->guest) == nr + 1, "%llu page faults, not %llu",
		(unsigned long long)guest_nr_traps(&f->guest), (unsigned long long)nr + 1);
	trap = guest_trap(&f->guest, nr);
	EXPECT_EQ(14, trap.vector);
	EXPECT_EQ(error, trap.error);
	EXPECT_EQ(address, trap.cr2);
}

/* A first use sets the accessed bits on the way, a first write the dirty bit; then all is there. */
static void accessed_and_dirty_bits(void)
{
	struct fixture f;

	set_up(&f);
	STEP(&f, STEP_READ, WINDOW, 0, ACCESSED_BIT, 1);
	EXPECT_EQ(0x1000, result(&f));
	EXPECT_EQ(POINTERS | FLAGS | ACCESSED, *entry(&f, GUEST_TABLES, 1));
	EXPECT_EQ(DIRECTORY | FLAGS | ACCESSED, *entry(&f, POINTERS, 0));
	EXPECT_EQ(TABLE | FLAGS | ACCESSED, *entry(&f, DIRECTORY, 0));
	EXPECT_EQ(DATA | FLAGS | ACCESSED, *entry(&f, TABLE, 0));
	EXPECT_EQ((DATA + PAGE) | FLAGS, *entry(&f, TABLE, 1));
	STEP(&f, STEP_READ, WINDOW, 0, FILL, 0);
	STEP(&f, STEP_WRITE, WINDOW, 5, DIRTY_BIT, 1);
	EXPECT_EQ(5, *entry(&f, DATA, 0));
	EXPECT_EQ(DATA | FLAGS | ACCESSED | DIRTY, *entry(&f, TABLE, 0));
	STEP(&f, STEP_WRITE, WINDOW, 6, FILL, 0);
	EXPECT_EQ(6, *entry(&f, DATA, 0));
	/* A first use that is a write sets both. */
	STEP(&f, STEP_WRITE, WINDOW + PAGE, 7, DIRTY_BIT, 1);
	EXPECT_EQ((DATA + PAGE) | FLAGS | ACCESSED | DIRTY, *entry(&f, TABLE, 1));
	/* The guest takes the dirty bit away: the next write sets it again. */
	STEP(&f, STEP_WRITE, TABLE, DATA | FLAGS | ACCESSED, TRACKED_OPENED, 1);
	STEP(&f, STEP_INVLPG, WINDOW, 0, FILL, 0);
	STEP(&f, STEP_WRITE, WINDOW, 8, DIRTY_BIT, 1);
	EXPECT_EQ(DATA | FLAGS | ACCESSED | DIRTY, *entry(&f, TABLE, 0));
	EXPECT_EQ(0, guest_nr_traps(&f.guest));
	clean_up(&f);
}

/*
 * An entry that is stored by the guest counts as soon as it has said so, and one more at once.  To
 * change an entry opens its table, in one exit; what is new in one is emulated, and there at once.
 */
static void edited_entries(void)
{
	struct fixture f;

	set_up(&f);
	STEP(&f, STEP_READ, WINDOW, 0, ACCESSED_BIT, 1);
	/* Elsewhere, with INVLPG. */
	STEP(&f, STEP_WRITE, TABLE, (DATA + 5 * PAGE) | FLAGS | ACCESSED, TRACKED_OPENED, 1);
	STEP(&f, STEP_INVLPG, WINDOW, 0, FILL, 0);
	STEP(&f, STEP_READ, WINDOW, 0, FILL, 1);
	EXPECT_EQ(0x1005, result(&f));
	/* From nothing to something, without. */
	STEP(&f, STEP_WRITE, TABLE + 20 * 8, (DATA + 6 * PAGE) | FLAGS | ACCESSED, TRACKED_EMULATED,
	     1);
	STEP(&f, STEP_READ, WINDOW + 20 * PAGE, 0, FILL, 0);
	EXPECT_EQ(0x1006, result(&f));
	/* Half of an entry, and an exchange, which fills nothing. */
	STEP(&f, STEP_HALF, TABLE + 21 * 8, (DATA + 8 * PAGE) | FLAGS | ACCESSED, TRACKED_EMULATED,
	     1);
	STEP(&f, STEP_READ, WINDOW + 21 * PAGE, 0, FILL, 0);
	EXPECT_EQ(0x1008, result(&f));
	STEP(&f, STEP_EXCHANGE, TABLE + 22 * 8, (DATA + 7 * PAGE) | FLAGS | ACCESSED,
	     TRACKED_EMULATED, 1);
	EXPECT_EQ(0, guest_regs(&f.guest, 0).rsi);
	STEP(&f, STEP_READ, WINDOW + 22 * PAGE, 0, FILL, 1);
	EXPECT_EQ(0x1007, result(&f));
	STEP(&f, STEP_HALF, TABLE + 4, 0x80000000, TRACKED_OPENED, 1);
	STEP(&f, STEP_EXCHANGE, TABLE, (DATA + 7 * PAGE) | FLAGS | ACCESSED, FILL, 0);
	EXPECT_EQ((DATA + 5 * PAGE) | FLAGS | ACCESSED | 1UL << 63, guest_regs(&f.guest, 0).rsi);
	STEP(&f, STEP_INVLPG, WINDOW, 0, FILL, 0);
	STEP(&f, STEP_READ, WINDOW, 0, FILL, 1);
	EXPECT_EQ(0x1007, result(&f));
	/* A whole table goes, and is memory like any other from then on. */
	STEP(&f, STEP_WRITE, DIRECTORY, 0, TRACKED_EMULATED, 1);
	STEP(&f, STEP_WRITE, TABLE + 8, 0, FILL, 0);
	STEP(&f, STEP_INVLPG, WINDOW, 0, FILL, 0);
	STEP(&f, STEP_READ, WINDOW, 0, GUEST_NOT_PRESENT, 1);
	expect_page_fault(&f, 0, WINDOW, 0);
	clean_up(&f);
}

/* The guest's own page faults come with the exact error code. */
static void page_faults(void)
{
	static const struct {
		uint64_t entry;
		enum op step;
		uint64_t error;
		enum mkvm_mmu_cause cause;
	} cases[] = {
		{ 0, STEP_READ, 0, MKVM_CAUSE_GUEST_NOT_PRESENT },
		{ 0, STEP_WRITE, 2, MKVM_CAUSE_GUEST_NOT_PRESENT },
		{ DATA | FLAGS | RESERVED, STEP_READ, 9, MKVM_CAUSE_GUEST_RESERVED },
		{ DATA | FLAGS | RESERVED, STEP_WRITE, 0xb, MKVM_CAUSE_GUEST_RESERVED },
		{ DATA | FLAGS | 1UL << 63, STEP_READ, 9, MKVM_CAUSE_GUEST_RESERVED },
		{ DATA | X86_PTE_P, STEP_WRITE, 3, MKVM_CAUSE_GUEST_PROTECTION },
		{ RESERVED, STEP_READ, 0, MKVM_CAUSE_GUEST_NOT_PRESENT },
	};
	struct kvm_sregs sregs;
	struct fixture f;
	unsigned int i;

	set_up(&f);
	sregs = guest_sregs(&f.guest, 0);
	sregs.cr0 |= X86_CR0_WP;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		*entry(&f, TABLE, 0) = cases[i].entry;
		/* It was the host that stored it. */
		REQUIRE_OK(vcpu_set_sregs(&f.guest.vcpu[0], &sregs));
		run(&f, cases[i].step, WINDOW + 8, 0);
		expect_page_fault(&f, i, WINDOW + 8, cases[i].error);
		EXPECT_EQ(cases[i].entry, *entry(&f, TABLE, 0));
	}
	clean_up(&f);
}

/* The first pages of the window are read-only, and the second to fourth a user's. */
static void set_up_read_only(struct fixture *f)
{
	unsigned int i;

	set_up(f);
	*entry(f, GUEST_TABLES, 1) |= X86_PTE_U;
	*entry(f, POINTERS, 0) |= X86_PTE_U;
	*entry(f, DIRECTORY, 0) |= X86_PTE_U;
	for (i = 0; i < 4; i++)
		*entry(f, TABLE, i) =
			(DATA + i * PAGE) | X86_PTE_P | ACCESSED | (i ? X86_PTE_U : 0);
}

/* With CR0.WP off a supervisor writes where the entry forbids it, until it is on. */
static void write_protection(void)
{
	uint64_t cr0, read_only = DATA | X86_PTE_P | ACCESSED;
	struct fixture f;

	set_up_read_only(&f);
	cr0 = guest_sregs(&f.guest, 0).cr0;
	run(&f, STEP_WRITE, WINDOW, 1);
	EXPECT_EQ(1, *entry(&f, DATA, 0));
	EXPECT_EQ(read_only | DIRTY, *entry(&f, TABLE, 0));
	causes_expect(&f.causes, MKVM_CAUSE_DIRTY_BIT, 1);
	causes_check(&f.causes, "a supervisor's page", __LINE__);
	STEP(&f, STEP_WRITE, WINDOW, 2, FILL, 0);
	/* A user's, too, by whatever instruction. */
	STEP(&f, STEP_WRITE, WINDOW + PAGE, 3, DIRTY_BIT, 1);
	STEP(&f, STEP_WRITE, WINDOW + PAGE, 4, FILL, 0);
	STEP(&f, STEP_FXSAVE, WINDOW + 2 * PAGE + 0x400, 0, DIRTY_BIT, 1);
	EXPECT(*entry(&f, DATA + 2 * PAGE, 0x80) != 0, "nothing was stored");
	EXPECT_EQ(4, *entry(&f, DATA + PAGE, 0));
	EXPECT_EQ((read_only + PAGE) | X86_PTE_U | DIRTY, *entry(&f, TABLE, 1));
	EXPECT_EQ(0, guest_nr_traps(&f.guest));

	run(&f, STEP_CR0, cr0 | X86_CR0_WP, 0);
	run(&f, STEP_WRITE, WINDOW, 5);
	expect_page_fault(&f, 0, WINDOW, 3);
	run(&f, STEP_WRITE, WINDOW + PAGE, 6);
	expect_page_fault(&f, 1, WINDOW + PAGE, 3);
	run(&f, STEP_CR0, cr0, 0);
	run(&f, STEP_WRITE, WINDOW, 7);
	EXPECT_EQ(7, *entry(&f, DATA, 0));
	EXPECT_EQ(2, guest_nr_traps(&f.guest));
	clean_up(&f);
}

/* The same where an exception is delivered; what it pushes is all that changes. */
static void exception_on_read_only(void)
{
	struct fixture f;
	struct trap trap;

	set_up_read_only(&f);
	STEP(&f, STEP_UD, WINDOW + PAGE + 0x800, 0, DIRTY_BIT, 1);
	REQUIRE(guest_nr_traps(&f.guest) == 1, "%llu exceptions",
		(unsigned long long)guest_nr_traps(&f.guest));
	trap = guest_trap(&f.guest, 0);
	EXPECT_EQ(6, trap.vector);
	EXPECT_EQ(WINDOW + PAGE + 0x800, trap.rsp);
	EXPECT_EQ(WINDOW + PAGE + 0x800, *entry(&f, DATA + PAGE, 0x800 / 8 - 2));
	clean_up(&f);
}

/* SMAP would not see that such a page is a user's: each store is emulated. */
static void write_protection_and_smap(void)
{
	struct kvm_sregs sregs;
	struct kvm_regs regs;
	struct fixture f;

	set_up_read_only(&f);
	sregs = guest_sregs(&f.guest, 0);
	sregs.cr4 |= CR4_SMAP;
	REQUIRE_OK(vcpu_set_sregs(&f.guest.vcpu[0], &sregs));
	regs = guest_regs(&f.guest, 0);
	regs.rflags |= RFLAGS_AC;
	REQUIRE_OK(vcpu_set_regs(&f.guest.vcpu[0], &regs));
	run(&f, STEP_WRITE, WINDOW + PAGE, 3);
	causes_begin(&f.causes, &f.guest);
	STEP(&f, STEP_WRITE, WINDOW + PAGE, 4, TRACKED_EMULATED, 1);
	STEP(&f, STEP_WRITE, WINDOW + PAGE, 5, TRACKED_EMULATED, 1);
	EXPECT_EQ(5, *entry(&f, DATA + PAGE, 0));
	EXPECT_EQ(0, guest_nr_traps(&f.guest));
	regs = guest_regs(&f.guest, 0);
	regs.rflags &= ~RFLAGS_AC;
	REQUIRE_OK(vcpu_set_regs(&f.guest.vcpu[0], &regs));
	/* Low memory is a user's, too: the processor does not reach the handler. */
	EXPECT_EQ(KVM_EXIT_SHUTDOWN, enter(&f, STEP_WRITE, WINDOW + PAGE, 6));
	EXPECT_EQ(5, *entry(&f, DATA + PAGE, 0));
	clean_up(&f);
}

/* CR3 is one exit, to read and to load, and no table that is known is built again. */
static void address_spaces(void)
{
	struct fixture f;
	unsigned int i;

	set_up(&f);
	*entry(&f, OTHER_ROOT, WINDOW >> 39) = 0;
	STEP(&f, STEP_READ, WINDOW, 0, ACCESSED_BIT, 1);
	STEP(&f, STEP_READ_CR3, 0, 0, CR3, 1);
	EXPECT_EQ(GUEST_TABLES, result(&f));
	run(&f, STEP_CR3, OTHER_ROOT, 0);
	run(&f, STEP_READ, 3 * WINDOW, 0);
	memset(guest_at(&f.guest, GUEST_TRAP_LOG, PAGE), 0, PAGE);
	causes_begin(&f.causes, &f.guest);
	STEP(&f, STEP_READ_CR3, 0, 0, CR3, 1);
	EXPECT_EQ(OTHER_ROOT, result(&f));
	STEP(&f, STEP_READ, WINDOW, 0, GUEST_NOT_PRESENT, 1);
	expect_page_fault(&f, 0, WINDOW, 0);
	causes_begin(&f.causes, &f.guest);
	for (i = 0; i < 16; i++)
		STEP(&f, STEP_CR3, i & 1 ? OTHER_ROOT : GUEST_TABLES, 0, CR3, 1);
	STEP(&f, STEP_CR3, GUEST_TABLES, 0, CR3, 1);
	STEP(&f, STEP_READ, WINDOW, 0, FILL, 0);
	EXPECT_EQ(0x1000, result(&f));
	clean_up(&f);
}

/* A second store in a row to a table that nobody uses meanwhile opens it; further up the fourth. */
static void flood(void)
{
	struct fixture f;
	unsigned int i;

	set_up(&f);
	STEP(&f, STEP_READ, WINDOW, 0, ACCESSED_BIT, 1);
	for (i = 0; i < 4; i++)
		STEP(&f, STEP_WRITE, DIRECTORY + (64 + i) * 8, 0, TRACKED_EMULATED, 1);
	STEP(&f, STEP_WRITE, DIRECTORY + 68 * 8, 0, FILL, 1);
	/* Its shadow has to be linked again, no more. */
	STEP(&f, STEP_READ, WINDOW, 0, FILL, 1);
	STEP(&f, STEP_WRITE, TABLE + 64 * 8, 0, TRACKED_EMULATED, 1);
	STEP(&f, STEP_WRITE, TABLE + 65 * 8, 0, TRACKED_OPENED, 1);
	for (i = 2; i < 8; i++)
		STEP(&f, STEP_WRITE, TABLE + (64 + i) * 8, 0, FILL, 0);
	for (i = 0; i < 4; i++)
		STEP(&f, STEP_WRITE, TABLE + (64 + i) * 8, (DATA + PAGE) | FLAGS | ACCESSED, FILL,
		     0);
	/* Then it is shadowed anew, and tracked. */
	STEP(&f, STEP_READ, WINDOW + 64 * PAGE, 0, FILL, 1);
	EXPECT_EQ(0x1001, result(&f));
	STEP(&f, STEP_WRITE, TABLE + 68 * 8, 0, TRACKED_EMULATED, 1);
	clean_up(&f);
}

/* INVLPG of one address is for a whole large page, of which the processor has pieces.  No exit. */
static void large_pages(void)
{
	uint64_t here = DATA | FLAGS | ACCESSED | DIRTY | X86_PTE_PS, there = here + 0x200000;
	struct fixture f;
	unsigned int i;

	set_up(&f);
	for (i = 0; i < 4; i++)
		*entry(&f, DATA + 0x200000 + i * PAGE, 0) = 0x2000 + i;
	*entry(&f, DIRECTORY, 1) = here;
	*entry(&f, GUEST_TABLES, WINDOW >> 39) |= ACCESSED;
	*entry(&f, POINTERS, 0) |= ACCESSED;
	for (i = 0; i < 4; i++) {
		STEP(&f, STEP_READ, WINDOW + 0x200000 + i * PAGE, 0, FILL, 1);
		EXPECT_EQ(0x1000 + i, result(&f));
	}
	STEP(&f, STEP_WRITE, DIRECTORY + 8, there, TRACKED_EMULATED, 1);
	STEP(&f, STEP_INVLPG, WINDOW + 0x200000, 0, FILL, 0);
	for (i = 4; i--;) {
		STEP(&f, STEP_READ, WINDOW + 0x200000 + i * PAGE, 0, FILL, 1);
		EXPECT_EQ(0x2000 + i, result(&f));
	}
	/* The same where the whole directory goes. */
	STEP(&f, STEP_WRITE, POINTERS, 0, TRACKED_EMULATED, 1);
	STEP(&f, STEP_INVLPG, WINDOW + 0x200000, 0, FILL, 0);
	STEP(&f, STEP_READ, WINDOW + 0x200000 + PAGE, 0, GUEST_NOT_PRESENT, 1);
	expect_page_fault(&f, 0, WINDOW + 0x200000 + PAGE, 0);
	clean_up(&f);
}

/* What the emulator does not know writes to an open table; a push it knows. */
static void other_stores(void)
{
	uint64_t entries[8] = {};
	struct fixture f;

	set_up(&f);
	STEP(&f, STEP_READ, WINDOW, 0, ACCESSED_BIT, 1);
	STEP(&f, STEP_PUSH, TABLE + 21 * 8, (DATA + 4 * PAGE) | FLAGS | ACCESSED, TRACKED_EMULATED,
	     1);
	STEP(&f, STEP_READ, WINDOW + 20 * PAGE, 0, FILL, 0);
	EXPECT_EQ(0x1004, result(&f));
	run(&f, STEP_FXSAVE, TABLE + 0x400, 0);
	causes_expect(&f.causes, MKVM_CAUSE_TRACKED_OPENED, 1);
	causes_expect(&f.causes, MKVM_CAUSE_FILL, 1);
	causes_check(&f.causes, "fxsave", __LINE__);
	EXPECT(memcmp(entry(&f, TABLE, 0x80), entries, sizeof(entries)) != 0, "nothing was stored");
	STEP(&f, STEP_READ, WINDOW + 20 * PAGE, 0, FILL, 1);
	EXPECT_EQ(0x1004, result(&f));
	clean_up(&f);
}

static uint64_t opened(struct fixture *f)
{
	static struct counts counts;

	guest_counts(&f->guest, 0, &counts);
	return counts.sum.causes[MKVM_CAUSE_TRACKED_OPENED];
}

/* What an exception pushes onto a table: that is opened, and the exception is taken once. */
static void exceptions_on_tables(void)
{
	static const struct {
		enum op step;
		uint64_t vector;
	} cases[] = { { STEP_UD, 6 }, { STEP_INT3, 3 } };
	uint64_t stack = TABLE + 0x800, before;
	struct fixture f;
	struct trap trap;
	unsigned int i;

	set_up(&f);
	/* More often than the module tries when nothing happens in between. */
	for (i = 0; i < 40; i++) {
		run(&f, STEP_READ, WINDOW + i % 16 * PAGE, 0);
		EXPECT_EQ(0x1000 + i % 16, result(&f));
		before = opened(&f);
		memset(guest_at(&f.guest, GUEST_TRAP_LOG, 8), 0, 8);
		run(&f, cases[i / 20].step, stack, 0);
		EXPECT_EQ(before + 1, opened(&f));
		REQUIRE(guest_nr_traps(&f.guest) == 1, "%llu exceptions, not one",
			(unsigned long long)guest_nr_traps(&f.guest));
		trap = guest_trap(&f.guest, 0);
		EXPECT_EQ(cases[i / 20].vector, trap.vector);
		EXPECT_EQ(stack, trap.rsp);
		EXPECT_EQ(stack, *entry(&f, TABLE, 0x800 / 8 - 2));
		/* It is memory like any other now; the next push shall find no entry there. */
		run(&f, STEP_WRITE, stack - 8, 0);
		run(&f, STEP_CR3, GUEST_TABLES, 0);
	}
	clean_up(&f);
}

/* A table is opened as often as it takes, if it was in use in between. */
static void opened_again(void)
{
	volatile uint64_t *left;
	struct fixture f;
	uint64_t before;

	set_up(&f);
	left = guest_shared(&f.guest);
	*left = 40;
	run(&f, STEP_READ, WINDOW, 0);
	before = opened(&f);
	run(&f, STEP_AGAIN, DIRECTORY + 0x400, WINDOW);
	EXPECT_EQ(0, *left);
	EXPECT_EQ(before + 40, opened(&f));
	EXPECT_EQ(0x1000, result(&f));
	EXPECT_EQ(0, guest_nr_traps(&f.guest));
	clean_up(&f);
}

/* An instruction that is fetched by the very table that it writes to: it ends, one way or other. */
static void opened_in_vain(void)
{
	struct kvm_regs regs;
	struct fixture f;
	uint32_t reason;

	set_up(&f);
	memcpy(entry(&f, DATA, 0), code_steps + STEP_FXSAVE * CODE_STRIDE, CODE_STRIDE);
	regs = guest_regs(&f.guest, 0);
	regs.rip = WINDOW;
	regs.rdi = TABLE + 0x400;
	REQUIRE_OK(vcpu_set_regs(&f.guest.vcpu[0], &regs));
	reason = guest_run(&f.guest, 0);
	/* A processor that has cached where it lies gets there. */
	if (reason == KVM_EXIT_INTERNAL_ERROR)
		EXPECT_EQ(16, opened(&f));
	else
		EXPECT_EQ(KVM_EXIT_HLT, reason);
	EXPECT_EQ(0, guest_nr_traps(&f.guest));
	clean_up(&f);
}

/* The topmost table maps itself: its entries are edited where they are used. */
static void self_mapping(void)
{
	uint64_t top = 0xfffffffffffff000UL; /* the topmost table, four times by its last entry */
	struct fixture f;

	set_up(&f);
	*entry(&f, GUEST_TABLES, 511) = GUEST_TABLES | FLAGS;
	run(&f, STEP_READ, top + 8, 0);
	EXPECT_EQ(POINTERS | FLAGS, result(&f) & ~ACCESSED);
	EXPECT_EQ(0, guest_nr_traps(&f.guest));
	/* By way of itself the table gets an entry for another address, and loses one. */
	run(&f, STEP_WRITE, top + 2 * 8, POINTERS | FLAGS);
	run(&f, STEP_READ, 2 * WINDOW, 0);
	EXPECT_EQ(0x1000, result(&f));
	run(&f, STEP_WRITE, top + 2 * 8, 0);
	run(&f, STEP_INVLPG, 2 * WINDOW, 0);
	run(&f, STEP_READ, 2 * WINDOW, 0);
	expect_page_fault(&f, 0, 2 * WINDOW, 0);
	/* What cannot be emulated can never be done there: user space is told. */
	EXPECT_EQ(KVM_EXIT_INTERNAL_ERROR, enter(&f, STEP_FXSAVE, top + 0x400, 0));
	EXPECT_EQ(KVM_INTERNAL_ERROR_EMULATION, f.guest.vcpu[0].run->internal.suberror);
	clean_up(&f);
}

static void other_memory(void)
{
	struct fixture f;
	struct mem rom;

	set_up(&f);
	*entry(&f, TABLE, 0) = NOT_THERE | FLAGS;
	*entry(&f, TABLE, 1) = READ_ONLY | FLAGS;
	REQUIRE_OK(mem_create(&rom, READ_ONLY, PAGE));
	*(uint64_t *)rom.host = 0x5555;
	REQUIRE_OK(vm_set_slot(&f.guest.vm, 5, READ_ONLY, PAGE, rom.host, KVM_MEM_READONLY));
	EXPECT_EQ(KVM_EXIT_MMIO, enter(&f, STEP_READ, WINDOW + 8, 0));
	EXPECT_EQ(NOT_THERE + 8, f.guest.vcpu[0].run->mmio.phys_addr);
	EXPECT_EQ(0, f.guest.vcpu[0].run->mmio.is_write);
	memset(f.guest.vcpu[0].run->mmio.data, 0x77, 8);
	guest_run_to_hlt(&f.guest, 0);
	EXPECT_EQ(0x7777777777777777, result(&f));
	causes_expect(&f.causes, MKVM_CAUSE_MMIO, 1);
	causes_check(&f.causes, "a read of no memory", __LINE__);
	STEP(&f, STEP_READ, WINDOW + PAGE, 0, ACCESSED_BIT, 1);
	EXPECT_EQ(0x5555, result(&f));
	EXPECT_EQ(KVM_EXIT_MMIO, enter(&f, STEP_WRITE, WINDOW + PAGE + 8, 9));
	EXPECT_EQ(READ_ONLY + 8, f.guest.vcpu[0].run->mmio.phys_addr);
	EXPECT_EQ(1, f.guest.vcpu[0].run->mmio.is_write);
	guest_run_to_hlt(&f.guest, 0);
	EXPECT_EQ(0, ((uint64_t *)rom.host)[1]);
	clean_up(&f);
	mem_destroy(&rom);
}

/* Where a table cannot be written no dirty bit is wanted, nor is an accessed one. */
static void table_in_read_only_memory(void)
{
	struct fixture f;
	struct mem rom;
	uint64_t *table;

	set_up(&f);
	REQUIRE_OK(mem_create(&rom, READ_ONLY, PAGE));
	table = rom.host;
	table[0] = DATA | FLAGS | ACCESSED;
	table[1] = (DATA + PAGE) | FLAGS;
	REQUIRE_OK(vm_set_slot(&f.guest.vm, 5, READ_ONLY, PAGE, rom.host, KVM_MEM_READONLY));
	*entry(&f, DIRECTORY, 0) = READ_ONLY | FLAGS;
	STEP(&f, STEP_READ, WINDOW, 0, ACCESSED_BIT, 1);
	STEP(&f, STEP_WRITE, WINDOW, 5, FILL, 1);
	STEP(&f, STEP_WRITE, WINDOW, 6, FILL, 0);
	EXPECT_EQ(6, *entry(&f, DATA, 0));
	STEP(&f, STEP_FXSAVE, WINDOW + PAGE + 0x400, 0, FILL, 1);
	EXPECT(*entry(&f, DATA + PAGE, 0x80) != 0, "nothing was stored");
	EXPECT_EQ(DATA | FLAGS | ACCESSED, table[0]);
	EXPECT_EQ((DATA + PAGE) | FLAGS, table[1]);
	EXPECT_EQ(0, guest_nr_traps(&f.guest));
	clean_up(&f);
	mem_destroy(&rom);
}

/* A fault maps the neighbours that the guest has used before, with the rights that they had. */
static void neighbours(void)
{
	struct fixture f;
	unsigned int i;

	set_up(&f);
	REQUIRE_OK(vm_enable_cap(&f.guest.vm, MKVM_CAP_FAULT_AROUND, 16));
	for (i = 0; i < 12; i++)
		*entry(&f, TABLE, i) |= ACCESSED | (i < 8 ? DIRTY : 0);
	STEP(&f, STEP_READ, WINDOW, 0, ACCESSED_BIT, 1);
	for (i = 0; i < 16; i++) {
		if (i < 12)
			STEP(&f, STEP_READ, WINDOW + i * PAGE, 0, FILL, 0);
		else
			STEP(&f, STEP_READ, WINDOW + i * PAGE, 0, ACCESSED_BIT, 1);
		EXPECT_EQ(0x1000 + i, result(&f));
		if (i < 8)
			STEP(&f, STEP_WRITE, WINDOW + i * PAGE, i, FILL, 0);
		else
			STEP(&f, STEP_WRITE, WINDOW + i * PAGE, i, DIRTY_BIT, 1);
		EXPECT_EQ(i, *entry(&f, DATA + i * PAGE, 0));
	}
	clean_up(&f);
}

static uint64_t log_bits[GUEST_MEM_SIZE / PAGE / 64];

/* Pages of the first slot that its log has, since it was read last. */
static void expect_log(struct fixture *f, const uint64_t *pages, unsigned int nr)
{
	static uint64_t expected[GUEST_MEM_SIZE / PAGE / 64];
	uint64_t *bits = log_bits;
	unsigned int i;

	memset(expected, 0, sizeof(expected));
	for (i = 0; i < nr; i++)
		expected[pages[i] / PAGE / 64] |= 1UL << pages[i] / PAGE % 64;
	REQUIRE_OK(vm_get_dirty_log(&f->guest.vm, 0, bits));
	for (i = 0; i < GUEST_MEM_SIZE / PAGE / 64; i++)
		EXPECT(bits[i] == expected[i], "pages %#x on: %#llx, expected %#llx", 64 * i,
		       (unsigned long long)bits[i], (unsigned long long)expected[i]);
}

/* The log has what the guest writes, and its tables: by its stores, and by their bits. */
static void dirty_log(void)
{
	const uint64_t first[] = { GUEST_TABLES, POINTERS, DIRECTORY, TABLE, DATA };
	const uint64_t second[] = { TABLE, DATA + PAGE }, third[] = { DATA };
	/* The store to the table sets the dirty bit of the large page that it goes by. */
	const uint64_t fourth[] = { TABLE, GUEST_TABLES + 2 * PAGE };
	struct fixture f;

	set_up(&f);
	REQUIRE_OK(vm_set_slot(&f.guest.vm, 0, 0, GUEST_MEM_SIZE, f.guest.mem.host,
			       KVM_MEM_LOG_DIRTY_PAGES));
	expect_log(&f, NULL, 0);
	STEP(&f, STEP_WRITE, WINDOW, 5, DIRTY_BIT, 1);
	expect_log(&f, first, 5);
	STEP(&f, STEP_READ, WINDOW, 0, FILL, 0);
	STEP(&f, STEP_READ, WINDOW + PAGE, 0, ACCESSED_BIT, 1);
	expect_log(&f, second, 1);
	STEP(&f, STEP_WRITE, WINDOW + PAGE, 6, DIRTY_BIT, 1);
	expect_log(&f, second, 2);
	STEP(&f, STEP_WRITE, WINDOW, 7, DIRTY_LOG, 1);
	STEP(&f, STEP_WRITE, WINDOW, 8, FILL, 0);
	expect_log(&f, third, 1);
	STEP(&f, STEP_WRITE, TABLE, DATA | FLAGS | ACCESSED, TRACKED_OPENED, 1);
	expect_log(&f, fourth, 2);
	clean_up(&f);
}

/*
 * A write that the guest's entry forbids opens the table for what the guest will do about it.  If
 * there is a log it has to see the store.
 */
static void edit_after_a_fault(void)
{
	const uint64_t logged[] = { TABLE };
	struct fixture f;

	set_up(&f);
	run(&f, STEP_CR0, guest_sregs(&f.guest, 0).cr0 | X86_CR0_WP, 0);
	run(&f, STEP_READ, 3 * WINDOW, 0);
	memset(guest_at(&f.guest, GUEST_TRAP_LOG, PAGE), 0, PAGE);
	*entry(&f, TABLE, 0) = DATA | X86_PTE_P | ACCESSED;
	*entry(&f, TABLE, 1) = (DATA + PAGE) | X86_PTE_P | ACCESSED;
	/* The table's own page is mapped, and its large page dirty. */
	run(&f, STEP_WRITE, TABLE + 8 * 8, 0);
	run(&f, STEP_READ, WINDOW, 0);
	causes_begin(&f.causes, &f.guest);
	STEP(&f, STEP_WRITE, WINDOW, 5, GUEST_PROTECTION, 1);
	expect_page_fault(&f, 0, WINDOW, 3);
	STEP(&f, STEP_WRITE, TABLE, DATA | FLAGS | ACCESSED | DIRTY, FILL, 0);
	STEP(&f, STEP_WRITE, WINDOW, 5, FILL, 1);
	EXPECT_EQ(5, *entry(&f, DATA, 0));

	REQUIRE_OK(vm_set_slot(&f.guest.vm, 0, 0, GUEST_MEM_SIZE, f.guest.mem.host,
			       KVM_MEM_LOG_DIRTY_PAGES));
	run(&f, STEP_READ, WINDOW + PAGE, 0);
	run(&f, STEP_WRITE, WINDOW + PAGE, 5);
	expect_page_fault(&f, 1, WINDOW + PAGE, 3);
	REQUIRE_OK(vm_get_dirty_log(&f.guest.vm, 0, log_bits));
	causes_begin(&f.causes, &f.guest);
	STEP(&f, STEP_WRITE, TABLE + 8, (DATA + PAGE) | FLAGS | ACCESSED | DIRTY, DIRTY_LOG, 1);
	expect_log(&f, logged, 1);
	clean_up(&f);
}

/* What the host takes away comes back, by one fault for each page. */
static void host_takes_pages(void)
{
	struct fixture f;
	unsigned int i;

	set_up(&f);
	for (i = 0; i < 16; i++)
		STEP(&f, STEP_WRITE, WINDOW + i * PAGE, i, DIRTY_BIT, 1);
	REQUIRE(madvise(guest_at(&f.guest, DATA, 8 * PAGE), 8 * PAGE, MADV_DONTNEED) == 0);
	for (i = 0; i < 8; i++) {
		STEP(&f, STEP_READ, WINDOW + i * PAGE, 0, FILL, 1);
		EXPECT_EQ(0, result(&f));
	}
	for (; i < 16; i++) {
		STEP(&f, STEP_READ, WINDOW + i * PAGE, 0, FILL, 0);
		EXPECT_EQ(i, result(&f));
	}
	clean_up(&f);
}

#define ROUNDS 200

/*
 * Two processors and one table: the first sends an address from one page to the other and says so;
 * the second then has it forgotten, and must not see the old page any more.
 */
guest_code(code_editor, 64,
	   "1: mov %rsi, %rax\n"
	   "xchg %rsi, %rbx\n"
	   "mov %rax, (%rdi)\n"
	   "incq (%rdx)\n"
	   "2: pause\n"
	   "mov (%rdx), %rax\n"
	   "cmp %rax, 8(%rdx)\n"
	   "jne 2b\n"
	   "dec %rcx\n"
	   "jnz 1b\n"
	   "hlt\n");
guest_code(code_reader, 64,
	   "xor %r9, %r9\n"
	   "1: inc %r9\n"
	   "2: pause\n"
	   "cmp %r9, (%rdx)\n"
	   "jne 2b\n"
	   "invlpg (%rdi)\n"
	   "mov (%rdi), %rax\n"
	   "cmp %rsi, %rax\n"
	   "jne 3f\n"
	   "xchg %rsi, %rbx\n"
	   "incq 8(%rdx)\n"
	   "dec %rcx\n"
	   "jnz 1b\n"
	   "3: hlt\n");

static void *run_editor(void *data)
{
	struct fixture *f = data;

	guest_run_to_hlt(&f->guest, 0);
	return NULL;
}

static void load(struct fixture *f, unsigned int cpu, const void *code, size_t size,
		 struct kvm_regs regs)
{
	regs.rip = GUEST_CODE + cpu * PAGE;
	regs.rflags = 2;
	regs.rsp = GUEST_STACKS;
	regs.rcx = ROUNDS;
	regs.rdx = GUEST_SHARED;
	memcpy(guest_at(&f->guest, regs.rip, size), code, size);
	REQUIRE_OK(vcpu_set_regs(&f->guest.vcpu[cpu], &regs));
}

static void two_processors(void)
{
	uint64_t a = (DATA + PAGE) | FLAGS | ACCESSED, b = (DATA + 2 * PAGE) | FLAGS | ACCESSED;
	struct fixture f;
	pthread_t thread;

	begin(&f, 2);
	load(&f, 0, code_editor, code_editor_end - code_editor,
	     (struct kvm_regs){ .rdi = TABLE, .rsi = a, .rbx = b });
	load(&f, 1, code_reader, code_reader_end - code_reader,
	     (struct kvm_regs){ .rdi = WINDOW, .rsi = 0x1001, .rbx = 0x1002 });
	REQUIRE(pthread_create(&thread, NULL, run_editor, &f) == 0);
	guest_run_to_hlt(&f.guest, 1);
	if (guest_regs(&f.guest, 1).rcx) {
		EXPECT(false, "an old page was seen, %llu rounds before the end",
		       guest_regs(&f.guest, 1).rcx);
		/* The other one goes on to its end alone. */
		while (pthread_tryjoin_np(thread, NULL))
			guest_shared(&f.guest)[1] = guest_shared(&f.guest)[0];
		return clean_up(&f);
	}
	pthread_join(thread, NULL);
	clean_up(&f);
}

static const struct ktap_test tests[] = {
	KTAP_TEST(accessed_and_dirty_bits),
	KTAP_TEST(edited_entries),
	KTAP_TEST(page_faults),
	KTAP_TEST(write_protection),
	KTAP_TEST(exception_on_read_only),
	KTAP_TEST(write_protection_and_smap),
	KTAP_TEST(address_spaces),
	KTAP_TEST(flood),
	KTAP_TEST(large_pages),
	KTAP_TEST(other_stores),
	KTAP_TEST(exceptions_on_tables),
	KTAP_TEST(opened_again),
	KTAP_TEST(opened_in_vain),
	KTAP_TEST(self_mapping),
	KTAP_TEST(other_memory),
	KTAP_TEST(table_in_read_only_memory),
	KTAP_TEST(neighbours),
	KTAP_TEST(dirty_log),
	KTAP_TEST(edit_after_a_fault),
	KTAP_TEST(host_takes_pages),
	KTAP_TEST(two_processors),
};

int main(int argc, char **argv)
{
	setenv("MKVM_MMU", "shadow", 1);
	return ktap_main(tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
