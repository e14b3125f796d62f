// SPDX-License-Identifier: GPL-2.0-only
/*
 * A vCPU's CPUID: the table that user space sets, the guest's questions, and what follows from it.
 *
 * The table is kept as it was given.  The few answers that depend on the vCPU's state (CR4, XCR0,
 * APIC base) are put in when an answer is made.  Once the vCPU has run the table is frozen: user
 * space may set it again, to what it is.
 *
 * Before there is a table every answer is 0.  Then the guest lacks all features, but of CR4 it may
 * set what mkvm offers: user space that makes a state before the table is let through, as by kvm.
 */
#include <linux/kvm_para.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>
#include <asm/cpufeature.h>
#include <asm/fpu/xstate.h>
#include <asm/msr-index.h>
#include <asm/processor-flags.h>
#include <asm/trapnr.h>
#include "mkvm.h"
#include "x86/cpuid.h"
#include "x86/x86.h"

#define CPUID_MAX_ENTRIES   256
#define CPUID_ANY_INDEX	    (~0ull)
#define CPUID_NO_TABLE_PHYS 36	  /* address bits of a processor that does not tell */
#define CPUID_PV_STEP	    0x100 /* hypervisors' classes of leaves, as far as guests look */
#define CPUID_PV_END	    0x40010000

/* CR4 bits that every processor has, and those that go with a feature. */
#define CR4_ALWAYS_HAD                                                                      \
	(X86_CR4_VME | X86_CR4_PVI | X86_CR4_TSD | X86_CR4_DE | X86_CR4_PSE | X86_CR4_PAE | \
	 X86_CR4_MCE | X86_CR4_PGE | X86_CR4_PCE | X86_CR4_OSFXSR | X86_CR4_OSXMMEXCPT)

static const struct {
	enum x86_feature feature;
	u64 bit;
} cr4_features[] = {
	{ FEAT_UMIP, X86_CR4_UMIP },  { FEAT_FSGSBASE, X86_CR4_FSGSBASE },
	{ FEAT_PCID, X86_CR4_PCIDE }, { FEAT_XSAVE, X86_CR4_OSXSAVE },
	{ FEAT_SMEP, X86_CR4_SMEP },  { FEAT_SMAP, X86_CR4_SMAP },
};

bool x86_has(const struct mkvm_vcpu *vcpu, enum x86_feature feature)
{
	return vcpu->x86.cpuid.features & BIT(feature);
}

/* Guests may use what they were not told of, unless user space forbids it. */
bool x86_has_pv(const struct mkvm_vcpu *vcpu, unsigned int feature)
{
	return !vcpu->x86.cpuid.pv_enforced || vcpu->x86.cpuid.pv & BIT(feature);
}

u64 x86_cr4_reserved(const struct mkvm_vcpu *vcpu)
{
	u64 allowed = CR4_ALWAYS_HAD;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(cr4_features); i++)
		if (x86_cpuid_offers(cr4_features[i].feature) &&
		    (!vcpu->x86.cpuid.given || x86_has(vcpu, cr4_features[i].feature)))
			allowed |= cr4_features[i].bit;
	return ~allowed;
}

/* EFER: SCE comes with long mode or without, and nobody asks. */
u64 x86_efer_reserved(const struct mkvm_vcpu *vcpu)
{
	u64 allowed = x86_efer_offered();

	if (!x86_has(vcpu, FEAT_LM))
		allowed &= ~(u64)(EFER_LME | EFER_LMA);
	if (!x86_has(vcpu, FEAT_NX))
		allowed &= ~(u64)EFER_NX;
	if (!x86_has(vcpu, FEAT_FXSR_OPT))
		allowed &= ~(u64)EFER_FFXSR;
	return ~allowed;
}

/* What EFER can be at all on this host. */
u64 x86_efer_offered(void)
{
	u64 offered = EFER_SCE | EFER_LME | EFER_LMA;

	if (x86_cpuid_offers(FEAT_NX))
		offered |= EFER_NX;
	if (x86_cpuid_offers(FEAT_FXSR_OPT))
		offered |= EFER_FFXSR;
	return offered;
}

u64 x86_gpa_reserved(const struct mkvm_vcpu *vcpu)
{
	u8 bits = vcpu->x86.cpuid.phys_bits;

	return bits < 64 ? GENMASK_ULL(63, bits) : 0;
}

u64 x86_xcr0_offered(const struct mkvm_vcpu *vcpu)
{
	return vcpu->x86.cpuid.xcr0 | XFEATURE_MASK_FP;
}

