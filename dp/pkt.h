/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * pkt.h - the packet under work, and how it ends.
 *
 * A struct pkt lives on the stack of one program run. A hook sets its pointers and the first
 * part of its struct meta, parse() the second; after that the packet's bytes are only touched
 * by rewrite and icmp.
 * Packet pointers are good until an env_ call that says it moves the packet.
 */
#ifndef NATVI_DP_PKT_H
#define NATVI_DP_PKT_H

#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <stdbool.h>

#include "abi/config.h"
#include "abi/event.h"
#include "abi/flow.h"
#include "abi/fragment.h"
#include "abi/mapping.h"
#include "abi/verdict.h"
#include "abi/wire.h"

/* <linux/icmp.h> drags in the C library; RFC 792 fits here. */
struct icmp_header {
	__u8 type;
	__u8 code;
	__u16 checksum;
	__be16 id;
	__be16 value;	/* echo: sequence number; fragmentation needed: MTU */
};

enum icmp_type {
	ICMP_ECHOREPLY = 0,
	ICMP_DEST_UNREACH = 3,
	ICMP_SOURCE_QUENCH = 4,
	ICMP_REDIRECT = 5,
	ICMP_ECHO = 8,
	ICMP_TIME_EXCEEDED = 11,
	ICMP_PARAMETERPROB = 12,
	ICMP_TIMESTAMP = 13,
	ICMP_TIMESTAMPREPLY = 14,
	ICMP6_TOO_BIG = 2,
	ICMP6_ECHO = 128,
	ICMP6_ECHOREPLY = 129,
	ICMP6_MLD_QUERY = 130,
	ICMP6_NS = 135,
	ICMP6_NA = 136,
	ICMP6_ND_REDIRECT = 137,
	ICMP6_MLD2_REPORT = 143,
};

enum icmp_code {
	ICMP_NET_UNREACH = 0,
	ICMP_HOST_UNREACH = 1,
	ICMP_PORT_UNREACH = 3,
	ICMP_FRAG_NEEDED = 4,
	ICMP_PKT_FILTERED = 13,	/* communication administratively prohibited */
	ICMP_EXC_TTL = 0,
};

#ifndef NULL
#define NULL ((void *)0)
#endif

#define DP		static inline __attribute__((always_inline))
/* Called, not inlined: what only few packets need and many places ask for. A program's size is most of what its start costs. */
#define DP_CALLED	static __attribute__((noinline, unused))
#define likely(x)	__builtin_expect(!!(x), 1)
#define unlikely(x)	__builtin_expect(!!(x), 0)

/* Keeps the compiler from knowing x: bounds stay checked, arithmetic stays free of branches. */
#define OPAQUE(x)	asm volatile("" : "+r"(x))

/* Have the cache line of what p points to fetched, and do not wait for it. */
#define PREFETCH(p)	((void)*(const volatile __u8 *)(p))

#define V4_PREFIX	__builtin_bswap32(0x0000ffff)	/* ::ffff:0:0/96, third word */

DP void addr_from_v4(union addr *a, __be32 v4)
{
	a->quad[0] = 0;
	a->word[2] = V4_PREFIX;
	a->word[3] = v4;
}

DP bool addr_is_v4(const union addr *a)
{
	return !a->quad[0] && a->word[2] == V4_PREFIX;
}

/* A stage either lets the packet go on to the next one, or it was the last. */
enum stage { NEXT, DONE };

