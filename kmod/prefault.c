// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM_PRE_FAULT_MEMORY: a range of guest memory is mapped before the guest comes to it.
 *
 * Page by page it is the sequence of a fault, for a read.  Slots may change between two pages.
 */
#include <linux/mm.h>
#include <linux/mkvm_kvm.h>
#include <linux/sched/signal.h>
#include <linux/srcu.h>
#include "mkvm.h"

static bool prefault_is_valid(const struct kvm_pre_fault_memory *range)
{
	return !range->flags && !memchr_inv(range->padding, 0, sizeof(range->padding)) &&
	       PAGE_ALIGNED(range->gpa) && PAGE_ALIGNED(range->size) &&
	       range->gpa + range->size > range->gpa;
}

static long prefault_step(struct mkvm_vcpu *vcpu, gpa_t gpa)
{
	long r;
	int idx;

	idx = srcu_read_lock(&vcpu->vm->slots.srcu);
	r = mmu_prefault(&vcpu->mmu, gpa);
	srcu_read_unlock(&vcpu->vm->slots.srcu, idx);
	return r;
}

/**
 * mkvm_prefault() - KVM_PRE_FAULT_MEMORY
 * @vcpu: whose MMU; the caller holds its mutex and runs in the VM's process
 * @range: in: what to map; out: what of it is left
 *
 * Context: may sleep.
 * Return: 0 if anything was mapped, even if the rest was not; -EINVAL; -EINTR: a signal; -ENOENT:
 * there is no slot; -EOPNOTSUPP: not with this MMU; -EFAULT, -EHWPOISON or -ENOMEM if the host
 * could not supply memory.
 */
long mkvm_prefault(struct mkvm_vcpu *vcpu, struct kvm_pre_fault_memory *range)
{
	u64 size = range->size;
	long r = 0;

	lockdep_assert_held(&vcpu->mutex);
	if (!prefault_is_valid(range))
		return -EINVAL;
	while (range->size) {
		r = signal_pending(current) ? -EINTR : prefault_step(vcpu, range->gpa);
		if (r < 0 && r != -EAGAIN)
			break;
		cond_resched();
		if (r == -EAGAIN)
			continue;
		r = min_t(u64, r, range->size);
		range->gpa += r;
		range->size -= r;
	}
	return range->size < size ? 0 : r;
}
