/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Option ROM of the Intel host: the firmware calls it before it looks for a disk, and it enters the
 * kernel that the emulator has put into memory.
 *
 * By then kernel, initramfs and the boot block are in place (boot-image lays them out). What only
 * the firmware knows is its memory map: that is asked for here and added to the boot parameters.
 * Then long mode on the boot block's page table, which maps the first 4 GiB to themselves, and the
 * kernel's 64-bit entry with its parameters in RSI. Never returns.
 *
 * A reboot comes by here again, when the memory holds what the kernel left: the first time a byte
 * of the clock's memory, which nobody else uses, is marked, and where it is found marked the
 * emulator is told to end.
 */

#define ROM		0xd0000		/* where the firmware finds us */
#define MAP		0x20000		/* the firmware's memory map, until it is copied */
#define MAP_ENTRY	20
#define MAP_MAX		32

#define CMOS_MARK	0x7f
#define MARK		0xa5
#define SHUTDOWN_PORT	0x8900		/* of the emulator: ends it when it has got the word */

/* boot block; boot-image has the same offsets */
#define BLOCK		0xe00000
#define PAGE_TABLE	BLOCK
#define PARAMS		(BLOCK + 0x2000)
#define KERNEL_ENTRY	(BLOCK + 0x4000)

/* offsets of the boot protocol's parameters */
#define E820_ENTRIES	0x1e8
#define E820_TABLE	0x2d0

	.code16
	.section .text
	.globl	_start
_start:
	.byte	0x55, 0xaa
	.byte	2			/* of 512 bytes; boot-image pads, and makes the sum 0 */

	/* offset 3: the firmware calls */
	movb	$CMOS_MARK, %al
	outb	%al, $0x70
	inb	$0x71, %al
	cmpb	$MARK, %al
	je	again
	movb	$MARK, %al
	outb	%al, $0x71

	movw	$(MAP >> 4), %ax
	movw	%ax, %es
	xorw	%di, %di
	xorl	%ebx, %ebx
	xorl	%ebp, %ebp
1:	movl	$0xe820, %eax
	movl	$0x534d4150, %edx	/* SMAP */
	movl	$MAP_ENTRY, %ecx
	int	$0x15
	jc	2f
	incl	%ebp
	addw	$MAP_ENTRY, %di
	cmpl	$MAP_MAX, %ebp
	je	2f
	testl	%ebx, %ebx
	jnz	1b

2:	cli
	inb	$0x92, %al		/* A20 */
	orb	$2, %al
	andb	$0xfe, %al
	outb	%al, $0x92

	lgdtl	%cs:gdt_pointer - _start
	movl	$0x20, %eax		/* CR4.PAE */
	movl	%eax, %cr4
	movl	$PAGE_TABLE, %eax
	movl	%eax, %cr3
	movl	$0xc0000080, %ecx	/* EFER.LME */
	rdmsr
	orl	$0x100, %eax
	wrmsr
	movl	%cr0, %eax
	orl	$0x80000001, %eax	/* CR0.PG, CR0.PE */
	movl	%eax, %cr0
	ljmpl	$0x10, $(ROM + long_mode - _start)

again:	movw	$(shutdown - _start), %si
	movw	$(shutdown_end - shutdown), %cx
	movw	$SHUTDOWN_PORT, %dx
	cld
	rep outsb %cs:(%si), %dx
3:	hlt
	jmp	3b

	.code64
long_mode:
	movl	$0x18, %eax
	movl	%eax, %ds
	movl	%eax, %es
	movl	%eax, %fs
	movl	%eax, %gs
	movl	%eax, %ss
	movl	$PARAMS, %edx
	movb	%bpl, E820_ENTRIES(%rdx)
	leaq	E820_TABLE(%rdx), %rdi
	movl	$MAP, %esi
	imull	$MAP_ENTRY, %ebp, %ecx
	cld
	rep movsb
	movq	%rdx, %rsi
	movl	$KERNEL_ENTRY, %eax
	jmpq	*(%rax)

shutdown:
	.ascii	"Shutdown"
shutdown_end:

	.balign	8
gdt:	.quad	0
	.quad	0
	.quad	0x00af9a000000ffff	/* 0x10: code, 64-bit */
	.quad	0x00cf92000000ffff	/* 0x18: data */
gdt_pointer:
	.word	. - gdt - 1
	.long	ROM + gdt - _start
