// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the guest's own tables say of a linear address: the judge of a processor that walks shadows
 * of them.
 *
 * Each change of a word of memory is kept with its time.  A processor may use what an entry said at
 * any time since it was last told to forget it: so a translation is right if there is a way down
 * through entries as they were at some time since then (each at its own), with the accessed bits
 * set, that allows the access, and that ends at the page which the guest frame is now.  By the
 * manual alone: knows nothing of the module's walk.
 */
#include "shim.h"
#include "watch.h"
#include "world.h"

#define MAX_CHANGES 400000
#define NOW	    (~0ul)

/* A word was @old until @time; the change before that is @before, 0: there is none. */
static struct change {
	u64 old;
	unsigned long time;
	int before;
} changes[MAX_CHANGES];
static int nr_changes;

void oracle_start(void)
{
	nr_changes = 1;
}

/* The word of @v is about to change. */
void oracle_changed(struct vpage *v, unsigned int word)
{
	check(nr_changes < MAX_CHANGES);
	changes[nr_changes] = (struct change){ v->value[word], ++world.time, v->changed[word] };
	v->changed[word] = nr_changes++;
}

/* How a format cuts an address up, by level. */
struct cut {
	int top;
	int shift[5];
	int bits[5];
	unsigned int size; /* of an entry */
};

static const struct cut cuts[] = {
	[GPT_NONE] = { 0, { 0 }, { 0 }, 0 },
	[GPT_32] = { 2, { 0, 12, 22 }, { 0, 10, 10 }, 4 },
	[GPT_PAE] = { 3, { 0, 12, 21, 30 }, { 0, 9, 9, 2 }, 8 },
	[GPT_LONG] = { 4, { 0, 12, 21, 30, 39 }, { 0, 9, 9, 9, 9 }, 8 },
};

/* When @cpu last had to forget what @gva is, as an entry of @level maps it. */
static unsigned long since_when(const struct cpu *cpu, gva_t gva, int level)
{
	int shift = cuts[cpu->root.mode].shift[level];
	unsigned long since = cpu->since;
	unsigned int i;

	for (i = 0; i < FORGOT_ENTRIES && i < cpu->nr_forgot; i++)
		if (cpu->forgot[i].gva >> shift == gva >> shift)
			since = max(since, cpu->forgot[i].time);
	return since;
}

/* The guest frame at the end of a way, and whether the way is no longer so. */
struct found {
	gfn_t gfn;
	bool stale;
};

/**
 * struct way - a way down that is being looked at
 * @cpu: whose
 * @gva: to where
 * @access: for what
 * @page: success: that is reached; NULL: a fault is looked for
 * @code: success: the fault's code
 * @since: for a fault: what entries have said since then counts
 * @until: the way has been so until then at least
 * @allowed: ACC_* of the entries so far
 * @found: what was found
 */
struct way {
	const struct cpu *cpu;
	gva_t gva;
	u32 access;
	const struct page *page;
	u32 code;
	unsigned long since;
	unsigned long until;
	u32 allowed;
	struct found *found;
};

static u32 fault_code(const struct way *way, u32 code)
{
	const struct gpt_root *root = &way->cpu->root;

	bool nx = root->nx && root->mode != GPT_32;

	return code | (way->access & ACC_W ? 2 : 0) | (way->access & ACC_U ? 4 : 0) |
	       ((way->access & ACC_X) && (nx || root->smep) ? 16 : 0);
}

static bool is_fault(const struct way *way, u32 code)
{
	return !way->page && way->until > way->since && way->code == fault_code(way, code);
}

static u64 ones(int high, int low)
{
	return high < low ? 0 : GENMASK_ULL(high, low);
}

static bool is_page(const struct gpt_root *root, int level, u64 entry)
{
	if (level == 1)
		return true;
	if (!(entry & 0x80))
		return false;
	return root->mode == GPT_32 ? root->pse
				    : level == 2 || (level == 3 && root->mode == GPT_LONG);
}

