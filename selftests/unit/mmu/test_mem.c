// SPDX-License-Identifier: GPL-2.0-only
/*
 * guest_mem_exchange() on a processor that traps locks across cache lines: every length at every
 * place near a line's end, on memory that is as expected, that is not, that is read-only and that
 * is not there.  No lock may cross a line; what does goes in two steps that exclude each other.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include "shim.h"

static bool traps; /* split locks are trapped */
#undef boot_cpu_has
#define boot_cpu_has(feature)		      CPU_HAS_##feature
#define CPU_HAS_X86_FEATURE_CX16	      false
#define CPU_HAS_X86_FEATURE_SPLIT_LOCK_DETECT traps

#include "../../../kmod/guest_mem.c"

#define LENGTH 256

static _Alignas(64) u8 memory[LENGTH];
static struct memslot_table table;
static struct memslot slot;
static unsigned long log[1];
static bool absent, broken, no_store;
static unsigned int locks, steps;

void note(const char *format, uint64_t a, uint64_t b, uint64_t c)
{
}

void fail(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	printf("FOUND: ");
	vprintf(format, args);
	printf("\n");
	va_end(args);
	exit(1);
}

struct memslot *memslot_find(const struct memslots *slots, gfn_t gfn)
{
	return absent ? NULL : &slot;
}

unsigned long copy_from_user(void *data, const void *user, size_t size)
{
	check(table.split_lock.l.writer == self);
	if (broken)
		return size;
	memcpy(data, user, size);
	return 0;
}

int sim_get_user(void *data, const void *user, size_t size)
{
	return copy_from_user(data, user, size) ? -EFAULT : 0;
}

unsigned long copy_to_user(void *user, const void *data, size_t size)
{
	check(table.split_lock.l.writer == self);
	if (no_store)
		return size;
	steps++;
	memcpy(user, data, size);
	return 0;
}

int sim_exchange_user(void *user, void *old, const void *new, size_t size)
{
	u64 first = (uintptr_t)user, last = first + size - 1;

	check(!traps || first / L1_CACHE_BYTES == last / L1_CACHE_BYTES);
	if (broken || no_store)
		return -EFAULT;
	locks++;
	if (memcmp(user, old, size))
		return 1;
	memcpy(user, new, size);
	return 0;
}

/* @expected of an exchange of @size bytes at @at; one that does not succeed changes nothing. */
static void try(unsigned int at, unsigned int size, bool same, int expected)
{
	u8 before[LENGTH], after[LENGTH], old[16], new[16];
	unsigned int i;
	int r;

	for (i = 0; i < LENGTH; i++)
		memory[i] = rand();
	for (i = 0; i < size; i++)
		new[i] = ~memory[at + i];
	memcpy(old, memory + at, size);
	old[size - 1] ^= !same;
	memcpy(before, memory, LENGTH);
	memcpy(after, memory, LENGTH);
	if (!expected)
		memcpy(after + at, new, size);
	log[0] = 0;
	r = guest_mem_exchange(&table, offset_in_page(memory) + at, old, new, size);
	if (r != expected)
		fail("%u bytes at %u: %d, not %d", size, at, r, expected);
	if (memcmp(memory, after, LENGTH))
		fail("%u bytes at %u: memory is wrong", size, at);
	check(log[0] == !expected);
	check(!table.split_lock.l.writer);
}

static void try_all(unsigned int at, unsigned int size)
{
	try(at, size, true, 0);
	try(at, size, false, 1);
	no_store = true;
	try(at, size, true, -EFAULT);
	no_store = false;
	broken = true;
	try(at, size, true, -EFAULT);
	broken = false;
	slot.flags = KVM_MEM_READONLY;
	try(at, size, true, -ENOENT);
	slot.flags = 0;
	absent = true;
	try(at, size, true, -ENOENT);
	absent = false;
}

int main(void)
{
	unsigned int at, size, crossing = 0;

	slot.hva = (uintptr_t)memory & ~(PAGE_SIZE - 1);
	slot.npages = 1;
	slot.dirty = log;
	self->srcu = 1; /* as a vCPU that handles an exit */
	mutex_init(&table.split_lock);
	for (traps = false;; traps = true) {
		for (size = 1; size <= 8; size *= 2) {
			for (at = 40; at < 136; at++) {
				crossing += traps && at / 64 != (at + size - 1) / 64;
				try_all(at, size);
			}
		}
		if (traps)
			break;
		check(!steps);
	}
	check(crossing && steps == crossing && locks > crossing);
	printf("test_mem: %u exchanges by a lock, %u in two steps\n", locks, steps);
	return 0;
}
