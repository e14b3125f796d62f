/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The steady guest: counts, and checks at every turn that nobody has touched its registers. Its
 * block (rdi) is laid out in steady.h, where the offsets are checked.
 */
	.section .rodata.guest, "a"
	.code64
	.globl steady_code, steady_code_end

	.macro	wrong code
	mov	$\code, %esi
	cmpq	$0, 24(%rdi)
	jne	.Lcounted\@
	mov	%rsi, 32(%rdi)
.Lcounted\@:
	incq	24(%rdi)
	.endm

steady_code:
	.irp	n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
	movdqu	128 + \n * 16(%rdi), %xmm\n
	.endr
	fninit
	fldz
	lea	384(%rdi), %rsi
1:	mov	(%rsi), %rcx
	test	%rcx, %rcx
	jz	2f
	mov	8(%rsi), %eax
	mov	12(%rsi), %edx
	wrmsr
	add	$16, %rsi
	jmp	1b
2:	mov	512(%rdi), %rax
	mov	%rax, %dr0
	mov	520(%rdi), %rax
	mov	%rax, %dr1
	mov	528(%rdi), %rax
	mov	%rax, %dr2
	mov	536(%rdi), %rax
	mov	%rax, %dr3
	mov	544(%rdi), %rax
	mov	%rax, %dr7
	mov	40(%rdi), %rax
	lea	1(%rax), %r8
	lea	2(%rax), %r9
	lea	3(%rax), %r10
	lea	4(%rax), %r11
	lea	5(%rax), %r12
	lea	6(%rax), %r13
	lea	7(%rax), %r14
	lea	8(%rax), %r15
	xor	%ebx, %ebx
	xor	%ebp, %ebp

turn:	inc	%rbx
	add	%rbx, %rbp
	fld1
	faddp

	/* General registers: code 1. */
	mov	40(%rdi), %rax
	xor	%edx, %edx
	.irp	n, 8, 9, 10, 11, 12, 13, 14, 15
	inc	%rax
	mov	%r\n, %rcx
	xor	%rax, %rcx
	or	%rcx, %rdx
	.endr
	test	%rdx, %rdx
	jz	3f
	wrong	1
3:
	/* Vector registers: code 2. */
	xor	%edx, %edx
	.irp	n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
	movdqu	%xmm\n, 64(%rdi)
	mov	64(%rdi), %rax
	xor	128 + \n * 16(%rdi), %rax
	or	%rax, %rdx
	mov	72(%rdi), %rax
	xor	136 + \n * 16(%rdi), %rax
	or	%rax, %rdx
	.endr
	test	%rdx, %rdx
	jz	4f
	wrong	2
4:	mov	%rbx, 8(%rdi)
	mov	%rbp, 16(%rdi)
	test	$63, %bl
	jz	slow
5:	cmpq	$0, (%rdi)
	je	turn
	fistpll	48(%rdi)
	hlt

	/* Every 64th turn, for these may exit.  MSRs: code 3; debug registers: code 4. */
slow:	lea	384(%rdi), %rsi
6:	mov	(%rsi), %rcx
	test	%rcx, %rcx
	jz	8f
	rdmsr
	cmp	8(%rsi), %eax
	jne	7f
	cmp	12(%rsi), %edx
	jne	7f
	add	$16, %rsi
	jmp	6b
7:	wrong	3
8:	mov	%dr0, %rax
	xor	512(%rdi), %rax
	mov	%rax, %rdx
	mov	%dr1, %rax
	xor	520(%rdi), %rax
	or	%rax, %rdx
	mov	%dr2, %rax
	xor	528(%rdi), %rax
	or	%rax, %rdx
	mov	%dr3, %rax
	xor	536(%rdi), %rax
	or	%rax, %rdx
	mov	%dr7, %rax
	xor	544(%rdi), %rax
	or	%rax, %rdx
	jz	9f
	wrong	4
9:	incq	56(%rdi)
	jmp	5b
steady_code_end:
	.section .note.GNU-stack, "", @progbits
