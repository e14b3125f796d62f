// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM_GET_VCPU_EVENTS and KVM_SET_VCPU_EVENTS: what waits for delivery, as user space saves it and
 * gives it back.
 *
 * User space that has not enabled KVM_CAP_EXCEPTION_PAYLOAD knows one state of an exception only,
 * "injected", and no payload: that is delivered when the state is saved.
 */
#include <linux/string.h>
#include <asm/trapnr.h>
#include "irqchip/lapic.h"
#include "x86/x86.h"

#define EVENTS_FLAGS                                                                          \
	(KVM_VCPUEVENT_VALID_NMI_PENDING | KVM_VCPUEVENT_VALID_SIPI_VECTOR |                  \
	 KVM_VCPUEVENT_VALID_SHADOW | KVM_VCPUEVENT_VALID_SMM | KVM_VCPUEVENT_VALID_PAYLOAD | \
	 KVM_VCPUEVENT_VALID_TRIPLE_FAULT)

/* Bytes of an INT n. */
#define EVENTS_SOFT_LEN 2

static void events_get_exception(const struct mkvm_vcpu *vcpu, struct kvm_vcpu_events *events)
{
	const struct x86_exception *exception = &vcpu->x86.exception;

	/* The structure has no room for the length of INT3 and INTO: they are executed again. */
	if (exception->vector != X86_TRAP_BP && exception->vector != X86_TRAP_OF) {
		events->exception.injected = exception->state == X86_QUEUED_INJECTED;
		events->exception.pending = exception->state == X86_QUEUED_PENDING;
		if (!vcpu->vm->exception_payload)
			events->exception.injected |= events->exception.pending;
	}
	events->exception.nr = exception->vector;
	events->exception.has_error_code = exception->has_error;
	events->exception.error_code = exception->error;
	events->exception_has_payload = exception->has_payload;
	events->exception_payload = exception->payload;
}

/* The vCPU is loaded; so for the next one. */
int x86_get_vcpu_events(struct mkvm_vcpu *vcpu, struct kvm_vcpu_events *events)
{
	struct x86_vcpu *x86 = &vcpu->x86;

	x86_fetch(vcpu, X86_ST_SHADOW);
	if (atomic_read(&vcpu->nmis))
		x86_raise_nmi(vcpu, atomic_xchg(&vcpu->nmis, 0));
	if (!vcpu->vm->exception_payload && x86->exception.state == X86_QUEUED_PENDING)
		x86_event_payload(vcpu);
	memset(events, 0, sizeof(*events));
	events_get_exception(vcpu, events);
	events->interrupt.injected =
		x86->interrupt.state != X86_QUEUED_NONE && !x86->interrupt.soft;
	events->interrupt.nr = x86->interrupt.vector;
	events->interrupt.shadow = x86->shadow;
	events->nmi.injected = x86->nmi_injected;
	events->nmi.pending = x86->nmi_pending;
	events->nmi.masked = x86->nmi_masked;
	events->smi.latched_init = vcpu->lapic && test_bit(LAPIC_INIT, &vcpu->lapic->events);
	events->flags = KVM_VCPUEVENT_VALID_NMI_PENDING | KVM_VCPUEVENT_VALID_SHADOW |
			KVM_VCPUEVENT_VALID_SMM;
	if (vcpu->vm->exception_payload)
		events->flags |= KVM_VCPUEVENT_VALID_PAYLOAD;
	if (vcpu->vm->triple_fault_event) {
		events->triple_fault.pending = x86->shutdown;
		events->flags |= KVM_VCPUEVENT_VALID_TRIPLE_FAULT;
	}
	return 0;
}

static enum x86_queued events_exception_state(const struct kvm_vcpu_events *events)
{
	if ((events->flags & KVM_VCPUEVENT_VALID_PAYLOAD) && events->exception.pending)
		return X86_QUEUED_PENDING;
	return events->exception.injected ? X86_QUEUED_INJECTED : X86_QUEUED_NONE;
}

