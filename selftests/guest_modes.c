// SPDX-License-Identifier: GPL-2.0-only
/*
 * Every mode of the processor, and the way through all of them.
 *
 * What tells the modes apart from inside: the same bytes are other instructions.  "b8 34 12 90 90"
 * loads ax and is two no-ops in 16-bit code, loads eax otherwise; 48 decrements eax but in 64-bit
 * code, where it is a prefix.  What tells that paging works: an address that the tables send
 * elsewhere.
 */
#include <linux/kvm.h>
#include <string.h>

#include "lib/guest.h"

#define FAR	   0x800000 /* linear and physical; the alias is sent from here to 0 */
#define S_FAR	   STRING(FAR + GUEST_SHARED)
#define S_SEL_DATA STRING(SEL_DATA)
#define HERE	   0x1111
#define THERE	   0x2222

/* ebx: 0x1233 in 16-bit code, 0x90901233 in 32-bit code, 0x90901234 in 64-bit code. */
guest_code(code_which, 16,
	   ".byte 0x31, 0xc0\n"
	   ".byte 0x31, 0xdb\n"
	   ".byte 0xb8, 0x34, 0x12, 0x90, 0x90\n"
	   ".byte 0x48, 0x89, 0xc3\n"
	   ".byte 0xf4\n");

static void expect_width(enum cpu_mode mode, unsigned int bits)
{
	uint64_t expected = bits == 16 ? 0x1233 : bits == 32 ? 0x90901233 : 0x90901234;
	struct guest guest;

	guest_create(&guest, 1);
	guest_load(&guest, code_which);
	guest_start(&guest, 0, mode);
	guest_run_to_hlt(&guest, 0);
	EXPECT_EQ(expected, guest_regs(&guest, 0).rbx);
}

guest_code(code_read32, 32,
	   "mov " S_FAR ", %eax\n"
	   "hlt\n");
guest_code(code_read64, 64,
	   "mov " S_FAR ", %eax\n"
	   "hlt\n");

/* Sends the large page at FAR to physical 0: in each kind of table it is one entry. */
static void alias_far_to_0(struct guest *guest, enum cpu_mode mode)
{
	uint64_t flags = X86_PTE_P | X86_PTE_W | X86_PTE_PS;

	if (mode == MODE_PAGED32) {
		uint32_t *directory = guest_at(guest, GUEST_TABLES, 0x1000);

		directory[FAR >> 22] = flags;
	} else {
		uint64_t *directory = guest_at(guest, GUEST_TABLES + 0x2000, 0x1000);

		directory[FAR >> 21] = flags;
	}
}

static void expect_far(enum cpu_mode mode, uint64_t expected)
{
	struct guest guest;

	guest_create(&guest, 1);
	*(uint32_t *)guest_at(&guest, GUEST_SHARED, 4) = HERE;
	*(uint32_t *)guest_at(&guest, FAR + GUEST_SHARED, 4) = THERE;
	if (mode == MODE_LONG)
		guest_load(&guest, code_read64);
	else
		guest_load(&guest, code_read32);
	guest_start(&guest, 0, mode);
	if (expected == HERE)
		alias_far_to_0(&guest, mode);
	guest_run_to_hlt(&guest, 0);
	EXPECT_EQ(expected, guest_regs(&guest, 0).rax);
}

/* Segment times 16 plus offset; ds and fs are loaded by the guest. */
guest_code(code_real_segments, 16,
	   "mov $0x1000, %ax\n"
	   "mov %ax, %ds\n"
	   "mov $0x1001, %ax\n"
	   "mov %ax, %fs\n"
	   "mov 0x10, %bx\n"
	   "mov %fs:0x0, %cx\n"
	   "movw $0x4444, %fs:0x2\n"
	   "hlt\n");

