// SPDX-License-Identifier: GPL-2.0-only
/*
 * The control block (VMCB), and the two bitmaps that all control blocks share: every port is
 * intercepted, and every MSR but those that VMLOAD and VMSAVE switch.  A third is for vCPUs that
 * have no MSR of their own.
 *
 * Physical addresses that the processor is given carry SME's C bit, like the kernel's own mappings
 * of these pages.
 */
#include <linux/gfp.h>
#include <linux/mm.h>
#include <asm/cpufeature.h>
#include <asm/trapnr.h>
#include "svm/svm.h"

#define IOPM_BYTES	  (3 * PAGE_SIZE)
#define MSRPM_BYTES	  (2 * PAGE_SIZE)
#define MSRPM_RANGE_BYTES 0x800 /* two bits for each of the 8192 MSRs of a range */

static void *vmcb_iopm;
static void *vmcb_msrpm;
static void *vmcb_msrpm_closed; /* for VMs with a filter */

/* First MSR of each range that the bitmap covers; all others are always intercepted. */
static const u32 vmcb_msr_ranges[] = { 0, 0xc0000000, 0xc0010000 };

static const u8 vmcb_intercepts[] = {
	INTERCEPT_CR0_WRITE, /* policy; CD and NW stay in the guest's view */
	INTERCEPT_CR4_WRITE,
	INTERCEPT_CR8_READ,
	INTERCEPT_CR8_WRITE,
	INTERCEPT_EXCEPTION_OFFSET + X86_TRAP_DB, /* an endless one would hold the CPU */
	INTERCEPT_EXCEPTION_OFFSET + X86_TRAP_AC, /* so would this */
	INTERCEPT_EXCEPTION_OFFSET + X86_TRAP_UD, /* perhaps VMCALL */
	INTERCEPT_EXCEPTION_OFFSET + X86_TRAP_MC, /* the host's */
	INTERCEPT_INTR,
	INTERCEPT_NMI,
	INTERCEPT_SMI,
	INTERCEPT_INIT,
	INTERCEPT_RDPMC,
	INTERCEPT_CPUID,
	INTERCEPT_INVD,
	INTERCEPT_HLT,
	INTERCEPT_INVLPGA,
	INTERCEPT_IOIO_PROT,
	INTERCEPT_MSR_PROT,
	INTERCEPT_SHUTDOWN,
	INTERCEPT_VMRUN,
	INTERCEPT_VMMCALL,
	INTERCEPT_VMLOAD,
	INTERCEPT_VMSAVE,
	INTERCEPT_STGI,
	INTERCEPT_CLGI,
	INTERCEPT_SKINIT,
	INTERCEPT_RDTSCP,
	INTERCEPT_WBINVD,
	INTERCEPT_MONITOR,
	INTERCEPT_MWAIT,
	INTERCEPT_XSETBV,
};

/*
 * Without a second table: what the guest's tables go by, page faults, and a task switch, which
 * would load CR3.  INVPCID: svm_vmcb_set_features().
 */
static const u8 vmcb_shadow_intercepts[] = {
	INTERCEPT_CR3_READ,
	INTERCEPT_CR3_WRITE,
	INTERCEPT_EXCEPTION_OFFSET + X86_TRAP_PF,
	INTERCEPT_TASK_SWITCH,
};

/*
 * A zeroed page for a control block or a host save area, or NULL; may sleep.  While such a page is
 * in use a processor with SEV-SNP takes one that starts a 2 MiB frame for the whole frame, and lets
 * nobody write there: the second page of a pair never starts one.
 */
void *svm_page_alloc(void)
{
	struct page *pair = alloc_pages(GFP_KERNEL_ACCOUNT | __GFP_ZERO, 1);

	if (!pair)
		return NULL;
	split_page(pair, 1);
	__free_page(pair);
	return page_address(pair + 1);
}

void svm_page_free(void *page)
{
	free_page((unsigned long)page);
}

static void vmcb_open_msr(u32 msr)
{
	unsigned int range, bit;

	for (range = 0; range < ARRAY_SIZE(vmcb_msr_ranges); range++) {
		bit = 2 * (msr - vmcb_msr_ranges[range]);
		if (msr < vmcb_msr_ranges[range] || bit >= MSRPM_RANGE_BYTES * BITS_PER_BYTE)
			continue;
		bit += range * MSRPM_RANGE_BYTES * BITS_PER_BYTE;
		__clear_bit(bit, vmcb_msrpm);	  /* RDMSR */
		__clear_bit(bit + 1, vmcb_msrpm); /* WRMSR */
	}
}

/* At load; may sleep. */
int svm_vmcb_setup(void)
{
	unsigned int i;

	vmcb_iopm = alloc_pages_exact(IOPM_BYTES, GFP_KERNEL);
	if (!vmcb_iopm)
		return -ENOMEM;
	vmcb_msrpm = alloc_pages_exact(MSRPM_BYTES, GFP_KERNEL);
	if (!vmcb_msrpm) {
		free_pages_exact(vmcb_iopm, IOPM_BYTES);
		return -ENOMEM;
	}
	vmcb_msrpm_closed = alloc_pages_exact(MSRPM_BYTES, GFP_KERNEL);
	if (!vmcb_msrpm_closed) {
		free_pages_exact(vmcb_msrpm, MSRPM_BYTES);
		free_pages_exact(vmcb_iopm, IOPM_BYTES);
		return -ENOMEM;
	}
	memset(vmcb_iopm, 0xff, IOPM_BYTES);
	memset(vmcb_msrpm, 0xff, MSRPM_BYTES);
	memset(vmcb_msrpm_closed, 0xff, MSRPM_BYTES);
	for (i = 0; i < X86_NR_OPEN_MSRS; i++)
		vmcb_open_msr(x86_open_msrs[i]);
	return 0;
}