static bool events_are_valid(const struct mkvm_vcpu *vcpu, const struct kvm_vcpu_events *events)
{
	u32 flags = events->flags;

	if (flags & ~(u32)EVENTS_FLAGS)
		return false;
	if ((flags & KVM_VCPUEVENT_VALID_PAYLOAD) && !vcpu->vm->exception_payload)
		return false;
	if ((flags & KVM_VCPUEVENT_VALID_TRIPLE_FAULT) && !vcpu->vm->triple_fault_event)
		return false;
	/* There is no system management mode. */
	if ((flags & KVM_VCPUEVENT_VALID_SMM) &&
	    (events->smi.smm || events->smi.pending || events->smi.smm_inside_nmi))
		return false;
	return events_exception_state(events) == X86_QUEUED_NONE ||
	       (events->exception.nr <= 31 && events->exception.nr != X86_TRAP_NMI);
}

static void events_set_exception(struct x86_vcpu *x86, const struct kvm_vcpu_events *events)
{
	enum x86_queued state = events_exception_state(events);
	u8 vector = events->exception.nr;

	x86->exception = (struct x86_exception){
		.state = state,
		.vector = vector,
		.has_error = events->exception.has_error_code,
		.error = events->exception.error_code,
		.has_payload = state == X86_QUEUED_PENDING && events->exception_has_payload,
		.payload = events->exception_payload,
		.insn_len = vector == X86_TRAP_BP || vector == X86_TRAP_OF,
	};
}

/* Some processors know one kind of shadow only. */
static u8 events_shadow(u8 mask)
{
	if (!mkvm_vendor->shadows_differ)
		return mask ? KVM_X86_SHADOW_INT_STI | KVM_X86_SHADOW_INT_MOV_SS : 0;
	if (mask & KVM_X86_SHADOW_INT_MOV_SS)
		return KVM_X86_SHADOW_INT_MOV_SS;
	return mask & KVM_X86_SHADOW_INT_STI;
}

/* 0, or -EINVAL with nothing changed. */
int x86_set_vcpu_events(struct mkvm_vcpu *vcpu, const struct kvm_vcpu_events *events)
{
	struct x86_vcpu *x86 = &vcpu->x86;
	bool soft = events->interrupt.soft;

	if (!events_are_valid(vcpu, events))
		return -EINVAL;
	x86_dirty(vcpu, X86_ST_SHADOW);
	events_set_exception(x86, events);
	x86->interrupt = (struct x86_interrupt){
		.state = !events->interrupt.injected ? X86_QUEUED_NONE
			 : soft			     ? X86_QUEUED_INJECTED
						     : X86_QUEUED_PENDING,
		.vector = events->interrupt.nr,
		.soft = soft,
		.insn_len = soft ? EVENTS_SOFT_LEN : 0,
	};
	if (events->flags & KVM_VCPUEVENT_VALID_SHADOW)
		x86->shadow = events_shadow(events->interrupt.shadow);
	x86->nmi_injected = events->nmi.injected;
	x86->nmi_masked = events->nmi.masked;
	if (events->flags & KVM_VCPUEVENT_VALID_NMI_PENDING) {
		/* Those that others have sent, too. */
		atomic_set(&vcpu->nmis, 0);
		x86->nmi_pending = 0;
		x86_raise_nmi(vcpu, events->nmi.pending);
	}
	if (events->flags & KVM_VCPUEVENT_VALID_SMM && vcpu->lapic)
		assign_bit(LAPIC_INIT, &vcpu->lapic->events, events->smi.latched_init);
	if (events->flags & KVM_VCPUEVENT_VALID_SIPI_VECTOR && vcpu->lapic)
		WRITE_ONCE(vcpu->lapic->sipi_vector, events->sipi_vector);
	if (events->flags & KVM_VCPUEVENT_VALID_TRIPLE_FAULT)
		x86->shutdown = events->triple_fault.pending;
	return 0;
}
