// SPDX-License-Identifier: GPL-2.0-only
/*
 * What keeps a guest from reading the host, or another guest, by speculation.
 *
 * Each measure follows what the kernel found and chose at boot (mitigations=off switches all of
 * them off).  Return-stack filling, untrained returns, renewed IBRS and the clearing of buffers
 * that the kernel itself chose stand in the vendors' vmenter.S.  Guests get no SPEC_CTRL, so they
 * run with the host's setting; a barrier or a flush that they ask for is done on the processor
 * where they ask (msr_table.c).
 */
#include <linux/cpu.h>
#include <linux/percpu.h>
#include <linux/sched/smt.h>
#include <asm/cpufeature.h>
#include <asm/msr.h>
#include <asm/nospec-branch.h>
#include "x86/x86.h"

/* The VM that ran last on each CPU, by its number. */
static DEFINE_PER_CPU(u64, spec_last_vm);

static bool spec_ibpb __ro_after_init;
static bool spec_l1d __ro_after_init;
static bool spec_buffers __ro_after_init;

static bool __init cpu_skips_l1d_flush(void)
{
	u64 caps = 0;

	if (boot_cpu_has(X86_FEATURE_ARCH_CAPABILITIES))
		rdmsrl(MSR_IA32_ARCH_CAPABILITIES, caps);
	return caps & ARCH_CAP_SKIP_VMENTRY_L1DFLUSH;
}

/* Does vmenter.S clear the processor's buffers? */
static bool __init entry_clears_buffers(void)
{
	if (mkvm_vendor->vendor == MKVM_VENDOR_VMX)
		return boot_cpu_has(X86_FEATURE_CLEAR_CPU_BUF);
	return boot_cpu_has(X86_FEATURE_CLEAR_CPU_BUF_VM);
}

/*
 * Do entries clear the buffers?  Of a processor that needs MD_CLEAR for it (@buffers), the kernel
 * clears them by the same instruction without, on the chance that it works.
 */
static bool __init spec_clears_buffers(bool buffers)
{
	return buffers ? boot_cpu_has(X86_FEATURE_MD_CLEAR) : entry_clears_buffers();
}

/* At load: decides, and says what is done and what cannot be had. */
void __init x86_spec_setup(void)
{
	bool l1tf = boot_cpu_has_bug(X86_BUG_L1TF) && !cpu_skips_l1d_flush();
	bool buffers = boot_cpu_has_bug(X86_BUG_MDS) || boot_cpu_has_bug(X86_BUG_TAA) ||
		       boot_cpu_has_bug(X86_BUG_MMIO_STALE_DATA);
	/* Of these only the kernel knows what its processor's microcode can clear. */
	bool kernels = boot_cpu_has_bug(X86_BUG_RFDS) || boot_cpu_has_bug(X86_BUG_TSA);

	if (cpu_mitigations_off()) {
		pr_info("mkvm: speculation: no measures, as the kernel runs with mitigations=off\n");
		return;
	}
	spec_ibpb = boot_cpu_has(X86_FEATURE_USE_IBPB);
	spec_l1d = l1tf && boot_cpu_has(X86_FEATURE_FLUSH_L1D);
	/* Where the kernel clears them before each return to user mode, vmenter.S does too. */
	spec_buffers = buffers && boot_cpu_has(X86_FEATURE_MD_CLEAR) &&
		       !boot_cpu_has(X86_FEATURE_CLEAR_CPU_BUF);
	pr_info("mkvm: speculation: return stack filled at exit%s%s%s\n",
		spec_ibpb ? ", IBPB between VMs" : "", spec_l1d ? ", L1D flush" : "",
		spec_clears_buffers(buffers) ? ", buffers cleared at entry" : "");
	if (l1tf && !spec_l1d)
		pr_warn("mkvm: this processor has L1TF and no L1D flush: update its microcode before running guests you do not trust\n");
	if ((buffers || kernels) && !spec_clears_buffers(buffers))
		pr_warn("mkvm: this processor leaks its buffers and they are not cleared: update its microcode before running guests you do not trust\n");
	if ((l1tf || buffers) && sched_smt_active())
		pr_warn("mkvm: sibling threads share what this processor leaks: boot with nosmt before running guests you do not trust\n");
	if (!spec_ibpb)
		pr_info("mkvm: speculation: no IBPB here, so branch predictions are not separated between VMs\n");
}

/* The vCPU comes to this processor; preemption is off. */
void x86_spec_vcpu_load(struct mkvm_vcpu *vcpu)
{
	if (__this_cpu_read(spec_last_vm) == vcpu->vm->number)
		return;
	__this_cpu_write(spec_last_vm, vcpu->vm->number);
	if (spec_ibpb)
		indirect_branch_prediction_barrier();
}

/*
 * Interrupts are off; the vendor's room calls this as the last thing before its assembly.  A flush
 * of the L1 data cache clears the buffers too.
 */
void x86_spec_before_entry(void)
{
	if (spec_l1d)
		native_wrmsrl(MSR_IA32_FLUSH_CMD, L1D_FLUSH);
	else if (spec_buffers)
		x86_clear_cpu_buffers();
}

/* Interrupts are off; the guest has just run. */
void x86_spec_after_exit(void)
{
	/* The user process behind the guest must not run on predictions that the guest trained. */
	if (cpu_feature_enabled(X86_FEATURE_IBPB_EXIT_TO_USER))
		this_cpu_write(x86_ibpb_exit_to_user, true);
}
