// SPDX-License-Identifier: GPL-2.0-only
/*
 * Slots that change while guests run: a change is prompt, what the guest reads is what the change
 * made, and a dirty log that is read meanwhile loses no page.  And as many slots as there can be.
 */
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/guest.h"
#include "lib/host.h"

#define PAGE  0x1000UL
#define FAR   (1UL << 30)
#define SLOT  3
#define PAGES 64
/* A debug kernel takes some ten times as long for each. */
#define CHANGES (host_kernel_is_debug() ? 40 : 100)

/* Words of the shared page. */
enum {
	STOP,		   /* ours: the guest halts */
	ASKED,		   /* ours: number of the request */
	DONE,		   /* the guest's: number of the last one served */
	VALUE,		   /* what it found */
	SPINNING,	   /* how often the spinning CPU went round */
	WORDS_PER_CPU = 8, /* from there on: a counter for each CPU */
};

/* Goes round without an exit until it is told to stop. */
guest_code(code_spin, 64,
	   "1: incq " S_SHARED "+4*8\n"
	   "cmpq $0, " S_SHARED "\n"
	   "je 1b\n"
	   "hlt\n");

/* Serves requests: reads the word at rdi, which the request is about. */
guest_code(code_serve, 64,
	   "1: cmpq $0, " S_SHARED "\n"
	   "jne 2f\n"
	   "mov " S_SHARED "+1*8, %rax\n"
	   "cmp %rax, " S_SHARED "+2*8\n"
	   "je 1b\n"
	   "mov (%rdi), %rbx\n"
	   "mov %rbx, " S_SHARED "+3*8\n"
	   "mov %rax, " S_SHARED "+2*8\n"
	   "jmp 1b\n"
	   "2: hlt\n");

/*
 * Writes to 64 pages at rsi in an order of its own, its CPU's word (rbp) in each: how many it has
 * written.  The count also goes to the word at rbx, after the store.
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
	   "add %rbp, %rax\n"
	   "mov %rcx, (%rsi,%rax)\n"
	   "mov %rcx, (%rbx)\n"
	   "cmpq $0, " S_SHARED "\n"
	   "je 1b\n"
	   "hlt\n");

/* Writes a word each rdx bytes from rdi on, rcx of them.  It stands behind the other code. */
#define CODE_STRIDE (GUEST_CODE + 0x800)
guest_code(code_stride, 64,
	   "1: movl $1, (%rdi)\n"
	   "add %rdx, %rdi\n"
	   "dec %rcx\n"
	   "jnz 1b\n"
	   "hlt\n");

struct fixture;

struct cpu {
	struct fixture *f;
	unsigned int nr;
	pthread_t thread;
};

struct fixture {
	struct guest guest;
	char *host;
	struct cpu cpu[GUEST_MAX_CPUS];
};

static volatile uint64_t *shared(const struct fixture *f)
{
	return guest_shared(&f->guest);
}

static int set(const struct fixture *f, uint64_t gpa, unsigned int page, unsigned int pages,
	       uint32_t flags)
{
	return vm_set_slot(&f->guest.vm, SLOT, gpa, pages * PAGE, f->host + page * PAGE, flags);
}

static void set_up(struct fixture *f, unsigned int nr_cpus)
{
	unsigned int i;

	memset(f, 0, sizeof(*f));
	guest_create(&f->guest, nr_cpus);
	f->host = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		       0);
	REQUIRE(f->host != MAP_FAILED);
	REQUIRE(madvise(f->host, PAGES * PAGE, MADV_NOHUGEPAGE) == 0);
	for (i = 0; i < PAGES; i++)
		*(uint64_t *)(f->host + i * PAGE) = 0xa0 + i;
	for (i = 0; i < nr_cpus; i++)
		guest_start(&f->guest, i, MODE_LONG);
}

static void *run_to_hlt(void *data)
{
	struct cpu *cpu = data;

	guest_run_to_hlt(&cpu->f->guest, cpu->nr);
	return NULL;
}

