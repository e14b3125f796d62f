// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a host does to a process's memory behind its back: each with the notifier's calls before and
 * after, and with points in between.
 */
#include "host.h"
#include "mmu/mmu.h"
#include "shim.h"
#include "watch.h"
#include "world.h"

/* No guest may reach these pages, or they may again. */
static void block(unsigned int first, unsigned int n, int by)
{
	unsigned int i;

	if (n == GIANT_VPAGES)
		return host_block_giant(by);
	for (i = first; i < first + n; i++)
		host_vpage_at(i)->blocked += by;
}

void host_begin(unsigned int first, unsigned int n)
{
	unsigned long breaks = self->breaks;
	/* With 512 breaks it takes so long that hardly ever all of a GiB is valid. */
	bool may_sleep = n == GIANT_VPAGES ? draw_one_in(6) : draw(4);

	point();
	world_event();
	world.invalidating++;
	mmu_invalidate_begin(&world.mmu, HVA_BASE + (hva_t)first * PAGE_SIZE,
			     HVA_BASE + (hva_t)(first + n) * PAGE_SIZE, may_sleep);
	if (self->breaks != breaks)
		count(HOST_BREAK);
	model_check_due_at(HVA_BASE + (hva_t)first * PAGE_SIZE, n);
	block(first, n, 1);
	point();
}

void host_end(unsigned int first, unsigned int n)
{
	point();
	block(first, n, -1);
	mmu_invalidate_end(&world.mmu);
	world.invalidating--;
	world_event();
	point();
}

static bool is_huge(unsigned int group)
{
	return group < HVA_PAGES / HUGE_VPAGES && host_vpage_at(group * HUGE_VPAGES)->huge;
}

/* The host's table maps the 2 MiB by small entries from now on. */
static void split(unsigned int group)
{
	host_begin(group * HUGE_VPAGES, HUGE_VPAGES);
	if (is_huge(group)) {
		host_unmap_huge(group * HUGE_VPAGES);
		count(HOST_SPLIT);
	}
	host_end(group * HUGE_VPAGES, HUGE_VPAGES);
}

/*
 * As host_begin().  A huge page that it has a part of is split then, while the invalidation of the
 * part is active, and a whole one is mapped by small entries from now on.
 */
static void begin_small(unsigned int first, unsigned int n)
{
	unsigned int group = first / HUGE_VPAGES, last = (first + n - 1) / HUGE_VPAGES;

	host_begin(first, n);
	for (; group <= last; group++) {
		bool whole = group * HUGE_VPAGES >= first && (group + 1) * HUGE_VPAGES <= first + n;

		if (is_huge(group) && !whole)
			split(group);
		else if (is_huge(group))
			host_unmap_huge(group * HUGE_VPAGES);
	}
}

static unsigned long all_zaps(void)
{
	return world.zaps + world.small_zaps;
}

/* By a mapping that is still there. */
static bool is_touched(const struct vpage *v)
{
	return v->touched == world.zaps + 1 && !v->blocked;
}

/*
 * The host asks whether pages are in use.  What the guest has touched since it was last forgotten
 * has to be known, unless that was without a flush and a processor may still go on with what it had
 * cached.
 */
static void age(unsigned int first, unsigned int n, bool flush)
{
	/* A large leaf has one accessed bit: to forget one of its pages is to forget all. */
	unsigned int span = host_is_giant(first) ? GIANT_VPAGES : HUGE_VPAGES;
	unsigned int from = first / span * span;
	unsigned int to = min(DIV_ROUND_UP(first + n, span) * span, HVA_PAGES);
	hva_t start = HVA_BASE + (hva_t)first * PAGE_SIZE;
	unsigned long zaps = all_zaps(), ages = ++world.ages, begun = world.flushes_begun;
	unsigned long forgotten;
	bool touched = false, young, alone;
	unsigned int i;

	if (span == GIANT_VPAGES)
		host_age_giant(1, 0);
	for (i = host_next_seen(from); i < to; i = host_next_seen(i + 1)) {
		struct vpage *v = host_vpage_at(i);

		touched |= i >= first && i < first + n && is_touched(v);
		v->touched = 0;
		v->aging++;
	}
	young = mmu_age(&world.mmu, start, start + n * PAGE_SIZE, flush);
	/* Or the next answer would not be about the time from now on. */
	if (flush && young && world.flushes_begun == begun)
		fail("page %u of %u was in use, and is forgotten without a flush", first, n);
	/* Another one may take the bits from under it, or clear more after its flush. */
	alone = world.ages == ages;
	world.ages++;
	forgotten = alone && flush && young ? 0 : world.flushes_begun;
	if (span == GIANT_VPAGES)
		host_age_giant(-1, forgotten);
	for (i = host_next_seen(from); i < to; i = host_next_seen(i + 1)) {
		host_vpage_at(i)->aging--;
		host_vpage_at(i)->forgotten = forgotten;
	}
	if (touched && !young && alone && zaps == all_zaps())
		fail("page %u of %u is in use, and said to be idle", first, n);
	count(flush ? HOST_AGE_FLUSH : HOST_AGE);
}

