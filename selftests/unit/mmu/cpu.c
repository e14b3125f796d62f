// SPDX-License-Identifier: GPL-2.0-only
/*
 * The processor's walk of a second table, its translations and its paging-structure caches.
 *
 * What was present when it was read may be kept with the permissions that it had then, until a
 * flush or until a fault on the address; several translations of one address may be kept side by
 * side, and chance says which is used.  What is not present is never kept.  Between two steps of a
 * walk others go on; a flush ends the walk, as the processor takes the interrupt between two
 * instructions.
 */
#include "cpu.h"
#include "shim.h"
#include "watch.h"
#include "world.h"

/* The format of what the processor walks. */
static const struct cpu_format *format_of(const struct cpu *cpu)
{
	return cpu->mv.kind == MMU_SHADOW ? &cpu_linear : world.format;
}

static gfn_t span(int level)
{
	return 1ull << (9 * (level - 1));
}

static struct tlb_entry *tlb_set(struct cpu *cpu, gfn_t gfn, int level)
{
	gfn = (gfn >> (9 * (level - 1))) * 8 + level;
	return cpu->tlb[(gfn * 0x9e3779b97f4a7c15ull) >> 57];
}

static struct psc_entry *psc_at(struct cpu *cpu, gfn_t gfn, int level)
{
	gfn_t n = gfn >> (9 * level);

	return &cpu->psc[level][(n ^ n >> 4) % PSC_ENTRIES];
}

static bool psc_holds(const struct cpu *cpu, const struct psc_entry *entry, gfn_t gfn, int level)
{
	return entry->epoch == cpu->epoch && entry->gfn == (gfn & ~(span(level + 1) - 1));
}

static bool tlb_holds(const struct cpu *cpu, const struct tlb_entry *entry, gfn_t gfn, int level)
{
	return entry->epoch == cpu->epoch && entry->level == level &&
	       entry->gfn == (gfn & ~(span(level) - 1));
}

/* All that the processor keeps for the frame. */
void cpu_drop(struct cpu *cpu, gfn_t gfn)
{
	int level;
	unsigned int i;

	for (level = 1; level <= format_of(cpu)->levels; level++) {
		struct tlb_entry *set = tlb_set(cpu, gfn, level);

		for (i = 0; i < TLB_WAYS; i++)
			if (tlb_holds(cpu, &set[i], gfn, level))
				set[i].epoch = 0;
		if (psc_holds(cpu, psc_at(cpu, gfn, level), gfn, level))
			psc_at(cpu, gfn, level)->epoch = 0;
	}
}

void cpu_flush(struct cpu *cpu)
{
	cpu->epoch++;
	cpu->since = world.time;
}

void cpu_invlpg(struct cpu *cpu, gva_t gva)
{
	struct tlb_entry *set = tlb_set(cpu, gva >> PAGE_SHIFT, 1);
	struct psc_entry *psc = cpu->psc[0];
	unsigned int i;

	for (i = 0; i < TLB_WAYS; i++)
		if (tlb_holds(cpu, &set[i], gva >> PAGE_SHIFT, 1))
			set[i].epoch = 0;
	for (i = 0; i < (MMU_MAX_LEVEL + 1) * PSC_ENTRIES; i++)
		psc[i].epoch = 0;
	cpu->forgot[cpu->nr_forgot++ % FORGOT_ENTRIES] = (struct forgot){ gva, world.time };
}

void cpu_exit(struct cpu *cpu)
{
	if (cpu->nr_listed) {
		dirty_log_record(&world.slots, cpu->listed, cpu->nr_listed);
		count(LOG_RECORD);
	}
	cpu->nr_listed = 0;
	cpu->listing = world.mmu.listing && cpu->mv.kind == MMU_TDP;
}

/* A kept translation of @gfn, or NULL: there is none, or chance wants a new one. */
static const struct tlb_entry *tlb_find(struct cpu *cpu, gfn_t gfn)
{
	int level;
	unsigned int i;

	if (draw_one_in(4))
		return NULL;
	for (level = 1; level <= 3; level++) {
		struct tlb_entry *set = tlb_set(cpu, gfn, level);
		unsigned int start = draw(TLB_WAYS);

		for (i = 0; i < TLB_WAYS; i++)
			if (tlb_holds(cpu, &set[(start + i) % TLB_WAYS], gfn, level))
				return &set[(start + i) % TLB_WAYS];
	}
	return NULL;
}

