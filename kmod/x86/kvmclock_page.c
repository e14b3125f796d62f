// SPDX-License-Identifier: GPL-2.0-only
/*
 * kvmclock as a guest has it: MSRs that name addresses, and what stands there.
 *
 * A vCPU's page tells the clock's value at a value of its time-stamp counter, and how fast that
 * runs.  It is written by the vCPU's thread before an entry, whenever VCPU_REQ_CLOCK asks for it,
 * with a version that is odd meanwhile.  The wall clock, which is the time of day when the clock
 * was 0, is written once, by the WRMSR.  Where the guest has no memory nothing is written.
 */
#include <linux/jiffies.h>
#include <linux/kvm_para.h>
#include <linux/math64.h>
#include <linux/srcu.h>
#include <linux/timekeeping.h>
#include <asm/msr.h>
#include <asm/pvclock-abi.h>
#include "guest_mem.h"
#include "x86/msr.h"

/* How far a vCPU's own point may be away: the host's clock and its TSC drift apart. */
#define PAGE_POINT_JIFFIES (60 * HZ)

static bool page_enabled(const struct mkvm_vcpu *vcpu)
{
	return vcpu->x86.clock.msr & KVM_MSR_ENABLED;
}

void x86_kvmclock_reset(struct mkvm_vcpu *vcpu)
{
	vcpu->x86.clock = (struct x86_kvmclock){};
}

/* The vCPU comes to a processor; preemption is off. */
void x86_kvmclock_vcpu_load(struct mkvm_vcpu *vcpu, bool cpu_changed)
{
	if (cpu_changed && page_enabled(vcpu) && !READ_ONCE(vcpu->vm->clock.shared))
		set_bit(VCPU_REQ_CLOCK, &vcpu->requests);
}

/* Has the page to be written, though nobody has asked? */
bool x86_kvmclock_is_due(const struct mkvm_vcpu *vcpu)
{
	const struct x86_kvmclock *clock = &vcpu->x86.clock;

	return clock->epoch != atomic64_read(&kvmclock_epoch) ||
	       (clock->due && time_after(jiffies, clock->due));
}

/* The vCPU's point: the VM's, or one on this processor. */
static u64 page_point(struct mkvm_vcpu *vcpu, u64 *tsc)
{
	const struct kvmclock *clock = &vcpu->vm->clock;
	unsigned long flags;
	u64 ns;

	lockdep_assert_held(&clock->lock);
	if (clock->shared) {
		*tsc = clock->tsc;
		return clock->ns;
	}
	local_irq_save(flags);
	*tsc = rdtsc_ordered();
	ns = kvmclock_boot() + clock->offset;
	local_irq_restore(flags);
	return ns;
}

static void page_fill(struct mkvm_vcpu *vcpu, struct pvclock_vcpu_time_info *info)
{
	u64 tsc;

	*info = (struct pvclock_vcpu_time_info){};
	info->system_time = page_point(vcpu, &tsc);
	info->tsc_timestamp = x86_tsc_at(vcpu, tsc);
	info->tsc_to_system_mul = kvmclock_scale(vcpu->x86.tsc_khz, &info->tsc_shift);
	if (kvmclock_is_stable(vcpu->vm))
		info->flags |= PVCLOCK_TSC_STABLE_BIT;
}

/* The guest clears the flag that it was stopped, so what stands there goes on. */
static void page_write(struct mkvm_vcpu *vcpu, struct pvclock_vcpu_time_info *info)
{
	struct memslot_table *slots = &vcpu->vm->slots;
	gpa_t gpa = vcpu->x86.clock.msr & ~(u64)KVM_MSR_ENABLED;
	struct pvclock_vcpu_time_info old;
	int idx;

	if (offset_in_page(gpa) + sizeof(*info) > PAGE_SIZE)
		return;
	idx = srcu_read_lock(&slots->srcu);
	if (guest_mem_read(slots, gpa, &old, sizeof(old)))
		goto unlock;
	info->flags |= old.flags & PVCLOCK_GUEST_STOPPED;
	if (vcpu->x86.clock.stopped)
		info->flags |= PVCLOCK_GUEST_STOPPED;
	info->version = (old.version + 1) | 1;
	if (guest_mem_put_u32(slots, gpa, info->version))
		goto unlock;
	vcpu->x86.clock.stopped = false;
	smp_wmb(); /* the version is odd before the rest changes; guests read in the other order */
	if (guest_mem_write(slots, gpa + sizeof(u32), (char *)info + sizeof(u32),
			    sizeof(*info) - sizeof(u32)))
		goto unlock;
	smp_wmb(); /* and even after that */
	if (guest_mem_put_u32(slots, gpa, info->version + 1))
		goto unlock;
unlock:
	srcu_read_unlock(&slots->srcu, idx);
}

/* Writes the page, if that has been asked for or is due.  The owner, loaded; may sleep. */
void x86_kvmclock_serve(struct mkvm_vcpu *vcpu)
{
	struct x86_kvmclock *clock = &vcpu->x86.clock;
	struct mkvm *vm = vcpu->vm;
	struct pvclock_vcpu_time_info info;

	if (!test_bit(VCPU_REQ_CLOCK, &vcpu->requests) && !x86_kvmclock_is_due(vcpu))
		return;
	mutex_lock(&vm->clock.lock);
	kvmclock_refresh(vm);
	clear_bit(VCPU_REQ_CLOCK, &vcpu->requests);
	/* Who changes something does it before he asks: what is read from here on is new. */
	smp_mb__after_atomic();
	clock->epoch = vm->clock.epoch;
	clock->due = 0;
	if (!page_enabled(vcpu)) {
		mutex_unlock(&vm->clock.lock);
		return;
	}
	if (!vm->clock.shared)
		clock->due = (jiffies + PAGE_POINT_JIFFIES) | 1;
	page_fill(vcpu, &info);
	mutex_unlock(&vm->clock.lock);
	page_write(vcpu, &info);
}

