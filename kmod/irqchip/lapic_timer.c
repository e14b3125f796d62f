// SPDX-License-Identifier: GPL-2.0-only
/*
 * A local APIC's timer.
 *
 * It counts at 1 GHz, divided by what TDCR says, in ns of the host's monotonic clock; in
 * TSC-deadline mode it fires when the guest's counter has reached a value.  A period is not shorter
 * than the host can bear.
 */
#include <linux/hrtimer.h>
#include <linux/math64.h>
#include <asm/msr.h>
#include "irqchip/lapic.h"
#include "x86/x86.h"

#define TIMER_MIN_PERIOD 200000		  /* ns */
#define TIMER_MAX_WAIT	 (365 * 86400ull) /* s; later deadlines are that far away */

static bool timer_is_periodic(const struct lapic *lapic)
{
	return lapic_reg(lapic, APIC_LVTT) & APIC_LVT_TIMER_PERIODIC;
}

static bool timer_is_deadline(u32 lvtt)
{
	return lvtt & APIC_LVT_TIMER_TSCDEADLINE;
}

static unsigned int timer_divider(const struct lapic *lapic)
{
	u32 tdcr = lapic_reg(lapic, APIC_TDCR);
	u32 code = (tdcr & 3) | (tdcr & 8) >> 1;

	return 1u << ((code + 1) & 7);
}

static enum hrtimer_restart timer_fires(struct hrtimer *timer)
{
	struct lapic *lapic = container_of(timer, struct lapic, timer);

	if (timer_is_deadline(lapic_reg(lapic, APIC_LVTT)))
		WRITE_ONCE(lapic->deadline, 0);
	lapic_raise_lvt(lapic, APIC_LVTT);
	if (!lapic->period)
		return HRTIMER_NORESTART;
	hrtimer_forward_now(timer, ns_to_ktime(lapic->period));
	WRITE_ONCE(lapic->target, hrtimer_get_expires(timer));
	return HRTIMER_RESTART;
}

void lapic_timer_init(struct lapic *lapic)
{
	hrtimer_init(&lapic->timer, CLOCK_MONOTONIC, HRTIMER_MODE_ABS_HARD);
	lapic->timer.function = timer_fires;
}

/* May sleep. */
void lapic_timer_stop(struct lapic *lapic)
{
	hrtimer_cancel(&lapic->timer);
	lapic->period = 0;
	lapic->target = 0;
	lapic->paused = false;
}

static u64 timer_ns(const struct lapic *lapic, u32 count)
{
	return (u64)count * timer_divider(lapic);
}

static void timer_start_at(struct lapic *lapic, u64 ns)
{
	u64 period = timer_is_periodic(lapic) ? timer_ns(lapic, lapic_reg(lapic, APIC_TMICT)) : 0;

	lapic->period = period ? max_t(u64, period, TIMER_MIN_PERIOD) : 0;
	lapic->target = ktime_add_ns(ktime_get(), ns);
	hrtimer_start(&lapic->timer, lapic->target, HRTIMER_MODE_ABS_HARD);
}

/* The initial count was written. */
void lapic_timer_start(struct lapic *lapic)
{
	u32 count = lapic_reg(lapic, APIC_TMICT);
	u64 ns = timer_ns(lapic, count);

	lapic_timer_stop(lapic);
	if (!count || timer_is_deadline(lapic_reg(lapic, APIC_LVTT)))
		return;
	if (timer_is_periodic(lapic))
		ns = max_t(u64, ns, TIMER_MIN_PERIOD);
	timer_start_at(lapic, ns);
}

/* The timer goes on with @count of its count left; 0: it has expired, or starts its next period. */
void lapic_timer_restore(struct lapic *lapic, u32 count)
{
	lapic_timer_stop(lapic);
	if (!lapic_reg(lapic, APIC_TMICT) || timer_is_deadline(lapic_reg(lapic, APIC_LVTT)))
		return;
	if (!count && !timer_is_periodic(lapic))
		return;
	timer_start_at(lapic, timer_ns(lapic, count));
}

/* LVTT is another one's: a deadline stays armed, if there is one. */
void lapic_timer_restore_deadline(struct mkvm_vcpu *vcpu)
{
	struct lapic *lapic = vcpu->lapic;

	if (!timer_is_deadline(lapic_reg(lapic, APIC_LVTT)))
		lapic->deadline = 0;
	else if (lapic->deadline)
		lapic_set_deadline(vcpu, lapic->deadline);
}

/*
 * Stops the timer for a while; lapic_timer_resume() ends that.  How much of the count is left: 0 if
 * it is not to fire any more, at least 1 if it is.  May sleep.
 */
u32 lapic_timer_pause(struct lapic *lapic)
{
	lapic->paused = hrtimer_cancel(&lapic->timer);
	return lapic->paused ? max_t(u32, lapic_timer_count(lapic), 1) : 0;
}

void lapic_timer_resume(struct lapic *lapic)
{
	if (lapic->paused)
		hrtimer_start_expires(&lapic->timer, HRTIMER_MODE_ABS_HARD);
	lapic->paused = false;
}

/* The current count. */
u32 lapic_timer_count(struct lapic *lapic)
{
	s64 left;

	if (!lapic_reg(lapic, APIC_TMICT) || timer_is_deadline(lapic_reg(lapic, APIC_LVTT)))
		return 0;
	left = ktime_to_ns(ktime_sub(READ_ONCE(lapic->target), ktime_get()));
	if (left <= 0)
		return 0;
	return div64_u64(left, timer_divider(lapic));
}

/* LVTT has another mode: between deadlines and counts the timer stops. */
void lapic_timer_retime(struct lapic *lapic, u32 before)
{
	u32 now = lapic_reg(lapic, APIC_LVTT), left;

	if (!((before ^ now) & (APIC_LVT_TIMER_TSCDEADLINE | APIC_LVT_TIMER_PERIODIC)))
		return;
	if ((before ^ now) & APIC_LVT_TIMER_TSCDEADLINE) {
		lapic_timer_stop(lapic);
		lapic_set_reg(lapic, APIC_TMICT, 0);
		lapic->deadline = 0;
		return;
	}
	/* From one-shot to periodic and back the count goes on; one that has ended does not. */
	left = lapic_timer_pause(lapic);
	if (left)
		lapic_timer_restore(lapic, left);
}

/* MSR_IA32_TSC_DEADLINE; the owner vCPU, loaded. */
u64 lapic_deadline(const struct mkvm_vcpu *vcpu)
{
	if (!vcpu->lapic || !timer_is_deadline(lapic_reg(vcpu->lapic, APIC_LVTT)))
		return 0;
	return READ_ONCE(vcpu->lapic->deadline);
}

void lapic_set_deadline(struct mkvm_vcpu *vcpu, u64 deadline)
{
	struct lapic *lapic = vcpu->lapic;
	u64 now, ns = 0;

	if (!lapic || !timer_is_deadline(lapic_reg(lapic, APIC_LVTT)))
		return;
	lapic_timer_stop(lapic);
	WRITE_ONCE(lapic->deadline, deadline);
	if (!deadline)
		return;
	now = x86_tsc_read(vcpu);
	if (deadline > now) {
		now = min_t(u64, deadline - now, vcpu->x86.tsc_khz * 1000ull * TIMER_MAX_WAIT);
		ns = mul_u64_u64_div_u64(now, NSEC_PER_MSEC, vcpu->x86.tsc_khz);
	}
	timer_start_at(lapic, ns);
}
