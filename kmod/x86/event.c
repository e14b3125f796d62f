// SPDX-License-Identifier: GPL-2.0-only
/*
 * Exceptions and interrupts on their way into the guest.
 *
 * What waits is PENDING: nothing that the guest can see has changed yet.  Right before an entry one
 * event is chosen and becomes INJECTED.  The exit says whether it was delivered or has to go again,
 * which it then does before all others and whatever RFLAGS.IF says.
 *
 * The order is: an exception, an NMI, an external interrupt.  For what cannot go yet a window is
 * asked for, which is an exit as soon as it could.
 *
 * A second exception that comes while one waits, or while one was being delivered, combines with it
 * by the architecture's table: two contributory ones, or a page fault followed by either, make a
 * double fault; a fault on top of that shuts the processor down; everything else is delivered one
 * after the other, and the first one comes again by itself when its instruction is executed again.
 */
#include <linux/kvm.h>
#include <linux/percpu.h>
#include <asm/cpufeature.h>
#include <asm/debugreg.h>
#include <asm/processor-flags.h>
#include <asm/trapnr.h>
#include "x86/x86.h"

/* A queued NMI and one more that waits for its end. */
#define EVENT_MAX_NMIS 2

enum fault_class {
	FAULT_BENIGN,
	FAULT_CONTRIBUTORY,
	FAULT_PAGE,
};

static enum fault_class fault_class(u8 vector)
{
	switch (vector) {
	case X86_TRAP_DE:
	case X86_TRAP_TS:
	case X86_TRAP_NP:
	case X86_TRAP_SS:
	case X86_TRAP_GP:
		return FAULT_CONTRIBUTORY;
	case X86_TRAP_PF:
		return FAULT_PAGE;
	default:
		return FAULT_BENIGN;
	}
}

static bool event_doubles(u8 first, u8 second)
{
	if (fault_class(first) == FAULT_PAGE)
		return fault_class(second) != FAULT_BENIGN;
	return fault_class(first) == FAULT_CONTRIBUTORY &&
	       fault_class(second) == FAULT_CONTRIBUTORY;
}

/* INT3 and INTO: the address that is pushed is the next instruction's. */
static bool event_is_soft(u8 vector)
{
	return vector == X86_TRAP_BP || vector == X86_TRAP_OF;
}

/* The pushed RFLAGS.RF is set: the instruction begins once more, and has hit its breakpoints. */
static bool event_is_fault(u8 vector)
{
	switch (vector) {
	case X86_TRAP_DB:
	case X86_TRAP_NMI:
	case X86_TRAP_BP:
	case X86_TRAP_OF:
	case X86_TRAP_DF:
	case X86_TRAP_MC:
		return false;
	default:
		return true;
	}
}

/*
 * DR6 and CR2 change with the delivery, or earlier: when user space reads state and would not know
 * that they still have to.
 */
void x86_event_payload(struct mkvm_vcpu *vcpu)
{
	struct x86_exception *exception = &vcpu->x86.exception;
	u64 payload = exception->payload, dr6 = vcpu->x86.dr6;

	if (!exception->has_payload)
		return;
	exception->has_payload = false;
	exception->payload = 0;
	if (exception->vector == X86_TRAP_PF)
		vcpu->x86.cr2 = payload;
	if (exception->vector != X86_TRAP_DB)
		return;
	x86_dirty(vcpu, X86_ST_DRS);
	/* Of B0 to B3 only the last exception's are set; the other bits stay until cleared. */
	dr6 = (dr6 & ~(u64)DR_TRAP_BITS) | (payload & DR6_WRITABLE);
	/* These say by 0 that something happened. */
	vcpu->x86.dr6 = (dr6 | DR6_FIXED_1) & ~(payload & DR6_ACTIVE_LOW);
}

