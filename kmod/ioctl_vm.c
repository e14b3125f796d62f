// SPDX-License-Identifier: GPL-2.0-only
/*
 * The ioctls of a VM.
 */
#include <linux/fs.h>
#include <linux/mkvm_kvm.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>
#include "ioctl.h"
#include "mkvm.h"
#include "x86/x86.h"

/* The first structure is the beginning of the second, which knows the same flags here. */
static long vm_set_memory_region(void *obj, void *data, unsigned long arg)
{
	struct kvm_userspace_memory_region2 region = {};
	struct mkvm *vm = obj;

	memcpy(&region, data, sizeof(struct kvm_userspace_memory_region));
	return memslot_set(&vm->slots, &vm->mmu, &region);
}

static long vm_set_memory_region2(void *obj, void *data, unsigned long arg)
{
	struct mkvm *vm = obj;

	return memslot_set(&vm->slots, &vm->mmu, data);
}

static long vm_get_dirty_log(void *obj, void *data, unsigned long arg)
{
	struct mkvm *vm = obj;

	return dirty_log_get(&vm->slots, &vm->mmu, data);
}

/* The ioctl's number promises an answer, but nothing is written back. */
static long vm_clear_dirty_log(void *obj, void *data, unsigned long arg)
{
	struct kvm_clear_dirty_log log;
	struct mkvm *vm = obj;

	if (copy_from_user(&log, (void __user *)arg, sizeof(log)))
		return -EFAULT;
	return dirty_log_clear(&vm->slots, &vm->mmu, &log);
}

static long vm_create_vcpu(void *obj, void *data, unsigned long arg)
{
	return arg > U32_MAX ? -EINVAL : mkvm_vcpu_create(obj, arg);
}

static long vm_check_extension(void *obj, void *data, unsigned long arg)
{
	return mkvm_cap(arg);
}

static long vm_enable_cap(void *obj, void *data, unsigned long arg)
{
	return mkvm_cap_enable(obj, data);
}

static long vm_set_msr_filter(void *obj, void *data, unsigned long arg)
{
	return x86_msr_set_filter(obj, data);
}

static long vm_register_coalesced(void *obj, void *data, unsigned long arg)
{
	struct mkvm *vm = obj;

	return coalesced_register(&vm->coalesced, data);
}

static long vm_unregister_coalesced(void *obj, void *data, unsigned long arg)
{
	struct mkvm *vm = obj;

	return coalesced_unregister(&vm->coalesced, data);
}

/*
 * Three pages below 4 GiB that kvm needs on a processor which cannot run real mode as a guest.  No
 * processor that mkvm runs on needs them.
 */
static long vm_set_tss_addr(void *obj, void *data, unsigned long arg)
{
	return arg > (u32)(-3 * PAGE_SIZE) ? -EINVAL : 0;
}

/* As above, a page of tables.  KVM looks for vCPUs before it looks at the argument. */
static long vm_set_identity_map_addr(void *obj, void *data, unsigned long arg)
{
	struct mkvm *vm = obj;
	u64 addr;
	int r;

	mutex_lock(&vm->lock);
	if (mkvm_vm_has_vcpus(vm))
		r = -EINVAL;
	else
		r = copy_from_user(&addr, (void __user *)arg, sizeof(addr)) ? -EFAULT : 0;
	mutex_unlock(&vm->lock);
	return r;
}

static long vm_set_boot_cpu_id(void *obj, void *data, unsigned long arg)
{
	return mkvm_vm_set_boot_cpu(obj, arg);
}

/* A limit on the memory of page tables; the tables take what they need, and no call tells it. */
static long vm_set_nr_mmu_pages(void *obj, void *data, unsigned long arg)
{
	return arg < 64 ? -EINVAL : 0;
}

static long vm_stats_fd(void *obj, void *data, unsigned long arg)
{
	return mkvm_stats_fd(obj, NULL);
}

static long vm_get_tsc_khz(void *obj, void *data, unsigned long arg)
{
	const struct mkvm *vm = obj;

	return READ_ONCE(vm->tsc_khz);
}

static long vm_set_tsc_khz(void *obj, void *data, unsigned long arg)
{
	return x86_tsc_set_vm_khz(obj, arg);
}

