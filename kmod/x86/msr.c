// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reading and writing a vCPU's model-specific registers.
 *
 * What there is, who may, and what a value must be stands in the rows of msr_table.c.  What no row
 * names does not exist: #GP for the guest, the end of the list for the host.
 */
#include <linux/nospec.h>
#include <linux/string.h>
#include <asm/msr-index.h>
#include "x86/msr.h"

/* One row for each register; the last look-up's row would not help, so none is remembered. */
const struct msr_row *msr_find(u32 index)
{
	const struct msr_row *row;

	for (row = msr_rows; row < msr_rows + msr_nr_rows; row++)
		if (index >= row->first && index <= row->last &&
		    (!row->vendor || row->vendor == mkvm_vendor->vendor))
			return row;
	return NULL;
}

static u64 *msr_field(struct mkvm_vcpu *vcpu, const struct msr_row *row, u32 index)
{
	return (u64 *)((char *)&vcpu->x86 + row->offset) +
	       array_index_nospec(index - row->first, row->last - row->first + 1);
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

static bool msr_value_is_valid(const struct msr_row *row, u64 value)
{
	switch (row->rule) {
	case MSR_CANONICAL:
		return is_canonical(value);
	case MSR_U32:
		return !(value >> 32);
	case MSR_PAT:
		return pat_is_valid(value);
	case MSR_MASK:
		return !(value & ~row->value);
	default:
		return true;
	}
}

/* Without a field, an access that is not to be had is as if there were no register. */
static enum msr_result msr_may(const struct mkvm_vcpu *vcpu, const struct msr_row *row, u8 right,
			       enum msr_who who)
{
	if (!(row->rights & right))
		return row->offset ? MSR_INVALID : MSR_UNKNOWN;
	if (who == MSR_BY_GUEST && row->feature && !x86_has(vcpu, row->feature))
		return MSR_INVALID;
	return MSR_OK;
}

static enum msr_result row_read(struct mkvm_vcpu *vcpu, u32 index, enum msr_who who, u64 *value)
{
	const struct msr_row *row = msr_find(index);
	enum msr_result result;

	if (!row)
		return MSR_UNKNOWN;
	result = msr_may(vcpu, row, who == MSR_BY_HOST ? MSR_HOST_R : MSR_GUEST_R, who);
	if (result != MSR_OK)
		return result;
	if (row->read)
		return row->read(vcpu, index, who, value);
	if (row->offset) {
		x86_fetch(vcpu, row->group);
		*value = *msr_field(vcpu, row, index);
	} else {
		*value = row->rule == MSR_MASK ? 0 : row->value;
	}
	return MSR_OK;
}

static enum msr_result row_write(struct mkvm_vcpu *vcpu, u32 index, enum msr_who who, u64 value)
{
	const struct msr_row *row = msr_find(index);
	enum msr_result result;

	if (!row)
		return MSR_UNKNOWN;
	result = msr_may(vcpu, row, who == MSR_BY_HOST ? MSR_HOST_W : MSR_GUEST_W, who);
	if (result != MSR_OK)
		return result;
	if (!msr_value_is_valid(row, value))
		return MSR_INVALID;
	if (row->write)
		return row->write(vcpu, index, who, value);
	if (row->rule == MSR_SIGN_EXTENDED)
		value = (u64)((s64)(value << 16) >> 16);
	if (row->offset && row->rule != MSR_IGNORED) {
		x86_dirty(vcpu, row->group);
		*msr_field(vcpu, row, index) = value;
	}
	return MSR_OK;
}

/*
 * A register that user space is told of reads as 0 by the host, and takes a 0, though the vCPU has
 * none: so lists can be saved and restored as a whole.
 */
static bool msr_is_zero_for_host(u32 index, enum msr_who who)
{
	const struct msr_row *row = msr_find(index);

	return who == MSR_BY_HOST && row && row->flags & (MSR_LISTED | MSR_LISTED_PROBED);
}

/* A refused read gives 0. */
enum msr_result msr_read(struct mkvm_vcpu *vcpu, u32 index, enum msr_who who, u64 *value)
{
	enum msr_result result = row_read(vcpu, index, who, value);

	if (result != MSR_OK)
		*value = 0;
	if (result == MSR_UNKNOWN && msr_is_zero_for_host(index, who))
		return MSR_OK;
	return result;
}

enum msr_result msr_write(struct mkvm_vcpu *vcpu, u32 index, enum msr_who who, u64 value)
{
	enum msr_result result = row_write(vcpu, index, who, value);

	if (result == MSR_UNKNOWN && !value && msr_is_zero_for_host(index, who))
		return MSR_OK;
	return result;
}

/* The state after RESET.  EFER, the TSC and what the groups hold are x86_reset()'s. */
void x86_msr_reset(struct mkvm_vcpu *vcpu)
{
	struct x86_msrs *msrs = &vcpu->x86.msrs;
	bool intel = mkvm_vendor->vendor == MKVM_VENDOR_VMX;

	memset(msrs, 0, sizeof(*msrs));
	msrs->misc_enable = MSR_IA32_MISC_ENABLE_PEBS_UNAVAIL | MSR_IA32_MISC_ENABLE_BTS_UNAVAIL;
	/* What kvm tells: a revision that no guest takes for one that needs an update. */
	msrs->ucode_rev = intel ? 0x100000000ull : 0x01000065;
	msrs->platform_info = MSR_PLATFORM_INFO_CPUID_FAULT;
	msrs->arch_capabilities = msr_feature(MSR_IA32_ARCH_CAPABILITIES);
	msrs->poll_control = 1;
	msr_mce_init(vcpu);
	x86_kvmclock_reset(vcpu);
	vcpu->x86.steal = (struct x86_steal_time){};
}
