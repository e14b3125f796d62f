/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where things are in a test guest's memory, for C and for assembly.  All but the fresh pages is
 * below 64 KiB, where real mode reaches it with segment 0.
 */
#ifndef SELFTESTS_LAYOUT_H
#define SELFTESTS_LAYOUT_H

#define GUEST_GDT	 0x1000
#define GUEST_TSS	 0x1800
#define GUEST_IDT	 0x2000
#define GUEST_TABLES	 0x3000 /* six pages */
#define GUEST_TRAPS	 0x9000 /* the exception handlers' code */
#define GUEST_TRAP_LOG	 0xa000
#define GUEST_CODE	 0xb000
#define GUEST_CODE_END	 0xe000
#define GUEST_SHARED	 0xe000	 /* words that guest and test talk by */
#define GUEST_STACKS	 0x10000 /* end of the first CPU's stack; the others' are below */
#define GUEST_STACK_SIZE 0x400
#define GUEST_MAX_CPUS	 4 /* that guest_start() has a stack for */
#define GUEST_MAX_VCPUS	 64
#define GUEST_DATA	 0x10000 /* not touched before a test does it */

#define GUEST_MEM_SIZE 0x1000000

/* The exception log: how many, then a record each. */
#define TRAP_LOG_FIRST	 64
#define TRAP_LOG_RECORD	 64
#define TRAP_LOG_RECORDS 32

/* Ports without a device: the guest stops at them for the test to look. */
#define PORT_SYNC 0x80

/* The same as text, for guest code in a string. */
#define STRING_(x) #x
#define STRING(x)  STRING_(x)
#define S_CODE	   STRING(GUEST_CODE)
#define S_SHARED   STRING(GUEST_SHARED)
#define S_SYNC	   STRING(PORT_SYNC)

#endif
