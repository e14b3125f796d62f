// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the launcher tells people, on stderr: what went wrong, with what, and the way out.
 */
#include "message.h"

#include <errno.h>
#include <linux/mkvm.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

void message(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fputs("mkvm: ", stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
}

static void message_load_module(const char *path)
{
	if (strcmp(path, "/dev/kvm") == 0)
		message("load stock kvm first: modprobe kvm_intel, or modprobe kvm_amd");
	else
		message("load the module first: modprobe mkvm where it is installed, or insmod "
			"build/RELEASE/mkvm.ko in the source tree; dmesg says why if it refuses");
}

void message_open_failed(const char *path, int err)
{
	switch (-err) {
	case ENOENT:
	case ENODEV:
	case ENXIO:
		message("%s: there is no such device", path);
		message_load_module(path);
		break;
	case EACCES:
	case EPERM:
		message("%s: %s", path, strerror(-err));
		message("run it as root, or join the device's group: usermod -aG kvm USER, then "
			"log in anew");
		break;
	case ENOTTY:
	case EINVAL:
		message("%s is not a KVM device; --device expects /dev/mkvm or /dev/kvm", path);
		break;
	case EPROTO:
		message("%s speaks another version of the KVM ABI than 12", path);
		break;
	default:
		message("%s: %s", path, strerror(-err));
	}
}

static void message_busy(void)
{
	const char *holder = NULL;

	if (access("/sys/module/kvm_intel", F_OK) == 0)
		holder = "kvm_intel";
	else if (access("/sys/module/kvm_amd", F_OK) == 0)
		holder = "kvm_amd";
	message("another hypervisor%s%s holds the processor's virtualisation extension",
		holder ? ", probably " : "", holder ? holder : "");
	message("unload it: modprobe -r %s; or boot with kvm.enable_virt_at_load=0, and it holds "
		"the extension only while it has VMs; dmesg says more",
		holder ? holder : "kvm_intel (or kvm_amd)");
}

/* Does mkvm's parameter mmu, which types that are not named fall to, say so? */
static bool parameter_is(const char *value)
{
	char text[16] = "";
	FILE *file = fopen("/sys/module/mkvm/parameters/mmu", "re");

	if (!file)
		return false;
	if (!fgets(text, sizeof(text), file))
		text[0] = '\0';
	fclose(file);
	text[strcspn(text, "\n")] = '\0';
	return strcmp(text, value) == 0;
}

static void message_not_supported(const struct kvm_dev *dev, unsigned long type)
{
	if (type == MKVM_VM_SHADOW && !(dev->mmus & 2)) {
		message("--mmu shadow: %s has no shadow paging; use --mmu tdp or --mmu auto",
			dev->path);
	} else if (type == MKVM_VM_TDP && !(dev->mmus & 1)) {
		message("--mmu tdp: %s has no two-dimensional paging (EPT, NPT) on this processor; "
			"use --mmu shadow or --mmu auto",
			dev->path);
	} else if (type == MKVM_VM_DEFAULT && !(dev->mmus & 2) && parameter_is("shadow")) {
		message("%s has no shadow paging, which the module's parameter asks for; use --mmu "
			"tdp, or: echo auto >/sys/module/mkvm/parameters/mmu",
			dev->path);
	} else {
		message("%s cannot make a virtual machine on this processor", dev->path);
		message("switch its extension on in the firmware's setup (Intel: VT-x or VMX; "
			"AMD: SVM); dmesg says more");
	}
}

void message_create_vm_failed(const struct kvm_dev *dev, unsigned long type, int err)
{
	switch (-err) {
	case EBUSY:
		message_busy();
		break;
	case EOPNOTSUPP:
		message_not_supported(dev, type);
		break;
	default:
		message("%s: cannot make a virtual machine: %s", dev->path, strerror(-err));
	}
}
