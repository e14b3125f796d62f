// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which tables the vCPUs run on whose own are shadowed, and how the VM goes over from its shadow
 * tables to its second table and back: as kmod/vm_move.c and kmod/x86/paging.c do it.
 *
 * A guest is unpaged while its VM is on the second table.  What its processor would do by tables of
 * its own there is to write to memory, as it does now.
 */
#include "shim.h"
#include "watch.h"
#include "world.h"

static enum mmu_kind kind_for(const struct cpu *cpu)
{
	if (!world.second || (!world.moved && world.rests))
		return MMU_SHADOW;
	return world.moved || cpu->root.mode == GPT_NONE ? MMU_TDP : MMU_SHADOW;
}

/* May the vCPU go on as it is?  In a read side of the slots this stays so. */
bool tables_are_right(const struct cpu *cpu)
{
	return !world.moving && !cpu->stale && cpu->mv.kind == kind_for(cpu) &&
	       (world.moved || !cpu->hidden);
}

/* Its paging is off while the VM is on the second table, and is what it was after that. */
static void hide_paging(struct cpu *cpu)
{
	struct gpt_root *root = &cpu->root;

	if (world.moved && root->mode != GPT_NONE) {
		cpu->paged = root->mode;
		cpu->hidden = true;
		root->mode = GPT_NONE;
	} else if (!world.moved && cpu->hidden) {
		cpu->hidden = false;
		root->mode = cpu->paged;
	}
	root->pdptr = root->mode == GPT_PAE ? cpu->pdptr : NULL;
}

/* The vCPU is about to enter the guest again, perhaps by other tables than before. */
static void enter(struct cpu *cpu)
{
	if (cpu->mv.flush)
		cpu_flush(cpu);
	cpu->mv.flush = false;
	cpu_exit(cpu);
}

/*
 * The vCPU's tables for the modes and CR3 that it has now, or, if the VM is about to go over, when
 * that is done.  Its guest has told the processor to forget.  The caller holds a read side.
 */
void tables_use(struct cpu *cpu)
{
	int r;

	cpu->stale = world.moving;
	if (world.moving)
		return;
	hide_paging(cpu);
	if (world.second)
		mmu_vcpu_use(&cpu->mv, kind_for(cpu));
	do {
		r = cpu->mv.kind == MMU_TDP ? 0 : mmu_load_root(&cpu->mv, &cpu->root);
		check(!r || (r == -ENOMEM && self->alloc_failed));
	} while (r);
	enter(cpu);
	cpu->since = world.time;
}

/* Before the vCPU does anything.  False: it has to wait. */
bool tables_await(struct cpu *cpu)
{
	bool moving;

	cpu->kicked = false;
	if (tables_are_right(cpu))
		return true;
	sim_srcu_lock();
	moving = world.moving;
	if (!moving) {
		cpu_exit(cpu);
		tables_use(cpu);
	}
	sim_srcu_unlock();
	return !moving;
}

/* The VM goes over. */
void tables_move(void)
{
	unsigned int i;

	note("user space: to the other MMU", 0, 0, 0);
	world.moving = true;
	for (i = 0; i < NR_CPUS; i++) {
		sim_srcu_lock();
		cpu_exit(&world.cpu[i]);
		world.cpu[i].kicked = true;
		sim_srcu_unlock();
	}
	sim_srcu_wait();
	world.moved = !world.moved;
	if (world.moved)
		mmu_forget_tables(&world.mmu);
	world.moving = false;
	count(SHADOW_MOVE);
}
