// SPDX-License-Identifier: GPL-2.0-only
/*
 * One VM entry and the exit that follows.
 *
 * Entry stores what is dirty, moves the host's registers that the guest's replace out of the way
 * ("away", once per load: they come back at put), brings the VMCS's copy of the host's changing
 * state up to date, and runs.  All of that is with interrupts off, on the processor where the VMCS
 * is current.
 *
 * A guest that was not entered leaves struct x86_vcpu as it was: what it holds stays valid, an
 * event that was to be injected waits, and the state may be mended and entered again.
 */
#define pr_fmt(fmt) "mkvm: " fmt

#include <linux/printk.h>
#include <linux/sched.h>
#include <asm/debugreg.h>
#include <asm/desc.h>
#include <asm/fsgsbase.h>
#include <asm/mce.h>
#include <asm/mmu_context.h>
#include <asm/perf_event.h>
#include <asm/processor.h>
#include <asm/special_insns.h>
#include <asm/tlbflush.h>
#include <asm/trapnr.h>
#include "vmx/vmx.h"
#include "x86/guest_state.h"

/* What every exit fills in, and what no VMCS holds. */
#define RUN_AVAIL_AFTER_EXIT (X86_ST_RIP | X86_ST_DRS | X86_ST_TSC | X86_ST_CONTROLS)

/*
 * The guest's values of the MSRs that neither entry nor exit switch.  The host does not use them in
 * the kernel: they matter at its next return to user space, which put precedes.
 */
static void run_load_guest_msrs(const struct x86_vcpu *x)
{
	const struct vmx_user_msrs msrs = {
		.star = x->star,
		.lstar = x->lstar,
		.sfmask = x->sfmask,
		.tsc_aux = x->tsc_aux,
	};

	vmx_cpu_set_user_msrs(&msrs);
	wrmsrl(MSR_KERNEL_GS_BASE, x->kernel_gs_base);
}

static void run_host_away(struct vmx_vcpu *vmx)
{
	struct vmx_host *host = &vmx->host;

	current_save_fsgs();
	host->fs = current->thread.fsindex;
	host->gs = current->thread.gsindex;
	host->fs_base = current->thread.fsbase;
	host->gs_base = current->thread.gsbase;
	savesegment(ds, host->ds);
	savesegment(es, host->es);
	store_ldt(host->ldt);

	if (host->fs_base != vmx->host_fs_base) {
		vmcs_write(HOST_FS_BASE, host->fs_base);
		vmx->host_fs_base = host->fs_base;
	}
	run_load_guest_msrs(&vmx->vcpu.x86);
	host->away = true;
}

/*
 * Put the host's registers back.  An exit leaves null selectors, a GDT and a task register whose
 * limits are the processor's choice, and no LDT.
 */
void vmx_host_restore(struct vmx_vcpu *vmx)
{
	struct vmx_host *host = &vmx->host;
	struct x86_vcpu *x = &vmx->vcpu.x86;

	if (!host->away)
		return;

	/* If it is available, user space or an exit handler may have given it another value. */
	if (!(x->avail & X86_ST_MSRS))
		rdmsrl(MSR_KERNEL_GS_BASE, x->kernel_gs_base);

	if (host->ldt)
		asm volatile("lldt %0" : : "rm"(host->ldt));
	if (host->ds)
		loadsegment(ds, host->ds);
	if (host->es)
		loadsegment(es, host->es);
	if (host->fs) {
		loadsegment(fs, host->fs);
		wrmsrl(MSR_FS_BASE, host->fs_base);
	}
	if (host->gs)
		load_gs_index(host->gs);
	wrmsrl(MSR_KERNEL_GS_BASE, host->gs_base);
	vmx_cpu_restore_user_msrs();

	invalidate_tss_limit();
	load_fixmap_gdt(smp_processor_id());
	host->away = false;
}

/* The host's state that may have changed since the last entry. */
static void run_set_host(struct vmx_vcpu *vmx)
{
	unsigned long cr3 = __get_current_cr3_fast();
	unsigned long cr4 = cr4_read_shadow();

	if (cr3 != vmx->host_cr3) {
		vmcs_write(HOST_CR3, cr3);
		vmx->host_cr3 = cr3;
	}
	if (cr4 != vmx->host_cr4) {
		vmcs_write(HOST_CR4, cr4);
		vmx->host_cr4 = cr4;
	}
}

/*
 * Performance counters that count the host only stop while the guest runs, and the other way round;
 * records that the processor writes to the host's memory by virtual address must stop.
 */
