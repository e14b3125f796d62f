// SPDX-License-Identifier: GPL-2.0-only
/*
 * What is true of the VM, from its slots and the process's pages alone: which page a guest frame
 * is, what may be done to it, and which pages the dirty log has to name.
 *
 * While a slot changes both its old and its new state may be seen; when the call has returned only
 * the new one.
 */
#include "shim.h"
#include "watch.h"
#include "world.h"

/* The slot of @gfn: as it was @before the change under way, or as it will be after. */
struct model_slot *model_find(gfn_t gfn, bool before)
{
	unsigned int i;

	for (i = 0; i < world.nr_slots; i++) {
		struct model_slot *slot = &world.slot[i];

		if (before && (int)i == world.changing)
			slot = &world.before;
		if (slot->live && gfn - slot->base < slot->npages)
			return slot;
	}
	return NULL;
}

struct vpage *model_vpage(const struct model_slot *slot, gfn_t gfn)
{
	return host_vpage(slot->hva + ((gfn - slot->base) << PAGE_SHIFT));
}

static const char *judge_slot(const struct model_slot *slot, gfn_t gfn, const struct page *page,
			      u32 access)
{
	const struct vpage *v;

	if (!slot)
		return "no slot is there";
	v = model_vpage(slot, gfn);
	if (v->blocked)
		return "the host has taken the page back";
	if ((v->state != VPAGE_PRESENT && v->state != VPAGE_DEVICE) || v->page != page)
		return "the frame is another one";
	if ((access & ACC_W) && (slot->flags & KVM_MEM_READONLY))
		return "the slot is read-only";
	if ((access & ACC_W) && !v->writable)
		return "the host does not let it be written";
	return NULL;
}

/* Is the memory of @gfn that of no other frame?  Else it is not known which one's log is due. */
bool model_is_sole(gfn_t gfn)
{
	const struct model_slot *slot = model_find(gfn, false);
	unsigned int i, n = 0;
	hva_t hva;

	if (!slot || world.changing >= 0)
		return false;
	hva = slot->hva + ((gfn - slot->base) << PAGE_SHIFT);
	for (i = 0; i < world.nr_slots; i++)
		n += world.slot[i].live && hva - world.slot[i].hva < world.slot[i].npages
									     << PAGE_SHIFT;
	return n == 1;
}

/* The module's own page is where no slot is, and reached by nobody once it is gone. */
bool model_is_own(gfn_t gfn, const struct page *page)
{
	return page == world.own && gfn == world.own_gfn && !model_find(gfn, true);
}

/* Why an access to @gfn must not reach @page; NULL: it may. */
const char *model_why_not(gfn_t gfn, const struct page *page, u32 access)
{
	const char *why = judge_slot(model_find(gfn, false), gfn, page, access);

	if (why && world.changing >= 0 && !judge_slot(model_find(gfn, true), gfn, page, access))
		why = NULL;
	return why;
}

/*
 * May a guest's access to @gfn reach @page?  If it may not, the run has failed.  A write that is
 * @told is one that happens, and goes into the model of the log.
 */
struct vpage *model_judge(gfn_t gfn, const struct page *page, u32 access, bool told)
{
	struct model_slot *slot = model_find(gfn, false);
	const char *why = judge_slot(slot, gfn, page, access);

	if (why && world.changing >= 0) {
		slot = model_find(gfn, true);
		if (!judge_slot(slot, gfn, page, access))
			why = NULL;
	}
	if (why)
		fail("guest frame %#llx, access %u: reaches frame %#llx%s, but %s",
		     (unsigned long long)gfn, access, (unsigned long long)page_to_pfn(page),
		     page->use == PAGE_FREE ? ", which is free" : "", why);
	if (told && (access & ACC_W))
		model_written(slot, gfn);
	return model_vpage(slot, gfn);
}

/* A write to @gfn of @slot; it has to be logged if the slot is, before and after a change. */
void model_written(struct model_slot *slot, gfn_t gfn)
{
	struct model_slot *now = &world.slot[slot->id];

	if (!(slot->flags & now->flags & KVM_MEM_LOG_DIRTY_PAGES) || !now->live || !now->due)
		return;
	if (world.changing == slot->id &&
	    !(world.before.live && world.before.flags & now->flags & KVM_MEM_LOG_DIRTY_PAGES))
		return;
	set_bit(gfn - slot->base, now->during ? now->during : now->due);
}

static bool slot_has(const struct model_slot *slot, hva_t hva, u64 n)
{
	return slot->live && !(slot->flags & KVM_MEM_READONLY) && hva >= slot->hva &&
	       hva + n * PAGE_SIZE <= slot->hva + slot->npages * PAGE_SIZE;
}

/* @n pages of the process are brought in ahead: all are of one slot, which can be written to. */
void model_check_ahead(hva_t hva, u64 n)
{
	unsigned int i;

	for (i = 0; i < world.nr_slots; i++)
		if (slot_has(&world.slot[i], hva, n))
			return;
	if (world.changing < 0 || !slot_has(&world.before, hva, n))
		fail("%llu pages at %#lx are brought in, and are no slot's", (unsigned long long)n,
		     hva);
}

