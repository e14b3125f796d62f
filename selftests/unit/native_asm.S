/* SPDX-License-Identifier: GPL-2.0-only */
/* native_enter(native): loads all registers, jumps to native->code, comes back at native_return. */

	.bss
	.balign	8
current:
	.skip	8

	.text
	.globl	native_enter, native_return
native_enter:
	push	%rbx
	push	%rbp
	push	%r12
	push	%r13
	push	%r14
	push	%r15
	mov	%rdi, current(%rip)
	mov	%rsp, 144(%rdi)
	mov	136(%rdi), %rax
	mov	%rax, target(%rip)
	.irp	n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
	movdqu	160 + 16 * \n(%rdi), %xmm\n
	.endr
	pushq	128(%rdi)
	popfq
	mov	0(%rdi), %rax
	mov	8(%rdi), %rcx
	mov	16(%rdi), %rdx
	mov	24(%rdi), %rbx
	mov	32(%rdi), %rsp
	mov	40(%rdi), %rbp
	mov	48(%rdi), %rsi
	mov	64(%rdi), %r8
	mov	72(%rdi), %r9
	mov	80(%rdi), %r10
	mov	88(%rdi), %r11
	mov	96(%rdi), %r12
	mov	104(%rdi), %r13
	mov	112(%rdi), %r14
	mov	120(%rdi), %r15
	mov	56(%rdi), %rdi
	jmp	*target(%rip)

native_return:
	mov	%rdi, scratch(%rip)
	mov	current(%rip), %rdi
	mov	%rsp, 32(%rdi)
	mov	144(%rdi), %rsp
	mov	%rax, 0(%rdi)
	pushfq
	popq	128(%rdi)
	cld
	mov	%rcx, 8(%rdi)
	mov	%rdx, 16(%rdi)
	mov	%rbx, 24(%rdi)
	mov	%rbp, 40(%rdi)
	mov	%rsi, 48(%rdi)
	mov	%r8, 64(%rdi)
	mov	%r9, 72(%rdi)
	mov	%r10, 80(%rdi)
	mov	%r11, 88(%rdi)
	mov	%r12, 96(%rdi)
	mov	%r13, 104(%rdi)
	mov	%r14, 112(%rdi)
	mov	%r15, 120(%rdi)
	mov	scratch(%rip), %rax
	mov	%rax, 56(%rdi)
	.irp	n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
	movdqu	%xmm\n, 160 + 16 * \n(%rdi)
	.endr
	pop	%r15
	pop	%r14
	pop	%r13
	pop	%r12
	pop	%rbp
	pop	%rbx
	ret

	.bss
	.balign	8
target:
	.skip	8
scratch:
	.skip	8

	.section .note.GNU-stack, "", @progbits
