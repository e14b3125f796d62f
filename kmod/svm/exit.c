// SPDX-License-Identifier: GPL-2.0-only
/*
 * What an exit from guest mode means: a row of the table for each exit code, which leads to a
 * handler that both vendors share.
 *
 * An intercepted instruction has not been executed, and RIP stands at it.  A processor with
 * next-RIP save tells where the next one begins; on others, and for the operands where there are no
 * decode assists, the instruction is read from the guest's memory.  Another vCPU may have changed
 * it since: what is found there need not be what was intercepted.
 */
#include <linux/nospec.h>
#include <linux/percpu.h>
#include <asm/processor.h>
#include <asm/debugreg.h>
#include <asm/mce.h>
#include <asm/trapnr.h>
#include "svm/svm.h"

/* EXITINFO1 of an intercepted MOV CR; clear: CLTS, LMSW or SMSW */
#define EXIT_CR_VALID BIT_ULL(63)
#define EXIT_GPR      0xf
/* Exit code of an access to CRn or DRn */
#define EXIT_REG       0xf
#define EXIT_REG_WRITE 0x10

/* EXITINFO1 of a nested page fault */
#define EXIT_NPF_WRITE	  BIT_ULL(1)
#define EXIT_NPF_RESERVED BIT_ULL(3)
#define EXIT_NPF_FETCH	  BIT_ULL(4)

#define EXIT_MAX_INSN 15

/*
 * DR6: what a #DB is about; each of these is reported by a bit that is set.  A bus lock is reported
 * by one that is clear.  Guests are not offered that: it is the host's.
 */
#define EXIT_DR6_CAUSES (DR_TRAP_BITS | DR_STEP | DR_SWITCH | BIT(13))

/*
 * Exit codes made dense: 0 to 0xff as they are, from 0x400 on behind them, all that no processor
 * should report together (under the code that the manual leaves to software), and the refusal.
 */
#define EXIT_NR_LOW	   0x100u
#define EXIT_HIGH	   SVM_EXIT_NPF
#define EXIT_INDEX_REFUSED (MKVM_NR_REASONS - 1)
#define EXIT_INDEX_OTHER   (MKVM_NR_REASONS - 2)
#define EXIT_OTHER	   SVM_EXIT_SW
#define EXIT_INDEX(code)   ((code) < EXIT_NR_LOW ? (code) : EXIT_NR_LOW - EXIT_HIGH + (code))

u32 svm_exit_reason_index(u32 reason)
{
	if (reason == SVM_REFUSED)
		return EXIT_INDEX_REFUSED;
	if (reason >= EXIT_NR_LOW && reason < EXIT_HIGH)
		return EXIT_INDEX_OTHER;
	return min_t(u32, EXIT_INDEX(reason), EXIT_INDEX_OTHER);
}

u32 svm_exit_index_reason(u32 index)
{
	if (index == EXIT_INDEX_REFUSED)
		return SVM_REFUSED;
	if (index == EXIT_INDEX_OTHER)
		return EXIT_OTHER;
	return index < EXIT_NR_LOW ? index : index - EXIT_NR_LOW + EXIT_HIGH;
}

static int exit_db(struct mkvm_vcpu *vcpu)
{
	struct svm_vcpu *svm = to_svm(vcpu);
	u64 causes = svm->vmcb->save.dr6 & EXIT_DR6_CAUSES;

	/* The step was the module's own; DR6 tells the guest nothing of it. */
	if (svm->stepped) {
		causes &= ~(u64)DR_STEP;
		vcpu->x86.dr6 = svm->step_dr6;
	}
	return causes ? x86_exit_db(vcpu, causes) : x86_exit_host(vcpu);
}

static int exit_ac(struct mkvm_vcpu *vcpu)
{
	x86_raise_error(vcpu, X86_TRAP_AC, 0);
	return 1;
}

static int exit_rdpmc(struct mkvm_vcpu *vcpu)
{
	x86_raise_error(vcpu, X86_TRAP_GP, 0);
	return 1;
}

/* Bytes of the instruction at RIP if the processor tells, else 0. */
static unsigned int exit_insn_len(struct mkvm_vcpu *vcpu)
{
	const struct vmcb_control_area *control = &to_svm(vcpu)->vmcb->control;

	if (!svm_caps_nrips() || !control->next_rip)
		return 0;
	/* IP may wrap in between: the distance is right all the same. */
	return (control->next_rip - vcpu->x86.exit.rip) & EXIT_MAX_INSN;
}

