/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The few bits of the architecture that a guest's initial state and its tables are made of.
 */
#ifndef MKVM_USER_X86_H
#define MKVM_USER_X86_H

#define X86_CR0_PE (1UL << 0)
#define X86_CR0_MP (1UL << 1)
#define X86_CR0_EM (1UL << 2)
#define X86_CR0_TS (1UL << 3)
#define X86_CR0_ET (1UL << 4)
#define X86_CR0_NE (1UL << 5)
#define X86_CR0_WP (1UL << 16)
#define X86_CR0_NW (1UL << 29)
#define X86_CR0_CD (1UL << 30)
#define X86_CR0_PG (1UL << 31)

#define X86_CR4_DE	   (1UL << 3)
#define X86_CR4_PSE	   (1UL << 4)
#define X86_CR4_PAE	   (1UL << 5)
#define X86_CR4_PGE	   (1UL << 7)
#define X86_CR4_OSFXSR	   (1UL << 9)
#define X86_CR4_OSXMMEXCPT (1UL << 10)

#define X86_EFER_SCE (1UL << 0)
#define X86_EFER_LME (1UL << 8)
#define X86_EFER_LMA (1UL << 10)
#define X86_EFER_NX  (1UL << 11)

#define X86_RFLAGS_FIXED (1UL << 1)
#define X86_RFLAGS_TF	 (1UL << 8)
#define X86_RFLAGS_IF	 (1UL << 9)

#define X86_PTE_P  (1UL << 0)
#define X86_PTE_W  (1UL << 1)
#define X86_PTE_U  (1UL << 2)
#define X86_PTE_A  (1UL << 5)
#define X86_PTE_D  (1UL << 6)
#define X86_PTE_PS (1UL << 7)

#endif
