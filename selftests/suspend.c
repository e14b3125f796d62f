// SPDX-License-Identifier: GPL-2.0-only
/*
 * The host is suspended to memory and resumed under a guest that counts, and beside one whose
 * time-stamp counter must not go back.
 *
 * It has a host of its own: the clocks of Bochs's processors differ after a resume, and whatever
 * waits for a timer then takes several times as long.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

#include "lib/host.h"
#include "lib/runner.h"
#include "lib/steady.h"

#define SUSPENDS 2
#define TURNS	 1000 /* of the guest, after a resume */
#define LIMIT	 600  /* seconds: only so that a hang is told as one */

/* How often this host has been suspended. */
static uint64_t suspends(void)
{
	unsigned long long count = 0;
	FILE *file = fopen("/sys/power/suspend_stats/success", "re");

	REQUIRE(file, "suspend_stats: %s", strerror(errno));
	REQUIRE(fscanf(file, "%llu", &count) == 1);
	fclose(file);
	return count;
}

static bool host_can_suspend(void)
{
	char text[128] = "";
	FILE *file = fopen("/sys/power/mem_sleep", "re");

	if (!file)
		return false;
	if (!fgets(text, sizeof(text), file))
		text[0] = '\0';
	fclose(file);
	return strstr(text, "deep");
}

guest_code(code_tsc, 64,
	   "1: rdtsc\n"
	   "shl $32, %rdx\n"
	   "or %rdx, %rax\n"
	   "out %al, $" S_SYNC "\n"
	   "jmp 1b\n");

static uint64_t read_tsc(struct guest *guest)
{
	guest_run_to_sync(guest, 0);
	return guest_regs(guest, 0).rax;
}

static void suspend_and_resume(void)
{
	struct runner runner;
	struct guest guest, clock;
	uint64_t i, before, count, tsc;

	if (!host_can_suspend())
		ktap_skip("this machine has no S3");
	if (system("command -v host-suspend >/dev/null"))
		ktap_skip("only an emulated host is suspended by its tests: no host-suspend here");
	prctl(PR_SET_TIMERSLACK, 1);
	host_pin(0);
	guest_create(&clock, 1);
	guest_load(&clock, code_tsc);
	guest_start(&clock, 0, MODE_LONG);
	steady_create(&guest, 1);
	runner_start(&runner, &guest, 0);
	count = suspends();
	for (i = 0; i < SUSPENDS; i++) {
		runner_pin(&runner, 1);
		steady_await_turns(&guest, 0, 1);
		EXPECT_EQ(1, runner_processor(&runner));
		before = steady_of(&guest, 0)->turns;
		tsc = read_tsc(&clock);
		REQUIRE(system("host-suspend 2") == 0, "the host did not suspend");
		EXPECT_EQ(count + i + 1, suspends());
		EXPECT(read_tsc(&clock) > tsc, "the guest's time-stamp counter went back");
		steady_await_turns(&guest, 0, TURNS);
		EXPECT(steady_of(&guest, 0)->turns > before);
		/* Where it was before: that processor has come back. */
		runner_pin(&runner, 1);
		steady_await_turns(&guest, 0, TURNS);
		EXPECT_EQ(1, runner_processor(&runner));
	}
	runner_finish(&runner);
	ktap_note("suspends: %llu, turns: %llu", (unsigned long long)(suspends() - count),
		  (unsigned long long)steady_of(&guest, 0)->turns);
}

static const struct ktap_test tests[] = {
	KTAP_TEST_LIMIT(suspend_and_resume, LIMIT),
};

KTAP_MAIN(tests)
