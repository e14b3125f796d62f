// SPDX-License-Identifier: GPL-2.0-only
/*
 * A vCPU from outside: its number, its state after reset, its registers written and read, what
 * KVM_SET_SREGS refuses, its shared pages, its use by several threads.
 */
#include <errno.h>
#include <linux/kvm.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/guest.h"

static int create_vcpu(const struct guest *guest, unsigned long id)
{
	int fd = ioctl(guest->vm.fd, KVM_CREATE_VCPU, id);

	return fd < 0 ? -errno : fd;
}

static void numbers(void)
{
	struct guest guest;
	int max, err;

	guest_create(&guest, 1);
	max = REQUIRE_OK(kvm_dev_extension(&guest.dev, KVM_CAP_MAX_VCPU_ID));
	REQUIRE(max > 0, "no KVM_CAP_MAX_VCPU_ID");
	EXPECT_ERRNO(EEXIST, create_vcpu(&guest, 0));
	EXPECT_ERRNO(EINVAL, create_vcpu(&guest, max));
	EXPECT_ERRNO(EINVAL, create_vcpu(&guest, 1UL << 31));
	err = create_vcpu(&guest, 1UL << 32);
	EXPECT_OR_DIFFERS(&guest.dev, "id_of_64_bits", err == -EINVAL, "%s",
			  err < 0 ? strerror(-err) : "success");
	EXPECT_ERRNO(EINVAL, create_vcpu(&guest, ~0UL));
	EXPECT_ERRNO(0, create_vcpu(&guest, max - 1));
	EXPECT_ERRNO(0, create_vcpu(&guest, 5));
	EXPECT_ERRNO(EEXIST, create_vcpu(&guest, 5));
	/* The number of one that was refused is still free. */
	EXPECT_ERRNO(0, create_vcpu(&guest, 1));
}

/* A number stays taken after its descriptor is closed: the VM keeps its vCPUs. */
static void number_is_kept(void)
{
	struct guest guest;
	int fd;

	guest_create(&guest, 0);
	fd = REQUIRE_OK(create_vcpu(&guest, 3));
	close(fd);
	EXPECT_ERRNO(EEXIST, create_vcpu(&guest, 3));
}

static void reset_registers(void)
{
	struct kvm_regs regs;
	struct guest guest;

	guest_create(&guest, 1);
	regs = guest_regs(&guest, 0);
	EXPECT_EQ(0xfff0, regs.rip);
	EXPECT_EQ(2, regs.rflags);
	EXPECT_EQ(0, regs.rax | regs.rbx | regs.rcx | regs.rsi | regs.rdi | regs.rsp | regs.rbp);
	EXPECT_EQ(0, regs.r8 | regs.r9 | regs.r10 | regs.r11 | regs.r12 | regs.r13 | regs.r14 |
			     regs.r15);
	/* rdx is the processor's signature; its upper half cannot be set. */
	EXPECT_EQ(0, regs.rdx >> 32);
}

static void expect_reset_data(const char *name, const struct kvm_segment *seg)
{
	EXPECT(seg->base == 0 && seg->limit == 0xffff && seg->selector == 0 && seg->present &&
		       seg->s && !seg->unusable && (seg->type & ~1) == 2,
	       "%s: base 0x%llx limit 0x%x selector 0x%x type %u present %u s %u", name, seg->base,
	       seg->limit, seg->selector, seg->type, seg->present, seg->s);
}

