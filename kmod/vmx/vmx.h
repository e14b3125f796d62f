/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Intel VMX: the vCPU's structure, and what the files of this room offer each other.
 *
 * A VMCS is "current" on a processor while VMREAD and VMWRITE reach it, "loaded" on a processor as
 * long as that one may hold parts of it in its caches (from VMPTRLD to VMCLEAR), and "launched"
 * once a VM entry with it has succeeded.  It is loaded on one processor at most.
 */
#ifndef MKVM_VMX_VMX_H
#define MKVM_VMX_VMX_H

#include <asm/asm.h>
#include <asm/vmx.h>
#include "irqchip/lapic.h"
#include "x86/x86.h"

/* Where VMLAUNCH or VMRESUME itself refused, there is no exit reason: this stands for it. */
#define VMX_REASON_VMFAIL 0xffffu

/*
 * CR0 and CR4 bits that the guest can change without an exit.  They do not bear on what mkvm does,
 * and are legal on every processor with unrestricted guest.  The second list are those of a guest
 * on the second table: its paging is the processor's.
 */
#define VMX_CR0_GUEST_OWNED ((u64)(X86_CR0_TS | X86_CR0_MP | X86_CR0_EM | X86_CR0_AM))
#define VMX_CR4_GUEST_OWNED \
	((u64)(X86_CR4_PVI | X86_CR4_TSD | X86_CR4_DE | X86_CR4_OSFXSR | X86_CR4_OSXMMEXCPT))
#define VMX_CR0_GUEST_PAGING ((u64)X86_CR0_WP)
#define VMX_CR4_GUEST_PAGING ((u64)X86_CR4_PGE)

/* Secondary control "enable XSAVES/XRSTORS": its name differs between kernels. */
#define VMX_EXEC2_XSAVES BIT(20)

/* MSRs that VM entry and VM exit switch for the host's performance counters. */
#define VMX_NR_SWITCHED_MSRS 16

/* Virtual-interrupt delivery, and what goes with it in x2APIC mode. */
#define VMX_EXEC2_APICV                                                              \
	(SECONDARY_EXEC_VIRTUALIZE_X2APIC_MODE | SECONDARY_EXEC_APIC_REGISTER_VIRT | \
	 SECONDARY_EXEC_VIRTUAL_INTR_DELIVERY)

/* Entries of a page-modification log. */
#define VMX_LOG_ENTRIES 512u

struct vmx_msr_lists {
	struct vmx_msr_entry guest[VMX_NR_SWITCHED_MSRS]; /* loaded by VM entry */
	struct vmx_msr_entry host[VMX_NR_SWITCHED_MSRS];  /* loaded by VM exit */
};

/**
 * struct vmcs - the control block
 * @region: the processor's own page
 * @vcpu: whose it is; immutable
 * @cpu: where it is loaded, or -1; changed on that processor only, interrupts off
 * @on_cpu: in the list of VMCSs that are loaded there; touched as @cpu is
 * @launched: see above
 */
struct vmcs {
	void *region;
	struct mkvm_vcpu *vcpu;
	int cpu;
	struct list_head on_cpu;
	bool launched;
};

/**
 * struct vmx_host - what the host had in registers that now hold the guest's values
 * @away: the registers hold the guest's values
 * @ds: selectors of the user thread
 * @es: see @ds
 * @fs: see @ds
 * @gs: see @ds
 * @ldt: see @ds
 * @fs_base: bases of the user thread
 * @gs_base: see @fs_base; the processor holds it as KERNEL_GS_BASE
 */
struct vmx_host {
	bool away;
	u16 ds, es, fs, gs, ldt;
	u64 fs_base, gs_base;
};

/**
 * struct vmx_vcpu - a vCPU; owner vCPU only, but for @vmcs
 * @vcpu: the neutral part; must be first
 * @vmcs: see there
 * @lists: MSRs switched by entry and exit; a page of its own, immutable pointer
 * @nr_switched: entries in both of @lists
 * @log: page-modification log: the processor fills it from the last entry down; a page of its own,
 *	immutable pointer; NULL: the processor has none
 * @listing: the VMCS has it on
 * @apic: virtual-APIC page; a page of its own, immutable pointer; NULL: no local APIC, or the
 *	processor has no TPR shadow
 * @apicv: the processor may deliver interrupts; immutable
 * @delivers: the VMCS has it do so
 * @apic_controls: what of the VMCS's secondary controls is about the local APIC
 * @eoi_exits: the VMCS's vectors whose end is an exit
 * @tpr_threshold: the VMCS's
 * @vpid: tag of its translations; 0: it has none.  Immutable
 * @configured: the VMCS has got its controls
 * @shadowed: and those for shadow tables; else those for the second table
 * @reset: bring fields that no group of state holds to their start
 * @flush: drop translations by EPT before the next entry by it, unless the processor has since they
 *	changed last; before one by shadow tables those of @vpid
 * @flush_vpid: drop the translations of @vpid before the next entry
 * @eptp: the VMCS's EPT pointer
 * @root: @shadowed: the VMCS's guest CR3
 * @entry_controls: the VMCS's VM-entry controls
 * @cpu_controls: the VMCS's primary processor-based controls
 * @cpu2_controls: and the secondary ones
 * @host_cr3: the VMCS's host CR3
 * @host_cr4: the VMCS's host CR4
 * @host_rsp: the VMCS's host RSP; kept by vmenter.S
 * @host_fs_base: the VMCS's host FS base
 * @host: see there
 * @intr_info: interruption information of the last exit if an exception or NMI caused it
 */
