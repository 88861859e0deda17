/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * native.c - the datapath, compiled for an ordinary process. See native.h.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "host/env_native.h"

DP int env_rest(struct pkt *p);

#include "dp/dp.h"

DP int env_rest(struct pkt *p)
{
	return dp_rest(p->ctx);
}

#define NATIVE_SEED	0x6e61747669ULL	/* fixed: the same input gives the same output */

struct native *native_current;

static void *copy(const void *from, size_t n, size_t size)
{
	void *to = calloc(n ? n : 1, size);

	if (to && n)
		memcpy(to, from, n * size);
	return to;
}

static bool copy_net(struct native *n, const struct native_net *net)
{
	n->net = *net;
	n->net.interfaces = copy(net->interfaces, net->n_interfaces, sizeof(*net->interfaces));
	n->net.routes = copy(net->routes, net->n_routes, sizeof(*net->routes));
	n->net.sockets = copy(net->sockets, net->n_sockets, sizeof(*net->sockets));
	return n->net.interfaces && n->net.routes && n->net.sockets;
}

int native_new(const struct config *config, const struct native_net *net, struct native **out, char *err, size_t err_len)
{
	struct native *n = calloc(1, sizeof(*n));
	int ret = -ENOMEM;

	if (!n)
		return -ENOMEM;
	if (!copy_net(n, net))
		goto fail;
	n->control.generation = 1;
	n->control.seed = NATIVE_SEED;
	n->control.abi = NATVI_ABI_VERSION;
	n->control.max_sessions = config->max_sessions;
	n->control.max_mappings = config->max_mappings;
	n->control.n_buckets = natvi_buckets_for(config->max_sessions);
	n->random = NATIVE_SEED;
	n->rules = calloc(2 * NATVI_MAX_RULES, sizeof(*n->rules));
	n->pools = calloc(2 * NATVI_MAX_POOLS, sizeof(*n->pools));
	n->ports = calloc(NATVI_MAX_PORTS, sizeof(*n->ports));
	n->buckets = calloc(n->control.n_buckets, sizeof(*n->buckets));
	n->control.n_mapping_buckets = natvi_mapping_buckets_for(
		natvi_mapping_entries_for(config->max_mappings, config_static_ports(config)));
	n->mappings = calloc(n->control.n_mapping_buckets, sizeof(*n->mappings));
	n->cpu = calloc(2, sizeof(*n->cpu));
	n->wires = calloc(NATVI_MAX_WIRES, sizeof(*n->wires));
	n->wire_states = calloc(NATVI_MAX_WIRES, sizeof(*n->wire_states));
	n->neighbours = calloc(NATVI_NEIGHBOUR_SETS, sizeof(*n->neighbours));
	n->stations = calloc(NATVI_STATION_SETS, sizeof(*n->stations));
	n->buffer = malloc(NATIVE_HEADROOM + 2 + NATIVE_MAX_FRAME);
	if (!n->rules || !n->pools || !n->ports || !n->buckets || !n->mappings || !n->cpu || !n->buffer ||
	    !n->wires || !n->wire_states || !n->neighbours || !n->stations)
		goto fail;
	ret = native_setup(n, config, err, err_len);
	if (ret)
		goto fail;
	*out = n;
	return 0;
fail:
	native_free(n);
	return ret;
}

void native_free(struct native *n)
{
	if (!n)
		return;
	native_tables_free(n);
	native_copies_free(n);
	free(n->net.interfaces);
	free(n->net.routes);
	free(n->net.sockets);
	free(n->rules);
	free(n->pools);
	free(n->pool_addrs);
	free(n->ports);
	free(n->portbits);
	free(n->buckets);
	free(n->mappings);
	free(n->wires);
	free(n->wire_states);
	free(n->neighbours);
	free(n->stations);
	for (size_t i = 0; i < NATIVE_MAX_COPIES; i++)
		free(n->copied[i].frame);
	free(n->cpu);
	free(n->buffer);
	free(n);
}

