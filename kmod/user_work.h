/* SPDX-License-Identifier: GPL-2.0-only */
/* What the kernel wants done before a thread goes on in its guest. */
#ifndef MKVM_USER_WORK_H
#define MKVM_USER_WORK_H

#include <linux/types.h>

struct kvm_run;
struct kvm_vcpu;

struct kvm_vcpu *user_work_alloc(struct kvm_run *run);
void user_work_free(struct kvm_vcpu *standin);
u64 user_work_signals(const struct kvm_vcpu *standin);
int user_work_handle(struct kvm_vcpu *standin) __must_check;

#endif /* MKVM_USER_WORK_H */
