// SPDX-License-Identifier: GPL-2.0-only
/*
 * Random instances of a row: prefixes, form of address, registers.
 *
 * A form of address is chosen first, with registers of any value; then one of them, or the
 * displacement, is set so that the operand comes to lie in the middle of the arena.  Outside 64-bit
 * mode the data segments begin at the arena.
 */
#include <string.h>

#include "instance.h"

#define MIDDLE (4 * 4096)

struct maker {
	struct instance *out;
	struct machine *m;
	const struct insn_row *row;
	u8 legacy[4];
	unsigned int nr_legacy;
	u8 rex;
	u8 modrm;
	u8 tail[16]; /* SIB, displacement, immediate */
	unsigned int nr_tail;
	unsigned int op_size, addr_size;
	bool memory;
	bool rip_relative;
	u8 base, index; /* registers that make the address, or INSN_NO_REG */
};

static bool chance(unsigned int one_in)
{
	return !random_below(one_in);
}

static void tail_add(struct maker *k, u64 value, unsigned int len)
{
	memcpy(k->tail + k->nr_tail, &value, len);
	k->nr_tail += len;
}

static bool is_stack(const struct insn_row *row)
{
	return INSN_KIND(row->dst) == INSN_STACK || INSN_KIND(row->src) == INSN_STACK;
}

static bool is_string(const struct insn_row *row)
{
	return row->attr & (INSN_REP | INSN_REPCC);
}

static bool has_v(const struct insn_row *row)
{
	return INSN_SIZE(row->dst) >= INSN_SIZE_V || INSN_SIZE(row->src) >= INSN_SIZE_V;
}

static void choose_prefixes(struct maker *k)
{
	const struct insn_row *row = k->row;
	unsigned int bits = k->m->emu.bits;
	bool opsize = has_v(row) && row->prefix <= INSN_PFX_NOREP &&
		      !(row->attr & (INSN_F64 | INSN_ONLY64)) && chance(3);
	bool wide = bits == 64 && has_v(row) && !insn_is_far(row) && chance(3);
	bool addr = chance(5);

	if (row->prefix == INSN_PFX_66 || opsize)
		k->legacy[k->nr_legacy++] = 0x66;
	if (row->prefix == INSN_PFX_F2 || row->prefix == INSN_PFX_F3)
		k->legacy[k->nr_legacy++] = row->prefix;
	if (is_string(row) && chance(2))
		k->legacy[k->nr_legacy++] = chance(2) ? 0xf2 : 0xf3;
	if (addr)
		k->legacy[k->nr_legacy++] = 0x67;
	if (bits == 64)
		k->rex = wide ? 0x48 : chance(2) ? 0x40 : 0;
	if (bits == 64)
		k->op_size = wide ? 8 : opsize ? 2 : row->attr & (INSN_D64 | INSN_F64) ? 8 : 4;
	else
		k->op_size = (bits == 32) != opsize ? 4 : 2;
	if (bits == 64)
		k->addr_size = addr ? 4 : 8;
	else
		k->addr_size = (bits == 32) != addr ? 4 : 2;
}

/* The operand in memory, as an offset in its segment. */
static u64 target_offset(const struct maker *k)
{
	return k->out->target - (k->m->emu.bits == 64 ? 0 : ARENA);
}

static void set_low(u64 *gpr, u64 value, unsigned int size)
{
	u64 mask = emu_size_mask(size);

	*gpr = (*gpr & ~mask) | (value & mask);
}

static void address16(struct maker *k, u8 mod)
{
	static const u8 base[] = { 3, 3, 5, 5, 6, 7, 5, 3 };
	static const u8 index[] = { 6, 7, 6, 7, 0xff, 0xff, 0xff, 0xff };
	u8 rm = random_below(8);
	u64 *gpr = k->m->emu.gpr;
	u64 disp = mod == 1 ? (u64)(s8)random_u64() : mod == 2 ? random_u64() : 0;

	k->modrm |= mod << 6 | rm;
	if (mod == 0 && rm == 6) {
		tail_add(k, target_offset(k), 2);
		return;
	}
	k->base = base[rm];
	k->index = index[rm];
	set_low(&gpr[k->base], target_offset(k) - disp - (k->index < 16 ? gpr[k->index] : 0), 2);
	if (mod)
		tail_add(k, disp, mod);
}

