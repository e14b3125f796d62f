// SPDX-License-Identifier: GPL-2.0-only
/*
 * Padding in what user space hands over: it has to be zero, so that it can be given a meaning one
 * day.  KVM's own structures are meant as well, though kvm looks at the padding of few of them; but
 * not those that programs in use fill in on the stack and leave padding out of: KVM_SET_GUEST_DEBUG
 * (QEMU) and the segments of KVM_SET_SREGS and KVM_SET_SREGS2 (QEMU, for virtual-8086 mode).
 */
#include <linux/kvm.h>
#include <linux/mkvm_kvm.h>
#include <linux/stddef.h>
#include <linux/string.h>
#include "ioctl.h"

struct padding {
	unsigned int cmd;
	u16 offset;
	u16 size;
};

#define PADDING(cmd, type, field)                                     \
	{                                                             \
		cmd, offsetof(type, field), sizeof_field(type, field) \
	}

static const struct padding paddings[] = {
	PADDING(KVM_ENABLE_CAP, struct kvm_enable_cap, pad),
	PADDING(KVM_SET_USER_MEMORY_REGION2, struct kvm_userspace_memory_region2, pad1),
	PADDING(KVM_SET_USER_MEMORY_REGION2, struct kvm_userspace_memory_region2, pad2),
	PADDING(KVM_GET_DIRTY_LOG, struct kvm_dirty_log, padding1),
	PADDING(KVM_SET_MSRS, struct kvm_msrs, pad),
	PADDING(KVM_SET_CPUID, struct kvm_cpuid, padding),
	PADDING(KVM_SET_CPUID2, struct kvm_cpuid2, padding),
	PADDING(KVM_SET_FPU, struct kvm_fpu, pad1),
	PADDING(KVM_SET_FPU, struct kvm_fpu, pad2),
	PADDING(KVM_SET_XCRS, struct kvm_xcrs, padding),
	PADDING(KVM_SET_DEBUGREGS, struct kvm_debugregs, reserved),
	PADDING(KVM_SET_VCPU_EVENTS, struct kvm_vcpu_events, nmi.pad),
	PADDING(KVM_SET_VCPU_EVENTS, struct kvm_vcpu_events, reserved),
	PADDING(KVM_SET_CLOCK, struct kvm_clock_data, pad0),
	PADDING(KVM_SET_CLOCK, struct kvm_clock_data, pad),
	PADDING(KVM_X86_SET_MCE, struct kvm_x86_mce, pad1),
	PADDING(KVM_X86_SET_MCE, struct kvm_x86_mce, pad2),
};

/* Is all padding zero in @data, the argument of @cmd?  What follows it in an array is not seen. */
bool ioctl_padding_is_zero(unsigned int cmd, const void *data)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(paddings); i++)
		if (paddings[i].cmd == cmd &&
		    memchr_inv(data + paddings[i].offset, 0, paddings[i].size))
			return false;
	return true;
}
