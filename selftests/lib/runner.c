// SPDX-License-Identifier: GPL-2.0-only
/*
 * A thread that runs one CPU of a steady guest until the guest is told to stop, and that looks
 * after every KVM_RUN whether its own registers are still what they were: vectors, rounding,
 * segments, FS and GS base, and a breakpoint of its own on an address at which the guest has
 * something else.
 *
 * All but the thread's own function is for the test's main thread.
 */
#include "runner.h"

#include <asm/prctl.h>
#include <errno.h>
#include <linux/hw_breakpoint.h>
#include <linux/perf_event.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "host.h"
#include "keep.h"
#include "steady.h"

#define KEPT_GS_BASE 0x123456789000

/* Where the first CPU's table of a steady guest is, in linear addresses. */
#define WATCHED GUEST_DATA

static __thread struct runner *runner_here;

static void runner_handle(int signal)
{
	(void)signal;
	if (runner_here)
		runner_here->handled++;
}

static void keep_fill(struct keep *keep, uint64_t seed)
{
	unsigned int i;

	memset(keep, 0, sizeof(*keep));
	for (i = 0; i < sizeof(keep->xmm); i++)
		keep->xmm[i / 16][i % 16] = ~(seed * 41 + i * 3);
	keep->mxcsr = 0x1f80 | (seed % 4) << 13;
	keep->fcw = 0x37f | ((seed + 2) % 4) << 10;
	keep->st0 = 1234567 + seed;
	keep->ds = 0x2b;
	keep->es = seed & 1 ? 0x2b : 0;
}

/* NULL if both are alike, else what is not. */
static const char *keep_difference(const struct keep *a, const struct keep *b)
{
	if (memcmp(a->xmm, b->xmm, sizeof(a->xmm)))
		return "vector registers";
	if (a->mxcsr != b->mxcsr)
		return "MXCSR";
	if (a->fcw != b->fcw)
		return "x87 control word";
	if (a->st0 != b->st0)
		return "x87 stack";
	if (a->ds != b->ds || a->es != b->es || a->fs != b->fs || a->gs != b->gs)
		return "segment registers";
	return NULL;
}

/* FS base is what the thread's own variables are found by: if it is wrong they are not there. */
static const char *bases_difference(void)
{
	unsigned long base[2] = { 0, 0 };

	syscall(SYS_arch_prctl, ARCH_GET_FS, &base[0]);
	syscall(SYS_arch_prctl, ARCH_GET_GS, &base[1]);
	if (base[0] != (unsigned long)pthread_self())
		return "FS base";
	if (base[1] != KEPT_GS_BASE)
		return "GS base";
	return NULL;
}

/* KVM_RUN with registers that are known; 0 or a negative errno. */
static int runner_enter(struct runner *runner, uint64_t seed)
{
	struct keep in, out;
	const char *what;
	long r;

	keep_fill(&in, seed);
	r = keep_ioctl(runner->guest->vcpu[runner->cpu].fd, KVM_RUN, 0, &in, &out);
	what = keep_difference(&in, &out);
	/* Two system calls: not each time. */
	if (!what && seed % 8 == 0)
		what = bases_difference();
	if (what) {
		runner->spoilt_what = what;
		runner->spoilt++;
	} else {
		runner->kept++;
	}
	if (runner->watch >= 0) {
		*(volatile uint64_t *)WATCHED = seed;
		runner->watched_stores++;
	}
	return r;
}

/* QEMU crashes where a breakpoint of a guest meets one of its host. */
static int watch_open(void)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_BREAKPOINT,
		.size = sizeof(attr),
		.bp_type = HW_BREAKPOINT_W,
		.bp_addr = WATCHED,
		.bp_len = HW_BREAKPOINT_LEN_8,
		.exclude_kernel = 1,
		.exclude_hv = 1,
	};
	void *at;
	int fd;

	if (host_is_qemu())
		return -1;
	at = mmap((void *)WATCHED, 0x1000, PROT_READ | PROT_WRITE,
		  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	REQUIRE(at == (void *)WATCHED || errno == EEXIST, "mmap at 0x%x: %s", WATCHED,
		strerror(errno));
	fd = syscall(SYS_perf_event_open, &attr, 0, -1, -1, 0);
	REQUIRE(fd >= 0, "perf_event_open of a breakpoint: %s", strerror(errno));
	return fd;
}

