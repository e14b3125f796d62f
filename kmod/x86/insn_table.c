// SPDX-License-Identifier: GPL-2.0-only
/*
 * The instructions that mkvm knows, a row for each encoding, by map and opcode.
 *
 * A row is written like a line of the manual: opcode, /digit or NOEXT, prefix, mnemonic, what it
 * does, operands, immediate, attributes, flags.  E: register or memory by ModRM; M: memory by
 * ModRM; G, S, X: general, segment or XMM register by ModRM; A: rAX; R, SO: general or segment
 * register in the opcode; O: offset behind the opcode; SI, DI: string operands; TOP, TOPW, TOPS:
 * the stack, by the operand size, a word, a selector that is pushed; DX: a port; I: immediate.
 *
 * Plain data: compiled in user space, too.
 */
#include <linux/kernel.h>
#include "x86/insn.h"

#define NIL	 0
#define E(size)	 INSN_OPERAND(INSN_RM, INSN_SIZE_##size)
#define M(size)	 INSN_OPERAND(INSN_MEM, INSN_SIZE_##size)
#define G(size)	 INSN_OPERAND(INSN_REG, INSN_SIZE_##size)
#define S	 INSN_OPERAND(INSN_SREG, INSN_SIZE_W)
#define X	 INSN_OPERAND(INSN_XMM, INSN_SIZE_X)
#define A(size)	 INSN_OPERAND(INSN_ACC, INSN_SIZE_##size)
#define R(size)	 INSN_OPERAND(INSN_OPREG, INSN_SIZE_##size)
#define O(size)	 INSN_OPERAND(INSN_MOFFS, INSN_SIZE_##size)
#define I(size)	 INSN_OPERAND(INSN_IMM, INSN_SIZE_##size)
#define SO(size) INSN_OPERAND(INSN_OPSEG, INSN_SIZE_##size)
#define TOP	 INSN_OPERAND(INSN_STACK, INSN_SIZE_V)
#define TOPW	 INSN_OPERAND(INSN_STACK, INSN_SIZE_W)
#define TOPS	 INSN_OPERAND(INSN_STACK, INSN_SIZE_S)
#define SI(size) INSN_OPERAND(INSN_SI, INSN_SIZE_##size)
#define DI(size) INSN_OPERAND(INSN_DI, INSN_SIZE_##size)
#define DX(size) INSN_OPERAND(INSN_PORT, INSN_SIZE_##size)

#define NOEXT INSN_NO_EXT

#define ROW(...) ROW_(__VA_ARGS__)
#define ROW_(map_, opcode_, ext_, prefix_, name_, op_, dst_, src_, imm_, attr_, def_, undef_) \
	{                                                                                     \
		.name = name_, .attr = attr_, .defined = def_, .undefined = undef_,           \
		.map = INSN_MAP_##map_, .opcode = opcode_, .ext = ext_,                       \
		.prefix = INSN_PFX_##prefix_, .op = INSN_OP_##op_, .dst = dst_, .src = src_,  \
		.imm = INSN_IMM_##imm_,                                                       \
	}

/* Flags written, flags undefined. */
#define FL_NONE	 0, 0
#define FL_ARITH INSN_FLAGS_ARITH, 0
#define FL_LOGIC INSN_FLAGS_ARITH & ~X86_EFLAGS_AF, X86_EFLAGS_AF
#define FL_COUNT INSN_FLAGS_ARITH & ~X86_EFLAGS_CF, 0
#define FL_BIT	 X86_EFLAGS_CF, X86_EFLAGS_PF | X86_EFLAGS_AF | X86_EFLAGS_SF | X86_EFLAGS_OF
#define FL_ZERO	 X86_EFLAGS_ZF, 0

#define MODRM INSN_MODRM
#define LOCK  INSN_LOCK
#define REP   INSN_REP
#define REPCC INSN_REPCC
#define D64   INSN_D64
#define F64   INSN_F64
#define SSE   (INSN_MODRM | INSN_DST_W | INSN_SSE)
#define SSE_A (INSN_MODRM | INSN_DST_W | INSN_SSE | INSN_ALIGNED)
#define RD    INSN_DST_R
#define WR    INSN_DST_W
#define RW    (INSN_DST_R | INSN_DST_W)

/* clang-format off */

