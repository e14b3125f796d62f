// SPDX-License-Identifier: GPL-2.0-only
/*
 * Arithmetic on numbers of 1, 2, 4 or 8 bytes, with the flags that the processor would give.
 *
 * A carry into or out of a bit is found from the operands and the result: where both summands have
 * the bit, or one has it and the sum has lost it.  Where the manual leaves flags undefined, logic
 * clears AF, as processors do, and a bit test leaves the flags as they were.  Compiled in user
 * space, too.
 */
#include "x86/insn_emu.h"

static u64 top_bit(unsigned int size)
{
	return 1ull << (8 * size - 1);
}

static bool even_parity(u8 byte)
{
	byte ^= byte >> 4;
	/* Bit n of this word: has n an even number of ones? */
	return 0x9669 >> (byte & 0xf) & 1;
}

static u64 flag_if(bool condition, u64 flag)
{
	return condition ? flag : 0;
}

/* ZF, SF and PF of a result. */
static u64 result_flags(u64 result, unsigned int size)
{
	return flag_if(!result, X86_EFLAGS_ZF) | flag_if(result & top_bit(size), X86_EFLAGS_SF) |
	       flag_if(even_parity(result), X86_EFLAGS_PF);
}

static u64 alu_add(unsigned int size, u64 a, u64 b, bool carry, u64 *flags)
{
	u64 result = (a + b + carry) & emu_size_mask(size);
	u64 carries = (a & b) | ((a | b) & ~result);

	*flags = result_flags(result, size) | flag_if(carries & top_bit(size), X86_EFLAGS_CF) |
		 flag_if((a ^ b ^ result) & 0x10, X86_EFLAGS_AF) |
		 flag_if((a ^ result) & (b ^ result) & top_bit(size), X86_EFLAGS_OF);
	return result;
}

static u64 alu_sub(unsigned int size, u64 a, u64 b, bool borrow, u64 *flags)
{
	u64 result = (a - b - borrow) & emu_size_mask(size);
	u64 borrows = (~a & b) | ((~a | b) & result);

	*flags = result_flags(result, size) | flag_if(borrows & top_bit(size), X86_EFLAGS_CF) |
		 flag_if((a ^ b ^ result) & 0x10, X86_EFLAGS_AF) |
		 flag_if((a ^ b) & (a ^ result) & top_bit(size), X86_EFLAGS_OF);
	return result;
}

static u64 alu_logic(unsigned int size, u64 result, u64 *flags)
{
	*flags = result_flags(result, size);
	return result;
}

/* INC and DEC leave CF alone. */
static u64 alu_count(unsigned int size, u64 a, bool up, u64 *flags)
{
	u64 carry = *flags & X86_EFLAGS_CF;
	u64 result = up ? alu_add(size, a, 1, false, flags) : alu_sub(size, a, 1, false, flags);

	*flags = (*flags & ~(u64)X86_EFLAGS_CF) | carry;
	return result;
}

static u64 alu_bit(enum insn_op op, unsigned int size, u64 a, u64 nr, u64 *flags)
{
	u64 bit = 1ull << (nr & (8 * size - 1));

	*flags = (*flags & ~(u64)X86_EFLAGS_CF) | flag_if(a & bit, X86_EFLAGS_CF);
	if (op == INSN_OP_BTS)
		return a | bit;
	if (op == INSN_OP_BTR)
		return a & ~bit;
	return op == INSN_OP_BTC ? a ^ bit : a;
}

/*
 * @op on operands that fit in @size bytes.  @flags: in: the arithmetic flags before; out: after,
 * and no others.  The result; that of a comparison is the difference.
 */
u64 emu_alu(enum insn_op op, unsigned int size, u64 dst, u64 src, u64 *flags)
{
	bool carry;

	*flags &= INSN_FLAGS_ARITH;
	carry = *flags & X86_EFLAGS_CF;
	switch (op) {
	case INSN_OP_ADD:
		return alu_add(size, dst, src, false, flags);
	case INSN_OP_ADC:
		return alu_add(size, dst, src, carry, flags);
	case INSN_OP_SUB:
	case INSN_OP_CMP:
		return alu_sub(size, dst, src, false, flags);
	case INSN_OP_SBB:
		return alu_sub(size, dst, src, carry, flags);
	case INSN_OP_NEG:
		return alu_sub(size, 0, dst, false, flags);
	case INSN_OP_OR:
		return alu_logic(size, dst | src, flags);
	case INSN_OP_AND:
	case INSN_OP_TEST:
		return alu_logic(size, dst & src, flags);
	case INSN_OP_XOR:
		return alu_logic(size, dst ^ src, flags);
	case INSN_OP_NOT:
		return ~dst & emu_size_mask(size);
	case INSN_OP_INC:
		return alu_count(size, dst, true, flags);
	case INSN_OP_DEC:
		return alu_count(size, dst, false, flags);
	case INSN_OP_BT:
	case INSN_OP_BTS:
	case INSN_OP_BTR:
	case INSN_OP_BTC:
		return alu_bit(op, size, dst, src, flags);
	default:
		return dst;
	}
}
