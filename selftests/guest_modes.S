/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The guest that goes from real mode up to 64-bit mode and back down, through every kind of paging.
 * At each station it stores four words: what the telling bytes gave, what is read at the aliased
 * address (0 in 16-bit code), CR0, EFER.  edi is where; it is kept all the way.
 */
#include "lib/layout.h"

#define TABLES32 GUEST_DATA
#define TABLES_PAE (GUEST_DATA + 0x10000)
#define TABLES_LONG (GUEST_DATA + 0x20000)
#define SEL_CODE64 0x08
#define SEL_DATA 0x10
#define SEL_CODE32 0x18
#define SEL_CODE16 0x20
#define SEL_DATA16 0x28
#define FAR 0x800000
#define MSR_EFER 0xc0000080

#define AT(label) (label - code_all_modes + GUEST_CODE)

	.section .rodata.guest, "a"
	.globl code_all_modes, code_all_modes_end

	/* The telling bytes of guest_modes.c; the result is ebx. */
	.macro	which
	.byte	0x31, 0xc0
	.byte	0x31, 0xdb
	.byte	0xb8, 0x34, 0x12, 0x90, 0x90
	.byte	0x48, 0x89, 0xc3
	.endm

	.macro	store_control
	mov	%cr0, %eax
	mov	%eax, 8(%edi)
	mov	$MSR_EFER, %ecx
	rdmsr
	mov	%eax, 12(%edi)
	add	$16, %edi
	.endm

	.macro	station32
	which
	mov	%ebx, (%edi)
	mov	FAR + GUEST_SHARED, %eax
	mov	%eax, 4(%edi)
	store_control
	.endm

	.macro	station16
	xor	%eax, %eax
	xor	%ebx, %ebx
	which
	mov	%ebx, (%edi)
	movl	$0, 4(%edi)
	store_control
	.endm

	.macro	change_cr0 set, clear
	mov	%cr0, %eax
	or	$\set, %eax
	and	$~\clear, %eax
	mov	%eax, %cr0
	.endm

	.code16
code_all_modes:
	mov	$GUEST_SHARED + 0x100, %edi
	station16
	lgdtl	AT(1f)
	change_cr0 1, 0
	ljmpl	$SEL_CODE32, $AT(protected)
1:	.word	0x3f
	.long	GUEST_GDT

	.code32
protected:
	mov	$SEL_DATA, %eax
	mov	%eax, %ds
	mov	%eax, %es
	mov	%eax, %ss
	mov	$GUEST_STACKS, %esp
	station32

	/* 32-bit paging on and off. */
	mov	%cr4, %eax
	or	$0x10, %eax
	mov	%eax, %cr4
	mov	$TABLES32, %eax
	mov	%eax, %cr3
	change_cr0 0x80000000, 0
	station32
	change_cr0 0, 0x80000000
	station32

	/* PAE paging on and off. */
	mov	$TABLES_PAE, %eax
	mov	%eax, %cr3
	mov	%cr4, %eax
	or	$0x20, %eax
	mov	%eax, %cr4
	change_cr0 0x80000000, 0
	station32
	change_cr0 0, 0x80000000
	station32

	/* Long mode, entered in its compatibility mode. */
	mov	$TABLES_LONG, %eax
	mov	%eax, %cr3
	mov	$MSR_EFER, %ecx
	rdmsr
	or	$0x100, %eax
	wrmsr
	change_cr0 0x80000000, 0
	station32
	ljmp	$SEL_CODE64, $AT(long)

	.code64
long:
	which
	mov	%ebx, (%rdi)
	mov	FAR + GUEST_SHARED, %eax
	mov	%eax, 4(%rdi)
	mov	%cr0, %rax
	mov	%eax, 8(%rdi)
	mov	$MSR_EFER, %ecx
	rdmsr
	mov	%eax, 12(%rdi)
	add	$16, %edi
	pushq	$SEL_CODE32
	pushq	$AT(compatibility)
	lretq

	.code32
compatibility:
	station32
	change_cr0 0, 0x80000000
	mov	$MSR_EFER, %ecx
	rdmsr
	and	$~0x100, %eax
	wrmsr
	station32
	ljmp	$SEL_CODE16, $AT(protected16)

	.code16
protected16:
	mov	$SEL_DATA16, %ax
	mov	%ax, %ds
	mov	%ax, %es
	mov	%ax, %ss
	station16
	change_cr0 0, 1
	ljmpl	$0, $AT(real)
real:
	xor	%ax, %ax
	mov	%ax, %ds
	mov	%ax, %ss
	station16
	hlt
code_all_modes_end:
	.section .note.GNU-stack, "", @progbits
