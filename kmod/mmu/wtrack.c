// SPDX-License-Identifier: GPL-2.0-only
/*
 * Write tracking: stores to guest tables that are shadowed.
 *
 * A guest frame is tracked while a shadow page shadows it as a table.  No entry allows writing it
 * then, nor any other frame of the guest that is the same memory by another slot, and no entry of a
 * second table, on which the VM's vCPUs may run while they are unpaged; so the guest's stores there
 * fault.  They are emulated, and come with all of mkvm's own stores to one choke
 * point, wtrack_store(): under the lock for writing, which keeps faults out, the shadow entries
 * that depend on the bytes are taken away, and then the store is made.  So no processor can see the
 * new bytes and walk by the old.  A plain store to a table of the last level fills the entry anew,
 * by what is in memory then; else the next use does.  To other vCPUs store and shadow change as
 * one.
 *
 * A table that is stored to again and again while its shadow is of no use is opened: its shadow
 * pages are dropped, and the guest writes to it as to any memory until it is used as a table again.
 * So is one that a store has made an orphan: no entry names it, and no vCPU begins there.  Leaves
 * that could be written but for the table (pte_fmt.held) can be from then on, so that the stores
 * that follow do not fault.  A leaf of a logged page cannot: its next write has to be seen.
 */
#include <linux/interval_tree.h>
#include <linux/pagemap.h>
#include "mmu/pt_change.h"
#include "mmu/shadow.h"

#define WTRACK_MAX_STORES 3  /* in a row, without use of the shadow */
#define WTRACK_MAX_EDITS  1  /* the same, of entries of the last level that were nothing before */
#define WTRACK_MAX_KEPT	  16 /* the same, to a table that it does not pay to open */
#define WTRACK_MAX_TRIES  64 /* of a store whose page the host takes away each time */

/* A function for each of the guest frames that are the same memory. */
typedef bool (*alias_fn)(struct shadow *shadow, gfn_t gfn, const void *data);

/*
 * Calls @fn for each guest frame that is the memory at @hva, until one call returns true: by the
 * slots that the MMU knows, so that one which is about to go, and that the caller has used, is
 * among them.
 */
static bool over_hva(struct shadow *shadow, hva_t hva, alias_fn fn, const void *data)
{
	struct rb_root_cached *tree = &shadow_mmu(shadow)->slots->hva_tree;
	struct interval_tree_node *node;

	lockdep_assert_held(&shadow_mmu(shadow)->lock);
	for (node = interval_tree_iter_first(tree, hva, hva); node;
	     node = interval_tree_iter_next(node, hva, hva)) {
		struct memslot *slot = container_of(node, struct memslot, hva_node);

		if (fn(shadow, slot->base_gfn + ((hva - slot->hva) >> PAGE_SHIFT), data))
			return true;
	}
	return false;
}

/*
 * The same for @gfn and all others that are the same memory.  The caller holds a read side of the
 * slots, or their lock.
 */
static bool over_aliases(struct shadow *shadow, gfn_t gfn, alias_fn fn, const void *data)
{
	struct memslot *slot = memslot_find(memslots_get(shadow_mmu(shadow)->slots), gfn);

	return slot ? over_hva(shadow, memslot_hva(slot, gfn), fn, data) : fn(shadow, gfn, data);
}

static bool gfn_is_tracked(struct shadow *shadow, gfn_t gfn, const void *unused)
{
	struct shadow_page *sp = shadow_page_first(shadow, gfn);

	while (sp && !(sp->gfn == gfn && shadow_is_tracking(sp)))
		sp = sp->bucket;
	return sp;
}

/* Would a store to the memory at @hva be one to a table that is shadowed? */
bool wtrack_is_tracked(struct shadow *shadow, hva_t hva)
{
	return over_hva(shadow, hva, gfn_is_tracked, NULL);
}

