// SPDX-License-Identifier: GPL-2.0-only
/*
 * The dirty log: which bits are set, what a first write costs, and what each call refuses.
 *
 * kvm may report more than was written, and does for pages that were only read; mkvm does not.  The
 * exits are counted on mkvm only: a processor may spare kvm some.  What is told is the same in each
 * mode that the processor has (MKVM_CAP_DIRTY_LOG_MODE); kvm chooses its own.
 */
#include <errno.h>
#include <linux/mkvm.h>
#include <string.h>
#include <sys/mman.h>

#include "lib/guest.h"

#define PAGE  0x1000UL
#define FAR   (1UL << 30)
#define SLOT  3
#define PAGES 150 /* no multiple of 64 */
#define WORDS 3

/* A word in each of rcx pages from rdi on, rdx bytes from one to the next. */
guest_code(code_write, 64,
	   "1: movl $1, (%rdi)\n"
	   "add %rdx, %rdi\n"
	   "dec %rcx\n"
	   "jnz 1b\n"
	   "hlt\n");
guest_code(code_read, 64,
	   "1: mov (%rdi), %eax\n"
	   "add %rdx, %rdi\n"
	   "dec %rcx\n"
	   "jnz 1b\n"
	   "hlt\n");

static uint32_t mode; /* MKVM_DIRTY_LOG_*; 0: the device's own choice */

struct fixture {
	struct guest guest;
	bool is_mkvm;
	char *host;
	struct counts before;
	uint64_t bits[WORDS + 1];
};

static int set_flags(const struct fixture *f, uint32_t flags)
{
	return vm_set_slot(&f->guest.vm, SLOT, FAR, PAGES * PAGE, f->host, flags);
}

static void set_up(struct fixture *f)
{
	memset(f, 0, sizeof(*f));
	guest_create(&f->guest, 1);
	f->is_mkvm = kvm_dev_is_mkvm(&f->guest.dev);
	if (mode)
		REQUIRE_OK(vm_enable_cap(&f->guest.vm, MKVM_CAP_DIRTY_LOG_MODE, mode));
	f->host = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		       0);
	REQUIRE(f->host != MAP_FAILED);
	REQUIRE(madvise(f->host, PAGES * PAGE, MADV_NOHUGEPAGE) == 0);
	memset(f->host, 1, PAGES * PAGE);
	REQUIRE_OK(set_flags(f, 0));
	guest_start(&f->guest, 0, MODE_LONG);
}

/* As code_write and code_read: pages first, first + stride, ... */
static void run(struct fixture *f, const unsigned char *code, size_t size, uint64_t first,
		uint64_t stride, uint64_t pages)
{
	struct kvm_regs regs = guest_regs(&f->guest, 0);

	__guest_load(&f->guest, code, size);
	regs.rip = GUEST_CODE;
	regs.rdi = FAR + first * PAGE;
	regs.rdx = stride * PAGE;
	regs.rcx = pages;
	REQUIRE_OK(vcpu_set_regs(&f->guest.vcpu[0], &regs));
	if (f->is_mkvm)
		guest_counts(&f->guest, 0, &f->before);
	guest_run_to_hlt(&f->guest, 0);
}

static void write_pages(struct fixture *f, uint64_t first, uint64_t stride, uint64_t pages)
{
	run(f, code_write, code_write_end - code_write, first, stride, pages);
}

static void read_pages(struct fixture *f, uint64_t first, uint64_t stride, uint64_t pages)
{
	run(f, code_read, code_read_end - code_read, first, stride, pages);
}

/*
 * What the last run cost.  The code's own page is mapped since the first one.  Where dirty bits
 * tell a write to a page that is mapped costs nothing.
 */
static void expect_exits(struct fixture *f, uint64_t fills, uint64_t logged)
{
	static struct counts after;
	int i;

	if (mode != MKVM_DIRTY_LOG_PROTECT)
		logged = 0;

	if (!f->is_mkvm)
		return;
	guest_counts(&f->guest, 0, &after);
	for (i = 0; i < MKVM_NR_CAUSES; i++) {
		uint64_t expected = i == MKVM_CAUSE_FILL	? fills
				    : i == MKVM_CAUSE_DIRTY_LOG ? logged
								: 0;

		EXPECT(after.sum.causes[i] - f->before.sum.causes[i] == expected,
		       "cause %d: %llu exits, expected %llu", i,
		       (unsigned long long)(after.sum.causes[i] - f->before.sum.causes[i]),
		       (unsigned long long)expected);
	}
}

