/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What differs between Linux 6.1 and the newest one that this driver is built for.
 */
#ifndef LARGE_BALLOON_COMPAT_H
#define LARGE_BALLOON_COMPAT_H

#include <linux/gfp.h>
#include <linux/mmzone.h>
#include <linux/shrinker.h>
#include <linux/slab.h>
#include <linux/version.h>
#include <linux/virtio_config.h>

/* Until 6.3 MAX_ORDER was one more than the largest order. */
#ifdef MAX_PAGE_ORDER
#define LB_MAX_ORDER MAX_PAGE_ORDER
#elif LINUX_VERSION_CODE >= KERNEL_VERSION(6, 4, 0)
#define LB_MAX_ORDER MAX_ORDER
#else
#define LB_MAX_ORDER (MAX_ORDER - 1)
#endif

/*
 * The third argument was a migrate type, and is a set of flags now: the old one compiles and is
 * refused.
 */
static inline int lb_alloc_contig_range(unsigned long start, unsigned long end, gfp_t gfp)
{
#ifdef ACR_FLAGS_NONE
	return alloc_contig_range(start, end, ACR_FLAGS_NONE, gfp);
#else
	return alloc_contig_range(start, end, MIGRATE_MOVABLE, gfp);
#endif
}

static inline int lb_find_vqs(struct virtio_device *vdev, struct virtqueue *vqs[2],
			      vq_callback_t *callbacks[2], const char *const names[2])
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 11, 0)
	struct virtqueue_info info[2] = {
		{ .name = names[0], .callback = callbacks[0] },
		{ .name = names[1], .callback = callbacks[1] },
	};

	return virtio_find_vqs(vdev, 2, vqs, info, NULL);
#else
	return virtio_find_vqs(vdev, 2, vqs, callbacks, names, NULL);
#endif
}

/* Since 6.7 the kernel allocates a shrinker, and frees it when nobody looks at it any more. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 7, 0)
#define LB_SHRINKER_OWNER(shrinker) ((shrinker)->private_data)
#else
struct lb_owned_shrinker {
	struct shrinker shrinker;
	void *owner;
};

#define LB_SHRINKER_OWNER(it) (container_of(it, struct lb_owned_shrinker, shrinker)->owner)
#endif

typedef unsigned long lb_shrink_fn(struct shrinker *shrinker, struct shrink_control *sc);

static inline struct shrinker *lb_shrinker_add(void *owner, lb_shrink_fn *count, lb_shrink_fn *scan)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 7, 0)
	struct shrinker *shrinker = shrinker_alloc(SHRINKER_NUMA_AWARE, "large-balloon");

	if (!shrinker)
		return NULL;
	shrinker->private_data = owner;
#else
	struct lb_owned_shrinker *owned = kzalloc(sizeof(*owned), GFP_KERNEL);
	struct shrinker *shrinker;

	if (!owned)
		return NULL;
	owned->owner = owner;
	shrinker = &owned->shrinker;
	shrinker->flags = SHRINKER_NUMA_AWARE;
#endif
	shrinker->count_objects = count;
	shrinker->scan_objects = scan;
	shrinker->seeks = DEFAULT_SEEKS;
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 7, 0)
	shrinker_register(shrinker);
#else
	if (register_shrinker(shrinker, "large-balloon")) {
		kfree(owned);
		return NULL;
	}
#endif
	return shrinker;
}

static inline void lb_shrinker_remove(struct shrinker *shrinker)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 7, 0)
	shrinker_free(shrinker);
#else
	unregister_shrinker(shrinker);
	kfree(container_of(shrinker, struct lb_owned_shrinker, shrinker));
#endif
}

#endif
