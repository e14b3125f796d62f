// SPDX-License-Identifier: GPL-2.0-only
/*
 * A PC that runs Linux: a machine with interrupt controllers, ACPI, a serial console and virtio
 * devices.
 *
 * What a reset keeps is made once: files, the tap, eventfds, the guest's memory.  What a reset
 * renews is the VM with its CPUs and what it knows of the devices (pc_boot()), and the devices'
 * registers (pc_reset()).  Threads live from pc_run() to its end.
 */
#include "pc.h"

#include <errno.h>
#include <string.h>

#include "acpi.h"
#include "lib/irqchip.h"
#include "message.h"

#define MSR_MTRR_DEFAULT       0x2ff
#define MTRR_ENABLED_WRITEBACK 0x806

static int pc_add_device(struct pc *pc, struct virtio_dev *dev)
{
	unsigned int nr = pc->nr_devices;

	dev->gpa = LAYOUT_VIRTIO + nr * VIRTIO_MMIO_SIZE;
	dev->gsi = LAYOUT_VIRTIO_GSI + nr;
	pc->devices[pc->nr_devices++] = dev;
	return bus_add(&pc->machine->mmio, &(struct bus_range){ .first = dev->gpa,
								.size = VIRTIO_MMIO_SIZE,
								.ops = &virtio_mmio_ops,
								.device = dev });
}

static int pc_create_devices(struct pc *pc, const struct pc_config *config)
{
	const struct mem *mem = &pc->machine->mem;
	int err;

	for (; pc->nr_disks < config->nr_disks; pc->nr_disks++) {
		struct virtio_blk *blk = &pc->disks[pc->nr_disks];
		const struct pc_disk *disk = &config->disks[pc->nr_disks];

		err = virtio_blk_create(blk, disk->path, disk->readonly, mem);
		if (err)
			return err;
		pc_add_device(pc, &blk->dev);
	}
	if (config->tap) {
		err = virtio_net_create(&pc->net, config->tap, mem);
		if (err)
			return err;
		pc->has_net = true;
		pc_add_device(pc, &pc->net.dev);
	}
	err = virtio_rng_create(&pc->rng, mem);
	if (err) {
		message("cannot make a device: %s", strerror(-err));
		return err;
	}
	pc->has_rng = true;
	return pc_add_device(pc, &pc->rng);
}

static void pc_set_irq(void *machine, bool level)
{
	const struct machine *m = machine;

	irqchip_set_line(&m->vm, SERIAL_IRQ, level);
}

static void pc_quit(void *machine)
{
	machine_stop(machine, STATUS_OK);
}

/* A failure has been told when this returns, and pc_destroy() is to be called all the same. */
int pc_create(struct pc *pc, struct machine *machine, const struct pc_config *config)
{
	int err;

	memset(pc, 0, sizeof(*pc));
	pc->machine = machine;
	err = linux_boot_read(&pc->boot, config->kernel, config->initrd, config->append,
			      machine->mem.size);
	if (err)
		return err;
	err = pc_create_devices(pc, config);
	if (err)
		return err;
	err = pm_create(&pc->pm, machine);
	if (!err)
		err = console_create(&pc->console, &machine->serial);
	if (err) {
		message("cannot make the console: %s", strerror(-err));
		return err;
	}
	pc->has_console = true;
	pc->console.quit = pc_quit;
	pc->console.machine = machine;
	machine->serial.set_irq = pc_set_irq;
	machine->serial.machine = machine;
	return 0;
}

void pc_destroy(struct pc *pc)
{
	if (pc->has_console)
		console_destroy(&pc->console);
	if (pc->has_rng)
		virtio_destroy(&pc->rng);
	if (pc->has_net)
		virtio_net_destroy(&pc->net);
	while (pc->nr_disks)
		virtio_blk_destroy(&pc->disks[--pc->nr_disks]);
	linux_boot_free(&pc->boot);
}

/* As a PC's firmware leaves them. */
static int pc_boot_cpu(const struct machine_cpu *cpu)
{
	struct {
		struct kvm_msrs head;
		struct kvm_msr_entry entry;
	} msrs = {
		.head.nmsrs = 1,
		.entry = { .index = MSR_MTRR_DEFAULT, .data = MTRR_ENABLED_WRITEBACK },
	};
	int err = irqchip_wire_lapic(&cpu->vcpu);

	if (err)
		return err;
	/* Without it Linux only says that there are no memory types. */
	err = vcpu_call(&cpu->vcpu, KVM_SET_MSRS, &msrs);
	return err < 0 ? err : 0;
}

static int pc_boot_first(const struct pc *pc)
{
	const struct vcpu *vcpu = &pc->machine->cpus[0].vcpu;
	struct kvm_sregs sregs;
	struct kvm_regs regs;
	int err = vcpu_get_sregs(vcpu, &sregs);

	if (err)
		return err;
	linux_boot_set(&pc->boot, &regs, &sregs);
	err = vcpu_set_sregs(vcpu, &sregs);
	return err ? err : vcpu_set_regs(vcpu, &regs);
}

/* Connects the devices with a VM that has just been made, and puts Linux into it. */
int pc_boot(struct pc *pc)
{
	struct machine *machine = pc->machine;
	unsigned int i;
	int err = linux_boot_load(&pc->boot, &machine->mem);

	if (!err)
		err = acpi_write(&machine->mem, machine->nr_cpus, pc->nr_devices);
	for (i = 0; i < pc->nr_devices && !err; i++)
		err = virtio_bind(pc->devices[i], &machine->vm);
	for (i = 0; i < machine->nr_cpus && !err; i++)
		err = pc_boot_cpu(&machine->cpus[i]);
	if (!err)
		err = pc_boot_first(pc);
	if (err)
		message("cannot start Linux: %s", strerror(-err));
	return err;
}

/* All devices and the memory as they were before the first boot; the VM is to be made anew. */
int pc_reset(struct pc *pc)
{
	unsigned int i;
	int err;

	serial_reset(&pc->machine->serial);
	pm_reset(&pc->pm);
	for (i = 0; i < pc->nr_devices; i++)
		virtio_reset(pc->devices[i]);
	err = mem_clear(&pc->machine->mem);
	if (err)
		message("cannot clear the guest's memory: %s", strerror(-err));
	return err;
}

/* Runs it until it is switched off, reset or ended; answers the machine's status. */
int pc_run(struct pc *pc)
{
	int err = console_start(&pc->console), status = STATUS_FAILED;
	unsigned int i;

	for (i = 0; i < pc->nr_devices && !err; i++)
		err = virtio_start(pc->devices[i]);
	if (err)
		message("cannot start a device's thread: %s", strerror(-err));
	else
		status = machine_run(pc->machine);
	for (i = 0; i < pc->nr_devices; i++)
		virtio_stop(pc->devices[i]);
	console_stop(&pc->console);
	return status;
}
