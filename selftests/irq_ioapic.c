// SPDX-License-Identifier: GPL-2.0-only
/*
 * The I/O APIC, messages and routes: edges, levels and their end, masks, what the guest writes, and
 * the end of an interrupt that user space's I/O APIC has sent.
 */
#include <errno.h>
#include <linux/kvm.h>
#include <pthread.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "lib/host.h"
#include "lib/stats.h"
#include "lib/vectors.h"

#define LOW    0x2000ULL /* polarity */
#define LEVEL  0x8000ULL
#define REMOTE 0x4000ULL

/* clang-format off */
guest_code(code_looks, 64,
	   S_APIC
	   "1: " S_LOOK
	   "nop\n"
	   "jmp 1b\n");
/* clang-format on */

/* An end of interrupt between the second look and the first. */
/* clang-format off */
guest_code(code_ends, 64,
	   S_APIC
	   "1: " S_LOOK
	   "nop\n"
	   S_LOOK
	   S_SET(APIC_EOI, 0)
	   "nop\n"
	   "jmp 1b\n");
/* clang-format on */

static void start(struct guest *guest, const void *code, size_t size, enum vec_kind kind)
{
	vec_create(guest, 1, kind);
	__guest_load(guest, code, size);
	vec_start(guest, 0);
	guest_run_to_sync(guest, 0);
}

#define START(guest, code) start(guest, code, code##_end - code, VEC_KERNEL)

static void edges(void)
{
	struct guest guest;

	START(&guest, code_looks);
	vec_ioapic_pin(&guest, 20, 0x45);
	vec_line(&guest, 20, true);
	guest_run_to_sync(&guest, 0);
	EXPECT_EQ(1, vec_count(&guest, 0x45));
	vec_line(&guest, 20, true);
	guest_run_to_sync(&guest, 0);
	EXPECT_EQ(1, vec_count(&guest, 0x45));
	vec_line(&guest, 20, false);
	vec_line(&guest, 20, true);
	guest_run_to_sync(&guest, 0);
	EXPECT_EQ(2, vec_count(&guest, 0x45));
	EXPECT_EQ(0x45, vec_ioapic_entry(&guest, 20));
	EXPECT_EQ(2, vec_logged(&guest));
	guest_destroy(&guest);
}

/* Remote IRR, which user space sets, is for levels alone. */
static void edge_with_remote_irr(void)
{
	struct guest guest;

	START(&guest, code_looks);
	vec_ioapic_pin(&guest, 20, 0x45 | REMOTE);
	vec_line(&guest, 20, true);
	guest_run_to_sync(&guest, 0);
	EXPECT_EQ(1, vec_count(&guest, 0x45));
	guest_destroy(&guest);
}

static int line_status(const struct guest *guest, uint32_t gsi, bool level)
{
	struct kvm_irq_level line = { .irq = gsi, .level = level };

	REQUIRE_OK(vm_call(guest, KVM_IRQ_LINE_STATUS, &line));
	return line.status;
}

/* clang-format off */
guest_code(code_without_pic, 64,
	   S_APIC
	   "mov $0xff, %al\n out %al, $0x21\n out %al, $0xa1\n"
	   "1: " S_LOOK
	   "nop\n"
	   "jmp 1b\n");
/* clang-format on */

/* A tick of the clock that comes before the end of the one before it. */
static void clock_ticks(void)
{
	struct guest guest;
	int got;

	START(&guest, code_without_pic);
	vec_end(&guest, 0x45, VEC_END_NONE);
	vec_ioapic_pin(&guest, 8, 0x45);
	EXPECT_EQ(1, line_status(&guest, 8, true));
	line_status(&guest, 8, false);
	guest_run_to_sync(&guest, 0);
	EXPECT_EQ(1, vec_count(&guest, 0x45));
	got = line_status(&guest, 8, true);
	EXPECT_OR_DIFFERS(&guest.dev, "tick_in_service", got == 1, "%d", got);
	guest_destroy(&guest);
}

/* What an entry can send besides a vector: an NMI, INIT, one of lowest priority. */
static void modes(void)
{
	struct guest guest;

	vec_create(&guest, 2, VEC_KERNEL);
	guest_load(&guest, code_looks);
	vec_start(&guest, 0);
	vec_set_apic(&guest, 0, APIC_LDR, 1u << 24);
	vec_end(&guest, 2, VEC_END_NONE);
	guest_run_to_sync(&guest, 0);
	vec_ioapic_pin(&guest, 20, 0x400);
	vec_ioapic_pin(&guest, 21, 1ULL << 56 | 0x500);
	vec_ioapic_pin(&guest, 22, 1ULL << 56 | 0x800 | 0x100 | 0x46);
	vec_line(&guest, 20, true);
	guest_run_to_sync(&guest, 0);
	EXPECT_EQ(1, vec_count(&guest, 2));
	EXPECT_EQ(KVM_MP_STATE_UNINITIALIZED, vec_mp_state(&guest, 1));
	vec_line(&guest, 21, true);
	EXPECT_EQ(KVM_MP_STATE_INIT_RECEIVED, vec_mp_state(&guest, 1));
	vec_line(&guest, 22, true);
	guest_run_to_sync(&guest, 0);
	EXPECT_EQ(1, vec_count(&guest, 0x46));
	EXPECT_EQ(2, vec_logged(&guest));
	guest_destroy(&guest);
}

