// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the emulator does where a comparison with the processor in user mode cannot go: jumps,
 * ports, segments, faults and their codes, prefixes that are not legal.
 */
#include <asm/trapnr.h>
#include <linux/kernel.h>
#include <string.h>

#include "lib/ktap.h"
#include "machine.h"
#include "seed.h"

#define HERE (ARENA + 0x1000)

static struct machine m;

static void __start(unsigned int bits, const u8 *code, unsigned int len)
{
	static bool created;

	if (!created)
		arena_create();
	created = true;
	memset(arena_at(ARENA), 0, ARENA_SIZE);
	machine_init(&m, bits);
	m.emu.rip = 0x100000;
	m.emu.gpr[X86_RSP] = ARENA + 0x2000;
	m.emu.gpr[X86_RDI] = HERE;
	machine_set_code(&m, code, len);
}

/* Bytes after the instruction's own: it must not look at them. */
#define start(bits, ...)                             \
	do {                                         \
		const u8 code_[] = { __VA_ARGS__ };  \
		__start(bits, code_, sizeof(code_)); \
	} while (0)

static u64 word_at(u64 address)
{
	u64 value;

	memcpy(&value, arena_at(address), sizeof(value));
	return value;
}

static void set_word(u64 address, u64 value)
{
	memcpy(arena_at(address), &value, sizeof(value));
}

static void expect_fault(u8 vector, bool has_error, u32 error)
{
	struct emu_fault *fault = &m.emu.fault;

	EXPECT_EQ(EMU_FAULT, machine_step(&m));
	EXPECT_EQ(vector, fault->vector);
	EXPECT_EQ(has_error, fault->has_error);
	EXPECT_EQ(error, fault->error);
	EXPECT_EQ(0, m.retired);
}

static void jumps_through_memory(void)
{
	start(64, 0xff, 0x17); /* call *(%rdi) */
	set_word(HERE, 0x555000);
	EXPECT_EQ(EMU_OK, machine_step(&m));
	EXPECT_EQ(0x555000, m.emu.rip);
	EXPECT_EQ(ARENA + 0x1ff8, m.emu.gpr[X86_RSP]);
	EXPECT_EQ(0x100002, word_at(ARENA + 0x1ff8));

	start(64, 0xff, 0x27); /* jmp *(%rdi) */
	set_word(HERE, 0x555000);
	EXPECT_EQ(EMU_OK, machine_step(&m));
	EXPECT_EQ(0x555000, m.emu.rip);

	start(64, 0xe8, 0xfb, 0xff, 0xff, 0xff); /* call to itself */
	EXPECT_EQ(EMU_OK, machine_step(&m));
	EXPECT_EQ(0x100000, m.emu.rip);
	EXPECT_EQ(0x100005, word_at(ARENA + 0x1ff8));

	start(64, 0xc2, 0x10, 0x00); /* ret $16 */
	set_word(ARENA + 0x2000, 0x777);
	EXPECT_EQ(EMU_OK, machine_step(&m));
	EXPECT_EQ(0x777, m.emu.rip);
	EXPECT_EQ(ARENA + 0x2018, m.emu.gpr[X86_RSP]);

	start(32, 0x66, 0xff, 0x27); /* jmpw *(%edi) */
	set_word(HERE, 0x12345678);
	EXPECT_EQ(EMU_OK, machine_step(&m));
	EXPECT_EQ(0x5678, m.emu.rip);
}

static void jumps_out(void)
{
	start(64, 0xff, 0x17);
	set_word(HERE, 0x800000000000);
	expect_fault(X86_TRAP_GP, true, 0);
	EXPECT_EQ(0, word_at(ARENA + 0x1ff8));

	start(32, 0xff, 0x27);
	m.seg[X86_CS].limit = 0xfffff;
	set_word(HERE, 0x100000);
	expect_fault(X86_TRAP_GP, true, 0);
}

