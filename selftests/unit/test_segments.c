// SPDX-License-Identifier: GPL-2.0-only
/*
 * Loads of segment registers: which descriptors each of them takes, at which privilege, what the
 * others give, and what is left in the register, in the table and on the stack.
 */
#include <asm/trapnr.h>
#include <linux/kernel.h>
#include <string.h>

#include "lib/ktap.h"
#include "machine.h"

#define HERE	  (ARENA + 0x1000)
#define STACK	  (ARENA + 0x2000)
#define NO_FAULT  0
#define COMPAT	  33 /* "bits" of 32-bit code in long mode */
#define NEXT(len) (0x100000 + (len))

/* A descriptor's rights, with DPL 0; and its flags. */
#define DATA	   0x92 /* data that can be written */
#define DATA_READ  0x90
#define CODE	   0x9a /* code that can be read */
#define CODE_EXEC  0x98
#define CONFORMING 0x9e
#define DPL(n)	   ((n) << 5)
#define ABSENT	   0x80 /* to be taken away */
#define G	   8
#define D	   4
#define L	   2

static struct machine m;

static void __start(unsigned int bits, unsigned int cpl, const u8 *code, unsigned int len)
{
	static bool created;

	if (!created)
		arena_create();
	created = true;
	memset(arena_at(ARENA), 0, ARENA_SIZE);
	machine_init(&m, bits == COMPAT ? 32 : bits);
	m.emu.long_mode = bits > 32;
	m.emu.cpl = cpl;
	m.seg[X86_SS].dpl = cpl;
	m.emu.rip = 0x100000;
	m.emu.gpr[X86_RSP] = STACK;
	m.emu.gpr[X86_RDI] = HERE;
	m.seg[X86_LDTR].unusable = 1;
	machine_set_code(&m, code, len);
}

