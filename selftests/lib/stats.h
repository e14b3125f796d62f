/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SELFTESTS_STATS_H
#define SELFTESTS_STATS_H

#include <linux/kvm.h>
#include <stdint.h>

/* An open statistics file, and its descriptors. */
struct stats {
	int fd;
	struct kvm_stats_header header;
	char *names;
};

void stats_open(struct stats *stats, int of);
void stats_close(struct stats *stats);
const struct kvm_stats_desc *stats_desc(const struct stats *stats, unsigned int i);
uint64_t stats_value(const struct stats *stats, const char *name);

#endif
