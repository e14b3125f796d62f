// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a vCPU does whose own page tables are shadowed: it changes tables, by stores of its own and
 * by such as are emulated anyway, loads CR3, changes modes, executes INVLPG, and accesses linear
 * addresses.  Any frame may be a table at any level, in any format, and data too.  While its paging
 * is off it runs on a second table in some worlds.
 */
#include "guest_mem.h"
#include "shim.h"
#include "watch.h"
#include "world.h"

#define MAX_QUIET_FAULTS 4
#define MAX_FAULTS	 300

/* Indices of entries that lie in words which are known. */
static u64 pick_index(enum gpt_mode mode)
{
	return mode == GPT_32 ? draw(4) * 256 + draw(2) : draw(4) * 128;
}

/* The same memory by another slot, if there is one and chance will. */
static gfn_t pick_alias(gfn_t gfn)
{
	const struct model_slot *slot = model_find(gfn, false);
	hva_t hva = slot ? slot->hva + gfn_to_gpa(gfn - slot->base) : 0;
	unsigned int i, at = draw(world.nr_slots);

	for (i = 0; slot && i < world.nr_slots; i++) {
		const struct model_slot *other = &world.slot[(at + i) % world.nr_slots];

		if (other->live && hva - other->hva < other->npages << PAGE_SHIFT)
			return other->base + ((hva - other->hva) >> PAGE_SHIFT);
	}
	return gfn;
}

static gva_t new_gva(const struct cpu *cpu)
{
	enum gpt_mode mode = cpu->root.mode;

	switch (mode) {
	case GPT_NONE:
		/* One that was something else while paging was on. */
		if (draw_one_in(6))
			return world.linear[1 + draw(3)][draw(8)] & 0xfffff000;
		return (draw(2) ? pick_alias(world.tables[draw(ARRAY_SIZE(world.tables))])
				: world_pick_gfn())
			       << PAGE_SHIFT &
		       0xfffff000;
	case GPT_32:
		return pick_index(mode) << 22 | pick_index(mode) << 12;
	case GPT_PAE:
		return (gva_t)draw(4) << 30 | pick_index(mode) << 21 | pick_index(mode) << 12;
	default:
		return (draw(8) ? 0 : pick_index(mode) << 39) |
		       (draw(4) ? 0 : pick_index(mode) << 30) | pick_index(mode) << 21 |
		       pick_index(mode) << 12;
	}
}

/* Most often one that was picked before. */
gva_t guest_pick_gva(struct cpu *cpu)
{
	gva_t *recent = &world.linear[cpu->root.mode][draw(8)];

	if (cpu->root.mode == GPT_NONE || draw_one_in(8))
		*recent = new_gva(cpu);
	return *recent;
}

/* A frame that is a table of @level, most often; 0: of any. */
gfn_t guest_pick_table(int level)
{
	static const u8 first[] = { 0, 7, 4, 2, 0 }, n[] = { 10, 3, 3, 2, 2 };
	gfn_t *table;

	if (draw_one_in(8))
		level = 0;
	table = &world.tables[first[level] + draw(n[level])];
	if (!model_find(*table, false) || draw_one_in(100))
		*table = world_pick_gfn();
	return *table;
}

/* A frame for the topmost table; now and then it lies in no slot, and memory may come there. */
static gfn_t pick_root(void)
{
	gfn_t gfn = draw(4096);

	return draw_one_in(12) && !model_find(gfn, false) ? gfn : guest_pick_table(4);
}

/* An entry as guests write them, most often a good one. */
static u64 pick_entry(void)
{
	u64 entry = (draw(2) ? guest_pick_table(0) : world_pick_gfn()) << PAGE_SHIFT;

	entry |= draw(16) ? 1 : 0;
	entry |= draw(4) ? 2 : 0;
	entry |= draw(4) ? 4 : 0;
	entry |= draw(3) ? 0 : 0x20;
	entry |= draw(3) ? 0 : 0x40;
	if (draw_one_in(world.large ? 12 : 200))
		entry = (entry & ~0x1ff000ull) | 0x80;
	if (draw_one_in(12))
		entry |= BIT_ULL(63);
	if (draw_one_in(20))
		entry |= 0x100;
	if (draw_one_in(40))
		entry |= 1ull << draw(64);
	return entry;
}

