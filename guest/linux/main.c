// SPDX-License-Identifier: GPL-2.0
/*
 * Driver of virtio device 13: a balloon of large pages.
 *
 * What both sides say to each other is docs/device-13.md of vballoon; numbers in brackets are its
 * clauses.
 */
#include <linux/module.h>
#include <linux/sysfs.h>

#include "large_balloon.h"

static const unsigned int lb_features[] = {
	LB_F_SIZES, LB_F_NODE, LB_F_NODE_STATS, LB_F_PRESSURE,
	LB_F_DEFLATE_ON_OOM, LB_F_RELEASE, LB_F_STATE,
};

static const struct virtio_device_id lb_ids[] = {
	{ LB_VIRTIO_ID, VIRTIO_DEV_ANY_ID },
	{},
};

/* Whether pages may come from where the device wants them. Its node may come online at any time. */
bool lb_find_node(struct large_balloon *lb)
{
	lb->nid = NUMA_NO_NODE;
	if (lb->node == LB_ANY_NODE)
		return true;
	lb->nid = lb_node_of(lb->node);
	return lb->nid != NUMA_NO_NODE && node_online(lb->nid);
}

/* Neither smaller than the kernel's pages nor larger than it can find. [DRV-8] */
static bool lb_usable(unsigned int shift)
{
	if (shift < PAGE_SHIFT)
		return false;
	return shift - PAGE_SHIFT <= LB_MAX_ORDER || IS_ENABLED(CONFIG_CONTIG_ALLOC);
}

static void lb_add_size(struct large_balloon *lb, unsigned int shift)
{
	struct lb_pages *pages = &lb->pages[lb->sizes];

	if (!lb_usable(shift))
		return;
	pages->shift = shift;
	pages->order = shift - PAGE_SHIFT;
	pages->on_node = lb->on_node;
	xa_init(&pages->in_balloon);
	xa_init(&pages->kept);
	lb->sizes++;
}

static int lb_read_config(struct large_balloon *lb)
{
	u32 mask, max_pages = LB_PLAIN_PAGES, i;

	virtio_cread_le(lb->vdev, struct lb_config, page_shift, &lb->unit_shift);
	if (lb->unit_shift < 12 || lb->unit_shift >= 12 + LB_SIZES) {
		dev_err(&lb->vdev->dev, "page_shift %u is not one of 12 to %d\n", lb->unit_shift,
			11 + LB_SIZES);
		return -EINVAL;
	}
	mask = BIT(lb->unit_shift - 12);
	for (i = 0; i < ARRAY_SIZE(lb_features); i++)
		if (lb_has(lb, lb_features[i]))
			virtio_cread_le(lb->vdev, struct lb_config, max_pages, &max_pages);
	if (lb_has(lb, LB_F_SIZES))
		virtio_cread_le(lb->vdev, struct lb_config, size_mask, &mask);
	lb->node = LB_ANY_NODE;
	if (lb_has(lb, LB_F_NODE))
		virtio_cread_le(lb->vdev, struct lb_config, node, &lb->node);
	lb->max_pages = clamp_t(u32, max_pages, 1, LB_MAX_PAGES);
	for (i = lb->unit_shift - 12; i < LB_SIZES; i++)
		if (mask & BIT(i))
			lb_add_size(lb, 12 + i);
	if (!lb->sizes) {
		dev_err(&lb->vdev->dev, "no usable page size in page_shift %u, size_mask %#x\n",
			lb->unit_shift, mask);
		return -EOPNOTSUPP;
	}
	return 0;
}

static int lb_validate(struct virtio_device *vdev)
{
	if (!vdev->config->get) {
		dev_err(&vdev->dev, "the device has no configuration space\n");
		return -EINVAL;
	}
	if (!virtio_has_feature(vdev, VIRTIO_F_VERSION_1)) {
		dev_err(&vdev->dev, "the device has not VIRTIO_F_VERSION_1\n");
		return -EINVAL;
	}
	/* Addresses in messages are the guest's, whatever an IOMMU makes of the rings'. */
	__virtio_clear_bit(vdev, VIRTIO_F_ACCESS_PLATFORM);
	return 0;
}

static void lb_init(struct large_balloon *lb, struct virtio_device *vdev)
{
	lb->vdev = vdev;
	lb->stopping = true;
	spin_lock_init(&lb->lock);
	mutex_init(&lb->mutex);
	mutex_init(&lb->oom_mutex);
	init_completion(&lb->message.done);
	init_completion(&lb->oom_message.done);
	INIT_DELAYED_WORK(&lb->work, lb_work);
	lb->pressure_nid = NUMA_NO_NODE;
	lb->quiet_until = jiffies;
}

/* The balloon is empty, and the device has not said anything yet. */
static void lb_begin(struct large_balloon *lb)
{
	lb->target = 0;
	lb->serial = 0;
	lb->said_serial = 0;
	lb->said = LB_STATE_REACHED;
	lb->idle = true;
	lb->lost = false;
	lb->stats_wanted = false;
	lb->next_try = jiffies;
	lb->next_state = jiffies;
	lb->next_pressure = jiffies;
	lb->oom_until = 0;
	lb_begin_tries(lb);
}

/* Callbacks and notifiers that came before this found the driver stopped. */
static int lb_go(struct large_balloon *lb)
{
	int err = lb_start_queues(lb);

	if (err)
		return err;
	WRITE_ONCE(lb->stopping, false);
	lb_wake(lb);
	return 0;
}

