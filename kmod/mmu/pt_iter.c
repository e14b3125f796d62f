// SPDX-License-Identifier: GPL-2.0-only
/*
 * The cursor over host tables.
 *
 * The caller holds the MMU's lock, for reading or for writing.  Tables are taken away only under
 * the write lock, so a table that the cursor stands in stays.
 */
#include "mmu/pt_iter.h"

static void iter_load(struct pt_iter *it)
{
	it->ptep = it->table[it->level] + pt_index(it->gfn, it->level);
	it->pte.v = READ_ONCE(it->ptep->v);
}

/* Puts the cursor on the root's entry for @start; @end is cut to what the tables can reach. */
void pt_iter_start(struct pt_iter *it, const struct mmu_backend *be, int min_level, gfn_t start,
		   gfn_t end)
{
	lockdep_assert_held(&be->mmu->lock);
	it->be = be;
	it->gfn = start;
	it->end = min(end, backend_end_gfn(be));
	it->level = be->root_level;
	it->min_level = min_level;
	it->table[it->level] = be->root;
	if (pt_iter_valid(it))
		iter_load(it);
}

/* Reads the entry again; enters the table that it names.  False: it names none. */
bool pt_iter_enter(struct pt_iter *it)
{
	const struct pte_fmt *fmt = it->be->fmt;

	it->pte.v = READ_ONCE(it->ptep->v);
	if (!hpte_is_table(fmt, it->pte, it->level))
		return false;
	it->level--;
	it->table[it->level] = hpte_table(fmt, it->pte);
	iter_load(it);
	return true;
}

/* Goes to the table below, if there is one to enter; else to the next entry, up where need be. */
void pt_iter_next(struct pt_iter *it)
{
	if (it->level > it->min_level && pt_iter_enter(it))
		return;
	it->gfn = pt_iter_base(it) + pt_span(it->level);
	while (it->level < it->be->root_level && !pt_index(it->gfn, it->level))
		it->level++;
	if (pt_iter_valid(it))
		iter_load(it);
}
