/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The MMU's door: all that the rooms above may know of it.
 *
 * Tables belong to the VM, the mode belongs to the vCPU.  A VM (struct mmu_vm) holds up to one
 * backend of each kind at a time; a vCPU (struct mmu_vcpu) runs on one of them, and may go over to
 * the other.  Events that come from outside (a fault, the notifier, a change of slots) are told
 * once and reach every live backend.
 */
#ifndef MKVM_MMU_MMU_H
#define MKVM_MMU_MMU_H

#include <linux/list.h>
#include <linux/mkvm.h>
#include <linux/spinlock.h>
#include "memslot.h"
#include "types.h"

struct mmu_backend;
struct mmu_vm;
struct pte_fmt;

enum mmu_kind {
	MMU_TDP,
	MMU_SHADOW,
	MMU_NR_KINDS
};

#define MMU_MAX_LEVEL 5

/**
 * struct mmu_caps - what the processor's second table is like
 * @fmt: its format; NULL: the processor has none
 * @fmt_beside: its format in a VM with shadow tables; NULL: there is none beside those.  Without
 *	accessed and dirty bits of its own: where a processor keeps these, it takes each step of its
 *	walk of the guest's tables for a write, and could not walk one that is shadowed
 * @levels: depth that the processor walks
 * @max_level: level of the largest leaf: 1 (4 KiB), 2 (2 MiB) or 3 (1 GiB)
 * @no_large_exec: code in large leaves can bring the processor down (iTLB multihit)
 * @pml: it can list the frames that it sets a dirty bit of; each vCPU has a page for the list
 * @phys_bits: width of a physical address
 */
struct mmu_caps {
	const struct pte_fmt *fmt;
	const struct pte_fmt *fmt_beside;
	int levels;
	int max_level;
	bool no_large_exec;
	bool pml;
	int phys_bits;
};

/**
 * struct mmu_up - what the MMU asks of the VM above it
 * @flush_tlb: make every vCPU drop all translations of its guest before it next executes guest
 *	code, and return when none executes guest code with an older one.  Called without the MMU's
 *	lock; must not sleep.
 * @drain_log: MKVM_DIRTY_LOG_PML: return when what the processors have listed so far is in the logs
 *	of the slots, and when all list or none does, as mmu_vm.listing says.  Called without the
 *	MMU's lock; must not sleep.
 * @kill: the VM contradicts itself: it may never run again
 */
struct mmu_up {
	void (*flush_tlb)(struct mmu_vm *mmu);
	void (*drain_log)(struct mmu_vm *mmu);
	void (*kill)(struct mmu_vm *mmu);
};

/* What the host's memory management asks; each is counted. */
enum mmu_host_event {
	MMU_HOST_INVALIDATE,	 /* takes memory away or changes it */
	MMU_HOST_INVALIDATE_HIT, /* of these, those that found something mapped */
	MMU_HOST_AGE_FLUSH,	 /* was it used? forget it, and make the processors forget it */
	MMU_HOST_AGE,		 /* was it used? forget it */
	MMU_HOST_TEST_YOUNG,	 /* was it used? */
	MMU_NR_HOST_EVENTS
};

/**
 * struct mmu_own_page - a page that is not user space's; see own_page.c
 * @gfn: where it is
 * @hfn: its frame
 * @on: it is there
 */
struct mmu_own_page {
	gfn_t gfn;
	hfn_t hfn;
	bool on;
};

/**
 * struct mmu_vm - a VM's memory virtualisation
 * @lock: read: faults add entries by compare-exchange; write: everything else that changes entries,
 *	and all fields below that name no other rule
 * @slots: the VM's slots; immutable
 * @up: immutable
 * @caps: immutable
 * @backend: the live backends by kind; set once each, before a vCPU may use it
 * @invalidate_active: notifier invalidations that have begun and not ended
 * @invalidate_seq: invalidations that have ended
 * @invalidate_start: with @invalidate_end, host addresses that the active ones cover
 * @invalidate_end: exclusive
 * @flush_owed: number of the last change that hardware may not have seen yet; atomic
 * @flush_done: number of the last change that every processor has seen; atomic
 * @retired: table pages that no entry names any more, and that some processor may still walk
 * @around: frames that a fault may map at most, a power of two; 1: only its own; atomic
 * @populate: pages that a fault may have the host bring in, and map: a power of two; 0: only its
 *	own; atomic
 * @log_mode: MKVM_DIRTY_LOG_PROTECT, _BITS or _PML; constant while a slot is logged; lock of the
 *	slots
 * @log_eager: large leaves are split when a log goes on; lock of the slots
 * @nr_logged: slots that are logged
 * @listing: processors list what they set a dirty bit of; read by vCPUs before each entry
 * @own_page: @on is read without the lock, too
 * @host_events: how often the host has come; atomic
 * @mapped_around: leaves that fault-around has added; atomic
 * @table_pages: table pages that exist, retired ones included; atomic
 * @mapped: live leaf entries by level; atomic
 */
