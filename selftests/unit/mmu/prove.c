// SPDX-License-Identifier: GPL-2.0-only
/*
 * Runs worlds one after the other: SEED=n the first one's seed, OPS=n how many operations.  Each
 * world follows from its seed alone, which is printed when something is found: SEED=n replays it.
 */
#include <signal.h>
#include <stdio.h>
#include <unistd.h>
#include "seed.h"
#include "shim.h"
#include "watch.h"
#include "world.h"

#define OPS_PER_WORLD 20000ul
#define OPS_DEFAULT   1000000ul

static u64 seed;
static unsigned long done;

/* The sanitizers end the program so that the seed is told too. */
const char *__asan_default_options(void)
{
	return "abort_on_error=1:detect_stack_use_after_return=0";
}

const char *__ubsan_default_options(void)
{
	return "abort_on_error=1:print_stacktrace=1";
}

static void tell_seed(int signal)
{
	char text[128];
	int n = snprintf(text, sizeof(text), "after %lu operations\nSEED=%llu finds it\n",
			 done + world.ops, (unsigned long long)seed);

	if (write(1, text, n) == n)
		_exit(1);
	_exit(2);
}

int main(void)
{
	const char *text = getenv("OPS");
	unsigned long ops = text ? strtoul(text, NULL, 0) : OPS_DEFAULT;
	int few;

	seed = test_seed();
	signal(SIGABRT, tell_seed);
	pages_init();
	for (done = 0; done < ops; done += OPS_PER_WORLD, seed++) {
		draw_seed(seed);
		world_run(min(OPS_PER_WORLD, ops - done));
	}
	printf("# %lu operations in %lu worlds\n", ops, done / OPS_PER_WORLD);
	/* Short runs show what they reach; a long one has to reach everything often. */
	few = watch_report(ops >= OPS_DEFAULT ? ops / 10000 : 0);
	printf("%s: the MMU agrees with slots, host and processors\n", few ? "not ok" : "ok");
	return few ? 1 : 0;
}