/* A line that is up is up, whatever the entry says of polarity. */
static void polarity(void)
{
	struct guest guest;

	START(&guest, code_looks);
	EXPECT_EQ(1, kvm_dev_extension(&guest.dev, KVM_CAP_IOAPIC_POLARITY_IGNORED));
	vec_ioapic_pin(&guest, 20, 0x45 | LOW);
	guest_run_to_sync(&guest, 0);
	EXPECT_EQ(0, vec_count(&guest, 0x45));
	vec_line(&guest, 20, true);
	guest_run_to_sync(&guest, 0);
	EXPECT_EQ(1, vec_count(&guest, 0x45));
	vec_line(&guest, 20, false);
	guest_run_to_sync(&guest, 0);
	EXPECT_EQ(1, vec_count(&guest, 0x45));
	EXPECT_EQ(0x45 | LOW, vec_ioapic_entry(&guest, 20));
	guest_destroy(&guest);
}

static void levels(void)
{
	struct guest guest;

	START(&guest, code_ends);
	vec_end(&guest, 0x45, VEC_END_NONE);
	vec_ioapic_pin(&guest, 20, 0x45 | LEVEL);
	vec_line(&guest, 20, true);
	guest_run_to_sync(&guest, 0);
	EXPECT_EQ(1, vec_count(&guest, 0x45));
	EXPECT_EQ(0x45 | LEVEL | REMOTE, vec_ioapic_entry(&guest, 20));
	EXPECT(vec_apic_bit(&guest, 0, APIC_TMR, 0x45), "not told as level-triggered");
	/* Its end, and the line is still up. */
	guest_run_to_sync(&guest, 0);
	EXPECT_EQ(2, vec_count(&guest, 0x45));
	EXPECT_EQ(0x45 | LEVEL | REMOTE, vec_ioapic_entry(&guest, 20));
	vec_line(&guest, 20, false);
	guest_run_to_sync(&guest, 0);
	EXPECT_EQ(0x45 | LEVEL | REMOTE, vec_ioapic_entry(&guest, 20));
	guest_run_to_sync(&guest, 0);
	EXPECT_EQ(2, vec_count(&guest, 0x45));
	EXPECT_EQ(0x45 | LEVEL, vec_ioapic_entry(&guest, 20));
	guest_destroy(&guest);
}

#define S_WINDOW(index, to)	   "movl $" #index ", (%rsi)\n mov 0x10(%rsi), %" #to "\n"
#define S_SET_WINDOW(index, value) "movl $" #index ", (%rsi)\n movl $" #value ", 0x10(%rsi)\n"

/* clang-format off */
guest_code(code_registers, 64,
	   S_APIC
	   "mov $" STRING(IOAPIC_GPA) ", %esi\n"
	   S_WINDOW(1, r12d)
	   S_SET_WINDOW(0, 0xffffffff)
	   S_WINDOW(0, r13d)
	   S_SET_WINDOW(0x39, 0xffffffff) /* pin 20: the upper half */
	   S_SET_WINDOW(0x38, 0xffffffff)
	   S_WINDOW(0x38, r14d)
	   S_WINDOW(0x39, r15d)
	   S_SET_WINDOW(0x39, 0)
	   S_SET_WINDOW(0x38, 0x18045) /* masked, by level */
	   S_LOOK
	   "nop\n"
	   S_LOOK
	   S_SET_WINDOW(0x38, 0x8045) /* opened while the line is up */
	   "nop\n"
	   S_LOOK);
/* clang-format on */

static void registers(void)
{
	struct kvm_regs regs;
	struct guest guest;

	START(&guest, code_registers);
	regs = guest_regs(&guest, 0);
	EXPECT_EQ(0x170011, regs.r12);
	EXPECT_EQ(0x0f000000, regs.r13);
	/* Status and remote IRR are not to be written. */
	EXPECT_EQ(0x1afff, regs.r14 & 0x1ffff);
	EXPECT_EQ(0xff000000, regs.r15 & 0xff000000);
	EXPECT_OR_DIFFERS(&guest.dev, "reserved_bits", !(regs.r14 >> 17) && !(regs.r15 << 40),
			  "0x%llx, 0x%llx", regs.r14, regs.r15);
	vec_end(&guest, 0x45, VEC_END_NONE);
	vec_line(&guest, 20, true);
	guest_run_to_sync(&guest, 0);
	EXPECT_EQ(0, vec_count(&guest, 0x45));
	guest_run_to_sync(&guest, 0);
	EXPECT_EQ(1, vec_count(&guest, 0x45));
	guest_destroy(&guest);
}

