// SPDX-License-Identifier: GPL-2.0-only
/*
 * Interrupt controllers in the kernel, as the ioctls show them: which come when, what is refused,
 * and what is read back.
 */
#include <errno.h>
#include <linux/mkvm_kvm.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "lib/vectors.h"

static int call(const struct guest *guest, unsigned long request, void *argument)
{
	return vm_call(guest, request, argument);
}

static void without(void)
{
	struct kvm_irqchip chip = { .chip_id = KVM_IRQCHIP_IOAPIC };
	struct kvm_irq_level line = { .irq = 1, .level = 1 };
	struct kvm_reinject_control control = {};
	struct kvm_irqfd irqfd = { .gsi = 1 };
	struct kvm_irq_routing routing = {};
	struct kvm_lapic_state lapic = {};
	struct kvm_mp_state halted = { KVM_MP_STATE_HALTED };
	struct kvm_pit_state2 pit = {};
	struct kvm_msi msi = { .data = 0x40 };
	struct guest guest;

	guest_create(&guest, 1);
	irqfd.fd = eventfd(0, 0);
	EXPECT_ERRNO(ENXIO, call(&guest, KVM_GET_IRQCHIP, &chip));
	EXPECT_ERRNO(ENXIO, call(&guest, KVM_SET_IRQCHIP, &chip));
	EXPECT_ERRNO(ENXIO, call(&guest, KVM_IRQ_LINE, &line));
	EXPECT_ERRNO(ENXIO, call(&guest, KVM_IRQ_LINE_STATUS, &line));
	EXPECT_ERRNO(EINVAL, call(&guest, KVM_SET_GSI_ROUTING, &routing));
	EXPECT_ERRNO(EINVAL, call(&guest, KVM_SIGNAL_MSI, &msi));
	EXPECT_ERRNO(EINVAL, call(&guest, KVM_IRQFD, &irqfd));
	EXPECT_ERRNO(ENXIO, call(&guest, KVM_GET_PIT2, &pit));
	EXPECT_ERRNO(ENXIO, call(&guest, KVM_SET_PIT2, &pit));
	EXPECT_ERRNO(ENXIO, call(&guest, KVM_REINJECT_CONTROL, &control));
	EXPECT_ERRNO(EINVAL, vcpu_call(&guest.vcpu[0], KVM_GET_LAPIC, &lapic));
	EXPECT_ERRNO(EINVAL, vcpu_call(&guest.vcpu[0], KVM_SET_LAPIC, &lapic));
	EXPECT_ERRNO(EINVAL, vcpu_call(&guest.vcpu[0], KVM_SET_MP_STATE, &halted));
	/* There is a vCPU. */
	EXPECT_ERRNO(EINVAL, call(&guest, KVM_CREATE_IRQCHIP, NULL));
	EXPECT_ERRNO(EEXIST, vm_enable_cap(&guest.vm, KVM_CAP_SPLIT_IRQCHIP, 24));
	close(irqfd.fd);
	guest_destroy(&guest);
}

static void created_once(void)
{
	struct kvm_pit_config config = { .flags = KVM_PIT_SPEAKER_DUMMY };
	struct kvm_interrupt interrupt = { .irq = 0x30 };
	struct kvm_irqchip chip = { .chip_id = 3 };
	struct guest guest;

	vec_create(&guest, 2, VEC_KERNEL);
	EXPECT_ERRNO(EEXIST, call(&guest, KVM_CREATE_IRQCHIP, NULL));
	EXPECT_ERRNO(EEXIST, vm_enable_cap(&guest.vm, KVM_CAP_SPLIT_IRQCHIP, 24));
	EXPECT_ERRNO(EINVAL, call(&guest, KVM_GET_IRQCHIP, &chip));
	EXPECT_ERRNO(EINVAL, call(&guest, KVM_SET_IRQCHIP, &chip));
	EXPECT_EQ(0, call(&guest, KVM_CREATE_PIT2, &config));
	EXPECT_ERRNO(EEXIST, call(&guest, KVM_CREATE_PIT2, &config));
	EXPECT_ERRNO(ENXIO, vcpu_call(&guest.vcpu[0], KVM_INTERRUPT, &interrupt));
	EXPECT_EQ(KVM_MP_STATE_RUNNABLE, vec_mp_state(&guest, 0));
	EXPECT_EQ(KVM_MP_STATE_UNINITIALIZED, vec_mp_state(&guest, 1));
	guest_destroy(&guest);
}