/*
 * Nothing was in the way of an access: no table has changed, and nobody was at a store, which may
 * have waited for a flush.
 */
static bool undisturbed_since(const struct circumstances *then)
{
	return quiet_since(then) && world.entries - self->changes == then->entries &&
	       world.time == then->time && !then->storing && !world.storing;
}

/* Does the cause go with what was done? */
static void check_cause(const struct mmu_fault *fault, enum mmu_outcome outcome,
			const struct circumstances *then)
{
	check(self->faults == 1);
	switch (fault->cause) {
	case MKVM_CAUSE_FILL:
	case MKVM_CAUSE_DIRTY_BIT:
	case MKVM_CAUSE_ACCESSED_BIT:
	case MKVM_CAUSE_DIRTY_LOG:
		check(outcome == MMU_RESUME && (self->installs || self->links));
		return count(fault->cause == MKVM_CAUSE_FILL	    ? CAUSE_FILL
			     : fault->cause == MKVM_CAUSE_DIRTY_BIT ? CAUSE_DIRTY_BIT
			     : fault->cause == MKVM_CAUSE_DIRTY_LOG ? CAUSE_DIRTY_LOG
								    : CAUSE_ACCESSED_BIT);
	case MKVM_CAUSE_SPURIOUS:
		check(outcome == MMU_RESUME && !self->installs && !self->links);
		return count(CAUSE_SPURIOUS);
	case MKVM_CAUSE_NOTIFIER_RETRY:
		check(outcome == MMU_RESUME && !self->installs);
		if (undisturbed_since(then) && !self->signaled)
			fail("a fault gave up, and nobody was in its way");
		return count(CAUSE_NOTIFIER_RETRY);
	case MKVM_CAUSE_MMIO:
		check(outcome == MMU_MMIO && !self->installs);
		return count(CAUSE_MMIO);
	case MKVM_CAUSE_HOST_ERROR:
		check(outcome == MMU_FAILED && !self->installs);
		return count(CAUSE_HOST_ERROR);
	case MKVM_CAUSE_TRACKED_EMULATED:
		check(outcome == MMU_EMULATE && !self->installs);
		return count(CAUSE_TRACKED);
	case MKVM_CAUSE_TRACKED_OPENED:
		check(outcome == MMU_RESUME && self->installs);
		return count(CAUSE_OPENED_AT_ONCE);
	case MKVM_CAUSE_GUEST_NOT_PRESENT:
		check(outcome == MMU_REFLECT && !(fault->code & 1));
		return count(CAUSE_GUEST_NOT_PRESENT);
	case MKVM_CAUSE_GUEST_PROTECTION:
		check(outcome == MMU_REFLECT && (fault->code & 9) == 1);
		return count(CAUSE_GUEST_PROTECTION);
	case MKVM_CAUSE_GUEST_RESERVED:
		check(outcome == MMU_REFLECT && (fault->code & 9) == 9);
		return count(CAUSE_GUEST_RESERVED);
	default:
		fail("cause %d is none of this MMU's", fault->cause);
	}
}

/* A store of @size bytes as mkvm makes it for the guest. */
void guest_store(gpa_t gpa, const void *data, size_t size)
{
	struct circumstances then = look_around();
	struct model_slot *slot = certain_slot(gpa >> PAGE_SHIFT, &then);
	unsigned long calls = slot ? slot->calls : 0;
	int r;

	world.storing++;
	r = guest_mem_write(&world.slots, gpa, data, size);
	world.storing--;
	if (slot && slot == certain_slot(gpa >> PAGE_SHIFT, &then)) {
		if (!r && slot->calls == calls && !slot->during)
			model_written(slot, gpa >> PAGE_SHIFT);
		check((r == -ENOENT) == !!(slot->flags & KVM_MEM_READONLY));
	}
}

