// SPDX-License-Identifier: GPL-2.0-only
/*
 * A guest wants more memory than the memory cgroup of its owner may have.
 *
 * That is the host's rule to apply, as it does where a process touches too much of its own memory:
 * the kernel ends the owner.  If it may not (oom_score_adj), KVM_RUN is -ENOMEM, and goes on where
 * it was when there is room again.  The host goes on in each case.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <linux/mkvm.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/cgroup.h"
#include "lib/guest.h"
#include "lib/sys.h"

#define PAGE   0x1000UL
#define FAR    (1UL << 30)
#define SLOT   3
#define PAGES  12288UL	  /* 48 MiB */
#define LIMIT  "25165824" /* 24 MiB */
#define CGROUP "overcommit"
#define FILES  "/sys/fs/cgroup/" CGROUP "/"

/* Its own number into each of rcx pages from rdi on. */
guest_code(code_fill, 64,
	   "1: mov %rdi, (%rdi)\n"
	   "add $0x1000, %rdi\n"
	   "dec %rcx\n"
	   "jnz 1b\n"
	   "hlt\n");

struct fixture {
	struct guest guest;
	char *host;
};

static void set_up(struct fixture *f)
{
	struct kvm_regs regs;

	guest_begin(&f->guest, code_fill);
	f->host = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	REQUIRE(f->host != MAP_FAILED);
	REQUIRE(madvise(f->host, PAGES * PAGE, MADV_NOHUGEPAGE) == 0);
	REQUIRE_OK(vm_set_slot(&f->guest.vm, SLOT, FAR, PAGES * PAGE, f->host, 0));
	regs = guest_regs(&f->guest, 0);
	regs.rip = GUEST_CODE;
	regs.rdi = FAR;
	regs.rcx = PAGES;
	REQUIRE_OK(vcpu_set_regs(&f->guest.vcpu[0], &regs));
}

static void clean_up(struct fixture *f)
{
	guest_destroy(&f->guest);
	munmap(f->host, PAGES * PAGE);
}

/* The cgroup has a limit, and no swap to get round it. */
static void set_up_cgroup(void)
{
	REQUIRE(cgroup_make(CGROUP), "no memory cgroup");
	REQUIRE(sys_write(FILES "memory.max", LIMIT));
	sys_write(FILES "memory.swap.max", "0");
}

static void expect_filled(const struct fixture *f)
{
	uint64_t i;

	for (i = 0; i < PAGES; i++)
		EXPECT_EQ(FAR + i * PAGE, *(uint64_t *)(f->host + i * PAGE));
}

/* What the owner touches while its cgroup is full would wait for room for ever. */
static void have_memory(void)
{
	volatile char stack[0x10000];
	unsigned int i;

	REQUIRE(mlockall(MCL_CURRENT) == 0, "mlockall: %s", strerror(errno));
	for (i = 0; i < sizeof(stack); i += PAGE)
		stack[i] = 0;
}

/* KVM_RUN is -ENOMEM (stock kvm: -EFAULT) as often as it is tried; with room it goes on. */
static void no_memory(uint64_t populate)
{
	struct fixture f;
	struct kvm_regs regs;
	int expected, i, r[3], max;

	set_up_cgroup();
	max = open(FILES "memory.max", O_WRONLY | O_CLOEXEC);
	REQUIRE(max >= 0, "memory.max: %s", strerror(errno));
	have_memory();
	REQUIRE(cgroup_enter(CGROUP));
	REQUIRE(sys_write("/proc/self/oom_score_adj", "-1000"));
	set_up(&f);
	expected = kvm_dev_is_mkvm(&f.guest.dev) ? -ENOMEM : -EFAULT;
	if (populate && expected == -EFAULT)
		ktap_skip("populate mode is mkvm's own");
	if (populate)
		REQUIRE_OK(vm_enable_cap(&f.guest.vm, MKVM_CAP_POPULATE, populate));
	*(volatile char *)f.guest.vcpu[0].run;
	for (i = 0; i < 3; i++)
		r[i] = vcpu_run(&f.guest.vcpu[0]);
	REQUIRE(write(max, "max", 3) == 3, "memory.max: %s", strerror(errno));
	close(max);
	for (i = 0; i < 3; i++)
		EXPECT_EQ(expected, r[i]);
	regs = guest_regs(&f.guest, 0);
	ktap_note("%llu of %lu pages were there", (unsigned long long)(PAGES - regs.rcx), PAGES);
	EXPECT(regs.rcx > PAGES / 2 && regs.rcx < PAGES - PAGES / 8);

	guest_run_to_hlt(&f.guest, 0);
	expect_filled(&f);
	clean_up(&f);
	REQUIRE(sys_write("/proc/self/oom_score_adj", "0"));
	REQUIRE(cgroup_enter(""));
	EXPECT(cgroup_ends(CGROUP), "something is left");
}

static void owner_has_no_memory(void)
{
	no_memory(0);
}

static void populate_has_no_memory(void)
{
	no_memory(512);
}

/* The kernel keeps objects of its own for a while; the tables of the VM alone were 48 KiB. */
static void expect_empty(void)
{
	uint64_t anon, kernel;
	int tries = 100;

	do {
		usleep(50000);
		anon = sys_count(FILES "memory.stat", "anon");
		kernel = sys_count(FILES "memory.stat", "kernel");
	} while ((anon || kernel > 32768) && --tries);
	EXPECT_EQ(0, anon);
	EXPECT(kernel <= 32768, "%llu bytes of the kernel's are left", (unsigned long long)kernel);
}

/* Nobody but the owner ends, nothing of its is left, and another VM runs. */
static void owner_is_ended(void)
{
	struct fixture f;
	int status = 0;
	pid_t owner;

	set_up_cgroup();
	owner = fork();
	REQUIRE(owner >= 0);
	if (!owner) {
		REQUIRE(cgroup_enter(CGROUP));
		set_up(&f);
		vcpu_run(&f.guest.vcpu[0]);
		_exit(0);
	}
	REQUIRE(waitpid(owner, &status, 0) == owner);
	EXPECT(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "status %#x", status);
	EXPECT_EQ(1, sys_count(FILES "memory.events", "oom_kill"));
	expect_empty();
	EXPECT(cgroup_remove(CGROUP));

	set_up(&f);
	guest_run_to_hlt(&f.guest, 0);
	expect_filled(&f);
	clean_up(&f);
}

static const struct ktap_test tests[] = {
	KTAP_TEST_LIMIT(owner_has_no_memory, 300),
	KTAP_TEST_LIMIT(populate_has_no_memory, 300),
	KTAP_TEST_LIMIT(owner_is_ended, 300),
};

KTAP_MAIN(tests)
