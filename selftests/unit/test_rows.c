// SPDX-License-Identifier: GPL-2.0-only
/*
 * Every row of the table, in random instances: against this processor, against itself on a device,
 * and with faults.
 */
#include <cpuid.h>
#include <asm/trapnr.h>
#include <linux/kernel.h>
#include <stdio.h>
#include <string.h>

#include "instance.h"
#include "lib/ktap.h"
#include "native.h"
#include "seed.h"

#define INSTANCES 150

static u8 before[ARENA_SIZE], after[ARENA_SIZE];

static void fill_arena(void)
{
	u64 *word = (u64 *)ARENA;
	unsigned int i;

	for (i = 0; i < ARENA_SIZE / 8; i++)
		word[i] = random_u64();
}

static const char *hex(const struct instance *instance)
{
	static char text[3 * INSN_MAX_LEN + 1];
	unsigned int i;

	for (i = 0; i < instance->len; i++)
		snprintf(text + 3 * i, 4, "%02x ", instance->bytes[i]);
	return text;
}

static bool is_jump(const struct insn_row *row)
{
	return row->op == INSN_OP_CALL || row->op == INSN_OP_CALL_REL || row->op == INSN_OP_JMP ||
	       row->op == INSN_OP_RET;
}

static bool is_port(const struct insn_row *row)
{
	return row->op == INSN_OP_INS || row->op == INSN_OP_OUTS;
}

/* Has this processor the instruction? */
static bool have_row(const struct insn_row *row)
{
	unsigned int a, b, c, d;

	__cpuid(1, a, b, c, d);
	if (row->op == INSN_OP_MOVBE)
		return c & bit_MOVBE;
	if (row->map == INSN_MAP_0F38)
		return c & bit_SSE4_1;
	if (row->map == INSN_MAP_0F && row->opcode == 0xf0)
		return c & bit_SSE3;
	return true;
}

/* A whole instruction: all elements of a string. */
static enum emu_status run(struct machine *m, const struct instance *instance)
{
	enum emu_status status;

	do {
		machine_set_code(m, instance->bytes, instance->len);
		status = machine_step(m);
	} while (status == EMU_OK && m->emu.repeat);
	return status;
}

static u64 flags_that_count(const struct insn_row *row, u64 flags)
{
	return flags & (INSN_FLAGS_ARITH | X86_EFLAGS_DF) & ~(u64)row->undefined;
}

static bool same_memory(const char *what, const struct insn_row *row,
			const struct instance *instance)
{
	unsigned int i;

	if (!memcmp(arena_at(ARENA), after, ARENA_SIZE))
		return true;
	for (i = 0; arena_at(ARENA)[i] == after[i];)
		i++;
	EXPECT(0, "%s: %s %s: memory at 0x%lx is 0x%x, not 0x%x; operand at 0x%llx", what,
	       row->name, hex(instance), ARENA + i, arena_at(ARENA)[i], after[i],
	       (unsigned long long)instance->target);
	return false;
}

static void same_registers(const char *what, const struct insn_row *row,
			   const struct instance *instance, const struct machine *m, const u64 *gpr,
			   u64 rflags)
{
	int i;

	for (i = 0; i < 16; i++)
		EXPECT(m->emu.gpr[i] == gpr[i], "%s: %s %s: register %d is 0x%llx, not 0x%llx",
		       what, row->name, hex(instance), i, (unsigned long long)m->emu.gpr[i],
		       (unsigned long long)gpr[i]);
	EXPECT(flags_that_count(row, m->emu.rflags) == flags_that_count(row, rflags),
	       "%s: %s %s: flags are 0x%llx, not 0x%llx", what, row->name, hex(instance),
	       (unsigned long long)m->emu.rflags, (unsigned long long)rflags);
}

static void one_native(const struct insn_row *row)
{
	struct instance instance;
	struct machine m;
	struct native native = {};
	int i;

	machine_init(&m, 64);
	for (i = 0; i < 6; i++)
		m.seg[i].selector = native_selector(i);
	m.emu.rip = native_address();
	if (!instance_make(&instance, &m, row))
		return;
	memcpy(native.gpr, m.emu.gpr, sizeof(native.gpr));
	memcpy(native.xmm, m.xmm, sizeof(native.xmm));
	native.rflags = m.emu.rflags;
	memcpy(before, arena_at(ARENA), ARENA_SIZE);

	native_run(&native, instance.bytes, instance.len);
	memcpy(after, arena_at(ARENA), ARENA_SIZE);
	memcpy(arena_at(ARENA), before, ARENA_SIZE);

	EXPECT_EQ(EMU_OK, run(&m, &instance));
	EXPECT_EQ(native_address() + instance.len, m.emu.rip);
	same_registers("native", row, &instance, &m, native.gpr, native.rflags);
	EXPECT(!memcmp(m.xmm, native.xmm, sizeof(m.xmm)), "%s: XMM registers", row->name);
	same_memory("native", row, &instance);
}

/* What this processor does and what the emulator does is the same. */
static void same_as_native(void)
{
	unsigned int i, n;

	arena_create();
	native_create();
	fill_arena();
	for (i = 0; i < insn_nr_rows; i++) {
		const struct insn_row *row = &insn_rows[i];

		if (row->attr & INSN_NO_EXEC || is_jump(row) || is_port(row) ||
		    insn_loads_segment(row) || insn_is_far(row))
			continue;
		if (!have_row(row)) {
			ktap_note("%s: not on this processor", row->name);
			continue;
		}
		for (n = 0; n < INSTANCES; n++)
			one_native(row);
	}
}

