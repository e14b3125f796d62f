/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The two objects everything turns around: a VM and its vCPUs.
 *
 * A VM lives as long as a descriptor of it or of one of its vCPUs is open.  It belongs to the
 * process that made it; another process's calls are -EIO.  A VM that contradicts itself is killed:
 * all that is left to its owner is -EIO and to close it.
 */
#ifndef MKVM_MKVM_H
#define MKVM_MKVM_H

#include <linux/kref.h>
#include <linux/mmu_notifier.h>
#include <linux/mutex.h>
#include <linux/preempt.h>
#include <linux/rcuwait.h>
#include <linux/sched.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>
#include "coalesced.h"
#include "compat.h"
#include "irqchip/irqchip.h"
#include "memslot.h"
#include "mmu/mmu.h"
#include "x86/state.h"

struct kvm_pre_fault_memory;

#define MKVM_MAX_VCPUS	 64
#define MKVM_MAX_VCPU_ID 4096 /* exclusive; what KVM_CAP_MAX_VCPU_ID answers */
#define MKVM_VCPU_PAGES	 2    /* its own: struct kvm_run, port I/O data */
#define MKVM_MMAP_PAGES	 3    /* these, and the VM's ring */
#define MKVM_PIO_PAGE	 1
#define MKVM_NR_REASONS	 288 /* both vendors' exit reasons, made dense */

/**
 * struct mkvm - a VM
 * @number: never given to another VM; immutable
 * @mm: the process's memory; immutable
 * @lock: creation of vCPUs
 * @slots: memory slots; a lock of its own
 * @mmu: memory virtualisation; a lock of its own
 * @mmu_kind: which MMU the VM was created with; immutable
 * @mmu_use: which MMU its paged vCPUs run on; written while @moving, under @move_lock, and read in
 *	a read side of the slots in which @moving was found false
 * @moving: @mmu_use is about to change: no vCPU enters, no fault is resolved
 * @move_lock: held while @moving; vCPUs wait for it
 * @vcpus: vCPUs by id; written under @lock
 * @nr_vcpus: how many there are; @lock
 * @refs: open descriptors
 * @coalesced: stores that user space reads later; a lock of its own
 * @irqchip: interrupt controllers in the kernel; locks of its own
 * @boot_cpu_id: the vCPU that is the bootstrap processor; @lock, and fixed from the first vCPU on
 * @flushes: how often all vCPUs had to drop their translations, how often one was running then, and
 *	how many processors were interrupted for it; atomic
 * @debugfs: its directory there; immutable
 * @notifier: tells of changes to the process's memory
 * @shrinker: drops shadow tables when the host is short of memory
 * @tsc_lock: guards @tsc_base and @tsc_value
 * @tsc_base: when the host's TSC, with what suspends have taken, was this, the guest's was
 *	@tsc_value; @tsc_lock
 * @tsc_value: see @tsc_base
 * @tsc_gen: counts the points, and the frequencies at which counters went through them; @tsc_lock
 * @tsc_gen_khz: the frequency of that one; @tsc_lock
 * @tsc_counters: vCPUs; written under @tsc_lock, read by anyone, as the next one
 * @tsc_agree: those whose counters go through the point at that frequency
 * @clock: kvmclock; a lock of its own
 * @pause_window: how long a loop of PAUSE may be; see pause.c.  Written under @lock before there
 *	are vCPUs
 * @pause_gap: time between two PAUSEs of one loop; immutable
 * @pause_last: the vCPU that was offered a processor last; read and written by anyone
 * @msr_exit_reasons: KVM_MSR_EXIT_REASON_* that user space wants to see; atomic
 * @msr_filter: what the guest may do to MSRs; NULL: all.  Written under @lock, read under the
 *	slots' SRCU
 * @no_platform_info: the guest cannot read PLATFORM_INFO; atomic
 * @tsc_khz: frequency of the TSC of vCPUs that are created; read and written by anyone
 * @exception_payload: KVM_CAP_EXCEPTION_PAYLOAD is enabled; read and written by anyone
 * @triple_fault_event: the same for KVM_CAP_X86_TRIPLE_FAULT_EVENT
 * @dead: killed; set once
 * @kick_work: gets the vCPUs of a killed VM out of guest mode
 */
