// SPDX-License-Identifier: GPL-2.0-only
/*
 * The last words of a CPU that cannot go on.
 */
#include <stdio.h>

#include "lib/names.h"
#include "machine.h"
#include "message.h"

/* Why the module gave up, as far as the launcher knows; a caller prints it in brackets. */
static void internal_error_text(const struct kvm_run *run, char *text, size_t size)
{
	switch (run->internal.suberror) {
	case KVM_INTERNAL_ERROR_EMULATION:
		snprintf(text, size,
			 "an instruction that it cannot emulate, such as one that uses an address "
			 "without memory");
		break;
	case KVM_INTERNAL_ERROR_DELIVERY_EV:
		snprintf(text, size, "an event could not be delivered to the guest");
		break;
	case KVM_INTERNAL_ERROR_UNEXPECTED_EXIT_REASON:
		snprintf(text, size, "an exit by the hardware that nobody handles, 0x%llx",
			 run->internal.ndata ? run->internal.data[0] : 0);
		break;
	default:
		snprintf(text, size, "of a kind that this launcher does not know");
	}
}

/* An exit that the launcher can do nothing about: tells what it was. */
void machine_cpu_died(struct machine_cpu *cpu)
{
	const struct kvm_run *run = cpu->vcpu.run;
	const char *name = name_of_exit(run->exit_reason);
	struct kvm_regs regs = { 0 };
	int status = STATUS_FAILED;
	char text[128];

	vcpu_get_regs(&cpu->vcpu, &regs);
	switch (run->exit_reason) {
	case KVM_EXIT_SHUTDOWN:
		message("CPU %u shut down at rip 0x%llx: a triple fault, unless the guest meant it",
			cpu->id, regs.rip);
		status = STATUS_SHUTDOWN;
		break;
	case KVM_EXIT_FAIL_ENTRY:
		message("CPU %u could not enter the guest at rip 0x%llx: hardware reason 0x%llx",
			cpu->id, regs.rip, run->fail_entry.hardware_entry_failure_reason);
		break;
	case KVM_EXIT_MMIO:
		message("CPU %u: the guest %s physical address 0x%llx at rip 0x%llx: there is "
			"neither memory nor a device",
			cpu->id, run->mmio.is_write ? "writes to" : "reads from",
			run->mmio.phys_addr, regs.rip);
		break;
	case KVM_EXIT_INTERNAL_ERROR:
		internal_error_text(run, text, sizeof(text));
		message("CPU %u: %s could not go on at rip 0x%llx (internal error, suberror %u: "
			"%s)",
			cpu->id, cpu->machine->dev.path, regs.rip, run->internal.suberror, text);
		break;
	case KVM_EXIT_UNKNOWN:
		message("CPU %u: the guest left by a hardware exit that nobody handles, 0x%llx, at "
			"rip 0x%llx",
			cpu->id, run->hw.hardware_exit_reason, regs.rip);
		break;
	default:
		message("CPU %u: exit %u (%s) at rip 0x%llx, for which there is no handler",
			cpu->id, run->exit_reason, name ? name : "unnamed", regs.rip);
	}
	machine_stop(cpu->machine, status);
}
