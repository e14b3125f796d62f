// SPDX-License-Identifier: GPL-2.0-only
/*
 * A guest that writes random values to the registers of every interrupt controller and timer, and
 * to the MSRs of clocks, memory types and machine checks, from several processors at once, and
 * takes what comes of it.  It may stop itself, or its other processors; then user space starts it
 * again.  The host goes on, and the next VM works.
 *
 * WRITES=n in the environment is how many (20000, on Bochs 2000), SEED=n which.
 */
#include <errno.h>
#include <linux/kvm.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "lib/host.h"
#include "lib/rng.h"
#include "lib/vectors.h"

#define NR_CPUS	 4
#define PATIENCE 20000 /* us that a processor may be stopped */
#define LIMIT	 7200  /* seconds: WRITES can make it long */

/* Words of GUEST_SHARED */
#define S_WRITES STRING(GUEST_SHARED) /* how many there have been */
#define S_SEEDS	 STRING(GUEST_SHARED + 64)
#define S_MSRS	 STRING(GUEST_SHARED + 128)

#define NR_MSRS 32
#define NOTES	0x180000 /* a page of the guest's for what the host tells it */

/*
 * MSRs of time and of the processor: the number, and of the value's lower half which bits are
 * random and which are set.  Addresses lead to NOTES, where no code is, or to no memory at all.
 */
struct msr {
	uint32_t number, random, set, padding;
};

static const struct msr msrs[NR_MSRS] = {
	{ .number = MSR_DEADLINE, .random = -1 },
	{ .number = MSR_DEADLINE, .random = -1 },
	{ .number = 0x10, .random = -1 },		   /* TSC */
	{ .number = 0x3b, .random = -1 },		   /* TSC_ADJUST */
	{ .number = 0x11, .random = 0xfff, .set = NOTES }, /* kvmclock, both pairs */
	{ .number = 0x11, .random = -1, .set = 0xf0000000 },
	{ .number = 0x12, .random = 0xfff, .set = NOTES },
	{ .number = 0x12, .random = -1, .set = 0xf0000000 },
	{ .number = 0x4b564d00, .random = 0xfff, .set = NOTES },
	{ .number = 0x4b564d00, .random = -1, .set = 0xf0000000 },
	{ .number = 0x4b564d01, .random = 0xfff, .set = NOTES },
	{ .number = 0x4b564d01, .random = -1, .set = 0xf0000000 },
	{ .number = 0x4b564d02, .random = 0xfff, .set = NOTES }, /* asynchronous faults */
	{ .number = 0x4b564d03, .random = 0xfff, .set = NOTES }, /* steal time */
	{ .number = 0x4b564d03, .random = -1, .set = 0xf0000000 },
	{ .number = 0x4b564d04, .random = 0xfff, .set = NOTES }, /* end of interrupt */
	{ .number = 0x4b564d05, .random = -1 },			 /* polling before HLT */
	{ .number = 0xfe, .random = -1 },			 /* MTRRs */
	{ .number = 0x200, .random = -1 },
	{ .number = 0x201, .random = -1 },
	{ .number = 0x20f, .random = -1 },
	{ .number = 0x250, .random = -1 },
	{ .number = 0x26f, .random = 0x06060606 },
	{ .number = 0x2ff, .random = 0xfff },
	{ .number = 0x277, .random = 0x07070707 }, /* PAT */
	{ .number = 0x179, .random = -1 },	   /* machine checks */
	{ .number = 0x17a, .random = -1 },
	{ .number = 0x17b, .random = -1 },
	{ .number = 0x400, .random = -1 },
	{ .number = 0x401, .random = -1 },
	{ .number = 0x402, .random = -1 },
	{ .number = 0x47f, .random = -1 },
};

/*
 * r8: xorshift's state; bits 2:0 say where to, 15:8 which register, the upper half is the value.
 * Of an MSR bit 16 says whether it is a local APIC's or one of the table, bit 17 whether the upper
 * half of what is written is 0 or random.  #GP is for WRMSR and RDMSR, and skips it.
 */
