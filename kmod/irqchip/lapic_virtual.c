// SPDX-License-Identifier: GPL-2.0-only
/*
 * A local APIC that is the processor's while the guest runs: virtual-interrupt delivery (SDM volume
 * 3, "APIC Virtualization and Virtual Interrupts").
 *
 * Entry hands over what waits and what is in service, exit takes it back: outside of guest mode
 * struct lapic is whole, as without the processor's help.  What comes meanwhile waits in IRR, and
 * the kick that follows it has the vCPU enter again.
 */
#include <linux/atomic.h>
#include "irqchip/lapic.h"

#define NR_WORDS (LAPIC_VECTORS / BITS_PER_LONG)

/* Registers of 32 bits, 16 bytes apart: each of our words is two. */
static u64 page_word(const u8 *page, unsigned int offset, unsigned int i)
{
	const u32 *low = (const u32 *)(page + offset + i * 0x20);

	return READ_ONCE(low[0]) | (u64)READ_ONCE(low[4]) << 32;
}

static void page_set_word(u8 *page, unsigned int offset, unsigned int i, u64 bits)
{
	u32 *low = (u32 *)(page + offset + i * 0x20);

	WRITE_ONCE(low[0], bits);
	WRITE_ONCE(low[4], bits >> 32);
}

static void page_set_regs(u8 *page, const struct lapic *lapic)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(lapic->regs); i++)
		WRITE_ONCE(*(u32 *)(page + (i << 4)), lapic->regs[i]);
}

/* The highest vector of both, as the VMCS has them: what is in service << 8 | what waits. */
u16 lapic_virtual_enter(struct lapic *lapic, u8 *page)
{
	u8 waits = 0, in_service = 0;
	unsigned int i;
	u64 irr, isr;

	if (lapic->changed)
		page_set_regs(page, lapic);
	lapic->changed = false;
	for (i = 0; i < NR_WORDS; i++) {
		irr = READ_ONCE(lapic->irr[i]) ? xchg(&lapic->irr[i], 0) : 0;
		isr = lapic->isr[i];
		page_set_word(page, APIC_IRR, i, irr);
		page_set_word(page, APIC_ISR, i, isr);
		page_set_word(page, APIC_TMR, i, READ_ONCE(lapic->tmr[i]));
		if (irr)
			waits = i * 64 + __fls(irr);
		if (isr)
			in_service = i * 64 + __fls(isr);
	}
	return in_service << 8 | waits;
}

/* What a guest writes in xAPIC mode without an exit: an interrupt to itself, and a destination. */
static void page_get_icr(const u8 *page, struct lapic *lapic)
{
	WRITE_ONCE(lapic->regs[APIC_ICR >> 4], READ_ONCE(*(const u32 *)(page + APIC_ICR)));
	WRITE_ONCE(lapic->regs[APIC_ICR2 >> 4], READ_ONCE(*(const u32 *)(page + APIC_ICR2)));
}

void lapic_virtual_exit(struct lapic *lapic, const u8 *page)
{
	unsigned int i;
	u64 irr;

	page_get_icr(page, lapic);
	for (i = 0; i < NR_WORDS; i++) {
		lapic->isr[i] = page_word(page, APIC_ISR, i);
		irr = page_word(page, APIC_IRR, i);
		if (irr)
			atomic_long_or(irr, (atomic_long_t *)&lapic->irr[i]);
	}
}