#define start(bits, cpl, ...)                             \
	do {                                              \
		const u8 code_[] = { __VA_ARGS__ };       \
		__start(bits, cpl, code_, sizeof(code_)); \
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

static void expect_fault(const char *what, u8 vector, u32 error)
{
	struct machine old = m;
	struct emu_fault *fault = &m.emu.fault;
	enum emu_status status = machine_step(&m);

	EXPECT(status == EMU_FAULT, "%s: status %d", what, status);
	EXPECT(fault->vector == vector && fault->error == error, "%s: vector %u, error 0x%x", what,
	       fault->vector, fault->error);
	EXPECT(fault->has_error == (vector != X86_TRAP_UD), "%s: error code", what);
	EXPECT(!m.retired && !memcmp(old.seg, m.seg, sizeof(m.seg)), "%s: it was loaded", what);
	EXPECT(!memcmp(old.table, m.table, sizeof(m.table)), "%s: marked", what);
	EXPECT(!memcmp(old.emu.gpr, m.emu.gpr, sizeof(m.emu.gpr)), "%s: registers changed", what);
}

/* A load of a selector whose descriptor is the one for the case. */
struct load {
	const char *name;
	unsigned int bits, cpl, seg, rpl;
	unsigned int rights, flags;
	unsigned int vector; /* NO_FAULT: it is loaded */
};

static void start_load(unsigned int bits, unsigned int cpl, unsigned int seg, u16 selector)
{
	start(bits, cpl, 0x8e, seg << 3 | 7); /* mov (%edi), %seg */
	set_word(HERE, 0xffff0000 | selector);
}

static void one_load(const struct load *load)
{
	u16 selector = TABLE_CASE | load->rpl;

	start_load(load->bits, load->cpl, load->seg, selector);
	machine_set_descriptor(&m, TABLE_CASE,
			       DESCRIPTOR(0x12345678, 0xabcde, load->rights, load->flags));
	if (load->vector) {
		expect_fault(load->name, load->vector, TABLE_CASE);
		return;
	}
	EXPECT(machine_step(&m) == EMU_OK, "%s: vector %u", load->name, m.emu.fault.vector);
	EXPECT_EQ(selector, m.seg[load->seg].selector);
	EXPECT_EQ(0x12345678, m.seg[load->seg].base);
	EXPECT_EQ(load->flags & G ? 0xabcdefff : 0xabcde, m.seg[load->seg].limit);
	EXPECT_EQ((load->rights & 0xf) | 1, m.seg[load->seg].type);
	EXPECT_EQ(load->rights >> 5 & 3, m.seg[load->seg].dpl);
	EXPECT_EQ(!!(load->flags & G), m.seg[load->seg].g);
	EXPECT_EQ(!!(load->flags & D), m.seg[load->seg].db);
	EXPECT_EQ(load->flags & 1, m.seg[load->seg].avl);
	EXPECT(m.seg[load->seg].s && m.seg[load->seg].present && !m.seg[load->seg].unusable, "%s",
	       load->name);
	EXPECT_EQ(load->rights | 1, machine_descriptor(&m, TABLE_CASE) >> 40 & 0xff);
	EXPECT_EQ(NEXT(2), m.emu.rip);
	EXPECT_EQ(load->seg == X86_SS, m.emu.shadow);
}

static void data_segments(void)
{
	static const struct load loads[] = {
		{ "data", 32, 0, X86_DS, 0, DATA, G | D, NO_FAULT },
		{ "data in bytes", 32, 0, X86_ES, 0, DATA, 1, NO_FAULT },
		{ "data in 64-bit mode", 64, 0, X86_FS, 0, DATA, G, NO_FAULT },
		{ "data in compatibility mode", COMPAT, 0, X86_GS, 0, DATA, D, NO_FAULT },
		{ "data to be read", 32, 0, X86_DS, 0, DATA_READ, G, NO_FAULT },
		{ "accessed before", 32, 0, X86_DS, 0, DATA | 1, G, NO_FAULT },
		{ "expanding down", 32, 0, X86_GS, 0, DATA | 4, D, NO_FAULT },
		{ "the user's", 32, 3, X86_DS, 3, DATA | DPL(3), G, NO_FAULT },
		{ "the user's by RPL 0", 64, 3, X86_DS, 0, DATA | DPL(3), G, NO_FAULT },
		{ "the user's for all", 32, 0, X86_DS, 3, DATA | DPL(3), G, NO_FAULT },
		{ "less privilege than RPL", 32, 0, X86_DS, 1, DATA, G, X86_TRAP_GP },
		{ "less privilege than CPL", 32, 3, X86_DS, 0, DATA, G, X86_TRAP_GP },
		{ "so in 64-bit mode", 64, 3, X86_GS, 0, DATA | DPL(2), G, X86_TRAP_GP },
		{ "code to be read", 32, 0, X86_DS, 0, CODE, D, NO_FAULT },
		{ "code of others", 32, 3, X86_DS, 3, CODE, D, X86_TRAP_GP },
		{ "code not to be read", 32, 0, X86_DS, 0, CODE_EXEC, D, X86_TRAP_GP },
		{ "conforming code", 32, 3, X86_DS, 3, CONFORMING, D, NO_FAULT },
		{ "conforming, not read", 32, 0, X86_DS, 0, CONFORMING & ~2, D, X86_TRAP_GP },
		{ "a system segment", 32, 0, X86_DS, 0, 0x82, 0, X86_TRAP_GP },
		{ "a gate", 64, 0, X86_DS, 0, 0x8c, 0, X86_TRAP_GP },
		{ "nothing", 32, 0, X86_DS, 0, 0, 0, X86_TRAP_GP },
		{ "absent", 32, 0, X86_DS, 0, DATA - ABSENT, G, X86_TRAP_NP },
		{ "absent code", 64, 0, X86_FS, 0, CODE - ABSENT, G, X86_TRAP_NP },
		{ "absent and of others", 32, 3, X86_DS, 3, DATA - ABSENT, G, X86_TRAP_GP },
		{ "a stack", 32, 0, X86_SS, 0, DATA, G | D, NO_FAULT },
		{ "the user's stack", 32, 3, X86_SS, 3, DATA | DPL(3), G | D, NO_FAULT },
		{ "a stack in 64-bit mode", 64, 0, X86_SS, 0, DATA, 0, NO_FAULT },
		{ "a stack to be read", 32, 0, X86_SS, 0, DATA_READ, D, X86_TRAP_GP },
		{ "code as a stack", 32, 0, X86_SS, 0, CODE, D, X86_TRAP_GP },
		{ "a stack by another RPL", 32, 0, X86_SS, 3, DATA, D, X86_TRAP_GP },
		{ "a stack by RPL 0", 32, 3, X86_SS, 0, DATA | DPL(3), D, X86_TRAP_GP },
		{ "another's stack", 32, 0, X86_SS, 0, DATA | DPL(3), D, X86_TRAP_GP },
		{ "another's in 64-bit mode", 64, 3, X86_SS, 3, DATA, D, X86_TRAP_GP },
		{ "an absent stack", 32, 0, X86_SS, 0, DATA - ABSENT, D, X86_TRAP_SS },
		{ "another's absent stack", 32, 0, X86_SS, 3, DATA - ABSENT, D, X86_TRAP_GP },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(loads); i++)
		one_load(&loads[i]);
}

static void expect_null(unsigned int bits, unsigned int cpl, unsigned int seg, u16 selector)
{
	start_load(bits, cpl, seg, selector);
	EXPECT_EQ(EMU_OK, machine_step(&m));
	EXPECT_EQ(selector, m.seg[seg].selector);
	EXPECT(m.seg[seg].unusable && !m.seg[seg].base, "%u bits, segment %u", bits, seg);
	EXPECT_EQ(seg == X86_SS ? cpl : 0, m.seg[seg].dpl);
}

static void null_selectors(void)
{
	unsigned int selector;

	for (selector = 0; selector < 4; selector++) {
		expect_null(32, 0, X86_DS, selector);
		expect_null(32, 3, X86_GS, selector);
		expect_null(64, 0, X86_FS, selector);
		start_load(32, 0, X86_SS, selector);
		expect_fault("no stack", X86_TRAP_GP, 0);
		start_load(COMPAT, 0, X86_SS, selector);
		expect_fault("no stack in compatibility mode", X86_TRAP_GP, 0);
		start_load(64, 3, X86_SS, selector);
		expect_fault("no stack of the user's", X86_TRAP_GP, 0);
	}
	expect_null(64, 0, X86_SS, 0);
	expect_null(64, 1, X86_SS, 1);
	start_load(64, 0, X86_SS, 3);
	expect_fault("no stack of another RPL", X86_TRAP_GP, 0);
	/* Index 0 of the local table is a selector as any other. */
	start_load(32, 0, X86_DS, 4);
	expect_fault("index 0 of no table", X86_TRAP_GP, 4);
}

static void registers_that_are_none(void)
{
	unsigned int bits;

	for (bits = 16; bits <= 64; bits *= 2) {
		start_load(bits, 0, X86_CS, TABLE_CODE);
		expect_fault("to cs", X86_TRAP_UD, 0);
		start_load(bits, 0, 6, TABLE_DATA);
		expect_fault("to segment register 6", X86_TRAP_UD, 0);
		start_load(bits, 0, 7, TABLE_DATA);
		expect_fault("to segment register 7", X86_TRAP_UD, 0);
	}
	start(32, 0, 0xf0, 0x8e, 0x1f);
	expect_fault("lock", X86_TRAP_UD, 0);
}

static void ends_of_tables(void)
{
	start_load(32, 0, X86_DS, TABLE_DATA);
	m.gdt.limit = TABLE_DATA + 7;
	EXPECT_EQ(EMU_OK, machine_step(&m));
	start_load(32, 0, X86_DS, TABLE_DATA);
	m.gdt.limit = TABLE_DATA + 6;
	expect_fault("beyond the global table", X86_TRAP_GP, TABLE_DATA);
	start_load(64, 0, X86_DS, 0xfff8);
	expect_fault("far beyond it", X86_TRAP_GP, 0xfff8);

	start_load(32, 0, X86_DS, TABLE_DATA | 4);
	expect_fault("no local table", X86_TRAP_GP, TABLE_DATA | 4);
	start_load(32, 0, X86_DS, 0x10 | 4);
	m.seg[X86_LDTR] =
		(struct kvm_segment){ .base = TABLE + 0x100, .limit = 0x17, .present = 1 };
	machine_set_descriptor(&m, 0x110, DESCRIPTOR(0x7000, 0x1, DATA, G));
	EXPECT_EQ(EMU_OK, machine_step(&m));
	EXPECT_EQ(0x7000, m.seg[X86_DS].base);
	EXPECT_EQ(0x14, m.seg[X86_DS].selector);
	start_load(32, 0, X86_DS, 0x18 | 4);
	machine_set_descriptor(&m, 0x118, DESCRIPTOR(0x7000, 0x1, DATA, G));
	m.seg[X86_LDTR] =
		(struct kvm_segment){ .base = TABLE + 0x100, .limit = 0x1e, .present = 1 };
	expect_fault("beyond the local table", X86_TRAP_GP, 0x1c);
}

static void expect_page_fault(u32 error, u64 address)
{
	EXPECT_EQ(EMU_FAULT, machine_step(&m));
	EXPECT_EQ(X86_TRAP_PF, m.emu.fault.vector);
	EXPECT_EQ(error, m.emu.fault.error);
	EXPECT_EQ(address, m.emu.fault.address);
	EXPECT_EQ(0, m.retired);
}

/* The table is the processor's alone, and is written to only where the bit is clear. */
static void tables_in_memory(void)
{
	start_load(32, 3, X86_DS, TABLE_CASE);
	machine_set_descriptor(&m, TABLE_CASE, DESCRIPTOR(0, 1, DATA | DPL(3), 0));
	EXPECT_EQ(EMU_OK, machine_step(&m));

	start_load(32, 0, X86_DS, TABLE_DATA);
	m.table_kind = PAGE_ABSENT;
	expect_page_fault(0, TABLE + TABLE_DATA);

	start_load(64, 0, X86_DS, TABLE_DATA);
	m.table_kind = PAGE_PROTECTED;
	expect_page_fault(2, TABLE + TABLE_DATA + 5);
	start_load(64, 0, X86_DS, TABLE_CASE);
	m.table_kind = PAGE_PROTECTED;
	machine_set_descriptor(&m, TABLE_CASE, DESCRIPTOR(0, 1, DATA | 1, 0));
	EXPECT_EQ(EMU_OK, machine_step(&m));

	start_load(32, 0, X86_DS, TABLE_DATA);
	m.table_kind = PAGE_READ_ONLY;
	EXPECT_EQ(EMU_OK, machine_step(&m));
	EXPECT_EQ(0x92, machine_descriptor(&m, TABLE_DATA) >> 40 & 0xff);
	EXPECT_EQ(3, m.seg[X86_DS].type);

	start_load(32, 0, X86_DS, TABLE_DATA);
	m.table_kind = PAGE_DEVICE;
	EXPECT_EQ(EMU_UNKNOWN, machine_step(&m));
	EXPECT_EQ(0, m.retired);

	start_load(32, 0, X86_DS, TABLE_DATA);
	m.contended = true;
	EXPECT_EQ(EMU_AGAIN, machine_step(&m));
	EXPECT_EQ(0, m.retired);
}

static void tables_at_odd_places(void)
{
	/* Three bytes in the first page. */
	start_load(32, 0, X86_DS, TABLE_CASE);
	m.gdt.base = TABLE + 0x1000 - 3 - TABLE_CASE;
	machine_set_descriptor(&m, TABLE_CASE, DESCRIPTOR(0x77665544, 0x12345, DATA, 0));
	EXPECT_EQ(EMU_OK, machine_step(&m));
	EXPECT_EQ(0x77665544, m.seg[X86_DS].base);
	EXPECT_EQ(0x12345, m.seg[X86_DS].limit);
	EXPECT_EQ(0x93, machine_descriptor(&m, TABLE_CASE) >> 40 & 0xff);

	/* Addresses of 32 bits wrap, those of 64 do not, and have to be canonical. */
	start_load(32, 0, X86_DS, 8);
	m.gdt.base = 0x100000000 + TABLE;
	EXPECT_EQ(EMU_OK, machine_step(&m));
	start_load(COMPAT, 0, X86_DS, 8);
	m.gdt.base = 0x100000000 + TABLE;
	expect_page_fault(0, 0x100000008 + TABLE);
	start_load(64, 0, X86_DS, 8);
	m.gdt.base = 0x7ffffffffff8;
	EXPECT_EQ(EMU_UNKNOWN, machine_step(&m));
}

/* A base alone; what else is in the register stays, but in virtual-8086 mode. */
static void real_mode(void)
{
	start(16, 0, 0x67, 0x8e, 0x1f); /* mov (%edi), %ds */
	m.emu.cr0 = 0;
	m.seg[X86_DS].limit = 0xffffffff;
	m.seg[X86_DS].type = 1;
	set_word(HERE, 0xabcd);
	EXPECT_EQ(EMU_OK, machine_step(&m));
	EXPECT_EQ(0xabcd, m.seg[X86_DS].selector);
	EXPECT_EQ(0xabcd0, m.seg[X86_DS].base);
	EXPECT_EQ(0xffffffff, m.seg[X86_DS].limit);
	EXPECT_EQ(1, m.seg[X86_DS].type);

	start(16, 0, 0x67, 0x8e, 0x17);
	m.emu.cr0 = 0;
	m.seg[X86_SS] = (struct kvm_segment){ .unusable = 1, .limit = 0xffff };
	set_word(HERE, 0);
	EXPECT_EQ(EMU_OK, machine_step(&m));
	EXPECT(!m.seg[X86_SS].unusable && m.seg[X86_SS].present, "0 is a segment in real mode");
	EXPECT_EQ(3, m.seg[X86_SS].type);
	EXPECT(m.emu.shadow, "the stack was loaded");

	start(16, 3, 0x67, 0x8e, 0x27); /* mov (%edi), %fs */
	m.emu.rflags |= X86_EFLAGS_VM;
	m.seg[X86_FS].type = 1;
	set_word(HERE, 0x8001);
	EXPECT_EQ(EMU_OK, machine_step(&m));
	EXPECT_EQ(0x80010, m.seg[X86_FS].base);
	EXPECT_EQ(0xffff, m.seg[X86_FS].limit);
	EXPECT_EQ(3, m.seg[X86_FS].type);
	EXPECT_EQ(3, m.seg[X86_FS].dpl);
	EXPECT(!m.seg[X86_FS].db && !m.seg[X86_FS].g, "the attributes");
}

static void from_a_register(void)
{
	start(64, 0, 0x8e, 0xd8); /* mov %eax, %ds */
	m.emu.gpr[X86_RAX] = 0xff0000 | TABLE_DATA;
	EXPECT_EQ(EMU_OK, machine_step(&m));
	EXPECT_EQ(TABLE_DATA, m.seg[X86_DS].selector);
	EXPECT_EQ(ARENA, m.seg[X86_DS].base);
}

/* Pushes of 4 bytes store 2 of them, all others the whole. */
static void pushes(void)
{
	start(32, 0, 0x0e); /* push %cs */
	m.seg[X86_CS].selector = 0x1234;
	set_word(STACK - 4, 0xffffffffffffffff);
	EXPECT_EQ(EMU_OK, machine_step(&m));
	EXPECT_EQ(STACK - 4, m.emu.gpr[X86_RSP]);
	EXPECT_EQ(0xffffffffffff1234, word_at(STACK - 4));

	start(32, 0, 0x66, 0x06); /* pushw %es */
	m.seg[X86_ES].selector = 0x4321;
	EXPECT_EQ(EMU_OK, machine_step(&m));
	EXPECT_EQ(STACK - 2, m.emu.gpr[X86_RSP]);
	EXPECT_EQ(0x4321, word_at(STACK - 2));

	start(64, 0, 0x0f, 0xa8); /* push %gs */
	m.seg[X86_GS].selector = 0x5678;
	set_word(STACK - 8, 0xffffffffffffffff);
	EXPECT_EQ(EMU_OK, machine_step(&m));
	EXPECT_EQ(STACK - 8, m.emu.gpr[X86_RSP]);
	EXPECT_EQ(0x5678, word_at(STACK - 8));

	start(64, 0, 0x66, 0x0f, 0xa0); /* pushw %fs */
	m.seg[X86_FS].selector = 0x8765;
	EXPECT_EQ(EMU_OK, machine_step(&m));
	EXPECT_EQ(STACK - 2, m.emu.gpr[X86_RSP]);
	EXPECT_EQ(0x8765, word_at(STACK - 2));
}

/* Two bytes are read, whatever the stack pointer moves by. */
static void pops(void)
{
	start(32, 0, 0x1f); /* pop %ds */
	m.emu.gpr[X86_RSP] = STACK - 2;
	m.page[2] = PAGE_ABSENT;
	set_word(STACK - 8, (u64)TABLE_DATA << 48);
	EXPECT_EQ(EMU_OK, machine_step(&m));
	EXPECT_EQ(TABLE_DATA, m.seg[X86_DS].selector);
	EXPECT_EQ(STACK + 2, m.emu.gpr[X86_RSP]);
	EXPECT(!m.emu.shadow, "no stack was loaded");

	start(32, 0, 0x17); /* pop %ss */
	set_word(STACK, TABLE_DATA);
	EXPECT_EQ(EMU_OK, machine_step(&m));
	EXPECT_EQ(ARENA, m.seg[X86_SS].base);
	EXPECT(m.emu.shadow, "the stack was loaded");

	start(64, 0, 0x0f, 0xa1); /* pop %fs */
	set_word(STACK, 0xffffffffffff0000 | TABLE_DATA);
	EXPECT_EQ(EMU_OK, machine_step(&m));
	EXPECT_EQ(TABLE_DATA, m.seg[X86_FS].selector);
	EXPECT_EQ(STACK + 8, m.emu.gpr[X86_RSP]);

	start(64, 0, 0x66, 0x0f, 0xa9); /* popw %gs */
	set_word(STACK, TABLE_DATA);
	EXPECT_EQ(EMU_OK, machine_step(&m));
	EXPECT_EQ(STACK + 2, m.emu.gpr[X86_RSP]);

	start(32, 0, 0x07); /* pop %es */
	set_word(STACK, 0x7778);
	expect_fault("pop of no segment", X86_TRAP_GP, 0x7778);
}

static void not_in_64_bit_mode(void)
{
	static const u8 opcodes[] = { 0x06, 0x07, 0x0e, 0x16, 0x17, 0x1e, 0x1f };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(opcodes); i++) {
		start(64, 0, opcodes[i]);
		expect_fault("not in 64-bit mode", X86_TRAP_UD, 0);
	}
	start(32, 0, 0x0f);
	EXPECT_EQ(EMU_UNKNOWN, machine_step(&m));
}

