/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MKVM_USER_IMAGE_H
#define MKVM_USER_IMAGE_H

#include <stdint.h>

#include "lib/mem.h"
#include "lib/mode.h"

/* Where things are in a guest of `mkvm run`. */
#define IMAGE_GDT_GPA	  0x1000UL
#define IMAGE_TABLES_GPA  0x2000UL
#define IMAGE_FLAT_GPA	  0x7c00UL  /* where a PC's firmware puts a boot sector */
#define IMAGE_FLAT_END	  0xa0000UL /* where a PC's memory has its first hole */
#define IMAGE_ELF_MIN_GPA 0x10000UL /* below are the launcher's own tables */

/* A program in guest memory, ready to be started. */
struct image {
	enum cpu_mode mode;
	uint64_t entry;
	uint64_t end; /* first byte above all that was loaded */
};

int image_load(struct image *image, const char *path, const struct mem *mem);

#endif
