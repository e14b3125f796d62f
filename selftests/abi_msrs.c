// SPDX-License-Identifier: GPL-2.0-only
/*
 * The ioctls of MSRs: the lists, features, reading and writing a vCPU's registers in bulk.
 */
#include <errno.h>
#include <linux/kvm.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/guest.h"

#define MAX_MSRS    1024
#define BULK_LIMIT  256 /* exclusive */
#define MSR_NOBODYS 0x4b564dff

#define MSR_TSC		      0x10
#define MSR_APICBASE	      0x1b
#define MSR_FEAT_CTL	      0x3a
#define MSR_TSC_ADJUST	      0x3b
#define MSR_UCODE_REV	      0x8b
#define MSR_PLATFORM_INFO     0xce
#define MSR_MTRRCAP	      0xfe
#define MSR_ARCH_CAPABILITIES 0x10a
#define MSR_MISC_FEATURES     0x140
#define MSR_SYSENTER_CS	      0x174
#define MSR_SYSENTER_ESP      0x175
#define MSR_MCG_CAP	      0x179
#define MSR_MCG_STATUS	      0x17a
#define MSR_MCG_CTL	      0x17b
#define MSR_MISC_ENABLE	      0x1a0
#define MSR_MTRR_BASE0	      0x200
#define MSR_MTRR_FIX64K	      0x250
#define MSR_PAT		      0x277
#define MSR_MC0_CTL2	      0x280
#define MSR_MTRR_DEF	      0x2ff
#define MSR_PERF_CAPABILITIES 0x345
#define MSR_MC0		      0x400
#define MSR_X2APIC_ID	      0x802
#define MSR_XSS		      0xda0
#define MSR_EFER	      0xc0000080
#define MSR_STAR	      0xc0000081
#define MSR_LSTAR	      0xc0000082
#define MSR_FS_BASE	      0xc0000100
#define MSR_TSC_AUX	      0xc0000103
#define MSR_HWCR	      0xc0010015
#define MSR_VM_HSAVE	      0xc0010117
#define MSR_DE_CFG	      0xc0011029

struct list {
	struct kvm_msr_list head;
	uint32_t indices[MAX_MSRS];
};

struct bulk {
	struct kvm_msrs head;
	struct kvm_msr_entry entries[BULK_LIMIT + 1];
};

static int call(int fd, unsigned long nr, void *arg)
{
	int ret = ioctl(fd, nr, arg);

	return ret < 0 ? -errno : ret;
}

static int get_one(const struct guest *guest, uint32_t index, uint64_t *value)
{
	struct bulk bulk = { .head.nmsrs = 1, .entries[0] = { .index = index, .data = ~0ULL } };
	int ret = call(guest->vcpu[0].fd, KVM_GET_MSRS, &bulk);

	*value = bulk.entries[0].data;
	return ret;
}

static int set_one(const struct guest *guest, uint32_t index, uint64_t value)
{
	struct bulk bulk = { .head.nmsrs = 1, .entries[0] = { .index = index, .data = value } };

	return call(guest->vcpu[0].fd, KVM_SET_MSRS, &bulk);
}

static uint64_t value_of(const struct guest *guest, uint32_t index)
{
	uint64_t value = 0;

	REQUIRE(get_one(guest, index, &value) == 1, "MSR 0x%x cannot be read", index);
	return value;
}

static void get_list(struct list *list, const struct kvm_dev *dev, unsigned long nr)
{
	memset(list, 0, sizeof(*list));
	list->head.nmsrs = MAX_MSRS;
	REQUIRE_OK(call(dev->fd, nr, list));
}

static bool is_listed(const struct list *list, uint32_t index)
{
	uint32_t i;

	for (i = 0; i < list->head.nmsrs; i++)
		if (list->indices[i] == index)
			return true;
	return false;
}