static void split(void)
{
	struct kvm_interrupt interrupt = { .irq = 0x30 };
	struct kvm_irqchip chip = {};
	struct kvm_irqfd irqfd = { .gsi = 1, .flags = KVM_IRQFD_FLAG_RESAMPLE };
	struct guest guest;

	guest_create_vm(&guest);
	EXPECT_ERRNO(EINVAL, vm_enable_cap(&guest.vm, KVM_CAP_SPLIT_IRQCHIP, 4097));
	guest_destroy(&guest);
	vec_create(&guest, 1, VEC_SPLIT);
	EXPECT_ERRNO(EEXIST, call(&guest, KVM_CREATE_IRQCHIP, NULL));
	EXPECT_ERRNO(ENXIO, call(&guest, KVM_GET_IRQCHIP, &chip));
	irqfd.fd = eventfd(0, 0);
	irqfd.resamplefd = eventfd(0, 0);
	EXPECT_ERRNO(EINVAL, call(&guest, KVM_IRQFD, &irqfd));
	EXPECT_EQ(0, vcpu_call(&guest.vcpu[0], KVM_INTERRUPT, &interrupt));
	EXPECT_ERRNO(EEXIST, vcpu_call(&guest.vcpu[0], KVM_INTERRUPT, &interrupt));
	guest_destroy(&guest);
}

/* The state after RESET, as the page shows it. */
static void lapic_reset(void)
{
	struct guest guest;

	vec_create(&guest, 2, VEC_KERNEL);
	EXPECT_EQ(0x50014, vec_apic(&guest, 0, APIC_VERSION));
	EXPECT_EQ(0, vec_apic(&guest, 0, APIC_ID));
	EXPECT_EQ(1 << 24, vec_apic(&guest, 1, APIC_ID));
	EXPECT_EQ(0xff, vec_apic(&guest, 0, APIC_SVR));
	EXPECT_EQ(~0u, vec_apic(&guest, 0, APIC_DFR));
	EXPECT_EQ(0, vec_apic(&guest, 0, APIC_LDR));
	EXPECT_EQ(LVT_MASKED, vec_apic(&guest, 0, APIC_LVTT));
	EXPECT_EQ(LVT_EXTINT, vec_apic(&guest, 0, APIC_LVT0));
	EXPECT_EQ(LVT_MASKED, vec_apic(&guest, 1, APIC_LVT0));
	EXPECT_EQ(LVT_MASKED, vec_ioapic_entry(&guest, 23));
	guest_destroy(&guest);
}

struct routes {
	struct kvm_irq_routing head;
	struct kvm_irq_routing_entry entries[3];
};

static struct kvm_irq_routing_entry pin_route(uint32_t gsi, uint32_t chip, uint32_t pin)
{
	return (struct kvm_irq_routing_entry){ .gsi = gsi,
					       .type = KVM_IRQ_ROUTING_IRQCHIP,
					       .u.irqchip = { chip, pin } };
}

static struct kvm_irq_routing_entry msi_route(uint32_t gsi, uint32_t data)
{
	return (struct kvm_irq_routing_entry){ .gsi = gsi,
					       .type = KVM_IRQ_ROUTING_MSI,
					       .u.msi = { .address_lo = APIC_GPA, .data = data } };
}

static int set_routes(const struct guest *guest, uint32_t nr, struct kvm_irq_routing_entry a,
		      struct kvm_irq_routing_entry b)
{
	struct routes routes = { .head.nr = nr, .entries = { a, b } };

	return call(guest, KVM_SET_GSI_ROUTING, &routes);
}

