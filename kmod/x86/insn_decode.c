// SPDX-License-Identifier: GPL-2.0-only
/*
 * The decoder: from bytes to a row of the table and its operands.
 *
 * The bytes are the guest's and may be anything: each one is asked for before it is used, and
 * whatever the table does not have is unknown.  Compiled in user space, too.
 */
#include <linux/kernel.h>
#include <linux/string.h>
#include "x86/insn.h"

#define REX_W 8
#define REX_R 4
#define REX_X 2
#define REX_B 1

#define MOD(modrm) ((modrm) >> 6)
#define REG(modrm) ((modrm) >> 3 & 7)
#define RM(modrm)  ((modrm)&7)

/* Where the decoder stands; @verdict is the first thing that went wrong. */
struct insn_cursor {
	struct x86_insn *insn;
	unsigned int pos;
	bool addr_prefix;
	enum insn_verdict verdict;
};

/* The next @nr bytes as a number; 0 if they are not there. */
static u64 next_bytes(struct insn_cursor *cur, unsigned int nr)
{
	u64 value = 0;

	if (cur->verdict)
		return 0;
	if (cur->pos + nr > cur->insn->nr_bytes) {
		cur->verdict = cur->pos + nr > INSN_MAX_LEN ? INSN_LONG : INSN_SHORT;
		return 0;
	}
	memcpy(&value, cur->insn->bytes + cur->pos, nr);
	cur->pos += nr;
	return value;
}

static s64 next_signed(struct insn_cursor *cur, unsigned int nr)
{
	unsigned int shift = 64 - 8 * nr;

	return (s64)(next_bytes(cur, nr) << shift) >> shift;
}

/* In 64-bit mode the first four are ignored. */
static void segment_prefix(struct insn_cursor *cur, u8 seg)
{
	if (cur->insn->bits != 64 || seg >= X86_FS)
		cur->insn->seg = seg;
}

static bool take_prefix(struct insn_cursor *cur, u8 byte)
{
	struct x86_insn *insn = cur->insn;

	switch (byte) {
	case 0x26:
		segment_prefix(cur, X86_ES);
		return true;
	case 0x2e:
		segment_prefix(cur, X86_CS);
		return true;
	case 0x36:
		segment_prefix(cur, X86_SS);
		return true;
	case 0x3e:
		segment_prefix(cur, X86_DS);
		return true;
	case 0x64:
		segment_prefix(cur, X86_FS);
		return true;
	case 0x65:
		segment_prefix(cur, X86_GS);
		return true;
	case 0x66:
		insn->opsize_prefix = true;
		return true;
	case 0x67:
		cur->addr_prefix = true;
		return true;
	case 0xf0:
		insn->lock = true;
		return true;
	case 0xf2:
	case 0xf3:
		insn->rep = byte;
		return true;
	default:
		return false;
	}
}

/* Takes the prefixes; the first byte that is none.  REX counts only right before the opcode. */
static u8 skip_prefixes(struct insn_cursor *cur)
{
	struct x86_insn *insn = cur->insn;

	while (!cur->verdict) {
		u8 byte = next_bytes(cur, 1);

		if (take_prefix(cur, byte))
			insn->rex = 0;
		else if (insn->bits == 64 && (byte & 0xf0) == 0x40)
			insn->rex = byte;
		else
			return byte;
	}
	return 0;
}

/* The opcode: one of three maps. */
static enum insn_map take_opcode(struct insn_cursor *cur)
{
	u8 *opcode = cur->insn->opcode;

	opcode[0] = skip_prefixes(cur);
	if (opcode[0] != 0x0f)
		return INSN_MAP_1;
	opcode[1] = next_bytes(cur, 1);
	if (opcode[1] != 0x38)
		return INSN_MAP_0F;
	opcode[2] = next_bytes(cur, 1);
	return INSN_MAP_0F38;
}

static unsigned int row_key(enum insn_map map, u8 opcode)
{
	return map << 8 | opcode;
}

/* The first row for an opcode, or NULL. */
static const struct insn_row *find_rows(enum insn_map map, u8 opcode)
{
	unsigned int lo = 0, hi = insn_nr_rows, key = row_key(map, opcode);

	while (lo < hi) {
		unsigned int mid = lo + (hi - lo) / 2;

		if (row_key(insn_rows[mid].map, insn_rows[mid].opcode) < key)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo == insn_nr_rows || row_key(insn_rows[lo].map, insn_rows[lo].opcode) != key)
		return NULL;
	return &insn_rows[lo];
}

static const struct insn_row *find_opcode(struct x86_insn *insn, enum insn_map map)
{
	u8 opcode = insn->opcode[map];
	const struct insn_row *row = find_rows(map, opcode);

	if (!row) {
		row = find_rows(map, opcode & ~7);
		if (!row || !(row->attr & INSN_OPREG8))
			return NULL;
	}
	if (row->attr & INSN_OPREG8)
		insn->rm = (opcode & 7) | (insn->rex & REX_B ? 8 : 0);
	return row;
}

