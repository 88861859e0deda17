/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * trace_live.c - where the datapath of a trace reads: the pinned maps and the kernel. It also notes what was asked.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli/trace.h"
#include "dp/pkt.h"

#define COPY_TRIES	4

/* A bucket while the datapath works on it: again, until no slot has begun or ended meanwhile. */
static void copy_bucket(void *to, const void *from, uint32_t tags)
{
	for (int i = 0; i < COPY_TRIES; i++) {
		memcpy(to, from, NATVI_BUCKET_BYTES);
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		if (!memcmp(to, from, tags * sizeof(uint32_t)))
			return;
	}
}

static bool from_memory(const struct maps *maps, enum native_table table, uint32_t i, void *to)
{
	if (table == NATIVE_BUCKETS && i < maps->n_buckets)
		copy_bucket(to, &maps->flows[i], NATVI_BUCKET_SLOTS);
	else if (table == NATIVE_MAPPINGS && i < maps->n_mapping_buckets)
		copy_bucket(to, &maps->mappings[i], NATVI_MAPPING_SLOTS);
	else if (table == NATIVE_PORTBITS && i < maps->n_portbits)
		memcpy(to, &maps->portbits[i], sizeof(struct portbits));
	else
		return false;
	return true;
}

static bool entry(void *arg, enum native_table table, uint32_t i, void *to)
{
	static const enum maps_id ids[] = {
		[NATIVE_SETTINGS] = MAPS_SETTINGS, [NATIVE_PORTS] = MAPS_PORTS, [NATIVE_ZONES] = MAPS_ZONES, [NATIVE_RULES] = MAPS_RULES,
		[NATIVE_POOLS] = MAPS_POOLS, [NATIVE_POOL_ADDRS] = MAPS_POOL_ADDRS, [NATIVE_WIRES] = MAPS_WIRES,
		[NATIVE_WIRE_STATES] = MAPS_WIRE_STATES, [NATIVE_NEIGHBOURS] = MAPS_NEIGHBOURS, [NATIVE_STATIONS] = MAPS_STATIONS,
	};
	struct trace *trace = arg;

	trace->asked_rules |= table == NATIVE_RULES;
	if (table == NATIVE_BUCKETS || table == NATIVE_MAPPINGS || table == NATIVE_PORTBITS)
		return from_memory(trace->show.maps, table, i, to);
	return !bpf_map_lookup_elem(trace->show.maps->fd[ids[table]], &i, to);
}

static bool addr(void *arg, const struct addr_key *key, struct addr_info *to)
{
	const struct trace *trace = arg;

	return !bpf_map_lookup_elem(trace->show.maps->fd[MAPS_ADDRS], key, to);
}

/* Looked at by a system call, an entry of an LRU table stays as old as it is. */
static bool fragment(void *arg, const struct tuple *key, struct fragment *to)
{
	const struct trace *trace = arg;

	return !bpf_map_lookup_elem(trace->fragments, key, to);
}

static bool fragment_source(void *arg, const struct addr_key *key, struct fragment_source *to)
{
	const struct trace *trace = arg;

	return !bpf_map_lookup_elem(trace->fragment_sources, key, to);
}

/*
 * Asked twice in the same way: to see whether a packet is routed to nvi0 and again for the rules, or for a new session and
 * again because its neighbour is not known.
 */
static bool is_same(const struct native_question *a, const struct native_question *b)
{
	return a->first == b->first && a->in == b->in && a->use_mark == b->use_mark && !memcmp(&a->tuple, &b->tuple, sizeof(a->tuple));
}

static void route(void *arg, const struct native_question *question, struct route *to)
{
	struct trace *trace = arg;
	struct trace_lookup *last = trace->n_lookups ? &trace->lookups[trace->n_lookups - 1] : NULL, l = {};

	to->oif = 0;
	to->mtu = 0;
	to->result = ROUTE_NONE;
	if (asker_route(trace->asker, question, &l))
		l = (struct trace_lookup){ .question = *question, .result = ROUTE_NONE };
	l.n_rules = trace->n_rules;
	if (trace->n_lookups < TRACE_LOOKUPS && !(last && is_same(&last->question, question)))
		trace->lookups[trace->n_lookups++] = l;
	to->result = l.result;
	if (l.result != ROUTE_OK && l.result != ROUTE_NO_NEIGHBOUR)
		return;
	to->oif = l.oif;
	if (l.result != ROUTE_OK)
		return;
	to->mtu = l.mtu;
	memcpy(to->dmac, l.dmac, sizeof(to->dmac));
	memcpy(to->smac, l.smac, sizeof(to->smac));
}

static bool takes_socket(void *arg, uint32_t ifindex, const struct tuple *tuple)
{
	struct trace *trace = arg;
	bool takes;

	asker_socket(trace->asker, ifindex, tuple, &takes);
	if (trace->n_sockets < TRACE_SOCKETS)
		trace->sockets[trace->n_sockets++] = (struct trace_socket){ .tuple = *tuple, .takes = takes };
	return takes;
}

static void rule(void *arg, uint32_t i)
{
	struct trace *trace = arg;

	if (trace->n_rules < TRACE_RULES && !bpf_map_lookup_elem(trace->show.maps->fd[MAPS_RULES], &i, &trace->rules[trace->n_rules]))
		trace->n_rules++;
}

struct native_source trace_source(struct trace *trace)
{
	return (struct native_source){
		.arg = trace, .entry = entry, .addr = addr, .fragment = fragment, .fragment_source = fragment_source,
		.route = route, .socket = takes_socket, .rule = rule,
	};
}
