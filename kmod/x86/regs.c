// SPDX-License-Identifier: GPL-2.0-only
/*
 * Registers: groups of state on demand, reset, and the rules of the control registers.
 *
 * What MOV to CR, WRMSR EFER and XSETBV may do is decided here for both vendors.  A value that the
 * architecture forbids is -EINVAL, which the caller turns into #GP(0) for the guest or hands to
 * user space.
 */
#include <linux/percpu.h>
#include <asm/apicdef.h>
#include <asm/cpufeature.h>
#include <asm/debugreg.h>
#include <asm/fpu/xstate.h>
#include <asm/msr-index.h>
#include <asm/processor-flags.h>
#include "guest_mem.h"
#include "irqchip/lapic.h"
#include "x86/x86.h"

#define CR0_ALWAYS X86_CR0_ET

/* Type of a TSS */
#define TSS_32BIT BIT(3)

/* Bits that change how tables are walked, or what is cached of them. */
#define CR0_PAGING (X86_CR0_PG | X86_CR0_WP)
#define CR4_PAGING \
	(X86_CR4_PSE | X86_CR4_PAE | X86_CR4_PGE | X86_CR4_PCIDE | X86_CR4_SMEP | X86_CR4_SMAP)
#define CR0_VALID                                                                      \
	(X86_CR0_PE | X86_CR0_MP | X86_CR0_EM | X86_CR0_TS | X86_CR0_ET | X86_CR0_NE | \
	 X86_CR0_WP | X86_CR0_AM | X86_CR0_NW | X86_CR0_CD | X86_CR0_PG)

/* Makes the groups in @groups valid in vcpu->x86.  The vCPU is loaded. */
void x86_fetch(struct mkvm_vcpu *vcpu, u32 groups)
{
	groups &= ~vcpu->x86.avail;
	if (groups) {
		mkvm_vendor->state_fetch(vcpu, groups);
		vcpu->x86.avail |= groups;
	}
}

/* The caller is about to change something in @groups; it goes to the control block before entry. */
void x86_dirty(struct mkvm_vcpu *vcpu, u32 groups)
{
	x86_fetch(vcpu, groups);
	vcpu->x86.dirty |= groups;
}

static void reset_segments(struct x86_vcpu *x86)
{
	int i;

	for (i = X86_ES; i <= X86_GS; i++)
		x86->seg[i] = (struct kvm_segment){
			.limit = 0xffff,
			.type = 3,
			.present = 1,
			.s = 1,
		};
	x86->seg[X86_CS].type = 11;
	x86->seg[X86_CS].selector = 0xf000;
	x86->seg[X86_CS].base = 0xffff0000;
	x86->seg[X86_LDTR] = (struct kvm_segment){ .limit = 0xffff, .type = 2, .present = 1 };
	x86->seg[X86_TR] = (struct kvm_segment){ .limit = 0xffff, .type = 11, .present = 1 };
	x86->gdt = (struct kvm_dtable){ .limit = 0xffff };
	x86->idt = (struct kvm_dtable){ .limit = 0xffff };
}

/* What RESET and INIT have in common.  All groups are there. */
static void reset_common(struct mkvm_vcpu *vcpu)
{
	struct x86_vcpu *x86 = &vcpu->x86;

	memset(x86->gpr, 0, sizeof(x86->gpr));
	x86->gpr[X86_RDX] = x86_cpuid_signature(vcpu);
	x86->rip = 0xfff0;
	x86->rflags = X86_EFLAGS_FIXED;
	x86->cr2 = 0;
	x86->cr3 = 0;
	x86->cr4 = 0;
	x86->cr8 = 0;
	x86->efer = 0;
	memset(x86->pdptr, 0, sizeof(x86->pdptr));
	reset_segments(x86);
	memset(x86->dr, 0, sizeof(x86->dr));
	x86->dr6 = DR6_FIXED_1;
	x86->dr7 = DR7_ALWAYS_1;
	x86->shadow = 0;
	x86->nmi_masked = false;
	x86_event_reset(vcpu);
	lapic_reset(vcpu);
	x86_paging_changed(vcpu);
	x86->avail = X86_ST_ALL;
	x86->dirty = X86_ST_ALL;
	mkvm_vendor->vcpu_reset(vcpu);
}

