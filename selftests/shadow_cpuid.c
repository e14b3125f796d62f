// SPDX-License-Identifier: GPL-2.0-only
/*
 * Shadow paging by the guest's CPUID: where mkvm walks the guest's tables, pages of 1 GiB and bits
 * of an address that the guest was not told of are reserved, whatever the host's processor has.
 */
#include <errno.h>
#include <linux/kvm.h>
#include <linux/mkvm.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "lib/cpuid.h"
#include "lib/guest.h"

#define WINDOW	 0x8000000000UL /* the second entry of the topmost table */
#define POINTERS 0x200000UL
#define PAGE	 0x1000UL
#define USED	 (X86_PTE_P | X86_PTE_W | 0x60) /* accessed and dirty */
#define NARROW	 36
#define PF_READ	 9   /* present, a reserved bit */
#define PF_WRITE 0xb /* and a write */
#define GBPAGES	 (1U << 26)

/* What the guest wants is in rdi: it reads there, and writes what it has read. */
guest_code(code_touch, 64,
	   "mov (%rdi), %rax\n"
	   "mov %rax, (%rdi)\n"
	   "hlt\n");

static struct guest guest;
static struct cpuid table;

static struct kvm_cpuid_entry2 *leaf(uint32_t function)
{
	struct kvm_cpuid_entry2 *entry = cpuid_find(&table, function, 0);

	REQUIRE(entry, "no leaf 0x%x", function);
	return entry;
}

static unsigned int width(void)
{
	return leaf(0x80000008)->eax & 0xff;
}

static void set_width(unsigned int bits)
{
	leaf(0x80000008)->eax = (leaf(0x80000008)->eax & ~0xffU) | bits;
}

static void set_gbpages(bool on)
{
	leaf(0x80000001)->edx = (leaf(0x80000001)->edx & ~GBPAGES) | (on ? GBPAGES : 0);
}

static void give_table(void)
{
	REQUIRE_OK(cpuid_set(&guest.vcpu[0], &table));
}

static void set_rdi(uint64_t to)
{
	struct kvm_regs regs = guest_regs(&guest, 0);

	regs.rdi = to;
	REQUIRE_OK(vcpu_set_regs(&guest.vcpu[0], &regs));
}

/* A guest on shadow tables that has not run, with @entry for the first GiB of the window. */
static void start(uint64_t entry)
{
	device_needs_shadow();
	guest_create(&guest, 1);
	REQUIRE_OK(cpuid_get_supported(&table, &guest.dev));
	guest_load(&guest, code_touch);
	guest_start(&guest, 0, MODE_LONG);
	guest_enable_traps(&guest, 0);
	memset(guest_at(&guest, POINTERS, 0x1000), 0, 0x1000);
	((uint64_t *)guest_at(&guest, GUEST_TABLES, 0x1000))[WINDOW >> 39] =
		POINTERS | X86_PTE_P | X86_PTE_W;
	*(uint64_t *)guest_at(&guest, POINTERS, 8) = entry;
	*guest_shared(&guest) = 0x1234;
	set_rdi(WINDOW + GUEST_SHARED);
}

static void touches(void)
{
	guest_run_to_hlt(&guest, 0);
	EXPECT_EQ(0, guest_nr_traps(&guest));
	EXPECT_EQ(0x1234, guest_regs(&guest, 0).rax);
}

/* At the read, or where that is past, at the write. */
static void faults(uint64_t error)
{
	struct trap trap;

	guest_run_to_hlt(&guest, 0);
	EXPECT_EQ(1, guest_nr_traps(&guest));
	trap = guest_trap(&guest, 0);
	EXPECT_EQ(14, trap.vector);
	EXPECT_EQ(error, trap.error);
	EXPECT_EQ(WINDOW + GUEST_SHARED, trap.cr2);
}

#define LARGE (X86_PTE_P | X86_PTE_W | X86_PTE_PS)

static void pages_of_a_gib(void)
{
	start(LARGE);
	set_gbpages(true);
	give_table();
	touches();
}

static void no_pages_of_a_gib(void)
{
	start(LARGE);
	set_gbpages(false);
	give_table();
	faults(PF_READ);
	/* A write first. */
	guest_destroy(&guest);
	start(LARGE);
	give_table();
	set_gbpages(false);
	give_table();
	guest_set_rip(&guest, 0, GUEST_CODE + 3);
	faults(PF_WRITE);
}

/* Before there is a table there is no such feature. */
static void no_table(void)
{
	start(LARGE);
	memset(&table, 0, sizeof(table));
	give_table();
	faults(PF_READ);
}

static void on_signal(int signal)
{
	(void)signal;
}

/* A KVM_RUN that comes as far as the tables, and not into the guest. */
static void run_and_stay_out(void)
{
	struct {
		uint32_t len;
		uint8_t set[8];
	} none = { .len = 8 };
	struct sigaction action = { .sa_handler = on_signal };
	sigset_t usr1;

	sigemptyset(&usr1);
	sigaddset(&usr1, SIGUSR1);
	REQUIRE(!sigaction(SIGUSR1, &action, NULL) && !sigprocmask(SIG_BLOCK, &usr1, NULL));
	REQUIRE_OK(vcpu_call(&guest.vcpu[0], KVM_SET_SIGNAL_MASK, &none));
	raise(SIGUSR1);
	EXPECT_ERRNO(EINTR, vcpu_run(&guest.vcpu[0]));
	REQUIRE_OK(vcpu_call(&guest.vcpu[0], KVM_SET_SIGNAL_MASK, NULL));
	REQUIRE(!sigprocmask(SIG_UNBLOCK, &usr1, NULL));
}

