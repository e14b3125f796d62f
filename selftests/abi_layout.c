// SPDX-License-Identifier: GPL-2.0-only
/*
 * The ABI's shape: sizes and offsets of structures, numbers of ioctls; and each ioctl at each kind
 * of descriptor with an argument that cannot be right.
 */
#include <asm/kvm_para.h>
#include <errno.h>
#include <linux/mkvm_kvm.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "abi_tables.h"
#include "lib/guest.h"

enum {
	DEV = 1,
	VM = 2,
	VCPU = 4
};

enum argument {
	NONE,
	VALUE,
	LATER,
	IN,
	OUT,
	INOUT,
	IN_OR_NULL
};

struct abi_ioctl {
	const char *name;
	unsigned long cmd, number;
	unsigned int where;
	enum argument argument;
};

#define IOCTL_ROW(name, number, where, argument) { #name, name, number, where, argument },

static const struct abi_ioctl ioctls[] = { ABI_IOCTLS(IOCTL_ROW) };
#define NR_IOCTLS (sizeof(ioctls) / sizeof(ioctls[0]))

/*
 * The descriptors by their kind, and addresses that are no good.  Some ioctls of a VM look first
 * whether it has vCPUs, so the one that stands for all has none.
 */
struct abi {
	struct guest guest, empty;
	char *page; /* there is none behind it */
};

static const unsigned int kinds[] = { DEV, VM, VCPU };

static const char *kind_name(unsigned int kind)
{
	return kind == DEV ? "device" : kind == VM ? "VM" : "vCPU";
}

static int kind_fd(const struct abi *abi, unsigned int kind)
{
	return kind == DEV  ? abi->guest.dev.fd
	       : kind == VM ? abi->empty.vm.fd
			    : abi->guest.vcpu[0].fd;
}

