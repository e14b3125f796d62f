/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MKVM_USER_VIRTIO_RNG_H
#define MKVM_USER_VIRTIO_RNG_H

#include "virtio.h"

int virtio_rng_create(struct virtio_dev *dev, const struct mem *mem);

#endif
