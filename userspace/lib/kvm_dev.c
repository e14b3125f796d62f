// SPDX-License-Identifier: GPL-2.0-only
/*
 * The device: where virtual machines come from.
 *
 * All wrappers of this library answer 0 (or a value >= 0) or a negative errno, print nothing and
 * end no process.  An object that failed to be made holds nothing that must be given back.
 */
#include "kvm_dev.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <linux/mkvm.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* The device to use where the user names none. */
const char *kvm_dev_default(void)
{
	const char *path = getenv(KVM_DEV_ENV);

	return path && *path ? path : KVM_DEV_DEFAULT;
}

/* -ENOTTY: not a device of this kind.  -EPROTO: a KVM, but of another API version. */
int kvm_dev_open(struct kvm_dev *dev, const char *path)
{
	int version, size, mmus, err;

	dev->path = path;
	dev->fd = open(path, O_RDWR | O_CLOEXEC);
	if (dev->fd < 0)
		return -errno;

	version = ioctl(dev->fd, KVM_GET_API_VERSION, 0);
	if (version != KVM_API_VERSION) {
		err = version < 0 ? -errno : -EPROTO;
		goto close_fd;
	}
	size = ioctl(dev->fd, KVM_GET_VCPU_MMAP_SIZE, 0);
	if (size < 0) {
		err = -errno;
		goto close_fd;
	}
	dev->run_size = size;
	mmus = kvm_dev_extension(dev, MKVM_CAP_MMU);
	dev->mmus = mmus > 0 ? mmus : 0;
	return 0;

close_fd:
	close(dev->fd);
	dev->fd = -1;
	return err;
}

void kvm_dev_close(struct kvm_dev *dev)
{
	if (dev->fd >= 0)
		close(dev->fd);
	dev->fd = -1;
}

int kvm_dev_extension(const struct kvm_dev *dev, unsigned long cap)
{
	int ret = ioctl(dev->fd, KVM_CHECK_EXTENSION, cap);

	return ret < 0 ? -errno : ret;
}
