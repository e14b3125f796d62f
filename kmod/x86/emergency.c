// SPDX-License-Identifier: GPL-2.0-only
/*
 * A crash of the host while the extension is on.
 *
 * The kernel that takes over (kdump) clears CR4.VMXE and sends INIT, and a processor in VMX
 * operation allows neither.  The crashing kernel therefore calls one registered function on each
 * processor, in NMI context.  There is one such function for the whole machine, and it is
 * kvm's where kvm is loaded: a second registration would make it warn.  So ours is registered while
 * there are VMs and no kvm, and gives way before kvm starts.  kvm's own function switches the
 * extension off as well.  A kvm that is loaded but has registered none (6.12's without VMs and
 * with enable_virt_at_load=0, or one without a vendor's module) leaves a crash uncovered: nobody
 * can tell it from one that has.
 */
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/string.h>
#include <asm/reboot.h>
#include "x86/x86.h"

static DEFINE_MUTEX(emergency_lock); /* all below */
static bool emergency_wanted;
static bool emergency_registered;
static bool kvm_loaded;

static void emergency_disable(void)
{
	if (x86_host_enabled())
		mkvm_vendor->cpu_emergency();
}

static void emergency_update(void)
{
	bool want = emergency_wanted && !kvm_loaded;

	lockdep_assert_held(&emergency_lock);
	if (want == emergency_registered)
		return;
	if (want)
		cpu_emergency_register_virt_callback(emergency_disable);
	else
		cpu_emergency_unregister_virt_callback(emergency_disable);
	emergency_registered = want;
}

/* The extension is about to be switched on, or has been switched off.  May sleep. */
void x86_emergency_want(bool want)
{
	mutex_lock(&emergency_lock);
	emergency_wanted = want;
	emergency_update();
	mutex_unlock(&emergency_lock);
}

static int emergency_module_event(struct notifier_block *nb, unsigned long event, void *data)
{
	const struct module *module = data;

	if (strcmp(module->name, "kvm"))
		return NOTIFY_DONE;
	mutex_lock(&emergency_lock);
	/* Both vendors' modules need kvm: it comes before them and goes after them. */
	if (event == MODULE_STATE_COMING)
		kvm_loaded = true;
	else if (event == MODULE_STATE_GOING)
		kvm_loaded = false;
	emergency_update();
	mutex_unlock(&emergency_lock);
	return NOTIFY_OK;
}

static struct notifier_block emergency_module_nb = {
	.notifier_call = emergency_module_event,
};

/* At load.  May sleep.  0 or a negative errno. */
int x86_emergency_init(void)
{
	int r = register_module_notifier(&emergency_module_nb);

	if (r)
		return r;
	/* A kvm that was here first. */
	mutex_lock(&emergency_lock);
	if (__symbol_get("kvm_init")) {
		__symbol_put("kvm_init");
		kvm_loaded = true;
	}
	mutex_unlock(&emergency_lock);
	return 0;
}

void x86_emergency_exit(void)
{
	unregister_module_notifier(&emergency_module_nb);
}
