// SPDX-License-Identifier: GPL-2.0-only
/*
 * Shadow paging: tables from the guest's linear addresses straight to host frames, which stand in
 * for the guest's own where the processor has no second table, or shall not use it.
 *
 * A shadow page shadows one guest table as seen in one way: its key is the guest frame and the role
 * (level, format, quadrant, what the entries above allow, the mode bits that change a verdict).  A
 * direct page shadows no table, but a part of a large page, or memory while paging is off.
 *
 * Each guest table has one of two states.  SYNC: it has shadow pages, it is write-protected
 * (wtrack.c), and each entry of the shadow that is present says what the guest's entry says.  OPEN:
 * it has none, and the guest may write to it.  So the shadow is exact or absent, nothing has to be
 * made up for when the guest loads CR3, and INVLPG is the processor's business.  Where a large page
 * of the guest's has many entries here, all of them are forgotten before the guest's entry changes
 * (shadow_pieces_gone()).
 *
 * A fault walks the guest's tables first, with the guest's own page faults and accessed and dirty
 * bits.  Then, under the lock: it finds or makes the shadow pages on the way, and begins anew if a
 * flush has to come first; sees whether the guest's entries are still those that it walked by; and
 * only then puts entries in.  So what is read into a shadow has been read after the last processor
 * lost the right to change it behind the shadow's back.
 *
 * A leaf allows what all the guest's entries on the way do; writing only if the guest's dirty bit
 * is set, the host lets it, no log waits for it, and the frame is no table.  It may allow a
 * supervisor to write what CR0.WP would forbid, and nothing to a user (shadow_lends()).  All leaves
 * are of level 1.  No entry is global.
 */
#include <linux/slab.h>
#include "mmu/gpt_walk.h"
#include "mmu/pt_change.h"
#include "mmu/pt_page.h"
#include "mmu/shadow.h"

/*
 * What a leaf for the walk's page may allow at most.  If it is a write the walk has set the dirty
 * bit, or the entry lies where that cannot be set.
 */
static u32 shadow_allowed(const struct mmu_fault *fault)
{
	const struct gpt_walk *walk = fault->walk;
	u32 allowed;

	if (fault->root->mode == GPT_NONE)
		return ACC_R | ACC_W | ACC_X | ACC_U;
	allowed = shadow_effective(fault->root, walk->allowed[walk->leaf - 1]);
	if (!(fault->access & ACC_W))
		return walk->dirty ? allowed : allowed & ~ACC_W;
	if (!(allowed & ACC_W) && shadow_lends(fault->root))
		allowed = shadow_lent(fault->root, allowed);
	return allowed;
}

static enum mmu_outcome shadow_reflect(struct mmu_fault *fault)
{
	if (!(fault->code & PF_CODE_PRESENT))
		fault->cause = MKVM_CAUSE_GUEST_NOT_PRESENT;
	else if (fault->code & PF_CODE_RESERVED)
		fault->cause = MKVM_CAUSE_GUEST_RESERVED;
	else
		fault->cause = MKVM_CAUSE_GUEST_PROTECTION;
	return MMU_REFLECT;
}

static enum mmu_outcome shadow_failed(struct mmu_fault *fault, int error)
{
	fault->cause = MKVM_CAUSE_HOST_ERROR;
	fault->error = error;
	return MMU_FAILED;
}

/*
 * The guest is told of a write that its entry forbids, so it is about to change that, most often
 * not by one store alone: its table is opened now, rather than by an exit of its own.
 */
static void shadow_expect_edit(struct shadow *shadow, const struct mmu_fault *fault)
{
	const u32 write = PF_CODE_PRESENT | PF_CODE_WRITE;

	if (fault->walk->leaf > 1 || (fault->code & (write | PF_CODE_RESERVED)) != write)
		return;
	write_lock(&shadow_mmu(shadow)->lock);
	shadow_memo_doubt(shadow, gpa_to_gfn(fault->walk->address[0]));
	wtrack_expect_edit(shadow, gpa_to_gfn(fault->walk->address[0]));
	write_unlock(&shadow_mmu(shadow)->lock);
}

