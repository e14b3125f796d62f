// SPDX-License-Identifier: GPL-2.0-only
/*
 * Chooses what an instance leaves open: where its operands are, what is in them, what the
 * registers hold.  An operand of an instance with a fault reaches some bytes too far; the others,
 * and those of an instance without, are where they do no harm, at least one of them in the window.
 */
#include "encode.h"

#include <string.h>

#define FLAGS_ARITH  0x8d5
#define FLAG_DF	     0x400
#define FLAGS_ALWAYS (0x2 | 0x200 | 0x3000) /* interrupts enabled, IOPL 3 */

#define BIT_OPS(row) ((row)->op >= INSN_OP_BT && (row)->op <= INSN_OP_BTC)

static bool is_jump(const struct insn_row *row)
{
	return row->op == INSN_OP_CALL || row->op == INSN_OP_JMP || row->op == INSN_OP_RET;
}

/* Mostly values at which arithmetic turns. */
static uint64_t random_value(void)
{
	static const uint64_t edges[] = {
		0,
		1,
		~0ULL,
		0x80,
		0x7f,
		0x8000,
		0x7fff,
		0x80000000,
		0x7fffffff,
		0x8000000000000000,
		0x7fffffffffffffff,
		0xff,
		0xffff,
		0xffffffff,
		0x8080808080808080,
	};
	unsigned int i = random_below(2 * sizeof(edges) / sizeof(edges[0]));

	return i < sizeof(edges) / sizeof(edges[0]) ? edges[i] : random_u64();
}

static uint64_t mode_mask(enum try_mode mode)
{
	return mode == IN_LONG ? ~0ULL : 0xffffffff;
}

static void choose_registers(struct instance *in)
{
	unsigned int i;

	for (i = 0; i < 16; i++)
		in->gpr[i] =
			i < 8 || in->mode == IN_LONG ? random_value() & mode_mask(in->mode) : 0;
	/* A stack, should something go wrong. */
	in->gpr[RSP] = (RAM_BELOW + 0x800 - segment_base(in->mode, SS)) & mode_mask(in->mode);
	in->rflags = FLAGS_ALWAYS | (random_u64() & FLAGS_ARITH);
	if (random_below(3) == 0)
		in->rflags |= FLAG_DF;
}

/* Some bytes on each side, if there are several. */
static uint64_t near_edge(uint64_t edge, unsigned int bytes)
{
	return bytes > 1 ? edge - 1 - random_below(bytes - 1) : edge;
}

/* In the window, or with some bytes in it. */
static uint64_t window_target(const struct instance *in, unsigned int bytes)
{
	uint64_t at = WINDOW + 0x80 + random_below(0x1f00);

	if (in->row->attr & INSN_ALIGNED || bytes == 16)
		return at & ~15ULL;
	switch (random_below(8)) {
	case 0:
		return near_edge(WINDOW, bytes);
	case 1:
		return near_edge(WINDOW + 0x1000, bytes);
	case 2:
		return bytes > 1 ? near_edge(WINDOW_END, bytes) : WINDOW_END - 1;
	case 3:
	case 4:
		return at;
	default:
		return at & -(uint64_t)bytes;
	}
}

static uint64_t ram_target(void)
{
	return RAM_BELOW + 0x800 + (random_below(0x600) & ~15U);
}

/*
 * Where an operand begins so that it goes too far, or 0.  Of @bytes at least one is too many.
 */
static uint64_t fault_target(struct instance *in, unsigned int bytes, bool written)
{
	unsigned int good = random_below(bytes);

	/* There are no pages. */
	if (in->mode == IN_REAL && in->fault != FAULT_LIMIT)
		return 0;
	switch (in->fault) {
	case FAULT_SELECTOR:
		return row_has_selector(in->row) && !written && in->mode != IN_REAL
			       ? window_target(in, bytes)
			       : 0;
	case FAULT_ABSENT:
		return BEFORE_ABSENT + 0x1000 - good;
	case FAULT_READONLY:
		return written ? BEFORE_READONLY + 0x1000 - good : 0;
	case FAULT_SUPERVISOR:
		return in->user ? BEFORE_SUPERVISOR + 0x1000 - good : 0;
	case FAULT_PAGE:
		if (!written && !in->user)
			return 0;
		return (written ? PAGE_READONLY : PAGE_SUPERVISOR) + 0x100 + random_below(0x800);
	case FAULT_CANONICAL:
		return in->mode == IN_LONG ? BEFORE_HOLE + 0x1000 - good : 0;
	case FAULT_LIMIT:
		/* Aligned, for which of two faults comes first is another question. */
		return in->mode != IN_LONG ? WINDOW + 0x100 + 16 * random_below(0x100) : 0;
	case FAULT_ALIGN:
		return in->row->attr & INSN_ALIGNED || bytes == 16
			       ? WINDOW + 0x101 + 16 * random_below(0x80) + random_below(15)
			       : 0;
	default:
		return 0;
	}
}

