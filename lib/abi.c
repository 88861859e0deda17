/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * abi.c - one number for the shape of all structs in abi/.
 *
 * libbpf compares only the sizes of a pinned map; two structs of one size with other fields would
 * be read as nonsense. Every field of every struct is listed here; padding in abi/ is explicit, so
 * the sizes of the fields must add up to the struct, and a field that is forgotten does not compile.
 * Constant after the build; safe from anywhere.
 */
#include <stddef.h>

#include "abi/config.h"
#include "abi/event.h"
#include "abi/flow.h"
#include "abi/fragment.h"
#include "abi/limits.h"
#include "abi/mapping.h"
#include "abi/types.h"
#include "abi/wire.h"
#include "lib/maps.h"

#define TUPLE(F) F(tuple, src) F(tuple, dst) F(tuple, sport) F(tuple, dport) F(tuple, zone) F(tuple, proto) F(tuple, pad)
#define FLOW(F) F(flow, key) F(flow, new_src) F(flow, new_dst) F(flow, new_sport) F(flow, new_dport) \
	F(flow, addr_delta) F(flow, port_delta) F(flow, oif) F(flow, dmac) F(flow, smac) F(flow, in_slot) F(flow, mtu) \
	F(flow, generation) F(flow, last_seen_s) F(flow, idle_s) F(flow, tcp_seen) F(flow, flags) \
	F(flow, packets) F(flow, bytes)
#define FLOW_COLD(F) F(flow_cold, created_s) F(flow_cold, rule) F(flow_cold, peer_zone) F(flow_cold, flags) \
	F(flow_cold, pool) F(flow_cold, dst_pool) F(flow_cold, route_zone)
#define BUCKET(F) F(bucket, tag) F(bucket, spilled) F(bucket, cold) F(bucket, tos) F(bucket, pad2) F(bucket, flow)
#define MAPPING_KEY(F) F(mapping_key, addr) F(mapping_key, port) F(mapping_key, zone) F(mapping_key, proto) \
	F(mapping_key, kind) F(mapping_key, pool)
#define MAPPING(F) F(mapping, addr) F(mapping, port) F(mapping, zone) F(mapping, refs) F(mapping, since_s) \
	F(mapping, slot) F(mapping, pool) F(mapping, flags) F(mapping, filtering) F(mapping, filtering_tcp) F(mapping, pad)
#define CONTROL(F) F(control, active) F(control, generation) F(control, seed) F(control, n_buckets) \
	F(control, n_pool_addrs) F(control, n_slots) F(control, abi) F(control, abi_hash) F(control, sweep) \
	F(control, max_sessions) F(control, max_mappings) F(control, heartbeat_s) \
	F(control, events_until_s) F(control, n_mapping_buckets) F(control, park_ifindex) F(control, flags) \
	F(control, nvi_ifindex) F(control, nvi_peer) F(control, pad)
#define USAGE(F) F(usage, sessions) F(usage, mappings) F(usage, pad)
#define SETTINGS(F) F(settings, flags) F(settings, n_rules) F(settings, n_pools) F(settings, udp_idle_s) \
	F(settings, tcp_established_s) F(settings, tcp_opening_s) F(settings, tcp_closing_s) F(settings, icmp_idle_s) F(settings, other_idle_s) \
	F(settings, rest_s) F(settings, pad) F(settings, icmp_rate) F(settings, slow_mark) F(settings, ct_tcp_s)
#define RULE(F) F(rule, in_ifindex) F(rule, out_ifindex) F(rule, src) F(rule, dst) F(rule, src_len) F(rule, dst_len) \
	F(rule, proto) F(rule, action) F(rule, sport_lo) F(rule, sport_hi) F(rule, dport_lo) F(rule, dport_hi) \
	F(rule, in_zone) F(rule, out_zone) F(rule, traffic) F(rule, flags) F(rule, id) F(rule, dscp) F(rule, mark) \
	F(rule, mark_mask) F(rule, new_src) F(rule, new_dst) F(rule, new_port) F(rule, new_port_hi) F(rule, pool) F(rule, new_zone) \
	F(rule, target) F(rule, vlan) F(rule, family) F(rule, pad)
#define POOL(F) F(pool, first) F(pool, n_addrs) F(pool, mapping) F(pool, filtering) F(pool, filtering_tcp) F(pool, flags) \
	F(pool, zone) F(pool, pad) F(pool, name)
#define POOL_ADDR(F) F(pool_addr, addr) F(pool_addr, slot) F(pool_addr, flags)
#define PORT(F) F(port, ifindex) F(port, vlan) F(port, zone) F(port, flags) F(port, masq_pool) F(port, addr4) \
	F(port, mtu) F(port, mac) F(port, mss) F(port, name)
#define ADDR_KEY(F) F(addr_key, addr) F(addr_key, zone) F(addr_key, pad)
#define ADDR_INFO(F) F(addr_info, slot) F(addr_info, flags) F(addr_info, pool) F(addr_info, zone)
#define ZONE(F) F(zone, ifindex) F(zone, table) F(zone, mac) F(zone, pad) F(zone, name)
#define PORTBITS(F) F(portbits, summary) F(portbits, word)
#define EVENT(F) F(event, kind) F(event, time_s) F(event, orig) F(event, reply) F(event, packets) F(event, bytes) \
	F(event, rule) F(event, verdict) F(event, reason)
#define COUNTERS(F) F(counters, packets) F(counters, bytes) F(counters, xdp_hits) F(counters, events_lost) \
	F(counters, icmp_suppressed) F(counters, ended) F(counters, pad) F(counters, crossed)
