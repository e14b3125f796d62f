/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MKVM_USER_LINUX_IMAGE_H
#define MKVM_USER_LINUX_IMAGE_H

#include <asm/bootparam.h>
#include <stddef.h>
#include <stdint.h>

#define LINUX_MAX_SEGMENTS 16
#define LINUX_MIN_GPA	   0x100000UL /* below are tables of ours */

enum linux_kind {
	LINUX_BZIMAGE, /* enters by the 64-bit boot protocol */
	LINUX_PVH,     /* an ELF file with a PVH entry */
};

/* So many bytes of the file go to @gpa, zeros up to @memsz behind them. */
struct linux_segment {
	uint64_t gpa, offset, filesz, memsz;
};

/* What a kernel's file says of itself; all of it has been checked. */
struct linux_image {
	enum linux_kind kind;
	uint64_t entry;
	uint64_t end;		 /* of the memory that it needs at its start */
	uint64_t initrd_max;	 /* the last address that an initrd may have */
	uint64_t cmdline_max;	 /* characters */
	struct setup_header hdr; /* of a bzImage */
	struct linux_segment segments[LINUX_MAX_SEGMENTS];
	unsigned int nr_segments;
};

const char *linux_image_parse(struct linux_image *image, const uint8_t *file, size_t size,
			      uint64_t mem_size);

#endif
