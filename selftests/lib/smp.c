// SPDX-License-Identifier: GPL-2.0-only
/* A guest with several processors: see smp.h. */
#include "smp.h"

#include <string.h>
#include <unistd.h>

#define START_PAGE GUEST_TRAPS /* start-up interrupts have its number */

enum word {
	STARTED,
	NUMBER,
	ENTRY,
};

/*
 * From real mode to long mode, and on at ENTRY with a stack of its own, rdi: its number, rbx: the
 * local APIC.  Descriptors of the tables are at the end of the page.
 */
/* clang-format off */
guest_code(code_start_up, 16,
	   "cli\n"
	   "xor %ax, %ax\n"
	   "mov %ax, %ds\n"
	   "lgdtl 0x9ff0\n"
	   "lidtl 0x9fe0\n"
	   "mov $0x20, %eax\n"
	   "mov %eax, %cr4\n"
	   "mov $" STRING(GUEST_TABLES) ", %eax\n"
	   "mov %eax, %cr3\n"
	   "mov $0xc0000080, %ecx\n"
	   "rdmsr\n"
	   "or $0x100, %eax\n"
	   "wrmsr\n"
	   "mov $0x80000031, %eax\n"
	   "mov %eax, %cr0\n"
	   "ljmpl $" STRING(SEL_CODE64) ", $0x9100\n");
/* clang-format on */

/* clang-format off */
guest_code(code_start_up64, 64,
	   "mov $" STRING(SEL_DATA) ", %eax\n"
	   "mov %eax, %ds\n"
	   "mov %eax, %es\n"
	   "mov %eax, %ss\n"
	   S_APIC
	   S_SET(APIC_SVR, 0x1ff)
	   S_GET(APIC_ID, edi)
	   "shr $24, %edi\n"
	   "lea 1(%rdi), %eax\n"
	   "shl $12, %eax\n"
	   "lea " STRING(VEC_STACKS) " - 8(%rax), %rsp\n"
	   "lock incq " S_STARTED "\n"
	   "jmp *" S_ENTRY "\n");
/* clang-format on */

static void descriptor(const struct guest *guest, uint64_t gpa, uint16_t limit, uint32_t base)
{
	uint8_t *at = guest_at(guest, gpa, 6);

	memcpy(at, &limit, 2);
	memcpy(at + 2, &base, 4);
}

void smp_create(struct smp *smp, unsigned int nr_cpus, const void *code, size_t size)
{
	struct guest *guest = &smp->guest;

	vec_create(guest, nr_cpus, VEC_KERNEL);
	memcpy(guest_at(guest, START_PAGE, 0x100), code_start_up,
	       code_start_up_end - code_start_up);
	memcpy(guest_at(guest, START_PAGE + 0x100, 0x100), code_start_up64,
	       code_start_up64_end - code_start_up64);
	descriptor(guest, START_PAGE + 0xff0, GDT_SIZE - 1, GUEST_GDT);
	descriptor(guest, START_PAGE + 0xfe0, 256 * 16 - 1, VEC_IDT);
	__guest_load(guest, code, size);
	vec_start(guest, 0);
	guest_shared(guest)[NUMBER] = nr_cpus;
	guest_shared(guest)[ENTRY] = GUEST_CODE;
}

static void thread_start(struct smp *smp, unsigned int cpu, void *(*run)(void *))
{
	struct smp_thread *thread = &smp->threads[cpu];

	thread->smp = smp;
	thread->cpu = cpu;
	thread->tid = 0;
	REQUIRE(!pthread_create(&thread->thread, NULL, run, thread));
	while (!thread->tid)
		usleep(100);
}

static void *run_always(void *data)
{
	struct smp_thread *thread = data;

	thread->tid = gettid();
	for (;;)
		guest_run(&thread->smp->guest, thread->cpu);
	return NULL;
}

static void *run_to_sync(void *data)
{
	struct smp_thread *thread = data;

	thread->tid = gettid();
	guest_run_to_sync(&thread->smp->guest, thread->cpu);
	return NULL;
}

/* All but CPU 0 run until the test ends. */
void smp_run_others(struct smp *smp)
{
	unsigned int i;

	for (i = 1; i < smp->guest.nr_cpus; i++)
		thread_start(smp, i, run_always);
}

/* CPU 0, too, has a thread, until it looks. */
void smp_run_first(struct smp *smp)
{
	thread_start(smp, 0, run_to_sync);
}

void smp_join_first(struct smp *smp)
{
	REQUIRE(!pthread_join(smp->threads[0].thread, NULL));
}

uint64_t smp_started(const struct smp *smp)
{
	return guest_shared(&smp->guest)[STARTED];
}

/* The test's own words: the one at SMP_OWN is 0. */
volatile uint64_t *smp_word(const struct smp *smp, unsigned int i)
{
	return &guest_shared(&smp->guest)[SMP_OWN / 8 + i];
}

/* Of each vCPU, one entry of @stats.  Kvm opens those of no vCPU that is in KVM_RUN. */
void smp_stats_open(const struct smp *smp, struct stats *stats)
{
	unsigned int i;

	for (i = 0; i < smp->guest.nr_cpus; i++)
		stats_open(&stats[i], smp->guest.vcpu[i].fd);
}

/* How many interrupts the device says that it has handed over. */
unsigned long long smp_injections(const struct smp *smp, const struct stats *stats)
{
	uint64_t sum = 0;
	unsigned int i;

	for (i = 0; i < smp->guest.nr_cpus; i++)
		sum += stats_value(&stats[i], "irq_injections");
	return sum;
}
