/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MKVM_USER_KVM_DEV_H
#define MKVM_USER_KVM_DEV_H

#include <stdbool.h>
#include <stddef.h>

#define KVM_DEV_DEFAULT "/dev/mkvm"
#define KVM_DEV_ENV	"MKVM_DEVICE"

/* An open /dev/mkvm or /dev/kvm. */
struct kvm_dev {
	int fd;
	const char *path;
	size_t run_size;   /* of a vCPU's shared pages */
	unsigned int mmus; /* MKVM_CAP_MMU: bit 0 TDP, bit 1 shadow; 0 on stock kvm */
};

const char *kvm_dev_default(void);
int kvm_dev_open(struct kvm_dev *dev, const char *path);
void kvm_dev_close(struct kvm_dev *dev);
int kvm_dev_extension(const struct kvm_dev *dev, unsigned long cap);

static inline bool kvm_dev_is_mkvm(const struct kvm_dev *dev)
{
	return dev->mmus != 0;
}

#endif
