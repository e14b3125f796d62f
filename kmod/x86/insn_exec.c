// SPDX-License-Identifier: GPL-2.0-only
/*
 * The emulator's execution: from the operands' values to the new registers and the new value in
 * memory.
 *
 * Works on the emulator's copies only: registers in emu->gpr, rip, rflags, memory in the operands'
 * data.  What is found only here is a jump out of the code segment, and what a selector names.
 * Compiled in user space, too.
 */
#include <linux/kernel.h>
#include <linux/string.h>
#include <asm/trapnr.h>
#include "x86/insn_emu.h"

static void set_flags(struct emu *emu, u64 flags)
{
	emu->rflags = (emu->rflags & ~(u64)INSN_FLAGS_ARITH) | flags;
}

/* Without REX, byte registers 4 to 7 are the second bytes of the first four. */
static bool is_high_byte(const struct emu *emu, unsigned int reg, unsigned int size)
{
	return size == 1 && !emu->insn.rex && reg >= 4;
}

static u64 gpr_read(const struct emu *emu, unsigned int reg, unsigned int size)
{
	if (is_high_byte(emu, reg, size))
		return emu->gpr[reg - 4] >> 8 & 0xff;
	return emu->gpr[reg] & emu_size_mask(size);
}

/* Four bytes clear the upper half, fewer keep the rest. */
static void gpr_write(struct emu *emu, unsigned int reg, unsigned int size, u64 value)
{
	u64 mask = emu_size_mask(size), *gpr = &emu->gpr[reg];

	if (is_high_byte(emu, reg, size)) {
		gpr = &emu->gpr[reg - 4];
		*gpr = (*gpr & ~0xff00ull) | (value & 0xff) << 8;
	} else if (size == 4) {
		*gpr = value & mask;
	} else {
		*gpr = (*gpr & ~mask) | (value & mask);
	}
}

/* Adds to a register as wide as @size. */
void emu_gpr_add(struct emu *emu, unsigned int reg, unsigned int size, s64 amount)
{
	gpr_write(emu, reg, size, emu->gpr[reg] + amount);
}

static u64 mem_value(const struct emu_mem *mem)
{
	u64 value = 0;

	memcpy(&value, mem->data, mem->size < sizeof(value) ? mem->size : sizeof(value));
	return value;
}

/* The value of an operand of at most eight bytes. */
static u64 operand_read(const struct emu *emu, u8 operand, const struct emu_mem *mem)
{
	const struct x86_insn *insn = &emu->insn;
	unsigned int size = insn_operand_size(insn, operand);

	if (mem)
		return mem_value(mem);
	switch ((enum insn_kind)INSN_KIND(operand)) {
	case INSN_RM:
	case INSN_OPREG:
		return gpr_read(emu, insn->rm, size);
	case INSN_REG:
		return gpr_read(emu, insn->reg, size);
	case INSN_ACC:
		return gpr_read(emu, X86_RAX, size);
	case INSN_SREG:
	case INSN_OPSEG:
		return emu->seg[insn_segment(insn, operand)].selector;
	case INSN_IMM:
		return insn->imm & emu_size_mask(size);
	default:
		return 0;
	}
}

static void operand_write(struct emu *emu, u8 operand, struct emu_mem *mem, u64 value)
{
	const struct x86_insn *insn = &emu->insn;
	unsigned int size = insn_operand_size(insn, operand);

	if (mem) {
		memcpy(mem->data, &value, mem->size);
		return;
	}
	switch ((enum insn_kind)INSN_KIND(operand)) {
	case INSN_RM:
	case INSN_OPREG:
		gpr_write(emu, insn->rm, size, value);
		break;
	case INSN_REG:
		gpr_write(emu, insn->reg, size, value);
		break;
	case INSN_ACC:
		gpr_write(emu, X86_RAX, size, value);
		break;
	default:
		break;
	}
}

static u64 src_read(const struct emu *emu)
{
	return operand_read(emu, emu->insn.row->src, emu->src_mem);
}

static u64 dst_read(const struct emu *emu)
{
	return operand_read(emu, emu->insn.row->dst, emu->dst_mem);
}

