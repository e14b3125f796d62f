/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What both vendors share: registers and their rules, events, MSRs, CPUID, and the handlers that a
 * vendor's room calls once it knows what an exit means.
 *
 * Handlers return >0 to enter the guest again, 0 to go to user space (vcpu->run is filled), or a
 * negative errno.
 */
#ifndef MKVM_X86_X86_H
#define MKVM_X86_X86_H

#include "x86/vendor.h"

/* regs.c: access to state by groups; rules of the control registers */
void x86_fetch(struct mkvm_vcpu *vcpu, u32 groups); /* make the groups valid in vcpu->x86 */
void x86_dirty(struct mkvm_vcpu *vcpu, u32 groups); /* fetch them; to be stored before entry */
void x86_reset(struct mkvm_vcpu *vcpu);
void x86_reset_by_init(struct mkvm_vcpu *vcpu);		       /* INIT */
int x86_set_cr0(struct mkvm_vcpu *vcpu, u64 cr0) __must_check; /* 0 or -EINVAL: #GP(0) */
int x86_set_cr3(struct mkvm_vcpu *vcpu, u64 cr3) __must_check;
int x86_set_cr4(struct mkvm_vcpu *vcpu, u64 cr4) __must_check;
int x86_set_cr8(struct mkvm_vcpu *vcpu, u64 cr8) __must_check;
int x86_set_efer(struct mkvm_vcpu *vcpu, u64 efer) __must_check;
int x86_set_xcr0(struct mkvm_vcpu *vcpu, u64 xcr0) __must_check;
int x86_set_apic_base(struct mkvm_vcpu *vcpu, u64 base, bool by_host) __must_check;
void x86_get_regs(struct mkvm_vcpu *vcpu, struct kvm_regs *regs);
void x86_put_regs(struct mkvm_vcpu *vcpu, const struct kvm_regs *regs);
void x86_get_sregs(struct mkvm_vcpu *vcpu, struct kvm_sregs *sregs);
int x86_put_sregs(struct mkvm_vcpu *vcpu, const struct kvm_sregs *sregs) __must_check;
int x86_get_sregs2(struct mkvm_vcpu *vcpu, struct kvm_sregs2 *sregs2);
int x86_put_sregs2(struct mkvm_vcpu *vcpu, const struct kvm_sregs2 *sregs2) __must_check;
bool x86_is_64bit(struct mkvm_vcpu *vcpu); /* CS.L in long mode */

/* An instruction is done and the next is at @rip: shadow dropped, single step. */
void x86_jump(struct mkvm_vcpu *vcpu, u64 rip);

/* Move RIP past an instruction of @len bytes: 32-bit wrap outside 64-bit mode; so for the rest. */
void x86_skip(struct mkvm_vcpu *vcpu, unsigned int len);

/* event.c: what is delivered at the next entry */
void x86_raise(struct mkvm_vcpu *vcpu, u8 vector);
void x86_raise_error(struct mkvm_vcpu *vcpu, u8 vector, u32 error);
void x86_raise_db(struct mkvm_vcpu *vcpu, u64 bits); /* #DB that sets these bits in DR6 */
void x86_raise_pf(struct mkvm_vcpu *vcpu, u64 addr, u32 error);
void x86_raise_interrupt(struct mkvm_vcpu *vcpu, u8 vector);
void x86_raise_nmi(struct mkvm_vcpu *vcpu, unsigned int nr);
bool x86_interrupt_allowed(struct mkvm_vcpu *vcpu);
bool x86_nmi_allowed(struct mkvm_vcpu *vcpu);
bool x86_event_idle(const struct mkvm_vcpu *vcpu);
void x86_event_reset(struct mkvm_vcpu *vcpu);
void x86_event_payload(struct mkvm_vcpu *vcpu); /* of the exception that waits: deliver it now */
void x86_event_acknowledge(struct mkvm_vcpu *vcpu); /* before an entry, preemption off */
void x86_event_choose(struct mkvm_vcpu *vcpu);	    /* right before an entry, interrupts off */
void x86_event_exited(struct mkvm_vcpu *vcpu);

/* mp_state.c: does the vCPU run, or what does it wait for? */
int x86_get_mp_state(struct mkvm_vcpu *vcpu, struct kvm_mp_state *state);
int x86_put_mp_state(struct mkvm_vcpu *vcpu, const struct kvm_mp_state *state) __must_check;
void x86_mp_reset(struct mkvm_vcpu *vcpu);
void x86_mp_registers_set(struct mkvm_vcpu *vcpu);
int x86_mp_wait(struct mkvm_vcpu *vcpu) __must_check;

/* vcpu_events.c */
int x86_get_vcpu_events(struct mkvm_vcpu *vcpu, struct kvm_vcpu_events *events);
int x86_set_vcpu_events(struct mkvm_vcpu *vcpu, const struct kvm_vcpu_events *events) __must_check;