/* Which verdict was counted since before? An ICMP error that was sent counts beside its reason. */
static enum verdict counted(const struct counters *before, const struct counters *after, bool *icmp)
{
	enum verdict found = VERDICT_INTERNAL;

	*icmp = after->packets[VERDICT_ICMP_SENT] != before->packets[VERDICT_ICMP_SENT];
	for (int v = 0; v < VERDICT_COUNT; v++)
		if (v != VERDICT_ICMP_SENT && after->packets[v] != before->packets[v])
			found = v;
	return found;
}

static bool has_no_l2(const struct native *n, uint32_t ifindex)
{
	for (size_t i = 0; i < n->net.n_interfaces; i++)
		if (n->net.interfaces[i].ifindex == ifindex)
			return n->net.interfaces[i].no_l2;
	return false;
}

void native_mark(struct native *n, uint32_t mark)
{
	n->mark = mark;
}

/* The room in front of a frame puts its IP header at a multiple of four, as drivers do. */
struct native_result native_hook(struct native *n, const struct native_arrival *a, const void *frame, size_t len, uint32_t now_s,
				 int (*hook)(void *ctx))
{
	struct native_frame f = {
		.room = n->buffer, .data = n->buffer + NATIVE_HEADROOM + (a->no_l2 ? 0 : 2), .ifindex = a->ifindex,
		.origin = a->origin, .mark = a->mark, .vlan_tci = a->vlan_tci, .vlan_present = a->vlan_present,
		.vlan_proto = __builtin_bswap16(ETH_P_8021Q), .l2 = !a->no_l2,
	};
	struct counters before = n->cpu[0].counters;
	struct native_result r = {};

	if (len > NATIVE_MAX_FRAME)
		len = NATIVE_MAX_FRAME;
	f.len = len;
	f.eth_proto = __builtin_bswap16(ETH_P_IP);
	memmove(f.data, frame, len);	/* a frame that crosses is here already */
	native_current = n;
	n->now_s = now_s;
	n->hits_only = a->hits_only;
	n->n_copied = 0;
	r.action = hook(&f);
	n->hits_only = false;
	native_current = NULL;
	r.verdict = counted(&before, &n->cpu[0].counters, &r.icmp);
	r.out_ifindex = f.out_ifindex;
	r.enters = f.enters;
	r.crosses = f.crosses;
	r.resolves = f.resolves;
	r.mark = f.mark;
	r.frame = f.data;
	r.len = f.len;
	r.copied = n->copied;
	r.n_copied = n->n_copied;
	return r;
}

static int hook_port(void *ctx)
{
	return dp_run(ctx);
}

static int hook_park(void *ctx)
{
	return dp_parked(ctx);
}

static int hook_egress(void *ctx)
{
	return dp_egress(ctx);
}

struct native_result native_arrive(struct native *n, const struct native_arrival *arrival, const void *frame, size_t len,
				   uint32_t now_s)
{
	return native_hook(n, arrival, frame, len, now_s, hook_port);
}

static int hook_nvi_out(void *ctx)
{
	return dp_nvi_out(ctx);
}

struct native_result native_leave(struct native *n, const struct native_arrival *departure, const void *frame, size_t len,
				  uint32_t now_s)
{
	bool nvi = n->control.nvi_ifindex && departure->ifindex == n->control.nvi_ifindex;

	return native_hook(n, departure, frame, len, now_s, nvi ? hook_nvi_out : hook_egress);
}

static int hook_nvi_in(void *ctx)
{
	return dp_nvi_in(ctx);
}

struct native_result native_cross(struct native *n, uint32_t mark, const void *frame, size_t len, uint32_t now_s)
{
	struct native_arrival a = { .ifindex = n->control.nvi_peer, .mark = mark };

	return native_hook(n, &a, frame, len, now_s, hook_nvi_in);
}

struct native_result native_run(struct native *n, uint32_t ifindex, const void *frame, size_t len, uint32_t now_s)
{
	struct native_arrival a = { .ifindex = ifindex, .mark = n->mark, .no_l2 = has_no_l2(n, ifindex) };

