// SPDX-License-Identifier: GPL-2.0-only
/*
 * Interrupts by file descriptor (KVM_IRQFD).
 *
 * A write to an eventfd is an edge of a GSI, injected in the writer's context.  With a resample
 * eventfd the line stays up until the guest has ended the interrupt; then it goes down, and the
 * resample eventfd tells the device to look whether it still wants something.
 *
 * An irqfd ends by the ioctl, with the VM, or when its eventfd is closed.  The last one is told
 * where nothing may sleep, so all of them end in a work item.
 */
#include <linux/eventfd.h>
#include <linux/file.h>
#include <linux/poll.h>
#include <linux/slab.h>
#include <linux/workqueue.h>
#include "compat.h"
#include "irqchip/irqchip.h"
#include "mkvm.h"

/**
 * struct irqfd - one of them
 * @vm: immutable
 * @gsi: immutable
 * @eventfd: immutable
 * @resamplefd: NULL: there is none; immutable
 * @wait: in the eventfd's queue
 * @poll: how it came there
 * @link: in irqchip.irqfds while it lives; irqchip.irqfd_lock
 * @resample_link: in irqchip.resamplers; written under irqchip.irqfd_lock
 * @end: frees it
 */
struct irqfd {
	struct mkvm *vm;
	u32 gsi;
	struct eventfd_ctx *eventfd;
	struct eventfd_ctx *resamplefd;
	wait_queue_entry_t wait;
	poll_table poll;
	struct list_head link;
	struct list_head resample_link;
	struct work_struct end;
};

/* Its own, as its end is waited for. */
static struct workqueue_struct *irqfd_wq;

int irqfd_init(void)
{
	irqfd_wq = alloc_workqueue("mkvm-irqfd", 0, 0);
	return irqfd_wq ? 0 : -ENOMEM;
}

void irqfd_exit(void)
{
	destroy_workqueue(irqfd_wq);
}

/* Any context but an NMI. */
static void irqfd_inject(struct irqfd *irqfd)
{
	if (irqfd->resamplefd) {
		irq_set_line(irqfd->vm, IRQ_SOURCE_RESAMPLE, irqfd->gsi, true);
		return;
	}
	irq_set_line(irqfd->vm, IRQ_SOURCE_USER, irqfd->gsi, true);
	irq_set_line(irqfd->vm, IRQ_SOURCE_USER, irqfd->gsi, false);
}

static void irqfd_end(struct work_struct *work)
{
	struct irqfd *irqfd = container_of(work, struct irqfd, end);
	struct irqchip *chip = &irqfd->vm->irqchip;
	u64 count;

	eventfd_ctx_remove_wait_queue(irqfd->eventfd, &irqfd->wait, &count);
	if (irqfd->resamplefd) {
		/* One that is new raises the line before the look at who is left, or behind. */
		mutex_lock(&chip->lock);
		spin_lock_irq(&chip->irqfd_lock);
		list_del_rcu(&irqfd->resample_link);
		spin_unlock_irq(&chip->irqfd_lock);
		synchronize_srcu(&chip->srcu);
		/* Nobody is left to let go of the line. */
		if (!irqfd_resamples(irqfd->vm, irqfd->gsi))
			irq_set_line(irqfd->vm, IRQ_SOURCE_RESAMPLE, irqfd->gsi, false);
		mutex_unlock(&chip->lock);
		eventfd_ctx_put(irqfd->resamplefd);
	}
	eventfd_ctx_put(irqfd->eventfd);
	kfree(irqfd);
}

/* It will end. */
static void irqfd_deactivate(struct irqfd *irqfd)
{
	lockdep_assert_held(&irqfd->vm->irqchip.irqfd_lock);
	list_del_init(&irqfd->link);
	queue_work(irqfd_wq, &irqfd->end);
}