static u64 reserved(const struct gpt_root *root, int level, bool page)
{
	int shift = cuts[root->mode].shift[level];
	u64 r = ones(51, root->phys_bits);

	if (root->mode == GPT_32)
		return page && level == 2 ? BIT_ULL(21) | ones(20, 13 + root->phys_bits - 32) : 0;
	if (root->mode == GPT_PAE)
		r |= level == 3 ? ones(63, 52) | ones(8, 6) | ones(2, 1) : ones(62, 52);
	if (!root->nx)
		r |= BIT_ULL(63);
	if (level == 4 || (root->mode == GPT_LONG && level == 3 && !root->gbpages))
		r |= BIT_ULL(7);
	if (level == 4 && root->amd)
		r |= BIT_ULL(8);
	return page && level > 1 ? r | ones(shift - 1, 13) : r;
}

static bool forbids(const struct way *way)
{
	const struct gpt_root *root = &way->cpu->root;
	bool user = way->allowed & ACC_U, supervisor = !(way->access & ACC_U);

	if (!supervisor && !user)
		return true;
	if ((way->access & ACC_W) && !(way->allowed & ACC_W) && (root->wp || !supervisor))
		return true;
	if (way->access & ACC_X)
		return !(way->allowed & ACC_X) || (root->smep && supervisor && user);
	return root->smap && supervisor && user;
}

static gpa_t page_address_of(const struct way *way, int level, u64 entry)
{
	const struct gpt_root *root = &way->cpu->root;
	u64 offset = ones(cuts[root->mode].shift[level] - 1, 0);

	if (root->mode == GPT_32 && level == 2)
		return (entry & 0xffc00000) | ((entry >> 13) & 0xff) << 32 | (way->gva & offset);
	return (entry & ones(51, 12) & ~offset) | (way->gva & offset);
}

static bool ends_at(const struct way *way, int level, u64 entry, bool dirty)
{
	gpa_t gpa = page_address_of(way, level, entry);

	if (!way->page)
		return forbids(way) && is_fault(way, 1);
	if (forbids(way) || ((way->access & ACC_W) && !dirty))
		return false;
	if (way->until <= since_when(way->cpu, way->gva, level))
		return false;
	if (model_why_not(gpa >> PAGE_SHIFT, way->page, way->access & ACC_W))
		return false;
	if (level > 1)
		count(SHADOW_PIECES);
	*way->found = (struct found){ gpa >> PAGE_SHIFT, way->until != NOW };
	return true;
}

static bool goes_by(struct way way, gpa_t table, int level);

/* Does the way go on by @entry, which is in memory that is @readonly? */
static bool goes_on(struct way way, int level, u64 entry, bool readonly)
{
	const struct gpt_root *root = &way.cpu->root;
	bool page = is_page(root, level, entry), dirty = entry & 0x40;

	if (!(entry & 1))
		return is_fault(&way, 0);
	if (entry & reserved(root, level, page))
		return is_fault(&way, 9);
	if (root->mode != GPT_PAE || level < 3) {
		if (!(entry & 2))
			way.allowed &= ~ACC_W;
		if (!(entry & 4))
			way.allowed &= ~ACC_U;
		if (root->mode != GPT_32 && entry >> 63)
			way.allowed &= ~ACC_X;
		if (way.page && !readonly && !(entry & 0x20))
			return false;
	}
	if (page)
		return ends_at(&way, level, entry, dirty || readonly);
	return goes_by(way, root->mode == GPT_32 ? entry & 0xfffff000 : entry & ones(51, 12),
		       level - 1);
}

/* The entry of @size bytes at @gpa, in a word that is @word. */
static u64 entry_in(u64 word, gpa_t gpa, unsigned int size)
{
	return size == 8 ? word : (u32)(word >> (gpa & 4 ? 32 : 0));
}

