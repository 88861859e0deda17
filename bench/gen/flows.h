/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What the benchmark's BPF programs and their loader agree on: which packet
 * flow number N is, and the layout of what they share.
 *
 * A flow is a number. Its inside address and port are computed from it, so the
 * generator touches no memory for a flow, however many there are: a table of a
 * million headers would compete with the gateway for the cache.
 */
#ifndef BENCH_FLOWS_H
#define BENCH_FLOWS_H

#include <linux/types.h>

#define FLOW_HOST_BITS	12
#define FLOW_HOSTS	(1u << FLOW_HOST_BITS)
#define FLOW_NET	0xc6120000u	/* 198.18.0.0/15 */
#define FLOW_FIRST_HOST	0xc6121000u	/* 198.18.16.0: clear of the gateway's own */
#define FLOW_NET_MASK	0xfffe0000u
#define FLOW_FIRST_PORT	2048u
#define FLOW_PORTS	63488u		/* 2^11 * 31; 2048..65535 */
#define FLOW_MAX	((__u64)FLOW_HOSTS * FLOW_PORTS)

#define FLOW_DST_PORT	20000u		/* the sink drops this range and nothing else */
#define FLOW_DST_PORTS	64u

#define FRAME_LEN	64
#define FRAME_TTL	64
#define GEN_CPUS	64		/* a power of two */

/*
 * Source ports are spread over the whole range, as those of real hosts are:
 * small consecutive ones would make every host ask for the same ports, and the
 * kernel's port search would look worse than it is. Both factors are odd and no
 * multiple of 31, so no two flows of a host share a port.
 */
static inline __u32 flow_addr(__u32 flow)
{
	return FLOW_FIRST_HOST + (flow & (FLOW_HOSTS - 1));
}

static inline __u16 flow_port(__u32 flow)
{
	__u32 nth = flow >> FLOW_HOST_BITS;
	__u32 host = flow & (FLOW_HOSTS - 1);

	return FLOW_FIRST_PORT + (nth * 2531u + host * 27947u) % FLOW_PORTS;
}

enum gen_mode {
	GEN_RANDOM,		/* one of the flows at random, for ever */
	GEN_SEQUENCE,		/* first..first+count-1, each once */
};

/* One for each CPU, a cache line apart; the generator is its only writer. */
struct gen_state {
	__u64	seed;
	__u32	next;		/* GEN_SEQUENCE: next flow and the end of the share */
	__u32	end;
	__u64	sent;
	__u64	pad[5];
};

struct gen_config {
	__u32	ifindex;	/* the sending veth */
	__u32	flows;		/* GEN_RANDOM: draw from first..first+flows-1 */
	__u32	first;
	__u32	mode;		/* enum gen_mode */
	__u32	daddr;		/* host order */
	__u32	ip_sum;		/* sums of the header words that never change */
	__u32	udp_sum;
	__u8	dmac[6];
	__u8	smac[6];
};

struct sink_config {
	__u32	verify;		/* look at every packet, not only count it */
	__u32	answer;		/* send every packet back */
	__u8	mac[6];		/* own address of the sink */
	__u8	pad[2];
};

/* Faults are counted only while verifying. */
struct sink_count {
	__u64	packets;
	__u64	untranslated;	/* source still inside */
	__u64	bad_ip_sum;
	__u64	bad_udp_sum;
	__u64	wrong_mac;
};

/* The look-up peer's entry has the size of natvi's flow. */
struct peer_key {
	__u8	saddr[16];
	__u8	daddr[16];
	__be16	sport;
	__be16	dport;
	__u8	proto;
	__u8	pad[3];
};
_Static_assert(sizeof(struct peer_key) == 40, "key size");

struct peer_value {
	__u8	saddr[16];
	__u8	daddr[16];
	__be16	sport;
	__be16	dport;
	__u16	ip_delta;	/* added to the complement, RFC 1624 */
	__u16	udp_delta;
	__u8	dmac[6];
	__u8	smac[6];
	__u32	ifindex;
	__u8	rest[48];
};
_Static_assert(sizeof(struct peer_value) == 104, "value size");

#define PEER_ENTRIES	(1u << 20)

#endif
