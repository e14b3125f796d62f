/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Shadow tables, as the files that keep them see them; shadow.c says how they belong together.
 */
#ifndef MKVM_MMU_SHADOW_H
#define MKVM_MMU_SHADOW_H

#include "guest_mem.h"
#include "mmu/backend.h"
#include "mmu/pt_iter.h"

/**
 * union shadow_role - what a shadow page shadows of a guest frame; with the frame it is the key
 * @word: all of it
 * @level: level of the shadow's entries
 * @mode: enum gpt_mode of the guest's table
 * @quadrant: 32-bit guest tables have 1024 entries: which part of one
 * @direct: no table of the guest's: the frames from this one on, linear as they are
 * @access: ACC_* >> 1 that the entries above allow together; direct: that the leaves shall allow
 * @nx: with @wp, @pse, @gbpages, @phys_bits and @amd: the rules of struct gpt_root
 * @wp: see @nx
 * @pse: see @nx
 * @gbpages: see @nx
 * @phys_bits: see @nx
 * @amd: see @nx
 * @lends: pages may be lent to the supervisor: shadow_lends()
 * @smep: and are not to be executed then
 */
union shadow_role {
	u32 word;
	struct {
		u32 level : 3;
		u32 mode : 2;
		u32 quadrant : 2;
		u32 direct : 1;
		u32 access : 3;
		u32 nx : 1;
		u32 wp : 1;
		u32 pse : 1;
		u32 gbpages : 1;
		u32 phys_bits : 6;
		u32 amd : 1;
		u32 lends : 1;
		u32 smep : 1;
	};
};

#define SHADOW_ACCESS_SHIFT 1

/*
 * An entry of a shadow page, as a number that fits into four bytes: the page's index and the
 * entry's, and one more; 0 is none.
 */
typedef u32 entry_id;

/**
 * struct shadow_page - one page of shadow entries; all fields are under the MMU's lock
 * @all: in shadow.pages, oldest first, or in shadow.dead
 * @bucket: the next one in its bucket of shadow_index.pages
 * @gfn: with @role: what it shadows
 * @role: see @gfn
 * @index: where shadow_index.by_index has it
 * @parents: first entry that names it; the next is the one's next[]
 * @nr_parents: how many there are, %SHADOW_MAX_PARENTS at most
 * @owed: number of the flush after which no processor can write to the guest's table but by a fault
 * @roots: vCPUs that have it as a root
 * @stores: stores to the guest's table since the shadow was last of use
 * @filled: entry that the last of them filled, plus one; 0: none
 * @dead: nothing is shadowed any more; it waits for those that have it as a root
 * @recalled: what was in use of it before has been put in: shadow_memo.c
 * @keep: to open its table saves little: shadow_memo.c
 * @pieces: it is a part of a large page, or leads to one, or has done so
 * @table: the entries
 * @gfns: the guest frames that they map; NULL: the page is direct, or holds no leaves
 * @next: by entry: the next one that maps the same frame, or names the same page
 */
struct shadow_page {
	struct list_head all;
	struct shadow_page *bucket;
	gfn_t gfn;
	union shadow_role role;
	u32 index;
	entry_id parents;
	u32 nr_parents;
	s64 owed;
	unsigned int roots;
	unsigned int stores;
	bool dead;
	bool recalled;
	bool keep;
	bool pieces;
	u16 filled;
	hpte_t *table;
	u32 *gfns;
	entry_id *next;
};

/* Guest frames beyond have no number in shadow_page.gfns. */
#define SHADOW_END_GFN BIT_ULL(32)

/**
 * struct shadow_index - what grows with the number of shadow pages
 * @capacity: as many fit, a power of two
 * @by_index: all of them, by shadow_page.index
 * @pages: @capacity buckets of them, by guest frame
 * @leaves: buckets of entries, by guest frame: the reverse map
 * @nr_leaves: how many are in each bucket, %SHADOW_MAX_LEAVES at most
 * @free: what of @by_index is not in use
 * @nr_free: how many these are
 */
struct shadow_index {
	u32 capacity;
	struct shadow_page **by_index;
	struct shadow_page **pages;
	entry_id *leaves;
	u8 *nr_leaves;
	u32 *free;
	u32 nr_free;
};

#define SHADOW_MAX_NEW	    4 /* pages that a vCPU makes at a time: those of a walk, or its roots */
#define SHADOW_LEAF_BUCKETS 64 /* for each page that fits */

/*
 * To take an entry out of a chain is to look for it, under the lock, so no guest may make one long:
 * what is in it goes before it grows further.  The proof has these smaller.
 */