/* The stack pointer as the base of an operand. */
static void pop_by_the_stack_pointer(void)
{
	start(64, 0x8f, 0x44, 0x24, 0x08); /* pop 8(%rsp): after the stack pointer has moved */
	set_word(ARENA + 0x2000, 0x1234);
	EXPECT_EQ(EMU_OK, machine_step(&m));
	EXPECT_EQ(0x1234, word_at(ARENA + 0x2010));

	start(64, 0xff, 0x34, 0x24); /* push (%rsp): before */
	set_word(ARENA + 0x2000, 0x4321);
	EXPECT_EQ(EMU_OK, machine_step(&m));
	EXPECT_EQ(0x4321, word_at(ARENA + 0x1ff8));

	start(64, 0x54); /* push %rsp: its old value */
	EXPECT_EQ(EMU_OK, machine_step(&m));
	EXPECT_EQ(ARENA + 0x2000, word_at(ARENA + 0x1ff8));

	start(64, 0x5c); /* pop %rsp: what was popped */
	set_word(ARENA + 0x2000, 0x99);
	EXPECT_EQ(EMU_OK, machine_step(&m));
	EXPECT_EQ(0x99, m.emu.gpr[X86_RSP]);
}

static void ports(void)
{
	start(64, 0x6d); /* insl */
	m.emu.gpr[X86_RDX] = 0x10080;
	m.port_value = 0xabcd1234;
	m.page[1] = PAGE_DEVICE;
	EXPECT_EQ(EMU_OK, machine_step(&m));
	EXPECT_EQ(0xabcd1234, word_at(HERE));
	EXPECT_EQ(HERE + 4, m.emu.gpr[X86_RDI]);
	EXPECT_EQ(2, m.pieces);

	start(64, 0xf3, 0x6e); /* rep outsb */
	m.emu.gpr[X86_RSI] = HERE;
	m.emu.gpr[X86_RCX] = 2;
	set_word(HERE, 0x77);
	EXPECT_EQ(EMU_OK, machine_step(&m));
	EXPECT_EQ(0x77, m.port_value & 0xff);
	EXPECT(m.emu.repeat, "it has another element");
	EXPECT_EQ(0x100000, m.emu.rip);
	EXPECT_EQ(1, m.emu.gpr[X86_RCX]);

	start(64, 0x6e); /* the processor has not said that it may */
	m.emu.port_granted = false;
	EXPECT_EQ(EMU_SWAPPED, machine_step(&m));
	EXPECT_EQ(0, m.pieces);

	start(64, 0x6d); /* the fault comes before the port is read */
	m.page[1] = PAGE_PROTECTED;
	expect_fault(X86_TRAP_PF, true, 2);
	EXPECT_EQ(0, m.pieces);
}

static void segment_limits(void)
{
	start(32, 0x8b, 0x07); /* mov (%edi), %eax */
	m.seg[X86_DS].limit = HERE + 2;
	expect_fault(X86_TRAP_GP, true, 0);
	start(32, 0x8b, 0x07);
	m.seg[X86_DS].limit = HERE + 3;
	EXPECT_EQ(EMU_OK, machine_step(&m));

	start(32, 0x8b, 0x04, 0x24); /* mov (%esp), %eax */
	m.seg[X86_SS].limit = 0xfff;
	expect_fault(X86_TRAP_SS, true, 0);
	start(32, 0x3e, 0x8b, 0x04, 0x24); /* by ds */
	m.seg[X86_SS].limit = 0xfff;
	EXPECT_EQ(EMU_OK, machine_step(&m));

	start(32, 0x8b, 0x07);
	m.seg[X86_DS].type = 7; /* expands down: what is above the limit is inside */
	m.seg[X86_DS].limit = HERE;
	expect_fault(X86_TRAP_GP, true, 0);
	start(32, 0x8b, 0x07);
	m.seg[X86_DS].type = 7;
	m.seg[X86_DS].limit = HERE - 1;
	EXPECT_EQ(EMU_OK, machine_step(&m));
}

static void segment_rights(void)
{
	start(32, 0x89, 0x07); /* mov %eax, (%edi) */
	m.seg[X86_DS].type = 1;
	expect_fault(X86_TRAP_GP, true, 0);
	start(32, 0x2e, 0x89, 0x07); /* to cs */
	expect_fault(X86_TRAP_GP, true, 0);
	start(32, 0x2e, 0x8b, 0x07);
	m.seg[X86_CS].type = 9; /* not readable */
	expect_fault(X86_TRAP_GP, true, 0);
	start(32, 0x8b, 0x07);
	m.seg[X86_DS].unusable = 1;
	expect_fault(X86_TRAP_GP, true, 0);
	start(32, 0x50); /* push %eax */
	m.seg[X86_SS].present = 0;
	expect_fault(X86_TRAP_SS, true, 0);
	/* Real mode knows no rights. */
	start(16, 0x67, 0x2e, 0x89, 0x07);
	m.emu.cr0 = 0;
	EXPECT_EQ(EMU_OK, machine_step(&m));
}

