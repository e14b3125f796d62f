// SPDX-License-Identifier: GPL-2.0-only
/*
 * All that the host does to a guest's memory, at once: eight vCPUs on the host's processors write
 * and check their memory while it is swapped out and in, merged by KSM and parted again, made of
 * huge pages and of small ones, while a dirty log goes on and off and a slot is moved; and, with
 * MKVM_MMU=shadow, while the VM goes from one MMU to the other.
 *
 * Each page begins with the number of passes that its vCPU has made over it and a word that tells
 * which page it is; the rest never changes.  A vCPU checks both words of each page and counts the
 * pass; at the end all bytes are compared.
 *
 * It goes on until each kind of event has been counted often enough; STRESS_MMU percent of:
 */
#include <linux/kvm.h>
#include <linux/mkvm.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "lib/audit.h"
#include "lib/cgroup.h"
#include "lib/guest.h"
#include "lib/stats.h"
#include "lib/sys.h"

#define WANTED_SWAPPED_IN    10000
#define WANTED_MERGES	     1000
#define WANTED_BREAKS	     1000
#define WANTED_SPLITS	     500
#define WANTED_COLLAPSES     500
#define WANTED_MOVES	     1000
#define WANTED_TOGGLES	     1000
#define WANTED_INVALIDATIONS 10000
#define WANTED_SWITCHES	     500
#define PERCENT		     1

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif
#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT 21
#endif

#define PAGE   0x1000UL
#define HUGE   0x200000UL
#define LIMIT  36000 /* seconds: only so that a hang is told as one */
#define TELL   60    /* seconds */
#define CGROUP "stress_mmu"
#define KSM    "/sys/kernel/mm/ksm/"
#define THP    "/sys/kernel/mm/transparent_hugepage/enabled"
#define VMSTAT "/proc/vmstat"

/*
 * Memory: 5 vCPUs have small pages, logged now and then; one has pages that are all alike; one huge
 * ones.  The last only reads: the first pages of the first vCPU, through a slot that is now in one
 * place and now in another.
 */
#define NR_CPUS	    8
#define SMALL_CPUS  5
#define ALIKE_CPU   5
#define HUGE_CPU    6
#define READER_CPU  7
#define SMALL_PAGES 256UL
#define ALIKE_PAGES 64UL
#define HUGE_PAGES  (2 * HUGE / PAGE)
#define READ_PAGES  16UL
#define PART	    32UL /* pages that are swapped out at a time */

#define HUGE_GPA     (1UL << 30)
#define SMALL_GPA    (HUGE_GPA + 2 * HUGE)
#define ALIKE_GPA    (SMALL_GPA + SMALL_CPUS * SMALL_PAGES * PAGE)
#define READ_GPA(at) (HUGE_GPA + (16UL << 20) + (at)*HUGE)

#define HUGE_SLOT  3
#define SMALL_SLOT 4
#define ALIKE_SLOT 5
#define READ_SLOT  6

/* Words of the shared page; each vCPU's own begin at OF(cpu). */
#define STOP	    0
#define OF(cpu)	    (8 + 8 * (cpu))
#define PASSES(cpu) OF(cpu)
#define BAD(cpu)    (OF(cpu) + 1) /* gpa of a page that is not as it should be, ... */
#define WORDS(cpu)  (OF(cpu) + 2) /* ... and its first two words */

/* r8: first page, r9: pages, r10: mask of a gpa for the second word, r11: halt after each pass. */
guest_code(code_write, 64,
	   "xor %ebx, %ebx\n"
	   "1: mov %r8, %rdi\n"
	   "mov %r9, %rcx\n"
	   "2: cmp %rbx, (%rdi)\n"
	   "jne 3f\n"
	   "mov %rdi, %rax\n"
	   "and %r10, %rax\n"
	   "cmp %rax, 8(%rdi)\n"
	   "jne 3f\n"
	   "incq (%rdi)\n"
	   "add $0x1000, %rdi\n"
	   "dec %rcx\n"
	   "jnz 2b\n"
	   "inc %rbx\n"
	   "incq (%rsi)\n"
	   "cmpq $0, " S_SHARED "\n"
	   "jne 4f\n"
	   "test %r11, %r11\n"
	   "jz 1b\n"
	   "hlt\n"
	   "jmp 1b\n"
	   "3: mov %rdi, 8(%rsi)\n"
	   "mov (%rdi), %rax\n"
	   "mov %rax, 16(%rsi)\n"
	   "mov 8(%rdi), %rax\n"
	   "mov %rax, 24(%rsi)\n"
	   "4: hlt\n");