static void event_raise(struct mkvm_vcpu *vcpu, struct x86_exception exception)
{
	struct x86_exception *old = &vcpu->x86.exception;

	if (old->state != X86_QUEUED_NONE) {
		if (old->vector == X86_TRAP_DF) {
			vcpu->x86.shutdown = true;
			return;
		}
		if (event_doubles(old->vector, exception.vector)) {
			x86_event_payload(vcpu);
			/* It is never delivered itself, but its address is the last one. */
			if (exception.vector == X86_TRAP_PF)
				vcpu->x86.cr2 = exception.payload;
			exception = (struct x86_exception){
				.vector = X86_TRAP_DF,
				.has_error = true,
			};
		}
	}
	exception.state = X86_QUEUED_PENDING;
	exception.insn_len = event_is_soft(exception.vector);
	*old = exception;
}

void x86_raise(struct mkvm_vcpu *vcpu, u8 vector)
{
	event_raise(vcpu, (struct x86_exception){ .vector = vector });
}

void x86_raise_error(struct mkvm_vcpu *vcpu, u8 vector, u32 error)
{
	event_raise(vcpu, (struct x86_exception){
				  .vector = vector,
				  .has_error = true,
				  .error = error,
			  });
}

void x86_raise_db(struct mkvm_vcpu *vcpu, u64 bits)
{
	event_raise(vcpu, (struct x86_exception){
				  .vector = X86_TRAP_DB,
				  .has_payload = true,
				  .payload = bits,
			  });
}

void x86_raise_pf(struct mkvm_vcpu *vcpu, u64 addr, u32 error)
{
	event_raise(vcpu, (struct x86_exception){
				  .vector = X86_TRAP_PF,
				  .has_error = true,
				  .error = error,
				  .has_payload = true,
				  .payload = addr,
			  });
}

/* An external interrupt, acknowledged already: it is delivered as soon as it can be. */
void x86_raise_interrupt(struct mkvm_vcpu *vcpu, u8 vector)
{
	vcpu->x86.interrupt = (struct x86_interrupt){
		.state = X86_QUEUED_PENDING,
		.vector = vector,
	};
}

/* NMIs that cannot be delivered soon become one. */
void x86_raise_nmi(struct mkvm_vcpu *vcpu, unsigned int nr)
{
	struct x86_vcpu *x86 = &vcpu->x86;
	unsigned int limit = EVENT_MAX_NMIS;

	x86_fetch(vcpu, X86_ST_SHADOW);
	if (x86->nmi_masked || x86->nmi_injected)
		limit = 1;
	x86->nmi_pending = min(x86->nmi_pending + nr, limit);
}

/* Nothing waits any more. */
void x86_event_reset(struct mkvm_vcpu *vcpu)
{
	struct x86_vcpu *x86 = &vcpu->x86;

	x86->exception = (struct x86_exception){};
	x86->interrupt = (struct x86_interrupt){};
	x86->nmi_injected = false;
	x86->nmi_pending = 0;
	atomic_set(&vcpu->nmis, 0);
	x86->event.pending = false;
	x86->shutdown = false;
}

bool x86_interrupt_allowed(struct mkvm_vcpu *vcpu)
{
	x86_fetch(vcpu, X86_ST_RFLAGS | X86_ST_SHADOW);
	return (vcpu->x86.rflags & X86_EFLAGS_IF) && !vcpu->x86.shadow;
}

bool x86_nmi_allowed(struct mkvm_vcpu *vcpu)
{
	x86_fetch(vcpu, X86_ST_SHADOW);
	return !vcpu->x86.nmi_masked && !vcpu->x86.shadow;
}

/* Nothing is half delivered, and no exception waits: what is raised now is the next. */
bool x86_event_idle(const struct mkvm_vcpu *vcpu)
{
	const struct x86_vcpu *x86 = &vcpu->x86;

	return x86->exception.state == X86_QUEUED_NONE && !x86->nmi_injected &&
	       x86->interrupt.state == X86_QUEUED_NONE;
}

