// SPDX-License-Identifier: GPL-2.0-only
/*
 * The filter of a VM: which MSRs its guest may read and write (KVM_X86_SET_MSR_FILTER).
 *
 * A filter is made whole, published under SRCU, and not changed any more.  Some MSRs a guest gets
 * at without an exit; while the filter forbids one of these, the vCPU is "closed": every access to
 * every MSR is an exit.
 */
#include <linux/bitmap.h>
#include <linux/kvm.h>
#include <linux/nospec.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <asm/msr-index.h>
#include "x86/msr.h"

#define FILTER_RANGE_FLAGS (KVM_MSR_FILTER_READ | KVM_MSR_FILTER_WRITE)
#define FILTER_BITMAP_MAX  0x600 /* bytes, as kvm */
#define FILTER_X2APIC	   0x800 /* 0x100 registers that no filter reaches */

/**
 * struct msr_filter - immutable once published
 * @allow: what is in no range is allowed
 * @nr: ranges in use
 * @ranges: @access: KVM_MSR_FILTER_READ, _WRITE; a set bit of @bitmap allows
 */
struct msr_filter {
	bool allow;
	unsigned int nr;
	struct {
		u32 access;
		u32 base;
		u32 nr;
		unsigned long *bitmap;
	} ranges[KVM_MSR_FILTER_MAX_RANGES];
};

const u32 x86_open_msrs[X86_NR_OPEN_MSRS] = {
	MSR_FS_BASE,
	MSR_GS_BASE,
	MSR_KERNEL_GS_BASE,
	MSR_IA32_SYSENTER_CS,
	MSR_IA32_SYSENTER_ESP,
	MSR_IA32_SYSENTER_EIP,
	/* From X86_FIRST_SYSCALL_MSR on: */
	MSR_STAR,
	MSR_LSTAR,
	MSR_CSTAR,
	MSR_SYSCALL_MASK,
};

static void filter_free(struct msr_filter *filter)
{
	unsigned int i;

	if (!filter)
		return;
	for (i = 0; i < filter->nr; i++)
		kfree(filter->ranges[i].bitmap);
	kfree(filter);
}

static int filter_add(struct msr_filter *filter, const struct kvm_msr_filter_range *range)
{
	size_t size = BITS_TO_LONGS((u64)range->nmsrs) * sizeof(long);
	unsigned long *bitmap;

	if (!range->nmsrs)
		return 0;
	if (!range->flags || range->flags & ~FILTER_RANGE_FLAGS || size > FILTER_BITMAP_MAX)
		return -EINVAL;
	bitmap = memdup_user((const void __user *)range->bitmap, size);
	if (IS_ERR(bitmap))
		return PTR_ERR(bitmap);
	filter->ranges[filter->nr].access = range->flags;
	filter->ranges[filter->nr].base = range->base;
	filter->ranges[filter->nr].nr = range->nmsrs;
	filter->ranges[filter->nr].bitmap = bitmap;
	filter->nr++;
	return 0;
}

static struct msr_filter *filter_make(const struct kvm_msr_filter *wanted)
{
	struct msr_filter *filter = kzalloc(sizeof(*filter), GFP_KERNEL_ACCOUNT);
	unsigned int i;
	int r;

	if (!filter)
		return ERR_PTR(-ENOMEM);
	filter->allow = !(wanted->flags & KVM_MSR_FILTER_DEFAULT_DENY);
	for (i = 0; i < ARRAY_SIZE(wanted->ranges); i++) {
		r = filter_add(filter, &wanted->ranges[i]);
		if (r) {
			filter_free(filter);
			return ERR_PTR(r);
		}
	}
	return filter;
}

static bool filter_is_empty(const struct kvm_msr_filter *wanted)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(wanted->ranges); i++)
		if (wanted->ranges[i].nmsrs)
			return false;
	return true;
}

/*
 * KVM_X86_SET_MSR_FILTER: it holds for all accesses that begin after the return.  May sleep.  0;
 * -EINVAL: an unknown flag, a range without a kind of access or too long, nothing allowed at all;
 * -EFAULT; -ENOMEM.
 */
int x86_msr_set_filter(struct mkvm *vm, const struct kvm_msr_filter *wanted)
{
	struct msr_filter *filter, *old;

	if (wanted->flags & ~KVM_MSR_FILTER_DEFAULT_DENY)
		return -EINVAL;
	if (filter_is_empty(wanted) && wanted->flags & KVM_MSR_FILTER_DEFAULT_DENY)
		return -EINVAL;
	filter = filter_make(wanted);
	if (IS_ERR(filter))
		return PTR_ERR(filter);
	mutex_lock(&vm->lock);
	old = rcu_replace_pointer(vm->msr_filter, filter, lockdep_is_held(&vm->lock));
	mutex_unlock(&vm->lock);
	synchronize_srcu(&vm->slots.srcu);
	filter_free(old);
	mkvm_request_all(vm, VCPU_REQ_MSR_FILTER);
	return 0;
}

/* The VM's last user. */
void x86_msr_filter_destroy(struct mkvm *vm)
{
	filter_free(rcu_dereference_protected(vm->msr_filter, true));
}

/* May the guest do this to the MSR?  @access: KVM_MSR_FILTER_READ or _WRITE. */
bool msr_is_allowed(struct mkvm_vcpu *vcpu, u32 index, u32 access)
{
	const struct msr_filter *filter =
		srcu_dereference(vcpu->vm->msr_filter, &vcpu->vm->slots.srcu);
	unsigned int i;
	u32 bit;

	if (!filter || (index >= FILTER_X2APIC && index < FILTER_X2APIC + 0x100))
		return true;
	for (i = 0; i < filter->nr; i++) {
		bit = index - filter->ranges[i].base;
		if (index < filter->ranges[i].base || bit >= filter->ranges[i].nr ||
		    !(filter->ranges[i].access & access))
			continue;
		bit = array_index_nospec(bit, filter->ranges[i].nr);
		return test_bit(bit, filter->ranges[i].bitmap);
	}
	return filter->allow;
}

/* VCPU_REQ_MSR_FILTER: is the vCPU closed?  Preemption may be off. */
void x86_msr_apply_filter(struct mkvm_vcpu *vcpu)
{
	int idx = srcu_read_lock(&vcpu->vm->slots.srcu);
	bool closed = false;
	unsigned int i;

	for (i = 0; i < X86_NR_OPEN_MSRS; i++)
		if (!msr_is_allowed(vcpu, x86_open_msrs[i], KVM_MSR_FILTER_READ) ||
		    !msr_is_allowed(vcpu, x86_open_msrs[i], KVM_MSR_FILTER_WRITE))
			closed = true;
	srcu_read_unlock(&vcpu->vm->slots.srcu, idx);
	if (closed == vcpu->x86.msrs_closed)
		return;
	vcpu->x86.msrs_closed = closed;
	vcpu->x86.dirty |= X86_ST_CONTROLS;
}
