// SPDX-License-Identifier: GPL-2.0
/*
 * The worker: it takes the balloon to its target, a short step at a time.
 */
#include "large_balloon.h"

/* Tries in vain, in a row, after which an effort has nothing more to give. */
static const unsigned int lb_enough[] = {
	[LB_EFFORT_FREE] = 1,
	[LB_EFFORT_RECLAIM] = 40,
	[LB_EFFORT_SWEEP] = 32,
};

void lb_wake(struct large_balloon *lb)
{
	if (!READ_ONCE(lb->stopping))
		mod_delayed_work(lb->workqueue, &lb->work, 0);
}

/* The step has lasted long enough. */
bool lb_late(struct large_balloon *lb)
{
	return ktime_after(ktime_get(), lb->deadline);
}

static unsigned long lb_batch(struct large_balloon *lb, const struct lb_pages *pages)
{
	unsigned long by_bytes = max(LB_BATCH_BYTES >> pages->shift, 1UL);

	return min_t(unsigned long, by_bytes, lb->max_pages);
}

static u64 lb_units(struct large_balloon *lb, const struct lb_pages *pages)
{
	return 1ULL << (pages->shift - lb->unit_shift);
}

static void lb_settle(struct large_balloon *lb)
{
	lb->idle = true;
	lb_end_sweep(lb);
	lb_tell_state(lb, LB_STATE_REACHED);
}

/* Inflate */

static void lb_found(struct large_balloon *lb, unsigned int effort)
{
	lb->failures[effort] = 0;
	if (effort == LB_EFFORT_RECLAIM)
		lb->failures[LB_EFFORT_FREE] = 0; /* compaction makes more blocks than one */
}

static struct page *lb_try(struct large_balloon *lb, struct lb_pages *pages, unsigned int effort,
			   unsigned int *from)
{
	struct page *page = lb_allocate(lb, pages, effort, from);

	if (effort != LB_EFFORT_FREE)
		lb->quiet_until = jiffies + HZ;
	if (PTR_ERR(page) == -ENOENT)
		lb->failures[effort] = lb_enough[effort];
	else if (!page)
		lb->failures[effort]++;
	else if (!IS_ERR(page))
		lb_found(lb, effort);
	return page;
}

/* The next page, by the least effort that yields one; NULL when none does or the time is up. */
static struct page *lb_next_page(struct large_balloon *lb, struct lb_pages *pages,
				 unsigned int *from)
{
	unsigned int effort = LB_EFFORT_FREE;

	while (effort <= lb->effort && !lb_late(lb)) {
		struct page *page;

		if (lb->failures[effort] >= lb_enough[effort]) {
			effort++;
			continue;
		}
		page = lb_try(lb, pages, effort, from);
		if (!IS_ERR_OR_NULL(page))
			return page;
		cond_resched();
	}
	return NULL;
}

static bool lb_all_tried(struct large_balloon *lb)
{
	unsigned int effort;

	for (effort = 0; effort <= lb->effort; effort++)
		if (lb->failures[effort] < lb_enough[effort])
			return false;
	return true;
}

/* Return: pages in the message, set aside. */
static unsigned long lb_collect(struct large_balloon *lb, struct lb_pages *pages,
				unsigned long count)
{
	struct lb_message *message = &lb->message;
	unsigned long i;

	for (i = 0; i < count; i++) {
		unsigned int from;
		struct page *page = lb_reuse_kept(pages);

		if (!page) {
			page = lb_next_page(lb, pages, &from);
			if (!page)
				break;
			if (lb_set_aside(pages, page, from)) {
				lb_free(pages, page, from);
				break;
			}
		}
		message->page[i] = cpu_to_le64((u64)page_to_pfn(page) << PAGE_SHIFT);
	}
	return i;
}

