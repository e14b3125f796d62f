// SPDX-License-Identifier: GPL-2.0-only
/*
 * Extended states (XSAVE) that guests can have, and the sizes of an area that holds them.
 */
#include <linux/kernel.h>
#include <asm/fpu/xcr.h>
#include <asm/processor.h>
#include "x86/cpuid.h"
#include "x86/x86.h"

#define XSAVE_BASIC_BYTES (512 + 64) /* legacy area and header */

/* An extended state in the XSAVE area: @offset in the standard format. */
struct xstate {
	u32 size;
	u32 offset;
	bool aligned; /* to 64 bytes, in the compacted format */
};

static struct xstate xstates[CPUID_XSTATE_NR] __ro_after_init;

/* All of AVX-512's states or none: XCR0 takes them together only. */
u64 x86_cpuid_offered_xcr0(void)
{
	u64 host = x86_host_xcr0();
	u64 offered = host & (XFEATURE_MASK_FP | XFEATURE_MASK_SSE | XFEATURE_MASK_YMM);

	if ((host & XFEATURE_MASK_AVX512) == XFEATURE_MASK_AVX512)
		offered |= XFEATURE_MASK_AVX512;
	return offered;
}

/* Bytes of an XSAVE area for @states. */
u32 x86_cpuid_xstate_size(u64 states, bool compacted)
{
	u32 end, size = XSAVE_BASIC_BYTES;
	int i;

	for (i = CPUID_XSTATE_FIRST; i < CPUID_XSTATE_NR; i++) {
		if (!(states & BIT_ULL(i)))
			continue;
		if (!compacted)
			end = xstates[i].offset;
		else
			end = xstates[i].aligned ? ALIGN(size, 64) : size;
		size = max(size, end + xstates[i].size);
	}
	return size;
}

/* At load. */
void __init x86_cpuid_setup_xstates(void)
{
	u32 eax, ebx, ecx, edx;
	int i;

	for (i = CPUID_XSTATE_FIRST; i < CPUID_XSTATE_NR; i++) {
		if (!(x86_cpuid_offered_xcr0() & BIT_ULL(i)))
			continue;
		cpuid_count(0xd, i, &eax, &ebx, &ecx, &edx);
		xstates[i] = (struct xstate){
			.size = eax,
			.offset = ebx,
			.aligned = ecx & BIT(1),
		};
	}
}
