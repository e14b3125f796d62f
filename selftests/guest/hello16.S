/* SPDX-License-Identifier: GPL-2.0-only */
/* The flat guest that greets: real mode, from 0x7c00. The first CPU (di = 0) speaks for all. */
	.code16
	.text
	.globl _start
_start:
	test	%di, %di
	jnz	3f
	xor	%ax, %ax
	mov	%ax, %ds
	mov	$text, %si
1:	lodsb
	test	%al, %al
	jz	3f
	mov	%al, %bl
	mov	$0x3fd, %dx
2:	in	%dx, %al
	test	$0x20, %al
	jz	2b
	mov	$0x3f8, %dx
	mov	%bl, %al
	out	%al, %dx
	jmp	1b
3:	cli
	hlt
	jmp	3b
text:	.asciz	"Hello from a 16-bit guest: real mode\n"
	.section .note.GNU-stack, "", @progbits
