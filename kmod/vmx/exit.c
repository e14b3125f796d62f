// SPDX-License-Identifier: GPL-2.0-only
/*
 * From an exit reason to the neutral handler.
 *
 * The basic reason is an index into a table of functions; what the table does not have ends KVM_RUN
 * with its number.  A function takes the exit qualification apart, no more: what the guest is told
 * is decided in x86/.
 */
#define pr_fmt(fmt) "mkvm: " fmt

#include <linux/nospec.h>
#include <linux/printk.h>
#include <asm/cpu.h>
#include <asm/cpufeature.h>
#include <asm/debugreg.h>
#include <asm/processor-flags.h>
#include <asm/trapnr.h>
#include "vmx/vmx.h"

/* MOV CR, CLTS, LMSW: bits 5:4 of the qualification */
enum cr_access {
	CR_MOV_TO,
	CR_MOV_FROM,
	CR_CLTS,
	CR_LMSW,
};

/* I/O instructions */
#define IO_SIZE(q) (((q)&7) + 1)
#define IO_IN	   BIT(3)
#define IO_STRING  BIT(4)
#define IO_PORT(q) ((u16)((q) >> 16))

/* EPT violations, and a full log */
#define EPT_UNBLOCKED_NMI BIT(12)

static unsigned int exit_len(void)
{
	return vmcs_read32(VM_EXIT_INSTRUCTION_LEN);
}

/*
 * IRET faulted after it had ended the blocking of NMIs: it will be executed again, and till then
 * they are blocked.  Not so if the exit came while an event was being delivered.
 */
static void exit_block_nmi_again(struct mkvm_vcpu *vcpu)
{
	if (vcpu->x86.exit.vectored.pending)
		return;
	x86_dirty(vcpu, X86_ST_SHADOW);
	vcpu->x86.nmi_masked = true;
}

static int exit_debug(struct mkvm_vcpu *vcpu)
{
	struct vmx_vcpu *vmx = to_vmx(vcpu);
	u64 bits = vcpu->x86.exit.info1 & (DR_TRAP_BITS | DR_STEP | DR6_BD);

	/* INT1 is the one debug exception whose exit leaves RIP at its instruction. */
	if ((vmx->intr_info & INTR_INFO_INTR_TYPE_MASK) == INTR_TYPE_PRIV_SW_EXCEPTION)
		x86_skip(vcpu, exit_len());

	/* With a shadow and TF, the next entry wants a single step to be pending: see state.c. */
	x86_fetch(vcpu, X86_ST_SHADOW | X86_ST_RFLAGS);
	if (vcpu->x86.shadow && (vcpu->x86.rflags & X86_EFLAGS_TF))
		x86_dirty(vcpu, X86_ST_SHADOW);
	return x86_exit_db(vcpu, bits);
}

/*
 * An alignment check is the guest's if it has asked for such; else the host watches for locked
 * accesses that cross a cache line, and warns of this one, slows it down, or sends SIGBUS.
 */
static int exit_alignment(struct mkvm_vcpu *vcpu)
{
	struct x86_vcpu *x = &vcpu->x86;

	x86_fetch(vcpu, X86_ST_CRS | X86_ST_RFLAGS | X86_ST_SEGS);
	if (!boot_cpu_has(X86_FEATURE_SPLIT_LOCK_DETECT) ||
	    ((x->cr0 & X86_CR0_AM) && (x->rflags & X86_EFLAGS_AC) && x->seg[X86_SS].dpl == 3))
		x86_raise_error(vcpu, X86_TRAP_AC, 0);
	else
		handle_guest_split_lock(x->exit.rip);
	return 1;
}

/* Shadow tables: CR2 is the guest's own still. */
static int exit_page_fault(struct mkvm_vcpu *vcpu)
{
	return x86_exit_page_fault(vcpu, vcpu->x86.exit.info1,
				   vmcs_read32(VM_EXIT_INTR_ERROR_CODE));
}

static int exit_exception(struct mkvm_vcpu *vcpu)
{
	u32 info = to_vmx(vcpu)->intr_info;

	if ((info & INTR_INFO_INTR_TYPE_MASK) == INTR_TYPE_NMI_INTR)
		return x86_exit_host(vcpu);
	if (info & INTR_INFO_UNBLOCK_NMI)
		exit_block_nmi_again(vcpu);

	switch (info & INTR_INFO_VECTOR_MASK) {
	case X86_TRAP_MC:
		return x86_exit_host(vcpu);
	case X86_TRAP_DB:
		return exit_debug(vcpu);
	case X86_TRAP_UD:
		return x86_exit_guest_ud(vcpu);
	case X86_TRAP_BP:
		return x86_exit_bp(vcpu);
	case X86_TRAP_AC:
		return exit_alignment(vcpu);
	case X86_TRAP_PF:
		return exit_page_fault(vcpu);
	default:
		return x86_exit_unknown(vcpu);
	}
}

