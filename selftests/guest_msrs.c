// SPDX-License-Identifier: GPL-2.0-only
/*
 * Model-specific registers that the hardware, the module or both switch: what a guest writes it
 * reads back after exits, two vCPUs on one thread keep apart, the host's own stay; and those that
 * the guest has not in the way user space has them.
 */
#include <asm/prctl.h>
#include <linux/kvm.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/guest.h"

struct msr {
	const char *name;
	uint32_t number;
	uint64_t value[2]; /* one for each vCPU */
};

static const struct msr msrs[] = {
	{ "STAR", 0xc0000081, { 0x0010000800000000, 0x0023001000000000 } },
	{ "LSTAR", 0xc0000082, { 0xffff800011112222, 0x1111 } },
	{ "CSTAR", 0xc0000083, { 0xffff800033334444, 0x2222 } },
	{ "SFMASK", 0xc0000084, { 0x47700, 0x200 } },
	{ "FS_BASE", 0xc0000100, { 0x7ffe11112222, 0x3333 } },
	{ "GS_BASE", 0xc0000101, { 0xffff888011112222, 0x4444 } },
	{ "KERNEL_GS_BASE", 0xc0000102, { 0xffff888055556666, 0x5555 } },
	{ "SYSENTER_CS", 0x174, { 0x18, 0x28 } },
	{ "SYSENTER_ESP", 0x175, { 0xffffc90011112222, 0x6666 } },
	{ "SYSENTER_EIP", 0x176, { 0xffffffff81234567, 0x7777 } },
	{ "PAT", 0x277, { 0x0407050600070106, 0x0007040600070406 } },
};

#define NR_MSRS (sizeof(msrs) / sizeof(msrs[0]))

/* A list of these is at rsi; rdi: 1 writes, 0 reads. */
struct msr_item {
	uint64_t number, value;
};

#define LIST_GPA(cpu) (GUEST_SHARED + (cpu)*0x400)

guest_code(code_msrs, 64,
	   "1: mov %rsi, %rbx\n"
	   "2: mov (%rbx), %rcx\n"
	   "test %rcx, %rcx\n"
	   "jz 5f\n"
	   "test %rdi, %rdi\n"
	   "jz 3f\n"
	   "mov 8(%rbx), %eax\n"
	   "mov 12(%rbx), %edx\n"
	   "wrmsr\n"
	   "jmp 4f\n"
	   "3: rdmsr\n"
	   "mov %eax, 8(%rbx)\n"
	   "mov %edx, 12(%rbx)\n"
	   "4: add $16, %rbx\n"
	   "jmp 2b\n"
	   "5: out %al, $" S_SYNC "\n"
	   "jmp 1b\n");

static struct msr_item *list_of(const struct guest *guest, unsigned int cpu)
{
	return guest_at(guest, LIST_GPA(cpu), 0x400);
}

static void set_direction(struct guest *guest, unsigned int cpu, bool write)
{
	struct kvm_regs regs = guest_regs(guest, cpu);

	regs.rdi = write;
	regs.rsi = LIST_GPA(cpu);
	REQUIRE_OK(vcpu_set_regs(&guest->vcpu[cpu], &regs));
}

static void write_all(struct guest *guest, unsigned int cpu)
{
	struct msr_item *list = list_of(guest, cpu);
	size_t i;

	for (i = 0; i < NR_MSRS; i++)
		list[i] = (struct msr_item){ msrs[i].number, msrs[i].value[cpu] };
	set_direction(guest, cpu, true);
	guest_run_to_sync(guest, cpu);
	guest_set_rip(guest, cpu, GUEST_CODE);
}

static void expect_all(struct guest *guest, unsigned int cpu)
{
	struct msr_item *list = list_of(guest, cpu);
	size_t i;

	for (i = 0; i < NR_MSRS; i++)
		list[i].value = 0xccccccccccccccccULL;
	set_direction(guest, cpu, false);
	guest_run_to_sync(guest, cpu);
	for (i = 0; i < NR_MSRS; i++)
		EXPECT(list[i].value == msrs[i].value[cpu],
		       "CPU %u: %s: expected 0x%llx, is 0x%llx", cpu, msrs[i].name,
		       (unsigned long long)msrs[i].value[cpu], (unsigned long long)list[i].value);
}

static void start(struct guest *guest, unsigned int nr_cpus)
{
	unsigned int cpu;

	guest_create(guest, nr_cpus);
	guest_load(guest, code_msrs);
	for (cpu = 0; cpu < nr_cpus; cpu++) {
		guest_start(guest, cpu, MODE_LONG);
		guest_enable_traps(guest, cpu);
	}
}

/* The handler would halt: the run to the port says that no write was refused. */
static void kept_over_exits(void)
{
	struct guest guest;
	int i;

	start(&guest, 1);
	write_all(&guest, 0);
	for (i = 0; i < 3; i++)
		expect_all(&guest, 0);
	EXPECT_EQ(0, guest_nr_traps(&guest));
}

