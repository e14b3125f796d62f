// SPDX-License-Identifier: GPL-2.0-only
/*
 * Roots: the shadow pages at which a processor begins to walk for a vCPU.
 *
 * In long mode it is one, of the guest's topmost table.  Else the processor begins with four
 * entries, a vCPU's own (mmu_vcpu.pae): they name what shadows the guest's four page directories,
 * the quarters of its one page directory, or, while paging is off, the four GiB themselves.
 *
 * A root is counted and never freed while it is one.  If its table is opened it dies: it is empty
 * from then on, and the vCPU loads another before it enters or when it faults.  So is the root of a
 * table that lies in no slot, which no store could be seen to: it is not of that frame.
 */
#include <linux/slab.h>
#include "mmu/gpt_walk.h"
#include "mmu/pt_page.h"
#include "mmu/shadow.h"

/* The part of a role that goes for all pages under a root. */
union shadow_role shadow_root_role(const struct gpt_root *root)
{
	union shadow_role role = { .word = 0 };

	role.mode = root->mode;
	role.direct = root->mode == GPT_NONE;
	role.level = root->mode == GPT_LONG ? 4 : 2;
	role.access = (ACC_W | ACC_X | ACC_U) >> SHADOW_ACCESS_SHIFT;
	if (root->mode == GPT_NONE)
		return role;
	role.nx = root->nx;
	role.wp = root->wp;
	role.pse = root->pse;
	role.gbpages = root->gbpages;
	role.phys_bits = root->phys_bits;
	role.amd = root->amd;
	role.lends = shadow_lends(root);
	role.smep = role.lends && root->smep;
	return role;
}

/* And back: by what rules the guest's table of a page with that role is read. */
struct gpt_root shadow_role_root(union shadow_role role)
{
	return (struct gpt_root){
		.mode = role.mode,
		.pse = role.pse,
		.gbpages = role.gbpages,
		.amd = role.amd,
		.smep = role.smep,
		.cr4_smap = !role.lends,
		.nx = role.nx,
		.wp = role.wp,
		.phys_bits = role.phys_bits,
	};
}

static unsigned int root_count(const struct gpt_root *root)
{
	return root->mode == GPT_LONG ? 1 : MMU_MAX_ROOTS;
}

/* A table that lies in no slot holds nothing, and shall not be found once there is one. */
static bool role_is_nothing(union shadow_role role)
{
	return role.direct && !role.access;
}

static union shadow_role role_of_nothing(int level)
{
	union shadow_role role = { .word = 0 };

	role.mode = GPT_NONE;
	role.direct = 1;
	role.level = level;
	return role;
}

/* What root @i shadows; false: there is none. */
static bool root_key(const struct gpt_root *root, unsigned int i, gfn_t *gfn,
		     union shadow_role *role)
{
	struct gpt_entry entry;

	*role = shadow_root_role(root);
	*gfn = gpa_to_gfn(root->cr3 & GENMASK_ULL(51, 12));
	switch (root->mode) {
	case GPT_NONE:
		*gfn = i * pt_span(3);
		return true;
	case GPT_32:
		role->quadrant = i;
		*gfn = gpa_to_gfn(root->cr3 & GENMASK_ULL(31, 12));
		return true;
	case GPT_PAE:
		gpt_entry_read(root, (gpte_t){ root->pdptr[i] }, 3, &entry);
		*gfn = gpa_to_gfn(entry.gpa);
		return entry.present;
	default:
		return true;
	}
}

static void roots_release(struct shadow *shadow, struct mmu_vcpu *mv)
{
	unsigned int i;

	lockdep_assert_held_write(&mv->vm->lock);
	for (i = 0; i < MMU_MAX_ROOTS; i++) {
		if (mv->roots[i])
			shadow_page_release(shadow, mv->roots[i]);
		mv->roots[i] = NULL;
		if (mv->pae)
			mv->pae[i] = 0;
	}
}

static void root_set(struct shadow *shadow, struct mmu_vcpu *mv, unsigned int i)
{
	union shadow_role role;
	gfn_t gfn;

	if (!root_key(&mv->root, i, &gfn, &role))
		return;
	if (!role.direct && !memslot_find(memslots_get(mv->vm->slots), gfn)) {
		role = role_of_nothing(role.level);
		gfn = 0;
	}
	mv->roots[i] = shadow_page_get(shadow, mv, gfn, role);
	mv->roots[i]->roots++;
	/* The four entries have no bits but these. */
	if (mv->root.mode != GPT_LONG)
		mv->pae[i] = hpte_make_table(shadow->be.fmt, virt_to_phys(mv->roots[i]->table)).v &
			     (shadow->be.fmt->addr | shadow->be.fmt->present);
}

