// SPDX-License-Identifier: GPL-2.0-only
/*
 * The host puts other memory behind a guest's page while the guest's CPUs are moved from processor
 * to processor: once the system call has returned no CPU may read what was there before.
 *
 * Each value of the page is larger than all before it.  When a change is done its value is stored
 * to FLOOR.  The guest loads the floor, then the page; a page below the floor is stale.
 */
#include <errno.h>
#include <linux/kvm.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "lib/guest.h"
#include "lib/host.h"

#define PAGE	 0x1000UL
#define PAGE_GPA 0x200000UL
#define NR_CPUS	 2
#define CHANGES	 100
#define LIMIT	 600 /* seconds: only so that a hang is told as one */

/* Words of the shared page; each CPU's own begin at OF(cpu). */
#define FLOOR	      0
#define STOP	      1
#define OF(cpu)	      (8 + 8 * (cpu))
#define READS(cpu)    OF(cpu)
#define STALE(cpu)    (OF(cpu) + 1)
#define READ(cpu)     (OF(cpu) + 2)
#define EXPECTED(cpu) (OF(cpu) + 3)

guest_code(code_compare, 64,
	   "1: mov " S_SHARED ", %rax\n"
	   "mov (%rdi), %rbx\n"
	   "cmp %rax, %rbx\n"
	   "jae 2f\n"
	   "incq 8(%rsi)\n"
	   "mov %rbx, 16(%rsi)\n"
	   "mov %rax, 24(%rsi)\n"
	   "2: incq (%rsi)\n"
	   "cmpq $0, " S_SHARED " + 8\n"
	   "je 1b\n"
	   "hlt\n");

struct fixture {
	struct guest guest;
	volatile uint64_t *page;
	volatile uint64_t *shared;
	uint64_t value;
	struct {
		struct fixture *fixture;
		unsigned int cpu;
		pthread_t thread;
		volatile pid_t tid;
	} cpus[NR_CPUS];
	pthread_t mover;
	volatile bool stop_moving;
	volatile uint64_t moves;
	uint64_t moves_between; /* changes with a move since the one before */
};

static void *run(void *data)
{
	struct fixture *f = *(struct fixture **)data;
	unsigned int cpu = data == &f->cpus[0] ? 0 : 1;

	f->cpus[cpu].tid = gettid();
	guest_run_to_hlt(&f->guest, cpu);
	return NULL;
}

/* The two CPUs change places again and again. */
static void *move(void *data)
{
	struct fixture *f = data;
	unsigned int cpu;

	while (!f->stop_moving) {
		for (cpu = 0; cpu < NR_CPUS; cpu++)
			host_pin_thread(f->cpus[cpu].tid, (f->moves + cpu) % 2);
		f->moves++;
		usleep(100);
	}
	return NULL;
}

static void set_up(struct fixture *f)
{
	unsigned int cpu;

	prctl(PR_SET_TIMERSLACK, 1);
	memset(f, 0, sizeof(*f));
	guest_create(&f->guest, NR_CPUS);
	guest_load(&f->guest, code_compare);
	f->page = guest_at(&f->guest, PAGE_GPA, PAGE);
	f->shared = guest_shared(&f->guest);
	for (cpu = 0; cpu < NR_CPUS; cpu++) {
		struct kvm_regs regs;

		guest_start(&f->guest, cpu, MODE_LONG);
		regs = guest_regs(&f->guest, cpu);
		regs.rdi = PAGE_GPA;
		regs.rsi = GUEST_SHARED + 8 * OF(cpu);
		REQUIRE_OK(vcpu_set_regs(&f->guest.vcpu[cpu], &regs));
		f->cpus[cpu].fixture = f;
		REQUIRE(!pthread_create(&f->cpus[cpu].thread, NULL, run, &f->cpus[cpu]));
		while (!f->cpus[cpu].tid)
			usleep(100);
	}
	REQUIRE(!pthread_create(&f->mover, NULL, move, f));
}

/* The change to the next value is done: from here on a smaller one is stale. */
static void changed(struct fixture *f)
{
	uint64_t moves = f->moves;
	unsigned int cpu;

	__atomic_store_n(&f->shared[FLOOR], f->value, __ATOMIC_SEQ_CST);
	for (cpu = 0; cpu < NR_CPUS; cpu++) {
		uint64_t until = f->shared[READS(cpu)] + 2;

		while (f->shared[READS(cpu)] < until)
			usleep(50);
	}
	while (f->moves == moves)
		usleep(50);
	f->moves_between++;
}

