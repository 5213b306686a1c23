// SPDX-License-Identifier: GPL-2.0
/*
 * Both virtqueues: requests of the device, and messages to it.
 */
#include "large_balloon.h"

static void lb_fromdevq_used(struct virtqueue *vq)
{
	lb_wake(vq->vdev->priv);
}

static void lb_todevq_used(struct virtqueue *vq)
{
	struct large_balloon *lb = vq->vdev->priv;
	struct lb_message *message;
	unsigned long flags;
	unsigned int written;

	spin_lock_irqsave(&lb->lock, flags);
	do {
		virtqueue_disable_cb(vq);
		while ((message = virtqueue_get_buf(vq, &written))) {
			message->written = written;
			complete(&message->done);
			if (message == &lb->oom_message)
				lb_wake(lb); /* its caller may have gone */
		}
	} while (!virtqueue_enable_cb(vq));
	spin_unlock_irqrestore(&lb->lock, flags);
}

static int lb_offer_request(struct large_balloon *lb, struct lb_request *request)
{
	struct scatterlist sg;

	sg_init_one(&sg, request, sizeof(*request));
	return virtqueue_add_inbuf(lb->vq[LB_FROMDEVQ], &sg, 1, request, GFP_KERNEL);
}

int lb_start_queues(struct large_balloon *lb)
{
	static const char *const names[LB_QUEUES] = { "fromdevq", "todevq" };
	vq_callback_t *callbacks[LB_QUEUES] = { lb_fromdevq_used, lb_todevq_used };
	unsigned int i;
	int err;

	err = lb_find_vqs(lb->vdev, lb->vq, callbacks, names);
	if (err)
		return err;
	for (i = 0; i < LB_REQUESTS; i++) {
		err = lb_offer_request(lb, &lb->request[i]);
		if (err)
			break; /* a ring of fewer entries */
	}
	if (!i) {
		lb->vdev->config->del_vqs(lb->vdev);
		return err;
	}
	lb->message.sent = false;
	lb->oom_message.sent = false;
	virtio_device_ready(lb->vdev);
	virtqueue_kick(lb->vq[LB_FROMDEVQ]);
	return 0;
}

static void lb_new_target(struct large_balloon *lb, const struct lb_request *request)
{
	lb->target = min_t(u64, le64_to_cpu(request->value), U64_MAX >> lb->unit_shift);
	lb->effort = LB_EFFORT_RECLAIM;
	if (lb_has(lb, LB_F_STATE)) {
		lb->effort = min_t(unsigned int, le16_to_cpu(request->effort), LB_EFFORT_SWEEP);
		lb->serial = le32_to_cpu(request->serial);
	}
	lb->idle = false;
	lb->tries = 0;
	lb->next_try = jiffies;
	WRITE_ONCE(lb->oom_until, 0);
	lb_begin_tries(lb);
}

static void lb_obey(struct large_balloon *lb, const struct lb_request *request)
{
	switch (le16_to_cpu(request->type)) {
	case LB_REQ_RESIZE:
		lb_new_target(lb, request);
		break;
	case LB_REQ_STATS:
		lb->stats_wanted = true;
		lb->stats_serial = le32_to_cpu(request->serial);
		break;
	default: /* [DRV-6] */
		dev_dbg(&lb->vdev->dev, "request of unknown type %u\n",
			le16_to_cpu(request->type));
	}
}

/* All that have come, the oldest first: of several targets the last one counts. */
void lb_take_requests(struct large_balloon *lb)
{
	struct virtqueue *vq = lb->vq[LB_FROMDEVQ];
	struct lb_request *request;
	unsigned int written;
	bool any = false;

	do {
		virtqueue_disable_cb(vq);
		while ((request = virtqueue_get_buf(vq, &written))) {
			if (written >= sizeof(*request))
				lb_obey(lb, request);
			lb_offer_request(lb, request);
			any = true;
		}
	} while (!virtqueue_enable_cb(vq));
	if (any)
		virtqueue_kick(vq);
}

void lb_prepare(struct large_balloon *lb, struct lb_message *message, u8 type, u8 shift,
		u16 detail)
{
	message->header.type = type;
	message->header.shift = lb_has(lb, LB_F_SIZES) ? shift : 0;
	message->header.detail = cpu_to_le16(detail);
	message->header.serial = lb_has(lb, LB_F_STATE) ? cpu_to_le32(lb->serial) : 0;
}

