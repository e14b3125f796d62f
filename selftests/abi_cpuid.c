// SPDX-License-Identifier: GPL-2.0-only
/*
 * The ioctls of CPUID: what the device can offer, what a vCPU is given, and how both refuse.
 */
#include <errno.h>
#include <linux/kvm.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/guest.h"

#define MAX_ENTRIES 256

struct table {
	struct kvm_cpuid2 head;
	struct kvm_cpuid_entry2 entries[MAX_ENTRIES + 1];
};

static int call(int fd, unsigned long nr, void *arg)
{
	return ioctl(fd, nr, arg) < 0 ? -errno : 0;
}

static void supported(struct table *table, const struct kvm_dev *dev)
{
	memset(table, 0, sizeof(*table));
	table->head.nent = MAX_ENTRIES;
	REQUIRE_OK(call(dev->fd, KVM_GET_SUPPORTED_CPUID, table));
}

static struct kvm_cpuid_entry2 *find(struct table *table, uint32_t function, uint32_t index)
{
	uint32_t i;

	for (i = 0; i < table->head.nent; i++)
		if (table->entries[i].function == function && table->entries[i].index == index)
			return &table->entries[i];
	return NULL;
}

static struct kvm_cpuid_entry2 entry_of(struct table *table, uint32_t function, uint32_t index)
{
	struct kvm_cpuid_entry2 *entry = find(table, function, index);

	REQUIRE(entry, "leaf 0x%x.%u is not offered", function, index);
	return *entry;
}

