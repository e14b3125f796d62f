// SPDX-License-Identifier: GPL-2.0-only
/*
 * The I/O APIC: 24 pins, each with an entry that says which interrupt it sends where.
 *
 * A level-triggered pin that has sent waits for the end of its interrupt (remote IRR); if its line
 * is still up then, it sends again.  Who listens to ends is told without the lock.
 */
#include <linux/nospec.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/string.h>
#include "irqchip/lapic.h"

#define IOAPIC_SIZE    0x100
#define IOAPIC_VERSION 0x11

/* The page's registers */
#define REG_SELECT 0x00
#define REG_WINDOW 0x10

/* What the window shows */
#define WINDOW_ID      0x00
#define WINDOW_VERSION 0x01
#define WINDOW_ARB     0x02
#define WINDOW_ENTRIES 0x10

/* An entry's bits that the guest cannot write: delivery status, remote IRR */
#define ENTRY_READ_ONLY	 (BIT_ULL(12) | ENTRY_REMOTE_IRR)
#define ENTRY_LOGICAL	 BIT_ULL(11)
#define ENTRY_REMOTE_IRR BIT_ULL(14)
#define ENTRY_LEVEL	 BIT_ULL(15)
#define ENTRY_MASKED	 BIT_ULL(16)
#define ENTRY_KNOWN	 (GENMASK_ULL(63, 56) | GENMASK_ULL(16, 0))

/**
 * struct ioapic - an I/O APIC
 * @vm: immutable
 * @lock: all that follows; taken with interrupts off
 * @select: which register the window shows
 * @id: in bits 27:24
 * @irr: pins whose line is up
 * @used: of these, those whose edge has been sent
 * @entries: one for each pin
 * @sources: who holds each line up: bits by enum irq_source
 */
struct ioapic {
	struct mkvm *vm;
	spinlock_t lock;
	u8 select;
	u32 id;
	u32 irr;
	u32 used;
	u64 entries[IRQ_IOAPIC_PINS];
	u8 sources[IRQ_IOAPIC_PINS];
};

struct ioapic *ioapic_create(struct mkvm *vm)
{
	struct ioapic *ioapic = kzalloc(sizeof(*ioapic), GFP_KERNEL_ACCOUNT);
	unsigned int pin;

	if (!ioapic)
		return NULL;
	ioapic->vm = vm;
	spin_lock_init(&ioapic->lock);
	for (pin = 0; pin < IRQ_IOAPIC_PINS; pin++)
		ioapic->entries[pin] = ENTRY_MASKED;
	return ioapic;
}

void ioapic_destroy(struct ioapic *ioapic)
{
	kfree(ioapic);
}

/* For its end.  What user space has set on an edge's entry is of no account. */
static bool entry_waits(u64 entry)
{
	return (entry & (ENTRY_LEVEL | ENTRY_REMOTE_IRR)) == (ENTRY_LEVEL | ENTRY_REMOTE_IRR);
}

/* Sends what @pin asks for.  -1: not now; else by how many it was taken. */
static int ioapic_send(struct ioapic *ioapic, unsigned int pin)
{
	u64 entry = ioapic->entries[pin];
	const struct irq_msg msg = {
		.dest = entry >> 56,
		.vector = entry & APIC_VECTOR_MASK,
		.mode = entry & APIC_MODE_MASK,
		.logical = entry & ENTRY_LOGICAL,
		.level = entry & ENTRY_LEVEL,
		.told = irq_is_awaited(ioapic->vm, KVM_IRQCHIP_IOAPIC, pin),
	};
	int taken;

	lockdep_assert_held(&ioapic->lock);
	if (entry & ENTRY_MASKED || entry_waits(entry))
		return -1;
	if (!msg.level)
		ioapic->used |= BIT(pin);
	taken = irq_deliver(ioapic->vm, NULL, &msg);
	if (taken > 0 && msg.level)
		ioapic->entries[pin] |= ENTRY_REMOTE_IRR;
	return taken;
}

/* Any context but an NMI.  -1: masked; 0: nobody's, or it waits already; else how many took it. */
int ioapic_set_line(struct ioapic *ioapic, enum irq_source source, unsigned int pin, bool level)
{
	unsigned long flags;
	bool was;
	int r = 1;

	spin_lock_irqsave(&ioapic->lock, flags);
	if (level)
		ioapic->sources[pin] |= BIT(source);
	else
		ioapic->sources[pin] &= ~BIT(source);
	was = ioapic->irr & BIT(pin);
	if (!ioapic->sources[pin]) {
		ioapic->irr &= ~BIT(pin);
		ioapic->used &= ~BIT(pin);
	} else {
		ioapic->irr |= BIT(pin);
		if (was && !(ioapic->entries[pin] & ENTRY_LEVEL))
			r = 0;
		else
			r = ioapic_send(ioapic, pin);
	}
	spin_unlock_irqrestore(&ioapic->lock, flags);
	return r;
}

