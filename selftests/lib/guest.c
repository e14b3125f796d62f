// SPDX-License-Identifier: GPL-2.0-only
/*
 * The test's virtual machine.  Its device is the launcher's: /dev/mkvm, or what MKVM_DEVICE names;
 * its MMU is what MKVM_MMU names (tdp, shadow), by default the device's own choice.
 */
#include "guest.h"

#include <errno.h>
#include <linux/mkvm.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "audit.h"
#include "host.h"
#include "lib/names.h"

extern const unsigned char trap_code[], trap_code_end[];
#define TRAP_STUB_SIZE 16

void device_open(struct kvm_dev *dev)
{
	const char *path = kvm_dev_default();
	int err = kvm_dev_open(dev, path);

	REQUIRE(!err, "%s: %s", path, strerror(-err));
}

/* What it says that its VMs can have. */
#define MMU_SHADOW 2

void device_needs_shadow(void)
{
	struct kvm_dev dev;
	bool has;

	device_open(&dev);
	has = dev.mmus & MMU_SHADOW;
	kvm_dev_close(&dev);
	if (!has)
		ktap_skip("no shadow paging here");
}

/* The type to create a VM with. */
unsigned long device_vm_type(void)
{
	const char *mmu = getenv("MKVM_MMU");

	if (!mmu || !*mmu)
		return MKVM_VM_DEFAULT;
	if (strcmp(mmu, "tdp") == 0)
		return MKVM_VM_TDP;
	REQUIRE(strcmp(mmu, "shadow") == 0, "MKVM_MMU=%s: expected tdp or shadow", mmu);
	return MKVM_VM_SHADOW;
}

/*
 * No CPUs yet.  4 KiB pages behind all memory, so that what a test counts does not depend on luck.
 */
void guest_create_vm_around(struct guest *guest)
{
	memset(guest, 0, sizeof(*guest));
	device_open(&guest->dev);
	REQUIRE_OK(vm_create(&guest->vm, &guest->dev, device_vm_type()));
	REQUIRE_OK(mem_create(&guest->mem, 0, GUEST_MEM_SIZE));
	madvise(guest->mem.host, guest->mem.size, MADV_NOHUGEPAGE);
	REQUIRE_OK(mem_attach(&guest->mem, &guest->vm, 0));
	REQUIRE_OK(mode_build_gdt(&guest->mem, GUEST_GDT, GUEST_TSS));
}

/* The same, with a fault a page. */
void guest_create_vm(struct guest *guest)
{
	guest_create_vm_around(guest);
	if (kvm_dev_is_mkvm(&guest->dev))
		REQUIRE_OK(vm_enable_cap(&guest->vm, MKVM_CAP_FAULT_AROUND, 1));
}

/* Their ids go on from those that are there. */
void guest_add_cpus(struct guest *guest, unsigned int nr_cpus)
{
	unsigned int end = guest->nr_cpus + nr_cpus;

	REQUIRE(end <= GUEST_MAX_VCPUS, "too many CPUs");
	for (; guest->nr_cpus < end; guest->nr_cpus++) {
		struct vcpu *vcpu = &guest->vcpu[guest->nr_cpus];

		REQUIRE_OK(vcpu_create(vcpu, &guest->dev, &guest->vm, guest->nr_cpus));
	}
}

void guest_create_without_cpuid(struct guest *guest, unsigned int nr_cpus)
{
	REQUIRE(nr_cpus <= GUEST_MAX_CPUS, "too many CPUs");
	guest_create_vm(guest);
	guest_add_cpus(guest, nr_cpus);
}

void guest_create(struct guest *guest, unsigned int nr_cpus)
{
	unsigned int i;

	guest_create_without_cpuid(guest, nr_cpus);
	for (i = 0; i < nr_cpus; i++)
		REQUIRE_OK(vcpu_offer_host_cpuid(&guest->vcpu[i], &guest->dev));
}

/* vm_close() audits too, but then the vCPUs' roots are gone. */
void guest_destroy(struct guest *guest)
{
	audit_vms();
	while (guest->nr_cpus)
		vcpu_destroy(&guest->vcpu[--guest->nr_cpus]);
	vm_close(&guest->vm);
	mem_destroy(&guest->mem);
	kvm_dev_close(&guest->dev);
}

void *guest_at(const struct guest *guest, uint64_t gpa, size_t len)
{
	void *at = mem_at(&guest->mem, gpa, len);

	REQUIRE(at, "guest physical 0x%llx is outside", (unsigned long long)gpa);
	return at;
}

volatile uint64_t *guest_shared(const struct guest *guest)
{
	return guest_at(guest, GUEST_SHARED, 0x1000);
}

