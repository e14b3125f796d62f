// SPDX-License-Identifier: GPL-2.0-only
/*
 * Ways in which a dirty log learns of writes: what they cost in exits, and that they tell the same.
 * All this is mkvm's own.
 *
 * The oracle is a second guest that does the same by write protection.
 */
#include <errno.h>
#include <linux/mkvm.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "lib/guest.h"
#include "lib/host.h"
#include "lib/rng.h"
#include "lib/stats.h"

#define PAGE  0x1000UL
#define HUGE  0x200000UL
#define FAR   (1UL << 30)
#define SLOT  3
#define PAGES 1024UL
#define WORDS (PAGES / 64)

/* A word in each of rcx pages from rdi on. */
guest_code(code_write, 64,
	   "1: incl (%rdi)\n"
	   "add $0x1000, %rdi\n"
	   "dec %rcx\n"
	   "jnz 1b\n"
	   "hlt\n");
guest_code(code_read, 64,
	   "1: mov (%rdi), %eax\n"
	   "add $0x1000, %rdi\n"
	   "dec %rcx\n"
	   "jnz 1b\n"
	   "hlt\n");
/*
 * rcx accesses of pages that a generator of numbers (rbx) picks of 1024 from rdi on: one in four is
 * a read.
 */
guest_code(code_random, 64,
	   "1: imul $1664525, %ebx, %ebx\n"
	   "add $1013904223, %ebx\n"
	   "mov %ebx, %eax\n"
	   "shr $22, %eax\n"
	   "shl $12, %rax\n"
	   "test $0x300000, %ebx\n"
	   "jz 2f\n"
	   "incl (%rdi,%rax)\n"
	   "jmp 3f\n"
	   "2: mov (%rdi,%rax), %edx\n"
	   "3: dec %rcx\n"
	   "jnz 1b\n"
	   "hlt\n");

struct fixture {
	struct guest guest;
	char *host;
	uint64_t faults; /* before the last run */
	uint64_t full;
	uint64_t bits[WORDS];
};

static void set_flags(struct fixture *f, uint32_t flags)
{
	REQUIRE_OK(vm_set_slot(&f->guest.vm, SLOT, FAR, PAGES * PAGE, f->host, flags));
}

/* The memory is aligned for huge pages, and small. */
static void set_up(struct fixture *f, unsigned int cpus, uint64_t mode)
{
	unsigned int i;
	char *at;

	memset(f, 0, sizeof(*f));
	guest_create(&f->guest, cpus);
	REQUIRE_OK(vm_enable_cap(&f->guest.vm, MKVM_CAP_DIRTY_LOG_MODE, mode));
	at = mmap(NULL, PAGES * PAGE + HUGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
		  -1, 0);
	REQUIRE(at != MAP_FAILED);
	f->host = (char *)(((unsigned long)at + HUGE - 1) & ~(HUGE - 1));
	REQUIRE(madvise(f->host, PAGES * PAGE, MADV_NOHUGEPAGE) == 0);
	memset(f->host, 1, PAGES * PAGE);
	set_flags(f, 0);
	for (i = 0; i < cpus; i++)
		guest_start(&f->guest, i, MODE_LONG);
}

#define LOAD(f, code, cpu, first, n, seed) load(f, code, code##_end - code, cpu, first, n, seed)
#define RUN(f, code, first, n, seed)              \
	do {                                      \
		LOAD(f, code, 0, first, n, seed); \
		run(f);                           \
	} while (0)

static void load(struct fixture *f, const unsigned char *code, size_t size, unsigned int cpu,
		 uint64_t first, uint64_t n, uint32_t seed)
{
	struct kvm_regs regs = guest_regs(&f->guest, cpu);

	__guest_load(&f->guest, code, size);
	regs.rip = GUEST_CODE;
	regs.rdi = FAR + first * PAGE;
	regs.rcx = n;
	regs.rbx = seed;
	REQUIRE_OK(vcpu_set_regs(&f->guest.vcpu[cpu], &regs));
}

static void run(struct fixture *f)
{
	static struct counts before, after;

	guest_counts(&f->guest, 0, &before);
	guest_run_to_hlt(&f->guest, 0);
	guest_counts(&f->guest, 0, &after);
	f->faults = after.sum.mmu_exits - before.sum.mmu_exits;
	f->full = after.sum.causes[MKVM_CAUSE_LOG_FULL] - before.sum.causes[MKVM_CAUSE_LOG_FULL];
}

static uint64_t get(struct fixture *f)
{
	uint64_t n = 0;
	unsigned int i;

	REQUIRE_OK(vm_get_dirty_log(&f->guest.vm, SLOT, f->bits));
	for (i = 0; i < WORDS; i++)
		n += __builtin_popcountll(f->bits[i]);
	return n;
}

