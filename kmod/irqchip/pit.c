// SPDX-License-Identifier: GPL-2.0-only
/*
 * The 8254 interval timer: three counters at 1.193182 MHz, and the speaker's port.
 *
 * Counter 0 is the line of GSI 0; counter 2 is gated by the port.  A counter does not count: what
 * it shows follows from the host's clock and from when it was loaded.
 *
 * Ticks that the guest has no time for are made up for: a tick that comes before the one before it
 * was acknowledged waits until then.  KVM_REINJECT_CONTROL switches that off.
 */
#include <linux/hrtimer.h>
#include <linux/math64.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include "irqchip/irqchip.h"
#include "mkvm.h"

#define PIT_HZ	       1193182
#define PIT_MIN_PERIOD 200000 /* ns */

#define PORT_COUNTER0 0x40
#define PORT_CONTROL  0x43
#define PORT_SPEAKER  0x61

/* How a counter's two bytes are read and written. */
enum pit_access {
	PIT_LOW = 1,
	PIT_HIGH,
	PIT_WORD,      /* the low byte is next */
	PIT_WORD_HIGH, /* the high byte is */
};

/* kvm_pit_state2.flags that stay: the speaker is on; somebody else makes the interrupts. */
#define PIT_FLAGS (KVM_PIT_FLAGS_HPET_LEGACY | KVM_PIT_FLAGS_SPEAKER_DATA_ON)

/**
 * struct pit - the timer
 * @vm: immutable
 * @speaker: port 0x61 is had; immutable
 * @lock: the counters
 * @channels: as user space saves them; @lock
 * @flags: KVM_PIT_FLAGS_*; @lock
 * @timer: of counter 0
 * @period: of it in ns; 0: it fires once.  Written while it is stopped
 * @length: of the count that it runs for, in ns; @lock
 * @reinject: ticks are made up for; anyone
 * @owed: ticks that wait
 * @acked: the guest has acknowledged the last one; 0 or 1
 */
struct pit {
	struct mkvm *vm;
	bool speaker;
	struct mutex lock;
	struct kvm_pit_channel_state channels[3];
	u32 flags;
	struct hrtimer timer;
	u64 period;
	u64 length;
	bool reinject;
	atomic_t owed;
	atomic_t acked;
};

static void pit_tick(struct pit *pit)
{
	if (READ_ONCE(pit->reinject) && !atomic_xchg(&pit->acked, 0))
		return;
	irq_set_line(pit->vm, IRQ_SOURCE_PIT, 0, true);
	irq_set_line(pit->vm, IRQ_SOURCE_PIT, 0, false);
}

static enum hrtimer_restart pit_fires(struct hrtimer *timer)
{
	struct pit *pit = container_of(timer, struct pit, timer);
	u64 late;

	if (READ_ONCE(pit->reinject))
		atomic_inc(&pit->owed);
	pit_tick(pit);
	if (!pit->period)
		return HRTIMER_NORESTART;
	/* A host that was away makes up for a second at most. */
	late = hrtimer_forward_now(timer, ns_to_ktime(pit->period));
	if (late > 1 && READ_ONCE(pit->reinject))
		atomic_add(min_t(u64, late - 1, div64_u64(NSEC_PER_SEC, pit->period)), &pit->owed);
	return HRTIMER_RESTART;
}

/* The guest has acknowledged a tick; the next one may be due.  Any context but an NMI. */
void pit_acked(struct pit *pit)
{
	if (!READ_ONCE(pit->reinject))
		return;
	atomic_set(&pit->acked, 1);
	smp_mb(); /* before what is owed is read; pairs with pit_fires() */
	if (atomic_dec_if_positive(&pit->owed) > 0)
		pit_tick(pit);
}

/* Nothing is owed; the next tick is not held up.  Any context. */
void pit_forget_owed(struct pit *pit)
{
	atomic_set(&pit->owed, 0);
	atomic_set(&pit->acked, 1);
}

static void pit_stop(struct pit *pit)
{
	lockdep_assert_held(&pit->lock);
	hrtimer_cancel(&pit->timer);
	pit->period = 0;
}

static void pit_start(struct pit *pit, u32 count, bool periodic)
{
	u64 ns = mul_u64_u32_div(count, NSEC_PER_SEC, PIT_HZ);

	pit_stop(pit);
	pit->length = ns;
	pit_forget_owed(pit);
	if (pit->flags & KVM_PIT_FLAGS_HPET_LEGACY)
		return;
	if (periodic)
		pit->period = max_t(u64, ns, PIT_MIN_PERIOD);
	hrtimer_start(&pit->timer, ns_to_ktime(ns), HRTIMER_MODE_REL_HARD);
}