/* r8, r13: the two places, r9: pages, r12: gpa that the first page's second word tells. */
guest_code(code_read, 64,
	   "1: mov %r8, %rdi\n"
	   "mov %r12, %rdx\n"
	   "mov %r9, %rcx\n"
	   "2: mov 8(%rdi), %rax\n"
	   "cmp $-1, %rax\n"
	   "je 3f\n"
	   "cmp %rdx, %rax\n"
	   "jne 4f\n"
	   "3: add $0x1000, %rdi\n"
	   "add $0x1000, %rdx\n"
	   "dec %rcx\n"
	   "jnz 2b\n"
	   "xchg %r8, %r13\n"
	   "incq (%rsi)\n"
	   "cmpq $0, " S_SHARED "\n"
	   "je 1b\n"
	   "hlt\n"
	   "4: mov %rdi, 8(%rsi)\n"
	   "mov %rax, 24(%rsi)\n"
	   "hlt\n");

struct fixture {
	struct guest guest; /* with the vCPUs below instead of its own */
	struct vcpu vcpu[NR_CPUS];
	struct stats stats;
	char *reserved, *huge, *small, *alike;
	volatile uint64_t *shared;
	pthread_t threads[NR_CPUS], slots, reclaim, pageout;
	volatile bool stop;
	uint64_t percent;
	struct sys_setting ksm_run, ksm_sleep, ksm_pages, ksm_smart, thp;
	uint64_t swapped_in, breaks, splits; /* the host's counts at the beginning */
	uint64_t collapses;
	volatile uint64_t moves, toggles, logs, switches;
	bool can_switch;    /* the MMU, as the VM has both */
	volatile bool swap; /* swapping is not ahead of all else */
	time_t begun, tell_at;
};

struct cpu_of_stress {
	struct fixture *fixture;
	unsigned int cpu;
};

static uint64_t merging(void)
{
	return sys_count("/proc/self/ksm_merging_pages", NULL);
}

/* One more pass when KSM has merged some, or has had its chance. */
static void await_merges(const struct fixture *f)
{
	uint64_t scans = sys_count(KSM "full_scans", NULL);

	while (!f->stop && merging() < ALIKE_PAGES / 2 &&
	       sys_count(KSM "full_scans", NULL) < scans + 10)
		usleep(10000);
}

/*
 * Where there is no slot everything reads as ones.  A vCPU never sleeps, and runs when the host's
 * threads do not want the processor: they hold locks that all wait for, and some of them, as
 * khugepaged, have a low priority.
 */
static void *run(void *data)
{
	struct cpu_of_stress *cpu = data;
	struct fixture *f = cpu->fixture;
	struct vcpu *vcpu = &f->vcpu[cpu->cpu];
	volatile uint64_t *bad = &f->shared[BAD(cpu->cpu)];

	REQUIRE(setpriority(PRIO_PROCESS, gettid(), 19) == 0);
	for (;;) {
		int err = vcpu_run(vcpu);

		REQUIRE(!err, "vCPU %u: %s", cpu->cpu, strerror(-err));
		if (vcpu->run->exit_reason == KVM_EXIT_MMIO && !vcpu->run->mmio.is_write) {
			memset(vcpu->run->mmio.data, 0xff, sizeof(vcpu->run->mmio.data));
			continue;
		}
		REQUIRE(vcpu->run->exit_reason == KVM_EXIT_HLT, "vCPU %u: exit %u", cpu->cpu,
			vcpu->run->exit_reason);
		if (*bad || cpu->cpu != ALIKE_CPU || f->shared[STOP])
			break;
		await_merges(f);
	}
	REQUIRE(!*bad, "vCPU %u: page %#llx, pass %llu, has %#llx %#llx", cpu->cpu,
		(unsigned long long)*bad, (unsigned long long)f->shared[PASSES(cpu->cpu)],
		(unsigned long long)bad[1], (unsigned long long)bad[2]);
	return NULL;
}

static uint64_t byte_of(uint64_t gpa, unsigned int i)
{
	return (gpa / PAGE + 1) * 0x9e3779b97f4a7c15 + i / 8 * 0xff51afd7ed558ccd;
}

