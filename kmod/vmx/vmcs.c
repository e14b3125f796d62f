// SPDX-License-Identifier: GPL-2.0-only
/*
 * The VMCS: its memory, and the fields that stay as they are while a guest runs.
 *
 * A VMCS gets its controls and the constant part of the host's state when it is current for the
 * first time, and the part of the host's state that belongs to a processor each time it comes to
 * another one.
 *
 * Every MSR is intercepted but those that entry and exit, or load and put, switch: the bases of FS
 * and GS, KERNEL_GS_BASE and the SYSENTER MSRs.  One bitmap says so for all vCPUs but those that
 * are closed.
 */
#include <linux/gfp.h>
#include <linux/idr.h>
#include <linux/smp.h>
#include <asm/cpu_entry_area.h>
#include <asm/desc.h>
#include <asm/msr.h>
#include <asm/special_insns.h>
#include <asm/tlbflush.h>
#include <asm/trapnr.h>
#include "vmx/vmx.h"

/* The MSR bitmap: 1 KiB each for reads and writes of the low and the high MSRs. */
#define MSR_HIGH       0xc0000000u
#define MSR_READ_LOW   0x000
#define MSR_READ_HIGH  0x400
#define MSR_WRITE_LOW  0x800
#define MSR_WRITE_HIGH 0xc00

static void *vmcs_msr_bitmap;
static void *vmcs_msr_closed; /* all are intercepted: for VMs with a filter */
static void *vmcs_msr_x2apic; /* the processor has the local APIC */
static DEFINE_IDA(vmcs_vpids);

static void vmcs_msr_pass(u32 msr)
{
	u32 index = msr >= MSR_HIGH ? msr - MSR_HIGH : msr;

	__clear_bit(index, vmcs_msr_bitmap + (msr >= MSR_HIGH ? MSR_READ_HIGH : MSR_READ_LOW));
	__clear_bit(index, vmcs_msr_bitmap + (msr >= MSR_HIGH ? MSR_WRITE_HIGH : MSR_WRITE_LOW));
}

/* Registers that the virtual-APIC page has, and those that the processor acts upon when written. */
static void vmcs_msr_pass_x2apic(void)
{
	static const u16 written[] = { APIC_TASKPRI, APIC_EOI, APIC_SELF_IPI };
	static const u16 read[][2] = {
		{ APIC_ID, APIC_LVR },		{ APIC_TASKPRI, APIC_TASKPRI },
		{ APIC_PROCPRI, APIC_PROCPRI }, { APIC_LDR, APIC_LDR },
		{ APIC_SPIV, APIC_IRR + 0x70 }, { APIC_LVTT, APIC_TMICT },
		{ APIC_TDCR, APIC_TDCR },
	};
	unsigned int i, offset;

	for (i = 0; i < ARRAY_SIZE(read); i++)
		for (offset = read[i][0]; offset <= read[i][1]; offset += 0x10)
			__clear_bit(APIC_BASE_MSR + (offset >> 4), vmcs_msr_x2apic + MSR_READ_LOW);
	for (i = 0; i < ARRAY_SIZE(written); i++)
		__clear_bit(APIC_BASE_MSR + (written[i] >> 4), vmcs_msr_x2apic + MSR_WRITE_LOW);
}

int vmx_vmcs_setup(void)
{
	unsigned int i;

	vmcs_msr_bitmap = (void *)__get_free_page(GFP_KERNEL);
	vmcs_msr_closed = (void *)__get_free_page(GFP_KERNEL);
	vmcs_msr_x2apic = (void *)__get_free_page(GFP_KERNEL);
	if (!vmcs_msr_bitmap || !vmcs_msr_closed || !vmcs_msr_x2apic) {
		vmx_vmcs_teardown();
		return -ENOMEM;
	}
	memset(vmcs_msr_bitmap, 0xff, PAGE_SIZE);
	memset(vmcs_msr_closed, 0xff, PAGE_SIZE);
	for (i = 0; i < X86_FIRST_SYSCALL_MSR; i++)
		vmcs_msr_pass(x86_open_msrs[i]);
	memcpy(vmcs_msr_x2apic, vmcs_msr_bitmap, PAGE_SIZE);
	vmcs_msr_pass_x2apic();
	return 0;
}

