// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the processor does of the guest's local APIC.
 *
 * With the TPR shadow the guest reads and writes TPR by CR8 without an exit.  A processor with all
 * of virtual-interrupt delivery, APIC-register virtualisation and x2APIC virtualisation also
 * delivers interrupts, ends them, and takes those that a vCPU sends to itself, as long as the guest
 * uses x2APIC mode; there an end is an exit if somebody outside has to know of it.  In xAPIC mode
 * each access of the registers' page is an exit anyhow.
 */
#include <linux/module.h>
#include "irqchip/lapic.h"
#include "vmx/vmx.h"

static bool apicv = true;
module_param(apicv, bool, 0644);
MODULE_PARM_DESC(apicv, "VMX: the processor delivers interrupts of new vCPUs in x2APIC mode");

/* A page of its own; 0 or -ENOMEM.  The vCPU has its local APIC, or gets none. */
int vmx_apic_alloc(struct vmx_vcpu *vmx)
{
	if (!vmx->vcpu.lapic || !vmx_caps_tpr_shadow())
		return 0;
	vmx->apic = (void *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	if (!vmx->apic)
		return -ENOMEM;
	vmx->apicv = vmx_caps_apicv() && READ_ONCE(apicv);
	return 0;
}

/* The VMCS is current, for the first time. */
void vmx_apic_configure(struct vmx_vcpu *vmx)
{
	if (!vmx->apic)
		return;
	vmcs_write(VIRTUAL_APIC_PAGE_ADDR, __pa(vmx->apic));
	vmcs_write(TPR_THRESHOLD, 0);
	vmx->tpr_threshold = 0;
	vmx->delivers = false;
	bitmap_zero(vmx->eoi_exits, LAPIC_VECTORS);
	if (!vmx->apicv)
		return;
	vmcs_write(EOI_EXIT_BITMAP0, 0);
	vmcs_write(EOI_EXIT_BITMAP1, 0);
	vmcs_write(EOI_EXIT_BITMAP2, 0);
	vmcs_write(EOI_EXIT_BITMAP3, 0);
}

/* Does the next entry leave interrupts of the local APIC to the processor? */
bool vmx_apic_delivers(const struct mkvm_vcpu *vcpu)
{
	const struct vmx_vcpu *vmx = container_of(vcpu, struct vmx_vcpu, vcpu);

	return vmx->apicv && lapic_x2apic(vcpu->lapic) && !vcpu->x86.msrs_closed &&
	       !(vcpu->x86.debug.control & KVM_GUESTDBG_BLOCKIRQ);
}

/* What of TPR waits for costs an exit when it may come. */
static void apic_set_tpr(struct vmx_vcpu *vmx)
{
	u32 threshold = lapic_tpr_threshold(vmx->vcpu.lapic);

	WRITE_ONCE(vmx->apic[APIC_TASKPRI], lapic_tpr(&vmx->vcpu));
	if (threshold == vmx->tpr_threshold)
		return;
	vmcs_write(TPR_THRESHOLD, threshold);
	vmx->tpr_threshold = threshold;
}

static void apic_hand_over(struct vmx_vcpu *vmx)
{
	struct lapic *lapic = vmx->vcpu.lapic;
	unsigned int i;

	vmcs_write(GUEST_INTR_STATUS, lapic_virtual_enter(lapic, vmx->apic));
	for (i = 0; i < LAPIC_VECTORS / 64; i++) {
		u64 told = READ_ONCE(lapic->told[i]);

		if (told == vmx->eoi_exits[i])
			continue;
		/* Their encodings are two apart, as those of all fields of 64 bits. */
		vmcs_write(EOI_EXIT_BITMAP0 + 2 * i, told);
		vmx->eoi_exits[i] = told;
	}
}

/* Interrupts are off, the VMCS is current, x86.apic_delivers has been chosen. */
void vmx_apic_enter(struct vmx_vcpu *vmx)
{
	if (!vmx->apic)
		return;
	if (vmx->delivers != vmx->vcpu.x86.apic_delivers) {
		vmx->delivers = vmx->vcpu.x86.apic_delivers;
		vmx->vcpu.lapic->changed = true;
		vmx_vmcs_set_features(vmx);
	}
	if (vmx->delivers)
		apic_hand_over(vmx);
	else
		apic_set_tpr(vmx);
}

/* The guest has come out, or was not entered. */
void vmx_apic_exit(struct vmx_vcpu *vmx)
{
	u8 tpr;

	if (!vmx->apic)
		return;
	tpr = READ_ONCE(vmx->apic[APIC_TASKPRI]);
	if (tpr != lapic_tpr(&vmx->vcpu))
		lapic_set_tpr(&vmx->vcpu, tpr);
	if (vmx->delivers)
		lapic_virtual_exit(vmx->vcpu.lapic, vmx->apic);
}

/* The guest has ended an interrupt, of which somebody has to know; it is out of service already. */
int vmx_apic_exit_eoi(struct mkvm_vcpu *vcpu)
{
	lapic_ended(vcpu->lapic, vcpu->x86.exit.info1);
	return 1;
}

/* It has written a register to the page, with what the processor itself does not do. */
int vmx_apic_exit_write(struct mkvm_vcpu *vcpu)
{
	unsigned int offset = vcpu->x86.exit.info1 & 0x3f0;
	u32 value = READ_ONCE(*(u32 *)(to_vmx(vcpu)->apic + offset));

	/* What no register takes goes nowhere: the instruction is behind us. */
	if (lapic_write_reg(vcpu->lapic, offset, value))
		return 1;
	return 1;
}