/* Gets all that the fault may need and that cannot be had under the lock. */
static int shadow_reserve(struct mmu_backend *be, struct mmu_vcpu *mv)
{
	int r = mmu_prepare_root(mv);

	if (!r)
		r = shadow_index_grow(to_shadow(be));
	if (!r)
		r = shadow_spares_fill(mv, SHADOW_MAX_NEW);
	if (!r && !mv->walk)
		mv->walk = kzalloc(sizeof(*mv->walk), GFP_KERNEL_ACCOUNT);
	return r ? r : mv->walk ? 0 : -ENOMEM;
}

static enum mmu_outcome shadow_walk(struct mmu_backend *be, struct mmu_vcpu *mv,
				    struct mmu_fault *fault)
{
	int r = shadow_reserve(be, mv);

	if (r)
		return shadow_failed(fault, r);
	fault->walk = mv->walk;
	if (fault->root->mode == GPT_NONE) {
		fault->gpa = fault->gva;
		fault->writable = true;
		return MMU_RESUME;
	}
	r = gpt_walk(be->mmu->slots, fault->root, fault->gva, fault->access, fault->walk,
		     &fault->code);
	if (r == -EAGAIN) {
		/* A signal has come while others changed the entries: the guest walks again. */
		fault->again = MMU_AGAIN_WALK;
		fault->cause = MKVM_CAUSE_NOTIFIER_RETRY;
		return MMU_RESUME;
	}
	if (r < 0) {
		fault->gpa = fault->walk->address[fault->walk->leaf - 1];
		return shadow_failed(fault, r);
	}
	if (r) {
		shadow_expect_edit(to_shadow(be), fault);
		return shadow_reflect(fault);
	}
	fault->marked |= fault->walk->marked;
	fault->gpa = fault->walk->gpa;
	fault->writable = shadow_allowed(fault) & ACC_W;
	return MMU_RESUME;
}

/* The shadow pages of a walk, by level. */
struct shadow_path {
	struct shadow_page *sp[5];
	int top;
};

static unsigned int shadow_index_of(gva_t gva, int level)
{
	return pt_index(gva >> PAGE_SHIFT, level);
}

/* What the page of @level on the way to the fault's address shadows: see union shadow_role. */
static gfn_t shadow_key(const struct mmu_fault *fault, int level, union shadow_role *role)
{
	const struct gpt_walk *walk = fault->walk;
	bool direct = fault->root->mode == GPT_NONE || level < walk->leaf;

	*role = shadow_root_role(fault->root);
	role->level = level;
	role->direct = direct;
	if (direct) {
		role->access = shadow_allowed(fault) >> SHADOW_ACCESS_SHIFT;
		return gpa_to_gfn(fault->gpa) & ~(pt_span(level + 1) - 1);
	}
	role->access = walk->allowed[level] >> SHADOW_ACCESS_SHIFT;
	if (fault->root->mode == GPT_32)
		role->quadrant = (fault->gva >> 21) & 1;
	return gpa_to_gfn(walk->address[level - 1]);
}

/* How many of the pages below @top are still to be made. */
static unsigned int shadow_missing(const struct shadow *shadow, const struct mmu_fault *fault,
				   int top)
{
	unsigned int missing = 0;
	union shadow_role role;
	int level;
	gfn_t gfn;

	for (level = top - 1; level; level--) {
		gfn = shadow_key(fault, level, &role);
		missing += !shadow_page_find(shadow, gfn, role);
	}
	return missing;
}

