/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MKVM_USER_VIRTIO_BLK_H
#define MKVM_USER_VIRTIO_BLK_H

#include <linux/virtio_blk.h>
#include <stdbool.h>
#include <stdint.h>

#include "virtio.h"

/* A disk: a raw image, which stays open and locked as long as it exists. */
struct virtio_blk {
	const char *path;
	int fd;
	bool readonly;
	uint64_t size;
	struct virtio_blk_config config;
	struct virtio_dev dev;
};

int virtio_blk_create(struct virtio_blk *blk, const char *path, bool readonly,
		      const struct mem *mem);
void virtio_blk_destroy(struct virtio_blk *blk);

#endif
