/* SPDX-License-Identifier: GPL-2.0-only */
/* Registers, in the processor's own numbering. */
#ifndef MKVM_X86_REGNUM_H
#define MKVM_X86_REGNUM_H

enum x86_gpr {
	X86_RAX,
	X86_RCX,
	X86_RDX,
	X86_RBX,
	X86_RSP,
	X86_RBP,
	X86_RSI,
	X86_RDI,
	X86_R8,
	X86_R9,
	X86_R10,
	X86_R11,
	X86_R12,
	X86_R13,
	X86_R14,
	X86_R15,
	X86_NR_GPRS
};

/* The first six are in the processor's numbering. */
enum x86_seg {
	X86_ES,
	X86_CS,
	X86_SS,
	X86_DS,
	X86_FS,
	X86_GS,
	X86_LDTR,
	X86_TR,
	X86_NR_SEGS
};

#endif /* MKVM_X86_REGNUM_H */
