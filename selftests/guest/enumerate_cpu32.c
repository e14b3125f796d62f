// SPDX-License-Identifier: GPL-2.0-only
/*
 * The enumerator in 32-bit code, with tables of its own, of either format: the first GiB is memory
 * as it is, for supervisors; the second is what the cases are about; in the third users have the
 * page of instructions.
 *
 * Entries of PAE are written as kernels of 32 bits do it: at once by CMPXCHG8B, or, each second
 * time, by halves, absent meanwhile.
 */
#include "enumerate_cpu.h"

#define P 1U
#define W 2U
#define U 4U
#define A 0x20U
#define D 0x40U
#define L 0x80U

/* Pages of tables */
enum {
	ROOT, /* of PAE its pointers; else the directory of all */
	DIRECTORY,
	TABLE,
	USER_DIRECTORY,
	USER_TABLE,
	OWN, /* a directory of large pages; or as many tables as there must be */
};

#define BASE	   (1UL << 30)
#define USER_BASE  (2UL << 30)
#define OWN_MEMORY 0x1000000UL
#define STACK	   4096
#define CODE_0	   0x08
#define DATA_0	   0x10
#define CODE_3	   0x1b
#define DATA_3	   0x23
#define TASK	   0x28

struct table_register {
	uint16_t limit;
	uint32_t base;
} __attribute__((packed));

static uint64_t gdt[6], idt[256];
static uint32_t tss[26];
static unsigned char stack[STACK] __attribute__((aligned(16)));
static bool pae;

static uint64_t *table(int i)
{
	return (uint64_t *)(ENUMERATE_TABLES + i * PAGE);
}

static uint32_t *table32(int i)
{
	return (uint32_t *)table(i);
}

static uint32_t names(int i, uint32_t flags)
{
	return (ENUMERATE_TABLES + i * PAGE) | P | W | A | flags;
}

/* The four pointers have no bit but P. */
static void build_pae(void)
{
	uint32_t i;

	table(ROOT)[0] = names(OWN, 0) & ~(W | A);
	table(ROOT)[1] = names(DIRECTORY, 0) & ~(W | A);
	table(ROOT)[2] = names(USER_DIRECTORY, 0) & ~(W | A);
	for (i = 0; i < OWN_MEMORY >> 21; i++)
		table(OWN)[i] = i << 21 | P | W | A | D | L;
	table(USER_DIRECTORY)[0] = names(USER_TABLE, U);
	table(USER_TABLE)[0] = (uint32_t)enumerate_stubs | P | U | A;
}

/* Without large pages, as CR4.PSE is the cases'. */
static void build_32(void)
{
	uint32_t i;

	for (i = 0; i < OWN_MEMORY >> 22; i++)
		table32(ROOT)[i] = names(OWN + i, 0);
	for (i = 0; i < OWN_MEMORY >> 12; i++)
		table32(OWN)[i] = i << 12 | P | W | A | D;
	table32(ROOT)[USER_BASE >> 22] = names(USER_TABLE, U);
	table32(USER_TABLE)[0] = (uint32_t)enumerate_stubs | P | U | A;
}

static void set_cr4(uint32_t mode)
{
	unsigned long cr4 = pae ? CR4_PAE : 0;

	cr4 |= !pae && (mode & MODE_PSE) ? CR4_PSE : 0;
	cr4 |= mode & MODE_SMEP ? CR4_SMEP : 0;
	cr4 |= mode & MODE_SMAP ? CR4_SMAP : 0;
	asm volatile("mov %0, %%cr4" : : "r"(cr4) : "memory");
}

static void begin_paging(void)
{
	unsigned long cr0;

	set_cr4(0);
	cpu_set_nxe(false);
	asm volatile("mov %0, %%cr3" : : "r"(table(ROOT)) : "memory");
	asm volatile("mov %%cr0, %0" : "=r"(cr0));
	cr0 = (cr0 & ~CR0_WP) | CR0_PG;
	asm volatile("mov %0, %%cr0" : : "r"(cr0) : "memory");
}

static void set_gate(unsigned int vector, const void *handler, unsigned int privilege)
{
	uint32_t address = (uint32_t)handler;

	idt[vector] = (address & 0xffff) | CODE_0 << 16 | (0x8eULL | privilege << 5) << 40 |
		      (uint64_t)(address >> 16) << 48;
}