/* clang-format off */
guest_code(code_hostile, 64,
	   S_APIC
	   "mov " S_SEEDS "(,%rdi,8), %r8\n"
	   "mov $" STRING(IOAPIC_GPA) ", %esi\n"
	   "1: mov %r8, %rax\n shl $13, %rax\n xor %rax, %r8\n"
	   "mov %r8, %rax\n shr $7, %rax\n xor %rax, %r8\n"
	   "mov %r8, %rax\n shl $17, %rax\n xor %rax, %r8\n"
	   "lock incq " S_WRITES "\n"
	   "mov %r8, %rax\n shr $32, %rax\n"
	   "movzbl %r8b, %ecx\n and $7, %ecx\n"
	   "mov %r8d, %edx\n shr $8, %edx\n movzbl %dl, %edx\n"
	   "cmp $3, %ecx\n jb 2f\n je 3f\n"
	   "cmp $5, %ecx\n jb 4f\n je 5f\n"
	   "cmp $7, %ecx\n jb 6f\n"
	   /* The base register: off, and to x2APIC; and interrupts on or off. */
	   "mov $" STRING(MSR_APIC_BASE) ", %ecx\n"
	   "and $0xc00, %eax\n or $" STRING(APIC_GPA) ", %eax\n"
	   "xor %edx, %edx\n wrmsr\n"
	   "bt $9, %r8d\n jc 7f\n sti\n jmp 1b\n"
	   "7: cli\n jmp 1b\n"
	   "2: shl $4, %edx\n and $0x3f0, %edx\n mov %eax, (%rbx,%rdx)\n jmp 1b\n"
	   "3: mov %edx, (%rsi)\n mov %eax, 0x10(%rsi)\n jmp 1b\n"
	   /* The 8259 pair: 0x20, 0x21, 0xa0, 0xa1, 0x4d0, 0x4d1 */
	   "4: mov %edx, %ecx\n and $0x81, %edx\n or $0x20, %edx\n test $4, %ecx\n jz 8f\n"
	   "and $1, %edx\n or $0x4d0, %edx\n"
	   "8: out %al, %dx\n in %dx, %al\n jmp 1b\n"
	   /* The 8254 and the speaker */
	   "5: and $0x23, %edx\n or $0x40, %edx\n out %al, %dx\n in %dx, %al\n jmp 1b\n"
	   /* The registers as MSRs, or one of the table. */
	   "6: lea 0x800(%rdx), %ecx\n"
	   "bt $16, %r8d\n jc 9f\n"
	   "and $" STRING(NR_MSRS - 1) ", %edx\n shl $4, %edx\n add $" S_MSRS ", %edx\n"
	   "mov (%rdx), %ecx\n and 4(%rdx), %eax\n or 8(%rdx), %eax\n"
	   "9: xor %edx, %edx\n bt $17, %r8d\n jc 10f\n"
	   "mov %r8d, %edx\n rol $13, %edx\n"
	   "10: wrmsr\n rdmsr\n jmp 1b\n");
/* clang-format on */

struct hostile {
	struct guest guest;
	uint64_t seed;
	uint64_t writes;
	unsigned int restarts[NR_CPUS];
	pthread_t threads[NR_CPUS];
};

struct hostile_cpu {
	struct hostile *hostile;
	unsigned int cpu;
};

static uint64_t writes(const struct hostile *hostile)
{
	return guest_shared(&hostile->guest)[0];
}

