// SPDX-License-Identifier: GPL-2.0-only
/*
 * Guest memory: pages of ours, which appear when they are first touched.  They are anonymous, or
 * those of a file without a name, which others may map too once they are given it.
 */
#include "mem.h"

#include <errno.h>
#include <linux/memfd.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

int mem_create(struct mem *mem, uint64_t gpa, size_t size)
{
	void *host = mmap(NULL, size, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (host == MAP_FAILED)
		return -errno;
	*mem = (struct mem){ .host = host, .gpa = gpa, .size = size };
	return 0;
}

static unsigned int mem_file_flags(enum mem_pages pages)
{
	switch (pages) {
	case MEM_PAGES_2M:
		return MFD_CLOEXEC | MFD_HUGETLB | MFD_HUGE_2MB;
	case MEM_PAGES_1G:
		return MFD_CLOEXEC | MFD_HUGETLB | MFD_HUGE_1GB;
	default:
		return MFD_CLOEXEC;
	}
}

/*
 * Memory of a file.  -ENOMEM also if the host's pool of such pages has too few; -EOPNOTSUPP if it
 * has none, or no way to find large ones.
 */
int mem_create_shared(struct mem *mem, uint64_t gpa, size_t size, enum mem_pages pages)
{
	int fd = syscall(SYS_memfd_create, "guest", mem_file_flags(pages));
	void *host;
	int err;

	if (fd < 0)
		return errno == ENODEV || errno == ENOENT ? -EOPNOTSUPP : -errno;
	if (ftruncate(fd, size) < 0)
		goto close_fd;
	host = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (host == MAP_FAILED)
		goto close_fd;
	*mem = (struct mem){ .host = host, .gpa = gpa, .size = size };
	if ((pages == MEM_PAGES_THP && madvise(host, size, MADV_HUGEPAGE) < 0) ||
	    (pages == MEM_PAGES_4K && madvise(host, size, MADV_NOHUGEPAGE) < 0 && errno != EINVAL))
		goto unmap;
	close(fd);
	return 0;

unmap:
	err = errno == EINVAL ? -EOPNOTSUPP : -errno;
	mem_destroy(mem);
	close(fd);
	return err;
close_fd:
	err = -errno;
	close(fd);
	return err;
}

/* Gives all pages of shared memory back: it is zeros again. */
int mem_clear(const struct mem *mem)
{
	return madvise(mem->host, mem->size, MADV_REMOVE) < 0 ? -errno : 0;
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
