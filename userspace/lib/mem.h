/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MKVM_USER_MEM_H
#define MKVM_USER_MEM_H

#include <stddef.h>
#include <stdint.h>

#include "vm.h"

/* A piece of our memory that is a guest's: host .. host + size is its gpa .. gpa + size. */
struct mem {
	void *host;
	uint64_t gpa;
	size_t size;
};

/* The host's pages under it. */
enum mem_pages {
	MEM_PAGES_ANY, /* as the host likes */
	MEM_PAGES_THP, /* large ones, where the host finds some */
	MEM_PAGES_2M,  /* of the host's pool of that size, or none */
	MEM_PAGES_1G,
	MEM_PAGES_4K,
};

int mem_create(struct mem *mem, uint64_t gpa, size_t size);
int mem_create_shared(struct mem *mem, uint64_t gpa, size_t size, enum mem_pages pages);
int mem_clear(const struct mem *mem);
void mem_destroy(struct mem *mem);
int mem_attach(const struct mem *mem, const struct vm *vm, uint32_t slot);
void *mem_at(const struct mem *mem, uint64_t gpa, uint64_t len);

#endif
