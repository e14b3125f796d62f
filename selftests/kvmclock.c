// SPDX-License-Identifier: GPL-2.0-only
/*
 * kvmclock: the page that a guest reads its time from, the wall clock, and the clock as user space
 * has it.
 *
 * Times are compared by their order.  Where one clock is compared with another the difference that
 * is let through is wide, as clocks of emulated machines go wrong by some hundredths.
 */
#include <asm/kvm_para.h>
#include <errno.h>
#include <linux/kvm.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <x86intrin.h>

#include "lib/cpuid.h"
#include "lib/guest.h"
#include "lib/host.h"

#define MSR_TSC	     0x10
#define MSR_OLD_WALL 0x11
#define MSR_OLD_TIME 0x12
#define MSR_WALL     0x4b564d00
#define MSR_TIME     0x4b564d01

#define NS	 1000000000ULL
#define SLACK	 (NS / 2)
#define PAGE_GPA (GUEST_DATA + 0x40)
#define WALL_GPA (GUEST_DATA + 0x800)
#define HOLE_GPA (GUEST_MEM_SIZE + 0x1000)

#define FLAG_STABLE  1
#define FLAG_STOPPED 2
#define ALL_FLAGS    (KVM_CLOCK_TSC_STABLE | KVM_CLOCK_REALTIME | KVM_CLOCK_HOST_TSC)

struct clock_page {
	uint32_t version, pad;
	uint64_t tsc, ns;
	uint32_t mul;
	int8_t shift;
	uint8_t flags, pad2[2];
};

struct wall_page {
	uint32_t version, sec, nsec;
};

/* Writes an MSR if one is named (rcx, rdi, rsi), reads the counter. */
guest_code(code_clock, 64,
	   "1: test %ecx, %ecx\n"
	   "jz 2f\n"
	   "mov %edi, %eax\n"
	   "mov %esi, %edx\n"
	   "wrmsr\n"
	   "2: rdtsc\n"
	   "shl $32, %rdx\n"
	   "or %rdx, %rax\n"
	   "out %al, $" S_SYNC "\n"
	   "jmp 1b\n");

static int call(int fd, unsigned long nr, void *arg)
{
	int ret = ioctl(fd, nr, arg);

	return ret < 0 ? -errno : ret;
}

static void start(struct guest *guest, unsigned int nr_cpus)
{
	unsigned int i;

	guest_create(guest, nr_cpus);
	guest_load(guest, code_clock);
	for (i = 0; i < nr_cpus; i++) {
		guest_start(guest, i, MODE_LONG);
		guest_enable_traps(guest, i);
	}
}

/* The guest's counter, read right now. */
static uint64_t read_tsc(struct guest *guest, unsigned int cpu)
{
	guest_run_to_sync(guest, cpu);
	return guest_regs(guest, cpu).rax;
}

/* The guest's next run begins with this WRMSR. */
static void name_msr(struct guest *guest, unsigned int cpu, uint32_t index, uint64_t value)
{
	struct kvm_regs regs = guest_regs(guest, cpu);

	regs.rcx = index;
	regs.rdi = (uint32_t)value;
	regs.rsi = value >> 32;
	REQUIRE_OK(vcpu_set_regs(&guest->vcpu[cpu], &regs));
}

static void write_msr(struct guest *guest, unsigned int cpu, uint32_t index, uint64_t value)
{
	name_msr(guest, cpu, index, value);
	guest_run_to_sync(guest, cpu);
	name_msr(guest, cpu, 0, 0);
}

static uint64_t get_msr(const struct guest *guest, uint32_t index)
{
	struct {
		struct kvm_msrs head;
		struct kvm_msr_entry entry;
	} msrs = { .head.nmsrs = 1, .entry.index = index };

	REQUIRE(vcpu_call(&guest->vcpu[0], KVM_GET_MSRS, &msrs) == 1, "MSR 0x%x", index);
	return msrs.entry.data;
}

static int set_msr_of(const struct vcpu *vcpu, uint32_t index, uint64_t value)
{
	struct {
		struct kvm_msrs head;
		struct kvm_msr_entry entry;
	} msrs = { .head.nmsrs = 1, .entry = { .index = index, .data = value } };

	return vcpu_call(vcpu, KVM_SET_MSRS, &msrs);
}