static void real(void)
{
	struct kvm_sregs sregs;
	struct guest guest;
	uint16_t *word;

	expect_width(MODE_REAL, 16);
	guest_create(&guest, 1);
	word = guest_at(&guest, 0x10010, 4);
	word[0] = 0x3333;
	guest_load(&guest, code_real_segments);
	guest_start(&guest, 0, MODE_REAL);
	guest_run_to_hlt(&guest, 0);
	EXPECT_EQ(0x3333, guest_regs(&guest, 0).rbx & 0xffff);
	EXPECT_EQ(0x3333, guest_regs(&guest, 0).rcx & 0xffff);
	EXPECT_EQ(0x4444, word[1]);
	sregs = guest_sregs(&guest, 0);
	EXPECT_EQ(0x10000, sregs.ds.base);
	EXPECT_EQ(0x10010, sregs.fs.base);
	EXPECT_EQ(0x30, sregs.cr0 & 0x80000031);
}

/* The interrupt table of real mode: four bytes a vector, from 0. */
guest_code(code_real_int, 16,
	   "mov $0x5555, %ax\n"
	   "int $0x21\n"
	   "hlt\n"
	   ".skip 0x40 - (. - code_real_int)\n"
	   "mov %ax, %bx\n"
	   "iret\n");

static void real_interrupt(void)
{
	struct guest guest;

	guest_create(&guest, 1);
	*(uint32_t *)guest_at(&guest, 0x21 * 4, 4) = GUEST_CODE + 0x40;
	guest_load(&guest, code_real_int);
	guest_start(&guest, 0, MODE_REAL);
	guest_run_to_hlt(&guest, 0);
	EXPECT_EQ(0x5555, guest_regs(&guest, 0).rbx);
	EXPECT_EQ(GUEST_CODE + 6, guest_regs(&guest, 0).rip);
}

static void protected_16(void)
{
	expect_width(MODE_PROT16, 16);
}

/* A segment's base counts; a selector is looked up in the table. */
guest_code(code_prot_segments, 32,
	   "mov $" S_SEL_DATA ", %eax\n"
	   "mov %eax, %gs\n"
	   "mov %gs:" S_SHARED ", %ebx\n"
	   "mov %fs:0, %ecx\n"
	   "hlt\n");

static void protected_32(void)
{
	struct kvm_sregs sregs;
	struct guest guest;

	expect_width(MODE_PROT32, 32);
	expect_far(MODE_PROT32, THERE);
	guest_create(&guest, 1);
	*(uint32_t *)guest_at(&guest, GUEST_SHARED, 4) = HERE;
	guest_load(&guest, code_prot_segments);
	guest_start(&guest, 0, MODE_PROT32);
	sregs = guest_sregs(&guest, 0);
	sregs.fs.base = GUEST_SHARED;
	REQUIRE_OK(vcpu_set_sregs(&guest.vcpu[0], &sregs));
	guest_run_to_hlt(&guest, 0);
	EXPECT_EQ(HERE, guest_regs(&guest, 0).rbx);
	EXPECT_EQ(HERE, guest_regs(&guest, 0).rcx);
	EXPECT_EQ(SEL_DATA, guest_sregs(&guest, 0).gs.selector);
}

static void paging_32(void)
{
	expect_width(MODE_PAGED32, 32);
	expect_far(MODE_PAGED32, THERE);
	expect_far(MODE_PAGED32, HERE);
}

static void paging_pae(void)
{
	expect_width(MODE_PAE, 32);
	expect_far(MODE_PAE, THERE);
	expect_far(MODE_PAE, HERE);
}

static void compatibility(void)
{
	expect_width(MODE_COMPAT, 32);
	expect_far(MODE_COMPAT, THERE);
	expect_far(MODE_COMPAT, HERE);
}

guest_code(code_high, 64,
	   "mov $0xffff800000000000 + " S_SHARED ", %rbx\n"
	   "mov (%rbx), %rax\n"
	   "lea (%rip), %rcx\n"
	   "hlt\n");

static void long_mode(void)
{
	uint64_t *tables;
	struct guest guest;

	expect_width(MODE_LONG, 64);
	expect_far(MODE_LONG, THERE);
	expect_far(MODE_LONG, HERE);
	/* The upper half of the address space, data and code. */
	guest_create(&guest, 1);
	guest_load(&guest, code_high);
	guest_start(&guest, 0, MODE_LONG);
	tables = guest_at(&guest, GUEST_TABLES, 0x1000);
	tables[256] = tables[0];
	*guest_shared(&guest) = 0x1122334455667788;
	guest_set_rip(&guest, 0, 0xffff800000000000 + GUEST_CODE);
	guest_run_to_hlt(&guest, 0);
	EXPECT_EQ(0x1122334455667788, guest_regs(&guest, 0).rax);
	EXPECT_EQ(0xffff800000000000 + GUEST_CODE + 20, guest_regs(&guest, 0).rcx);
}

