/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SELFTESTS_INSN_STAGE_H
#define SELFTESTS_INSN_STAGE_H

#include "instance.h"
#include "lib/guest.h"

#define NO_VECTOR 0xff

/* A VM in which instances are run, its window RAM or no slot. */
struct stage {
	struct guest guest;
	enum try_mode mode;
	struct kvm_sregs sregs[2]; /* of CPL 0 and of CPL 3 */
	bool settled;		   /* the vCPU's are those of CPL 0 */
};

/* What became of an instance. */
struct outcome {
	uint32_t exit;	 /* KVM_EXIT_HLT if it ran to an end or to an exception */
	uint32_t detail; /* of another exit */
	unsigned int vector;
	uint64_t error, cr2;
	uint64_t rip, rflags;
	uint64_t gpr[16];
	unsigned int nr_mmio, nr_out;
	uint8_t out[64];
	const uint8_t *memory; /* COMPARED bytes */
	bool has_segments;     /* of an instruction that loads one: */
	struct kvm_segment segment[NR_SEGS];
	uint64_t descriptors[64];
};

void stage_create(struct stage *stage, enum try_mode mode, bool window_is_ram);
void stage_destroy(struct stage *stage);
void stage_run(struct stage *stage, const struct instance *in, const uint8_t *memory,
	       struct outcome *outcome);
void outcome_expect_fault(struct outcome *outcome, const struct instance *in, unsigned int vector);

#endif
