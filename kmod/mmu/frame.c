// SPDX-License-Identifier: GPL-2.0-only
/*
 * Host frames behind host virtual addresses.
 *
 * A frame is got for the length of a fault and given back at once: nothing of a guest's memory is
 * pinned, so the host can swap, merge, migrate and unmap it.  The mmu notifier takes the mapping
 * away before the host does so.
 *
 * A device's memory that the process has mapped has frames that nobody counts references to, many
 * without a struct page.  Who maps such memory takes the mapping away before it ends, and the
 * notifier hears of it; so a number is enough for them.
 */
#include <linux/sched/signal.h>
#include <linux/swap.h>
#include "compat.h"
#include "mmu/frame.h"
#include "mmu/host_map.h"

static bool page_is_device(struct page *page)
{
	return PageReserved(page) && host_is_device(page_to_pfn(page));
}

static int frame_get_device(struct frame *frame, hva_t hva, bool write)
{
	*frame = (struct frame){ .writable = write };
	if (host_map_device(hva, write, &frame->hfn, &frame->may_write))
		return -EFAULT;
	frame->device = host_is_device(frame->hfn);
	return 0;
}

/*
 * Gets the frame behind @hva of the current process, for a write if @write.  May sleep, as long as
 * user space wants that supplies the page.  0, -EINTR (a signal), -ENOMEM, -EHWPOISON or -EFAULT.
 */
int frame_get(struct frame *frame, hva_t hva, bool write)
{
	unsigned int flags = write ? FOLL_WRITE : 0;
	long r = get_user_pages_fast_only(hva, 1, flags, &frame->page);

	/* Only this way a signal ends the wait, and broken memory is told from none. */
	if (r != 1)
		r = get_user_pages_unlocked(hva, 1, &frame->page,
					    flags | COMPAT_FOLL_FAULT | FOLL_HWPOISON);
	if (r == -EHWPOISON || r == -EINTR || r == -ENOMEM)
		return r;
	if (r != 1)
		return frame_get_device(frame, hva, write);
	frame->writable = write;
	frame->hfn = page_to_pfn(frame->page);
	frame->device = page_is_device(frame->page);
	return 0;
}

/*
 * After a read: could the frame be written without a fault in the host?  To map it so spares the
 * guest a second exit.  The frame may be another one then.
 */
void frame_try_writable(struct frame *frame, hva_t hva)
{
	struct page *again;

	if (!frame->page) {
		frame->writable = frame->may_write;
		return;
	}
	if (get_user_pages_fast_only(hva, 1, FOLL_WRITE, &again) != 1)
		return;
	put_page(frame->page);
	frame->page = again;
	frame->hfn = page_to_pfn(again);
	frame->device = page_is_device(again);
	frame->writable = true;
}

/*
 * Gives the frame back.  @written: a writable entry for it may have been installed, so the host has
 * to take its contents for changed.  This comes before the reference goes: reclaim, which looks at
 * the dirty flag only of a frame that nobody else holds, cannot lose a write of the guest.
 */
void frame_put(struct frame *frame, bool written)
{
	if (!frame->page)
		return;
	if (!PageReserved(frame->page)) {
		if (written)
			SetPageDirty(frame->page);
		mark_page_accessed(frame->page);
	}
	put_page(frame->page);
}

/*
 * Gets the frames behind @hva and the addresses after it, at most @nr and %FRAME_RUN_MAX, as far as
 * the current process has them at hand: nothing is brought in.  With @write those that the process
 * may write to; if the first is none of these, it alone.  Does not sleep.
 */
void frame_run_get(struct frame_run *run, hva_t hva, unsigned int nr, bool write)
{
	int r = 0;

	nr = min_t(unsigned int, nr, FRAME_RUN_MAX);
	if (write)
		r = get_user_pages_fast_only(hva, nr, FOLL_WRITE, run->page);
	run->writable = r > 0;
	if (r <= 0)
		r = get_user_pages_fast_only(hva, write ? 1 : nr, 0, run->page);
	run->nr = max(r, 0);
}

/*
 * Brings in what the process can have of [start, end), for a write if @write, until something is
 * missing or a signal kills it.  All of it is charged as if the process had used it.  May sleep.
 */
void frame_populate(hva_t start, hva_t end, bool write)
{
	struct page *page[FRAME_RUN_MAX];
	long i, r;

	for (; start < end && !fatal_signal_pending(current); start += r << PAGE_SHIFT) {
		r = min_t(long, (end - start) >> PAGE_SHIFT, FRAME_RUN_MAX);
		r = get_user_pages_unlocked(start, r, page, write ? FOLL_WRITE : 0);
		if (r <= 0)
			return;
		for (i = 0; i < r; i++)
			put_page(page[i]);
	}
}

/* Is number @i a device's, which is for a fault of its own to map? */
bool frame_run_is_device(const struct frame_run *run, unsigned int i)
{
	return page_is_device(run->page[i]);
}

/* Gives them back.  If they are writable, writable entries for them may have been installed. */
void frame_run_put(struct frame_run *run)
{
	while (run->nr) {
		struct page *page = run->page[--run->nr];

		if (run->writable && !PageReserved(page))
			SetPageDirty(page);
		put_page(page);
	}
}
