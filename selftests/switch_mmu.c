// SPDX-License-Identifier: GPL-2.0-only
/*
 * A guest does not notice that its VM goes from one MMU to the other and back (MKVM_SET_MMU): it
 * edits its page tables, writes and reads by them, and computes the same checksum as one whose VM
 * stays where it is, between its exits and in the middle of what it does, in each mode, and
 * whatever else is done to the VM at that time.  A dirty log that is read meanwhile loses no page.
 */
#include <errno.h>
#include <linux/kvm.h>
#include <linux/mkvm.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "lib/guest.h"
#include "lib/host.h"

#define PAGE	 0x1000UL
#define WINDOW	 0x8000000000UL /* a CPU's: entry 1 + CPU of the topmost table */
#define TABLES	 0x200000UL	/* a CPU's three: of the levels 3, 2, 1 */
#define DATA	 0x400000UL	/* a CPU's 16 pages */
#define FLAGS	 (X86_PTE_P | X86_PTE_W)
#define NR_PAGES 16
#define NR_CPUS	 2
#define MANY	 (1UL << 30) /* rounds */
#define BOTH	 3	     /* in what the device has */
#define FAR	 (1UL << 30)
#define LOGGED	 64 /* pages */
#define SLOT	 3

/* Words of the shared page. */
#define STOP	      0
#define PROGRESS(cpu) (8 * (1 + (cpu)))

/*
 * r8: a CPU's last table, r9: its window, rsi: rounds, which are counted at rdi; every so many of
 * them (rdx, less 1) it stops for the test.  Each round: two entries change places, one loses its
 * accessed and dirty bits, all is forgotten of both; a write by one, a read by the other; rbx is
 * the checksum, of the entries too.  Every 16th round CR0.WP goes on and off, every 64th CR3 is
 * loaded.  The test's word ends it all.
 */
guest_code(code_edit, 64,
	   "xor %ebx, %ebx\n"
	   "mov $1, %r10d\n"
	   "movabs $6364136223846793005, %r11\n"
	   "1: imul %r11, %r10\n"
	   "inc %r10\n"
	   "incq (%rdi)\n"
	   "mov %r10, %r12\n"
	   "shr $60, %r12\n"
	   "mov %r10, %r13\n"
	   "shr $56, %r13\n"
	   "and $15, %r13\n"
	   "mov (%r8,%r12,8), %rax\n"
	   "xchg %rax, (%r8,%r13,8)\n"
	   "and $~0x60, %rax\n"
	   "mov %rax, (%r8,%r12,8)\n"
	   "shl $12, %r12\n"
	   "shl $12, %r13\n"
	   "invlpg (%r9,%r12)\n"
	   "invlpg (%r9,%r13)\n"
	   "add %r10, 64(%r9,%r12)\n"
	   "rol $7, %rbx\n"
	   "xor 64(%r9,%r13), %rbx\n"
	   "shr $12, %r12\n"
	   "add (%r8,%r12,8), %rbx\n"
	   "test $15, %esi\n"
	   "jnz 2f\n"
	   "mov %cr0, %rax\n"
	   "btc $16, %rax\n"
	   "mov %rax, %cr0\n"
	   "btc $16, %rax\n"
	   "mov %rax, %cr0\n"
	   "2: test $63, %esi\n"
	   "jnz 3f\n"
	   "mov %cr3, %rax\n"
	   "mov %rax, %cr3\n"
	   "3: test %edx, %esi\n"
	   "jnz 4f\n"
	   "out %al, $" S_SYNC "\n"
	   "4: dec %rsi\n"
	   "jz 5f\n"
	   "cmpl $0, " S_SHARED "\n"
	   "je 1b\n"
	   "5: hlt\n");

/* In 32-bit code of any mode: esi times adds to a page of its own, and stops each time. */
guest_code(code_32, 32,
	   "1: mov %esi, %edi\n"
	   "and $15, %edi\n"
	   "shl $12, %edi\n"
	   "add %esi, 0x400000(%edi)\n"
	   "add 0x400000(%edi), %ebx\n"
	   "out %al, $" S_SYNC "\n"
	   "dec %esi\n"
	   "jnz 1b\n"
	   "hlt\n");

/* On which MMU, or from one to the other all the time. */
enum route {
	ON_TDP,
	ON_SHADOW,
	TO_AND_FRO,
	NR_WAYS
};

