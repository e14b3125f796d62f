// SPDX-License-Identifier: GPL-2.0-only
/*
 * Model-specific registers that the guest has.  A register that is not in the table is #GP(0).
 */
#include <asm/msr-index.h>
#include <asm/tsc.h>
#include "x86/msr.h"

/* What a value must be. */
enum msr_rule {
	MSR_ANY,
	MSR_CANONICAL,
	MSR_U32,
	MSR_PAT, /* eight memory types */
	MSR_READ_ONLY,
};

/**
 * struct msr_row - an MSR that is a field of struct x86_vcpu
 * @index: the MSR's number
 * @group: group that holds the field; 0: always in struct x86_vcpu
 * @rule: of values written
 * @offset: of the field
 */
struct msr_row {
	u32 index;
	u32 group;
	enum msr_rule rule;
	size_t offset;
};

#define MSR_ROW(index, group, rule, field)                           \
	{                                                            \
		index, group, rule, offsetof(struct x86_vcpu, field) \
	}

static const struct msr_row msr_rows[] = {
	MSR_ROW(MSR_STAR, X86_ST_MSRS, MSR_ANY, star),
	MSR_ROW(MSR_LSTAR, X86_ST_MSRS, MSR_CANONICAL, lstar),
	MSR_ROW(MSR_CSTAR, X86_ST_MSRS, MSR_CANONICAL, cstar),
	MSR_ROW(MSR_SYSCALL_MASK, X86_ST_MSRS, MSR_U32, sfmask),
	MSR_ROW(MSR_KERNEL_GS_BASE, X86_ST_MSRS, MSR_CANONICAL, kernel_gs_base),
	MSR_ROW(MSR_IA32_SYSENTER_CS, X86_ST_MSRS, MSR_ANY, sysenter_cs),
	MSR_ROW(MSR_IA32_SYSENTER_ESP, X86_ST_MSRS, MSR_CANONICAL, sysenter_esp),
	MSR_ROW(MSR_IA32_SYSENTER_EIP, X86_ST_MSRS, MSR_CANONICAL, sysenter_eip),
	MSR_ROW(MSR_IA32_CR_PAT, X86_ST_MSRS, MSR_PAT, pat),
	MSR_ROW(MSR_FS_BASE, X86_ST_SEGS, MSR_CANONICAL, seg[X86_FS].base),
	MSR_ROW(MSR_GS_BASE, X86_ST_SEGS, MSR_CANONICAL, seg[X86_GS].base),
	MSR_ROW(MSR_IA32_APICBASE, 0, MSR_READ_ONLY, apic_base),
};

static const struct msr_row *msr_find(u32 index)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(msr_rows); i++)
		if (msr_rows[i].index == index)
			return &msr_rows[i];
	return NULL;
}

static u64 *msr_field(struct mkvm_vcpu *vcpu, const struct msr_row *row)
{
	return (u64 *)((char *)&vcpu->x86 + row->offset);
}

static bool is_canonical(u64 value)
{
	return (u64)((s64)(value << 16) >> 16) == value;
}

static bool pat_is_valid(u64 pat)
{
	int i;

	/* 0 UC, 1 WC, 4 WT, 5 WP, 6 WB, 7 UC- */
	for (i = 0; i < 64; i += 8) {
		u8 type = pat >> i;

		if (type > 7 || type == 2 || type == 3)
			return false;
	}
	return true;
}

static bool msr_value_is_valid(enum msr_rule rule, u64 value)
{
	switch (rule) {
	case MSR_CANONICAL:
		return is_canonical(value);
	case MSR_U32:
		return !(value >> 32);
	case MSR_PAT:
		return pat_is_valid(value);
	case MSR_READ_ONLY:
		return false;
	default:
		return true;
	}
}

enum msr_result msr_read(struct mkvm_vcpu *vcpu, u32 index, enum msr_who who, u64 *value)
{
	const struct msr_row *row = msr_find(index);

	if (row) {
		x86_fetch(vcpu, row->group);
		*value = *msr_field(vcpu, row);
		return MSR_OK;
	}
	switch (index) {
	case MSR_EFER:
		x86_fetch(vcpu, X86_ST_CRS);
		*value = vcpu->x86.efer;
		return MSR_OK;
	case MSR_IA32_TSC:
		*value = rdtsc() + vcpu->x86.tsc_offset;
		return MSR_OK;
	default:
		return MSR_UNKNOWN;
	}
}

enum msr_result msr_write(struct mkvm_vcpu *vcpu, u32 index, enum msr_who who, u64 value)
{
	const struct msr_row *row = msr_find(index);

	if (row) {
		if (!msr_value_is_valid(row->rule, value))
			return MSR_INVALID;
		x86_dirty(vcpu, row->group);
		*msr_field(vcpu, row) = value;
		return MSR_OK;
	}
	switch (index) {
	case MSR_EFER:
		return x86_set_efer(vcpu, value) ? MSR_INVALID : MSR_OK;
	case MSR_IA32_TSC:
		x86_dirty(vcpu, X86_ST_TSC);
		vcpu->x86.tsc_offset = value - rdtsc();
		return MSR_OK;
	default:
		return MSR_UNKNOWN;
	}
}
