// SPDX-License-Identifier: GPL-2.0-only
/*
 * Machine-check registers: stored, for user space to fill and the guest to read; and machine checks
 * that user space raises.  The host's own never show here.
 */
#include <linux/nospec.h>
#include <asm/mce.h>
#include <asm/msr-index.h>
#include <asm/trapnr.h>
#include "x86/msr.h"

/* What user space may choose for MCG_CAP, besides the number of banks and of extended registers. */
#define MCE_CAP_OFFERED (MCG_CTL_P | MCG_SER_P)
#define MCE_CAP_COUNTS	(0xffull | 0xff0000ull)

/* A bank is CTL, STATUS, ADDR, MISC. */
#define MCE_REG(index)	 ((index)&3)
#define MCE_REG_CTL	 0
#define MCE_REG_STATUS	 1
#define MCE_REG_ADDR	 2
#define MCE_REG_MISC	 3
#define HWCR_STATUS_WREN BIT_ULL(18)

u64 x86_mce_cap_offered(void)
{
	return MCE_CAP_OFFERED;
}

void msr_mce_init(struct mkvm_vcpu *vcpu)
{
	vcpu->x86.msrs.mcg_cap = X86_NR_MCE_BANKS;
}

/* KVM_X86_SETUP_MCE.  0 or -EINVAL. */
int x86_mce_setup(struct mkvm_vcpu *vcpu, u64 cap)
{
	struct x86_msrs *msrs = &vcpu->x86.msrs;
	u32 bank, nr = cap & 0xff;

	if (!nr || nr > X86_NR_MCE_BANKS || cap & ~(MCE_CAP_OFFERED | MCE_CAP_COUNTS))
		return -EINVAL;
	msrs->mcg_cap = cap;
	if (cap & MCG_CTL_P)
		msrs->mcg_ctl = ~0ull;
	for (bank = 0; bank < nr; bank++)
		msrs->mce_banks[4 * bank + MCE_REG_CTL] = ~0ull;
	return 0;
}

/* The register of a bank that the vCPU has, or NULL. */
static u64 *mce_bank_reg(struct mkvm_vcpu *vcpu, u32 index)
{
	struct x86_msrs *msrs = &vcpu->x86.msrs;
	u32 nr = msrs->mcg_cap & 0xff;

	if (index >= MSR_IA32_MC0_CTL2 && index < MSR_IA32_MCx_CTL2(nr))
		return &msrs->mce_ctl2[array_index_nospec(index - MSR_IA32_MC0_CTL2,
							  X86_NR_MCE_BANKS)];
	if (index >= MSR_IA32_MC0_CTL && index < MSR_IA32_MCx_CTL(nr))
		return &msrs->mce_banks[array_index_nospec(index - MSR_IA32_MC0_CTL,
							   4 * X86_NR_MCE_BANKS)];
	return NULL;
}

static bool is_ctl2(u32 index)
{
	return index < MSR_IA32_MC0_CTL;
}

enum msr_result msr_mce_read(struct mkvm_vcpu *vcpu, u32 index, enum msr_who who, u64 *value)
{
	const struct x86_msrs *msrs = &vcpu->x86.msrs;
	const u64 *reg;

	if (index == MSR_IA32_MCG_CTL) {
		*value = msrs->mcg_ctl;
		return msrs->mcg_cap & MCG_CTL_P || who == MSR_BY_HOST ? MSR_OK : MSR_INVALID;
	}
	reg = mce_bank_reg(vcpu, index);
	/* The threshold of corrected errors is not offered, so CTL2 is the host's to read. */
	if (!reg || (is_ctl2(index) && who == MSR_BY_GUEST))
		return MSR_INVALID;
	*value = *reg;
	return MSR_OK;
}

/* All or nothing; guests that work around AMD's bank 4 or clear bit 0 are let through. */
static bool mce_ctl_is_valid(u64 value)
{
	return !value || (value | BIT(10) | BIT(0)) == ~0ull;
}

enum msr_result msr_mce_write(struct mkvm_vcpu *vcpu, u32 index, enum msr_who who, u64 value)
{
	struct x86_msrs *msrs = &vcpu->x86.msrs;
	u64 *reg;

