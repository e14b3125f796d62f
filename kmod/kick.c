// SPDX-License-Identifier: GPL-2.0-only
/*
 * Requests to vCPUs, and how a vCPU in guest mode is made to see them.
 *
 * A vCPU says VCPU_IN_GUEST with interrupts off, then looks at its requests, then enters.  Who
 * requests sets the bit first and then looks where the vCPU is.  So either the vCPU sees the bit,
 * or the requester sees it in guest mode and sends an interrupt, which is an exit.  The barriers on
 * both sides are full ones.
 */
#include <linux/cpumask.h>
#include <linux/percpu.h>
#include <linux/smp.h>
#include <trace/events/ipi.h> /* smp_send_reschedule() */
#include "mkvm.h"

/* Whom to interrupt: got in advance, as the notifier may not allocate.  Preemption off. */
static DEFINE_PER_CPU(cpumask_var_t, kick_cpus);

static void kick_ack(void *unused)
{
	/* That the processor came here is all that was wanted. */
}

/*
 * Interrupts each processor on which a vCPU of @vm executes guest code, and waits if @wait.  How
 * many there were.
 */
static unsigned int kick_running(struct mkvm *vm, bool wait)
{
	struct mkvm_vcpu *vcpu;
	struct cpumask *cpus;
	unsigned long id;
	unsigned int nr;
	int me;

	rcu_read_lock();
	me = get_cpu();
	cpus = this_cpu_cpumask_var_ptr(kick_cpus);
	cpumask_clear(cpus);
	xa_for_each(&vm->vcpus, id, vcpu) {
		int cpu = READ_ONCE(vcpu->cpu);

		if (READ_ONCE(vcpu->mode) == VCPU_IN_GUEST && cpu >= 0 && cpu != me)
			__cpumask_set_cpu(cpu, cpus);
	}
	nr = cpumask_weight(cpus);
	if (nr)
		smp_call_function_many(cpus, kick_ack, NULL, wait);
	put_cpu();
	rcu_read_unlock();
	return nr;
}

/*
 * Makes every vCPU see @req before it next executes guest code; when this returns none executes
 * guest code that has not.  Does not sleep; interrupts are on.  How many processors had to be
 * interrupted.
 */
unsigned int mkvm_request_all(struct mkvm *vm, enum vcpu_request req)
{
	struct mkvm_vcpu *vcpu;
	unsigned long id;

	rcu_read_lock();
	xa_for_each(&vm->vcpus, id, vcpu)
		set_bit(req, &vcpu->requests);
	rcu_read_unlock();
	/* Pairs with the barrier between mode and requests in vcpu_enter(). */
	smp_mb();
	return kick_running(vm, true);
}

/*
 * Gets every vCPU out of guest mode that is in it; when this returns each has been outside, and
 * sees when it enters again what the caller has set before.  Does not sleep; interrupts are on.
 */
void mkvm_exit_all(struct mkvm *vm)
{
	/* Pairs with the barrier between mode and requests in vcpu_enter(). */
	smp_mb();
	kick_running(vm, true);
}

/* Gets every vCPU out of guest mode, or of its halt, without waiting for it. */
void mkvm_kick_all(struct mkvm *vm)
{
	struct mkvm_vcpu *vcpu;
	unsigned long id;

	smp_mb(); /* what the caller set, before where the vCPUs are */
	kick_running(vm, false);
	rcu_read_lock();
	xa_for_each(&vm->vcpus, id, vcpu)
		rcuwait_wake_up(&vcpu->wait);
	rcu_read_unlock();
}

/*
 * There is something for @vcpu, where it looks before each entry and while it is halted.  Any
 * context but an NMI; the caller sees to it that the vCPU does not go away.
 */
void mkvm_vcpu_kick(struct mkvm_vcpu *vcpu)
{
	int cpu, me;

	set_bit(VCPU_REQ_EVENT, &vcpu->requests);
	/* Pairs with the barrier between mode and requests in vcpu_enter(). */
	smp_mb__after_atomic();
	rcuwait_wake_up(&vcpu->wait);
	me = get_cpu();
	cpu = READ_ONCE(vcpu->cpu);
	/* On this processor it cannot be in guest mode. */
	if (READ_ONCE(vcpu->mode) == VCPU_IN_GUEST && cpu >= 0 && cpu != me && cpu_online(cpu))
		smp_send_reschedule(cpu);
	put_cpu();
}

void mkvm_kick_exit(void)
{
	int cpu;

	for_each_possible_cpu(cpu)
		free_cpumask_var(per_cpu(kick_cpus, cpu));
}

/* At load.  May sleep.  0 or -ENOMEM. */
int mkvm_kick_init(void)
{
	int cpu;

	for_each_possible_cpu(cpu) {
		if (!zalloc_cpumask_var(&per_cpu(kick_cpus, cpu), GFP_KERNEL)) {
			mkvm_kick_exit();
			return -ENOMEM;
		}
	}
	return 0;
}