static void pit_load(struct pit *pit, unsigned int channel, u32 count)
{
	struct kvm_pit_channel_state *c = &pit->channels[channel];

	lockdep_assert_held(&pit->lock);
	c->count = count ?: 0x10000;
	c->count_load_time = ktime_to_ns(ktime_get());
	if (channel)
		return;
	switch (c->mode) {
	case 0:
	case 1:
	case 4:
		pit_start(pit, c->count, false);
		break;
	case 2:
	case 3:
		pit_start(pit, c->count, true);
		break;
	default:
		pit_stop(pit);
	}
}

/* Ticks of the oscillator since the counter was loaded. */
static u64 pit_elapsed(const struct kvm_pit_channel_state *c)
{
	s64 ns = ktime_to_ns(ktime_get()) - c->count_load_time;

	return mul_u64_u32_div(max_t(s64, ns, 0), PIT_HZ, NSEC_PER_SEC);
}

static u16 pit_count(const struct kvm_pit_channel_state *c)
{
	u64 elapsed = pit_elapsed(c);
	u64 in_period;

	if (c->mode == 2 || c->mode == 3) {
		div64_u64_rem(c->mode == 3 ? 2 * elapsed : elapsed, c->count, &in_period);
		return c->count - in_period;
	}
	return c->count - elapsed;
}

/* The level of a counter's output. */
static bool pit_out(const struct kvm_pit_channel_state *c)
{
	u64 elapsed = pit_elapsed(c), in_period;

	div64_u64_rem(elapsed, c->count, &in_period);
	switch (c->mode) {
	case 1:
		return elapsed < c->count;
	case 2:
		return elapsed && !in_period;
	case 3:
		return in_period < (c->count + 1) / 2;
	case 4:
	case 5:
		return elapsed == c->count;
	default:
		return elapsed >= c->count;
	}
}

static void pit_latch_count(struct kvm_pit_channel_state *c)
{
	if (c->count_latched)
		return;
	c->latched_count = pit_count(c);
	c->count_latched = c->rw_mode;
}

static void pit_latch_status(struct kvm_pit_channel_state *c)
{
	if (c->status_latched)
		return;
	c->status = pit_out(c) << 7 | c->rw_mode << 4 | c->mode << 1 | c->bcd;
	c->status_latched = 1;
}

static void pit_read_back(struct pit *pit, u8 value)
{
	unsigned int channel;

	for (channel = 0; channel < 3; channel++) {
		if (!(value & 2 << channel))
			continue;
		if (!(value & 0x20))
			pit_latch_count(&pit->channels[channel]);
		if (!(value & 0x10))
			pit_latch_status(&pit->channels[channel]);
	}
}

static void pit_control(struct pit *pit, u8 value)
{
	unsigned int channel = value >> 6, access = value >> 4 & 3;
	struct kvm_pit_channel_state *c;

	if (channel == 3) {
		pit_read_back(pit, value);
		return;
	}
	c = &pit->channels[channel];
	if (!access) {
		pit_latch_count(c);
		return;
	}
	c->rw_mode = access;
	c->read_state = access;
	c->write_state = access;
	c->mode = value >> 1 & 7;
	if (c->mode > 5)
		c->mode -= 4;
	c->bcd = value & 1;
}

static void pit_write_count(struct pit *pit, unsigned int channel, u8 value)
{
	struct kvm_pit_channel_state *c = &pit->channels[channel];

	switch (c->write_state) {
	case PIT_HIGH:
		pit_load(pit, channel, value << 8);
		break;
	case PIT_WORD:
		c->write_latch = value;
		c->write_state = PIT_WORD_HIGH;
		break;
	case PIT_WORD_HIGH:
		pit_load(pit, channel, c->write_latch | value << 8);
		c->write_state = PIT_WORD;
		break;
	default:
		pit_load(pit, channel, value);
	}
}

static u8 pit_read_latched(struct kvm_pit_channel_state *c)
{
	u8 value = c->latched_count;

	switch (c->count_latched) {
	case PIT_HIGH:
		value = c->latched_count >> 8;
		fallthrough;
	default:
		c->count_latched = 0;
		return value;
	case PIT_WORD:
		c->count_latched = PIT_HIGH;
		return value;
	}
}

static u8 pit_read_count(struct kvm_pit_channel_state *c)
{
	u16 count = pit_count(c);

	switch (c->read_state) {
	case PIT_HIGH:
		return count >> 8;
	case PIT_WORD:
		c->read_state = PIT_WORD_HIGH;
		return count;
	case PIT_WORD_HIGH:
		c->read_state = PIT_WORD;
		return count >> 8;
	default:
		return count;
	}
}

static u8 pit_read_channel(struct kvm_pit_channel_state *c)
{
	if (c->status_latched) {
		c->status_latched = 0;
		return c->status;
	}
	return c->count_latched ? pit_read_latched(c) : pit_read_count(c);
}