/* As at its beginning, with another seed. */
static void start_again(struct hostile *hostile, unsigned int cpu)
{
	struct guest *guest = &hostile->guest;
	struct kvm_vcpu_events events = {};
	struct kvm_lapic_state apic = {};
	uint32_t id = cpu << 24;
	struct rng rng = rng_seeded(hostile->seed, cpu + 1000 * hostile->restarts[cpu]++);

	guest_shared(guest)[8 + cpu] = rng_next(&rng) | 1;
	vec_set_apic_base(guest, cpu, APIC_GPA | APIC_BASE_ON | (cpu ? 0 : APIC_BASE_BSP));
	memcpy(apic.regs + APIC_ID, &id, sizeof(id));
	REQUIRE_OK(vcpu_call(&guest->vcpu[cpu], KVM_SET_LAPIC, &apic));
	REQUIRE_OK(vcpu_call(&guest->vcpu[cpu], KVM_SET_VCPU_EVENTS, &events));
	vec_start(guest, cpu);
}

static void nothing(int signal)
{
	(void)signal;
}

static void *run(void *data)
{
	struct hostile_cpu *me = data;
	struct hostile *hostile = me->hostile;
	struct vcpu *vcpu = &hostile->guest.vcpu[me->cpu];
	int r;

	while (writes(hostile) < hostile->writes) {
		r = vcpu_run(vcpu);
		/* A write is a write; what stops it is a signal, or its own fault. */
		if (!r && vcpu->run->exit_reason != KVM_EXIT_SHUTDOWN &&
		    vcpu->run->exit_reason != KVM_EXIT_INTERNAL_ERROR)
			continue;
		EXPECT(!r || r == -EINTR, "KVM_RUN: %s", strerror(-r));
		start_again(hostile, me->cpu);
	}
	return NULL;
}

/* Whoever is halted, waits to be started, or has no time but for interrupts begins again. */
static void *hurry(void *data)
{
	struct hostile *hostile = data;
	unsigned int cpu = 0;

	while (writes(hostile) < hostile->writes) {
		usleep(PATIENCE / NR_CPUS);
		pthread_kill(hostile->threads[cpu++ % NR_CPUS], SIGUSR1);
	}
	return NULL;
}

static void create(struct hostile *hostile)
{
	struct kvm_pit_config config = { .flags = KVM_PIT_SPEAKER_DUMMY };
	struct guest *guest = &hostile->guest;
	unsigned int cpu;

	vec_create(guest, NR_CPUS, VEC_KERNEL);
	if (!kvm_dev_is_mkvm(&guest->dev))
		ktap_skip("kvm declares such a VM dead: EIO, and nothing in its log");
	REQUIRE_OK(vm_call(guest, KVM_CREATE_PIT2, &config));
	guest_load(guest, code_hostile);
	vec_end(guest, 13, VEC_SKIPS);
	memcpy((char *)guest_shared(guest) + 128, msrs, sizeof(msrs));
	for (cpu = 0; cpu < NR_CPUS; cpu++)
		start_again(hostile, cpu);
}

static void random_writes(void)
{
	static struct hostile hostile;
	struct hostile_cpu cpus[NR_CPUS];
	pthread_t hurrying;
	unsigned int cpu, restarts = 0;

	signal(SIGUSR1, nothing);
	hostile.seed = host_number("SEED", 1);
	hostile.writes = host_number("WRITES", host_events(host_is_bochs() ? 2000 : 20000));
	create(&hostile);
	for (cpu = 0; cpu < NR_CPUS; cpu++) {
		cpus[cpu] = (struct hostile_cpu){ &hostile, cpu };
		REQUIRE(!pthread_create(&hostile.threads[cpu], NULL, run, &cpus[cpu]));
	}
	REQUIRE(!pthread_create(&hurrying, NULL, hurry, &hostile));
	REQUIRE(!pthread_join(hurrying, NULL));
	for (cpu = 0; cpu < NR_CPUS; cpu++) {
		pthread_kill(hostile.threads[cpu], SIGUSR1);
		REQUIRE(!pthread_join(hostile.threads[cpu], NULL));
		restarts += hostile.restarts[cpu];
	}
	ktap_note("seed %llu, %llu writes, %u starts", (unsigned long long)hostile.seed,
		  (unsigned long long)writes(&hostile), restarts);
	EXPECT(writes(&hostile) >= hostile.writes, "%llu", (unsigned long long)writes(&hostile));
	guest_destroy(&hostile.guest);
}

