// SPDX-License-Identifier: GPL-2.0-only
/*
 * The ioctls of a vCPU, and the pages that it shares with user space.
 */
#include <linux/fs.h>
#include <linux/mkvm.h>
#include <linux/mkvm_kvm.h>
#include <linux/nospec.h>
#include <linux/uaccess.h>
#include "ioctl.h"
#include "irqchip/lapic.h"
#include "mkvm.h"
#include "x86/x86.h"

static long vcpu_run(void *obj, void *data, unsigned long arg)
{
	return mkvm_vcpu_run(obj);
}

static long vcpu_get_regs(void *obj, void *data, unsigned long arg)
{
	x86_get_regs(obj, data);
	return 0;
}

static long vcpu_set_regs(void *obj, void *data, unsigned long arg)
{
	x86_put_regs(obj, data);
	return 0;
}

static long vcpu_get_sregs(void *obj, void *data, unsigned long arg)
{
	x86_get_sregs(obj, data);
	return 0;
}

static long vcpu_set_sregs(void *obj, void *data, unsigned long arg)
{
	return x86_put_sregs(obj, data);
}

static long vcpu_set_cpuid(void *obj, void *data, unsigned long arg)
{
	const struct kvm_cpuid __user *user = (void __user *)arg;

	return x86_cpuid_set_old(obj, data, user->entries);
}

static long vcpu_set_cpuid2(void *obj, void *data, unsigned long arg)
{
	const struct kvm_cpuid2 __user *user = (void __user *)arg;

	return x86_cpuid_set(obj, data, user->entries);
}

static long vcpu_get_cpuid2(void *obj, void *data, unsigned long arg)
{
	struct kvm_cpuid2 __user *user = (void __user *)arg;

	return x86_cpuid_get(obj, data, user->entries);
}

static long vcpu_get_msrs(void *obj, void *data, unsigned long arg)
{
	struct kvm_msrs __user *user = (void __user *)arg;

	return x86_msr_get(obj, data, user->entries);
}

static long vcpu_set_msrs(void *obj, void *data, unsigned long arg)
{
	struct kvm_msrs __user *user = (void __user *)arg;

	return x86_msr_set(obj, data, user->entries);
}

static long vcpu_setup_mce(void *obj, void *data, unsigned long arg)
{
	return x86_mce_setup(obj, *(u64 *)data);
}

static long vcpu_set_mce(void *obj, void *data, unsigned long arg)
{
	return x86_mce_raise(obj, data);
}

static long vcpu_get_sregs2(void *obj, void *data, unsigned long arg)
{
	return x86_get_sregs2(obj, data);
}

static long vcpu_set_sregs2(void *obj, void *data, unsigned long arg)
{
	return x86_put_sregs2(obj, data);
}

static long vcpu_get_fpu(void *obj, void *data, unsigned long arg)
{
	return x86_get_fpu(obj, data);
}

static long vcpu_set_fpu(void *obj, void *data, unsigned long arg)
{
	return x86_set_fpu(obj, data);
}

static long vcpu_get_xcrs(void *obj, void *data, unsigned long arg)
{
	return x86_get_xcrs(obj, data);
}

static long vcpu_set_xcrs(void *obj, void *data, unsigned long arg)
{
	return x86_set_xcrs(obj, data);
}

static long vcpu_get_debugregs(void *obj, void *data, unsigned long arg)
{
	return x86_get_debugregs(obj, data);
}

static long vcpu_set_debugregs(void *obj, void *data, unsigned long arg)
{
	return x86_set_debugregs(obj, data);
}

static long vcpu_get_events(void *obj, void *data, unsigned long arg)
{
	return x86_get_vcpu_events(obj, data);
}

static long vcpu_set_events(void *obj, void *data, unsigned long arg)
{
	return x86_set_vcpu_events(obj, data);
}

static long vcpu_get_mp_state(void *obj, void *data, unsigned long arg)
{
	return x86_get_mp_state(obj, data);
}

static long vcpu_set_mp_state(void *obj, void *data, unsigned long arg)
{
	return x86_put_mp_state(obj, data);
}

static long vcpu_set_guest_debug(void *obj, void *data, unsigned long arg)
{
	return x86_set_guest_debug(obj, data);
}

static long vcpu_translate(void *obj, void *data, unsigned long arg)
{
	return x86_translate(obj, data);
}

static long vcpu_get_xsave(void *obj, void *data, unsigned long arg)
{
	return x86_get_xsave(obj, (void __user *)arg);
}

static long vcpu_get_xsave2(void *obj, void *data, unsigned long arg)
{
	return x86_get_xsave2(obj, (void __user *)arg);
}

static long vcpu_set_xsave(void *obj, void *data, unsigned long arg)
{
	return x86_set_xsave(obj, (void __user *)arg);
}

static long vcpu_set_signal_mask(void *obj, void *data, unsigned long arg)
{
	return mkvm_signal_mask_set(obj, arg);
}

