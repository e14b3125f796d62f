/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The words of memory virtualisation, as types.
 *
 *	GVA --guest page table--> GPA --memory slot--> HVA --host page table--> HPA
 *
 * g and h tell the world (guest, host), v and p the kind of address (virtual, physical), fn a frame
 * number: an address shifted right by PAGE_SHIFT.  A host entry (hpte_t) and a guest entry (gpte_t)
 * are structures of one member, so that one cannot be taken for the other.
 */
#ifndef MKVM_TYPES_H
#define MKVM_TYPES_H

#include <linux/mm.h>
#include <linux/types.h>

typedef unsigned long gva_t; /* as in the kernel's own headers of 6.12 */
typedef u64 gpa_t;
typedef u64 gfn_t;
typedef unsigned long hva_t;
typedef u64 hpa_t;
typedef u64 hfn_t;

typedef struct {
	u64 v;
} hpte_t;

typedef struct {
	u64 v;
} gpte_t;

/* What an access does and what an entry allows, in no format's bits. */
#define ACC_R	0x1 /* read */
#define ACC_W	0x2 /* write */
#define ACC_X	0x4 /* instruction fetch */
#define ACC_U	0x8 /* by user mode */
#define ACC_RWX (ACC_R | ACC_W | ACC_X)

#define GPA_NONE (~(gpa_t)0)
#define HPA_NONE (~(hpa_t)0)

static inline gfn_t gpa_to_gfn(gpa_t gpa)
{
	return gpa >> PAGE_SHIFT;
}

static inline gpa_t gfn_to_gpa(gfn_t gfn)
{
	return gfn << PAGE_SHIFT;
}

static inline hpa_t hfn_to_hpa(hfn_t hfn)
{
	return hfn << PAGE_SHIFT;
}

#endif /* MKVM_TYPES_H */