	return native_hook(n, &a, frame, len, now_s, hook_port);
}

struct native_result native_parked(struct native *n, uint32_t ifindex, const void *frame, size_t len, uint32_t now_s)
{
	struct native_arrival a = { .ifindex = ifindex, .mark = n->mark, .no_l2 = has_no_l2(n, ifindex) };

	return native_hook(n, &a, frame, len, now_s, hook_park);
}

void native_seen(const struct native *n, struct native_seen *out)
{
	const struct draft *draft = &n->cpu[0].draft;
	const struct meta *m = &n->cpu[0].meta;

	*out = (struct native_seen){ .key = m->key, .parsed = m->key.src.quad[0] || m->key.src.quad[1], .missed = draft->generation != 0 };
	if (m->flags & PKT_ICMP_ERROR)
		out->quoted = draft->reply;
	if (!out->missed)
		return;
	out->out = draft->out;
	out->rule = draft->rule;
	out->held = draft->held;
	out->pool = draft->pool;
	out->dst_pool = draft->dst_pool;
	out->map_proto = draft->map_proto;
	out->to_zone = draft->to_zone;
}

bool native_session(struct native *n, const struct tuple *key, uint32_t now_s, struct native_session *out)
{
	struct cpu *cpu = &n->cpu[1];
	struct tuple peer_key;
	struct bucket *b;
	__s64 handle;
	__u32 slot = 0;

	memset(out, 0, sizeof(*out));
	native_current = n;
	cpu->meta.now_s = now_s;
	handle = table_find(key);
	b = handle < 0 ? NULL : handle_bucket(handle, &slot);
	if (b) {
		out->flow = *bucket_flow(b, slot);
		out->cold = *bucket_cold(b, slot);
		out->expired = session_stale(handle, cpu);
		flow_peer_key(&peer_key, &out->flow, out->cold.peer_zone);
		handle = table_find(&peer_key);
		b = handle < 0 ? NULL : handle_bucket(handle, &slot);
		out->has_peer = b;
	}
	if (out->has_peer) {
		out->peer = *bucket_flow(b, slot);
		out->peer_cold = *bucket_cold(b, slot);
	}
	native_current = NULL;
	return out->flow.key.proto || out->flow.idle_s;
}

bool native_mapping(struct native *n, const struct mapping_key *key, struct mapping *out)
{
	const struct mapping *m;

	native_current = n;
	m = mapping_get(key);
	if (m)
		*out = *m;
	native_current = NULL;
	return m;
}

void native_new_generation(struct native *n)
{
	n->control.generation++;
}

int native_mapping_put(struct native *n, const struct mapping_key *k, const struct mapping *m)
{
	int ret;

	native_current = n;
	ret = mapping_put(k, m);
	native_current = NULL;
	return ret;
}

int native_adopt(struct native *n, const struct adopt_args *args, uint32_t now_s)
{
	int ret;

	native_current = n;
	n->now_s = now_s;
	n->cpu[1].meta.now_s = now_s;
	ret = session_adopt(&n->cpu[1], args);
	native_current = NULL;
	return ret;
}

struct sweep_args native_sweep(struct native *n, uint32_t now_s)
{
	struct sweep_state s = { .cpu = &n->cpu[1], .now_s = now_s };

	native_current = n;
	n->now_s = now_s;
	n->control.sweep++;
	n->cpu[1].meta.now_s = now_s;
	s.sweep = n->control.sweep;
	s.rest_s = n->settings[n->control.active].rest_s;
	env_loop(n->control.n_buckets, sweep_bucket, &s);
	env_loop(n->control.n_mapping_buckets, sweep_mapping_bucket, &s);
	native_current = NULL;
	return s.args;
}

const struct counters *native_counters(const struct native *n)
{
	return &n->cpu[0].counters;
}

const struct usage *native_usage(const struct native *n)
{
	return &n->usage;
}

const struct bucket *native_buckets(const struct native *n, uint32_t *n_buckets)
{
	*n_buckets = n->control.n_buckets;
	return n->buckets;
}