static void finish(struct fixture *f, uint64_t changes)
{
	unsigned int cpu;

	f->stop_moving = true;
	REQUIRE(!pthread_join(f->mover, NULL));
	f->shared[STOP] = 1;
	for (cpu = 0; cpu < NR_CPUS; cpu++) {
		REQUIRE(!pthread_join(f->cpus[cpu].thread, NULL));
		EXPECT(f->shared[STALE(cpu)] == 0,
		       "CPU %u: %llu of %llu reads were stale; the last was %llu, %llu was due",
		       cpu, (unsigned long long)f->shared[STALE(cpu)],
		       (unsigned long long)f->shared[READS(cpu)],
		       (unsigned long long)f->shared[READ(cpu)],
		       (unsigned long long)f->shared[EXPECTED(cpu)]);
	}
	ktap_note("changes: %llu, moves: %llu, reads: %llu and %llu",
		  (unsigned long long)f->moves_between, (unsigned long long)f->moves,
		  (unsigned long long)f->shared[READS(0)], (unsigned long long)f->shared[READS(1)]);
	EXPECT_EQ(changes, f->moves_between);
}

/* A page that was prepared elsewhere is moved in. */
static void moved_in(void)
{
	struct fixture f;
	uint64_t i;

	set_up(&f);
	for (i = 0; i < CHANGES; i++) {
		uint64_t *other = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
				       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		REQUIRE(other != MAP_FAILED);
		*other = ++f.value;
		REQUIRE(mremap(other, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, f.page) == f.page);
		changed(&f);
	}
	finish(&f, CHANGES);
}

static int memfd(off_t size)
{
	int fd = memfd_create("guest", MFD_CLOEXEC);

	REQUIRE(fd >= 0 && ftruncate(fd, size) == 0, "%s", strerror(errno));
	return fd;
}

static void map_file(struct fixture *f, int fd, off_t offset, int flags)
{
	void *at =
		mmap((void *)f->page, PAGE, PROT_READ | PROT_WRITE, flags | MAP_FIXED, fd, offset);

	REQUIRE(at == f->page, "%s", strerror(errno));
}

/* Two pages of a file take turns: the old one stays as it was. */
static void mapped_over(void)
{
	struct fixture f;
	uint64_t i;
	int fd;

	set_up(&f);
	fd = memfd(2 * PAGE);
	for (i = 0; i < CHANGES; i++) {
		off_t offset = i % 2 * PAGE;

		f.value++;
		REQUIRE(pwrite(fd, &f.value, sizeof(f.value), offset) == sizeof(f.value));
		map_file(&f, fd, offset, MAP_SHARED);
		changed(&f);
	}
	finish(&f, CHANGES);
}

/* A private mapping: our store makes a copy, giving that back makes the file's page appear. */
static void copied_on_write(void)
{
	struct fixture f;
	uint64_t i;
	int fd;

	set_up(&f);
	fd = memfd(PAGE);
	map_file(&f, fd, 0, MAP_PRIVATE);
	for (i = 0; i < CHANGES / 2; i++) {
		*f.page = ++f.value;
		changed(&f);
		f.value++;
		REQUIRE(pwrite(fd, &f.value, sizeof(f.value), 0) == sizeof(f.value));
		REQUIRE(madvise((void *)f.page, PAGE, MADV_DONTNEED) == 0, "%s", strerror(errno));
		changed(&f);
	}
	finish(&f, CHANGES);
}

/* The test does notice a floor that is too high. */
static void notices_a_stale_read(void)
{
	struct fixture f;

	set_up(&f);
	*f.page = 5;
	f.value = 6;
	changed(&f);
	f.stop_moving = true;
	REQUIRE(!pthread_join(f.mover, NULL));
	f.shared[STOP] = 1;
	REQUIRE(!pthread_join(f.cpus[0].thread, NULL));
	REQUIRE(!pthread_join(f.cpus[1].thread, NULL));
	EXPECT(f.shared[STALE(0)] > 0);
	EXPECT(f.shared[STALE(1)] > 0);
	EXPECT_EQ(5, f.shared[READ(0)]);
	EXPECT_EQ(6, f.shared[EXPECTED(0)]);
}

static const struct ktap_test tests[] = {
	KTAP_TEST_LIMIT(moved_in, LIMIT),
	KTAP_TEST_LIMIT(mapped_over, LIMIT),
	KTAP_TEST_LIMIT(copied_on_write, LIMIT),
	KTAP_TEST_LIMIT(notices_a_stale_read, LIMIT),
};

KTAP_MAIN(tests)
