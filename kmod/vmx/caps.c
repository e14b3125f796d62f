// SPDX-License-Identifier: GPL-2.0-only
/*
 * What this processor's VMX can do: read once, asked by predicates.
 *
 * The processor tells for each word of controls which bits must be 1 and which may be 1.  A row of
 * caps_rows says what mkvm makes of a bit: it MUST be set, it MAY be set, or it must be clear and
 * be there to be set at TIMES.
 * Bits that no row names keep the value that the processor wants.  Every processor of the machine
 * must give the same answers, as a VMCS wanders.
 */
#define pr_fmt(fmt) "mkvm: " fmt

#include <linux/kernel.h>
#include <linux/smp.h>
#include <linux/string.h>
#include <asm/msr.h>
#include <asm/processor.h>
#include "vmx/vmx.h"

#define BASIC_TRUE_CONTROLS BIT_ULL(55)

/* Atom C2000 (Avoton, Rangeley): an erratum (AVR41) has EPT's accessed and dirty bits wrong. */
#define MODEL_AVOTON 0x4d

enum caps_use {
	MUST,
	MAY,
	TIMES,
};

struct caps_row {
	enum caps_word word;
	enum caps_use use;
	u32 bit;
	const char *name;
};

static const struct caps_row caps_rows[] = {
	{ CAPS_PIN, MUST, PIN_BASED_EXT_INTR_MASK, "external-interrupt exiting" },
	{ CAPS_PIN, MUST, PIN_BASED_NMI_EXITING, "NMI exiting" },
	{ CAPS_PIN, MUST, PIN_BASED_VIRTUAL_NMIS, "virtual NMIs" },

	{ CAPS_CPU, MUST, CPU_BASED_USE_TSC_OFFSETTING, "TSC offsetting" },
	{ CAPS_CPU, MUST, CPU_BASED_HLT_EXITING, "HLT exiting" },
	{ CAPS_CPU, MUST, CPU_BASED_MWAIT_EXITING, "MWAIT exiting" },
	{ CAPS_CPU, MUST, CPU_BASED_MONITOR_EXITING, "MONITOR exiting" },
	{ CAPS_CPU, MUST, CPU_BASED_RDPMC_EXITING, "RDPMC exiting" },
	{ CAPS_CPU, MUST, CPU_BASED_CR8_LOAD_EXITING, "CR8-load exiting" },
	{ CAPS_CPU, MUST, CPU_BASED_CR8_STORE_EXITING, "CR8-store exiting" },
	/* For vCPUs with a local APIC: see vmx_vmcs_cpu_controls(). */
	{ CAPS_CPU, MAY, CPU_BASED_TPR_SHADOW, "TPR shadow" },
	{ CAPS_CPU, MUST, CPU_BASED_MOV_DR_EXITING, "MOV-DR exiting" },
	{ CAPS_CPU, MUST, CPU_BASED_UNCOND_IO_EXITING, "unconditional I/O exiting" },
	{ CAPS_CPU, MUST, CPU_BASED_USE_MSR_BITMAPS, "MSR bitmaps" },
	{ CAPS_CPU, MUST, CPU_BASED_ACTIVATE_SECONDARY_CONTROLS, "secondary controls" },
	{ CAPS_CPU, TIMES, CPU_BASED_INTR_WINDOW_EXITING, "interrupt-window exiting" },
	{ CAPS_CPU, TIMES, CPU_BASED_NMI_WINDOW_EXITING, "NMI-window exiting" },
	/* Switched off again but for VMs that want it: see vmx_vmcs_cpu_controls(). */
	{ CAPS_CPU, MAY, CPU_BASED_PAUSE_EXITING, "PAUSE exiting" },
	/* For vCPUs on shadow tables: see run.c. */
	{ CAPS_CPU, TIMES, CPU_BASED_CR3_LOAD_EXITING, "CR3-load exiting" },
	{ CAPS_CPU, TIMES, CPU_BASED_CR3_STORE_EXITING, "CR3-store exiting" },

	{ CAPS_CPU2, MUST, SECONDARY_EXEC_ENABLE_EPT, "EPT" },
	{ CAPS_CPU2, MUST, SECONDARY_EXEC_UNRESTRICTED_GUEST, "unrestricted guest" },
	{ CAPS_CPU2, MAY, SECONDARY_EXEC_ENABLE_VPID, "VPID" },
	{ CAPS_CPU2, MAY, SECONDARY_EXEC_WBINVD_EXITING, "WBINVD exiting" },
	{ CAPS_CPU2, MAY, SECONDARY_EXEC_ENCLS_EXITING, "ENCLS exiting" },
	{ CAPS_CPU2, MAY, SECONDARY_EXEC_TSC_SCALING, "TSC scaling" },
	{ CAPS_CPU2, MAY, SECONDARY_EXEC_PAUSE_LOOP_EXITING, "PAUSE-loop exiting" },
	/* Switched off again for guests that lack them: see vmx_vmcs_set_features(). */
	{ CAPS_CPU2, MAY, SECONDARY_EXEC_ENABLE_RDTSCP, "RDTSCP" },
	{ CAPS_CPU2, MAY, SECONDARY_EXEC_ENABLE_INVPCID, "INVPCID" },
	{ CAPS_CPU2, MAY, VMX_EXEC2_XSAVES, "XSAVES" },
	/* So for those that have them. */
	{ CAPS_CPU2, MAY, SECONDARY_EXEC_RDRAND_EXITING, "RDRAND exiting" },
	{ CAPS_CPU2, MAY, SECONDARY_EXEC_RDSEED_EXITING, "RDSEED exiting" },
	/*
	 * What stays clear raises #UD: UMWAIT, VMFUNC.  Page-modification logging: see run.c;
	 * virtual-interrupt delivery: see apic.c.
	 */

	{ CAPS_EXIT, MUST, VM_EXIT_SAVE_DEBUG_CONTROLS, "save debug controls at exit" },
	{ CAPS_EXIT, MUST, VM_EXIT_HOST_ADDR_SPACE_SIZE, "64-bit host" },
	{ CAPS_EXIT, MUST, VM_EXIT_LOAD_IA32_PAT, "load PAT at exit" },
	{ CAPS_EXIT, MUST, VM_EXIT_LOAD_IA32_EFER, "load EFER at exit" },

	{ CAPS_ENTRY, MUST, VM_ENTRY_LOAD_DEBUG_CONTROLS, "load debug controls at entry" },
	{ CAPS_ENTRY, MUST, VM_ENTRY_LOAD_IA32_PAT, "load PAT at entry" },
	{ CAPS_ENTRY, MUST, VM_ENTRY_LOAD_IA32_EFER, "load EFER at entry" },
};

