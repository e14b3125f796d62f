// SPDX-License-Identifier: GPL-2.0-only
/*
 * A debugger in user space (KVM_SET_GUEST_DEBUG), and the guest's debug registers as user space
 * sees them.
 *
 * While user space has breakpoints in DR0 to DR3, the guest's own registers are kept in struct
 * x86_vcpu, where MOV DR finds them, and are not in force.  Single stepping is RFLAGS.TF, set when
 * it is asked for and hidden from KVM_GET_REGS; the guest sees it where it looks at its flags, and
 * carries it through interrupts as it would its own.
 */
#include <linux/kvm.h>
#include <linux/percpu.h>
#include <linux/string.h>
#include <asm/cpufeature.h>
#include <asm/debugreg.h>
#include <asm/processor-flags.h>
#include <asm/trapnr.h>
#include "x86/x86.h"

static bool debug_steps(const struct mkvm_vcpu *vcpu)
{
	return vcpu->x86.debug.control & KVM_GUESTDBG_SINGLESTEP;
}

u64 x86_linear_rip(struct mkvm_vcpu *vcpu)
{
	x86_fetch(vcpu, X86_ST_RIP | X86_ST_SEGS);
	if (x86_is_64bit(vcpu))
		return vcpu->x86.rip;
	return (u32)(vcpu->x86.seg[X86_CS].base + vcpu->x86.rip);
}

u64 x86_guest_rflags(struct mkvm_vcpu *vcpu)
{
	x86_fetch(vcpu, X86_ST_RFLAGS);
	return vcpu->x86.rflags & (debug_steps(vcpu) ? ~(u64)X86_EFLAGS_TF : ~0ull);
}

/* A step goes on from where it began only: who sends the guest elsewhere asks for it again. */
void x86_put_rflags(struct mkvm_vcpu *vcpu, u64 rflags)
{
	x86_dirty(vcpu, X86_ST_RFLAGS);
	if (debug_steps(vcpu) && x86_linear_rip(vcpu) == vcpu->x86.debug.step_rip)
		rflags |= X86_EFLAGS_TF;
	vcpu->x86.rflags = rflags | X86_EFLAGS_FIXED;
}

/* KVM_SET_GUEST_DEBUG.  The vCPU is loaded.  0; -EBUSY: an exception waits already. */
int x86_set_guest_debug(struct mkvm_vcpu *vcpu, const struct kvm_guest_debug *guest_debug)
{
	struct x86_debug *debug = &vcpu->x86.debug;
	u32 control = guest_debug->control;
	u64 rflags = x86_guest_rflags(vcpu);

	if (control & (KVM_GUESTDBG_INJECT_DB | KVM_GUESTDBG_INJECT_BP)) {
		if (vcpu->x86.exception.state == X86_QUEUED_PENDING || vcpu->x86.shutdown)
			return -EBUSY;
		x86_raise(vcpu, control & KVM_GUESTDBG_INJECT_DB ? X86_TRAP_DB : X86_TRAP_BP);
	}
	x86_dirty(vcpu, X86_ST_DRS);
	debug->control = control & KVM_GUESTDBG_ENABLE ? control : 0;
	memcpy(debug->dr, guest_debug->arch.debugreg, sizeof(debug->dr));
	debug->dr7 = (guest_debug->arch.debugreg[7] & DR7_WRITABLE) | DR7_ALWAYS_1;
	debug->step_rip = x86_linear_rip(vcpu);
	debug->stepped = false;
	x86_put_rflags(vcpu, rflags);
	return 0;
}

static int debug_exit(struct mkvm_vcpu *vcpu, u8 vector, u64 dr6)
{
	struct kvm_run *run = vcpu->run;

	run->exit_reason = KVM_EXIT_DEBUG;
	run->debug.arch = (struct kvm_debug_exit_arch){
		.exception = vector,
		.pc = x86_linear_rip(vcpu),
		.dr6 = dr6,
		.dr7 = x86_dr7(&vcpu->x86),
	};
	return 0;
}

int x86_exit_db(struct mkvm_vcpu *vcpu, u64 bits)
{
	if (vcpu->x86.debug.control & (KVM_GUESTDBG_SINGLESTEP | KVM_GUESTDBG_USE_HW_BP))
		return debug_exit(vcpu, X86_TRAP_DB, bits | DR6_FIXED_1);
	x86_raise_db(vcpu, bits);
	return 1;
}

int x86_exit_bp(struct mkvm_vcpu *vcpu)
{
	return debug_exit(vcpu, X86_TRAP_BP, 0);
}

int x86_exit_general_detect(struct mkvm_vcpu *vcpu)
{
	if (vcpu->x86.debug.control & KVM_GUESTDBG_USE_HW_BP)
		return debug_exit(vcpu, X86_TRAP_DB, DR6_BD | DR6_FIXED_1);
	x86_raise_db(vcpu, DR6_BD);
	return 1;
}

void x86_step_done(struct mkvm_vcpu *vcpu)
{
	if (debug_steps(vcpu))
		vcpu->x86.debug.stepped = true;
	else
		x86_raise_db(vcpu, DR_STEP);
}

/* True: vcpu->run says so. */
bool x86_step_exit(struct mkvm_vcpu *vcpu)
{
	if (!vcpu->x86.debug.stepped)
		return false;
	vcpu->x86.debug.stepped = false;
	debug_exit(vcpu, X86_TRAP_DB, DR_STEP | DR6_FIXED_1);
	return true;
}

/* KVM_GET_DEBUGREGS.  The vCPU is loaded; so for the next one. */
int x86_get_debugregs(struct mkvm_vcpu *vcpu, struct kvm_debugregs *regs)
{
	x86_fetch(vcpu, X86_ST_DRS);
	if (!vcpu->vm->exception_payload && vcpu->x86.exception.state == X86_QUEUED_PENDING)
		x86_event_payload(vcpu);
	memset(regs, 0, sizeof(*regs));
	memcpy(regs->db, vcpu->x86.dr, sizeof(regs->db));
	regs->dr6 = vcpu->x86.dr6;
	regs->dr7 = vcpu->x86.dr7;
	return 0;
}

/* KVM_SET_DEBUGREGS.  0, or -EINVAL with nothing changed. */
int x86_set_debugregs(struct mkvm_vcpu *vcpu, const struct kvm_debugregs *regs)
{
	if (regs->flags || regs->dr6 >> 32 || regs->dr7 >> 32)
		return -EINVAL;
	x86_dirty(vcpu, X86_ST_DRS);
	memcpy(vcpu->x86.dr, regs->db, sizeof(regs->db));
	vcpu->x86.dr6 = regs->dr6;
	vcpu->x86.dr7 = regs->dr7;
	return 0;
}
