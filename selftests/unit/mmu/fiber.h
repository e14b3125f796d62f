/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Threads as the proof has them: fibers, of which one runs until it comes to a point(), waits for a
 * lock, or has done its job.  Which one goes on then is drawn, so that a seed is a whole
 * interleaving.
 */
#ifndef UNIT_MMU_FIBER_H
#define UNIT_MMU_FIBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fiber;

/* A lock for readers and writers, and a mutex, which knows writers only. */
struct sim_lock {
	int readers;
	struct fiber *writer;
};

typedef struct sim_lock rwlock_t;

struct mutex {
	struct sim_lock l;
};

struct srcu_struct {
	bool alive;
};

/**
 * struct fiber - one thread; all fields are its own but @busy
 * @job: what it does when it is asked to
 * @arg: for @job
 * @busy: @job is under way
 * @sp: its stack pointer while it does not run
 * @stack: its stack
 * @fake: the address sanitizer's
 * @spinning: locks held that forbid to sleep
 * @reading: the lock that it reads under
 * @srcu: it reads slots, since @srcu_time
 * @srcu_time: see @srcu
 * @alloc_failed: an allocation of this job failed
 * @gup_error: the last error of get_user_pages_unlocked() in this job, or 0
 * @user_failed: an access of the process itself failed in this job
 * @nofault: page faults of the process fail, and may not be waited for
 * @faults: faults that were traced in this job
 * @holds: how often it has taken a lock for writing, ever
 * @breaks: how often such a lock was given up on the way, ever
 * @changes: entries that it changed, ever
 * @signaled: it was told of a signal, in this job
 * @installs: leaves that were added, or allow more, in this job
 * @links: entries of shadow tables that name a table, and named none, the same
 */
struct fiber {
	void (*job)(void *arg);
	void *arg;
	bool busy;
	void *sp;
	char *stack;
	void *fake;
	int spinning;
	struct sim_lock *reading;
	bool srcu;
	unsigned long srcu_time;
	bool alloc_failed;
	int gup_error;
	bool user_failed;
	int nofault;
	unsigned int faults;
	unsigned long holds;
	unsigned long breaks;
	unsigned long changes;
	bool signaled;
	unsigned int installs;
	unsigned int links;
};

extern struct fiber *self;

void fiber_init(struct fiber *fiber, void (*job)(void *arg), void *arg);
void fiber_destroy(struct fiber *fiber);
void fiber_run(struct fiber *fiber);
void fibers_forget(void);

/* fiber_asm.S */
void fiber_switch(void **from, void *to);

void point(void);
void wait_turn(void);
void let_others(unsigned int turns);

/* One more, and others see it before the caller goes on. */
static inline long long sim_increase(long long *value)
{
	long long now = ++*value;

	point();
	return now;
}

void read_lock(struct sim_lock *lock);
void read_unlock(struct sim_lock *lock);
void write_lock(struct sim_lock *lock);
#define write_trylock(lock) (write_lock(lock), true)
void write_unlock(struct sim_lock *lock);
bool sim_break(struct sim_lock *lock);
void sim_mutex_lock(struct sim_lock *lock);
void sim_mutex_unlock(struct sim_lock *lock);
void sim_srcu_lock(void);
void sim_srcu_unlock(void);
void sim_srcu_wait(void);

/* What chance decides: the seed's numbers, or the bytes of a fuzzer's input (draw.c). */
void draw_seed(uint64_t seed);
void draw_bytes(const uint8_t *data, size_t size);
bool draw_is_over(void);
uint32_t draw(uint32_t n);

static inline bool draw_one_in(uint32_t n)
{
	return !draw(n);
}

/* The end of a run that found something. */
void fail(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));
#define check(claim) ((claim) ? (void)0 : fail("%s:%d: not so: %s", __func__, __LINE__, #claim))

/* Notes of what is done; the last ones are told when something is found. */
void note(const char *format, uint64_t a, uint64_t b, uint64_t c);

#endif
