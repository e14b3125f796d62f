// SPDX-License-Identifier: GPL-2.0-only
/*
 * One stay in guest mode: what goes into the control block before it, and what is read back.
 *
 * A processor refuses to enter with state that contradicts itself, and what it then leaves in the
 * block is not the guest's.  State that a processor saved is never refused; so before changed state
 * is stored everything is fetched, and after a refusal everything is stored again.
 */
#include <linux/percpu.h>
#include <linux/smp.h>
#include <trace/events/ipi.h> /* smp_send_reschedule() */
#include <asm/cpufeature.h>
#include <asm/debugreg.h>
#include <asm/trapnr.h>
#include "svm/svm.h"
#include "x86/guest_state.h"

/* Groups that can make a processor refuse. */
#define RUN_CHECKED (X86_ST_CRS | X86_ST_SEGS | X86_ST_DRS | X86_ST_MSRS)
/* Groups that are read at once: nearly every exit wants them. */
#define RUN_FETCHED (X86_ST_RIP | X86_ST_RSP | X86_ST_RFLAGS)
/* Groups that the guest cannot change, or that are taken from the processor at once. */
#define RUN_KEPT (X86_ST_PDPTRS | X86_ST_TSC | X86_ST_DRS | X86_ST_CONTROLS)

/*
 * The address that a software event pushes is behind an instruction of @len bytes.  A processor
 * with next-RIP save is told it; for another RIP goes there already, and comes back if the event
 * was not delivered.
 */
static void run_pass_insn(struct svm_vcpu *svm, u8 len)
{
	if (svm_caps_nrips())
		svm->vmcb->control.next_rip = svm->vmcb->save.rip + len;
	else
		svm->vmcb->save.rip += len;
	svm->soft_len = len;
}

static void run_inject(struct svm_vcpu *svm)
{
	struct vmcb_control_area *control = &svm->vmcb->control;
	const struct x86_event *event = &svm->vcpu.x86.event;
	u8 type = event->type;

	control->event_inj = 0;
	if (!event->pending)
		return;
	/* An IRET that was about to be executed is put off: it exits once more. */
	if (svm->iret_seen) {
		svm->iret_seen = false;
		svm_intercept_set(svm->vmcb, INTERCEPT_IRET);
	}
	if (type == X86_EVENT_SOFT_INTR || type == X86_EVENT_SOFT_EXC) {
		/* RIP stands at the INT n, INT3 or INTO: it is executed once more. */
		if (!event->insn_len)
			return;
		run_pass_insn(svm, event->insn_len);
	}
	if (type == X86_EVENT_SOFT_EXC)
		type = X86_EVENT_EXCEPTION;
	control->event_inj = event->vector | type << SVM_EVTINJ_TYPE_SHIFT | SVM_EVTINJ_VALID;
	/* In real mode no error code is pushed. */
	if (event->has_error && svm->vmcb->save.cr0 & X86_CR0_PE) {
		control->event_inj |= SVM_EVTINJ_VALID_ERR;
		control->event_inj_err = event->error;
	}
}

/*
 * The guest's DR0 to DR3 in hardware, and MOV DR no exit; DR6 and DR7 travel in the block.  No
 * breakpoint of the host's may be enabled then: the core restores those after the exit.
 */
static void run_open_drs(struct svm_vcpu *svm)
{
	const u64 *dr = svm->vcpu.x86.dr;

	set_debugreg(0, 7);
	set_debugreg(dr[0], 0);
	set_debugreg(dr[1], 1);
	set_debugreg(dr[2], 2);
	set_debugreg(dr[3], 3);
	svm->vmcb->save.dr6 = svm->vcpu.x86.dr6;
	svm->vmcb->control.intercepts[INTERCEPT_DR] = 0;
}

static void run_close_drs(struct svm_vcpu *svm)
{
	const struct vmcb_save_area *save = &svm->vmcb->save;
	struct x86_vcpu *x86 = &svm->vcpu.x86;

	get_debugreg(x86->dr[0], 0);
	get_debugreg(x86->dr[1], 1);
	get_debugreg(x86->dr[2], 2);
	get_debugreg(x86->dr[3], 3);
	x86->dr6 = save->dr6 | DR6_FIXED_1;
	x86->dr7 = save->dr7;
	svm->vmcb->control.intercepts[INTERCEPT_DR] = SVM_INTERCEPT_DRS;
	svm->drs_open = false;
}

/* The exit that comes when the guest can be interrupted: a virtual interrupt, never given. */
static void run_set_windows(struct svm_vcpu *svm)
{
	struct vmcb_control_area *control = &svm->vmcb->control;

	control->int_ctl = V_INTR_MASKING_MASK;
	if (svm->vcpu.x86.windows & X86_WINDOW_INTR) {
		control->int_ctl |= V_IRQ_MASK | V_INTR_PRIO_MASK | V_IGN_TPR_MASK;
		control->int_vector = 0;
		svm_intercept_set(svm->vmcb, INTERCEPT_VINTR);
	} else {
		svm_intercept_clear(svm->vmcb, INTERCEPT_VINTR);
	}
}