/* debug.c: user space debugs the guest; the guest's debug registers as user space sees them */
int x86_set_guest_debug(struct mkvm_vcpu *vcpu, const struct kvm_guest_debug *debug) __must_check;
int x86_get_debugregs(struct mkvm_vcpu *vcpu, struct kvm_debugregs *regs);
int x86_set_debugregs(struct mkvm_vcpu *vcpu, const struct kvm_debugregs *regs) __must_check;
int x86_exit_db(struct mkvm_vcpu *vcpu, u64 bits);   /* #DB: bits as x86_raise_db() takes them */
int x86_exit_bp(struct mkvm_vcpu *vcpu);	     /* #BP, which exits for user space only */
int x86_exit_general_detect(struct mkvm_vcpu *vcpu); /* MOV DR with DR7.GD set */
void x86_step_done(struct mkvm_vcpu *vcpu); /* an instruction with RFLAGS.TF was emulated */
bool x86_step_exit(struct mkvm_vcpu *vcpu); /* KVM_EXIT_DEBUG is due for it */
u64 x86_linear_rip(struct mkvm_vcpu *vcpu);
u64 x86_guest_rflags(struct mkvm_vcpu *vcpu);		 /* without a debugger's TF */
void x86_put_rflags(struct mkvm_vcpu *vcpu, u64 rflags); /* RIP is set already */

/* xstate.c */
int x86_get_fpu(struct mkvm_vcpu *vcpu, struct kvm_fpu *fpu);
int x86_set_fpu(struct mkvm_vcpu *vcpu, const struct kvm_fpu *fpu) __must_check;
int x86_get_xcrs(struct mkvm_vcpu *vcpu, struct kvm_xcrs *xcrs);
int x86_set_xcrs(struct mkvm_vcpu *vcpu, const struct kvm_xcrs *xcrs) __must_check;
int x86_get_xsave(struct mkvm_vcpu *vcpu, void __user *user) __must_check;
int x86_get_xsave2(struct mkvm_vcpu *vcpu, void __user *user) __must_check;
int x86_set_xsave(struct mkvm_vcpu *vcpu, void __user *user) __must_check;
long x86_xsave_size(void);

/* translate.c */
int x86_translate(struct mkvm_vcpu *vcpu, struct kvm_translation *translation);

/* run_page.c: struct kvm_run but for the exits */
int x86_run_begin(struct mkvm_vcpu *vcpu) __must_check;
void x86_run_end(struct mkvm_vcpu *vcpu);
bool x86_run_window_open(struct mkvm_vcpu *vcpu);
bool x86_run_wants_window(const struct mkvm_vcpu *vcpu);

/* insn_vcpu.c: instructions at the guest's RIP; the caller holds a read side of the slots */
void x86_insn_fetch(struct mkvm_vcpu *vcpu, struct x86_insn *insn);
int x86_insn_decode(struct mkvm_vcpu *vcpu, struct x86_insn *insn) __must_check;
u8 x86_cpl(const struct x86_vcpu *x86);
struct gpt_root x86_gpt_root(struct mkvm_vcpu *vcpu);
void x86_emu_load(struct mkvm_vcpu *vcpu);
enum emu_status x86_emu_start(struct mkvm_vcpu *vcpu) __must_check;

/*
 * exit.c, exit_io.c, msr_exit.c, cpuid.c: what an exit means.  @len is the length of the
 * instruction, which a handler skips when the instruction is done.
 */
int x86_exit_cpuid(struct mkvm_vcpu *vcpu, unsigned int len);
int x86_exit_hlt(struct mkvm_vcpu *vcpu, unsigned int len);
int x86_exit_rdmsr(struct mkvm_vcpu *vcpu, unsigned int len);
int x86_exit_wrmsr(struct mkvm_vcpu *vcpu, unsigned int len);
int x86_exit_mov_to_cr(struct mkvm_vcpu *vcpu, int cr, int gpr, unsigned int len);
int x86_exit_mov_from_cr(struct mkvm_vcpu *vcpu, int cr, int gpr, unsigned int len);
int x86_exit_clts(struct mkvm_vcpu *vcpu, unsigned int len);
int x86_exit_lmsw(struct mkvm_vcpu *vcpu, u16 msw, unsigned int len);
int x86_exit_mov_dr(struct mkvm_vcpu *vcpu, int dr, int gpr, bool to_dr, unsigned int len);
int x86_exit_xsetbv(struct mkvm_vcpu *vcpu, unsigned int len);
int x86_exit_nop(struct mkvm_vcpu *vcpu, unsigned int len); /* INVD, MWAIT, ...: skipped */
int x86_exit_ud(struct mkvm_vcpu *vcpu); /* an instruction that the guest has not */
int x86_exit_triple_fault(struct mkvm_vcpu *vcpu);
int x86_exit_fail_entry(struct mkvm_vcpu *vcpu, u64 hardware_reason);
int x86_exit_unknown(struct mkvm_vcpu *vcpu); /* a reason that nobody handles */

