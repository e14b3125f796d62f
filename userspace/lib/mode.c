// SPDX-License-Identifier: GPL-2.0-only
/*
 * A guest's processor mode: the segments, control registers, descriptor table and page tables with
 * which a vCPU begins in it, as if software had switched it there.
 *
 * All paged modes map linear addresses below 4 GiB onto the same physical ones by large pages
 * (2 MiB; two-level tables: 4 MiB), writable and open to user mode.
 */
#include "mode.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "x86.h"

#define PAGE	    0x1000UL
#define LARGE_FLAGS (X86_PTE_P | X86_PTE_W | X86_PTE_U | X86_PTE_PS)
#define TABLE_FLAGS (X86_PTE_P | X86_PTE_W | X86_PTE_U)

#define SEG_CODE     11 /* execute, read, accessed */
#define SEG_DATA     3	/* read, write, accessed */
#define SEG_TSS_BUSY 11
#define SEG_LDT	     2

const char *mode_name(enum cpu_mode mode)
{
	static const char *const names[MODE_NR] = {
		[MODE_REAL] = "real mode",
		[MODE_PROT16] = "protected mode, 16-bit",
		[MODE_PROT32] = "protected mode, 32-bit",
		[MODE_PAGED32] = "protected mode, 32-bit paging",
		[MODE_PAE] = "protected mode, PAE paging",
		[MODE_COMPAT] = "compatibility mode",
		[MODE_LONG] = "64-bit mode",
	};

	return names[mode];
}

static bool mode_is_long(enum cpu_mode mode)
{
	return mode == MODE_COMPAT || mode == MODE_LONG;
}

static bool mode_is_16bit(enum cpu_mode mode)
{
	return mode == MODE_REAL || mode == MODE_PROT16;
}

struct kvm_segment mode_code(enum cpu_mode mode)
{
	struct kvm_segment seg = { .type = SEG_CODE, .s = 1, .present = 1 };

	if (mode_is_16bit(mode)) {
		seg.limit = 0xffff;
		seg.selector = mode == MODE_REAL ? 0 : SEL_CODE16;
		return seg;
	}
	seg.limit = 0xffffffff;
	seg.g = 1;
	seg.l = mode == MODE_LONG;
	seg.db = !seg.l;
	seg.selector = seg.l ? SEL_CODE64 : SEL_CODE32;
	return seg;
}

struct kvm_segment mode_data(enum cpu_mode mode)
{
	struct kvm_segment seg = { .type = SEG_DATA, .s = 1, .present = 1 };

	if (mode_is_16bit(mode)) {
		seg.limit = 0xffff;
		seg.selector = mode == MODE_REAL ? 0 : SEL_DATA16;
		return seg;
	}
	seg.limit = 0xffffffff;
	seg.g = 1;
	seg.db = 1;
	seg.selector = SEL_DATA;
	return seg;
}

static uint64_t gdt_descriptor(const struct kvm_segment *seg)
{
	uint64_t limit = seg->g ? seg->limit >> 12 : seg->limit;
	uint64_t rights = seg->type | seg->s << 4 | seg->dpl << 5 | seg->present << 7 |
			  seg->avl << 12 | seg->l << 13 | seg->db << 14 | seg->g << 15;

	return (limit & 0xffff) | (seg->base & 0xffffff) << 16 | rights << 40 |
	       (limit >> 16 & 0xf) << 48 | (seg->base >> 24 & 0xff) << 56;
}