/* The guest of guest_modes.S leaves at each station what it found there. */
guest_code_extern(code_all_modes);

static const struct {
	const char *name;
	uint32_t width;	    /* ebx of the bytes above */
	uint32_t far;	    /* what is read at FAR + GUEST_SHARED; 0: not read */
	uint32_t cr0, efer; /* of PG and PE; of LMA */
} stations[] = {
	{ "real mode", 0x1233, 0, 0, 0 },
	{ "protected mode", 0x90901233, THERE, 1, 0 },
	{ "32-bit paging", 0x90901233, HERE, 0x80000001, 0 },
	{ "paging off again", 0x90901233, THERE, 1, 0 },
	{ "PAE paging", 0x90901233, HERE, 0x80000001, 0 },
	{ "paging off for long mode", 0x90901233, THERE, 1, 0 },
	{ "compatibility mode", 0x90901233, HERE, 0x80000001, 0x400 },
	{ "64-bit mode", 0x90901234, HERE, 0x80000001, 0x400 },
	{ "compatibility mode again", 0x90901233, HERE, 0x80000001, 0x400 },
	{ "long mode off", 0x90901233, THERE, 1, 0 },
	{ "16-bit protected mode", 0x1233, 0, 1, 0 },
	{ "real mode again", 0x1233, 0, 0, 0 },
};

#define STATION_WORDS 4

static void build_all_tables(struct guest *guest)
{
	/* For the guest's three kinds of tables: 32-bit, PAE, long; six pages each. */
	static const enum cpu_mode modes[] = { MODE_PAGED32, MODE_PAE, MODE_LONG };
	unsigned int i;

	for (i = 0; i < 3; i++) {
		uint64_t gpa = GUEST_DATA + i * 0x10000;
		uint64_t flags = X86_PTE_P | X86_PTE_W | X86_PTE_PS;

		REQUIRE_OK(mode_build_tables(&guest->mem, gpa, modes[i]));
		if (modes[i] == MODE_PAGED32)
			*(uint32_t *)guest_at(guest, gpa + (FAR >> 22) * 4, 4) = flags;
		else
			*(uint64_t *)guest_at(guest, gpa + 0x2000 + (FAR >> 21) * 8, 8) = flags;
	}
}

static void through_all_modes(void)
{
	const uint32_t *found;
	struct guest guest;
	unsigned int i;

	guest_create(&guest, 1);
	build_all_tables(&guest);
	*(uint32_t *)guest_at(&guest, GUEST_SHARED, 4) = HERE;
	*(uint32_t *)guest_at(&guest, FAR + GUEST_SHARED, 4) = THERE;
	guest_load(&guest, code_all_modes);
	guest_start(&guest, 0, MODE_REAL);
	guest_run_to_hlt(&guest, 0);
	found = guest_at(&guest, GUEST_SHARED + 0x100, 0x400);
	for (i = 0; i < sizeof(stations) / sizeof(stations[0]); i++) {
		const uint32_t *at = found + i * STATION_WORDS;

		EXPECT(at[0] == stations[i].width && at[1] == stations[i].far &&
			       (at[2] & 0x80000001) == stations[i].cr0 &&
			       (at[3] & 0x400) == stations[i].efer,
		       "%s: width 0x%x far 0x%x cr0 0x%x efer 0x%x", stations[i].name, at[0], at[1],
		       at[2], at[3]);
	}
}

static const struct ktap_test tests[] = {
	KTAP_TEST(real),	  KTAP_TEST(real_interrupt), KTAP_TEST(protected_16),
	KTAP_TEST(protected_32),  KTAP_TEST(paging_32),	     KTAP_TEST(paging_pae),
	KTAP_TEST(compatibility), KTAP_TEST(long_mode),	     KTAP_TEST(through_all_modes),
};

KTAP_MAIN(tests)
