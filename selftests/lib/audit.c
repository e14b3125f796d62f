// SPDX-License-Identifier: GPL-2.0-only
/*
 * The module's audit of the tables of this process's VMs: before a VM is closed, and of those that
 * are left when a test has come to its end, whatever it has done.
 *
 * A VM that the library has made and not closed has to be there to be audited.  None is asked for
 * where there is no debugfs, and of the kernel's own kvm; a child's VMs are the child's.
 */
#include "audit.h"

#include <glob.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "ktap.h"

#define AUDITS "/sys/kernel/debug/mkvm"

static pid_t maker;	     /* whose VMs are counted */
static unsigned int nr_open; /* made and not closed; atomic */

/* Of how many the module says something. */
unsigned int audit_vms(void)
{
	char pattern[64], verdict[256] = "";
	glob_t found;
	unsigned int i;

	snprintf(pattern, sizeof(pattern), AUDITS "/%d-*/audit", getpid());
	if (glob(pattern, 0, NULL, &found))
		return 0;
	for (i = 0; i < found.gl_pathc; i++) {
		FILE *file = fopen(found.gl_pathv[i], "re");

		EXPECT(file && fgets(verdict, sizeof(verdict), file) && !strcmp(verdict, "ok\n"),
		       "%s: %s", found.gl_pathv[i], verdict);
		if (file)
			fclose(file);
	}
	globfree(&found);
	return i;
}

static void audit_all(void)
{
	unsigned int audited = audit_vms();

	if (maker != getpid() || access(AUDITS, R_OK | X_OK))
		return;
	EXPECT(audited >= nr_open, "%u VMs were audited, and %u are there", audited, nr_open);
}

int __wrap_vm_create(struct vm *vm, const struct kvm_dev *dev, unsigned long type)
{
	int err = __real_vm_create(vm, dev, type);

	if (err || !kvm_dev_is_mkvm(dev))
		return err;
	if (maker != getpid()) {
		maker = getpid();
		nr_open = 0;
	}
	__atomic_add_fetch(&nr_open, 1, __ATOMIC_RELAXED);
	return 0;
}

void __wrap_vm_close(struct vm *vm)
{
	if (vm->fd >= 0) {
		audit_all();
		if (maker == getpid() && nr_open)
			__atomic_sub_fetch(&nr_open, 1, __ATOMIC_RELAXED);
	}
	__real_vm_close(vm);
}

void ktap_after(void)
{
	audit_all();
}
