// SPDX-License-Identifier: GPL-2.0-only
/*
 * Guest memory: anonymous pages of ours, which appear when they are first touched.
 */
#include "mem.h"

#include <errno.h>
#include <sys/mman.h>

int mem_create(struct mem *mem, uint64_t gpa, size_t size)
{
	void *host = mmap(NULL, size, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (host == MAP_FAILED)
		return -errno;
	*mem = (struct mem){ .host = host, .gpa = gpa, .size = size };
	return 0;
}

void mem_destroy(struct mem *mem)
{
	if (mem->host)
		munmap(mem->host, mem->size);
	mem->host = NULL;
}

int mem_attach(const struct mem *mem, const struct vm *vm, uint32_t slot)
{
	return vm_set_slot(vm, slot, mem->gpa, mem->size, mem->host, 0);
}

/* Our address of guest-physical gpa .. gpa + len, or NULL if any of that is outside. */
void *mem_at(const struct mem *mem, uint64_t gpa, uint64_t len)
{
	if (gpa < mem->gpa || gpa - mem->gpa > mem->size || len > mem->size - (gpa - mem->gpa))
		return NULL;
	return (char *)mem->host + (gpa - mem->gpa);
}
