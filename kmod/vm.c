// SPDX-License-Identifier: GPL-2.0-only
/*
 * A VM: made by KVM_CREATE_VM, kept by the descriptors of itself and of its vCPUs.
 */
#include <linux/anon_inodes.h>
#include <linux/file.h>
#include <linux/moduleparam.h>
#include <linux/preempt.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <asm/tsc.h>
#include "mkvm.h"
#include "vm_type.h"
#include "x86/x86.h"

static atomic64_t vm_numbers; /* the last one given */
static unsigned int fault_around = 64;
static unsigned int populate;
static unsigned int shadow_pages = 4096;

/* A number of pages into the variable of @kp, if it is a valid one. */
static int pages_param_set(const char *value, const struct kernel_param *kp,
			   bool (*is_valid)(u64 pages), const char *expected)
{
	unsigned int pages;
	int r = kstrtouint(value, 0, &pages);

	if (!r && !is_valid(pages))
		r = -EINVAL;
	if (r)
		pr_err("mkvm: %s=%.*s: expected %s up to %u\n", kp->name, (int)strcspn(value, "\n"),
		       value, expected, MMU_AROUND_MAX);
	else
		WRITE_ONCE(*(unsigned int *)kp->arg, pages);
	return r;
}

static int around_param_set(const char *value, const struct kernel_param *kp)
{
	return pages_param_set(value, kp, mmu_around_is_valid, "a power of two");
}

static const struct kernel_param_ops around_param_ops = {
	.set = around_param_set,
	.get = param_get_uint,
};

module_param_cb(fault_around, &around_param_ops, &fault_around, 0644);
MODULE_PARM_DESC(fault_around,
		 "pages that a fault of a new VM maps at most: a power of two, 1: off");

static int populate_param_set(const char *value, const struct kernel_param *kp)
{
	return pages_param_set(value, kp, mmu_populate_is_valid, "0 or a power of two");
}

static const struct kernel_param_ops populate_param_ops = {
	.set = populate_param_set,
	.get = param_get_uint,
};

module_param_cb(populate, &populate_param_ops, &populate, 0644);
MODULE_PARM_DESC(populate,
		 "pages that a fault of a new VM has the host bring in: a power of two, 0: off");

static int shadow_param_set(const char *value, const struct kernel_param *kp)
{
	unsigned int pages;
	int r = kstrtouint(value, 0, &pages);

	if (!r && !mmu_shadow_limit_is_valid(pages))
		r = -EINVAL;
	if (r)
		pr_err("mkvm: %s=%.*s: expected %u to %u\n", kp->name, (int)strcspn(value, "\n"),
		       value, MMU_SHADOW_LIMIT_MIN, MMU_SHADOW_LIMIT_MAX);
	else
		WRITE_ONCE(shadow_pages, pages);
	return r;
}

static const struct kernel_param_ops shadow_param_ops = {
	.set = shadow_param_set,
	.get = param_get_uint,
};

module_param_cb(shadow_pages, &shadow_param_ops, &shadow_pages, 0644);
MODULE_PARM_DESC(shadow_pages, "shadow tables that a new VM keeps at most, but for those in use");

static void vm_flush_tlb(struct mmu_vm *mmu)
{
	struct mkvm *vm = container_of(mmu, struct mkvm, mmu);
	unsigned int interrupted;

	atomic64_inc(&vm->flushes.asked);
	interrupted = mkvm_request_all(vm, VCPU_REQ_FLUSH_TLB);
	if (interrupted)
		atomic64_inc(&vm->flushes.done);
	atomic64_add(interrupted, &vm->flushes.interrupts);
}

/* What a vCPU's processor has listed goes into the log before the vCPU counts as outside. */
static void vm_drain_log(struct mmu_vm *mmu)
{
	mkvm_exit_all(container_of(mmu, struct mkvm, mmu));
}

static void vm_kill_mmu(struct mmu_vm *mmu)
{
	mkvm_vm_kill(container_of(mmu, struct mkvm, mmu), "the MMU contradicts itself");
}

static const struct mmu_up vm_mmu_up = {
	.flush_tlb = vm_flush_tlb,
	.drain_log = vm_drain_log,
	.kill = vm_kill_mmu,
};

static void vm_kick_work(struct work_struct *work)
{
	mkvm_kick_all(container_of(work, struct mkvm, kick_work));
}

/* The VM may never run again; its owner gets -EIO.  Any context but an NMI. */
void mkvm_vm_kill(struct mkvm *vm, const char *why)
{
	if (xchg(&vm->dead, true))
		return;
	pr_warn("mkvm: a VM of process %d is dead: %s\n", task_tgid_nr(current), why);
	queue_work(system_wq, &vm->kick_work);
}

/* The VM's MMU, as the module's parameters have it.  May sleep.  0 or a negative errno. */
static int vm_enable_mmu(struct mkvm *vm)
{
	struct mmu_caps caps = mkvm_mmu_caps;
	int r;

	if (vm->mmu_kind == MMU_SHADOW && caps.fmt_beside)
		caps.fmt = caps.fmt_beside;
	mmu_vm_init(&vm->mmu, &vm->slots, &vm_mmu_up, &caps);
	r = mmu_set_around(&vm->mmu, READ_ONCE(fault_around));
	if (!r)
		r = mmu_set_populate(&vm->mmu, READ_ONCE(populate));
	if (!r)
		r = dirty_log_set_mode(&vm->slots, &vm->mmu, vm_type_log_mode(&caps));
	if (!r)
		r = mmu_vm_enable(&vm->mmu, vm->mmu_kind);
	/* A second table for unpaged vCPUs, where they need one, and for when the VM goes over. */
	if (!r && vm->mmu_kind == MMU_SHADOW && caps.fmt)
		r = mmu_vm_enable(&vm->mmu, MMU_TDP);
	if (!r && vm->mmu_kind == MMU_SHADOW)
		mmu_set_shadow_limit(&vm->mmu, READ_ONCE(shadow_pages));
	return r;
}

