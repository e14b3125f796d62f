/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The architectural state of a virtual processor.
 *
 * Both vendors keep a part of it in a control block (VMCS, VMCB) while the guest runs.  It moves in
 * groups: after an exit only what the exit path itself needs is in struct x86_vcpu; a group that is
 * not in @avail is fetched when somebody asks for it, and a group in @dirty is stored to the
 * control block before the next entry.
 */
#ifndef MKVM_X86_STATE_H
#define MKVM_X86_STATE_H

#include <linux/bits.h>
#include <linux/kvm.h>
#include <asm/fpu/api.h>
#include "types.h"
#include "x86/cpuid.h"
#include "x86/insn_emu.h"
#include "x86/kvmclock.h"
#include "x86/regnum.h"
#include "x86/steal_time.h"

/*
 * Groups of state.  The general registers but RSP, and CR2, are always in struct x86_vcpu.
 * Groups that no control block holds on a vendor are always available there.
 */
#define X86_ST_RIP    BIT(0)  /* rip */
#define X86_ST_RSP    BIT(1)  /* gpr[X86_RSP] */
#define X86_ST_RFLAGS BIT(2)  /* rflags */
#define X86_ST_SEGS   BIT(3)  /* seg[] */
#define X86_ST_TABLES BIT(4)  /* gdt, idt */
#define X86_ST_CRS    BIT(5)  /* cr0, cr3, cr4, efer: as the guest sees them */
#define X86_ST_PDPTRS BIT(6)  /* pdptr[] */
#define X86_ST_MSRS   BIT(7)  /* star ... pat */
#define X86_ST_DRS    BIT(8)  /* dr[], dr6, dr7 */
#define X86_ST_SHADOW BIT(9)  /* shadow, nmi_masked */
#define X86_ST_TSC    BIT(10) /* tsc_offset, tsc_ratio */
/* What the guest may do without an exit, by its CPUID; derived, never fetched. */
#define X86_ST_CONTROLS BIT(11)
#define X86_ST_ALL	GENMASK(11, 0)

/**
 * struct x86_event - what one entry delivers, or what an exit found half delivered
 * @pending: there is one
 * @vector: 0 to 255
 * @type: X86_EVENT_*
 * @has_error: an error code is pushed
 * @error: the error code
 * @insn_len: length of the instruction that raised a software event; 0: it is executed again
 */
struct x86_event {
	bool pending;
	u8 vector;
	u8 type;
	bool has_error;
	u32 error;
	u8 insn_len;
};

/* Both vendors number the types of an event alike. */
#define X86_EVENT_INTR	    0 /* external interrupt */
#define X86_EVENT_NMI	    2
#define X86_EVENT_EXCEPTION 3 /* by the processor, #BP and #OF by INT3 and INTO excepted */
#define X86_EVENT_SOFT_INTR 4 /* INT n */
#define X86_EVENT_SOFT_EXC  6 /* INT3, INTO */

/* How far an exception or interrupt has come on its way into the guest. */
enum x86_queued {
	X86_QUEUED_NONE,
	X86_QUEUED_PENDING,  /* not delivered yet; what it changes has not changed */
	X86_QUEUED_INJECTED, /* an entry tried to: it goes first, whatever RFLAGS.IF says */
};

/**
 * struct x86_exception - the exception that waits
 * @state: how far it has come
 * @vector: 0 to 31
 * @has_error: an error code is pushed
 * @has_payload: @payload is still to be put where it belongs
 * @insn_len: see struct x86_event
 * @error: the error code
 * @payload: #DB: bits of DR6, with the active-low ones inverted; #PF: CR2
 */
struct x86_exception {
	enum x86_queued state;
	u8 vector;
	bool has_error;
	bool has_payload;
	u8 insn_len;
	u32 error;
	u64 payload;
};

/**
 * struct x86_interrupt - the external interrupt that waits, or an INT n that was half delivered
 * @state: PENDING waits until the guest can be interrupted
 * @vector: 0 to 255
 * @soft: INT n
 * @insn_len: see struct x86_event
 */
