/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A local APIC.
 *
 * Its registers are the owner vCPU's, who alone writes them; others read what decides whether an
 * interrupt is for it, and put that into IRR and TMR, whose bits are atomic.
 */
#ifndef MKVM_IRQCHIP_LAPIC_H
#define MKVM_IRQCHIP_LAPIC_H

#include <linux/hrtimer.h>
#include <linux/types.h>
#include <asm/apicdef.h>
#include "mkvm.h"

#define LAPIC_VECTORS 256

/* Bits of struct lapic.events */
#define LAPIC_INIT 0
#define LAPIC_SIPI 1

/**
 * struct lapic - a local APIC
 * @vcpu: immutable
 * @regs: registers by offset / 16, but for IRR, ISR and TMR; written by the owner vCPU
 * @icr2: upper half of ICR of x2APIC; owner vCPU
 * @irr: vectors that wait; atomic bits
 * @tmr: those of them, and of @isr, that are level-triggered; atomic bits
 * @isr: vectors in service; owner vCPU
 * @told: vectors whose end somebody outside has to know; atomic bits
 * @changed: @regs are not what the virtual-APIC page has; owner vCPU
 * @events: LAPIC_INIT, LAPIC_SIPI; atomic bits
 * @sipi_vector: written before LAPIC_SIPI is set
 * @kicked: another vCPU's hypercall ends the next HLT, or the one that it is in; set by anyone
 * @turns: interrupts got by arbitration among several; anyone
 * @timer: of LVTT; its callback runs anywhere
 * @paused: between lapic_timer_pause() and _resume(): the timer was to fire; owner vCPU
 * @period: of the timer, in ns; 0: it fires once.  Written while it is stopped
 * @target: when it fires next, or would have; written while it is stopped, and by its callback
 * @deadline: of TSC-deadline mode: when, in the guest's TSC; 0: not armed.  Owner vCPU, and cleared
 *	by the callback
 * @external: split: the vector that user space has handed over, or -1; owner vCPU
 * @eoi_exit: split: the vector whose EOI user space has to know, or -1; owner vCPU
 */
struct lapic {
	struct mkvm_vcpu *vcpu;
	u32 regs[64];
	u32 icr2;
	DECLARE_BITMAP(irr, LAPIC_VECTORS);
	DECLARE_BITMAP(tmr, LAPIC_VECTORS);
	DECLARE_BITMAP(isr, LAPIC_VECTORS);
	DECLARE_BITMAP(told, LAPIC_VECTORS);
	bool changed;
	unsigned long events;
	u8 sipi_vector;
	bool kicked;
	unsigned int turns;
	struct hrtimer timer;
	bool paused;
	u64 period;
	ktime_t target;
	u64 deadline;
	int external;
	int eoi_exit;
};

static inline u32 lapic_reg(const struct lapic *lapic, unsigned int offset)
{
	return READ_ONCE(lapic->regs[offset >> 4]);
}

static inline void lapic_set_reg(struct lapic *lapic, unsigned int offset, u32 value)
{
	lapic->changed = true;
	WRITE_ONCE(lapic->regs[offset >> 4], value);
}

static inline bool lapic_x2apic(const struct lapic *lapic)
{
	return READ_ONCE(lapic->vcpu->x86.apic_base) & X2APIC_ENABLE;
}

/* Switched on by the APIC base register. */
static inline bool lapic_present(const struct lapic *lapic)
{
	return READ_ONCE(lapic->vcpu->x86.apic_base) & MSR_IA32_APICBASE_ENABLE;
}

/* And by the spurious vector register. */
static inline bool lapic_enabled(const struct lapic *lapic)
{
	return lapic_present(lapic) && (lapic_reg(lapic, APIC_SPIV) & APIC_SPIV_APIC_ENABLED);
}

/* lapic.c */
int lapic_create(struct mkvm_vcpu *vcpu) __must_check;
void lapic_destroy(struct mkvm_vcpu *vcpu);
void lapic_reset(struct mkvm_vcpu *vcpu);
void lapic_base_changed(struct mkvm_vcpu *vcpu, u64 old);
bool lapic_accept(struct lapic *lapic, const struct irq_msg *msg);
bool lapic_raise_lvt(struct lapic *lapic, unsigned int offset);
bool lapic_takes_pic(const struct mkvm_vcpu *vcpu);
u8 lapic_ppr(const struct lapic *lapic);
int lapic_pending(const struct lapic *lapic);
int lapic_take(struct lapic *lapic);
int lapic_in_service(const struct lapic *lapic);
void lapic_eoi(struct lapic *lapic);
void lapic_ended(struct lapic *lapic, u8 vector);
u8 lapic_tpr_threshold(const struct lapic *lapic);
u8 lapic_tpr(const struct mkvm_vcpu *vcpu);
void lapic_set_tpr(struct mkvm_vcpu *vcpu, u8 tpr);
bool lapic_eoi_exit(struct mkvm_vcpu *vcpu);

/* lapic_reg.c: 0, or -EINVAL: no such register, or not this value */
int lapic_read_reg(struct lapic *lapic, unsigned int offset, u32 *value) __must_check;
int lapic_write_reg(struct lapic *lapic, unsigned int offset, u32 value) __must_check;
bool lapic_has_gpa(const struct mkvm_vcpu *vcpu, u64 gpa);
void lapic_mmio_read(struct lapic *lapic, u64 gpa, void *data, unsigned int len);
void lapic_mmio_write(struct lapic *lapic, u64 gpa, const void *data, unsigned int len);
int lapic_msr_read(struct mkvm_vcpu *vcpu, u32 index, u64 *value) __must_check;
int lapic_msr_write(struct mkvm_vcpu *vcpu, u32 index, u64 value) __must_check;

/* lapic_state.c */
int lapic_get(struct mkvm_vcpu *vcpu, struct kvm_lapic_state *state) __must_check;
int lapic_put(struct mkvm_vcpu *vcpu, const struct kvm_lapic_state *state) __must_check;

/* lapic_access.c */
int lapic_access_create(struct mkvm *vm) __must_check;
void lapic_access_destroy(struct mkvm *vm);
void lapic_access_follow(struct mkvm_vcpu *vcpu);
bool lapic_access_is_on(const struct mkvm_vcpu *vcpu);

/* lapic_virtual.c; owner vCPU, interrupts off */
u16 lapic_virtual_enter(struct lapic *lapic, u8 *page);
void lapic_virtual_exit(struct lapic *lapic, const u8 *page);

/* lapic_timer.c; owner vCPU */
void lapic_timer_init(struct lapic *lapic);
void lapic_timer_stop(struct lapic *lapic);
void lapic_timer_start(struct lapic *lapic);
void lapic_timer_restore(struct lapic *lapic, u32 count);
void lapic_timer_restore_deadline(struct mkvm_vcpu *vcpu);
u32 lapic_timer_pause(struct lapic *lapic) __must_check;
void lapic_timer_resume(struct lapic *lapic);
u32 lapic_timer_count(struct lapic *lapic);
u64 lapic_deadline(const struct mkvm_vcpu *vcpu);
void lapic_set_deadline(struct mkvm_vcpu *vcpu, u64 deadline);
void lapic_timer_retime(struct lapic *lapic, u32 lvtt_before);

#endif /* MKVM_IRQCHIP_LAPIC_H */