static void address_sib(struct maker *k, u8 mod, u64 disp)
{
	u8 base = random_below(8), index = random_below(8), scale = random_below(4);
	bool no_base = mod == 0 && base == 5;
	u64 *gpr = k->m->emu.gpr, scaled = 0;

	if (k->m->emu.bits == 64 && k->rex) {
		k->rex |= chance(2) ? 1 : 0;
		k->rex |= chance(2) ? 2 : 0;
	}
	k->base = base | (k->rex & 1 ? 8 : 0);
	k->index = index | (k->rex & 2 ? 8 : 0);
	/* One register as both: not solved for here. */
	if (k->index == k->base && !no_base) {
		index = 4;
		k->rex &= ~2;
		k->index = 4;
	}
	if (k->index == 4)
		k->index = INSN_NO_REG;
	tail_add(k, scale << 6 | index << 3 | base, 1);
	if (k->index != INSN_NO_REG) {
		/* Without a base a displacement of 32 bits has to reach the target. */
		if (no_base)
			gpr[k->index] = random_below(0x1000);
		scaled = gpr[k->index] << scale;
	}
	if (no_base) {
		k->base = INSN_NO_REG;
		tail_add(k, target_offset(k) - scaled, 4);
		return;
	}
	set_low(&gpr[k->base], target_offset(k) - scaled - disp, k->addr_size);
}

static void address32(struct maker *k, u8 mod)
{
	u64 disp = mod == 1 ? (u64)(s8)random_u64() : mod == 2 ? (u64)(s32)random_u64() : 0;
	u8 rm = random_below(8);

	/* Do not send the stack elsewhere. */
	if (is_stack(k->row) && rm == 4)
		rm = 3;
	k->modrm |= mod << 6 | rm;
	if (rm == 4) {
		address_sib(k, mod, disp);
	} else if (mod == 0 && rm == 5) {
		k->rip_relative = k->m->emu.bits == 64;
		tail_add(k, target_offset(k), 4);
		mod = 0;
	} else {
		if (k->rex && chance(2))
			k->rex |= 1;
		k->base = rm | (k->rex & 1 ? 8 : 0);
		set_low(&k->m->emu.gpr[k->base], target_offset(k) - disp, k->addr_size);
	}
	if (mod)
		tail_add(k, disp, mod == 1 ? 1 : 4);
}

static void choose_registers(struct maker *k)
{
	u64 *gpr = k->m->emu.gpr;
	u8 mod = random_below(3);

	if (k->row->ext != INSN_NO_EXT)
		k->modrm = k->row->ext << 3;
	k->memory = true;
	k->out->target = ARENA + MIDDLE + random_below(256) * 16;
	if (!(k->row->attr & INSN_ALIGNED) && k->row->op != INSN_OP_CMPXCHG_PAIR)
		k->out->target += random_below(16);
	if (k->addr_size == 2)
		address16(k, mod);
	else
		address32(k, mod);
	if (k->row->ext == INSN_NO_EXT) {
		unsigned int reg = random_below(INSN_KIND(k->row->src) == INSN_SREG ? 6 : 8);

		if (INSN_KIND(k->row->dst) == INSN_SREG)
			reg = reg < 2 ? reg * 2 : 3 + reg % 3;

		if (k->row->op >= INSN_OP_BT && k->row->op <= INSN_OP_BTC) {
			/* A bit not far from the operand, in a register of its own. */
			while (reg == (k->base & 7) || reg == (k->index & 7))
				reg = random_below(8);
			gpr[reg] = random_below(0x4000) - 0x2000;
		} else if (k->rex && chance(2)) {
			k->rex |= 4;
		}
		k->modrm |= reg << 3;
	}
}

static void choose_string(struct maker *k)
{
	u64 *gpr = k->m->emu.gpr;

	k->memory = true;
	k->out->target = ARENA + MIDDLE + random_below(2048);
	set_low(&gpr[X86_RSI], target_offset(k), k->addr_size);
	set_low(&gpr[X86_RDI], target_offset(k) + random_below(128) - 64, k->addr_size);
	set_low(&gpr[X86_RCX], random_below(4), k->addr_size);
}

static void choose_immediate(struct maker *k)
{
	switch (k->row->imm) {
	case INSN_IMM_B:
	case INSN_IMM_BS:
		tail_add(k, random_u64(), 1);
		break;
	case INSN_IMM_W:
		tail_add(k, random_below(64) * 8, 2);
		break;
	case INSN_IMM_Z:
		tail_add(k, random_u64(), k->op_size == 2 ? 2 : 4);
		break;
	}
}

