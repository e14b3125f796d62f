// SPDX-License-Identifier: GPL-2.0-only
/*
 * Capabilities: what KVM_CHECK_EXTENSION answers, and what KVM_ENABLE_CAP switches on.
 */
#include <linux/cpumask.h>
#include <linux/mkvm.h>
#include <linux/mkvm_kvm.h>
#include <asm/cpufeature.h>
#include "mkvm.h"
#include "vm_type.h"
#include "x86/steal_time.h"
#include "x86/x86.h"

#define CAP_MSR_REASONS \
	(KVM_MSR_EXIT_REASON_INVAL | KVM_MSR_EXIT_REASON_UNKNOWN | KVM_MSR_EXIT_REASON_FILTER)

#define CAP_X2APIC_API (KVM_X2APIC_API_USE_32BIT_IDS | KVM_X2APIC_API_DISABLE_BROADCAST_QUIRK)

/* Had, and no more is to be said of them: 1. */
static const u32 caps_plain[] = {
	KVM_CAP_USER_MEMORY,
	KVM_CAP_USER_MEMORY2,
	KVM_CAP_READONLY_MEM,
	KVM_CAP_MULTI_ADDRESS_SPACE, /* there is one */
	KVM_CAP_COALESCED_PIO,
	KVM_CAP_SET_TSS_ADDR,
	KVM_CAP_SET_IDENTITY_MAP_ADDR,
	KVM_CAP_SET_BOOT_CPU_ID,
	KVM_CAP_MMU_SHADOW_CACHE_CONTROL,
	KVM_CAP_BINARY_STATS_FD,
	KVM_CAP_DESTROY_MEMORY_REGION_WORKS,
	KVM_CAP_JOIN_MEMORY_REGIONS_WORKS,
	KVM_CAP_SYNC_MMU,
	KVM_CAP_IMMEDIATE_EXIT,
	KVM_CAP_INTERNAL_ERROR_DATA,
	KVM_CAP_CHECK_EXTENSION_VM,
	KVM_CAP_EXT_CPUID,
	KVM_CAP_EXT_EMUL_CPUID,
	KVM_CAP_ENABLE_CAP_VM,
	KVM_CAP_X86_USER_SPACE_MSR,
	KVM_CAP_X86_MSR_FILTER,
	KVM_CAP_GET_MSR_FEATURES,
	KVM_CAP_MSR_PLATFORM_INFO,
	KVM_CAP_EXIT_ON_EMULATION_FAILURE,
	KVM_CAP_USER_NMI,
	KVM_CAP_MP_STATE,
	KVM_CAP_VCPU_EVENTS,
	KVM_CAP_SET_GUEST_DEBUG,
	KVM_CAP_X86_ROBUST_SINGLESTEP,
	KVM_CAP_DEBUGREGS,
	KVM_CAP_XSAVE,
	KVM_CAP_SREGS2,
	KVM_CAP_GET_TSC_KHZ,
	KVM_CAP_EXCEPTION_PAYLOAD,
	KVM_CAP_X86_TRIPLE_FAULT_EVENT,
	KVM_CAP_PRE_FAULT_MEMORY,
	KVM_CAP_MEMORY_FAULT_INFO,
	KVM_CAP_KVMCLOCK_CTRL,
	KVM_CAP_ENFORCE_PV_FEATURE_CPUID,
	KVM_CAP_IRQCHIP,
	KVM_CAP_HLT,
	KVM_CAP_IRQ_INJECT_STATUS,
	KVM_CAP_SIGNAL_MSI,
	KVM_CAP_IRQFD,
	KVM_CAP_IRQFD_RESAMPLE,
	KVM_CAP_IOAPIC_POLARITY_IGNORED,
	KVM_CAP_IOEVENTFD,
	KVM_CAP_IOEVENTFD_ANY_LENGTH,
	KVM_CAP_IOEVENTFD_NO_LENGTH,
	KVM_CAP_PIT,
	KVM_CAP_PIT2,
	KVM_CAP_PIT_STATE2,
	KVM_CAP_REINJECT_CONTROL,
	KVM_CAP_SPLIT_IRQCHIP,
	KVM_CAP_TSC_DEADLINE_TIMER,
	KVM_CAP_CLOCKSOURCE,
	KVM_CAP_NOP_IO_DELAY,
	KVM_CAP_ENABLE_CAP,
};

static bool cap_is_plain(unsigned long cap)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(caps_plain); i++)
		if (caps_plain[i] == cap)
			return true;
	return false;
}

