// SPDX-License-Identifier: GPL-2.0-only
/*
 * The set of slots that readers see.
 *
 * A set is sorted by guest frame and never changes.  It is a list of runs, each an array of at most
 * MEMSLOT_RUN slots; a change makes a new list and one or two new runs, and shares the other runs
 * with the set before.  So with n slots a look-up is two binary searches, and a change copies
 * n / MEMSLOT_RUN list entries or so and the slots of one run.  A full run is split in two; runs
 * are never joined, and an empty one goes.
 *
 * All memory for a step is there before it is published.  What a step replaces is retired, and
 * freed after the next wait for readers; who only adds need not wait.
 */
#include <linux/slab.h>
#include "memslots.h"

#define MEMSLOT_RUN	     126u /* a run fills a KiB */
#define MEMSLOTS_RETIRED_MAX 64	  /* wait for readers at the latest when there are so many */

/**
 * struct memslot_run - neighbours
 * @retired: see memslots_retired
 * @nr: slots in @slot, at least one
 * @slot: by ascending base_gfn, no two overlap
 */
struct memslot_run {
	struct memslots_retired retired;
	u32 nr;
	struct memslot *slot[MEMSLOT_RUN];
};

/**
 * struct memslots - one published state of all slots
 * @retired: see memslots_retired
 * @nr: runs in @at
 * @at: the runs in ascending order, each with the first frame of its first slot
 */
struct memslots {
	struct memslots_retired retired;
	u32 nr;
	struct {
		gfn_t first;
		struct memslot_run *run;
	} at[];
};

/* The last run that starts at or below @gfn; 0 if none does. */
static u32 run_find(const struct memslots *slots, gfn_t gfn)
{
	u32 lo = 0, hi = slots->nr;

	while (hi - lo > 1) {
		u32 mid = lo + (hi - lo) / 2;

		if (slots->at[mid].first <= gfn)
			lo = mid;
		else
			hi = mid;
	}
	return lo;
}

