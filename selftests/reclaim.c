// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the guest uses stays in memory: the host reclaims from the VM's memory cgroup, and a page
 * that the guest goes on touching survives, while one that it does not is swapped out.  With the
 * kernel's old lists of pages and with its generations of them.
 *
 * Whether a page is in use only the notifier can tell: the process itself does not touch it.
 */
#include <linux/kvm.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/cgroup.h"
#include "lib/guest.h"
#include "lib/stats.h"
#include "lib/sys.h"

#define PAGE	0x1000UL
#define HUGE	0x200000UL
#define FAR	(1UL << 30)
#define SLOT	3
#define PAGES	512UL
#define HOT	16UL /* one page in so many is touched all the time */
#define ROUNDS	200
#define LIMIT	300
#define CGROUP	"reclaim"
#define LRU_GEN "/sys/kernel/mm/lru_gen/enabled"
#define THP	"/sys/kernel/mm/transparent_hugepage/"
#define DAMON	"/sys/kernel/mm/damon/admin/kdamonds/"

/* Words of the shared page. */
#define STOP  0
#define TURNS 1

/* Writes each page once, then one in HOT again and again until it shall stop. */
guest_code(code_touch, 64,
	   "mov %r8, %rdi\n"
	   "mov %r9, %rcx\n"
	   "1: mov %rdi, (%rdi)\n"
	   "add $0x1000, %rdi\n"
	   "dec %rcx\n"
	   "jnz 1b\n"
	   "2: mov %r8, %rdi\n"
	   "mov %r10, %rcx\n"
	   "3: incq 8(%rdi)\n"
	   "add $0x10000, %rdi\n"
	   "dec %rcx\n"
	   "jnz 3b\n"
	   "incq " S_SHARED " + 8\n"
	   "cmpq $0, " S_SHARED "\n"
	   "je 2b\n"
	   "hlt\n");

struct fixture {
	struct guest guest;
	struct stats stats;
	char *reserved, *host;
	volatile uint64_t *shared;
	pthread_t thread;
	struct sys_setting lru_gen, thp, scan_sleep, scan_pages;
};

static void *run(void *data)
{
	guest_run_to_hlt(data, 0);
	return NULL;
}

