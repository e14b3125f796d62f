// SPDX-License-Identifier: GPL-2.0-only
/*
 * Table pages.
 *
 * A page begins in a vCPU's cache, as memory cannot be had under the MMU's lock.  Linked into a
 * table it counts as the VM's.  When its last link goes it is retired: a processor may still hold
 * its address in a paging-structure cache, so it is freed only after the flush that the unlinking
 * owes.  Pages are charged to the memory cgroup of the task that got them.
 */
#include <linux/gfp.h>
#include "mmu/pt_page.h"
#include "mmu/pte.h"

static struct page *table_to_page(hpte_t *table)
{
	return virt_to_page(table);
}

/* Brings @cache to @nr pages at least.  May sleep.  0 or -ENOMEM. */
int pt_cache_fill(struct pt_cache *cache, unsigned int nr)
{
	while (cache->nr < nr) {
		struct page *page = alloc_page(GFP_KERNEL_ACCOUNT | __GFP_ZERO);

		if (!page)
			return -ENOMEM;
		list_add(&page->lru, &cache->pages);
		cache->nr++;
	}
	return 0;
}

/* A zeroed page; the caller has filled the cache for as many as it takes. */
hpte_t *pt_cache_get(struct pt_cache *cache)
{
	struct page *page = list_first_entry(&cache->pages, struct page, lru);

	list_del(&page->lru);
	cache->nr--;
	return page_address(page);
}

/* Gives back a page that was not linked and is still all zeroes. */
void pt_cache_put(struct pt_cache *cache, hpte_t *table)
{
	list_add(&table_to_page(table)->lru, &cache->pages);
	cache->nr++;
}

void pt_cache_drain(struct pt_cache *cache)
{
	while (cache->nr)
		free_page((unsigned long)pt_cache_get(cache));
}

/* A zeroed page that counts as the VM's from now on: a root.  May sleep.  NULL: no memory. */
hpte_t *pt_page_alloc(struct mmu_vm *mmu)
{
	hpte_t *table = (hpte_t *)get_zeroed_page(GFP_KERNEL_ACCOUNT);

	if (table)
		pt_page_linked(mmu);
	return table;
}

/* The same below 4 GiB, where a processor that is not in long mode can begin to walk. */
hpte_t *pt_page_alloc_low(struct mmu_vm *mmu)
{
	hpte_t *table = (hpte_t *)get_zeroed_page(GFP_KERNEL_ACCOUNT | __GFP_DMA32);

	if (table)
		pt_page_linked(mmu);
	return table;
}

/* A page from a cache has been linked. */
void pt_page_linked(struct mmu_vm *mmu)
{
	atomic_long_inc(&mmu->table_pages);
}

/* Frees a page that no processor can walk any more. */
void pt_page_free(struct mmu_vm *mmu, hpte_t *table)
{
	atomic_long_dec(&mmu->table_pages);
	free_page((unsigned long)table);
}

/* No entry names the page any more; the flush is owed. */
void pt_page_retire(struct mmu_vm *mmu, hpte_t *table)
{
	lockdep_assert_held_write(&mmu->lock);
	list_add(&table_to_page(table)->lru, &mmu->retired);
}

/* Frees retired pages whose flush is done. */
void pt_page_free_list(struct mmu_vm *mmu, struct list_head *pages)
{
	struct page *page, *next;

	list_for_each_entry_safe(page, next, pages, lru) {
		list_del(&page->lru);
		pt_page_free(mmu, page_address(page));
	}
}
