// SPDX-License-Identifier: GPL-2.0-only
/*
 * The 8259 pair and the 8254 timer in the kernel: initialisation, masks, priorities, ends, edges
 * and levels, polls, rotation, ticks.
 */
#include <linux/kvm.h>
#include <pthread.h>
#include <unistd.h>

#include "lib/host.h"
#include "lib/vectors.h"

#define MASTER_BASE 0x20
#define SLAVE_BASE  0x28

/* Vectors 0x20 and 0x28 on; nothing masked. */
#define S_INIT                                               \
	"mov $0x11, %al\n out %al, $0x20\n out %al, $0xa0\n" \
	"mov $0x20, %al\n out %al, $0x21\n"                  \
	"mov $0x28, %al\n out %al, $0xa1\n"                  \
	"mov $0x04, %al\n out %al, $0x21\n"                  \
	"mov $0x02, %al\n out %al, $0xa1\n"                  \
	"mov $0x01, %al\n out %al, $0x21\n out %al, $0xa1\n" \
	"xor %eax, %eax\n out %al, $0x21\n out %al, $0xa1\n"

static void start(struct guest *guest, const void *code, size_t size)
{
	unsigned int i;

	vec_create(guest, 1, VEC_KERNEL);
	__guest_load(guest, code, size);
	vec_start(guest, 0);
	for (i = 0; i < 8; i++) {
		vec_end(guest, MASTER_BASE + i, VEC_END_MASTER);
		vec_end(guest, SLAVE_BASE + i, VEC_END_SLAVE);
	}
}

#define START(guest, code) start(guest, code, code##_end - code)

/* clang-format off */
guest_code(code_edges, 64,
	   S_INIT
	   "cli\n"
	   S_LOOK
	   "sti\n"
	   "nop\n"
	   S_LOOK
	   "nop\n"
	   S_LOOK);
/* clang-format on */

/* The slave's come before the master's third; a line that stays up is one edge. */
static void edges(void)
{
	struct guest guest;

	START(&guest, code_edges);
	guest_run_to_sync(&guest, 0);
	vec_line(&guest, 3, true);
	vec_line(&guest, 9, true);
	vec_line(&guest, 1, true);
	vec_line(&guest, 9, false);
	guest_run_to_sync(&guest, 0);
	EXPECT_EQ(3, vec_logged(&guest));
	EXPECT_EQ(0x21, vec_log(&guest, 0));
	EXPECT_EQ(0x29, vec_log(&guest, 1));
	EXPECT_EQ(0x23, vec_log(&guest, 2));
	vec_line(&guest, 3, true);
	vec_line(&guest, 9, true);
	guest_run_to_sync(&guest, 0);
	EXPECT_EQ(4, vec_logged(&guest));
	EXPECT_EQ(0x29, vec_log(&guest, 3));
	guest_destroy(&guest);
}

/* clang-format off */
guest_code(code_masks, 64,
	   S_INIT
	   "mov $0x28, %al\n out %al, $0x21\n" /* 3 and 5 */
	   "sti\n"
	   S_LOOK
	   "nop\n"
	   "mov $0x0a, %al\n out %al, $0x20\n in $0x20, %al\n" /* IRR */
	   "movzbl %al, %r12d\n"
	   "in $0x21, %al\n"
	   "movzbl %al, %r13d\n"
	   S_LOOK
	   "mov $0x20, %al\n out %al, $0x21\n"
	   "nop\n"
	   S_LOOK);
/* clang-format on */

static int line_status(const struct guest *guest, uint32_t gsi, bool level)
{
	struct kvm_irq_level line = { .irq = gsi, .level = level };

	REQUIRE_OK(vm_call(guest, KVM_IRQ_LINE_STATUS, &line));
	return line.status;
}

