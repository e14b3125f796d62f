/* SPDX-License-Identifier: GPL-2.0-only */
/* What the guest that is the same on both MMUs, and its test, tell each other. */
#ifndef SELFTESTS_GUEST_EQUIVALENCE_H
#define SELFTESTS_GUEST_EQUIVALENCE_H

#include "paging_case.h"

#define EQ_SHARED  0x400000UL /* struct equivalence */
#define EQ_POOL	   0x600000UL /* pages that are tables, or whatever entries make of them */
#define EQ_NR_POOL 16
#define EQ_DATA	   0xa00000UL /* data; the last of them is code */
#define EQ_NR_DATA 6
#define EQ_LOCKED  0x20000000UL /* pages of a slot that can only be read: zeros */
#define EQ_DEVICE  0x20800000UL /* no slot: what the test has there */
#define EQ_PAGES   8		/* of each of both */

#define EQ_STEPS 512 /* of a KVM_RUN at most */

/* What a step does before its access. */
enum eq_edit {
	EDIT_NONE,
	EDIT_ENTRY, /* a store to a page of the pool */
	EDIT_FLAGS, /* bits of an entry there are set or cleared */
	EDIT_TOP,   /* the entry in the topmost table */
	EDIT_MODE,
	NR_EDITS
};

/* By one instruction; an access that cannot be made here is none. */
enum eq_access {
	EQ_READ,
	EQ_WRITE,
	EQ_WRITE_HALF,
	EQ_EXCHANGE,
	EQ_AND,
	EQ_OR,
	EQ_FETCH,
	NR_EQ_ACCESSES,
	EQ_SKIPPED = NR_EQ_ACCESSES
};

/*
 * struct eq_step - one step, and what came of it
 * @edit, @access: enum eq_edit, enum eq_access
 * @user, @ac: by whom, and with RFLAGS.AC
 * @mode: MODE_*
 * @address: of the access
 * @gpa: where the tables lead it, whether or not they permit it
 * @code, @cr2, @rip: of a fault
 * @value: what was read
 */
struct eq_step {
	uint32_t edit, access, user, ac, mode, fault;
	u64_at8 address, gpa, code, cr2, rip, value;
};

/* struct equivalence - first what is to be done, then what was */
struct equivalence {
	uint32_t seed, count;
	uint32_t reads_first, pad; /* the processor exchanges by a read, and then a write */
	u64_at8 draws;		   /* where the random numbers are */
	uint32_t modes, vector;	   /* MODE_* there are; an exception that should not be */
	u64_at8 done;
	struct eq_step step[EQ_STEPS];
};

#endif
