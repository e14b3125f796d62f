// SPDX-License-Identifier: GPL-2.0-only
/*
 * The table of CPUID that mkvm can offer: the host's, cut down to what guests really get.
 *
 * cpuid_bits.c says which feature bits these are.  What else a leaf holds is for its function in
 * offer_leaves; a leaf that is not there is all zeroes.
 */
#include <linux/kvm_para.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/smp.h>
#include <linux/uaccess.h>
#include <asm/cpufeature.h>
#include <asm/processor.h>
#include "mkvm.h"
#include "x86/cpuid.h"
#include "x86/steal_time.h"

#define CPUID_MAX_ENTRIES 256 /* as kvm */
#define CPUID_BASIC_LAST  0x1f
#define CPUID_EXT_LAST	  0x80000021
#define OFFER_LINEAR_BITS 48 /* guests have no LA57 */

/**
 * struct offer_list - the table that is being made
 * @entries: room for @room
 * @room: how many fit
 * @nr: how many there are
 */
struct offer_list {
	struct kvm_cpuid_entry2 *entries;
	u32 room;
	u32 nr;
};

/* The next entry of the list, filled; NULL: no room. */
static struct kvm_cpuid_entry2 *offer_add(struct offer_list *list, u32 function, u32 index)
{
	struct kvm_cpuid_entry2 *entry;

	if (list->nr >= list->room)
		return NULL;
	entry = &list->entries[list->nr++];
	x86_cpuid_host_entry(entry, function, index);
	return entry;
}

static void entry_clear(struct kvm_cpuid_entry2 *entry)
{
	entry->eax = 0;
	entry->ebx = 0;
	entry->ecx = 0;
	entry->edx = 0;
}

/*
 * What a leaf holds besides feature bits.  @entry is subleaf 0, just added; more subleaves may be
 * added.  0, or -E2BIG.
 */
typedef int (*offer_fn)(struct offer_list *list, struct kvm_cpuid_entry2 *entry);

static int offer_as_is(struct offer_list *list, struct kvm_cpuid_entry2 *entry)
{
	return 0;
}

static int offer_basic(struct offer_list *list, struct kvm_cpuid_entry2 *entry)
{
	entry->eax = min_t(u32, entry->eax, CPUID_BASIC_LAST);
	return 0;
}

/* Subleaves up to the first that describes no cache. */
static int offer_caches(struct offer_list *list, struct kvm_cpuid_entry2 *entry)
{
	u32 i, function = entry->function;

	entry->flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX;
	for (i = 1; entry->eax & 0x1f; i++) {
		entry = offer_add(list, function, i);
		if (!entry)
			return -E2BIG;
		entry->flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX;
	}
	return 0;
}

/* The local APIC's timer runs always. */
static int offer_thermal(struct offer_list *list, struct kvm_cpuid_entry2 *entry)
{
	entry_clear(entry);
	entry->eax = BIT(2);
	return 0;
}

static int offer_extended_features(struct offer_list *list, struct kvm_cpuid_entry2 *entry)
{
	u32 i, last = min(entry->eax, 2u);

	entry->eax = last;
	entry->flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX;
	for (i = 1; i <= last; i++) {
		entry = offer_add(list, 7, i);
		if (!entry)
			return -E2BIG;
		entry->flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX;
		entry->ebx = 0;
		entry->ecx = 0;
		if (i == 2)
			entry->eax = 0;
	}
	return 0;
}

/* No topology; EDX is the processor's own number. */
static int offer_topology(struct offer_list *list, struct kvm_cpuid_entry2 *entry)
{
	entry->flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX;
	entry->eax = 0;
	entry->ebx = 0;
	entry->ecx = 0;
	return 0;
}

static int offer_xsave(struct offer_list *list, struct kvm_cpuid_entry2 *entry)
{
	u64 offered = x86_cpuid_offered_xcr0();
	int i;

	entry->flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX;
	entry->eax = offered;
	entry->edx = offered >> 32;
	entry->ebx = x86_cpuid_xstate_size(offered, false);
	entry->ecx = entry->ebx;
	if (!offered)
		return 0;

	entry = offer_add(list, 0xd, 1);
	if (!entry)
		return -E2BIG;
	entry->flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX;
	entry->ebx = entry->eax & (CPUID_BIT(XSAVEC) | CPUID_BIT(XSAVES))
			     ? x86_cpuid_xstate_size(offered, true)
			     : 0;
	entry->ecx = 0;
	entry->edx = 0;
	for (i = CPUID_XSTATE_FIRST; i < CPUID_XSTATE_NR; i++) {
		if (!(offered & BIT_ULL(i)))
			continue;
		entry = offer_add(list, 0xd, i);
		if (!entry)
			return -E2BIG;
		entry->flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX;
		entry->ecx &= BIT(1);
		entry->edx = 0;
	}
	return 0;
}

