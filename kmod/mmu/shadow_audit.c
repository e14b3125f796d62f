// SPDX-License-Identifier: GPL-2.0-only
/*
 * The audit of shadow tables: is each entry what the guest's entry says, do entries and reverse
 * map, links and parents agree, is no table writable?
 *
 * Guest entries are compared only where the caller can read guest memory (mmu_audit.is_frame is
 * set), and memory that is not at hand is passed over.  What a VMM itself stored to a guest's table
 * would be told as a contradiction: an audit is for tests.
 */
#include "mmu/gpt_walk.h"
#include "mmu/shadow.h"

/* An entry under the audit. */
struct audited {
	const struct shadow *shadow;
	const struct shadow_page *sp;
	unsigned int i;
	hpte_t pte;
};

static gfn_t audited_gfn(const struct audited *a)
{
	return a->sp->role.level == 1 ? shadow_gfn(a->sp, a->i) : a->sp->gfn;
}

/* The guest's entry of which @a is the shadow.  False: it cannot be read. */
static bool audited_read(const struct audited *a, struct gpt_entry *entry)
{
	union shadow_role role = a->sp->role;
	const struct gpt_root root = shadow_role_root(role);
	unsigned int nr = a->i, size = sizeof(u64);
	gpte_t gpte = { 0 };

	if (role.mode == GPT_32) {
		nr = (role.quadrant * PT_ENTRIES + a->i) / role.level;
		size = sizeof(u32);
	}
	if (guest_mem_peek(shadow_mmu(a->shadow)->slots, gfn_to_gpa(a->sp->gfn) + nr * size, &gpte,
			   size))
		return false;
	gpt_entry_read(&root, gpte, role.level, entry);
	return true;
}

/* Does the guest's table lie where no dirty bit can be set? */
static bool audited_is_readonly(const struct audited *a)
{
	struct memslot_table *slots = shadow_mmu(a->shadow)->slots;
	const struct memslot *slot = memslot_find(memslots_get(slots), a->sp->gfn);

	return slot && memslot_readonly(slot);
}

/* What @a, which allows @access, may allow by its role and @entry. */
static u32 audited_allowed(const struct audited *a, const struct gpt_entry *entry, u32 access)
{
	const struct gpt_root root = shadow_role_root(a->sp->role);
	u32 allowed = shadow_effective(&root, shadow_access(a->sp) & entry->access);

	if (shadow_lends(&root) && !(allowed & ACC_W) && (access & ACC_W))
		allowed = shadow_lent(&root, allowed);
	return entry->dirty || audited_is_readonly(a) ? allowed : allowed & ~ACC_W;
}

static const char *leaf_contradicts(const struct audited *a)
{
	u32 access = hpte_access(a->shadow->be.fmt, a->pte);
	struct gpt_entry entry;

	if (a->sp->role.direct)
		return access & ~shadow_access(a->sp) ? "a direct leaf allows too much" : NULL;
	if (!audited_read(a, &entry))
		return NULL;
	if (!entry.present)
		return "a leaf whose guest entry is not present";
	if (gpa_to_gfn(entry.gpa) != shadow_gfn(a->sp, a->i))
		return "a leaf for another frame than the guest's entry";
	if (access & ~audited_allowed(a, &entry, access))
		return "a leaf allows what the guest's entry does not";
	return NULL;
}

static const char *link_contradicts(const struct audited *a, const struct shadow_page *child)
{
	struct gpt_entry entry;

	if (a->sp->role.direct || !audited_read(a, &entry))
		return NULL;
	if (!entry.present)
		return "a link whose guest entry is not present";
	if (entry.leaf != child->role.direct)
		return "a link that takes a page for a table";
	if (!entry.leaf && gpa_to_gfn(entry.gpa) != child->gfn)
		return "a link to another table than the guest's entry";
	if (!entry.leaf && shadow_access(child) != (shadow_access(a->sp) & entry.access))
		return "a link to a table with other permissions";
	return NULL;
}

