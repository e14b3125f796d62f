// SPDX-License-Identifier: GPL-2.0-only
/*
 * Names of what is counted and reported: KVM's exits to user space, the hardware's exits from guest
 * mode (as the kernel's own headers name them), the MMU's causes.
 */
#include "names.h"

#include <asm/svm.h>
#include <asm/vmx.h>
#include <linux/kvm.h> /* the vectors that <asm/svm.h> counts from */
#include <linux/mkvm.h>
#include <stddef.h>

struct name {
	uint32_t value;
	const char *name;
};

static const struct name exit_names[] = {
	{ KVM_EXIT_UNKNOWN, "unknown" },
	{ KVM_EXIT_EXCEPTION, "exception" },
	{ KVM_EXIT_IO, "io" },
	{ KVM_EXIT_HYPERCALL, "hypercall" },
	{ KVM_EXIT_DEBUG, "debug" },
	{ KVM_EXIT_HLT, "hlt" },
	{ KVM_EXIT_MMIO, "mmio" },
	{ KVM_EXIT_IRQ_WINDOW_OPEN, "irq_window_open" },
	{ KVM_EXIT_SHUTDOWN, "shutdown" },
	{ KVM_EXIT_FAIL_ENTRY, "fail_entry" },
	{ KVM_EXIT_INTR, "intr" },
	{ KVM_EXIT_SET_TPR, "set_tpr" },
	{ KVM_EXIT_TPR_ACCESS, "tpr_access" },
	{ KVM_EXIT_NMI, "nmi" },
	{ KVM_EXIT_INTERNAL_ERROR, "internal_error" },
	{ KVM_EXIT_SYSTEM_EVENT, "system_event" },
};

static const struct name vmx_names[] = { VMX_EXIT_REASONS };
static const struct name svm_names[] = { SVM_EXIT_REASONS, { SVM_EXIT_RDPRU, "rdpru" } };
static const struct name cause_names[] = { MKVM_CAUSE_NAMES };

static const char *name_find(const struct name *names, size_t nr, uint32_t value)
{
	size_t i;

	for (i = 0; i < nr; i++) {
		if (names[i].value == value)
			return names[i].name;
	}
	return NULL;
}

#define NAME_FIND(names, value) name_find(names, sizeof(names) / sizeof((names)[0]), value)

const char *name_of_exit(uint32_t kvm_exit_reason)
{
	return NAME_FIND(exit_names, kvm_exit_reason);
}

const char *name_of_hardware_exit(uint32_t vendor, uint32_t reason)
{
	if (vendor == MKVM_VENDOR_VMX)
		return NAME_FIND(vmx_names, reason);
	if (vendor == MKVM_VENDOR_SVM)
		return NAME_FIND(svm_names, reason);
	return NULL;
}

const char *name_of_cause(uint32_t cause)
{
	return NAME_FIND(cause_names, cause);
}
