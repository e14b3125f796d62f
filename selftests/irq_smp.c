// SPDX-License-Identifier: GPL-2.0-only
/*
 * Several processors: started by INIT and start-up interrupts, interrupts between them, and what
 * wakes a halted one.
 *
 * Each vCPU has a thread.  The bootstrap processor looks (an exit) when its part is done.
 */
#include <errno.h>
#include <linux/kvm.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/host.h"
#include "lib/stats.h"
#include "lib/vectors.h"

#define START_PAGE GUEST_TRAPS /* start-up interrupts have its number */
#define START_IP   9

/* Words of GUEST_SHARED */
#define S_STARTED  STRING(GUEST_SHARED)	     /* how many are there */
#define S_HOPS	   STRING(GUEST_SHARED + 8)  /* how many hops there have been */
#define S_LIMIT	   STRING(GUEST_SHARED + 16) /* and shall be */
#define S_NUMBER   STRING(GUEST_SHARED + 24) /* of processors */
#define S_ENTRY	   STRING(GUEST_SHARED + 32) /* where the others go on */
#define S_TOO_MANY STRING(GUEST_SHARED + 40) /* interrupts out of turn */

enum word {
	STARTED,
	HOPS,
	LIMIT,
	NUMBER,
	ENTRY,
	TOO_MANY,
};

/*
 * From real mode to long mode, and on at ENTRY with a stack of its own, rdi: its number, rbx: the
 * local APIC.  Descriptors of the tables are at the end of the page.
 */
/* clang-format off */
guest_code(code_start_up, 16,
	   "cli\n"
	   "xor %ax, %ax\n"
	   "mov %ax, %ds\n"
	   "lgdtl 0x9ff0\n"
	   "lidtl 0x9fe0\n"
	   "mov $0x20, %eax\n"
	   "mov %eax, %cr4\n"
	   "mov $" STRING(GUEST_TABLES) ", %eax\n"
	   "mov %eax, %cr3\n"
	   "mov $0xc0000080, %ecx\n"
	   "rdmsr\n"
	   "or $0x100, %eax\n"
	   "wrmsr\n"
	   "mov $0x80000031, %eax\n"
	   "mov %eax, %cr0\n"
	   "ljmpl $" STRING(SEL_CODE64) ", $0x9100\n");
/* clang-format on */

/* clang-format off */
guest_code(code_start_up64, 64,
	   "mov $" STRING(SEL_DATA) ", %eax\n"
	   "mov %eax, %ds\n"
	   "mov %eax, %es\n"
	   "mov %eax, %ss\n"
	   S_APIC
	   S_SET(APIC_SVR, 0x1ff)
	   S_GET(APIC_ID, edi)
	   "shr $24, %edi\n"
	   "lea 1(%rdi), %eax\n"
	   "shl $12, %eax\n"
	   "lea " STRING(VEC_STACKS) " - 8(%rax), %rsp\n"
	   "lock incq " S_STARTED "\n"
	   "jmp *" S_ENTRY "\n");
/* clang-format on */

/* INIT and start-up interrupt for all others, then until they are there. */
#define S_START_OTHERS              \
	S_SET(APIC_ICR, 0xc4500)    \
	S_SET(APIC_ICR, 0xc4609)    \
	"mov " S_NUMBER ", %rax\n"  \
	"dec %rax\n"                \
	"91: pause\n"               \
	"cmp %rax, " S_STARTED "\n" \
	"jb 91b\n"

struct smp {
	struct guest guest;
	pthread_t threads[GUEST_MAX_VCPUS];
	struct smp_thread {
		struct smp *smp;
		unsigned int cpu;
	} args[GUEST_MAX_VCPUS];
};

static void set_word(const struct smp *smp, enum word word, uint64_t value)
{
	guest_shared(&smp->guest)[word] = value;
}

static uint64_t word(const struct smp *smp, enum word word)
{
	return guest_shared(&smp->guest)[word];
}

static void descriptor(const struct guest *guest, uint64_t gpa, uint16_t limit, uint32_t base)
{
	uint8_t *at = guest_at(guest, gpa, 6);

	memcpy(at, &limit, 2);
	memcpy(at + 2, &base, 4);
}

