// SPDX-License-Identifier: GPL-2.0-only
/*
 * Groups of a vCPU's state, in and out of the VMCS.
 *
 * Some state never changes without an exit and is therefore always valid in struct x86_vcpu,
 * whatever x86.avail says: the bits of CR0 and CR4 that the host owns, EFER, PAT, the debug
 * registers, the SYSCALL MSRs and the TSC offset; on shadow tables CR3 and the PDPTEs too.
 * KERNEL_GS_BASE is in no VMCS but in the
 * processor's MSR while vmx_host.away, else in struct x86_vcpu.
 *
 * The VMCS holds a segment's attributes as the descriptor has them, and a bit for "unusable".
 */
#include <linux/sched.h>
#include <asm/debugreg.h>
#include <asm/msr.h>
#include <asm/processor-flags.h>
#include <asm/tlbflush.h>
#include <asm/trapnr.h>
#include "vmx/vmx.h"

#define GUEST_SELECTOR(seg) (GUEST_ES_SELECTOR + 2 * (seg))
#define GUEST_BASE(seg)	    (GUEST_ES_BASE + 2 * (seg))
#define GUEST_LIMIT(seg)    (GUEST_ES_LIMIT + 2 * (seg))
#define GUEST_AR(seg)	    (GUEST_ES_AR_BYTES + 2 * (seg))

#define SEG_TYPE_ACCESSED BIT(0) /* code and data segments */
#define SEG_TYPE_BUSY	  BIT(1) /* task state segments */

static void state_fetch_segment(struct kvm_segment *s, enum x86_seg seg)
{
	u32 ar = vmcs_read32(GUEST_AR(seg));

	*s = (struct kvm_segment){
		.base = vmcs_read(GUEST_BASE(seg)),
		.limit = vmcs_read32(GUEST_LIMIT(seg)),
		.selector = vmcs_read(GUEST_SELECTOR(seg)),
		.type = ar & VMX_AR_TYPE_MASK,
		.s = !!(ar & VMX_AR_S_MASK),
		.dpl = VMX_AR_DPL(ar),
		.present = !(ar & VMX_AR_UNUSABLE_MASK),
		.avl = !!(ar & BIT(12)),
		.l = !!(ar & VMX_AR_L_MASK),
		.db = !!(ar & VMX_AR_DB_MASK),
		.g = !!(ar & VMX_AR_G_MASK),
		.unusable = !!(ar & VMX_AR_UNUSABLE_MASK),
	};
}

/*
 * User space leaves out what a register that was loaded by the processor would have: the accessed
 * bit, the busy bit.  VM entry insists on them.
 */
static u32 state_segment_ar(const struct kvm_segment *s, enum x86_seg seg)
{
	u32 type = s->type;

	if (s->s)
		type |= SEG_TYPE_ACCESSED;
	else if (seg == X86_TR)
		type |= SEG_TYPE_ACCESSED | SEG_TYPE_BUSY;

	return (type & VMX_AR_TYPE_MASK) | (s->s ? VMX_AR_S_MASK : 0) |
	       (s->dpl & 3) << VMX_AR_DPL_SHIFT | (s->present ? VMX_AR_P_MASK : 0) |
	       (s->avl ? BIT(12) : 0) | (s->l ? VMX_AR_L_MASK : 0) | (s->db ? VMX_AR_DB_MASK : 0) |
	       (s->g ? VMX_AR_G_MASK : 0) | (s->unusable || !s->present ? VMX_AR_UNUSABLE_MASK : 0);
}

static void state_store_segment(const struct kvm_segment *s, enum x86_seg seg)
{
	vmcs_write(GUEST_SELECTOR(seg), s->selector);
	vmcs_write(GUEST_BASE(seg), s->base);
	vmcs_write(GUEST_LIMIT(seg), s->limit);
	vmcs_write(GUEST_AR(seg), state_segment_ar(s, seg));
}