static int roots_reserve(struct shadow *shadow, struct mmu_vcpu *mv)
{
	int r = shadow_index_grow(shadow);

	if (!r)
		r = shadow_spares_fill(mv, SHADOW_MAX_NEW);
	if (r || mv->pae)
		return r;
	mv->pae = (u64 *)pt_page_alloc_low(mv->vm);
	if (!mv->pae)
		return -ENOMEM;
	write_lock(&mv->vm->lock);
	shadow->nr_pae++;
	write_unlock(&mv->vm->lock);
	return 0;
}

/* Goes over to the roots that mv->root asks for.  False: there was no room. */
static bool roots_set(struct shadow *shadow, struct mmu_vcpu *mv)
{
	unsigned int i;
	bool room;

	write_lock(&mv->vm->lock);
	room = shadow_index_has_room(shadow);
	if (room) {
		/* Four entries stay where they are, and are others now. */
		mv->flush = true;
		roots_release(shadow, mv);
		shadow_pages_make_room(shadow, root_count(&mv->root));
		for (i = 0; i < root_count(&mv->root); i++)
			root_set(shadow, mv, i);
	}
	write_unlock(&mv->vm->lock);
	return room;
}

static int roots_load(struct mmu_vcpu *mv)
{
	struct shadow *shadow = to_shadow(mmu_backend_of(mv));
	int r;

	do {
		r = roots_reserve(shadow, mv);
	} while (!r && !roots_set(shadow, mv));
	return r;
}

/*
 * The guest's tables begin at @root from now on: CR3, or a mode that changes what entries mean, has
 * changed.  What was cached by the old rules has to go (mmu_vcpu.flush).  The caller holds a read
 * side of the slots.  May sleep.  0, -ENOMEM, or -EINVAL: PAE without its four entries.
 */
int mmu_load_root(struct mmu_vcpu *mv, const struct gpt_root *root)
{
	if (WARN_ON_ONCE(root->mode == GPT_PAE && !root->pdptr))
		return -EINVAL;
	mv->root = *root;
	if (root->pdptr)
		memmove(mv->pdptr, root->pdptr, sizeof(mv->pdptr));
	mv->root.pdptr = root->pdptr ? mv->pdptr : NULL;
	return roots_load(mv);
}

/* Does the root shadow a table?  One that is dead does not, nor one in no slot. */
static bool root_is_live(const struct shadow_page *sp)
{
	return !sp->dead && !role_is_nothing(sp->role);
}

/* Do all the roots? */
static bool roots_are_live(const struct mmu_vcpu *mv)
{
	unsigned int i;
	/* Of these four there may be none. */
	bool any = mv->root.mode == GPT_PAE;

	lockdep_assert_held(&mv->vm->lock);
	for (i = 0; i < MMU_MAX_ROOTS; i++) {
		any |= !!mv->roots[i];
		if (mv->roots[i] && !root_is_live(mv->roots[i]))
			return false;
	}
	return any;
}

/* Before the vCPU enters: if its root is gone, loads it anew.  As mmu_load_root(). */
int mmu_prepare_root(struct mmu_vcpu *mv)
{
	bool live;

	read_lock(&mv->vm->lock);
	live = roots_are_live(mv);
	read_unlock(&mv->vm->lock);
	return live ? 0 : roots_load(mv);
}

/* Where the walk of @gva begins; NULL: the vCPU has to load its roots anew. */
struct shadow_page *shadow_root_of(const struct mmu_vcpu *mv, gva_t gva)
{
	struct shadow_page *sp = mv->roots[mv->root.mode == GPT_LONG ? 0 : (gva >> 30) & 3];

	lockdep_assert_held(&mv->vm->lock);
	return sp && root_is_live(sp) ? sp : NULL;
}

hpa_t shadow_root(const struct mmu_vcpu *mv)
{
	if (mv->root.mode == GPT_LONG)
		return virt_to_phys(mv->roots[0]->table);
	return virt_to_phys(mv->pae);
}

/* 3: four entries of the vCPU's own. */
int shadow_root_level(const struct mmu_vcpu *mv)
{
	return mv->root.mode == GPT_LONG ? 4 : 3;
}

/* The vCPU has no roots any more, and its processor walks none. */
void shadow_vcpu_leave(struct mmu_vcpu *mv)
{
	write_lock(&mv->vm->lock);
	roots_release(to_shadow(mv->vm->backend[MMU_SHADOW]), mv);
	write_unlock(&mv->vm->lock);
}

void shadow_vcpu_destroy(struct mmu_vcpu *mv)
{
	struct shadow *shadow = to_shadow(mv->vm->backend[MMU_SHADOW]);

	write_lock(&mv->vm->lock);
	roots_release(shadow, mv);
	if (mv->pae)
		shadow->nr_pae--;
	write_unlock(&mv->vm->lock);
	if (mv->pae)
		pt_page_free(mv->vm, (hpte_t *)mv->pae);
	mv->pae = NULL;
	kfree(mv->walk);
	mv->walk = NULL;
	shadow_spares_drain(mv);
}