static int msi(const struct guest *guest, uint32_t address, uint32_t data)
{
	struct kvm_msi msi = { .address_lo = APIC_GPA | address, .data = data };

	return vm_call(guest, KVM_SIGNAL_MSI, &msi);
}

static void messages(void)
{
	struct kvm_msi flagged = { .address_lo = APIC_GPA, .flags = 2 };
	struct guest guest;

	START(&guest, code_looks);
	EXPECT_EQ(1, msi(&guest, 0, 0x45));
	EXPECT_EQ(1, msi(&guest, 0xff << 12, 0x46));
	guest_run_to_sync(&guest, 0);
	EXPECT_EQ(1, vec_count(&guest, 0x45));
	EXPECT_EQ(1, vec_count(&guest, 0x46));
	/* For nobody. */
	EXPECT_EQ(0, msi(&guest, 9 << 12, 0x45));
	EXPECT_ERRNO(EINVAL, vm_call(&guest, KVM_SIGNAL_MSI, &flagged));
	/* Logical destination 4, flat. */
	vec_set_apic(&guest, 0, APIC_LDR, 4 << 24);
	EXPECT_EQ(1, msi(&guest, 6 << 12 | 4, 0x47));
	EXPECT_EQ(0, msi(&guest, 3 << 12 | 4, 0x47));
	/* An NMI. */
	EXPECT_EQ(1, msi(&guest, 0, 0x400));
	guest_run_to_sync(&guest, 0);
	EXPECT_EQ(1, vec_count(&guest, 0x47));
	EXPECT_EQ(1, vec_count(&guest, 2));
	guest_destroy(&guest);
}

struct routes {
	struct kvm_irq_routing head;
	struct kvm_irq_routing_entry entry;
};

static void route_msi(const struct guest *guest, uint32_t gsi, uint32_t data)
{
	struct routes routes = { .head.nr = 1,
				 .entry = { .gsi = gsi,
					    .type = KVM_IRQ_ROUTING_MSI,
					    .u.msi = { .address_lo = APIC_GPA, .data = data } } };

	REQUIRE_OK(vm_call(guest, KVM_SET_GSI_ROUTING, &routes));
}

static void routes_change(void)
{
	struct kvm_irq_level line = { .irq = 20, .level = 1 };
	struct guest guest;

	START(&guest, code_looks);
	vec_ioapic_pin(&guest, 20, 0x45);
	route_msi(&guest, 100, 0x51);
	REQUIRE_OK(vm_call(&guest, KVM_IRQ_LINE_STATUS, &line));
	EXPECT_EQ(-1, (int)line.status);
	vec_line(&guest, 100, true);
	vec_line(&guest, 100, false);
	guest_run_to_sync(&guest, 0);
	route_msi(&guest, 100, 0x52);
	vec_line(&guest, 100, true);
	guest_run_to_sync(&guest, 0);
	EXPECT_EQ(2, vec_logged(&guest));
	EXPECT_EQ(0x51, vec_log(&guest, 0));
	EXPECT_EQ(0x52, vec_log(&guest, 1));
	guest_destroy(&guest);
}

/* It sleeps until it gets one, and looks when it has got all. */
/* clang-format off */
guest_code(code_takes, 64,
	   S_APIC
	   "1: sti\n"
	   "hlt\n"
	   "cmpq $0, " STRING(GUEST_SHARED) "\n"
	   "je 1b\n"
	   S_LOOK);
/* clang-format on */

static void *run_to_sync(void *guest)
{
	guest_run_to_sync(guest, 0);
	return NULL;
}

struct changer {
	struct guest *guest;
	pthread_t thread;
	volatile bool stop;
	volatile uint64_t changes;
};

/* Both routes send an interrupt, but not the same one. */
static void *change_routes(void *data)
{
	struct changer *changer = data;

	while (!changer->stop) {
		route_msi(changer->guest, 100, 0x51 + changer->changes % 2);
		changer->changes++;
	}
	return NULL;
}

static uint64_t both(const struct guest *guest)
{
	return vec_count(guest, 0x51) + vec_count(guest, 0x52);
}

