// SPDX-License-Identifier: GPL-2.0-only
/*
 * Whether a vCPU runs: halted, waiting for INIT or for a start-up interrupt, or running.
 *
 * With its local APIC in the kernel a vCPU waits in KVM_RUN, until it gets something or a signal
 * comes.  Without one it always runs.
 *
 * INIT brings it to the state in which all but the bootstrap processor wait for a start-up
 * interrupt; one that comes at another time is lost.
 */
#include <linux/rcuwait.h>
#include "irqchip/lapic.h"
#include "user_work.h"
#include "x86/x86.h"

/* That it was a hypercall that halted it is user space's to know. */
static bool mp_is_halted(const struct mkvm_vcpu *vcpu)
{
	return vcpu->x86.mp_state == KVM_MP_STATE_HALTED ||
	       vcpu->x86.mp_state == KVM_MP_STATE_AP_RESET_HOLD;
}

static bool mp_is_boot_cpu(const struct mkvm_vcpu *vcpu)
{
	return vcpu->x86.apic_base & MSR_IA32_APICBASE_BSP;
}

/* The vCPU was created. */
void x86_mp_reset(struct mkvm_vcpu *vcpu)
{
	bool runs = !vcpu->lapic || mp_is_boot_cpu(vcpu);

	vcpu->x86.mp_state = runs ? KVM_MP_STATE_RUNNABLE : KVM_MP_STATE_UNINITIALIZED;
}

/*
 * User space has set registers.  If they are those of the bootstrap processor after RESET, it runs:
 * who resets a VM so need not know of KVM_SET_MP_STATE, as with kvm.  The vCPU is loaded.
 */
void x86_mp_registers_set(struct mkvm_vcpu *vcpu)
{
	const struct kvm_segment *cs = &vcpu->x86.seg[X86_CS];

	x86_fetch(vcpu, X86_ST_RIP | X86_ST_CRS | X86_ST_SEGS);
	if (mp_is_boot_cpu(vcpu) && vcpu->x86.rip == 0xfff0 && cs->selector == 0xf000 &&
	    cs->base == 0xffff0000 && !(vcpu->x86.cr0 & X86_CR0_PE))
		vcpu->x86.mp_state = KVM_MP_STATE_RUNNABLE;
}

/* Real mode, at the page that the vector names. */
static void mp_start_up(struct mkvm_vcpu *vcpu, u8 vector)
{
	struct kvm_segment *cs = &vcpu->x86.seg[X86_CS];

	x86_dirty(vcpu, X86_ST_SEGS | X86_ST_RIP);
	cs->selector = vector << 8;
	cs->base = (u64)vector << 12;
	vcpu->x86.rip = 0;
	vcpu->x86.mp_state = KVM_MP_STATE_RUNNABLE;
}

/* INIT and start-up interrupts that have come.  The owner, loaded; may sleep. */
static void mp_take_events(struct mkvm_vcpu *vcpu)
{
	struct lapic *lapic = vcpu->lapic;

	if (test_and_clear_bit(LAPIC_INIT, &lapic->events)) {
		x86_reset_by_init(vcpu);
		vcpu->x86.mp_state =
			mp_is_boot_cpu(vcpu) ? KVM_MP_STATE_RUNNABLE : KVM_MP_STATE_INIT_RECEIVED;
	}
	if (!test_and_clear_bit(LAPIC_SIPI, &lapic->events))
		return;
	smp_rmb(); /* pairs with lapic_accept(): the event before the vector */
	if (vcpu->x86.mp_state == KVM_MP_STATE_INIT_RECEIVED)
		mp_start_up(vcpu, READ_ONCE(lapic->sipi_vector));
}

/* What can end a wait, as the guest's state allows it; that does not change meanwhile. */
struct mp_wake {
	bool interrupt;
	bool nmi;
};