static void event_choose_exception(struct mkvm_vcpu *vcpu)
{
	struct x86_vcpu *x86 = &vcpu->x86;
	struct x86_exception *exception = &x86->exception;

	if (exception->state == X86_QUEUED_PENDING) {
		if (event_is_fault(exception->vector)) {
			x86_dirty(vcpu, X86_ST_RFLAGS);
			x86->rflags |= X86_EFLAGS_RF;
		}
		x86_event_payload(vcpu);
		if (exception->vector == X86_TRAP_DB && x86->dr7 & DR7_GD) {
			x86_dirty(vcpu, X86_ST_DRS);
			x86->dr7 &= ~DR7_GD;
		}
		exception->state = X86_QUEUED_INJECTED;
	}
	x86->event = (struct x86_event){
		.pending = true,
		.vector = exception->vector,
		.type = event_is_soft(exception->vector) ? X86_EVENT_SOFT_EXC : X86_EVENT_EXCEPTION,
		.has_error = exception->has_error,
		.error = exception->error,
		.insn_len = exception->insn_len,
	};
}

static void event_choose_nmi(struct x86_vcpu *x86)
{
	x86->nmi_injected = true;
	x86->event = (struct x86_event){
		.pending = true,
		.vector = X86_TRAP_NMI,
		.type = X86_EVENT_NMI,
	};
}

/* User space may say that it is being handled already; its delivery is what masks others. */
static void event_choose_nmi_again(struct mkvm_vcpu *vcpu)
{
	x86_fetch(vcpu, X86_ST_SHADOW);
	if (vcpu->x86.nmi_masked) {
		x86_dirty(vcpu, X86_ST_SHADOW);
		vcpu->x86.nmi_masked = false;
	}
	event_choose_nmi(&vcpu->x86);
}

static void event_choose_interrupt(struct x86_vcpu *x86)
{
	struct x86_interrupt *interrupt = &x86->interrupt;

	interrupt->state = X86_QUEUED_INJECTED;
	x86->event = (struct x86_event){
		.pending = true,
		.vector = interrupt->vector,
		.type = interrupt->soft ? X86_EVENT_SOFT_INTR : X86_EVENT_INTR,
		.insn_len = interrupt->insn_len,
	};
}

/*
 * What was half delivered, and an exception goes first.  An NMI or an interrupt waits again; INT n
 * does not: it is executed again.
 */
static void event_put_off(struct x86_vcpu *x86)
{
	if (x86->nmi_injected && x86->event.type != X86_EVENT_NMI) {
		x86->nmi_injected = false;
		x86->nmi_pending = min(x86->nmi_pending + 1, EVENT_MAX_NMIS);
	}
	if (x86->interrupt.state == X86_QUEUED_INJECTED && x86->event.type != X86_EVENT_INTR &&
	    x86->event.type != X86_EVENT_SOFT_INTR)
		x86->interrupt.state = x86->interrupt.soft ? X86_QUEUED_NONE : X86_QUEUED_PENDING;
}

/* An NMI and an interrupt that have not been tried yet, or the windows for them. */
static void event_choose_new(struct mkvm_vcpu *vcpu)
{
	struct x86_vcpu *x86 = &vcpu->x86;

	if (x86->nmi_pending && !x86->event.pending && x86_nmi_allowed(vcpu)) {
		x86->nmi_pending--;
		event_choose_nmi(x86);
	}
	if (x86->nmi_pending) {
		x86_fetch(vcpu, X86_ST_RFLAGS | X86_ST_SHADOW);
		x86->windows |= X86_WINDOW_NMI;
	}
	if (x86->interrupt.state != X86_QUEUED_PENDING)
		return;
	if (!x86->event.pending && x86_interrupt_allowed(vcpu))
		event_choose_interrupt(x86);
	else
		x86->windows |= X86_WINDOW_INTR;
}

/*
 * What the 8259 pair has is acknowledged before the vCPU counts as in guest mode, and then waits
 * like what user space gives.  What comes later is a request, with which the vCPU does not enter.
 */
