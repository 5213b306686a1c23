// SPDX-License-Identifier: GPL-2.0
/*
 * Statistics of the guest, and of each of its nodes.
 */
#include <linux/nodemask.h>
#include <linux/mm.h>
#ifdef CONFIG_ACPI_NUMA
#include <linux/acpi.h>
#include <acpi/acpi_numa.h>
#endif

#include "large_balloon.h"

#define LB_WHOLE_GUEST 0
#define LB_MAX_STATS (LB_MAX_PAGES / 2)

struct lb_stats {
	struct lb_stat *stat;
	unsigned int count;
};

/*
 * The wire has the number that the firmware gave a node; Linux has its own. A guest of one node may
 * have firmware that knows of none.
 */
int lb_node_of(u32 node)
{
	if (node == 0 && num_online_nodes() == 1)
		return first_online_node;
#ifdef CONFIG_ACPI_NUMA
	return node < MAX_PXM_DOMAINS ? pxm_to_node(node) : NUMA_NO_NODE;
#else
	return node < MAX_NUMNODES ? (int)node : NUMA_NO_NODE;
#endif
}

/* One more than its number: 0 is the whole guest. */
u32 lb_wire_node(int nid)
{
#ifdef CONFIG_ACPI_NUMA
	u32 pxm;

	for (pxm = 0; pxm < MAX_PXM_DOMAINS; pxm++)
		if (pxm_to_node(pxm) == nid)
			return pxm + 1;
#endif
	return nid + 1;
}

static void lb_put(struct lb_stats *stats, u16 tag, u16 node, u64 value)
{
	struct lb_stat *stat = &stats->stat[stats->count];

	if (stats->count == LB_MAX_STATS)
		return;
	stat->tag = cpu_to_le16(tag);
	stat->node = cpu_to_le16(node);
	stat->reserved = 0;
	stat->value = cpu_to_le64(value);
	stats->count++;
}

static u64 lb_bytes(u64 count)
{
	return count << PAGE_SHIFT;
}

#ifdef CONFIG_VM_EVENT_COUNTERS
/*
 * Not all_vm_events(): it waits for cpus that come and go, while memory that goes offline waits for
 * our mutex.
 */
static u64 lb_event(enum vm_event_item first, unsigned int count)
{
	unsigned int cpu, i;
	u64 sum = 0;

	for_each_possible_cpu(cpu)
		for (i = 0; i < count; i++)
			sum += per_cpu(vm_event_states, cpu).event[first + i];
	return sum;
}

static void lb_put_events(struct lb_stats *stats)
{
	lb_put(stats, LB_S_SWAP_IN, LB_WHOLE_GUEST, lb_bytes(lb_event(PSWPIN, 1)));
	lb_put(stats, LB_S_SWAP_OUT, LB_WHOLE_GUEST, lb_bytes(lb_event(PSWPOUT, 1)));
	lb_put(stats, LB_S_MAJFLT, LB_WHOLE_GUEST, lb_event(PGMAJFAULT, 1));
	lb_put(stats, LB_S_MINFLT, LB_WHOLE_GUEST, lb_event(PGFAULT, 1));
	lb_put(stats, LB_S_OOM_KILL, LB_WHOLE_GUEST, lb_event(OOM_KILL, 1));
	lb_put(stats, LB_S_ALLOC_STALL, LB_WHOLE_GUEST,
	       lb_event(ALLOCSTALL_NORMAL - ZONE_NORMAL, MAX_NR_ZONES));
#ifdef CONFIG_HUGETLB_PAGE
	lb_put(stats, LB_S_HTLB_PGALLOC, LB_WHOLE_GUEST,
	       lb_event(HTLB_BUDDY_PGALLOC, 1));
	lb_put(stats, LB_S_HTLB_PGFAIL, LB_WHOLE_GUEST,
	       lb_event(HTLB_BUDDY_PGALLOC_FAIL, 1));
#endif
}
#else
static void lb_put_events(struct lb_stats *stats)
{
}
#endif

/* Free memory in blocks of at least `order`: what the first effort can take. */
static u64 lb_free_large(struct zone *zone, unsigned int order)
{
	u64 pages = 0;

	for (; order <= LB_MAX_ORDER; order++)
		/* Without the zone's lock: a figure, and it is old when it arrives. */
		pages += (u64)data_race(zone->free_area[order].nr_free) << order;
	return lb_bytes(pages);
}

struct lb_node_figures {
	u64 free;
	u64 total;
	u64 caches;
	u64 large;
};

static void lb_add_node(struct large_balloon *lb, int nid, struct lb_node_figures *sum)
{
	unsigned int order = lb->pages[lb->sizes - 1].order;
	pg_data_t *node = NODE_DATA(nid);
	unsigned int i;

	for (i = 0; i < MAX_NR_ZONES; i++) {
		struct zone *zone = &node->node_zones[i];

		if (!populated_zone(zone))
			continue;
		sum->free += lb_bytes(zone_page_state(zone, NR_FREE_PAGES));
		sum->total += lb_bytes(zone_managed_pages(zone));
		sum->large += lb_free_large(zone, min_t(unsigned int, order, LB_MAX_ORDER));
	}
	sum->caches += lb_bytes(max(0L, atomic_long_read(&node->vm_stat[NR_FILE_PAGES])));
}

static void lb_put_figures(struct lb_stats *stats, u16 node, const struct lb_node_figures *figures)
{
	lb_put(stats, LB_S_MEMFREE, node, figures->free);
	lb_put(stats, LB_S_MEMTOT, node, figures->total);
	lb_put(stats, LB_S_CACHES, node, figures->caches);
	lb_put(stats, LB_S_FREE_LARGE, node, figures->large);
}

static void lb_put_nodes(struct large_balloon *lb, struct lb_stats *stats)
{
	int nid;

	for_each_online_node(nid) {
		struct lb_node_figures figures = {};
		u32 node = lb_wire_node(nid);

		lb_add_node(lb, nid, &figures);
		lb_put_figures(stats, node, &figures);
		lb_put(stats, LB_S_BALLOON, node, atomic_long_read(&lb->on_node[nid]));
	}
}

/* The whole guest; of nodes only where the device wants it. */
void lb_tell_stats(struct large_balloon *lb)
{
	struct lb_stats stats = { .stat = lb->message.stat };
	struct lb_node_figures all = {};
	int nid;

	if (!lb->stats_wanted)
		return;
	lb->stats_wanted = false;
	for_each_online_node(nid)
		lb_add_node(lb, nid, &all);
	lb_put_figures(&stats, LB_WHOLE_GUEST, &all);
	lb_put(&stats, LB_S_AVAIL, LB_WHOLE_GUEST, lb_bytes(si_mem_available()));
	lb_put(&stats, LB_S_BALLOON, LB_WHOLE_GUEST, lb_size(lb) << lb->unit_shift);
	lb_put_events(&stats);
	if (lb_has(lb, LB_F_NODE_STATS))
		lb_put_nodes(lb, &stats);
	lb_prepare(lb, &lb->message, LB_MSG_STATS, 0, 0);
	if (lb_has(lb, LB_F_STATE))
		lb->message.header.serial = cpu_to_le32(lb->stats_serial);
	lb_tell(lb, stats.count * sizeof(stats.stat[0]));
}
