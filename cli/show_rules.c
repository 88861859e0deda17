/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * show_rules.c - `show rules`: the rules as the datapath has them, one for each combination of a rule's lists, and what
 * each does to a packet.
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

#define SELECTOR_LEN	320	/* all DSCPs, or a mark and its mask */
#define WAY_LEN		(NATVI_NAME_LEN + 8)
#define NEW_LEN		(ADDR_TEXT_LEN + PORTS_TEXT_LEN + NATVI_NAME_LEN + 8)

#define TRAFFIC_BITS	7
static const char *const traffic_words[TRAFFIC_BITS] = { "through", "to-box", "to-pool", "from-box", NULL, "exclude", "wire" };	/* by bit */

/* Append to text, with a separator if there is something. */
static void append(char *text, size_t size, const char *separator, const char *more)
{
	size_t len = strlen(text);

	snprintf(text + len, size - len, "%s%s", len ? separator : "", more);
}

static const char *action_name(const struct rule *rule, char buf[32])
{
	static const char *const names[] = {
		[ACTION_ACCEPT] = "accept", [ACTION_DROP] = "drop", [ACTION_REJECT] = "reject", [ACTION_KERNEL] = "kernel",
		[ACTION_CAPTURE] = "capture",
	};

	if (rule->action != ACTION_TRANSLATE)
		return rule->action < sizeof(names) / sizeof(names[0]) ? names[rule->action] : "unknown";
	*buf = '\0';
	if (rule->flags & (RULE_SNAT | RULE_SRC_NET))
		append(buf, 32, "+", rule->flags & RULE_SNAT ? "snat" : "netmap");
	if (rule->flags & (RULE_DNAT | RULE_DST_NET))
		append(buf, 32, "+", "dnat");
	return buf;
}

/* Interface, else zone. */
static const char *way(const struct show *show, uint32_t ifindex, uint16_t zone, char buf[WAY_LEN])
{
	char name[NATVI_NAME_LEN];

	if (ifindex == IFINDEX_ABSENT)
		return "(absent)";
	if (ifindex)
		return ports_name(show->ports, ifindex, buf);
	if (zone == ZONE_ANY)
		return "any";
	snprintf(buf, WAY_LEN, "zone %s", show_zone(show, zone, name));
	return buf;
}

/* Of a capture: where to. */
static const char *target_text(const struct show *show, const struct rule *rule, char buf[PORT_NAME_LEN])
{
	return rule->target ? ports_name(show->ports, rule->target, buf) : "(gone)";
}

static const char *vlan_text(uint16_t vlan, char buf[8])
{
	if (!vlan || vlan == VLAN_UNTAGGED)
		return vlan ? "none" : "any";
	snprintf(buf, 8, "%u", vlan);
	return buf;
}

static const char *family_text(uint8_t family)
{
	return family == 4 ? "IPv4" : family == 6 ? "IPv6" : "any";
}

static const char *ports_text(uint16_t lo, uint16_t hi, char buf[PORTS_TEXT_LEN])
{
	return !lo && hi == UINT16_MAX ? "any" : addr_print_ports(lo, hi, buf);
}

/* IPv4's any is ::ffff:0:0/96. */
static const char *prefix_text(const union addr *addr, uint8_t len, char buf[ADDR_TEXT_LEN])
{
	return !len || (len == 96 && addr_is4(addr)) ? "any" : addr_print_prefix(addr, len, buf);
}

static const char *traffic_text(uint8_t traffic, char buf[64])
{
	*buf = '\0';
	for (int i = 0; i < TRAFFIC_BITS; i++)
		if (traffic_words[i] && (traffic >> i & 1))
			append(buf, 64, ",", traffic_words[i]);
	return buf;
}

static const char *dscp_text(uint64_t dscp, char buf[SELECTOR_LEN])
{
	char number[8];

	*buf = '\0';
	for (int i = 0; i < 64; i++) {
		snprintf(number, sizeof(number), "%d", i);
		if (dscp >> i & 1)
			append(buf, SELECTOR_LEN, ",", number);
	}
	return *buf ? buf : "any";
}

static const char *mark_text(const struct rule *rule, char buf[32])
{
	if (!rule->mark_mask)
		return "any";
	if (rule->mark_mask == UINT32_MAX)
		snprintf(buf, 32, "0x%x", rule->mark);
	else
		snprintf(buf, 32, "0x%x/0x%x", rule->mark, rule->mark_mask);
	return buf;
}

static const char *pool_text(const struct show *show, const struct rule *rule, char buf[NATVI_NAME_LEN])
{
	if (!(rule->flags & RULE_SNAT))
		return "-";
	return rule->pool == POOL_MASQUERADE ? "masquerade" : show_pool(show, rule->pool, buf);
}

