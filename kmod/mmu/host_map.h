/* SPDX-License-Identifier: GPL-2.0-only */
/* How the host maps an address: the size of a mapping is the host's to choose. */
#ifndef MKVM_MMU_HOST_MAP_H
#define MKVM_MMU_HOST_MAP_H

#include "types.h"

int host_map_level(hva_t hva);

#endif /* MKVM_MMU_HOST_MAP_H */
