// SPDX-License-Identifier: GPL-2.0-only
/*
 * VMX on one processor: is it to be had, on, off, and which VMCSs are loaded there.
 *
 * The list of loaded VMCSs is what lets a processor go (hotplug, suspend, reboot): all of them are
 * cleared before VMXOFF, so that no processor holds a part of a VMCS that is used elsewhere later.
 * The list is changed by its own processor only, with interrupts off: others ask by an interrupt.
 *
 * VMX may go off under a vCPU that is loaded (reboot).  Each VMX instruction survives that: it
 * fails, and the vCPU's VM is killed.
 */
#define pr_fmt(fmt) "mkvm: " fmt

#include <linux/cpumask.h>
#include <linux/gfp.h>
#include <linux/irqflags.h>
#include <linux/percpu.h>
#include <linux/smp.h>
#include <asm/intel_pt.h>
#include <asm/msr.h>
#include <asm/perf_event.h>
#include <asm/processor.h>
#include <asm/tlbflush.h>
#include "vmx/vmx.h"

#define VMX_CPU_FLUSHES 16 /* VMs; of more the earlier ones are forgotten, and flush once more */

/**
 * struct vmx_flush - which changes of a VM's tables a processor has seen
 * @vm: the VM's number
 * @seen: see mmu_flush_is_due()
 */
struct vmx_flush {
	u64 vm;
	s64 seen;
};

/**
 * struct vmx_cpu - a processor; its own processor only, interrupts off
 * @vmxon: the region that VMXON wants
 * @enabled: VMX is on, and by us
 * @current_vmcs: the one that VMREAD and VMWRITE reach; NULL: unknown
 * @loaded: the loaded ones, by vmcs.on_cpu
 * @user_msrs_host: as the host has them
 * @user_msrs_now: as they are in the processor
 * @flush: VMs that have run here
 */
struct vmx_cpu {
	void *vmxon;
	bool enabled;
	struct vmcs *current_vmcs;
	struct list_head loaded;
	struct vmx_user_msrs user_msrs_host;
	struct vmx_user_msrs user_msrs_now;
	struct vmx_flush flush[VMX_CPU_FLUSHES];
};

static DEFINE_PER_CPU(struct vmx_cpu, vmx_cpu);

/* A VMX instruction did not do its work: the vCPU that it was for may never run again. */
static void cpu_insn_failed(struct vmcs *vmcs, const char *insn, unsigned long field, int error)
{
	pr_warn_once("%s %#lx %s on CPU %d\n", insn, field,
		     error < 0 ? "faulted: VMX is off" : "failed", raw_smp_processor_id());
	if (vmcs)
		mkvm_vm_kill(vmcs->vcpu->vm, "a VMX instruction failed");
}

void vmx_insn_failed(const char *insn, unsigned long field, int error)
{
	cpu_insn_failed(this_cpu_read(vmx_cpu.current_vmcs), insn, field, error);
}

static void cpu_vmclear(struct vmcs *vmcs)
{
	u64 pa = __pa(vmcs->region);
	int error = VMX_INSN("vmclear %[pa]", [pa] "m"(pa));

	if (error)
		cpu_insn_failed(vmcs, "VMCLEAR", 0, error);
}

/* Clear @arg, a VMCS, if it is still loaded on this processor. */
static void cpu_unload_here(void *arg)
{
	struct vmcs *vmcs = arg;
	struct vmx_cpu *here = this_cpu_ptr(&vmx_cpu);

	if (vmcs->cpu != smp_processor_id())
		return;
	cpu_vmclear(vmcs);
	if (here->current_vmcs == vmcs)
		here->current_vmcs = NULL;
	list_del(&vmcs->on_cpu);
	vmcs->launched = false;
	/* From here on another processor may load it. */
	smp_store_release(&vmcs->cpu, -1);
}

/*
 * Clear @vmcs wherever it is loaded.  A processor that went offline has cleared its own, and tasks
 * do not run between that and its leaving the online mask.
 */
void vmx_cpu_unload_vmcs(struct vmcs *vmcs)
{
	/* Pairs with the release that ends an unloading. */
	int cpu = smp_load_acquire(&vmcs->cpu);

	if (cpu >= 0)
		smp_call_function_single(cpu, cpu_unload_here, vmcs, 1);
}