static int set_msr(const struct guest *guest, uint32_t index, uint64_t value)
{
	return set_msr_of(&guest->vcpu[0], index, value);
}

static volatile struct clock_page *page_of(const struct guest *guest, unsigned int cpu)
{
	return guest_at(guest, PAGE_GPA + cpu * sizeof(struct clock_page),
			sizeof(struct clock_page));
}

static void enable(struct guest *guest, unsigned int cpu)
{
	write_msr(guest, cpu, MSR_TIME, (PAGE_GPA + cpu * sizeof(struct clock_page)) | 1);
}

/* What the guest reckons from its page and @tsc. */
static uint64_t clock_at(volatile struct clock_page *page, uint64_t tsc)
{
	uint64_t ticks = tsc - page->tsc;

	ticks = page->shift < 0 ? ticks >> -page->shift : ticks << page->shift;
	return page->ns + (uint64_t)((__uint128_t)ticks * page->mul >> 32);
}

static uint64_t guest_clock(struct guest *guest, unsigned int cpu)
{
	uint64_t tsc = read_tsc(guest, cpu);

	EXPECT(!(page_of(guest, cpu)->version & 1), "the version is odd: %u",
	       page_of(guest, cpu)->version);
	return clock_at(page_of(guest, cpu), tsc);
}

static struct kvm_clock_data get_clock(const struct guest *guest)
{
	struct kvm_clock_data data;

	memset(&data, 0xff, sizeof(data));
	REQUIRE_OK(call(guest->vm.fd, KVM_GET_CLOCK, &data));
	return data;
}

static void set_clock(const struct guest *guest, uint64_t ns)
{
	struct kvm_clock_data data = { .clock = ns };

	REQUIRE_OK(call(guest->vm.fd, KVM_SET_CLOCK, &data));
}

static uint64_t time_of_day(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return now.tv_sec * NS + now.tv_nsec;
}

/* @value between two others, and some more. */
static void expect_between(const char *what, uint64_t from, uint64_t value, uint64_t to)
{
	uint64_t slack = SLACK + (to - from) / 8;

	EXPECT(value + slack >= from && value <= to + slack, "%s: %llu, not in %llu to %llu", what,
	       (unsigned long long)value, (unsigned long long)from, (unsigned long long)to);
}

/* Only then can the clock be a stable one. */
static bool host_reckons_with_tsc(void)
{
	return host_clocksource_is("tsc");
}

/* Both pairs of MSRs are the same registers; the page is written, and nothing around it. */
static void page_is_written(void)
{
	static const uint32_t msrs[] = { MSR_OLD_TIME, MSR_TIME };
	volatile struct clock_page *page;
	uint8_t *around;
	struct guest guest;
	uint64_t before;
	size_t i, k;

	for (i = 0; i < 2; i++) {
		start(&guest, 1);
		page = page_of(&guest, 0);
		around = guest_at(&guest, GUEST_DATA, 0x1000);
		memset(around, 0xcc, 0x1000);
		before = get_clock(&guest).clock;
		write_msr(&guest, 0, msrs[i], PAGE_GPA | 1);
		EXPECT_EQ(PAGE_GPA | 1, get_msr(&guest, MSR_OLD_TIME));
		EXPECT_EQ(PAGE_GPA | 1, get_msr(&guest, MSR_TIME));
		/* It was odd: the first even one behind the next odd one. */
		EXPECT_EQ(0xccccccce, page->version);
		EXPECT(page->mul & 1U << 31, "the factor is 0x%x", page->mul);
		expect_between("page", before, guest_clock(&guest, 0), get_clock(&guest).clock);
		for (k = 0; k < 0x1000; k++)
			if (k < 0x40 || k >= 0x60)
				EXPECT(around[k] == 0xcc, "byte 0x%zx was written", k);
		guest_destroy(&guest);
	}
}

/* What the page makes of a second's ticks, in ns. */
static uint64_t second_of(const struct guest *guest, int khz)
{
	uint64_t ticks = khz * 1000ULL;

	return clock_at(page_of(guest, 0), page_of(guest, 0)->tsc + ticks) - page_of(guest, 0)->ns;
}