	if (index == MSR_IA32_MCG_CTL) {
		if (!(msrs->mcg_cap & MCG_CTL_P) && (value || who == MSR_BY_GUEST))
			return MSR_INVALID;
		if (value && value != ~0ull)
			return MSR_INVALID;
		msrs->mcg_ctl = value;
		return MSR_OK;
	}
	reg = mce_bank_reg(vcpu, index);
	if (!reg)
		return MSR_INVALID;
	if (is_ctl2(index)) {
		if (value || who == MSR_BY_GUEST)
			return MSR_INVALID;
	} else if (MCE_REG(index) == MCE_REG_CTL) {
		if (!mce_ctl_is_valid(value))
			return MSR_INVALID;
	} else if (MCE_REG(index) == MCE_REG_STATUS && value && who == MSR_BY_GUEST) {
		/* A guest may write a status only if AMD's switch for it is on. */
		if (!vcpu->x86.cpuid.amd || !(msrs->hwcr & HWCR_STATUS_WREN))
			return MSR_INVALID;
	}
	*reg = value;
	return MSR_OK;
}

static void mce_bank_fill(u64 *bank, const struct kvm_x86_mce *mce)
{
	bank[MCE_REG_STATUS] = mce->status;
	bank[MCE_REG_ADDR] = mce->addr;
	bank[MCE_REG_MISC] = mce->misc;
}

/* One that was not corrected, and needs no action of the guest: it may find it when it looks. */
static bool mce_needs_no_action(const struct kvm_x86_mce *mce)
{
	return mce->status & MCI_STATUS_UC && !mce->mcg_status &&
	       !(mce->status & (MCI_STATUS_PCC | MCI_STATUS_S | MCI_STATUS_AR));
}

/* One that was corrected: it does not hide one that was not. */
static void mce_corrected(u64 *bank, struct kvm_x86_mce *mce)
{
	u64 former = bank[MCE_REG_STATUS];

	if (former & MCI_STATUS_VAL && former & MCI_STATUS_UC) {
		bank[MCE_REG_STATUS] |= MCI_STATUS_OVER;
		return;
	}
	if (former & MCI_STATUS_VAL)
		mce->status |= MCI_STATUS_OVER;
	mce_bank_fill(bank, mce);
}

/* A processor that is at a machine check already, or was told to take none, shuts down. */
static void mce_uncorrected(struct mkvm_vcpu *vcpu, u64 *bank, struct kvm_x86_mce *mce)
{
	struct x86_msrs *msrs = &vcpu->x86.msrs;

	/* Reports that are off in the bank, or in all of them, are lost. */
	if (msrs->mcg_cap & MCG_CTL_P && msrs->mcg_ctl != ~0ull)
		return;
	if (bank[MCE_REG_CTL] != ~0ull)
		return;
	x86_fetch(vcpu, X86_ST_CRS);
	if (msrs->mcg_status & MCG_STATUS_MCIP || !(vcpu->x86.cr4 & X86_CR4_MCE)) {
		vcpu->x86.shutdown = true;
		return;
	}
	if (bank[MCE_REG_STATUS] & MCI_STATUS_VAL)
		mce->status |= MCI_STATUS_OVER;
	mce_bank_fill(bank, mce);
	msrs->mcg_status = mce->mcg_status;
	x86_raise(vcpu, X86_TRAP_MC);
}

/* KVM_X86_SET_MCE.  The vCPU is loaded.  0, or -EINVAL: no such bank, or no error in it. */
int x86_mce_raise(struct mkvm_vcpu *vcpu, struct kvm_x86_mce *mce)
{
	struct x86_msrs *msrs = &vcpu->x86.msrs;
	u64 *bank;

	if (mce->bank >= (msrs->mcg_cap & 0xff) || !(mce->status & MCI_STATUS_VAL))
		return -EINVAL;
	bank = &msrs->mce_banks[4 * array_index_nospec(mce->bank, X86_NR_MCE_BANKS)];
	if (mce_needs_no_action(mce)) {
		mce_bank_fill(bank, mce);
		msrs->mcg_status = mce->mcg_status;
	} else if (mce->status & MCI_STATUS_UC) {
		mce_uncorrected(vcpu, bank, mce);
	} else {
		mce_corrected(bank, mce);
	}
	return 0;
}
