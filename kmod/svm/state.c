// SPDX-License-Identifier: GPL-2.0-only
/*
 * Groups of a vCPU's state, out of the control block and into it.
 *
 * What the guest sees and what the block holds differ in few places: CR0.CD and NW never reach the
 * block (they would make the guest's memory uncached), the host's CR4.MCE is always set there (a
 * machine check with MCE clear is a shutdown), and EFER.SVME must be.  While CR0 or CR4 differ,
 * reading it is intercepted.
 *
 * The block has no "unusable" of a segment; a segment that is not present is.
 */
#include <asm/tlbflush.h>
#include <asm/trapnr.h>
#include "svm/svm.h"

#define STATE_CR0_HIDDEN (X86_CR0_CD | X86_CR0_NW)

/* Bits whose change drops translations, as MOV to CR does and VMRUN does not. */
#define STATE_CR0_FLUSH (X86_CR0_PG | X86_CR0_PE)
#define STATE_CR4_FLUSH                                                                          \
	(X86_CR4_PSE | X86_CR4_PAE | X86_CR4_PGE | X86_CR4_PCIDE | X86_CR4_SMEP | X86_CR4_SMAP | \
	 X86_CR4_PKE)

/* Offsets of the segments in the save area. */
static const u16 state_seg_offset[X86_NR_SEGS] = {
	[X86_ES] = offsetof(struct vmcb_save_area, es),
	[X86_CS] = offsetof(struct vmcb_save_area, cs),
	[X86_SS] = offsetof(struct vmcb_save_area, ss),
	[X86_DS] = offsetof(struct vmcb_save_area, ds),
	[X86_FS] = offsetof(struct vmcb_save_area, fs),
	[X86_GS] = offsetof(struct vmcb_save_area, gs),
	[X86_LDTR] = offsetof(struct vmcb_save_area, ldtr),
	[X86_TR] = offsetof(struct vmcb_save_area, tr),
};

static struct vmcb_seg *state_seg(struct vmcb_save_area *save, enum x86_seg seg)
{
	return (void *)save + state_seg_offset[seg];
}

static void state_fetch_seg(const struct vmcb_seg *from, struct kvm_segment *to)
{
	*to = (struct kvm_segment){
		.base = from->base,
		.limit = from->limit,
		.selector = from->selector,
		.type = from->attrib & SVM_SELECTOR_TYPE_MASK,
		.s = from->attrib >> SVM_SELECTOR_S_SHIFT & 1,
		.dpl = from->attrib >> SVM_SELECTOR_DPL_SHIFT & 3,
		.present = from->attrib >> SVM_SELECTOR_P_SHIFT & 1,
		.avl = from->attrib >> SVM_SELECTOR_AVL_SHIFT & 1,
		.l = from->attrib >> SVM_SELECTOR_L_SHIFT & 1,
		.db = from->attrib >> SVM_SELECTOR_DB_SHIFT & 1,
		/* Some processors do not keep the bit; the limit tells what it must be. */
		.g = from->limit > 0xfffff,
	};
	to->unusable = !to->present;
}

static void state_store_seg(const struct kvm_segment *from, struct vmcb_seg *to)
{
	to->base = from->base;
	to->limit = from->limit;
	to->selector = from->selector;
	to->attrib = from->type & SVM_SELECTOR_TYPE_MASK;
	to->attrib |= (from->s & 1) << SVM_SELECTOR_S_SHIFT;
	to->attrib |= (from->dpl & 3) << SVM_SELECTOR_DPL_SHIFT;
	to->attrib |= (from->present && !from->unusable) << SVM_SELECTOR_P_SHIFT;
	to->attrib |= (from->avl & 1) << SVM_SELECTOR_AVL_SHIFT;
	to->attrib |= (from->l & 1) << SVM_SELECTOR_L_SHIFT;
	to->attrib |= (from->db & 1) << SVM_SELECTOR_DB_SHIFT;
	to->attrib |= (from->g & 1) << SVM_SELECTOR_G_SHIFT;
}

static void state_fetch_segs(struct x86_vcpu *x86, struct vmcb_save_area *save)
{
	enum x86_seg seg;

	for (seg = 0; seg < X86_NR_SEGS; seg++)
		state_fetch_seg(state_seg(save, seg), &x86->seg[seg]);
	/* The privilege level has a field of its own, and SS may be null. */
	x86->seg[X86_SS].dpl = save->cpl;
	/* A task register that is in use is busy, whether the block says so or not. */
	x86->seg[X86_TR].type |= 2;
}

