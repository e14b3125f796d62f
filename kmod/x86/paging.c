// SPDX-License-Identifier: GPL-2.0-only
/*
 * The guest's own paging, where the processor walks shadow tables instead of it: a VM of type
 * MKVM_VM_SHADOW.
 *
 * What the guest's tables go by, of its CR0, CR3, CR4 and EFER, is in struct x86_vcpu alone, as
 * each write to that exits.  A write that changes where or how tables are walked makes the vCPU
 * load its roots before it next enters (x86_paging_prepare()).  A page fault is an exit: the MMU
 * says whether it is the guest's.
 *
 * Where the processor cannot run an unpaged guest on tables of linear addresses the vCPU is on the
 * VM's second table while its paging is off, and for as long after that as its state is one that
 * only such a guest may have (vendor_ops.fits_shadow): it is stepped then, if the processor can.
 *
 * Of PAE's four topmost entries the MMU has those that were in memory when CR3 or a mode was
 * loaded.  On a vendor's processors that read them when they need one, they are read again before a
 * fault is looked at, and if one has changed the roots are loaded anew; so they are by INVLPG,
 * which exits while there are such.
 *
 * Progress: an instruction that writes to a table and cannot be emulated gets the table opened,
 * and is executed again.  If that very instruction needs the table to get there it would fault for
 * ever: after PAGING_MAX_OPENED times at one place, with nothing but such exits in between, the
 * VM's owner is told instead.
 */
#include <linux/srcu.h>
#include <linux/string.h>
#include "guest_mem.h"
#include "x86/x86.h"

#define PAGING_MAX_OPENED 16

/* Error code of a page fault */
#define PF_WRITE    BIT(1)
#define PF_USER	    BIT(2)
#define PF_RESERVED BIT(3)
#define PF_FETCH    BIT(4)

bool x86_has_shadow(const struct mkvm_vcpu *vcpu)
{
	return vcpu->vm->mmu_kind == MMU_SHADOW;
}

bool x86_is_shadowed(const struct mkvm_vcpu *vcpu)
{
	return vcpu->mmu.kind == MMU_SHADOW;
}

/* CR0.PG changes by an exit only, so the copy is right. */
bool x86_is_stepped(const struct mkvm_vcpu *vcpu)
{
	return x86_has_shadow(vcpu) && READ_ONCE(vcpu->vm->mmu_use) == MMU_SHADOW &&
	       !x86_is_shadowed(vcpu) && (vcpu->x86.cr0 & X86_CR0_PG);
}

/*
 * Has the VM gone over to its other MMU since the exit, or is it about to?  Then the access comes
 * again there.  The caller holds a read side of the slots.
 */
bool x86_paging_moved(const struct mkvm_vcpu *vcpu)
{
	const struct mkvm *vm = vcpu->vm;

	if (!x86_has_shadow(vcpu))
		return false;
	if (mkvm_vm_is_moving(vm))
		return true;
	if (x86_is_shadowed(vcpu))
		return vm->mmu_use != MMU_SHADOW;
	/* Else it may be unpaged, or not be fit for shadow tables yet. */
	return vm->mmu_use == MMU_SHADOW && !mkvm_vendor->fits_shadow;
}

/* The exit that is being handled is one of the MMU's, if it is not already for another cause. */
void x86_paging_exit(struct mkvm_vcpu *vcpu, enum mkvm_mmu_cause cause)
{
	if (x86_has_shadow(vcpu) && vcpu->cause == MKVM_CAUSE_NONE)
		vcpu->cause = cause;
}

/* CR3 was loaded, or a mode changed that the guest's tables are walked by. */
void x86_paging_changed(struct mkvm_vcpu *vcpu)
{
	vcpu->x86.paging.stale = true;
}

/* So it was by user space, which may have written to the guest's tables before. */
void x86_paging_set(struct mkvm_vcpu *vcpu)
{
	vcpu->x86.paging.stale = true;
	vcpu->x86.paging.by_host = true;
}

/* Does the guest have topmost entries that are read again when it executes INVLPG? */
bool x86_paging_wants_invlpg(const struct mkvm_vcpu *vcpu)
{
	return x86_is_shadowed(vcpu) && vcpu->mmu.root.mode == GPT_PAE &&
	       !mkvm_vendor->pdptrs_are_state;
}

