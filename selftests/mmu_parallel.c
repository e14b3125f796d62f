// SPDX-License-Identifier: GPL-2.0-only
/*
 * A vCPU that waits for the host to supply its page does not hold up another one, nor the notifier:
 * one waits by userfaultfd for as long as the test wants, or until a signal comes.  And what the
 * host takes away costs as many flushes as it has to, at the vCPUs that have run.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <linux/mkvm.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/guest.h"
#include "lib/host.h"
#include "lib/stats.h"

#define PAGE	 0x1000UL
#define WAIT_GPA 0x200000UL /* its page comes by userfaultfd */
#define MANY_GPA 0x400000UL
#define MANY	 256UL

guest_code(code_read, 64,
	   "mov (%rdi), %rax\n"
	   "hlt\n");
/* A word in each of rcx pages from rdi on. */
guest_code(code_write, 64,
	   "1: mov %ecx, (%rdi)\n"
	   "add $0x1000, %rdi\n"
	   "dec %rcx\n"
	   "jnz 1b\n"
	   "hlt\n");

struct fixture {
	struct guest guest;
	struct stats vm, vcpu[2];
	int uffd;
	pthread_t thread;
};

static void set_up(struct fixture *f)
{
	unsigned int i;

	memset(f, 0, sizeof(*f));
	guest_create(&f->guest, 2);
	if (!kvm_dev_is_mkvm(&f->guest.dev))
		ktap_skip("the counts are mkvm's");
	stats_open(&f->vm, f->guest.vm.fd);
	for (i = 0; i < 2; i++) {
		guest_start(&f->guest, i, MODE_LONG);
		stats_open(&f->vcpu[i], f->guest.vcpu[i].fd);
	}
}

static void clean_up(struct fixture *f)
{
	stats_close(&f->vm);
	stats_close(&f->vcpu[0]);
	stats_close(&f->vcpu[1]);
	guest_destroy(&f->guest);
}

/* Each vCPU has code of its own, as one may wait in it while another one is given its. */
#define PREPARE(f, cpu, code, gpa, pages) prepare(f, cpu, code, code##_end - code, gpa, pages)
#define RUN(f, cpu, code, gpa, pages)               \
	do {                                        \
		PREPARE(f, cpu, code, gpa, pages);  \
		guest_run_to_hlt(&(f)->guest, cpu); \
	} while (0)

static void prepare(struct fixture *f, unsigned int cpu, const unsigned char *code, size_t size,
		    uint64_t gpa, uint64_t pages)
{
	struct kvm_regs regs = guest_regs(&f->guest, cpu);

	regs.rip = GUEST_CODE + cpu * PAGE;
	memcpy(guest_at(&f->guest, regs.rip, size), code, size);
	regs.rdi = gpa;
	regs.rcx = pages;
	REQUIRE_OK(vcpu_set_regs(&f->guest.vcpu[cpu], &regs));
}

static uint64_t faults(const struct fixture *f, unsigned int cpu)
{
	return stats_value(&f->vcpu[cpu], "pf_taken");
}

/* The page at WAIT_GPA is missing until somebody supplies it. */
static void set_up_wait(struct fixture *f)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register range = {
		.range = { (uintptr_t)guest_at(&f->guest, WAIT_GPA, PAGE), PAGE },
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};

	f->uffd = syscall(SYS_userfaultfd, O_CLOEXEC);
	REQUIRE(f->uffd >= 0, "userfaultfd: %s", strerror(errno));
	REQUIRE(ioctl(f->uffd, UFFDIO_API, &api) == 0);
	REQUIRE(ioctl(f->uffd, UFFDIO_REGISTER, &range) == 0);
}

static void await_fault(struct fixture *f)
{
	struct uffd_msg msg;

	REQUIRE(read(f->uffd, &msg, sizeof(msg)) == sizeof(msg));
	EXPECT_EQ(UFFD_EVENT_PAGEFAULT, msg.event);
	EXPECT_EQ((uintptr_t)guest_at(&f->guest, WAIT_GPA, PAGE),
		  msg.arg.pagefault.address & -PAGE);
}

static void supply(struct fixture *f, uint64_t value)
{
	static uint64_t page[PAGE / 8];
	struct uffdio_copy copy = {
		.dst = (uintptr_t)guest_at(&f->guest, WAIT_GPA, PAGE),
		.src = (uintptr_t)page,
		.len = PAGE,
	};

	page[0] = value;
	REQUIRE(ioctl(f->uffd, UFFDIO_COPY, &copy) == 0, "%s", strerror(errno));
}

static void *run_first(void *data)
{
	guest_run_to_hlt(data, 0);
	return NULL;
}

