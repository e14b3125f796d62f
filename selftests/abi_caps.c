// SPDX-License-Identifier: GPL-2.0-only
/*
 * Capabilities: each number, on the device and on a VM.
 *
 * The tables say what is answered here and how kvm differs.  On kvm a row that is wrong fails, and
 * so do a capability in no row, and a difference that is none any more.  What is in no row is 0
 * everywhere.  And what is not had cannot be switched on, nor do its ioctls exist.
 */
#include <errno.h>
#include <linux/mkvm.h>
#include <linux/mkvm_kvm.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "lib/guest.h"
#include "lib/ioctls.h"

#define CAPS_END 1024 /* far beyond the last number that kvm has */

enum here {
	SOME = -1, /* not 0, and depends on the host */
	ANY = -2   /* also 0 */
};

/* How kvm answers. */
enum kvm {
	LIKE,	/* as is said for here */
	NEWER,	/* so does 6.12; 6.1 says 0 */
	OTHER,	/* another answer */
	LATER,	/* another answer of 6.12; 6.1 says 0 */
	PERHAPS /* another one, on hosts that have it */
};

/**
 * struct cap_row - a capability
 * @cap: its number
 * @name: and name
 * @here: mkvm's answer, or one of enum here
 * @kvm: see enum kvm
 */
struct cap_row {
	unsigned int cap;
	const char *name;
	int here;
	enum kvm kvm;
};

#define ROW(name, here, kvm)                     \
	{                                        \
		KVM_CAP_##name, #name, here, kvm \
	}

