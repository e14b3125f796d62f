// SPDX-License-Identifier: GPL-2.0-only
/*
 * The table of model-specific registers, and those that are more than a stored value.
 *
 * The registers are those that kvm gives a guest without an interrupt controller, performance
 * counters, SMM and nesting; many are there only because guests read them without asking.  The
 * speculation control SPEC_CTRL is not there: guests run with the host's setting.
 */
#include <asm/apicdef.h>
#include <asm/cpufeature.h>
#include <asm/mtrr.h>
#include <asm/msr-index.h>
#include <uapi/asm/kvm_para.h>
#include "irqchip/lapic.h"
#include "x86/msr.h"

static enum msr_result efer_read(struct mkvm_vcpu *vcpu, u32 index, enum msr_who who, u64 *value)
{
	x86_fetch(vcpu, X86_ST_CRS);
	*value = vcpu->x86.efer;
	return MSR_OK;
}

/* The host makes any state that this processor can have; LMA is nobody's to write. */
static enum msr_result efer_write(struct mkvm_vcpu *vcpu, u32 index, enum msr_who who, u64 value)
{
	if (who == MSR_BY_GUEST)
		return x86_set_efer(vcpu, value) ? MSR_INVALID : MSR_OK;
	if (value & ~x86_efer_offered())
		return MSR_INVALID;
	x86_dirty(vcpu, X86_ST_CRS);
	vcpu->x86.efer = (value & ~(u64)EFER_LMA) | (vcpu->x86.efer & EFER_LMA);
	x86_paging_set(vcpu);
	return MSR_OK;
}

static enum msr_result apic_base_write(struct mkvm_vcpu *vcpu, u32 index, enum msr_who who,
				       u64 value)
{
	return x86_set_apic_base(vcpu, value, who == MSR_BY_HOST) ? MSR_INVALID : MSR_OK;
}

static enum msr_result tsc_read(struct mkvm_vcpu *vcpu, u32 index, enum msr_who who, u64 *value)
{
	*value = x86_tsc_read(vcpu);
	return MSR_OK;
}

static enum msr_result tsc_write(struct mkvm_vcpu *vcpu, u32 index, enum msr_who who, u64 value)
{
	if (who == MSR_BY_HOST)
		x86_tsc_set(vcpu, value);
	else
		x86_tsc_move(vcpu, value - x86_tsc_read(vcpu));
	return MSR_OK;
}

/* The guest moves its counter by the change; the host says what has been moved already. */
static enum msr_result tsc_adjust_write(struct mkvm_vcpu *vcpu, u32 index, enum msr_who who,
					u64 value)
{
	u64 *adjust = &vcpu->x86.msrs.tsc_adjust;

	if (!x86_has(vcpu, FEAT_TSC_ADJUST))
		return MSR_OK;
	if (who == MSR_BY_GUEST)
		x86_tsc_move(vcpu, value - *adjust);
	*adjust = value;
	return MSR_OK;
}

static enum msr_result tsc_aux_may(struct mkvm_vcpu *vcpu, enum msr_who who)
{
	if (!x86_cpuid_offers(FEAT_RDTSCP) && !x86_cpuid_offers(FEAT_RDPID))
		return MSR_UNKNOWN;
	if (who == MSR_BY_GUEST && !x86_has(vcpu, FEAT_RDTSCP) && !x86_has(vcpu, FEAT_RDPID))
		return MSR_INVALID;
	return MSR_OK;
}

static enum msr_result tsc_aux_read(struct mkvm_vcpu *vcpu, u32 index, enum msr_who who, u64 *value)
{
	*value = vcpu->x86.tsc_aux;
	return tsc_aux_may(vcpu, who);
}

/* The upper half is reserved on Intel, and not there on AMD. */
static enum msr_result tsc_aux_write(struct mkvm_vcpu *vcpu, u32 index, enum msr_who who, u64 value)
{
	enum msr_result result = tsc_aux_may(vcpu, who);

	if (result != MSR_OK)
		return result;
	if (!vcpu->x86.cpuid.amd && value >> 32)
		return MSR_INVALID;
	x86_dirty(vcpu, X86_ST_MSRS);
	vcpu->x86.tsc_aux = (u32)value;
	return MSR_OK;
}

