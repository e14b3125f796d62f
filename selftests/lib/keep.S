/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * long keep_ioctl(long fd, long request, long argument, const struct keep *in, struct keep *out):
 * ioctl() with registers filled from "in", which are stored to "out" after it. The answer is the
 * kernel's own: a negative errno.
 */
	.set	MXCSR, 256
	.set	FCW, 260
	.set	ST0, 264
	.set	SEGMENTS, 272

	.text
	.globl keep_ioctl
	.type keep_ioctl, @function
keep_ioctl:
	sub	$8, %rsp
	stmxcsr	(%rsp)
	fnstcw	4(%rsp)
	.irp	n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
	movdqu	\n * 16(%rcx), %xmm\n
	.endr
	ldmxcsr	MXCSR(%rcx)
	fldcw	FCW(%rcx)
	fildll	ST0(%rcx)
	mov	SEGMENTS(%rcx), %ds
	mov	SEGMENTS + 2(%rcx), %es
	mov	$16, %eax
	syscall
	.irp	n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
	movdqu	%xmm\n, \n * 16(%r8)
	.endr
	stmxcsr	MXCSR(%r8)
	fnstcw	FCW(%r8)
	fistpll	ST0(%r8)
	mov	%ds, SEGMENTS(%r8)
	mov	%es, SEGMENTS + 2(%r8)
	mov	%fs, SEGMENTS + 4(%r8)
	mov	%gs, SEGMENTS + 6(%r8)
	ldmxcsr	(%rsp)
	fldcw	4(%rsp)
	add	$8, %rsp
	ret
	.size keep_ioctl, . - keep_ioctl
	.section .note.GNU-stack, "", @progbits
