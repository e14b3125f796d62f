// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM_RUN: into the guest, out again, and what the exit asks for, until user space is needed.
 */
#include <linux/entry-kvm.h>
#include <linux/kvm.h>
#include <linux/sched/signal.h>
#include <linux/vtime.h>
#include <asm/fpu/api.h>
#include <asm/fpu/xcr.h>
#include <asm/msr.h>
#include "compat.h"
#include "irqchip/lapic.h"
#include "mkvm.h"
#include "trace.h"
#include "user_work.h"
#include "x86/x86.h"

/*
 * The guest's choice of extended states counts once it has set CR4.OSXSAVE, and then it must not
 * reach the supervisor states that the host keeps (XSS).  That bit of CR4 changes by an exit only,
 * so the copy here is right even while the rest of CR4 has not been fetched.
 */
static void xstates_enter(const struct mkvm_vcpu *vcpu)
{
	if (!(vcpu->x86.cr4 & X86_CR4_OSXSAVE))
		return;
	if (vcpu->x86.xcr0 != x86_host_xcr0())
		xsetbv(XCR_XFEATURE_ENABLED_MASK, vcpu->x86.xcr0);
	if (x86_host_xss())
		wrmsrl(MSR_IA32_XSS, 0);
}

static void xstates_exit(const struct mkvm_vcpu *vcpu)
{
	if (!(vcpu->x86.cr4 & X86_CR4_OSXSAVE))
		return;
	if (vcpu->x86.xcr0 != x86_host_xcr0())
		xsetbv(XCR_XFEATURE_ENABLED_MASK, x86_host_xcr0());
	if (x86_host_xss())
		wrmsrl(MSR_IA32_XSS, x86_host_xss());
}

/* Interrupts are off.  The guest's registers are the processor's when this returns; and back. */
static void vcpu_hardware_enter(struct mkvm_vcpu *vcpu)
{
	/* A signal handler or another kernel user of the FPU may have put other registers there. */
	if (test_thread_flag(TIF_NEED_FPU_LOAD))
		switch_fpu_return();
	xstates_enter(vcpu);
	x86_dr_enter(vcpu);
	mkvm_vendor->enter(vcpu);
	x86_spec_after_exit();
	x86_dr_exit(vcpu);
	xstates_exit(vcpu);
}

static bool vcpu_must_not_enter(struct mkvm_vcpu *vcpu)
{
	return READ_ONCE(vcpu->requests) || xfer_to_guest_mode_work_pending() ||
	       x86_kvmclock_is_due(vcpu) || mkvm_vm_dead(vcpu->vm) ||
	       (vcpu->lapic && READ_ONCE(vcpu->lapic->events));
}

/* Does what other threads asked of this vCPU.  Preemption is off. */
static void vcpu_serve_requests(struct mkvm_vcpu *vcpu)
{
	if (test_and_clear_bit(VCPU_REQ_FLUSH_TLB, &vcpu->requests)) {
		mkvm_vendor->flush_tlb(vcpu);
		vcpu->counts.flushes++;
	}
	if (test_and_clear_bit(VCPU_REQ_MSR_FILTER, &vcpu->requests))
		x86_msr_apply_filter(vcpu);
	/* Interrupts are looked for right before the entry. */
	if (test_and_clear_bit(VCPU_REQ_EVENT, &vcpu->requests) && atomic_read(&vcpu->nmis))
		x86_raise_nmi(vcpu, atomic_xchg(&vcpu->nmis, 0));
}

/* Counts the exit, lets the vendor's room say what it means, and traces it with its cause. */
static int vcpu_handle_exit(struct mkvm_vcpu *vcpu)
{
	struct x86_exit *exit = &vcpu->x86.exit;
	int idx, r;

	vcpu->counts.entries++;
	vcpu->counts.exits[mkvm_vendor->reason_index(exit->reason)]++;
	vcpu->cause = MKVM_CAUSE_NONE;
	x86_event_exited(vcpu);
	/* Not held while the guest runs: who changes the slots waits for their readers. */
	idx = srcu_read_lock(&vcpu->vm->slots.srcu);
	r = mkvm_vendor->handle_exit(vcpu);
	srcu_read_unlock(&vcpu->vm->slots.srcu, idx);
	if (vcpu->cause != MKVM_CAUSE_NONE)
		vcpu->counts.causes[vcpu->cause]++;
	trace_mkvm_exit(vcpu->id, mkvm_vendor->vendor, exit->reason, exit->rip, vcpu->cause,
			exit->info1, exit->info2);
	return r;
}