#define PKT_OPTIONS	0x001	/* IPv4 options */
#define PKT_FIRST	0x002	/* first fragment: the one with the L4 header */
#define PKT_DF		0x004
#define PKT_GSO		0x008
#define PKT_LATER	0x010	/* any other fragment */
#define PKT_NO_PORTS	0x020	/* protocol without ports, or a later fragment whose first is not known */
#define PKT_ICMP_ERROR	0x040
#define PKT_TAGGED	0x080	/* VLAN tags in the packet itself */
#define PKT_NEW_ID	0x100	/* new_id is its IP identification from now on */
#define PKT_TRACKED	0x200	/* PKT_FIRST: the others know their way */
#define PKT_LEFT	0x400	/* left to the kernel, for the reason in `left` */
#define PKT_NO_REFRESH	0x800	/* does not make its session live longer */
#define PKT_BEGUN	0x1000	/* PKT_FIRST: counted as begun for its source */
#define PKT_FROM_BOX	0x2000	/* the box itself sends it; its port is the one that it leaves by */
#define PKT_CROSS	0x4000	/* its way out leads over nvi0 */
#define PKT_AT_NVI	0x8000	/* the kernel has routed it to nvi0, where it is now */
#define PKT_FRAGMENT	(PKT_FIRST | PKT_LATER)

#define TOS_DSCP	0xfc	/* without ECN, which no route depends on */
#define IFINDEX_LO	1	/* for the kernel, what the box itself sends comes in by that */

/* What goes in front of a packet on an Ethernet. */
struct link_head {
	__u8 dmac[6];
	__u8 smac[6];
	__be16 proto;
	__u16 tci[2];		/* outer, inner */
	__u8 tags;		/* TAGS_* */
	__u8 side;		/* port of the wire: 0 or 1 */
};

/*
 * All that is known of the packet but pointers. It lies in per-CPU memory, not on the
 * stack: there the BPF verifier takes values as unknown, so that packets with different
 * flags are one case to it after parse(), not one for each combination.
 */
struct meta {
	/* by the hook */
	__u32 ifindex;
	__u32 wire_len;		/* bytes from the start of data, whole packet */
	__u32 gso_size;		/* payload bytes of a segment; 0: not GSO */
	__be16 eth_proto;	/* NO_L2 ports: what the device says */
	__u16 vlan_tci;		/* host order, out of band or outermost in the packet */
	__u16 vlan_present;
	__u32 mark;		/* the kernel's */
	/* by dp_begin() and parse() */
	__u32 port_slot;	/* of the port that it came in by */
	__u8 l3;		/* offsets from data */
	__u8 l4;
	__u32 now_s;		/* coarse monotonic seconds */
	__u32 flags;		/* PKT_* */
	__u32 len;		/* from the IP header on, whole packet */
	__u32 seg_len;		/* from the IP header on, largest packet on the wire */
	__u8 ttl;
	__u8 tos;
	__u8 tcp_flags;		/* SEEN_* */
	__u8 icmp_type;
	__u8 tcp_head;		/* bytes of the TCP header */
	__u8 tcp_data;		/* 1: there is TCP payload */
	__be16 frag_id;		/* IP identification */
	__u8 bad;		/* by parse_*(): enum verdict of what is wrong with it */
	__u16 frag_at;		/* PKT_FRAGMENT: first and last but one unit of 8 bytes */
	__u16 frag_end;
	__u16 frag_more;	/* more fragments follow */
	/* by later stages */
	__be16 new_id;
	__u16 peer_mtu;		/* by tcp_track(): of the other direction's way out; 0: not known */
	__u16 mss;		/* TCP's MSS option goes down to this; 0: stays */
	__u8 left;		/* enum verdict */
	__u8 slow;		/* PKT_LATER: verdict of the first one, if that took the slow road */
	__u8 done;		/* by dp_translate(): verdict to count when it goes the fast way */
	__u8 error_type;	/* by refuse(): ICMP error to send when all is done; 0: none */
	__u8 error_code;
	__u16 error_mtu;
	__u32 slot;		/* the packet's flow: bucket->flow[slot] */
	__u64 handle;		/* by flow_find() or establish(): the same */
	int action;		/* what the hook returns */
	struct link_head link;	/* wires: what it came in with; of what leaves, what it leaves with */
	__u8 in_tags;		/* out of a target: VLAN tags that it came with */
	__u32 target;		/* wires, by capture_find(): ifindex, and the rule's id */
	__u32 target_rule;
	struct tuple key;
};

struct pkt {
	void *ctx;
	void *data;
	void *data_end;
	struct meta *m;
	struct cpu *cpu;
	struct control *control;
	const struct port *port;
	struct bucket *bucket;
};

