// SPDX-License-Identifier: GPL-2.0-only
/*
 * The steady guest from outside: each CPU counts in a loop with registers that only it has, until
 * it is told to stop.  Whatever a test does to the host meanwhile, the sums and registers must be
 * right at the end.
 *
 *	steady_create(&guest, 1);
 *	... a thread calls guest_run_to_hlt(&guest, 0) ...
 *	steady_await_turns(&guest, 0, 1);	the guest is known to run
 *	... what the test is about ...
 *	steady_stop(&guest, 0);
 *	... the thread is joined ...
 *	steady_check(&guest, 0);
 */
#include "steady.h"

#include <string.h>
#include <unistd.h>

#include "host.h"

guest_code_extern(steady_code);

#define STEADY_SIZE 0x400

volatile struct steady *steady_of(const struct guest *guest, unsigned int cpu)
{
	return guest_at(guest, GUEST_SHARED + cpu * STEADY_SIZE, sizeof(struct steady));
}

/* Breakpoints are on addresses that nothing uses: they are there to be kept, not to be hit. */
static void steady_fill(struct steady *steady, uint64_t seed)
{
	unsigned int i;

	memset(steady, 0, sizeof(*steady));
	steady->seed = seed * 0x9e3779b97f4a7c15;
	for (i = 0; i < sizeof(steady->xmm); i++)
		steady->xmm[i / 16][i % 16] = seed * 37 + i;
	steady->msr[0].number = 0xc0000081; /* STAR */
	steady->msr[0].value = 0x0010000800000000 + seed;
	steady->msr[1].number = 0xc0000082; /* LSTAR */
	steady->msr[1].value = 0xffffffff81000000 + seed;
	steady->msr[2].number = 0xc0000084; /* SFMASK */
	steady->msr[2].value = 0x40000 + seed;
	steady->msr[3].number = 0xc0000102; /* KERNEL_GS_BASE */
	steady->msr[3].value = 0xffff888000000000 + seed;
	steady->msr[4].number = 0x176; /* SYSENTER_EIP */
	steady->msr[4].value = 0xffffffff82000000 + seed;
	for (i = 0; i < 4; i++)
		steady->dr[i] = 0x700000000000 + (seed << 16) + i * 0x1000;
	/* Between two of its CPUs QEMU loses track of breakpoints that are enabled, and crashes. */
	steady->dr7 = host_is_qemu() ? 0x400 : 0x455;
}

/* A guest that is ready to run; each CPU has a seed of its own. */
void steady_create(struct guest *guest, unsigned int nr_cpus)
{
	struct kvm_sregs sregs;
	struct kvm_regs regs;
	unsigned int cpu;

	guest_create(guest, nr_cpus);
	guest_load(guest, steady_code);
	for (cpu = 0; cpu < nr_cpus; cpu++) {
		guest_start(guest, cpu, MODE_LONG);
		steady_fill((struct steady *)steady_of(guest, cpu), getpid() % 1000 + cpu + 1);
		sregs = guest_sregs(guest, cpu);
		sregs.cr4 |= X86_CR4_OSFXSR;
		REQUIRE_OK(vcpu_set_sregs(&guest->vcpu[cpu], &sregs));
		regs = guest_regs(guest, cpu);
		regs.rdi = GUEST_SHARED + cpu * STEADY_SIZE;
		REQUIRE_OK(vcpu_set_regs(&guest->vcpu[cpu], &regs));
	}
}

/* Waits until the guest has made so many more turns. */
void steady_await_turns(const struct guest *guest, unsigned int cpu, uint64_t turns)
{
	volatile struct steady *steady = steady_of(guest, cpu);
	uint64_t until = steady->turns + turns;

	while (steady->turns < until)
		usleep(100);
}

void steady_stop(const struct guest *guest, unsigned int cpu)
{
	steady_of(guest, cpu)->stop = 1;
}

/* After the guest has halted. */
void steady_check(const struct guest *guest, unsigned int cpu)
{
	volatile struct steady *steady = steady_of(guest, cpu);
	struct kvm_regs regs = guest_regs(guest, cpu);
	uint64_t turns = steady->turns;

	EXPECT(steady->errors == 0, "CPU %u: %llu errors, the first of kind %llu", cpu,
	       (unsigned long long)steady->errors, (unsigned long long)steady->first_error);
	EXPECT(turns > 0, "CPU %u: it never ran", cpu);
	EXPECT(turns < 64 || steady->slow_checks == turns / 64,
	       "CPU %u: %llu slow checks in %llu turns", cpu,
	       (unsigned long long)steady->slow_checks, (unsigned long long)turns);
	EXPECT_EQ(turns * (turns + 1) / 2, steady->sum);
	EXPECT_EQ(turns, steady->fpu_turns);
	EXPECT_EQ(turns, regs.rbx);
	EXPECT_EQ(steady->sum, regs.rbp);
	EXPECT_EQ(steady->seed + 8, regs.r15);
}