/* SMSW reads the low word of CR0, into a 32-bit register all that is there. */
static int exit_smsw(struct mkvm_vcpu *vcpu, const struct x86_insn *insn)
{
	struct x86_vcpu *x86 = &vcpu->x86;
	bool code16 = !x86_is_64bit(vcpu) && !x86->seg[X86_CS].db;
	u64 *gpr = &x86->gpr[insn->rm];

	if (insn->is_mem)
		return x86_emulate(vcpu);
	x86_fetch(vcpu, X86_ST_CRS);
	x86_dirty(vcpu, X86_ST_RSP);
	*gpr = code16 != insn->opsize_prefix ? (*gpr & ~0xffffull) | (u16)x86->cr0 : (u32)x86->cr0;
	x86_skip(vcpu, insn->len);
	return 1;
}

static int exit_lmsw(struct mkvm_vcpu *vcpu, const struct x86_insn *insn)
{
	if (insn->is_mem)
		return x86_emulate(vcpu);
	x86_fetch(vcpu, X86_ST_RSP);
	return x86_exit_lmsw(vcpu, vcpu->x86.gpr[insn->rm], insn->len);
}

static int exit_cr_write(struct mkvm_vcpu *vcpu, int cr, const struct x86_insn *insn)
{
	/* A user's SMSW is a read that exits; what has come in its place is not for users. */
	if (x86_cpl(&vcpu->x86))
		return 1;
	if (insn->opcode[1] == 0x22)
		return x86_exit_mov_to_cr(vcpu, cr, insn->rm, insn->len);
	if (insn->opcode[1] == 0x06)
		return x86_exit_clts(vcpu, insn->len);
	if (insn->opcode[1] == 0x01 && (insn->modrm >> 3 & 7) == 6)
		return exit_lmsw(vcpu, insn);
	return 1;
}

static int exit_cr_read(struct mkvm_vcpu *vcpu, int cr, const struct x86_insn *insn)
{
	if (insn->opcode[1] == 0x20 && !x86_cpl(&vcpu->x86))
		return x86_exit_mov_from_cr(vcpu, cr, insn->rm, insn->len);
	if (insn->opcode[1] == 0x01 && (insn->modrm >> 3 & 7) == 4)
		return exit_smsw(vcpu, insn);
	return 1;
}

/* Another vCPU may have changed the instruction since: what did not exit is executed again. */
static int exit_cr_decoded(struct mkvm_vcpu *vcpu, int cr, const struct x86_insn *insn)
{
	x86_fetch(vcpu, X86_ST_SEGS);
	if (insn->opcode[0] != 0x0f)
		return 1;
	return vcpu->x86.exit.reason & EXIT_REG_WRITE ? exit_cr_write(vcpu, cr, insn)
						      : exit_cr_read(vcpu, cr, insn);
}

/* MOV CR, and for CR0 also CLTS, LMSW and SMSW. */
static int exit_cr(struct mkvm_vcpu *vcpu)
{
	int cr = vcpu->x86.exit.reason & EXIT_REG;
	u64 info = vcpu->x86.exit.info1;
	unsigned int len = exit_insn_len(vcpu);
	struct x86_insn insn;

	if (svm_caps_decode_assists() && len && info & EXIT_CR_VALID) {
		if (vcpu->x86.exit.reason & EXIT_REG_WRITE)
			return x86_exit_mov_to_cr(vcpu, cr, info & EXIT_GPR, len);
		return x86_exit_mov_from_cr(vcpu, cr, info & EXIT_GPR, len);
	}
	if (x86_insn_decode(vcpu, &insn))
		return x86_exit_emulate(vcpu);
	/* A LOCK prefix makes CR8 of CR0: the exit code says which it was, the bytes do not. */
	return exit_cr_decoded(vcpu, cr, &insn);
}

/*
 * Who writes one debug register writes more of them: until the next exit the whole set is the
 * guest's.  Not so while a breakpoint is enabled: QEMU 7.2 dies of a MOV DR in the guest when it
 * was VMRUN that enabled one.
 */
static int exit_dr(struct mkvm_vcpu *vcpu)
{
	u32 reason = vcpu->x86.exit.reason;
	bool to_dr = reason & EXIT_REG_WRITE;
	unsigned int len = exit_insn_len(vcpu);
	int gpr = vcpu->x86.exit.info1 & EXIT_GPR;
	struct x86_insn insn;

	x86_fetch(vcpu, X86_ST_DRS);
	if (!x86_dr_in_use(vcpu) && !vcpu->x86.debug.control && !(vcpu->x86.dr7 & DR7_GD)) {
		to_svm(vcpu)->drs_open = true;
		return 1;
	}
	if (!svm_caps_decode_assists() || !len) {
		if (x86_insn_decode(vcpu, &insn))
			return x86_exit_emulate(vcpu);
		if (insn.opcode[0] != 0x0f || insn.opcode[1] != (to_dr ? 0x23 : 0x21))
			return 1;
		len = insn.len;
		gpr = insn.rm;
	}
	return x86_exit_mov_dr(vcpu, reason & EXIT_REG, gpr, to_dr, len);
}

