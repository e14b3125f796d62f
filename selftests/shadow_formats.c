// SPDX-License-Identifier: GPL-2.0-only
/*
 * Shadow paging of guests that are not in long mode: tables of PAE and of 32-bit paging, and none;
 * with the exact number of exits of each step, and their causes.
 */
#include <linux/kvm.h>
#include <linux/mkvm.h>
#include <stdlib.h>
#include <string.h>

#include "lib/causes.h"
#include "lib/guest.h"

#define PAGE	    0x1000UL
#define TABLE	    0x202000UL
#define DATA	    0x400000UL
#define FLAGS	    (X86_PTE_P | X86_PTE_W)
#define ACCESSED    (1UL << 5)
#define DIRTY	    (1UL << 6)
#define CODE_STRIDE 16

/* What the guest can do: one step each, CODE_STRIDE bytes apart. */
enum op {
	STEP_READ,   /* edi */
	STEP_WRITE,  /* esi to edi */
	STEP_INVLPG, /* edi */
	STEP_CR3     /* = edi */
};

guest_code(code_steps, 32,
	   "mov (%edi), %eax\n hlt\n .balign 16, 0x90\n"
	   "mov %esi, (%edi)\n hlt\n .balign 16, 0x90\n"
	   "invlpg (%edi)\n hlt\n .balign 16, 0x90\n"
	   "mov %edi, %cr3\n hlt\n");

struct fixture {
	struct guest guest;
	struct causes causes;
};

static uint64_t *entry(struct fixture *f, uint64_t table, unsigned int i)
{
	return (uint64_t *)guest_at(&f->guest, table, PAGE) + i;
}

static void set_step(struct fixture *f, enum op step, uint64_t rdi, uint64_t rsi)
{
	struct kvm_regs regs = guest_regs(&f->guest, 0);

	regs.rip = GUEST_CODE + step * CODE_STRIDE;
	regs.rdi = rdi;
	regs.rsi = rsi;
	REQUIRE_OK(vcpu_set_regs(&f->guest.vcpu[0], &regs));
}

