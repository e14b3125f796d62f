// SPDX-License-Identifier: GPL-2.0-only
/*
 * The registers of a virtio device in memory space (virtio 1.x over MMIO).
 *
 * A register is four bytes and accessed as such; other accesses give zeros and are lost.  The
 * device's own configuration may be read in any size.
 */
#include <linux/virtio_config.h>
#include <linux/virtio_mmio.h>
#include <string.h>

#include "virtio.h"

#define MAGIC	  0x74726976 /* "virt" */
#define VENDOR	  0x6d766b6d /* "mkvm" */
#define STATUS_OK (VIRTIO_CONFIG_S_DRIVER_OK | VIRTIO_CONFIG_S_FEATURES_OK)

static struct virtqueue *mmio_queue(struct virtio_dev *dev)
{
	return dev->queue_select < dev->ops->nr_queues ? &dev->queues[dev->queue_select] : NULL;
}

static uint32_t mmio_read_reg(struct virtio_dev *dev, uint64_t offset)
{
	const struct virtqueue *queue = mmio_queue(dev);

	switch (offset) {
	case VIRTIO_MMIO_MAGIC_VALUE:
		return MAGIC;
	case VIRTIO_MMIO_VERSION:
		return 2;
	case VIRTIO_MMIO_DEVICE_ID:
		return dev->ops->id;
	case VIRTIO_MMIO_VENDOR_ID:
		return VENDOR;
	case VIRTIO_MMIO_DEVICE_FEATURES:
		return dev->features_select < 2 ? dev->features >> 32 * dev->features_select : 0;
	case VIRTIO_MMIO_QUEUE_NUM_MAX:
		return queue ? VIRTQUEUE_MAX : 0;
	case VIRTIO_MMIO_QUEUE_READY:
		return queue && queue->ready;
	case VIRTIO_MMIO_STATUS:
		return dev->status;
	default:
		return 0; /* the configuration never changes: its generation is 0 */
	}
}

static void mmio_read(void *device, uint64_t offset, uint8_t *data, uint32_t len)
{
	struct virtio_dev *dev = device;
	uint32_t value;

	memset(data, 0, len);
	if (offset >= VIRTIO_MMIO_CONFIG) {
		offset -= VIRTIO_MMIO_CONFIG;
		if (offset < dev->config_size && len <= dev->config_size - offset)
			memcpy(data, dev->config + offset, len);
		return;
	}
	if (len != 4 || offset % 4)
		return;
	if (offset == VIRTIO_MMIO_INTERRUPT_STATUS) {
		value = atomic_load(&dev->interrupts);
	} else {
		pthread_mutex_lock(&dev->lock);
		value = mmio_read_reg(dev, offset);
		pthread_mutex_unlock(&dev->lock);
	}
	memcpy(data, &value, 4);
}

static void mmio_write_status(struct virtio_dev *dev, uint32_t value)
{
	uint32_t broken = dev->status & VIRTIO_CONFIG_S_NEEDS_RESET;

	if (!value) {
		virtio_reset(dev);
		return;
	}
	/* What we do not offer cannot be agreed upon, and without version 1 nothing is. */
	if ((value & VIRTIO_CONFIG_S_FEATURES_OK) &&
	    (dev->driver_features & ~dev->features ||
	     !(dev->driver_features & 1ULL << VIRTIO_F_VERSION_1)))
		value &= ~VIRTIO_CONFIG_S_FEATURES_OK;
	if ((value & STATUS_OK) == VIRTIO_CONFIG_S_DRIVER_OK)
		value &= ~VIRTIO_CONFIG_S_DRIVER_OK;
	dev->status = (value & 0xff) | broken;
}

static void mmio_write_features(struct virtio_dev *dev, uint32_t value)
{
	unsigned int shift = 32 * dev->driver_select;

	if (dev->status & VIRTIO_CONFIG_S_FEATURES_OK)
		return;
	if (dev->driver_select > 1) {
		if (value)
			dev->driver_features |= ~dev->features;
		return;
	}
	dev->driver_features &= ~(0xffffffffULL << shift);
	dev->driver_features |= (uint64_t)value << shift;
}

static void mmio_set_half(uint64_t *gpa, bool high, uint32_t value)
{
	unsigned int shift = high ? 32 : 0;

	*gpa = (*gpa & ~(0xffffffffULL << shift)) | (uint64_t)value << shift;
}

/* A queue's place may not change while the device may be using it. */
static void mmio_write_queue(struct virtio_dev *dev, uint64_t offset, uint32_t value)
{
	struct virtqueue *queue = mmio_queue(dev);

	if (!queue)
		return;
	if (offset == VIRTIO_MMIO_QUEUE_READY && !value) {
		virtqueue_reset(queue, queue->mem);
		return;
	}
	if (queue->ready || queue->fault)
		return;
	switch (offset) {
	case VIRTIO_MMIO_QUEUE_NUM:
		queue->size = value;
		break;
	case VIRTIO_MMIO_QUEUE_READY:
		if (virtqueue_start(queue) == VIRTQUEUE_BROKEN)
			virtio_needs_reset(dev, queue->fault);
		break;
	case VIRTIO_MMIO_QUEUE_DESC_LOW:
	case VIRTIO_MMIO_QUEUE_DESC_HIGH:
		mmio_set_half(&queue->desc_gpa, offset == VIRTIO_MMIO_QUEUE_DESC_HIGH, value);
		break;
	case VIRTIO_MMIO_QUEUE_AVAIL_LOW:
	case VIRTIO_MMIO_QUEUE_AVAIL_HIGH:
		mmio_set_half(&queue->avail_gpa, offset == VIRTIO_MMIO_QUEUE_AVAIL_HIGH, value);
		break;
	case VIRTIO_MMIO_QUEUE_USED_LOW:
	case VIRTIO_MMIO_QUEUE_USED_HIGH:
		mmio_set_half(&queue->used_gpa, offset == VIRTIO_MMIO_QUEUE_USED_HIGH, value);
		break;
	default:
		break;
	}
}

static void mmio_write_reg(struct virtio_dev *dev, uint64_t offset, uint32_t value)
{
	switch (offset) {
	case VIRTIO_MMIO_DEVICE_FEATURES_SEL:
		dev->features_select = value;
		break;
	case VIRTIO_MMIO_DRIVER_FEATURES_SEL:
		dev->driver_select = value;
		break;
	case VIRTIO_MMIO_DRIVER_FEATURES:
		mmio_write_features(dev, value);
		break;
	case VIRTIO_MMIO_QUEUE_SEL:
		dev->queue_select = value;
		break;
	case VIRTIO_MMIO_STATUS:
		mmio_write_status(dev, value);
		break;
	default:
		mmio_write_queue(dev, offset, value);
	}
}

/* A notification comes here only for a queue that the device does not have. */
static void mmio_write(void *device, uint64_t offset, const uint8_t *data, uint32_t len)
{
	struct virtio_dev *dev = device;
	uint32_t value;

	if (len != 4 || offset % 4)
		return;
	memcpy(&value, data, 4);
	if (offset == VIRTIO_MMIO_INTERRUPT_ACK) {
		atomic_fetch_and(&dev->interrupts, ~value);
		return;
	}
	pthread_mutex_lock(&dev->lock);
	mmio_write_reg(dev, offset, value);
	pthread_mutex_unlock(&dev->lock);
}

const struct bus_ops virtio_mmio_ops = { .read = mmio_read, .write = mmio_write };