static void state_fetch_crs(struct vmx_vcpu *vmx)
{
	u64 cr0 = vmx_cr0_guest_owned(vmx), cr4 = vmx_cr4_guest_owned(vmx);
	struct x86_vcpu *x = &vmx->vcpu.x86;

	x->cr0 = (x->cr0 & ~cr0) | (vmcs_read(GUEST_CR0) & cr0);
	x->cr4 = (x->cr4 & ~cr4) | (vmcs_read(GUEST_CR4) & cr4);
	if (!vmx->shadowed)
		x->cr3 = vmcs_read(GUEST_CR3);
}

/*
 * By what rules the processor walks, and from where: the guest's, as MOV to a control register
 * drops translations, and emulated, it has not done so.
 */
static void state_store_paging(struct vmx_vcpu *vmx)
{
	const struct x86_vcpu *x = &vmx->vcpu.x86;

	vmcs_write(GUEST_CR3, x->cr3);
	vmcs_write(GUEST_IA32_EFER, x->efer);
	vmx->flush_vpid = true;
}

/*
 * Or those of shadow tables: PAE or long mode, W obeyed and NX known, whatever the guest's are.
 * CR3 is vmx_enter()'s, and so is the flush, with the root.
 */
static void state_store_shadow_paging(const struct x86_vcpu *x, u64 *cr0, u64 *cr4)
{
	*cr0 |= X86_CR0_WP;
	*cr4 = (*cr4 | X86_CR4_PAE) & ~(u64)X86_CR4_PCIDE;
	vmcs_write(GUEST_IA32_EFER, x->efer | EFER_NX);
}

/*
 * CD and NW stay out of the hardware's CR0: the host's memory is cached, whatever the guest wants.
 * MCE is the host's, as a machine check must find its way to the host.
 */
static void state_store_crs(struct vmx_vcpu *vmx)
{
	const struct x86_vcpu *x = &vmx->vcpu.x86;
	u64 mce = cr4_read_shadow() & X86_CR4_MCE;
	u64 cr0 = x->cr0 & ~(u64)(X86_CR0_CD | X86_CR0_NW);
	u64 cr4 = (x->cr4 & ~(u64)X86_CR4_MCE) | mce;
	u32 entry = vmx->entry_controls & ~VM_ENTRY_IA32E_MODE;

	if (vmx->shadowed)
		state_store_shadow_paging(x, &cr0, &cr4);
	else
		state_store_paging(vmx);
	vmcs_write(GUEST_CR0, vmx_caps_cr0(cr0));
	vmcs_write(CR0_READ_SHADOW, x->cr0);
	vmcs_write(GUEST_CR4, vmx_caps_cr4(cr4));
	vmcs_write(CR4_READ_SHADOW, x->cr4);

	if (x->efer & EFER_LMA)
		entry |= VM_ENTRY_IA32E_MODE;
	if (entry != vmx->entry_controls) {
		vmx->entry_controls = entry;
		vmcs_write(VM_ENTRY_CONTROLS, entry);
	}
}

static void state_fetch_shadow(struct x86_vcpu *x)
{
	u32 blocked = vmcs_read32(GUEST_INTERRUPTIBILITY_INFO);

	x->shadow = blocked & GUEST_INTR_STATE_MOV_SS ? KVM_X86_SHADOW_INT_MOV_SS
		    : blocked & GUEST_INTR_STATE_STI  ? KVM_X86_SHADOW_INT_STI
						      : 0;
	x->nmi_masked = blocked & GUEST_INTR_STATE_NMI;
}

static void state_store_shadow(const struct x86_vcpu *x)
{
	u32 blocked = 0;

	if (x->shadow & KVM_X86_SHADOW_INT_MOV_SS)
		blocked |= GUEST_INTR_STATE_MOV_SS;
	else if (x->shadow)
		blocked |= GUEST_INTR_STATE_STI;
	if (x->nmi_masked)
		blocked |= GUEST_INTR_STATE_NMI;
	vmcs_write(GUEST_INTERRUPTIBILITY_INFO, blocked);
}

