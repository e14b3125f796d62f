// SPDX-License-Identifier: GPL-2.0-only
/*
 * virtio-blk: a disk whose sectors are those of a raw image.
 *
 * A request is 16 bytes of header, data, and one byte of status at its very end.  One that is not,
 * or that reaches beyond the disk, is answered with an error: nothing outside the image is read or
 * written, and a request that fails may have been done in part, as on any disk.
 */
#include "virtio_blk.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ids.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "message.h"

#define SECTOR 512UL

/* What is left of a request: so many bytes from @offset of the image on, to or from @iov. */
struct transfer {
	struct virtio_blk *blk;
	struct iovec iov[VIRTQUEUE_MAX];
	unsigned int nr;
	uint64_t offset, len;
	bool write;
};

static ssize_t transfer_once(const struct transfer *transfer, const struct iovec *iov,
			     unsigned int nr, uint64_t done)
{
	if (transfer->write)
		return pwritev(transfer->blk->fd, iov, nr, transfer->offset + done);
	return preadv(transfer->blk->fd, iov, nr, transfer->offset + done);
}

static uint8_t transfer_run(const struct transfer *transfer)
{
	struct iovec rest[VIRTQUEUE_MAX];
	uint64_t done = 0;

	while (done < transfer->len) {
		unsigned int nr =
			iov_part(rest, transfer->iov, transfer->nr, done, transfer->len - done);
		ssize_t moved = transfer_once(transfer, rest, nr, done);

		if (moved < 0 && errno == EINTR)
			continue;
		if (moved <= 0) /* also an image that has become shorter */
			return VIRTIO_BLK_S_IOERR;
		done += moved;
	}
	return VIRTIO_BLK_S_OK;
}

static uint8_t blk_transfer(struct virtio_blk *blk, const struct chain *chain,
			    const struct virtio_blk_outhdr *header, bool write)
{
	struct transfer transfer = { .blk = blk, .write = write };

	if (write)
		transfer.len = chain->out_len - sizeof(*header);
	else
		transfer.len = chain->in_len - 1;
	if (transfer.len % SECTOR || transfer.len > blk->size ||
	    header->sector > (blk->size - transfer.len) / SECTOR || (write && blk->readonly))
		return VIRTIO_BLK_S_IOERR;
	transfer.offset = header->sector * SECTOR;
	if (write)
		transfer.nr = iov_part(transfer.iov, chain->out, chain->nr_out, sizeof(*header),
				       transfer.len);
	else
		transfer.nr = iov_part(transfer.iov, chain->in, chain->nr_in, 0, transfer.len);
	return transfer_run(&transfer);
}

static uint8_t blk_get_id(const struct virtio_blk *blk, const struct chain *chain)
{
	char id[VIRTIO_BLK_ID_BYTES] = "";
	const char *name = strrchr(blk->path, '/');

	name = name ? name + 1 : blk->path;
	memcpy(id, name, strnlen(name, sizeof(id)));
	if (chain->in_len - 1 < sizeof(id))
		return VIRTIO_BLK_S_IOERR;
	chain_write(chain, 0, id, sizeof(id));
	return VIRTIO_BLK_S_OK;
}

static uint8_t blk_request(struct virtio_blk *blk, const struct chain *chain,
			   const struct virtio_blk_outhdr *header)
{
	switch (header->type) {
	case VIRTIO_BLK_T_IN:
		return blk_transfer(blk, chain, header, false);
	case VIRTIO_BLK_T_OUT:
		return blk_transfer(blk, chain, header, true);
	case VIRTIO_BLK_T_FLUSH:
		return blk->readonly || fdatasync(blk->fd) == 0 ? VIRTIO_BLK_S_OK
								: VIRTIO_BLK_S_IOERR;
	case VIRTIO_BLK_T_GET_ID:
		return blk_get_id(blk, chain);
	default:
		return VIRTIO_BLK_S_UNSUPP;
	}
}

static uint32_t blk_serve(struct virtio_dev *dev, unsigned int queue, struct chain *chain)
{
	struct virtio_blk_outhdr header;
	uint8_t status;

	(void)queue;
	if (!chain->in_len) {
		virtio_needs_reset(dev, "a request has no room for its status");
		return 0;
	}
	if (chain_read(chain, &header, sizeof(header)) < sizeof(header))
		status = VIRTIO_BLK_S_IOERR;
	else
		status = blk_request(dev->data, chain, &header);
	chain_write(chain, chain->in_len - 1, &status, 1);
	/* All of it, or only what is sure to have been filled: the status is at the end. */
	return status == VIRTIO_BLK_S_OK ? chain->in_len : 1;
}

static const struct virtio_ops blk_ops = {
	.name = "virtio-blk",
	.id = VIRTIO_ID_BLOCK,
	.nr_queues = 1,
	.serve = blk_serve,
	.fd_queue = -1,
};

/* Opens the image and locks it: two writers would ruin it. */
static int blk_open(struct virtio_blk *blk)
{
	struct stat stat;
	off_t end;

	blk->fd = open(blk->path, (blk->readonly ? O_RDONLY : O_RDWR) | O_CLOEXEC);
	if (blk->fd < 0 || fstat(blk->fd, &stat) < 0) {
		message("--disk %s: %s", blk->path, strerror(errno));
		return -EINVAL;
	}
	if (!S_ISREG(stat.st_mode) && !S_ISBLK(stat.st_mode)) {
		message("--disk %s: neither a file nor a block device", blk->path);
		return -EINVAL;
	}
	end = lseek(blk->fd, 0, SEEK_END);
	if (end <= 0 || end % SECTOR) {
		message("--disk %s: its size of %lld bytes is not a number of sectors of %lu; "
			"expected a raw image",
			blk->path, (long long)end, SECTOR);
		return -EINVAL;
	}
	if (flock(blk->fd, (blk->readonly ? LOCK_SH : LOCK_EX) | LOCK_NB) < 0) {
		message("--disk %s: another has it in use; end that, or use it read-only in both "
			"(--disk %s,ro)",
			blk->path, blk->path);
		return -EBUSY;
	}
	blk->size = end;
	return 0;
}

/* A failure has been told when this returns. */
int virtio_blk_create(struct virtio_blk *blk, const char *path, bool readonly,
		      const struct mem *mem)
{
	int err;

	*blk = (struct virtio_blk){ .path = path, .readonly = readonly, .fd = -1 };
	err = blk_open(blk);
	if (!err)
		err = virtio_create(&blk->dev, &blk_ops, mem);
	if (err) {
		if (blk->fd >= 0)
			close(blk->fd);
		return err;
	}
	blk->config.capacity = blk->size / SECTOR;
	blk->config.seg_max = VIRTQUEUE_MAX - 2;
	blk->dev.data = blk;
	blk->dev.config = (const uint8_t *)&blk->config;
	blk->dev.config_size = sizeof(blk->config);
	blk->dev.features |= 1ULL << VIRTIO_BLK_F_SEG_MAX | 1ULL << VIRTIO_BLK_F_FLUSH;
	if (readonly)
		blk->dev.features |= 1ULL << VIRTIO_BLK_F_RO;
	return 0;
}

void virtio_blk_destroy(struct virtio_blk *blk)
{
	virtio_destroy(&blk->dev);
	close(blk->fd);
}