struct mmu_vm {
	rwlock_t lock;
	struct memslot_table *slots;
	const struct mmu_up *up;
	struct mmu_caps caps;
	struct mmu_backend *backend[MMU_NR_KINDS];
	unsigned int invalidate_active;
	unsigned long invalidate_seq;
	hva_t invalidate_start;
	hva_t invalidate_end;
	atomic64_t flush_owed;
	atomic64_t flush_done;
	struct list_head retired;
	unsigned int around;
	unsigned int populate;
	u32 log_mode;
	bool log_eager;
	unsigned int nr_logged;
	bool listing;
	struct mmu_own_page own_page;
	atomic_long_t host_events[MMU_NR_HOST_EVENTS];
	atomic_long_t mapped_around;
	atomic_long_t table_pages;
	atomic_long_t mapped[MMU_MAX_LEVEL + 1];
};

/* Table pages got before the lock is taken, as under it no memory can be had. */
struct pt_cache {
	struct list_head pages;
	unsigned int nr;
};

/**
 * struct mmu_around - how a vCPU's faults map more than the frame that was asked for
 * @start: first frame of the last window
 * @pages: frames of a window, a power of two; 0: no window yet
 */
struct mmu_around {
	gfn_t start;
	unsigned int pages;
};

enum gpt_mode {
	GPT_NONE, /* paging is off: linear is physical */
	GPT_32,
	GPT_PAE,
	GPT_LONG,
};

/**
 * struct gpt_root - where a guest's walk begins, and by what rules
 * @mode: format of the tables
 * @cr3: guest CR3
 * @pdptr: the four page-directory-pointer entries of GPT_PAE, or NULL: they are read from memory
 * @pse: CR4.PSE: 4 MiB pages in 32-bit tables
 * @gbpages: 1 GiB pages exist
 * @amd: the processor is one of AMD's: bit 8 of a topmost entry of GPT_LONG is reserved
 * @wp: CR0.WP: supervisor writes obey W
 * @nx: EFER.NX: entries may forbid fetches
 * @smep: CR4.SMEP: no supervisor fetches from user pages
 * @smap: CR4.SMAP is on and RFLAGS.AC does not suspend it: no supervisor access to user pages
 * @cr4_smap: CR4.SMAP is on
 * @phys_bits: width of a guest-physical address, 0 to 52
 */
struct gpt_root {
	enum gpt_mode mode;
	u64 cr3;
	const u64 *pdptr;
	bool pse;
	bool gbpages;
	bool amd;
	bool wp;
	bool nx;
	bool smep;
	bool smap;
	bool cr4_smap;
	u8 phys_bits;
};

#define MMU_MAX_ROOTS 4 /* a processor that begins with four entries has as many */

struct gpt_walk;
struct shadow_page;

/**
 * struct mmu_vcpu - how one vCPU translates; owner vCPU only
 * @vm: immutable
 * @kind: the backend in use
 * @cache: table pages in reserve
 * @around: fault-around
 * @spares: MMU_SHADOW: shadow pages in reserve
 * @nr_spares: how many
 * @root: MMU_SHADOW: how its guest's walk begins, as last loaded
 * @pdptr: for @root
 * @roots: MMU_SHADOW: what shadows the tables at which it begins; the MMU's lock
 * @flush: a VM with shadow tables: before it next enters the guest its processor has to forget what
 *	it has cached of it; the caller of the MMU sees to it and clears this
 * @walk: MMU_SHADOW: the last walk of the guest's tables
 * @pae: MMU_SHADOW: the four entries at which a processor begins that is not in long mode
 * @opened: MMU_SHADOW: where its last fault opened a table; GPA_NONE: it did not
 */
struct mmu_vcpu {
	struct mmu_vm *vm;
	enum mmu_kind kind;
	struct pt_cache cache;
	struct mmu_around around;
	struct list_head spares;
	unsigned int nr_spares;
	struct gpt_root root;
	u64 pdptr[MMU_MAX_ROOTS];
	struct shadow_page *roots[MMU_MAX_ROOTS];
	bool flush;
	struct gpt_walk *walk;
	u64 *pae;
	gva_t opened;
};

/**
 * enum mmu_outcome - what became of a fault
 * @MMU_RESUME: enter the guest again, the access will succeed or fault anew
 * @MMU_MMIO: there is no memory to map: no slot, or a write to a read-only one
 * @MMU_REFLECT: the guest's own page fault, to be delivered to it
 * @MMU_EMULATE: no entry can allow the write: its instruction is to be emulated; if it cannot be,
 *	mmu_open_table()
 * @MMU_FAILED: the host could not supply the frame; see mmu_fault.error
 */
