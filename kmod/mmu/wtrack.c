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
 * new bytes and walk by the old; the next use reads what is in memory by then.  To other vCPUs
 * store and shadow change as one.
 *
 * A table that is stored to again and again while its shadow is of no use is opened: its shadow
 * pages are dropped, and the guest writes to it as to any memory until it is used as a table again.
 */
#include <linux/interval_tree.h>
#include <linux/pagemap.h>
#include "mmu/pt_change.h"
#include "mmu/shadow.h"

#define WTRACK_MAX_STORES 3  /* in a row, without use of the shadow */
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
		shadow_change(shadow, &it, hpte_deny_write(fmt, it.pte));
	return false;
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

static void page_hide(struct shadow *shadow, struct shadow_page *sp, unsigned int offset,
		      size_t len)
{
	unsigned int size = sp->role.mode == GPT_32 ? sizeof(u32) : sizeof(u64);
	unsigned int nr, first, n;

	for (nr = offset / size; nr <= (offset + len - 1) / size; nr++)
		for (n = entries_of(sp, nr, &first); n; n--)
			shadow_page_clear(shadow, sp, first + n - 1);
}

/* For gfn_hide(): the bytes that are about to be stored. */
struct stored {
	unsigned int offset;
	size_t len;
};

static bool gfn_hide(struct shadow *shadow, gfn_t gfn, const void *data)
{
	struct shadow_page *sp = shadow_page_first(shadow, gfn), *next;
	const struct stored *stored = data;

	for (; sp; sp = next) {
		next = sp->bucket;
		if (sp->gfn != gfn || !shadow_is_tracking(sp))
			continue;
		page_hide(shadow, sp, stored->offset, stored->len);
		if (++sp->stores > WTRACK_MAX_STORES && !sp->roots) {
			shadow->opened++;
			shadow_page_drop(shadow, sp);
		}
	}
	return false;
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

/* Drops what shadows @gfn, so that the guest can write to it.  True: it can. */
bool wtrack_open(struct shadow *shadow, gfn_t gfn)
{
	lockdep_assert_held_write(&shadow_mmu(shadow)->lock);
	shadow->opened++;
	over_aliases(shadow, gfn, gfn_open, NULL);
	return !over_aliases(shadow, gfn, gfn_is_tracked, NULL);
}

/* Hides what depends on the bytes, and makes @store, if its page is at hand. */
static int store_once(struct shadow *shadow, gpa_t gpa, const struct guest_store *store)
{
	const struct stored stored = { offset_in_page(gpa), store->len };
	struct mmu_vm *mmu = shadow_mmu(shadow);
	int r;

	write_lock(&mmu->lock);
	over_hva(shadow, (hva_t)store->user & PAGE_MASK, gfn_hide, &stored);
	pagefault_disable();
	r = guest_store_do(store);
	pagefault_enable();
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
	if (!wtrack_is_tracked(shadow, (hva_t)user & PAGE_MASK) &&
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
		r = store_once(shadow, gpa, store);
		if (r == -EFAULT &&
		    fault_in_safe_writeable((const char __user *)store->user, store->len))
			break;
	}
	return r;
}