struct fixture {
	struct guest guest;
	unsigned long on; /* MKVM_VM_* */
	uint64_t moves;
};

static void move_to(struct fixture *f, unsigned long type)
{
	REQUIRE_OK(vm_set_mmu(&f->guest.vm, type));
	f->moves += f->on != type;
	f->on = type;
}

static void move(struct fixture *f)
{
	move_to(f, f->on == MKVM_VM_TDP ? MKVM_VM_SHADOW : MKVM_VM_TDP);
}

static void need_both(void)
{
	struct kvm_dev dev;
	bool has;

	device_open(&dev);
	has = kvm_dev_is_mkvm(&dev) && (dev.mmus & BOTH) == BOTH;
	kvm_dev_close(&dev);
	if (!has)
		ktap_skip("a VM has but one MMU here");
	setenv("MKVM_MMU", "shadow", 1);
}

static void begin(struct fixture *f, enum route way, unsigned int cpus)
{
	memset(f, 0, sizeof(*f));
	need_both();
	guest_create(&f->guest, cpus);
	f->on = MKVM_VM_SHADOW;
	if (way == ON_TDP)
		move_to(f, MKVM_VM_TDP);
}

static void build_window(struct fixture *f, unsigned int cpu)
{
	uint64_t tables = TABLES + cpu * 3 * PAGE, data = DATA + cpu * NR_PAGES * PAGE;
	uint64_t *at = guest_at(&f->guest, tables, 3 * PAGE);
	uint64_t *top = guest_at(&f->guest, GUEST_TABLES, PAGE);
	unsigned int i;

	memset(at, 0, 3 * PAGE);
	top[1 + cpu] = (tables + PAGE * 0) | FLAGS;
	at[0] = (tables + PAGE) | FLAGS;
	at[PAGE / 8] = (tables + 2 * PAGE) | FLAGS;
	for (i = 0; i < NR_PAGES; i++)
		at[2 * PAGE / 8 + i] = (data + i * PAGE) | FLAGS;
}

static void start(struct fixture *f, unsigned int cpu, uint64_t rounds, uint64_t mask)
{
	struct kvm_regs regs;

	guest_start(&f->guest, cpu, MODE_LONG);
	build_window(f, cpu);
	regs = guest_regs(&f->guest, cpu);
	regs.r8 = TABLES + (cpu * 3 + 2) * PAGE;
	regs.r9 = (1 + cpu) * WINDOW;
	regs.rdi = GUEST_SHARED + 8 * PROGRESS(cpu);
	regs.rsi = rounds;
	regs.rdx = mask;
	REQUIRE_OK(vcpu_set_regs(&f->guest.vcpu[cpu], &regs));
}

/* Each CPU has gone on since. */
static void await_progress(struct fixture *f)
{
	volatile uint64_t *shared = guest_shared(&f->guest);
	uint64_t before[NR_CPUS];
	unsigned int i;

	for (i = 0; i < NR_CPUS; i++)
		before[i] = shared[PROGRESS(i)];
	for (i = 0; i < NR_CPUS; i++)
		while (shared[PROGRESS(i)] < before[i] + 2)
			sched_yield();
}

/* Until it halts; at each stop on the way the VM moves.  Answers the checksum. */
static uint64_t run_and_move(struct fixture *f, enum route way)
{
	while (guest_run(&f->guest, 0) == KVM_EXIT_IO)
		if (way == TO_AND_FRO)
			move(f);
	guest_expect_exit(&f->guest, 0, KVM_EXIT_HLT);
	return guest_regs(&f->guest, 0).rbx;
}

/* Nothing is tracked on the second table, and tables are on shadow tables. */
static void check_causes(struct fixture *f, enum route way)
{
	static struct counts counts;
	uint64_t tracked;

	guest_counts(&f->guest, 0, &counts);
	tracked = counts.sum.causes[MKVM_CAUSE_TRACKED_EMULATED] +
		  counts.sum.causes[MKVM_CAUSE_TRACKED_OPENED];
	if (way == ON_TDP)
		EXPECT_EQ(0, tracked);
	else
		EXPECT(tracked > 0);
	EXPECT(counts.sum.causes[MKVM_CAUSE_FILL] > 0);
}