static void smp_create(struct smp *smp, unsigned int nr_cpus, const void *code, size_t size)
{
	struct guest *guest = &smp->guest;

	vec_create(guest, nr_cpus, VEC_KERNEL);
	memcpy(guest_at(guest, START_PAGE, 0x100), code_start_up,
	       code_start_up_end - code_start_up);
	memcpy(guest_at(guest, START_PAGE + 0x100, 0x100), code_start_up64,
	       code_start_up64_end - code_start_up64);
	descriptor(guest, START_PAGE + 0xff0, GDT_SIZE - 1, GUEST_GDT);
	descriptor(guest, START_PAGE + 0xfe0, 256 * 16 - 1, VEC_IDT);
	__guest_load(guest, code, size);
	vec_start(guest, 0);
	set_word(smp, NUMBER, nr_cpus);
	set_word(smp, ENTRY, GUEST_CODE);
}

/* All but CPU 0 run until the test ends. */
static void *run(void *data)
{
	struct smp_thread *arg = data;

	for (;;)
		guest_run(&arg->smp->guest, arg->cpu);
	return NULL;
}

static void smp_run_others(struct smp *smp)
{
	unsigned int i;

	for (i = 1; i < smp->guest.nr_cpus; i++) {
		smp->args[i] = (struct smp_thread){ smp, i };
		REQUIRE(!pthread_create(&smp->threads[i], NULL, run, &smp->args[i]));
	}
}

#define SMP_CREATE(smp, nr, code) smp_create(smp, nr, code, code##_end - code)

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
	EXPECT_EQ(nr - 1, word(&smp, STARTED));
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

/*
 * One after the other hands on; each hop is one interrupt.  A hop begins when the interrupt of the
 * one before has been counted: by then it is not in IRR, where the next would become one with it.
 * One that comes when it is another CPU's turn is one too many.
 */
/* clang-format off */
guest_code(code_ring, 64,
	   S_APIC
	   "xor %r12d, %r12d\n" /* how many have been looked at */
	   "test %edi, %edi\n"
	   "jnz 1f\n"
	   S_START_OTHERS
	   "jmp 2f\n"
	   "1: cli\n"
	   "cmp %r12, " STRING(VEC_ARRIVED) "(,%rdi,8)\n"
	   "ja 4f\n"
	   "sti\n"
	   "hlt\n"
	   "jmp 1b\n"
	   "4: inc %r12\n"
	   "mov " S_HOPS ", %rax\n"
	   "xor %edx, %edx\n"
	   "divq " S_NUMBER "\n"
	   "cmp %rdi, %rdx\n"
	   "je 6f\n"
	   "lock incq " S_TOO_MANY "\n"
	   "jmp 1b\n"
	   "6: mov " S_HOPS ", %rax\n"
	   "cmp " S_LIMIT ", %rax\n"
	   "jae 5f\n"
	   /* It is ours: tell the next one. */
	   "2: incq " S_HOPS "\n"
	   "lea 1(%rdi), %ecx\n"
	   "cmp " S_NUMBER ", %rcx\n"
	   "jb 3f\n"
	   "xor %ecx, %ecx\n"
	   "3: shl $24, %ecx\n"
	   "mov %ecx, " STRING(APIC_ICR2) "(%rbx)\n"
	   S_SET(APIC_ICR, 0x4060)
	   "jmp 1b\n"
	   /* CPU 0 has the last one; what there is more than was sent comes now. */
	   "5: sti\n"
	   "nop\n"
	   S_LOOK
	   "jmp 1b\n");
/* clang-format on */

/* Kvm opens the statistics of no vCPU that is in KVM_RUN. */
static void stats_open_all(const struct smp *smp, struct stats *stats)
{
	unsigned int i;

	for (i = 0; i < smp->guest.nr_cpus; i++)
		stats_open(&stats[i], smp->guest.vcpu[i].fd);
}

/* How many interrupts the device says that it has handed over. */
static unsigned long long ring_injections(const struct smp *smp, const struct stats *stats)
{
	uint64_t sum = 0;
	unsigned int i;

	for (i = 0; i < smp->guest.nr_cpus; i++)
		sum += stats_value(&stats[i], "irq_injections");
	return sum;
}

/*
 * None is lost, none is handed over twice.  QEMU now and then delivers one a second time by itself
 * (see "What the emulators get wrong" in testing.rst), which is told.
 */