/*
 * The last operand that was placed is to lie across its segment's end.  In real mode a handler has
 * the limit of the code that it interrupts: false.
 */
static bool choose_limit(struct code *c, unsigned int bytes)
{
	if (c->in->mode == IN_REAL && c->seg == CS)
		return false;
	c->in->limit_seg = c->seg;
	c->in->limit = c->ea + random_below(bytes) - 1;
	return true;
}

static void fill(uint8_t *bytes, uint64_t value, unsigned int width)
{
	unsigned int i;

	for (i = 0; i < 16; i += width)
		memcpy(bytes + i, &value, width);
}

/* The selector of a segment that can be loaded, or of any; before it a far pointer's offset. */
static bool choose_selector(struct code *c, uint64_t at)
{
	struct instance *in = c->in;
	struct overlay *overlay = &in->overlays[in->nr_overlays];
	bool far = insn_is_far(in->row);
	unsigned int offset = far ? in->size : 0;
	int seg = far					 ? CS
		  : INSN_KIND(in->row->dst) == INSN_SREG ? c->reg
							 : in->row->opcode >> 3 & 7;
	uint16_t selector;

	if (!descriptor_choose(in, seg, &selector))
		return false;
	if (at < RAM_BELOW || at + 16 > RAM_ABOVE + 0x1000)
		return in->fault != FAULT_SELECTOR;
	overlay->at = at;
	fill(overlay->bytes, random_u64(), 8);
	memcpy(overlay->bytes, &in->pad, offset);
	memcpy(overlay->bytes + offset, &selector, sizeof(selector));
	in->nr_overlays++;
	return true;
}

/* What memory holds at an operand, where that matters or is worth a try. */
static void choose_contents(struct instance *in, uint64_t at, unsigned int bytes)
{
	struct overlay *overlay = &in->overlays[in->nr_overlays];
	unsigned int width = bytes > 8 ? 8 : bytes;
	uint64_t pair[2] = { in->gpr[RAX], in->gpr[RDX] };

	if (at < RAM_BELOW || at + 16 > RAM_ABOVE + 0x1000)
		return;
	overlay->at = at;
	if (INSN_SIZE(in->row->dst) == INSN_SIZE_S) {
		/* The upper half of four bytes may be written, with zeroes, or not. */
		memset(overlay->bytes, 0, sizeof(overlay->bytes));
	} else if (is_jump(in->row)) {
		fill(overlay->bytes, in->pad, width);
	} else if (in->row->op == INSN_OP_CMPXCHG_PAIR && random_below(2)) {
		memcpy(overlay->bytes, &pair[0], bytes / 2);
		memcpy(overlay->bytes + bytes / 2, &pair[1], bytes / 2);
	} else if (random_below(2) && (in->row->op == INSN_OP_CMPXCHG || row_is_string(in->row))) {
		fill(overlay->bytes, in->gpr[RAX], width);
	} else if (random_below(4)) {
		fill(overlay->bytes, random_value(), width);
	} else {
		return;
	}
	in->nr_overlays++;
}

/* How an operand is reached by one of the registers that are meant for it. */
static bool place_string(struct code *c, uint8_t operand, uint64_t target, unsigned int bytes)
{
	struct instance *in = c->in;
	bool source = INSN_KIND(operand) == INSN_SI;
	unsigned int reg = source ? RSI : RDI;
	unsigned int before = 0;
	int64_t step = in->rflags & FLAG_DF ? -(int64_t)bytes : bytes;
	uint64_t mask = c->addr_size == 8 ? ~0ULL : (1ULL << 8 * c->addr_size) - 1;

	/* Of repeated ones, one in the middle. */
	if (c->repeat && in->fault != FAULT_LIMIT && (in->gpr[RCX] & 7))
		before = random_below(in->gpr[RCX] & 7);
	target -= before * step;
	if (!encode_ea(c, source ? (c->override >= 0 ? c->override : DS) : ES, target))
		return false;
	in->gpr[reg] = (in->gpr[reg] & ~mask) | c->ea;
	return true;
}