static void masks(void)
{
	struct guest guest;

	START(&guest, code_masks);
	guest_run_to_sync(&guest, 0);
	/* Masked at both controllers. */
	EXPECT_EQ(-1, line_status(&guest, 3, true));
	vec_line(&guest, 4, true);
	guest_run_to_sync(&guest, 0);
	EXPECT_EQ(1, vec_logged(&guest));
	EXPECT_EQ(0x24, vec_log(&guest, 0));
	EXPECT_EQ(0x08, guest_regs(&guest, 0).r12);
	EXPECT_EQ(0x28, guest_regs(&guest, 0).r13);
	guest_run_to_sync(&guest, 0);
	EXPECT_EQ(2, vec_logged(&guest));
	EXPECT_EQ(0x23, vec_log(&guest, 1));
	vec_line(&guest, 4, false);
	EXPECT_EQ(1, line_status(&guest, 4, true));
	vec_line(&guest, 4, false);
	/* It waits already. */
	EXPECT_EQ(0, line_status(&guest, 4, true));
	guest_destroy(&guest);
}

/* clang-format off */
guest_code(code_levels, 64,
	   S_INIT
	   "mov $0x4d1, %edx\n mov $0xff, %al\n out %al, %dx\n in %dx, %al\n"
	   "movzbl %al, %r12d\n"
	   "dec %edx\n mov $0xff, %al\n out %al, %dx\n in %dx, %al\n"
	   "movzbl %al, %r13d\n"
	   "sti\n"
	   S_LOOK
	   "nop\n"
	   S_LOOK
	   "mov $0x20, %al\n out %al, $0xa0\n out %al, $0x20\n"
	   "nop\n"
	   S_LOOK
	   "mov $0x20, %al\n out %al, $0xa0\n out %al, $0x20\n"
	   "nop\n"
	   S_LOOK);
/* clang-format on */

static void levels(void)
{
	struct guest guest;

	START(&guest, code_levels);
	vec_end(&guest, 0x2b, VEC_END_NONE);
	guest_run_to_sync(&guest, 0);
	/* Timer, keyboard, cascade, clock and coprocessor have edges. */
	EXPECT_EQ(0xde, guest_regs(&guest, 0).r12);
	EXPECT_EQ(0xf8, guest_regs(&guest, 0).r13);
	vec_line(&guest, 11, true);
	guest_run_to_sync(&guest, 0);
	EXPECT_EQ(1, vec_count(&guest, 0x2b));
	guest_run_to_sync(&guest, 0);
	EXPECT_EQ(2, vec_count(&guest, 0x2b));
	vec_line(&guest, 11, false);
	guest_run_to_sync(&guest, 0);
	EXPECT_EQ(2, vec_count(&guest, 0x2b));
	guest_destroy(&guest);
}

/* clang-format off */
guest_code(code_lint0, 64,
	   S_APIC
	   S_INIT
	   "sti\n"
	   S_SET(APIC_LVT0, 0x10700)
	   S_LOOK
	   "nop\n"
	   S_LOOK
	   S_SET(APIC_LVT0, 0x700)
	   "nop\n"
	   S_LOOK);
/* clang-format on */

/* The pair's output goes through LINT0. */
static void lint0(void)
{
	struct guest guest;

	START(&guest, code_lint0);
	guest_run_to_sync(&guest, 0);
	vec_line(&guest, 5, true);
	guest_run_to_sync(&guest, 0);
	EXPECT_EQ(0, vec_logged(&guest));
	guest_run_to_sync(&guest, 0);
	EXPECT_OR_DIFFERS(&guest.dev, "waited_for_lint0", vec_logged(&guest) == 1);
	EXPECT_EQ(vec_logged(&guest), vec_count(&guest, 0x25));
	guest_destroy(&guest);
}

/* The slave's request is polled: the master's goes with it. */
/* clang-format off */
guest_code(code_poll, 64,
	   "cli\n"
	   S_INIT
	   S_LOOK
	   "mov $0x0c, %al\n out %al, $0xa0\n in $0xa0, %al\n"
	   "movzbl %al, %r12d\n"
	   "mov $0x20, %al\n out %al, $0xa0\n"
	   "sti\n"
	   "nop\n"
	   "nop\n"
	   "mov $0x0c, %al\n out %al, $0xa0\n in $0xa0, %al\n"
	   "movzbl %al, %r13d\n"
	   "cli\n"
	   S_LOOK
	   "mov $0x0c, %al\n out %al, $0x20\n in $0x20, %al\n"
	   "movzbl %al, %r12d\n"
	   "mov $0x20, %al\n out %al, $0x20\n"
	   "mov $0x0c, %al\n out %al, $0x20\n in $0x20, %al\n"
	   "movzbl %al, %r13d\n"
	   S_LOOK);
