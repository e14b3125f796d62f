// SPDX-License-Identifier: GPL-2.0-only
/*
 * Recipes: how to call each ioctl so that it succeeds.
 *
 * Without one an ioctl gets 0, zeroes, or what its getter answers.
 */
#include "recipes.h"

#include <errno.h>
#include <linux/kvm.h>
#include <linux/kvm_para.h>
#include <linux/mkvm.h>
#include <linux/mkvm_kvm.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>

#define PAGE	     0x1000UL
#define SLOT	     5
#define SLOT_GPA     0x40000000UL
#define NEW_VCPU_ID  3
#define TOUCHED_FROM 0x200000 /* of the guest's memory, where no table reaches yet */
#define MSR_STAR     0xc0000081
#define SLOT_SIZE    RECIPE_SLOT_SIZE

static unsigned long make_vcpu(struct attempt *f)
{
	(void)f;
	return NEW_VCPU_ID;
}

static unsigned long make_extension(struct attempt *f)
{
	(void)f;
	return KVM_CAP_USER_MEMORY;
}

static unsigned long make_slot(struct attempt *f)
{
	*(struct kvm_userspace_memory_region *)f->argument = (struct kvm_userspace_memory_region){
		.slot = SLOT,
		.guest_phys_addr = SLOT_GPA,
		.memory_size = SLOT_SIZE,
		.userspace_addr = (uintptr_t)f->slot_memory,
	};
	return (uintptr_t)f->argument;
}

static unsigned long make_slot_with_log(struct attempt *f)
{
	make_slot(f);
	((struct kvm_userspace_memory_region *)f->argument)->flags = KVM_MEM_LOG_DIRTY_PAGES;
	return (uintptr_t)f->argument;
}

static unsigned long make_slot_move(struct attempt *f)
{
	REQUIRE_OK(vm_set_slot(&f->guest.vm, SLOT, SLOT_GPA, SLOT_SIZE, f->slot_memory, 0));
	make_slot(f);
	((struct kvm_userspace_memory_region *)f->argument)->guest_phys_addr += SLOT_SIZE;
	return (uintptr_t)f->argument;
}

static unsigned long make_slot_delete(struct attempt *f)
{
	make_slot_move(f);
	((struct kvm_userspace_memory_region *)f->argument)->memory_size = 0;
	return (uintptr_t)f->argument;
}

/* The log of a slot that has none, and of one that has. */
static unsigned long make_log_on(struct attempt *f)
{
	REQUIRE_OK(vm_set_slot(&f->guest.vm, SLOT, SLOT_GPA, SLOT_SIZE, f->slot_memory, 0));
	return make_slot_with_log(f);
}

static unsigned long make_log_off(struct attempt *f)
{
	REQUIRE_OK(vm_set_slot(&f->guest.vm, SLOT, SLOT_GPA, SLOT_SIZE, f->slot_memory,
			       KVM_MEM_LOG_DIRTY_PAGES));
	return make_slot(f);
}

static unsigned long make_dirty_log(struct attempt *f)
{
	make_slot_with_log(f);
	REQUIRE(ioctl(f->fd, KVM_SET_USER_MEMORY_REGION, f->argument) == 0);
	*(struct kvm_dirty_log *)f->argument =
		(struct kvm_dirty_log){ .slot = SLOT, .dirty_bitmap = f->scratch };
	return (uintptr_t)f->argument;
}

static void enable_cap(int fd, uint32_t cap, uint64_t value)
{
	struct kvm_enable_cap enable = { .cap = cap, .args = { value } };

	REQUIRE(ioctl(fd, KVM_ENABLE_CAP, &enable) == 0, "capability %u: %s", cap, strerror(errno));
}

