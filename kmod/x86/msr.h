/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Model-specific registers: what the files of this noun offer each other.
 *
 * An access is the guest's (RDMSR, WRMSR) or the host's (KVM_GET_MSRS, KVM_SET_MSRS); the host may
 * more.  What a refusal is called tells user space why, if it has asked to be told.
 */
#ifndef MKVM_X86_MSR_H
#define MKVM_X86_MSR_H

#include "x86/x86.h"

enum msr_result {
	MSR_OK,
	MSR_UNKNOWN,  /* there is no such register */
	MSR_INVALID,  /* there is; not this access, or not this value */
	MSR_FILTERED, /* user space has forbidden it */
};

enum msr_who {
	MSR_BY_GUEST,
	MSR_BY_HOST,
};

/* msr.c; the vCPU is loaded */
enum msr_result msr_read(struct mkvm_vcpu *vcpu, u32 index, enum msr_who who,
			 u64 *value) __must_check;
enum msr_result msr_write(struct mkvm_vcpu *vcpu, u32 index, enum msr_who who,
			  u64 value) __must_check;

#endif /* MKVM_X86_MSR_H */
