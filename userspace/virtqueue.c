// SPDX-License-Identifier: GPL-2.0-only
/*
 * The device's side of a virtqueue (virtio 1.x, split ring) in the memory of a guest that is not
 * trusted.
 *
 * Invariants:
 *   - what lies in guest memory may change at any time: each of its fields is read once, into our
 *     own memory, and judged there;
 *   - an address of the guest's becomes one of ours only by mem_at(), which knows where it ends;
 *   - a chain is as long as the queue at most, so a loop ends;
 *   - of a queue that was found broken nothing is read or written until it is reset.
 *
 * Two buffers of one chain may overlap: a program of the guest's may ask for that (readv() into one
 * page twice, past the page cache), and it harms only the guest.  A buffer that the device would
 * fill may not overlap the queue's own rings.
 */
#include "virtqueue.h"

#include <string.h>

#define CHAIN_MAX_LEN (1UL << 32) /* what the used ring can tell */

static enum virtqueue_result queue_broken(struct virtqueue *queue, const char *fault)
{
	queue->fault = fault;
	queue->ready = false;
	return VIRTQUEUE_BROKEN;
}

void virtqueue_reset(struct virtqueue *queue, const struct mem *mem)
{
	*queue = (struct virtqueue){ .mem = mem };
}

static size_t desc_size(const struct virtqueue *queue)
{
	return queue->size * sizeof(struct vring_desc);
}

/* Each ring has one more word at its end, which is not used without event indices. */
static size_t avail_size(const struct virtqueue *queue)
{
	return sizeof(struct vring_avail) + queue->size * sizeof(uint16_t) + sizeof(uint16_t);
}

static size_t used_size(const struct virtqueue *queue)
{
	return sizeof(struct vring_used) + queue->size * sizeof(struct vring_used_elem) +
	       sizeof(uint16_t);
}

static bool ranges_overlap(uint64_t a, uint64_t a_len, uint64_t b, uint64_t b_len)
{
	return a < b + b_len && b < a + a_len;
}

/* The guest says that its rings are there.  Nothing of them has been read yet. */
enum virtqueue_result virtqueue_start(struct virtqueue *queue)
{
	if (!queue->size || queue->size > VIRTQUEUE_MAX || queue->size & (queue->size - 1))
		return queue_broken(queue, "its size is no power of two, or too large");
	if (queue->desc_gpa % 16 || queue->avail_gpa % 2 || queue->used_gpa % 4)
		return queue_broken(queue, "a ring is not aligned");
	queue->desc = mem_at(queue->mem, queue->desc_gpa, desc_size(queue));
	queue->avail = mem_at(queue->mem, queue->avail_gpa, avail_size(queue));
	queue->used = mem_at(queue->mem, queue->used_gpa, used_size(queue));
	if (!queue->desc || !queue->avail || !queue->used)
		return queue_broken(queue, "a ring is not within the guest's memory");
	if (ranges_overlap(queue->desc_gpa, desc_size(queue), queue->used_gpa, used_size(queue)) ||
	    ranges_overlap(queue->avail_gpa, avail_size(queue), queue->used_gpa, used_size(queue)))
		return queue_broken(queue, "its rings overlap");
	queue->ready = true;
	return VIRTQUEUE_CHAIN;
}

static uint16_t queue_avail_index(const struct virtqueue *queue)
{
	return __atomic_load_n(&queue->avail->idx, __ATOMIC_ACQUIRE);
}

static struct vring_desc queue_read_desc(const struct virtqueue *queue, uint16_t index)
{
	const struct vring_desc *desc = &queue->desc[index];

	return (struct vring_desc){
		.addr = __atomic_load_n(&desc->addr, __ATOMIC_RELAXED),
		.len = __atomic_load_n(&desc->len, __ATOMIC_RELAXED),
		.flags = __atomic_load_n(&desc->flags, __ATOMIC_RELAXED),
		.next = __atomic_load_n(&desc->next, __ATOMIC_RELAXED),
	};
}

static bool queue_has_ring_at(const struct virtqueue *queue, uint64_t gpa, uint64_t len)
{
	return ranges_overlap(gpa, len, queue->desc_gpa, desc_size(queue)) ||
	       ranges_overlap(gpa, len, queue->avail_gpa, avail_size(queue)) ||
	       ranges_overlap(gpa, len, queue->used_gpa, used_size(queue));
}

/* What is wrong with it, or NULL after it has become the chain's next piece. */
static const char *chain_add(struct chain *chain, const struct virtqueue *queue,
			     const struct vring_desc *desc)
{
	void *host;

	if (desc->flags & ~(VRING_DESC_F_NEXT | VRING_DESC_F_WRITE))
		return "a descriptor has flags that were not agreed upon";
	if (!desc->len)
		return "a descriptor has no length";
	host = mem_at(queue->mem, desc->addr, desc->len);
	if (!host)
		return "a descriptor is not within the guest's memory";
	if (!(desc->flags & VRING_DESC_F_WRITE)) {
		if (chain->nr_in)
			return "a buffer to read follows one to fill";
		chain->out[chain->nr_out++] = (struct iovec){ host, desc->len };
		chain->out_len += desc->len;
		return NULL;
	}
	if (queue_has_ring_at(queue, desc->addr, desc->len))
		return "a buffer to fill overlaps the queue's rings";
	chain->in[chain->nr_in++] = (struct iovec){ host, desc->len };
	chain->in_len += desc->len;
	return NULL;
}