/* Somebody has written to the eventfd, or closed it.  Its queue's lock is held, interrupts off. */
static int irqfd_wakeup(wait_queue_entry_t *wait, unsigned int mode, int sync, void *key)
{
	struct irqfd *irqfd = container_of(wait, struct irqfd, wait);
	struct irqchip *chip = &irqfd->vm->irqchip;
	__poll_t events = key_to_poll(key);
	unsigned long flags;
	u64 count;

	if (events & EPOLLIN) {
		eventfd_ctx_do_read(irqfd->eventfd, &count);
		irqfd_inject(irqfd);
	}
	if (events & EPOLLHUP) {
		spin_lock_irqsave(&chip->irqfd_lock, flags);
		if (!list_empty(&irqfd->link))
			irqfd_deactivate(irqfd);
		spin_unlock_irqrestore(&chip->irqfd_lock, flags);
	}
	return 0;
}

static void irqfd_queue(struct file *file, wait_queue_head_t *head, poll_table *poll)
{
	add_wait_queue_priority(head, &container_of(poll, struct irqfd, poll)->wait);
}

/* In the lists, unless the eventfd is another one's already: -EBUSY. */
static int irqfd_publish(struct irqfd *irqfd)
{
	struct irqchip *chip = &irqfd->vm->irqchip;
	struct irqfd *other;

	lockdep_assert_held(&chip->lock);
	spin_lock_irq(&chip->irqfd_lock);
	list_for_each_entry(other, &chip->irqfds, link) {
		if (other->eventfd != irqfd->eventfd)
			continue;
		spin_unlock_irq(&chip->irqfd_lock);
		return -EBUSY;
	}
	list_add_tail(&irqfd->link, &chip->irqfds);
	if (irqfd->resamplefd)
		list_add_tail_rcu(&irqfd->resample_link, &chip->resamplers);
	spin_unlock_irq(&chip->irqfd_lock);
	return 0;
}

static struct irqfd *irqfd_alloc(struct mkvm *vm, u32 gsi)
{
	struct irqfd *irqfd = kzalloc(sizeof(*irqfd), GFP_KERNEL_ACCOUNT);

	if (!irqfd)
		return NULL;
	irqfd->vm = vm;
	irqfd->gsi = gsi;
	INIT_WORK(&irqfd->end, irqfd_end);
	init_waitqueue_func_entry(&irqfd->wait, irqfd_wakeup);
	init_poll_funcptr(&irqfd->poll, irqfd_queue);
	return irqfd;
}

/* Gets the descriptors that @args names.  0, -EBADF, -EINVAL. */
static int irqfd_get_fds(struct irqfd *irqfd, const struct kvm_irqfd *args, struct file *file)
{
	irqfd->eventfd = eventfd_ctx_fileget(file);
	if (IS_ERR(irqfd->eventfd))
		return PTR_ERR(irqfd->eventfd);
	if (!(args->flags & KVM_IRQFD_FLAG_RESAMPLE))
		return 0;
	irqfd->resamplefd = eventfd_ctx_fdget(args->resamplefd);
	if (!IS_ERR(irqfd->resamplefd))
		return 0;
	eventfd_ctx_put(irqfd->eventfd);
	return PTR_ERR(irqfd->resamplefd);
}

static int irqfd_assign(struct mkvm *vm, const struct kvm_irqfd *args)
{
	struct irqfd *irqfd = irqfd_alloc(vm, args->gsi);
	struct file *file;
	int r;

	if (!irqfd)
		return -ENOMEM;
	file = fget(args->fd);
	if (!file) {
		r = -EBADF;
		goto free_irqfd;
	}
	r = irqfd_get_fds(irqfd, args, file);
	if (r)
		goto put_file;
	mutex_lock(&vm->irqchip.lock);
	r = irqfd_publish(irqfd);
	/* While the file is held it is not closed, and what it holds already is not lost. */
	if (!r && vfs_poll(file, &irqfd->poll) & EPOLLIN)
		irqfd_inject(irqfd);
	mutex_unlock(&vm->irqchip.lock);
	fput(file);
	if (!r)
		return 0;
	if (irqfd->resamplefd)
		eventfd_ctx_put(irqfd->resamplefd);
	eventfd_ctx_put(irqfd->eventfd);
	kfree(irqfd);
	return r;

put_file:
	fput(file);
free_irqfd:
	kfree(irqfd);
	return r;
}