/* INIT: caching stays as it is, and so do extended states, MSRs, and the APIC base.  Loaded. */
void x86_reset_by_init(struct mkvm_vcpu *vcpu)
{
	struct x86_vcpu *x86 = &vcpu->x86;

	x86_fetch(vcpu, X86_ST_ALL);
	x86->cr0 = X86_CR0_ET | (x86->cr0 & (X86_CR0_CD | X86_CR0_NW));
	reset_common(vcpu);
}

/* The state after RESET.  The vCPU is loaded; nothing of its old state is kept. */
void x86_reset(struct mkvm_vcpu *vcpu)
{
	struct x86_vcpu *x86 = &vcpu->x86;

	x86->cr0 = X86_CR0_CD | X86_CR0_NW | X86_CR0_ET;
	x86->xcr0 = XFEATURE_MASK_FP;
	x86->star = 0;
	x86->lstar = 0;
	x86->cstar = 0;
	x86->sfmask = 0;
	x86->kernel_gs_base = 0;
	x86->sysenter_cs = 0;
	x86->sysenter_esp = 0;
	x86->sysenter_eip = 0;
	x86->pat = 0x0007040600070406ull;
	x86->tsc_aux = 0;
	x86->apic_base = APIC_DEFAULT_PHYS_BASE | MSR_IA32_APICBASE_ENABLE;
	if (vcpu->id == vcpu->vm->boot_cpu_id)
		x86->apic_base |= MSR_IA32_APICBASE_BSP;
	x86_msr_reset(vcpu);
	reset_common(vcpu);
	x86_paging_set(vcpu);
	x86_mp_reset(vcpu);
}

bool x86_is_64bit(struct mkvm_vcpu *vcpu)
{
	x86_fetch(vcpu, X86_ST_CRS | X86_ST_SEGS);
	return (vcpu->x86.efer & EFER_LMA) && vcpu->x86.seg[X86_CS].l;
}

void x86_jump(struct mkvm_vcpu *vcpu, u64 rip)
{
	x86_dirty(vcpu, X86_ST_RIP);
	x86_fetch(vcpu, X86_ST_SHADOW | X86_ST_RFLAGS);
	vcpu->x86.rip = rip;
	if (vcpu->x86.shadow) {
		x86_dirty(vcpu, X86_ST_SHADOW);
		vcpu->x86.shadow = 0;
	}
	if (vcpu->x86.rflags & X86_EFLAGS_RF) {
		x86_dirty(vcpu, X86_ST_RFLAGS);
		vcpu->x86.rflags &= ~(u64)X86_EFLAGS_RF;
	}
	/* An instruction that was single-stepped ends in a debug exception, emulated or not. */
	if (vcpu->x86.rflags & X86_EFLAGS_TF)
		x86_step_done(vcpu);
}

void x86_skip(struct mkvm_vcpu *vcpu, unsigned int len)
{
	u64 rip;

	x86_fetch(vcpu, X86_ST_RIP);
	rip = vcpu->x86.rip + len;
	x86_jump(vcpu, x86_is_64bit(vcpu) ? rip : (u32)rip);
}

static bool cr0_is_valid(u64 cr0)
{
	if (cr0 >> 32)
		return false;
	if ((cr0 & X86_CR0_PG) && !(cr0 & X86_CR0_PE))
		return false;
	return !(cr0 & X86_CR0_NW) || (cr0 & X86_CR0_CD);
}

/* A mode of the guest's paging has changed, by an instruction of its. */
static void mode_changed(struct mkvm_vcpu *vcpu)
{
	x86_paging_exit(vcpu, MKVM_CAUSE_MODE_CHANGE);
	x86_paging_changed(vcpu);
}

static bool pae_paging(u64 cr0, u64 cr4, u64 efer)
{
	return (cr0 & X86_CR0_PG) && (cr4 & X86_CR4_PAE) && !(efer & EFER_LMA);
}

/* Reserved bits of a PAE page-directory-pointer entry. */
static u64 pdptr_reserved(const struct mkvm_vcpu *vcpu)
{
	return x86_gpa_reserved(vcpu) | GENMASK_ULL(8, 5) | GENMASK_ULL(2, 1);
}

/*
 * Loads the four page-directory-pointer entries that @cr3 names, where the vendor's processor does
 * so when a control register is written.  0, or -EINVAL: one is malformed, or not in memory.
 */
