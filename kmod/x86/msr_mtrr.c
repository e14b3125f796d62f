// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory type range registers: checked and stored.  They have no effect: the memory type is the
 * host's, as guest memory is the host's ordinary memory.
 */
#include <linux/nospec.h>
#include <asm/mtrr.h>
#include <asm/msr-index.h>
#include "x86/msr.h"

/* UC, WC, WT, WP, WB */
static bool mtrr_type_is_valid(u8 type)
{
	return type < 8 && BIT(type) & (BIT(0) | BIT(1) | BIT(4) | BIT(5) | BIT(6));
}

static bool mtrr_is_valid(const struct mkvm_vcpu *vcpu, u32 index, u64 value)
{
	int i;

	if (index == MSR_MTRRdefType)
		return !(value & ~0xcffull) && mtrr_type_is_valid(value);
	if (index >= MSR_MTRRfix64K_00000 && index <= MSR_MTRRfix4K_F8000) {
		for (i = 0; i < 64; i += 8)
			if (!mtrr_type_is_valid(value >> i))
				return false;
		return true;
	}
	/* A variable range: base and type, or mask and valid bit. */
	if (index & 1)
		return !(value & (x86_gpa_reserved(vcpu) | GENMASK(10, 0)));
	return !(value & (x86_gpa_reserved(vcpu) | GENMASK(11, 8))) && mtrr_type_is_valid(value);
}

enum msr_result msr_mtrr_write(struct mkvm_vcpu *vcpu, u32 index, enum msr_who who, u64 value)
{
	struct x86_msrs *msrs = &vcpu->x86.msrs;

	if (!mtrr_is_valid(vcpu, index, value))
		return MSR_INVALID;
	switch (index) {
	case MSR_MTRRdefType:
		msrs->mtrr_def_type = value;
		break;
	case MSR_MTRRfix64K_00000:
		msrs->mtrr_fix64k = value;
		break;
	case MSR_MTRRfix16K_80000 ... MSR_MTRRfix16K_A0000:
		msrs->mtrr_fix16k[array_index_nospec(index - MSR_MTRRfix16K_80000, 2)] = value;
		break;
	case MSR_MTRRfix4K_C0000 ... MSR_MTRRfix4K_F8000:
		msrs->mtrr_fix4k[array_index_nospec(index - MSR_MTRRfix4K_C0000, 8)] = value;
		break;
	default:
		index = array_index_nospec(index - MTRRphysBase_MSR(0), 2 * X86_NR_MTRRS);
		msrs->mtrr_var[index] = value;
		break;
	}
	return MSR_OK;
}
