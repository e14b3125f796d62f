// SPDX-License-Identifier: GPL-2.0-only
/*
 * A virtual processor.  Its registers may be read and written while it is not in vcpu_run().
 */
#include "vcpu.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#define CPUID_ENTRIES 256

int vcpu_create(struct vcpu *vcpu, const struct kvm_dev *dev, const struct vm *vm, unsigned long id)
{
	void *run;
	int fd, err;

	fd = ioctl(vm->fd, KVM_CREATE_VCPU, id);
	if (fd < 0)
		return -errno;
	run = mmap(NULL, dev->run_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (run == MAP_FAILED) {
		err = -errno;
		close(fd);
		return err;
	}
	*vcpu = (struct vcpu){ .fd = fd, .run = run, .run_size = dev->run_size };
	return 0;
}

void vcpu_destroy(struct vcpu *vcpu)
{
	if (!vcpu->run)
		return;
	munmap(vcpu->run, vcpu->run_size);
	close(vcpu->fd);
	vcpu->run = NULL;
}

/*
 * Shows the guest every feature that the device can offer.  A device that has no CPUID ioctls
 * shows the guest what it shows; that is no error.
 */
int vcpu_offer_host_cpuid(const struct vcpu *vcpu, const struct kvm_dev *dev)
{
	struct kvm_cpuid2 *cpuid;
	int err = 0;

	if (kvm_dev_extension(dev, KVM_CAP_EXT_CPUID) <= 0)
		return 0;
	cpuid = calloc(1, sizeof(*cpuid) + CPUID_ENTRIES * sizeof(cpuid->entries[0]));
	if (!cpuid)
		return -ENOMEM;
	cpuid->nent = CPUID_ENTRIES;
	if (ioctl(dev->fd, KVM_GET_SUPPORTED_CPUID, cpuid) < 0 ||
	    ioctl(vcpu->fd, KVM_SET_CPUID2, cpuid) < 0)
		err = -errno;
	free(cpuid);
	return err;
}

/* 0: vcpu->run says why the guest stopped.  -EINTR: a signal, or immediate_exit. */
int vcpu_run(const struct vcpu *vcpu)
{
	return ioctl(vcpu->fd, KVM_RUN, 0) < 0 ? -errno : 0;
}

int vcpu_get_regs(const struct vcpu *vcpu, struct kvm_regs *regs)
{
	return ioctl(vcpu->fd, KVM_GET_REGS, regs) < 0 ? -errno : 0;
}

int vcpu_set_regs(const struct vcpu *vcpu, const struct kvm_regs *regs)
{
	return ioctl(vcpu->fd, KVM_SET_REGS, regs) < 0 ? -errno : 0;
}

int vcpu_get_sregs(const struct vcpu *vcpu, struct kvm_sregs *sregs)
{
	return ioctl(vcpu->fd, KVM_GET_SREGS, sregs) < 0 ? -errno : 0;
}

int vcpu_set_sregs(const struct vcpu *vcpu, const struct kvm_sregs *sregs)
{
	return ioctl(vcpu->fd, KVM_SET_SREGS, sregs) < 0 ? -errno : 0;
}

/* Any other of its ioctls. */
int vcpu_call(const struct vcpu *vcpu, unsigned long request, void *argument)
{
	int r = ioctl(vcpu->fd, request, argument);

	return r < 0 ? -errno : r;
}

/* Where a port exit's data is read from or written to: io.count items of io.size bytes. */
void *vcpu_io_data(const struct vcpu *vcpu)
{
	return (char *)vcpu->run + vcpu->run->io.data_offset;
}