static void segment_bases(void)
{
	start(64, 0x64, 0x8b, 0x07); /* mov %fs:(%rdi), %eax */
	m.seg[X86_FS].base = 0x10;
	set_word(HERE + 0x10, 0x5151);
	EXPECT_EQ(EMU_OK, machine_step(&m));
	EXPECT_EQ(0x5151, m.emu.gpr[X86_RAX]);

	start(64, 0x36, 0x8b, 0x07); /* in 64-bit mode ss is no other segment */
	m.seg[X86_SS].base = 0x10;
	set_word(HERE, 0x6161);
	EXPECT_EQ(EMU_OK, machine_step(&m));
	EXPECT_EQ(0x6161, m.emu.gpr[X86_RAX]);

	start(32, 0x26, 0xa4); /* movsb from es to es */
	m.seg[X86_ES].base = 0x100;
	m.emu.gpr[X86_RSI] = HERE + 0x80;
	set_word(HERE + 0x180, 0x42);
	EXPECT_EQ(EMU_OK, machine_step(&m));
	EXPECT_EQ(0x42, word_at(HERE + 0x100));
}

static void canonical_addresses(void)
{
	start(64, 0x8b, 0x07);
	m.emu.gpr[X86_RDI] = 0x800000000000;
	expect_fault(X86_TRAP_GP, true, 0);
	start(64, 0x8b, 0x07);
	m.emu.gpr[X86_RDI] = 0x7ffffffffffd; /* its last byte */
	expect_fault(X86_TRAP_GP, true, 0);
	start(64, 0x8b, 0x45, 0x00); /* mov 0(%rbp), %eax */
	m.emu.gpr[X86_RBP] = 0x800000000000;
	expect_fault(X86_TRAP_SS, true, 0);
}

static void alignment(void)
{
	start(64, 0x8b, 0x07);
	m.emu.gpr[X86_RDI] = HERE + 2;
	m.emu.cr0 |= X86_CR0_AM;
	m.emu.rflags |= X86_EFLAGS_AC;
	EXPECT_EQ(EMU_OK, machine_step(&m));
	start(64, 0x8b, 0x07);
	m.emu.gpr[X86_RDI] = HERE + 2;
	m.emu.cr0 |= X86_CR0_AM;
	m.emu.rflags |= X86_EFLAGS_AC;
	m.emu.cpl = 3;
	expect_fault(X86_TRAP_AC, true, 0);

	start(64, 0x0f, 0x28, 0x07); /* movaps */
	m.emu.gpr[X86_RDI] = HERE + 8;
	expect_fault(X86_TRAP_GP, true, 0);
	start(64, 0x0f, 0x10, 0x07); /* movups */
	m.emu.gpr[X86_RDI] = HERE + 8;
	EXPECT_EQ(EMU_OK, machine_step(&m));
	start(64, 0x48, 0x0f, 0xc7, 0x0f); /* cmpxchg16b */
	m.emu.gpr[X86_RDI] = HERE + 8;
	expect_fault(X86_TRAP_GP, true, 0);
}

static void sse_has_to_be_on(void)
{
	start(64, 0x0f, 0x10, 0x07);
	m.emu.cr4 = 0;
	expect_fault(X86_TRAP_UD, false, 0);
	start(64, 0x0f, 0x10, 0x07);
	m.emu.cr0 |= X86_CR0_EM;
	expect_fault(X86_TRAP_UD, false, 0);
	start(64, 0x0f, 0x10, 0x07);
	m.emu.cr0 |= X86_CR0_TS;
	expect_fault(X86_TRAP_NM, false, 0);
}