static void run_set_perf(struct vmx_vcpu *vmx)
{
	struct perf_guest_switch_msr *msrs;
	unsigned int n = 0;
	int i, nr = 0;

	msrs = perf_guest_get_msrs(&nr, NULL);
	for (i = 0; i < nr; i++) {
		if (msrs[i].host == msrs[i].guest)
			continue;
		if (n == VMX_NR_SWITCHED_MSRS) {
			pr_warn_once("more than %d MSRs of perf to switch\n", n);
			break;
		}
		vmx->lists->guest[n] = (struct vmx_msr_entry){
			.index = msrs[i].msr,
			.value = msrs[i].guest,
		};
		vmx->lists->host[n++] = (struct vmx_msr_entry){
			.index = msrs[i].msr,
			.value = msrs[i].host,
		};
	}
	if (n != vmx->nr_switched) {
		vmcs_write(VM_ENTRY_MSR_LOAD_COUNT, n);
		vmcs_write(VM_EXIT_MSR_LOAD_COUNT, n);
		vmx->nr_switched = n;
	}
}

/*
 * The vCPU goes over to its VM's other tables.  What it has cached by EPT is dropped when it comes
 * back to that: meanwhile a flush drops the rest alone.
 */
static void run_change_tables(struct vmx_vcpu *vmx)
{
	x86_dirty(&vmx->vcpu, X86_ST_CRS | X86_ST_PDPTRS);
	vmx->shadowed = !vmx->shadowed;
	vmx->listing = false;
	vmx_vmcs_set_tables(vmx);
	vmx->root = 0;
	vmx->flush = true;
	vmx->flush_vpid = true;
}

/* The shadow tables that the processor walks.  Each entry reads the four at which PAE begins. */
static void run_set_shadow(struct vmx_vcpu *vmx)
{
	u64 root = mmu_root(&vmx->vcpu.mmu);

	if (root != vmx->root) {
		vmcs_write(GUEST_CR3, root);
		vmx->root = root;
		vmx->flush_vpid = true;
	}
	if (vmx->flush || vmx->flush_vpid)
		vmx_cpu_flush_vpid(vmx->vpid);
	vmx->flush = false;
	vmx->flush_vpid = false;
}

/* The table that the processor walks, and what it has cached of it. */
static void run_set_tdp(struct vmx_vcpu *vmx)
{
	struct mmu_vcpu *mmu = &vmx->vcpu.mmu;
	u64 eptp = mmu_root(mmu) | VMX_EPTP_MT_WB;

	eptp |= mmu_root_level(mmu) == 5 ? VMX_EPTP_PWL_5 : VMX_EPTP_PWL_4;
	if (mmu_has_accessed_bits(mmu->vm))
		eptp |= VMX_EPTP_AD_ENABLE_BIT;

	if (eptp != vmx->eptp) {
		vmcs_write(EPT_POINTER, eptp);
		vmx->eptp = eptp;
		vmx->flush = true;
	}
	if (vmx->flush && mmu_flush_is_due(mmu->vm, vmx_cpu_seen(vmx->vcpu.vm->number)))
		vmx_cpu_flush(eptp);
	else if (vmx->flush)
		vmx->vcpu.counts.flushes_covered++;
	if (vmx->flush_vpid)
		vmx_cpu_flush_vpid(vmx->vpid);
	vmx->flush = false;
	vmx->flush_vpid = false;
}

/*
 * The processor lists the frames that it sets a dirty bit of while a slot of the VM is logged.  Who
 * changes that waits for vCPUs in guest mode, as this one is by now, to leave it.
 */
static void run_set_log(struct vmx_vcpu *vmx)
{
	bool listing = vmx->log && !vmx->shadowed && READ_ONCE(vmx->vcpu.vm->mmu.listing);

	if (listing == vmx->listing)
		return;
	vmx->cpu2_controls ^= SECONDARY_EXEC_ENABLE_PML;
	vmcs_write(SECONDARY_VM_EXEC_CONTROL, vmx->cpu2_controls);
	vmx->listing = listing;
}

/*
 * What has been listed goes into the dirty log, before the vCPU counts as outside.  The index is of
 * the entry that the processor would fill next: it counts down, from the last one to below zero.
 */
static void run_drain_log(struct vmx_vcpu *vmx)
{
	struct memslot_table *slots = &vmx->vcpu.vm->slots;
	unsigned int first;
	int idx;

	first = (u16)(vmcs_read(GUEST_PML_INDEX) + 1);
	if (first >= VMX_LOG_ENTRIES)
		return;
	idx = srcu_read_lock(&slots->srcu);
	dirty_log_record(slots, vmx->log + first, VMX_LOG_ENTRIES - first);
	srcu_read_unlock(&slots->srcu, idx);
	vmcs_write(GUEST_PML_INDEX, VMX_LOG_ENTRIES - 1);
}

/*
 * Which accesses of CR3 exit; and whether each instruction does.  Where that cannot be
 * the vCPU is looked at whenever it exits.
 */
