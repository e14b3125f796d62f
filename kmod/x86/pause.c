// SPDX-License-Identifier: GPL-2.0-only
/*
 * A vCPU that spins: the processor finds that it executes PAUSE again and again, and exits.
 *
 * It most likely waits for another vCPU of its VM that is not running.  The host's processor is
 * then offered to one whose thread was scheduled away while it was ready to run, the next in turn.
 */
#include <linux/moduleparam.h>
#include <linux/pid.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/sched/task.h>
#include "x86/x86.h"

static unsigned int pause_window = 4096;
module_param(pause_window, uint, 0644);
MODULE_PARM_DESC(
	pause_window,
	"for new VMs: how long a loop of PAUSE may be, in ticks of the TSC (VMX) or PAUSEs (SVM); 1: each PAUSE exits, 0: none");

static unsigned int pause_gap = 128;
module_param(pause_gap, uint, 0644);
MODULE_PARM_DESC(pause_gap, "for new VMs: ticks between two PAUSEs of one loop");

/* A VM is created. */
void x86_pause_vm_start(struct mkvm *vm)
{
	vm->pause_window = READ_ONCE(pause_window);
	vm->pause_gap = READ_ONCE(pause_gap);
}

/* KVM_CAP_X86_DISABLE_EXITS: 0, or -EINVAL: there are vCPUs. */
int x86_pause_disable_exits(struct mkvm *vm, u64 exits)
{
	int r = 0;

	mutex_lock(&vm->lock);
	if (mkvm_vm_has_vcpus(vm))
		r = -EINVAL;
	else if (exits & KVM_X86_DISABLE_EXITS_PAUSE)
		vm->pause_window = 0;
	mutex_unlock(&vm->lock);
	return r;
}

int x86_exit_pause(struct mkvm_vcpu *vcpu, unsigned int len)
{
	vcpu->spins = true;
	x86_skip(vcpu, len);
	return 1;
}

/* KVM_RUN begins: whose thread the vCPU's is. */
void x86_pause_run_begin(struct mkvm_vcpu *vcpu)
{
	struct pid *pid, *former;

	former = rcu_dereference_protected(vcpu->thread, lockdep_is_held(&vcpu->mutex));
	if (former == task_pid(current))
		return;
	pid = get_task_pid(current, PIDTYPE_PID);
	rcu_assign_pointer(vcpu->thread, pid);
	if (former)
		synchronize_rcu(); /* one that spins may be looking for it */
	put_pid(former);
}

/* No descriptor is left. */
void x86_pause_vcpu_destroy(struct mkvm_vcpu *vcpu)
{
	put_pid(rcu_dereference_protected(vcpu->thread, true));
}

/*
 * The thread of the first vCPU from @id to @last, but @me's, that would run if it could, with a
 * reference; @id becomes the vCPU's.  NULL: there is none.
 */
static struct task_struct *pause_find(struct mkvm_vcpu *me, unsigned long *id, unsigned long last)
{
	struct task_struct *task = NULL;
	struct mkvm_vcpu *vcpu;

	rcu_read_lock();
	vcpu = xa_find(&me->vm->vcpus, id, last, XA_PRESENT);
	while (vcpu) {
		if (vcpu != me && READ_ONCE(vcpu->preempted))
			task = get_pid_task(rcu_dereference(vcpu->thread), PIDTYPE_PID);
		if (task)
			break;
		vcpu = xa_find_after(&me->vm->vcpus, id, last, XA_PRESENT);
	}
	rcu_read_unlock();
	return task;
}

/* Offers the processor to the threads of vCPUs from @id to @last, until one takes it. */
static bool pause_offer(struct mkvm_vcpu *me, unsigned long id, unsigned long last)
{
	struct task_struct *task;
	int r;

	for (; id <= last; id++) {
		task = pause_find(me, &id, last);
		if (!task)
			break;
		r = yield_to(task, true);
		put_task_struct(task);
		if (r > 0) {
			WRITE_ONCE(me->vm->pause_last, id);
			return true;
		}
	}
	return false;
}

/* The vCPU spun, if it did.  The owner, in no read side; may sleep. */
void x86_pause_yield(struct mkvm_vcpu *vcpu)
{
	unsigned long last;

	if (!vcpu->spins)
		return;
	vcpu->spins = false;
	vcpu->counts.yields++;
	last = READ_ONCE(vcpu->vm->pause_last);
	if (pause_offer(vcpu, last + 1, MKVM_MAX_VCPU_ID) || pause_offer(vcpu, 0, last))
		vcpu->counts.yields_taken++;
	else
		cond_resched();
}
