// SPDX-License-Identifier: GPL-2.0-only
/*
 * What is taken back of a drawn argument.  The signal that gets a thread out of KVM_RUN is never
 * masked, what the emulated host's processor cannot bear is left out (struct fuzz_world), and
 * nobody is asked to write where the fuzzer's own data is.
 */
#include "fuzz_tame.h"

#include <linux/mkvm.h>
#include <linux/mkvm_kvm.h>

#include "lib/x86.h"

#define PAGE	 0x1000UL
#define USER_END (1UL << 47)

/*
 * Where the kernel or a guest shall write: not to what the process needs itself.  An address in
 * @size bytes from @from may stay, and so may one that is not the process's.
 */
static uint64_t tame_address(uint64_t address, const char *from, size_t size, const char *otherwise)
{
	uint64_t first = (uintptr_t)from;

	if ((address >= first && address - first < size) || address >= USER_END)
		return address;
	return (uintptr_t)otherwise + address % PAGE;
}

/* What would be written behind the memory of slots is nobody's, see fuzz_ioctl.c. */
static void tame_pointers(const struct fuzz_world *world, const struct ioctl_info *info,
			  void *buffer)
{
	struct kvm_userspace_memory_region *region = buffer;
	struct kvm_clear_dirty_log *clear = buffer;
	struct mkvm_counts *counts = buffer;
	struct kvm_dirty_log *log = buffer;

	switch (info->cmd) {
	case KVM_SET_USER_MEMORY_REGION:
	case KVM_SET_USER_MEMORY_REGION2:
		region->userspace_addr = tame_address(region->userspace_addr, world->mem,
						      FUZZ_MEM_SIZE, world->forbidden);
		break;
	case KVM_GET_DIRTY_LOG:
		log->dirty_bitmap =
			(void *)tame_address((uintptr_t)log->dirty_bitmap, world->scratch,
					     IOCTL_MAX_SIZE, world->forbidden);
		break;
	case KVM_CLEAR_DIRTY_LOG:
		clear->dirty_bitmap =
			(void *)tame_address((uintptr_t)clear->dirty_bitmap, world->scratch,
					     IOCTL_MAX_SIZE, world->forbidden);
		break;
	case MKVM_GET_COUNTS:
		counts->reasons = tame_address(counts->reasons, world->scratch, IOCTL_MAX_SIZE,
					       world->forbidden);
		break;
	}
}

void fuzz_tame(const struct fuzz_world *world, const struct ioctl_info *info, void *buffer)
{
	tame_pointers(world, info, buffer);
	if (info->cmd == KVM_SET_SIGNAL_MASK) {
		struct kvm_signal_mask *mask = buffer;
		unsigned int bit = world->kick - 1;

		mask->sigset[bit / 8] &= ~(1 << bit % 8);
	}
	if (world->interrupts_on && info->cmd == KVM_SET_REGS)
		((struct kvm_regs *)buffer)->rflags |= X86_RFLAGS_IF;
	if (!world->no_breakpoints)
		return;
	if (info->cmd == KVM_SET_DEBUGREGS)
		((struct kvm_debugregs *)buffer)->dr7 &= ~0xffUL;
	if (info->cmd == KVM_SET_GUEST_DEBUG)
		((struct kvm_guest_debug *)buffer)->arch.debugreg[7] &= ~0xffUL;
}

/* Must its argument be where nobody else writes? */
bool fuzz_is_tamed(const struct ioctl_info *info)
{
	return info->cmd == KVM_SET_SIGNAL_MASK || info->cmd == KVM_SET_DEBUGREGS ||
	       info->cmd == KVM_SET_GUEST_DEBUG || info->cmd == KVM_SET_REGS;
}
