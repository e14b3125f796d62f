// SPDX-License-Identifier: GPL-2.0-only
/*
 * Guest memory as the kernel reads and writes it.
 *
 * The frames are not touched directly: the access goes through the process's own mapping, so it
 * faults, is accounted and is seen by the host like any other access of the process.
 */
#include <linux/minmax.h>
#include <linux/string.h>
#include <linux/uaccess.h>
#include <asm/asm.h>
#include <asm/cpufeature.h>
#include "guest_mem.h"

/* The user address behind @gpa, which may be written if @write, or NULL; the slot too. */
static void __user *guest_mem_at(struct memslot_table *slots, gpa_t gpa, bool write,
				 struct memslot **slot)
{
	*slot = memslot_find(memslots_get(slots), gpa_to_gfn(gpa));
	if (!*slot || (write && memslot_readonly(*slot)))
		return NULL;
	return (void __user *)(memslot_hva(*slot, gpa_to_gfn(gpa)) + offset_in_page(gpa));
}

/* A word, or two, are read at once if they are aligned: never half of what others store so. */
static int load_words(void *data, void __user *user, size_t len)
{
	u32 word;
	u64 two;

	switch (len) {
	case sizeof(word):
		if (get_user(word, (u32 __user *)user))
			return -EFAULT;
		memcpy(data, &word, sizeof(word));
		return 0;
	case sizeof(two):
		if (get_user(two, (u64 __user *)user))
			return -EFAULT;
		memcpy(data, &two, sizeof(two));
		return 0;
	default:
		return copy_from_user(data, user, len) ? -EFAULT : 0;
	}
}

/*
 * Reads @len bytes at @gpa; 4 or 8, aligned, at once.  The caller runs in the VM's process and
 * holds a read side of the slots.  May sleep.  0; -ENOENT: no slot there; -EFAULT: nothing behind
 * it.
 */
int guest_mem_read(struct memslot_table *slots, gpa_t gpa, void *data, size_t len)
{
	while (len) {
		size_t n = min_t(size_t, len, PAGE_SIZE - offset_in_page(gpa));
		struct memslot *slot;
		void __user *user = guest_mem_at(slots, gpa, false, &slot);

		if (!user)
			return -ENOENT;
		if (load_words(data, user, n))
			return -EFAULT;
		gpa += n;
		data += n;
		len -= n;
	}
	return 0;
}

/*
 * As guest_mem_read(), within one page, and without sleeping: -EFAULT also if the host would have
 * to bring the page in.
 */
int guest_mem_peek(struct memslot_table *slots, gpa_t gpa, void *data, size_t len)
{
	int r;

	pagefault_disable();
	r = guest_mem_read(slots, gpa, data, len);
	pagefault_enable();
	return r;
}

/* A store to what may have a shadow is made by who keeps that. */
static int guest_mem_store(struct memslot_table *slots, gpa_t gpa, const struct guest_store *store)
{
	struct guest_store_watcher *watcher = slots->watcher;

	return watcher ? watcher->store(watcher, gpa, store) : guest_store_do(store);
}

/* Something was stored at @gpa. */
static void note_store(const struct memslot *slot, gpa_t gpa)
{
	/* In memory before the bit is looked at: who takes that away must not read the old page. */
	smp_mb();
	memslot_mark_dirty(slot, gpa_to_gfn(gpa));
}

/*
 * Writes @len bytes at @gpa, and marks the pages dirty.  Context as guest_mem_read().  0; -ENOENT:
 * no slot there, or a read-only one; -EFAULT: nothing behind it.  What lies in the pages before has
 * been written then.
 */
int guest_mem_write(struct memslot_table *slots, gpa_t gpa, const void *data, size_t len)
{
	while (len) {
		size_t n = min_t(size_t, len, PAGE_SIZE - offset_in_page(gpa));
		struct memslot *slot;
		void __user *user = guest_mem_at(slots, gpa, true, &slot);
		const struct guest_store store = { .user = user, .new = data, .len = n };
		bool failed;

		if (!user)
			return -ENOENT;
		failed = guest_mem_store(slots, gpa, &store);
		/* Also after a failure: some bytes may have got there. */
		note_store(slot, gpa);
		if (failed)
			return -EFAULT;
		gpa += n;
		data += n;
		len -= n;
	}
	return 0;
}

/* The same for a word within a page, which others see change at once if it is aligned. */
int guest_mem_put_u32(struct memslot_table *slots, gpa_t gpa, u32 value)
{
	struct memslot *slot;
	void __user *user = guest_mem_at(slots, gpa, true, &slot);
	const struct guest_store store = { .user = user, .new = &value, .len = sizeof(value) };
	bool failed;

	if (!user)
		return -ENOENT;
	failed = guest_mem_store(slots, gpa, &store);
	note_store(slot, gpa);
	return failed ? -EFAULT : 0;
}

/*
 * A byte where no page may be faulted in: any context but an NMI, in the VM's process.  -EFAULT
 * also if it would change a table that has a shadow, or that cannot be told now.
 */
int guest_mem_put_u8_nofault(struct memslot_table *slots, gpa_t gpa, u8 value)
{
	struct memslot *slot;
	void __user *user = guest_mem_at(slots, gpa, true, &slot);

	if (!user)
		return -ENOENT;
	if (slots->watcher ? slots->watcher->put(slots->watcher, user, value)
			   : copy_to_user_nofault(user, &value, sizeof(value)))
		return -EFAULT;
	note_store(slot, gpa);
	return 0;
}

