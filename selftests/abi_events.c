// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM_GET_VCPU_EVENTS and KVM_SET_VCPU_EVENTS: what is refused, what is read back, payloads, and
 * how exceptions combine that user space and the module raise together.
 */
#include <errno.h>
#include <linux/kvm.h>
#include <string.h>
#include <sys/ioctl.h>

#include "lib/guest.h"
#include "lib/vectors.h"

#define FLAGS_ALWAYS \
	(KVM_VCPUEVENT_VALID_NMI_PENDING | KVM_VCPUEVENT_VALID_SHADOW | KVM_VCPUEVENT_VALID_SMM)

#define DR6_FIXED 0xffff0ff0ULL
#define DR6_BS	  0x4000ULL

static int get(const struct guest *guest, struct kvm_vcpu_events *events)
{
	return vcpu_call(&guest->vcpu[0], KVM_GET_VCPU_EVENTS, events);
}

static int set(const struct guest *guest, struct kvm_vcpu_events *events)
{
	return vcpu_call(&guest->vcpu[0], KVM_SET_VCPU_EVENTS, events);
}

static struct kvm_vcpu_events events_of(const struct guest *guest)
{
	struct kvm_vcpu_events events;

	REQUIRE_OK(get(guest, &events));
	return events;
}

static void create(struct guest *guest, uint32_t cap)
{
	guest_create(guest, 1);
	if (cap)
		REQUIRE_OK(vm_enable_cap(&guest->vm, cap, 1));
}

static void capabilities(void)
{
	struct guest guest;

	guest_create(&guest, 0);
	EXPECT_EQ(1, kvm_dev_extension(&guest.dev, KVM_CAP_VCPU_EVENTS));
	EXPECT_EQ(1, kvm_dev_extension(&guest.dev, KVM_CAP_USER_NMI));
	EXPECT_EQ(1, kvm_dev_extension(&guest.dev, KVM_CAP_EXCEPTION_PAYLOAD));
	EXPECT_EQ(1, kvm_dev_extension(&guest.dev, KVM_CAP_X86_TRIPLE_FAULT_EVENT));
}

static void reset_state(void)
{
	struct kvm_vcpu_events expected = { .flags = FLAGS_ALWAYS }, events;
	struct guest guest;

	create(&guest, 0);
	memset(&events, 0xff, sizeof(events));
	REQUIRE_OK(get(&guest, &events));
	EXPECT(memcmp(&events, &expected, sizeof(events)) == 0, "something waits after reset");
}

static void bad_addresses(void)
{
	struct guest guest;

	create(&guest, 0);
	EXPECT_ERRNO(EFAULT, get(&guest, (void *)-1L));
	EXPECT_ERRNO(EFAULT, set(&guest, (void *)-1L));
	EXPECT_ERRNO(EFAULT, vcpu_call(&guest.vcpu[0], KVM_INTERRUPT, (void *)-1L));
}

static void refused(struct guest *guest, struct kvm_vcpu_events *events, const char *why)
{
	struct kvm_vcpu_events before = events_of(guest), after;
	int err = set(guest, events);

	EXPECT(err == -EINVAL, "%s: %s instead of EINVAL", why, err ? strerror(-err) : "success");
	after = events_of(guest);
	EXPECT(memcmp(&before, &after, sizeof(before)) == 0, "%s: a refusal changed something",
	       why);
}