/* clang-format on */

static void edge(const struct guest *guest, uint32_t gsi)
{
	vec_line(guest, gsi, true);
	vec_line(guest, gsi, false);
}

static void polls(void)
{
	struct guest guest;

	START(&guest, code_poll);
	guest_run_to_sync(&guest, 0);
	edge(&guest, 9);
	guest_run_to_sync(&guest, 0);
	EXPECT_EQ(0x01, guest_regs(&guest, 0).r12 & 0x7f);
	EXPECT_OR_DIFFERS(&guest.dev, "there_is_one", guest_regs(&guest, 0).r12 & 0x80);
	EXPECT_EQ(0x07, guest_regs(&guest, 0).r13);
	EXPECT_EQ(0, vec_logged(&guest));
	edge(&guest, 5);
	guest_run_to_sync(&guest, 0);
	EXPECT_EQ(0x05, guest_regs(&guest, 0).r12 & 0x7f);
	EXPECT_EQ(0x07, guest_regs(&guest, 0).r13);
	EXPECT_EQ(0, vec_logged(&guest));
	guest_destroy(&guest);
}

/* The slave's only request is masked before the processor acknowledges: none comes. */
/* clang-format off */
guest_code(code_withdrawn, 64,
	   "cli\n"
	   S_INIT
	   S_LOOK
	   "mov $0x02, %al\n out %al, $0xa1\n"
	   "sti\n"
	   "nop\n"
	   "nop\n"
	   S_LOOK
	   "xor %eax, %eax\n out %al, $0xa1\n"
	   "nop\n"
	   S_LOOK);
/* clang-format on */

static void withdrawn(void)
{
	struct guest guest;

	START(&guest, code_withdrawn);
	guest_run_to_sync(&guest, 0);
	edge(&guest, 9);
	guest_run_to_sync(&guest, 0);
	EXPECT_OR_DIFFERS(&guest.dev, "nobodys_request", !vec_logged(&guest));
	guest_run_to_sync(&guest, 0);
	EXPECT_EQ(1, vec_count(&guest, 0x29));
	guest_destroy(&guest);
}

/* Rotation: with an end, and to a pin that is named; both are the lowest then. */
/* clang-format off */
guest_code(code_rotate, 64,
	   S_INIT
	   "sti\n"
	   S_LOOK
	   "nop\n"
	   "mov $0xa0, %al\n out %al, $0x20\n" /* the end of 3, which is the lowest now */
	   "cli\n"
	   S_LOOK
	   "sti\n"
	   "nop\n"
	   "cli\n"
	   "mov $0xc0, %al\n out %al, $0x20\n" /* 0 is the lowest */
	   S_LOOK
	   "sti\n"
	   "nop\n"
	   S_LOOK);
/* clang-format on */

static void rotates(void)
{
	struct guest guest;

	START(&guest, code_rotate);
	guest_run_to_sync(&guest, 0);
	vec_end(&guest, 0x23, VEC_END_NONE);
	edge(&guest, 3);
	guest_run_to_sync(&guest, 0);
	EXPECT_EQ(1, vec_count(&guest, 0x23));
	vec_end(&guest, 0x23, VEC_END_MASTER);
	edge(&guest, 3);
	edge(&guest, 1);
	edge(&guest, 4);
	guest_run_to_sync(&guest, 0);
	EXPECT_EQ(4, vec_logged(&guest));
	EXPECT_EQ(0x24, vec_log(&guest, 1));
	EXPECT_EQ(0x21, vec_log(&guest, 2));
	EXPECT_EQ(0x23, vec_log(&guest, 3));
	edge(&guest, 0);
	edge(&guest, 7);
	guest_run_to_sync(&guest, 0);
	EXPECT_EQ(6, vec_logged(&guest));
	EXPECT_EQ(0x27, vec_log(&guest, 4));
	EXPECT_EQ(0x20, vec_log(&guest, 5));
	guest_destroy(&guest);
}