/* INVLPG there: the roots are loaded anew, and all is forgotten, whatever the address. */
int x86_exit_invlpg(struct mkvm_vcpu *vcpu, unsigned int len)
{
	x86_paging_exit(vcpu, MKVM_CAUSE_INVLPG);
	x86_paging_changed(vcpu);
	x86_skip(vcpu, len);
	return 1;
}

/* What is not in memory is not present. */
static void paging_read_pdptrs(struct mkvm_vcpu *vcpu, u64 *pdptrs)
{
	if (guest_mem_read(&vcpu->vm->slots, vcpu->x86.cr3 & GENMASK_ULL(31, 5), pdptrs,
			   MMU_MAX_ROOTS * sizeof(*pdptrs)))
		memset(pdptrs, 0, MMU_MAX_ROOTS * sizeof(*pdptrs));
}

/* The vCPU's roots for the guest's CR3 and modes.  0 or -ENOMEM. */
static int paging_load(struct mkvm_vcpu *vcpu)
{
	u64 pdptrs[MMU_MAX_ROOTS];
	struct gpt_root root;
	int r;

	x86_fetch(vcpu, X86_ST_CRS | X86_ST_RFLAGS);
	root = x86_gpt_root(vcpu);
	if (root.mode == GPT_PAE && !root.pdptr) {
		paging_read_pdptrs(vcpu, pdptrs);
		root.pdptr = pdptrs;
	}
	r = mmu_load_root(&vcpu->mmu, &root);
	if (!r)
		vcpu->x86.paging.stale = false;
	return r;
}

/*
 * On which tables does the vCPU run as it is?  Who runs on shadow tables stays fit for them, unless
 * user space sets registers.
 */
static enum mmu_kind paging_kind(struct mkvm_vcpu *vcpu)
{
	if (vcpu->vm->mmu_use == MMU_TDP)
		return MMU_TDP;
	if (!mkvm_vendor->fits_shadow)
		return MMU_SHADOW;
	if (!(vcpu->x86.cr0 & X86_CR0_PG))
		return MMU_TDP;
	if (x86_is_shadowed(vcpu) && !vcpu->x86.paging.by_host)
		return MMU_SHADOW;
	return mkvm_vendor->fits_shadow(vcpu) ? MMU_SHADOW : MMU_TDP;
}

/* The vCPU's tables and its roots there.  0 or -ENOMEM. */
static int paging_choose(struct mkvm_vcpu *vcpu)
{
	struct x86_paging *paging = &vcpu->x86.paging;
	enum mmu_kind kind = paging_kind(vcpu);

	if (paging->by_host)
		mmu_forget_tables(&vcpu->vm->mmu);
	paging->by_host = false;
	if (kind != vcpu->mmu.kind) {
		/* Of its registers each kind keeps others in the control block. */
		x86_fetch(vcpu, X86_ST_CRS | X86_ST_PDPTRS);
		mmu_vcpu_use(&vcpu->mmu, kind);
		paging->stale = kind == MMU_SHADOW;
	}
	if (kind != MMU_SHADOW)
		return 0;
	return paging->stale ? paging_load(vcpu) : mmu_prepare_root(&vcpu->mmu);
}

/* The request is for this.  0 or -EINTR. */
static int paging_await_move(struct mkvm_vcpu *vcpu)
{
	if (test_and_clear_bit(VCPU_REQ_MMU, &vcpu->requests))
		/* The request first, then what it is for: pairs with mkvm_request_all(). */
		smp_mb__after_atomic();
	return mkvm_vm_await_move(vcpu->vm);
}

/* What the processor has cached of the guest's tables goes.  The vCPU is loaded. */
void x86_flush_tlb(struct mkvm_vcpu *vcpu)
{
	preempt_disable();
	mkvm_vendor->flush_tlb(vcpu);
	preempt_enable();
}

/*
 * Before each entry: the vCPU has tables and roots, and forgets what it cached by others.  The vCPU
 * is loaded.  May sleep.  0, -ENOMEM or -EINTR.
 */