static const unsigned int modes[] = { 16, 32, 64 };

static void machine_for(struct machine *m, unsigned int bits)
{
	int i;

	machine_init(m, bits);
	m->emu.rip = 0x0f000000;
	for (i = 0; i < 6 && bits != 64; i++)
		m->seg[i].base = i == X86_CS ? 0 : ARENA;
}

static void set_pages(struct machine *m, enum page_kind kind)
{
	int i;

	for (i = 0; i < ARENA_PAGES; i++)
		m->page[i] = kind;
}

static void one_device(const struct insn_row *row, unsigned int bits, enum page_kind kind)
{
	struct machine start, memory, device;
	enum emu_status status;
	struct instance instance;

	machine_for(&start, bits);
	if (!instance_make(&instance, &start, row))
		return;
	start.port_value = random_u64();
	memcpy(before, arena_at(ARENA), ARENA_SIZE);
	memory = start;
	memory.emu.seg = memory.seg;
	status = run(&memory, &instance);
	EXPECT(status == EMU_OK || (is_jump(row) && status == EMU_FAULT),
	       "%s %s in %u bits: status %d, vector %u", row->name, hex(&instance), bits, status,
	       memory.emu.fault.vector);
	memcpy(after, arena_at(ARENA), ARENA_SIZE);
	memcpy(arena_at(ARENA), before, ARENA_SIZE);

	device = start;
	device.emu.seg = device.seg;
	set_pages(&device, kind);
	EXPECT_EQ(status, run(&device, &instance));
	same_registers("device", row, &instance, &device, memory.emu.gpr, memory.emu.rflags);
	EXPECT_EQ(memory.emu.rip, device.emu.rip);
	EXPECT_EQ(memory.port_value, device.port_value);
	EXPECT_EQ(memory.retired, device.retired);
	EXPECT(!memcmp(device.xmm, memory.xmm, sizeof(device.xmm)), "%s: XMM registers", row->name);
	EXPECT(!memcmp(device.seg, memory.seg, sizeof(device.seg)), "%s: segment registers",
	       row->name);
	EXPECT(!memcmp(device.table, memory.table, sizeof(device.table)), "%s: the table",
	       row->name);
	EXPECT(device.max_piece <= 8, "a piece of %u bytes", device.max_piece);
	same_memory("device", row, &instance);
}

/* Memory and a device give the same, in every mode, also where an operand is half of each. */
static void same_on_device(void)
{
	unsigned int i, n, mode;

	arena_create();
	fill_arena();
	for (i = 0; i < insn_nr_rows; i++)
		for (mode = 0; mode < 3 && !(insn_rows[i].attr & INSN_NO_EXEC); mode++)
			for (n = 0; n < INSTANCES / 3; n++) {
				one_device(&insn_rows[i], modes[mode], PAGE_DEVICE);
				one_device(&insn_rows[i], modes[mode], PAGE_READ_ONLY);
			}
}

static void one_fault(const struct insn_row *row, unsigned int bits)
{
	struct machine m, start;
	struct instance instance;

	machine_for(&m, bits);
	if (!instance_make(&instance, &m, row))
		return;
	set_pages(&m, PAGE_ABSENT);
	start = m;
	memcpy(before, arena_at(ARENA), ARENA_SIZE);
	if (machine_step(&m) == EMU_OK) {
		/* A string instruction that repeats no times touches nothing. */
		EXPECT(row->attr & (INSN_REP | INSN_REPCC), "%s %s: no fault", row->name,
		       hex(&instance));
		return;
	}
	EXPECT_EQ(X86_TRAP_PF, m.emu.fault.vector);
	EXPECT_EQ(0, m.retired);
	EXPECT_EQ(0, m.pieces);
	EXPECT(!memcmp(before, arena_at(ARENA), ARENA_SIZE), "%s: memory changed", row->name);
	EXPECT(!memcmp(start.emu.gpr, m.emu.gpr, sizeof(m.emu.gpr)), "%s: registers changed",
	       row->name);
}

/* An operand that is not there: a page fault, and nothing has happened. */
static void fault_changes_nothing(void)
{
	unsigned int i, n, mode;

	arena_create();
	fill_arena();
	for (i = 0; i < insn_nr_rows; i++)
		for (mode = 0; mode < 3 && !(insn_rows[i].attr & INSN_NO_EXEC); mode++)
			for (n = 0; n < INSTANCES / 3; n++)
				one_fault(&insn_rows[i], modes[mode]);
}

/* The look-up wants the rows in order. */
static void table_is_sorted(void)
{
	unsigned int i;

	for (i = 1; i < insn_nr_rows; i++) {
		const struct insn_row *a = &insn_rows[i - 1], *b = &insn_rows[i];

		EXPECT(a->map < b->map || (a->map == b->map && a->opcode <= b->opcode),
		       "%s before %s", a->name, b->name);
	}
}

static const struct ktap_test tests[] = {
	KTAP_TEST(table_is_sorted),
	KTAP_TEST(same_as_native),
	KTAP_TEST(same_on_device),
	KTAP_TEST(fault_changes_nothing),
};

int main(int argc, char **argv)
{
	random_seed(test_seed());
	return ktap_main(tests, ARRAY_SIZE(tests), argc, argv);
}
