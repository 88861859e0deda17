// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Packet generator: run by BPF_PROG_TEST_RUN with live frames, it writes a
 * 64-byte UDP frame and redirects it to the sending veth. A frame comes back
 * with what the gateway left in it, so every header is written anew each time.
 *
 * Concurrency: one runner a CPU, each with a state of its own.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "flows.h"

struct gen_config config;
struct gen_state state[GEN_CPUS] __attribute__((aligned(64)));

struct frame {
	struct ethhdr	eth;
	struct iphdr	ip;
	struct udphdr	udp;
} __attribute__((packed));

static __always_inline __u16 fold(__u32 sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return ~sum;
}

/* xorshift64: cheap, and the same sequence for every contender. */
static __always_inline __u32 draw(struct gen_state *st, __u32 flows)
{
	__u64 x = st->seed;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	st->seed = x;
	return ((x >> 32) * flows) >> 32;
}

static __always_inline void write_frame(struct frame *f, __u32 flow)
{
	__u32 saddr = flow_addr(flow);
	__u32 sport = flow_port(flow);
	__u32 addr_sum = (saddr >> 16) + (saddr & 0xffff);
	__u16 sum;

	__builtin_memcpy(f->eth.h_dest, config.dmac, 6);
	__builtin_memcpy(f->eth.h_source, config.smac, 6);
	f->eth.h_proto = bpf_htons(ETH_P_IP);

	*(__u8 *)&f->ip = 0x45;
	f->ip.tos = 0;
	f->ip.tot_len = bpf_htons(FRAME_LEN - sizeof(f->eth));
	f->ip.id = 0;
	f->ip.frag_off = bpf_htons(0x4000);
	f->ip.ttl = FRAME_TTL;
	f->ip.protocol = IPPROTO_UDP;
	f->ip.check = bpf_htons(fold(config.ip_sum + addr_sum));
	f->ip.saddr = bpf_htonl(saddr);
	f->ip.daddr = bpf_htonl(config.daddr);

	f->udp.source = bpf_htons(sport);
	f->udp.dest = bpf_htons(FLOW_DST_PORT);
	f->udp.len = bpf_htons(FRAME_LEN - sizeof(f->eth) - sizeof(f->ip));
	sum = fold(config.udp_sum + addr_sum + sport);
	f->udp.check = bpf_htons(sum ? sum : 0xffff);
}

SEC("xdp")
int generate(struct xdp_md *ctx)
{
	__u32 cpu = bpf_get_smp_processor_id() & (GEN_CPUS - 1);
	struct frame *f = (void *)(long)ctx->data;
	struct gen_state *st = &state[cpu];
	__u32 flow;

	if ((void *)(f + 1) > (void *)(long)ctx->data_end)
		return XDP_DROP;

	if (config.mode == GEN_RANDOM) {
		flow = config.first + draw(st, config.flows);
	} else {
		if (st->next >= st->end)
			return XDP_DROP;
		flow = st->next++;
	}
	write_frame(f, flow);
	st->sent++;
	return bpf_redirect(config.ifindex, 0);
}

char _license[] SEC("license") = "Dual BSD/GPL";
