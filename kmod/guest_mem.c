// SPDX-License-Identifier: GPL-2.0-only
/*
 * Guest memory as the kernel reads and writes it.
 *
 * The frames are not touched directly: the access goes through the process's own mapping, so it
 * faults, is accounted and is seen by the host like any other access of the process.
 */
#include <linux/minmax.h>
#include <linux/uaccess.h>
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

/*
 * Reads @len bytes at @gpa.  The caller runs in the VM's process and holds a read side of the
 * slots. May sleep.  0, or -EFAULT: no slot there, or nothing behind it.
 */
int guest_mem_read(struct memslot_table *slots, gpa_t gpa, void *data, size_t len)
{
	while (len) {
		size_t n = min_t(size_t, len, PAGE_SIZE - offset_in_page(gpa));
		struct memslot *slot;
		void __user *user = guest_mem_at(slots, gpa, false, &slot);

		if (!user || copy_from_user(data, user, n))
			return -EFAULT;
		gpa += n;
		data += n;
		len -= n;
	}
	return 0;
}

/*
 * Writes @len bytes at @gpa, and marks the pages dirty.  Context as guest_mem_read().  0, or
 * -EFAULT: no slot there, a read-only one, or nothing behind it; what lies in the pages before has
 * been written then.
 */
int guest_mem_write(struct memslot_table *slots, gpa_t gpa, const void *data, size_t len)
{
	while (len) {
		size_t n = min_t(size_t, len, PAGE_SIZE - offset_in_page(gpa));
		struct memslot *slot;
		void __user *user = guest_mem_at(slots, gpa, true, &slot);
		bool failed;

		if (!user)
			return -EFAULT;
		failed = copy_to_user(user, data, n);
		/* Also after a failure: some bytes may have got there. */
		memslot_mark_dirty(slot, gpa_to_gfn(gpa));
		if (failed)
			return -EFAULT;
		gpa += n;
		data += n;
		len -= n;
	}
	return 0;
}
