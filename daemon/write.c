/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * write.c - see write.h.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/write.h"
#include "lib/addr.h"

int write_fits(const struct tables *tables, const struct plan *plan, char *err, size_t err_len)
{
	const struct control *c = tables->control;
	uint32_t statics = (tables->max_mapping_entries - natvi_mapping_entries_for(c->max_mappings, 0)) / 2;
	const char *what = NULL;
	size_t need = 0, room = 0;

	if (plan->n_pool_addrs > c->n_pool_addrs) {
		what = "pool addresses";
		need = plan->n_pool_addrs;
		room = c->n_pool_addrs;
	} else if (plan->n_addr_keys > tables->max_addr_entries) {
		what = "addresses of pools, netmaps and interfaces (once for each zone that sees them)";
		need = plan->n_addr_keys;
		room = tables->max_addr_entries;
	} else if (plan->n_statics > statics) {
		what = "forwarded ports";
		need = plan->n_statics;
		room = statics;
	}
	if (!what)
		return 0;
	snprintf(err, err_len, "the tables have room for %zu %s, and %zu are needed: `natvi down` first, then start with "
		 "this configuration", room, what, need);
	return -ENOSPC;
}

/* Halves */

static bool same_half(const struct plan *a, const struct plan *b)
{
	return !memcmp(&a->settings, &b->settings, sizeof(a->settings)) &&
	       a->n_rules == b->n_rules && !memcmp(a->rules, b->rules, a->n_rules * sizeof(*a->rules)) &&
	       !memcmp(a->pools, b->pools, NATVI_MAX_POOLS * sizeof(*a->pools)) &&
	       a->n_pool_addrs == b->n_pool_addrs &&
	       !memcmp(a->pool_addrs, b->pool_addrs, a->n_pool_addrs * sizeof(*a->pool_addrs));
}

int write_half(const struct tables *tables, const struct plan *was, const struct plan *plan)
{
	uint32_t half = !(tables->control->active & 1), i;
	int err = 0;

	if (was && same_half(was, plan))
		return 1;
	/* Programs may still read this half, from before the last change. */
	tables_grace();
	for (i = 0; i < plan->n_rules && !err; i++)
		err = tables_put(tables, TABLE_RULES, half * NATVI_MAX_RULES + i, &plan->rules[i]);
	for (i = 0; i < NATVI_MAX_POOLS && !err; i++)
		err = tables_put(tables, TABLE_POOLS, half * NATVI_MAX_POOLS + i, &plan->pools[i]);
	for (i = 0; i < plan->n_pool_addrs && !err; i++)
		err = tables_put(tables, TABLE_POOL_ADDRS, half * tables->control->n_pool_addrs + i, &plan->pool_addrs[i]);
	if (!err)
		err = tables_put(tables, TABLE_SETTINGS, half, &plan->settings);
	if (!err)
		tables_set(tables, active, half);
	return err;
}

/* Addresses */

static struct addr_key addr_key(uint32_t addr, uint16_t zone)
{
	return (struct addr_key){ .addr = addr_from4(addr), .zone = zone };
}

static bool same_addr(const struct plan_addr *a, const struct plan_addr *b)
{
	return a && a->slot == b->slot && a->flags == b->flags && a->pool == b->pool && a->zone == b->zone;
}

/* The entry of one zone, if it is new or different. */
static int write_addr(const struct tables *tables, const struct plan *was, const struct plan_addr *addr, uint16_t zone)
{
	struct addr_info info = { .slot = addr->slot, .flags = addr->flags, .pool = addr->pool, .zone = addr->zone };
	struct addr_key key = addr_key(addr->addr, zone);

	if (was && same_addr(plan_seen_addr(was, addr->addr, zone), addr))
		return 0;
	return bpf_map_update_elem(tables->map[TABLE_ADDRS], &key, &info, BPF_ANY);
}

int write_addrs(const struct tables *tables, const struct plan *was, const struct plan *plan)
{
	const struct plan_addr *addr;
	uint64_t zones;
	int err = 0;
	size_t i;

	for (i = 0; i < plan->n_addrs && !err; i++) {
		addr = &plan->addrs[i];
		for (zones = addr->zones; zones && !err; zones &= zones - 1)
			err = write_addr(tables, was, addr, (uint16_t)__builtin_ctzll(zones));
	}
	return err;
}

static bool in_plan(const struct plan *plan, const struct addr_key *key)
{
	return key->zone < NATVI_MAX_ZONES && addr_is4(&key->addr) && plan_seen_addr(plan, addr_to4(&key->addr), key->zone);
}

/* What the map holds is not known: look at every key. */
static int remove_unknown(const struct tables *tables, const struct plan *plan)
{
	struct addr_key key, next;
	bool first = true;
	int err;

	for (;;) {
		err = bpf_map_get_next_key(tables->map[TABLE_ADDRS], first ? NULL : &key, &next);
		if (err)
			return err == -ENOENT ? 0 : err;
		if (in_plan(plan, &next)) {
			key = next;
			first = false;
			continue;
		}
		bpf_map_delete_elem(tables->map[TABLE_ADDRS], &next);
	}
}

int remove_addrs(const struct tables *tables, const struct plan *was, const struct plan *plan)
{
	struct addr_key key;
	uint64_t zones;
	size_t i;

	if (!was)
		return remove_unknown(tables, plan);
	for (i = 0; i < was->n_addrs; i++)
		for (zones = was->addrs[i].zones; zones; zones &= zones - 1) {
			key = addr_key(was->addrs[i].addr, (uint16_t)__builtin_ctzll(zones));
			if (!in_plan(plan, &key))
				bpf_map_delete_elem(tables->map[TABLE_ADDRS], &key);
		}
	return 0;
}