/* An entry that does not care for the index answers for all. */
static struct kvm_cpuid_entry2 *entries_find(struct kvm_cpuid_entry2 *entries, u32 nr, u32 function,
					     u64 index)
{
	u32 i;

	for (i = 0; i < nr; i++) {
		struct kvm_cpuid_entry2 *entry = &entries[i];

		if (entry->function != function)
			continue;
		if (!(entry->flags & KVM_CPUID_FLAG_SIGNIFCANT_INDEX) || entry->index == index ||
		    index == CPUID_ANY_INDEX)
			return entry;
	}
	return NULL;
}

static struct kvm_cpuid_entry2 *cpuid_find(const struct mkvm_vcpu *vcpu, u32 function, u64 index)
{
	const struct x86_cpuid *cpuid = &vcpu->x86.cpuid;

	return entries_find(cpuid->entries, cpuid->nr, function, index);
}

/* Family, model and stepping, which RESET and INIT leave in EDX; family 6 where nothing tells. */
u32 x86_cpuid_signature(const struct mkvm_vcpu *vcpu)
{
	const struct kvm_cpuid_entry2 *entry = cpuid_find(vcpu, 1, 0);

	return entry ? entry->eax : 0x600;
}

static bool is_amd(const struct kvm_cpuid_entry2 *leaf0)
{
	static const char *const vendors[] = { "AuthenticAMD", "HygonGenuine", "AMDisbetter!" };
	u32 name[3] = { leaf0->ebx, leaf0->edx, leaf0->ecx };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(vendors); i++)
		if (!memcmp(name, vendors[i], sizeof(name)))
			return true;
	return false;
}

static void set_bits(u32 *reg, u32 bits, bool on)
{
	*reg = on ? *reg | bits : *reg & ~bits;
}

/* Puts the vCPU's state into an answer. */
static void entry_refresh(const struct mkvm_vcpu *vcpu, struct kvm_cpuid_entry2 *entry)
{
	const struct x86_vcpu *x86 = &vcpu->x86;

	if (entry->function == 1) {
		/* This bit of CR4 changes by an exit only, so the copy is right. */
		if (boot_cpu_has(X86_FEATURE_XSAVE))
			set_bits(&entry->ecx, BIT(X86_FEATURE_OSXSAVE & 31),
				 x86->cr4 & X86_CR4_OSXSAVE);
		set_bits(&entry->edx, BIT(X86_FEATURE_APIC & 31),
			 x86->apic_base & MSR_IA32_APICBASE_ENABLE);
	} else if (entry->function == 7 && !entry->index) {
		/* Guests have no protection keys. */
		if (boot_cpu_has(X86_FEATURE_PKU))
			set_bits(&entry->ecx, BIT(X86_FEATURE_OSPKE & 31), false);
	} else if (entry->function == 0xd && !entry->index) {
		entry->ebx = x86_cpuid_xstate_size(x86->xcr0, false);
	} else if (entry->function == 0xd && entry->index == 1) {
		if (entry->eax & (BIT(X86_FEATURE_XSAVEC & 31) | BIT(X86_FEATURE_XSAVES & 31)))
			entry->ebx = x86_cpuid_xstate_size(x86->xcr0, true);
	}
}

/*
 * The entry that answers for a leaf that the table does not have, on processors that follow Intel's
 * rule: a leaf beyond the last one of its class is the last basic leaf.  @function changes to that.
 */
static struct kvm_cpuid_entry2 *cpuid_find_beyond(const struct mkvm_vcpu *vcpu, u32 *function,
						  u32 index)
{
	struct kvm_cpuid_entry2 *basic, *class;
	u32 first;

	basic = cpuid_find(vcpu, 0, CPUID_ANY_INDEX);
	if (!basic || vcpu->x86.cpuid.amd)
		return NULL;
	if (*function >= 0x40000000 && *function <= 0x4fffffff)
		first = *function & 0xffffff00;
	else if (*function >= 0xc0000000)
		first = 0xc0000000;
	else
		first = *function & 0x80000000;
	class = cpuid_find(vcpu, first, CPUID_ANY_INDEX);
	if (class && *function <= class->eax)
		return NULL;
	*function = basic->eax;
	return cpuid_find(vcpu, *function, index);
}

static struct kvm_cpuid_entry2 cpuid_answer(const struct mkvm_vcpu *vcpu, u32 function, u32 index)
{
	struct kvm_cpuid_entry2 *found, answer = {};

	found = cpuid_find(vcpu, function, index);
	if (!found)
		found = cpuid_find_beyond(vcpu, &function, index);
	if (found) {
		answer = *found;
		entry_refresh(vcpu, &answer);
	} else if (function == 0xb || function == 0x1f) {
		/* Topology: every subleaf tells its own number, and the processor's. */
		found = cpuid_find(vcpu, function, 1);
		if (found) {
			answer.ecx = index & 0xff;
			answer.edx = found->edx;
		}
	}
	return answer;
}

