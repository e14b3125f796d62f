// SPDX-License-Identifier: GPL-2.0-only
/*
 * hold_vms N: makes N virtual machines of one to four CPUs, all with memory in use, four of them
 * running, says "running" and goes on so until it is killed.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/steady.h"

#define MAX_VMS	   200
#define NR_RUNNING 4

static struct guest guests[MAX_VMS];

static void *run(void *data)
{
	guest_run(data, 0);
	fprintf(stderr, "hold_vms: a guest ended\n");
	_exit(1);
}

int main(int argc, char **argv)
{
	int nr = argc == 2 ? atoi(argv[1]) : 0, i;
	pthread_t thread;

	if (nr < NR_RUNNING || nr > MAX_VMS) {
		fprintf(stderr, "usage: hold_vms N, %d to %d\n", NR_RUNNING, MAX_VMS);
		return 2;
	}
	/* Those that run come last: they take the time of whoever makes the others. */
	for (i = nr - 1; i >= 0; i--) {
		steady_create(&guests[i], i % GUEST_MAX_CPUS + 1);
		if (i >= NR_RUNNING) {
			steady_stop(&guests[i], 0);
			guest_run_to_hlt(&guests[i], 0);
		} else {
			REQUIRE(!pthread_create(&thread, NULL, run, &guests[i]));
		}
	}
	for (i = 0; i < NR_RUNNING; i++)
		steady_await_turns(&guests[i], 0, 1);
	puts("running");
	fflush(stdout);
	for (;;)
		pause();
}
