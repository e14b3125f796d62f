// SPDX-License-Identifier: GPL-2.0-only
/*
 * What CPUID tells a guest: all that the device supports, and which of how many processors this is.
 *
 * The machine is one package of as many cores as it has vCPUs, one thread each; a vCPU's number is
 * its APIC id.
 */
#include "cpuid.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/ioctl.h>

#define F1_ECX_TSC_DEADLINE (1U << 24)
#define F1_ECX_HYPERVISOR   (1U << 31)
#define F1_EDX_HTT	    (1U << 28)
#define LEVEL_SMT	    1
#define LEVEL_CORE	    2

int cpuid_get_supported(struct cpuid *cpuid, const struct kvm_dev *dev)
{
	memset(cpuid, 0, sizeof(*cpuid));
	cpuid->head.nent = CPUID_MAX_ENTRIES;
	return ioctl(dev->fd, KVM_GET_SUPPORTED_CPUID, cpuid) < 0 ? -errno : 0;
}

/* The entry, or NULL; @index counts only where the function has several. */
struct kvm_cpuid_entry2 *cpuid_find(struct cpuid *cpuid, uint32_t function, uint32_t index)
{
	uint32_t i;

	for (i = 0; i < cpuid->head.nent; i++) {
		struct kvm_cpuid_entry2 *entry = &cpuid->entries[i];

		if (entry->function == function &&
		    (!(entry->flags & KVM_CPUID_FLAG_SIGNIFCANT_INDEX) || entry->index == index))
			return entry;
	}
	return NULL;
}

/* What only we can know: that this is a virtual machine, and has local APICs in the kernel. */
void cpuid_describe_pc(struct cpuid *cpuid, const struct kvm_dev *dev)
{
	struct kvm_cpuid_entry2 *entry = cpuid_find(cpuid, 1, 0);

	if (!entry)
		return;
	entry->ecx |= F1_ECX_HYPERVISOR;
	if (kvm_dev_extension(dev, KVM_CAP_TSC_DEADLINE_TIMER) > 0)
		entry->ecx |= F1_ECX_TSC_DEADLINE;
}

/* Bits of an APIC id that number the cores of the package. */
static uint32_t cpuid_core_bits(uint32_t nr)
{
	uint32_t bits = 0;

	while (nr > 1U << bits)
		bits++;
	return bits;
}

static void cpuid_set_level(struct kvm_cpuid_entry2 *entry, uint32_t id, uint32_t nr)
{
	entry->edx = id;
	entry->eax = 0;
	entry->ebx = 0;
	entry->ecx = entry->index;
	if (entry->index == 0) {
		entry->ebx = 1;
		entry->ecx |= LEVEL_SMT << 8;
	} else if (entry->index == 1) {
		entry->eax = cpuid_core_bits(nr);
		entry->ebx = nr;
		entry->ecx |= LEVEL_CORE << 8;
	}
}

/* The functions 0xb and 0x1f are only of use with both levels. */
static void cpuid_add_levels(struct cpuid *cpuid, uint32_t function)
{
	struct kvm_cpuid_entry2 *first = cpuid_find(cpuid, function, 0);

	if (!first || cpuid->head.nent == CPUID_MAX_ENTRIES || cpuid_find(cpuid, function, 1))
		return;
	first->flags |= KVM_CPUID_FLAG_SIGNIFCANT_INDEX;
	cpuid->entries[cpuid->head.nent++] = (struct kvm_cpuid_entry2){
		.function = function,
		.index = 1,
		.flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX,
	};
}

static void cpuid_set_entry(struct kvm_cpuid_entry2 *entry, uint32_t id, uint32_t nr)
{
	switch (entry->function) {
	case 1:
		entry->ebx = (entry->ebx & 0xffff) | nr << 16 | id << 24;
		entry->edx &= ~F1_EDX_HTT;
		if (nr > 1)
			entry->edx |= F1_EDX_HTT;
		break;
	case 4: /* each cache a core's own; so many core ids a package */
		if (entry->eax & 0x1f)
			entry->eax = (entry->eax & 0x3fff) | ((1U << cpuid_core_bits(nr)) - 1)
								     << 26;
		break;
	case 0xb:
	case 0x1f:
		cpuid_set_level(entry, id, nr);
		break;
	case 0x80000008:
		entry->ecx = (entry->ecx & ~0xf0ffU) | (nr - 1) | cpuid_core_bits(nr) << 12;
		break;
	case 0x8000001d:
		if (entry->eax & 0x1f)
			entry->eax &= 0x3fff;
		break;
	case 0x8000001e:
		entry->eax = id;
		entry->ebx = id;
		entry->ecx = 0;
		break;
	default:
		break;
	}
}

void cpuid_set_topology(struct cpuid *cpuid, uint32_t id, uint32_t nr)
{
	uint32_t i;

	cpuid_add_levels(cpuid, 0xb);
	cpuid_add_levels(cpuid, 0x1f);
	for (i = 0; i < cpuid->head.nent; i++)
		cpuid_set_entry(&cpuid->entries[i], id, nr);
}

int cpuid_set(const struct vcpu *vcpu, const struct cpuid *cpuid)
{
	return ioctl(vcpu->fd, KVM_SET_CPUID2, cpuid) < 0 ? -errno : 0;
}