struct mkvm {
	u64 number;
	struct mm_struct *mm;
	struct mutex lock;
	struct memslot_table slots;
	struct mmu_vm mmu;
	enum mmu_kind mmu_kind;
	enum mmu_kind mmu_use;
	bool moving;
	struct mutex move_lock;
	struct xarray vcpus;
	unsigned int nr_vcpus;
	struct kref refs;
	struct coalesced coalesced;
	struct irqchip irqchip;
	u32 boot_cpu_id;
	struct {
		atomic64_t asked;
		atomic64_t done;
		atomic64_t interrupts;
	} flushes;
	struct dentry *debugfs;
	struct mmu_notifier notifier;
	struct compat_shrinker shrinker;
	struct mutex tsc_lock;
	u64 tsc_base;
	u64 tsc_value;
	u64 tsc_gen;
	u32 tsc_gen_khz;
	unsigned int tsc_counters;
	unsigned int tsc_agree;
	struct kvmclock clock;
	u32 pause_window;
	u32 pause_gap;
	u32 pause_last;
	u32 msr_exit_reasons;
	struct msr_filter __rcu *msr_filter;
	bool no_platform_info;
	u32 tsc_khz;
	bool exception_payload;
	bool triple_fault_event;
	bool dead;
	struct work_struct kick_work;
};

/* Where a vCPU is, as others see it. */
enum vcpu_mode {
	VCPU_OUTSIDE,  /* in the host; looks at its requests before it enters the guest */
	VCPU_IN_GUEST, /* must be kicked to see a request */
};

/* Requests to a vCPU, bits in mkvm_vcpu.requests. */
enum vcpu_request {
	VCPU_REQ_FLUSH_TLB,  /* drop all translations of the guest on this processor */
	VCPU_REQ_MSR_FILTER, /* the VM has another filter of MSRs */
	VCPU_REQ_CLOCK,	     /* the clock goes otherwise: its page is to be written */
	VCPU_REQ_EVENT,	     /* there may be an interrupt, an NMI, or the like */
	VCPU_REQ_STEAL_TIME, /* the vCPU was loaded: its record of steal time is old */
	VCPU_REQ_MMU,	     /* the VM goes over to its other MMU */
};

/**
 * struct mkvm_vcpu_counts - what a vCPU has done; written by the owner vCPU, read by anyone
 * @entries: entries into guest mode
 * @exits: by dense reason
 * @causes: exits of the MMU by cause
 * @flushes: of the translations on the processor, on request
 * @flushes_covered: of those of the second tables, on request or on a new processor, which one
 *	before had covered
 * @mmio_exits: exits to user space with KVM_EXIT_MMIO
 * @interrupts: external interrupts that the guest has got
 * @yields: how often it spun
 * @yields_taken: of these, when another vCPU's thread took the processor
 */
struct mkvm_vcpu_counts {
	u64 entries;
	u64 exits[MKVM_NR_REASONS];
	u64 causes[MKVM_NR_CAUSES];
	u64 flushes;
	u64 flushes_covered;
	u64 mmio_exits;
	u64 interrupts;
	u64 yields;
	u64 yields_taken;
};

/**
 * struct mkvm_vcpu - a vCPU; the vendor's structure begins with it
 * @vm: immutable
 * @id: the caller's number; immutable
 * @mutex: held by each ioctl but those that say otherwise; its holder is the "owner vCPU"
 * @run: the first of the pages shared with user space; immutable pointer
 * @pages: these pages; immutable
 * @standin: for user_work_handle(); immutable pointer
 * @x86: registers; owner vCPU only
 * @mmu: address translation; owner vCPU only
 * @lapic: its local APIC, if that is in the kernel; immutable pointer
 * @wait: where it waits while it is halted; who has something for it wakes it up
 * @nmis: NMIs that others have sent; atomic
 * @mode: VCPU_OUTSIDE or VCPU_IN_GUEST; written by the owner vCPU
 * @requests: atomic bits
 * @cpu: processor that it is loaded on, or was last loaded on; -1: none.  Owner vCPU, preempt off
 * @preempt: tells when its thread is scheduled away
 * @thread: that was last in KVM_RUN; written by the owner vCPU, read under RCU
 * @preempted: its thread was scheduled away, and is ready to run; written by the owner vCPU
 * @spins: it has executed PAUSE in a loop; owner vCPU only
 * @pio: the IN or OUT that user space is doing; owner vCPU only
 * @msr_exit: the RDMSR or WRMSR that user space is doing; owner vCPU only
 * @complete_io: finishes the last exit to user space on the next KVM_RUN; owner vCPU only
 * @sigset: signals blocked during KVM_RUN, if @sigset_active; owner vCPU only
 * @sigset_active: see @sigset
 * @cause: cause of the exit being handled; owner vCPU only
 * @counts: see there
 */
