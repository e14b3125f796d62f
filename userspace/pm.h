/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MKVM_USER_PM_H
#define MKVM_USER_PM_H

#include <stdint.h>

#include "machine.h"

/* The ports by which a guest switches its machine off or resets it. */
struct pm {
	struct machine *machine;
	uint8_t enable[2], control[2]; /* only kept for the guest; any CPU may write them */
};

int pm_create(struct pm *pm, struct machine *machine);
void pm_reset(struct pm *pm);

#endif
