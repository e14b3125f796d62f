// SPDX-License-Identifier: GPL-2.0-only
/*
 * CPUID that mkvm can offer: the host's, cut down to what guests really get.
 *
 * A leaf's words of feature bits are rows of offer_words: which bits guests may have if the host
 * has them, and which they always have.  What the kernel has switched off on this machine is off
 * for guests too.  What else a leaf holds is for its function in offer_leaves; a leaf that is not
 * there is all zeroes.
 *
 * Never offered, whatever the host has: nested guests, SMM, LA57, protection keys, CET, AMX, SGX,
 * processor trace, performance counters, user wait, and the speculation controls of SPEC_CTRL.
 */
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/smp.h>
#include <linux/uaccess.h>
#include <asm/cpufeature.h>
#include <asm/fpu/xcr.h>
#include <asm/processor.h>
#include "vm_type.h"
#include "x86/cpuid.h"
#include "x86/x86.h"

#define CPUID_MAX_ENTRIES 256 /* as kvm */
#define CPUID_BASIC_LAST  0x1f
#define CPUID_EXT_LAST	  0x80000021
#define CPUID_SIGNATURE	  0x40000000
#define OFFER_LINEAR_BITS 48 /* guests have no LA57 */
#define XSTATE_FIRST	  2  /* the states before it are in the legacy area */
#define XSTATE_NR	  64
#define XSAVE_BASIC_BYTES (512 + 64) /* legacy area and header */

#define HAS(name) BIT((X86_FEATURE_##name) & 31)

/* No word of the kernel's own tells of this one. */
#define NO_WORD (-1)

/**
 * struct offer_word - a register of a leaf that is feature bits
 * @function: the leaf
 * @index: the subleaf
 * @reg: which register
 * @word: the kernel's word of the same bits, or NO_WORD
 * @may: bits that guests have if processor and kernel have them
 * @always: bits that guests have
 */
struct offer_word {
	u32 function;
	u32 index;
	enum cpuid_regs_idx reg;
	int word;
	u32 may;
	u32 always;
};

