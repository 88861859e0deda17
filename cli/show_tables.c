/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * show_tables.c - `show pools`, `show interfaces` and `show zones`: the configuration as the datapath
 * has it, and how much of it is used.
 */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/show.h"
#include "lib/addr.h"
#include "lib/session.h"
#include "lib/table.h"

static const char *const proto_names[PORTBITS_PROTOS] = { "tcp", "udp", "icmp" };

static const char *mapping_mode_name(uint8_t mapping)
{
	return mapping == MAPPING_EI ? "endpoint-independent" : "address-and-port-dependent";
}

static const char *filtering_name(uint8_t filtering)
{
	switch (filtering) {
	case FILTER_EI: return "endpoint-independent";
	case FILTER_AD: return "address-dependent";
	default: return "address-and-port-dependent";
	}
}

/* Of TCP and of the rest, in one word where they are alike. */
static const char *filtering_text(const struct pool *pool, char buf[80])
{
	if (pool->filtering == pool->filtering_tcp)
		return filtering_name(pool->filtering);
	snprintf(buf, 80, "tcp:%s,udp:%s", filtering_name(pool->filtering_tcp), filtering_name(pool->filtering));
	return buf;
}

static const char *pooling_name(const struct pool *pool)
{
	return pool->flags & POOL_ARBITRARY ? "arbitrary" : "paired";
}

static const char *selection_name(const struct pool *pool)
{
	return pool->flags & POOL_RANDOM ? "random" : "preserve";
}

static const char *protocols_name(const struct pool *pool)
{
	return pool->flags & POOL_SHARED ? "shared" : "separate";
}

/* Mappings by address slot and protocol. */
struct slot_counts {
	uint32_t *count;	/* slot * PORTBITS_PROTOS + protocol */
	uint32_t n;
};

static int portbits_of(uint8_t proto)
{
	switch (proto) {
	case IPPROTO_TCP: return PORTBITS_TCP;
	case IPPROTO_UDP: return PORTBITS_UDP;
	case IPPROTO_ICMP: return PORTBITS_ICMP;
	default: return -1;
	}
}

static void count_one(struct slot_counts *counts, uint32_t slot, int proto)
{
	uint64_t at = (uint64_t)slot * PORTBITS_PROTOS + (uint32_t)proto;

	if (proto >= 0 && slot != SLOT_NONE && at < counts->n)
		counts->count[at]++;
}

/* One for TCP and UDP together counts for both: its port is taken of both. */
static int count_mapping(const struct map_entry *entry, void *arg)
{
	count_one(arg, entry->value.slot, entry->key.proto ? portbits_of(entry->key.proto) : PORTBITS_TCP);
	if (!entry->key.proto)
		count_one(arg, entry->value.slot, PORTBITS_UDP);
	return 0;
}

struct pool_line {
	const struct pool *pool;
	struct pool_addr addr;
	uint32_t mappings[PORTBITS_PROTOS], free[PORTBITS_PROTOS];
};

static void measure(struct pool_line *line, const struct maps *maps, const struct slot_counts *counts)
{
	for (int proto = 0; proto < PORTBITS_PROTOS; proto++) {
		uint64_t at = (uint64_t)line->addr.slot * PORTBITS_PROTOS + (uint32_t)proto;

		line->mappings[proto] = at < counts->n ? counts->count[at] : 0;
		line->free[proto] = 65536 - maps_claimed(maps, line->addr.slot, proto);
	}
}

static json_t *pool_line_json(const struct pool_line *line)
{
	char addr[ADDR_TEXT_LEN];
	json_t *object = json_pack("{s:s}", "addr", addr_print(&line->addr.addr, addr));

	for (int proto = 0; proto < PORTBITS_PROTOS; proto++)
		json_object_set_new(object, proto_names[proto], json_pack("{s:i, s:i}", "mappings", (int)line->mappings[proto],
									  "free", (int)line->free[proto]));
	return object;
}

static void pool_line_row(struct table *table, const struct pool_line *line)
{
	char addr[ADDR_TEXT_LEN], filtering[80];

	table_add(table, line->pool->name);
	table_add(table, addr_print(&line->addr.addr, addr));
	table_add(table, mapping_mode_name(line->pool->mapping));
	table_add(table, filtering_text(line->pool, filtering));
	table_add(table, pooling_name(line->pool));
	table_add(table, selection_name(line->pool));
	table_add(table, protocols_name(line->pool));
	for (int proto = 0; proto < PORTBITS_PROTOS; proto++) {
		table_addf(table, "%u", line->mappings[proto]);
		table_addf(table, "%u", line->free[proto]);
	}
}