static void start_far(unsigned int bits, unsigned int cpl, bool call, u16 selector, u32 offset)
{
	start(bits, cpl, 0xff, call ? 0x1f : 0x2f); /* lcall, ljmp *(%edi) */
	set_word(HERE, (u64)selector << 32 | offset);
	m.seg[X86_CS].selector = 0x5550 | cpl;
	m.seg[X86_CS].dpl = cpl;
}

static void one_far(const struct load *far)
{
	start_far(far->bits, far->cpl, far->seg, TABLE_CASE | far->rpl, 0xabcd0);
	machine_set_descriptor(&m, TABLE_CASE,
			       DESCRIPTOR(0x1000, 0xabcde, far->rights, far->flags));
	if (far->vector) {
		expect_fault(far->name, far->vector, TABLE_CASE);
		return;
	}
	EXPECT(machine_step(&m) == EMU_OK, "%s: vector %u", far->name, m.emu.fault.vector);
	EXPECT_EQ(0xabcd0, m.emu.rip);
	EXPECT_EQ(TABLE_CASE | far->cpl, m.seg[X86_CS].selector);
	EXPECT_EQ(0x1000, m.seg[X86_CS].base);
	EXPECT_EQ((far->rights & 0xf) | 1, m.seg[X86_CS].type);
	EXPECT_EQ(!!(far->flags & L), m.seg[X86_CS].l);
	EXPECT_EQ(!!(far->flags & D), m.seg[X86_CS].db);
	EXPECT_EQ(far->rights | 1, machine_descriptor(&m, TABLE_CASE) >> 40 & 0xff);
	EXPECT_EQ(far->seg ? STACK - 8 : STACK, m.emu.gpr[X86_RSP]);
	if (far->seg)
		EXPECT_EQ((0x5550ull | far->cpl) << 32 | NEXT(2), word_at(STACK - 8));
}

