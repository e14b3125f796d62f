// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fibers, and the locks that they wait for.
 *
 * The scheduler's own stack is no fiber: it picks one, which runs until it gives the turn back.
 * Whoever waits gives the turn back at once and looks again when it has the next one; if all that
 * are asked wait for too long, they wait for each other.
 */
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#include <stdlib.h>
#include "fiber.h"

#define STACK_SIZE  (256u << 10)
#define MAX_READERS 16
#define MAX_WAITS   1000000

static struct fiber scheduler;
struct fiber *self = &scheduler; /* the scheduler too may take locks, while all fibers rest */

static struct fiber *readers[MAX_READERS]; /* fibers that ever read slots */
static unsigned int nr_readers;
static unsigned long srcu_clock;
static unsigned long waits; /* turns in a row that were given back to wait */

static void *main_sp, *main_fake;
static const void *main_stack;
static size_t main_size;

/* Gives the turn back to the scheduler. */
static void give_back(void)
{
	struct fiber *me = self;

	__sanitizer_start_switch_fiber(&me->fake, main_stack, main_size);
	fiber_switch(&me->sp, main_sp);
	__sanitizer_finish_switch_fiber(me->fake, &main_stack, &main_size);
}

static void fiber_main(void)
{
	__sanitizer_finish_switch_fiber(NULL, &main_stack, &main_size);
	for (;;) {
		self->job(self->arg);
		waits = 0;
		check(!self->spinning && !self->reading && !self->srcu);
		self->busy = false;
		give_back();
	}
}

void fiber_init(struct fiber *fiber, void (*job)(void *arg), void *arg)
{
	void **top;

	if (!fiber->stack)
		fiber->stack = aligned_alloc(4096, STACK_SIZE);
	top = (void **)(fiber->stack + STACK_SIZE);
	*fiber = (struct fiber){ .job = job, .arg = arg, .stack = fiber->stack };
	*--top = NULL;
	*--top = (void *)fiber_main;
	fiber->sp = top - 6;
	check(nr_readers < MAX_READERS);
	readers[nr_readers++] = fiber;
}

/* The stack stays for the next fiber in this place. */
void fiber_destroy(struct fiber *fiber)
{
	check(!fiber->busy);
	__asan_unpoison_memory_region(fiber->stack, STACK_SIZE);
}

void fibers_forget(void)
{
	nr_readers = 0;
}

/* The scheduler's: @fiber's turn, which begins its job if none is under way. */
void fiber_run(struct fiber *fiber)
{
	if (!fiber->busy) {
		fiber->alloc_failed = false;
		fiber->gup_error = 0;
		fiber->user_failed = false;
		fiber->busy = true;
	}
	self = fiber;
	__sanitizer_start_switch_fiber(&main_fake, fiber->stack, STACK_SIZE);
	fiber_switch(&main_sp, fiber->sp);
	__sanitizer_finish_switch_fiber(main_fake, NULL, NULL);
	self = &scheduler;
}

/* Another fiber may go on here. */
void point(void)
{
	if (self == &scheduler)
		return;
	waits = 0;
	if (draw_one_in(6))
		give_back();
}

/* Nothing can be done until another fiber has done something. */
void wait_turn(void)
{
	if (self == &scheduler)
		fail("the scheduler would have to wait");
	if (++waits > MAX_WAITS)
		fail("all wait for each other");
	give_back();
}

/* Others go on for so many turns. */
void let_others(unsigned int turns)
{
	while (turns--) {
		point();
		if (self != &scheduler)
			give_back();
	}
}

void read_lock(struct sim_lock *lock)
{
	point();
	while (lock->writer)
		wait_turn();
	check(!self->reading);
	lock->readers++;
	self->reading = lock;
	self->spinning++;
	point();
}

void read_unlock(struct sim_lock *lock)
{
	point();
	check(self->reading == lock && lock->readers > 0);
	lock->readers--;
	self->reading = NULL;
	self->spinning--;
	point();
}

static void lock_alone(struct sim_lock *lock)
{
	point();
	check(lock->writer != self);
	while (lock->writer || lock->readers)
		wait_turn();
	lock->writer = self;
	point();
}

static void unlock_alone(struct sim_lock *lock)
{
	point();
	check(lock->writer == self);
	lock->writer = NULL;
	point();
}

void write_lock(struct sim_lock *lock)
{
	lock_alone(lock);
	self->spinning++;
	self->holds++;
}

void write_unlock(struct sim_lock *lock)
{
	self->spinning--;
	unlock_alone(lock);
}

/* Gives up the lock, if chance has it that somebody waits for it, and takes it again.  Did it? */
bool sim_break(struct sim_lock *lock)
{
	check(lock->writer == self && self->spinning == 1);
	if (!draw_one_in(2))
		return false;
	write_unlock(lock);
	write_lock(lock);
	self->holds--;
	self->breaks++;
	return true;
}

void sim_mutex_lock(struct sim_lock *lock)
{
	check(!self->spinning);
	lock_alone(lock);
}

void sim_mutex_unlock(struct sim_lock *lock)
{
	unlock_alone(lock);
}

void sim_srcu_lock(void)
{
	check(!self->srcu);
	self->srcu = true;
	self->srcu_time = ++srcu_clock;
	point();
}

void sim_srcu_unlock(void)
{
	point();
	self->srcu = false;
}

/* Until nobody reads who did when this was called. */
void sim_srcu_wait(void)
{
	unsigned long now = srcu_clock;
	unsigned int i;

	point();
	for (i = 0; i < nr_readers; i++)
		while (readers[i]->srcu && readers[i]->srcu_time <= now)
			wait_turn();
}
