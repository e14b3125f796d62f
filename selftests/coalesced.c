// SPDX-License-Identifier: GPL-2.0-only
/*
 * Coalesced MMIO and port I/O: stores to a zone go into the ring, in order, and cost no exit to
 * user space; what finds no room, or no zone, is an exit as ever.
 */
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/guest.h"

#define PAGE_SIZE 0x1000UL /* the header's macros want it */
#define PORT	  0x300
#define RING_MAX  KVM_COALESCED_MMIO_MAX

/* rcx times OUT of al, counting up, to port dx; each time of the size that the code has. */
guest_code(code_out8, 64,
	   "1: out %al, %dx\n"
	   "inc %eax\n"
	   "dec %rcx\n"
	   "jnz 1b\n"
	   "hlt\n");
guest_code(code_out32, 64,
	   "1: out %eax, %dx\n"
	   "inc %eax\n"
	   "dec %rcx\n"
	   "jnz 1b\n"
	   "hlt\n");
guest_code(code_in8, 64,
	   "in %dx, %al\n"
	   "hlt\n");

/* rcx times a store of rax, counting up, to where rdi points. */
guest_code(code_store64, 64,
	   "1: mov %rax, (%rdi)\n"
	   "inc %rax\n"
	   "dec %rcx\n"
	   "jnz 1b\n"
	   "hlt\n");

#define FAR (1UL << 30) /* no memory there */

struct fixture {
	struct guest guest;
	struct kvm_coalesced_mmio_ring *ring;
};

static int zone(const struct fixture *f, unsigned long request, uint64_t addr, uint32_t size,
		uint32_t pio)
{
	struct kvm_coalesced_mmio_zone zone = { .addr = addr, .size = size, .pio = pio };

	return ioctl(f->guest.vm.fd, request, &zone) < 0 ? -errno : 0;
}

static int add(const struct fixture *f, uint64_t addr, uint32_t size, uint32_t pio)
{
	return zone(f, KVM_REGISTER_COALESCED_MMIO, addr, size, pio);
}

static int take_away(const struct fixture *f, uint64_t addr, uint32_t size, uint32_t pio)
{
	return zone(f, KVM_UNREGISTER_COALESCED_MMIO, addr, size, pio);
}

static struct kvm_coalesced_mmio_ring *ring_of(const struct vcpu *vcpu)
{
	return (void *)((char *)vcpu->run + KVM_COALESCED_MMIO_PAGE_OFFSET * PAGE_SIZE);
}

static void set_up(struct fixture *f, unsigned int nr_cpus)
{
	memset(f, 0, sizeof(*f));
	guest_create(&f->guest, nr_cpus);
	REQUIRE(f->guest.vcpu[0].run_size == 3 * PAGE_SIZE, "a vCPU's mapping is of %zu bytes",
		f->guest.vcpu[0].run_size);
	f->ring = ring_of(&f->guest.vcpu[0]);
	guest_start(&f->guest, 0, MODE_LONG);
}

static void prepare(struct fixture *f, const unsigned char *code, size_t size, uint16_t port,
		    uint64_t times)
{
	struct kvm_regs regs = guest_regs(&f->guest, 0);

	__guest_load(&f->guest, code, size);
	regs.rip = GUEST_CODE;
	regs.rax = 0;
	regs.rdx = port;
	regs.rcx = times;
	REQUIRE_OK(vcpu_set_regs(&f->guest.vcpu[0], &regs));
}

static void prepare_out8(struct fixture *f, uint16_t port, uint64_t times)
{
	prepare(f, code_out8, code_out8_end - code_out8, port, times);
}

static void expect_entry(const struct fixture *f, uint32_t i, uint16_t port, uint32_t len,
			 uint32_t value)
{
	const struct kvm_coalesced_mmio *entry = &f->ring->coalesced_mmio[i % RING_MAX];
	uint32_t data = 0;

	memcpy(&data, entry->data, len);
	EXPECT_EQ(port, entry->phys_addr);
	EXPECT_EQ(len, entry->len);
	EXPECT_EQ(1, entry->pio);
	EXPECT_EQ(value, data);
}

/* The OUT went to user space. */
static void expect_out(struct fixture *f, uint16_t port, uint32_t size)
{
	const struct kvm_run *run = f->guest.vcpu[0].run;

	guest_run(&f->guest, 0);
	guest_expect_exit(&f->guest, 0, KVM_EXIT_IO);
	EXPECT_EQ(port, run->io.port);
	EXPECT_EQ(size, run->io.size);
	EXPECT_EQ(KVM_EXIT_IO_OUT, run->io.direction);
}

/* One OUT that goes to user space. */
static void one_out(struct fixture *f, uint16_t port)
{
	prepare_out8(f, port, 1);
	expect_out(f, port, 1);
	guest_run_to_hlt(&f->guest, 0);
}

