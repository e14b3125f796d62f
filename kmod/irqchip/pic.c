// SPDX-License-Identifier: GPL-2.0-only
/*
 * The pair of 8259 interrupt controllers, and their edge/level registers (ELCR).
 *
 * The slave's output is the master's pin 2.  The master's output goes to the vCPUs whose LINT0 is
 * open for it, or whose local APIC is off; the one that takes it acknowledges.
 */
#include <linux/bitops.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include "irqchip/lapic.h"

#define PIC_CASCADE  2
#define PIC_SPURIOUS 7

/* Pins that are edge-triggered whatever ELCR says: timer, keyboard, cascade; clock, coprocessor. */
#define PIC_MASTER_ELCR 0xf8
#define PIC_SLAVE_ELCR	0xde

/* Initialisation word 1, and operation words 2 and 3 */
#define ICW1_INIT     0x10
#define ICW1_NEED4    0x01
#define OCW3	      0x08
#define OCW3_POLL     0x04
#define OCW3_READ     0x02
#define OCW3_READ_ISR 0x01
#define OCW3_SMM      0x40
#define OCW3_SMM_SET  0x20

/**
 * struct pic_chip - one of the two
 * @s: as user space saves it; pic.lock
 * @elcr_mask: pins that may be level-triggered; immutable
 * @sources: who holds each pin up: bits by enum irq_source; pic.lock
 */
struct pic_chip {
	struct kvm_pic_state s;
	u8 elcr_mask;
	u8 sources[8];
};

/**
 * struct pic - the pair
 * @vm: immutable
 * @lock: taken with interrupts off
 * @chips: master and slave; @lock
 * @output: the master's; written under @lock
 */
struct pic {
	struct mkvm *vm;
	spinlock_t lock;
	struct pic_chip chips[2];
	bool output;
};

struct pic *pic_create(struct mkvm *vm)
{
	struct pic *pic = kzalloc(sizeof(*pic), GFP_KERNEL_ACCOUNT);

	if (!pic)
		return NULL;
	pic->vm = vm;
	spin_lock_init(&pic->lock);
	pic->chips[0].elcr_mask = PIC_MASTER_ELCR;
	pic->chips[1].elcr_mask = PIC_SLAVE_ELCR;
	return pic;
}

void pic_destroy(struct pic *pic)
{
	kfree(pic);
}

/* Place of the highest of @mask in the order that rotation has made; 8: there is none. */
static unsigned int pic_priority(const struct kvm_pic_state *s, u8 mask)
{
	unsigned int i;

	for (i = 0; i < 8; i++)
		if (mask & BIT((i + s->priority_add) & 7))
			break;
	return i;
}

/* The pin whose interrupt may be taken now, or -1. */
static int pic_chip_pending(const struct pic *pic, unsigned int which)
{
	const struct kvm_pic_state *s = &pic->chips[which].s;
	unsigned int wants = pic_priority(s, s->irr & ~s->imr);
	u8 in_service = s->isr;

	if (wants == 8)
		return -1;
	/* In special fully nested mode the slave may interrupt itself. */
	if (s->special_fully_nested_mode && which == 0)
		in_service &= ~BIT(PIC_CASCADE);
	if (s->special_mask)
		in_service &= ~s->imr;
	if (wants >= pic_priority(s, in_service))
		return -1;
	return (wants + s->priority_add) & 7;
}

static void pic_chip_set_pin(struct kvm_pic_state *s, unsigned int pin, bool level)
{
	u8 mask = BIT(pin);

	if (!level) {
		s->last_irr &= ~mask;
		if (s->elcr & mask)
			s->irr &= ~mask;
		return;
	}
	if ((s->elcr & mask) || !(s->last_irr & mask))
		s->irr |= mask;
	s->last_irr |= mask;
}

/* Interrupts have come or gone.  True: vCPUs have to be told. */
static bool pic_update(struct pic *pic)
{
	struct kvm_pic_state *master = &pic->chips[0].s;
	bool slave, before = pic->output;

	lockdep_assert_held(&pic->lock);
	slave = pic_chip_pending(pic, 1) >= 0;
	pic_chip_set_pin(master, PIC_CASCADE, false);
	/* An edge for each of the slave's interrupts; it goes with them. */
	if (slave)
		pic_chip_set_pin(master, PIC_CASCADE, true);
	else
		master->irr &= ~BIT(PIC_CASCADE);
	WRITE_ONCE(pic->output, pic_chip_pending(pic, 0) >= 0);
	return pic->output && !before;
}

static void pic_tell(struct pic *pic)
{
	struct mkvm_vcpu *vcpu;
	unsigned long id;

	rcu_read_lock();
	xa_for_each(&pic->vm->vcpus, id, vcpu)
		if (lapic_takes_pic(vcpu))
			mkvm_vcpu_kick(vcpu);
	rcu_read_unlock();
}

