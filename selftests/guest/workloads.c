// SPDX-License-Identifier: GPL-2.0-only
/*
 * A guest that edits its page tables as Linux does, for counting what each edit costs.
 *
 * It is kernel and processes in one: all code runs in ring 0, with CR0.WP set.  The first entry of
 * the topmost table is the kernel's, the same in all address spaces: memory as it is, by pages of
 * 2 MiB, through which tables are written.  The second entry is the process's own.  Pages come from
 * a list, which gives back what was freed last, be it a table or not; a table is cleared before it
 * is used.
 *
 * The test calls guest_main() with what is to be done in rdi and how often in rsi (workloads.h).
 */
#include "workloads.h"

typedef unsigned long u64;

#define PAGE	   0x1000UL
#define ENTRIES	   512
#define P	   1UL
#define W	   2UL
#define U	   4UL
#define A	   0x20UL
#define D	   0x40UL
#define LARGE	   0x80UL
#define ADDRESS	   0x000ffffffffff000UL
#define TABLE	   (P | W | U | A | D)
#define PF_PRESENT 1UL
#define IDT	   0x2000UL
#define CODE64	   0x08UL
#define CR0_WP	   0x10000UL

#define POOL	      0x200000UL
#define POOL_END      WORKLOADS_MEMORY
#define NR_POOL	      ((POOL_END - POOL) / PAGE)
#define USER	      0x8000000000UL	      /* a process's first page */
#define STACKS	      (USER + 0x3fc0000000UL) /* in another table of each level but the topmost */
#define AREA	      (USER + 0x10000000UL)   /* what is mapped and unmapped */
#define SMALL	      24		      /* pages of each of the two regions of a process */
#define NR_PROCESSES  32
#define FLUSH_CEILING 33 /* so many pages are forgotten one by one */

struct process {
	u64 *top;
};

static u64 free_pages[NR_POOL], nr_free, kernel_entry;
static unsigned char users[NR_POOL]; /* of a page: processes that map it */
static struct process processes[NR_PROCESSES];
static struct process *current;

static u64 read_cr3(void)
{
	u64 value;

	asm volatile("mov %%cr3, %0" : "=r"(value) : : "memory");
	return value;
}

static void write_cr3(u64 value)
{
	asm volatile("mov %0, %%cr3" : : "r"(value) : "memory");
}

static void invlpg(u64 address)
{
	asm volatile("invlpg (%0)" : : "r"(address) : "memory");
}

static void stop(void)
{
	for (;;)
		asm volatile("ud2");
}

static u64 page_alloc(void)
{
	if (!nr_free)
		stop();
	return free_pages[--nr_free];
}

static void page_free(u64 page)
{
	free_pages[nr_free++] = page;
}

static void page_clear(u64 page)
{
	u64 n = PAGE / 8;

	asm volatile("rep stosq" : "+D"(page), "+c"(n) : "a"(0UL) : "memory");
}

static void page_copy(u64 to, u64 from)
{
	u64 n = PAGE / 8;

	asm volatile("rep movsq" : "+D"(to), "+S"(from), "+c"(n) : : "memory");
}

static u64 table_alloc(void)
{
	u64 table = page_alloc();

	page_clear(table);
	return table;
}

static unsigned char *users_of(u64 entry)
{
	return &users[((entry & ADDRESS) - POOL) / PAGE];
}

static u64 get(const u64 *entry)
{
	return *(const volatile u64 *)entry;
}

static void set(u64 *entry, u64 value)
{
	*(volatile u64 *)entry = value;
}

static u64 get_and_clear(u64 *entry)
{
	u64 value = 0;

	asm volatile("xchg %0, %1" : "+r"(value), "+m"(*entry) : : "memory");
	return value;
}

static void protect(u64 *entry)
{
	asm volatile("lock andb $0xfd, %0" : "+m"(*(unsigned char *)entry) : : "memory");
}

static u64 *entry_in(u64 table, u64 address, int level)
{
	return (u64 *)(table & ADDRESS) + (address >> (12 + 9 * (level - 1)) & (ENTRIES - 1));
}

/* The entry of the last level for @address; tables on the way are made. */
static u64 *entry_of(struct process *p, u64 address)
{
	u64 table = (u64)p->top;
	int level;

	for (level = 4; level > 1; level--) {
		u64 *entry = entry_in(table, address, level);

		if (!get(entry))
			set(entry, table_alloc() | TABLE);
		table = get(entry);
	}
	return entry_in(table, address, 1);
}

