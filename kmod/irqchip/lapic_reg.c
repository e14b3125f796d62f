// SPDX-License-Identifier: GPL-2.0-only
/*
 * A local APIC's registers: a page of memory in xAPIC mode, MSRs in x2APIC mode.
 */
#include <linux/nospec.h>
#include <linux/string.h>
#include "irqchip/lapic.h"
#include "x86/x86.h"

#define REG_SELF_IPI 0x3f0
#define MSR_ICR	     (APIC_BASE_MSR + (APIC_ICR >> 4))

/* Reserved bits of x2APIC's ICR */
#define ICR_RESERVED (GENMASK_ULL(31, 20) | GENMASK_ULL(17, 16) | BIT_ULL(13))

/* Bits of a local vector that can be written: vector, mask, and what is listed. */
static u32 lvt_bits(const struct lapic *lapic, unsigned int offset)
{
	u32 bits = APIC_VECTOR_MASK | APIC_LVT_MASKED;

	switch (offset) {
	case APIC_LVTT:
		if (x86_has(lapic->vcpu, FEAT_TSC_DEADLINE))
			bits |= APIC_LVT_TIMER_TSCDEADLINE;
		return bits | APIC_LVT_TIMER_PERIODIC;
	case APIC_LVTTHMR:
	case APIC_LVTPC:
		return bits | APIC_MODE_MASK;
	case APIC_LVT0:
	case APIC_LVT1:
		return bits | APIC_MODE_MASK | APIC_INPUT_POLARITY | APIC_LVT_REMOTE_IRR |
		       APIC_LVT_LEVEL_TRIGGER;
	default:
		return bits;
	}
}

static bool reg_is_vectors(unsigned int offset)
{
	return offset >= APIC_ISR && offset < APIC_ESR;
}

/* Eight registers each: ISR, TMR, IRR. */
static u32 read_vectors(const struct lapic *lapic, unsigned int offset)
{
	unsigned int word = (offset >> 4) & 7;
	const unsigned long *bits = offset < APIC_TMR	? lapic->isr
				    : offset < APIC_IRR ? lapic->tmr
							: lapic->irr;

	return READ_ONCE(bits[word / 2]) >> (word & 1 ? 32 : 0);
}

/* Owner vCPU. */
int lapic_read_reg(struct lapic *lapic, unsigned int offset, u32 *value)
{
	*value = lapic_reg(lapic, offset);
	if (reg_is_vectors(offset)) {
		*value = read_vectors(lapic, offset);
		return 0;
	}
	switch (offset) {
	case APIC_ID:
	case APIC_LVR:
	case APIC_TASKPRI:
	case APIC_LDR:
	case APIC_SPIV:
	case APIC_ESR:
	case APIC_ICR:
	case APIC_LVTT ... APIC_LVTERR:
	case APIC_TMICT:
	case APIC_TDCR:
		return 0;
	case APIC_PROCPRI:
		*value = lapic_ppr(lapic);
		return 0;
	case APIC_TMCCT:
		*value = lapic_timer_count(lapic);
		return 0;
	case APIC_ARBPRI:
	case APIC_DFR:
	case APIC_ICR2:
		return lapic_x2apic(lapic) ? -EINVAL : 0;
	default:
		return -EINVAL;
	}
}

static void send_ipi(struct lapic *lapic, u32 icr, u32 dest)
{
	const struct irq_msg msg = {
		.dest = dest,
		.vector = icr & APIC_VECTOR_MASK,
		.mode = icr & APIC_MODE_MASK,
		.shorthand = icr & APIC_DEST_ALLBUT,
		.logical = icr & APIC_DEST_LOGICAL,
		.level = icr & APIC_INT_LEVELTRIG,
		.deassert = (icr & APIC_INT_LEVELTRIG) && !(icr & APIC_INT_ASSERT),
	};

	/* Level-triggered ones are for INIT alone; their end does nothing. */
	if (!msg.deassert)
		irq_deliver(lapic->vcpu->vm, lapic->vcpu, &msg);
}

static void write_icr(struct lapic *lapic, u32 icr, u32 dest)
{
	lapic_set_reg(lapic, APIC_ICR, icr & ~APIC_ICR_BUSY);
	send_ipi(lapic, icr, dest);
}

static void write_spiv(struct lapic *lapic, u32 value)
{
	u32 known = 0x3ff;
	unsigned int offset;

	if (lapic_reg(lapic, APIC_LVR) & APIC_LVR_DIRECTED_EOI)
		known |= APIC_SPIV_DIRECTED_EOI;
	lapic_set_reg(lapic, APIC_SPIV, value & known);
	if (value & APIC_SPIV_APIC_ENABLED)
		return;
	for (offset = APIC_LVTT; offset <= APIC_LVTERR; offset += 0x10)
		lapic_set_reg(lapic, offset, lapic_reg(lapic, offset) | APIC_LVT_MASKED);
}

static void write_lvt(struct lapic *lapic, unsigned int offset, u32 value)
{
	u32 before = lapic_reg(lapic, offset);

	value &= lvt_bits(lapic, offset);
	if (!(lapic_reg(lapic, APIC_SPIV) & APIC_SPIV_APIC_ENABLED))
		value |= APIC_LVT_MASKED;
	lapic_set_reg(lapic, offset, value);
	if (offset == APIC_LVTT)
		lapic_timer_retime(lapic, before);
	/* The 8259 pair may have waited for LINT0. */
	if (offset == APIC_LVT0)
		mkvm_vcpu_kick(lapic->vcpu);
}