static void get(struct fixture *f)
{
	memset(f->bits, 0xee, sizeof(f->bits));
	REQUIRE_OK(vm_get_dirty_log(&f->guest.vm, SLOT, f->bits));
	/* The words of the slot, and no more. */
	EXPECT_EQ(0xeeeeeeeeeeeeeeeeULL, f->bits[WORDS]);
	EXPECT_EQ(0, f->bits[WORDS - 1] >> (PAGES % 64));
}

static bool is_set(const struct fixture *f, uint64_t page)
{
	return f->bits[page / 64] >> (page % 64) & 1;
}

/* Exactly the pages first, first + stride, ... are set. */
static void expect_pages(const struct fixture *f, uint64_t first, uint64_t stride, uint64_t pages)
{
	uint64_t i;

	for (i = 0; i < PAGES; i++) {
		bool expected =
			i >= first && i < first + stride * pages && (i - first) % stride == 0;

		EXPECT(is_set(f, i) == expected, "page %llu is %s", (unsigned long long)i,
		       expected ? "not set" : "set");
	}
}

static void expect_none(const struct fixture *f)
{
	expect_pages(f, 0, 1, 0);
}

static void bits_and_exits(void)
{
	struct fixture f;

	set_up(&f);
	/* What the code and the tables cost is past then. */
	write_pages(&f, 0, 1, PAGES);
	REQUIRE_OK(set_flags(&f, KVM_MEM_LOG_DIRTY_PAGES));
	get(&f);
	expect_none(&f);

	write_pages(&f, 1, 3, 40);
	expect_exits(&f, 0, 40);
	write_pages(&f, 1, 3, 40);
	expect_exits(&f, 0, 0);
	get(&f);
	expect_pages(&f, 1, 3, 40);
	get(&f);
	expect_none(&f);

	/* Once more, and with others. */
	write_pages(&f, 0, 1, PAGES);
	expect_exits(&f, 0, PAGES);
	write_pages(&f, 0, 1, PAGES);
	expect_exits(&f, 0, 0);
	get(&f);
	expect_pages(&f, 0, 1, PAGES);
	write_pages(&f, PAGES - 1, 1, 1);
	expect_exits(&f, 0, 1);
	get(&f);
	expect_pages(&f, PAGES - 1, 1, 1);
}

/* Pages that the guest has never touched: one exit each, which is a fill. */
static void fresh_pages(void)
{
	struct fixture f;

	set_up(&f);
	write_pages(&f, 0, 1, 1);
	REQUIRE_OK(set_flags(&f, KVM_MEM_LOG_DIRTY_PAGES));
	write_pages(&f, 10, 2, 30);
	expect_exits(&f, 30, 0);
	get(&f);
	expect_pages(&f, 10, 2, 30);
}

static void new_slot_with_a_log(void)
{
	struct fixture f;

	set_up(&f);
	write_pages(&f, 0, 1, 5);
	REQUIRE_OK(vm_set_slot(&f.guest.vm, SLOT, 0, 0, NULL, 0));
	REQUIRE_OK(set_flags(&f, KVM_MEM_LOG_DIRTY_PAGES));
	get(&f);
	expect_none(&f);
	write_pages(&f, 64, 1, 64);
	expect_exits(&f, 64, 0);
	get(&f);
	expect_pages(&f, 64, 1, 64);
}

/* Reading is not writing; the first write after it is seen. */
static void read_pages_are_clean(void)
{
	struct fixture f;

	set_up(&f);
	read_pages(&f, 0, 1, 1);
	REQUIRE_OK(set_flags(&f, KVM_MEM_LOG_DIRTY_PAGES));
	read_pages(&f, 0, 1, PAGES);
	expect_exits(&f, PAGES - 1, 0);
	get(&f);
	if (f.is_mkvm)
		expect_none(&f);
	write_pages(&f, 7, 1, 9);
	expect_exits(&f, 0, 9);
	get(&f);
	expect_pages(&f, 7, 1, 9);
	/* After the harvest too. */
	read_pages(&f, 0, 1, PAGES);
	expect_exits(&f, 0, 0);
	get(&f);
	if (f.is_mkvm)
		expect_none(&f);
}