static void wrong_arguments(void)
{
	struct kvm_interrupt irq = { .irq = 256 };
	struct guest guest;

	create(&guest, 0);
#define REFUSED(why, ...) refused(&guest, &(struct kvm_vcpu_events){ __VA_ARGS__ }, why)
	REFUSED("unknown flag", .flags = 0x40);
	REFUSED("high flag", .flags = 1U << 31);
	REFUSED("payload that is not enabled", .flags = KVM_VCPUEVENT_VALID_PAYLOAD);
	REFUSED("exception 32", .exception = { .injected = 1, .nr = 32 });
	REFUSED("exception 255", .exception = { .injected = 1, .nr = 255 });
	REFUSED("NMI as an exception", .exception = { .injected = 1, .nr = 2 });
#undef REFUSED
	EXPECT_ERRNO(EINVAL, vcpu_call(&guest.vcpu[0], KVM_INTERRUPT, &irq));
	irq.irq = ~0U;
	EXPECT_ERRNO(EINVAL, vcpu_call(&guest.vcpu[0], KVM_INTERRUPT, &irq));
	EXPECT_EQ(0, events_of(&guest).interrupt.injected);
}

/* Refused, though kvm changes the rest before it sees that. */
static void triple_fault_not_enabled(void)
{
	struct kvm_vcpu_events events = { .flags = KVM_VCPUEVENT_VALID_TRIPLE_FAULT };
	struct guest guest;

	create(&guest, 0);
	EXPECT_ERRNO(EINVAL, set(&guest, &events));
}

/* No capability says that there is no system management mode; kvm may have it. */
static void system_management_mode(void)
{
	struct kvm_vcpu_events events = { .flags = KVM_VCPUEVENT_VALID_SMM, .smi = { .smm = 1 } };
	struct guest guest;

	create(&guest, 0);
	if (kvm_dev_extension(&guest.dev, KVM_CAP_X86_SMM))
		ktap_skip("this kvm has a system management mode");
	refused(&guest, &events, "in SMM");
	events.smi.smm = 0;
	events.smi.pending = 1;
	refused(&guest, &events, "SMI pending");
	events.smi.pending = 0;
	EXPECT_ERRNO(0, set(&guest, &events));
	EXPECT_ERRNO(ENOTTY, vcpu_call(&guest.vcpu[0], KVM_SMI, NULL));
}

/* Without a flag the field is not looked at. */
static void flags_count(void)
{
	struct kvm_vcpu_events events = {
		.interrupt = { .shadow = KVM_X86_SHADOW_INT_MOV_SS },
		.nmi = { .pending = 1 },
		.exception = { .pending = 1, .nr = 6 },
		.exception_has_payload = 1,
	};
	struct guest guest;

	create(&guest, 0);
	REQUIRE_OK(set(&guest, &events));
	events = events_of(&guest);
	EXPECT_EQ(0, events.interrupt.shadow);
	EXPECT_EQ(0, events.nmi.pending);
	EXPECT_EQ(0, events.exception.injected);
	EXPECT_EQ(0, events.exception.pending);
	EXPECT_EQ(0, events.exception_has_payload);
}

static void round_trip(void)
{
	struct kvm_vcpu_events in = {
		.flags = FLAGS_ALWAYS,
		.exception = { .injected = 1, .nr = 13, .has_error_code = 1, .error_code = 0x18 },
		.interrupt = { .injected = 1, .nr = 0xab, .shadow = KVM_X86_SHADOW_INT_MOV_SS },
		.nmi = { .injected = 1, .pending = 1, .masked = 1 },
	};
	struct kvm_vcpu_events out;
	struct guest guest;

	create(&guest, 0);
	REQUIRE_OK(set(&guest, &in));
	out = events_of(&guest);
	/* A processor that knows one kind of shadow shows both. */
	EXPECT(out.interrupt.shadow & KVM_X86_SHADOW_INT_MOV_SS, "no shadow");
	out.interrupt.shadow = in.interrupt.shadow;
	EXPECT(memcmp(&in, &out, sizeof(in)) == 0, "what was set is not what is read");
	EXPECT_EQ(1ULL << (0xab - 128), guest_sregs(&guest, 0).interrupt_bitmap[2]);
}

