// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the bits of a second table's entry mean, by the processors' manuals and not by the module's
 * own description of them.
 */
#include "cpu.h"
#include "shim.h"

#define ADDRESS	 GENMASK_ULL(CPU_PHYS_BITS - 1, 12)
#define TOO_HIGH GENMASK_ULL(51, CPU_PHYS_BITS)

/* Bits of a large page's address that must be 0. */
static u64 below_page(int level)
{
	return level > 1 ? GENMASK_ULL(12 + 9 * (level - 1) - 1, 12) : 0;
}

static struct cpu_entry ept_read(u64 entry, int level)
{
	struct cpu_entry e = { .present = entry & 7, .access = 0, .address = entry & ADDRESS };
	u64 type = (entry >> 3) & 15; /* and bit 6: the guest's PAT does not count */

	if (!e.present) {
		/* Names nothing that could be speculated on. */
		e.wrong = entry & ~BIT_ULL(52);
		return e;
	}
	e.leaf = level == 1 || (entry & BIT_ULL(7));
	e.access = (entry & 1 ? ACC_R : 0) | (entry & 2 ? ACC_W : 0) | (entry & 4 ? ACC_X : 0);
	e.wrong = (entry & TOO_HIGH) || !(entry & 1);
	e.typed = e.leaf;
	e.uncached = !type;
	if (e.leaf)
		e.wrong |= level > 3 || (type && type != (6 | 8)) || (entry & below_page(level));
	else
		e.wrong |= (entry & GENMASK_ULL(6, 3)) != 0;
	return e;
}

static struct cpu_entry npt_read(u64 entry, int level)
{
	struct cpu_entry e = { .present = entry & 1, .access = 0, .address = entry & ADDRESS };

	if (!e.present) {
		e.wrong = entry;
		return e;
	}
	e.leaf = level == 1 || (entry & BIT_ULL(7));
	e.access = ACC_R | (entry & 2 ? ACC_W : 0) | (entry >> 63 ? 0 : ACC_X);
	/* A nested walk is one of user mode; memory is of the host's first type in the PAT. */
	e.wrong = (entry & TOO_HIGH) || !(entry & 4) || (entry & (BIT_ULL(3) | BIT_ULL(4)));
	if (e.leaf)
		e.wrong |= level > 3 || (level == 1 && (entry & BIT_ULL(7))) ||
			   (entry & below_page(level));
	return e;
}

static struct cpu_entry linear_read(u64 entry, int level)
{
	struct cpu_entry e = { .present = entry & 1, .access = 0, .address = entry & ADDRESS };

	if (!e.present) {
		e.wrong = entry;
		return e;
	}
	e.leaf = level == 1 || (entry & BIT_ULL(7));
	e.access = ACC_R | (entry & 2 ? ACC_W : 0) | (entry & 4 ? ACC_U : 0) |
		   (entry >> 63 ? 0 : ACC_X);
	/* Of the host's first memory type, and never global. */
	e.wrong = (entry & TOO_HIGH) || (entry & (BIT_ULL(3) | BIT_ULL(4) | BIT_ULL(8)));
	/* Reserved where a guest is not in long mode: the paging is of the PAE kind then. */
	e.wrong |= (entry & GENMASK_ULL(62, 52)) != 0;
	if (e.leaf)
		e.wrong |= level > 3 || (level == 1 && (entry & BIT_ULL(7))) ||
			   (entry & below_page(level));
	return e;
}

static const struct pte_fmt *ept(void)
{
	return pte_fmt_ept(false);
}

static const struct pte_fmt *ept_ad(void)
{
	return pte_fmt_ept(true);
}

const struct cpu_format cpu_formats[] = {
	{ "EPT, 4 levels", ept, 4, ept_read, 0, 0, false },
	{ "EPT with A/D, 4 levels", ept_ad, 4, ept_read, BIT_ULL(8), BIT_ULL(9), true },
	{ "EPT with A/D, 5 levels", ept_ad, 5, ept_read, BIT_ULL(8), BIT_ULL(9), true },
	{ "NPT, 4 levels", pte_fmt_npt, 4, npt_read, BIT_ULL(5), BIT_ULL(6), false },
	{ "NPT, 5 levels", pte_fmt_npt, 5, npt_read, BIT_ULL(5), BIT_ULL(6), false },
};

const struct cpu_format cpu_linear = { "shadow tables", pte_fmt_shadow, 4,    linear_read,
				       BIT_ULL(5),	BIT_ULL(6),	false };

const unsigned int cpu_nr_formats = ARRAY_SIZE(cpu_formats);