/* Has the guest asked that CPUID fault in its user mode? */
bool x86_cpuid_faults(const struct mkvm_vcpu *vcpu)
{
	return vcpu->x86.msrs.misc_features & MSR_MISC_FEATURES_ENABLES_CPUID_FAULT;
}

int x86_exit_cpuid(struct mkvm_vcpu *vcpu, unsigned int len)
{
	struct kvm_cpuid_entry2 answer;
	u64 *gpr = vcpu->x86.gpr;

	if (x86_cpuid_faults(vcpu)) {
		x86_fetch(vcpu, X86_ST_SEGS);
		if (vcpu->x86.seg[X86_SS].dpl) {
			x86_raise_error(vcpu, X86_TRAP_GP, 0);
			return 1;
		}
	}
	answer = cpuid_answer(vcpu, gpr[X86_RAX], gpr[X86_RCX]);
	gpr[X86_RAX] = answer.eax;
	gpr[X86_RBX] = answer.ebx;
	gpr[X86_RCX] = answer.ecx;
	gpr[X86_RDX] = answer.edx;
	x86_skip(vcpu, len);
	return 1;
}

/* KVM's feature word: behind its signature, which may stand behind another hypervisor's. */
static u32 cpuid_pv(const struct mkvm_vcpu *vcpu)
{
	const struct kvm_cpuid_entry2 *entry;
	u32 base;

	for (base = KVM_CPUID_SIGNATURE; base < CPUID_PV_END; base += CPUID_PV_STEP) {
		entry = cpuid_find(vcpu, base, CPUID_ANY_INDEX);
		if (!entry || !x86_cpuid_is_signature(entry))
			continue;
		entry = cpuid_find(vcpu, base | 1, CPUID_ANY_INDEX);
		return entry ? entry->eax : 0;
	}
	return 0;
}

/* What follows from the table. */
static void cpuid_derive(struct mkvm_vcpu *vcpu)
{
	struct x86_cpuid *cpuid = &vcpu->x86.cpuid;
	const struct kvm_cpuid_entry2 *entry;
	u32 i, feature;

	cpuid->features = 0;
	for (i = 0; i < cpuid->nr; i++)
		for (feature = FEAT_NONE + 1; feature < NR_FEATURES; feature++)
			if (x86_cpuid_entry_has(&cpuid->entries[i], feature))
				cpuid->features |= BIT(feature);

	entry = cpuid_find(vcpu, 0, CPUID_ANY_INDEX);
	cpuid->amd = entry && is_amd(entry);

	cpuid->phys_bits = CPUID_NO_TABLE_PHYS;
	entry = cpuid_find(vcpu, 0x80000000, CPUID_ANY_INDEX);
	if (entry && entry->eax >= 0x80000008) {
		entry = cpuid_find(vcpu, 0x80000008, CPUID_ANY_INDEX);
		if (entry)
			cpuid->phys_bits = entry->eax;
	}

	entry = cpuid_find(vcpu, 0xd, 0);
	cpuid->xcr0 = entry ? (entry->eax | (u64)entry->edx << 32) & x86_cpuid_offered_xcr0() : 0;

	cpuid->pv = cpuid_pv(vcpu);

	/* Instructions that the guest lacks are switched off by the control block. */
	vcpu->x86.dirty |= X86_ST_CONTROLS;
	/* Reserved bits of its tables are others now: a KVM_RUN may have found roots already. */
	x86_paging_changed(vcpu);
}

/* The reset state: no table. */
void x86_cpuid_init(struct mkvm_vcpu *vcpu)
{
	vcpu->x86.cpuid = (struct x86_cpuid){};
	cpuid_derive(vcpu);
}

void x86_cpuid_destroy(struct mkvm_vcpu *vcpu)
{
	kvfree(vcpu->x86.cpuid.entries);
}

static bool entry_equal(const struct kvm_cpuid_entry2 *a, const struct kvm_cpuid_entry2 *b)
{
	return a->function == b->function && a->index == b->index && a->flags == b->flags &&
	       a->eax == b->eax && a->ebx == b->ebx && a->ecx == b->ecx && a->edx == b->edx;
}

