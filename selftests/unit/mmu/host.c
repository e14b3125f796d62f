// SPDX-License-Identifier: GPL-2.0-only
/*
 * A process's address space, and how the kernel gets at its pages.
 *
 * A page table entry changes between two points, so entries need no lock.  The host's rules: what
 * takes a mapping away, or the permission to write, is told to the notifier before and after; what
 * adds is not.  A page is freed when nobody refers to it.
 */
#include <sys/mman.h>
#include "host.h"
#include "mmu/host_map.h"
#include "shim.h"
#include "watch.h"
#include "world.h"

#define MAX_DATA_PAGES 13000

#define CHUNK 512u

static struct vpage *vpages;
static bool touched[HVA_PAGES / CHUNK]; /* chunks that were looked at: only there are pages */
static struct page *zero_page;

/*
 * The GiB of giant pages: what is true of all of it.  Few of its pages are ever looked at; those
 * are kept up to date.
 * @page: the first one; NULL: nothing is mapped
 * @level: of the entries that map it
 * @readonly: the process may not write
 * @writable: the host's entries allow writing
 * @blocked: invalidations of all of it
 * @aging: times that the host is asking about it
 * @forgotten: see struct vpage
 * @seen: somebody has looked at the page
 */
static struct {
	struct page *page;
	int level;
	bool readonly;
	bool writable;
	int blocked;
	int aging;
	unsigned long forgotten;
	bool seen[GIANT_VPAGES];
} giant;

static void vpage_see(struct vpage *v);

