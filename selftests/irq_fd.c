// SPDX-License-Identifier: GPL-2.0-only
/*
 * Interrupts and stores by file descriptor: irqfds, with and without a resample descriptor, and
 * ioeventfds.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "lib/vectors.h"

/* clang-format off */
guest_code(code_looks, 64,
	   S_APIC
	   "1: " S_LOOK
	   "nop\n"
	   "jmp 1b\n");
/* clang-format on */

static void start(struct guest *guest)
{
	vec_create(guest, 1, VEC_KERNEL);
	guest_load(guest, code_looks);
	vec_start(guest, 0);
	guest_run_to_sync(guest, 0);
}

static int event(uint64_t value)
{
	int fd = eventfd(value, EFD_NONBLOCK);

	REQUIRE(fd >= 0, "eventfd");
	return fd;
}

static void signal_event(int fd)
{
	uint64_t one = 1;

	REQUIRE(write(fd, &one, sizeof(one)) == sizeof(one), "write");
}

/* Kvm injects in a thread of its own. */
static void run_until(struct guest *guest, uint64_t interrupts)
{
	guest_run_to_sync(guest, 0);
	while (!kvm_dev_is_mkvm(&guest->dev) && vec_logged(guest) < interrupts)
		guest_run_to_sync(guest, 0);
	EXPECT_EQ(interrupts, vec_logged(guest));
}

/* What an eventfd has counted; 0: nothing. */
static uint64_t counted(int fd)
{
	uint64_t value = 0;

	return read(fd, &value, sizeof(value)) == sizeof(value) ? value : 0;
}

static void assign(const struct guest *guest, int fd, uint32_t gsi)
{
	struct kvm_irqfd irqfd = { .fd = fd, .gsi = gsi };

	REQUIRE_OK(vm_call(guest, KVM_IRQFD, &irqfd));
}

static void deassign(const struct guest *guest, int fd, uint32_t gsi)
{
	struct kvm_irqfd irqfd = { .fd = fd, .gsi = gsi, .flags = KVM_IRQFD_FLAG_DEASSIGN };

	REQUIRE_OK(vm_call(guest, KVM_IRQFD, &irqfd));
}

static void irqfd_edges(void)
{
	struct guest guest;
	int fd = event(0);

	start(&guest);
	vec_ioapic_pin(&guest, 20, 0x45);
	assign(&guest, fd, 20);
	guest_run_to_sync(&guest, 0);
	EXPECT_EQ(0, vec_logged(&guest));
	signal_event(fd);
	run_until(&guest, 1);
	EXPECT_EQ(1, vec_count(&guest, 0x45));
	/* It is used up, and the line is down. */
	EXPECT_EQ(0, counted(fd));
	signal_event(fd);
	run_until(&guest, 2);
	EXPECT_EQ(2, vec_count(&guest, 0x45));
	deassign(&guest, fd, 20);
	signal_event(fd);
	guest_run_to_sync(&guest, 0);
	EXPECT_EQ(2, vec_count(&guest, 0x45));
	EXPECT_EQ(1, counted(fd));
	guest_destroy(&guest);
}

/* An event that is there already counts. */
static void irqfd_signalled_before(void)
{
	struct guest guest;
	int fd = event(1);

	start(&guest);
	vec_ioapic_pin(&guest, 20, 0x45);
	assign(&guest, fd, 20);
	run_until(&guest, 1);
	EXPECT_EQ(1, vec_count(&guest, 0x45));
	guest_destroy(&guest);
}

/* Its descriptor is closed: it ends, and another one may have the GSI. */
static void irqfd_closed(void)
{
	struct guest guest;
	int fd = event(0), other = event(0);

	start(&guest);
	vec_ioapic_pin(&guest, 20, 0x45);
	assign(&guest, fd, 20);
	close(fd);
	assign(&guest, other, 20);
	signal_event(other);
	run_until(&guest, 1);
	EXPECT_EQ(1, vec_count(&guest, 0x45));
	guest_destroy(&guest);
}