/* More NMIs than can wait: one if another is being handled, else two. */
static void number_of_nmis(void)
{
	struct kvm_vcpu_events events = { .flags = KVM_VCPUEVENT_VALID_NMI_PENDING };
	struct guest guest;

	create(&guest, 0);
	events.nmi.pending = 200;
	REQUIRE_OK(set(&guest, &events));
	EXPECT_OR_DIFFERS(&guest.dev, "two_told", events_of(&guest).nmi.pending == 2);
	events.nmi.masked = 1;
	REQUIRE_OK(set(&guest, &events));
	EXPECT_EQ(1, events_of(&guest).nmi.pending);
	events.nmi.masked = 0;
	events.nmi.injected = 1;
	REQUIRE_OK(set(&guest, &events));
	EXPECT_EQ(1, events_of(&guest).nmi.pending);
}

/* A message to the one CPU's local APIC. */
static void send_message(const struct guest *guest, uint32_t delivery_mode)
{
	struct kvm_msi msi = { .address_lo = 0xfee00000, .data = delivery_mode << 8 };

	REQUIRE(ioctl(guest->vm.fd, KVM_SIGNAL_MSI, &msi) == 1, "nobody's");
}

static void create_with_irqchip(struct guest *guest)
{
	guest_create_vm(guest);
	REQUIRE(ioctl(guest->vm.fd, KVM_CREATE_IRQCHIP) == 0);
	guest_add_cpus(guest, 1);
	REQUIRE_OK(vcpu_offer_host_cpuid(&guest->vcpu[0], &guest->dev));
	/* kvm sends nothing to one that is switched off. */
	vec_set_apic(guest, 0, APIC_SVR, 0x1ff);
}

/* An NMI that has been sent, and not looked at yet, counts: it is told, and it is taken back. */
static void nmi_from_elsewhere(void)
{
	struct kvm_vcpu_events none = { .flags = KVM_VCPUEVENT_VALID_NMI_PENDING };
	struct guest guest;

	create_with_irqchip(&guest);
	send_message(&guest, 4);
	EXPECT_EQ(1, events_of(&guest).nmi.pending);
	REQUIRE_OK(set(&guest, &none));
	EXPECT_EQ(0, events_of(&guest).nmi.pending);
	send_message(&guest, 4);
	REQUIRE_OK(set(&guest, &none));
	EXPECT_EQ(0, events_of(&guest).nmi.pending);
	send_message(&guest, 4);
	none.flags = 0;
	REQUIRE_OK(set(&guest, &none));
	EXPECT_EQ(1, events_of(&guest).nmi.pending);
}

/* So does an INIT. */
static void init_from_elsewhere(void)
{
	struct kvm_vcpu_events events = { .flags = KVM_VCPUEVENT_VALID_SMM };
	struct guest guest;

	create_with_irqchip(&guest);
	EXPECT_EQ(0, events_of(&guest).smi.latched_init);
	send_message(&guest, 5);
	EXPECT_EQ(1, events_of(&guest).smi.latched_init);
	REQUIRE_OK(set(&guest, &events));
	EXPECT_EQ(0, events_of(&guest).smi.latched_init);
	events.smi.latched_init = 1;
	REQUIRE_OK(set(&guest, &events));
	EXPECT_EQ(1, events_of(&guest).smi.latched_init);
	events.flags = 0;
	events.smi.latched_init = 0;
	REQUIRE_OK(set(&guest, &events));
	EXPECT_EQ(1, events_of(&guest).smi.latched_init);
}

/* KVM_SET_REGS forgets an exception that has not been tried, and no other. */
static void registers_and_exceptions(void)
{
	struct kvm_vcpu_events events = {
		.flags = KVM_VCPUEVENT_VALID_PAYLOAD,
		.exception = { .pending = 1, .nr = 6 },
	};
	struct kvm_regs regs;
	struct guest guest;

	create(&guest, KVM_CAP_EXCEPTION_PAYLOAD);
	REQUIRE_OK(set(&guest, &events));
	EXPECT_EQ(1, events_of(&guest).exception.pending);
	EXPECT_EQ(0, events_of(&guest).exception.injected);
	regs = guest_regs(&guest, 0);
	REQUIRE_OK(vcpu_set_regs(&guest.vcpu[0], &regs));
	EXPECT_EQ(0, events_of(&guest).exception.pending);
	events.exception.pending = 0;
	events.exception.injected = 1;
	REQUIRE_OK(set(&guest, &events));
	REQUIRE_OK(vcpu_set_regs(&guest.vcpu[0], &regs));
	EXPECT_EQ(1, events_of(&guest).exception.injected);
}