static const char offer_kvm[12] = "KVMKVMKVM";

bool x86_cpuid_is_signature(const struct kvm_cpuid_entry2 *entry)
{
	return !memcmp(&entry->ebx, offer_kvm, 4) && !memcmp(&entry->ecx, offer_kvm + 4, 4) &&
	       !memcmp(&entry->edx, offer_kvm + 8, 4);
}

static int offer_signature(struct offer_list *list, struct kvm_cpuid_entry2 *entry)
{
	entry_clear(entry);
	entry->eax = KVM_CPUID_FEATURES;
	memcpy(&entry->ebx, offer_kvm, 4);
	memcpy(&entry->ecx, offer_kvm + 4, 4);
	memcpy(&entry->edx, offer_kvm + 8, 4);
	return 0;
}

/* A guest that knows KVM: what it finds here, and that its OUTs need no time. */
static int offer_pv_features(struct offer_list *list, struct kvm_cpuid_entry2 *entry)
{
	entry_clear(entry);
	entry->eax = BIT(KVM_FEATURE_CLOCKSOURCE) | BIT(KVM_FEATURE_NOP_IO_DELAY) |
		     BIT(KVM_FEATURE_CLOCKSOURCE2) | BIT(KVM_FEATURE_CLOCKSOURCE_STABLE_BIT) |
		     BIT(KVM_FEATURE_PV_UNHALT) | BIT(KVM_FEATURE_PV_SEND_IPI) |
		     BIT(KVM_FEATURE_POLL_CONTROL);
	if (x86_steal_time_offered())
		entry->eax |= BIT(KVM_FEATURE_STEAL_TIME);
	return 0;
}

/*
 * Leaf 0x80000021 is worth having where the processor has none: that LFENCE serialises is told
 * there.  But who sees that leaf reads 0x8000001d too, so it must be there.
 */
static int offer_extended(struct offer_list *list, struct kvm_cpuid_entry2 *entry)
{
	entry->eax = min_t(u32, entry->eax, CPUID_EXT_LAST);
	if (entry->eax >= 0x8000001d)
		entry->eax = CPUID_EXT_LAST;
	return 0;
}

/* EBX 27:16 is reserved. */
static int offer_extended_id(struct offer_list *list, struct kvm_cpuid_entry2 *entry)
{
	entry->ebx &= ~GENMASK(27, 16);
	return 0;
}

static int offer_l2(struct offer_list *list, struct kvm_cpuid_entry2 *entry)
{
	entry->edx &= ~GENMASK(17, 16);
	return 0;
}

/* Of power management, that the TSC's rate is constant. */
static int offer_power(struct offer_list *list, struct kvm_cpuid_entry2 *entry)
{
	u32 edx = entry->edx & boot_cpu_data.x86_power & BIT(8);

	entry_clear(entry);
	entry->edx = edx;
	return 0;
}

/* Guest-physical addresses: as wide as the processor's, but no wider than the second table's. */
static int offer_addresses(struct offer_list *list, struct kvm_cpuid_entry2 *entry)
{
	u32 phys = entry->eax & 0xff;
	u32 reach = mkvm_mmu_caps.levels < 5 ? min(phys, 48u) : phys;

	entry->eax = phys | OFFER_LINEAR_BITS << 8 | reach << 16;
	entry->ecx &= ~(GENMASK(31, 16) | GENMASK(11, 8));
	entry->edx = 0;
	if (!boot_cpu_has_bug(X86_BUG_SPEC_STORE_BYPASS))
		entry->ebx |= CPUID_BIT(AMD_SSB_NO);
	/* Intel tells of it elsewhere, together with what is not offered. */
	if (boot_cpu_has(X86_FEATURE_IBPB))
		entry->ebx |= CPUID_BIT(AMD_IBPB);
	return 0;
}

static int offer_tlb_1g(struct offer_list *list, struct kvm_cpuid_entry2 *entry)
{
	entry->ecx = 0;
	entry->edx = 0;
	return 0;
}

static int offer_optimisations(struct offer_list *list, struct kvm_cpuid_entry2 *entry)
{
	u32 eax = entry->eax & GENMASK(2, 0);

	entry_clear(entry);
	entry->eax = eax;
	return 0;
}

