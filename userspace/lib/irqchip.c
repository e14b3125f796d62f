// SPDX-License-Identifier: GPL-2.0-only
/*
 * A VM's interrupt controllers in the kernel: the two 8259, the I/O APIC and the timer of the VM, a
 * local APIC for each vCPU; and the file descriptors that stand for an interrupt (a write of ours
 * raises it) and for a doorbell (a store of the guest's is a write to it).
 */
#include "irqchip.h"

#include <errno.h>
#include <stddef.h>
#include <sys/ioctl.h>

/* Where kvm may put three pages and one page of its own, which VMX needs for real mode. */
#define TSS_GPA	     0xfffbd000UL
#define IDENTITY_GPA 0xfffbc000UL

#define LAPIC_LVT_LINT0 0x350
#define LAPIC_LVT_LINT1 0x360
#define LAPIC_MODE_NMI	0x400
#define LAPIC_MODE_EXT	0x700

/* The name of the first capability that is needed for a PC and that the device lacks, or NULL. */
const char *irqchip_missing(const struct kvm_dev *dev)
{
	static const struct {
		unsigned long cap;
		const char *name;
	} needed[] = {
		{ KVM_CAP_IRQCHIP, "KVM_CAP_IRQCHIP" },
		{ KVM_CAP_PIT2, "KVM_CAP_PIT2" },
		{ KVM_CAP_IRQFD, "KVM_CAP_IRQFD" },
		{ KVM_CAP_IOEVENTFD, "KVM_CAP_IOEVENTFD" },
		{ KVM_CAP_EXT_CPUID, "KVM_CAP_EXT_CPUID" },
	};
	size_t i;

	for (i = 0; i < sizeof(needed) / sizeof(needed[0]); i++) {
		if (kvm_dev_extension(dev, needed[i].cap) <= 0)
			return needed[i].name;
	}
	return NULL;
}

/* Before the first vCPU. */
int irqchip_prepare(const struct vm *vm)
{
	struct kvm_pit_config pit = { .flags = KVM_PIT_SPEAKER_DUMMY };
	__u64 identity = IDENTITY_GPA;

	/* On a processor that has no use for them these may be refused. */
	if (ioctl(vm->fd, KVM_SET_TSS_ADDR, TSS_GPA) < 0 && errno != ENOTTY)
		return -errno;
	if (ioctl(vm->fd, KVM_SET_IDENTITY_MAP_ADDR, &identity) < 0 && errno != ENOTTY)
		return -errno;
	if (ioctl(vm->fd, KVM_CREATE_IRQCHIP, 0) < 0 || ioctl(vm->fd, KVM_CREATE_PIT2, &pit) < 0)
		return -errno;
	return 0;
}

int irqchip_set_line(const struct vm *vm, uint32_t gsi, bool level)
{
	struct kvm_irq_level line = { .irq = gsi, .level = level };

	return ioctl(vm->fd, KVM_IRQ_LINE, &line) < 0 ? -errno : 0;
}

/* Each write to @fd is an edge at @gsi. */
int irqchip_bind_eventfd(const struct vm *vm, uint32_t gsi, int fd)
{
	struct kvm_irqfd irqfd = { .fd = fd, .gsi = gsi };

	return ioctl(vm->fd, KVM_IRQFD, &irqfd) < 0 ? -errno : 0;
}

/* A store of @value, four bytes, to @gpa is a write to @fd and no exit to us. */
int irqchip_bind_doorbell(const struct vm *vm, uint64_t gpa, uint32_t value, int fd)
{
	struct kvm_ioeventfd doorbell = {
		.datamatch = value,
		.addr = gpa,
		.len = 4,
		.fd = fd,
		.flags = KVM_IOEVENTFD_FLAG_DATAMATCH,
	};

	return ioctl(vm->fd, KVM_IOEVENTFD, &doorbell) < 0 ? -errno : 0;
}

static void lapic_set_lvt(struct kvm_lapic_state *lapic, unsigned int reg, uint32_t mode)
{
	lapic->regs[reg] = 0;
	lapic->regs[reg + 1] = mode >> 8;
	lapic->regs[reg + 2] = 0;
	lapic->regs[reg + 3] = 0;
}

/* As a PC's firmware leaves it: the 8259 at the local APIC's first pin, NMIs at its second. */
int irqchip_wire_lapic(const struct vcpu *vcpu)
{
	struct kvm_lapic_state lapic;
	int err = vcpu_call(vcpu, KVM_GET_LAPIC, &lapic);

	if (err < 0)
		return err;
	lapic_set_lvt(&lapic, LAPIC_LVT_LINT0, LAPIC_MODE_EXT);
	lapic_set_lvt(&lapic, LAPIC_LVT_LINT1, LAPIC_MODE_NMI);
	err = vcpu_call(vcpu, KVM_SET_LAPIC, &lapic);
	return err < 0 ? err : 0;
}