static bool place_stack(struct code *c, bool push, uint64_t target)
{
	if (!encode_ea(c, SS, target))
		return false;
	/* What is pushed may be narrower than what the stack pointer moves by. */
	c->in->gpr[RSP] = c->ea + (push ? c->in->size : 0);
	c->fixed |= 1 << RSP;
	return true;
}

static bool place_offset(struct code *c, uint64_t target)
{
	if (!encode_ea(c, c->override >= 0 ? c->override : DS, target))
		return false;
	c->disp = c->ea;
	c->disp_len = c->addr_size;
	return true;
}

/* A bit's number in a register moves the operand by whole words. */
static uint64_t bit_offset(struct code *c, unsigned int bytes)
{
	struct instance *in = c->in;
	int64_t bit = (int64_t)random_below(1024) - 512;
	uint64_t mask = bytes == 8 ? ~0ULL : (1ULL << 8 * bytes) - 1;

	in->gpr[c->reg] = (in->gpr[c->reg] & ~mask) | (bit & mask);
	c->fixed |= 1 << c->reg;
	return (bit >> (bytes == 8 ? 6 : bytes == 4 ? 5 : 4)) * (int64_t)bytes;
}

static bool place_modrm(struct code *c, uint64_t target, unsigned int bytes)
{
	uint64_t offset = 0;

	if (BIT_OPS(c->in->row) && INSN_KIND(c->in->row->src) == INSN_REG && c->fixed >> c->reg & 1)
		return false;
	if (BIT_OPS(c->in->row) && INSN_KIND(c->in->row->src) == INSN_REG)
		offset = bit_offset(c, bytes);
	if (!encode_memory(c, target - offset))
		return false;
	c->ea += offset;
	return true;
}

static bool place_operand(struct code *c, uint8_t operand, bool written, bool faults, bool in_ram)
{
	struct instance *in = c->in;
	unsigned int bytes = operand_bytes(in, operand);
	uint64_t target = in_ram ? ram_target() : window_target(in, bytes);
	bool ok;

	if (faults)
		target = fault_target(in, bytes, written);
	if (!target)
		return false;
	switch (INSN_KIND(operand)) {
	case INSN_SI:
	case INSN_DI:
		ok = place_string(c, operand, target, bytes);
		break;
	case INSN_STACK:
		ok = place_stack(c, written, target);
		break;
	case INSN_MOFFS:
		ok = place_offset(c, target);
		break;
	default:
		ok = place_modrm(c, target, bytes);
		break;
	}
	if (ok && faults && in->fault == FAULT_LIMIT && !choose_limit(c, bytes))
		return false;
	if (ok && row_has_selector(in->row) && !written)
		return choose_selector(c, target);
	if (ok)
		choose_contents(in, target, bytes);
	return ok;
}

/* The operands in memory; those by ModRM last, when all other registers are settled. */
static bool place_operands(struct code *c)
{
	const struct insn_row *row = c->in->row;
	uint8_t operand[2] = { row->dst, row->src };
	bool written[2] = { row->attr & INSN_DST_W, row->attr & INSN_SRC_W };
	bool memory[2] = { operand_is_memory(row->dst), operand_is_memory(row->src) };
	unsigned int first, i, which = memory[0] && memory[1] ? random_below(2) : memory[1];
	bool fault = c->in->fault != FAULT_NONE;

	/* E and G: only the one by ModRM.rm is memory, and a row has one such. */
	first = INSN_KIND(operand[0]) == INSN_RM || INSN_KIND(operand[0]) == INSN_MEM;
	for (i = first; i < first + 2; i++) {
		unsigned int n = i % 2;
		bool other = n != which;

		if (!memory[n])
			continue;
		if (!place_operand(c, operand[n], written[n], fault && !other,
				   other && !fault && random_below(2)))
			return false;
	}
	return true;
}

static void choose_opcode(struct code *c)
{
	const struct insn_row *row = c->in->row;
	unsigned int nr = c->bits == 64 ? 16 : 8;

	if (row->ext != INSN_NO_EXT)
		c->reg = row->ext;
	else if (INSN_KIND(row->src) == INSN_SREG)
		c->reg = random_below(6);
	else if (INSN_KIND(row->dst) == INSN_SREG)
		c->reg = (CS + 1 + random_below(5)) % 6;
	else if (row->attr & INSN_MODRM)
		c->reg = random_below(nr);
	if (row->attr & INSN_OPREG8)
		c->opreg = random_below(nr);
	if (INSN_KIND(row->dst) == INSN_XMM || INSN_KIND(row->src) == INSN_XMM)
		c->in->xmm = c->reg;
}

