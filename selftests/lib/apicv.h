/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A local APIC whose interrupts the processor itself delivers and ends where it can
 * (virtual-interrupt delivery of VMX), or nobody but the module: tests that run both ways, and
 * count exits.
 */
#ifndef SELFTESTS_APICV_H
#define SELFTESTS_APICV_H

#include "vectors.h"

extern bool apicv_helps; /* the processor is to help the next guest */

void apicv_both_ways(void (*test)(void));

#define BOTH_WAYS(name)                    \
	static void name##_both_ways(void) \
	{                                  \
		apicv_both_ways(name);     \
	}

/* Exits of CPU 0: all of them, those of a reason, and those for the registers' page. */
uint64_t apicv_exits(const struct guest *guest);
uint64_t apicv_exits_of(const struct guest *guest, uint32_t vmx, uint32_t svm);
uint64_t apicv_page_exits(const struct guest *guest);
uint64_t apicv_eoi_exits(const struct guest *guest);

/* QEMU now and then delivers one a second time by itself, as in irq_storm.c. */
bool apicv_is_about(uint64_t expected, uint64_t is);

#define EXPECT_ABOUT(expected, is) \
	EXPECT(apicv_is_about(expected, is), #is ": %llu", (unsigned long long)(is))

#endif
