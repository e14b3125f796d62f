// SPDX-License-Identifier: GPL-2.0-only
/*
 * The machine's I/O ports: the serial port, the exit port.  Where nothing answers, reads give all
 * ones and writes are lost, as on a PC.  An access wider than a byte is as many accesses to
 * neighbouring ports.
 */
#include <string.h>

#include "machine.h"

static uint8_t port_read(struct machine *machine, uint16_t port)
{
	if (port >= SERIAL_PORT && port < SERIAL_PORT + SERIAL_PORTS)
		return serial_read(&machine->serial, port - SERIAL_PORT);
	return 0xff;
}

static void port_write(struct machine *machine, uint16_t port, uint8_t value)
{
	if (port >= SERIAL_PORT && port < SERIAL_PORT + SERIAL_PORTS)
		serial_write(&machine->serial, port - SERIAL_PORT, value);
}

/* Serves a CPU's port exit; always true. */
bool machine_ports(struct machine_cpu *cpu)
{
	const struct kvm_run *run = cpu->vcpu.run;
	struct machine *machine = cpu->machine;
	uint8_t *data = vcpu_io_data(&cpu->vcpu);
	uint32_t i;

	if (run->io.direction == KVM_EXIT_IO_OUT && run->io.port == MACHINE_EXIT_PORT) {
		machine_stop(machine, data[0]);
		return true;
	}
	pthread_mutex_lock(&machine->lock);
	for (i = 0; i < run->io.count * run->io.size; i++) {
		uint16_t port = run->io.port + i % run->io.size;

		if (run->io.direction == KVM_EXIT_IO_OUT)
			port_write(machine, port, data[i]);
		else
			data[i] = port_read(machine, port);
	}
	pthread_mutex_unlock(&machine->lock);
	return true;
}