/* One pool: rows into the table, or an object into the list. */
static void one_pool(struct show *show, const struct pool *pool, const struct slot_counts *counts, struct table *table,
		     json_t *list)
{
	struct pool_line line = { .pool = pool };
	json_t *addrs = json_array();

	for (uint32_t i = 0; i < pool->n_addrs; i++) {
		if (maps_pool_addr(show->maps, pool->first + i, &line.addr))
			break;
		measure(&line, show->maps, counts);
		if (table)
			pool_line_row(table, &line);
		else
			json_array_append_new(addrs, pool_line_json(&line));
	}
	if (table)
		json_decref(addrs);
	else
		json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:o}", "name", pool->name,
						      "mapping", mapping_mode_name(pool->mapping),
						      "filtering", filtering_name(pool->filtering),
						      "filtering_tcp", filtering_name(pool->filtering_tcp),
						      "pooling", pooling_name(pool), "port_selection", selection_name(pool),
						      "protocols", protocols_name(pool), "addresses", addrs));
}

int show_pools(struct show *show)
{
	struct slot_counts counts = { .n = show->maps->n_portbits };
	struct table *table = NULL;
	json_t *list = json_array();
	int ret = 0;

	counts.count = calloc(counts.n ? counts.n : 1, sizeof(*counts.count));
	if (!show->opts->json)
		table = table_new("POOL|ADDRESS|MAPPING|FILTERING|POOLING|PORTS|PROTOCOLS|>TCP|>FREE|>UDP|>FREE|>ICMP|>FREE");
	if (!counts.count || (!show->opts->json && !table))
		ret = -ENOMEM;
	if (!ret)
		ret = maps_each_mapping(show->maps, count_mapping, &counts);
	for (uint32_t i = 0; !ret && i < NATVI_MAX_POOLS; i++)
		if (show->pools[i].n_addrs)
			one_pool(show, &show->pools[i], &counts, table, list);
	if (!ret && table)
		ret = table_print(table, stdout);
	table_free(table);
	free(counts.count);
	if (!ret && show->opts->json)
		return cli_print_json(json_pack("{s:o}", "pools", list));
	json_decref(list);
	return ret ? cli_error(CLI_FAIL, "cannot show the pools: %s", strerror(-ret)) : CLI_OK;
}

static const char *port_state(const struct port_hooks *h)
{
	if (!h->present)
		return "elsewhere";
	return h->port.flags & PORT_DOWN ? "down" : "up";
}

static const char *mss_text(uint16_t mss, char buf[8])
{
	if (!mss || mss == MSS_AUTO)
		return mss ? "auto" : "off";
	snprintf(buf, 8, "%u", mss);
	return buf;
}

static const char *nat_text(const struct port *port)
{
	if (port->flags & (PORT_WIRE | PORT_TARGET))
		return port->flags & PORT_WIRE ? "wire" : "target";
	return port->flags & PORT_NVI ? "nvi" : port->flags & PORT_ROUTED ? "routed" : "all";
}

static json_t *interface_json(const struct show *show, const struct port_hooks *h)
{
	const struct port *p = &h->port;
	char mac[MAC_TEXT_LEN], addr[ADDR_TEXT_LEN], pool[NATVI_NAME_LEN], mss[8], zone[NATVI_NAME_LEN];
	bool limited = p->mss && p->mss != MSS_AUTO;
	json_t *object;

	show_mac(p->mac, mac);
	object = json_pack("{s:s, s:I, s:i, s:i, s:s, s:s, s:s, s:s, s:I, s:o, s:s, s:s, s:b, s:b, s:s}", "name", p->name,
			 "ifindex", (json_int_t)p->ifindex, "vlan", p->vlan, "zone", p->zone, "zone_name", show_port_zone(show, p, zone),
			 "nat", nat_text(p), "state", port_state(h),
			 "addr", p->addr4 ? addr_print4(ntohl(p->addr4), addr) : "-", "mtu", (json_int_t)p->mtu,
			 "mss", limited ? json_integer(p->mss) : json_string(mss_text(p->mss, mss)),
			 "mac", p->flags & PORT_NO_L2 ? "-" : mac, "xdp", h->xdp, "tc_ingress", h->tc_in, "tc_egress", h->tc_out,
			 "masquerade_pool", p->masq_pool == POOL_MASQUERADE ? "-" : show_pool(show, p->masq_pool, pool));
	if (p->flags & PORT_NVI)
		json_object_set_new(object, "crossed", json_pack("{s:I, s:I}", "packets", (json_int_t)h->packets,
								 "bytes", (json_int_t)h->bytes));
	return object;
}

