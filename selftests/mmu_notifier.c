// SPDX-License-Identifier: GPL-2.0-only
/*
 * The host changes the memory behind a running guest: the guest never sees what was there before,
 * and where there is nothing any more its KVM_RUN ends with EFAULT.
 *
 * The guest copies the word at PAGE_GPA to SEEN again and again, counting its turns.  A turn that
 * began after a change must see it: so two turns are awaited after each change.
 */
#include <errno.h>
#include <linux/kvm.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/guest.h"

#define PAGE	 0x1000UL
#define PAGE_GPA 0x200000UL
#define SEEN	 0 /* words of the shared page */
#define TURNS	 1
#define CHANGES	 20

guest_code(code_watch, 64,
	   "1: mov (%rdi), %rax\n"
	   "mov %rax, " S_SHARED "\n"
	   "incq " S_SHARED " + 8\n"
	   "jmp 1b\n");
guest_code(code_increment, 64,
	   "1: incq (%rdi)\n"
	   "incq " S_SHARED " + 8\n"
	   "jmp 1b\n");
guest_code(code_read_once, 64,
	   "mov (%rdi), %rax\n"
	   "hlt\n");
guest_code(code_write_once, 64,
	   "movq $0x99, (%rdi)\n"
	   "hlt\n");

struct fixture {
	struct guest guest;
	volatile uint64_t *page;
	volatile uint64_t *shared;
	pthread_t thread;
};

static void nothing(int signal)
{
	(void)signal;
}

static void *run(void *data)
{
	return (void *)(long)vcpu_run(data);
}

#define SET_UP(f, code)                        \
	do {                                   \
		guest_create(&(f)->guest, 1);  \
		guest_load(&(f)->guest, code); \
		set_up(f);                     \
	} while (0)

static void set_up(struct fixture *f)
{
	struct sigaction action = { .sa_handler = nothing };
	struct kvm_regs regs;

	sigaction(SIGUSR1, &action, NULL);
	guest_start(&f->guest, 0, MODE_LONG);
	regs = guest_regs(&f->guest, 0);
	regs.rdi = PAGE_GPA;
	REQUIRE_OK(vcpu_set_regs(&f->guest.vcpu[0], &regs));
	f->page = guest_at(&f->guest, PAGE_GPA, PAGE);
	f->shared = guest_shared(&f->guest);
}

static void start(struct fixture *f)
{
	REQUIRE(!pthread_create(&f->thread, NULL, run, &f->guest.vcpu[0]));
}

static int join(struct fixture *f)
{
	void *err;

	REQUIRE(!pthread_join(f->thread, &err));
	return (long)err;
}

static void stop(struct fixture *f)
{
	REQUIRE(!pthread_kill(f->thread, SIGUSR1));
	EXPECT_ERRNO(EINTR, join(f));
}

/* Two whole turns from now. */
static void await_turns(struct fixture *f)
{
	uint64_t turns = f->shared[TURNS];

	while (f->shared[TURNS] < turns + 3) {
		REQUIRE(pthread_tryjoin_np(f->thread, NULL) == EBUSY,
			"the guest has stopped: exit %u", f->guest.vcpu[0].run->exit_reason);
		usleep(100);
	}
}

static void expect_seen(struct fixture *f, uint64_t value)
{
	await_turns(f);
	EXPECT_EQ(value, f->shared[SEEN]);
}

static void map_fresh(struct fixture *f)
{
	void *at = mmap((void *)f->page, PAGE, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);

	REQUIRE(at == f->page, "%s", strerror(errno));
}

static void unmapped_and_mapped(void)
{
	struct fixture f;
	uint64_t i;

	SET_UP(&f, code_watch);
	*f.page = 1000;
	start(&f);
	expect_seen(&f, 1000);
	for (i = 0; i < CHANGES; i++) {
		map_fresh(&f);
		*f.page = i;
		expect_seen(&f, i);
	}
	stop(&f);
}

/* The new page is prepared elsewhere and moved in: at no time is there nothing. */
static void moved_in(void)
{
	struct fixture f;
	uint64_t i;

	SET_UP(&f, code_watch);
	*f.page = 1000;
	start(&f);
	expect_seen(&f, 1000);
	for (i = 0; i < CHANGES; i++) {
		uint64_t *other = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
				       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		REQUIRE(other != MAP_FAILED);
		*other = i;
		REQUIRE(mremap(other, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, f.page) == f.page);
		expect_seen(&f, i);
	}
	stop(&f);
}