/* One for each width: whether memory held @old, or -EFAULT. */
/* clang-format off */
#define DEFINE_EXCHANGE(bits)							\
	static int exchange_##bits(void __user *user, const void *old, const void *new)	\
	{									\
		u##bits expected, desired;					\
		memcpy(&expected, old, sizeof(expected));			\
		memcpy(&desired, new, sizeof(desired));				\
		return __try_cmpxchg_user((u##bits __user *)user, &expected, desired, fail);	\
	}
/* clang-format on */

DEFINE_EXCHANGE(8)
DEFINE_EXCHANGE(16)
DEFINE_EXCHANGE(32)
DEFINE_EXCHANGE(64)

struct pair {
	u64 lo, hi;
};

static int exchange_128(void __user *user, const void *old, const void *new)
{
	struct pair expected, desired;
	bool equal;
	int r = 0;

	if (!boot_cpu_has(X86_FEATURE_CX16))
		return -EFAULT;
	memcpy(&expected, old, sizeof(expected));
	memcpy(&desired, new, sizeof(desired));
	if (!user_access_begin(user, sizeof(desired)))
		return -EFAULT;
	/* clang-format off */
	asm volatile("1:	lock cmpxchg16b %[user]\n"
		     "2:\n"
		     _ASM_EXTABLE_TYPE_REG(1b, 2b, EX_TYPE_EFAULT_REG, %[r])
		     : "=@ccz"(equal), [r] "+r"(r), [user] "+m"(*(struct pair __force *)user),
		       "+a"(expected.lo), "+d"(expected.hi)
		     : "b"(desired.lo), "c"(desired.hi)
		     : "memory");
	/* clang-format on */
	user_access_end();
	return r ? r : !equal;
}

/* Would the processor trap the lock?  It must not be the kernel's that it traps. */
static bool lock_is_split(const void __user *user, size_t len)
{
	unsigned long first = (unsigned long)user, last = first + len - 1;

	return boot_cpu_has(X86_FEATURE_SPLIT_LOCK_DETECT) &&
	       first / L1_CACHE_BYTES != last / L1_CACHE_BYTES;
}

/* exchange() in two steps.  What the guest, or the process, stores between them is lost. */
static int exchange_steps(void __user *user, const void *old, const void *new, size_t len)
{
	u8 now[sizeof(struct pair)];

	if (len > sizeof(now) || copy_from_user(now, user, len))
		return -EFAULT;
	if (memcmp(now, old, len))
		return 1;
	return copy_to_user(user, new, len) ? -EFAULT : 0;
}

/* guest_mem_exchange() in the process. */
static int exchange(void __user *user, const void *old, const void *new, size_t len)
{
	switch (len) {
	case 1:
		return exchange_8(user, old, new);
	case 2:
		return exchange_16(user, old, new);
	case 4:
		return exchange_32(user, old, new);
	case 8:
		return exchange_64(user, old, new);
	case 16:
		return exchange_128(user, old, new);
	default:
		return -EFAULT;
	}
}

/* A store without a condition.  Others see a word, or two, change at once if it is aligned. */
static int store_words(const struct guest_store *store)
{
	u32 word;
	u64 two;

	switch (store->len) {
	case sizeof(word):
		memcpy(&word, store->new, sizeof(word));
		return put_user(word, (u32 __user *)store->user);
	case sizeof(two):
		memcpy(&two, store->new, sizeof(two));
		return put_user(two, (u64 __user *)store->user);
	default:
		return copy_to_user(store->user, store->new, store->len) ? -EFAULT : 0;
	}
}

/*
 * Makes @store.  May sleep, unless page faults are disabled.  0; 1: an exchange found something
 * else; -EFAULT.
 */
int guest_store_do(const struct guest_store *store)
{
	if (!store->old)
		return store_words(store);
	if (lock_is_split(store->user, store->len))
		return exchange_steps(store->user, store->old, store->new, store->len);
	return exchange(store->user, store->old, store->new, store->len);
}

/*
 * A locked store whose lock would be split.  The VM's other stores of this kind are kept out, so
 * that none of them is lost.  A signal that kills ends the wait: as if memory had changed.
 */
static int exchange_split(struct memslot_table *slots, gpa_t gpa, const struct guest_store *store)
{
	int r;

	if (mutex_lock_killable(&slots->split_lock))
		return 1;
	r = guest_mem_store(slots, gpa, store);
	mutex_unlock(&slots->split_lock);
	return r;
}

/*
 * Atomically (but see exchange_steps()): if the @len bytes at @gpa, within one page, are still
 * @old, makes them @new and marks the page dirty.  Context as guest_mem_read().  0; 1: they are
 * not; -ENOENT and -EFAULT as guest_mem_write().
 */
int guest_mem_exchange(struct memslot_table *slots, gpa_t gpa, const void *old, const void *new,
		       size_t len)
{
	struct memslot *slot;
	void __user *user = guest_mem_at(slots, gpa, true, &slot);
	const struct guest_store store = { user, old, new, len };
	int r;

	if (!user)
		return -ENOENT;
	if (lock_is_split(user, len))
		r = exchange_split(slots, gpa, &store);
	else
		r = guest_mem_store(slots, gpa, &store);
	if (!r)
		note_store(slot, gpa);
	return r;
}
