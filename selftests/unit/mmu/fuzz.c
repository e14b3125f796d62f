// SPDX-License-Identifier: GPL-2.0-only
/* The same worlds, where a fuzzer's bytes decide instead of a seed. */
#include "shim.h"
#include "world.h"

#define MAX_OPS 3000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static bool ready;

	if (!ready)
		pages_init();
	ready = true;
	draw_bytes(data, size);
	world_run(MAX_OPS);
	return 0;
}
