// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the processor does of the guest's local APIC.
 *
 * With the TPR shadow the guest reads and writes TPR by CR8 without an exit.  A processor with all
 * of virtual-interrupt delivery, APIC-register virtualisation and x2APIC virtualisation also
 * delivers interrupts, ends them, and takes those that a vCPU sends to itself; an end is an exit if
 * somebody outside has to know of it.
 *
 * In xAPIC mode it does so if it knows accesses of the registers' page as such, which they are as
 * long as the VM has such a page (irqchip/lapic_access.c).  A vCPU with that page but without the
 * processor's help has an exit for each access but those of TPR.
 */
#include <linux/io.h>
#include <linux/module.h>
#include "irqchip/lapic.h"
#include "vmx/vmx.h"

static bool apicv = true;
module_param(apicv, bool, 0644);
MODULE_PARM_DESC(apicv, "VMX: the processor delivers interrupts of new vCPUs");

/* A page of its own; 0 or -ENOMEM.  The vCPU has its local APIC, or gets none. */
int vmx_apic_alloc(struct vmx_vcpu *vmx)
{
	if (!vmx->vcpu.lapic || !vmx_caps_tpr_shadow())
		return 0;
	vmx->apic = (void *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	if (!vmx->apic)
		return -ENOMEM;
	vmx->apicv = vmx_caps_apicv() && READ_ONCE(apicv);
	if (!vmx->apicv || !vmx_caps_apic_access() || !lapic_access_create(vmx->vcpu.vm))
		return 0;
	free_page((unsigned long)vmx->apic);
	return -ENOMEM;
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
	vmx->apic_controls = 0;
	if (vmx->vcpu.vm->irqchip.access)
		vmcs_write(APIC_ACCESS_ADDR, page_to_phys(vmx->vcpu.vm->irqchip.access));
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

	if (!vmx->apicv || !lapic_enabled(vcpu->lapic) ||
	    vcpu->x86.debug.control & KVM_GUESTDBG_BLOCKIRQ)
		return false;
	return lapic_x2apic(vcpu->lapic) ? !vcpu->x86.msrs_closed : lapic_access_is_on(vcpu);
}

/*
 * Secondary controls for what the next entry leaves to the processor.  Once there is a page for
 * accesses no vCPU in xAPIC mode may take it for memory, with its local APIC switched off too.
 */
static u32 apic_choose_controls(const struct vmx_vcpu *vmx)
{
	bool x2apic = lapic_x2apic(vmx->vcpu.lapic);
	u32 controls = 0;

	if (vmx->delivers)
		controls = SECONDARY_EXEC_APIC_REGISTER_VIRT | SECONDARY_EXEC_VIRTUAL_INTR_DELIVERY;
	if (vmx->delivers && x2apic)
		controls |= SECONDARY_EXEC_VIRTUALIZE_X2APIC_MODE;
	if (vmx->vcpu.vm->irqchip.access && !x2apic)
		controls |= SECONDARY_EXEC_VIRTUALIZE_APIC_ACCESSES;
	return controls;
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
	u32 controls;

	if (!vmx->apic)
		return;
	vmx->delivers = vmx->vcpu.x86.apic_delivers;
	controls = apic_choose_controls(vmx);
	if (controls != vmx->apic_controls) {
		vmx->apic_controls = controls;
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

	/* The page has what was written; the register need not. */
	vcpu->lapic->changed = true;
	/* What no register takes goes nowhere: the instruction is behind us. */
	if (lapic_write_reg(vcpu->lapic, offset, value))
		return 1;
	return 1;
}

/* An access of the page that the processor leaves to the module. */
int vmx_apic_exit_access(struct mkvm_vcpu *vcpu)
{
	return x86_emulate(vcpu);
}
