/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The process whose memory the VM's is: its pages, and what the host does to them.
 */
#ifndef UNIT_MMU_HOST_H
#define UNIT_MMU_HOST_H

#include "pages.h"

#define HVA_BASE  0x10000000000ul
#define HVA_PAGES (1u << 19)

enum vpage_state {
	VPAGE_EMPTY,	/* never touched: zeroes */
	VPAGE_PRESENT,	/* maps @page */
	VPAGE_UNMAPPED, /* the page is there, but no longer mapped: a swap cache */
	VPAGE_MOVING,	/* for the time of a migration */
	VPAGE_SWAPPED,	/* only @stored is left */
	VPAGE_HOLE,	/* nothing there: accesses are errors */
	VPAGE_BAD,	/* broken memory */
	VPAGE_DEVICE,	/* @page is a device's, which is no memory to the kernel */
};

#define HUGE_VPAGES 512u

/*
 * In some worlds the process's second GiB is of giant pages, of which the host has one.  It is
 * mapped, taken away and protected as a whole, by one entry or by one for each 2 MiB.
 */
#define GIANT_FIRST  (1u << 18)
#define GIANT_VPAGES (1u << 18)

/**
 * struct vpage - one page of the process's address space
 * @state: see enum vpage_state
 * @huge: mapped with all others of its 2 MiB by one entry of the host's table
 * @readonly: the process may not write
 * @writable: the host's page table allows writing
 * @dirty: the host's page table says that it was written
 * @blocked: invalidations that have begun and not ended: no guest may reach the page
 * @page: what is or was mapped
 * @touched: world.zaps + 1 when the guest used it last; 0: not since the host last forgot that
 * @aging: times that the host is asking just now
 * @forgotten: number of flushes that had begun when the host last forgot without one
 * @table: a world with shadow tables: it may have been read as a guest's table, so that nobody but
 *	the guest may change its contents
 * @value: what a read has to give
 * @stored: what is on disk
 * @changed: the last change of each word: see oracle.c
 */
struct vpage {
	uint8_t state;
	bool huge;
	bool readonly;
	bool writable;
	bool dirty;
	int blocked;
	struct page *page;
	unsigned long touched;
	int aging;
	unsigned long forgotten;
	bool table;
	uint64_t value[PAGE_WORDS];
	uint64_t stored[PAGE_WORDS];
	int changed[PAGE_WORDS];
};

void host_start(void);
void host_stop(void);
void host_leave(struct page *page);
struct vpage *host_vpage(unsigned long hva);
void host_written(struct vpage *v, unsigned int word, uint64_t value);
void host_touch(struct vpage *v);
/* All pages of the 2 MiB that begin with @first map those of one huge page. */
void host_map_huge(unsigned int first, struct page *page);
void host_unmap_huge(unsigned int first);
/* Is the page of the GiB of giant pages? */
bool host_is_giant(unsigned int nr);
/* @nr, or the first one after it that is not of those of that GiB which nobody has looked at. */
unsigned int host_next_seen(unsigned int nr);
/* All of it is invalid while these change it. */
void host_unmap_giant(void);
void host_protect_giant(bool readonly);
void host_resize_giant(void); /* entries of the other size */
/* One more invalidation or ageing of all of it, or one fewer. */
void host_block_giant(int by);
void host_age_giant(int by, unsigned long forgotten);

/* host_ops.c: one thing that a host does. */
void host_op(void);
/* The notifier's calls around a change of @n pages from @first on. */
void host_begin(unsigned int first, unsigned int n);
void host_end(unsigned int first, unsigned int n);
unsigned int host_vpage_nr(const struct vpage *v);
struct vpage *host_vpage_at(unsigned int nr);

#endif
