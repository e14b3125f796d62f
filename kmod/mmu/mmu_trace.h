/* SPDX-License-Identifier: GPL-2.0-only */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM mkvm

#if !defined(MKVM_MMU_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define MKVM_MMU_TRACE_H

#include <linux/mkvm.h>
#include <linux/tracepoint.h>
#include "types.h"

/* Tools that read the format see the numbers. */
TRACE_DEFINE_ENUM(MKVM_CAUSE_NONE);
TRACE_DEFINE_ENUM(MKVM_CAUSE_GUEST_NOT_PRESENT);
TRACE_DEFINE_ENUM(MKVM_CAUSE_GUEST_PROTECTION);
TRACE_DEFINE_ENUM(MKVM_CAUSE_GUEST_RESERVED);
TRACE_DEFINE_ENUM(MKVM_CAUSE_FILL);
TRACE_DEFINE_ENUM(MKVM_CAUSE_DIRTY_BIT);
TRACE_DEFINE_ENUM(MKVM_CAUSE_ACCESSED_BIT);
TRACE_DEFINE_ENUM(MKVM_CAUSE_TRACKED_EMULATED);
TRACE_DEFINE_ENUM(MKVM_CAUSE_TRACKED_OPENED);
TRACE_DEFINE_ENUM(MKVM_CAUSE_DIRTY_LOG);
TRACE_DEFINE_ENUM(MKVM_CAUSE_MMIO);
TRACE_DEFINE_ENUM(MKVM_CAUSE_CR3);
TRACE_DEFINE_ENUM(MKVM_CAUSE_INVLPG);
TRACE_DEFINE_ENUM(MKVM_CAUSE_MODE_CHANGE);
TRACE_DEFINE_ENUM(MKVM_CAUSE_NOTIFIER_RETRY);
TRACE_DEFINE_ENUM(MKVM_CAUSE_SPURIOUS);
TRACE_DEFINE_ENUM(MKVM_CAUSE_HOST_ERROR);

#define MKVM_ACCESS_NAMES		\
	{ ACC_R, "read" },		\
	{ ACC_W, "write" },		\
	{ ACC_X, "fetch" },		\
	{ ACC_U, "user" }

/* A fault that the MMU has dealt with: why it came. */
TRACE_EVENT(mkvm_mmu_fault,
	TP_PROTO(u64 gpa, u32 access, u32 cause),
	TP_ARGS(gpa, access, cause),

	TP_STRUCT__entry(
		__field(u64, gpa)
		__field(u32, access)
		__field(u32, cause)
	),

	TP_fast_assign(
		__entry->gpa = gpa;
		__entry->access = access;
		__entry->cause = cause;
	),

	TP_printk("gpa 0x%llx access %s cause %s", __entry->gpa,
		  __print_flags(__entry->access, "|", MKVM_ACCESS_NAMES),
		  __print_symbolic(__entry->cause, MKVM_CAUSE_NAMES))
);

#endif /* MKVM_MMU_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH mmu
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE mmu_trace
#include <trace/define_trace.h>