static void routes(void)
{
	struct kvm_irq_routing_entry none = {}, msi = msi_route(5, 0x40), unknown = msi;
	struct kvm_irq_routing_entry flags = pin_route(5, KVM_IRQCHIP_IOAPIC, 5);
	struct kvm_irq_routing too_many = { .nr = 4097 }, flagged = { .flags = 1 };
	struct guest guest;

	vec_create(&guest, 1, VEC_KERNEL);
	unknown.type = 99;
	flags.flags = 2;
	EXPECT_EQ(0, set_routes(&guest, 2, pin_route(5, KVM_IRQCHIP_IOAPIC, 5),
				pin_route(5, KVM_IRQCHIP_PIC_MASTER, 5)));
	EXPECT_EQ(0, set_routes(&guest, 1, msi, none));
	EXPECT_EQ(0, set_routes(&guest, 0, none, none));
	EXPECT_ERRNO(EINVAL, call(&guest, KVM_SET_GSI_ROUTING, &too_many));
	EXPECT_ERRNO(EINVAL, call(&guest, KVM_SET_GSI_ROUTING, &flagged));
	EXPECT_ERRNO(EINVAL, set_routes(&guest, 1, pin_route(5, KVM_IRQCHIP_IOAPIC, 24), none));
	EXPECT_ERRNO(EINVAL, set_routes(&guest, 1, pin_route(5, KVM_IRQCHIP_PIC_SLAVE, 8), none));
	EXPECT_ERRNO(EINVAL, set_routes(&guest, 1, pin_route(5, 3, 0), none));
	EXPECT_ERRNO(EINVAL, set_routes(&guest, 1, msi_route(4096, 0x40), none));
	EXPECT_ERRNO(EINVAL, set_routes(&guest, 1, unknown, none));
	EXPECT_ERRNO(EINVAL, set_routes(&guest, 1, flags, none));
	EXPECT_ERRNO(EINVAL, set_routes(&guest, 2, msi, msi));
	EXPECT_ERRNO(EINVAL, set_routes(&guest, 2, pin_route(5, KVM_IRQCHIP_IOAPIC, 1),
					pin_route(5, KVM_IRQCHIP_IOAPIC, 2)));
	guest_destroy(&guest);
}

static void irqfds(void)
{
	struct kvm_irqfd irqfd = { .gsi = 5 };
	struct guest guest;

	vec_create(&guest, 1, VEC_KERNEL);
	irqfd.fd = eventfd(0, 0);
	EXPECT_EQ(0, call(&guest, KVM_IRQFD, &irqfd));
	EXPECT_ERRNO(EBUSY, call(&guest, KVM_IRQFD, &irqfd));
	irqfd.gsi = 6;
	EXPECT_ERRNO(EBUSY, call(&guest, KVM_IRQFD, &irqfd));
	irqfd.flags = KVM_IRQFD_FLAG_DEASSIGN;
	/* Not its GSI: nothing ends, and that is no error. */
	EXPECT_EQ(0, call(&guest, KVM_IRQFD, &irqfd));
	irqfd.flags = 0;
	EXPECT_ERRNO(EBUSY, call(&guest, KVM_IRQFD, &irqfd));
	irqfd.flags = 4;
	EXPECT_ERRNO(EINVAL, call(&guest, KVM_IRQFD, &irqfd));
	irqfd = (struct kvm_irqfd){ .gsi = 5, .fd = guest.vm.fd };
	EXPECT_ERRNO(EINVAL, call(&guest, KVM_IRQFD, &irqfd));
	irqfd.fd = 9999;
	EXPECT_ERRNO(EBADF, call(&guest, KVM_IRQFD, &irqfd));
	guest_destroy(&guest);
}

static int ioevent(const struct guest *guest, int fd, uint32_t len, uint32_t flags, uint64_t value)
{
	struct kvm_ioeventfd args = {
		.addr = 0x200, .len = len, .fd = fd, .flags = flags, .datamatch = value
	};

	return call(guest, KVM_IOEVENTFD, &args);
}

#define PIO   KVM_IOEVENTFD_FLAG_PIO
#define MATCH KVM_IOEVENTFD_FLAG_DATAMATCH
#define END   KVM_IOEVENTFD_FLAG_DEASSIGN

