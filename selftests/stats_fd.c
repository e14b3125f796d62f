// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM_GET_STATS_FD: the binary form, that it can be read anywhere and at any time, and that the
 * values are what happened.
 */
#include <errno.h>
#include <linux/mkvm.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/guest.h"
#include "lib/names.h"
#include "lib/stats.h"

#define FIRST_PAGE 0x100000UL
#define PAGES	   50

guest_code(code_write, 64,
	   "1: movl $1, (%rdi)\n"
	   "add $0x1000, %rdi\n"
	   "dec %rcx\n"
	   "jnz 1b\n"
	   "out %al, $" S_SYNC "\n"
	   "hlt\n");
guest_code(code_spin, 64,
	   "1: cmpq $0, " S_SHARED "\n"
	   "je 1b\n"
	   "hlt\n");

static void set_up(struct guest *guest)
{
	guest_create(guest, 1);
	guest_load(guest, code_write);
	guest_start(guest, 0, MODE_LONG);
}

static void run_pages(struct guest *guest, uint64_t gpa, uint64_t pages)
{
	struct kvm_regs regs = guest_regs(guest, 0);

	regs.rip = GUEST_CODE;
	regs.rdi = gpa;
	regs.rcx = pages;
	REQUIRE_OK(vcpu_set_regs(&guest->vcpu[0], &regs));
	guest_run_to_sync(guest, 0);
	guest_run_to_hlt(guest, 0);
}

/* What the header says is where it says, without overlaps, and the file ends behind the values. */
static void form_of(int of)
{
	struct stats stats;
	size_t row, end = 0;
	char id[256] = "";
	unsigned int i;
	uint64_t value;

	stats_open(&stats, of);
	row = sizeof(struct kvm_stats_desc) + stats.header.name_size;
	EXPECT(stats.header.id_offset >= sizeof(stats.header));
	EXPECT(stats.header.desc_offset >= stats.header.id_offset + stats.header.name_size);
	EXPECT(stats.header.data_offset >= stats.header.desc_offset + row * stats.header.num_desc);
	REQUIRE(pread(stats.fd, id, stats.header.name_size, stats.header.id_offset) ==
		(ssize_t)stats.header.name_size);
	EXPECT(id[0] && memchr(id, 0, stats.header.name_size));
	for (i = 0; i < stats.header.num_desc; i++) {
		const struct kvm_stats_desc *desc = stats_desc(&stats, i);

		EXPECT(desc->name[0], "value %u has no name", i);
		EXPECT((desc->flags & KVM_STATS_TYPE_MASK) >> KVM_STATS_TYPE_SHIFT <= 4);
		EXPECT(desc->size >= 1);
		EXPECT_EQ(0, desc->offset % 8);
		if (desc->offset + 8UL * desc->size > end)
			end = desc->offset + 8UL * desc->size;
	}
	EXPECT_EQ(0, pread(stats.fd, &value, 8, stats.header.data_offset + end));
	EXPECT_EQ(8, pread(stats.fd, &value, 8, stats.header.data_offset + end - 8));
	EXPECT_EQ(3, pread(stats.fd, &value, 8, stats.header.data_offset + end - 3));
	/* One read after the other gets what one read gets. */
	EXPECT_EQ(8, read(stats.fd, id, 8));
	EXPECT_ERRNO(EFAULT, pread(stats.fd, (void *)-4096L, 8, 0) < 0 ? -errno : 0);
	EXPECT_ERRNO(EBADF, write(stats.fd, id, 1) < 0 ? -errno : 0);
}

static void form(void)
{
	struct guest guest;

	set_up(&guest);
	EXPECT_EQ(1, kvm_dev_extension(&guest.dev, KVM_CAP_BINARY_STATS_FD));
	form_of(guest.vm.fd);
	form_of(guest.vcpu[0].fd);
}

