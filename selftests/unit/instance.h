/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef UNIT_INSTANCE_H
#define UNIT_INSTANCE_H

#include "machine.h"

/* An instruction made from a row of the table, and where its operand in memory is. */
struct instance {
	u8 bytes[INSN_MAX_LEN];
	unsigned int len;
	u64 target; /* address of the operand in memory; 0: it has none */
};

bool instance_make(struct instance *instance, struct machine *m, const struct insn_row *row);

#endif