static void set_up_memory(struct fixture *f)
{
	f->reserved =
		mmap(NULL, 2 * HUGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	REQUIRE(f->reserved != MAP_FAILED);
	f->host = (char *)(((uintptr_t)f->reserved + HUGE - 1) & -HUGE);
	REQUIRE(madvise(f->host, PAGES * PAGE, MADV_NOHUGEPAGE) == 0);
	REQUIRE_OK(vm_set_slot(&f->guest.vm, SLOT, FAR, PAGES * PAGE, f->host, 0));
}

/* Two whole turns from now: all hot pages have been touched after this was called. */
static void await_turns(struct fixture *f)
{
	uint64_t turns = f->shared[TURNS];

	while (f->shared[TURNS] < turns + 2) {
		REQUIRE(pthread_tryjoin_np(f->thread, NULL) != 0, "the guest has stopped");
		usleep(100);
	}
}

static void set_up(struct fixture *f, const char *lru_gen)
{
	struct kvm_regs regs;

	memset(f, 0, sizeof(*f));
	if (access(LRU_GEN, F_OK) && strcmp(lru_gen, "n"))
		ktap_skip("this kernel has no generations of pages");
	REQUIRE(swap_start(64 << 20), "no zram");
	sys_set(&f->lru_gen, LRU_GEN, lru_gen);
	REQUIRE(cgroup_make(CGROUP) && cgroup_enter(CGROUP), "no memory cgroup");
	guest_create(&f->guest, 1);
	guest_load(&f->guest, code_touch);
	guest_start(&f->guest, 0, MODE_LONG);
	if (kvm_dev_is_mkvm(&f->guest.dev))
		stats_open(&f->stats, f->guest.vm.fd);
	f->shared = guest_shared(&f->guest);
	set_up_memory(f);
	regs = guest_regs(&f->guest, 0);
	regs.r8 = FAR;
	regs.r9 = PAGES;
	regs.r10 = PAGES / HOT;
	REQUIRE_OK(vcpu_set_regs(&f->guest.vcpu[0], &regs));
	REQUIRE(!pthread_create(&f->thread, NULL, run, &f->guest));
	await_turns(f);
}

static void stop(struct fixture *f)
{
	unsigned long i;

	f->shared[STOP] = 1;
	REQUIRE(!pthread_join(f->thread, NULL));
	for (i = 0; i < PAGES; i++)
		EXPECT_EQ(FAR + i * PAGE, *(uint64_t *)(f->host + i * PAGE));
}

static void clean_up(struct fixture *f)
{
	if (f->stats.names)
		stats_close(&f->stats);
	guest_destroy(&f->guest);
	munmap(f->reserved, 2 * HUGE);
	swap_stop();
	sys_restore(&f->lru_gen);
	EXPECT(cgroup_enter(""));
	EXPECT(cgroup_remove(CGROUP));
}

/* Of the pages that are touched, or of the others: how many have been swapped out. */
static unsigned long nr_swapped(const struct fixture *f, bool hot)
{
	unsigned long i, n = 0;

	for (i = 0; i < PAGES; i++)
		if (!(i % HOT) == hot)
			n += page_is_swapped(f->host + i * PAGE);
	return n;
}

/*
 * Reclaims until most of what is not touched is gone.  Where the guest has had no time between two
 * looks of the host's, a hot page may be gone for a moment; if nobody told that they are in use,
 * they would go like the others.
 */
static void reclaim(struct fixture *f)
{
	unsigned long lost = 0, cold = PAGES - PAGES / HOT;
	int rounds;

	for (rounds = 0; nr_swapped(f, false) < cold * 7 / 8; rounds++) {
		REQUIRE(rounds < ROUNDS, "%lu of %lu pages are swapped", nr_swapped(f, false),
			cold);
		sys_write("/sys/fs/cgroup/" CGROUP "/memory.reclaim", "128K");
		lost += nr_swapped(f, true);
		await_turns(f);
	}
	ktap_note("%d rounds: swapped %lu of %lu pages, and %lu times one of the %lu that are used",
		  rounds, nr_swapped(f, false), cold, lost, PAGES / HOT);
	EXPECT(lost <= PAGES / HOT / 4);
}

static uint64_t told(const struct fixture *f, const char *name)
{
	uint64_t n = stats_value(&f->stats, name);

	ktap_note("%s: %llu", name, (unsigned long long)n);
	return n;
}

static void survives_with_lists(void)
{
	struct fixture f;

	set_up(&f, "n");
	reclaim(&f);
	if (f.stats.names) {
		EXPECT(told(&f, "mkvm_host_invalidate_hit") >= PAGES / 2);
		EXPECT(told(&f, "mkvm_host_age_flush") >= PAGES / 2);
	}
	stop(&f);
	clean_up(&f);
}

static void survives_with_generations(void)
{
	struct fixture f;
	bool asked;

	set_up(&f, "y");
	reclaim(&f);
	if (f.stats.names) {
		EXPECT(told(&f, "mkvm_host_invalidate_hit") >= PAGES / 2);
		/* The kernel of 6.1 asks with a flush only; later ones do so for few pages. */
		asked = told(&f, "mkvm_host_age_flush") + told(&f, "mkvm_host_age") > 0;
		EXPECT(asked, "nobody has asked what is in use");
	}
	stop(&f);
	clean_up(&f);
}

/*
 * khugepaged wants to know whether anything of a range is in use before it makes a huge page.  It
 * asks the notifier only if the process's own table has forgotten it.
 */
static void asked_by_khugepaged(void)
{
	struct fixture f;
	uint64_t scans;

	set_up(&f, "n");
	if (!f.stats.names)
		ktap_skip("counted by mkvm only");
	EXPECT(sys_set(&f.thp, THP "enabled", "madvise"));
	EXPECT(sys_set(&f.scan_sleep, THP "khugepaged/scan_sleep_millisecs", "1"));
	EXPECT(sys_set(&f.scan_pages, THP "khugepaged/pages_to_scan", "4096"));
	scans = sys_count(THP "khugepaged/full_scans", NULL);
	REQUIRE(madvise(f.host, PAGES * PAGE, MADV_COLD) == 0);
	REQUIRE(madvise(f.host, PAGES * PAGE, MADV_HUGEPAGE) == 0);
	while (!stats_value(&f.stats, "mkvm_host_test_young") &&
	       sys_count(THP "khugepaged/full_scans", NULL) < scans + 10)
		usleep(1000);
	EXPECT(told(&f, "mkvm_host_test_young") > 0);
	sys_restore(&f.scan_pages);
	sys_restore(&f.scan_sleep);
	stop(&f);
	sys_restore(&f.thp);
	clean_up(&f);
}

static void damon_set(const char *name, uint64_t value)
{
	char path[128], text[32];

	snprintf(path, sizeof(path), DAMON "%s", name);
	snprintf(text, sizeof(text), "%llu", (unsigned long long)value);
	REQUIRE(sys_write(path, text), "%s", path);
}

/* The kernel's monitor of accesses looks at the VM's memory, a thousand times a second. */
static void damon_start(const struct fixture *f)
{
	damon_set("nr_kdamonds", 1);
	damon_set("0/contexts/nr_contexts", 1);
	REQUIRE(sys_write(DAMON "0/contexts/0/operations", "fvaddr"));
	damon_set("0/contexts/0/monitoring_attrs/intervals/sample_us", 1000);
	damon_set("0/contexts/0/monitoring_attrs/intervals/aggr_us", 20000);
	damon_set("0/contexts/0/targets/nr_targets", 1);
	damon_set("0/contexts/0/targets/0/pid_target", getpid());
	damon_set("0/contexts/0/targets/0/regions/nr_regions", 1);
	damon_set("0/contexts/0/targets/0/regions/0/start", (uintptr_t)f->host);
	damon_set("0/contexts/0/targets/0/regions/0/end", (uintptr_t)f->host + PAGES * PAGE);
	REQUIRE(sys_write(DAMON "0/state", "on"));
}

static void damon_stop(void)
{
	EXPECT(sys_write(DAMON "0/state", "off"));
	damon_set("nr_kdamonds", 0);
}

/* All kinds of calls: the monitor forgets without a flush, and asks; reclaim does the rest. */
static void every_kind(void)
{
	static const char *const kinds[] = {
		"mkvm_host_invalidate", "mkvm_host_invalidate_hit", "mkvm_host_age_flush",
		"mkvm_host_age",	"mkvm_host_test_young",
	};
	struct fixture f;
	unsigned int i;

	if (access(DAMON, F_OK))
		ktap_skip("this kernel has no monitor of accesses");
	set_up(&f, "n");
	if (!f.stats.names)
		ktap_skip("counted by mkvm only");
	damon_start(&f);
	for (i = 0; i < 60000 && (!stats_value(&f.stats, "mkvm_host_age") ||
				  !stats_value(&f.stats, "mkvm_host_test_young"));
	     i++)
		usleep(1000);
	damon_stop();
	reclaim(&f);
	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		EXPECT(told(&f, kinds[i]) > 0, "%s", kinds[i]);
	stop(&f);
	clean_up(&f);
}

static const struct ktap_test tests[] = {
	KTAP_TEST_LIMIT(survives_with_lists, LIMIT),
	KTAP_TEST_LIMIT(survives_with_generations, LIMIT),
	KTAP_TEST_LIMIT(asked_by_khugepaged, LIMIT),
	KTAP_TEST_LIMIT(every_kind, LIMIT),
};

KTAP_MAIN(tests)
