// SPDX-License-Identifier: GPL-2.0-only
/*
 * A guest that does things to its page tables at random, and makes accesses by them, so that it can
 * be done twice, on each MMU, and compared: what was read, faults, memory, accessed and dirty bits.
 *
 * Any page of the pool can be a table of any level, of several at once, of itself; and data, which
 * is written through the tables too.  A page can be in a slot that is read-only, or in none.
 *
 * What a processor may have kept would differ, so after a change it forgets before the next access:
 * all, by a load of CR3, or what this access is about, by INVLPG.
 *
 * Where the tables lead is looked up first.  What would not be this guest's any more is not
 * accessed: memory of the program's, code that is none, tables where there is no memory.
 */
#include "enumerate_cpu.h"
#include "equivalence.h"

#define P      1ULL
#define W      2ULL
#define U      4ULL
#define A      0x20ULL
#define D      0x40ULL
#define L      0x80ULL
#define NX     (1ULL << 63)
#define FRAME  0x000ffffffffff000ULL
#define WINDOW (1UL << 39) /* the second entry of the topmost table */
#define MOV    0xb8
#define INT    0xcd

volatile struct enumerate_seen enumerate_seen;

static struct equivalence *const shared = (struct equivalence *)EQ_SHARED;
/* Of a table, and of an address: few, so that things meet. */
static const unsigned int places[8] = { 0, 1, 2, 3, 4, 5, 510, 511 };
static uint32_t mode;
static bool stale; /* something has changed since the last load of CR3 */
static unsigned int phys_bits;

/* A sequence that a seed begins (splitmix64). */
static uint64_t draw(void)
{
	uint64_t z = shared->seed + ++shared->draws * 0x9e3779b97f4a7c15ULL;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
	return z ^ z >> 31;
}

static unsigned int below(unsigned int n)
{
	return (uint32_t)draw() % n;
}

static bool one_in(unsigned int n)
{
	return below(n) == 0;
}

static unsigned int place(void)
{
	return places[below(8)];
}

static uint64_t draw_frame(void)
{
	switch (below(16)) {
	case 0:
		return EQ_LOCKED + below(EQ_PAGES) * PAGE;
	case 1:
		return EQ_DEVICE + below(EQ_PAGES) * PAGE;
	case 2:
	case 3:
	case 4:
	case 5:
		return EQ_DATA + below(EQ_NR_DATA) * PAGE;
	default:
		return EQ_POOL + below(EQ_NR_POOL) * PAGE;
	}
}

static uint64_t draw_large(void)
{
	static const uint64_t frames[] = { 0, EQ_POOL, EQ_DATA, EQ_LOCKED, EQ_DEVICE };

	return frames[below(5)] | L;
}

/* Most entries permit most, else nothing would get to the last level. */
static uint64_t draw_entry(void)
{
	uint64_t entry = one_in(8) ? draw_large() : draw_frame();

	entry |= one_in(32) ? 0 : P;
	entry |= one_in(8) ? 0 : W;
	entry |= one_in(8) ? 0 : U;
	entry |= one_in(2) ? 0 : A;
	entry |= one_in(2) ? 0 : D;
	entry |= one_in(20) ? NX : 0;
	entry |= one_in(64) && phys_bits < 52 ? 1ULL << 51 : 0;
	entry |= one_in(64) ? L : 0;
	return entry | (draw() & 0xe18); /* PWT, PCD, and what nobody looks at */
}

/* Those that entries consist of. */
static uint64_t draw_flags(void)
{
	static const uint64_t flags[] = { P, W, U, A, D, A | D, NX, W | D };

	return flags[below(8)];
}

static volatile uint64_t *draw_place(void)
{
	return (volatile uint64_t *)(EQ_POOL + below(EQ_NR_POOL) * PAGE) + place();
}

static bool is_ram(uint64_t gpa)
{
	return (gpa >= EQ_POOL && gpa < EQ_POOL + EQ_NR_POOL * PAGE) ||
	       (gpa >= EQ_DATA && gpa < EQ_DATA + EQ_NR_DATA * PAGE);
}

static bool is_pages(uint64_t gpa, uint64_t from)
{
	return gpa >= from && gpa < from + EQ_PAGES * PAGE;
}