static void src_write(struct emu *emu, u64 value)
{
	operand_write(emu, emu->insn.row->src, emu->src_mem, value);
}

static void dst_write(struct emu *emu, u64 value)
{
	operand_write(emu, emu->insn.row->dst, emu->dst_mem, value);
}

static unsigned int dst_size(const struct emu *emu)
{
	return insn_operand_size(&emu->insn, emu->insn.row->dst);
}

/* Two operands in, flags and perhaps the first operand out. */
static enum emu_status exec_alu(struct emu *emu)
{
	const struct insn_row *row = emu->insn.row;
	u64 flags = emu->rflags;
	u64 result = emu_alu(row->op, dst_size(emu), dst_read(emu), src_read(emu), &flags);

	set_flags(emu, flags);
	if (row->attr & INSN_DST_W)
		dst_write(emu, result);
	return EMU_OK;
}

static enum emu_status exec_mov_wide(struct emu *emu)
{
	const struct x86_insn *insn = &emu->insn;
	u8 data[16];

	if (emu->src_mem)
		memcpy(data, emu->src_mem->data, sizeof(data));
	else
		emu->ops->read_xmm(
			emu, INSN_KIND(insn->row->src) == INSN_XMM ? insn->reg : insn->rm, data);
	if (emu->dst_mem)
		memcpy(emu->dst_mem->data, data, sizeof(data));
	else
		emu->ops->write_xmm(
			emu, INSN_KIND(insn->row->dst) == INSN_XMM ? insn->reg : insn->rm, data);
	return EMU_OK;
}

static u64 sign_extend(u64 value, unsigned int size)
{
	unsigned int shift = 64 - 8 * size;

	return (u64)((s64)(value << shift) >> shift);
}

static u64 swap_bytes(u64 value, unsigned int size)
{
	return __builtin_bswap64(value) >> (64 - 8 * size);
}

static enum emu_status exec_mov(struct emu *emu)
{
	const struct insn_row *row = emu->insn.row;
	unsigned int src_size = insn_operand_size(&emu->insn, row->src);
	u64 value;

	if (src_size == 16)
		return exec_mov_wide(emu);
	value = src_read(emu);
	if (insn_loads_segment(row))
		return emu_load_data(emu, insn_segment(&emu->insn, row->dst), value);
	if (row->op == INSN_OP_MOVSX)
		value = sign_extend(value, src_size);
	else if (row->op == INSN_OP_MOVBE)
		value = swap_bytes(value, src_size);
	dst_write(emu, value);
	return EMU_OK;
}

static enum emu_status exec_xchg(struct emu *emu)
{
	u64 dst = dst_read(emu), src = src_read(emu);

	src_write(emu, dst);
	dst_write(emu, src);
	return EMU_OK;
}

/* If both operands are one register, the sum stays in it. */
static enum emu_status exec_xadd(struct emu *emu)
{
	u64 dst = dst_read(emu), flags = emu->rflags;
	u64 sum = emu_alu(INSN_OP_ADD, dst_size(emu), dst, src_read(emu), &flags);

	set_flags(emu, flags);
	src_write(emu, dst);
	dst_write(emu, sum);
	return EMU_OK;
}

/* Memory is written in any case: with its old value if the comparison fails. */
static enum emu_status exec_cmpxchg(struct emu *emu)
{
	unsigned int size = dst_size(emu);
	u64 dst = dst_read(emu), flags = emu->rflags;

	emu_alu(INSN_OP_CMP, size, gpr_read(emu, X86_RAX, size), dst, &flags);
	set_flags(emu, flags);
	if (flags & X86_EFLAGS_ZF)
		dst_write(emu, src_read(emu));
	else
		gpr_write(emu, X86_RAX, size, dst);
	return EMU_OK;
}

static enum emu_status exec_cmpxchg_pair(struct emu *emu)
{
	struct emu_mem *mem = emu->dst_mem;
	unsigned int half = mem->size / 2;
	u64 lo = 0, hi = 0;

