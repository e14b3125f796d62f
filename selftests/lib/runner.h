/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SELFTESTS_RUNNER_H
#define SELFTESTS_RUNNER_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "guest.h"

struct runner {
	struct guest *guest;
	unsigned int cpu; /* of the guest */
	pthread_t thread;
	volatile pid_t tid;
	volatile uint64_t handled;     /* signals, by the handler */
	volatile uint64_t interrupted; /* KVM_RUNs that ended by a signal */
	volatile uint64_t advanced;    /* those during which the guest had counted */
	volatile uint64_t timer_us;    /* not 0: a signal so long after each KVM_RUN's start */
	volatile uint64_t kept;	       /* KVM_RUNs after which all registers were the thread's */
	volatile uint64_t spoilt;      /* and those after which one was not */
	const char *volatile spoilt_what;
	volatile bool hold, held;
	int watch; /* a breakpoint of the thread, or -1 */
	volatile uint64_t watched_stores;
};

void runner_start(struct runner *runner, struct guest *guest, unsigned int cpu);
void runner_signal(struct runner *runner);
void runner_hold(struct runner *runner);
void runner_release(struct runner *runner);
void runner_pin(const struct runner *runner, int processor);
int runner_processor(const struct runner *runner);
void runner_finish(struct runner *runner);

#endif
