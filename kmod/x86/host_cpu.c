// SPDX-License-Identifier: GPL-2.0-only
/*
 * The virtualisation extension on the host's processors.
 *
 * It is switched on everywhere when the first VM appears and off with the last one, so that another
 * hypervisor can have it meanwhile.  A processor that comes online later switches it on before any
 * task can run there; one that goes offline switches it off after the last task has left, in a
 * state of CPU hotplug that runs with interrupts off.  Suspend and resume do the same for the last
 * processor, and a reboot switches it off, as a processor in VMX operation ignores INIT.
 *
 * host_users changes with the CPU set fixed (cpus_read_lock), so the hotplug callbacks, which run
 * with it being changed, see it still.
 */
#include <linux/cpu.h>
#include <linux/percpu.h>
#include <linux/reboot.h>
#include <linux/smp.h>
#include <asm/fpu/xcr.h>
#include "compat.h"
#include "x86/x86.h"

static DEFINE_MUTEX(host_lock); /* host_users */
static unsigned int host_users;
static bool host_rebooting;
static u64 host_xcr0;
static u64 host_xss;
static DEFINE_PER_CPU(bool, host_enabled);

/* On this CPU; preemption is off. */
bool x86_host_enabled(void)
{
	return __this_cpu_read(host_enabled);
}

/* Extended states that the host uses; the same on all processors. */
u64 x86_host_xcr0(void)
{
	return host_xcr0;
}

/* Supervisor states that the host uses; the same on all processors. */
u64 x86_host_xss(void)
{
	return host_xss;
}

static void host_enable_here(void)
{
	if (__this_cpu_read(host_enabled) || READ_ONCE(host_rebooting))
		return;
	if (!mkvm_vendor->cpu_check() && !mkvm_vendor->cpu_enable())
		__this_cpu_write(host_enabled, true);
}

static void host_disable_here(void)
{
	if (!__this_cpu_read(host_enabled))
		return;
	__this_cpu_write(host_enabled, false);
	mkvm_vendor->cpu_disable();
}

static void ipi_check(void *worst)
{
	int r = mkvm_vendor->cpu_check();

	/* Any of the processors' answers will do; they do not differ in practice. */
	if (r)
		WRITE_ONCE(*(int *)worst, r);
}

static void ipi_enable(void *failed)
{
	host_enable_here();
	if (!__this_cpu_read(host_enabled))
		WRITE_ONCE(*(int *)failed, -EIO);
}

static void ipi_disable(void *unused)
{
	host_disable_here();
}

static void host_explain(int r)
{
	bool vmx = mkvm_vendor->vendor == MKVM_VENDOR_VMX;

	if (r == -EBUSY)
		pr_err("mkvm: another hypervisor holds %s. Stop its VMs, and if it is %s of Linux 6.12 or newer: modprobe -r %s, or load kvm with enable_virt_at_load=0\n",
		       mkvm_vendor->name, vmx ? "kvm_intel" : "kvm_amd",
		       vmx ? "kvm_intel" : "kvm_amd");
	else if (r == -EOPNOTSUPP)
		pr_err("mkvm: the firmware has %s switched off. Enable \"%s\" in its setup\n",
		       mkvm_vendor->name, vmx ? "Intel Virtualization Technology" : "SVM Mode");
	else
		pr_err("mkvm: %s could not be switched on\n", mkvm_vendor->name);
}

/*
 * A VM is born.  May sleep.  0; -EBUSY, -EOPNOTSUPP or -EIO with the reason and the way out in the
 * kernel's log.
 */
int x86_host_get(void)
{
	int r = 0;

	cpus_read_lock();
	mutex_lock(&host_lock);
	if (!host_users) {
		x86_emergency_want(true);
		on_each_cpu(ipi_check, &r, 1);
		if (!r)
			on_each_cpu(ipi_enable, &r, 1);
		if (r) {
			on_each_cpu(ipi_disable, NULL, 1);
			x86_emergency_want(false);
			host_explain(r);
		}
	}
	if (!r)
		host_users++;
	mutex_unlock(&host_lock);
	cpus_read_unlock();
	return r;
}

void x86_host_put(void)
{
	cpus_read_lock();
	mutex_lock(&host_lock);
	if (!--host_users) {
		on_each_cpu(ipi_disable, NULL, 1);
		x86_emergency_want(false);
	}
	mutex_unlock(&host_lock);
	cpus_read_unlock();
}

static int host_cpu_starting(unsigned int cpu)
{
	if (host_users)
		host_enable_here();
	return 0;
}

static int host_cpu_dying(unsigned int cpu)
{
	host_disable_here();
	return 0;
}

static int host_suspend(COMPAT_SYSCORE_ARG)
{
	x86_tsc_host_suspend();
	host_disable_here();
	return 0;
}

static void host_resume(COMPAT_SYSCORE_ARG)
{
	x86_tsc_host_resume();
	x86_kvmclock_host_resume();
	if (host_users)
		host_enable_here();
}

DEFINE_COMPAT_SYSCORE(host_syscore, host_suspend, host_resume);

static int host_reboot(struct notifier_block *nb, unsigned long event, void *data)
{
	WRITE_ONCE(host_rebooting, true);
	on_each_cpu(ipi_disable, NULL, 1);
	return NOTIFY_OK;
}

static struct notifier_block host_reboot_nb = {
	.notifier_call = host_reboot,
};

/* At load.  May sleep.  0 or a negative errno. */
int x86_host_init(void)
{
	int r;

	if (boot_cpu_has(X86_FEATURE_OSXSAVE))
		host_xcr0 = xgetbv(XCR_XFEATURE_ENABLED_MASK);
	if (boot_cpu_has(X86_FEATURE_XSAVES))
		rdmsrl(MSR_IA32_XSS, host_xss);
	r = cpuhp_setup_state_nocalls(COMPAT_CPUHP_STARTING, "mkvm:starting", host_cpu_starting,
				      host_cpu_dying);
	if (r < 0) {
		pr_err("mkvm: cannot follow CPU hotplug: %d\n", r);
		return r;
	}
	r = x86_emergency_init();
	if (r) {
		cpuhp_remove_state_nocalls(COMPAT_CPUHP_STARTING);
		return r;
	}
	compat_syscore_register(&host_syscore);
	register_reboot_notifier(&host_reboot_nb);
	return 0;
}

void x86_host_exit(void)
{
	unregister_reboot_notifier(&host_reboot_nb);
	compat_syscore_unregister(&host_syscore);
	x86_emergency_exit();
	cpuhp_remove_state_nocalls(COMPAT_CPUHP_STARTING);
}
