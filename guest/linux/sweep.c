// SPDX-License-Identifier: GPL-2.0
/*
 * The third effort: memory is emptied, the cheapest blocks first, by moving what is in them.
 *
 * Linux allocates a range at a given place; which place is up to the caller. Going by address, a
 * sweep moves several times the pages that it has to. So all memory is surveyed first.
 */
#include <linux/nodemask.h>
#include <linux/page-flags.h>
#include <linux/sizes.h>
#include <linux/sort.h>

#include "large_balloon.h"

#define LB_COST_MOVABLE 1
#define LB_COST_UNSURE 64		/* might not move at all: such blocks come last */
#define LB_COST_NEVER UINT_MAX

struct lb_block {
	unsigned long pfn;
	unsigned int cost;
};

/* Reads page flags of memory that changes meanwhile: a guess, and any value is fine. */
static unsigned int lb_block_cost(unsigned long pfn)
{
	struct page *first = pfn_to_online_page(pfn);
	unsigned int cost = 0;
	unsigned long i;

	if (!first || page_zone(first) != page_zone(first + LB_BLOCK_PAGES - 1))
		return LB_COST_NEVER;
	for (i = 0; i < LB_BLOCK_PAGES; i++) {
		struct page *page = first + i;
		unsigned long order;

		if (PageBuddy(page)) {
			order = READ_ONCE(page->private);
			i += order <= LB_MAX_ORDER ? (1UL << order) - 1 : 0;
		} else if (PageReserved(page) || PageOffline(page)) {
			return LB_COST_NEVER;
		} else if (page_count(page)) {
			cost += PageLRU(page) ? LB_COST_MOVABLE : LB_COST_UNSURE;
		}
	}
	return cost;
}

static unsigned int lb_span_cost(unsigned long pfn, unsigned long span)
{
	u64 sum = 0;
	unsigned long i;

	for (i = 0; i < span; i += LB_BLOCK_PAGES) {
		unsigned int cost = lb_block_cost(pfn + i);

		if (cost == LB_COST_NEVER)
			return LB_COST_NEVER;
		sum += cost;
	}
	return min_t(u64, sum, LB_COST_NEVER - 1);
}

static bool lb_our_node(struct large_balloon *lb, int nid)
{
	return lb->nid == NUMA_NO_NODE || lb->nid == nid;
}

static int lb_begin_survey(struct large_balloon *lb, struct lb_pages *pages)
{
	struct lb_sweep *sweep = &lb->sweep;
	unsigned long room = 0;
	int nid;

	for_each_online_node(nid)
		if (lb_our_node(lb, nid))
			room += (node_spanned_pages(nid) >> pages->order) + 1;
	sweep->block = kvmalloc_array(room, sizeof(*sweep->block),
				      GFP_KERNEL | __GFP_NORETRY | __GFP_NOWARN);
	if (!sweep->block)
		return -ENOMEM;
	sweep->room = room;
	sweep->pages = pages;
	sweep->nid = first_online_node;
	sweep->pfn = 0;
	return 0;
}

static void lb_survey_one(struct lb_sweep *sweep, unsigned long pfn, unsigned long span)
{
	struct page *page = pfn_to_online_page(pfn);
	unsigned int cost;

	/* Nodes may lie within each other; and one may have grown. */
	if (!page || page_to_nid(page) != sweep->nid || sweep->blocks == sweep->room)
		return;
	cost = lb_span_cost(pfn, span);
	if (cost == LB_COST_NEVER)
		return;
	sweep->block[sweep->blocks].pfn = pfn;
	sweep->block[sweep->blocks++].cost = cost;
}

/* Return: whether the node is done; else the time is up. */
static bool lb_survey_node(struct large_balloon *lb)
{
	struct lb_sweep *sweep = &lb->sweep;
	unsigned long span = 1UL << sweep->pages->order;
	unsigned long end = node_end_pfn(sweep->nid);
	unsigned long pfn;

	for (pfn = max(sweep->pfn, ALIGN(node_start_pfn(sweep->nid), span)); pfn + span <= end;
	     pfn += span) {
		if (lb_late(lb)) {
			sweep->pfn = pfn;
			return false;
		}
		lb_survey_one(sweep, pfn, span);
		cond_resched();
	}
	return true;
}

