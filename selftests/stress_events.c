// SPDX-License-Identifier: GPL-2.0-only
/*
 * What takes a guest out of guest mode, many times: signals, NMIs, other processors.
 * Guest and process check their registers all the time (steady.c, runner.c).
 *
 * An event counts only if the guest counted before it and after it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "lib/host.h"
#include "lib/runner.h"
#include "lib/steady.h"

#define SIGNALS	      2000
#define TIMER_SIGNALS 8000
#define TIMER_US      800
#define NMIS	      1000
#define MIGRATIONS    1000

#define HOST_NMI "/sys/kernel/debug/host_nmi"

#define LIMIT 900 /* seconds: only so that a hang is told as one */

struct fixture {
	struct guest guest;
	struct runner runner;
};

/* The guest runs on processor 1, the test on processor 0. */
static void set_up(struct fixture *f)
{
	prctl(PR_SET_TIMERSLACK, 1);
	host_pin(0);
	steady_create(&f->guest, 1);
	runner_start(&f->runner, &f->guest, 0);
	runner_pin(&f->runner, 1);
	steady_await_turns(&f->guest, 0, 1);
}

static uint64_t turns(const struct fixture *f)
{
	return steady_of(&f->guest, 0)->turns;
}

static void expect_signals(const struct fixture *f, uint64_t count)
{
	ktap_note("signals handled: %llu, KVM_RUNs ended by one: %llu, turns: %llu",
		  (unsigned long long)f->runner.handled, (unsigned long long)f->runner.interrupted,
		  (unsigned long long)turns(f));
	EXPECT(f->runner.handled >= count);
	EXPECT(f->runner.interrupted >= count);
	EXPECT(f->runner.advanced >= count);
}

/* Each is seen to have ended a KVM_RUN, and the guest to go on, before the next is sent. */
static void signals_from_another_processor(void)
{
	uint64_t i, count = host_events(SIGNALS);
	struct fixture f;

	set_up(&f);
	for (i = 0; i < count; i++) {
		runner_signal(&f.runner);
		/* A wait costs an emulator more than what it waits for: rather long than often. */
		while (f.runner.interrupted == i)
			usleep(200);
		steady_await_turns(&f.guest, 0, 1);
	}
	runner_finish(&f.runner);
	EXPECT_EQ(count, f.runner.handled);
	expect_signals(&f, count);
}

/* With the other processor idle. */
static void signals_of_a_timer(void)
{
	uint64_t count = host_events(TIMER_SIGNALS);
	struct fixture f;

	set_up(&f);
	f.runner.timer_us = TIMER_US;
	runner_signal(&f.runner);
	while (f.runner.advanced < count)
		usleep(50000);
	runner_finish(&f.runner);
	expect_signals(&f, count);
}

static uint64_t nmis_handled(int processor)
{
	unsigned long long count;
	FILE *file = fopen(HOST_NMI, "re");
	int number;

	REQUIRE(file, "%s: %s", HOST_NMI, strerror(errno));
	while (fscanf(file, "%d %llu", &number, &count) == 2) {
		if (number == processor) {
			fclose(file);
			return count;
		}
	}
	REQUIRE(false, "%s: no processor %d", HOST_NMI, processor);
	return 0;
}

static void nmis_send(int processor, unsigned int count)
{
	char text[32];
	int fd = open(HOST_NMI, O_WRONLY | O_CLOEXEC), len;

	REQUIRE(fd >= 0, "%s: %s", HOST_NMI, strerror(errno));
	len = snprintf(text, sizeof(text), "%d %u", processor, count);
	REQUIRE(write(fd, text, len) == len, "%s: %s", HOST_NMI, strerror(errno));
	close(fd);
}

/* Exits that were NMIs.  On VMX exceptions have the same reason: the guest's own are taken off. */
static uint64_t nmi_exits(const struct fixture *f)
{
	struct counts counts;

	guest_counts(&f->guest, 0, &counts);
	if (counts.sum.vendor == MKVM_VENDOR_SVM)
		return counts_of_reason(&counts, 0x61);
	return counts_of_reason(&counts, 0) - steady_of(&f->guest, 0)->breaks;
}

/*
 * As many as hit the guest itself and not its host's work for it.  QEMU's processors take turns of
 * some milliseconds, and the guest comes in between; elsewhere the second NMI would come before the
 * guest is entered again.
 */
static void nmis(void)
{
	uint64_t before, turns_before, count = host_events(NMIS), sent = 0, exits = 0;
	unsigned int batch = host_is_qemu() ? 100 : 1, unseen = 0;
	struct fixture f;

	if (access(HOST_NMI, F_OK))
		ktap_skip("there is no " HOST_NMI);
	set_up(&f);
	before = nmis_handled(1);
	while (exits < count) {
		REQUIRE(sent < 20 * NMIS, "%llu NMIs sent, %llu exits", (unsigned long long)sent,
			(unsigned long long)exits);
		turns_before = turns(&f);
		nmis_send(1, batch);
		sent += batch;
		steady_await_turns(&f.guest, 0, 1);
		EXPECT(turns(&f) > turns_before);
		EXPECT_EQ(1, runner_processor(&f.runner));
		unseen += batch;
		if (unseen < count / 2)
			continue;
		unseen = 0;
		runner_hold(&f.runner);
		exits = kvm_dev_is_mkvm(&f.guest.dev) ? nmi_exits(&f) : sent;
		runner_release(&f.runner);
	}
	EXPECT_EQ(sent, nmis_handled(1) - before);
	runner_finish(&f.runner);
	ktap_note("NMIs sent and handled: %llu, exits by one: %llu, turns: %llu",
		  (unsigned long long)sent, (unsigned long long)exits,
		  (unsigned long long)turns(&f));
}

static void migrations(void)
{
	uint64_t i, count = host_events(MIGRATIONS), moved = 0, before;
	struct fixture f;

	set_up(&f);
	for (i = 0; i < count; i++) {
		before = turns(&f);
		runner_pin(&f.runner, i % 2);
		steady_await_turns(&f.guest, 0, 1);
		moved += runner_processor(&f.runner) == (int)(i % 2) && turns(&f) > before;
	}
	runner_finish(&f.runner);
	ktap_note("changes of processor: %llu, turns: %llu", (unsigned long long)moved,
		  (unsigned long long)turns(&f));
	EXPECT_EQ(count, moved);
}

static const struct ktap_test tests[] = {
	KTAP_TEST_LIMIT(signals_from_another_processor, LIMIT),
	KTAP_TEST_LIMIT(signals_of_a_timer, LIMIT),
	KTAP_TEST_LIMIT(nmis, LIMIT),
	KTAP_TEST_LIMIT(migrations, LIMIT),
};

KTAP_MAIN(tests)