enum mmu_outcome {
	MMU_RESUME,
	MMU_MMIO,
	MMU_REFLECT,
	MMU_EMULATE,
	MMU_FAILED,
};

/* Why a fault that could not be resolved at once begins anew; for the backend. */
enum mmu_again {
	MMU_AGAIN_NOT,
	MMU_AGAIN_FLUSH, /* a table is shadowed anew: first no processor may write to it */
	MMU_AGAIN_WALK,	 /* the guest's tables have changed since they were walked */
	MMU_AGAIN_ROOT,	 /* the vCPU's root is gone, or there is no room for more shadow pages */
};

/**
 * struct mmu_debt - a flush that is owed
 * @change: number of the last change that it is for (mmu_vm.flush_owed); 0: nothing is owed
 *
 * Who takes translations away returns one, and so does each function between that and the event,
 * which settles it: all are __must_check.
 */
struct mmu_debt {
	s64 change;
};

/**
 * struct mmu_fault - one fault
 * @gpa: in: the guest-physical address (MMU_TDP); out: what it is (MMU_SHADOW)
 * @gva: in: the linear address (MMU_SHADOW)
 * @root: in: by what rules the guest's tables are walked (MMU_SHADOW)
 * @access: in: ACC_* of the access, with ACC_U if it is one of user mode (MMU_SHADOW)
 * @ahead: in: nobody has made the access yet: the leaf gets no accessed and no dirty bit, and has
 *	nothing mapped around it
 * @slot: for the backend: where the address lies; NULL: it is the module's own page
 * @logged: for the backend: a dirty log records writes there
 * @level: for the backend: the level of the largest leaf that may map the frame
 * @host_level: for the backend: and how large it could be by the host's mapping and the slot alone
 * @writable: for the backend: the leaf may allow writing, if the access is one
 * @again: for the backend: why the fault has to begin anew
 * @debt: for the backend: what has to be settled before, with %MMU_AGAIN_FLUSH
 * @walk: for the backend: the walk of the guest's tables
 * @marked: for the backend: accessed and dirty bits of the guest's that the fault has set
 * @linked: for the backend: a table on the way was not named by the one above
 * @code: out: with MMU_REFLECT, the page fault's error code
 * @cause: out: the one cause
 * @error: out: with MMU_FAILED, a negative errno
 */
struct mmu_fault {
	gpa_t gpa;
	gva_t gva;
	const struct gpt_root *root;
	u32 access;
	bool ahead;
	struct memslot *slot;
	bool logged;
	int level;
	int host_level;
	bool writable;
	enum mmu_again again;
	struct mmu_debt debt;
	struct gpt_walk *walk;
	u64 marked;
	bool linked;
	u32 code;
	enum mkvm_mmu_cause cause;
	int error;
};

void mmu_vm_init(struct mmu_vm *mmu, struct memslot_table *slots, const struct mmu_up *up,
		 const struct mmu_caps *caps);
int mmu_vm_enable(struct mmu_vm *mmu, enum mmu_kind kind) __must_check;
void mmu_vm_destroy(struct mmu_vm *mmu);
bool mmu_flush_is_due(struct mmu_vm *mmu, s64 *seen) __must_check;
bool mmu_has_accessed_bits(const struct mmu_vm *mmu);
gfn_t mmu_end_gfn(const struct mmu_vm *mmu);
size_t mmu_table_bytes(const struct mmu_vm *mmu);
size_t mmu_metadata_bytes(const struct mmu_vm *mmu);
size_t mmu_vcpu_bytes(const struct mmu_vcpu *mv);

/* Fault-around: the largest window, and a VM's own. */
#define MMU_AROUND_MAX 512
bool mmu_around_is_valid(u64 pages);
int mmu_set_around(struct mmu_vm *mmu, u64 pages) __must_check;
bool mmu_populate_is_valid(u64 pages);
int mmu_set_populate(struct mmu_vm *mmu, u64 pages) __must_check;

/* The dirty log's modes: what a processor has, and a VM's own. */
u32 mmu_log_modes(const struct mmu_caps *caps);
u32 mmu_log_best(const struct mmu_caps *caps);
int mmu_set_log(struct mmu_vm *mmu, u64 mode) __must_check;

void mmu_vcpu_init(struct mmu_vcpu *mv, struct mmu_vm *mmu, enum mmu_kind kind);
void mmu_vcpu_destroy(struct mmu_vcpu *mv);
void mmu_vcpu_use(struct mmu_vcpu *mv, enum mmu_kind kind);

