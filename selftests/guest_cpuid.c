// SPDX-License-Identifier: GPL-2.0-only
/*
 * CPUID in the guest: it sees the table that user space has given it, by the rules of the vendor
 * that the table names, and the bits that follow the vCPU's state.
 */
#include <errno.h>
#include <linux/kvm.h>
#include <string.h>
#include <sys/ioctl.h>

#include "lib/guest.h"
#include "lib/host.h"

guest_code(code_cpuid, 32,
	   "cpuid\n"
	   "hlt\n");

static void nothing_was_set(void)
{
	static const uint32_t leaves[] = { 0,	       1,	   7,
					   0xd,	       0x40000000, 0x80000000,
					   0x80000001, 0x80000008, 0xffffffff };
	struct kvm_regs regs;
	struct guest guest;
	size_t i;

	guest_create_without_cpuid(&guest, 1);
	guest_load(&guest, code_cpuid);
	for (i = 0; i < sizeof(leaves) / sizeof(leaves[0]); i++) {
		guest_start(&guest, 0, MODE_PROT32);
		regs = guest_regs(&guest, 0);
		regs.rax = leaves[i];
		regs.rbx = 0x5a5a5a5a;
		regs.rdx = 0x5a5a5a5a;
		regs.rcx = 0;
		REQUIRE_OK(vcpu_set_regs(&guest.vcpu[0], &regs));
		guest_run_to_hlt(&guest, 0);
		regs = guest_regs(&guest, 0);
		EXPECT(!(regs.rax | regs.rbx | regs.rcx | regs.rdx),
		       "leaf 0x%x: eax 0x%llx ebx 0x%llx ecx 0x%llx edx 0x%llx", leaves[i],
		       regs.rax, regs.rbx, regs.rcx, regs.rdx);
		EXPECT_EQ(GUEST_CODE + 3, regs.rip);
	}
}

#define MAX_ENTRIES 64

struct table {
	struct kvm_cpuid2 head;
	struct kvm_cpuid_entry2 entries[MAX_ENTRIES];
};

static void add(struct table *table, uint32_t function, int index, uint32_t eax)
{
	table->entries[table->head.nent++] = (struct kvm_cpuid_entry2){
		.function = function,
		.index = index < 0 ? 0 : index,
		.flags = index < 0 ? 0 : KVM_CPUID_FLAG_SIGNIFCANT_INDEX,
		.eax = eax,
		.ebx = 0xb0000000 | function,
		.ecx = 0xc0000000 | function,
		.edx = 0xd0000000 | function,
	};
}

static void set_vendor(struct table *table, const char *name)
{
	memcpy(&table->entries[0].ebx, name, 4);
	memcpy(&table->entries[0].edx, name + 4, 4);
	memcpy(&table->entries[0].ecx, name + 8, 4);
}

/* A made-up processor: 0xb is the last basic leaf and the last of the table's indexed ones. */
static void make_table(struct table *table, const char *vendor)
{
	memset(table, 0, sizeof(*table));
	add(table, 0, -1, 0xb);
	set_vendor(table, vendor);
	add(table, 2, -1, 0x22);
	add(table, 4, 0, 0x40);
	add(table, 4, 1, 0x41);
	add(table, 0xb, 0, 0xb0);
	add(table, 0xb, 1, 0xb1);
	add(table, 0x40000000, -1, 0x40000001);
	add(table, 0x40000001, -1, 0x4001);
	add(table, 0x80000000, -1, 0x80000002);
	add(table, 0x80000001, -1, 0x8001);
}

static void give(struct guest *guest, struct table *table)
{
	REQUIRE(ioctl(guest->vcpu[0].fd, KVM_SET_CPUID2, table) == 0, "%s", strerror(errno));
}

static struct kvm_regs ask(struct guest *guest, uint32_t function, uint32_t index)
{
	struct kvm_regs regs;

	guest_set_rip(guest, 0, GUEST_CODE);
	regs = guest_regs(guest, 0);
	regs.rax = function;
	regs.rcx = index;
	REQUIRE_OK(vcpu_set_regs(&guest->vcpu[0], &regs));
	guest_run_to_hlt(guest, 0);
	return guest_regs(guest, 0);
}