/* The factor is what the counter's frequency makes it. */
static void follows_the_frequency(void)
{
	struct guest guest;
	uint64_t one;
	int khz;

	start(&guest, 1);
	enable(&guest, 0);
	khz = vcpu_call(&guest.vcpu[0], KVM_GET_TSC_KHZ, NULL);
	one = second_of(&guest, khz);
	EXPECT(one > NS - 1000 && one < NS + 1000, "%d kHz: %llu ns a second", khz,
	       (unsigned long long)one);
	if (!kvm_dev_extension(&guest.dev, KVM_CAP_TSC_CONTROL))
		return;
	khz *= 2;
	REQUIRE_OK(vcpu_call(&guest.vcpu[0], KVM_SET_TSC_KHZ, (void *)(long)khz));
	guest_run_to_sync(&guest, 0);
	one = second_of(&guest, khz);
	EXPECT_OR_DIFFERS(&guest.dev, "new_frequency", one > NS - 1000 && one < NS + 1000,
			  "%d kHz: %llu ns a second", khz, (unsigned long long)one);
}

/* Between two looks of user space at the clock lies what the guest sees, and it goes forward. */
static void goes_forward(void)
{
	uint64_t last = 0, now, before;
	struct guest guest;
	int i;

	start(&guest, 1);
	enable(&guest, 0);
	for (i = 0; i < 20; i++) {
		before = get_clock(&guest).clock;
		now = guest_clock(&guest, 0);
		expect_between("guest", before, now, get_clock(&guest).clock);
		EXPECT(now >= last, "%llu after %llu", (unsigned long long)now,
		       (unsigned long long)last);
		last = now;
	}
}

/* On whatever processor they are: if the pages say that the clock is stable they agree. */
static void vcpus_agree(void)
{
	uint64_t last = 0, now;
	bool stable = host_reckons_with_tsc();
	struct guest guest;
	unsigned int i;

	start(&guest, 2);
	enable(&guest, 0);
	enable(&guest, 1);
	for (i = 0; i < 24; i++) {
		host_pin(i / 3 % 2);
		now = guest_clock(&guest, i & 1);
		EXPECT_EQ(stable ? FLAG_STABLE : 0, page_of(&guest, i & 1)->flags);
		EXPECT(!stable || now >= last, "%llu after %llu", (unsigned long long)now,
		       (unsigned long long)last);
		last = now;
	}
	if (!stable)
		return;
	EXPECT_EQ(page_of(&guest, 0)->tsc, page_of(&guest, 1)->tsc);
	EXPECT_EQ(page_of(&guest, 0)->ns, page_of(&guest, 1)->ns);
}

/* A guest that has moved one of its counters cannot take one page for the other. */
static void moved_counter(void)
{
	uint64_t before, moved;
	struct guest guest;

	start(&guest, 2);
	enable(&guest, 0);
	enable(&guest, 1);
	before = guest_clock(&guest, 1);
	write_msr(&guest, 1, MSR_TSC, 1ULL << 60);
	moved = guest_clock(&guest, 1);
	EXPECT_OR_DIFFERS(&guest.dev, "moved_counter",
			  moved >= before && moved <= get_clock(&guest).clock + SLACK,
			  "the page still tells of the counter as it was");
	guest_run_to_sync(&guest, 0);
	EXPECT_OR_DIFFERS(&guest.dev, "stable_with_moved_counter",
			  !((page_of(&guest, 0)->flags | page_of(&guest, 1)->flags) & FLAG_STABLE),
			  "the clock is called stable");
	/* User space brings them together again. */
	set_msr_of(&guest.vcpu[0], MSR_TSC, 1ULL << 59);
	set_msr_of(&guest.vcpu[1], MSR_TSC, 1ULL << 59);
	expect_between("set", before, guest_clock(&guest, 0), get_clock(&guest).clock);
	expect_between("set", before, guest_clock(&guest, 1), get_clock(&guest).clock);
	EXPECT_EQ(host_reckons_with_tsc() ? FLAG_STABLE : 0, page_of(&guest, 0)->flags);
	EXPECT_EQ(host_reckons_with_tsc() ? FLAG_STABLE : 0, page_of(&guest, 1)->flags);
}

