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

#define STEADY_SIZE 0x400

/*
 * Who waits sleeps longer each time.  On a processor that it shares with the guest it may wake up
 * before a slow host has even entered the guest: kvm under Bochs takes more than 300 us for that.
 */
#define SLEEP_MAX_US 10000

/* What first_error says. */
static const char *const kinds[] = {
	"none",
	"general registers",
	"vector registers or rounding",
	"model-specific registers",
	"debug registers",
	"a debug exception that was not asked for",
};

volatile struct steady *steady_of(const struct guest *guest, unsigned int cpu)
{
	return guest_at(guest, GUEST_SHARED + cpu * STEADY_SIZE, sizeof(struct steady));
}

static volatile uint64_t *steady_table(const struct guest *guest, unsigned int cpu)
{
	return guest_at(guest, GUEST_DATA + cpu * 0x1000, STEADY_WORDS * 8);
}

static void steady_fill_msrs(struct steady *steady, uint64_t seed)
{
	const uint64_t msrs[][2] = {
		{ 0xc0000080, X86_EFER_LME | X86_EFER_LMA | X86_EFER_SCE | X86_EFER_NX },
		{ 0xc0000081, 0x0010000800000000 + seed }, /* STAR */
		{ 0xc0000082, 0xffffffff81000000 + seed }, /* LSTAR */
		{ 0xc0000083, 0xffffffff83000000 + seed }, /* CSTAR */
		{ 0xc0000084, 0x40000 + seed },		   /* SFMASK */
		{ 0xc0000100, 0x00007f0000000000 + seed }, /* FS_BASE */
		{ 0xc0000101, 0xffff888000000000 + seed }, /* GS_BASE */
		{ 0xc0000102, 0x00007e0000000000 + seed }, /* KERNEL_GS_BASE */
		{ 0x174, seed },			   /* SYSENTER_CS */
		{ 0x175, 0xffffc90000000000 + seed },	   /* SYSENTER_ESP */
		{ 0x176, 0xffffffff82000000 + seed },	   /* SYSENTER_EIP */
		{ 0x277, 0x0007010600070406 },		   /* PAT */
	};
	unsigned int i;

	for (i = 0; i < sizeof(msrs) / sizeof(msrs[0]); i++) {
		steady->msr[i].number = msrs[i][0];
		steady->msr[i].value = msrs[i][1];
	}
}

/*
 * Three breakpoints are on addresses that nothing uses: they are there to be kept, not to be hit.
 * The fourth is hit by the store of each slow check.
 */
static void steady_fill(struct steady *steady, unsigned int cpu, uint64_t seed)
{
	unsigned int i;

	memset(steady, 0, sizeof(*steady));
	steady->seed = seed * 0x9e3779b97f4a7c15;
	for (i = 0; i < sizeof(steady->xmm); i++)
		steady->xmm[i / 16][i % 16] = seed * 37 + i;
	steady->mxcsr = 0x1f80 | (seed % 4) << 13;
	steady->fcw = 0x37f | ((seed + 1) % 4) << 10;
	steady->table = GUEST_DATA + cpu * 0x1000;
	steady_fill_msrs(steady, seed);
	for (i = 0; i < 3; i++)
		steady->dr[i] = 0x700000000000 + (seed << 16) + i * 0x1000;
	steady->dr[3] = GUEST_SHARED + cpu * STEADY_SIZE + offsetof(struct steady, watched);
	/* Between two of its CPUs QEMU loses track of breakpoints that are enabled, and crashes. */
	steady->dr7 = host_is_qemu() ? 0x400 : 0x90000455;
}

/* The guest's handler of #DB. */
static void steady_enable_breaks(const struct guest *guest, struct kvm_sregs *sregs)
{
	uint64_t *idt = guest_at(guest, GUEST_IDT, 32 * 16);
	uint64_t handler = GUEST_CODE + (steady_break - steady_code);

	/* An interrupt gate to ring 0; the handler is below 64 KiB. */
	idt[2] = handler | (uint64_t)SEL_CODE64 << 16 | 0x8eULL << 40;
	idt[3] = 0;
	sregs->idt.base = GUEST_IDT;
	sregs->idt.limit = 32 * 16 - 1;
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
		steady_fill((struct steady *)steady_of(guest, cpu), cpu, getpid() % 1000 + cpu + 1);
		sregs = guest_sregs(guest, cpu);
		sregs.cr4 |= X86_CR4_OSFXSR;
		steady_enable_breaks(guest, &sregs);
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
	unsigned int us = 300;

	while (steady->turns < until) {
		usleep(us);
		if (us < SLEEP_MAX_US)
			us *= 2;
	}
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
	uint64_t turns = steady->turns, sum = 0;
	unsigned int i;

	EXPECT(steady->errors == 0, "CPU %u: %llu errors, the first: %s", cpu,
	       (unsigned long long)steady->errors, kinds[steady->first_error % 6]);
	EXPECT(turns > 0, "CPU %u: it never ran", cpu);
	EXPECT(steady->slow_checks == turns / 1024 + (turns % 1024 != 0),
	       "CPU %u: %llu slow checks in %llu turns", cpu,
	       (unsigned long long)steady->slow_checks, (unsigned long long)turns);
	EXPECT_EQ(turns * (turns + 1) / 2, steady->sum);
	EXPECT_EQ(turns, steady->fpu_turns);
	for (i = 0; i < STEADY_WORDS; i++)
		sum += steady_table(guest, cpu)[i];
	EXPECT_EQ(steady->sum, sum);
	EXPECT_EQ(steady->dr7 & 0x40 ? steady->slow_checks : 0, steady->breaks);
	EXPECT_EQ(turns, regs.rbx);
	EXPECT_EQ(steady->sum, regs.rbp);
	EXPECT_EQ(steady->seed + 8, regs.r15);
}
