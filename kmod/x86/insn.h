/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Instructions as mkvm knows them: the table, and what decoding one gives.
 *
 * A row of the table describes one encoding.  The rows stand sorted by map and opcode.  A row with
 * INSN_NO_EXEC is known by its length and operands only; all others are for the emulator, too.
 * Plain data and plain C: this file and the insn_*.c files that it names are compiled in user
 * space, too.
 */
#ifndef MKVM_X86_INSN_H
#define MKVM_X86_INSN_H

#include <linux/bits.h>
#include <linux/compiler.h>
#include <linux/types.h>
#include <asm/processor-flags.h>
#include "x86/regnum.h"

#define INSN_MAX_LEN 15

/* Maps of opcodes, by the bytes before the opcode. */
enum insn_map {
	INSN_MAP_1,    /* none */
	INSN_MAP_0F,   /* 0f */
	INSN_MAP_0F38, /* 0f 38 */
};

/* Where an operand is. */
enum insn_kind {
	INSN_NO_OPERAND,
	INSN_RM,    /* register or memory, by ModRM.mod and ModRM.rm (XMM register if size X) */
	INSN_MEM,   /* memory, by ModRM; a register form does not exist */
	INSN_REG,   /* general register, ModRM.reg */
	INSN_ACC,   /* rAX */
	INSN_OPREG, /* general register, low three bits of the opcode */
	INSN_SREG,  /* segment register, ModRM.reg */
	INSN_OPSEG, /* segment register, bits 5:3 of the opcode */
	INSN_XMM,   /* ModRM.reg */
	INSN_IMM,   /* an immediate: see insn_row.imm */
	INSN_MOFFS, /* memory: the offset follows the opcode, as long as an address */
	INSN_SI,    /* memory: rSI in DS or the overriding segment */
	INSN_DI,    /* memory: rDI in ES, always */
	INSN_STACK, /* memory: the top of the stack; a destination is pushed, a source popped */
	INSN_PORT,  /* the I/O port in DX */
};

/* How wide an operand is. */
enum insn_size {
	INSN_SIZE_NONE,
	INSN_SIZE_B, /* 1 */
	INSN_SIZE_W, /* 2 */
	INSN_SIZE_D, /* 4 */
	INSN_SIZE_Q, /* 8 */
	INSN_SIZE_X, /* 16 */
	INSN_SIZE_V, /* the operand size: 2, 4 or 8 */
	INSN_SIZE_Z, /* the operand size, but at most 4 */
	INSN_SIZE_P, /* twice the operand size, at least 8: CMPXCHG8B, CMPXCHG16B */
	INSN_SIZE_S, /* what a push of a selector stores: the operand size, but 2 of 4 */
	INSN_SIZE_F, /* far pointer: an offset of the operand size, and a selector behind it */
};

/* An operand of a row: kind and width in one byte. */
#define INSN_OPERAND(kind, size) ((kind) << 4 | (size))
#define INSN_KIND(operand)	 ((operand) >> 4)
#define INSN_SIZE(operand)	 ((operand)&0xf)

/* Immediates that follow, by width; signed ones are extended to the operand's. */
enum insn_imm {
	INSN_IMM_NONE,
	INSN_IMM_B,  /* 1 byte */
	INSN_IMM_BS, /* 1 byte, signed */
	INSN_IMM_W,  /* 2 bytes */
	INSN_IMM_Z,  /* 2 or 4 bytes, signed */
};