/* Finds or makes the pages on the way.  Nothing is read from the guest, no entry put in. */
static enum mmu_again shadow_descend(struct shadow *shadow, struct mmu_vcpu *mv,
				     const struct mmu_fault *fault, struct shadow_path *path)
{
	s64 done = atomic64_read(&shadow_mmu(shadow)->flush_done);
	struct shadow_page *sp;
	bool owed;
	int level;

	sp = shadow_root_of(mv, fault->gva);
	if (!sp || !shadow_index_has_room(shadow))
		return MMU_AGAIN_ROOT;
	shadow_pages_make_room(shadow, shadow_missing(shadow, fault, sp->role.level));
	path->top = sp->role.level;
	path->sp[path->top] = sp;
	owed = sp->owed > done;
	for (level = path->top - 1; level; level--) {
		union shadow_role role;
		gfn_t gfn = shadow_key(fault, level, &role);

		path->sp[level] = shadow_page_get(shadow, mv, gfn, role);
		owed |= path->sp[level]->owed > done;
	}
	return owed ? MMU_AGAIN_FLUSH : MMU_AGAIN_NOT;
}

static void shadow_link(struct shadow *shadow, const struct shadow_path *path,
			struct mmu_fault *fault)
{
	int level;

	for (level = path->top; level > 1; level--) {
		struct shadow_page *sp = path->sp[level], *child = path->sp[level - 1];
		unsigned int i = shadow_index_of(fault->gva, level);
		hpte_t pte = shadow_entry(sp, i);

		sp->stores = 0;
		if (hpte_present(shadow->be.fmt, pte) && shadow_page_of(shadow, pte) == child)
			continue;
		/* By another role, or what the VMM has put there behind our back. */
		shadow_page_clear(shadow, sp, i);
		shadow_page_link(shadow, sp, i, child);
		fault->linked = true;
	}
	path->sp[1]->stores = 0;
}

/* Is the fault's page a table that is shadowed? */
static bool shadow_is_table(struct shadow *shadow, const struct mmu_fault *fault)
{
	return wtrack_is_tracked(shadow, memslot_hva(fault->slot, gpa_to_gfn(fault->gpa)));
}

/* What the leaf shall allow, but that the page may be a table. */
static u32 shadow_leaf_access(const struct mmu_fault *fault, const struct frame *frame)
{
	bool write = fault->access & ACC_W;
	u32 access = shadow_allowed(fault);

	if (!frame->writable || memslot_readonly(fault->slot) || (fault->logged && !write))
		access &= ~ACC_W;
	return access;
}

static hpte_t shadow_make_leaf(struct shadow *shadow, const struct mmu_fault *fault,
			       const struct frame *frame)
{
	const struct pte_fmt *fmt = shadow->be.fmt;
	u32 access = shadow_leaf_access(fault, frame);
	hpte_t leaf = hpte_make_leaf(fmt, frame->hfn, 1, access);

	if (frame->device)
		leaf = hpte_make_device(fmt, leaf);
	if ((access & ACC_W) && shadow_is_table(shadow, fault))
		return hpte_touch(fmt, hpte_hold(fmt, leaf), false);
	return hpte_touch(fmt, leaf, access & ACC_W);
}

static enum mkvm_mmu_cause shadow_cause(const struct mmu_fault *fault, bool opened)
{
	if (opened && fault->logged && (fault->access & ACC_W))
		return MKVM_CAUSE_DIRTY_LOG;
	if (fault->root->mode != GPT_NONE && (fault->marked & GPT_MARKED_DIRTY))
		return MKVM_CAUSE_DIRTY_BIT;
	if (fault->root->mode != GPT_NONE && (fault->marked & GPT_MARKED_ACCESSED))
		return MKVM_CAUSE_ACCESSED_BIT;
	return MKVM_CAUSE_FILL;
}