static void lb_add(struct large_balloon *lb, struct lb_pages *pages, unsigned long count)
{
	struct lb_message *message = &lb->message;

	lb_prepare(lb, message, LB_MSG_PAGES, pages->shift, 0);
	if (!lb_send(lb, message, count * sizeof(message->page[0]), 0)) {
		lb_wait(lb, message, MAX_SCHEDULE_TIMEOUT);
		return;
	}
	lb_take_back(pages, message, count); /* the device never saw them */
	lb->next_try = jiffies + HZ;
}

/* The largest size that fits, of those that have not been given up. */
static struct lb_pages *lb_size_to_add(struct large_balloon *lb, u64 units)
{
	unsigned int i;

	for (i = lb->sizes_left; i > 0; i--)
		if (lb_units(lb, &lb->pages[i - 1]) <= units)
			return &lb->pages[i - 1];
	return NULL;
}

/* All sizes by all efforts, anew. */
void lb_begin_tries(struct large_balloon *lb)
{
	memset(lb->failures, 0, sizeof(lb->failures));
	lb->sizes_left = lb->sizes;
	lb_end_sweep(lb);
}

/* Later, and ever later. */
static void lb_rest(struct large_balloon *lb, unsigned int reason)
{
	lb_tell_state(lb, reason);
	lb->next_try = jiffies + (HZ << min(lb->tries++, 6U));
	lb_begin_tries(lb);
}

static bool lb_short_of_memory(struct large_balloon *lb)
{
	unsigned long until = READ_ONCE(lb->oom_until);

	if (!until)
		return false;
	if (time_before(jiffies, until)) {
		lb->next_try = until;
		lb_tell_state(lb, LB_STATE_OOM);
		return true;
	}
	WRITE_ONCE(lb->oom_until, 0);
	return false;
}

static void lb_inflate(struct large_balloon *lb, u64 units)
{
	struct lb_pages *pages = lb_size_to_add(lb, units);
	unsigned long count;

	if (!pages) {
		/* Less than a page is left, or nothing can be had. */
		if (lb->sizes_left == lb->sizes)
			lb_settle(lb);
		else
			lb_rest(lb, LB_STATE_EXHAUSTED);
		return;
	}
	count = lb_collect(lb, pages, min_t(u64, lb_batch(lb, pages), units / lb_units(lb, pages)));
	if (count) {
		lb->tries = 0;
		lb_add(lb, pages, count);
	}
	if (lb_all_tried(lb)) {
		memset(lb->failures, 0, sizeof(lb->failures));
		lb->sizes_left = pages - lb->pages;
		lb_end_sweep(lb);
	}
}

/* Deflate */

/*
 * Return: how many pages came back, or an error. With the worker's message under the mutex, with
 * the OOM notifier's under its own.
 */
long lb_withdraw(struct large_balloon *lb, struct lb_pages *pages, struct lb_message *message,
		 unsigned long count, unsigned long timeout)
{
	int err;

	lb_prepare(lb, message, LB_MSG_PAGES, pages->shift, 0);
	err = lb_send(lb, message, 0, count * sizeof(message->page[0]));
	if (!err)
		err = lb_wait(lb, message, timeout);
	return err ? err : lb_take_answer(lb, pages, message);
}

/* The largest page that fits; where none does, the smallest. */
struct lb_pages *lb_size_to_withdraw(struct large_balloon *lb, u64 units)
{
	struct lb_pages *smallest = NULL;
	unsigned int i;

	for (i = lb->sizes; i > 0; i--) {
		struct lb_pages *pages = &lb->pages[i - 1];

		if (!atomic_long_read(&pages->count))
			continue;
		if (lb_units(lb, pages) <= units)
			return pages;
		smallest = pages;
	}
	return smallest;
}