static int pdptrs_load(struct mkvm_vcpu *vcpu, u64 cr3)
{
	u64 pdptr[4];
	int i;

	if (!mkvm_vendor->pdptrs_are_state)
		return 0;
	if (guest_mem_read(&vcpu->vm->slots, cr3 & GENMASK_ULL(31, 5), pdptr, sizeof(pdptr)))
		return -EINVAL;
	for (i = 0; i < 4; i++)
		if ((pdptr[i] & _PAGE_PRESENT) && (pdptr[i] & pdptr_reserved(vcpu)))
			return -EINVAL;
	x86_dirty(vcpu, X86_ST_PDPTRS);
	memcpy(vcpu->x86.pdptr, pdptr, sizeof(pdptr));
	return 0;
}

/* Intel's processors want no 16-bit TSS there. */
static bool tss_fits_long_mode(const struct x86_vcpu *x86)
{
	return boot_cpu_has(X86_FEATURE_SVM) || x86->seg[X86_TR].type & TSS_32BIT;
}

/* MOV to CR0, LMSW, CLTS.  The caller holds a read side of the slots; so for CR3 and CR4. */
int x86_set_cr0(struct mkvm_vcpu *vcpu, u64 cr0)
{
	struct x86_vcpu *x86 = &vcpu->x86;
	u64 efer, changed;

	x86_fetch(vcpu, X86_ST_CRS | X86_ST_SEGS);
	if (!cr0_is_valid(cr0))
		return -EINVAL;
	cr0 = (cr0 & CR0_VALID) | CR0_ALWAYS;
	changed = cr0 ^ x86->cr0;
	efer = x86->efer;
	if (changed & X86_CR0_PG) {
		if (cr0 & X86_CR0_PG) {
			if (efer & EFER_LME) {
				if (!(x86->cr4 & X86_CR4_PAE) || x86->seg[X86_CS].l ||
				    !tss_fits_long_mode(x86))
					return -EINVAL;
				efer |= EFER_LMA;
			}
		} else {
			if ((x86->cr4 & X86_CR4_PCIDE) || ((efer & EFER_LMA) && x86->seg[X86_CS].l))
				return -EINVAL;
			efer &= ~EFER_LMA;
		}
	}
	if ((changed & (X86_CR0_PG | X86_CR0_CD | X86_CR0_NW)) && pae_paging(cr0, x86->cr4, efer) &&
	    pdptrs_load(vcpu, x86->cr3))
		return -EINVAL;
	x86_dirty(vcpu, X86_ST_CRS);
	x86->cr0 = cr0;
	x86->efer = efer;
	if (changed & CR0_PAGING)
		mode_changed(vcpu);
	return 0;
}

int x86_set_cr3(struct mkvm_vcpu *vcpu, u64 cr3)
{
	struct x86_vcpu *x86 = &vcpu->x86;

	x86_fetch(vcpu, X86_ST_CRS);
	if (x86->efer & EFER_LMA) {
		if (x86->cr4 & X86_CR4_PCIDE)
			cr3 &= ~X86_CR3_PCID_NOFLUSH;
		if (cr3 & x86_gpa_reserved(vcpu))
			return -EINVAL;
	} else if (pae_paging(x86->cr0, x86->cr4, x86->efer) && pdptrs_load(vcpu, cr3)) {
		return -EINVAL;
	}
	x86_dirty(vcpu, X86_ST_CRS);
	x86->cr3 = cr3;
	x86_paging_changed(vcpu);
	return 0;
}

int x86_set_cr4(struct mkvm_vcpu *vcpu, u64 cr4)
{
	struct x86_vcpu *x86 = &vcpu->x86;
	u64 changed;

	x86_fetch(vcpu, X86_ST_CRS);
	if (cr4 & x86_cr4_reserved(vcpu))
		return -EINVAL;
	changed = cr4 ^ x86->cr4;
	if ((x86->efer & EFER_LMA) && !(cr4 & X86_CR4_PAE))
		return -EINVAL;
	if ((changed & cr4 & X86_CR4_PCIDE) &&
	    (!(x86->efer & EFER_LMA) || (x86->cr3 & X86_CR3_PCID_MASK)))
		return -EINVAL;
	if ((changed & (X86_CR4_PAE | X86_CR4_PGE | X86_CR4_PSE | X86_CR4_SMEP)) &&
	    pae_paging(x86->cr0, cr4, x86->efer) && pdptrs_load(vcpu, x86->cr3))
		return -EINVAL;
	x86_dirty(vcpu, X86_ST_CRS);
	x86->cr4 = cr4;
	if (changed & CR4_PAGING)
		mode_changed(vcpu);
	return 0;
}

