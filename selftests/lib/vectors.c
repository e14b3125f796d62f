// SPDX-License-Identifier: GPL-2.0-only
/* A guest with interrupt controllers in the kernel: see vectors.h. */
#include "vectors.h"

#include <errno.h>
#include <linux/mkvm_kvm.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

extern const unsigned char vec_code[], vec_code_end[];

#define NR_VECTORS	   256
#define CPUID_ENTRIES	   256
#define CPUID_TSC_DEADLINE (1u << 24)

int vm_call(const struct guest *guest, unsigned long request, void *argument)
{
	int answer = ioctl(guest->vm.fd, request, argument);

	return answer < 0 ? -errno : answer;
}

static void build_idt(const struct guest *guest)
{
	uint64_t *idt = guest_at(guest, VEC_IDT, NR_VECTORS * 16);
	unsigned int i;

	for (i = 0; i < NR_VECTORS; i++) {
		uint64_t handler = VEC_CODE + i * VEC_STUB_SIZE;

		/* An interrupt gate to ring 0. */
		idt[2 * i] = (handler & 0xffff) | (uint64_t)SEL_CODE64 << 16 | 0x8eULL << 40 |
			     (handler >> 16 & 0xffff) << 48;
		idt[2 * i + 1] = 0;
	}
}

void vec_create(struct guest *guest, unsigned int nr_cpus, enum vec_kind kind)
{
	guest_create_vm(guest);
	if (kind == VEC_KERNEL)
		REQUIRE_OK(vm_call(guest, KVM_CREATE_IRQCHIP, NULL));
	else
		REQUIRE_OK(vm_enable_cap(&guest->vm, KVM_CAP_SPLIT_IRQCHIP, 24));
	vec_add_cpus(guest, nr_cpus);
	memcpy(guest_at(guest, VEC_CODE, vec_code_end - vec_code), vec_code,
	       vec_code_end - vec_code);
	build_idt(guest);
	vec_end_all(guest, VEC_END_XAPIC);
}

/* What the device offers, and the timer's deadline mode, of which a capability tells instead. */
void vec_add_cpus(struct guest *guest, unsigned int nr_cpus)
{
	unsigned int i, first = guest->nr_cpus;
	struct kvm_cpuid2 *cpuid =
		calloc(1, sizeof(*cpuid) + CPUID_ENTRIES * sizeof(cpuid->entries[0]));

	REQUIRE(cpuid, "no memory");
	cpuid->nent = CPUID_ENTRIES;
	REQUIRE(ioctl(guest->dev.fd, KVM_GET_SUPPORTED_CPUID, cpuid) == 0, "%s", strerror(errno));
	for (i = 0; i < cpuid->nent; i++)
		if (cpuid->entries[i].function == 1)
			cpuid->entries[i].ecx |= CPUID_TSC_DEADLINE;
	guest_add_cpus(guest, nr_cpus);
	for (i = first; i < first + nr_cpus; i++)
		REQUIRE_OK(vcpu_call(&guest->vcpu[i], KVM_SET_CPUID2, cpuid));
	free(cpuid);
}

/* In long mode at GUEST_CODE, running, its local APIC switched on; rdi says which CPU it is. */
void vec_start(struct guest *guest, unsigned int cpu)
{
	struct kvm_mp_state runs = { KVM_MP_STATE_RUNNABLE };
	struct kvm_sregs sregs = guest_sregs(guest, cpu);
	struct kvm_regs regs = {
		.rip = GUEST_CODE,
		.rsp = VEC_STACKS + (cpu + 1) * 0x1000 - 8,
		.rflags = X86_RFLAGS_FIXED | X86_RFLAGS_IF,
		.rdi = cpu,
	};

	if (cpu == 0)
		REQUIRE_OK(mode_build_tables(&guest->mem, GUEST_TABLES, MODE_LONG));
	mode_set(&sregs, MODE_LONG, GUEST_GDT, GUEST_TABLES);
	sregs.idt.base = VEC_IDT;
	sregs.idt.limit = NR_VECTORS * 16 - 1;
	REQUIRE_OK(vcpu_set_sregs(&guest->vcpu[cpu], &sregs));
	REQUIRE_OK(vcpu_set_regs(&guest->vcpu[cpu], &regs));
	REQUIRE_OK(vcpu_call(&guest->vcpu[cpu], KVM_SET_MP_STATE, &runs));
	vec_set_apic(guest, cpu, APIC_SVR, 0x1ff);
}