static unsigned long make_clear_log(struct attempt *f)
{
	enable_cap(f->fd, KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2, 1);
	make_dirty_log(f);
	*(struct kvm_clear_dirty_log *)f->argument = (struct kvm_clear_dirty_log){
		.slot = SLOT, .num_pages = SLOT_SIZE / PAGE, .dirty_bitmap = f->scratch
	};
	return (uintptr_t)f->argument;
}

static unsigned long make_enable_cap(struct attempt *f)
{
	*(struct kvm_enable_cap *)f->argument =
		(struct kvm_enable_cap){ .cap = KVM_CAP_X86_USER_SPACE_MSR,
					 .args = { KVM_MSR_EXIT_REASON_UNKNOWN } };
	return (uintptr_t)f->argument;
}

static unsigned long make_zone(struct attempt *f)
{
	*(struct kvm_coalesced_mmio_zone *)f->argument =
		(struct kvm_coalesced_mmio_zone){ .addr = 0xfee00000, .size = 8 };
	return (uintptr_t)f->argument;
}

static unsigned long make_msr_filter(struct attempt *f)
{
	struct kvm_msr_filter *filter = (struct kvm_msr_filter *)f->argument;

	filter->ranges[0] = (struct kvm_msr_filter_range){
		.flags = KVM_MSR_FILTER_READ,
		.nmsrs = 64,
		.base = MSR_STAR,
		.bitmap = (uint8_t *)f->scratch,
	};
	return (uintptr_t)f->argument;
}

static unsigned long make_list(struct attempt *f)
{
	((struct kvm_msr_list *)f->argument)->nmsrs = 512;
	return (uintptr_t)f->argument;
}

static unsigned long make_msrs(struct attempt *f)
{
	struct kvm_msrs *msrs = (struct kvm_msrs *)f->argument;

	msrs->nmsrs = 1;
	msrs->entries[0].index = MSR_STAR;
	return (uintptr_t)f->argument;
}

/* Of the system's, one that tells a feature. */
static unsigned long make_feature_msrs(struct attempt *f)
{
	struct kvm_msr_list *list = (struct kvm_msr_list *)f->argument;
	struct kvm_msrs *msrs = (struct kvm_msrs *)f->argument;

	list->nmsrs = 512;
	REQUIRE(ioctl(f->fd, KVM_GET_MSR_FEATURE_INDEX_LIST, list) == 0 && list->nmsrs);
	msrs->entries[0].index = list->indices[0];
	msrs->nmsrs = 1;
	return (uintptr_t)f->argument;
}

/* Memory of the guest that no table reaches yet. */
static unsigned long make_range(struct attempt *f)
{
	*(struct kvm_pre_fault_memory *)f->argument =
		(struct kvm_pre_fault_memory){ .gpa = TOUCHED_FROM, .size = PAGE };
	return (uintptr_t)f->argument;
}

static unsigned long make_cpuid_room(struct attempt *f)
{
	((struct kvm_cpuid2 *)f->argument)->nent = 256;
	return (uintptr_t)f->argument;
}

static unsigned long make_cpuid(struct attempt *f)
{
	make_cpuid_room(f);
	REQUIRE(ioctl(f->guest.dev.fd, KVM_GET_SUPPORTED_CPUID, f->argument) == 0);
	return (uintptr_t)f->argument;
}

/* The old form has no subleaves. */
static unsigned long make_old_cpuid(struct attempt *f)
{
	struct kvm_cpuid *cpuid = (struct kvm_cpuid *)f->argument;

	cpuid->nent = 2;
	cpuid->entries[0] = (struct kvm_cpuid_entry){ .function = 0, .eax = 1 };
	cpuid->entries[1] = (struct kvm_cpuid_entry){ .function = 1 };
	return (uintptr_t)f->argument;
}

static unsigned long make_banks(struct attempt *f)
{
	*(uint64_t *)f->argument = 10;
	return (uintptr_t)f->argument;
}