static bool cr8_is_valid(u64 cr8)
{
	return !(cr8 & ~0xfull);
}

static void cr8_store(struct mkvm_vcpu *vcpu, u64 cr8)
{
	if (vcpu->lapic)
		lapic_set_tpr(vcpu, cr8 << 4);
	vcpu->x86.cr8 = cr8;
}

int x86_set_cr8(struct mkvm_vcpu *vcpu, u64 cr8)
{
	if (!cr8_is_valid(cr8))
		return -EINVAL;
	cr8_store(vcpu, cr8);
	return 0;
}

int x86_set_efer(struct mkvm_vcpu *vcpu, u64 efer)
{
	struct x86_vcpu *x86 = &vcpu->x86;

	x86_fetch(vcpu, X86_ST_CRS);
	if (efer & x86_efer_reserved(vcpu))
		return -EINVAL;
	if ((x86->cr0 & X86_CR0_PG) && ((efer ^ x86->efer) & EFER_LME))
		return -EINVAL;
	x86_dirty(vcpu, X86_ST_CRS);
	if ((efer ^ x86->efer) & EFER_NX)
		mode_changed(vcpu);
	/* LMA is the processor's to change. */
	x86->efer = (efer & ~(u64)EFER_LMA) | (x86->efer & EFER_LMA);
	return 0;
}

int x86_set_xcr0(struct mkvm_vcpu *vcpu, u64 xcr0)
{
	u64 avx512 = xcr0 & XFEATURE_MASK_AVX512;

	if (!(xcr0 & XFEATURE_MASK_FP) || (xcr0 & ~x86_xcr0_offered(vcpu)))
		return -EINVAL;
	if ((xcr0 & XFEATURE_MASK_YMM) && !(xcr0 & XFEATURE_MASK_SSE))
		return -EINVAL;
	if (avx512 && (avx512 != XFEATURE_MASK_AVX512 || !(xcr0 & XFEATURE_MASK_YMM)))
		return -EINVAL;
	vcpu->x86.xcr0 = xcr0;
	return 0;
}

/*
 * The local APIC's base and mode.  Its modes follow each other: from off to xAPIC, to x2APIC, and
 * back by way of off; the host sets any.
 */
int x86_set_apic_base(struct mkvm_vcpu *vcpu, u64 base, bool by_host)
{
	u64 reserved = x86_gpa_reserved(vcpu) | GENMASK(7, 0) | BIT(9);
	u64 mode = MSR_IA32_APICBASE_ENABLE | X2APIC_ENABLE;
	u64 before = vcpu->x86.apic_base, old = before & mode;

	if (!x86_has(vcpu, FEAT_X2APIC))
		reserved |= X2APIC_ENABLE;
	mode &= base;
	if (base & reserved || mode == X2APIC_ENABLE)
		return -EINVAL;
	if (!by_host && old & X2APIC_ENABLE && mode == MSR_IA32_APICBASE_ENABLE)
		return -EINVAL;
	if (!by_host && !old && mode & X2APIC_ENABLE)
		return -EINVAL;
	WRITE_ONCE(vcpu->x86.apic_base, base);
	lapic_base_changed(vcpu, before);
	return 0;
}

/* KVM_GET_REGS.  The vCPU is loaded; so for all that follow. */
void x86_get_regs(struct mkvm_vcpu *vcpu, struct kvm_regs *regs)
{
	const u64 *gpr = vcpu->x86.gpr;

	x86_fetch(vcpu, X86_ST_RIP | X86_ST_RSP);
	*regs = (struct kvm_regs){
		.rax = gpr[X86_RAX],
		.rbx = gpr[X86_RBX],
		.rcx = gpr[X86_RCX],
		.rdx = gpr[X86_RDX],
		.rsi = gpr[X86_RSI],
		.rdi = gpr[X86_RDI],
		.rsp = gpr[X86_RSP],
		.rbp = gpr[X86_RBP],
		.r8 = gpr[X86_R8],
		.r9 = gpr[X86_R9],
		.r10 = gpr[X86_R10],
		.r11 = gpr[X86_R11],
		.r12 = gpr[X86_R12],
		.r13 = gpr[X86_R13],
		.r14 = gpr[X86_R14],
		.r15 = gpr[X86_R15],
		.rip = vcpu->x86.rip,
		.rflags = x86_guest_rflags(vcpu),
	};
}