bool x86_cpuid_faults(const struct mkvm_vcpu *vcpu); /* CPUID outside ring 0 is #GP */

/*
 * MSRs that a vendor's room may leave to the guest without an exit, unless the VM's filter forbids
 * one of them.  Those of SYSCALL come last: a room that keeps the guest's values of them itself
 * leaves them closed.
 */
#define X86_NR_OPEN_MSRS      10
#define X86_FIRST_SYSCALL_MSR 6
extern const u32 x86_open_msrs[X86_NR_OPEN_MSRS];

/* msr*.c: MSRs for user space; where a vCPU is named it is loaded */
void x86_msr_reset(struct mkvm_vcpu *vcpu);
int x86_msr_user_space(struct mkvm *vm, u64 reasons);
int x86_msr_platform_info(struct mkvm *vm, u64 readable);
int x86_msr_set_filter(struct mkvm *vm, const struct kvm_msr_filter *wanted);
void x86_msr_filter_destroy(struct mkvm *vm);
void x86_msr_apply_filter(struct mkvm_vcpu *vcpu);
long x86_msr_list(struct kvm_msr_list *list, u32 __user *user);
long x86_msr_feature_list(struct kvm_msr_list *list, u32 __user *user);
long x86_msr_get_features(const struct kvm_msrs *msrs, struct kvm_msr_entry __user *user);
long x86_msr_get(struct mkvm_vcpu *vcpu, const struct kvm_msrs *msrs,
		 struct kvm_msr_entry __user *user);
long x86_msr_set(struct mkvm_vcpu *vcpu, const struct kvm_msrs *msrs,
		 struct kvm_msr_entry __user *user);
u64 x86_mce_cap_offered(void);
int x86_mce_setup(struct mkvm_vcpu *vcpu, u64 cap);
int x86_mce_raise(struct mkvm_vcpu *vcpu, struct kvm_x86_mce *mce) __must_check;

/* IN and OUT: @size 1, 2, 4 */
int x86_exit_io(struct mkvm_vcpu *vcpu, u16 port, unsigned int size, bool in, unsigned int len);

/* exit_io_string.c: INS and OUTS, the instruction at RIP */
int x86_exit_io_string(struct mkvm_vcpu *vcpu, bool in, unsigned int size);
int x86_emu_port_exit(struct mkvm_vcpu *vcpu, bool in);

/* exit_mmio.c: the instruction at RIP is emulated */
int x86_emulate(struct mkvm_vcpu *vcpu);
int x86_emu_outcome(struct mkvm_vcpu *vcpu, enum emu_status status);

/* paging.c: the guest's own paging, under shadow tables */
bool x86_has_shadow(const struct mkvm_vcpu *vcpu);  /* its VM can have shadow tables */
bool x86_is_shadowed(const struct mkvm_vcpu *vcpu); /* the vCPU runs on them, as it is now */
bool x86_paging_moved(const struct mkvm_vcpu *vcpu);
bool x86_is_stepped(const struct mkvm_vcpu *vcpu); /* or shall, as soon as it can */
void x86_paging_exit(struct mkvm_vcpu *vcpu, enum mkvm_mmu_cause cause);
void x86_paging_changed(struct mkvm_vcpu *vcpu);
bool x86_paging_wants_invlpg(const struct mkvm_vcpu *vcpu);
int x86_exit_invlpg(struct mkvm_vcpu *vcpu, unsigned int len);
void x86_paging_set(struct mkvm_vcpu *vcpu);
int x86_paging_prepare(struct mkvm_vcpu *vcpu) __must_check;
int x86_exit_page_fault(struct mkvm_vcpu *vcpu, gva_t gva, u32 code);
int x86_exit_tracked(struct mkvm_vcpu *vcpu, const struct mmu_fault *fault);
int x86_exit_invpcid(struct mkvm_vcpu *vcpu);
int x86_exit_stepped(struct mkvm_vcpu *vcpu);
void x86_flush_tlb(struct mkvm_vcpu *vcpu);

/* An access of the guest that the second table did not allow: @gpa, @access of ACC_*. */
void x86_tell_memory_fault(struct mkvm_vcpu *vcpu, gfn_t gfn);
int x86_exit_memory_fault(struct mkvm_vcpu *vcpu, const struct mmu_fault *fault);
int x86_exit_tdp_fault(struct mkvm_vcpu *vcpu, gpa_t gpa, u32 access);