static long vm_get_clock(void *obj, void *data, unsigned long arg)
{
	x86_kvmclock_get(obj, data);
	return 0;
}

static long vm_set_clock(void *obj, void *data, unsigned long arg)
{
	return x86_kvmclock_set(obj, data);
}

static long vm_create_irqchip(void *obj, void *data, unsigned long arg)
{
	return irqchip_create(obj);
}

static long vm_get_irqchip(void *obj, void *data, unsigned long arg)
{
	return irqchip_get(obj, data);
}

/* The ioctl's number says that it reads. */
static long vm_set_irqchip(void *obj, void *data, unsigned long arg)
{
	struct kvm_irqchip *state = memdup_user((void __user *)arg, sizeof(*state));
	int r;

	if (IS_ERR(state))
		return PTR_ERR(state);
	r = irqchip_put(obj, state);
	kfree(state);
	return r;
}

static long vm_irq_line(void *obj, void *data, unsigned long arg)
{
	struct kvm_irq_level *line = data;
	struct mkvm *vm = obj;

	if (irqchip_mode(&vm->irqchip) == IRQCHIP_NONE)
		return -ENXIO;
	line->status = irq_set_line(vm, IRQ_SOURCE_USER, line->irq, line->level);
	return 0;
}

static long vm_set_gsi_routing(void *obj, void *data, unsigned long arg)
{
	const struct kvm_irq_routing __user *user = (void __user *)arg;

	return irq_routes_set(obj, data, user->entries);
}

static long vm_signal_msi(void *obj, void *data, unsigned long arg)
{
	return irq_send_msi(obj, data);
}

static long vm_irqfd(void *obj, void *data, unsigned long arg)
{
	return irqfd_set(obj, data);
}

static long vm_ioeventfd(void *obj, void *data, unsigned long arg)
{
	return ioeventfd_set(obj, data);
}

/* 0; -EEXIST: there is one; -ENOENT: no interrupt controllers to be its; -ENOMEM. */
static int create_pit(struct mkvm *vm, const struct kvm_pit_config *config)
{
	int r = -EEXIST;

	mutex_lock(&vm->lock);
	if (irqchip_mode(&vm->irqchip) != IRQCHIP_KERNEL)
		r = -ENOENT;
	else if (!vm->irqchip.pit)
		r = pit_create(vm, config);
	mutex_unlock(&vm->lock);
	return r;
}

static long vm_create_pit(void *obj, void *data, unsigned long arg)
{
	const struct kvm_pit_config config = { .flags = KVM_PIT_SPEAKER_DUMMY };

	return create_pit(obj, &config);
}

static long vm_create_pit2(void *obj, void *data, unsigned long arg)
{
	return create_pit(obj, data);
}

static struct pit *vm_pit(struct mkvm *vm)
{
	return irqchip_pit(&vm->irqchip);
}

static long vm_get_pit2(void *obj, void *data, unsigned long arg)
{
	struct pit *pit = vm_pit(obj);

	if (!pit)
		return -ENXIO;
	pit_get(pit, data);
	return 0;
}

static long vm_set_pit2(void *obj, void *data, unsigned long arg)
{
	struct pit *pit = vm_pit(obj);

	if (!pit)
		return -ENXIO;
	pit_put(pit, data);
	return 0;
}

/* The older structure is the beginning of the other. */
static long vm_get_pit(void *obj, void *data, unsigned long arg)
{
	struct pit *pit = vm_pit(obj);
	struct kvm_pit_state2 state;

	if (!pit)
		return -ENXIO;
	pit_get(pit, &state);
	memcpy(data, &state, sizeof(struct kvm_pit_state));
	return 0;
}

static long vm_set_pit(void *obj, void *data, unsigned long arg)
{
	struct kvm_pit_state2 state = {};
	struct pit *pit = vm_pit(obj);

	if (copy_from_user(&state, (void __user *)arg, sizeof(struct kvm_pit_state)))
		return -EFAULT;
	if (!pit)
		return -ENXIO;
	pit_put(pit, &state);
	return 0;
}