static void expect_eax(struct guest *guest, uint32_t function, uint32_t index, uint32_t eax)
{
	struct kvm_regs regs = ask(guest, function, index);

	EXPECT(regs.rax == eax, "leaf 0x%x.%u: expected eax 0x%x, is 0x%llx", function, index, eax,
	       regs.rax);
}

static void start(struct guest *guest, struct table *table)
{
	guest_create_without_cpuid(guest, 1);
	guest_load(guest, code_cpuid);
	give(guest, table);
	guest_start(guest, 0, MODE_PROT32);
}

static void expect_common(struct guest *guest)
{
	struct kvm_regs regs = ask(guest, 2, 77);

	/* An entry without an index answers for all. */
	EXPECT_EQ(0x22, regs.rax);
	EXPECT_EQ(0xb0000002, regs.rbx);
	EXPECT_EQ(0xc0000002, regs.rcx);
	EXPECT_EQ(0xd0000002, regs.rdx);
	expect_eax(guest, 4, 0, 0x40);
	expect_eax(guest, 4, 1, 0x41);
	expect_eax(guest, 0x40000001, 0, 0x4001);
	expect_eax(guest, 0x80000001, 5, 0x8001);
	/* In range, and not there. */
	expect_eax(guest, 4, 2, 0);
	expect_eax(guest, 3, 0, 0);
	expect_eax(guest, 0x80000002, 0, 0);
	/* Topology tells its subleaf and the processor's number where there is no entry. */
	regs = ask(guest, 0xb, 9);
	EXPECT_EQ(0, regs.rax);
	EXPECT_EQ(0, regs.rbx);
	EXPECT_EQ(9, regs.rcx);
	EXPECT_EQ(0xd000000b, regs.rdx);
}

/* Beyond the last leaf of a class, or in a class that is not there: the last basic leaf. */
static void beyond_the_last_on_intel(void)
{
	struct kvm_regs regs;
	struct table table;
	struct guest guest;

	make_table(&table, "GenuineIntel");
	start(&guest, &table);
	expect_common(&guest);
	expect_eax(&guest, 0xc, 0, 0xb0);
	expect_eax(&guest, 0xc, 1, 0xb1);
	expect_eax(&guest, 0x3fffffff, 0, 0xb0);
	expect_eax(&guest, 0x40000002, 1, 0xb1);
	expect_eax(&guest, 0x40000100, 0, 0xb0);
	expect_eax(&guest, 0x80000003, 0, 0xb0);
	expect_eax(&guest, 0xc0000000, 0, 0xb0);
	expect_eax(&guest, 0xffffffff, 1, 0xb1);
	regs = ask(&guest, 0x12345678, 3);
	EXPECT_EQ(0, regs.rax);
	EXPECT_EQ(3, regs.rcx);
	EXPECT_EQ(0xd000000b, regs.rdx);
}

static void beyond_the_last_on_amd(void)
{
	struct table table;
	struct guest guest;

	make_table(&table, "AuthenticAMD");
	start(&guest, &table);
	expect_common(&guest);
	expect_eax(&guest, 0xc, 0, 0);
	expect_eax(&guest, 0x40000100, 0, 0);
	expect_eax(&guest, 0x80000003, 0, 0);
	expect_eax(&guest, 0xffffffff, 0, 0);
}

guest_code(code_follow, 64,
	   "mov $1, %eax\n"
	   "cpuid\n"
	   "mov %ecx, %r8d\n"
	   "mov %cr4, %rbx\n"
	   "or $0x40000, %rbx\n"
	   "mov %rbx, %cr4\n"
	   "mov $1, %eax\n"
	   "cpuid\n"
	   "mov %ecx, %r9d\n"
	   "mov $0xd, %eax\n"
	   "xor %ecx, %ecx\n"
	   "cpuid\n"
	   "mov %ebx, %r10d\n"
	   "mov %ecx, %r11d\n"
	   "mov %eax, %r12d\n"
	   "and $7, %eax\n"
	   "xor %edx, %edx\n"
	   "xor %ecx, %ecx\n"
	   "xsetbv\n"
	   "mov $0xd, %eax\n"
	   "xor %ecx, %ecx\n"
	   "cpuid\n"
	   "mov %ebx, %r13d\n"
	   "hlt\n");