/* Exits for 512 first writes, and for as many again. */
static void cost(uint64_t mode, uint64_t first_writes)
{
	struct fixture f;

	set_up(&f, 1, mode);
	RUN(&f, code_write, 0, PAGES, 0);
	set_flags(&f, KVM_MEM_LOG_DIRTY_PAGES);
	EXPECT_EQ(0, get(&f));
	RUN(&f, code_write, 0, 512, 0);
	EXPECT_EQ(first_writes, f.faults);
	RUN(&f, code_write, 0, 512, 0);
	EXPECT_EQ(0, f.faults);
	EXPECT_EQ(512, get(&f));
	RUN(&f, code_write, 100, 512, 0);
	EXPECT_EQ(first_writes, f.faults);
	EXPECT_EQ(512, get(&f));
	EXPECT_EQ(0, get(&f));
	guest_destroy(&f.guest);
}

static void cost_of_protection(void)
{
	cost(MKVM_DIRTY_LOG_PROTECT, 512);
}

static void cost_of_bits(void)
{
	cost(MKVM_DIRTY_LOG_BITS, 0);
}

static void cost_of_list(void)
{
	cost(MKVM_DIRTY_LOG_PML, 0);
}

/* More than the list has room for: one exit for each 512. */
static void list_is_full(void)
{
	struct fixture f;

	set_up(&f, 1, MKVM_DIRTY_LOG_PML);
	RUN(&f, code_write, 0, PAGES, 0);
	set_flags(&f, KVM_MEM_LOG_DIRTY_PAGES);
	RUN(&f, code_write, 0, PAGES, 0);
	EXPECT_EQ(1, f.faults);
	EXPECT_EQ(1, f.full);
	EXPECT_EQ(PAGES, get(&f));
	/* Nothing is listed when nothing is logged. */
	set_flags(&f, 0);
	RUN(&f, code_write, 0, PAGES, 0);
	EXPECT_EQ(0, f.faults);
	guest_destroy(&f.guest);
}

/* What the host, or the log, does between two runs; to both guests. */
static void disturb(struct fixture *f, uint32_t what, uint64_t mode)
{
	char *half = f->host + (what & 1) * HUGE;

	switch (what >> 1 & 7) {
	case 0:
		REQUIRE(madvise(half, HUGE / 2, MADV_DONTNEED) == 0);
		break;
	case 1:
		/* If the host has no huge page to give, there is none. */
		madvise(half, HUGE, MADV_HUGEPAGE);
		madvise(half, HUGE, 25 /* MADV_COLLAPSE */);
		break;
	case 2:
		REQUIRE(madvise(half, PAGE, MADV_DONTNEED) == 0);
		break;
	case 3:
		set_flags(f, 0);
		if (what & 16)
			RUN(f, code_random, 0, 200, what);
		REQUIRE_OK(vm_enable_cap(&f->guest.vm, MKVM_CAP_DIRTY_LOG_MODE, mode));
		set_flags(f, KVM_MEM_LOG_DIRTY_PAGES);
		break;
	case 4:
		REQUIRE_OK(vm_set_slot(&f->guest.vm, SLOT, FAR + 4 * HUGE, PAGES * PAGE, f->host,
				       KVM_MEM_LOG_DIRTY_PAGES));
		set_flags(f, KVM_MEM_LOG_DIRTY_PAGES);
		break;
	default:
		break;
	}
}

/* A random guest in @mode and one by write protection: each log is the same. */
static void as_the_oracle(uint64_t mode)
{
	struct rng rng = { .state = 12345 };
	struct fixture f, oracle;
	unsigned int i, round, rounds = host_is_bochs() ? 30 : 60;
	uint64_t told = 0;

	set_up(&f, 1, mode);
	set_up(&oracle, 1, MKVM_DIRTY_LOG_PROTECT);
	set_flags(&f, KVM_MEM_LOG_DIRTY_PAGES);
	set_flags(&oracle, KVM_MEM_LOG_DIRTY_PAGES);
	for (round = 0; round < rounds; round++) {
		uint32_t seed = rng_next(&rng), n = 1 + rng_next(&rng) % 700;
		uint32_t what = rng_next(&rng) % 32;

		RUN(&f, code_random, 0, n, seed);
		RUN(&oracle, code_random, 0, n, seed);
		disturb(&f, what, mode);
		disturb(&oracle, what, MKVM_DIRTY_LOG_PROTECT);
		if (round % 3 == 0)
			continue;
		told += get(&f);
		get(&oracle);
		for (i = 0; i < WORDS; i++)
			EXPECT(f.bits[i] == oracle.bits[i], "round %u, word %u: %#llx, not %#llx",
			       round, i, (unsigned long long)f.bits[i],
			       (unsigned long long)oracle.bits[i]);
	}
	ktap_note("%llu pages were told", (unsigned long long)told);
	EXPECT(told > rounds * 80);
	guest_destroy(&f.guest);
	guest_destroy(&oracle.guest);
}

