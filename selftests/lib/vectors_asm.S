/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The 64-bit guest's handlers for all vectors: see vectors.h.  Runs at VEC_CODE; so as to be linked
 * anywhere it addresses nothing of itself but by jumps.
 */
#include "vectors.h"

#define WITH_ERROR_CODE ((1 << 8) | (0x1f << 10) | (1 << 17) | (1 << 21) | (1 << 29) | (1 << 30))

	.section .rodata.guest, "a"
	.code64
	.globl vec_code, vec_code_end
vec_code:
	vector = 0
	.rept 256
	.if vector >= 32 || ((WITH_ERROR_CODE >> (vector & 31)) & 1) == 0
	push	$0
	.endif
	push	$vector
	.byte	0xe9			/* a near jump, whatever the distance */
	.long	vec_common - . - 4
	.balign	VEC_STUB_SIZE
	vector = vector + 1
	.endr

/* The stack: vector, error code, rip, cs, rflags, rsp, ss. */
vec_common:
	push	%rax
	push	%rcx
	push	%rdx
	/*
	 * Right before HLT, though STI stands before that: some emulators forget the shadow.  What
	 * it was to wait for has come.
	 */
	mov	40(%rsp), %rdx
	cmpb	$0xf4, (%rdx)
	jne	7f
	incq	40(%rsp)
7:	mov	24(%rsp), %rdx
	lock incq VEC_COUNTS(,%rdx,8)
	/* Which CPU it is, its stack says. */
	mov	%esp, %ecx
	sub	$VEC_STACKS, %ecx
	shr	$12, %ecx
	incq	VEC_ARRIVED(,%rcx,8)
	shl	$8, %ecx
	or	%edx, %ecx
	mov	$1, %eax
	lock xadd %eax, VEC_LOG
	cmp	$VEC_LOG_MAX, %eax
	jae	1f
	mov	%ecx, VEC_LOG + 8(,%rax,4)
1:	testb	$VEC_SKIPS, VEC_ENDS(%rdx)
	jz	8f
	addq	$2, 40(%rsp)
8:	mov	VEC_ENDS(%rdx), %cl
	and	$0x3f, %cl
	xor	%eax, %eax
	cmp	$VEC_END_XAPIC, %cl
	jne	3f
	mov	$APIC_GPA + APIC_EOI, %edx
	mov	%eax, (%rdx)
	jmp	6f
3:	cmp	$VEC_END_X2APIC, %cl
	jne	4f
	mov	$MSR_X2APIC + (APIC_EOI >> 4), %ecx
	xor	%edx, %edx
	wrmsr
	jmp	6f
4:	mov	$0x20, %al
	cmp	$VEC_END_SLAVE, %cl
	jne	5f
	out	%al, $0xa0
	out	%al, $0x20
5:	cmp	$VEC_END_MASTER, %cl
	jne	6f
	out	%al, $0x20
6:	pop	%rdx
	pop	%rcx
	pop	%rax
	add	$16, %rsp
	iretq
vec_code_end:
	.section .note.GNU-stack, "", @progbits
