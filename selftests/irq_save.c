// SPDX-License-Identifier: GPL-2.0-only
/*
 * A VM with interrupt controllers is saved by the GET ioctls and restored into a new one, which
 * goes on: with an interrupt in service and others that wait, a level-triggered line, a timer that
 * runs, the 8259 pair initialised, and a vCPU that is halted.
 */
#include <errno.h>
#include <linux/kvm.h>
#include <string.h>

#include "lib/vectors.h"

struct saved {
	struct kvm_regs regs;
	struct kvm_sregs sregs;
	struct kvm_vcpu_events events;
	struct kvm_mp_state mp_state;
	struct kvm_lapic_state lapic;
	struct kvm_irqchip chips[3];
	struct kvm_pit_state2 pit;
};

static void create(struct guest *guest)
{
	struct kvm_pit_config config = { .flags = KVM_PIT_SPEAKER_DUMMY };

	vec_create(guest, 1, VEC_KERNEL);
	REQUIRE_OK(vm_call(guest, KVM_CREATE_PIT2, &config));
}

static void save(const struct guest *guest, struct saved *saved)
{
	const struct vcpu *vcpu = &guest->vcpu[0];
	unsigned int i;

	memset(saved, 0, sizeof(*saved));
	REQUIRE_OK(vcpu_call(vcpu, KVM_GET_MP_STATE, &saved->mp_state));
	REQUIRE_OK(vcpu_call(vcpu, KVM_GET_LAPIC, &saved->lapic));
	REQUIRE_OK(vcpu_call(vcpu, KVM_GET_VCPU_EVENTS, &saved->events));
	REQUIRE_OK(vcpu_get_regs(vcpu, &saved->regs));
	REQUIRE_OK(vcpu_get_sregs(vcpu, &saved->sregs));
	for (i = 0; i < 3; i++) {
		saved->chips[i].chip_id = i;
		REQUIRE_OK(vm_call(guest, KVM_GET_IRQCHIP, &saved->chips[i]));
	}
	REQUIRE_OK(vm_call(guest, KVM_GET_PIT2, &saved->pit));
}

static void restore(const struct guest *guest, struct saved *saved)
{
	const struct vcpu *vcpu = &guest->vcpu[0];
	unsigned int i;

	REQUIRE_OK(vcpu_set_sregs(vcpu, &saved->sregs));
	REQUIRE_OK(vcpu_set_regs(vcpu, &saved->regs));
	REQUIRE_OK(vcpu_call(vcpu, KVM_SET_LAPIC, &saved->lapic));
	REQUIRE_OK(vcpu_call(vcpu, KVM_SET_VCPU_EVENTS, &saved->events));
	REQUIRE_OK(vcpu_call(vcpu, KVM_SET_MP_STATE, &saved->mp_state));
	for (i = 0; i < 3; i++)
		REQUIRE_OK(vm_call(guest, KVM_SET_IRQCHIP, &saved->chips[i]));
	REQUIRE_OK(vm_call(guest, KVM_SET_PIT2, &saved->pit));
}

/* The guest goes on in a new VM. */
static void move(struct guest *from, struct guest *to)
{
	struct kvm_run *run = from->vcpu[0].run;
	struct saved saved;

	/* The OUT at which it stands is done, and nothing else. */
	run->immediate_exit = 1;
	EXPECT_ERRNO(EINTR, vcpu_run(&from->vcpu[0]));
	create(to);
	save(from, &saved);
	memcpy(to->mem.host, from->mem.host, from->mem.size);
	restore(to, &saved);
	guest_destroy(from);
}

