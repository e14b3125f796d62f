// SPDX-License-Identifier: GPL-2.0-only
/*
 * What KVM_CHECK_EXTENSION answers.
 */
#include <linux/cpumask.h>
#include <linux/kvm.h>
#include <linux/mkvm.h>
#include "mkvm.h"
#include "vm_type.h"

/* The system's and a VM's answers are the same.  0: the capability is not had, or not known. */
long mkvm_cap(unsigned long cap)
{
	switch (cap) {
	case KVM_CAP_USER_MEMORY:
	case KVM_CAP_DESTROY_MEMORY_REGION_WORKS:
	case KVM_CAP_JOIN_MEMORY_REGIONS_WORKS:
	case KVM_CAP_SYNC_MMU:
	case KVM_CAP_IMMEDIATE_EXIT:
	case KVM_CAP_INTERNAL_ERROR_DATA:
	case KVM_CAP_CHECK_EXTENSION_VM:
		return 1;
	case KVM_CAP_NR_MEMSLOTS:
		return MEMSLOT_MAX;
	case KVM_CAP_NR_VCPUS:
		return min_t(unsigned int, num_online_cpus(), MKVM_MAX_VCPUS);
	case KVM_CAP_MAX_VCPUS:
		return MKVM_MAX_VCPUS;
	case KVM_CAP_MAX_VCPU_ID:
		return MKVM_MAX_VCPU_ID;
	case MKVM_CAP_MMU:
		return vm_type_kinds();
	default:
		return 0;
	}
}
