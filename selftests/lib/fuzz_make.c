// SPDX-License-Identifier: GPL-2.0-only
/*
 * Makers: each writes a valid argument of one ioctl into a buffer of zeroes, or over what its
 * getter answered.  An ioctl without a maker takes that as it is.
 *
 * Here are those of memory, processors and their state; fuzz_make_irq.c has the rest.
 */
#include "fuzz_make.h"

#include <linux/mkvm.h>
#include <linux/mkvm_kvm.h>
#include <string.h>

#include "fuzz_draw.h"
#include "layout.h"
#include "lib/mode.h"
#include "lib/x86.h"

#define PAGE	 0x1000UL
#define NR_SLOTS 4 /* that are mostly used: so few that a call often finds one */

static void make_region(struct rng *rng, const struct fuzz_world *world, void *buffer)
{
	struct kvm_userspace_memory_region *region = buffer;
	uint64_t pages = rng_below(rng, 4) ? 1 + rng_below(rng, 256) : 0;

	region->slot = rng_chance(rng, 90) ? rng_below(rng, NR_SLOTS) : rng_below(rng, 32768);
	region->flags = rng_chance(rng, 70) ? rng_below(rng, 2) : rng_below(rng, 4);
	region->guest_phys_addr = fuzz_gpa(rng);
	region->memory_size = pages * PAGE;
	region->userspace_addr = (uintptr_t)world->mem + rng_below(rng, 512) * PAGE;
	/* All of the memory at 0, where the code is. */
	if (rng_chance(rng, 20)) {
		region->slot = 0;
		region->guest_phys_addr = 0;
		region->memory_size = FUZZ_MEM_SIZE / 4;
		region->userspace_addr = (uintptr_t)world->mem;
	}
}

/* Slot 0 is where the code is, and often logged. */
static uint32_t some_slot(struct rng *rng)
{
	return rng_chance(rng, 50) ? 0 : rng_below(rng, NR_SLOTS);
}

static void make_dirty_log(struct rng *rng, const struct fuzz_world *world, void *buffer)
{
	struct kvm_dirty_log *log = buffer;

	log->slot = some_slot(rng);
	log->dirty_bitmap = world->scratch;
}

static void make_clear_log(struct rng *rng, const struct fuzz_world *world, void *buffer)
{
	struct kvm_clear_dirty_log *log = buffer;

	log->slot = some_slot(rng);
	log->first_page = rng_below(rng, 4) * 64;
	log->num_pages = rng_below(rng, 4) * 64;
	log->dirty_bitmap = world->scratch;
}

static void make_enable_cap(struct rng *rng, const struct fuzz_world *world, void *buffer)
{
	static const uint32_t caps[] = {
		KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2,
		KVM_CAP_X86_USER_SPACE_MSR,
		KVM_CAP_X86_MSR_FILTER,
		KVM_CAP_EXCEPTION_PAYLOAD,
		KVM_CAP_X86_TRIPLE_FAULT_EVENT,
		KVM_CAP_EXIT_ON_EMULATION_FAILURE,
		KVM_CAP_MSR_PLATFORM_INFO,
		KVM_CAP_DISABLE_QUIRKS,
		KVM_CAP_DISABLE_QUIRKS2,
		KVM_CAP_X86_DISABLE_EXITS,
		KVM_CAP_MAX_VCPU_ID,
		KVM_CAP_SPLIT_IRQCHIP,
		KVM_CAP_X2APIC_API,
		KVM_CAP_DIRTY_LOG_RING,
		KVM_CAP_HALT_POLL,
		KVM_CAP_X86_BUS_LOCK_EXIT,
		KVM_CAP_SYNC_REGS,
		MKVM_CAP_MMU,
		MKVM_CAP_FAULT_AROUND,
		MKVM_CAP_POPULATE,
		MKVM_CAP_DIRTY_LOG_MODE,
	};
	const unsigned int nr = sizeof(caps) / sizeof(caps[0]);
	struct kvm_enable_cap *cap = buffer;

	(void)world;
	cap->cap = rng_chance(rng, 90) ? caps[rng_below(rng, nr)] : rng_below(rng, 256);
	/* A set of bits, or how many of something. */
	cap->args[0] = rng_chance(rng, 80) ? rng_below(rng, 16) : 1UL << rng_below(rng, 12);
}

static void make_vcpu_cap(struct rng *rng, const struct fuzz_world *world, void *buffer)
{
	struct kvm_enable_cap *cap = buffer;

	(void)world;
	cap->cap = rng_chance(rng, 80) ? KVM_CAP_ENFORCE_PV_FEATURE_CPUID : rng_below(rng, 256);
	cap->args[0] = rng_below(rng, 2);
}

