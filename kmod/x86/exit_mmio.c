// SPDX-License-Identifier: GPL-2.0-only
/*
 * Instructions that are emulated, and their accesses to where no memory is: KVM_EXIT_MMIO.
 *
 * An access goes to user space in pieces of at most eight bytes that do not cross a page.  A read
 * is completed by the next KVM_RUN, which goes on with the instruction; when the first piece of a
 * write leaves, the instruction is done and only the other pieces are left.
 *
 * Progress: the emulator leaves to the processor what has no access that it could have exited for.
 * If the access is the processor's own (the I/O permission bitmap of the task state segment is read
 * for IN, say), it exits the same way for ever: after MAX_SWAPPED times in a row the VM's owner is
 * told instead.
 */
#include <linux/kvm.h>
#include <linux/srcu.h>
#include <linux/string.h>
#include <asm/trapnr.h>
#include "trace.h"
#include "x86/x86.h"

#define MAX_SWAPPED 64

static void inject(struct mkvm_vcpu *vcpu, const struct emu_fault *fault)
{
	if (fault->vector == X86_TRAP_PF)
		x86_raise_pf(vcpu, fault->address, fault->error);
	else if (fault->has_error)
		x86_raise_error(vcpu, fault->vector, fault->error);
	else
		x86_raise(vcpu, fault->vector);
}

static void trace_io(struct mkvm_vcpu *vcpu, bool write)
{
	const struct emu *emu = &vcpu->x86.emu;
	u64 value = 0;

	memcpy(&value, emu->io.data, emu->io.len);
	trace_mkvm_mmio(vcpu->id, write, emu->io.gpa, emu->io.len, value);
}

/* Goes on with an instruction that user space has done its part of. */
static int mmio_resume(struct mkvm_vcpu *vcpu)
{
	int idx, r;

	idx = srcu_read_lock(&vcpu->vm->slots.srcu);
	r = x86_emu_outcome(vcpu, emu_resume(&vcpu->x86.emu));
	srcu_read_unlock(&vcpu->vm->slots.srcu, idx);
	return r;
}

/* The registers may be others by now.  If RIP is, the instruction is not the current one. */
static int complete_read(struct mkvm_vcpu *vcpu)
{
	struct emu *emu = &vcpu->x86.emu;
	u64 rip = emu->rip;

	x86_emu_load(vcpu);
	if (emu->rip != rip)
		return 1;
	memcpy(emu->io.data, vcpu->run->mmio.data, emu->io.len);
	trace_io(vcpu, false);
	return mmio_resume(vcpu);
}

static int mmio_exit(struct mkvm_vcpu *vcpu, bool write)
{
	const struct emu *emu = &vcpu->x86.emu;
	struct kvm_run *run = vcpu->run;

	vcpu->counts.mmio_exits++;
	run->exit_reason = KVM_EXIT_MMIO;
	run->mmio.phys_addr = emu->io.gpa;
	run->mmio.len = emu->io.len;
	run->mmio.is_write = write;
	memset(run->mmio.data, 0, sizeof(run->mmio.data));
	if (write) {
		memcpy(run->mmio.data, emu->io.data, emu->io.len);
		trace_io(vcpu, true);
	}
	vcpu->complete_io = write ? mmio_resume : complete_read;
	return 0;
}

/* Is the access one to a device in the kernel, or a store that the ring has room for? */
static bool io_in_kernel(struct mkvm_vcpu *vcpu, enum emu_status status)
{
	struct emu *emu = &vcpu->x86.emu;

	switch (status) {
	case EMU_READ:
		return irqchip_mmio_read(vcpu, emu->io.gpa, emu->io.data, emu->io.len);
	case EMU_WRITE:
		return irqchip_mmio_write(vcpu, emu->io.gpa, emu->io.data, emu->io.len) ||
		       mkvm_coalesced_store(vcpu->vm, false, emu->io.gpa, emu->io.len,
					    emu->io.data);
	case EMU_IN:
		return irqchip_port_read(vcpu, emu->io.gpa, emu->io.data, emu->io.len);
	case EMU_OUT:
		return irqchip_port_write(vcpu, emu->io.gpa, emu->io.data, emu->io.len);
	default:
		return false;
	}
}

/* Another vCPU has swapped the instruction, or it is stuck: nothing but exits happens. */
static int emu_swapped(struct mkvm_vcpu *vcpu)
{
	struct x86_swapped *swapped = &vcpu->x86.swapped;
	struct emu *emu = &vcpu->x86.emu;

	if (swapped->rip != emu->rip ||
	    memcmp(swapped->gpr, vcpu->x86.gpr, sizeof(swapped->gpr)) != 0)
		swapped->times = 0;
	swapped->rip = emu->rip;
	memcpy(swapped->gpr, vcpu->x86.gpr, sizeof(swapped->gpr));
	return swapped->times++ < MAX_SWAPPED ? 1 : x86_exit_emulate(vcpu);
}

/*
 * What an instruction's state means for KVM_RUN.  The caller holds a read side of the slots.
 * >0: into the guest; 0: to user space; <0: errno.
 */
int x86_emu_outcome(struct mkvm_vcpu *vcpu, enum emu_status status)
{
	struct emu *emu = &vcpu->x86.emu;

	if (status != EMU_SWAPPED)
		vcpu->x86.swapped.times = 0;
	while (io_in_kernel(vcpu, status)) {
		if (status == EMU_READ || status == EMU_WRITE)
			trace_io(vcpu, status == EMU_WRITE);
		status = emu_resume(emu);
	}
	switch (status) {
	case EMU_READ:
		return mmio_exit(vcpu, false);
	case EMU_WRITE:
		return mmio_exit(vcpu, true);
	case EMU_IN:
		return x86_emu_port_exit(vcpu, true);
	case EMU_OUT:
		return x86_emu_port_exit(vcpu, false);
	default:
		break;
	}
	trace_mkvm_emulate(vcpu->id, &emu->insn, status);
	switch (status) {
	case EMU_FAULT:
		inject(vcpu, &emu->fault);
		return 1;
	case EMU_SWAPPED:
		return emu_swapped(vcpu);
	case EMU_UNKNOWN:
		return x86_exit_emulate(vcpu);
	case EMU_ERROR:
		return emu->error;
	default:
		return 1;
	}
}

/*
 * The instruction at the guest's RIP touches what is no memory.  If it was the delivery of an event
 * that did, there is no instruction to emulate.
 */
int x86_emulate(struct mkvm_vcpu *vcpu)
{
	if (vcpu->x86.exit.vectored.pending)
		return x86_exit_delivery(vcpu);
	return x86_emu_outcome(vcpu, x86_emu_start(vcpu));
}
