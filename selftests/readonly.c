// SPDX-License-Identifier: GPL-2.0-only
/*
 * Read-only slots: the guest reads and fetches from them as from any other, and a write goes to
 * user space as if there were no memory.
 */
#include <linux/mkvm.h>
#include <string.h>
#include <sys/mman.h>

#include "lib/guest.h"

#define PAGE  0x1000UL
#define FAR   (1UL << 30)
#define SLOT  3
#define PAGES 16 /* and one that set_up() reads */

guest_code(code_read, 64,
	   "1: mov (%rdi), %rax\n"
	   "add $0x1000, %rdi\n"
	   "dec %rcx\n"
	   "jnz 1b\n"
	   "hlt\n");
guest_code(code_write, 64,
	   "movl $0x12345678, (%rdi)\n"
	   "hlt\n");
guest_code(code_jump, 64, "jmp *%rdi\n");
guest_code(code_add_and_halt, 64,
	   "add $7, %rax\n"
	   "hlt\n");

struct fixture {
	struct guest guest;
	char *host;
	struct counts before;
};

static void prepare(struct fixture *f, const unsigned char *code, size_t size, uint64_t gpa,
		    uint64_t pages)
{
	struct kvm_regs regs = guest_regs(&f->guest, 0);

	__guest_load(&f->guest, code, size);
	regs.rip = GUEST_CODE;
	regs.rdi = gpa;
	regs.rcx = pages;
	regs.rax = 0;
	REQUIRE_OK(vcpu_set_regs(&f->guest.vcpu[0], &regs));
	if (kvm_dev_is_mkvm(&f->guest.dev))
		guest_counts(&f->guest, 0, &f->before);
}

static uint64_t read_pages(struct fixture *f, uint64_t gpa, uint64_t pages)
{
	prepare(f, code_read, code_read_end - code_read, gpa, pages);
	guest_run_to_hlt(&f->guest, 0);
	return guest_regs(&f->guest, 0).rax;
}

