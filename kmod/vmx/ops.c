// SPDX-License-Identifier: GPL-2.0-only
/*
 * VMX's hooks, and a vCPU's coming and going.
 */
#include <linux/module.h>
#include "vmx/vmx.h"

static void ops_teardown(void)
{
	vmx_vmcs_teardown();
	vmx_cpu_teardown();
}

static int ops_setup(struct mmu_caps *caps)
{
	int r;

	r = vmx_caps_setup(caps);
	if (r)
		return r;
	r = vmx_cpu_setup();
	if (r)
		return r;
	r = vmx_vmcs_setup();
	if (r)
		vmx_cpu_teardown();
	return r;
}

static int ops_vcpu_create(struct mkvm_vcpu *vcpu)
{
	return vmx_vmcs_alloc(to_vmx(vcpu));
}

static void ops_vcpu_destroy(struct mkvm_vcpu *vcpu)
{
	vmx_cpu_unload_vmcs(&to_vmx(vcpu)->vmcs);
	vmx_vmcs_free(to_vmx(vcpu));
}

static void ops_vcpu_reset(struct mkvm_vcpu *vcpu)
{
	to_vmx(vcpu)->reset = true;
}

static void ops_vcpu_load(struct mkvm_vcpu *vcpu, int cpu, bool cpu_changed)
{
	struct vmx_vcpu *vmx = to_vmx(vcpu);
	bool away = vmx->vmcs.cpu != cpu;

	/* VMX is off here: nobody will enter, and what reads or writes the VMCS fails. */
	if (!vmx_cpu_load_vmcs(&vmx->vmcs))
		return;
	if (!vmx->configured)
		vmx_vmcs_configure(vmx);
	if (away || cpu_changed) {
		vmx_vmcs_set_host_cpu(vmx);
		vmx->flush = true;
		vmx->flush_vpid = true;
	}
}

static void ops_vcpu_put(struct mkvm_vcpu *vcpu)
{
	vmx_host_restore(to_vmx(vcpu));
}

const struct vendor_ops vmx_vendor_ops = {
	.name = "VMX",
	.vendor = MKVM_VENDOR_VMX,
	.vcpu_size = sizeof(struct vmx_vcpu),
	.pdptrs_are_state = true,
	.shadows_differ = true,
	.has_shadow_paging = true,

	.setup = ops_setup,
	.teardown = ops_teardown,
	.cpu_check = vmx_cpu_check,
	.cpu_enable = vmx_cpu_enable,
	.cpu_disable = vmx_cpu_disable,
	.cpu_emergency = vmx_cpu_emergency,

	.vcpu_create = ops_vcpu_create,
	.vcpu_destroy = ops_vcpu_destroy,
	.vcpu_reset = ops_vcpu_reset,
	.vcpu_load = ops_vcpu_load,
	.vcpu_put = ops_vcpu_put,
	.state_fetch = vmx_state_fetch,
	.flush_tlb = vmx_flush_tlb,
	.fits_shadow = vmx_state_fits_shadow,
	.apic_delivers = vmx_apic_delivers,
	.enter = vmx_enter,
	.exit_irqoff = vmx_exit_irqoff,
	.handle_exit = vmx_handle_exit,
	.reason_index = vmx_reason_index,
	.index_reason = vmx_index_reason,
};
