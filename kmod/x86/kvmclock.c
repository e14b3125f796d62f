// SPDX-License-Identifier: GPL-2.0-only
/*
 * A VM's clock: nanoseconds since the VM was made, or as user space has set it.
 *
 * It is the host's raw monotonic time and what suspends have taken, plus an offset.  While the
 * host's own clock is its TSC, all vCPUs reckon from one point of that, so they agree for as long
 * as their counters do; then the clock is called stable, and a guest need not compare its
 * processors.  With another clock of the host's each vCPU reckons from a point of its own, which is
 * made anew when it comes to another processor, and from time to time.
 *
 * The point is kept until the host's clock changes its ways: it becomes another one, or the host
 * was suspended.  That is counted (kvmclock_epoch), and each vCPU looks at the count before it
 * enters the guest.
 */
#include <linux/kvm.h>
#include <linux/math64.h>
#include <linux/pvclock_gtod.h>
#include <linux/timekeeper_internal.h>
#include <linux/timekeeping.h>
#include <asm/pvclock.h>
#include <asm/tsc.h>
#include <asm/vdso/clocksource.h>
#include "mkvm.h"
#include "x86/x86.h"

#define CLOCK_FLAGS (KVM_CLOCK_TSC_STABLE | KVM_CLOCK_REALTIME | KVM_CLOCK_HOST_TSC)

atomic64_t kvmclock_epoch = ATOMIC64_INIT(1);
static bool clock_is_tsc; /* the host's; written by the timekeeper */

/* The timekeeper has advanced: interrupts off, under its lock. */
static int clock_advanced(struct notifier_block *nb, unsigned long stepped, void *data)
{
	const struct timekeeper *keeper = data;
	bool is_tsc = keeper->tkr_mono.clock->vdso_clock_mode == VDSO_CLOCKMODE_TSC;

	if (is_tsc != clock_is_tsc) {
		WRITE_ONCE(clock_is_tsc, is_tsc);
		atomic64_inc(&kvmclock_epoch);
	}
	return 0;
}

static struct notifier_block clock_nb = {
	.notifier_call = clock_advanced,
};

/* At load: tells at once what the host's clock is.  0 or a negative errno. */
int x86_kvmclock_init(void)
{
	return pvclock_gtod_register_notifier(&clock_nb);
}

void x86_kvmclock_exit(void)
{
	pvclock_gtod_unregister_notifier(&clock_nb);
}

/* One processor is left, interrupts are off; the timekeeper goes on already. */
void x86_kvmclock_host_resume(void)
{
	atomic64_inc(&kvmclock_epoch);
}

/* What suspends have taken. */
static u64 clock_suspended(void)
{
	return ktime_to_ns(ktime_mono_to_any(0, TK_OFFS_BOOT));
}

/* The host's time since its boot. */
u64 kvmclock_boot(void)
{
	return ktime_get_raw_ns() + clock_suspended();
}

/* All clocks at one moment; false: the host's clock is not its TSC. */
bool kvmclock_moment(struct kvmclock_moment *moment)
{
	u64 epoch = atomic64_read(&kvmclock_epoch);
	struct system_time_snapshot snapshot;

	if (!READ_ONCE(clock_is_tsc))
		return false;
	ktime_get_snapshot(&snapshot);
	moment->tsc = snapshot.cycles;
	moment->boot = ktime_to_ns(snapshot.raw) + clock_suspended();
	moment->real = ktime_to_ns(snapshot.real);
	/* What was read may be another clock's if it changed just now. */
	return epoch == atomic64_read(&kvmclock_epoch);
}

/*
 * Nanoseconds are ticks, shifted by @shift, times the answer, without its lower 32 bits; the answer
 * has 32 of them.
 */
u32 kvmclock_scale(u32 khz, s8 *shift)
{
	u64 second = khz * 1000ull;

	for (*shift = 0; second > 2ull * NSEC_PER_SEC; --*shift)
		second >>= 1;
	for (; second <= NSEC_PER_SEC; ++*shift)
		second <<= 1;
	return div64_u64((u64)NSEC_PER_SEC << 32, second);
}

