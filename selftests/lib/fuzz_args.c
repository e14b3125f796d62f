// SPDX-License-Identifier: GPL-2.0-only
/*
 * How arguments are made.
 *
 * A maker (fuzz_make.c) writes a valid argument of one ioctl.  An ioctl without a maker gets what
 * its getter answers, or zeroes.  Then, by the style drawn, the argument is left alone, gets a few
 * wrong fields, or becomes garbage; some things are taken back at the end (fuzz_tame.c).  Nothing
 * depends on what the kernel answered, getters apart: the same numbers give the same calls.
 */
#include "fuzz_args.h"

#include <linux/mkvm.h>
#include <linux/mkvm_kvm.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "fuzz_draw.h"
#include "fuzz_make.h"
#include "fuzz_tame.h"

/* Besides those of the device's own list. */
/* clang-format off */
static const uint32_t some_msrs[] = {
	0x10, 0x11, 0x1b, 0x3a, 0x48, 0x8b, 0x174, 0x1a0, 0x200, 0x277, 0x2ff, 0x345, 0x400,
	0xda0, 0x40000000, 0x4b564d00, 0x4b564d01, 0x4b564d03, 0xc0000080, 0xc0000081,
	0xc0000082, 0xc0000084, 0xc0000100, 0xc0000103, 0xc0010015, 0xc0010117,
};

/* clang-format on */

/* Asks the device once what it has; lists that it lacks stay short. */
void fuzz_world_learn(struct fuzz_world *world, int system_fd)
{
	struct kvm_cpuid2 *cpuid = calloc(1, sizeof(*cpuid) + sizeof(world->cpuid));
	struct kvm_msr_list *list = calloc(1, sizeof(*list) + 512 * sizeof(uint32_t));
	unsigned int i;

	for (i = 0; i < sizeof(some_msrs) / sizeof(some_msrs[0]); i++)
		world->msrs[world->nr_msrs++] = some_msrs[i];
	list->nmsrs = 512;
	if (ioctl(system_fd, KVM_GET_MSR_INDEX_LIST, list) == 0) {
		for (i = 0; i < list->nmsrs && world->nr_msrs < FUZZ_MSRS; i++)
			world->msrs[world->nr_msrs++] = list->indices[i];
	}
	cpuid->nent = 256;
	if (ioctl(system_fd, KVM_GET_SUPPORTED_CPUID, cpuid) == 0) {
		world->cpuid_nent = cpuid->nent;
		memcpy(world->cpuid, cpuid->entries, cpuid->nent * sizeof(world->cpuid[0]));
	}
	free(cpuid);
	free(list);
}

/* A valid argument, as far as one can be known. */
static void make_valid(struct rng *rng, const struct fuzz_world *world,
		       const struct ioctl_info *info, int fd, void *buffer)
{
	memset(buffer, 0, info->size);
	/* A setter mostly begins with what is there. */
	if (info->get && rng_chance(rng, 70) && ioctl(fd, info->get, buffer) == 0 &&
	    rng_chance(rng, 50))
		return;
	fuzz_make(rng, world, info, buffer);
}

static unsigned long valid_value(struct rng *rng, const struct ioctl_info *info)
{
	static const unsigned long types[] = { MKVM_VM_DEFAULT, MKVM_VM_DEFAULT, MKVM_VM_TDP,
					       MKVM_VM_SHADOW };

	switch (info->cmd) {
	case KVM_CREATE_VM:
		return types[rng_below(rng, 4)];
	case MKVM_SET_MMU:
		return types[2 + rng_below(rng, 2)];
	case KVM_CREATE_VCPU:
		return rng_below(rng, 8);
	case KVM_CHECK_EXTENSION:
		return rng_below(rng, 260);
	case KVM_SET_BOOT_CPU_ID:
		return rng_below(rng, 4);
	case KVM_SET_NR_MMU_PAGES:
		return 64 + rng_below(rng, 1024);
	case KVM_SET_TSS_ADDR:
		return 0xfffbd000;
	case KVM_SET_TSC_KHZ:
		return rng_below(rng, 4) * 1000000;
	default:
		return 0;
	}
}

/* A few fields of the argument get other values. */
static void spoil(struct rng *rng, void *buffer, size_t size)
{
	static const size_t widths[] = { 1, 2, 4, 8 };
	unsigned int n = 1 + rng_below(rng, 3);

	while (n--) {
		size_t width = widths[rng_below(rng, 4)], words = size / width;
		uint64_t value = fuzz_number(rng);
		char *at;

		if (!words)
			continue;
		/* Mostly near the beginning, where the short arguments are whole. */
		if (words > 32 && rng_chance(rng, 70))
			words = 32;
		at = (char *)buffer + rng_below(rng, words) * width;
		if (rng_chance(rng, 30)) {
			at[rng_below(rng, width)] ^= 1 << rng_below(rng, 8);
			continue;
		}
		memcpy(at, &value, width);
	}
}

/* An address at which the argument is not, or only in part. */
static unsigned long wild_pointer(struct rng *rng, const struct fuzz_world *world, size_t size)
{
	switch (rng_below(rng, 6)) {
	case 0:
		return 0;
	case 1:
		return (uintptr_t)world->forbidden;
	case 2: /* what comes before it can be read, the rest cannot */
		return (uintptr_t)world->forbidden - (size ? rng_below(rng, size) : 0);
	case 3:
		return (uintptr_t)world->readonly;
	case 4: /* another thread may change it meanwhile */
		return (uintptr_t)world->mem + rng_below(rng, FUZZ_MEM_SIZE - IOCTL_MAX_SIZE);
	default:
		return fuzz_number(rng);
	}
}

/* The argument to call @info's ioctl with; @buffer has IOCTL_MAX_SIZE bytes, the thread's own. */
unsigned long fuzz_argument(struct rng *rng, const struct fuzz_world *world,
			    const struct ioctl_info *info, int fd, void *buffer)
{
	unsigned int style = rng_below(rng, 100);

	if (!info->size) {
		if (style < 80)
			return valid_value(rng, info);
		return style < 90 ? rng_below(rng, 8) : fuzz_number(rng);
	}
	if (style >= 94)
		return fuzz_is_tamed(info) ? 0 : wild_pointer(rng, world, info->size);
	if (style >= 86)
		rng_fill(rng, buffer, info->size);
	else
		make_valid(rng, world, info, fd, buffer);
	if (style >= 55 && style < 86)
		spoil(rng, buffer, info->size);
	fuzz_tame(world, info, buffer);
	return (uintptr_t)buffer;
}