/* Pending wins over injected, and only a pending exception has a payload. */
static void payload_flags(void)
{
	struct kvm_vcpu_events events = {
		.flags = KVM_VCPUEVENT_VALID_PAYLOAD,
		.exception = { .pending = 1, .injected = 1, .nr = 14, .has_error_code = 1 },
		.exception_has_payload = 1,
		.exception_payload = 0x123456789,
	};
	struct guest guest;

	create(&guest, KVM_CAP_EXCEPTION_PAYLOAD);
	EXPECT_EQ(FLAGS_ALWAYS | KVM_VCPUEVENT_VALID_PAYLOAD, events_of(&guest).flags);
	REQUIRE_OK(set(&guest, &events));
	events = events_of(&guest);
	EXPECT_EQ(1, events.exception.pending);
	EXPECT_EQ(0, events.exception.injected);
	EXPECT_EQ(1, events.exception_has_payload);
	EXPECT_EQ(0x123456789, events.exception_payload);
	events.exception.pending = 0;
	events.exception.injected = 1;
	REQUIRE_OK(set(&guest, &events));
	EXPECT_EQ(0, events_of(&guest).exception_has_payload);
}

guest_code(code_hlt, 64, "hlt");

static void start(struct guest *guest, uint32_t cap)
{
	create(guest, cap);
	guest_load(guest, code_hlt);
	guest_start(guest, 0, MODE_LONG);
	guest_enable_traps(guest, 0);
}

/* CR2 is the payload of a page fault; it changes when the exception is delivered. */
static void payload_of_page_fault(void)
{
	struct kvm_vcpu_events events = {
		.flags = KVM_VCPUEVENT_VALID_PAYLOAD,
		.exception = { .pending = 1, .nr = 14, .has_error_code = 1, .error_code = 6 },
		.exception_has_payload = 1,
		.exception_payload = 0x123456789,
	};
	struct guest guest;
	struct trap trap;

	start(&guest, KVM_CAP_EXCEPTION_PAYLOAD);
	REQUIRE_OK(set(&guest, &events));
	EXPECT_EQ(0, guest_sregs(&guest, 0).cr2);
	guest_run_to_hlt(&guest, 0);
	REQUIRE(guest_nr_traps(&guest) == 1, "no exception");
	trap = guest_trap(&guest, 0);
	EXPECT_EQ(14, trap.vector);
	EXPECT_EQ(6, trap.error);
	EXPECT_EQ(0x123456789, trap.cr2);
	EXPECT_EQ(0, events_of(&guest).exception.pending);
}

static void payload_of_debug_exception(void)
{
	struct kvm_vcpu_events events = {
		.flags = KVM_VCPUEVENT_VALID_PAYLOAD,
		.exception = { .pending = 1, .nr = 1 },
		.exception_has_payload = 1,
		.exception_payload = DR6_BS,
	};
	struct kvm_debugregs regs;
	struct guest guest;

	start(&guest, KVM_CAP_EXCEPTION_PAYLOAD);
	REQUIRE_OK(set(&guest, &events));
	REQUIRE_OK(vcpu_call(&guest.vcpu[0], KVM_GET_DEBUGREGS, &regs));
	EXPECT_EQ(DR6_FIXED, regs.dr6);
	guest_run_to_hlt(&guest, 0);
	REQUIRE(guest_nr_traps(&guest) == 1, "no exception");
	EXPECT_EQ(1, guest_trap(&guest, 0).vector);
	EXPECT_EQ(DR6_FIXED | DR6_BS, guest_trap(&guest, 0).dr6);
}