static void test_young(struct vpage *v)
{
	bool touched = is_touched(v) && !v->aging;
	unsigned long then = all_zaps() + world.ages;
	bool young = mmu_is_young(&world.mmu, HVA_BASE + host_vpage_nr(v) * PAGE_SIZE);

	if (touched && !young && then == all_zaps() + world.ages)
		fail("page %u is in use, and said to be idle", host_vpage_nr(v));
	count(HOST_TEST_YOUNG);
}

/* An operation's step on one page, between begin and end. */
typedef void (*vpage_fn)(struct vpage *v);

static void over_range(unsigned int first, unsigned int n, vpage_fn fn)
{
	unsigned int i;

	begin_small(first, n);
	for (i = first; i < first + n; i++) {
		fn(host_vpage_at(i));
		if (n < 32)
			point();
	}
	host_end(first, n);
}

static bool mapped(const struct vpage *v)
{
	return v->state == VPAGE_PRESENT;
}

static void drop_page(struct vpage *v, enum vpage_state state)
{
	struct page *page = v->page;

	v->state = state;
	v->page = NULL;
	v->writable = false;
	v->dirty = false;
	if (page)
		host_leave(page);
}

/* MADV_DONTNEED, hole punching: what is there next are zeroes. */
static void discard(struct vpage *v)
{
	if (v->state == VPAGE_MOVING || v->table)
		return;
	drop_page(v, VPAGE_EMPTY);
	memset(v->value, 0, sizeof(v->value));
	count(HOST_DISCARD);
}

static void truncate(struct vpage *v)
{
	if (v->state == VPAGE_MOVING || v->table)
		return;
	drop_page(v, VPAGE_HOLE);
	memset(v->value, 0, sizeof(v->value));
	count(HOST_TRUNCATE);
}

/* A driver maps its device there. */
static void map_device(struct vpage *v)
{
	if (v->state == VPAGE_MOVING || v->table)
		return;
	drop_page(v, VPAGE_DEVICE);
	v->page = page_get(PAGE_DATA);
	v->page->device = true;
	v->writable = !v->readonly && draw(4);
	memset(v->value, 0, sizeof(v->value));
	count(HOST_DEVICE);
}

static void poison(struct vpage *v)
{
	if (!mapped(v) || v->table)
		return;
	drop_page(v, VPAGE_BAD);
	memset(v->value, 0, sizeof(v->value));
	count(HOST_POISON);
}

static void unmap(struct vpage *v)
{
	if (!mapped(v) || v->page->zero)
		return;
	if (v->dirty)
		v->page->dirty = true;
	v->state = VPAGE_UNMAPPED;
	v->writable = false;
	v->dirty = false;
}

static void protect(struct vpage *v)
{
	v->readonly = true;
	v->writable = false;
	count(HOST_PROTECT);
}

static void clean(struct vpage *v)
{
	if (!mapped(v) || v->page->zero)
		return;
	v->writable = false;
	if (v->dirty)
		v->page->dirty = true;
	v->dirty = false;
	count(HOST_CLEAN);
}

/* MADV_FREE: the contents are of no more use, but what is written from now on is. */
static void lazy_free(struct vpage *v)
{
	if (!mapped(v) || v->page->zero || v->page->sharers || world.shadow)
		return;
	v->dirty = false;
	v->page->dirty = false;
	v->page->written = false;
	memset(v->stored, 0, sizeof(v->stored));
	count(HOST_LAZY_FREE);
}

static void share(struct vpage *v)
{
	if (!mapped(v) || v->page->zero)
		return;
	v->writable = false;
	v->page->sharers++;
	v->page->refs++;
	count(HOST_SHARE);
}

