/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MKVM_USER_VIRTQUEUE_H
#define MKVM_USER_VIRTQUEUE_H

#include <linux/virtio_ring.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "lib/mem.h"

#define VIRTQUEUE_MAX 128 /* descriptors */

/* A queue of buffers; what the guest set is used only while ready. */
struct virtqueue {
	const struct mem *mem;
	uint32_t size;
	uint64_t desc_gpa, avail_gpa, used_gpa;
	bool ready;
	struct vring_desc *desc;
	struct vring_avail *avail;
	struct vring_used *used;
	uint16_t next_avail, next_used;
	const char *fault; /* what the guest did wrong */
};

/* A buffer of the guest's: @out is for the device to read, @in for it to fill. */
struct chain {
	uint16_t head;
	unsigned int nr_out, nr_in;
	size_t out_len, in_len;
	struct iovec out[VIRTQUEUE_MAX], in[VIRTQUEUE_MAX];
};

enum virtqueue_result {
	VIRTQUEUE_BROKEN = -1, /* fault says how; the queue is of no more use */
	VIRTQUEUE_EMPTY = 0,
	VIRTQUEUE_CHAIN = 1,
};

void virtqueue_reset(struct virtqueue *queue, const struct mem *mem);
enum virtqueue_result virtqueue_start(struct virtqueue *queue);
enum virtqueue_result virtqueue_pop(struct virtqueue *queue, struct chain *chain);
bool virtqueue_has_chain(const struct virtqueue *queue);
void virtqueue_push(struct virtqueue *queue, uint16_t head, uint32_t written);
bool virtqueue_wants_interrupt(const struct virtqueue *queue);

size_t chain_read(const struct chain *chain, void *to, size_t len);
size_t chain_write(const struct chain *chain, size_t offset, const void *from, size_t len);
unsigned int iov_part(struct iovec *part, const struct iovec *iov, unsigned int nr, size_t offset,
		      size_t len);

#endif