static const char *new_source(const struct show *show, const struct rule *rule, char buf[NEW_LEN])
{
	if (rule->action != ACTION_TRANSLATE || !(rule->flags & RULE_SRC_NET))
		return pool_text(show, rule, buf);
	return rule->src_len == 128 ? addr_print(&rule->new_src, buf) : addr_print_prefix(&rule->new_src, rule->src_len, buf);
}

static const char *new_destination(const struct show *show, const struct rule *rule, char buf[NEW_LEN])
{
	char zone[NATVI_NAME_LEN], ports[PORTS_TEXT_LEN];

	if (!(rule->flags & (RULE_DNAT | RULE_DST_NET)))
		return "-";
	if (rule->flags & RULE_DNAT || rule->dst_len == 128)
		addr_print(&rule->new_dst, buf);
	else
		addr_print_prefix(&rule->new_dst, rule->dst_len, buf);
	if (rule->new_port)
		append(buf, NEW_LEN, ":", addr_print_ports(rule->new_port, rule->new_port_hi, ports));
	if (rule->new_zone != ZONE_ANY && show_has_zones(show))
		append(buf, NEW_LEN, " in ", show_zone(show, rule->new_zone, zone));
	return buf;
}

const char *show_rule_does(const struct show *show, const struct rule *rule, char buf[SHOW_RULE_LEN])
{
	char action[32], to[NEW_LEN];

	*buf = '\0';
	if (rule->action != ACTION_TRANSLATE)
		return action_name(rule, action);
	if (rule->flags & (RULE_SNAT | RULE_SRC_NET)) {
		append(buf, SHOW_RULE_LEN, "", rule->flags & RULE_SNAT ? "snat " : "netmap ");
		append(buf, SHOW_RULE_LEN, "", new_source(show, rule, to));
	}
	if (rule->flags & (RULE_DNAT | RULE_DST_NET)) {
		append(buf, SHOW_RULE_LEN, ", ", "dnat ");
		append(buf, SHOW_RULE_LEN, "", new_destination(show, rule, to));
	}
	return buf;
}

/* A rule's fields as text. */
enum {
	F_NAME, F_TRAFFIC, F_IN, F_OUT, F_SOURCE, F_DESTINATION, F_PROTO, F_SPORTS, F_DPORTS, F_DSCP, F_MARK, F_ACTION, F_NEW_SOURCE,
	F_NEW_DESTINATION, FIELDS
};

struct rule_text {
	char name[8], traffic[64], in[WAY_LEN], out[WAY_LEN], src[ADDR_TEXT_LEN], dst[ADDR_TEXT_LEN], proto[PROTO_TEXT_LEN];
	char sports[PORTS_TEXT_LEN], dports[PORTS_TEXT_LEN], dscp[SELECTOR_LEN], mark[32], action[32], pool[NATVI_NAME_LEN];
	char new_src[NEW_LEN], new_dst[NEW_LEN];
	const char *field[FIELDS], *pool_name;
};

static void rule_to_text(struct rule_text *t, const struct show *show, const struct rule *rule)
{
	const char *field[FIELDS] = {
		[F_NAME] = names_rule(show->names, rule->id, t->name),
		[F_TRAFFIC] = traffic_text(rule->traffic, t->traffic),
		[F_IN] = way(show, rule->in_ifindex, rule->action == ACTION_CAPTURE ? ZONE_ANY : rule->in_zone, t->in),
		[F_OUT] = way(show, rule->out_ifindex, rule->out_zone, t->out),
		[F_SOURCE] = prefix_text(&rule->src, rule->src_len, t->src),
		[F_DESTINATION] = prefix_text(&rule->dst, rule->dst_len, t->dst),
		[F_PROTO] = rule->proto ? addr_print_proto(rule->proto, t->proto) : "any",
		[F_SPORTS] = ports_text(rule->sport_lo, rule->sport_hi, t->sports),
		[F_DPORTS] = ports_text(rule->dport_lo, rule->dport_hi, t->dports),
		[F_DSCP] = dscp_text(rule->dscp, t->dscp),
		[F_MARK] = mark_text(rule, t->mark),
		[F_ACTION] = action_name(rule, t->action),
		[F_NEW_SOURCE] = new_source(show, rule, t->new_src),
		[F_NEW_DESTINATION] = new_destination(show, rule, t->new_dst),
	};

	memcpy(t->field, field, sizeof(field));
	t->pool_name = pool_text(show, rule, t->pool);
}

static json_t *zone_json(const struct show *show, uint16_t zone)
{
	char name[NATVI_NAME_LEN];

	return zone == ZONE_ANY ? json_null() : json_string(show_zone(show, zone, name));
}

