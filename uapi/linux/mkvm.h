/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * What mkvm offers beyond the KVM ABI of <linux/kvm.h>.
 *
 * /dev/mkvm speaks KVM's ioctls with KVM's numbers, structures and errno values.  This header adds
 * the choice of the MMU and the counts that tell why a guest left the processor's guest mode.
 * mkvm's own ioctls have the type byte 'M'; every structure is of fixed width, and padding that is
 * not zero on input is -EINVAL.
 */
#ifndef _UAPI_LINUX_MKVM_H
#define _UAPI_LINUX_MKVM_H

#include <linux/ioctl.h>
#include <linux/types.h>

/*
 * The type argument of KVM_CREATE_VM.  0 means what the module parameter "mmu" says; all other
 * values, KVM's own types among them, are -EINVAL.  An MMU that the processor or this version of
 * mkvm does not have is -EOPNOTSUPP.
 */
#define MKVM_VM_DEFAULT 0UL
#define MKVM_VM_TDP	0x4d00UL /* two-dimensional paging: EPT or NPT */
#define MKVM_VM_SHADOW	0x4d01UL /* shadow page tables */

/*
 * KVM_CHECK_EXTENSION: mkvm's own capabilities, far above KVM's numbers.  The answer is a bit mask
 * of the MMUs that a VM can be created with here: bit 0 TDP, bit 1 shadow.
 */
#define MKVM_CAP_MMU 0x4d000001

/*
 * Fault-around: how many pages of 4 KiB a fault may map at most, a power of two from 1 (only the
 * one that was asked for) to 512.  KVM_CHECK_EXTENSION answers the largest value; KVM_ENABLE_CAP on
 * a VM sets it to args[0] for the faults that follow.  A new VM has the module parameter
 * fault_around.
 */
#define MKVM_CAP_FAULT_AROUND 0x4d000002

/*
 * Populate mode: how many pages of 4 KiB a fault may have the host bring in at most, a power of two
 * from 1 to 512; 0, as in a new VM unless the module parameter populate says otherwise: the one
 * that was asked for.  They are those of the aligned window around the fault that the host does not
 * have at hand, within the slot and the process's mapping, and are mapped with it; for a read as a
 * read would bring them in, for a write as a write would.  None come for a slot that is read-only
 * or logged, a mapping that the process may not write to, a device's, or one that userfaultfd
 * watches.  The process is charged for them.  KVM_CHECK_EXTENSION answers the largest value;
 * KVM_ENABLE_CAP on a VM sets it to args[0] for the faults that follow.
 */
#define MKVM_CAP_POPULATE 0x4d000004

/*
 * How the dirty log learns of writes.  KVM_CHECK_EXTENSION answers the modes that this processor
 * has, and MKVM_DIRTY_LOG_EAGER_SPLIT; KVM_ENABLE_CAP on a VM sets it to args[0]: one mode, and
 * MKVM_DIRTY_LOG_EAGER_SPLIT or not.  -EINVAL: no mode or two, one that the processor lacks, an
 * unknown bit, or a slot of the VM is logged right now.  What the log tells is the same in all
 * modes; they differ in exits.  A new VM has the cheapest one that the processor has, or what the
 * module parameters dirty_log and eager_split say.
 */
#define MKVM_CAP_DIRTY_LOG_MODE 0x4d000003

/**
 * enum mkvm_dirty_log_mode - args[0] of MKVM_CAP_DIRTY_LOG_MODE
 *
 * @MKVM_DIRTY_LOG_PROTECT: each first write since the log was read is an exit; every processor has
 *	it
 * @MKVM_DIRTY_LOG_BITS: the processor sets dirty bits, and each read of the log looks at all that
 *	is mapped
 * @MKVM_DIRTY_LOG_PML: the processor also lists what it sets a dirty bit of, and exits when 512
 *	pages are listed (VMX's page-modification logging)
 * @MKVM_DIRTY_LOG_EAGER_SPLIT: large pages are split when a log goes on, and not by the first write
 *	to each
 */
