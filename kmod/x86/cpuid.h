/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * CPUID: what mkvm can offer a guest, what user space has given a vCPU, and what follows from it.
 *
 * A feature here is one that mkvm acts upon: it switches something off where the guest lacks it.
 * All others are only bits in the answers.
 */
#ifndef MKVM_X86_CPUID_H
#define MKVM_X86_CPUID_H

#include <linux/bits.h>
#include <linux/kvm.h>
#include <linux/types.h>

struct mkvm_vcpu;

enum x86_feature {
	FEAT_NONE, /* for rows that want none */
	FEAT_XSAVE,
	FEAT_PCID,
	FEAT_X2APIC,
	FEAT_TSC_DEADLINE,
	FEAT_FSGSBASE,
	FEAT_TSC_ADJUST,
	FEAT_SMEP,
	FEAT_SMAP,
	FEAT_INVPCID,
	FEAT_UMIP,
	FEAT_RDPID,
	FEAT_FLUSH_L1D,
	FEAT_ARCH_CAPABILITIES,
	FEAT_XSAVES,
	FEAT_OSVW,
	FEAT_NX,
	FEAT_FXSR_OPT,
	FEAT_GBPAGES,
	FEAT_RDTSCP,
	FEAT_LM,
	FEAT_IBPB,
	FEAT_RDRAND,
	FEAT_RDSEED,
	NR_FEATURES
};

/**
 * struct x86_cpuid - a vCPU's CPUID; owner vCPU only
 * @entries: what user space has set
 * @nr: how many
 * @given: user space has set them
 * @features: BIT(FEAT_*) that the guest has
 * @amd: the guest's processor follows AMD's rules, not Intel's
 * @phys_bits: width of the guest's physical addresses
 * @xcr0: extended states that the guest has
 * @pv: KVM_FEATURE_* that the guest has been told of
 * @pv_enforced: it has none but these
 */
struct x86_cpuid {
	struct kvm_cpuid_entry2 *entries;
	u32 nr;
	bool given;
	u32 features;
	bool amd;
	u8 phys_bits;
	u64 xcr0;
	u32 pv;
	bool pv_enforced;
};

/* A feature's bit in its register; <asm/cpufeature.h> has the names. */
#define CPUID_BIT(name) BIT((X86_FEATURE_##name) & 31)

/* Extended states; those before are in the legacy area of XSAVE. */
#define CPUID_XSTATE_FIRST 2
#define CPUID_XSTATE_NR	   64

/* cpuid_bits.c: features that mkvm can offer on this host */
void x86_cpuid_setup_features(void);
void x86_cpuid_lacks(enum x86_feature feature); /* at load: the vendor's room cannot give it */
bool x86_cpuid_offers(enum x86_feature feature);
bool x86_cpuid_entry_has(const struct kvm_cpuid_entry2 *entry, enum x86_feature feature);
void x86_cpuid_host_entry(struct kvm_cpuid_entry2 *entry, u32 function, u32 index);

/* cpuid_xstate.c: the extended states among them */
void x86_cpuid_setup_xstates(void);
u64 x86_cpuid_offered_xcr0(void);
u32 x86_cpuid_xstate_size(u64 states, bool compacted);

/* cpuid_offer.c: the table that says so */
bool x86_cpuid_is_signature(const struct kvm_cpuid_entry2 *entry); /* of KVM's leaves */
long x86_cpuid_supported(struct kvm_cpuid2 *cpuid, struct kvm_cpuid_entry2 __user *user);
long x86_cpuid_emulated(struct kvm_cpuid2 *cpuid, struct kvm_cpuid_entry2 __user *user);

/* cpuid.c: a vCPU's own */
bool x86_has(const struct mkvm_vcpu *vcpu, enum x86_feature feature);
bool x86_has_pv(const struct mkvm_vcpu *vcpu, unsigned int feature); /* KVM_FEATURE_* */
u32 x86_cpuid_signature(const struct mkvm_vcpu *vcpu);
u64 x86_cr4_reserved(const struct mkvm_vcpu *vcpu);  /* bits that must be 0 */
u64 x86_efer_reserved(const struct mkvm_vcpu *vcpu); /* likewise */
u64 x86_efer_offered(void);			     /* bits that can be 1 on this host */
u64 x86_gpa_reserved(const struct mkvm_vcpu *vcpu);  /* beyond the guest's physical addresses */
u64 x86_xcr0_offered(const struct mkvm_vcpu *vcpu);
long x86_cpuid_set(struct mkvm_vcpu *vcpu, const struct kvm_cpuid2 *cpuid,
		   const struct kvm_cpuid_entry2 __user *user);
long x86_cpuid_set_old(struct mkvm_vcpu *vcpu, const struct kvm_cpuid *cpuid,
		       const struct kvm_cpuid_entry __user *user);
long x86_cpuid_get(struct mkvm_vcpu *vcpu, struct kvm_cpuid2 *cpuid,
		   struct kvm_cpuid_entry2 __user *user);
void x86_cpuid_init(struct mkvm_vcpu *vcpu);
void x86_cpuid_destroy(struct mkvm_vcpu *vcpu);

#endif /* MKVM_X86_CPUID_H */
