// SPDX-License-Identifier: GPL-2.0-only
/*
 * How arguments are made.
 *
 * A maker writes a valid argument of one ioctl.  An ioctl without a maker gets what its getter
 * answers, or zeroes.  Then, by the style drawn, the argument is left alone, gets a few wrong
 * fields, or becomes garbage.  Nothing depends on what the kernel answered, getters apart: the same
 * numbers give the same calls.
 *
 * Some things are taken back at the end.  The signal that gets a thread out of KVM_RUN is never
 * masked, what the emulated host's processor cannot bear is left out (struct fuzz_world), and
 * nobody is asked to write where the fuzzer's own data is.
 */
#include "fuzz_args.h"

#include <linux/mkvm.h>
#include <linux/mkvm_kvm.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "lib/mode.h"
#include "lib/x86.h"
#include "layout.h"

#define PAGE	 0x1000UL
#define USER_END (1UL << 47)
#define NR_SLOTS 4 /* that are mostly used: so few that a call often finds one */

/* Besides those of the device's own list. */
/* clang-format off */
static const uint32_t some_msrs[] = {
	0x10, 0x11, 0x1b, 0x3a, 0x48, 0x8b, 0x174, 0x1a0, 0x200, 0x277, 0x2ff, 0x345, 0x400, 0xda0,
	0x40000000, 0x4b564d00, 0xc0000080, 0xc0000081, 0xc0000082, 0xc0000084, 0xc0000100,
	0xc0000103, 0xc0010015, 0xc0010117,
};

/* clang-format on */

static const uint64_t some_numbers[] = {
	0,
	1,
	2,
	7,
	0x7f,
	0x80,
	0xff,
	0xfff,
	0x1000,
	0xffff,
	0x7fffffff,
	0x80000000,
	0xffffffff,
	0x100000000,
	1UL << 47,
	0x7ffffffff000,
	1UL << 51,
	1UL << 52,
	1UL << 63,
	-1UL,
	-4096UL,
	0xffff888000000000,
	0xffffffff81000000,
};

static uint64_t odd_number(struct rng *rng)
{
	switch (rng_below(rng, 4)) {
	case 0:
		return 1UL << rng_below(rng, 64);
	case 1:
		return rng_next(rng);
	case 2:
		return (1UL << rng_below(rng, 64)) - 1;
	default:
		return some_numbers[rng_below(rng, sizeof(some_numbers) / 8)];
	}
}

/* Asks the device once what it has; lists that it lacks stay short. */
void fuzz_world_learn(struct fuzz_world *world, int system_fd)
{
	struct kvm_cpuid2 *cpuid = calloc(1, sizeof(*cpuid) + sizeof(world->cpuid));
	struct kvm_msr_list *list = calloc(1, sizeof(*list) + 512 * sizeof(uint32_t));
	unsigned int i;

	for (i = 0; i < sizeof(some_msrs) / sizeof(some_msrs[0]); i++)
		world->msrs[world->nr_msrs++] = some_msrs[i];
	list->nmsrs = 512;
	if (ioctl(system_fd, KVM_GET_MSR_INDEX_LIST, list) == 0) {
		for (i = 0; i < list->nmsrs && world->nr_msrs < FUZZ_MSRS; i++)
			world->msrs[world->nr_msrs++] = list->indices[i];
	}
	cpuid->nent = 256;
	if (ioctl(system_fd, KVM_GET_SUPPORTED_CPUID, cpuid) == 0) {
		world->cpuid_nent = cpuid->nent;
		memcpy(world->cpuid, cpuid->entries, cpuid->nent * sizeof(world->cpuid[0]));
	}
	free(cpuid);
	free(list);
}

static uint64_t some_gpa(struct rng *rng)
{
	static const uint64_t bases[] = {
		0, 0x100000, 0x200000, 0x40000000, 0xfee00000, 1UL << 36
	};

	return bases[rng_below(rng, 6)] + rng_below(rng, 64) * PAGE;
}

static void make_region(struct rng *rng, const struct fuzz_world *world, void *buffer)
{
	struct kvm_userspace_memory_region *region = buffer;
	uint64_t pages = rng_below(rng, 4) ? 1 + rng_below(rng, 256) : 0;

	region->slot = rng_chance(rng, 90) ? rng_below(rng, NR_SLOTS) : rng_below(rng, 32768);
	region->flags = rng_chance(rng, 70) ? rng_below(rng, 2) : rng_below(rng, 4);
	region->guest_phys_addr = some_gpa(rng);
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
	};
	struct kvm_enable_cap *cap = buffer;

	(void)world;
	cap->cap = rng_chance(rng, 90) ? caps[rng_below(rng, 16)] : rng_below(rng, 256);
	cap->args[0] = rng_below(rng, 8);
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
	*(uint64_t *)buffer = some_gpa(rng);
}