/* KVM_KVMCLOCK_CTRL: the guest was stopped and is to know.  0, or -EINVAL: it has no page. */
int x86_kvmclock_stopped(struct mkvm_vcpu *vcpu)
{
	if (!page_enabled(vcpu))
		return -EINVAL;
	vcpu->x86.clock.stopped = true;
	set_bit(VCPU_REQ_CLOCK, &vcpu->requests);
	return 0;
}

/* What the guest must have been told of to use an MSR of the first or the second pair. */
static bool clock_msr_is_had(const struct mkvm_vcpu *vcpu, u32 index)
{
	bool old = index == MSR_KVM_WALL_CLOCK || index == MSR_KVM_SYSTEM_TIME;

	return x86_has_pv(vcpu, old ? KVM_FEATURE_CLOCKSOURCE : KVM_FEATURE_CLOCKSOURCE2);
}

static void system_time_write(struct mkvm_vcpu *vcpu, u32 index, enum msr_who who, u64 value)
{
	struct mkvm *vm = vcpu->vm;
	bool old = index == MSR_KVM_SYSTEM_TIME;

	vcpu->x86.clock.msr = value;
	set_bit(VCPU_REQ_CLOCK, &vcpu->requests);
	if (who == MSR_BY_HOST || vcpu->id != vm->boot_cpu_id)
		return;
	mutex_lock(&vm->clock.lock);
	if (vm->clock.old_msr != old) {
		WRITE_ONCE(vm->clock.old_msr, old);
		mkvm_request_all(vm, VCPU_REQ_CLOCK);
	}
	mutex_unlock(&vm->clock.lock);
}

/* The time of day when the clock was 0. */
static u64 wall_clock(struct mkvm *vm)
{
	struct kvmclock_moment moment;
	bool exact;
	u64 now;

	mutex_lock(&vm->clock.lock);
	now = kvmclock_now(vm, &moment, &exact);
	mutex_unlock(&vm->clock.lock);
	return moment.real - now;
}

static void wall_clock_write(struct mkvm *vm, gpa_t gpa)
{
	struct memslot_table *slots = &vm->slots;
	struct pvclock_wall_clock wall;
	int idx;

	if (!gpa)
		return;
	idx = srcu_read_lock(&slots->srcu);
	if (guest_mem_read(slots, gpa, &wall.version, sizeof(wall.version)))
		goto unlock;
	wall.version = (wall.version + 1) | 1;
	if (guest_mem_put_u32(slots, gpa, wall.version))
		goto unlock;
	wall.sec = div_u64_rem(wall_clock(vm), NSEC_PER_SEC, &wall.nsec);
	smp_wmb(); /* as in page_write() */
	if (guest_mem_write(slots, gpa + sizeof(u32), &wall.sec, 2 * sizeof(u32)))
		goto unlock;
	smp_wmb(); /* likewise */
	if (guest_mem_put_u32(slots, gpa, wall.version + 1))
		goto unlock;
unlock:
	srcu_read_unlock(&slots->srcu, idx);
}

enum msr_result msr_kvmclock_read(struct mkvm_vcpu *vcpu, u32 index, enum msr_who who, u64 *value)
{
	if (!clock_msr_is_had(vcpu, index))
		return MSR_UNKNOWN;
	if (index == MSR_KVM_WALL_CLOCK || index == MSR_KVM_WALL_CLOCK_NEW)
		*value = READ_ONCE(vcpu->vm->clock.wall);
	else
		*value = vcpu->x86.clock.msr;
	return MSR_OK;
}

enum msr_result msr_kvmclock_write(struct mkvm_vcpu *vcpu, u32 index, enum msr_who who, u64 value)
{
	if (!clock_msr_is_had(vcpu, index))
		return MSR_UNKNOWN;
	if (index == MSR_KVM_WALL_CLOCK || index == MSR_KVM_WALL_CLOCK_NEW) {
		WRITE_ONCE(vcpu->vm->clock.wall, value);
		wall_clock_write(vcpu->vm, value);
	} else {
		system_time_write(vcpu, index, who, value);
	}
	return MSR_OK;
}

/*
 * KVM_HC_CLOCK_PAIRING: the time of day, and the guest's counter at that moment.  0 or a negative
 * KVM_E*.  The caller holds a read side of the slots.
 */
long x86_kvmclock_pairing(struct mkvm_vcpu *vcpu, u64 gpa, u64 type)
{
	struct kvm_clock_pairing pairing = {};
	struct kvmclock_moment moment;
	u32 nsec;

	if (type != KVM_CLOCK_PAIRING_WALLCLOCK || !kvmclock_moment(&moment))
		return -KVM_EOPNOTSUPP;
	pairing.sec = div_u64_rem(moment.real, NSEC_PER_SEC, &nsec);
	pairing.nsec = nsec;
	pairing.tsc = x86_tsc_at(vcpu, moment.tsc);
	return guest_mem_write(&vcpu->vm->slots, gpa, &pairing, sizeof(pairing)) ? -KVM_EFAULT : 0;
}