static void tlb_keep(struct cpu *cpu, const struct tlb_entry *entry)
{
	struct tlb_entry *set = tlb_set(cpu, entry->gfn, entry->level);
	unsigned int i;

	for (i = 0; i < TLB_WAYS; i++) {
		if (set[i].epoch != cpu->epoch)
			break;
		if (tlb_holds(cpu, &set[i], entry->gfn, entry->level) && set[i].hfn == entry->hfn &&
		    set[i].access == entry->access && set[i].dirty == entry->dirty)
			return;
	}
	set[i < TLB_WAYS ? i : draw(TLB_WAYS)] = *entry;
}

/* Where a walk begins: at the root, or at the deepest kept table that chance lets stand. */
static int walk_start(struct cpu *cpu, gfn_t gfn, hpa_t *table, u32 *access)
{
	int level, root = mmu_root_level(&cpu->mv);

	for (level = 1; level < root; level++) {
		const struct psc_entry *entry = psc_at(cpu, gfn, level);

		if (psc_holds(cpu, entry, gfn, level) && draw(4)) {
			*table = entry->table;
			*access = entry->access;
			count(GUEST_TABLE_CACHED);
			return level;
		}
	}
	*table = mmu_root(&cpu->mv);
	*access = ACC_RWX | ACC_U;
	return root;
}

/* A dirty bit is about to be set for @gfn: is there room to list it? */
static bool walk_list(struct cpu *cpu, gfn_t gfn)
{
	if (!cpu->listing)
		return true;
	/* How much room there is, chance says: at least for one. */
	if (cpu->nr_listed == LIST_ENTRIES || (cpu->nr_listed && draw(4)))
		return false;
	cpu->listed[cpu->nr_listed++] = gfn << PAGE_SHIFT;
	return true;
}

/* One of the four entries at which a processor begins that is not in long mode. */
static struct cpu_entry walk_read_pdpte(const u64 *entry)
{
	struct cpu_entry e = { .present = *entry & 1, .access = ACC_RWX | ACC_U };

	e.address = *entry & ~0xfffull;
	if (e.present && ((*entry & 0xffe) || *entry >> CPU_PHYS_BITS))
		fail("entry %#llx at the root has bits that it must not have",
		     (unsigned long long)*entry);
	return e;
}

/* Reads the entry for @gfn and sets the bits that a walk sets. */
static struct cpu_entry walk_read(struct cpu *cpu, hpa_t table, gfn_t gfn, int level, bool write,
				  struct tlb_entry *found)
{
	const struct cpu_format *format = format_of(cpu);
	struct page *page = sim_pfn_to_page(table >> PAGE_SHIFT);
	u64 *entry;
	struct cpu_entry e;

	if (!page || page->use != PAGE_TABLE)
		fail("a processor walks page %#llx, which is no table", (unsigned long long)table);
	entry = (u64 *)page_address(page) + (gfn >> (9 * (level - 1))) % 512;
	if (cpu->mv.kind == MMU_SHADOW && level == 3 && mmu_root_level(&cpu->mv) == 3)
		return walk_read_pdpte((u64 *)page_address(page) + ((gfn >> 18) & 3));
	e = format->read(*entry, level);
	if (e.wrong)
		fail("entry %#llx of level %d for frame %#llx is wrong", (unsigned long long)*entry,
		     level, (unsigned long long)gfn);
	if (!e.present)
		return e;
	if (e.typed && sim_pfn_to_page(e.address >> PAGE_SHIFT)->device != e.uncached)
		fail("entry %#llx for frame %#llx: a device's memory is cached, or memory is not",
		     (unsigned long long)*entry, (unsigned long long)gfn);
	*entry |= format->accessed;
	if (e.leaf && write && (e.access & ACC_W) && (format->dirty & ~*entry)) {
		e.full = !walk_list(cpu, gfn);
		if (!e.full)
			*entry |= format->dirty;
	}
	found->dirty = !format->dirty || (*entry & format->dirty);
	return e;
}

static enum cpu_result cpu_walk(struct cpu *cpu, gfn_t gfn, u32 access, struct tlb_entry *found)
{
	unsigned long epoch = cpu->epoch;
	u32 allowed;
	hpa_t table;
	int level = walk_start(cpu, gfn, &table, &allowed);

