// SPDX-License-Identifier: GPL-2.0-only
/*
 * A vCPU's life: creation, the pages shared with user space, and being loaded on a processor.
 *
 * A vCPU is loaded between mkvm_vcpu_load() and mkvm_vcpu_put(): its control block is the current
 * one of whichever processor its thread runs on.  A preempt notifier puts it away when the thread
 * is scheduled out and loads it where the thread comes back.
 */
#include <linux/anon_inodes.h>
#include <linux/file.h>
#include <linux/kvm.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include "irqchip/lapic.h"
#include "mkvm.h"
#include "user_work.h"
#include "x86/x86.h"

static void vcpu_load_here(struct mkvm_vcpu *vcpu, int cpu)
{
	bool changed = vcpu->cpu != cpu;

	vcpu->cpu = cpu;
	x86_spec_vcpu_load(vcpu);
	x86_tsc_vcpu_load(vcpu);
	x86_kvmclock_vcpu_load(vcpu, changed);
	x86_steal_time_vcpu_load(vcpu);
	mkvm_vendor->vcpu_load(vcpu, cpu, changed);
}

static void vcpu_sched_in(struct preempt_notifier *pn, int cpu)
{
	struct mkvm_vcpu *vcpu = container_of(pn, struct mkvm_vcpu, preempt);

	WRITE_ONCE(vcpu->preempted, false);
	vcpu_load_here(vcpu, cpu);
}

static void vcpu_sched_out(struct preempt_notifier *pn, struct task_struct *next)
{
	struct mkvm_vcpu *vcpu = container_of(pn, struct mkvm_vcpu, preempt);

	WRITE_ONCE(vcpu->preempted, task_is_running(current));
	x86_steal_time_sched_out(vcpu);
	mkvm_vendor->vcpu_put(vcpu);
}

static struct preempt_ops vcpu_preempt_ops = {
	.sched_in = vcpu_sched_in,
	.sched_out = vcpu_sched_out,
};

/* The caller holds the vCPU's mutex, or is its only user. */
void mkvm_vcpu_load(struct mkvm_vcpu *vcpu)
{
	int cpu = get_cpu();

	preempt_notifier_register(&vcpu->preempt);
	vcpu_load_here(vcpu, cpu);
	put_cpu();
}

void mkvm_vcpu_put(struct mkvm_vcpu *vcpu)
{
	preempt_disable();
	mkvm_vendor->vcpu_put(vcpu);
	preempt_notifier_unregister(&vcpu->preempt);
	preempt_enable();
}

static void vcpu_free_pages(struct mkvm_vcpu *vcpu)
{
	int i;

	for (i = 0; i < MKVM_VCPU_PAGES; i++)
		if (vcpu->pages[i])
			__free_page(vcpu->pages[i]);
}

static int vcpu_alloc_pages(struct mkvm_vcpu *vcpu)
{
	int i;

	for (i = 0; i < MKVM_VCPU_PAGES; i++) {
		vcpu->pages[i] = alloc_page(GFP_KERNEL_ACCOUNT | __GFP_ZERO);
		if (!vcpu->pages[i]) {
			vcpu_free_pages(vcpu);
			return -ENOMEM;
		}
	}
	vcpu->run = page_address(vcpu->pages[0]);
	return 0;
}

static struct mkvm_vcpu *vcpu_alloc(struct mkvm *vm, u32 id)
{
	struct mkvm_vcpu *vcpu = kvzalloc(mkvm_vendor->vcpu_size, GFP_KERNEL_ACCOUNT);
	int r = -ENOMEM;

	if (!vcpu)
		return ERR_PTR(-ENOMEM);
	vcpu->vm = vm;
	vcpu->id = id;
	vcpu->cpu = -1;
	mutex_init(&vcpu->mutex);
	rcuwait_init(&vcpu->wait);
	preempt_notifier_init(&vcpu->preempt, &vcpu_preempt_ops);
	mmu_vcpu_init(&vcpu->mmu, &vm->mmu, vm->mmu_kind);
	if (vcpu_alloc_pages(vcpu))
		goto free_vcpu;
	vcpu->standin = user_work_alloc(vcpu->run);
	if (!vcpu->standin)
		goto free_pages;
	if (!fpu_alloc_guest_fpstate(&vcpu->x86.fpu))
		goto free_standin;
	x86_cpuid_init(vcpu);
	/* Its VM may have a filter already. */
	__set_bit(VCPU_REQ_MSR_FILTER, &vcpu->requests);
	r = -ENOMEM;
	if (irqchip_mode(&vm->irqchip) != IRQCHIP_NONE && lapic_create(vcpu))
		goto free_fpu;
	r = mkvm_vendor->vcpu_create(vcpu);
	if (r)
		goto destroy_lapic;

