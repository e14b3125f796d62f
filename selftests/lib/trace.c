// SPDX-License-Identifier: GPL-2.0-only
/*
 * Trace events, counted by their lines in a trace instance of the test's own.
 */
#include "trace.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ktap.h"

#define TRACEFS "/sys/kernel/tracing"

static void trace_write(const struct trace *trace, const char *file, const char *value)
{
	char path[512];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", trace->dir, file);
	fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
	REQUIRE(fd >= 0, "%s: %s", path, strerror(errno));
	REQUIRE(write(fd, value, strlen(value)) == (ssize_t)strlen(value), "%s: %s", path,
		strerror(errno));
	close(fd);
}

bool trace_available(const char *system, const char *event)
{
	char path[256];

	snprintf(path, sizeof(path), TRACEFS "/events/%s/%s", system, event);
	return access(path, F_OK) == 0;
}

/* For the calling thread: a test that runs its guest in another one calls this there. */
void trace_start(struct trace *trace)
{
	char pid[32];

	snprintf(trace->dir, sizeof(trace->dir), TRACEFS "/instances/mkvm-test-%d", gettid());
	snprintf(pid, sizeof(pid), "%d", gettid());
	REQUIRE(mkdir(trace->dir, 0700) == 0, "%s: %s", trace->dir, strerror(errno));
	trace_write(trace, "buffer_size_kb", "1024");
	trace_write(trace, "set_event_pid", pid);
}

void trace_enable(struct trace *trace, const char *system, const char *event)
{
	char file[256];

	snprintf(file, sizeof(file), "events/%s/%s/enable", system, event);
	trace_write(trace, file, "1");
}

void trace_clear(struct trace *trace)
{
	trace_write(trace, "trace", "");
}

/* Lines of the event that also hold the text (NULL: any).  A buffer that overflowed is told. */
uint64_t trace_count(const struct trace *trace, const char *event, const char *with)
{
	char path[256], tag[128];
	unsigned long long stored, written;
	size_t room = 0;
	char *line = NULL, *text;
	uint64_t count = 0;
	FILE *file;

	snprintf(path, sizeof(path), "%s/trace", trace->dir);
	snprintf(tag, sizeof(tag), " %s: ", event);
	file = fopen(path, "re");
	REQUIRE(file, "%s: %s", path, strerror(errno));
	while (getline(&line, &room, file) > 0) {
		if (sscanf(line, "# entries-in-buffer/entries-written: %llu/%llu", &stored,
			   &written) == 2)
			REQUIRE(stored == written, "the trace buffer lost events");
		/* Before the event's name is the task's, which may hold anything. */
		text = line[0] == '#' ? NULL : strstr(line, tag);
		if (text && (!with || strstr(text, with)))
			count++;
	}
	free(line);
	fclose(file);
	return count;
}

/* Counts the event by its field @key from now on, whoever causes it. */
void trace_histogram(const struct trace *trace, const char *system, const char *event,
		     const char *key)
{
	char file[256], value[128];

	snprintf(file, sizeof(file), "events/%s/%s/trigger", system, event);
	snprintf(value, sizeof(value), "hist:keys=%s:size=1024", key);
	trace_write(trace, file, value);
}

/* How often it was counted with this value of the field. */
uint64_t trace_hits(const struct trace *trace, const char *system, const char *event, uint64_t key)
{
	unsigned long long value, hits, count = 0;
	char path[512], line[512];
	FILE *file;

	snprintf(path, sizeof(path), "%s/events/%s/%s/hist", trace->dir, system, event);
	file = fopen(path, "re");
	REQUIRE(file, "%s: %s", path, strerror(errno));
	while (fgets(line, sizeof(line), file)) {
		const char *at = strchr(line, ':');

		if (line[0] == '{' && at &&
		    sscanf(at, ": %llu } hitcount: %llu", &value, &hits) == 2 && value == key)
			count = hits;
	}
	fclose(file);
	return count;
}

void trace_stop(struct trace *trace)
{
	trace_write(trace, "tracing_on", "0");
	rmdir(trace->dir);
}