/* DR7 and what else a debugger in user space changes. */
static void state_store_drs(const struct x86_vcpu *x)
{
	u32 exceptions = vmcs_read32(EXCEPTION_BITMAP) & ~BIT(X86_TRAP_BP);

	vmcs_write(GUEST_DR7, x86_dr7(x));
	vmcs_write(EXCEPTION_BITMAP, exceptions | (x86_bp_exits(x) ? BIT(X86_TRAP_BP) : 0));
}

/*
 * VM entry wants an interrupt shadow, RFLAGS and the pending debug exceptions to agree: a shadow of
 * STI needs IF, and within a shadow a single step is pending if and only if TF is set.
 */
static void state_settle_shadow(void)
{
	u32 blocked = vmcs_read32(GUEST_INTERRUPTIBILITY_INFO);
	u64 pending, rflags;

	if (!(blocked & (GUEST_INTR_STATE_STI | GUEST_INTR_STATE_MOV_SS)))
		return;

	rflags = vmcs_read(GUEST_RFLAGS);
	if ((blocked & GUEST_INTR_STATE_STI) && !(rflags & X86_EFLAGS_IF)) {
		vmcs_write(GUEST_INTERRUPTIBILITY_INFO, blocked & ~GUEST_INTR_STATE_STI);
		return;
	}
	pending = vmcs_read(GUEST_PENDING_DBG_EXCEPTIONS) & ~(u64)DR_STEP;
	if (rflags & X86_EFLAGS_TF)
		pending |= DR_STEP;
	vmcs_write(GUEST_PENDING_DBG_EXCEPTIONS, pending);
}

static void state_store_tsc(const struct x86_vcpu *x)
{
	vmcs_write(TSC_OFFSET, x->tsc_offset);
	if (vmx_caps_tsc_scaling())
		vmcs_write(TSC_MULTIPLIER, x->tsc_ratio);
}

/* Being scheduled away in between would put the host's value there. */
static void state_fetch_kernel_gs_base(struct vmx_vcpu *vmx)
{
	preempt_disable();
	if (vmx->host.away)
		rdmsrl(MSR_KERNEL_GS_BASE, vmx->vcpu.x86.kernel_gs_base);
	preempt_enable();
}

/* Preemption may be on: whoever is scheduled in again has the VMCS current where it then runs. */
void vmx_state_fetch(struct mkvm_vcpu *vcpu, u32 mask)
{
	struct x86_vcpu *x = &vcpu->x86;
	int i;

	/* VMX was off when the vCPU was loaded: what another VMCS holds is no answer. */
	if (unlikely(!vmx_cpu_vmcs_current(&to_vmx(vcpu)->vmcs))) {
		mkvm_vm_kill(vcpu->vm, "VMX is off where its vCPU is loaded");
		return;
	}

	if (mask & X86_ST_RIP)
		x->rip = vmcs_read(GUEST_RIP);
	if (mask & X86_ST_RSP)
		x->gpr[X86_RSP] = vmcs_read(GUEST_RSP);
	if (mask & X86_ST_RFLAGS)
		x->rflags = vmcs_read(GUEST_RFLAGS);
	if (mask & X86_ST_SEGS)
		for (i = 0; i < X86_NR_SEGS; i++)
			state_fetch_segment(&x->seg[i], i);
	if (mask & X86_ST_TABLES) {
		x->gdt.base = vmcs_read(GUEST_GDTR_BASE);
		x->gdt.limit = vmcs_read32(GUEST_GDTR_LIMIT);
		x->idt.base = vmcs_read(GUEST_IDTR_BASE);
		x->idt.limit = vmcs_read32(GUEST_IDTR_LIMIT);
	}
	if (mask & X86_ST_CRS)
		state_fetch_crs(to_vmx(vcpu));
	if (mask & X86_ST_PDPTRS)
		for (i = 0; i < 4; i++)
			x->pdptr[i] = vmcs_read(GUEST_PDPTR0 + 2 * i);
	if (mask & X86_ST_MSRS) {
		x->sysenter_cs = vmcs_read32(GUEST_SYSENTER_CS);
		x->sysenter_esp = vmcs_read(GUEST_SYSENTER_ESP);
		x->sysenter_eip = vmcs_read(GUEST_SYSENTER_EIP);
		state_fetch_kernel_gs_base(to_vmx(vcpu));
	}
	if (mask & X86_ST_SHADOW)
		state_fetch_shadow(x);
	x->avail |= mask;
}

