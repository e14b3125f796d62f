// SPDX-License-Identifier: GPL-2.0-only
/*
 * Guest memory as the kernel reads it.
 *
 * The frames are not touched directly: the access goes through the process's own mapping, so it
 * faults, is accounted and is seen by the host like any other access of the process.
 */
#include <linux/minmax.h>
#include <linux/uaccess.h>
#include "guest_mem.h"

/*
 * Reads @len bytes at @gpa.  The caller runs in the VM's process and holds a read side of the
 * slots. May sleep.  0, or -EFAULT: no slot there, or nothing behind it.
 */
int guest_mem_read(struct memslot_table *slots, gpa_t gpa, void *data, size_t len)
{
	while (len) {
		size_t n = min_t(size_t, len, PAGE_SIZE - offset_in_page(gpa));
		struct memslot *slot = memslot_find(memslots_get(slots), gpa_to_gfn(gpa));
		hva_t hva;

		if (!slot)
			return -EFAULT;
		hva = memslot_hva(slot, gpa_to_gfn(gpa)) + offset_in_page(gpa);
		if (copy_from_user(data, (void __user *)hva, n))
			return -EFAULT;
		gpa += n;
		data += n;
		len -= n;
	}
	return 0;
}
