/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a vendor's room (vmx/, svm/) does for the rest.
 *
 * The hooks move state in bulk, enter the guest, and turn a hardware exit into calls of the neutral
 * handlers in x86/.  Policy (which CR, MSR, CPUID values are legal, what is injected) is not
 * theirs.
 */
#ifndef MKVM_X86_VENDOR_H
#define MKVM_X86_VENDOR_H

#include "mkvm.h"

/**
 * struct vendor_ops - one vendor
 * @name: "VMX" or "SVM"
 * @vendor: MKVM_VENDOR_*
 * @vcpu_size: bytes of the vendor's vCPU structure, which begins with struct mkvm_vcpu
 * @pdptrs_are_state: PAE page-directory pointers are loaded by MOV CR and kept (VMX), not re-read
 *	from memory (SVM)
 * @shadows_differ: interrupt shadows of STI and of MOV SS are told apart
 * @has_shadow_paging: guests can run on shadow tables
 * @setup: at load, once; may sleep.  Reads the processor's capabilities, fills @caps for the MMU,
 *	allocates what is per CPU.  -EOPNOTSUPP with a message if the processor lacks something.
 * @teardown: undoes @setup
 * @cpu_check: on the CPU in question, interrupts off: 0; -EOPNOTSUPP (firmware has it off, the CPU
 *	lacks it) or -EBUSY (another hypervisor holds it)
 * @cpu_enable: on that CPU, interrupts off: switch the extension on
 * @cpu_disable: on that CPU, interrupts off: put away every control block that is loaded there, and
 *	switch the extension off
 * @cpu_emergency: the host crashes: in an NMI on that CPU, switch the extension off and touch
 *	nothing else
 * @vcpu_create: may sleep; allocates; the vCPU is loaded by nobody
 * @vcpu_destroy: undoes @vcpu_create; the vCPU is not loaded
 * @vcpu_reset: vcpu->x86 holds reset state, all dirty: bring control fields that no group holds to
 *	their start
 * @vcpu_load: preemption off, on @cpu; @cpu_changed: it was last loaded elsewhere, or its control
 *	block was put away: translations on this CPU are of unknown age
 * @vcpu_put: preemption off; host state that the guest's replaced is back when it returns
 * @state_fetch: the vCPU is loaded: fill the groups in @mask
 * @flush_tlb: preemption off, loaded: drop all translations of this vCPU's guest on this CPU, at
 *	the next entry at the latest
 * @fits_shadow: the vCPU's paging is on, and it is loaded: can the processor run it on shadow
 *	tables in the state in which it is?  If not, or while its paging is off, it runs on the
 *	second table of a VM that has both.  NULL: the processor can at all times
 * @apic_delivers: does the next entry leave interrupts of the vCPU's local APIC to the processor?
 *	NULL: never
 * @enter: interrupts off, loaded.  Stores the groups in x86.dirty, injects x86.event if pending,
 *	arranges for the exits in x86.windows, enters the guest, and fills x86.exit, x86.avail,
 *	x86.gpr and x86.cr2 when it comes back
 * @exit_irqoff: interrupts still off: hand NMI and machine check to the host
 * @handle_exit: >0: enter again; 0: exit to user space, vcpu->run is filled; <0: errno
 * @reason_index: hardware reason to dense index below MKVM_NR_REASONS
 * @index_reason: the inverse
 */
struct vendor_ops {
	const char *name;
	u32 vendor;
	size_t vcpu_size;
	bool pdptrs_are_state;
	bool shadows_differ;
	bool has_shadow_paging;

	int (*setup)(struct mmu_caps *caps);
	void (*teardown)(void);
	int (*cpu_check)(void);
	int (*cpu_enable)(void);
	void (*cpu_disable)(void);
	void (*cpu_emergency)(void);

	int (*vcpu_create)(struct mkvm_vcpu *vcpu);
	void (*vcpu_destroy)(struct mkvm_vcpu *vcpu);
	void (*vcpu_reset)(struct mkvm_vcpu *vcpu);
	void (*vcpu_load)(struct mkvm_vcpu *vcpu, int cpu, bool cpu_changed);
	void (*vcpu_put)(struct mkvm_vcpu *vcpu);
	void (*state_fetch)(struct mkvm_vcpu *vcpu, u32 mask);
	void (*flush_tlb)(struct mkvm_vcpu *vcpu);
	bool (*fits_shadow)(struct mkvm_vcpu *vcpu);
	bool (*apic_delivers)(const struct mkvm_vcpu *vcpu);
	void (*enter)(struct mkvm_vcpu *vcpu);
	void (*exit_irqoff)(struct mkvm_vcpu *vcpu);
	int (*handle_exit)(struct mkvm_vcpu *vcpu);
	u32 (*reason_index)(u32 reason);
	u32 (*index_reason)(u32 index);
};

extern const struct vendor_ops *mkvm_vendor; /* set at load, before anything else can run */
extern const struct vendor_ops vmx_vendor_ops;
extern const struct vendor_ops svm_vendor_ops;

#endif /* MKVM_X86_VENDOR_H */