/* The interrupt of @pin has ended; its line may still be up. */
static void ioapic_end(struct ioapic *ioapic, unsigned int pin)
{
	unsigned long flags;

	spin_lock_irqsave(&ioapic->lock, flags);
	if (ioapic->entries[pin] & ENTRY_LEVEL) {
		ioapic->entries[pin] &= ~ENTRY_REMOTE_IRR;
		if (ioapic->irr & BIT(pin))
			ioapic_send(ioapic, pin);
	}
	spin_unlock_irqrestore(&ioapic->lock, flags);
}

/*
 * A processor has ended @vector, which was triggered by @level.  @directed: its end is told by the
 * register for it.  The caller may sleep.
 */
void ioapic_eoi(struct ioapic *ioapic, u8 vector, bool level, bool directed)
{
	unsigned long flags;
	unsigned int pin;
	u32 pins = 0;

	spin_lock_irqsave(&ioapic->lock, flags);
	for (pin = 0; pin < IRQ_IOAPIC_PINS; pin++)
		if ((ioapic->entries[pin] & APIC_VECTOR_MASK) == vector)
			pins |= BIT(pin);
	spin_unlock_irqrestore(&ioapic->lock, flags);
	for (pin = 0; pins; pin++, pins >>= 1) {
		if (!(pins & 1))
			continue;
		irq_acked(ioapic->vm, KVM_IRQCHIP_IOAPIC, pin);
		if (level && !directed)
			ioapic_end(ioapic, pin);
	}
}

bool ioapic_has_gpa(u64 gpa)
{
	return gpa >= IO_APIC_DEFAULT_PHYS_BASE && gpa < IO_APIC_DEFAULT_PHYS_BASE + IOAPIC_SIZE;
}

static u32 window_read(const struct ioapic *ioapic)
{
	unsigned int pin = (ioapic->select - WINDOW_ENTRIES) >> 1;

	switch (ioapic->select) {
	case WINDOW_ID:
	case WINDOW_ARB:
		return ioapic->id;
	case WINDOW_VERSION:
		return IOAPIC_VERSION | (IRQ_IOAPIC_PINS - 1) << 16;
	default:
		break;
	}
	if (ioapic->select < WINDOW_ENTRIES || pin >= IRQ_IOAPIC_PINS)
		return ~0u;
	return ioapic->entries[array_index_nospec(pin, IRQ_IOAPIC_PINS)] >>
	       (ioapic->select & 1 ? 32 : 0);
}

static void entry_write(struct ioapic *ioapic, unsigned int pin, bool high, u32 value)
{
	u64 *entry = &ioapic->entries[pin], now = *entry;

	if (high)
		now = (u32)now | (u64)value << 32;
	else
		now = (now & (GENMASK_ULL(63, 32) | ENTRY_READ_ONLY)) |
		      (value & ~(u32)ENTRY_READ_ONLY);
	now &= ENTRY_KNOWN;
	/* Guests get rid of a remote IRR that hangs by making the pin edge-triggered. */
	if (!(now & ENTRY_LEVEL))
		now &= ~ENTRY_REMOTE_IRR;
	*entry = now;
}

/* The pin whose entry was written, or -1; @opened: it is not masked any more. */
static int window_write(struct ioapic *ioapic, u32 value, bool *opened)
{
	unsigned int pin = (ioapic->select - WINDOW_ENTRIES) >> 1;
	u64 before;

	if (ioapic->select == WINDOW_ID)
		ioapic->id = value & 0x0f000000;
	if (ioapic->select < WINDOW_ENTRIES || pin >= IRQ_IOAPIC_PINS)
		return -1;
	pin = array_index_nospec(pin, IRQ_IOAPIC_PINS);
	before = ioapic->entries[pin];
	entry_write(ioapic, pin, ioapic->select & 1, value);
	*opened = before & ~ioapic->entries[pin] & ENTRY_MASKED;
	return pin;
}

/* A register, 16 bytes apart, of which the low bytes are read. */
void ioapic_read(struct ioapic *ioapic, u64 gpa, void *data, unsigned int len)
{
	unsigned long flags;
	u64 value = 0;

	memset(data, 0, len);
	if (gpa & (len - 1))
		return;
	spin_lock_irqsave(&ioapic->lock, flags);
	switch (gpa & 0xf0) {
	case REG_SELECT:
		value = ioapic->select;
		break;
	case REG_WINDOW:
		value = window_read(ioapic);
		break;
	}
	spin_unlock_irqrestore(&ioapic->lock, flags);
	memcpy(data, &value, min_t(unsigned int, len, sizeof(value)));
}

