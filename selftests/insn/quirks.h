/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SELFTESTS_INSN_QUIRKS_H
#define SELFTESTS_INSN_QUIRKS_H

#include "stage.h"

bool quirk_overlooks_fault(const struct instance *in);
void quirk_twin(struct instance *in);
void quirk_mend(const struct instance *in, struct outcome *outcome);
bool quirk_spoils(const struct instance *in, const struct outcome *emulated);

#endif
