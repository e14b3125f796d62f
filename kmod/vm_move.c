// SPDX-License-Identifier: GPL-2.0-only
/*
 * A running VM goes from one of its MMUs to the other: MKVM_SET_MMU.
 *
 * A VM of type MKVM_VM_SHADOW has both kinds of tables.  It is said in mkvm.mmu_use which of them
 * paged vCPUs run on.  That changes when all are outside and none is resolving a fault:
 *
 *   moving = true        who is about to enter, or begins to resolve a fault of shadow tables, sees
 *                        it and does neither
 *   request, kick        who was about to enter looks again; who was in the guest has left it
 *   synchronize_srcu()   who was loading roots or resolving a fault has finished
 *   mmu_use = ...        to the second table: nothing is shadowed any more, so nothing is tracked
 *   moving = false
 *
 * Each vCPU changes its control block, and forgets what it has cached, when it next enters
 * (x86_paging_prepare()).  One that stays in user space is on its old tables by name only: they
 * are empty, or obey the slots like all.  What the second table maps stays there while shadow
 * tables are used; no entry allows writing a table that is shadowed.
 */
#include <linux/mkvm.h>
#include <linux/srcu.h>
#include "mkvm.h"
#include "vm_type.h"

static void vm_move_to(struct mkvm *vm, enum mmu_kind kind)
{
	lockdep_assert_held(&vm->move_lock);
	WRITE_ONCE(vm->moving, true);
	mkvm_request_all(vm, VCPU_REQ_MMU);
	synchronize_srcu(&vm->slots.srcu);
	WRITE_ONCE(vm->mmu_use, kind);
	if (kind == MMU_TDP)
		mmu_forget_tables(&vm->mmu);
	/* Who finds it false finds the rest done.  Pairs with mkvm_vm_is_moving(). */
	smp_store_release(&vm->moving, false);
}

/**
 * mkvm_vm_move() - MKVM_SET_MMU
 * @vm: the VM
 * @type: MKVM_VM_TDP or MKVM_VM_SHADOW
 *
 * Context: may sleep, until no vCPU resolves a fault.  Needs no memory.
 * Return: 0, also if the VM is on that MMU; -EINVAL: no such type; -EOPNOTSUPP: the processor does
 * not have it, or the VM was not created as MKVM_VM_SHADOW and cannot leave its own; -EINTR: a
 * signal that kills came while another thread's call was under way.
 */
int mkvm_vm_move(struct mkvm *vm, unsigned long type)
{
	enum mmu_kind kind;
	int r;

	if (type == MKVM_VM_DEFAULT)
		return -EINVAL;
	r = vm_type_kind(type, &kind);
	if (r)
		return r;
	if (vm->mmu_kind != MMU_SHADOW)
		return kind == vm->mmu_kind ? 0 : -EOPNOTSUPP;
	r = mutex_lock_killable(&vm->move_lock);
	if (r)
		return r;
	if (vm->mmu_use != kind)
		vm_move_to(vm, kind);
	mutex_unlock(&vm->move_lock);
	return 0;
}

/* In a read side of the slots: if not, mmu_use is what it is until its end. */
bool mkvm_vm_is_moving(const struct mkvm *vm)
{
	/* What was done before it became false is seen.  Pairs with vm_move_to(). */
	return smp_load_acquire(&vm->moving);
}

/* Waits until the VM has gone over, if it is about to.  0, or -EINTR: a signal that kills. */
int mkvm_vm_await_move(struct mkvm *vm)
{
	int r;

	if (!mkvm_vm_is_moving(vm))
		return 0;
	r = mutex_lock_killable(&vm->move_lock);
	if (!r)
		mutex_unlock(&vm->move_lock);
	return r;
}
