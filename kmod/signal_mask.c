// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM_SET_SIGNAL_MASK: which signals are blocked while a thread is in KVM_RUN.
 *
 * The thread's own mask is kept in its task as real_blocked meanwhile, where the kernel looks for
 * it when a signal is sent.
 */
#include <linux/kvm.h>
#include <linux/sched/signal.h>
#include <linux/uaccess.h>
#include "mkvm.h"

/* @arg: a struct kvm_signal_mask, or 0 for the thread's own mask.  0, -EFAULT or -EINVAL. */
long mkvm_signal_mask_set(struct mkvm_vcpu *vcpu, unsigned long arg)
{
	struct kvm_signal_mask __user *user = (void __user *)arg;
	struct kvm_signal_mask mask;
	sigset_t sigset;

	if (!user) {
		vcpu->sigset_active = false;
		return 0;
	}
	if (copy_from_user(&mask, user, sizeof(mask)))
		return -EFAULT;
	if (mask.len != sizeof(sigset))
		return -EINVAL;
	if (copy_from_user(&sigset, user->sigset, sizeof(sigset)))
		return -EFAULT;
	sigdelsetmask(&sigset, sigmask(SIGKILL) | sigmask(SIGSTOP));
	vcpu->sigset = sigset;
	vcpu->sigset_active = true;
	return 0;
}

/* Nobody else changes a thread's mask; and by KVM_SET_SIGNAL_MASK not during KVM_RUN. */
void mkvm_signal_mask_enter(struct mkvm_vcpu *vcpu)
{
	if (vcpu->sigset_active)
		sigprocmask(SIG_SETMASK, &vcpu->sigset, &current->real_blocked);
}

void mkvm_signal_mask_leave(struct mkvm_vcpu *vcpu)
{
	if (!vcpu->sigset_active)
		return;
	sigprocmask(SIG_SETMASK, &current->real_blocked, NULL);
	sigemptyset(&current->real_blocked);
}