/* Puts the leaf in, or lets it allow more. */
static enum mkvm_mmu_cause shadow_fill(struct shadow *shadow, struct shadow_page *sp,
				       const struct mmu_fault *fault, const struct frame *frame)
{
	hpte_t leaf = shadow_make_leaf(shadow, fault, frame);
	unsigned int i = shadow_index_of(fault->gva, 1);
	gfn_t gfn = gpa_to_gfn(fault->gpa);
	struct pt_iter it;
	bool present;

	shadow_cursor(shadow, sp, i, &it);
	present = hpte_present(it.be->fmt, it.pte);
	if (present && shadow_gfn(sp, i) != gfn) {
		shadow_page_clear(shadow, sp, i);
		shadow_cursor(shadow, sp, i, &it);
		present = false;
	}
	if (present && hpte_addr(it.be->fmt, it.pte) != hfn_to_hpa(frame->hfn)) {
		it.be->mmu->up->kill(it.be->mmu);
		return MKVM_CAUSE_HOST_ERROR;
	}
	/*
	 * What the fault did not ask for stays as it was allowed.  The leaf of a table that was
	 * kept may be all there; what was amiss is the way to it.
	 */
	if (present && !(hpte_access(it.be->fmt, leaf) & ~hpte_access(it.be->fmt, it.pte)))
		return fault->linked ? shadow_cause(fault, false) : MKVM_CAUSE_SPURIOUS;
	if (!present) {
		rmap_add(shadow, sp, i, gfn);
		it.gfn = gfn;
	}
	shadow_change(shadow, &it, hpte_keep_touched(it.be->fmt, leaf, it.pte));
	return shadow_cause(fault, present);
}

/* Can no entry allow the access, though the guest's tables do? */
static bool shadow_must_emulate(struct shadow *shadow, const struct mmu_fault *fault)
{
	if (!(fault->access & ACC_W))
		return false;
	/* A supervisor's write to a user's read-only page that cannot be lent. */
	return !(shadow_allowed(fault) & ACC_W) || shadow_is_table(shadow, fault);
}

/* Is the fault's page one of the tables that its own walk went by? */
static bool shadow_is_own_table(struct shadow *shadow, const struct mmu_fault *fault)
{
	const struct gpt_walk *walk = fault->walk;
	int level;

	for (level = walk->top; level >= walk->leaf; level--)
		if (wtrack_is_same(shadow, gpa_to_gfn(fault->gpa),
				   gpa_to_gfn(walk->address[level - 1])))
			return true;
	return false;
}

/* Can the guest write to the fault's page while nothing shadows that as a table? */
static bool shadow_can_open(struct shadow *shadow, const struct mmu_vcpu *mv,
			    const struct mmu_fault *fault)
{
	if (mv->kind != MMU_SHADOW || fault->root->mode == GPT_NONE)
		return true;
	return (shadow_allowed(fault) & ACC_W) && !shadow_is_own_table(shadow, fault);
}

/*
 * Opens the table that the fault writes to, so that this store and those after it cost nothing
 * more.  Not twice in a row at one place: there another vCPU has it shadowed again each time, and
 * to emulate the store cannot loop.
 */
static bool shadow_opens(struct shadow *shadow, struct mmu_vcpu *mv, const struct mmu_fault *fault)
{
	gva_t last = mv->opened;

	mv->opened = GPA_NONE;
	if (!(shadow_allowed(fault) & ACC_W) || last == fault->gva ||
	    !shadow_can_open(shadow, mv, fault) || !wtrack_should_open(shadow, fault->gpa))
		return false;
	mv->opened = fault->gva;
	wtrack_note(shadow, gpa_to_gfn(fault->gpa));
	/* If the slot is about to go, other slots may be the same memory, and have it yet. */
	return wtrack_open(shadow, gpa_to_gfn(fault->gpa)) && !shadow_is_table(shadow, fault);
}

/* Neither does a store wait for a flush, nor would a right to write be one too early. */
static bool shadow_may_fill(const struct shadow *shadow)
{
	return !shadow->waiting && shadow_pieces_gone(shadow);
}

static enum mkvm_mmu_cause shadow_flush_first(struct shadow *shadow, struct mmu_fault *fault)
{
	fault->again = MMU_AGAIN_FLUSH;
	fault->debt = shadow_debt(shadow);
	return MKVM_CAUSE_NOTIFIER_RETRY;
}

/* With the fault's leaf come others: its neighbours, and what was in use before. */
static void shadow_bring_back(struct shadow *shadow, struct shadow_page *sp,
			      const struct mmu_fault *fault)
{
	shadow_around(shadow, sp, shadow_index_of(fault->gva, 1), fault->root);
	if (shadow_is_tracking(sp) && !sp->recalled)
		shadow_memo_recall(shadow, sp);
}

