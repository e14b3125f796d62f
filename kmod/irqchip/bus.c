// SPDX-License-Identifier: GPL-2.0-only
/*
 * The guest's accesses that devices in the kernel answer: by address, and by port.
 *
 * The caller is the owner vCPU, whose thread may sleep.  What is nobody's goes to user space.
 */
#include <linux/string.h>
#include "irqchip/lapic.h"

static struct irqchip *kernel_chip(struct mkvm_vcpu *vcpu)
{
	struct irqchip *chip = &vcpu->vm->irqchip;

	return irqchip_mode(chip) == IRQCHIP_KERNEL ? chip : NULL;
}

bool irqchip_mmio_read(struct mkvm_vcpu *vcpu, u64 gpa, void *data, unsigned int len)
{
	struct irqchip *chip = kernel_chip(vcpu);

	if (lapic_has_gpa(vcpu, gpa)) {
		lapic_mmio_read(vcpu->lapic, gpa, data, len);
		return true;
	}
	if (!chip || !ioapic_has_gpa(gpa))
		return false;
	ioapic_read(chip->ioapic, gpa, data, len);
	return true;
}

bool irqchip_mmio_write(struct mkvm_vcpu *vcpu, u64 gpa, const void *data, unsigned int len)
{
	struct irqchip *chip = kernel_chip(vcpu);

	if (lapic_has_gpa(vcpu, gpa)) {
		lapic_mmio_write(vcpu->lapic, gpa, data, len);
		return true;
	}
	if (chip && ioapic_has_gpa(gpa)) {
		ioapic_write(chip->ioapic, gpa, data, len);
		return true;
	}
	return ioeventfd_write(vcpu->vm, false, gpa, data, len);
}

/* A device of @vm in the kernel has this port. */
bool irqchip_has_port(struct mkvm *vm, u16 port)
{
	struct irqchip *chip = &vm->irqchip;

	if (irqchip_mode(chip) == IRQCHIP_KERNEL && pic_has_port(port))
		return true;
	return irqchip_pit(chip) && pit_has_port(chip->pit, port);
}

/* Registers are a byte wide: of a wider access the first byte counts, at the 8259 pair nothing. */
bool irqchip_port_read(struct mkvm_vcpu *vcpu, u16 port, void *data, unsigned int len)
{
	struct irqchip *chip = &vcpu->vm->irqchip;

	if (!irqchip_has_port(vcpu->vm, port))
		return false;
	memset(data, 0, len);
	if (pic_has_port(port) && len > 1)
		return true;
	if (pic_has_port(port))
		*(u8 *)data = pic_read(chip->pic, port);
	else
		*(u8 *)data = pit_read(chip->pit, port);
	return true;
}

bool irqchip_port_write(struct mkvm_vcpu *vcpu, u16 port, const void *data, unsigned int len)
{
	struct irqchip *chip = &vcpu->vm->irqchip;

	if (!irqchip_has_port(vcpu->vm, port))
		return ioeventfd_write(vcpu->vm, true, port, data, len);
	if (pic_has_port(port) && len > 1)
		return true;
	if (pic_has_port(port))
		pic_write(chip->pic, port, *(const u8 *)data);
	else
		pit_write(chip->pit, port, *(const u8 *)data);
	return true;
}