/* Which MSR describes a word: the first where the processor has "true" controls. */
static const u32 caps_msrs[CAPS_NR_WORDS][2] = {
	[CAPS_PIN] = { MSR_IA32_VMX_TRUE_PINBASED_CTLS, MSR_IA32_VMX_PINBASED_CTLS },
	[CAPS_CPU] = { MSR_IA32_VMX_TRUE_PROCBASED_CTLS, MSR_IA32_VMX_PROCBASED_CTLS },
	[CAPS_CPU2] = { MSR_IA32_VMX_PROCBASED_CTLS2, MSR_IA32_VMX_PROCBASED_CTLS2 },
	[CAPS_EXIT] = { MSR_IA32_VMX_TRUE_EXIT_CTLS, MSR_IA32_VMX_EXIT_CTLS },
	[CAPS_ENTRY] = { MSR_IA32_VMX_TRUE_ENTRY_CTLS, MSR_IA32_VMX_ENTRY_CTLS },
};

/**
 * struct caps - a processor's answers
 * @basic: revision of the VMCS, and more
 * @controls: the words as mkvm uses them
 * @ept_vpid: what EPT and VPID can do
 * @pml: page-modification logging
 * @apicv: virtual-interrupt delivery, with what goes with it
 * @apic_access: accesses of the local APIC's page are known as such
 * @step: an exit after each instruction
 * @cr0_fixed: bits that must be 1 in CR0, bits that may be
 * @cr4_fixed: the same for CR4
 */
struct caps {
	u64 basic;
	u32 controls[CAPS_NR_WORDS];
	u64 ept_vpid;
	bool pml;
	bool apicv;
	bool apic_access;
	bool step;
	u64 cr0_fixed[2];
	u64 cr4_fixed[2];
};

static struct caps caps;

static u64 caps_rdmsr(u32 msr)
{
	u64 value;

	return rdmsrl_safe(msr, &value) ? 0 : value;
}

/* Choose the bits of all words; the name of a bit that cannot be as mkvm needs it, or NULL. */
static const char *caps_choose(struct caps *c)
{
	bool is_true = c->basic & BASIC_TRUE_CONTROLS;
	const char *wrong = NULL;
	int i;

	for (i = 0; i < CAPS_NR_WORDS; i++)
		c->controls[i] = (u32)caps_rdmsr(caps_msrs[i][is_true ? 0 : 1]);

	for (i = 0; i < ARRAY_SIZE(caps_rows); i++) {
		const struct caps_row *row = &caps_rows[i];
		u64 allowed = caps_rdmsr(caps_msrs[row->word][is_true ? 0 : 1]) >> 32;

		if (row->use == MUST || row->use == MAY)
			c->controls[row->word] |= row->bit & allowed;
		if (!wrong && row->use == MUST && !(c->controls[row->word] & row->bit))
			wrong = row->name;
		if (!wrong && row->use == TIMES &&
		    (!(allowed & row->bit) || (c->controls[row->word] & row->bit)))
			wrong = row->name;
	}
	return wrong;
}

