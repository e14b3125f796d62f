// SPDX-License-Identifier: GPL-2.0-only
/*
 * The sweep of failing allocations: each ioctl succeeds once; then it is called with its 1st, 2nd,
 * 3rd ... allocation failing until none is left to fail.  Each call that fails has to say so by an
 * errno for it, leave no descriptor behind and the state that can be read unchanged, and succeed
 * when it is called again.  And nothing is lost: each ioctl is swept in a memory cgroup of its own,
 * which has to end.  recipes.c says how each succeeds.
 *
 * The kernel's fault injection does it (/proc/thread-self/fail-nth), which only a debug kernel has.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/cgroup.h"
#include "lib/recipes.h"

#define MAX_NTH 2000
#define CGROUP	"fail-nth"

static struct attempt the_attempt;
static char before[IOCTL_MAX_SIZE], after[IOCTL_MAX_SIZE];
static int fail_nth = -1; /* descriptor */
static bool failing;	  /* are allocations made to fail? */
static bool together;	  /* is one cgroup charged for all calls? */

/* What came of one ioctl. */
struct tally {
	unsigned int injected; /* allocations made to fail */
	unsigned int failed;   /* calls that failed for it */
};

static void set_up(struct attempt *f, enum fd_kind kind)
{
	guest_create_without_cpuid(&f->guest, 1);
	f->fd = kind == FD_SYSTEM ? f->guest.dev.fd
		: kind == FD_VM	  ? f->guest.vm.fd
				  : f->guest.vcpu[0].fd;
}

static unsigned int open_descriptors(void)
{
	unsigned int nr = 0;
	int fd;

	for (fd = 0; fd < 64; fd++)
		nr += fcntl(fd, F_GETFD) >= 0;
	return nr;
}

static void open_fail_nth(void)
{
	fail_nth = open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);
	if (fail_nth < 0)
		ktap_skip("this kernel has no fault injection (/proc/self/fail-nth)");
}

/* From now on the thread's nth allocation fails; 0: none. */
static void fail(unsigned int nth)
{
	char text[16];
	int length = snprintf(text, sizeof(text), "%u", nth);

	REQUIRE(pwrite(fail_nth, text, length, 0) == length, "fail-nth: %s", strerror(errno));
}

/* How many allocations are still to come until one fails; 0: one has. */
static unsigned int left_to_fail(void)
{
	char text[16] = "";

	REQUIRE(pread(fail_nth, text, sizeof(text) - 1, 0) > 0, "fail-nth: %s", strerror(errno));
	return strtoul(text, NULL, 10);
}

static bool makes_fd(unsigned long cmd)
{
	return cmd == KVM_CREATE_VM || cmd == KVM_CREATE_VCPU || cmd == KVM_GET_STATS_FD;
}

/* Reads what the ioctl sets, if that can be read. */
static bool snapshot(struct attempt *f, const struct ioctl_info *info, char *to)
{
	memset(to, 0, IOCTL_MAX_SIZE);
	return info->get && ioctl(f->fd, info->get, to) == 0;
}

/* One attempt, with the nth allocation failing (0: none).  True if there was one to fail. */
static bool attempt(const struct ioctl_info *info, const struct recipe *recipe, unsigned int nth,
		    struct tally *tally)
{
	const char *what = recipe ? recipe->what : "";
	unsigned int descriptors;
	struct attempt *f = &the_attempt;
	unsigned long arg;
	int answer, error;
	bool injected, known;

	set_up(f, info->kind);
	arg = recipe_argument(f, info, recipe);
	known = snapshot(f, info, before);
	descriptors = open_descriptors();
	if (nth)
		fail(nth);
	answer = ioctl(f->fd, info->cmd, arg);
	error = errno;
	injected = nth && !left_to_fail();
	if (nth)
		fail(0);
	tally->injected += injected;

	if (answer < 0 && injected) {
		tally->failed++;
		REQUIRE(error == ENOMEM, "%s%s: with allocation %u failing: %s", info->name, what,
			nth, strerror(error));
		REQUIRE(open_descriptors() == descriptors,
			"%s%s: with allocation %u failing: a descriptor is left", info->name, what,
			nth);
		if (known && snapshot(f, info, after))
			REQUIRE(!memcmp(before, after, sizeof(before)),
				"%s%s: with allocation %u failing: it has changed something",
				info->name, what, nth);
		answer = ioctl(f->fd, info->cmd, arg);
		error = errno;
	}
	if (answer < 0 && !failing) {
		ktap_note("%s%s: %s: nothing is known of its success", info->name, what,
			  strerror(error));
		ktap_end(KTAP_PASS);
	}
	REQUIRE(answer >= 0, "%s%s: after allocation %u failed: %s", info->name, what, nth,
		strerror(error));
	if (recipe && recipe->check)
		recipe->check(f);
	if (makes_fd(info->cmd))
		close(answer);
	guest_destroy(&f->guest);
	return injected;
}