static void ioeventfds(void)
{
	struct kvm_ioeventfd wraps = { .addr = -4ULL, .len = 8 };
	struct guest guest;
	int fd;

	guest_create(&guest, 1);
	fd = eventfd(0, 0);
	EXPECT_ERRNO(EINVAL, ioevent(&guest, fd, 3, PIO, 0));
	EXPECT_ERRNO(EINVAL, ioevent(&guest, fd, 16, PIO, 0));
	EXPECT_ERRNO(EINVAL, ioevent(&guest, fd, 0, PIO | MATCH, 1));
	EXPECT_ERRNO(EINVAL, ioevent(&guest, fd, 2, 1 << 20, 0));
	EXPECT_ERRNO(EINVAL, call(&guest, KVM_IOEVENTFD, &wraps));
	EXPECT_ERRNO(EINVAL, ioevent(&guest, guest.vm.fd, 2, PIO, 0));
	EXPECT_ERRNO(EBADF, ioevent(&guest, 9999, 2, PIO, 0));
	EXPECT_ERRNO(ENOENT, ioevent(&guest, fd, 2, PIO | END, 0));
	EXPECT_EQ(0, ioevent(&guest, fd, 2, PIO | MATCH, 1));
	EXPECT_EQ(0, ioevent(&guest, fd, 2, PIO | MATCH, 2));
	EXPECT_EQ(0, ioevent(&guest, fd, 2, 0, 0));
	EXPECT_ERRNO(EEXIST, ioevent(&guest, fd, 2, PIO | MATCH, 2));
	EXPECT_ERRNO(EEXIST, ioevent(&guest, fd, 2, PIO, 0));
	EXPECT_ERRNO(ENOENT, ioevent(&guest, fd, 2, PIO | MATCH | END, 3));
	EXPECT_EQ(0, ioevent(&guest, fd, 2, PIO | MATCH | END, 2));
	EXPECT_ERRNO(ENOENT, ioevent(&guest, fd, 2, PIO | MATCH | END, 2));
	guest_destroy(&guest);
}

static void capabilities(void)
{
	static const struct {
		unsigned int cap;
		int value;
	} caps[] = {
		{ KVM_CAP_IRQCHIP, 1 },
		{ KVM_CAP_HLT, 1 },
		{ KVM_CAP_IRQ_INJECT_STATUS, 1 },
		{ KVM_CAP_IRQ_ROUTING, 4096 },
		{ KVM_CAP_SIGNAL_MSI, 1 },
		{ KVM_CAP_IRQFD, 1 },
		{ KVM_CAP_IRQFD_RESAMPLE, 1 },
		{ KVM_CAP_IOEVENTFD, 1 },
		{ KVM_CAP_IOEVENTFD_ANY_LENGTH, 1 },
		{ KVM_CAP_IOEVENTFD_NO_LENGTH, 1 },
		{ KVM_CAP_PIT2, 1 },
		{ KVM_CAP_PIT_STATE2, 1 },
		{ KVM_CAP_REINJECT_CONTROL, 1 },
		{ KVM_CAP_SPLIT_IRQCHIP, 1 },
		{ KVM_CAP_TSC_DEADLINE_TIMER, 1 },
		{ KVM_CAP_X2APIC_API, 3 },
	};
	struct kvm_dev dev;
	size_t i;

	device_open(&dev);
	for (i = 0; i < sizeof(caps) / sizeof(caps[0]); i++)
		EXPECT(kvm_dev_extension(&dev, caps[i].cap) == caps[i].value, "capability %u: %d",
		       caps[i].cap, kvm_dev_extension(&dev, caps[i].cap));
	kvm_dev_close(&dev);
}

static void halt(const struct guest *guest, unsigned int cpu)
{
	struct kvm_mp_state halted = { KVM_MP_STATE_HALTED };

	REQUIRE_OK(vcpu_call(&guest->vcpu[cpu], KVM_SET_MP_STATE, &halted));
	EXPECT_EQ(KVM_MP_STATE_HALTED, vec_mp_state(guest, cpu));
}

static void set_rip(const struct guest *guest, unsigned int cpu, uint64_t rip)
{
	struct kvm_regs regs = guest_regs(guest, cpu);

	regs.rip = rip;
	REQUIRE_OK(vcpu_set_regs(&guest->vcpu[cpu], &regs));
}

