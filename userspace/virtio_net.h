/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MKVM_USER_VIRTIO_NET_H
#define MKVM_USER_VIRTIO_NET_H

#include <linux/virtio_net.h>

#include "virtio.h"

/* A network card whose cable ends in a tap interface of the host's. */
struct virtio_net {
	int fd;
	struct virtio_net_config config;
	struct virtio_dev dev;
};

int virtio_net_create(struct virtio_net *net, const char *tap, const struct mem *mem);
void virtio_net_destroy(struct virtio_net *net);

#endif
