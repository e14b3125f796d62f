// SPDX-License-Identifier: GPL-2.0-only
/*
 * The decoder and the emulator of a vCPU.
 *
 * Bytes are fetched through the guest's own tables.  The guest may change them between the exit and
 * the fetch; what is found is therefore the caller's to check against the exit.  The emulator works
 * on copies of the registers, and memory is reached through the tables, the slots and the process.
 */
#include <linux/string.h>
#include <asm/fpu/api.h>
#include <asm/msr-index.h>
#include <asm/processor.h>
#include <asm/trapnr.h>
#include "guest_mem.h"
#include "mmu/mmu.h"
#include "x86/x86.h"

static enum gpt_mode guest_paging(const struct x86_vcpu *x86)
{
	if (!(x86->cr0 & X86_CR0_PG))
		return GPT_NONE;
	if (x86->efer & EFER_LMA)
		return GPT_LONG;
	return x86->cr4 & X86_CR4_PAE ? GPT_PAE : GPT_32;
}

/*
 * Where the processor walks the guest's tables, it takes pages of 1 GiB whether the guest was told
 * of them or not; where mkvm does, they are a feature like others.
 */
static bool guest_gbpages(const struct mkvm_vcpu *vcpu)
{
	return x86_has_shadow(vcpu) ? x86_has(vcpu, FEAT_GBPAGES)
				    : boot_cpu_has(X86_FEATURE_GBPAGES);
}

/* Whose rules are theirs?  The same holds. */
static bool guest_is_amd(const struct mkvm_vcpu *vcpu)
{
	return x86_has_shadow(vcpu) ? vcpu->x86.cpuid.amd : boot_cpu_has(X86_FEATURE_SVM);
}

/* The guest's tables and their rules.  CRS and RFLAGS are there. */
struct gpt_root x86_gpt_root(struct mkvm_vcpu *vcpu)
{
	const struct x86_vcpu *x86 = &vcpu->x86;
	struct gpt_root root = {
		.mode = guest_paging(x86),
		.cr3 = x86->cr3,
		.pse = x86->cr4 & X86_CR4_PSE,
		.gbpages = guest_gbpages(vcpu),
		.amd = guest_is_amd(vcpu),
		.wp = x86->cr0 & X86_CR0_WP,
		.nx = x86->efer & EFER_NX,
		.smep = x86->cr4 & X86_CR4_SMEP,
		.smap = x86->cr4 & X86_CR4_SMAP && !(x86->rflags & X86_EFLAGS_AC),
		.cr4_smap = x86->cr4 & X86_CR4_SMAP,
		/* User space may say what it likes. */
		.phys_bits = min_t(u8, x86->cpuid.phys_bits, 52),
	};

	if (root.mode == GPT_PAE && mkvm_vendor->pdptrs_are_state) {
		x86_fetch(vcpu, X86_ST_PDPTRS);
		root.pdptr = x86->pdptr;
	}
	return root;
}

static unsigned int code_bits(struct mkvm_vcpu *vcpu)
{
	if (x86_is_64bit(vcpu))
		return 64;
	return vcpu->x86.seg[X86_CS].db ? 32 : 16;
}

/* The linear address of the guest's RIP. */
static gva_t fetch_address(struct mkvm_vcpu *vcpu)
{
	x86_fetch(vcpu, X86_ST_RIP);
	if (x86_is_64bit(vcpu))
		return vcpu->x86.rip;
	return (u32)(vcpu->x86.seg[X86_CS].base + vcpu->x86.rip);
}

/* Up to 15 bytes at the guest's RIP; fewer if the next page is not there. */
void x86_insn_fetch(struct mkvm_vcpu *vcpu, struct x86_insn *insn)
{
	gva_t linear = fetch_address(vcpu);
	struct gpt_root root;

	memset(insn, 0, sizeof(*insn));
	x86_fetch(vcpu, X86_ST_CRS | X86_ST_RFLAGS);
	root = x86_gpt_root(vcpu);
	while (insn->nr_bytes < sizeof(insn->bytes)) {
		gva_t gva = linear + insn->nr_bytes;
		size_t n = min_t(size_t, sizeof(insn->bytes) - insn->nr_bytes,
				 PAGE_SIZE - offset_in_page(gva));
		gpa_t gpa = gpt_translate(&vcpu->vm->slots, &root, gva, false);

		if (gpa == GPA_NONE ||
		    guest_mem_read(&vcpu->vm->slots, gpa, insn->bytes + insn->nr_bytes, n))
			break;
		insn->nr_bytes += n;
	}
}

/*
 * Decodes the instruction at the guest's RIP.  The vCPU is loaded and the caller holds a read side
 * of the slots.  May sleep.  0, or -EINVAL: not in memory, or none that the table has.
 */
int x86_insn_decode(struct mkvm_vcpu *vcpu, struct x86_insn *insn)
{
	x86_insn_fetch(vcpu, insn);
	return insn_decode(insn, code_bits(vcpu)) == INSN_OK ? 0 : -EINVAL;
}