static void start(struct fixture *f, unsigned int cpu, struct kvm_regs *regs)
{
	regs->rip = GUEST_CODE;
	REQUIRE_OK(vcpu_set_regs(&f->guest.vcpu[cpu], regs));
	f->cpu[cpu].f = f;
	f->cpu[cpu].nr = cpu;
	REQUIRE(!pthread_create(&f->cpu[cpu].thread, NULL, run_to_hlt, &f->cpu[cpu]));
}

static void stop(struct fixture *f)
{
	unsigned int i;

	shared(f)[STOP] = 1;
	for (i = 0; i < f->guest.nr_cpus; i++)
		REQUIRE(!pthread_join(f->cpu[i].thread, NULL));
}

/* What CPU 0, which halts then, reads at @gpa.  No other CPU is running. */
static uint64_t read_once(struct fixture *f, uint64_t gpa)
{
	struct kvm_regs regs = guest_regs(&f->guest, 0);

	guest_load(&f->guest, code_serve);
	shared(f)[STOP] = 0;
	shared(f)[DONE] = 0;
	shared(f)[ASKED] = 1;
	regs.rdi = gpa;
	start(f, 0, &regs);
	while (!shared(f)[DONE])
		sched_yield();
	shared(f)[STOP] = 1;
	REQUIRE(!pthread_join(f->cpu[0].thread, NULL));
	return shared(f)[VALUE];
}

/* A guest that never exits by itself keeps nobody from changing slots. */
static void change_waits_for_no_guest(void)
{
	struct kvm_regs regs;
	struct fixture f;
	int i;

	set_up(&f, 1);
	guest_load(&f.guest, code_spin);
	regs = guest_regs(&f.guest, 0);
	start(&f, 0, &regs);
	while (!shared(&f)[SPINNING])
		sched_yield();
	for (i = 0; i < CHANGES; i++) {
		REQUIRE_OK(set(&f, FAR, 0, 4, 0));
		REQUIRE_OK(set(&f, FAR, 0, 4, KVM_MEM_LOG_DIRTY_PAGES));
		REQUIRE_OK(set(&f, 2 * FAR, 0, 4, 0));
		REQUIRE_OK(set(&f, 0, 0, 0, 0));
	}
	stop(&f);
}

/* Each time other memory at the same place: the guest reads what is there since the change. */
static void replaced_under_a_reader(void)
{
	struct kvm_regs regs;
	struct fixture f;
	uint64_t i;

	set_up(&f, 1);
	guest_load(&f.guest, code_serve);
	regs = guest_regs(&f.guest, 0);
	regs.rdi = FAR;
	start(&f, 0, &regs);
	for (i = 1; i <= CHANGES; i++) {
		if (i > 1)
			REQUIRE_OK(set(&f, 0, 0, 0, 0));
		REQUIRE_OK(set(&f, FAR, i % PAGES, 1, 0));
		shared(&f)[ASKED] = i;
		while (shared(&f)[DONE] != i)
			sched_yield();
		EXPECT(shared(&f)[VALUE] == 0xa0 + i % PAGES, "change %llu: the guest read 0x%llx",
		       (unsigned long long)i, (unsigned long long)shared(&f)[VALUE]);
	}
	stop(&f);
}

static void start_scatter(struct fixture *f, unsigned int cpu)
{
	struct kvm_regs regs = guest_regs(&f->guest, cpu);

	regs.rsi = FAR;
	regs.rbx = GUEST_SHARED + 8 * (WORDS_PER_CPU + cpu);
	regs.rbp = 8 * cpu;
	start(f, cpu, &regs);
}

static void await_count(const struct fixture *f, unsigned int cpu, uint64_t more)
{
	uint64_t count = shared(f)[WORDS_PER_CPU + cpu];

	while (shared(f)[WORDS_PER_CPU + cpu] < count + more)
		sched_yield();
}

/* The flags change under writers: they find their memory at any time. */
static void flags_under_writers(void)
{
	struct fixture f;
	int i;

	set_up(&f, 2);
	guest_load(&f.guest, code_scatter);
	REQUIRE_OK(set(&f, FAR, 0, PAGES, 0));
	start_scatter(&f, 0);
	start_scatter(&f, 1);
	for (i = 0; i < CHANGES; i++)
		REQUIRE_OK(set(&f, FAR, 0, PAGES, i % 2 ? 0 : KVM_MEM_LOG_DIRTY_PAGES));
	await_count(&f, 0, 100);
	await_count(&f, 1, 100);
	stop(&f);
}