static bool goes_by_slot(struct way way, const struct model_slot *slot, gpa_t gpa, int level)
{
	unsigned int size = cuts[way.cpu->root.mode].size, word;
	bool readonly;
	struct vpage *v;
	unsigned long until = way.until;
	int i;

	if (!slot)
		return is_fault(&way, 0);
	word = offset_in_page(gpa) / PAGE_WORD_STRIDE;
	/* All else is zeroes. */
	if (offset_in_page(gpa) % PAGE_WORD_STRIDE >= 8)
		return is_fault(&way, 0);
	v = model_vpage(slot, gpa >> PAGE_SHIFT);
	readonly = slot->flags & KVM_MEM_READONLY;
	if (goes_on(way, level, entry_in(v->value[word], gpa, size), readonly))
		return true;
	for (i = v->changed[word]; i; i = changes[i].before) {
		if (changes[i].time <= way.since)
			break;
		way.until = min(until, changes[i].time);
		if (goes_on(way, level, entry_in(changes[i].old, gpa, size), readonly))
			return true;
	}
	return false;
}

static bool goes_by(struct way way, gpa_t table, int level)
{
	const struct cut *cut = &cuts[way.cpu->root.mode];
	u64 index = (way.gva >> cut->shift[level]) & ones(cut->bits[level] - 1, 0);
	gpa_t gpa = table + index * cut->size;

	if (way.cpu->root.mode == GPT_PAE && level == 3)
		return goes_on(way, level, way.cpu->pdptr[index], false);
	if (goes_by_slot(way, model_find(gpa >> PAGE_SHIFT, false), gpa, level))
		return true;
	return world.changing >= 0 &&
	       goes_by_slot(way, model_find(gpa >> PAGE_SHIFT, true), gpa, level);
}

static bool way_exists(const struct way *way)
{
	const struct gpt_root *root = &way->cpu->root;

	return goes_by(*way, root->cr3 & (root->mode == GPT_32 ? 0xfffff000 : ones(51, 12)),
		       cuts[root->mode].top);
}

/* May @cpu reach @page at @gva, for @access? */
static bool may_reach(const struct cpu *cpu, gva_t gva, u32 access, const struct page *page,
		      struct found *found)
{
	const struct way way = {
		.cpu = cpu,
		.gva = gva,
		.access = access,
		.page = page,
		.since = cpu->since,
		.until = NOW,
		.allowed = ACC_RWX | ACC_U,
		.found = found,
	};

	*found = (struct found){ gva >> PAGE_SHIFT, false };
	if (cpu->root.mode == GPT_NONE)
		return !model_why_not(gva >> PAGE_SHIFT, page, access & ACC_W);
	return way_exists(&way);
}

/* Fails if @cpu must not reach @page at @gva.  The guest frame that it is. */
gfn_t oracle_judge(const struct cpu *cpu, gva_t gva, u32 access, const struct page *page)
{
	struct found found;

	if (!may_reach(cpu, gva, access, page, &found))
		fail("linear address %#lx, access %u, mode %d: reaches frame %#llx, as no walk",
		     gva, access, cpu->root.mode, (unsigned long long)page_to_pfn(page));
	if (found.stale)
		count(SHADOW_STALE);
	return found.gfn;
}

/* The guest is told of a fault of its own: could the processor have found it since @since? */
void oracle_judge_fault(const struct cpu *cpu, gva_t gva, u32 access, u32 code, unsigned long since)
{
	const struct way way = {
		.cpu = cpu,
		.gva = gva,
		.access = access,
		.code = code,
		.since = since,
		.until = NOW,
		.allowed = ACC_RWX | ACC_U,
	};

	if (!way_exists(&way))
		fail("linear address %#lx, access %u, mode %d: the guest is told of fault %#x", gva,
		     access, cpu->root.mode, code);
}

/* Whatever a processor keeps, used or not, has to be what it may use. */
void oracle_check_caches(void)
{
	unsigned int i, n;

	for (n = 0; n < NR_CPUS; n++) {
		struct cpu cpu = world.cpu[n];
		const struct tlb_entry *entry = world.cpu[n].tlb[0];

		/* What the entry allows, whoever asks. */
		cpu.root.smap = false;
		for (i = 0; i < TLB_SETS * TLB_WAYS; i++, entry++)
			if (entry->epoch == cpu.epoch)
				oracle_judge(&cpu, entry->gfn << PAGE_SHIFT,
					     entry->access & (ACC_W | ACC_U),
					     sim_pfn_to_page(entry->hfn));
	}
}
