/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Into the guest and back.
 *
 * VMRUN switches RAX, RSP, RIP, RFLAGS, the control registers, EFER, the tables' addresses and the
 * segments CS, SS, DS and ES.  VMLOAD and VMSAVE switch FS, GS, LDTR, TR and the MSRs of SYSCALL
 * and SYSENTER; the host's are saved at each entry, as modify_ldt() in another thread changes them
 * at any time.  The other general registers are switched here.
 *
 * The global interrupt flag is clear from before the first of the host's state goes until the last
 * of it is back: not even an NMI comes in between.  VMRUN wants RFLAGS.IF set, as with
 * V_INTR_MASKING the host's flag says whether an interrupt makes the guest exit.
 */
#include <linux/linkage.h>
#include <asm/alternative.h>
#include <asm/asm.h>
#include <asm/bitsperlong.h>
#include <asm/cpufeatures.h>
#include <asm/nospec-branch.h>

/* enum x86_gpr of x86/state.h */
#define GPR_RCX		(1 * 8)
#define GPR_RDX		(2 * 8)
#define GPR_RBX		(3 * 8)
#define GPR_RBP		(5 * 8)
#define GPR_RSI		(6 * 8)
#define GPR_RDI		(7 * 8)
#define GPR_R8		(8 * 8)
#define GPR_R9		(9 * 8)
#define GPR_R10		(10 * 8)
#define GPR_R11		(11 * 8)
#define GPR_R12		(12 * 8)
#define GPR_R13		(13 * 8)
#define GPR_R14		(14 * 8)
#define GPR_R15		(15 * 8)

/* On the stack while the guest runs */
#define STACK_HOST_STATE	(0 * 8)
#define STACK_GPRS		(1 * 8)
#define STACK_BYTES		(2 * 8)

	.section .noinstr.text, "ax"

/*
 * bool svm_vmenter(u64 *gpr, hpa_t vmcb, hpa_t host_state)
 *
 * Interrupts off.  False: SVM is off on this CPU, and nothing has happened.
 */
SYM_FUNC_START(svm_vmenter)
	push	%rbp
	push	%r15
	push	%r14
	push	%r13
	push	%r12
	push	%rbx
	push	%rdi
	push	%rdx

.Lclgi:	clgi
	/*
	 * The host's interrupts end the guest's run; none comes before.  Right in front of VMRUN
	 * the shadow of STI would become the guest's when an exit comes at once.
	 */
	sti
	mov	%rdx, %rax
	vmsave	%rax
	mov	%rsi, %rax
	vmload	%rax

	mov	GPR_RCX(%rdi), %rcx
	mov	GPR_RDX(%rdi), %rdx
	mov	GPR_RBX(%rdi), %rbx
	mov	GPR_RBP(%rdi), %rbp
	mov	GPR_RSI(%rdi), %rsi
	mov	GPR_R8(%rdi), %r8
	mov	GPR_R9(%rdi), %r9
	mov	GPR_R10(%rdi), %r10
	mov	GPR_R11(%rdi), %r11
	mov	GPR_R12(%rdi), %r12
	mov	GPR_R13(%rdi), %r13
	mov	GPR_R14(%rdi), %r14
	mov	GPR_R15(%rdi), %r15
	mov	GPR_RDI(%rdi), %rdi

	VM_CLEAR_CPU_BUFFERS
	vmrun	%rax
	cli

	/* RAX and RSP are the host's again: the control block, and the stack above. */
	vmsave	%rax
	mov	STACK_GPRS(%rsp), %rax
	mov	%rcx, GPR_RCX(%rax)
	mov	%rdx, GPR_RDX(%rax)
	mov	%rbx, GPR_RBX(%rax)
	mov	%rbp, GPR_RBP(%rax)
	mov	%rsi, GPR_RSI(%rax)
	mov	%rdi, GPR_RDI(%rax)
	mov	%r8, GPR_R8(%rax)
	mov	%r9, GPR_R9(%rax)
	mov	%r10, GPR_R10(%rax)
	mov	%r11, GPR_R11(%rax)
	mov	%r12, GPR_R12(%rax)
	mov	%r13, GPR_R13(%rax)
	mov	%r14, GPR_R14(%rax)
	mov	%r15, GPR_R15(%rax)
	mov	STACK_HOST_STATE(%rsp), %rax
	vmload	%rax

	/* No return has been executed yet; from here on none may go where the guest trained it. */
	FILL_RETURN_BUFFER %rax, RSB_CLEAR_LOOPS, X86_FEATURE_RSB_VMEXIT
	CALL_UNTRAIN_RET
	ALTERNATIVE_2 "", "call entry_ibpb", X86_FEATURE_ENTRY_IBPB, \
		      "call entry_ibpb", X86_FEATURE_IBPB_ON_VMEXIT

	/* No code that is speculated from here on finds a value of the guest's in a register. */
	xor	%ecx, %ecx
	xor	%edx, %edx
	xor	%ebx, %ebx
	xor	%ebp, %ebp
	xor	%esi, %esi
	xor	%edi, %edi
	xor	%r8d, %r8d
	xor	%r9d, %r9d
	xor	%r10d, %r10d
	xor	%r11d, %r11d
	xor	%r12d, %r12d
	xor	%r13d, %r13d
	xor	%r14d, %r14d
	xor	%r15d, %r15d

	/* An NMI that made the guest exit is taken here. */
	stgi
	mov	$1, %eax

.Ldone:	add	$STACK_BYTES, %rsp
	pop	%rbx
	pop	%r12
	pop	%r13
	pop	%r14
	pop	%r15
	pop	%rbp
	RET

.Loff:	xor	%eax, %eax
	jmp	.Ldone

	_ASM_EXTABLE(.Lclgi, .Loff)
SYM_FUNC_END(svm_vmenter)