static void fill(char *host, uint64_t gpa, unsigned long pages, uint64_t mask)
{
	unsigned int i;

	for (; pages; pages--, host += PAGE, gpa += PAGE) {
		uint64_t *words = (uint64_t *)host;

		words[1] = gpa & mask;
		for (i = 2; i < PAGE / 8; i++)
			words[i] = byte_of(gpa & mask, i);
	}
}

static void compare(const char *host, uint64_t gpa, unsigned long pages, uint64_t mask,
		    uint64_t passes)
{
	unsigned int i;

	for (; pages; pages--, host += PAGE, gpa += PAGE) {
		const uint64_t *words = (const uint64_t *)host;

		EXPECT(words[0] == passes && words[1] == (gpa & mask),
		       "page %#llx: %llu %#llx after %llu passes", (unsigned long long)gpa,
		       (unsigned long long)words[0], (unsigned long long)words[1],
		       (unsigned long long)passes);
		for (i = 2; i < PAGE / 8 && words[i] == byte_of(gpa & mask, i); i++)
			;
		EXPECT(i == PAGE / 8, "page %#llx, word %u", (unsigned long long)gpa, i);
	}
}

static void set_up_host(struct fixture *f)
{
	REQUIRE(swap_start(96 << 20), "no zram");
	REQUIRE(cgroup_make(CGROUP) && cgroup_enter(CGROUP), "no memory cgroup");
	REQUIRE(sys_set(&f->thp, THP, "madvise"));
	sys_set(&f->ksm_pages, KSM "pages_to_scan", "200");
	sys_set(&f->ksm_sleep, KSM "sleep_millisecs", "20");
	/* Newer kernels leave out pages that did not merge before. */
	sys_set(&f->ksm_smart, KSM "smart_scan", "0");
	REQUIRE(sys_set(&f->ksm_run, KSM "run", "1"));
	f->swapped_in = sys_count(VMSTAT, "pswpin");
	f->breaks = sys_count(VMSTAT, "cow_ksm");
	f->splits = sys_count(VMSTAT, "thp_split_pmd");
}

static void restore_host(struct fixture *f)
{
	swap_stop();
	sys_restore(&f->ksm_run);
	sys_restore(&f->ksm_smart);
	sys_restore(&f->ksm_sleep);
	sys_restore(&f->ksm_pages);
	sys_restore(&f->thp);
	EXPECT(cgroup_enter(""));
	EXPECT(cgroup_remove(CGROUP));
}

static char *map_pages(unsigned long pages, int advice)
{
	char *at = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
			0);

	REQUIRE(at != MAP_FAILED);
	REQUIRE(madvise(at, pages * PAGE, MADV_NOHUGEPAGE) == 0);
	if (advice != MADV_NOHUGEPAGE)
		REQUIRE(madvise(at, pages * PAGE, advice) == 0);
	return at;
}

static void set_slot(struct fixture *f, uint32_t slot, uint64_t gpa, char *host,
		     unsigned long pages, uint32_t flags)
{
	REQUIRE_OK(vm_set_slot(&f->guest.vm, slot, gpa, pages * PAGE, host, flags));
}