/* None that fits is success, too. */
static int irqfd_deassign(struct mkvm *vm, const struct kvm_irqfd *args)
{
	struct irqchip *chip = &vm->irqchip;
	struct eventfd_ctx *eventfd = eventfd_ctx_fdget(args->fd);
	struct irqfd *irqfd, *next;

	if (IS_ERR(eventfd))
		return PTR_ERR(eventfd);
	mutex_lock(&chip->lock);
	spin_lock_irq(&chip->irqfd_lock);
	list_for_each_entry_safe(irqfd, next, &chip->irqfds, link)
		if (irqfd->eventfd == eventfd && irqfd->gsi == args->gsi)
			irqfd_deactivate(irqfd);
	spin_unlock_irq(&chip->irqfd_lock);
	mutex_unlock(&chip->lock);
	eventfd_ctx_put(eventfd);
	/* From now on nothing comes from it. */
	flush_workqueue(irqfd_wq);
	return 0;
}

/*
 * KVM_IRQFD.  0; -EINVAL: flags, not an eventfd, no interrupt controllers, or resampling
 * without an I/O APIC in the kernel; -EBADF; -EBUSY: it has a GSI already; -ENOMEM.
 */
int irqfd_set(struct mkvm *vm, const struct kvm_irqfd *args)
{
	if (args->flags & ~(u32)(KVM_IRQFD_FLAG_DEASSIGN | KVM_IRQFD_FLAG_RESAMPLE))
		return -EINVAL;
	if (args->flags & KVM_IRQFD_FLAG_DEASSIGN)
		return irqfd_deassign(vm, args);
	if (irqchip_mode(&vm->irqchip) == IRQCHIP_NONE)
		return -EINVAL;
	if (args->flags & KVM_IRQFD_FLAG_RESAMPLE && irqchip_mode(&vm->irqchip) != IRQCHIP_KERNEL)
		return -EINVAL;
	return irqfd_assign(vm, args);
}

/* The VM goes: nobody uses it any more. */
void irqfd_destroy_all(struct mkvm *vm)
{
	struct irqchip *chip = &vm->irqchip;
	struct irqfd *irqfd, *next;

	spin_lock_irq(&chip->irqfd_lock);
	list_for_each_entry_safe(irqfd, next, &chip->irqfds, link)
		irqfd_deactivate(irqfd);
	spin_unlock_irq(&chip->irqfd_lock);
	flush_workqueue(irqfd_wq);
}

bool irqfd_resamples(struct mkvm *vm, u32 gsi)
{
	struct irqchip *chip = &vm->irqchip;
	struct irqfd *irqfd;
	bool found = false;
	int idx;

	idx = srcu_read_lock(&chip->srcu);
	list_for_each_entry_rcu(irqfd, &chip->resamplers, resample_link,
				srcu_read_lock_held(&chip->srcu))
		if (irqfd->gsi == gsi)
			found = true;
	srcu_read_unlock(&chip->srcu, idx);
	return found;
}

/* The guest has ended an interrupt of @gsi; the caller is a reader.  Any context but an NMI. */
void irqfd_acked(struct mkvm *vm, u32 gsi)
{
	struct irqchip *chip = &vm->irqchip;
	struct irqfd *irqfd;

	if (list_empty(&chip->resamplers) || !irqfd_resamples(vm, gsi))
		return;
	/* Down first: who is told may raise it again at once. */
	irq_set_line(vm, IRQ_SOURCE_RESAMPLE, gsi, false);
	list_for_each_entry_rcu(irqfd, &chip->resamplers, resample_link,
				srcu_read_lock_held(&chip->srcu))
		if (irqfd->gsi == gsi)
			compat_eventfd_signal(irqfd->resamplefd);
}