/*
 * A line to pin @pin of the pair, 0 to 15.  Any context but an NMI.  -1: it is masked; 0: it waits
 * already; 1: it counts.
 */
int pic_set_line(struct pic *pic, enum irq_source source, unsigned int pin, bool level)
{
	struct pic_chip *chip = &pic->chips[pin >> 3];
	unsigned long flags;
	u8 mask = BIT(pin & 7);
	bool tell;
	int r;

	spin_lock_irqsave(&pic->lock, flags);
	if (level)
		chip->sources[pin & 7] |= BIT(source);
	else
		chip->sources[pin & 7] &= ~BIT(source);
	level = chip->sources[pin & 7];
	r = 1;
	if (level && ((chip->s.elcr & mask) || !(chip->s.last_irr & mask)))
		r = !(chip->s.irr & mask);
	if (chip->s.imr & mask)
		r = -1;
	pic_chip_set_pin(&chip->s, pin & 7, level);
	tell = pic_update(pic);
	spin_unlock_irqrestore(&pic->lock, flags);
	if (tell)
		pic_tell(pic);
	return r;
}

bool pic_output(const struct pic *pic)
{
	return READ_ONCE(pic->output);
}

/* Pin @pin is in service; an edge is used up. */
static void pic_chip_take(struct kvm_pic_state *s, unsigned int pin)
{
	u8 mask = BIT(pin);

	s->isr |= mask;
	if (!(s->elcr & mask))
		s->irr &= ~mask;
	if (!s->auto_eoi)
		return;
	if (s->rotate_on_auto_eoi)
		s->priority_add = (pin + 1) & 7;
	s->isr &= ~mask;
}

/* The vector that the pair hands out, and which pins got their end with it. */
static u8 pic_take_locked(struct pic *pic, u16 *done)
{
	struct kvm_pic_state *master = &pic->chips[0].s, *slave = &pic->chips[1].s;
	int pin = pic_chip_pending(pic, 0), second;

	lockdep_assert_held(&pic->lock);
	if (pin < 0)
		return master->irq_base + PIC_SPURIOUS;
	pic_chip_take(master, pin);
	if (master->auto_eoi)
		*done |= BIT(pin);
	if (pin != PIC_CASCADE)
		return master->irq_base + pin;
	second = pic_chip_pending(pic, 1);
	if (second < 0)
		return slave->irq_base + PIC_SPURIOUS;
	pic_chip_take(slave, second);
	if (slave->auto_eoi)
		*done |= BIT(8 + second);
	return slave->irq_base + second;
}

/* Calls @tell, irq_acked() or irq_opened(), for each pin in @pins.  Without the lock. */
static void pic_tell_pins(struct pic *pic, u16 pins,
			  void (*tell)(struct mkvm *vm, unsigned int chip, unsigned int pin))
{
	unsigned int pin;

	for (pin = 0; pins; pin++, pins >>= 1)
		if (pins & 1)
			tell(pic->vm, pin < 8 ? KVM_IRQCHIP_PIC_MASTER : KVM_IRQCHIP_PIC_SLAVE,
			     pin & 7);
}

/* A vCPU acknowledges: the vector, or -1 if the output has gone.  Any context but an NMI. */
int pic_take(struct pic *pic)
{
	unsigned long flags;
	int vector = -1;
	u16 done = 0;

	spin_lock_irqsave(&pic->lock, flags);
	if (pic->output) {
		vector = pic_take_locked(pic, &done);
		pic_update(pic);
	}
	spin_unlock_irqrestore(&pic->lock, flags);
	pic_tell_pins(pic, done, irq_acked);
	return vector;
}

/* An end of interrupt, by operation word 2.  The pin that it was for, or -1. */
static int pic_chip_eoi(struct kvm_pic_state *s, u8 word)
{
	unsigned int command = word >> 5, pin = word & 7, place;

	switch (command) {
	case 0:
	case 4:
		s->rotate_on_auto_eoi = command == 4;
		return -1;
	case 1:
	case 5:
		place = pic_priority(s, s->isr);
		if (place == 8)
			return -1;
		pin = (place + s->priority_add) & 7;
		if (command == 5)
			s->priority_add = (pin + 1) & 7;
		break;
	case 3:
		break;
	case 7:
		s->priority_add = (pin + 1) & 7;
		break;
	case 6:
		s->priority_add = (pin + 1) & 7;
		return -1;
	default:
		return -1;
	}
	s->isr &= ~BIT(pin);
	return pin;
}

/* Initialisation begins; what level-triggered lines ask for stays asked. */
static void pic_chip_init(struct kvm_pic_state *s, u8 word)
{
	u8 elcr = s->elcr, base = s->irq_base;

	*s = (struct kvm_pic_state){
		.irr = s->irr & elcr,
		.elcr = elcr,
		.elcr_mask = s->elcr_mask,
		.irq_base = base,
		.init4 = word & ICW1_NEED4,
		.init_state = 1,
	};
}

