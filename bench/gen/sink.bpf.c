// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * The sink on the receiving veth: counts and drops the test's own UDP packets, or
 * sends them back, and lets everything else pass, or ARP would die with them.
 *
 * Concurrency: counters are per CPU; the loader adds them up.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "flows.h"

struct sink_config config;

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct sink_count);
} counts SEC(".maps");

struct frame {
	struct ethhdr	eth;
	struct iphdr	ip;
	struct udphdr	udp;
	__u8		payload[FRAME_LEN - 42];
} __attribute__((packed));

static __always_inline __u32 add_words(const void *from, int words)
{
	const __u16 *w = from;
	__u32 sum = 0;

#pragma unroll
	for (int i = 0; i < words; i++)
		sum += w[i];
	return sum;
}

static __always_inline int sum_ok(__u32 sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return sum == 0xffff;
}

static __always_inline int udp_sum_ok(const struct frame *f)
{
	__u32 sum;

	if (!f->udp.check)
		return 1;
	sum = add_words(&f->ip.saddr, 4) + bpf_htons(IPPROTO_UDP) + f->udp.len;
	sum += add_words(&f->udp, (sizeof(f->udp) + sizeof(f->payload)) / 2);
	return sum_ok(sum);
}

static __always_inline void verify(struct sink_count *n, const struct frame *f)
{
	__u32 saddr = bpf_ntohl(f->ip.saddr);

	if ((saddr & FLOW_NET_MASK) == FLOW_NET)
		n->untranslated++;
	if (!sum_ok(add_words(&f->ip, sizeof(f->ip) / 2)))
		n->bad_ip_sum++;
	if (!udp_sum_ok(f))
		n->bad_udp_sum++;
	if (__builtin_memcmp(f->eth.h_dest, config.mac, 6))
		n->wrong_mac++;
}

/*
 * Swapped, addresses and ports leave both checksums as they are. No XDP_TX: a veth
 * does not wake a peer that has GRO but no XDP program, and the frames lie there.
 */
static __always_inline int answer(const struct xdp_md *ctx, struct frame *f)
{
	struct frame was = *f;

	__builtin_memcpy(f->eth.h_dest, was.eth.h_source, ETH_ALEN);
	__builtin_memcpy(f->eth.h_source, was.eth.h_dest, ETH_ALEN);
	f->ip.saddr = was.ip.daddr;
	f->ip.daddr = was.ip.saddr;
	f->udp.source = was.udp.dest;
	f->udp.dest = was.udp.source;
	return bpf_redirect(ctx->ingress_ifindex, 0);
}

SEC("xdp")
int sink(struct xdp_md *ctx)
{
	struct frame *f = (void *)(long)ctx->data;
	struct sink_count *n;
	__u32 zero = 0;

	if ((void *)(f + 1) > (void *)(long)ctx->data_end)
		return XDP_PASS;
	if (f->eth.h_proto != bpf_htons(ETH_P_IP) ||
	    *(__u8 *)&f->ip != 0x45 || f->ip.protocol != IPPROTO_UDP)
		return XDP_PASS;
	if (bpf_ntohs(f->udp.dest) - FLOW_DST_PORT >= FLOW_DST_PORTS)
		return XDP_PASS;

	n = bpf_map_lookup_elem(&counts, &zero);
	if (!n)
		return XDP_PASS;
	n->packets++;
	if (config.verify)
		verify(n, f);
	return config.answer ? answer(ctx, f) : XDP_DROP;
}

char _license[] SEC("license") = "Dual BSD/GPL";