/* Every 16 rounds, some hundred exits on shadow tables. */
static void between_exits(void)
{
	uint64_t rounds = 16 * host_events(500), sum[NR_WAYS];
	enum route way;
	struct fixture f;

	for (way = 0; way < NR_WAYS; way++) {
		begin(&f, way, 1);
		guest_load(&f.guest, code_edit);
		start(&f, 0, rounds, 15);
		sum[way] = run_and_move(&f, way);
		check_causes(&f, way);
		if (way == TO_AND_FRO)
			EXPECT_EQ(rounds / 16, f.moves);
		guest_destroy(&f.guest);
	}
	EXPECT_EQ(sum[ON_TDP], sum[ON_SHADOW]);
	EXPECT_EQ(sum[ON_TDP], sum[TO_AND_FRO]);
}

struct runs {
	struct fixture *f;
	unsigned int cpu;
	pthread_t thread;
};

static void *run_cpu(void *data)
{
	struct runs *runs = data;

	guest_run_to_hlt(&runs->f->guest, runs->cpu);
	return NULL;
}

static void run_begin(struct fixture *f, struct runs *runs)
{
	unsigned int i;

	for (i = 0; i < NR_CPUS; i++) {
		runs[i].f = f;
		runs[i].cpu = i;
		REQUIRE(!pthread_create(&runs[i].thread, NULL, run_cpu, &runs[i]));
	}
}

static void run_end(struct runs *runs)
{
	unsigned int i;

	for (i = 0; i < NR_CPUS; i++)
		REQUIRE(!pthread_join(runs[i].thread, NULL));
}

/* A guest whose CPUs go on editing until they are told to stop. */
static void begin_endless(struct fixture *f, struct runs *runs)
{
	unsigned int i;

	begin(f, TO_AND_FRO, NR_CPUS);
	guest_load(&f->guest, code_edit);
	for (i = 0; i < NR_CPUS; i++)
		start(f, i, MANY, -1);
	run_begin(f, runs);
}

/* They stop; as many rounds on one MMU alone have the same result. */
static void end_endless(struct fixture *f, struct runs *runs)
{
	uint64_t sum[NR_CPUS], rounds[NR_CPUS];
	unsigned int i;

	guest_shared(&f->guest)[STOP] = 1;
	run_end(runs);
	for (i = 0; i < NR_CPUS; i++) {
		sum[i] = guest_regs(&f->guest, i).rbx;
		rounds[i] = MANY - guest_regs(&f->guest, i).rsi;
		ktap_note("CPU %u: %llu rounds", i, (unsigned long long)rounds[i]);
	}
	guest_destroy(&f->guest);
	begin(f, ON_TDP, NR_CPUS);
	guest_load(&f->guest, code_edit);
	for (i = 0; i < NR_CPUS; i++)
		start(f, i, rounds[i], -1);
	run_begin(f, runs);
	run_end(runs);
	for (i = 0; i < NR_CPUS; i++)
		EXPECT_EQ(guest_regs(&f->guest, i).rbx, sum[i]);
	guest_destroy(&f->guest);
}

static void in_the_middle(void)
{
	uint64_t moves = host_events(500);
	struct runs runs[NR_CPUS];
	struct fixture f;

	begin_endless(&f, runs);
	while (f.moves < moves) {
		move(&f);
		await_progress(&f);
	}
	end_endless(&f, runs);
}

struct mover {
	const struct fixture *f;
	unsigned long to;
	uint64_t moves;
	pthread_t thread;
};

/* Until it is told to end, as it is by each of them. */
static void *move_always(void *data)
{
	struct mover *mover = data;

	while (!guest_shared(&mover->f->guest)[STOP]) {
		REQUIRE_OK(vm_set_mmu(&mover->f->guest.vm, mover->to));
		mover->moves++;
		sched_yield();
	}
	return NULL;
}

static void nothing(int signal)
{
	(void)signal;
}

/* Signals, a slot that comes, moves and goes with its log, and a new CPU that runs to its end. */
static void disturb(struct fixture *f, struct runs *runs, unsigned int round, void *memory)
{
	static const uint64_t places[] = { FAR, 2 * FAR };
	const struct vm *vm = &f->guest.vm;
	uint64_t bits = 0;
	unsigned int i, cpu;

	pthread_kill(runs[round % NR_CPUS].thread, SIGUSR1);
	for (i = 0; i < 2; i++) {
		REQUIRE_OK(vm_set_slot(vm, SLOT, places[i], LOGGED * PAGE, memory,
				       KVM_MEM_LOG_DIRTY_PAGES));
		REQUIRE_OK(vm_get_dirty_log(vm, SLOT, &bits));
	}
	REQUIRE_OK(vm_set_slot(vm, SLOT, 0, 0, NULL, 0));
	if (f->guest.nr_cpus >= GUEST_MAX_CPUS)
		return;
	cpu = f->guest.nr_cpus;
	guest_add_cpus(&f->guest, 1);
	REQUIRE_OK(vcpu_offer_host_cpuid(&f->guest.vcpu[cpu], &f->guest.dev));
	start(f, cpu, 100, -1);
	guest_run_to_hlt(&f->guest, cpu);
	EXPECT_EQ(0, guest_regs(&f->guest, cpu).rsi);
}