static void off_and_on_again(void)
{
	struct fixture f;

	set_up(&f);
	write_pages(&f, 0, 1, PAGES);
	REQUIRE_OK(set_flags(&f, KVM_MEM_LOG_DIRTY_PAGES));
	write_pages(&f, 0, 1, 10);
	REQUIRE_OK(set_flags(&f, 0));
	EXPECT_ERRNO(ENOENT, vm_get_dirty_log(&f.guest.vm, SLOT, f.bits));
	/* Without a log an entry that one had protected is mended by a fill. */
	write_pages(&f, 20, 1, 10);
	expect_exits(&f, mode == MKVM_DIRTY_LOG_PROTECT ? 10 : 0, 0);
	REQUIRE_OK(set_flags(&f, KVM_MEM_LOG_DIRTY_PAGES));
	get(&f);
	expect_none(&f);
	write_pages(&f, 0, 1, 30);
	expect_exits(&f, 0, 30);
	get(&f);
	expect_pages(&f, 0, 1, 30);
}

/* Pages written before a move are still in the log after it. */
static void log_moves_with_the_slot(void)
{
	struct fixture f;

	set_up(&f);
	REQUIRE_OK(set_flags(&f, KVM_MEM_LOG_DIRTY_PAGES));
	write_pages(&f, 0, 1, 10);
	REQUIRE_OK(vm_set_slot(&f.guest.vm, SLOT, FAR + 256 * PAGE, PAGES * PAGE, f.host,
			       KVM_MEM_LOG_DIRTY_PAGES));
	write_pages(&f, 256 + 10, 1, 5);
	expect_exits(&f, 5, 0);
	get(&f);
	expect_pages(&f, 0, 1, 15);
}

static void host_takes_pages_back(void)
{
	struct fixture f;

	set_up(&f);
	write_pages(&f, 0, 1, PAGES);
	REQUIRE_OK(set_flags(&f, KVM_MEM_LOG_DIRTY_PAGES));
	write_pages(&f, 0, 1, 20);
	REQUIRE(madvise(f.host, 40 * PAGE, MADV_DONTNEED) == 0);
	/* Their bits stay; a write to what is mapped anew is logged again. */
	write_pages(&f, 10, 1, 20);
	expect_exits(&f, 20, 0);
	get(&f);
	expect_pages(&f, 0, 1, 30);
	write_pages(&f, 10, 1, 20);
	expect_exits(&f, 0, 20);
	get(&f);
	expect_pages(&f, 10, 1, 20);
}

static void manual_protect(void)
{
	uint64_t all[WORDS];
	struct fixture f;

	memset(all, 0xff, sizeof(all));
	set_up(&f);
	REQUIRE_OK(vm_enable_cap(&f.guest.vm, KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2,
				 KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE));
	write_pages(&f, 0, 1, PAGES);
	REQUIRE_OK(set_flags(&f, KVM_MEM_LOG_DIRTY_PAGES));
	write_pages(&f, 60, 1, 20);
	expect_exits(&f, 0, 20);
	/* Reading it changes nothing. */
	get(&f);
	expect_pages(&f, 60, 1, 20);
	get(&f);
	expect_pages(&f, 60, 1, 20);
	write_pages(&f, 60, 1, 20);
	expect_exits(&f, 0, 0);

	/* 64 pages from page 64 on; then the bits at 60 and 62. */
	EXPECT_ERRNO(0, vm_clear_dirty_log(&f.guest.vm, SLOT, 64, 64, all));
	get(&f);
	expect_pages(&f, 60, 1, 4);
	f.bits[0] = 5ULL << 60;
	EXPECT_ERRNO(0, vm_clear_dirty_log(&f.guest.vm, SLOT, 0, 64, f.bits));
	get(&f);
	expect_pages(&f, 61, 2, 2);
	write_pages(&f, 60, 1, 20);
	expect_exits(&f, 0, 18);
	/* To the slot's end; bits beyond it are not looked at. */
	EXPECT_ERRNO(0, vm_clear_dirty_log(&f.guest.vm, SLOT, 0, PAGES, all));
	get(&f);
	expect_none(&f);
	/* Of pages that are not set nothing is taken away. */
	write_pages(&f, 0, 1, 3);
	f.bits[0] = ~7ULL;
	EXPECT_ERRNO(0, vm_clear_dirty_log(&f.guest.vm, SLOT, 0, 64, f.bits));
	write_pages(&f, 0, 1, 3);
	expect_exits(&f, 0, 0);
}

