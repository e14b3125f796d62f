// SPDX-License-Identifier: GPL-2.0-only
/*
 * PCIDs: two address spaces between which a guest goes without a flush, and INVPCID, on each MMU
 * and while the VM goes from one to the other.  By shadow tables the processor has none of it.
 */
#include <errno.h>
#include <linux/kvm.h>
#include <linux/mkvm.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cpuid.h"
#include "lib/guest.h"

#define PAGE	    0x1000UL
#define WINDOW	    0x8000000000UL /* entry 1 of the topmost table */
#define ROOT(i)	    (0x200000UL + (i)*PAGE)
#define TABLES(i)   (0x210000UL + (i)*3 * PAGE) /* of the levels 3, 2, 1 */
#define DATA(i)	    (0x400000UL + (i)*PAGE)
#define OTHER	    2 /* what the first space has at times: DATA(OTHER) */
#define FLAGS	    (X86_PTE_P | X86_PTE_W)
#define NOFLUSH	    (1UL << 63)
#define PCIDE	    (1UL << 17)
#define HAS_PCID    (1U << 17) /* leaf 1, ecx */
#define HAS_INVPCID (1U << 10) /* leaf 7, ebx */
#define ROUNDS	    64
#define BOTH	    3

/*
 * r8, r9: two values of CR3; r10: the entry of the first space, r11: INVPCID's operand, r12: the
 * window; rsi: rounds.  In each: a word is read in both spaces; in the second one the entry of the
 * first changes and is forgotten, by each type of INVPCID in turn; the first is read again.
 */
guest_code(code_spaces, 64,
	   "mov %cr4, %rax\n"
	   "bts $17, %rax\n"
	   "mov %rax, %cr4\n"
	   "xor %ebx, %ebx\n"
	   "1: mov %r8, %cr3\n"
	   "rol $5, %rbx\n"
	   "add (%r12), %rbx\n"
	   "mov %r9, %cr3\n"
	   "rol $5, %rbx\n"
	   "add (%r12), %rbx\n"
	   "xorw $0x2000, (%r10)\n"
	   "mov %esi, %ecx\n"
	   "and $3, %ecx\n"
	   "invpcid (%r11), %rcx\n"
	   "mov %r8, %cr3\n"
	   "rol $5, %rbx\n"
	   "add (%r12), %rbx\n"
	   "mov %cr3, %rax\n"
	   "and $0xfff, %eax\n"
	   "add %rax, %rbx\n"
	   "out %al, $" S_SYNC "\n"
	   "dec %esi\n"
	   "jnz 1b\n"
	   "hlt\n");

/* CR4 at r8, INVPCID with its operand at rdi and its type in rsi; ebx: it did not fault. */
guest_code(code_invpcid, 64,
	   "xor %ebx, %ebx\n"
	   "lea 1f(%rip), %r15\n"
	   "mov %r8, %cr4\n"
	   "invpcid (%rdi), %rsi\n"
	   "inc %ebx\n"
	   "1: hlt\n");

/* On which MMU, or from one to the other all the time. */
enum route {
	AS_IT_IS,
	ON_TDP,
	ON_SHADOW,
	TO_AND_FRO
};

static struct guest guest;

static bool has_both(void)
{
	struct kvm_dev dev;
	bool has;

	device_open(&dev);
	has = kvm_dev_is_mkvm(&dev) && (dev.mmus & BOTH) == BOTH;
	kvm_dev_close(&dev);
	return has;
}

static void move_to(unsigned long type)
{
	REQUIRE_OK(vm_set_mmu(&guest.vm, type));
}