/* A corrected error in a bank that there is. */
static unsigned long make_mce(struct attempt *f)
{
	uint64_t banks = 10;

	REQUIRE(ioctl(f->fd, KVM_X86_SETUP_MCE, &banks) == 0);
	*(struct kvm_x86_mce *)f->argument =
		(struct kvm_x86_mce){ .status = 1ULL << 63, .bank = 1 };
	return (uintptr_t)f->argument;
}

/* A clock that the guest has asked for. */
static unsigned long make_clock_ctrl(struct attempt *f)
{
	struct kvm_msrs *msrs = (struct kvm_msrs *)f->argument;

	msrs->nmsrs = 1;
	msrs->entries[0].index = MSR_KVM_SYSTEM_TIME_NEW;
	msrs->entries[0].data = GUEST_SHARED | 1;
	REQUIRE(ioctl(f->fd, KVM_SET_MSRS, msrs) == 1);
	return 0;
}

static unsigned long make_vcpu_cap(struct attempt *f)
{
	*(struct kvm_enable_cap *)f->argument =
		(struct kvm_enable_cap){ .cap = KVM_CAP_ENFORCE_PV_FEATURE_CPUID, .args = { 1 } };
	return (uintptr_t)f->argument;
}

static unsigned long make_interrupt(struct attempt *f)
{
	((struct kvm_interrupt *)f->argument)->irq = 0x30;
	return (uintptr_t)f->argument;
}

static unsigned long make_signal_mask(struct attempt *f)
{
	((struct kvm_signal_mask *)f->argument)->len = 8;
	return (uintptr_t)f->argument;
}

/* What is to be said before there is a vCPU goes to another VM, which ends with the process. */
static void use_new_vm(struct attempt *f)
{
	f->fd = ioctl(f->guest.dev.fd, KVM_CREATE_VM, 0UL);
	REQUIRE(f->fd >= 0, "another VM: %s", strerror(errno));
}

static unsigned long make_identity_map(struct attempt *f)
{
	use_new_vm(f);
	*(uint64_t *)f->argument = SLOT_GPA;
	return (uintptr_t)f->argument;
}

static unsigned long make_boot_cpu(struct attempt *f)
{
	use_new_vm(f);
	return NEW_VCPU_ID;
}

/* Interrupt controllers come before vCPUs; here is one vCPU, whose descriptor stays open. */
static int use_irqchip(struct attempt *f)
{
	struct kvm_pit_config config = {};
	int vcpu;

	use_new_vm(f);
	REQUIRE(ioctl(f->fd, KVM_CREATE_IRQCHIP, 0UL) == 0, "%s", strerror(errno));
	REQUIRE(ioctl(f->fd, KVM_CREATE_PIT2, &config) == 0, "%s", strerror(errno));
	vcpu = ioctl(f->fd, KVM_CREATE_VCPU, 0UL);
	REQUIRE(vcpu >= 0, "%s", strerror(errno));
	return vcpu;
}

static unsigned long make_create_irqchip(struct attempt *f)
{
	use_new_vm(f);
	return 0;
}

static unsigned long make_create_pit(struct attempt *f)
{
	use_new_vm(f);
	REQUIRE(ioctl(f->fd, KVM_CREATE_IRQCHIP, 0UL) == 0, "%s", strerror(errno));
	return (uintptr_t)f->argument;
}

/* Zeroes: the master of the 8259 pair, line 0, all of the 8254. */
static unsigned long make_with_irqchip(struct attempt *f)
{
	use_irqchip(f);
	return (uintptr_t)f->argument;
}

static unsigned long make_routing(struct attempt *f)
{
	struct kvm_irq_routing *routing = (struct kvm_irq_routing *)f->argument;

	use_irqchip(f);
	routing->nr = 1;
	routing->entries[0].type = KVM_IRQ_ROUTING_MSI;
	return (uintptr_t)f->argument;
}

