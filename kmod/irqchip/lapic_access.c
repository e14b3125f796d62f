// SPDX-License-Identifier: GPL-2.0-only
/*
 * The page by which a processor knows accesses of a local APIC's registers in xAPIC mode (SDM
 * volume 3, "APIC-access page").
 *
 * All local APICs have their registers at one address, so that one page of the second table is
 * enough for a VM; whose registers an access reaches follows from who makes it.  No access reaches
 * the page itself: a vCPU that does not have its local APIC there has each access as an exit.  In
 * x2APIC mode a processor cannot do that.
 *
 * So the page goes for good, and accesses become exits as where no memory is, as soon as a vCPU has
 * its registers elsewhere or goes over to x2APIC mode, or user space puts a slot there.
 */
#include <linux/gfp.h>
#include <asm/apicdef.h>
#include <asm/msr-index.h>
#include "irqchip/lapic.h"

/* The caller holds vm->lock; no vCPU has run yet.  A VM with shadow tables has none.  0, -ENOMEM */
int lapic_access_create(struct mkvm *vm)
{
	struct page *page;

	lockdep_assert_held(&vm->lock);
	if (vm->irqchip.access || mkvm_vm_has_vcpus(vm) || vm->mmu_kind != MMU_TDP)
		return 0;
	page = alloc_page(GFP_KERNEL_ACCOUNT | __GFP_ZERO);
	if (!page)
		return -ENOMEM;
	vm->irqchip.access = page;
	mmu_own_page_set(&vm->mmu, gpa_to_gfn(APIC_DEFAULT_PHYS_BASE), page_to_pfn(page));
	return 0;
}

/* No vCPU is left. */
void lapic_access_destroy(struct mkvm *vm)
{
	if (vm->irqchip.access)
		__free_page(vm->irqchip.access);
}

/* The APIC base of @vcpu has changed.  Its owner. */
void lapic_access_follow(struct mkvm_vcpu *vcpu)
{
	u64 base = vcpu->x86.apic_base;

	if (!(base & MSR_IA32_APICBASE_ENABLE))
		return;
	if (base & X2APIC_ENABLE || (base & PAGE_MASK) != APIC_DEFAULT_PHYS_BASE)
		mmu_own_page_remove(&vcpu->vm->mmu);
}

/* Does an access of the registers of @vcpu, in xAPIC mode, lead to the page?  Its owner. */
bool lapic_access_is_on(const struct mkvm_vcpu *vcpu)
{
	return lapic_present(vcpu->lapic) && mmu_own_page_is_on(&vcpu->vm->mmu);
}
