// SPDX-License-Identifier: GPL-2.0-only
/*
 * A guest whose memory and whole state are carried into a new VM goes on there as if nothing had
 * been: registers, vectors, debug registers, MSRs, and what waited for delivery.
 */
#include <errno.h>
#include <linux/kvm.h>
#include <string.h>
#include <sys/ioctl.h>

#include "lib/guest.h"

#define VECTOR_DB  1
#define VECTOR_NMI 2
#define VECTOR_IRQ 25
#define DR6_FIXED  0xffff0ff0ULL
#define DR6_BS	   0x4000ULL

#define MAX_MSRS 512
#define CHUNK	 128 /* of what KVM_GET_MSRS takes at once */
#define MSR_TSC	 0x10

struct msr_list {
	struct kvm_msr_list head;
	uint32_t indices[MAX_MSRS];
};

struct msr_chunk {
	struct kvm_msrs head;
	struct kvm_msr_entry entries[CHUNK];
};

struct state {
	struct kvm_regs regs;
	struct kvm_sregs2 sregs;
	struct kvm_vcpu_events events;
	struct kvm_xsave xsave;
	struct kvm_xcrs xcrs;
	struct kvm_debugregs debugregs;
	struct kvm_mp_state mp_state;
	struct msr_chunk msrs[MAX_MSRS / CHUNK];
};

/* Hyper-V's, nesting and paravirtual features: in kvm's list, whether the guest has them or not. */
static bool is_kvms_own(const struct guest *guest, uint32_t index)
{
	return !kvm_dev_is_mkvm(&guest->dev) && (index >> 8 == 0x400000 || index >> 8 == 0x4b564d ||
						 (index >= 0x480 && index < 0x492));
}

/* All that the list has, but for the counter, which goes on. */
static void save_msrs(const struct guest *guest, struct state *state)
{
	struct msr_list list = { .head.nmsrs = MAX_MSRS };
	uint32_t i, nr = 0;

	REQUIRE(ioctl(guest->dev.fd, KVM_GET_MSR_INDEX_LIST, &list) == 0, "%s", strerror(errno));
	for (i = 0; i < list.head.nmsrs; i++) {
		struct msr_chunk *chunk = &state->msrs[nr / CHUNK];

		if (list.indices[i] == MSR_TSC || is_kvms_own(guest, list.indices[i]))
			continue;
		chunk->entries[nr % CHUNK].index = list.indices[i];
		chunk->head.nmsrs = nr++ % CHUNK + 1;
	}
	for (i = 0; i < MAX_MSRS / CHUNK; i++)
		EXPECT_EQ(state->msrs[i].head.nmsrs,
			  vcpu_call(&guest->vcpu[0], KVM_GET_MSRS, &state->msrs[i]));
}

static void restore_msrs(const struct guest *guest, struct state *state)
{
	int i;

	for (i = 0; i < MAX_MSRS / CHUNK; i++)
		EXPECT_EQ(state->msrs[i].head.nmsrs,
			  vcpu_call(&guest->vcpu[0], KVM_SET_MSRS, &state->msrs[i]));
}

static void save(const struct guest *guest, struct state *state)
{
	const struct vcpu *vcpu = &guest->vcpu[0];

	memset(state, 0, sizeof(*state));
	REQUIRE_OK(vcpu_call(vcpu, KVM_GET_MP_STATE, &state->mp_state));
	REQUIRE_OK(vcpu_get_regs(vcpu, &state->regs));
	REQUIRE_OK(vcpu_call(vcpu, KVM_GET_SREGS2, &state->sregs));
	REQUIRE_OK(vcpu_call(vcpu, KVM_GET_XSAVE, &state->xsave));
	REQUIRE_OK(vcpu_call(vcpu, KVM_GET_XCRS, &state->xcrs));
	REQUIRE_OK(vcpu_call(vcpu, KVM_GET_DEBUGREGS, &state->debugregs));
	REQUIRE_OK(vcpu_call(vcpu, KVM_GET_VCPU_EVENTS, &state->events));
	save_msrs(guest, state);
}

static void restore(const struct guest *guest, struct state *state)
{
	const struct vcpu *vcpu = &guest->vcpu[0];

	REQUIRE_OK(vcpu_call(vcpu, KVM_SET_XCRS, &state->xcrs));
	REQUIRE_OK(vcpu_call(vcpu, KVM_SET_XSAVE, &state->xsave));
	REQUIRE_OK(vcpu_call(vcpu, KVM_SET_SREGS2, &state->sregs));
	restore_msrs(guest, state);
	REQUIRE_OK(vcpu_set_regs(vcpu, &state->regs));
	REQUIRE_OK(vcpu_call(vcpu, KVM_SET_DEBUGREGS, &state->debugregs));
	REQUIRE_OK(vcpu_call(vcpu, KVM_SET_MP_STATE, &state->mp_state));
	REQUIRE_OK(vcpu_call(vcpu, KVM_SET_VCPU_EVENTS, &state->events));
	vcpu->run->cr8 = state->sregs.cr8;
}

