// SPDX-License-Identifier: GPL-2.0-only
/*
 * What edits of page tables cost under shadow paging: exits of a guest that does with its tables
 * what Linux does with its own (guest/workloads.c).
 *
 * Exits are counted by the processor's reasons, which are the same for mkvm and for the kernel's
 * own kvm: mkvm tells them, kvm's are counted by a histogram of its trace event.  On mkvm each
 * count has to be what is known of it.  workloads.sh runs this on both and compares: for it the
 * counts go to the file that WORKLOADS_RESULT names, a line for each workload.
 */
#include <cpuid.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <linux/mkvm.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "guest/workloads.h"
#include "lib/guest.h"
#include "lib/host.h"
#include "lib/program.h"
#include "lib/stats.h"
#include "lib/sys.h"
#include "lib/trace.h"

#define AROUND 64 /* what fault_around is by default */

/* Kinds of exits, and which reasons of each vendor's processors are of that kind. */
enum kind {
	FAULT,
	CR,
	INVLPG,
	NR_KINDS
};

struct reasons {
	uint32_t first, last;
};

static const struct reasons svm[NR_KINDS] = { { 0x4e, 0x4e }, { 0, 0x1f }, { 0x79, 0x79 } };
static const struct reasons vmx[NR_KINDS] = { { 0, 0 }, { 28, 28 }, { 14, 14 } };

struct measured {
	uint64_t n[NR_KINDS];
};

struct fixture {
	struct guest guest;
	struct trace trace;
	bool traced; /* it is not mkvm */
};

static const struct {
	const char *name;
	enum work work;
	unsigned int n;		/* iterations */
	bool large;		/* the process has WORKLOADS_PAGES pages more */
	struct measured expect; /* by mkvm, of all iterations */
} workloads[] = {
	{ "fork, exit", WORK_FORK, 20, false, { { 400, 80, 0 } } },
	{ "fork, exit, 1024 pages", WORK_FORK, 10, true, { { 220, 40, 0 } } },
	{ "copy on write, 1024 pages", WORK_COPY, 2, true, { { 8216, 8, 0 } } },
	{ "map, touch, unmap 256", WORK_MAP_256, 10, false, { { 5130, 20, 0 } } },
	{ "map, touch, unmap 16", WORK_MAP_16, 50, false, { { 1650, 0, 0 } } },
	{ "demand fill", WORK_FILL, 1024, false, { { 2048, 0, 0 } } },
	{ "read-only and back 256", WORK_PROTECT, 10, true, { { 40, 40, 0 } } },
	{ "switch among 2", WORK_SWITCH_2, 100, false, { { 0, 200, 0 } } },
	{ "switch among 4", WORK_SWITCH_4, 50, false, { { 0, 200, 0 } } },
	{ "switch among 8", WORK_SWITCH_8, 25, false, { { 0, 200, 0 } } },
	{ "switch among 32", WORK_SWITCH_32, 10, false, { { 0, 320, 0 } } },
};

#define NR_WORKLOADS (sizeof(workloads) / sizeof(workloads[0]))

static bool is_svm(void)
{
	unsigned int a, b, c = 0, d;

	__get_cpuid(0x80000001, &a, &b, &c, &d);
	return c & 1 << 2;
}

static struct measured measure(const struct fixture *f)
{
	static struct counts counts;
	struct measured sum = {};
	unsigned int kind;
	uint32_t reason;

	if (!f->traced)
		guest_counts(&f->guest, 0, &counts);
	for (kind = 0; kind < NR_KINDS; kind++) {
		const struct reasons *r = is_svm() ? &svm[kind] : &vmx[kind];

		for (reason = r->first; reason <= r->last; reason++)
			sum.n[kind] += f->traced ? trace_hits(&f->trace, "kvm", "kvm_exit", reason)
						 : counts_of_reason(&counts, reason);
	}
	return sum;
}

static void guest_work(struct fixture *f, enum work what, unsigned int n)
{
	program_begin(&f->guest, what, n);
	guest_run_to_hlt(&f->guest, 0);
}

/* On mkvm the VM is to have shadow tables; kvm has them if its module was told so. */
static void need_shadow_paging(struct fixture *f)
{
	struct kvm_dev dev;

	device_open(&dev);
	f->traced = !kvm_dev_is_mkvm(&dev);
	kvm_dev_close(&dev);
	if (f->traced)
		return;
	device_needs_shadow();
	setenv("MKVM_MMU", "shadow", 1);
}