static int lb_probe(struct virtio_device *vdev)
{
	struct large_balloon *lb = kzalloc(sizeof(*lb), GFP_KERNEL);
	int err = -ENOMEM;

	if (!lb)
		return -ENOMEM;
	lb_init(lb, vdev);
	vdev->priv = lb;
	lb->on_node = kcalloc(nr_node_ids, sizeof(*lb->on_node), GFP_KERNEL);
	if (!lb->on_node)
		goto no_nodes;
	err = lb_read_config(lb);
	if (err)
		goto no_workqueue;
	err = -ENOMEM;
	lb->workqueue = alloc_ordered_workqueue("large-balloon-%s", WQ_FREEZABLE,
						dev_name(&vdev->dev));
	if (!lb->workqueue)
		goto no_workqueue;
	lb_begin(lb);
	err = lb_add_notifiers(lb);
	if (err)
		goto no_notifiers;
	err = lb_go(lb);
	if (err)
		goto no_queues;
	return 0;

no_queues:
	lb_remove_notifiers(lb);
no_notifiers:
	destroy_workqueue(lb->workqueue);
no_workqueue:
	kfree(lb->on_node);
no_nodes:
	kfree(lb);
	return err;
}

/*
 * Ends the driver's work with the device, which is reset. Its pages are the guest's then; but where
 * the device has refused to hand them back, the host has no memory behind them, and they are kept
 * from use. [DRV-23]
 */
void lb_leave(struct large_balloon *lb, bool give_back)
{
	bool keep = false;

	if (READ_ONCE(lb->stopping))
		return;
	WRITE_ONCE(lb->stopping, true);
	cancel_delayed_work_sync(&lb->work);
	mutex_lock(&lb->mutex);
	lb_tell_state(lb, LB_STATE_LEAVING);
	if (give_back)
		keep = !lb_withdraw_all(lb);
	mutex_lock(&lb->oom_mutex);
	virtio_reset_device(lb->vdev);
	if (keep)
		dev_warn(&lb->vdev->dev, "%llu MiB not handed back by the host: kept from use\n",
			 lb_size(lb) << lb->unit_shift >> 20);
	if (give_back)
		lb_end_pages(lb, keep);
	lb_end_sweep(lb);
	mutex_unlock(&lb->oom_mutex);
	mutex_unlock(&lb->mutex);
}

static void lb_remove(struct virtio_device *vdev)
{
	struct large_balloon *lb = vdev->priv;
	unsigned int i;

	lb_remove_notifiers(lb);
	lb_leave(lb, true);
	cancel_delayed_work_sync(&lb->work); /* woken before it was told to stop */
	destroy_workqueue(lb->workqueue);
	vdev->config->del_vqs(vdev);
	for (i = 0; i < lb->sizes; i++) {
		xa_destroy(&lb->pages[i].in_balloon);
		xa_destroy(&lb->pages[i].kept);
	}
	kfree(lb->on_node);
	kfree(lb);
}

#ifdef CONFIG_PM_SLEEP
static int lb_freeze(struct virtio_device *vdev)
{
	struct large_balloon *lb = vdev->priv;

	lb_leave(lb, true);
	cancel_delayed_work_sync(&lb->work);
	vdev->config->del_vqs(vdev);
	return 0;
}

static int lb_restore(struct virtio_device *vdev)
{
	struct large_balloon *lb = vdev->priv;

	lb_begin(lb);
	return lb_go(lb);
}
#endif

/* For people and tests: /sys/bus/virtio/devices/virtioN/ */

static ssize_t size_bytes_show(struct device *dev, struct device_attribute *attr, char *text)
{
	struct large_balloon *lb = dev_to_virtio(dev)->priv;

	return sysfs_emit(text, "%llu\n", lb_size(lb) << lb->unit_shift);
}
static DEVICE_ATTR_RO(size_bytes);

static ssize_t target_bytes_show(struct device *dev, struct device_attribute *attr, char *text)
{
	struct large_balloon *lb = dev_to_virtio(dev)->priv;

	return sysfs_emit(text, "%llu\n", READ_ONCE(lb->target) << lb->unit_shift);
}
static DEVICE_ATTR_RO(target_bytes);

static ssize_t longest_us_show(struct device *dev, struct device_attribute *attr, char *text)
{
	struct large_balloon *lb = dev_to_virtio(dev)->priv;

	return sysfs_emit(text, "%u\n", READ_ONCE(lb->longest_ever_us));
}
static DEVICE_ATTR_RO(longest_us);

static struct attribute *lb_attrs[] = {
	&dev_attr_size_bytes.attr,
	&dev_attr_target_bytes.attr,
	&dev_attr_longest_us.attr,
	NULL,
};
ATTRIBUTE_GROUPS(lb);

static struct virtio_driver lb_driver = {
	.feature_table = lb_features,
	.feature_table_size = ARRAY_SIZE(lb_features),
	.driver.name = KBUILD_MODNAME,
	.driver.dev_groups = lb_groups,
	.id_table = lb_ids,
	.validate = lb_validate,
	.probe = lb_probe,
	.remove = lb_remove,
#ifdef CONFIG_PM_SLEEP
	.freeze = lb_freeze,
	.restore = lb_restore,
#endif
};

module_virtio_driver(lb_driver);
MODULE_DEVICE_TABLE(virtio, lb_ids);
MODULE_DESCRIPTION("Balloon of large pages (virtio device 13)");
MODULE_LICENSE("GPL");
