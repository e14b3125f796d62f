// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory cgroups directly below the root, which is mounted on /sys/fs/cgroup.
 */
#include "cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ktap.h"

#define ROOT "/sys/fs/cgroup"
/* Only so that a leak is told as one: a cgroup that ends does so within some tries. */
#define TRIES 50

static int dying_before;   /* of others */
static char charges[8192]; /* what the last cgroup was charged for when its processes had ended */

static bool write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool written = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

	if (fd >= 0)
		close(fd);
	return written;
}

/* Cgroups that were removed and are still there; -1: not known. */
static int nr_dying(void)
{
	char text[256] = "", *at;
	int fd = open(ROOT "/cgroup.stat", O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -1;
	if (read(fd, text, sizeof(text) - 1) < 0)
		text[0] = 0;
	close(fd);
	at = strstr(text, "nr_dying_descendants ");
	return at ? atoi(at + strlen("nr_dying_descendants ")) : -1;
}

/* An idle processor may still hold the memory of the process that ran there last. */
static void run_on_each_processor(void)
{
	cpu_set_t all, one;
	int cpu;

	if (sched_getaffinity(0, sizeof(all), &all))
		return;
	for (cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (!CPU_ISSET(cpu, &all))
			continue;
		CPU_ZERO(&one);
		CPU_SET(cpu, &one);
		sched_setaffinity(0, sizeof(one), &one);
	}
	sched_setaffinity(0, sizeof(all), &all);
}

/* One at a time.  False where there are no memory cgroups. */
bool cgroup_make(const char *name)
{
	char path[128];

	if (!write_text(ROOT "/cgroup.subtree_control", "+memory"))
		return false;
	dying_before = nr_dying();
	snprintf(path, sizeof(path), ROOT "/%s", name);
	return dying_before >= 0 && (mkdir(path, 0755) == 0 || errno == EEXIST);
}

/* The calling process is charged there from now on. */
bool cgroup_enter(const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), ROOT "/%s/cgroup.procs", name);
	return write_text(path, "0");
}

/* Removes it, when no process is there any more; while it is charged for anything it goes on. */
bool cgroup_remove(const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), ROOT "/%s", name);
	return rmdir(path) == 0;
}

static void note_charges(void)
{
	char *line = charges, *next;

	for (; *line; line = next) {
		next = line + strcspn(line, "\n");
		if (*next)
			*next++ = 0;
		if (!strstr(line, " 0") && strncmp(line, "pg", 2) != 0)
			ktap_note("left in the cgroup: %s", line);
	}
}

static void read_charges(const char *name)
{
	char path[128];
	ssize_t size;
	int fd;

	snprintf(path, sizeof(path), ROOT "/%s/memory.stat", name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	size = fd < 0 ? 0 : read(fd, charges, sizeof(charges) - 1);
	charges[size > 0 ? size : 0] = 0;
	if (fd >= 0)
		close(fd);
}

/* Removes it, when its processes have ended.  False: something that it was charged for is left. */
bool cgroup_ends(const char *name)
{
	int tries;

	read_charges(name);
	if (!cgroup_remove(name))
		return false;
	for (tries = 0; nr_dying() > dying_before && tries < TRIES; tries++) {
		write_text("/proc/sys/vm/drop_caches", "3");
		run_on_each_processor();
		usleep(20000);
	}
	if (nr_dying() <= dying_before)
		return true;
	note_charges();
	return false;
}