/* The same for a VM that may have no shadow tables at all. */
bool shadow_tracks(const struct mmu_vm *mmu, hva_t hva)
{
	return mmu->backend[MMU_SHADOW] &&
	       wtrack_is_tracked(to_shadow(mmu->backend[MMU_SHADOW]), hva);
}

static bool gfn_is(struct shadow *unused, gfn_t gfn, const void *other)
{
	return gfn == *(const gfn_t *)other;
}

/* Are @gfn and @other the same memory? */
bool wtrack_is_same(struct shadow *shadow, gfn_t gfn, gfn_t other)
{
	return over_aliases(shadow, gfn, gfn_is, &other);
}

static bool leaf_protect(struct shadow *shadow, struct shadow_page *sp, unsigned int i)
{
	const struct pte_fmt *fmt = shadow->be.fmt;
	struct pt_iter it;

	shadow_cursor(shadow, sp, i, &it);
	if (hpte_access(fmt, it.pte) & ACC_W)
		shadow_change(shadow, &it, hpte_hold(fmt, it.pte));
	return false;
}

static bool leaf_let_go(struct shadow *shadow, struct shadow_page *sp, unsigned int i)
{
	const struct pte_fmt *fmt = shadow->be.fmt;
	struct pt_iter it;

	shadow_cursor(shadow, sp, i, &it);
	if (hpte_is_held(fmt, it.pte))
		shadow_change(shadow, &it, hpte_let_go(fmt, it.pte));
	return false;
}

static bool gfn_let_go(struct shadow *shadow, gfn_t gfn, const void *unused)
{
	struct memslot *slot = memslot_find(memslots_get(shadow_mmu(shadow)->slots), gfn);

	if (slot && !memslot_logged(slot))
		rmap_over(shadow, gfn, gfn + 1, leaf_let_go);
	return false;
}

/* If nothing shadows @gfn as a table any more, what was held for that is not. */
static void wtrack_let_go(struct shadow *shadow, gfn_t gfn)
{
	if (shadow_pieces_gone(shadow) && !over_aliases(shadow, gfn, gfn_is_tracked, NULL))
		over_aliases(shadow, gfn, gfn_let_go, NULL);
}

static bool gfn_protect(struct shadow *shadow, gfn_t gfn, const void *unused)
{
	rmap_over(shadow, gfn, gfn + 1, leaf_protect);
	return false;
}

/*
 * Nor does a second table allow it: takes away what is mapped there, so that what its dirty bits
 * tell goes into the log.  The next use maps it read-only.
 */
static void second_protect(struct shadow *shadow, hva_t hva)
{
	struct mmu_vm *mmu = shadow_mmu(shadow);
	struct mmu_backend *be = mmu->backend[MMU_TDP];
	struct interval_tree_node *node;
	bool found = false;

	for (node = interval_tree_iter_first(&mmu->slots->hva_tree, hva, hva); node && be;
	     node = interval_tree_iter_next(node, hva, hva)) {
		struct memslot *slot = container_of(node, struct memslot, hva_node);
		gfn_t gfn = slot->base_gfn + ((hva - slot->hva) >> PAGE_SHIFT);

		mmu_debt_add(&shadow->debt, be->ops->zap(be, slot, gfn, gfn + 1, &found));
	}
}

/* @gfn is tracked from now on: no entry allows writing it.  A flush is owed if one did. */
void wtrack_protect(struct shadow *shadow, gfn_t gfn)
{
	struct memslot *slot = memslot_find(memslots_get(shadow_mmu(shadow)->slots), gfn);

	lockdep_assert_held_write(&shadow_mmu(shadow)->lock);
	over_aliases(shadow, gfn, gfn_protect, NULL);
	if (slot)
		second_protect(shadow, memslot_hva(slot, gfn));
}