static void make_zone(struct rng *rng, const struct fuzz_world *world, void *buffer)
{
	struct kvm_coalesced_mmio_zone *zone = buffer;

	(void)world;
	zone->addr = rng_chance(rng, 50) ? 0xfee00000 + rng_below(rng, 16) : rng_below(rng, 256);
	zone->size = 1 + rng_below(rng, 16);
	zone->pio = rng_below(rng, 2);
}

static void make_msr_filter(struct rng *rng, const struct fuzz_world *world, void *buffer)
{
	struct kvm_msr_filter *filter = buffer;
	unsigned int i, nr = rng_below(rng, 4);

	filter->flags = rng_below(rng, 2);
	for (i = 0; i < nr; i++) {
		filter->ranges[i].flags = 1 + rng_below(rng, 3);
		filter->ranges[i].base = world->msrs[rng_below(rng, world->nr_msrs)];
		filter->ranges[i].nmsrs = 1 + rng_below(rng, 256);
		filter->ranges[i].bitmap = (uint8_t *)world->scratch + rng_below(rng, 256);
	}
}

static void make_identity_map(struct rng *rng, const struct fuzz_world *world, void *buffer)
{
	(void)world;
	*(uint64_t *)buffer = fuzz_gpa(rng);
}

/* As a register of the guest's clock and the like wants it: an address, and that it is in use. */
static uint64_t some_msr_value(struct rng *rng)
{
	switch (rng_below(rng, 4)) {
	case 0:
		return fuzz_number(rng);
	case 1:
		return fuzz_gpa(rng) | 1;
	default:
		return 0;
	}
}

static void make_msrs(struct rng *rng, const struct fuzz_world *world, void *buffer)
{
	struct kvm_msrs *msrs = buffer;
	unsigned int i;

	msrs->nmsrs = 1 + rng_below(rng, 8);
	for (i = 0; i < msrs->nmsrs; i++) {
		msrs->entries[i].index = world->msrs[rng_below(rng, world->nr_msrs)];
		msrs->entries[i].data = some_msr_value(rng);
	}
}

static void make_list(struct rng *rng, const struct fuzz_world *world, void *buffer)
{
	struct kvm_msr_list *list = buffer;

	(void)world;
	list->nmsrs = rng_chance(rng, 80) ? 512 : rng_below(rng, 8);
}

static void make_cpuid_room(struct rng *rng, const struct fuzz_world *world, void *buffer)
{
	struct kvm_cpuid2 *cpuid = buffer;

	(void)world;
	cpuid->nent = rng_chance(rng, 80) ? 256 : rng_below(rng, 8);
}

/* How wide physical addresses are, in a table that tells it: also as wide as none can be. */
static void make_width(struct rng *rng, struct kvm_cpuid_entry2 *entries, unsigned int nr)
{
	static const uint8_t widths[] = { 0, 1, 12, 32, 36, 39, 52, 53, 63, 64, 100, 255 };
	unsigned int i;

	for (i = 0; i < nr; i++)
		if (entries[i].function == 0x80000008)
			entries[i].eax =
				(entries[i].eax & ~0xffU) | widths[rng_below(rng, sizeof(widths))];
}

/* What the device can show, some of it taken away. */
static void make_cpuid(struct rng *rng, const struct fuzz_world *world, void *buffer)
{
	struct kvm_cpuid2 *cpuid = buffer;
	uint32_t *words = (uint32_t *)cpuid->entries;
	size_t nr_words = world->cpuid_nent * sizeof(world->cpuid[0]) / sizeof(*words);
	unsigned int i;

	cpuid->nent = world->cpuid_nent;
	memcpy(cpuid->entries, world->cpuid, world->cpuid_nent * sizeof(world->cpuid[0]));
	for (i = 0; nr_words && i < rng_below(rng, 8); i++)
		words[rng_below(rng, nr_words)] &= rng_next(rng);
	if (rng_chance(rng, 30))
		make_width(rng, cpuid->entries, cpuid->nent);
}

static void make_old_cpuid(struct rng *rng, const struct fuzz_world *world, void *buffer)
{
	struct kvm_cpuid *cpuid = buffer;
	unsigned int i;

	cpuid->nent = world->cpuid_nent < 16 ? world->cpuid_nent : 16;
	for (i = 0; i < cpuid->nent; i++) {
		const struct kvm_cpuid_entry2 *entry = &world->cpuid[i];

		cpuid->entries[i] = (struct kvm_cpuid_entry){
			.function = entry->function,
			.eax = entry->eax,
			.ebx = entry->ebx,
			.ecx = entry->ecx,
			.edx = rng_chance(rng, 80) ? entry->edx : rng_next(rng),
		};
	}
}