static int exit_cpuid(struct mkvm_vcpu *vcpu)
{
	return x86_exit_cpuid(vcpu, exit_len());
}

static int exit_hlt(struct mkvm_vcpu *vcpu)
{
	return x86_exit_hlt(vcpu, exit_len());
}

static int exit_vmcall(struct mkvm_vcpu *vcpu)
{
	return x86_exit_hypercall(vcpu, exit_len());
}

static int exit_nop(struct mkvm_vcpu *vcpu)
{
	return x86_exit_nop(vcpu, exit_len());
}

static int exit_pause(struct mkvm_vcpu *vcpu)
{
	return x86_exit_pause(vcpu, exit_len());
}

static int exit_rdpmc(struct mkvm_vcpu *vcpu)
{
	x86_raise_error(vcpu, X86_TRAP_GP, 0);
	return 1;
}

static int exit_cr(struct mkvm_vcpu *vcpu)
{
	u64 q = vcpu->x86.exit.info1;
	int cr = q & 0xf, gpr = (q >> 8) & 0xf;

	switch ((enum cr_access)((q >> 4) & 3)) {
	case CR_MOV_TO:
		return x86_exit_mov_to_cr(vcpu, cr, gpr, exit_len());
	case CR_MOV_FROM:
		return x86_exit_mov_from_cr(vcpu, cr, gpr, exit_len());
	case CR_CLTS:
		return x86_exit_clts(vcpu, exit_len());
	case CR_LMSW:
		return x86_exit_lmsw(vcpu, q >> LMSW_SOURCE_DATA_SHIFT, exit_len());
	}
	return x86_exit_unknown(vcpu);
}

static int exit_dr(struct mkvm_vcpu *vcpu)
{
	u64 q = vcpu->x86.exit.info1;

	return x86_exit_mov_dr(vcpu, q & DEBUG_REG_ACCESS_NUM, DEBUG_REG_ACCESS_REG(q),
			       !(q & TYPE_MOV_FROM_DR), exit_len());
}

static int exit_io(struct mkvm_vcpu *vcpu)
{
	u64 q = vcpu->x86.exit.info1;

	if (q & IO_STRING)
		return x86_exit_io_string(vcpu, q & IO_IN, IO_SIZE(q));
	return x86_exit_io(vcpu, IO_PORT(q), IO_SIZE(q), q & IO_IN, exit_len());
}

static int exit_rdmsr(struct mkvm_vcpu *vcpu)
{
	return x86_exit_rdmsr(vcpu, exit_len());
}

static int exit_wrmsr(struct mkvm_vcpu *vcpu)
{
	return x86_exit_wrmsr(vcpu, exit_len());
}

static int exit_xsetbv(struct mkvm_vcpu *vcpu)
{
	return x86_exit_xsetbv(vcpu, exit_len());
}

/* Was it the walk of the guest's own tables? */
static bool exit_is_walk(u64 q)
{
	return (q & (EPT_VIOLATION_GVA_IS_VALID | EPT_VIOLATION_GVA_TRANSLATED)) ==
	       EPT_VIOLATION_GVA_IS_VALID;
}

static int exit_ept_violation(struct mkvm_vcpu *vcpu)
{
	u64 q = vcpu->x86.exit.info1;
	u32 access = 0;

	if (q & EPT_UNBLOCKED_NMI)
		exit_block_nmi_again(vcpu);
	if (q & EPT_VIOLATION_ACC_READ)
		access |= ACC_R;
	if (q & EPT_VIOLATION_ACC_WRITE)
		access |= ACC_W;
	if (q & EPT_VIOLATION_ACC_INSTR)
		access |= ACC_X;
	if (exit_is_walk(q)) {
		vcpu->x86.exit.walk = true;
		vcpu->x86.exit.gva = vmcs_read(GUEST_LINEAR_ADDRESS);
	}
	return x86_exit_tdp_fault(vcpu, vcpu->x86.exit.info2, access);
}

static int exit_ept_misconfig(struct mkvm_vcpu *vcpu)
{
	pr_err("EPT misconfiguration at guest-physical address %#llx\n", vcpu->x86.exit.info2);
	vcpu->cause = MKVM_CAUSE_HOST_ERROR;
	mkvm_vm_kill(vcpu->vm, "its EPT is malformed");
	return -EIO;
}