static void *lb_room_of(struct lb_message *message)
{
	if (message->header.type == LB_MSG_RELEASE)
		return &message->released;
	return message->page;
}

/*
 * @length: bytes behind the header that the device reads
 * @room: bytes that it may write
 * The message stays the device's until lb_wait() returns 0. May be called where memory is short:
 * should the ring want an indirect table and get none, it takes descriptors instead.
 */
int lb_send(struct large_balloon *lb, struct lb_message *message, unsigned int length,
	    unsigned int room)
{
	struct virtqueue *vq = lb->vq[LB_TODEVQ];
	struct scatterlist out, in, *lists[] = { &out, &in };
	unsigned long flags;
	bool kick;
	int err;

	if (READ_ONCE(lb->lost))
		return -EIO;
	if (message->sent)
		return -EBUSY;
	sg_init_one(&out, &message->header, sizeof(message->header) + length);
	if (room)
		sg_init_one(&in, lb_room_of(message), room);
	reinit_completion(&message->done);
	message->room = room;

	spin_lock_irqsave(&lb->lock, flags);
	err = virtqueue_add_sgs(vq, lists, 1, room ? 1 : 0, message, GFP_ATOMIC | __GFP_NOWARN);
	kick = !err && virtqueue_kick_prepare(vq);
	spin_unlock_irqrestore(&lb->lock, flags);
	if (err)
		return err;
	message->sent = true;
	if (kick)
		virtqueue_notify(vq);
	return 0;
}

/*
 * Waits until the device has used the message.
 * @timeout: jiffies; MAX_SCHEDULE_TIMEOUT: as long as the driver stays
 * Return: 0; or -ETIMEDOUT or -EIO, and the message is still the device's.
 */
int lb_wait(struct large_balloon *lb, struct lb_message *message, unsigned long timeout)
{
	unsigned long left = timeout;

	if (!message->sent)
		return 0;
	/* A second at a time: no task looks hung, and a device that has gone is noticed. */
	while (!wait_for_completion_timeout(&message->done, min_t(unsigned long, left, HZ))) {
		if (virtqueue_is_broken(lb->vq[LB_TODEVQ])) {
			WRITE_ONCE(lb->lost, true);
			return -EIO;
		}
		if (READ_ONCE(lb->stopping) && left > LB_ANSWER_TIMEOUT)
			left = LB_ANSWER_TIMEOUT;
		if (left <= HZ)
			return -ETIMEDOUT;
		if (left != MAX_SCHEDULE_TIMEOUT)
			left -= HZ;
	}
	message->sent = false;
	if (message->written > message->room) {
		lb_device_fault(lb, "more bytes used than there is room for", message->written);
		return -EIO;
	}
	return 0;
}

/* Sends `message`, which the device only reads, and waits. Called with the mutex held. */
int lb_tell(struct large_balloon *lb, unsigned int length)
{
	int err = lb_send(lb, &lb->message, length, 0);

	return err ? err : lb_wait(lb, &lb->message, MAX_SCHEDULE_TIMEOUT);
}

/* At most once a second, unless there is something new to say. [DRV-20] */
void lb_tell_state(struct large_balloon *lb, unsigned int reason)
{
	struct lb_state *state = &lb->message.state;
	bool news = reason != lb->said || lb->serial != lb->said_serial;

	if (!lb_has(lb, LB_F_STATE) || (!news && time_before(jiffies, lb->next_state)))
		return;
	if (!news && reason != LB_STATE_WORKING)
		return;
	lb_prepare(lb, &lb->message, LB_MSG_STATE, 0, reason);
	state->size = cpu_to_le64(lb_size(lb));
	state->target = cpu_to_le64(lb->target);
	state->longest_us = cpu_to_le32(lb->longest_us);
	state->reserved = 0;
	if (lb_tell(lb, sizeof(*state)))
		return;
	lb->longest_us = 0;
	lb->said = reason;
	lb->said_serial = lb->serial;
	lb->next_state = jiffies + HZ;
}

/* The device broke a rule that the guest's memory depends on: it is not spoken to any more. */
void lb_device_fault(struct large_balloon *lb, const char *what, u64 value)
{
	dev_err(&lb->vdev->dev, "device at fault, balloon stands still: %s: %#llx\n", what, value);
	WRITE_ONCE(lb->lost, true);
	virtio_break_device(lb->vdev);
}