/* clang-format off */
static const struct cap_row had[] = {
	ROW(IRQCHIP, 1, LIKE),
	ROW(HLT, 1, LIKE),
	ROW(MMU_SHADOW_CACHE_CONTROL, 1, LIKE),
	ROW(USER_MEMORY, 1, LIKE),
	ROW(SET_TSS_ADDR, 1, LIKE),
	ROW(EXT_CPUID, 1, LIKE),
	ROW(CLOCKSOURCE, 1, LIKE),
	ROW(NR_VCPUS, SOME, LIKE),
	ROW(NR_MEMSLOTS, 32764, LIKE),
	ROW(PIT, 1, LIKE),
	ROW(NOP_IO_DELAY, 1, LIKE),
	ROW(MP_STATE, 1, LIKE),
	ROW(COALESCED_MMIO, 2, LIKE),
	ROW(SYNC_MMU, 1, LIKE),
	ROW(DESTROY_MEMORY_REGION_WORKS, 1, LIKE),
	ROW(USER_NMI, 1, LIKE),
	ROW(SET_GUEST_DEBUG, 1, LIKE),
	ROW(REINJECT_CONTROL, 1, LIKE),
	ROW(IRQ_ROUTING, 4096, LIKE),
	ROW(IRQ_INJECT_STATUS, 1, LIKE),
	ROW(JOIN_MEMORY_REGIONS_WORKS, 1, LIKE),
	ROW(MCE, 32, LIKE),
	ROW(IRQFD, 1, LIKE),
	ROW(PIT2, 1, LIKE),
	ROW(SET_BOOT_CPU_ID, 1, LIKE),
	ROW(PIT_STATE2, 1, LIKE),
	ROW(IOEVENTFD, 1, LIKE),
	ROW(SET_IDENTITY_MAP_ADDR, 1, LIKE),
	ROW(ADJUST_CLOCK, 14, LIKE),
	ROW(INTERNAL_ERROR_DATA, 1, LIKE),
	ROW(VCPU_EVENTS, 1, LIKE),
	ROW(DEBUGREGS, 1, LIKE),
	ROW(X86_ROBUST_SINGLESTEP, 1, LIKE),
	ROW(ENABLE_CAP, 1, LIKE),
	ROW(XSAVE, 1, LIKE),
	ROW(XCRS, 1, LIKE),
	ROW(TSC_CONTROL, ANY, LIKE),
	ROW(GET_TSC_KHZ, 1, LIKE),
	ROW(MAX_VCPUS, 64, OTHER), /* as many as the host's configuration says */
	ROW(TSC_DEADLINE_TIMER, 1, LIKE),
	ROW(SYNC_REGS, 7, LIKE),
	ROW(KVMCLOCK_CTRL, 1, LIKE),
	ROW(SIGNAL_MSI, 1, LIKE),
	ROW(READONLY_MEM, 1, LIKE),
	ROW(IRQFD_RESAMPLE, 1, LIKE),
	ROW(EXT_EMUL_CPUID, 1, LIKE),
	ROW(IOAPIC_POLARITY_IGNORED, 1, LIKE),
	ROW(ENABLE_CAP_VM, 1, LIKE),
	ROW(IOEVENTFD_NO_LENGTH, 1, LIKE),
	ROW(CHECK_EXTENSION_VM, 1, LIKE),
	ROW(MULTI_ADDRESS_SPACE, 1, OTHER), /* 2: system management mode has the other */
	ROW(SPLIT_IRQCHIP, 1, LIKE),
	ROW(IOEVENTFD_ANY_LENGTH, 1, LIKE),
	ROW(MAX_VCPU_ID, 4096, PERHAPS), /* of 6.12 four times MAX_VCPUS */
	ROW(X2APIC_API, 3, LIKE),
	ROW(IMMEDIATE_EXIT, 1, LIKE),
	ROW(X86_DISABLE_EXITS, KVM_X86_DISABLE_EXITS_PAUSE, OTHER), /* MWAIT, HLT, C-states too */
	ROW(GET_MSR_FEATURES, 1, LIKE),
	ROW(MSR_PLATFORM_INFO, 1, LIKE),
	ROW(COALESCED_PIO, 1, LIKE),
	ROW(EXCEPTION_PAYLOAD, 1, LIKE),
	ROW(MANUAL_DIRTY_LOG_PROTECT2, 3, LIKE),
	ROW(STEAL_TIME, ANY, LIKE),
	ROW(X86_USER_SPACE_MSR, 1, LIKE),
	ROW(X86_MSR_FILTER, 1, LIKE),
	ROW(ENFORCE_PV_FEATURE_CPUID, 1, LIKE),
	ROW(SET_GUEST_DEBUG2, 0x1f0003, LIKE),
	ROW(SREGS2, 1, LIKE),
	ROW(BINARY_STATS_FD, 1, LIKE),
	ROW(EXIT_ON_EMULATION_FAILURE, 1, LIKE),
	ROW(XSAVE2, SOME, LIKE),
	ROW(VM_TSC_CONTROL, ANY, LIKE),
	ROW(X86_TRIPLE_FAULT_EVENT, 1, LIKE),
	ROW(USER_MEMORY2, 1, NEWER),
	ROW(MEMORY_FAULT_INFO, 1, NEWER),
	ROW(PRE_FAULT_MEMORY, 1, NEWER),
};