/* The two-operand forms of arithmetic, at @code and the three opcodes after it. */
#define ARITH_ROWS(code, name, op, access, lock, flags) \
	ROW(1, code, NOEXT, ANY, name, op, E(B), G(B), NONE, MODRM | (access) | (lock), flags), \
	ROW(1, code + 1, NOEXT, ANY, name, op, E(V), G(V), NONE, MODRM | (access) | (lock), flags),\
	ROW(1, code + 2, NOEXT, ANY, name, op, G(B), E(B), NONE, MODRM | (access), flags), \
	ROW(1, code + 3, NOEXT, ANY, name, op, G(V), E(V), NONE, MODRM | (access), flags)

/* The eight instructions of an opcode whose second operand is an immediate. */
#define ARITH_IMM_ROWS(code, dst, src, imm, more) \
	ROW(1, code, 0, ANY, "add", ADD, dst, src, imm, MODRM | RW | LOCK | (more), FL_ARITH), \
	ROW(1, code, 1, ANY, "or", OR, dst, src, imm, MODRM | RW | LOCK | (more), FL_LOGIC), \
	ROW(1, code, 2, ANY, "adc", ADC, dst, src, imm, MODRM | RW | LOCK | (more), FL_ARITH), \
	ROW(1, code, 3, ANY, "sbb", SBB, dst, src, imm, MODRM | RW | LOCK | (more), FL_ARITH), \
	ROW(1, code, 4, ANY, "and", AND, dst, src, imm, MODRM | RW | LOCK | (more), FL_LOGIC), \
	ROW(1, code, 5, ANY, "sub", SUB, dst, src, imm, MODRM | RW | LOCK | (more), FL_ARITH), \
	ROW(1, code, 6, ANY, "xor", XOR, dst, src, imm, MODRM | RW | LOCK | (more), FL_LOGIC), \
	ROW(1, code, 7, ANY, "cmp", CMP, dst, src, imm, MODRM | RD | (more), FL_ARITH)

/* PUSH of a segment register, and POP; a selector is popped by a read of two bytes in any case. */
#define PUSH_SEG(map, code, attr) \
	ROW(map, code, NOEXT, ANY, "push", PUSH, TOPS, SO(W), NONE, WR | (attr), FL_NONE)
#define POP_SEG(map, code, attr) \
	ROW(map, code, NOEXT, ANY, "pop", POP, SO(V), TOPW, NONE, WR | (attr), FL_NONE)

/* An instruction of which only length and operands are wanted. */
#define PLAIN(map, code, prefix, name, imm, attr) \
	ROW(map, code, NOEXT, prefix, name, NONE, NIL, NIL, imm, INSN_NO_EXEC | (attr), FL_NONE)

