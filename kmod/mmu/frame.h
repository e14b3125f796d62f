/* SPDX-License-Identifier: GPL-2.0-only */
/* Host frames: held for the length of a fault, never longer. */
#ifndef MKVM_MMU_FRAME_H
#define MKVM_MMU_FRAME_H

#include "types.h"

/**
 * struct frame - a host frame that the caller holds a reference to
 * @page: the reference; NULL: a device's frame, which needs none
 * @hfn: its number
 * @writable: the process may write to it
 * @may_write: a device's frame that the process may write to
 * @device: it must not be cached
 */
struct frame {
	struct page *page;
	hfn_t hfn;
	bool writable;
	bool may_write;
	bool device;
};

#define FRAME_RUN_MAX 16

/**
 * struct frame_run - frames that are present behind successive addresses, each with a reference
 * @page: the references
 * @nr: how many
 * @writable: the process may write to all of them
 */
struct frame_run {
	struct page *page[FRAME_RUN_MAX];
	unsigned int nr;
	bool writable;
};

int frame_get(struct frame *frame, hva_t hva, bool write) __must_check;
void frame_try_writable(struct frame *frame, hva_t hva);
void frame_put(struct frame *frame, bool written);

void frame_run_get(struct frame_run *run, hva_t hva, unsigned int nr, bool write);
void frame_populate(hva_t start, hva_t end, bool write);
bool frame_run_is_device(const struct frame_run *run, unsigned int i);
void frame_run_put(struct frame_run *run);

#endif /* MKVM_MMU_FRAME_H */
