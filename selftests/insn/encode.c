// SPDX-License-Identifier: GPL-2.0-only
/*
 * Bytes: given a linear address that an instruction is to reach, a random form of addressing whose
 * registers and displacement come out there.
 */
#include "encode.h"

#include <string.h>

static uint64_t address_mask(const struct code *c)
{
	return c->addr_size == 8 ? ~0ULL : (1ULL << 8 * c->addr_size) - 1;
}

static int64_t sign_extend(uint64_t value, unsigned int bytes)
{
	unsigned int shift = 64 - 8 * bytes;

	return (int64_t)(value << shift) >> shift;
}

static bool fits(const struct code *c, uint64_t value, unsigned int bytes)
{
	return (((uint64_t)sign_extend(value, bytes) ^ value) & address_mask(c)) == 0;
}

/* The offset in the segment, if there is one that is short enough. */
bool encode_ea(struct code *c, int seg, uint64_t linear)
{
	uint64_t ea = linear - segment_base(c->in->mode, seg);

	if (c->bits != 64)
		ea &= 0xffffffff;
	if (ea & ~address_mask(c))
		return false;
	c->seg = seg;
	c->ea = ea;
	return true;
}

static bool place(struct code *c, uint64_t linear, bool stack)
{
	return encode_ea(c, c->override >= 0 ? c->override : stack ? SS : DS, linear);
}

static bool is_fixed(const struct code *c, unsigned int reg)
{
	return c->fixed >> reg & 1;
}

/* Only so much of the register as an address uses. */
static void set_address_reg(struct code *c, unsigned int reg, uint64_t value)
{
	uint64_t mask = address_mask(c);
	uint64_t *gpr = &c->in->gpr[reg];

	*gpr = (*gpr & ~mask) | (value & mask);
}

static void choose_disp(struct code *c, bool may_be_none)
{
	unsigned int wide = c->addr_size == 2 ? 2 : 4;

	c->mod = may_be_none ? random_below(3) : 1 + random_below(2);
	c->disp_len = c->mod == 0 ? 0 : c->mod == 1 ? 1 : wide;
	c->disp = c->disp_len ? sign_extend(random_u64(), c->disp_len) : 0;
}

static bool memory16(struct code *c, uint64_t linear)
{
	static const uint8_t bases[] = { RBX, RBX, RBP, RBP, RSI, RDI, RBP, RBX };
	static const int8_t indices[] = { RSI, RDI, RSI, RDI, -1, -1, -1, -1 };
	unsigned int base;
	uint64_t rest;

	c->rm = random_below(8);
	base = bases[c->rm];
	choose_disp(c, true);
	if (c->mod == 0 && c->rm == 6) {
		c->disp_len = 2;
		if (!place(c, linear, false))
			return false;
		c->disp = c->ea;
		return true;
	}
	if (!place(c, linear, base == RBP))
		return false;
	rest = c->ea - c->disp;
	if (indices[c->rm] >= 0)
		rest -= c->in->gpr[indices[c->rm]];
	if (is_fixed(c, base))
		return ((rest ^ c->in->gpr[base]) & 0xffff) == 0;
	set_address_reg(c, base, rest);
	return true;
}

/* A displacement alone, counted from 0 or from the next instruction. */
static bool memory_absolute(struct code *c, uint64_t linear)
{
	if (!place(c, linear, false))
		return false;
	c->mod = 0;
	c->disp_len = 4;
	if (c->bits == 64 && random_below(2)) {
		c->rm = 5;
		c->rip_relative = true;
		c->rip_target = c->ea;
		return true;
	}
	c->rm = 5;
	c->disp = c->ea;
	if (c->bits == 64) {
		c->rm = 4;
		c->has_sib = true;
		c->base = 5;
		c->index = 4;
		c->scale = random_below(4);
	}
	return fits(c, c->disp, 4);
}

static bool memory_base(struct code *c, uint64_t linear)
{
	unsigned int base = random_below(c->bits == 64 ? 16 : 8);

	if (is_fixed(c, base))
		return false;
	c->rm = base;
	c->has_sib = (base & 7) == RSP;
	if (c->has_sib) {
		c->base = base;
		c->index = 4;
		c->scale = random_below(4);
	}
	choose_disp(c, (base & 7) != RBP);
	if (!place(c, linear, base == RSP || base == RBP))
		return false;
	set_address_reg(c, base, c->ea - c->disp);
	return true;
}

static bool memory_base_index(struct code *c, uint64_t linear)
{
	unsigned int nr = c->bits == 64 ? 16 : 8;

	c->has_sib = true;
	c->rm = 4;
	c->base = random_below(nr);
	c->index = random_below(nr);
	c->scale = random_below(4);
	if (c->index == RSP || c->base == c->index || is_fixed(c, c->base))
		return false;
	choose_disp(c, (c->base & 7) != RBP);
	if (!place(c, linear, c->base == RSP || c->base == RBP))
		return false;
	set_address_reg(c, c->base, c->ea - c->disp - (c->in->gpr[c->index] << c->scale));
	return true;
}

