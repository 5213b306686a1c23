/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Driver of virtio device 13: what its files share.
 *
 * Locks, the outer ones first:
 *   large_balloon.mutex      the worker's step, RELEASE for memory that goes offline, and the
 *                            driver's end. Owns `message`, the sweep, and all plain fields.
 *   large_balloon.oom_mutex  the OOM notifier; owns `oom_message`. Does not wait for `mutex`: its
 *                            holder may wait for memory.
 *   large_balloon.lock       todevq. Taken in interrupts as well.
 *   xa_lock of a page set    which page is in the balloon: to erase an entry is to claim its page.
 */
#ifndef LARGE_BALLOON_H
#define LARGE_BALLOON_H

#include <linux/completion.h>
#include <linux/ktime.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/notifier.h>
#include <linux/spinlock.h>
#include <linux/virtio.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>

#include "compat.h"
#include "wire.h"

#define LB_REQUESTS 4			/* buffers kept in fromdevq */
#define LB_SIZES 20			/* 4 KiB to 2 GiB, a bit of size_mask each */
#define LB_STEP_US 20000		/* the worker then lets others go first */
#define LB_ANSWER_TIMEOUT (10 * HZ)	/* of a device that is asked to hurry */
#define LB_OOM_TIMEOUT (2 * HZ)
#define LB_BATCH_BYTES (128UL << 20)	/* in one message: what a step can free */
#define LB_OOM_BYTES (16UL << 20)	/* what one OOM call gives back */
#define LB_OOM_PAUSE (30 * HZ)		/* no inflation after one, or until there is a new target */

/* Sweeping is for whole blocks of the page allocator's. */
#define LB_BLOCK_PAGES ((unsigned long)pageblock_nr_pages)

/* Pages of one size. Index: page frame number >> order. */
struct lb_pages {
	unsigned int shift;
	unsigned int order;
	struct xarray in_balloon;
	struct xarray kept;		/* not handed back by the device before it was reset */
	atomic_long_t count;		/* in_balloon */
	atomic_long_t *on_node;		/* bytes, of all sizes */
};

/* Entries of both sets: where a page came from. */
#define LB_FROM_BUDDY 0
#define LB_FROM_SWEEP 1

struct lb_message {
	struct completion done;
	bool sent;			/* the device has it */
	unsigned int room;		/* bytes that the device may write */
	u32 written;
	struct lb_header header __aligned(8); /* and at once what follows it on the wire */
	union {
		__le64 page[LB_MAX_PAGES];
		struct lb_stat stat[LB_MAX_PAGES / 2];
		struct lb_state state;
		struct lb_pressure pressure;
	};
	__le64 released;		/* the answer to LB_MSG_RELEASE */
};

static_assert(offsetof(struct lb_message, page) ==
	      offsetof(struct lb_message, header) + sizeof(struct lb_header));

/* Places for pages of one size, those that cost least to empty first. */
struct lb_sweep {
	struct lb_pages *pages;
	struct lb_block *block;
	unsigned long room;
	unsigned long blocks;
	unsigned long next;		/* to try */
	bool surveyed;
	int nid;			/* where the survey goes on */
	unsigned long pfn;
	unsigned long begun;		/* first page frame of the page half swept; 0: none */
	unsigned long done;		/* page frames of it that are ours */
};

struct large_balloon {
	struct virtio_device *vdev;
	struct virtqueue *vq[LB_QUEUES];
	spinlock_t lock;		/* todevq */
	struct mutex mutex;		/* a step, RELEASE, the end */
	struct mutex oom_mutex;		/* the OOM notifier */

	struct lb_pages pages[LB_SIZES];
	unsigned int sizes;		/* of these, smallest first */
	unsigned int unit_shift;
	unsigned int max_pages;
	atomic_long_t *on_node;		/* bytes in the balloon, by node */
	u32 node;			/* of the configuration */
	int nid;			/* NUMA_NO_NODE: any */