/* The instruction that stores @value is emulated. */
static void emulate(struct cpu *cpu, gva_t gva, u32 access, u64 value)
{
	gpa_t gpa;
	u32 code;
	int r;

	sim_srcu_lock();
	world.storing++;
	r = gpt_access(&world.slots, &cpu->root, gva, access, &gpa, &code);
	world.storing--;
	if (!r)
		guest_store(gpa, &value, sizeof(value));
	sim_srcu_unlock();
}

/* The instruction could not be emulated.  True: the guest is to try again. */
static bool open_table(struct cpu *cpu, const struct mmu_fault *fault)
{
	bool opened;

	sim_srcu_lock();
	opened = mmu_open_table(&cpu->mv, fault);
	sim_srcu_unlock();
	count(opened ? CAUSE_OPENED : SHADOW_REFUSED);
	return opened;
}

/* An exit: true: the access is to be repeated. */
static bool fault(struct cpu *cpu, gva_t gva, u32 access, u64 value)
{
	struct mmu_fault fault = { .gva = gva, .root = &cpu->root, .access = access };
	struct mmu_fault second = { .gpa = gva, .access = access };
	struct circumstances then = look_around();
	unsigned long time = world.time;
	enum mmu_outcome outcome;

	sim_srcu_lock();
	cpu_exit(cpu);
	if (!tables_are_right(cpu)) {
		sim_srcu_unlock();
		return true;
	}
	cpu_drop(cpu, gva >> PAGE_SHIFT);
	if (cpu->mv.kind == MMU_TDP)
		fault = second;
	self->faults = 0;
	self->signaled = false;
	self->installs = 0;
	self->links = 0;
	self->user_failed = false;
	/* Its walk sets accessed and dirty bits. */
	world.storing += cpu->mv.kind == MMU_SHADOW;
	outcome = mmu_handle_fault(&cpu->mv, &fault);
	world.storing -= cpu->mv.kind == MMU_SHADOW;
	note("outcome %lu code %#lx for %#lx", outcome, fault.code, gva);
	check_cause(&fault, outcome, &then);
	if (outcome == MMU_MMIO)
		check_mmio(fault.gpa >> PAGE_SHIFT, access & ACC_RWX, &then);
	else if (outcome == MMU_FAILED && !self->user_failed)
		check_failed(&fault);
	else if (outcome == MMU_REFLECT && !self->user_failed && world.changing < 0 &&
		 world.changes == then.changes)
		oracle_judge_fault(cpu, gva, access, fault.code, time);
	sim_srcu_unlock();
	if (outcome != MMU_EMULATE)
		return outcome == MMU_RESUME;
	if (cpu->mv.kind == MMU_TDP && world.rests)
		fail("a table is tracked while no vCPU is on shadow tables");
	if (cpu->mv.kind == MMU_TDP)
		count(SHADOW_SECOND_TRACKED);
	if (draw_one_in(4) && open_table(cpu, &fault))
		return true;
	emulate(cpu, gva, access, value);
	return false;
}

/* The access happens, at a word of the page that @hfn is. */
static void perform(struct cpu *cpu, gva_t gva, u32 access, hfn_t hfn, u64 value)
{
	static const enum watched counts[] = { SHADOW_UNPAGED, SHADOW_32, SHADOW_PAE, SHADOW_LONG };
	struct page *page = sim_pfn_to_page(hfn);
	unsigned int word = offset_in_page(gva) / PAGE_WORD_STRIDE;
	struct vpage *v;
	gfn_t gfn;

	if (page->use != PAGE_DATA)
		fail("linear address %#lx reaches frame %#llx, which is no guest's", gva,
		     (unsigned long long)hfn);
	gfn = oracle_judge(cpu, gva, access, page);
	v = model_judge(gfn, page, access & ACC_W, model_is_sole(gfn));
	guest_touch(v);
	if (access & ACC_W) {
		host_written(v, word, value);
		world.written[world.ops % ARRAY_SIZE(world.written)] = gfn;
	} else if (*page_word(page, word) != v->value[word])
		fail("linear address %#lx reads %#llx, not %#llx", gva,
		     (unsigned long long)*page_word(page, word),
		     (unsigned long long)v->value[word]);
	count(access & ACC_W ? GUEST_WRITE : access & ACC_X ? GUEST_FETCH : GUEST_READ);
	count(cpu->mv.kind != MMU_TDP ? counts[cpu->root.mode]
	      : world.moved	      ? SHADOW_MOVED
				      : SHADOW_SECOND);
}

