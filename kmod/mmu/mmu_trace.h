/* SPDX-License-Identifier: GPL-2.0-only */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM mkvm

#if !defined(MKVM_MMU_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define MKVM_MMU_TRACE_H

#include <linux/mkvm.h>
#include <linux/tracepoint.h>
#include "types.h"

#include "trace_causes.h"

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

/* A change of a live host entry. */
TRACE_EVENT(mkvm_pt_change,
	TP_PROTO(u64 gfn, int level, u64 old, u64 new, bool shadow),
	TP_ARGS(gfn, level, old, new, shadow),

	TP_STRUCT__entry(
		__field(u64, gfn)
		__field(u64, old)
		__field(u64, new)
		__field(int, level)
		__field(bool, shadow)
	),

	TP_fast_assign(
		__entry->gfn = gfn;
		__entry->old = old;
		__entry->new = new;
		__entry->level = level;
		__entry->shadow = shadow;
	),

	TP_printk("gfn 0x%llx level %d entry 0x%llx -> 0x%llx%s", __entry->gfn, __entry->level,
		  __entry->old, __entry->new, __entry->shadow ? " shadow" : "")
);

#endif /* MKVM_MMU_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH mmu
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE mmu_trace
#include <trace/define_trace.h>
