/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * show_tables.c - `show pools`, `show rules` and `show interfaces`: the configuration as the datapath
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

static const char *action_name(uint8_t action)
{
	switch (action) {
	case ACTION_TRANSLATE: return "translate";
	case ACTION_ACCEPT: return "accept";
	case ACTION_DROP: return "drop";
	case ACTION_REJECT: return "reject";
	case ACTION_KERNEL: return "kernel";
	default: return "unknown";
	}
}

static const char *rule_interface(const struct show *show, uint32_t ifindex, char buf[PORT_NAME_LEN])
{
	if (!ifindex)
		return "any";
	return ifindex == IFINDEX_ABSENT ? "(absent)" : ports_name(show->ports, ifindex, buf);
}

static const char *rule_ports(uint16_t lo, uint16_t hi, char buf[PORTS_TEXT_LEN])
{
	return !lo && hi == UINT16_MAX ? "any" : addr_print_ports(lo, hi, buf);
}

/* IPv4's any is ::ffff:0:0/96. */
static const char *rule_prefix(const union addr *addr, uint8_t len, char buf[ADDR_TEXT_LEN])
{
	return !len || (len == 96 && addr_is4(addr)) ? "any" : addr_print_prefix(addr, len, buf);
}

/* Sessions made by each rule of the configuration. */
static int count_session(const struct session *session, void *arg)
{
	uint32_t *sessions = arg;

	sessions[session->cold.rule]++;
	return 0;
}

/* A rule's fields as text. */
struct rule_text {
	char name[8], in[PORT_NAME_LEN], out[PORT_NAME_LEN], src[ADDR_TEXT_LEN], dst[ADDR_TEXT_LEN];
	char proto[PROTO_TEXT_LEN], sports[PORTS_TEXT_LEN], dports[PORTS_TEXT_LEN], pool[NATVI_NAME_LEN];
	const char *field[10];	/* name, in, out, src, dst, proto, sports, dports, action, pool */
};

static void rule_to_text(struct rule_text *t, const struct show *show, const struct rule *rule)
{
	const char *field[10] = {
		names_rule(show->names, rule->id, t->name),
		rule_interface(show, rule->in_ifindex, t->in),
		rule_interface(show, rule->out_ifindex, t->out),
		rule_prefix(&rule->src, rule->src_len, t->src),
		rule_prefix(&rule->dst, rule->dst_len, t->dst),
		rule->proto ? addr_print_proto(rule->proto, t->proto) : "any",
		rule_ports(rule->sport_lo, rule->sport_hi, t->sports),
		rule_ports(rule->dport_lo, rule->dport_hi, t->dports),
		action_name(rule->action),
		!(rule->flags & RULE_SNAT) ? "-" :
			rule->pool == POOL_MASQUERADE ? "masquerade" : show_pool(show, rule->pool, t->pool),
	};

	memcpy(t->field, field, sizeof(field));
}

static json_t *rule_json(const struct rule_text *t, const struct rule *rule, uint32_t sessions)
{
	static const char *const keys[10] = { "name", "in", "out", "source", "destination", "proto", "source_ports",
					      "destination_ports", "action", "pool" };
	json_t *object = json_pack("{s:i, s:I}", "id", rule->id, "sessions", (json_int_t)sessions);

	for (int i = 0; i < 10; i++)
		json_object_set_new(object, keys[i], json_string(t->field[i]));
	return object;
}

static int print_rules(struct show *show, const uint32_t *sessions, uint32_t n_rules)
{
	struct table *table = show->opts->json ? NULL :
		table_new(">#|RULE|IN|OUT|SOURCE|DESTINATION|PROTO|SPORT|DPORT|ACTION|POOL|>SESSIONS");
	json_t *list = json_array();
	struct rule_text text;
	struct rule rule;
	int ret = 0;

	for (uint32_t i = 0; i < n_rules && !maps_rule(show->maps, i, &rule); i++) {
		rule_to_text(&text, show, &rule);
		if (!table) {
			json_array_append_new(list, rule_json(&text, &rule, sessions[rule.id]));
			continue;
		}
		table_addf(table, "%u", rule.id);
		for (int f = 0; f < 10; f++)
			table_add(table, text.field[f]);
		table_addf(table, "%u", sessions[rule.id]);
	}
	if (show->opts->json)
		return cli_print_json(json_pack("{s:o}", "rules", list));
	json_decref(list);
	ret = table ? table_print(table, stdout) : -ENOMEM;
	table_free(table);
	return ret ? cli_error(CLI_FAIL, "cannot show the rules: %s", strerror(-ret)) : CLI_OK;
}

int show_rules(struct show *show)
{
	uint32_t *sessions = calloc(UINT16_MAX + 1, sizeof(*sessions));
	struct settings settings;
	int ret = sessions ? maps_settings(show->maps, &settings) : -ENOMEM;

	if (!ret)
		ret = maps_each_session(show->maps, NULL, count_session, sessions);
	ret = ret ? cli_error(CLI_FAIL, "cannot read the rules: %s", strerror(-ret)) :
		    print_rules(show, sessions, settings.n_rules);
	free(sessions);
	return ret;
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

static json_t *interface_json(const struct show *show, const struct port_hooks *h)
{
	const struct port *p = &h->port;
	char mac[18], addr[ADDR_TEXT_LEN], pool[NATVI_NAME_LEN], mss[8];
	bool limited = p->mss && p->mss != MSS_AUTO;

	snprintf(mac, sizeof(mac), "%02x:%02x:%02x:%02x:%02x:%02x", p->mac[0], p->mac[1], p->mac[2], p->mac[3], p->mac[4], p->mac[5]);
	return json_pack("{s:s, s:I, s:i, s:i, s:s, s:s, s:I, s:o, s:s, s:s, s:b, s:b, s:s}", "name", p->name,
			 "ifindex", (json_int_t)p->ifindex, "vlan", p->vlan, "zone", p->zone, "state", port_state(h),
			 "addr", p->addr4 ? addr_print4(ntohl(p->addr4), addr) : "-", "mtu", (json_int_t)p->mtu,
			 "mss", limited ? json_integer(p->mss) : json_string(mss_text(p->mss, mss)),
			 "mac", p->flags & PORT_NO_L2 ? "-" : mac, "xdp", h->xdp, "tc_ingress", h->tc_in, "tc_egress", h->tc_out,
			 "masquerade_pool", p->masq_pool == POOL_MASQUERADE ? "-" : show_pool(show, p->masq_pool, pool));
}

static void interface_row(const struct show *show, struct table *table, const struct port_hooks *h)
{
	char addr[ADDR_TEXT_LEN], pool[NATVI_NAME_LEN], mss[8];
	const struct port *p = &h->port;

	table_add(table, p->name);
	table_addf(table, "%u", p->ifindex);
	if (p->vlan)
		table_addf(table, "%u", p->vlan);
	else
		table_add(table, "-");
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
	table = table_new("INTERFACE|>INDEX|>VLAN|STATE|ADDRESS|>MTU|>MSS|XDP|TC|MASQUERADE");
	for (size_t i = 0; table && i < show->ports->n; i++)
		interface_row(show, table, &show->ports->list[i]);
	ret = table ? table_print(table, stdout) : -ENOMEM;
	table_free(table);
	return ret ? cli_error(CLI_FAIL, "cannot show the interfaces: %s", strerror(-ret)) : CLI_OK;
}