/*
 * The host's clock becomes another one, as when its TSC was found unreliable, and the TSC again:
 * the guest's goes on.  The host's timekeeper tells it at its next tick.
 */
static void clock_of_the_host_changes(void)
{
	uint64_t before, now, i;
	struct guest guest;
	char own[32];
	bool tsc;

	host_get_clocksource(own);
	start(&guest, 1);
	enable(&guest, 0);
	before = guest_clock(&guest, 0);
	for (i = 0; i < 4; i++) {
		host_set_clocksource(i & 1 ? own : "acpi_pm");
		nanosleep(&(struct timespec){ .tv_nsec = 50000000 }, NULL);
		tsc = host_reckons_with_tsc();
		host_pin(i / 2);
		now = guest_clock(&guest, 0);
		expect_between("clock", before, now, get_clock(&guest).clock);
		EXPECT(tsc || !page_of(&guest, 0)->flags, "the clock is called stable");
		EXPECT(tsc || !get_clock(&guest).flags, "user space is told so");
		EXPECT_OR_DIFFERS(&guest.dev, "stable_again",
				  !tsc || (page_of(&guest, 0)->flags == FLAG_STABLE &&
					   get_clock(&guest).flags == ALL_FLAGS),
				  "the clock is not called stable");
	}
}

/* The first pair of MSRs is older than the flag. */
static void old_msr_has_no_flag(void)
{
	struct guest guest;

	start(&guest, 1);
	write_msr(&guest, 0, MSR_OLD_TIME, PAGE_GPA | 1);
	guest_run_to_sync(&guest, 0);
	EXPECT_EQ(0, page_of(&guest, 0)->flags);
	EXPECT_EQ(0, get_clock(&guest).flags);
	enable(&guest, 0);
	guest_run_to_sync(&guest, 0);
	EXPECT_EQ(host_reckons_with_tsc() ? FLAG_STABLE : 0, page_of(&guest, 0)->flags);
}

static void clock_is_set(void)
{
	static const uint64_t values[] = { 1000000 * NS, 5 * NS, 1ULL << 62 };
	struct kvm_clock_data data = { .flags = 1 };
	volatile struct clock_page *page;
	uint32_t version;
	struct guest guest;
	size_t i;

	start(&guest, 1);
	enable(&guest, 0);
	page = page_of(&guest, 0);
	EXPECT_EQ(ALL_FLAGS, kvm_dev_extension(&guest.dev, KVM_CAP_ADJUST_CLOCK));
	for (i = 0; i < 3; i++) {
		version = page->version;
		set_clock(&guest, values[i]);
		expect_between("clock", values[i], get_clock(&guest).clock, values[i] + 60 * NS);
		expect_between("page", values[i], guest_clock(&guest, 0), values[i] + 60 * NS);
		EXPECT_EQ(version + 2, page->version);
	}
	EXPECT_ERRNO(EINVAL, call(guest.vm.fd, KVM_SET_CLOCK, &data));
	data.flags = 1 << 4;
	EXPECT_ERRNO(EINVAL, call(guest.vm.fd, KVM_SET_CLOCK, &data));
	data = (struct kvm_clock_data){ .clock = 1ULL << 63, .pad0 = 1 };
	EXPECT_OR_DIFFERS(&guest.dev, "padding", call(guest.vm.fd, KVM_SET_CLOCK, &data) == -EINVAL,
			  "it is let through");
	data = (struct kvm_clock_data){ .clock = 1ULL << 63, .pad[3] = 1 };
	EXPECT_OR_DIFFERS(&guest.dev, "padding", call(guest.vm.fd, KVM_SET_CLOCK, &data) == -EINVAL,
			  "it is let through");
	EXPECT_ERRNO(EFAULT, call(guest.vm.fd, KVM_SET_CLOCK, NULL));
	EXPECT_ERRNO(EFAULT, call(guest.vm.fd, KVM_GET_CLOCK, NULL));
	EXPECT(get_clock(&guest).clock >= values[2] &&
		       (!kvm_dev_is_mkvm(&guest.dev) || get_clock(&guest).clock < 1ULL << 63),
	       "a refused call has set the clock");
	/* What has passed since it was read is added; what has not is not taken away. */
	data = (struct kvm_clock_data){ .clock = 5 * NS,
					.flags = KVM_CLOCK_REALTIME,
					.realtime = time_of_day() - 1000 * NS };
	EXPECT_ERRNO(0, call(guest.vm.fd, KVM_SET_CLOCK, &data));
	expect_between("after 1000 s", 1005 * NS, guest_clock(&guest, 0), 1065 * NS);
	data.realtime = time_of_day() + 1000 * NS;
	EXPECT_ERRNO(0, call(guest.vm.fd, KVM_SET_CLOCK, &data));
	expect_between("before", 5 * NS, guest_clock(&guest, 0), 65 * NS);
}