/* All that the process had of the address space is forgotten. */
static void flush_all(void)
{
	write_cr3(read_cr3());
}

static void switch_to(struct process *p)
{
	current = p;
	write_cr3((u64)p->top);
}

static void process_create(struct process *p)
{
	p->top = (u64 *)table_alloc();
	set(p->top, kernel_entry);
}

/* A page that is not there is made; one that others have too is copied, an only one's opened. */
static void page_fault(u64 address, u64 error)
{
	u64 *entry = entry_of(current, address), old = get(entry), page;

	if (address < USER || (error & PF_PRESENT) != (old & P))
		stop();
	if (!(old & P)) {
		page = page_alloc();
		page_clear(page);
		*users_of(page) = 1;
		set(entry, page | P | W | U | A | D);
		return;
	}
	if (*users_of(old) == 1) {
		set(entry, old | W | D);
		return;
	}
	page = page_alloc();
	page_copy(page, old & ADDRESS);
	*users_of(page) = 1;
	get_and_clear(entry);
	invlpg(address);
	set(entry, page | P | W | U | A | D);
	--*users_of(old);
}

__attribute__((interrupt)) static void handle_page_fault(void *frame, u64 error)
{
	u64 address;

	(void)frame;
	asm volatile("mov %%cr2, %0" : "=r"(address));
	page_fault(address, error);
}

static void copy_entries(struct process *child, u64 *table, u64 base)
{
	u64 *to = 0, i;

	for (i = 0; i < ENTRIES; i++) {
		u64 entry = get(&table[i]);

		if (!(entry & P))
			continue;
		if (entry & W)
			protect(&table[i]);
		if (!to)
			to = entry_of(child, base);
		++*users_of(entry);
		set(&to[i], entry & ~W);
	}
}

/* As fork() does: what is writable is not any more, in both. */
static void process_fork(struct process *child, struct process *parent)
{
	u64 i, j, k;

	process_create(child);
	for (i = 0; i < ENTRIES; i++) {
		u64 *pointers = (u64 *)(get(&parent->top[1]) & ADDRESS);

		if (!get(&pointers[i]))
			continue;
		for (j = 0; j < ENTRIES; j++) {
			u64 *directory = (u64 *)(get(&pointers[i]) & ADDRESS);

			if (!get(&directory[j]))
				continue;
			k = USER + (i << 30) + (j << 21);
			copy_entries(child, (u64 *)(get(&directory[j]) & ADDRESS), k);
		}
	}
	flush_all();
}

static void page_put(u64 entry)
{
	if (!--*users_of(entry))
		page_free(entry & ADDRESS);
}

/* Tables from @level on, and what they map, are given back: from below. */
static void free_tables(u64 table, int level)
{
	u64 *entries = (u64 *)(table & ADDRESS), i;

	for (i = 0; i < ENTRIES; i++) {
		u64 entry = get(&entries[i]);

		if (!entry)
			continue;
		if (level > 1)
			free_tables(entry, level - 1);
		set(&entries[i], 0);
		if (level == 1)
			page_put(entry);
		else
			page_free(entry & ADDRESS);
	}
}

/* Nobody uses the process's tables any more, but that the processor may still have them loaded. */
static void process_exit(struct process *p)
{
	free_tables(get(&p->top[1]), 3);
	page_free(get(&p->top[1]) & ADDRESS);
	set(&p->top[1], 0);
	page_free((u64)p->top);
}

static void touch(u64 base, u64 pages)
{
	u64 i;

	for (i = 0; i < pages; i++)
		*(volatile u64 *)(base + i * PAGE) = i;
}

static void look(u64 base, u64 pages)
{
	u64 i;

	for (i = 0; i < pages; i++)
		*(volatile u64 *)(base + i * PAGE);
}

static void unmap(u64 base, u64 pages)
{
	u64 i, entry;

	for (i = 0; i < pages; i++) {
		entry = get_and_clear(entry_of(current, base + i * PAGE));
		if (entry)
			page_put(entry);
	}
	if (pages > FLUSH_CEILING)
		return flush_all();
	for (i = 0; i < pages; i++)
		invlpg(base + i * PAGE);
}

