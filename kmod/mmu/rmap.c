// SPDX-License-Identifier: GPL-2.0-only
/*
 * The reverse map of shadow tables: which entries map a guest frame.
 *
 * It is a hash by frame whose chains run through shadow_page.next, so that an entry costs four
 * bytes there and four for its frame, and nothing is allocated when one is added.  It is there only
 * where something is shadowed: no array lies along the guest's memory.
 */
#include "mmu/shadow.h"

static entry_id *rmap_bucket(const struct shadow_index *index, gfn_t gfn)
{
	u32 buckets = index->capacity * SHADOW_LEAF_BUCKETS;

	return &index->leaves[(gfn * 0x9e3779b97f4a7c15ull >> 32) & (buckets - 1)];
}

/* Entry @i of @sp maps @gfn from now on. */
void rmap_add(struct shadow *shadow, struct shadow_page *sp, unsigned int i, gfn_t gfn)
{
	entry_id *first = rmap_bucket(&shadow->index, gfn);

	lockdep_assert_held_write(&shadow_mmu(shadow)->lock);
	if (sp->gfns)
		sp->gfns[i] = gfn;
	sp->next[i] = *first;
	*first = entry_id_of(sp, i);
	shadow->nr_leaves++;
}

/* And no more. */
void rmap_del(struct shadow *shadow, struct shadow_page *sp, unsigned int i)
{
	entry_id *at = rmap_bucket(&shadow->index, shadow_gfn(sp, i)), id = entry_id_of(sp, i);

	lockdep_assert_held_write(&shadow_mmu(shadow)->lock);
	while (*at && *at != id)
		at = &entry_page(shadow, *at)->next[entry_slot(*at)];
	if (WARN_ON_ONCE(!*at))
		return;
	*at = sp->next[i];
	sp->next[i] = 0;
	shadow->nr_leaves--;
}

/* Does the map know entry @i of @sp? */
bool rmap_has(const struct shadow *shadow, const struct shadow_page *sp, unsigned int i)
{
	entry_id at = *rmap_bucket(&shadow->index, shadow_gfn(sp, i)), id = entry_id_of(sp, i);

	lockdep_assert_held(&shadow_mmu(shadow)->lock);
	while (at && at != id)
		at = entry_page(shadow, at)->next[entry_slot(at)];
	return at;
}

static bool rmap_over_gfn(struct shadow *shadow, gfn_t gfn, rmap_fn fn)
{
	entry_id id = *rmap_bucket(&shadow->index, gfn), next;
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

/* A range of more frames than there are entries: looks at all of these. */
static bool rmap_over_all(struct shadow *shadow, gfn_t start, gfn_t end, rmap_fn fn)
{
	struct shadow_page *sp;
	bool found = false;
	unsigned int i;

	list_for_each_entry(sp, &shadow->pages, all) {
		if (sp->role.level > 1)
			continue;
		for (i = 0; i < PT_ENTRIES; i++)
			if (hpte_present(shadow->be.fmt, shadow_entry(sp, i)) &&
			    shadow_gfn(sp, i) >= start && shadow_gfn(sp, i) < end)
				found |= fn(shadow, sp, i);
	}
	return found;
}

/*
 * Calls @fn for each entry that maps a frame of [start, end).  Under the lock, for writing if @fn
 * changes what the map holds.  True: one of the calls returned that.
 */
bool rmap_over(struct shadow *shadow, gfn_t start, gfn_t end, rmap_fn fn)
{
	bool found = false;

	lockdep_assert_held(&shadow_mmu(shadow)->lock);
	if (end - start > (u64)shadow->nr * PT_ENTRIES)
		return rmap_over_all(shadow, start, end, fn);
	for (; start < end; start++)
		found |= rmap_over_gfn(shadow, start, fn);
	return found;
}