static void *unreadable(void)
{
	void *page = mmap(NULL, getpagesize(), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	REQUIRE(page != MAP_FAILED);
	return page;
}

static void list_arguments(unsigned long nr)
{
	struct list list, exact;
	struct kvm_dev dev;

	device_open(&dev);
	memset(&list, 0, sizeof(list));
	EXPECT_ERRNO(E2BIG, call(dev.fd, nr, &list));
	REQUIRE(list.head.nmsrs && list.head.nmsrs <= MAX_MSRS, "%u MSRs", list.head.nmsrs);
	get_list(&exact, &dev, nr);
	EXPECT_EQ(exact.head.nmsrs, list.head.nmsrs);
	list.head.nmsrs = exact.head.nmsrs - 1;
	EXPECT_ERRNO(E2BIG, call(dev.fd, nr, &list));
	EXPECT_EQ(exact.head.nmsrs, list.head.nmsrs);
	EXPECT_EQ(0, list.indices[0]); /* what fails changes nothing else */
	memset(&list, 0, sizeof(list));
	list.head.nmsrs = exact.head.nmsrs;
	EXPECT_ERRNO(0, call(dev.fd, nr, &list));
	EXPECT(memcmp(&list, &exact, sizeof(list)) == 0, "another list");
	EXPECT_ERRNO(EFAULT, call(dev.fd, nr, NULL));
	EXPECT_ERRNO(EFAULT, call(dev.fd, nr, unreadable()));
}

static void lists(void)
{
	static const uint32_t always[] = {
		MSR_SYSENTER_CS, MSR_STAR,	  MSR_LSTAR,   MSR_TSC,	       MSR_PAT,
		MSR_TSC_ADJUST,	 MSR_MISC_ENABLE, MSR_MCG_CTL, MSR_MCG_STATUS, MSR_ARCH_CAPABILITIES
	};
	struct list list;
	struct kvm_dev dev;
	size_t i;

	list_arguments(KVM_GET_MSR_INDEX_LIST);
	list_arguments(KVM_GET_MSR_FEATURE_INDEX_LIST);
	device_open(&dev);
	EXPECT_EQ(1, kvm_dev_extension(&dev, KVM_CAP_GET_MSR_FEATURES));
	get_list(&list, &dev, KVM_GET_MSR_INDEX_LIST);
	for (i = 0; i < sizeof(always) / sizeof(always[0]); i++)
		EXPECT(is_listed(&list, always[i]), "MSR 0x%x is not in the list", always[i]);
	get_list(&list, &dev, KVM_GET_MSR_FEATURE_INDEX_LIST);
	EXPECT(is_listed(&list, MSR_ARCH_CAPABILITIES), "ARCH_CAPABILITIES is no feature");
	EXPECT(is_listed(&list, MSR_UCODE_REV), "UCODE_REV is no feature");
}

/* What is in the list can be saved, and set again to what it was. */
static void list_is_saved_and_restored(void)
{
	struct guest guest;
	struct list list;
	uint64_t value;
	uint32_t i;

	guest_create(&guest, 1);
	get_list(&list, &guest.dev, KVM_GET_MSR_INDEX_LIST);
	for (i = 0; i < list.head.nmsrs; i++) {
		/* Hyper-V's, nesting and paravirtual features are stock kvm's own affair. */
		if ((list.indices[i] >> 8) == 0x400000 && !kvm_dev_is_mkvm(&guest.dev))
			continue;
		EXPECT(get_one(&guest, list.indices[i], &value) == 1, "0x%x is not read",
		       list.indices[i]);
		if (!kvm_dev_is_mkvm(&guest.dev) &&
		    ((list.indices[i] >= 0x480 && list.indices[i] < 0x492) ||
		     (list.indices[i] >> 8) == 0x4b564d))
			continue;
		EXPECT(set_one(&guest, list.indices[i], value) == 1,
		       "0x%x cannot be set to 0x%llx, which it is", list.indices[i],
		       (unsigned long long)value);
	}
}

static void features(void)
{
	struct bulk bulk = { .head.nmsrs = 2 };
	struct list list;
	struct guest guest;
	uint32_t i;

	guest_create(&guest, 1);
	get_list(&list, &guest.dev, KVM_GET_MSR_FEATURE_INDEX_LIST);
	for (i = 0; i < list.head.nmsrs; i++) {
		bulk.head.nmsrs = 1;
		bulk.entries[0].index = list.indices[i];
		EXPECT(call(guest.dev.fd, KVM_GET_MSRS, &bulk) == 1, "feature 0x%x is not read",
		       list.indices[i]);
	}
	/* What the vCPU has from its start is what the host offers. */
	bulk.entries[0].index = MSR_ARCH_CAPABILITIES;
	EXPECT_EQ(1, call(guest.dev.fd, KVM_GET_MSRS, &bulk));
	EXPECT_EQ(value_of(&guest, MSR_ARCH_CAPABILITIES), bulk.entries[0].data);
	bulk.head.nmsrs = 3;
	bulk.entries[0].index = MSR_UCODE_REV;
	bulk.entries[1] = (struct kvm_msr_entry){ .index = MSR_NOBODYS, .data = 5 };
	bulk.entries[2].index = MSR_UCODE_REV;
	EXPECT_EQ(1, call(guest.dev.fd, KVM_GET_MSRS, &bulk));
	EXPECT_EQ(0, bulk.entries[1].data);
	bulk.head.nmsrs = BULK_LIMIT;
	EXPECT_ERRNO(E2BIG, call(guest.dev.fd, KVM_GET_MSRS, &bulk));
	EXPECT_ERRNO(EFAULT, call(guest.dev.fd, KVM_GET_MSRS, NULL));
}

static void bulk_arguments(void)
{
	struct bulk bulk;
	struct guest guest;
	uint32_t i;
	int fd;

	guest_create(&guest, 1);
	fd = guest.vcpu[0].fd;
	memset(&bulk, 0, sizeof(bulk));
	EXPECT_EQ(0, call(fd, KVM_GET_MSRS, &bulk));
	EXPECT_EQ(0, call(fd, KVM_SET_MSRS, &bulk));
	for (i = 0; i < BULK_LIMIT; i++)
		bulk.entries[i] = (struct kvm_msr_entry){ .index = MSR_STAR, .data = i };
	bulk.head.nmsrs = BULK_LIMIT;
	EXPECT_ERRNO(E2BIG, call(fd, KVM_GET_MSRS, &bulk));
	EXPECT_ERRNO(E2BIG, call(fd, KVM_SET_MSRS, &bulk));
	bulk.head.nmsrs = 0xffffffff;
	EXPECT_ERRNO(E2BIG, call(fd, KVM_SET_MSRS, &bulk));
	bulk.head.nmsrs = BULK_LIMIT - 1;
	EXPECT_EQ(BULK_LIMIT - 1, call(fd, KVM_SET_MSRS, &bulk));
	EXPECT_EQ(BULK_LIMIT - 2, value_of(&guest, MSR_STAR));
	EXPECT_EQ(BULK_LIMIT - 1, call(fd, KVM_GET_MSRS, &bulk));
	EXPECT_EQ(BULK_LIMIT - 2, bulk.entries[0].data);
	EXPECT_ERRNO(EFAULT, call(fd, KVM_GET_MSRS, NULL));
	EXPECT_ERRNO(EFAULT, call(fd, KVM_SET_MSRS, unreadable()));
}

/* The first that cannot be done ends it; those before are done. */
static void bulk_stops(void)
{
	struct bulk bulk = { .head.nmsrs = 4 };
	struct guest guest;
	int fd;

	guest_create(&guest, 1);
	fd = guest.vcpu[0].fd;
	bulk.entries[0] = (struct kvm_msr_entry){ .index = MSR_STAR, .data = 1 };
	bulk.entries[1] = (struct kvm_msr_entry){ .index = MSR_SYSENTER_CS, .data = 2 };
	bulk.entries[2] = (struct kvm_msr_entry){ .index = MSR_NOBODYS, .data = 3 };
	bulk.entries[3] = (struct kvm_msr_entry){ .index = MSR_STAR, .data = 4 };
	EXPECT_EQ(2, call(fd, KVM_SET_MSRS, &bulk));
	EXPECT_EQ(1, value_of(&guest, MSR_STAR));
	EXPECT_EQ(2, value_of(&guest, MSR_SYSENTER_CS));
	bulk.entries[0].data = 77;
	EXPECT_EQ(2, call(fd, KVM_GET_MSRS, &bulk));
	EXPECT_EQ(1, bulk.entries[0].data);
	EXPECT_EQ(2, bulk.entries[1].data);
	EXPECT_EQ(0, bulk.entries[2].data);
	EXPECT_EQ(4, bulk.entries[3].data);
}

/* Values that are taken and given back, and values that are refused. */
static void values(void)
{
	static const struct {
		uint32_t index;
		uint64_t good, bad;
	} rows[] = {
		{ MSR_STAR, 0x123456789abcdef0, 0 },
		{ MSR_LSTAR, 0xffff800000000000, 0x0100000000000000 },
		{ MSR_FS_BASE, 0x7fffffffffff, 0x8000000000000000 },
		{ MSR_PAT, 0x0007010600070106, 0x0007010600070102 },
		{ MSR_EFER, 0x501 & ~0x400, 0x8000 },
		{ MSR_MISC_ENABLE, 0x850089, 0 },
		{ MSR_MTRR_DEF, 0xc06, 0x1006 },
		{ MSR_MTRR_DEF, 0x800, 0x802 },
		{ MSR_MTRR_FIX64K, 0x0606060606060606, 0x0602060606060606 },
		{ MSR_MTRR_FIX64K + 8, 0x0001040506060606, 0x0700000000000000 },
		{ MSR_MTRR_FIX64K + 0x1f, 0x0505050505050505, 8 },
		{ MSR_MTRR_BASE0, 0x80000006, 0x80000106 },
		{ MSR_MTRR_BASE0 + 15, 0x80000800, 0x80000400 },
		{ MSR_MCG_STATUS, 7, 0 },
		{ MSR_MC0, ~0ULL, 1 },
		{ MSR_MC0, ~0ULL & ~0x400ULL, ~0ULL & ~0x800ULL },
		{ MSR_MC0 + 1, 0xbe00000000000135, 0 },
		{ MSR_MC0 + 31 * 4 + 2, 0x1234, 0 },
		{ MSR_HWCR, 1 << 18, 1 << 25 },
		{ MSR_MISC_FEATURES, 1, 2 },
		{ MSR_TSC_AUX, 0x7fff, 0 },
		{ MSR_ARCH_CAPABILITIES, 0x21, 0 },
		{ MSR_UCODE_REV, 0x123400000000, 0 },
		{ MSR_APICBASE, 0xfee00800, 0xfee00c10 },
		{ MSR_APICBASE, 0xfee00900, 0xfee00500 },
	};
	struct guest guest;
	size_t i;

	guest_create(&guest, 1);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		EXPECT(set_one(&guest, rows[i].index, rows[i].good) == 1,
		       "0x%x cannot be set to 0x%llx", rows[i].index,
		       (unsigned long long)rows[i].good);
		EXPECT_EQ(rows[i].good, value_of(&guest, rows[i].index));
		if (!rows[i].bad)
			continue;
		EXPECT(set_one(&guest, rows[i].index, rows[i].bad) == 0,
		       "0x%x can be set to 0x%llx", rows[i].index, (unsigned long long)rows[i].bad);
		EXPECT_EQ(rows[i].good, value_of(&guest, rows[i].index));
	}
}