static timer_t timer_create_here(void)
{
	struct sigevent event = { .sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGUSR1 };
	timer_t timer;

	event._sigev_un._tid = gettid();
	REQUIRE(timer_create(CLOCK_MONOTONIC, &event, &timer) == 0, "%s", strerror(errno));
	return timer;
}

/* Again after the same time, for a signal that comes before KVM_RUN does not end it. */
static void timer_arm(timer_t timer, unsigned int us)
{
	struct itimerspec spec = { { 0, us * 1000 }, { 0, us * 1000 } };

	REQUIRE(timer_settime(timer, 0, &spec, NULL) == 0, "%s", strerror(errno));
}

static uint64_t runner_turns(const struct runner *runner)
{
	return steady_of(runner->guest, runner->cpu)->turns;
}

static void *runner_run(void *data)
{
	struct runner *runner = data;
	uint64_t seed, before = 0;
	timer_t timer;
	int err;

	runner_here = runner;
	REQUIRE(syscall(SYS_arch_prctl, ARCH_SET_GS, KEPT_GS_BASE) == 0, "%s", strerror(errno));
	runner->watch = watch_open();
	timer = timer_create_here();
	runner->tid = gettid();
	for (seed = 0;; seed++) {
		timer_arm(timer, runner->timer_us);
		err = runner_enter(runner, seed);
		if (err != -EINTR)
			break;
		runner->advanced += runner_turns(runner) > before;
		before = runner_turns(runner);
		runner->interrupted++;
		while (runner->hold) {
			runner->held = true;
			usleep(100);
		}
		runner->held = false;
	}
	timer_delete(timer);
	REQUIRE_OK(err);
	guest_expect_exit(runner->guest, runner->cpu, KVM_EXIT_HLT);
	return NULL;
}

/* The thread inherits where it may run; its tid is known when this returns. */
void runner_start(struct runner *runner, struct guest *guest, unsigned int cpu)
{
	struct sigaction action = { .sa_handler = runner_handle };

	memset(runner, 0, sizeof(*runner));
	runner->guest = guest;
	runner->cpu = cpu;
	sigaction(SIGUSR1, &action, NULL);
	REQUIRE(!pthread_create(&runner->thread, NULL, runner_run, runner));
	while (!runner->tid)
		usleep(100);
}

void runner_signal(struct runner *runner)
{
	REQUIRE(!pthread_kill(runner->thread, SIGUSR1));
}

/* Returns when the thread is out of KVM_RUN and stays out. */
void runner_hold(struct runner *runner)
{
	runner->hold = true;
	/* A signal that comes before KVM_RUN does not end it. */
	while (!runner->held) {
		runner_signal(runner);
		usleep(1000);
	}
}

void runner_release(struct runner *runner)
{
	runner->hold = false;
	while (runner->held)
		usleep(100);
}

void runner_pin(const struct runner *runner, int processor)
{
	host_pin_thread(runner->tid, processor);
}

/* On which processor the thread is now. */
int runner_processor(const struct runner *runner)
{
	return host_processor_of(runner->tid);
}

/* The guest is told to stop; it and the thread must have kept what they had. */
void runner_finish(struct runner *runner)
{
	uint64_t hits;

	steady_stop(runner->guest, runner->cpu);
	REQUIRE(!pthread_join(runner->thread, NULL));
	steady_check(runner->guest, runner->cpu);
	EXPECT(runner->spoilt == 0, "the process lost its %s; %llu KVM_RUNs of %llu",
	       runner->spoilt_what, (unsigned long long)runner->spoilt,
	       (unsigned long long)(runner->spoilt + runner->kept));
	EXPECT_EQ(runner->interrupted + 1, runner->kept);
	if (runner->watch < 0)
		return;
	REQUIRE(read(runner->watch, &hits, sizeof(hits)) == sizeof(hits), "%s", strerror(errno));
	EXPECT_EQ(runner->watched_stores, hits);
	close(runner->watch);
}
