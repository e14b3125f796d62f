// SPDX-License-Identifier: GPL-2.0-only
/*
 * Registers by struct kvm_run instead of ioctls: KVM_CAP_SYNC_REGS.
 */
#include <errno.h>
#include <linux/kvm.h>
#include <pthread.h>
#include <string.h>

#include "lib/guest.h"

#define ALL (KVM_SYNC_X86_REGS | KVM_SYNC_X86_SREGS | KVM_SYNC_X86_EVENTS)

guest_code(code_count, 64,
	   "1: inc %rbx\n"
	   "out %al, $" S_SYNC "\n"
	   "jmp 1b\n");

static struct kvm_run *start(struct guest *guest)
{
	guest_create(guest, 1);
	guest_load(guest, code_count);
	guest_start(guest, 0, MODE_LONG);
	guest_enable_traps(guest, 0);
	return guest->vcpu[0].run;
}

static void capability(void)
{
	struct guest guest;

	guest_create(&guest, 0);
	EXPECT_EQ(ALL, kvm_dev_extension(&guest.dev, KVM_CAP_SYNC_REGS));
}

static void unknown_fields(void)
{
	struct kvm_run *run;
	struct guest guest;
	int bit;

	run = start(&guest);
	for (bit = 3; bit < 32; bit++) {
		run->kvm_valid_regs = 1ULL << bit | KVM_SYNC_X86_REGS;
		EXPECT_ERRNO(EINVAL, vcpu_run(&guest.vcpu[0]));
		run->kvm_valid_regs = 0;
		run->kvm_dirty_regs = 1ULL << bit;
		EXPECT_ERRNO(EINVAL, vcpu_run(&guest.vcpu[0]));
		run->kvm_dirty_regs = 0;
	}
	EXPECT_EQ(0, guest_regs(&guest, 0).rbx);
	guest_run_to_sync(&guest, 0);
	EXPECT_EQ(1, guest_regs(&guest, 0).rbx);
}

static void unknown_fields_above(void)
{
	struct kvm_run *run;
	struct guest guest;
	bool refused = true;
	int bit;

	run = start(&guest);
	for (bit = 32; bit < 64 && refused; bit++) {
		run->kvm_valid_regs = 1ULL << bit;
		refused = vcpu_run(&guest.vcpu[0]) == -EINVAL;
	}
	EXPECT_OR_DIFFERS(&guest.dev, "upper_half", refused, "bit %d", bit - 1);
}

/* What is asked for, and no more, is what the ioctls answer. */
static void read_out(void)
{
	struct kvm_vcpu_events events;
	struct kvm_sregs sregs;
	struct kvm_regs regs;
	struct kvm_run *run;
	struct guest guest;

	run = start(&guest);
	memset(&run->s.regs, 0xaa, sizeof(run->s.regs));
	run->kvm_valid_regs = KVM_SYNC_X86_REGS;
	guest_run_to_sync(&guest, 0);
	regs = guest_regs(&guest, 0);
	EXPECT(memcmp(&regs, &run->s.regs.regs, sizeof(regs)) == 0, "regs");
	EXPECT_EQ(0xaaaaaaaaaaaaaaaa, run->s.regs.sregs.cr0);
	/* kvm leaves padding as it finds it, and adds to the bitmap of interrupts. */
	memset(&run->s.regs, 0, sizeof(run->s.regs));
	run->kvm_valid_regs = ALL;
	guest_run_to_sync(&guest, 0);
	regs = guest_regs(&guest, 0);
	sregs = guest_sregs(&guest, 0);
	REQUIRE_OK(vcpu_call(&guest.vcpu[0], KVM_GET_VCPU_EVENTS, &events));
	EXPECT(memcmp(&regs, &run->s.regs.regs, sizeof(regs)) == 0, "regs");
	EXPECT(memcmp(&sregs, &run->s.regs.sregs, sizeof(sregs)) == 0, "sregs");
	EXPECT(memcmp(&events, &run->s.regs.events, sizeof(events)) == 0, "events");
	EXPECT_EQ(2, regs.rbx);
	/* Nobody asks any more. */
	run->kvm_valid_regs = 0;
	guest_run_to_sync(&guest, 0);
	EXPECT_EQ(2, run->s.regs.regs.rbx);
	EXPECT_EQ(3, guest_regs(&guest, 0).rbx);
}

static void write_in(void)
{
	struct kvm_run *run;
	struct guest guest;

	run = start(&guest);
	run->kvm_valid_regs = ALL;
	guest_run_to_sync(&guest, 0);
	run->s.regs.regs.rbx = 100;
	run->s.regs.sregs.apic_base = 1ULL << 11;
	/* Changed, but not said to be. */
	guest_run_to_sync(&guest, 0);
	EXPECT_EQ(2, run->s.regs.regs.rbx);
	EXPECT_EQ(0xfee00900, run->s.regs.sregs.apic_base);
	run->s.regs.regs.rbx = 100;
	run->s.regs.sregs.apic_base = 0xfed00800;
	run->kvm_dirty_regs = KVM_SYNC_X86_REGS | KVM_SYNC_X86_SREGS;
	guest_run_to_sync(&guest, 0);
	EXPECT_EQ(0, run->kvm_dirty_regs);
	EXPECT_EQ(101, run->s.regs.regs.rbx);
	EXPECT_EQ(101, guest_regs(&guest, 0).rbx);
	EXPECT_EQ(0xfed00800, guest_sregs(&guest, 0).apic_base);
	EXPECT_EQ(0xfed00800, run->apic_base);
}