/* Shadow tables only: what the vCPU has to tell, and to ask before it enters the guest. */
int mmu_load_root(struct mmu_vcpu *mv, const struct gpt_root *root) __must_check;
int mmu_prepare_root(struct mmu_vcpu *mv) __must_check;
void mmu_forget_tables(struct mmu_vm *mmu);
bool mmu_open_table(struct mmu_vcpu *mv, const struct mmu_fault *fault) __must_check;
unsigned long mmu_shadow_opened(const struct mmu_vm *mmu);
unsigned long mmu_shadow_cut(const struct mmu_vm *mmu);

/* How many shadow pages are kept. */
#define MMU_SHADOW_LIMIT_MIN 32u
#define MMU_SHADOW_LIMIT_MAX 0x100000u
static inline bool mmu_shadow_limit_is_valid(u32 pages)
{
	return pages >= MMU_SHADOW_LIMIT_MIN && pages <= MMU_SHADOW_LIMIT_MAX;
}

void mmu_set_shadow_limit(struct mmu_vm *mmu, u32 pages);
unsigned long mmu_shadow_pages(const struct mmu_vm *mmu);
unsigned long mmu_shadow_shrink(struct mmu_vm *mmu, unsigned long nr);

/* The root that the processor shall walk for @mv, and how deep. */
hpa_t mmu_root(const struct mmu_vcpu *mv);
int mmu_root_level(const struct mmu_vcpu *mv);

enum mmu_outcome mmu_handle_fault(struct mmu_vcpu *mv, struct mmu_fault *fault) __must_check;

long mmu_prefault(struct mmu_vcpu *mv, gpa_t gpa) __must_check;

/* own_page.c */
void mmu_own_page_set(struct mmu_vm *mmu, gfn_t gfn, hfn_t hfn);
void mmu_own_page_remove(struct mmu_vm *mmu);
bool mmu_own_page_is_on(const struct mmu_vm *mmu);

/* Events from outside; each returns with every flush done that it or an earlier one owed. */
void mmu_invalidate_begin(struct mmu_vm *mmu, hva_t start, hva_t end, bool may_sleep);
void mmu_invalidate_end(struct mmu_vm *mmu);
bool mmu_age(struct mmu_vm *mmu, hva_t start, hva_t end, bool flush);
bool mmu_is_young(struct mmu_vm *mmu, hva_t hva);
void mmu_slot_added(struct mmu_vm *mmu, struct memslot *slot);
void mmu_slot_removed(struct mmu_vm *mmu, struct memslot *slot);
void mmu_slot_replaced(struct mmu_vm *mmu, struct memslot *old, struct memslot *slot);
void mmu_slot_unlogged(struct mmu_vm *mmu, struct memslot *slot);
void mmu_slot_watch(struct mmu_vm *mmu, struct memslot *slot);
void mmu_slot_collect(struct mmu_vm *mmu, struct memslot *slot, u64 first, u64 npages);
void mmu_slot_harvest(struct mmu_vm *mmu, struct memslot *slot, u64 word, u64 words,
		      unsigned long *bits);

/**
 * struct mmu_audit - what an audit found
 * @is_frame: in: does the host have frame @hfn at @hva, and may it be written if @writable?  Called
 *	under the MMU's lock; NULL: the host is not asked
 * @data: in: for @is_frame
 * @found: the first contradiction; NULL: there is none
 * @gfn: where it is
 * @level: of the entry
 * @entry: its value
 * @pages: table pages in use
 * @retired: table pages that wait for a flush
 * @mapped: leaves by level
 */
struct mmu_audit {
	bool (*is_frame)(void *data, hva_t hva, hfn_t hfn, bool writable);
	void *data;
	const char *found;
	gfn_t gfn;
	int level;
	u64 entry;
	u64 pages;
	u64 retired;
	u64 mapped[MMU_MAX_LEVEL + 1];
};

void mmu_audit(struct mmu_vm *mmu, struct mmu_audit *audit);

/* host_map.c, for is_frame of mmu_audit: what the current process has mapped. */
bool host_map_denies_write(hva_t hva);

/* Guest tables. */
gpa_t gpt_translate(struct memslot_table *slots, const struct gpt_root *root, gva_t gva,
		    bool checked);
int gpt_access(struct memslot_table *slots, const struct gpt_root *root, gva_t gva, u32 access,
	       gpa_t *gpa, u32 *error) __must_check;

/* Formats of a second table. */
const struct pte_fmt *pte_fmt_ept(bool ad);
const struct pte_fmt *pte_fmt_npt(void);
const struct pte_fmt *pte_fmt_shadow(void);

#endif /* MKVM_MMU_MMU_H */
