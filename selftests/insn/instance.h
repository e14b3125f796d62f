/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One instruction to be tried: its bytes, and the state that it meets.
 *
 * The "window" is two pages at WINDOW that are RAM in one VM and no slot in the other.  Around it
 * is RAM in both.  Above it, at linear addresses only, are the window's pages again with other
 * rights, for faults.
 */
#ifndef SELFTESTS_INSN_INSTANCE_H
#define SELFTESTS_INSN_INSTANCE_H

#include <stdbool.h>
#include <stdint.h>

#include "x86/insn.h"

/* Physical, and linear. */
#define CODE	   0x3e000
#define INSN_AT	   (CODE + 0x20)
#define CODE_PAD   (CODE + 0x800) /* where calls, jumps and returns go: a HLT */
#define RAM_BELOW  0x3f000
#define XMM_IN	   (RAM_BELOW + 0x400) /* loaded before an SSE instruction */
#define XMM_OUT	   (RAM_BELOW + 0x410) /* stored behind it */
#define WINDOW	   0x40000
#define WINDOW_END 0x42000
#define RAM_ABOVE  0x42000
#define COMPARED   (RAM_ABOVE + 0x1000 - RAM_BELOW)

/* Linear only: a page of the window, and behind it what the name says. */
#define BEFORE_ABSENT	  0x44000
#define BEFORE_READONLY	  0x46000
#define BEFORE_SUPERVISOR 0x48000
#define PAGE_READONLY	  0x4a000 /* itself */
#define PAGE_SUPERVISOR	  0x4b000
#define BEFORE_HOLE	  0x7ffffffff000 /* 64-bit mode: behind it nothing is canonical */

#define INSTANCE_PORT 0x510

enum try_mode {
	IN_REAL,
	IN_PROT16, /* 16-bit code, paging */
	IN_PROT32, /* paging */
	IN_LONG,
	NR_MODES
};

/* A prefix that an instance is about; others may be there, as its form needs them. */
enum try_prefix {
	PREFIX_NONE,
	PREFIX_LOCK,
	PREFIX_REP,
	PREFIX_REPNE,
	PREFIX_ES,
	PREFIX_CS,
	PREFIX_SS,
	PREFIX_DS,
	PREFIX_FS,
	PREFIX_GS,
	PREFIX_ADDR,
	NR_PREFIXES
};

enum try_fault {
	FAULT_NONE,
	FAULT_ABSENT,	  /* goes on into a page that is not present */
	FAULT_READONLY,	  /* goes on into a page that may not be written */
	FAULT_SUPERVISOR, /* goes on into a page that is not the user's */
	FAULT_PAGE,	  /* lies in a page that is read-only, or not the user's */
	FAULT_LIMIT,	  /* goes on beyond the segment's limit */
	FAULT_CANONICAL,  /* goes on beyond the canonical addresses */
	FAULT_ALIGN,	  /* is not aligned where it has to be */
	FAULT_SELECTOR,	  /* holds a selector drawn from all that there are */
	NR_FAULTS
};

enum {
	ES,
	CS,
	SS,
	DS,
	FS,
	GS,
	NR_SEGS
};

enum {
	RAX,
	RCX,
	RDX,
	RBX,
	RSP,
	RBP,
	RSI,
	RDI
};

struct instance {
	/* what it is about */
	const struct insn_row *row;
	enum try_mode mode;
	unsigned int size; /* of INSN_SIZE_V; 0: has no such operand */
	enum try_prefix prefix;
	enum try_fault fault;
	bool user; /* at CPL 3 */

	/* what comes of it */
	uint8_t bytes[15];
	unsigned int len, modrm_at;
	uint64_t gpr[16];
	uint64_t rflags;
	int xmm;	/* -1: none */
	int limit_seg;	/* -1: none */
	uint32_t limit; /* of that segment */
	uint64_t pad;	/* CODE_PAD, in the code segment that it goes to */
	unsigned int nr_overlays;
	struct overlay {
		uint64_t at; /* physical */
		uint8_t bytes[16];
	} overlays[2];
};

static inline unsigned int mode_bits(enum try_mode mode)
{
	return mode == IN_LONG ? 64 : mode == IN_PROT32 ? 32 : 16;
}

/* random.c */
void random_seed(uint64_t seed);
uint64_t random_u64(void);
unsigned int random_below(unsigned int limit);

/* segments.c */
uint64_t segment_base(enum try_mode mode, int seg);
const char *mode_title(enum try_mode mode);
const char *prefix_title(enum try_prefix prefix);
const char *fault_title(enum try_fault fault);

/* legal.c */
bool row_is_tried(const struct insn_row *row);
bool row_is_rmw(const struct insn_row *row);
bool row_is_string(const struct insn_row *row);
bool row_has_selector(const struct insn_row *row);
bool legal_size(const struct insn_row *row, enum try_mode mode, unsigned int size);
bool legal_prefix(const struct insn_row *row, enum try_mode mode, enum try_prefix prefix);
bool legal_privilege(const struct insn_row *row, enum try_mode mode, bool faults, bool user);
unsigned int operand_bytes(const struct instance *in, uint8_t operand);
bool operand_is_memory(uint8_t operand);

/* descriptors.c */
#define FIRST_DESCRIPTOR 0x40 /* behind those of mode_build_gdt() */
unsigned int descriptors_size(void);
void descriptors_build(uint64_t *table, enum try_mode mode);
bool descriptor_choose(struct instance *in, int seg, uint16_t *selector);

/* generate.c */
bool instance_make(struct instance *in);

#endif