static void irqfd_resample(void)
{
	int fd = event(0), again = event(0);
	struct kvm_irqfd irqfd = {
		.fd = fd, .gsi = 20, .flags = KVM_IRQFD_FLAG_RESAMPLE, .resamplefd = again
	};
	struct guest guest;

	start(&guest);
	vec_ioapic_pin(&guest, 20, 0x8045);
	REQUIRE_OK(vm_call(&guest, KVM_IRQFD, &irqfd));
	signal_event(fd);
	EXPECT_EQ(0, counted(again));
	run_until(&guest, 1);
	/* The handler has ended it: the line is down, and the device is told. */
	EXPECT_EQ(1, vec_count(&guest, 0x45));
	EXPECT_EQ(1, counted(again));
	EXPECT_EQ(0x8045, vec_ioapic_entry(&guest, 20));
	guest_run_to_sync(&guest, 0);
	EXPECT_EQ(1, vec_count(&guest, 0x45));
	/* Together with user space's own line it is up until both are down. */
	vec_line(&guest, 20, true);
	vec_end(&guest, 0x45, VEC_END_NONE);
	guest_run_to_sync(&guest, 0);
	EXPECT_EQ(2, vec_count(&guest, 0x45));
	EXPECT_EQ(0, counted(again));
	guest_destroy(&guest);
}

/* The 8259 pair ends interrupts by itself; one of it, and an NMI. */
/* clang-format off */
guest_code(code_auto_end, 64,
	   "mov $0x11, %al\n out %al, $0x20\n"
	   "mov $0x20, %al\n out %al, $0x21\n"
	   "mov $0x04, %al\n out %al, $0x21\n"
	   "mov $0x03, %al\n out %al, $0x21\n"
	   "xor %eax, %eax\n out %al, $0x21\n"
	   S_LOOK
	   "1: pause\n"
	   "cmpq $0, " STRING(VEC_COUNTS) " + 8 * 0x23\n"
	   "je 1b\n"
	   "cmpq $0, " STRING(VEC_COUNTS) " + 8 * 2\n"
	   "je 1b\n"
	   S_LOOK);
/* clang-format on */

/*
 * The end that comes with the acknowledgment tells a resample descriptor that is itself an NMI of
 * the vCPU that acknowledges.  The vCPU is not in its guest then, and takes the NMI at once.
 */
static void resample_is_an_nmi(void)
{
	struct {
		struct kvm_irq_routing head;
		struct kvm_irq_routing_entry entries[2];
	} routes = {
		.head.nr = 2,
		.entries = { { .gsi = 3,
			       .type = KVM_IRQ_ROUTING_IRQCHIP,
			       .u.irqchip = { KVM_IRQCHIP_PIC_MASTER, 3 } },
			     { .gsi = 30,
			       .type = KVM_IRQ_ROUTING_MSI,
			       .u.msi = { .address_lo = APIC_GPA, .data = 0x400 } } },
	};
	int fd = event(0), again = event(0);
	struct kvm_irqfd irqfd = {
		.fd = fd, .gsi = 3, .flags = KVM_IRQFD_FLAG_RESAMPLE, .resamplefd = again
	};
	struct guest guest;

	vec_create(&guest, 1, VEC_KERNEL);
	guest_load(&guest, code_auto_end);
	vec_start(&guest, 0);
	vec_end_all(&guest, VEC_END_NONE);
	REQUIRE_OK(vm_call(&guest, KVM_SET_GSI_ROUTING, &routes));
	REQUIRE_OK(vm_call(&guest, KVM_IRQFD, &irqfd));
	assign(&guest, again, 30);
	guest_run_to_sync(&guest, 0);
	EXPECT_EQ(0, vec_logged(&guest));
	signal_event(fd);
	guest_run_to_sync(&guest, 0);
	EXPECT_EQ(1, vec_count(&guest, 0x23));
	EXPECT_EQ(1, vec_count(&guest, 2));
	if (kvm_dev_is_mkvm(&guest.dev))
		EXPECT_EQ(2, vec_log(&guest, 0));
	guest_destroy(&guest);
}

