// SPDX-License-Identifier: GPL-2.0-only
/*
 * virtio-net: a network card on a tap interface.
 *
 * The tap reads and writes the header of virtio-net as it stands before each packet, so packets go
 * by as they are.  None is offloaded: the tap is told so, and of the guest's header only a zero one
 * is passed on.
 */
#include "virtio_net.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ids.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "message.h"

#define QUEUE_RX   0
#define HEADER_LEN (sizeof(struct virtio_net_hdr_v1))

/* A packet from the tap into the guest's buffer, which may cut it off as a cable would not. */
static uint32_t net_receive(struct virtio_net *net, struct chain *chain)
{
	struct virtio_net_hdr_v1 header = { .num_buffers = 1 };
	ssize_t got;

	if (chain->in_len < HEADER_LEN) {
		virtio_needs_reset(&net->dev, "a buffer has no room for a packet's header");
		return 0;
	}
	got = readv(net->fd, chain->in, chain->nr_in);
	if (got < (ssize_t)HEADER_LEN)
		return 0;
	chain_write(chain, 0, &header, HEADER_LEN);
	return got;
}

/* What the host's network does not take is lost, as on a cable. */
static void net_send(struct virtio_net *net, const struct chain *chain)
{
	static const struct virtio_net_hdr_v1 header;
	struct iovec iov[VIRTQUEUE_MAX + 1] = { { (void *)&header, HEADER_LEN } };
	unsigned int nr;

	if (chain->out_len <= HEADER_LEN) {
		virtio_needs_reset(&net->dev, "a packet has no header");
		return;
	}
	nr = iov_part(iov + 1, chain->out, chain->nr_out, HEADER_LEN, chain->out_len - HEADER_LEN);
	if (writev(net->fd, iov, nr + 1) < 0)
		return;
}

static uint32_t net_serve(struct virtio_dev *dev, unsigned int queue, struct chain *chain)
{
	if (queue == QUEUE_RX)
		return net_receive(dev->data, chain);
	net_send(dev->data, chain);
	return 0;
}

static const struct virtio_ops net_ops = {
	.name = "virtio-net",
	.id = VIRTIO_ID_NET,
	.nr_queues = 2,
	.serve = net_serve,
	.fd_queue = QUEUE_RX,
};

static int net_open(struct virtio_net *net, const char *tap)
{
	struct ifreq request = { .ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR };
	int header_len = HEADER_LEN;

	if (strlen(tap) >= sizeof(request.ifr_name)) {
		message("--net: the tap's name '%s' is too long", tap);
		return -EINVAL;
	}
	memcpy(request.ifr_name, tap, strlen(tap));
	net->fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
	if (net->fd < 0) {
		message("--net: /dev/net/tun: %s", strerror(errno));
		return -errno;
	}
	if (ioctl(net->fd, TUNSETIFF, &request) < 0) {
		message("--net: tap %s: %s%s", tap, strerror(errno),
			errno == EPERM ? "; make it: ip tuntap add NAME mode tap user USER" : "");
		return -errno;
	}
	if (ioctl(net->fd, TUNSETVNETHDRSZ, &header_len) < 0 ||
	    ioctl(net->fd, TUNSETOFFLOAD, 0) < 0) {
		message("--net: tap %s: %s", tap, strerror(errno));
		return -errno;
	}
	return 0;
}

/* An address of those that anybody may use, the same for the same tap. */
static void net_make_mac(uint8_t *mac, const char *tap)
{
	uint32_t hash = 2166136261U;

	while (*tap)
		hash = (hash ^ (uint8_t)*tap++) * 16777619U;
	mac[0] = 0x52;
	mac[1] = 0x54;
	memcpy(mac + 2, &hash, 4);
}

/* A failure has been told when this returns. */
int virtio_net_create(struct virtio_net *net, const char *tap, const struct mem *mem)
{
	int err;

	*net = (struct virtio_net){ .fd = -1 };
	err = net_open(net, tap);
	if (!err)
		err = virtio_create(&net->dev, &net_ops, mem);
	if (err) {
		if (net->fd >= 0)
			close(net->fd);
		return err;
	}
	net_make_mac(net->config.mac, tap);
	net->dev.data = net;
	net->dev.fd = net->fd;
	net->dev.config = (const uint8_t *)&net->config;
	net->dev.config_size = sizeof(net->config);
	net->dev.features |= 1ULL << VIRTIO_NET_F_MAC;
	return 0;
}

void virtio_net_destroy(struct virtio_net *net)
{
	virtio_destroy(&net->dev);
	close(net->fd);
}
