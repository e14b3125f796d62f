// SPDX-License-Identifier: GPL-2.0-only
/*
 * Steal time: a record in the guest's memory of how long the vCPU's thread was ready to run and did
 * not, and whether it is running.
 *
 * The time is brought up to date before the first entry after each load.  That the thread has been
 * scheduled away is stored by the preempt notifier, under the scheduler's locks: there no page may
 * be faulted in, and if one would have to be the guest is not told.
 */
#include <linux/kvm_para.h>
#include <linux/sched.h>
#include <linux/sched/stat.h>
#include <linux/srcu.h>
#include "guest_mem.h"
#include "x86/msr.h"

#define STEAL_GPA_MASK (~(u64)(KVM_MSR_ENABLED | KVM_STEAL_RESERVED_MASK))

/* Does the host count how long a thread waits? */
bool x86_steal_time_offered(void)
{
	return sched_info_on();
}

static bool steal_enabled(const struct mkvm_vcpu *vcpu)
{
	return vcpu->x86.steal.msr & KVM_MSR_ENABLED;
}

static gpa_t steal_gpa(const struct mkvm_vcpu *vcpu)
{
	return vcpu->x86.steal.msr & STEAL_GPA_MASK;
}

/* The vCPU comes to a processor; preemption is off. */
void x86_steal_time_vcpu_load(struct mkvm_vcpu *vcpu)
{
	if (steal_enabled(vcpu))
		set_bit(VCPU_REQ_STEAL_TIME, &vcpu->requests);
}

/* The vCPU's thread is scheduled away: interrupts are off, and the run queue's lock is held. */
void x86_steal_time_sched_out(struct mkvm_vcpu *vcpu)
{
	struct memslot_table *slots = &vcpu->vm->slots;
	gpa_t gpa = steal_gpa(vcpu) + offsetof(struct kvm_steal_time, preempted);
	int idx;

	if (!steal_enabled(vcpu) || vcpu->x86.steal.told || current->mm != vcpu->vm->mm)
		return;
	idx = srcu_read_lock(&slots->srcu);
	if (!guest_mem_put_u8_nofault(slots, gpa, KVM_VCPU_PREEMPTED))
		vcpu->x86.steal.told = true;
	srcu_read_unlock(&slots->srcu, idx);
}

/* How long the thread has waited since the last time; one that is new here begins at 0. */
static u64 steal_since(struct x86_steal_time *steal)
{
	u64 waited = current->sched_info.run_delay, since = 0;

	if (steal->task == current)
		since = waited - steal->waited;
	steal->task = current;
	steal->waited = waited;
	return since;
}

/* The version is odd while @steal changes.  0 or a negative errno. */
static int steal_store(struct memslot_table *slots, gpa_t gpa, u32 version, u64 steal)
{
	int r;

	version = (version + 1) | 1;
	r = guest_mem_put_u32(slots, gpa + offsetof(struct kvm_steal_time, version), version);
	if (r)
		return r;
	smp_wmb(); /* odd before the rest changes; guests read in the other order */
	r = guest_mem_write(slots, gpa + offsetof(struct kvm_steal_time, steal), &steal,
			    sizeof(steal));
	if (r)
		return r;
	smp_wmb(); /* and even after that */
	return guest_mem_put_u32(slots, gpa + offsetof(struct kvm_steal_time, version),
				 version + 1);
}

/* Brings the record up to date, if the vCPU was loaded since.  The owner, loaded; may sleep. */
void x86_steal_time_serve(struct mkvm_vcpu *vcpu)
{
	struct memslot_table *slots = &vcpu->vm->slots;
	gpa_t gpa = steal_gpa(vcpu);
	struct kvm_steal_time record;
	int idx;

	if (!test_and_clear_bit(VCPU_REQ_STEAL_TIME, &vcpu->requests) || !steal_enabled(vcpu))
		return;
	idx = srcu_read_lock(&slots->srcu);
	if (guest_mem_read(slots, gpa, &record, sizeof(record)))
		goto unlock;
	vcpu->x86.steal.told = false;
	record.preempted = 0;
	if (guest_mem_write(slots, gpa + offsetof(struct kvm_steal_time, preempted),
			    &record.preempted, sizeof(record.preempted)))
		goto unlock;
	/* A record that cannot be written now is the guest's loss. */
	steal_store(slots, gpa, record.version, record.steal + steal_since(&vcpu->x86.steal));
unlock:
	srcu_read_unlock(&slots->srcu, idx);
}

enum msr_result msr_steal_time_read(struct mkvm_vcpu *vcpu, u32 index, enum msr_who who, u64 *value)
{
	if (!x86_has_pv(vcpu, KVM_FEATURE_STEAL_TIME))
		return MSR_UNKNOWN;
	*value = vcpu->x86.steal.msr;
	return MSR_OK;
}

enum msr_result msr_steal_time_write(struct mkvm_vcpu *vcpu, u32 index, enum msr_who who, u64 value)
{
	if (!x86_has_pv(vcpu, KVM_FEATURE_STEAL_TIME))
		return MSR_UNKNOWN;
	if (!x86_steal_time_offered() || value & KVM_STEAL_RESERVED_MASK)
		return MSR_INVALID;
	vcpu->x86.steal = (struct x86_steal_time){ .msr = value };
	if (value & KVM_MSR_ENABLED)
		set_bit(VCPU_REQ_STEAL_TIME, &vcpu->requests);
	return MSR_OK;
}