static void write_tdcr(struct lapic *lapic, u32 value)
{
	u32 left = lapic_timer_count(lapic);

	lapic_set_reg(lapic, APIC_TDCR, value & 0xb);
	if (left)
		lapic_timer_restore(lapic, left);
}

/* Registers that one of the two modes has not. */
static int write_mode_reg(struct lapic *lapic, unsigned int offset, u32 value)
{
	if (lapic_x2apic(lapic)) {
		if (offset == APIC_ESR && !value)
			return 0;
		if (offset != REG_SELF_IPI || value & ~APIC_VECTOR_MASK)
			return -EINVAL;
		send_ipi(lapic, APIC_DEST_SELF | (value & APIC_VECTOR_MASK), 0);
		return 0;
	}
	switch (offset) {
	case APIC_ID:
	case APIC_LDR:
	case APIC_ICR2:
		lapic_set_reg(lapic, offset, value & 0xff000000);
		return 0;
	case APIC_DFR:
		lapic_set_reg(lapic, offset, value | 0x0fffffff);
		return 0;
	default:
		return offset == APIC_ESR ? 0 : -EINVAL;
	}
}

/* Owner vCPU, loaded; may sleep. */
int lapic_write_reg(struct lapic *lapic, unsigned int offset, u32 value)
{
	switch (offset) {
	case APIC_TASKPRI:
		lapic_set_tpr(lapic->vcpu, value);
		return 0;
	case APIC_EOI:
		lapic_eoi(lapic);
		return 0;
	case APIC_SPIV:
		write_spiv(lapic, value);
		return 0;
	case APIC_ICR:
		write_icr(lapic, value, lapic_reg(lapic, APIC_ICR2) >> 24);
		return 0;
	case APIC_LVTT ... APIC_LVTERR:
		write_lvt(lapic, offset, value);
		return 0;
	case APIC_TMICT:
		if (lapic_reg(lapic, APIC_LVTT) & APIC_LVT_TIMER_TSCDEADLINE)
			return 0;
		lapic_set_reg(lapic, APIC_TMICT, value);
		lapic_timer_start(lapic);
		return 0;
	case APIC_TDCR:
		write_tdcr(lapic, value);
		return 0;
	default:
		return write_mode_reg(lapic, offset, value);
	}
}

/* Is that in the page of the vCPU's own registers? */
bool lapic_has_gpa(const struct mkvm_vcpu *vcpu, u64 gpa)
{
	const struct lapic *lapic = vcpu->lapic;

	return lapic && lapic_present(lapic) && !lapic_x2apic(lapic) &&
	       gpa >> PAGE_SHIFT == vcpu->x86.apic_base >> PAGE_SHIFT;
}

/* A part of one register, which is aligned. */
void lapic_mmio_read(struct lapic *lapic, u64 gpa, void *data, unsigned int len)
{
	unsigned int offset = gpa & ~PAGE_MASK, at = offset & 0xf;
	u32 value = 0;

	memset(data, 0, len);
	if (at + len > sizeof(value) || offset >= 0x400 ||
	    lapic_read_reg(lapic, offset & 0x3f0, &value))
		return;
	memcpy(data, (u8 *)&value + at, len);
}

/* Of stores only those of a whole register count. */
void lapic_mmio_write(struct lapic *lapic, u64 gpa, const void *data, unsigned int len)
{
	unsigned int offset = gpa & ~PAGE_MASK;
	u32 value;

	if (len != sizeof(value) || offset & 0xf || offset >= 0x400)
		return;
	memcpy(&value, data, sizeof(value));
	/* What is no register takes anything. */
	if (lapic_write_reg(lapic, offset & 0x3f0, value))
		return;
}

/* The guest's number, below APIC_BASE_MSR + 0x40. */
static unsigned int msr_offset(u32 index)
{
	return array_index_nospec(index - APIC_BASE_MSR, 0x40) << 4;
}

/* RDMSR, WRMSR: 0, or -EINVAL: #GP. */
int lapic_msr_read(struct mkvm_vcpu *vcpu, u32 index, u64 *value)
{
	struct lapic *lapic = vcpu->lapic;
	u32 low;
	int r;

	if (!lapic || !lapic_x2apic(lapic) || index >= APIC_BASE_MSR + 0x40)
		return -EINVAL;
	r = lapic_read_reg(lapic, msr_offset(index), &low);
	*value = low;
	if (index == MSR_ICR)
		*value |= (u64)lapic->icr2 << 32;
	return r;
}

int lapic_msr_write(struct mkvm_vcpu *vcpu, u32 index, u64 value)
{
	struct lapic *lapic = vcpu->lapic;

	if (!lapic || !lapic_x2apic(lapic) || index >= APIC_BASE_MSR + 0x40)
		return -EINVAL;
	if (index == MSR_ICR) {
		if (value & ICR_RESERVED)
			return -EINVAL;
		lapic->icr2 = value >> 32;
		write_icr(lapic, value, lapic->icr2);
		return 0;
	}
	if (value >> 32)
		return -EINVAL;
	return lapic_write_reg(lapic, msr_offset(index), value);
}