/* Five levels only where four do not reach all of memory, or there are no four. */
static int caps_ept_levels(u64 ept_vpid)
{
	if (!(ept_vpid & VMX_EPT_PAGE_WALK_4_BIT))
		return 5;
	return (ept_vpid & VMX_EPT_PAGE_WALK_5_BIT) && boot_cpu_data.x86_phys_bits > 48 ? 5 : 4;
}

static int caps_ept_max_level(u64 ept_vpid)
{
	if (!(ept_vpid & VMX_EPT_2MB_PAGE_BIT))
		return 1;
	return ept_vpid & VMX_EPT_1GB_PAGE_BIT ? 3 : 2;
}

/* What EPT must be able to do; the name of what is missing, or NULL. */
static const char *caps_check_ept(const struct caps *c)
{
	if (!(c->ept_vpid & (VMX_EPT_PAGE_WALK_4_BIT | VMX_EPT_PAGE_WALK_5_BIT)))
		return "an EPT walk of 4 or 5 levels";
	if (!(c->ept_vpid & VMX_EPTP_WB_BIT))
		return "write-back memory for EPT tables";
	if (!(c->ept_vpid & VMX_EPT_INVEPT_BIT) || !(c->ept_vpid & VMX_EPT_EXTENT_GLOBAL_BIT))
		return "INVEPT";
	return NULL;
}

static const char *caps_read(struct caps *c)
{
	const char *wrong;

	memset(c, 0, sizeof(*c));
	c->basic = caps_rdmsr(MSR_IA32_VMX_BASIC);
	c->cr0_fixed[0] = caps_rdmsr(MSR_IA32_VMX_CR0_FIXED0);
	c->cr0_fixed[1] = caps_rdmsr(MSR_IA32_VMX_CR0_FIXED1);
	c->cr4_fixed[0] = caps_rdmsr(MSR_IA32_VMX_CR4_FIXED0);
	c->cr4_fixed[1] = caps_rdmsr(MSR_IA32_VMX_CR4_FIXED1);
	c->ept_vpid = caps_rdmsr(MSR_IA32_VMX_EPT_VPID_CAP);
	c->pml = (c->ept_vpid & VMX_EPT_AD_BIT) &&
		 (caps_rdmsr(MSR_IA32_VMX_PROCBASED_CTLS2) >> 32 & SECONDARY_EXEC_ENABLE_PML);
	c->apicv = (caps_rdmsr(MSR_IA32_VMX_PROCBASED_CTLS2) >> 32 & VMX_EXEC2_APICV) ==
		   VMX_EXEC2_APICV;
	c->apic_access = caps_rdmsr(MSR_IA32_VMX_PROCBASED_CTLS2) >> 32 &
			 SECONDARY_EXEC_VIRTUALIZE_APIC_ACCESSES;
	c->step = caps_rdmsr(MSR_IA32_VMX_PROCBASED_CTLS) >> 32 & CPU_BASED_MONITOR_TRAP_FLAG;
	wrong = caps_choose(c);
	if (!wrong)
		wrong = caps_check_ept(c);

	/* A VPID is of use only if its translations can be dropped. */
	if (!(c->ept_vpid >> 32 & VMX_VPID_INVVPID_BIT) ||
	    !(c->ept_vpid >> 32 & VMX_VPID_EXTENT_GLOBAL_CONTEXT_BIT))
		c->controls[CAPS_CPU2] &= ~SECONDARY_EXEC_ENABLE_VPID;
	return wrong;
}

/* Features of the processor that guests cannot have without a control. */
static void caps_tell_lacks(void)
{
	u32 cpu2 = caps.controls[CAPS_CPU2];

	if (!(cpu2 & SECONDARY_EXEC_ENABLE_RDTSCP)) {
		x86_cpuid_lacks(FEAT_RDTSCP);
		x86_cpuid_lacks(FEAT_RDPID);
	}
	if (!(cpu2 & SECONDARY_EXEC_ENABLE_INVPCID))
		x86_cpuid_lacks(FEAT_INVPCID);
	if (!(cpu2 & VMX_EXEC2_XSAVES))
		x86_cpuid_lacks(FEAT_XSAVES);
}