/* Every translation that a processor keeps, used or not, has to be one that it may use. */
void model_check_caches(void)
{
	int cpu;
	unsigned int i;

	for (cpu = 0; cpu < NR_CPUS; cpu++) {
		const struct tlb_entry *entry = world.cpu[cpu].tlb[0];

		for (i = 0; i < TLB_SETS * TLB_WAYS; i++, entry++) {
			gfn_t n;

			if (entry->epoch != world.cpu[cpu].epoch)
				continue;
			if (model_is_own(entry->gfn, sim_pfn_to_page(entry->hfn)))
				continue;
			/* Of a giant page some. */
			for (n = 0; n < 1ull << (9 * (entry->level - 1));
			     n += entry->level == 3 ? 521 : 1)
				model_judge(entry->gfn + n, sim_pfn_to_page(entry->hfn + n),
					    entry->access & (ACC_R | ACC_W), false);
		}
	}
}

/* Will the log tell of a write to @gfn that a processor does by what it keeps, without a sign? */
static bool log_knows(const struct cpu *cpu, const struct memslot *slot, gfn_t gfn)
{
	return test_bit(gfn - slot->base_gfn, slot->dirty) ||
	       (world.mmu.log_mode != MKVM_DIRTY_LOG_PROTECT && cpu_is_dirty(gfn));
}

static void check_kept(const struct cpu *cpu, const struct tlb_entry *entry,
		       const struct memslot *slot)
{
	gfn_t gfn = max(entry->gfn, slot->base_gfn);
	gfn_t end =
		min(entry->gfn + (1ull << (9 * (entry->level - 1))), slot->base_gfn + slot->npages);

	for (; gfn < end; gfn++)
		if (!log_knows(cpu, slot, gfn))
			fail("guest frame %#llx: a processor writes, and the log will not say so",
			     (unsigned long long)gfn);
}

static bool is_listed(gfn_t gfn)
{
	int cpu;
	unsigned int i;

	for (cpu = 0; cpu < NR_CPUS; cpu++)
		for (i = 0; i < world.cpu[cpu].nr_listed; i++)
			if (world.cpu[cpu].listed[i] >> PAGE_SHIFT == gfn)
				return true;
	return false;
}

/* Will the next call on the log of @slot tell that @gfn was written? */
static bool log_will_tell(const struct memslot *slot, gfn_t gfn)
{
	if (test_bit(gfn - slot->base_gfn, slot->dirty))
		return true;
	switch (world.mmu.log_mode) {
	case MKVM_DIRTY_LOG_BITS:
		return cpu_is_dirty(gfn);
	case MKVM_DIRTY_LOG_PML:
		return is_listed(gfn);
	default:
		return false;
	}
}

/*
 * What was written of [@first, @first + @n), pages of @slot, is known to somebody who will tell,
 * whatever processors, host and user space are at; unless a call or a change is under way.
 */
static void check_due(const struct model_slot *slot, u64 first, u64 n)
{
	const struct memslot *real = xa_load(&world.slots.by_id, slot->id);
	u64 i;

	if (!slot->live || !slot->due || slot->during || world.changing == slot->id)
		return;
	for (i = first; i < first + n; i++)
		if (test_bit(i, slot->due) && !log_will_tell(real, slot->base + i))
			fail("guest frame %#llx was written, and the log will not say so",
			     (unsigned long long)(slot->base + i));
}

/* For all pages of all logs. */
void model_check_due(void)
{
	unsigned int i;

	for (i = 0; i < world.nr_slots; i++)
		check_due(&world.slot[i], 0, world.slot[i].npages);
}

/* For those that are behind @n pages of the process. */
void model_check_due_at(hva_t hva, u64 n)
{
	unsigned int i;

	for (i = 0; i < world.nr_slots; i++) {
		const struct model_slot *slot = &world.slot[i];
		hva_t start = max(hva, slot->hva);
		hva_t end = min(hva + n * PAGE_SIZE, slot->hva + slot->npages * PAGE_SIZE);

		if (start < end)
			check_due(slot, (start - slot->hva) / PAGE_SIZE, (end - start) / PAGE_SIZE);
	}
}

/* No flush is owed: what processors keep for writing to @slot is known to its log. */
void model_check_log(const struct model_slot *slot)
{
	const struct memslot *real = xa_load(&world.slots.by_id, slot->id);
	int cpu;
	unsigned int i;

	if (world.shadow || world.mmu.flush_owed.counter != world.mmu.flush_done.counter)
		return;
	for (cpu = 0; cpu < NR_CPUS; cpu++) {
		const struct tlb_entry *entry = world.cpu[cpu].tlb[0];

		for (i = 0; i < TLB_SETS * TLB_WAYS; i++, entry++)
			if (entry->epoch == world.cpu[cpu].epoch && entry->dirty &&
			    (entry->access & ACC_W))
				check_kept(&world.cpu[cpu], entry, real);
	}
	count(LOG_CHECKED);
}
