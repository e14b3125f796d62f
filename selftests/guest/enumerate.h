/* SPDX-License-Identifier: GPL-2.0-only */
/* What the enumerator's guest and its test tell each other. */
#ifndef SELFTESTS_GUEST_ENUMERATE_H
#define SELFTESTS_GUEST_ENUMERATE_H

#include "paging_case.h"

#define ENUMERATE_SHARED 0x400000UL /* struct enumerate */
#define ENUMERATE_TABLES 0x420000UL /* its tables, from here on */
#define ENUMERATE_DATA	 0xa00000UL /* what the entries map: a page of data, one of code; */
#define ENUMERATE_OTHER	 0xe00000UL /* and two others, at the same place in large pages */
#define ENUMERATE_QUIRKS 16
#define ENUMERATE_WRONG	 32 /* cases of which all is told */

/*
 * struct enumerate_seen - an access, and what came of it
 * @code, @cr2, @rip: of a fault; else CR2 as it was before
 * @value: what was read; of a fetch: what the code there says
 * @vector: of another exception than a page fault; it ends the program
 */
struct enumerate_seen {
	u64_at8 fault, code, cr2, rip, value, vector;
};

/*
 * struct enumerate_wrong - a case that came out otherwise than it should
 * @what: WRONG_*
 */
struct enumerate_wrong {
	uint32_t section, number, what, forgotten;
	struct paging_case c;
	u64_at8 before[MAX_LEVELS], after[MAX_LEVELS];
	u64_at8 fault, code, last; /* as it should be */
	struct enumerate_seen seen;
};

#define WRONG_FAULT 1u	/* a fault where there is none, none where there is one, or its code */
#define WRONG_PLACE 2u	/* CR2, or the instruction */
#define WRONG_BITS  4u	/* accessed and dirty bits */
#define WRONG_VALUE 8u	/* what was read or written, or has been */
#define WRONG_LOAD  16u /* PAE's pointers were loaded though they are malformed, or were not */

/*
 * What an emulator gets wrong (lib/paging_quirks.h): a page fault's code that has @has is told
 * without @lost and with @gained; or a fault sets @marks in the entry of a large page that it ends
 * at; or a walk sets @points in PAE's pointer; or the bits @lenient, reserved in a topmost entry,
 * are not minded.
 */
struct enumerate_quirk {
	uint32_t has, lost, gained, marks, lenient, points;
};

/* struct enumerate - first what is to be done, then what was */
struct enumerate {
	uint32_t format, section, first, step, count, seed;
	uint32_t nr_quirks, pad;
	u64_at8 high; /* ENUMERATE_OTHER again, where only a page of 4 MiB reaches; 0: nowhere */
	struct enumerate_quirk quirk[ENUMERATE_QUIRKS];

	struct paging_cpu cpu;
	uint32_t vector, wrong;
	u64_at8 done;
	u64_at8 unforgotten; /* cases before which nothing was forgotten, as nothing need be */
	u64_at8 late;	     /* in which a permission was added: there may be one fault too many */
	u64_at8 spurious;    /* and there was */
	u64_at8 codes[64];   /* faults by their code */
	u64_at8 fine;	     /* no fault */
	u64_at8 quirks[ENUMERATE_QUIRKS];
	struct enumerate_wrong wrongs[ENUMERATE_WRONG];
};

/* Guest: what enter() goes to, in the order in which IRET pops it; then registers. */
struct enumerate_entry {
	unsigned long rip, cs, flags, sp, ss, address, value;
};

#endif