/*
 * 1 and 0 are in service; 1 is ended by its number, which leaves 0, so 1 still waits for that.
 * Then 0 is masked in special mask mode, and no longer holds up what is below it.
 */
/* clang-format off */
guest_code(code_specific, 64,
	   S_INIT
	   "sti\n"
	   S_LOOK
	   "nop\n"
	   S_LOOK
	   "nop\n"
	   "mov $0x61, %al\n out %al, $0x20\n"
	   "mov $0x0b, %al\n out %al, $0x20\n in $0x20, %al\n" /* ISR */
	   "movzbl %al, %r12d\n"
	   S_LOOK
	   "nop\n"
	   S_LOOK
	   "mov $0x01, %al\n out %al, $0x21\n"
	   "mov $0x68, %al\n out %al, $0x20\n"
	   "nop\n"
	   S_LOOK);
/* clang-format on */

static void specific_ends(void)
{
	struct guest guest;

	START(&guest, code_specific);
	vec_end(&guest, 0x20, VEC_END_NONE);
	vec_end(&guest, 0x21, VEC_END_NONE);
	guest_run_to_sync(&guest, 0);
	edge(&guest, 1);
	guest_run_to_sync(&guest, 0);
	edge(&guest, 0);
	guest_run_to_sync(&guest, 0);
	EXPECT_EQ(2, vec_logged(&guest));
	EXPECT_EQ(0x01, guest_regs(&guest, 0).r12);
	edge(&guest, 1);
	guest_run_to_sync(&guest, 0);
	EXPECT_EQ(2, vec_logged(&guest));
	guest_run_to_sync(&guest, 0);
	EXPECT_OR_DIFFERS(&guest.dev, "special_mask", vec_count(&guest, 0x21) == 2);
	guest_destroy(&guest);
}

static void create_pit(const struct guest *guest)
{
	struct kvm_pit_config config = { .flags = KVM_PIT_SPEAKER_DUMMY };

	REQUIRE_OK(vm_call(guest, KVM_CREATE_PIT2, &config));
}

/* clang-format off */
guest_code(code_ticks, 64,
	   S_INIT
	   "sti\n"
	   "mov $0x34, %al\n out %al, $0x43\n" /* counter 0, mode 2, 1 ms */
	   "mov $0xa9, %al\n out %al, $0x40\n"
	   "mov $0x04, %al\n out %al, $0x40\n"
	   S_WAIT(0x20, 10)
	   S_LOOK
	   "mov $0x30, %al\n out %al, $0x43\n" /* mode 0: one tick */
	   "mov $0xa9, %al\n out %al, $0x40\n"
	   "mov $0x04, %al\n out %al, $0x40\n"
	   "mov " STRING( VEC_COUNTS) " + 8 * 0x20, %r12\n"
	   "1: pause\n"
	   "mov $0xe2, %al\n out %al, $0x43\n in $0x40, %al\n" /* its output */
	   "test $0x80, %al\n"
	   "jz 1b\n"
	   S_LOOK);
/* clang-format on */

static void ticks(void)
{
	struct guest guest;

	START(&guest, code_ticks);
	create_pit(&guest);
	guest_run_to_sync(&guest, 0);
	EXPECT(vec_count(&guest, 0x20) >= 10, "%llu", (unsigned long long)vec_count(&guest, 0x20));
	guest_run_to_sync(&guest, 0);
	guest_destroy(&guest);
}

/*
 * The status of counter 2 for each access (low byte, high byte, both) and each mode, of which 6
 * and 7 are 2 and 3, loaded with as many bytes as that takes.  Then counter 0 in mode 3, loaded by
 * its high byte alone.
 */
