// SPDX-License-Identifier: GPL-2.0-only
/*
 * The host's changes to a VM's memory, and its questions whether it is in use.
 *
 * The kernel calls before and after it unmaps, protects, merges, migrates or swaps what a process
 * has mapped.  It calls from a foreign thread, perhaps one that must not block; what is done here
 * takes the MMU's lock only and allocates nothing.
 */
#include "mkvm.h"

static struct mkvm *notifier_vm(struct mmu_notifier *mn)
{
	return container_of(mn, struct mkvm, notifier);
}

static int notifier_begin(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	mmu_invalidate_begin(&notifier_vm(mn)->mmu, range->start, range->end,
			     mmu_notifier_range_blockable(range));
	return 0;
}

static void notifier_end(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	mmu_invalidate_end(&notifier_vm(mn)->mmu);
}

static int notifier_clear_flush_young(struct mmu_notifier *mn, struct mm_struct *mm,
				      unsigned long start, unsigned long end)
{
	return mmu_age(&notifier_vm(mn)->mmu, start, end, true);
}

static int notifier_clear_young(struct mmu_notifier *mn, struct mm_struct *mm, unsigned long start,
				unsigned long end)
{
	return mmu_age(&notifier_vm(mn)->mmu, start, end, false);
}

static int notifier_test_young(struct mmu_notifier *mn, struct mm_struct *mm, unsigned long address)
{
	return mmu_is_young(&notifier_vm(mn)->mmu, address);
}

/* The process's memory is going for good; no vCPU can enter any more. */
static void notifier_release(struct mmu_notifier *mn, struct mm_struct *mm)
{
	mmu_invalidate_begin(&notifier_vm(mn)->mmu, 0, TASK_SIZE_MAX, true);
	mmu_invalidate_end(&notifier_vm(mn)->mmu);
}

static const struct mmu_notifier_ops notifier_ops = {
	.invalidate_range_start = notifier_begin,
	.invalidate_range_end = notifier_end,
	.clear_flush_young = notifier_clear_flush_young,
	.clear_young = notifier_clear_young,
	.test_young = notifier_test_young,
	.release = notifier_release,
};

/* May sleep; the caller's process is the VM's. */
int mkvm_notifier_register(struct mkvm *vm)
{
	vm->notifier.ops = &notifier_ops;
	return mmu_notifier_register(&vm->notifier, vm->mm);
}

/* No callback runs any more when this returns.  May sleep. */
void mkvm_notifier_unregister(struct mkvm *vm)
{
	mmu_notifier_unregister(&vm->notifier, vm->mm);
}