static void *unreadable(void)
{
	void *page = mmap(NULL, getpagesize(), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	REQUIRE(page != MAP_FAILED);
	return page;
}

static void extensions(void)
{
	struct kvm_dev dev;

	device_open(&dev);
	EXPECT_EQ(1, kvm_dev_extension(&dev, KVM_CAP_EXT_CPUID));
	EXPECT_EQ(1, kvm_dev_extension(&dev, KVM_CAP_EXT_EMUL_CPUID));
}

/* The leaves that VMMs do not start without. */
static void offer_is_rich(void)
{
	static const uint32_t functions[] = { 0,	  1,	      7,	  0x40000000,
					      0x40000001, 0x80000000, 0x80000001, 0x80000008 };
	struct kvm_cpuid_entry2 leaf;
	struct table table;
	struct kvm_dev dev;
	uint32_t function;
	size_t i;

	device_open(&dev);
	supported(&table, &dev);
	for (i = 0; i < sizeof(functions) / sizeof(functions[0]); i++)
		entry_of(&table, functions[i], 0);
	/* Each class has all leaves up to the last that it names. */
	leaf = entry_of(&table, 0, 0);
	EXPECT(leaf.eax >= 7, "the last basic leaf is 0x%x", leaf.eax);
	for (function = 0; function <= leaf.eax; function++)
		entry_of(&table, function, 0);
	leaf = entry_of(&table, 0x80000000, 0);
	for (function = 0x80000000; function <= leaf.eax; function++)
		entry_of(&table, function, 0);
	leaf = entry_of(&table, 0x40000000, 0);
	EXPECT_EQ(0x40000001, leaf.eax);
	EXPECT(memcmp(&leaf.ebx, "KVMKVMKVM\0\0", 12) == 0, "KVM's signature is not there");
	leaf = entry_of(&table, 0x80000001, 0);
	EXPECT(leaf.edx & 1 << 29, "no long mode");
	EXPECT(leaf.edx & 1 << 20, "no no-execute");
	leaf = entry_of(&table, 1, 0);
	EXPECT(leaf.ecx & 1 << 21, "no x2APIC");
	EXPECT_EQ(1 << 6 | 1 << 9 | 1 << 0, leaf.edx & (1 << 6 | 1 << 9 | 1 << 0));
	EXPECT_EQ(0, leaf.ecx & (1 << 3 | 1 << 27 | 1 << 31));
	leaf = entry_of(&table, 7, 0);
	EXPECT(leaf.ebx & 1 << 1, "no TSC_ADJUST");
	EXPECT(leaf.edx & 1 << 29, "no ARCH_CAPABILITIES");
	leaf = entry_of(&table, 0x80000008, 0);
	EXPECT((leaf.eax & 0xff) >= 36, "%u bits of physical addresses", leaf.eax & 0xff);
	EXPECT((leaf.eax >> 8 & 0xff) >= 48, "%u bits of linear addresses", leaf.eax >> 8 & 0xff);
}

/* Which leaves have subleaves is said by a flag, for each of them. */
static void offer_flags(void)
{
	static const uint32_t indexed[] = { 4, 7, 0xb, 0xd, 0x1f, 0x8000001d };
	struct table table;
	struct kvm_dev dev;
	uint32_t i, j;

	device_open(&dev);
	supported(&table, &dev);
	for (i = 0; i < table.head.nent; i++) {
		const struct kvm_cpuid_entry2 *entry = &table.entries[i];
		bool listed = false;

		for (j = 0; j < sizeof(indexed) / sizeof(indexed[0]); j++)
			listed |= entry->function == indexed[j];
		if (listed)
			EXPECT(entry->flags == KVM_CPUID_FLAG_SIGNIFCANT_INDEX,
			       "leaf 0x%x.%u: flags 0x%x", entry->function, entry->index,
			       entry->flags);
		else
			EXPECT(!entry->index, "leaf 0x%x has subleaf %u", entry->function,
			       entry->index);
		EXPECT(!(entry->padding[0] | entry->padding[1] | entry->padding[2]),
		       "leaf 0x%x: padding", entry->function);
	}
}

/* Never offered: mkvm has none of it. */
static void not_offered(void)
{
	struct kvm_cpuid_entry2 leaf, *more;
	struct table table;
	struct kvm_dev dev;

	device_open(&dev);
	if (!kvm_dev_is_mkvm(&dev))
		ktap_skip("stock kvm has more of this");
	supported(&table, &dev);
	leaf = entry_of(&table, 1, 0);
	EXPECT_EQ(0, leaf.ecx & (1 << 5 | 1 << 15)); /* VMX, PDCM */
	leaf = entry_of(&table, 7, 0);
	EXPECT_EQ(0, leaf.ebx & 1 << 2);		      /* SGX */
	EXPECT_EQ(0, leaf.ecx & (1 << 3 | 1 << 7 | 1 << 16)); /* PKU, CET_SS, LA57 */
	EXPECT_EQ(0, leaf.edx & (1 << 22 | 3 << 24 | 3 << 26 | 1U << 31 |
				 1 << 20)); /* AMX, SPEC_CTRL, CET_IBT */
	/*
	 * Of KVM's: the clock with both pairs of MSRs, its flag, that an OUT needs no time, steal
	 * time, the end of another one's HLT, interrupts to many, and POLL_CONTROL.
	 */
	leaf = entry_of(&table, 0x40000001, 0);
	EXPECT_EQ(1 << 0 | 1 << 1 | 1 << 3 | 1 << 5 | 1 << 7 | 1 << 11 | 1 << 12 | 1 << 24,
		  leaf.eax);
	leaf = entry_of(&table, 0x80000001, 0);
	EXPECT_EQ(0, leaf.ecx & 1 << 2); /* SVM */
	more = find(&table, 0x80000008, 0);
	EXPECT_EQ(0, more->ebx & 1 << 3); /* INVLPGB */
	more = find(&table, 0x80000021, 0);
	if (more)
		EXPECT_EQ(0, more->eax & 1 << 8); /* automatic IBRS */
}

static void offer_arguments(unsigned long nr)
{
	struct table table, exact;
	uint32_t nent, i;
	struct kvm_dev dev;

	device_open(&dev);
	memset(&exact, 0, sizeof(exact));
	exact.head.nent = MAX_ENTRIES;
	REQUIRE_OK(call(dev.fd, nr, &exact));
	nent = exact.head.nent;
	REQUIRE(nent && nent < MAX_ENTRIES, "%u entries", nent);
	for (i = 0; i < nent; i++) {
		memset(&table, 0x5a, sizeof(table));
		if (nr == KVM_GET_EMULATED_CPUID)
			memset(&table, 0, sizeof(table));
		table.head.nent = i;
		EXPECT_ERRNO(E2BIG, call(dev.fd, nr, &table));
		EXPECT_EQ(i, table.head.nent);
	}
	memset(&table, 0, sizeof(table));
	/* Stock kvm looks for room before it finds that a class has no emulated leaf. */
	table.head.nent = nent + (nr == KVM_GET_EMULATED_CPUID);
	EXPECT_ERRNO(0, call(dev.fd, nr, &table));
	EXPECT_EQ(nent, table.head.nent);
	/* Room for more than there can be. */
	table.head.nent = MAX_ENTRIES + 1;
	EXPECT_ERRNO(0, call(dev.fd, nr, &table));
	EXPECT_EQ(nent, table.head.nent);
	EXPECT_ERRNO(EFAULT, call(dev.fd, nr, NULL));
	EXPECT_ERRNO(EFAULT, call(dev.fd, nr, unreadable()));
}

static void supported_arguments(void)
{
	offer_arguments(KVM_GET_SUPPORTED_CPUID);
}

static void emulated_arguments(void)
{
	struct table table;
	struct kvm_dev dev;

	offer_arguments(KVM_GET_EMULATED_CPUID);
	device_open(&dev);
	memset(&table, 0, sizeof(table));
	table.head.nent = MAX_ENTRIES;
	table.entries[MAX_ENTRIES - 1].padding[2] = 1;
	EXPECT_ERRNO(EINVAL, call(dev.fd, KVM_GET_EMULATED_CPUID, &table));
	table.entries[MAX_ENTRIES - 1].padding[2] = 0;
	EXPECT_ERRNO(0, call(dev.fd, KVM_GET_EMULATED_CPUID, &table));
	EXPECT_EQ(0, table.entries[0].function);
}

/* An entry array of which only the head can be reached. */
static void entries_out_of_reach(void)
{
	char *pages = mmap(NULL, 2 * getpagesize(), PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct kvm_cpuid2 *head;
	struct guest guest;

	REQUIRE(pages != MAP_FAILED &&
		mprotect(pages + getpagesize(), getpagesize(), PROT_NONE) == 0);
	head = (void *)(pages + getpagesize() - sizeof(*head));
	guest_create(&guest, 1);
	head->nent = MAX_ENTRIES;
	EXPECT_ERRNO(EFAULT, call(guest.dev.fd, KVM_GET_SUPPORTED_CPUID, head));
	head->nent = MAX_ENTRIES;
	EXPECT_ERRNO(EFAULT, call(guest.vcpu[0].fd, KVM_GET_CPUID2, head));
	head->nent = 1;
	EXPECT_ERRNO(EFAULT, call(guest.vcpu[0].fd, KVM_SET_CPUID2, head));
	head->nent = 0;
	EXPECT_ERRNO(0, call(guest.vcpu[0].fd, KVM_SET_CPUID2, head));
}

/* What was set is what is got, but for the state that shows in it. */
static void read_back(void)
{
	struct table given, got;
	struct guest guest;
	uint32_t i;

	guest_create_without_cpuid(&guest, 1);
	got.head.nent = 0;
	EXPECT_ERRNO(0, call(guest.vcpu[0].fd, KVM_GET_CPUID2, &got));
	EXPECT_EQ(0, got.head.nent);
	supported(&given, &guest.dev);
	given.entries[0].eax = 0x7fff;
	find(&given, 1, 0)->ecx |= 1 << 27;
	EXPECT_ERRNO(0, call(guest.vcpu[0].fd, KVM_SET_CPUID2, &given));
	got.head.nent = given.head.nent - 1;
	EXPECT_ERRNO(E2BIG, call(guest.vcpu[0].fd, KVM_GET_CPUID2, &got));
	EXPECT_EQ(given.head.nent - 1, got.head.nent);
	got.head.nent = MAX_ENTRIES;
	EXPECT_ERRNO(0, call(guest.vcpu[0].fd, KVM_GET_CPUID2, &got));
	EXPECT_OR_DIFFERS(&guest.dev, "nent_told", given.head.nent == got.head.nent, "%u",
			  got.head.nent);
	/* CR4.OSXSAVE is clear, and XCR0 is 1. */
	find(&given, 1, 0)->ecx &= ~(1 << 27);
	find(&given, 0xd, 0)->ebx = 576;
	if (find(&given, 0xd, 1) && find(&given, 0xd, 1)->eax & 0xa)
		find(&given, 0xd, 1)->ebx = 576;
	for (i = 0; i < given.head.nent; i++)
		EXPECT(memcmp(&given.entries[i], &got.entries[i], sizeof(got.entries[i])) == 0,
		       "leaf 0x%x.%u is not as set", given.entries[i].function,
		       given.entries[i].index);
}

static void set_arguments(void)
{
	struct kvm_cpuid_entry2 *leaf;
	struct table table;
	struct guest guest;
	uint32_t width;
	int fd;

	guest_create(&guest, 1);
	fd = guest.vcpu[0].fd;
	supported(&table, &guest.dev);
	table.head.nent = MAX_ENTRIES + 1;
	EXPECT_ERRNO(E2BIG, call(fd, KVM_SET_CPUID2, &table));
	table.head.nent = 0xffffffff;
	EXPECT_ERRNO(E2BIG, call(fd, KVM_SET_CPUID2, &table));
	EXPECT_ERRNO(EFAULT, call(fd, KVM_SET_CPUID2, NULL));
	EXPECT_ERRNO(EFAULT, call(fd, KVM_GET_CPUID2, unreadable()));
	supported(&table, &guest.dev);
	leaf = find(&table, 0x80000008, 0);
	REQUIRE(leaf);
	for (width = 0; width < 256; width++) {
		leaf->eax = (leaf->eax & ~0xff00) | width << 8;
		EXPECT_ERRNO(width == 0 || width == 48 || width == 57 ? 0 : EINVAL,
			     call(fd, KVM_SET_CPUID2, &table));
	}
	/* A full table, and an empty one. */
	table.head.nent = MAX_ENTRIES;
	leaf->eax = 0x3030;
	EXPECT_ERRNO(0, call(fd, KVM_SET_CPUID2, &table));
	table.head.nent = 0;
	EXPECT_ERRNO(0, call(fd, KVM_SET_CPUID2, &table));
	table.head.nent = MAX_ENTRIES;
	EXPECT_ERRNO(0, call(fd, KVM_GET_CPUID2, &table));
	EXPECT_OR_DIFFERS(&guest.dev, "nent_told", !table.head.nent, "%u", table.head.nent);
}

/* The oldest form: entries without an index. */
static void set_old(void)
{
	struct {
		struct kvm_cpuid head;
		struct kvm_cpuid_entry entries[MAX_ENTRIES + 1];
	} old = { .head.nent = 2 };
	struct table got = { .head.nent = 2 };
	struct guest guest;
	int fd;

	guest_create(&guest, 1);
	fd = guest.vcpu[0].fd;
	old.entries[0] = (struct kvm_cpuid_entry){ .function = 0, .eax = 7, .ebx = 1, .ecx = 2 };
	old.entries[1] = (struct kvm_cpuid_entry){ .function = 7, .ebx = 0x81, .edx = 5 };
	EXPECT_ERRNO(0, call(fd, KVM_SET_CPUID, &old));
	EXPECT_ERRNO(0, call(fd, KVM_GET_CPUID2, &got));
	EXPECT_EQ(2, got.head.nent);
	EXPECT_EQ(7, got.entries[0].eax);
	EXPECT_EQ(0x81, got.entries[1].ebx);
	EXPECT_EQ(5, got.entries[1].edx);
	EXPECT_EQ(0, got.entries[1].flags);
	old.head.nent = MAX_ENTRIES + 1;
	EXPECT_ERRNO(E2BIG, call(fd, KVM_SET_CPUID, &old));
	EXPECT_ERRNO(EFAULT, call(fd, KVM_SET_CPUID, NULL));
}

guest_code(code_hlt, 64,
	   "hlt\n"
	   "hlt\n");

/* From the first run on the table may be set to itself only. */
static void frozen(void)
{
	struct table table, short_one;
	struct guest guest;
	int fd;

	guest_create(&guest, 1);
	fd = guest.vcpu[0].fd;
	supported(&table, &guest.dev);
	guest_load(&guest, code_hlt);
	guest_start(&guest, 0, MODE_LONG);
	/* A run that runs nothing freezes nothing. */
	guest.vcpu[0].run->immediate_exit = 1;
	EXPECT_ERRNO(EINTR, vcpu_run(&guest.vcpu[0]));
	guest.vcpu[0].run->immediate_exit = 0;
	find(&table, 1, 0)->eax ^= 1;
	EXPECT_ERRNO(0, call(fd, KVM_SET_CPUID2, &table));
	guest_run_to_hlt(&guest, 0);

	EXPECT_ERRNO(0, call(fd, KVM_SET_CPUID2, &table));
	find(&table, 1, 0)->eax ^= 1;
	EXPECT_ERRNO(EINVAL, call(fd, KVM_SET_CPUID2, &table));
	find(&table, 1, 0)->eax ^= 1;
	/* What the vCPU's state says is not compared. */
	find(&table, 1, 0)->ecx ^= 1 << 27;
	EXPECT_ERRNO(0, call(fd, KVM_SET_CPUID2, &table));
	short_one = table;
	short_one.head.nent--;
	EXPECT_ERRNO(EINVAL, call(fd, KVM_SET_CPUID2, &short_one));
	table.head.nent = MAX_ENTRIES + 1;
	EXPECT_ERRNO(E2BIG, call(fd, KVM_SET_CPUID2, &table));
	guest_run_to_hlt(&guest, 0);
}

/* Of CR4 and EFER the vCPU can have what its table has. */
static void state_follows(void)
{
	static const struct {
		uint32_t function, bit;
		bool ebx, ecx;
		uint64_t cr4;
	} features[] = {
		{ 1, 1 << 26, false, true, 1 << 18 }, /* XSAVE, OSXSAVE */
		{ 1, 1 << 17, false, true, 1 << 17 }, /* PCID */
		{ 7, 1 << 7, true, false, 1 << 20 },  /* SMEP */
		{ 7, 1 << 20, true, false, 1 << 21 }, /* SMAP */
		{ 7, 1 << 0, true, false, 1 << 16 },  /* FSGSBASE */
		{ 7, 1 << 2, false, true, 1 << 11 },  /* UMIP */
	};
	struct kvm_cpuid_entry2 *leaf;
	struct kvm_sregs sregs;
	struct table table;
	struct guest guest;
	struct vcpu *vcpu;
	bool had;
	size_t i;

	guest_create_without_cpuid(&guest, 1);
	vcpu = &guest.vcpu[0];
	for (i = 0; i < sizeof(features) / sizeof(features[0]); i++) {
		supported(&table, &guest.dev);
		leaf = find(&table, features[i].function, 0);
		had = (features[i].ebx ? leaf->ebx : leaf->ecx) & features[i].bit;
		/* Before the first table all that is offered is let through. */
		if (i == 0) {
			sregs = guest_sregs(&guest, 0);
			sregs.cr4 = features[i].cr4;
			EXPECT_ERRNO(had ? 0 : EINVAL, vcpu_set_sregs(vcpu, &sregs));
			sregs.cr4 = 0;
			REQUIRE_OK(vcpu_set_sregs(vcpu, &sregs));
		}
		REQUIRE_OK(call(vcpu->fd, KVM_SET_CPUID2, &table));
		sregs = guest_sregs(&guest, 0);
		sregs.cr4 = features[i].cr4;
		EXPECT_ERRNO(had ? 0 : EINVAL, vcpu_set_sregs(vcpu, &sregs));
		leaf->ebx &= features[i].ebx ? ~features[i].bit : ~0U;
		leaf->ecx &= features[i].ecx ? ~features[i].bit : ~0U;
		REQUIRE_OK(call(vcpu->fd, KVM_SET_CPUID2, &table));
		EXPECT_ERRNO(EINVAL, vcpu_set_sregs(vcpu, &sregs));
	}
}

/* A physical address that is too wide for CR3 is so by the guest's width. */
static void width_of_cr3(void)
{
	struct kvm_sregs sregs;
	struct table table;
	struct guest guest;
	struct vcpu *vcpu;

	guest_create(&guest, 1);
	vcpu = &guest.vcpu[0];
	supported(&table, &guest.dev);
	find(&table, 0x80000008, 0)->eax = 0x3024; /* 48 linear, 36 physical */
	REQUIRE_OK(call(vcpu->fd, KVM_SET_CPUID2, &table));
	guest_start(&guest, 0, MODE_LONG);
	sregs = guest_sregs(&guest, 0);
	sregs.cr3 |= 1ULL << 35;
	EXPECT_ERRNO(0, vcpu_set_sregs(vcpu, &sregs));
	sregs.cr3 = (sregs.cr3 & 0xfffff) | 1ULL << 36;
	EXPECT_ERRNO(EINVAL, vcpu_set_sregs(vcpu, &sregs));
}

static void set_width(struct vcpu *vcpu, struct table *table, uint32_t bits)
{
	find(table, 0x80000008, 0)->eax = 0x3000 | bits;
	REQUIRE_OK(call(vcpu->fd, KVM_SET_CPUID2, table));
}

/*
 * Physical addresses of widths that no processor has are taken, and told as they were given.  With
 * 64 and more no bit is too many; with 0 each is.
 */
static void widths_that_are_none(void)
{
	static const uint32_t wide[] = { 64, 65, 100, 255 };
	struct kvm_sregs sregs, high;
	struct table table, got;
	struct guest guest;
	struct vcpu *vcpu;
	size_t i;

	guest_create(&guest, 1);
	guest_load(&guest, code_hlt);
	vcpu = &guest.vcpu[0];
	supported(&table, &guest.dev);
	guest_start(&guest, 0, MODE_LONG);
	sregs = guest_sregs(&guest, 0);
	for (i = 0; i < sizeof(wide) / sizeof(wide[0]); i++) {
		set_width(vcpu, &table, wide[i]);
		got.head.nent = MAX_ENTRIES;
		REQUIRE_OK(call(vcpu->fd, KVM_GET_CPUID2, &got));
		EXPECT_EQ(0x3000 | wide[i], find(&got, 0x80000008, 0)->eax);
		high = sregs;
		high.cr3 |= 1ULL << 62;
		EXPECT_ERRNO(0, vcpu_set_sregs(vcpu, &high));
		high = sregs;
		high.apic_base |= 1ULL << 52;
		EXPECT_ERRNO(0, vcpu_set_sregs(vcpu, &high));
		EXPECT_ERRNO(0, vcpu_set_sregs(vcpu, &sregs));
	}
	set_width(vcpu, &table, 0);
	EXPECT_ERRNO(EINVAL, vcpu_set_sregs(vcpu, &sregs));
	sregs.apic_base = 0;
	EXPECT_ERRNO(EINVAL, vcpu_set_sregs(vcpu, &sregs));
	sregs.cr3 = 0;
	EXPECT_ERRNO(0, vcpu_set_sregs(vcpu, &sregs));
	set_width(vcpu, &table, 100);
	guest_start(&guest, 0, MODE_LONG);
	guest_run_to_hlt(&guest, 0);
}

static const struct ktap_test tests[] = {
	KTAP_TEST(extensions),
	KTAP_TEST(offer_is_rich),
	KTAP_TEST(offer_flags),
	KTAP_TEST(not_offered),
	KTAP_TEST(supported_arguments),
	KTAP_TEST(emulated_arguments),
	KTAP_TEST(entries_out_of_reach),
	KTAP_TEST(read_back),
	KTAP_TEST(set_arguments),
	KTAP_TEST(set_old),
	KTAP_TEST(frozen),
	KTAP_TEST(state_follows),
	KTAP_TEST(width_of_cr3),
	KTAP_TEST(widths_that_are_none),
};

KTAP_MAIN(tests)