u64 guest_pick_value(void)
{
	return draw(3) ? pick_entry() : ++world.value;
}

/* @value is for a write. */
void guest_access_at(struct cpu *cpu, gva_t gva, u32 access, u64 value)
{
	struct circumstances then = look_around();
	int faults = 0, quiet = 0;
	hfn_t hfn;

	note("guest: %#lx access %lu mode %lu", gva, access, cpu->root.mode);
	for (;;) {
		enum cpu_result r;

		if (cpu->kicked)
			return;
		r = cpu_translate(cpu, gva >> PAGE_SHIFT, access, &hfn);
		if (r == CPU_DONE)
			return perform(cpu, gva, access, hfn, value);
		if (r == CPU_FLUSHED)
			continue;
		if (r == CPU_FULL) {
			guest_list_full(cpu);
			continue;
		}
		if (!tables_are_right(cpu))
			return;
		quiet = undisturbed_since(&then) && !self->signaled ? quiet + 1 : 0;
		then = look_around();
		if (quiet > MAX_QUIET_FAULTS)
			fail("linear address %#lx: the same fault again and again", gva);
		if (!fault(cpu, gva, access, value) || ++faults > MAX_FAULTS)
			return;
	}
}

void guest_access_memory(struct cpu *cpu, gva_t page)
{
	u32 access = draw_one_in(10) ? ACC_X : draw_one_in(3) ? ACC_W : ACC_R;

	if (cpu->root.mode != GPT_NONE && draw_one_in(3))
		access |= ACC_U;
	/* Of RFLAGS.AC, which changes that, nobody is told. */
	cpu->root.smap = cpu->root.cr4_smap && draw(2);
	guest_access_at(cpu, page | draw(PAGE_WORDS) * PAGE_WORD_STRIDE, access,
			guest_pick_value());
}

/* A store that is emulated for whatever reason: of an entry, or of half of one. */
static void poke(gfn_t gfn, unsigned int word, u64 value)
{
	unsigned int offset = word * PAGE_WORD_STRIDE;
	bool half = draw_one_in(4);
	unsigned long opened;

	note("guest: word %lu of frame %#lx becomes %#lx", word, gfn, value);
	sim_srcu_lock();
	opened = mmu_shadow_opened(&world.mmu);
	if (half)
		guest_store(gfn_to_gpa(gfn) + offset + draw(2) * 4, &value, 4);
	else
		guest_store(gfn_to_gpa(gfn) + offset, &value, 8);
	if (mmu_shadow_opened(&world.mmu) != opened)
		count(SHADOW_FLOOD);
	sim_srcu_unlock();
	count(half ? SHADOW_HALF_STORE : SHADOW_STORE);
}

/* A table is written from one end to the other. */
static void poke_again(gfn_t gfn)
{
	unsigned int i;

	for (i = 0; i < 5; i++)
		poke(gfn, i % PAGE_WORDS, pick_entry());
}

/* What the guest would read there, if it is known. */
u64 guest_entry_now(gpa_t gpa, unsigned int size)
{
	const struct model_slot *slot = model_find(gpa >> PAGE_SHIFT, false);
	u64 word;

	if (!slot)
		return 0;
	word = model_vpage(slot, gpa >> PAGE_SHIFT)->value[offset_in_page(gpa) / PAGE_WORD_STRIDE];
	return size == 8 ? word : (u32)(word >> (gpa & 4 ? 32 : 0));
}

