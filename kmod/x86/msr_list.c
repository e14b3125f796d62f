// SPDX-License-Identifier: GPL-2.0-only
/*
 * MSRs as user space has them: the lists, the host's features, and a vCPU's registers in bulk.
 *
 * A bulk call stops at the first register that it cannot do, and tells how many it has done.
 */
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>
#include <asm/cpufeature.h>
#include <asm/msr.h>
#include "x86/msr.h"

#define LIST_MAX_MSRS 256 /* in one call, exclusive; as kvm */

/* Bits of the host's ARCH_CAPABILITIES that say the same of a guest. */
#define LIST_ARCH_CAPABILITIES                                                                 \
	(ARCH_CAP_RDCL_NO | ARCH_CAP_RSBA | ARCH_CAP_SKIP_VMENTRY_L1DFLUSH | ARCH_CAP_SSB_NO | \
	 ARCH_CAP_MDS_NO | ARCH_CAP_PSCHANGE_MC_NO | ARCH_CAP_TAA_NO | ARCH_CAP_SBDR_SSDP_NO | \
	 ARCH_CAP_FBSDP_NO | ARCH_CAP_PSDP_NO | ARCH_CAP_FB_CLEAR | ARCH_CAP_RRSBA |           \
	 ARCH_CAP_PBRSB_NO | ARCH_CAP_GDS_NO | ARCH_CAP_RFDS_NO | ARCH_CAP_RFDS_CLEAR |        \
	 ARCH_CAP_BHI_NO)

/*
 * Of what the processor does not suffer a guest need not defend itself.  Of the guests of a guest
 * it need not think at all: there are none.
 */
static u64 arch_capabilities(void)
{
	u64 caps = 0;

	if (boot_cpu_has(X86_FEATURE_ARCH_CAPABILITIES))
		rdmsrl(MSR_IA32_ARCH_CAPABILITIES, caps);
	caps &= LIST_ARCH_CAPABILITIES;
	caps |= ARCH_CAP_PSCHANGE_MC_NO | ARCH_CAP_SKIP_VMENTRY_L1DFLUSH;
	if (!boot_cpu_has_bug(X86_BUG_CPU_MELTDOWN))
		caps |= ARCH_CAP_RDCL_NO;
	if (!boot_cpu_has_bug(X86_BUG_SPEC_STORE_BYPASS))
		caps |= ARCH_CAP_SSB_NO;
	if (!boot_cpu_has_bug(X86_BUG_MDS))
		caps |= ARCH_CAP_MDS_NO;
	if (!boot_cpu_has(X86_FEATURE_RTM))
		caps &= ~(u64)ARCH_CAP_TAA_NO;
	else if (!boot_cpu_has_bug(X86_BUG_TAA))
		caps |= ARCH_CAP_TAA_NO;
	return caps;
}

/* What a feature MSR can be on this host. */
u64 msr_feature(u32 index)
{
	u64 value = 0;

	switch (index) {
	case MSR_IA32_ARCH_CAPABILITIES:
		return arch_capabilities();
	case MSR_AMD64_DE_CFG:
		return boot_cpu_has(X86_FEATURE_LFENCE_RDTSC) ? MSR_AMD64_DE_CFG_LFENCE_SERIALIZE
							      : 0;
	case MSR_IA32_UCODE_REV:
		return rdmsrl_safe(MSR_IA32_UCODE_REV, &value) ? 0 : value;
	default:
		return 0;
	}
}

static bool row_is_listed(const struct msr_row *row, u32 index, u8 flags)
{
	u64 value;

	if (row->vendor && row->vendor != mkvm_vendor->vendor)
		return false;
	if (row->flags & flags & ~MSR_LISTED_PROBED)
		return true;
	return row->flags & flags & MSR_LISTED_PROBED && !rdmsrl_safe(index, &value);
}

/* How many there are; they go to @user if that is not NULL.  -EFAULT. */
static long list_rows(u32 __user *user, u8 flags)
{
	const struct msr_row *row;
	u32 index, nr = 0;

	for (row = msr_rows; row < msr_rows + msr_nr_rows; row++) {
		for (index = row->first; index <= row->last; index++) {
			if (!row_is_listed(row, index, flags))
				continue;
			if (user && put_user(index, &user[nr]))
				return -EFAULT;
			nr++;
		}
	}
	return nr;
}

