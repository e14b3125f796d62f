/* SPDX-License-Identifier: GPL-2.0-only */
/* How often each thing that shall be proved was reached. */
#ifndef UNIT_MMU_WATCH_H
#define UNIT_MMU_WATCH_H

/* clang-format off */
#define WATCHED(x)							\
	x(CAUSE_FILL, "cause: fill")					\
	x(CAUSE_DIRTY_LOG, "cause: dirty log")				\
	x(CAUSE_GUEST_NOT_PRESENT, "cause: guest, not present")	\
	x(CAUSE_GUEST_PROTECTION, "cause: guest, protection")		\
	x(CAUSE_GUEST_RESERVED, "cause: guest, reserved bit")		\
	x(CAUSE_DIRTY_BIT, "cause: dirty bit of the guest's")		\
	x(CAUSE_ACCESSED_BIT, "cause: accessed bit of the guest's")	\
	x(CAUSE_TRACKED, "cause: write to a table, emulated")		\
	x(CAUSE_OPENED, "cause: write to a table, opened")		\
	x(SHADOW_REFUSED, "shadow: a table is not opened for itself")	\
	x(CAUSE_OPENED_AT_ONCE, "cause: write to a table, opened for it")	\
	x(SHADOW_FLOOD, "shadow: opened after many stores")		\
	x(SHADOW_LENT, "shadow: a user's page is lent to the supervisor") \
	x(SHADOW_RETURNED, "shadow: and given back")			\
	x(SHADOW_PIECES, "shadow: access by a piece of a large page") \
	x(SHADOW_CR3, "shadow: root loaded")				\
	x(SHADOW_MODE, "shadow: mode changed")				\
	x(SHADOW_CUT, "shadow: a chain was full")			\
	x(SHADOW_SHRUNK, "shadow: tables dropped for the host")		\
	x(SHADOW_INVLPG, "shadow: INVLPG by the processor")		\
	x(SHADOW_ERRAND, "shadow: an entry is stored to for another vCPU")	\
	x(SHADOW_STORE, "shadow: store to what may be a table")		\
	x(SHADOW_HALF_STORE, "shadow: store of half an entry")		\
	x(SHADOW_UNPAGED, "shadow: access, paging off")			\
	x(SHADOW_SECOND, "shadow: access by the second table")		\
	x(SHADOW_MOVED, "shadow: access by the second table, all are there")	\
	x(SHADOW_MOVE, "shadow: the VM has gone over")			\
	x(SHADOW_SECOND_TRACKED, "shadow: write to a table by the second one") \
	x(SHADOW_32, "shadow: access, 32-bit tables")			\
	x(SHADOW_PAE, "shadow: access, PAE tables")			\
	x(SHADOW_LONG, "shadow: access, 4-level tables")		\
	x(SHADOW_STALE, "shadow: access by what the guest has changed since") \
	x(CAUSE_LOG_FULL, "cause: the list of writes is full")		\
	x(CAUSE_MMIO, "cause: MMIO")					\
	x(CAUSE_NOTIFIER_RETRY, "cause: notifier retry")		\
	x(CAUSE_SPURIOUS, "cause: spurious")				\
	x(CAUSE_HOST_ERROR, "cause: host error")			\
	x(ENTRY_NONE_LEAF, "entry: none to leaf")			\
	x(ENTRY_NONE_TABLE, "entry: none to table")			\
	x(ENTRY_LEAF_MORE, "entry: leaf allows more")			\
	x(ENTRY_LEAF_LESS, "entry: leaf allows less")			\
	x(ENTRY_LEAF_CLEAN, "entry: leaf loses its dirty bit")		\
	x(ENTRY_LEAF_TABLE, "entry: leaf to table, a split")		\
	x(ENTRY_SPLIT_OPEN, "entry: leaf to table, whose pieces allow more") \
	x(ENTRY_SPLIT_BREAK, "entry: others between two splits of one call") \
	x(ENTRY_LARGE, "entry: a large leaf comes")			\
	x(ENTRY_GIANT, "entry: a leaf of a GiB comes")			\
	x(ENTRY_GIANT_ROOM, "entry: a leaf of a GiB comes for a table")	\
	x(ENTRY_GIANT_TABLE, "entry: leaf of a GiB to table, a split")	\
	x(ENTRY_GIANT_NONE, "entry: leaf of a GiB to none")		\
	x(ENTRY_ROOM, "entry: a large leaf comes for a table")		\
	x(ENTRY_LEAF_NONE, "entry: leaf to none")			\
	x(ENTRY_TABLE_NONE, "entry: table to none")			\
	x(TABLE_FREED, "table page freed")				\
	x(GUEST_READ, "guest: read")					\
	x(GUEST_WRITE, "guest: write")					\
	x(GUEST_FETCH, "guest: fetch")					\
	x(GUEST_CACHED, "guest: access by a cached translation")	\
	x(GUEST_TABLE_CACHED, "guest: walk from a cached table")	\
	x(GUEST_RESTART, "guest: flush in the middle of a walk")	\
	x(GUEST_AHEAD, "guest: mapped ahead")				\
	x(FLUSH, "flush")						\
	x(FLUSH_COVERED, "flush: the processor had seen the change")	\
	x(KERNEL_READ, "kernel: read of guest memory")			\
	x(KERNEL_WRITE, "kernel: write to guest memory")		\
	x(KERNEL_PUT, "kernel: store of a word in guest memory")	\
	x(KERNEL_EXCHANGE, "kernel: exchange in guest memory")		\
	x(GUEST_OWN_PAGE, "guest: access of the module's own page")	\
	x(SLOT_ADD, "slot: added")					\
	x(SLOT_DELETE, "slot: deleted")					\
	x(SLOT_MOVE, "slot: moved")					\
	x(SLOT_LOG_ON, "slot: log goes on")				\
	x(SLOT_LOG_OFF, "slot: log goes off")				\
	x(SLOT_REFUSED, "slot: refused")				\
	x(SLOT_NO_MEMORY, "slot: no memory")				\
	x(LOG_GET, "log: read and cleared")				\
	x(LOG_PEEK, "log: read only")					\
	x(LOG_BY_PROTECTION, "log: told, by write protection")		\
	x(LOG_BY_BITS, "log: told, by dirty bits")			\
	x(LOG_BY_LIST, "log: told, by lists")				\
	x(LOG_CHECKED, "log: compared with what processors keep")	\
	x(LOG_RECORD, "log: a list is recorded")			\
	x(LOG_ANEW, "log: the first one after all were off")		\
	x(LOG_MODE, "log: another mode")				\
	x(LOG_MODE_REFUSED, "log: a mode is refused")			\
	x(LOG_CLEAR, "log: cleared")					\
	x(LOG_DIRTY, "log: a page that was written is told")		\
	x(LOG_EFAULT, "log: could not be told")				\
	x(LOG_REFUSED, "log: refused")					\
	x(HOST_BREAK, "host: others between two parts of an invalidation") \
	x(HOST_POPULATE, "host: a page brought in ahead")		\
	x(HOST_COW, "host: copy on write")				\
	x(HOST_SWAP_OUT, "host: swapped out")				\
	x(HOST_SWAP_IN, "host: swapped in")				\
	x(HOST_DISCARD, "host: discarded")				\
	x(HOST_TRUNCATE, "host: truncated")				\
	x(HOST_POISON, "host: memory broke")				\
	x(HOST_DEVICE, "host: a device mapped")				\
	x(HOST_PROTECT, "host: made read-only")				\
	x(HOST_CLEAN, "host: cleaned")					\
	x(HOST_LAZY_FREE, "host: freed lazily")				\
	x(HOST_SHARE, "host: shared")					\
	x(HOST_UNSHARE, "host: no longer shared")			\
	x(HOST_MIGRATE, "host: migrated")				\
	x(HOST_RESTORE, "host: restored")				\
	x(HOST_HUGE, "host: a huge page from the start")		\
	x(HOST_GIANT, "host: a GiB by one entry or by huge ones")	\
	x(HOST_GIANT_SPLIT, "host: a GiB by huge entries from now on")	\
	x(HOST_GIANT_JOIN, "host: a GiB by one entry from now on")	\
	x(HOST_COLLAPSE, "host: small pages became a huge one")		\
	x(HOST_SPLIT, "host: a huge page became small ones")		\
	x(HOST_HIDE, "host: 2 MiB are hidden for a while")		\
	x(HOST_AGE_FLUSH, "host: in use? forgotten exactly")		\
	x(HOST_AGE, "host: in use? forgotten")				\
	x(HOST_TEST_YOUNG, "host: in use?")				\
	x(AUDIT, "audit")
/* clang-format on */

#define WATCHED_NAME(name, text) name,
enum watched {
	WATCHED(WATCHED_NAME) NR_WATCHED
};

extern unsigned long watched[NR_WATCHED];

static inline void count(enum watched what)
{
	watched[what]++;
}

/* Prints all; how many were reached fewer than @least times. */
int watch_report(unsigned long least);

#endif