static void two_vcpus_on_one_thread(void)
{
	struct guest guest;
	int i;

	start(&guest, 2);
	write_all(&guest, 0);
	write_all(&guest, 1);
	for (i = 0; i < 3; i++) {
		expect_all(&guest, 0);
		expect_all(&guest, 1);
	}
}

/* What user space sees of them: the bases are the segments'. */
static void bases_are_the_segments(void)
{
	struct kvm_sregs sregs;
	struct guest guest;

	start(&guest, 1);
	write_all(&guest, 0);
	sregs = guest_sregs(&guest, 0);
	EXPECT_EQ(msrs[4].value[0], sregs.fs.base);
	EXPECT_EQ(msrs[5].value[0], sregs.gs.base);
	sregs.gs.base = 0x12345;
	REQUIRE_OK(vcpu_set_sregs(&guest.vcpu[0], &sregs));
	set_direction(&guest, 0, false);
	guest_run_to_sync(&guest, 0);
	EXPECT_EQ(0x12345, list_of(&guest, 0)[5].value);
	EXPECT_EQ(msrs[6].value[0], list_of(&guest, 0)[6].value);
}

guest_code(code_swapgs, 64,
	   "swapgs\n"
	   "hlt\n"
	   "swapgs\n"
	   "hlt\n");

static void swapgs(void)
{
	struct guest guest;

	start(&guest, 1);
	write_all(&guest, 0);
	guest_load(&guest, code_swapgs);
	guest.vcpu[0].run->immediate_exit = 1;
	vcpu_run(&guest.vcpu[0]);
	guest.vcpu[0].run->immediate_exit = 0;
	guest_set_rip(&guest, 0, GUEST_CODE);
	guest_run_to_hlt(&guest, 0);
	EXPECT_EQ(msrs[6].value[0], guest_sregs(&guest, 0).gs.base);
	guest_run_to_hlt(&guest, 0);
	EXPECT_EQ(msrs[5].value[0], guest_sregs(&guest, 0).gs.base);
}

/* SYSCALL goes where LSTAR says, masks what SFMASK says, with the segments of STAR. */
guest_code(code_syscall, 64,
	   "1: mov $0xc0000080, %ecx\n"
	   "rdmsr\n"
	   "mov %eax, %r8d\n"
	   "or $1, %eax\n"
	   "wrmsr\n"
	   "rdmsr\n"
	   "mov %eax, %r9d\n"
	   "mov $0xc0000081, %ecx\n"
	   "xor %eax, %eax\n"
	   "mov $0x00080008, %edx\n"
	   "wrmsr\n"
	   "mov $0xc0000082, %ecx\n"
	   "mov $3f - 1b + " S_CODE ", %eax\n"
	   "xor %edx, %edx\n"
	   "wrmsr\n"
	   "mov $0xc0000084, %ecx\n"
	   "mov $1, %eax\n"
	   "wrmsr\n"
	   "stc\n"
	   "syscall\n"
	   "2: hlt\n"
	   "3: setc %bl\n"
	   "mov $2b - 1b + " S_CODE ", %r10d\n"
	   "hlt\n");

static void syscall_and_efer(void)
{
	struct kvm_regs regs;
	struct guest guest;

	guest_create(&guest, 1);
	guest_load(&guest, code_syscall);
	guest_start(&guest, 0, MODE_LONG);
	guest_enable_traps(&guest, 0);
	guest_run_to_hlt(&guest, 0);
	regs = guest_regs(&guest, 0);
	EXPECT_EQ(0x500, regs.r8);
	EXPECT_EQ(0x501, regs.r9);
	EXPECT(regs.r10 && regs.rcx == regs.r10, "SYSCALL did not get to LSTAR: rcx 0x%llx",
	       regs.rcx);
	EXPECT_EQ(0, regs.rbx & 0xff);
	EXPECT_EQ(1, regs.r11 & 1);
	EXPECT_EQ(0x501, guest_sregs(&guest, 0).efer);
	EXPECT_EQ(0, guest_nr_traps(&guest));
}

/* The base that user space has in GS is the kernel's KERNEL_GS_BASE while the kernel runs. */
static void bases_of_the_process(void)
{
	unsigned long base = 0;
	struct guest guest;
	int i;

	start(&guest, 1);
	REQUIRE(syscall(SYS_arch_prctl, ARCH_SET_GS, 0x123456789000) == 0, "ARCH_SET_GS");
	write_all(&guest, 0);
	for (i = 0; i < 3; i++) {
		expect_all(&guest, 0);
		REQUIRE(syscall(SYS_arch_prctl, ARCH_GET_GS, &base) == 0, "ARCH_GET_GS");
		EXPECT_EQ(0x123456789000, base);
	}
}

/* One access by the guest: did it go through? */
static bool access_msr(struct guest *guest, bool write, uint32_t msr, uint64_t *value)
{
	struct kvm_regs regs;

	guest_start_msr(guest, write, msr, (uint32_t)*value, *value >> 32);
	guest_run_to_hlt(guest, 0);
	regs = guest_regs(guest, 0);
	if (guest_nr_traps(guest)) {
		EXPECT_EQ(13, guest_trap(guest, 0).vector);
		return false;
	}
	if (!write)
		*value = (uint32_t)regs.rax | regs.rdx << 32;
	return true;
}

