/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One VM with its process and vCPUs, and what has to be true of it: the model that the module's own
 * state is compared with.
 */
#ifndef UNIT_MMU_WORLD_H
#define UNIT_MMU_WORLD_H

#include "cpu.h"
#include "host.h"
#include "memslot.h"
#include "mmu/mmu.h"

#define NR_SLOTS 300
#define NR_CPUS	 3
#define NR_HOSTS 2 /* threads that change the process's memory */

/**
 * struct model_slot - a slot as user space knows it
 * @live: it exists
 * @id: its number
 * @base: first guest frame
 * @npages: frames
 * @hva: where they are
 * @flags: KVM_MEM_*
 * @due: logged: pages that the next log has to name
 * @during: written while a call on the log is under way; NULL: none is
 * @calls: calls on the log that cleared bits
 */
struct model_slot {
	bool live;
	u16 id;
	gfn_t base;
	u64 npages;
	hva_t hva;
	u32 flags;
	unsigned long *due;
	unsigned long *during;
	unsigned long calls;
};

/**
 * struct errand - a store that one vCPU wants another to make
 * @by: who will ask or has asked; NULL: nobody
 * @asked: nobody has taken it up yet
 * @taken: somebody is at it, or was
 * @done: it was made
 * @gpa: where
 * @value: what
 */
struct errand {
	const struct cpu *by;
	bool asked;
	bool taken;
	bool done;
	gpa_t gpa;
	u64 value;
};

/**
 * struct world - the VM, and the model of it
 * @mmu: the module's
 * @slots: the module's
 * @format: of the processor
 * @cpu: the vCPUs
 * @slot: as they are, or will be when the change under way is done
 * @before: while a slot changes, how it was
 * @changing: number of that slot; -1: none changes
 * @changes: how many changes there were
 * @nr_slots: numbers in use are below this
 * @manual: mode of the log
 * @events: counts what can take a mapping away
 * @invalidating: invalidations under way
 * @zaps: how many entries above level 1 were taken away
 * @small_zaps: and how many of level 1
 * @large: large pages are many, and the host seldom splits them
 * @seen: processors know which changes they have seen
 * @giant: a GiB of the process's is of giant pages
 * @quiet: the host does little, so that vCPUs go on for long without an exit
 * @ages: how often an ageing has begun or ended
 * @flushes_begun: how many
 * @flushed: as many had begun when the last one that has ended began
 * @own: the module's own page, or NULL: there is none
 * @own_gfn: where it is
 * @own_going: it is being taken away
 * @ops: how many operations have begun
 * @value: the last value that was written anywhere
 * @shadow: the VM has shadow tables
 * @second: and a second table, on which its vCPUs run while they are unpaged
 * @rests: that is only for when the VM has gone over, as on SVM
 * @moving: the VM is about to go over to its other tables
 * @moved: all its vCPUs are on the second table
 * @time: as many words of memory have changed
 * @entries: as many entries have
 * @tables: guest frames that are taken for tables
 * @linear: by mode: linear addresses that were used, and will be again
 * @recent: guest frames that were accessed, and will be again
 * @written: guest frames that were written by linear addresses
 * @errand: what one vCPU has asked of the others
 * @storing: calls under way that may store to the guest's tables, and so make others wait
 */
struct world {
	struct mmu_vm mmu;
	struct memslot_table slots;
	const struct cpu_format *format;
	struct cpu cpu[NR_CPUS];
	struct model_slot slot[NR_SLOTS];
	struct model_slot before;
	int changing;
	unsigned long changes;
	unsigned int nr_slots;
	u64 manual;
	unsigned long events;
	unsigned int invalidating;
	unsigned long zaps;
	unsigned long small_zaps;
	bool large;
	bool seen;
	bool giant;
	bool quiet;
	unsigned long ages;
	unsigned long flushes_begun;
	unsigned long flushed;
	struct page *own;
	gfn_t own_gfn;
	bool own_going;
	unsigned long ops;
	u64 value;
	bool shadow;
	bool second;
	bool rests;
	bool moving;
	bool moved;
	unsigned long time;
	unsigned long entries;
	gfn_t tables[10];
	gva_t linear[GPT_LONG + 1][8];
	gfn_t recent[16];
	gfn_t written[8];
	struct errand errand;
	unsigned int storing;
};