static int offer_extended_features2(struct offer_list *list, struct kvm_cpuid_entry2 *entry)
{
	entry->ebx = 0;
	entry->edx = 0;
	if (boot_cpu_has(X86_FEATURE_LFENCE_RDTSC))
		entry->eax |= BIT(2);
	if (!boot_cpu_has_bug(X86_BUG_NULL_SEG))
		entry->eax |= BIT(6);
	return 0;
}

static const struct {
	u32 function;
	offer_fn fn;
} offer_leaves[] = {
	{ 0, offer_basic },
	{ 1, offer_as_is },
	{ 2, offer_as_is },
	{ 4, offer_caches },
	{ 6, offer_thermal },
	{ 7, offer_extended_features },
	{ 0xb, offer_topology },
	{ 0xd, offer_xsave },
	{ 0x1f, offer_topology },
	{ KVM_CPUID_SIGNATURE, offer_signature },
	{ KVM_CPUID_FEATURES, offer_pv_features },
	{ 0x80000000, offer_extended },
	{ 0x80000001, offer_extended_id },
	{ 0x80000005, offer_as_is },
	{ 0x80000006, offer_l2 },
	{ 0x80000007, offer_power },
	{ 0x80000008, offer_addresses },
	{ 0x80000019, offer_tlb_1g },
	{ 0x8000001a, offer_optimisations },
	{ 0x8000001d, offer_caches },
	{ 0x80000021, offer_extended_features2 },
};

static int offer_leaf(struct offer_list *list, u32 function)
{
	struct kvm_cpuid_entry2 *entry = offer_add(list, function, 0);
	unsigned int i;

	if (!entry)
		return -E2BIG;
	for (i = 0; i < ARRAY_SIZE(offer_leaves); i++)
		if (offer_leaves[i].function == function)
			return offer_leaves[i].fn(list, entry);
	entry_clear(entry);
	return 0;
}

/* All leaves of a class; its first one says how many there are. */
static int offer_class(struct offer_list *list, u32 first)
{
	u32 function, last;
	int r;

	r = offer_leaf(list, first);
	if (r)
		return r;
	last = list->entries[list->nr - 1].eax;
	for (function = first + 1; !r && function <= last; function++)
		r = offer_leaf(list, function);
	return r;
}

static int offer_all(struct offer_list *list)
{
	int r;

	/* Where processors differ (their numbers), the answers are one processor's. */
	get_cpu();
	r = offer_class(list, 0);
	if (!r)
		r = offer_class(list, 0x80000000);
	if (!r)
		r = offer_class(list, KVM_CPUID_SIGNATURE);
	put_cpu();
	return r;
}

/*
 * KVM_GET_SUPPORTED_CPUID.  0, with the number of entries in @cpuid; -E2BIG: more than there is
 * room for, and nothing written.
 */
long x86_cpuid_supported(struct kvm_cpuid2 *cpuid, struct kvm_cpuid_entry2 __user *user)
{
	struct offer_list list = { .room = min_t(u32, cpuid->nent, CPUID_MAX_ENTRIES) };
	int r;

	if (!list.room)
		return -E2BIG;
	list.entries = kvcalloc(list.room, sizeof(*list.entries), GFP_KERNEL_ACCOUNT);
	if (!list.entries)
		return -ENOMEM;
	r = offer_all(&list);
	if (!r && copy_to_user(user, list.entries, list.nr * sizeof(*list.entries)))
		r = -EFAULT;
	kvfree(list.entries);
	if (!r)
		cpuid->nent = list.nr;
	return r;
}

/* KVM_GET_EMULATED_CPUID: no feature is emulated, so there is leaf 0 and no other. */
long x86_cpuid_emulated(struct kvm_cpuid2 *cpuid, struct kvm_cpuid_entry2 __user *user)
{
	static const struct kvm_cpuid_entry2 none;
	u32 i, nr = min_t(u32, cpuid->nent, CPUID_MAX_ENTRIES);
	u32 padding[ARRAY_SIZE(none.padding)];

	if (!nr)
		return -E2BIG;
	for (i = 0; i < nr; i++)
		if (copy_from_user(padding, user[i].padding, sizeof(padding)) ||
		    memchr_inv(padding, 0, sizeof(padding)))
			return -EINVAL;
	if (copy_to_user(user, &none, sizeof(none)))
		return -EFAULT;
	cpuid->nent = 1;
	return 0;
}
