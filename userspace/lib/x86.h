/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The few bits of the architecture that a guest's initial state and its tables are made of.
 */
#ifndef MKVM_USER_X86_H
#define MKVM_USER_X86_H

/* X86_CR0_*, X86_CR4_* */
#include <asm/processor-flags.h>

#define X86_EFER_SCE (1UL << 0)
#define X86_EFER_LME (1UL << 8)
#define X86_EFER_LMA (1UL << 10)
#define X86_EFER_NX  (1UL << 11)

#define X86_RFLAGS_FIXED (1UL << 1)
#define X86_RFLAGS_TF	 (1UL << 8)
#define X86_RFLAGS_IF	 (1UL << 9)
#define X86_RFLAGS_AC	 (1UL << 18)

#define X86_PTE_P  (1UL << 0)
#define X86_PTE_W  (1UL << 1)
#define X86_PTE_U  (1UL << 2)
#define X86_PTE_A  (1UL << 5)
#define X86_PTE_D  (1UL << 6)
#define X86_PTE_PS (1UL << 7)

#endif
