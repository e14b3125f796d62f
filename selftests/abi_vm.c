// SPDX-License-Identifier: GPL-2.0-only
/*
 * The small calls of a VM: addresses that other processors need, the boot processor, limits.
 */
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

#include "lib/guest.h"

#define APIC_BASE_BSP (1UL << 8)

struct fixture {
	struct kvm_dev dev;
	struct vm vm;
};

static void set_up(struct fixture *f)
{
	device_open(&f->dev);
	REQUIRE_OK(vm_create(&f->vm, &f->dev, device_vm_type()));
}

static void add_vcpu(struct fixture *f, struct vcpu *vcpu, unsigned long id)
{
	REQUIRE_OK(vcpu_create(vcpu, &f->dev, &f->vm, id));
}

static int call(const struct fixture *f, unsigned long request, unsigned long arg)
{
	return ioctl(f->vm.fd, request, arg) < 0 ? -errno : 0;
}

static void capabilities(void)
{
	static const unsigned long had[] = {
		KVM_CAP_SET_TSS_ADDR,
		KVM_CAP_SET_IDENTITY_MAP_ADDR,
		KVM_CAP_SET_BOOT_CPU_ID,
		KVM_CAP_MMU_SHADOW_CACHE_CONTROL,
		KVM_CAP_BINARY_STATS_FD,
		KVM_CAP_READONLY_MEM,
		KVM_CAP_SYNC_MMU,
		KVM_CAP_USER_MEMORY,
		KVM_CAP_CHECK_EXTENSION_VM,
		KVM_CAP_ENABLE_CAP_VM,
		KVM_CAP_INTERNAL_ERROR_DATA,
		KVM_CAP_IMMEDIATE_EXIT,
	};
	struct fixture f;
	unsigned int i;

	set_up(&f);
	for (i = 0; i < sizeof(had) / sizeof(had[0]); i++) {
		EXPECT(kvm_dev_extension(&f.dev, had[i]) == 1, "capability %lu", had[i]);
		EXPECT(ioctl(f.vm.fd, KVM_CHECK_EXTENSION, had[i]) == 1, "capability %lu of a VM",
		       had[i]);
	}
	EXPECT_EQ(32764, ioctl(f.vm.fd, KVM_CHECK_EXTENSION, KVM_CAP_NR_MEMSLOTS));
}

static void tss_addr(void)
{
	struct fixture f;

	set_up(&f);
	EXPECT_ERRNO(0, call(&f, KVM_SET_TSS_ADDR, 0xfffbd000));
	EXPECT_ERRNO(EINVAL, call(&f, KVM_SET_TSS_ADDR, 0xffffd001));
	EXPECT_ERRNO(EINVAL, call(&f, KVM_SET_TSS_ADDR, 0x100000000));
	EXPECT_ERRNO(EINVAL, call(&f, KVM_SET_TSS_ADDR, -1UL));
	EXPECT_ERRNO(0, call(&f, KVM_SET_TSS_ADDR, 0xffffd000));
}

static void identity_map_addr(void)
{
	uint64_t addr = 0xfeffc000;
	struct fixture f;
	struct vcpu vcpu;

	set_up(&f);
	EXPECT_ERRNO(0, call(&f, KVM_SET_IDENTITY_MAP_ADDR, (unsigned long)&addr));
	addr = 0;
	EXPECT_ERRNO(0, call(&f, KVM_SET_IDENTITY_MAP_ADDR, (unsigned long)&addr));
	EXPECT_ERRNO(EFAULT, call(&f, KVM_SET_IDENTITY_MAP_ADDR, 0));
	add_vcpu(&f, &vcpu, 0);
	EXPECT_ERRNO(EINVAL, call(&f, KVM_SET_IDENTITY_MAP_ADDR, (unsigned long)&addr));
	EXPECT_ERRNO(EINVAL, call(&f, KVM_SET_IDENTITY_MAP_ADDR, 0));
}

static bool is_boot_cpu(const struct vcpu *vcpu)
{
	struct kvm_sregs sregs;

	REQUIRE_OK(vcpu_get_sregs(vcpu, &sregs));
	return sregs.apic_base & APIC_BASE_BSP;
}

static void boot_cpu_id(void)
{
	struct vcpu vcpu[3];
	struct fixture f;
	int max, err;

	set_up(&f);
	max = REQUIRE_OK(kvm_dev_extension(&f.dev, KVM_CAP_MAX_VCPU_ID));
	err = call(&f, KVM_SET_BOOT_CPU_ID, max + 1);
	EXPECT_OR_DIFFERS(&f.dev, "id_too_large", err == -EINVAL, "%d", err);
	err = call(&f, KVM_SET_BOOT_CPU_ID, 1UL << 32);
	EXPECT_OR_DIFFERS(&f.dev, "id_too_large", err == -EINVAL, "%d", err);
	EXPECT_ERRNO(0, call(&f, KVM_SET_BOOT_CPU_ID, max));
	EXPECT_ERRNO(0, call(&f, KVM_SET_BOOT_CPU_ID, 5));
	add_vcpu(&f, &vcpu[0], 0);
	add_vcpu(&f, &vcpu[1], 5);
	add_vcpu(&f, &vcpu[2], 6);
	EXPECT(!is_boot_cpu(&vcpu[0]));
	EXPECT(is_boot_cpu(&vcpu[1]));
	EXPECT(!is_boot_cpu(&vcpu[2]));
	EXPECT_ERRNO(EBUSY, call(&f, KVM_SET_BOOT_CPU_ID, 0));
	EXPECT_ERRNO(EBUSY, call(&f, KVM_SET_BOOT_CPU_ID, -1UL));
}

static void first_is_the_boot_cpu(void)
{
	struct vcpu vcpu[2];
	struct fixture f;

	set_up(&f);
	add_vcpu(&f, &vcpu[0], 1);
	add_vcpu(&f, &vcpu[1], 0);
	EXPECT(!is_boot_cpu(&vcpu[0]));
	EXPECT(is_boot_cpu(&vcpu[1]));
}

static void nr_mmu_pages(void)
{
	struct fixture f;
	int err;

	set_up(&f);
	EXPECT_ERRNO(EINVAL, call(&f, KVM_SET_NR_MMU_PAGES, 0));
	EXPECT_ERRNO(EINVAL, call(&f, KVM_SET_NR_MMU_PAGES, 63));
	EXPECT_ERRNO(0, call(&f, KVM_SET_NR_MMU_PAGES, 64));
	EXPECT_ERRNO(0, call(&f, KVM_SET_NR_MMU_PAGES, 1000000));
	err = call(&f, KVM_GET_NR_MMU_PAGES, 0);
	EXPECT_OR_DIFFERS(&f.dev, "no_get_nr_mmu_pages", err == -ENOTTY, "%d", err);
}

static const struct ktap_test tests[] = {
	KTAP_TEST(capabilities),	  KTAP_TEST(tss_addr),
	KTAP_TEST(identity_map_addr),	  KTAP_TEST(boot_cpu_id),
	KTAP_TEST(first_is_the_boot_cpu), KTAP_TEST(nr_mmu_pages),
};

KTAP_MAIN(tests)