/* How many slots of @run start at or below @gfn. */
static u32 run_below(const struct memslot_run *run, gfn_t gfn)
{
	u32 lo = 0, hi = run->nr;

	while (lo < hi) {
		u32 mid = lo + (hi - lo) / 2;

		if (run->slot[mid]->base_gfn <= gfn)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/*
 * The slot that holds @gfn, or NULL.  The caller holds a read side of the table's SRCU for as long
 * as it uses the slot, or the table's lock.
 */
struct memslot *memslot_find(const struct memslots *slots, gfn_t gfn)
{
	const struct memslot_run *run;
	struct memslot *slot;
	u32 n;

	if (!slots->nr)
		return NULL;
	run = slots->at[run_find(slots, gfn)].run;
	n = run_below(run, gfn);
	if (!n)
		return NULL;
	slot = run->slot[n - 1];
	return gfn - slot->base_gfn < slot->npages ? slot : NULL;
}

static size_t run_bytes(const struct memslot_run *run)
{
	size_t bytes = sizeof(*run);
	u32 i;

	for (i = 0; i < run->nr; i++) {
		bytes += sizeof(*run->slot[i]);
		if (memslot_logged(run->slot[i]))
			bytes += dirty_log_bytes(run->slot[i]->npages);
	}
	return bytes;
}

/* What slots, their logs, the set, and sets that a reader may still see take.  May sleep. */
size_t memslot_table_bytes(struct memslot_table *table)
{
	const struct memslots *slots;
	size_t bytes;
	u32 i;

	mutex_lock(&table->lock);
	slots = memslots_get(table);
	bytes = struct_size(slots, at, slots->nr) + table->retired_bytes;
	for (i = 0; i < slots->nr; i++)
		bytes += run_bytes(slots->at[i].run);
	mutex_unlock(&table->lock);
	return bytes;
}

/* Does [base, base + npages) meet a slot other than @except? */
bool memslots_overlap(const struct memslots *slots, gfn_t base, u64 npages,
		      const struct memslot *except)
{
	gfn_t last = base + npages - 1;
	u32 i, n;

	if (!slots->nr)
		return false;
	/* The slots that start at or below the last frame, from there down; they do not overlap. */
	i = run_find(slots, last);
	n = run_below(slots->at[i].run, last);
	for (;;) {
		const struct memslot *slot;

		if (!n) {
			if (!i)
				return false;
			n = slots->at[--i].run->nr;
		}
		slot = slots->at[i].run->slot[--n];
		if (slot != except)
			return slot->base_gfn + slot->npages > base;
	}
}

static struct memslots *memslots_alloc(u32 nr)
{
	struct memslots *slots = kvzalloc(struct_size(slots, at, nr), GFP_KERNEL_ACCOUNT);

	if (slots)
		slots->nr = nr;
	return slots;
}

/* The set without slots.  May sleep.  NULL: no memory. */
struct memslots *memslots_empty(void)
{
	return memslots_alloc(0);
}

/* No reader is left: frees the set and its runs, but not the slots. */
void memslots_free(struct memslots *slots)
{
	u32 i;

	for (i = 0; i < slots->nr; i++)
		kfree(slots->at[i].run);
	kvfree(slots);
}

/* Fills @step's fresh runs with those of the stale one, without @gone and with @added. */
static void step_fill(struct memslots_step *step, const struct memslot *gone, struct memslot *added)
{
	u32 i, n = 0, room = MEMSLOT_RUN, old = step->stale ? step->stale->nr : 0;
	struct memslot_run *run = step->fresh[0];

	if (step->fresh[1])
		room = (MEMSLOT_RUN + 1) / 2;
	for (i = 0; i <= old; i++) {
		struct memslot *slot = i < old ? step->stale->slot[i] : NULL;
		struct memslot *next[2] = { NULL, slot == gone ? NULL : slot };
		int k;

		if (added && (!slot || added->base_gfn <= slot->base_gfn)) {
			next[0] = added;
			added = NULL;
		}
		for (k = 0; k < 2; k++) {
			if (!next[k])
				continue;
			if (n == room)
				run = step->fresh[1];
			run->slot[run->nr++] = next[k];
			n++;
		}
	}
}

/* The list of @from with the stale run's place, @at, taken by the fresh ones. */
static void step_list(struct memslots_step *step, const struct memslots *from, u32 at)
{
	struct memslots *next = step->next;
	u32 i, n = 0;

	memcpy(next->at, from->at, at * sizeof(next->at[0]));
	n = at;
	for (i = 0; i < 2 && step->fresh[i]; i++) {
		next->at[n].first = step->fresh[i]->slot[0]->base_gfn;
		next->at[n++].run = step->fresh[i];
	}
	at += step->stale ? 1 : 0;
	memcpy(next->at + n, from->at + at, (from->nr - at) * sizeof(next->at[0]));
}

/*
 * Prepares the step from @from to the set without @gone and with @added; either may be NULL, and if
 * neither is, both start at the same frame.  May sleep.  0 or -ENOMEM.
 */
int memslots_step(struct memslots_step *step, const struct memslots *from,
		  const struct memslot *gone, struct memslot *added)
{
	u32 at = run_find(from, gone ? gone->base_gfn : added->base_gfn);
	u32 i, nr, runs;

	*step = (struct memslots_step){ .stale = from->nr ? from->at[at].run : NULL };
	nr = (step->stale ? step->stale->nr : 0) - (gone ? 1 : 0) + (added ? 1 : 0);
	runs = DIV_ROUND_UP(nr, MEMSLOT_RUN);
	step->next = memslots_alloc(from->nr - (step->stale ? 1 : 0) + runs);
	if (!step->next)
		return -ENOMEM;
	for (i = 0; i < runs; i++) {
		step->fresh[i] = kzalloc(sizeof(*step->fresh[i]), GFP_KERNEL_ACCOUNT);
		if (!step->fresh[i]) {
			memslots_drop(step);
			return -ENOMEM;
		}
	}
	step_fill(step, gone, added);
	step_list(step, from, at);
	return 0;
}

/* Undoes memslots_step(). */
void memslots_drop(struct memslots_step *step)
{
	kfree(step->fresh[0]);
	kfree(step->fresh[1]);
	kvfree(step->next);
}

static void retire(struct memslot_table *table, struct memslots_retired *retired, size_t bytes)
{
	retired->next = table->retired;
	table->retired = retired;
	table->nr_retired++;
	table->retired_bytes += bytes;
}

/* Readers that come from now on see the next set; others may still see the one before. */
void memslots_publish(struct memslot_table *table, struct memslots_step *step)
{
	struct memslots *old = memslots_get(table);

	lockdep_assert_held(&table->lock);
	rcu_assign_pointer(table->active, step->next);
	retire(table, &old->retired, struct_size(old, at, old->nr));
	if (step->stale)
		retire(table, &step->stale->retired, sizeof(*step->stale));
	if (table->nr_retired >= MEMSLOTS_RETIRED_MAX)
		memslots_wait(table);
}

static void free_retired(struct memslot_table *table)
{
	struct memslots_retired *retired = table->retired;

	table->retired = NULL;
	table->nr_retired = 0;
	table->retired_bytes = 0;
	while (retired) {
		struct memslots_retired *next = retired->next;

		kvfree(retired);
		retired = next;
	}
}

/* Returns when no reader can see a set, or a slot, that is not in the published one.  Sleeps. */
void memslots_wait(struct memslot_table *table)
{
	lockdep_assert_held(&table->lock);
	synchronize_srcu_expedited(&table->srcu);
	free_retired(table);
}

/* No reader is left, nor anybody who changes: frees all sets, but not the slots. */
void memslots_destroy(struct memslot_table *table)
{
	memslots_free(rcu_dereference_protected(table->active, true));
	free_retired(table);
}