static struct mkvm_vcpu *emu_vcpu(struct emu *emu)
{
	return container_of(emu, struct mkvm_vcpu, x86.emu);
}

static enum emu_status emu_failed(struct emu *emu, int error)
{
	emu->error = error;
	return EMU_ERROR;
}

/* The slot at @gpa has nothing behind it. */
static enum emu_status emu_no_memory(struct emu *emu, u64 gpa)
{
	x86_tell_memory_fault(emu_vcpu(emu), gpa_to_gfn(gpa));
	return emu_failed(emu, -EFAULT);
}

static enum emu_status translate(struct emu *emu, const struct gpt_root *root, u64 linear, u32 acc,
				 u64 *gpa)
{
	u32 error;
	int r;

	r = gpt_access(&emu_vcpu(emu)->vm->slots, root, linear, acc, gpa, &error);
	if (r == -EAGAIN)
		return EMU_AGAIN;
	if (r < 0)
		return emu_failed(emu, r);
	if (!r)
		return EMU_OK;
	emu_raise(emu, X86_TRAP_PF, true, error);
	emu->fault.address = linear;
	return EMU_FAULT;
}

static u32 privilege(const struct emu *emu)
{
	return emu->cpl == 3 ? ACC_U : 0;
}

static enum emu_status vcpu_translate(struct emu *emu, u64 linear, u32 access, u64 *gpa)
{
	struct mkvm_vcpu *vcpu = emu_vcpu(emu);
	struct gpt_root root = x86_gpt_root(vcpu);
	u32 acc = access & EMU_W ? ACC_W : ACC_R;

	/* The processor's own accesses are not exempt from SMAP by RFLAGS.AC. */
	if (access & EMU_SYSTEM)
		root.smap = vcpu->x86.cr4 & X86_CR4_SMAP;
	else
		acc |= privilege(emu);
	return translate(emu, &root, linear, acc, gpa);
}

static enum emu_status vcpu_read(struct emu *emu, u64 gpa, void *data, unsigned int len)
{
	struct memslot_table *slots = &emu_vcpu(emu)->vm->slots;

	if (!memslot_find(memslots_get(slots), gpa_to_gfn(gpa)))
		return EMU_READ;
	return guest_mem_read(slots, gpa, data, len) ? emu_no_memory(emu, gpa) : EMU_OK;
}

static enum emu_status write_status(struct emu *emu, u64 gpa, int r)
{
	if (r == -ENOENT)
		return EMU_WRITE;
	if (r < 0)
		return emu_no_memory(emu, gpa);
	return r ? EMU_AGAIN : EMU_OK;
}

static enum emu_status vcpu_write(struct emu *emu, u64 gpa, const void *data, unsigned int len)
{
	return write_status(emu, gpa, guest_mem_write(&emu_vcpu(emu)->vm->slots, gpa, data, len));
}

static enum emu_status vcpu_exchange(struct emu *emu, u64 gpa, const void *old, const void *new,
				     unsigned int len)
{
	return write_status(emu, gpa,
			    guest_mem_exchange(&emu_vcpu(emu)->vm->slots, gpa, old, new, len));
}

/* What FXSAVE stores; the XMM registers begin at XMM_OFFSET. */
#define FXSAVE_SIZE 512
#define XMM_OFFSET  160
#define XMM_SIZE    16

/* The guest's registers are the processor's; no other user of them gets in between. */
static void xmm_lock(void)
{
	fpregs_lock();
	if (test_thread_flag(TIF_NEED_FPU_LOAD))
		switch_fpu_return();
}

static void vcpu_read_xmm(struct emu *emu, unsigned int reg, void *data)
{
	u8 area[FXSAVE_SIZE] __aligned(16);

	xmm_lock();
	asm volatile("fxsave64 %0" : "=m"(area));
	fpregs_unlock();
	memcpy(data, area + XMM_OFFSET + reg * XMM_SIZE, XMM_SIZE);
}

static void vcpu_write_xmm(struct emu *emu, unsigned int reg, const void *data)
{
	u8 area[FXSAVE_SIZE] __aligned(16);

	xmm_lock();
	asm volatile("fxsave64 %0" : "=m"(area));
	memcpy(area + XMM_OFFSET + reg * XMM_SIZE, data, XMM_SIZE);
	asm volatile("fxrstor64 %0" : : "m"(area));
	fpregs_unlock();
}

static const struct kvm_dtable *vcpu_gdt(struct emu *emu)
{
	struct mkvm_vcpu *vcpu = emu_vcpu(emu);

	x86_fetch(vcpu, X86_ST_TABLES);
	return &vcpu->x86.gdt;
}

/*
 * RIP moves on.  After a load of SS interrupts wait for one instruction more, and so does a single
 * step; of several loads in a row only the first has this effect.
 */
