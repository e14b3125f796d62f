// SPDX-License-Identifier: GPL-2.0-only
/*
 * What an exit means, once the vendor's room has taken the hardware's report apart.
 */
#include <linux/mkvm_kvm.h>
#include <linux/nospec.h>
#include <linux/sched/signal.h>
#include <linux/string.h>
#include <asm/trapnr.h>
#include "mmu/mmu.h"
#include "x86/x86.h"

/* The page at @gfn is why KVM_RUN fails. */
void x86_tell_memory_fault(struct mkvm_vcpu *vcpu, gfn_t gfn)
{
	struct mkvm_memory_fault *info = (void *)vcpu->run->padding;

	vcpu->run->exit_reason = KVM_EXIT_MEMORY_FAULT;
	*info = (struct mkvm_memory_fault){ .gpa = gfn_to_gpa(gfn), .size = PAGE_SIZE };
}

/* The instruction is done, or was not legal. */
static int exit_done(struct mkvm_vcpu *vcpu, int error, unsigned int len)
{
	if (error)
		x86_raise_error(vcpu, X86_TRAP_GP, 0);
	else
		x86_skip(vcpu, len);
	return 1;
}

/* With its local APIC in the kernel the vCPU waits there. */
int x86_exit_hlt(struct mkvm_vcpu *vcpu, unsigned int len)
{
	x86_skip(vcpu, len);
	if (vcpu->lapic) {
		vcpu->x86.mp_state = KVM_MP_STATE_HALTED;
		return 1;
	}
	vcpu->run->exit_reason = KVM_EXIT_HLT;
	return 0;
}

int x86_exit_nop(struct mkvm_vcpu *vcpu, unsigned int len)
{
	x86_skip(vcpu, len);
	return 1;
}

int x86_exit_ud(struct mkvm_vcpu *vcpu)
{
	x86_raise(vcpu, X86_TRAP_UD);
	return 1;
}

int x86_exit_host(struct mkvm_vcpu *vcpu)
{
	return 1;
}

static u64 gpr_read(struct mkvm_vcpu *vcpu, int gpr)
{
	if (gpr == X86_RSP)
		x86_fetch(vcpu, X86_ST_RSP);
	return x86_is_64bit(vcpu) ? vcpu->x86.gpr[gpr] : (u32)vcpu->x86.gpr[gpr];
}

static void gpr_write(struct mkvm_vcpu *vcpu, int gpr, u64 value)
{
	if (gpr == X86_RSP)
		x86_dirty(vcpu, X86_ST_RSP);
	vcpu->x86.gpr[gpr] = x86_is_64bit(vcpu) ? value : (u32)value;
}

/* Interrupts that user space holds back may have become possible: it is told. */
static int exit_cr8(struct mkvm_vcpu *vcpu, u64 value, unsigned int len)
{
	u64 before = vcpu->x86.cr8;
	int r = exit_done(vcpu, x86_set_cr8(vcpu, value), len);

	if (vcpu->x86.cr8 >= before || vcpu->lapic)
		return r;
	vcpu->run->exit_reason = KVM_EXIT_SET_TPR;
	return 0;
}

int x86_exit_mov_to_cr(struct mkvm_vcpu *vcpu, int cr, int gpr, unsigned int len)
{
	u64 value = gpr_read(vcpu, gpr);

	switch (cr) {
	case 0:
		return exit_done(vcpu, x86_set_cr0(vcpu, value), len);
	case 3:
		x86_paging_exit(vcpu, MKVM_CAUSE_CR3);
		return exit_done(vcpu, x86_set_cr3(vcpu, value), len);
	case 4:
		return exit_done(vcpu, x86_set_cr4(vcpu, value), len);
	case 8:
		return exit_cr8(vcpu, value, len);
	default:
		return x86_exit_ud(vcpu);
	}
}

int x86_exit_mov_from_cr(struct mkvm_vcpu *vcpu, int cr, int gpr, unsigned int len)
{
	x86_fetch(vcpu, X86_ST_CRS);
	switch (cr) {
	case 0:
		gpr_write(vcpu, gpr, vcpu->x86.cr0);
		break;
	case 3:
		x86_paging_exit(vcpu, MKVM_CAUSE_CR3);
		gpr_write(vcpu, gpr, vcpu->x86.cr3);
		break;
	case 4:
		gpr_write(vcpu, gpr, vcpu->x86.cr4);
		break;
	case 8:
		gpr_write(vcpu, gpr, vcpu->x86.cr8);
		break;
	default:
		return x86_exit_ud(vcpu);
	}
	return exit_done(vcpu, 0, len);
}

