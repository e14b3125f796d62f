// SPDX-License-Identifier: GPL-2.0-only
/*
 * The FPU and the extended states of the guest, as user space reads and writes them.
 *
 * They are kept by the kernel in a layout of its own; its exported functions turn that into the
 * layout of XSAVE and back, so that states which are in their initial configuration read as such.
 * The vCPU is not in KVM_RUN, so the kernel's copy is current.
 */
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>
#include <asm/cpufeature.h>
#include <asm/fpu/api.h>
#include <asm/fpu/xcr.h>
#include <asm/processor.h>
#include "x86/x86.h"

/* KVM_CAP_XSAVE2: none of the states that are offered reaches beyond these bytes. */
long x86_xsave_size(void)
{
	return sizeof(struct kvm_xsave);
}

/* Without XSAVE the FPU and SSE can be read and written all the same. */
static u64 xstate_mask(const struct mkvm_vcpu *vcpu)
{
	return x86_xcr0_offered(vcpu) | XFEATURE_MASK_FPSSE;
}

/* All of the guest's states in XSAVE's layout, for the caller to free.  May sleep.  Or NULL. */
static union fpregs_state *xstate_read(struct mkvm_vcpu *vcpu, size_t *size)
{
	struct fpu_guest *fpu = &vcpu->x86.fpu;
	void *state;

	*size = max_t(size_t, fpu->uabi_size, sizeof(struct kvm_xsave));
	state = kvzalloc(*size, GFP_KERNEL_ACCOUNT);
	if (state)
		fpu_copy_guest_fpstate_to_uabi(fpu, state, *size, xstate_mask(vcpu), 0);
	return state;
}

static int xstate_write(struct mkvm_vcpu *vcpu, const union fpregs_state *state)
{
	u64 offered = x86_cpuid_offered_xcr0() | XFEATURE_MASK_FPSSE;
	u32 pkru = 0; /* guests have none */

	return fpu_copy_uabi_to_guest_fpstate(&vcpu->x86.fpu, state, offered, &pkru);
}

/* KVM_GET_FPU.  The field mxcsr is 0, as KVM leaves it.  0 or -ENOMEM. */
int x86_get_fpu(struct mkvm_vcpu *vcpu, struct kvm_fpu *fpu)
{
	union fpregs_state *state;
	size_t size;

	state = xstate_read(vcpu, &size);
	if (!state)
		return -ENOMEM;
	memset(fpu, 0, sizeof(*fpu));
	memcpy(fpu->fpr, state->fxsave.st_space, sizeof(fpu->fpr));
	fpu->fcw = state->fxsave.cwd;
	fpu->fsw = state->fxsave.swd;
	fpu->ftwx = state->fxsave.twd;
	fpu->last_opcode = state->fxsave.fop;
	fpu->last_ip = state->fxsave.rip;
	fpu->last_dp = state->fxsave.rdp;
	memcpy(fpu->xmm, state->fxsave.xmm_space, sizeof(fpu->xmm));
	kvfree(state);
	return 0;
}

/* KVM_SET_FPU.  The field mxcsr is not looked at, as by KVM.  0 or -ENOMEM. */
int x86_set_fpu(struct mkvm_vcpu *vcpu, const struct kvm_fpu *fpu)
{
	union fpregs_state *state;
	size_t size;
	int r;

	state = xstate_read(vcpu, &size);
	if (!state)
		return -ENOMEM;
	memcpy(state->fxsave.st_space, fpu->fpr, sizeof(fpu->fpr));
	state->fxsave.cwd = fpu->fcw;
	state->fxsave.swd = fpu->fsw;
	state->fxsave.twd = fpu->ftwx;
	state->fxsave.fop = fpu->last_opcode;
	state->fxsave.rip = fpu->last_ip;
	state->fxsave.rdp = fpu->last_dp;
	memcpy(state->fxsave.xmm_space, fpu->xmm, sizeof(fpu->xmm));
	state->xsave.header.xfeatures |= XFEATURE_MASK_FPSSE;
	r = xstate_write(vcpu, state);
	kvfree(state);
	return r;
}

/* KVM_GET_XSAVE2: as many bytes as the host's states take, 4096 at least. */
int x86_get_xsave2(struct mkvm_vcpu *vcpu, void __user *user)
{
	union fpregs_state *state;
	size_t size;
	int r = 0;

	state = xstate_read(vcpu, &size);
	if (!state)
		return -ENOMEM;
	if (copy_to_user(user, state, size))
		r = -EFAULT;
	kvfree(state);
	return r;
}

/* KVM_GET_XSAVE: -EINVAL where 4096 bytes are not enough. */
int x86_get_xsave(struct mkvm_vcpu *vcpu, void __user *user)
{
	if (vcpu->x86.fpu.uabi_size > sizeof(struct kvm_xsave))
		return -EINVAL;
	return x86_get_xsave2(vcpu, user);
}

/*
 * KVM_SET_XSAVE.  0; -EINVAL: a state that no guest can have, or reserved bits of MXCSR or of
 * the header; -EFAULT, -ENOMEM.  Nothing has changed then.
 */
int x86_set_xsave(struct mkvm_vcpu *vcpu, void __user *user)
{
	size_t size = max_t(size_t, vcpu->x86.fpu.uabi_size, sizeof(struct kvm_xsave));
	union fpregs_state *state = kvmalloc(size, GFP_KERNEL_ACCOUNT);
	int r = -EFAULT;

	if (!state)
		return -ENOMEM;
	if (!copy_from_user(state, user, size))
		r = xstate_write(vcpu, state);
	kvfree(state);
	return r;
}

/* KVM_GET_XCRS */
int x86_get_xcrs(struct mkvm_vcpu *vcpu, struct kvm_xcrs *xcrs)
{
	memset(xcrs, 0, sizeof(*xcrs));
	if (!boot_cpu_has(X86_FEATURE_XSAVE))
		return 0;
	xcrs->nr_xcrs = 1;
	xcrs->xcrs[0].xcr = XCR_XFEATURE_ENABLED_MASK;
	xcrs->xcrs[0].value = vcpu->x86.xcr0;
	return 0;
}

/* KVM_SET_XCRS: XCR0, wherever it stands; others are not looked at.  0 or -EINVAL. */
int x86_set_xcrs(struct mkvm_vcpu *vcpu, const struct kvm_xcrs *xcrs)
{
	u32 i;

	if (!boot_cpu_has(X86_FEATURE_XSAVE) || xcrs->nr_xcrs > KVM_MAX_XCRS || xcrs->flags)
		return -EINVAL;
	for (i = 0; i < xcrs->nr_xcrs; i++)
		if (xcrs->xcrs[i].xcr == XCR_XFEATURE_ENABLED_MASK)
			return x86_set_xcr0(vcpu, xcrs->xcrs[i].value);
	return 0;
}