/* The write that found no room will be done again; the log has been drained at the exit. */
static int exit_log_full(struct mkvm_vcpu *vcpu)
{
	if (vcpu->x86.exit.info1 & EPT_UNBLOCKED_NMI)
		exit_block_nmi_again(vcpu);
	vcpu->cause = MKVM_CAUSE_LOG_FULL;
	return 1;
}

static int (*const exit_table[])(struct mkvm_vcpu *vcpu) = {
	[EXIT_REASON_EXCEPTION_NMI] = exit_exception,
	[EXIT_REASON_EXTERNAL_INTERRUPT] = x86_exit_host,
	[EXIT_REASON_TRIPLE_FAULT] = x86_exit_triple_fault,
	[EXIT_REASON_INTERRUPT_WINDOW] = x86_exit_host,
	[EXIT_REASON_NMI_WINDOW] = x86_exit_host,
	[EXIT_REASON_TASK_SWITCH] = x86_exit_emulate,
	[EXIT_REASON_CPUID] = exit_cpuid,
	[EXIT_REASON_HLT] = exit_hlt,
	[EXIT_REASON_INVD] = exit_nop,
	[EXIT_REASON_RDPMC] = exit_rdpmc,
	[EXIT_REASON_VMCALL] = exit_vmcall,
	[EXIT_REASON_VMCLEAR] = x86_exit_ud,
	[EXIT_REASON_VMLAUNCH] = x86_exit_ud,
	[EXIT_REASON_VMPTRLD] = x86_exit_ud,
	[EXIT_REASON_VMPTRST] = x86_exit_ud,
	[EXIT_REASON_VMREAD] = x86_exit_ud,
	[EXIT_REASON_VMRESUME] = x86_exit_ud,
	[EXIT_REASON_VMWRITE] = x86_exit_ud,
	[EXIT_REASON_VMOFF] = x86_exit_ud,
	[EXIT_REASON_VMON] = x86_exit_ud,
	[EXIT_REASON_CR_ACCESS] = exit_cr,
	[EXIT_REASON_DR_ACCESS] = exit_dr,
	[EXIT_REASON_IO_INSTRUCTION] = exit_io,
	[EXIT_REASON_MSR_READ] = exit_rdmsr,
	[EXIT_REASON_MSR_WRITE] = exit_wrmsr,
	[EXIT_REASON_MWAIT_INSTRUCTION] = exit_nop,
	[EXIT_REASON_TPR_BELOW_THRESHOLD] = x86_exit_host,
	[EXIT_REASON_APIC_ACCESS] = vmx_apic_exit_access,
	[EXIT_REASON_EOI_INDUCED] = vmx_apic_exit_eoi,
	[EXIT_REASON_APIC_WRITE] = vmx_apic_exit_write,
	[EXIT_REASON_MONITOR_TRAP_FLAG] = x86_exit_stepped,
	[EXIT_REASON_MONITOR_INSTRUCTION] = exit_nop,
	[EXIT_REASON_PAUSE_INSTRUCTION] = exit_pause,
	[EXIT_REASON_EPT_VIOLATION] = exit_ept_violation,
	[EXIT_REASON_EPT_MISCONFIG] = exit_ept_misconfig,
	[EXIT_REASON_INVEPT] = x86_exit_ud,
	[EXIT_REASON_INVVPID] = x86_exit_ud,
	[EXIT_REASON_WBINVD] = exit_nop,
	[EXIT_REASON_XSETBV] = exit_xsetbv,
	[EXIT_REASON_RDRAND] = x86_exit_ud,
	[EXIT_REASON_ENCLS] = x86_exit_ud,
	[EXIT_REASON_RDSEED] = x86_exit_ud,
	[EXIT_REASON_PML_FULL] = exit_log_full,
};

int vmx_handle_exit(struct mkvm_vcpu *vcpu)
{
	const struct x86_exit *exit = &vcpu->x86.exit;
	u32 basic = (u16)exit->reason;

	if (exit->entry_failed)
		return x86_exit_fail_entry(vcpu, exit->reason == VMX_REASON_VMFAIL ? exit->info1
										   : exit->reason);
	if (basic >= ARRAY_SIZE(exit_table))
		return x86_exit_unknown(vcpu);
	basic = array_index_nospec(basic, ARRAY_SIZE(exit_table));
	if (!exit_table[basic])
		return x86_exit_unknown(vcpu);
	return exit_table[basic](vcpu);
}

/* Basic reasons are small and dense; the last index is the entry that VMLAUNCH refused. */
u32 vmx_reason_index(u32 reason)
{
	return min_t(u32, (u16)reason, MKVM_NR_REASONS - 1);
}

u32 vmx_index_reason(u32 index)
{
	return index == MKVM_NR_REASONS - 1 ? VMX_REASON_VMFAIL : index;
}
