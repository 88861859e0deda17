// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * The peers that natvi is measured against on its own ground: what a BPF
 * gateway could reach at most.
 *
 *   raw_xdp, raw_tc	forward without a look at the packet
 *   lookup		one look-up in the kernel's hash table and the whole
 *			rewrite, no counters, no time, no state
 *
 * The table is filled before the programs are attached and only read after.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/pkt_cls.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "flows.h"

__u32 out_ifindex;

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, PEER_ENTRIES);
	__type(key, struct peer_key);
	__type(value, struct peer_value);
} flows SEC(".maps");

struct frame {
	struct ethhdr	eth;
	struct iphdr	ip;
	struct udphdr	udp;
} __attribute__((packed));

/* Adds a precomputed difference to a checksum (RFC 1624, equation 3). */
static __always_inline __u16 adjust(__u16 check, __u16 delta)
{
	__u32 sum = (__u16)~check + delta;

	sum = (sum & 0xffff) + (sum >> 16);
	return ~sum;
}

static __always_inline void map_v4(__u8 *to, __be32 addr)
{
	*(__be32 *)(to + 8) = bpf_htonl(0xffff);
	*(__be32 *)(to + 12) = addr;
}

static __always_inline void rewrite(struct frame *f, const struct peer_value *v)
{
	__builtin_memcpy(f->eth.h_dest, v->dmac, 6);
	__builtin_memcpy(f->eth.h_source, v->smac, 6);
	f->ip.saddr = *(__be32 *)(v->saddr + 12);
	f->ip.daddr = *(__be32 *)(v->daddr + 12);
	f->ip.ttl--;
	f->ip.check = adjust(f->ip.check, v->ip_delta);
	f->udp.source = v->sport;
	f->udp.dest = v->dport;
	if (f->udp.check) {
		f->udp.check = adjust(f->udp.check, v->udp_delta);
		if (!f->udp.check)
			f->udp.check = 0xffff;
	}
}

SEC("xdp")
int lookup(struct xdp_md *ctx)
{
	struct frame *f = (void *)(long)ctx->data;
	struct peer_key key = {};
	struct peer_value *v;

	if ((void *)(f + 1) > (void *)(long)ctx->data_end)
		return XDP_PASS;
	if (f->eth.h_proto != bpf_htons(ETH_P_IP) ||
	    *(__u8 *)&f->ip != 0x45 || f->ip.protocol != IPPROTO_UDP ||
	    f->ip.frag_off & bpf_htons(0x3fff) || f->ip.ttl <= 1)
		return XDP_PASS;

	map_v4(key.saddr, f->ip.saddr);
	map_v4(key.daddr, f->ip.daddr);
	key.sport = f->udp.source;
	key.dport = f->udp.dest;
	key.proto = f->ip.protocol;
	v = bpf_map_lookup_elem(&flows, &key);
	if (!v)
		return XDP_PASS;
	rewrite(f, v);
	return bpf_redirect(v->ifindex, 0);
}

SEC("xdp")
int raw_xdp(struct xdp_md *ctx)
{
	struct ethhdr *eth = (void *)(long)ctx->data;

	if ((void *)(eth + 1) > (void *)(long)ctx->data_end ||
	    eth->h_proto != bpf_htons(ETH_P_IP))
		return XDP_PASS;
	return bpf_redirect(out_ifindex, 0);
}

SEC("tc")
int raw_tc(struct __sk_buff *skb)
{
	if (skb->protocol != bpf_htons(ETH_P_IP))
		return TC_ACT_OK;
	return bpf_redirect(out_ifindex, 0);
}

/* Only turns the receiving veth's NAPI on. */
SEC("xdp")
int pass(struct xdp_md *ctx)
{
	return XDP_PASS;
}

/* What a test run costs by itself on tc; on XDP, pass() says it. */
SEC("tc")
int empty_tc(struct __sk_buff *skb)
{
	return TC_ACT_OK;
}

char _license[] SEC("license") = "Dual BSD/GPL";