	mkvm_vcpu_load(vcpu);
	x86_reset(vcpu);
	x86_tsc_start(vcpu);
	mkvm_vcpu_put(vcpu);
	return vcpu;

destroy_lapic:
	lapic_destroy(vcpu);
free_fpu:
	fpu_free_guest_fpstate(&vcpu->x86.fpu);
free_standin:
	user_work_free(vcpu->standin);
free_pages:
	vcpu_free_pages(vcpu);
free_vcpu:
	kvfree(vcpu);
	return ERR_PTR(r);
}

/* No descriptor is left that could reach the vCPU.  May sleep. */
void mkvm_vcpu_destroy(struct mkvm_vcpu *vcpu)
{
	mkvm_vendor->vcpu_destroy(vcpu);
	mmu_vcpu_destroy(&vcpu->mmu);
	lapic_destroy(vcpu);
	x86_cpuid_destroy(vcpu);
	x86_pause_vcpu_destroy(vcpu);
	fpu_free_guest_fpstate(&vcpu->x86.fpu);
	user_work_free(vcpu->standin);
	vcpu_free_pages(vcpu);
	kvfree(vcpu);
}

/*
 * Gives the vCPU its number, makes it visible to requests, and installs its descriptor; all or
 * nothing.  From fd_install() on user space can use it.
 */
static long vcpu_publish(struct mkvm *vm, struct mkvm_vcpu *vcpu)
{
	struct file *file;
	char name[32];
	int fd, r;

	lockdep_assert_held(&vm->lock);
	fd = get_unused_fd_flags(O_CLOEXEC);
	if (fd < 0)
		return fd;
	r = xa_insert(&vm->vcpus, vcpu->id, vcpu, GFP_KERNEL_ACCOUNT);
	if (r) {
		r = r == -EBUSY ? -EEXIST : r;
		goto put_fd;
	}
	snprintf(name, sizeof(name), "mkvm-vcpu:%u", vcpu->id);
	mkvm_vm_get(vm);
	file = anon_inode_getfile(name, &mkvm_vcpu_fops, vcpu, O_RDWR);
	if (IS_ERR(file)) {
		r = PTR_ERR(file);
		goto erase;
	}
	vm->nr_vcpus++;
	fd_install(fd, file);
	return fd;

erase:
	mkvm_vm_put(vm);
	xa_erase(&vm->vcpus, vcpu->id);
	synchronize_rcu(); /* a kick or a statistic may have found it */
put_fd:
	put_unused_fd(fd);
	return r;
}

/**
 * mkvm_vcpu_create() - KVM_CREATE_VCPU
 * @vm: the VM
 * @id: the caller's number for the vCPU, below MKVM_MAX_VCPU_ID
 *
 * Context: may sleep; takes vm->lock.
 * Return: a descriptor; -EINVAL for a number out of range or a VM that is full, -EEXIST, -ENOMEM,
 * -EMFILE.
 */
long mkvm_vcpu_create(struct mkvm *vm, u32 id)
{
	struct mkvm_vcpu *vcpu;
	long r;

	if (id >= MKVM_MAX_VCPU_ID)
		return -EINVAL;
	mutex_lock(&vm->lock);
	if (vm->nr_vcpus >= MKVM_MAX_VCPUS) {
		r = -EINVAL;
		goto unlock;
	}
	if (xa_load(&vm->vcpus, id)) {
		r = -EEXIST;
		goto unlock;
	}
	vcpu = vcpu_alloc(vm, id);
	if (IS_ERR(vcpu)) {
		r = PTR_ERR(vcpu);
		goto unlock;
	}
	r = vcpu_publish(vm, vcpu);
	if (r < 0) {
		x86_tsc_stop(vcpu);
		mkvm_vcpu_destroy(vcpu);
	}
unlock:
	mutex_unlock(&vm->lock);
	return r;
}