static enum virtqueue_result queue_read_chain(struct virtqueue *queue, struct chain *chain)
{
	uint16_t index = chain->head;
	struct vring_desc desc;
	const char *fault;
	uint32_t nr;

	for (nr = 0; nr < queue->size; nr++) {
		if (index >= queue->size)
			return queue_broken(queue, "a descriptor's number is too large");
		desc = queue_read_desc(queue, index);
		fault = chain_add(chain, queue, &desc);
		if (fault)
			return queue_broken(queue, fault);
		if (chain->out_len + chain->in_len > CHAIN_MAX_LEN)
			return queue_broken(queue, "a chain is too long");
		if (!(desc.flags & VRING_DESC_F_NEXT))
			return VIRTQUEUE_CHAIN;
		index = desc.next;
	}
	return queue_broken(queue, "a chain of descriptors is a loop");
}

/* The next buffer, to be given back by virtqueue_push(). */
enum virtqueue_result virtqueue_pop(struct virtqueue *queue, struct chain *chain)
{
	uint16_t waiting;

	if (!queue->ready)
		return queue->fault ? VIRTQUEUE_BROKEN : VIRTQUEUE_EMPTY;
	waiting = queue_avail_index(queue) - queue->next_avail;
	if (!waiting)
		return VIRTQUEUE_EMPTY;
	if (waiting > queue->size)
		return queue_broken(queue, "more buffers are offered than it has descriptors");
	chain->head = __atomic_load_n(&queue->avail->ring[queue->next_avail % queue->size],
				      __ATOMIC_RELAXED);
	chain->nr_out = 0;
	chain->nr_in = 0;
	chain->out_len = 0;
	chain->in_len = 0;
	queue->next_avail++;
	return queue_read_chain(queue, chain);
}

bool virtqueue_has_chain(const struct virtqueue *queue)
{
	return queue->ready && queue_avail_index(queue) != queue->next_avail;
}

/* Gives a buffer back, its first @written bytes filled. */
void virtqueue_push(struct virtqueue *queue, uint16_t head, uint32_t written)
{
	struct vring_used_elem *elem;

	if (!queue->ready)
		return;
	elem = &queue->used->ring[queue->next_used % queue->size];
	__atomic_store_n(&elem->id, head, __ATOMIC_RELAXED);
	__atomic_store_n(&elem->len, written, __ATOMIC_RELAXED);
	__atomic_store_n(&queue->used->idx, ++queue->next_used, __ATOMIC_RELEASE);
}

/* After the last virtqueue_push(): a guest asks for interrupts, then looks at the ring. */
bool virtqueue_wants_interrupt(const struct virtqueue *queue)
{
	if (!queue->ready)
		return false;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return !(__atomic_load_n(&queue->avail->flags, __ATOMIC_RELAXED) &
		 VRING_AVAIL_F_NO_INTERRUPT);
}

/* The pieces of iov's bytes offset .. offset + len; answers how many. */
unsigned int iov_part(struct iovec *part, const struct iovec *iov, unsigned int nr, size_t offset,
		      size_t len)
{
	unsigned int i, n = 0;

	for (i = 0; i < nr && len; i++) {
		size_t take;

		if (offset >= iov[i].iov_len) {
			offset -= iov[i].iov_len;
			continue;
		}
		take = iov[i].iov_len - offset;
		if (take > len)
			take = len;
		part[n++] = (struct iovec){ (char *)iov[i].iov_base + offset, take };
		offset = 0;
		len -= take;
	}
	return n;
}

/* The first bytes of what the guest has for us; fewer than @len if it has fewer. */
size_t chain_read(const struct chain *chain, void *to, size_t len)
{
	struct iovec part[VIRTQUEUE_MAX];
	unsigned int i, n = iov_part(part, chain->out, chain->nr_out, 0, len);
	size_t done = 0;

	for (i = 0; i < n; i++) {
		memcpy((char *)to + done, part[i].iov_base, part[i].iov_len);
		done += part[i].iov_len;
	}
	return done;
}

/* Into what the guest lets us fill; fewer than @len if that has an end before. */
size_t chain_write(const struct chain *chain, size_t offset, const void *from, size_t len)
{
	struct iovec part[VIRTQUEUE_MAX];
	unsigned int i, n = iov_part(part, chain->in, chain->nr_in, offset, len);
	size_t done = 0;

	for (i = 0; i < n; i++) {
		memcpy(part[i].iov_base, (const char *)from + done, part[i].iov_len);
		done += part[i].iov_len;
	}
	return done;
}
