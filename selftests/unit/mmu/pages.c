// SPDX-License-Identifier: GPL-2.0-only
/*
 * Physical pages, and allocations that may fail.
 *
 * A page that is free is poisoned and lies at the end of a queue, so that it is found when somebody
 * uses it after.  Nobody, not even a processor's cache, may know a page that becomes free.
 */
#include <sanitizer/asan_interface.h>
#include <string.h>
#include <sys/mman.h>
#include "cpu.h"
#include "shim.h"

#define NR_SMALL  16384u
#define NR_HUGE	  12u
#define HUGE	  512u			      /* pages in a huge one */
#define NR_OWN	  (NR_SMALL + NR_HUGE * HUGE) /* pages with references of their own */
#define NR_GIANT  (1u << 18)
#define FIRST_PFN 0x12200ull /* huge pages are aligned, and the giant one that lies behind a gap */
#define GIANT	  (0x40000u - FIRST_PFN)
#define NR_PAGES  (GIANT + NR_GIANT)

unsigned int alloc_failing;

static struct page pages[NR_PAGES];
static char *memory;
static unsigned int used[PAGE_DATA + 1];
static unsigned int used_of_huge[NR_HUGE];
static struct list_head free_pages = { &free_pages, &free_pages };

void list_add(struct list_head *node, struct list_head *head)
{
	node->next = head->next;
	node->prev = head;
	head->next->prev = node;
	head->next = node;
}

void list_del(struct list_head *node)
{
	node->next->prev = node->prev;
	node->prev->next = node->next;
	node->next = NULL;
	node->prev = NULL;
}

void list_splice_init(struct list_head *from, struct list_head *head)
{
	while (from->prev != from) {
		struct list_head *node = from->prev;

		list_del(node);
		list_add(node, head);
	}
}

void bitmap_set(unsigned long *map, uint64_t first, uint64_t n)
{
	while (n--)
		set_bit(first + n, map);
}

void interval_tree_insert(struct interval_tree_node *node, struct rb_root_cached *root)
{
	struct interval_tree_node **at = &root->first;

	while (*at && (*at)->start <= node->start)
		at = &(*at)->next;
	node->next = *at;
	*at = node;
}

void interval_tree_remove(struct interval_tree_node *node, struct rb_root_cached *root)
{
	struct interval_tree_node **at = &root->first;

	while (*at != node)
		at = &(*at)->next;
	*at = node->next;
}

struct interval_tree_node *interval_tree_iter_next(struct interval_tree_node *node,
						   unsigned long start, unsigned long last)
{
	for (node = node->next; node; node = node->next)
		if (node->start <= last && node->last >= start)
			return node;
	return NULL;
}

void pages_init(void)
{
	unsigned int i;

	memory = mmap(NULL, NR_PAGES * PAGE_SIZE, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	check(memory != MAP_FAILED);
	__asan_poison_memory_region(memory, NR_OWN * PAGE_SIZE);
	for (i = 0; i < NR_SMALL; i++)
		list_add(&pages[i].lru, free_pages.prev);
	for (i = GIANT; i < NR_PAGES; i++)
		pages[i] = (struct page){ .use = PAGE_DATA, .head = &pages[GIANT] };
}

unsigned int pages_used(enum page_use use)
{
	return used[use];
}

/* The page is full of zeroes, and has one reference. */
static void page_take(struct page *page, enum page_use use)
{
	void *address = page_address(page);

	__asan_unpoison_memory_region(address, PAGE_SIZE);
	memset(address, 0, PAGE_SIZE);
	*page = (struct page){ .use = use, .refs = 1 };
	used[use]++;
}

struct page *page_get(enum page_use use)
{
	struct page *page = list_first_entry(&free_pages, struct page, lru);

	check(free_pages.next != &free_pages);
	list_del(&page->lru);
	page_take(page, use);
	return page;
}

struct page *pages_get_huge(void)
{
	struct page *first;
	unsigned int i, n = draw(NR_HUGE);

	if (used_of_huge[n])
		return NULL;
	first = &pages[NR_SMALL + n * HUGE];
	for (i = 0; i < HUGE; i++) {
		page_take(&first[i], PAGE_DATA);
		first[i].head = first;
	}
	used_of_huge[n] = HUGE;
	return first;
}

static bool is_giant(const struct page *page)
{
	return page >= &pages[GIANT];
}

struct page *pages_get_giant(void)
{
	struct page *first = &pages[GIANT];

	if (first->refs)
		return NULL;
	first->refs = 1;
	used[PAGE_DATA]++;
	return first;
}

/* Next time it is full of zeroes. */
static void giant_free(struct page *first)
{
	cpus_check_unused(first, NR_GIANT);
	used[PAGE_DATA]--;
	check(!madvise(page_address(first), NR_GIANT * PAGE_SIZE, MADV_DONTNEED));
}

void page_hold(struct page *page)
{
	page = is_giant(page) ? &pages[GIANT] : page;
	page->refs++;
}

void put_page(struct page *page)
{
	page = is_giant(page) ? &pages[GIANT] : page;
	check(page->use != PAGE_FREE && page->refs > 0);
	if (--page->refs)
		return;
	if (is_giant(page))
		return giant_free(page);
	check(!page->zero && !page->sharers);
	cpus_check_unused(page, 1);
	used[page->use]--;
	page->use = PAGE_FREE;
	__asan_poison_memory_region(page_address(page), PAGE_SIZE);
	if (page - pages < NR_SMALL)
		list_add(&page->lru, free_pages.prev);
	else
		used_of_huge[(page - pages - NR_SMALL) / HUGE]--;
}

bool sim_alloc_fails(void)
{
	might_sleep();
	point();
	if (!alloc_failing || !draw_one_in(alloc_failing))
		return false;
	self->alloc_failed = true;
	return true;
}

void *sim_alloc(size_t size)
{
	return sim_alloc_fails() ? NULL : calloc(1, size);
}

struct page *alloc_page(int flags)
{
	return sim_alloc_fails() ? NULL : page_get(PAGE_TABLE);
}

void free_page(unsigned long address)
{
	struct page *page = virt_to_page((void *)address);

	check(page->use == PAGE_TABLE);
	put_page(page);
}

void *page_address(const struct page *page)
{
	return page ? memory + (page - pages) * PAGE_SIZE : NULL;
}

struct page *virt_to_page(const void *address)
{
	size_t offset = (const char *)address - memory;

	check((const char *)address >= memory && offset < NR_PAGES * PAGE_SIZE);
	return &pages[offset / PAGE_SIZE];
}

uint64_t page_to_pfn(const struct page *page)
{
	return FIRST_PFN + (page - pages);
}

struct page *sim_pfn_to_page(uint64_t pfn)
{
	return pfn >= FIRST_PFN && pfn < FIRST_PFN + NR_PAGES ? &pages[pfn - FIRST_PFN] : NULL;
}

void *phys_to_virt(uint64_t address)
{
	struct page *page = sim_pfn_to_page(address >> PAGE_SHIFT);

	check(page && page->use == PAGE_TABLE);
	return (char *)page_address(page) + address % PAGE_SIZE;
}