/* There, and only to be read; or not there at all. */
static void not_for_writing(void)
{
	static const struct {
		uint32_t index;
		uint64_t value;
	} fixed[] = {
		{ MSR_MTRRCAP, 0x508 },
		{ 0x17, 0 },		    /* PLATFORM_ID */
		{ 0xcd, 3 },		    /* FSB_FREQ */
		{ 0x606, 0 },		    /* RAPL's unit */
		{ 0xc0010010, 0 },	    /* SYSCFG */
		{ 0xc001001f, 0 },	    /* NB_CFG */
		{ 0xc001001b, 0x20000000 }, /* CLK_CTL */
	};
	static const uint32_t absent[] = { MSR_NOBODYS, MSR_X2APIC_ID, 0x210, 0x4f0, 0xc0001234 };
	bool zeroed = true;
	struct guest guest;
	uint64_t value;
	size_t i;

	guest_create(&guest, 1);
	for (i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++) {
		EXPECT_EQ(fixed[i].value, value_of(&guest, fixed[i].index));
		if (i < 5)
			EXPECT(set_one(&guest, fixed[i].index, 1) == 0, "0x%x can be set",
			       fixed[i].index);
	}
	for (i = 0; i < sizeof(absent) / sizeof(absent[0]); i++) {
		EXPECT(get_one(&guest, absent[i], &value) == 0, "0x%x can be read", absent[i]);
		zeroed &= !value;
		EXPECT(set_one(&guest, absent[i], 0) == 0, "0x%x can be set", absent[i]);
	}
	EXPECT_OR_DIFFERS(&guest.dev, "refused_reads_0", zeroed, "the value stays as it was");
}

