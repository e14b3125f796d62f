// SPDX-License-Identifier: GPL-2.0-only
/*
 * The guest's time-stamp counter: the host's, times a ratio if the processor can multiply, plus an
 * offset that the processor adds.
 *
 * It is told by a point that it went through: when the host's counter was @base the guest's was
 * @value.  All vCPUs of a VM share the point at which the VM was created, with value 0, or the one
 * that user space has set last; so those of one frequency agree.  The offset follows from it.
 *
 * A suspended host may come back with its counter reset.  Bases count what all suspends have taken,
 * and each vCPU's offset is made anew when it is next loaded, so that a guest never sees time go
 * back.
 */
#include <linux/math64.h>
#include <asm/tsc.h>
#include "x86/x86.h"

/* As much as a well-kept clock goes wrong. */
#define TSC_TOLERANCE_PPM 250

/* What KVM_GET_TSC_KHZ can tell. */
#define TSC_KHZ_END 0x7fffffffu

/* The processor's multiplier: bits of its fraction, and the first that it cannot have. */
static unsigned int tsc_fraction __ro_after_init;
static u64 tsc_ratio_end __ro_after_init;

static u64 tsc_at_suspend;
static u64 tsc_lost; /* by all suspends so far; written with one processor running */

/* A vendor's room tells, at load, that its processors multiply. */
void x86_tsc_scales(unsigned int fraction, u64 ratio_end)
{
	tsc_fraction = fraction;
	tsc_ratio_end = ratio_end;
}

/* KVM_CAP_TSC_CONTROL */
bool x86_tsc_scaling(void)
{
	return tsc_fraction;
}

/* @ticks of the host's counter on the guest's, as the processor rounds them. */
static u64 tsc_scale(const struct mkvm_vcpu *vcpu, u64 ticks)
{
	return mul_u64_u64_shr(ticks, vcpu->x86.tsc_ratio, tsc_fraction);
}

/* The same for a count that may be negative. */
static u64 tsc_scale_signed(const struct mkvm_vcpu *vcpu, s64 ticks)
{
	return ticks < 0 ? -tsc_scale(vcpu, -ticks) : tsc_scale(vcpu, ticks);
}

/* The offset that brings the counter through the vCPU's point; the caller marks it dirty. */
static void tsc_place(struct mkvm_vcpu *vcpu)
{
	struct x86_vcpu *x86 = &vcpu->x86;

	x86->tsc_offset = x86->tsc_value - tsc_scale_signed(vcpu, x86->tsc_base - x86->tsc_lost);
	set_bit(VCPU_REQ_CLOCK, &vcpu->requests); /* its page names the counter */
}

/* Do the counters of all vCPUs of a VM agree?  No lock is needed; who changes it tells all. */
bool x86_tsc_all_agree(const struct mkvm *vm)
{
	return READ_ONCE(vm->tsc_agree) == READ_ONCE(vm->tsc_counters);
}

/* Another point, or another frequency: no counter has it yet. */
static void tsc_new_gen(struct mkvm *vm, u32 khz)
{
	lockdep_assert_held(&vm->tsc_lock);
	vm->tsc_gen++;
	vm->tsc_gen_khz = khz;
	WRITE_ONCE(vm->tsc_agree, 0);
}

/* The vCPU's point or frequency has changed: who agrees now? */
static void tsc_count(struct mkvm_vcpu *vcpu)
{
	struct x86_vcpu *x86 = &vcpu->x86;
	struct mkvm *vm = vcpu->vm;
	bool same = x86->tsc_base == vm->tsc_base && x86->tsc_value == vm->tsc_value;

	lockdep_assert_held(&vm->tsc_lock);
	if (same && x86->tsc_khz != vm->tsc_gen_khz)
		tsc_new_gen(vm, x86->tsc_khz);
	if (same && x86->tsc_gen != vm->tsc_gen) {
		WRITE_ONCE(vm->tsc_agree, vm->tsc_agree + 1);
		x86->tsc_gen = vm->tsc_gen;
	} else if (!same && x86->tsc_gen == vm->tsc_gen) {
		WRITE_ONCE(vm->tsc_agree, vm->tsc_agree - 1);
		x86->tsc_gen = 0;
	}
}