/* A next hop, found for one packet. */
enum route_result { ROUTE_OK, ROUTE_NO_NEIGHBOUR, ROUTE_LOCAL, ROUTE_NONE, ROUTE_LOOP };

struct route {
	__u32 result;		/* enum route_result */
	__u32 oif;
	__u32 mtu;		/* bytes; 0: not known */
	__u8 dmac[6];
	__u8 smac[6];
	__u32 out_flags;	/* PORT_* of the way out */
	__u32 masq_pool;	/* of the way out */
	__u16 enabled;		/* the way out is one of natvi's ports */
	__u16 zone;		/* of the way out */
};

#define CT_REPLY	0x01	/* the tuple that was asked for is the reply's */
#define CT_STEADY	0x02	/* both sides have been heard, and neither has begun to close */
#define CT_LIBERAL	0x04	/* its windows are not checked, or it has none */
#define CT_KERNELS	0x08	/* a helper, changed sequence numbers, a time-out of its own: the kernel has to see every packet */

/* What the kernel's conntrack knows of a connection. */
struct ct {
	struct tuple orig;	/* zone: not natvi's, 0 */
	struct tuple reply;
	__u32 mark;
	__u16 zone;		/* conntrack's */
	__u16 flags;		/* CT_* */
};

/* A session on its way into the table. */
struct draft {
	struct tuple orig;	/* as the first packet came in */
	struct tuple out;	/* the same packet translated */
	struct tuple reply;	/* its reverse: the reply's key */
	struct mapping_key key;	/* of the mapping under work */
	struct mapping_key back;	/* the same mapping's other key */
	struct mapping value;
	struct route route;
	struct pool_addr face;	/* outside address under work */
	__u32 slot;		/* of the outside address that the source gets */
	__u32 generation;	/* of routes, read before the look-up so that no change is lost */
	__u16 rule;
	__u16 idle_s;
	__u8 held;		/* COLD_*: what this session holds */
	__u8 pool;		/* of the source's mapping, or POOL_NONE */
	__u8 dst_pool;		/* of the destination's mapping, or POOL_NONE */
	__u8 flow_flags;	/* FLOW_* of the original flow */
	__u8 filtering;		/* of the source's pool */
	__u8 routed;		/* route is that of the untranslated packet */
	__u8 map_proto;		/* protocol in the key of the source's mapping: 0 where TCP and UDP share it */
	__u8 to_zone;		/* whose routes lead to out.dst */
	__u8 to_box;		/* out.dst may be the box itself */
	__u8 pad[3];
};

/* Per-CPU: counters first (user space reads those), then scratch space that no program keeps between runs. */
struct cpu {
	struct counters counters;
	struct meta meta;
	__u64 tick;		/* of the kernel's when it was last asked for the time */
	__u32 tick_s;		/* and what it said */
	struct draft draft;
	struct event event;
	__u64 icmp_tokens;	/* rate limit of own ICMP errors: used in this second */
	__u32 icmp_second;
	__u32 exhausted_s;	/* second of the last EXHAUSTED event */
	__u32 park_second;	/* rate limit of what goes to the daemon */
	__u32 parked;
	struct addr_key addr_key;	/* being looked up; its padding is never written */
	struct tuple fragment_key;
	struct fragment fragment;
	struct ct ct;		/* being learned */
	__u32 asked[NATVI_ACCEL_ASKED];	/* hash of a connection and the second in which the daemon was asked about it */
	__u64 query[8];		/* of the host's look-ups */
	__u8 piece[NATVI_ICMP_QUOTE_BYTES];	/* of a packet, to be summed up */
	__u8 quote[NATVI_ICMP_QUOTE_BYTES];
};

/* Is p's frame for the MAC address of the port that it came in by, as the daemon knows it? */
DP bool is_to_port(const struct pkt *p)
{
	const struct ethhdr *eth = p->data;

	return (void *)(eth + 1) <= p->data_end && !__builtin_memcmp(eth->h_dest, p->port->mac, ETH_ALEN);
}

#endif
