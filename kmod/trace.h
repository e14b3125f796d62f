/* SPDX-License-Identifier: GPL-2.0-only */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM mkvm

#if !defined(MKVM_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define MKVM_TRACE_H

#include <linux/mkvm.h>
#include <linux/tracepoint.h>
#include <asm/kvm.h>
#include <uapi/asm/svm.h>
#include <uapi/asm/vmx.h>

#include "trace_causes.h"
#include "x86/insn_emu.h"

/* The guest is about to run. */
TRACE_EVENT(mkvm_entry,
	TP_PROTO(u32 vcpu, u64 rip),
	TP_ARGS(vcpu, rip),

	TP_STRUCT__entry(
		__field(u32, vcpu)
		__field(u64, rip)
	),

	TP_fast_assign(
		__entry->vcpu = vcpu;
		__entry->rip = rip;
	),

	TP_printk("vcpu %u rip 0x%llx", __entry->vcpu, __entry->rip)
);

/*
 * An exit that has been dealt with, so that its cause is known.  What it led to (mkvm_mmu_fault,
 * mkvm_pio) stands before it in the trace.
 */
TRACE_EVENT(mkvm_exit,
	TP_PROTO(u32 vcpu, u32 vendor, u32 reason, u64 rip, u32 cause, u64 info1, u64 info2),
	TP_ARGS(vcpu, vendor, reason, rip, cause, info1, info2),

	TP_STRUCT__entry(
		__field(u32, vcpu)
		__field(u32, vendor)
		__field(u32, reason)
		__field(u32, cause)
		__field(u64, rip)
		__field(u64, info1)
		__field(u64, info2)
	),

	TP_fast_assign(
		__entry->vcpu = vcpu;
		__entry->vendor = vendor;
		__entry->reason = reason;
		__entry->cause = cause;
		__entry->rip = rip;
		__entry->info1 = info1;
		__entry->info2 = info2;
	),

	TP_printk("vcpu %u reason %s rip 0x%llx cause %s info 0x%llx 0x%llx", __entry->vcpu,
		  __entry->vendor == MKVM_VENDOR_VMX ?
			__print_symbolic(__entry->reason & 0xffff, VMX_EXIT_REASONS) :
			__print_symbolic(__entry->reason, SVM_EXIT_REASONS,
					 { SVM_EXIT_RDPRU, "rdpru" }),
		  __entry->rip, __print_symbolic(__entry->cause, MKVM_CAUSE_NAMES),
		  __entry->info1, __entry->info2)
);

/* Port I/O that goes to user space. */
TRACE_EVENT(mkvm_pio,
	TP_PROTO(u32 vcpu, bool in, u16 port, u32 size, u32 value),
	TP_ARGS(vcpu, in, port, size, value),

	TP_STRUCT__entry(
		__field(u32, vcpu)
		__field(u32, size)
		__field(u32, value)
		__field(u16, port)
		__field(u8, in)
	),

	TP_fast_assign(
		__entry->vcpu = vcpu;
		__entry->size = size;
		__entry->value = value;
		__entry->port = port;
		__entry->in = in;
	),

	TP_printk("vcpu %u %s port 0x%x size %u value 0x%x", __entry->vcpu,
		  __print_symbolic(__entry->in, { 0, "out" }, { 1, "in" }), __entry->port,
		  __entry->size, __entry->value)
);

/* A piece of an access to no memory that goes to user space. */
TRACE_EVENT(mkvm_mmio,
	TP_PROTO(u32 vcpu, bool write, u64 gpa, u32 size, u64 value),
	TP_ARGS(vcpu, write, gpa, size, value),

	TP_STRUCT__entry(
		__field(u32, vcpu)
		__field(u32, size)
		__field(u64, gpa)
		__field(u64, value)
		__field(u8, write)
	),

	TP_fast_assign(
		__entry->vcpu = vcpu;
		__entry->size = size;
		__entry->gpa = gpa;
		__entry->value = value;
		__entry->write = write;
	),

	TP_printk("vcpu %u %s gpa 0x%llx size %u value 0x%llx", __entry->vcpu,
		  __print_symbolic(__entry->write, { 0, "read" }, { 1, "write" }), __entry->gpa,
		  __entry->size, __entry->value)
);

TRACE_DEFINE_ENUM(EMU_OK);
TRACE_DEFINE_ENUM(EMU_FAULT);
TRACE_DEFINE_ENUM(EMU_AGAIN);
TRACE_DEFINE_ENUM(EMU_SWAPPED);
TRACE_DEFINE_ENUM(EMU_UNKNOWN);
TRACE_DEFINE_ENUM(EMU_ERROR);

/* An instruction has been emulated, or could not be. */
TRACE_EVENT(mkvm_emulate,
	TP_PROTO(u32 vcpu, const struct x86_insn *insn, u32 status),
	TP_ARGS(vcpu, insn, status),

	TP_STRUCT__entry(
		__field(u32, vcpu)
		__field(u32, status)
		__field(u8, len)
		__array(u8, bytes, INSN_MAX_LEN)
	),

	TP_fast_assign(
		__entry->vcpu = vcpu;
		__entry->status = status;
		__entry->len = insn->len ? insn->len : insn->nr_bytes;
		memcpy(__entry->bytes, insn->bytes, INSN_MAX_LEN);
	),

	TP_printk("vcpu %u insn %s status %s", __entry->vcpu,
		  __print_hex(__entry->bytes, __entry->len),
		  __print_symbolic(__entry->status, { EMU_OK, "done" }, { EMU_FAULT, "fault" },
				   { EMU_AGAIN, "again" }, { EMU_SWAPPED, "swapped" },
				   { EMU_UNKNOWN, "unknown" }, { EMU_ERROR, "error" }))
);

#endif /* MKVM_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