/* clang-format off */
guest_code(code_stores, 64,
	   "mov $0x200, %edx\n"
	   "mov $0x1234, %eax\n"
	   "out %ax, %dx\n" /* the first */
	   "out %al, %dx\n" /* nobody's: an exit */
	   "mov $0x5678, %eax\n"
	   "out %ax, %dx\n" /* the second */
	   "mov $0x40000000, %ebx\n"
	   "movl %eax, (%rbx)\n" /* the third */
	   "movb %al, (%rbx)\n" /* and again: any length */
	   "movl %eax, 4(%rbx)\n" /* nobody's */
	   S_LOOK);
/* clang-format on */

static void listen(const struct guest *guest, int fd, uint64_t addr, uint32_t len, uint32_t flags,
		   uint64_t value)
{
	struct kvm_ioeventfd args = {
		.addr = addr, .len = len, .fd = fd, .flags = flags, .datamatch = value
	};

	REQUIRE_OK(vm_call(guest, KVM_IOEVENTFD, &args));
}

#define PIO   KVM_IOEVENTFD_FLAG_PIO
#define MATCH KVM_IOEVENTFD_FLAG_DATAMATCH

/* There need be no interrupt controllers. */
static void ioeventfds(void)
{
	int first = event(0), second = event(0), third = event(0);
	struct guest guest;

	guest_create(&guest, 1);
	guest_load(&guest, code_stores);
	guest_start(&guest, 0, MODE_LONG);
	listen(&guest, first, 0x200, 2, PIO | MATCH, 0x1234);
	listen(&guest, second, 0x200, 2, PIO | MATCH, 0x5678);
	listen(&guest, third, 0x40000000, 0, 0, 0);
	guest_run(&guest, 0);
	guest_expect_exit(&guest, 0, KVM_EXIT_IO);
	EXPECT_EQ(1, guest.vcpu[0].run->io.size);
	EXPECT_EQ(0x200, guest.vcpu[0].run->io.port);
	EXPECT_EQ(1, counted(first));
	EXPECT_EQ(0, counted(second));
	guest_run(&guest, 0);
	guest_expect_exit(&guest, 0, KVM_EXIT_MMIO);
	EXPECT_EQ(0x40000004, guest.vcpu[0].run->mmio.phys_addr);
	EXPECT_EQ(0, counted(first));
	EXPECT_EQ(1, counted(second));
	EXPECT_EQ(2, counted(third));
	guest_run_to_sync(&guest, 0);
	guest_destroy(&guest);
}

#define MANY 1100

/* As many as one likes, each with its end. */
static void many_ioeventfds(void)
{
	int fd = event(0);
	struct guest guest;
	unsigned int i;

	guest_create(&guest, 1);
	for (i = 0; i < MANY; i++)
		listen(&guest, fd, 0x50000000 + 8 * i, 4, 0, 0);
	for (i = 0; i < MANY; i++)
		listen(&guest, fd, 0x50000000 + 8 * i, 4, KVM_IOEVENTFD_FLAG_DEASSIGN, 0);
	guest_destroy(&guest);
}

/* A GSI that no route can have: nobody hears of it. */
static void irqfd_without_route(void)
{
	struct kvm_irqfd irqfd = { .fd = event(0), .gsi = 5000 };
	struct guest guest;

	vec_create(&guest, 1, VEC_KERNEL);
	EXPECT_EQ(0, vm_call(&guest, KVM_IRQFD, &irqfd));
	signal_event(irqfd.fd);
	irqfd.flags = KVM_IRQFD_FLAG_DEASSIGN;
	EXPECT_EQ(0, vm_call(&guest, KVM_IRQFD, &irqfd));
	irqfd.gsi = -1u;
	EXPECT_EQ(0, vm_call(&guest, KVM_IRQFD, &irqfd));
	guest_destroy(&guest);
}

static const struct ktap_test tests[] = {
	KTAP_TEST(irqfd_edges),	    KTAP_TEST(irqfd_signalled_before), KTAP_TEST(irqfd_closed),
	KTAP_TEST(irqfd_resample),  KTAP_TEST(resample_is_an_nmi),     KTAP_TEST(ioeventfds),
	KTAP_TEST(many_ioeventfds), KTAP_TEST(irqfd_without_route),
};

KTAP_MAIN(tests)