static void create(struct guest *guest)
{
	guest_create(guest, 1);
	REQUIRE_OK(vm_enable_cap(&guest->vm, KVM_CAP_EXCEPTION_PAYLOAD, 1));
}

/* @guest is another one when this returns, and its state is the same. */
static void move(struct guest *guest)
{
	struct state before, after;
	struct guest to;

	save(guest, &before);
	create(&to);
	memcpy(to.mem.host, guest->mem.host, guest->mem.size);
	restore(&to, &before);
	save(&to, &after);
	EXPECT(memcmp(&before, &after, sizeof(before)) == 0, "the state is not the same");
	guest_destroy(guest);
	*guest = to;
}

/* The code stops at each step; after each the guest is moved. */
guest_code(code_work, 64,
	   "mov $1, %eax\n"
	   "movq %rax, %xmm1\n"
	   "pxor %xmm7, %xmm7\n"
	   "fldz\n"
	   "mov $0x1234, %eax\n"
	   "mov %rax, %dr2\n"
	   "mov $10, %ecx\n"
	   "1: paddq %xmm1, %xmm7\n"
	   "fld1\n"
	   "faddp\n"
	   "push %rcx\n"
	   "out %al, $" S_SYNC "\n"
	   "pop %rcx\n"
	   "dec %ecx\n"
	   "jnz 1b\n"
	   "movq %xmm7, %rbx\n"
	   "fistpll " S_SHARED "\n"
	   "mov %dr2, %rdx\n"
	   "hlt\n");

static void work(void)
{
	struct kvm_sregs sregs;
	struct guest guest;
	int i;

	create(&guest);
	guest_load(&guest, code_work);
	guest_start(&guest, 0, MODE_LONG);
	sregs = guest_sregs(&guest, 0);
	sregs.cr4 |= X86_CR4_OSFXSR | X86_CR4_OSXMMEXCPT;
	REQUIRE_OK(vcpu_set_sregs(&guest.vcpu[0], &sregs));
	for (i = 0; i < 10; i++) {
		guest_run_to_sync(&guest, 0);
		/* An exit is completed before anything is saved. */
		guest.vcpu[0].run->immediate_exit = 1;
		EXPECT_ERRNO(EINTR, vcpu_run(&guest.vcpu[0]));
		guest.vcpu[0].run->immediate_exit = 0;
		move(&guest);
	}
	guest_run_to_hlt(&guest, 0);
	EXPECT_EQ(10, guest_regs(&guest, 0).rbx);
	EXPECT_EQ(10, *guest_shared(&guest));
	EXPECT_EQ(0x1234, guest_regs(&guest, 0).rdx);
}

/* MSRs that the guest has written are found again. */
guest_code(code_msrs, 64,
	   "xor %edx, %edx\n"
	   "mov $0x12345000, %eax\n"
	   "mov $0xc0000102, %ecx\n" /* KERNEL_GS_BASE */
	   "wrmsr\n"
	   "mov $0x176, %ecx\n" /* SYSENTER_EIP */
	   "wrmsr\n"
	   "mov $0xc0000082, %ecx\n" /* LSTAR */
	   "wrmsr\n"
	   "mov $0x277, %ecx\n" /* PAT */
	   "mov $0x00070106, %eax\n"
	   "wrmsr\n"
	   "hlt\n"
	   "mov $0xc0000102, %ecx\n"
	   "rdmsr\n"
	   "mov %eax, %ebx\n"
	   "mov $0x176, %ecx\n"
	   "rdmsr\n"
	   "mov %eax, %esi\n"
	   "mov $0xc0000082, %ecx\n"
	   "rdmsr\n"
	   "mov %eax, %edi\n"
	   "mov $0x277, %ecx\n"
	   "rdmsr\n"
	   "hlt\n");

static void msrs(void)
{
	struct kvm_regs regs;
	struct guest guest;

	create(&guest);
	guest_load(&guest, code_msrs);
	guest_start(&guest, 0, MODE_LONG);
	guest_run_to_hlt(&guest, 0);
	move(&guest);
	guest_run_to_hlt(&guest, 0);
	regs = guest_regs(&guest, 0);
	EXPECT_EQ(0x12345000, regs.rbx);
	EXPECT_EQ(0x12345000, regs.rsi);
	EXPECT_EQ(0x12345000, regs.rdi);
	EXPECT_EQ(0x00070106, regs.rax);
}

guest_code(code_hlt, 64,
	   "1: mov $3f - 1b + " S_CODE ", %r13d\n"
	   "mov $2f - 1b + " S_CODE ", %r14d\n"
	   "hlt\n"
	   "2: nop\n"
	   "hlt\n"
	   "3: iretq\n");

static void start(struct guest *guest)
{
	create(guest);
	guest_load(guest, code_hlt);
	guest_start(guest, 0, MODE_LONG);
	guest_enable_traps(guest, 0);
	guest_run_to_hlt(guest, 0);
}

