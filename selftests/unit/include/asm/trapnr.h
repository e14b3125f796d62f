/* SPDX-License-Identifier: GPL-2.0-only */
/* For kernel code in user space: vectors of exceptions. */
#ifndef UNIT_ASM_TRAPNR_H
#define UNIT_ASM_TRAPNR_H

#define X86_TRAP_UD 6
#define X86_TRAP_NM 7
#define X86_TRAP_NP 11
#define X86_TRAP_SS 12
#define X86_TRAP_GP 13
#define X86_TRAP_PF 14
#define X86_TRAP_AC 17

#endif
