// SPDX-License-Identifier: GPL-2.0-only
/*
 * INS and OUTS: how many elements leave in one exit, and where they come to lie.
 *
 * How many is the kernel's choice within a page (kvm sends OUTS one by one), so the elements are
 * counted over all exits.
 */
#include <errno.h>
#include <linux/kvm.h>
#include <string.h>

#include "lib/guest.h"
#include "lib/host.h"

#define PORT	 0x3f0
#define S_PORT	 STRING(0x3f0)
#define BUFFER	 0x20000
#define S_BUFFER STRING(0x20000)

static struct guest guest;
static uint8_t sent[0x4000]; /* by OUTS; INS gets 1, 2, 3, ... */
static unsigned int nr_bytes, nr_exits, max_count;
static uint32_t size_seen;

static void __start(const unsigned char *code, size_t size, enum cpu_mode mode)
{
	guest_create(&guest, 1);
	__guest_load(&guest, code, size);
	guest_start(&guest, 0, mode);
	nr_bytes = 0;
	nr_exits = 0;
	max_count = 0;
}

#define start(code, mode) __start(code, code##_end - code, mode)

static void serve(void)
{
	struct kvm_run *run = guest.vcpu[0].run;
	uint8_t *data = vcpu_io_data(&guest.vcpu[0]);
	unsigned int i, len = run->io.size * run->io.count;

	guest_expect_exit(&guest, 0, KVM_EXIT_IO);
	EXPECT_EQ(PORT, run->io.port);
	REQUIRE(len && len <= 4096 && nr_bytes + len <= sizeof(sent), "%u bytes", len);
	size_seen = run->io.size;
	nr_exits++;
	if (run->io.count > max_count)
		max_count = run->io.count;
	if (run->io.direction == KVM_EXIT_IO_OUT)
		memcpy(sent + nr_bytes, data, len);
	else
		for (i = 0; i < len; i++)
			data[i] = nr_bytes + i + 1;
	nr_bytes += len;
}

static void run_to_hlt(void)
{
	while (guest_run(&guest, 0) == KVM_EXIT_IO)
		serve();
	guest_expect_exit(&guest, 0, KVM_EXIT_HLT);
}

guest_code(code_outsb, 64,
	   "mov $" S_PORT ", %edx\n"
	   "mov $" S_BUFFER ", %esi\n"
	   "mov $300, %ecx\n"
	   "rep outsb\n"
	   "hlt\n");

static void out_bytes(void)
{
	uint8_t *buffer;
	unsigned int i;

	start(code_outsb, MODE_LONG);
	buffer = guest_at(&guest, BUFFER, 300);
	for (i = 0; i < 300; i++)
		buffer[i] = i * 3;
	run_to_hlt();
	EXPECT_EQ(300, nr_bytes);
	EXPECT_OR_DIFFERS(&guest.dev, "outs_in_one_exit", nr_exits == 1, "%u exits", nr_exits);
	EXPECT_EQ(1, size_seen);
	EXPECT(!memcmp(sent, buffer, 300), "other bytes");
	EXPECT_EQ(0, guest_regs(&guest, 0).rcx);
	EXPECT_EQ(BUFFER + 300, guest_regs(&guest, 0).rsi);
}

guest_code(code_insl, 64,
	   "mov $" S_PORT ", %edx\n"
	   "mov $" S_BUFFER ", %edi\n"
	   "mov $64, %ecx\n"
	   "rep insl\n"
	   "hlt\n");

guest_code(code_insb, 64,
	   "mov $" S_PORT ", %edx\n"
	   "mov $" S_BUFFER ", %edi\n"
	   "mov $2048, %ecx\n"
	   "rep insb\n"
	   "hlt\n");

/* Half a page. */
static void in_many_bytes(void)
{
	start(code_insb, MODE_LONG);
	run_to_hlt();
	EXPECT_EQ(2048, nr_bytes);
	EXPECT_OR_DIFFERS(&guest.dev, "ins_in_one_exit", nr_exits == 1, "%u exits", nr_exits);
	EXPECT_EQ(BUFFER + 2048, guest_regs(&guest, 0).rdi);
}

