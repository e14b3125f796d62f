/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The SVM room: what its files share.
 *
 * A guest lives in a control block (VMCB), which the processor reads and writes at VMRUN and
 * #VMEXIT; between entries it is plain memory.  Two more blocks of each CPU hold the host's state
 * meanwhile: the host save area is VMRUN's own, the other is written by VMSAVE and read back by
 * VMLOAD (FS, GS, TR, LDTR, and the MSRs of SYSCALL and SYSENTER).
 */
#ifndef MKVM_SVM_SVM_H
#define MKVM_SVM_SVM_H

#include <asm/msr-index.h>
#include <asm/svm.h>
#include "x86/x86.h"

/* The processor refused to enter the guest. */
#define SVM_REFUSED ((u32)SVM_EXIT_ERR)

/**
 * struct svm_vcpu - a vCPU on SVM; but for @vmcb and @vmcb_pa owner vCPU only
 * @vcpu: what all vendors have
 * @vmcb: its control block; immutable pointer
 * @vmcb_pa: the block's physical address, as the processor wants it; immutable
 * @asid_generation: when its address space identifier was given out; 0: it has none
 * @flush_asid: drop the translations of its identifier at the next entry
 * @drs_open: the debug registers are the guest's at the next entry, and accesses are no exits
 * @nmi_masked: an NMI is being handled
 * @iret_seen: the guest stood at the IRET that ends this
 * @iret_rip: where
 * @shadowed: the control block is for shadow tables; else for the second table
 * @step: the next instruction is single-stepped, to deliver an NMI behind it
 * @stepped: so was the last one, or the exit came before
 * @step_rip: where that instruction is
 * @step_dr6: the guest's DR6 before
 * @soft_len: length of the instruction that the event being injected stands for, or 0
 */
struct svm_vcpu {
	struct mkvm_vcpu vcpu;
	struct vmcb *vmcb;
	hpa_t vmcb_pa;
	u64 asid_generation;
	bool flush_asid;
	bool drs_open;
	bool nmi_masked;
	bool iret_seen;
	u64 iret_rip;
	bool shadowed;
	bool step;
	bool stepped;
	u64 step_rip;
	u64 step_dr6;
	u8 soft_len;
};

/* The debug registers that exist: DR0 to DR7, read and write. */
#define SVM_INTERCEPT_DRS 0x00ff00ff

static inline struct svm_vcpu *to_svm(struct mkvm_vcpu *vcpu)
{
	return container_of(vcpu, struct svm_vcpu, vcpu);
}

static inline void svm_intercept_set(struct vmcb *vmcb, unsigned int bit)
{
	vmcb->control.intercepts[bit / 32] |= BIT(bit % 32);
}

static inline void svm_intercept_clear(struct vmcb *vmcb, unsigned int bit)
{
	vmcb->control.intercepts[bit / 32] &= ~BIT(bit % 32);
}

/* caps.c */
int svm_caps_setup(struct mmu_caps *caps) __must_check;
u32 svm_caps_nr_asids(void);
bool svm_caps_nrips(void);
bool svm_caps_decode_assists(void);
bool svm_caps_flush_by_asid(void);
bool svm_caps_tsc_ratio(void);
bool svm_caps_pause_filter(void);
bool svm_caps_tsc_aux(void);
bool svm_caps_rdpru(void);

/* cpu.c */
int __must_check svm_cpu_setup(void);
void svm_cpu_teardown(void);
int svm_cpu_check(void);
int svm_cpu_enable(void);
void svm_cpu_disable(void);
void svm_cpu_emergency(void);
hpa_t svm_cpu_host_state(void);
void svm_cpu_flush(struct svm_vcpu *svm);
void svm_cpu_give_asid(struct svm_vcpu *svm);
void svm_cpu_take_asid(struct svm_vcpu *svm);
void svm_cpu_load_tsc_aux(u64 value);
void svm_cpu_put_tsc_aux(void);
void svm_cpu_load_tsc_ratio(u64 ratio);

/* vmcb.c */
int __must_check svm_vmcb_setup(void);
void svm_vmcb_teardown(void);
void *svm_page_alloc(void);
void svm_page_free(void *page);
int svm_vmcb_alloc(struct svm_vcpu *svm) __must_check;
void svm_vmcb_free(struct svm_vcpu *svm);
void svm_vmcb_init(struct svm_vcpu *svm);
void svm_vmcb_set_features(struct svm_vcpu *svm);
void svm_vmcb_set_tables(struct svm_vcpu *svm);

/* state.c */
void svm_state_fetch(struct mkvm_vcpu *vcpu, u32 mask);
void svm_state_store(struct svm_vcpu *svm, u32 mask);

/* exit.c */
void svm_exit_irqoff(struct mkvm_vcpu *vcpu);
int svm_exit_handle(struct mkvm_vcpu *vcpu);
u32 svm_exit_reason_index(u32 reason);
u32 svm_exit_index_reason(u32 index);

/* apic.c */
void svm_apic_enter(struct svm_vcpu *svm);
void svm_apic_exit(struct svm_vcpu *svm);

/* run.c */
void svm_run_enter(struct mkvm_vcpu *vcpu);

/* vmenter.S */
bool svm_vmenter(u64 *gpr, hpa_t vmcb, hpa_t host_state);

#endif /* MKVM_SVM_SVM_H */