/* To the guest what it says is not there is read-only, and the monitor bit keeps its value. */
static enum msr_result misc_enable_write(struct mkvm_vcpu *vcpu, u32 index, enum msr_who who,
					 u64 value)
{
	u64 *field = &vcpu->x86.msrs.misc_enable;
	u64 fixed = MSR_IA32_MISC_ENABLE_PEBS_UNAVAIL | MSR_IA32_MISC_ENABLE_BTS_UNAVAIL;
	u64 kept = who == MSR_BY_GUEST ? MSR_IA32_MISC_ENABLE_EMON : 0;

	if (who == MSR_BY_GUEST && (*field ^ value) & fixed)
		return MSR_INVALID;
	*field = (value & ~kept) | (*field & kept);
	return MSR_OK;
}

static enum msr_result platform_info_read(struct mkvm_vcpu *vcpu, u32 index, enum msr_who who,
					  u64 *value)
{
	if (who == MSR_BY_GUEST && READ_ONCE(vcpu->vm->no_platform_info))
		return MSR_INVALID;
	*value = vcpu->x86.msrs.platform_info;
	return MSR_OK;
}

/* While CPUID faults, it must be said that it can. */
static enum msr_result platform_info_write(struct mkvm_vcpu *vcpu, u32 index, enum msr_who who,
					   u64 value)
{
	if (!(value & MSR_PLATFORM_INFO_CPUID_FAULT) && x86_cpuid_faults(vcpu))
		return MSR_INVALID;
	vcpu->x86.msrs.platform_info = value;
	return MSR_OK;
}

static enum msr_result misc_features_write(struct mkvm_vcpu *vcpu, u32 index, enum msr_who who,
					   u64 value)
{
	if (value && !(vcpu->x86.msrs.platform_info & MSR_PLATFORM_INFO_CPUID_FAULT))
		return MSR_INVALID;
	vcpu->x86.msrs.misc_features = value;
	return MSR_OK;
}

/* A guest writes 0 before it reads; it changes nothing. */
static enum msr_result ucode_rev_write(struct mkvm_vcpu *vcpu, u32 index, enum msr_who who,
				       u64 value)
{
	if (who == MSR_BY_HOST)
		vcpu->x86.msrs.ucode_rev = value;
	return MSR_OK;
}

/* Once it is locked the guest cannot change it. */
static enum msr_result feat_ctl_write(struct mkvm_vcpu *vcpu, u32 index, enum msr_who who,
				      u64 value)
{
	if (who == MSR_BY_GUEST && vcpu->x86.msrs.feat_ctl & FEAT_CTL_LOCKED)
		return MSR_INVALID;
	vcpu->x86.msrs.feat_ctl = value;
	return MSR_OK;
}

/* Old guests set flush-filter, IGNNE and TLB-cache bits to work around what is not there. */
static enum msr_result hwcr_write(struct mkvm_vcpu *vcpu, u32 index, enum msr_who who, u64 value)
{
	value &= ~(BIT_ULL(3) | BIT_ULL(6) | BIT_ULL(8));
	/* McStatusWrEn and TscFreqSel */
	if (value & ~(BIT_ULL(18) | BIT_ULL(24)))
		return MSR_INVALID;
	vcpu->x86.msrs.hwcr = value;
	return MSR_OK;
}

/* The host needs the feature too: the values mean nothing without. */
static enum msr_result osvw_read(struct mkvm_vcpu *vcpu, u32 index, enum msr_who who, u64 *value)
{
	if (!x86_has(vcpu, FEAT_OSVW))
		return MSR_INVALID;
	*value = vcpu->x86.msrs.osvw[index != MSR_AMD64_OSVW_ID_LENGTH];
	return MSR_OK;
}

static enum msr_result osvw_write(struct mkvm_vcpu *vcpu, u32 index, enum msr_who who, u64 value)
{
	if (!x86_has(vcpu, FEAT_OSVW))
		return MSR_INVALID;
	vcpu->x86.msrs.osvw[index != MSR_AMD64_OSVW_ID_LENGTH] = value;
	return MSR_OK;
}

