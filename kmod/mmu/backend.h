/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A backend: one set of host tables for one VM, and how it answers what the door asks.
 */
#ifndef MKVM_MMU_BACKEND_H
#define MKVM_MMU_BACKEND_H

#include "mmu/frame.h"
#include "mmu/mmu.h"
#include "mmu/pte.h"

/**
 * struct mmu_backend_ops - what differs between the kinds
 * @map: the MMU's lock is held, for reading or writing, and the frame is not stale: make the
 *	access of @fault possible.  Returns the cause; MKVM_CAUSE_NONE: a table stands where the
 *	leaf of fault->level should be, and nothing was mapped.
 * @destroy: no vCPU is left: free all tables and the backend
 */
struct mmu_backend_ops {
	enum mkvm_mmu_cause (*map)(struct mmu_backend *be, struct mmu_vcpu *mv,
				   const struct mmu_fault *fault, const struct frame *frame);
	void (*destroy)(struct mmu_backend *be);
};

/**
 * struct mmu_backend - one set of tables; all fields are immutable, the tables are not
 * @ops: the kind
 * @mmu: whose it is
 * @fmt: format of its entries
 * @root: the topmost table
 * @root_level: its level
 */
struct mmu_backend {
	const struct mmu_backend_ops *ops;
	struct mmu_vm *mmu;
	const struct pte_fmt *fmt;
	hpte_t *root;
	int root_level;
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

/**
 * struct mmu_debt - a flush that is owed
 * @change: number of the last change that it is for (mmu_vm.flush_owed); 0: nothing is owed
 *
 * Who takes translations away returns one, and so does each function between that and the event,
 * which settles it: all are __must_check.
 */
struct mmu_debt {
	s64 change;
};

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

/* mmu.c */
void mmu_settle(struct mmu_vm *mmu, struct mmu_debt debt);

/* mmu_log.c */
void mmu_log_update(struct mmu_vm *mmu);

#endif /* MKVM_MMU_BACKEND_H */
