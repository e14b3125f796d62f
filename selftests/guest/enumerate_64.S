/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The enumerator's accesses in 64-bit mode.  Each of them ends in an exception: the page fault, or an
 * INT behind it.  Its handler goes back to who called enumerate_access(), as if that returned.
 */
#include "enumerate_asm.h"

	.text

/* void enumerate_access(const struct enumerate_entry *entry) */
	.globl enumerate_access
enumerate_access:
	push	%rbx
	push	%rbp
	push	%r12
	push	%r13
	push	%r14
	push	%r15
	mov	%rsp, saved_stack
	push	4 * 8(%rdi)
	push	3 * 8(%rdi)
	push	2 * 8(%rdi)
	push	1 * 8(%rdi)
	push	0 * 8(%rdi)
	mov	6 * 8(%rdi), %rax
	mov	5 * 8(%rdi), %rdi
	iretq

	.globl enumerate_page_fault, enumerate_int, enumerate_others
enumerate_page_fault:
	mov	%rax, enumerate_seen + SEEN_VALUE
	pop	%rax
	mov	%rax, enumerate_seen + SEEN_CODE
	mov	(%rsp), %rax
	mov	%rax, enumerate_seen + SEEN_RIP
	movq	$1, enumerate_seen + SEEN_FAULT
	jmp	leave
enumerate_int:
	mov	%rax, enumerate_seen + SEEN_VALUE
	movq	$0, enumerate_seen + SEEN_FAULT
leave:
	mov	%cr2, %rax
	mov	%rax, enumerate_seen + SEEN_CR2
	mov	saved_stack, %rsp
	pop	%r15
	pop	%r14
	pop	%r13
	pop	%r12
	pop	%rbp
	pop	%rbx
	/* Direction flag and alignment check, too, are as C wants them. */
	push	$0x202
	popfq
	ret

/* What should not come: a stub for each vector. */
	.balign	OTHER_SIZE
enumerate_others:
	vector = 0
	.rept	32
	movq	$vector, enumerate_seen + SEEN_VECTOR
	jmp	stray
	.balign	OTHER_SIZE
	vector = vector + 1
	.endr
stray:
	pop	%rax
	mov	%rax, enumerate_seen + SEEN_RIP
	pop	%rax
	mov	%rax, enumerate_seen + SEEN_CODE
	jmp	leave

/* The accesses; this page is mapped twice. */
	.balign	4096
	.globl enumerate_stubs, enumerate_read, enumerate_write
	.globl enumerate_half, enumerate_exchange, enumerate_and, enumerate_or
enumerate_stubs:
enumerate_read:
	mov	(%rdi), %rax
	int	$LEAVE_VECTOR
	.balign	16
enumerate_write:
	mov	%rax, (%rdi)
	int	$LEAVE_VECTOR
	.balign	16
enumerate_half:
	mov	%eax, (%rdi)
	int	$LEAVE_VECTOR
	.balign	16
enumerate_exchange:
	xchg	%rax, (%rdi)
	int	$LEAVE_VECTOR
	.balign	16
enumerate_and:
	lock and %rax, (%rdi)
	int	$LEAVE_VECTOR
	.balign	16
enumerate_or:
	lock or	%rax, (%rdi)
	int	$LEAVE_VECTOR
	.balign	4096

	.bss
	.balign	8
saved_stack:
	.skip	8
	.section .note.GNU-stack, "", @progbits
