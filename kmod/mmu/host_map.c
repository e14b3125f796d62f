// SPDX-License-Identifier: GPL-2.0-only
/*
 * How the host's own table maps an address of the current process.
 *
 * The table is read without its locks, with interrupts off: then no table that was reached is
 * freed.  The answer is true as long as the caller keeps the notifier from going on, as a mapping
 * of another size begins with an invalidation of this one.
 */
#include <linux/pgtable.h>
#include <linux/sched.h>
#include "mmu/host_map.h"

static int map_level(struct mm_struct *mm, hva_t hva)
{
	pgd_t *pgdp = pgd_offset(mm, hva), pgd = READ_ONCE(*pgdp);
	p4d_t *p4dp, p4d;
	pud_t *pudp, pud;
	pmd_t pmd;

	if (pgd_none(pgd))
		return 1;
	p4dp = p4d_offset_lockless(pgdp, pgd, hva);
	p4d = READ_ONCE(*p4dp);
	if (p4d_none(p4d) || !p4d_present(p4d))
		return 1;
	pudp = pud_offset_lockless(p4dp, p4d, hva);
	pud = READ_ONCE(*pudp);
	if (pud_none(pud) || !pud_present(pud))
		return 1;
	if (pud_leaf(pud))
		return 3;
	pmd = READ_ONCE(*pmd_offset_lockless(pudp, pud, hva));
	return pmd_present(pmd) && pmd_leaf(pmd) ? 2 : 1;
}

/* The level of the entry that maps @hva: 1 (4 KiB, or nothing there), 2 (2 MiB) or 3 (1 GiB). */
int host_map_level(hva_t hva)
{
	unsigned long flags;
	int level;

	local_irq_save(flags);
	level = map_level(current->mm, hva);
	local_irq_restore(flags);
	return level;
}
