/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MKVM_USER_MODE_H
#define MKVM_USER_MODE_H

#include <linux/kvm.h>
#include <stdint.h>

#include "mem.h"

/* The modes of an x86 processor that a guest can be started in. */
enum cpu_mode {
	MODE_REAL,    /* 16 bits, segments are address >> 4 */
	MODE_PROT16,  /* protected, 16-bit code, no paging */
	MODE_PROT32,  /* protected, 32-bit code, no paging */
	MODE_PAGED32, /* 32-bit code, two-level tables */
	MODE_PAE,     /* 32-bit code, PAE tables */
	MODE_COMPAT,  /* long mode, 32-bit code */
	MODE_LONG,    /* long mode, 64-bit code */
	MODE_NR
};

/* Selectors of the table that mode_build_gdt() makes. */
#define SEL_CODE64 0x08
#define SEL_DATA   0x10
#define SEL_CODE32 0x18
#define SEL_CODE16 0x20
#define SEL_DATA16 0x28
#define SEL_TSS	   0x30 /* two entries long */
#define GDT_SIZE   0x40

/* Pages that mode_build_tables() needs from its address on. */
#define MODE_TABLE_PAGES 6

const char *mode_name(enum cpu_mode mode);
int mode_build_gdt(const struct mem *mem, uint64_t gpa, uint64_t tss_gpa);
int mode_build_tables(const struct mem *mem, uint64_t gpa, enum cpu_mode mode);
void mode_set(struct kvm_sregs *sregs, enum cpu_mode mode, uint64_t gdt_gpa, uint64_t tables_gpa);
struct kvm_segment mode_code(enum cpu_mode mode);
struct kvm_segment mode_data(enum cpu_mode mode);

#endif