/* A debug exception that waits when user space looks: TF, and an instruction that exits. */
guest_code(code_step_in, 64,
	   "in $" S_SYNC ", %al\n"
	   "nop\n");

static void step_behind_port(struct guest *guest, uint32_t cap)
{
	struct kvm_regs regs;

	create(guest, cap);
	guest_load(guest, code_step_in);
	guest_start(guest, 0, MODE_LONG);
	guest_enable_traps(guest, 0);
	guest_run(guest, 0);
	guest_expect_exit(guest, 0, KVM_EXIT_IO);
	regs = guest_regs(guest, 0);
	regs.rflags |= X86_RFLAGS_TF;
	REQUIRE_OK(vcpu_set_regs(&guest->vcpu[0], &regs));
	guest->vcpu[0].run->immediate_exit = 1;
	EXPECT_ERRNO(EINTR, vcpu_run(&guest->vcpu[0]));
	guest->vcpu[0].run->immediate_exit = 0;
}

static void debug_exception_waits(void)
{
	struct kvm_vcpu_events events;
	struct kvm_debugregs regs;
	struct guest guest;

	step_behind_port(&guest, KVM_CAP_EXCEPTION_PAYLOAD);
	REQUIRE_OK(vcpu_call(&guest.vcpu[0], KVM_GET_DEBUGREGS, &regs));
	events = events_of(&guest);
	EXPECT_EQ(1, events.exception.pending);
	EXPECT_EQ(0, events.exception.injected);
	EXPECT_EQ(1, events.exception.nr);
	EXPECT_OR_DIFFERS(&guest.dev, "payload_waits",
			  regs.dr6 == DR6_FIXED && events.exception_has_payload == 1 &&
				  events.exception_payload == DR6_BS,
			  "DR6 is 0x%llx, payload 0x%llx", (unsigned long long)regs.dr6,
			  (unsigned long long)events.exception_payload);
	guest_run_to_hlt(&guest, 0);
	EXPECT_EQ(1, guest_nr_traps(&guest));
	EXPECT_EQ(DR6_FIXED | DR6_BS, guest_trap(&guest, 0).dr6);
}

/* Who does not know payloads finds the registers as the handler will. */
static void debug_exception_waits_without_payload(void)
{
	struct kvm_vcpu_events events;
	struct kvm_debugregs regs;
	struct guest guest;

	step_behind_port(&guest, 0);
	REQUIRE_OK(vcpu_call(&guest.vcpu[0], KVM_GET_DEBUGREGS, &regs));
	EXPECT_EQ(DR6_FIXED | DR6_BS, regs.dr6);
	events = events_of(&guest);
	EXPECT_EQ(1, events.exception.injected);
	EXPECT_EQ(1, events.exception.nr);
	EXPECT_EQ(0, events.exception_has_payload);
	guest_run_to_hlt(&guest, 0);
	EXPECT_EQ(1, guest_nr_traps(&guest));
	EXPECT_EQ(DR6_FIXED | DR6_BS, guest_trap(&guest, 0).dr6);
}

static void triple_fault_event(void)
{
	struct kvm_vcpu_events events;
	struct guest guest;

	start(&guest, KVM_CAP_X86_TRIPLE_FAULT_EVENT);
	events = events_of(&guest);
	EXPECT_EQ(FLAGS_ALWAYS | KVM_VCPUEVENT_VALID_TRIPLE_FAULT, events.flags);
	EXPECT_EQ(0, events.triple_fault.pending);
	events.triple_fault.pending = 1;
	REQUIRE_OK(set(&guest, &events));
	EXPECT_EQ(1, events_of(&guest).triple_fault.pending);
	guest_run(&guest, 0);
	guest_expect_exit(&guest, 0, KVM_EXIT_SHUTDOWN);
	EXPECT_EQ(0, events_of(&guest).triple_fault.pending);
	events.triple_fault.pending = 1;
	REQUIRE_OK(set(&guest, &events));
	events.triple_fault.pending = 0;
	REQUIRE_OK(set(&guest, &events));
	EXPECT_EQ(0, events_of(&guest).triple_fault.pending);
}