static void all_at_once(void)
{
	unsigned int i, rounds = host_events(60);
	struct mover mover[2] = { { .to = MKVM_VM_TDP }, { .to = MKVM_VM_SHADOW } };
	struct runs runs[NR_CPUS];
	struct fixture f;
	void *memory;

	signal(SIGUSR1, nothing);
	memory = mmap(NULL, LOGGED * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		      0);
	REQUIRE(memory != MAP_FAILED);
	begin_endless(&f, runs);
	for (i = 0; i < 2; i++) {
		mover[i].f = &f;
		REQUIRE(!pthread_create(&mover[i].thread, NULL, move_always, &mover[i]));
	}
	for (i = 0; i < rounds; i++) {
		disturb(&f, runs, i, memory);
		await_progress(&f);
	}
	guest_shared(&f.guest)[STOP] = 1;
	for (i = 0; i < 2; i++) {
		REQUIRE(!pthread_join(mover[i].thread, NULL));
		ktap_note("mover %u: %llu calls", i, (unsigned long long)mover[i].moves);
		EXPECT(mover[i].moves > 1);
	}
	end_endless(&f, runs);
}

/*
 * Writes to 64 pages at r9 in an order of its own, a word (r8) of each: how many it has written,
 * which it also tells at rdi, after the store.
 */
guest_code(code_scatter, 64,
	   "xor %ecx, %ecx\n"
	   "mov $1, %edx\n"
	   "1: inc %rcx\n"
	   "imul $5, %edx, %edx\n"
	   "add $13, %edx\n"
	   "mov %edx, %eax\n"
	   "shr $8, %eax\n"
	   "and $63, %eax\n"
	   "shl $12, %eax\n"
	   "add %r8, %rax\n"
	   "mov %rcx, (%r9,%rax)\n"
	   "mov %rcx, (%rdi)\n"
	   "cmpq $0, " S_SHARED "\n"
	   "je 1b\n"
	   "hlt\n");

/* Copies the pages that the log has; with @clear, as one that user space clears itself. */
static void harvest(const struct fixture *f, char *copy, const char *memory, bool clear)
{
	uint64_t bits = 0;
	unsigned int i;

	REQUIRE_OK(vm_get_dirty_log(&f->guest.vm, SLOT, &bits));
	if (clear)
		REQUIRE_OK(vm_clear_dirty_log(&f->guest.vm, SLOT, 0, LOGGED, &bits));
	for (i = 0; i < LOGGED; i++)
		if (bits >> i & 1)
			memcpy(copy + i * PAGE, memory + i * PAGE, PAGE);
}

static void start_scatter(struct fixture *f, unsigned int cpu)
{
	struct kvm_regs regs;

	guest_start(&f->guest, cpu, MODE_LONG);
	regs = guest_regs(&f->guest, cpu);
	regs.rdi = GUEST_SHARED + 8 * PROGRESS(cpu);
	regs.r8 = 8 * cpu;
	regs.r9 = FAR;
	REQUIRE_OK(vcpu_set_regs(&f->guest.vcpu[cpu], &regs));
}

