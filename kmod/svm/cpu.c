// SPDX-License-Identifier: GPL-2.0-only
/*
 * SVM on each of the host's CPUs.
 *
 * Address space identifiers (ASIDs) tag a CPU's translations; 0 is the host's.  A CPU hands them
 * out in order to the vCPUs that run there.  When none is left a new generation begins: the next
 * entry drops all translations, and every vCPU of an older generation gets a new identifier before
 * it enters.  So within a generation no identifier belongs to two vCPUs, and one that was just
 * handed out tags nothing.  A vCPU that comes from another CPU has lost its identifier (see ops.c).
 *
 * Not worked around is erratum 383 of family 10h, the first with nested paging: a machine check
 * when one address is in the TLB with two page sizes.
 */
#include <linux/percpu.h>
#include <asm/msr.h>
#include <asm/perf_event.h>
#include "compat.h"
#include "svm/svm.h"

/**
 * struct svm_cpu - SVM on one CPU; but for the pages that CPU only, preemption off
 * @hsave: host save area; immutable
 * @host_state: where VMSAVE puts the host's state; immutable
 * @asid_generation: number of the generation; grows only
 * @asid_next: the identifier that is handed out next
 * @tsc_aux: the host's TSC_AUX
 * @tsc_aux_now: what the register holds
 * @tsc_ratio: what guests' time-stamp counters are multiplied by
 */
struct svm_cpu {
	void *hsave;
	void *host_state;
	u64 asid_generation;
	u32 asid_next;
	u64 tsc_aux;
	u64 tsc_aux_now;
	u64 tsc_ratio;
};

/* The multiplier of guests' time-stamp counters has a fraction of 32 bits. */
#define CPU_TSC_RATIO_1 BIT_ULL(32)

static DEFINE_PER_CPU(struct svm_cpu, svm_cpus);

/* May sleep. */
void svm_cpu_teardown(void)
{
	int cpu;

	for_each_possible_cpu(cpu) {
		struct svm_cpu *this = per_cpu_ptr(&svm_cpus, cpu);

		svm_page_free(this->host_state);
		svm_page_free(this->hsave);
		this->host_state = NULL;
		this->hsave = NULL;
	}
}

/* May sleep. */
int svm_cpu_setup(void)
{
	int cpu;

	for_each_possible_cpu(cpu) {
		struct svm_cpu *this = per_cpu_ptr(&svm_cpus, cpu);

		this->hsave = svm_page_alloc();
		this->host_state = svm_page_alloc();
		if (!this->hsave || !this->host_state) {
			svm_cpu_teardown();
			return -ENOMEM;
		}
	}
	return 0;
}

/* On the CPU in question, interrupts off. */
int svm_cpu_check(void)
{
	u64 vm_cr, efer;

	if (!rdmsrl_safe(MSR_VM_CR, &vm_cr) && vm_cr & SVM_VM_CR_SVM_DIS_MASK)
		return -EOPNOTSUPP;
	rdmsrl(MSR_EFER, efer);
	return efer & EFER_SVME ? -EBUSY : 0;
}

/* On that CPU, interrupts off. */
int svm_cpu_enable(void)
{
	struct svm_cpu *this = this_cpu_ptr(&svm_cpus);
	u64 efer;

	rdmsrl(MSR_EFER, efer);
	wrmsrl(MSR_EFER, efer | EFER_SVME);
	wrmsrl(MSR_VM_HSAVE_PA, __sme_set(__pa(this->hsave)));

	/* Nothing is known of the translations here: the first vCPU begins a new generation. */
	this->asid_generation++;
	this->asid_next = svm_caps_nr_asids();

	if (svm_caps_tsc_aux()) {
		rdmsrl(MSR_TSC_AUX, this->tsc_aux);
		this->tsc_aux_now = this->tsc_aux;
	}
	/* Whoever was here before may have left another ratio than 1. */
	this->tsc_ratio = 0;
	svm_cpu_load_tsc_ratio(CPU_TSC_RATIO_1);
	/* Counters that shall not count in guests can tell guests only while SVM is on. */
	amd_pmu_enable_virt();
	compat_srso_guests(true);
	return 0;
}