static void store(struct vpage *v, const struct page *page)
{
	unsigned int i;

	for (i = 0; i < PAGE_WORDS; i++)
		v->stored[i] = *page_word(page, i);
}

/* Reclaim of a page that was unmapped: if it is clean it is just forgotten. */
static void reclaim(struct vpage *v)
{
	if (v->state != VPAGE_UNMAPPED || v->page->refs > 1)
		return;
	if (v->page->dirty) {
		store(v, v->page);
		v->page->written = false;
	}
	if (v->page->written)
		fail("page %u is forgotten as clean, but it was written", host_vpage_nr(v));
	drop_page(v, VPAGE_SWAPPED);
	memcpy(v->value, v->stored, sizeof(v->value));
	count(HOST_SWAP_OUT);
}

/* The other process ends, or writes: it does not need the page any more. */
static void unshare(struct vpage *v)
{
	if (!v->page || !v->page->sharers)
		return;
	v->page->sharers--;
	put_page(v->page);
	count(HOST_UNSHARE);
}

static void write_back(unsigned int nr)
{
	struct vpage *v = host_vpage_at(nr);
	struct page *page = v->page;

	over_range(nr, 1, clean);
	if (!mapped(v) || v->page != page || v->writable || page->zero || page->sharers)
		return;
	page->dirty = false;
	page->written = false;
	store(v, page);
}

static void migrate(unsigned int nr)
{
	struct vpage *v = host_vpage_at(nr);
	struct page *old = v->page, *new;

	over_range(nr, 1, unmap);
	if (v->state != VPAGE_UNMAPPED || v->page != old || old->sharers || old->refs > 1)
		return;
	v->state = VPAGE_MOVING;
	point();
	new = page_get(PAGE_DATA);
	page_copy(new, old);
	new->dirty = old->dirty;
	new->written = old->written;
	point();
	v->page = new;
	v->state = VPAGE_PRESENT;
	put_page(old);
	count(HOST_MIGRATE);
}

/* What was truncated, protected or broken is whole again. */
static void restore(struct vpage *v)
{
	if (v->state == VPAGE_HOLE || v->state == VPAGE_BAD)
		v->state = VPAGE_EMPTY;
	v->readonly = false;
	count(HOST_RESTORE);
}

/* Can @v become a part of a huge page, right now? */
static bool can_collapse(const struct vpage *v)
{
	if (v->blocked != 1 || v->readonly || v->huge)
		return false;
	if (v->state == VPAGE_EMPTY)
		return true;
	return v->state == VPAGE_PRESENT &&
	       (v->page->zero || (!v->page->sharers && v->page->refs == 1));
}

static void collapse_into(unsigned int first, struct page *huge)
{
	unsigned int i;

	for (i = 0; i < HUGE_VPAGES; i++) {
		struct vpage *v = host_vpage_at(first + i);

		if (!v->page)
			continue;
		page_copy(&huge[i], v->page);
		huge->dirty |= v->page->dirty || v->dirty;
		huge[i].written = v->page->written;
		host_leave(v->page);
	}
	host_map_huge(first, huge);
	count(HOST_COLLAPSE);
}

/* Small pages become a huge one. */
static void collapse(unsigned int group)
{
	unsigned int first = group * HUGE_VPAGES, i;
	struct page *huge = NULL;

	for (i = first; world.large && i < first + HUGE_VPAGES; i++) {
		restore(host_vpage_at(i));
		host_touch(host_vpage_at(i));
	}
	host_begin(first, HUGE_VPAGES);
	for (i = 0; i < HUGE_VPAGES; i++)
		if (!can_collapse(host_vpage_at(first + i)))
			break;
	if (i == HUGE_VPAGES)
		huge = pages_get_huge();
	if (huge)
		collapse_into(first, huge);
	host_end(first, HUGE_VPAGES);
}

static bool is_across(unsigned int first, unsigned int n)
{
	return !host_is_giant(first) && host_is_giant(first + n);
}