/* What is wrong with a leaf, or NULL. */
static const char *leaf_fault(const struct audited *a, const struct mmu_audit *audit)
{
	struct shadow *shadow = (struct shadow *)a->shadow;
	gfn_t gfn = shadow_gfn(a->sp, a->i);
	struct memslot *slot = memslot_find(memslots_get(shadow_mmu(shadow)->slots), gfn);
	hfn_t hfn = hpte_addr(shadow->be.fmt, a->pte) >> PAGE_SHIFT;
	u32 access = hpte_access(shadow->be.fmt, a->pte);

	if (!slot)
		return "a leaf outside of any slot";
	if (!rmap_has(shadow, a->sp, a->i))
		return "a leaf that the reverse map does not know";
	if ((access & ACC_W) && memslot_readonly(slot))
		return "a leaf of a read-only slot allows writing";
	if ((access & ACC_W) && memslot_logged(slot) &&
	    !test_bit(gfn - slot->base_gfn, slot->dirty))
		return "a leaf allows writing that the dirty log will not see";
	if ((access & ACC_W) && wtrack_is_tracked(shadow, memslot_hva(slot, gfn)))
		return "a leaf allows writing a table";
	if (!audit->is_frame)
		return NULL;
	if (!audit->is_frame(audit->data, memslot_hva(slot, gfn), hfn, access & ACC_W))
		return "a leaf for a frame that the host does not have there";
	return leaf_contradicts(a);
}

static const char *link_fault(const struct audited *a, const struct mmu_audit *audit)
{
	const struct shadow *shadow = a->shadow;
	const struct shadow_page *child = shadow_page_of(shadow, a->pte);
	u32 n = 1;
	entry_id at;

	if (a->pte.v != hpte_make_table(shadow->be.fmt, hpte_addr(shadow->be.fmt, a->pte)).v)
		return "a table's entry with bits that mean nothing";
	if (!child || child->dead || child->role.level != a->sp->role.level - 1)
		return "a link to a page of another level";
	for (at = child->parents; at && at != entry_id_of(a->sp, a->i); n++)
		at = entry_page(shadow, at)->next[entry_slot(at)];
	if (!at || n > child->nr_parents || n > SHADOW_MAX_PARENTS)
		return "a link that its page does not know";
	if (child->pieces && !a->sp->pieces)
		return "a page does not know that it leads to pieces";
	return audit->is_frame ? link_contradicts(a, child) : NULL;
}

static const char *entry_fault(const struct audited *a, struct mmu_audit *audit)
{
	int level = a->sp->role.level;

	if (!hpte_present(a->shadow->be.fmt, a->pte))
		return a->pte.v ? "an entry that is not present names something" : NULL;
	if (a->sp->dead)
		return "a dead page has an entry";
	if (hpte_is_table(a->shadow->be.fmt, a->pte, level))
		return link_fault(a, audit);
	audit->mapped[level]++;
	return leaf_fault(a, audit);
}

static void audit_page(const struct shadow *shadow, const struct shadow_page *sp,
		       struct mmu_audit *audit)
{
	struct audited a = { .shadow = shadow, .sp = sp };

	audit->pages++;
	for (a.i = 0; a.i < PT_ENTRIES; a.i++) {
		const char *what;

		a.pte = shadow_entry(sp, a.i);
		what = entry_fault(&a, audit);
		if (!what || audit->found)
			continue;
		audit->found = what;
		audit->gfn = audited_gfn(&a);
		audit->level = sp->role.level;
		audit->entry = a.pte.v;
	}
}

void shadow_audit(const struct mmu_backend *be, struct mmu_audit *audit)
{
	const struct shadow *shadow = to_shadow(be);
	struct shadow_page *sp;
	u32 nr = 0, before = audit->mapped[1];

	lockdep_assert_held_write(&be->mmu->lock);
	list_for_each_entry(sp, &shadow->pages, all) {
		audit_page(shadow, sp, audit);
		nr++;
	}
	list_for_each_entry(sp, &shadow->dead, all)
		audit_page(shadow, sp, audit);
	audit->pages += shadow->nr_pae;
	if (!audit->found && (nr != shadow->nr || audit->mapped[1] - before != shadow->nr_leaves))
		audit->found = "shadow pages or leaves are counted wrong";
}