/* All vCPUs learn what a change has made of the clock; @before: all counters agreed. */
static void tsc_tell(struct mkvm *vm, bool before)
{
	if (x86_tsc_all_agree(vm) != before)
		mkvm_request_all(vm, VCPU_REQ_CLOCK);
}

/* The vCPU goes through the VM's point. */
static void tsc_join(struct mkvm_vcpu *vcpu)
{
	lockdep_assert_held(&vcpu->vm->tsc_lock);
	vcpu->x86.tsc_base = vcpu->vm->tsc_base;
	vcpu->x86.tsc_value = vcpu->vm->tsc_value;
	tsc_place(vcpu);
	tsc_count(vcpu);
}

/* Guests need no multiplier for a difference that clocks have. */
static bool tsc_khz_fits(u32 khz)
{
	u64 slack = div_u64((u64)tsc_khz * TSC_TOLERANCE_PPM, 1000000);

	return khz >= tsc_khz - slack && khz <= tsc_khz + slack;
}

/* The multiplier for @khz; 0: the processor has none for it. */
static u64 tsc_ratio_for(u32 khz)
{
	u64 one = BIT_ULL(tsc_fraction), ratio;

	if (tsc_khz_fits(khz))
		return one;
	if (!tsc_fraction || khz >= TSC_KHZ_END)
		return 0;
	ratio = mul_u64_u32_div(one, khz, tsc_khz);
	return ratio < tsc_ratio_end ? ratio : 0;
}

void x86_tsc_start(struct mkvm_vcpu *vcpu)
{
	struct mkvm *vm = vcpu->vm;
	bool agreed;

	vcpu->x86.tsc_lost = READ_ONCE(tsc_lost);
	vcpu->x86.tsc_khz = READ_ONCE(vm->tsc_khz);
	vcpu->x86.tsc_ratio = tsc_ratio_for(vcpu->x86.tsc_khz);
	x86_dirty(vcpu, X86_ST_TSC);
	mutex_lock(&vm->tsc_lock);
	agreed = x86_tsc_all_agree(vm);
	WRITE_ONCE(vm->tsc_counters, vm->tsc_counters + 1);
	tsc_join(vcpu);
	tsc_tell(vm, agreed);
	mutex_unlock(&vm->tsc_lock);
}

/* The vCPU could not be made after all. */
void x86_tsc_stop(struct mkvm_vcpu *vcpu)
{
	struct mkvm *vm = vcpu->vm;
	bool agreed;

	mutex_lock(&vm->tsc_lock);
	agreed = x86_tsc_all_agree(vm);
	WRITE_ONCE(vm->tsc_counters, vm->tsc_counters - 1);
	if (vcpu->x86.tsc_gen == vm->tsc_gen)
		WRITE_ONCE(vm->tsc_agree, vm->tsc_agree - 1);
	tsc_tell(vm, agreed);
	mutex_unlock(&vm->tsc_lock);
}

/*
 * KVM_SET_TSC_KHZ; 0 stands for the host's frequency.  The counter becomes what it would be, had it
 * always run so.  0 or -EINVAL.
 */
int x86_tsc_set_khz(struct mkvm_vcpu *vcpu, u32 khz)
{
	struct mkvm *vm = vcpu->vm;
	bool agreed;
	u64 ratio;

	if (!khz)
		khz = tsc_khz;
	ratio = tsc_ratio_for(khz);
	if (!ratio)
		return -EINVAL;
	x86_dirty(vcpu, X86_ST_TSC);
	mutex_lock(&vm->tsc_lock);
	agreed = x86_tsc_all_agree(vm);
	vcpu->x86.tsc_khz = khz;
	vcpu->x86.tsc_ratio = ratio;
	tsc_place(vcpu);
	tsc_count(vcpu);
	tsc_tell(vm, agreed);
	mutex_unlock(&vm->tsc_lock);
	return 0;
}

