// SPDX-License-Identifier: GPL-2.0-only
/*
 * The page that KVM_RUN shares with user space, but for the exits: the task priority, what user
 * space has to know to inject an interrupt, and registers that need no ioctl (KVM_CAP_SYNC_REGS).
 *
 * User space may write there at any time: each field is read once.
 */
#include <linux/kvm.h>
#include <asm/processor-flags.h>
#include "irqchip/lapic.h"
#include "x86/x86.h"

/* Registers that user space has changed in the page. */
static int run_take_regs(struct mkvm_vcpu *vcpu)
{
	struct kvm_regs regs = vcpu->run->s.regs.regs;

	x86_put_regs(vcpu, &regs);
	return 0;
}

static int run_take_sregs(struct mkvm_vcpu *vcpu)
{
	struct kvm_sregs sregs = vcpu->run->s.regs.sregs;

	return x86_put_sregs(vcpu, &sregs);
}

static int run_take_events(struct mkvm_vcpu *vcpu)
{
	struct kvm_vcpu_events events = vcpu->run->s.regs.events;

	return x86_set_vcpu_events(vcpu, &events);
}

/* What was taken is not dirty any more; after an error the rest still is. */
static int run_take(struct mkvm_vcpu *vcpu, u64 dirty, u64 bit, int (*take)(struct mkvm_vcpu *vcpu))
{
	int r;

	if (!(dirty & bit))
		return 0;
	r = take(vcpu);
	if (!r)
		vcpu->run->kvm_dirty_regs &= ~bit;
	return r;
}

/* KVM_RUN begins; the vCPU is loaded.  0, or -EINVAL. */
int x86_run_begin(struct mkvm_vcpu *vcpu)
{
	struct kvm_run *run = vcpu->run;
	u64 valid = READ_ONCE(run->kvm_valid_regs);
	u64 dirty = READ_ONCE(run->kvm_dirty_regs);
	int r;

	run->flags = 0;
	if ((valid | dirty) & ~(u64)KVM_SYNC_X86_VALID_FIELDS)
		return -EINVAL;
	r = run_take(vcpu, dirty, KVM_SYNC_X86_REGS, run_take_regs);
	if (!r)
		r = run_take(vcpu, dirty, KVM_SYNC_X86_SREGS, run_take_sregs);
	if (!r)
		r = run_take(vcpu, dirty, KVM_SYNC_X86_EVENTS, run_take_events);
	if (r)
		return r;
	/* With a local APIC in the kernel that has the task priority. */
	return vcpu->lapic ? 0 : x86_set_cr8(vcpu, READ_ONCE(run->cr8));
}

static bool run_ready_for_interrupt(struct mkvm_vcpu *vcpu)
{
	/* An interrupt of user space's 8259 pair comes by LINT0. */
	if (vcpu->lapic && (!lapic_takes_pic(vcpu) || vcpu->lapic->external >= 0))
		return false;
	return x86_event_idle(vcpu) && x86_interrupt_allowed(vcpu);
}

/* Does user space wait for the moment when it can inject an interrupt?  It has to have some. */
bool x86_run_wants_window(const struct mkvm_vcpu *vcpu)
{
	return READ_ONCE(vcpu->run->request_interrupt_window) &&
	       irqchip_mode(&vcpu->vm->irqchip) != IRQCHIP_KERNEL;
}

/* User space waits for this moment: KVM_EXIT_IRQ_WINDOW_OPEN is due. */
bool x86_run_window_open(struct mkvm_vcpu *vcpu)
{
	if (!x86_run_wants_window(vcpu) || !run_ready_for_interrupt(vcpu))
		return false;
	vcpu->run->exit_reason = KVM_EXIT_IRQ_WINDOW_OPEN;
	return true;
}

/* KVM_RUN ends, whatever it returns; the vCPU is loaded. */
void x86_run_end(struct mkvm_vcpu *vcpu)
{
	struct kvm_run *run = vcpu->run;
	u64 valid = READ_ONCE(run->kvm_valid_regs);

	if (valid & KVM_SYNC_X86_REGS)
		x86_get_regs(vcpu, &run->s.regs.regs);
	if (valid & KVM_SYNC_X86_SREGS)
		x86_get_sregs(vcpu, &run->s.regs.sregs);
	if (valid & KVM_SYNC_X86_EVENTS)
		x86_get_vcpu_events(vcpu, &run->s.regs.events);
	run->ready_for_interrupt_injection =
		irqchip_mode(&vcpu->vm->irqchip) == IRQCHIP_KERNEL || run_ready_for_interrupt(vcpu);
	x86_fetch(vcpu, X86_ST_RFLAGS);
	run->if_flag = !!(vcpu->x86.rflags & X86_EFLAGS_IF);
	run->cr8 = vcpu->x86.cr8;
	run->apic_base = vcpu->x86.apic_base;
}
