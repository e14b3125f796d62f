// SPDX-License-Identifier: GPL-2.0-only
/*
 * Makers for interrupt controllers, time and machine checks.
 */
#include <linux/mkvm_kvm.h>
#include <string.h>

#include "fuzz_draw.h"
#include "fuzz_make.h"

static void make_interrupt(struct rng *rng, const struct fuzz_world *world, void *buffer)
{
	(void)world;
	((struct kvm_interrupt *)buffer)->irq = rng_below(rng, 256);
}

static uint32_t some_gsi(struct rng *rng)
{
	return rng_chance(rng, 90) ? rng_below(rng, 26) : rng_below(rng, 5000);
}

static void make_irq_line(struct rng *rng, const struct fuzz_world *world, void *buffer)
{
	struct kvm_irq_level *line = buffer;

	(void)world;
	line->irq = some_gsi(rng);
	line->level = rng_below(rng, 2);
}

/* To a vCPU that there may be, in a mode that may be none. */
static void make_msi(struct rng *rng, const struct fuzz_world *world, void *buffer)
{
	struct kvm_msi *msi = buffer;

	(void)world;
	msi->address_lo = 0xfee00000 | rng_below(rng, 5) << 12 | rng_below(rng, 4) << 2;
	msi->data = rng_below(rng, 256) | (rng_chance(rng, 80) ? 0 : rng_below(rng, 8) << 8) |
		    rng_below(rng, 2) << 15;
}

static void make_routing(struct rng *rng, const struct fuzz_world *world, void *buffer)
{
	struct kvm_irq_routing *routing = buffer;
	struct kvm_msi msi = {};
	unsigned int i;

	routing->nr = rng_below(rng, 17);
	for (i = 0; i < routing->nr; i++) {
		struct kvm_irq_routing_entry *entry = &routing->entries[i];

		entry->gsi = i + rng_below(rng, 2) * 8;
		entry->type = KVM_IRQ_ROUTING_IRQCHIP + rng_below(rng, 2);
		if (entry->type == KVM_IRQ_ROUTING_IRQCHIP) {
			entry->u.irqchip.irqchip = rng_below(rng, 3);
			entry->u.irqchip.pin = rng_below(rng, 8);
			continue;
		}
		make_msi(rng, world, &msi);
		entry->u.msi.address_lo = msi.address_lo;
		entry->u.msi.data = msi.data;
	}
}

static void make_irqchip(struct rng *rng, const struct fuzz_world *world, void *buffer)
{
	struct kvm_irqchip *chip = buffer;

	(void)world;
	rng_fill(rng, &chip->chip, sizeof(chip->chip));
	chip->chip_id = rng_below(rng, 3);
}

static void make_irqfd(struct rng *rng, const struct fuzz_world *world, void *buffer)
{
	struct kvm_irqfd *irqfd = buffer;

	irqfd->fd = world->events[rng_below(rng, FUZZ_EVENTS)];
	irqfd->gsi = some_gsi(rng);
	irqfd->flags = rng_below(rng, 4);
	irqfd->resamplefd = world->events[rng_below(rng, FUZZ_EVENTS)];
}

static void make_ioeventfd(struct rng *rng, const struct fuzz_world *world, void *buffer)
{
	struct kvm_ioeventfd *args = buffer;

	args->fd = world->events[rng_below(rng, FUZZ_EVENTS)];
	args->addr = rng_chance(rng, 50) ? rng_below(rng, 256) : 0x40000000;
	args->len = rng_chance(rng, 80) ? 1U << rng_below(rng, 4) : 0;
	args->flags = rng_below(rng, 8);
	args->datamatch = rng_below(rng, 4);
}

static void make_pit_config(struct rng *rng, const struct fuzz_world *world, void *buffer)
{
	(void)world;
	((struct kvm_pit_config *)buffer)->flags = rng_below(rng, 2) * KVM_PIT_SPEAKER_DUMMY;
}

static void make_pit_channels(struct rng *rng, struct kvm_pit_channel_state *channels)
{
	unsigned int i;

	for (i = 0; i < 3; i++) {
		channels[i].count = rng_below(rng, 0x10001);
		channels[i].mode = rng_below(rng, 6);
		channels[i].rw_mode = 1 + rng_below(rng, 3);
		channels[i].bcd = rng_chance(rng, 10);
		channels[i].gate = rng_below(rng, 2);
		channels[i].count_load_time = rng_chance(rng, 50) ? 0 : fuzz_number(rng);
	}
}

static void make_pit(struct rng *rng, const struct fuzz_world *world, void *buffer)
{
	(void)world;
	make_pit_channels(rng, ((struct kvm_pit_state *)buffer)->channels);
}

