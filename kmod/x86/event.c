// SPDX-License-Identifier: GPL-2.0-only
/*
 * Exceptions and interrupts on their way into the guest.
 *
 * One event waits for the next entry.  A second exception that comes while one waits, or while one
 * was being delivered, combines with it by the architecture's table: two contributory ones, or a
 * page fault followed by either, make a double fault; a fault on top of that shuts the processor
 * down; everything else is delivered one after the other, and the first one comes again by itself
 * when its instruction is executed again.
 */
#include <linux/percpu.h>
#include <asm/cpufeature.h>
#include <asm/debugreg.h>
#include <asm/trapnr.h>
#include "x86/x86.h"

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

static bool event_is_exception(const struct x86_event *event)
{
	return event->pending &&
	       (event->type == X86_EVENT_EXCEPTION || event->type == X86_EVENT_SOFT_EXC);
}

static void event_raise(struct mkvm_vcpu *vcpu, u8 vector, bool has_error, u32 error)
{
	struct x86_event *event = &vcpu->x86.event;

	if (event_is_exception(event)) {
		enum fault_class first = fault_class(event->vector), second = fault_class(vector);

		if (event->vector == X86_TRAP_DF) {
			event->pending = false;
			vcpu->x86.shutdown = true;
			return;
		}
		if ((first == FAULT_CONTRIBUTORY && second == FAULT_CONTRIBUTORY) ||
		    (first == FAULT_PAGE && second != FAULT_BENIGN)) {
			vector = X86_TRAP_DF;
			has_error = true;
			error = 0;
		}
	}
	*event = (struct x86_event){
		.pending = true,
		.vector = vector,
		.type = X86_EVENT_EXCEPTION,
		.has_error = has_error,
		.error = error,
	};
}

void x86_raise(struct mkvm_vcpu *vcpu, u8 vector)
{
	event_raise(vcpu, vector, false, 0);
}

void x86_raise_error(struct mkvm_vcpu *vcpu, u8 vector, u32 error)
{
	event_raise(vcpu, vector, true, error);
}

void x86_raise_db(struct mkvm_vcpu *vcpu, u64 dr6)
{
	x86_dirty(vcpu, X86_ST_DRS);
	/* Of B0 to B3 only the last exception's are set; the other bits stay until cleared. */
	vcpu->x86.dr6 = (vcpu->x86.dr6 & ~(u64)DR_TRAP_BITS) | dr6;
	vcpu->x86.dr7 &= ~DR7_GD;
	event_raise(vcpu, X86_TRAP_DB, false, 0);
}

void x86_raise_pf(struct mkvm_vcpu *vcpu, u64 addr, u32 error)
{
	vcpu->x86.cr2 = addr;
	event_raise(vcpu, X86_TRAP_PF, true, error);
}

/* An external interrupt, acknowledged already: it is delivered whatever RFLAGS.IF says. */
void x86_raise_interrupt(struct mkvm_vcpu *vcpu, u8 vector)
{
	vcpu->x86.event = (struct x86_event){
		.pending = true,
		.vector = vector,
		.type = X86_EVENT_INTR,
	};
}

/* The exit came while an event was being delivered: it waits for the next entry again. */
void x86_event_vectored(struct mkvm_vcpu *vcpu)
{
	if (vcpu->x86.exit.vectored.pending)
		vcpu->x86.event = vcpu->x86.exit.vectored;
}