/* Copies the pages that the log has to what was copied before. */
static void copy_dirty(struct fixture *f, char *copy)
{
	uint64_t bits = 0;
	unsigned int i;

	REQUIRE_OK(vm_get_dirty_log(&f->guest.vm, SLOT, &bits));
	for (i = 0; i < PAGES; i++)
		if (bits >> i & 1)
			memcpy(copy + i * PAGE, f->host + i * PAGE, PAGE);
}

static void copy_cleared(struct fixture *f, char *copy)
{
	uint64_t bits = 0;
	unsigned int i;

	REQUIRE_OK(vm_get_dirty_log(&f->guest.vm, SLOT, &bits));
	REQUIRE_OK(vm_clear_dirty_log(&f->guest.vm, SLOT, 0, PAGES, &bits));
	for (i = 0; i < PAGES; i++)
		if (bits >> i & 1)
			memcpy(copy + i * PAGE, f->host + i * PAGE, PAGE);
}

/* What goes on beside the harvests of no_page_is_lost(). */
static void disturb(struct fixture *f, unsigned int round)
{
	pid_t child;

	switch (round % 4) {
	case 0: /* another slot comes and goes */
		REQUIRE_OK(vm_set_slot(&f->guest.vm, SLOT + 1, 2 * FAR, PAGE, f->host, 0));
		REQUIRE_OK(vm_set_slot(&f->guest.vm, SLOT + 1, 0, 0, NULL, 0));
		break;
	case 1: /* the host takes permissions and gives them back */
		REQUIRE(mprotect(f->host, PAGES * PAGE, PROT_READ | PROT_WRITE | PROT_EXEC) == 0);
		REQUIRE(mprotect(f->host, PAGES * PAGE, PROT_READ | PROT_WRITE) == 0);
		break;
	case 2: /* each page is copied at its next write */
		if (round % 16 != 2)
			break;
		child = fork();
		REQUIRE(child >= 0);
		if (!child)
			_exit(0);
		REQUIRE(waitpid(child, NULL, 0) == child);
		break;
	default:
		break;
	}
}

static void no_page_is_lost(void (*harvest)(struct fixture *f, char *copy))
{
	char *copy = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			  -1, 0);
	unsigned int i, cpu, nr_cpus = 3;
	struct fixture f;

	REQUIRE(copy != MAP_FAILED);
	set_up(&f, nr_cpus);
	guest_load(&f.guest, code_scatter);
	if (harvest == copy_cleared)
		REQUIRE_OK(vm_enable_cap(&f.guest.vm, KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2,
					 KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE |
						 KVM_DIRTY_LOG_INITIALLY_SET));
	REQUIRE_OK(set(&f, FAR, 0, PAGES, 0));
	for (cpu = 0; cpu < nr_cpus; cpu++)
		start_scatter(&f, cpu);
	for (cpu = 0; cpu < nr_cpus; cpu++)
		await_count(&f, cpu, 10);
	REQUIRE_OK(set(&f, FAR, 0, PAGES, KVM_MEM_LOG_DIRTY_PAGES));
	memcpy(copy, f.host, PAGES * PAGE);
	for (i = 0; i < CHANGES; i++) {
		disturb(&f, i);
		harvest(&f, copy);
	}
	stop(&f);
	harvest(&f, copy);
	for (i = 0; i < PAGES; i++)
		EXPECT(memcmp(copy + i * PAGE, f.host + i * PAGE, PAGE) == 0,
		       "page %u differs from its copy", i);
	munmap(copy, PAGES * PAGE);
}

static void no_page_is_lost_by_get(void)
{
	no_page_is_lost(copy_dirty);
}

static void no_page_is_lost_by_clear(void)
{
	no_page_is_lost(copy_cleared);
}

/*
 * All slots that there can be; the guest reads from some, and all can go again.  On a debug kernel
 * a part of them: each change copies the list, whose every byte that kernel looks at.
 */
