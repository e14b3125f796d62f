/* SPDX-License-Identifier: GPL-2.0-only */
/* Steal time: what the guest learns of the time in which its vCPU was not run. */
#ifndef MKVM_X86_STEAL_TIME_H
#define MKVM_X86_STEAL_TIME_H

#include <linux/types.h>

struct mkvm_vcpu;
struct task_struct;

/**
 * struct x86_steal_time - a vCPU's record of it; owner vCPU only
 * @msr: its address and whether it is enabled, as the MSR has it
 * @task: the thread whose waiting has been counted last; its name, not to be followed
 * @waited: how long that had waited for a processor then; ns
 * @told: the guest has been told that the vCPU is not running
 */
struct x86_steal_time {
	u64 msr;
	const struct task_struct *task;
	u64 waited;
	bool told;
};

bool x86_steal_time_offered(void);
void x86_steal_time_vcpu_load(struct mkvm_vcpu *vcpu);
void x86_steal_time_sched_out(struct mkvm_vcpu *vcpu);
void x86_steal_time_serve(struct mkvm_vcpu *vcpu);

#endif /* MKVM_X86_STEAL_TIME_H */