/* In a process of its own, which ends here. */
static void sweep_here(const struct ioctl_info *info, const struct recipe *recipe)
{
	struct tally tally = { 0 };
	char name[64];
	unsigned int nth;

	REQUIRE(cgroup_enter(CGROUP));
	snprintf(name, sizeof(name), "%s%s", info->name, recipe ? recipe->what : "");
	if (!failing) {
		attempt(info, recipe, 0, &tally);
		ktap_end(KTAP_PASS);
	}
	open_fail_nth();
	attempt(info, recipe, 0, &tally);
	for (nth = 1; attempt(info, recipe, nth, &tally); nth++)
		REQUIRE(nth < MAX_NTH, "%s: no end after %d allocations", name, MAX_NTH);
	ktap_note("%-36s %4u allocations failed, %4u calls failed for it", name, tally.injected,
		  tally.failed);
	if (recipe && recipe->allocates)
		REQUIRE(tally.injected, "%s: no allocation has failed", name);
	ktap_end(KTAP_PASS);
}

/* True: the memory of all calls has come back. */
static bool sweep_once(const struct ioctl_info *info, const struct recipe *recipe)
{
	int status;
	pid_t pid;

	REQUIRE(together || cgroup_make(CGROUP), "no memory cgroup can be made");
	pid = fork();
	REQUIRE(pid >= 0);
	if (pid == 0)
		sweep_here(info, recipe);
	REQUIRE(waitpid(pid, &status, 0) == pid);
	EXPECT(status == 0, "%s%s failed", info->name, recipe ? recipe->what : "");
	return together || cgroup_ends(CGROUP);
}

/* Something else may keep a page for a while; what the ioctl loses it loses again. */
static void sweep(const struct ioctl_info *info, const struct recipe *recipe)
{
	EXPECT(sweep_once(info, recipe) || sweep_once(info, recipe), "%s%s: memory is lost",
	       info->name, recipe ? recipe->what : "");
}

static bool write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool written = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

	if (fd >= 0)
		close(fd);
	return written;
}

/*
 * All kinds of objects but those of kmemleak: it prints that it has none while it holds a lock that
 * the console must not come under, of which lockdep then tells.
 */
static void choose_slabs(void)
{
	DIR *slabs = opendir("/sys/kernel/slab");
	unsigned int chosen = 0;
	struct dirent *slab;
	char path[512];

	REQUIRE(slabs, "/sys/kernel/slab: %s", strerror(errno));
	while ((slab = readdir(slabs))) {
		if (slab->d_name[0] == '.' || strncmp(slab->d_name, "kmemleak", 8) == 0)
			continue;
		snprintf(path, sizeof(path), "/sys/kernel/slab/%s/failslab", slab->d_name);
		chosen += write_text(path, "1");
	}
	closedir(slabs);
	REQUIRE(chosen > 100, "%u kinds of objects that can fail", chosen);
}

/* Allocations that may wait fail too, of any size, and nothing is printed about it. */
static void set_up_injection(void)
{
	static const char *const settings[][2] = {
		{ "failslab/ignore-gfp-wait", "N" }, { "failslab/verbose", "0" },
		{ "failslab/cache-filter", "Y" },    { "fail_page_alloc/ignore-gfp-wait", "N" },
		{ "fail_page_alloc/verbose", "0" },  { "fail_page_alloc/min-order", "0" },
	};
	char path[128];
	size_t i;

	open_fail_nth();
	choose_slabs();
	for (i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
		snprintf(path, sizeof(path), "/sys/kernel/debug/%s", settings[i][0]);
		REQUIRE(write_text(path, settings[i][1]), "%s: %s", path, strerror(errno));
	}
}

static bool is_had(const struct ioctl_info *info)
{
	struct attempt *f = &the_attempt;
	bool had;

	set_up(f, info->kind);
	had = ioctl_is_had(info, f->fd);
	guest_destroy(&f->guest);
	return had;
}

static void sweep_all(void)
{
	size_t i, j;
	bool swept;

	the_attempt.slot_memory = mmap(NULL, RECIPE_SLOT_SIZE, PROT_READ | PROT_WRITE,
				       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	REQUIRE(the_attempt.slot_memory != MAP_FAILED);
	/* What is faulted in later would be an allocation of ours, not of the ioctl. */
	memset(the_attempt.slot_memory, 0, RECIPE_SLOT_SIZE);
	memset(after, 0, sizeof(after));
	for (i = 0; i < nr_ioctls; i++) {
		if (!is_had(&ioctls[i]))
			continue;
		swept = false;
		for (j = 0; j < nr_recipes; j++) {
			if (recipes[j].cmd != ioctls[i].cmd || recipes[j].kind != ioctls[i].kind)
				continue;
			sweep(&ioctls[i], &recipes[j]);
			swept = true;
		}
		if (!swept)
			sweep(&ioctls[i], NULL);
	}
}

/* Nothing fails; all the same the memory of each call has to come back. */
static void memory_of_each_ioctl_comes_back(void)
{
	struct kvm_dev device;

	device_open(&device);
	if (!kvm_dev_is_mkvm(&device))
		ktap_skip("looks for what mkvm itself loses");
	kvm_dev_close(&device);
	/* To see a cgroup end takes long.  One after the other tells whose memory is lost. */
	together = true;
	REQUIRE(cgroup_make(CGROUP), "no memory cgroup can be made");
	sweep_all();
	together = false;
	if (!cgroup_ends(CGROUP))
		sweep_all();
}

static void each_allocation_of_each_ioctl(void)
{
	set_up_injection();
	failing = true;
	sweep_all();
}

static const struct ktap_test tests[] = {
	KTAP_TEST_LIMIT(memory_of_each_ioctl_comes_back, 600),
	KTAP_TEST_LIMIT(each_allocation_of_each_ioctl, 600),
};

KTAP_MAIN(tests)
