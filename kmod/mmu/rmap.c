// SPDX-License-Identifier: GPL-2.0-only
/*
 * The reverse map of shadow tables: which entries map a guest frame.
 *
 * It is a hash by frame whose chains run through shadow_page.next, so that an entry costs four
 * bytes there and four for its frame, and nothing is allocated when one is added.  It is there only
 * where something is shadowed: no array lies along the guest's memory.
 *
 * A chain goes one way, so that to take an entry out is to look for it.  It is kept short: where
 * one more would be too many, all that is there goes first, as any entry may at any time.
 */
#include "mmu/shadow.h"

/* The frames that something is done with. */
struct rmap_range {
	gfn_t start, end;
	rmap_fn fn;
};

static u32 rmap_bucket(const struct shadow_index *index, gfn_t gfn)
{
	u32 buckets = index->capacity * SHADOW_LEAF_BUCKETS;

	return (gfn * 0x9e3779b97f4a7c15ull >> 32) & (buckets - 1);
}

static entry_id *rmap_first(const struct shadow *shadow, gfn_t gfn)
{
	return &shadow->index.leaves[rmap_bucket(&shadow->index, gfn)];
}

/* Would one more entry that maps @gfn be one too many? */
bool rmap_is_full(const struct shadow *shadow, gfn_t gfn)
{
	lockdep_assert_held(&shadow_mmu(shadow)->lock);
	return shadow->index.nr_leaves[rmap_bucket(&shadow->index, gfn)] == SHADOW_MAX_LEAVES;
}

/* Takes away what is in the bucket of @gfn: each time its first, which need not be looked for. */
static void rmap_cut(struct shadow *shadow, gfn_t gfn)
{
	entry_id *first = rmap_first(shadow, gfn);

	shadow->cut++;
	while (*first)
		shadow_page_clear(shadow, entry_page(shadow, *first), entry_slot(*first));
}

/* Entry @i of @sp maps @gfn from now on.  If too many do, those do no longer. */
void rmap_add(struct shadow *shadow, struct shadow_page *sp, unsigned int i, gfn_t gfn)
{
	entry_id *first = rmap_first(shadow, gfn);

	lockdep_assert_held_write(&shadow_mmu(shadow)->lock);
	if (rmap_is_full(shadow, gfn))
		rmap_cut(shadow, gfn);
	if (sp->gfns)
		sp->gfns[i] = gfn;
	sp->next[i] = *first;
	*first = entry_id_of(sp, i);
	shadow->index.nr_leaves[rmap_bucket(&shadow->index, gfn)]++;
	shadow->nr_leaves++;
}

/* And no more. */
void rmap_del(struct shadow *shadow, struct shadow_page *sp, unsigned int i)
{
	entry_id *at = rmap_first(shadow, shadow_gfn(sp, i)), id = entry_id_of(sp, i);

	lockdep_assert_held_write(&shadow_mmu(shadow)->lock);
	while (*at && *at != id)
		at = &entry_page(shadow, *at)->next[entry_slot(*at)];
	if (WARN_ON_ONCE(!*at))
		return;
	*at = sp->next[i];
	sp->next[i] = 0;
	shadow->index.nr_leaves[rmap_bucket(&shadow->index, shadow_gfn(sp, i))]--;
	shadow->nr_leaves--;
}

/* Does the map know entry @i of @sp?  In a chain that is as long as it may be. */
bool rmap_has(const struct shadow *shadow, const struct shadow_page *sp, unsigned int i)
{
	entry_id at = *rmap_first(shadow, shadow_gfn(sp, i)), id = entry_id_of(sp, i);
	unsigned int n = 1;

	lockdep_assert_held(&shadow_mmu(shadow)->lock);
	for (; at && at != id; n++)
		at = entry_page(shadow, at)->next[entry_slot(at)];
	return at && n <= SHADOW_MAX_LEAVES;
}

static bool rmap_over_gfn(struct shadow *shadow, gfn_t gfn, rmap_fn fn)
{
	entry_id id = *rmap_first(shadow, gfn), next;
	bool found = false;

	for (; id; id = next) {
		struct shadow_page *sp = entry_page(shadow, id);
		unsigned int i = entry_slot(id);

		next = sp->next[i];
		if (shadow_gfn(sp, i) == gfn)
			found |= fn(shadow, sp, i);
	}
	return found;
}

/* The entries of one page that map a frame of [start, end). */
static bool rmap_over_page(struct shadow *shadow, struct shadow_page *sp,
			   const struct rmap_range *range)
{
	bool found = false;
	unsigned int i;

	for (i = 0; sp->role.level == 1 && i < PT_ENTRIES; i++)
		if (hpte_present(shadow->be.fmt, shadow_entry(sp, i)) &&
		    shadow_gfn(sp, i) >= range->start && shadow_gfn(sp, i) < range->end)
			found |= range->fn(shadow, sp, i);
	return found;
}

/* Are there more frames than entries, so that it is better to look at all of these? */
static bool rmap_range_is_large(const struct shadow *shadow, const struct rmap_range *range)
{
	return range->end - range->start > (u64)shadow->nr * PT_ENTRIES;
}

/*
 * Calls @fn for each entry that maps a frame of [start, end).  Under the lock, for writing if @fn
 * changes what the map holds.  True: one of the calls returned that.
 */
bool rmap_over(struct shadow *shadow, gfn_t start, gfn_t end, rmap_fn fn)
{
	const struct rmap_range range = { start, end, fn };
	struct shadow_page *sp;
	bool found = false;

	lockdep_assert_held(&shadow_mmu(shadow)->lock);
	if (rmap_range_is_large(shadow, &range)) {
		list_for_each_entry(sp, &shadow->pages, all)
			found |= rmap_over_page(shadow, sp, &range);
		return found;
	}
	for (; start < end; start++)
		found |= rmap_over_gfn(shadow, start, fn);
	return found;
}

/*
 * The same under the lock for writing, with breaks.  What others put in meanwhile may be passed
 * over, or not.  Pages have their number for as long as they are there.
 */
void rmap_over_slowly(struct shadow *shadow, gfn_t start, gfn_t end, rmap_fn fn)
{
	const struct rmap_range range = { start, end, fn };
	rwlock_t *lock = &shadow_mmu(shadow)->lock;
	gfn_t part;
	u32 i;

	lockdep_assert_held_write(lock);
	if (!rmap_range_is_large(shadow, &range)) {
		for (; start < end; start = part) {
			part = min(end, start + PT_ENTRIES);
			(void)rmap_over(shadow, start, part, fn);
			cond_resched_rwlock_write(lock);
		}
		return;
	}
	for (i = 0; i < shadow->index.capacity; i++) {
		struct shadow_page *sp = shadow->index.by_index[i];

		if (!sp)
			continue;
		(void)rmap_over_page(shadow, sp, &range);
		cond_resched_rwlock_write(lock);
	}
}
