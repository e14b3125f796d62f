/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The steady guest: counts, and checks at every turn that nobody has touched its registers. Its
 * block (rdi) is laid out in steady.h, where the offsets are checked.
 */
	.section .rodata.guest, "a"
	.code64
	.globl steady_code, steady_code_end, steady_break

	.set	STOP, 0
	.set	TURNS, 8
	.set	SUM, 16
	.set	ERRORS, 24
	.set	FIRST_ERROR, 32
	.set	SEED, 40
	.set	FPU_TURNS, 48
	.set	SLOW_CHECKS, 56
	.set	SCRATCH, 64
	.set	XMM, 128
	.set	MSRS, 384
	.set	DRS, 640
	.set	DR7, 672
	.set	BREAKS, 680
	.set	WATCHED, 688
	.set	TABLE, 696
	.set	MXCSR, 704
	.set	FCW, 708

	.macro	wrong code
	mov	$\code, %esi
	cmpq	$0, ERRORS(%rdi)
	jne	.Lcounted\@
	mov	%rsi, FIRST_ERROR(%rdi)
.Lcounted\@:
	incq	ERRORS(%rdi)
	.endm

steady_code:
	.irp	n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
	movdqu	XMM + \n * 16(%rdi), %xmm\n
	.endr
	ldmxcsr	MXCSR(%rdi)
	fninit
	fldcw	FCW(%rdi)
	fldz
	lea	MSRS(%rdi), %rsi
1:	mov	(%rsi), %rcx
	test	%rcx, %rcx
	jz	2f
	mov	8(%rsi), %eax
	mov	12(%rsi), %edx
	wrmsr
	add	$16, %rsi
	jmp	1b
2:	.irp	n, 0, 1, 2, 3
	mov	DRS + \n * 8(%rdi), %rax
	mov	%rax, %dr\n
	.endr
	mov	DR7(%rdi), %rax
	mov	%rax, %dr7
	mov	SEED(%rdi), %rax
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
	mov	TABLE(%rdi), %rsi
	mov	%ebx, %eax
	and	$63, %eax
	add	%rbx, (%rsi, %rax, 8)

	/* General registers: code 1. */
	mov	SEED(%rdi), %rax
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
	/* Vector registers, and how both units round: code 2. */
	xor	%edx, %edx
	.irp	n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
	movdqu	%xmm\n, SCRATCH(%rdi)
	mov	SCRATCH(%rdi), %rax
	xor	XMM + \n * 16(%rdi), %rax
	or	%rax, %rdx
	mov	SCRATCH + 8(%rdi), %rax
	xor	XMM + 8 + \n * 16(%rdi), %rax
	or	%rax, %rdx
	.endr
	stmxcsr	SCRATCH(%rdi)
	mov	SCRATCH(%rdi), %eax
	xor	MXCSR(%rdi), %eax
	or	%rax, %rdx
	fnstcw	SCRATCH(%rdi)
	movzwl	SCRATCH(%rdi), %eax
	xor	FCW(%rdi), %eax
	or	%rax, %rdx
	jz	4f
	wrong	2
4:	mov	%rbx, TURNS(%rdi)
	mov	%rbp, SUM(%rdi)
	test	$1023, %ebx
	jz	slow
5:	cmpq	$0, STOP(%rdi)
	je	turn
	cmp	%rbx, WATCHED(%rdi)
	jne	slow
	fistpll	FPU_TURNS(%rdi)
	hlt

	/* Every 1024th turn and the last, for these may exit.  MSRs: code 3; debug registers: 4. */
slow:	lea	MSRS(%rdi), %rsi
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
8:	xor	%edx, %edx
	.irp	n, 0, 1, 2, 3
	mov	%dr\n, %rax
	xor	DRS + \n * 8(%rdi), %rax
	or	%rax, %rdx
	.endr
	mov	%dr7, %rax
	xor	DR7(%rdi), %rax
	or	%rax, %rdx
	jz	9f
	wrong	4
9:	incq	SLOW_CHECKS(%rdi)
	mov	%rbx, WATCHED(%rdi)
	jmp	5b

	/* #DB, of DR3 and of nothing else: code 5. */
steady_break:
	push	%rax
	push	%rsi
	incq	BREAKS(%rdi)
	mov	%dr6, %rax
	and	$0xe00f, %eax
	cmp	$8, %eax
	je	10f
	wrong	5
10:	mov	$0xffff0ff0, %eax
	mov	%rax, %dr6
	pop	%rsi
	pop	%rax
	iretq
steady_code_end:
	.section .note.GNU-stack, "", @progbits
