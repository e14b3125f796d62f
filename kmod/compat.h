/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Every difference between the kernels that mkvm is built for.
 *
 * Kbuild probes the header tree and defines MKVM_HAVE_*; a version number would not do, as exports
 * and signatures change within the life of a Debian release.
 */
#ifndef MKVM_COMPAT_H
#define MKVM_COMPAT_H

/* The kernel's NMI handler for a hypervisor that took the NMI as an exit (VMX). */
#ifdef MKVM_HAVE_NMI_KVM_VMX
#define mkvm_asm_exc_nmi asm_exc_nmi_kvm_vmx
#else
#define mkvm_asm_exc_nmi asm_exc_nmi_noist
#endif

#ifndef __ASSEMBLY__

#include <linux/context_tracking.h>
#include <linux/cpuhotplug.h>
#include <linux/eventfd.h>
#include <linux/mm.h>
#include <linux/rcupdate.h>
#include <linux/shrinker.h>
#include <linux/syscore_ops.h>
#include <linux/vtime.h>
#include <asm/cpufeature.h>
#include <asm/idtentry.h>
#include <asm/msr.h>

static __always_inline void compat_rcu_guest_enter(void)
{
#ifdef MKVM_HAVE_RCU_VIRT_VOID
	rcu_virt_note_context_switch();
#else
	rcu_virt_note_context_switch(smp_processor_id());
#endif
}

/* Newer kernels warn by its name that user space may change this field at any time. */
#ifdef MKVM_HAVE_IMMEDIATE_EXIT_UNSAFE
#define compat_immediate_exit immediate_exit__unsafe
#else
#define compat_immediate_exit immediate_exit
#endif

/* A shrinker, which newer kernels allocate themselves. */
#ifdef MKVM_HAVE_SHRINKER_ALLOC
struct compat_shrinker {
	struct shrinker *shrinker;
};

static inline struct compat_shrinker *compat_shrinker_of(struct shrinker *shrinker)
{
	return shrinker->private_data;
}
#else
struct compat_shrinker {
	struct shrinker shrinker;
};

static inline struct compat_shrinker *compat_shrinker_of(struct shrinker *shrinker)
{
	return container_of(shrinker, struct compat_shrinker, shrinker);
}
#endif

typedef unsigned long (*compat_shrink_fn)(struct shrinker *shrinker, struct shrink_control *sc);

/* May sleep.  0 or -ENOMEM. */
static inline int compat_shrinker_register(struct compat_shrinker *compat, const char *name,
					   compat_shrink_fn count, compat_shrink_fn scan)
{
#ifdef MKVM_HAVE_SHRINKER_ALLOC
	compat->shrinker = shrinker_alloc(0, "%s", name);
	if (!compat->shrinker)
		return -ENOMEM;
	compat->shrinker->count_objects = count;
	compat->shrinker->scan_objects = scan;
	compat->shrinker->private_data = compat;
	shrinker_register(compat->shrinker);
	return 0;
#else
	compat->shrinker = (struct shrinker){
		.count_objects = count,
		.scan_objects = scan,
		.seeks = DEFAULT_SEEKS,
	};
	return register_shrinker(&compat->shrinker, "%s", name);
#endif
}

/* None of its callbacks runs any more then.  May sleep. */
static inline void compat_shrinker_unregister(struct compat_shrinker *compat)
{
#ifdef MKVM_HAVE_SHRINKER_ALLOC
	shrinker_free(compat->shrinker);
#else
	unregister_shrinker(&compat->shrinker);
#endif
}

/* Adds 1 to an eventfd.  Any context but an NMI. */
static inline void compat_eventfd_signal(struct eventfd_ctx *eventfd)
{
#ifdef MKVM_HAVE_EVENTFD_COUNT
	eventfd_signal(eventfd, 1);
#else
	eventfd_signal(eventfd);
#endif
}

/*
 * Suspend and resume of the last processor.  The argument of the callbacks differs; mkvm uses none.
 */
#ifdef MKVM_HAVE_SYSCORE_DATA
#define COMPAT_SYSCORE_ARG void *data
static inline void compat_syscore_register(struct syscore *core)
{
	register_syscore(core);
}

