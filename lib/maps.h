/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * maps.h - the pinned maps of an instance, for reading. Works with the daemon dead.
 *
 * Life: maps_open() -> maps_close(). flows and portbits are mapped into memory read-only; what
 * is small is copied out on demand. Concurrency: the datapath writes all the while. Nothing
 * here takes a lock or stops it: a reader copies, looks at the tag again, and drops what moved.
 */
#ifndef NATVI_LIB_MAPS_H
#define NATVI_LIB_MAPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi/config.h"
#include "abi/event.h"
#include "abi/flow.h"
#include "abi/mapping.h"
#include "abi/wire.h"

enum maps_id {
	MAPS_CONTROL, MAPS_USAGE, MAPS_SETTINGS, MAPS_RULES, MAPS_POOLS, MAPS_POOL_ADDRS, MAPS_PORTS, MAPS_ZONES,
	MAPS_ADDRS, MAPS_PORTBITS, MAPS_FLOWS, MAPS_MAPPINGS, MAPS_CPU, MAPS_WIRES, MAPS_WIRE_STATES, MAPS_NEIGHBOURS, MAPS_STATIONS,
	MAPS_COUNT
};

struct maps {
	char instance[NATVI_NAME_LEN];
	struct control control;		/* as it was at maps_open() or maps_refresh() */
	uint32_t active;		/* half in force then: control.active & 1 */
	const struct bucket *flows;
	uint32_t n_buckets;
	const struct mapping_bucket *mappings;
	uint32_t n_mapping_buckets;
	const struct portbits *portbits;	/* slot * PORTBITS_PROTOS + enum portbits_proto */
	uint32_t n_portbits;
	size_t flows_bytes, mappings_bytes, portbits_bytes;
	int fd[MAPS_COUNT];		/* -1: not open */
};

/*
 * A constant over the sizes and field offsets of all structs in abi/. The daemon writes it to
 * control.abi_hash; a reader made from other headers sees another number. Never 0.
 */
uint64_t natvi_abi_hash(void);

/*
 * Open and check all maps of an instance. Returns 0 and *out; otherwise a negative errno, and err
 * holds a sentence for a person: -ENOENT nothing is pinned by that name, -EPERM or -EACCES not
 * allowed, -EPROTO made by another version, -EAGAIN the instance is just being made.
 */
int maps_open(struct maps **out, const char *instance, char *err, size_t err_len);

/* NULL is fine. */
void maps_close(struct maps *maps);

/* Read control again. Returns 0 or a negative errno. */
int maps_refresh(struct maps *maps);

/* Coarse monotonic seconds, the clock of all times in the maps. */
uint32_t maps_now_s(void);

/* Copies of single entries of the half in force. Return 0 or a negative errno (-ENOENT past the end). */
int maps_usage(const struct maps *maps, struct usage *out);
int maps_settings(const struct maps *maps, struct settings *out);
int maps_rule(const struct maps *maps, uint32_t index, struct rule *out);
int maps_zone(const struct maps *maps, uint32_t number, struct zone *out);	/* not by half */
int maps_pool(const struct maps *maps, uint32_t index, struct pool *out);
int maps_pool_addr(const struct maps *maps, uint32_t index, struct pool_addr *out);

int maps_wire(const struct maps *maps, uint32_t number, struct wire *out);	/* likewise; "" is the name of one that is not there */
int maps_wire_state(const struct maps *maps, uint32_t number, struct wire_state *out);

/* Callbacks return 0 to go on; anything else ends the walk and is returned. */
typedef int (*maps_port_fn)(const struct port *port, void *arg);

/* All enabled interfaces (slots that are not empty). */
int maps_each_port(const struct maps *maps, maps_port_fn fn, void *arg);

/* What wires have learned; entries that are free are left out. */
typedef int (*maps_neighbour_fn)(const struct wire_neighbour *neighbour, void *arg);
typedef int (*maps_station_fn)(const struct station *station, void *arg);
int maps_each_neighbour(const struct maps *maps, maps_neighbour_fn fn, void *arg);
int maps_each_station(const struct maps *maps, maps_station_fn fn, void *arg);

/* Sum over all CPUs, packets and SYSCALL programs together. Returns 0 or a negative errno. */
int maps_counters(const struct maps *maps, struct counters *out);

/* Claimed or reserved ports of an address slot: 0-65536. A slot that does not exist has none. */
uint32_t maps_claimed(const struct maps *maps, uint32_t slot, enum portbits_proto proto);

/* One mapping as its INSIDE entry has it: the key is the inside end, the value the outside end and state. */
typedef int (*maps_mapping_fn)(const struct map_entry *entry, void *arg);

/* Entries of any kind in n buckets of a mapping table, as copies. Returns 0 or what ended the walk. */
int mapping_entries(const struct mapping_bucket *buckets, uint32_t n, maps_mapping_fn fn, void *arg);

/*
 * All mappings once each (INSIDE entries, dead ones left out). Entries that come or go during
 * the walk may or may not be seen.
 */
int maps_each_mapping(const struct maps *maps, maps_mapping_fn fn, void *arg);

/* "static", "active" or "resting". */
const char *mapping_state(const struct mapping *mapping);

#endif