const struct insn_row insn_rows[] = {
	ARITH_ROWS(0x00, "add", ADD, RW, LOCK, FL_ARITH),
	PUSH_SEG(1, 0x06, INSN_NO64), /* es */
	POP_SEG(1, 0x07, INSN_NO64),
	ARITH_ROWS(0x08, "or", OR, RW, LOCK, FL_LOGIC),
	PUSH_SEG(1, 0x0e, INSN_NO64), /* cs */
	ARITH_ROWS(0x10, "adc", ADC, RW, LOCK, FL_ARITH),
	PUSH_SEG(1, 0x16, INSN_NO64), /* ss */
	POP_SEG(1, 0x17, INSN_NO64),
	ARITH_ROWS(0x18, "sbb", SBB, RW, LOCK, FL_ARITH),
	PUSH_SEG(1, 0x1e, INSN_NO64), /* ds */
	POP_SEG(1, 0x1f, INSN_NO64),
	ARITH_ROWS(0x20, "and", AND, RW, LOCK, FL_LOGIC),
	ARITH_ROWS(0x28, "sub", SUB, RW, LOCK, FL_ARITH),
	ARITH_ROWS(0x30, "xor", XOR, RW, LOCK, FL_LOGIC),
	ARITH_ROWS(0x38, "cmp", CMP, RD, 0, FL_ARITH),

	ROW(1, 0x50, NOEXT, ANY, "push", PUSH, TOP, R(V), NONE, WR | INSN_OPREG8 | D64, FL_NONE),
	ROW(1, 0x58, NOEXT, ANY, "pop", POP, R(V), TOP, NONE, WR | INSN_OPREG8 | D64, FL_NONE),
	ROW(1, 0x63, NOEXT, ANY, "movsxd", MOVSX, G(V), E(D), NONE,
	    MODRM | WR | INSN_ONLY64, FL_NONE),
	ROW(1, 0x68, NOEXT, ANY, "push", PUSH, TOP, I(V), Z, WR | D64, FL_NONE),
	ROW(1, 0x6a, NOEXT, ANY, "push", PUSH, TOP, I(V), BS, WR | D64, FL_NONE),
	ROW(1, 0x6c, NOEXT, ANY, "ins", INS, DI(B), DX(B), NONE, WR | REP, FL_NONE),
	ROW(1, 0x6d, NOEXT, ANY, "ins", INS, DI(Z), DX(Z), NONE, WR | REP, FL_NONE),
	ROW(1, 0x6e, NOEXT, ANY, "outs", OUTS, DX(B), SI(B), NONE, WR | REP, FL_NONE),
	ROW(1, 0x6f, NOEXT, ANY, "outs", OUTS, DX(Z), SI(Z), NONE, WR | REP, FL_NONE),

	ARITH_IMM_ROWS(0x80, E(B), I(B), B, 0),
	ARITH_IMM_ROWS(0x81, E(V), I(V), Z, 0),
	ARITH_IMM_ROWS(0x82, E(B), I(B), B, INSN_NO64),
	ARITH_IMM_ROWS(0x83, E(V), I(V), BS, 0),

	ROW(1, 0x84, NOEXT, ANY, "test", TEST, E(B), G(B), NONE, MODRM | RD, FL_LOGIC),
	ROW(1, 0x85, NOEXT, ANY, "test", TEST, E(V), G(V), NONE, MODRM | RD, FL_LOGIC),
	ROW(1, 0x86, NOEXT, ANY, "xchg", XCHG, E(B), G(B), NONE,
	    MODRM | RW | INSN_SRC_W | LOCK | INSN_ATOMIC, FL_NONE),
	ROW(1, 0x87, NOEXT, ANY, "xchg", XCHG, E(V), G(V), NONE,
	    MODRM | RW | INSN_SRC_W | LOCK | INSN_ATOMIC, FL_NONE),
	ROW(1, 0x88, NOEXT, ANY, "mov", MOV, E(B), G(B), NONE, MODRM | WR, FL_NONE),
	ROW(1, 0x89, NOEXT, ANY, "mov", MOV, E(V), G(V), NONE, MODRM | WR, FL_NONE),
	ROW(1, 0x8a, NOEXT, ANY, "mov", MOV, G(B), E(B), NONE, MODRM | WR, FL_NONE),
	ROW(1, 0x8b, NOEXT, ANY, "mov", MOV, G(V), E(V), NONE, MODRM | WR, FL_NONE),
	ROW(1, 0x8c, NOEXT, ANY, "mov", MOV, M(W), S, NONE, MODRM | WR, FL_NONE),
	ROW(1, 0x8e, NOEXT, ANY, "mov", MOV, S, E(W), NONE, MODRM | WR, FL_NONE),
	ROW(1, 0x8f, 0, ANY, "pop", POP, E(V), TOP, NONE, MODRM | WR | D64, FL_NONE),
	PLAIN(1, 0x90, ANY, "nop", NONE, 0),

	ROW(1, 0xa0, NOEXT, ANY, "mov", MOV, A(B), O(B), NONE, WR, FL_NONE),
	ROW(1, 0xa1, NOEXT, ANY, "mov", MOV, A(V), O(V), NONE, WR, FL_NONE),
	ROW(1, 0xa2, NOEXT, ANY, "mov", MOV, O(B), A(B), NONE, WR, FL_NONE),
	ROW(1, 0xa3, NOEXT, ANY, "mov", MOV, O(V), A(V), NONE, WR, FL_NONE),
	ROW(1, 0xa4, NOEXT, ANY, "movs", MOVS, DI(B), SI(B), NONE, WR | REP, FL_NONE),
	ROW(1, 0xa5, NOEXT, ANY, "movs", MOVS, DI(V), SI(V), NONE, WR | REP, FL_NONE),
	ROW(1, 0xa6, NOEXT, ANY, "cmps", CMPS, SI(B), DI(B), NONE, RD | REPCC, FL_ARITH),
	ROW(1, 0xa7, NOEXT, ANY, "cmps", CMPS, SI(V), DI(V), NONE, RD | REPCC, FL_ARITH),
	ROW(1, 0xaa, NOEXT, ANY, "stos", STOS, DI(B), A(B), NONE, WR | REP, FL_NONE),
	ROW(1, 0xab, NOEXT, ANY, "stos", STOS, DI(V), A(V), NONE, WR | REP, FL_NONE),
	ROW(1, 0xac, NOEXT, ANY, "lods", LODS, A(B), SI(B), NONE, WR | REP, FL_NONE),
	ROW(1, 0xad, NOEXT, ANY, "lods", LODS, A(V), SI(V), NONE, WR | REP, FL_NONE),
	ROW(1, 0xae, NOEXT, ANY, "scas", SCAS, A(B), DI(B), NONE, RD | REPCC, FL_ARITH),
	ROW(1, 0xaf, NOEXT, ANY, "scas", SCAS, A(V), DI(V), NONE, RD | REPCC, FL_ARITH),

	ROW(1, 0xc2, NOEXT, ANY, "ret", RET, NIL, TOP, W, F64, FL_NONE),
	ROW(1, 0xc3, NOEXT, ANY, "ret", RET, NIL, TOP, NONE, F64, FL_NONE),
	ROW(1, 0xc6, 0, ANY, "mov", MOV, E(B), I(B), B, MODRM | WR, FL_NONE),
	ROW(1, 0xc7, 0, ANY, "mov", MOV, E(V), I(V), Z, MODRM | WR, FL_NONE),
	PLAIN(1, 0xcc, ANY, "int3", NONE, 0),
	PLAIN(1, 0xcd, ANY, "int", B, 0),
	PLAIN(1, 0xce, ANY, "into", NONE, INSN_NO64),
	PLAIN(1, 0xcf, ANY, "iret", NONE, 0),
	PLAIN(1, 0xe4, ANY, "in", B, 0),
	PLAIN(1, 0xe5, ANY, "in", B, 0),
	PLAIN(1, 0xe6, ANY, "out", B, 0),
	PLAIN(1, 0xe7, ANY, "out", B, 0),
	ROW(1, 0xe8, NOEXT, ANY, "call", CALL_REL, TOP, I(V), Z, WR | F64, FL_NONE),
	PLAIN(1, 0xec, ANY, "in", NONE, 0),
	PLAIN(1, 0xed, ANY, "in", NONE, 0),
	PLAIN(1, 0xee, ANY, "out", NONE, 0),
	PLAIN(1, 0xef, ANY, "out", NONE, 0),
	PLAIN(1, 0xf1, ANY, "int1", NONE, 0),
	PLAIN(1, 0xf4, ANY, "hlt", NONE, 0),
	ROW(1, 0xf6, 0, ANY, "test", TEST, E(B), I(B), B, MODRM | RD, FL_LOGIC),
	ROW(1, 0xf6, 1, ANY, "test", TEST, E(B), I(B), B, MODRM | RD, FL_LOGIC),
	ROW(1, 0xf6, 2, ANY, "not", NOT, E(B), NIL, NONE, MODRM | RW | LOCK, FL_NONE),
	ROW(1, 0xf6, 3, ANY, "neg", NEG, E(B), NIL, NONE, MODRM | RW | LOCK, FL_ARITH),
	ROW(1, 0xf7, 0, ANY, "test", TEST, E(V), I(V), Z, MODRM | RD, FL_LOGIC),
	ROW(1, 0xf7, 1, ANY, "test", TEST, E(V), I(V), Z, MODRM | RD, FL_LOGIC),
	ROW(1, 0xf7, 2, ANY, "not", NOT, E(V), NIL, NONE, MODRM | RW | LOCK, FL_NONE),
	ROW(1, 0xf7, 3, ANY, "neg", NEG, E(V), NIL, NONE, MODRM | RW | LOCK, FL_ARITH),
	ROW(1, 0xfe, 0, ANY, "inc", INC, E(B), NIL, NONE, MODRM | RW | LOCK, FL_COUNT),
	ROW(1, 0xfe, 1, ANY, "dec", DEC, E(B), NIL, NONE, MODRM | RW | LOCK, FL_COUNT),
	ROW(1, 0xff, 0, ANY, "inc", INC, E(V), NIL, NONE, MODRM | RW | LOCK, FL_COUNT),
	ROW(1, 0xff, 1, ANY, "dec", DEC, E(V), NIL, NONE, MODRM | RW | LOCK, FL_COUNT),
	ROW(1, 0xff, 2, ANY, "call", CALL, TOP, E(V), NONE, MODRM | WR | F64, FL_NONE),
	ROW(1, 0xff, 3, ANY, "lcall", CALL_FAR, TOP, M(F), NONE, MODRM | WR, FL_NONE),
	ROW(1, 0xff, 4, ANY, "jmp", JMP, NIL, E(V), NONE, MODRM | F64, FL_NONE),
	ROW(1, 0xff, 5, ANY, "ljmp", JMP_FAR, NIL, M(F), NONE, MODRM, FL_NONE),
	ROW(1, 0xff, 6, ANY, "push", PUSH, TOP, E(V), NONE, MODRM | WR | D64, FL_NONE),

	PLAIN(0F, 0x01, ANY, "group 7", NONE, MODRM), /* LMSW, SMSW, INVLPG, VMCALL, XSETBV, ... */
	PLAIN(0F, 0x06, ANY, "clts", NONE, 0),
	PLAIN(0F, 0x08, ANY, "invd", NONE, 0),
	PLAIN(0F, 0x09, ANY, "wbinvd", NONE, 0),
	PLAIN(0F, 0x0b, ANY, "ud2", NONE, 0),
	ROW(0F, 0x10, NOEXT, NONE, "movups", MOV, X, E(X), NONE, SSE, FL_NONE),
	ROW(0F, 0x10, NOEXT, 66, "movupd", MOV, X, E(X), NONE, SSE, FL_NONE),
	ROW(0F, 0x11, NOEXT, NONE, "movups", MOV, E(X), X, NONE, SSE, FL_NONE),
	ROW(0F, 0x11, NOEXT, 66, "movupd", MOV, E(X), X, NONE, SSE, FL_NONE),
	PLAIN(0F, 0x20, ANY, "mov from cr", NONE, MODRM | INSN_REGS_ONLY),
	PLAIN(0F, 0x21, ANY, "mov from dr", NONE, MODRM | INSN_REGS_ONLY),
	PLAIN(0F, 0x22, ANY, "mov to cr", NONE, MODRM | INSN_REGS_ONLY),
	PLAIN(0F, 0x23, ANY, "mov to dr", NONE, MODRM | INSN_REGS_ONLY),
	ROW(0F, 0x28, NOEXT, NONE, "movaps", MOV, X, E(X), NONE, SSE_A, FL_NONE),
	ROW(0F, 0x28, NOEXT, 66, "movapd", MOV, X, E(X), NONE, SSE_A, FL_NONE),
	ROW(0F, 0x29, NOEXT, NONE, "movaps", MOV, E(X), X, NONE, SSE_A, FL_NONE),
	ROW(0F, 0x29, NOEXT, 66, "movapd", MOV, E(X), X, NONE, SSE_A, FL_NONE),
	ROW(0F, 0x2b, NOEXT, NONE, "movntps", MOV, M(X), X, NONE, SSE_A, FL_NONE),
	ROW(0F, 0x2b, NOEXT, 66, "movntpd", MOV, M(X), X, NONE, SSE_A, FL_NONE),
	PLAIN(0F, 0x30, ANY, "wrmsr", NONE, 0),
	PLAIN(0F, 0x31, ANY, "rdtsc", NONE, 0),
	PLAIN(0F, 0x32, ANY, "rdmsr", NONE, 0),
	PLAIN(0F, 0x33, ANY, "rdpmc", NONE, 0),
	ROW(0F, 0x6f, NOEXT, 66, "movdqa", MOV, X, E(X), NONE, SSE_A, FL_NONE),
	ROW(0F, 0x6f, NOEXT, F3, "movdqu", MOV, X, E(X), NONE, SSE, FL_NONE),
	ROW(0F, 0x7f, NOEXT, 66, "movdqa", MOV, E(X), X, NONE, SSE_A, FL_NONE),
	ROW(0F, 0x7f, NOEXT, F3, "movdqu", MOV, E(X), X, NONE, SSE, FL_NONE),
	PUSH_SEG(0F, 0xa0, D64), /* fs */
	POP_SEG(0F, 0xa1, D64),
	PLAIN(0F, 0xa2, ANY, "cpuid", NONE, 0),
	ROW(0F, 0xa3, NOEXT, ANY, "bt", BT, E(V), G(V), NONE, MODRM | RD, FL_BIT),
	PUSH_SEG(0F, 0xa8, D64), /* gs */
	POP_SEG(0F, 0xa9, D64),
	ROW(0F, 0xab, NOEXT, ANY, "bts", BTS, E(V), G(V), NONE, MODRM | RW | LOCK, FL_BIT),
	ROW(0F, 0xb0, NOEXT, ANY, "cmpxchg", CMPXCHG, E(B), G(B), NONE,
	    MODRM | RW | LOCK, FL_ARITH),
	ROW(0F, 0xb1, NOEXT, ANY, "cmpxchg", CMPXCHG, E(V), G(V), NONE,
	    MODRM | RW | LOCK, FL_ARITH),
	ROW(0F, 0xb3, NOEXT, ANY, "btr", BTR, E(V), G(V), NONE, MODRM | RW | LOCK, FL_BIT),
	ROW(0F, 0xb6, NOEXT, ANY, "movzx", MOVZX, G(V), E(B), NONE, MODRM | WR, FL_NONE),
	ROW(0F, 0xb7, NOEXT, ANY, "movzx", MOVZX, G(V), E(W), NONE, MODRM | WR, FL_NONE),
	ROW(0F, 0xba, 4, ANY, "bt", BT, E(V), I(V), B, MODRM | RD, FL_BIT),
	ROW(0F, 0xba, 5, ANY, "bts", BTS, E(V), I(V), B, MODRM | RW | LOCK, FL_BIT),
	ROW(0F, 0xba, 6, ANY, "btr", BTR, E(V), I(V), B, MODRM | RW | LOCK, FL_BIT),
	ROW(0F, 0xba, 7, ANY, "btc", BTC, E(V), I(V), B, MODRM | RW | LOCK, FL_BIT),
	ROW(0F, 0xbb, NOEXT, ANY, "btc", BTC, E(V), G(V), NONE, MODRM | RW | LOCK, FL_BIT),
	ROW(0F, 0xbe, NOEXT, ANY, "movsx", MOVSX, G(V), E(B), NONE, MODRM | WR, FL_NONE),
	ROW(0F, 0xbf, NOEXT, ANY, "movsx", MOVSX, G(V), E(W), NONE, MODRM | WR, FL_NONE),
	ROW(0F, 0xc0, NOEXT, ANY, "xadd", XADD, E(B), G(B), NONE,
	    MODRM | RW | INSN_SRC_W | LOCK, FL_ARITH),
	ROW(0F, 0xc1, NOEXT, ANY, "xadd", XADD, E(V), G(V), NONE,
	    MODRM | RW | INSN_SRC_W | LOCK, FL_ARITH),
	ROW(0F, 0xc3, NOEXT, NONE, "movnti", MOV, M(V), G(V), NONE, MODRM | WR, FL_NONE),
	ROW(0F, 0xc7, 1, ANY, "cmpxchg8b", CMPXCHG_PAIR, M(P), NIL, NONE,
	    MODRM | RW | LOCK, FL_ZERO),
	ROW(0F, 0xe7, NOEXT, 66, "movntdq", MOV, M(X), X, NONE, SSE_A, FL_NONE),
	ROW(0F, 0xf0, NOEXT, F2, "lddqu", MOV, X, M(X), NONE, SSE, FL_NONE),

	ROW(0F38, 0x2a, NOEXT, 66, "movntdqa", MOV, X, M(X), NONE, SSE_A, FL_NONE),
	PLAIN(0F38, 0x82, 66, "invpcid", NONE, MODRM),
	ROW(0F38, 0xf0, NOEXT, NOREP, "movbe", MOVBE, G(V), M(V), NONE, MODRM | WR, FL_NONE),
	ROW(0F38, 0xf1, NOEXT, NOREP, "movbe", MOVBE, M(V), G(V), NONE, MODRM | WR, FL_NONE),
};

const struct insn_row insn_row_smsw =
	ROW(0F, 0x01, 4, ANY, "smsw", SMSW, M(W), NIL, NONE, MODRM | WR, FL_NONE);
const struct insn_row insn_row_lmsw =
	ROW(0F, 0x01, 6, ANY, "lmsw", LMSW, NIL, M(W), NONE, MODRM, FL_NONE);
const struct insn_row insn_row_invpcid =
	ROW(0F38, 0x82, NOEXT, 66, "invpcid", INVPCID, NIL, M(X), NONE, MODRM, FL_NONE);

/* clang-format on */

const unsigned int insn_nr_rows = ARRAY_SIZE(insn_rows);