static void make_pit2(struct rng *rng, const struct fuzz_world *world, void *buffer)
{
	struct kvm_pit_state2 *pit = buffer;

	(void)world;
	make_pit_channels(rng, pit->channels);
	pit->flags = rng_below(rng, 4);
}

static void make_reinject(struct rng *rng, const struct fuzz_world *world, void *buffer)
{
	(void)world;
	((struct kvm_reinject_control *)buffer)->pit_reinject = rng_below(rng, 2);
}

/* Registers of 32 bits, each at 16 bytes' distance from the next. */
static void make_lapic(struct rng *rng, const struct fuzz_world *world, void *buffer)
{
	static const uint16_t some[] = { 0x20,	0x80,  0xb0,  0xd0,  0xe0,  0xf0,
					 0x100, 0x110, 0x200, 0x210, 0x300, 0x310,
					 0x320, 0x350, 0x360, 0x380, 0x390, 0x3e0 };
	unsigned int i, nr = 1 + rng_below(rng, 6);
	struct kvm_lapic_state *lapic = buffer;
	uint32_t value;

	(void)world;
	for (i = 0; i < nr; i++) {
		value = rng_chance(rng, 70) ? rng_below(rng, 0x40000) : fuzz_number(rng);
		memcpy(&lapic->regs[some[rng_below(rng, sizeof(some) / sizeof(some[0]))]], &value,
		       sizeof(value));
	}
	/* Mostly one that is on, and whose timer sends something. */
	if (rng_chance(rng, 70)) {
		value = 0x100 | rng_below(rng, 256);
		memcpy(&lapic->regs[0xf0], &value, sizeof(value));
		value = rng_below(rng, 3) << 17 | (16 + rng_below(rng, 240));
		memcpy(&lapic->regs[0x320], &value, sizeof(value));
	}
}

static void make_clock(struct rng *rng, const struct fuzz_world *world, void *buffer)
{
	struct kvm_clock_data *clock = buffer;

	(void)world;
	clock->clock = rng_chance(rng, 50) ? rng_below(rng, 1UL << 40) : fuzz_number(rng);
	clock->flags = rng_below(rng, 4) ? (rng_below(rng, 8) << 1) : 0;
	clock->realtime = rng_chance(rng, 50) ? rng_below(rng, 1UL << 61) : fuzz_number(rng);
	clock->host_tsc = fuzz_number(rng);
}

static void make_banks(struct rng *rng, const struct fuzz_world *world, void *buffer)
{
	(void)world;
	*(uint64_t *)buffer = 1 + rng_below(rng, 32) + rng_below(rng, 2) * (1 << 8) +
			      rng_below(rng, 2) * (1 << 24);
}

/* Of each kind: corrected, to be found when the guest looks, and one that interrupts it. */
static void make_mce(struct rng *rng, const struct fuzz_world *world, void *buffer)
{
	struct kvm_x86_mce *mce = buffer;

	(void)world;
	mce->status = 1UL << 63 | rng_below(rng, 256) << 55 | rng_below(rng, 0x10000);
	mce->addr = fuzz_gpa(rng);
	mce->misc = rng_below(rng, 256);
	mce->mcg_status = rng_below(rng, 8);
	mce->bank = rng_below(rng, 12);
}

const struct fuzz_maker fuzz_irq_makers[] = {
	{ KVM_INTERRUPT, FD_VCPU, make_interrupt },
	{ KVM_IRQ_LINE, FD_VM, make_irq_line },
	{ KVM_IRQ_LINE_STATUS, FD_VM, make_irq_line },
	{ KVM_SIGNAL_MSI, FD_VM, make_msi },
	{ KVM_SET_GSI_ROUTING, FD_VM, make_routing },
	{ KVM_GET_IRQCHIP, FD_VM, make_irqchip },
	{ KVM_SET_IRQCHIP, FD_VM, make_irqchip },
	{ KVM_IRQFD, FD_VM, make_irqfd },
	{ KVM_IOEVENTFD, FD_VM, make_ioeventfd },
	{ KVM_CREATE_PIT2, FD_VM, make_pit_config },
	{ KVM_SET_PIT, FD_VM, make_pit },
	{ KVM_SET_PIT2, FD_VM, make_pit2 },
	{ KVM_REINJECT_CONTROL, FD_VM, make_reinject },
	{ KVM_SET_LAPIC, FD_VCPU, make_lapic },
	{ KVM_SET_CLOCK, FD_VM, make_clock },
	{ KVM_X86_SETUP_MCE, FD_VCPU, make_banks },
	{ KVM_X86_SET_MCE, FD_VCPU, make_mce },
};

const size_t fuzz_nr_irq_makers = sizeof(fuzz_irq_makers) / sizeof(fuzz_irq_makers[0]);
