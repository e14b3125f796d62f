/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef UNIT_NATIVE_H
#define UNIT_NATIVE_H

#include <linux/types.h>

/* The processor's registers, before and after an instruction; native_asm.S knows the offsets. */
struct native {
	u64 gpr[16]; /* in the processor's numbering */
	u64 rflags;
	u64 code;
	u64 saved_rsp;
	u64 unused;
	u8 xmm[16][16];
};

/* native_asm.S */
void native_enter(struct native *native);
extern const u8 native_return[];

void native_create(void);
u64 native_address(void);
u16 native_selector(unsigned int seg);
void native_run(struct native *native, const u8 *bytes, unsigned int len);

#endif