static void initially_set(void)
{
	uint64_t all[WORDS];
	struct fixture f;

	memset(all, 0xff, sizeof(all));
	set_up(&f);
	REQUIRE_OK(
		vm_enable_cap(&f.guest.vm, KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2,
			      KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE | KVM_DIRTY_LOG_INITIALLY_SET));
	write_pages(&f, 0, 1, PAGES);
	REQUIRE_OK(set_flags(&f, KVM_MEM_LOG_DIRTY_PAGES));
	get(&f);
	expect_pages(&f, 0, 1, PAGES);
	/* Nothing is protected before it is cleared. */
	write_pages(&f, 0, 1, PAGES);
	expect_exits(&f, 0, 0);
	EXPECT_ERRNO(0, vm_clear_dirty_log(&f.guest.vm, SLOT, 64, 64, all));
	write_pages(&f, 0, 1, PAGES);
	expect_exits(&f, 0, 64);
	EXPECT_ERRNO(0, vm_clear_dirty_log(&f.guest.vm, SLOT, 0, PAGES, all));
	get(&f);
	expect_none(&f);
	/* A log that was on stays as it is when the mode changes. */
	EXPECT_ERRNO(0, vm_enable_cap(&f.guest.vm, KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2, 0));
	write_pages(&f, 3, 1, 3);
	get(&f);
	expect_pages(&f, 3, 1, 3);
	get(&f);
	expect_none(&f);
}

static void manual_protect_refusals(void)
{
	struct fixture f;
	int modes;

	set_up(&f);
	modes = REQUIRE_OK(kvm_dev_extension(&f.guest.dev, KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2));
	EXPECT_EQ(KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE | KVM_DIRTY_LOG_INITIALLY_SET, modes);
	EXPECT_ERRNO(EINVAL, vm_enable_cap(&f.guest.vm, KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2,
					   KVM_DIRTY_LOG_INITIALLY_SET));
	EXPECT_ERRNO(EINVAL, vm_enable_cap(&f.guest.vm, KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2, 4));
	EXPECT_ERRNO(EINVAL, vm_enable_cap(&f.guest.vm, KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2, 5));
	EXPECT_ERRNO(EINVAL,
		     vm_enable_cap(&f.guest.vm, KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2, 1ULL << 32));
	EXPECT_ERRNO(0, vm_enable_cap(&f.guest.vm, KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2, 3));
	EXPECT_ERRNO(0, vm_enable_cap(&f.guest.vm, KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2, 1));
	EXPECT_ERRNO(0, vm_enable_cap(&f.guest.vm, KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2, 0));
}

/* Another mode: only one that there is, and while nothing is logged. */
static void mode_refusals(void)
{
	uint64_t none[] = { 0, 3, 5, 6, 7, 8, 16, 17, 1ULL << 32 };
	struct fixture f;
	unsigned int i;
	int modes;

	set_up(&f);
	modes = REQUIRE_OK(kvm_dev_extension(&f.guest.dev, MKVM_CAP_DIRTY_LOG_MODE));
	EXPECT_EQ(MKVM_DIRTY_LOG_PROTECT | MKVM_DIRTY_LOG_BITS | MKVM_DIRTY_LOG_EAGER_SPLIT,
		  modes & ~MKVM_DIRTY_LOG_PML);
	for (i = 0; i < sizeof(none) / sizeof(none[0]); i++)
		EXPECT_ERRNO(EINVAL, vm_enable_cap(&f.guest.vm, MKVM_CAP_DIRTY_LOG_MODE, none[i]));
	EXPECT_ERRNO(modes & MKVM_DIRTY_LOG_PML ? 0 : EINVAL,
		     vm_enable_cap(&f.guest.vm, MKVM_CAP_DIRTY_LOG_MODE, MKVM_DIRTY_LOG_PML));
	EXPECT_ERRNO(0, vm_enable_cap(&f.guest.vm, MKVM_CAP_DIRTY_LOG_MODE,
				      MKVM_DIRTY_LOG_BITS | MKVM_DIRTY_LOG_EAGER_SPLIT));
	REQUIRE_OK(set_flags(&f, KVM_MEM_LOG_DIRTY_PAGES));
	EXPECT_ERRNO(EINVAL,
		     vm_enable_cap(&f.guest.vm, MKVM_CAP_DIRTY_LOG_MODE, MKVM_DIRTY_LOG_PROTECT));
	EXPECT_ERRNO(EINVAL,
		     vm_enable_cap(&f.guest.vm, MKVM_CAP_DIRTY_LOG_MODE, MKVM_DIRTY_LOG_BITS));
	REQUIRE_OK(set_flags(&f, 0));
	EXPECT_ERRNO(0,
		     vm_enable_cap(&f.guest.vm, MKVM_CAP_DIRTY_LOG_MODE, MKVM_DIRTY_LOG_PROTECT));
}