static int exit_msr(struct mkvm_vcpu *vcpu, unsigned int len)
{
	return vcpu->x86.exit.info1 ? x86_exit_wrmsr(vcpu, len) : x86_exit_rdmsr(vcpu, len);
}

static int exit_io(struct mkvm_vcpu *vcpu)
{
	u32 info = vcpu->x86.exit.info1;
	unsigned int size = (info & SVM_IOIO_SIZE_MASK) >> SVM_IOIO_SIZE_SHIFT;
	/* EXITINFO2 is the next RIP, on every processor. */
	unsigned int len = (vcpu->x86.exit.info2 - vcpu->x86.exit.rip) & EXIT_MAX_INSN;

	if (info & SVM_IOIO_STR_MASK)
		return x86_exit_io_string(vcpu, info & SVM_IOIO_TYPE_MASK, size);
	return x86_exit_io(vcpu, info >> 16, size, info & SVM_IOIO_TYPE_MASK, len);
}

/* The handler of an NMI is about to return: the mask goes when the guest is seen elsewhere. */
static int exit_iret(struct mkvm_vcpu *vcpu)
{
	struct svm_vcpu *svm = to_svm(vcpu);

	svm->iret_seen = true;
	svm->iret_rip = vcpu->x86.exit.rip;
	svm_intercept_clear(svm->vmcb, INTERCEPT_IRET);
	return 1;
}

static int exit_npf(struct mkvm_vcpu *vcpu)
{
	u64 error = vcpu->x86.exit.info1;
	u32 access = ACC_R;

	if (error & EXIT_NPF_RESERVED) {
		vcpu->cause = MKVM_CAUSE_HOST_ERROR;
		mkvm_vm_kill(vcpu->vm, "an entry of its nested page table is malformed");
		return -EIO;
	}
	if (error & EXIT_NPF_WRITE)
		access = ACC_W;
	else if (error & EXIT_NPF_FETCH)
		access = ACC_X;
	return x86_exit_tdp_fault(vcpu, vcpu->x86.exit.info2, access);
}

/* Shadow tables: CR2 of the exit is the processor's to tell, the guest's own stays as it was. */
static int exit_pf(struct mkvm_vcpu *vcpu)
{
	return x86_exit_page_fault(vcpu, vcpu->x86.exit.info2, vcpu->x86.exit.info1);
}

/**
 * struct exit_row - who handles an exit
 * @handle: knows all that it needs, or
 * @insn: needs the length of the intercepted instruction
 */
struct exit_row {
	int (*handle)(struct mkvm_vcpu *vcpu);
	int (*insn)(struct mkvm_vcpu *vcpu, unsigned int len);
};

#define EXIT_EXCP(vector) (SVM_EXIT_EXCP_BASE + (vector))

