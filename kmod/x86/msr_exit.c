// SPDX-License-Identifier: GPL-2.0-only
/*
 * RDMSR and WRMSR in the guest.
 *
 * What is refused is #GP(0), unless user space wants to see refusals of this kind: then it is
 * KVM_EXIT_X86_RDMSR or KVM_EXIT_X86_WRMSR, and the next KVM_RUN completes the instruction with
 * user space's answer.
 */
#include <linux/kvm.h>
#include <linux/string.h>
#include <asm/trapnr.h>
#include "x86/msr.h"

/* KVM_CAP_X86_USER_SPACE_MSR: @reasons of KVM_MSR_EXIT_REASON_*. */
int x86_msr_user_space(struct mkvm *vm, u64 reasons)
{
	WRITE_ONCE(vm->msr_exit_reasons, reasons);
	return 0;
}

/* KVM_CAP_MSR_PLATFORM_INFO: may the guest read that register? */
int x86_msr_platform_info(struct mkvm *vm, u64 readable)
{
	WRITE_ONCE(vm->no_platform_info, !readable);
	return 0;
}

static int msr_done(struct mkvm_vcpu *vcpu, bool refused, unsigned int len)
{
	if (refused)
		x86_raise_error(vcpu, X86_TRAP_GP, 0);
	else
		x86_skip(vcpu, len);
	return 1;
}

static void msr_to_regs(struct mkvm_vcpu *vcpu, u64 value)
{
	vcpu->x86.gpr[X86_RAX] = (u32)value;
	vcpu->x86.gpr[X86_RDX] = value >> 32;
}

/* Has user space left RIP where it was?  If not, its answer is to no instruction. */
static bool msr_is_current(struct mkvm_vcpu *vcpu)
{
	x86_fetch(vcpu, X86_ST_RIP);
	return vcpu->x86.rip == vcpu->msr_exit.rip;
}

static int complete_wrmsr(struct mkvm_vcpu *vcpu)
{
	if (!msr_is_current(vcpu))
		return 1;
	return msr_done(vcpu, READ_ONCE(vcpu->run->msr.error), vcpu->msr_exit.len);
}

static int complete_rdmsr(struct mkvm_vcpu *vcpu)
{
	bool refused = READ_ONCE(vcpu->run->msr.error);

	if (!msr_is_current(vcpu))
		return 1;
	if (!refused)
		msr_to_regs(vcpu, READ_ONCE(vcpu->run->msr.data));
	return msr_done(vcpu, refused, vcpu->msr_exit.len);
}

static u64 msr_exit_reason(enum msr_result result)
{
	switch (result) {
	case MSR_UNKNOWN:
		return KVM_MSR_EXIT_REASON_UNKNOWN;
	case MSR_FILTERED:
		return KVM_MSR_EXIT_REASON_FILTER;
	default:
		return KVM_MSR_EXIT_REASON_INVAL;
	}
}

/* Hands a refused access to user space, if it wants that. */
static bool msr_exit_user(struct mkvm_vcpu *vcpu, enum msr_result result, u64 value,
			  unsigned int len, bool write)
{
	u64 reason = msr_exit_reason(result);
	struct kvm_run *run = vcpu->run;

	if (!(READ_ONCE(vcpu->vm->msr_exit_reasons) & reason))
		return false;
	x86_fetch(vcpu, X86_ST_RIP);
	vcpu->msr_exit.rip = vcpu->x86.rip;
	vcpu->msr_exit.len = len;
	run->exit_reason = write ? KVM_EXIT_X86_WRMSR : KVM_EXIT_X86_RDMSR;
	run->msr.error = 0;
	memset(run->msr.pad, 0, sizeof(run->msr.pad));
	run->msr.reason = reason;
	run->msr.index = vcpu->x86.gpr[X86_RCX];
	run->msr.data = value;
	vcpu->complete_io = write ? complete_wrmsr : complete_rdmsr;
	return true;
}

int x86_exit_rdmsr(struct mkvm_vcpu *vcpu, unsigned int len)
{
	u32 index = vcpu->x86.gpr[X86_RCX];
	enum msr_result result;
	u64 value = 0;

	result = msr_is_allowed(vcpu, index, KVM_MSR_FILTER_READ)
			 ? msr_read(vcpu, index, MSR_BY_GUEST, &value)
			 : MSR_FILTERED;
	if (result == MSR_OK)
		msr_to_regs(vcpu, value);
	else if (msr_exit_user(vcpu, result, 0, len, false))
		return 0;
	return msr_done(vcpu, result != MSR_OK, len);
}

int x86_exit_wrmsr(struct mkvm_vcpu *vcpu, unsigned int len)
{
	const u64 *gpr = vcpu->x86.gpr;
	u64 value = (u32)gpr[X86_RAX] | gpr[X86_RDX] << 32;
	enum msr_result result;
	u32 index = gpr[X86_RCX];

	result = msr_is_allowed(vcpu, index, KVM_MSR_FILTER_WRITE)
			 ? msr_write(vcpu, index, MSR_BY_GUEST, value)
			 : MSR_FILTERED;
	if (result != MSR_OK && msr_exit_user(vcpu, result, value, len, true))
		return 0;
	return msr_done(vcpu, result != MSR_OK, len);
}