/* On that CPU, interrupts off.  Control blocks need no care: they are memory between entries. */
void svm_cpu_disable(void)
{
	u64 efer;

	svm_cpu_put_tsc_aux();
	svm_cpu_load_tsc_ratio(CPU_TSC_RATIO_1);
	compat_srso_guests(false);
	amd_pmu_disable_virt();
	wrmsrl(MSR_VM_HSAVE_PA, 0);
	rdmsrl(MSR_EFER, efer);
	wrmsrl(MSR_EFER, efer & ~EFER_SVME);
}

/* The host crashes, and this may be in an NMI; interrupts may be held off by GIF too. */
void svm_cpu_emergency(void)
{
	u64 efer;

	rdmsrl(MSR_EFER, efer);
	if (!(efer & EFER_SVME))
		return;
	asm volatile("stgi");
	wrmsrl(MSR_EFER, efer & ~EFER_SVME);
}

/* Where this CPU's host state goes while a guest runs.  Preemption off. */
hpa_t svm_cpu_host_state(void)
{
	return __sme_set(__pa(this_cpu_ptr(&svm_cpus)->host_state));
}

/* The vCPU's translations here are dropped at its next entry. */
void svm_cpu_flush(struct svm_vcpu *svm)
{
	/* A new identifier tags nothing: as good, where one alone cannot be flushed. */
	if (svm_caps_flush_by_asid())
		svm->flush_asid = true;
	else
		svm->asid_generation = 0;
}

/* Before an entry, preemption off: the vCPU's identifier, and what is dropped from the TLB. */
void svm_cpu_give_asid(struct svm_vcpu *svm)
{
	struct vmcb_control_area *control = &svm->vmcb->control;
	struct svm_cpu *this = this_cpu_ptr(&svm_cpus);

	control->tlb_ctl = TLB_CONTROL_DO_NOTHING;
	if (svm->asid_generation != this->asid_generation) {
		if (this->asid_next >= svm_caps_nr_asids()) {
			this->asid_generation++;
			this->asid_next = 1;
			control->tlb_ctl = TLB_CONTROL_FLUSH_ALL_ASID;
		}
		control->asid = this->asid_next++;
		svm->asid_generation = this->asid_generation;
	} else if (svm->flush_asid) {
		control->tlb_ctl = TLB_CONTROL_FLUSH_ASID;
	}
	svm->flush_asid = false;
}

/* The entry was refused, preemption still off: it may have dropped nothing. */
void svm_cpu_take_asid(struct svm_vcpu *svm)
{
	if (svm->vmcb->control.tlb_ctl == TLB_CONTROL_FLUSH_ALL_ASID)
		this_cpu_write(svm_cpus.asid_next, svm_caps_nr_asids());
	svm->asid_generation = 0;
}

/* The guest's TSC_AUX.  Preemption off. */
void svm_cpu_load_tsc_aux(u64 value)
{
	struct svm_cpu *this = this_cpu_ptr(&svm_cpus);

	if (!svm_caps_tsc_aux() || this->tsc_aux_now == value)
		return;
	wrmsrl(MSR_TSC_AUX, value);
	this->tsc_aux_now = value;
}

/* The host's TSC_AUX.  Preemption off. */
void svm_cpu_put_tsc_aux(void)
{
	svm_cpu_load_tsc_aux(this_cpu_read(svm_cpus.tsc_aux));
}

/* The guest's; the host's own counter is not multiplied.  Preemption off. */
void svm_cpu_load_tsc_ratio(u64 ratio)
{
	struct svm_cpu *this = this_cpu_ptr(&svm_cpus);

	if (!svm_caps_tsc_ratio() || this->tsc_ratio == ratio)
		return;
	wrmsrl(MSR_AMD64_TSC_RATIO, ratio);
	this->tsc_ratio = ratio;
}