static void bits_are_the_oracle(void)
{
	as_the_oracle(MKVM_DIRTY_LOG_BITS);
}

static void list_is_the_oracle(void)
{
	as_the_oracle(MKVM_DIRTY_LOG_PML);
}

static void eager_is_the_oracle(void)
{
	as_the_oracle(MKVM_DIRTY_LOG_BITS | MKVM_DIRTY_LOG_EAGER_SPLIT);
}

struct writer {
	pthread_t thread;
	struct fixture *f;
	unsigned int cpu;
};

static void *write_all(void *data)
{
	struct writer *w = data;

	guest_run_to_hlt(&w->f->guest, w->cpu);
	return NULL;
}

/*
 * Two vCPUs write while the log is read: each page that is written is told at least once, after all
 * have ended too.
 */
static void several_write(uint64_t mode)
{
	uint64_t all[WORDS] = { 0 };
	struct writer w[2];
	struct fixture f;
	unsigned int i, cpu, round;

	set_up(&f, 2, mode);
	set_flags(&f, KVM_MEM_LOG_DIRTY_PAGES);
	for (round = 0; round < 5; round++) {
		memset(all, 0, sizeof(all));
		for (cpu = 0; cpu < 2; cpu++) {
			w[cpu] = (struct writer){ .f = &f, .cpu = cpu };
			LOAD(&f, code_write, cpu, cpu * 512, 512, 0);
			REQUIRE(!pthread_create(&w[cpu].thread, NULL, write_all, &w[cpu]));
		}
		for (i = 0; i < 20; i++) {
			unsigned int word;

			get(&f);
			for (word = 0; word < WORDS; word++)
				all[word] |= f.bits[word];
		}
		for (cpu = 0; cpu < 2; cpu++)
			pthread_join(w[cpu].thread, NULL);
		get(&f);
		for (i = 0; i < WORDS; i++)
			EXPECT_EQ(~0ULL, all[i] | f.bits[i]);
		EXPECT_EQ(0, get(&f));
	}
	guest_destroy(&f.guest);
}

static void several_write_by_protection(void)
{
	several_write(MKVM_DIRTY_LOG_PROTECT);
}

static void several_write_by_bits(void)
{
	several_write(MKVM_DIRTY_LOG_BITS);
}

static void several_write_by_list(void)
{
	several_write(MKVM_DIRTY_LOG_PML);
}

static const struct ktap_test by_bits[] = {
	KTAP_TEST(cost_of_protection),	  KTAP_TEST(cost_of_bits),
	KTAP_TEST(bits_are_the_oracle),	  KTAP_TEST(eager_is_the_oracle),
	KTAP_TEST(several_write_by_bits), KTAP_TEST(several_write_by_protection),
};

static const struct ktap_test by_list[] = {
	KTAP_TEST(cost_of_list),
	KTAP_TEST(list_is_full),
	KTAP_TEST(list_is_the_oracle),
	KTAP_TEST(several_write_by_list),
};

static void needs_mkvm(void)
{
	ktap_skip("modes of the dirty log are mkvm's own");
}

static const struct ktap_test on_kvm[] = { KTAP_TEST(needs_mkvm) };

/* What the processor does not have is no test of it. */
int main(int argc, char **argv)
{
	struct ktap_test tests[16];
	struct kvm_dev dev;
	size_t nr = 0;
	int modes = 0;

	if (!kvm_dev_open(&dev, kvm_dev_default())) {
		if (kvm_dev_is_mkvm(&dev))
			modes = kvm_dev_extension(&dev, MKVM_CAP_DIRTY_LOG_MODE);
		kvm_dev_close(&dev);
	}
	if (modes <= 0)
		return ktap_main(on_kvm, 1, argc, argv);
	memcpy(tests, by_bits, sizeof(by_bits));
	nr += sizeof(by_bits) / sizeof(by_bits[0]);
	if (modes & MKVM_DIRTY_LOG_PML) {
		memcpy(tests + nr, by_list, sizeof(by_list));
		nr += sizeof(by_list) / sizeof(by_list[0]);
	}
	return ktap_main(tests, nr, argc, argv);
}
