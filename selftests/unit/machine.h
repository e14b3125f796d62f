/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A processor for the emulator in user space: registers, and one stretch of memory.
 *
 * Memory is an arena that stands at the same address in this process and in the machine, so that an
 * instruction can also be executed natively on it.  Each page can be memory, a device (the
 * emulator's user does the access, on the same bytes), or not present.  The global descriptor table
 * is beside it: pages of a kind of their own, for the processor alone.
 */
#ifndef UNIT_MACHINE_H
#define UNIT_MACHINE_H

#include "x86/insn_emu.h"

#define ARENA	    0x10000000ul
#define ARENA_PAGES 8
#define ARENA_SIZE  (ARENA_PAGES * 4096ul)

#define TABLE	   0x20000000ul
#define TABLE_SIZE (2 * 4096ul)

/* Segments of the table that every machine has; the rest is empty. */
#define TABLE_DATA   0x08 /* of CPL 0, not accessed yet */
#define TABLE_CODE   0x10 /* so, of the machine's own mode */
#define TABLE_CASE   0x18 /* nothing: for a test */
#define TABLE_LENGTH 0x40

/* A descriptor: rights are its bits 47:40, flags G, D, L, AVL its bits 55:52. */
#define DESCRIPTOR(base, limit, rights, flags)                                                     \
	(((u64)(limit)&0xffff) | ((u64)(limit) >> 16 & 0xf) << 48 | ((u64)(base)&0xffffff) << 16 | \
	 ((u64)(base) >> 24 & 0xff) << 56 | (u64)(rights) << 40 | (u64)(flags) << 52)

enum page_kind {
	PAGE_MEMORY,
	PAGE_DEVICE,
	PAGE_READ_ONLY, /* read as memory, written as a device */
	PAGE_ABSENT,	/* a page fault */
	PAGE_PROTECTED, /* a page fault if written */
};

struct machine {
	struct emu emu;
	struct kvm_segment seg[X86_NR_SEGS];
	u8 xmm[16][16];
	enum page_kind page[ARENA_PAGES];
	struct kvm_dtable gdt;
	u8 table[TABLE_SIZE];
	enum page_kind table_kind;
	unsigned int retired;	/* times that an instruction retired */
	unsigned int pieces;	/* accesses that the emulator left to us */
	unsigned int max_piece; /* the longest */
	bool contended;		/* the next exchange finds other data */
	u32 port_value;
};

void arena_create(void);
u8 *arena_at(u64 address);
void machine_init(struct machine *m, unsigned int bits);
void machine_set_descriptor(struct machine *m, unsigned int selector, u64 descriptor);
u64 machine_descriptor(const struct machine *m, unsigned int selector);
void machine_set_code(struct machine *m, const u8 *bytes, unsigned int len);
enum emu_status machine_step(struct machine *m);

/* A small generator of numbers. */
u64 random_u64(void);
u64 random_below(u64 end);
void random_seed(u64 seed);

#endif
