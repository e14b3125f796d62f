// SPDX-License-Identifier: GPL-2.0-only
/*
 * Hypercalls.
 *
 * A guest may use VMCALL or VMMCALL on either vendor's processor: the one that the processor does
 * not have is #UD there, which is intercepted, and the guest's code stays as it is.  Those that
 * wake up or interrupt other vCPUs are there for guests that were told so.
 */
#include <linux/kvm_para.h>
#include <asm/apicdef.h>
#include <asm/trapnr.h>
#include "x86/x86.h"

/* ModRM bytes behind 0f 01 */
#define MODRM_VMCALL  0xc1
#define MODRM_VMMCALL 0xd9

/**
 * struct hypercall - what the guest asks for
 * @nr: KVM_HC_*
 * @args: what goes with it
 */
struct hypercall {
	u64 nr;
	u64 args[4];
};

/* Outside 64-bit mode registers have 32 bits. */
static struct hypercall hypercall_get(struct mkvm_vcpu *vcpu)
{
	static const u8 regs[] = { X86_RBX, X86_RCX, X86_RDX, X86_RSI };
	u64 mask = x86_is_64bit(vcpu) ? U64_MAX : U32_MAX;
	struct hypercall call = { .nr = vcpu->x86.gpr[X86_RAX] & mask };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(regs); i++)
		call.args[i] = vcpu->x86.gpr[regs[i]] & mask;
	return call;
}

/* To the processors of a set: to how many it went, or a negative KVM_E*. */
static s64 hypercall_send_ipi(struct mkvm_vcpu *vcpu, const struct hypercall *call)
{
	u32 icr = call->args[3];
	const struct irq_msg msg = {
		.vector = icr & APIC_VECTOR_MASK,
		.mode = icr & APIC_MODE_MASK,
		.level = icr & APIC_INT_LEVELTRIG,
		.deassert = (icr & APIC_INT_LEVELTRIG) && !(icr & APIC_INT_ASSERT),
	};

	if (icr & (APIC_DEST_LOGICAL | APIC_DEST_ALLBUT))
		return -KVM_EINVAL;
	return irq_deliver_set(vcpu->vm, call->args, x86_is_64bit(vcpu) ? 64 : 32, call->args[2],
			       &msg);
}

/* 0, a number, or a negative KVM_E*.  The caller holds a read side of the slots. */
static s64 hypercall_do(struct mkvm_vcpu *vcpu, const struct hypercall *call)
{
	switch (call->nr) {
	case KVM_HC_VAPIC_POLL_IRQ:
		/* That there was an exit is all that is wanted. */
		return 0;
	case KVM_HC_CLOCK_PAIRING:
		return x86_kvmclock_pairing(vcpu, call->args[0], call->args[1]);
	case KVM_HC_KICK_CPU:
		if (!x86_has_pv(vcpu, KVM_FEATURE_PV_UNHALT))
			return -KVM_ENOSYS;
		irq_end_halt(vcpu->vm, call->args[1]);
		return 0;
	case KVM_HC_SEND_IPI:
		if (!x86_has_pv(vcpu, KVM_FEATURE_PV_SEND_IPI))
			return -KVM_ENOSYS;
		return hypercall_send_ipi(vcpu, call);
	default:
		return -KVM_ENOSYS;
	}
}

int x86_exit_hypercall(struct mkvm_vcpu *vcpu, unsigned int len)
{
	struct hypercall call;
	s64 answer = -KVM_EPERM;

	x86_fetch(vcpu, X86_ST_CRS | X86_ST_RFLAGS | X86_ST_SEGS);
	if (!x86_cpl(&vcpu->x86)) {
		call = hypercall_get(vcpu);
		answer = hypercall_do(vcpu, &call);
	}
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

/*
 * An undefined instruction: a hypercall by the other vendor's opcode, or INVPCID by shadow tables.
 * Else it is the guest's own.
 */
int x86_exit_guest_ud(struct mkvm_vcpu *vcpu)
{
	struct x86_insn insn;

	if (x86_insn_decode(vcpu, &insn))
		return x86_exit_ud(vcpu);
	if (is_hypercall(&insn))
		return x86_exit_hypercall(vcpu, insn.len);
	if (insn_is_invpcid(insn.row) && insn.is_mem)
		return x86_exit_invpcid(vcpu);
	return x86_exit_ud(vcpu);
}