static void make_msrs(struct rng *rng, const struct fuzz_world *world, void *buffer)
{
	struct kvm_msrs *msrs = buffer;
	unsigned int i;

	msrs->nmsrs = 1 + rng_below(rng, 8);
	for (i = 0; i < msrs->nmsrs; i++) {
		msrs->entries[i].index = world->msrs[rng_below(rng, world->nr_msrs)];
		msrs->entries[i].data = rng_chance(rng, 50) ? 0 : odd_number(rng);
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

static void make_banks(struct rng *rng, const struct fuzz_world *world, void *buffer)
{
	(void)world;
	*(uint64_t *)buffer = 1 + rng_below(rng, 32) + rng_below(rng, 2) * (1 << 8);
}

static void make_range(struct rng *rng, const struct fuzz_world *world, void *buffer)
{
	struct kvm_pre_fault_memory *range = buffer;

	(void)world;
	range->gpa = some_gpa(rng);
	range->size = rng_below(rng, 64) * PAGE;
}

static void make_translate(struct rng *rng, const struct fuzz_world *world, void *buffer)
{
	(void)world;
	((struct kvm_translation *)buffer)->linear_address = some_gpa(rng);
}

static void make_interrupt(struct rng *rng, const struct fuzz_world *world, void *buffer)
{
	(void)world;
	((struct kvm_interrupt *)buffer)->irq = rng_below(rng, 256);
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
		*word = rng_chance(rng, 70) ? some_gpa(rng) : odd_number(rng);
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

static uint32_t some_gsi(struct rng *rng)
{
	return rng_chance(rng, 90) ? rng_below(rng, 26) : rng_below(rng, 5000);
}

static void make_irq_line(struct rng *rng, const struct fuzz_world *world, void *buffer)
{
	struct kvm_irq_level *line = buffer;

	(void)world;
	line->irq = some_gsi(rng);
	line->level = rng_below(rng, 2);
}

/* To a vCPU that there may be, in a mode that may be none. */
static void make_msi(struct rng *rng, const struct fuzz_world *world, void *buffer)
{
	struct kvm_msi *msi = buffer;

	(void)world;
	msi->address_lo = 0xfee00000 | rng_below(rng, 5) << 12 | rng_below(rng, 4) << 2;
	msi->data = rng_below(rng, 256) | (rng_chance(rng, 80) ? 0 : rng_below(rng, 8) << 8) |
		    rng_below(rng, 2) << 15;
}

static void make_routing(struct rng *rng, const struct fuzz_world *world, void *buffer)
{
	struct kvm_irq_routing *routing = buffer;
	struct kvm_msi msi = {};
	unsigned int i;

	routing->nr = rng_below(rng, 17);
	for (i = 0; i < routing->nr; i++) {
		struct kvm_irq_routing_entry *entry = &routing->entries[i];

		entry->gsi = i + rng_below(rng, 2) * 8;
		entry->type = KVM_IRQ_ROUTING_IRQCHIP + rng_below(rng, 2);
		if (entry->type == KVM_IRQ_ROUTING_IRQCHIP) {
			entry->u.irqchip.irqchip = rng_below(rng, 3);
			entry->u.irqchip.pin = rng_below(rng, 8);
			continue;
		}
		make_msi(rng, world, &msi);
		entry->u.msi.address_lo = msi.address_lo;
		entry->u.msi.data = msi.data;
	}
}

static void make_irqchip(struct rng *rng, const struct fuzz_world *world, void *buffer)
{
	struct kvm_irqchip *chip = buffer;

	(void)world;
	rng_fill(rng, &chip->chip, sizeof(chip->chip));
	chip->chip_id = rng_below(rng, 3);
}

static void make_irqfd(struct rng *rng, const struct fuzz_world *world, void *buffer)
{
	struct kvm_irqfd *irqfd = buffer;

	irqfd->fd = world->events[rng_below(rng, FUZZ_EVENTS)];
	irqfd->gsi = some_gsi(rng);
	irqfd->flags = rng_below(rng, 4);
	irqfd->resamplefd = world->events[rng_below(rng, FUZZ_EVENTS)];
}

static void make_ioeventfd(struct rng *rng, const struct fuzz_world *world, void *buffer)
{
	struct kvm_ioeventfd *args = buffer;

	args->fd = world->events[rng_below(rng, FUZZ_EVENTS)];
	args->addr = rng_chance(rng, 50) ? rng_below(rng, 256) : 0x40000000;
	args->len = 1 << rng_below(rng, 4);
	args->flags = rng_below(rng, 8);
	args->datamatch = rng_below(rng, 4);
}

static const struct {
	unsigned long cmd;
	void (*make)(struct rng *rng, const struct fuzz_world *world, void *buffer);
} makers[] = {
	{ KVM_SET_USER_MEMORY_REGION, make_region },
	{ KVM_SET_USER_MEMORY_REGION2, make_region }, /* begins like the one above */
	{ KVM_GET_DIRTY_LOG, make_dirty_log },
	{ KVM_CLEAR_DIRTY_LOG, make_clear_log },
	{ KVM_ENABLE_CAP, make_enable_cap },
	{ KVM_REGISTER_COALESCED_MMIO, make_zone },
	{ KVM_UNREGISTER_COALESCED_MMIO, make_zone },
	{ KVM_X86_SET_MSR_FILTER, make_msr_filter },
	{ KVM_SET_IDENTITY_MAP_ADDR, make_identity_map },
	{ KVM_GET_MSRS, make_msrs },
	{ KVM_SET_MSRS, make_msrs },
	{ KVM_GET_MSR_INDEX_LIST, make_list },
	{ KVM_GET_MSR_FEATURE_INDEX_LIST, make_list },
	{ KVM_GET_SUPPORTED_CPUID, make_cpuid_room },
	{ KVM_GET_EMULATED_CPUID, make_cpuid_room },
	{ KVM_GET_CPUID2, make_cpuid_room },
	{ KVM_SET_CPUID, make_old_cpuid },
	{ KVM_SET_CPUID2, make_cpuid },
	{ KVM_X86_SETUP_MCE, make_banks },
	{ KVM_PRE_FAULT_MEMORY, make_range },
	{ KVM_TRANSLATE, make_translate },
	{ KVM_INTERRUPT, make_interrupt },
	{ KVM_SET_SIGNAL_MASK, make_signal_mask },
	{ KVM_SET_GUEST_DEBUG, make_guest_debug },
	{ KVM_SET_REGS, make_regs },
	{ KVM_SET_SREGS, make_sregs },
	{ KVM_SET_MP_STATE, make_mp_state },
	{ KVM_IRQ_LINE, make_irq_line },
	{ KVM_IRQ_LINE_STATUS, make_irq_line },
	{ KVM_SIGNAL_MSI, make_msi },
	{ KVM_SET_GSI_ROUTING, make_routing },
	{ KVM_GET_IRQCHIP, make_irqchip },
	{ KVM_SET_IRQCHIP, make_irqchip },
	{ KVM_IRQFD, make_irqfd },
	{ KVM_IOEVENTFD, make_ioeventfd },
	{ MKVM_GET_COUNTS, make_counts },
};

/* A valid argument, as far as one can be known. */
static void make_valid(struct rng *rng, const struct fuzz_world *world,
		       const struct ioctl_info *info, int fd, void *buffer)
{
	size_t i;

	memset(buffer, 0, info->size);
	/* A setter mostly begins with what is there. */
	if (info->get && rng_chance(rng, 70) && ioctl(fd, info->get, buffer) == 0 &&
	    rng_chance(rng, 50))
		return;
	for (i = 0; i < sizeof(makers) / sizeof(makers[0]); i++) {
		if (makers[i].cmd == info->cmd)
			makers[i].make(rng, world, buffer);
	}
}

static unsigned long valid_value(struct rng *rng, const struct ioctl_info *info)
{
	static const unsigned long types[] = { MKVM_VM_DEFAULT, MKVM_VM_DEFAULT, MKVM_VM_TDP,
					       MKVM_VM_SHADOW };

	switch (info->cmd) {
	case KVM_CREATE_VM:
		return types[rng_below(rng, 4)];
	case KVM_CREATE_VCPU:
		return rng_below(rng, 8);
	case KVM_CHECK_EXTENSION:
		return rng_below(rng, 260);
	case KVM_SET_NR_MMU_PAGES:
		return 64 + rng_below(rng, 1024);
	case KVM_SET_TSS_ADDR:
		return 0xfffbd000;
	case KVM_SET_TSC_KHZ:
		return rng_below(rng, 4) * 1000000;
	default:
		return 0;
	}
}

/* A few fields of the argument get other values. */
static void spoil(struct rng *rng, void *buffer, size_t size)
{
	static const size_t widths[] = { 1, 2, 4, 8 };
	unsigned int n = 1 + rng_below(rng, 3);

	while (n--) {
		size_t width = widths[rng_below(rng, 4)], words = size / width;
		uint64_t value = odd_number(rng);
		char *at;

		if (!words)
			continue;
		/* Mostly near the beginning, where the short arguments are whole. */
		if (words > 32 && rng_chance(rng, 70))
			words = 32;
		at = (char *)buffer + rng_below(rng, words) * width;
		if (rng_chance(rng, 30)) {
			at[rng_below(rng, width)] ^= 1 << rng_below(rng, 8);
			continue;
		}
		memcpy(at, &value, width);
	}
}

/* An address at which the argument is not, or only in part. */
static unsigned long wild_pointer(struct rng *rng, const struct fuzz_world *world, size_t size)
{
	switch (rng_below(rng, 6)) {
	case 0:
		return 0;
	case 1:
		return (uintptr_t)world->forbidden;
	case 2: /* what comes before it can be read, the rest cannot */
		return (uintptr_t)world->forbidden - (size ? rng_below(rng, size) : 0);
	case 3:
		return (uintptr_t)world->readonly;
	case 4: /* another thread may change it meanwhile */
		return (uintptr_t)world->mem + rng_below(rng, FUZZ_MEM_SIZE - IOCTL_MAX_SIZE);
	default:
		return odd_number(rng);
	}
}

/*
 * Where the kernel or a guest shall write: not to what the process needs itself.  An address in
 * @size bytes from @from may stay, and so may one that is not the process's.
 */
static uint64_t tame_address(uint64_t address, const char *from, size_t size, const char *otherwise)
{
	uint64_t first = (uintptr_t)from;

	if ((address >= first && address - first < size) || address >= USER_END)
		return address;
	return (uintptr_t)otherwise + address % PAGE;
}

/* What would be written behind the memory of slots is nobody's, see fuzz_ioctl.c. */
static void tame_pointers(const struct fuzz_world *world, const struct ioctl_info *info,
			  void *buffer)
{
	struct kvm_userspace_memory_region *region = buffer;
	struct kvm_clear_dirty_log *clear = buffer;
	struct mkvm_counts *counts = buffer;
	struct kvm_dirty_log *log = buffer;

	switch (info->cmd) {
	case KVM_SET_USER_MEMORY_REGION:
	case KVM_SET_USER_MEMORY_REGION2:
		region->userspace_addr = tame_address(region->userspace_addr, world->mem,
						      FUZZ_MEM_SIZE, world->forbidden);
		break;
	case KVM_GET_DIRTY_LOG:
		log->dirty_bitmap =
			(void *)tame_address((uintptr_t)log->dirty_bitmap, world->scratch,
					     IOCTL_MAX_SIZE, world->forbidden);
		break;
	case KVM_CLEAR_DIRTY_LOG:
		clear->dirty_bitmap =
			(void *)tame_address((uintptr_t)clear->dirty_bitmap, world->scratch,
					     IOCTL_MAX_SIZE, world->forbidden);
		break;
	case MKVM_GET_COUNTS:
		counts->reasons = tame_address(counts->reasons, world->scratch, IOCTL_MAX_SIZE,
					       world->forbidden);
		break;
	}
}

static void tame(const struct fuzz_world *world, const struct ioctl_info *info, void *buffer)
{
	tame_pointers(world, info, buffer);
	if (info->cmd == KVM_SET_SIGNAL_MASK) {
		struct kvm_signal_mask *mask = buffer;
		unsigned int bit = world->kick - 1;

		mask->sigset[bit / 8] &= ~(1 << bit % 8);
	}
	if (world->interrupts_on && info->cmd == KVM_SET_REGS)
		((struct kvm_regs *)buffer)->rflags |= X86_RFLAGS_IF;
	if (!world->no_breakpoints)
		return;
	if (info->cmd == KVM_SET_DEBUGREGS)
		((struct kvm_debugregs *)buffer)->dr7 &= ~0xffUL;
	if (info->cmd == KVM_SET_GUEST_DEBUG)
		((struct kvm_guest_debug *)buffer)->arch.debugreg[7] &= ~0xffUL;
}

/* Must its argument be where nobody else writes? */
static bool is_tamed(const struct ioctl_info *info)
{
	return info->cmd == KVM_SET_SIGNAL_MASK || info->cmd == KVM_SET_DEBUGREGS ||
	       info->cmd == KVM_SET_GUEST_DEBUG || info->cmd == KVM_SET_REGS;
}

/* The argument to call @info's ioctl with; @buffer has IOCTL_MAX_SIZE bytes, the thread's own. */
unsigned long fuzz_argument(struct rng *rng, const struct fuzz_world *world,
			    const struct ioctl_info *info, int fd, void *buffer)
{
	unsigned int style = rng_below(rng, 100);

	if (!info->size) {
		if (style < 80)
			return valid_value(rng, info);
		return style < 90 ? rng_below(rng, 8) : odd_number(rng);
	}
	if (style >= 94)
		return is_tamed(info) ? 0 : wild_pointer(rng, world, info->size);
	if (style >= 86)
		rng_fill(rng, buffer, info->size);
	else
		make_valid(rng, world, info, fd, buffer);
	if (style >= 55 && style < 86)
		spoil(rng, buffer, info->size);
	tame(world, info, buffer);
	return (uintptr_t)buffer;
}