static void state_store_segs(const struct x86_vcpu *x86, struct vmcb_save_area *save)
{
	enum x86_seg seg;

	for (seg = 0; seg < X86_NR_SEGS; seg++)
		state_store_seg(&x86->seg[seg], state_seg(save, seg));
	save->cpl = x86->seg[X86_SS].dpl & 3;
}

static void state_fetch_tables(struct x86_vcpu *x86, const struct vmcb_save_area *save)
{
	x86->gdt.base = save->gdtr.base;
	x86->gdt.limit = save->gdtr.limit;
	x86->idt.base = save->idtr.base;
	x86->idt.limit = save->idtr.limit;
}

static void state_store_tables(const struct x86_vcpu *x86, struct vmcb_save_area *save)
{
	save->gdtr.base = x86->gdt.base;
	save->gdtr.limit = x86->gdt.limit;
	save->idtr.base = x86->idt.base;
	save->idtr.limit = x86->idt.limit;
}

/* The bits that the block hides do not change while the guest runs: the last ones stored hold. */
static void state_fetch_crs(struct x86_vcpu *x86, const struct vmcb_save_area *save)
{
	x86->cr0 = (save->cr0 & ~STATE_CR0_HIDDEN) | (x86->cr0 & STATE_CR0_HIDDEN);
	x86->cr3 = save->cr3;
	x86->cr4 = (save->cr4 & ~X86_CR4_MCE) | (x86->cr4 & X86_CR4_MCE);
	x86->efer = save->efer & ~EFER_SVME;
}

static void state_intercept_read(struct vmcb *vmcb, unsigned int bit, bool differs)
{
	if (differs)
		svm_intercept_set(vmcb, bit);
	else
		svm_intercept_clear(vmcb, bit);
}

static bool state_crs_flush(const struct x86_vcpu *x86, const struct vmcb_save_area *save)
{
	return (x86->cr0 ^ save->cr0) & STATE_CR0_FLUSH || x86->cr3 != save->cr3 ||
	       (x86->cr4 ^ save->cr4) & STATE_CR4_FLUSH ||
	       (x86->efer ^ save->efer) & (EFER_NX | EFER_LMA);
}

/*
 * Shadow tables are walked by the rules of PAE or long mode, W obeyed and NX known, whatever the
 * guest's are.  CR3 is svm_run_enter()'s, and so is the flush, with the root.
 */
static void state_store_shadow_crs(const struct x86_vcpu *x86, struct vmcb_save_area *save)
{
	save->cr0 |= X86_CR0_PG | X86_CR0_WP;
	save->cr4 = (save->cr4 | X86_CR4_PAE) & ~(u64)X86_CR4_PCIDE;
	save->efer |= EFER_NX;
	/* Until the guest's paging is on its EFER.LME means nothing. */
	if (!(x86->efer & EFER_LMA))
		save->efer &= ~(u64)EFER_LME;
	/* And all its memory is a user's. */
	if (!(x86->cr0 & X86_CR0_PG))
		save->cr4 &= ~(u64)(X86_CR4_SMEP | X86_CR4_SMAP);
}

static void state_store_crs(const struct x86_vcpu *x86, struct svm_vcpu *svm)
{
	bool shadowed = x86_is_shadowed(&svm->vcpu);
	struct vmcb *vmcb = svm->vmcb;
	struct vmcb_save_area *save = &vmcb->save;

	if (!shadowed && state_crs_flush(x86, save))
		svm_cpu_flush(svm);
	save->cr0 = x86->cr0 & ~STATE_CR0_HIDDEN;
	save->cr4 = x86->cr4 | (cr4_read_shadow() & X86_CR4_MCE);
	save->efer = x86->efer | EFER_SVME;
	if (shadowed)
		state_store_shadow_crs(x86, save);
	else
		save->cr3 = x86->cr3;
	state_intercept_read(vmcb, INTERCEPT_CR0_READ, save->cr0 != x86->cr0);
	state_intercept_read(vmcb, INTERCEPT_CR4_READ, save->cr4 != x86->cr4);
}

static void state_fetch_msrs(struct x86_vcpu *x86, const struct vmcb_save_area *save)
{
	x86->star = save->star;
	x86->lstar = save->lstar;
	x86->cstar = save->cstar;
	x86->sfmask = save->sfmask;
	x86->kernel_gs_base = save->kernel_gs_base;
	x86->sysenter_cs = save->sysenter_cs;
	x86->sysenter_esp = save->sysenter_esp;
	x86->sysenter_eip = save->sysenter_eip;
	x86->pat = save->g_pat;
}

