// SPDX-License-Identifier: GPL-2.0-only
/*
 * The enumerator in 64-bit mode, with tables of its own: the first entry of the topmost table maps
 * memory as it is, for supervisors, by pages of 2 MiB; the second is what the cases are about; by
 * the third users have the page of instructions.
 */
#include "enumerate_cpu.h"

#define P 1UL
#define W 2UL
#define U 4UL
#define A 0x20UL
#define D 0x40UL
#define L 0x80UL

/* Pages of tables */
enum {
	ROOT,
	POINTERS,
	DIRECTORY,
	TABLE,
	OWN_POINTERS,
	OWN_DIRECTORY,
	USER_POINTERS,
	USER_DIRECTORY,
	USER_TABLE,
	NR_TABLES
};

#define BASE	   (1UL << 39)
#define USER_BASE  (2UL << 39)
#define OWN_MEMORY 0x1000000UL
#define STACK	   4096
#define CODE_0	   0x08
#define DATA_0	   0x10
#define CODE_3	   0x1b
#define DATA_3	   0x23
#define TASK	   0x28

struct table_register {
	uint16_t limit;
	uint64_t base;
} __attribute__((packed));

static uint64_t gdt[7], idt[256][2];
static uint32_t tss[26];
static unsigned char stack[STACK] __attribute__((aligned(16)));

static uint64_t *table(int i)
{
	return (uint64_t *)(ENUMERATE_TABLES + i * PAGE);
}

static uint64_t names(int i, uint64_t flags)
{
	return (ENUMERATE_TABLES + i * PAGE) | P | W | A | flags;
}

static void build_tables(void)
{
	uint64_t i;

	table(ROOT)[0] = names(OWN_POINTERS, 0);
	table(OWN_POINTERS)[0] = names(OWN_DIRECTORY, 0);
	for (i = 0; i < OWN_MEMORY >> 21; i++)
		table(OWN_DIRECTORY)[i] = i << 21 | P | W | A | D | L;
	table(ROOT)[2] = names(USER_POINTERS, U);
	table(USER_POINTERS)[0] = names(USER_DIRECTORY, U);
	table(USER_DIRECTORY)[0] = names(USER_TABLE, U);
	table(USER_TABLE)[0] = (uint64_t)enumerate_stubs | P | U | A;
	cpu_load_tables();
}

static void set_gate(unsigned int vector, const void *handler, unsigned int privilege)
{
	uint64_t address = (uint64_t)handler;

	idt[vector][0] = (address & 0xffff) | CODE_0 << 16 | (0x8eULL | privilege << 5) << 40 |
			 (address >> 16 & 0xffff) << 48;
	idt[vector][1] = address >> 32;
}

static void build_descriptors(void)
{
	struct table_register gdtr = { sizeof(gdt) - 1, (uint64_t)gdt };
	struct table_register idtr = { sizeof(idt) - 1, (uint64_t)idt };
	uint64_t base = (uint64_t)tss, top = (uint64_t)(stack + STACK);
	unsigned int i;

	gdt[CODE_0 / 8] = 0x00af9b000000ffff;
	gdt[DATA_0 / 8] = 0x00cf93000000ffff;
	gdt[CODE_3 / 8] = 0x00affb000000ffff;
	gdt[DATA_3 / 8] = 0x00cff3000000ffff;
	gdt[TASK / 8] = (sizeof(tss) - 1) | (base & 0xffffff) << 16 | 0x89ULL << 40 |
			(base >> 24 & 0xff) << 56;
	gdt[TASK / 8 + 1] = base >> 32;
	tss[1] = top;
	tss[2] = top >> 32;
	for (i = 0; i < 32; i++)
		set_gate(i, enumerate_others + i * OTHER_SIZE, 0);
	set_gate(14, enumerate_page_fault, 0);
	set_gate(LEAVE_VECTOR, enumerate_int, 3);
	asm volatile("lgdt %0\n lidt %1\n ltr %w2" : : "m"(gdtr), "m"(idtr), "r"(TASK) : "memory");
}

void cpu_set_up(struct paging_cpu *cpu)
{
	uint32_t out[4];

	build_tables();
	build_descriptors();
	cpu_read_features(cpu);
	cpu_cpuid(7, out);
	cpu->modes |= out[2] >> 3 & 1 ? MODE_PKE : 0;
}

/* What changes, of @modes, with no more writes than there must be. */
void cpu_set_mode(uint32_t mode, uint32_t modes)
{
	static uint32_t now = UINT32_MAX;
	uint32_t changed = (now ^ mode) & modes;
	unsigned long cr4 = CR4_PAE;

	now = mode;
	if (changed & MODE_NX)
		cpu_set_nxe(mode & MODE_NX);
	if (changed & MODE_WP)
		cpu_set_wp(mode & MODE_WP);
	if (!(changed & (MODE_SMEP | MODE_SMAP | MODE_PKE)))
		return;
	cr4 |= mode & MODE_SMEP ? CR4_SMEP : 0;
	cr4 |= mode & MODE_SMAP ? CR4_SMAP : 0;
	cr4 |= mode & MODE_PKE ? CR4_PKE : 0;
	asm volatile("mov %0, %%cr4" : : "r"(cr4) : "memory");
}

/* CR4.PKE is set. */
void cpu_set_key_rights(uint32_t key, uint32_t rights)
{
	asm volatile("wrpkru" : : "a"(rights << 2 * key), "c"(0), "d"(0) : "memory");
}

void cpu_access(bool user, bool ac, unsigned long rip, unsigned long address, unsigned long value)
{
	struct enumerate_entry entry = {
		.rip = rip,
		.cs = user ? CODE_3 : CODE_0,
		.flags = ac ? 0x40202 : 0x202,
		.sp = (unsigned long)(stack + STACK),
		.ss = user ? DATA_3 : DATA_0,
		.address = address,
		.value = value,
	};
	unsigned long stubs = (unsigned long)enumerate_stubs;

	/* A user has the instructions elsewhere. */
	if (user && rip >= stubs && rip < stubs + PAGE)
		entry.rip = rip - stubs + USER_BASE;
	enumerate_access(&entry);
	if (user && enumerate_seen.rip >= USER_BASE)
		enumerate_seen.rip += stubs - USER_BASE;
}

unsigned long cpu_address(bool fetch)
{
	return BASE + ENUMERATE_DATA + (fetch ? PAGE : 0);
}

uint64_t cpu_table(int level)
{
	return ENUMERATE_TABLES + (MAX_LEVELS - level) * PAGE;
}

static volatile uint64_t *entry_at(int level, bool fetch)
{
	unsigned int i = cpu_address(fetch) >> (12 + 9 * (level - 1)) & 511;

	return (uint64_t *)cpu_table(level) + i;
}

uint64_t cpu_get(int level, bool fetch)
{
	return *entry_at(level, fetch);
}

void cpu_set(int level, bool fetch, uint64_t entry)
{
	*entry_at(level, fetch) = entry;
}

bool cpu_load_tables(void)
{
	asm volatile("mov %0, %%cr3" : : "r"(table(ROOT)) : "memory");
	return true;
}