static void retire_jump(struct mkvm_vcpu *vcpu)
{
	struct emu *emu = &vcpu->x86.emu;

	x86_fetch(vcpu, X86_ST_SHADOW);
	if (!emu->shadow || vcpu->x86.shadow & KVM_X86_SHADOW_INT_MOV_SS) {
		x86_jump(vcpu, emu->rip);
		return;
	}
	x86_dirty(vcpu, X86_ST_RIP | X86_ST_SHADOW);
	vcpu->x86.rip = emu->rip;
	vcpu->x86.shadow = KVM_X86_SHADOW_INT_MOV_SS;
}

/*
 * An element of a repeated instruction, or all of one.  While elements are left an instruction
 * breakpoint on it is not hit again: it was when the first was due.
 */
static void vcpu_retire(struct emu *emu)
{
	struct mkvm_vcpu *vcpu = emu_vcpu(emu);

	x86_dirty(vcpu, X86_ST_RSP | X86_ST_RFLAGS);
	memcpy(vcpu->x86.gpr, emu->gpr, sizeof(emu->gpr));
	vcpu->x86.rflags = emu->rflags;
	if (emu->loaded_seg != EMU_NO_SEG) {
		x86_dirty(vcpu, X86_ST_SEGS);
		vcpu->x86.seg[emu->loaded_seg] = emu->loaded;
	}
	retire_jump(vcpu);
	vcpu->x86.rflags &= ~(u64)X86_EFLAGS_RF;
	if (emu->repeat)
		vcpu->x86.rflags |= X86_EFLAGS_RF;
	if (emu->invalidates)
		x86_flush_tlb(vcpu);
	if (emu->cr0 != vcpu->x86.cr0 && x86_set_cr0(vcpu, emu->cr0))
		x86_raise_error(vcpu, X86_TRAP_GP, 0);
	/* A debugger's step goes over all elements of a string instruction. */
	if (emu->repeat)
		vcpu->x86.debug.stepped = false;
}

static const struct emu_ops vcpu_emu_ops = {
	.translate = vcpu_translate,
	.read = vcpu_read,
	.write = vcpu_write,
	.exchange = vcpu_exchange,
	.read_xmm = vcpu_read_xmm,
	.write_xmm = vcpu_write_xmm,
	.gdt = vcpu_gdt,
	.retire = vcpu_retire,
};

/* CR0, RFLAGS and the segments are there. */
u8 x86_cpl(const struct x86_vcpu *x86)
{
	if (!(x86->cr0 & X86_CR0_PE))
		return 0;
	return x86->rflags & X86_EFLAGS_VM ? 3 : x86->seg[X86_SS].dpl;
}

/* Makes the emulator's registers the vCPU's. */
void x86_emu_load(struct mkvm_vcpu *vcpu)
{
	struct x86_vcpu *x86 = &vcpu->x86;
	struct emu *emu = &x86->emu;

	x86_fetch(vcpu, X86_ST_RIP | X86_ST_RSP | X86_ST_RFLAGS | X86_ST_SEGS | X86_ST_CRS);
	emu->ops = &vcpu_emu_ops;
	memcpy(emu->gpr, x86->gpr, sizeof(emu->gpr));
	emu->rip = x86->rip;
	emu->rflags = x86->rflags;
	emu->cr0 = x86->cr0;
	emu->cr4 = x86->cr4;
	emu->seg = x86->seg;
	emu->bits = code_bits(vcpu);
	emu->cpl = x86_cpl(x86);
	emu->va_bits = 48;
	emu->long_mode = x86->efer & EFER_LMA;
	emu->port_granted = false;
	/* An instruction may be retired without emu_start(): a batch of port data. */
	emu->loaded_seg = EMU_NO_SEG;
	emu->shadow = false;
	emu->invalidates = false;
}

/* The fetch of the byte that was not there: is that a page fault of the guest's? */
static enum emu_status missing_byte(struct mkvm_vcpu *vcpu)
{
	struct emu *emu = &vcpu->x86.emu;
	gva_t gva = fetch_address(vcpu) + emu->insn.nr_bytes;
	enum emu_status status;
	struct gpt_root root;
	u64 gpa;

	if (emu->bits != 64)
		gva = (u32)gva;
	root = x86_gpt_root(vcpu);
	status = translate(emu, &root, gva, ACC_X | privilege(emu), &gpa);
	return status ? status : EMU_UNKNOWN;
}

/* Fetches the instruction at RIP and starts to execute it. */
enum emu_status x86_emu_start(struct mkvm_vcpu *vcpu)
{
	struct emu *emu = &vcpu->x86.emu;
	enum emu_status status;

	x86_emu_load(vcpu);
	x86_insn_fetch(vcpu, &emu->insn);
	status = emu_start(emu);
	if (status == EMU_UNKNOWN && !emu->insn.row && emu->insn.nr_bytes < INSN_MAX_LEN &&
	    insn_decode(&emu->insn, emu->bits) == INSN_SHORT)
		return missing_byte(vcpu);
	return status;
}
