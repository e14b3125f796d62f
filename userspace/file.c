// SPDX-License-Identifier: GPL-2.0-only
/*
 * Files that are read as a whole.
 */
#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "message.h"

/* At most @limit bytes, the guest's memory.  A failure has been told when this returns. */
int file_read(struct file *file, const char *path, size_t limit, const char *expected)
{
	struct stat stat;
	ssize_t got;
	int fd;

	*file = (struct file){ .path = path };
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &stat) < 0) {
		message("%s: %s", path, strerror(errno));
		goto close_fd;
	}
	if (!S_ISREG(stat.st_mode)) {
		message("%s is not a file; %s", path, expected);
		goto close_fd;
	}
	if (stat.st_size == 0 || (uintmax_t)stat.st_size > limit) {
		message(stat.st_size ? "%s is larger than the guest's memory; see --mem"
				     : "%s is empty",
			path);
		goto close_fd;
	}
	file->data = malloc(stat.st_size);
	if (!file->data) {
		message("%s: no memory to read it", path);
		goto close_fd;
	}
	while (file->size < (size_t)stat.st_size) {
		got = read(fd, file->data + file->size, stat.st_size - file->size);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0) {
			message("%s: %s", path,
				got ? strerror(errno) : "became shorter while read");
			goto free_data;
		}
		file->size += got;
	}
	close(fd);
	return 0;

free_data:
	file_free(file);
close_fd:
	if (fd >= 0)
		close(fd);
	return -EINVAL;
}

void file_free(struct file *file)
{
	free(file->data);
	file->data = NULL;
	file->size = 0;
}
