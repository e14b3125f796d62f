/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A guest and a device that it reaches by memory accesses; one for each test that includes this.
 *
 * The device is what lies behind the guest's memory: DEVICE is the first address without a slot, so
 * that an operand can begin in memory and end in the device.
 */
#ifndef SELFTESTS_MMIO_H
#define SELFTESTS_MMIO_H

#include <string.h>

#include "guest.h"

#define DEVICE	    GUEST_MEM_SIZE
#define S_DEVICE    STRING(GUEST_MEM_SIZE)
#define DEVICE_SIZE 0x3000
#define MAX_LOG	    32

/* One exit. */
struct piece {
	uint64_t offset;
	uint32_t len;
	bool write;
};

static struct guest guest;
static uint8_t device[DEVICE_SIZE];
static struct piece pieces[MAX_LOG];
static unsigned int nr_pieces;

static inline void __start(const unsigned char *code, size_t size, enum cpu_mode mode)
{
	unsigned int i;

	guest_create(&guest, 1);
	__guest_load(&guest, code, size);
	guest_start(&guest, 0, mode);
	for (i = 0; i < DEVICE_SIZE; i++)
		device[i] = i * 7 + 1;
	nr_pieces = 0;
}

#define start(code, mode) __start(code, code##_end - code, mode)

/* The guest may use SSE. */
static inline void enable_sse(void)
{
	struct kvm_sregs sregs = guest_sregs(&guest, 0);

	sregs.cr4 |= X86_CR4_OSFXSR;
	REQUIRE_OK(vcpu_set_sregs(&guest.vcpu[0], &sregs));
}

static inline void set_rdi(uint64_t rdi)
{
	struct kvm_regs regs = guest_regs(&guest, 0);

	regs.rdi = rdi;
	REQUIRE_OK(vcpu_set_regs(&guest.vcpu[0], &regs));
}

/* The exit is the device's: does what it asks for, and notes it. */
static inline void serve(void)
{
	struct kvm_run *run = guest.vcpu[0].run;
	uint64_t offset = run->mmio.phys_addr - DEVICE;

	guest_expect_exit(&guest, 0, KVM_EXIT_MMIO);
	REQUIRE(offset < DEVICE_SIZE && run->mmio.len <= 8 && nr_pieces < MAX_LOG,
		"%u bytes at 0x%llx", run->mmio.len, (unsigned long long)run->mmio.phys_addr);
	pieces[nr_pieces++] = (struct piece){ offset, run->mmio.len, run->mmio.is_write };
	if (run->mmio.is_write)
		memcpy(device + offset, run->mmio.data, run->mmio.len);
	else
		memcpy(run->mmio.data, device + offset, run->mmio.len);
}

static inline void run_to_hlt(void)
{
	while (guest_run(&guest, 0) == KVM_EXIT_MMIO)
		serve();
	guest_expect_exit(&guest, 0, KVM_EXIT_HLT);
}

static inline void __expect_pieces(const struct piece *expected, unsigned int nr)
{
	unsigned int i;

	EXPECT_EQ(nr, nr_pieces);
	for (i = 0; i < nr && i < nr_pieces; i++)
		EXPECT(expected[i].offset == pieces[i].offset && expected[i].len == pieces[i].len &&
			       expected[i].write == pieces[i].write,
		       "piece %u: %s of %u bytes at 0x%llx", i, pieces[i].write ? "write" : "read",
		       pieces[i].len, (unsigned long long)pieces[i].offset);
}

#define expect_pieces(...)                                                            \
	do {                                                                          \
		const struct piece expected_[] = { __VA_ARGS__ };                     \
		__expect_pieces(expected_, sizeof(expected_) / sizeof(expected_[0])); \
	} while (0)

#endif