static void lb_deflate(struct large_balloon *lb, u64 units)
{
	struct lb_pages *pages = lb_size_to_withdraw(lb, units);
	u64 count;
	long back;

	if (!pages)
		return; /* the OOM notifier was quicker */
	count = clamp_t(u64, div64_u64(units, lb_units(lb, pages)), 1, lb_batch(lb, pages));
	back = lb_withdraw(lb, pages, &lb->message, count, MAX_SCHEDULE_TIMEOUT);
	if (back > 0)
		lb->tries = 0;
	else if (back == 0)
		lb_rest(lb, LB_STATE_WITHHELD); /* [DRV-14] */
	else
		lb->next_try = jiffies + HZ;
}

/* Return: false where the device kept pages back. @pre the worker has stopped */
bool lb_withdraw_all(struct large_balloon *lb)
{
	unsigned int i;

	for (i = 0; i < lb->sizes; i++) {
		struct lb_pages *pages = &lb->pages[i];

		while (atomic_long_read(&pages->count)) {
			unsigned long count = min_t(unsigned long, lb_batch(lb, pages),
						    atomic_long_read(&pages->count));
			long back = lb_withdraw(lb, pages, &lb->message, count, LB_ANSWER_TIMEOUT);

			if (back < 0)
				return true; /* it is gone, and takes no page any more */
			if (!back)
				return false;
			cond_resched();
		}
	}
	return true;
}

/* The worker */

static void lb_resize(struct large_balloon *lb)
{
	u64 size = lb_size(lb);

	if (size < lb->target) {
		if (lb_short_of_memory(lb))
			return;
		if (!lb_find_node(lb))
			lb_rest(lb, LB_STATE_NO_NODE);
		else
			lb_inflate(lb, lb->target - size);
	} else if (size > lb->target) {
		lb_deflate(lb, size - lb->target);
	} else {
		lb_settle(lb);
	}
}

/* What notifiers have left for the worker. */
static void lb_take_notes(struct large_balloon *lb)
{
	if (xchg(&lb->oom_took, false))
		lb->idle = false;
	if (xchg(&lb->memory_came, false)) {
		lb->idle = false;
		lb->tries = 0;
		lb->next_try = jiffies;
		lb_begin_tries(lb);
	}
}

static void lb_step(struct large_balloon *lb)
{
	lb_take_notes(lb);
	if (lb->idle || time_before(jiffies, lb->next_try))
		return;
	lb_resize(lb);
	if (!lb->idle && !time_after(lb->next_try, jiffies))
		lb_tell_state(lb, LB_STATE_WORKING);
}

/* Return: jiffies until there is something to do; MAX_JIFFY_OFFSET: somebody will wake it. */
static unsigned long lb_delay(struct large_balloon *lb)
{
	unsigned long delay = MAX_JIFFY_OFFSET;

	if (!lb->idle)
		delay = time_after(lb->next_try, jiffies) ? lb->next_try - jiffies : 0;
	if (READ_ONCE(lb->pressure))
		delay = min(delay, time_after(lb->next_pressure, jiffies) ?
				   lb->next_pressure - jiffies : 0);
	return delay;
}

static void lb_serve(struct large_balloon *lb)
{
	unsigned long delay;

	WRITE_ONCE(lb->worker, current);
	lb_take_requests(lb);
	lb_collect_oom(lb);
	lb_tell_pressure(lb);
	lb_tell_stats(lb);
	lb->deadline = ktime_add_us(ktime_get(), LB_STEP_US);
	lb_step(lb);
	WRITE_ONCE(lb->worker, NULL);
	delay = lb_delay(lb);
	if (delay != MAX_JIFFY_OFFSET && !READ_ONCE(lb->stopping) && !READ_ONCE(lb->lost))
		queue_delayed_work(lb->workqueue, &lb->work, delay);
}

/* One step; queues itself again while there is more to do. */
void lb_work(struct work_struct *work)
{
	struct large_balloon *lb = container_of(to_delayed_work(work), struct large_balloon, work);

	mutex_lock(&lb->mutex);
	if (!READ_ONCE(lb->stopping) && !READ_ONCE(lb->lost))
		lb_serve(lb);
	mutex_unlock(&lb->mutex);
}
