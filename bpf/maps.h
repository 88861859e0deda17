/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * maps.h - all maps, by the names that abi/config.h lists. Weak, because two objects are
 * linked into one. Sizes of 1 are set by the loader.
 */
#ifndef NATVI_BPF_MAPS_H
#define NATVI_BPF_MAPS_H

#define NATVI_ARRAY(name, struct_type, entries, mapflags)                                           \
	struct {                                                                               \
		__uint(type, BPF_MAP_TYPE_ARRAY);                                              \
		__uint(max_entries, entries);                                                  \
		__uint(map_flags, mapflags);                                                   \
		__type(key, __u32);                                                            \
		__type(value, struct_type);                                                       \
	} name __weak SEC(".maps")

NATVI_ARRAY(control, struct control, 1, BPF_F_MMAPABLE);
NATVI_ARRAY(usage, struct usage, 1, BPF_F_MMAPABLE);
NATVI_ARRAY(settings, struct settings, 2, 0);
NATVI_ARRAY(rules, struct rule, 2 * NATVI_MAX_RULES, 0);
NATVI_ARRAY(pools, struct pool, 2 * NATVI_MAX_POOLS, 0);
NATVI_ARRAY(pool_addrs, struct pool_addr, 2, 0);
NATVI_ARRAY(ports, struct port, NATVI_MAX_PORTS, 0);
NATVI_ARRAY(zones, struct zone, NATVI_MAX_ZONES, 0);
NATVI_ARRAY(portbits, struct portbits, PORTBITS_PROTOS, BPF_F_MMAPABLE);
NATVI_ARRAY(flows, struct bucket, 1, BPF_F_MMAPABLE);
NATVI_ARRAY(mappings, struct mapping_bucket, 1, BPF_F_MMAPABLE);

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, struct addr_key);
	__type(value, struct addr_info);
} addrs __weak SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, NATVI_EXPECTED);
	__type(key, struct tuple);
	__type(value, struct tuple);
} expected __weak SEC(".maps");

NATVI_ARRAY(ids, struct ids, 1, 0);
NATVI_ARRAY(wires, struct wire, NATVI_MAX_WIRES, 0);
NATVI_ARRAY(wire_states, struct wire_state, NATVI_MAX_WIRES, 0);
NATVI_ARRAY(neighbours, struct wire_neighbours, NATVI_NEIGHBOUR_SETS, 0);
NATVI_ARRAY(stations, struct stations, NATVI_STATION_SETS, 0);

/* What is oldest goes first: a fragment that is not followed up soon never will be. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, NATVI_FRAGMENTS);
	__type(key, struct tuple);
	__type(value, struct fragment);
} fragments __weak SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, NATVI_FRAGMENT_SOURCES);
	__type(key, struct addr_key);
	__type(value, struct fragment_source);
} fragment_sources __weak SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, struct cpu);
} cpu __weak SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 20);
} events __weak SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 17);
} requests __weak SEC(".maps");

#endif