static void reset_system_registers(void)
{
	struct kvm_sregs sregs;
	struct guest guest;

	guest_create(&guest, 1);
	sregs = guest_sregs(&guest, 0);
	EXPECT_EQ(0xf000, sregs.cs.selector);
	EXPECT_EQ(0xffff0000, sregs.cs.base);
	EXPECT_EQ(0xffff, sregs.cs.limit);
	EXPECT_EQ(0xa, sregs.cs.type & ~1);
	EXPECT(sregs.cs.present && sregs.cs.s && !sregs.cs.l && !sregs.cs.db && !sregs.cs.unusable,
	       "cs is not a 16-bit code segment");
	expect_reset_data("ds", &sregs.ds);
	expect_reset_data("es", &sregs.es);
	expect_reset_data("fs", &sregs.fs);
	expect_reset_data("gs", &sregs.gs);
	expect_reset_data("ss", &sregs.ss);
	EXPECT(sregs.ldt.type == 2 && sregs.ldt.base == 0 && sregs.ldt.limit == 0xffff &&
		       sregs.ldt.selector == 0,
	       "ldt");
	EXPECT((sregs.tr.type == 3 || sregs.tr.type == 11) && sregs.tr.present &&
		       sregs.tr.base == 0 && sregs.tr.limit == 0xffff && sregs.tr.selector == 0,
	       "tr");
	EXPECT_EQ(0, sregs.gdt.base);
	EXPECT_EQ(0xffff, sregs.gdt.limit);
	EXPECT_EQ(0, sregs.idt.base);
	EXPECT_EQ(0xffff, sregs.idt.limit);
	EXPECT_EQ(0x60000010, sregs.cr0);
	EXPECT_EQ(0, sregs.cr2);
	EXPECT_EQ(0, sregs.cr3);
	EXPECT_EQ(0, sregs.cr4);
	EXPECT_EQ(0, sregs.cr8);
	EXPECT_EQ(0, sregs.efer);
	EXPECT_EQ(0, sregs.interrupt_bitmap[0] | sregs.interrupt_bitmap[1] |
			     sregs.interrupt_bitmap[2] | sregs.interrupt_bitmap[3]);
}

static void registers_round_trip(void)
{
	struct kvm_regs in, out;
	unsigned long long *word = (unsigned long long *)&in;
	struct guest guest;
	unsigned int i;

	guest_create(&guest, 1);
	for (i = 0; i < sizeof(in) / sizeof(*word); i++)
		word[i] = 0x0123456789abcdefULL * (i + 1);
	in.rflags = 0xcd7; /* all arithmetic flags, DF, OF */
	in.rip = 0x12345678;
	REQUIRE_OK(vcpu_set_regs(&guest.vcpu[0], &in));
	out = guest_regs(&guest, 0);
	EXPECT(memcmp(&in, &out, sizeof(in)) == 0, "what was set is not what is read");
	/* The bit that is always 1 is 1. */
	in.rflags = 0;
	REQUIRE_OK(vcpu_set_regs(&guest.vcpu[0], &in));
	EXPECT_EQ(2, guest_regs(&guest, 0).rflags);
}

static bool segments_equal(const struct kvm_segment *a, const struct kvm_segment *b)
{
	return a->base == b->base && a->limit == b->limit && a->selector == b->selector &&
	       a->type == b->type && a->present == b->present && a->dpl == b->dpl &&
	       a->db == b->db && a->s == b->s && a->l == b->l && a->g == b->g && a->avl == b->avl;
}

static void expect_segment(const struct kvm_segment *a, const struct kvm_segment *b,
			   const char *where, const char *name)
{
	EXPECT(segments_equal(a, b),
	       "%s: %s is read as another (base 0x%llx limit 0x%x selector 0x%x type %u)", where,
	       name, b->base, b->limit, b->selector, b->type);
}

