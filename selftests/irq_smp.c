// SPDX-License-Identifier: GPL-2.0-only
/*
 * Several processors: started by INIT and start-up interrupts, who is meant by a destination, and
 * what wakes a halted one.
 */
#include <errno.h>
#include <linux/kvm.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/host.h"
#include "lib/smp.h"

/* clang-format off */
guest_code(code_all, 64,
	   S_APIC
	   "test %edi, %edi\n"
	   "jnz 2f\n"
	   S_START_OTHERS
	   S_LOOK
	   "2: sti\n"
	   "hlt\n"
	   "jmp 2b\n");
/* clang-format on */

static void start(unsigned int nr)
{
	static struct smp smp;

	SMP_CREATE(&smp, nr, code_all);
	smp_run_others(&smp);
	guest_run_to_sync(&smp.guest, 0);
	EXPECT_EQ(nr - 1, smp_started(&smp));
}

static void start_2(void)
{
	start(2);
}

static void start_8(void)
{
	start(8);
}

static void start_64(void)
{
	start(64);
}

/* QEMU may deliver one twice, as in irq_storm.c. */
static void expect_count(const struct guest *guest, uint8_t vector, uint64_t count)
{
	uint64_t came = vec_count(guest, vector);

	EXPECT(came == count || (host_is_qemu() && came > count), "0x%x came %llu times, not %llu",
	       vector, (unsigned long long)came, (unsigned long long)count);
}

/* Of a set one at a time gets an interrupt of lowest priority; who is not in it gets none. */
/* clang-format off */
guest_code(code_lowest, 64,
	   S_APIC
	   "lea 1(%rdi), %ecx\n"
	   "mov $0x800000, %eax\n"
	   "shl %cl, %eax\n" /* 1 << id in bits 31:24 */
	   "mov %eax, " STRING(APIC_LDR) "(%rbx)\n"
	   "test %edi, %edi\n"
	   "jnz 2f\n"
	   S_START_OTHERS
	   "mov $1000000, %eax\n" /* they set their LDR */
	   "5: dec %eax\n"
	   "jnz 5b\n"
	   S_SET(APIC_ICR2, 0x0e000000) /* 1, 2 and 3 */
	   "xor %r12d, %r12d\n"
	   "1: inc %r12d\n"
	   S_SET(APIC_ICR, 0x4962)
	   "3: pause\n"
	   "cmp %r12, " STRING(VEC_COUNTS) " + 8 * 0x62\n"
	   "jb 3b\n"
	   "cmp $30, %r12\n"
	   "jb 1b\n"
	   S_LOOK
	   "2: sti\n"
	   "hlt\n"
	   "jmp 2b\n");
/* clang-format on */

static void lowest_priority(void)
{
	static struct stats stats[5];
	static struct smp smp;
	unsigned int i, by_cpu[5] = {};

	SMP_CREATE(&smp, 5, code_lowest);
	smp_stats_open(&smp, stats);
	smp_run_others(&smp);
	guest_run_to_sync(&smp.guest, 0);
	expect_count(&smp.guest, 0x62, 30);
	if (kvm_dev_is_mkvm(&smp.guest.dev))
		EXPECT_EQ(30, smp_injections(&smp, stats));
	for (i = 0; i < 30; i++)
		by_cpu[vec_log_cpu(&smp.guest, i) % 5]++;
	EXPECT_EQ(0, by_cpu[0]);
	EXPECT_EQ(0, by_cpu[4]);
	EXPECT_EQ(30, by_cpu[1] + by_cpu[2] + by_cpu[3]);
}

/*
 * Who is meant by a message's destination: 20 local APICs, of which each has its bit in IRR or not.
 * Logical IDs are those that systems choose: a bit each of the first 8, or clusters of 4.
 */
#define NR_DESTS 20
#define ALL	 ((1u << NR_DESTS) - 1)
#define LOGICAL	 4 /* of the address */

enum dest_mode {
	FLAT,
	CLUSTERS,
	X2APIC,
};

