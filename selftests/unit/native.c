// SPDX-License-Identifier: GPL-2.0-only
/*
 * One instruction on this processor itself.
 *
 * It stands at the end of a page of code so that it is followed by a jump back.  All registers are
 * the instruction's, the stack pointer too: signals have a stack of their own (none is expected).
 */
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "native.h"

#define CODE	  0x0f000000ul
#define CODE_SIZE 4096

_Static_assert(offsetof(struct native, rflags) == 128, "native_asm.S");
_Static_assert(offsetof(struct native, code) == 136, "native_asm.S");
_Static_assert(offsetof(struct native, saved_rsp) == 144, "native_asm.S");
_Static_assert(offsetof(struct native, xmm) == 160, "native_asm.S");

void native_create(void)
{
	void *at = mmap((void *)CODE, CODE_SIZE, PROT_READ | PROT_WRITE | PROT_EXEC,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

	if (at != (void *)CODE) {
		perror("cannot have memory for code at a low address");
		exit(1);
	}
}

/* Where the instruction stands. */
u64 native_address(void)
{
	return CODE + 64;
}

void native_run(struct native *native, const u8 *bytes, unsigned int len)
{
	/* jmp *0(%rip), and the address */
	static const u8 jump[] = { 0xff, 0x25, 0, 0, 0, 0 };
	const u8 *back = native_return;
	u8 *code = (u8 *)native_address();

	memcpy(code, bytes, len);
	memcpy(code + len, jump, sizeof(jump));
	memcpy(code + len + sizeof(jump), &back, sizeof(back));
	native->code = (u64)code;
	native_enter(native);
}

/* The selector in segment register @seg, in the processor's numbering. */
u16 native_selector(unsigned int seg)
{
	u16 selector = 0;

	switch (seg) {
	case 0:
		asm("mov %%es, %0" : "=r"(selector));
		break;
	case 1:
		asm("mov %%cs, %0" : "=r"(selector));
		break;
	case 2:
		asm("mov %%ss, %0" : "=r"(selector));
		break;
	case 3:
		asm("mov %%ds, %0" : "=r"(selector));
		break;
	case 4:
		asm("mov %%fs, %0" : "=r"(selector));
		break;
	case 5:
		asm("mov %%gs, %0" : "=r"(selector));
		break;
	}
	return selector;
}
