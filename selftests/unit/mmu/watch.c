// SPDX-License-Identifier: GPL-2.0-only
/*
 * What is seen of a run: each fault and each change of an entry, as the module's trace events tell
 * them; the counts; and the last notes before something was found.
 */
#include <stdarg.h>
#include <stdio.h>
#include "mmu/backend.h"
#include "mmu/mmu_trace.h"
#include "shim.h"
#include "watch.h"
#include "world.h"

#define NR_NOTES 40

unsigned long watched[NR_WATCHED];

static struct {
	const char *format;
	u64 value[3];
	const struct fiber *fiber;
} notes[NR_NOTES];
static unsigned long nr_notes;

void note(const char *format, uint64_t a, uint64_t b, uint64_t c)
{
	typeof(notes[0]) *n = &notes[nr_notes++ % NR_NOTES];

	n->format = format;
	n->value[0] = a;
	n->value[1] = b;
	n->value[2] = c;
	n->fiber = self;
}

static void print_notes(void)
{
	unsigned long i = nr_notes > NR_NOTES ? nr_notes - NR_NOTES : 0;

	for (; i < nr_notes; i++) {
		const typeof(notes[0]) *n = &notes[i % NR_NOTES];

		printf("#   thread %p: ", (const void *)n->fiber);
		printf(n->format, n->value[0], n->value[1], n->value[2]);
		printf("\n");
	}
}

void fail(const char *format, ...)
{
	va_list args;

	printf("# the last of what happened:\n");
	print_notes();
	printf("FOUND: ");
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf("\n");
	fflush(stdout);
	abort();
}

void proof_mkvm_mmu_fault(u64 gpa, u32 access, u32 cause)
{
	note("fault: frame %#lx access %lu cause %lu", gpa_to_gfn(gpa), access, cause);
	self->faults++;
}

/* What a guest has used by this entry is forgotten with it. */
static void forget_touched(gfn_t gfn, int level)
{
	int before;

	if (level > 1)
		world.zaps++;
	else
		world.small_zaps++;
	for (before = 0; level == 1 && before < 2; before++) {
		const struct model_slot *slot = model_find(gfn, before);

		if (slot)
			model_vpage(slot, gfn)->touched = 0;
	}
}

/* What became of an entry that may span a GiB. */
static void watch_giant(const struct cpu_entry *was, const struct cpu_entry *is)
{
	if (is->present && is->leaf && !was->present)
		count(world.mmu.lock.writer == self ? ENTRY_GIANT_ROOM : ENTRY_GIANT);
	if (was->present && was->leaf && !is->present)
		count(ENTRY_GIANT_NONE);
	if (was->present && was->leaf && is->present && !is->leaf)
		count(ENTRY_GIANT_TABLE);
}

/* One split of several under one lock: others had it in between. */
static void watch_eager(void)
{
	static unsigned long holds, breaks;

	if (holds == self->holds && breaks != self->breaks)
		count(ENTRY_SPLIT_BREAK);
	holds = self->holds;
	breaks = self->breaks;
}

/* A large leaf has been split: may its pieces do more? */
static void watch_split(const struct cpu_format *format, const struct cpu_entry *was,
			const struct cpu_entry *is, int level)
{
	const u64 *table = phys_to_virt(is->address);
	const struct cpu_entry piece = format->read(table[0], level - 1);

	count(ENTRY_LEAF_TABLE);
	if (world.mmu.lock.writer == self)
		watch_eager();
	if (!(piece.access & ~was->access))
		return;
	self->installs++;
	count(ENTRY_SPLIT_OPEN);
}

/* A leaf has got one right for another: a user's page is lent to the supervisor, or given back. */
static void watch_lent(bool shadow, u32 lost, u32 got)
{
	bool lent = got == ACC_W;

	check(shadow && (lent || lost == ACC_W));
	check((lent ? lost : got) == ACC_U || (lent ? lost : got) == (ACC_U | ACC_X));
	count(lent ? SHADOW_LENT : SHADOW_RETURNED);
}

/* What became of an entry; changes that no table of the MMU has are found here. */
void proof_mkvm_pt_change(u64 gfn, int level, u64 old, u64 new, bool shadow)
{
	const struct cpu_format *format = shadow ? &cpu_linear : world.format;
	const struct cpu_entry was = format->read(old, level), is = format->read(new, level);

	note("entry of frame %#lx: %#lx -> %#lx", gfn, old, new);
	check(!is.wrong);
	world.entries++;
	self->changes++;
	if (is.present && is.leaf && (!was.present || is.access & ~was.access))
		self->installs++;
	if (shadow && is.present && !is.leaf && !was.present)
		self->links++;
	if (level == 3)
		watch_giant(&was, &is);
	if (is.present && is.leaf && level > 1)
		count(world.mmu.lock.writer == self ? ENTRY_ROOM : ENTRY_LARGE);
	if (was.present && was.leaf && is.present && !is.leaf)
		return watch_split(format, &was, &is, level);
	/* What was aged is forgotten. */
	if (!was.present && !is.present)
		return check(old && !new);
	if (!was.present && is.present)
		return count(is.leaf ? ENTRY_NONE_LEAF : ENTRY_NONE_TABLE);
	/* Below a link of shadow tables each leaf goes by itself. */
	if (was.present && !is.present && (was.leaf || !shadow))
		forget_touched(gfn, level);
	if (was.present && !is.present)
		return count(was.leaf ? ENTRY_LEAF_NONE : ENTRY_TABLE_NONE);
	check(was.present && was.leaf && is.leaf && was.address == is.address);
	if ((was.access & ~is.access) && (is.access & ~was.access))
		return watch_lent(shadow, was.access & ~is.access, is.access & ~was.access);
	if (is.access == was.access)
		return count(ENTRY_LEAF_CLEAN);
	count(is.access & ~was.access ? ENTRY_LEAF_MORE : ENTRY_LEAF_LESS);
}

int watch_report(unsigned long least)
{
#define WATCHED_TEXT(name, text) text,
	static const char *const texts[] = { WATCHED(WATCHED_TEXT) };
	int i, few = 0;

	for (i = 0; i < NR_WATCHED; i++) {
		printf("# %10lu  %s\n", watched[i], texts[i]);
		if (watched[i] < least) {
			printf("not ok: %s: %lu times, fewer than %lu\n", texts[i], watched[i],
			       least);
			few++;
		}
	}
	return few;
}