static void make_range(struct rng *rng, const struct fuzz_world *world, void *buffer)
{
	struct kvm_pre_fault_memory *range = buffer;

	(void)world;
	range->gpa = fuzz_gpa(rng);
	range->size = rng_below(rng, 64) * PAGE;
}

static void make_translate(struct rng *rng, const struct fuzz_world *world, void *buffer)
{
	(void)world;
	((struct kvm_translation *)buffer)->linear_address = fuzz_gpa(rng);
}

static void make_signal_mask(struct rng *rng, const struct fuzz_world *world, void *buffer)
{
	struct kvm_signal_mask *mask = buffer;

	(void)world;
	mask->len = 8;
	rng_fill(rng, mask->sigset, 8);
}

static void make_guest_debug(struct rng *rng, const struct fuzz_world *world, void *buffer)
{
	struct kvm_guest_debug *debug = buffer;

	(void)world;
	debug->control = rng_below(rng, 4) | (rng_below(rng, 64) & (rng_next(rng) & rng_next(rng)))
						     << 16;
	debug->arch.debugreg[0] = FUZZ_CODE + rng_below(rng, 64);
	debug->arch.debugreg[7] = 0x400 | rng_below(rng, 256);
}

static void make_regs(struct rng *rng, const struct fuzz_world *world, void *buffer)
{
	struct kvm_regs *regs = buffer;
	uint64_t *word = buffer;

	(void)world;
	for (; word < (uint64_t *)(regs + 1); word++)
		*word = rng_chance(rng, 70) ? fuzz_gpa(rng) : fuzz_number(rng);
	regs->rip = (FUZZ_CODE + rng_below(rng, FUZZ_CODE_END - FUZZ_CODE)) & ~15UL;
	/* Below 64 KiB, for the modes of 16 bits. */
	if (rng_chance(rng, 30))
		regs->rip &= 0x7fff;
	regs->rcx = rng_below(rng, 16);
	regs->rflags = X86_RFLAGS_FIXED | X86_RFLAGS_IF | (rng_chance(rng, 5) ? X86_RFLAGS_TF : 0);
}

static void make_sregs(struct rng *rng, const struct fuzz_world *world, void *buffer)
{
	(void)world;
	mode_set(buffer, rng_below(rng, MODE_NR), GUEST_GDT, GUEST_TABLES);
	((struct kvm_sregs *)buffer)->idt.base = rng_chance(rng, 50) ? 0 : GUEST_IDT;
}

static void make_sregs2(struct rng *rng, const struct fuzz_world *world, void *buffer)
{
	struct kvm_sregs2 *sregs = buffer;
	unsigned int i;

	make_sregs(rng, world, buffer); /* both structures begin alike */
	sregs->flags = rng_below(rng, 2);
	for (i = 0; i < 4; i++)
		sregs->pdptrs[i] = fuzz_gpa(rng) | rng_below(rng, 2);
}

static void make_debugregs(struct rng *rng, const struct fuzz_world *world, void *buffer)
{
	struct kvm_debugregs *regs = buffer;
	unsigned int i;

	(void)world;
	for (i = 0; i < 4; i++)
		regs->db[i] = rng_chance(rng, 50) ? FUZZ_CODE + rng_below(rng, 64) : fuzz_gpa(rng);
	regs->dr6 = 0xffff0ff0 | rng_below(rng, 16);
	regs->dr7 = 0x400 | rng_below(rng, 256) | (rng_next(rng) & 0xffff0000);
}

/* Anything that may wait for delivery, and now and then more than one. */
static void make_events(struct rng *rng, const struct fuzz_world *world, void *buffer)
{
	struct kvm_vcpu_events *events = buffer;

	(void)world;
	events->flags = rng_below(rng, 64) & ~KVM_VCPUEVENT_VALID_SMM;
	events->exception.injected = rng_chance(rng, 30);
	events->exception.pending = rng_chance(rng, 30);
	events->exception.nr = rng_below(rng, 20);
	events->exception.has_error_code = rng_below(rng, 2);
	events->exception.error_code = rng_below(rng, 64);
	events->exception_has_payload = rng_below(rng, 2);
	events->exception_payload = fuzz_gpa(rng);
	events->interrupt.injected = rng_chance(rng, 30);
	events->interrupt.nr = rng_below(rng, 256);
	events->interrupt.soft = rng_below(rng, 2);
	events->interrupt.shadow = rng_below(rng, 4);
	events->nmi.injected = rng_chance(rng, 20);
	events->nmi.pending = rng_below(rng, 3);
	events->nmi.masked = rng_below(rng, 2);
	events->sipi_vector = rng_below(rng, 256);
	events->triple_fault.pending = rng_chance(rng, 10);
}

