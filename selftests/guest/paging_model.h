/* SPDX-License-Identifier: GPL-2.0-only */
/* What the manuals say of an access by page table entries. */
#ifndef SELFTESTS_GUEST_PAGING_MODEL_H
#define SELFTESTS_GUEST_PAGING_MODEL_H

#include "paging_case.h"

#define CODE_P	  1u
#define CODE_W	  2u
#define CODE_U	  4u
#define CODE_RSVD 8u
#define CODE_I	  16u
#define CODE_PK	  32u

/*
 * struct paging_verdict - what comes of an access
 * @fault: a page fault
 * @code: its code
 * @last: level at which the walk ends
 * @unusable: the entry there is absent or malformed: a processor never keeps what it says
 */
struct paging_verdict {
	bool fault;
	bool unusable;
	uint32_t code;
	int last;
};

/* May PAE's pointer be loaded?  If not, the load of CR3 is a general protection fault. */
bool paging_pointer_loads(const struct paging_cpu *cpu, uint64_t entry);
/* PAE's pointer is the one that is in force. */
void paging_judge(const struct paging_cpu *cpu, const struct paging_case *c,
		  const u64_at8 entries[MAX_LEVELS], struct paging_verdict *v);
/* Of an entry: may it be found as @after, if it was @before? */
bool paging_bits_right(const struct paging_case *c, const struct paging_verdict *v, int level,
		       uint64_t before, uint64_t after);

#endif
