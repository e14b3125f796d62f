/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The kernel's books while the guest has the processor: interrupts count as on, RCU as idle.
 *
 * A vendor's room calls these right around its assembly; between them nothing may be instrumented,
 * traced, or use RCU.
 */
#ifndef MKVM_X86_GUEST_STATE_H
#define MKVM_X86_GUEST_STATE_H

#include <linux/instrumentation.h>
#include <linux/irqflags.h>
#include "compat.h"

static __always_inline void guest_state_enter(void)
{
	instrumentation_begin();
	vtime_account_guest_enter();
	trace_hardirqs_on_prepare();
	lockdep_hardirqs_on_prepare();
	instrumentation_end();
	if (!context_tracking_guest_enter()) {
		instrumentation_begin();
		compat_rcu_guest_enter();
		instrumentation_end();
	}
	lockdep_hardirqs_on(CALLER_ADDR0);
}

static __always_inline void guest_state_exit(void)
{
	lockdep_hardirqs_off(CALLER_ADDR0);
	context_tracking_guest_exit();
	instrumentation_begin();
	trace_hardirqs_off_finish();
	instrumentation_end();
}

#endif /* MKVM_X86_GUEST_STATE_H */
