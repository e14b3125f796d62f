// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the processor does of the guest's local APIC: it keeps TPR, which the guest reads and writes
 * by CR8 (V_TPR).  Writes are exits while TPR holds up an interrupt: a lower one may let it in.
 */
#include "irqchip/lapic.h"
#include "svm/svm.h"

/* The window for interrupts has been chosen, and the rest of int_ctl with it. */
void svm_apic_enter(struct svm_vcpu *svm)
{
	struct lapic *lapic = svm->vcpu.lapic;

	if (!lapic)
		return;
	svm->vmcb->control.int_ctl |= lapic_tpr(&svm->vcpu) >> 4;
	svm_intercept_clear(svm->vmcb, INTERCEPT_CR8_READ);
	if (lapic_tpr_threshold(lapic))
		svm_intercept_set(svm->vmcb, INTERCEPT_CR8_WRITE);
	else
		svm_intercept_clear(svm->vmcb, INTERCEPT_CR8_WRITE);
}

/* V_TPR is the class alone: what the guest has not written is kept whole. */
void svm_apic_exit(struct svm_vcpu *svm)
{
	u8 class = svm->vmcb->control.int_ctl & V_TPR_MASK;

	if (svm->vcpu.lapic && class != lapic_tpr(&svm->vcpu) >> 4)
		lapic_set_tpr(&svm->vcpu, class << 4);
}