/* Make @vmcs current here.  False: VMX is off on this processor.  Preemption off, interrupts on. */
bool vmx_cpu_load_vmcs(struct vmcs *vmcs)
{
	struct vmx_cpu *here = this_cpu_ptr(&vmx_cpu);
	u64 pa = __pa(vmcs->region);
	unsigned long flags;
	int error = 0;

	if (vmcs->cpu != smp_processor_id())
		vmx_cpu_unload_vmcs(vmcs);

	local_irq_save(flags);
	if (!here->enabled) {
		local_irq_restore(flags);
		return false;
	}
	if (vmcs->cpu != smp_processor_id()) {
		cpu_vmclear(vmcs);
		list_add(&vmcs->on_cpu, &here->loaded);
		vmcs->cpu = smp_processor_id();
	}
	if (here->current_vmcs != vmcs) {
		here->current_vmcs = vmcs;
		error = VMX_INSN("vmptrld %[pa]", [pa] "m"(pa));
		if (error)
			vmx_insn_failed("VMPTRLD", 0, error);
	}
	local_irq_restore(flags);
	return !error;
}

bool vmx_cpu_vmcs_current(const struct vmcs *vmcs)
{
	return this_cpu_read(vmx_cpu.current_vmcs) == vmcs;
}

/* Most guests want some of these as the host has them: write the others. */
void vmx_cpu_set_user_msrs(const struct vmx_user_msrs *wanted)
{
	struct vmx_user_msrs *now = this_cpu_ptr(&vmx_cpu.user_msrs_now);

	if (now->star != wanted->star)
		wrmsrl(MSR_STAR, wanted->star);
	if (now->lstar != wanted->lstar)
		wrmsrl(MSR_LSTAR, wanted->lstar);
	if (now->sfmask != wanted->sfmask)
		wrmsrl(MSR_SYSCALL_MASK, wanted->sfmask);
	if (now->tsc_aux != wanted->tsc_aux && vmx_caps_rdtscp())
		wrmsrl(MSR_TSC_AUX, wanted->tsc_aux);
	*now = *wanted;
}

void vmx_cpu_restore_user_msrs(void)
{
	vmx_cpu_set_user_msrs(this_cpu_ptr(&vmx_cpu.user_msrs_host));
}

static void cpu_invept(unsigned long extent, u64 eptp)
{
	struct {
		u64 eptp, zero;
	} operand = { eptp, 0 };
	int error = VMX_INSN("invept %[op], %[extent]", [op] "m"(operand), [extent] "r"(extent));

	if (unlikely(error))
		vmx_insn_failed("INVEPT", extent, error);
}

static void cpu_invvpid(unsigned long extent, u16 vpid)
{
	struct {
		u64 vpid, address;
	} operand = { vpid, 0 };
	int error = VMX_INSN("invvpid %[op], %[extent]", [op] "m"(operand), [extent] "r"(extent));

	if (unlikely(error))
		vmx_insn_failed("INVVPID", extent, error);
}

/* Drop what this processor has cached with the tag @vpid; what has no tag, entry and exit drop. */
void vmx_cpu_flush_vpid(u16 vpid)
{
	if (!vpid)
		return;
	if (vmx_caps_invvpid_context())
		cpu_invvpid(VMX_VPID_EXTENT_SINGLE_CONTEXT, vpid);
	else
		cpu_invvpid(VMX_VPID_EXTENT_ALL_CONTEXT, 0);
}

/* What this processor has seen of the flushes of the VM of that number.  Preemption off. */
s64 *vmx_cpu_seen(u64 vm)
{
	struct vmx_flush *flush = this_cpu_ptr(&vmx_cpu.flush[vm % VMX_CPU_FLUSHES]);

	if (flush->vm != vm)
		*flush = (struct vmx_flush){ .vm = vm };
	return &flush->seen;
}

/* Drop all that this processor has cached of the guest whose tables @eptp names, for every VPID. */
void vmx_cpu_flush(u64 eptp)
{
	if (vmx_caps_invept_context())
		cpu_invept(VMX_EPT_EXTENT_CONTEXT, eptp);
	else
		cpu_invept(VMX_EPT_EXTENT_GLOBAL, 0);
}