/* Names that kvm and mkvm have in common. */
static void values(void)
{
	struct stats vcpu, vm;
	uint64_t faults, fixed, exits, io, pages;
	struct guest guest;

	set_up(&guest);
	stats_open(&vcpu, guest.vcpu[0].fd);
	stats_open(&vm, guest.vm.fd);
	EXPECT_EQ(0, stats_value(&vcpu, "exits"));
	run_pages(&guest, FIRST_PAGE - 0x1000, 1);
	faults = stats_value(&vcpu, "pf_taken");
	fixed = stats_value(&vcpu, "pf_fixed");
	exits = stats_value(&vcpu, "exits");
	io = stats_value(&vcpu, "io_exits");
	pages = stats_value(&vm, "pages_4k");
	run_pages(&guest, FIRST_PAGE, PAGES);
	EXPECT_EQ(PAGES, stats_value(&vcpu, "pf_taken") - faults);
	EXPECT_EQ(PAGES, stats_value(&vcpu, "pf_fixed") - fixed);
	EXPECT_EQ(PAGES, stats_value(&vm, "pages_4k") - pages);
	EXPECT_EQ(1, stats_value(&vcpu, "io_exits") - io);
	EXPECT(stats_value(&vcpu, "exits") - exits >= PAGES + 2);
	EXPECT(stats_value(&vcpu, "halt_exits") >= 2);
}

/* mkvm's own: the counts of MKVM_GET_COUNTS by another way. */
static void causes(void)
{
	static struct counts counts;
	struct guest guest;
	struct stats vcpu;
	char name[64];
	unsigned int i;

	set_up(&guest);
	if (!kvm_dev_is_mkvm(&guest.dev))
		ktap_skip("the causes are mkvm's own");
	stats_open(&vcpu, guest.vcpu[0].fd);
	run_pages(&guest, FIRST_PAGE, PAGES);
	guest_counts(&guest, 0, &counts);
	for (i = 1; i < MKVM_NR_CAUSES; i++) {
		snprintf(name, sizeof(name), "mkvm_cause_%s", name_of_cause(i));
		EXPECT_EQ(counts.sum.causes[i], stats_value(&vcpu, name));
	}
	EXPECT_EQ(counts.sum.entries, stats_value(&vcpu, "mkvm_entries"));
	EXPECT_EQ(counts.sum.exits, stats_value(&vcpu, "exits"));
	EXPECT_EQ(counts.sum.mmu_exits, stats_value(&vcpu, "pf_taken"));
}

static void *run_to_hlt(void *data)
{
	guest_run_to_hlt(data, 0);
	return NULL;
}

static void read_while_running(void)
{
	struct stats vcpu, vm;
	struct guest guest;
	pthread_t thread;
	uint64_t last = 0;
	int i;

	set_up(&guest);
	guest_load(&guest, code_spin);
	stats_open(&vcpu, guest.vcpu[0].fd);
	stats_open(&vm, guest.vm.fd);
	REQUIRE(!pthread_create(&thread, NULL, run_to_hlt, &guest));
	for (i = 0; i < 1000; i++) {
		uint64_t exits = stats_value(&vcpu, "exits");

		EXPECT(exits >= last);
		last = exits;
		stats_value(&vm, "pages_4k");
	}
	guest_shared(&guest)[0] = 1;
	REQUIRE(!pthread_join(thread, NULL));
}

/* The descriptor outlives all others, and goes to other processes. */
static void outlives_the_vm(void)
{
	struct stats vcpu, vm;
	struct guest guest;
	uint64_t exits;
	int status;
	pid_t child;

	set_up(&guest);
	stats_open(&vcpu, guest.vcpu[0].fd);
	stats_open(&vm, guest.vm.fd);
	run_pages(&guest, FIRST_PAGE, PAGES);
	exits = stats_value(&vcpu, "exits");
	guest_destroy(&guest);
	EXPECT_EQ(exits, stats_value(&vcpu, "exits"));
	stats_value(&vm, "pages_4k");
	child = fork();
	REQUIRE(child >= 0);
	if (!child)
		_exit(stats_value(&vcpu, "exits") == exits ? 0 : 1);
	REQUIRE(waitpid(child, &status, 0) == child);
	EXPECT_EQ(0, status);
	close(vcpu.fd);
	stats_value(&vm, "pages_4k");
	close(vm.fd);
}