static bool has_xsave(const struct guest *guest)
{
	struct table table = { .head.nent = MAX_ENTRIES };
	uint32_t i;

	REQUIRE(ioctl(guest->vcpu[0].fd, KVM_GET_CPUID2, &table) == 0, "%s", strerror(errno));
	for (i = 0; i < table.head.nent; i++)
		if (table.entries[i].function == 1)
			return table.entries[i].ecx & 1 << 26;
	return false;
}

/* OSXSAVE is CR4's, and the size of the area that of the states in XCR0. */
static void follows_the_state(void)
{
	struct kvm_regs regs;
	struct guest guest;

	guest_create(&guest, 1);
	guest_load(&guest, code_follow);
	guest_start(&guest, 0, MODE_LONG);
	guest_enable_traps(&guest, 0);
	if (!has_xsave(&guest))
		ktap_skip("no XSAVE here");
	guest_run_to_hlt(&guest, 0);
	EXPECT_EQ(0, guest_nr_traps(&guest));
	regs = guest_regs(&guest, 0);
	EXPECT_EQ(0, regs.r8 & 1 << 27);
	EXPECT_EQ(1 << 27, regs.r9 & 1 << 27);
	EXPECT_EQ(576, regs.r10);
	EXPECT(regs.r11 >= 576, "the largest area is of %llu bytes", regs.r11);
	/* There XSETBV is no exit, so nobody knows. */
	if (!host_is_qemu())
		EXPECT_EQ(regs.r12 & 4 ? 832 : 576, regs.r13);
}

guest_code(code_rdtscp, 64,
	   "mov $0xc0000103, %ecx\n"
	   "mov $0x1234, %eax\n"
	   "xor %edx, %edx\n"
	   "wrmsr\n"
	   "rdtscp\n"
	   "hlt\n");

/* RDTSCP and its MSR are there for a guest that has the bit, and for no other. */
static void rdtscp(void)
{
	struct table table = { .head.nent = MAX_ENTRIES };
	struct kvm_cpuid_entry2 *leaf = NULL, *leaf7 = NULL;
	struct guest guest;
	uint32_t i;

	guest_create(&guest, 1);
	REQUIRE(ioctl(guest.vcpu[0].fd, KVM_GET_CPUID2, &table) == 0);
	for (i = 0; i < table.head.nent; i++) {
		if (table.entries[i].function == 0x80000001)
			leaf = &table.entries[i];
		if (table.entries[i].function == 7 && !table.entries[i].index)
			leaf7 = &table.entries[i];
	}
	REQUIRE(leaf);
	guest_load(&guest, code_rdtscp);
	guest_start(&guest, 0, MODE_LONG);
	guest_enable_traps(&guest, 0);
	if (leaf->edx & 1 << 27) {
		guest_run_to_hlt(&guest, 0);
		EXPECT_EQ(0, guest_nr_traps(&guest));
		EXPECT_EQ(0x1234, guest_regs(&guest, 0).rcx);
	}

	/* A second guest lacks it; WRMSR is refused first, then RDTSCP is no instruction. */
	guest_destroy(&guest);
	guest_create_without_cpuid(&guest, 1);
	leaf->edx &= ~(1 << 27);
	if (leaf7)
		leaf7->ecx &= ~(1 << 22);
	give(&guest, &table);
	guest_load(&guest, code_rdtscp);
	guest_start(&guest, 0, MODE_LONG);
	guest_enable_traps(&guest, 0);
	guest_run_to_hlt(&guest, 0);
	EXPECT_EQ(13, guest_trap(&guest, 0).vector);
	/* There the intercept of RDTSCP has no effect. */
	if (host_is_qemu())
		return;
	guest_set_rip(&guest, 0, guest_trap(&guest, 0).rip + 2);
	guest_run_to_hlt(&guest, 0);
	EXPECT_EQ(6, guest_trap(&guest, 1).vector);
}

guest_code(code_random, 64,
	   "lea 1f(%rip), %r15\n"
	   "rdrand %rax\n"
	   "1: lea 2f(%rip), %r15\n"
	   "rdseed %rax\n"
	   "2: hlt\n");

