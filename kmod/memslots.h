/* SPDX-License-Identifier: GPL-2.0-only */
/* The set of slots that readers see, and the steps from one to the next: for memslot.c. */
#ifndef MKVM_MEMSLOTS_H
#define MKVM_MEMSLOTS_H

#include "memslot.h"

struct memslot_run;

/**
 * struct memslots_step - the way from one set to the next
 * @next: the set to be published
 * @fresh: runs of @next that are new; NULL: none
 * @stale: the run that @next does without; NULL: none
 */
struct memslots_step {
	struct memslots *next;
	struct memslot_run *fresh[2];
	struct memslot_run *stale;
};

struct memslots *memslots_empty(void);
void memslots_free(struct memslots *slots);
void memslots_destroy(struct memslot_table *table);
bool memslots_overlap(const struct memslots *slots, gfn_t base, u64 npages,
		      const struct memslot *except);

int memslots_step(struct memslots_step *step, const struct memslots *from,
		  const struct memslot *gone, struct memslot *added) __must_check;
void memslots_drop(struct memslots_step *step);
void memslots_publish(struct memslot_table *table, struct memslots_step *step);
void memslots_wait(struct memslot_table *table);

#endif /* MKVM_MEMSLOTS_H */