/* What a new vCPU has. */
static void reset_values(void)
{
	static const struct {
		uint32_t index;
		uint64_t value;
	} rows[] = {
		{ MSR_APICBASE, 0xfee00900 },
		{ MSR_EFER, 0 },
		{ MSR_STAR, 0 },
		{ MSR_LSTAR, 0 },
		{ MSR_SYSENTER_CS, 0 },
		{ MSR_PAT, 0x0007040600070406 },
		{ MSR_MTRR_DEF, 0 },
		{ MSR_MTRR_BASE0, 0 },
		{ MSR_MCG_CAP, 32 },
		{ MSR_MCG_STATUS, 0 },
		{ MSR_MCG_CTL, 0 },
		{ MSR_MISC_ENABLE, 0x1800 },
		{ MSR_TSC_ADJUST, 0 },
		{ MSR_PLATFORM_INFO, 1U << 31 },
		{ MSR_MISC_FEATURES, 0 },
		{ MSR_HWCR, 0 },
		{ MSR_XSS, 0 },
	};
	struct guest guest;
	size_t i;

	guest_create(&guest, 1);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		EXPECT(value_of(&guest, rows[i].index) == rows[i].value,
		       "0x%x: expected 0x%llx, is 0x%llx", rows[i].index,
		       (unsigned long long)rows[i].value,
		       (unsigned long long)value_of(&guest, rows[i].index));
}

