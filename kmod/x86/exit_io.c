// SPDX-License-Identifier: GPL-2.0-only
/*
 * Port I/O: KVM_EXIT_IO, completed by the next KVM_RUN.
 */
#include <linux/kvm.h>
#include <linux/string.h>
#include "mkvm.h"
#include "trace.h"
#include "x86/x86.h"

/* An OUT to it has been executed at its exit, and not at the next KVM_RUN. */
#define PORT_RIP_BEHIND 0x7e

static void *pio_data(struct mkvm_vcpu *vcpu)
{
	return page_address(vcpu->pages[MKVM_PIO_PAGE]);
}

/* Has user space left RIP where it was?  If not, the instruction is given up. */
static bool pio_is_current(struct mkvm_vcpu *vcpu)
{
	x86_fetch(vcpu, X86_ST_RIP);
	return vcpu->x86.rip == vcpu->pio.rip;
}

static int pio_complete_out(struct mkvm_vcpu *vcpu)
{
	if (pio_is_current(vcpu))
		x86_skip(vcpu, vcpu->pio.len);
	return 1;
}

/* A 32-bit result clears the upper half, a smaller one keeps the rest. */
static void pio_result(struct mkvm_vcpu *vcpu, u16 port, unsigned int size, u32 value)
{
	u64 *rax = &vcpu->x86.gpr[X86_RAX];

	if (size == 4)
		*rax = value;
	else
		*rax = (*rax & ~GENMASK_ULL(8 * size - 1, 0)) | value;
	trace_mkvm_pio(vcpu->id, true, port, size, value);
}

static int pio_complete_in(struct mkvm_vcpu *vcpu)
{
	u32 value = 0;

	if (!pio_is_current(vcpu))
		return 1;
	memcpy(&value, pio_data(vcpu), vcpu->pio.size);
	pio_result(vcpu, vcpu->pio.port, vcpu->pio.size, value);
	x86_skip(vcpu, vcpu->pio.len);
	return 1;
}

int x86_exit_io(struct mkvm_vcpu *vcpu, u16 port, unsigned int size, bool in, unsigned int len)
{
	struct kvm_run *run = vcpu->run;
	u32 value = vcpu->x86.gpr[X86_RAX] & GENMASK(8 * size - 1, 0);

	if (in && irqchip_port_read(vcpu, port, &value, size)) {
		pio_result(vcpu, port, size, value);
		x86_skip(vcpu, len);
		return 1;
	}
	if (!in && (irqchip_port_write(vcpu, port, &value, size) ||
		    mkvm_coalesced_store(vcpu->vm, true, port, size, &value))) {
		trace_mkvm_pio(vcpu->id, false, port, size, value);
		x86_skip(vcpu, len);
		return 1;
	}
	x86_fetch(vcpu, X86_ST_RIP);
	vcpu->pio.rip = vcpu->x86.rip;
	vcpu->pio.len = len;
	vcpu->pio.size = size;
	vcpu->pio.port = port;
	/* As kvm: QEMU's option ROM finds its own code by RIP at this exit. */
	if (!in && port == PORT_RIP_BEHIND)
		x86_skip(vcpu, len);
	run->exit_reason = KVM_EXIT_IO;
	run->io.direction = in ? KVM_EXIT_IO_IN : KVM_EXIT_IO_OUT;
	run->io.size = size;
	run->io.port = port;
	run->io.count = 1;
	run->io.data_offset = MKVM_PIO_PAGE * PAGE_SIZE;
	if (in) {
		memset(pio_data(vcpu), 0, size);
		vcpu->complete_io = pio_complete_in;
	} else {
		memcpy(pio_data(vcpu), &value, size);
		trace_mkvm_pio(vcpu->id, false, port, size, value);
		vcpu->complete_io = port == PORT_RIP_BEHIND ? NULL : pio_complete_out;
	}
	return 0;
}