void host_start(void)
{
	if (!vpages)
		vpages = mmap(NULL, HVA_PAGES * sizeof(*vpages), PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	check(vpages != MAP_FAILED);
	if (!zero_page)
		zero_page = page_get(PAGE_DATA);
	zero_page->zero = true;
}

/* The process does not map @page any more; nor do others, with which nothing else is done. */
void host_leave(struct page *page)
{
	while (page->sharers) {
		page->sharers--;
		put_page(page);
	}
	put_page(page);
}

/* The process is gone: so is its memory. */
void host_stop(void)
{
	unsigned int i;

	if (world.giant)
		host_unmap_giant();
	for (i = 0; i < HVA_PAGES; i++)
		if (touched[i / CHUNK] && vpages[i].page) {
			vpages[i].page->head = NULL;
			host_leave(vpages[i].page);
		}
	memset(touched, 0, sizeof(touched));
	memset(&giant, 0, sizeof(giant));
	check(!madvise(vpages, HVA_PAGES * sizeof(*vpages), MADV_DONTNEED));
	check(pages_used(PAGE_DATA) == 1 && zero_page->refs == 1);
}

struct vpage *host_vpage_at(unsigned int nr)
{
	check(nr < HVA_PAGES);
	touched[nr / CHUNK] = true;
	if (host_is_giant(nr) && !giant.seen[nr - GIANT_FIRST])
		vpage_see(&vpages[nr]);
	return &vpages[nr];
}

unsigned int host_vpage_nr(const struct vpage *v)
{
	return v - vpages;
}

struct vpage *host_vpage(unsigned long hva)
{
	return host_vpage_at((hva - HVA_BASE) >> PAGE_SHIFT);
}

/* A word of the page of @v holds @value from now on. */
void host_written(struct vpage *v, unsigned int word, uint64_t value)
{
	check(!v->page->zero && !v->page->sharers);
	*page_word(v->page, word) = value;
	v->page->written = true;
	if (world.shadow)
		oracle_changed(v, word);
	v->value[word] = value;
}

/* The process has stored to the page: all that is known of it. */
static void host_stored(struct vpage *v, unsigned long offset, size_t size)
{
	unsigned int word;

	for (word = 0; word < PAGE_WORDS; word++)
		if (offset < word * PAGE_WORD_STRIDE + 8 && offset + size > word * PAGE_WORD_STRIDE)
			host_written(v, word, *page_word(v->page, word));
}

static void vpage_map(struct vpage *v, struct page *page, bool write)
{
	v->page = page;
	v->state = VPAGE_PRESENT;
	v->writable = write;
	v->dirty = write;
}

void host_map_huge(unsigned int first, struct page *page)
{
	unsigned int i;

	for (i = 0; i < HUGE_VPAGES; i++) {
		vpage_map(&vpages[first + i], &page[i], true);
		vpages[first + i].huge = true;
	}
}

/* It is mapped by small entries from now on; each page has the huge one's state. */
void host_unmap_huge(unsigned int first)
{
	bool dirty = vpages[first].page->head->dirty;
	unsigned int i;

	for (i = 0; i < HUGE_VPAGES; i++) {
		vpages[first + i].huge = false;
		vpages[first + i].page->head = NULL;
		vpages[first + i].page->dirty = dirty;
	}
}

/* A first write where nothing is yet: a huge page, if there is one. */
static bool vpage_map_huge(struct vpage *v)
{
	unsigned int i, first = host_vpage_nr(v) / HUGE_VPAGES * HUGE_VPAGES;
	struct page *page;

	for (i = first; i < first + HUGE_VPAGES; i++)
		if (host_vpage_at(i)->state != VPAGE_EMPTY || vpages[i].readonly ||
		    vpages[i].blocked)
			return false;
	page = pages_get_huge();
	if (!page)
		return false;
	host_map_huge(first, page);
	count(HOST_HUGE);
	return true;
}

int host_map_level(unsigned long hva)
{
	const struct vpage *v = host_vpage(hva);

	if (host_is_giant(host_vpage_nr(v)))
		return giant.page ? giant.level : 1;
	return v->huge ? 2 : 1;
}

bool host_is_giant(unsigned int nr)
{
	return world.giant && nr >= GIANT_FIRST;
}

/* As all of the GiB is. */
static void vpage_be_giant(struct vpage *v)
{
	v->page = giant.page ? giant.page + (host_vpage_nr(v) - GIANT_FIRST) : NULL;
	v->state = giant.page ? VPAGE_PRESENT : VPAGE_EMPTY;
	v->readonly = giant.readonly;
	v->writable = giant.page && giant.writable;
	if (!giant.page)
		memset(v->value, 0, sizeof(v->value));
}

/* Somebody looks at the page for the first time. */
static void vpage_see(struct vpage *v)
{
	giant.seen[host_vpage_nr(v) - GIANT_FIRST] = true;
	v->blocked = giant.blocked;
	v->aging = giant.aging;
	v->forgotten = giant.forgotten;
	vpage_be_giant(v);
}

unsigned int host_next_seen(unsigned int nr)
{
	const bool *at;

	if (!host_is_giant(nr) || nr >= HVA_PAGES)
		return nr;
	at = memchr(&giant.seen[nr - GIANT_FIRST], true, HVA_PAGES - nr);
	return at ? GIANT_FIRST + (at - giant.seen) : HVA_PAGES;
}

static void giant_changed(void)
{
	unsigned int i;

	for (i = host_next_seen(GIANT_FIRST); i < HVA_PAGES; i = host_next_seen(i + 1))
		vpage_be_giant(&vpages[i]);
}

/* All of the GiB is mapped, or may be written again.  An errno: the page is not free yet. */
static int giant_fault(bool write)
{
	if (!giant.page) {
		giant.page = pages_get_giant();
		if (!giant.page)
			return -EFAULT;
		giant.level = draw(4) ? 3 : 2;
		giant.writable = false;
		count(HOST_GIANT);
	}
	giant.writable |= !giant.readonly && (write || draw(2));
	giant_changed();
	return 0;
}

void host_unmap_giant(void)
{
	struct page *page = giant.page;

	giant.page = NULL;
	giant_changed();
	if (page)
		put_page(page);
}

void host_protect_giant(bool readonly)
{
	giant.readonly = readonly;
	giant.writable &= !readonly;
	giant_changed();
}

void host_resize_giant(void)
{
	if (!giant.page)
		return;
	giant.level ^= 1;
	count(giant.level == 3 ? HOST_GIANT_JOIN : HOST_GIANT_SPLIT);
}

void host_block_giant(int by)
{
	unsigned int i;

	giant.blocked += by;
	for (i = host_next_seen(GIANT_FIRST); i < HVA_PAGES; i = host_next_seen(i + 1))
		vpages[i].blocked += by;
}

void host_age_giant(int by, unsigned long forgotten)
{
	giant.aging += by;
	giant.forgotten = forgotten;
}

/* A write to what is shared: a page of its own, with the same contents. */
static void vpage_unshare(struct vpage *v)
{
	struct page *old = v->page, *new;
	unsigned int nr = host_vpage_nr(v);

	old->refs++;
	new = page_get(PAGE_DATA);
	page_copy(new, old);
	new->written = true;
	point();
	host_begin(nr, 1);
	if (v->state == VPAGE_PRESENT && v->page == old && (old->zero || old->sharers) &&
	    !v->readonly) {
		vpage_map(v, new, true);
		host_leave(old);
		count(HOST_COW);
	} else {
		put_page(new);
	}
	host_end(nr, 1);
	put_page(old);
}

/* Does for a page fault of the process what it takes; then the process looks again.  An errno. */
static int vpage_fault(struct vpage *v, bool write)
{
	unsigned int i;

	if (v->state == VPAGE_HOLE || v->state == VPAGE_DEVICE || (write && v->readonly))
		return -EFAULT;
	if (v->state == VPAGE_BAD)
		return -EHWPOISON;
	if (host_is_giant(host_vpage_nr(v)))
		return giant_fault(write);
	if (v->state != VPAGE_PRESENT && pages_used(PAGE_DATA) > MAX_DATA_PAGES)
		return -ENOMEM;
	switch (v->state) {
	case VPAGE_EMPTY:
		if (write) {
			if ((!world.large && draw(3)) || !vpage_map_huge(v))
				vpage_map(v, page_get(PAGE_DATA), true);
		} else {
			zero_page->refs++;
			vpage_map(v, zero_page, false);
		}
		break;
	case VPAGE_SWAPPED:
		vpage_map(v, page_get(PAGE_DATA), write);
		for (i = 0; i < PAGE_WORDS; i++)
			*page_word(v->page, i) = v->stored[i];
		count(HOST_SWAP_IN);
		break;
	case VPAGE_UNMAPPED:
		vpage_map(v, v->page, write && !v->page->sharers && !v->page->zero);
		break;
	case VPAGE_MOVING:
		wait_turn();
		break;
	default: /* present, but not writable */
		if (v->page->zero || v->page->sharers)
			vpage_unshare(v);
		else
			vpage_map(v, v->page, true);
	}
	return 0;
}

static bool vpage_ready(const struct vpage *v, bool write)
{
	return v->state == VPAGE_PRESENT && (!write || v->writable);
}

/* The page that @v maps, with a reference more; faults in what is missing if @sleep. */
static long vpage_get(struct vpage *v, bool write, bool sleep, struct page **page)
{
	int r;

	point();
	while (!vpage_ready(v, write)) {
		if (!sleep)
			return 0;
		r = vpage_fault(v, write);
		if (r)
			return r;
		point();
	}
	*page = v->page;
	page_hold(v->page);
	point();
	return 1;
}

static long get_page_slowly(unsigned long hva, unsigned int flags, struct page **page)
{
	long r;

	might_sleep();
	if (alloc_failing && draw_one_in(200))
		r = draw_one_in(2) ? -EINTR : -ENOMEM;
	else
		r = vpage_get(host_vpage(hva), flags & FOLL_WRITE, true, page);
	if (r == -EHWPOISON && !(flags & FOLL_HWPOISON))
		r = -EFAULT;
	if (r < 0)
		self->gup_error = r;
	/* A signal, which is a reason to begin anew. */
	if (r == -EINTR)
		world_event();
	return r;
}

/* Several at a time: nobody has asked for them, so they have to be a slot's, and writable. */
long get_user_pages_unlocked(unsigned long hva, int nr, struct page **page, unsigned int flags)
{
	long r = 0;
	int i;

	if (!(flags & FOLL_HWPOISON))
		model_check_ahead(hva, nr);
	for (i = 0; i < nr; i++) {
		bool there = vpage_ready(host_vpage(hva + i * PAGE_SIZE), flags & FOLL_WRITE);

		r = get_page_slowly(hva + i * PAGE_SIZE, flags, &page[i]);
		if (r != 1)
			break;
		if (!there && !(flags & FOLL_HWPOISON))
			count(HOST_POPULATE);
	}
	return i ?: r;
}

/* Pages of one kind in a row are a mapping of the process's. */
static bool is_populatable(hva_t hva)
{
	const struct vpage *v;

	if (hva < HVA_BASE || hva >= HVA_BASE + HVA_PAGES * PAGE_SIZE)
		return false;
	v = host_vpage(hva);
	return v->state != VPAGE_HOLE && v->state != VPAGE_DEVICE && !v->readonly;
}

bool host_map_populatable(hva_t hva, hva_t *start, hva_t *end)
{
	hva_t from = hva, to = hva + PAGE_SIZE;

	might_sleep();
	point();
	if (!is_populatable(hva))
		return false;
	while (from > *start && is_populatable(from - PAGE_SIZE))
		from -= PAGE_SIZE;
	while (to < *end && is_populatable(to))
		to += PAGE_SIZE;
	*start = from;
	*end = to;
	return true;
}

int host_map_device(unsigned long hva, bool write, hfn_t *hfn, bool *writable)
{
	const struct vpage *v = host_vpage(hva);

	might_sleep();
	point();
	if (v->state != VPAGE_DEVICE || (write && !v->writable)) {
		self->gup_error = -EFAULT;
		return -EFAULT;
	}
	*hfn = page_to_pfn(v->page);
	*writable = v->writable;
	point();
	return 0;
}

bool host_is_device(hfn_t hfn)
{
	return sim_pfn_to_page(hfn)->device;
}

long get_user_pages_fast_only(unsigned long hva, int nr, unsigned int flags, struct page **page)
{
	int i;

	for (i = 0; i < nr; i++)
		if (vpage_get(host_vpage(hva + i * PAGE_SIZE), flags & FOLL_WRITE, false,
			      &page[i]) <= 0)
			break;
	return i;
}

static bool is_hva(const void *user)
{
	return (unsigned long)user - HVA_BASE < HVA_PAGES * PAGE_SIZE;
}

/* For an access of the process itself: 0, or an errno. */
static int user_access(const void *user, bool write, struct vpage **v)
{
	int r;

	check(self->nofault || !self->spinning);
	*v = host_vpage((unsigned long)user);
	while (!vpage_ready(*v, write)) {
		r = self->nofault ? -EFAULT : vpage_fault(*v, write);
		if (r) {
			self->user_failed |= !self->nofault;
			return r;
		}
	}
	if (write)
		(*v)->dirty = true;
	return 0;
}

/* The process uses the page, so that it is there and writable; what is in it stays. */
void host_touch(struct vpage *v)
{
	user_access((void *)(HVA_BASE + host_vpage_nr(v) * PAGE_SIZE), true, &v);
}

/* Of the process's memory a page's first eight bytes are known to the proof. */
unsigned long copy_to_user(void *user, const void *data, size_t size)
{
	struct vpage *v;
	unsigned int i;

	point();
	if (!is_hva(user)) {
		if (alloc_failing && draw_one_in(8))
			return size;
		memcpy(user, data, size);
		return 0;
	}
	if (user_access(user, true, &v))
		return size;
	check(offset_in_page(user) + size <= PAGE_SIZE);
	memcpy((char *)page_value(v->page) + offset_in_page(user), data, size);
	host_stored(v, offset_in_page(user), size);
	point();
	/* Others see the bytes now, for as long as it takes. */
	for (i = self->nofault ? draw(24) : 0; i; i--)
		point();
	return 0;
}

int sim_get_user(void *data, const void *user, size_t size)
{
	struct vpage *v;

	point();
	if (!is_hva(user)) {
		memcpy(data, user, size);
		return 0;
	}
	if (user_access(user, false, &v))
		return -EFAULT;
	check(offset_in_page(user) + size <= PAGE_SIZE);
	memcpy(data, (char *)page_value(v->page) + offset_in_page(user), size);
	v->table |= world.shadow;
	return 0;
}

/* In two halves, between which others store. */
unsigned long copy_from_user(void *data, const void *user, size_t size)
{
	size_t half = size / 2;

	if (sim_get_user(data, user, half))
		return size;
	return sim_get_user((char *)data + half, (const char *)user + half, size - half)
		       ? size - half
		       : 0;
}

int sim_exchange_user(void *user, void *old, const void *new, size_t size)
{
	struct vpage *v;
	char *at;

	point();
	if (user_access(user, true, &v))
		return -EFAULT;
	at = (char *)page_value(v->page) + offset_in_page(user);
	if (memcmp(at, old, size))
		return 1;
	memcpy(at, new, size);
	host_stored(v, offset_in_page(user), size);
	return 0;
}

/* The process has the page at hand and writable, for a moment. */
unsigned long sim_fault_in(unsigned long hva)
{
	struct vpage *v;

	point();
	return user_access((void *)hva, true, &v) ? 1 : 0;
}