/* What KVM_GET_CLOCK says besides. */
static void what_is_told(void)
{
	struct kvm_clock_data data;
	uint64_t tsc, day;
	struct guest guest;

	start(&guest, 1);
	enable(&guest, 0);
	tsc = __rdtsc();
	day = time_of_day();
	data = get_clock(&guest);
	EXPECT_EQ(host_reckons_with_tsc() ? ALL_FLAGS : 0, data.flags);
	EXPECT_EQ(0, data.pad0);
	EXPECT_EQ(0, data.pad[0] | data.pad[1] | data.pad[2] | data.pad[3]);
	if (data.flags) {
		expect_between("time of day", day, data.realtime, time_of_day());
		EXPECT(data.host_tsc >= tsc && data.host_tsc <= __rdtsc(), "the TSC is 0x%llx",
		       (unsigned long long)data.host_tsc);
	} else {
		EXPECT_EQ(0, data.realtime);
		EXPECT_EQ(0, data.host_tsc);
	}
}

/* The guest learns that it was stopped, and the flag stays until it clears it. */
static void guest_is_stopped(void)
{
	volatile struct clock_page *page;
	struct guest guest;

	start(&guest, 1);
	page = page_of(&guest, 0);
	EXPECT_EQ(1, kvm_dev_extension(&guest.dev, KVM_CAP_KVMCLOCK_CTRL));
	EXPECT_ERRNO(EINVAL, vcpu_call(&guest.vcpu[0], KVM_KVMCLOCK_CTRL, NULL));
	enable(&guest, 0);
	EXPECT_EQ(0, page->flags & FLAG_STOPPED);
	EXPECT_ERRNO(0, vcpu_call(&guest.vcpu[0], KVM_KVMCLOCK_CTRL, NULL));
	guest_run_to_sync(&guest, 0);
	EXPECT_EQ(FLAG_STOPPED, page->flags & FLAG_STOPPED);
	set_clock(&guest, 7 * NS);
	guest_run_to_sync(&guest, 0);
	EXPECT_EQ(FLAG_STOPPED, page->flags & FLAG_STOPPED);
	page->flags &= ~FLAG_STOPPED;
	set_clock(&guest, 8 * NS);
	guest_run_to_sync(&guest, 0);
	EXPECT_EQ(0, page->flags & FLAG_STOPPED);
	write_msr(&guest, 0, MSR_TIME, 0);
	EXPECT_ERRNO(EINVAL, vcpu_call(&guest.vcpu[0], KVM_KVMCLOCK_CTRL, NULL));
}

/* The time of day when the clock was 0. */
static void wall_clock(void)
{
	static const uint32_t msrs[] = { MSR_OLD_WALL, MSR_WALL };
	volatile struct wall_page *wall;
	struct guest guest;
	uint64_t before;
	size_t i;

	start(&guest, 1);
	enable(&guest, 0);
	wall = guest_at(&guest, WALL_GPA, sizeof(*wall));
	for (i = 0; i < 2; i++) {
		set_clock(&guest, (i + 1) * 1000 * NS);
		before = time_of_day();
		write_msr(&guest, 0, msrs[i], WALL_GPA);
		EXPECT_EQ(2 * i + 2, wall->version);
		EXPECT(wall->nsec < NS, "%u ns", wall->nsec);
		expect_between("time of day", before,
			       wall->sec * NS + wall->nsec + guest_clock(&guest, 0), time_of_day());
		EXPECT_EQ(WALL_GPA, get_msr(&guest, MSR_OLD_WALL));
		EXPECT_EQ(WALL_GPA, get_msr(&guest, MSR_WALL));
	}
	write_msr(&guest, 0, MSR_WALL, 0);
	EXPECT_EQ(4, wall->version);
}