	for (;; level--) {
		struct cpu_entry e;

		cpu->at = table;
		cpu->walk_epoch = epoch;
		point();
		if (cpu->epoch != epoch || cpu->kicked) {
			count(GUEST_RESTART);
			return CPU_FLUSHED;
		}
		e = walk_read(cpu, table, gfn, level, access & ACC_W & allowed, found);
		allowed &= e.access;
		if (!e.present)
			return CPU_FAULT;
		if (e.full)
			return CPU_FULL;
		if (e.leaf) {
			found->epoch = epoch;
			found->level = level;
			found->gfn = gfn & ~(span(level) - 1);
			found->hfn = e.address >> PAGE_SHIFT;
			found->access = allowed;
			return CPU_DONE;
		}
		table = e.address;
		*psc_at(cpu, gfn, level - 1) = (struct psc_entry){
			.epoch = epoch,
			.gfn = gfn & ~(span(level) - 1),
			.table = table,
			.access = allowed,
		};
	}
}

/* Under shadow tables W is always obeyed, NX always counts, SMEP and SMAP are the guest's. */
static bool cpu_allows(const struct cpu *cpu, u32 allowed, u32 access)
{
	bool supervisor = !(access & ACC_U), user = allowed & ACC_U;

	if (access & ~(allowed | ACC_U))
		return false;
	if (cpu->mv.kind == MMU_TDP)
		return true;
	if (!supervisor)
		return user;
	/* Both are off while the guest's paging is. */
	return !user || cpu->root.mode == GPT_NONE ||
	       !(access & ACC_X ? cpu->root.smep : cpu->root.smap);
}

enum cpu_result cpu_translate(struct cpu *cpu, gfn_t gfn, u32 access, hfn_t *hfn)
{
	const struct tlb_entry *kept = tlb_find(cpu, gfn);
	struct tlb_entry found;
	enum cpu_result r;

	if (kept && (kept->dirty || !(access & ACC_W))) {
		found = *kept;
		count(GUEST_CACHED);
	} else {
		r = cpu_walk(cpu, gfn, access, &found);
		cpu->at = 0;
		if (r != CPU_DONE)
			return r;
		tlb_keep(cpu, &found);
	}
	if (!cpu_allows(cpu, found.access, access))
		return CPU_FAULT;
	*hfn = found.hfn + (gfn - found.gfn);
	return CPU_DONE;
}

bool cpu_is_dirty(gfn_t gfn)
{
	const struct mmu_vcpu second = { .vm = &world.mmu, .kind = MMU_TDP };
	hpa_t table = mmu_root(&second);
	int level;

	for (level = mmu_root_level(&second); level; level--) {
		struct page *page = sim_pfn_to_page(table >> PAGE_SHIFT);
		u64 entry = ((u64 *)page_address(page))[(gfn >> (9 * (level - 1))) % 512];
		struct cpu_entry e = world.format->read(entry, level);

		if (!e.present || e.leaf)
			return e.present && level == 1 && (entry & world.format->dirty);
		table = e.address;
	}
	return false;
}

static void check_table(const struct cpu *cpu, hpa_t table)
{
	int level;
	unsigned int i;

	if (cpu->at == table && cpu->walk_epoch == cpu->epoch)
		fail("a table is freed while a processor walks it");
	for (level = 1; level <= MMU_MAX_LEVEL; level++)
		for (i = 0; i < PSC_ENTRIES; i++)
			if (cpu->psc[level][i].epoch == cpu->epoch &&
			    cpu->psc[level][i].table == table)
				fail("a table is freed before the flush");
}

static void check_data(const struct cpu *cpu, hfn_t hfn, unsigned long n)
{
	const struct tlb_entry *entry = cpu->tlb[0];
	unsigned int i;

	for (i = 0; i < TLB_SETS * TLB_WAYS; i++, entry++)
		if (entry->epoch == cpu->epoch && hfn + n > entry->hfn &&
		    hfn < entry->hfn + span(entry->level))
			fail("frame %#llx is freed before the flush: guest frame %#llx",
			     (unsigned long long)hfn, (unsigned long long)entry->gfn);
}

void cpus_check_unused(const struct page *page, unsigned long n)
{
	hfn_t hfn = page_to_pfn(page);
	int i;

	for (i = 0; i < NR_CPUS; i++) {
		if (page->use == PAGE_TABLE)
			check_table(&world.cpu[i], hfn << PAGE_SHIFT);
		else
			check_data(&world.cpu[i], hfn, n);
	}
	if (page->use == PAGE_TABLE)
		count(TABLE_FREED);
}