static void set_up(struct fixture *f)
{
	struct kvm_sregs sregs;

	memset(f, 0, sizeof(*f));
	need_shadow_paging(f);
	guest_create(&f->guest, 1);
	if (f->traced) {
		trace_start(&f->trace);
		trace_histogram(&f->trace, "kvm", "kvm_exit", "exit_reason");
	} else {
		REQUIRE_OK(vm_enable_cap(&f->guest.vm, MKVM_CAP_FAULT_AROUND, AROUND));
	}
	guest_start(&f->guest, 0, MODE_LONG);
	sregs = guest_sregs(&f->guest, 0);
	sregs.idt.base = GUEST_IDT;
	sregs.idt.limit = 32 * 16 - 1;
	REQUIRE_OK(vcpu_set_sregs(&f->guest.vcpu[0], &sregs));
	program_load(&f->guest, "workloads");
	guest_work(f, WORK_SET_UP, 0);
}

static void clean_up(struct fixture *f)
{
	if (f->traced)
		trace_stop(&f->trace);
	guest_destroy(&f->guest);
}

static void report(unsigned int i, const struct measured *m)
{
	const char *path = getenv("WORKLOADS_RESULT");
	FILE *file;

	ktap_note("%s, %u times: %llu page faults, %llu CR, %llu INVLPG", workloads[i].name,
		  workloads[i].n, (unsigned long long)m->n[FAULT], (unsigned long long)m->n[CR],
		  (unsigned long long)m->n[INVLPG]);
	if (!path)
		return;
	file = fopen(path, "ae");
	REQUIRE(file, "%s: %s", path, strerror(errno));
	fprintf(file, "%s|%u|%llu|%llu|%llu\n", workloads[i].name, workloads[i].n,
		(unsigned long long)m->n[FAULT], (unsigned long long)m->n[CR],
		(unsigned long long)m->n[INVLPG]);
	fclose(file);
}

/* Once to get to know the tables, then so often as is counted; the first use is never a second. */
static struct measured run(struct fixture *f, unsigned int i)
{
	struct measured before, after;
	unsigned int kind;

	if (workloads[i].work != WORK_FILL)
		guest_work(f, workloads[i].work, 2);
	before = measure(f);
	guest_work(f, workloads[i].work, workloads[i].n);
	after = measure(f);
	for (kind = 0; kind < NR_KINDS; kind++)
		after.n[kind] -= before.n[kind];
	return after;
}

static void check(const struct fixture *f, unsigned int i, const struct measured *m)
{
	static const char *const kinds[] = { "page faults", "CR accesses", "INVLPG" };
	unsigned int kind;

	for (kind = 0; kind < NR_KINDS && !f->traced; kind++)
		EXPECT(m->n[kind] == workloads[i].expect.n[kind], "%s, %u times: %llu %s, not %llu",
		       workloads[i].name, workloads[i].n, (unsigned long long)m->n[kind],
		       kinds[kind], (unsigned long long)workloads[i].expect.n[kind]);
}

static void exits_of_workloads(void)
{
	struct measured m;
	struct fixture f;
	unsigned int i;

	set_up(&f);
	for (i = 0; i < NR_WORKLOADS; i++) {
		if (workloads[i].work == WORK_SWITCH_2)
			guest_work(&f, WORK_ADD_PROCESSES, 32);
		if (workloads[i].large)
			guest_work(&f, WORK_GROW, 0);
		m = run(&f, i);
		report(i, &m);
		check(&f, i, &m);
		if (workloads[i].large || workloads[i].work == WORK_FILL)
			guest_work(&f, WORK_SHRINK, 0);
	}
	clean_up(&f);
}

static uint64_t table_pages(const struct fixture *f)
{
	struct stats stats;
	uint64_t pages;

	stats_open(&stats, f->guest.vm.fd);
	pages = stats_value(&stats, "mkvm_table_pages");
	stats_close(&stats);
	return pages;
}

/* The host takes shadow tables back, but for those in use; the guest goes on, with new ones. */
static void tables_go_when_the_host_is_short(void)
{
	uint64_t before, after, again;
	struct fixture f;

	set_up(&f);
	if (f.traced)
		ktap_skip("kvm does not tell how many tables it has");
	guest_work(&f, WORK_ADD_PROCESSES, 32);
	guest_work(&f, WORK_SWITCH_32, 1);
	before = table_pages(&f);
	REQUIRE(sys_write("/proc/sys/vm/drop_caches", "2"), "drop_caches: %s", strerror(errno));
	after = table_pages(&f);
	guest_work(&f, WORK_SWITCH_32, 1);
	again = table_pages(&f);
	ktap_note("table pages: %llu, %llu when the host was short of memory, then %llu",
		  (unsigned long long)before, (unsigned long long)after, (unsigned long long)again);
	EXPECT(before > 100);
	EXPECT(after && after < 10);
	EXPECT(again > 100);
	clean_up(&f);
}

/* What shadow tables take besides themselves. */
struct metadata {
	uint64_t tables, bytes;
};