/* Store what is dirty.  The MSRs that no VMCS holds are vmx_enter()'s. */
void vmx_state_store(struct vmx_vcpu *vmx)
{
	struct x86_vcpu *x = &vmx->vcpu.x86;
	u32 dirty = x->dirty;
	int i;

	if (dirty & X86_ST_RIP)
		vmcs_write(GUEST_RIP, x->rip);
	if (dirty & X86_ST_RSP)
		vmcs_write(GUEST_RSP, x->gpr[X86_RSP]);
	if (dirty & X86_ST_RFLAGS)
		vmcs_write(GUEST_RFLAGS, x->rflags);
	if (dirty & X86_ST_SEGS)
		for (i = 0; i < X86_NR_SEGS; i++)
			state_store_segment(&x->seg[i], i);
	if (dirty & X86_ST_TABLES) {
		vmcs_write(GUEST_GDTR_BASE, x->gdt.base);
		vmcs_write(GUEST_GDTR_LIMIT, x->gdt.limit);
		vmcs_write(GUEST_IDTR_BASE, x->idt.base);
		vmcs_write(GUEST_IDTR_LIMIT, x->idt.limit);
	}
	if (dirty & X86_ST_CRS)
		state_store_crs(vmx);
	if (dirty & X86_ST_PDPTRS)
		for (i = 0; i < 4; i++)
			vmcs_write(GUEST_PDPTR0 + 2 * i, x->pdptr[i]);
	if (dirty & X86_ST_MSRS) {
		vmcs_write(GUEST_SYSENTER_CS, x->sysenter_cs);
		vmcs_write(GUEST_SYSENTER_ESP, x->sysenter_esp);
		vmcs_write(GUEST_SYSENTER_EIP, x->sysenter_eip);
		if (!vmx->shadowed)
			vmcs_write(GUEST_IA32_PAT, x->pat);
	}
	if (dirty & X86_ST_DRS)
		state_store_drs(x);
	if (dirty & X86_ST_TSC)
		state_store_tsc(x);
	if (dirty & X86_ST_CONTROLS)
		vmx_vmcs_set_features(vmx);
	if (dirty & X86_ST_SHADOW)
		state_store_shadow(x);
	if (dirty & (X86_ST_SHADOW | X86_ST_RFLAGS))
		state_settle_shadow();
}

/* Is the selector's privilege the segment's? */
static bool state_segment_agrees(const struct kvm_segment *s)
{
	return (s->selector & 3) == s->dpl;
}

/* A segment for data that is loaded in protected mode can be used by who has loaded it. */
static bool state_data_fits(const struct kvm_segment *s)
{
	bool conforming = s->type >= 12;

	return s->unusable || !s->present || conforming || s->dpl >= (s->selector & 3);
}

/*
 * Without "unrestricted guest" VM entry wants segments that protected mode can have loaded: CS one
 * of code, and the privilege of selectors and segments the same.  What a guest brings along from
 * real mode need not be so until it has loaded them anew.  The vCPU is loaded.
 */
bool vmx_state_fits_shadow(struct mkvm_vcpu *vcpu)
{
	const struct x86_vcpu *x = &vcpu->x86;
	const struct kvm_segment *seg = x->seg;

	x86_fetch(vcpu, X86_ST_SEGS | X86_ST_RFLAGS);
	if (x->rflags & X86_EFLAGS_VM)
		return true;
	return (seg[X86_CS].type & 8) && state_segment_agrees(&seg[X86_SS]) &&
	       (seg[X86_CS].selector & 3) == (seg[X86_SS].selector & 3) &&
	       state_data_fits(&seg[X86_DS]) && state_data_fits(&seg[X86_ES]) &&
	       state_data_fits(&seg[X86_FS]) && state_data_fits(&seg[X86_GS]);
}
