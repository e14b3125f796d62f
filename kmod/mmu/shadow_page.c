// SPDX-License-Identifier: GPL-2.0-only
/*
 * Shadow pages: found by what they shadow, linked, and dropped.
 *
 * A page is made of spares that a vCPU has got before it took the lock.  Its key is the guest frame
 * and the whole role; each place that looks for one compares both.  To make one that shadows a
 * table takes the right to write that table from every entry (wtrack_protect()), and notes in
 * shadow_page.owed the flush after which no processor has it either.  Until that is done nothing
 * may be read from the guest's table into the page.
 *
 * Each knows whether it leads to pieces of a large page (shadow_page.pieces): who names a page
 * that does knows it too.
 *
 * To drop one takes its entries away and those that name it.  Its page may then still be walked by
 * a processor that has cached its place, so it is freed after the next flush, as any table; what is
 * walked there is empty.  One that is a vCPU's root stays, empty and dead, until that loads
 * another.
 */
#include <linux/slab.h>
#include "mmu/pt_change.h"
#include "mmu/pt_page.h"
#include "mmu/shadow.h"

static u32 page_bucket(const struct shadow_index *index, gfn_t gfn)
{
	return (gfn * 0x9e3779b97f4a7c15ull >> 32) & (index->capacity - 1);
}

void shadow_index_free(struct shadow_index *index)
{
	kvfree(index->by_index);
	kvfree(index->pages);
	kvfree(index->leaves);
	kvfree(index->nr_leaves);
	kvfree(index->free);
}

size_t shadow_index_bytes(u32 capacity)
{
	return capacity * (sizeof(struct shadow_page *) * 2 + sizeof(u32) +
			   SHADOW_LEAF_BUCKETS * (sizeof(entry_id) + sizeof(u8)));
}

static int index_alloc(struct shadow_index *index, u32 capacity)
{
	*index = (struct shadow_index){ .capacity = capacity };
	index->by_index = kvcalloc(capacity, sizeof(*index->by_index), GFP_KERNEL_ACCOUNT);
	index->pages = kvcalloc(capacity, sizeof(*index->pages), GFP_KERNEL_ACCOUNT);
	index->leaves = kvcalloc(capacity * SHADOW_LEAF_BUCKETS, sizeof(*index->leaves),
				 GFP_KERNEL_ACCOUNT);
	index->nr_leaves = kvcalloc(capacity * SHADOW_LEAF_BUCKETS, sizeof(*index->nr_leaves),
				    GFP_KERNEL_ACCOUNT);
	index->free = kvcalloc(capacity, sizeof(*index->free), GFP_KERNEL_ACCOUNT);
	if (index->by_index && index->pages && index->leaves && index->nr_leaves && index->free)
		return 0;
	shadow_index_free(index);
	return -ENOMEM;
}

static void index_add_page(struct shadow_index *index, struct shadow_page *sp)
{
	u32 bucket = page_bucket(index, sp->gfn);

	sp->bucket = index->pages[bucket];
	index->pages[bucket] = sp;
	index->by_index[sp->index] = sp;
}

/* The lowest are taken first. */
static void index_find_free(struct shadow_index *index)
{
	u32 i = index->capacity;

	while (i--)
		if (!index->by_index[i])
			index->free[index->nr_free++] = i;
}

/* Goes over to @index, which is larger and empty; gives back the old one. */
static void index_replace(struct shadow *shadow, struct shadow_index *index)
{
	struct shadow_index old = shadow->index;
	struct shadow_page *sp;
	unsigned int i;

	lockdep_assert_held_write(&shadow_mmu(shadow)->lock);
	shadow->index = *index;
	*index = old;
	shadow->nr_leaves = 0;
	list_for_each_entry(sp, &shadow->pages, all)
		index_add_page(&shadow->index, sp);
	index_find_free(&shadow->index);
	list_for_each_entry(sp, &shadow->pages, all)
		for (i = 0; sp->role.level == 1 && i < PT_ENTRIES; i++)
			if (hpte_present(shadow->be.fmt, shadow_entry(sp, i)))
				rmap_add(shadow, sp, i, shadow_gfn(sp, i));
}

#define INDEX_FIRST 64u /* capacity of the first index */

/* Do as many more pages fit as one vCPU makes at a time? */
bool shadow_index_has_room(const struct shadow *shadow)
{
	return READ_ONCE(shadow->nr) + SHADOW_MAX_NEW <= READ_ONCE(shadow->index.capacity);
}