	memcpy(&lo, mem->data, half);
	memcpy(&hi, mem->data + half, half);
	if (lo == gpr_read(emu, X86_RAX, half) && hi == gpr_read(emu, X86_RDX, half)) {
		memcpy(mem->data, &emu->gpr[X86_RBX], half);
		memcpy(mem->data + half, &emu->gpr[X86_RCX], half);
		emu->rflags |= X86_EFLAGS_ZF;
	} else {
		gpr_write(emu, X86_RAX, half, lo);
		gpr_write(emu, X86_RDX, half, hi);
		emu->rflags &= ~(u64)X86_EFLAGS_ZF;
	}
	return EMU_OK;
}

/* One element done: the pointer moves to the next. */
static void string_advance(struct emu *emu, unsigned int reg, unsigned int size)
{
	s64 step = emu->rflags & X86_EFLAGS_DF ? -(s64)size : size;

	emu_gpr_add(emu, reg, emu->insn.addr_size, step);
}

/* One element done: is there another? */
static void string_count(struct emu *emu)
{
	const struct insn_row *row = emu->insn.row;
	unsigned int size = emu->insn.addr_size;
	bool zero = emu->rflags & X86_EFLAGS_ZF, while_zero = emu->insn.rep == 0xf3;

	emu->repeat = false;
	if (!emu->insn.rep)
		return;
	emu_gpr_add(emu, X86_RCX, size, -1);
	if (row->attr & INSN_REPCC && zero != while_zero)
		return;
	emu->repeat = emu->gpr[X86_RCX] & emu_size_mask(size);
}

static enum emu_status exec_string(struct emu *emu)
{
	const struct insn_row *row = emu->insn.row;
	u8 operand = INSN_KIND(row->dst) == INSN_PORT ? row->src : row->dst;
	unsigned int size = insn_operand_size(&emu->insn, operand);
	u64 flags = emu->rflags;

	switch ((enum insn_op)row->op) {
	case INSN_OP_CMPS:
	case INSN_OP_SCAS:
		emu_alu(INSN_OP_CMP, size, dst_read(emu), src_read(emu), &flags);
		set_flags(emu, flags);
		break;
	case INSN_OP_MOVS:
	case INSN_OP_STOS:
	case INSN_OP_LODS:
		dst_write(emu, src_read(emu));
		break;
	default: /* INS and OUTS: the data has been moved, or will be */
		break;
	}
	if (INSN_KIND(row->dst) == INSN_SI || INSN_KIND(row->src) == INSN_SI)
		string_advance(emu, X86_RSI, size);
	if (INSN_KIND(row->dst) == INSN_DI || INSN_KIND(row->src) == INSN_DI)
		string_advance(emu, X86_RDI, size);
	string_count(emu);
	return EMU_OK;
}

static void stack_move(struct emu *emu, s64 amount)
{
	emu_gpr_add(emu, X86_RSP, emu_stack_size(emu), amount);
}

static enum emu_status exec_push(struct emu *emu)
{
	dst_write(emu, src_read(emu));
	stack_move(emu, -(s64)emu->insn.op_size);
	return EMU_OK;
}

/* The stack pointer moves first: POP of the stack pointer loads it. */
static enum emu_status exec_pop(struct emu *emu)
{
	const struct insn_row *row = emu->insn.row;
	u64 value = src_read(emu);

	if (insn_loads_segment(row)) {
		enum emu_status status =
			emu_load_data(emu, insn_segment(&emu->insn, row->dst), value);

		if (status)
			return status;
	}
	stack_move(emu, emu->insn.op_size);
	dst_write(emu, value);
	return EMU_OK;
}

/* Goes on at @rip, which counts as wide as an operand. */
static enum emu_status jump(struct emu *emu, u64 rip)
{
	enum emu_status status;

	rip &= emu_size_mask(emu->insn.op_size);
	status = emu_check_jump(emu, rip);
	if (!status)
		emu->rip = rip;
	return status;
}

static enum emu_status exec_call(struct emu *emu, u64 target)
{
	u64 next = emu->rip;
	enum emu_status status = jump(emu, target);

	if (status)
		return status;
	dst_write(emu, next);
	stack_move(emu, -(s64)emu->dst_mem->size);
	return EMU_OK;
}