/*
 * struct path - where an address leads
 * @gpa: to what; if an entry is absent, as far as it comes
 * @absent: there is one
 * @strange: a table is where this guest shall not have one
 * @nr: entries on the way
 * @at, @before: them, and what they are
 */
struct path {
	uint64_t gpa;
	bool absent, strange;
	unsigned int nr;
	volatile uint64_t *at[MAX_LEVELS];
	uint64_t before[MAX_LEVELS];
};

/* The entry of @table for that address; what is read-only is not mapped for the program: zeros. */
static uint64_t go_by(struct path *path, uint64_t table, unsigned int i)
{
	volatile uint64_t *at = (volatile uint64_t *)table + i;

	if (is_pages(table, EQ_LOCKED))
		return 0;
	path->at[path->nr] = at;
	path->before[path->nr] = *at;
	return path->before[path->nr++];
}

static void find_path(unsigned long address, struct path *path)
{
	uint64_t table = cpu_table(MAX_LEVELS), entry;
	int level;

	*path = (struct path){};
	for (level = MAX_LEVELS; level; level--) {
		unsigned int shift = 12 + 9 * (level - 1);

		path->strange = level < MAX_LEVELS && !is_ram(table) && !is_pages(table, EQ_LOCKED);
		if (path->strange)
			return;
		entry = go_by(path, table, address >> shift & 511);
		path->absent = !(entry & P);
		if (path->absent)
			return;
		if (level == 1 || (level < MAX_LEVELS && entry & L)) {
			path->gpa = (entry & FRAME & ~((1UL << shift) - 1)) |
				    (address & ((1UL << shift) - 1));
			return;
		}
		table = entry & FRAME & ((1UL << phys_bits) - 1);
	}
}

static uint64_t code_at(unsigned int offset)
{
	return MOV | (0x5a0000ULL + offset) << 8 | (uint64_t)INT << 40 |
	       (uint64_t)LEAVE_VECTOR << 48;
}

/* May the access be made, whatever comes of it? */
static bool is_ours(const struct path *path, unsigned int access)
{
	uint64_t gpa = path->gpa & ((1UL << phys_bits) - 1);

	if (path->strange)
		return false;
	if (path->absent)
		return true;
	if (access == EQ_FETCH)
		return is_ram(gpa) && *(volatile uint64_t *)gpa == code_at(gpa & (PAGE - 1));
	return is_ram(gpa) || is_pages(gpa, EQ_LOCKED) || is_pages(gpa, EQ_DEVICE);
}

static unsigned long draw_address(void)
{
	return WINDOW | (unsigned long)place() << 30 | (unsigned long)place() << 21 |
	       (unsigned long)place() << 12 | place() * 8;
}

static void load_cr3(void)
{
	asm volatile("mov %0, %%cr3" : : "r"(cpu_table(MAX_LEVELS)) : "memory");
	stale = false;
}

/* Rights by CR0.WP and CR4 are looked up at each access; EFER.NXE is in what has been kept. */
static void set_mode(void)
{
	uint32_t before = mode;

	mode = draw() & shared->modes;
	cpu_set_mode(mode, shared->modes);
	if ((before ^ mode) & MODE_NX)
		load_cr3();
}

static void edit(unsigned int what)
{
	volatile uint64_t *at = draw_place();

	switch (what) {
	case EDIT_ENTRY:
		*at = draw_entry();
		break;
	case EDIT_FLAGS:
		if (one_in(2))
			*at |= draw_flags();
		else
			*at &= ~draw_flags();
		break;
	case EDIT_TOP:
		at = (volatile uint64_t *)cpu_table(MAX_LEVELS) + (WINDOW >> 39);
		*at = (EQ_POOL + below(EQ_NR_POOL) * PAGE) | P | (draw() & (W | U | A)) | W;
		break;
	case EDIT_MODE:
		set_mode();
		return;
	default:
		return;
	}
	stale = true;
}

static void forget(const struct eq_step *step)
{
	if (stale && one_in(4))
		load_cr3();
	else if (stale)
		cpu_invlpg(step->address);
}

