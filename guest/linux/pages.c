// SPDX-License-Identifier: GPL-2.0
/*
 * Pages on their way from the kernel into the balloon and back.
 */
#include <linux/page-flags.h>
#include <linux/page_ref.h>

#include "large_balloon.h"

static unsigned long lb_index(const struct lb_pages *pages, struct page *page)
{
	return page_to_pfn(page) >> pages->order;
}

static struct page *lb_page(const struct lb_pages *pages, unsigned long index)
{
	return pfn_to_page(index << pages->order);
}

/* Of the balloon, in units. */
u64 lb_size(struct large_balloon *lb)
{
	u64 size = 0;
	unsigned int i;

	for (i = 0; i < lb->sizes; i++) {
		const struct lb_pages *pages = &lb->pages[i];

		size += (u64)atomic_long_read(&pages->count) << (pages->shift - lb->unit_shift);
	}
	return size;
}

/*
 * No __GFP_COMP: a compound page could not leave with its memory block. Movable although it does
 * not move: it leaves by RELEASE, and ZONE_MOVABLE is where hot-plugged memory is. Not for less
 * than a block of the page allocator's, which would then be neither movable nor unmovable.
 */
static gfp_t lb_gfp(struct large_balloon *lb, struct lb_pages *pages, unsigned int effort)
{
	gfp_t gfp = GFP_HIGHUSER | __GFP_NOMEMALLOC | __GFP_NOWARN | __GFP_NORETRY;

	if (pages->order >= pageblock_order)
		gfp |= __GFP_MOVABLE;
	if (lb->nid != NUMA_NO_NODE)
		gfp |= __GFP_THISNODE;
	/* kswapd would drop page cache long after we have stopped asking. */
	gfp &= ~__GFP_KSWAPD_RECLAIM;
	if (effort == LB_EFFORT_FREE)
		gfp &= ~__GFP_DIRECT_RECLAIM;
	return gfp;
}

void lb_measure(struct large_balloon *lb, ktime_t since)
{
	u32 took = min_t(s64, ktime_us_delta(ktime_get(), since), U32_MAX);

	lb->longest_us = max(lb->longest_us, took);
	lb->longest_ever_us = max(lb->longest_ever_us, took);
}

/* One page, by one try at one effort; else as lb_sweep(). @from is where it came from. */
struct page *lb_allocate(struct large_balloon *lb, struct lb_pages *pages, unsigned int effort,
			 unsigned int *from)
{
	ktime_t since = ktime_get();
	struct page *page;

	if (effort == LB_EFFORT_SWEEP) {
		*from = LB_FROM_SWEEP;
		return lb_sweep(lb, pages);
	}
	if (pages->order > LB_MAX_ORDER)
		return ERR_PTR(-ENOENT);
	*from = LB_FROM_BUDDY;
	page = alloc_pages_node(lb->nid, lb_gfp(lb, pages, effort), pages->order);
	lb_measure(lb, since);
	return page;
}

/*
 * Pages that were swept hold a reference each; an allocation of the buddy allocator's only its
 * first. To free the former one by one takes up to fifty times longer, so they are made like the
 * latter, unless somebody looks at one of them right now.
 */
static bool lb_join(struct page *page, unsigned long count)
{
	unsigned long i;

	for (i = 1; i < count; i++)
		if (!page_ref_freeze(page + i, 1))
			break;
	if (i == count)
		return true;
	while (--i > 0)
		page_ref_unfreeze(page + i, 1);
	return false;
}

void lb_free_swept(struct page *page, unsigned long count)
{
	unsigned long piece = min(count, 1UL << LB_MAX_ORDER);
	unsigned long i;

	for (i = 0; i < count; i += piece) {
		if (lb_join(page + i, piece))
			__free_pages(page + i, ilog2(piece));
		else
			free_contig_range(page_to_pfn(page + i), piece);
		cond_resched();
	}
}

/* Of a page that was never set aside, or is put back. */
void lb_free(struct lb_pages *pages, struct page *page, unsigned int from)
{
	if (from == LB_FROM_SWEEP)
		lb_free_swept(page, 1UL << pages->order);
	else
		__free_pages(page, pages->order);
}

/* Dumps, /proc/kcore and hibernation leave such pages alone. */
static void lb_mark(struct page *page, unsigned long count)
{
	unsigned long i;

	page_offline_begin();
	for (i = 0; i < count; i++)
		__SetPageOffline(page + i);
	page_offline_end();
	adjust_managed_page_count(page, -(long)count);
}