/* Bit 4 is the clock of memory refreshes, which some guests wait for: about 15 us. */
static u8 pit_read_speaker(struct pit *pit)
{
	u8 refresh = ktime_to_ns(ktime_get()) >> 14 & 1;

	return (pit->flags & KVM_PIT_FLAGS_SPEAKER_DATA_ON ? 2 : 0) | pit->channels[2].gate |
	       pit_out(&pit->channels[2]) << 5 | refresh << 4;
}

/* A rising gate starts most modes anew. */
static void pit_write_speaker(struct pit *pit, u8 value)
{
	struct kvm_pit_channel_state *c = &pit->channels[2];
	bool gate = value & 1;

	if (value & 2)
		pit->flags |= KVM_PIT_FLAGS_SPEAKER_DATA_ON;
	else
		pit->flags &= ~KVM_PIT_FLAGS_SPEAKER_DATA_ON;
	if (c->mode != 0 && c->mode != 4 && gate && !c->gate)
		c->count_load_time = ktime_to_ns(ktime_get());
	c->gate = gate;
}

bool pit_has_port(const struct pit *pit, u16 port)
{
	return (port >= PORT_COUNTER0 && port <= PORT_CONTROL) ||
	       (pit->speaker && port == PORT_SPEAKER);
}

/* May sleep; so for all that follow. */
u8 pit_read(struct pit *pit, u16 port)
{
	u8 value = 0;

	mutex_lock(&pit->lock);
	if (port == PORT_SPEAKER)
		value = pit_read_speaker(pit);
	else if (port != PORT_CONTROL)
		value = pit_read_channel(&pit->channels[port & 3]);
	mutex_unlock(&pit->lock);
	return value;
}

void pit_write(struct pit *pit, u16 port, u8 value)
{
	mutex_lock(&pit->lock);
	if (port == PORT_SPEAKER)
		pit_write_speaker(pit, value);
	else if (port == PORT_CONTROL)
		pit_control(pit, value);
	else
		pit_write_count(pit, port & 3, value);
	mutex_unlock(&pit->lock);
}

/* KVM_CREATE_PIT2; the caller holds vm->lock.  0 or -ENOMEM. */
int pit_create(struct mkvm *vm, const struct kvm_pit_config *config)
{
	struct pit *pit = kzalloc(sizeof(*pit), GFP_KERNEL_ACCOUNT);
	unsigned int i;

	lockdep_assert_held(&vm->lock);
	if (!pit)
		return -ENOMEM;
	pit->vm = vm;
	pit->speaker = config->flags & KVM_PIT_SPEAKER_DUMMY;
	pit->reinject = true;
	mutex_init(&pit->lock);
	hrtimer_init(&pit->timer, CLOCK_MONOTONIC, HRTIMER_MODE_REL_HARD);
	pit->timer.function = pit_fires;
	mutex_lock(&pit->lock);
	for (i = 0; i < 3; i++) {
		pit->channels[i].mode = 0xff; /* none: it does not run */
		pit->channels[i].gate = i != 2;
		pit_load(pit, i, 0);
	}
	mutex_unlock(&pit->lock);
	pit_forget_owed(pit);
	smp_store_release(&vm->irqchip.pit, pit); /* pairs with irqchip_pit() */
	return 0;
}

/* No vCPU runs.  May be NULL. */
void pit_destroy(struct pit *pit)
{
	if (!pit)
		return;
	hrtimer_cancel(&pit->timer);
	kfree(pit);
}

void pit_set_reinject(struct pit *pit, bool reinject)
{
	mutex_lock(&pit->lock);
	if (reinject && !pit->reinject)
		pit_forget_owed(pit);
	WRITE_ONCE(pit->reinject, reinject);
	mutex_unlock(&pit->lock);
}

/* KVM_GET_PIT2, KVM_SET_PIT2 */
void pit_get(struct pit *pit, struct kvm_pit_state2 *state)
{
	memset(state, 0, sizeof(*state));
	mutex_lock(&pit->lock);
	memcpy(state->channels, pit->channels, sizeof(state->channels));
	state->flags = pit->flags;
	mutex_unlock(&pit->lock);
}

/*
 * The counters start anew, but for counter 0 if it is somebody else's now (HPET).  What is no
 * state of a counter is made one.
 */
void pit_put(struct pit *pit, const struct kvm_pit_state2 *state)
{
	unsigned int i;

	mutex_lock(&pit->lock);
	memcpy(pit->channels, state->channels, sizeof(pit->channels));
	pit->flags = state->flags & PIT_FLAGS;
	for (i = 0; i < 3; i++) {
		struct kvm_pit_channel_state *c = &pit->channels[i];

		c->count = min_t(u32, c->count, 0x10000);
		c->gate = !!c->gate;
		c->rw_mode &= 3;
		pit_load(pit, i, c->count);
	}
	mutex_unlock(&pit->lock);
}