/* clang-format off */
guest_code(code_modes, 64,
	   S_INIT
	   "sti\n"
	   "mov $1, %al\n out %al, $0x61\n"
	   "xor %ecx, %ecx\n"
	   "1: mov %ecx, %eax\n"
	   "shl $1, %eax\n"
	   "add $0x90, %eax\n" /* bits 5:4 access, 3:1 mode */
	   "out %al, $0x43\n"
	   "mov $0x40, %al\n"
	   "out %al, $0x42\n"
	   "cmp $16, %ecx\n"
	   "jb 2f\n"
	   "out %al, $0x42\n"
	   "2: mov $0xe8, %al\n out %al, $0x43\n in $0x42, %al\n"
	   "mov %al, " STRING(GUEST_SHARED) "(%rcx)\n"
	   "inc %ecx\n"
	   "cmp $24, %ecx\n"
	   "jb 1b\n"
	   "mov $0x26, %al\n out %al, $0x43\n"
	   "mov $0x10, %al\n out %al, $0x40\n"
	   S_WAIT(0x20, 3)
	   S_LOOK);
/* clang-format on */

static void modes(void)
{
	const volatile uint8_t *status;
	struct guest guest;
	unsigned int i;

	START(&guest, code_modes);
	create_pit(&guest);
	guest_run_to_sync(&guest, 0);
	status = (const volatile uint8_t *)guest_shared(&guest);
	for (i = 0; i < 24; i++) {
		unsigned int access = i / 8 + 1, mode = i % 8 > 5 ? i % 8 - 4 : i % 8;

		EXPECT((status[i] & 0x3f) == (access << 4 | mode << 1), "access %u, mode %u: 0x%x",
		       access, mode, status[i]);
	}
	EXPECT(vec_count(&guest, 0x20) >= 3, "%llu", (unsigned long long)vec_count(&guest, 0x20));
	guest_destroy(&guest);
}

/*
 * Counter 0 fires once in modes 0, 1 and 4, and not at all in mode 5: counter 2 gets to its end,
 * which is later.
 */
/* clang-format off */
#define S_COUNT(control) \
	"mov $" STRING(control) ", %al\n out %al, $0x43\n" \
	"mov $0x00, %al\n out %al, $0x40\n" \
	"mov $0x10, %al\n out %al, $0x40\n"

guest_code(code_once, 64,
	   S_INIT
	   "sti\n"
	   S_COUNT(0x30)
	   S_WAIT(0x20, 1)
	   S_COUNT(0x32)
	   S_WAIT(0x20, 2)
	   S_COUNT(0x38)
	   S_WAIT(0x20, 3)
	   S_COUNT(0x3a)
	   "mov $1, %al\n out %al, $0x61\n"
	   "mov $0xb0, %al\n out %al, $0x43\n"
	   "mov $0x00, %al\n out %al, $0x42\n"
	   "mov $0x40, %al\n out %al, $0x42\n"
	   "1: pause\n"
	   "mov $0xe8, %al\n out %al, $0x43\n in $0x42, %al\n"
	   "test $0x80, %al\n"
	   "jz 1b\n"
	   S_LOOK);
/* clang-format on */

static void fires_once(void)
{
	struct guest guest;
	uint64_t came;

	START(&guest, code_once);
	create_pit(&guest);
	guest_run_to_sync(&guest, 0);
	came = vec_count(&guest, 0x20);
	/* QEMU may deliver one twice, as in irq_storm.c. */
	EXPECT(came == 3 || (host_is_qemu() && came > 3), "%llu ticks", (unsigned long long)came);
	guest_destroy(&guest);
}

/*
 * A count that is latched stays until it is read, whatever is loaded meanwhile and however often
 * it is latched; then its status, if that is latched, too, comes first.
 */
/* clang-format off */
guest_code(code_latches, 64,
	   "mov $1, %al\n out %al, $0x61\n"
	   "mov $0xb4, %al\n out %al, $0x43\n" /* counter 2, both bytes, mode 2 */
	   "mov $0x01, %al\n out %al, $0x42\n"
	   "xor %eax, %eax\n out %al, $0x42\n" /* 1: it has no other count */
	   "mov $0x80, %al\n out %al, $0x43\n"
	   "mov $0xff, %al\n out %al, $0x42\n out %al, $0x42\n"
	   "mov $0x80, %al\n out %al, $0x43\n"
	   "mov $0xe8, %al\n out %al, $0x43\n"
	   "in $0x42, %al\n movzbl %al, %r12d\n and $0x3f, %r12d\n"
	   "in $0x42, %al\n movzbl %al, %r13d\n"
	   "in $0x42, %al\n movzbl %al, %r14d\n"
	   S_LOOK);
