// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which MMU a VM gets: the type of KVM_CREATE_VM, or for type 0 the module parameter "mmu"; and how
 * its dirty log learns of writes, until MKVM_CAP_DIRTY_LOG_MODE says otherwise.
 */
#include <linux/mem_encrypt.h>
#include <linux/mkvm.h>
#include <linux/module.h>
#include <linux/string.h>
#include "mkvm.h"
#include "vm_type.h"
#include "x86/vendor.h"

struct mmu_caps mkvm_mmu_caps __ro_after_init;

/* The values of the parameter, in the order of mmu_names[]. */
enum mmu_choice {
	CHOICE_AUTO,
	CHOICE_TDP,
	CHOICE_SHADOW,
};

static const char *const mmu_names[] = { "auto", "tdp", "shadow" };
static int mmu_choice = CHOICE_AUTO;

static int choice_set(const char *value, const struct kernel_param *kp)
{
	int i = sysfs_match_string(mmu_names, value);

	if (i < 0) {
		pr_err("mkvm: mmu=%.*s: expected auto, tdp or shadow\n", (int)strcspn(value, "\n"),
		       value);
		return i;
	}
	WRITE_ONCE(mmu_choice, i);
	return 0;
}

static int choice_get(char *buffer, const struct kernel_param *kp)
{
	return sysfs_emit(buffer, "%s\n", mmu_names[READ_ONCE(mmu_choice)]);
}

static const struct kernel_param_ops choice_ops = {
	.set = choice_set,
	.get = choice_get,
};

module_param_cb(mmu, &choice_ops, NULL, 0644);
MODULE_PARM_DESC(mmu, "MMU of VMs created with type 0: auto (TDP where there is one), tdp, shadow");

static const char *const log_names[] = { "auto", "protect", "bits", "pml" };
static const u32 log_modes[] = { 0, MKVM_DIRTY_LOG_PROTECT, MKVM_DIRTY_LOG_BITS,
				 MKVM_DIRTY_LOG_PML };
static int log_choice; /* into both */
static bool eager_split;

static int log_set(const char *value, const struct kernel_param *kp)
{
	int i = sysfs_match_string(log_names, value);

	if (i < 0) {
		pr_err("mkvm: dirty_log=%.*s: expected auto, protect, bits or pml\n",
		       (int)strcspn(value, "\n"), value);
		return i;
	}
	WRITE_ONCE(log_choice, i);
	return 0;
}

static int log_get(char *buffer, const struct kernel_param *kp)
{
	return sysfs_emit(buffer, "%s\n", log_names[READ_ONCE(log_choice)]);
}

static const struct kernel_param_ops log_ops = {
	.set = log_set,
	.get = log_get,
};

module_param_cb(dirty_log, &log_ops, NULL, 0644);
MODULE_PARM_DESC(
	dirty_log,
	"how dirty logs of new VMs learn of writes: auto (what is cheapest here), protect, bits, pml");
module_param(eager_split, bool, 0644);
MODULE_PARM_DESC(eager_split, "new VMs split large pages when a dirty log goes on");

/* MKVM_DIRTY_LOG_* of a new VM; a mode that its second table lacks is as auto. */
u32 vm_type_log_mode(const struct mmu_caps *caps)
{
	u32 mode = log_modes[READ_ONCE(log_choice)] & mmu_log_modes(caps);

	return (mode ?: mmu_log_best(caps)) |
	       (READ_ONCE(eager_split) ? MKVM_DIRTY_LOG_EAGER_SPLIT : 0);
}

/* Bits 1 << enum mmu_kind of what a VM can be created with: MKVM_CAP_MMU. */
u32 vm_type_kinds(void)
{
	/* The four entries at which a processor may begin are read as if nothing were encrypted. */
	bool shadow = mkvm_vendor->has_shadow_paging && !sme_me_mask;

	return (mkvm_mmu_caps.fmt ? BIT(MMU_TDP) : 0) | (shadow ? BIT(MMU_SHADOW) : 0);
}

static enum mmu_kind default_kind(void)
{
	switch (READ_ONCE(mmu_choice)) {
	case CHOICE_TDP:
		return MMU_TDP;
	case CHOICE_SHADOW:
		return MMU_SHADOW;
	default:
		return mkvm_mmu_caps.fmt ? MMU_TDP : MMU_SHADOW;
	}
}

/* 0, -EINVAL: no such type, -EOPNOTSUPP: this processor or version does not have it. */
int vm_type_kind(unsigned long type, enum mmu_kind *kind)
{
	switch (type) {
	case MKVM_VM_DEFAULT:
		*kind = default_kind();
		break;
	case MKVM_VM_TDP:
		*kind = MMU_TDP;
		break;
	case MKVM_VM_SHADOW:
		*kind = MMU_SHADOW;
		break;
	default:
		return -EINVAL;
	}
	return vm_type_kinds() & BIT(*kind) ? 0 : -EOPNOTSUPP;
}