static void illegal_and_unknown(void)
{
	start(64, 0xf0, 0x89, 0x07); /* lock mov */
	expect_fault(X86_TRAP_UD, false, 0);
	start(64, 0xf0, 0x01, 0xc8); /* lock add of registers */
	expect_fault(X86_TRAP_UD, false, 0);
	start(64, 0x82, 0x07, 0x01); /* not in 64-bit mode */
	expect_fault(X86_TRAP_UD, false, 0);
	/* Twelve prefixes, and what follows is too long. */
	start(64, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66,
	      0xc7, 0x07);
	expect_fault(X86_TRAP_GP, true, 0);
	start(64, 0x0f, 0x58, 0x07); /* addps */
	EXPECT_EQ(EMU_UNKNOWN, machine_step(&m));
	start(64, 0xf2, 0x0f, 0x38, 0xf0, 0x07); /* crc32, not movbe */
	EXPECT_EQ(EMU_UNKNOWN, machine_step(&m));
	start(64, 0x66, 0xff, 0x17); /* call with 66: vendors differ */
	EXPECT_EQ(EMU_UNKNOWN, machine_step(&m));
	start(64, 0x66, 0x63, 0x07); /* movsxd with 66: vendors differ */
	EXPECT_EQ(EMU_UNKNOWN, machine_step(&m));
	start(64, 0x66, 0x48, 0x63, 0x07); /* REX.W goes before 66 */
	EXPECT_EQ(EMU_OK, machine_step(&m));
	m.retired = 0;
	start(64, 0x8b); /* its ModRM byte could not be read */
	EXPECT_EQ(EMU_UNKNOWN, machine_step(&m));
	start(64, 0xc4, 0xe2, 0x7b, 0x10, 0x07); /* VEX */
	EXPECT_EQ(EMU_UNKNOWN, machine_step(&m));
	start(64, 0x48, 0xcf); /* iret: of its stack nothing is known */
	EXPECT_EQ(EMU_UNKNOWN, machine_step(&m));
	start(64, 0x90); /* from here on what has no memory is the processor's */
	EXPECT_EQ(EMU_SWAPPED, machine_step(&m));
	start(64, 0x0f, 0x0b); /* ud2 */
	EXPECT_EQ(EMU_SWAPPED, machine_step(&m));
	start(64, 0xee); /* out */
	EXPECT_EQ(EMU_SWAPPED, machine_step(&m));
	start(64, 0x0f, 0x22, 0xdf); /* mov to CR3 */
	EXPECT_EQ(EMU_SWAPPED, machine_step(&m));
	start(64, 0x0f, 0x01, 0xe0); /* smsw of a register */
	EXPECT_EQ(EMU_SWAPPED, machine_step(&m));
	EXPECT_EQ(0, m.retired);
}

/* Another has changed memory in between: nothing has happened. */
static void contended_lock(void)
{
	start(64, 0xf0, 0xff, 0x07); /* lock incl */
	m.contended = true;
	EXPECT_EQ(EMU_AGAIN, machine_step(&m));
	EXPECT_EQ(0, m.retired);
	EXPECT_EQ(0, word_at(HERE));
}

/* Read as memory, and what is written leaves. */
static void read_only_memory(void)
{
	start(64, 0xf0, 0xff, 0x07);
	m.page[1] = PAGE_READ_ONLY;
	set_word(HERE, 41);
	EXPECT_EQ(EMU_OK, machine_step(&m));
	EXPECT_EQ(1, m.pieces);
	EXPECT_EQ(42, word_at(HERE));
}

/* Memory first, then a device: what is memory's is stored before the rest leaves. */
static void straddling_store(void)
{
	start(64, 0x48, 0x89, 0x07);
	m.emu.gpr[X86_RAX] = 0x1122334455667788;
	m.emu.gpr[X86_RDI] = ARENA + 0xffd;
	m.page[1] = PAGE_DEVICE;
	EXPECT_EQ(EMU_WRITE, emu_start(&m.emu));
	EXPECT_EQ(1, m.retired);
	EXPECT_EQ(0x667788, word_at(ARENA + 0xffd));
	EXPECT_EQ(HERE, m.emu.io.gpa);
	EXPECT_EQ(5, m.emu.io.len);
	EXPECT(!memcmp(m.emu.io.data, "\x55\x44\x33\x22\x11", 5), "the bytes");
	EXPECT_EQ(EMU_OK, emu_resume(&m.emu));
}