/* Which shadow entries of @sp depend on the guest's entry @nr: none, or @n from *@first on. */
static unsigned int entries_of(const struct shadow_page *sp, unsigned int nr, unsigned int *first)
{
	/* An entry of four bytes: a part of the table, and of the topmost each is two of ours. */
	unsigned int n = sp->role.mode == GPT_32 ? sp->role.level : 1;

	*first = nr * n % PT_ENTRIES;
	return nr * n / PT_ENTRIES == sp->role.quadrant ? n : 0;
}

/* The table is opened when the store has been made. */
static void page_condemn(struct shadow_page *sp, struct list_head *orphans)
{
	list_del(&sp->all);
	list_add_tail(&sp->all, orphans);
}

/* Takes entry @i of @sp away; a table that nothing names any more is noted in @orphans, if any. */
static void entry_hide(struct shadow *shadow, struct shadow_page *sp, unsigned int i,
		       struct list_head *orphans)
{
	hpte_t pte = shadow_entry(sp, i);
	struct shadow_page *child = NULL;

	if (orphans && hpte_is_table(shadow->be.fmt, pte, sp->role.level))
		child = shadow_page_of(shadow, pte);
	shadow_page_clear(shadow, sp, i);
	if (child && !child->parents && !child->roots && shadow_is_tracking(child))
		page_condemn(child, orphans);
}

/* The bytes that are about to be stored, or have been; whether it is no exchange. */
struct stored {
	unsigned int offset;
	size_t len;
	bool plain;
};

static void page_hide(struct shadow *shadow, struct shadow_page *sp, const struct stored *stored)
{
	struct list_head *orphans = stored->plain ? &shadow->orphans : NULL;
	unsigned int nr, first, n, size = shadow_entry_size(sp);
	size_t last = stored->offset + stored->len - 1;

	for (nr = stored->offset / size; nr <= last / size; nr++)
		for (n = entries_of(sp, nr, &first); n; n--)
			entry_hide(shadow, sp, first + n - 1, orphans);
}

/* What a store was for has been used: it was not one of many. */
static void page_look(const struct shadow *shadow, struct shadow_page *sp)
{
	if (sp->filled && hpte_accessed(shadow->be.fmt, shadow_entry(sp, sp->filled - 1)))
		sp->stores = 0;
	sp->filled = 0;
}

/* Have there been so many stores in a row that the table is opened? */
static bool page_is_written(const struct shadow_page *sp)
{
	return sp->stores > (sp->keep ? WTRACK_MAX_KEPT : WTRACK_MAX_STORES) && !sp->roots;
}

static bool gfn_hide(struct shadow *shadow, gfn_t gfn, const void *data)
{
	struct shadow_page *sp = shadow_page_first(shadow, gfn), *next;
	const struct stored *stored = data;

	for (; sp; sp = next) {
		next = sp->bucket;
		if (sp->gfn != gfn || !shadow_is_tracking(sp))
			continue;
		page_look(shadow, sp);
		page_hide(shadow, sp, stored);
		if (!stored->plain)
			continue;
		sp->stores++;
		if (page_is_written(sp))
			page_condemn(sp, &shadow->orphans);
	}
	return false;
}

/*
 * The store has been made: what it says goes into the shadow, as a fault of its own would put it
 * there, but for the processor's bits.  Not before each processor is known to have lost the right
 * to write to the table.
 */
static void page_fill(struct shadow *shadow, struct shadow_page *sp, const struct stored *stored)
{
	unsigned int nr = stored->offset / shadow_entry_size(sp), first;

	if (sp->role.level > 1 || sp->owed > atomic64_read(&shadow_mmu(shadow)->flush_done))
		return;
	if (entries_of(sp, nr, &first) && shadow_around_one(shadow, sp, first))
		sp->filled = first + 1;
}

static bool gfn_fill(struct shadow *shadow, gfn_t gfn, const void *data)
{
	struct shadow_page *sp = shadow_page_first(shadow, gfn);

	for (; sp; sp = sp->bucket)
		if (sp->gfn == gfn && shadow_is_tracking(sp))
			page_fill(shadow, sp, data);
	return false;
}