/* Which states there are. */
static void mp_states(void)
{
	struct kvm_mp_state state = { KVM_MP_STATE_STOPPED };
	struct guest guest;
	uint32_t i;

	vec_create(&guest, 2, VEC_KERNEL);
	for (i = KVM_MP_STATE_RUNNABLE; i <= KVM_MP_STATE_HALTED; i++) {
		state.mp_state = i;
		EXPECT_ERRNO(0, vcpu_call(&guest.vcpu[1], KVM_SET_MP_STATE, &state));
		EXPECT_EQ(i, vec_mp_state(&guest, 1));
	}
	for (i = KVM_MP_STATE_CHECK_STOP; i <= KVM_MP_STATE_LOAD; i++) {
		state.mp_state = i;
		EXPECT_ERRNO(EINVAL, vcpu_call(&guest.vcpu[1], KVM_SET_MP_STATE, &state));
	}
	state.mp_state = KVM_MP_STATE_SUSPENDED;
	EXPECT_ERRNO(EINVAL, vcpu_call(&guest.vcpu[1], KVM_SET_MP_STATE, &state));
	state.mp_state = KVM_MP_STATE_AP_RESET_HOLD;
	EXPECT_ERRNO(0, vcpu_call(&guest.vcpu[1], KVM_SET_MP_STATE, &state));
	EXPECT_EQ(KVM_MP_STATE_AP_RESET_HOLD, vec_mp_state(&guest, 1));
	guest_destroy(&guest);
}

/*
 * A halted bootstrap processor whose system registers are set to those after RESET, at the reset
 * vector, runs; other registers, and other processors, do not change whether one does.
 */
static void boot_processor_at_reset_vector(void)
{
	struct kvm_sregs reset, other;
	struct kvm_sregs2 sregs2;
	struct guest guest;
	unsigned int cpu;

	vec_create(&guest, 2, VEC_KERNEL);
	reset = guest_sregs(&guest, 0);
#define STAYS_HALTED(change)                                             \
	do {                                                             \
		halt(&guest, 0);                                         \
		other = reset;                                           \
		change;                                                  \
		REQUIRE_OK(vcpu_set_sregs(&guest.vcpu[0], &other));      \
		EXPECT_EQ(KVM_MP_STATE_HALTED, vec_mp_state(&guest, 0)); \
	} while (0)
	STAYS_HALTED(set_rip(&guest, 0, 0xfff1));
	set_rip(&guest, 0, 0xfff0);
	EXPECT_EQ(KVM_MP_STATE_HALTED, vec_mp_state(&guest, 0));
	STAYS_HALTED(other.cs.selector = 0xf100);
	STAYS_HALTED(other.cs.base = 0xf0000);
	STAYS_HALTED(other.cr0 |= X86_CR0_PE);
	STAYS_HALTED(other.apic_base &= ~(uint64_t)APIC_BASE_BSP);
#undef STAYS_HALTED

	halt(&guest, 0);
	REQUIRE_OK(vcpu_set_sregs(&guest.vcpu[0], &reset));
	EXPECT_EQ(KVM_MP_STATE_RUNNABLE, vec_mp_state(&guest, 0));
	halt(&guest, 0);
	REQUIRE_OK(vcpu_call(&guest.vcpu[0], KVM_GET_SREGS2, &sregs2));
	REQUIRE_OK(vcpu_call(&guest.vcpu[0], KVM_SET_SREGS2, &sregs2));
	EXPECT_EQ(KVM_MP_STATE_RUNNABLE, vec_mp_state(&guest, 0));

	/* Another processor, unless it is said to be the bootstrap processor. */
	cpu = 1;
	reset = guest_sregs(&guest, cpu);
	halt(&guest, cpu);
	REQUIRE_OK(vcpu_set_sregs(&guest.vcpu[cpu], &reset));
	EXPECT_EQ(KVM_MP_STATE_HALTED, vec_mp_state(&guest, cpu));
	reset.apic_base |= APIC_BASE_BSP;
	REQUIRE_OK(vcpu_set_sregs(&guest.vcpu[cpu], &reset));
	EXPECT_EQ(KVM_MP_STATE_RUNNABLE, vec_mp_state(&guest, cpu));
	guest_destroy(&guest);
}

static const struct ktap_test tests[] = {
	KTAP_TEST(without),	 KTAP_TEST(created_once),
	KTAP_TEST(split),	 KTAP_TEST(mp_states),
	KTAP_TEST(lapic_reset),	 KTAP_TEST(routes),
	KTAP_TEST(irqfds),	 KTAP_TEST(ioeventfds),
	KTAP_TEST(capabilities), KTAP_TEST(boot_processor_at_reset_vector),
};

KTAP_MAIN(tests)