/* All in one exit: they lie in one page. */
static void in_dwords(void)
{
	uint8_t *buffer;
	unsigned int i;

	start(code_insl, MODE_LONG);
	buffer = guest_at(&guest, BUFFER, 257);
	run_to_hlt();
	EXPECT_EQ(256, nr_bytes);
	EXPECT_EQ(1, nr_exits);
	EXPECT_EQ(64, max_count);
	EXPECT_EQ(4, size_seen);
	for (i = 0; i < 256; i++)
		if (buffer[i] != (uint8_t)(i + 1))
			break;
	EXPECT_EQ(256, i);
	EXPECT_EQ(0, buffer[256]);
	EXPECT_EQ(0, guest_regs(&guest, 0).rcx);
	EXPECT_EQ(BUFFER + 256, guest_regs(&guest, 0).rdi);
}

guest_code(code_in_pages, 64,
	   "mov $" S_PORT ", %edx\n"
	   "mov $" S_BUFFER " + 0xff7, %edi\n"
	   "mov $1100, %ecx\n"
	   "rep insl\n"
	   "hlt\n");

/* Three pages, and an element that lies in two of them. */
static void over_pages(void)
{
	uint8_t *buffer;
	unsigned int i;

	start(code_in_pages, MODE_LONG);
	buffer = guest_at(&guest, BUFFER + 0xff7, 4400);
	run_to_hlt();
	EXPECT_EQ(4400, nr_bytes);
	EXPECT(nr_exits >= 3, "%u exits", nr_exits);
	for (i = 0; i < 4400; i++)
		if (buffer[i] != (uint8_t)(i + 1))
			break;
	EXPECT_EQ(4400, i);
	EXPECT_EQ(BUFFER + 0xff7 + 4400, guest_regs(&guest, 0).rdi);
}

guest_code(code_down, 64,
	   "mov $" S_PORT ", %edx\n"
	   "mov $" S_BUFFER " + 6, %edi\n"
	   "mov $4, %ecx\n"
	   "std\n"
	   "rep insw\n"
	   "mov $" S_BUFFER " + 6, %esi\n"
	   "mov $4, %ecx\n"
	   "rep outsw\n"
	   "hlt\n");

/* The first element at the highest address. */
static void downwards(void)
{
	static const uint8_t memory[] = { 7, 8, 5, 6, 3, 4, 1, 2 };
	static const uint8_t elements[] = { 1, 2, 3, 4, 5, 6, 7, 8 };

	start(code_down, MODE_LONG);
	run_to_hlt();
	EXPECT(!memcmp(guest_at(&guest, BUFFER, 8), memory, 8), "memory");
	EXPECT(!memcmp(sent + 8, elements, 8), "elements");
	EXPECT_EQ(16, nr_bytes);
	EXPECT_EQ(BUFFER - 2, guest_regs(&guest, 0).rdi);
	EXPECT_EQ(BUFFER - 2, guest_regs(&guest, 0).rsi);
	EXPECT_EQ(0, guest_regs(&guest, 0).rcx);
}

guest_code(code_single, 64,
	   "mov $" S_PORT ", %edx\n"
	   "mov $" S_BUFFER ", %edi\n"
	   "mov $" S_BUFFER ", %esi\n"
	   "mov $7, %ecx\n"
	   "insb\n"
	   "outsb\n"
	   "xor %ecx, %ecx\n"
	   "rep insb\n"
	   "rep outsb\n"
	   "hlt\n");

/* Without the prefix one element, with a count of 0 none. */
static void one_and_none(void)
{
	start(code_single, MODE_LONG);
	run_to_hlt();
	EXPECT_EQ(2, nr_exits);
	EXPECT_EQ(2, nr_bytes);
	EXPECT_EQ(1, sent[1]);
	EXPECT_EQ(BUFFER + 1, guest_regs(&guest, 0).rdi);
	EXPECT_EQ(BUFFER + 1, guest_regs(&guest, 0).rsi);
}

guest_code(code_real, 16,
	   "mov $" S_PORT ", %dx\n"
	   "mov $3, %cx\n"
	   "xor %si, %si\n"
	   "xor %di, %di\n"
	   "rep outsb %fs:(%si), %dx\n"
	   "mov $3, %cx\n"
	   "rep insb\n"
	   "hlt\n");

/* An overriding segment for the source, never for the destination. */
static void segments(void)
{
	struct kvm_sregs sregs;
	struct kvm_regs regs;

	start(code_real, MODE_REAL);
	sregs = guest_sregs(&guest, 0);
	sregs.fs.base = BUFFER;
	sregs.es.base = BUFFER + 0x100;
	REQUIRE_OK(vcpu_set_sregs(&guest.vcpu[0], &sregs));
	regs = guest_regs(&guest, 0);
	regs.rsi = 0x12340000;
	REQUIRE_OK(vcpu_set_regs(&guest.vcpu[0], &regs));
	memcpy(guest_at(&guest, BUFFER, 3), "abc", 3);
	run_to_hlt();
	EXPECT(!memcmp(sent, "abc", 3), "other bytes");
	EXPECT(!memcmp(guest_at(&guest, BUFFER + 0x100, 4), "\x04\x05\x06\x00", 4), "memory");
	EXPECT_EQ(3, guest_regs(&guest, 0).rdi);
	EXPECT_EQ(0x12340003, guest_regs(&guest, 0).rsi);
}

