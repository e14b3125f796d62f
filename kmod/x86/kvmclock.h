/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * kvmclock: a VM's clock in nanoseconds, which the guest reads from a page of its own memory and
 * its time-stamp counter.
 */
#ifndef MKVM_X86_KVMCLOCK_H
#define MKVM_X86_KVMCLOCK_H

#include <linux/mutex.h>
#include <linux/types.h>

struct kvm_clock_data;
struct mkvm;
struct mkvm_vcpu;

/**
 * struct kvmclock - a VM's clock
 * @lock: guards the fields but @wall; may be taken by a reader of the slots
 * @offset: the clock minus the host's time since its boot; ns
 * @shared: the host's clock is its TSC, so all vCPUs reckon from @tsc and @ns
 * @tsc: the host's TSC when the clock was @ns
 * @ns: see @tsc
 * @epoch: of the host's clock when that was so
 * @old_msr: the boot processor's guest uses the first pair of MSRs, and so knows no flag that says
 *	that the clock is stable
 * @wall: the MSR of the wall clock; read and written by anyone
 */
struct kvmclock {
	struct mutex lock;
	s64 offset;
	bool shared;
	bool old_msr;
	u64 tsc;
	u64 ns;
	u64 epoch;
	u64 wall;
};

/**
 * struct x86_kvmclock - a vCPU's page; owner vCPU only
 * @msr: its address and whether it is enabled, as the MSR has it
 * @stopped: user space has stopped the guest, which is to be told
 * @epoch: of the host's clock when the page was written
 * @due: when to write it again, in jiffies; 0: not at any time
 */
struct x86_kvmclock {
	u64 msr;
	bool stopped;
	u64 epoch;
	unsigned long due;
};

/* A moment on several clocks at once. */
struct kvmclock_moment {
	u64 tsc;  /* the host's */
	u64 boot; /* ns since the host's boot */
	u64 real; /* ns since 1970 */
};

/* kvmclock.c */
extern atomic64_t kvmclock_epoch; /* counts what makes the host's clocks go another way */
int x86_kvmclock_init(void) __must_check;
void x86_kvmclock_exit(void);
void x86_kvmclock_host_resume(void);
u64 kvmclock_boot(void);
bool kvmclock_moment(struct kvmclock_moment *moment) __must_check;
void x86_kvmclock_vm_start(struct mkvm *vm);
void kvmclock_refresh(struct mkvm *vm);
u64 kvmclock_at(const struct mkvm *vm, u64 tsc);
u64 kvmclock_now(struct mkvm *vm, struct kvmclock_moment *moment, bool *exact);
u32 kvmclock_scale(u32 khz, s8 *shift);
bool kvmclock_is_stable(const struct mkvm *vm);
void x86_kvmclock_get(struct mkvm *vm, struct kvm_clock_data *data);
int x86_kvmclock_set(struct mkvm *vm, const struct kvm_clock_data *data) __must_check;

/* kvmclock_page.c */
void x86_kvmclock_reset(struct mkvm_vcpu *vcpu);
void x86_kvmclock_vcpu_load(struct mkvm_vcpu *vcpu, bool cpu_changed);
bool x86_kvmclock_is_due(const struct mkvm_vcpu *vcpu);
void x86_kvmclock_serve(struct mkvm_vcpu *vcpu);
int x86_kvmclock_stopped(struct mkvm_vcpu *vcpu) __must_check;
long x86_kvmclock_pairing(struct mkvm_vcpu *vcpu, u64 gpa, u64 type);

#endif /* MKVM_X86_KVMCLOCK_H */