/* Far jumps, and calls (the register is 1). */
static void code_segments(void)
{
	static const struct load fars[] = {
		{ "32-bit code", 32, 0, 0, 0, CODE, D, NO_FAULT },
		{ "16-bit code", 32, 0, 1, 0, CODE, 0, NO_FAULT },
		{ "code not to be read", 32, 0, 0, 0, CODE_EXEC, D, NO_FAULT },
		{ "accessed before", 32, 0, 0, 0, CODE | 1, D, NO_FAULT },
		{ "the user's", 32, 3, 1, 3, CODE | DPL(3), D, NO_FAULT },
		{ "from 64-bit mode to compatibility", 64, 0, 0, 0, CODE, D, NO_FAULT },
		{ "call to compatibility", 64, 3, 1, 3, CODE | DPL(3), D, NO_FAULT },
		{ "and back", COMPAT, 0, 0, 0, CODE, L, NO_FAULT },
		{ "call and back", COMPAT, 0, 1, 0, CODE, L, NO_FAULT },
		{ "within 64-bit mode", 64, 0, 1, 0, CODE, L | G, NO_FAULT },
		{ "both L and D", 64, 0, 0, 0, CODE, L | D, X86_TRAP_GP },
		{ "both, compatibility", COMPAT, 0, 0, 0, CODE, L | D, X86_TRAP_GP },
		{ "L without long mode", 32, 0, 0, 0, CODE, L | D, NO_FAULT },
		{ "RPL above CPL", 32, 0, 0, 3, CODE, D, X86_TRAP_GP },
		{ "RPL below CPL", 32, 3, 0, 0, CODE | DPL(3), D, NO_FAULT },
		{ "DPL below CPL", 32, 3, 0, 3, CODE, D, X86_TRAP_GP },
		{ "DPL above CPL", 64, 0, 1, 0, CODE | DPL(3), L, X86_TRAP_GP },
		{ "conforming", 32, 3, 0, 3, CONFORMING, D, NO_FAULT },
		{ "conforming by any RPL", 32, 0, 1, 3, CONFORMING, D, NO_FAULT },
		{ "conforming with DPL above CPL", 32, 0, 0, 0, CONFORMING | DPL(1), D,
		  X86_TRAP_GP },
		{ "data", 32, 0, 0, 0, DATA, D, X86_TRAP_GP },
		{ "data, 64-bit mode", 64, 0, 1, 0, DATA, D, X86_TRAP_GP },
		{ "a local table", 32, 0, 0, 0, 0x82, 0, X86_TRAP_GP },
		{ "an interrupt gate", 64, 0, 1, 0, 0x8e, 0, X86_TRAP_GP },
		{ "a task gate in long mode", 64, 0, 0, 0, 0x85, 0, X86_TRAP_GP },
		{ "a task in long mode", COMPAT, 0, 0, 0, 0x89, 0, X86_TRAP_GP },
		{ "absent", 32, 0, 0, 0, CODE - ABSENT, D, X86_TRAP_NP },
		{ "absent, 64-bit mode", 64, 0, 1, 0, CODE - ABSENT, L, X86_TRAP_NP },
		{ "absent and of others", 32, 3, 0, 3, CODE - ABSENT, D, X86_TRAP_GP },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(fars); i++)
		one_far(&fars[i]);
}