guest_code(code_fault, 64,
	   "mov $" S_PORT ", %edx\n"
	   "mov $2, %ecx\n"
	   "lea 1f(%rip), %r15\n"
	   "rep insl\n"
	   "1: hlt\n");

/* The page fault comes before the port is read. */
static void fault_before_the_port(void)
{
	uint64_t *directory;
	struct kvm_regs regs;
	struct trap trap;

	start(code_fault, MODE_LONG);
	guest_enable_traps(&guest, 0);
	directory = guest_at(&guest, GUEST_TABLES + 0x2000, 0x1000);
	directory[0x800000 >> 21] = 0;
	regs = guest_regs(&guest, 0);
	regs.rdi = 0x800010;
	REQUIRE_OK(vcpu_set_regs(&guest.vcpu[0], &regs));
	run_to_hlt();
	EXPECT_OR_DIFFERS(&guest.dev, "port_read_before_fault", nr_exits == 0, "%u exits",
			  nr_exits);
	EXPECT_EQ(1, guest_nr_traps(&guest));
	trap = guest_trap(&guest, 0);
	EXPECT_EQ(14, trap.vector);
	EXPECT_EQ(2, trap.error);
	EXPECT_EQ(0x800010, trap.cr2);
	EXPECT_EQ(2, guest_regs(&guest, 0).rcx);
}

/* The data is in the guest's memory when KVM_RUN comes back. */
static void immediate_exit_completes(void)
{
	struct kvm_run *run;

	start(code_insl, MODE_LONG);
	run = guest.vcpu[0].run;
	guest_run(&guest, 0);
	serve();
	run->immediate_exit = 1;
	EXPECT_ERRNO(EINTR, vcpu_run(&guest.vcpu[0]));
	EXPECT_EQ(0x04030201, *(uint32_t *)guest_at(&guest, BUFFER, 4));
	EXPECT_OR_DIFFERS(&guest.dev, "rip_after_ins", guest_regs(&guest, 0).rip == GUEST_CODE + 17,
			  "rip 0x%llx", guest_regs(&guest, 0).rip);
	run->immediate_exit = 0;
	run_to_hlt();
}

guest_code(code_to_device, 64,
	   "mov $" S_PORT ", %edx\n"
	   "mov $" STRING(GUEST_MEM_SIZE) " - 2, %edi\n"
					  "mov $2, %ecx\n"
					  "rep insl\n"
					  "hlt\n");

/* From a port to where no memory is: one kind of exit after the other. */
static void into_a_device(void)
{
	unsigned int stored = 0;

	start(code_to_device, MODE_LONG);
	for (;;) {
		struct kvm_run *run = guest.vcpu[0].run;

		if (guest_run(&guest, 0) == KVM_EXIT_IO) {
			serve();
		} else if (run->exit_reason == KVM_EXIT_MMIO) {
			EXPECT_EQ(GUEST_MEM_SIZE + stored, run->mmio.phys_addr);
			EXPECT(run->mmio.is_write, "a read");
			EXPECT_EQ(stored + 3, run->mmio.data[0]);
			stored += run->mmio.len;
		} else {
			break;
		}
	}
	guest_expect_exit(&guest, 0, KVM_EXIT_HLT);
	EXPECT_EQ(8, nr_bytes);
	EXPECT_EQ(6, stored);
	EXPECT(!memcmp(guest_at(&guest, GUEST_MEM_SIZE - 2, 2), "\x01\x02", 2), "memory");
}

#define TF 0x100
#define RF 0x10000

/* The next instruction is stepped. */
#define S_STEP                 \
	"pushfq\n"             \
	"orl $0x100, (%rsp)\n" \
	"popfq\n"
#define STEP_BEGINS 9