/* clang-format off */
guest_code(code_moves, 64,
	   S_APIC
	   "mov $0x11, %al\n out %al, $0x20\n"
	   "mov $0x70, %al\n out %al, $0x21\n"
	   "mov $0x04, %al\n out %al, $0x21\n"
	   "mov $0x01, %al\n out %al, $0x21\n"
	   "mov $0xf7, %al\n out %al, $0x21\n" /* 3 is open: vector 0x73 */
	   S_SET(APIC_TPR, 0x20)
	   S_SET(APIC_ICR, 0x44051) /* stays in service */
	   "nop\n"
	   S_SET(APIC_ICR, 0x44041) /* waits for its end */
	   S_LOOK
	   "nop\n"
	   S_LOOK
	   S_SET(APIC_EOI, 0)
	   S_SET(APIC_EOI, 0)
	   "nop\n"
	   S_LOOK
	   S_SET(APIC_TDCR, 0xb)
	   S_SET(APIC_LVTT, 0x20061)
	   S_SET(APIC_TMICT, 2000000)
	   S_LOOK
	   S_WAIT(0x61, 5)
	   S_LOOK);
/* clang-format on */

static void everything(void)
{
	struct guest old, new;

	create(&old);
	guest_load(&old, code_moves);
	vec_start(&old, 0);
	vec_end(&old, 0x51, VEC_END_NONE);
	vec_end(&old, 0x65, VEC_END_NONE);
	vec_end(&old, 0x73, VEC_END_MASTER);
	guest_run_to_sync(&old, 0);
	EXPECT_EQ(1, vec_count(&old, 0x51));
	vec_ioapic_pin(&old, 20, 0x8065);
	vec_line(&old, 20, true);

	move(&old, &new);
	EXPECT_EQ(2, guest_sregs(&new, 0).cr8);
	EXPECT(vec_apic_bit(&new, 0, APIC_ISR, 0x51), "0x51 is not in service");
	EXPECT(vec_apic_bit(&new, 0, APIC_IRR, 0x41), "0x41 does not wait");
	/* That pin's and the 8259 pair's go in before its end; user space raises its lines anew. */
	vec_line(&new, 20, true);
	vec_line(&new, 3, true);
	guest_run_to_sync(&new, 0);
	EXPECT_EQ(1, vec_count(&new, 0x65));
	EXPECT_EQ(1, vec_count(&new, 0x73));
	EXPECT_EQ(0, vec_count(&new, 0x41));
	EXPECT_EQ(0xc065, vec_ioapic_entry(&new, 20));

	/* Ends: the line is down by now, and what has waited comes. */
	move(&new, &old);
	vec_line(&old, 20, false);
	guest_run_to_sync(&old, 0);
	EXPECT_EQ(1, vec_count(&old, 0x65));
	EXPECT_EQ(1, vec_count(&old, 0x41));
	EXPECT_EQ(0x8065, vec_ioapic_entry(&old, 20));

	guest_run_to_sync(&old, 0);
	move(&old, &new);
	guest_run_to_sync(&new, 0);
	EXPECT(vec_count(&new, 0x61) >= 5, "%llu", (unsigned long long)vec_count(&new, 0x61));
	guest_destroy(&new);
}

/* clang-format off */
guest_code(code_halted, 64,
	   "nop\n"
	   S_LOOK);
/* clang-format on */

static void halted(void)
{
	struct kvm_mp_state halt = { KVM_MP_STATE_HALTED };
	struct kvm_msi msi = { .address_lo = APIC_GPA, .data = 0x45 };
	struct guest old, new;

	create(&old);
	guest_load(&old, code_halted);
	vec_start(&old, 0);
	REQUIRE_OK(vcpu_call(&old.vcpu[0], KVM_SET_MP_STATE, &halt));
	move(&old, &new);
	EXPECT_EQ(KVM_MP_STATE_HALTED, vec_mp_state(&new, 0));
	EXPECT_EQ(1, vm_call(&new, KVM_SIGNAL_MSI, &msi));
	guest_run_to_sync(&new, 0);
	EXPECT_EQ(1, vec_count(&new, 0x45));
	EXPECT_EQ(KVM_MP_STATE_RUNNABLE, vec_mp_state(&new, 0));
	guest_destroy(&new);
}

static const struct ktap_test tests[] = {
	KTAP_TEST(everything),
	KTAP_TEST(halted),
};

KTAP_MAIN(tests)
