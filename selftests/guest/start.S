/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where a guest's C program starts: the launcher has set the stack and passes the CPU's number and
 * how many there are; when the program returns, the CPU halts for good.
 *
 * Interrupts are enabled, though none ever come: a CPU that waits for another one with them off may
 * hold its host's processor for ever on Bochs.  See guest_start() of ../lib/guest.c.
 */
	.section .text.start, "ax"
	.globl _start
_start:
	sti
#ifdef __x86_64__
	call	guest_main
#else
	push	%esi
	push	%edi
	call	guest_main
#endif
1:	cli
	hlt
	jmp	1b
	.section .note.GNU-stack, "", @progbits
