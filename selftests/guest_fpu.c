// SPDX-License-Identifier: GPL-2.0-only
/*
 * Floating point: the guest's registers over exits and changes of thread and vCPU, and those of the
 * thread that runs it, which a guest with other values must not touch.
 */
#include <linux/kvm.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

#include "lib/guest.h"

/* What the guest is given (at rsi) and what it finds (at rdi). */
struct fpu_state {
	uint8_t xmm[16][16];
	uint32_t mxcsr;
	uint16_t fcw, pad;
	double st0, st1;
};

#define IN_GPA(cpu)  (GUEST_SHARED + (cpu)*0x400)
#define OUT_GPA(cpu) (IN_GPA(cpu) + 0x200)

/* Loads, then at each turn exits and stores what is in the registers. */
guest_code(code_fpu, 64,
	   ".irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n"
	   "movdqu \\n*16(%rsi), %xmm\\n\n"
	   ".endr\n"
	   "ldmxcsr 256(%rsi)\n"
	   "fninit\n"
	   "fldcw 260(%rsi)\n"
	   "fldl 272(%rsi)\n"
	   "fldl 264(%rsi)\n"
	   "1: out %al, $" S_SYNC "\n"
	   ".irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n"
	   "movdqu %xmm\\n, \\n*16(%rdi)\n"
	   ".endr\n"
	   "stmxcsr 256(%rdi)\n"
	   "fnstcw 260(%rdi)\n"
	   "fstl 264(%rdi)\n"
	   "fxch\n"
	   "fstl 272(%rdi)\n"
	   "fxch\n"
	   "jmp 1b\n");

/* What a CPU has before anyone loads anything. */
guest_code(code_fpu_reset, 64,
	   "stmxcsr (%rdi)\n"
	   "fnstcw 4(%rdi)\n"
	   "movdqu %xmm7, 16(%rdi)\n"
	   "hlt\n");

static void enable_fpu(struct guest *guest, unsigned int cpu)
{
	struct kvm_sregs sregs = guest_sregs(guest, cpu);

	sregs.cr0 |= X86_CR0_MP;
	sregs.cr4 |= X86_CR4_OSFXSR | X86_CR4_OSXMMEXCPT;
	REQUIRE_OK(vcpu_set_sregs(&guest->vcpu[cpu], &sregs));
}

static struct fpu_state pattern(unsigned int seed)
{
	struct fpu_state state = { .mxcsr = seed & 1 ? 0x3f80 : 0x5f80,
				   .fcw = seed & 1 ? 0x27f : 0x77f,
				   .st0 = seed + 0.25,
				   .st1 = -1000.5 * seed };
	unsigned int i, j;

	for (i = 0; i < 16; i++) {
		for (j = 0; j < 16; j++)
			state.xmm[i][j] = seed * 31 + i * 16 + j;
	}
	return state;
}

static void start(struct guest *guest, unsigned int cpu, unsigned int seed)
{
	struct fpu_state state = pattern(seed);
	struct kvm_regs regs;

	guest_start(guest, cpu, MODE_LONG);
	enable_fpu(guest, cpu);
	memcpy(guest_at(guest, IN_GPA(cpu), sizeof(state)), &state, sizeof(state));
	regs = guest_regs(guest, cpu);
	regs.rsi = IN_GPA(cpu);
	regs.rdi = OUT_GPA(cpu);
	REQUIRE_OK(vcpu_set_regs(&guest->vcpu[cpu], &regs));
	guest_run_to_sync(guest, cpu);
}

/* Lets the guest store what it has. */
static void expect_pattern(struct guest *guest, unsigned int cpu, unsigned int seed)
{
	struct fpu_state expected = pattern(seed), *found;
	unsigned int i;

	found = guest_at(guest, OUT_GPA(cpu), sizeof(*found));
	memset(found, 0xcc, sizeof(*found));
	guest_run_to_sync(guest, cpu);
	for (i = 0; i < 16; i++)
		EXPECT(memcmp(found->xmm[i], expected.xmm[i], 16) == 0, "CPU %u: xmm%u", cpu, i);
	EXPECT_EQ(expected.mxcsr, found->mxcsr);
	EXPECT_EQ(expected.fcw, found->fcw);
	EXPECT(found->st0 == expected.st0 && found->st1 == expected.st1,
	       "CPU %u: st0 %g, st1 %g instead of %g, %g", cpu, found->st0, found->st1,
	       expected.st0, expected.st1);
}

static void reset_state(void)
{
	static const uint8_t zero[16];
	struct kvm_regs regs;
	struct guest guest;
	uint8_t *found;

	guest_create(&guest, 1);
	guest_load(&guest, code_fpu_reset);
	guest_start(&guest, 0, MODE_LONG);
	enable_fpu(&guest, 0);
	regs = guest_regs(&guest, 0);
	regs.rdi = GUEST_SHARED;
	REQUIRE_OK(vcpu_set_regs(&guest.vcpu[0], &regs));
	found = guest_at(&guest, GUEST_SHARED, 32);
	memset(found, 0xcc, 32);
	/* Ours are others, so that a leak is seen. */
	asm volatile("pcmpeqd %%xmm7, %%xmm7" : : : "xmm7");
	guest_run_to_hlt(&guest, 0);
	EXPECT_EQ(0x1f80, *(uint32_t *)found);
	EXPECT_EQ(0x37f, *(uint16_t *)(found + 4));
	EXPECT(memcmp(found + 16, zero, 16) == 0, "xmm7 holds something");
}