/* A child that writes to three of its pages, reads some, and is gone. */
static void fork_and_exit(void)
{
	struct process *parent = current, *child = parent + 1;

	process_fork(child, parent);
	switch_to(child);
	touch(STACKS, 2);
	touch(USER + 4 * PAGE, 1);
	look(USER, SMALL);
	switch_to(parent);
	process_exit(child);
	touch(STACKS, 2);
}

/* The child's writes copy, then the parent's find pages that are theirs alone. */
static void copy_on_write(void)
{
	struct process *parent = current, *child = parent + 1;

	process_fork(child, parent);
	switch_to(child);
	touch(AREA, WORKLOADS_PAGES);
	switch_to(parent);
	process_exit(child);
	touch(AREA, WORKLOADS_PAGES);
}

static void map_and_unmap(u64 pages)
{
	touch(AREA, pages);
	unmap(AREA, pages);
}

static void read_only_and_back(u64 pages)
{
	u64 i;

	for (i = 0; i < pages; i++) {
		u64 *entry = entry_of(current, AREA + i * PAGE);

		set(entry, get_and_clear(entry) & ~W);
	}
	flush_all();
	look(AREA, pages);
	for (i = 0; i < pages; i++) {
		u64 *entry = entry_of(current, AREA + i * PAGE);

		set(entry, get_and_clear(entry) | W);
	}
	flush_all();
	touch(AREA, pages);
}

/* Each process in turn uses four of its pages. */
static void go_round(u64 nr)
{
	u64 i;

	for (i = 0; i < nr; i++) {
		switch_to(&processes[i]);
		touch(USER, 2);
		look(STACKS, 2);
	}
}

static void set_up(void)
{
	u64 *gate = (u64 *)IDT + 2 * 14, handler = (u64)handle_page_fault, i, cr0;
	u64 *pointers, *directory;

	gate[0] = (handler & 0xffff) | CODE64 << 16 | 0x8eUL << 40 | (handler >> 16) << 48;
	gate[1] = 0;
	asm volatile("mov %%cr0, %0" : "=r"(cr0));
	asm volatile("mov %0, %%cr0" : : "r"(cr0 | CR0_WP));
	for (i = POOL_END; i > POOL; i -= PAGE)
		page_free(i - PAGE);
	pointers = (u64 *)table_alloc();
	directory = (u64 *)table_alloc();
	kernel_entry = (u64)pointers | TABLE;
	pointers[0] = (u64)directory | TABLE;
	for (i = 0; i < WORKLOADS_MEMORY >> 21; i++)
		directory[i] = i << 21 | P | W | A | D | LARGE;
	process_create(&processes[0]);
	switch_to(&processes[0]);
	/* Memory has been used before. */
	for (i = 0; i < nr_free; i++)
		page_clear(free_pages[i]);
	touch(USER, SMALL);
	touch(STACKS, SMALL);
}

/* Processes like the first one, until there are @nr. */
static void add_processes(u64 nr)
{
	u64 i;

	for (i = 1; i < nr; i++) {
		process_create(&processes[i]);
		switch_to(&processes[i]);
		touch(USER, SMALL);
		touch(STACKS, SMALL);
	}
	switch_to(&processes[0]);
}

/* Called by the start code; what is done once is WORK_SET_UP and WORK_GROW. */
void guest_main(unsigned int work, unsigned int n);

void guest_main(unsigned int work, unsigned int n)
{
	unsigned int i;

	if (work == WORK_SET_UP)
		set_up();
	if (work == WORK_ADD_PROCESSES)
		add_processes(n);
	if (work == WORK_GROW)
		touch(AREA, WORKLOADS_PAGES);
	if (work == WORK_SHRINK)
		unmap(AREA, WORKLOADS_PAGES);
	if (work == WORK_FILL)
		touch(AREA, n);
	for (i = 0; i < n; i++) {
		if (work == WORK_FORK)
			fork_and_exit();
		if (work == WORK_COPY)
			copy_on_write();
		if (work == WORK_MAP_256)
			map_and_unmap(256);
		if (work == WORK_MAP_16)
			map_and_unmap(16);
		if (work == WORK_PROTECT)
			read_only_and_back(256);
		if (work == WORK_SWITCH_2)
			go_round(2);
		if (work == WORK_SWITCH_4)
			go_round(4);
		if (work == WORK_SWITCH_8)
			go_round(8);
		if (work == WORK_SWITCH_32)
			go_round(32);
	}
}
