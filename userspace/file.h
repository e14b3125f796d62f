/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MKVM_USER_FILE_H
#define MKVM_USER_FILE_H

#include <stddef.h>

/* A file as it was when it was read. */
struct file {
	const char *path;
	unsigned char *data;
	size_t size;
};

int file_read(struct file *file, const char *path, size_t limit, const char *expected);
void file_free(struct file *file);

#endif