/* clang-format on */

static void latches(void)
{
	struct guest guest;

	START(&guest, code_latches);
	create_pit(&guest);
	guest_run_to_sync(&guest, 0);
	EXPECT_EQ(0x34, guest_regs(&guest, 0).r12);
	EXPECT_EQ(1, guest_regs(&guest, 0).r13);
	EXPECT_EQ(0, guest_regs(&guest, 0).r14);
	guest_destroy(&guest);
}

/* Until ticks do not end any more. */
/* clang-format off */
guest_code(code_shortest, 64,
	   S_INIT
	   "sti\n"
	   "mov $0x34, %al\n out %al, $0x43\n" /* counter 0, mode 2, one tick of the oscillator */
	   "mov $0x01, %al\n out %al, $0x40\n"
	   "mov $0x00, %al\n out %al, $0x40\n"
	   "1: pause\n"
	   "cmpb $" STRING(VEC_END_NONE) ", " STRING(VEC_ENDS) " + 0x20\n"
	   "jne 1b\n"
	   S_LOOK);
/* clang-format on */

static void *run_to_sync(void *guest)
{
	guest_run_to_sync(guest, 0);
	return NULL;
}

/* One tick is not the period: the host goes on, and the guest as far as it has time for. */
static void go_on_for_50_ticks(bool reinject)
{
	struct kvm_reinject_control control = { .pit_reinject = reinject };
	struct guest guest;
	pthread_t thread;

	START(&guest, code_shortest);
	if (!kvm_dev_is_mkvm(&guest.dev) && host_is_bochs())
		ktap_skip(
			"kvm's 8254 fires for each period that the host was late for; Bochs always is");
	create_pit(&guest);
	REQUIRE_OK(vm_call(&guest, KVM_REINJECT_CONTROL, &control));
	REQUIRE(!pthread_create(&thread, NULL, run_to_sync, &guest));
	while (vec_count(&guest, 0x20) < 50)
		usleep(1000);
	vec_end(&guest, 0x20, VEC_END_NONE);
	REQUIRE(!pthread_join(thread, NULL));
	guest_destroy(&guest);
}

static void shortest_period(void)
{
	go_on_for_50_ticks(true);
	go_on_for_50_ticks(false);
}

/* Counter 2 and port 0x61, as a guest that measures its clock has them. */
/* clang-format off */
guest_code(code_speaker, 64,
	   "in $0x61, %al\n and $0xfd, %al\n or $1, %al\n out %al, $0x61\n"
	   "mov $0xb0, %al\n out %al, $0x43\n"
	   "mov $0xa9, %al\n out %al, $0x42\n"
	   "mov $0x04, %al\n out %al, $0x42\n"
	   "in $0x61, %al\n"
	   "movzbl %al, %r12d\n"
	   "1: in $0x61, %al\n"
	   "test $0x20, %al\n"
	   "jz 1b\n"
	   /* The clock of refreshes goes up and down. */
	   "2: in $0x61, %al\n test $0x10, %al\n jz 2b\n"
	   "3: in $0x61, %al\n test $0x10, %al\n jnz 3b\n"
	   S_LOOK);
/* clang-format on */

static void speaker(void)
{
	struct guest guest;

	START(&guest, code_speaker);
	create_pit(&guest);
	guest_run_to_sync(&guest, 0);
	EXPECT_EQ(1, guest_regs(&guest, 0).r12 & 3);
	guest_destroy(&guest);
}

static const struct ktap_test tests[] = {
	KTAP_TEST(edges),	    KTAP_TEST(masks),	      KTAP_TEST(levels),
	KTAP_TEST(lint0),	    KTAP_TEST(polls),	      KTAP_TEST(withdrawn),
	KTAP_TEST(rotates),	    KTAP_TEST(specific_ends), KTAP_TEST(modes),
	KTAP_TEST(latches),	    KTAP_TEST(fires_once),    KTAP_TEST(ticks),
	KTAP_TEST(shortest_period), KTAP_TEST(speaker),
};

KTAP_MAIN(tests)
