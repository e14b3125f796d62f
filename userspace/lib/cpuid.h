/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MKVM_USER_CPUID_H
#define MKVM_USER_CPUID_H

#include <linux/kvm.h>
#include <stdint.h>

#include "kvm_dev.h"
#include "vcpu.h"

#define CPUID_MAX_ENTRIES 256

struct cpuid {
	struct kvm_cpuid2 head;
	struct kvm_cpuid_entry2 entries[CPUID_MAX_ENTRIES]; /* head.nent of them */
};

int cpuid_get_supported(struct cpuid *cpuid, const struct kvm_dev *dev);
struct kvm_cpuid_entry2 *cpuid_find(struct cpuid *cpuid, uint32_t function, uint32_t index);
void cpuid_describe_pc(struct cpuid *cpuid, const struct kvm_dev *dev);
void cpuid_set_topology(struct cpuid *cpuid, uint32_t id, uint32_t nr);
int cpuid_set(const struct vcpu *vcpu, const struct cpuid *cpuid);

#endif
