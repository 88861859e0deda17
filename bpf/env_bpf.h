/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * env_bpf.h - the part of the env contract (dp/env.h) that all BPF programs share:
 * tables, clock, events. What differs between hooks is in env_tc.h and env_xdp.h.
 */
#ifndef NATVI_BPF_ENV_BPF_H
#define NATVI_BPF_ENV_BPF_H

#include <linux/bpf.h>
#include <stdbool.h>

#include <bpf/bpf_helpers.h>

#include "dp/pkt.h"
#include "maps.h"

#define AF_INET_	2
#define AF_INET6_	10

/*
 * Nanoseconds to seconds without a division: 2^20 ns times 2^35 * 2^20 / 10^9. Off by less than
 * 20 ms in a year of uptime; good for 17 years.
 */
DP __u32 ns_to_s(__u64 ns)
{
	return ((ns >> 20) * 36028797) >> 35;
}

/* The clock moves with jiffies, whose reading is one instruction; asking it costs as much as parsing a packet. */
DP __u32 env_now_s(struct cpu *cpu)
{
	__u64 tick = bpf_jiffies64();

	if (unlikely(cpu->tick != tick)) {
		cpu->tick = tick;
		cpu->tick_s = ns_to_s(bpf_ktime_get_coarse_ns());
	}
	return cpu->tick_s;
}

DP __u32 env_random(void)
{
	return bpf_get_prandom_u32();
}

#define ENV_ARRAY(function, map, type)                                                         \
	DP type *function(__u32 i)                                                             \
	{                                                                                      \
		return bpf_map_lookup_elem(&map, &i);                                          \
	}

ENV_ARRAY(env_settings, settings, const struct settings)
ENV_ARRAY(env_port, ports, const struct port)
ENV_ARRAY(env_zone, zones, const struct zone)
ENV_ARRAY(env_rule, rules, const struct rule)
ENV_ARRAY(env_pool, pools, const struct pool)
ENV_ARRAY(env_pool_addr, pool_addrs, const struct pool_addr)
ENV_ARRAY(env_portbits, portbits, struct portbits)
ENV_ARRAY(env_bucket, flows, struct bucket)
ENV_ARRAY(env_mapping_bucket, mappings, struct mapping_bucket)
ENV_ARRAY(env_wire, wires, const struct wire)
ENV_ARRAY(env_wire_state, wire_states, struct wire_state)
ENV_ARRAY(env_neighbours, neighbours, struct wire_neighbours)
ENV_ARRAY(env_stations, stations, struct stations)
ENV_ARRAY(env_cpu, cpu, struct cpu)

DP struct control *env_control(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&control, &zero);
}

DP struct usage *env_usage(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&usage, &zero);
}

DP struct ids *env_ids(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&ids, &zero);
}

DP bool env_expected(const struct tuple *k)
{
	return bpf_map_lookup_elem(&expected, k);
}

DP struct fragment *env_fragment(const struct tuple *k)
{
	return bpf_map_lookup_elem(&fragments, k);
}

DP void env_fragment_put(const struct tuple *k, const struct fragment *f)
{
	bpf_map_update_elem(&fragments, k, f, BPF_ANY);
}

DP void env_fragment_cut(const struct tuple *k)
{
	bpf_map_delete_elem(&fragments, k);
}

DP struct fragment_source *env_fragment_source(const struct addr_key *k)
{
	struct fragment_source *s = bpf_map_lookup_elem(&fragment_sources, k), none = {};

	if (s)
		return s;
	bpf_map_update_elem(&fragment_sources, k, &none, BPF_NOEXIST);
	return bpf_map_lookup_elem(&fragment_sources, k);
}

DP const struct addr_info *env_addr(const struct addr_key *k)
{
	return bpf_map_lookup_elem(&addrs, k);
}

DP void env_loop(__u32 n, long (*fn)(__u32, void *), void *arg)
{
	bpf_loop(n, fn, arg, 0);
}

DP long env_request(const struct event *e)
{
	return bpf_ringbuf_output(&requests, (void *)e, sizeof(*e), 0);
}

/* Negative: the ring is full, the event is lost. */
DP long env_event(const struct event *e)
{
	return bpf_ringbuf_output(&events, (void *)e, sizeof(*e), 0);
}

#endif