	struct workqueue_struct *workqueue;
	struct delayed_work work;
	struct task_struct *worker;	/* while it works */
	bool stopping;
	bool lost;			/* the device broke a rule, or does not answer */
	bool idle;			/* nothing left to do for `target` */
	ktime_t deadline;		/* of the worker's step */
	u64 target;			/* units */
	unsigned int effort;
	u32 serial;
	u32 stats_serial;
	bool stats_wanted;
	unsigned long next_try;		/* jiffies */
	unsigned int tries;		/* in vain, in a row */
	unsigned int failures[LB_EFFORT_SWEEP + 1]; /* with the size that is tried, in a row */
	unsigned int sizes_left;	/* the first so many have not been given up */
	unsigned long next_state;
	unsigned int said;		/* reason of the last LB_MSG_STATE */
	u32 said_serial;
	u32 longest_us;			/* single allocation, since the last LB_MSG_STATE */
	u32 longest_ever_us;
	struct lb_sweep sweep;

	struct lb_request request[LB_REQUESTS];
	struct lb_message message;
	struct lb_message oom_message;

	struct lb_pages *oom_pages;	/* that oom_message asks for */
	unsigned long oom_until;	/* jiffies; 0: no OOM */
	bool memory_came;		/* online, or it stays so */
	bool oom_took;			/* the balloon is smaller than the worker left it */
	unsigned long pressure;		/* bit per level: to be told */
	atomic_t pressure_count[LB_PRESSURE_OOM + 1];
	int pressure_nid;
	unsigned long next_pressure;
	unsigned long quiet_until;	/* reclaim before that is of our own making */

	struct shrinker *shrinker;
	struct notifier_block oom_notifier;
	struct notifier_block memory_notifier;
	struct notifier_block reboot_notifier;
};

static inline bool lb_has(struct large_balloon *lb, unsigned int feature)
{
	return virtio_has_feature(lb->vdev, feature);
}

/* messages.c */
int lb_start_queues(struct large_balloon *lb);
void lb_take_requests(struct large_balloon *lb);
int lb_send(struct large_balloon *lb, struct lb_message *message, unsigned int length,
	    unsigned int room);
int lb_wait(struct large_balloon *lb, struct lb_message *message, unsigned long timeout);
int lb_tell(struct large_balloon *lb, unsigned int length);
void lb_prepare(struct large_balloon *lb, struct lb_message *message, u8 type, u8 shift,
		u16 detail);
void lb_tell_state(struct large_balloon *lb, unsigned int reason);
void lb_device_fault(struct large_balloon *lb, const char *what, u64 value);

/* pages.c */
u64 lb_size(struct large_balloon *lb);
void lb_measure(struct large_balloon *lb, ktime_t since);
struct page *lb_allocate(struct large_balloon *lb, struct lb_pages *pages, unsigned int effort,
			 unsigned int *from);
void lb_free(struct lb_pages *pages, struct page *page, unsigned int from);
void lb_free_swept(struct page *page, unsigned long count);
int lb_set_aside(struct lb_pages *pages, struct page *page, unsigned int from);
struct page *lb_reuse_kept(struct lb_pages *pages);
unsigned long lb_take_answer(struct large_balloon *lb, struct lb_pages *pages,
			     const struct lb_message *message);
void lb_take_back(struct lb_pages *pages, const struct lb_message *message, unsigned long count);
void lb_end_pages(struct large_balloon *lb, bool keep);

/* resize.c */
void lb_work(struct work_struct *work);
void lb_wake(struct large_balloon *lb);
bool lb_late(struct large_balloon *lb);
void lb_begin_tries(struct large_balloon *lb);
struct lb_pages *lb_size_to_withdraw(struct large_balloon *lb, u64 units);
long lb_withdraw(struct large_balloon *lb, struct lb_pages *pages, struct lb_message *message,
		 unsigned long count, unsigned long timeout);
bool lb_withdraw_all(struct large_balloon *lb);

/* sweep.c */
struct page *lb_sweep(struct large_balloon *lb, struct lb_pages *pages);
void lb_end_sweep(struct large_balloon *lb);

/* notifiers.c */
int lb_add_notifiers(struct large_balloon *lb);
void lb_remove_notifiers(struct large_balloon *lb);
void lb_collect_oom(struct large_balloon *lb);
void lb_tell_pressure(struct large_balloon *lb);

/* stats.c */
void lb_tell_stats(struct large_balloon *lb);
u32 lb_wire_node(int nid);
int lb_node_of(u32 node);

/* main.c */
bool lb_find_node(struct large_balloon *lb);
void lb_leave(struct large_balloon *lb, bool give_back);

#endif
