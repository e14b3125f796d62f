// SPDX-License-Identifier: GPL-2.0-only
/*
 * What is remembered of tables that were opened for the guest's stores: which of their entries were
 * in use, and what the guest had in them.
 *
 * A table that is opened loses its shadow, and most often is used again as soon as the guest has
 * changed it.  Then the entries that were in use before are put in with the first that faults, as
 * fault-around would put in neighbours, each by what memory says then (shadow_around_one()).  So
 * to open a table costs two exits, however much of it is in use.
 *
 * It may be not worth even that.  How many entries the guest has changed meanwhile says how many
 * exits the opening has saved.  If they are few, twice in a row, stores to this table are
 * emulated from then on: another vCPU, or the guest's next instruction, needs the table
 * between any two of them.  Many stores without a use in between open it even so.
 *
 * Nothing here is needed for an entry to be right; what is forgotten costs exits.
 */
#include <linux/slab.h>
#include "mmu/gpt_walk.h"
#include "mmu/shadow.h"

#define MEMO_FEW     4 /* entries changed by the guest: less than an opening is worth */
#define SHADOW_MEMOS 32u
#define MEMO_TWICE   2 /* openings in a row that were not */

/**
 * struct shadow_memo - what is remembered of one table of the last level
 * @gfn: with @role: the shadow page's key
 * @role: see @gfn; 0: nothing is
 * @fresh: the table has not been in use since
 * @doubted: the guest has undone some of what it did since, maybe
 * @poor: openings in a row that saved few exits
 * @sums: by entry: a sum of what the guest had in it, but for its A and D bits
 * @used: by entry: was it in use?
 */
struct shadow_memo {
	gfn_t gfn;
	union shadow_role role;
	bool fresh;
	bool doubted;
	unsigned int poor;
	u8 sums[PT_ENTRIES];
	bool used[PT_ENTRIES];
};

static struct shadow_memo *memo_find(struct shadow *shadow, const struct shadow_page *sp)
{
	unsigned int i;

	lockdep_assert_held_write(&shadow_mmu(shadow)->lock);
	for (i = 0; i < SHADOW_MEMOS; i++) {
		struct shadow_memo *memo = &shadow->memos[i];

		if (memo->role.word == sp->role.word && memo->gfn == sp->gfn)
			return memo;
	}
	return NULL;
}

/* The one of @sp; else the one that has been there longest, which is forgotten. */
static struct shadow_memo *memo_get(struct shadow *shadow, const struct shadow_page *sp)
{
	struct shadow_memo *memo = memo_find(shadow, sp);

	if (memo)
		return memo;
	memo = &shadow->memos[shadow->next_memo];
	shadow->next_memo = (shadow->next_memo + 1) % SHADOW_MEMOS;
	*memo = (struct shadow_memo){ .gfn = sp->gfn, .role = sp->role };
	return memo;
}

/* A change of any one bit is a change of the sum. */
static u8 memo_sum(u64 gpte)
{
	gpte &= ~(GPT_MARKED_ACCESSED | GPT_MARKED_DIRTY);
	gpte ^= gpte >> 32;
	gpte ^= gpte >> 16;
	return gpte ^ gpte >> 8;
}

/* Sums of the guest's entries as they are; false: they are not at hand. */
static bool memo_sums(struct shadow *shadow, const struct shadow_page *sp, u8 *sums)
{
	unsigned int i, size = shadow_entry_size(sp);
	const u32 *small = shadow->guest_table;
	const u64 *large = shadow->guest_table;

	if (guest_mem_peek(shadow_mmu(shadow)->slots,
			   gfn_to_gpa(sp->gfn) + sp->role.quadrant * PT_ENTRIES * size,
			   shadow->guest_table, PT_ENTRIES * size))
		return false;
	for (i = 0; i < PT_ENTRIES; i++)
		sums[i] = memo_sum(size == sizeof(u32) ? small[i] : large[i]);
	return true;
}

/* The guest's table of @sp, of the last level, is about to be opened for a store. */
void shadow_memo_note(struct shadow *shadow, const struct shadow_page *sp)
{
	struct shadow_memo *memo = memo_get(shadow, sp);
	unsigned int i;

	if (!memo_sums(shadow, sp, memo->sums)) {
		memo->role.word = 0;
		return;
	}
	memo->fresh = true;
	memo->doubted = false;
	for (i = 0; i < PT_ENTRIES; i++)
		memo->used[i] = hpte_accessed(shadow->be.fmt, shadow_entry(sp, i));
}

/*
 * The guest is told of a write that its entry in @gfn forbids, and undoes perhaps what it did since
 * the note was made: what has changed says nothing of how many stores there were.
 */
void shadow_memo_doubt(struct shadow *shadow, gfn_t gfn)
{
	unsigned int i;

	lockdep_assert_held_write(&shadow_mmu(shadow)->lock);
	for (i = 0; i < SHADOW_MEMOS; i++)
		if (shadow->memos[i].gfn == gfn)
			shadow->memos[i].doubted = true;
}

/* How many entries the guest has changed since the note was made. */
static unsigned int memo_changed(struct shadow *shadow, const struct shadow_page *sp,
				 const struct shadow_memo *memo)
{
	u8 now[PT_ENTRIES];
	unsigned int i, n = 0;

	if (!memo_sums(shadow, sp, now))
		return PT_ENTRIES;
	for (i = 0; i < PT_ENTRIES; i++)
		n += now[i] != memo->sums[i];
	return n;
}

/*
 * @sp, of the last level, has got its first entry: puts in what was in use when its table was
 * opened.  The caller may put in any leaf of it.
 */
void shadow_memo_recall(struct shadow *shadow, struct shadow_page *sp)
{
	struct shadow_memo *memo = memo_find(shadow, sp);
	unsigned int i;

	sp->recalled = true;
	if (!memo)
		return;
	if (memo->fresh && !memo->doubted)
		memo->poor = memo_changed(shadow, sp, memo) < MEMO_FEW ? memo->poor + 1 : 0;
	sp->keep = memo->poor >= MEMO_TWICE;
	for (i = 0; memo->fresh && i < PT_ENTRIES; i++)
		if (memo->used[i])
			(void)shadow_around_one(shadow, sp, i);
	memo->fresh = false;
}

size_t shadow_memo_bytes(void)
{
	return SHADOW_MEMOS * sizeof(struct shadow_memo) + PAGE_SIZE;
}

/* May sleep.  0 or -ENOMEM. */
int shadow_memo_create(struct shadow *shadow)
{
	shadow->memos = kvcalloc(SHADOW_MEMOS, sizeof(*shadow->memos), GFP_KERNEL_ACCOUNT);
	shadow->guest_table = kvcalloc(1, PAGE_SIZE, GFP_KERNEL_ACCOUNT);
	return shadow->memos && shadow->guest_table ? 0 : -ENOMEM;
}

void shadow_memo_destroy(struct shadow *shadow)
{
	kvfree(shadow->memos);
	kvfree(shadow->guest_table);
}
