// SPDX-License-Identifier: GPL-2.0-only
/*
 * How the host's own table maps an address of the current process: how large, whether it may be
 * written, and to which frame where a driver has mapped it; and which neighbours may be brought in
 * with it.
 *
 * For the first two the table is read without its locks, with interrupts off: then no table that
 * was reached is freed.  An answer is true as long as the caller keeps the notifier from going on,
 * as another mapping begins with an invalidation of this one.
 */
#include <linux/mm.h>
#include <linux/pgtable.h>
#include <linux/sched.h>
#include <asm/e820/api.h>
#include <asm/memtype.h>
#include "compat.h"
#include "mmu/host_map.h"
#include "mmu/mmu.h"

/* How often the mapping of a device may change while it is looked at. */
#define DEVICE_MAX_TRIES 3

/* What an entry says of the address. */
struct map_entry {
	int level;
	bool present;
	bool writable;
};

static struct map_entry map_small(pmd_t pmd, hva_t hva)
{
	pte_t pte = READ_ONCE(*pte_offset_kernel(&pmd, hva));

	return (struct map_entry){ 1, pte_present(pte), pte_write(pte) };
}

static struct map_entry map_entry(struct mm_struct *mm, hva_t hva)
{
	const struct map_entry none = { .level = 1 };

	pgd_t *pgdp = pgd_offset(mm, hva), pgd = READ_ONCE(*pgdp);
	p4d_t *p4dp, p4d;
	pud_t *pudp, pud;
	pmd_t pmd;

	if (pgd_none(pgd))
		return none;
	p4dp = p4d_offset_lockless(pgdp, pgd, hva);
	p4d = READ_ONCE(*p4dp);
	if (p4d_none(p4d) || !p4d_present(p4d))
		return none;
	pudp = pud_offset_lockless(p4dp, p4d, hva);
	pud = READ_ONCE(*pudp);
	if (pud_none(pud) || !pud_present(pud))
		return none;
	if (pud_leaf(pud))
		return (struct map_entry){ 3, true, pud_write(pud) };
	pmd = READ_ONCE(*pmd_offset_lockless(pudp, pud, hva));
	if (pmd_none(pmd) || !pmd_present(pmd))
		return none;
	if (pmd_leaf(pmd))
		return (struct map_entry){ 2, true, pmd_write(pmd) };
	return map_small(pmd, hva);
}

static struct map_entry map_read(hva_t hva)
{
	struct map_entry entry;
	unsigned long flags;

	local_irq_save(flags);
	entry = map_entry(current->mm, hva);
	local_irq_restore(flags);
	return entry;
}

/* The level of the entry that maps @hva: 1 (4 KiB, or nothing there), 2 (2 MiB) or 3 (1 GiB). */
int host_map_level(hva_t hva)
{
	return map_read(hva).level;
}

/*
 * Is something mapped at @hva that the current process may not write?  Then no entry that allows
 * writing is right there: the host takes the permission away after an invalidation only.
 */
bool host_map_denies_write(hva_t hva)
{
	struct map_entry entry = map_read(hva);

	return entry.present && !entry.writable;
}

/* Nobody brings these in before they are used: devices', and pages that user space supplies. */
#define MAP_NOT_AHEAD (VM_IO | VM_PFNMAP | VM_UFFD_MISSING | VM_UFFD_WP | VM_UFFD_MINOR)

/*
 * May pages be brought in that nobody has asked for, because @hva was asked for?  Of [*@start,
 * *@end), around @hva, those that belong to the same mapping, if that is memory and the process may
 * write to it.  May sleep.
 */
bool host_map_populatable(hva_t hva, hva_t *start, hva_t *end)
{
	struct vm_area_struct *vma;
	bool may = false;

	if (mmap_read_lock_killable(current->mm))
		return false;
	vma = vma_lookup(current->mm, hva);
	if (vma && (vma->vm_flags & VM_WRITE) && !(vma->vm_flags & MAP_NOT_AHEAD)) {
		*start = max(*start, vma->vm_start);
		*end = min(*end, vma->vm_end);
		may = true;
	}
	mmap_read_unlock(current->mm);
	return may;
}

/* The caller holds the mmap lock for reading.  0, -EAGAIN: it was let go meanwhile, -EFAULT. */
static int map_device(hva_t hva, bool write, unsigned long *pfn, bool *writable)
{
	struct vm_area_struct *vma = vma_lookup(current->mm, hva);
	bool unlocked = false;

	if (!vma || !(vma->vm_flags & (VM_IO | VM_PFNMAP)))
		return -EFAULT;
	if (!compat_follow_pfn(vma, hva, pfn, writable))
		return write && !*writable ? -EFAULT : 0;
	if (fixup_user_fault(current->mm, hva, write ? FAULT_FLAG_WRITE : 0, &unlocked))
		return -EFAULT;
	if (unlocked)
		return -EAGAIN;
	return compat_follow_pfn(vma, hva, pfn, writable) || (write && !*writable) ? -EFAULT : 0;
}

/*
 * The frame that a driver has mapped at @hva, with or without a struct page, and may it be written?
 * For a write only if it may.  No reference is taken: it is a device's as long as the notifier is
 * kept from going on.  May sleep.  0 or -EFAULT.
 */
int host_map_device(hva_t hva, bool write, hfn_t *hfn, bool *writable)
{
	unsigned long pfn = 0;
	int r, tries = 0;

	mmap_read_lock(current->mm);
	do {
		r = map_device(hva, write, &pfn, writable);
	} while (r == -EAGAIN && ++tries < DEVICE_MAX_TRIES);
	mmap_read_unlock(current->mm);
	*hfn = pfn;
	return r ? -EFAULT : 0;
}

/*
 * Must @hfn not be cached?  Firmware's map of RAM tells for frames without struct page.  Of those
 * that have one and are reserved, the zero page and memory that the host itself caches are none.
 */
bool host_is_device(hfn_t hfn)
{
	hpa_t start = hfn_to_hpa(hfn);

	if (!pfn_valid(hfn))
		return !e820__mapped_raw_any(start, start + PAGE_SIZE - 1, E820_TYPE_RAM);
	return !is_zero_pfn(hfn) && PageReserved(pfn_to_page(hfn)) &&
	       (!pat_enabled() || pat_pfn_immune_to_uc_mtrr(hfn));
}
