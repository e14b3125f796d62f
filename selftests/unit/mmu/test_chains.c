// SPDX-License-Identifier: GPL-2.0-only
/*
 * How much one hold of the MMU's lock can be made to cost by a guest: shadow tables with as many
 * ways through them as there can be, and one frame that is mapped by all entries of many tables.
 * Steps of the code are counted (basic blocks, that the compiler makes call us), not time.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include "shim.h"
#include "mmu/backend.h"
#include "mmu/pt_change.h"
#include "mmu/pt_page.h"
#include "mmu/shadow.h"

#define PAGES	   1024u
#define ROOTS	   64u
#define TABLES	   600u
#define EACH	   8ul /* steps for an entry that is looked at, at most */
#define LEAVES_MAX ((unsigned long)SHADOW_MAX_LEAVES)

static struct mmu_vm mmu;
static struct shadow shadow;
static struct mmu_vcpu mv;
static struct fiber me;
struct fiber *self = &me;
static unsigned long steps;
static int failed;

void __sanitizer_cov_trace_pc(void)
{
	steps++;
}

void note(const char *format, uint64_t a, uint64_t b, uint64_t c)
{
}

void fail(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	printf("FOUND: ");
	vprintf(format, args);
	printf("\n");
	va_end(args);
	exit(1);
}

void point(void)
{
}

bool sim_signal_pending(void)
{
	return false;
}

uint32_t draw(uint32_t n)
{
	return 0;
}

void write_lock(struct sim_lock *lock)
{
	lock->writer = self;
}

void write_unlock(struct sim_lock *lock)
{
	lock->writer = NULL;
}

bool sim_break(struct sim_lock *lock)
{
	return false;
}

void cpus_check_unused(const struct page *page, unsigned long n)
{
}

void proof_mkvm_pt_change(u64 gfn, int level, u64 old, u64 new, bool is_shadow)
{
}

void wtrack_protect(struct shadow *unused, gfn_t gfn)
{
}

static void start(void)
{
	memset(&mmu, 0, sizeof(mmu));
	memset(&shadow, 0, sizeof(shadow));
	INIT_LIST_HEAD(&mmu.retired);
	INIT_LIST_HEAD(&shadow.pages);
	INIT_LIST_HEAD(&shadow.dead);
	INIT_LIST_HEAD(&shadow.orphans);
	mv.vm = &mmu;
	INIT_LIST_HEAD(&mv.cache.pages);
	INIT_LIST_HEAD(&mv.spares);
	shadow.be.mmu = &mmu;
	shadow.be.fmt = pte_fmt_shadow();
	mmu.backend[MMU_SHADOW] = &shadow.be;
	while (shadow.index.capacity < PAGES) {
		check(!shadow_index_grow(&shadow));
		shadow.nr = shadow.index.capacity;
	}
	shadow.nr = 0;
	write_lock(&mmu.lock);
}

static struct shadow_page *page_new(gfn_t gfn, int level)
{
	union shadow_role role = { .word = 0 };

	role.level = level;
	role.mode = GPT_LONG;
	role.access = 7;
	check(!shadow_spares_fill(&mv, 1));
	return shadow_page_get(&shadow, &mv, gfn, role);
}

/* What was done since took no more than @most steps. */
static void expect(const char *what, unsigned long most)
{
	if (steps > most)
		failed++;
	printf("%s: %s: %lu steps, %lu at most\n", steps > most ? "not ok" : "ok", what, steps,
	       most);
	steps = 0;
}

static void drop_all(const char *what, unsigned long most_each)
{
	unsigned long worst = 0;

	while (!list_empty(&shadow.pages)) {
		steps = 0;
		shadow_page_drop(&shadow, list_first_entry(&shadow.pages, struct shadow_page, all));
		worst = max(worst, steps);
	}
	check(!shadow.nr && !shadow.nr_leaves);
	steps = worst;
	expect(what, most_each);
	pt_page_free_list(&mmu, &mmu.retired);
	shadow_index_free(&shadow.index);
	shadow_spares_drain(&mv);
}

static void link_all(struct shadow_page *sp, struct shadow_page *child)
{
	unsigned int i;

	for (i = 0; i < PT_ENTRIES; i++)
		shadow_page_link(&shadow, sp, i, child);
}