/* A guest that is told of @pcids and INVPCID, and has not run. */
static void begin(enum route way, bool pcids)
{
	static struct cpuid table;
	struct kvm_cpuid_entry2 *one, *seven;

	if (way != AS_IT_IS)
		setenv("MKVM_MMU", "shadow", 1);
	guest_create(&guest, 1);
	if (way != AS_IT_IS)
		move_to(way == ON_TDP ? MKVM_VM_TDP : MKVM_VM_SHADOW);
	REQUIRE_OK(cpuid_get_supported(&table, &guest.dev));
	one = cpuid_find(&table, 1, 0);
	seven = cpuid_find(&table, 7, 0);
	if (!one || !seven || !(one->ecx & HAS_PCID) || !(seven->ebx & HAS_INVPCID))
		ktap_skip("the processor has no PCIDs");
	if (!pcids) {
		one->ecx &= ~HAS_PCID;
		seven->ebx &= ~HAS_INVPCID;
	}
	REQUIRE_OK(cpuid_set(&guest.vcpu[0], &table));
}

static void build_space(unsigned int i)
{
	uint64_t *at = guest_at(&guest, TABLES(i), 3 * PAGE);
	uint64_t *root = guest_at(&guest, ROOT(i), PAGE);

	memcpy(root, guest_at(&guest, GUEST_TABLES, PAGE), PAGE);
	memset(at, 0, 3 * PAGE);
	root[WINDOW >> 39] = TABLES(i) | FLAGS;
	at[0] = (TABLES(i) + PAGE) | FLAGS;
	at[PAGE / 8] = (TABLES(i) + 2 * PAGE) | FLAGS;
	at[2 * PAGE / 8] = DATA(i) | FLAGS;
}

static uint64_t content(unsigned int page)
{
	return 0x123456789abcdefUL * (page + 1);
}

static uint64_t rotate(uint64_t value)
{
	return value << 5 | value >> 59;
}

static uint64_t expected(void)
{
	unsigned int i, page = 0;
	uint64_t sum = 0;

	for (i = 0; i < ROUNDS; i++) {
		sum = rotate(sum) + content(page);
		sum = rotate(sum) + content(1);
		page ^= OTHER;
		sum = rotate(sum) + content(page) + 1;
	}
	return sum;
}

static void run_spaces(enum route way)
{
	uint64_t *operand = (uint64_t *)guest_shared(&guest);
	struct kvm_regs regs;
	unsigned int i, moves = 0;

	guest_load(&guest, code_spaces);
	guest_start(&guest, 0, MODE_LONG);
	for (i = 0; i < 2; i++)
		build_space(i);
	for (i = 0; i <= OTHER; i++)
		*(uint64_t *)guest_at(&guest, DATA(i), 8) = content(i);
	operand[0] = 1;
	operand[1] = WINDOW;
	regs = guest_regs(&guest, 0);
	regs.r8 = ROOT(0) | 1 | NOFLUSH;
	regs.r9 = ROOT(1) | 2 | NOFLUSH;
	regs.r10 = TABLES(0) + 2 * PAGE;
	regs.r11 = GUEST_SHARED;
	regs.r12 = WINDOW;
	regs.rsi = ROUNDS;
	REQUIRE_OK(vcpu_set_regs(&guest.vcpu[0], &regs));
	while (guest_run(&guest, 0) == KVM_EXIT_IO)
		if (way == TO_AND_FRO)
			move_to(moves++ % 3 ? MKVM_VM_TDP : MKVM_VM_SHADOW);
	guest_expect_exit(&guest, 0, KVM_EXIT_HLT);
	EXPECT_EQ(expected(), guest_regs(&guest, 0).rbx);
	EXPECT_EQ(ROOT(0) | 1, guest_sregs(&guest, 0).cr3);
	EXPECT(guest_sregs(&guest, 0).cr4 & PCIDE, "CR4 is %llx",
	       (unsigned long long)guest_sregs(&guest, 0).cr4);
}

/* What the test does on each MMU; where there is but one, on that. */
static void on_each(void (*test)(enum route way))
{
	enum route way;

	if (!has_both())
		return test(AS_IT_IS);
	for (way = ON_TDP; way <= TO_AND_FRO; way++) {
		ktap_note("%s", way == ON_TDP	   ? "on the second table"
				: way == ON_SHADOW ? "on shadow tables"
						   : "on both in turn");
		test(way);
	}
}