static const struct {
	enum dest_mode mode;
	uint32_t flags;
	uint32_t dest;
	uint32_t set;
} dests[] = {
	{ FLAT, 0, 3, 1u << 3 },
	{ FLAT, 0, 19, 1u << 19 },
	{ FLAT, 0, 20, 0 },
	{ FLAT, 0, 0xff, ALL },
	{ FLAT, LOGICAL, 0x01, 1u << 0 },
	{ FLAT, LOGICAL, 0x86, 1u << 1 | 1u << 2 | 1u << 7 },
	{ FLAT, LOGICAL, 0x00, 0 },
	{ FLAT, LOGICAL, 0xff, ALL },
	{ CLUSTERS, 0, 5, 1u << 5 },
	{ CLUSTERS, LOGICAL, 0x05, 1u << 0 | 1u << 2 },
	{ CLUSTERS, LOGICAL, 0x1f, 0xfu << 4 },
	{ CLUSTERS, LOGICAL, 0x48, 1u << 19 },
	{ CLUSTERS, LOGICAL, 0x4f, 0xfu << 16 },
	{ CLUSTERS, LOGICAL, 0x5f, 0 },
	{ CLUSTERS, LOGICAL, 0xff, ALL },
	{ X2APIC, 0, 17, 1u << 17 },
	{ X2APIC, 0, 0x100, 0 },
	{ X2APIC, 0, 0xff, 0 },
	{ X2APIC, 0, 0xffffffff, ALL },
	{ X2APIC, LOGICAL, 0x00008006, 1u << 1 | 1u << 2 | 1u << 15 },
	{ X2APIC, LOGICAL, 0x0001000a, 1u << 17 | 1u << 19 },
	{ X2APIC, LOGICAL, 0x00020001, 0 },
	{ X2APIC, LOGICAL, 0xffffffff, ALL },
};

static void dest_create(struct guest *guest, enum dest_mode mode)
{
	unsigned int i;

	vec_create(guest, NR_DESTS, VEC_KERNEL);
	/* IDs of 32 bits, of which 255 is one. */
	if (mode == X2APIC)
		REQUIRE_OK(vm_enable_cap(&guest->vm, KVM_CAP_X2APIC_API, 3));
	for (i = 0; i < NR_DESTS; i++) {
		if (mode == X2APIC)
			vec_set_apic_base(guest, i,
					  APIC_GPA | APIC_BASE_ON | APIC_BASE_X2 |
						  (i ? 0 : APIC_BASE_BSP));
		vec_set_apic(guest, i, APIC_SVR, 0x1ff);
		if (mode == CLUSTERS)
			vec_set_apic(guest, i, APIC_DFR, 0x0fffffff);
		if (mode == FLAT && i < 8)
			vec_set_apic(guest, i, APIC_LDR, 1u << (24 + i));
		if (mode == CLUSTERS)
			vec_set_apic(guest, i, APIC_LDR, (i / 4) << 28 | 1u << (24 + i % 4));
	}
}

static uint32_t who_got(const struct guest *guest, uint8_t vector)
{
	uint32_t set = 0;
	unsigned int i;

	for (i = 0; i < NR_DESTS; i++)
		set |= (uint32_t)vec_apic_bit(guest, i, APIC_IRR, vector) << i;
	return set;
}

static void destinations_of(enum dest_mode mode)
{
	struct guest guest;
	unsigned int i;
	uint32_t set;
	int answer;

	dest_create(&guest, mode);
	for (i = 0; i < sizeof(dests) / sizeof(dests[0]); i++) {
		struct kvm_msi msi = {
			.address_lo = APIC_GPA | (dests[i].dest & 0xff) << 12 | dests[i].flags,
			.address_hi = dests[i].dest & ~0xffu,
			.data = 0x40 + i,
		};

		if (dests[i].mode != mode)
			continue;
		answer = vm_call(&guest, KVM_SIGNAL_MSI, &msi);
		set = who_got(&guest, 0x40 + i);
		EXPECT(set == dests[i].set, "destination 0x%x (0x%x): 0x%x", dests[i].dest,
		       dests[i].flags, set);
		EXPECT(answer == __builtin_popcount(dests[i].set), "destination 0x%x (0x%x): %d",
		       dests[i].dest, dests[i].flags, answer);
	}
	guest_destroy(&guest);
}

static void destinations(void)
{
	destinations_of(FLAT);
	destinations_of(CLUSTERS);
	destinations_of(X2APIC);
}

