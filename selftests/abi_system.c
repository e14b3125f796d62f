// SPDX-License-Identifier: GPL-2.0-only
/*
 * The device itself: version, capabilities, VM types, what it refuses and how.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <linux/mkvm.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/guest.h"

#define UNKNOWN_CAP   0x4dffffff
#define PARAMETER_MMU "/sys/module/mkvm/parameters/mmu"

static int answer(int ret)
{
	return ret < 0 ? -errno : ret;
}

static struct kvm_dev open_device(void)
{
	struct kvm_dev dev;

	device_open(&dev);
	return dev;
}

static int create_vm(const struct kvm_dev *dev, unsigned long type)
{
	struct vm vm;
	int err = vm_create(&vm, dev, type);

	if (!err)
		vm_close(&vm);
	return err;
}

static void api_version(void)
{
	struct kvm_dev dev = open_device();

	EXPECT_EQ(12, answer(ioctl(dev.fd, KVM_GET_API_VERSION, 0)));
	EXPECT_ERRNO(EINVAL, answer(ioctl(dev.fd, KVM_GET_API_VERSION, 1)));
}

static void extensions(void)
{
	struct kvm_dev dev = open_device();

	EXPECT_EQ(1, kvm_dev_extension(&dev, KVM_CAP_USER_MEMORY));
	EXPECT_EQ(1, kvm_dev_extension(&dev, KVM_CAP_DESTROY_MEMORY_REGION_WORKS));
	EXPECT_EQ(1, kvm_dev_extension(&dev, KVM_CAP_JOIN_MEMORY_REGIONS_WORKS));
	EXPECT_EQ(1, kvm_dev_extension(&dev, KVM_CAP_SYNC_MMU));
	EXPECT_EQ(1, kvm_dev_extension(&dev, KVM_CAP_IMMEDIATE_EXIT));
	EXPECT_EQ(1, kvm_dev_extension(&dev, KVM_CAP_CLOCKSOURCE));
	EXPECT_EQ(1, kvm_dev_extension(&dev, KVM_CAP_NOP_IO_DELAY));
	EXPECT_EQ(1, kvm_dev_extension(&dev, KVM_CAP_ENABLE_CAP));
	EXPECT_EQ(1, kvm_dev_extension(&dev, KVM_CAP_STEAL_TIME));
	EXPECT(kvm_dev_extension(&dev, KVM_CAP_NR_MEMSLOTS) >= 32, "fewer than 32 memory slots");
	EXPECT(kvm_dev_extension(&dev, KVM_CAP_NR_VCPUS) >= 1, "no recommended number of vCPUs");
	EXPECT(kvm_dev_extension(&dev, KVM_CAP_MAX_VCPUS) >=
		       kvm_dev_extension(&dev, KVM_CAP_NR_VCPUS),
	       "fewer vCPUs at most than recommended");
	EXPECT(kvm_dev_extension(&dev, KVM_CAP_MAX_VCPU_ID) >=
		       kvm_dev_extension(&dev, KVM_CAP_MAX_VCPUS),
	       "fewer vCPU ids than vCPUs");
}

static void unknown_extension_is_0(void)
{
	struct kvm_dev dev = open_device();

	EXPECT_EQ(0, kvm_dev_extension(&dev, UNKNOWN_CAP));
	EXPECT_EQ(0, kvm_dev_extension(&dev, ~0UL));
}

static void mmap_size(void)
{
	struct kvm_dev dev = open_device();
	int size = answer(ioctl(dev.fd, KVM_GET_VCPU_MMAP_SIZE, 0));

	EXPECT(size >= 2 * getpagesize(), "no room for the run page and the port data");
	EXPECT_EQ(0, size % getpagesize());
	EXPECT_ERRNO(EINVAL, answer(ioctl(dev.fd, KVM_GET_VCPU_MMAP_SIZE, 1)));
}

static void expect_unknown(const struct kvm_dev *dev, const char *what, int fd, unsigned long nr)
{
	int err = answer(ioctl(fd, nr, 0));

	EXPECT_OR_DIFFERS(dev, "not_a_tty", err == -ENOTTY, "%s: unknown ioctl 0x%lx: %s", what, nr,
			  err < 0 ? strerror(-err) : "success");
}

static void unknown_ioctls(void)
{
	static const unsigned long unknown[] = {
		_IO(KVMIO, 0xfe),
		_IOW(KVMIO, 0xfe, struct kvm_regs),
		_IO('M', 0xfe),
		_IO('x', 1),
	};
	struct guest guest;
	size_t i;

	guest_create(&guest, 1);
	for (i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++) {
		expect_unknown(&guest.dev, "device", guest.dev.fd, unknown[i]);
		expect_unknown(&guest.dev, "VM", guest.vm.fd, unknown[i]);
		expect_unknown(&guest.dev, "vCPU", guest.vcpu[0].fd, unknown[i]);
	}
	/* Known ones, at the wrong descriptor. */
	expect_unknown(&guest.dev, "device", guest.dev.fd, KVM_RUN);
	expect_unknown(&guest.dev, "VM", guest.vm.fd, KVM_RUN);
	expect_unknown(&guest.dev, "vCPU", guest.vcpu[0].fd, KVM_CREATE_VCPU);
}