static void get_refusals(void)
{
	struct fixture f;
	struct vm *vm;

	set_up(&f);
	vm = &f.guest.vm;
	EXPECT_ERRNO(ENOENT, vm_get_dirty_log(vm, SLOT, f.bits)); /* not logged */
	EXPECT_ERRNO(ENOENT, vm_get_dirty_log(vm, SLOT + 1, f.bits));
	EXPECT_ERRNO(ENOENT, vm_get_dirty_log(vm, 32763, NULL));
	EXPECT_ERRNO(EINVAL, vm_get_dirty_log(vm, 32764, f.bits));
	EXPECT_ERRNO(EINVAL, vm_get_dirty_log(vm, 0x20000 + SLOT, f.bits));
	REQUIRE_OK(set_flags(&f, KVM_MEM_LOG_DIRTY_PAGES));
	EXPECT_ERRNO(EFAULT, vm_get_dirty_log(vm, SLOT, NULL));
	EXPECT_ERRNO(EFAULT, vm_get_dirty_log(vm, SLOT, (void *)-4096L));
	EXPECT_ERRNO(0, vm_get_dirty_log(vm, SLOT, f.bits));
}

static void clear_refusals(void)
{
	struct fixture f;
	struct vm *vm;

	set_up(&f);
	vm = &f.guest.vm;
	EXPECT_ERRNO(ENOENT, vm_clear_dirty_log(vm, SLOT, 0, 64, f.bits)); /* not logged */
	EXPECT_ERRNO(ENOENT, vm_clear_dirty_log(vm, SLOT + 1, 0, 1, f.bits));
	EXPECT_ERRNO(EINVAL, vm_clear_dirty_log(vm, SLOT + 1, 1, 1, f.bits));
	EXPECT_ERRNO(EINVAL, vm_clear_dirty_log(vm, 32764, 0, 64, f.bits));
	EXPECT_ERRNO(EINVAL, vm_clear_dirty_log(vm, 0x20000 + SLOT, 0, 64, f.bits));
	/* Without the capability it works too. */
	REQUIRE_OK(set_flags(&f, KVM_MEM_LOG_DIRTY_PAGES));
	EXPECT_ERRNO(EINVAL, vm_clear_dirty_log(vm, SLOT, 1, 64, f.bits));
	EXPECT_ERRNO(EINVAL, vm_clear_dirty_log(vm, SLOT, 0, 65, f.bits));
	EXPECT_ERRNO(EINVAL, vm_clear_dirty_log(vm, SLOT, 0, PAGES + 1, f.bits));
	EXPECT_ERRNO(EINVAL, vm_clear_dirty_log(vm, SLOT, 64, PAGES, f.bits));
	EXPECT_ERRNO(EINVAL, vm_clear_dirty_log(vm, SLOT, 192, 0, f.bits));
	EXPECT_ERRNO(EINVAL, vm_clear_dirty_log(vm, SLOT, -64ULL, 64, f.bits));
	EXPECT_ERRNO(EFAULT, vm_clear_dirty_log(vm, SLOT, 0, 64, NULL));
	EXPECT_ERRNO(0, vm_clear_dirty_log(vm, SLOT, 0, 0, f.bits));
	EXPECT_ERRNO(0, vm_clear_dirty_log(vm, SLOT, 128, PAGES - 128, f.bits));
	EXPECT_ERRNO(0, vm_clear_dirty_log(vm, SLOT, 0, PAGES, f.bits));
}

