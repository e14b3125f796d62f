// SPDX-License-Identifier: GPL-2.0-only
/*
 * How many faults memory costs that is used as a starting Linux uses it.
 *
 * The pattern is made here, the same each time: the kernel's code, a few pages at a time in no
 * order; the array that describes all pages, from its first to its last; files that are read side
 * by side, each in order; heaps of 64 pages in random order, also between the files; and single
 * pages far from each other.  A guest plays it on 256 MiB that its process has already.
 *
 * With pages of 4 KiB stock kvm takes one fault for each that is touched, mkvm at most one for 14.
 */
#include <linux/mkvm.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "lib/guest.h"
#include "lib/rng.h"
#include "lib/stats.h"

#define PAGE	0x1000UL
#define HUGE	0x200000UL
#define FAR	(1UL << 30)
#define SLOT	3
#define LIST	(FAR + (512UL << 20)) /* what the guest is to touch */
#define PAGES	65536U
#define REGION	512U /* pages of a table of the last level */
#define MAX_OPS (1U << 17)
#define AROUND	64 /* what fault_around is by default */

#define NR_STREAMS 4U
#define NR_HEAPS   40U
#define THP	   "/sys/kernel/mm/transparent_hugepage/enabled"

/* rcx words from rsi on: twice a page's number, and 1 for a write. */
guest_code(code_play, 64,
	   "1: lodsl\n"
	   "mov %eax, %edx\n"
	   "shr $1, %edx\n"
	   "shl $12, %rdx\n"
	   "add %rdi, %rdx\n"
	   "test $1, %al\n"
	   "jz 2f\n"
	   "incl (%rdx)\n"
	   "jmp 3f\n"
	   "2: mov (%rdx), %ebx\n"
	   "3: dec %rcx\n"
	   "jnz 1b\n"
	   "hlt\n");

struct pattern {
	uint32_t *op;
	unsigned int nr;
	unsigned int pages, regions; /* that it touches */
	struct rng rng;
};

static void touch(struct pattern *p, unsigned int page, bool write)
{
	REQUIRE(page < PAGES && p->nr < MAX_OPS);
	p->op[p->nr++] = page * 2 + write;
}

static void kernel_code(struct pattern *p)
{
	unsigned int i, n;

	for (i = 0; i < 1400; i++) {
		unsigned int page = 4096 + rng_below(&p->rng, 5000);

		for (n = 1 + rng_below(&p->rng, 6); n; n--)
			touch(p, page++, false);
	}
}

static void array_of_pages(struct pattern *p)
{
	unsigned int i;

	for (i = 0; i < 1024; i++)
		touch(p, PAGES - 2048 + i, true);
}

static void heap(struct pattern *p)
{
	touch(p, 34000 + rng_below(&p->rng, NR_HEAPS) * 96 + rng_below(&p->rng, 64), true);
}

static void files(struct pattern *p)
{
	unsigned int at[NR_STREAMS], left[NR_STREAMS] = { 0 }, next = 12000, nr = 0, running, i, n;

	do {
		for (running = 0, i = 0; i < NR_STREAMS; i++) {
			if (!left[i] && nr < 24) {
				at[i] = next;
				left[i] = 256 + rng_below(&p->rng, 640);
				next += left[i] + rng_below(&p->rng, 64);
				nr++;
			}
			running += left[i] != 0;
		}
		i = rng_below(&p->rng, NR_STREAMS);
		for (n = 4U << rng_below(&p->rng, 4); n && left[i]; n--, left[i]--)
			touch(p, at[i]++, true);
		if (rng_below(&p->rng, 2))
			heap(p);
	} while (running);
}

static void far_apart(struct pattern *p)
{
	unsigned int page;

	for (page = 42000; page < 60000; page += 100 + rng_below(&p->rng, 500))
		touch(p, page, true);
}

static void make_pattern(struct pattern *p)
{
	static bool pages[PAGES], regions[PAGES / REGION];
	unsigned int i;

	p->rng = rng_seeded(1, 0);
	kernel_code(p);
	array_of_pages(p);
	files(p);
	for (i = 0; i < 6000; i++)
		heap(p);
	far_apart(p);
	for (i = 0; i < p->nr; i++) {
		p->pages += !pages[p->op[i] / 2];
		p->regions += !regions[p->op[i] / 2 / REGION];
		pages[p->op[i] / 2] = regions[p->op[i] / 2 / REGION] = true;
	}
}

struct fixture {
	struct guest guest;
	struct pattern pattern;
	struct stats vm, vcpu;
	char *host;
	unsigned long tables; /* of all VMs before, KiB */
};

static void play(struct fixture *f, uint64_t nr)
{
	struct kvm_regs regs = guest_regs(&f->guest, 0);

	guest_load(&f->guest, code_play);
	regs.rip = GUEST_CODE;
	regs.rdi = FAR;
	regs.rsi = LIST;
	regs.rcx = nr;
	REQUIRE_OK(vcpu_set_regs(&f->guest.vcpu[0], &regs));
	guest_run_to_hlt(&f->guest, 0);
}

