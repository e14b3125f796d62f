// SPDX-License-Identifier: GPL-2.0-only
/*
 * A VM's statistics by name (KVM_GET_STATS_FD).
 */
#include "vm_stats.h"

#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* What a descriptor's name may have at most, its end included. */
#define MAX_NAME 256

static int vm_stats_find(int fd, const struct kvm_stats_header *header, const char *name,
			 uint64_t *value)
{
	struct {
		struct kvm_stats_desc desc;
		char name[MAX_NAME];
	} row;
	size_t size = sizeof(row.desc) + header->name_size;
	uint32_t i;

	for (i = 0; i < header->num_desc; i++) {
		if (pread(fd, &row, size, header->desc_offset + i * size) != (ssize_t)size)
			return -EIO;
		row.name[MAX_NAME - 1] = '\0';
		if (strcmp(row.name, name) != 0)
			continue;
		if (pread(fd, value, sizeof(*value), header->data_offset + row.desc.offset) !=
		    sizeof(*value))
			return -EIO;
		return 0;
	}
	return -ENOENT;
}

/* The statistic's first value.  -ENOENT: there is none of that name; -EIO: it makes no sense. */
int vm_stats_get(const struct vm *vm, const char *name, uint64_t *value)
{
	struct kvm_stats_header header;
	int fd = ioctl(vm->fd, KVM_GET_STATS_FD, 0), err = -EIO;

	if (fd < 0)
		return -errno;
	if (pread(fd, &header, sizeof(header), 0) == sizeof(header) && header.name_size &&
	    header.name_size <= MAX_NAME)
		err = vm_stats_find(fd, &header, name, value);
	close(fd);
	return err;
}
