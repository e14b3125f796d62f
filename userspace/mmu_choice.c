// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which MMU a VM gets.  mkvm takes it as the type of KVM_CREATE_VM.  Stock kvm has one MMU for all
 * its VMs, chosen when it is loaded: there a choice can only agree or be refused.
 */
#include "mmu_choice.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mkvm.h>
#include <string.h>
#include <unistd.h>

#include "lib/kvm_dev.h"
#include "message.h"

static const char *const names[] = {
	[MMU_AUTO] = "auto",
	[MMU_TDP] = "tdp",
	[MMU_SHADOW] = "shadow",
};

static const struct {
	const char *module, *parameter, *path;
} stock[] = {
	{ "kvm_intel", "ept", "/sys/module/kvm_intel/parameters/ept" },
	{ "kvm_amd", "npt", "/sys/module/kvm_amd/parameters/npt" },
};

bool mmu_choice_parse(const char *text, void *into)
{
	unsigned int i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(text, names[i]) == 0) {
			*(enum mmu_choice *)into = i;
			return true;
		}
	}
	return false;
}

/* 'Y' or 'N', or 0 if there is no such parameter. */
static char module_flag(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	char value = 0;

	if (fd < 0)
		return 0;
	if (read(fd, &value, 1) != 1)
		value = 0;
	close(fd);
	return value == '1' ? 'Y' : value == '0' ? 'N' : value;
}

static int mmu_choice_check_stock(enum mmu_choice choice, const char *device)
{
	char wanted = choice == MMU_TDP ? 'Y' : 'N';
	unsigned int i;
	char value;

	for (i = 0; i < sizeof(stock) / sizeof(stock[0]); i++) {
		value = module_flag(stock[i].path);
		if (!value)
			continue;
		if (value == wanted)
			return 0;
		message("--mmu %s: %s is stock kvm, whose MMU is chosen when it is loaded, and %s "
			"has %s=%c; load it with %s=%d, or use --mmu auto",
			names[choice], device, stock[i].module, stock[i].parameter, value,
			stock[i].parameter, wanted == 'Y');
		return -EINVAL;
	}
	message("--mmu %s: %s is stock kvm, and neither kvm_intel's parameter ept nor kvm_amd's "
		"npt can be read to tell its MMU; use --mmu auto",
		names[choice], device);
	return -EINVAL;
}

/* A failure has been told when this returns. */
int mmu_choice_vm_type(enum mmu_choice choice, const char *device, unsigned long *type)
{
	struct kvm_dev dev;
	bool mkvm;
	int err;

	*type = MKVM_VM_DEFAULT;
	if (choice == MMU_AUTO)
		return 0;
	err = kvm_dev_open(&dev, device);
	if (err) {
		message_open_failed(device, err);
		return err;
	}
	mkvm = kvm_dev_is_mkvm(&dev);
	kvm_dev_close(&dev);
	if (!mkvm)
		return mmu_choice_check_stock(choice, device);
	*type = choice == MMU_TDP ? MKVM_VM_TDP : MKVM_VM_SHADOW;
	return 0;
}
