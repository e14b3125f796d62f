// SPDX-License-Identifier: GPL-2.0-only
/*
 * A bus: ranges of addresses and the devices that answer there.  Ranges do not overlap.  An access
 * is a device's if all of it is within its range; where nothing answers, reads give all ones and
 * writes are lost, as on a PC.
 */
#include "bus.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

int bus_add(struct bus *bus, const struct bus_range *range)
{
	unsigned int i;

	if (bus->nr == BUS_MAX_RANGES)
		return -ENOSPC;
	for (i = 0; i < bus->nr; i++) {
		const struct bus_range *other = &bus->ranges[i];

		if (range->first < other->first + other->size &&
		    other->first < range->first + range->size)
			return -EEXIST;
	}
	bus->ranges[bus->nr++] = *range;
	return 0;
}

static const struct bus_range *bus_find(const struct bus *bus, uint64_t address, uint32_t len)
{
	unsigned int i;

	for (i = 0; i < bus->nr; i++) {
		const struct bus_range *range = &bus->ranges[i];

		if (address >= range->first && address - range->first < range->size &&
		    len <= range->size - (address - range->first))
			return range;
	}
	return NULL;
}

/* False, and all ones: nobody is there. */
bool bus_read(const struct bus *bus, uint64_t address, uint8_t *data, uint32_t len)
{
	const struct bus_range *range = bus_find(bus, address, len);

	memset(data, 0xff, len);
	if (range)
		range->ops->read(range->device, address - range->first, data, len);
	return range;
}

bool bus_write(const struct bus *bus, uint64_t address, const uint8_t *data, uint32_t len)
{
	const struct bus_range *range = bus_find(bus, address, len);

	if (range)
		range->ops->write(range->device, address - range->first, data, len);
	return range;
}