/* So are RDRAND and RDSEED, where the processor can forbid them. */
static void random_numbers(void)
{
	struct table table = { .head.nent = MAX_ENTRIES };
	unsigned int has = 0;
	struct guest guest;
	uint32_t i;

	if (host_is_qemu())
		ktap_skip("SVM does not intercept RDRAND and RDSEED");
	guest_create(&guest, 1);
	REQUIRE(ioctl(guest.vcpu[0].fd, KVM_GET_CPUID2, &table) == 0);
	for (i = 0; i < table.head.nent; i++) {
		struct kvm_cpuid_entry2 *leaf = &table.entries[i];

		if (leaf->function == 1) {
			has += leaf->ecx >> 30 & 1;
			leaf->ecx &= ~(1U << 30);
		} else if (leaf->function == 7 && !leaf->index) {
			has += leaf->ebx >> 18 & 1;
			leaf->ebx &= ~(1U << 18);
		}
	}
	guest_load(&guest, code_random);
	guest_start(&guest, 0, MODE_LONG);
	guest_enable_traps(&guest, 0);
	guest_run_to_hlt(&guest, 0);
	EXPECT_EQ(2 - has, guest_nr_traps(&guest));
	guest_destroy(&guest);
	guest_create_without_cpuid(&guest, 1);
	give(&guest, &table);
	guest_load(&guest, code_random);
	guest_start(&guest, 0, MODE_LONG);
	guest_enable_traps(&guest, 0);
	guest_run_to_hlt(&guest, 0);
	EXPECT_EQ(2, guest_nr_traps(&guest));
	EXPECT_EQ(6, guest_trap(&guest, 0).vector);
	EXPECT_EQ(6, guest_trap(&guest, 1).vector);
}

/* 16 bytes before CPUID. */
guest_code(code_fault, 64,
	   "mov $0x140, %ecx\n"
	   "mov $1, %eax\n"
	   "xor %edx, %edx\n"
	   "wrmsr\n"
	   "xor %eax, %eax\n"
	   "cpuid\n"
	   "out %al, $" S_SYNC "\n"
	   "hlt\n");

#define CPUID_AT (GUEST_CODE + 16)

static void to_user_mode(struct guest *guest)
{
	struct kvm_sregs sregs = guest_sregs(guest, 0);
	struct kvm_regs regs;

	sregs.cs.dpl = 3;
	sregs.cs.selector |= 3;
	sregs.ss.dpl = 3;
	sregs.ss.selector |= 3;
	/* An exception has no handler, and is a shutdown. */
	sregs.idt.limit = 0;
	REQUIRE_OK(vcpu_set_sregs(&guest->vcpu[0], &sregs));
	regs = guest_regs(guest, 0);
	regs.rip = CPUID_AT;
	regs.rflags |= 3 << 12; /* it may use ports */
	REQUIRE_OK(vcpu_set_regs(&guest->vcpu[0], &regs));
}

/* With MISC_FEATURES_ENABLES bit 0 CPUID is the guest's kernel's alone. */
static void faults_in_user_mode(void)
{
	struct guest guest;

	/* As usual it is anybody's. */
	guest_create(&guest, 1);
	guest_load(&guest, code_fault);
	guest_start(&guest, 0, MODE_LONG);
	to_user_mode(&guest);
	guest_run_to_sync(&guest, 0);

	guest_start(&guest, 0, MODE_LONG);
	guest_run_to_sync(&guest, 0);
	EXPECT(guest_regs(&guest, 0).rax >= 7, "the last basic leaf is 0x%llx",
	       guest_regs(&guest, 0).rax);
	to_user_mode(&guest);
	guest_run(&guest, 0);
	guest_expect_exit(&guest, 0, KVM_EXIT_SHUTDOWN);
}

static const struct ktap_test tests[] = {
	KTAP_TEST(nothing_was_set),
	KTAP_TEST(beyond_the_last_on_intel),
	KTAP_TEST(beyond_the_last_on_amd),
	KTAP_TEST(follows_the_state),
	KTAP_TEST(rdtscp),
	KTAP_TEST(random_numbers),
	KTAP_TEST(faults_in_user_mode),
};

KTAP_MAIN(tests)