static void set_up(struct abi *abi)
{
	size_t size = getpagesize();

	guest_create(&abi->guest, 1);
	guest_create(&abi->empty, 0);
	abi->page =
		mmap(NULL, 2 * size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	REQUIRE(abi->page != MAP_FAILED, "%s", strerror(errno));
	REQUIRE(munmap(abi->page + size, size) == 0, "%s", strerror(errno));
}

static int call(const struct abi *abi, unsigned int kind, unsigned long cmd, const void *argument)
{
	int ret = ioctl(kind_fd(abi, kind), cmd, argument);

	return ret < 0 ? -errno : ret;
}

static const char *told(int answer)
{
	return answer < 0 ? strerror(-answer) : "success";
}

struct abi_size {
	const char *what;
	size_t is, expected;
};

#define SIZE_ROW(type, size)	       { "struct " #type, sizeof(struct type), size },
#define FIELD_ROW(type, field, offset) { #type "." #field, offsetof(struct type, field), offset },

static const struct abi_size sizes[] = { ABI_STRUCTS(SIZE_ROW, FIELD_ROW) };

static void structures(void)
{
	size_t i;

	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		EXPECT(sizes[i].is == sizes[i].expected, "%s: %zu, not %zu", sizes[i].what,
		       sizes[i].is, sizes[i].expected);
}

static void numbers(void)
{
	size_t i;

	for (i = 0; i < NR_IOCTLS; i++)
		EXPECT(ioctls[i].cmd == ioctls[i].number, "%s is 0x%lx, not 0x%lx", ioctls[i].name,
		       ioctls[i].cmd, ioctls[i].number);
}

static bool takes_address(const struct abi_ioctl *row)
{
	return row->argument >= IN;
}

static void expect_fault(const struct abi *abi, const struct abi_ioctl *row, unsigned int kind,
			 const void *address)
{
	int answer;

	if (!address && row->argument == IN_OR_NULL)
		return;
	answer = call(abi, kind, row->cmd, address);
	if (row->cmd == KVM_SET_USER_MEMORY_REGION2 && answer == -ENOTTY) {
		EXPECT_OR_DIFFERS(&abi->guest.dev, "region2", answer == -EFAULT);
		return;
	}
	EXPECT(answer == -EFAULT, "%s (%s) with address %p: %s", row->name, kind_name(kind),
	       address, told(answer));
}

/* No page, none of the user's, no address at all, and one that begins well. */
static void bad_addresses(void)
{
	struct abi abi;
	size_t i, k;

	set_up(&abi);
	for (i = 0; i < NR_IOCTLS; i++) {
		for (k = 0; k < 3; k++) {
			if (!takes_address(&ioctls[i]) || !(ioctls[i].where & kinds[k]))
				continue;
			expect_fault(&abi, &ioctls[i], kinds[k], NULL);
			expect_fault(&abi, &ioctls[i], kinds[k], abi.page + getpagesize());
			expect_fault(&abi, &ioctls[i], kinds[k], abi.page + getpagesize() - 2);
			expect_fault(&abi, &ioctls[i], kinds[k], (void *)0xffff888000000000);
			expect_fault(&abi, &ioctls[i], kinds[k], (void *)0x8000000000000000);
		}
	}
}

/* What is only written, where nothing may be. */
static void read_only_addresses(void)
{
	struct abi abi;
	size_t i;

	set_up(&abi);
	REQUIRE(mprotect(abi.page, getpagesize(), PROT_READ) == 0, "%s", strerror(errno));
	for (i = 0; i < NR_IOCTLS; i++)
		if (ioctls[i].argument == OUT)
			expect_fault(&abi, &ioctls[i], ioctls[i].where, abi.page);
}

static void numbers_as_arguments(void)
{
	struct abi abi;
	size_t i, k;

	set_up(&abi);
	for (i = 0; i < NR_IOCTLS; i++) {
		/* Gone from kvm since 6.12. */
		if (ioctls[i].argument != VALUE || ioctls[i].cmd == KVM_GET_NR_MMU_PAGES)
			continue;
		for (k = 0; k < 3; k++)
			if (ioctls[i].where & kinds[k])
				EXPECT(call(&abi, kinds[k], ioctls[i].cmd, (void *)-1L) != -ENOTTY,
				       "%s (%s) is not there", ioctls[i].name, kind_name(kinds[k]));
	}
}

static void arguments_of_none(void)
{
	struct abi abi;
	size_t i, k;

	set_up(&abi);
	for (i = 0; i < NR_IOCTLS; i++) {
		for (k = 0; k < 3; k++) {
			int answer;

			if (ioctls[i].argument != NONE || !(ioctls[i].where & kinds[k]))
				continue;
			answer = call(&abi, kinds[k], ioctls[i].cmd, (void *)1);
			EXPECT(answer == -EINVAL, "%s with 1: %s", ioctls[i].name, told(answer));
		}
	}
}

static bool is_known(unsigned long cmd, unsigned int kind)
{
	size_t i;

	for (i = 0; i < NR_IOCTLS; i++)
		if (ioctls[i].cmd == cmd && ioctls[i].where & kind)
			return true;
	return false;
}

/* Stock kvm has EINVAL for it at some descriptors; where, is told by name. */
static void expect_unknown(const struct abi *abi, const char *name, unsigned int kind,
			   unsigned long cmd)
{
	const char *claim = kind == DEV ? "device" : kind == VM ? "vm" : "vcpu";
	int answer;

	if (is_known(cmd, kind))
		return;
	answer = call(abi, kind, cmd, NULL);
	EXPECT_OR_DIFFERS(&abi->guest.dev, claim, answer == -ENOTTY, "%s (0x%lx) at the %s: %s",
			  name, cmd, kind_name(kind), told(answer));
}

static void wrong_descriptors(void)
{
	struct abi abi;
	size_t i, k;

	set_up(&abi);
	for (i = 0; i < NR_IOCTLS; i++)
		for (k = 0; k < 3; k++)
			expect_unknown(&abi, ioctls[i].name, kinds[k], ioctls[i].cmd);
}

/* The size and the direction are part of an ioctl's number. */
static void wrong_numbers(void)
{
	struct abi abi;
	size_t i, k;

	set_up(&abi);
	for (i = 0; i < NR_IOCTLS; i++) {
		unsigned long cmd = ioctls[i].cmd;

		for (k = 0; k < 3; k++) {
			expect_unknown(&abi, ioctls[i].name, kinds[k], cmd ^ 8UL << _IOC_SIZESHIFT);
			expect_unknown(&abi, ioctls[i].name, kinds[k],
				       cmd ^ (unsigned long)_IOC_READ << _IOC_DIRSHIFT);
			expect_unknown(&abi, ioctls[i].name, kinds[k], cmd ^ 1UL << _IOC_TYPESHIFT);
		}
	}
}

static const struct ktap_test tests[] = {
	KTAP_TEST(structures),		 KTAP_TEST(numbers),
	KTAP_TEST(bad_addresses),	 KTAP_TEST(read_only_addresses),
	KTAP_TEST(numbers_as_arguments), KTAP_TEST(arguments_of_none),
	KTAP_TEST(wrong_descriptors),	 KTAP_TEST(wrong_numbers),
};

KTAP_MAIN(tests)