/* Nothing there that could be written: the guest goes on, and the registers hold what they got. */
static void no_memory_there(void)
{
	static const uint64_t bad[] = { HOLE_GPA, GUEST_DATA + 0xff0, ~0xfffULL };
	struct guest guest;
	size_t i;

	start(&guest, 1);
	for (i = 0; i < 3; i++) {
		write_msr(&guest, 0, MSR_TIME, bad[i] | 1);
		EXPECT_EQ(bad[i] | 1, get_msr(&guest, MSR_TIME));
		set_clock(&guest, NS);
		read_tsc(&guest, 0);
	}
	write_msr(&guest, 0, MSR_WALL, HOLE_GPA);
	EXPECT_EQ(HOLE_GPA, get_msr(&guest, MSR_WALL));
	EXPECT_EQ(0, page_of(&guest, 0)->version);
	EXPECT_EQ(0, guest_nr_traps(&guest));
	enable(&guest, 0);
	guest_clock(&guest, 0);
	EXPECT_EQ(2, page_of(&guest, 0)->version);
	/* Not enabled, it is not written. */
	write_msr(&guest, 0, MSR_TIME, PAGE_GPA);
	set_clock(&guest, NS);
	read_tsc(&guest, 0);
	EXPECT_EQ(2, page_of(&guest, 0)->version);
}

static bool is_dirty(const struct guest *guest, uint64_t gpa)
{
	static uint64_t bits[GUEST_MEM_SIZE / 4096 / 64];
	struct kvm_dirty_log log = { .dirty_bitmap = bits };

	REQUIRE_OK(call(guest->vm.fd, KVM_GET_DIRTY_LOG, &log));
	return bits[gpa / 4096 / 64] & 1ULL << gpa / 4096 % 64;
}

/* Nobody but the kernel writes there. */
static void stores_are_logged(void)
{
	struct guest guest;

	start(&guest, 1);
	enable(&guest, 0);
	REQUIRE_OK(vm_set_slot(&guest.vm, 0, 0, guest.mem.size, guest.mem.host,
			       KVM_MEM_LOG_DIRTY_PAGES));
	is_dirty(&guest, 0);
	read_tsc(&guest, 0);
	set_clock(&guest, NS);
	read_tsc(&guest, 0);
	EXPECT(is_dirty(&guest, PAGE_GPA), "the page is not dirty");
	EXPECT(!is_dirty(&guest, PAGE_GPA), "the page is dirty again");
	write_msr(&guest, 0, MSR_WALL, WALL_GPA + 0x1000);
	EXPECT(is_dirty(&guest, WALL_GPA + 0x1000), "the wall clock's page is not dirty");
}

/* Another VM goes on with the clock, by what user space can save. */
static void saved_and_restored(void)
{
	struct kvm_clock_data data;
	struct guest guest, other;
	uint64_t last;

	start(&guest, 1);
	enable(&guest, 0);
	write_msr(&guest, 0, MSR_WALL, WALL_GPA);
	set_clock(&guest, 1000 * NS);
	last = guest_clock(&guest, 0);
	data = get_clock(&guest);
	start(&other, 1);
	EXPECT_EQ(1, set_msr(&other, MSR_TIME, get_msr(&guest, MSR_TIME)));
	EXPECT_EQ(1, set_msr(&other, MSR_WALL, get_msr(&guest, MSR_WALL)));
	EXPECT_EQ(1, set_msr(&other, MSR_TSC, get_msr(&guest, MSR_TSC)));
	data.flags &= KVM_CLOCK_REALTIME;
	REQUIRE_OK(call(other.vm.fd, KVM_SET_CLOCK, &data));
	expect_between("clock", last, guest_clock(&other, 0), last + 60 * NS);
	EXPECT_EQ(WALL_GPA, get_msr(&other, MSR_WALL));
}