static enum mkvm_mmu_cause shadow_map(struct mmu_backend *be, struct mmu_vcpu *mv,
				      struct mmu_fault *fault, const struct frame *frame)
{
	struct shadow *shadow = to_shadow(be);
	enum mkvm_mmu_cause cause;
	struct shadow_path path;
	bool opened = false;

	lockdep_assert_held_write(&be->mmu->lock);
	fault->again = shadow_descend(shadow, mv, fault, &path);
	fault->debt = shadow_debt(shadow);
	if (fault->again)
		return MKVM_CAUSE_NOTIFIER_RETRY;
	if (fault->root->mode != GPT_NONE &&
	    !gpt_walk_is_current(be->mmu->slots, fault->root, fault->walk)) {
		fault->again = MMU_AGAIN_WALK;
		return MKVM_CAUSE_NOTIFIER_RETRY;
	}
	if (!shadow_may_fill(shadow))
		return shadow_flush_first(shadow, fault);
	if (shadow_must_emulate(shadow, fault)) {
		opened = shadow_opens(shadow, mv, fault);
		if (!opened)
			return MKVM_CAUSE_TRACKED_EMULATED;
	} else {
		mv->opened = GPA_NONE;
	}
	shadow_link(shadow, &path, fault);
	if (!shadow_may_fill(shadow))
		return shadow_flush_first(shadow, fault);
	cause = shadow_fill(shadow, path.sp[1], fault, frame);
	if (opened && cause != MKVM_CAUSE_HOST_ERROR)
		cause = MKVM_CAUSE_TRACKED_OPENED;
	if (cause != MKVM_CAUSE_SPURIOUS && cause != MKVM_CAUSE_HOST_ERROR)
		shadow_bring_back(shadow, path.sp[1], fault);
	return cause;
}

/*
 * The write of @fault, for which mmu_handle_fault() said MMU_EMULATE, cannot be emulated: lets the
 * guest make it itself.  True: it can; its table has no shadow any more.  False: it cannot, as the
 * write needs the very table to get there.
 */
bool mmu_open_table(struct mmu_vcpu *mv, const struct mmu_fault *fault)
{
	struct shadow *shadow = to_shadow(mv->vm->backend[MMU_SHADOW]);
	bool opened = false;

	write_lock(&mv->vm->lock);
	if (shadow_can_open(shadow, mv, fault))
		opened = wtrack_open(shadow, gpa_to_gfn(fault->gpa));
	write_unlock(&mv->vm->lock);
	return opened;
}

/*
 * May a second table not be filled now?  What it would allow writing may be a table that was
 * shadowed: see shadow_pieces_gone().
 */
bool shadow_is_settling(const struct mmu_vm *mmu)
{
	const struct mmu_backend *be = mmu->backend[MMU_SHADOW];

	return be && !shadow_may_fill(to_shadow(be));
}

/* How many tables were opened for a store. */
unsigned long mmu_shadow_opened(const struct mmu_vm *mmu)
{
	const struct mmu_backend *be = mmu->backend[MMU_SHADOW];

	return be ? READ_ONCE(to_shadow(be)->opened) : 0;
}

/* How many chains of entries were full. */
unsigned long mmu_shadow_cut(const struct mmu_vm *mmu)
{
	const struct mmu_backend *be = mmu->backend[MMU_SHADOW];

	return be ? READ_ONCE(to_shadow(be)->cut) : 0;
}

/*
 * The process may have written to the guest's tables, which nobody has seen: nothing is shadowed
 * any more.  May sleep.
 */
void mmu_forget_tables(struct mmu_vm *mmu)
{
	struct shadow *shadow = to_shadow(mmu->backend[MMU_SHADOW]);
	struct mmu_debt debt;

	write_lock(&mmu->lock);
	shadow_pages_forget_slowly(shadow);
	debt = shadow_debt(shadow);
	write_unlock(&mmu->lock);
	mmu_settle(mmu, debt);
}