/* What cannot fail, and leaves nothing to be undone. */
static void vm_start(struct mkvm *vm, enum mmu_kind kind)
{
	mutex_init(&vm->lock);
	mutex_init(&vm->move_lock);
	xa_init(&vm->vcpus);
	kref_init(&vm->refs);
	INIT_WORK(&vm->kick_work, vm_kick_work);
	vm->number = atomic64_inc_return(&vm_numbers);
	vm->mmu_kind = kind;
	vm->mmu_use = kind;
	vm->tsc_khz = tsc_khz;
	x86_tsc_vm_start(vm);
	x86_kvmclock_vm_start(vm);
	x86_pause_vm_start(vm);
}

/* May sleep.  0 and *out, or a negative errno with nothing left behind. */
static int vm_alloc(enum mmu_kind kind, struct mkvm **out)
{
	struct mkvm *vm = kvzalloc(sizeof(*vm), GFP_KERNEL_ACCOUNT);
	int r;

	if (!vm)
		return -ENOMEM;
	r = memslot_table_init(&vm->slots);
	if (r)
		goto free_vm;
	r = coalesced_init(&vm->coalesced);
	if (r)
		goto destroy_slots;
	r = irqchip_init(&vm->irqchip);
	if (r)
		goto destroy_coalesced;
	vm_start(vm, kind);
	r = vm_enable_mmu(vm);
	if (r)
		goto destroy_irqchip;
	r = x86_host_get();
	if (r)
		goto destroy_mmu;
	preempt_notifier_inc();
	vm->mm = current->mm;
	mmgrab(vm->mm);
	r = mkvm_notifier_register(vm);
	if (r)
		goto drop_mm;
	r = mkvm_shrinker_register(vm);
	if (r)
		goto unregister_notifier;
	mkvm_debugfs_add(vm);
	*out = vm;
	return 0;

unregister_notifier:
	mkvm_notifier_unregister(vm);
drop_mm:
	mmdrop(vm->mm);
	preempt_notifier_dec();
	x86_host_put();
destroy_mmu:
	mmu_vm_destroy(&vm->mmu);
destroy_irqchip:
	irqchip_destroy(vm);
destroy_coalesced:
	coalesced_destroy(&vm->coalesced);
destroy_slots:
	memslot_table_destroy(&vm->slots);
free_vm:
	kvfree(vm);
	return r;
}

static void vm_destroy(struct kref *refs)
{
	struct mkvm *vm = container_of(refs, struct mkvm, refs);
	struct mkvm_vcpu *vcpu;
	unsigned long id;

	mkvm_debugfs_remove(vm);
	mkvm_shrinker_unregister(vm);
	mkvm_notifier_unregister(vm);
	/* What goes wrong from here on finds the VM dead, and no work is queued any more. */
	WRITE_ONCE(vm->dead, true);
	cancel_work_sync(&vm->kick_work);
	/* Nothing comes from timers and descriptors any more. */
	irqchip_stop(vm);
	xa_for_each(&vm->vcpus, id, vcpu)
		mkvm_vcpu_destroy(vcpu);
	xa_destroy(&vm->vcpus);
	irqchip_destroy(vm);
	mmu_vm_destroy(&vm->mmu);
	x86_msr_filter_destroy(vm);
	memslot_table_destroy(&vm->slots);
	coalesced_destroy(&vm->coalesced);
	mmdrop(vm->mm);
	preempt_notifier_dec();
	x86_host_put();
	kvfree(vm);
}

void mkvm_vm_get(struct mkvm *vm)
{
	kref_get(&vm->refs);
}

/* May sleep. */
void mkvm_vm_put(struct mkvm *vm)
{
	kref_put(&vm->refs, vm_destroy);
}

bool mkvm_vm_has_vcpus(struct mkvm *vm)
{
	lockdep_assert_held(&vm->lock);
	return vm->nr_vcpus;
}

/* KVM_SET_BOOT_CPU_ID: 0, -EBUSY: there are vCPUs, -EINVAL: no such number. */
int mkvm_vm_set_boot_cpu(struct mkvm *vm, unsigned long id)
{
	int r = 0;

	mutex_lock(&vm->lock);
	if (mkvm_vm_has_vcpus(vm))
		r = -EBUSY;
	else if (id > MKVM_MAX_VCPU_ID) /* KVM lets the first number that cannot be pass */
		r = -EINVAL;
	else
		vm->boot_cpu_id = id;
	mutex_unlock(&vm->lock);
	return r;
}

/* KVM_CREATE_VM: a descriptor, or -EINVAL, -EOPNOTSUPP, -EBUSY, -ENOMEM, -EMFILE. */
long mkvm_vm_create(unsigned long type)
{
	enum mmu_kind kind;
	struct file *file;
	struct mkvm *vm;
	int fd, r;

	r = vm_type_kind(type, &kind);
	if (r)
		return r;
	fd = get_unused_fd_flags(O_CLOEXEC);
	if (fd < 0)
		return fd;
	r = vm_alloc(kind, &vm);
	if (r)
		goto put_fd;
	file = anon_inode_getfile("mkvm-vm", &mkvm_vm_fops, vm, O_RDWR);
	if (IS_ERR(file)) {
		r = PTR_ERR(file);
		mkvm_vm_put(vm);
		goto put_fd;
	}
	fd_install(fd, file);
	return fd;

put_fd:
	put_unused_fd(fd);
	return r;
}