static void run(struct fixture *f, enum op step, uint64_t rdi, uint64_t rsi)
{
	set_step(f, step, rdi, rsi);
	guest_run_to_hlt(&f->guest, 0);
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

#define WINDOW 0x80000000UL /* the third GiB */

/* With 32-bit code, in @mode.  What the code costs is past. */
static void set_up(struct fixture *f, enum cpu_mode mode)
{
	unsigned int i;

	memset(f, 0, sizeof(*f));
	device_needs_shadow();
	guest_create(&f->guest, 1);
	guest_load(&f->guest, code_steps);
	guest_start(&f->guest, 0, mode);
	memset(guest_at(&f->guest, TABLE, PAGE), 0, PAGE);
	for (i = 0; i < 16; i++)
		*entry(f, DATA + i * PAGE, 0) = 0x1000 + i;
	/* The first write to a large page makes it another one. */
	run(f, STEP_WRITE, GUEST_SHARED, 0);
	run(f, STEP_READ, GUEST_SHARED, 0);
	causes_begin(&f->causes, &f->guest);
}

/*
 * Entries of 8 bytes; and one of the four topmost, which on SVM needs no load of CR3 to become
 * present, and on VMX does.
 */
static void pae_tables(void)
{
	uint64_t third = GUEST_TABLES + 4 * PAGE;
	struct kvm_sregs sregs;
	struct fixture f;

	set_up(&f, MODE_PAE);
	*entry(&f, GUEST_TABLES, 2) = 0;
	*entry(&f, third, 0) = TABLE | FLAGS;
	*entry(&f, TABLE, 300) = DATA | FLAGS;
	sregs = guest_sregs(&f.guest, 0);
	REQUIRE_OK(vcpu_set_sregs(&f.guest.vcpu[0], &sregs));
	run(&f, STEP_WRITE, GUEST_TABLES + 2 * 8, third | X86_PTE_P);
	run(&f, STEP_READ, GUEST_SHARED, 0);
	causes_begin(&f.causes, &f.guest);
	if (f.causes.before.sum.vendor == MKVM_VENDOR_VMX)
		STEP(&f, STEP_CR3, GUEST_TABLES, 0, CR3, 1);

	STEP(&f, STEP_READ, WINDOW + 300 * PAGE, 0, ACCESSED_BIT, 1);
	EXPECT_EQ(0x1000, result(&f));
	EXPECT_EQ(third | X86_PTE_P, *entry(&f, GUEST_TABLES, 2));
	EXPECT_EQ(TABLE | FLAGS | ACCESSED, *entry(&f, third, 0));
	STEP(&f, STEP_WRITE, WINDOW + 300 * PAGE, 5, DIRTY_BIT, 1);
	EXPECT_EQ(DATA | FLAGS | ACCESSED | DIRTY, *entry(&f, TABLE, 300));
	EXPECT_EQ(5, *entry(&f, DATA, 0));
	/* In halves, as 32-bit code stores an entry. */
	STEP(&f, STEP_WRITE, TABLE + 301 * 8 + 4, 0, TRACKED_EMULATED, 1);
	STEP(&f, STEP_WRITE, TABLE + 301 * 8, (DATA + 6 * PAGE) | FLAGS | ACCESSED,
	     TRACKED_EMULATED, 1);
	STEP(&f, STEP_READ, WINDOW + 301 * PAGE, 0, FILL, 0);
	EXPECT_EQ(0x1006, result(&f));
	guest_destroy(&f.guest);
}

#define OTHER	    0x203000UL /* a page directory, and its page table */
#define OTHER_TABLE 0x204000UL

/* The third GiB is there, by the third of the four topmost entries. */
static void set_up_pae(struct fixture *f)
{
	uint64_t third = GUEST_TABLES + 4 * PAGE;

	set_up(f, MODE_PAE);
	memset(guest_at(&f->guest, OTHER, 2 * PAGE), 0, 2 * PAGE);
	*entry(f, third, 0) = TABLE | FLAGS | ACCESSED;
	*entry(f, TABLE, 0) = DATA | FLAGS | ACCESSED;
	*entry(f, OTHER, 0) = OTHER_TABLE | FLAGS | ACCESSED;
	*entry(f, OTHER_TABLE, 0) = (DATA + 7 * PAGE) | FLAGS | ACCESSED;
	run(f, STEP_WRITE, GUEST_TABLES + 2 * 8, third | X86_PTE_P);
	run(f, STEP_CR3, GUEST_TABLES, 0);
	run(f, STEP_READ, WINDOW, 0);
	EXPECT_EQ(0x1000, result(f));
	causes_begin(&f->causes, &f->guest);
}

static bool is_vmx(const struct fixture *f)
{
	return f->causes.before.sum.vendor == MKVM_VENDOR_VMX;
}

/* One of the four changes and goes: on SVM INVLPG tells the processor, on VMX a load of CR3. */
static void pae_root_changes(void)
{
	struct fixture f;

	set_up_pae(&f);
	STEP(&f, STEP_WRITE, GUEST_TABLES + 2 * 8, OTHER | X86_PTE_P, FILL, 0);
	if (is_vmx(&f)) {
		STEP(&f, STEP_INVLPG, WINDOW, 0, INVLPG, 0);
		STEP(&f, STEP_READ, WINDOW, 0, FILL, 0);
		EXPECT_EQ(0x1000, result(&f));
		STEP(&f, STEP_CR3, GUEST_TABLES, 0, CR3, 1);
	} else {
		STEP(&f, STEP_INVLPG, WINDOW, 0, INVLPG, 1);
	}
	STEP(&f, STEP_READ, WINDOW, 0, FILL, 1);
	EXPECT_EQ(0x1007, result(&f));

	STEP(&f, STEP_WRITE, GUEST_TABLES + 2 * 8, OTHER, FILL, 0);
	if (is_vmx(&f))
		STEP(&f, STEP_CR3, GUEST_TABLES, 0, CR3, 1);
	else
		STEP(&f, STEP_INVLPG, WINDOW, 0, INVLPG, 1);
	/* There is no handler. */
	set_step(&f, STEP_READ, WINDOW, 0);
	EXPECT_EQ(KVM_EXIT_SHUTDOWN, guest_run(&f.guest, 0));
	guest_destroy(&f.guest);
}

static uint64_t causes_of(const struct fixture *f, enum mkvm_mmu_cause cause)
{
	static struct counts counts;

	guest_counts(&f->guest, 0, &counts);
	return counts.sum.causes[cause] - f->causes.before.sum.causes[cause];
}

/* A reserved bit in one of them: on SVM the use of it faults, on VMX the load of CR3. */
static void pae_root_reserved(void)
{
	static const unsigned int bits[] = { 1, 2, 6, 7, 8, 51, 52, 63 };
	struct fixture f;
	unsigned int i;

	for (i = 0; i < sizeof(bits) / sizeof(bits[0]); i++) {
		set_up_pae(&f);
		*entry(&f, GUEST_TABLES, 2) = OTHER | X86_PTE_P | 1UL << bits[i];
		if (is_vmx(&f)) {
			set_step(&f, STEP_CR3, GUEST_TABLES, 0);
		} else {
			STEP(&f, STEP_CR3, GUEST_TABLES, 0, CR3, 1);
			set_step(&f, STEP_READ, WINDOW, 0);
		}
		/* There is no handler. */
		EXPECT(guest_run(&f.guest, 0) == KVM_EXIT_SHUTDOWN, "bit %u is ignored", bits[i]);
		EXPECT_EQ(!is_vmx(&f), causes_of(&f, MKVM_CAUSE_GUEST_RESERVED));
		guest_destroy(&f.guest);
	}
}

/* Entries of 4 bytes: the 1024 of a table have two shadow pages, and the directory's have four. */
static void tables_of_32_bits(void)
{
	static const unsigned int pages[] = { 0, 511, 512, 1023 };
	struct kvm_sregs sregs;
	uint32_t *table;
	struct fixture f;
	unsigned int i;

	set_up(&f, MODE_PAGED32);
	((uint32_t *)entry(&f, GUEST_TABLES, 0))[WINDOW >> 22] = TABLE | FLAGS;
	table = (uint32_t *)entry(&f, TABLE, 0);
	for (i = 0; i < 4; i++)
		table[pages[i]] = (DATA + i * PAGE) | FLAGS;
	sregs = guest_sregs(&f.guest, 0);
	REQUIRE_OK(vcpu_set_sregs(&f.guest.vcpu[0], &sregs));
	run(&f, STEP_READ, GUEST_SHARED, 0);
	causes_begin(&f.causes, &f.guest);
	for (i = 0; i < 4; i++) {
		uint64_t page = WINDOW + pages[i] * PAGE;

		STEP(&f, STEP_READ, page, 0, ACCESSED_BIT, 1);
		EXPECT_EQ(0x1000 + i, result(&f));
		STEP(&f, STEP_WRITE, page, 0x2000 + i, DIRTY_BIT, 1);
		EXPECT_EQ((DATA + i * PAGE) | FLAGS | ACCESSED | DIRTY, table[pages[i]]);
		STEP(&f, STEP_READ, page, 0, FILL, 0);
	}
	/* Twice the opening saves one store only; from then on stores are emulated, and fill. */
	for (i = 0; i < 4; i++) {
		uint64_t page = WINDOW + pages[i] * PAGE;
		uint64_t new = (DATA + (8 + i) * PAGE) | FLAGS | ACCESSED;

		if (i < 2)
			STEP(&f, STEP_WRITE, TABLE + pages[i] * 4, new, TRACKED_OPENED, 1);
		else
			STEP(&f, STEP_WRITE, TABLE + pages[i] * 4, new, TRACKED_EMULATED, 1);
		STEP(&f, STEP_INVLPG, page, 0, FILL, 0);
		/* The second half's shadow page was opened with the first's. */
		STEP(&f, STEP_READ, page, 0, FILL, i < 3);
		EXPECT_EQ(0x1008 + i, result(&f));
	}
	guest_destroy(&f.guest);
}

/* Without paging a page is one fault, and nothing is a table. */
static void no_paging(void)
{
	struct fixture f;

	set_up(&f, MODE_PROT32);
	STEP(&f, STEP_WRITE, GUEST_TABLES, 0, FILL, 1);
	STEP(&f, STEP_WRITE, GUEST_TABLES + 8, 0, FILL, 0);
	guest_destroy(&f.guest);
}

static const struct ktap_test tests[] = {
	KTAP_TEST(pae_tables),	      KTAP_TEST(pae_root_changes), KTAP_TEST(pae_root_reserved),
	KTAP_TEST(tables_of_32_bits), KTAP_TEST(no_paging),
};

int main(int argc, char **argv)
{
	setenv("MKVM_MMU", "shadow", 1);
	return ktap_main(tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