/* How many shadow pages there are, at some moment. */
unsigned long mmu_shadow_pages(const struct mmu_vm *mmu)
{
	const struct mmu_backend *be = mmu->backend[MMU_SHADOW];

	return be ? READ_ONCE(to_shadow(be)->nr) : 0;
}

/*
 * The host wants memory: drops at most @nr shadow pages, the oldest first, but for those that are
 * somebody's root.  How many it were.  May sleep.
 */
unsigned long mmu_shadow_shrink(struct mmu_vm *mmu, unsigned long nr)
{
	struct mmu_backend *be = mmu->backend[MMU_SHADOW];
	struct mmu_debt debt;
	unsigned long left;

	if (!be)
		return 0;
	write_lock(&mmu->lock);
	left = shadow_pages_drop_slowly(to_shadow(be), nr);
	debt = shadow_debt(to_shadow(be));
	write_unlock(&mmu->lock);
	mmu_settle(mmu, debt);
	return nr - left;
}

/* As many shadow pages as @pages may be kept, but for those that are in use. */
void mmu_set_shadow_limit(struct mmu_vm *mmu, u32 pages)
{
	struct shadow *shadow = to_shadow(mmu->backend[MMU_SHADOW]);

	write_lock(&mmu->lock);
	shadow->limit = pages;
	if (shadow->nr >= pages)
		(void)shadow_pages_drop_slowly(shadow, shadow->nr + 1 - pages);
	write_unlock(&mmu->lock);
}

static bool leaf_zap(struct shadow *shadow, struct shadow_page *sp, unsigned int i)
{
	shadow_page_clear(shadow, sp, i);
	return true;
}

static struct mmu_debt shadow_zap(struct mmu_backend *be, const struct memslot *slot, gfn_t start,
				  gfn_t end, bool *found)
{
	struct shadow *shadow = to_shadow(be);

	*found |= rmap_over(shadow, start, end, leaf_zap);
	return shadow_debt(shadow);
}

/* The slot goes, and with it the tables that lie in it. */
static struct mmu_debt shadow_zap_slot(struct mmu_backend *be, const struct memslot *slot)
{
	gfn_t start = slot->base_gfn, end = start + slot->npages;
	struct shadow *shadow = to_shadow(be);

	rmap_over_slowly(shadow, start, end, leaf_zap);
	shadow_pages_drop_range_slowly(shadow, start, end);
	return shadow_debt(shadow);
}

static bool leaf_watch(struct shadow *shadow, struct shadow_page *sp, unsigned int i)
{
	struct pt_iter it;

	shadow_cursor(shadow, sp, i, &it);
	if (hpte_access(it.be->fmt, it.pte) & ACC_W)
		shadow_change(shadow, &it, hpte_deny_write(it.be->fmt, it.pte));
	return false;
}

/* Writes are seen by faults, whatever the mode of the log. */
static struct mmu_debt shadow_watch(struct mmu_backend *be, gfn_t start, unsigned long mask)
{
	struct shadow *shadow = to_shadow(be);

	for (; mask; mask &= mask - 1)
		rmap_over(shadow, start + __ffs(mask), start + __ffs(mask) + 1, leaf_watch);
	return shadow_debt(shadow);
}

static struct mmu_debt shadow_watch_range(struct mmu_backend *be, gfn_t start, gfn_t end)
{
	struct shadow *shadow = to_shadow(be);

	rmap_over_slowly(shadow, start, end, leaf_watch);
	return shadow_debt(shadow);
}

static void shadow_collect(struct mmu_backend *be, const struct memslot *slot, gfn_t start,
			   gfn_t end)
{
}

/* There are no large leaves. */
static gfn_t shadow_split_slowly(struct mmu_backend *be, struct pt_cache *cache, gfn_t start,
				 gfn_t end)
{
	return end;
}

static struct mmu_debt shadow_collapse(struct mmu_backend *be, const struct memslot *slot,
				       mmu_large_fn large, const void *data)
{
	return (struct mmu_debt){};
}