struct vmx_vcpu {
	struct mkvm_vcpu vcpu;
	struct vmcs vmcs;
	struct vmx_msr_lists *lists;
	unsigned int nr_switched;
	u64 *log;
	bool listing;
	u8 *apic;
	bool apicv;
	bool delivers;
	u32 apic_controls;
	DECLARE_BITMAP(eoi_exits, LAPIC_VECTORS);
	u32 tpr_threshold;
	u16 vpid;
	bool configured;
	bool shadowed;
	bool reset;
	bool flush;
	bool flush_vpid;
	u64 eptp;
	u64 root;
	u32 entry_controls;
	u32 cpu_controls;
	u32 cpu2_controls;
	unsigned long host_cr3;
	unsigned long host_cr4;
	unsigned long host_rsp;
	u64 host_fs_base;
	struct vmx_host host;
	u32 intr_info;
};

static inline struct vmx_vcpu *to_vmx(struct mkvm_vcpu *vcpu)
{
	return container_of(vcpu, struct vmx_vcpu, vcpu);
}

/* Bits that are the VMCS's, and not in struct x86_vcpu alone. */
static inline u64 vmx_cr0_guest_owned(const struct vmx_vcpu *vmx)
{
	return VMX_CR0_GUEST_OWNED | (vmx->shadowed ? 0 : VMX_CR0_GUEST_PAGING);
}

static inline u64 vmx_cr4_guest_owned(const struct vmx_vcpu *vmx)
{
	return VMX_CR4_GUEST_OWNED | (vmx->shadowed ? 0 : VMX_CR4_GUEST_PAGING);
}

/* caps.c */
enum caps_word {
	CAPS_PIN,   /* pin-based controls */
	CAPS_CPU,   /* primary processor-based controls */
	CAPS_CPU2,  /* secondary processor-based controls */
	CAPS_EXIT,  /* VM-exit controls */
	CAPS_ENTRY, /* VM-entry controls */
	CAPS_NR_WORDS
};

int vmx_caps_setup(struct mmu_caps *mmu) __must_check;
int vmx_caps_check(void) __must_check;
u32 vmx_caps_controls(enum caps_word word);
u32 vmx_caps_revision(void);
u64 vmx_caps_cr0(u64 cr0); /* with the bits that VMX operation forces, guest mode */
u64 vmx_caps_cr4(u64 cr4);
bool vmx_caps_tpr_shadow(void);
bool vmx_caps_apicv(void);
bool vmx_caps_apic_access(void);
bool vmx_caps_step(void);
bool vmx_caps_vpid(void);
bool vmx_caps_ept_ad(void);
bool vmx_caps_pml(void);
bool vmx_caps_invept_context(void);
bool vmx_caps_invvpid_context(void);
bool vmx_caps_invvpid_all(void);
bool vmx_caps_rdtscp(void);
bool vmx_caps_xsaves(void);
bool vmx_caps_tsc_scaling(void);
bool vmx_caps_encls_exiting(void);
bool vmx_caps_pause_loop_exiting(void);

/* cpu.c */
struct vmx_user_msrs { /* MSRs that matter in user mode only: SYSCALL's, and TSC_AUX */
	u64 star, lstar, sfmask, tsc_aux;
};

int vmx_cpu_setup(void) __must_check;
void vmx_cpu_teardown(void);
int vmx_cpu_check(void);
int vmx_cpu_enable(void);
void vmx_cpu_disable(void);
void vmx_cpu_emergency(void);
bool vmx_cpu_load_vmcs(struct vmcs *vmcs) __must_check;
void vmx_cpu_unload_vmcs(struct vmcs *vmcs);
bool vmx_cpu_vmcs_current(const struct vmcs *vmcs);
void vmx_cpu_set_user_msrs(const struct vmx_user_msrs *wanted);
void vmx_cpu_restore_user_msrs(void);
s64 *vmx_cpu_seen(u64 vm);
void vmx_cpu_flush(u64 eptp);
void vmx_cpu_flush_vpid(u16 vpid);
void vmx_insn_failed(const char *insn, unsigned long field, int error);