int x86_paging_prepare(struct mkvm_vcpu *vcpu)
{
	int idx, r;

	if (!x86_has_shadow(vcpu))
		return 0;
	if (vcpu->x86.exit.rip != vcpu->x86.paging.opened_rip)
		vcpu->x86.paging.opened = 0;
	do {
		r = paging_await_move(vcpu);
		if (r)
			return r;
		idx = srcu_read_lock(&vcpu->vm->slots.srcu);
		r = mkvm_vm_is_moving(vcpu->vm) ? -EAGAIN : paging_choose(vcpu);
		srcu_read_unlock(&vcpu->vm->slots.srcu, idx);
	} while (r == -EAGAIN);
	if (r || !vcpu->mmu.flush)
		return r;
	x86_flush_tlb(vcpu);
	vcpu->mmu.flush = false;
	return 0;
}

/* 0, or -ENOMEM: the roots for changed entries could not be had. */
static int paging_refresh_pdptrs(struct mkvm_vcpu *vcpu)
{
	u64 pdptrs[MMU_MAX_ROOTS];

	if (vcpu->mmu.root.mode != GPT_PAE || mkvm_vendor->pdptrs_are_state)
		return 0;
	paging_read_pdptrs(vcpu, pdptrs);
	return memcmp(pdptrs, vcpu->mmu.pdptr, sizeof(pdptrs)) ? paging_load(vcpu) : 0;
}

/*
 * May the instruction be executed again, now that the table it writes to is open?  It has been
 * executed since it was last opened if the guest has been elsewhere, or a register has changed.
 */
static bool paging_goes_on(struct mkvm_vcpu *vcpu, gva_t gva)
{
	struct x86_paging *paging = &vcpu->x86.paging;

	if (paging->opened_rip != vcpu->x86.exit.rip || paging->opened_gva != gva ||
	    memcmp(paging->opened_gpr, vcpu->x86.gpr, sizeof(paging->opened_gpr)) != 0)
		paging->opened = 0;
	paging->opened_rip = vcpu->x86.exit.rip;
	paging->opened_gva = gva;
	memcpy(paging->opened_gpr, vcpu->x86.gpr, sizeof(paging->opened_gpr));
	return paging->opened++ < PAGING_MAX_OPENED;
}

/* The write cannot be emulated.  True: the guest makes it itself. */
static bool paging_open(struct mkvm_vcpu *vcpu, const struct mmu_fault *fault)
{
	if (!paging_goes_on(vcpu, fault->gva) || !mmu_open_table(&vcpu->mmu, fault))
		return false;
	vcpu->cause = MKVM_CAUSE_TRACKED_OPENED;
	return true;
}

/*
 * On the second table the processor itself walks the guest's tables, and cannot set accessed and
 * dirty bits in one that is shadowed.  They are set here; opening the table would not do: another
 * vCPU may have it shadowed again before this one gets there.  The processor does not tell what the
 * access is: if the same walk comes again, all accessed bits were there and it is a write.
 */
static int paging_walk(struct mkvm_vcpu *vcpu)
{
	const struct x86_exit *exit = &vcpu->x86.exit;
	struct x86_paging *paging = &vcpu->x86.paging;
	bool again = paging->walked_rip == exit->rip && paging->walked_gva == exit->gva;
	struct gpt_root root;
	gpa_t gpa;
	u32 error;
	int r;

	paging->walked_write = again && !paging->walked_write;
	paging->walked_rip = exit->rip;
	paging->walked_gva = exit->gva;
	vcpu->cause = paging->walked_write ? MKVM_CAUSE_DIRTY_BIT : MKVM_CAUSE_ACCESSED_BIT;
	x86_fetch(vcpu, X86_ST_CRS | X86_ST_RFLAGS);
	root = x86_gpt_root(vcpu);
	root.smap = false;
	r = gpt_access(&vcpu->vm->slots, &root, exit->gva, paging->walked_write ? ACC_W : ACC_R,
		       &gpa, &error);
	/* Tables that have changed meanwhile are the guest's own business: it walks again. */
	return r < 0 && r != -EAGAIN ? r : 1;
}

/* A write to a table that is shadowed: by its linear address, or by the second table. */
int x86_exit_tracked(struct mkvm_vcpu *vcpu, const struct mmu_fault *fault)
{
	enum emu_status status;

	if (vcpu->x86.exit.walk)
		return paging_walk(vcpu);
	if (vcpu->x86.exit.vectored.pending)
		return paging_open(vcpu, fault) ? 1 : x86_exit_delivery(vcpu);
	status = x86_emu_start(vcpu);
	if (status == EMU_UNKNOWN && paging_open(vcpu, fault))
		return 1;
	return x86_emu_outcome(vcpu, status);
}