void __guest_load(struct guest *guest, const void *code, size_t size)
{
	REQUIRE(size && size <= GUEST_CODE_END - GUEST_CODE, "guest code of %zu bytes", size);
	memcpy(guest_at(guest, GUEST_CODE, size), code, size);
}

/*
 * All CPUs of a guest that are in a paged mode share its tables, so they are in the same one.
 *
 * Interrupts are enabled, though none ever come: under Bochs 2.7 the host's own interrupts do not
 * end a guest's run while the guest has them disabled, so one that loops would stop its host.
 */
void guest_start(struct guest *guest, unsigned int cpu, enum cpu_mode mode)
{
	struct kvm_regs regs = {
		.rip = GUEST_CODE,
		.rsp = GUEST_STACKS - cpu * GUEST_STACK_SIZE - (mode == MODE_REAL ? 16 : 0),
		.rflags = X86_RFLAGS_FIXED | X86_RFLAGS_IF,
		.rdi = cpu,
	};
	struct kvm_sregs sregs = guest_sregs(guest, cpu);

	if (cpu == 0)
		REQUIRE_OK(mode_build_tables(&guest->mem, GUEST_TABLES, mode));
	mode_set(&sregs, mode, GUEST_GDT, GUEST_TABLES);
	REQUIRE_OK(vcpu_set_sregs(&guest->vcpu[cpu], &sregs));
	REQUIRE_OK(vcpu_set_regs(&guest->vcpu[cpu], &regs));
}

void guest_set_rip(struct guest *guest, unsigned int cpu, uint64_t rip)
{
	struct kvm_regs regs = guest_regs(guest, cpu);

	regs.rip = rip;
	REQUIRE_OK(vcpu_set_regs(&guest->vcpu[cpu], &regs));
}

/* An IRET to the instruction behind it. */
guest_code(code_guest_iret, 64,
	   "mov %rsp, %rcx\n"
	   "mov %ss, %eax\n"
	   "push %rax\n"
	   "push %rcx\n"
	   "pushfq\n"
	   "mov %cs, %eax\n"
	   "push %rax\n"
	   "lea 1f(%rip), %rax\n"
	   "push %rax\n"
	   "iretq\n"
	   "1: hlt\n");

/*
 * For a test that delivers NMIs.  In Bochs 2.7 they stay masked on a processor when a vCPU leaves
 * it while they are, whatever the next one's state says, until an IRET in any guest: one is
 * executed here.  The thread stays on that processor.
 */
void guest_unmask_nmis(void)
{
	struct guest guest;

	if (!host_is_bochs())
		return;
	host_pin(0);
	guest_create(&guest, 1);
	guest_load(&guest, code_guest_iret);
	guest_start(&guest, 0, MODE_LONG);
	guest_run_to_hlt(&guest, 0);
	guest_destroy(&guest);
}

/*
 * 64-bit mode: from now on an exception is logged.  Then the guest goes on at the address in r15,
 * or halts if that is 0.
 */
void guest_enable_traps(struct guest *guest, unsigned int cpu)
{
	struct kvm_sregs sregs = guest_sregs(guest, cpu);
	uint64_t *idt = guest_at(guest, GUEST_IDT, 32 * 16);
	unsigned int vector;

	memcpy(guest_at(guest, GUEST_TRAPS, trap_code_end - trap_code), trap_code,
	       trap_code_end - trap_code);
	memset(guest_at(guest, GUEST_TRAP_LOG, 0x1000), 0, 0x1000);
	for (vector = 0; vector < 32; vector++) {
		uint64_t handler = GUEST_TRAPS + vector * TRAP_STUB_SIZE;

		/* An interrupt gate to ring 0; the handlers are below 64 KiB. */
		idt[2 * vector] = handler | (uint64_t)SEL_CODE64 << 16 | 0x8eULL << 40;
		idt[2 * vector + 1] = 0;
	}
	sregs.idt.base = GUEST_IDT;
	sregs.idt.limit = 32 * 16 - 1;
	REQUIRE_OK(vcpu_set_sregs(&guest->vcpu[cpu], &sregs));
}

void __guest_begin(struct guest *guest, const void *code, size_t size)
{
	guest_create(guest, 1);
	__guest_load(guest, code, size);
	guest_start(guest, 0, MODE_LONG);
	guest_enable_traps(guest, 0);
}

guest_code(code_rdmsr, 64,
	   "rdmsr\n"
	   "hlt\n");
guest_code(code_wrmsr, 64,
	   "wrmsr\n"
	   "hlt\n");