static void capabilities(void)
{
	struct fixture f;

	set_up(&f, 1);
	EXPECT_EQ(KVM_COALESCED_MMIO_PAGE_OFFSET,
		  kvm_dev_extension(&f.guest.dev, KVM_CAP_COALESCED_MMIO));
	EXPECT_EQ(1, kvm_dev_extension(&f.guest.dev, KVM_CAP_COALESCED_PIO));
}

static void refusals(void)
{
	struct fixture f;
	int i;

	set_up(&f, 1);
	EXPECT_ERRNO(EINVAL, add(&f, PORT, 1, 2));
	EXPECT_ERRNO(EINVAL, take_away(&f, PORT, 1, ~0U));
	EXPECT_ERRNO(EFAULT, ioctl(f.guest.vm.fd, KVM_REGISTER_COALESCED_MMIO, 0) ? -errno : 0);
	EXPECT_ERRNO(EFAULT, ioctl(f.guest.vm.fd, KVM_UNREGISTER_COALESCED_MMIO, 0) ? -errno : 0);
	/* What is not there can be taken away. */
	EXPECT_ERRNO(0, take_away(&f, PORT, 1, 1));
	for (i = 0; i < 1000; i++)
		REQUIRE_OK(add(&f, PORT, 1, 1));
	EXPECT_ERRNO(ENOSPC, add(&f, PORT + 1, 1, 1));
	EXPECT_ERRNO(0, add(&f, PORT, 1, 0)); /* addresses are counted by themselves */
	EXPECT_ERRNO(0, take_away(&f, PORT, 1, 1));
	EXPECT_ERRNO(0, add(&f, PORT + 1, 1, 1));
}

static void stores_in_order(void)
{
	uint32_t i;
	struct fixture f;

	set_up(&f, 1);
	REQUIRE_OK(add(&f, PORT, 4, 1));
	prepare_out8(&f, PORT + 1, 80);
	guest_run_to_hlt(&f.guest, 0);
	EXPECT_EQ(0, f.ring->first);
	EXPECT_EQ(80, f.ring->last);
	for (i = 0; i < 80; i++)
		expect_entry(&f, i, PORT + 1, 1, i);
	prepare(&f, code_out32, code_out32_end - code_out32, PORT, 3);
	guest_run_to_hlt(&f.guest, 0);
	EXPECT_EQ(83, f.ring->last);
	expect_entry(&f, 82, PORT, 4, 2);
}

/* A store has to lie in the zone as a whole, and only stores go to the ring. */
static void beside_the_zone(void)
{
	struct fixture f;

	set_up(&f, 1);
	REQUIRE_OK(add(&f, PORT, 4, 1));
	REQUIRE_OK(add(&f, PORT + 8, 1, 0)); /* an address, no port */
	prepare(&f, code_out32, code_out32_end - code_out32, PORT + 1, 1);
	expect_out(&f, PORT + 1, 4);
	guest_run_to_hlt(&f.guest, 0);
	one_out(&f, PORT - 1);
	one_out(&f, PORT + 4);
	one_out(&f, PORT + 8);
	prepare(&f, code_in8, code_in8_end - code_in8, PORT, 1);
	guest_run(&f.guest, 0);
	guest_expect_exit(&f.guest, 0, KVM_EXIT_IO);
	EXPECT_EQ(KVM_EXIT_IO_IN, f.guest.vcpu[0].run->io.direction);
	EXPECT_EQ(0, f.ring->last);
}

static void full_ring(void)
{
	struct fixture f;
	uint32_t i;
	bool whole;

	set_up(&f, 1);
	REQUIRE_OK(add(&f, PORT, 1, 1));
	/* One entry stays free: the next store is an exit, and so on until there is room. */
	prepare_out8(&f, PORT, RING_MAX + 2);
	expect_out(&f, PORT, 1);
	whole = f.ring->last == RING_MAX - 1;
	EXPECT_OR_DIFFERS(&f.guest.dev, "whole_ring", whole, "full with %u", f.ring->last);
	if (!whole)
		return;
	EXPECT_EQ((RING_MAX - 1) & 0xff, *(uint8_t *)vcpu_io_data(&f.guest.vcpu[0]));
	expect_out(&f, PORT, 1);
	f.ring->first = 2;
	guest_run_to_hlt(&f.guest, 0);
	EXPECT_EQ(0, f.ring->last);
	for (i = 0; i < RING_MAX - 1; i++)
		expect_entry(&f, i, PORT, 1, i & 0xff);
	expect_entry(&f, RING_MAX - 1, PORT, 1, (RING_MAX + 1) & 0xff);
}