static bool guest_writes(struct guest *guest, uint32_t msr, uint64_t value)
{
	return access_msr(guest, true, msr, &value);
}

static uint64_t guest_reads(struct guest *guest, uint32_t msr)
{
	uint64_t value = 0;

	REQUIRE(access_msr(guest, false, msr, &value), "the guest cannot read MSR 0x%x", msr);
	return value;
}

static int set_msr(const struct guest *guest, uint32_t msr, uint64_t value)
{
	struct {
		struct kvm_msrs head;
		struct kvm_msr_entry entry;
	} set = { .head.nmsrs = 1, .entry = { .index = msr, .data = value } };

	return ioctl(guest->vcpu[0].fd, KVM_SET_MSRS, &set);
}

/* What user space may write and the guest may not. */
static void less_than_the_host(void)
{
	static const struct {
		const char *name;
		uint32_t msr;
		uint64_t value;
		bool readable;
	} rows[] = {
		{ "ARCH_CAPABILITIES", 0x10a, 1, true },
		{ "PLATFORM_INFO", 0xce, 1U << 31, true },
		{ "MISC_ENABLE, PEBS", 0x1a0, 0x800, true },
		{ "MC0_STATUS", 0x401, 1, true },
	};
	struct guest guest;
	uint64_t value;
	size_t i;

	guest_create(&guest, 1);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		EXPECT(!guest_writes(&guest, rows[i].msr, rows[i].value), "%s: the guest writes",
		       rows[i].name);
		EXPECT(access_msr(&guest, false, rows[i].msr, &value) == rows[i].readable,
		       "%s: the guest can%s read", rows[i].name, rows[i].readable ? "not" : "");
		EXPECT(i == 0 || set_msr(&guest, rows[i].msr, rows[i].value) == 1,
		       "%s: user space cannot write", rows[i].name);
	}
	/* The bit of power saving's monitor is the processor's. */
	value = guest_reads(&guest, 0x1a0);
	EXPECT(guest_writes(&guest, 0x1a0, value ^ 0x80), "MISC_ENABLE, EMON");
	EXPECT_EQ(value, guest_reads(&guest, 0x1a0));
	/* Zero is written to a bank's status to clear it. */
	EXPECT(guest_writes(&guest, 0x401, 0), "MC0_STATUS cannot be cleared");
	/* An update of the microcode is taken and has no effect. */
	value = guest_reads(&guest, 0x8b);
	EXPECT(guest_writes(&guest, 0x8b, 0x1234), "UCODE_REV");
	EXPECT_EQ(value, guest_reads(&guest, 0x8b));
}

static void platform_info(void)
{
	struct guest guest;
	uint64_t value;

	guest_create(&guest, 1);
	EXPECT_EQ(1, kvm_dev_extension(&guest.dev, KVM_CAP_MSR_PLATFORM_INFO));
	EXPECT_EQ(1U << 31, guest_reads(&guest, 0xce));
	REQUIRE_OK(vm_enable_cap(&guest.vm, KVM_CAP_MSR_PLATFORM_INFO, 0));
	EXPECT(!access_msr(&guest, false, 0xce, &value), "PLATFORM_INFO can be read still");
	REQUIRE_OK(vm_enable_cap(&guest.vm, KVM_CAP_MSR_PLATFORM_INFO, 1));
	EXPECT_EQ(1U << 31, guest_reads(&guest, 0xce));
}

/* TSC_ADJUST is what the guest has added to its counter, one way or the other. */
static void tsc_adjust(void)
{
	const uint64_t far = 1ULL << 60;
	struct guest guest;

	guest_create(&guest, 1);
	EXPECT_EQ(0, guest_reads(&guest, 0x3b));
	EXPECT(guest_writes(&guest, 0x3b, far), "TSC_ADJUST cannot be written");
	EXPECT(guest_reads(&guest, 0x10) >= far, "TSC_ADJUST does not move the counter");
	EXPECT(guest_writes(&guest, 0x10, 2 * far), "the TSC cannot be written");
	EXPECT(guest_reads(&guest, 0x10) >= 2 * far, "the TSC is not as written");
	EXPECT(guest_reads(&guest, 0x3b) >= far + 1, "TSC_ADJUST does not tell of it");
	/* User space sets the one without the other. */
	EXPECT_EQ(1, set_msr(&guest, 0x3b, 5));
	EXPECT_EQ(5, guest_reads(&guest, 0x3b));
	EXPECT(guest_reads(&guest, 0x10) >= 2 * far, "user space moved the counter by TSC_ADJUST");
}

static const struct ktap_test tests[] = {
	KTAP_TEST(kept_over_exits),
	KTAP_TEST(two_vcpus_on_one_thread),
	KTAP_TEST(bases_are_the_segments),
	KTAP_TEST(swapgs),
	KTAP_TEST(syscall_and_efer),
	KTAP_TEST(bases_of_the_process),
	KTAP_TEST(less_than_the_host),
	KTAP_TEST(platform_info),
	KTAP_TEST(tsc_adjust),
};

KTAP_MAIN(tests)