static void write_an_event(void)
{
	struct kvm_run *run;
	struct guest guest;

	run = start(&guest);
	run->kvm_valid_regs = ALL;
	guest_run_to_sync(&guest, 0);
	run->s.regs.events.exception.injected = 1;
	run->s.regs.events.exception.nr = 6;
	run->kvm_dirty_regs = KVM_SYNC_X86_EVENTS;
	guest_run_to_hlt(&guest, 0);
	EXPECT_EQ(0, run->kvm_dirty_regs);
	EXPECT_EQ(1, guest_nr_traps(&guest));
	EXPECT_EQ(6, guest_trap(&guest, 0).vector);
	EXPECT_EQ(1, run->s.regs.regs.rbx);
}

/* What is wrong stays marked, and nothing is executed. */
static void wrong_values(void)
{
	struct kvm_run *run;
	struct guest guest;

	run = start(&guest);
	run->kvm_valid_regs = ALL;
	guest_run_to_sync(&guest, 0);
	run->s.regs.sregs.cr4 |= 1ULL << 40;
	run->kvm_dirty_regs = KVM_SYNC_X86_SREGS;
	EXPECT_ERRNO(EINVAL, vcpu_run(&guest.vcpu[0]));
	EXPECT_EQ(KVM_SYNC_X86_SREGS, run->kvm_dirty_regs);
	/* They are read out all the same. */
	EXPECT_EQ(0, run->s.regs.sregs.cr4 >> 40);
	run->s.regs.events.flags = 0x80;
	run->kvm_dirty_regs = KVM_SYNC_X86_REGS | KVM_SYNC_X86_EVENTS;
	run->s.regs.regs.rbx = 50;
	EXPECT_ERRNO(EINVAL, vcpu_run(&guest.vcpu[0]));
	EXPECT_EQ(KVM_SYNC_X86_EVENTS, run->kvm_dirty_regs);
	EXPECT_EQ(50, guest_regs(&guest, 0).rbx);
	run->kvm_dirty_regs = 0;
	guest_run_to_sync(&guest, 0);
	EXPECT_EQ(51, run->s.regs.regs.rbx);
}

/* A thread that changes the page while the module reads it. */
static volatile bool stop_scribbling;

static void *scribble(void *data)
{
	struct kvm_run *run = data;
	uint64_t seed = 1;

	while (!stop_scribbling) {
		seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
		run->kvm_dirty_regs = seed >> 61;
		run->kvm_valid_regs = seed >> 58 & 7;
		run->s.regs.sregs.cr4 = seed >> 20 & 1 ? seed : X86_CR4_PAE;
		run->s.regs.sregs.efer = seed >> 21 & 1 ? seed : 0xd00;
		run->s.regs.events.exception.nr = seed >> 32;
		run->s.regs.events.flags = seed >> 40 & 0x1f;
		run->request_interrupt_window = seed >> 50 & 1;
	}
	return NULL;
}

static void changed_while_read(void)
{
	struct guest guest;
	pthread_t thread;
	int i;

	start(&guest);
	REQUIRE(!pthread_create(&thread, NULL, scribble, guest.vcpu[0].run));
	for (i = 0; i < 2000; i++) {
		int err = vcpu_run(&guest.vcpu[0]);

		EXPECT(!err || err == -EINVAL || err == -EINTR, "KVM_RUN: %s", strerror(-err));
	}
	stop_scribbling = true;
	REQUIRE(!pthread_join(thread, NULL));
	guest.vcpu[0].run->kvm_dirty_regs = 0;
	guest.vcpu[0].run->kvm_valid_regs = 0;
	guest.vcpu[0].run->request_interrupt_window = 0;
	REQUIRE_OK(vcpu_call(&guest.vcpu[0], KVM_SET_VCPU_EVENTS,
			     &(struct kvm_vcpu_events){ .flags = KVM_VCPUEVENT_VALID_NMI_PENDING |
								 KVM_VCPUEVENT_VALID_SHADOW }));
	guest_start(&guest, 0, MODE_LONG);
	guest_run_to_sync(&guest, 0);
	EXPECT_EQ(1, guest_regs(&guest, 0).rbx);
}

static const struct ktap_test tests[] = {
	KTAP_TEST(capability),	 KTAP_TEST(unknown_fields),	KTAP_TEST(unknown_fields_above),
	KTAP_TEST(read_out),	 KTAP_TEST(write_in),		KTAP_TEST(write_an_event),
	KTAP_TEST(wrong_values), KTAP_TEST(changed_while_read),
};

KTAP_MAIN(tests)