/* The clock when the host's TSC is @tsc, if the VM's vCPUs share a point of it. */
u64 kvmclock_at(const struct mkvm *vm, u64 tsc)
{
	s8 shift;
	u32 mul;

	lockdep_assert_held(&vm->clock.lock);
	mul = kvmclock_scale(tsc_khz, &shift);
	return vm->clock.ns + pvclock_scale_delta(tsc - vm->clock.tsc, mul, shift);
}

/* Can a guest trust that its processors' clocks agree? */
bool kvmclock_is_stable(const struct mkvm *vm)
{
	return vm->clock.shared && !vm->clock.old_msr && x86_tsc_all_agree(vm);
}

/*
 * A new point for all vCPUs: none executes guest code with the former one when this returns, and
 * each waits for the lock before it does with the new one.
 */
static void clock_take_point(struct mkvm *vm)
{
	struct kvmclock *clock = &vm->clock;
	struct kvmclock_moment moment = {};

	lockdep_assert_held(&clock->lock);
	mkvm_request_all(vm, VCPU_REQ_CLOCK);
	clock->epoch = atomic64_read(&kvmclock_epoch);
	clock->shared = kvmclock_moment(&moment);
	clock->tsc = moment.tsc;
	clock->ns = moment.boot + clock->offset;
}

/* Before anything is told of the clock. */
void kvmclock_refresh(struct mkvm *vm)
{
	lockdep_assert_held(&vm->clock.lock);
	if (vm->clock.epoch != atomic64_read(&kvmclock_epoch))
		clock_take_point(vm);
}

/* A VM is created: its clock starts at 0. */
void x86_kvmclock_vm_start(struct mkvm *vm)
{
	mutex_init(&vm->clock.lock);
	vm->clock.offset = -kvmclock_boot();
}

/*
 * The clock now.  @exact: @moment is when, on the other clocks; else it has the time of day alone,
 * of almost the same moment.
 */
u64 kvmclock_now(struct mkvm *vm, struct kvmclock_moment *moment, bool *exact)
{
	lockdep_assert_held(&vm->clock.lock);
	kvmclock_refresh(vm);
	*exact = vm->clock.shared && kvmclock_moment(moment);
	if (*exact)
		return kvmclock_at(vm, moment->tsc);
	*moment = (struct kvmclock_moment){ .real = ktime_get_real_ns() };
	return kvmclock_boot() + vm->clock.offset;
}

/* KVM_GET_CLOCK */
void x86_kvmclock_get(struct mkvm *vm, struct kvm_clock_data *data)
{
	struct kvmclock_moment moment;
	bool exact;

	*data = (struct kvm_clock_data){};
	mutex_lock(&vm->clock.lock);
	data->clock = kvmclock_now(vm, &moment, &exact);
	if (exact && kvmclock_is_stable(vm)) {
		data->flags = CLOCK_FLAGS;
		data->realtime = moment.real;
		data->host_tsc = moment.tsc;
	}
	mutex_unlock(&vm->clock.lock);
}

/*
 * KVM_SET_CLOCK: the clock goes on from there.  With the time of day when it was read, what has
 * passed since is added.  0, or -EINVAL for an unknown flag.
 */
int x86_kvmclock_set(struct mkvm *vm, const struct kvm_clock_data *data)
{
	struct kvmclock *clock = &vm->clock;
	u64 target = data->clock, real;

	if (data->flags & ~CLOCK_FLAGS)
		return -EINVAL;
	mutex_lock(&clock->lock);
	real = ktime_get_real_ns();
	if (data->flags & KVM_CLOCK_REALTIME && real > data->realtime)
		target += real - data->realtime;
	clock->offset = target - kvmclock_boot();
	clock_take_point(vm);
	mutex_unlock(&clock->lock);
	return 0;
}