static void nobody_waits_for_anothers_page(void)
{
	struct fixture f;
	uint64_t before;

	set_up(&f);
	set_up_wait(&f);
	/* The code and the second vCPU's first page are there: only the pages are counted. */
	RUN(&f, 1, code_write, MANY_GPA + MANY * PAGE, 1);
	PREPARE(&f, 0, code_read, WAIT_GPA, 0);
	REQUIRE(!pthread_create(&f.thread, NULL, run_first, &f.guest));
	await_fault(&f);

	before = faults(&f, 1);
	RUN(&f, 1, code_write, MANY_GPA, MANY);
	EXPECT_EQ(before + MANY, faults(&f, 1));
	EXPECT_EQ(MANY, stats_value(&f.vcpu[1], "pf_fixed") - before);

	/* And the host takes some of them away, and the vCPU gets them again. */
	REQUIRE(madvise(guest_at(&f.guest, MANY_GPA, PAGE), 8 * PAGE, MADV_DONTNEED) == 0);
	RUN(&f, 1, code_write, MANY_GPA, MANY);
	EXPECT_EQ(before + MANY + 8, faults(&f, 1));

	REQUIRE(pthread_tryjoin_np(f.thread, NULL) == EBUSY, "the first vCPU did not wait");
	supply(&f, 0x4711);
	REQUIRE(!pthread_join(f.thread, NULL));
	EXPECT_EQ(0x4711, guest_regs(&f.guest, 0).rax);
	close(f.uffd);
	clean_up(&f);
}

/* Takes away what is at @gpa again and again. */
struct discarder {
	char *host;
	uint64_t pages;
	volatile bool stop;
	volatile uint64_t turns;
	pthread_t thread;
};

static void *discard_always(void *data)
{
	struct discarder *d = data;

	for (; !d->stop; d->turns++)
		if (madvise(d->host, d->pages * PAGE, MADV_DONTNEED))
			break;
	return NULL;
}

static void start_discarder(struct fixture *f, struct discarder *d, uint64_t gpa, uint64_t pages)
{
	*d = (struct discarder){ .host = guest_at(&f->guest, gpa, pages * PAGE), .pages = pages };
	REQUIRE(!pthread_create(&d->thread, NULL, discard_always, d));
	while (!d->turns)
		usleep(100);
}

static void stop_discarder(struct discarder *d)
{
	d->stop = true;
	REQUIRE(!pthread_join(d->thread, NULL));
	ktap_note("%llu invalidations meanwhile", (unsigned long long)d->turns);
	EXPECT(d->turns > 0);
}

/* The host never leaves off taking memory away elsewhere: a fault gets its page all the same. */
static void goes_on_beside_invalidations(void)
{
	struct discarder d[2];
	struct fixture f;

	set_up(&f);
	/* On both sides, so that what is between them lies in the range of both together. */
	start_discarder(&f, &d[0], MANY_GPA - 64 * PAGE, 32);
	start_discarder(&f, &d[1], MANY_GPA + (MANY + 32) * PAGE, 32);
	RUN(&f, 1, code_write, MANY_GPA, MANY);
	EXPECT(stats_value(&f.vcpu[1], "pf_fixed") >= MANY);
	stop_discarder(&d[0]);
	stop_discarder(&d[1]);
	clean_up(&f);
}

/* For ever, from the first page on. */
guest_code(code_write_for_ever, 64,
	   "1: mov %rdi, %rbx\n"
	   "mov %rcx, %rdx\n"
	   "2: mov %ecx, (%rbx)\n"
	   "add $0x1000, %rbx\n"
	   "dec %rdx\n"
	   "jnz 2b\n"
	   "jmp 1b\n");

static void nothing(int signal)
{
	(void)signal;
}

static void *run_to_signal(void *data)
{
	return (void *)(long)vcpu_run(data);
}

/* Whatever a vCPU writes to is taken away at once: a signal gets it out of KVM_RUN. */
static void signal_ends_retries(void)
{
	struct sigaction action = { .sa_handler = nothing };
	struct discarder d;
	struct fixture f;
	uint64_t before;
	void *error;
	int i;

	set_up(&f);
	sigaction(SIGUSR1, &action, NULL);
	start_discarder(&f, &d, MANY_GPA, MANY);
	PREPARE(&f, 0, code_write_for_ever, MANY_GPA, MANY);
	for (i = 0; i < 10; i++) {
		before = faults(&f, 0);
		REQUIRE(!pthread_create(&f.thread, NULL, run_to_signal, &f.guest.vcpu[0]));
		while (faults(&f, 0) < before + MANY)
			usleep(100);
		REQUIRE(!pthread_kill(f.thread, SIGUSR1));
		REQUIRE(!pthread_join(f.thread, &error));
		EXPECT_ERRNO(EINTR, (int)(long)error);
	}
	stop_discarder(&d);
	clean_up(&f);
}

