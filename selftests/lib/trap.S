/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The 64-bit guest's exception handlers: one log for all vectors (struct trap of guest.h).
 * Runs at GUEST_TRAPS; so as to be linked anywhere it addresses nothing of itself but by jumps.
 */
#include "layout.h"

#define STUB_SIZE 16
#define WITH_ERROR_CODE ((1 << 8) | (0x1f << 10) | (1 << 17) | (1 << 21) | (1 << 29) | (1 << 30))

	.section .rodata.guest, "a"
	.code64
	.globl trap_code, trap_code_end
trap_code:
	vector = 0
	.rept 32
	.if ((WITH_ERROR_CODE >> vector) & 1) == 0
	push	$0
	.endif
	push	$vector
	.byte	0xe9			/* a near jump, whatever the distance */
	.long	trap_common - . - 4
	.balign	STUB_SIZE
	vector = vector + 1
	.endr

/* The stack: vector, error code, rip, cs, rflags, rsp, ss. */
trap_common:
	push	%rax
	push	%rbx
	mov	GUEST_TRAP_LOG, %eax
	cmp	$TRAP_LOG_RECORDS, %eax
	jae	1f
	shl	$6, %eax
	lea	GUEST_TRAP_LOG + TRAP_LOG_FIRST(%rax), %rax
	mov	16(%rsp), %rbx
	mov	%rbx, (%rax)
	mov	24(%rsp), %rbx
	mov	%rbx, 8(%rax)
	mov	32(%rsp), %rbx
	mov	%rbx, 16(%rax)
	mov	40(%rsp), %rbx
	mov	%rbx, 24(%rax)
	mov	48(%rsp), %rbx
	mov	%rbx, 32(%rax)
	mov	56(%rsp), %rbx
	mov	%rbx, 40(%rax)
	mov	%cr2, %rbx
	mov	%rbx, 48(%rax)
	mov	%dr6, %rbx
	mov	%rbx, 56(%rax)
1:	incq	GUEST_TRAP_LOG
	pop	%rbx
	pop	%rax
	add	$16, %rsp
	test	%r15, %r15
	jz	2f
	mov	%r15, (%rsp)
	iretq
2:	hlt
	jmp	2b
trap_code_end:
	.section .note.GNU-stack, "", @progbits