static void far_targets(void)
{
	start_far(32, 0, true, 0, 0);
	machine_set_descriptor(&m, 0, DESCRIPTOR(0, 0xfffff, CODE, D | G));
	expect_fault("no segment", X86_TRAP_GP, 0);
	start_far(32, 0, false, TABLE_LENGTH, 0);
	expect_fault("beyond the table", X86_TRAP_GP, TABLE_LENGTH);

	start_far(32, 0, true, TABLE_CASE, 0xabcdf);
	machine_set_descriptor(&m, TABLE_CASE, DESCRIPTOR(0, 0xabcde, CODE, D));
	expect_fault("beyond the limit", X86_TRAP_GP, 0);
	start_far(32, 0, false, TABLE_CASE, 0xabcdef00);
	machine_set_descriptor(&m, TABLE_CASE, DESCRIPTOR(0, 0xabcde, CODE, D | G));
	EXPECT_EQ(EMU_OK, machine_step(&m));
	/* 64-bit code has no limit. */
	start_far(COMPAT, 0, false, TABLE_CASE, 0xfffffff0);
	machine_set_descriptor(&m, TABLE_CASE, DESCRIPTOR(0, 0, CODE, L));
	EXPECT_EQ(EMU_OK, machine_step(&m));
	EXPECT_EQ(0xfffffff0, m.emu.rip);
	start_far(64, 0, false, TABLE_CASE, 0x100000);
	machine_set_descriptor(&m, TABLE_CASE, DESCRIPTOR(0, 0xfffff, CODE, D));
	expect_fault("beyond a limit in compatibility mode", X86_TRAP_GP, 0);
}

