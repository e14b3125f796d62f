/* SPDX-License-Identifier: GPL-2.0-only */
/* The enumerator's accesses in 32-bit code: see enumerate_64.S. */
#include "enumerate_asm.h"

#define SAVED 16 /* of registers */

	.text

/* void enumerate_access(const struct enumerate_entry *entry) */
	.globl enumerate_access
enumerate_access:
	push	%ebx
	push	%ebp
	push	%esi
	push	%edi
	mov	%esp, saved_stack
	mov	SAVED + 4(%esp), %edx
	/* Whose privilege stays keeps his stack. */
	testb	$3, 1 * 4(%edx)
	jz	1f
	push	4 * 4(%edx)
	push	3 * 4(%edx)
1:	push	2 * 4(%edx)
	push	1 * 4(%edx)
	push	0 * 4(%edx)
	mov	6 * 4(%edx), %eax
	mov	5 * 4(%edx), %edi
	iret

/* void enumerate_load(unsigned long cr3) */
	.globl enumerate_load
enumerate_load:
	push	%ebx
	push	%ebp
	push	%esi
	push	%edi
	mov	%esp, saved_stack
	mov	SAVED + 4(%esp), %eax
	mov	%eax, %cr3
	int	$LEAVE_VECTOR

	.globl enumerate_page_fault, enumerate_int, enumerate_others
enumerate_page_fault:
	mov	%eax, enumerate_seen + SEEN_VALUE
	pop	%eax
	mov	%eax, enumerate_seen + SEEN_CODE
	mov	(%esp), %eax
	mov	%eax, enumerate_seen + SEEN_RIP
	movl	$1, enumerate_seen + SEEN_FAULT
	jmp	leave
enumerate_int:
	mov	%eax, enumerate_seen + SEEN_VALUE
	movl	$0, enumerate_seen + SEEN_FAULT
leave:
	mov	%cr2, %eax
	mov	%eax, enumerate_seen + SEEN_CR2
	mov	saved_stack, %esp
	pop	%edi
	pop	%esi
	pop	%ebp
	pop	%ebx
	/* Direction flag and alignment check, too, are as C wants them. */
	push	$0x202
	popf
	ret

/* What should not come: a stub for each vector. */
	.balign	OTHER_SIZE
enumerate_others:
	vector = 0
	.rept	32
	movl	$vector, enumerate_seen + SEEN_VECTOR
	jmp	stray
	.balign	OTHER_SIZE
	vector = vector + 1
	.endr
stray:
	pop	%eax
	mov	%eax, enumerate_seen + SEEN_RIP
	pop	%eax
	mov	%eax, enumerate_seen + SEEN_CODE
	jmp	leave

/* The accesses; this page is mapped twice. */
	.balign	4096
	.globl enumerate_stubs, enumerate_read, enumerate_write
enumerate_stubs:
enumerate_read:
	mov	(%edi), %eax
	int	$LEAVE_VECTOR
	.balign	16
enumerate_write:
	mov	%eax, (%edi)
	int	$LEAVE_VECTOR
	.balign	4096

	.bss
	.balign	4
saved_stack:
	.skip	4
	.section .note.GNU-stack, "", @progbits
