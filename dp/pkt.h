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
#include <linux/tcp.h>
#include <linux/udp.h>

#include "abi/config.h"
#include "abi/event.h"
#include "abi/flow.h"
#include "abi/fragment.h"
#include "abi/mapping.h"
#include "abi/verdict.h"

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
	ICMP_ECHO = 8,
	ICMP_TIME_EXCEEDED = 11,
	ICMP_PARAMETERPROB = 12,
	ICMP_TIMESTAMP = 13,
	ICMP_TIMESTAMPREPLY = 14,
};

enum icmp_code {
	ICMP_NET_UNREACH = 0,
	ICMP_HOST_UNREACH = 1,
	ICMP_FRAG_NEEDED = 4,
	ICMP_PKT_FILTERED = 13,	/* communication administratively prohibited */
	ICMP_EXC_TTL = 0,
};

#ifndef NULL
#define NULL ((void *)0)
#endif

#define DP		static inline __attribute__((always_inline))
#define likely(x)	__builtin_expect(!!(x), 1)
#define unlikely(x)	__builtin_expect(!!(x), 0)

/* Keeps the compiler from knowing x: bounds stay checked, arithmetic stays free of branches. */
#define OPAQUE(x)	asm volatile("" : "+r"(x))

/* A stage either lets the packet go on to the next one, or it was the last. */
enum stage { NEXT, DONE };

#define PKT_OPTIONS	0x01	/* IPv4 options */
#define PKT_FRAGMENT	0x02	/* any fragment, the first one included */
#define PKT_DF		0x04
#define PKT_GSO		0x08
#define PKT_NO_PORTS	0x20	/* protocol without ports, or a later fragment */
#define PKT_ICMP_ERROR	0x40
#define PKT_TAGGED	0x80	/* VLAN tags in the packet itself */

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
	/* by dp_begin() and parse() */
	__u8 l3;		/* offsets from data */
	__u8 l4;
	__u32 now_s;		/* coarse monotonic seconds */
	__u32 len;		/* from the IP header on, whole packet */
	__u32 seg_len;		/* from the IP header on, largest packet on the wire */
	__u8 ttl;
	__u8 tcp_flags;		/* SEEN_* */
	__u8 icmp_type;
	__u8 flags;		/* PKT_* */
	/* by later stages */
	__u8 error_type;	/* by refuse(): ICMP error to send when all is done; 0: none */
	__u8 error_code;
	__u16 error_mtu;
	__u32 slot;		/* the packet's flow: bucket->flow[slot] */
	int action;		/* what the hook returns */
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
enum route_result { ROUTE_OK, ROUTE_NO_NEIGHBOUR, ROUTE_LOCAL, ROUTE_NONE };

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

/* A session on its way into the table. */
struct draft {
	struct tuple orig;	/* as the first packet came in */
	struct tuple out;	/* the same packet translated */
	struct tuple reply;	/* its reverse: the reply's key */
	struct mapping_key key;	/* of the mapping under work */
	struct mapping_key back;	/* the same mapping's other key */
	struct mapping value;
	struct route route;
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
	__u8 pad[2];
};

/* Per-CPU: counters first (user space reads those), then scratch space that no program keeps between runs. */
struct cpu {
	struct counters counters;
	struct meta meta;
	struct draft draft;
	struct event event;
	__u64 icmp_tokens;	/* rate limit of own ICMP errors: used in this second */
	__u32 icmp_second;
	__u32 exhausted_s;	/* second of the last EXHAUSTED event */
	__u8 quote[NATVI_ICMP_QUOTE_BYTES];
};

#endif