/* An instruction that would have to be emulated: KVM_EXIT_INTERNAL_ERROR with its bytes. */
int x86_exit_emulate(struct mkvm_vcpu *vcpu);

/* The delivery of an event would have to be emulated: KVM_EXIT_INTERNAL_ERROR. */
int x86_exit_delivery(struct mkvm_vcpu *vcpu);

/* VMCALL, VMMCALL; an exit for #UD, which one of them may have caused on the other vendor's. */
int x86_exit_hypercall(struct mkvm_vcpu *vcpu, unsigned int len);
int x86_exit_guest_ud(struct mkvm_vcpu *vcpu);

/* A host event that needs nothing more than the exit itself. */
int x86_exit_host(struct mkvm_vcpu *vcpu);

/*
 * Bits of DR6 and DR7 that the guest can change, and those that are always set.  None of the
 * processor's active-low bits of DR6 is offered to guests, so all of them are always set.
 */
#define DR6_WRITABLE   0x0000e00full
#define DR6_FIXED_1    0xffff0ff0ull
#define DR6_ACTIVE_LOW 0x00010800ull /* restricted transactions, bus locks */
#define DR6_BD	       0x00002000ull /* a debug register was touched with DR7.GD set */
#define DR7_WRITABLE   0xffff2bffull
#define DR7_ALWAYS_1   0x00000400ull
#define DR7_GD	       0x00002000ull

/* dr.c: debug registers in hardware, around an entry; interrupts off */
void x86_dr_enter(struct mkvm_vcpu *vcpu);
void x86_dr_exit(struct mkvm_vcpu *vcpu);
/* The hardware's DR7: the guest's, or a debugger's. */
static inline u64 x86_dr7(const struct x86_vcpu *x86)
{
	return x86->debug.control & KVM_GUESTDBG_USE_HW_BP ? x86->debug.dr7 : x86->dr7;
}

static inline bool x86_dr_in_use(const struct mkvm_vcpu *vcpu)
{
	return x86_dr7(&vcpu->x86) & 0xff;
}

/* INT3 in the guest is an exit. */
static inline bool x86_bp_exits(const struct x86_vcpu *x86)
{
	return x86->debug.control & KVM_GUESTDBG_USE_SW_BP;
}

/* spec.c: speculation; interrupts off */
void x86_spec_setup(void);			 /* at load: says what is done and what cannot be */
void x86_spec_vcpu_load(struct mkvm_vcpu *vcpu); /* another VM ran here: IBPB */
void x86_spec_before_entry(void); /* L1D flush, buffer clearing; right before the guest */
void x86_spec_after_exit(void);

/* pause.c: a vCPU that spins */
void x86_pause_vm_start(struct mkvm *vm);
int x86_pause_disable_exits(struct mkvm *vm, u64 exits);
int x86_exit_pause(struct mkvm_vcpu *vcpu, unsigned int len);
void x86_pause_run_begin(struct mkvm_vcpu *vcpu);
void x86_pause_vcpu_destroy(struct mkvm_vcpu *vcpu);
void x86_pause_yield(struct mkvm_vcpu *vcpu);

/* tsc.c: the guest's time-stamp counter */
void x86_tsc_scales(unsigned int fraction, u64 ratio_end);
bool x86_tsc_scaling(void);
void x86_tsc_vm_start(struct mkvm *vm);
void x86_tsc_start(struct mkvm_vcpu *vcpu);
void x86_tsc_stop(struct mkvm_vcpu *vcpu);
bool x86_tsc_all_agree(const struct mkvm *vm);
void x86_tsc_vcpu_load(struct mkvm_vcpu *vcpu);
u64 x86_tsc_read(struct mkvm_vcpu *vcpu);
u64 x86_tsc_at(struct mkvm_vcpu *vcpu, u64 host_tsc);
void x86_tsc_move(struct mkvm_vcpu *vcpu, u64 by);
void x86_tsc_set(struct mkvm_vcpu *vcpu, u64 value);
int x86_tsc_set_vm_khz(struct mkvm *vm, u32 khz) __must_check;
int x86_tsc_set_khz(struct mkvm_vcpu *vcpu, u32 khz) __must_check;
void x86_tsc_host_suspend(void);
void x86_tsc_host_resume(void);

/* emergency.c: the extension, when the host crashes */
int x86_emergency_init(void) __must_check;
void x86_emergency_exit(void);
void x86_emergency_want(bool want);

/* host_cpu.c: the extension on the host's processors */
int x86_host_init(void) __must_check;
void x86_host_exit(void);
int x86_host_get(void) __must_check; /* the first VM switches it on everywhere */
void x86_host_put(void);
bool x86_host_enabled(void); /* on this CPU; preemption off */
u64 x86_host_xcr0(void);
u64 x86_host_xss(void);

#endif /* MKVM_X86_X86_H */
