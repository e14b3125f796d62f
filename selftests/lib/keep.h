/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SELFTESTS_KEEP_H
#define SELFTESTS_KEEP_H

#include <stddef.h>
#include <stdint.h>

/* What the thread has in its registers around KVM_RUN; keep.S knows the offsets. */
struct keep {
	uint8_t xmm[16][16];
	uint32_t mxcsr;
	uint16_t fcw;
	uint16_t unused;
	int64_t st0;
	uint16_t ds, es, fs, gs;
};

_Static_assert(offsetof(struct keep, mxcsr) == 256, "keep.S");
_Static_assert(offsetof(struct keep, fcw) == 260, "keep.S");
_Static_assert(offsetof(struct keep, st0) == 264, "keep.S");
_Static_assert(offsetof(struct keep, ds) == 272, "keep.S");

long keep_ioctl(long fd, long request, long argument, const struct keep *in, struct keep *out);

#endif /* SELFTESTS_KEEP_H */