static void orphans_open(struct shadow *shadow)
{
	while (!list_empty(&shadow->orphans)) {
		struct shadow_page *sp =
			list_first_entry(&shadow->orphans, struct shadow_page, all);
		gfn_t gfn = sp->gfn;

		shadow->opened++;
		shadow_page_drop(shadow, sp);
		wtrack_let_go(shadow, gfn);
	}
}

/* Is it better to emulate a store to the guest's table of @sp than to open that? */
static bool page_keeps(struct shadow *shadow, struct shadow_page *sp, gpa_t gpa)
{
	unsigned int size = shadow_entry_size(sp);
	gpte_t gpte = { 0 };

	if (!sp->parents && !sp->roots)
		return false;
	if (sp->role.level > 1)
		return true;
	page_look(shadow, sp);
	if (sp->keep)
		return sp->stores < WTRACK_MAX_KEPT;
	/* 32-bit code stores an entry of PAE in two halves. */
	if (sp->stores >= (sp->role.mode == GPT_PAE ? 2 : 1) * WTRACK_MAX_EDITS)
		return false;
	gpa &= ~(gpa_t)(size - 1);
	/* What takes an entry away, or changes one, is seldom alone. */
	return !guest_mem_peek(shadow_mmu(shadow)->slots, gpa, &gpte, size) && !(gpte.v & 1);
}

static bool gfn_keeps(struct shadow *shadow, gfn_t gfn, const void *data)
{
	struct shadow_page *sp = shadow_page_first(shadow, gfn);
	gpa_t gpa = gfn_to_gpa(gfn) + offset_in_page(*(const gpa_t *)data);

	for (; sp; sp = sp->bucket)
		if (sp->gfn == gfn && shadow_is_tracking(sp) && page_keeps(shadow, sp, gpa))
			return true;
	return false;
}

/* Is the store to a table at @gpa one of many, so that the table had better be opened? */
bool wtrack_should_open(struct shadow *shadow, gpa_t gpa)
{
	lockdep_assert_held_write(&shadow_mmu(shadow)->lock);
	return !over_aliases(shadow, gpa_to_gfn(gpa), gfn_keeps, &gpa);
}

static bool gfn_is_upper(struct shadow *shadow, gfn_t gfn, const void *unused)
{
	struct shadow_page *sp = shadow_page_first(shadow, gfn);

	for (; sp; sp = sp->bucket)
		if (sp->gfn == gfn && shadow_is_tracking(sp) && sp->role.level > 1)
			return true;
	return false;
}

/* The guest is about to change entries of @gfn, a table of the last level: opens it. */
void wtrack_expect_edit(struct shadow *shadow, gfn_t gfn)
{
	lockdep_assert_held_write(&shadow_mmu(shadow)->lock);
	if (over_aliases(shadow, gfn, gfn_is_tracked, NULL) &&
	    !over_aliases(shadow, gfn, gfn_is_upper, NULL))
		(void)wtrack_open(shadow, gfn);
}

static bool gfn_open(struct shadow *shadow, gfn_t gfn, const void *unused)
{
	struct shadow_page *sp = shadow_page_first(shadow, gfn), *next;

	for (; sp; sp = next) {
		next = sp->bucket;
		if (sp->gfn == gfn && shadow_is_tracking(sp))
			shadow_page_drop(shadow, sp);
	}
	return false;
}

static bool gfn_note(struct shadow *shadow, gfn_t gfn, const void *unused)
{
	struct shadow_page *sp = shadow_page_first(shadow, gfn);

	for (; sp; sp = sp->bucket)
		if (sp->gfn == gfn && shadow_is_tracking(sp) && sp->role.level == 1)
			shadow_memo_note(shadow, sp);
	return false;
}

