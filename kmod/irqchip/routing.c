// SPDX-License-Identifier: GPL-2.0-only
/*
 * Routes: what becomes of a device's line (GSI).
 *
 * A GSI is a pin of the 8259 pair, a pin of the I/O APIC, both, or a message.  The table is
 * replaced as a whole; readers, in any context, find the old one or the new one.
 */
#include <linux/slab.h>
#include <linux/sort.h>
#include <linux/uaccess.h>
#include "irqchip/lapic.h"

/* A message's address and data */
#define MSI_ADDR_LOGICAL  BIT(2)
#define MSI_ADDR_REDIRECT BIT(3)
#define MSI_DATA_LEVEL	  BIT(15)

/**
 * struct irq_route - where a GSI leads
 * @gsi: the GSI
 * @chip: KVM_IRQCHIP_*, or ROUTE_MSI
 * @pin: of the chip
 * @msi: the message
 */
struct irq_route {
	u32 gsi;
	u32 chip;
	u32 pin;
	struct kvm_msi msi;
};

#define ROUTE_MSI 3
#define NR_CHIPS  3

/**
 * struct irq_routes - a VM's routes; immutable
 * @pin_gsi: the GSI of each chip's pins; -1: none
 * @nr: how many routes there are
 * @routes: by GSI
 */
struct irq_routes {
	s16 pin_gsi[NR_CHIPS][IRQ_IOAPIC_PINS];
	u32 nr;
	struct irq_route routes[];
};

static struct irq_routes *routes_alloc(u32 nr)
{
	struct irq_routes *routes = kvzalloc(struct_size(routes, routes, nr), GFP_KERNEL_ACCOUNT);

	if (routes)
		memset(routes->pin_gsi, 0xff, sizeof(routes->pin_gsi));
	return routes;
}

/* Frees the old table when nobody can be reading it. */
static void routes_replace(struct irqchip *chip, struct irq_routes *routes)
{
	struct irq_routes *old;

	mutex_lock(&chip->lock);
	old = rcu_replace_pointer(chip->routes, routes, lockdep_is_held(&chip->lock));
	mutex_unlock(&chip->lock);
	if (!old)
		return;
	synchronize_srcu_expedited(&chip->srcu);
	kvfree(old);
}

/* Adds a route.  0, or -EINVAL: the GSI leads there already, or is a message. */
static int routes_add(struct irq_routes *routes, const struct irq_route *route)
{
	u32 i;

	for (i = 0; i < routes->nr; i++) {
		const struct irq_route *other = &routes->routes[i];

		if (other->gsi == route->gsi &&
		    (other->chip == ROUTE_MSI || route->chip == ROUTE_MSI ||
		     other->chip == route->chip))
			return -EINVAL;
	}
	if (route->chip != ROUTE_MSI)
		routes->pin_gsi[route->chip][route->pin] = route->gsi;
	routes->routes[routes->nr++] = *route;
	return 0;
}

static unsigned int chip_pins(u32 chip)
{
	return chip == KVM_IRQCHIP_IOAPIC ? IRQ_IOAPIC_PINS : IRQ_PIC_PINS / 2;
}

static int route_from_user(const struct mkvm *vm, const struct kvm_irq_routing_entry *entry,
			   struct irq_route *route)
{
	if (entry->gsi >= IRQ_MAX_GSIS)
		return -EINVAL;
	*route = (struct irq_route){ .gsi = entry->gsi };
	switch (entry->type) {
	case KVM_IRQ_ROUTING_IRQCHIP:
		if (entry->flags || irqchip_mode(&vm->irqchip) != IRQCHIP_KERNEL ||
		    entry->u.irqchip.irqchip >= NR_CHIPS ||
		    entry->u.irqchip.pin >= chip_pins(entry->u.irqchip.irqchip))
			return -EINVAL;
		route->chip = entry->u.irqchip.irqchip;
		route->pin = entry->u.irqchip.pin;
		return 0;
	case KVM_IRQ_ROUTING_MSI:
		if (entry->flags & ~(u32)KVM_MSI_VALID_DEVID)
			return -EINVAL;
		if (vm->irqchip.x2apic_ids && entry->u.msi.address_hi & 0xff)
			return -EINVAL;
		route->chip = ROUTE_MSI;
		route->msi.address_lo = entry->u.msi.address_lo;
		route->msi.address_hi = entry->u.msi.address_hi;
		route->msi.data = entry->u.msi.data;
		return 0;
	default:
		return -EINVAL;
	}
}

static int route_compare(const void *one, const void *other)
{
	const struct irq_route *a = one, *b = other;

	return a->gsi < b->gsi ? -1 : a->gsi > b->gsi;
}

