// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM_GET_LAPIC and KVM_SET_LAPIC: a local APIC as the page of its registers.
 */
#include <linux/string.h>
#include "irqchip/lapic.h"

static u32 state_reg(const struct kvm_lapic_state *state, unsigned int offset)
{
	u32 value;

	memcpy(&value, state->regs + offset, sizeof(value));
	return value;
}

static void state_set_reg(struct kvm_lapic_state *state, unsigned int offset, u32 value)
{
	memcpy(state->regs + offset, &value, sizeof(value));
}

/*
 * The owner vCPU, loaded.  0, or -EINVAL: there is none.  The timer is stopped meanwhile, so that
 * its interrupt is either still to come or in IRR.  May sleep.
 */
int lapic_get(struct mkvm_vcpu *vcpu, struct kvm_lapic_state *state)
{
	struct lapic *lapic = vcpu->lapic;
	unsigned int offset;
	u32 value, left;

	if (!lapic)
		return -EINVAL;
	left = lapic_timer_pause(lapic);
	memset(state, 0, sizeof(*state));
	for (offset = 0; offset < sizeof(state->regs); offset += 0x10)
		if (!lapic_read_reg(lapic, offset, &value))
			state_set_reg(state, offset, value);
	/* Due or not, what has not fired has something left. */
	if (left && !state_reg(state, APIC_TMCCT) && lapic_reg(lapic, APIC_TMICT))
		state_set_reg(state, APIC_TMCCT, 1);
	lapic_timer_resume(lapic);
	if (!lapic_x2apic(lapic))
		return 0;
	state_set_reg(state, APIC_ICR2, lapic->icr2);
	/* User space that knows no wide IDs finds them where those of xAPIC are. */
	if (!vcpu->vm->irqchip.x2apic_ids)
		state_set_reg(state, APIC_ID, vcpu->id << 24);
	return 0;
}

/* An ID that is not the guest's to choose must be right. */
static bool state_id_is_valid(const struct mkvm_vcpu *vcpu, const struct kvm_lapic_state *state)
{
	u32 id = state_reg(state, APIC_ID);

	if (!lapic_x2apic(vcpu->lapic) || !vcpu->vm->irqchip.x2apic_ids)
		return true;
	return id == vcpu->id;
}

static void state_put_vectors(const struct kvm_lapic_state *state, unsigned int offset,
			      unsigned long *bits)
{
	u64 words[LAPIC_VECTORS / 64];
	unsigned int i;

	for (i = 0; i < LAPIC_VECTORS / 64; i++)
		words[i] = state_reg(state, offset + 0x20 * i) |
			   (u64)state_reg(state, offset + 0x20 * i + 0x10) << 32;
	bitmap_from_arr64(bits, words, LAPIC_VECTORS);
}

static void state_put_ids(struct lapic *lapic, const struct kvm_lapic_state *state)
{
	u32 id = lapic->vcpu->id;

	if (!lapic_x2apic(lapic)) {
		lapic_set_reg(lapic, APIC_ID, state_reg(state, APIC_ID));
		lapic_set_reg(lapic, APIC_LDR, state_reg(state, APIC_LDR));
		lapic_set_reg(lapic, APIC_ICR2, state_reg(state, APIC_ICR2));
		return;
	}
	lapic_set_reg(lapic, APIC_ID, id);
	lapic_set_reg(lapic, APIC_LDR, (id >> 4) << 16 | 1u << (id & 0xf));
	lapic->icr2 = state_reg(state, APIC_ICR2);
}

/* The owner vCPU, loaded.  0, or -EINVAL with nothing changed.  May sleep. */
int lapic_put(struct mkvm_vcpu *vcpu, const struct kvm_lapic_state *state)
{
	static const u16 plain[] = {
		APIC_DFR,   APIC_SPIV, APIC_ESR,  APIC_ICR,    APIC_LVTT,  APIC_LVTTHMR,
		APIC_LVTPC, APIC_LVT0, APIC_LVT1, APIC_LVTERR, APIC_TMICT, APIC_TDCR,
	};
	struct lapic *lapic = vcpu->lapic;
	unsigned int i;

	if (!lapic || !state_id_is_valid(vcpu, state))
		return -EINVAL;
	lapic_timer_stop(lapic);
	for (i = 0; i < ARRAY_SIZE(plain); i++)
		lapic_set_reg(lapic, plain[i], state_reg(state, plain[i]));
	state_put_ids(lapic, state);
	lapic_set_tpr(vcpu, state_reg(state, APIC_TASKPRI));
	state_put_vectors(state, APIC_ISR, lapic->isr);
	state_put_vectors(state, APIC_TMR, lapic->tmr);
	state_put_vectors(state, APIC_IRR, lapic->irr);
	/* Who waits for an end is not part of the state: nobody is forgotten. */
	bitmap_or(lapic->told, lapic->irr, lapic->isr, LAPIC_VECTORS);
	lapic_timer_restore(lapic, state_reg(state, APIC_TMCCT));
	lapic_timer_restore_deadline(vcpu);
	mkvm_vcpu_kick(vcpu);
	return 0;
}
