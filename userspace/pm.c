// SPDX-License-Identifier: GPL-2.0-only
/*
 * ACPI's power management, as much as there must be: no event ever happens, the machine is in ACPI
 * mode from the beginning, the one sleep state is "off", and one port resets it.
 *
 *   +0 status (2 bytes), +2 enable (2), +4 control (2), +8 reset (1)
 */
#include "pm.h"

#include <string.h>

#include "acpi.h"
#include "layout.h"
#include "message.h"

#define PM_ENABLE	2
#define PM_CONTROL	4
#define PM_PORTS	9
#define PM_RESET	(LAYOUT_PM_RESET - LAYOUT_PM)
#define CONTROL_ACPI	0x01 /* of the low byte */
#define CONTROL_TYPE(x) ((x) >> 2 & 7)
#define CONTROL_SLEEP	0x20 /* of the high byte */

static uint8_t pm_read_port(const struct pm *pm, uint64_t port)
{
	switch (port) {
	case PM_ENABLE:
	case PM_ENABLE + 1:
		return pm->enable[port - PM_ENABLE];
	case PM_CONTROL:
		return pm->control[0] | CONTROL_ACPI;
	case PM_CONTROL + 1:
		return pm->control[1];
	default:
		return 0;
	}
}

static void pm_write_port(struct pm *pm, uint64_t port, uint8_t value)
{
	switch (port) {
	case PM_ENABLE:
	case PM_ENABLE + 1:
		pm->enable[port - PM_ENABLE] = value;
		break;
	case PM_CONTROL:
		pm->control[0] = value;
		break;
	case PM_CONTROL + 1:
		pm->control[1] = value & ~CONTROL_SLEEP;
		if ((value & CONTROL_SLEEP) && CONTROL_TYPE(value) == ACPI_S5_TYPE)
			machine_stop(pm->machine, STATUS_OK);
		break;
	case PM_RESET:
		if (value == ACPI_RESET)
			machine_stop(pm->machine, MACHINE_RESET);
		break;
	default:
		break;
	}
}

static void pm_read(void *device, uint64_t offset, uint8_t *data, uint32_t len)
{
	uint32_t i;

	for (i = 0; i < len; i++)
		data[i] = pm_read_port(device, offset + i);
}

static void pm_write(void *device, uint64_t offset, const uint8_t *data, uint32_t len)
{
	uint32_t i;

	for (i = 0; i < len; i++)
		pm_write_port(device, offset + i, data[i]);
}

static const struct bus_ops pm_ops = { .read = pm_read, .write = pm_write };

int pm_create(struct pm *pm, struct machine *machine)
{
	*pm = (struct pm){ .machine = machine };
	return bus_add(&machine->ports, &(struct bus_range){ .first = LAYOUT_PM,
							     .size = PM_PORTS,
							     .ops = &pm_ops,
							     .device = pm });
}

void pm_reset(struct pm *pm)
{
	memset(pm->enable, 0, sizeof(pm->enable));
	memset(pm->control, 0, sizeof(pm->control));
}