static void *prefault_to_signal(void *data)
{
	struct kvm_pre_fault_memory range = { .gpa = WAIT_GPA, .size = PAGE };

	return (void *)(long)vcpu_call(data, KVM_PRE_FAULT_MEMORY, &range);
}

static void set_up_to_wait(struct fixture *f)
{
	struct sigaction action = { .sa_handler = nothing };

	if (host_kernel_is_before(6, 2))
		ktap_skip("in this kernel only a signal that kills ends the wait for a page");
	memset(f, 0, sizeof(*f));
	sigaction(SIGUSR1, &action, NULL);
	guest_create(&f->guest, 1);
	guest_start(&f->guest, 0, MODE_LONG);
	set_up_wait(f);
	PREPARE(f, 0, code_read, WAIT_GPA, 0);
}

/* Three times, as each wait leaves nothing behind; then the guest has its page nevertheless. */
static void interrupt_wait(struct fixture *f, void *(*wait)(void *), uint32_t reason)
{
	void *error;
	int i;

	for (i = 0; i < 3; i++) {
		f->guest.vcpu[0].run->exit_reason = 0;
		REQUIRE(!pthread_create(&f->thread, NULL, wait, &f->guest.vcpu[0]));
		await_fault(f);
		REQUIRE(!pthread_kill(f->thread, SIGUSR1));
		REQUIRE(!pthread_join(f->thread, &error));
		EXPECT_ERRNO(EINTR, (int)(long)error);
		EXPECT_EQ(reason, f->guest.vcpu[0].run->exit_reason);
	}
	supply(f, 0x4711);
	guest_run_to_hlt(&f->guest, 0);
	EXPECT_EQ(0x4711, guest_regs(&f->guest, 0).rax);
	close(f->uffd);
	guest_destroy(&f->guest);
}

/* The page never comes, or not before user space has had the vCPU back. */
static void signal_ends_the_wait(void)
{
	struct fixture f;

	set_up_to_wait(&f);
	interrupt_wait(&f, run_to_signal, KVM_EXIT_INTR);
}

static void signal_ends_the_wait_ahead(void)
{
	struct fixture f;

	set_up_to_wait(&f);
	if (!kvm_dev_extension(&f.guest.dev, KVM_CAP_PRE_FAULT_MEMORY) ||
	    device_vm_type() == MKVM_VM_SHADOW)
		ktap_skip("KVM_PRE_FAULT_MEMORY is not for this VM");
	interrupt_wait(&f, prefault_to_signal, 0);
}

static void discard(struct fixture *f, uint64_t pages)
{
	REQUIRE(madvise(guest_at(&f->guest, MANY_GPA, PAGE), pages * PAGE, MADV_DONTNEED) == 0);
}

static uint64_t requests(const struct fixture *f)
{
	return stats_value(&f->vm, "remote_tlb_flush_requests");
}

static uint64_t flushes(const struct fixture *f, unsigned int cpu)
{
	return stats_value(&f->vcpu[cpu], "tlb_flush");
}

static void no_flush_for_what_never_ran(void)
{
	struct fixture f;

	set_up(&f);
	memset(guest_at(&f.guest, MANY_GPA, MANY * PAGE), 1, MANY * PAGE);
	discard(&f, MANY);
	EXPECT_EQ(0, requests(&f));
	EXPECT_EQ(0, stats_value(&f.vm, "remote_tlb_flush"));
	clean_up(&f);
}

/* One for each of the host's calls that found something mapped, however much that was. */
static void one_flush_a_call(void)
{
	static const uint64_t pages[] = { 1, 2, 64, MANY };
	struct fixture f;
	uint64_t asked, done;
	unsigned int i;

	set_up(&f);
	RUN(&f, 0, code_write, MANY_GPA, MANY);
	for (i = 0; i < 4; i++) {
		asked = requests(&f);
		done = flushes(&f, 0);
		discard(&f, pages[i]);
		EXPECT_EQ(asked + 1, requests(&f));
		/* There is nothing any more: nothing to flush. */
		discard(&f, pages[i]);
		EXPECT_EQ(asked + 1, requests(&f));
		RUN(&f, 0, code_write, MANY_GPA, MANY);
		EXPECT_EQ(done + 1, flushes(&f, 0));
	}
	/* Nobody was in guest mode at any of these times: no processor was interrupted. */
	EXPECT_EQ(0, stats_value(&f.vm, "remote_tlb_flush"));
	EXPECT_EQ(0, stats_value(&f.vm, "mkvm_flush_interrupts"));
	/* The one that never ran has none. */
	EXPECT_EQ(0, flushes(&f, 1));
	clean_up(&f);
}