/* What kvm has and mkvm has not: 0 on purpose, see Documentation/api.rst. */
static const struct cap_row not_had[] = {
	/* Accesses of the TPR in user space; other guests' interfaces */
	ROW(VAPIC, 0, OTHER),
	ROW(XEN_HVM, 0, PERHAPS),
	ROW(HYPERV, 0, OTHER),
	ROW(HYPERV_VAPIC, 0, OTHER),
	ROW(HYPERV_SPIN, 0, OTHER),
	ROW(HYPERV_TIME, 0, OTHER),
	ROW(HYPERV_SYNIC, 0, OTHER),
	ROW(HYPERV_SYNIC2, 0, OTHER),
	ROW(HYPERV_VP_INDEX, 0, OTHER),
	ROW(HYPERV_EVENTFD, 0, OTHER),
	ROW(HYPERV_TLBFLUSH, 0, OTHER),
	ROW(HYPERV_SEND_IPI, 0, OTHER),
	ROW(HYPERV_CPUID, 0, OTHER),
	ROW(HYPERV_ENLIGHTENED_VMCS, 0, PERHAPS),
	ROW(HYPERV_DIRECT_TLBFLUSH, 0, PERHAPS),
	ROW(SYS_HYPERV_CPUID, 0, OTHER),
	ROW(HYPERV_ENFORCE_CPUID, 0, OTHER),
	ROW(ASYNC_PF, 0, OTHER),
	ROW(ASYNC_PF_INT, 0, OTHER),
	ROW(EXIT_HYPERCALL, 0, OTHER),
	/* Assignment of devices of long ago; devices by KVM_CREATE_DEVICE, attributes */
	ROW(PCI_SEGMENT, 0, OTHER),
	ROW(DEVICE_CTRL, 0, LATER),
	ROW(VCPU_ATTRIBUTES, 0, OTHER),
	ROW(SYS_ATTRIBUTES, 0, OTHER),
	/* Behaviour that can be chosen */
	ROW(DISABLE_QUIRKS, 0, OTHER),
	ROW(DISABLE_QUIRKS2, 0, OTHER),
	ROW(HALT_POLL, 0, OTHER),
	ROW(X86_BUS_LOCK_EXIT, 0, PERHAPS),
	ROW(X86_NOTIFY_VMEXIT, 0, PERHAPS),
	ROW(VM_DISABLE_NX_HUGE_PAGES, 0, OTHER),
	ROW(X86_APIC_BUS_CYCLES_NS, 0, LATER),
	ROW(SMALLER_MAXPHYADDR, 0, PERHAPS),
	ROW(LAST_CPU, 0, OTHER),
	ROW(SYSTEM_EVENT_DATA, 0, OTHER),
	/* Processors' features that guests do not get */
	ROW(X86_SMM, 0, OTHER),
	ROW(NESTED_STATE, 0, PERHAPS),
	ROW(X86_GUEST_MODE, 0, LATER),
	ROW(PMU_EVENT_FILTER, 0, OTHER),
	ROW(PMU_EVENT_MASKED_EVENTS, 0, LATER),
	ROW(PMU_CAPABILITY, 0, PERHAPS),
	ROW(SGX_ATTRIBUTE, 0, PERHAPS),
	ROW(VM_COPY_ENC_CONTEXT_FROM, 0, PERHAPS),
	ROW(VM_MOVE_ENC_CONTEXT_FROM, 0, PERHAPS),
	/* Other logs of writes, memory of other kinds */
	ROW(DIRTY_LOG_RING, 0, OTHER),
	ROW(DIRTY_LOG_RING_ACQ_REL, 0, OTHER),
	ROW(MEMORY_ATTRIBUTES, 0, PERHAPS),
	ROW(GUEST_MEMFD, 0, PERHAPS),
	ROW(VM_TYPES, 0, LATER),
};

/* clang-format on */

static const struct cap_row *row_of(unsigned int cap)
{
	size_t i;

	for (i = 0; i < sizeof(had) / sizeof(had[0]); i++)
		if (had[i].cap == cap)
			return &had[i];
	for (i = 0; i < sizeof(not_had) / sizeof(not_had[0]); i++)
		if (not_had[i].cap == cap)
			return &not_had[i];
	return NULL;
}

static bool is_here(const struct cap_row *row, int answer)
{
	if (row->here == ANY)
		return answer >= 0;
	return row->here == SOME ? answer > 0 : answer == row->here;
}

static bool kernel_is_6_1(void)
{
	struct utsname name;

	REQUIRE(!uname(&name));
	return strncmp(name.release, "6.1.", 4) == 0;
}

static bool is_kvms(const struct cap_row *row, int answer)
{
	bool older = kernel_is_6_1();

	switch (row->kvm) {
	case LIKE:
		return is_here(row, answer);
	case NEWER:
		return older ? answer == 0 : is_here(row, answer);
	case OTHER:
		return answer > 0 && !is_here(row, answer);
	case LATER:
		return older ? answer == 0 : answer > 0 && !is_here(row, answer);
	default:
		return answer >= 0;
	}
}

static void expect_answer(bool mkvm, unsigned long cap, const char *where, int answer)
{
	const struct cap_row *row = cap < CAPS_END ? row_of(cap) : NULL;
	bool right = !row ? answer == 0 : mkvm ? is_here(row, answer) : is_kvms(row, answer);

	EXPECT(right, "%s: capability %lu (%s): %d", where, cap, row ? row->name : "in no table",
	       answer);
}

static int ask(int fd, unsigned long cap)
{
	int answer = ioctl(fd, KVM_CHECK_EXTENSION, cap);

	return answer < 0 ? -errno : answer;
}