void vmx_vmcs_teardown(void)
{
	free_page((unsigned long)vmcs_msr_x2apic);
	vmcs_msr_x2apic = NULL;
	free_page((unsigned long)vmcs_msr_closed);
	vmcs_msr_closed = NULL;
	free_page((unsigned long)vmcs_msr_bitmap);
	vmcs_msr_bitmap = NULL;
	ida_destroy(&vmcs_vpids);
}

int vmx_vmcs_alloc(struct vmx_vcpu *vmx)
{
	int vpid = 0;

	vmx->vmcs.region = (void *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	if (!vmx->vmcs.region)
		return -ENOMEM;
	*(u32 *)vmx->vmcs.region = vmx_caps_revision();

	BUILD_BUG_ON(sizeof(*vmx->lists) > PAGE_SIZE);
	vmx->lists = (void *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	if (!vmx->lists)
		goto free_region;

	if (vmx_caps_pml()) {
		vmx->log = (void *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
		if (!vmx->log)
			goto free_lists;
	}

	if (vmx_apic_alloc(vmx))
		goto free_log;

	/* Without a tag a vCPU's translations do not outlive an exit: slow, but right. */
	if (vmx_caps_vpid())
		vpid = ida_alloc_range(&vmcs_vpids, 1, VMX_NR_VPIDS - 1, GFP_KERNEL_ACCOUNT);
	vmx->vpid = vpid < 0 ? 0 : vpid;
	vmx->vmcs.vcpu = &vmx->vcpu;
	vmx->vmcs.cpu = -1;
	return 0;

free_log:
	free_page((unsigned long)vmx->log);
free_lists:
	free_page((unsigned long)vmx->lists);
free_region:
	free_page((unsigned long)vmx->vmcs.region);
	return -ENOMEM;
}

/* The VMCS is loaded nowhere. */
void vmx_vmcs_free(struct vmx_vcpu *vmx)
{
	if (vmx->vpid)
		ida_free(&vmcs_vpids, vmx->vpid);
	free_page((unsigned long)vmx->apic);
	free_page((unsigned long)vmx->log);
	free_page((unsigned long)vmx->lists);
	free_page((unsigned long)vmx->vmcs.region);
}

/* The guest's CR8 is the shadowed TPR, or each access of it is an exit. */
u32 vmx_vmcs_cpu_controls(const struct vmx_vcpu *vmx)
{
	u32 cr8 = CPU_BASED_CR8_LOAD_EXITING | CPU_BASED_CR8_STORE_EXITING;
	u32 never = vmx->apic ? cr8 : CPU_BASED_TPR_SHADOW;

	if (vmx->vcpu.vm->pause_window != 1)
		never |= CPU_BASED_PAUSE_EXITING;
	return vmx_caps_controls(CAPS_CPU) & ~never;
}

/* The VMCS is current: X86_ST_CONTROLS.  Instructions that the guest's CPUID lacks are #UD. */
void vmx_vmcs_set_features(struct vmx_vcpu *vmx)
{
	const struct mkvm_vcpu *vcpu = &vmx->vcpu;
	u32 cpu2 = vmx_caps_controls(CAPS_CPU2);
	void *msrs = vmcs_msr_bitmap;

	if (!vmx->vpid)
		cpu2 &= ~SECONDARY_EXEC_ENABLE_VPID;
	if (!x86_has(vcpu, FEAT_RDTSCP) && !x86_has(vcpu, FEAT_RDPID))
		cpu2 &= ~SECONDARY_EXEC_ENABLE_RDTSCP;
	/* By shadow tables the processor knows no PCIDs: x86_exit_guest_ud(). */
	if (!x86_has(vcpu, FEAT_INVPCID) || vmx->shadowed)
		cpu2 &= ~SECONDARY_EXEC_ENABLE_INVPCID;
	if (!x86_has(vcpu, FEAT_XSAVES))
		cpu2 &= ~VMX_EXEC2_XSAVES;
	if (x86_has(vcpu, FEAT_RDRAND))
		cpu2 &= ~SECONDARY_EXEC_RDRAND_EXITING;
	if (x86_has(vcpu, FEAT_RDSEED))
		cpu2 &= ~SECONDARY_EXEC_RDSEED_EXITING;
	if (vcpu->vm->pause_window < 2)
		cpu2 &= ~SECONDARY_EXEC_PAUSE_LOOP_EXITING;
	if (vmx->shadowed)
		cpu2 &= ~(SECONDARY_EXEC_ENABLE_EPT | SECONDARY_EXEC_UNRESTRICTED_GUEST);
	if (vmx->listing)
		cpu2 |= SECONDARY_EXEC_ENABLE_PML;
	cpu2 |= vmx->apic_controls;
	vmcs_write(SECONDARY_VM_EXEC_CONTROL, cpu2);
	vmx->cpu2_controls = cpu2;
	if (vcpu->x86.msrs_closed)
		msrs = vmcs_msr_closed;
	else if (vmx->apic_controls & SECONDARY_EXEC_VIRTUALIZE_X2APIC_MODE)
		msrs = vmcs_msr_x2apic;
	vmcs_write(MSR_BITMAP, __pa(msrs));
}

/*
 * What differs between a guest whose tables the processor walks with EPT behind them, and one that
 * has shadow tables instead: page faults exit, memory is the host's first type, and the guest
 * cannot change how tables are walked.  CR3 is run.c's.
 */
void vmx_vmcs_set_tables(struct vmx_vcpu *vmx)
{
	u32 exceptions = vmcs_read32(EXCEPTION_BITMAP) & ~BIT(X86_TRAP_PF);
	u64 pat = vmx->vcpu.x86.pat;

	if (vmx->shadowed) {
		exceptions |= BIT(X86_TRAP_PF);
		rdmsrl(MSR_IA32_CR_PAT, pat);
	}
	vmcs_write(EXCEPTION_BITMAP, exceptions);
	vmcs_write(GUEST_IA32_PAT, pat);
	vmcs_write(CR0_GUEST_HOST_MASK, ~vmx_cr0_guest_owned(vmx));
	vmcs_write(CR4_GUEST_HOST_MASK, ~vmx_cr4_guest_owned(vmx));
	vmx_vmcs_set_features(vmx);
}

static void vmcs_set_controls(struct vmx_vcpu *vmx)
{
	if (vmx->vpid)
		vmcs_write(VIRTUAL_PROCESSOR_ID, vmx->vpid);
	if (vmx_caps_encls_exiting())
		vmcs_write(ENCLS_EXITING_BITMAP, ~0ULL);
	/* Guests have no supervisor states: XSS is 0. */
	if (vmx_caps_xsaves())
		vmcs_write(XSS_EXIT_BITMAP, 0);

	if (vmx_caps_pause_loop_exiting()) {
		vmcs_write(PLE_GAP, vmx->vcpu.vm->pause_gap);
		vmcs_write(PLE_WINDOW, vmx->vcpu.vm->pause_window);
	}

	vmx->entry_controls = vmx_caps_controls(CAPS_ENTRY);
	vmcs_write(PIN_BASED_VM_EXEC_CONTROL, vmx_caps_controls(CAPS_PIN));
	vmx->cpu_controls = vmx_vmcs_cpu_controls(vmx);
	vmcs_write(CPU_BASED_VM_EXEC_CONTROL, vmx->cpu_controls);
	vmcs_write(VM_EXIT_CONTROLS, vmx_caps_controls(CAPS_EXIT));
	vmcs_write(VM_ENTRY_CONTROLS, vmx->entry_controls);

	vmcs_write(EXCEPTION_BITMAP,
		   BIT(X86_TRAP_DB) | BIT(X86_TRAP_UD) | BIT(X86_TRAP_AC) | BIT(X86_TRAP_MC));
	vmcs_write(PAGE_FAULT_ERROR_CODE_MASK, 0);
	vmcs_write(PAGE_FAULT_ERROR_CODE_MATCH, 0);
	vmcs_write(CR3_TARGET_COUNT, 0);
	vmx->shadowed = false;
	vmx_vmcs_set_tables(vmx);

	vmx_apic_configure(vmx);
	if (vmx->log) {
		vmcs_write(PML_ADDRESS, __pa(vmx->log));
		vmcs_write(GUEST_PML_INDEX, VMX_LOG_ENTRIES - 1);
	}
	vmcs_write(VM_EXIT_MSR_STORE_COUNT, 0);
	vmcs_write(VM_EXIT_MSR_LOAD_COUNT, 0);
	vmcs_write(VM_EXIT_MSR_LOAD_ADDR, __pa(vmx->lists->host));
	vmcs_write(VM_ENTRY_MSR_LOAD_COUNT, 0);
	vmcs_write(VM_ENTRY_MSR_LOAD_ADDR, __pa(vmx->lists->guest));
	vmcs_write(VMCS_LINK_POINTER, ~0ULL);
	vmcs_write(GUEST_IA32_DEBUGCTL, 0);
}

/*
 * The host's state that is the same at all times and on all processors.  User selectors are not:
 * they cannot stand here at all, and vmx_host_restore() puts them back.
 */
static void vmcs_set_host(void)
{
	struct desc_ptr idt;
	u64 msr;

	vmcs_write(HOST_CR0, read_cr0() & ~X86_CR0_TS);
	vmcs_write(HOST_CS_SELECTOR, __KERNEL_CS);
	vmcs_write(HOST_SS_SELECTOR, __KERNEL_DS);
	vmcs_write(HOST_DS_SELECTOR, 0);
	vmcs_write(HOST_ES_SELECTOR, 0);
	vmcs_write(HOST_FS_SELECTOR, 0);
	vmcs_write(HOST_GS_SELECTOR, 0);
	vmcs_write(HOST_TR_SELECTOR, GDT_ENTRY_TSS * 8);

	store_idt(&idt);
	vmcs_write(HOST_IDTR_BASE, idt.address);
	vmcs_write(HOST_RIP, (unsigned long)vmx_vmexit);

	rdmsrl(MSR_IA32_SYSENTER_CS, msr);
	vmcs_write(HOST_IA32_SYSENTER_CS, msr);
	rdmsrl(MSR_IA32_SYSENTER_EIP, msr);
	vmcs_write(HOST_IA32_SYSENTER_EIP, msr);
	rdmsrl(MSR_IA32_CR_PAT, msr);
	vmcs_write(HOST_IA32_PAT, msr);
	rdmsrl(MSR_EFER, msr);
	vmcs_write(HOST_IA32_EFER, msr);
}

/* The VMCS is current, for the first time. */
void vmx_vmcs_configure(struct vmx_vcpu *vmx)
{
	vmcs_set_controls(vmx);
	vmcs_set_host();
	vmx->eptp = 0;
	vmx->host_cr3 = 0;
	vmx->host_cr4 = 0;
	vmx->host_rsp = 0;
	vmx->host_fs_base = 0;
	vmx->nr_switched = 0;
	vmcs_write(HOST_FS_BASE, 0);
	vmx->reset = true;
	vmx->configured = true;
}

/* The VMCS is current, and was loaded on another processor before. */
void vmx_vmcs_set_host_cpu(struct vmx_vcpu *vmx)
{
	int cpu = smp_processor_id();
	u64 msr;

	vmcs_write(HOST_TR_BASE, (unsigned long)&get_cpu_entry_area(cpu)->tss.x86_tss);
	vmcs_write(HOST_GDTR_BASE, (unsigned long)get_cpu_gdt_ro(cpu));
	rdmsrl(MSR_GS_BASE, msr);
	vmcs_write(HOST_GS_BASE, msr);
	rdmsrl(MSR_IA32_SYSENTER_ESP, msr);
	vmcs_write(HOST_IA32_SYSENTER_ESP, msr);
}

/* Fields of the guest's state that no group holds, as after a reset. */
void vmx_vmcs_reset(struct vmx_vcpu *vmx)
{
	vmcs_write(GUEST_ACTIVITY_STATE, GUEST_ACTIVITY_ACTIVE);
	vmcs_write(GUEST_PENDING_DBG_EXCEPTIONS, 0);
	vmcs_write(VM_ENTRY_INTR_INFO_FIELD, 0);
	vmx->reset = false;
}