extern struct world world;

/* world.c */
void world_run(unsigned long ops);
gfn_t world_pick_gfn(void);
unsigned int world_pick_vpage(void);
u64 world_pick_mode(void);
struct model_slot *world_pick_slot(void);
void world_crowd_at(const struct model_slot *slot);
struct model_slot *world_crowd(void);

/* Something begins or ends that can take mappings away. */
static inline void world_event(void)
{
	world.events++;
}

/* model.c */
struct model_slot *model_find(gfn_t gfn, bool before);
struct vpage *model_vpage(const struct model_slot *slot, gfn_t gfn);
bool model_is_sole(gfn_t gfn);
bool model_is_own(gfn_t gfn, const struct page *page);
const char *model_why_not(gfn_t gfn, const struct page *page, u32 access);
struct vpage *model_judge(gfn_t gfn, const struct page *page, u32 access, bool told);
void model_written(struct model_slot *slot, gfn_t gfn);
void model_check_ahead(hva_t hva, u64 n);
void model_check_caches(void);
void model_check_log(const struct model_slot *slot);
void model_check_due(void);
void model_check_due_at(hva_t hva, u64 n);

/* vmm.c: what user space asks. */
void vmm_op(void);
void vmm_forget_slot(struct model_slot *slot);
void vmm_add_own_page(void);

/* guest.c: what a vCPU does. */
struct circumstances {
	unsigned long events;
	unsigned long changes;
	unsigned long entries;
	unsigned long time;
	unsigned int storing;
	bool busy;
};

struct circumstances look_around(void);
bool quiet_since(const struct circumstances *then);
struct model_slot *certain_slot(gfn_t gfn, const struct circumstances *then);
void guest_touch(struct vpage *v);
void check_failed(const struct mmu_fault *fault);
void check_mmio(gfn_t gfn, u32 access, const struct circumstances *then);
void guest_list_full(struct cpu *cpu);
void guest_op(struct cpu *cpu);

/* guest_shadow.c: the same where its own tables are shadowed. */
enum guest_rule {
	RULE_WP,
	RULE_NX,
	RULE_SMEP,
	RULE_SMAP,
	RULE_PSE,
	NR_RULES
};

void guest_shadow_start(void);
void guest_shadow_op(struct cpu *cpu);
gva_t guest_pick_gva(struct cpu *cpu);
gfn_t guest_pick_table(int level);
u64 guest_pick_value(void);
u64 guest_entry_now(gpa_t gpa, unsigned int size);
void guest_store(gpa_t gpa, const void *data, size_t size);
void guest_build(struct cpu *cpu, gva_t gva, bool change);
void guest_access_at(struct cpu *cpu, gva_t gva, u32 access, u64 value);
void guest_access_memory(struct cpu *cpu, gva_t page);
void guest_invlpg(struct cpu *cpu, gva_t gva);
void guest_change_rule(struct cpu *cpu, enum guest_rule rule);
void guest_toggle_paging(struct cpu *cpu);

/* guest_edit.c: and what it does to them step by step. */
void guest_edit(struct cpu *cpu);
bool guest_run_errand(struct cpu *cpu);

/* tables.c: and which tables those are. */
bool tables_are_right(const struct cpu *cpu);
void tables_use(struct cpu *cpu);
bool tables_await(struct cpu *cpu);
void tables_move(void);

/* oracle.c: what the guest's tables say, now and before. */
void oracle_start(void);
void oracle_changed(struct vpage *v, unsigned int word);
gfn_t oracle_judge(const struct cpu *cpu, gva_t gva, u32 access, const struct page *page);
void oracle_judge_fault(const struct cpu *cpu, gva_t gva, u32 access, u32 code,
			unsigned long since);
void oracle_check_caches(void);

#endif