static bool prefix_fits(const struct x86_insn *insn, u8 prefix)
{
	switch (prefix) {
	case INSN_PFX_ANY:
		return true;
	case INSN_PFX_NOREP:
		return !insn->rep;
	case INSN_PFX_NONE:
		return !insn->rep && !insn->opsize_prefix;
	case INSN_PFX_66:
		return !insn->rep && insn->opsize_prefix;
	default:
		return insn->rep == prefix;
	}
}

/* Of the rows of one opcode, the one that ModRM and the prefixes name. */
static const struct insn_row *choose_row(const struct x86_insn *insn, const struct insn_row *row)
{
	const struct insn_row *end = insn_rows + insn_nr_rows;
	unsigned int key = row_key(row->map, row->opcode);

	for (; row < end && row_key(row->map, row->opcode) == key; row++)
		if ((row->ext == INSN_NO_EXT || row->ext == REG(insn->modrm)) &&
		    prefix_fits(insn, row->prefix))
			return row;
	return NULL;
}

static void take_address16(struct insn_cursor *cur)
{
	static const u8 base[] = { X86_RBX, X86_RBX, X86_RBP, X86_RBP,
				   X86_RSI, X86_RDI, X86_RBP, X86_RBX };
	static const u8 index[] = { X86_RSI,	 X86_RDI,     X86_RSI,	   X86_RDI,
				    INSN_NO_REG, INSN_NO_REG, INSN_NO_REG, INSN_NO_REG };
	struct x86_insn *insn = cur->insn;
	u8 mod = MOD(insn->modrm), rm = RM(insn->modrm);

	insn->base = base[rm];
	insn->index = index[rm];
	if (mod == 0 && rm == 6) {
		insn->base = INSN_NO_REG;
		mod = 2;
	}
	if (mod)
		insn->disp = next_signed(cur, mod == 1 ? 1 : 2);
}

static void take_sib(struct insn_cursor *cur)
{
	struct x86_insn *insn = cur->insn;
	u8 sib = next_bytes(cur, 1);

	insn->base = (sib & 7) | (insn->rex & REX_B ? 8 : 0);
	insn->index = (sib >> 3 & 7) | (insn->rex & REX_X ? 8 : 0);
	insn->scale = sib >> 6;
	if (insn->index == X86_RSP)
		insn->index = INSN_NO_REG;
	if ((sib & 7) == 5 && MOD(insn->modrm) == 0) {
		insn->base = INSN_NO_REG;
		insn->disp = next_signed(cur, 4);
	}
}

static void take_address(struct insn_cursor *cur)
{
	struct x86_insn *insn = cur->insn;
	u8 mod = MOD(insn->modrm), rm = RM(insn->modrm);

	if (rm == 4) {
		take_sib(cur);
	} else if (mod == 0 && rm == 5) {
		insn->rip_relative = insn->bits == 64;
		insn->disp = next_signed(cur, 4);
	} else {
		insn->base = insn->rm;
	}
	if (mod)
		insn->disp = next_signed(cur, mod == 1 ? 1 : 4);
}

static void take_sizes(struct insn_cursor *cur, const struct insn_row *row)
{
	struct x86_insn *insn = cur->insn;

	switch (insn->bits) {
	case 64:
		insn->addr_size = cur->addr_prefix ? 4 : 8;
		if (insn->rex & REX_W)
			insn->op_size = 8;
		else if (insn->opsize_prefix)
			insn->op_size = 2;
		else
			insn->op_size = row->attr & (INSN_D64 | INSN_F64) ? 8 : 4;
		break;
	case 32:
		insn->addr_size = cur->addr_prefix ? 2 : 4;
		insn->op_size = insn->opsize_prefix ? 2 : 4;
		break;
	default:
		insn->addr_size = cur->addr_prefix ? 4 : 2;
		insn->op_size = insn->opsize_prefix ? 4 : 2;
	}
	/* Where prefix 66 means nothing, 16-bit code does neither: MOVNTI. */
	if (row->prefix == INSN_PFX_NONE && insn->op_size == 2)
		insn->op_size = 4;
}

/* What follows the opcode in the instruction that @row describes, but for immediates. */
static void take_operands(struct insn_cursor *cur, const struct insn_row *row)
{
	struct x86_insn *insn = cur->insn;

	insn->base = INSN_NO_REG;
	insn->index = INSN_NO_REG;
	if (row->attr & INSN_MODRM && !(row->attr & INSN_REGS_ONLY) && MOD(insn->modrm) != 3) {
		insn->is_mem = true;
		if (insn->addr_size == 2)
			take_address16(cur);
		else
			take_address(cur);
	}
	if (INSN_KIND(row->dst) == INSN_MOFFS || INSN_KIND(row->src) == INSN_MOFFS) {
		insn->is_mem = true;
		insn->disp = next_bytes(cur, insn->addr_size);
	}
}