/* What the device and a VM say; of some that guest_memfd brings kvm's VM says no. */
static void each_number(void)
{
	static const unsigned long beyond[] = { 4096, 0x4cffffff, 0x4d000000, 0x4dffffff, 1UL << 31,
						~0U,  1UL << 32,  1UL << 63,  ~0UL };
	struct guest guest;
	unsigned long cap;
	bool mkvm;
	size_t i;

	guest_create(&guest, 1);
	mkvm = kvm_dev_is_mkvm(&guest.dev);
	for (cap = 0; cap < CAPS_END; cap++) {
		expect_answer(mkvm, cap, "device", ask(guest.dev.fd, cap));
		expect_answer(mkvm, cap, "VM", ask(guest.vm.fd, cap));
	}
	for (i = 0; i < sizeof(beyond) / sizeof(beyond[0]); i++) {
		EXPECT_EQ(0, ask(guest.dev.fd, beyond[i]));
		EXPECT_EQ(0, ask(guest.vm.fd, beyond[i]));
	}
	/* The upper half of the number counts. */
	EXPECT_EQ(0, ask(guest.dev.fd, 1UL << 32 | KVM_CAP_USER_MEMORY));
	guest_destroy(&guest);
}

static void own_numbers(void)
{
	static const unsigned int own[] = { MKVM_CAP_MMU, MKVM_CAP_FAULT_AROUND,
					    MKVM_CAP_DIRTY_LOG_MODE, MKVM_CAP_POPULATE };
	struct guest guest;
	bool mkvm;
	size_t i;

	guest_create(&guest, 1);
	mkvm = kvm_dev_is_mkvm(&guest.dev);
	for (i = 0; i < sizeof(own) / sizeof(own[0]); i++) {
		EXPECT_EQ(mkvm, ask(guest.dev.fd, own[i]) > 0);
		EXPECT_EQ(ask(guest.dev.fd, own[i]), ask(guest.vm.fd, own[i]));
	}
	EXPECT_EQ(0, ask(guest.dev.fd, MKVM_CAP_POPULATE + 1));
	guest_destroy(&guest);
}

static int enable(int fd, unsigned int cap, uint64_t arg)
{
	struct kvm_enable_cap argument = { .cap = cap, .args = { arg } };

	return ioctl(fd, KVM_ENABLE_CAP, &argument) < 0 ? -errno : 0;
}

/* Those that can be switched on; and KVM_CAP_ENFORCE_PV_FEATURE_CPUID on a vCPU. */
static bool is_switch(unsigned int cap)
{
	static const unsigned int switches[] = {
		KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2,
		KVM_CAP_EXIT_ON_EMULATION_FAILURE,
		KVM_CAP_EXCEPTION_PAYLOAD,
		KVM_CAP_X86_TRIPLE_FAULT_EVENT,
		KVM_CAP_X86_USER_SPACE_MSR,
		KVM_CAP_MSR_PLATFORM_INFO,
		KVM_CAP_SPLIT_IRQCHIP,
		KVM_CAP_X2APIC_API,
		KVM_CAP_X86_DISABLE_EXITS,
	};
	size_t i;

	for (i = 0; i < sizeof(switches) / sizeof(switches[0]); i++)
		if (switches[i] == cap)
			return true;
	return false;
}

/* All others are EINVAL, whatever kvm does with them: 0 and 1 are what it would take. */
static void nothing_else_is_switched_on(void)
{
	struct guest guest;
	unsigned int cap;

	guest_create(&guest, 1);
	if (!kvm_dev_is_mkvm(&guest.dev))
		ktap_skip("kvm has more that can be switched on");
	for (cap = 0; cap < CAPS_END; cap++) {
		if (!is_switch(cap)) {
			EXPECT_ERRNO(EINVAL, enable(guest.vm.fd, cap, 0));
			EXPECT_ERRNO(EINVAL, enable(guest.vm.fd, cap, 1));
		}
		if (cap != KVM_CAP_ENFORCE_PV_FEATURE_CPUID)
			EXPECT_ERRNO(EINVAL, enable(guest.vcpu[0].fd, cap, 0));
	}
	guest_destroy(&guest);
}