static void given_back(void)
{
	struct fixture f;
	uint64_t i;

	SET_UP(&f, code_watch);
	start(&f);
	for (i = 1; i <= CHANGES; i++) {
		*f.page = i;
		expect_seen(&f, i);
		REQUIRE(madvise((void *)f.page, PAGE, MADV_DONTNEED) == 0);
		expect_seen(&f, 0);
	}
	stop(&f);
}

/* Ours is read-only for a while; the guest only reads, and sees what is there. */
static void protected_and_back(void)
{
	struct fixture f;
	uint64_t i;

	SET_UP(&f, code_watch);
	start(&f);
	for (i = 1; i <= CHANGES; i++) {
		*f.page = i;
		REQUIRE(mprotect((void *)f.page, PAGE, PROT_READ) == 0);
		expect_seen(&f, i);
		REQUIRE(mprotect((void *)f.page, PAGE, PROT_READ | PROT_WRITE) == 0);
	}
	stop(&f);
}

/* A child's memory stays as it was at the fork, however much the guest writes. */
static void copied_at_fork(void)
{
	struct fixture f;
	int i, status;

	SET_UP(&f, code_increment);
	start(&f);
	await_turns(&f);
	for (i = 0; i < 5; i++) {
		int ready[2];
		char byte = 0;
		pid_t pid;

		REQUIRE(pipe(ready) == 0);
		pid = fork();
		REQUIRE(pid >= 0);
		if (pid == 0) {
			uint64_t before = *f.page;

			/* Until the parent has seen the guest write. */
			close(ready[1]);
			if (read(ready[0], &byte, 1) != 1)
				_exit(2);
			_exit(*f.page == before ? 0 : 1);
		}
		close(ready[0]);
		await_turns(&f);
		REQUIRE(write(ready[1], &byte, 1) == 1);
		close(ready[1]);
		REQUIRE(waitpid(pid, &status, 0) == pid);
		EXPECT(WIFEXITED(status) && WEXITSTATUS(status) == 0,
		       "the guest's writes reached the child's memory");
	}
	stop(&f);
	/* It was stopped between two turns, or between the two counts of one. */
	EXPECT(*f.page - f.shared[TURNS] <= 1, "%llu counts in %llu turns",
	       (unsigned long long)*f.page, (unsigned long long)f.shared[TURNS]);
}

static int memfd_page(struct fixture *f)
{
	int fd = memfd_create("guest", MFD_CLOEXEC);
	void *at;

	REQUIRE(fd >= 0 && ftruncate(fd, PAGE) == 0, "%s", strerror(errno));
	at = mmap((void *)f->page, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0);
	REQUIRE(at == f->page, "%s", strerror(errno));
	return fd;
}

static void file_cut_off(void)
{
	struct fixture f;
	int fd;

	SET_UP(&f, code_watch);
	fd = memfd_page(&f);
	*f.page = 77;
	start(&f);
	expect_seen(&f, 77);
	REQUIRE(ftruncate(fd, 0) == 0);
	EXPECT_ERRNO(EFAULT, join(&f));
	/* Longer again, the page is a new one. */
	REQUIRE(ftruncate(fd, PAGE) == 0);
	start(&f);
	expect_seen(&f, 0);
	stop(&f);
}

static void hole_punched(void)
{
	struct fixture f;
	uint64_t i;
	int fd;

	SET_UP(&f, code_watch);
	fd = memfd_page(&f);
	start(&f);
	for (i = 1; i <= CHANGES; i++) {
		REQUIRE(pwrite(fd, &i, sizeof(i), 0) == sizeof(i));
		expect_seen(&f, i);
		REQUIRE(madvise((void *)f.page, PAGE, MADV_REMOVE) == 0, "%s", strerror(errno));
		expect_seen(&f, 0);
	}
	stop(&f);
}