static const struct offer_word offer_words[] = {
	{ 1, 0, CPUID_ECX, CPUID_1_ECX,
	  HAS(XMM3) | HAS(PCLMULQDQ) | HAS(SSSE3) | HAS(FMA) | HAS(CX16) | HAS(PCID) | HAS(XMM4_1) |
		  HAS(XMM4_2) | HAS(MOVBE) | HAS(POPCNT) | HAS(AES) | HAS(XSAVE) | HAS(AVX) |
		  HAS(F16C) | HAS(RDRAND),
	  HAS(X2APIC) },
	{ 1, 0, CPUID_EDX, CPUID_1_EDX,
	  HAS(FPU) | HAS(VME) | HAS(DE) | HAS(PSE) | HAS(TSC) | HAS(MSR) | HAS(PAE) | HAS(MCE) |
		  HAS(CX8) | HAS(APIC) | HAS(SEP) | HAS(MTRR) | HAS(PGE) | HAS(MCA) | HAS(CMOV) |
		  HAS(PAT) | HAS(PSE36) | HAS(CLFLUSH) | HAS(MMX) | HAS(FXSR) | HAS(XMM) |
		  HAS(XMM2) | HAS(SELFSNOOP),
	  0 },
	{ 7, 0, CPUID_EBX, CPUID_7_0_EBX,
	  HAS(FSGSBASE) | HAS(BMI1) | HAS(HLE) | HAS(AVX2) | HAS(FDP_EXCPTN_ONLY) | HAS(SMEP) |
		  HAS(BMI2) | HAS(ERMS) | HAS(INVPCID) | HAS(RTM) | HAS(ZERO_FCS_FDS) |
		  HAS(AVX512F) | HAS(AVX512DQ) | HAS(RDSEED) | HAS(ADX) | HAS(SMAP) |
		  HAS(AVX512IFMA) | HAS(CLFLUSHOPT) | HAS(CLWB) | HAS(AVX512PF) | HAS(AVX512ER) |
		  HAS(AVX512CD) | HAS(SHA_NI) | HAS(AVX512BW) | HAS(AVX512VL),
	  HAS(TSC_ADJUST) },
	{ 7, 0, CPUID_ECX, CPUID_7_ECX,
	  HAS(AVX512VBMI) | HAS(RDPID) | HAS(AVX512_VPOPCNTDQ) | HAS(UMIP) | HAS(AVX512_VBMI2) |
		  HAS(GFNI) | HAS(VAES) | HAS(VPCLMULQDQ) | HAS(AVX512_VNNI) | HAS(AVX512_BITALG) |
		  HAS(CLDEMOTE) | HAS(MOVDIRI) | HAS(MOVDIR64B),
	  0 },
	{ 7, 0, CPUID_EDX, CPUID_7_EDX,
	  HAS(AVX512_4VNNIW) | HAS(AVX512_4FMAPS) | HAS(MD_CLEAR) | HAS(AVX512_VP2INTERSECT) |
		  HAS(FSRM) | HAS(SERIALIZE) | HAS(TSXLDTRK) | HAS(AVX512_FP16) | HAS(FLUSH_L1D),
	  HAS(ARCH_CAPABILITIES) },
	/* and CMPCCXADD, FZRM, FSRS, FSRC, AVX-IFMA */
	{ 7, 1, CPUID_EAX, CPUID_7_1_EAX,
	  HAS(AVX_VNNI) | HAS(AVX512_BF16) | BIT(7) | BIT(10) | BIT(11) | BIT(12) | BIT(23), 0 },
	/* AVX-VNNI-INT8, AVX-NE-CONVERT, PREFETCHITI */
	{ 7, 1, CPUID_EDX, NO_WORD, BIT(4) | BIT(5) | BIT(14), 0 },
	/* MCDT_NO */
	{ 7, 2, CPUID_EDX, NO_WORD, BIT(5), 0 },
	{ 0xd, 1, CPUID_EAX, CPUID_D_1_EAX,
	  HAS(XSAVEOPT) | HAS(XSAVEC) | HAS(XGETBV1) | HAS(XSAVES), 0 },
	{ 0x80000001, 0, CPUID_ECX, CPUID_8000_0001_ECX,
	  HAS(LAHF_LM) | HAS(CMP_LEGACY) | HAS(CR8_LEGACY) | HAS(ABM) | HAS(SSE4A) |
		  HAS(MISALIGNSSE) | HAS(3DNOWPREFETCH) | HAS(OSVW) | HAS(XOP) | HAS(FMA4) |
		  HAS(TBM) | HAS(TOPOEXT),
	  0 },
	{ 0x80000001, 0, CPUID_EDX, CPUID_8000_0001_EDX,
	  HAS(FPU) | HAS(VME) | HAS(DE) | HAS(PSE) | HAS(TSC) | HAS(MSR) | HAS(PAE) | HAS(MCE) |
		  HAS(CX8) | HAS(APIC) | HAS(SYSCALL) | HAS(MTRR) | HAS(PGE) | HAS(MCA) |
		  HAS(CMOV) | HAS(PAT) | HAS(PSE36) | HAS(NX) | HAS(MMXEXT) | HAS(MMX) | HAS(FXSR) |
		  HAS(FXSR_OPT) | HAS(GBPAGES) | HAS(RDTSCP) | HAS(LM) | HAS(3DNOWEXT) | HAS(3DNOW),
	  0 },
	{ 0x80000008, 0, CPUID_EBX, CPUID_8000_0008_EBX,
	  HAS(CLZERO) | HAS(XSAVEERPTR) | HAS(WBNOINVD) | HAS(AMD_IBPB) | HAS(AMD_SSB_NO), 0 },
	/*
	 * no nested data breakpoints, FS and GS base writes that do not serialise, serialising
	 * LFENCE, null selectors that clear the base, SRSO_NO, SRSO_USER_KERNEL_NO; always: no
	 * SMM_CTL
	 */
	{ 0x80000021, 0, CPUID_EAX, NO_WORD, BIT(0) | BIT(1) | BIT(2) | BIT(6) | BIT(29) | BIT(30),
	  BIT(9) },
	/* TSA_SQ_NO, TSA_L1_NO */
	{ 0x80000021, 0, CPUID_ECX, NO_WORD, BIT(1) | BIT(2), 0 },
};

