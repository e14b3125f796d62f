// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which local APICs an interrupt is for.
 *
 * A destination is physical (one ID, or all) or logical (a set, whose form the target's mode
 * decides: flat, clusters, or x2APIC's clusters of 16).  Of several destinations one gets an
 * interrupt of lowest priority: the one that has got the fewest so.
 *
 * A vCPU whose ID does not fit into eight bits is reached by it in xAPIC mode, too, so that it can
 * be started.  There its register has the lower eight bits; with KVM_X2APIC_API_USE_32BIT_IDS it
 * does not answer to them if a vCPU has that ID.
 */
#include <linux/rcupdate.h>
#include "irqchip/lapic.h"

#define DEST_ALL_XAPIC	0xffu
#define DEST_ALL_X2APIC (~0u)

static u32 lapic_id(const struct lapic *lapic)
{
	u32 id = lapic_reg(lapic, APIC_ID);

	return lapic_x2apic(lapic) ? id : id >> 24;
}

/* The caller reads under RCU. */
static bool is_alias(const struct lapic *lapic, u32 dest)
{
	struct mkvm *vm = lapic->vcpu->vm;

	return lapic->vcpu->id > DEST_ALL_XAPIC && READ_ONCE(vm->irqchip.x2apic_ids) &&
	       xa_load(&vm->vcpus, dest);
}

static bool matches_physical(const struct lapic *lapic, u32 dest)
{
	if (lapic_x2apic(lapic) || dest > DEST_ALL_XAPIC)
		return dest == lapic->vcpu->id;
	return dest == lapic_id(lapic) && !is_alias(lapic, dest);
}

static bool matches_logical(const struct lapic *lapic, u32 dest)
{
	u32 ldr = lapic_reg(lapic, APIC_LDR);

	if (lapic_x2apic(lapic))
		return ldr >> 16 == dest >> 16 && (ldr & dest & 0xffff);
	ldr >>= 24;
	switch (lapic_reg(lapic, APIC_DFR)) {
	case APIC_DFR_FLAT:
		return ldr & dest;
	case APIC_DFR_CLUSTER:
		return ldr >> 4 == dest >> 4 && (ldr & dest & 0xf);
	default:
		return false;
	}
}

/* Devices say "all" in eight bits, unless they can say it in 32. */
static bool dest_is_all(const struct lapic *lapic, const struct mkvm_vcpu *from, u32 dest)
{
	if (!lapic_x2apic(lapic))
		return dest == DEST_ALL_XAPIC || dest == DEST_ALL_X2APIC;
	if (dest == DEST_ALL_X2APIC)
		return true;
	if (dest != DEST_ALL_XAPIC)
		return false;
	/* So does a processor in xAPIC mode. */
	if (from)
		return !lapic_x2apic(from->lapic);
	return !READ_ONCE(lapic->vcpu->vm->irqchip.no_broadcast_quirk);
}

static bool matches(const struct lapic *lapic, const struct mkvm_vcpu *from,
		    const struct irq_msg *msg)
{
	switch (msg->shorthand) {
	case APIC_DEST_SELF:
		return lapic->vcpu == from;
	case APIC_DEST_ALLINC:
		return true;
	case APIC_DEST_ALLBUT:
		return lapic->vcpu != from;
	default:
		break;
	}
	if (dest_is_all(lapic, from, msg->dest))
		return true;
	return msg->logical ? matches_logical(lapic, msg->dest)
			    : matches_physical(lapic, msg->dest);
}

/* The one of the destinations whose turn it is, or NULL. */
static struct lapic *lowest(struct mkvm *vm, struct mkvm_vcpu *from, const struct irq_msg *msg)
{
	struct lapic *best = NULL;
	struct mkvm_vcpu *vcpu;
	unsigned long id;

	xa_for_each(&vm->vcpus, id, vcpu) {
		struct lapic *lapic = vcpu->lapic;

		if (!lapic_enabled(lapic) || !matches(lapic, from, msg))
			continue;
		if (!best || (int)(READ_ONCE(lapic->turns) - READ_ONCE(best->turns)) < 0)
			best = lapic;
	}
	if (best)
		WRITE_ONCE(best->turns, best->turns + 1);
	return best;
}

/**
 * irq_deliver() - sends an interrupt to local APICs
 * @vm: the VM; its vCPUs have local APICs
 * @from: the processor that sends it, whose owner calls; NULL: a device
 * @msg: the interrupt
 *
 * Context: any but an NMI.
 * Return: by how many it was taken.
 */
int irq_deliver(struct mkvm *vm, struct mkvm_vcpu *from, const struct irq_msg *msg)
{
	struct mkvm_vcpu *vcpu;
	struct lapic *lapic;
	unsigned long id;
	int taken = 0;

	rcu_read_lock();
	if (msg->lowest || msg->mode == APIC_DM_LOWEST) {
		lapic = lowest(vm, from, msg);
		if (lapic)
			taken = lapic_accept(lapic, msg);
		goto out;
	}
	xa_for_each(&vm->vcpus, id, vcpu) {
		if (!lapic_present(vcpu->lapic) || !matches(vcpu->lapic, from, msg))
			continue;
		taken += lapic_accept(vcpu->lapic, msg);
	}
out:
	rcu_read_unlock();
	return taken;
}

/* Hypercalls name the ID that its register has, or the whole one. */
static u32 set_id(const struct lapic *lapic)
{
	return lapic->vcpu->id > DEST_ALL_XAPIC ? lapic->vcpu->id : lapic_id(lapic);
}

/**
 * irq_deliver_set() - sends an interrupt to a set of local APICs
 * @vm: the VM
 * @set: two words, the lower first: a bit for each ID from @min on
 * @bits: of a word
 * @min: see @set
 * @msg: the interrupt; its destination is of no account
 *
 * Context: any but an NMI.
 * Return: by how many it was taken; -EOPNOTSUPP: the vCPUs have none.
 */
int irq_deliver_set(struct mkvm *vm, const u64 set[2], unsigned int bits, u32 min,
		    const struct irq_msg *msg)
{
	struct mkvm_vcpu *vcpu;
	unsigned long id;
	int taken = 0;

	if (irqchip_mode(&vm->irqchip) == IRQCHIP_NONE)
		return -EOPNOTSUPP;
	rcu_read_lock();
	xa_for_each(&vm->vcpus, id, vcpu) {
		u32 own = set_id(vcpu->lapic), at = own - min;

		if (!lapic_present(vcpu->lapic) || own < min || at >= 2 * bits)
			continue;
		if (set[at >= bits] & BIT_ULL(at % bits))
			taken += lapic_accept(vcpu->lapic, msg);
	}
	rcu_read_unlock();
	return taken;
}

/* The processor with that ID goes on behind its HLT, the next one if it is in none. */
void irq_end_halt(struct mkvm *vm, u32 apic_id)
{
	struct mkvm_vcpu *vcpu;
	unsigned long id;

	if (irqchip_mode(&vm->irqchip) == IRQCHIP_NONE)
		return;
	rcu_read_lock();
	xa_for_each(&vm->vcpus, id, vcpu) {
		if (!lapic_present(vcpu->lapic) || set_id(vcpu->lapic) != apic_id)
			continue;
		WRITE_ONCE(vcpu->lapic->kicked, true);
		mkvm_vcpu_kick(vcpu);
	}
	rcu_read_unlock();
}
