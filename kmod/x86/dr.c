// SPDX-License-Identifier: GPL-2.0-only
/*
 * Debug registers in hardware.
 *
 * MOV DR exits, so the values in struct x86_vcpu are the guest's.  DR0 to DR3 are in hardware only
 * while the guest runs with a breakpoint enabled, its own or one of a debugger in user space; DR7
 * travels in the control block.
 */
#include <linux/hw_breakpoint.h>
#include <asm/debugreg.h>
#include "x86/x86.h"

/* Interrupts are off; the guest runs next. */
void x86_dr_enter(struct mkvm_vcpu *vcpu)
{
	const struct x86_debug *debug = &vcpu->x86.debug;
	const u64 *dr = debug->control & KVM_GUESTDBG_USE_HW_BP ? debug->dr : vcpu->x86.dr;

	if (!x86_dr_in_use(vcpu))
		return;
	/* The host's own breakpoints must not fire on the guest's addresses. */
	set_debugreg(0, 7);
	set_debugreg(dr[0], 0);
	set_debugreg(dr[1], 1);
	set_debugreg(dr[2], 2);
	set_debugreg(dr[3], 3);
}

/* Interrupts are off; the exit has cleared DR7. */
void x86_dr_exit(struct mkvm_vcpu *vcpu)
{
	if (hw_breakpoint_active())
		hw_breakpoint_restore();
}