static u64 good_entry(int level, bool large)
{
	gfn_t gfn = level > 1 && !large ? guest_pick_table(level - 1)
		    : draw_one_in(6)	? guest_pick_table(0)
					: world_pick_gfn();
	u64 entry = gfn << PAGE_SHIFT | 1 | (draw(5) ? 2 : 0) | (draw(4) ? 4 : 0);

	return large ? (entry & ~0x1ff000ull) | 0x80 : entry;
}

/*
 * Sees to it that there is a way to @gva, by what is there and what has to be added; with @change
 * it ends elsewhere than before.
 */
void guest_build(struct cpu *cpu, gva_t gva, bool change)
{
	static const int levels[] = { 0, 2, 2, 4 };
	enum gpt_mode mode = cpu->root.mode;
	unsigned int size = mode == GPT_32 ? 4 : 8, bits = mode == GPT_32 ? 10 : 9;
	gpa_t table = cpu->root.cr3;
	int level;

	if (mode == GPT_PAE)
		table = cpu->pdptr[gva >> 30 & 3] & ~0xfffull;
	for (level = levels[mode]; level; level--) {
		u64 index = gva >> (PAGE_SHIFT + (level - 1) * bits) & ((1 << bits) - 1);
		gpa_t gpa = (table & GENMASK_ULL(45, 12)) + index * size;
		u64 entry = guest_entry_now(gpa, size);

		if (!(entry & 1) || (change && level == 1) || draw_one_in(12)) {
			entry = good_entry(level, level == 2 && draw_one_in(world.large ? 5 : 100));
			sim_srcu_lock();
			guest_store(gpa, &entry, size);
			sim_srcu_unlock();
		}
		if (entry & 0x80)
			return;
		table = entry;
	}
}

void guest_invlpg(struct cpu *cpu, gva_t gva)
{
	note("guest: INVLPG %#lx", gva, 0, 0);
	cpu_invlpg(cpu, gva);
	count(SHADOW_INVLPG);
}

/* CR3 is loaded with the modes as they are: false, or as they are drawn. */
static void load_root(struct cpu *cpu, bool mode)
{
	/* That of 32 bits has entries side by side. */
	static const enum gpt_mode modes[] = {
		GPT_NONE, GPT_32, GPT_32, GPT_PAE, GPT_LONG, GPT_LONG
	};
	struct gpt_root *root = &cpu->root;
	int i;

	root->cr3 = gfn_to_gpa(pick_root()) & (root->mode == GPT_LONG ? ~0ull : 0xffffffff);
	if (mode) {
		if (draw_one_in(3))
			root->mode = modes[draw(ARRAY_SIZE(modes))];
		root->wp = draw(4);
		root->nx = root->mode != GPT_32 && draw(8);
		root->smep = draw(2);
		root->cr4_smap = draw_one_in(3);
		root->pse = draw(2);
	}
	root->smap = root->cr4_smap;
	if (mode)
		root->cr3 &= root->mode == GPT_LONG ? ~0ull : 0xffffffff;
	for (i = 0; i < 4; i++)
		cpu->pdptr[i] = gfn_to_gpa(guest_pick_table(2)) | (draw(8) ? 1 : 0) |
				(draw_one_in(24) ? 1ull << draw(64) : 0);
	root->pdptr = root->mode == GPT_PAE ? cpu->pdptr : NULL;
	note("guest: root %#lx mode %lu wp %lu", root->cr3, root->mode, root->wp);
	sim_srcu_lock();
	cpu_exit(cpu);
	/* User space has set the registers. */
	if (mode && draw(2))
		mmu_forget_tables(&world.mmu);
	tables_use(cpu);
	sim_srcu_unlock();
	count(mode ? SHADOW_MODE : SHADOW_CR3);
}