static void interface_row(const struct show *show, struct table *table, const struct port_hooks *h)
{
	char addr[ADDR_TEXT_LEN], pool[NATVI_NAME_LEN], mss[8], zone[NATVI_NAME_LEN];
	const struct port *p = &h->port;

	table_add(table, p->name);
	table_addf(table, "%u", p->ifindex);
	if (p->vlan)
		table_addf(table, "%u", p->vlan);
	else
		table_add(table, "-");
	table_add(table, show_port_zone(show, p, zone));
	table_add(table, nat_text(p));
	table_add(table, port_state(h));
	table_add(table, p->addr4 ? addr_print4(ntohl(p->addr4), addr) : "-");
	table_addf(table, "%u", p->mtu);
	table_add(table, mss_text(p->mss, mss));
	table_add(table, h->xdp);
	table_add(table, h->tc_in && h->tc_out ? "in+out" : h->tc_in ? "in" : h->tc_out ? "out" : "off");
	table_add(table, p->masq_pool == POOL_MASQUERADE ? "-" : show_pool(show, p->masq_pool, pool));
}

int show_interfaces(struct show *show)
{
	json_t *list = json_array();
	struct table *table;
	int ret;

	if (show->opts->json) {
		for (size_t i = 0; i < show->ports->n; i++)
			json_array_append_new(list, interface_json(show, &show->ports->list[i]));
		return cli_print_json(json_pack("{s:o}", "interfaces", list));
	}
	json_decref(list);
	table = table_new("INTERFACE|>INDEX|>VLAN|ZONE|NAT|STATE|ADDRESS|>MTU|>MSS|XDP|TC|MASQUERADE");
	for (size_t i = 0; table && i < show->ports->n; i++)
		interface_row(show, table, &show->ports->list[i]);
	ret = table ? table_print(table, stdout) : -ENOMEM;
	table_free(table);
	for (size_t i = 0; !ret && i < show->ports->n; i++) {
		const struct port_hooks *h = &show->ports->list[i];

		if (h->port.flags & PORT_NVI && h->present)
			printf("%s: %llu packets, %llu bytes have crossed it\n", h->port.name, h->packets, h->bytes);
	}
	return ret ? cli_error(CLI_FAIL, "cannot show the interfaces: %s", strerror(-ret)) : CLI_OK;
}

/* Zones */

/* nvi0 is in no zone: it stands between them. */
static bool is_in_zone(const struct port *port, uint32_t zone)
{
	return port->zone == zone && !(port->flags & (PORT_NVI | PORT_WIRE | PORT_TARGET));
}

static json_t *zone_ports_json(const struct show *show, uint32_t number)
{
	json_t *list = json_array();

	for (size_t i = 0; i < show->ports->n; i++)
		if (is_in_zone(&show->ports->list[i].port, number))
			json_array_append_new(list, json_string(show->ports->list[i].port.name));
	return list;
}

static void zone_row(const struct show *show, struct table *table, uint32_t number, const struct zone *zone)
{
	char buf[PORT_NAME_LEN];
	struct line line = { 0 };

	for (size_t i = 0; i < show->ports->n; i++) {
		if (!is_in_zone(&show->ports->list[i].port, number))
			continue;
		line_text(&line, line.len ? " " : "");
		line_text(&line, show->ports->list[i].port.name);
	}
	table_addf(table, "%u", number);
	table_add(table, zone->name);
	table_addf(table, "%u", zone->table);
	table_add(table, ports_name(show->ports, zone->ifindex, buf));
	table_add(table, line.len ? line.text : "-");
}

int show_zones(struct show *show)
{
	struct table *table = show->opts->json ? NULL : table_new(">#|ZONE|>TABLE|LOOK-UPS BY|INTERFACES");
	json_t *list = json_array();
	char buf[PORT_NAME_LEN];
	struct zone zone;
	int ret;

	for (uint32_t i = 0; i < NATVI_MAX_ZONES && !maps_zone(show->maps, i, &zone); i++) {
		if (!zone.name[0])
			continue;
		if (table)
			zone_row(show, table, i, &zone);
		else
			json_array_append_new(list, json_pack("{s:i, s:s, s:I, s:s, s:o}", "number", (int)i, "name", zone.name,
				"table", (json_int_t)zone.table, "lookups_by", ports_name(show->ports, zone.ifindex, buf),
				"interfaces", zone_ports_json(show, i)));
	}
	if (show->opts->json)
		return cli_print_json(json_pack("{s:o}", "zones", list));
	json_decref(list);
	ret = table ? table_print(table, stdout) : -ENOMEM;
	table_free(table);
	return ret ? cli_error(CLI_FAIL, "cannot show the zones: %s", strerror(-ret)) : CLI_OK;
}
