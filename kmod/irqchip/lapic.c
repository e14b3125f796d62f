// SPDX-License-Identifier: GPL-2.0-only
/*
 * A local APIC: which interrupts wait, which is the next by priority, and its end.
 *
 * A vector's class is its upper four bits.  A vector is taken if its class is above the processor
 * priority: the higher of the task priority and the class of the highest vector in service.
 */
#include <linux/slab.h>
#include <asm/msr-index.h>
#include "irqchip/lapic.h"

#define LAPIC_VERSION 0x14
#define LAPIC_NR_LVTS 6

/* The caller holds vm->lock; nobody knows the vCPU yet.  0 or -ENOMEM. */
int lapic_create(struct mkvm_vcpu *vcpu)
{
	struct lapic *lapic = kzalloc(sizeof(*lapic), GFP_KERNEL_ACCOUNT);

	if (!lapic)
		return -ENOMEM;
	lapic->vcpu = vcpu;
	lapic_set_reg(lapic, APIC_ID, vcpu->id << 24);
	lapic_timer_init(lapic);
	vcpu->lapic = lapic;
	return 0;
}

/* Nobody knows the vCPU any more.  May sleep. */
void lapic_destroy(struct mkvm_vcpu *vcpu)
{
	if (!vcpu->lapic)
		return;
	lapic_timer_stop(vcpu->lapic);
	kfree(vcpu->lapic);
}

/* ID and logical ID of x2APIC are not the guest's to choose. */
static void lapic_set_x2apic_id(struct lapic *lapic)
{
	u32 id = lapic->vcpu->id;

	lapic_set_reg(lapic, APIC_ID, id);
	lapic_set_reg(lapic, APIC_LDR, (id >> 4) << 16 | 1u << (id & 0xf));
}

static void lapic_reset_lvts(struct lapic *lapic)
{
	unsigned int offset;

	for (offset = APIC_LVTT; offset <= APIC_LVTERR; offset += 0x10)
		lapic_set_reg(lapic, offset, APIC_LVT_MASKED);
	/* What firmware does on a PC, for guests that have none. */
	if (lapic->vcpu->id == lapic->vcpu->vm->boot_cpu_id)
		lapic_set_reg(lapic, APIC_LVT0, APIC_DM_EXTINT);
}

static u32 lapic_version(const struct mkvm_vcpu *vcpu)
{
	u32 version = LAPIC_VERSION | (LAPIC_NR_LVTS - 1) << 16;

	/* An EOI that reaches no I/O APIC is for those that the kernel has not. */
	if (irqchip_mode(&vcpu->vm->irqchip) == IRQCHIP_SPLIT)
		version |= APIC_LVR_DIRECTED_EOI;
	return version;
}

/* All but the ID: at no moment is what is sent to another one for this one, too. */
static void lapic_clear_regs(struct lapic *lapic)
{
	unsigned int i;

	lapic_set_reg(lapic, APIC_SPIV, 0);
	for (i = 0; i < ARRAY_SIZE(lapic->regs); i++)
		if (i != APIC_ID >> 4)
			lapic_set_reg(lapic, i << 4, 0);
}

/*
 * RESET and INIT; the APIC base has its new value.  Owner vCPU, may sleep.  What others send
 * meanwhile is lost or not, as on a processor.
 */
void lapic_reset(struct mkvm_vcpu *vcpu)
{
	struct lapic *lapic = vcpu->lapic;

	if (!lapic)
		return;
	lapic_timer_stop(lapic);
	lapic->deadline = 0;
	lapic_clear_regs(lapic);
	lapic->icr2 = 0;
	lapic_set_reg(lapic, APIC_LVR, lapic_version(vcpu));
	lapic_set_reg(lapic, APIC_DFR, ~0u);
	lapic_set_reg(lapic, APIC_SPIV, 0xff);
	lapic_reset_lvts(lapic);
	bitmap_zero(lapic->irr, LAPIC_VECTORS);
	bitmap_zero(lapic->tmr, LAPIC_VECTORS);
	bitmap_zero(lapic->isr, LAPIC_VECTORS);
	bitmap_zero(lapic->told, LAPIC_VECTORS);
	WRITE_ONCE(lapic->kicked, false);
	lapic->external = -1;
	lapic->eoi_exit = -1;
	vcpu->x86.cr8 = 0;
	if (lapic_x2apic(lapic))
		lapic_set_x2apic_id(lapic);
}

/* The APIC base has changed. */
void lapic_base_changed(struct mkvm_vcpu *vcpu, u64 old)
{
	u64 changed = vcpu->x86.apic_base ^ old;
	struct lapic *lapic = vcpu->lapic;

	if (!lapic)
		return;
	if (changed & vcpu->x86.apic_base & MSR_IA32_APICBASE_ENABLE)
		lapic_set_reg(lapic, APIC_ID, vcpu->id << 24);
	if (changed & vcpu->x86.apic_base & X2APIC_ENABLE)
		lapic_set_x2apic_id(lapic);
	lapic_access_follow(vcpu);
}

static bool lapic_accept_vector(struct lapic *lapic, const struct irq_msg *msg)
{
	u8 vector = msg->vector;

	if (!lapic_enabled(lapic))
		return false;
	assign_bit(vector, lapic->tmr, msg->level);
	assign_bit(vector, lapic->told, msg->level || msg->told);
	smp_mb__before_atomic(); /* who takes the vector knows how it was triggered */
	set_bit(vector, lapic->irr);
	return true;
}