static uint64_t covered(const struct fixture *f, unsigned int cpu)
{
	return stats_value(&f->vcpu[cpu], "mkvm_tlb_flush_covered");
}

/* On VMX vCPUs have in common what a processor has cached of their EPT: one flush there does. */
static void one_flush_a_processor(void)
{
	static struct counts counts;
	uint64_t one, first, second;
	struct fixture f;
	unsigned int i;

	set_up(&f);
	guest_counts(&f.guest, 0, &counts);
	one = counts.sum.vendor == MKVM_VENDOR_VMX && device_vm_type() != MKVM_VM_SHADOW;
	host_pin(0);
	RUN(&f, 0, code_write, MANY_GPA, MANY);
	EXPECT_EQ(0, covered(&f, 0));
	/* Nothing was taken away since. */
	first = covered(&f, 1);
	RUN(&f, 1, code_write, MANY_GPA, MANY);
	EXPECT_EQ(first + one, covered(&f, 1));
	for (i = 0; i < 10; i++) {
		first = covered(&f, i % 2);
		second = covered(&f, 1 - i % 2);
		discard(&f, MANY);
		RUN(&f, i % 2, code_write, MANY_GPA, MANY);
		EXPECT_EQ(first, covered(&f, i % 2));
		RUN(&f, 1 - i % 2, code_write, MANY_GPA, MANY);
		EXPECT_EQ(second + one, covered(&f, 1 - i % 2));
	}
	/* Another processor has seen nothing yet; this one still has when the vCPU is back. */
	first = covered(&f, 0);
	host_pin(1);
	RUN(&f, 0, code_write, MANY_GPA, MANY);
	EXPECT_EQ(first, covered(&f, 0));
	host_pin(0);
	RUN(&f, 0, code_write, MANY_GPA, MANY);
	EXPECT_EQ(first + one, covered(&f, 0));
	clean_up(&f);
}

/* A vCPU that loops in guest mode until the word at rdi is set. */
guest_code(code_loop, 64,
	   "1: incq " S_SHARED "\n"
	   "cmpq $0, (%rdi)\n"
	   "je 1b\n"
	   "hlt\n");

static void only_who_runs_is_interrupted(void)
{
	struct fixture f;
	volatile uint64_t *turns, *go;
	uint64_t asked, interrupts, i;

	set_up(&f);
	/* Written once, so that no page is copied at a first write later on. */
	turns = guest_shared(&f.guest);
	*turns = 0;
	go = guest_at(&f.guest, WAIT_GPA, 8);
	*go = 0;
	RUN(&f, 1, code_write, MANY_GPA, MANY);
	PREPARE(&f, 0, code_loop, WAIT_GPA, 0);
	REQUIRE(!pthread_create(&f.thread, NULL, run_first, &f.guest));
	asked = requests(&f);
	interrupts = stats_value(&f.vm, "mkvm_flush_interrupts");
	for (i = 0; i < MANY; i++) {
		uint64_t before = *turns;

		while (*turns < before + 2)
			usleep(100);
		REQUIRE(madvise(guest_at(&f.guest, MANY_GPA + i * PAGE, PAGE), PAGE,
				MADV_DONTNEED) == 0);
	}
	*go = 1;
	REQUIRE(!pthread_join(f.thread, NULL));
	EXPECT_EQ(asked + MANY, requests(&f));
	interrupts = stats_value(&f.vm, "mkvm_flush_interrupts") - interrupts;
	ktap_note("%llu flushes, %llu interrupts", (unsigned long long)(requests(&f) - asked),
		  (unsigned long long)interrupts);
	/* One processor at most each time: none if the vCPU was just outside. */
	EXPECT(interrupts > 0 && interrupts <= MANY);
	clean_up(&f);
}

static const struct ktap_test tests[] = {
	KTAP_TEST(nobody_waits_for_anothers_page),
	KTAP_TEST(goes_on_beside_invalidations),
	KTAP_TEST(signal_ends_retries),
	KTAP_TEST(signal_ends_the_wait),
	KTAP_TEST(signal_ends_the_wait_ahead),
	KTAP_TEST(no_flush_for_what_never_ran),
	KTAP_TEST(one_flush_a_call),
	KTAP_TEST(one_flush_a_processor),
	KTAP_TEST(only_who_runs_is_interrupted),
};

KTAP_MAIN(tests)
