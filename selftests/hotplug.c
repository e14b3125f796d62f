// SPDX-License-Identifier: GPL-2.0-only
/*
 * Processors go offline and come back under running guests.
 *
 * A cycle counts only if the guest counted on that processor before it went, elsewhere while it was
 * away, and on it again at the next cycle.
 */
#include <sys/prctl.h>

#include "lib/host.h"
#include "lib/runner.h"
#include "lib/steady.h"

#define CYCLES	      200
#define CYCLES_OF_ALL 10

#define LIMIT 1200 /* seconds: only so that a hang is told as one */

static void set_up(void)
{
	prctl(PR_SET_TIMERSLACK, 1);
	host_pin(0);
	host_set_online(true);
}

static void cycles_under_a_guest(void)
{
	unsigned int cycles = host_events(CYCLES), i;
	uint64_t there = 0, away = 0;
	struct runner runner;
	struct guest guest;

	set_up();
	steady_create(&guest, 1);
	runner_start(&runner, &guest, 0);
	for (i = 0; i < cycles; i++) {
		runner_pin(&runner, 1);
		steady_await_turns(&guest, 0, 1);
		there += host_is_online() && runner_processor(&runner) == 1;
		host_set_online(false);
		steady_await_turns(&guest, 0, 1);
		away += !host_is_online() && runner_processor(&runner) == 0;
		host_set_online(true);
	}
	runner_pin(&runner, 1);
	steady_await_turns(&guest, 0, 1);
	EXPECT_EQ(1, runner_processor(&runner));
	runner_finish(&runner);
	ktap_note("went offline under the guest: %llu, it went on elsewhere: %llu, turns: %llu",
		  (unsigned long long)there, (unsigned long long)away,
		  (unsigned long long)steady_of(&guest, 0)->turns);
	EXPECT_EQ(cycles, there);
	EXPECT_EQ(cycles, away);
}

/* The extension goes on where a processor comes after the first VM, and off with the last. */
static void first_and_last_vm_with_one_away(void)
{
	struct runner runner;
	struct guest guest;
	int i;

	set_up();
	for (i = 0; i < 3; i++) {
		host_set_online(false);
		steady_create(&guest, 1);
		runner_start(&runner, &guest, 0);
		steady_await_turns(&guest, 0, 1);
		host_set_online(true);
		runner_pin(&runner, 1);
		steady_await_turns(&guest, 0, 1);
		EXPECT_EQ(1, runner_processor(&runner));
		host_set_online(false);
		steady_await_turns(&guest, 0, 1);
		runner_finish(&runner);
		guest_destroy(&guest);
		/* Comes without a VM; the next VM is the first one again. */
		host_set_online(true);
		steady_create(&guest, 1);
		runner_start(&runner, &guest, 0);
		runner_pin(&runner, 1);
		steady_await_turns(&guest, 0, 1);
		EXPECT_EQ(1, runner_processor(&runner));
		runner_finish(&runner);
		guest_destroy(&guest);
	}
}

#define NR_VMS	4
#define NR_CPUS 2

/* Vcpus that nobody runs have state on the processor that goes, too. */
static void several_vms_and_signals(void)
{
	static struct guest guests[NR_VMS];
	static struct runner runners[NR_VMS][NR_CPUS];
	uint64_t handled = 0;
	int i, vm, cpu;

	set_up();
	for (vm = 0; vm < NR_VMS; vm++) {
		steady_create(&guests[vm], NR_CPUS);
		for (cpu = 0; cpu < NR_CPUS; cpu++)
			runner_start(&runners[vm][cpu], &guests[vm], cpu);
	}
	for (i = 0; i < CYCLES_OF_ALL; i++) {
		struct runner *held = &runners[i % NR_VMS][i % NR_CPUS];

		for (vm = 0; vm < NR_VMS; vm++) {
			for (cpu = 0; cpu < NR_CPUS; cpu++) {
				runner_pin(&runners[vm][cpu], (vm + cpu + i) % 2);
				steady_await_turns(&guests[vm], cpu, 1);
				runner_signal(&runners[vm][cpu]);
			}
		}
		runner_pin(held, 1);
		steady_await_turns(held->guest, held->cpu, 1);
		runner_hold(held);
		host_set_online(false);
		for (vm = 0; vm < NR_VMS; vm++) {
			for (cpu = 0; cpu < NR_CPUS; cpu++) {
				if (&runners[vm][cpu] == held)
					continue;
				steady_await_turns(&guests[vm], cpu, 1);
				EXPECT_EQ(0, runner_processor(&runners[vm][cpu]));
				runner_signal(&runners[vm][cpu]);
			}
		}
		host_set_online(true);
		runner_release(held);
		steady_await_turns(held->guest, held->cpu, 1);
	}
	for (vm = 0; vm < NR_VMS; vm++) {
		for (cpu = 0; cpu < NR_CPUS; cpu++) {
			runner_finish(&runners[vm][cpu]);
			handled += runners[vm][cpu].handled;
		}
	}
	ktap_note("%d cycles under %d vCPUs; %llu signals handled", CYCLES_OF_ALL, NR_VMS * NR_CPUS,
		  (unsigned long long)handled);
	EXPECT(handled >= CYCLES_OF_ALL * NR_VMS * NR_CPUS);
}

static const struct ktap_test tests[] = {
	KTAP_TEST_LIMIT(cycles_under_a_guest, LIMIT),
	KTAP_TEST_LIMIT(first_and_last_vm_with_one_away, LIMIT),
	KTAP_TEST_LIMIT(several_vms_and_signals, LIMIT),
};

KTAP_MAIN(tests)