/* May sleep. */
void svm_vmcb_teardown(void)
{
	free_pages_exact(vmcb_msrpm_closed, MSRPM_BYTES);
	free_pages_exact(vmcb_msrpm, MSRPM_BYTES);
	free_pages_exact(vmcb_iopm, IOPM_BYTES);
}

/* X86_ST_CONTROLS: what the guest can do without an exit. */
void svm_vmcb_set_features(struct svm_vcpu *svm)
{
	void *msrpm = svm->vcpu.x86.msrs_closed ? vmcb_msrpm_closed : vmcb_msrpm;

	svm->vmcb->control.msrpm_base_pa = __sme_set(__pa(msrpm));
	if (x86_has(&svm->vcpu, FEAT_RDTSCP))
		svm_intercept_clear(svm->vmcb, INTERCEPT_RDTSCP);
	else
		svm_intercept_set(svm->vmcb, INTERCEPT_RDTSCP);
	if (!boot_cpu_has(X86_FEATURE_INVPCID))
		return;
	/* By shadow tables the processor knows no PCIDs. */
	if (x86_has(&svm->vcpu, FEAT_INVPCID) && !svm->shadowed)
		svm_intercept_clear(svm->vmcb, INTERCEPT_INVPCID);
	else
		svm_intercept_set(svm->vmcb, INTERCEPT_INVPCID);
}

/* Without a filter it is each PAUSE or none. */
static void vmcb_init_pause(struct svm_vcpu *svm)
{
	const struct mkvm *vm = svm->vcpu.vm;
	struct vmcb_control_area *control = &svm->vmcb->control;

	control->pause_filter_count = 0;
	control->pause_filter_thresh = 0;
	if (!vm->pause_window || (vm->pause_window > 1 && !svm_caps_pause_filter()))
		return;
	svm_intercept_set(svm->vmcb, INTERCEPT_PAUSE);
	if (vm->pause_window == 1)
		return;
	control->pause_filter_count = min_t(u32, vm->pause_window, U16_MAX);
	control->pause_filter_thresh = min_t(u32, vm->pause_gap, U16_MAX);
}

/* The kind of tables that the vCPU is on.  Its CR0, CR3, CR4 and EFER are to be stored anew. */
void svm_vmcb_set_tables(struct svm_vcpu *svm)
{
	bool shadowed = x86_is_shadowed(&svm->vcpu);
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(vmcb_shadow_intercepts); i++)
		if (shadowed)
			svm_intercept_set(svm->vmcb, vmcb_shadow_intercepts[i]);
		else
			svm_intercept_clear(svm->vmcb, vmcb_shadow_intercepts[i]);
	svm->vmcb->control.nested_ctl = shadowed ? 0 : SVM_NESTED_CTL_NP_ENABLE;
	svm->shadowed = shadowed;
	svm_vmcb_set_features(svm);
}

/* What no group of state holds, as it is when a vCPU starts. */
void svm_vmcb_init(struct svm_vcpu *svm)
{
	struct vmcb_control_area *control = &svm->vmcb->control;
	unsigned int i;

	memset(control->intercepts, 0, sizeof(control->intercepts));
	for (i = 0; i < ARRAY_SIZE(vmcb_intercepts); i++)
		svm_intercept_set(svm->vmcb, vmcb_intercepts[i]);
	control->intercepts[INTERCEPT_DR] = SVM_INTERCEPT_DRS;
	if (svm_caps_rdpru())
		svm_intercept_set(svm->vmcb, INTERCEPT_RDPRU);
	vmcb_init_pause(svm);

	control->iopm_base_pa = __sme_set(__pa(vmcb_iopm));
	svm_vmcb_set_tables(svm);
	/* The host's interrupt flag, not the guest's, says whether an interrupt is an exit. */
	control->int_ctl = V_INTR_MASKING_MASK;
	control->event_inj = 0;
	/*
	 * No clean bits: the processor reads the whole block at each entry.  What a forgotten bit
	 * does shows only on processors that cache the block, and no emulator does.
	 */
	control->clean = 0;

	svm->asid_generation = 0;
	svm->flush_asid = false;
	svm->drs_open = false;
	svm->nmi_masked = false;
	svm->iret_seen = false;
	svm->step = false;
	svm->soft_len = 0;
}

/* May sleep. */
int svm_vmcb_alloc(struct svm_vcpu *svm)
{
	svm->vmcb = svm_page_alloc();
	if (!svm->vmcb)
		return -ENOMEM;
	svm->vmcb_pa = __sme_set(__pa(svm->vmcb));
	svm_vmcb_init(svm);
	return 0;
}

void svm_vmcb_free(struct svm_vcpu *svm)
{
	svm_page_free(svm->vmcb);
}