/* The system's and a VM's answers are the same.  0: the capability is not had, or not known. */
long mkvm_cap(unsigned long cap)
{
	switch (cap) {
	case KVM_CAP_STEAL_TIME:
		return x86_steal_time_offered();
	case KVM_CAP_COALESCED_MMIO:
		return MKVM_COALESCED_PAGE;
	case KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2:
		return DIRTY_LOG_MANUAL_MODES;
	case KVM_CAP_IRQ_ROUTING:
		return IRQ_MAX_GSIS;
	case KVM_CAP_X2APIC_API:
		return CAP_X2APIC_API;
	case KVM_CAP_MCE:
		return X86_NR_MCE_BANKS;
	case KVM_CAP_NR_MEMSLOTS:
		return MEMSLOT_MAX;
	case KVM_CAP_NR_VCPUS:
		return min_t(unsigned int, num_online_cpus(), MKVM_MAX_VCPUS);
	case KVM_CAP_MAX_VCPUS:
		return MKVM_MAX_VCPUS;
	case KVM_CAP_MAX_VCPU_ID:
		return MKVM_MAX_VCPU_ID;
	case KVM_CAP_SET_GUEST_DEBUG2:
		return KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_SINGLESTEP | KVM_GUESTDBG_USE_HW_BP |
		       KVM_GUESTDBG_USE_SW_BP | KVM_GUESTDBG_INJECT_BP | KVM_GUESTDBG_INJECT_DB |
		       KVM_GUESTDBG_BLOCKIRQ;
	case KVM_CAP_SYNC_REGS:
		return KVM_SYNC_X86_VALID_FIELDS;
	case KVM_CAP_XSAVE2:
		return x86_xsave_size();
	case KVM_CAP_ADJUST_CLOCK:
		return KVM_CLOCK_TSC_STABLE | KVM_CLOCK_REALTIME | KVM_CLOCK_HOST_TSC;
	case KVM_CAP_TSC_CONTROL:
	case KVM_CAP_VM_TSC_CONTROL:
		return x86_tsc_scaling();
	case KVM_CAP_X86_DISABLE_EXITS:
		return KVM_X86_DISABLE_EXITS_PAUSE;
	case KVM_CAP_XCRS:
		return boot_cpu_has(X86_FEATURE_XSAVE);
	case MKVM_CAP_MMU:
		return vm_type_kinds();
	case MKVM_CAP_FAULT_AROUND:
		return MMU_AROUND_MAX;
	case MKVM_CAP_POPULATE:
		return MMU_AROUND_MAX;
	case MKVM_CAP_DIRTY_LOG_MODE:
		return mmu_log_modes(&mkvm_mmu_caps) | MKVM_DIRTY_LOG_EAGER_SPLIT;
	default:
		return cap_is_plain(cap);
	}
}

static int cap_manual_dirty_log(struct mkvm *vm, u64 arg)
{
	return dirty_log_set_manual(&vm->slots, arg);
}

/* KVM_CAP_EXIT_ON_EMULATION_FAILURE: what is not known goes to user space in any case. */
static int cap_accept(struct mkvm *vm, u64 arg)
{
	return 0;
}

/* Both hold for vCPUs that run already, too, from their next ioctl on. */
static int cap_exception_payload(struct mkvm *vm, u64 arg)
{
	WRITE_ONCE(vm->exception_payload, !!arg);
	return 0;
}

static int cap_triple_fault_event(struct mkvm *vm, u64 arg)
{
	WRITE_ONCE(vm->triple_fault_event, !!arg);
	return 0;
}

static int cap_fault_around(struct mkvm *vm, u64 arg)
{
	return mmu_set_around(&vm->mmu, arg);
}

static int cap_populate(struct mkvm *vm, u64 arg)
{
	return mmu_set_populate(&vm->mmu, arg);
}

static int cap_dirty_log_mode(struct mkvm *vm, u64 arg)
{
	return dirty_log_set_mode(&vm->slots, &vm->mmu, arg);
}

/**
 * struct cap_row - a capability that a VM has only once it was asked for
 * @cap: its number
 * @args: bits of the first argument that are known
 * @enable: @arg is the first argument; may sleep.  0 or a negative errno with nothing changed
 */
struct cap_row {
	u32 cap;
	u64 args;
	int (*enable)(struct mkvm *vm, u64 arg);
};

static const struct cap_row cap_rows[] = {
	{ KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2, DIRTY_LOG_MANUAL_MODES, cap_manual_dirty_log },
	{ KVM_CAP_EXIT_ON_EMULATION_FAILURE, 1, cap_accept },
	{ KVM_CAP_EXCEPTION_PAYLOAD, ~0ull, cap_exception_payload },
	{ KVM_CAP_X86_TRIPLE_FAULT_EVENT, ~0ull, cap_triple_fault_event },
	{ KVM_CAP_X86_USER_SPACE_MSR, CAP_MSR_REASONS, x86_msr_user_space },
	{ KVM_CAP_MSR_PLATFORM_INFO, ~0ull, x86_msr_platform_info },
	{ KVM_CAP_SPLIT_IRQCHIP, ~0ull, irqchip_split },
	{ KVM_CAP_X2APIC_API, CAP_X2APIC_API, irqchip_x2apic_api },
	{ KVM_CAP_X86_DISABLE_EXITS, KVM_X86_DISABLE_EXITS_PAUSE, x86_pause_disable_exits },
	{ MKVM_CAP_FAULT_AROUND, ~0ull, cap_fault_around },
	{ MKVM_CAP_POPULATE, ~0ull, cap_populate },
	{ MKVM_CAP_DIRTY_LOG_MODE, ~0ull, cap_dirty_log_mode },
};

/* KVM_ENABLE_CAP on a VM: 0; -EINVAL: unknown, a flag, an unknown bit; or the row's own. */
long mkvm_cap_enable(struct mkvm *vm, const struct kvm_enable_cap *cap)
{
	unsigned int i;

	if (cap->flags)
		return -EINVAL;
	for (i = 0; i < ARRAY_SIZE(cap_rows); i++) {
		if (cap_rows[i].cap != cap->cap)
			continue;
		return cap->args[0] & ~cap_rows[i].args ? -EINVAL
							: cap_rows[i].enable(vm, cap->args[0]);
	}
	return -EINVAL;
}

/* The same on a vCPU: it has one. */
long mkvm_cap_enable_vcpu(struct mkvm_vcpu *vcpu, const struct kvm_enable_cap *cap)
{
	lockdep_assert_held(&vcpu->mutex);
	if (cap->flags || cap->cap != KVM_CAP_ENFORCE_PV_FEATURE_CPUID)
		return -EINVAL;
	vcpu->x86.cpuid.pv_enforced = cap->args[0];
	return 0;
}