/*
 * KVM_SET_GSI_ROUTING: 0; -EINVAL: no interrupt controllers, too many, flags, or a route that
 * leads nowhere; -EFAULT; -ENOMEM.  Nothing has changed then.  May sleep.
 */
int irq_routes_set(struct mkvm *vm, const struct kvm_irq_routing *head,
		   const struct kvm_irq_routing_entry __user *user)
{
	struct kvm_irq_routing_entry entry;
	struct irq_routes *routes;
	struct irq_route route;
	int r = 0;
	u32 i;

	if (irqchip_mode(&vm->irqchip) == IRQCHIP_NONE || head->nr > IRQ_MAX_GSIS || head->flags)
		return -EINVAL;
	routes = routes_alloc(head->nr);
	if (!routes)
		return -ENOMEM;
	for (i = 0; !r && i < head->nr; i++) {
		if (copy_from_user(&entry, &user[i], sizeof(entry)))
			r = -EFAULT;
		else
			r = route_from_user(vm, &entry, &route);
		if (!r)
			r = routes_add(routes, &route);
		if (fatal_signal_pending(current))
			r = -EINTR;
		cond_resched();
	}
	if (r) {
		kvfree(routes);
		return r;
	}
	sort(routes->routes, routes->nr, sizeof(route), route_compare, NULL);
	routes_replace(&vm->irqchip, routes);
	return 0;
}

/* A PC's: the first 16 lines go to both kinds of controllers, the others to the I/O APIC. */
int irq_routes_default(struct mkvm *vm)
{
	struct irq_routes *routes = routes_alloc(IRQ_PIC_PINS + IRQ_IOAPIC_PINS);
	u32 gsi;

	if (!routes)
		return -ENOMEM;
	for (gsi = 0; gsi < IRQ_IOAPIC_PINS; gsi++) {
		struct irq_route pic = {
			.gsi = gsi,
			.chip = gsi < 8 ? KVM_IRQCHIP_PIC_MASTER : KVM_IRQCHIP_PIC_SLAVE,
			.pin = gsi & 7,
		};
		struct irq_route ioapic = { .gsi = gsi, .chip = KVM_IRQCHIP_IOAPIC, .pin = gsi };

		if (gsi < IRQ_PIC_PINS && WARN_ON_ONCE(routes_add(routes, &pic)))
			break;
		if (WARN_ON_ONCE(routes_add(routes, &ioapic)))
			break;
	}
	routes_replace(&vm->irqchip, routes);
	return 0;
}

/* Nobody uses the VM any more. */
void irq_routes_destroy(struct irqchip *chip)
{
	kvfree(rcu_dereference_protected(chip->routes, true));
}

/* The message as an interrupt. */
static struct irq_msg msi_to_msg(const struct mkvm *vm, const struct kvm_msi *msi)
{
	struct irq_msg msg = {
		.dest = msi->address_lo >> 12 & 0xff,
		.vector = msi->data & APIC_VECTOR_MASK,
		.mode = msi->data & APIC_MODE_MASK,
		.logical = msi->address_lo & MSI_ADDR_LOGICAL,
		.level = msi->data & MSI_DATA_LEVEL,
	};

	if (vm->irqchip.x2apic_ids)
		msg.dest |= msi->address_hi & 0xffffff00;
	/* A redirection hint makes any of a set's processors do. */
	msg.lowest = msg.logical && msi->address_lo & MSI_ADDR_REDIRECT;
	return msg;
}

static int route_set(struct mkvm *vm, const struct irq_route *route, enum irq_source source,
		     bool level)
{
	struct irq_msg msg;

	switch (route->chip) {
	case KVM_IRQCHIP_PIC_MASTER:
		return pic_set_line(vm->irqchip.pic, source, route->pin, level);
	case KVM_IRQCHIP_PIC_SLAVE:
		return pic_set_line(vm->irqchip.pic, source, 8 + route->pin, level);
	case KVM_IRQCHIP_IOAPIC:
		return ioapic_set_line(vm->irqchip.ioapic, source, route->pin, level);
	default:
		if (!level)
			return -1;
		msg = msi_to_msg(vm, &route->msi);
		return irq_deliver(vm, NULL, &msg);
	}
}