/* Two processors whose IDs have the lower eight bits in common, in xAPIC mode. */
static void wide_ids_of(bool wide)
{
	struct kvm_msi narrow = { .address_lo = APIC_GPA | 44 << 12, .data = 0x45 };
	struct kvm_msi whole = { .address_lo = APIC_GPA | 44 << 12, .address_hi = 0x100 };
	struct guest guest;

	vec_create(&guest, 1, VEC_KERNEL);
	if (wide)
		REQUIRE_OK(vm_enable_cap(&guest.vm, KVM_CAP_X2APIC_API, 3));
	REQUIRE_OK(vcpu_create(&guest.vcpu[1], &guest.dev, &guest.vm, 44));
	REQUIRE_OK(vcpu_create(&guest.vcpu[2], &guest.dev, &guest.vm, 300));
	guest.nr_cpus = 3;
	vec_set_apic(&guest, 1, APIC_SVR, 0x1ff);
	vec_set_apic(&guest, 2, APIC_SVR, 0x1ff);
	EXPECT_EQ(44 << 24, vec_apic(&guest, 2, APIC_ID));
	/* Eight bits are both; if there are wide IDs, the one's that they are enough for. */
	EXPECT_EQ(wide ? 1 : 2, vm_call(&guest, KVM_SIGNAL_MSI, &narrow));
	EXPECT(vec_apic_bit(&guest, 1, APIC_IRR, 0x45), "44 has got nothing");
	EXPECT_EQ(!wide, vec_apic_bit(&guest, 2, APIC_IRR, 0x45));
	if (wide) {
		whole.data = 0x46;
		EXPECT_EQ(1, vm_call(&guest, KVM_SIGNAL_MSI, &whole));
		EXPECT(vec_apic_bit(&guest, 2, APIC_IRR, 0x46), "300 has got nothing");
		EXPECT(!vec_apic_bit(&guest, 1, APIC_IRR, 0x46), "44 has got it");
		whole.data = 0x4500;
		EXPECT_EQ(1, vm_call(&guest, KVM_SIGNAL_MSI, &whole));
		EXPECT_EQ(KVM_MP_STATE_INIT_RECEIVED, vec_mp_state(&guest, 2));
		EXPECT_EQ(KVM_MP_STATE_UNINITIALIZED, vec_mp_state(&guest, 1));
	}
	guest_destroy(&guest);
}

static void wide_ids(void)
{
	wide_ids_of(true);
	wide_ids_of(false);
}

/* The states between INIT and running, as user space sees them. */
/* clang-format off */
guest_code(code_states, 64,
	   S_APIC
	   S_SET(APIC_ICR2, 0x01000000)
	   S_SET(APIC_ICR, 0x4609) /* lost: not before INIT */
	   S_LOOK
	   S_SET(APIC_ICR, 0xc500)
	   S_SET(APIC_ICR, 0x8500) /* its end: nothing */
	   S_LOOK
	   S_SET(APIC_ICR, 0x4612)
	   S_LOOK);
/* clang-format on */

static void states(void)
{
	struct guest guest;
	struct kvm_sregs sregs;

	vec_create(&guest, 2, VEC_KERNEL);
	guest_load(&guest, code_states);
	vec_start(&guest, 0);
	guest_run_to_sync(&guest, 0);
	EXPECT_EQ(KVM_MP_STATE_UNINITIALIZED, vec_mp_state(&guest, 1));
	guest_run_to_sync(&guest, 0);
	EXPECT_EQ(KVM_MP_STATE_INIT_RECEIVED, vec_mp_state(&guest, 1));
	guest_run_to_sync(&guest, 0);
	EXPECT_EQ(KVM_MP_STATE_RUNNABLE, vec_mp_state(&guest, 1));
	sregs = guest_sregs(&guest, 1);
	EXPECT_EQ(0x1200, sregs.cs.selector);
	EXPECT_EQ(0x12000, sregs.cs.base);
	EXPECT_EQ(0, guest_regs(&guest, 1).rip);
	EXPECT_EQ(0, sregs.cr0 & 1);
	guest_destroy(&guest);
}

/* clang-format off */
guest_code(code_halt, 64,
	   S_APIC
	   "1: sti\n"
	   "hlt\n"
	   S_LOOK
	   "jmp 1b\n");
/* clang-format on */

static void *run_once(void *data)
{
	struct guest *guest = data;

	return (void *)(long)vcpu_run(&guest->vcpu[0]);
}

static void handle(int signal)
{
	(void)signal;
}

/* The thread sleeps, in the kernel: the only state that it can be in from then on. */
static void wait_until_halted(pid_t tid)
{
	char path[64], line[256];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", tid);
	for (;;) {
		file = fopen(path, "re");
		REQUIRE(file && fgets(line, sizeof(line), file), "%s", path);
		fclose(file);
		if (strstr(line, ") S "))
			return;
		usleep(1000);
	}
}

