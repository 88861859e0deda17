/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * flow.h - the flow table: what a tracked packet needs, found with one look-up.
 *
 * A flow is one direction. Its key is the tuple as it comes in, its recipe is all
 * that has to be done to the packet. A session is two flows: the original one (its
 * first packet made the session) and the reply. Each direction's fast path writes
 * only its own flow.
 *
 * The table is an array of buckets of 1,024 bytes, so a look-up touches one page:
 * a line of tags, then the flow. A key lives in one of two buckets that its hash names.
 * Buckets can be mapped read-only by user space. Life of a slot, kept in its tag:
 *
 *   FREE -> CLAIMED    by compare-and-swap, whoever wants to insert
 *   CLAIMED -> PENDING key written; seen by other inserters, not by readers
 *   PENDING -> LIVE    recipe written; seen by all
 *   PENDING -> FREE    rollback: no reader has ever seen it
 *   LIVE -> DEAD       expiry, flush, or a packet that finds the session past its time;
 *                      compare-and-swap on the original flow: one winner settles the rest
 *   DEAD -> FREE       by a sweep, one whole pass later at least: no program still reads
 *                      what a new flow overwrites
 */
#ifndef NATVI_ABI_FLOW_H
#define NATVI_ABI_FLOW_H

#include "limits.h"
#include "types.h"

/* Tags. A LIVE or PENDING tag carries 30 bits of the key's hash. */
#define TAG_FREE	0u
#define TAG_CLAIMED	1u
#define TAG_DEAD(sweep)	(2u + (sweep) % 3)	/* buried while that pass was the last; free from pass + 2 on */
#define TAG_PENDING	0x40000000u
#define TAG_LIVE	0x80000000u
#define TAG_HASH	0x3fffffffu

/* flow.flags */
#define FLOW_ORIG	0x01	/* the direction of the session's first packet */
#define FLOW_XDP	0x02	/* the way out takes XDP frames */
#define FLOW_SLOW	0x04	/* translate, then always leave it to the kernel (flow.slow says why) */
#define FLOW_KERNEL	0x08	/* the kernel's conntrack owns it: pass it on untouched */
#define FLOW_TARGET	0x10	/* FLOW_WIRE: it comes out of the target of a capture */
#define FLOW_ACCEL	0x20	/* derived from the kernel's conntrack */
#define FLOW_WIRE	0x40	/* captured from a wire, or back to it: see wire.h */
#define FLOW_NEW_ID	0x80	/* the source is shared: datagrams that may be cut get another id (RFC 6864 section 5.3.1) */

#define FLOW_KERNELS	(FLOW_KERNEL | FLOW_ACCEL)	/* its connection and translation are the kernel's, not natvi's */

/* tcp_seen: TCP flags of this direction so far */
#define SEEN_FIN	0x01
#define SEEN_SYN	0x02
#define SEEN_RST	0x04
#define SEEN_ACK	0x10

/* tcp_seen of FLOW_ACCEL: SEEN_SYN and SEEN_ACK, of UDP too, when its packets may be sent on; or why the last one said no */
#define LEFT_CUT	0x40	/* it left in fragments */
#define LEFT_ALTERED	0x80	/* the kernel has made more of it than NAT does */

/* Recipe and state of one direction: 128 bytes, two cache lines. */
struct flow {
	struct tuple key;
	union addr new_src;
	union addr new_dst;
	__be16 new_sport;
	__be16 new_dport;
	union {
		struct {
			__u16 addr_delta;	/* one's complement sum to add for the addresses */
			__u16 port_delta;	/* the same for ports or ICMP id */
		};
		__u16 tci[2];	/* FLOW_WIRE: tags, outer and inner */
	};
	__u32 oif;		/* ifindex of the way out; 0: not resolved, or (FLOW_SLOW) the box itself */
	__u8 dmac[6];
	__u8 smac[6];
	union {
		__u16 in_slot;	/* FLOW_ACCEL: of the port that its packets come in by */
		__u16 tags;	/* FLOW_WIRE: TAGS_* */
	};
	__u16 mtu;		/* of the way out, bytes from the IP header on */
	__u32 generation;	/* of the route; not the control's (FLOW_WIRE: the wire's): look it up again */
	__u32 last_seen_s;	/* coarse monotonic seconds */
	__u16 idle_s;		/* time-out in the state that this direction knows of */
	__u8 tcp_seen;		/* SEEN_*, LEFT_* */
	__u8 flags;		/* FLOW_* */
	__u64 packets;
	__u64 bytes;		/* from the IP header on */
};
NATVI_ASSERT_SIZE(struct flow, 128);

/* flow_cold.flags */
#define COLD_SRC_MAPPED	0x01	/* ORIG: the source has a mapping that the session holds */
#define COLD_DST_MAPPED	0x02	/* ORIG: the destination was found by a mapping that the session holds */
#define COLD_PERMIT	0x04	/* ORIG: the session holds a permit for its remote's address */
#define COLD_REMOTE	0x08	/* ORIG: port chosen by reply key, no mapping */
#define COLD_SRC_SHARED	0x10	/* ORIG: the source's mapping is one for TCP and UDP */
#define COLD_DST_SHARED	0x20	/* ORIG: the destination's mapping is */
#define COLD_RELEASED	0x40	/* ORIG: it has let go of all that the other flags say it holds (orphans: drain) */
#define COLD_BOX	0x80	/* ORIG: the box itself began it */

/* What only set-up, expiry and `show` read of a flow. */
struct flow_cold {
	__u32 created_s;
	__u16 rule;		/* rule.id; 0: none (mapping or forward) */
	__u16 peer_zone;	/* zone of the other direction's key */
	__u8 flags;		/* COLD_* */
	__u8 pool;		/* ORIG: pool of the source's mapping, or POOL_NONE */
	union {
		__u8 dst_pool;	/* ORIG: pool of the destination's mapping, or POOL_NONE */
		__u8 ttl;	/* FLOW_ACCEL: with which the last one that was left to the kernel should leave; 0: there was none */
	};
	__u8 route_zone;	/* whose routes lead to the translated destination */
};
NATVI_ASSERT_SIZE(struct flow_cold, 12);

struct bucket {
	__u32 tag[NATVI_BUCKET_SLOTS];
	__u32 spilled;		/* 1: a key that prefers this bucket stands in its other one */
	struct flow_cold cold[NATVI_BUCKET_SLOTS];
	__u8 tos[NATVI_BUCKET_SLOTS];	/* that the route was looked up with, where routing rules ask for it; FLOW_ACCEL: as flow_cold.ttl */
	__u8 pad2[5];
	struct flow flow[NATVI_BUCKET_SLOTS];
};
NATVI_ASSERT_SIZE(struct bucket, NATVI_BUCKET_BYTES);
_Static_assert(__builtin_offsetof(struct bucket, flow) == 128, "flows start at a cache line");

/*
 * Buckets for a number of sessions: two flows each, at most two thirds of the slots used. Filled up
 * to that, one new session in 100,000 finds both its buckets full and is refused as by a full table;
 * with sessions coming and going at nine tenths of it, three in 10,000 (measured).
 */
static inline __u32 natvi_buckets_for(__u32 sessions)
{
	return (__u32)(((__u64)sessions * 3 + NATVI_BUCKET_SLOTS - 1) / NATVI_BUCKET_SLOTS) + 2;
}

#endif