/* Steps itself through the first element of a string. */
static void __expect_step(const unsigned char *code, size_t size, const char *name)
{
	struct kvm_regs regs;
	struct trap trap;

	__start(code, size, MODE_LONG);
	guest_enable_traps(&guest, 0);
	regs = guest_regs(&guest, 0);
	regs.rdx = PORT;
	regs.rcx = 4;
	regs.rsi = BUFFER;
	regs.rdi = BUFFER;
	REQUIRE_OK(vcpu_set_regs(&guest.vcpu[0], &regs));
	run_to_hlt();
	regs = guest_regs(&guest, 0);
	EXPECT_OR_DIFFERS(&guest.dev, name, regs.rcx == 3 && nr_bytes == 1,
			  "%llu elements left, %u bytes", regs.rcx, nr_bytes);
	EXPECT_EQ(1, guest_nr_traps(&guest));
	trap = guest_trap(&guest, 0);
	EXPECT_EQ(1, trap.vector);
	if (regs.rcx != 3)
		return;
	EXPECT_EQ(GUEST_CODE + STEP_BEGINS, trap.rip);
	EXPECT_EQ(RF | TF, trap.rflags & (RF | TF));
}

#define expect_step(code, name) __expect_step(code, code##_end - code, name)

/* clang-format off */
guest_code(code_step_in, 64,
	   S_STEP
	   "rep insb\n"
	   "hlt\n");
guest_code(code_step_out, 64,
	   S_STEP
	   "rep outsb\n"
	   "hlt\n");
/* clang-format on */

/* No batches: the debug exception comes behind each element, with the rest still to do. */
static void single_steps(void)
{
	expect_step(code_step_in, "step_of_ins");
	expect_step(code_step_out, "step_of_outs");
}

guest_code(code_pieces, 64,
	   "rep insb\n"
	   "nop\n"
	   "hlt\n");

/* RF is set between batches, and cleared behind the last. */
static void resume_flag(void)
{
	struct kvm_regs regs;

	if (host_is_bochs())
		ktap_skip("Bochs clears RF before an exit");
	start(code_pieces, MODE_LONG);
	regs = guest_regs(&guest, 0);
	regs.rdx = PORT;
	regs.rcx = 4;
	regs.rdi = BUFFER + 0xffe;
	REQUIRE_OK(vcpu_set_regs(&guest.vcpu[0], &regs));
	guest_run(&guest, 0);
	serve();
	EXPECT_EQ(2, nr_bytes);
	guest_run(&guest, 0);
	serve();
	EXPECT_EQ(4, nr_bytes);
	regs = guest_regs(&guest, 0);
	EXPECT_EQ(2, regs.rcx);
	EXPECT_EQ(RF, regs.rflags & RF);
	run_to_hlt();
	EXPECT_EQ(0, guest_regs(&guest, 0).rflags & RF);
}

guest_code(code_in_out, 64,
	   "in $0x10, %eax\n"
	   "out %al, $0x11\n"
	   "hlt\n");

/* So it is behind an instruction that was not executed by the processor. */
static void resume_flag_behind_in(void)
{
	uint64_t rflags;
	struct kvm_regs regs;

	if (host_is_bochs())
		ktap_skip("Bochs clears RF before an exit");
	start(code_in_out, MODE_LONG);
	regs = guest_regs(&guest, 0);
	regs.rflags |= RF;
	REQUIRE_OK(vcpu_set_regs(&guest.vcpu[0], &regs));
	guest_run(&guest, 0);
	guest_expect_exit(&guest, 0, KVM_EXIT_IO);
	EXPECT_EQ(RF, guest_regs(&guest, 0).rflags & RF);
	guest.vcpu[0].run->immediate_exit = 1;
	EXPECT_ERRNO(EINTR, vcpu_run(&guest.vcpu[0]));
	guest.vcpu[0].run->immediate_exit = 0;
	rflags = guest_regs(&guest, 0).rflags;
	EXPECT_OR_DIFFERS(&guest.dev, "resume_flag_stays", !(rflags & RF), "rflags 0x%llx",
			  (unsigned long long)rflags);
}

static const struct ktap_test tests[] = {
	KTAP_TEST(out_bytes),
	KTAP_TEST(in_many_bytes),
	KTAP_TEST(in_dwords),
	KTAP_TEST(over_pages),
	KTAP_TEST(downwards),
	KTAP_TEST(one_and_none),
	KTAP_TEST(segments),
	KTAP_TEST(fault_before_the_port),
	KTAP_TEST(immediate_exit_completes),
	KTAP_TEST(into_a_device),
	KTAP_TEST(single_steps),
	KTAP_TEST(resume_flag),
	KTAP_TEST(resume_flag_behind_in),
};

KTAP_MAIN(tests)