static unsigned long make_msi(struct attempt *f)
{
	use_irqchip(f);
	*(struct kvm_msi *)f->argument = (struct kvm_msi){ .address_lo = 0xfee00000, .data = 0x40 };
	return (uintptr_t)f->argument;
}

static unsigned long make_irqfd(struct attempt *f)
{
	use_irqchip(f);
	*(struct kvm_irqfd *)f->argument = (struct kvm_irqfd){ .fd = eventfd(0, 0), .gsi = 5 };
	return (uintptr_t)f->argument;
}

static unsigned long make_ioeventfd(struct attempt *f)
{
	*(struct kvm_ioeventfd *)f->argument =
		(struct kvm_ioeventfd){ .fd = eventfd(0, 0), .addr = SLOT_GPA, .len = 4 };
	return (uintptr_t)f->argument;
}

static unsigned long make_get_lapic(struct attempt *f)
{
	f->fd = use_irqchip(f);
	return (uintptr_t)f->argument;
}

static unsigned long make_set_lapic(struct attempt *f)
{
	f->fd = use_irqchip(f);
	REQUIRE(ioctl(f->fd, KVM_GET_LAPIC, f->argument) == 0, "%s", strerror(errno));
	return (uintptr_t)f->argument;
}

static unsigned long make_counts(struct attempt *f)
{
	struct mkvm_counts *counts = (struct mkvm_counts *)f->argument;

	counts->nr_reasons = 64;
	counts->reasons = (uintptr_t)f->scratch;
	return (uintptr_t)f->argument;
}

/* One that can go over, if the processor has both MMUs. */
static unsigned long make_set_mmu(struct attempt *f)
{
	f->fd = ioctl(f->guest.dev.fd, KVM_CREATE_VM, MKVM_VM_SHADOW);
	REQUIRE(f->fd >= 0, "another VM: %s", strerror(errno));
	return f->guest.dev.mmus & 1 ? MKVM_VM_TDP : MKVM_VM_SHADOW;
}

static unsigned long make_mmu_pages(struct attempt *f)
{
	(void)f;
	return 1000;
}

static unsigned long make_tsc_khz(struct attempt *f)
{
	int khz = ioctl(f->fd, KVM_GET_TSC_KHZ, 0UL);

	return khz > 0 ? khz : 1000000;
}

/* Touches memory that needs tables on each level. */
guest_code(code_touch, 64,
	   "mov $0x200000, %rax\n"
	   "1: mov %rax, (%rax)\n"
	   "add $0x200000, %rax\n"
	   "cmp $0x1000000, %rax\n"
	   "jb 1b\n"
	   "hlt\n");

static unsigned long make_run(struct attempt *f)
{
	REQUIRE_OK(vcpu_offer_host_cpuid(&f->guest.vcpu[0], &f->guest.dev));
	guest_load(&f->guest, code_touch);
	guest_start(&f->guest, 0, MODE_LONG);
	return 0;
}

/* It was called once more after its failure, and has to have done its work. */
static void check_run(struct attempt *f)
{
	uint64_t at;

	REQUIRE(f->guest.vcpu[0].run->exit_reason == KVM_EXIT_HLT, "exit %u",
		f->guest.vcpu[0].run->exit_reason);
	for (at = TOUCHED_FROM; at < GUEST_MEM_SIZE; at += TOUCHED_FROM)
		REQUIRE(*(uint64_t *)guest_at(&f->guest, at, 8) == at);
}

#define ALLOCATES true