/* The ring's own words are ours to spoil; then nothing is put into it. */
static void spoilt_ring(void)
{
	static const uint32_t bad[] = { RING_MAX, RING_MAX + 1, 0x1000, 0x80000000, ~0U };
	struct fixture f;
	unsigned int i;

	set_up(&f, 1);
	REQUIRE_OK(add(&f, PORT, 1, 1));
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		f.ring->last = bad[i];
		one_out(&f, PORT);
		EXPECT_EQ(bad[i], f.ring->last);
	}
	f.ring->last = 5;
	f.ring->first = ~0U;
	prepare_out8(&f, PORT, 1);
	guest_run_to_hlt(&f.guest, 0);
	EXPECT_EQ(6, f.ring->last);
	expect_entry(&f, 5, PORT, 1, 0);
}

static void taken_away(void)
{
	struct fixture f;

	set_up(&f, 1);
	REQUIRE_OK(add(&f, PORT, 4, 1));
	/* A larger range is not in the zone; a part of it names it. */
	REQUIRE_OK(take_away(&f, PORT, 5, 1));
	prepare_out8(&f, PORT, 1);
	guest_run_to_hlt(&f.guest, 0);
	REQUIRE_OK(take_away(&f, PORT + 2, 1, 0));
	prepare_out8(&f, PORT, 1);
	guest_run_to_hlt(&f.guest, 0);
	REQUIRE_OK(take_away(&f, PORT + 2, 1, 1));
	one_out(&f, PORT);
	EXPECT_EQ(2, f.ring->last);
}

static void store(struct fixture *f, uint64_t gpa, uint64_t first, uint64_t times)
{
	struct kvm_regs regs = guest_regs(&f->guest, 0);

	guest_load(&f->guest, code_store64);
	regs.rip = GUEST_CODE;
	regs.rax = first;
	regs.rdi = gpa;
	regs.rcx = times;
	REQUIRE_OK(vcpu_set_regs(&f->guest.vcpu[0], &regs));
}

static void stores_to_addresses(void)
{
	const struct kvm_run *run;
	struct fixture f;
	uint32_t i;

	set_up(&f, 1);
	run = f.guest.vcpu[0].run;
	REQUIRE_OK(add(&f, FAR, 0x1000, 0));
	store(&f, FAR + 0x10, 0x123456789a00, 10);
	guest_run_to_hlt(&f.guest, 0);
	EXPECT_EQ(10, f.ring->last);
	for (i = 0; i < 10; i++) {
		const struct kvm_coalesced_mmio *entry = &f.ring->coalesced_mmio[i];
		uint64_t data;

		memcpy(&data, entry->data, 8);
		EXPECT_EQ(FAR + 0x10, entry->phys_addr);
		EXPECT_EQ(8, entry->len);
		EXPECT_EQ(0, entry->pio);
		EXPECT_EQ(0x123456789a00 + i, data);
	}
	/* Behind the zone, and with a full ring. */
	store(&f, FAR + 0x1000, 1, 1);
	guest_run(&f.guest, 0);
	guest_expect_exit(&f.guest, 0, KVM_EXIT_MMIO);
	EXPECT_EQ(FAR + 0x1000, run->mmio.phys_addr);
	EXPECT_EQ(1, run->mmio.is_write);
	guest_run_to_hlt(&f.guest, 0);
	f.ring->first = f.ring->last + 1;
	store(&f, FAR, 1, 1);
	guest_run(&f.guest, 0);
	guest_expect_exit(&f.guest, 0, KVM_EXIT_MMIO);
	EXPECT_EQ(FAR, run->mmio.phys_addr);
	guest_run_to_hlt(&f.guest, 0);
	EXPECT_EQ(10, f.ring->last);
}

/* One ring for the VM, whichever vCPU it is mapped by. */
static void shared_by_the_vcpus(void)
{
	struct kvm_coalesced_mmio_ring *other;
	struct fixture f;

	set_up(&f, 2);
	other = ring_of(&f.guest.vcpu[1]);
	REQUIRE_OK(add(&f, PORT, 1, 1));
	prepare_out8(&f, PORT, 3);
	guest_run_to_hlt(&f.guest, 0);
	EXPECT_EQ(3, other->last);
	other->first = 3;
	EXPECT_EQ(3, f.ring->first);
}

static const struct ktap_test tests[] = {
	KTAP_TEST(capabilities),	KTAP_TEST(refusals),
	KTAP_TEST(stores_in_order),	KTAP_TEST(beside_the_zone),
	KTAP_TEST(full_ring),		KTAP_TEST(spoilt_ring),
	KTAP_TEST(taken_away),		KTAP_TEST(stores_to_addresses),
	KTAP_TEST(shared_by_the_vcpus),
};

KTAP_MAIN(tests)