static uint64_t draw_value(unsigned int access)
{
	if (access == EQ_AND)
		return ~draw_flags();
	return access == EQ_OR ? draw_flags() : draw_entry();
}

static void do_access(struct eq_step *step)
{
	static unsigned char *const code[NR_EQ_ACCESSES] = {
		enumerate_read,	    enumerate_write, enumerate_half,
		enumerate_exchange, enumerate_and,   enumerate_or,
	};
	unsigned long rip =
		step->access == EQ_FETCH ? step->address : (unsigned long)code[step->access];

	cpu_access(step->user, step->ac, rip, step->address, draw_value(step->access));
	step->fault = enumerate_seen.fault;
	step->code = enumerate_seen.fault ? enumerate_seen.code : 0;
	step->cr2 = enumerate_seen.cr2;
	step->rip = enumerate_seen.fault ? enumerate_seen.rip : 0;
	step->value = enumerate_seen.value;
	stale |= step->fault || step->access != EQ_READ;
}

/* A walk that ends in a fault may or may not have marked the entries on its way as accessed. */
static void take_back_marks(const struct path *path)
{
	unsigned int i;

	for (i = 0; enumerate_seen.fault && i < path->nr; i++)
		if ((*path->at[i] ^ path->before[i]) == A)
			*path->at[i] = path->before[i];
}

static unsigned int draw_edit(void)
{
	unsigned int n = below(64);

	if (n < 24)
		return EDIT_ENTRY;
	if (n < 36)
		return EDIT_FLAGS;
	if (n == 36)
		return EDIT_TOP;
	return n == 37 ? EDIT_MODE : EDIT_NONE;
}

static unsigned int draw_access(void)
{
	return one_in(6) ? EQ_FETCH : below(EQ_FETCH);
}

/* An exchange of an entry that leads to it, where the processor marks that as dirty too late? */
static bool is_split(const struct path *path, unsigned int access)
{
	unsigned int i;

	if (!shared->reads_first || access < EQ_EXCHANGE || access > EQ_OR || path->absent)
		return false;
	for (i = 0; i < path->nr; i++)
		if ((uint64_t)path->at[i] == path->gpa)
			return true;
	return false;
}

static void do_step(struct eq_step *step)
{
	struct path path;

	*step = (struct eq_step){ .edit = draw_edit(), .access = draw_access() };
	step->address = draw_address();
	step->user = one_in(2);
	step->ac = one_in(2);
	edit(step->edit);
	step->mode = mode;
	find_path(step->address, &path);
	step->gpa = path.gpa;
	if (!is_ours(&path, step->access)) {
		step->access = EQ_SKIPPED;
		return;
	}
	if (is_split(&path, step->access))
		step->access = EQ_WRITE;
	forget(step);
	do_access(step);
	take_back_marks(&path);
}

/* Data, and code that says where it is; the pool is full of entries. */
static void set_up(void)
{
	struct paging_cpu cpu = {};
	unsigned int i, j;
	uint64_t *page;

	cpu_set_up(&cpu);
	phys_bits = cpu.phys_bits;
	shared->modes = cpu.modes & ~MODE_PKE;
	for (i = 0; i < EQ_NR_POOL; i++)
		for (j = 0; j < 8; j++)
			((uint64_t *)(EQ_POOL + i * PAGE))[places[j]] = draw_entry();
	for (i = 0; i < EQ_NR_DATA; i++) {
		page = (uint64_t *)(EQ_DATA + i * PAGE);
		for (j = 0; j < 512; j++)
			page[j] = i >= EQ_NR_DATA / 2 ? code_at(j * 8) : draw_entry();
	}
	edit(EDIT_TOP);
	set_mode();
	load_cr3();
}

/* What the test wants: a set-up, or so many steps. */
void guest_main(unsigned long first)
{
	uint32_t i;

	if (first) {
		set_up();
		return;
	}
	for (i = 0; i < shared->count; i++) {
		enumerate_seen.vector = UINT32_MAX;
		do_step(&shared->step[i]);
		shared->done++;
		if (enumerate_seen.vector != UINT32_MAX) {
			shared->vector = enumerate_seen.vector;
			return;
		}
	}
}