static u32 run_paging_controls(const struct vmx_vcpu *vmx)
{
	u32 controls = CPU_BASED_CR3_LOAD_EXITING | CPU_BASED_CR3_STORE_EXITING;

	if (vmx->shadowed)
		return controls;
	return x86_is_stepped(&vmx->vcpu) && vmx_caps_step() ? CPU_BASED_MONITOR_TRAP_FLAG : 0;
}

/*
 * NMI-window exiting does not wait for the end of an interrupt shadow by STI.  Interrupts are
 * enabled there, so the interrupt window does.
 */
static void run_set_windows(struct vmx_vcpu *vmx)
{
	const struct x86_vcpu *x = &vmx->vcpu.x86;
	u32 controls = vmx_vmcs_cpu_controls(vmx) | run_paging_controls(vmx);

	if (x->windows & X86_WINDOW_INTR)
		controls |= CPU_BASED_INTR_WINDOW_EXITING;
	if (x->windows & X86_WINDOW_NMI)
		controls |= x->shadow & KVM_X86_SHADOW_INT_STI ? CPU_BASED_INTR_WINDOW_EXITING
							       : CPU_BASED_NMI_WINDOW_EXITING;
	if (controls != vmx->cpu_controls) {
		vmcs_write(CPU_BASED_VM_EXEC_CONTROL, controls);
		vmx->cpu_controls = controls;
	}
}

/* Real mode has no error codes. */
static void run_inject(const struct x86_vcpu *x)
{
	const struct x86_event *event = &x->event;
	u32 info = INTR_INFO_VALID_MASK | event->type << 8 | event->vector;

	if (event->has_error && (x->cr0 & X86_CR0_PE)) {
		info |= INTR_INFO_DELIVER_CODE_MASK;
		vmcs_write(VM_ENTRY_EXCEPTION_ERROR_CODE, (u16)event->error);
	}
	if (event->type == X86_EVENT_SOFT_INTR || event->type == X86_EVENT_SOFT_EXC)
		vmcs_write(VM_ENTRY_INSTRUCTION_LEN, event->insn_len);
	vmcs_write(VM_ENTRY_INTR_INFO_FIELD, info);
}

/* Nothing in here may be traced: the kernel thinks that the guest runs. */
static noinstr enum vmenter_result run_guest(struct vmx_vcpu *vmx)
{
	struct x86_vcpu *x = &vmx->vcpu.x86;
	enum vmenter_result result;

	guest_state_enter();
	if (x->cr2 != native_read_cr2())
		native_write_cr2(x->cr2);
	result = vmx_vmenter(x->gpr, &vmx->host_rsp, vmx->vmcs.launched);
	x->cr2 = native_read_cr2();
	guest_state_exit();
	return result;
}

/* The guest was not entered: say why, and take the event back. */
static void run_failed(struct vmx_vcpu *vmx, enum vmenter_result result, u32 reason)
{
	struct x86_exit *exit = &vmx->vcpu.x86.exit;

	*exit = (struct x86_exit){
		.reason = reason,
		.entry_failed = true,
		.rip = vmx->vcpu.x86.rip,
	};
	switch (result) {
	case VMENTER_EXIT:
		exit->info1 = vmcs_read(EXIT_QUALIFICATION);
		break;
	case VMENTER_FAIL:
		exit->info1 = vmcs_read32(VM_INSTRUCTION_ERROR);
		break;
	case VMENTER_FAULT:
		mkvm_vm_kill(vmx->vcpu.vm, "VMX is off where its vCPU is loaded");
		return;
	}
	vmcs_write(VM_ENTRY_INTR_INFO_FIELD, 0);
}

/* The event whose delivery the exit interrupted. */
static void run_read_vectored(struct mkvm_vcpu *vcpu)
{
	struct x86_event *event = &vcpu->x86.exit.vectored, *ours = &vcpu->x86.event;
	u32 info = vmcs_read32(IDT_VECTORING_INFO_FIELD);

	*event = (struct x86_event){ .pending = info & VECTORING_INFO_VALID_MASK };
	if (!event->pending)
		return;

	event->vector = info & VECTORING_INFO_VECTOR_MASK;
	event->type = (info & VECTORING_INFO_TYPE_MASK) >> 8;
	if (info & VECTORING_INFO_DELIVER_CODE_MASK) {
		event->has_error = true;
		event->error = vmcs_read32(IDT_VECTORING_ERROR_CODE);
	}
	if (event->type == X86_EVENT_SOFT_INTR || event->type == X86_EVENT_SOFT_EXC)
		event->insn_len = vmcs_read32(VM_EXIT_INSTRUCTION_LEN);

	/* What the processor chose itself is in service; Bochs tells an older vector here. */
	if (event->type == X86_EVENT_INTR && to_vmx(vcpu)->delivers &&
	    lapic_in_service(vcpu->lapic) >= 0 && !(ours->pending && ours->type == X86_EVENT_INTR))
		event->vector = lapic_in_service(vcpu->lapic);

	/* Its delivery had begun, so NMIs are blocked; it could not be injected again so. */
	if (event->type == X86_EVENT_NMI) {
		x86_dirty(vcpu, X86_ST_SHADOW);
		vcpu->x86.nmi_masked = false;
	}
}