struct mkvm_vcpu {
	struct mkvm *vm;
	u32 id;
	struct mutex mutex;
	struct kvm_run *run;
	struct page *pages[MKVM_VCPU_PAGES];
	struct kvm_vcpu *standin;
	struct x86_vcpu x86;
	struct mmu_vcpu mmu;
	struct lapic *lapic;
	struct rcuwait wait;
	atomic_t nmis;
	int mode;
	unsigned long requests;
	int cpu;
	struct preempt_notifier preempt;
	struct pid __rcu *thread;
	bool preempted;
	bool spins;
	struct {
		u64 rip;   /* of the instruction */
		u8 len;	   /* its length */
		u8 size;   /* bytes of an element */
		u16 port;  /* of IN */
		u16 count; /* elements of INS, to be stored at gpa */
		gpa_t gpa;
	} pio;
	struct {
		u64 rip; /* of the instruction */
		u8 len;	 /* its length */
	} msr_exit;
	int (*complete_io)(struct mkvm_vcpu *vcpu);
	sigset_t sigset;
	bool sigset_active;
	enum mkvm_mmu_cause cause;
	struct mkvm_vcpu_counts counts;
};

/* vm.c */
long mkvm_vm_create(unsigned long type);
void mkvm_vm_get(struct mkvm *vm);
void mkvm_vm_put(struct mkvm *vm);
void mkvm_vm_kill(struct mkvm *vm, const char *why);
int mkvm_vm_set_boot_cpu(struct mkvm *vm, unsigned long id) __must_check;
int mkvm_vm_move(struct mkvm *vm, unsigned long type);
bool mkvm_vm_is_moving(const struct mkvm *vm) __must_check;
int mkvm_vm_await_move(struct mkvm *vm) __must_check;
bool mkvm_vm_has_vcpus(struct mkvm *vm);

/* vcpu.c */
long mkvm_vcpu_create(struct mkvm *vm, u32 id);
void mkvm_vcpu_destroy(struct mkvm_vcpu *vcpu);
void mkvm_vcpu_load(struct mkvm_vcpu *vcpu);
void mkvm_vcpu_put(struct mkvm_vcpu *vcpu);

/* vcpu_run.c */
int mkvm_vcpu_run(struct mkvm_vcpu *vcpu) __must_check;

/* prefault.c */
long mkvm_prefault(struct mkvm_vcpu *vcpu, struct kvm_pre_fault_memory *range);

/* signal_mask.c */
long mkvm_signal_mask_set(struct mkvm_vcpu *vcpu, unsigned long arg);
void mkvm_signal_mask_enter(struct mkvm_vcpu *vcpu);
void mkvm_signal_mask_leave(struct mkvm_vcpu *vcpu);

/* kick.c */
unsigned int mkvm_request_all(struct mkvm *vm, enum vcpu_request req);
void mkvm_exit_all(struct mkvm *vm);
void mkvm_kick_all(struct mkvm *vm);
void mkvm_vcpu_kick(struct mkvm_vcpu *vcpu);
int mkvm_kick_init(void) __must_check;
void mkvm_kick_exit(void);

/* cap.c */
long mkvm_cap(unsigned long cap);
long mkvm_cap_enable(struct mkvm *vm, const struct kvm_enable_cap *cap);
long mkvm_cap_enable_vcpu(struct mkvm_vcpu *vcpu, const struct kvm_enable_cap *cap);

/* stats.c */
u64 mkvm_metadata_bytes(struct mkvm *vm);
long mkvm_stats_fd(struct mkvm *vm, struct mkvm_vcpu *vcpu);

/* debugfs.c */
void mkvm_debugfs_add(struct mkvm *vm);
void mkvm_debugfs_remove(struct mkvm *vm);
void mkvm_debugfs_init(void);
void mkvm_debugfs_exit(void);

/* ioctl_compat.c */
long mkvm_vm_compat_ioctl(struct file *file, unsigned int cmd, unsigned long arg);

/* ioctl_dev.c, ioctl_vm.c, ioctl_vcpu.c */
extern const struct file_operations mkvm_dev_fops;
extern const struct file_operations mkvm_vm_fops;
extern const struct file_operations mkvm_vcpu_fops;

/* shrinker.c */
int mkvm_shrinker_register(struct mkvm *vm) __must_check;
void mkvm_shrinker_unregister(struct mkvm *vm);

/* notifier.c */
int mkvm_notifier_register(struct mkvm *vm) __must_check;
void mkvm_notifier_unregister(struct mkvm *vm);

static inline bool mkvm_vm_dead(const struct mkvm *vm)
{
	return READ_ONCE(vm->dead);
}

/*
 * A store of the guest where it has no memory, or an OUT: true if it is in the ring, and user space
 * need not be asked.
 */
static inline bool mkvm_coalesced_store(struct mkvm *vm, bool pio, u64 addr, u32 len,
					const void *data)
{
	return coalesced_store(&vm->coalesced, pio, addr, len, data);
}

/* The VM is its process's alone, and of no more use once it is dead. */
static inline bool mkvm_vm_usable(const struct mkvm *vm)
{
	return vm->mm == current->mm && !mkvm_vm_dead(vm);
}

extern struct mmu_caps mkvm_mmu_caps; /* what this processor has; set at load */

#endif /* MKVM_MKVM_H */