static void all_slots(void)
{
	int had, slots, i, step;
	struct fixture f;

	set_up(&f, 1);
	had = REQUIRE_OK(kvm_dev_extension(&f.guest.dev, KVM_CAP_NR_MEMSLOTS));
	slots = host_kernel_is_debug() ? 2048 : had;
	/* Slot 0 is the guest's own memory. In an order that is neither up nor down. */
	for (i = 1; i < slots; i++) {
		int at = i % 2 ? i : slots - i;

		REQUIRE_OK(vm_set_slot(&f.guest.vm, i, FAR + 2 * at * PAGE, PAGE,
				       f.host + at % PAGES * PAGE, 0));
	}
	EXPECT_ERRNO(EINVAL, vm_set_slot(&f.guest.vm, had, 4 * FAR, PAGE, f.host, 0));
	/* No place is free, but for those in between. */
	for (i = 1; i < slots; i += 1000)
		EXPECT_ERRNO(EEXIST, vm_set_slot(&f.guest.vm, 1, FAR + (2 * i + 4) * PAGE, PAGE,
						 f.host + PAGE, 0));
	step = slots / 50;
	for (i = 1; i < slots; i += step)
		EXPECT_EQ(0xa0 + i % PAGES, read_once(&f, FAR + 2 * i * PAGE));
	for (i = 1; i < slots; i += 97)
		EXPECT_ERRNO(0, vm_set_slot(&f.guest.vm, i, 0, 0, NULL, 0));
	EXPECT_ERRNO(EINVAL, vm_set_slot(&f.guest.vm, 1, 0, 0, NULL, 0));
}

/* A slot that takes many tables goes while another one is written to. */
static void large_slot_goes_under_a_writer(void)
{
	uint64_t size = 1UL << 30, stride = 1UL << 20, pages = size / stride;
	struct fixture f;
	char *large;
	int i;

	set_up(&f, 2);
	large = mmap(NULL, size, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	REQUIRE(large != MAP_FAILED);
	REQUIRE(madvise(large, size, MADV_NOHUGEPAGE) == 0);
	REQUIRE_OK(set(&f, FAR, 0, PAGES, 0));
	guest_load(&f.guest, code_scatter);
	memcpy(guest_at(&f.guest, CODE_STRIDE, code_stride_end - code_stride), code_stride,
	       code_stride_end - code_stride);
	start_scatter(&f, 1);
	for (i = 0; i < 3; i++) {
		struct kvm_regs regs = guest_regs(&f.guest, 0);

		/* Whole tables in the middle, parts of tables at both ends. */
		REQUIRE_OK(vm_set_slot(&f.guest.vm, SLOT + 1, 2 * FAR + 5 * PAGE, size - 9 * PAGE,
				       large, 0));
		regs.rip = CODE_STRIDE;
		regs.rdi = 2 * FAR + 5 * PAGE;
		regs.rdx = stride;
		regs.rcx = pages;
		REQUIRE_OK(vcpu_set_regs(&f.guest.vcpu[0], &regs));
		guest_run_to_hlt(&f.guest, 0);
		REQUIRE_OK(vm_set_slot(&f.guest.vm, SLOT + 1, 0, 0, NULL, 0));
		REQUIRE(madvise(large, size, MADV_DONTNEED) == 0);
		await_count(&f, 1, 100);
	}
	shared(&f)[STOP] = 1;
	REQUIRE(!pthread_join(f.cpu[1].thread, NULL));
	/* The place is empty: the guest sees what is put there now. */
	REQUIRE_OK(set(&f, 0, 0, 0, 0));
	REQUIRE_OK(set(&f, 2 * FAR, 0, PAGES, 0));
	EXPECT_EQ(*(uint64_t *)(f.host + 5 * PAGE), read_once(&f, 2 * FAR + 5 * PAGE));
}

static const struct ktap_test tests[] = {
	KTAP_TEST(change_waits_for_no_guest), KTAP_TEST(replaced_under_a_reader),
	KTAP_TEST(flags_under_writers),	      KTAP_TEST(no_page_is_lost_by_get),
	KTAP_TEST(no_page_is_lost_by_clear),  KTAP_TEST(large_slot_goes_under_a_writer),
	KTAP_TEST_LIMIT(all_slots, 300),
};

KTAP_MAIN(tests)