#ifndef SHADOW_MAX_LEAVES
#define SHADOW_MAX_LEAVES  U8_MAX /* in a bucket of the reverse map */
#define SHADOW_MAX_PARENTS 512	  /* of a shadow page */
#endif

/**
 * struct shadow - a VM's shadow tables; all fields but those marked are under the MMU's lock
 * @be: the backend; immutable
 * @watcher: for mkvm's own stores; immutable
 * @index: see struct shadow_index
 * @pages: shadow pages, oldest first
 * @dead: those that are nothing but somebody's root any more
 * @nr: how many are in @pages
 * @limit: how many shall be at most
 * @nr_leaves: entries that map a frame
 * @nr_gfns: pages that have shadow_page.gfns
 * @pieces_owed: number of the flush after which no processor has a translation of a piece of a
 *	large page of the guest's that an entry no longer leads to
 * @waiting: stores that wait for it, and for which no entries are put in
 * @nr_pae: roots of processors that begin with four entries
 * @orphans: those that a store opens: it has taken the last entry that named them, or there have
 *	been many; empty outside of it
 * @opened: tables that were opened for a store
 * @cut: chains that were full, and whose entries were taken away
 * @memos: what is remembered of tables that were opened
 * @next_memo: which of them is the next to be forgotten
 * @guest_table: a page to read a guest's table into
 * @debt: what changes owe that nobody has been told of yet
 */
struct shadow {
	struct mmu_backend be;
	struct guest_store_watcher watcher;
	struct shadow_index index;
	struct list_head pages;
	struct list_head dead;
	struct list_head orphans;
	u32 nr;
	u32 limit;
	u32 nr_leaves;
	u32 nr_gfns;
	s64 pieces_owed;
	u32 waiting;
	u32 nr_pae;
	unsigned long opened;
	unsigned long cut;
	struct shadow_memo *memos;
	unsigned int next_memo;
	void *guest_table;
	struct mmu_debt debt;
};

static inline struct shadow *to_shadow(const struct mmu_backend *be)
{
	return container_of(be, struct shadow, be);
}

static inline struct mmu_vm *shadow_mmu(const struct shadow *shadow)
{
	return shadow->be.mmu;
}

static inline u32 shadow_access(const struct shadow_page *sp)
{
	return ACC_R | sp->role.access << SHADOW_ACCESS_SHIFT;
}

static inline entry_id entry_id_of(const struct shadow_page *sp, unsigned int i)
{
	return (sp->index << PT_SHIFT | i) + 1;
}

static inline struct shadow_page *entry_page(const struct shadow *shadow, entry_id id)
{
	return shadow->index.by_index[(id - 1) >> PT_SHIFT];
}

static inline unsigned int entry_slot(entry_id id)
{
	return (id - 1) & (PT_ENTRIES - 1);
}

static inline hpte_t shadow_entry(const struct shadow_page *sp, unsigned int i)
{
	return (hpte_t){ READ_ONCE(sp->table[i].v) };
}

/* The frame that leaf @i of @sp maps. */
static inline gfn_t shadow_gfn(const struct shadow_page *sp, unsigned int i)
{
	return sp->role.direct ? sp->gfn + i : sp->gfns[i];
}

/* Size of an entry of the guest's table. */
static inline unsigned int shadow_entry_size(const struct shadow_page *sp)
{
	return sp->role.mode == GPT_32 ? sizeof(u32) : sizeof(u64);
}

/* What the guest's rules make of permission to write for a page that allows @allowed. */
static inline u32 shadow_effective(const struct gpt_root *root, u32 allowed)
{
	/* A supervisor that need not obey W; nobody else gets at the page. */
	if (!root->wp && !(allowed & ACC_U))
		allowed |= ACC_W;
	return allowed;
}

/*
 * With CR0.WP off a supervisor may write to a user's page that is read-only.  A leaf can say so if
 * it is no user's page for as long: it is lent.  Then SMAP would not keep the supervisor out, and
 * RFLAGS.AC, which suspends that, changes without an exit.
 */
static inline bool shadow_lends(const struct gpt_root *root)
{
	return !root->wp && !root->cr4_smap;
}

/* What the leaf of such a page allows, which allowed @allowed. */
static inline u32 shadow_lent(const struct gpt_root *root, u32 allowed)
{
	allowed = (allowed | ACC_W) & ~ACC_U;
	return root->smep ? allowed & ~ACC_X : allowed;
}

/* Is the guest's table where it can be changed by a store? */
static inline bool shadow_is_tracking(const struct shadow_page *sp)
{
	return !sp->role.direct;
}