static long vm_reinject_control(void *obj, void *data, unsigned long arg)
{
	struct kvm_reinject_control control;
	struct pit *pit = vm_pit(obj);

	if (copy_from_user(&control, (void __user *)arg, sizeof(control)))
		return -EFAULT;
	if (!pit)
		return -ENXIO;
	pit_set_reinject(pit, control.pit_reinject);
	return 0;
}

static long vm_set_mmu(void *obj, void *data, unsigned long arg)
{
	return mkvm_vm_move(obj, arg);
}

static const struct ioctl_row vm_rows[] = {
	{ KVM_CHECK_EXTENSION, 0, vm_check_extension },
	{ MKVM_SET_MMU, 0, vm_set_mmu },
	{ KVM_CREATE_VCPU, 0, vm_create_vcpu },
	{ KVM_ENABLE_CAP, 0, vm_enable_cap },
	{ KVM_X86_SET_MSR_FILTER, 0, vm_set_msr_filter },
	{ KVM_GET_TSC_KHZ, 0, vm_get_tsc_khz },
	{ KVM_SET_TSC_KHZ, 0, vm_set_tsc_khz },
	{ KVM_GET_CLOCK, 0, vm_get_clock },
	{ KVM_SET_CLOCK, 0, vm_set_clock },
	{ KVM_SET_USER_MEMORY_REGION, 0, vm_set_memory_region },
	{ KVM_SET_USER_MEMORY_REGION2, 0, vm_set_memory_region2 },
	{ KVM_GET_DIRTY_LOG, 0, vm_get_dirty_log },
	{ KVM_CLEAR_DIRTY_LOG, ROW_RAW, vm_clear_dirty_log },
	{ KVM_REGISTER_COALESCED_MMIO, 0, vm_register_coalesced },
	{ KVM_UNREGISTER_COALESCED_MMIO, 0, vm_unregister_coalesced },
	{ KVM_SET_TSS_ADDR, 0, vm_set_tss_addr },
	{ KVM_SET_IDENTITY_MAP_ADDR, ROW_RAW, vm_set_identity_map_addr },
	{ KVM_SET_BOOT_CPU_ID, 0, vm_set_boot_cpu_id },
	{ KVM_SET_NR_MMU_PAGES, 0, vm_set_nr_mmu_pages },
	{ KVM_GET_STATS_FD, 0, vm_stats_fd },
	{ KVM_CREATE_IRQCHIP, 0, vm_create_irqchip },
	{ KVM_GET_IRQCHIP, 0, vm_get_irqchip },
	{ KVM_SET_IRQCHIP, ROW_RAW, vm_set_irqchip },
	{ KVM_IRQ_LINE, 0, vm_irq_line },
	{ KVM_IRQ_LINE_STATUS, 0, vm_irq_line },
	{ KVM_SET_GSI_ROUTING, 0, vm_set_gsi_routing },
	{ KVM_SIGNAL_MSI, 0, vm_signal_msi },
	{ KVM_IRQFD, 0, vm_irqfd },
	{ KVM_IOEVENTFD, 0, vm_ioeventfd },
	{ KVM_CREATE_PIT, 0, vm_create_pit },
	{ KVM_CREATE_PIT2, 0, vm_create_pit2 },
	{ KVM_GET_PIT, 0, vm_get_pit },
	{ KVM_SET_PIT, ROW_RAW, vm_set_pit },
	{ KVM_GET_PIT2, 0, vm_get_pit2 },
	{ KVM_SET_PIT2, 0, vm_set_pit2 },
	{ KVM_REINJECT_CONTROL, ROW_RAW, vm_reinject_control },
};

static long vm_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	const struct ioctl_row *row = ioctl_find(vm_rows, ARRAY_SIZE(vm_rows), cmd);

	if (!mkvm_vm_usable(file->private_data))
		return -EIO;
	return row ? ioctl_call(row, file->private_data, arg) : -ENOTTY;
}

static int vm_release(struct inode *inode, struct file *file)
{
	mkvm_vm_put(file->private_data);
	return 0;
}

const struct file_operations mkvm_vm_fops = {
	.owner = THIS_MODULE,
	.release = vm_release,
	.unlocked_ioctl = vm_ioctl,
	.compat_ioctl = mkvm_vm_compat_ioctl,
	.llseek = noop_llseek,
};
