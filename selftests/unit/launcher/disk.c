// SPDX-License-Identifier: GPL-2.0-only
/*
 * A driver of virtio over MMIO, as small as may be, that can do everything wrong.
 */
#include "disk.h"

#include <linux/virtio_config.h>
#include <linux/virtio_mmio.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/ktap.h"

#define WAIT_MS 20000 /* for an answer that has to come */

/* From malloc(), so that each access beyond it is noticed. */
void memory_create(struct mem *mem)
{
	*mem = (struct mem){ .host = calloc(1, GUEST_SIZE), .size = GUEST_SIZE };
	REQUIRE(mem->host);
}

struct vring_desc *ring_desc(const struct mem *mem, unsigned int nr)
{
	return (struct vring_desc *)mem_at(mem, DESC_GPA, GUEST_SIZE / 2) + nr;
}

void ring_set(const struct mem *mem, unsigned int nr, uint64_t gpa, uint32_t len, uint16_t flags,
	      uint16_t next)
{
	*ring_desc(mem, nr) = (struct vring_desc){ gpa, len, flags, next };
}

void ring_offer(const struct mem *mem, uint16_t head)
{
	struct vring_avail *avail = mem_at(mem, AVAIL_GPA, sizeof(*avail));

	avail->ring[avail->idx % QUEUE_SIZE] = head;
	__atomic_fetch_add(&avail->idx, 1, __ATOMIC_RELEASE);
}

uint16_t ring_used(const struct mem *mem)
{
	const struct vring_used *used = mem_at(mem, USED_GPA, sizeof(*used));

	return __atomic_load_n(&used->idx, __ATOMIC_ACQUIRE);
}

uint32_t reg_read(struct virtio_dev *dev, uint64_t reg)
{
	uint32_t value;

	virtio_mmio_ops.read(dev, reg, (uint8_t *)&value, 4);
	return value;
}

void reg_write(struct virtio_dev *dev, uint64_t reg, uint32_t value)
{
	virtio_mmio_ops.write(dev, reg, (const uint8_t *)&value, 4);
}

void driver_begin(struct virtio_dev *dev, uint64_t features)
{
	reg_write(dev, VIRTIO_MMIO_STATUS, 0);
	reg_write(dev, VIRTIO_MMIO_STATUS, VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER);
	reg_write(dev, VIRTIO_MMIO_DRIVER_FEATURES_SEL, 0);
	reg_write(dev, VIRTIO_MMIO_DRIVER_FEATURES, features);
	reg_write(dev, VIRTIO_MMIO_DRIVER_FEATURES_SEL, 1);
	reg_write(dev, VIRTIO_MMIO_DRIVER_FEATURES, features >> 32);
	reg_write(dev, VIRTIO_MMIO_STATUS,
		  reg_read(dev, VIRTIO_MMIO_STATUS) | VIRTIO_CONFIG_S_FEATURES_OK);
}

void driver_set_queue(struct virtio_dev *dev, uint32_t size, uint64_t desc, uint64_t avail,
		      uint64_t used)
{
	reg_write(dev, VIRTIO_MMIO_QUEUE_SEL, 0);
	reg_write(dev, VIRTIO_MMIO_QUEUE_NUM, size);
	reg_write(dev, VIRTIO_MMIO_QUEUE_DESC_LOW, desc);
	reg_write(dev, VIRTIO_MMIO_QUEUE_DESC_HIGH, desc >> 32);
	reg_write(dev, VIRTIO_MMIO_QUEUE_AVAIL_LOW, avail);
	reg_write(dev, VIRTIO_MMIO_QUEUE_AVAIL_HIGH, avail >> 32);
	reg_write(dev, VIRTIO_MMIO_QUEUE_USED_LOW, used);
	reg_write(dev, VIRTIO_MMIO_QUEUE_USED_HIGH, used >> 32);
	reg_write(dev, VIRTIO_MMIO_QUEUE_READY, 1);
}

void driver_start(struct virtio_dev *dev)
{
	driver_begin(dev, 1ULL << VIRTIO_F_VERSION_1);
	driver_set_queue(dev, QUEUE_SIZE, DESC_GPA, AVAIL_GPA, USED_GPA);
	reg_write(dev, VIRTIO_MMIO_STATUS,
		  reg_read(dev, VIRTIO_MMIO_STATUS) | VIRTIO_CONFIG_S_DRIVER_OK);
}

/* As the kernel does for a store to the register. */
void driver_kick(struct virtio_dev *dev)
{
	uint64_t one = 1;

	REQUIRE(write(dev->kick_fds[0], &one, sizeof(one)) == sizeof(one));
}

/*
 * The reasons of the next interrupt, acknowledged; 0 if none comes.  One without a reason was
 * raised before a reset and came after it, as one may: a driver looks for the reason.
 */
uint32_t driver_wait(struct virtio_dev *dev)
{
	struct pollfd irq = { .fd = dev->irq_fd, .events = POLLIN };
	uint32_t why = 0;
	uint64_t count;

	while (!why && poll(&irq, 1, WAIT_MS) > 0) {
		REQUIRE(read(dev->irq_fd, &count, sizeof(count)) == sizeof(count));
		why = reg_read(dev, VIRTIO_MMIO_INTERRUPT_STATUS);
		reg_write(dev, VIRTIO_MMIO_INTERRUPT_ACK, why);
	}
	return why;
}