static void choose_prefixes(struct code *c)
{
	struct instance *in = c->in;
	const struct insn_row *row = in->row;
	bool flip = in->prefix == PREFIX_ADDR;

	c->addr_size = c->bits == 64 ? (flip ? 4 : 8) : (c->bits == 32) != flip ? 4 : 2;
	c->override = -1;
	if (in->prefix >= PREFIX_ES && in->prefix <= PREFIX_GS)
		c->override = in->prefix - PREFIX_ES;
	if (c->bits == 64 && c->override < FS)
		c->override = -1;
	if (in->prefix == PREFIX_REP)
		c->repeat = 0xf3;
	if (in->prefix == PREFIX_REPNE)
		c->repeat = 0xf2;
	if (row->prefix == INSN_PFX_F2 || row->prefix == INSN_PFX_F3)
		c->repeat = row->prefix;
	c->rex_any = random_below(4) == 0;
	if (row->prefix == INSN_PFX_66 || row->prefix == INSN_PFX_NONE) {
		c->opsize_prefix = row->prefix == INSN_PFX_66;
		c->rex_w = in->size == 8;
	} else if (in->size == 0) {
		/* Without a meaning there. */
		c->opsize_prefix = row->prefix == INSN_PFX_ANY && random_below(4) == 0;
		c->rex_w = c->bits == 64 &&
			   random_below(INSN_KIND(row->src) == INSN_SREG ? 2 : 4) == 0;
	} else {
		c->opsize_prefix = in->size == (c->bits == 16 ? 4 : 2);
		c->rex_w =
			in->size == 8 && (!(row->attr & (INSN_D64 | INSN_F64)) || random_below(2));
	}
}

static void choose_immediate(struct code *c)
{
	static const uint8_t lengths[] = { 0, 1, 1, 2, 4 };
	const struct insn_row *row = c->in->row;

	c->imm_len = lengths[row->imm];
	if (row->imm == INSN_IMM_Z && c->in->size == 2)
		c->imm_len = 2;
	c->imm = random_value();
	/* RET: QEMU 7.2 takes it for a signed number. */
	if (row->imm == INSN_IMM_W)
		c->imm &= 0x7fff;
	c->imm_is_jump = row->op == INSN_OP_CALL_REL;
}

/* Registers that the instruction itself gives a meaning to. */
static void settle_registers(struct code *c)
{
	struct instance *in = c->in;
	const struct insn_row *row = in->row;
	uint64_t mask = c->addr_size == 8 ? ~0ULL : (1ULL << 8 * c->addr_size) - 1;

	if (c->repeat && row_is_string(row))
		in->gpr[RCX] = (in->gpr[RCX] & ~mask) |
			       (in->fault ? 1 + random_below(4) : random_below(5));
	if (c->repeat && in->fault == FAULT_LIMIT)
		in->gpr[RCX] = (in->gpr[RCX] & ~mask) | 1;
	if (INSN_KIND(row->dst) == INSN_PORT || INSN_KIND(row->src) == INSN_PORT)
		in->gpr[RDX] = (in->gpr[RDX] & ~0xffffULL) | INSTANCE_PORT;
	/* The exception comes to this stack. */
	if (in->fault != FAULT_NONE && !in->user && in->mode != IN_LONG)
		c->fixed |= 1 << RSP;
	if (row->op == INSN_OP_CMPXCHG)
		c->fixed |= 1 << RAX;
	if (row->op == INSN_OP_CMPXCHG_PAIR)
		c->fixed |= 1 << RAX | 1 << RBX | 1 << RCX | 1 << RDX;
}

/* row, mode, size, prefix, fault and user are given.  False: no such instance was found. */
bool instance_make(struct instance *in)
{
	unsigned int tries;

	for (tries = 0; tries < 200; tries++) {
		struct code c = { .in = in, .bits = mode_bits(in->mode) };

		in->xmm = -1;
		in->limit_seg = -1;
		in->nr_overlays = 0;
		in->pad = CODE_PAD - segment_base(in->mode, CS);
		choose_registers(in);
		choose_prefixes(&c);
		choose_opcode(&c);
		choose_immediate(&c);
		settle_registers(&c);
		if (place_operands(&c) && encode_finish(&c))
			return true;
	}
	return false;
}