static bool mp_wakes_up(struct mkvm_vcpu *vcpu, const struct mp_wake *wake)
{
	if (READ_ONCE(vcpu->lapic->events))
		return true;
	if (!mp_is_halted(vcpu))
		return false;
	if (wake->nmi && (vcpu->x86.nmi_pending || atomic_read(&vcpu->nmis)))
		return true;
	if (READ_ONCE(vcpu->lapic->kicked))
		return true;
	if (vcpu->x86.exception.state != X86_QUEUED_NONE || vcpu->x86.nmi_injected)
		return true;
	return wake->interrupt &&
	       (vcpu->x86.interrupt.state != X86_QUEUED_NONE || irqchip_has_interrupt(vcpu));
}

/**
 * x86_mp_wait() - waits until a vCPU runs
 * @vcpu: the vCPU; the caller is its owner, it is loaded, and no read side is held
 *
 * Context: may sleep, for as long as nothing comes.
 * Return: 1: it runs; -EINTR: a signal, with KVM_EXIT_INTR; -EIO: the VM is dead.
 */
int x86_mp_wait(struct mkvm_vcpu *vcpu)
{
	struct mp_wake wake;
	int r;

	if (!vcpu->lapic)
		return 1;
	for (;;) {
		if (READ_ONCE(vcpu->lapic->events))
			mp_take_events(vcpu);
		if (vcpu->x86.mp_state == KVM_MP_STATE_RUNNABLE)
			return 1;
		wake.interrupt = x86_interrupt_allowed(vcpu);
		wake.nmi = x86_nmi_allowed(vcpu);
		if (!mp_wakes_up(vcpu, &wake))
			rcuwait_wait_event(&vcpu->wait,
					   mp_wakes_up(vcpu, &wake) || mkvm_vm_dead(vcpu->vm),
					   TASK_INTERRUPTIBLE);
		if (mkvm_vm_dead(vcpu->vm))
			return -EIO;
		if (mp_is_halted(vcpu) && mp_wakes_up(vcpu, &wake)) {
			vcpu->x86.mp_state = KVM_MP_STATE_RUNNABLE;
			WRITE_ONCE(vcpu->lapic->kicked, false);
		}
		r = user_work_handle(vcpu->standin);
		if (r)
			return r;
	}
}

/* KVM_GET_MP_STATE.  The vCPU is loaded. */
int x86_get_mp_state(struct mkvm_vcpu *vcpu, struct kvm_mp_state *state)
{
	if (vcpu->lapic)
		mp_take_events(vcpu);
	state->mp_state = vcpu->x86.mp_state;
	/* That it was kicked is no state that user space could carry on. */
	if (mp_is_halted(vcpu) && READ_ONCE(vcpu->lapic->kicked))
		state->mp_state = KVM_MP_STATE_RUNNABLE;
	return 0;
}

/* KVM_SET_MP_STATE: 0, or -EINVAL: not had, or only with a local APIC in the kernel. */
int x86_put_mp_state(struct mkvm_vcpu *vcpu, const struct kvm_mp_state *state)
{
	switch (state->mp_state) {
	case KVM_MP_STATE_RUNNABLE:
		break;
	case KVM_MP_STATE_UNINITIALIZED:
	case KVM_MP_STATE_INIT_RECEIVED:
	case KVM_MP_STATE_HALTED:
	case KVM_MP_STATE_AP_RESET_HOLD:
		if (!vcpu->lapic)
			return -EINVAL;
		break;
	case KVM_MP_STATE_SIPI_RECEIVED:
		if (!vcpu->lapic)
			return -EINVAL;
		/* The vector is there already, or comes by KVM_SET_VCPU_EVENTS. */
		vcpu->x86.mp_state = KVM_MP_STATE_INIT_RECEIVED;
		set_bit(LAPIC_SIPI, &vcpu->lapic->events);
		return 0;
	default:
		return -EINVAL;
	}
	vcpu->x86.mp_state = state->mp_state;
	return 0;
}