/* The task state segment is the table's only system descriptor; its type says "available". */
int mode_build_gdt(const struct mem *mem, uint64_t gpa, uint64_t tss_gpa)
{
	struct kvm_segment code64 = mode_code(MODE_LONG), code32 = mode_code(MODE_PROT32);
	struct kvm_segment code16 = mode_code(MODE_PROT16), data16 = mode_data(MODE_PROT16);
	struct kvm_segment data = mode_data(MODE_LONG);
	struct kvm_segment tss = { .base = tss_gpa, .limit = 0x67, .type = 9, .present = 1 };
	uint64_t *gdt = mem_at(mem, gpa, GDT_SIZE);

	if (!gdt)
		return -ERANGE;
	memset(gdt, 0, GDT_SIZE);
	gdt[SEL_CODE64 / 8] = gdt_descriptor(&code64);
	gdt[SEL_DATA / 8] = gdt_descriptor(&data);
	gdt[SEL_CODE32 / 8] = gdt_descriptor(&code32);
	gdt[SEL_CODE16 / 8] = gdt_descriptor(&code16);
	gdt[SEL_DATA16 / 8] = gdt_descriptor(&data16);
	gdt[SEL_TSS / 8] = gdt_descriptor(&tss);
	return 0;
}

/* Four page directories of 2 MiB pages at gpa + 2 pages, for PAE and long mode. */
static void tables_fill_directories(uint64_t *tables, uint64_t gpa)
{
	uint64_t *pointers = tables + PAGE / 8, *directories = tables + 2 * PAGE / 8;
	uint64_t i;

	for (i = 0; i < 4; i++)
		pointers[i] = (gpa + (2 + i) * PAGE) | TABLE_FLAGS;
	for (i = 0; i < 4 * 512; i++)
		directories[i] = i << 21 | LARGE_FLAGS;
}

int mode_build_tables(const struct mem *mem, uint64_t gpa, enum cpu_mode mode)
{
	uint64_t *tables = mem_at(mem, gpa, MODE_TABLE_PAGES * PAGE);
	uint32_t *table32 = (uint32_t *)tables;
	uint32_t i;

	if (!tables)
		return -ERANGE;
	memset(tables, 0, MODE_TABLE_PAGES * PAGE);
	if (mode == MODE_PAGED32) {
		for (i = 0; i < 1024; i++)
			table32[i] = i << 22 | LARGE_FLAGS;
	} else if (mode_is_long(mode)) {
		tables_fill_directories(tables, gpa);
		tables[0] = (gpa + PAGE) | TABLE_FLAGS;
	} else if (mode == MODE_PAE) {
		/* The four pointers know no rights, only "present". */
		tables_fill_directories(tables, gpa);
		for (i = 0; i < 4; i++)
			tables[i] = (gpa + (2 + i) * PAGE) | X86_PTE_P;
	}
	return 0;
}

static void mode_set_control(struct kvm_sregs *sregs, enum cpu_mode mode, uint64_t tables_gpa)
{
	sregs->cr0 = X86_CR0_ET | X86_CR0_NE;
	sregs->cr3 = 0;
	sregs->cr4 = 0;
	sregs->efer = 0;
	if (mode == MODE_REAL)
		return;
	sregs->cr0 |= X86_CR0_PE;
	if (mode < MODE_PAGED32)
		return;
	sregs->cr0 |= X86_CR0_PG;
	sregs->cr3 = tables_gpa;
	sregs->cr4 = mode == MODE_PAGED32 ? X86_CR4_PSE : X86_CR4_PAE;
	if (mode_is_long(mode))
		sregs->efer = X86_EFER_LME | X86_EFER_LMA;
}

/* Changes only what makes the mode: the interrupt table and the local APIC's base stay. */
void mode_set(struct kvm_sregs *sregs, enum cpu_mode mode, uint64_t gdt_gpa, uint64_t tables_gpa)
{
	struct kvm_segment data = mode_data(mode);

	mode_set_control(sregs, mode, tables_gpa);
	sregs->cs = mode_code(mode);
	sregs->ds = data;
	sregs->es = data;
	sregs->fs = data;
	sregs->gs = data;
	sregs->ss = data;
	sregs->ldt = (struct kvm_segment){ .type = SEG_LDT, .unusable = 1 };
	sregs->tr = (struct kvm_segment){ .type = SEG_TSS_BUSY, .present = 1, .limit = 0xffff };
	if (mode != MODE_REAL) {
		sregs->gdt.base = gdt_gpa;
		sregs->gdt.limit = GDT_SIZE - 1;
	}
}