/* What goes through a gate or to a task is not known, and nothing has changed. */
static void gates_are_unknown(void)
{
	static const u8 legacy[] = { 0x81, 0x83, 0x84, 0x85, 0x89, 0x8b, 0x8c };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(legacy); i++) {
		start_far(32, 0, i & 1, TABLE_CASE, 0);
		machine_set_descriptor(&m, TABLE_CASE, DESCRIPTOR(0, 0, legacy[i], 0));
		EXPECT_EQ(EMU_UNKNOWN, machine_step(&m));
		EXPECT_EQ(0, m.retired);
	}
	start_far(64, 0, true, TABLE_CASE, 0);
	machine_set_descriptor(&m, TABLE_CASE, DESCRIPTOR(0, 0, 0x8c, 0));
	EXPECT_EQ(EMU_UNKNOWN, machine_step(&m));
	/* With REX.W vendors differ. */
	start(64, 0, 0x48, 0xff, 0x2f);
	EXPECT_EQ(EMU_UNKNOWN, machine_step(&m));
}

static void start_far_word(unsigned int bits, bool call)
{
	if (bits == 16)
		start(16, 0, 0x67, 0xff, call ? 0x1f : 0x2f);
	else
		start(bits, 0, 0x66, 0xff, call ? 0x1f : 0x2f);
	set_word(HERE, TABLE_CODE << 16 | 0x9876);
	m.seg[X86_CS].selector = 0x5550;
	m.seg[X86_SS].db = 1;
}