/* One of the bits changes that say what entries mean: all else stays. */
void guest_change_rule(struct cpu *cpu, enum guest_rule rule)
{
	struct gpt_root *root = &cpu->root;
	bool *const rules[] = { &root->wp, &root->nx, &root->smep, &root->cr4_smap, &root->pse };

	/* Their entries have no such bit. */
	if (rule == RULE_NX && root->mode == GPT_32)
		rule = RULE_PSE;
	*rules[rule] = !*rules[rule];
	root->smap = root->cr4_smap;
	note("guest: rule %lu is %lu", rule, *rules[rule], 0);
	sim_srcu_lock();
	cpu_exit(cpu);
	tables_use(cpu);
	sim_srcu_unlock();
	count(SHADOW_MODE);
}

/* Paging goes off, or on again as it was. */
void guest_toggle_paging(struct cpu *cpu)
{
	struct gpt_root *root = &cpu->root;

	if (root->mode != GPT_NONE)
		cpu->paged = root->mode;
	root->mode = root->mode == GPT_NONE ? cpu->paged : GPT_NONE;
	root->pdptr = root->mode == GPT_PAE ? cpu->pdptr : NULL;
	note("guest: mode %lu", root->mode, 0, 0);
	sim_srcu_lock();
	cpu_exit(cpu);
	tables_use(cpu);
	sim_srcu_unlock();
	count(SHADOW_MODE);
}

/* The vCPUs begin unpaged, and tables are where memory may be. */
void guest_shadow_start(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(world.tables); i++)
		world.tables[i] = draw(600);
	for (i = 0; i < NR_CPUS; i++) {
		struct gpt_root *root = &world.cpu[i].root;

		root->gbpages = draw(2);
		root->amd = draw(2);
		root->phys_bits = CPU_PHYS_BITS;
		world.cpu[i].paged = GPT_LONG;
		if (i)
			root->gbpages = world.cpu[0].root.gbpages;
	}
}

/* One thing that the vCPU does, drawn. */
void guest_shadow_op(struct cpu *cpu)
{
	gva_t gva;
	int r = 0;

	if (!tables_await(cpu))
		return;
	if (draw(4) && guest_run_errand(cpu))
		return;
	/* Most often it has not left the guest since. */
	if (cpu->mv.kind == MMU_SHADOW && (!cpu->mv.roots[0] || draw_one_in(3))) {
		sim_srcu_lock();
		if (tables_are_right(cpu))
			r = mmu_prepare_root(&cpu->mv);
		cpu_exit(cpu);
		sim_srcu_unlock();
		if (r)
			return check(self->alloc_failed);
	}
	/* No guest stays unpaged for long. */
	if (cpu->root.mode == GPT_NONE && !world.moved && !world.errand.by && draw_one_in(32))
		return draw(2) ? guest_toggle_paging(cpu) : load_root(cpu, true);
	switch (draw(48)) {
	case 0:
		return load_root(cpu, draw_one_in(5));
	case 1:
		return draw(3) ? guest_invlpg(cpu, guest_pick_gva(cpu))
			       : guest_change_rule(cpu, draw(NR_RULES));
	case 2:
		return draw(6) ? guest_invlpg(cpu, guest_pick_gva(cpu)) : guest_toggle_paging(cpu);
	case 3:
		return guest_invlpg(cpu, guest_pick_gva(cpu));
	case 4:
	case 5:
		return draw_one_in(8) ? poke_again(guest_pick_table(0))
				      : poke(guest_pick_table(0), draw(PAGE_WORDS), pick_entry());
	case 6:
	case 7:
	case 8:
	case 9:
	case 10:
	case 11:
		return guest_build(cpu, guest_pick_gva(cpu), false);
	case 12:
	case 13:
	case 14:
	case 15:
		return guest_edit(cpu);
	default:
		gva = guest_pick_gva(cpu);
		if (draw_one_in(3))
			guest_build(cpu, gva, false);
		guest_access_memory(cpu, gva);
	}
}