/* INVPCID reads its operand, wherever that is, and either faults or makes all go. */
static void invpcid(void)
{
	static const struct {
		u64 cr4, type, pcid, linear;
		enum emu_status status;
	} cases[] = {
		{ X86_CR4_PCIDE, 0, 7, 0x1000, EMU_OK },
		{ X86_CR4_PCIDE, 3, 0xfff, 0, EMU_OK },
		{ 0, 0, 0, 0x1000, EMU_OK },
		{ 0, 2, 1, 1ull << 63, EMU_OK },
		{ 0, 1, 1, 0, EMU_FAULT },
		{ X86_CR4_PCIDE, 4, 0, 0, EMU_FAULT },
		{ X86_CR4_PCIDE, 2, 0x1000, 0, EMU_FAULT },
		{ 0, 0, 0, 1ull << 63, EMU_FAULT },
	};
	unsigned int i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		start(64, 0x66, 0x0f, 0x38, 0x82, 0x07); /* invpcid (%rdi), %rax */
		m.emu.cpl = 0;
		m.emu.cr4 |= cases[i].cr4;
		m.emu.gpr[X86_RAX] = cases[i].type;
		set_word(HERE, cases[i].pcid);
		set_word(HERE + 8, cases[i].linear);
		EXPECT_EQ(cases[i].status, machine_step(&m));
		EXPECT_EQ(cases[i].status == EMU_OK, m.retired);
		EXPECT_EQ(cases[i].status == EMU_OK, m.emu.invalidates);
		if (cases[i].status == EMU_FAULT)
			EXPECT_EQ(X86_TRAP_GP, m.emu.fault.vector);
	}
	start(64, 0x66, 0x0f, 0x38, 0x82, 0x07);
	m.emu.cpl = 3;
	EXPECT_EQ(EMU_FAULT, machine_step(&m));
	EXPECT_EQ(X86_TRAP_GP, m.emu.fault.vector);
	EXPECT_EQ(0, m.pieces);
}

/* Each instruction of the table that is only known, and its length. */
static void lengths(void)
{
	static const struct {
		u8 bits, len, bytes[8];
	} cases[] = {
		{ 64, 3, { 0x0f, 0x01, 0xc1 } },	     /* vmcall */
		{ 64, 3, { 0x0f, 0x22, 0xd8 } },	     /* mov %rax, %cr3 */
		{ 64, 3, { 0x0f, 0x22, 0x18 } },	     /* so, whatever mod says */
		{ 64, 7, { 0x0f, 0x01, 0xb8, 0, 0, 0, 0 } }, /* invlpg disp32(%rax) */
		{ 64, 5, { 0x66, 0x0f, 0x38, 0x82, 0x07 } }, /* invpcid */
		{ 16, 5, { 0x0f, 0x01, 0x36, 0x34, 0x12 } }, /* lmsw 0x1234 */
		{ 64, 2, { 0x0f, 0xa2 } },		     /* cpuid */
		{ 32, 2, { 0xcd, 0x80 } },		     /* int */
		{ 64, 3, { 0xf3, 0x48, 0xa5 } },	     /* rep movsq */
		{ 64, 2, { 0xf3, 0x90 } },		     /* pause */
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		struct x86_insn insn = { .nr_bytes = 8 };

		memcpy(insn.bytes, cases[i].bytes, sizeof(cases[i].bytes));
		EXPECT_EQ(INSN_OK, insn_decode(&insn, cases[i].bits));
		EXPECT_EQ(cases[i].len, insn.len);
	}
}

static const struct ktap_test tests[] = {
	KTAP_TEST(jumps_through_memory),
	KTAP_TEST(jumps_out),
	KTAP_TEST(pop_by_the_stack_pointer),
	KTAP_TEST(ports),
	KTAP_TEST(segment_limits),
	KTAP_TEST(segment_rights),
	KTAP_TEST(segment_bases),
	KTAP_TEST(canonical_addresses),
	KTAP_TEST(alignment),
	KTAP_TEST(sse_has_to_be_on),
	KTAP_TEST(illegal_and_unknown),
	KTAP_TEST(contended_lock),
	KTAP_TEST(read_only_memory),
	KTAP_TEST(invpcid),
	KTAP_TEST(straddling_store),
	KTAP_TEST(lengths),
};

KTAP_MAIN(tests)