int vmx_caps_setup(struct mmu_caps *mmu)
{
	const char *wrong;

	if (!(cpuid_ecx(1) & BIT(5))) {
		pr_err("this processor has no VMX\n");
		return -EOPNOTSUPP;
	}
	wrong = caps_read(&caps);
	if (wrong) {
		pr_err("this processor's VMX does not give what mkvm needs: %s\n", wrong);
		return -EOPNOTSUPP;
	}
	caps_tell_lacks();
	if (vmx_caps_tsc_scaling())
		x86_tsc_scales(48, ~0ull);
	mmu->fmt = pte_fmt_ept(vmx_caps_ept_ad());
	mmu->fmt_beside = pte_fmt_ept(false);
	mmu->levels = caps_ept_levels(caps.ept_vpid);
	mmu->max_level = caps_ept_max_level(caps.ept_vpid);
	mmu->pml = vmx_caps_pml();
	mmu->no_large_exec = boot_cpu_has_bug(X86_BUG_ITLB_MULTIHIT);
	return 0;
}

/* Is the processor that this runs on like the one that vmx_caps_setup() read? */
int vmx_caps_check(void)
{
	struct caps here;

	caps_read(&here);
	if (!memcmp(&here, &caps, sizeof(caps)))
		return 0;
	pr_err_ratelimited("VMX of CPU %d differs from that of the other CPUs\n",
			   smp_processor_id());
	return -EOPNOTSUPP;
}

u32 vmx_caps_controls(enum caps_word word)
{
	return caps.controls[word];
}

bool vmx_caps_tpr_shadow(void)
{
	return caps.controls[CAPS_CPU] & CPU_BASED_TPR_SHADOW;
}

/* Virtual-interrupt delivery, and x2APIC mode for it. */
bool vmx_caps_apicv(void)
{
	return caps.apicv && vmx_caps_tpr_shadow();
}

/* xAPIC mode for it. */
bool vmx_caps_apic_access(void)
{
	return caps.apic_access && vmx_caps_tpr_shadow();
}

/* The monitor trap flag. */
bool vmx_caps_step(void)
{
	return caps.step;
}

u32 vmx_caps_revision(void)
{
	return vmx_basic_vmcs_revision_id(caps.basic);
}

u64 vmx_caps_cr0(u64 cr0)
{
	/* An unrestricted guest may run unpaged and in real mode. */
	u64 ones = caps.cr0_fixed[0] & ~(u64)(X86_CR0_PE | X86_CR0_PG);

	return (cr0 | ones) & caps.cr0_fixed[1];
}

u64 vmx_caps_cr4(u64 cr4)
{
	return cr4 | caps.cr4_fixed[0];
}

bool vmx_caps_vpid(void)
{
	return caps.controls[CAPS_CPU2] & SECONDARY_EXEC_ENABLE_VPID;
}

bool vmx_caps_ept_ad(void)
{
	return (caps.ept_vpid & VMX_EPT_AD_BIT) &&
	       !(boot_cpu_data.x86 == 6 && boot_cpu_data.x86_model == MODEL_AVOTON);
}

/* Page-modification logging. */
bool vmx_caps_pml(void)
{
	return caps.pml && vmx_caps_ept_ad();
}

bool vmx_caps_invept_context(void)
{
	return caps.ept_vpid & VMX_EPT_EXTENT_CONTEXT_BIT;
}

bool vmx_caps_invvpid_context(void)
{
	return caps.ept_vpid >> 32 & VMX_VPID_EXTENT_SINGLE_CONTEXT_BIT;
}

bool vmx_caps_invvpid_all(void)
{
	return caps.ept_vpid >> 32 & VMX_VPID_EXTENT_GLOBAL_CONTEXT_BIT;
}

/* RDTSCP and RDPID: TSC_AUX is the guest's while it runs. */
bool vmx_caps_rdtscp(void)
{
	return caps.controls[CAPS_CPU2] & SECONDARY_EXEC_ENABLE_RDTSCP;
}

bool vmx_caps_xsaves(void)
{
	return caps.controls[CAPS_CPU2] & VMX_EXEC2_XSAVES;
}

bool vmx_caps_tsc_scaling(void)
{
	return caps.controls[CAPS_CPU2] & SECONDARY_EXEC_TSC_SCALING;
}

bool vmx_caps_encls_exiting(void)
{
	return caps.controls[CAPS_CPU2] & SECONDARY_EXEC_ENCLS_EXITING;
}

bool vmx_caps_pause_loop_exiting(void)
{
	return caps.controls[CAPS_CPU2] & SECONDARY_EXEC_PAUSE_LOOP_EXITING;
}