/* The number that follows @name in a file of the kernel's, behind @skip others; 0: no such name. */
static uint64_t number_of(const char *path, const char *name, unsigned int skip)
{
	FILE *file = fopen(path, "re");
	uint64_t value = 0;
	char line[512], *at;

	REQUIRE(file, "%s: %s", path, strerror(errno));
	while (fgets(line, sizeof(line), file)) {
		if (strncmp(line, name, strlen(name)) || !strpbrk(line + strlen(name), " :"))
			continue;
		for (at = line + strcspn(line, " :"); skip; skip--)
			strtoull(at + strspn(at, " :"), &at, 10);
		value = strtoull(at + strspn(at, " :"), NULL, 10);
		break;
	}
	fclose(file);
	return value;
}

static uint64_t slab_bytes(const char *name)
{
	return number_of("/proc/slabinfo", name, 0) * number_of("/proc/slabinfo", name, 2);
}

/*
 * kvm accounts its tables as pages of second tables.  For each it has a header, and a page for what
 * its entries map; and lists where several entries map one frame.
 */
static struct metadata metadata_of_kvm(void)
{
	uint64_t header = number_of("/proc/slabinfo", "kvm_mmu_page_header", 2);
	struct metadata now;

	/* Each processor hands in what it has counted. */
	number_of("/proc/sys/vm/stat_refresh", "", 0);
	now.tables = number_of("/proc/meminfo", "SecPageTables", 0) / 4;
	REQUIRE(header, "no slab of kvm_mmu_page_header: slab_nomerge");
	now.bytes = now.tables * (header + 4096) + slab_bytes("pte_list_desc");
	return now;
}

static struct metadata metadata(const struct fixture *f)
{
	struct metadata now;
	struct stats stats;

	if (f->traced)
		return metadata_of_kvm();
	stats_open(&stats, f->guest.vm.fd);
	now.tables = stats_value(&stats, "mkvm_table_pages");
	now.bytes = stats_value(&stats, "mkvm_metadata_bytes");
	stats_close(&stats);
	return now;
}

/*
 * What a GiB more of the guest's memory takes, used or not.  kvm does not tell: for each page of 4
 * KiB, 2 MiB and 1 GiB it has a reverse map of 8 bytes, for each of 4 KiB 2 bytes of who follows
 * its stores.
 */
static uint64_t bytes_of_a_gib(const struct fixture *f)
{
	struct kvm_userspace_memory_region slot = {
		.slot = 7,
		.guest_phys_addr = 1ULL << 32,
		.memory_size = 1ULL << 30,
	};
	uint64_t before = metadata(f).bytes, after;
	void *memory;

	if (f->traced)
		return 8 * ((1 << 18) + (1 << 9) + 1) + 2 * (1 << 18);
	memory = mmap(NULL, slot.memory_size, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	REQUIRE(memory != MAP_FAILED, "a GiB of address space: %s", strerror(errno));
	slot.userspace_addr = (uintptr_t)memory;
	REQUIRE(ioctl(f->guest.vm.fd, KVM_SET_USER_MEMORY_REGION, &slot) == 0);
	after = metadata(f).bytes;
	slot.memory_size = 0;
	REQUIRE(ioctl(f->guest.vm.fd, KVM_SET_USER_MEMORY_REGION, &slot) == 0);
	munmap(memory, 1UL << 30);
	return after - before;
}

/* Tables of 32 processes more, as far as kvm has room for them, and what is had for them. */
static void metadata_of_tables(void)
{
	const char *path = getenv("WORKLOADS_METADATA");
	struct metadata before, after;
	struct fixture f;
	uint64_t gib;
	FILE *file;

	set_up(&f);
	gib = bytes_of_a_gib(&f);
	before = metadata(&f);
	guest_work(&f, WORK_ADD_PROCESSES, 32);
	guest_work(&f, WORK_SWITCH_32, 1);
	after = metadata(&f);
	after.tables -= before.tables;
	after.bytes -= before.bytes;
	REQUIRE(after.tables >= 20, "%llu tables", (unsigned long long)after.tables);
	ktap_note("%llu bytes for a GiB of memory", (unsigned long long)gib);
	ktap_note("%llu tables, %llu bytes of metadata, %llu for each",
		  (unsigned long long)after.tables, (unsigned long long)after.bytes,
		  (unsigned long long)(after.bytes / after.tables));
	if (path) {
		file = fopen(path, "we");
		REQUIRE(file, "%s: %s", path, strerror(errno));
		fprintf(file, "%llu %llu\n", (unsigned long long)(after.bytes / after.tables),
			(unsigned long long)gib);
		fclose(file);
	}
	clean_up(&f);
}

static const struct ktap_test tests[] = {
	KTAP_TEST(exits_of_workloads),
	KTAP_TEST(tables_go_when_the_host_is_short),
	KTAP_TEST(metadata_of_tables),
};

int main(int argc, char **argv)
{
	return ktap_main(tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