static void unmapped(void)
{
	struct fixture f;

	SET_UP(&f, code_watch);
	*f.page = 5;
	start(&f);
	expect_seen(&f, 5);
	REQUIRE(munmap((void *)f.page, PAGE) == 0);
	EXPECT_ERRNO(EFAULT, join(&f));
	EXPECT_ERRNO(EFAULT, vcpu_run(&f.guest.vcpu[0]));
	map_fresh(&f);
	*f.page = 6;
	start(&f);
	expect_seen(&f, 6);
	stop(&f);
}

static void no_access(void)
{
	struct fixture f;

	SET_UP(&f, code_watch);
	*f.page = 5;
	start(&f);
	expect_seen(&f, 5);
	REQUIRE(mprotect((void *)f.page, PAGE, PROT_NONE) == 0);
	EXPECT_ERRNO(EFAULT, join(&f));
	REQUIRE(mprotect((void *)f.page, PAGE, PROT_READ | PROT_WRITE) == 0);
	start(&f);
	expect_seen(&f, 5);
	stop(&f);
}

static void slot_over_a_hole(void)
{
	struct fixture f;

	SET_UP(&f, code_read_once);
	REQUIRE(munmap((void *)f.page, PAGE) == 0);
	EXPECT_ERRNO(EFAULT, vcpu_run(&f.guest.vcpu[0]));
	EXPECT_ERRNO(EFAULT, vcpu_run(&f.guest.vcpu[0]));
	EXPECT_EQ(GUEST_CODE, guest_regs(&f.guest, 0).rip);
	map_fresh(&f);
	*f.page = 0x4711;
	guest_run_to_hlt(&f.guest, 0);
	EXPECT_EQ(0x4711, guest_regs(&f.guest, 0).rax);
}

static void write_to_read_only_mapping(void)
{
	struct fixture f;

	SET_UP(&f, code_write_once);
	*f.page = 3;
	REQUIRE(mprotect((void *)f.page, PAGE, PROT_READ) == 0);
	EXPECT_ERRNO(EFAULT, vcpu_run(&f.guest.vcpu[0]));
	EXPECT_EQ(3, *f.page);
	EXPECT_EQ(GUEST_CODE, guest_regs(&f.guest, 0).rip);
	REQUIRE(mprotect((void *)f.page, PAGE, PROT_READ | PROT_WRITE) == 0);
	guest_run_to_hlt(&f.guest, 0);
	EXPECT_EQ(0x99, *f.page);
}

/* It was writable when the guest first wrote: the entry must be taken away. */
static void made_read_only_under_a_writer(void)
{
	struct fixture f;
	uint64_t value;

	SET_UP(&f, code_increment);
	start(&f);
	await_turns(&f);
	REQUIRE(mprotect((void *)f.page, PAGE, PROT_READ) == 0);
	EXPECT_ERRNO(EFAULT, join(&f));
	value = *f.page;
	EXPECT_ERRNO(EFAULT, vcpu_run(&f.guest.vcpu[0]));
	EXPECT_EQ(value, *f.page);
}

/* The zero page: read first, then written; all other users of it keep their zeros. */
static void first_read_then_written(void)
{
	struct fixture f;
	volatile uint64_t *other;

	SET_UP(&f, code_read_once);
	other = f.page + 0x1000 / 8;
	guest_run_to_hlt(&f.guest, 0);
	EXPECT_EQ(0, guest_regs(&f.guest, 0).rax);
	EXPECT_EQ(0, *other);
	guest_load(&f.guest, code_write_once);
	guest_set_rip(&f.guest, 0, GUEST_CODE);
	guest_run_to_hlt(&f.guest, 0);
	EXPECT_EQ(0x99, *f.page);
	EXPECT_EQ(0, *other);
}

static const struct ktap_test tests[] = {
	KTAP_TEST(unmapped_and_mapped),
	KTAP_TEST(moved_in),
	KTAP_TEST(given_back),
	KTAP_TEST(protected_and_back),
	KTAP_TEST(copied_at_fork),
	KTAP_TEST(file_cut_off),
	KTAP_TEST(hole_punched),
	KTAP_TEST(unmapped),
	KTAP_TEST(no_access),
	KTAP_TEST(slot_over_a_hole),
	KTAP_TEST(write_to_read_only_mapping),
	KTAP_TEST(made_read_only_under_a_writer),
	KTAP_TEST(first_read_then_written),
};

KTAP_MAIN(tests)