static void set_up(struct fixture *f, uint32_t flags)
{
	unsigned int i;

	memset(f, 0, sizeof(*f));
	guest_create(&f->guest, 1);
	f->host = mmap(NULL, (PAGES + 1) * PAGE, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	REQUIRE(f->host != MAP_FAILED);
	REQUIRE(madvise(f->host, (PAGES + 1) * PAGE, MADV_NOHUGEPAGE) == 0);
	for (i = 0; i <= PAGES; i++)
		*(uint64_t *)(f->host + i * PAGE) = 0xa0 + i;
	REQUIRE_OK(vm_set_slot(&f->guest.vm, SLOT, FAR, (PAGES + 1) * PAGE, f->host,
			       KVM_MEM_READONLY | flags));
	guest_start(&f->guest, 0, MODE_LONG);
	/* What the code's page and the tables cost is past then. */
	EXPECT_EQ(0xa0 + PAGES, read_pages(f, FAR + PAGES * PAGE, 1));
}

/* On mkvm: since prepare() so many exits of this cause, and none of any other. */
static void expect_exits(struct fixture *f, enum mkvm_mmu_cause cause, uint64_t number)
{
	static struct counts after;
	unsigned int i;

	if (!kvm_dev_is_mkvm(&f->guest.dev))
		return;
	guest_counts(&f->guest, 0, &after);
	for (i = 0; i < MKVM_NR_CAUSES; i++)
		EXPECT(after.sum.causes[i] - f->before.sum.causes[i] == (i == cause ? number : 0),
		       "cause %u: %llu exits", i,
		       (unsigned long long)(after.sum.causes[i] - f->before.sum.causes[i]));
}

static void expect_write_exits(struct fixture *f, uint64_t gpa)
{
	const struct kvm_run *run = f->guest.vcpu[0].run;
	uint32_t value;

	prepare(f, code_write, code_write_end - code_write, gpa, 0);
	guest_run(&f->guest, 0);
	guest_expect_exit(&f->guest, 0, KVM_EXIT_MMIO);
	EXPECT_EQ(gpa, run->mmio.phys_addr);
	EXPECT_EQ(4, run->mmio.len);
	EXPECT_EQ(1, run->mmio.is_write);
	memcpy(&value, run->mmio.data, 4);
	EXPECT_EQ(0x12345678, value);
	expect_exits(f, MKVM_CAUSE_MMIO, 1);
	/* The guest goes on behind it. */
	guest_run_to_hlt(&f->guest, 0);
}

static void read(void)
{
	struct fixture f;

	set_up(&f, 0);
	EXPECT_EQ(0xa0 + PAGES - 1, read_pages(&f, FAR, PAGES));
	expect_exits(&f, MKVM_CAUSE_FILL, PAGES);
	EXPECT_EQ(0xa0, read_pages(&f, FAR, 1));
	expect_exits(&f, MKVM_CAUSE_FILL, 0);
	/* What we write is what the guest reads. */
	*(uint64_t *)f.host = 0xb0;
	EXPECT_EQ(0xb0, read_pages(&f, FAR, 1));
	expect_exits(&f, MKVM_CAUSE_FILL, 0);
}

static void fetched(void)
{
	struct fixture f;

	set_up(&f, 0);
	memcpy(f.host + 64, code_add_and_halt, code_add_and_halt_end - code_add_and_halt);
	prepare(&f, code_jump, code_jump_end - code_jump, FAR + 64, 0);
	guest_run_to_hlt(&f.guest, 0);
	EXPECT_EQ(7, guest_regs(&f.guest, 0).rax);
	expect_exits(&f, MKVM_CAUSE_FILL, 1);
}

static void written_fresh(void)
{
	struct fixture f;

	set_up(&f, 0);
	expect_write_exits(&f, FAR + 2 * PAGE + 8);
	EXPECT_EQ(0, *(uint64_t *)(f.host + 2 * PAGE + 8));
	EXPECT_EQ(0xa2, read_pages(&f, FAR + 2 * PAGE, 1));
}

/* Also where the guest has read before. */
static void read_then_written(void)
{
	struct fixture f;

	set_up(&f, 0);
	read_pages(&f, FAR, PAGES);
	expect_write_exits(&f, FAR + 3 * PAGE);
	EXPECT_EQ(0xa3, *(uint64_t *)(f.host + 3 * PAGE));
	expect_write_exits(&f, FAR + 3 * PAGE);
	EXPECT_EQ(0xa3, *(uint64_t *)(f.host + 3 * PAGE));
	EXPECT_EQ(0xa3, read_pages(&f, FAR + 3 * PAGE, 1));
}

/* Memory that we may not write ourselves: a file's, or a page that nobody has written yet. */
static void behind_it_read_only_too(void)
{
	struct fixture f;

	set_up(&f, 0);
	REQUIRE(mprotect(f.host, PAGES * PAGE, PROT_READ) == 0);
	EXPECT_EQ(0xa5, read_pages(&f, FAR + 5 * PAGE, 1));
	REQUIRE(mprotect(f.host, PAGES * PAGE, PROT_READ | PROT_WRITE) == 0);
	REQUIRE(madvise(f.host, PAGES * PAGE, MADV_DONTNEED) == 0);
	EXPECT_EQ(0, read_pages(&f, FAR + 5 * PAGE, 1));
	*(uint64_t *)(f.host + 5 * PAGE) = 0xc5;
	EXPECT_EQ(0xc5, read_pages(&f, FAR + 5 * PAGE, 1));
}

/* The same memory in a second slot can be written there; the guest sees it in both. */
static void writable_alias(void)
{
	struct fixture f;

	set_up(&f, 0);
	REQUIRE_OK(vm_set_slot(&f.guest.vm, SLOT + 1, 2 * FAR, PAGES * PAGE, f.host, 0));
	EXPECT_EQ(0xa1, read_pages(&f, FAR + PAGE, 1));
	prepare(&f, code_write, code_write_end - code_write, 2 * FAR + PAGE, 0);
	guest_run_to_hlt(&f.guest, 0);
	EXPECT_EQ(0x12345678, read_pages(&f, FAR + PAGE, 1));
	expect_write_exits(&f, FAR + PAGE);
}

/* A log of a slot that nobody can write to has nothing to tell. */
static void with_a_log(void)
{
	struct fixture f;
	uint64_t bits[1] = { ~0ULL };

	set_up(&f, KVM_MEM_LOG_DIRTY_PAGES);
	read_pages(&f, FAR, PAGES);
	expect_write_exits(&f, FAR + 3 * PAGE);
	REQUIRE_OK(vm_get_dirty_log(&f.guest.vm, SLOT, bits));
	EXPECT_EQ(0, bits[0]);
}

static const struct ktap_test tests[] = {
	KTAP_TEST(read),
	KTAP_TEST(fetched),
	KTAP_TEST(written_fresh),
	KTAP_TEST(read_then_written),
	KTAP_TEST(behind_it_read_only_too),
	KTAP_TEST(writable_alias),
	KTAP_TEST(with_a_log),
};

KTAP_MAIN(tests)