/* KVM_SET_REGS: an exception that waited is forgotten with the state that it belonged to. */
void x86_put_regs(struct mkvm_vcpu *vcpu, const struct kvm_regs *regs)
{
	const u64 gpr[X86_NR_GPRS] = {
		regs->rax, regs->rcx, regs->rdx, regs->rbx, regs->rsp, regs->rbp,
		regs->rsi, regs->rdi, regs->r8,	 regs->r9,  regs->r10, regs->r11,
		regs->r12, regs->r13, regs->r14, regs->r15,
	};

	x86_dirty(vcpu, X86_ST_RIP | X86_ST_RSP);
	memcpy(vcpu->x86.gpr, gpr, sizeof(gpr));
	vcpu->x86.rip = regs->rip;
	x86_put_rflags(vcpu, regs->rflags);
	if (vcpu->x86.exception.state == X86_QUEUED_PENDING)
		vcpu->x86.exception.state = X86_QUEUED_NONE;
}

/* KVM_GET_SREGS */
void x86_get_sregs(struct mkvm_vcpu *vcpu, struct kvm_sregs *sregs)
{
	const struct x86_vcpu *x86 = &vcpu->x86;

	x86_fetch(vcpu, X86_ST_CRS | X86_ST_SEGS | X86_ST_TABLES);
	if (!vcpu->vm->exception_payload && x86->exception.state == X86_QUEUED_PENDING)
		x86_event_payload(vcpu);
	memset(sregs, 0, sizeof(*sregs));
	sregs->cs = x86->seg[X86_CS];
	sregs->ds = x86->seg[X86_DS];
	sregs->es = x86->seg[X86_ES];
	sregs->fs = x86->seg[X86_FS];
	sregs->gs = x86->seg[X86_GS];
	sregs->ss = x86->seg[X86_SS];
	sregs->tr = x86->seg[X86_TR];
	sregs->ldt = x86->seg[X86_LDTR];
	sregs->gdt = x86->gdt;
	sregs->idt = x86->idt;
	sregs->cr0 = x86->cr0;
	sregs->cr2 = x86->cr2;
	sregs->cr3 = x86->cr3;
	sregs->cr4 = x86->cr4;
	sregs->cr8 = x86->cr8;
	sregs->efer = x86->efer;
	sregs->apic_base = x86->apic_base;
	if (x86->interrupt.state != X86_QUEUED_NONE && !x86->interrupt.soft)
		__set_bit(x86->interrupt.vector, (unsigned long *)sregs->interrupt_bitmap);
}

static bool sregs_are_valid(const struct mkvm_vcpu *vcpu, const struct kvm_sregs *sregs)
{
	if ((sregs->efer & EFER_LME) && (sregs->cr0 & X86_CR0_PG)) {
		if (!(sregs->cr4 & X86_CR4_PAE) || !(sregs->efer & EFER_LMA))
			return false;
		if (sregs->cr3 & x86_gpa_reserved(vcpu))
			return false;
	} else if ((sregs->efer & EFER_LMA) || sregs->cs.l) {
		return false;
	}
	return cr0_is_valid(sregs->cr0) && !(sregs->cr4 & x86_cr4_reserved(vcpu)) &&
	       !(sregs->efer & x86_efer_reserved(vcpu));
}

static void sregs_store(struct mkvm_vcpu *vcpu, const struct kvm_sregs *sregs)
{
	struct x86_vcpu *x86 = &vcpu->x86;

	x86_dirty(vcpu, X86_ST_CRS | X86_ST_SEGS | X86_ST_TABLES);
	x86->seg[X86_CS] = sregs->cs;
	x86->seg[X86_DS] = sregs->ds;
	x86->seg[X86_ES] = sregs->es;
	x86->seg[X86_FS] = sregs->fs;
	x86->seg[X86_GS] = sregs->gs;
	x86->seg[X86_SS] = sregs->ss;
	x86->seg[X86_TR] = sregs->tr;
	x86->seg[X86_LDTR] = sregs->ldt;
	x86->gdt = sregs->gdt;
	x86->idt = sregs->idt;
	x86->cr0 = (sregs->cr0 & CR0_VALID) | CR0_ALWAYS;
	x86->cr2 = sregs->cr2;
	x86->cr3 = sregs->cr3;
	x86->cr4 = sregs->cr4;
	/* One that is none is not taken, and no error, as by kvm. */
	if (cr8_is_valid(sregs->cr8))
		cr8_store(vcpu, sregs->cr8);
	x86->efer = sregs->efer;
	x86_paging_set(vcpu);
	x86_mp_registers_set(vcpu);
}