/* With local APICs in the kernel it is an interrupt of user space's 8259 pair. */
static long vcpu_interrupt(void *obj, void *data, unsigned long arg)
{
	const struct kvm_interrupt *interrupt = data;
	struct mkvm_vcpu *vcpu = obj;

	if (interrupt->irq >= KVM_NR_INTERRUPTS)
		return -EINVAL;
	if (!vcpu->lapic) {
		x86_raise_interrupt(vcpu, interrupt->irq);
		return 0;
	}
	if (irqchip_mode(&vcpu->vm->irqchip) == IRQCHIP_KERNEL)
		return -ENXIO;
	if (vcpu->lapic->external >= 0)
		return -EEXIST;
	vcpu->lapic->external = interrupt->irq;
	return 0;
}

static long vcpu_get_lapic(void *obj, void *data, unsigned long arg)
{
	return lapic_get(obj, data);
}

static long vcpu_set_lapic(void *obj, void *data, unsigned long arg)
{
	return lapic_put(obj, data);
}

static long vcpu_nmi(void *obj, void *data, unsigned long arg)
{
	x86_raise_nmi(obj, 1);
	return 0;
}

static long vcpu_set_tsc_khz(void *obj, void *data, unsigned long arg)
{
	return x86_tsc_set_khz(obj, arg);
}

static long vcpu_get_tsc_khz(void *obj, void *data, unsigned long arg)
{
	const struct mkvm_vcpu *vcpu = obj;

	return vcpu->x86.tsc_khz;
}

static long vcpu_kvmclock_ctrl(void *obj, void *data, unsigned long arg)
{
	return x86_kvmclock_stopped(obj);
}

static long vcpu_enable_cap(void *obj, void *data, unsigned long arg)
{
	return mkvm_cap_enable_vcpu(obj, data);
}

static long vcpu_prefault(void *obj, void *data, unsigned long arg)
{
	return mkvm_prefault(obj, data);
}

/* Reasons that occurred, in ascending order; at most @room are written.  How many there are. */
static int counts_reasons(const struct mkvm_vcpu *vcpu, struct mkvm_counts *counts, u32 room)
{
	struct mkvm_exit_count __user *user = u64_to_user_ptr(counts->reasons);
	u32 i, nr = 0;

	for (i = 0; i < MKVM_NR_REASONS; i++) {
		struct mkvm_exit_count row = {
			.reason = mkvm_vendor->index_reason(i),
			.count = READ_ONCE(vcpu->counts.exits[i]),
		};

		if (!row.count)
			continue;
		counts->exits += row.count;
		if (room && copy_to_user(user + nr, &row, sizeof(row)))
			return -EFAULT;
		if (room)
			room--;
		nr++;
	}
	return nr;
}

static long vcpu_get_counts(void *obj, void *data, unsigned long arg)
{
	const struct mkvm_vcpu *vcpu = obj;
	struct mkvm_counts *counts = data;
	u32 i, room = counts->nr_reasons;
	int nr;

	if (counts->flags || counts->pad)
		return -EINVAL;
	counts->vendor = mkvm_vendor->vendor;
	counts->entries = READ_ONCE(vcpu->counts.entries);
	counts->mmu_exits = 0;
	memset(counts->causes, 0, sizeof(counts->causes));
	for (i = 0; i < MKVM_NR_CAUSES; i++) {
		counts->causes[i] = READ_ONCE(vcpu->counts.causes[i]);
		counts->mmu_exits += counts->causes[i];
	}
	counts->exits = 0;
	nr = counts_reasons(vcpu, counts, 0);
	counts->nr_reasons = nr;
	if (nr > room)
		return -E2BIG;
	counts->exits = 0;
	nr = counts_reasons(vcpu, counts, room);
	if (nr < 0)
		return nr;
	counts->nr_reasons = min_t(u32, nr, room);
	return 0;
}

static long vcpu_stats_fd(void *obj, void *data, unsigned long arg)
{
	struct mkvm_vcpu *vcpu = obj;

	return mkvm_stats_fd(vcpu->vm, vcpu);
}

