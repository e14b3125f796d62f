// SPDX-License-Identifier: GPL-2.0-only
/*
 * Work of a thread before it goes on in its guest: signals, scheduling, task work, rseq.
 *
 * The kernel does this work on each way back to user space, and exports a function that does it for
 * a hypervisor which stays in the kernel.  That function takes kvm's own vCPU and touches two
 * fields of it when a signal is pending: run->exit_reason and a statistic.  Each of our vCPUs
 * therefore has a stand-in, of which only "run" is filled.  No other file sees kvm's types.
 */
#include <linux/entry-kvm.h>
#include <linux/kvm_host.h>
#include <linux/slab.h>
#include "user_work.h"

/* May sleep.  NULL: no memory. */
struct kvm_vcpu *user_work_alloc(struct kvm_run *run)
{
	struct kvm_vcpu *standin = kvzalloc(sizeof(*standin), GFP_KERNEL_ACCOUNT);

	if (standin)
		standin->run = run;
	return standin;
}

void user_work_free(struct kvm_vcpu *standin)
{
	kvfree(standin);
}

/* How many signals have ended a KVM_RUN. */
u64 user_work_signals(const struct kvm_vcpu *standin)
{
	return READ_ONCE(standin->stat.signal_exits);
}

/*
 * Does the work that is pending; the caller holds no lock and no read side.  May sleep.  0; or
 * -EINTR with KVM_EXIT_INTR as the exit reason: a signal.
 */
int user_work_handle(struct kvm_vcpu *standin)
{
	/* What comes after this look is seen by the one with interrupts off, before the entry. */
	return __xfer_to_guest_mode_work_pending() ? xfer_to_guest_mode_handle_work(standin) : 0;
}
