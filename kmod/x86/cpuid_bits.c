// SPDX-License-Identifier: GPL-2.0-only
/*
 * Feature bits of CPUID: which of the host's a guest can have, and where those stand that mkvm acts
 * upon.
 *
 * A leaf's words of feature bits are rows of bits_words: which bits guests may have if the host
 * has them, and which they always have.  What the kernel has switched off on this machine is off
 * for guests too.
 *
 * Never offered, whatever the host has: nested guests, SMM, LA57, protection keys, CET, AMX, SGX,
 * processor trace, performance counters, user wait, and the speculation controls of SPEC_CTRL.
 */
#include <linux/kernel.h>
#include <linux/string.h>
#include <asm/cpufeature.h>
#include <asm/processor.h>
#include "x86/cpuid.h"

#define HAS(name) CPUID_BIT(name)

/* No word of the kernel's own tells of this one. */
#define NO_WORD (-1)

/**
 * struct bits_word - a register of a leaf that is feature bits
 * @function: the leaf
 * @index: the subleaf
 * @reg: which register
 * @word: the kernel's word of the same bits, or NO_WORD
 * @may: bits that guests have if processor and kernel have them
 * @always: bits that guests have
 */
struct bits_word {
	u32 function;
	u32 index;
	enum cpuid_regs_idx reg;
	int word;
	u32 may;
	u32 always;
};

static const struct bits_word bits_words[] = {
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
} bits_features[NR_FEATURES] = {
	[FEAT_XSAVE] = { 1, 0, CPUID_ECX, HAS(XSAVE) },
	[FEAT_PCID] = { 1, 0, CPUID_ECX, HAS(PCID) },
	[FEAT_X2APIC] = { 1, 0, CPUID_ECX, HAS(X2APIC) },
	[FEAT_TSC_DEADLINE] = { 1, 0, CPUID_ECX, HAS(TSC_DEADLINE_TIMER) },
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
	[FEAT_GBPAGES] = { 0x80000001, 0, CPUID_EDX, HAS(GBPAGES) },
	[FEAT_RDTSCP] = { 0x80000001, 0, CPUID_EDX, HAS(RDTSCP) },
	[FEAT_LM] = { 0x80000001, 0, CPUID_EDX, HAS(LM) },
	[FEAT_RDRAND] = { 1, 0, CPUID_ECX, HAS(RDRAND) },
	[FEAT_RDSEED] = { 7, 0, CPUID_EBX, HAS(RDSEED) },
	[FEAT_IBPB] = { 0x80000008, 0, CPUID_EBX, HAS(AMD_IBPB) },
};

static u32 bits_lacking __ro_after_init; /* BIT(FEAT_*) */
static u32 bits_offered __ro_after_init; /* BIT(FEAT_*) */

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
	if (entry->function != bits_features[feature].function)
		return false;
	if ((entry->flags & KVM_CPUID_FLAG_SIGNIFCANT_INDEX) &&
	    entry->index != bits_features[feature].index)
		return false;
	return *entry_reg((struct kvm_cpuid_entry2 *)entry, bits_features[feature].reg) &
	       bits_features[feature].bit;
}

bool x86_cpuid_offers(enum x86_feature feature)
{
	return bits_offered & BIT(feature);
}

void x86_cpuid_lacks(enum x86_feature feature)
{
	bits_lacking |= BIT(feature);
}

/* The entry of a subleaf as the processor has it, its feature bits as guests may have them. */
void x86_cpuid_host_entry(struct kvm_cpuid_entry2 *entry, u32 function, u32 index)
{
	unsigned int i;
	u32 *reg;

	memset(entry, 0, sizeof(*entry));
	entry->function = function;
	entry->index = index;
	/* The one leaf that guests may have where the processor has none. */
	if (function < 0x80000000 || function <= boot_cpu_data.extended_cpuid_level)
		cpuid_count(function, index, &entry->eax, &entry->ebx, &entry->ecx, &entry->edx);

	for (i = 0; i < ARRAY_SIZE(bits_words); i++) {
		const struct bits_word *word = &bits_words[i];

		if (word->function != function || word->index != index)
			continue;
		reg = entry_reg(entry, word->reg);
		*reg &= word->may;
		if (word->word != NO_WORD)
			*reg &= boot_cpu_data.x86_capability[word->word];
		*reg |= word->always;
	}
	for (i = FEAT_NONE + 1; i < NR_FEATURES; i++)
		if ((bits_lacking & BIT(i)) && bits_features[i].function == function &&
		    bits_features[i].index == index)
			*entry_reg(entry, bits_features[i].reg) &= ~bits_features[i].bit;
}

/* At load, after the vendor's room has said what it cannot give. */
void __init x86_cpuid_setup_features(void)
{
	struct kvm_cpuid_entry2 entry;
	unsigned int i;

	for (i = FEAT_NONE + 1; i < NR_FEATURES; i++) {
		x86_cpuid_host_entry(&entry, bits_features[i].function, bits_features[i].index);
		if (x86_cpuid_entry_has(&entry, i))
			bits_offered |= BIT(i);
	}
}