/* Where the features that mkvm acts upon stand. */
static const struct {
	u32 function;
	u32 index;
	enum cpuid_regs_idx reg;
	u32 bit;
} offer_features[NR_FEATURES] = {
	[FEAT_XSAVE] = { 1, 0, CPUID_ECX, HAS(XSAVE) },
	[FEAT_PCID] = { 1, 0, CPUID_ECX, HAS(PCID) },
	[FEAT_X2APIC] = { 1, 0, CPUID_ECX, HAS(X2APIC) },
	[FEAT_FSGSBASE] = { 7, 0, CPUID_EBX, HAS(FSGSBASE) },
	[FEAT_TSC_ADJUST] = { 7, 0, CPUID_EBX, HAS(TSC_ADJUST) },
	[FEAT_SMEP] = { 7, 0, CPUID_EBX, HAS(SMEP) },
	[FEAT_SMAP] = { 7, 0, CPUID_EBX, HAS(SMAP) },
	[FEAT_INVPCID] = { 7, 0, CPUID_EBX, HAS(INVPCID) },
	[FEAT_UMIP] = { 7, 0, CPUID_ECX, HAS(UMIP) },
	[FEAT_RDPID] = { 7, 0, CPUID_ECX, HAS(RDPID) },
	[FEAT_FLUSH_L1D] = { 7, 0, CPUID_EDX, HAS(FLUSH_L1D) },
	[FEAT_ARCH_CAPABILITIES] = { 7, 0, CPUID_EDX, HAS(ARCH_CAPABILITIES) },
	[FEAT_XSAVES] = { 0xd, 1, CPUID_EAX, HAS(XSAVES) },
	[FEAT_OSVW] = { 0x80000001, 0, CPUID_ECX, HAS(OSVW) },
	[FEAT_NX] = { 0x80000001, 0, CPUID_EDX, HAS(NX) },
	[FEAT_FXSR_OPT] = { 0x80000001, 0, CPUID_EDX, HAS(FXSR_OPT) },
	[FEAT_RDTSCP] = { 0x80000001, 0, CPUID_EDX, HAS(RDTSCP) },
	[FEAT_LM] = { 0x80000001, 0, CPUID_EDX, HAS(LM) },
	[FEAT_IBPB] = { 0x80000008, 0, CPUID_EBX, HAS(AMD_IBPB) },
};

/* An extended state in the XSAVE area: @offset in the standard format. */
struct xstate {
	u32 size;
	u32 offset;
	bool aligned; /* to 64 bytes, in the compacted format */
};

static struct xstate offer_xstates[XSTATE_NR] __ro_after_init;
static u32 offer_lacking __ro_after_init; /* BIT(FEAT_*) */
static u32 offer_has __ro_after_init;	  /* BIT(FEAT_*) */

static u32 *entry_reg(struct kvm_cpuid_entry2 *entry, enum cpuid_regs_idx reg)
{
	switch (reg) {
	case CPUID_EAX:
		return &entry->eax;
	case CPUID_EBX:
		return &entry->ebx;
	case CPUID_ECX:
		return &entry->ecx;
	default:
		return &entry->edx;
	}
}

/* An entry that does not care for the index stands for every subleaf. */
bool x86_cpuid_entry_has(const struct kvm_cpuid_entry2 *entry, enum x86_feature feature)
{
	if (entry->function != offer_features[feature].function)
		return false;
	if ((entry->flags & KVM_CPUID_FLAG_SIGNIFCANT_INDEX) &&
	    entry->index != offer_features[feature].index)
		return false;
	return *entry_reg((struct kvm_cpuid_entry2 *)entry, offer_features[feature].reg) &
	       offer_features[feature].bit;
}

bool x86_cpuid_offers(enum x86_feature feature)
{
	return offer_has & BIT(feature);
}

void x86_cpuid_lacks(enum x86_feature feature)
{
	offer_lacking |= BIT(feature);
}

/* All of AVX-512's states or none: XCR0 takes them together only. */
u64 x86_cpuid_offered_xcr0(void)
{
	u64 host = x86_host_xcr0();
	u64 offered = host & (XFEATURE_MASK_FP | XFEATURE_MASK_SSE | XFEATURE_MASK_YMM);

	if ((host & XFEATURE_MASK_AVX512) == XFEATURE_MASK_AVX512)
		offered |= XFEATURE_MASK_AVX512;
	return offered;
}

