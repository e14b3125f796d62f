/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The simulated host's memory: physical pages, and a process's view of them.
 */
#ifndef UNIT_MMU_PAGES_H
#define UNIT_MMU_PAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct list_head {
	struct list_head *next, *prev;
};

void list_add(struct list_head *node, struct list_head *head);
void list_del(struct list_head *node);
void list_splice_init(struct list_head *from, struct list_head *head);

void bitmap_set(unsigned long *map, uint64_t first, uint64_t n);

struct rb_root_cached {
	struct interval_tree_node *first;
};

struct interval_tree_node {
	unsigned long start, last;
	struct interval_tree_node *next;
};

void interval_tree_insert(struct interval_tree_node *node, struct rb_root_cached *root);
void interval_tree_remove(struct interval_tree_node *node, struct rb_root_cached *root);
struct interval_tree_node *interval_tree_iter_next(struct interval_tree_node *node,
						   unsigned long start, unsigned long last);

struct xarray {
	void *at[512];
};

enum page_use {
	PAGE_FREE,
	PAGE_TABLE, /* of the MMU's */
	PAGE_DATA,  /* of a process */
};

/**
 * struct page - one physical page
 * @lru: for who owns it
 * @use: see enum page_use
 * @refs: references
 * @sharers: other processes that map it
 * @zero: the page of zeroes, which nobody may write
 * @device: not memory, but a device's registers
 * @head: the first one of a huge page that is mapped as such, or of the giant one, or NULL
 * @dirty: the host knows that its contents have to be kept
 * @young: it was used
 * @private: for who owns it
 * @written: somebody has written to it since it was last clean
 */
struct page {
	struct list_head lru;
	enum page_use use;
	int refs;
	int sharers;
	bool zero;
	bool device;
	struct page *head;
	bool dirty;
	bool young;
	bool written;
	unsigned long private;
};

/* pages.c */
void pages_init(void);
unsigned int pages_used(enum page_use use);
struct page *page_get(enum page_use use);
struct page *pages_get_huge(void);  /* 512 in a row, or NULL */
struct page *pages_get_giant(void); /* a GiB of them with references in common, or NULL */
void page_hold(struct page *page);
void put_page(struct page *page);
struct page *alloc_page(int flags);
void free_page(unsigned long address);
void *sim_alloc(size_t size);
bool sim_alloc_fails(void);
bool sim_signal_pending(void);
extern unsigned int alloc_failing; /* one allocation in so many fails; 0: none */

void *page_address(const struct page *page);
struct page *virt_to_page(const void *address);
uint64_t page_to_pfn(const struct page *page);
struct page *sim_pfn_to_page(uint64_t pfn); /* NULL: there is none */
void *phys_to_virt(uint64_t address);

/* Of a page's contents so many words are known to the proof; the rest is lost on every way. */
#define PAGE_WORDS	 4u
#define PAGE_WORD_STRIDE 1024u

static inline uint64_t *page_word(const struct page *page, unsigned int word)
{
	return (uint64_t *)((char *)page_address(page) + word * PAGE_WORD_STRIDE);
}

static inline uint64_t *page_value(const struct page *page)
{
	return page_word(page, 0);
}

static inline void page_copy(const struct page *to, const struct page *from)
{
	unsigned int i;

	for (i = 0; i < PAGE_WORDS; i++)
		*page_word(to, i) = *page_word(from, i);
}

/* host.c, host_user.c */
long get_user_pages_fast_only(unsigned long hva, int nr, unsigned int flags, struct page **page);
long get_user_pages_unlocked(unsigned long hva, int nr, struct page **page, unsigned int flags);
unsigned long copy_to_user(void *user, const void *data, size_t size);
unsigned long copy_from_user(void *data, const void *user, size_t size);
int sim_get_user(void *data, const void *user, size_t size);
/* A word, read or stored at once; a byte where no page may be fetched. */
#define put_user(value, user)                                                    \
	({                                                                       \
		typeof(*(user)) put_value = value;                               \
		copy_to_user(user, &put_value, sizeof(put_value)) ? -EFAULT : 0; \
	})

#define get_user(value, user) sim_get_user(&(value), user, sizeof(value))

static inline unsigned long copy_to_user_nofault(void *user, const void *data, size_t size)
{
	return copy_to_user(user, data, size);
}

unsigned long sim_fault_in(unsigned long hva);
int sim_exchange_user(void *user, void *old, const void *new, size_t size);

#endif