/* shadow_page.c */
bool shadow_index_has_room(const struct shadow *shadow);
size_t shadow_index_bytes(u32 capacity);
int shadow_index_grow(struct shadow *shadow) __must_check;
void shadow_index_free(struct shadow_index *index);
int shadow_spares_fill(struct mmu_vcpu *mv, unsigned int nr) __must_check;
void shadow_spares_drain(struct mmu_vcpu *mv);
struct shadow_page *shadow_page_first(const struct shadow *shadow, gfn_t gfn);
struct shadow_page *shadow_page_find(const struct shadow *shadow, gfn_t gfn,
				     union shadow_role role);
struct shadow_page *shadow_page_get(struct shadow *shadow, struct mmu_vcpu *mv, gfn_t gfn,
				    union shadow_role role);
struct shadow_page *shadow_page_of(const struct shadow *shadow, hpte_t pte);
void shadow_page_link(struct shadow *shadow, struct shadow_page *sp, unsigned int i,
		      struct shadow_page *child);
void shadow_page_clear(struct shadow *shadow, struct shadow_page *sp, unsigned int i);
void shadow_page_drop(struct shadow *shadow, struct shadow_page *sp);
void shadow_page_release(struct shadow *shadow, struct shadow_page *sp);
unsigned long shadow_pages_drop_slowly(struct shadow *shadow, unsigned long nr);
void shadow_pages_drop_range_slowly(struct shadow *shadow, gfn_t start, gfn_t end);
void shadow_pages_forget_slowly(struct shadow *shadow);
void shadow_pages_make_room(struct shadow *shadow, unsigned int nr);
void shadow_cursor(const struct shadow *shadow, struct shadow_page *sp, unsigned int i,
		   struct pt_iter *it);
void shadow_change(struct shadow *shadow, struct pt_iter *it, hpte_t new);
struct mmu_debt shadow_debt(struct shadow *shadow) __must_check;
bool shadow_pieces_gone(const struct shadow *shadow) __must_check;

/* rmap.c; a function of the second kind may take away the entry that it is called for */
typedef bool (*rmap_fn)(struct shadow *shadow, struct shadow_page *sp, unsigned int i);
void rmap_add(struct shadow *shadow, struct shadow_page *sp, unsigned int i, gfn_t gfn);
void rmap_del(struct shadow *shadow, struct shadow_page *sp, unsigned int i);
bool rmap_is_full(const struct shadow *shadow, gfn_t gfn);
bool rmap_has(const struct shadow *shadow, const struct shadow_page *sp, unsigned int i);
bool rmap_over(struct shadow *shadow, gfn_t start, gfn_t end, rmap_fn fn);
void rmap_over_slowly(struct shadow *shadow, gfn_t start, gfn_t end, rmap_fn fn);

/* shadow_around.c */
void shadow_around(struct shadow *shadow, struct shadow_page *sp, unsigned int i,
		   const struct gpt_root *root);
bool shadow_around_one(struct shadow *shadow, struct shadow_page *sp, unsigned int i);

/* shadow_memo.c */
int shadow_memo_create(struct shadow *shadow) __must_check;
void shadow_memo_destroy(struct shadow *shadow);
size_t shadow_memo_bytes(void);
void shadow_memo_note(struct shadow *shadow, const struct shadow_page *sp);
void shadow_memo_doubt(struct shadow *shadow, gfn_t gfn);
void shadow_memo_recall(struct shadow *shadow, struct shadow_page *sp);

/* wtrack.c */
bool wtrack_is_tracked(struct shadow *shadow, hva_t hva);
bool wtrack_is_same(struct shadow *shadow, gfn_t gfn, gfn_t other);
void wtrack_protect(struct shadow *shadow, gfn_t gfn);
bool wtrack_should_open(struct shadow *shadow, gpa_t gpa);
void wtrack_expect_edit(struct shadow *shadow, gfn_t gfn);
void wtrack_note(struct shadow *shadow, gfn_t gfn);
bool wtrack_open(struct shadow *shadow, gfn_t gfn);
int wtrack_store(struct guest_store_watcher *watcher, gpa_t gpa, const struct guest_store *store);
int wtrack_put(struct guest_store_watcher *watcher, void __user *user, u8 value);

/* shadow_root.c */
struct shadow_page *shadow_root_of(const struct mmu_vcpu *mv, gva_t gva);
union shadow_role shadow_root_role(const struct gpt_root *root);
struct gpt_root shadow_role_root(union shadow_role role);

/* shadow_audit.c */
void shadow_audit(const struct mmu_backend *be, struct mmu_audit *audit);

#endif /* MKVM_MMU_SHADOW_H */
