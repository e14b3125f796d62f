/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MKVM_USER_BUS_H
#define MKVM_USER_BUS_H

#include <stdbool.h>
#include <stdint.h>

#define BUS_MAX_RANGES 32

/*
 * A device's registers: @offset is from the range's first address and offset + len within it.  Any
 * thread may call; a device has locks of its own.
 */
struct bus_ops {
	void (*read)(void *device, uint64_t offset, uint8_t *data, uint32_t len);
	void (*write)(void *device, uint64_t offset, const uint8_t *data, uint32_t len);
};

struct bus_range {
	uint64_t first, size;
	const struct bus_ops *ops;
	void *device;
};

/* Who answers at which address; complete before the first CPU runs. */
struct bus {
	struct bus_range ranges[BUS_MAX_RANGES];
	unsigned int nr;
};

int bus_add(struct bus *bus, const struct bus_range *range);
bool bus_read(const struct bus *bus, uint64_t address, uint8_t *data, uint32_t len);
bool bus_write(const struct bus *bus, uint64_t address, const uint8_t *data, uint32_t len);

#endif