static void pic_chip_command(struct pic *pic, unsigned int which, u8 word, u16 *done)
{
	struct kvm_pic_state *s = &pic->chips[which].s;
	int pin;

	if (word & ICW1_INIT) {
		/* Edges that it forgets count as taken. */
		*done |= (s->irr & ~s->elcr) << which * 8;
		pic_chip_init(s, word);
	} else if (word & OCW3) {
		if (word & OCW3_POLL)
			s->poll = 1;
		if (word & OCW3_READ)
			s->read_reg_select = word & OCW3_READ_ISR;
		if (word & OCW3_SMM)
			s->special_mask = !!(word & OCW3_SMM_SET);
	} else {
		pin = pic_chip_eoi(s, word);
		if (pin >= 0)
			*done |= BIT(which * 8 + pin);
	}
}

static void pic_chip_data(struct kvm_pic_state *s, u8 value)
{
	switch (s->init_state) {
	case 1:
		s->irq_base = value & 0xf8;
		s->init_state = 2;
		break;
	case 2:
		s->init_state = s->init4 ? 3 : 0;
		break;
	case 3:
		s->special_fully_nested_mode = !!(value & 0x10);
		s->auto_eoi = !!(value & 0x02);
		s->init_state = 0;
		break;
	default:
		s->imr = value;
	}
}

/* A poll takes the interrupt as a processor does.  Without one it reads 7, as kvm's. */
static u8 pic_chip_poll(struct pic *pic, unsigned int which)
{
	int pin = pic_chip_pending(pic, which);

	pic->chips[which].s.poll = 0;
	if (pin < 0)
		return PIC_SPURIOUS;
	pic_chip_take(&pic->chips[which].s, pin);
	return 0x80 | pin;
}

bool pic_has_port(u16 port)
{
	switch (port) {
	case 0x20:
	case 0x21:
	case 0xa0:
	case 0xa1:
	case 0x4d0:
	case 0x4d1:
		return true;
	default:
		return false;
	}
}

static unsigned int port_chip(u16 port)
{
	return port >= 0x4d0 ? port & 1 : port >= 0xa0;
}

u8 pic_read(struct pic *pic, u16 port)
{
	unsigned int which = port_chip(port);
	struct kvm_pic_state *s = &pic->chips[which].s;
	unsigned long flags;
	bool tell;
	u8 value;

	spin_lock_irqsave(&pic->lock, flags);
	if (port >= 0x4d0)
		value = s->elcr;
	else if (s->poll)
		value = pic_chip_poll(pic, which);
	else if (port & 1)
		value = s->imr;
	else
		value = s->read_reg_select ? s->isr : s->irr;
	tell = pic_update(pic);
	spin_unlock_irqrestore(&pic->lock, flags);
	if (tell)
		pic_tell(pic);
	return value;
}

void pic_write(struct pic *pic, u16 port, u8 value)
{
	unsigned int which = port_chip(port);
	struct kvm_pic_state *s = &pic->chips[which].s;
	unsigned long flags;
	u16 done = 0;
	bool tell;
	u8 masked;

	spin_lock_irqsave(&pic->lock, flags);
	masked = s->imr;
	if (port >= 0x4d0)
		s->elcr = value & pic->chips[which].elcr_mask;
	else if (port & 1)
		pic_chip_data(s, value);
	else
		pic_chip_command(pic, which, value, &done);
	masked &= ~s->imr;
	tell = pic_update(pic);
	spin_unlock_irqrestore(&pic->lock, flags);
	if (tell)
		pic_tell(pic);
	pic_tell_pins(pic, done, irq_acked);
	pic_tell_pins(pic, masked << which * 8, irq_opened);
}

/* KVM_GET_IRQCHIP and KVM_SET_IRQCHIP, master or slave. */
void pic_get(struct pic *pic, unsigned int which, struct kvm_pic_state *state)
{
	unsigned long flags;

	spin_lock_irqsave(&pic->lock, flags);
	*state = pic->chips[which].s;
	state->elcr_mask = pic->chips[which].elcr_mask;
	spin_unlock_irqrestore(&pic->lock, flags);
}

/* Numbers that index are made to fit. */
void pic_put(struct pic *pic, unsigned int which, const struct kvm_pic_state *state)
{
	struct kvm_pic_state *s = &pic->chips[which].s;
	unsigned long flags;

	spin_lock_irqsave(&pic->lock, flags);
	*s = *state;
	s->priority_add &= 7;
	s->elcr &= pic->chips[which].elcr_mask;
	pic_update(pic);
	spin_unlock_irqrestore(&pic->lock, flags);
	if (pic_output(pic))
		pic_tell(pic);
}