struct x86_interrupt {
	enum x86_queued state;
	u8 vector;
	bool soft;
	u8 insn_len;
};

/* Exits that the next entry asks for, bits in x86_vcpu.windows. */
#define X86_WINDOW_INTR BIT(0) /* as soon as the guest can be interrupted */
#define X86_WINDOW_NMI	BIT(1) /* as soon as it can take an NMI */

/**
 * struct x86_exit - the last exit from guest mode
 * @reason: the hardware's number; index into struct mkvm_vcpu_counts.exits by
 *	vendor_ops.reason_index
 * @rip: where the guest stood
 * @entry_failed: guest mode was not entered; @reason says why
 * @info1: VMX: exit qualification; SVM: EXITINFO1
 * @info2: VMX: guest-physical address; SVM: EXITINFO2
 * @walk: VMX: an EPT violation by the walk of the guest's tables to @gva
 * @gva: see there
 * @vectored: the event during whose delivery the exit came
 */
struct x86_exit {
	u32 reason;
	bool entry_failed;
	u64 rip;
	u64 info1;
	u64 info2;
	bool walk;
	gva_t gva;
	struct x86_event vectored;
};

#define X86_NR_MTRRS	 8
#define X86_NR_MCE_BANKS 32

/**
 * struct x86_msrs - MSRs that are stored values; owner vCPU only
 * @misc_enable: and the next ones: as their MSRs
 * @osvw: length of the list of errata, and their bits
 * @mtrr_var: pairs of base and mask
 * @mce_banks: four registers each
 */
struct x86_msrs {
	u64 misc_enable, power_ctl, ucode_rev, platform_info, misc_features, feat_ctl, hwcr;
	u64 arch_capabilities, perf_capabilities, de_cfg, virt_spec_ctrl, tsc_adjust;
	u64 smi_count, poll_control;
	u64 osvw[2];
	u64 mtrr_def_type, mtrr_fix64k, mtrr_fix16k[2], mtrr_fix4k[8];
	u64 mtrr_var[2 * X86_NR_MTRRS];
	u64 mcg_cap, mcg_status, mcg_ctl, mcg_ext_ctl;
	u64 mce_banks[4 * X86_NR_MCE_BANKS];
	u64 mce_ctl2[X86_NR_MCE_BANKS];
};

/**
 * struct x86_debug - user space debugs the guest
 * @control: KVM_GUESTDBG_*; 0: it does not
 * @dr: DR0 to DR3, with KVM_GUESTDBG_USE_HW_BP
 * @dr7: DR7, with KVM_GUESTDBG_USE_HW_BP
 * @step_rip: linear address at which single stepping began
 * @stepped: an instruction that was stepped has been done by the module: KVM_EXIT_DEBUG is due
 */
struct x86_debug {
	u32 control;
	u64 dr[4], dr7;
	u64 step_rip;
	bool stepped;
};

/**
 * struct x86_paging - how a guest's own paging goes on under shadow tables; see paging.c
 * @stale: the roots are to be loaded before the next entry
 * @by_host: user space has set registers, and perhaps tables before that
 * @opened: how often in a row a table was opened for one instruction, with nothing else changed
 * @opened_rip: where that is
 * @opened_gva: what it writes to
 * @opened_gpr: the general registers then
 * @spurious: the last fault was a supervisor's that found nothing to do, with SMAP
 * @spurious_rip: where that was
 * @spurious_gva: of what
 * @spurious_entry: which of the vCPU's entries had it for its end
 * @walked_write: the last walk of a vCPU on the second table wanted a dirty bit, as far as is known
 * @walked_rip: where that was
 * @walked_gva: to what
 */
struct x86_paging {
	bool stale;
	bool by_host;
	unsigned int opened;
	u64 opened_rip, opened_gva;
	u64 opened_gpr[X86_NR_GPRS];
	bool spurious;
	u64 spurious_rip, spurious_gva, spurious_entry;
	bool walked_write;
	u64 walked_rip, walked_gva;
};

