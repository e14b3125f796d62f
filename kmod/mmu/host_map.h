/* SPDX-License-Identifier: GPL-2.0-only */
/* How the host maps an address: the size of a mapping is the host's to choose; devices' memory. */
#ifndef MKVM_MMU_HOST_MAP_H
#define MKVM_MMU_HOST_MAP_H

#include "types.h"

int host_map_level(hva_t hva);
bool host_map_populatable(hva_t hva, hva_t *start, hva_t *end);
int host_map_device(hva_t hva, bool write, hfn_t *hfn, bool *writable) __must_check;
bool host_is_device(hfn_t hfn);

#endif /* MKVM_MMU_HOST_MAP_H */
