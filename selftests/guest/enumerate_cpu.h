/* SPDX-License-Identifier: GPL-2.0-only */
/* What the enumerator needs of its processor, in each kind of code. */
#ifndef SELFTESTS_GUEST_ENUMERATE_CPU_H
#define SELFTESTS_GUEST_ENUMERATE_CPU_H

#include "enumerate.h"
#include "enumerate_asm.h"

#define PAGE 0x1000UL

#define CR0_WP	 (1UL << 16)
#define CR0_PG	 (1UL << 31)
#define CR4_PSE	 (1UL << 4)
#define CR4_PAE	 (1UL << 5)
#define CR4_SMEP (1UL << 20)
#define CR4_SMAP (1UL << 21)
#define CR4_PKE	 (1UL << 22)
#define MSR_EFER 0xc0000080
#define EFER_NXE (1UL << 11)

extern volatile struct enumerate_seen enumerate_seen;
extern unsigned char enumerate_page_fault[], enumerate_int[], enumerate_others[];
extern unsigned char enumerate_stubs[], enumerate_read[], enumerate_write[];
extern unsigned char enumerate_half[], enumerate_exchange[], enumerate_and[], enumerate_or[];

/* Goes where @entry says, and comes back by an exception: the assembly. */
void enumerate_access(const struct enumerate_entry *entry);
/* Loads CR3, and comes back in the same way. */
void enumerate_load(unsigned long cr3);

/* Tables of @cpu->format, descriptors, handlers.  What the processor has. */
void cpu_set_up(struct paging_cpu *cpu);
void cpu_set_mode(uint32_t mode, uint32_t modes);
void cpu_set_key_rights(uint32_t key, uint32_t rights);
/* Goes to @rip as a user or a supervisor, and comes back at the exception. */
void cpu_access(bool user, bool ac, unsigned long rip, unsigned long address, unsigned long value);

/* The address that the entries are for, of data or code; the entries, and what each can name. */
unsigned long cpu_address(bool fetch);
uint64_t cpu_table(int level);
uint64_t cpu_get(int level, bool fetch);
/* Loads CR3.  Answers whether it could. */
bool cpu_load_tables(void);
void cpu_set(int level, bool fetch, uint64_t entry);

/* For these. */
void cpu_read_features(struct paging_cpu *cpu);
void cpu_set_nxe(bool on);
void cpu_set_wp(bool on);

static inline void cpu_invlpg(unsigned long address)
{
	asm volatile("invlpg (%0)" : : "r"(address) : "memory");
}

static inline unsigned long cpu_cr2(void)
{
	unsigned long cr2;

	asm volatile("mov %%cr2, %0" : "=r"(cr2));
	return cr2;
}

static inline void cpu_cpuid(uint32_t leaf, uint32_t out[4])
{
	asm volatile("cpuid"
		     : "=a"(out[0]), "=b"(out[1]), "=c"(out[2]), "=d"(out[3])
		     : "a"(leaf), "c"(0));
}

#endif
