// SPDX-License-Identifier: GPL-2.0-only
/*
 * A VM's interrupt controllers as a whole: how they come into being, what user space saves of them,
 * and which interrupt a vCPU takes next.
 */
#include <linux/slab.h>
#include "irqchip/lapic.h"

/* A VM is created.  0 or -ENOMEM. */
int irqchip_init(struct irqchip *chip)
{
	mutex_init(&chip->lock);
	spin_lock_init(&chip->irqfd_lock);
	INIT_LIST_HEAD(&chip->irqfds);
	INIT_LIST_HEAD(&chip->resamplers);
	INIT_LIST_HEAD(&chip->ioeventfds);
	return init_srcu_struct(&chip->srcu);
}

/* Nobody uses the VM any more; its vCPUs are still there, but get nothing.  May sleep. */
void irqchip_stop(struct mkvm *vm)
{
	irqfd_destroy_all(vm);
	pit_destroy(vm->irqchip.pit);
	vm->irqchip.pit = NULL;
}

/* Nor are the vCPUs there.  May sleep. */
void irqchip_destroy(struct mkvm *vm)
{
	struct irqchip *chip = &vm->irqchip;

	ioeventfd_destroy_all(chip);
	irq_routes_destroy(chip);
	pic_destroy(chip->pic);
	ioapic_destroy(chip->ioapic);
	lapic_access_destroy(vm);
	cleanup_srcu_struct(&chip->srcu);
}

/* May interrupt controllers come into being? */
static int may_create(struct mkvm *vm)
{
	lockdep_assert_held(&vm->lock);
	if (irqchip_mode(&vm->irqchip) != IRQCHIP_NONE)
		return -EEXIST;
	return mkvm_vm_has_vcpus(vm) ? -EINVAL : 0;
}

static int create_locked(struct mkvm *vm)
{
	struct irqchip *chip = &vm->irqchip;
	int r = may_create(vm);

	if (r)
		return r;
	chip->pic = pic_create(vm);
	if (!chip->pic)
		return -ENOMEM;
	r = -ENOMEM;
	chip->ioapic = ioapic_create(vm);
	if (!chip->ioapic)
		goto destroy_pic;
	r = irq_routes_default(vm);
	if (r)
		goto destroy_ioapic;
	smp_store_release(&chip->mode, IRQCHIP_KERNEL); /* pairs with irqchip_mode() */
	return 0;

destroy_ioapic:
	ioapic_destroy(chip->ioapic);
	chip->ioapic = NULL;
destroy_pic:
	pic_destroy(chip->pic);
	chip->pic = NULL;
	return r;
}

/* KVM_CREATE_IRQCHIP: 0; -EEXIST: there are some; -EINVAL: there are vCPUs; -ENOMEM. */
int irqchip_create(struct mkvm *vm)
{
	int r;

	mutex_lock(&vm->lock);
	r = create_locked(vm);
	mutex_unlock(&vm->lock);
	return r;
}

/*
 * KVM_CAP_SPLIT_IRQCHIP with @pins of user space's I/O APICs: 0; -EINVAL: too many; -EEXIST: there
 * are some, or there are vCPUs.
 */
int irqchip_split(struct mkvm *vm, u64 pins)
{
	int r = 0;

	if (pins > IRQ_MAX_GSIS)
		return -EINVAL;
	mutex_lock(&vm->lock);
	if (may_create(vm)) {
		r = -EEXIST;
	} else {
		vm->irqchip.reserved_pins = pins;
		smp_store_release(&vm->irqchip.mode, IRQCHIP_SPLIT); /* likewise */
	}
	mutex_unlock(&vm->lock);
	return r;
}

/* KVM_CAP_X2APIC_API */
int irqchip_x2apic_api(struct mkvm *vm, u64 flags)
{
	if (flags & KVM_X2APIC_API_USE_32BIT_IDS)
		WRITE_ONCE(vm->irqchip.x2apic_ids, true);
	if (flags & KVM_X2APIC_API_DISABLE_BROADCAST_QUIRK)
		WRITE_ONCE(vm->irqchip.no_broadcast_quirk, true);
	return 0;
}

/* KVM_GET_IRQCHIP: 0; -ENXIO: none in the kernel; -EINVAL: no such chip. */
int irqchip_get(struct mkvm *vm, struct kvm_irqchip *state)
{
	if (irqchip_mode(&vm->irqchip) != IRQCHIP_KERNEL)
		return -ENXIO;
	switch (state->chip_id) {
	case KVM_IRQCHIP_PIC_MASTER:
		pic_get(vm->irqchip.pic, 0, &state->chip.pic);
		return 0;
	case KVM_IRQCHIP_PIC_SLAVE:
		pic_get(vm->irqchip.pic, 1, &state->chip.pic);
		return 0;
	case KVM_IRQCHIP_IOAPIC:
		ioapic_get(vm->irqchip.ioapic, &state->chip.ioapic);
		return 0;
	default:
		return -EINVAL;
	}
}

/* KVM_SET_IRQCHIP: the same. */
int irqchip_put(struct mkvm *vm, const struct kvm_irqchip *state)
{
	if (irqchip_mode(&vm->irqchip) != IRQCHIP_KERNEL)
		return -ENXIO;
	switch (state->chip_id) {
	case KVM_IRQCHIP_PIC_MASTER:
		pic_put(vm->irqchip.pic, 0, &state->chip.pic);
		return 0;
	case KVM_IRQCHIP_PIC_SLAVE:
		pic_put(vm->irqchip.pic, 1, &state->chip.pic);
		return 0;
	case KVM_IRQCHIP_IOAPIC:
		ioapic_put(vm->irqchip.ioapic, &state->chip.ioapic);
		return 0;
	default:
		return -EINVAL;
	}
}

/* An interrupt of the 8259 pair, or of user space's, is for this vCPU. */
bool irqchip_has_external(struct mkvm_vcpu *vcpu)
{
	struct irqchip *chip = &vcpu->vm->irqchip;

	if (!vcpu->lapic || !lapic_takes_pic(vcpu))
		return false;
	return irqchip_mode(chip) == IRQCHIP_SPLIT ? vcpu->lapic->external >= 0
						   : pic_output(chip->pic);
}

/* Is there something for the vCPU, if it can be interrupted?  Its owner; interrupts may be off. */
bool irqchip_has_interrupt(struct mkvm_vcpu *vcpu)
{
	return vcpu->lapic && (irqchip_has_external(vcpu) || lapic_pending(vcpu->lapic) >= 0);
}

/*
 * Acknowledges what the 8259 pair, or user space's, has for the vCPU: the vector, or -1.  Its
 * owner, not yet in guest mode: devices may be told of the end that comes with it, and kick it.
 */
int irqchip_take_external(struct mkvm_vcpu *vcpu)
{
	struct lapic *lapic = vcpu->lapic;
	int vector;

	if (!irqchip_has_external(vcpu))
		return -1;
	if (irqchip_mode(&vcpu->vm->irqchip) == IRQCHIP_KERNEL)
		return pic_take(vcpu->vm->irqchip.pic);
	vector = lapic->external;
	lapic->external = -1;
	return vector;
}

/* Takes the local APIC's next interrupt: its vector, or -1.  Its owner; interrupts may be off. */
int irqchip_take_interrupt(struct mkvm_vcpu *vcpu)
{
	return vcpu->lapic ? lapic_take(vcpu->lapic) : -1;
}