static enum emu_status exec_ret(struct emu *emu)
{
	enum emu_status status = jump(emu, src_read(emu));

	if (!status)
		stack_move(emu, emu->src_mem->size + emu->insn.imm);
	return status;
}

static enum emu_status exec_far(struct emu *emu)
{
	unsigned int size = emu->insn.op_size;
	const u8 *pointer = emu->src_mem->data;
	u64 next = emu->rip, rip = 0;
	enum emu_status status;
	u16 selector;

	memcpy(&rip, pointer, size);
	memcpy(&selector, pointer + size, sizeof(selector));
	status = emu_load_code(emu, selector, rip);
	if (status)
		return status;
	emu->rip = rip;
	if (emu->link_mem) {
		dst_write(emu, emu->seg[X86_CS].selector);
		memcpy(emu->link_mem->data, &next, size);
		stack_move(emu, -2 * (s64)size);
	}
	return EMU_OK;
}

/* LMSW changes PE, MP, EM and TS, and cannot clear PE. */
u64 emu_lmsw(u64 cr0, u16 msw)
{
	u64 bits = X86_CR0_MP | X86_CR0_EM | X86_CR0_TS;

	return (cr0 & ~bits) | (msw & (bits | X86_CR0_PE));
}

/*
 * INVPCID: of one address (type 0), of one PCID (1), of all with global translations or without (2,
 * 3).  Each makes all go.
 */
static enum emu_status exec_invpcid(struct emu *emu)
{
	u64 type = emu->gpr[emu->insn.reg] & emu_size_mask(emu->bits == 64 ? 8 : 4);
	u64 pcid, linear;

	memcpy(&pcid, emu->src_mem->data, sizeof(pcid));
	memcpy(&linear, emu->src_mem->data + sizeof(pcid), sizeof(linear));
	if (type > 3 || pcid & ~X86_CR3_PCID_MASK ||
	    (type < 2 && pcid && !(emu->cr4 & X86_CR4_PCIDE)) ||
	    (!type && !emu_canonical(emu, linear)))
		return emu_raise(emu, X86_TRAP_GP, true, 0);
	emu->invalidates = true;
	return EMU_OK;
}

/* All operands have been read, and emu->rip is the next instruction's. */
enum emu_status emu_execute(struct emu *emu)
{
	enum insn_op op = emu->insn.row->op;

	switch (op) {
	case INSN_OP_MOV:
	case INSN_OP_MOVZX:
	case INSN_OP_MOVSX:
	case INSN_OP_MOVBE:
		return exec_mov(emu);
	case INSN_OP_XCHG:
		return exec_xchg(emu);
	case INSN_OP_XADD:
		return exec_xadd(emu);
	case INSN_OP_CMPXCHG:
		return exec_cmpxchg(emu);
	case INSN_OP_CMPXCHG_PAIR:
		return exec_cmpxchg_pair(emu);
	case INSN_OP_MOVS:
	case INSN_OP_CMPS:
	case INSN_OP_STOS:
	case INSN_OP_LODS:
	case INSN_OP_SCAS:
	case INSN_OP_INS:
	case INSN_OP_OUTS:
		return exec_string(emu);
	case INSN_OP_PUSH:
		return exec_push(emu);
	case INSN_OP_POP:
		return exec_pop(emu);
	case INSN_OP_CALL:
		return exec_call(emu, src_read(emu));
	case INSN_OP_CALL_REL:
		return exec_call(emu, emu->rip + emu->insn.imm);
	case INSN_OP_JMP:
		return jump(emu, src_read(emu));
	case INSN_OP_RET:
		return exec_ret(emu);
	case INSN_OP_CALL_FAR:
	case INSN_OP_JMP_FAR:
		return exec_far(emu);
	case INSN_OP_SMSW:
		dst_write(emu, emu->cr0);
		return EMU_OK;
	case INSN_OP_LMSW:
		emu->cr0 = emu_lmsw(emu->cr0, src_read(emu));
		return EMU_OK;
	case INSN_OP_INVPCID:
		return exec_invpcid(emu);
	default:
		return exec_alu(emu);
	}
}
