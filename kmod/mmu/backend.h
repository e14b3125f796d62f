/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A backend: one set of host tables for one VM, and how it answers what the door asks.
 */
#ifndef MKVM_MMU_BACKEND_H
#define MKVM_MMU_BACKEND_H

#include "mmu/frame.h"
#include "mmu/mmu.h"
#include "mmu/pte.h"

/* Could @level's leaf map @gfn and those around it? */
typedef bool (*mmu_large_fn)(const void *data, gfn_t gfn, int level);

/**
 * struct mmu_backend_ops - what differs between the kinds
 * @map: the MMU's lock is held, for reading or writing, and the frame is not stale: make the
 *	access of @fault possible.  Returns the cause; MKVM_CAUSE_NONE: a table stands where the
 *	leaf of fault->level should be, and nothing was mapped.
 * @exclusive: @map wants the lock for writing
 * @walk: find out what the address of @fault is, with what it takes to map it; may sleep.
 *	MMU_RESUME: go on; else the fault's outcome.  NULL: fault->gpa is known
 * @destroy: no vCPU is left: free all tables and the backend
 * @zap: take away every mapping of [start, end), frames of @slot.  *@found: there was one
 * @zap_slowly: take away every mapping of @slot, with breaks
 * @watch: make the next write be seen to each frame @start + n of which bit n of @mask is set
 * @watch_slowly: and to each of [start, end), with breaks
 * @collect_slowly: put into the log of @slot which of [start, end) are written by what only the
 *	entries tell; with breaks
 * @split_slowly: split the large leaves of [start, end) that allow writing as long as there are
 *	pages in @cache; with breaks.  Returns where it stopped
 * @age: forget that [start, end) are used; the lock may be held for reading if the format has
 *	accessed bits.  *@young: they were
 * @is_young: are they?  The lock may be held for reading
 * @collapse_slowly: take away what stands in the place of leaves that @large allows; with breaks
 * @audit: tell @audit what is there, and what contradicts itself
 * @bytes: what the backend takes besides table pages; any context
 *
 * Where nothing else is said the MMU's lock is held for writing, and given up by what has breaks.
 */
struct mmu_backend_ops {
	enum mkvm_mmu_cause (*map)(struct mmu_backend *be, struct mmu_vcpu *mv,
				   struct mmu_fault *fault, const struct frame *frame);
	bool exclusive;
	enum mmu_outcome (*walk)(struct mmu_backend *be, struct mmu_vcpu *mv,
				 struct mmu_fault *fault);
	void (*destroy)(struct mmu_backend *be);
	struct mmu_debt (*zap)(struct mmu_backend *be, const struct memslot *slot, gfn_t start,
			       gfn_t end, bool *found) __must_check;
	struct mmu_debt (*zap_slowly)(struct mmu_backend *be,
				      const struct memslot *slot) __must_check;
	struct mmu_debt (*watch)(struct mmu_backend *be, gfn_t start,
				 unsigned long mask) __must_check;
	struct mmu_debt (*watch_slowly)(struct mmu_backend *be, gfn_t start,
					gfn_t end) __must_check;
	void (*collect_slowly)(struct mmu_backend *be, const struct memslot *slot, gfn_t start,
			       gfn_t end);
	gfn_t (*split_slowly)(struct mmu_backend *be, struct pt_cache *cache, gfn_t start,
			      gfn_t end);
	struct mmu_debt (*age)(struct mmu_backend *be, const struct memslot *slot, gfn_t start,
			       gfn_t end, bool *young) __must_check;
	struct mmu_debt (*is_young)(struct mmu_backend *be, const struct memslot *slot, gfn_t start,
				    gfn_t end, bool *young) __must_check;
	struct mmu_debt (*collapse_slowly)(struct mmu_backend *be, const struct memslot *slot,
					   mmu_large_fn large, const void *data) __must_check;
	void (*audit)(const struct mmu_backend *be, struct mmu_audit *audit);
	size_t (*bytes)(const struct mmu_backend *be);
};

/**
 * struct mmu_backend - one set of tables; all fields are immutable, the tables are not
 * @ops: the kind
 * @mmu: whose it is
 * @fmt: format of its entries
 * @root: the topmost table
 * @root_level: its level
 * @end_gfn: the first frame that the backend cannot map
 */
struct mmu_backend {
	const struct mmu_backend_ops *ops;
	struct mmu_vm *mmu;
	const struct pte_fmt *fmt;
	hpte_t *root;
	int root_level;
	gfn_t end_gfn;
};

/* The first frame that the tables cannot reach. */
static inline gfn_t backend_end_gfn(const struct mmu_backend *be)
{
	return pt_span(be->root_level + 1);
}

static inline struct mmu_backend *mmu_backend_of(const struct mmu_vcpu *mv)
{
	return mv->vm->backend[mv->kind];
}

/* Is the host about to change what is behind any of [start, end)? */
static inline bool mmu_is_invalidating(const struct mmu_vm *mmu, hva_t start, hva_t end)
{
	lockdep_assert_held(&mmu->lock);
	return mmu->invalidate_active && start < mmu->invalidate_end && end > mmu->invalidate_start;
}

/*
 * Does the processor's dirty bit tell of writes to logged slots?  Then a small leaf there may allow
 * writing at any time; else only once its frame's bit in the log is set.
 */
static inline bool mmu_logs_by_bits(const struct mmu_vm *mmu)
{
	return READ_ONCE(mmu->log_mode) != MKVM_DIRTY_LOG_PROTECT;
}

static inline void mmu_debt_add(struct mmu_debt *debt, struct mmu_debt more)
{
	debt->change = max(debt->change, more.change);
}

/* Something is being taken away: a debt for that. */
static inline struct mmu_debt __must_check mmu_debt_raise(struct mmu_vm *mmu)
{
	return (struct mmu_debt){ atomic64_inc_return(&mmu->flush_owed) };
}

struct mmu_backend *tdp_create(struct mmu_vm *mmu);

/* Shadow tables: shadow.c, shadow_root.c */
struct mmu_backend *shadow_create(struct mmu_vm *mmu);
void shadow_vcpu_leave(struct mmu_vcpu *mv);
void shadow_vcpu_destroy(struct mmu_vcpu *mv);
bool shadow_tracks(const struct mmu_vm *mmu, hva_t hva);
bool shadow_is_settling(const struct mmu_vm *mmu);
hpa_t shadow_root(const struct mmu_vcpu *mv);
int shadow_root_level(const struct mmu_vcpu *mv);

/* mmu.c */
void mmu_settle(struct mmu_vm *mmu, struct mmu_debt debt);

/* audit.c */
void audit_tables(const struct mmu_backend *be, struct mmu_audit *audit);

/* mmu_log.c */
void mmu_log_update(struct mmu_vm *mmu);

#endif /* MKVM_MMU_BACKEND_H */