static inline void compat_syscore_unregister(struct syscore *core)
{
	unregister_syscore(core);
}

#define DEFINE_COMPAT_SYSCORE(name, suspend_fn, resume_fn) \
	static const struct syscore_ops name##_ops = {     \
		.suspend = suspend_fn,                     \
		.resume = resume_fn,                       \
	};                                                 \
	static struct syscore name = { .ops = &name##_ops }
#else
#define COMPAT_SYSCORE_ARG void
static inline void compat_syscore_register(struct syscore_ops *ops)
{
	register_syscore_ops(ops);
}

static inline void compat_syscore_unregister(struct syscore_ops *ops)
{
	unregister_syscore_ops(ops);
}

#define DEFINE_COMPAT_SYSCORE(name, suspend_fn, resume_fn) \
	static struct syscore_ops name = {                 \
		.suspend = suspend_fn,                     \
		.resume = resume_fn,                       \
	}
#endif

/*
 * A state of CPU hotplug whose callbacks run on the processor itself, interrupts off, when no task
 * can run there: before the first one on the way up, after the last one on the way down.  Such
 * states are not given out dynamically, and kvm's own belongs to kvm; this one belongs to a device
 * that no x86 machine has.
 */
#define COMPAT_CPUHP_STARTING CPUHP_AP_ARM_CORESIGHT_STARTING

/*
 * A processor with this bit is safe from SRSO while it runs guests, if the bit is set.  Where the
 * kernel does not know it, it chose another measure.
 */
static inline void compat_srso_guests(bool on)
{
#ifdef X86_FEATURE_SRSO_BP_SPEC_REDUCE
	if (!cpu_feature_enabled(X86_FEATURE_SRSO_BP_SPEC_REDUCE))
		return;
	if (on)
		msr_set_bit(MSR_ZEN4_BP_CFG, MSR_ZEN4_BP_CFG_BP_SPEC_REDUCE_BIT);
	else
		msr_clear_bit(MSR_ZEN4_BP_CFG, MSR_ZEN4_BP_CFG_BP_SPEC_REDUCE_BIT);
#endif
}

/*
 * How a page is brought in for a guest's access: a signal ends the wait for it (which older kernels
 * cannot do, but for one that kills), and it counts as used by this processor's node where the
 * kernel watches that (which older kernels do by themselves).
 */
#ifdef MKVM_HAVE_FOLL_INTERRUPTIBLE
#define COMPAT_FOLL_INTERRUPTIBLE FOLL_INTERRUPTIBLE
#else
#define COMPAT_FOLL_INTERRUPTIBLE 0
#endif
#ifdef MKVM_HAVE_FOLL_HONOR_NUMA_FAULT
#define COMPAT_FOLL_NUMA FOLL_HONOR_NUMA_FAULT
#else
#define COMPAT_FOLL_NUMA 0
#endif
#define COMPAT_FOLL_FAULT (COMPAT_FOLL_INTERRUPTIBLE | COMPAT_FOLL_NUMA)

/*
 * The frame that the host's table has at @address of a driver's mapping, whose lock is held.  0 or
 * an errno.
 */
static inline int compat_follow_pfn(struct vm_area_struct *vma, unsigned long address,
				    unsigned long *pfn, bool *writable)
{
	int r;
#ifdef MKVM_HAVE_FOLLOW_PFNMAP
	struct follow_pfnmap_args args = { .vma = vma, .address = address };

	r = follow_pfnmap_start(&args);
	if (r)
		return r;
	*pfn = args.pfn;
	*writable = args.writable;
	follow_pfnmap_end(&args);
#else
	spinlock_t *lock;
	pte_t *ptep;

	r = follow_pte(vma->vm_mm, address, &ptep, &lock);
	if (r)
		return r;
	__acquire(lock); /* follow_pte() has, and does not say so */
	*pfn = pte_pfn(*ptep);
	*writable = pte_write(*ptep);
	pte_unmap_unlock(ptep, lock);
#endif
	return 0;
}

#endif /* __ASSEMBLY__ */

#endif /* MKVM_COMPAT_H */