/* clang-format off */
guest_code(code_sane, 64,
	   S_APIC
	   S_SET(APIC_ICR, 0x44041)
	   S_WAIT(0x41, 1)
	   S_LOOK);
/* clang-format on */

static void another_vm_works(void)
{
	struct guest guest;

	vec_create(&guest, 1, VEC_KERNEL);
	guest_load(&guest, code_sane);
	vec_start(&guest, 0);
	guest_run_to_sync(&guest, 0);
	EXPECT_EQ(1, vec_count(&guest, 0x41));
	guest_destroy(&guest);
}

/* clang-format off */
guest_code(code_looks, 64,
	   "1: " S_LOOK
	   "jmp 1b\n");
/* clang-format on */

/* Random registers; vectors below 32 would be exceptions for the handlers, so there are none. */
static void random_state(struct rng *rng, struct kvm_lapic_state *state, bool low_vectors)
{
	static const unsigned int vectors[] = { APIC_ISR, APIC_TMR, APIC_IRR };
	unsigned int i;

	for (i = 0; i < sizeof(state->regs); i++)
		state->regs[i] = rng_next(rng);
	for (i = 0; i < 3 && !low_vectors; i++)
		memset(state->regs + vectors[i], 0, 4);
	if (!low_vectors)
		memset(state->regs + APIC_LVTT, 0, APIC_TMICT - APIC_LVTT);
}

/*
 * States of a local APIC that no guest can bring about: KVM_SET_LAPIC takes them, the vCPU goes on
 * with interrupts off and then on, and works again when it has a state that makes sense.
 */
static void states_that_contradict_themselves(void)
{
	unsigned int i, count = host_events(host_is_bochs() ? 20 : 200);
	struct kvm_msi msi = { .address_lo = APIC_GPA, .data = 0x45 };
	struct kvm_lapic_state sane, state;
	struct rng rng = rng_seeded(host_number("SEED", 1), 1);
	struct kvm_regs regs;
	struct guest guest;

	vec_create(&guest, 1, VEC_KERNEL);
	guest_load(&guest, code_looks);
	vec_start(&guest, 0);
	REQUIRE_OK(vcpu_call(&guest.vcpu[0], KVM_GET_LAPIC, &sane));
	for (i = 0; i < count; i++) {
		bool on = i % 2;

		regs = guest_regs(&guest, 0);
		regs.rflags = X86_RFLAGS_FIXED | (on ? X86_RFLAGS_IF : 0);
		REQUIRE_OK(vcpu_set_regs(&guest.vcpu[0], &regs));
		random_state(&rng, &state, !on);
		EXPECT_EQ(0, vcpu_call(&guest.vcpu[0], KVM_SET_LAPIC, &state));
		guest_run_to_sync(&guest, 0);
		REQUIRE_OK(vcpu_call(&guest.vcpu[0], KVM_GET_LAPIC, &state));
		EXPECT_EQ(0, vcpu_call(&guest.vcpu[0], KVM_SET_LAPIC, &state));
	}
	REQUIRE_OK(vcpu_call(&guest.vcpu[0], KVM_SET_LAPIC, &sane));
	memset(guest_at(&guest, VEC_COUNTS, 256 * 8), 0, 256 * 8);
	EXPECT_EQ(1, vm_call(&guest, KVM_SIGNAL_MSI, &msi));
	guest_run_to_sync(&guest, 0);
	guest_run_to_sync(&guest, 0);
	EXPECT_EQ(1, vec_count(&guest, 0x45));
	guest_destroy(&guest);
}

static const struct ktap_test tests[] = {
	KTAP_TEST_LIMIT(random_writes, LIMIT),
	KTAP_TEST(another_vm_works),
	KTAP_TEST(states_that_contradict_themselves),
};

KTAP_MAIN(tests)
