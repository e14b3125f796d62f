/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A guest that counts and never ends. Interrupts are enabled, though none ever come: see
 * guest_start() of ../lib/guest.c.
 */
	.section .text.start, "ax"
	.globl _start
_start:
	sti
1:	inc	%rax
	mov	%rax, -8(%rsp)
	jmp	1b
	.section .note.GNU-stack, "", @progbits