static void far_pointers_of_words(void)
{
	unsigned int bits;

	for (bits = 16; bits <= 64; bits *= 2) {
		start_far_word(bits, true);
		EXPECT_EQ(EMU_OK, machine_step(&m));
		EXPECT_EQ(0x9876, m.emu.rip);
		EXPECT_EQ(STACK - 4, m.emu.gpr[X86_RSP]);
		EXPECT_EQ(0x55500003, word_at(STACK - 4) & 0xffffffff);
		start_far_word(bits, false);
		EXPECT_EQ(EMU_OK, machine_step(&m));
		EXPECT_EQ(TABLE_CODE, m.seg[X86_CS].selector);
		EXPECT_EQ(STACK, m.emu.gpr[X86_RSP]);
	}
}

static void far_in_real_mode(void)
{
	start_far_word(16, true);
	m.emu.cr0 = 0;
	m.seg[X86_CS].limit = 0xffff;
	set_word(HERE, 0xabcd9876);
	EXPECT_EQ(EMU_OK, machine_step(&m));
	EXPECT_EQ(0xabcd0, m.seg[X86_CS].base);
	EXPECT_EQ(0xabcd, m.seg[X86_CS].selector);
	EXPECT_EQ(0xffff, m.seg[X86_CS].limit);
	EXPECT_EQ(11, m.seg[X86_CS].type);
	EXPECT_EQ(0x9876, m.emu.rip);
	EXPECT_EQ(0x55500003, word_at(STACK - 4) & 0xffffffff);

	start(16, 0, 0x66, 0x67, 0xff, 0x2f); /* ljmpl */
	m.emu.cr0 = 0;
	m.seg[X86_CS].limit = 0xffff;
	set_word(HERE, 0xabcd00010000);
	expect_fault("beyond the limit", X86_TRAP_GP, 0);

	start_far_word(16, false);
	m.emu.cpl = 3;
	m.emu.rflags |= X86_EFLAGS_VM;
	set_word(HERE, 0xabcd9876);
	EXPECT_EQ(EMU_OK, machine_step(&m));
	EXPECT_EQ(3, m.seg[X86_CS].type);
	EXPECT_EQ(0xffff, m.seg[X86_CS].limit);
}