/* A read of the log that fails has told nobody of the pages. */
static void failed_read_loses_nothing(void)
{
	bool stay = true;
	struct fixture f;
	uint64_t i;

	set_up(&f);
	REQUIRE_OK(set_flags(&f, KVM_MEM_LOG_DIRTY_PAGES));
	write_pages(&f, 0, 5, 20);
	EXPECT_ERRNO(EFAULT, vm_get_dirty_log(&f.guest.vm, SLOT, NULL));
	get(&f);
	for (i = 0; i < PAGES; i++)
		stay = stay && is_set(&f, i) == (i % 5 == 0 && i < 100);
	EXPECT_OR_DIFFERS(&f.guest.dev, "bits_stay", stay);
	/* Nor is any protection lost with it. */
	write_pages(&f, 0, 1, PAGES);
	get(&f);
	expect_pages(&f, 0, 1, PAGES);
}

/* Tests of what is told and what it costs: one of each in each mode. */
/* clang-format off */
#define IN_EACH_MODE(x)			\
	x(bits_and_exits)		\
	x(fresh_pages)			\
	x(new_slot_with_a_log)		\
	x(read_pages_are_clean)		\
	x(off_and_on_again)		\
	x(log_moves_with_the_slot)	\
	x(host_takes_pages_back)	\
	x(manual_protect)		\
	x(initially_set)		\
	x(failed_read_loses_nothing)

#define IN_MODE(test, name, value)				\
	static void test##_by_##name(void)			\
	{							\
		mode = value;					\
		test();						\
	}
#define DEFINE_IN_EACH(test)				\
	IN_MODE(test, protection, MKVM_DIRTY_LOG_PROTECT)	\
	IN_MODE(test, bits, MKVM_DIRTY_LOG_BITS)		\
	IN_MODE(test, list, MKVM_DIRTY_LOG_PML)
IN_EACH_MODE(DEFINE_IN_EACH)

#define OWN_CHOICE(test) KTAP_TEST(test),
#define BY_PROTECTION(test) KTAP_TEST(test##_by_protection),
#define BY_BITS(test) KTAP_TEST(test##_by_bits),
#define BY_LIST(test) KTAP_TEST(test##_by_list),
/* clang-format on */

static const struct ktap_test any_mode[] = {
	KTAP_TEST(manual_protect_refusals),
	KTAP_TEST(get_refusals),
	KTAP_TEST(clear_refusals),
};

static const struct ktap_test own_choice[] = { IN_EACH_MODE(OWN_CHOICE) };
static const struct ktap_test by_protection[] = { IN_EACH_MODE(BY_PROTECTION) };
static const struct ktap_test by_bits[] = { KTAP_TEST(mode_refusals), IN_EACH_MODE(BY_BITS) };
static const struct ktap_test by_list[] = { IN_EACH_MODE(BY_LIST) };

static struct ktap_test tests[64];
static size_t nr_tests;

static void add(const struct ktap_test *some, size_t nr)
{
	memcpy(tests + nr_tests, some, nr * sizeof(*some));
	nr_tests += nr;
}

#define ADD(some) add(some, sizeof(some) / sizeof((some)[0]))

/* What the device cannot do is no test of it. */
static uint32_t modes_there(void)
{
	struct kvm_dev dev;
	int modes = 0;

	if (kvm_dev_open(&dev, kvm_dev_default()))
		return 0;
	if (kvm_dev_is_mkvm(&dev))
		modes = kvm_dev_extension(&dev, MKVM_CAP_DIRTY_LOG_MODE);
	kvm_dev_close(&dev);
	return modes > 0 ? modes : 0;
}

int main(int argc, char **argv)
{
	uint32_t modes = modes_there();

	ADD(any_mode);
	if (!modes)
		ADD(own_choice);
	if (modes & MKVM_DIRTY_LOG_PROTECT)
		ADD(by_protection);
	if (modes & MKVM_DIRTY_LOG_BITS)
		ADD(by_bits);
	if (modes & MKVM_DIRTY_LOG_PML)
		ADD(by_list);
	return ktap_main(tests, nr_tests, argc, argv);
}
