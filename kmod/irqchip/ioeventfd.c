// SPDX-License-Identifier: GPL-2.0-only
/*
 * Stores of the guest that only signal an eventfd (KVM_IOEVENTFD).
 *
 * A store to an address or a port, of one length or of any, perhaps only of one value, ends in the
 * kernel.  There need be no interrupt controllers for that.
 */
#include <linux/eventfd.h>
#include <linux/slab.h>
#include <linux/string.h>
#include "compat.h"
#include "irqchip/irqchip.h"
#include "mkvm.h"

#define IOEVENTFD_FLAGS \
	(KVM_IOEVENTFD_FLAG_DATAMATCH | KVM_IOEVENTFD_FLAG_PIO | KVM_IOEVENTFD_FLAG_DEASSIGN)

/**
 * struct ioeventfd - what a store does; immutable
 * @link: in irqchip.ioeventfds
 * @eventfd: what is signalled
 * @addr: address or port
 * @len: of the store; 0: any
 * @port: @addr is a port
 * @any_value: whatever is stored
 * @value: what has to be stored
 */
struct ioeventfd {
	struct list_head link;
	struct eventfd_ctx *eventfd;
	u64 addr;
	u32 len;
	bool port;
	bool any_value;
	u64 value;
};

static bool len_is_valid(u32 len)
{
	return len <= 8 && (!len || is_power_of_2(len));
}

/* Would one store be for both? */
static bool ioeventfds_collide(const struct ioeventfd *a, const struct ioeventfd *b)
{
	return a->port == b->port && a->addr == b->addr &&
	       (!a->len || !b->len ||
		(a->len == b->len && (a->any_value || b->any_value || a->value == b->value)));
}

static int ioeventfd_assign(struct irqchip *chip, struct ioeventfd *new)
{
	struct ioeventfd *other;

	lockdep_assert_held(&chip->lock);
	list_for_each_entry(other, &chip->ioeventfds, link)
		if (ioeventfds_collide(other, new))
			return -EEXIST;
	list_add_tail_rcu(&new->link, &chip->ioeventfds);
	return 0;
}

/* The one that is like @wanted, taken out of the list, or NULL. */
static struct ioeventfd *ioeventfd_remove(struct irqchip *chip, const struct ioeventfd *wanted)
{
	struct ioeventfd *one;

	lockdep_assert_held(&chip->lock);
	list_for_each_entry(one, &chip->ioeventfds, link) {
		if (one->eventfd != wanted->eventfd || one->addr != wanted->addr ||
		    one->len != wanted->len || one->port != wanted->port ||
		    one->any_value != wanted->any_value)
			continue;
		if (!one->any_value && one->value != wanted->value)
			continue;
		list_del_rcu(&one->link);
		return one;
	}
	return NULL;
}

static void ioeventfd_free(struct ioeventfd *one)
{
	eventfd_ctx_put(one->eventfd);
	kfree(one);
}

static int ioeventfd_deassign(struct irqchip *chip, const struct ioeventfd *wanted)
{
	struct ioeventfd *old;

	mutex_lock(&chip->lock);
	old = ioeventfd_remove(chip, wanted);
	mutex_unlock(&chip->lock);
	if (!old)
		return -ENOENT;
	synchronize_srcu_expedited(&chip->srcu);
	ioeventfd_free(old);
	return 0;
}

/*
 * KVM_IOEVENTFD.  0; -EINVAL: flags, length, an address that wraps, a value without a length, or
 * no eventfd; -EBADF; -EEXIST: a store would be for two; -ENOENT: there is none like it; -ENOMEM.
 * There may be any number: their memory is charged to who asks for it.
 */
int ioeventfd_set(struct mkvm *vm, const struct kvm_ioeventfd *args)
{
	struct irqchip *chip = &vm->irqchip;
	struct ioeventfd *one;
	int r;

	if (!len_is_valid(args->len) || args->addr + args->len < args->addr)
		return -EINVAL;
	if (args->flags & ~(u32)IOEVENTFD_FLAGS ||
	    (!args->len && args->flags & KVM_IOEVENTFD_FLAG_DATAMATCH))
		return -EINVAL;
	one = kzalloc(sizeof(*one), GFP_KERNEL_ACCOUNT);
	if (!one)
		return -ENOMEM;
	*one = (struct ioeventfd){
		.eventfd = eventfd_ctx_fdget(args->fd),
		.addr = args->addr,
		.len = args->len,
		.port = args->flags & KVM_IOEVENTFD_FLAG_PIO,
		.any_value = !(args->flags & KVM_IOEVENTFD_FLAG_DATAMATCH),
		.value = args->datamatch,
	};
	if (IS_ERR(one->eventfd)) {
		r = PTR_ERR(one->eventfd);
		kfree(one);
		return r;
	}
	if (args->flags & KVM_IOEVENTFD_FLAG_DEASSIGN) {
		r = ioeventfd_deassign(chip, one);
		ioeventfd_free(one);
		return r;
	}
	mutex_lock(&chip->lock);
	r = ioeventfd_assign(chip, one);
	mutex_unlock(&chip->lock);
	if (r)
		ioeventfd_free(one);
	return r;
}

static bool ioeventfd_matches(const struct ioeventfd *one, bool port, u64 addr, u64 value,
			      unsigned int len)
{
	if (one->port != port || one->addr != addr || (one->len && one->len != len))
		return false;
	return one->any_value || one->value == value;
}

/* A store of the guest.  True: that is all that it does. */
bool ioeventfd_write(struct mkvm *vm, bool port, u64 addr, const void *data, unsigned int len)
{
	struct irqchip *chip = &vm->irqchip;
	struct ioeventfd *one;
	bool done = false;
	u64 value = 0;
	int idx;

	if (list_empty(&chip->ioeventfds) || len > sizeof(value))
		return false;
	memcpy(&value, data, len);
	idx = srcu_read_lock(&chip->srcu);
	list_for_each_entry_rcu(one, &chip->ioeventfds, link, srcu_read_lock_held(&chip->srcu)) {
		if (!ioeventfd_matches(one, port, addr, value, len))
			continue;
		compat_eventfd_signal(one->eventfd);
		done = true;
		break;
	}
	srcu_read_unlock(&chip->srcu, idx);
	return done;
}

/* Nobody uses the VM any more. */
void ioeventfd_destroy_all(struct irqchip *chip)
{
	struct ioeventfd *one, *next;

	list_for_each_entry_safe(one, next, &chip->ioeventfds, link)
		ioeventfd_free(one);
}