static void lb_unmark(struct page *page, unsigned long count)
{
	unsigned long i;

	for (i = 0; i < count; i++)
		__ClearPageOffline(page + i);
	adjust_managed_page_count(page, count);
}

static void lb_count(struct lb_pages *pages, struct page *page, long change)
{
	atomic_long_add(change, &pages->count);
	atomic_long_add(change * (1L << pages->shift), &pages->on_node[page_to_nid(page)]);
}

/* Before the device is told: from then on nobody may touch it. */
int lb_set_aside(struct lb_pages *pages, struct page *page, unsigned int from)
{
	int err = xa_err(xa_store(&pages->in_balloon, lb_index(pages, page), xa_mk_value(from),
				  GFP_KERNEL | __GFP_NORETRY | __GFP_NOWARN));

	if (err)
		return err;
	lb_mark(page, 1UL << pages->order);
	lb_count(pages, page, 1);
	return 0;
}

/* The device has handed it back: it has left the set already. */
static void lb_put_back(struct lb_pages *pages, struct page *page, unsigned int from)
{
	lb_count(pages, page, -1);
	lb_unmark(page, 1UL << pages->order);
	lb_free(pages, page, from);
}

/* Return: what lb_set_aside() noted of the page, which leaves the balloon; NULL: there is none. */
static void *lb_claim(struct lb_pages *pages, u64 address)
{
	u64 index = address >> pages->shift;

	if (!IS_ALIGNED(address, 1ULL << pages->shift) || index > ULONG_MAX)
		return NULL;
	return xa_erase(&pages->in_balloon, index);
}

/* Return: pages that are the guest's again. [DRV-13] */
unsigned long lb_take_answer(struct large_balloon *lb, struct lb_pages *pages,
			     const struct lb_message *message)
{
	unsigned long count = message->written / sizeof(message->page[0]);
	unsigned long i;

	for (i = 0; i < count; i++) {
		u64 address = le64_to_cpu(message->page[i]);
		void *entry = lb_claim(pages, address);

		if (!entry) {
			lb_device_fault(lb, "page handed back that is not in the balloon", address);
			return i;
		}
		lb_put_back(pages, pfn_to_page(address >> PAGE_SHIFT), xa_to_value(entry));
		cond_resched();
	}
	return count;
}

/* The first `count` pages that the message names, and that are ours again. */
void lb_take_back(struct lb_pages *pages, const struct lb_message *message, unsigned long count)
{
	unsigned long i;

	for (i = 0; i < count; i++) {
		unsigned long index = le64_to_cpu(message->page[i]) >> pages->shift;
		void *entry = xa_erase(&pages->in_balloon, index);

		if (entry) /* else the OOM notifier has it already */
			lb_put_back(pages, lb_page(pages, index), xa_to_value(entry));
	}
}

/* A page that the device did not hand back once: it goes first. NULL: there is none. */
struct page *lb_reuse_kept(struct lb_pages *pages)
{
	unsigned long index = 0;
	void *entry = xa_find(&pages->kept, &index, ULONG_MAX, XA_PRESENT);

	if (!entry || xa_is_err(xa_store(&pages->in_balloon, index, entry,
					 GFP_KERNEL | __GFP_NORETRY | __GFP_NOWARN)))
		return NULL;
	xa_erase(&pages->kept, index);
	lb_count(pages, lb_page(pages, index), 1);
	return lb_page(pages, index);
}

static void lb_end_page(struct lb_pages *pages, unsigned long index, void *entry, bool keep)
{
	xa_erase(&pages->in_balloon, index);
	if (!keep) {
		lb_put_back(pages, lb_page(pages, index), xa_to_value(entry));
		return;
	}
	lb_count(pages, lb_page(pages, index), -1);
	if (xa_is_err(xa_store(&pages->kept, index, entry, GFP_KERNEL)))
		pr_warn_once("large-balloon: no memory to remember a page; it is lost\n");
}

/*
 * After a reset the balloon is empty.
 * @keep: the host had no memory for these pages: the guest goes on without them
 */
void lb_end_pages(struct large_balloon *lb, bool keep)
{
	unsigned long index;
	unsigned int i;
	void *entry;

	for (i = 0; i < lb->sizes; i++) {
		struct lb_pages *pages = &lb->pages[i];

		xa_for_each(&pages->in_balloon, index, entry) {
			lb_end_page(pages, index, entry, keep);
			cond_resched();
		}
	}
}