static void run_read_exit(struct vmx_vcpu *vmx, u32 reason)
{
	struct x86_vcpu *x = &vmx->vcpu.x86;

	vmx->vmcs.launched = true;
	x->rip = vmcs_read(GUEST_RIP);
	x->avail = RUN_AVAIL_AFTER_EXIT | (vmx->shadowed ? X86_ST_PDPTRS : 0);
	x->exit = (struct x86_exit){
		.reason = reason,
		.rip = x->rip,
		.info1 = vmcs_read(EXIT_QUALIFICATION),
	};

	vmx->intr_info = 0;
	switch ((u16)reason) {
	case EXIT_REASON_EXCEPTION_NMI:
		vmx->intr_info = vmcs_read32(VM_EXIT_INTR_INFO);
		break;
	case EXIT_REASON_EPT_VIOLATION:
	case EXIT_REASON_EPT_MISCONFIG:
		x->exit.info2 = vmcs_read(GUEST_PHYSICAL_ADDRESS);
		break;
	}
	run_read_vectored(&vmx->vcpu);
}

void vmx_enter(struct mkvm_vcpu *vcpu)
{
	struct vmx_vcpu *vmx = to_vmx(vcpu);
	enum vmenter_result result;
	unsigned long debugctl;
	u32 reason;

	/* VMX was off here when the vCPU was loaded. */
	if (unlikely(!vmx_cpu_vmcs_current(&vmx->vmcs))) {
		run_failed(vmx, VMENTER_FAULT, VMX_REASON_VMFAIL);
		return;
	}

	if (vmx->reset)
		vmx_vmcs_reset(vmx);
	if (!vmx->host.away)
		run_host_away(vmx);
	else if (vcpu->x86.dirty & X86_ST_MSRS)
		run_load_guest_msrs(&vcpu->x86);
	if (vmx->shadowed != x86_is_shadowed(vcpu))
		run_change_tables(vmx);
	vmx_state_store(vmx);
	vcpu->x86.dirty = 0;
	if (vmx->shadowed)
		run_set_shadow(vmx);
	else
		run_set_tdp(vmx);
	run_set_host(vmx);
	run_set_perf(vmx);
	run_set_windows(vmx);
	run_set_log(vmx);
	vmx_apic_enter(vmx);
	if (vcpu->x86.event.pending)
		run_inject(&vcpu->x86);

	debugctl = get_debugctlmsr();
	x86_spec_before_entry();
	result = run_guest(vmx);
	/* An exit clears it, and the host's performance counters may use it. */
	if (debugctl)
		update_debugctlmsr(debugctl);

	vmx_apic_exit(vmx);
	if (vmx->listing && result == VMENTER_EXIT)
		run_drain_log(vmx);
	reason = result == VMENTER_EXIT ? vmcs_read32(VM_EXIT_REASON) : VMX_REASON_VMFAIL;
	if (unlikely(result != VMENTER_EXIT || (reason & VMX_EXIT_REASONS_FAILED_VMENTRY)))
		run_failed(vmx, result, reason);
	else
		run_read_exit(vmx, reason);
}

/* The host's handler sees a machine check as one that came from user mode: the guest is like it. */
static void run_machine_check(void)
{
	struct pt_regs regs = {
		.cs = 3,
		.flags = X86_EFLAGS_IF,
	};

	do_machine_check(&regs);
}

/*
 * NMIs are blocked since the exit: the handler runs as if the processor had called it, and its IRET
 * ends the blocking.  External interrupts have not been acknowledged and come by themselves.
 */
void vmx_exit_irqoff(struct mkvm_vcpu *vcpu)
{
	u32 info = to_vmx(vcpu)->intr_info;

	switch ((u16)vcpu->x86.exit.reason) {
	case EXIT_REASON_EXCEPTION_NMI:
		if ((info & INTR_INFO_INTR_TYPE_MASK) == INTR_TYPE_NMI_INTR)
			vmx_call_nmi();
		else if ((info & INTR_INFO_VECTOR_MASK) == X86_TRAP_MC)
			run_machine_check();
		break;
	case EXIT_REASON_MCE_DURING_VMENTRY:
		run_machine_check();
		break;
	}
}

void vmx_flush_tlb(struct mkvm_vcpu *vcpu)
{
	to_vmx(vcpu)->flush = true;
	/* It may be what the vCPU has cached of shadow tables. */
	to_vmx(vcpu)->flush_vpid |= x86_has_shadow(vcpu);
}