static int lb_cheaper(const void *left, const void *right)
{
	const struct lb_block *a = left, *b = right;

	return a->cost < b->cost ? -1 : a->cost > b->cost;
}

/* Return: 0 when the blocks are known, in order; -EAGAIN when the time is up. */
static int lb_survey(struct large_balloon *lb, struct lb_pages *pages)
{
	struct lb_sweep *sweep = &lb->sweep;
	int err;

	if (sweep->surveyed)
		return 0;
	err = sweep->block ? 0 : lb_begin_survey(lb, pages);
	if (err)
		return err;
	for (; sweep->nid < MAX_NUMNODES; sweep->nid = next_online_node(sweep->nid)) {
		if (lb_our_node(lb, sweep->nid) && !lb_survey_node(lb))
			return -EAGAIN;
		sweep->pfn = 0;
	}
	sort(sweep->block, sweep->blocks, sizeof(*sweep->block), lb_cheaper, NULL);
	sweep->surveyed = true;
	return 0;
}

/* What the guest keeps: moving pages takes memory, and is not held up by watermarks. */
static bool lb_can_spare(unsigned long count)
{
	unsigned long reserve = clamp(totalram_pages() / 64, SZ_16M >> PAGE_SHIFT,
				      SZ_256M >> PAGE_SHIFT);

	return si_mem_available() > (long)(reserve + count);
}

static int lb_sweep_block(unsigned long pfn)
{
	if (!lb_can_spare(LB_BLOCK_PAGES) || !pfn_to_online_page(pfn))
		return -ENOMEM;
	return lb_alloc_contig_range(pfn, pfn + LB_BLOCK_PAGES, GFP_KERNEL | __GFP_NOWARN);
}

/* Gives up the page that was begun. */
static void lb_drop_begun(struct lb_sweep *sweep)
{
	if (sweep->done)
		lb_free_swept(pfn_to_page(sweep->begun), sweep->done);
	sweep->begun = 0;
	sweep->done = 0;
}

/* A page is swept block by block, so that none lasts long, whatever the size of the page. */
static struct page *lb_continue(struct large_balloon *lb, unsigned long span)
{
	struct lb_sweep *sweep = &lb->sweep;
	struct page *page;

	while (sweep->done < span) {
		ktime_t since = ktime_get();
		int err;

		if (sweep->done && lb_late(lb))
			return ERR_PTR(-EAGAIN);
		err = lb_sweep_block(sweep->begun + sweep->done);
		lb_measure(lb, since);
		if (err) {
			lb_drop_begun(sweep);
			return NULL;
		}
		sweep->done += LB_BLOCK_PAGES;
	}
	page = pfn_to_page(sweep->begun);
	sweep->begun = 0;
	sweep->done = 0;
	return page;
}

/*
 * Return: a page; ERR_PTR(-EAGAIN) when the time is up before there is one; NULL when a try failed;
 * ERR_PTR(-ENOENT) when there is nothing left to try.
 */
struct page *lb_sweep(struct large_balloon *lb, struct lb_pages *pages)
{
	struct lb_sweep *sweep = &lb->sweep;
	int err;

	if (!IS_ENABLED(CONFIG_CONTIG_ALLOC) || pages->order < pageblock_order)
		return ERR_PTR(-ENOENT);
	if (sweep->pages != pages)
		lb_end_sweep(lb);
	err = lb_survey(lb, pages);
	if (err)
		return ERR_PTR(err == -EAGAIN ? err : -ENOENT);
	if (!sweep->begun) {
		if (sweep->next == sweep->blocks)
			return ERR_PTR(-ENOENT);
		sweep->begun = sweep->block[sweep->next++].pfn;
	}
	return lb_continue(lb, 1UL << pages->order);
}

void lb_end_sweep(struct large_balloon *lb)
{
	lb_drop_begun(&lb->sweep);
	kvfree(lb->sweep.block);
	memset(&lb->sweep, 0, sizeof(lb->sweep));
}