/* What the kernel offers, but of KVM's leaves only the first pair of MSRs, and those elsewhere. */
static void tell_less(const struct guest *guest)
{
	struct cpuid cpuid;
	unsigned int i;

	REQUIRE_OK(cpuid_get_supported(&cpuid, &guest->dev));
	cpuid_find(&cpuid, 0x40000001, 0)->eax = 1 << KVM_FEATURE_CLOCKSOURCE;
	for (i = 0; i < cpuid.head.nent; i++)
		if (cpuid.entries[i].function >> 28 == 4)
			cpuid.entries[i].function += 0x100;
	REQUIRE_OK(cpuid_set(&guest->vcpu[0], &cpuid));
}

/* A guest that is told of less than there is may use no more, if user space wants it so. */
static void only_what_is_told(void)
{
	struct kvm_enable_cap cap = { .cap = KVM_CAP_ENFORCE_PV_FEATURE_CPUID, .args[0] = 1 };
	struct vcpu *vcpu;
	struct guest guest;

	guest_create_without_cpuid(&guest, 1);
	vcpu = &guest.vcpu[0];
	EXPECT_EQ(1, kvm_dev_extension(&guest.dev, KVM_CAP_ENFORCE_PV_FEATURE_CPUID));
	EXPECT_EQ(1, set_msr(&guest, MSR_TIME, 0));
	EXPECT_ERRNO(0, vcpu_call(vcpu, KVM_ENABLE_CAP, &cap));
	EXPECT_EQ(0, set_msr(&guest, MSR_TIME, PAGE_GPA | 1));
	EXPECT_EQ(0, set_msr(&guest, MSR_OLD_TIME, PAGE_GPA | 1));
	tell_less(&guest);
	EXPECT_EQ(1, set_msr(&guest, MSR_OLD_TIME, PAGE_GPA));
	EXPECT_EQ(0, set_msr(&guest, MSR_TIME, PAGE_GPA | 1));
	guest_load(&guest, code_clock);
	guest_start(&guest, 0, MODE_LONG);
	guest_enable_traps(&guest, 0);
	write_msr(&guest, 0, MSR_OLD_TIME, PAGE_GPA | 1);
	EXPECT_EQ(0, guest_nr_traps(&guest));
	name_msr(&guest, 0, MSR_TIME, PAGE_GPA | 1);
	guest_run_to_hlt(&guest, 0);
	EXPECT_EQ(1, guest_nr_traps(&guest));
	EXPECT_EQ(13, guest_trap(&guest, 0).vector);
	cap.args[0] = 0;
	EXPECT_ERRNO(0, vcpu_call(vcpu, KVM_ENABLE_CAP, &cap));
	EXPECT_EQ(1, set_msr(&guest, MSR_TIME, PAGE_GPA | 1));
	cap.flags = 1;
	EXPECT_ERRNO(EINVAL, vcpu_call(vcpu, KVM_ENABLE_CAP, &cap));
	cap.flags = 0;
	cap.cap = KVM_CAP_USER_MEMORY;
	EXPECT_ERRNO(EINVAL, vcpu_call(vcpu, KVM_ENABLE_CAP, &cap));
}

static const struct ktap_test tests[] = {
	KTAP_TEST(page_is_written),	KTAP_TEST(follows_the_frequency),
	KTAP_TEST(goes_forward),	KTAP_TEST(vcpus_agree),
	KTAP_TEST(moved_counter),	KTAP_TEST(clock_of_the_host_changes),
	KTAP_TEST(old_msr_has_no_flag), KTAP_TEST(clock_is_set),
	KTAP_TEST(what_is_told),	KTAP_TEST(guest_is_stopped),
	KTAP_TEST(wall_clock),		KTAP_TEST(no_memory_there),
	KTAP_TEST(stores_are_logged),	KTAP_TEST(saved_and_restored),
	KTAP_TEST(only_what_is_told),
};

KTAP_MAIN(tests)
