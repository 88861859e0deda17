/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * wire.h - wires: two ports between which frames cross unchanged, but for what is captured.
 *
 * Writer of struct wire: the daemon alone. What is learned - neighbours, stations, the state of a wire - the datapath writes,
 * with the daemon dead too. Both tables are arrays of sets: a key lives in the one set that its hash names, and the entry
 * that has been silent longest makes room. An entry that is lost costs a question by ARP, never a wrong way: flows carry their
 * MAC addresses themselves. Entries are written without locks; half of an old and half of a new one may be read for one packet.
 *
 * A captured flow (FLOW_WIRE) is one of two. The wire's side comes in by a port: dmac, smac and tags are those of its last
 * packet, oif is the target. The target's side (FLOW_TARGET) comes out of the target: dmac, smac and tags are what a packet gets
 * put in front of it, oif is the port; generation is the wire's, and an older one means that a MAC address may have moved.
 */
#ifndef NATVI_ABI_WIRE_H
#define NATVI_ABI_WIRE_H

#include "limits.h"
#include "types.h"

/* The number of tags, and which of them are service tags (802.1ad) rather than customer tags (802.1Q). */
#define TAGS_COUNT	0x03
#define TAGS_OUTER_AD	0x04
#define TAGS_INNER_AD	0x08
#define TAGS_SECOND	0x40	/* flow.tags: its packets come in by the second port, or (FLOW_TARGET) leave by it */

#define WIRE_OPEN	0x01	/* captured traffic whose target is gone crosses; else it is dropped */
#define WIRE_ARP_MOVES	0x02	/* an ARP packet alone moves a neighbour that is alive with its old MAC address */
#define WIRE_MSS	0x04	/* TCP's MSS is held to wire.mss */
#define WIRE_GATEWAY	0x10	/* the box has been told its gateway: the kernel finds that one's MAC address */
#define WIRE_XDP	0x08	/* both ports take frames that are redirected at XDP */

/* By its number, which is the zone of its ports, its targets and its rules (ACTION_CAPTURE). */
struct wire {
	__u32 port[2];		/* ifindex; 0: not there */
	__u32 flags;		/* WIRE_* */
	__u32 reply_mark;	/* what the box sends with it goes to the MAC address that its connection's requests came from */
	__u32 original_mark;	/* and to the one that they were for */
	__be32 host;		/* the box's address on this wire; 0: none */
	__be32 host_mask;
	__u16 host_vlan;	/* 0: untagged */
	__u8 host_mac[6];	/* nvi0's */
	__u16 mss;		/* WIRE_MSS; MSS_AUTO: what the MTUs allow */
	__u16 pad;
	char name[NATVI_NAME_LEN];	/* "": there is no such wire */
	__u8 pad2[24];
};
NATVI_ASSERT_SIZE(struct wire, 96);

/* What the datapath keeps of a wire. */
struct wire_state {
	__u32 generation;	/* of MAC addresses */
	__u32 replies_until_s;	/* until then there are connections that began in a target: look for answers on the wire */
	__u32 claims_until_s;	/* until then somebody's claim by ARP to another's address may come true */
	__u32 gateway_seen_s;	/* when the gateway was last heard of; 0: none is known */
	__u8 gateway[6];	/* who has sent packets from beyond the box's network */
	__u8 gateway_side;	/* port */
	__u8 pad[41];
};
NATVI_ASSERT_SIZE(struct wire_state, 64);

#define NEIGHBOUR_ROUTER	0x01	/* it sends packets whose source is not on the box's network */
#define NEIGHBOUR_CLAIMED	0x02	/* next says by ARP that it has this one's address; it counts if this one stays silent */
#define NEIGHBOUR_MOVED		0x04	/* next is its MAC address now */

/* Who sends frames. */
struct wire_neighbour {
	__u8 mac[6];
	__u16 vlan;		/* outer VLAN; 0: untagged */
	__u16 zone;
	__u8 side;		/* port that it is behind: 0 or 1 */
	__u8 flags;		/* NEIGHBOUR_* */
	__u32 last_seen_s;	/* 0: the entry is free */
	__u8 next[6];
	__u8 next_side;
	__u8 pad;
	__u32 moved_s;		/* CLAIMED, MOVED: since then */
	__u32 first_seen_s;
};
NATVI_ASSERT_SIZE(struct wire_neighbour, 32);

struct wire_neighbours {
	struct wire_neighbour entry[NATVI_NEIGHBOUR_WAYS];
};

#define STATION_CONFIRMED	0x10	/* it has said so by ARP or neighbour discovery */

/* Which address is behind which MAC address: neighbours on the box's network, and hosts whose traffic was captured or was for the box. */
struct station {
	union addr addr;
	__u8 mac[6];
	__u8 peer[6];		/* MAC address that its captured packets were for; 0: none yet */
	__u16 tci[2];		/* outer, inner */
	__u16 zone;
	__u8 side;
	__u8 tags;		/* TAGS_*, STATION_* */
	__u32 last_seen_s;	/* 0: the entry is free */
};
NATVI_ASSERT_SIZE(struct station, 40);

struct stations {
	struct station entry[NATVI_STATION_WAYS];
	__u8 pad[8];
};
NATVI_ASSERT_SIZE(struct stations, 128);

#endif
