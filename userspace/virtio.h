/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MKVM_USER_VIRTIO_H
#define MKVM_USER_VIRTIO_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "bus.h"
#include "lib/mem.h"
#include "lib/vm.h"
#include "virtqueue.h"

#define VIRTIO_MAX_QUEUES 2
#define VIRTIO_MMIO_SIZE  0x1000UL

struct virtio_dev;

/* A kind of device. */
struct virtio_ops {
	const char *name;
	uint32_t id;
	unsigned int nr_queues;
	/* Does what one buffer asks for; answers how many bytes it filled. */
	uint32_t (*serve)(struct virtio_dev *dev, unsigned int queue, struct chain *chain);
	/* The queue whose buffers wait until the file descriptor has input; -1: none. */
	int fd_queue;
};

/*
 * A device.  @lock guards all but what says otherwise; its thread holds it while it serves, a
 * CPU's while it reads or writes a register.
 */
struct virtio_dev {
	const struct virtio_ops *ops;
	void *data;	   /* the kind's own */
	int fd;		   /* that is polled for fd_queue */
	uint64_t features; /* offered; immutable once made */
	const uint8_t *config;
	uint32_t config_size;
	uint64_t gpa; /* immutable once made, as is gsi */
	uint32_t gsi;

	pthread_mutex_t lock;
	uint32_t status;
	uint32_t features_select, driver_select, queue_select;
	uint64_t driver_features;
	struct virtqueue queues[VIRTIO_MAX_QUEUES];
	struct chain chain;
	bool told; /* that the guest broke it */

	atomic_uint interrupts; /* not acknowledged yet */
	int irq_fd, stop_fd, kick_fds[VIRTIO_MAX_QUEUES];
	pthread_t thread;
	bool running; /* the owner's */
};

extern const struct bus_ops virtio_mmio_ops;

int virtio_create(struct virtio_dev *dev, const struct virtio_ops *ops, const struct mem *mem);
void virtio_destroy(struct virtio_dev *dev);
void virtio_reset(struct virtio_dev *dev);
int virtio_bind(struct virtio_dev *dev, const struct vm *vm);
int virtio_start(struct virtio_dev *dev);
void virtio_stop(struct virtio_dev *dev);
void virtio_needs_reset(struct virtio_dev *dev, const char *fault);

#endif
