// SPDX-License-Identifier: GPL-2.0-only
/*
 * A guest that spins with PAUSE: its exits are counted, and the vCPU that it waits for gets the
 * processor.
 *
 * Only some processors find a loop; that each PAUSE exits they all can.
 */
#include <errno.h>
#include <linux/kvm.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#include "lib/guest.h"
#include "lib/host.h"
#include "lib/stats.h"

#define PARAMETER "/sys/module/mkvm/parameters/pause_window"
#define PAUSES	  2000
#define TURNS	  100 /* of two CPUs on one processor */

#define REASON_PAUSE_VMX 40
#define REASON_PAUSE_SVM 0x77

guest_code(code_pauses, 64,
	   "mov $" STRING(PAUSES) ", %ecx\n"
				  "1: pause\n"
				  "dec %ecx\n"
				  "jnz 1b\n"
				  "hlt\n");

/* The CPU's number is in rdi; the word tells whose turn it is. */
guest_code(code_turns, 64,
	   "mov $" STRING(TURNS) ", %ecx\n"
				 "1: mov " S_SHARED ", %rax\n"
				 "cmp %rdi, %rax\n"
				 "jz 2f\n"
				 "pause\n"
				 "jmp 1b\n"
				 "2: xor $1, %rax\n"
				 "mov %rax, " S_SHARED "\n"
				 "dec %ecx\n"
				 "jnz 1b\n"
				 "hlt\n");

/* VMs that are made from now on exit so; what held before. */
static unsigned int set_window(unsigned int window)
{
	unsigned int former;
	FILE *file = fopen(PARAMETER, "r+e");

	REQUIRE(file, PARAMETER ": %s", strerror(errno));
	REQUIRE(fscanf(file, "%u", &former) == 1);
	rewind(file);
	REQUIRE(fprintf(file, "%u\n", window) > 0 && fclose(file) == 0, "%s", strerror(errno));
	return former;
}

static void create(struct guest *guest, unsigned int nr_cpus, unsigned int window)
{
	unsigned int former;
	struct kvm_dev dev;

	device_open(&dev);
	if (!kvm_dev_is_mkvm(&dev))
		ktap_skip("its counts and its parameter are mkvm's own");
	former = set_window(window);
	guest_create(guest, nr_cpus);
	set_window(former);
}

static uint64_t pause_exits(const struct guest *guest, unsigned int cpu)
{
	struct counts counts;

	guest_counts(guest, cpu, &counts);
	return counts_of_reason(&counts, counts.sum.vendor == MKVM_VENDOR_VMX ? REASON_PAUSE_VMX
									      : REASON_PAUSE_SVM);
}

static uint64_t stat_of(const struct guest *guest, unsigned int cpu, const char *name)
{
	struct stats stats;
	uint64_t value;

	stats_open(&stats, guest->vcpu[cpu].fd);
	value = stats_value(&stats, name);
	stats_close(&stats);
	return value;
}

static uint64_t run_pauses(struct guest *guest)
{
	guest_load(guest, code_pauses);
	guest_start(guest, 0, MODE_LONG);
	guest_run_to_hlt(guest, 0);
	EXPECT_EQ(GUEST_CODE + (code_pauses_end - code_pauses), guest_regs(guest, 0).rip);
	return pause_exits(guest, 0);
}

static void each_exits(void)
{
	struct guest guest;

	create(&guest, 1, 1);
	EXPECT_EQ(PAUSES, run_pauses(&guest));
	EXPECT_EQ(PAUSES, stat_of(&guest, 0, "mkvm_pause_exits"));
	/* Nobody else is there to get the processor. */
	EXPECT_EQ(PAUSES, stat_of(&guest, 0, "directed_yield_attempted"));
	EXPECT_EQ(0, stat_of(&guest, 0, "directed_yield_successful"));
}

