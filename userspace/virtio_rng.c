// SPDX-License-Identifier: GPL-2.0-only
/*
 * virtio-rng: random bytes of the host's.
 */
#include "virtio_rng.h"

#include <linux/virtio_ids.h>
#include <sys/random.h>

#define RNG_MAX 256 /* bytes a request; getrandom() gives so many in one piece */

static uint32_t rng_serve(struct virtio_dev *dev, unsigned int queue, struct chain *chain)
{
	uint8_t bytes[RNG_MAX];
	size_t len = chain->in_len < RNG_MAX ? chain->in_len : RNG_MAX;

	(void)queue;
	if (!len) {
		virtio_needs_reset(dev, "a request has no room for random bytes");
		return 0;
	}
	if (getrandom(bytes, len, 0) != (ssize_t)len)
		return 0;
	return chain_write(chain, 0, bytes, len);
}

static const struct virtio_ops rng_ops = {
	.name = "virtio-rng",
	.id = VIRTIO_ID_RNG,
	.nr_queues = 1,
	.serve = rng_serve,
	.fd_queue = -1,
};

int virtio_rng_create(struct virtio_dev *dev, const struct mem *mem)
{
	return virtio_create(dev, &rng_ops, mem);
}