/* @gfn is about to be opened for many stores: what is in use of it will be again. */
void wtrack_note(struct shadow *shadow, gfn_t gfn)
{
	lockdep_assert_held_write(&shadow_mmu(shadow)->lock);
	over_aliases(shadow, gfn, gfn_note, NULL);
}

/* Drops what shadows @gfn, so that the guest can write to it.  True: it can. */
bool wtrack_open(struct shadow *shadow, gfn_t gfn)
{
	lockdep_assert_held_write(&shadow_mmu(shadow)->lock);
	shadow->opened++;
	over_aliases(shadow, gfn, gfn_open, NULL);
	wtrack_let_go(shadow, gfn);
	return !over_aliases(shadow, gfn, gfn_is_tracked, NULL);
}

/*
 * Hides what depends on the bytes, makes @store, if its page is at hand, and fills.  -EAGAIN: first
 * a flush has to be done for what was hidden, and nothing comes back until then.  An exchange
 * fills and opens nothing: most are of accessed and dirty bits, by a walk that will fill and link
 * what it wants.
 */
static int store_once(struct shadow *shadow, gpa_t gpa, const struct guest_store *store)
{
	const struct stored stored = { offset_in_page(gpa), store->len, !store->old };
	struct mmu_vm *mmu = shadow_mmu(shadow);
	int r;

	write_lock(&mmu->lock);
	over_hva(shadow, (hva_t)store->user & PAGE_MASK, gfn_hide, &stored);
	orphans_open(shadow);
	if (!shadow_pieces_gone(shadow)) {
		shadow->waiting++;
		write_unlock(&mmu->lock);
		return -EAGAIN;
	}
	pagefault_disable();
	r = guest_store_do(store);
	pagefault_enable();
	if (!r && stored.plain)
		over_hva(shadow, (hva_t)store->user & PAGE_MASK, gfn_fill, &stored);
	write_unlock(&mmu->lock);
	return r;
}

/* The same, to the end.  How often it waits is up to how many other stores begin meanwhile. */
static int store_settled(struct shadow *shadow, gpa_t gpa, const struct guest_store *store)
{
	struct mmu_vm *mmu = shadow_mmu(shadow);
	unsigned int waited = 0;
	int r;

	while ((r = store_once(shadow, gpa, store)) == -EAGAIN) {
		waited++;
		mmu_settle(mmu, (struct mmu_debt){});
	}
	if (!waited)
		return r;
	write_lock(&mmu->lock);
	shadow->waiting -= waited;
	write_unlock(&mmu->lock);
	return r;
}

/*
 * A byte, while the thread is scheduled away: nothing can be taken away here, so a table of the
 * guest's stays as it is.
 */
int wtrack_put(struct guest_store_watcher *watcher, void __user *user, u8 value)
{
	struct shadow *shadow = container_of(watcher, struct shadow, watcher);
	struct mmu_vm *mmu = shadow_mmu(shadow);
	int r = -EFAULT;

	if (!write_trylock(&mmu->lock))
		return r;
	if (shadow_pieces_gone(shadow) && !wtrack_is_tracked(shadow, (hva_t)user & PAGE_MASK) &&
	    !copy_to_user_nofault(user, &value, sizeof(value)))
		r = 0;
	write_unlock(&mmu->lock);
	return r;
}

/* The one way of mkvm's own stores to the memory of a VM that has shadow tables. */
int wtrack_store(struct guest_store_watcher *watcher, gpa_t gpa, const struct guest_store *store)
{
	struct shadow *shadow = container_of(watcher, struct shadow, watcher);
	int tries, r = -EFAULT;

	for (tries = 0; r == -EFAULT && tries < WTRACK_MAX_TRIES; tries++) {
		r = store_settled(shadow, gpa, store);
		if (r == -EFAULT &&
		    fault_in_safe_writeable((const char __user *)store->user, store->len))
			break;
	}
	return r;
}