#define RUN_BYTES 1024 /* of neighbouring slots in a set */

/* Where VMX lists what is written each vCPU has a page for that, before it has anything else. */
static void bytes_of_lists(void)
{
	struct guest guest;
	struct stats stats;
	uint64_t before;
	bool lists;

	guest_create(&guest, 1);
	if (!kvm_dev_is_mkvm(&guest.dev))
		ktap_skip("kvm does not count bytes");
	lists = kvm_dev_extension(&guest.dev, MKVM_CAP_DIRTY_LOG_MODE) & MKVM_DIRTY_LOG_PML;
	stats_open(&stats, guest.vm.fd);
	before = stats_value(&stats, "mkvm_metadata_bytes");
	guest_add_cpus(&guest, 3);
	EXPECT_EQ(before + (lists ? 3 * 4096 : 0), stats_value(&stats, "mkvm_metadata_bytes"));
	stats_close(&stats);
	guest_destroy(&guest);
}

/*
 * A log costs two bits a page, and all that was taken for a slot is given back.  Who only adds one
 * leaves the former set to who waits for its readers.
 */
static void bytes(void)
{
	uint64_t before, added, plain, logged;
	struct guest guest;
	struct stats stats;
	void *host;

	set_up(&guest);
	if (!kvm_dev_is_mkvm(&guest.dev))
		ktap_skip("kvm does not count bytes");
	stats_open(&stats, guest.vm.fd);
	run_pages(&guest, FIRST_PAGE, PAGES);
	EXPECT_EQ(stats_value(&stats, "mkvm_table_pages") * 4096,
		  stats_value(&stats, "mkvm_table_bytes"));
	host = mmap(NULL, 1000 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	REQUIRE(host != MAP_FAILED);
	REQUIRE_OK(vm_set_slot(&guest.vm, 1, 1UL << 30, 1000 * 4096, host, 0));
	REQUIRE_OK(vm_set_slot(&guest.vm, 1, 1UL << 30, 0, NULL, 0));
	before = stats_value(&stats, "mkvm_metadata_bytes");
	REQUIRE_OK(vm_set_slot(&guest.vm, 1, 1UL << 30, 1000 * 4096, host, 0));
	added = stats_value(&stats, "mkvm_metadata_bytes");
	REQUIRE_OK(
		vm_set_slot(&guest.vm, 1, 1UL << 30, 1000 * 4096, host, KVM_MEM_LOG_DIRTY_PAGES));
	logged = stats_value(&stats, "mkvm_metadata_bytes");
	REQUIRE_OK(vm_set_slot(&guest.vm, 1, 1UL << 30, 1000 * 4096, host, 0));
	plain = stats_value(&stats, "mkvm_metadata_bytes");
	EXPECT(plain > before);
	EXPECT_EQ(plain + 2 * 16 * 8, logged);
	EXPECT(added > plain + RUN_BYTES, "%llu bytes with what is retired, %llu without",
	       (unsigned long long)added, (unsigned long long)plain);
	REQUIRE_OK(vm_set_slot(&guest.vm, 1, 1UL << 30, 0, NULL, 0));
	EXPECT_EQ(before, stats_value(&stats, "mkvm_metadata_bytes"));
	stats_close(&stats);
	guest_destroy(&guest);
}

static const struct ktap_test tests[] = {
	KTAP_TEST(form),
	KTAP_TEST(values),
	KTAP_TEST(causes),
	KTAP_TEST(read_while_running),
	KTAP_TEST(outlives_the_vm),
	KTAP_TEST(bytes_of_lists),
	KTAP_TEST(bytes),
};

KTAP_MAIN(tests)