/* vmcs.c */
int vmx_vmcs_setup(void) __must_check;
void vmx_vmcs_teardown(void);
int vmx_vmcs_alloc(struct vmx_vcpu *vmx) __must_check;
void vmx_vmcs_free(struct vmx_vcpu *vmx);
void vmx_vmcs_configure(struct vmx_vcpu *vmx);
u32 vmx_vmcs_cpu_controls(const struct vmx_vcpu *vmx);
void vmx_vmcs_set_features(struct vmx_vcpu *vmx);
void vmx_vmcs_set_tables(struct vmx_vcpu *vmx);
void vmx_vmcs_set_host_cpu(struct vmx_vcpu *vmx);
void vmx_vmcs_reset(struct vmx_vcpu *vmx);

/* state.c */
void vmx_state_fetch(struct mkvm_vcpu *vcpu, u32 mask);
void vmx_state_store(struct vmx_vcpu *vmx);
bool vmx_state_fits_shadow(struct mkvm_vcpu *vcpu);

/* apic.c */
int vmx_apic_alloc(struct vmx_vcpu *vmx) __must_check;
void vmx_apic_configure(struct vmx_vcpu *vmx);
bool vmx_apic_delivers(const struct mkvm_vcpu *vcpu);
void vmx_apic_enter(struct vmx_vcpu *vmx);
void vmx_apic_exit(struct vmx_vcpu *vmx);
int vmx_apic_exit_eoi(struct mkvm_vcpu *vcpu);
int vmx_apic_exit_write(struct mkvm_vcpu *vcpu);
int vmx_apic_exit_access(struct mkvm_vcpu *vcpu);

/* exit.c */
int vmx_handle_exit(struct mkvm_vcpu *vcpu);
u32 vmx_reason_index(u32 reason);
u32 vmx_index_reason(u32 index);

/* run.c */
void vmx_enter(struct mkvm_vcpu *vcpu);
void vmx_exit_irqoff(struct mkvm_vcpu *vcpu);
void vmx_host_restore(struct vmx_vcpu *vmx);
void vmx_flush_tlb(struct mkvm_vcpu *vcpu);

/* vmenter.S */
enum vmenter_result {
	VMENTER_EXIT,  /* guest mode was entered, or the attempt has an exit reason */
	VMENTER_FAIL,  /* VMfail: there is an instruction error */
	VMENTER_FAULT, /* the instruction faulted: VMX is off on this processor */
};

unsigned int vmx_vmenter(u64 *gpr, unsigned long *host_rsp, bool launched);
void vmx_vmexit(void);
void vmx_call_nmi(void);

/*
 * Execute a VMX instruction with the given inputs: 0, 1 for VMfail, -EFAULT if it faulted (VMX is
 * off on this processor).
 */
/* clang-format off */
#define VMX_INSN(insn, ...)								\
	({										\
		int __error = 0;							\
		asm volatile("1: " insn "\n"						\
			     "setbe %b[error]\n"					\
			     "2:\n"							\
			     VMX_FIXUP							\
			     : [error] "+q"(__error)					\
			     : __VA_ARGS__						\
			     : "cc", "memory");						\
		__error;								\
	})
#define VMX_FIXUP _ASM_EXTABLE_TYPE_REG(1b, 2b, EX_TYPE_EFAULT_REG, %k[error])
/* clang-format on */

/* The fields of the current VMCS. A read that fails gives 0. */
static __always_inline u64 vmcs_read(unsigned long field)
{
	u64 value = 0;
	int error = 0;

	asm volatile("1: vmread %[field], %[value]\n"
		     "setbe %b[error]\n"
		     "2:\n" VMX_FIXUP
		     : [error] "+q"(error), [value] "+r"(value)
		     : [field] "r"(field)
		     : "cc", "memory");
	if (unlikely(error))
		vmx_insn_failed("VMREAD", field, error);
	return value;
}

static __always_inline u32 vmcs_read32(unsigned long field)
{
	return vmcs_read(field);
}

static __always_inline void vmcs_write(unsigned long field, u64 value)
{
	int error = VMX_INSN("vmwrite %[value], %[field]", [field] "r"(field), [value] "r"(value));

	if (unlikely(error))
		vmx_insn_failed("VMWRITE", field, error);
}

#endif /* MKVM_VMX_VMX_H */
