// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tables that a guest makes so that the MMU would have much to look through under its lock: each
 * entry of each level the same, below several roots; and one frame that is mapped by all entries of
 * several tables.  Chains of entries that are full are cut, which is counted; the guest goes on,
 * the audit, which each VM has at its end, finds nothing, and the VM ends.
 */
#include <linux/kvm.h>
#include <linux/mkvm.h>
#include <stdlib.h>
#include <string.h>

#include "lib/guest.h"
#include "lib/stats.h"

#define PAGE	0x1000UL
#define ENTRIES 512
#define FLAGS	(X86_PTE_P | X86_PTE_W)
#define TABLES	0x200000UL /* of the levels 3, 2, 1 */
#define LEVEL_3 TABLES
#define LEVEL_2 (TABLES + PAGE)
#define LEVEL_1 (TABLES + 2 * PAGE) /* and more of them behind */
#define ROOTS	(TABLES + 16 * PAGE)
#define DATA	0x400000UL
#define VALUE	0x1234

#define NR_ROOTS    8
#define NR_TABLES   4
#define MAX_PARENTS 512
#define MAX_LEAVES  255

#define SPAN_4	  (1UL << 39) /* of an entry of the topmost table */
#define SPAN_3	  (1UL << 30)
#define SPAN_2	  (1UL << 21)
#define HIGH_HALF 0xffff800000000000UL

/* Loads rbx for CR3; reads rcx addresses, from rdi on and rsi bytes apart; their sum is in rax. */
guest_code(code_read, 64,
	   "mov %rbx, %cr3\n"
	   "xor %eax, %eax\n"
	   "1: add (%rdi), %rax\n"
	   "add %rsi, %rdi\n"
	   "dec %rcx\n"
	   "jnz 1b\n"
	   "hlt\n");

struct fixture {
	struct guest guest;
	struct stats stats;
};

static uint64_t *entry(struct fixture *f, uint64_t table, unsigned int i)
{
	return (uint64_t *)guest_at(&f->guest, table, PAGE) + i;
}

static void fill(struct fixture *f, uint64_t table, uint64_t value)
{
	unsigned int i;

	for (i = 0; i < ENTRIES; i++)
		*entry(f, table, i) = value | FLAGS;
}

static void set_up(struct fixture *f)
{
	memset(f, 0, sizeof(*f));
	device_needs_shadow();
	guest_create(&f->guest, 1);
	guest_start(&f->guest, 0, MODE_LONG);
	guest_load(&f->guest, code_read);
	*entry(f, DATA, 0) = VALUE;
	stats_open(&f->stats, f->guest.vm.fd);
}

static void clean_up(struct fixture *f)
{
	stats_close(&f->stats);
	guest_destroy(&f->guest);
}

/* The guest reads @n times from @root's addresses, and finds the one value each time. */
static void read_each(struct fixture *f, uint64_t root, uint64_t address, uint64_t apart,
		      uint64_t n)
{
	struct kvm_regs regs = guest_regs(&f->guest, 0);

	regs.rip = GUEST_CODE;
	regs.rbx = root;
	regs.rdi = address;
	regs.rsi = apart;
	regs.rcx = n;
	REQUIRE_OK(vcpu_set_regs(&f->guest.vcpu[0], &regs));
	guest_run_to_hlt(&f->guest, 0);
	EXPECT_EQ(n * VALUE, guest_regs(&f->guest, 0).rax);
}

static uint64_t cut(struct fixture *f)
{
	return stats_value(&f->stats, "mkvm_chains_cut");
}

/* All entries of @root but the first, by which the code is mapped. */
static void read_root(struct fixture *f, uint64_t root)
{
	read_each(f, root, SPAN_4, SPAN_4, ENTRIES / 2 - 1);
	read_each(f, root, HIGH_HALF, SPAN_4, ENTRIES / 2);
}

/* 512 ways from each entry to the next level, three times over, below several roots. */
static void many_ways(void)
{
	struct fixture f;
	unsigned int r;
	uint64_t before;

	set_up(&f);
	fill(&f, LEVEL_3, LEVEL_2);
	fill(&f, LEVEL_2, LEVEL_1);
	fill(&f, LEVEL_1, DATA);
	for (r = 0; r < NR_ROOTS; r++) {
		fill(&f, ROOTS + r * PAGE, LEVEL_3);
		*entry(&f, ROOTS + r * PAGE, 0) = *entry(&f, GUEST_TABLES, 0);
	}
	read_each(&f, ROOTS, SPAN_4, SPAN_3, ENTRIES);
	read_each(&f, ROOTS, SPAN_4, SPAN_2, ENTRIES);
	before = cut(&f);
	for (r = 0; r < NR_ROOTS; r++)
		read_root(&f, ROOTS + r * PAGE);
	/* The entries that name the table of level 3, of which some were taken away meanwhile. */
	EXPECT_EQ((NR_ROOTS * (ENTRIES - 1) - 1) / MAX_PARENTS, cut(&f) - before);
	for (r = 0; r < NR_ROOTS; r++)
		read_root(&f, ROOTS + r * PAGE);
	clean_up(&f);
}

/* One frame by all entries of several tables. */
static void one_frame(void)
{
	struct fixture f;
	unsigned int t;
	uint64_t before, leaves;

	set_up(&f);
	*entry(&f, GUEST_TABLES, 1) = LEVEL_3 | FLAGS;
	*entry(&f, LEVEL_3, 0) = LEVEL_2 | FLAGS;
	for (t = 0; t < NR_TABLES; t++) {
		*entry(&f, LEVEL_2, t) = (LEVEL_1 + t * PAGE) | FLAGS;
		fill(&f, LEVEL_1 + t * PAGE, DATA);
	}
	read_each(&f, GUEST_TABLES, SPAN_4, PAGE, 1);
	before = cut(&f);
	leaves = stats_value(&f.stats, "pages_4k");
	read_each(&f, GUEST_TABLES, SPAN_4, PAGE, NR_TABLES * ENTRIES);
	EXPECT_EQ((NR_TABLES * ENTRIES - 1) / MAX_LEAVES, cut(&f) - before);
	EXPECT(stats_value(&f.stats, "pages_4k") < leaves + MAX_LEAVES, "%lu leaves, then %lu",
	       leaves, stats_value(&f.stats, "pages_4k"));
	read_each(&f, GUEST_TABLES, SPAN_4, PAGE, NR_TABLES * ENTRIES);
	clean_up(&f);
}

static const struct ktap_test tests[] = {
	KTAP_TEST(many_ways),
	KTAP_TEST(one_frame),
};

int main(int argc, char **argv)
{
	setenv("MKVM_MMU", "shadow", 1);
	return ktap_main(tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