static const struct ioctl_row vcpu_rows[] = {
	{ KVM_RUN, ROW_NO_ARG, vcpu_run },
	{ KVM_GET_REGS, ROW_LOADED, vcpu_get_regs },
	{ KVM_SET_REGS, ROW_LOADED, vcpu_set_regs },
	{ KVM_GET_SREGS, ROW_LOADED, vcpu_get_sregs },
	{ KVM_SET_SREGS, ROW_LOADED, vcpu_set_sregs },
	{ KVM_SET_CPUID, 0, vcpu_set_cpuid },
	{ KVM_SET_CPUID2, 0, vcpu_set_cpuid2 },
	{ KVM_GET_CPUID2, 0, vcpu_get_cpuid2 },
	{ KVM_GET_MSRS, ROW_LOADED, vcpu_get_msrs },
	{ KVM_SET_MSRS, ROW_LOADED, vcpu_set_msrs },
	{ KVM_X86_SETUP_MCE, 0, vcpu_setup_mce },
	{ KVM_X86_SET_MCE, ROW_LOADED, vcpu_set_mce },
	{ KVM_GET_STATS_FD, ROW_NO_MUTEX, vcpu_stats_fd },
	{ KVM_GET_SREGS2, ROW_LOADED, vcpu_get_sregs2 },
	{ KVM_SET_SREGS2, ROW_LOADED, vcpu_set_sregs2 },
	{ KVM_GET_FPU, 0, vcpu_get_fpu },
	{ KVM_SET_FPU, 0, vcpu_set_fpu },
	{ KVM_GET_XSAVE, ROW_RAW, vcpu_get_xsave },
	{ KVM_GET_XSAVE2, ROW_RAW, vcpu_get_xsave2 },
	{ KVM_SET_XSAVE, ROW_RAW, vcpu_set_xsave },
	{ KVM_GET_XCRS, 0, vcpu_get_xcrs },
	{ KVM_SET_XCRS, ROW_LOADED, vcpu_set_xcrs },
	{ KVM_GET_DEBUGREGS, ROW_LOADED, vcpu_get_debugregs },
	{ KVM_SET_DEBUGREGS, ROW_LOADED, vcpu_set_debugregs },
	{ KVM_GET_VCPU_EVENTS, ROW_LOADED, vcpu_get_events },
	{ KVM_SET_VCPU_EVENTS, ROW_LOADED, vcpu_set_events },
	{ KVM_GET_MP_STATE, ROW_LOADED, vcpu_get_mp_state },
	{ KVM_SET_MP_STATE, 0, vcpu_set_mp_state },
	{ KVM_INTERRUPT, ROW_LOADED, vcpu_interrupt },
	{ KVM_NMI, ROW_LOADED, vcpu_nmi },
	{ KVM_GET_LAPIC, ROW_LOADED, vcpu_get_lapic },
	{ KVM_SET_LAPIC, ROW_LOADED, vcpu_set_lapic },
	{ KVM_SET_GUEST_DEBUG, ROW_LOADED, vcpu_set_guest_debug },
	{ KVM_TRANSLATE, ROW_LOADED, vcpu_translate },
	{ KVM_SET_SIGNAL_MASK, ROW_RAW, vcpu_set_signal_mask },
	{ KVM_SET_TSC_KHZ, 0, vcpu_set_tsc_khz },
	{ KVM_GET_TSC_KHZ, 0, vcpu_get_tsc_khz },
	{ KVM_KVMCLOCK_CTRL, 0, vcpu_kvmclock_ctrl },
	{ KVM_ENABLE_CAP, 0, vcpu_enable_cap },
	{ KVM_PRE_FAULT_MEMORY, ROW_OUT_ON_ERROR, vcpu_prefault },
	{ MKVM_GET_COUNTS, ROW_NO_MUTEX | ROW_OUT_ON_ERROR, vcpu_get_counts },
};

static long vcpu_row_call(const struct ioctl_row *row, struct mkvm_vcpu *vcpu, unsigned long arg)
{
	long r;

	if (row->flags & ROW_NO_MUTEX)
		return ioctl_call(row, vcpu, arg);
	if (mutex_lock_killable(&vcpu->mutex))
		return -EINTR;
	if (row->flags & ROW_LOADED)
		mkvm_vcpu_load(vcpu);
	r = ioctl_call(row, vcpu, arg);
	if (row->flags & ROW_LOADED)
		mkvm_vcpu_put(vcpu);
	mutex_unlock(&vcpu->mutex);
	return r;
}

static long vcpu_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct mkvm_vcpu *vcpu = file->private_data;
	const struct ioctl_row *row = ioctl_find(vcpu_rows, ARRAY_SIZE(vcpu_rows), cmd);

	if (!mkvm_vm_usable(vcpu->vm))
		return -EIO;
	return row ? vcpu_row_call(row, vcpu, arg) : -ENOTTY;
}

static vm_fault_t vcpu_page_fault(struct vm_fault *vmf)
{
	struct mkvm_vcpu *vcpu = vmf->vma->vm_file->private_data;

	if (vmf->pgoff < MKVM_VCPU_PAGES)
		vmf->page = vcpu->pages[array_index_nospec(vmf->pgoff, MKVM_VCPU_PAGES)];
	else if (vmf->pgoff == MKVM_COALESCED_PAGE)
		vmf->page = vcpu->vm->coalesced.page;
	else
		return VM_FAULT_SIGBUS;
	get_page(vmf->page);
	return 0;
}

static const struct vm_operations_struct vcpu_vm_ops = {
	.fault = vcpu_page_fault,
};

static int vcpu_mmap(struct file *file, struct vm_area_struct *vma)
{
	vma->vm_ops = &vcpu_vm_ops;
	return 0;
}

static int vcpu_release(struct inode *inode, struct file *file)
{
	struct mkvm_vcpu *vcpu = file->private_data;

	mkvm_vm_put(vcpu->vm);
	return 0;
}

const struct file_operations mkvm_vcpu_fops = {
	.owner = THIS_MODULE,
	.release = vcpu_release,
	.unlocked_ioctl = vcpu_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.mmap = vcpu_mmap,
	.llseek = noop_llseek,
};