static bool leaf_age(struct shadow *shadow, struct shadow_page *sp, unsigned int i)
{
	struct pt_iter it;

	shadow_cursor(shadow, sp, i, &it);
	return pt_test_and_clear_accessed(&it);
}

/* To clear an accessed bit owes nothing; who wants to know of the next use raises a debt. */
static struct mmu_debt shadow_age(struct mmu_backend *be, const struct memslot *slot, gfn_t start,
				  gfn_t end, bool *young)
{
	*young |= rmap_over(to_shadow(be), start, end, leaf_age);
	return (struct mmu_debt){};
}

static bool leaf_is_young(struct shadow *shadow, struct shadow_page *sp, unsigned int i)
{
	return hpte_accessed(shadow->be.fmt, shadow_entry(sp, i));
}

static struct mmu_debt shadow_is_young(struct mmu_backend *be, const struct memslot *slot,
				       gfn_t start, gfn_t end, bool *young)
{
	*young |= rmap_over(to_shadow(be), start, end, leaf_is_young);
	return (struct mmu_debt){};
}

/* The pages that are dead, and spares of vCPUs, are not among it. */
static size_t shadow_bytes(const struct mmu_backend *be)
{
	const struct shadow *shadow = to_shadow(be);

	return sizeof(*shadow) + shadow_memo_bytes() +
	       shadow_index_bytes(READ_ONCE(shadow->index.capacity)) +
	       READ_ONCE(shadow->nr) *
		       (sizeof(struct shadow_page) + PT_ENTRIES * sizeof(entry_id)) +
	       READ_ONCE(shadow->nr_gfns) * PT_ENTRIES * sizeof(u32);
}

static void shadow_free(struct shadow *shadow)
{
	shadow_memo_destroy(shadow);
	shadow_index_free(&shadow->index);
	kfree(shadow);
}

static void shadow_destroy(struct mmu_backend *be)
{
	struct shadow *shadow = to_shadow(be);
	struct mmu_vm *mmu = be->mmu;

	write_lock(&mmu->lock);
	shadow_pages_forget_slowly(shadow);
	WARN_ON_ONCE(!list_empty(&shadow->dead) || shadow->nr_leaves || shadow->nr_pae);
	write_unlock(&mmu->lock);
	mmu->slots->watcher = NULL;
	shadow_free(shadow);
}

static const struct mmu_backend_ops shadow_ops = {
	.map = shadow_map,
	.exclusive = true,
	.walk = shadow_walk,
	.destroy = shadow_destroy,
	.zap = shadow_zap,
	.zap_slowly = shadow_zap_slot,
	.watch = shadow_watch,
	.watch_slowly = shadow_watch_range,
	.collect_slowly = shadow_collect,
	.split_slowly = shadow_split_slowly,
	.age = shadow_age,
	.is_young = shadow_is_young,
	.collapse_slowly = shadow_collapse,
	.audit = shadow_audit,
	.bytes = shadow_bytes,
};

/* May sleep.  The backend, or an ERR_PTR: -ENOMEM. */
struct mmu_backend *shadow_create(struct mmu_vm *mmu)
{
	struct shadow *shadow = kzalloc(sizeof(*shadow), GFP_KERNEL_ACCOUNT);

	if (!shadow)
		return ERR_PTR(-ENOMEM);
	shadow->be.ops = &shadow_ops;
	shadow->be.mmu = mmu;
	shadow->be.fmt = pte_fmt_shadow();
	shadow->be.root_level = 4;
	shadow->be.end_gfn = SHADOW_END_GFN;
	shadow->watcher.store = wtrack_store;
	shadow->watcher.put = wtrack_put;
	shadow->limit = MMU_SHADOW_LIMIT_MIN;
	INIT_LIST_HEAD(&shadow->pages);
	INIT_LIST_HEAD(&shadow->dead);
	INIT_LIST_HEAD(&shadow->orphans);
	if (shadow_memo_create(shadow) || shadow_index_grow(shadow)) {
		shadow_free(shadow);
		return ERR_PTR(-ENOMEM);
	}
	mmu->slots->watcher = &shadow->watcher;
	return &shadow->be;
}