/* Data segments are a user's, so that they need not change. */
static void build_descriptors(void)
{
	struct table_register gdtr = { sizeof(gdt) - 1, (uint32_t)gdt };
	struct table_register idtr = { sizeof(idt) - 1, (uint32_t)idt };
	uint64_t base = (uint32_t)tss;
	unsigned int i;

	gdt[CODE_0 / 8] = 0x00cf9b000000ffff;
	gdt[DATA_0 / 8] = 0x00cf93000000ffff;
	gdt[CODE_3 / 8] = 0x00cffb000000ffff;
	gdt[DATA_3 / 8] = 0x00cff3000000ffff;
	gdt[TASK / 8] = (sizeof(tss) - 1) | (base & 0xffffff) << 16 | 0x89ULL << 40 |
			(base >> 24 & 0xff) << 56;
	tss[1] = (uint32_t)(stack + STACK);
	tss[2] = DATA_0;
	for (i = 0; i < 32; i++)
		set_gate(i, enumerate_others + i * OTHER_SIZE, 0);
	set_gate(14, enumerate_page_fault, 0);
	set_gate(LEAVE_VECTOR, enumerate_int, 3);
	asm volatile("lgdt %0\n lidt %1\n ltr %w2\n mov %3, %%ds\n mov %3, %%es"
		     :
		     : "m"(gdtr), "m"(idtr), "r"(TASK), "r"(DATA_3)
		     : "memory");
}

void cpu_set_up(struct paging_cpu *cpu)
{
	uint32_t out[4];

	pae = cpu->format == FORMAT_PAE;
	if (pae)
		build_pae();
	else
		build_32();
	begin_paging();
	build_descriptors();
	cpu_read_features(cpu);
	cpu_cpuid(1, out);
	cpu->modes |= !pae && (out[3] >> 3 & 1) ? MODE_PSE : 0;
}

/* What changes, of @modes, with no more writes than there must be. */
void cpu_set_mode(uint32_t mode, uint32_t modes)
{
	static uint32_t now;
	uint32_t changed = (now ^ mode) & modes;

	now = mode;
	if (changed & MODE_NX)
		cpu_set_nxe(mode & MODE_NX);
	if (changed & MODE_WP)
		cpu_set_wp(mode & MODE_WP);
	if (changed & (MODE_SMEP | MODE_SMAP | MODE_PSE))
		set_cr4(mode);
}

/* There are none. */
void cpu_set_key_rights(uint32_t key, uint32_t rights)
{
	(void)key;
	(void)rights;
}

void cpu_access(bool user, bool ac, unsigned long rip, unsigned long address, unsigned long value)
{
	struct enumerate_entry entry = {
		.rip = rip,
		.cs = user ? CODE_3 : CODE_0,
		.flags = ac ? 0x40202 : 0x202,
		.sp = (unsigned long)(stack + STACK),
		.ss = DATA_3,
		.address = address,
		.value = value,
	};
	unsigned long stubs = (unsigned long)enumerate_stubs;

	/* A user has the instructions elsewhere. */
	if (user && rip >= stubs && rip < stubs + PAGE)
		entry.rip = rip - stubs + USER_BASE;
	enumerate_access(&entry);
	if (user && enumerate_seen.rip >= USER_BASE)
		enumerate_seen.rip = enumerate_seen.rip - USER_BASE + stubs;
}

unsigned long cpu_address(bool fetch)
{
	return BASE + ENUMERATE_DATA + (fetch ? PAGE : 0);
}

/* A malformed pointer may be a general protection fault. */
bool cpu_load_tables(void)
{
	enumerate_seen.vector = UINT32_MAX;
	enumerate_load((unsigned long)table(ROOT));
	return enumerate_seen.vector == UINT32_MAX;
}

static int table_of(int level)
{
	if (level == 1)
		return TABLE;
	return pae && level == 2 ? DIRECTORY : ROOT;
}

uint64_t cpu_table(int level)
{
	return ENUMERATE_TABLES + table_of(level) * PAGE;
}

static unsigned int index_in(int level, bool fetch)
{
	unsigned int bits = pae ? 9 : 10;

	return cpu_address(fetch) >> (12 + bits * (level - 1)) & ((1U << bits) - 1);
}

uint64_t cpu_get(int level, bool fetch)
{
	unsigned int i = index_in(level, fetch);

	if (!pae)
		return ((volatile uint32_t *)table32(table_of(level)))[i];
	return ((volatile uint64_t *)table(table_of(level)))[i];
}

static void set_by_halves(volatile uint32_t *half, uint64_t entry)
{
	half[0] = 0;
	half[1] = entry >> 32;
	half[0] = (uint32_t)entry;
}

static void set_at_once(volatile uint64_t *at, uint64_t entry)
{
	uint64_t old = *at;

	asm volatile("1: lock cmpxchg8b %0\n jne 1b"
		     : "+m"(*at), "+A"(old)
		     : "b"((uint32_t)entry), "c"((uint32_t)(entry >> 32))
		     : "memory");
}

void cpu_set(int level, bool fetch, uint64_t entry)
{
	static bool by_halves;
	unsigned int i = index_in(level, fetch);

	if (!pae) {
		((volatile uint32_t *)table32(table_of(level)))[i] = entry;
		return;
	}
	by_halves = !by_halves;
	if (by_halves)
		set_by_halves((volatile uint32_t *)(table(table_of(level)) + i), entry);
	else
		set_at_once(table(table_of(level)) + i, entry);
}
