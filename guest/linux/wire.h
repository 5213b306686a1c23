/* SPDX-License-Identifier: GPL-2.0 OR BSD-3-Clause */
/*
 * The wire of virtio device 13, the balloon of large pages: docs/device-13.md.
 * Numbers in brackets are that document's clauses.
 */
#ifndef LARGE_BALLOON_WIRE_H
#define LARGE_BALLOON_WIRE_H

#include <linux/types.h>

#define LB_VIRTIO_ID 13

/* Feature bits, section 3. */
#define LB_F_SIZES 0		/* pages of more than one size */
#define LB_F_NODE 1		/* pages of one NUMA node only */
#define LB_F_NODE_STATS 2	/* statistics of each node */
#define LB_F_PRESSURE 3		/* the driver tells when memory is short */
#define LB_F_DEFLATE_ON_OOM 4	/* the driver takes pages back instead of killing */
#define LB_F_RELEASE 5		/* the driver takes back pages that it names */
#define LB_F_STATE 6		/* effort, serial, and the driver's answer to a target */

/* Virtqueues, section 5. */
enum {
	LB_FROMDEVQ,
	LB_TODEVQ,
	LB_QUEUES,
};

/* Section 4. Read only; the same for as long as the device lives. */
struct lb_config {
	__le32 page_shift;	/* unit of amounts; the smallest page */
	__le32 node;		/* with LB_F_NODE */
	__le32 max_pages;	/* addresses in one message */
	__le32 size_mask;	/* with LB_F_SIZES: bit n for pages of 2^(12+n) bytes */
};

#define LB_ANY_NODE 0xffffffff
#define LB_MAX_PAGES 512
#define LB_PLAIN_PAGES 256	/* of a device that does not say */

/* fromdevq, section 6. */
#define LB_REQ_RESIZE 0
#define LB_REQ_STATS 1

#define LB_EFFORT_FREE 0	/* what is free, as it lies */
#define LB_EFFORT_RECLAIM 1	/* compact and reclaim a little */
#define LB_EFFORT_SWEEP 2	/* empty blocks of memory for it */

struct lb_request {
	__le16 type;
	__le16 effort;
	__le32 serial;
	__le64 value;
};

/* todevq, section 7. */
#define LB_MSG_PAGES 0
#define LB_MSG_STATS 1
#define LB_MSG_RELEASE 2
#define LB_MSG_STATE 3
#define LB_MSG_PRESSURE 4

struct lb_header {
	__u8 type;
	__u8 shift;
	__le16 detail;
	__le32 serial;
};

/* lb_header.detail of LB_MSG_STATE */
enum {
	LB_STATE_REACHED,
	LB_STATE_WORKING,
	LB_STATE_EXHAUSTED,
	LB_STATE_NO_NODE,
	LB_STATE_WITHHELD,
	LB_STATE_OOM,
	LB_STATE_LEAVING,
};

struct lb_state {
	__le64 size;
	__le64 target;
	__le32 longest_us;
	__le32 reserved;
};

/* lb_header.detail of LB_MSG_PRESSURE */
enum {
	LB_PRESSURE_BACKGROUND = 1,
	LB_PRESSURE_DIRECT,
	LB_PRESSURE_OOM,
};

struct lb_pressure {
	__le32 node;		/* 0: the whole guest; n + 1: node n */
	__le32 count;
};

/* Tags 0 to 15 are those of device 5. Amounts are bytes. */
#define LB_S_SWAP_IN 0
#define LB_S_SWAP_OUT 1
#define LB_S_MAJFLT 2
#define LB_S_MINFLT 3
#define LB_S_MEMFREE 4
#define LB_S_MEMTOT 5
#define LB_S_AVAIL 6
#define LB_S_CACHES 7
#define LB_S_HTLB_PGALLOC 8
#define LB_S_HTLB_PGFAIL 9
#define LB_S_OOM_KILL 10
#define LB_S_ALLOC_STALL 11
#define LB_S_FREE_LARGE 16
#define LB_S_BALLOON 17

struct lb_stat {
	__le16 tag;
	__le16 node;		/* as in lb_pressure */
	__le32 reserved;
	__le64 value;
};

#endif
