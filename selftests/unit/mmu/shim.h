/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the MMU, the slots and the dirty log need of the kernel's headers, for user space.  Each
 * header that they include is a generated file that includes this one.
 *
 * Threads are fibers (fiber.h), and point() is a place where another one may go on: locks, accesses
 * of shared memory that the code takes care to order, and whatever may sleep.  Locks are real: who
 * must wait does, and who asserts that a lock is held is heard.
 */
#ifndef UNIT_MMU_SHIM_H
#define UNIT_MMU_SHIM_H

#include <errno.h>
#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include "fiber.h"
#include "pages.h"

typedef __u8 u8;
typedef __u16 u16;
typedef __u32 u32;
typedef __u64 u64;
typedef __s64 s64;

#define __user
#define __rcu
#define __force
#define __must_check	 __attribute__((warn_unused_result))
#define READ_ONCE(x)	 (*(const volatile typeof(x) *)&(x))
#define WRITE_ONCE(x, v) (*(volatile typeof(x) *)&(x) = (v))
#define smp_rmb()	 point()
#define smp_wmb()	 point()
#define smp_mb()	 point()
#define WARN_ON_ONCE(x)	 ((x) ? fail("warning: %s", #x), true : false)

#define U8_MAX		   ((u8)~0u)
#define BITS_PER_LONG	   64
#define BIT(n)		   (1UL << (n))
#define BIT_ULL(n)	   (1ULL << (n))
#define GENMASK_ULL(h, l)  ((~0ULL << (l)) & (~0ULL >> (63 - (h))))
#define DIV_ROUND_UP(n, d) (((n) + (d)-1) / (d))
#define is_power_of_2(n)   ((n) && !((n) & ((n)-1)))
#define ARRAY_SIZE(a)	   (sizeof(a) / sizeof((a)[0]))
#define min(a, b)	   ((a) < (b) ? (a) : (b))
#define max(a, b)	   ((a) > (b) ? (a) : (b))
#define min_t(t, a, b)	   min((t)(a), (t)(b))
#define max_t(t, a, b)	   max((t)(a), (t)(b))
#define __ffs(x)	   ((unsigned long)__builtin_ctzl(x))
#define __fls(x)	   (63 - (unsigned long)__builtin_clzl(x))
#define test_bit(n, map)   ((map)[(n) / 64] >> ((n) % 64) & 1)
#define set_bit(n, map)	   ((map)[(n) / 64] |= BIT((n) % 64))
#define PAGE_SHIFT	   12
#define PAGE_SIZE	   4096ul
#define PAGE_MASK	   (~(PAGE_SIZE - 1))
#define PAGE_ALIGNED(x)	   (!((x) % PAGE_SIZE))
#define offset_in_page(x)  ((unsigned long)(x) % PAGE_SIZE)
#define L1_CACHE_BYTES	   64

#define container_of(p, type, member) ((type *)((char *)(p)-offsetof(type, member)))
#define ERR_PTR(e)		      ((void *)(long)(e))
#define PTR_ERR(p)		      ((long)(p))
#define IS_ERR(p)		      ((unsigned long)(p) >= -4095ul)

/* Atomics: fibers change places at points only. */
typedef struct {
	long counter;
} atomic_long_t;

typedef struct {
	s64 counter;
} atomic64_t;

