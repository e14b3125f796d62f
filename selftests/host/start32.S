/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Of the AMD host: what stands in a kernel image where the decompressor was. The kernel's own setup
 * code, which asked the firmware for its memory map, comes here in protected mode, with the boot
 * parameters in ESI; the kernel proper lies where it is linked to, uncompressed. boot-image makes
 * that image, puts the entry's address at offset 8 and page tables, which map the first 4 GiB to
 * themselves, behind. Five levels if processor and kernel have them, as the decompressor would.
 */

#define START		0x100000	/* boot-image has the same */
#define PML5		(START + 0x1000)
#define PML4		(START + 0x2000)

#define XLOADFLAGS	0x236		/* of the boot parameters */
#define FIVE_LEVELS	0x40		/* the kernel was built with them */
#define CPUID7_ECX_LA57	0x10000
#define CR4_PAE		0x20
#define CR4_LA57	0x1000

	.code32
	.section .text
	.globl	_start
_start:
	jmp	1f
	.balign	8
entry:	.quad	0

1:	cli
	lgdtl	gdt_pointer
	movl	$PML4, %ebp
	movl	$CR4_PAE, %edi
	testb	$FIVE_LEVELS, XLOADFLAGS(%esi)
	jz	2f
	xorl	%eax, %eax
	cpuid
	cmpl	$7, %eax
	jb	2f
	movl	$7, %eax
	xorl	%ecx, %ecx
	cpuid
	testl	$CPUID7_ECX_LA57, %ecx
	jz	2f
	movl	$PML5, %ebp
	orl	$CR4_LA57, %edi

2:	movl	%edi, %cr4
	movl	%ebp, %cr3
	movl	$0xc0000080, %ecx	/* EFER.LME */
	rdmsr
	orl	$0x100, %eax
	wrmsr
	movl	%cr0, %eax
	orl	$0x80000000, %eax	/* CR0.PG */
	movl	%eax, %cr0
	ljmpl	$0x10, $long_mode

	.code64
long_mode:
	movl	$0x18, %eax
	movl	%eax, %ds
	movl	%eax, %es
	movl	%eax, %fs
	movl	%eax, %gs
	movl	%eax, %ss
	movl	%esi, %esi
	jmpq	*entry(%rip)

	.balign	8
gdt:	.quad	0
	.quad	0
	.quad	0x00af9a000000ffff	/* 0x10: code, 64-bit */
	.quad	0x00cf92000000ffff	/* 0x18: data */
gdt_pointer:
	.word	. - gdt - 1
	.long	gdt