static void expect_sregs(const struct kvm_sregs *a, const struct kvm_sregs *b, const char *where)
{
	const struct {
		const char *name;
		unsigned long long a, b;
	} fields[] = {
		{ "gdt base", a->gdt.base, b->gdt.base },
		{ "gdt limit", a->gdt.limit, b->gdt.limit },
		{ "idt base", a->idt.base, b->idt.base },
		{ "idt limit", a->idt.limit, b->idt.limit },
		{ "cr0", a->cr0, b->cr0 },
		{ "cr2", a->cr2, b->cr2 },
		{ "cr3", a->cr3, b->cr3 },
		{ "cr4", a->cr4, b->cr4 },
		{ "cr8", a->cr8, b->cr8 },
		{ "efer", a->efer, b->efer },
		{ "apic_base", a->apic_base, b->apic_base },
	};
	size_t i;

	expect_segment(&a->cs, &b->cs, where, "cs");
	expect_segment(&a->ds, &b->ds, where, "ds");
	expect_segment(&a->es, &b->es, where, "es");
	expect_segment(&a->fs, &b->fs, where, "fs");
	expect_segment(&a->gs, &b->gs, where, "gs");
	expect_segment(&a->ss, &b->ss, where, "ss");
	expect_segment(&a->tr, &b->tr, where, "tr");
	for (i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		EXPECT(fields[i].a == fields[i].b, "%s: %s 0x%llx, read as 0x%llx", where,
		       fields[i].name, fields[i].a, fields[i].b);
}

static void system_registers_round_trip(void)
{
	enum cpu_mode mode;
	struct guest guest;

	guest_create(&guest, 1);
	for (mode = 0; mode < MODE_NR; mode++) {
		struct kvm_sregs in = guest_sregs(&guest, 0), out;

		REQUIRE_OK(mode_build_tables(&guest.mem, GUEST_TABLES, mode));
		mode_set(&in, mode, GUEST_GDT, GUEST_TABLES);
		in.ds.base = 0x12340;
		in.es.selector = 0x77;
		in.fs.base = mode == MODE_LONG ? 0x7ffe12345678 : 0x5678;
		in.gs.base = mode == MODE_LONG ? 0xffff800012345678 : 0x9abcd0;
		in.idt.base = 0x4567;
		in.idt.limit = 0x321;
		in.tr.selector = SEL_TSS;
		in.tr.base = GUEST_TSS;
		in.cr2 = 0xdeadbeef;
		in.cr8 = 5;
		REQUIRE(vcpu_set_sregs(&guest.vcpu[0], &in) == 0, "%s: refused", mode_name(mode));
		out = guest_sregs(&guest, 0);
		expect_sregs(&in, &out, mode_name(mode));
	}
}

/* What a run may not change, it does not. */
guest_code(code_hlt, 64, "hlt");

static void system_registers_survive_a_run(void)
{
	struct kvm_sregs in, out;
	struct guest guest;

	guest_create(&guest, 1);
	guest_load(&guest, code_hlt);
	guest_start(&guest, 0, MODE_LONG);
	in = guest_sregs(&guest, 0);
	in.fs.base = 0x7ffe12345678;
	in.gs.base = 0xffff800012345678;
	in.cr2 = 0x1122334455667788;
	/* Without an interrupt controller in the kernel CR8 is user space's, by the run page. */
	in.cr8 = 3;
	guest.vcpu[0].run->cr8 = 3;
	REQUIRE_OK(vcpu_set_sregs(&guest.vcpu[0], &in));
	guest_run_to_hlt(&guest, 0);
	out = guest_sregs(&guest, 0);
	expect_sregs(&in, &out, "after HLT");
}

static void expect_refused(struct guest *guest, const struct kvm_sregs *sregs, const char *why)
{
	struct kvm_sregs before = guest_sregs(guest, 0), after;
	int err = vcpu_set_sregs(&guest->vcpu[0], sregs);

	EXPECT(err == -EINVAL, "%s: %s instead of EINVAL", why, err ? strerror(-err) : "success");
	after = guest_sregs(guest, 0);
	EXPECT(memcmp(&before, &after, sizeof(before)) == 0, "%s: a refusal changed the state",
	       why);
}

static void impossible_system_registers(void)
{
	struct kvm_sregs good, bad;
	struct guest guest;

	guest_create(&guest, 1);
	guest_load(&guest, code_hlt);
	guest_start(&guest, 0, MODE_LONG);
	good = guest_sregs(&guest, 0);
#define REFUSED(why, change)                       \
	do {                                       \
		bad = good;                        \
		change;                            \
		expect_refused(&guest, &bad, why); \
	} while (0)
	REFUSED("long mode without PAE", bad.cr4 &= ~X86_CR4_PAE);
	REFUSED("paging and LME without LMA", bad.efer &= ~X86_EFER_LMA);
	REFUSED("LMA without LME", bad.efer &= ~X86_EFER_LME);
	REFUSED("64-bit code outside long mode", bad.efer = 0);
	REFUSED("LMA without paging", bad.cr0 &= ~X86_CR0_PG);
	REFUSED("paging without protection", bad.cr0 &= ~X86_CR0_PE);
	REFUSED("NW without CD", bad.cr0 |= X86_CR0_NW);
	REFUSED("upper half of CR0", bad.cr0 |= 1ULL << 32);
	REFUSED("reserved bit of CR4", bad.cr4 |= 1UL << 15);
	REFUSED("upper half of CR4", bad.cr4 |= 1ULL << 40);
	REFUSED("CR3 beyond physical addresses", bad.cr3 |= 1ULL << 60);
#undef REFUSED
	/* Its state is whole: it runs. */
	guest_run_to_hlt(&guest, 0);
}

/* A task priority that is none stays out, and all else is taken: no error, by either structure. */
static void task_priority_that_is_none(void)
{
	static const uint64_t none[] = { 16, 0x15, 0xff, 1ULL << 32, 5 | 1ULL << 63, ~0ULL };
	struct kvm_sregs2 sregs2;
	struct kvm_sregs sregs;
	struct guest guest;
	unsigned int i;

	guest_create(&guest, 1);
	guest_load(&guest, code_hlt);
	guest_start(&guest, 0, MODE_LONG);
	sregs = guest_sregs(&guest, 0);
	sregs.cr8 = 7;
	REQUIRE_OK(vcpu_set_sregs(&guest.vcpu[0], &sregs));
	for (i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
		sregs.cr8 = none[i];
		sregs.cr2 = 0x1000 + i;
		EXPECT_ERRNO(0, vcpu_set_sregs(&guest.vcpu[0], &sregs));
		sregs = guest_sregs(&guest, 0);
		EXPECT_EQ(7, sregs.cr8);
		EXPECT_EQ(0x1000 + i, sregs.cr2);
		REQUIRE_OK(vcpu_call(&guest.vcpu[0], KVM_GET_SREGS2, &sregs2));
		EXPECT_EQ(7, sregs2.cr8);
		sregs2.cr8 = none[i];
		sregs2.cr2 = 0x2000 + i;
		EXPECT_ERRNO(0, vcpu_call(&guest.vcpu[0], KVM_SET_SREGS2, &sregs2));
		sregs = guest_sregs(&guest, 0);
		EXPECT_EQ(7, sregs.cr8);
		EXPECT_EQ(0x2000 + i, sregs.cr2);
	}
	/* In the run page it is an error. */
	guest.vcpu[0].run->cr8 = 16;
	EXPECT_ERRNO(EINVAL, vcpu_run(&guest.vcpu[0]));
	guest.vcpu[0].run->cr8 = 7;
	guest_run_to_hlt(&guest, 0);
	EXPECT_EQ(7, guest_sregs(&guest, 0).cr8);
}

static void shared_pages(void)
{
	struct guest guest;
	struct kvm_run *again;

	guest_create(&guest, 1);
	guest_load(&guest, code_hlt);
	guest_start(&guest, 0, MODE_LONG);
	again = mmap(NULL, guest.dev.run_size, PROT_READ | PROT_WRITE, MAP_SHARED, guest.vcpu[0].fd,
		     0);
	REQUIRE(again != MAP_FAILED, "%s", strerror(errno));
	again->immediate_exit = 1;
	EXPECT_ERRNO(EINTR, vcpu_run(&guest.vcpu[0]));
	again->immediate_exit = 0;
	guest_run_to_hlt(&guest, 0);
	EXPECT_EQ(KVM_EXIT_HLT, again->exit_reason);
	munmap(again, guest.dev.run_size);
	EXPECT_EQ(KVM_EXIT_HLT, guest.vcpu[0].run->exit_reason);
}

/* A child of the child touches it, so that the signal is its own. */
static int signal_of_touch(void *page)
{
	int status;
	pid_t pid = fork();

	REQUIRE(pid >= 0);
	if (pid == 0) {
		*(volatile char *)page;
		_exit(0);
	}
	REQUIRE(waitpid(pid, &status, 0) == pid);
	return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static void beyond_the_shared_pages(void)
{
	size_t page = getpagesize();
	struct guest guest;
	size_t pages;
	char *run;

	guest_create(&guest, 1);
	pages = guest.dev.run_size / page;
	run = mmap(NULL, (pages + 1) * page, PROT_READ, MAP_SHARED, guest.vcpu[0].fd, 0);
	REQUIRE(run != MAP_FAILED, "%s", strerror(errno));
	EXPECT_EQ(0, signal_of_touch(run));
	EXPECT_EQ(0, signal_of_touch(run + page));
	EXPECT_EQ(SIGBUS, signal_of_touch(run + pages * page));
	run = mmap(NULL, page, PROT_READ, MAP_SHARED, guest.vcpu[0].fd, pages * page);
	REQUIRE(run != MAP_FAILED, "%s", strerror(errno));
	EXPECT_EQ(SIGBUS, signal_of_touch(run));
	run = mmap(NULL, page, PROT_READ, MAP_SHARED, guest.vcpu[0].fd, page << 30);
	REQUIRE(run != MAP_FAILED, "%s", strerror(errno));
	EXPECT_EQ(SIGBUS, signal_of_touch(run));
}

/* The pages stay valid for as long as they are mapped, whatever is closed. */
static void shared_pages_outlive_descriptors(void)
{
	struct guest guest;

	guest_create(&guest, 1);
	guest.vcpu[0].run->immediate_exit = 1;
	close(guest.vcpu[0].fd);
	close(guest.vm.fd);
	close(guest.dev.fd);
	EXPECT_EQ(1, guest.vcpu[0].run->immediate_exit);
}

guest_code(code_loop, 64,
	   "1: incq " S_SHARED "\n"
	   "jmp 1b\n");

static void nothing(int signal)
{
	(void)signal;
}

static void *run_until_interrupted(void *data)
{
	return (void *)(long)vcpu_run(data);
}

static void *read_registers(void *data)
{
	struct kvm_regs *regs = malloc(sizeof(*regs));

	REQUIRE(regs);
	REQUIRE_OK(vcpu_get_regs(data, regs));
	return regs;
}

static void wait_for_change(volatile uint64_t *word)
{
	uint64_t before = *word;

	while (*word == before)
		usleep(1000);
}

/* While one thread runs a vCPU, another's use of it waits; both then get what is theirs. */
static void two_threads(void)
{
	struct sigaction action = { .sa_handler = nothing };
	struct kvm_regs *regs;
	pthread_t runner, other_runner, reader;
	struct guest guest;
	void *err;

	guest_create(&guest, 1);
	guest_load(&guest, code_loop);
	guest_start(&guest, 0, MODE_LONG);
	sigaction(SIGUSR1, &action, NULL);
	REQUIRE(!pthread_create(&runner, NULL, run_until_interrupted, &guest.vcpu[0]));
	wait_for_change(guest_shared(&guest));
	REQUIRE(!pthread_create(&reader, NULL, read_registers, &guest.vcpu[0]));
	usleep(100000);
	EXPECT(pthread_tryjoin_np(reader, NULL) == EBUSY, "registers were read of a running vCPU");
	REQUIRE(!pthread_kill(runner, SIGUSR1));
	REQUIRE(!pthread_join(runner, &err));
	EXPECT_ERRNO(EINTR, (long)err);
	REQUIRE(!pthread_join(reader, (void **)&regs));
	EXPECT(regs->rip >= GUEST_CODE && regs->rip < GUEST_CODE_END, "rip 0x%llx", regs->rip);

	/* Two that both run it: the second goes on where the first was stopped. */
	REQUIRE(!pthread_create(&runner, NULL, run_until_interrupted, &guest.vcpu[0]));
	wait_for_change(guest_shared(&guest));
	REQUIRE(!pthread_create(&other_runner, NULL, run_until_interrupted, &guest.vcpu[0]));
	usleep(100000);
	REQUIRE(!pthread_kill(runner, SIGUSR1));
	REQUIRE(!pthread_join(runner, &err));
	EXPECT_ERRNO(EINTR, (long)err);
	wait_for_change(guest_shared(&guest));
	REQUIRE(!pthread_kill(other_runner, SIGUSR1));
	REQUIRE(!pthread_join(other_runner, &err));
	EXPECT_ERRNO(EINTR, (long)err);
}

static const struct ktap_test tests[] = {
	KTAP_TEST(numbers),
	KTAP_TEST(number_is_kept),
	KTAP_TEST(reset_registers),
	KTAP_TEST(reset_system_registers),
	KTAP_TEST(registers_round_trip),
	KTAP_TEST(system_registers_round_trip),
	KTAP_TEST(system_registers_survive_a_run),
	KTAP_TEST(impossible_system_registers),
	KTAP_TEST(task_priority_that_is_none),
	KTAP_TEST(shared_pages),
	KTAP_TEST(beyond_the_shared_pages),
	KTAP_TEST(shared_pages_outlive_descriptors),
	KTAP_TEST(two_threads),
};

KTAP_MAIN(tests)