static const struct exit_row exit_rows[] = {
	[SVM_EXIT_READ_CR0] = { .handle = exit_cr },
	[SVM_EXIT_READ_CR3] = { .handle = exit_cr },
	[SVM_EXIT_READ_CR4] = { .handle = exit_cr },
	[SVM_EXIT_READ_CR8] = { .handle = exit_cr },
	[SVM_EXIT_WRITE_CR0] = { .handle = exit_cr },
	[SVM_EXIT_WRITE_CR3] = { .handle = exit_cr },
	[SVM_EXIT_WRITE_CR4] = { .handle = exit_cr },
	[SVM_EXIT_WRITE_CR8] = { .handle = exit_cr },
	[SVM_EXIT_READ_DR0... SVM_EXIT_READ_DR7] = { .handle = exit_dr },
	[SVM_EXIT_WRITE_DR0... SVM_EXIT_WRITE_DR7] = { .handle = exit_dr },
	[EXIT_EXCP(X86_TRAP_DB)] = { .handle = exit_db },
	[EXIT_EXCP(X86_TRAP_UD)] = { .handle = x86_exit_guest_ud },
	[EXIT_EXCP(X86_TRAP_PF)] = { .handle = exit_pf },
	[EXIT_EXCP(X86_TRAP_BP)] = { .handle = x86_exit_bp },
	[EXIT_EXCP(X86_TRAP_AC)] = { .handle = exit_ac },
	/* The host's own: taken when GIF was set again, or soon: see svm_exit_irqoff(). */
	[EXIT_EXCP(X86_TRAP_MC)] = { .handle = x86_exit_host },
	[SVM_EXIT_INTR] = { .handle = x86_exit_host },
	[SVM_EXIT_NMI] = { .handle = x86_exit_host },
	[SVM_EXIT_SMI] = { .handle = x86_exit_host },
	[SVM_EXIT_INIT] = { .handle = x86_exit_host },
	[SVM_EXIT_VINTR] = { .handle = x86_exit_host },
	[SVM_EXIT_RDPMC] = { .handle = exit_rdpmc },
	[SVM_EXIT_CPUID] = { .insn = x86_exit_cpuid },
	[SVM_EXIT_IRET] = { .handle = exit_iret },
	[SVM_EXIT_INVD] = { .insn = x86_exit_nop },
	[SVM_EXIT_HLT] = { .insn = x86_exit_hlt },
	[SVM_EXIT_TASK_SWITCH] = { .handle = x86_exit_emulate },
	[SVM_EXIT_INVPCID] = { .handle = x86_exit_invpcid },
	[SVM_EXIT_INVLPG] = { .insn = x86_exit_invlpg },
	[SVM_EXIT_INVLPGA] = { .handle = x86_exit_ud },
	[SVM_EXIT_IOIO] = { .handle = exit_io },
	[SVM_EXIT_MSR] = { .insn = exit_msr },
	/*
	 * The manual leaves the guest's state undefined after a shutdown.  It stays as the
	 * processor left it, which tells where the guest died; who goes on sets it anew.
	 */
	[SVM_EXIT_SHUTDOWN] = { .handle = x86_exit_triple_fault },
	[SVM_EXIT_VMRUN] = { .handle = x86_exit_ud },
	[SVM_EXIT_VMMCALL] = { .insn = x86_exit_hypercall },
	[SVM_EXIT_VMLOAD] = { .handle = x86_exit_ud },
	[SVM_EXIT_VMSAVE] = { .handle = x86_exit_ud },
	[SVM_EXIT_STGI] = { .handle = x86_exit_ud },
	[SVM_EXIT_CLGI] = { .handle = x86_exit_ud },
	[SVM_EXIT_SKINIT] = { .handle = x86_exit_ud },
	[SVM_EXIT_RDTSCP] = { .handle = x86_exit_ud },
	[SVM_EXIT_WBINVD] = { .insn = x86_exit_nop },
	[SVM_EXIT_PAUSE] = { .insn = x86_exit_pause },
	[SVM_EXIT_MONITOR] = { .insn = x86_exit_nop },
	[SVM_EXIT_MWAIT] = { .insn = x86_exit_nop },
	[SVM_EXIT_XSETBV] = { .insn = x86_exit_xsetbv },
	[SVM_EXIT_RDPRU] = { .handle = x86_exit_ud },
	[EXIT_INDEX(SVM_EXIT_NPF)] = { .handle = exit_npf },
};

static int exit_insn(struct mkvm_vcpu *vcpu, const struct exit_row *row)
{
	unsigned int len = exit_insn_len(vcpu);
	struct x86_insn insn;

	if (!len) {
		if (x86_insn_decode(vcpu, &insn))
			return x86_exit_emulate(vcpu);
		len = insn.len;
	}
	return row->insn(vcpu, len);
}

int svm_exit_handle(struct mkvm_vcpu *vcpu)
{
	u32 index = svm_exit_reason_index(vcpu->x86.exit.reason);
	const struct exit_row *row;

	if (vcpu->x86.exit.entry_failed)
		return x86_exit_fail_entry(vcpu, vcpu->x86.exit.reason);
	if (index >= ARRAY_SIZE(exit_rows))
		return x86_exit_unknown(vcpu);
	row = &exit_rows[array_index_nospec(index, ARRAY_SIZE(exit_rows))];
	if (row->handle)
		return row->handle(vcpu);
	return row->insn ? exit_insn(vcpu, row) : x86_exit_unknown(vcpu);
}

/*
 * Interrupts off.  An NMI has been taken already, when the global interrupt flag was set again.  An
 * intercepted machine check has not: the host's handler is told that it hit user mode, which is
 * what a guest is to it.
 */
void svm_exit_irqoff(struct mkvm_vcpu *vcpu)
{
	struct pt_regs regs = { .cs = 3, .flags = X86_EFLAGS_IF };

	if (vcpu->x86.exit.reason == EXIT_EXCP(X86_TRAP_MC))
		do_machine_check(&regs);
}