static void make_counts(struct rng *rng, const struct fuzz_world *world, void *buffer)
{
	struct mkvm_counts *counts = buffer;

	counts->nr_reasons = rng_below(rng, 64);
	counts->reasons = (uintptr_t)world->scratch;
}

static void make_mp_state(struct rng *rng, const struct fuzz_world *world, void *buffer)
{
	(void)world;
	((struct kvm_mp_state *)buffer)->mp_state = rng_chance(rng, 80) ? 0 : rng_below(rng, 12);
}

static const struct fuzz_maker state_makers[] = {
	{ KVM_SET_USER_MEMORY_REGION, FD_VM, make_region },
	{ KVM_SET_USER_MEMORY_REGION2, FD_VM, make_region }, /* begins like the one above */
	{ KVM_GET_DIRTY_LOG, FD_VM, make_dirty_log },
	{ KVM_CLEAR_DIRTY_LOG, FD_VM, make_clear_log },
	{ KVM_ENABLE_CAP, FD_VM, make_enable_cap },
	{ KVM_ENABLE_CAP, FD_VCPU, make_vcpu_cap },
	{ KVM_REGISTER_COALESCED_MMIO, FD_VM, make_zone },
	{ KVM_UNREGISTER_COALESCED_MMIO, FD_VM, make_zone },
	{ KVM_X86_SET_MSR_FILTER, FD_VM, make_msr_filter },
	{ KVM_SET_IDENTITY_MAP_ADDR, FD_VM, make_identity_map },
	{ KVM_GET_MSRS, FD_SYSTEM, make_msrs },
	{ KVM_GET_MSRS, FD_VCPU, make_msrs },
	{ KVM_SET_MSRS, FD_VCPU, make_msrs },
	{ KVM_GET_MSR_INDEX_LIST, FD_SYSTEM, make_list },
	{ KVM_GET_MSR_FEATURE_INDEX_LIST, FD_SYSTEM, make_list },
	{ KVM_GET_SUPPORTED_CPUID, FD_SYSTEM, make_cpuid_room },
	{ KVM_GET_EMULATED_CPUID, FD_SYSTEM, make_cpuid_room },
	{ KVM_GET_CPUID2, FD_VCPU, make_cpuid_room },
	{ KVM_SET_CPUID, FD_VCPU, make_old_cpuid },
	{ KVM_SET_CPUID2, FD_VCPU, make_cpuid },
	{ KVM_PRE_FAULT_MEMORY, FD_VCPU, make_range },
	{ KVM_TRANSLATE, FD_VCPU, make_translate },
	{ KVM_SET_SIGNAL_MASK, FD_VCPU, make_signal_mask },
	{ KVM_SET_GUEST_DEBUG, FD_VCPU, make_guest_debug },
	{ KVM_SET_DEBUGREGS, FD_VCPU, make_debugregs },
	{ KVM_SET_REGS, FD_VCPU, make_regs },
	{ KVM_SET_SREGS, FD_VCPU, make_sregs },
	{ KVM_SET_SREGS2, FD_VCPU, make_sregs2 },
	{ KVM_SET_VCPU_EVENTS, FD_VCPU, make_events },
	{ KVM_SET_MP_STATE, FD_VCPU, make_mp_state },
	{ MKVM_GET_COUNTS, FD_VCPU, make_counts },
};

static void make_with(const struct fuzz_maker *makers, size_t nr, struct rng *rng,
		      const struct fuzz_world *world, const struct ioctl_info *info, void *buffer)
{
	size_t i;

	for (i = 0; i < nr; i++) {
		if (makers[i].cmd == info->cmd && makers[i].kind == info->kind)
			makers[i].make(rng, world, buffer);
	}
}

/* A valid argument of @info's ioctl in @buffer, if there is a maker. */
void fuzz_make(struct rng *rng, const struct fuzz_world *world, const struct ioctl_info *info,
	       void *buffer)
{
	make_with(state_makers, sizeof(state_makers) / sizeof(state_makers[0]), rng, world, info,
		  buffer);
	make_with(fuzz_irq_makers, fuzz_nr_irq_makers, rng, world, info, buffer);
}