enum mkvm_dirty_log_mode {
	MKVM_DIRTY_LOG_PROTECT = 1,
	MKVM_DIRTY_LOG_BITS = 2,
	MKVM_DIRTY_LOG_PML = 4,
	MKVM_DIRTY_LOG_EAGER_SPLIT = 8,
};

/**
 * enum mkvm_mmu_cause - why memory virtualisation made the guest exit
 *
 * The list is closed: each exit that the MMU answers for has exactly one cause, so the sum over all
 * causes but %MKVM_CAUSE_NONE equals the number of MMU exits.
 *
 * @MKVM_CAUSE_NONE: not an exit of the MMU (port I/O, HLT, a host interrupt, ...)
 * @MKVM_CAUSE_GUEST_NOT_PRESENT: the guest's own page fault, an entry is not present
 * @MKVM_CAUSE_GUEST_PROTECTION: the guest's own page fault, an entry forbids the access
 * @MKVM_CAUSE_GUEST_RESERVED: the guest's own page fault, an entry has a reserved bit set
 * @MKVM_CAUSE_FILL: the guest's tables allow the access, the host's table did not hold it yet
 * @MKVM_CAUSE_DIRTY_BIT: a first write has to set the guest's dirty bit
 * @MKVM_CAUSE_ACCESSED_BIT: a first use has to set the guest's accessed bit
 * @MKVM_CAUSE_TRACKED_EMULATED: a write to a tracked guest table, emulated
 * @MKVM_CAUSE_TRACKED_OPENED: a write to a tracked guest table, which was opened for writing
 * @MKVM_CAUSE_DIRTY_LOG: a first write since the dirty log was read
 * @MKVM_CAUSE_MMIO: no memory slot there, or a write to a read-only slot
 * @MKVM_CAUSE_CR3: CR3 was read or loaded
 * @MKVM_CAUSE_INVLPG: INVLPG or INVPCID
 * @MKVM_CAUSE_MODE_CHANGE: CR0, CR4 or EFER changed the paging mode
 * @MKVM_CAUSE_NOTIFIER_RETRY: the host took the frame away meanwhile, or a signal ended the wait
 *	for it; the access is repeated
 * @MKVM_CAUSE_SPURIOUS: the table allowed the access already (another vCPU was first)
 * @MKVM_CAUSE_HOST_ERROR: the host could not supply the frame; KVM_RUN returns the error
 * @MKVM_CAUSE_LOG_FULL: the processor's list of written pages was full (MKVM_DIRTY_LOG_PML)
 * @MKVM_NR_CAUSES: how many there are
 */
enum mkvm_mmu_cause {
	MKVM_CAUSE_NONE,
	MKVM_CAUSE_GUEST_NOT_PRESENT,
	MKVM_CAUSE_GUEST_PROTECTION,
	MKVM_CAUSE_GUEST_RESERVED,
	MKVM_CAUSE_FILL,
	MKVM_CAUSE_DIRTY_BIT,
	MKVM_CAUSE_ACCESSED_BIT,
	MKVM_CAUSE_TRACKED_EMULATED,
	MKVM_CAUSE_TRACKED_OPENED,
	MKVM_CAUSE_DIRTY_LOG,
	MKVM_CAUSE_MMIO,
	MKVM_CAUSE_CR3,
	MKVM_CAUSE_INVLPG,
	MKVM_CAUSE_MODE_CHANGE,
	MKVM_CAUSE_NOTIFIER_RETRY,
	MKVM_CAUSE_SPURIOUS,
	MKVM_CAUSE_HOST_ERROR,
	MKVM_CAUSE_LOG_FULL,
	MKVM_NR_CAUSES
};