static void take_immediate(struct insn_cursor *cur, const struct insn_row *row)
{
	struct x86_insn *insn = cur->insn;

	switch (row->imm) {
	case INSN_IMM_B:
		insn->imm = next_bytes(cur, 1);
		break;
	case INSN_IMM_BS:
		insn->imm = next_signed(cur, 1);
		break;
	case INSN_IMM_W:
		insn->imm = next_bytes(cur, 2);
		break;
	case INSN_IMM_Z:
		insn->imm = next_signed(cur, insn->op_size == 2 ? 2 : 4);
		break;
	}
}

/* Is there such an instruction, in this form and mode? */
static enum insn_verdict check_form(const struct x86_insn *insn)
{
	const struct insn_row *row = insn->row;
	bool mem_dst =
		insn->is_mem && (INSN_KIND(row->dst) == INSN_RM || INSN_KIND(row->dst) == INSN_MEM);

	if (insn->bits == 64 ? row->attr & INSN_NO64 : row->attr & INSN_ONLY64)
		return insn->bits == 64 ? INSN_UNDEFINED : INSN_UNKNOWN;
	if (insn->bits == 64 && (row->attr & (INSN_F64 | INSN_ONLY64)) && insn->op_size == 2)
		return INSN_UNKNOWN;
	if (row->attr & INSN_NO_EXEC)
		return INSN_OK;
	if (!insn->is_mem && (INSN_KIND(row->dst) == INSN_MEM || INSN_KIND(row->src) == INSN_MEM))
		return INSN_UNKNOWN;
	if (INSN_KIND(row->src) == INSN_SREG && REG(insn->modrm) > X86_GS)
		return INSN_UNDEFINED;
	if (INSN_KIND(row->dst) == INSN_SREG &&
	    (REG(insn->modrm) > X86_GS || REG(insn->modrm) == X86_CS))
		return INSN_UNDEFINED;
	/* Vendors differ, too. */
	if (insn_is_far(row) && insn->op_size == 8)
		return INSN_UNKNOWN;
	/* A locked comparison of a register with memory, say, does not exist. */
	if (insn->lock && !(row->attr & INSN_LOCK && mem_dst))
		return INSN_UNDEFINED;
	return INSN_OK;
}

/*
 * Decodes insn->bytes, of which insn->nr_bytes are there, as code of a segment of @bits bits (16,
 * 32, 64).  Fills all other fields; if the verdict is not INSN_OK they are not to be used.
 */
enum insn_verdict insn_decode(struct x86_insn *insn, unsigned int bits)
{
	struct insn_cursor cur = { .insn = insn };
	const struct insn_row *row;
	enum insn_map map;

	memset((u8 *)insn + offsetof(struct x86_insn, len), 0,
	       sizeof(*insn) - offsetof(struct x86_insn, len));
	insn->row = NULL;
	insn->bits = bits;
	insn->seg = INSN_NO_SEG;
	map = take_opcode(&cur);
	if (cur.verdict)
		return cur.verdict;

	row = find_opcode(insn, map);
	if (!row)
		return INSN_UNKNOWN;
	if (row->attr & INSN_MODRM) {
		insn->modrm = next_bytes(&cur, 1);
		insn->reg = REG(insn->modrm) | (insn->rex & REX_R ? 8 : 0);
		insn->rm = RM(insn->modrm) | (insn->rex & REX_B ? 8 : 0);
		if (cur.verdict)
			return cur.verdict;
	}
	row = choose_row(insn, row);
	if (!row)
		return INSN_UNKNOWN;

	take_sizes(&cur, row);
	take_operands(&cur, row);
	take_immediate(&cur, row);
	if (cur.verdict)
		return cur.verdict;
	insn->row = row;
	insn->len = cur.pos;
	return check_form(insn);
}

/* Bytes of an operand of the instruction's row. */
unsigned int insn_operand_size(const struct x86_insn *insn, u8 operand)
{
	switch ((enum insn_size)INSN_SIZE(operand)) {
	case INSN_SIZE_B:
		return 1;
	case INSN_SIZE_W:
		return 2;
	case INSN_SIZE_D:
		return 4;
	case INSN_SIZE_Q:
		return 8;
	case INSN_SIZE_X:
		return 16;
	case INSN_SIZE_V:
		return insn->op_size;
	case INSN_SIZE_Z:
		return insn->op_size == 8 ? 4 : insn->op_size;
	case INSN_SIZE_P:
		return insn->op_size == 8 ? 16 : 8;
	case INSN_SIZE_S:
		return insn->op_size == 4 ? 2 : insn->op_size;
	case INSN_SIZE_F:
		return insn->op_size + 2;
	case INSN_SIZE_NONE:
		break;
	}
	return 0;
}

/* The segment register that an operand of the instruction's row is. */
u8 insn_segment(const struct x86_insn *insn, u8 operand)
{
	return INSN_KIND(operand) == INSN_OPSEG ? insn->row->opcode >> 3 & 7 : insn->reg & 7;
}