static void set_up_memory(struct fixture *f)
{
	f->reserved =
		mmap(NULL, 3 * HUGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	REQUIRE(f->reserved != MAP_FAILED);
	f->huge = (char *)(((uintptr_t)f->reserved + HUGE - 1) & -HUGE);
	REQUIRE(madvise(f->huge, HUGE_PAGES * PAGE, MADV_HUGEPAGE) == 0);
	f->small = map_pages(SMALL_CPUS * SMALL_PAGES, MADV_NOHUGEPAGE);
	f->alike = map_pages(ALIKE_PAGES, MADV_MERGEABLE);
	fill(f->huge, HUGE_GPA, HUGE_PAGES, -1);
	fill(f->small, SMALL_GPA, SMALL_CPUS * SMALL_PAGES, -1);
	fill(f->alike, ALIKE_GPA, ALIKE_PAGES, 0);
	set_slot(f, HUGE_SLOT, HUGE_GPA, f->huge, HUGE_PAGES, 0);
	set_slot(f, SMALL_SLOT, SMALL_GPA, f->small, SMALL_CPUS * SMALL_PAGES, 0);
	set_slot(f, ALIKE_SLOT, ALIKE_GPA, f->alike, ALIKE_PAGES, 0);
	set_slot(f, READ_SLOT, READ_GPA(0), f->small, READ_PAGES, 0);
}

static void set_up_cpu(struct fixture *f, unsigned int cpu)
{
	struct vcpu *vcpu = &f->vcpu[cpu];
	struct kvm_sregs sregs;
	struct kvm_regs regs = {
		.rip = GUEST_CODE,
		.rsp = GUEST_STACKS,
		.rflags = X86_RFLAGS_FIXED | X86_RFLAGS_IF,
		.rsi = GUEST_SHARED + 8 * OF(cpu),
		.r8 = SMALL_GPA + cpu * SMALL_PAGES * PAGE,
		.r9 = SMALL_PAGES,
		.r10 = -1,
	};

	if (cpu == ALIKE_CPU) {
		regs.r8 = ALIKE_GPA;
		regs.r9 = ALIKE_PAGES;
		regs.r10 = 0;
		regs.r11 = 1;
	} else if (cpu == HUGE_CPU) {
		regs.r8 = HUGE_GPA;
		regs.r9 = HUGE_PAGES;
	} else if (cpu == READER_CPU) {
		regs.rip = GUEST_CODE + 0x1000;
		regs.r8 = READ_GPA(0);
		regs.r13 = READ_GPA(1);
		regs.r9 = READ_PAGES;
		regs.r12 = SMALL_GPA;
	}
	REQUIRE_OK(vcpu_create(vcpu, &f->guest.dev, &f->guest.vm, cpu));
	REQUIRE_OK(vcpu_offer_host_cpuid(vcpu, &f->guest.dev));
	REQUIRE_OK(vcpu_get_sregs(vcpu, &sregs));
	mode_set(&sregs, MODE_LONG, GUEST_GDT, GUEST_TABLES);
	REQUIRE_OK(vcpu_set_sregs(vcpu, &sregs));
	REQUIRE_OK(vcpu_set_regs(vcpu, &regs));
}

static void set_up(struct fixture *f)
{
	const char *percent = getenv("STRESS_MMU");
	unsigned int cpu;

	memset(f, 0, sizeof(*f));
	f->begun = time(NULL);
	f->percent = percent ? strtoul(percent, NULL, 0) : PERCENT;
	REQUIRE(f->percent, "STRESS_MMU=%s: expected a percentage", percent);
	set_up_host(f);
	guest_create(&f->guest, 0);
	if (kvm_dev_is_mkvm(&f->guest.dev)) {
		REQUIRE_OK(vm_enable_cap(&f->guest.vm, MKVM_CAP_FAULT_AROUND, 16));
		stats_open(&f->stats, f->guest.vm.fd);
		f->can_switch = device_vm_type() == MKVM_VM_SHADOW && (f->guest.dev.mmus & 1);
	}
	guest_load(&f->guest, code_write);
	memcpy(guest_at(&f->guest, GUEST_CODE + 0x1000, code_read_end - code_read), code_read,
	       code_read_end - code_read);
	REQUIRE_OK(mode_build_tables(&f->guest.mem, GUEST_TABLES, MODE_LONG));
	f->shared = guest_shared(&f->guest);
	set_up_memory(f);
	for (cpu = 0; cpu < NR_CPUS; cpu++)
		set_up_cpu(f, cpu);
}

static uint64_t share(const struct fixture *f, uint64_t wanted)
{
	return (wanted * f->percent + 99) / 100;
}

static void switch_mmu(struct fixture *f)
{
	if (f->can_switch)
		REQUIRE_OK(
			vm_set_mmu(&f->guest.vm, ++f->switches % 2 ? MKVM_VM_TDP : MKVM_VM_SHADOW));
}

/*
 * Moves a slot, and turns the log of another on, reads it, and turns it off, with another MMU after
 * each.
 */
static void *change_slots(void *data)
{
	static uint64_t bits[SMALL_CPUS * SMALL_PAGES / 64];
	struct fixture *f = data;

	while (!f->stop) {
		set_slot(f, READ_SLOT, READ_GPA(++f->moves % 2), f->small, READ_PAGES, 0);
		switch_mmu(f);
		set_slot(f, SMALL_SLOT, SMALL_GPA, f->small, SMALL_CPUS * SMALL_PAGES,
			 ++f->toggles % 2 ? KVM_MEM_LOG_DIRTY_PAGES : 0);
		if (f->toggles % 2) {
			REQUIRE_OK(vm_get_dirty_log(&f->guest.vm, SMALL_SLOT, bits));
			f->logs++;
		}
		usleep(1000);
	}
	return NULL;
}

/*
 * Memory has to be given back, as the host finds it.  Where all is in use it looks for long, and
 * asks of each page whether it is; in between it rests for as long.
 */
static void *reclaim(void *data)
{
	const struct fixture *f = data;

	while (!f->stop) {
		time_t begun = time(NULL), until;

		sys_write("/sys/fs/cgroup/" CGROUP "/memory.reclaim", "256K");
		for (until = 2 * time(NULL) - begun; !f->stop && time(NULL) <= until;)
			usleep(20000);
	}
	return NULL;
}

/* And as it is told: that is soon done, whether the pages are in use or not. */
static void *page_out(void *data)
{
	const struct fixture *f = data;
	unsigned long page = 0;

	for (; !f->stop; usleep(10000)) {
		if (!f->swap)
			continue;
		REQUIRE(madvise(f->small + page * PAGE, PART * PAGE, MADV_PAGEOUT) == 0);
		page = (page + PART) % (SMALL_CPUS * SMALL_PAGES);
	}
	return NULL;
}

/*
 * Another permission for one page splits the huge one; when it is gone there can be one again, if
 * nobody has just taken hold of a page.
 */
static void split_and_collapse(struct fixture *f, unsigned long nr)
{
	char *huge = f->huge + nr * HUGE, *page = huge + 7 * PAGE;
	int tries;

	REQUIRE(mprotect(page, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC) == 0);
	usleep(1000);
	REQUIRE(mprotect(page, PAGE, PROT_READ | PROT_WRITE) == 0);
	for (tries = 0; tries < 10; tries++) {
		uint64_t before = sys_count(VMSTAT, "thp_collapse_alloc");

		/* It succeeds, too, where it has nothing to do. */
		if (madvise(huge, HUGE, MADV_COLLAPSE) == 0) {
			f->collapses += sys_count(VMSTAT, "thp_collapse_alloc") > before;
			break;
		}
		usleep(1000);
	}
}

struct count {
	const char *name;
	uint64_t is, wanted;
};

#define NR_COUNTS 9
#define SWAPPED	  0

/* A count of the host's; reading them all takes a debug kernel long. */
static uint64_t host_count(const char *all, const char *name)
{
	const char *at = strstr(all, name);

	REQUIRE(at, "no %s", name);
	return strtoull(at + strlen(name), NULL, 10);
}

static void take_counts(const struct fixture *f, struct count *counts)
{
	static char all[16384] = "\n";
	uint64_t breaks;

	REQUIRE(sys_read(VMSTAT, all + 1, sizeof(all) - 1));
	breaks = host_count(all, "\ncow_ksm ") - f->breaks;
	const struct count taken[NR_COUNTS] = {
		{ "pages swapped in", host_count(all, "\npswpin ") - f->swapped_in,
		  share(f, WANTED_SWAPPED_IN) },
		/* What was parted had been merged before. */
		{ "KSM merges", breaks + merging(), share(f, WANTED_MERGES) },
		{ "KSM breaks", breaks, share(f, WANTED_BREAKS) },
		{ "huge pages split", host_count(all, "\nthp_split_pmd ") - f->splits,
		  share(f, WANTED_SPLITS) },
		{ "huge pages collapsed", f->collapses, share(f, WANTED_COLLAPSES) },
		{ "slot moves", f->moves, share(f, WANTED_MOVES) },
		{ "dirty logs on or off", f->toggles, share(f, WANTED_TOGGLES) },
		{ "invalidations of what is mapped",
		  f->stats.names ? stats_value(&f->stats, "mkvm_host_invalidate_hit") : UINT64_MAX,
		  share(f, WANTED_INVALIDATIONS) },
		{ "changes of the MMU", f->switches,
		  f->can_switch ? share(f, WANTED_SWITCHES) : 0 },
	};

	memcpy(counts, taken, sizeof(taken));
}

/* How much of it has been, in thousandths. */
static uint64_t part_done(const struct count *count)
{
	return count->is >= count->wanted ? 1000 : count->is * 1000 / count->wanted;
}

/* Pages are swapped at the pace of all else. */
static void pace(struct fixture *f, const struct count *counts)
{
	uint64_t least = 1000;
	unsigned int i;

	for (i = 0; i < NR_COUNTS; i++)
		if (i != SWAPPED && part_done(&counts[i]) < least)
			least = part_done(&counts[i]);
	f->swap = part_done(&counts[SWAPPED]) <= least + 50 && part_done(&counts[SWAPPED]) < 1000;
}

static bool is_enough(const struct fixture *f, const struct count *counts)
{
	unsigned int i;

	for (i = 0; i < NR_COUNTS; i++)
		if (counts[i].is < counts[i].wanted)
			return false;
	for (i = 0; i < NR_CPUS; i++)
		if (f->shared[PASSES(i)] < 2)
			return false;
	return true;
}

/* A long run tells now and then how far it is. */
static void tell_progress(struct fixture *f, const struct count *counts)
{
	time_t now = time(NULL);
	char text[256] = "";
	unsigned int i;
	size_t n = 0;

	if (now < f->tell_at)
		return;
	f->tell_at = now + TELL;
	for (i = 0; i < NR_COUNTS; i++)
		n += snprintf(text + n, sizeof(text) - n, ", %llu of %llu",
			      (unsigned long long)counts[i].is,
			      (unsigned long long)counts[i].wanted);
	ktap_note("after %lu s%s", (unsigned long)(now - f->begun), text);
}

static void tell_counts(const struct fixture *f)
{
	struct count counts[NR_COUNTS];
	unsigned int i;

	take_counts(f, counts);
	for (i = 0; i < NR_COUNTS; i++) {
		ktap_note("%s: %llu", counts[i].name, (unsigned long long)counts[i].is);
		EXPECT(counts[i].is >= counts[i].wanted, "%s", counts[i].name);
	}
	for (i = 0; i < NR_CPUS; i++)
		ktap_note("vCPU %u: %llu passes", i, (unsigned long long)f->shared[PASSES(i)]);
	ktap_note("logs read: %llu", (unsigned long long)f->logs);
}

static void stop(struct fixture *f)
{
	unsigned int cpu;

	f->shared[STOP] = 1;
	f->stop = true;
	for (cpu = 0; cpu < NR_CPUS; cpu++)
		REQUIRE(!pthread_join(f->threads[cpu], NULL));
	REQUIRE(!pthread_join(f->slots, NULL));
	REQUIRE(!pthread_join(f->pageout, NULL));
	REQUIRE(!pthread_join(f->reclaim, NULL));
}

static void compare_all(const struct fixture *f)
{
	unsigned int cpu;

	for (cpu = 0; cpu < SMALL_CPUS; cpu++)
		compare(f->small + cpu * SMALL_PAGES * PAGE, SMALL_GPA + cpu * SMALL_PAGES * PAGE,
			SMALL_PAGES, -1, f->shared[PASSES(cpu)]);
	compare(f->alike, ALIKE_GPA, ALIKE_PAGES, 0, f->shared[PASSES(ALIKE_CPU)]);
	compare(f->huge, HUGE_GPA, HUGE_PAGES, -1, f->shared[PASSES(HUGE_CPU)]);
}

static void memory_stays_right(void)
{
	struct cpu_of_stress cpus[NR_CPUS];
	struct count counts[NR_COUNTS];
	struct fixture f;
	unsigned int cpu, round;

	set_up(&f);
	for (cpu = 0; cpu < NR_CPUS; cpu++) {
		cpus[cpu] = (struct cpu_of_stress){ &f, cpu };
		REQUIRE(!pthread_create(&f.threads[cpu], NULL, run, &cpus[cpu]));
	}
	REQUIRE(!pthread_create(&f.slots, NULL, change_slots, &f));
	REQUIRE(!pthread_create(&f.pageout, NULL, page_out, &f));
	REQUIRE(!pthread_create(&f.reclaim, NULL, reclaim, &f));
	for (round = 0;; round++) {
		take_counts(&f, counts);
		tell_progress(&f, counts);
		if (is_enough(&f, counts))
			break;
		pace(&f, counts);
		split_and_collapse(&f, round % 2);
	}
	stop(&f);
	compare_all(&f);
	tell_counts(&f);
	if (f.stats.names) {
		EXPECT(audit_vms() == 1, "no audit");
		stats_close(&f.stats);
	}
	for (cpu = 0; cpu < NR_CPUS; cpu++)
		vcpu_destroy(&f.vcpu[cpu]);
	guest_destroy(&f.guest);
	munmap(f.reserved, 3 * HUGE);
	munmap(f.small, SMALL_CPUS * SMALL_PAGES * PAGE);
	munmap(f.alike, ALIKE_PAGES * PAGE);
	restore_host(&f);
}

static const struct ktap_test tests[] = {
	KTAP_TEST_LIMIT(memory_stays_right, LIMIT),
};

KTAP_MAIN(tests)
