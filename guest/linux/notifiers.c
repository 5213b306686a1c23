// SPDX-License-Identifier: GPL-2.0
/*
 * What the kernel tells the driver: memory is short, memory goes away, the machine starts anew.
 */
#include <linux/memory.h>
#include <linux/oom.h>
#include <linux/reboot.h>
#include <linux/swap.h>

#include "large_balloon.h"

#define LB_SEVERAL_NODES (-2)

/* Pressure */

/* From reclaim, and from the OOM killer: no lock, no memory, and quick. */
static void lb_note_pressure(struct large_balloon *lb, unsigned int level, int nid)
{
	int known = READ_ONCE(lb->pressure_nid);

	if (!lb_has(lb, LB_F_PRESSURE))
		return;
	atomic_inc(&lb->pressure_count[level]);
	if (known == NUMA_NO_NODE)
		WRITE_ONCE(lb->pressure_nid, nid);
	else if (known != nid)
		WRITE_ONCE(lb->pressure_nid, LB_SEVERAL_NODES);
	if (!test_and_set_bit(level, &lb->pressure))
		lb_wake(lb);
}

/* The kernel asks each shrinker for what it has; that it asks is what matters. */
static unsigned long lb_shrinker_count(struct shrinker *shrinker, struct shrink_control *sc)
{
	struct large_balloon *lb = LB_SHRINKER_OWNER(shrinker);

	if (current == READ_ONCE(lb->worker))
		return 0;
	if (!current_is_kswapd())
		lb_note_pressure(lb, LB_PRESSURE_DIRECT, sc->nid);
	else if (time_after(jiffies, READ_ONCE(lb->quiet_until)))
		lb_note_pressure(lb, LB_PRESSURE_BACKGROUND, sc->nid);
	return 0;
}

static unsigned long lb_shrinker_scan(struct shrinker *shrinker, struct shrink_control *sc)
{
	return SHRINK_STOP;
}

/* The worst since the last message, at most once a second. [DRV-21] */
void lb_tell_pressure(struct large_balloon *lb)
{
	struct lb_pressure *body = &lb->message.pressure;
	unsigned int level, worst;
	unsigned long levels;
	u32 count = 0;
	int nid;

	if (!READ_ONCE(lb->pressure) || time_before(jiffies, lb->next_pressure))
		return;
	levels = xchg(&lb->pressure, 0);
	nid = xchg(&lb->pressure_nid, NUMA_NO_NODE);
	worst = __fls(levels);
	for (level = LB_PRESSURE_BACKGROUND; level <= worst; level++)
		count = atomic_xchg(&lb->pressure_count[level], 0);
	lb_prepare(lb, &lb->message, LB_MSG_PRESSURE, 0, worst);
	body->node = cpu_to_le32(nid >= 0 ? lb_wire_node(nid) : 0);
	body->count = cpu_to_le32(count);
	lb->next_pressure = jiffies + HZ;
	lb_tell(lb, sizeof(*body));
}

/* Out of memory */

/* @pre oom_mutex is held */
static unsigned long lb_collect_late(struct large_balloon *lb)
{
	struct lb_message *message = &lb->oom_message;

	if (!message->sent || !completion_done(&message->done) || lb_wait(lb, message, 0))
		return 0;
	return lb_take_answer(lb, lb->oom_pages, message) << lb->oom_pages->order;
}

/* Pages that were handed back after the OOM notifier had gone. */
void lb_collect_oom(struct large_balloon *lb)
{
	if (!mutex_trylock(&lb->oom_mutex))
		return;
	lb_collect_late(lb);
	mutex_unlock(&lb->oom_mutex);
}

static unsigned long lb_give_back(struct large_balloon *lb)
{
	struct lb_pages *pages = lb_size_to_withdraw(lb, LB_OOM_BYTES >> lb->unit_shift);
	unsigned long late = lb_collect_late(lb);
	unsigned long count;
	long back;

	if (late || !pages)
		return late;
	count = clamp(LB_OOM_BYTES >> pages->shift, 1UL, (unsigned long)lb->max_pages);
	lb->oom_pages = pages;
	back = lb_withdraw(lb, pages, &lb->oom_message, count, LB_OOM_TIMEOUT);
	return back > 0 ? (unsigned long)back << pages->order : 0;
}

static int lb_oom(struct notifier_block *notifier, unsigned long unused, void *freed)
{
	struct large_balloon *lb = container_of(notifier, struct large_balloon, oom_notifier);

	lb_note_pressure(lb, LB_PRESSURE_OOM, NUMA_NO_NODE);
	if (!lb_has(lb, LB_F_DEFLATE_ON_OOM) || !mutex_trylock(&lb->oom_mutex))
		return NOTIFY_OK;
	if (!READ_ONCE(lb->stopping) && lb_size(lb)) {
		WRITE_ONCE(lb->oom_until, (jiffies + LB_OOM_PAUSE) | 1);
		*(unsigned long *)freed += lb_give_back(lb);
		WRITE_ONCE(lb->oom_took, true);
		lb_wake(lb);
	}
	mutex_unlock(&lb->oom_mutex);
	return NOTIFY_OK;
}