struct halted {
	struct guest guest;
	volatile pid_t tid;
};

static void *run_halted(void *data)
{
	struct halted *halted = data;

	halted->tid = gettid();
	return run_once(&halted->guest);
}

static pthread_t halt(struct halted *halted)
{
	pthread_t thread;

	halted->tid = 0;
	REQUIRE(!pthread_create(&thread, NULL, run_halted, halted));
	while (!halted->tid)
		usleep(1000);
	wait_until_halted(halted->tid);
	return thread;
}

static long joined(pthread_t thread)
{
	void *answer;

	REQUIRE(!pthread_join(thread, &answer));
	return (long)answer;
}

static void wakes_up(void)
{
	struct kvm_msi msi = { .address_lo = APIC_GPA, .data = 0x45 };
	struct halted halted = {};
	struct guest *guest = &halted.guest;
	pthread_t thread;

	signal(SIGUSR1, handle);
	vec_create(guest, 1, VEC_KERNEL);
	guest_load(guest, code_halt);
	vec_start(guest, 0);
	vec_ioapic_pin(guest, 20, 0x46);

	/* A signal ends KVM_RUN; the vCPU stays halted. */
	thread = halt(&halted);
	pthread_kill(thread, SIGUSR1);
	EXPECT_EQ(-EINTR, joined(thread));
	EXPECT_EQ(KVM_EXIT_INTR, guest->vcpu[0].run->exit_reason);
	EXPECT_EQ(KVM_MP_STATE_HALTED, vec_mp_state(guest, 0));
	EXPECT_EQ(0, vec_logged(guest));

	thread = halt(&halted);
	EXPECT_EQ(1, vm_call(guest, KVM_SIGNAL_MSI, &msi));
	EXPECT_EQ(0, joined(thread));
	EXPECT_EQ(1, vec_count(guest, 0x45));

	thread = halt(&halted);
	vec_line(guest, 20, true);
	EXPECT_EQ(0, joined(thread));
	EXPECT_EQ(1, vec_count(guest, 0x46));

	thread = halt(&halted);
	msi.data = 0x400;
	vec_end(guest, 2, VEC_END_NONE);
	EXPECT_EQ(1, vm_call(guest, KVM_SIGNAL_MSI, &msi));
	EXPECT_EQ(0, joined(thread));
	EXPECT_EQ(1, vec_count(guest, 2));
	guest_destroy(guest);
}

guest_code(code_at_reset, 16, "out %al, $" S_SYNC);

#define TOP_PAGE 0xfffff000UL

/* INIT to a bootstrap processor that sleeps in HLT: it goes on at the reset vector. */
static void init_wakes_up(void)
{
	struct kvm_userspace_memory_region top = {
		.slot = 5,
		.guest_phys_addr = TOP_PAGE,
		.memory_size = 0x1000,
	};
	struct kvm_msi init = { .address_lo = APIC_GPA, .data = 0x500 };
	struct halted halted = {};
	struct guest *guest = &halted.guest;
	pthread_t thread;

	vec_create(guest, 1, VEC_KERNEL);
	guest_load(guest, code_halt);
	vec_start(guest, 0);
	top.userspace_addr = (uintptr_t)guest_at(guest, GUEST_SHARED, 0x1000);
	memcpy(guest_at(guest, GUEST_SHARED + 0xff0, 2), code_at_reset, 2);
	EXPECT_EQ(0, vm_call(guest, KVM_SET_USER_MEMORY_REGION, &top));

	thread = halt(&halted);
	EXPECT_EQ(1, vm_call(guest, KVM_SIGNAL_MSI, &init));
	EXPECT_EQ(0, joined(thread));
	guest_expect_exit(guest, 0, KVM_EXIT_IO);
	EXPECT_EQ(0, guest_sregs(guest, 0).cr0 & X86_CR0_PE);
	EXPECT_EQ(0xffff0000, guest_sregs(guest, 0).cs.base);
	EXPECT_EQ(0, vec_logged(guest));
	guest_destroy(guest);
}

static const struct ktap_test tests[] = {
	KTAP_TEST(states),   KTAP_TEST(wakes_up),     KTAP_TEST(start_2),
	KTAP_TEST(start_8),  KTAP_TEST(start_64),     KTAP_TEST(lowest_priority),
	KTAP_TEST(wide_ids), KTAP_TEST(destinations), KTAP_TEST(init_wakes_up),
};

KTAP_MAIN(tests)
