// SPDX-License-Identifier: GPL-2.0-only
/*
 * A VM with interrupt controllers and timers in the kernel goes on while its vCPUs change
 * processors, and while a processor goes offline and comes back, with what waits there.
 *
 * Its four CPUs pass an interrupt in a ring and sleep by HLT.  Each has a timer of its own: of CPU
 * 1 one-shot and of CPU 2 with a deadline, which it arms again when it has fired, of the others
 * periodic; and CPU 0 has the 8254's ticks.  A cycle counts only if the ring and each timer went
 * on.  Beside it runs the steady guest, which never sleeps.
 */
#include <linux/kvm.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "lib/host.h"
#include "lib/runner.h"
#include "lib/smp.h"
#include "lib/steady.h"

#define NR_CPUS	   4
#define MIGRATIONS 60
#define CYCLES	   20
#define LIMIT	   1200 /* seconds: only so that a hang is told as one */

#define RING  0x60
#define TIMER 0x70 /* of CPU 0, and so on */
#define TICK  0x78

/* Words of GUEST_SHARED */
#define S_HOPS	   STRING(GUEST_SHARED + SMP_OWN)
#define S_STOP	   STRING(GUEST_SHARED + SMP_OWN + 8)
#define S_DEADLINE STRING(GUEST_SHARED + SMP_OWN + 16) /* ticks of the TSC */

enum word {
	HOPS,
	STOP,
	DEADLINE,
};

/*
 * Of all timers.  Where an interrupt takes a host longer than they leave it for one, as a debug
 * kernel that has half a processor, the guest gets to nothing else.
 */
#define PERIOD_MS 20

/* clang-format off */
guest_code(code_busy, 64,
	   S_APIC
	   "mov $-1, %r13\n" /* of the timer's interrupts those that have been seen */
	   S_SET(APIC_TDCR, 0xb)
	   "lea " STRING(TIMER) "(%rdi), %ebp\n"
	   "cmp $1, %edi\n"
	   "je 2f\n"
	   "cmp $2, %edi\n"
	   "je 1f\n"
	   "or $" STRING(LVT_PERIODIC) ", %ebp\n"
	   "mov %ebp, " STRING(APIC_LVTT) "(%rbx)\n"
	   S_SET(APIC_TMICT, 20000000)
	   "jmp 3f\n"
	   "1: or $" STRING(LVT_DEADLINE) ", %ebp\n"
	   "2: mov %ebp, " STRING(APIC_LVTT) "(%rbx)\n"
	   "3: test %edi, %edi\n"
	   "jnz 4f\n"
	   "mov $0x34, %al\n out %al, $0x43\n"
	   "mov $0x38, %al\n out %al, $0x40\n"
	   "mov $0x5d, %al\n out %al, $0x40\n"
	   S_START_OTHERS
	   "4: cli\n"
	   "mov " STRING(VEC_COUNTS + 8 * TIMER) "(,%rdi,8), %rax\n"
	   "cmp %r13, %rax\n"
	   "je 6f\n"
	   "mov %rax, %r13\n"
	   "cmp $1, %edi\n"
	   "jb 6f\n"
	   "ja 5f\n"
	   S_SET(APIC_TMICT, 20000000)
	   "5: cmp $2, %edi\n"
	   "jne 6f\n"
	   "rdtsc\n"
	   "shl $32, %rdx\n"
	   "or %rdx, %rax\n"
	   "add " S_DEADLINE ", %rax\n"
	   "mov %rax, %rdx\n"
	   "shr $32, %rdx\n"
	   "mov $" STRING(MSR_DEADLINE) ", %ecx\n"
	   "wrmsr\n"
	   /* Ours, when all that were sent have come. */
	   "6: mov " S_HOPS ", %rax\n"
	   "cmp %rax, " STRING(VEC_COUNTS + 8 * RING) "\n"
	   "jb 8f\n"
	   "xor %edx, %edx\n"
	   "divq " S_NUMBER "\n"
	   "cmp %rdi, %rdx\n"
	   "jne 8f\n"
	   "mov " S_STOP ", %rax\n"
	   "test %edi, %edi\n"
	   "jnz 7f\n"
	   "test %rax, %rax\n"
	   "jnz 9f\n"
	   "7: lea 1(%rdi), %ecx\n"
	   "and $3, %ecx\n"
	   "shl $24, %ecx\n"
	   "mov %ecx, " STRING(APIC_ICR2) "(%rbx)\n"
	   "incq " S_HOPS "\n"
	   S_SET(APIC_ICR, 0x4060)
	   "8: sti\n"
	   "hlt\n"
	   "jmp 4b\n"
	   "9: " S_LOOK
	   "jmp 8b\n");
/* clang-format on */

/* The VM under test, and the one that is load for it. */
struct scene {
	struct smp smp;
	struct guest load;
	struct runner runners[2];
};