static void no_page_is_lost(bool clear)
{
	size_t size = LOGGED * PAGE;
	char *memory, *copy;
	struct runs runs[NR_CPUS];
	uint64_t moves = host_events(200);
	struct fixture f;
	unsigned int i;

	begin(&f, TO_AND_FRO, NR_CPUS);
	memory = mmap(NULL, 2 * size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	REQUIRE(memory != MAP_FAILED);
	copy = memory + size;
	if (clear)
		REQUIRE_OK(vm_enable_cap(&f.guest.vm, KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2, 1));
	REQUIRE_OK(vm_set_slot(&f.guest.vm, SLOT, FAR, size, memory, KVM_MEM_LOG_DIRTY_PAGES));
	guest_load(&f.guest, code_scatter);
	for (i = 0; i < NR_CPUS; i++)
		start_scatter(&f, i);
	run_begin(&f, runs);
	while (f.moves < moves) {
		await_progress(&f);
		move(&f);
		if (f.moves % 3)
			harvest(&f, copy, memory, clear);
	}
	guest_shared(&f.guest)[STOP] = 1;
	run_end(runs);
	harvest(&f, copy, memory, clear);
	for (i = 0; i < LOGGED; i++)
		EXPECT(!memcmp(copy + i * PAGE, memory + i * PAGE, PAGE), "page %u", i);
	guest_destroy(&f.guest);
}

static void no_page_is_lost_by_reading(void)
{
	no_page_is_lost(false);
}

static void no_page_is_lost_by_clearing(void)
{
	no_page_is_lost(true);
}

static void other_modes(void)
{
	static const enum cpu_mode modes[] = { MODE_PROT32, MODE_PAGED32, MODE_PAE, MODE_COMPAT };
	uint32_t sum[NR_WAYS];
	enum route way;
	struct fixture f;
	unsigned int i;

	for (i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		for (way = 0; way < NR_WAYS; way++) {
			struct kvm_regs regs;

			begin(&f, way, 1);
			guest_load(&f.guest, code_32);
			guest_start(&f.guest, 0, modes[i]);
			regs = guest_regs(&f.guest, 0);
			regs.rsi = 64;
			REQUIRE_OK(vcpu_set_regs(&f.guest.vcpu[0], &regs));
			sum[way] = run_and_move(&f, way);
			guest_destroy(&f.guest);
		}
		EXPECT(sum[ON_TDP] && sum[ON_TDP] == sum[ON_SHADOW] &&
			       sum[ON_TDP] == sum[TO_AND_FRO],
		       "%s: %x, %x, %x", mode_name(modes[i]), sum[ON_TDP], sum[ON_SHADOW],
		       sum[TO_AND_FRO]);
	}
}

/* Before there is a CPU, before it has run, and twice to the same. */
static void at_any_time(void)
{
	struct fixture f;

	memset(&f, 0, sizeof(f));
	need_both();
	guest_create_vm(&f.guest);
	EXPECT_ERRNO(0, vm_set_mmu(&f.guest.vm, MKVM_VM_TDP));
	EXPECT_ERRNO(0, vm_set_mmu(&f.guest.vm, MKVM_VM_TDP));
	guest_add_cpus(&f.guest, 1);
	REQUIRE_OK(vcpu_offer_host_cpuid(&f.guest.vcpu[0], &f.guest.dev));
	guest_load(&f.guest, code_edit);
	start(&f, 0, 32, -1);
	EXPECT_ERRNO(0, vm_set_mmu(&f.guest.vm, MKVM_VM_SHADOW));
	guest_run_to_hlt(&f.guest, 0);
	check_causes(&f, ON_SHADOW);
	guest_destroy(&f.guest);
}

static void refusals(void)
{
	struct guest guest;

	need_both();
	guest_create(&guest, 1);
	EXPECT_ERRNO(EINVAL, vm_set_mmu(&guest.vm, MKVM_VM_DEFAULT));
	EXPECT_ERRNO(EINVAL, vm_set_mmu(&guest.vm, 1));
	EXPECT_ERRNO(EINVAL, vm_set_mmu(&guest.vm, MKVM_VM_SHADOW + 1));
	EXPECT_ERRNO(EINVAL, vm_set_mmu(&guest.vm, 1UL << 32 | MKVM_VM_TDP));
	guest_destroy(&guest);
	/* It has no shadow tables. */
	setenv("MKVM_MMU", "tdp", 1);
	guest_create(&guest, 1);
	EXPECT_ERRNO(EOPNOTSUPP, vm_set_mmu(&guest.vm, MKVM_VM_SHADOW));
	EXPECT_ERRNO(0, vm_set_mmu(&guest.vm, MKVM_VM_TDP));
	guest_destroy(&guest);
}

static const struct ktap_test tests[] = {
	KTAP_TEST(between_exits),
	KTAP_TEST(in_the_middle),
	KTAP_TEST(all_at_once),
	KTAP_TEST(no_page_is_lost_by_reading),
	KTAP_TEST(no_page_is_lost_by_clearing),
	KTAP_TEST(other_modes),
	KTAP_TEST(at_any_time),
	KTAP_TEST(refusals),
};

KTAP_MAIN(tests)