void vec_end_all(const struct guest *guest, uint8_t how)
{
	memset(guest_at(guest, VEC_ENDS, NR_VECTORS), how, NR_VECTORS);
}

void vec_end(const struct guest *guest, uint8_t vector, uint8_t how)
{
	*(uint8_t *)guest_at(guest, VEC_ENDS + vector, 1) = how;
}

uint64_t vec_count(const struct guest *guest, uint8_t vector)
{
	return *(volatile uint64_t *)guest_at(guest, VEC_COUNTS + 8 * vector, 8);
}

uint64_t vec_arrived(const struct guest *guest, unsigned int cpu)
{
	return *(volatile uint64_t *)guest_at(guest, VEC_ARRIVED + 8 * cpu, 8);
}

uint64_t vec_logged(const struct guest *guest)
{
	return *(volatile uint32_t *)guest_at(guest, VEC_LOG, 4);
}

static uint32_t log_entry(const struct guest *guest, uint64_t i)
{
	REQUIRE(i < vec_logged(guest) && i < VEC_LOG_MAX, "only %llu interrupts came",
		(unsigned long long)vec_logged(guest));
	return *(volatile uint32_t *)guest_at(guest, VEC_LOG + 8 + 4 * i, 4);
}

uint8_t vec_log(const struct guest *guest, uint64_t i)
{
	return log_entry(guest, i);
}

unsigned int vec_log_cpu(const struct guest *guest, uint64_t i)
{
	return log_entry(guest, i) >> 8;
}

void vec_line(const struct guest *guest, uint32_t gsi, bool level)
{
	struct kvm_irq_level line = { .irq = gsi, .level = level };

	REQUIRE_OK(vm_call(guest, KVM_IRQ_LINE, &line));
}

uint32_t vec_apic(const struct guest *guest, unsigned int cpu, unsigned int offset)
{
	struct kvm_lapic_state state;
	uint32_t value;

	REQUIRE_OK(vcpu_call(&guest->vcpu[cpu], KVM_GET_LAPIC, &state));
	memcpy(&value, state.regs + offset, sizeof(value));
	return value;
}

void vec_set_apic_base(const struct guest *guest, unsigned int cpu, uint64_t base)
{
	struct kvm_sregs sregs = guest_sregs(guest, cpu);

	sregs.apic_base = base;
	REQUIRE_OK(vcpu_set_sregs(&guest->vcpu[cpu], &sregs));
}

void vec_set_apic(const struct guest *guest, unsigned int cpu, unsigned int offset, uint32_t value)
{
	struct kvm_lapic_state state;

	REQUIRE_OK(vcpu_call(&guest->vcpu[cpu], KVM_GET_LAPIC, &state));
	memcpy(state.regs + offset, &value, sizeof(value));
	REQUIRE_OK(vcpu_call(&guest->vcpu[cpu], KVM_SET_LAPIC, &state));
}

/* Of IRR, ISR or TMR */
bool vec_apic_bit(const struct guest *guest, unsigned int cpu, unsigned int offset, uint8_t vector)
{
	return vec_apic(guest, cpu, offset + vector / 32 * 0x10) >> vector % 32 & 1;
}

uint32_t vec_mp_state(const struct guest *guest, unsigned int cpu)
{
	struct kvm_mp_state state;

	REQUIRE_OK(vcpu_call(&guest->vcpu[cpu], KVM_GET_MP_STATE, &state));
	return state.mp_state;
}

void vec_ioapic_pin(const struct guest *guest, unsigned int pin, uint64_t entry)
{
	struct kvm_irqchip chip = { .chip_id = KVM_IRQCHIP_IOAPIC };

	REQUIRE_OK(vm_call(guest, KVM_GET_IRQCHIP, &chip));
	chip.chip.ioapic.redirtbl[pin].bits = entry;
	REQUIRE_OK(vm_call(guest, KVM_SET_IRQCHIP, &chip));
}

uint64_t vec_ioapic_entry(const struct guest *guest, unsigned int pin)
{
	struct kvm_irqchip chip = { .chip_id = KVM_IRQCHIP_IOAPIC };

	REQUIRE_OK(vm_call(guest, KVM_GET_IRQCHIP, &chip));
	return chip.chip.ioapic.redirtbl[pin].bits;
}