/* CPU 0 is about to read or write a register, and then halts; either instruction has two bytes. */
void guest_start_msr(struct guest *guest, bool write, uint32_t msr, uint64_t rax, uint64_t rdx)
{
	struct kvm_regs regs;

	if (write)
		guest_load(guest, code_wrmsr);
	else
		guest_load(guest, code_rdmsr);
	guest_start(guest, 0, MODE_LONG);
	guest_enable_traps(guest, 0);
	regs = guest_regs(guest, 0);
	regs.rcx = msr;
	regs.rax = rax;
	regs.rdx = rdx;
	REQUIRE_OK(vcpu_set_regs(&guest->vcpu[0], &regs));
}

uint64_t guest_nr_traps(const struct guest *guest)
{
	return *(volatile uint64_t *)guest_at(guest, GUEST_TRAP_LOG, 8);
}

struct trap guest_trap(const struct guest *guest, uint64_t i)
{
	struct trap trap;

	REQUIRE(i < guest_nr_traps(guest) && i < TRAP_LOG_RECORDS, "the guest took %llu exceptions",
		(unsigned long long)guest_nr_traps(guest));
	memcpy(&trap,
	       guest_at(guest, GUEST_TRAP_LOG + TRAP_LOG_FIRST + i * TRAP_LOG_RECORD, sizeof(trap)),
	       sizeof(trap));
	return trap;
}

/* Runs until an exit that is not a signal's; answers its reason. */
uint32_t guest_run(struct guest *guest, unsigned int cpu)
{
	struct vcpu *vcpu = &guest->vcpu[cpu];
	int err;

	do {
		err = vcpu_run(vcpu);
	} while (err == -EINTR || err == -EAGAIN);
	REQUIRE(!err, "KVM_RUN of CPU %u: %s", cpu, strerror(-err));
	return vcpu->run->exit_reason;
}

/* The last exit was this one; if not, tells which it was and ends the test. */
void guest_expect_exit(struct guest *guest, unsigned int cpu, uint32_t reason)
{
	const struct kvm_run *run = guest->vcpu[cpu].run;
	const char *is = name_of_exit(run->exit_reason), *expected = name_of_exit(reason);
	struct kvm_regs regs;

	if (run->exit_reason == reason)
		return;
	regs = guest_regs(guest, cpu);
	ktap_note("CPU %u: rip 0x%llx rax 0x%llx rflags 0x%llx, hardware reason or suberror 0x%llx",
		  cpu, regs.rip, regs.rax, regs.rflags, run->hw.hardware_exit_reason);
	REQUIRE(false, "expected exit %s, is %s (%u)", expected ? expected : "?", is ? is : "?",
		run->exit_reason);
}

void guest_run_to_hlt(struct guest *guest, unsigned int cpu)
{
	guest_run(guest, cpu);
	guest_expect_exit(guest, cpu, KVM_EXIT_HLT);
}

/* The guest is at its next OUT to PORT_SYNC; it goes on behind it. */
void guest_run_to_sync(struct guest *guest, unsigned int cpu)
{
	const struct kvm_run *run = guest->vcpu[cpu].run;

	guest_run(guest, cpu);
	guest_expect_exit(guest, cpu, KVM_EXIT_IO);
	REQUIRE(run->io.port == PORT_SYNC && run->io.direction == KVM_EXIT_IO_OUT,
		"expected an OUT to port 0x%x, is port 0x%x", PORT_SYNC, run->io.port);
}

struct kvm_regs guest_regs(const struct guest *guest, unsigned int cpu)
{
	struct kvm_regs regs;

	REQUIRE_OK(vcpu_get_regs(&guest->vcpu[cpu], &regs));
	return regs;
}

struct kvm_sregs guest_sregs(const struct guest *guest, unsigned int cpu)
{
	struct kvm_sregs sregs;

	REQUIRE_OK(vcpu_get_sregs(&guest->vcpu[cpu], &sregs));
	return sregs;
}

/* Of a CPU that is not running; what must agree is checked. */
void guest_counts(const struct guest *guest, unsigned int cpu, struct counts *counts)
{
	uint64_t causes = 0, reasons = 0;
	uint32_t i;

	REQUIRE_OK(counts_get(counts, &guest->vcpu[cpu]));
	for (i = 0; i < 32; i++)
		causes += counts->sum.causes[i];
	for (i = 0; i < counts->sum.nr_reasons; i++)
		reasons += counts->reasons[i].count;
	EXPECT_EQ(counts->sum.mmu_exits, causes);
	EXPECT_EQ(counts->sum.exits, reasons);
	EXPECT_EQ(0, counts->sum.causes[MKVM_CAUSE_NONE]);
}