/*
 * The entry of @pin has changed: a level-triggered line that is up may be sent now.  If it is a
 * descriptor's with a resample descriptor the device may have let go of it long ago: it is asked
 * to say it again.
 */
static void ioapic_send_again(struct ioapic *ioapic, unsigned int pin)
{
	unsigned long flags;

	if (irq_pin_has_resampler(ioapic->vm, KVM_IRQCHIP_IOAPIC, pin))
		irq_acked(ioapic->vm, KVM_IRQCHIP_IOAPIC, pin);
	spin_lock_irqsave(&ioapic->lock, flags);
	if ((ioapic->irr & BIT(pin)) && (ioapic->entries[pin] & ENTRY_LEVEL))
		ioapic_send(ioapic, pin);
	spin_unlock_irqrestore(&ioapic->lock, flags);
}

static bool ioapic_can_send_again(const struct ioapic *ioapic, unsigned int pin)
{
	u64 entry = ioapic->entries[pin];

	return (ioapic->irr & BIT(pin)) && (entry & ENTRY_LEVEL) &&
	       !(entry & (ENTRY_MASKED | ENTRY_REMOTE_IRR));
}

void ioapic_write(struct ioapic *ioapic, u64 gpa, const void *data, unsigned int len)
{
	bool opened = false, again = false;
	unsigned long flags;
	u32 value = 0;
	int pin = -1;

	if (gpa & 0xf)
		return;
	memcpy(&value, data, min_t(unsigned int, len, sizeof(value)));
	spin_lock_irqsave(&ioapic->lock, flags);
	switch (gpa & 0xf0) {
	case REG_SELECT:
		ioapic->select = value;
		break;
	case REG_WINDOW:
		pin = window_write(ioapic, value, &opened);
		again = pin >= 0 && ioapic_can_send_again(ioapic, pin);
		break;
	}
	spin_unlock_irqrestore(&ioapic->lock, flags);
	if (opened)
		irq_opened(ioapic->vm, KVM_IRQCHIP_IOAPIC, pin);
	if (again)
		ioapic_send_again(ioapic, pin);
}

/* Pins whose line has yet to be sent, now or when their entry lets it. */
static u32 ioapic_unsent(const struct ioapic *ioapic)
{
	u32 unsent = ioapic->irr;
	unsigned int pin;

	for (pin = 0; pin < IRQ_IOAPIC_PINS; pin++)
		if (!(ioapic->entries[pin] & ENTRY_LEVEL))
			unsent &= ~(ioapic->used & BIT(pin));
	return unsent;
}

/* KVM_GET_IRQCHIP.  An edge that has been sent is not told, or it would be sent again. */
void ioapic_get(struct ioapic *ioapic, struct kvm_ioapic_state *state)
{
	unsigned long flags;
	unsigned int pin;

	memset(state, 0, sizeof(*state));
	spin_lock_irqsave(&ioapic->lock, flags);
	state->base_address = IO_APIC_DEFAULT_PHYS_BASE;
	state->ioregsel = ioapic->select;
	state->id = ioapic->id >> 24;
	state->irr = ioapic_unsent(ioapic);
	for (pin = 0; pin < IRQ_IOAPIC_PINS; pin++)
		state->redirtbl[pin].bits = ioapic->entries[pin];
	spin_unlock_irqrestore(&ioapic->lock, flags);
}

/* KVM_SET_IRQCHIP.  Lines that are up are sent: their edge was not used up. */
void ioapic_put(struct ioapic *ioapic, const struct kvm_ioapic_state *state)
{
	unsigned long flags;
	unsigned int pin;

	spin_lock_irqsave(&ioapic->lock, flags);
	ioapic->select = state->ioregsel;
	ioapic->id = (state->id & 0xf) << 24;
	ioapic->irr = 0;
	ioapic->used = 0;
	for (pin = 0; pin < IRQ_IOAPIC_PINS; pin++)
		ioapic->entries[pin] = state->redirtbl[pin].bits & ENTRY_KNOWN;
	for (pin = 0; pin < IRQ_IOAPIC_PINS; pin++) {
		if (!(state->irr & BIT(pin)))
			continue;
		ioapic->irr |= BIT(pin);
		ioapic_send(ioapic, pin);
	}
	spin_unlock_irqrestore(&ioapic->lock, flags);
}
