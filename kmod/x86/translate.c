// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM_TRANSLATE: where a linear address of the guest is, by its tables as they are now.
 */
#include <linux/kvm.h>
#include "mmu/mmu.h"
#include "x86/x86.h"

/*
 * As KVM: permissions are not looked at, and what they are is not told.  The vCPU is loaded and its
 * caller in the VM's process.  May sleep.
 */
int x86_translate(struct mkvm_vcpu *vcpu, struct kvm_translation *translation)
{
	struct gpt_root root;
	gpa_t gpa;
	int idx;

	x86_fetch(vcpu, X86_ST_CRS | X86_ST_RFLAGS);
	root = x86_gpt_root(vcpu);
	idx = srcu_read_lock(&vcpu->vm->slots.srcu);
	gpa = gpt_translate(&vcpu->vm->slots, &root, translation->linear_address, true);
	srcu_read_unlock(&vcpu->vm->slots.srcu, idx);
	translation->physical_address = gpa;
	translation->valid = gpa != GPA_NONE;
	translation->writeable = 1;
	translation->usermode = 0;
	return 0;
}