int x86_exit_clts(struct mkvm_vcpu *vcpu, unsigned int len)
{
	x86_fetch(vcpu, X86_ST_CRS);
	return exit_done(vcpu, x86_set_cr0(vcpu, vcpu->x86.cr0 & ~(u64)X86_CR0_TS), len);
}

int x86_exit_lmsw(struct mkvm_vcpu *vcpu, u16 msw, unsigned int len)
{
	x86_fetch(vcpu, X86_ST_CRS);
	return exit_done(vcpu, x86_set_cr0(vcpu, emu_lmsw(vcpu->x86.cr0, msw)), len);
}

/*
 * MOV to or from a debug register: DR4 and DR5 are DR6 and DR7 unless CR4.DE makes them undefined;
 * with DR7.GD any access is a debug exception.
 */
int x86_exit_mov_dr(struct mkvm_vcpu *vcpu, int dr, int gpr, bool to_dr, unsigned int len)
{
	struct x86_vcpu *x86 = &vcpu->x86;
	u64 value;

	x86_fetch(vcpu, X86_ST_DRS | X86_ST_CRS | X86_ST_SEGS);
	if (dr == 4 || dr == 5) {
		if (x86->cr4 & X86_CR4_DE)
			return x86_exit_ud(vcpu);
		dr += 2;
	}
	dr = array_index_nospec(dr, 8);
	/* Privilege comes before the exit on both vendors, but for real-mode code there is none. */
	if (x86_dr7(x86) & DR7_GD)
		return x86_exit_general_detect(vcpu);
	if (!to_dr) {
		gpr_write(vcpu, gpr, dr < 4 ? x86->dr[dr] : dr == 6 ? x86->dr6 : x86->dr7);
		return exit_done(vcpu, 0, len);
	}
	value = gpr_read(vcpu, gpr);
	if (dr >= 6 && value >> 32)
		return exit_done(vcpu, -EINVAL, len);
	x86_dirty(vcpu, X86_ST_DRS);
	if (dr < 4)
		x86->dr[dr] = value;
	else if (dr == 6)
		x86->dr6 = (value & DR6_WRITABLE) | DR6_FIXED_1;
	else
		x86->dr7 = (value & DR7_WRITABLE) | DR7_ALWAYS_1;
	return exit_done(vcpu, 0, len);
}

int x86_exit_xsetbv(struct mkvm_vcpu *vcpu, unsigned int len)
{
	const u64 *gpr = vcpu->x86.gpr;
	u64 value = (u32)gpr[X86_RAX] | gpr[X86_RDX] << 32;
	bool legal;

	x86_fetch(vcpu, X86_ST_CRS | X86_ST_SEGS);
	if (!(vcpu->x86.cr4 & X86_CR4_OSXSAVE))
		return x86_exit_ud(vcpu);
	legal = !(u32)gpr[X86_RCX] && !vcpu->x86.seg[X86_SS].dpl;
	return exit_done(vcpu, legal ? x86_set_xcr0(vcpu, value) : -EINVAL, len);
}

/* Nothing that was on its way goes on: it is what the processor has died of. */
int x86_exit_triple_fault(struct mkvm_vcpu *vcpu)
{
	x86_event_reset(vcpu);
	vcpu->run->exit_reason = KVM_EXIT_SHUTDOWN;
	return 0;
}

int x86_exit_fail_entry(struct mkvm_vcpu *vcpu, u64 hardware_reason)
{
	vcpu->run->exit_reason = KVM_EXIT_FAIL_ENTRY;
	vcpu->run->fail_entry.hardware_entry_failure_reason = hardware_reason;
	vcpu->run->fail_entry.cpu = vcpu->cpu;
	return 0;
}

int x86_exit_unknown(struct mkvm_vcpu *vcpu)
{
	struct kvm_run *run = vcpu->run;

	run->exit_reason = KVM_EXIT_INTERNAL_ERROR;
	run->internal.suberror = KVM_INTERNAL_ERROR_UNEXPECTED_EXIT_REASON;
	run->internal.ndata = 2;
	run->internal.data[0] = vcpu->x86.exit.reason;
	run->internal.data[1] = vcpu->cpu;
	return 0;
}

