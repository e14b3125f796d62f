// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a CPU left guest mode for: the machine's I/O ports and its registers in memory space.
 *
 * An access to a port that is wider than a byte is as many accesses to neighbouring ports.
 */
#include "machine.h"

/* Serves a CPU's port exit. */
void machine_ports(struct machine_cpu *cpu)
{
	const struct kvm_run *run = cpu->vcpu.run;
	struct machine *machine = cpu->machine;
	uint8_t *data = vcpu_io_data(&cpu->vcpu);
	uint32_t i;

	if (run->io.direction == KVM_EXIT_IO_OUT && run->io.port == MACHINE_EXIT_PORT) {
		machine_stop(machine, data[0]);
		return;
	}
	for (i = 0; i < run->io.count * run->io.size; i++) {
		uint16_t port = run->io.port + i % run->io.size;

		if (run->io.direction == KVM_EXIT_IO_OUT)
			bus_write(&machine->ports, port, &data[i], 1);
		else
			bus_read(&machine->ports, port, &data[i], 1);
	}
}

/* Serves a CPU's access to what is no memory; false if nothing was there. */
bool machine_mmio(struct machine_cpu *cpu)
{
	struct kvm_run *run = cpu->vcpu.run;
	const struct bus *bus = &cpu->machine->mmio;

	if (run->mmio.is_write)
		return bus_write(bus, run->mmio.phys_addr, run->mmio.data, run->mmio.len);
	return bus_read(bus, run->mmio.phys_addr, run->mmio.data, run->mmio.len);
}