static bool sregs_pae(const struct mkvm_vcpu *vcpu)
{
	return pae_paging(vcpu->x86.cr0, vcpu->x86.cr4, vcpu->x86.efer);
}

static void sregs_load_pdptrs(struct mkvm_vcpu *vcpu)
{
	int idx;

	if (!sregs_pae(vcpu))
		return;
	idx = srcu_read_lock(&vcpu->vm->slots.srcu);
	/* Tables that are not there yet fault when the guest uses them. */
	if (pdptrs_load(vcpu, vcpu->x86.cr3)) {
		x86_dirty(vcpu, X86_ST_PDPTRS);
		memset(vcpu->x86.pdptr, 0, sizeof(vcpu->x86.pdptr));
	}
	srcu_read_unlock(&vcpu->vm->slots.srcu, idx);
}

/*
 * KVM_SET_SREGS.  0, or -EINVAL with nothing changed.  May sleep.
 */
int x86_put_sregs(struct mkvm_vcpu *vcpu, const struct kvm_sregs *sregs)
{
	unsigned int vector;

	if (!sregs_are_valid(vcpu, sregs) || x86_set_apic_base(vcpu, sregs->apic_base, true))
		return -EINVAL;
	sregs_store(vcpu, sregs);
	sregs_load_pdptrs(vcpu);

	vector = find_first_bit((const unsigned long *)sregs->interrupt_bitmap, KVM_NR_INTERRUPTS);
	if (vector < KVM_NR_INTERRUPTS)
		x86_raise_interrupt(vcpu, vector);
	return 0;
}

/* Both structures begin alike. */
static_assert(offsetof(struct kvm_sregs, interrupt_bitmap) == offsetof(struct kvm_sregs2, flags));

/* KVM_GET_SREGS2 */
int x86_get_sregs2(struct mkvm_vcpu *vcpu, struct kvm_sregs2 *sregs2)
{
	struct kvm_sregs sregs;
	int idx;

	x86_get_sregs(vcpu, &sregs);
	memset(sregs2, 0, sizeof(*sregs2));
	memcpy(sregs2, &sregs, offsetof(struct kvm_sregs2, flags));
	if (!sregs_pae(vcpu))
		return 0;
	sregs2->flags = KVM_SREGS2_FLAGS_PDPTRS_VALID;
	if (mkvm_vendor->pdptrs_are_state) {
		x86_fetch(vcpu, X86_ST_PDPTRS);
		memcpy(sregs2->pdptrs, vcpu->x86.pdptr, sizeof(sregs2->pdptrs));
		return 0;
	}
	/* The processor reads them where they are used; where there is no memory they stay 0. */
	idx = srcu_read_lock(&vcpu->vm->slots.srcu);
	if (guest_mem_read(&vcpu->vm->slots, vcpu->x86.cr3 & GENMASK_ULL(31, 5), sregs2->pdptrs,
			   sizeof(sregs2->pdptrs)))
		memset(sregs2->pdptrs, 0, sizeof(sregs2->pdptrs));
	srcu_read_unlock(&vcpu->vm->slots.srcu, idx);
	return 0;
}

/* KVM_SET_SREGS2.  0, or -EINVAL with nothing changed.  May sleep. */
int x86_put_sregs2(struct mkvm_vcpu *vcpu, const struct kvm_sregs2 *sregs2)
{
	bool given = sregs2->flags & KVM_SREGS2_FLAGS_PDPTRS_VALID;
	struct kvm_sregs sregs = {};

	if (sregs2->flags & ~(u64)KVM_SREGS2_FLAGS_PDPTRS_VALID)
		return -EINVAL;
	if (given && !pae_paging(sregs2->cr0, sregs2->cr4, sregs2->efer))
		return -EINVAL;
	memcpy(&sregs, sregs2, offsetof(struct kvm_sregs2, flags));
	if (!sregs_are_valid(vcpu, &sregs) || x86_set_apic_base(vcpu, sregs.apic_base, true))
		return -EINVAL;
	sregs_store(vcpu, &sregs);
	if (!given) {
		sregs_load_pdptrs(vcpu);
		return 0;
	}
	x86_dirty(vcpu, X86_ST_PDPTRS);
	memcpy(vcpu->x86.pdptr, sregs2->pdptrs, sizeof(vcpu->x86.pdptr));
	return 0;
}