#define CALL(kind, name)          \
	{                         \
#name, name, kind \
	}

/* clang-format off */
static const struct {
	const char *name;
	unsigned long cmd;
	enum fd_kind kind;
} no_ioctls[] = {
	CALL(FD_SYSTEM, KVM_GET_SUPPORTED_HV_CPUID),
	CALL(FD_SYSTEM, KVM_GET_DEVICE_ATTR),
	CALL(FD_SYSTEM, KVM_HAS_DEVICE_ATTR),
	CALL(FD_VM, KVM_HYPERV_EVENTFD),
	CALL(FD_VM, KVM_XEN_HVM_CONFIG),
	CALL(FD_VM, KVM_XEN_HVM_GET_ATTR),
	CALL(FD_VM, KVM_XEN_HVM_SET_ATTR),
	CALL(FD_VM, KVM_XEN_HVM_EVTCHN_SEND),
	CALL(FD_VM, KVM_SET_PMU_EVENT_FILTER),
	CALL(FD_VM, KVM_CREATE_DEVICE),
	CALL(FD_VM, KVM_SET_DEVICE_ATTR),
	CALL(FD_VM, KVM_GET_NR_MMU_PAGES),
	CALL(FD_VM, KVM_RESET_DIRTY_RINGS),
	CALL(FD_VM, KVM_MEMORY_ENCRYPT_OP),
	CALL(FD_VM, KVM_MEMORY_ENCRYPT_REG_REGION),
	CALL(FD_VM, KVM_MEMORY_ENCRYPT_UNREG_REGION),
	CALL(FD_VM, KVM_SET_MEMORY_ATTRIBUTES),
	CALL(FD_VM, KVM_CREATE_GUEST_MEMFD),
	CALL(FD_VCPU, KVM_GET_SUPPORTED_HV_CPUID),
	CALL(FD_VCPU, KVM_XEN_VCPU_GET_ATTR),
	CALL(FD_VCPU, KVM_XEN_VCPU_SET_ATTR),
	CALL(FD_VCPU, KVM_GET_DEVICE_ATTR),
	CALL(FD_VCPU, KVM_SET_DEVICE_ATTR),
	CALL(FD_VCPU, KVM_HAS_DEVICE_ATTR),
	CALL(FD_VCPU, KVM_GET_NESTED_STATE),
	CALL(FD_VCPU, KVM_SET_NESTED_STATE),
	CALL(FD_VCPU, KVM_TPR_ACCESS_REPORTING),
	CALL(FD_VCPU, KVM_SET_VAPIC_ADDR),
	CALL(FD_VCPU, KVM_SMI),
	CALL(FD_VCPU, KVM_GET_ONE_REG),
	CALL(FD_VCPU, KVM_SET_ONE_REG),
};

/* clang-format on */

/* With an argument that could be written and read, and with none. */
static void ioctls_of_what_is_not_had(void)
{
	static char argument[IOCTL_MAX_SIZE];
	struct guest guest;
	size_t i;

	guest_create(&guest, 1);
	if (!kvm_dev_is_mkvm(&guest.dev))
		ktap_skip("kvm has them");
	for (i = 0; i < sizeof(no_ioctls) / sizeof(no_ioctls[0]); i++) {
		const int fds[] = { guest.dev.fd, guest.vm.fd, guest.vcpu[0].fd };
		int fd = fds[no_ioctls[i].kind];
		int with = ioctl(fd, no_ioctls[i].cmd, argument) < 0 ? errno : 0;
		int without = ioctl(fd, no_ioctls[i].cmd, NULL) < 0 ? errno : 0;

		EXPECT(with == ENOTTY && without == ENOTTY, "%s: %s, %s", no_ioctls[i].name,
		       strerror(with), strerror(without));
	}
	guest_destroy(&guest);
}

static const struct ktap_test tests[] = {
	KTAP_TEST(each_number),
	KTAP_TEST(own_numbers),
	KTAP_TEST(nothing_else_is_switched_on),
	KTAP_TEST(ioctls_of_what_is_not_had),
};

KTAP_MAIN(tests)