static void ring_of(unsigned int nr, uint64_t hops)
{
	static struct stats stats[GUEST_MAX_VCPUS];
	static struct smp smp;
	unsigned long long too_many;
	unsigned int i;

	SMP_CREATE(&smp, nr, code_ring);
	stats_open_all(&smp, stats);
	set_word(&smp, LIMIT, hops * nr);
	smp_run_others(&smp);
	guest_run_to_sync(&smp.guest, 0);
	EXPECT_EQ(hops * nr, word(&smp, HOPS));
	for (i = 0; i < nr; i++)
		EXPECT(vec_arrived(&smp.guest, i) >= hops, "CPU %u has got %llu", i,
		       (unsigned long long)vec_arrived(&smp.guest, i));
	if (kvm_dev_is_mkvm(&smp.guest.dev))
		EXPECT_EQ(hops * nr, ring_injections(&smp, stats));
	too_many = vec_count(&smp.guest, 0x60) - hops * nr;
	if (host_is_qemu()) {
		ktap_note("%llu interrupts for %llu hops, %llu were handed over",
			  too_many + hops * nr, (unsigned long long)(hops * nr),
			  ring_injections(&smp, stats));
		return;
	}
	EXPECT_EQ(0, too_many);
	EXPECT_EQ(0, word(&smp, TOO_MANY));
}

static void ring(void)
{
	ring_of(4, 250);
}

/* HOPS=n: another number of hops than 1280. */
static void ring_of_64(void)
{
	const char *hops = getenv("HOPS");

	ring_of(64, hops ? strtoul(hops, NULL, 0) / 64 : 20);
}

/* CPU 0 interrupts all others, again and again, each time until all have had it. */
/* clang-format off */
guest_code(code_broadcast, 64,
	   S_APIC
	   "test %edi, %edi\n"
	   "jnz 2f\n"
	   S_START_OTHERS
	   "mov " S_NUMBER ", %rsi\n"
	   "dec %rsi\n"
	   "xor %r12d, %r12d\n"
	   "mov " S_LIMIT ", %rcx\n"
	   "1: add %rsi, %r12\n"
	   S_SET(APIC_ICR, 0xc4061)
	   "3: pause\n"
	   "cmp %r12, " STRING(VEC_COUNTS) " + 8 * 0x61\n"
	   "jb 3b\n"
	   "dec %ecx\n"
	   "jnz 1b\n"
	   /* An NMI for each. */
	   S_SET(APIC_ICR, 0xc4400)
	   "4: pause\n"
	   "cmp %rsi, " STRING(VEC_COUNTS) " + 8 * 2\n"
	   "jb 4b\n"
	   S_LOOK
	   "2: sti\n"
	   "hlt\n"
	   "jmp 2b\n");
/* clang-format on */

/* QEMU may deliver one twice, see above. */
static void expect_count(const struct guest *guest, uint8_t vector, uint64_t count)
{
	uint64_t came = vec_count(guest, vector);

	EXPECT(came == count || (host_is_qemu() && came > count), "0x%x came %llu times, not %llu",
	       vector, (unsigned long long)came, (unsigned long long)count);
}

static void broadcast_to(unsigned int nr, uint64_t times)
{
	static struct smp smp;
	unsigned int i;

	SMP_CREATE(&smp, nr, code_broadcast);
	set_word(&smp, LIMIT, times);
	vec_end(&smp.guest, 2, VEC_END_NONE);
	smp_run_others(&smp);
	guest_run_to_sync(&smp.guest, 0);
	expect_count(&smp.guest, 0x61, (nr - 1) * times);
	EXPECT_EQ(nr - 1, vec_count(&smp.guest, 2));
	for (i = 0; i < vec_logged(&smp.guest); i++)
		EXPECT(vec_log_cpu(&smp.guest, i) != 0, "the sender got one itself");
}

static void broadcast(void)
{
	broadcast_to(8, 20);
}

static void broadcast_to_64(void)
{
	broadcast_to(64, 5);
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
	static struct smp smp;
	unsigned int i, by_cpu[5] = {};

	SMP_CREATE(&smp, 5, code_lowest);
	smp_run_others(&smp);
	guest_run_to_sync(&smp.guest, 0);
	expect_count(&smp.guest, 0x62, 30);
	for (i = 0; i < 30; i++)
		by_cpu[vec_log_cpu(&smp.guest, i) % 5]++;
	EXPECT_EQ(0, by_cpu[0]);
	EXPECT_EQ(0, by_cpu[4]);
	EXPECT_EQ(30, by_cpu[1] + by_cpu[2] + by_cpu[3]);
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

static const struct ktap_test tests[] = {
	KTAP_TEST(states),
	KTAP_TEST(wakes_up),
	KTAP_TEST(start_2),
	KTAP_TEST(start_8),
	KTAP_TEST(start_64),
	KTAP_TEST(ring),
	KTAP_TEST_LIMIT(ring_of_64, 800),
	KTAP_TEST(broadcast),
	KTAP_TEST(broadcast_to_64),
	KTAP_TEST(lowest_priority),
};

KTAP_MAIN(tests)
