// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the processor's SVM can do, read once when the module is loaded.
 *
 * CPUID itself is asked, not the kernel's feature bits: the kernel clears SVM's when the firmware
 * has it switched off, and then nobody could say which of the two it is.
 */
#include <linux/cc_platform.h>
#include <linux/pgtable.h>
#include <asm/cpufeature.h>
#include <asm/processor.h>
#include "svm/svm.h"

#define CAPS_LEAF_EXT 0x80000001
#define CAPS_ECX_SVM  BIT(2)

/* CPUID of the SVM leaf, EDX */
#define CAPS_NPT	    BIT(0)
#define CAPS_NRIPS	    BIT(3)
#define CAPS_TSC_RATIO	    BIT(4)
#define CAPS_FLUSH_BY_ASID  BIT(6)
#define CAPS_DECODE_ASSISTS BIT(7)
#define CAPS_PAUSE_FILTER   (BIT(10) | BIT(12)) /* and its threshold */

static struct {
	u32 nr_asids;
	u32 features;
} caps_svm __ro_after_init;

static bool caps_has_svm(void)
{
	return cpuid_eax(0x80000000) >= SVM_CPUID_FUNC && cpuid_ecx(CAPS_LEAF_EXT) & CAPS_ECX_SVM;
}

static int caps_missing(const char *what)
{
	pr_err("mkvm: this processor cannot run guests: %s\n", what);
	return -EOPNOTSUPP;
}

/* At load; may sleep.  0, or -EOPNOTSUPP after a message that names what is missing. */
int svm_caps_setup(struct mmu_caps *caps)
{
	u64 efer;

	if (cc_platform_has(CC_ATTR_GUEST_MEM_ENCRYPT))
		return caps_missing("its memory is encrypted by a hypervisor (SEV)");
	if (!caps_has_svm())
		return caps_missing("it has no AMD-V (SVM), or a hypervisor hides it");
	caps_svm.nr_asids = cpuid_ebx(SVM_CPUID_FUNC);
	caps_svm.features = cpuid_edx(SVM_CPUID_FUNC);
	if (!(caps_svm.features & CAPS_NPT))
		return caps_missing("its AMD-V has no nested paging (NPT)");
	if (caps_svm.nr_asids < 2)
		return caps_missing("its AMD-V has no address space identifier for a guest");
	/* The second table is walked under the host's EFER.NXE. */
	rdmsrl(MSR_EFER, efer);
	if (!(efer & EFER_NX))
		return caps_missing("the kernel runs without no-execute pages (EFER.NXE)");

	if (svm_caps_tsc_ratio())
		x86_tsc_scales(32, BIT_ULL(40) - 1);
	caps->fmt = pte_fmt_npt();
	caps->levels = pgtable_l5_enabled() ? 5 : 4;
	caps->max_level = boot_cpu_has(X86_FEATURE_GBPAGES) ? 3 : 2;
	return 0;
}

/* Identifiers, the host's own (0) included. */
u32 svm_caps_nr_asids(void)
{
	return caps_svm.nr_asids;
}

/* The address of the next instruction is told on exits by instructions. */
bool svm_caps_nrips(void)
{
	return caps_svm.features & CAPS_NRIPS;
}

/* The operand of MOV CR and MOV DR is told. */
bool svm_caps_decode_assists(void)
{
	return caps_svm.features & CAPS_DECODE_ASSISTS;
}

/* One identifier's translations can be dropped alone. */
bool svm_caps_flush_by_asid(void)
{
	return caps_svm.features & CAPS_FLUSH_BY_ASID;
}

bool svm_caps_tsc_ratio(void)
{
	return caps_svm.features & CAPS_TSC_RATIO;
}

/* PAUSEs that are near to each other are counted, and only the last one exits. */
bool svm_caps_pause_filter(void)
{
	return (caps_svm.features & CAPS_PAUSE_FILTER) == CAPS_PAUSE_FILTER;
}

/* RDTSCP and RDPID show TSC_AUX to the guest, and RDPID cannot be intercepted. */
bool svm_caps_tsc_aux(void)
{
	return boot_cpu_has(X86_FEATURE_RDTSCP) || boot_cpu_has(X86_FEATURE_RDPID);
}

bool svm_caps_rdpru(void)
{
	return boot_cpu_has(X86_FEATURE_RDPRU);
}