/* Some 2 MiB where guests are at work are taken away and come back: the host sees who comes. */
static void hide(void)
{
	unsigned int first, n = HUGE_VPAGES * (1 + draw(3));

	world_crowd();
	let_others(draw(100));
	first = world_pick_vpage() / HUGE_VPAGES * HUGE_VPAGES;
	if (first + n > HVA_PAGES || is_across(first, n))
		n = HUGE_VPAGES;
	/* Or they are gone, so that there can be a huge page at once. */
	if (!host_is_giant(first) && draw_one_in(4))
		return over_range(first, n, discard);
	host_begin(first, n);
	/* What lies beside may come meanwhile, by small leaves. */
	if (draw_one_in(3))
		let_others(draw(60));
	host_end(first, n);
	count(HOST_HIDE);
}

/*
 * Where guests are at work it asks again and again: who uses a page between has to be seen.  One at
 * a time, as two would take each other's answers.
 */
static bool busy_aging;

static void age_busy(void)
{
	unsigned int first, i, rounds = 2 + draw(6);

	busy_aging = true;
	world_crowd();
	let_others(draw(100));
	first = world_pick_vpage();
	for (i = 0; i < 30 && !is_touched(host_vpage_at(first)); i++)
		first = world_pick_vpage();
	while (rounds--) {
		age(first, 1, draw(4));
		let_others(draw(40));
	}
	busy_aging = false;
}

static unsigned int pick_length(unsigned int first)
{
	unsigned int n = draw_one_in(60) ? 1 + draw(1200) : 1 + draw(draw_one_in(3) ? 40 : 4);

	if (is_across(first, n))
		return GIANT_FIRST - first;
	return min(n, HVA_PAGES - first);
}

/* Giant pages are taken away, protected and mapped otherwise as a whole, and never swapped. */
static void giant_op(unsigned int first, unsigned int n)
{
	unsigned int what = draw(40);

	if (what < 10) {
		host_begin(GIANT_FIRST, GIANT_VPAGES);
		if (what < 2)
			host_unmap_giant();
		else if (what < 4)
			host_protect_giant(draw_one_in(4));
		else
			host_resize_giant();
		host_end(GIANT_FIRST, GIANT_VPAGES);
		/* A leaf of a GiB comes while all of it is valid. */
		let_others(draw(40));
	} else if (what < 20) {
		age(first, n, draw(2));
	} else if (what < 24) {
		hide();
	} else {
		test_young(host_vpage_at(first));
	}
}

/* The host is short of memory. */
static void shrink(void)
{
	unsigned long nr = 1 + draw(20);

	note("host: shrinks by %lu", nr, 0, 0);
	if (mmu_shadow_shrink(&world.mmu, nr))
		count(SHADOW_SHRUNK);
}

static void swap_out(unsigned int first, unsigned int n)
{
	unsigned int i;

	over_range(first, n, unmap);
	for (i = first; i < first + n; i++)
		reclaim(host_vpage_at(i));
}

/* One operation, drawn. */
void host_op(void)
{
	static const vpage_fn ranged[] = { discard, protect, clean, unmap, lazy_free, share };
	unsigned int first = world_pick_vpage(), n = pick_length(first), i;

	if (world.shadow && draw_one_in(50))
		return shrink();
	if (!busy_aging && draw_one_in(world.second ? 6 : 60))
		return age_busy();
	if (host_is_giant(first))
		return giant_op(first, n);
	if (is_huge(first / HUGE_VPAGES) && world.large && draw(16))
		return draw(3) ? age(first, n, draw(2)) : hide();
	switch (draw(23)) {
	case 16:
	case 17:
	case 18:
		return collapse(first / HUGE_VPAGES);
	case 19:
		return age(first, n, true);
	case 20:
		return age(first, n, false);
	case 21:
		return test_young(host_vpage_at(first));
	case 22:
		return hide();
	case 0:
	case 1:
	case 2:
	case 3:
	case 4:
		over_range(first, n, ranged[draw(ARRAY_SIZE(ranged))]);
		break;
	case 5:
		over_range(first, min(n, 4u),
			   draw_one_in(4)   ? poison
			   : draw_one_in(3) ? map_device
					    : truncate);
		break;
	case 6:
	case 7:
		migrate(first);
		break;
	case 8:
	case 9:
		write_back(first);
		break;
	case 10:
		for (i = first; i < first + n; i++)
			unshare(host_vpage_at(i));
		break;
	case 11:
	case 12:
	case 13:
		for (i = first; i < first + n; i++)
			restore(host_vpage_at(i));
		break;
	default:
		swap_out(first, n);
	}
}