#define atomic_long_read(a)		  READ_ONCE((a)->counter)
#define atomic_long_add(n, a)		  ((a)->counter += (n))
#define atomic_long_inc(a)		  ((a)->counter++)
#define atomic_long_dec(a)		  ((a)->counter--)
#define atomic_long_or(n, a)		  ((a)->counter |= (n))
#define atomic64_read(a)		  (point(), READ_ONCE((a)->counter))
#define atomic64_inc_return(a)		  sim_increase(&(a)->counter)
#define atomic64_try_cmpxchg(a, old, new) try_cmpxchg64(&(a)->counter, old, new)
#define xchg(p, new)			  __atomic_exchange_n(p, new, __ATOMIC_SEQ_CST)
#define try_cmpxchg64(p, old, new) \
	(point(),                  \
	 __atomic_compare_exchange_n(p, old, new, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
#define atomic_long_fetch_andnot(n, a) __atomic_fetch_and(&(a)->counter, ~(n), __ATOMIC_SEQ_CST)

/* Locks. */
#define rwlock_init(lock)		(*(lock) = (rwlock_t){ 0 })
#define mutex_init(m)			rwlock_init(&(m)->l)
#define mutex_lock(m)			sim_mutex_lock(&(m)->l)
#define mutex_lock_killable(m)		(sim_mutex_lock(&(m)->l), 0)
#define mutex_unlock(m)			sim_mutex_unlock(&(m)->l)
#define lockdep_is_held(m)		((m)->l.writer == self)
#define lockdep_assert_held_write(lock) check((lock)->writer == self)
#define lockdep_assert_held(lock) \
	check(((const struct sim_lock *)(lock))->writer == self || self->reading == (void *)(lock))
#define might_sleep() check(!self->spinning)

#define cond_resched_rwlock_write(lock) sim_break(lock)

#define init_srcu_struct(s)		(sim_alloc_fails() ? -ENOMEM : ((s)->alive = true, 0))
#define cleanup_srcu_struct(s)		((s)->alive = false)
#define synchronize_srcu_expedited(s)	(might_sleep(), sim_srcu_wait())
#define srcu_dereference_check(p, s, c) (check(self->srcu || (c)), (p))
#define rcu_dereference_protected(p, c) (p)
#define rcu_assign_pointer(p, v)	((p) = (v), point())
#define RCU_INIT_POINTER(p, v)		((p) = (v))

/* Lists, the tree of intervals, the array of slots. */
#define list_empty(l)			     ((l)->next == (l))
#define list_add_tail(node, head)	     list_add(node, (head)->prev)
#define INIT_LIST_HEAD(l)		     ((l)->next = (l)->prev = (l))
#define LIST_HEAD(name)			     struct list_head name = { &(name), &(name) }
#define list_first_entry(head, type, member) container_of((head)->next, type, member)
#define list_for_each_entry_safe(p, n, head, member)              \
	for (p = list_first_entry(head, typeof(*p), member),      \
	    n = list_first_entry(&p->member, typeof(*p), member); \
	     &p->member != (head); p = n, n = list_first_entry(&n->member, typeof(*n), member))
#define list_for_each_entry(p, head, member)                                       \
	for (p = list_first_entry(head, typeof(*p), member); &p->member != (head); \
	     p = list_first_entry(&p->member, typeof(*p), member))

#define RB_ROOT_CACHED ((struct rb_root_cached){ NULL })
#define interval_tree_iter_first(root, start, last) \
	interval_tree_iter_next(&(struct interval_tree_node){ .next = (root)->first }, start, last)

static inline int xa_err(const void *p)
{
	return IS_ERR(p) ? (int)PTR_ERR(p) : 0;
}

#define xa_init(xa)	(*(xa) = (struct xarray){ 0 })
#define xa_destroy(xa)	((void)(xa))
#define xa_load(xa, id) ((id) < ARRAY_SIZE((xa)->at) ? (xa)->at[id] : NULL)
#define xa_store(xa, id, p, gfp) \
	((gfp) && sim_alloc_fails() ? ERR_PTR(-ENOMEM) : ((xa)->at[id] = (p)))
#define xa_erase(xa, id) ((xa)->at[id] = NULL)
#define xa_for_each(xa, id, p)                                          \
	for (id = 0, p = (xa)->at[0]; id < ARRAY_SIZE((xa)->at);        \
	     id++, p = id < ARRAY_SIZE((xa)->at) ? (xa)->at[id] : NULL) \
		if (p)

/* Memory: what is allocated here, and the pages of a simulated host (pages.c, host.c). */
#define GFP_KERNEL_ACCOUNT		    1
#define __GFP_ZERO			    2
#define FOLL_WRITE			    1
#define FOLL_HWPOISON			    2
#define struct_size(p, m, n)		    offsetof(typeof(*(p)), m[n])
#define __GFP_DMA32			    4
#define page_private(page)		    ((page)->private)
#define set_page_private(page, v)	    ((page)->private = (v))
#define pagefault_disable()		    (self->nofault++)
#define pagefault_enable()		    (self->nofault--)
#define fault_in_safe_writeable(user, size) sim_fault_in((unsigned long)(user))
#define kzalloc(size, gfp)		    sim_alloc(size)
#define kcalloc(n, size, gfp)		    sim_alloc((n) * (size))
#define kvzalloc(size, gfp)		    sim_alloc(size)
#define kvcalloc(n, size, gfp)		    sim_alloc((n) * (size))
#define kfree(p)			    free(p)
#define kvfree(p)			    free(p)
#define __sme_set(x)			    (x)
#define __sme_clr(x)			    (x)
#define virt_to_phys(p)			    (page_to_pfn(virt_to_page(p)) << PAGE_SHIFT)
#define get_zeroed_page(gfp)		    ((unsigned long)page_address(alloc_page(gfp)))
#define PageReserved(page)		    ((page)->zero)
#define SetPageDirty(page)		    (((page)->head ?: (page))->dirty = true)
#define clear_page(p)			    memset(p, 0, PAGE_SIZE)
#define mark_page_accessed(page)	    ((page)->young = true)

/* The user's memory: host.c. */
#define access_ok(user, size)	   true
#define user_access_begin(user, n) false
#define user_access_end()	   ((void)0)
#define _ASM_EXTABLE_TYPE_REG(...) ""
#ifndef boot_cpu_has
#define boot_cpu_has(feature) false
#endif
#define current					  NULL
#define signal_pending(task)			  sim_signal_pending()
#define fatal_signal_pending(task)		  false
#define __try_cmpxchg_user(user, old, new, label) sim_exchange_user(user, old, &(new), sizeof(new))

/* A trace event calls proof_NAME() with what it would record (watch.c). */
#define TP_PROTO(...)		__VA_ARGS__
#define TP_ARGS(...)		__VA_ARGS__
#define TRACE_DEFINE_ENUM(name) _Static_assert(1, "")
#define TRACE_EVENT(name, proto, args, ...)    \
	void proof_##name(proto);              \
	static inline void trace_##name(proto) \
	{                                      \
		proof_##name(args);            \
	}                                      \
	_Static_assert(1, "")

#endif