static void none_exits(void)
{
	struct guest guest;

	create(&guest, 1, 0);
	EXPECT_EQ(0, run_pauses(&guest));
}

/* User space forbids them, as long as there is no vCPU. */
static void forbidden(void)
{
	struct guest guest;
	unsigned int former;

	create(&guest, 1, 1);
	EXPECT_EQ(KVM_X86_DISABLE_EXITS_PAUSE,
		  kvm_dev_extension(&guest.dev, KVM_CAP_X86_DISABLE_EXITS));
	EXPECT_ERRNO(EINVAL, vm_enable_cap(&guest.vm, KVM_CAP_X86_DISABLE_EXITS,
					   KVM_X86_DISABLE_EXITS_PAUSE));
	guest_destroy(&guest);
	former = set_window(1);
	guest_create_without_cpuid(&guest, 0);
	set_window(former);
	EXPECT_ERRNO(EINVAL, vm_enable_cap(&guest.vm, KVM_CAP_X86_DISABLE_EXITS,
					   KVM_X86_DISABLE_EXITS_MWAIT));
	EXPECT_ERRNO(0, vm_enable_cap(&guest.vm, KVM_CAP_X86_DISABLE_EXITS, 0));
	EXPECT_ERRNO(0, vm_enable_cap(&guest.vm, KVM_CAP_X86_DISABLE_EXITS,
				      KVM_X86_DISABLE_EXITS_PAUSE));
	REQUIRE_OK(vcpu_create(&guest.vcpu[0], &guest.dev, &guest.vm, 0));
	guest.nr_cpus = 1;
	REQUIRE_OK(vcpu_offer_host_cpuid(&guest.vcpu[0], &guest.dev));
	EXPECT_EQ(0, run_pauses(&guest));
}

/* A long loop exits now and then. */
static void loop_is_found(void)
{
	struct guest guest;
	uint64_t exits;

	create(&guest, 1, 1000);
	exits = run_pauses(&guest);
	if (!exits)
		ktap_skip("this processor does not find loops of PAUSE");
	EXPECT(exits < PAUSES / 2, "%llu exits", (unsigned long long)exits);
}

struct turner {
	struct guest *guest;
	unsigned int cpu;
	pthread_t thread;
};

static void *turn(void *data)
{
	struct turner *turner = data;

	guest_run_to_hlt(turner->guest, turner->cpu);
	return NULL;
}

/* Each waits for the other one, which cannot run meanwhile: who spins hands the processor over. */
static void processor_goes_to_the_other(void)
{
	struct turner turners[2];
	uint64_t attempted = 0, taken = 0;
	struct guest guest;
	unsigned int i;

	host_pin(0);
	create(&guest, 2, 1);
	guest_load(&guest, code_turns);
	for (i = 0; i < 2; i++) {
		turners[i] = (struct turner){ &guest, i, 0 };
		guest_start(&guest, i, MODE_LONG);
	}
	for (i = 0; i < 2; i++)
		REQUIRE(!pthread_create(&turners[i].thread, NULL, turn, &turners[i]));
	for (i = 0; i < 2; i++) {
		REQUIRE(!pthread_join(turners[i].thread, NULL));
		EXPECT_EQ(pause_exits(&guest, i), stat_of(&guest, i, "directed_yield_attempted"));
		attempted += stat_of(&guest, i, "directed_yield_attempted");
		taken += stat_of(&guest, i, "directed_yield_successful");
	}
	EXPECT(taken > 0 && taken <= attempted, "%llu times of %llu", (unsigned long long)taken,
	       (unsigned long long)attempted);
	EXPECT_EQ(0, guest_shared(&guest)[0]);
}

static const struct ktap_test tests[] = {
	KTAP_TEST(each_exits),
	KTAP_TEST(none_exits),
	KTAP_TEST(forbidden),
	KTAP_TEST(loop_is_found),
	KTAP_TEST(processor_goes_to_the_other),
};

KTAP_MAIN(tests)