static void interrupt_waits(void)
{
	struct kvm_interrupt irq = { .irq = VECTOR_IRQ };
	struct guest guest;

	start(&guest);
	REQUIRE_OK(vcpu_call(&guest.vcpu[0], KVM_INTERRUPT, &irq));
	move(&guest);
	EXPECT_EQ(0, guest_nr_traps(&guest));
	guest_run_to_hlt(&guest, 0);
	EXPECT_EQ(1, guest_nr_traps(&guest));
	EXPECT_EQ(VECTOR_IRQ, guest_trap(&guest, 0).vector);
	EXPECT_EQ(guest_regs(&guest, 0).r14, guest_trap(&guest, 0).rip);
	move(&guest);
	guest_run_to_hlt(&guest, 0);
	EXPECT_EQ(1, guest_nr_traps(&guest));
}

/* One NMI is being handled, another waits for its end. */
static void nmi_is_handled(void)
{
	struct kvm_regs regs;
	struct guest guest;
	uint64_t *frame;

	guest_unmask_nmis();
	start(&guest);
	REQUIRE_OK(vcpu_call(&guest.vcpu[0], KVM_NMI, NULL));
	move(&guest);
	guest_run_to_hlt(&guest, 0);
	EXPECT_EQ(1, guest_nr_traps(&guest));
	REQUIRE_OK(vcpu_call(&guest.vcpu[0], KVM_NMI, NULL));
	move(&guest);
	guest_run_to_hlt(&guest, 0);
	EXPECT_EQ(1, guest_nr_traps(&guest));
	move(&guest);
	regs = guest_regs(&guest, 0);
	frame = guest_at(&guest, regs.rsp, 40);
	frame[0] = regs.r14;
	regs.rip = regs.r13;
	REQUIRE_OK(vcpu_set_regs(&guest.vcpu[0], &regs));
	move(&guest);
	guest_run_to_hlt(&guest, 0);
	EXPECT_EQ(2, guest_nr_traps(&guest));
	EXPECT_EQ(VECTOR_NMI, guest_trap(&guest, 1).vector);
	EXPECT_EQ(guest_regs(&guest, 0).r14, guest_trap(&guest, 1).rip);
}

guest_code(code_in, 64,
	   "in $" S_SYNC ", %al\n"
	   "nop\n"
	   "hlt\n");

/* A debug exception that has not been delivered: what it is about goes along. */
static void exception_with_payload(void)
{
	struct kvm_regs regs;
	struct guest guest;

	create(&guest);
	guest_load(&guest, code_in);
	guest_start(&guest, 0, MODE_LONG);
	guest_enable_traps(&guest, 0);
	guest_run(&guest, 0);
	guest_expect_exit(&guest, 0, KVM_EXIT_IO);
	regs = guest_regs(&guest, 0);
	regs.rflags |= X86_RFLAGS_TF;
	REQUIRE_OK(vcpu_set_regs(&guest.vcpu[0], &regs));
	guest.vcpu[0].run->immediate_exit = 1;
	EXPECT_ERRNO(EINTR, vcpu_run(&guest.vcpu[0]));
	guest.vcpu[0].run->immediate_exit = 0;
	move(&guest);
	guest_run_to_hlt(&guest, 0);
	EXPECT_EQ(1, guest_nr_traps(&guest));
	EXPECT_EQ(VECTOR_DB, guest_trap(&guest, 0).vector);
	EXPECT_EQ(DR6_FIXED | DR6_BS, guest_trap(&guest, 0).dr6);
	EXPECT_EQ(GUEST_CODE + 2, guest_trap(&guest, 0).rip);
}

/* In every mode, between two instructions. */
guest_code(code_modes, 32,
	   "out %al, $" S_SYNC "\n"
	   "inc %ecx\n"
	   "hlt\n");

static void modes(void)
{
	enum cpu_mode mode;

	for (mode = 0; mode < MODE_NR; mode++) {
		struct guest guest;

		/* An increment in 32-bit code is a prefix in 64-bit code. */
		if (mode == MODE_LONG)
			continue;
		create(&guest);
		guest_load(&guest, code_modes);
		guest_start(&guest, 0, mode);
		guest_run_to_sync(&guest, 0);
		guest.vcpu[0].run->immediate_exit = 1;
		EXPECT_ERRNO(EINTR, vcpu_run(&guest.vcpu[0]));
		guest.vcpu[0].run->immediate_exit = 0;
		move(&guest);
		guest_run_to_hlt(&guest, 0);
		EXPECT(guest_regs(&guest, 0).rcx == 1, "%s: the guest did not go on",
		       mode_name(mode));
		guest_destroy(&guest);
	}
}

static const struct ktap_test tests[] = {
	KTAP_TEST(work),
	KTAP_TEST(msrs),
	KTAP_TEST(interrupt_waits),
	KTAP_TEST(nmi_is_handled),
	KTAP_TEST(exception_with_payload),
	KTAP_TEST(modes),
};

KTAP_MAIN(tests)
