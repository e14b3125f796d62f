// SPDX-License-Identifier: GPL-2.0-only
/*
 * The decoder and the emulator on arbitrary bytes, in arbitrary modes, with arbitrary registers.
 *
 * Nothing is expected of the result but what holds for each: it ends, an instruction that did not
 * retire has changed no memory, and what the emulator says it needs is possible.  The sanitizers do
 * the rest.  CALLS=n says how many instructions, SEED=n which.
 */
#include <linux/kernel.h>
#include <string.h>

#include "instance.h"
#include "lib/ktap.h"
#include "seed.h"

#define CALLS 400000

static u8 before[ARENA_SIZE];

static unsigned long calls(void)
{
	const char *text = getenv("CALLS");

	return text ? strtoul(text, NULL, 0) : CALLS;
}

/* Where addresses are likely to end up in the arena, or at the edges. */
static u64 random_value(void)
{
	switch (random_below(8)) {
	case 0:
		return random_u64();
	case 1:
		return (s64)(s8)random_u64();
	case 2:
		return 0x7fffffffffff - random_below(32);
	case 3:
		return 0xffff800000000000 + random_below(32);
	default:
		return ARENA + random_below(ARENA_SIZE);
	}
}

/* Descriptors of which many are right. */
static void random_table(struct machine *m)
{
	unsigned int i;

	m->emu.long_mode = m->emu.bits == 64 || !random_below(4);
	m->table_kind = random_below(4) ? PAGE_MEMORY : random_below(5);
	if (!random_below(4))
		m->gdt = (struct kvm_dtable){ .base = TABLE + random_below(0x2000),
					      .limit = random_below(TABLE_LENGTH) };
	for (i = 0; i < TABLE_SIZE && !random_below(2); i++)
		m->table[i] = random_u64();
	for (i = 0; i < TABLE_LENGTH; i += 8)
		if (m->gdt.base == TABLE && random_below(2))
			machine_set_descriptor(m, i,
					       DESCRIPTOR(ARENA, random_u64(),
							  0x90 | (random_u64() & 0xff),
							  random_below(16)));
}

static void random_machine(struct machine *m)
{
	static const unsigned int bits[] = { 16, 32, 64 };
	unsigned int i;

	machine_init(m, bits[random_below(3)]);
	for (i = 0; i < 16; i++)
		m->emu.gpr[i] = random_value();
	m->emu.rip = random_value();
	m->emu.rflags = random_u64() & 0x3f7fd7;
	m->emu.cr0 ^= random_below(8) ? 0 : random_u64();
	m->emu.cr4 ^= random_below(8) ? 0 : random_u64();
	m->emu.cpl = random_below(2) * 3;
	m->contended = !random_below(8);
	for (i = 0; i < ARENA_PAGES; i++)
		m->page[i] = random_below(5);
	random_table(m);
	for (i = 0; i < 6; i++) {
		struct kvm_segment *seg = &m->seg[i];

		if (m->emu.bits != 64)
			seg->base = ARENA;
		if (random_below(4))
			continue;
		seg->base = random_value();
		seg->limit = random_u64();
		seg->type = random_u64();
		seg->present = random_u64();
		seg->unusable = random_u64();
		seg->db = random_u64();
	}
}

/* Arbitrary bytes; or an instruction of the table, perhaps with a byte of it changed. */
static void random_code(struct machine *m)
{
	const struct insn_row *row = &insn_rows[random_below(insn_nr_rows)];
	unsigned int len = random_below(4) ? INSN_MAX_LEN : random_below(INSN_MAX_LEN + 1), i;
	struct instance instance;
	u8 bytes[INSN_MAX_LEN];

	for (i = 0; i < INSN_MAX_LEN; i++)
		bytes[i] = random_u64();
	if (random_below(3) && !(row->attr & INSN_NO_EXEC)) {
		u64 gpr[16];

		memcpy(gpr, m->emu.gpr, sizeof(gpr));
		if (instance_make(&instance, m, row)) {
			memcpy(bytes, instance.bytes, instance.len);
			if (!random_below(3))
				bytes[random_below(instance.len)] = random_u64();
		}
		if (!random_below(3))
			memcpy(m->emu.gpr, gpr, sizeof(gpr));
	}
	machine_set_code(m, bytes, len);
}

static const char *code(const struct machine *m)
{
	static char text[3 * INSN_MAX_LEN + 1];
	unsigned int i;

	for (i = 0; i < INSN_MAX_LEN; i++)
		snprintf(text + 3 * i, 4, "%02x ", m->emu.insn.bytes[i]);
	return text;
}

static void one(unsigned long count[])
{
	enum emu_status status;
	struct machine m;

	random_machine(&m);
	random_code(&m);
	memcpy(before, arena_at(ARENA), ARENA_SIZE);
	status = machine_step(&m);
	count[status]++;
	EXPECT(status == EMU_OK || status == EMU_FAULT || status == EMU_AGAIN ||
		       status == EMU_SWAPPED || status == EMU_UNKNOWN,
	       "status %d", status);
	EXPECT_EQ(status == EMU_OK, m.retired);
	EXPECT(m.max_piece <= EMU_MAX_IO, "a piece of %u bytes", m.max_piece);
	EXPECT(status != EMU_OK || m.emu.insn.len <= m.emu.insn.nr_bytes, "%u bytes of %u",
	       m.emu.insn.len, m.emu.insn.nr_bytes);
	if (status != EMU_OK)
		EXPECT(!memcmp(before, arena_at(ARENA), ARENA_SIZE), "%s: status %d, stored",
		       code(&m), status);
}

static void arbitrary_bytes(void)
{
	unsigned long count[EMU_ERROR + 1] = { 0 }, n = calls();

	arena_create();
	while (n--)
		one(count);
	ktap_note("done %lu, fault %lu, swapped %lu, unknown %lu", count[EMU_OK], count[EMU_FAULT],
		  count[EMU_SWAPPED], count[EMU_UNKNOWN]);
	EXPECT(count[EMU_OK] && count[EMU_FAULT] && count[EMU_SWAPPED] && count[EMU_UNKNOWN],
	       "an outcome never happened");
}

static const struct ktap_test tests[] = {
	KTAP_TEST_LIMIT(arbitrary_bytes, 3600),
};

int main(int argc, char **argv)
{
	random_seed(test_seed());
	return ktap_main(tests, ARRAY_SIZE(tests), argc, argv);
}