/* Memory that goes offline */

static unsigned long lb_name_pages(struct large_balloon *lb, struct lb_pages *pages,
				   unsigned long first, unsigned long last)
{
	unsigned long index, count = 0;
	void *entry;

	xa_for_each_range(&pages->in_balloon, index, entry, first, last) {
		lb->message.page[count++] = cpu_to_le64((u64)index << pages->shift);
		if (count == lb->max_pages)
			break;
	}
	return count;
}

/* Return: 0 when no page of that size is left in the range. */
static int lb_release(struct large_balloon *lb, struct lb_pages *pages, unsigned long first,
		      unsigned long last)
{
	struct lb_message *message = &lb->message;
	unsigned long count, released;
	int err;

	while ((count = lb_name_pages(lb, pages, first, last))) {
		if (!lb_has(lb, LB_F_RELEASE))
			return -EBUSY;
		message->released = 0;
		lb_prepare(lb, message, LB_MSG_RELEASE, pages->shift, 0);
		err = lb_send(lb, message, count * sizeof(message->page[0]),
			      sizeof(message->released));
		if (!err)
			err = lb_wait(lb, message, LB_ANSWER_TIMEOUT);
		if (err)
			return err;
		if (message->written < sizeof(message->released))
			return -EBUSY;
		released = min_t(u64, le64_to_cpu(message->released), count);
		lb_take_back(pages, message, released);
		if (released < count)
			return -EBUSY; /* [DRV-17] */
	}
	return xa_find(&pages->kept, &first, last, XA_PRESENT) ? -EBUSY : 0;
}

static int lb_release_range(struct large_balloon *lb, unsigned long pfn, unsigned long count)
{
	unsigned int i;
	int err = 0;

	for (i = 0; i < lb->sizes && !err; i++) {
		struct lb_pages *pages = &lb->pages[i];

		err = lb_release(lb, pages, pfn >> pages->order,
				 (pfn + count - 1) >> pages->order);
	}
	return err;
}

static int lb_going_offline(struct large_balloon *lb, const struct memory_notify *memory)
{
	int err = mutex_lock_killable(&lb->mutex);

	if (err)
		return err;
	lb_end_sweep(lb);
	if (!lb->stopping)
		err = lb_release_range(lb, memory->start_pfn, memory->nr_pages);
	mutex_unlock(&lb->mutex);
	return err;
}

/* There may be more memory now: what could not be found a while ago may be there. */
static void lb_memory_came(struct large_balloon *lb)
{
	WRITE_ONCE(lb->oom_until, 0);
	WRITE_ONCE(lb->memory_came, true);
	lb_wake(lb);
}

static int lb_memory(struct notifier_block *notifier, unsigned long action, void *memory)
{
	struct large_balloon *lb = container_of(notifier, struct large_balloon, memory_notifier);

	switch (action) {
	case MEM_GOING_OFFLINE:
		return notifier_from_errno(lb_going_offline(lb, memory));
	case MEM_CANCEL_OFFLINE:
	case MEM_ONLINE:
		lb_memory_came(lb);
		break;
	}
	return NOTIFY_OK;
}

/* The kernel that is started next knows nothing of the balloon. */
static int lb_reboot(struct notifier_block *notifier, unsigned long code, void *unused)
{
	struct large_balloon *lb = container_of(notifier, struct large_balloon, reboot_notifier);

	lb_leave(lb, code == SYS_RESTART);
	return NOTIFY_OK;
}

int lb_add_notifiers(struct large_balloon *lb)
{
	int err;

	lb->shrinker = lb_shrinker_add(lb, lb_shrinker_count, lb_shrinker_scan);
	if (!lb->shrinker)
		return -ENOMEM;
	lb->oom_notifier.notifier_call = lb_oom;
	lb->memory_notifier.notifier_call = lb_memory;
	lb->reboot_notifier.notifier_call = lb_reboot;
	err = register_oom_notifier(&lb->oom_notifier);
	if (err)
		goto no_oom;
	err = register_memory_notifier(&lb->memory_notifier);
	if (err)
		goto no_memory;
	err = register_reboot_notifier(&lb->reboot_notifier);
	if (err)
		goto no_reboot;
	return 0;

no_reboot:
	unregister_memory_notifier(&lb->memory_notifier);
no_memory:
	unregister_oom_notifier(&lb->oom_notifier);
no_oom:
	lb_shrinker_remove(lb->shrinker);
	return err;
}

void lb_remove_notifiers(struct large_balloon *lb)
{
	unregister_reboot_notifier(&lb->reboot_notifier);
	unregister_memory_notifier(&lb->memory_notifier);
	unregister_oom_notifier(&lb->oom_notifier);
	lb_shrinker_remove(lb->shrinker);
}
