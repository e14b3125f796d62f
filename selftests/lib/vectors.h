/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A guest with interrupt controllers in the kernel, and its handlers for all 256 vectors: each
 * interrupt is counted, and noted in a log in the order of arrival, and ended as the vector's entry
 * in a table says.
 */
#ifndef SELFTESTS_VECTORS_H
#define SELFTESTS_VECTORS_H

/* In the guest's memory, each at an address that 32 bits hold */
#define VEC_CODE    0x100000
#define VEC_IDT	    0x104000
#define VEC_COUNTS  0x105000 /* 64 bits each */
#define VEC_ENDS    0x106000 /* a byte each */
#define VEC_LOG	    0x107000 /* how many, then 32 bits each: the vector, and the CPU << 8 */
#define VEC_ARRIVED 0x108000 /* 64 bits for each CPU: how many interrupts it has taken */
#define VEC_STACKS  0x200000 /* a page for each CPU */

#define VEC_STUB_SIZE 16
#define VEC_LOG_MAX   1000

/* How an interrupt ends. */
#define VEC_END_NONE   0
#define VEC_END_XAPIC  1
#define VEC_END_X2APIC 2
#define VEC_END_MASTER 3 /* of the 8259 pair */
#define VEC_END_SLAVE  4
#define VEC_SKIPS      0x40 /* of two bytes is what raised it, and is stepped over */

#define APIC_GPA      0xfee00000
#define APIC_ID	      0x20
#define APIC_VERSION  0x30
#define APIC_TPR      0x80
#define APIC_PPR      0xa0
#define APIC_EOI      0xb0
#define APIC_LDR      0xd0
#define APIC_DFR      0xe0
#define APIC_SVR      0xf0
#define APIC_ISR      0x100
#define APIC_TMR      0x180
#define APIC_IRR      0x200
#define APIC_ESR      0x280
#define APIC_ICR      0x300
#define APIC_ICR2     0x310
#define APIC_LVTT     0x320
#define APIC_LVT0     0x350
#define APIC_LVT1     0x360
#define APIC_TMICT    0x380
#define APIC_TMCCT    0x390
#define APIC_TDCR     0x3e0
#define IOAPIC_GPA    0xfec00000
#define MSR_X2APIC    0x800
#define MSR_APIC_BASE 0x1b
#define APIC_BASE_BSP 0x100
#define APIC_BASE_X2  0x400
#define APIC_BASE_ON  0x800
#define MSR_DEADLINE  0x6e0
#define LVT_MASKED    0x10000
#define LVT_PERIODIC  0x20000
#define LVT_DEADLINE  0x40000
#define LVT_EXTINT    0x700

#ifndef __ASSEMBLER__
#include "guest.h"

/* Guest code: rbx is the local APIC's page; the test looks; until a vector has come n times. */
#define S_APIC	     "mov $" STRING(APIC_GPA) ", %ebx\n"
#define S_SET(r, v)  "movl $" STRING(v) ", " STRING(r) "(%rbx)\n"
#define S_GET(r, to) "movl " STRING(r) "(%rbx), %" #to "\n"
#define S_LOOK	     "out %al, $" S_SYNC "\n"
#define S_WAIT(v, n)                                          \
	"77: cli\n"                                           \
	"cmpq $" #n ", " STRING(VEC_COUNTS) " + 8 * " #v "\n" \
					    "jae 78f\n"       \
					    "sti\n"           \
					    "hlt\n"           \
					    "jmp 77b\n"       \
					    "78: sti\n"

enum vec_kind {
	VEC_KERNEL, /* KVM_CREATE_IRQCHIP */
	VEC_SPLIT,  /* KVM_CAP_SPLIT_IRQCHIP with 24 pins */
};

void vec_create(struct guest *guest, unsigned int nr_cpus, enum vec_kind kind);
void vec_add_cpus(struct guest *guest, unsigned int nr_cpus);
void vec_start(struct guest *guest, unsigned int cpu);
void vec_end_all(const struct guest *guest, uint8_t how);
void vec_end(const struct guest *guest, uint8_t vector, uint8_t how);
uint64_t vec_count(const struct guest *guest, uint8_t vector);
uint64_t vec_logged(const struct guest *guest);
uint8_t vec_log(const struct guest *guest, uint64_t i);
unsigned int vec_log_cpu(const struct guest *guest, uint64_t i);
uint64_t vec_arrived(const struct guest *guest, unsigned int cpu);

int vm_call(const struct guest *guest, unsigned long request, void *argument);
void vec_line(const struct guest *guest, uint32_t gsi, bool level);
uint32_t vec_apic(const struct guest *guest, unsigned int cpu, unsigned int offset);
void vec_set_apic_base(const struct guest *guest, unsigned int cpu, uint64_t base);
void vec_set_apic(const struct guest *guest, unsigned int cpu, unsigned int offset, uint32_t value);
bool vec_apic_bit(const struct guest *guest, unsigned int cpu, unsigned int offset, uint8_t vector);
uint32_t vec_mp_state(const struct guest *guest, unsigned int cpu);
void vec_ioapic_pin(const struct guest *guest, unsigned int pin, uint64_t entry);
uint64_t vec_ioapic_entry(const struct guest *guest, unsigned int pin);
#endif

#endif