static void over_exits(void)
{
	struct guest guest;
	int i;

	guest_create(&guest, 1);
	guest_load(&guest, code_fpu);
	start(&guest, 0, 7);
	for (i = 0; i < 5; i++)
		expect_pattern(&guest, 0, 7);
}

static void two_vcpus_on_one_thread(void)
{
	struct guest guest;
	int i;

	guest_create(&guest, 2);
	guest_load(&guest, code_fpu);
	start(&guest, 0, 3);
	start(&guest, 1, 4);
	for (i = 0; i < 5; i++) {
		expect_pattern(&guest, 0, 3);
		expect_pattern(&guest, 1, 4);
	}
}

static void *expect_pattern_9(void *data)
{
	expect_pattern(data, 0, 9);
	return NULL;
}

static void from_thread_to_thread(void)
{
	pthread_t thread;
	struct guest guest;
	int i;

	guest_create(&guest, 1);
	guest_load(&guest, code_fpu);
	start(&guest, 0, 9);
	for (i = 0; i < 5; i++) {
		REQUIRE(!pthread_create(&thread, NULL, expect_pattern_9, &guest));
		REQUIRE(!pthread_join(thread, NULL));
	}
}

#define FOR_ALL_XMM(op)                                                                         \
	op(0) op(1) op(2) op(3) op(4) op(5) op(6) op(7) op(8) op(9) op(10) op(11) op(12) op(13) \
		op(14) op(15)
#define LOAD_XMM(n)  "movdqu " #n "*16(%[in]), %%xmm" #n "\n"
#define STORE_XMM(n) "movdqu %%xmm" #n ", " #n "*16(%[out])\n"
#define LOAD_YMM(n)  "vmovdqu " #n "*32(%[in]), %%ymm" #n "\n"
#define STORE_YMM(n) "vmovdqu %%ymm" #n ", " #n "*32(%[out])\n"
#define CLOBBERS                                                                                \
	"rcx", "r11", "memory", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", \
		"xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15"

/* KVM_RUN between a load and a store of all our vector registers, nothing else. */
static long run_between_xmm(int fd, const void *in, void *out)
{
	long ret = SYS_ioctl;

	asm volatile(FOR_ALL_XMM(LOAD_XMM) "syscall\n" FOR_ALL_XMM(STORE_XMM)
		     : "+a"(ret)
		     : "D"((long)fd), "S"((long)KVM_RUN), "d"(0L), [in] "r"(in), [out] "r"(out)
		     : CLOBBERS);
	return ret;
}

static long __attribute__((target("avx"))) run_between_ymm(int fd, const void *in, void *out)
{
	long ret = SYS_ioctl;

	asm volatile(FOR_ALL_XMM(LOAD_YMM) "syscall\n" FOR_ALL_XMM(STORE_YMM) "vzeroupper\n"
		     : "+a"(ret)
		     : "D"((long)fd), "S"((long)KVM_RUN), "d"(0L), [in] "r"(in), [out] "r"(out)
		     : CLOBBERS);
	return ret;
}

static void threads_own_state(void)
{
	uint32_t mxcsr = 0x7f80, mxcsr_after, mxcsr_before;
	uint16_t fcw = 0xf7f, fcw_after, fcw_before;
	bool avx = __builtin_cpu_supports("avx");
	uint8_t in[512], out[512];
	struct guest guest;
	unsigned int i;
	long err;
	int turn;

	guest_create(&guest, 1);
	guest_load(&guest, code_fpu);
	start(&guest, 0, 5);
	for (i = 0; i < sizeof(in); i++)
		in[i] = 0xf0 ^ i;
	for (turn = 0; turn < 3; turn++) {
		memset(out, 0, sizeof(out));
		asm volatile("stmxcsr %0; fnstcw %1; ldmxcsr %2; fldcw %3"
			     : "=m"(mxcsr_before), "=m"(fcw_before)
			     : "m"(mxcsr), "m"(fcw));
		if (avx)
			err = run_between_ymm(guest.vcpu[0].fd, in, out);
		else
			err = run_between_xmm(guest.vcpu[0].fd, in, out);
		asm volatile("stmxcsr %0; fnstcw %1; ldmxcsr %2; fldcw %3"
			     : "=m"(mxcsr_after), "=m"(fcw_after)
			     : "m"(mxcsr_before), "m"(fcw_before));
		EXPECT_EQ(0, err);
		guest_expect_exit(&guest, 0, KVM_EXIT_IO);
		EXPECT(memcmp(in, out, avx ? 512 : 256) == 0,
		       "the guest changed our vector registers");
		EXPECT_EQ(mxcsr, mxcsr_after);
		EXPECT_EQ(fcw, fcw_after);
	}
	expect_pattern(&guest, 0, 5);
}

static const struct ktap_test tests[] = {
	KTAP_TEST(reset_state),
	KTAP_TEST(over_exits),
	KTAP_TEST(two_vcpus_on_one_thread),
	KTAP_TEST(from_thread_to_thread),
	KTAP_TEST(threads_own_state),
};

KTAP_MAIN(tests)