/* CS goes first, above RIP; each wraps by itself. */
static void far_call_stack(void)
{
	start_far(32, 0, true, TABLE_CODE, 0x1234);
	m.emu.gpr[X86_RSP] = ARENA + 0x2004;
	m.page[1] = PAGE_DEVICE; /* RIP, and the pointer */
	EXPECT_EQ(EMU_OK, machine_step(&m));
	EXPECT_EQ(2, m.pieces);
	EXPECT_EQ(0x5550ull << 32 | NEXT(2), word_at(STACK - 4));

	start_far(32, 0, true, TABLE_CODE, 0x1234);
	m.emu.gpr[X86_RSP] = ARENA + 0x3004;
	m.page[2] = PAGE_DEVICE; /* RIP alone, then both */
	EXPECT_EQ(EMU_OK, machine_step(&m));
	EXPECT_EQ(1, m.pieces);
	EXPECT_EQ(0x5550ull << 32 | NEXT(2), word_at(ARENA + 0x2ffc));
	start_far(32, 0, true, TABLE_CODE, 0x1234);
	m.emu.gpr[X86_RSP] = ARENA + 0x3000;
	m.page[2] = PAGE_DEVICE;
	EXPECT_EQ(EMU_OK, machine_step(&m));
	EXPECT_EQ(2, m.pieces);
	EXPECT_EQ(0x5550ull << 32 | NEXT(2), word_at(ARENA + 0x2ff8));

	start_far(32, 0, true, TABLE_CODE, 0x1234);
	m.emu.gpr[X86_RSP] = ARENA + 0x3004;
	m.page[2] = PAGE_PROTECTED;
	m.page[3] = PAGE_PROTECTED;
	expect_page_fault(2, ARENA + 0x3000);
	start_far(32, 0, true, TABLE_CODE, 0x1234);
	m.emu.gpr[X86_RSP] = ARENA + 0x3004;
	m.page[2] = PAGE_PROTECTED;
	expect_page_fault(2, ARENA + 0x2ffc);
	EXPECT_EQ(0, word_at(ARENA + 0x3000));

	start_far(32, 0, true, TABLE_CODE, 0x1234);
	m.seg[X86_SS].db = 0;
	m.seg[X86_SS].base = ARENA;
	m.seg[X86_SS].limit = 0xffff;
	m.emu.gpr[X86_RSP] = 4;
	m.page[0] = PAGE_MEMORY;
	EXPECT_EQ(EMU_FAULT, machine_step(&m)); /* the arena ends below 64 KiB */
	EXPECT_EQ(ARENA + 0xfffc, m.emu.fault.address);
	start_far(32, 0, true, TABLE_CODE, 0x1234);
	m.seg[X86_SS].limit = ARENA + 0x1fff - 5;
	expect_fault("no room on the stack", X86_TRAP_SS, 0);
}

/* First what is wrong with the segment, then the stack, then where it goes to. */
static void far_call_order(void)
{
	start_far(32, 0, true, TABLE_DATA, 0x1234);
	m.page[2] = PAGE_ABSENT;
	m.emu.gpr[X86_RSP] = ARENA + 0x2800;
	expect_fault("the segment", X86_TRAP_GP, TABLE_DATA);
	start_far(32, 0, true, TABLE_CASE, 0x1234);
	machine_set_descriptor(&m, TABLE_CASE, DESCRIPTOR(0, 0x1000, CODE, D));
	m.page[2] = PAGE_ABSENT;
	m.emu.gpr[X86_RSP] = ARENA + 0x2800;
	expect_page_fault(2, ARENA + 0x27fc);
	EXPECT_EQ(0x9a, machine_descriptor(&m, TABLE_CASE) >> 40 & 0xff);
	start_far(32, 0, true, TABLE_CASE, 0x1234);
	machine_set_descriptor(&m, TABLE_CASE, DESCRIPTOR(0, 0x1000, CODE, D));
	expect_fault("the target", X86_TRAP_GP, 0);
}

/* A 32-bit far pointer need be aligned to two bytes, a 48-bit one to four. */
static void far_alignment(void)
{
	start_far(32, 3, true, TABLE_CASE, 0x1234);
	m.emu.cr0 |= X86_CR0_AM;
	m.emu.rflags |= X86_EFLAGS_AC;
	m.emu.gpr[X86_RDI] = HERE + 2;
	expect_fault("48 bits", X86_TRAP_AC, 0);
	start(32, 3, 0x66, 0xff, 0x1f);
	m.emu.cr0 |= X86_CR0_AM;
	m.emu.rflags |= X86_EFLAGS_AC;
	m.emu.gpr[X86_RDI] = HERE + 2;
	set_word(HERE + 2, (u64)(TABLE_CASE | 3) << 16);
	machine_set_descriptor(&m, TABLE_CASE, DESCRIPTOR(0, 0xfffff, CODE | DPL(3), D));
	EXPECT_EQ(EMU_OK, machine_step(&m));
	start_far(32, 3, true, TABLE_CASE | 3, 0x1234);
	m.emu.cr0 |= X86_CR0_AM;
	m.emu.rflags |= X86_EFLAGS_AC;
	m.emu.gpr[X86_RSP] = STACK - 4; /* four bytes each, not eight */
	machine_set_descriptor(&m, TABLE_CASE, DESCRIPTOR(0, 0xfffff, CODE | DPL(3), D));
	EXPECT_EQ(EMU_OK, machine_step(&m));
}

static const struct ktap_test tests[] = {
	KTAP_TEST(data_segments),
	KTAP_TEST(null_selectors),
	KTAP_TEST(registers_that_are_none),
	KTAP_TEST(ends_of_tables),
	KTAP_TEST(tables_in_memory),
	KTAP_TEST(tables_at_odd_places),
	KTAP_TEST(real_mode),
	KTAP_TEST(from_a_register),
	KTAP_TEST(pushes),
	KTAP_TEST(pops),
	KTAP_TEST(not_in_64_bit_mode),
	KTAP_TEST(code_segments),
	KTAP_TEST(far_targets),
	KTAP_TEST(gates_are_unknown),
	KTAP_TEST(far_pointers_of_words),
	KTAP_TEST(far_in_real_mode),
	KTAP_TEST(far_call_stack),
	KTAP_TEST(far_call_order),
	KTAP_TEST(far_alignment),
};

KTAP_MAIN(tests)