/* What an instruction does. */
enum insn_op {
	INSN_OP_NONE, /* with INSN_NO_EXEC */
	INSN_OP_ADD,
	INSN_OP_OR,
	INSN_OP_ADC,
	INSN_OP_SBB,
	INSN_OP_AND,
	INSN_OP_SUB,
	INSN_OP_XOR,
	INSN_OP_CMP,
	INSN_OP_TEST,
	INSN_OP_NOT,
	INSN_OP_NEG,
	INSN_OP_INC,
	INSN_OP_DEC,
	INSN_OP_MOV,
	INSN_OP_MOVZX, /* the source, zero-extended */
	INSN_OP_MOVSX, /* the source, sign-extended */
	INSN_OP_MOVBE, /* the source, bytes reversed */
	INSN_OP_XCHG,
	INSN_OP_XADD,
	INSN_OP_CMPXCHG,
	INSN_OP_CMPXCHG_PAIR, /* rDX:rAX against memory, rCX:rBX into it */
	INSN_OP_BT,
	INSN_OP_BTS,
	INSN_OP_BTR,
	INSN_OP_BTC,
	INSN_OP_MOVS,
	INSN_OP_CMPS,
	INSN_OP_STOS,
	INSN_OP_LODS,
	INSN_OP_SCAS,
	INSN_OP_INS,
	INSN_OP_OUTS,
	INSN_OP_PUSH,
	INSN_OP_POP,
	INSN_OP_CALL, /* RIP is pushed; the other operand is where to go */
	INSN_OP_CALL_REL,
	INSN_OP_JMP,
	INSN_OP_RET,	  /* RIP is popped; an immediate is added to rSP */
	INSN_OP_CALL_FAR, /* CS and RIP are pushed; the other operand is where to go */
	INSN_OP_JMP_FAR,
	INSN_OP_SMSW,
	INSN_OP_LMSW,
	INSN_OP_INVPCID,
};

/* Attributes of a row. */
#define INSN_MODRM     BIT(0)  /* a ModRM byte follows the opcode */
#define INSN_REGS_ONLY BIT(1)  /* ModRM names registers whatever its mod field says */
#define INSN_DST_R     BIT(2)  /* the destination is read */
#define INSN_DST_W     BIT(3)  /* the destination is written */
#define INSN_SRC_W     BIT(4)  /* the source is written, too: XCHG, XADD */
#define INSN_LOCK      BIT(5)  /* LOCK is legal, if the destination is memory */
#define INSN_ATOMIC    BIT(6)  /* locked with memory even without the prefix: XCHG */
#define INSN_REP       BIT(7)  /* F3 and F2 repeat it */
#define INSN_REPCC     BIT(8)  /* F3 repeats it while ZF is set, F2 while it is clear */
#define INSN_NO64      BIT(9)  /* not in 64-bit mode */
#define INSN_ONLY64    BIT(10) /* in 64-bit mode only; with 66 vendors differ */
#define INSN_D64       BIT(11) /* the operand size in 64-bit mode is 8, or 2 with prefix 66 */
#define INSN_F64       BIT(12) /* so, too; with prefix 66 it is unknown: vendors differ */
#define INSN_OPREG8    BIT(13) /* eight opcodes: the low three bits name a register */
#define INSN_SSE       BIT(14) /* of the SSE state: CR0.EM, CR0.TS and CR4.OSFXSR count */
#define INSN_ALIGNED   BIT(15) /* a 16-byte operand that is not aligned is #GP(0) */
#define INSN_NO_EXEC   BIT(16) /* length and operands only */

/* Prefixes that are part of an opcode, as values of insn_row.prefix */
#define INSN_PFX_ANY   0    /* none is: 66, F2, F3 have their usual meaning */
#define INSN_PFX_NOREP 1    /* F3 or F2 makes it another instruction */
#define INSN_PFX_NONE  2    /* 66, F3 or F2 makes it another instruction */
#define INSN_PFX_66    0x66 /* 66 is there; F3 or F2 makes it another instruction */
#define INSN_PFX_F2    0xf2
#define INSN_PFX_F3    0xf3

/* ModRM.reg is no part of the opcode */
#define INSN_NO_EXT 0xff

/* Flags that arithmetic writes */
#define INSN_FLAGS_ARITH                                                                 \
	(X86_EFLAGS_CF | X86_EFLAGS_PF | X86_EFLAGS_AF | X86_EFLAGS_ZF | X86_EFLAGS_SF | \
	 X86_EFLAGS_OF)

/**
 * struct insn_row - one encoding of one instruction
 * @name: mnemonic
 * @attr: INSN_MODRM ... INSN_NO_EXEC
 * @defined: flags to which the instruction gives a value
 * @undefined: flags that the manual leaves undefined after it.  Logic clears AF; bit tests leave
 *	theirs as they were
 * @map: enum insn_map
 * @opcode: the opcode byte; with INSN_OPREG8 the first of eight
 * @ext: ModRM.reg, where that is part of the opcode, or INSN_NO_EXT
 * @prefix: INSN_PFX_*
 * @op: enum insn_op
 * @dst: the first operand, INSN_OPERAND(kind, size)
 * @src: the second operand, in the same form
 * @imm: enum insn_imm: what follows ModRM, SIB and displacement
 */