const struct recipe recipes[] = {
	{ KVM_CREATE_VM, FD_SYSTEM, "", ALLOCATES, NULL, NULL },
	{ KVM_CHECK_EXTENSION, FD_SYSTEM, "", false, make_extension, NULL },
	{ KVM_GET_MSR_INDEX_LIST, FD_SYSTEM, "", false, make_list, NULL },
	{ KVM_GET_MSR_FEATURE_INDEX_LIST, FD_SYSTEM, "", false, make_list, NULL },
	{ KVM_GET_MSRS, FD_SYSTEM, "", ALLOCATES, make_feature_msrs, NULL },
	{ KVM_GET_SUPPORTED_CPUID, FD_SYSTEM, "", ALLOCATES, make_cpuid_room, NULL },
	{ KVM_GET_EMULATED_CPUID, FD_SYSTEM, "", false, make_cpuid_room, NULL },
	{ KVM_CHECK_EXTENSION, FD_VM, "", false, make_extension, NULL },
	{ KVM_CREATE_VCPU, FD_VM, "", ALLOCATES, make_vcpu, NULL },
	{ MKVM_SET_MMU, FD_VM, "", false, make_set_mmu, NULL },
	{ KVM_ENABLE_CAP, FD_VM, "", false, make_enable_cap, NULL },
	{ KVM_SET_USER_MEMORY_REGION, FD_VM, ", add", ALLOCATES, make_slot, NULL },
	{ KVM_SET_USER_MEMORY_REGION, FD_VM, ", move", ALLOCATES, make_slot_move, NULL },
	{ KVM_SET_USER_MEMORY_REGION, FD_VM, ", delete", ALLOCATES, make_slot_delete, NULL },
	{ KVM_SET_USER_MEMORY_REGION, FD_VM, ", add, log", ALLOCATES, make_slot_with_log, NULL },
	{ KVM_SET_USER_MEMORY_REGION, FD_VM, ", log on", ALLOCATES, make_log_on, NULL },
	{ KVM_SET_USER_MEMORY_REGION, FD_VM, ", log off", ALLOCATES, make_log_off, NULL },
	{ KVM_SET_USER_MEMORY_REGION2, FD_VM, "", ALLOCATES, make_slot, NULL },
	{ KVM_GET_DIRTY_LOG, FD_VM, "", false, make_dirty_log, NULL },
	{ KVM_CLEAR_DIRTY_LOG, FD_VM, "", false, make_clear_log, NULL },
	{ KVM_SET_NR_MMU_PAGES, FD_VM, "", false, make_mmu_pages, NULL },
	{ KVM_SET_IDENTITY_MAP_ADDR, FD_VM, "", false, make_identity_map, NULL },
	{ KVM_SET_BOOT_CPU_ID, FD_VM, "", false, make_boot_cpu, NULL },
	{ KVM_SET_TSC_KHZ, FD_VM, "", false, make_tsc_khz, NULL },
	{ KVM_REGISTER_COALESCED_MMIO, FD_VM, "", ALLOCATES, make_zone, NULL },
	{ KVM_UNREGISTER_COALESCED_MMIO, FD_VM, "", false, make_zone, NULL },
	{ KVM_X86_SET_MSR_FILTER, FD_VM, "", ALLOCATES, make_msr_filter, NULL },
	{ KVM_GET_STATS_FD, FD_VM, "", ALLOCATES, NULL, NULL },
	{ KVM_CREATE_IRQCHIP, FD_VM, "", ALLOCATES, make_create_irqchip, NULL },
	{ KVM_GET_IRQCHIP, FD_VM, "", ALLOCATES, make_with_irqchip, NULL },
	{ KVM_SET_IRQCHIP, FD_VM, "", ALLOCATES, make_with_irqchip, NULL },
	{ KVM_IRQ_LINE, FD_VM, "", false, make_with_irqchip, NULL },
	{ KVM_IRQ_LINE_STATUS, FD_VM, "", false, make_with_irqchip, NULL },
	{ KVM_SET_GSI_ROUTING, FD_VM, "", ALLOCATES, make_routing, NULL },
	{ KVM_SIGNAL_MSI, FD_VM, "", false, make_msi, NULL },
	{ KVM_IRQFD, FD_VM, "", ALLOCATES, make_irqfd, NULL },
	{ KVM_IOEVENTFD, FD_VM, "", ALLOCATES, make_ioeventfd, NULL },
	{ KVM_CREATE_PIT, FD_VM, "", ALLOCATES, make_create_pit, NULL },
	{ KVM_CREATE_PIT2, FD_VM, "", ALLOCATES, make_create_pit, NULL },
	{ KVM_GET_PIT, FD_VM, "", false, make_with_irqchip, NULL },
	{ KVM_SET_PIT, FD_VM, "", false, make_with_irqchip, NULL },
	{ KVM_GET_PIT2, FD_VM, "", false, make_with_irqchip, NULL },
	{ KVM_SET_PIT2, FD_VM, "", false, make_with_irqchip, NULL },
	{ KVM_REINJECT_CONTROL, FD_VM, "", false, make_with_irqchip, NULL },
	{ KVM_GET_LAPIC, FD_VCPU, "", ALLOCATES, make_get_lapic, NULL },
	{ KVM_SET_LAPIC, FD_VCPU, "", ALLOCATES, make_set_lapic, NULL },
	{ KVM_RUN, FD_VCPU, "", ALLOCATES, make_run, check_run },
	{ KVM_GET_MSRS, FD_VCPU, "", ALLOCATES, make_msrs, NULL },
	{ KVM_SET_MSRS, FD_VCPU, "", ALLOCATES, make_msrs, NULL },
	{ KVM_GET_CPUID2, FD_VCPU, "", false, make_cpuid_room, NULL },
	{ KVM_SET_CPUID2, FD_VCPU, "", ALLOCATES, make_cpuid, NULL },
	{ KVM_SET_CPUID, FD_VCPU, "", ALLOCATES, make_old_cpuid, NULL },
	{ KVM_X86_SETUP_MCE, FD_VCPU, "", false, make_banks, NULL },
	{ KVM_X86_SET_MCE, FD_VCPU, "", false, make_mce, NULL },
	{ KVM_KVMCLOCK_CTRL, FD_VCPU, "", false, make_clock_ctrl, NULL },
	{ KVM_ENABLE_CAP, FD_VCPU, "", false, make_vcpu_cap, NULL },
	{ KVM_SET_TSC_KHZ, FD_VCPU, "", false, make_tsc_khz, NULL },
	{ KVM_PRE_FAULT_MEMORY, FD_VCPU, "", ALLOCATES, make_range, NULL },
	{ KVM_INTERRUPT, FD_VCPU, "", false, make_interrupt, NULL },
	{ KVM_SET_SIGNAL_MASK, FD_VCPU, "", false, make_signal_mask, NULL },
	{ KVM_GET_STATS_FD, FD_VCPU, "", ALLOCATES, NULL, NULL },
	{ KVM_GET_FPU, FD_VCPU, "", ALLOCATES, NULL, NULL },
	{ KVM_SET_FPU, FD_VCPU, "", ALLOCATES, NULL, NULL },
	{ KVM_GET_XSAVE, FD_VCPU, "", ALLOCATES, NULL, NULL },
	{ KVM_GET_XSAVE2, FD_VCPU, "", ALLOCATES, NULL, NULL },
	{ KVM_SET_XSAVE, FD_VCPU, "", ALLOCATES, NULL, NULL },
	{ MKVM_GET_COUNTS, FD_VCPU, "", false, make_counts, NULL },
};

const size_t nr_recipes = sizeof(recipes) / sizeof(recipes[0]);

/* The argument for a call of @info's ioctl by @recipe, which may be NULL. */
unsigned long recipe_argument(struct attempt *f, const struct ioctl_info *info,
			      const struct recipe *recipe)
{
	memset(f->argument, 0, sizeof(f->argument));
	if (recipe && recipe->make)
		return recipe->make(f);
	if (info->get)
		REQUIRE(ioctl(f->fd, info->get, f->argument) == 0, "%s: its getter: %s", info->name,
			strerror(errno));
	return info->size ? (uintptr_t)f->argument : 0;
}