static void state_store_msrs(const struct x86_vcpu *x86, struct vmcb_save_area *save)
{
	save->star = x86->star;
	save->lstar = x86->lstar;
	save->cstar = x86->cstar;
	save->sfmask = x86->sfmask;
	save->kernel_gs_base = x86->kernel_gs_base;
	save->sysenter_cs = x86->sysenter_cs;
	save->sysenter_esp = x86->sysenter_esp;
	save->sysenter_eip = x86->sysenter_eip;
	save->g_pat = x86->pat;
}

static void state_fetch_shadow(struct x86_vcpu *x86, const struct svm_vcpu *svm)
{
	x86->shadow = svm->vmcb->control.int_state & SVM_INTERRUPT_SHADOW_MASK
			      ? KVM_X86_SHADOW_INT_STI | KVM_X86_SHADOW_INT_MOV_SS
			      : 0;
	x86->nmi_masked = svm->nmi_masked;
}

static void state_store_shadow(const struct x86_vcpu *x86, struct svm_vcpu *svm)
{
	svm->vmcb->control.int_state = x86->shadow ? SVM_INTERRUPT_SHADOW_MASK : 0;
	if (svm->nmi_masked == x86->nmi_masked)
		return;
	/* Without virtual NMIs the end of the handler is seen as its IRET. */
	svm->nmi_masked = x86->nmi_masked;
	svm->iret_seen = false;
	if (svm->nmi_masked)
		svm_intercept_set(svm->vmcb, INTERCEPT_IRET);
	else
		svm_intercept_clear(svm->vmcb, INTERCEPT_IRET);
}

/* DR7 and what else a debugger in user space changes.  DR6 is svm_run_enter()'s. */
static void state_store_drs(const struct x86_vcpu *x86, struct vmcb *vmcb)
{
	unsigned int bp = INTERCEPT_EXCEPTION_OFFSET + X86_TRAP_BP;

	vmcb->save.dr7 = x86_dr7(x86);
	if (x86_bp_exits(x86))
		svm_intercept_set(vmcb, bp);
	else
		svm_intercept_clear(vmcb, bp);
}

/*
 * The groups in @mask, from the control block.  PDPTRs are not state on SVM, and of the debug
 * registers the guest's values are always in struct x86_vcpu.
 */
void svm_state_fetch(struct mkvm_vcpu *vcpu, u32 mask)
{
	struct svm_vcpu *svm = to_svm(vcpu);
	struct vmcb_save_area *save = &svm->vmcb->save;
	struct x86_vcpu *x86 = &vcpu->x86;

	if (mask & X86_ST_RIP)
		x86->rip = save->rip;
	if (mask & X86_ST_RSP)
		x86->gpr[X86_RSP] = save->rsp;
	if (mask & X86_ST_RFLAGS)
		x86->rflags = save->rflags;
	if (mask & X86_ST_SEGS)
		state_fetch_segs(x86, save);
	if (mask & X86_ST_TABLES)
		state_fetch_tables(x86, save);
	if (mask & X86_ST_CRS)
		state_fetch_crs(x86, save);
	if (mask & X86_ST_MSRS)
		state_fetch_msrs(x86, save);
	if (mask & X86_ST_SHADOW)
		state_fetch_shadow(x86, svm);
	if (mask & X86_ST_TSC)
		x86->tsc_offset = svm->vmcb->control.tsc_offset;
}

/* The groups in @mask, to the control block. */
void svm_state_store(struct svm_vcpu *svm, u32 mask)
{
	struct vmcb_save_area *save = &svm->vmcb->save;
	const struct x86_vcpu *x86 = &svm->vcpu.x86;

	if (mask & X86_ST_RIP)
		save->rip = x86->rip;
	if (mask & X86_ST_RSP)
		save->rsp = x86->gpr[X86_RSP];
	if (mask & X86_ST_RFLAGS)
		save->rflags = x86->rflags;
	if (mask & X86_ST_SEGS)
		state_store_segs(x86, save);
	if (mask & X86_ST_TABLES)
		state_store_tables(x86, save);
	if (mask & X86_ST_CRS)
		state_store_crs(x86, svm);
	if (mask & X86_ST_MSRS)
		state_store_msrs(x86, save);
	if (mask & X86_ST_DRS)
		state_store_drs(x86, svm->vmcb);
	if (mask & X86_ST_SHADOW)
		state_store_shadow(x86, svm);
	if (mask & X86_ST_TSC)
		svm->vmcb->control.tsc_offset = x86->tsc_offset;
	if (mask & X86_ST_CONTROLS)
		svm_vmcb_set_features(svm);
}