struct insn_row {
	const char *name;
	u32 attr;
	u16 defined;
	u16 undefined;
	u8 map;
	u8 opcode;
	u8 ext;
	u8 prefix;
	u8 op;
	u8 dst;
	u8 src;
	u8 imm;
};

/* insn_table.c */
extern const struct insn_row insn_rows[];
extern const unsigned int insn_nr_rows;
/* What the row of group 7 stands for, where the operand is a word in memory; and INVPCID's. */
extern const struct insn_row insn_row_smsw, insn_row_lmsw, insn_row_invpcid;

static inline bool insn_is_invpcid(const struct insn_row *row)
{
	return row->map == INSN_MAP_0F38 && row->opcode == 0x82;
}

/* Does a row's instruction load a segment register, but for CS? */
static inline bool insn_loads_segment(const struct insn_row *row)
{
	return INSN_KIND(row->dst) == INSN_SREG || INSN_KIND(row->dst) == INSN_OPSEG;
}

static inline bool insn_is_far(const struct insn_row *row)
{
	return row->op == INSN_OP_CALL_FAR || row->op == INSN_OP_JMP_FAR;
}

/* No general register: no base, no index. */
#define INSN_NO_REG 0xff
/* No segment override. */
#define INSN_NO_SEG 0xff

/**
 * struct x86_insn - one instruction, decoded
 * @row: its row
 * @bytes: as they stand in memory
 * @nr_bytes: how many of them could be read
 * @len: its length
 * @opcode: without prefixes: xx, 0f xx, or 0f 38 xx
 * @modrm: the ModRM byte; 0 if there is none
 * @reg: ModRM.reg with REX.R
 * @rm: ModRM.rm with REX.B; in a row with INSN_OPREG8 the opcode's register
 * @bits: of the code segment: 16, 32, 64
 * @rex: the REX prefix; 0: none
 * @rep: F2 or F3, whichever came last; 0: none
 * @lock: there is a LOCK prefix
 * @opsize_prefix: there is a prefix 66
 * @seg: the overriding segment (enum x86_seg), or INSN_NO_SEG.  In 64-bit mode FS and GS only
 * @op_size: bytes of an operand of INSN_SIZE_V
 * @addr_size: bytes of an address
 * @is_mem: there is a memory operand described by ModRM, or by an offset behind the opcode
 * @base: its base register, or INSN_NO_REG
 * @index: its index register, or INSN_NO_REG
 * @scale: shift count of the index
 * @rip_relative: the displacement counts from the next instruction
 * @disp: displacement, sign-extended; or the offset of INSN_MOFFS
 * @imm: immediate, extended as the row says
 */
struct x86_insn {
	const struct insn_row *row;
	u8 bytes[INSN_MAX_LEN];
	u8 nr_bytes;
	u8 len;
	u8 opcode[3];
	u8 modrm;
	u8 reg;
	u8 rm;
	u8 bits;
	u8 rex;
	u8 rep;
	bool lock;
	bool opsize_prefix;
	u8 seg;
	u8 op_size;
	u8 addr_size;
	bool is_mem;
	u8 base;
	u8 index;
	u8 scale;
	bool rip_relative;
	s64 disp;
	u64 imm;
};

/* What became of decoding. */
enum insn_verdict {
	INSN_OK,
	INSN_SHORT,	/* it goes on behind the bytes that could be read */
	INSN_LONG,	/* longer than 15 bytes: #GP(0) */
	INSN_UNDEFINED, /* no processor has it: #UD */
	INSN_UNKNOWN,	/* no row of the table */
};

/* insn_decode.c: insn->bytes and nr_bytes are set; @bits of the code segment. */
enum insn_verdict __must_check insn_decode(struct x86_insn *insn, unsigned int bits);
unsigned int insn_operand_size(const struct x86_insn *insn, u8 operand);
u8 insn_segment(const struct x86_insn *insn, u8 operand); /* INSN_SREG, INSN_OPSEG: which one */

#endif /* MKVM_X86_INSN_H */