static void machine_checks(void)
{
	uint64_t cap, offered;
	struct guest guest;
	int fd;

	guest_create(&guest, 1);
	fd = guest.vcpu[0].fd;
	EXPECT_EQ(32, kvm_dev_extension(&guest.dev, KVM_CAP_MCE));
	EXPECT_ERRNO(0, call(guest.dev.fd, KVM_X86_GET_MCE_CAP_SUPPORTED, &offered));
	EXPECT_EQ(1ULL << 8, offered & 1ULL << 8);
	EXPECT_ERRNO(EFAULT, call(guest.dev.fd, KVM_X86_GET_MCE_CAP_SUPPORTED, NULL));
	/* Without MCG_CTL_P there is no MCG_CTL, but the host may read and write 0. */
	EXPECT_EQ(1, set_one(&guest, MSR_MCG_CTL, 0));
	EXPECT_EQ(0, set_one(&guest, MSR_MCG_CTL, ~0ULL));
	cap = 0;
	EXPECT_ERRNO(EINVAL, call(fd, KVM_X86_SETUP_MCE, &cap));
	cap = 33;
	EXPECT_ERRNO(EINVAL, call(fd, KVM_X86_SETUP_MCE, &cap));
	cap = 10 | 1ULL << 40;
	EXPECT_ERRNO(EINVAL, call(fd, KVM_X86_SETUP_MCE, &cap));
	EXPECT_ERRNO(EFAULT, call(fd, KVM_X86_SETUP_MCE, NULL));
	cap = 10 | 1ULL << 8;
	EXPECT_ERRNO(0, call(fd, KVM_X86_SETUP_MCE, &cap));
	EXPECT_EQ(cap, value_of(&guest, MSR_MCG_CAP));
	EXPECT_EQ(~0ULL, value_of(&guest, MSR_MCG_CTL));
	EXPECT_EQ(~0ULL, value_of(&guest, MSR_MC0 + 9 * 4));
	EXPECT_EQ(1, set_one(&guest, MSR_MCG_CTL, 0));
	EXPECT_EQ(0, set_one(&guest, MSR_MCG_CTL, 1));
	EXPECT_EQ(1, set_one(&guest, MSR_MC0 + 9 * 4 + 1, 5));
	EXPECT_EQ(0, set_one(&guest, MSR_MC0 + 10 * 4 + 1, 5));
	EXPECT_EQ(0, set_one(&guest, MSR_MC0_CTL2 + 9, 1));
	EXPECT_EQ(1, set_one(&guest, MSR_MC0_CTL2 + 9, 0));
	EXPECT_EQ(0, set_one(&guest, MSR_MC0_CTL2 + 10, 0));
}

