// SPDX-License-Identifier: GPL-2.0-only
/*
 * The guest's time-stamp counter: the host's plus an offset that the processor adds.
 *
 * All vCPUs of a VM share the offset that makes the counter 0 when the VM is created, or the one
 * that user space has set last.  A suspended host may come back with its counter reset; what was
 * lost is added to each vCPU's offset when it is next loaded, so that a guest never sees time go
 * back.
 */
#include <asm/tsc.h>
#include "x86/x86.h"

/* As much as a well-kept clock goes wrong. */
#define TSC_TOLERANCE_PPM 250

static u64 tsc_at_suspend;
static u64 tsc_lost; /* by all suspends so far; written with one processor running */

void x86_tsc_start(struct mkvm_vcpu *vcpu)
{
	mutex_lock(&vcpu->vm->tsc_lock);
	vcpu->x86.tsc_offset = vcpu->vm->tsc_offset + tsc_lost - vcpu->vm->tsc_lost;
	mutex_unlock(&vcpu->vm->tsc_lock);
	vcpu->x86.tsc_lost = tsc_lost;
	vcpu->x86.tsc_khz = READ_ONCE(vcpu->vm->tsc_khz);
	x86_dirty(vcpu, X86_ST_TSC);
}

/* Guests' counters are not scaled: the host's frequency, but for a difference that clocks have. */
static bool tsc_khz_fits(u32 khz)
{
	u64 slack = div_u64((u64)tsc_khz * TSC_TOLERANCE_PPM, 1000000);

	return khz >= tsc_khz - slack && khz <= tsc_khz + slack;
}

/* KVM_SET_TSC_KHZ; 0 stands for the host's frequency.  0 or -EINVAL. */
int x86_tsc_set_khz(struct mkvm_vcpu *vcpu, u32 khz)
{
	if (!khz)
		khz = tsc_khz;
	if (!tsc_khz_fits(khz))
		return -EINVAL;
	vcpu->x86.tsc_khz = khz;
	return 0;
}

/* The same for vCPUs that are still to be created. */
int x86_tsc_set_vm_khz(struct mkvm *vm, u32 khz)
{
	if (!khz)
		khz = tsc_khz;
	if (!tsc_khz_fits(khz))
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
	vcpu->x86.tsc_offset += lost - vcpu->x86.tsc_lost;
	vcpu->x86.tsc_lost = lost;
	vcpu->x86.dirty |= X86_ST_TSC;
}

u64 x86_tsc_read(struct mkvm_vcpu *vcpu)
{
	x86_fetch(vcpu, X86_ST_TSC);
	return rdtsc() + vcpu->x86.tsc_offset;
}

/* The guest moves its counter; TSC_ADJUST tells by how much. */
void x86_tsc_move(struct mkvm_vcpu *vcpu, u64 by)
{
	x86_dirty(vcpu, X86_ST_TSC);
	vcpu->x86.tsc_offset += by;
	vcpu->x86.msrs.tsc_adjust += by;
}

/*
 * User space sets the counter.  It cannot set those of all vCPUs at one moment: a value that is 0,
 * or within a second of what the VM's last one has become by now, means that the vCPU shall agree
 * with the others.
 */
void x86_tsc_set(struct mkvm_vcpu *vcpu, u64 value)
{
	u64 second = tsc_khz * 1000ull, offset, apart;
	struct mkvm *vm = vcpu->vm;

	x86_dirty(vcpu, X86_ST_TSC);
	mutex_lock(&vm->tsc_lock);
	offset = value - rdtsc() - (vcpu->x86.tsc_lost - vm->tsc_lost);
	apart = offset - vm->tsc_offset;
	if (value && apart + second > 2 * second)
		vm->tsc_offset = offset;
	vcpu->x86.tsc_offset = vm->tsc_offset + vcpu->x86.tsc_lost - vm->tsc_lost;
	mutex_unlock(&vm->tsc_lock);
}

/* A VM is created: its counter starts at 0. */
void x86_tsc_vm_start(struct mkvm *vm)
{
	mutex_init(&vm->tsc_lock);
	vm->tsc_offset = -rdtsc_ordered();
	vm->tsc_lost = tsc_lost;
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