/* Sees to it that more pages fit than are.  May sleep.  0 or -ENOMEM. */
int shadow_index_grow(struct shadow *shadow)
{
	struct mmu_vm *mmu = shadow_mmu(shadow);
	u32 capacity = READ_ONCE(shadow->index.capacity);
	struct shadow_index index;
	int r;

	if (capacity && shadow_index_has_room(shadow))
		return 0;
	capacity = capacity ? capacity * 2 : INDEX_FIRST;
	r = index_alloc(&index, capacity);
	if (r)
		return r;
	write_lock(&mmu->lock);
	if (shadow->index.capacity < capacity)
		index_replace(shadow, &index);
	write_unlock(&mmu->lock);
	shadow_index_free(&index);
	return 0;
}

static void page_free(struct shadow_page *sp)
{
	kfree(sp->next);
	kfree(sp->gfns);
	kfree(sp);
}

/* Three allocations, as each is a size that is had without waste. */
static struct shadow_page *page_alloc(void)
{
	struct shadow_page *sp = kzalloc(sizeof(*sp), GFP_KERNEL_ACCOUNT);

	if (!sp)
		return NULL;
	sp->next = kcalloc(PT_ENTRIES, sizeof(*sp->next), GFP_KERNEL_ACCOUNT);
	sp->gfns = kcalloc(PT_ENTRIES, sizeof(*sp->gfns), GFP_KERNEL_ACCOUNT);
	if (sp->next && sp->gfns)
		return sp;
	page_free(sp);
	return NULL;
}

/* Brings what @mv has in reserve to @nr pages at least.  May sleep.  0 or -ENOMEM. */
int shadow_spares_fill(struct mmu_vcpu *mv, unsigned int nr)
{
	while (mv->nr_spares < nr) {
		struct shadow_page *sp = page_alloc();

		if (!sp)
			return -ENOMEM;
		list_add(&sp->all, &mv->spares);
		mv->nr_spares++;
	}
	return pt_cache_fill(&mv->cache, nr);
}

void shadow_spares_drain(struct mmu_vcpu *mv)
{
	while (mv->nr_spares) {
		struct shadow_page *sp = list_first_entry(&mv->spares, struct shadow_page, all);

		list_del(&sp->all);
		mv->nr_spares--;
		page_free(sp);
	}
}

/* The first page in the bucket of @gfn, whatever it shadows; NULL: there is none. */
struct shadow_page *shadow_page_first(const struct shadow *shadow, gfn_t gfn)
{
	lockdep_assert_held(&shadow_mmu(shadow)->lock);
	return shadow->index.pages[page_bucket(&shadow->index, gfn)];
}

struct shadow_page *shadow_page_find(const struct shadow *shadow, gfn_t gfn, union shadow_role role)
{
	struct shadow_page *sp = shadow_page_first(shadow, gfn);

	while (sp && (sp->gfn != gfn || sp->role.word != role.word))
		sp = sp->bucket;
	return sp;
}

static bool role_is_piece(union shadow_role role)
{
	return role.direct && role.mode != GPT_NONE;
}

/* Notes which flush has to be done before the page may be filled. */
static void page_owe(struct shadow *shadow, struct shadow_page *sp)
{
	struct mmu_vm *mmu = shadow_mmu(shadow);

	if (shadow_is_tracking(sp))
		wtrack_protect(shadow, sp->gfn);
	/* Also what others owe: a translation that allows writing the table may be among it. */
	sp->owed = atomic64_read(&mmu->flush_owed);
}

/* The page that shadows @gfn as @role says; if there is none a new one, of the spares of @mv. */
struct shadow_page *shadow_page_get(struct shadow *shadow, struct mmu_vcpu *mv, gfn_t gfn,
				    union shadow_role role)
{
	struct shadow_page *sp = shadow_page_find(shadow, gfn, role);

	lockdep_assert_held_write(&shadow_mmu(shadow)->lock);
	if (sp)
		return sp;
	sp = list_first_entry(&mv->spares, struct shadow_page, all);
	list_del(&sp->all);
	mv->nr_spares--;
	sp->gfn = gfn;
	sp->role = role;
	sp->pieces = role_is_piece(role);
	if (role.direct || role.level > 1) {
		kfree(sp->gfns);
		sp->gfns = NULL;
	}
	sp->table = pt_cache_get(&mv->cache);
	pt_page_linked(shadow_mmu(shadow));
	sp->index = shadow->index.free[--shadow->index.nr_free];
	set_page_private(virt_to_page(sp->table), (unsigned long)sp);
	list_add_tail(&sp->all, &shadow->pages);
	index_add_page(&shadow->index, sp);
	shadow->nr++;
	shadow->nr_gfns += !!sp->gfns;
	page_owe(shadow, sp);
	return sp;
}

/* The page that the table entry @pte names. */
struct shadow_page *shadow_page_of(const struct shadow *shadow, hpte_t pte)
{
	return (struct shadow_page *)page_private(virt_to_page(hpte_table(shadow->be.fmt, pte)));
}