/* The same for vCPUs that are still to be created. */
int x86_tsc_set_vm_khz(struct mkvm *vm, u32 khz)
{
	if (!khz)
		khz = tsc_khz;
	if (!tsc_ratio_for(khz))
		return -EINVAL;
	WRITE_ONCE(vm->tsc_khz, khz);
	return 0;
}

/* The vCPU comes to a processor; preemption is off. */
void x86_tsc_vcpu_load(struct mkvm_vcpu *vcpu)
{
	u64 lost = READ_ONCE(tsc_lost);

	if (vcpu->x86.tsc_lost == lost)
		return;
	vcpu->x86.tsc_lost = lost;
	tsc_place(vcpu);
	vcpu->x86.dirty |= X86_ST_TSC;
}

/* The guest's counter when the host's is @host_tsc. */
u64 x86_tsc_at(struct mkvm_vcpu *vcpu, u64 host_tsc)
{
	x86_fetch(vcpu, X86_ST_TSC);
	return tsc_scale(vcpu, host_tsc) + vcpu->x86.tsc_offset;
}

u64 x86_tsc_read(struct mkvm_vcpu *vcpu)
{
	return x86_tsc_at(vcpu, rdtsc());
}

/* The guest moves its counter; TSC_ADJUST tells by how much. */
void x86_tsc_move(struct mkvm_vcpu *vcpu, u64 by)
{
	struct mkvm *vm = vcpu->vm;
	bool agreed;

	x86_dirty(vcpu, X86_ST_TSC);
	mutex_lock(&vm->tsc_lock);
	agreed = x86_tsc_all_agree(vm);
	vcpu->x86.tsc_value += by;
	tsc_place(vcpu);
	tsc_count(vcpu);
	tsc_tell(vm, agreed);
	mutex_unlock(&vm->tsc_lock);
	vcpu->x86.msrs.tsc_adjust += by;
}

/*
 * User space sets the counter.  It cannot set those of all vCPUs at one moment: a value that is 0,
 * or within a second of what the VM's last one has become by now, means that the vCPU shall agree
 * with the others.
 */
void x86_tsc_set(struct mkvm_vcpu *vcpu, u64 value)
{
	u64 second = vcpu->x86.tsc_khz * 1000ull, now, apart;
	struct mkvm *vm = vcpu->vm;
	bool agreed;

	x86_dirty(vcpu, X86_ST_TSC);
	mutex_lock(&vm->tsc_lock);
	agreed = x86_tsc_all_agree(vm);
	now = rdtsc() + vcpu->x86.tsc_lost;
	apart = value - vm->tsc_value - tsc_scale_signed(vcpu, now - vm->tsc_base);
	if (value && apart + second > 2 * second) {
		vm->tsc_base = now;
		vm->tsc_value = value;
		tsc_new_gen(vm, vcpu->x86.tsc_khz);
	}
	tsc_join(vcpu);
	tsc_tell(vm, agreed);
	mutex_unlock(&vm->tsc_lock);
}

/* A VM is created: its counter starts at 0. */
void x86_tsc_vm_start(struct mkvm *vm)
{
	mutex_init(&vm->tsc_lock);
	vm->tsc_base = rdtsc_ordered() + READ_ONCE(tsc_lost);
	vm->tsc_value = 0;
	vm->tsc_gen = 1;
	vm->tsc_gen_khz = tsc_khz;
}

/* One processor is left, interrupts are off. */
void x86_tsc_host_suspend(void)
{
	tsc_at_suspend = rdtsc_ordered();
}

void x86_tsc_host_resume(void)
{
	u64 now = rdtsc_ordered();

	if (now < tsc_at_suspend)
		WRITE_ONCE(tsc_lost, tsc_lost + tsc_at_suspend - now);
}