static void create(struct smp *smp)
{
	struct kvm_pit_config config = {};
	struct vcpu *vcpu;
	int khz;

	SMP_CREATE(smp, NR_CPUS, code_busy);
	REQUIRE_OK(vm_call(&smp->guest, KVM_CREATE_PIT2, &config));
	vec_ioapic_pin(&smp->guest, 0, TICK);
	vcpu = &smp->guest.vcpu[0];
	khz = vcpu_call(vcpu, KVM_GET_TSC_KHZ, NULL);
	REQUIRE(khz > 0, "KVM_GET_TSC_KHZ: %d", khz);
	*smp_word(smp, DEADLINE) = (uint64_t)khz * PERIOD_MS;
}

static void set_up(struct scene *scene)
{
	unsigned int i;

	prctl(PR_SET_TIMERSLACK, 1);
	host_pin(0);
	host_set_online(true);
	create(&scene->smp);
	smp_run_first(&scene->smp);
	smp_run_others(&scene->smp);
	steady_create(&scene->load, 2);
	for (i = 0; i < 2; i++)
		runner_start(&scene->runners[i], &scene->load, i);
}

/* Each thread to the processor on which it was not in the last cycle. */
static void place(struct scene *scene, unsigned int cycle)
{
	unsigned int i;

	for (i = 0; i < NR_CPUS; i++)
		host_pin_thread(scene->smp.threads[i].tid, (i + cycle) % 2);
	for (i = 0; i < 2; i++)
		runner_pin(&scene->runners[i], (i + cycle) % 2);
}

/* How many vCPUs of the VM are on @processor. */
static unsigned int on(const struct scene *scene, int processor)
{
	unsigned int i, found = 0;

	for (i = 0; i < NR_CPUS; i++)
		found += host_processor_of(scene->smp.threads[i].tid) == processor;
	return found;
}

static void await_more(const struct guest *guest, uint8_t vector, uint64_t more)
{
	uint64_t until = vec_count(guest, vector) + more;

	while (vec_count(guest, vector) < until)
		usleep(1000);
}

/* Everything goes on, each vCPU has been in its guest. */
static void await_all(struct scene *scene)
{
	const struct guest *guest = &scene->smp.guest;
	unsigned int i;

	await_more(guest, RING, 2 * NR_CPUS);
	for (i = 0; i < NR_CPUS; i++)
		await_more(guest, TIMER + i, 1);
	await_more(guest, TICK, 1);
	for (i = 0; i < 2; i++)
		steady_await_turns(&scene->load, i, 1);
}

/* The ring has lost none; QEMU may deliver one twice, as in irq_storm.c. */
static void finish(struct scene *scene)
{
	const struct guest *guest = &scene->smp.guest;
	uint64_t hops, came;
	unsigned int i;

	*smp_word(&scene->smp, STOP) = 1;
	smp_join_first(&scene->smp);
	hops = *smp_word(&scene->smp, HOPS);
	came = vec_count(guest, RING);
	EXPECT(came == hops || (host_is_qemu() && came > hops), "%llu interrupts for %llu hops",
	       (unsigned long long)came, (unsigned long long)hops);
	for (i = 0; i < 2; i++)
		runner_finish(&scene->runners[i]);
	ktap_note("%llu hops; timers: %llu, %llu, %llu, %llu, 8254: %llu", (unsigned long long)hops,
		  (unsigned long long)vec_count(guest, TIMER),
		  (unsigned long long)vec_count(guest, TIMER + 1),
		  (unsigned long long)vec_count(guest, TIMER + 2),
		  (unsigned long long)vec_count(guest, TIMER + 3),
		  (unsigned long long)vec_count(guest, TICK));
}

static unsigned int events(unsigned int count)
{
	return host_events(host_is_bochs() ? count / 4 : count);
}

static void vcpus_change_processors(void)
{
	unsigned int i, count = events(MIGRATIONS), moved = 0;
	static struct scene scene;

	set_up(&scene);
	for (i = 0; i < count; i++) {
		place(&scene, i);
		await_all(&scene);
		moved += on(&scene, 0) == NR_CPUS / 2 && on(&scene, 1) == NR_CPUS / 2;
	}
	finish(&scene);
	ktap_note("all vCPUs changed processors %u times", moved);
	EXPECT_EQ(count, moved);
}

static void a_processor_goes_and_comes(void)
{
	unsigned int i, count = events(CYCLES), there = 0, away = 0;
	static struct scene scene;

	set_up(&scene);
	for (i = 0; i < count; i++) {
		place(&scene, i);
		await_all(&scene);
		there += host_is_online() && on(&scene, 1) == NR_CPUS / 2;
		host_set_online(false);
		await_all(&scene);
		away += !host_is_online() && on(&scene, 0) == NR_CPUS;
		host_set_online(true);
	}
	finish(&scene);
	ktap_note("went offline under two vCPUs: %u, all four went on elsewhere: %u", there, away);
	EXPECT_EQ(count, there);
	EXPECT_EQ(count, away);
}

static const struct ktap_test tests[] = {
	KTAP_TEST_LIMIT(vcpus_change_processors, LIMIT),
	KTAP_TEST_LIMIT(a_processor_goes_and_comes, LIMIT),
};

KTAP_MAIN(tests)