/* After the first run: nothing may be new, but for what the vCPU's state says anyway. */
static int cpuid_compare(struct mkvm_vcpu *vcpu, const struct kvm_cpuid_entry2 *entries, u32 nr)
{
	struct kvm_cpuid_entry2 now, then;
	u32 i;

	if (nr != vcpu->x86.cpuid.nr)
		return -EINVAL;
	for (i = 0; i < nr; i++) {
		now = vcpu->x86.cpuid.entries[i];
		then = entries[i];
		entry_refresh(vcpu, &now);
		entry_refresh(vcpu, &then);
		if (!entry_equal(&now, &then))
			return -EINVAL;
	}
	return 0;
}

/* Linear addresses of 48 or 57 bits, or untold; no state that has to be asked for first (AMX). */
static int entries_check(struct kvm_cpuid_entry2 *entries, u32 nr)
{
	struct kvm_cpuid_entry2 *entry = entries_find(entries, nr, 0x80000008, CPUID_ANY_INDEX);
	u32 virt = entry ? entry->eax >> 8 & 0xff : 0;

	if (virt && virt != 48 && virt != 57)
		return -EINVAL;
	entry = entries_find(entries, nr, 0xd, 0);
	return entry && entry->eax & XFEATURE_MASK_USER_DYNAMIC ? -EPERM : 0;
}

/* Takes @entries over, or frees them: they are not the caller's any more. */
static int cpuid_store(struct mkvm_vcpu *vcpu, struct kvm_cpuid_entry2 *entries, u32 nr)
{
	struct x86_cpuid *cpuid = &vcpu->x86.cpuid;
	int r;

	if (vcpu->counts.entries) {
		r = cpuid_compare(vcpu, entries, nr);
		kvfree(entries);
		return r;
	}
	r = entries_check(entries, nr);
	if (r) {
		kvfree(entries);
		return r;
	}
	kvfree(cpuid->entries);
	cpuid->entries = entries;
	cpuid->nr = nr;
	cpuid->given = true;
	cpuid_derive(vcpu);
	return 0;
}

/*
 * KVM_SET_CPUID2.  0; -E2BIG: more than 256 entries; -EINVAL: not a legal table, or not the one
 * that the vCPU has run with; -EPERM; -EFAULT; -ENOMEM.
 */
long x86_cpuid_set(struct mkvm_vcpu *vcpu, const struct kvm_cpuid2 *cpuid,
		   const struct kvm_cpuid_entry2 __user *user)
{
	struct kvm_cpuid_entry2 *entries = NULL;

	if (cpuid->nent > CPUID_MAX_ENTRIES)
		return -E2BIG;
	if (cpuid->nent) {
		entries = vmemdup_user(user, cpuid->nent * sizeof(*entries));
		if (IS_ERR(entries))
			return PTR_ERR(entries);
	}
	return cpuid_store(vcpu, entries, cpuid->nent);
}

/* KVM_SET_CPUID: the same with entries that know no index. */
long x86_cpuid_set_old(struct mkvm_vcpu *vcpu, const struct kvm_cpuid *cpuid,
		       const struct kvm_cpuid_entry __user *user)
{
	struct kvm_cpuid_entry2 *entries = NULL;
	struct kvm_cpuid_entry old;
	u32 i;

	if (cpuid->nent > CPUID_MAX_ENTRIES)
		return -E2BIG;
	if (cpuid->nent) {
		entries = kvcalloc(cpuid->nent, sizeof(*entries), GFP_KERNEL_ACCOUNT);
		if (!entries)
			return -ENOMEM;
	}
	for (i = 0; i < cpuid->nent; i++) {
		if (copy_from_user(&old, &user[i], sizeof(old))) {
			kvfree(entries);
			return -EFAULT;
		}
		entries[i] = (struct kvm_cpuid_entry2){
			.function = old.function,
			.eax = old.eax,
			.ebx = old.ebx,
			.ecx = old.ecx,
			.edx = old.edx,
		};
	}
	return cpuid_store(vcpu, entries, cpuid->nent);
}

/* KVM_GET_CPUID2: the answers as they are now.  0, -E2BIG, -EFAULT. */
long x86_cpuid_get(struct mkvm_vcpu *vcpu, struct kvm_cpuid2 *cpuid,
		   struct kvm_cpuid_entry2 __user *user)
{
	struct kvm_cpuid_entry2 entry;
	u32 i;

	if (cpuid->nent < vcpu->x86.cpuid.nr)
		return -E2BIG;
	for (i = 0; i < vcpu->x86.cpuid.nr; i++) {
		entry = vcpu->x86.cpuid.entries[i];
		entry_refresh(vcpu, &entry);
		if (copy_to_user(&user[i], &entry, sizeof(entry)))
			return -EFAULT;
	}
	cpuid->nent = vcpu->x86.cpuid.nr;
	return 0;
}