/* The first route of @gsi, or where it would be. */
static u32 routes_find(const struct irq_routes *routes, u32 gsi)
{
	u32 low = 0, high = routes->nr;

	while (low < high) {
		u32 mid = low + (high - low) / 2;

		if (routes->routes[mid].gsi < gsi)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/**
 * irq_set_line() - a device's line changes
 * @vm: the VM; it has interrupt controllers
 * @source: who changes it
 * @gsi: the line; one that leads nowhere is nobody's
 * @level: up or down; of a message "up" is all that counts
 *
 * Context: any but an NMI.
 * Return: -1: masked, or leads nowhere; 0: nobody got it, or it waits already; else how many did.
 */
int irq_set_line(struct mkvm *vm, enum irq_source source, u32 gsi, bool level)
{
	struct irqchip *chip = &vm->irqchip;
	const struct irq_routes *routes;
	int idx, one, r = -1;
	u32 i;

	idx = srcu_read_lock(&chip->srcu);
	routes = srcu_dereference(chip->routes, &chip->srcu);
	i = routes ? routes_find(routes, gsi) : 0;
	for (; routes && i < routes->nr && routes->routes[i].gsi == gsi; i++) {
		one = route_set(vm, &routes->routes[i], source, level);
		if (one >= 0)
			r = max(r, 0) + one;
	}
	srcu_read_unlock(&chip->srcu, idx);
	return r;
}

/* KVM_SIGNAL_MSI: how many got it, or -EINVAL. */
int irq_send_msi(struct mkvm *vm, const struct kvm_msi *msi)
{
	struct irq_msg msg;

	if (irqchip_mode(&vm->irqchip) == IRQCHIP_NONE || msi->flags)
		return -EINVAL;
	if (vm->irqchip.x2apic_ids && msi->address_hi & 0xff)
		return -EINVAL;
	msg = msi_to_msg(vm, msi);
	return irq_deliver(vm, NULL, &msg);
}

/* The GSI of a pin, or -1.  The caller is a reader. */
static int pin_gsi(struct irqchip *chip, unsigned int which, unsigned int pin)
{
	const struct irq_routes *routes = srcu_dereference(chip->routes, &chip->srcu);

	return routes ? routes->pin_gsi[which][pin] : -1;
}

/* The end of a pin's interrupt: who waits for it is told.  Any context but an NMI. */
void irq_acked(struct mkvm *vm, unsigned int which, unsigned int pin)
{
	struct irqchip *chip = &vm->irqchip;
	struct pit *pit;
	int idx, gsi;

	idx = srcu_read_lock(&chip->srcu);
	gsi = pin_gsi(chip, which, pin);
	pit = irqchip_pit(chip);
	if (gsi == 0 && pit)
		pit_acked(pit);
	if (gsi >= 0)
		irqfd_acked(vm, gsi);
	srcu_read_unlock(&chip->srcu, idx);
}

/* A pin is no longer masked: ticks that it lost are not waited for.  Any context but an NMI. */
void irq_opened(struct mkvm *vm, unsigned int which, unsigned int pin)
{
	struct irqchip *chip = &vm->irqchip;
	struct pit *pit = irqchip_pit(chip);
	int idx;

	if (!pit)
		return;
	idx = srcu_read_lock(&chip->srcu);
	if (pin_gsi(chip, which, pin) == 0)
		pit_forget_owed(pit);
	srcu_read_unlock(&chip->srcu, idx);
}

/* Does a descriptor with a resample descriptor hold that pin? */
bool irq_pin_has_resampler(struct mkvm *vm, unsigned int which, unsigned int pin)
{
	struct irqchip *chip = &vm->irqchip;
	int idx, gsi;
	bool has;

	idx = srcu_read_lock(&chip->srcu);
	gsi = pin_gsi(chip, which, pin);
	has = gsi >= 0 && irqfd_resamples(vm, gsi);
	srcu_read_unlock(&chip->srcu, idx);
	return has;
}

/* Is somebody to be told of the end of a pin's interrupt?  Any context but an NMI. */
bool irq_is_awaited(struct mkvm *vm, unsigned int which, unsigned int pin)
{
	struct irqchip *chip = &vm->irqchip;
	bool ticks;
	int idx;

	idx = srcu_read_lock(&chip->srcu);
	ticks = irqchip_pit(chip) && pin_gsi(chip, which, pin) == 0;
	srcu_read_unlock(&chip->srcu, idx);
	return ticks || irq_pin_has_resampler(vm, which, pin);
}

/* Split: is @vector a level-triggered one of user space's I/O APIC? */
bool irq_routes_level_vector(struct mkvm *vm, u8 vector)
{
	struct irqchip *chip = &vm->irqchip;
	const struct irq_routes *routes;
	bool found = false;
	int idx;
	u32 i;

	idx = srcu_read_lock(&chip->srcu);
	routes = srcu_dereference(chip->routes, &chip->srcu);
	for (i = 0; routes && i < routes->nr && !found; i++) {
		const struct irq_route *route = &routes->routes[i];

		if (route->gsi >= chip->reserved_pins)
			break;
		found = route->chip == ROUTE_MSI && route->msi.data & MSI_DATA_LEVEL &&
			(route->msi.data & APIC_VECTOR_MASK) == vector;
	}
	srcu_read_unlock(&chip->srcu, idx);
	return found;
}
