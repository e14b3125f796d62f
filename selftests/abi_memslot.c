// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM_SET_USER_MEMORY_REGION: what it refuses, by which errno, and that a refusal changes nothing.
 * Seen from inside by a guest that reads one word of each address it is given.
 */
#include <errno.h>
#include <linux/kvm.h>
#include <string.h>
#include <sys/mman.h>

#include "lib/guest.h"

#define PAGE 0x1000UL
#define SIZE (4 * PAGE)
#define FAR  (1UL << 30) /* beyond the guest's own memory, within its page tables */
#define SLOT 7

struct fixture {
	struct guest guest;
	char *host; /* 8 pages, of which a slot takes 4 */
};

guest_code(code_peek, 64,
	   "mov (%rdi), %rax\n"
	   "hlt\n");

static void set_up(struct fixture *f)
{
	int i;

	guest_create(&f->guest, 1);
	f->host = mmap(NULL, 2 * SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	REQUIRE(f->host != MAP_FAILED);
	for (i = 0; i < 8; i++)
		*(uint64_t *)(f->host + i * PAGE) = 0xa0 + i;
	REQUIRE_OK(vm_set_slot(&f->guest.vm, SLOT, FAR, SIZE, f->host, 0));
	guest_load(&f->guest, code_peek);
	guest_start(&f->guest, 0, MODE_LONG);
}

static int set(const struct fixture *f, uint32_t slot, uint64_t gpa, uint64_t size, void *host)
{
	return vm_set_slot(&f->guest.vm, slot, gpa, size, host, 0);
}

static bool guest_peek(struct fixture *f, uint64_t gpa, uint64_t *value)
{
	struct kvm_regs regs = guest_regs(&f->guest, 0);

	regs.rdi = gpa;
	regs.rip = GUEST_CODE;
	REQUIRE_OK(vcpu_set_regs(&f->guest.vcpu[0], &regs));
	if (guest_run(&f->guest, 0) != KVM_EXIT_HLT)
		return false;
	*value = guest_regs(&f->guest, 0).rax;
	return true;
}

static void expect_value(struct fixture *f, uint64_t gpa, uint64_t expected)
{
	uint64_t value = 0;

	REQUIRE(guest_peek(f, gpa, &value), "the guest has no memory at 0x%llx",
		(unsigned long long)gpa);
	EXPECT_EQ(expected, value);
}

/* After this the vCPU is in the middle of an exit: the last thing that a test does with it. */
static void expect_no_memory(struct fixture *f, uint64_t gpa)
{
	uint64_t value;

	EXPECT(!guest_peek(f, gpa, &value), "the guest still sees memory at 0x%llx",
	       (unsigned long long)gpa);
}

static void unaligned(void)
{
	struct fixture f;

	set_up(&f);
	EXPECT_ERRNO(EINVAL, set(&f, 8, 2 * FAR + 1, SIZE, f.host));
	EXPECT_ERRNO(EINVAL, set(&f, 8, 2 * FAR, SIZE + 1, f.host));
	EXPECT_ERRNO(EINVAL, set(&f, 8, 2 * FAR, SIZE - 1, f.host));
	EXPECT_ERRNO(EINVAL, set(&f, 8, 2 * FAR, SIZE, f.host + 8));
	EXPECT_ERRNO(EINVAL, set(&f, 8, 2 * FAR, 1, f.host));
	EXPECT_ERRNO(0, set(&f, 8, 2 * FAR, SIZE, f.host));
}

static void host_address_outside_user_space(void)
{
	struct fixture f;

	set_up(&f);
	EXPECT_ERRNO(EINVAL, set(&f, 8, 2 * FAR, SIZE, (void *)0xffff888000000000UL));
	EXPECT_ERRNO(EINVAL, set(&f, 8, 2 * FAR, SIZE, (void *)0x800000000000000UL));
	EXPECT_ERRNO(EINVAL, set(&f, 8, 2 * FAR, SIZE, (void *)-PAGE));
}

static void wrap(void)
{
	struct fixture f;

	set_up(&f);
	EXPECT_ERRNO(EINVAL, set(&f, 8, -PAGE, 2 * PAGE, f.host));
	EXPECT_ERRNO(EINVAL, set(&f, 8, -PAGE, PAGE, f.host));
	EXPECT_ERRNO(EINVAL, set(&f, 8, 2 * FAR, -PAGE, f.host));
	EXPECT_ERRNO(EINVAL, set(&f, 8, 1UL << 52, PAGE, f.host));
	EXPECT_ERRNO(EINVAL, set(&f, 8, (1UL << 52) - PAGE, 2 * PAGE, f.host));
}

static void overlap(void)
{
	struct fixture f;

	set_up(&f);
	EXPECT_ERRNO(EEXIST, set(&f, 8, FAR, SIZE, f.host));
	EXPECT_ERRNO(EEXIST, set(&f, 8, FAR - PAGE, 2 * PAGE, f.host));
	EXPECT_ERRNO(EEXIST, set(&f, 8, FAR + SIZE - PAGE, 2 * PAGE, f.host));
	EXPECT_ERRNO(EEXIST, set(&f, 8, FAR + PAGE, PAGE, f.host));
	EXPECT_ERRNO(EEXIST, set(&f, 8, FAR - PAGE, SIZE + 2 * PAGE, f.host));
	/* Neighbours do not overlap. */
	EXPECT_ERRNO(0, set(&f, 8, FAR - PAGE, PAGE, f.host + 4 * PAGE));
	EXPECT_ERRNO(0, set(&f, 9, FAR + SIZE, PAGE, f.host + 5 * PAGE));
	expect_value(&f, FAR - PAGE, 0xa4);
	expect_value(&f, FAR, 0xa0);
	expect_value(&f, FAR + SIZE, 0xa5);
}

/* Two slots may be the same memory of ours. */
static void same_host_memory_twice(void)
{
	struct fixture f;

	set_up(&f);
	EXPECT_ERRNO(0, set(&f, 8, 2 * FAR, SIZE, f.host));
	expect_value(&f, FAR + PAGE, 0xa1);
	expect_value(&f, 2 * FAR + PAGE, 0xa1);
	*(uint64_t *)(f.host + PAGE) = 0xb1;
	expect_value(&f, FAR + PAGE, 0xb1);
	expect_value(&f, 2 * FAR + PAGE, 0xb1);
}

static void changes_that_are_refused(void)
{
	struct fixture f;

	set_up(&f);
	EXPECT_ERRNO(EINVAL, set(&f, SLOT, FAR, SIZE + PAGE, f.host));
	EXPECT_ERRNO(EINVAL, set(&f, SLOT, FAR, SIZE - PAGE, f.host));
	EXPECT_ERRNO(EINVAL, set(&f, SLOT, FAR, SIZE, f.host + PAGE));
	EXPECT_ERRNO(EINVAL, set(&f, SLOT, 2 * FAR, SIZE, f.host + PAGE));
	/* Setting it to what it is, is fine. */
	EXPECT_ERRNO(0, set(&f, SLOT, FAR, SIZE, f.host));
	expect_value(&f, FAR, 0xa0);
	expect_value(&f, FAR + SIZE - PAGE, 0xa3);
}

static void unknown_flags(void)
{
	struct fixture f;
	int bit;

	set_up(&f);
	for (bit = 3; bit < 32; bit++) {
		EXPECT(vm_set_slot(&f.guest.vm, 8, 2 * FAR, SIZE, f.host, 1U << bit) == -EINVAL,
		       "flag bit %d is not refused by EINVAL", bit);
		EXPECT(vm_set_slot(&f.guest.vm, SLOT, FAR, SIZE, f.host, 1U << bit) == -EINVAL,
		       "flag bit %d of a slot that is there is not refused by EINVAL", bit);
	}
	/* KVM_MEM_GUEST_MEMFD is of the second structure only. */
	EXPECT_ERRNO(EINVAL, vm_set_slot(&f.guest.vm, 8, 2 * FAR, SIZE, f.host, 4));
	expect_value(&f, FAR, 0xa0);
}

static int set_flags(const struct fixture *f, uint32_t slot, uint64_t gpa, uint32_t flags)
{
	return vm_set_slot(&f->guest.vm, slot, gpa, SIZE, f->host, flags);
}

static void known_flags(void)
{
	uint32_t readonly = KVM_MEM_READONLY, log = KVM_MEM_LOG_DIRTY_PAGES;
	struct fixture f;

	set_up(&f);
	EXPECT_EQ(1, kvm_dev_extension(&f.guest.dev, KVM_CAP_READONLY_MEM));
	/* A slot that is there cannot become read-only, nor writable; nor while it moves. */
	EXPECT_ERRNO(EINVAL, set_flags(&f, SLOT, FAR, readonly));
	EXPECT_ERRNO(EINVAL, set_flags(&f, SLOT, 3 * FAR, readonly));
	EXPECT_ERRNO(0, set_flags(&f, 8, 2 * FAR, readonly));
	EXPECT_ERRNO(EINVAL, set_flags(&f, 8, 2 * FAR, 0));
	EXPECT_ERRNO(EINVAL, set_flags(&f, 8, 2 * FAR, log));
	EXPECT_ERRNO(0, set_flags(&f, 8, 2 * FAR, readonly | log));
	EXPECT_ERRNO(0, set_flags(&f, 8, 2 * FAR, readonly));
	EXPECT_ERRNO(0, set_flags(&f, SLOT, FAR, log));
	EXPECT_ERRNO(0, set_flags(&f, SLOT, FAR, log));
	expect_value(&f, FAR, 0xa0);
	/* A move may change it as well. */
	EXPECT_ERRNO(0, set_flags(&f, SLOT, 3 * FAR, 0));
	expect_value(&f, 3 * FAR, 0xa0);
	EXPECT_ERRNO(0, set_flags(&f, SLOT, FAR, log));
	expect_value(&f, FAR, 0xa0);
	expect_value(&f, 2 * FAR, 0xa0);
}

/* Where two things are wrong the first check that KVM makes tells. */
static void order_of_checks(void)
{
	struct fixture f;

	set_up(&f);
	/* Longer than what can be addressed, and over another slot. */
	EXPECT_ERRNO(EEXIST, set(&f, 8, FAR, 1UL << 42, NULL));
	/* A delete looks at neither address nor overlap, but at alignment and range. */
	EXPECT_ERRNO(EINVAL, set(&f, SLOT, FAR + 1, 0, f.host));
	EXPECT_ERRNO(EINVAL, set(&f, SLOT, FAR, 0, f.host + 1));
	EXPECT_ERRNO(EINVAL, vm_set_slot(&f.guest.vm, SLOT, FAR, 0, f.host, 1U << 5));
	expect_value(&f, FAR, 0xa0);
	/* Another size or address comes before an overlap. */
	REQUIRE_OK(set(&f, 8, 2 * FAR, SIZE, f.host));
	EXPECT_ERRNO(EINVAL, set(&f, SLOT, 2 * FAR, 2 * SIZE, f.host));
	EXPECT_ERRNO(EINVAL, set(&f, SLOT, 2 * FAR, SIZE, f.host + PAGE));
	EXPECT_ERRNO(0, set(&f, SLOT, 3 * FAR, 0, f.host + PAGE));
	expect_no_memory(&f, FAR);
}

/* KVM_SET_USER_MEMORY_REGION2: the same, in a larger structure. */
static void second_structure(void)
{
	struct kvm_userspace_memory_region2 region = {
		.slot = 8,
		.guest_phys_addr = 2 * FAR,
		.memory_size = SIZE,
	};
	struct fixture f;
	bool had;

	set_up(&f);
	region.userspace_addr = (uintptr_t)f.host;
	had = kvm_dev_extension(&f.guest.dev, KVM_CAP_USER_MEMORY2) == 1;
	EXPECT_OR_DIFFERS(&f.guest.dev, "region2", had, "capability 0");
	if (!had)
		return;
	EXPECT_ERRNO(EFAULT, vm_set_slot2(&f.guest.vm, NULL));
	region.flags = KVM_MEM_GUEST_MEMFD;
	EXPECT_ERRNO(EINVAL, vm_set_slot2(&f.guest.vm, &region));
	region.flags = 1 << 3;
	EXPECT_ERRNO(EINVAL, vm_set_slot2(&f.guest.vm, &region));
	/* Without the flag nobody looks at what would belong to it. */
	region.flags = KVM_MEM_LOG_DIRTY_PAGES;
	region.guest_memfd = -1;
	region.guest_memfd_offset = 1;
	EXPECT_ERRNO(0, vm_set_slot2(&f.guest.vm, &region));
	expect_value(&f, 2 * FAR, 0xa0);
	region.guest_phys_addr = FAR;
	EXPECT_ERRNO(EEXIST, vm_set_slot2(&f.guest.vm, &region));
	region.guest_phys_addr = 3 * FAR;
	EXPECT_ERRNO(0, vm_set_slot2(&f.guest.vm, &region));
	expect_value(&f, 3 * FAR, 0xa0);
	region.memory_size = 0;
	EXPECT_ERRNO(0, vm_set_slot2(&f.guest.vm, &region));
	EXPECT_ERRNO(EINVAL, vm_set_slot2(&f.guest.vm, &region));
	expect_no_memory(&f, 3 * FAR);
}

static void slot_numbers(void)
{
	int slots, spaces;
	struct fixture f;

	set_up(&f);
	slots = REQUIRE_OK(kvm_dev_extension(&f.guest.dev, KVM_CAP_NR_MEMSLOTS));
	spaces = REQUIRE_OK(kvm_dev_extension(&f.guest.dev, KVM_CAP_MULTI_ADDRESS_SPACE));
	EXPECT_ERRNO(0, set(&f, slots - 1, 2 * FAR, SIZE, f.host));
	EXPECT_ERRNO(EINVAL, set(&f, slots, 3 * FAR, SIZE, f.host));
	EXPECT_ERRNO(EINVAL, set(&f, 0xffff, 3 * FAR, SIZE, f.host));
	/* The upper half is the address space. */
	if (spaces < 1)
		spaces = 1;
	EXPECT_ERRNO(EINVAL, set(&f, (uint32_t)spaces << 16, 3 * FAR, SIZE, f.host));
	EXPECT_ERRNO(EINVAL, set(&f, 0xffff0000U, 3 * FAR, SIZE, f.host));
	expect_value(&f, 2 * FAR + PAGE, 0xa1);
}

static void delete_absent(void)
{
	struct fixture f;

	set_up(&f);
	EXPECT_ERRNO(EINVAL, set(&f, 8, 0, 0, NULL));
	EXPECT_ERRNO(EINVAL, set(&f, 8, FAR, 0, f.host));
	EXPECT_ERRNO(0, set(&f, SLOT, 0, 0, NULL));
	EXPECT_ERRNO(EINVAL, set(&f, SLOT, 0, 0, NULL));
}

static void deleted_is_gone(void)
{
	struct fixture f;

	set_up(&f);
	expect_value(&f, FAR, 0xa0);
	EXPECT_ERRNO(0, set(&f, SLOT, FAR, 0, f.host));
	expect_no_memory(&f, FAR);
}

static void deleted_and_made_anew(void)
{
	struct fixture f;

	set_up(&f);
	expect_value(&f, FAR, 0xa0);
	EXPECT_ERRNO(0, set(&f, SLOT, 0, 0, NULL));
	EXPECT_ERRNO(0, set(&f, SLOT, FAR, 2 * PAGE, f.host + 6 * PAGE));
	expect_value(&f, FAR, 0xa6);
	expect_value(&f, FAR + PAGE, 0xa7);
	expect_no_memory(&f, FAR + 2 * PAGE);
}

static void moved(void)
{
	struct fixture f;

	set_up(&f);
	expect_value(&f, FAR, 0xa0);
	EXPECT_ERRNO(0, set(&f, SLOT, 2 * FAR, SIZE, f.host));
	expect_value(&f, 2 * FAR, 0xa0);
	expect_value(&f, 2 * FAR + SIZE - PAGE, 0xa3);
	expect_no_memory(&f, FAR);
}

static void moved_over_itself(void)
{
	struct fixture f;

	set_up(&f);
	expect_value(&f, FAR + PAGE, 0xa1);
	EXPECT_ERRNO(0, set(&f, SLOT, FAR + PAGE, SIZE, f.host));
	expect_value(&f, FAR + PAGE, 0xa0);
	expect_value(&f, FAR + SIZE, 0xa3);
	expect_no_memory(&f, FAR);
}

static void move_onto_another_is_refused(void)
{
	struct fixture f;

	set_up(&f);
	REQUIRE_OK(set(&f, 8, 2 * FAR, SIZE, f.host + 4 * PAGE));
	EXPECT_ERRNO(EEXIST, set(&f, SLOT, 2 * FAR + PAGE, SIZE, f.host));
	EXPECT_ERRNO(EEXIST, set(&f, 8, FAR - SIZE + PAGE, SIZE, f.host + 4 * PAGE));
	expect_value(&f, FAR, 0xa0);
	expect_value(&f, 2 * FAR, 0xa4);
}

static void refused_leaves_all_as_it_was(void)
{
	struct fixture f;
	int i;

	set_up(&f);
	set(&f, 8, FAR + PAGE, PAGE, f.host + 4 * PAGE);
	set(&f, SLOT, FAR, 2 * SIZE, f.host);
	set(&f, SLOT, FAR + 1, SIZE, f.host);
	vm_set_slot(&f.guest.vm, SLOT, 2 * FAR, SIZE, f.host, 1U << 31);
	for (i = 0; i < 4; i++)
		expect_value(&f, FAR + i * PAGE, 0xa0 + i);
	/* Slot 8 was not half made: its number and its place are free. */
	EXPECT_ERRNO(EINVAL, set(&f, 8, 0, 0, NULL));
	EXPECT_ERRNO(0, set(&f, 8, FAR + SIZE, PAGE, f.host));
	expect_no_memory(&f, 2 * FAR);
}

static void many_slots(void)
{
	int slots, i, used = 200;
	struct fixture f;

	set_up(&f);
	slots = REQUIRE_OK(kvm_dev_extension(&f.guest.dev, KVM_CAP_NR_MEMSLOTS));
	if (used > slots - SLOT - 1)
		used = slots - SLOT - 1;
	for (i = 0; i < used; i++)
		REQUIRE_OK(
			set(&f, SLOT + 1 + i, 2 * FAR + 2 * i * PAGE, PAGE, f.host + i % 8 * PAGE));
	for (i = 0; i < used; i += 37)
		expect_value(&f, 2 * FAR + 2 * i * PAGE, 0xa0 + i % 8);
	for (i = 0; i < used; i += 2)
		REQUIRE_OK(set(&f, SLOT + 1 + i, 0, 0, NULL));
	expect_value(&f, 2 * FAR + 2 * PAGE, 0xa1);
	expect_no_memory(&f, 2 * FAR);
}

static const struct ktap_test tests[] = {
	KTAP_TEST(unaligned),
	KTAP_TEST(host_address_outside_user_space),
	KTAP_TEST(wrap),
	KTAP_TEST(overlap),
	KTAP_TEST(same_host_memory_twice),
	KTAP_TEST(changes_that_are_refused),
	KTAP_TEST(unknown_flags),
	KTAP_TEST(known_flags),
	KTAP_TEST(order_of_checks),
	KTAP_TEST(second_structure),
	KTAP_TEST(slot_numbers),
	KTAP_TEST(delete_absent),
	KTAP_TEST(deleted_is_gone),
	KTAP_TEST(deleted_and_made_anew),
	KTAP_TEST(moved),
	KTAP_TEST(moved_over_itself),
	KTAP_TEST(move_onto_another_is_refused),
	KTAP_TEST(refused_leaves_all_as_it_was),
	KTAP_TEST(many_slots),
};

KTAP_MAIN(tests)