/*
 * KVM_GET_MSR_INDEX_LIST, KVM_GET_MSR_FEATURE_INDEX_LIST: @list gets how many there are.  0;
 * -E2BIG: more than @list had room for; -EFAULT.
 */
static long list_msrs(struct kvm_msr_list *list, u32 __user *user, u8 flags)
{
	u32 room = list->nmsrs;

	list->nmsrs = list_rows(NULL, flags);
	if (list->nmsrs > room)
		return -E2BIG;
	return list_rows(user, flags) < 0 ? -EFAULT : 0;
}

long x86_msr_list(struct kvm_msr_list *list, u32 __user *user)
{
	return list_msrs(list, user, MSR_LISTED | MSR_LISTED_PROBED);
}

long x86_msr_feature_list(struct kvm_msr_list *list, u32 __user *user)
{
	return list_msrs(list, user, MSR_FEATURE);
}

/* One register of a bulk call.  @vcpu: NULL for the system's. */
typedef enum msr_result (*bulk_fn)(struct mkvm_vcpu *vcpu, struct kvm_msr_entry *entry);

/* A feature's value; what has a place in the other list is 0. */
static enum msr_result bulk_feature(struct mkvm_vcpu *vcpu, struct kvm_msr_entry *entry)
{
	const struct msr_row *row = msr_find(entry->index);

	entry->data = 0;
	if (!row)
		return MSR_UNKNOWN;
	if (row_is_listed(row, entry->index, MSR_FEATURE)) {
		entry->data = msr_feature(entry->index);
		return MSR_OK;
	}
	return row_is_listed(row, entry->index, MSR_LISTED | MSR_LISTED_PROBED) ? MSR_OK
										: MSR_UNKNOWN;
}

static enum msr_result bulk_read(struct mkvm_vcpu *vcpu, struct kvm_msr_entry *entry)
{
	return msr_read(vcpu, entry->index, MSR_BY_HOST, &entry->data);
}

static enum msr_result bulk_write(struct mkvm_vcpu *vcpu, struct kvm_msr_entry *entry)
{
	const struct msr_row *row = msr_find(entry->index);
	u64 now;

	if (row && row->flags & MSR_FROZEN && vcpu->counts.entries)
		if (msr_read(vcpu, entry->index, MSR_BY_HOST, &now) != MSR_OK || now != entry->data)
			return MSR_INVALID;
	return msr_write(vcpu, entry->index, MSR_BY_HOST, entry->data);
}

static bool bulk_padding_is_zero(const struct kvm_msr_entry *entries, unsigned int nr)
{
	while (nr--)
		if (entries[nr].reserved)
			return false;
	return true;
}

/* How many were done; -E2BIG: too many at once; -EINVAL: padding; -EFAULT; -ENOMEM. */
static long bulk_do(struct mkvm_vcpu *vcpu, const struct kvm_msrs *msrs,
		    struct kvm_msr_entry __user *user, bulk_fn fn, bool write_back)
{
	struct kvm_msr_entry *entries;
	size_t size = msrs->nmsrs * sizeof(*entries);
	long done;

	if (msrs->nmsrs >= LIST_MAX_MSRS)
		return -E2BIG;
	entries = memdup_user(user, size);
	if (IS_ERR(entries))
		return PTR_ERR(entries);
	if (!write_back && !bulk_padding_is_zero(entries, msrs->nmsrs)) {
		kfree(entries);
		return -EINVAL;
	}
	for (done = 0; done < msrs->nmsrs; done++)
		if (fn(vcpu, &entries[done]) != MSR_OK)
			break;
	if (write_back && copy_to_user(user, entries, size))
		done = -EFAULT;
	kfree(entries);
	return done;
}

/* KVM_GET_MSRS on the system */
long x86_msr_get_features(const struct kvm_msrs *msrs, struct kvm_msr_entry __user *user)
{
	return bulk_do(NULL, msrs, user, bulk_feature, true);
}

/* KVM_GET_MSRS and KVM_SET_MSRS on a vCPU, which is loaded */
long x86_msr_get(struct mkvm_vcpu *vcpu, const struct kvm_msrs *msrs,
		 struct kvm_msr_entry __user *user)
{
	return bulk_do(vcpu, msrs, user, bulk_read, true);
}

long x86_msr_set(struct mkvm_vcpu *vcpu, const struct kvm_msrs *msrs,
		 struct kvm_msr_entry __user *user)
{
	return bulk_do(vcpu, msrs, user, bulk_write, false);
}
