// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * natvi-bench testrun: nanoseconds that a loaded program takes for one packet.
 *
 * BPF_PROG_TEST_RUN with repeat=N would feed the rewritten packet back, so the
 * program runs once a call, on a fresh packet. A call's clock readings cost
 * something too: an empty program is measured beside it and printed, for the
 * caller to subtract.
 */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <getopt.h>
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/udp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "flows.h"
#include "natbench.h"
#include "peer.skel.h"

#define WARM_UP		1000

struct options {
	struct place	in;
	uint32_t	id;
	uint8_t		gateway_mac[6], own_mac[6];
	uint32_t	daddr;
	uint32_t	flows;
	uint32_t	first;		/* of flows that are new; in sequence, no warm-up */
	uint32_t	runs;
};

struct packet {
	struct ethhdr	eth;
	struct iphdr	ip;
	struct udphdr	udp;
	uint8_t		payload[FRAME_LEN - 42];
} __attribute__((packed));

static uint16_t ip_sum(const void *from, int words)
{
	const uint8_t *b = from;
	uint32_t sum = 0;

	for (int i = 0; i < words; i++)
		sum += b[2 * i] << 8 | b[2 * i + 1];
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return htons(~sum);
}

/* No UDP checksum: it is the same work or less for every program. */
static void packet_fill(const struct options *o, uint32_t flow, struct packet *p)
{
	memset(p, 0, sizeof(*p));
	memcpy(p->eth.h_dest, o->gateway_mac, 6);
	memcpy(p->eth.h_source, o->own_mac, 6);
	p->eth.h_proto = htons(ETH_P_IP);
	p->ip.version = 4;
	p->ip.ihl = 5;
	p->ip.ttl = FRAME_TTL;
	p->ip.protocol = IPPROTO_UDP;
	p->ip.frag_off = htons(0x4000);
	p->ip.tot_len = htons(sizeof(*p) - sizeof(p->eth));
	p->ip.saddr = htonl(flow_addr(flow));
	p->ip.daddr = htonl(o->daddr);
	p->ip.check = ip_sum(&p->ip, sizeof(p->ip) / 2);
	p->udp.source = htons(flow_port(flow));
	p->udp.dest = htons(FLOW_DST_PORT);
	p->udp.len = htons(sizeof(p->udp) + sizeof(p->payload));
}

static int compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

/*
 * The device that the packet came in by goes in the context. XDP and tc have
 * different ones.
 */
static int time_once(int fd, bool tc, const struct options *o, uint32_t flow,
		     uint32_t *ns, uint32_t *verdict)
{
	uint8_t out[2048];	/* an ICMP error is longer than what it is about */
	struct packet p;
	struct xdp_md xdp = { .data_end = sizeof(p),
			      .ingress_ifindex = o->in.ifindex };
	struct __sk_buff skb = { .ifindex = o->in.ifindex };
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = &p,
		    .data_size_in = sizeof(p), .data_out = out,
		    .data_size_out = sizeof(out), .repeat = 1);
	int err;

	packet_fill(o, flow, &p);
	opts.ctx_in = tc ? (void *)&skb : (void *)&xdp;
	opts.ctx_size_in = tc ? sizeof(skb) : sizeof(xdp);
	err = bpf_prog_test_run_opts(fd, &opts);
	*ns = opts.duration;
	*verdict = opts.retval;
	return err;
}

/*
 * The mean of the middle four fifths: free of interrupts, and finer than the
 * clock, whose step may be 10 ns.
 */
static double trimmed_mean(uint32_t *samples, uint32_t n)
{
	uint32_t cut = n / 10;
	uint64_t sum = 0;

	qsort(samples, n, sizeof(*samples), compare);
	for (uint32_t i = cut; i < n - cut; i++)
		sum += samples[i];
	return (double)sum / (n - 2 * cut);
}

static int time_program(int fd, bool tc, const struct options *o, double *ns,
			uint32_t *verdict)
{
	uint32_t *samples = calloc(o->runs, sizeof(*samples)), skipped;
	uint32_t seed = 1;
	int err = samples ? 0 : -ENOMEM;

	for (uint32_t i = 0; i < WARM_UP && !err && !o->first; i++)
		err = time_once(fd, tc, o, i % o->flows, &skipped, verdict);
	for (uint32_t i = 0; i < o->runs && !err; i++) {
		seed = seed * 1664525u + 1013904223u;
		err = time_once(fd, tc, o, o->first ? o->first + i : (seed >> 8) % o->flows,
				&samples[i], verdict);
	}
	if (!err)
		*ns = trimmed_mean(samples, o->runs);
	free(samples);
	return err;
}

static int program_is_tc(int fd, bool *tc)
{
	struct bpf_prog_info info = {};
	uint32_t len = sizeof(info);
	int err = bpf_obj_get_info_by_fd(fd, &info, &len);

	*tc = info.type == BPF_PROG_TYPE_SCHED_CLS;
	return err;
}

static int testrun(struct options *o)
{
	double ns = 0, empty_ns = 0;
	uint32_t verdict = 0, ignored;
	struct peer_bpf *peer = peer_bpf__open_and_load();
	int fd = bpf_prog_get_fd_by_id(o->id), err, empty;
	bool tc = false;

	err = peer && fd >= 0 ? program_is_tc(fd, &tc) : -errno;
	if (!err)
		err = place_enter(&o->in);
	if (!err)
		err = time_program(fd, tc, o, &ns, &verdict);
	if (!err) {
		empty = bpf_program__fd(tc ? peer->progs.empty_tc :
					     peer->progs.pass);
		err = time_program(empty, tc, o, &empty_ns, &ignored);
	}
	if (err)
		fprintf(stderr, "program %u: %s\n", o->id, strerror(-err));
	else
		printf("{\"ns\": %.1f, \"empty_ns\": %.1f, \"verdict\": %u, "
		       "\"hook\": \"%s\"}\n", ns, empty_ns, verdict,
		       tc ? "tc" : "xdp");
	peer_bpf__destroy(peer);
	return err;
}

static const struct option long_options[] = {
	{ "in", 1, NULL, 'i' },
	{ "id", 1, NULL, 'p' },
	{ "gateway-mac", 1, NULL, 'g' },
	{ "own-mac", 1, NULL, 'o' },
	{ "to-address", 1, NULL, 'a' },
	{ "flows", 1, NULL, 'n' },
	{ "first", 1, NULL, 'f' },
	{ "runs", 1, NULL, 'r' },
	{}
};

static int set_option(struct options *o, int c)
{
	switch (c) {
	case 'i': return place_parse(&o->in, optarg);
	case 'p': return number_parse(&o->id, optarg);
	case 'g': return mac_parse(o->gateway_mac, optarg);
	case 'o': return mac_parse(o->own_mac, optarg);
	case 'a': return addr_parse(&o->daddr, optarg);
	case 'n': return number_parse(&o->flows, optarg);
	case 'f': return number_parse(&o->first, optarg);
	case 'r': return number_parse(&o->runs, optarg);
	default: return -EINVAL;
	}
}

int cmd_testrun(int argc, char **argv)
{
	struct options o = { .flows = 1, .runs = 20000 };
	int c;

	while ((c = getopt_long(argc, argv, "", long_options, NULL)) != -1)
		if (set_option(&o, c))
			return 2;
	if (!o.in.ns[0] || !o.id || !o.flows || !o.runs) {
		fprintf(stderr, "testrun: --in and --id are needed\n");
		return 2;
	}
	return testrun(&o) ? 1 : 0;
}
