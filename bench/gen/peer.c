// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * natvi-bench peer: attaches one of the programs of peer.bpf.c to a gateway's
 * port and leaves. The program lives as long as the namespace, or until another
 * one takes its place; so does the table that it holds.
 */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <getopt.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "flows.h"
#include "natbench.h"
#include "peer.skel.h"

#define BATCH		4096
#define PORTS_FIRST	1024

struct options {
	struct place	in;
	char		out_dev[16];
	const char	*kind;
	uint8_t		out_mac[6], next_mac[6];
	uint32_t	flows;
	uint32_t	daddr;
	uint32_t	pool_first;
	uint32_t	pool_size;
};

static void map_v4(uint8_t to[16], uint32_t addr)
{
	uint32_t prefix = htonl(0xffff), be = htonl(addr);

	memset(to, 0, 16);
	memcpy(to + 8, &prefix, 4);
	memcpy(to + 12, &be, 4);
}

/* The sum of new - old over 16-bit words, as it is added in adjust(). */
static uint16_t delta16(const uint16_t *old, const uint16_t *new, int words)
{
	uint32_t sum = 0;

	for (int i = 0; i < words; i++)
		sum += new[i] + (uint16_t)~old[i];
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

static void entry_fill(const struct options *o, uint32_t flow, uint32_t ifindex,
		       struct peer_key *k, struct peer_value *v)
{
	uint32_t new_addr = o->pool_first + flow % o->pool_size;
	uint16_t new_port = PORTS_FIRST + flow / o->pool_size;
	uint32_t old_be = htonl(flow_addr(flow)), new_be = htonl(new_addr);
	uint16_t old[4] = {}, new[4] = {};

	memset(k, 0, sizeof(*k));
	memset(v, 0, sizeof(*v));
	map_v4(k->saddr, flow_addr(flow));
	map_v4(k->daddr, o->daddr);
	k->sport = htons(flow_port(flow));
	k->dport = htons(FLOW_DST_PORT);
	k->proto = IPPROTO_UDP;

	map_v4(v->saddr, new_addr);
	map_v4(v->daddr, o->daddr);
	v->sport = htons(new_port);
	v->dport = k->dport;
	v->ifindex = ifindex;
	memcpy(v->dmac, o->next_mac, 6);
	memcpy(v->smac, o->out_mac, 6);

	memcpy(old, &old_be, 4);
	memcpy(new, &new_be, 4);
	old[2] = k->sport;
	new[2] = v->sport;
	v->udp_delta = delta16(old, new, 3);
	old[2] = htons(FRAME_TTL << 8);
	new[2] = htons((FRAME_TTL - 1) << 8);
	v->ip_delta = delta16(old, new, 3);
}

static int table_fill(const struct peer_bpf *peer, const struct options *o)
{
	static struct peer_key keys[BATCH];
	static struct peer_value values[BATCH];
	int fd = bpf_map__fd(peer->maps.flows), err = 0;

	for (uint32_t done = 0; done < o->flows && !err && !stop_asked();) {
		uint32_t n = o->flows - done < BATCH ? o->flows - done : BATCH;

		for (uint32_t i = 0; i < n; i++)
			entry_fill(o, done + i, peer->bss->out_ifindex,
				   &keys[i], &values[i]);
		done += n;
		err = bpf_map_update_batch(fd, keys, values, &n, NULL);
	}
	return err;
}

static int attach_tc(int ifindex, int fd)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = ifindex,
		    .attach_point = BPF_TC_INGRESS);
	LIBBPF_OPTS(bpf_tc_opts, opts, .prog_fd = fd, .handle = 1, .priority = 1,
		    .flags = BPF_TC_F_REPLACE);
	int err = bpf_tc_hook_create(&hook);

	if (err && err != -EEXIST)
		return err;
	return bpf_tc_attach(&hook, &opts);
}

static int attach(const struct peer_bpf *peer, const struct options *o)
{
	const struct bpf_program *prog;
	int fd;

	prog = bpf_object__find_program_by_name(peer->obj, o->kind);
	if (!prog)
		return -ENOENT;
	fd = bpf_program__fd(prog);
	if (bpf_program__type(prog) == BPF_PROG_TYPE_SCHED_CLS)
		return attach_tc(o->in.ifindex, fd);
	return bpf_xdp_attach(o->in.ifindex, fd, XDP_FLAGS_DRV_MODE, NULL);
}

static int peer_run(struct options *o)
{
	struct peer_bpf *peer;
	int err = place_enter(&o->in);

	if (err)
		return err;
	peer = peer_bpf__open_and_load();
	if (!peer)
		return -errno;
	peer->bss->out_ifindex = if_nametoindex(o->out_dev);
	if (!strcmp(o->kind, "lookup"))
		err = table_fill(peer, o);
	if (!err)
		err = attach(peer, o);
	if (err)
		fprintf(stderr, "%s: %s: %s\n", o->in.dev, o->kind, strerror(-err));
	peer_bpf__destroy(peer);
	return err;
}

static const struct option long_options[] = {
	{ "kind", 1, NULL, 'k' },
	{ "in", 1, NULL, 'i' },
	{ "out", 1, NULL, 'o' },
	{ "out-mac", 1, NULL, 'm' },
	{ "next-mac", 1, NULL, 'x' },
	{ "flows", 1, NULL, 'n' },
	{ "to-address", 1, NULL, 'a' },
	{ "pool-first", 1, NULL, 'p' },
	{ "pool-size", 1, NULL, 's' },
	{}
};

static int set_option(struct options *o, int c)
{
	switch (c) {
	case 'k': o->kind = optarg; return 0;
	case 'i': return place_parse(&o->in, optarg);
	case 'o':
		snprintf(o->out_dev, sizeof(o->out_dev), "%s", optarg);
		return 0;
	case 'm': return mac_parse(o->out_mac, optarg);
	case 'x': return mac_parse(o->next_mac, optarg);
	case 'n': return number_parse(&o->flows, optarg);
	case 'a': return addr_parse(&o->daddr, optarg);
	case 'p': return addr_parse(&o->pool_first, optarg);
	case 's': return number_parse(&o->pool_size, optarg);
	default: return -EINVAL;
	}
}

static int check_options(const struct options *o)
{
	uint64_t room = (uint64_t)o->pool_size * (65536 - PORTS_FIRST);

	if (!o->kind || !o->in.ns[0] || !o->out_dev[0]) {
		fprintf(stderr, "peer: --kind, --in and --out are needed\n");
		return -EINVAL;
	}
	if (o->flows > PEER_ENTRIES || o->flows > room) {
		fprintf(stderr, "peer: no room for %u flows\n", o->flows);
		return -EINVAL;
	}
	return 0;
}

int cmd_peer(int argc, char **argv)
{
	struct options o = { .pool_size = 1 };
	int c;

	while ((c = getopt_long(argc, argv, "", long_options, NULL)) != -1)
		if (set_option(&o, c))
			return 2;
	if (check_options(&o))
		return 2;
	return peer_run(&o) ? 1 : 0;
}