/**
 * struct x86_swapped - an instruction that the processor shall execute, not the emulator
 * @times: how often in a row it was found so, with nothing else changed
 * @rip: where
 * @gpr: the general registers then
 */
struct x86_swapped {
	unsigned int times;
	u64 rip;
	u64 gpr[X86_NR_GPRS];
};

/**
 * struct x86_vcpu - a virtual processor; all fields owner vCPU only
 * @gpr: general registers
 * @cr8: task priority, bits 7:4 of the TPR
 * @pdptr: PAE page-directory-pointer entries, where the vendor keeps them as state
 * @shadow: interrupts are held off for one instruction: KVM_X86_SHADOW_INT_STI or _MOV_SS; both
 *	where the vendor cannot tell which
 * @nmi_masked: an NMI is being handled
 * @xcr0: extended control register 0
 * @tsc_offset: guest TSC minus host TSC times @tsc_ratio
 * @tsc_ratio: in the processor's format
 * @avail: groups (X86_ST_*) whose fields here are valid
 * @dirty: groups to store before the next entry; a subset of @avail
 * @exception: what waits for delivery
 * @interrupt: see @exception
 * @nmi_injected: an entry tried to deliver an NMI
 * @nmi_pending: NMIs that wait: 2 at most
 * @event: what the next entry delivers; chosen right before it by x86_event_choose()
 * @windows: exits that it asks for, by X86_WINDOW_*
 * @apic_delivers: the processor delivers what its local APIC has; chosen with @event
 * @shutdown: a fault while a double fault was delivered: the processor has shut down
 * @mp_state: KVM_MP_STATE_*: RUNNABLE, unless the local APIC is in the kernel
 * @debug: what user space has asked for by KVM_SET_GUEST_DEBUG
 * @tsc_khz: frequency of the time-stamp counter, as user space has set it
 * @tsc_lost: what suspends had taken from the host's TSC when @tsc_offset was made
 * @tsc_base: when the host's TSC, with what suspends have taken, was this, the guest's was
 *	@tsc_value
 * @tsc_value: see @tsc_base
 * @tsc_gen: the VM's @tsc_gen if the counter agrees with the others; the VM's @tsc_lock
 * @clock: see there
 * @steal: see there
 * @cpuid: see there
 * @msrs: see there
 * @msrs_closed: no MSR is the guest's without an exit
 * @paging: see there
 * @swapped: see there
 * @exit: the last exit
 * @emu: the instruction that is being emulated
 * @fpu: FPU state of guest and of the user thread
 */
struct x86_vcpu {
	u64 gpr[X86_NR_GPRS];
	u64 rip;
	u64 rflags;
	u64 cr0, cr2, cr3, cr4, cr8, efer;
	u64 pdptr[4];
	struct kvm_segment seg[X86_NR_SEGS];
	struct kvm_dtable gdt, idt;
	u64 dr[4], dr6, dr7;
	u64 star, lstar, cstar, sfmask, kernel_gs_base;
	u64 sysenter_cs, sysenter_esp, sysenter_eip;
	u64 pat;
	u64 tsc_aux;
	u64 apic_base;
	u64 xcr0;
	u64 tsc_offset;
	u64 tsc_ratio;
	u8 shadow;
	bool nmi_masked;
	u32 avail;
	u32 dirty;
	struct x86_exception exception;
	struct x86_interrupt interrupt;
	bool nmi_injected;
	u8 nmi_pending;
	struct x86_event event;
	u32 windows;
	bool apic_delivers;
	bool shutdown;
	u32 mp_state;
	struct x86_debug debug;
	u32 tsc_khz;
	u64 tsc_lost;
	u64 tsc_base;
	u64 tsc_value;
	u64 tsc_gen;
	struct x86_kvmclock clock;
	struct x86_steal_time steal;
	struct x86_cpuid cpuid;
	struct x86_msrs msrs;
	bool msrs_closed;
	struct x86_paging paging;
	struct x86_swapped swapped;
	struct x86_exit exit;
	struct emu emu;
	struct fpu_guest fpu;
};

#endif /* MKVM_X86_STATE_H */
