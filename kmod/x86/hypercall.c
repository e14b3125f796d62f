// SPDX-License-Identifier: GPL-2.0-only
/*
 * Hypercalls.
 *
 * A guest may use VMCALL or VMMCALL on either vendor's processor: the one that the processor does
 * not have is #UD there, which is intercepted, and the guest's code stays as it is.  mkvm offers no
 * hypercall: each is answered like one that KVM does not know.
 */
#include <linux/kvm_para.h>
#include <asm/trapnr.h>
#include "x86/x86.h"

/* ModRM bytes behind 0f 01 */
#define MODRM_VMCALL  0xc1
#define MODRM_VMMCALL 0xd9

int x86_exit_hypercall(struct mkvm_vcpu *vcpu, unsigned int len)
{
	s64 answer = -KVM_ENOSYS;

	x86_fetch(vcpu, X86_ST_CRS | X86_ST_RFLAGS | X86_ST_SEGS);
	if (x86_cpl(&vcpu->x86))
		answer = -KVM_EPERM;
	vcpu->x86.gpr[X86_RAX] = x86_is_64bit(vcpu) ? (u64)answer : (u32)answer;
	x86_skip(vcpu, len);
	return 1;
}

static bool is_hypercall(const struct x86_insn *insn)
{
	if (insn->lock || insn->rep || insn->opsize_prefix)
		return false;
	return insn->opcode[0] == 0x0f && insn->opcode[1] == 0x01 &&
	       (insn->modrm == MODRM_VMCALL || insn->modrm == MODRM_VMMCALL);
}

/* What is no hypercall is the guest's own. */
int x86_exit_guest_ud(struct mkvm_vcpu *vcpu)
{
	struct x86_insn insn;

	if (!x86_insn_decode(vcpu, &insn) && is_hypercall(&insn))
		return x86_exit_hypercall(vcpu, insn.len);
	return x86_exit_ud(vcpu);
}