static int paging_outcome(struct mkvm_vcpu *vcpu, const struct mmu_fault *fault,
			  enum mmu_outcome outcome)
{
	switch (outcome) {
	case MMU_RESUME:
		return 1;
	case MMU_MMIO:
		return x86_emulate(vcpu);
	case MMU_REFLECT:
		x86_raise_pf(vcpu, fault->gva, fault->code);
		return 1;
	case MMU_EMULATE:
		return x86_exit_tracked(vcpu, fault);
	default:
		return x86_exit_memory_fault(vcpu, fault);
	}
}

/*
 * The processor does not tell an access that it makes by itself (to a descriptor table, say), which
 * CR4.SMAP forbids whatever RFLAGS.AC says.  It is one if all is there that the access needs, and
 * it faults nevertheless, twice in a row at one place, with no other exit in between: with the
 * first fault the processor has forgotten what it had cached of that address.
 */
static bool paging_is_implicit(struct mkvm_vcpu *vcpu, const struct mmu_fault *fault)
{
	struct x86_paging *paging = &vcpu->x86.paging;
	bool again = paging->spurious && paging->spurious_rip == vcpu->x86.exit.rip &&
		     paging->spurious_gva == fault->gva &&
		     paging->spurious_entry + 1 == vcpu->counts.entries;

	paging->spurious = fault->cause == MKVM_CAUSE_SPURIOUS &&
			   !(fault->access & (ACC_U | ACC_X)) && (vcpu->x86.cr4 & X86_CR4_SMAP);
	if (!paging->spurious)
		return false;
	paging->spurious_rip = vcpu->x86.exit.rip;
	paging->spurious_gva = fault->gva;
	paging->spurious_entry = vcpu->counts.entries;
	return again;
}

/*
 * A page fault at @gva, with the processor's error code.  The caller holds a read side of the
 * slots.
 */
int x86_exit_page_fault(struct mkvm_vcpu *vcpu, gva_t gva, u32 code)
{
	u32 access = code & PF_WRITE ? ACC_W : code & PF_FETCH ? ACC_X : ACC_R;
	struct mmu_fault fault = {
		.gva = gva,
		.access = access | (code & PF_USER ? ACC_U : 0),
	};
	enum mmu_outcome outcome;
	struct gpt_root root;
	int r;

	if (code & PF_RESERVED) {
		vcpu->cause = MKVM_CAUSE_HOST_ERROR;
		mkvm_vm_kill(vcpu->vm, "an entry of its shadow page table is malformed");
		return -EIO;
	}
	if (x86_paging_moved(vcpu)) {
		vcpu->cause = MKVM_CAUSE_MODE_CHANGE;
		return 1;
	}
	r = paging_refresh_pdptrs(vcpu);
	if (r)
		return r;
	x86_fetch(vcpu, X86_ST_CRS | X86_ST_RFLAGS);
	root = x86_gpt_root(vcpu);
	root.pdptr = vcpu->mmu.root.pdptr;
	fault.root = &root;
	outcome = mmu_handle_fault(&vcpu->mmu, &fault);
	if (paging_is_implicit(vcpu, &fault)) {
		root.smap = true;
		outcome = mmu_handle_fault(&vcpu->mmu, &fault);
	}
	vcpu->cause = fault.cause;
	return paging_outcome(vcpu, &fault, outcome);
}

/*
 * INVPCID.  Shadow tables are what the guest's are at all times, and what the processor has cached
 * of them is of the current PCID alone: each load of CR3 makes all go.  Where there are none the
 * processor executes it, if the guest has it.
 */
int x86_exit_invpcid(struct mkvm_vcpu *vcpu)
{
	if (!x86_is_shadowed(vcpu) || !x86_has(vcpu, FEAT_INVPCID))
		return x86_exit_ud(vcpu);
	x86_paging_exit(vcpu, MKVM_CAUSE_INVLPG);
	return x86_emulate(vcpu);
}

/* One instruction further: perhaps the vCPU can go over to its shadow tables. */
int x86_exit_stepped(struct mkvm_vcpu *vcpu)
{
	x86_paging_exit(vcpu, MKVM_CAUSE_MODE_CHANGE);
	return 1;
}