#define SWEEP_ARGS(F) F(sweep_args, first_bucket) F(sweep_args, n_buckets) F(sweep_args, mappings) \
	F(sweep_args, live) F(sweep_args, ended) F(sweep_args, freed) F(sweep_args, mappings_live) \
	F(sweep_args, mappings_freed)
#define MAP_ENTRY(F) F(map_entry, key) F(map_entry, value)
#define MAPPING_BUCKET(F) F(mapping_bucket, tag) F(mapping_bucket, spilled) F(mapping_bucket, entry)
#define MAPPING_ARGS(F) F(mapping_args, value) F(mapping_args, key) F(mapping_args, op) F(mapping_args, result)
#define ADOPT_ARGS(F) F(adopt_args, orig) F(adopt_args, reply) F(adopt_args, idle_s) F(adopt_args, result)
#define FRAGMENT(F) F(fragment, sport) F(fragment, dport) F(fragment, id) F(fragment, pad) F(fragment, next) \
	F(fragment, since_s) F(fragment, flags) F(fragment, verdict) F(fragment, pad2)
#define FRAGMENT_SOURCE(F) F(fragment_source, second) F(fragment_source, unfinished) F(fragment_source, parked) \
	F(fragment_source, pad)
#define IDS(F) F(ids, next)
#define PARK_MAC(F) F(park_mac, local) F(park_mac, kind) F(park_mac, ifindex)
#define KILL_ARGS(F) F(kill_args, key) F(kill_args, result) F(kill_args, reason)
#define UNMAP_ARGS(F) F(unmap_args, key) F(unmap_args, result) F(unmap_args, pad)

#define WIRE(F) F(wire, port) F(wire, flags) F(wire, reply_mark) F(wire, original_mark) F(wire, host) F(wire, host_mask) \
	F(wire, host_vlan) F(wire, host_mac) F(wire, mss) F(wire, pad) F(wire, name) F(wire, pad2)
#define WIRE_STATE(F) F(wire_state, generation) F(wire_state, replies_until_s) F(wire_state, claims_until_s) \
	F(wire_state, gateway_seen_s) \
	F(wire_state, gateway) F(wire_state, gateway_side) F(wire_state, pad)
#define NEIGHBOUR(F) F(wire_neighbour, mac) F(wire_neighbour, vlan) F(wire_neighbour, zone) F(wire_neighbour, side) F(wire_neighbour, flags) \
	F(wire_neighbour, last_seen_s) F(wire_neighbour, next) F(wire_neighbour, next_side) F(wire_neighbour, pad) F(wire_neighbour, moved_s) \
	F(wire_neighbour, first_seen_s)
#define NEIGHBOURS(F) F(wire_neighbours, entry)
#define STATION(F) F(station, addr) F(station, mac) F(station, peer) F(station, tci) F(station, zone) F(station, side) \
	F(station, tags) F(station, last_seen_s)
#define STATIONS(F) F(stations, entry) F(stations, pad)

#define STRUCTS(S) S(tuple, TUPLE) S(flow, FLOW) S(flow_cold, FLOW_COLD) S(bucket, BUCKET) S(mapping_key, MAPPING_KEY) \
	S(mapping, MAPPING) S(control, CONTROL) S(usage, USAGE) S(settings, SETTINGS) S(rule, RULE) S(pool, POOL) \
	S(pool_addr, POOL_ADDR) S(port, PORT) S(zone, ZONE) S(addr_key, ADDR_KEY) S(addr_info, ADDR_INFO) S(portbits, PORTBITS) \
	S(event, EVENT) S(counters, COUNTERS) S(sweep_args, SWEEP_ARGS) S(kill_args, KILL_ARGS) S(unmap_args, UNMAP_ARGS) \
	S(map_entry, MAP_ENTRY) S(mapping_bucket, MAPPING_BUCKET) S(mapping_args, MAPPING_ARGS) S(adopt_args, ADOPT_ARGS) \
	S(fragment, FRAGMENT) S(fragment_source, FRAGMENT_SOURCE) S(ids, IDS) S(park_mac, PARK_MAC) S(wire, WIRE) \
	S(wire_state, WIRE_STATE) S(wire_neighbour, NEIGHBOUR) S(wire_neighbours, NEIGHBOURS) S(station, STATION) S(stations, STATIONS)

#define FIELD_SIZE(s, f) + sizeof(((struct s *)0)->f)
#define ALL_LISTED(s, fields) \
	_Static_assert(0 fields(FIELD_SIZE) == sizeof(struct s), "list every field of struct " #s " here");
STRUCTS(ALL_LISTED)

#define FIELD_SHAPE(s, f) offsetof(struct s, f), sizeof(((struct s *)0)->f),
#define STRUCT_SHAPE(s, fields) sizeof(struct s), fields(FIELD_SHAPE)

static const uint32_t shape[] = {
	NATVI_ABI_VERSION, NATVI_BUCKET_SLOTS, NATVI_MAX_PORTS, NATVI_MAX_RULES, NATVI_MAX_POOLS, NATVI_MAX_ZONES,
	NATVI_PORT_PROBES, PORTBITS_PROTOS, VERDICT_COUNT, TAG_LIVE, TAG_HASH,
	STRUCTS(STRUCT_SHAPE)
};

uint64_t natvi_abi_hash(void)
{
	uint64_t hash = 0xcbf29ce484222325u;	/* FNV-1a's start and prime */

	for (size_t i = 0; i < sizeof(shape) / sizeof(shape[0]); i++) {
		for (int shift = 0; shift < 32; shift += 8) {
			hash ^= (shape[i] >> shift) & 0xff;
			hash *= 0x100000001b3u;
		}
	}
	return hash ? hash : 1;
}