/*
 * The exit that comes when the guest can take an NMI.  There is none of the processor's: until the
 * handler of another NMI ends its IRET exits; behind an event that is delivered now the processor
 * is interrupted at once; and an instruction in an interrupt shadow, or that IRET, is stepped.
 */
static void run_set_nmi_window(struct svm_vcpu *svm)
{
	struct x86_vcpu *x86 = &svm->vcpu.x86;

	if (!(x86->windows & X86_WINDOW_NMI) || (svm->nmi_masked && !svm->iret_seen))
		return;
	if (x86->event.pending) {
		smp_send_reschedule(smp_processor_id());
		return;
	}
	/* Else it is stepped already, by the guest or by a debugger. */
	if (x86->rflags & X86_EFLAGS_TF)
		return;
	svm->step = true;
	svm->step_rip = x86->rip;
	svm->step_dr6 = x86->dr6;
	svm->vmcb->save.rflags |= X86_EFLAGS_TF;
}

/* The step is over.  IRET has taken the flag from the stack, where it was the guest's own. */
static void run_end_step(struct svm_vcpu *svm)
{
	struct x86_vcpu *x86 = &svm->vcpu.x86;
	bool done = x86->rip != svm->step_rip;

	svm->stepped = svm->step;
	if (!svm->step)
		return;
	svm->step = false;
	if (svm->iret_seen && done)
		return;
	x86->rflags &= ~(u64)X86_EFLAGS_TF;
	x86->dirty |= X86_ST_RFLAGS;
}

/* The tables that the processor walks for the guest. */
static void run_set_root(struct svm_vcpu *svm)
{
	struct vmcb *vmcb = svm->vmcb;
	hpa_t root = __sme_set(mmu_root(&svm->vcpu.mmu));
	u64 *now = &vmcb->control.nested_cr3;

	if (x86_is_shadowed(&svm->vcpu))
		now = &vmcb->save.cr3;
	if (*now != root) {
		*now = root;
		svm_cpu_flush(svm);
	}
	if (x86_paging_wants_invlpg(&svm->vcpu))
		svm_intercept_set(vmcb, INTERCEPT_INVLPG);
	else
		svm_intercept_clear(vmcb, INTERCEPT_INVLPG);
}

/* The vCPU has gone from one kind of tables to the other. */
static void run_change_tables(struct svm_vcpu *svm)
{
	x86_dirty(&svm->vcpu, X86_ST_CRS | X86_ST_PDPTRS);
	svm_vmcb_set_tables(svm);
	svm_cpu_flush(svm);
}

static void run_store(struct svm_vcpu *svm)
{
	struct mkvm_vcpu *vcpu = &svm->vcpu;
	struct vmcb *vmcb = svm->vmcb;
	struct x86_vcpu *x86 = &vcpu->x86;

	if (svm->shadowed != x86_is_shadowed(vcpu))
		run_change_tables(svm);
	if (x86->dirty & RUN_CHECKED)
		x86_fetch(vcpu, X86_ST_ALL);
	svm_state_store(svm, x86->dirty);
	x86->dirty = 0;
	vmcb->save.rax = x86->gpr[X86_RAX];
	vmcb->save.cr2 = x86->cr2;
	run_set_root(svm);
	svm_cpu_give_asid(svm);
	run_inject(svm);
	run_set_windows(svm);
	svm_apic_enter(svm);
	run_set_nmi_window(svm);
	svm_cpu_load_tsc_aux(x86->tsc_aux);
	svm_cpu_load_tsc_ratio(x86->tsc_ratio);
	/* While MOV DR exits, DR6 tells of the next #DB alone. */
	vmcb->save.dr6 = DR6_FIXED_1;
	if (svm->drs_open)
		run_open_drs(svm);
}

/* The event during whose delivery the exit came. */
static void run_load_vectored(struct svm_vcpu *svm, struct x86_event *event)
{
	u32 info = svm->vmcb->control.exit_int_info;

	*event = (struct x86_event){
		.pending = info & SVM_EXITINTINFO_VALID,
		.vector = info & SVM_EXITINTINFO_VEC_MASK,
		.type = (info & SVM_EXITINTINFO_TYPE_MASK) >> SVM_EVTINJ_TYPE_SHIFT,
		.has_error = info & SVM_EXITINTINFO_VALID_ERR,
		.error = svm->vmcb->control.exit_int_info_err,
	};
	/* SVM reports INT3 and INTO like other exceptions; nothing else raises their vectors. */
	if (event->type == X86_EVENT_EXCEPTION &&
	    (event->vector == X86_TRAP_BP || event->vector == X86_TRAP_OF))
		event->type = X86_EVENT_SOFT_EXC;
}