static bool memory_index(struct code *c, uint64_t linear)
{
	uint64_t index;

	c->has_sib = true;
	c->mod = 0;
	c->rm = 4;
	c->base = 5;
	c->index = random_below(c->bits == 64 ? 16 : 8);
	c->scale = random_below(4);
	if (c->index == RSP || is_fixed(c, c->index) || !place(c, linear, false))
		return false;
	c->disp_len = 4;
	c->disp = sign_extend(random_u64(), 4);
	index = (int64_t)(c->ea - c->disp) >> c->scale;
	set_address_reg(c, c->index, index);
	c->disp = c->ea - (index << c->scale);
	return fits(c, c->disp, 4);
}

/* The stack pointer as base of an instruction that moves it: POP counts from where it goes. */
static bool memory_stack(struct code *c, uint64_t linear)
{
	uint64_t rsp = c->in->gpr[RSP];

	if (c->in->row->op == INSN_OP_POP)
		rsp += c->in->size;
	c->has_sib = true;
	c->rm = 4;
	c->mod = 2;
	c->base = RSP;
	c->index = 4;
	c->scale = random_below(4);
	c->disp_len = 4;
	if (!place(c, linear, true))
		return false;
	c->disp = c->ea - rsp;
	return fits(c, c->disp, 4);
}

/* Makes ModRM and what belongs to it; false if the form that was drawn does not reach there. */
bool encode_memory(struct code *c, uint64_t linear)
{
	if (c->addr_size == 2)
		return memory16(c, linear);
	if (is_fixed(c, RSP) && random_below(4) == 0)
		return memory_stack(c, linear);
	switch (random_below(8)) {
	case 0:
	case 1:
		return memory_absolute(c, linear);
	case 2:
	case 3:
	case 4:
		return memory_base(c, linear);
	case 5:
	case 6:
		return memory_base_index(c, linear);
	default:
		return memory_index(c, linear);
	}
}

static void put(struct instance *in, uint64_t value, unsigned int bytes)
{
	for (; bytes; bytes--, value >>= 8) {
		if (in->len < sizeof(in->bytes))
			in->bytes[in->len] = value;
		in->len++;
	}
}

static void put_prefixes(struct code *c)
{
	static const uint8_t segments[NR_SEGS] = { 0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65 };
	enum try_prefix prefix = c->in->prefix;
	uint8_t list[5];
	unsigned int nr = 0, i;

	if (c->opsize_prefix)
		list[nr++] = 0x66;
	if (prefix == PREFIX_ADDR)
		list[nr++] = 0x67;
	if (prefix == PREFIX_LOCK)
		list[nr++] = 0xf0;
	if (prefix >= PREFIX_ES && prefix <= PREFIX_GS)
		list[nr++] = segments[prefix - PREFIX_ES];
	if (c->repeat)
		list[nr++] = c->repeat;
	while (nr) {
		i = random_below(nr);
		put(c->in, list[i], 1);
		list[i] = list[--nr];
	}
}

static uint8_t rex_byte(const struct code *c)
{
	uint8_t base = c->has_sib ? c->base : c->rm;

	return c->rex_w << 3 | (c->reg >> 3) << 2 | (c->has_sib ? c->index >> 3 : 0) << 1 |
	       (base >> 3 | c->opreg >> 3);
}

static void put_opcode(struct code *c)
{
	const struct insn_row *row = c->in->row;
	uint8_t rex = rex_byte(c);

	if (c->bits == 64 && (rex || c->rex_any))
		put(c->in, 0x40 | rex, 1);
	if (row->map != INSN_MAP_1)
		put(c->in, 0x0f, 1);
	if (row->map == INSN_MAP_0F38)
		put(c->in, 0x38, 1);
	put(c->in, row->opcode + (c->opreg & 7), 1);
}

/* Puts the parts together; false if they are too long, or do not reach. */
bool encode_finish(struct code *c)
{
	struct instance *in = c->in;
	uint64_t end;

	in->len = 0;
	put_prefixes(c);
	put_opcode(c);
	in->modrm_at = in->len;
	if (in->row->attr & INSN_MODRM)
		put(in, c->mod << 6 | (c->reg & 7) << 3 | (c->rm & 7), 1);
	if (c->has_sib)
		put(in, c->scale << 6 | (c->index & 7) << 3 | (c->base & 7), 1);
	end = INSN_AT + in->len + c->disp_len + c->imm_len;
	if (c->rip_relative) {
		c->disp = c->rip_target - end;
		if (!fits(c, c->disp, 4))
			return false;
	}
	if (c->imm_is_jump)
		c->imm = CODE_PAD - end;
	put(in, c->disp, c->disp_len);
	put(in, c->imm, c->imm_len);
	return in->len <= sizeof(in->bytes);
}
