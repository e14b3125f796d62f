// SPDX-License-Identifier: GPL-2.0-only
/*
 * A guest that counts and checks its registers at every turn, while signals, changes of thread and
 * preemption take it out of the processor.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include "lib/host.h"
#include "lib/steady.h"

#define SIGNALS	  300
#define HANDOVERS 30

struct runner {
	struct guest *guest;
	unsigned int cpu;
	pthread_t thread;
	volatile uint64_t interrupted;
};

static void nothing(int signal)
{
	(void)signal;
}

static void *run(void *data)
{
	struct runner *runner = data;
	int err;

	while ((err = vcpu_run(&runner->guest->vcpu[runner->cpu])) == -EINTR)
		runner->interrupted++;
	REQUIRE_OK(err);
	guest_expect_exit(runner->guest, runner->cpu, KVM_EXIT_HLT);
	return NULL;
}

static void catch_signals(void)
{
	struct sigaction action = { .sa_handler = nothing };

	sigaction(SIGUSR1, &action, NULL);
}

/* Each signal is seen to have ended a KVM_RUN before the next is sent. */
static void under_signals(void)
{
	struct guest guest;
	struct runner runner = { &guest, 0, 0, 0 };
	uint64_t i;

	catch_signals();
	steady_create(&guest, 1);
	REQUIRE(!pthread_create(&runner.thread, NULL, run, &runner));
	for (i = 0; i < SIGNALS; i++) {
		steady_await_turns(&guest, 0, 1);
		REQUIRE(!pthread_kill(runner.thread, SIGUSR1));
		while (runner.interrupted == i)
			usleep(100);
	}
	steady_stop(&guest, 0);
	REQUIRE(!pthread_join(runner.thread, NULL));
	EXPECT_EQ(SIGNALS, runner.interrupted);
	steady_check(&guest, 0);
}

static void *run_until_signal(void *data)
{
	struct runner *runner = data;

	EXPECT_ERRNO(EINTR, vcpu_run(&runner->guest->vcpu[runner->cpu]));
	return NULL;
}

static void from_thread_to_thread(void)
{
	struct guest guest;
	struct runner runner = { &guest, 0, 0, 0 };
	int i;

	catch_signals();
	steady_create(&guest, 1);
	for (i = 0; i < HANDOVERS; i++) {
		REQUIRE(!pthread_create(&runner.thread, NULL, run_until_signal, &runner));
		steady_await_turns(&guest, 0, 10);
		REQUIRE(!pthread_kill(runner.thread, SIGUSR1));
		REQUIRE(!pthread_join(runner.thread, NULL));
	}
	steady_stop(&guest, 0);
	guest_run_to_hlt(&guest, 0);
	steady_check(&guest, 0);
}

/* Three vCPUs, each in its thread, on one processor: they preempt each other. */
static void on_one_processor(void)
{
	struct runner runners[3];
	struct guest guest;
	unsigned int i, turn;

	host_pin(0);
	steady_create(&guest, 3);
	for (i = 0; i < 3; i++) {
		runners[i] = (struct runner){ &guest, i, 0, 0 };
		REQUIRE(!pthread_create(&runners[i].thread, NULL, run, &runners[i]));
	}
	for (turn = 0; turn < 10; turn++) {
		for (i = 0; i < 3; i++)
			steady_await_turns(&guest, i, 10);
	}
	for (i = 0; i < 3; i++) {
		steady_stop(&guest, i);
		REQUIRE(!pthread_join(runners[i].thread, NULL));
		steady_check(&guest, i);
	}
}

/* It does notice: what is changed behind its back is counted. */
static void notices_a_change(void)
{
	struct guest guest;
	struct runner runner = { &guest, 0, 0, 0 };
	struct kvm_regs regs;

	catch_signals();
	steady_create(&guest, 1);
	REQUIRE(!pthread_create(&runner.thread, NULL, run_until_signal, &runner));
	steady_await_turns(&guest, 0, 10);
	REQUIRE(!pthread_kill(runner.thread, SIGUSR1));
	REQUIRE(!pthread_join(runner.thread, NULL));
	EXPECT_EQ(0, steady_of(&guest, 0)->errors);
	regs = guest_regs(&guest, 0);
	regs.r13++;
	REQUIRE_OK(vcpu_set_regs(&guest.vcpu[0], &regs));
	REQUIRE(!pthread_create(&runner.thread, NULL, run, &runner));
	steady_await_turns(&guest, 0, 10);
	steady_stop(&guest, 0);
	REQUIRE(!pthread_join(runner.thread, NULL));
	EXPECT(steady_of(&guest, 0)->errors > 0, "a changed register was not noticed");
	EXPECT_EQ(1, steady_of(&guest, 0)->first_error);
}

static const struct ktap_test tests[] = {
	KTAP_TEST(under_signals),
	KTAP_TEST(from_thread_to_thread),
	KTAP_TEST(on_one_processor),
	KTAP_TEST(notices_a_change),
};

KTAP_MAIN(tests)