static void spaces(enum route way)
{
	begin(way, true);
	run_spaces(way);
	guest_destroy(&guest);
}

static void two_address_spaces(void)
{
	on_each(spaces);
}

/*
 * INVPCID as the manual has it: the exception, or none: -1.  Not with a type above 32 bits, of
 * which Bochs looks at the lower ones only.
 */
struct sort {
	bool pcide;
	uint64_t type, pcid, linear;
	int vector;
};

static const struct sort sorts[] = {
	{ true, 0, 1, WINDOW, -1 },
	{ true, 1, 0xfff, 1UL << 63, -1 },
	{ true, 2, 0xfff, 1UL << 63, -1 },
	{ true, 3, 0, 0, -1 },
	{ false, 0, 0, WINDOW, -1 },
	{ false, 1, 0, 0, -1 },
	{ false, 2, 5, 0, -1 },
	{ false, 3, 5, 0, -1 },
	{ false, 0, 1, WINDOW, 13 },
	{ false, 1, 1, 0, 13 },
	{ true, 0, 1, 1UL << 63, 13 },
	{ true, 0, 0x1000, WINDOW, 13 },
	{ true, 1, 1UL << 63, 0, 13 },
	{ true, 4, 0, 0, 13 },
};

/* Its operand at @operand, after which it has executed or not. */
static void try_invpcid(const struct sort *sort, uint64_t operand, int vector, uint64_t error)
{
	struct kvm_regs regs;
	struct trap trap;

	guest_load(&guest, code_invpcid);
	guest_start(&guest, 0, MODE_LONG);
	guest_enable_traps(&guest, 0);
	guest_shared(&guest)[0] = sort->pcid;
	guest_shared(&guest)[1] = sort->linear;
	regs = guest_regs(&guest, 0);
	regs.r8 = guest_sregs(&guest, 0).cr4 | (sort->pcide ? PCIDE : 0);
	regs.rdi = operand;
	regs.rsi = sort->type;
	REQUIRE_OK(vcpu_set_regs(&guest.vcpu[0], &regs));
	guest_run_to_hlt(&guest, 0);
	EXPECT(guest_nr_traps(&guest) == (vector >= 0) && guest_regs(&guest, 0).rbx == (vector < 0),
	       "type %llu, PCID %llx, address %llx: %llu exceptions",
	       (unsigned long long)sort->type, (unsigned long long)sort->pcid,
	       (unsigned long long)sort->linear, (unsigned long long)guest_nr_traps(&guest));
	if (vector < 0 || !guest_nr_traps(&guest))
		return;
	trap = guest_trap(&guest, 0);
	EXPECT_EQ((uint64_t)vector, trap.vector);
	EXPECT_EQ(error, trap.error);
}

static void faults(enum route way)
{
	unsigned int i;

	begin(way, true);
	for (i = 0; i < sizeof(sorts) / sizeof(sorts[0]); i++)
		try_invpcid(&sorts[i], GUEST_SHARED, sorts[i].vector, 0);
	/* Where nothing is mapped, and where no address is. */
	try_invpcid(&sorts[0], WINDOW, 14, 0);
	try_invpcid(&sorts[0], 1UL << 63, 13, 0);
	guest_destroy(&guest);
}

static void invpcid_faults(void)
{
	on_each(faults);
}

/* A guest that was not told of them has none. */
static void nothing(enum route way)
{
	static const struct sort without = { .type = 2 }, with = { .pcide = true, .type = 2 };

	begin(way, false);
	try_invpcid(&without, GUEST_SHARED, 6, 0);
	try_invpcid(&with, GUEST_SHARED, 13, 0);
	guest_destroy(&guest);
}

static void only_if_told(void)
{
	on_each(nothing);
}

static const struct ktap_test tests[] = {
	KTAP_TEST(two_address_spaces),
	KTAP_TEST(invpcid_faults),
	KTAP_TEST(only_if_told),
};

KTAP_MAIN(tests)