/* The instruction's bytes, as far as there are any, with their size: the words behind the flags. */
static unsigned int exit_tell_insn(struct mkvm_vcpu *vcpu)
{
	struct kvm_run *run = vcpu->run;
	struct x86_insn insn;

	x86_insn_fetch(vcpu, &insn);
	if (!insn.nr_bytes)
		return 0;
	run->emulation_failure.flags = KVM_INTERNAL_ERROR_EMULATION_FLAG_INSTRUCTION_BYTES;
	run->emulation_failure.insn_size = insn.nr_bytes;
	memcpy(run->emulation_failure.insn_bytes, insn.bytes, insn.nr_bytes);
	return 2;
}

/* The flags are always told.  What follows what they name tells of the exit, for people to read. */
int x86_exit_emulate(struct mkvm_vcpu *vcpu)
{
	const struct x86_exit *exit = &vcpu->x86.exit;
	struct kvm_run *run = vcpu->run;
	unsigned int n = 1;

	run->exit_reason = KVM_EXIT_INTERNAL_ERROR;
	memset(&run->emulation_failure, 0, sizeof(run->emulation_failure));
	run->emulation_failure.suberror = KVM_INTERNAL_ERROR_EMULATION;
	n += exit_tell_insn(vcpu);
	run->internal.data[n++] = exit->reason;
	run->internal.data[n++] = exit->info1;
	run->internal.data[n++] = exit->info2;
	run->internal.ndata = n;
	return 0;
}

int x86_exit_delivery(struct mkvm_vcpu *vcpu)
{
	const struct x86_exit *exit = &vcpu->x86.exit;
	struct kvm_run *run = vcpu->run;

	run->exit_reason = KVM_EXIT_INTERNAL_ERROR;
	run->internal.suberror = KVM_INTERNAL_ERROR_DELIVERY_EV;
	run->internal.ndata = 5;
	run->internal.data[0] = exit->vectored.vector | exit->vectored.type << 8 |
				exit->vectored.has_error << 11 | BIT(31);
	run->internal.data[1] = exit->reason;
	run->internal.data[2] = exit->info1;
	run->internal.data[3] = exit->info2;
	run->internal.data[4] = vcpu->cpu;
	return 0;
}

/*
 * The host has no frame for the guest's access: user space learns where, with the errno.  Broken
 * memory is the thread's to deal with as if it had touched it itself: it gets a signal, and the
 * guest tries again after that.  A thread that does not want the signal gets the errno.
 */
int x86_exit_memory_fault(struct mkvm_vcpu *vcpu, const struct mmu_fault *fault)
{
	gfn_t gfn = gpa_to_gfn(fault->gpa);

	if (fault->error == -EHWPOISON) {
		send_sig_mceerr(BUS_MCEERR_AR, (void __user *)memslot_hva(fault->slot, gfn),
				PAGE_SHIFT, current);
		if (signal_pending(current))
			return 1;
	}
	if (fault->error == -EFAULT || fault->error == -EHWPOISON)
		x86_tell_memory_fault(vcpu, gfn);
	return fault->error;
}

int x86_exit_tdp_fault(struct mkvm_vcpu *vcpu, gpa_t gpa, u32 access)
{
	struct mmu_fault fault = { .gpa = gpa, .gva = gpa, .access = access };
	enum mmu_outcome outcome;

	if (x86_paging_moved(vcpu)) {
		vcpu->cause = MKVM_CAUSE_MODE_CHANGE;
		return 1;
	}
	outcome = mmu_handle_fault(&vcpu->mmu, &fault);
	vcpu->cause = fault.cause;
	switch (outcome) {
	case MMU_RESUME:
		return 1;
	case MMU_MMIO:
		return x86_emulate(vcpu);
	case MMU_FAILED:
		return x86_exit_memory_fault(vcpu, &fault);
	case MMU_EMULATE:
		return x86_exit_tracked(vcpu, &fault);
	default:
		vcpu->cause = MKVM_CAUSE_HOST_ERROR;
		mkvm_vm_kill(vcpu->vm, "the second table reflected a fault to the guest");
		return -EIO;
	}
}
