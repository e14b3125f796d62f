/* SPDX-License-Identifier: GPL-2.0-only */
/* Host frames: held for the length of a fault, never longer. */
#ifndef MKVM_MMU_FRAME_H
#define MKVM_MMU_FRAME_H

#include "types.h"

/**
 * struct frame - a host frame that the caller holds a reference to
 * @page: the reference
 * @hfn: its number
 * @writable: the process may write to it
 */
struct frame {
	struct page *page;
	hfn_t hfn;
	bool writable;
};

int frame_get(struct frame *frame, hva_t hva, bool write) __must_check;
void frame_try_writable(struct frame *frame, hva_t hva);
void frame_put(struct frame *frame, bool written);

#endif /* MKVM_MMU_FRAME_H */
