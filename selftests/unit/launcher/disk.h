/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A device and the driver that plays against it: guest memory, a queue laid out in it, and the
 * device's registers.
 */
#ifndef UNIT_DISK_H
#define UNIT_DISK_H

#include <linux/virtio_blk.h>
#include <linux/virtio_ring.h>
#include <stdint.h>

#include "virtio_blk.h"

#define GUEST_SIZE  (1UL << 20)
#define QUEUE_SIZE  16
#define DESC_GPA    0x1000UL
#define AVAIL_GPA   0x2000UL
#define USED_GPA    0x3000UL
#define HEADER_GPA  0x4000UL
#define STATUS_GPA  0x5000UL
#define DATA_GPA    0x10000UL
#define SECTOR_SIZE 512UL
#define DISK_SIZE   (64UL * SECTOR_SIZE)

void memory_create(struct mem *mem);
struct vring_desc *ring_desc(const struct mem *mem, unsigned int nr);
void ring_set(const struct mem *mem, unsigned int nr, uint64_t gpa, uint32_t len, uint16_t flags,
	      uint16_t next);
void ring_offer(const struct mem *mem, uint16_t head);
uint16_t ring_used(const struct mem *mem);

uint32_t reg_read(struct virtio_dev *dev, uint64_t reg);
void reg_write(struct virtio_dev *dev, uint64_t reg, uint32_t value);
void driver_begin(struct virtio_dev *dev, uint64_t features);
void driver_set_queue(struct virtio_dev *dev, uint32_t size, uint64_t desc, uint64_t avail,
		      uint64_t used);
void driver_start(struct virtio_dev *dev);
void driver_kick(struct virtio_dev *dev);
uint32_t driver_wait(struct virtio_dev *dev);

#endif