/* The software event that was injected goes again, and RIP is where it was raised. */
static void run_back_to_insn(struct svm_vcpu *svm)
{
	struct x86_vcpu *x86 = &svm->vcpu.x86;
	struct x86_event *event = &x86->exit.vectored;

	if (svm->soft_len && event->pending &&
	    (event->type == X86_EVENT_SOFT_INTR || event->type == X86_EVENT_SOFT_EXC)) {
		event->insn_len = svm->soft_len;
		if (!svm_caps_nrips()) {
			x86->rip -= svm->soft_len;
			x86->dirty |= X86_ST_RIP;
		}
	}
	svm->soft_len = 0;
}

/* An NMI that is injected masks others until its handler's IRET. */
static void run_update_nmi_mask(struct svm_vcpu *svm, u32 event_inj)
{
	struct x86_vcpu *x86 = &svm->vcpu.x86;

	if (svm->nmi_masked && svm->iret_seen && svm->iret_rip != x86->exit.rip) {
		svm->nmi_masked = false;
		svm->iret_seen = false;
	}
	if (event_inj & SVM_EVTINJ_VALID &&
	    (event_inj & SVM_EVTINJ_TYPE_MASK) == SVM_EVTINJ_TYPE_NMI) {
		svm->nmi_masked = true;
		svm->iret_seen = false;
		svm_intercept_set(svm->vmcb, INTERCEPT_IRET);
	}
	/* It was not delivered after all, and goes again. */
	if (x86->exit.vectored.pending && x86->exit.vectored.type == X86_EVENT_NMI) {
		svm->nmi_masked = false;
		svm_intercept_clear(svm->vmcb, INTERCEPT_IRET);
	}
}

static void run_refused(struct svm_vcpu *svm)
{
	struct x86_vcpu *x86 = &svm->vcpu.x86;

	x86->exit.reason = SVM_REFUSED;
	x86->exit.entry_failed = true;
	x86->exit.rip = x86->rip;
	x86->dirty = x86->avail;
	svm->step = false;
	svm->soft_len = 0;
	svm_cpu_take_asid(svm);
}

static void run_load(struct svm_vcpu *svm, u32 event_inj)
{
	const struct vmcb *vmcb = svm->vmcb;
	struct x86_vcpu *x86 = &svm->vcpu.x86;

	x86->gpr[X86_RAX] = vmcb->save.rax;
	x86->cr2 = vmcb->save.cr2;
	svm_state_fetch(&svm->vcpu, RUN_FETCHED);
	x86->avail = RUN_FETCHED | RUN_KEPT;
	if (x86_is_shadowed(&svm->vcpu))
		x86->avail |= X86_ST_CRS;
	x86->exit.reason = vmcb->control.exit_code;
	x86->exit.rip = x86->rip;
	x86->exit.info1 = vmcb->control.exit_info_1;
	x86->exit.info2 = vmcb->control.exit_info_2;
	run_load_vectored(svm, &x86->exit.vectored);
	run_back_to_insn(svm);
	run_end_step(svm);
	run_update_nmi_mask(svm, event_inj);
	svm_apic_exit(svm);
}

/* From the one call to the other nothing is traced or instrumented. */
static noinstr bool run_guest(struct svm_vcpu *svm, hpa_t host_state)
{
	bool entered;

	guest_state_enter();
	entered = svm_vmenter(svm->vcpu.x86.gpr, svm->vmcb_pa, host_state);
	guest_state_exit();
	return entered;
}

/* Interrupts off, loaded: see struct vendor_ops. */
void svm_run_enter(struct mkvm_vcpu *vcpu)
{
	struct svm_vcpu *svm = to_svm(vcpu);
	u32 event_inj;
	bool entered;

	run_store(svm);
	event_inj = svm->vmcb->control.event_inj;
	vcpu->x86.exit = (struct x86_exit){};
	x86_spec_before_entry();
	entered = run_guest(svm, svm_cpu_host_state());
	if (svm->drs_open)
		run_close_drs(svm);
	/* The exit leaves the guest's DR6 there; the host's next #DB would be taken for another. */
	if (svm->vmcb->save.dr6 != DR6_RESERVED)
		set_debugreg(DR6_RESERVED, 6);
	if (!entered) {
		mkvm_vm_kill(vcpu->vm, "SVM was switched off under it");
		run_refused(svm);
	} else if (svm->vmcb->control.exit_code == SVM_REFUSED) {
		run_refused(svm);
	} else {
		run_load(svm, event_inj);
	}
}
