// SPDX-License-Identifier: GPL-2.0-only
/*
 * The audit: can each live entry be derived from what it is made of?
 *
 * One walk over all tables of all backends, with the slots and the MMU held still.  An entry that
 * is not present names nothing.  A table entry names a table.  A leaf lies within one slot, maps
 * the frame that the host has there, allows writing only where the slot, the host and the dirty log
 * do, and has no bits but those that follow from this; or it maps the module's own page.  What was
 * found is counted, and the counts that are kept elsewhere have to agree.
 */
#include "mmu/backend.h"

static void audit_found(struct mmu_audit *audit, const char *what, gfn_t gfn, int level, hpte_t pte)
{
	if (audit->found)
		return;
	audit->found = what;
	audit->gfn = gfn;
	audit->level = level;
	audit->entry = pte.v;
}

/* Does the dirty bit of a leaf tell of a write to its one page? */
static bool leaf_is_seen(const struct mmu_vm *mmu, int level)
{
	return level == 1 && mmu_logs_by_bits(mmu);
}

/* A write through an entry of a logged slot would not be seen: each page's bit has to be set. */
static bool leaf_is_logged(const struct memslot *slot, gfn_t gfn, int level)
{
	gfn_t i;

	for (i = 0; i < pt_span(level); i++)
		if (!test_bit(gfn + i - slot->base_gfn, slot->dirty))
			return false;
	return true;
}

/* Does it have the bits that go with its frame and its access, for memory or for a device? */
static bool leaf_is_plain(const struct pte_fmt *fmt, hpte_t pte, int level)
{
	hfn_t hfn = hpte_addr(fmt, pte) >> PAGE_SHIFT;
	hpte_t leaf = hpte_make_leaf(fmt, hfn, level, hpte_access(fmt, pte));

	return pte.v == hpte_keep_touched(fmt, leaf, pte).v ||
	       (level == 1 && pte.v == hpte_keep_touched(fmt, hpte_make_device(fmt, leaf), pte).v);
}

static bool leaf_is_own_page(const struct mmu_vm *mmu, gfn_t gfn, hfn_t hfn, int level)
{
	return mmu->own_page.on && level == 1 && gfn == mmu->own_page.gfn &&
	       hfn == mmu->own_page.hfn;
}

/* What is wrong with a leaf, or NULL. */
static const char *leaf_fault(const struct mmu_backend *be, const struct mmu_audit *audit,
			      gfn_t gfn, int level, hpte_t pte)
{
	struct memslot *slot = memslot_find(memslots_get(be->mmu->slots), gfn);
	hfn_t hfn = hpte_addr(be->fmt, pte) >> PAGE_SHIFT;
	u32 access = hpte_access(be->fmt, pte);
	gfn_t i;

	if (leaf_is_own_page(be->mmu, gfn, hfn, level))
		return leaf_is_plain(be->fmt, pte, level) ? NULL : "an own page with odd bits";
	if (!slot || gfn + pt_span(level) > slot->base_gfn + slot->npages)
		return "a leaf outside of any slot";
	if (!(access & ACC_R))
		return "a leaf that forbids reading";
	if (!leaf_is_plain(be->fmt, pte, level))
		return "a leaf with bits that mean nothing";
	if (level > be->mmu->caps.max_level || !memslot_fits(slot, gfn, pt_span(level)))
		return "a leaf that is too large";
	if (level > 1 && (access & ACC_X) && be->mmu->caps.no_large_exec)
		return "a large leaf allows fetches";
	if ((access & ACC_W) && memslot_readonly(slot))
		return "a leaf of a read-only slot allows writing";
	if ((access & ACC_W) && memslot_logged(slot) && !leaf_is_seen(be->mmu, level) &&
	    !leaf_is_logged(slot, gfn, level))
		return "a leaf allows writing that the dirty log will not see";
	for (i = 0; (access & ACC_W) && i < pt_span(level); i++)
		if (shadow_tracks(be->mmu, memslot_hva(slot, gfn + i)))
			return "a leaf allows writing a table that is shadowed";
	for (i = 0; audit->is_frame && i < pt_span(level); i++)
		if (!audit->is_frame(audit->data, memslot_hva(slot, gfn + i), hfn + i,
				     access & ACC_W))
			return "a leaf for a frame that the host does not have there";
	return NULL;
}

static void audit_table(const struct mmu_backend *be, struct mmu_audit *audit, hpte_t *table,
			int level, gfn_t gfn)
{
	const struct pte_fmt *fmt = be->fmt;
	unsigned int i;

	audit->pages++;
	for (i = 0; i < PT_ENTRIES; i++, gfn += pt_span(level)) {
		hpte_t pte = { READ_ONCE(table[i].v) };
		const char *what = NULL;

		if (!hpte_present(fmt, pte)) {
			if (pte.v && pte.v != fmt->aged)
				what = "an entry that is not present names something";
		} else if (hpte_is_leaf(fmt, pte, level)) {
			audit->mapped[level]++;
			what = leaf_fault(be, audit, gfn, level, pte);
		} else if (pte.v != hpte_make_table(fmt, hpte_addr(fmt, pte)).v) {
			what = "a table's entry with bits that mean nothing";
		} else {
			audit_table(be, audit, hpte_table(fmt, pte), level - 1, gfn);
		}
		if (what)
			audit_found(audit, what, gfn, level, pte);
	}
}

/* A backend of one tree, from its root. */
void audit_tables(const struct mmu_backend *be, struct mmu_audit *audit)
{
	lockdep_assert_held_write(&be->mmu->lock);
	audit_table(be, audit, be->root, be->root_level, 0);
}

static void audit_counts(struct mmu_vm *mmu, struct mmu_audit *audit)
{
	struct page *page;
	int level;

	list_for_each_entry(page, &mmu->retired, lru)
		audit->retired++;
	/* Pages that wait for a flush which is under way are on no list. */
	if (audit->pages + audit->retired > atomic_long_read(&mmu->table_pages))
		audit_found(audit, "more table pages than are counted", 0, 0, HPTE_NONE);
	for (level = 1; level <= MMU_MAX_LEVEL; level++)
		if (audit->mapped[level] != atomic_long_read(&mmu->mapped[level]))
			audit_found(audit, "mapped pages are counted wrong", 0, level, HPTE_NONE);
}

/*
 * Fills @audit, whose is_frame and data the caller has set, the rest zero.  May sleep; takes the
 * lock of the slots, and the MMU's for writing for as long as it takes.
 */
void mmu_audit(struct mmu_vm *mmu, struct mmu_audit *audit)
{
	int i;

	mutex_lock(&mmu->slots->lock);
	write_lock(&mmu->lock);
	for (i = 0; i < MMU_NR_KINDS; i++) {
		const struct mmu_backend *be = mmu->backend[i];

		if (be)
			be->ops->audit(be, audit);
	}
	audit_counts(mmu, audit);
	write_unlock(&mmu->lock);
	mutex_unlock(&mmu->slots->lock);
}