/* Zones */

int write_zones(const struct tables *tables, const struct plan *was, const struct plan *plan)
{
	uint32_t i;
	int err, changed = 0;

	for (i = 0; i < NATVI_MAX_ZONES; i++) {
		if (was && !memcmp(&was->zones[i], &plan->zones[i], sizeof(plan->zones[i])))
			continue;
		err = tables_put(tables, TABLE_ZONES, i, &plan->zones[i]);
		if (err)
			return err;
		changed = 1;
	}
	return changed;
}

/* Wires */

static int forget_neighbours(const struct tables *tables, uint16_t zone)
{
	struct wire_neighbours set;
	uint32_t i, way;
	bool found;
	int err = 0;

	for (i = 0; i < NATVI_NEIGHBOUR_SETS && !err; i++) {
		err = bpf_map_lookup_elem(tables->map[TABLE_NEIGHBOURS], &i, &set);
		for (way = 0, found = false; way < NATVI_NEIGHBOUR_WAYS && !err; way++)
			if (set.entry[way].last_seen_s && set.entry[way].zone == zone) {
				memset(&set.entry[way], 0, sizeof(set.entry[way]));
				found = true;
			}
		if (found)
			err = tables_put(tables, TABLE_NEIGHBOURS, i, &set);
	}
	return err;
}

static int forget_stations(const struct tables *tables, uint16_t zone)
{
	struct stations set;
	uint32_t i, way;
	bool found;
	int err = 0;

	for (i = 0; i < NATVI_STATION_SETS && !err; i++) {
		err = bpf_map_lookup_elem(tables->map[TABLE_STATIONS], &i, &set);
		for (way = 0, found = false; way < NATVI_STATION_WAYS && !err; way++)
			if (set.entry[way].last_seen_s && set.entry[way].zone == zone) {
				memset(&set.entry[way], 0, sizeof(set.entry[way]));
				found = true;
			}
		if (found)
			err = tables_put(tables, TABLE_STATIONS, i, &set);
	}
	return err;
}

static int forget_learned(const struct tables *tables, uint32_t number)
{
	static const struct wire_state nothing;
	int err = tables_put(tables, TABLE_WIRE_STATES, number, &nothing);

	if (!err)
		err = forget_neighbours(tables, (uint16_t)number);
	return err ? err : forget_stations(tables, (uint16_t)number);
}

static bool is_same(const struct plan *was, const struct plan *plan, uint32_t number)
{
	return was && !memcmp(&was->wires[number], &plan->wires[number], sizeof(plan->wires[number]));
}

int write_wires(const struct tables *tables, const struct plan *was, const struct plan *plan, const char (*names)[NATVI_NAME_LEN])
{
	int err = 0, changed = 0;
	uint32_t i;

	for (i = 0; i < NATVI_MAX_WIRES && !err; i++) {
		if (!plan->wires[i].name[0] || is_same(was, plan, i))
			continue;
		if (strcmp(names[i], plan->wires[i].name))
			err = forget_learned(tables, i);
		if (!err)
			err = tables_put(tables, TABLE_WIRES, i, &plan->wires[i]);
		changed = 1;
	}
	return err ? err : changed;
}

int remove_wires(const struct tables *tables, const struct plan *was, const struct plan *plan)
{
	int err = 0, changed = 0;
	uint32_t i;

	for (i = 0; i < NATVI_MAX_WIRES && !err; i++) {
		if (plan->wires[i].name[0] || is_same(was, plan, i))
			continue;
		err = tables_put(tables, TABLE_WIRES, i, &plan->wires[i]);
		changed = 1;
	}
	return err ? err : changed;
}

/* Ports */

/* Its own slot if it has one, else the first empty one where the datapath looks; -1: all are taken. */
static int port_place(const struct port *shadow, const struct port *port)
{
	int empty = -1;
	uint32_t i, slot;

	for (i = 0; i < NATVI_PORT_PROBES; i++) {
		slot = natvi_port_slot(port->ifindex, port->vlan, i);
		if (shadow[slot].ifindex == port->ifindex && shadow[slot].vlan == port->vlan)
			return (int)slot;
		if (!shadow[slot].ifindex && empty < 0)
			empty = (int)slot;
	}
	return empty;
}

static bool listed(const struct port *ports, size_t n, const struct port *port)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (ports[i].ifindex == port->ifindex && ports[i].vlan == port->vlan)
			return true;
	return false;
}

static int put_port(const struct tables *tables, struct port *shadow, uint32_t slot, const struct port *port)
{
	int err;

	if (!memcmp(&shadow[slot], port, sizeof(*port)))
		return 0;
	err = tables_put(tables, TABLE_PORTS, slot, port);
	if (!err)
		shadow[slot] = *port;
	return err ? err : 1;
}

int write_ports(const struct tables *tables, struct port *shadow, const struct port *ports, size_t n_ports)
{
	static const struct port empty;
	int changed = 0, one, place;
	uint32_t slot;
	size_t i;

	for (slot = 0; slot < NATVI_MAX_PORTS; slot++) {
		if (!shadow[slot].ifindex || listed(ports, n_ports, &shadow[slot]))
			continue;
		one = put_port(tables, shadow, slot, &empty);
		if (one < 0)
			return one;
		changed += one;
	}
	for (i = 0; i < n_ports; i++) {
		place = port_place(shadow, &ports[i]);
		if (place < 0)
			return -ENOSPC;
		one = put_port(tables, shadow, (uint32_t)place, &ports[i]);
		if (one < 0)
			return one;
		changed += one;
	}
	return changed;
}
