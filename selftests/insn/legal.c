// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which instances there are: for each row of the table the operand sizes and the prefixes that
 * make it no other instruction.
 */
#include "instance.h"

/* Those that are known by their length only are not about memory. */
bool row_is_tried(const struct insn_row *row)
{
	return !(row->attr & INSN_NO_EXEC);
}

bool operand_is_memory(uint8_t operand)
{
	switch (INSN_KIND(operand)) {
	case INSN_RM:
	case INSN_MEM:
	case INSN_MOFFS:
	case INSN_SI:
	case INSN_DI:
	case INSN_STACK:
		return true;
	default:
		return false;
	}
}

/* Reads what it writes in memory. */
bool row_is_rmw(const struct insn_row *row)
{
	return row->attr & INSN_DST_R && row->attr & INSN_DST_W && operand_is_memory(row->dst);
}

bool row_is_string(const struct insn_row *row)
{
	return row->attr & (INSN_REP | INSN_REPCC);
}

/* A segment register is loaded with what stands in memory. */
bool row_has_selector(const struct insn_row *row)
{
	return insn_loads_segment(row) || insn_is_far(row);
}

unsigned int operand_bytes(const struct instance *in, uint8_t operand)
{
	switch (INSN_SIZE(operand)) {
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
		return in->size;
	case INSN_SIZE_Z:
		return in->size > 4 ? 4 : in->size;
	case INSN_SIZE_P:
		return in->size == 8 ? 16 : 8;
	case INSN_SIZE_S:
		return in->size == 4 ? 2 : in->size;
	case INSN_SIZE_F:
		return in->size + 2;
	default:
		return 0;
	}
}

static bool operand_varies(uint8_t operand)
{
	return INSN_SIZE(operand) >= INSN_SIZE_V;
}

/* Size 0 stands for "the same in all", 2, 4 and 8 for what 66 and REX.W choose. */
bool legal_size(const struct insn_row *row, enum try_mode mode, unsigned int size)
{
	bool varies = operand_varies(row->dst) || operand_varies(row->src);
	bool in64 = mode == IN_LONG;

	if (in64 ? row->attr & INSN_NO64 : row->attr & INSN_ONLY64)
		return false;
	if (!varies || size == 0)
		return !varies && size == 0;
	if (size == 8)
		return in64 && !insn_is_far(row);
	if (in64 && size == 4 && row->attr & (INSN_D64 | INSN_F64))
		return false;
	if (in64 && size == 2 && row->attr & INSN_F64)
		return false;
	/* MOVSXD of 2 bytes: processors differ in how much they read. */
	if (row->attr & INSN_ONLY64 && size == 2)
		return false;
	/* 66 would make it another instruction. */
	if (row->prefix == INSN_PFX_NONE)
		return size == 4;
	return true;
}

static bool has_modrm_memory(const struct insn_row *row)
{
	return row->attr & INSN_MODRM || INSN_KIND(row->dst) == INSN_MOFFS ||
	       INSN_KIND(row->src) == INSN_MOFFS;
}

bool legal_prefix(const struct insn_row *row, enum try_mode mode, enum try_prefix prefix)
{
	switch (prefix) {
	case PREFIX_NONE:
		return true;
	case PREFIX_LOCK:
		return row->attr & INSN_LOCK;
	case PREFIX_REP:
	case PREFIX_REPNE:
		return row_is_string(row);
	case PREFIX_ADDR:
		return row_is_string(row) || has_modrm_memory(row);
	case PREFIX_CS:
		/* Nothing is written to a code segment, but in real mode. */
		if (mode != IN_REAL && mode != IN_LONG && row->attr & INSN_DST_W &&
		    operand_is_memory(row->dst) && INSN_KIND(row->dst) != INSN_DI &&
		    INSN_KIND(row->dst) != INSN_STACK)
			return false;
		return true;
	default:
		return true;
	}
}

static bool uses_stack(const struct insn_row *row)
{
	return INSN_KIND(row->dst) == INSN_STACK || INSN_KIND(row->src) == INSN_STACK ||
	       row->op == INSN_OP_CALL_FAR;
}

/*
 * At which CPL there are instances of a row.  Its faults of CPL 0 come to the stack that it stands
 * on, but in 64-bit mode, so that one of the stack's own would be a double fault.  Selectors that
 * load without a fault are those of CPL 0.
 */
bool legal_privilege(const struct insn_row *row, enum try_mode mode, bool faults, bool user)
{
	if (user)
		return mode != IN_REAL && (faults || !row_has_selector(row));
	return !faults || mode == IN_LONG || !uses_stack(row);
}
