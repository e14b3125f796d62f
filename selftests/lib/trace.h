/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SELFTESTS_TRACE_H
#define SELFTESTS_TRACE_H

#include <stdbool.h>
#include <stdint.h>

/* The trace events that the calling thread causes, in a buffer of its own. */
struct trace {
	char dir[128];
};

bool trace_available(const char *system, const char *event);
void trace_start(struct trace *trace);
void trace_enable(struct trace *trace, const char *system, const char *event);
void trace_clear(struct trace *trace);
uint64_t trace_count(const struct trace *trace, const char *event, const char *with);
void trace_histogram(const struct trace *trace, const char *system, const char *event,
		     const char *key);
uint64_t trace_hits(const struct trace *trace, const char *system, const char *event, uint64_t key);
void trace_stop(struct trace *trace);

#endif