static void bad_pointers(void)
{
	struct guest guest;
	void *bad;
	int fd;

	guest_create(&guest, 1);
	fd = guest.vcpu[0].fd;
	bad = mmap(NULL, getpagesize(), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	REQUIRE(bad != MAP_FAILED);
	EXPECT_ERRNO(EFAULT, answer(ioctl(guest.vm.fd, KVM_SET_USER_MEMORY_REGION, bad)));
	EXPECT_ERRNO(EFAULT, answer(ioctl(fd, KVM_GET_REGS, bad)));
	EXPECT_ERRNO(EFAULT, answer(ioctl(fd, KVM_SET_REGS, bad)));
	EXPECT_ERRNO(EFAULT, answer(ioctl(fd, KVM_GET_SREGS, bad)));
	EXPECT_ERRNO(EFAULT, answer(ioctl(fd, KVM_SET_SREGS, bad)));
	EXPECT_ERRNO(EFAULT, answer(ioctl(fd, KVM_GET_REGS, NULL)));
	EXPECT_ERRNO(EFAULT, answer(ioctl(fd, KVM_GET_REGS, (void *)0xffff888000000000)));
	EXPECT_ERRNO(EINVAL, answer(ioctl(fd, KVM_RUN, 1)));
}

static void counts_arguments(void)
{
	struct mkvm_counts counts = { 0 };
	struct guest guest;
	int fd;

	guest_create(&guest, 1);
	if (!kvm_dev_is_mkvm(&guest.dev))
		ktap_skip("stock kvm has no MKVM_GET_COUNTS");
	fd = guest.vcpu[0].fd;
	EXPECT_ERRNO(0, answer(ioctl(fd, MKVM_GET_COUNTS, &counts)));
	EXPECT_EQ(0, counts.exits);
	EXPECT_EQ(0, counts.nr_reasons);
	EXPECT(counts.vendor == MKVM_VENDOR_VMX || counts.vendor == MKVM_VENDOR_SVM, "vendor %u",
	       counts.vendor);
	counts = (struct mkvm_counts){ .flags = 1 };
	EXPECT_ERRNO(EINVAL, answer(ioctl(fd, MKVM_GET_COUNTS, &counts)));
	counts = (struct mkvm_counts){ .pad = 1 };
	EXPECT_ERRNO(EINVAL, answer(ioctl(fd, MKVM_GET_COUNTS, &counts)));
	EXPECT_ERRNO(EFAULT, answer(ioctl(fd, MKVM_GET_COUNTS, NULL)));
}

guest_code(code_hlt, 64, "hlt");

/* Too little room: E2BIG, nothing written, but how much there is. */
static void counts_too_short(void)
{
	struct mkvm_exit_count untouched[2] = { { 1, 2, 3 }, { 4, 5, 6 } }, before[2];
	struct mkvm_counts counts = { .reasons = (uintptr_t)untouched };
	struct guest guest;
	uint32_t reasons;

	memcpy(before, untouched, sizeof(before));
	guest_create(&guest, 1);
	if (!kvm_dev_is_mkvm(&guest.dev))
		ktap_skip("stock kvm has no MKVM_GET_COUNTS");
	guest_load(&guest, code_hlt);
	guest_start(&guest, 0, MODE_LONG);
	guest_run_to_hlt(&guest, 0);
	EXPECT_ERRNO(E2BIG, answer(ioctl(guest.vcpu[0].fd, MKVM_GET_COUNTS, &counts)));
	reasons = counts.nr_reasons;
	EXPECT(reasons >= 2, "HLT and a first access: %u reasons", reasons);
	EXPECT(counts.exits >= 2, "%llu exits", (unsigned long long)counts.exits);
	counts = (struct mkvm_counts){ .reasons = (uintptr_t)untouched, .nr_reasons = 1 };
	EXPECT_ERRNO(E2BIG, answer(ioctl(guest.vcpu[0].fd, MKVM_GET_COUNTS, &counts)));
	EXPECT_EQ(reasons, counts.nr_reasons);
	EXPECT(memcmp(before, untouched, sizeof(before)) == 0, "written to a short array");
	counts = (struct mkvm_counts){ .reasons = 0, .nr_reasons = reasons };
	EXPECT_ERRNO(EFAULT, answer(ioctl(guest.vcpu[0].fd, MKVM_GET_COUNTS, &counts)));
}

static void vm_types(void)
{
	static const unsigned long unknown[] = {
		1,
		2,
		3,
		4,
		5,
		0x4cff,
		0x4d02,
		0x4dff,
		1UL << 31,
		1UL << 32,
		MKVM_VM_TDP | 1UL << 32,
		~0UL,
	};
	struct kvm_dev dev = open_device();
	size_t i;

	if (!kvm_dev_is_mkvm(&dev))
		ktap_skip("stock kvm has other types");
	EXPECT_ERRNO(0, create_vm(&dev, MKVM_VM_DEFAULT));
	EXPECT_ERRNO(dev.mmus & 1 ? 0 : EOPNOTSUPP, create_vm(&dev, MKVM_VM_TDP));
	EXPECT_ERRNO(dev.mmus & 2 ? 0 : EOPNOTSUPP, create_vm(&dev, MKVM_VM_SHADOW));
	for (i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++) {
		EXPECT(create_vm(&dev, unknown[i]) == -EINVAL,
		       "type 0x%lx is not refused by EINVAL", unknown[i]);
	}
}

static ssize_t parameter_set(const char *value)
{
	int fd = open(PARAMETER_MMU, O_WRONLY);
	ssize_t ret;

	REQUIRE(fd >= 0, "%s: %s", PARAMETER_MMU, strerror(errno));
	ret = answer(write(fd, value, strlen(value)));
	close(fd);
	return ret;
}

static void parameter_get(char *value, size_t room)
{
	int fd = open(PARAMETER_MMU, O_RDONLY);
	ssize_t len;

	REQUIRE(fd >= 0, "%s: %s", PARAMETER_MMU, strerror(errno));
	len = read(fd, value, room - 1);
	REQUIRE(len > 0, "%s cannot be read", PARAMETER_MMU);
	value[len] = '\0';
	value[strcspn(value, "\n")] = '\0';
	close(fd);
}

/* What a VM of type 0 is, is said by the module's parameter, at any time. */
static void parameter_mmu(void)
{
	struct kvm_dev dev = open_device();
	char before[32], now[32];

	if (!kvm_dev_is_mkvm(&dev))
		ktap_skip("stock kvm chooses its MMU when it is loaded");
	parameter_get(before, sizeof(before));
	EXPECT(strcmp(before, "auto") == 0 || strcmp(before, "tdp") == 0 ||
		       strcmp(before, "shadow") == 0,
	       "mmu is '%s'", before);
	EXPECT_ERRNO(EINVAL, parameter_set("ept"));
	EXPECT_ERRNO(EINVAL, parameter_set("tdpx"));
	parameter_get(now, sizeof(now));
	EXPECT(strcmp(before, now) == 0, "a wrong value changed mmu to '%s'", now);

	EXPECT_ERRNO(0, parameter_set("shadow\n"));
	EXPECT_ERRNO(dev.mmus & 2 ? 0 : EOPNOTSUPP, create_vm(&dev, MKVM_VM_DEFAULT));
	EXPECT_ERRNO(0, parameter_set("tdp"));
	parameter_get(now, sizeof(now));
	EXPECT(strcmp(now, "tdp") == 0, "mmu is '%s' after tdp was written", now);
	EXPECT_ERRNO(dev.mmus & 1 ? 0 : EOPNOTSUPP, create_vm(&dev, MKVM_VM_DEFAULT));
	EXPECT_ERRNO(0, parameter_set("auto"));
	EXPECT_ERRNO(0, create_vm(&dev, MKVM_VM_DEFAULT));
	EXPECT_ERRNO(0, parameter_set(before));
}

static void descriptors_close_on_exec(void)
{
	struct guest guest;

	guest_create(&guest, 1);
	EXPECT(fcntl(guest.vm.fd, F_GETFD) & FD_CLOEXEC, "the VM's descriptor survives exec");
	EXPECT(fcntl(guest.vcpu[0].fd, F_GETFD) & FD_CLOEXEC, "the vCPU's survives exec");
}

static void no_read_no_write(void)
{
	struct guest guest;
	char byte = 0;

	guest_create(&guest, 1);
	EXPECT_ERRNO(EINVAL, answer(read(guest.dev.fd, &byte, 1)));
	EXPECT_ERRNO(EINVAL, answer(write(guest.dev.fd, &byte, 1)));
	EXPECT_ERRNO(EINVAL, answer(read(guest.vm.fd, &byte, 1)));
	EXPECT_ERRNO(EINVAL, answer(write(guest.vcpu[0].fd, &byte, 1)));
}

static void open_read_only_is_enough(void)
{
	int fd = open(kvm_dev_default(), O_RDONLY | O_CLOEXEC);

	REQUIRE(fd >= 0, "%s", strerror(errno));
	EXPECT_EQ(12, answer(ioctl(fd, KVM_GET_API_VERSION, 0)));
	EXPECT(answer(ioctl(fd, KVM_CREATE_VM, 0)) >= 0, "no VM");
}

/* A VM is its maker's: in another address space its descriptors answer EIO. */
static void other_address_space(void)
{
	struct kvm_userspace_memory_region region = { .slot = 1,
						      .guest_phys_addr = 1UL << 30,
						      .memory_size = 0x1000 };
	struct kvm_regs regs = { 0 };
	struct guest guest;
	int status;
	pid_t pid;

	guest_create(&guest, 1);
	region.userspace_addr = (uintptr_t)guest.mem.host;
	pid = fork();
	REQUIRE(pid >= 0);
	if (pid == 0) {
		bool ok = EXPECT_ERRNO(
			EIO, answer(ioctl(guest.vm.fd, KVM_SET_USER_MEMORY_REGION, &region)));

		ok &= EXPECT_ERRNO(EIO, answer(ioctl(guest.vm.fd, KVM_CREATE_VCPU, 1)));
		ok &= EXPECT_ERRNO(EIO, answer(ioctl(guest.vcpu[0].fd, KVM_RUN, 0)));
		ok &= EXPECT_ERRNO(EIO, answer(ioctl(guest.vcpu[0].fd, KVM_GET_REGS, &regs)));
		ok &= EXPECT_ERRNO(EIO, answer(ioctl(guest.vcpu[0].fd, KVM_SET_REGS, &regs)));
		/* The device itself is anyone's. */
		ok &= EXPECT_ERRNO(0, create_vm(&guest.dev, 0));
		_exit(ok ? 0 : 1);
	}
	REQUIRE(waitpid(pid, &status, 0) == pid);
	EXPECT(WIFEXITED(status) && WEXITSTATUS(status) == 0, "the child's claims failed");
	/* Its tries changed nothing here. */
	EXPECT_ERRNO(0, answer(ioctl(guest.vm.fd, KVM_SET_USER_MEMORY_REGION, &region)));
	EXPECT(answer(ioctl(guest.vm.fd, KVM_CREATE_VCPU, 1)) >= 0, "vCPU 1 cannot be made");
}

static const struct ktap_test tests[] = {
	KTAP_TEST(api_version),
	KTAP_TEST(extensions),
	KTAP_TEST(unknown_extension_is_0),
	KTAP_TEST(mmap_size),
	KTAP_TEST(unknown_ioctls),
	KTAP_TEST(bad_pointers),
	KTAP_TEST(counts_arguments),
	KTAP_TEST(counts_too_short),
	KTAP_TEST(vm_types),
	KTAP_TEST(parameter_mmu),
	KTAP_TEST(descriptors_close_on_exec),
	KTAP_TEST(no_read_no_write),
	KTAP_TEST(open_read_only_is_enough),
	KTAP_TEST(other_address_space),
};

KTAP_MAIN(tests)