/* Any context but an NMI.  Was it taken? */
bool lapic_accept(struct lapic *lapic, const struct irq_msg *msg)
{
	switch (msg->mode) {
	case APIC_DM_FIXED:
	case APIC_DM_LOWEST:
		if (msg->deassert || !lapic_accept_vector(lapic, msg))
			return false;
		break;
	case APIC_DM_NMI:
		atomic_inc(&lapic->vcpu->nmis);
		break;
	case APIC_DM_INIT:
		if (msg->deassert)
			return false;
		/* A start-up that came before it is forgotten. */
		clear_bit(LAPIC_SIPI, &lapic->events);
		set_bit(LAPIC_INIT, &lapic->events);
		break;
	case APIC_DM_STARTUP:
		WRITE_ONCE(lapic->sipi_vector, msg->vector);
		smp_wmb(); /* the vector before the event */
		set_bit(LAPIC_SIPI, &lapic->events);
		break;
	default:
		/* There is no SMM; external interrupts come by LINT0. */
		return false;
	}
	mkvm_vcpu_kick(lapic->vcpu);
	return true;
}

/* What the local source at @offset raises, if it is not masked.  Any context but an NMI. */
bool lapic_raise_lvt(struct lapic *lapic, unsigned int offset)
{
	u32 lvt = lapic_reg(lapic, offset);
	struct irq_msg msg = {
		.vector = lvt & APIC_VECTOR_MASK,
		.mode = lvt & APIC_MODE_MASK,
		.level = lvt & APIC_LVT_LEVEL_TRIGGER,
	};

	if (!lapic_present(lapic) || (lvt & APIC_LVT_MASKED))
		return false;
	return lapic_accept(lapic, &msg);
}

/* The 8259 pair's output is for this vCPU. */
bool lapic_takes_pic(const struct mkvm_vcpu *vcpu)
{
	u32 lvt = lapic_reg(vcpu->lapic, APIC_LVT0);

	if (!lapic_present(vcpu->lapic))
		return true;
	return !(lvt & APIC_LVT_MASKED) && (lvt & APIC_MODE_MASK) == APIC_DM_EXTINT;
}

static int lapic_highest(const unsigned long *bits)
{
	unsigned long vector = find_last_bit(bits, LAPIC_VECTORS);

	return vector < LAPIC_VECTORS ? vector : -1;
}

/* The highest vector in service, or -1.  Owner vCPU. */
int lapic_in_service(const struct lapic *lapic)
{
	return lapic_highest(lapic->isr);
}

/* The processor priority. */
u8 lapic_ppr(const struct lapic *lapic)
{
	u8 tpr = lapic_reg(lapic, APIC_TASKPRI);
	int in_service = lapic_in_service(lapic);
	u8 class = in_service < 0 ? 0 : in_service & 0xf0;

	return (tpr & 0xf0) >= class ? tpr : class;
}

/* The vector that would be taken next, or -1.  Owner vCPU. */
int lapic_pending(const struct lapic *lapic)
{
	int vector = lapic_highest(lapic->irr);

	if (vector < 0 || !lapic_present(lapic))
		return -1;
	return (vector & 0xf0) > (lapic_ppr(lapic) & 0xf0) ? vector : -1;
}

/* Takes it: it is in service.  Owner vCPU. */
int lapic_take(struct lapic *lapic)
{
	int vector = lapic_pending(lapic);

	if (vector < 0)
		return -1;
	clear_bit(vector, lapic->irr);
	__set_bit(vector, lapic->isr);
	return vector;
}

/* User space's I/O APIC wants to know the end of its level-triggered interrupts. */
static void lapic_eoi_split(struct lapic *lapic, u8 vector, bool level)
{
	if (level && irq_routes_level_vector(lapic->vcpu->vm, vector))
		lapic->eoi_exit = vector;
}

/* @vector is no longer in service: who waits for its end is told.  Owner vCPU. */
void lapic_ended(struct lapic *lapic, u8 vector)
{
	struct irqchip *chip = &lapic->vcpu->vm->irqchip;
	bool level = test_bit(vector, lapic->tmr);

	if (irqchip_mode(chip) == IRQCHIP_SPLIT)
		lapic_eoi_split(lapic, vector, level);
	else
		ioapic_eoi(chip->ioapic, vector, level,
			   lapic_reg(lapic, APIC_SPIV) & APIC_SPIV_DIRECTED_EOI);
}

/* The highest vector in service is done.  Owner vCPU. */
void lapic_eoi(struct lapic *lapic)
{
	int vector = lapic_highest(lapic->isr);

	if (vector < 0)
		return;
	__clear_bit(vector, lapic->isr);
	lapic_ended(lapic, vector);
}

/* Is KVM_EXIT_IOAPIC_EOI due?  Owner vCPU. */
bool lapic_eoi_exit(struct mkvm_vcpu *vcpu)
{
	struct lapic *lapic = vcpu->lapic;

	if (!lapic || lapic->eoi_exit < 0)
		return false;
	vcpu->run->exit_reason = KVM_EXIT_IOAPIC_EOI;
	vcpu->run->eoi.vector = lapic->eoi_exit;
	lapic->eoi_exit = -1;
	return true;
}

u8 lapic_tpr(const struct mkvm_vcpu *vcpu)
{
	return lapic_reg(vcpu->lapic, APIC_TASKPRI);
}

/* If TPR holds up the highest vector that waits, the class that TPR must come below; else 0. */
u8 lapic_tpr_threshold(const struct lapic *lapic)
{
	int vector = lapic_highest(lapic->irr);
	u8 class = vector < 0 ? 0 : vector >> 4;

	return class <= lapic_reg(lapic, APIC_TASKPRI) >> 4 ? class : 0;
}

/* CR8 and the register are one. */
void lapic_set_tpr(struct mkvm_vcpu *vcpu, u8 tpr)
{
	lapic_set_reg(vcpu->lapic, APIC_TASKPRI, tpr);
	vcpu->x86.cr8 = tpr >> 4;
}