static enum msr_result de_cfg_write(struct mkvm_vcpu *vcpu, u32 index, enum msr_who who, u64 value)
{
	if (value & ~msr_feature(index))
		return MSR_INVALID;
	vcpu->x86.msrs.de_cfg = value;
	return MSR_OK;
}

/* The default alone: rate 1, which old user space writes as 0. */
static enum msr_result tsc_ratio_write(struct mkvm_vcpu *vcpu, u32 index, enum msr_who who,
				       u64 value)
{
	return value && value != BIT_ULL(32) ? MSR_INVALID : MSR_OK;
}

/* An IBPB, on the host's processor.  Restoring a list is no reason for one. */
static enum msr_result pred_cmd_write(struct mkvm_vcpu *vcpu, u32 index, enum msr_who who,
				      u64 value)
{
	if (value && !boot_cpu_has(X86_FEATURE_IBPB))
		return MSR_INVALID;
	if (value)
		wrmsrl(MSR_IA32_PRED_CMD, PRED_CMD_IBPB);
	return MSR_OK;
}

static enum msr_result flush_cmd_write(struct mkvm_vcpu *vcpu, u32 index, enum msr_who who,
				       u64 value)
{
	if (!boot_cpu_has(X86_FEATURE_FLUSH_L1D))
		return MSR_INVALID;
	if (value)
		wrmsrl(MSR_IA32_FLUSH_CMD, L1D_FLUSH);
	return MSR_OK;
}

/* Without an interrupt controller in the kernel there are no x2APIC registers, and no deadline. */
static enum msr_result x2apic_read(struct mkvm_vcpu *vcpu, u32 index, enum msr_who who, u64 *value)
{
	return lapic_msr_read(vcpu, index, value) ? MSR_INVALID : MSR_OK;
}

static enum msr_result x2apic_write(struct mkvm_vcpu *vcpu, u32 index, enum msr_who who, u64 value)
{
	return lapic_msr_write(vcpu, index, value) ? MSR_INVALID : MSR_OK;
}

static enum msr_result deadline_read(struct mkvm_vcpu *vcpu, u32 index, enum msr_who who,
				     u64 *value)
{
	*value = lapic_deadline(vcpu);
	return MSR_OK;
}

static enum msr_result deadline_write(struct mkvm_vcpu *vcpu, u32 index, enum msr_who who,
				      u64 value)
{
	lapic_set_deadline(vcpu, value);
	return MSR_OK;
}

/* Whether the host may wait a little for a halted vCPU before it gives up the processor. */
static enum msr_result poll_control_read(struct mkvm_vcpu *vcpu, u32 index, enum msr_who who,
					 u64 *value)
{
	if (!x86_has_pv(vcpu, KVM_FEATURE_POLL_CONTROL))
		return MSR_UNKNOWN;
	*value = vcpu->x86.msrs.poll_control;
	return MSR_OK;
}

static enum msr_result poll_control_write(struct mkvm_vcpu *vcpu, u32 index, enum msr_who who,
					  u64 value)
{
	if (!x86_has_pv(vcpu, KVM_FEATURE_POLL_CONTROL))
		return MSR_UNKNOWN;
	vcpu->x86.msrs.poll_control = value;
	return MSR_OK;
}

#define FIELD(name) .offset = offsetof(struct x86_vcpu, name)
#define ONE(msr)    .first = (msr), .last = (msr)
#define VMX	    .vendor = MKVM_VENDOR_VMX
#define SVM	    .vendor = MKVM_VENDOR_SVM

#define STATE(msr, list, how, where, name)                                                    \
	{                                                                                     \
		ONE(msr), .rights = MSR_RW, .flags = (list), .rule = (how), .group = (where), \
			  FIELD(name)                                                         \
	}
/* Reads give @what; writes are accepted and forgotten, or refused. */
#define CONST(from, to, what)                                                   \
	{                                                                       \
		.first = (from), .last = (to), .rights = MSR_R, .value = (what) \
	}