void x86_event_acknowledge(struct mkvm_vcpu *vcpu)
{
	struct x86_vcpu *x86 = &vcpu->x86;
	int vector;

	if (x86->debug.control & KVM_GUESTDBG_BLOCKIRQ || !x86_event_idle(vcpu) ||
	    x86->nmi_pending || !irqchip_has_external(vcpu) || !x86_interrupt_allowed(vcpu))
		return;
	vector = irqchip_take_external(vcpu);
	if (vector >= 0)
		x86_raise_interrupt(vcpu, vector);
}

/* What its local APIC has for it, or the window for what any interrupt controller has. */
static void event_choose_irqchip(struct mkvm_vcpu *vcpu)
{
	struct x86_vcpu *x86 = &vcpu->x86;
	int vector;

	if (x86->apic_delivers) {
		if (irqchip_has_external(vcpu))
			x86->windows |= X86_WINDOW_INTR;
		return;
	}
	if (!irqchip_has_interrupt(vcpu))
		return;
	if (x86->interrupt.state == X86_QUEUED_NONE && !x86->event.pending &&
	    x86_interrupt_allowed(vcpu)) {
		vector = irqchip_take_interrupt(vcpu);
		if (vector >= 0) {
			x86_raise_interrupt(vcpu, vector);
			event_choose_interrupt(x86);
		}
	}
	if (irqchip_has_interrupt(vcpu))
		x86->windows |= X86_WINDOW_INTR;
}

/* The guest is entered next: what is delivered, and when it must come out again. */
void x86_event_choose(struct mkvm_vcpu *vcpu)
{
	struct x86_vcpu *x86 = &vcpu->x86;

	x86->event.pending = false;
	x86->windows = 0;
	x86->apic_delivers = mkvm_vendor->apic_delivers && mkvm_vendor->apic_delivers(vcpu);
	if (x86->exception.state != X86_QUEUED_NONE)
		event_choose_exception(vcpu);
	else if (x86->nmi_injected)
		event_choose_nmi_again(vcpu);
	else if (x86->interrupt.state == X86_QUEUED_INJECTED)
		event_choose_interrupt(x86);
	if (x86->event.pending)
		event_put_off(x86);
	if (!(x86->debug.control & KVM_GUESTDBG_BLOCKIRQ)) {
		event_choose_new(vcpu);
		event_choose_irqchip(vcpu);
	}
	if (x86_run_wants_window(vcpu))
		x86->windows |= X86_WINDOW_INTR;
}

/* The exit came while this was being delivered. */
static void event_requeue(struct x86_vcpu *x86, const struct x86_event *event)
{
	switch (event->type) {
	case X86_EVENT_INTR:
	case X86_EVENT_SOFT_INTR:
		x86->interrupt = (struct x86_interrupt){
			.state = X86_QUEUED_INJECTED,
			.vector = event->vector,
			.soft = event->type == X86_EVENT_SOFT_INTR,
			.insn_len = event->insn_len,
		};
		break;
	case X86_EVENT_NMI:
		x86->nmi_injected = true;
		break;
	default:
		x86->exception = (struct x86_exception){
			.state = X86_QUEUED_INJECTED,
			.vector = event->vector,
			.has_error = event->has_error,
			.error = event->error,
			.insn_len = event->insn_len,
		};
	}
}

/* An exit: what was chosen is delivered, or goes again.  After a failed entry it just stays. */
void x86_event_exited(struct mkvm_vcpu *vcpu)
{
	struct x86_vcpu *x86 = &vcpu->x86;

	if (x86->exit.entry_failed)
		return;
	if (x86->exception.state == X86_QUEUED_INJECTED)
		x86->exception = (struct x86_exception){};
	if (x86->interrupt.state == X86_QUEUED_INJECTED)
		x86->interrupt = (struct x86_interrupt){};
	x86->nmi_injected = false;
	if (x86->exit.vectored.pending)
		event_requeue(x86, &x86->exit.vectored);
	else if (x86->event.pending && x86->event.type == X86_EVENT_INTR)
		vcpu->counts.interrupts++;
}