/* However often routes change: each event is one interrupt, by the old route or the new one. */
static void routes_change_under_load(void)
{
	unsigned int events = host_events(host_is_bochs() ? 200 : 2000), i;
	struct changer changer = {};
	uint64_t one = 1, before, handed_over;
	struct stats stats;
	struct kvm_irqfd irqfd = { .gsi = 100 };
	struct guest guest;
	pthread_t thread;

	START(&guest, code_looks);
	guest_load(&guest, code_takes);
	vec_start(&guest, 0);
	route_msi(&guest, 100, 0x51);
	irqfd.fd = eventfd(0, EFD_NONBLOCK);
	REQUIRE_OK(vm_call(&guest, KVM_IRQFD, &irqfd));
	changer.guest = &guest;
	stats_open(&stats, guest.vcpu[0].fd);
	REQUIRE(!pthread_create(&thread, NULL, run_to_sync, &guest));
	REQUIRE(!pthread_create(&changer.thread, NULL, change_routes, &changer));
	for (i = 0; i < events || !vec_count(&guest, 0x51) || !vec_count(&guest, 0x52); i++) {
		before = both(&guest);
		if (i % 2)
			REQUIRE(write(irqfd.fd, &one, sizeof(one)) == sizeof(one), "write");
		else
			vec_line(&guest, 100, true);
		while (both(&guest) == before)
			usleep(50);
	}
	changer.stop = true;
	REQUIRE(!pthread_join(changer.thread, NULL));
	ktap_note("%u interrupts, %llu by the one route, routes changed %llu times", i,
		  (unsigned long long)vec_count(&guest, 0x51), (unsigned long long)changer.changes);
	/*
	 * QEMU may deliver one twice, as in irq_storm.c.  Then the next event is taken for done too
	 * early, and two of them may be one interrupt.
	 */
	handed_over = stats_value(&stats, "irq_injections");
	if (kvm_dev_is_mkvm(&guest.dev))
		EXPECT(handed_over == i || (host_is_qemu() && handed_over < i), "%llu handed over",
		       (unsigned long long)handed_over);
	EXPECT(both(&guest) == i || (host_is_qemu() && both(&guest) > i), "%llu interrupts",
	       (unsigned long long)both(&guest));
	guest_shared(&guest)[0] = 1;
	vec_line(&guest, 100, true);
	REQUIRE(!pthread_join(thread, NULL));
	guest_destroy(&guest);
}

/* User space has the I/O APIC: it is told the end of what its pins have sent by level. */
static void split_eoi(void)
{
	struct guest guest;

	start(&guest, code_looks, code_looks_end - code_looks, VEC_SPLIT);
	route_msi(&guest, 5, 0x8045 | 0x4000);
	vec_line(&guest, 5, true);
	guest_run(&guest, 0);
	guest_expect_exit(&guest, 0, KVM_EXIT_IOAPIC_EOI);
	EXPECT_EQ(0x45, guest.vcpu[0].run->eoi.vector);
	guest_run_to_sync(&guest, 0);
	EXPECT_EQ(1, vec_count(&guest, 0x45));
	/* An edge is none of its business. */
	route_msi(&guest, 5, 0x46);
	vec_line(&guest, 5, true);
	guest_run_to_sync(&guest, 0);
	EXPECT_EQ(1, vec_count(&guest, 0x46));
	guest_destroy(&guest);
}

/* So it has the 8259 pair, whose interrupts come by KVM_INTERRUPT and LINT0. */
static void split_external(void)
{
	struct kvm_interrupt interrupt = { .irq = 0x33 };
	struct guest guest;

	start(&guest, code_looks, code_looks_end - code_looks, VEC_SPLIT);
	vec_end(&guest, 0x33, VEC_END_NONE);
	EXPECT_EQ(1, guest.vcpu[0].run->ready_for_interrupt_injection);
	REQUIRE_OK(vcpu_call(&guest.vcpu[0], KVM_INTERRUPT, &interrupt));
	guest_run_to_sync(&guest, 0);
	EXPECT_EQ(1, vec_count(&guest, 0x33));
	EXPECT(!vec_apic_bit(&guest, 0, APIC_ISR, 0x33), "the local APIC has it");
	vec_set_apic(&guest, 0, APIC_LVT0, LVT_MASKED | LVT_EXTINT);
	guest_run_to_sync(&guest, 0);
	EXPECT_EQ(0, guest.vcpu[0].run->ready_for_interrupt_injection);
	guest_destroy(&guest);
}

static const struct ktap_test tests[] = {
	KTAP_TEST(edges),
	KTAP_TEST(polarity),
	KTAP_TEST(levels),
	KTAP_TEST(registers),
	KTAP_TEST(messages),
	KTAP_TEST(routes_change),
	KTAP_TEST(edge_with_remote_irr),
	KTAP_TEST(clock_ticks),
	KTAP_TEST(modes),
	KTAP_TEST(split_eoi),
	KTAP_TEST(split_external),
	KTAP_TEST(routes_change_under_load),
};

KTAP_MAIN(tests)
