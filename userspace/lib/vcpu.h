/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MKVM_USER_VCPU_H
#define MKVM_USER_VCPU_H

#include <linux/kvm.h>
#include <stddef.h>
#include <stdint.h>

#include "vm.h"

struct vcpu {
	int fd;
	struct kvm_run *run; /* shared with the kernel */
	size_t run_size;
};

int vcpu_create(struct vcpu *vcpu, const struct kvm_dev *dev, const struct vm *vm,
		unsigned long id);
void vcpu_destroy(struct vcpu *vcpu);
int vcpu_offer_host_cpuid(const struct vcpu *vcpu, const struct kvm_dev *dev);

int vcpu_run(const struct vcpu *vcpu);
int vcpu_get_regs(const struct vcpu *vcpu, struct kvm_regs *regs);
int vcpu_set_regs(const struct vcpu *vcpu, const struct kvm_regs *regs);
int vcpu_get_sregs(const struct vcpu *vcpu, struct kvm_sregs *sregs);
int vcpu_set_sregs(const struct vcpu *vcpu, const struct kvm_sregs *sregs);
int vcpu_call(const struct vcpu *vcpu, unsigned long request, void *argument);
void *vcpu_io_data(const struct vcpu *vcpu);

#endif