/* 512 entries for the same table, three times over, and that below many roots. */
static void test_ways(void)
{
	const unsigned long clear = EACH * SHADOW_MAX_PARENTS, drop = PT_ENTRIES * clear;
	struct shadow_page *root[ROOTS], *upper, *middle, *lower;
	unsigned int i;

	start();
	upper = page_new(10, 3);
	middle = page_new(11, 2);
	lower = page_new(12, 1);
	link_all(upper, middle);
	link_all(middle, lower);
	steps = 0;
	for (i = 0; i < ROOTS; i++) {
		root[i] = page_new(100 + i, 4);
		link_all(root[i], upper);
	}
	expect("roots that share tables are linked", ROOTS * PT_ENTRIES * EACH * 16);
	check(shadow.cut && upper->nr_parents <= SHADOW_MAX_PARENTS);
	shadow_page_clear(&shadow, root[ROOTS - 1], 0);
	expect("an entry is taken from a root", clear);
	shadow_page_drop(&shadow, root[ROOTS - 1]);
	expect("a root is dropped", drop);
	shadow_page_drop(&shadow, upper);
	expect("the table below all is dropped", drop);
	drop_all("the costliest of the rest", drop);
}

static void map_all(struct shadow_page *sp, gfn_t gfn)
{
	struct pt_iter it;
	unsigned int i;

	for (i = 0; i < PT_ENTRIES; i++) {
		shadow_cursor(&shadow, sp, i, &it);
		rmap_add(&shadow, sp, i, gfn);
		it.gfn = gfn;
		shadow_change(&shadow, &it, hpte_make_leaf(shadow.be.fmt, 7, 1, ACC_R));
		check(rmap_has(&shadow, sp, i));
	}
}

static unsigned int leaves_of(const struct shadow_page *sp)
{
	unsigned int i, n = 0;

	for (i = 0; i < PT_ENTRIES; i++)
		n += hpte_present(shadow.be.fmt, shadow_entry(sp, i));
	return n;
}

/* One frame by all entries of many tables: what is left of them is what the chain holds. */
static void test_one_frame(void)
{
	struct shadow_page *sp;
	unsigned int i, n = 0;

	start();
	for (i = 0; i < TABLES; i++)
		map_all(page_new(1000 + i, 1), 7);
	list_for_each_entry(sp, &shadow.pages, all)
		n += leaves_of(sp);
	check(n == shadow.nr_leaves && n <= LEAVES_MAX && shadow.cut >= TABLES);
	steps = 0;
	drop_all("the costliest of the tables that map one frame", PT_ENTRIES * LEAVES_MAX * EACH);
}

/* As many frames as a table has entries, each by as many tables as may be, the oldest first. */
static void test_many_frames(void)
{
	struct pt_iter it;
	unsigned int i, n;

	start();
	for (n = 0; n < LEAVES_MAX; n++) {
		struct shadow_page *sp = page_new(100000 + n, 1);

		for (i = 0; i < PT_ENTRIES; i++) {
			shadow_cursor(&shadow, sp, i, &it);
			rmap_add(&shadow, sp, i, i);
			it.gfn = i;
			shadow_change(&shadow, &it, hpte_make_leaf(shadow.be.fmt, 7, 1, ACC_R));
		}
	}
	drop_all("the costliest of the tables that map 512 frames", PT_ENTRIES * LEAVES_MAX * EACH);
}

/* A piece far below is known at every page that leads to it, however late it comes. */
static void test_pieces(void)
{
	struct shadow_page *root[2], *upper, *middle, *piece;
	union shadow_role role = { .word = 0 };

	start();
	root[0] = page_new(100, 4);
	root[1] = page_new(101, 4);
	upper = page_new(10, 3);
	middle = page_new(11, 2);
	link_all(root[0], upper);
	shadow_page_link(&shadow, upper, 3, middle);
	check(!root[0]->pieces && !upper->pieces && !middle->pieces);
	role.level = 1;
	role.mode = GPT_LONG;
	role.direct = 1;
	check(!shadow_spares_fill(&mv, 1));
	piece = shadow_page_get(&shadow, &mv, 512, role);
	shadow_page_link(&shadow, middle, 5, piece);
	check(root[0]->pieces && upper->pieces && middle->pieces && !root[1]->pieces);
	shadow_page_link(&shadow, root[1], 0, upper);
	check(root[1]->pieces);
	shadow_page_clear(&shadow, root[1], 0);
	check(!shadow_pieces_gone(&shadow));
	mmu.flush_done = mmu.flush_owed;
	check(shadow_pieces_gone(&shadow));
	drop_all("the costliest of a few pages", PT_ENTRIES * SHADOW_MAX_PARENTS * EACH);
}

int main(void)
{
	pages_init();
	test_pieces();
	test_ways();
	test_one_frame();
	test_many_frames();
	return failed ? 1 : 0;
}