/* One entry and the exit that follows.  >0: again; 0: to user space; <0: errno. */
static int vcpu_enter(struct mkvm_vcpu *vcpu)
{
	int r = 1;

	preempt_disable();
	vcpu_serve_requests(vcpu);
	x86_event_acknowledge(vcpu);
	local_irq_disable();
	if (!x86_host_enabled()) {
		/* The extension could not be switched on here, or the machine is going down. */
		r = -EIO;
		goto stay_out;
	}
	WRITE_ONCE(vcpu->mode, VCPU_IN_GUEST);
	/* Pairs with the barrier of mkvm_request_all(). */
	smp_mb();
	if (vcpu_must_not_enter(vcpu))
		goto stay_out;
	if (trace_mkvm_entry_enabled()) {
		x86_fetch(vcpu, X86_ST_RIP);
		trace_mkvm_entry(vcpu->id, vcpu->x86.rip);
	}
	x86_event_choose(vcpu);
	vcpu_hardware_enter(vcpu);
	WRITE_ONCE(vcpu->mode, VCPU_OUTSIDE);
	mkvm_vendor->exit_irqoff(vcpu);

	/* The interrupt that was the exit is taken here and counts as the guest's time. */
	local_irq_enable();
	local_irq_disable();
	vtime_account_guest_exit();
	local_irq_enable();
	preempt_enable();
	return vcpu_handle_exit(vcpu);

stay_out:
	WRITE_ONCE(vcpu->mode, VCPU_OUTSIDE);
	local_irq_enable();
	preempt_enable();
	return r;
}

static int vcpu_loop(struct mkvm_vcpu *vcpu)
{
	int r;

	vcpu->run->exit_reason = KVM_EXIT_UNKNOWN;
	for (;;) {
		if (mkvm_vm_dead(vcpu->vm))
			return -EIO;
		if (vcpu->x86.shutdown)
			return x86_exit_triple_fault(vcpu);
		if (lapic_eoi_exit(vcpu))
			return 0;
		r = x86_mp_wait(vcpu);
		if (r <= 0)
			return r;
		x86_pause_yield(vcpu);
		x86_kvmclock_serve(vcpu);
		x86_steal_time_serve(vcpu);
		r = x86_paging_prepare(vcpu);
		if (r)
			return r;
		r = vcpu_enter(vcpu);
		if (r <= 0)
			return r;
		if (x86_step_exit(vcpu) || x86_run_window_open(vcpu))
			return 0;
		/* Signals, scheduling and other work of the thread. */
		r = user_work_handle(vcpu->standin);
		if (r)
			return r;
	}
}

/* Completes the last exit to user space, then runs. */
static int vcpu_resume(struct mkvm_vcpu *vcpu)
{
	int (*complete)(struct mkvm_vcpu * vcpu) = vcpu->complete_io;
	int r;

	vcpu->complete_io = NULL;
	if (complete) {
		r = complete(vcpu);
		if (r <= 0)
			return r;
		if (x86_step_exit(vcpu))
			return 0;
	}
	if (READ_ONCE(vcpu->run->compat_immediate_exit))
		return -EINTR;
	return vcpu_loop(vcpu);
}

/**
 * mkvm_vcpu_run() - KVM_RUN
 * @vcpu: the vCPU; the caller holds its mutex and runs in the VM's process
 *
 * First completes what the last exit to user space left undone.
 *
 * Context: may sleep, for as long as the guest runs.
 * Return: 0 with vcpu->run filled; -EINTR on a signal or run->immediate_exit; -EINVAL: what user
 * space has put into the page is not valid; -EIO if the VM is dead; -EFAULT, -EHWPOISON or -ENOMEM
 * if the host could not supply memory.
 */
int mkvm_vcpu_run(struct mkvm_vcpu *vcpu)
{
	int r;

	mkvm_signal_mask_enter(vcpu);
	x86_pause_run_begin(vcpu);
	mkvm_vcpu_load(vcpu);
	fpu_swap_kvm_fpstate(&vcpu->x86.fpu, true);
	r = x86_run_begin(vcpu);
	if (!r)
		r = vcpu_resume(vcpu);
	/* Whoever steps learns from this exit where the guest is. */
	vcpu->x86.debug.stepped = false;
	fpu_swap_kvm_fpstate(&vcpu->x86.fpu, false);
	x86_run_end(vcpu);
	mkvm_vcpu_put(vcpu);
	mkvm_signal_mask_leave(vcpu);
	return r;
}