static void add_byte(struct instance *out, u8 byte)
{
	out->bytes[out->len++] = byte;
}

static void put_together(struct maker *k)
{
	struct instance *out = k->out;
	unsigned int i;

	for (i = 0; i < k->nr_legacy; i++)
		add_byte(out, k->legacy[i]);
	if (k->rex)
		add_byte(out, k->rex);
	if (k->row->map != INSN_MAP_1)
		add_byte(out, 0x0f);
	if (k->row->map == INSN_MAP_0F38)
		add_byte(out, 0x38);
	add_byte(out, k->row->opcode | (k->row->attr & INSN_OPREG8 ? random_below(8) : 0));
	if (k->row->attr & INSN_MODRM)
		add_byte(out, k->modrm);
	if (k->rip_relative) {
		u32 disp = out->target - (k->m->emu.rip + out->len + k->nr_tail);

		memcpy(k->tail, &disp, sizeof(disp));
	}
	memcpy(out->bytes + out->len, k->tail, k->nr_tail);
	out->len += k->nr_tail;
}

/* A segment that can be loaded, where the instruction finds its selector. */
static void choose_selector(struct maker *k)
{
	u16 selector = insn_is_far(k->row) ? TABLE_CODE : TABLE_DATA;
	u64 at = k->out->target;

	if (INSN_KIND(k->row->src) == INSN_STACK)
		at = k->m->emu.gpr[X86_RSP] + (k->m->emu.bits == 64 ? 0 : ARENA);
	if (insn_is_far(k->row))
		at += k->op_size;
	memcpy(arena_at(at), &selector, sizeof(selector));
}

/*
 * Makes an instance for the machine's mode, sets the machine's registers for it, and gives it the
 * machine as code.  False: the row is not for this mode.
 */
bool instance_make(struct instance *instance, struct machine *m, const struct insn_row *row)
{
	struct maker k = {
		.out = instance,
		.m = m,
		.row = row,
		.base = INSN_NO_REG,
		.index = INSN_NO_REG,
	};
	unsigned int i;

	memset(instance, 0, sizeof(*instance));
	if (row->attr & (m->emu.bits == 64 ? INSN_NO64 : INSN_ONLY64))
		return false;
	for (i = 0; i < 16; i++) {
		m->emu.gpr[i] = m->emu.bits == 64 ? random_u64() : (u32)random_u64();
		memset(m->xmm[i], (int)random_u64(), 16);
	}
	set_low(&m->emu.gpr[X86_RSP],
		(m->emu.bits == 64 ? ARENA : 0) + MIDDLE + 0x1000 + random_below(512) * 8,
		m->emu.bits == 64 ? 8 : 4);
	m->emu.rflags = X86_EFLAGS_FIXED | (random_u64() & INSN_FLAGS_ARITH) |
			(chance(2) ? X86_EFLAGS_DF : 0);
	choose_prefixes(&k);
	if (row->attr & INSN_MODRM) {
		choose_registers(&k);
	} else if (is_string(row)) {
		choose_string(&k);
	} else if (INSN_KIND(row->dst) == INSN_MOFFS || INSN_KIND(row->src) == INSN_MOFFS) {
		instance->target = ARENA + MIDDLE + random_below(2048);
		k.memory = true;
		tail_add(&k, target_offset(&k), k.addr_size);
	}
	choose_immediate(&k);
	if (k.memory && row->attr & INSN_LOCK && chance(3))
		k.legacy[k.nr_legacy++] = 0xf0;
	put_together(&k);
	if (is_stack(row) && !instance->target)
		instance->target = ARENA + MIDDLE + 0x1000;
	/* Half of the comparisons shall be equal. */
	if ((row->op == INSN_OP_CMPXCHG || row->op == INSN_OP_CMPXCHG_PAIR) && chance(2)) {
		unsigned int half = row->op == INSN_OP_CMPXCHG ? 8 : k.op_size == 8 ? 8 : 4;

		memcpy(arena_at(instance->target), &m->emu.gpr[X86_RAX], half);
		if (row->op == INSN_OP_CMPXCHG_PAIR)
			memcpy(arena_at(instance->target + half), &m->emu.gpr[X86_RDX], half);
	}
	if (insn_loads_segment(row) || insn_is_far(row))
		choose_selector(&k);
	machine_set_code(m, instance->bytes, instance->len);
	return true;
}