/* Puts the cursor on entry @i of @sp. */
void shadow_cursor(const struct shadow *shadow, struct shadow_page *sp, unsigned int i,
		   struct pt_iter *it)
{
	it->be = &shadow->be;
	it->level = sp->role.level;
	it->min_level = it->level;
	it->ptep = &sp->table[i];
	it->pte = shadow_entry(sp, i);
	it->gfn = 0;
	if (it->level == 1 && hpte_present(shadow->be.fmt, it->pte))
		it->gfn = shadow_gfn(sp, i);
	it->end = it->gfn + 1;
}

/* What that owes is added to what all changes of this hold of the lock owe: shadow_debt(). */
void shadow_change(struct shadow *shadow, struct pt_iter *it, hpte_t new)
{
	hpte_t old;

	mmu_debt_add(&shadow->debt, pt_change(it, new, &old));
}

/* What the changes owe that were made since this was last asked: to be returned to the event. */
struct mmu_debt shadow_debt(struct shadow *shadow)
{
	struct mmu_debt debt = shadow->debt;

	lockdep_assert_held_write(&shadow_mmu(shadow)->lock);
	shadow->debt = (struct mmu_debt){};
	return debt;
}

/* @sp leads to pieces of a large page.  Each page is told once, so this ends soon. */
static void page_note_pieces(struct shadow *shadow, struct shadow_page *sp)
{
	entry_id at;

	if (sp->pieces)
		return;
	sp->pieces = true;
	for (at = sp->parents; at; at = entry_page(shadow, at)->next[entry_slot(at)])
		page_note_pieces(shadow, entry_page(shadow, at));
}

/* No entry names @sp any more. */
static void page_cut(struct shadow *shadow, struct shadow_page *sp)
{
	while (sp->parents)
		shadow_page_clear(shadow, entry_page(shadow, sp->parents), entry_slot(sp->parents));
}

/* Entry @i of @sp, which is empty, names @child.  If too many do, those do no longer. */
void shadow_page_link(struct shadow *shadow, struct shadow_page *sp, unsigned int i,
		      struct shadow_page *child)
{
	struct pt_iter it;

	lockdep_assert_held_write(&shadow_mmu(shadow)->lock);
	if (child->nr_parents == SHADOW_MAX_PARENTS) {
		shadow->cut++;
		page_cut(shadow, child);
	}
	if (child->pieces)
		page_note_pieces(shadow, sp);
	shadow_cursor(shadow, sp, i, &it);
	shadow_change(shadow, &it, hpte_make_table(shadow->be.fmt, virt_to_phys(child->table)));
	sp->next[i] = child->parents;
	child->parents = entry_id_of(sp, i);
	child->nr_parents++;
}

static void page_unlink(struct shadow *shadow, struct shadow_page *sp, unsigned int i)
{
	struct shadow_page *child = shadow_page_of(shadow, shadow_entry(sp, i));
	entry_id *at = &child->parents, id = entry_id_of(sp, i);

	while (*at && *at != id)
		at = &entry_page(shadow, *at)->next[entry_slot(*at)];
	if (WARN_ON_ONCE(!*at))
		return;
	*at = sp->next[i];
	sp->next[i] = 0;
	child->nr_parents--;
}

/*
 * Has each processor forgotten the pieces of large pages that no entry leads to any more?  INVLPG
 * of one address is for the whole page, and the processor's own would take one piece away.  So
 * before that the guest does not get to change its entries.
 */
bool shadow_pieces_gone(const struct shadow *shadow)
{
	lockdep_assert_held(&shadow_mmu(shadow)->lock);
	return atomic64_read(&shadow_mmu(shadow)->flush_done) >= shadow->pieces_owed;
}

/* Takes entry @i of @sp away, whatever it is. */
void shadow_page_clear(struct shadow *shadow, struct shadow_page *sp, unsigned int i)
{
	hpte_t pte = shadow_entry(sp, i);
	bool pieces = false;
	struct pt_iter it;

	lockdep_assert_held_write(&shadow_mmu(shadow)->lock);
	if (!hpte_present(shadow->be.fmt, pte))
		return;
	shadow_cursor(shadow, sp, i, &it);
	if (hpte_is_table(shadow->be.fmt, pte, sp->role.level)) {
		pieces = shadow_page_of(shadow, pte)->pieces;
		page_unlink(shadow, sp, i);
	} else {
		rmap_del(shadow, sp, i);
	}
	shadow_change(shadow, &it, HPTE_NONE);
	if (pieces)
		shadow->pieces_owed = atomic64_read(&shadow_mmu(shadow)->flush_owed);
}