static char *map(size_t size, int advice)
{
	char *at = mmap(NULL, size + HUGE, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	REQUIRE(at != MAP_FAILED);
	at = (char *)(((unsigned long)at + HUGE - 1) & ~(HUGE - 1));
	REQUIRE(madvise(at, size, advice) == 0);
	return at;
}

/* A number of KiB in one of /proc's files. */
static unsigned long kib(const char *path, const char *name)
{
	FILE *file = fopen(path, "re");
	unsigned long total = 0, value;
	char line[256];

	REQUIRE(file);
	while (fgets(line, sizeof(line), file))
		if (strncmp(line, name, strlen(name)) == 0 &&
		    sscanf(line + strlen(name), ": %lu kB", &value) == 1)
			total += value;
	fclose(file);
	return total;
}

/*
 * What all VMs' tables take, KiB; stock kvm leaves the root out.  Processors count by themselves,
 * and are asked to hand in what they have.
 */
static unsigned long all_tables(void)
{
	FILE *file = fopen("/proc/sys/vm/stat_refresh", "re");
	char line[16];

	REQUIRE(file);
	if (fgets(line, sizeof(line), file))
		ktap_note("stat_refresh: %s", line);
	fclose(file);
	return kib("/proc/meminfo", "SecPageTables");
}

/* All pages are there.  The list is mapped, and each table of the guest's that it walks. */
static void set_up(struct fixture *f, int advice)
{
	size_t i, list = MAX_OPS * sizeof(uint32_t);

	memset(f, 0, sizeof(*f));
	f->tables = all_tables();
	guest_create(&f->guest, 1);
	guest_start(&f->guest, 0, MODE_LONG);
	if (kvm_dev_is_mkvm(&f->guest.dev))
		REQUIRE_OK(vm_enable_cap(&f->guest.vm, MKVM_CAP_FAULT_AROUND, AROUND));
	stats_open(&f->vm, f->guest.vm.fd);
	stats_open(&f->vcpu, f->guest.vcpu[0].fd);
	f->host = map(PAGES * PAGE, advice);
	for (i = 0; i < PAGES; i++)
		*(volatile int *)(f->host + i * PAGE) = 1;
	f->pattern.op = (uint32_t *)map(list, MADV_NOHUGEPAGE);
	make_pattern(&f->pattern);
	REQUIRE_OK(vm_set_slot(&f->guest.vm, SLOT, FAR, PAGES * PAGE, f->host, 0));
	REQUIRE_OK(vm_set_slot(&f->guest.vm, SLOT + 1, LIST, list, f->pattern.op, 0));
}

/* Everything but the pattern's own pages costs its faults in a first round, of the first page. */
static uint64_t faults_of_pattern(struct fixture *f)
{
	uint32_t *op = calloc(f->pattern.nr, sizeof(*op));
	uint64_t faults;

	REQUIRE(op);
	memcpy(op, f->pattern.op, f->pattern.nr * sizeof(*op));
	for (unsigned int i = 0; i < f->pattern.nr; i++)
		f->pattern.op[i] = op[0];
	play(f, f->pattern.nr);
	memcpy(f->pattern.op, op, f->pattern.nr * sizeof(*op));
	free(op);
	faults = stats_value(&f->vcpu, "pf_taken");
	play(f, f->pattern.nr);
	/* And the first page's. */
	return stats_value(&f->vcpu, "pf_taken") - faults + 1;
}

static void clean_up(struct fixture *f)
{
	stats_close(&f->vm);
	stats_close(&f->vcpu);
	guest_destroy(&f->guest);
}

static void small_pages(void)
{
	struct fixture f;
	uint64_t faults, tables;

	set_up(&f, MADV_NOHUGEPAGE);
	faults = faults_of_pattern(&f);
	if (kvm_dev_is_mkvm(&f.guest.dev))
		tables = stats_value(&f.vm, "mkvm_table_pages");
	else
		tables = (all_tables() - f.tables) / 4 + 1;
	ktap_note("4 KiB: %u pages in %u tables touched, %llu faults, %llu table pages",
		  f.pattern.pages, f.pattern.regions, (unsigned long long)faults,
		  (unsigned long long)tables);
	EXPECT(f.pattern.pages > 20000);
	if (kvm_dev_is_mkvm(&f.guest.dev))
		EXPECT(faults * 14 <= f.pattern.pages);
	else
		EXPECT(faults >= f.pattern.pages);
	/* And the upper levels, low memory, the list. */
	EXPECT(tables <= f.pattern.regions + 7, "%llu tables", (unsigned long long)tables);
	clean_up(&f);
}

/* Small hosts have no huge pages unless they are told to. */
static void set_thp(const char *mode)
{
	FILE *file = fopen(THP, "we");

	if (!file)
		return;
	fprintf(file, "%s\n", mode);
	fclose(file);
}

static void huge_pages(void)
{
	FILE *file = fopen(THP, "re");
	char modes[64] = "";
	struct fixture f;
	uint64_t faults;
	unsigned long huge;
	bool off;

	if (!file)
		ktap_skip("this host has no huge pages");
	off = fgets(modes, sizeof(modes), file) && strstr(modes, "[never]");
	fclose(file);
	if (off)
		set_thp("madvise");
	set_up(&f, MADV_HUGEPAGE);
	if (off)
		set_thp("never");
	huge = kib("/proc/self/smaps", "AnonHugePages") * 1024 / HUGE;
	faults = faults_of_pattern(&f);
	ktap_note("2 MiB: %u regions touched, %lu of %u huge, %llu faults, %llu large leaves",
		  f.pattern.regions, huge, PAGES / REGION, (unsigned long long)faults,
		  (unsigned long long)stats_value(&f.vm, "pages_2m"));
	REQUIRE(huge >= PAGES / REGION / 2, "the host has no huge pages to give");
	/* One each, as stock kvm; and as many as there are pages in what is not huge. */
	EXPECT(faults <= f.pattern.regions + (PAGES / REGION - huge) * REGION);
	EXPECT(stats_value(&f.vm, "pages_2m") + PAGES / REGION >= huge + f.pattern.regions);
	clean_up(&f);
}

static const struct ktap_test tests[] = {
	KTAP_TEST_LIMIT(small_pages, 300),
	KTAP_TEST_LIMIT(huge_pages, 300),
};

KTAP_MAIN(tests)
