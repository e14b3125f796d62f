/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A guest with several processors, of which all but the first wait for INIT and a start-up
 * interrupt.  Each has a thread.
 *
 * All come to the test's code with rdi their number and rbx the local APIC's page; the first one
 * starts the others by S_START_OTHERS.
 */
#ifndef SELFTESTS_SMP_H
#define SELFTESTS_SMP_H

#include <pthread.h>
#include <sys/types.h>

#include "stats.h"
#include "vectors.h"

/* Words of GUEST_SHARED; those from SMP_OWN on are the test's. */
#define S_STARTED STRING(GUEST_SHARED)	    /* how many others are there */
#define S_NUMBER  STRING(GUEST_SHARED + 8)  /* of processors */
#define S_ENTRY	  STRING(GUEST_SHARED + 16) /* where the others go on */
#define SMP_OWN	  32

/* INIT and start-up interrupt for all others, then until they are there. */
#define S_START_OTHERS              \
	S_SET(APIC_ICR, 0xc4500)    \
	S_SET(APIC_ICR, 0xc4609)    \
	"mov " S_NUMBER ", %rax\n"  \
	"dec %rax\n"                \
	"91: pause\n"               \
	"cmp %rax, " S_STARTED "\n" \
	"jb 91b\n"

struct smp {
	struct guest guest;
	struct smp_thread {
		struct smp *smp;
		unsigned int cpu;
		pthread_t thread;
		volatile pid_t tid;
	} threads[GUEST_MAX_VCPUS];
};

#define SMP_CREATE(smp, nr, code) smp_create(smp, nr, code, code##_end - code)

void smp_create(struct smp *smp, unsigned int nr_cpus, const void *code, size_t size);
void smp_run_others(struct smp *smp);
void smp_run_first(struct smp *smp);
void smp_join_first(struct smp *smp);
uint64_t smp_started(const struct smp *smp);
void smp_stats_open(const struct smp *smp, struct stats *stats);
unsigned long long smp_injections(const struct smp *smp, const struct stats *stats);
volatile uint64_t *smp_word(const struct smp *smp, unsigned int i);

#endif
