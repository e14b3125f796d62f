/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A small virtual machine for a test: memory, CPUs, code that is copied in and run in a
 * given mode.  Whatever is not the test's own subject ends the test if it fails.
 */
#ifndef SELFTESTS_GUEST_H
#define SELFTESTS_GUEST_H

#include "ktap.h"
#include "layout.h"
#include "lib/counts.h"
#include "lib/mem.h"
#include "lib/mode.h"
#include "lib/vcpu.h"
#include "lib/x86.h"

struct guest {
	struct kvm_dev dev;
	struct vm vm;
	struct mem mem;
	struct vcpu vcpu[GUEST_MAX_VCPUS];
	unsigned int nr_cpus;
};

/* One exception that the guest took. */
struct trap {
	uint64_t vector, error, rip, cs, rflags, rsp, cr2, dr6;
};

/*
 * A piece of guest code in a test's source: guest_code(name, 64, "hlt").  It runs at GUEST_CODE,
 * wherever the program itself was linked: absolute addresses of its labels are AT(label).
 */
/* clang-format off */
#define guest_code(name, bits, text)					\
	extern const unsigned char name[], name##_end[];		\
	asm(".pushsection .rodata.guest, \"a\"\n"			\
	    ".code" #bits "\n"						\
	    #name ":\n"							\
	    text "\n"							\
	    #name "_end:\n"						\
	    ".code64\n"							\
	    ".popsection\n")
/* clang-format on */

/* Code from a .S file. */
#define guest_code_extern(name) extern const unsigned char name[], name##_end[]

#define guest_load(guest, name) __guest_load(guest, name, name##_end - name)

/* A new guest with one CPU in long mode, about to execute it; exceptions are counted. */
#define guest_begin(guest, name) __guest_begin(guest, name, name##_end - name)

/*
 * A claim that some kvm does not fulfil: there its name is told, for the table of differences in
 * Documentation/api.rst to have it.
 */
#define EXPECT_OR_DIFFERS(dev, name, claim, ...)                                \
	do {                                                                    \
		if (!(claim) && kvm_dev_is_mkvm(dev))                           \
			ktap_fail(__FILE__, __LINE__, #claim, " " __VA_ARGS__); \
		else if (!(claim))                                              \
			ktap_differs(name, #claim, " " __VA_ARGS__);            \
	} while (0)

void device_open(struct kvm_dev *dev);
/* On a device without shadow paging of its own (stock kvm, too) the test is skipped. */
void device_needs_shadow(void);
unsigned long device_vm_type(void);

void guest_create(struct guest *guest, unsigned int nr_cpus);
void guest_create_without_cpuid(struct guest *guest, unsigned int nr_cpus);
/* The same in two steps, for what has to come before the CPUs. */
void guest_create_vm(struct guest *guest);
/* The first step for who wants the fault-around that the module gives. */
void guest_create_vm_around(struct guest *guest);
void guest_add_cpus(struct guest *guest, unsigned int nr_cpus);
void guest_destroy(struct guest *guest);
void __guest_load(struct guest *guest, const void *code, size_t size);
void __guest_begin(struct guest *guest, const void *code, size_t size);
void guest_start(struct guest *guest, unsigned int cpu, enum cpu_mode mode);
void guest_start_msr(struct guest *guest, bool write, uint32_t msr, uint64_t rax, uint64_t rdx);
void guest_set_rip(struct guest *guest, unsigned int cpu, uint64_t rip);
void guest_enable_traps(struct guest *guest, unsigned int cpu);
void guest_unmask_nmis(void);
uint64_t guest_nr_traps(const struct guest *guest);
struct trap guest_trap(const struct guest *guest, uint64_t i);

uint32_t guest_run(struct guest *guest, unsigned int cpu);
void guest_run_to_hlt(struct guest *guest, unsigned int cpu);
void guest_run_to_sync(struct guest *guest, unsigned int cpu);
void guest_expect_exit(struct guest *guest, unsigned int cpu, uint32_t reason);

struct kvm_regs guest_regs(const struct guest *guest, unsigned int cpu);
struct kvm_sregs guest_sregs(const struct guest *guest, unsigned int cpu);
void *guest_at(const struct guest *guest, uint64_t gpa, size_t len);
volatile uint64_t *guest_shared(const struct guest *guest);
void guest_counts(const struct guest *guest, unsigned int cpu, struct counts *counts);

#endif
