// SPDX-License-Identifier: GPL-2.0-only
/*
 * What all virtio devices share: a thread for each, its doorbells, its interrupt, and its end when
 * the guest breaks a queue.
 *
 * A doorbell is an eventfd to which the kernel writes when the guest notifies a queue; the
 * interrupt is one to which we write.  A device whose guest did what no driver does says
 * DEVICE_NEEDS_RESET and does nothing more until it is reset; the others and the machine go on.
 */
#include "virtio.h"

#include <errno.h>
#include <linux/virtio_config.h>
#include <linux/virtio_mmio.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "lib/irqchip.h"
#include "message.h"

static void eventfd_raise(int fd)
{
	uint64_t one = 1;

	/* Only a full counter could refuse it, and then the reader has been told. */
	if (write(fd, &one, sizeof(one)) < 0)
		return;
}

static void eventfd_drain(int fd)
{
	uint64_t count;

	if (read(fd, &count, sizeof(count)) < 0)
		return;
}

int virtio_create(struct virtio_dev *dev, const struct virtio_ops *ops, const struct mem *mem)
{
	unsigned int i;

	memset(dev, 0, sizeof(*dev));
	dev->ops = ops;
	dev->fd = -1;
	dev->features = 1ULL << VIRTIO_F_VERSION_1;
	for (i = 0; i < VIRTIO_MAX_QUEUES; i++) {
		virtqueue_reset(&dev->queues[i], mem);
		dev->kick_fds[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	}
	dev->irq_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	dev->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	pthread_mutex_init(&dev->lock, NULL);
	if (dev->irq_fd >= 0 && dev->stop_fd >= 0 && dev->kick_fds[0] >= 0 && dev->kick_fds[1] >= 0)
		return 0;
	virtio_destroy(dev);
	return -EMFILE;
}

void virtio_destroy(struct virtio_dev *dev)
{
	unsigned int i;

	for (i = 0; i < VIRTIO_MAX_QUEUES; i++)
		close(dev->kick_fds[i]);
	close(dev->irq_fd);
	close(dev->stop_fd);
	pthread_mutex_destroy(&dev->lock);
}

/* The caller holds the lock, or nobody else knows the device. */
void virtio_reset(struct virtio_dev *dev)
{
	unsigned int i;

	dev->status = 0;
	dev->driver_features = 0;
	dev->features_select = 0;
	dev->driver_select = 0;
	dev->queue_select = 0;
	for (i = 0; i < dev->ops->nr_queues; i++)
		virtqueue_reset(&dev->queues[i], dev->queues[i].mem);
	atomic_store(&dev->interrupts, 0);
}

/* Its interrupt and its doorbells in a VM that has just been made. */
int virtio_bind(struct virtio_dev *dev, const struct vm *vm)
{
	unsigned int i;
	int err = irqchip_bind_eventfd(vm, dev->gsi, dev->irq_fd);

	for (i = 0; i < dev->ops->nr_queues && !err; i++)
		err = irqchip_bind_doorbell(vm, dev->gpa + VIRTIO_MMIO_QUEUE_NOTIFY, i,
					    dev->kick_fds[i]);
	return err;
}

static void virtio_interrupt(struct virtio_dev *dev, unsigned int why)
{
	atomic_fetch_or(&dev->interrupts, why);
	eventfd_raise(dev->irq_fd);
}

/* Caller holds the lock. */
void virtio_needs_reset(struct virtio_dev *dev, const char *fault)
{
	if (!dev->told)
		message("%s at 0x%llx: the guest broke a queue: %s; the device waits to be reset",
			dev->ops->name, (unsigned long long)dev->gpa, fault);
	dev->told = true;
	dev->status |= VIRTIO_CONFIG_S_NEEDS_RESET;
	if (dev->status & VIRTIO_CONFIG_S_DRIVER_OK)
		virtio_interrupt(dev, VIRTIO_MMIO_INT_CONFIG);
}

static bool virtio_works(const struct virtio_dev *dev)
{
	return (dev->status & VIRTIO_CONFIG_S_DRIVER_OK) &&
	       !(dev->status & VIRTIO_CONFIG_S_NEEDS_RESET);
}

static bool fd_has_input(int fd)
{
	struct pollfd input = { .fd = fd, .events = POLLIN };

	return poll(&input, 1, 0) > 0;
}

/* Serves all that waits in a queue.  Caller holds the lock. */
static void virtio_serve(struct virtio_dev *dev, unsigned int nr)
{
	struct virtqueue *queue = &dev->queues[nr];
	enum virtqueue_result result = VIRTQUEUE_EMPTY;
	bool waits = (int)nr == dev->ops->fd_queue, served = false;

	while (virtio_works(dev) && (!waits || fd_has_input(dev->fd)) &&
	       (result = virtqueue_pop(queue, &dev->chain)) == VIRTQUEUE_CHAIN) {
		virtqueue_push(queue, dev->chain.head, dev->ops->serve(dev, nr, &dev->chain));
		served = true;
	}
	if (served && virtqueue_wants_interrupt(queue))
		virtio_interrupt(dev, VIRTIO_MMIO_INT_VRING);
	if (result == VIRTQUEUE_BROKEN)
		virtio_needs_reset(dev, queue->fault);
}

/* Is a buffer there that the file descriptor's input could go into? */
static bool virtio_waits_for_fd(struct virtio_dev *dev)
{
	bool waits;

	if (dev->ops->fd_queue < 0)
		return false;
	pthread_mutex_lock(&dev->lock);
	waits = virtio_works(dev) && virtqueue_has_chain(&dev->queues[dev->ops->fd_queue]);
	pthread_mutex_unlock(&dev->lock);
	return waits;
}

static void *virtio_thread(void *data)
{
	struct virtio_dev *dev = data;
	unsigned int i, nr = dev->ops->nr_queues;
	struct pollfd fds[VIRTIO_MAX_QUEUES + 2];

	for (;;) {
		for (i = 0; i < nr; i++)
			fds[i] = (struct pollfd){ .fd = dev->kick_fds[i], .events = POLLIN };
		fds[nr] = (struct pollfd){ .fd = dev->stop_fd, .events = POLLIN };
		fds[nr + 1] = (struct pollfd){ .fd = virtio_waits_for_fd(dev) ? dev->fd : -1,
					       .events = POLLIN };
		if (poll(fds, nr + 2, -1) < 0)
			continue;
		if (fds[nr].revents)
			return NULL;
		for (i = 0; i < nr; i++) {
			bool input = (int)i == dev->ops->fd_queue && fds[nr + 1].revents;

			if (!fds[i].revents && !input)
				continue;
			if (fds[i].revents)
				eventfd_drain(dev->kick_fds[i]);
			pthread_mutex_lock(&dev->lock);
			virtio_serve(dev, i);
			pthread_mutex_unlock(&dev->lock);
		}
	}
}

int virtio_start(struct virtio_dev *dev)
{
	int err;

	eventfd_drain(dev->stop_fd);
	err = pthread_create(&dev->thread, NULL, virtio_thread, dev);
	dev->running = !err;
	return -err;
}

void virtio_stop(struct virtio_dev *dev)
{
	if (!dev->running)
		return;
	eventfd_raise(dev->stop_fd);
	pthread_join(dev->thread, NULL);
	dev->running = false;
}