static void add_capture_json(json_t *object, const struct show *show, const struct rule *rule)
{
	char name[NATVI_NAME_LEN], target[PORT_NAME_LEN];

	json_object_set_new(object, "wire", json_string(show_wire(show, rule->in_zone, name)));
	json_object_set_new(object, "vlan", !rule->vlan ? json_null() : rule->vlan == VLAN_UNTAGGED ? json_string("untagged") :
			    json_integer(rule->vlan));
	json_object_set_new(object, "family", rule->family ? json_integer(rule->family) : json_null());
	json_object_set_new(object, "target", rule->target ? json_string(target_text(show, rule, target)) : json_null());
}

static json_t *rule_json(const struct show *show, const struct rule_text *t, const struct rule *rule, uint32_t sessions)
{
	static const char *const keys[FIELDS] = { "name", NULL, "in", "out", "source", "destination", "proto", "source_ports",
						  "destination_ports", NULL, "mark", "action", "new_source", "new_destination" };
	json_t *object = json_pack("{s:i, s:I, s:s}", "id", rule->id, "sessions", (json_int_t)sessions, "pool", t->pool_name);
	json_t *traffic = json_array(), *dscp = json_array();

	for (int i = 0; i < FIELDS; i++)
		if (keys[i])
			json_object_set_new(object, keys[i], json_string(t->field[i]));
	for (int i = 0; i < TRAFFIC_BITS; i++)
		if (traffic_words[i] && (rule->traffic >> i & 1))
			json_array_append_new(traffic, json_string(traffic_words[i]));
	for (int i = 0; i < 64; i++)
		if (rule->dscp >> i & 1)
			json_array_append_new(dscp, json_integer(i));
	json_object_set_new(object, "traffic", traffic);
	json_object_set_new(object, "dscp", dscp);
	if (rule->action == ACTION_CAPTURE)
		add_capture_json(object, show, rule);
	json_object_set_new(object, "in_zone", zone_json(show, rule->action == ACTION_CAPTURE ? ZONE_ANY : rule->in_zone));
	json_object_set_new(object, "out_zone", zone_json(show, rule->out_zone));
	json_object_set_new(object, "new_zone", zone_json(show, rule->new_zone));
	return object;
}

/* Sessions made by each rule of the configuration. */
static int count_session(const struct session *session, void *arg)
{
	uint32_t *sessions = arg;

	if (session->cold.rule)
		sessions[session->cold.rule]++;
	return 0;
}

#define RULE_HEADINGS	">#|RULE|TRAFFIC|IN|OUT|SOURCE|DESTINATION|PROTO|SPORT|DPORT|DSCP|MARK|ACTION|NEW SOURCE|NEW DESTINATION|>SESSIONS"
#define CAPTURE_HEADINGS	">#|CAPTURE|WIRE|PORT|VLAN|FAMILY|SOURCE|DESTINATION|PROTO|SPORT|DPORT|DSCP|TO|>SESSIONS"

static void rule_row(struct table *table, const struct rule_text *text)
{
	for (int f = 0; f < FIELDS; f++)
		table_add(table, text->field[f]);
}

static void capture_row(struct table *table, const struct show *show, const struct rule_text *text, const struct rule *rule)
{
	char wire[NATVI_NAME_LEN], vlan[8], target[PORT_NAME_LEN];

	table_add(table, text->field[F_NAME]);
	table_add(table, show_wire(show, rule->in_zone, wire));
	table_add(table, text->field[F_IN]);
	table_add(table, vlan_text(rule->vlan, vlan));
	table_add(table, family_text(rule->family));
	for (int f = F_SOURCE; f <= F_DSCP; f++)
		table_add(table, text->field[f]);
	table_add(table, target_text(show, rule, target));
}

/* An instance has rules or captures. */
static bool has_captures(const struct show *show)
{
	for (uint32_t i = 0; i < NATVI_MAX_WIRES; i++)
		if (show->wires[i].name[0])
			return true;
	return false;
}

static int print_rules(struct show *show, const uint32_t *sessions, uint32_t n_rules)
{
	struct table *table = show->opts->json ? NULL : table_new(has_captures(show) ? CAPTURE_HEADINGS : RULE_HEADINGS);
	json_t *list = json_array();
	struct rule_text text;
	struct rule rule;
	int ret = 0;

	for (uint32_t i = 0; i < n_rules && !maps_rule(show->maps, i, &rule); i++) {
		rule_to_text(&text, show, &rule);
		if (!table) {
			json_array_append_new(list, rule_json(show, &text, &rule, sessions[rule.id]));
			continue;
		}
		table_addf(table, "%u", rule.id);
		if (has_captures(show))
			capture_row(table, show, &text, &rule);
		else
			rule_row(table, &text);
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
