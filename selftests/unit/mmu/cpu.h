/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A processor that walks second tables and keeps whatever the architecture lets it keep, for as
 * long as it may.
 */
#ifndef UNIT_MMU_CPU_H
#define UNIT_MMU_CPU_H

#include "mmu/mmu.h"

#define CPU_PHYS_BITS  46
#define TLB_SETS       128u
#define TLB_WAYS       4u
#define PSC_ENTRIES    16u
#define LIST_ENTRIES   8u
#define FORGOT_ENTRIES 64u

/**
 * struct cpu_entry - what an entry means to the processor
 * @present: it is
 * @leaf: it maps memory
 * @access: ACC_* that it allows
 * @typed: the entry alone says whether the memory is cached
 * @uncached: and it is not
 * @address: of the memory or the table
 * @wrong: a reserved bit is set, or a combination that is not allowed
 * @full: its dirty bit had to be set, and could not be listed
 */
struct cpu_entry {
	bool present;
	bool leaf;
	u32 access;
	bool typed;
	bool uncached;
	hpa_t address;
	bool wrong;
	bool full;
};

/**
 * struct cpu_format - a kind of second table, as the manual has it
 * @name: for people
 * @fmt: the module's
 * @levels: depth
 * @read: what an entry of a level means
 * @accessed: the bit that a walk sets, 0: none
 * @dirty: the bit that a write sets, 0: none
 * @pml: it may list these writes
 */
struct cpu_format {
	const char *name;
	const struct pte_fmt *(*fmt)(void);
	int levels;
	struct cpu_entry (*read)(u64 entry, int level);
	u64 accessed;
	u64 dirty;
	bool pml;
};

extern const struct cpu_format cpu_formats[];
extern const unsigned int cpu_nr_formats;
/* Tables that the processor walks by linear addresses: the guest's own, or their shadows. */
extern const struct cpu_format cpu_linear;

/**
 * struct tlb_entry - a translation that was loaded
 * @epoch: it counts while this is the processor's
 * @level: of the leaf
 * @gfn: first frame that it covers
 * @hfn: and where that is
 * @access: ACC_* of all entries on the way
 * @dirty: the dirty bit was set when it was loaded, or there is none
 */
struct tlb_entry {
	unsigned long epoch;
	int level;
	gfn_t gfn;
	hfn_t hfn;
	u32 access;
	bool dirty;
};

/* A table that a walk came by: of @level, for the frames from @gfn on. */
struct psc_entry {
	unsigned long epoch;
	gfn_t gfn;
	hpa_t table;
	u32 access;
};

/**
 * struct cpu - a processor that runs one vCPU
 * @mv: the module's part of the vCPU
 * @epoch: raised by each flush
 * @seen: see mmu_flush_is_due()
 * @at: the table that a walk is in; 0: none.  It counts while @walk_epoch is @epoch
 * @walk_epoch: see @at
 * @tlb: translations
 * @psc: tables by level
 * @root: a world with shadow tables: the guest's tables and modes
 * @pdptr: for @root
 * @paged: its mode when paging was last on
 * @hidden: that was when the VM went over to its second table
 * @stale: its tables are those of former modes
 * @kicked: it has to leave the guest before it goes on
 * @since: when it last forgot all (world.time)
 * @forgot: the last addresses that it was told to forget
 * @nr_forgot: how many were there ever
 * @listing: it lists what it sets a dirty bit of, as it was told when it last entered the guest
 * @nr_listed: how many are listed
 * @listed: guest-physical addresses
 */
struct cpu {
	struct mmu_vcpu mv;
	unsigned long epoch;
	s64 seen;
	hpa_t at;
	unsigned long walk_epoch;
	struct tlb_entry tlb[TLB_SETS][TLB_WAYS];
	struct psc_entry psc[MMU_MAX_LEVEL + 1][PSC_ENTRIES];
	struct gpt_root root;
	u64 pdptr[4];
	enum gpt_mode paged;
	bool hidden;
	bool stale;
	bool kicked;
	unsigned long since;
	struct forgot {
		gva_t gva;
		unsigned long time;
	} forgot[FORGOT_ENTRIES];
	unsigned long nr_forgot;
	bool listing;
	unsigned int nr_listed;
	u64 listed[LIST_ENTRIES];
};

enum cpu_result {
	CPU_DONE,    /* translated */
	CPU_FAULT,   /* an exit */
	CPU_FLUSHED, /* the walk was for nothing: begin again */
	CPU_FULL,    /* an exit: there is no room in the list */
};

enum cpu_result cpu_translate(struct cpu *cpu, gfn_t gfn, u32 access, hfn_t *hfn);
void cpu_flush(struct cpu *cpu);
/* An exit, and the entry that follows it: the list is empty then. */
void cpu_exit(struct cpu *cpu);
void cpu_drop(struct cpu *cpu, gfn_t gfn);
/* INVLPG as the processor does it: one entry, and the tables that it has come by. */
void cpu_invlpg(struct cpu *cpu, gva_t gva);
/*
 * Has the small entry of @gfn in the second table its dirty bit? The tables are left as they are.
 */
bool cpu_is_dirty(gfn_t gfn);
/* @n pages are free from now on: no processor may know them. */
void cpus_check_unused(const struct page *page, unsigned long n);

#endif
