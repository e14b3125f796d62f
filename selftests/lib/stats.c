// SPDX-License-Identifier: GPL-2.0-only
/*
 * Statistics by KVM_GET_STATS_FD.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "ktap.h"
#include "stats.h"

/* @of: a VM's descriptor or a vCPU's */
void stats_open(struct stats *stats, int of)
{
	size_t row, i;

	stats->fd = ioctl(of, KVM_GET_STATS_FD, 0);
	REQUIRE(stats->fd >= 0, "%s", strerror(errno));
	REQUIRE(read(stats->fd, &stats->header, sizeof(stats->header)) == sizeof(stats->header));
	REQUIRE(stats->header.name_size > 0 && stats->header.name_size <= 256);
	REQUIRE(stats->header.num_desc > 0 && stats->header.num_desc < 1000);
	EXPECT_EQ(0, stats->header.flags);
	row = sizeof(struct kvm_stats_desc) + stats->header.name_size;
	stats->names = calloc(stats->header.num_desc, row);
	REQUIRE(stats->names);
	REQUIRE(pread(stats->fd, stats->names, row * stats->header.num_desc,
		      stats->header.desc_offset) == (ssize_t)(row * stats->header.num_desc));
	for (i = 0; i < stats->header.num_desc; i++)
		REQUIRE(memchr(stats->names + i * row + sizeof(struct kvm_stats_desc), 0,
			       stats->header.name_size),
			"a name without an end");
}

const struct kvm_stats_desc *stats_desc(const struct stats *stats, unsigned int i)
{
	size_t row = sizeof(struct kvm_stats_desc) + stats->header.name_size;

	return (const struct kvm_stats_desc *)(stats->names + i * row);
}

static bool stats_find(const struct stats *stats, const char *name, uint64_t *value)
{
	unsigned int i;

	for (i = 0; i < stats->header.num_desc; i++) {
		const struct kvm_stats_desc *desc = stats_desc(stats, i);

		if (strcmp(desc->name, name) != 0)
			continue;
		REQUIRE(pread(stats->fd, value, 8, stats->header.data_offset + desc->offset) == 8);
		return true;
	}
	return false;
}

uint64_t stats_value(const struct stats *stats, const char *name)
{
	uint64_t value = 0;

	REQUIRE(stats_find(stats, name, &value), "there is no value %s", name);
	return value;
}

void stats_close(struct stats *stats)
{
	close(stats->fd);
	free(stats->names);
}