/*
 * An exception that was half delivered, and a #GP that comes on top: a RDMSR that user space
 * refuses.  Two contributory ones, or a page fault and one, are a double fault.
 */
guest_code(code_rdmsr, 64,
	   "mov $0x4d4d4d4d, %ecx\n"
	   "rdmsr\n");

#define SHUTDOWN 0x100

static uint32_t general_protection_on_top_of(uint8_t first, bool has_error)
{
	struct kvm_vcpu_events events;
	struct guest guest;
	uint32_t result;

	create(&guest, 0);
	REQUIRE_OK(
		vm_enable_cap(&guest.vm, KVM_CAP_X86_USER_SPACE_MSR, KVM_MSR_EXIT_REASON_UNKNOWN));
	guest_load(&guest, code_rdmsr);
	guest_start(&guest, 0, MODE_LONG);
	guest_enable_traps(&guest, 0);
	guest_run(&guest, 0);
	guest_expect_exit(&guest, 0, KVM_EXIT_X86_RDMSR);
	guest.vcpu[0].run->msr.error = 1;
	events = events_of(&guest);
	events.exception.injected = 1;
	events.exception.nr = first;
	events.exception.has_error_code = has_error;
	REQUIRE_OK(set(&guest, &events));
	if (guest_run(&guest, 0) == KVM_EXIT_SHUTDOWN) {
		result = SHUTDOWN;
	} else {
		guest_expect_exit(&guest, 0, KVM_EXIT_HLT);
		EXPECT_EQ(1, guest_nr_traps(&guest));
		result = guest_trap(&guest, 0).vector;
		EXPECT_EQ(0, guest_trap(&guest, 0).error);
	}
	guest_destroy(&guest);
	return result;
}

static void exceptions_combine(void)
{
	EXPECT_EQ(8, general_protection_on_top_of(0, false));
	EXPECT_EQ(13, general_protection_on_top_of(1, false));
	EXPECT_EQ(13, general_protection_on_top_of(6, false));
	EXPECT_EQ(13, general_protection_on_top_of(7, false));
	EXPECT_EQ(SHUTDOWN, general_protection_on_top_of(8, true));
	EXPECT_EQ(8, general_protection_on_top_of(10, true));
	EXPECT_EQ(8, general_protection_on_top_of(11, true));
	EXPECT_EQ(8, general_protection_on_top_of(12, true));
	EXPECT_EQ(8, general_protection_on_top_of(13, true));
	EXPECT_EQ(8, general_protection_on_top_of(14, true));
	EXPECT_EQ(13, general_protection_on_top_of(16, false));
	EXPECT_EQ(13, general_protection_on_top_of(17, true));
	EXPECT_EQ(13, general_protection_on_top_of(19, false));
}

static const struct ktap_test tests[] = {
	KTAP_TEST(capabilities),
	KTAP_TEST(reset_state),
	KTAP_TEST(bad_addresses),
	KTAP_TEST(wrong_arguments),
	KTAP_TEST(triple_fault_not_enabled),
	KTAP_TEST(system_management_mode),
	KTAP_TEST(flags_count),
	KTAP_TEST(round_trip),
	KTAP_TEST(number_of_nmis),
	KTAP_TEST(nmi_from_elsewhere),
	KTAP_TEST(init_from_elsewhere),
	KTAP_TEST(registers_and_exceptions),
	KTAP_TEST(payload_flags),
	KTAP_TEST(payload_of_page_fault),
	KTAP_TEST(payload_of_debug_exception),
	KTAP_TEST(debug_exception_waits),
	KTAP_TEST(debug_exception_waits_without_payload),
	KTAP_TEST(triple_fault_event),
	KTAP_TEST(exceptions_combine),
};

KTAP_MAIN(tests)