/* Value and name of each cause, for tracepoints and tools. */
/* clang-format off */
#define MKVM_CAUSE_NAMES						\
	{ MKVM_CAUSE_NONE,		"none" },			\
	{ MKVM_CAUSE_GUEST_NOT_PRESENT,	"guest_not_present" },		\
	{ MKVM_CAUSE_GUEST_PROTECTION,	"guest_protection" },		\
	{ MKVM_CAUSE_GUEST_RESERVED,	"guest_reserved" },		\
	{ MKVM_CAUSE_FILL,		"fill" },			\
	{ MKVM_CAUSE_DIRTY_BIT,		"dirty_bit" },			\
	{ MKVM_CAUSE_ACCESSED_BIT,	"accessed_bit" },		\
	{ MKVM_CAUSE_TRACKED_EMULATED,	"tracked_emulated" },		\
	{ MKVM_CAUSE_TRACKED_OPENED,	"tracked_opened" },		\
	{ MKVM_CAUSE_DIRTY_LOG,		"dirty_log" },			\
	{ MKVM_CAUSE_MMIO,		"mmio" },			\
	{ MKVM_CAUSE_CR3,		"cr3" },			\
	{ MKVM_CAUSE_INVLPG,		"invlpg" },			\
	{ MKVM_CAUSE_MODE_CHANGE,	"mode_change" },		\
	{ MKVM_CAUSE_NOTIFIER_RETRY,	"notifier_retry" },		\
	{ MKVM_CAUSE_SPURIOUS,		"spurious" },			\
	{ MKVM_CAUSE_HOST_ERROR,	"host_error" },			\
	{ MKVM_CAUSE_LOG_FULL,		"log_full" }
/* clang-format on */

/* Whose exit reasons struct mkvm_exit_count holds: <asm/vmx.h> or <asm/svm.h> names them. */
#define MKVM_VENDOR_VMX 1
#define MKVM_VENDOR_SVM 2

/**
 * struct mkvm_exit_count - how often a vCPU left guest mode for one reason
 * @reason: the hardware's exit reason (VMX: basic exit reason; SVM: EXITCODE)
 * @pad: zero
 * @count: exits since the vCPU was created
 */
struct mkvm_exit_count {
	__u32 reason;
	__u32 pad;
	__u64 count;
};

/**
 * struct mkvm_counts - argument of MKVM_GET_COUNTS
 * @flags: in: must be 0
 * @vendor: out: MKVM_VENDOR_VMX or MKVM_VENDOR_SVM
 * @nr_reasons: in: room in @reasons, in elements; out: how many reasons occurred
 * @pad: must be 0
 * @reasons: in: user address of an array of struct mkvm_exit_count; written in ascending order of
 *	reason.  If it is too short nothing is written to it, the call is -E2BIG, and all other
 *	fields are right.
 * @entries: out: entries into guest mode
 * @exits: out: exits from guest mode, the sum over all reasons
 * @mmu_exits: out: exits that the MMU answers for, the sum over all causes
 * @causes: out: exits by cause, indexed by enum mkvm_mmu_cause; element %MKVM_CAUSE_NONE is 0
 *
 * The counts of a running vCPU move while they are read; those of a vCPU that is not in KVM_RUN
 * agree with each other.
 */
struct mkvm_counts {
	__u32 flags;
	__u32 vendor;
	__u32 nr_reasons;
	__u32 pad;
	__u64 reasons;
	__u64 entries;
	__u64 exits;
	__u64 mmu_exits;
	__u64 causes[32];
};

/* On a vCPU; may be called from any thread of the process while the vCPU runs. */
#define MKVM_GET_COUNTS _IOWR('M', 0x01, struct mkvm_counts)

/*
 * On a VM, its argument MKVM_VM_TDP or MKVM_VM_SHADOW: it runs on that MMU from now on, whatever
 * its vCPUs are doing.  They see nothing of it.  A VM that was created as MKVM_VM_SHADOW can go to
 * the other MMU and back as often as wanted; its guest has only what both have.  0 also if it is
 * there already.  -EINVAL: another argument; -EOPNOTSUPP: the processor does not have that MMU, or
 * the VM was created as MKVM_VM_TDP and would have to leave it; -EINTR: a signal that kills.
 */
#define MKVM_SET_MMU _IO('M', 0x02)

#endif /* _UAPI_LINUX_MKVM_H */