/* Two counters that are set to one value one after the other agree; 0 joins the others too. */
static void tsc(void)
{
	uint64_t first, second;
	struct guest guest;
	struct bulk bulk = { .head.nmsrs = 1, .entries[0] = { .index = MSR_TSC } };

	guest_create(&guest, 2);
	bulk.entries[0].data = 1ULL << 50;
	EXPECT_EQ(1, call(guest.vcpu[0].fd, KVM_SET_MSRS, &bulk));
	EXPECT_EQ(1, call(guest.vcpu[1].fd, KVM_SET_MSRS, &bulk));
	first = value_of(&guest, MSR_TSC);
	EXPECT_EQ(1, call(guest.vcpu[1].fd, KVM_GET_MSRS, &bulk));
	second = bulk.entries[0].data;
	EXPECT(first >= 1ULL << 50 && first < 1ULL << 51, "0x%llx", (unsigned long long)first);
	EXPECT(second >= first, "the second counter 0x%llx is behind the first 0x%llx",
	       (unsigned long long)second, (unsigned long long)first);
	bulk.entries[0].data = 0;
	EXPECT_EQ(1, call(guest.vcpu[1].fd, KVM_SET_MSRS, &bulk));
	EXPECT_EQ(1, call(guest.vcpu[1].fd, KVM_GET_MSRS, &bulk));
	EXPECT_OR_DIFFERS(&guest.dev, "zero_joins", bulk.entries[0].data >= second,
			  "0 set the counter back");
}

guest_code(code_hlt, 64,
	   "hlt\n"
	   "hlt\n");

/* Features cannot change once the vCPU has run. */
static void frozen(void)
{
	uint64_t caps;
	struct guest guest;

	guest_create(&guest, 1);
	caps = value_of(&guest, MSR_ARCH_CAPABILITIES);
	EXPECT_EQ(1, set_one(&guest, MSR_ARCH_CAPABILITIES, caps ^ 1));
	EXPECT_EQ(1, set_one(&guest, MSR_ARCH_CAPABILITIES, caps));
	guest_load(&guest, code_hlt);
	guest_start(&guest, 0, MODE_LONG);
	guest_run_to_hlt(&guest, 0);
	EXPECT_OR_DIFFERS(&guest.dev, "features_frozen",
			  set_one(&guest, MSR_ARCH_CAPABILITIES, caps ^ 1) == 0,
			  "ARCH_CAPABILITIES can change");
	EXPECT_EQ(1, set_one(&guest, MSR_ARCH_CAPABILITIES, caps));
	EXPECT_EQ(1, set_one(&guest, MSR_UCODE_REV, 0x77));
	EXPECT_EQ(caps, value_of(&guest, MSR_ARCH_CAPABILITIES));
}

static const struct ktap_test tests[] = {
	KTAP_TEST(lists),	    KTAP_TEST(list_is_saved_and_restored),
	KTAP_TEST(features),	    KTAP_TEST(bulk_arguments),
	KTAP_TEST(bulk_stops),	    KTAP_TEST(values),
	KTAP_TEST(not_for_writing), KTAP_TEST(reset_values),
	KTAP_TEST(machine_checks),  KTAP_TEST(tsc),
	KTAP_TEST(frozen),
};

KTAP_MAIN(tests)