#define CONST_IGNORED(from, to, what)                                                 \
	{                                                                             \
		.first = (from), .last = (to), .rights = MSR_RW, .rule = MSR_IGNORED, \
		.value = (what)                                                       \
	}
/* Performance counters that no guest has: the host reads and writes 0. */
#define NO_PMU(from, to)                                                            \
	{                                                                           \
		.first = (from), .last = (to), .rights = MSR_HOST, .rule = MSR_MASK \
	}

const struct msr_row msr_rows[] = {
	STATE(MSR_IA32_SYSENTER_CS, MSR_LISTED_PROBED, MSR_ANY, X86_ST_MSRS, sysenter_cs),
	STATE(MSR_IA32_SYSENTER_ESP, MSR_LISTED_PROBED, MSR_SIGN_EXTENDED, X86_ST_MSRS,
	      sysenter_esp),
	STATE(MSR_IA32_SYSENTER_EIP, MSR_LISTED_PROBED, MSR_SIGN_EXTENDED, X86_ST_MSRS,
	      sysenter_eip),
	STATE(MSR_STAR, MSR_LISTED_PROBED, MSR_ANY, X86_ST_MSRS, star),
	STATE(MSR_CSTAR, MSR_LISTED_PROBED, MSR_CANONICAL, X86_ST_MSRS, cstar),
	STATE(MSR_KERNEL_GS_BASE, MSR_LISTED_PROBED, MSR_CANONICAL, X86_ST_MSRS, kernel_gs_base),
	STATE(MSR_SYSCALL_MASK, MSR_LISTED_PROBED, MSR_U32, X86_ST_MSRS, sfmask),
	STATE(MSR_LSTAR, MSR_LISTED_PROBED, MSR_CANONICAL, X86_ST_MSRS, lstar),
	{ ONE(MSR_IA32_TSC), .rights = MSR_RW, .flags = MSR_LISTED_PROBED, .read = tsc_read,
	  .write = tsc_write },
	STATE(MSR_IA32_CR_PAT, MSR_LISTED_PROBED, MSR_PAT, X86_ST_MSRS, pat),
	STATE(MSR_FS_BASE, 0, MSR_CANONICAL, X86_ST_SEGS, seg[X86_FS].base),
	STATE(MSR_GS_BASE, 0, MSR_CANONICAL, X86_ST_SEGS, seg[X86_GS].base),
	{ ONE(MSR_EFER), .rights = MSR_RW, .read = efer_read, .write = efer_write },
	{ ONE(MSR_TSC_AUX), .rights = MSR_RW, .flags = MSR_LISTED_PROBED, .read = tsc_aux_read,
	  .write = tsc_aux_write },
	{ ONE(MSR_IA32_APICBASE), .rights = MSR_RW, FIELD(apic_base), .write = apic_base_write },
	{ .first = APIC_BASE_MSR,
	  .last = APIC_BASE_MSR + 0xff,
	  .rights = MSR_RW,
	  .read = x2apic_read,
	  .write = x2apic_write },
	{ ONE(MSR_IA32_TSC_ADJUST), .rights = MSR_RW, .flags = MSR_LISTED, FIELD(msrs.tsc_adjust),
	  .write = tsc_adjust_write },
	{ ONE(MSR_IA32_TSC_DEADLINE), .rights = MSR_RW, .flags = MSR_LISTED, .read = deadline_read,
	  .write = deadline_write },

	/* Features */
	{ ONE(MSR_IA32_ARCH_CAPABILITIES), .rights = MSR_R | MSR_HOST_W,
	  .flags = MSR_LISTED | MSR_FEATURE | MSR_FROZEN, .feature = FEAT_ARCH_CAPABILITIES,
	  FIELD(msrs.arch_capabilities) },
	{ ONE(MSR_IA32_PERF_CAPABILITIES), .rights = MSR_HOST,
	  .flags = MSR_LISTED | MSR_FEATURE | MSR_FROZEN, .rule = MSR_MASK,
	  FIELD(msrs.perf_capabilities) },
	{ ONE(MSR_AMD64_DE_CFG), .rights = MSR_RW, .flags = MSR_FEATURE | MSR_FROZEN, SVM,
	  FIELD(msrs.de_cfg), .write = de_cfg_write },
	{ ONE(MSR_IA32_UCODE_REV), .rights = MSR_RW, .flags = MSR_LISTED | MSR_FEATURE,
	  FIELD(msrs.ucode_rev), .write = ucode_rev_write },
	{ ONE(MSR_IA32_FEAT_CTL), .rights = MSR_RW, .flags = MSR_LISTED_PROBED, VMX,
	  .rule = MSR_MASK, .value = FEAT_CTL_LOCKED, FIELD(msrs.feat_ctl),
	  .write = feat_ctl_write },
	{ ONE(MSR_PLATFORM_INFO), .rights = MSR_R | MSR_HOST_W, .flags = MSR_LISTED,
	  FIELD(msrs.platform_info), .read = platform_info_read, .write = platform_info_write },
	{ ONE(MSR_MISC_FEATURES_ENABLES), .rights = MSR_RW, .flags = MSR_LISTED, .rule = MSR_MASK,
	  .value = MSR_MISC_FEATURES_ENABLES_CPUID_FAULT, FIELD(msrs.misc_features),
	  .write = misc_features_write },
	{ ONE(MSR_IA32_MISC_ENABLE), .rights = MSR_RW, .flags = MSR_LISTED, FIELD(msrs.misc_enable),
	  .write = misc_enable_write },
	STATE(MSR_IA32_POWER_CTL, MSR_LISTED, MSR_ANY, 0, msrs.power_ctl),
	{ ONE(MSR_IA32_XSS), .rights = MSR_RW, .feature = FEAT_XSAVES, .rule = MSR_MASK },
	{ ONE(MSR_K7_HWCR), .rights = MSR_RW, .flags = MSR_LISTED, FIELD(msrs.hwcr),
	  .write = hwcr_write },
	{ .first = MSR_AMD64_OSVW_ID_LENGTH,
	  .last = MSR_AMD64_OSVW_STATUS,
	  .rights = MSR_RW,
	  .read = osvw_read,
	  .write = osvw_write },

	/* Speculation */
	{ ONE(MSR_IA32_PRED_CMD), .rights = MSR_W, .feature = FEAT_IBPB, .rule = MSR_MASK,
	  .value = PRED_CMD_IBPB, .write = pred_cmd_write },
	{ ONE(MSR_IA32_FLUSH_CMD), .rights = MSR_W, .feature = FEAT_FLUSH_L1D, .rule = MSR_MASK,
	  .value = L1D_FLUSH, .write = flush_cmd_write },
	{ ONE(MSR_AMD64_VIRT_SPEC_CTRL), .rights = MSR_HOST, .flags = MSR_LISTED, SVM,
	  .rule = MSR_MASK, .value = SPEC_CTRL_SSBD, FIELD(msrs.virt_spec_ctrl) },

	/* Memory types */
	CONST(MSR_MTRRcap, MSR_MTRRcap, 0x500 | X86_NR_MTRRS),
	{ .first = MTRRphysBase_MSR(0),
	  .last = MTRRphysMask_MSR(X86_NR_MTRRS - 1),
	  .rights = MSR_RW,
	  FIELD(msrs.mtrr_var),
	  .write = msr_mtrr_write },
	{ ONE(MSR_MTRRfix64K_00000), .rights = MSR_RW, FIELD(msrs.mtrr_fix64k),
	  .write = msr_mtrr_write },
	{ .first = MSR_MTRRfix16K_80000,
	  .last = MSR_MTRRfix16K_A0000,
	  .rights = MSR_RW,
	  FIELD(msrs.mtrr_fix16k),
	  .write = msr_mtrr_write },
	{ .first = MSR_MTRRfix4K_C0000,
	  .last = MSR_MTRRfix4K_F8000,
	  .rights = MSR_RW,
	  FIELD(msrs.mtrr_fix4k),
	  .write = msr_mtrr_write },
	{ ONE(MSR_MTRRdefType), .rights = MSR_RW, FIELD(msrs.mtrr_def_type),
	  .write = msr_mtrr_write },

	/* Machine checks */
	CONST(MSR_IA32_P5_MC_ADDR, MSR_IA32_P5_MC_TYPE, 0),
	{ ONE(MSR_IA32_MCG_CAP), .rights = MSR_R, FIELD(msrs.mcg_cap) },
	STATE(MSR_IA32_MCG_STATUS, MSR_LISTED, MSR_ANY, 0, msrs.mcg_status),
	{ ONE(MSR_IA32_MCG_CTL), .rights = MSR_RW, .flags = MSR_LISTED, .read = msr_mce_read,
	  .write = msr_mce_write },
	{ ONE(MSR_IA32_MCG_EXT_CTL), .rights = MSR_HOST, .flags = MSR_LISTED, VMX, .rule = MSR_MASK,
	  FIELD(msrs.mcg_ext_ctl) },
	{ .first = MSR_IA32_MC0_CTL,
	  .last = MSR_IA32_MCx_CTL(X86_NR_MCE_BANKS) - 1,
	  .rights = MSR_RW,
	  .read = msr_mce_read,
	  .write = msr_mce_write },
	{ .first = MSR_IA32_MC0_CTL2,
	  .last = MSR_IA32_MCx_CTL2(X86_NR_MCE_BANKS) - 1,
	  .rights = MSR_RW,
	  .read = msr_mce_read,
	  .write = msr_mce_write },

	/* Debugging: branch tracing is not there, and the guest is not told. */
	{ ONE(MSR_IA32_DEBUGCTLMSR), .rights = MSR_RW, .flags = MSR_LISTED_PROBED, .rule = MSR_MASK,
	  .value = DEBUGCTLMSR_LBR | DEBUGCTLMSR_BTF | GENMASK(5, 2) },
	{ .first = MSR_IA32_LASTBRANCHFROMIP,
	  .last = MSR_IA32_LASTINTTOIP,
	  .rights = MSR_R,
	  .flags = MSR_LISTED_PROBED },

	/* What a guest that knows KVM finds */
	{ .first = MSR_KVM_WALL_CLOCK,
	  .last = MSR_KVM_SYSTEM_TIME,
	  .rights = MSR_RW,
	  .flags = MSR_LISTED,
	  .read = msr_kvmclock_read,
	  .write = msr_kvmclock_write },
	{ .first = MSR_KVM_WALL_CLOCK_NEW,
	  .last = MSR_KVM_SYSTEM_TIME_NEW,
	  .rights = MSR_RW,
	  .flags = MSR_LISTED,
	  .read = msr_kvmclock_read,
	  .write = msr_kvmclock_write },

	{ ONE(MSR_KVM_STEAL_TIME), .rights = MSR_RW, .flags = MSR_LISTED,
	  .read = msr_steal_time_read, .write = msr_steal_time_write },
	{ ONE(MSR_KVM_POLL_CONTROL), .rights = MSR_RW, .flags = MSR_LISTED, .rule = MSR_MASK,
	  .value = 1, .read = poll_control_read, .write = poll_control_write },

	/* There is no system management mode, but user space may restore a count. */
	{ ONE(MSR_SMI_COUNT), .rights = MSR_R | MSR_HOST_W, .flags = MSR_LISTED,
	  FIELD(msrs.smi_count) },

	/* Read and written by guests that take the processor for a certain one */
	{ ONE(MSR_VM_HSAVE_PA), .rights = MSR_RW, .flags = MSR_LISTED_PROBED, .rule = MSR_IGNORED },
	CONST_IGNORED(MSR_AMD64_NB_CFG, MSR_AMD64_NB_CFG, 0),
	CONST_IGNORED(MSR_AMD64_BU_CFG2, MSR_AMD64_BU_CFG2, 0),
	CONST_IGNORED(MSR_AMD64_DC_CFG, MSR_AMD64_DC_CFG, 0),
	CONST_IGNORED(MSR_AMD64_TW_CFG, MSR_AMD64_TW_CFG, 0),
	CONST_IGNORED(MSR_F15H_EX_CFG, MSR_F15H_EX_CFG, 0),
	CONST_IGNORED(MSR_IA32_BBL_CR_CTL3, MSR_IA32_BBL_CR_CTL3, 0xbe702111),
	CONST_IGNORED(MSR_K7_CLK_CTL, MSR_K7_CLK_CTL, 0x20000000),
	CONST_IGNORED(MSR_K7_EVNTSEL0, MSR_K7_EVNTSEL3, 0),
	CONST_IGNORED(MSR_K7_PERFCTR0, MSR_K7_PERFCTR3, 0),
	CONST_IGNORED(MSR_P6_PERFCTR0, MSR_P6_PERFCTR1, 0),
	CONST_IGNORED(MSR_P6_EVNTSEL0, MSR_P6_EVNTSEL1, 0),
	{ ONE(MSR_IA32_UCODE_WRITE), .rights = MSR_W, .rule = MSR_IGNORED },
	{ ONE(MSR_AMD64_PATCH_LOADER), .rights = MSR_W, .rule = MSR_IGNORED },
	{ ONE(MSR_FAM10H_MMIO_CONF_BASE), .rights = MSR_RW, .rule = MSR_MASK },
	{ ONE(MSR_AMD64_TSC_RATIO), .rights = MSR_HOST, .flags = MSR_LISTED, SVM,
	  .value = BIT_ULL(32), .write = tsc_ratio_write },
	{ ONE(MSR_VM_CR), .rights = MSR_RW, SVM, .rule = MSR_MASK },
	{ ONE(MSR_VM_IGNNE), .rights = MSR_W, SVM, .rule = MSR_IGNORED },
	{ ONE(MSR_F15H_IC_CFG), .rights = MSR_R, SVM },
	CONST(MSR_IA32_PLATFORM_ID, MSR_IA32_PLATFORM_ID, 0),
	CONST(MSR_IA32_EBL_CR_POWERON, MSR_IA32_EBL_CR_POWERON, 0),
	CONST(MSR_AMD64_SYSCFG, MSR_AMD64_SYSCFG, 0),
	CONST(MSR_K8_TSEG_ADDR, MSR_K8_TSEG_MASK, 0),
	CONST(MSR_K8_INT_PENDING_MSG, MSR_K8_INT_PENDING_MSG, 0),
	CONST(MSR_IA32_PERF_CTL, MSR_IA32_PERF_CTL, 0),
	CONST(MSR_IA32_PERF_STATUS, MSR_IA32_PERF_STATUS, 1000 | 4ull << 40),
	CONST(MSR_FSB_FREQ, MSR_FSB_FREQ, 3),
	CONST(MSR_EBC_FREQUENCY_ID, MSR_EBC_FREQUENCY_ID, 1 << 24),
	CONST(MSR_RAPL_POWER_UNIT, MSR_RAPL_POWER_UNIT, 0),
	CONST(MSR_PKG_ENERGY_STATUS, MSR_PKG_ENERGY_STATUS, 0),
	CONST(MSR_DRAM_ENERGY_STATUS, MSR_DRAM_ENERGY_STATUS, 0),
	CONST(MSR_PP0_ENERGY_STATUS, MSR_PP0_ENERGY_STATUS, 0),
	CONST(MSR_PP1_ENERGY_STATUS, MSR_PP1_ENERGY_STATUS, 0),
	NO_PMU(MSR_P6_PERFCTR1 + 1, MSR_P6_PERFCTR0 + 7),
	NO_PMU(MSR_P6_EVNTSEL1 + 1, MSR_P6_EVNTSEL0 + 7),
	NO_PMU(MSR_CORE_PERF_FIXED_CTR0, MSR_CORE_PERF_FIXED_CTR0 + 2),
	NO_PMU(MSR_CORE_PERF_FIXED_CTR_CTRL, MSR_CORE_PERF_GLOBAL_OVF_CTRL),
	NO_PMU(MSR_F15H_PERF_CTL, MSR_F15H_PERF_CTR + 10),
};

const unsigned int msr_nr_rows = ARRAY_SIZE(msr_rows);
