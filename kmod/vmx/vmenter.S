/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Into the guest and out again: the registers that the VMCS does not hold, and what the guest may
 * have left in the processor's predictors.
 *
 * After an exit no register holds a value of the guest's, and no RET is executed, before the return
 * stack has been filled: a RET would be predicted by what the guest called.
 */
#include <linux/linkage.h>
#include <asm/alternative.h>
#include <asm/asm.h>
#include <asm/cpufeatures.h>
#include <asm/msr-index.h>
#include <asm/nospec-branch.h>
#include <asm/percpu.h>
#include <asm/segment.h>
#include <asm/unwind_hints.h>
#include "compat.h"

/* Offsets in gpr[], by enum x86_gpr. RSP is in the VMCS. */
#define GPR_RAX		(0 * 8)
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

/* The VMCS field, and enum vmenter_result. */
#define HOST_RSP_FIELD	0x6c14
#define RESULT_EXIT	0
#define RESULT_FAIL	1
#define RESULT_FAULT	2

.section .noinstr.text, "ax"

/*
 * unsigned int vmx_vmenter(u64 *gpr, unsigned long *host_rsp, bool launched)
 *
 * @host_rsp is what the VMCS has as the host's RSP.
 */
SYM_FUNC_START(vmx_vmenter)
	push %rbp
	push %rbx
	push %r12
	push %r13
	push %r14
	push %r15
	push %rdi			/* gpr, for the exit */

	cmp %rsp, (%rsi)
	je .Lhost_rsp_known
	mov $HOST_RSP_FIELD, %eax
.Lvmwrite:
	vmwrite %rsp, %rax
	jbe .Lfail
	mov %rsp, (%rsi)
.Lhost_rsp_known:

	/* The carry flag survives what follows. */
	bt $0, %edx

	mov GPR_RAX(%rdi), %rax
	mov GPR_RCX(%rdi), %rcx
	mov GPR_RDX(%rdi), %rdx
	mov GPR_RBX(%rdi), %rbx
	mov GPR_RBP(%rdi), %rbp
	mov GPR_RSI(%rdi), %rsi
	mov GPR_R8(%rdi), %r8
	mov GPR_R9(%rdi), %r9
	mov GPR_R10(%rdi), %r10
	mov GPR_R11(%rdi), %r11
	mov GPR_R12(%rdi), %r12
	mov GPR_R13(%rdi), %r13
	mov GPR_R14(%rdi), %r14
	mov GPR_R15(%rdi), %r15
	mov GPR_RDI(%rdi), %rdi

	/* What the host leaves in the processor's buffers ends here; VERW changes ZF. */
	CLEAR_CPU_BUFFERS

	/* An exit comes back with the stack of this point. */
	UNWIND_HINT_SAVE
	jnc .Lvmlaunch
.Lvmresume:
	vmresume
	jmp .Lfail
.Lvmlaunch:
	vmlaunch
	jmp .Lfail

SYM_INNER_LABEL(vmx_vmexit, SYM_L_GLOBAL)
	UNWIND_HINT_RESTORE
	ENDBR
	push %rax
	mov 8(%rsp), %rax		/* gpr */
	pop GPR_RAX(%rax)
	mov %rcx, GPR_RCX(%rax)
	mov %rdx, GPR_RDX(%rax)
	mov %rbx, GPR_RBX(%rax)
	mov %rbp, GPR_RBP(%rax)
	mov %rsi, GPR_RSI(%rax)
	mov %rdi, GPR_RDI(%rax)
	mov %r8, GPR_R8(%rax)
	mov %r9, GPR_R9(%rax)
	mov %r10, GPR_R10(%rax)
	mov %r11, GPR_R11(%rax)
	mov %r12, GPR_R12(%rax)
	mov %r13, GPR_R13(%rax)
	mov %r14, GPR_R14(%rax)
	mov %r15, GPR_R15(%rax)
	mov $RESULT_EXIT, %ebx

	/* A failed entry comes here too: its registers are the guest's as much as after an exit. */
.Lclear:
	xor %eax, %eax
	xor %ecx, %ecx
	xor %edx, %edx
	xor %ebp, %ebp
	xor %esi, %esi
	xor %edi, %edi
	xor %r8d, %r8d
	xor %r9d, %r9d
	xor %r10d, %r10d
	xor %r11d, %r11d
	xor %r12d, %r12d
	xor %r13d, %r13d
	xor %r14d, %r14d
	xor %r15d, %r15d

	FILL_RETURN_BUFFER %_ASM_CX, RSB_CLEAR_LOOPS, X86_FEATURE_RSB_VMEXIT, \
			   X86_FEATURE_RSB_VMEXIT_LITE

	/* IBRS as it was set before the guest ran does not cover the guest's predictions. */
	ALTERNATIVE "jmp .Librs_done", "", X86_FEATURE_KERNEL_IBRS
	mov PER_CPU_VAR(x86_spec_ctrl_current), %rax
	mov %rax, %rdx
	shr $32, %rdx
	mov $MSR_IA32_SPEC_CTRL, %ecx
	wrmsr
.Librs_done:

	CLEAR_BRANCH_HISTORY_VMEXIT

	mov %ebx, %eax
	add $8, %rsp
	pop %r15
	pop %r14
	pop %r13
	pop %r12
	pop %rbx
	pop %rbp
	RET

.Lfail:
	mov $RESULT_FAIL, %ebx
	jmp .Lclear
.Lfault:
	mov $RESULT_FAULT, %ebx
	jmp .Lclear

	_ASM_EXTABLE(.Lvmwrite, .Lfault)
	_ASM_EXTABLE(.Lvmresume, .Lfault)
	_ASM_EXTABLE(.Lvmlaunch, .Lfault)
SYM_FUNC_END(vmx_vmenter)

/*
 * void vmx_call_nmi(void)
 *
 * Calls the kernel's NMI handler on a frame as the processor would have pushed it; its IRET returns
 * here.
 */
SYM_FUNC_START(vmx_call_nmi)
	push %rbp
	mov %rsp, %rbp
	and $-16, %rsp
	push $__KERNEL_DS
	push %rbp
	pushf
	push $__KERNEL_CS
	call mkvm_asm_exc_nmi		/* pushes RIP */
	mov %rbp, %rsp
	pop %rbp
	RET
SYM_FUNC_END(vmx_call_nmi)