/* A table that comes after such a KVM_RUN counts for the roots that it has left. */
static void comes_after_the_roots(void)
{
	struct counts counts;

	start(LARGE);
	set_gbpages(false);
	give_table();
	run_and_stay_out();
	guest_counts(&guest, 0, &counts);
	EXPECT_EQ(0, counts.sum.entries);
	set_gbpages(true);
	give_table();
	touches();

	guest_destroy(&guest);
	start(LARGE);
	set_gbpages(true);
	give_table();
	run_and_stay_out();
	set_gbpages(false);
	give_table();
	faults(PF_READ);
}

static void need_width(void)
{
	device_needs_shadow();
	guest_create(&guest, 1);
	REQUIRE_OK(cpuid_get_supported(&table, &guest.dev));
	guest_destroy(&guest);
	if (width() <= NARROW + 1)
		ktap_skip("the host's addresses are no wider");
}

/* Of an address that is too wide for the guest the same holds: for the host it is in no slot. */
static void width_of_addresses(void)
{
	uint64_t entry;

	need_width();
	entry = LARGE | 1UL << (width() - 1);

	start(entry);
	set_gbpages(true);
	give_table();
	guest_run(&guest, 0);
	guest_expect_exit(&guest, 0, KVM_EXIT_MMIO);
	EXPECT_EQ((entry & ~0xfffUL) + GUEST_SHARED, guest.vcpu[0].run->mmio.phys_addr);

	guest_destroy(&guest);
	start(entry);
	set_gbpages(true);
	give_table();
	run_and_stay_out();
	set_width(NARROW);
	give_table();
	faults(PF_READ);
}

guest_code(code_two_pages, 64,
	   "mov (%rdi), %rax\n"
	   "mov 0x1000(%rdi), %rbx\n"
	   "hlt\n");

#define DIRECTORY (POINTERS + PAGE)
#define TABLE	  (POINTERS + 2 * PAGE)
#define HIGH	  (1UL << NARROW) /* a slot of one page */

/*
 * The window's first page is in the guest's memory, and its second one higher than addresses of
 * NARROW bits reach; both were used, as their entries say.
 */
static void map_two_pages(void)
{
	struct kvm_userspace_memory_region slot = {
		.slot = 5,
		.guest_phys_addr = HIGH,
		.memory_size = PAGE,
	};
	uint64_t *entries;

	start(DIRECTORY | X86_PTE_P | X86_PTE_W);
	slot.userspace_addr = (uintptr_t)guest_at(&guest, GUEST_SHARED, PAGE);
	REQUIRE(ioctl(guest.vm.fd, KVM_SET_USER_MEMORY_REGION, &slot) == 0);
	REQUIRE_OK(vm_enable_cap(&guest.vm, MKVM_CAP_FAULT_AROUND, 64));
	guest_load(&guest, code_two_pages);
	memset(guest_at(&guest, DIRECTORY, 2 * PAGE), 0, 2 * PAGE);
	*(uint64_t *)guest_at(&guest, DIRECTORY, 8) = TABLE | X86_PTE_P | X86_PTE_W;
	entries = guest_at(&guest, TABLE, PAGE);
	entries[0] = GUEST_SHARED | USED;
	entries[1] = HIGH | USED;
	set_rdi(WINDOW);
}

/* What is mapped around a page goes by the new table, too. */
static void comes_after_the_roots_of_a_window(void)
{
	struct trap trap;

	need_width();
	map_two_pages();
	give_table();
	run_and_stay_out();
	guest_run_to_hlt(&guest, 0);
	EXPECT_EQ(0, guest_nr_traps(&guest));
	EXPECT_EQ(0x1234, guest_regs(&guest, 0).rbx);

	guest_destroy(&guest);
	map_two_pages();
	give_table();
	run_and_stay_out();
	set_width(NARROW);
	give_table();
	guest_run_to_hlt(&guest, 0);
	EXPECT_EQ(1, guest_nr_traps(&guest));
	trap = guest_trap(&guest, 0);
	EXPECT_EQ(14, trap.vector);
	EXPECT_EQ(PF_READ, trap.error);
	EXPECT_EQ(WINDOW + PAGE, trap.cr2);
	EXPECT_EQ(0x1234, guest_regs(&guest, 0).rax);
}

static const struct ktap_test tests[] = {
	KTAP_TEST(pages_of_a_gib),
	KTAP_TEST(no_pages_of_a_gib),
	KTAP_TEST(no_table),
	KTAP_TEST(width_of_addresses),
	KTAP_TEST(comes_after_the_roots),
	KTAP_TEST(comes_after_the_roots_of_a_window),
};

int main(int argc, char **argv)
{
	setenv("MKVM_MMU", "shadow", 1);
	return ktap_main(tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
