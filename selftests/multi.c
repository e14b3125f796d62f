// SPDX-License-Identifier: GPL-2.0-only
/*
 * Many VMs and vCPUs at once, and the order in which their descriptors are closed.
 */
#include <errno.h>
#include <linux/kvm.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "lib/guest.h"

#define NR_VMS	    4
#define NR_CPUS	    2
#define NR_WORDS    0x20000 /* 1 MiB of them */
#define NUMBERS_GPA 0x100000

/* Sums the words of a region, each CPU from its own end, and stores every sum on the way. */
guest_code(code_sum, 64,
	   "xor %eax, %eax\n"
	   "1: add (%rsi), %rax\n"
	   "mov %rax, (%rbx)\n"
	   "add %rdx, %rsi\n"
	   "dec %rcx\n"
	   "jnz 1b\n"
	   "hlt\n");

struct vm_of_many {
	struct guest guest;
	uint64_t sum;
};

struct cpu_of_many {
	struct vm_of_many *vm;
	unsigned int cpu;
	pthread_t thread;
};

static void fill(struct vm_of_many *vm, uint64_t seed)
{
	uint64_t *numbers = guest_at(&vm->guest, NUMBERS_GPA, NR_WORDS * 8);
	uint64_t i, value = seed * 0x9e3779b97f4a7c15;

	vm->sum = 0;
	for (i = 0; i < NR_WORDS; i++) {
		value = value * 6364136223846793005 + seed;
		numbers[i] = value;
		vm->sum += value;
	}
}

static void prepare(struct vm_of_many *vm, unsigned int cpu)
{
	struct kvm_regs regs;

	guest_start(&vm->guest, cpu, MODE_LONG);
	regs = guest_regs(&vm->guest, cpu);
	regs.rsi = cpu ? NUMBERS_GPA + (NR_WORDS - 1) * 8 : NUMBERS_GPA;
	regs.rdx = cpu ? -8 : 8;
	regs.rcx = NR_WORDS;
	regs.rbx = GUEST_SHARED + 8 * cpu;
	REQUIRE_OK(vcpu_set_regs(&vm->guest.vcpu[cpu], &regs));
}

static void *run(void *data)
{
	struct cpu_of_many *cpu = data;

	guest_run_to_hlt(&cpu->vm->guest, cpu->cpu);
	return NULL;
}

static void vms_and_vcpus_at_once(void)
{
	struct cpu_of_many cpus[NR_VMS][NR_CPUS];
	struct vm_of_many vms[NR_VMS];
	unsigned int i, j;

	for (i = 0; i < NR_VMS; i++) {
		guest_create(&vms[i].guest, NR_CPUS);
		guest_load(&vms[i].guest, code_sum);
		fill(&vms[i], i + 1);
		for (j = 0; j < NR_CPUS; j++) {
			prepare(&vms[i], j);
			cpus[i][j] = (struct cpu_of_many){ &vms[i], j, 0 };
		}
	}
	for (i = 0; i < NR_VMS; i++) {
		for (j = 0; j < NR_CPUS; j++)
			REQUIRE(!pthread_create(&cpus[i][j].thread, NULL, run, &cpus[i][j]));
	}
	for (i = 0; i < NR_VMS; i++) {
		for (j = 0; j < NR_CPUS; j++) {
			REQUIRE(!pthread_join(cpus[i][j].thread, NULL));
			EXPECT_EQ(vms[i].sum, guest_shared(&vms[i].guest)[j]);
			EXPECT_EQ(vms[i].sum, guest_regs(&vms[i].guest, j).rax);
		}
		guest_destroy(&vms[i].guest);
	}
}

/* A vCPU keeps its VM, a VM its module: what is closed first does not matter. */
static void vcpu_outlives_vm_and_device(void)
{
	struct vm_of_many vm;

	guest_create(&vm.guest, 1);
	guest_load(&vm.guest, code_sum);
	fill(&vm, 11);
	prepare(&vm, 0);
	close(vm.guest.dev.fd);
	close(vm.guest.vm.fd);
	guest_run_to_hlt(&vm.guest, 0);
	EXPECT_EQ(vm.sum, guest_regs(&vm.guest, 0).rax);
}

static void vcpu_outlives_the_other(void)
{
	struct vm_of_many vm;

	guest_create(&vm.guest, 2);
	guest_load(&vm.guest, code_sum);
	fill(&vm, 12);
	prepare(&vm, 0);
	prepare(&vm, 1);
	guest_run_to_hlt(&vm.guest, 0);
	vcpu_destroy(&vm.guest.vcpu[0]);
	guest_run_to_hlt(&vm.guest, 1);
	EXPECT_EQ(vm.sum, guest_regs(&vm.guest, 1).rax);
}

/* Six orders; after each, the same again works. */
static void any_order_of_closing(void)
{
	static const char orders[][4] = { "dvc", "dcv", "vdc", "vcd", "cdv", "cvd" };
	unsigned int i, j;

	for (i = 0; i < 6; i++) {
		struct vm_of_many vm;

		guest_create(&vm.guest, 1);
		guest_load(&vm.guest, code_sum);
		fill(&vm, 20 + i);
		prepare(&vm, 0);
		guest_run_to_hlt(&vm.guest, 0);
		EXPECT_EQ(vm.sum, guest_regs(&vm.guest, 0).rax);
		for (j = 0; j < 3; j++) {
			if (orders[i][j] == 'd')
				kvm_dev_close(&vm.guest.dev);
			else if (orders[i][j] == 'v')
				vm_close(&vm.guest.vm);
			else
				vcpu_destroy(&vm.guest.vcpu[0]);
		}
		mem_destroy(&vm.guest.mem);
	}
}

/* The memory goes first: the VM must let go of it. */
static void memory_goes_before_the_vm(void)
{
	struct vm_of_many vm;

	guest_create(&vm.guest, 1);
	guest_load(&vm.guest, code_sum);
	fill(&vm, 30);
	prepare(&vm, 0);
	guest_run_to_hlt(&vm.guest, 0);
	mem_destroy(&vm.guest.mem);
	guest_set_rip(&vm.guest, 0, GUEST_CODE);
	EXPECT_ERRNO(EFAULT, vcpu_run(&vm.guest.vcpu[0]));
	guest_destroy(&vm.guest);
}

/* Virtualisation goes on with the first VM and off with the last. */
static void many_one_after_the_other(void)
{
	int i;

	for (i = 0; i < 30; i++) {
		struct guest guest;

		guest_create(&guest, 2);
		guest_load(&guest, code_sum);
		guest_destroy(&guest);
	}
}

static const struct ktap_test tests[] = {
	KTAP_TEST(vms_and_vcpus_at_once),     KTAP_TEST(vcpu_outlives_vm_and_device),
	KTAP_TEST(vcpu_outlives_the_other),   KTAP_TEST(any_order_of_closing),
	KTAP_TEST(memory_goes_before_the_vm), KTAP_TEST(many_one_after_the_other),
};

KTAP_MAIN(tests)
