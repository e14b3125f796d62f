// SPDX-License-Identifier: GPL-2.0-only
/*
 * Padding in an argument has to be zero: else -EINVAL, and nothing has changed.  KVM's own
 * structures are meant too, of which kvm itself looks at few; but not those whose padding programs
 * in use hand over as they find it on their stack.
 */
#include <errno.h>
#include <linux/kvm.h>
#include <linux/mkvm.h>
#include <linux/mkvm_kvm.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>

#include "lib/recipes.h"

static struct attempt the_attempt;
static char before[IOCTL_MAX_SIZE], after[IOCTL_MAX_SIZE];

struct padding {
	enum fd_kind kind;
	unsigned long cmd;
	size_t offset, size;
};

static const struct padding paddings[] = {
#define PADDING(kind, cmd, type, field)                                      \
	{                                                                    \
		kind, cmd, offsetof(type, field), sizeof(((type *)0)->field) \
	}
	PADDING(FD_VM, KVM_ENABLE_CAP, struct kvm_enable_cap, pad),
	PADDING(FD_VM, KVM_SET_USER_MEMORY_REGION2, struct kvm_userspace_memory_region2, pad1),
	PADDING(FD_VM, KVM_SET_USER_MEMORY_REGION2, struct kvm_userspace_memory_region2, pad2),
	PADDING(FD_VM, KVM_GET_DIRTY_LOG, struct kvm_dirty_log, padding1),
	PADDING(FD_VCPU, KVM_SET_MSRS, struct kvm_msrs, pad),
	PADDING(FD_VCPU, KVM_SET_MSRS, struct kvm_msrs, entries[0].reserved),
	PADDING(FD_VCPU, KVM_SET_CPUID, struct kvm_cpuid, padding),
	PADDING(FD_VCPU, KVM_SET_CPUID2, struct kvm_cpuid2, padding),
	PADDING(FD_VCPU, KVM_SET_FPU, struct kvm_fpu, pad1),
	PADDING(FD_VCPU, KVM_SET_FPU, struct kvm_fpu, pad2),
	PADDING(FD_VCPU, KVM_SET_XCRS, struct kvm_xcrs, padding),
	PADDING(FD_VCPU, KVM_SET_DEBUGREGS, struct kvm_debugregs, reserved),
	PADDING(FD_VCPU, KVM_SET_VCPU_EVENTS, struct kvm_vcpu_events, nmi.pad),
	PADDING(FD_VCPU, KVM_SET_VCPU_EVENTS, struct kvm_vcpu_events, reserved),
	PADDING(FD_VCPU, KVM_PRE_FAULT_MEMORY, struct kvm_pre_fault_memory, padding),
	PADDING(FD_VCPU, MKVM_GET_COUNTS, struct mkvm_counts, pad),
};

static const struct padding ignored[] = {
	PADDING(FD_VCPU, KVM_SET_SREGS, struct kvm_sregs, cs.padding),
	PADDING(FD_VCPU, KVM_SET_SREGS, struct kvm_sregs, ds.padding),
	PADDING(FD_VCPU, KVM_SET_SREGS, struct kvm_sregs, es.padding),
	PADDING(FD_VCPU, KVM_SET_SREGS, struct kvm_sregs, fs.padding),
	PADDING(FD_VCPU, KVM_SET_SREGS, struct kvm_sregs, gs.padding),
	PADDING(FD_VCPU, KVM_SET_SREGS, struct kvm_sregs, ss.padding),
	PADDING(FD_VCPU, KVM_SET_SREGS, struct kvm_sregs, tr.padding),
	PADDING(FD_VCPU, KVM_SET_SREGS, struct kvm_sregs, ldt.padding),
	PADDING(FD_VCPU, KVM_SET_SREGS, struct kvm_sregs, gdt.padding),
	PADDING(FD_VCPU, KVM_SET_SREGS, struct kvm_sregs, idt.padding),
	PADDING(FD_VCPU, KVM_SET_SREGS2, struct kvm_sregs2, ldt.padding),
	PADDING(FD_VCPU, KVM_SET_SREGS2, struct kvm_sregs2, idt.padding),
	PADDING(FD_VCPU, KVM_SET_GUEST_DEBUG, struct kvm_guest_debug, pad),
#undef PADDING
};

static const struct recipe *recipe_of(unsigned long cmd, enum fd_kind kind)
{
	size_t i;

	for (i = 0; i < nr_recipes; i++)
		if (recipes[i].cmd == cmd && recipes[i].kind == kind)
			return &recipes[i];
	return NULL;
}

static bool snapshot(const struct attempt *f, const struct ioctl_info *info, char *to)
{
	memset(to, 0, IOCTL_MAX_SIZE);
	return info->get && ioctl(f->fd, info->get, to) == 0;
}

/* A call that succeeds, but for one byte of its padding; and then without that byte. */
static void try_byte(const struct ioctl_info *info, size_t offset)
{
	struct attempt *f = &the_attempt;
	unsigned long arg;
	bool known;
	int answer;

	guest_create_without_cpuid(&f->guest, 1);
	f->fd = info->kind == FD_VM ? f->guest.vm.fd : f->guest.vcpu[0].fd;
	arg = recipe_argument(f, info, recipe_of(info->cmd, info->kind));
	known = snapshot(f, info, before);
	f->argument[offset] = 1;
	answer = ioctl(f->fd, info->cmd, arg);
	if (answer < 0 && errno == ENOTTY)
		ktap_note("%s: not had", info->name);
	else
		EXPECT_OR_DIFFERS(&f->guest.dev, "not_looked_at", answer < 0 && errno == EINVAL,
				  "%s: byte %zu: %d", info->name, offset, answer);
	if (answer < 0 && errno == EINVAL) {
		if (known && snapshot(f, info, after))
			EXPECT(!memcmp(before, after, sizeof(before)),
			       "%s: it has changed something", info->name);
		f->argument[offset] = 0;
		EXPECT(ioctl(f->fd, info->cmd, arg) >= 0, "%s: without it: %s", info->name,
		       strerror(errno));
	}
	guest_destroy(&f->guest);
}

static void each_byte_counts(void)
{
	size_t i;

	for (i = 0; i < sizeof(paddings) / sizeof(paddings[0]); i++) {
		const struct ioctl_info *info = ioctl_info(paddings[i].kind, paddings[i].cmd);

		try_byte(info, paddings[i].offset);
		if (paddings[i].size > 1)
			try_byte(info, paddings[i].offset + paddings[i].size - 1);
	}
}

static void expect_ignored(const struct ioctl_info *info, size_t offset)
{
	struct attempt *f = &the_attempt;
	unsigned long arg;

	guest_create_without_cpuid(&f->guest, 1);
	f->fd = f->guest.vcpu[0].fd;
	arg = recipe_argument(f, info, recipe_of(info->cmd, info->kind));
	f->argument[offset] = 1;
	EXPECT(ioctl(f->fd, info->cmd, arg) >= 0, "%s: byte %zu: %s", info->name, offset,
	       strerror(errno));
	guest_destroy(&f->guest);
}

static void what_programs_leave(void)
{
	size_t i;

	for (i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++) {
		const struct padding *padding = &ignored[i];
		const struct ioctl_info *info = ioctl_info(padding->kind, padding->cmd);

		expect_ignored(info, padding->offset);
		if (padding->size > 1)
			expect_ignored(info, padding->offset + padding->size - 1);
	}
}

static const struct ktap_test tests[] = {
	KTAP_TEST(each_byte_counts),
	KTAP_TEST(what_programs_leave),
};

KTAP_MAIN(tests)