/* Did the firmware leave VMX to the system? */
static bool cpu_firmware_allows(void)
{
	u64 allowed = FEAT_CTL_VMX_ENABLED_OUTSIDE_SMX | FEAT_CTL_VMX_ENABLED_INSIDE_SMX;
	u64 control;

	if (rdmsrl_safe(MSR_IA32_FEAT_CTL, &control))
		return false;
	return (control & FEAT_CTL_LOCKED) && (control & allowed);
}

/* The caller has words for the two common refusals: the firmware's, and another hypervisor's. */
int vmx_cpu_check(void)
{
	if (!(cpuid_ecx(1) & BIT(5))) {
		pr_err_ratelimited("CPU %d has no VMX\n", smp_processor_id());
		return -EOPNOTSUPP;
	}
	if (!cpu_firmware_allows())
		return -EOPNOTSUPP;
	if (!this_cpu_read(vmx_cpu.enabled) && (cr4_read_shadow() & X86_CR4_VMXE))
		return -EBUSY;
	return vmx_caps_check();
}

int vmx_cpu_enable(void)
{
	struct vmx_cpu *here = this_cpu_ptr(&vmx_cpu);
	u64 pa = __pa(here->vmxon);
	int error;

	if (cr4_read_shadow() & X86_CR4_VMXE)
		return -EBUSY;

	intel_pt_handle_vmx(1);
	cr4_update_irqsoff(X86_CR4_VMXE, 0);
	error = VMX_INSN("vmxon %[pa]", [pa] "m"(pa));
	if (error) {
		cr4_update_irqsoff(0, X86_CR4_VMXE);
		intel_pt_handle_vmx(0);
		pr_err("CPU %d: VMXON %s\n", smp_processor_id(), error < 0 ? "faulted" : "failed");
		return -EIO;
	}
	here->enabled = true;
	here->current_vmcs = NULL;
	rdmsrl(MSR_STAR, here->user_msrs_host.star);
	rdmsrl(MSR_LSTAR, here->user_msrs_host.lstar);
	rdmsrl(MSR_SYSCALL_MASK, here->user_msrs_host.sfmask);
	if (vmx_caps_rdtscp())
		rdmsrl(MSR_TSC_AUX, here->user_msrs_host.tsc_aux);
	here->user_msrs_now = here->user_msrs_host;

	/* VMXON keeps what an earlier owner left in the caches of translations. */
	cpu_invept(VMX_EPT_EXTENT_GLOBAL, 0);
	if (vmx_caps_vpid())
		cpu_invvpid(VMX_VPID_EXTENT_ALL_CONTEXT, 0);
	return 0;
}

void vmx_cpu_disable(void)
{
	struct vmx_cpu *here = this_cpu_ptr(&vmx_cpu);
	struct vmcs *vmcs, *next;
	int error;

	if (!here->enabled)
		return;
	list_for_each_entry_safe(vmcs, next, &here->loaded, on_cpu)
		cpu_unload_here(vmcs);
	here->enabled = false;
	error = VMX_INSN("vmxoff");
	if (error)
		pr_err("CPU %d: VMXOFF failed\n", smp_processor_id());
	cr4_update_irqsoff(0, X86_CR4_VMXE);
	intel_pt_handle_vmx(0);
}

/*
 * The host crashes, and this may be in an NMI: no kernel function that keeps the books of CR4 is
 * safe to call, nor do the books matter any more.
 */
void vmx_cpu_emergency(void)
{
	if (!VMX_INSN("vmxoff"))
		asm volatile("mov %0, %%cr4" : : "r"(native_read_cr4() & ~X86_CR4_VMXE) : "memory");
}

int vmx_cpu_setup(void)
{
	int cpu;

	for_each_possible_cpu(cpu) {
		struct vmx_cpu *there = per_cpu_ptr(&vmx_cpu, cpu);
		struct page *page = alloc_pages_node(cpu_to_node(cpu), GFP_KERNEL | __GFP_ZERO, 0);

		if (!page) {
			vmx_cpu_teardown();
			return -ENOMEM;
		}
		there->vmxon = page_address(page);
		*(u32 *)there->vmxon = vmx_caps_revision();
		INIT_LIST_HEAD(&there->loaded);
	}
	return 0;
}

void vmx_cpu_teardown(void)
{
	int cpu;

	for_each_possible_cpu(cpu) {
		free_page((unsigned long)per_cpu(vmx_cpu, cpu).vmxon);
		per_cpu(vmx_cpu, cpu).vmxon = NULL;
	}
}