static void page_unhash(struct shadow *shadow, struct shadow_page *sp)
{
	struct shadow_page **at = &shadow->index.pages[page_bucket(&shadow->index, sp->gfn)];

	while (*at != sp)
		at = &(*at)->bucket;
	*at = sp->bucket;
	shadow->index.by_index[sp->index] = NULL;
	shadow->index.free[shadow->index.nr_free++] = sp->index;
}

static void page_retire(struct shadow *shadow, struct shadow_page *sp)
{
	list_del(&sp->all);
	set_page_private(virt_to_page(sp->table), 0);
	pt_page_retire(shadow_mmu(shadow), sp->table);
	page_free(sp);
}

/* Nothing is shadowed by @sp any more. */
void shadow_page_drop(struct shadow *shadow, struct shadow_page *sp)
{
	unsigned int i;

	lockdep_assert_held_write(&shadow_mmu(shadow)->lock);
	page_cut(shadow, sp);
	for (i = 0; i < PT_ENTRIES; i++)
		shadow_page_clear(shadow, sp, i);
	page_unhash(shadow, sp);
	shadow->nr--;
	shadow->nr_gfns -= !!sp->gfns;
	if (!sp->roots)
		return page_retire(shadow, sp);
	sp->dead = true;
	list_del(&sp->all);
	list_add(&sp->all, &shadow->dead);
}

/* A vCPU does not have @sp as a root any more.  What processors keep of it goes with the flush. */
void shadow_page_release(struct shadow *shadow, struct shadow_page *sp)
{
	lockdep_assert_held_write(&shadow_mmu(shadow)->lock);
	if (--sp->roots || !sp->dead)
		return;
	mmu_debt_add(&shadow->debt, mmu_debt_raise(shadow_mmu(shadow)));
	page_retire(shadow, sp);
}

/* The oldest page that is nobody's root, or NULL. */
static struct shadow_page *page_oldest(const struct shadow *shadow)
{
	struct shadow_page *sp;

	list_for_each_entry(sp, &shadow->pages, all)
		if (!sp->roots)
			return sp;
	return NULL;
}

/* Drops the @nr oldest pages that are nobody's root, with breaks.  How many there were not. */
unsigned long shadow_pages_drop_slowly(struct shadow *shadow, unsigned long nr)
{
	struct shadow_page *sp;

	lockdep_assert_held_write(&shadow_mmu(shadow)->lock);
	for (; nr && (sp = page_oldest(shadow)); nr--) {
		shadow_page_drop(shadow, sp);
		cond_resched_rwlock_write(&shadow_mmu(shadow)->lock);
	}
	return nr;
}

/* Drops all pages that there are by now, with breaks; what others make meanwhile may stay. */
void shadow_pages_forget_slowly(struct shadow *shadow)
{
	u32 nr = shadow->nr;

	lockdep_assert_held_write(&shadow_mmu(shadow)->lock);
	for (; nr && !list_empty(&shadow->pages); nr--) {
		shadow_page_drop(shadow, list_first_entry(&shadow->pages, struct shadow_page, all));
		cond_resched_rwlock_write(&shadow_mmu(shadow)->lock);
	}
}

/*
 * Drops as many of the oldest as it takes for @nr more to keep to the limit; if there are far too
 * many, only so many that each time there are fewer.
 */
void shadow_pages_make_room(struct shadow *shadow, unsigned int nr)
{
	struct shadow_page *sp;
	unsigned int most = nr + 1;

	lockdep_assert_held_write(&shadow_mmu(shadow)->lock);
	while (nr && most-- && shadow->nr + nr > shadow->limit && (sp = page_oldest(shadow)))
		shadow_page_drop(shadow, sp);
}

static bool page_lies_in(const struct shadow_page *sp, gfn_t start, gfn_t end)
{
	return shadow_is_tracking(sp) && sp->gfn >= start && sp->gfn < end;
}

/*
 * Drops what shadows tables in [start, end), where none comes any more.  With breaks: so these
 * become the oldest first.
 */
void shadow_pages_drop_range_slowly(struct shadow *shadow, gfn_t start, gfn_t end)
{
	struct shadow_page *sp, *next;

	lockdep_assert_held_write(&shadow_mmu(shadow)->lock);
	list_for_each_entry_safe(sp, next, &shadow->pages, all) {
		if (!page_lies_in(sp, start, end))
			continue;
		list_del(&sp->all);
		list_add(&sp->all, &shadow->pages);
	}
	while (!list_empty(&shadow->pages)) {
		sp = list_first_entry(&shadow->pages, struct shadow_page, all);
		if (!page_lies_in(sp, start, end))
			break;
		shadow_page_drop(shadow, sp);
		cond_resched_rwlock_write(&shadow_mmu(shadow)->lock);
	}
}