/* Bytes of an XSAVE area for @states. */
u32 x86_cpuid_xstate_size(u64 states, bool compacted)
{
	u32 end, size = XSAVE_BASIC_BYTES;
	int i;

	for (i = XSTATE_FIRST; i < XSTATE_NR; i++) {
		if (!(states & BIT_ULL(i)))
			continue;
		if (!compacted)
			end = offer_xstates[i].offset;
		else
			end = offer_xstates[i].aligned ? ALIGN(size, 64) : size;
		size = max(size, end + offer_xstates[i].size);
	}
	return size;
}

/* The entry of a subleaf as the processor has it, its feature bits as guests may have them. */
static void offer_entry(struct kvm_cpuid_entry2 *entry, u32 function, u32 index)
{
	unsigned int i;
	u32 *reg;

	memset(entry, 0, sizeof(*entry));
	entry->function = function;
	entry->index = index;
	/* The one leaf that guests may have where the processor has none. */
	if (function < 0x80000000 || function <= boot_cpu_data.extended_cpuid_level)
		cpuid_count(function, index, &entry->eax, &entry->ebx, &entry->ecx, &entry->edx);

	for (i = 0; i < ARRAY_SIZE(offer_words); i++) {
		const struct offer_word *word = &offer_words[i];

		if (word->function != function || word->index != index)
			continue;
		reg = entry_reg(entry, word->reg);
		*reg &= word->may;
		if (word->word != NO_WORD)
			*reg &= boot_cpu_data.x86_capability[word->word];
		*reg |= word->always;
	}
	for (i = FEAT_NONE + 1; i < NR_FEATURES; i++)
		if ((offer_lacking & BIT(i)) && offer_features[i].function == function &&
		    offer_features[i].index == index)
			*entry_reg(entry, offer_features[i].reg) &= ~offer_features[i].bit;
}

static void __init offer_setup_xstates(void)
{
	u32 eax, ebx, ecx, edx;
	int i;

	for (i = XSTATE_FIRST; i < XSTATE_NR; i++) {
		if (!(x86_cpuid_offered_xcr0() & BIT_ULL(i)))
			continue;
		cpuid_count(0xd, i, &eax, &ebx, &ecx, &edx);
		offer_xstates[i] = (struct xstate){
			.size = eax,
			.offset = ebx,
			.aligned = ecx & BIT(1),
		};
	}
}

/* At load, after the vendor's room has said what it cannot give. */
void __init x86_cpuid_setup(void)
{
	struct kvm_cpuid_entry2 entry;
	unsigned int i;

	offer_setup_xstates();
	for (i = FEAT_NONE + 1; i < NR_FEATURES; i++) {
		offer_entry(&entry, offer_features[i].function, offer_features[i].index);
		if (x86_cpuid_entry_has(&entry, i))
			offer_has |= BIT(i);
	}
}

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
	offer_entry(entry, function, index);
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
	entry->ebx =
		entry->eax & (HAS(XSAVEC) | HAS(XSAVES)) ? x86_cpuid_xstate_size(offered, true) : 0;
	entry->ecx = 0;
	entry->edx = 0;
	for (i = XSTATE_FIRST; i < XSTATE_NR; i++) {
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

/* KVM's signature; nothing paravirtual is offered yet. */
static int offer_signature(struct offer_list *list, struct kvm_cpuid_entry2 *entry)
{
	static const char signature[12] = "KVMKVMKVM";

	entry_clear(entry);
	entry->eax = CPUID_SIGNATURE + 1;
	memcpy(&entry->ebx, signature, 4);
	memcpy(&entry->ecx, signature + 4, 4);
	memcpy(&entry->edx, signature + 8, 4);
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
		entry->ebx |= HAS(AMD_SSB_NO);
	/* Intel tells of it elsewhere, together with what is not offered. */
	if (boot_cpu_has(X86_FEATURE_IBPB))
		entry->ebx |= HAS(AMD_IBPB);
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
	{ CPUID_SIGNATURE, offer_signature },
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
		r = offer_class(list, CPUID_SIGNATURE);
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
