/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * config_json.c - a configuration as JSON, in the shape of the YAML file with all defaults filled
 * in. JSON is YAML too: what comes out here is read again as the same configuration.
 */
#include <jansson.h>

#include "lib/addr.h"
#include "lib/config_impl.h"

static void append_text(json_t *list, const char *text)
{
	json_array_append_new(list, json_string(text));
}

static json_t *ports_json(const struct cfg_ports *ports, size_t n)
{
	char text[PORTS_TEXT_LEN];
	json_t *list = json_array();

	for (size_t i = 0; i < n; i++)
		append_text(list, addr_print_ports(ports[i].lo, ports[i].hi, text));
	return list;
}

static json_t *mss_json(uint16_t mss)
{
	return mss == MSS_AUTO ? json_string("auto") : mss ? json_integer(mss) : json_string("off");
}

static const char *zone_text(const char *name)
{
	return *name ? name : "global";
}

static json_t *zone_json(const struct cfg_zone *zone)
{
	if (*zone->vrf)
		return json_pack("{ss ss}", "name", zone->name, "vrf", zone->vrf);
	return json_pack("{ss sI}", "name", zone->name, "table", (json_int_t)zone->table);
}

static json_t *interface_json(const struct cfg_interface *interface)
{
	return json_pack("{ss ss so ss ss}", "name", interface->name, "xdp", cfg_xdp_words[interface->xdp],
			 "mss", mss_json(interface->mss), "zone", zone_text(interface->zone),
			 "nat", cfg_nat_words[interface->routed]);
}

/* One word where one will do. */
static json_t *filtering_json(const struct cfg_behaviour *b)
{
	if (b->filtering == b->filtering_tcp)
		return json_string(cfg_filtering_words[b->filtering]);
	return json_pack("{ss ss}", "tcp", cfg_filtering_words[b->filtering_tcp], "udp", cfg_filtering_words[b->filtering]);
}

static void add_behaviour(json_t *object, const struct cfg_behaviour *b)
{
	json_object_set_new(object, "mapping", json_string(cfg_mapping_words[b->mapping]));
	json_object_set_new(object, "filtering", filtering_json(b));
	json_object_set_new(object, "port-selection", json_string(cfg_selection_words[b->random]));
	json_object_set_new(object, "protocols", json_string(cfg_protocols_words[b->shared]));
}

static json_t *pool_json(const struct cfg_pool *pool)
{
	static const struct cfg_ports all = { 1, 65535 };
	char text[ADDR_RANGE_LEN];
	json_t *addresses = json_array(), *object;

	for (size_t i = 0; i < pool->n_addrs; i++)
		append_text(addresses, addr_print_range4(pool->addrs[i].lo, pool->addrs[i].hi, text));
	object = json_pack("{ss so so ss}", "name", pool->name, "addresses", addresses,
			   "ports", ports_json(pool->n_ports ? pool->ports : &all, pool->n_ports ? pool->n_ports : 1),
			   "pooling", cfg_pooling_words[pool->behaviour.arbitrary]);
	add_behaviour(object, &pool->behaviour);
	if (pool->has_zone)
		json_object_set_new(object, "zone", json_string(zone_text(pool->zone)));
	return object;
}

static json_t *match_json(const struct cfg_match *match, const char *prefix_key)
{
	char text[ADDR_TEXT_LEN];
	json_t *object = json_object(), *list;

	if (match->n_interfaces) {
		list = json_array();
		for (size_t i = 0; i < match->n_interfaces; i++)
			append_text(list, match->interfaces[i]);
		json_object_set_new(object, "interface", list);
	}
	if (match->n_zones) {
		list = json_array();
		for (size_t i = 0; i < match->n_zones; i++)
			append_text(list, zone_text(match->zones[i]));
		json_object_set_new(object, "zone", list);
	}
	if (match->n_prefixes) {
		list = json_array();
		for (size_t i = 0; i < match->n_prefixes; i++)
			append_text(list, addr_print_prefix4(match->prefixes[i].addr, match->prefixes[i].len, text));
		json_object_set_new(object, prefix_key, list);
	}
	if (match->n_ports)
		json_object_set_new(object, "port", ports_json(match->ports, match->n_ports));
	return object;
}

static json_t *protos_json(const uint8_t *protos, size_t n)
{
	char text[PROTO_TEXT_LEN];
	json_t *list = json_array();

	for (size_t i = 0; i < n; i++)
		append_text(list, addr_print_proto(protos[i], text));
	return list;
}

static json_t *dscp_json(uint64_t dscps)
{
	char text[DSCP_TEXT_LEN];
	json_t *list = json_array();

	for (unsigned int i = 0; i < 64; i++)
		if (dscps >> i & 1)
			append_text(list, addr_print_dscp(i, text));
	return list;
}

static json_t *mark_json(uint32_t mark, uint32_t mask)
{
	return mask == UINT32_MAX ? json_sprintf("0x%x", mark) : json_sprintf("0x%x/0x%x", mark, mask);
}

static json_t *dnat_json(const struct cfg_rule *rule)
{
	char text[ADDR_TEXT_LEN], ports[PORTS_TEXT_LEN];

	addr_print_prefix4(rule->dst_net.addr, rule->dst_net.len, text);
	if (!rule->dnat_ports.lo)
		return json_string(text);
	return json_sprintf("%s:%s", text, addr_print_ports(rule->dnat_ports.lo, rule->dnat_ports.hi, ports));
}

static json_t *kernel_json(const struct cfg_kernel *k)
{
	char text[ADDR_TEXT_LEN], ports[PORTS_TEXT_LEN];
	json_t *object = json_object();

	if (k->masquerade) {
		json_object_set_new(object, "masquerade", json_true());
		json_object_set_new(object, "ports", json_string(addr_print_ports(k->ports.lo, k->ports.hi, ports)));
	}
	if (k->snat)
		json_object_set_new(object, "snat", json_string(addr_print4(k->snat, text)));
	if (k->helper)
		json_object_set_new(object, "helper", json_string(config_helper_name(k->helper)));
	return json_pack("{so}", "kernel", object);
}

static json_t *action_json(const struct cfg_rule *rule)
{
	char text[ADDR_TEXT_LEN];
	json_t *object;

	if (config_instructs(rule))
		return kernel_json(&rule->kernel);
	if (rule->action != ACTION_TRANSLATE)
		return json_string(cfg_action_words[rule->action]);
	object = json_object();
	if (rule->masquerade || *rule->pool)
		json_object_set_new(object, "snat", json_string(rule->masquerade ? "masquerade" : rule->pool));
	if (rule->netmap)
		json_object_set_new(object, rule->src_net.len == 32 ? "static" : "netmap",
				    json_string(addr_print_prefix4(rule->src_net.addr, rule->src_net.len, text)));
	if (rule->dnat)
		json_object_set_new(object, "dnat", dnat_json(rule));
	if (rule->has_dnat_zone)
		json_object_set_new(object, "zone", json_string(zone_text(rule->dnat_zone)));
	return object;
}

static void add_matches(json_t *object, const struct cfg_rule *rule)
{
	json_object_set_new(object, "from", match_json(&rule->from, "source"));
	json_object_set_new(object, "to", match_json(&rule->to, "destination"));
	if (rule->n_protos)
		json_object_set_new(object, "proto", protos_json(rule->protos, rule->n_protos));
	if (rule->dscp)
		json_object_set_new(object, "dscp", dscp_json(rule->dscp));
	if (rule->mark_mask)
		json_object_set_new(object, "mark", mark_json(rule->mark, rule->mark_mask));
}

static json_t *rule_json(const struct cfg_rule *rule)
{
	json_t *object = json_pack("{ss}", "name", rule->name);

	add_matches(object, rule);
	if (rule->local)
		json_object_set_new(object, "local", json_string(cfg_local_words[rule->local - 1]));
	json_object_set_new(object, "action", action_json(rule));
	return object;
}

static json_t *endpoint_json(const char *interface, uint32_t addr, struct cfg_ports range)
{
	char text[ADDR_TEXT_LEN], ports[PORTS_TEXT_LEN];

	return json_sprintf("%s:%s", *interface ? interface : addr_print4(addr, text),
			    addr_print_ports(range.lo, range.hi, ports));
}

static json_t *forward_json(const struct cfg_forward *forward)
{
	return json_pack("{so so so ss}", "proto", protos_json(forward->protos, forward->n_protos),
			 "external", endpoint_json(forward->ext_interface, forward->ext_addr, forward->ext_ports),
			 "internal", endpoint_json("", forward->int_addr, forward->int_ports),
			 "filtering", cfg_filtering_words[forward->filtering]);
}

static json_t *timeouts_json(const struct cfg_timeouts *t)
{
	return json_pack("{si si si si si si si}", "udp", t->udp_s, "tcp-established", t->tcp_established_s,
			 "tcp-opening", t->tcp_opening_s, "tcp-closing", t->tcp_closing_s, "icmp", t->icmp_s,
			 "other", t->other_s, "port-rest", t->rest_s);
}

static json_t *masquerade_json(const struct cfg_masquerade *m)
{
	json_t *object = json_pack("{so}", "ports", m->n_ports ? ports_json(m->ports, m->n_ports) : json_string("auto"));

	add_behaviour(object, &m->behaviour);
	return object;
}

static json_t *accelerate_json(const struct config *c)
{
	json_t *list, *object;

	if (!c->accelerate || !c->n_excludes)
		return json_boolean(c->accelerate);
	list = json_array();
	for (size_t i = 0; i < c->n_excludes; i++) {
		object = json_object();
		add_matches(object, &c->excludes[i]);
		json_array_append_new(list, object);
	}
	return json_pack("{so}", "exclude", list);
}

static void add_prefixes(json_t *object, const char *key, const struct cfg_prefix *prefixes, size_t n)
{
	char text[ADDR_TEXT_LEN];
	json_t *list = n ? json_array() : NULL;

	for (size_t i = 0; i < n; i++)
		append_text(list, addr_print_prefix(&prefixes[i].addr, prefixes[i].len, text));
	if (list)
		json_object_set_new(object, key, list);
}

static json_t *vlan_json(uint16_t vlan)
{
	return vlan && vlan != VLAN_UNTAGGED ? json_integer(vlan) : json_string("untagged");
}

static json_t *capture_json(const struct cfg_capture *c)
{
	json_t *match = json_object();

	if (*c->port)
		json_object_set_new(match, "port", json_string(c->port));
	if (c->vlan)
		json_object_set_new(match, "vlan", vlan_json(c->vlan));
	add_prefixes(match, "source", c->sources, c->n_sources);
	add_prefixes(match, "destination", c->destinations, c->n_destinations);
	if (c->n_protos)
		json_object_set_new(match, "proto", protos_json(c->protos, c->n_protos));
	if (c->n_source_ports)
		json_object_set_new(match, "source-ports", ports_json(c->source_ports, c->n_source_ports));
	if (c->n_destination_ports)
		json_object_set_new(match, "destination-ports", ports_json(c->destination_ports, c->n_destination_ports));
	if (c->dscp)
		json_object_set_new(match, "dscp", dscp_json(c->dscp));
	return json_pack("{ss so ss}", "name", c->name, "match", match, "to", c->target);
}

static json_t *host_json(const struct cfg_wire *w)
{
	char text[ADDR_TEXT_LEN];
	json_t *object = json_object();

	addr_print4(w->host, text);
	json_object_set_new(object, "address", json_sprintf("%s/%u", text, w->host_len));
	json_object_set_new(object, "vlan", vlan_json(w->host_vlan));
	if (w->gateway)
		json_object_set_new(object, "gateway", json_string(addr_print4(w->gateway, text)));
	return object;
}

static json_t *wire_json(const struct cfg_wire *w)
{
	json_t *captures = json_array(), *object;

	for (size_t i = 0; i < w->n_captures; i++)
		json_array_append_new(captures, capture_json(&w->captures[i]));
	object = json_pack("{ss s[ss] ss so s{so so} ss ss so}", "name", w->name, "ports", w->ports[0], w->ports[1],
			   "xdp", cfg_xdp_words[w->xdp], "capture", captures,
			   "marks", "reply", mark_json(w->reply_mark, UINT32_MAX), "original", mark_json(w->original_mark, UINT32_MAX),
			   "fail", cfg_fail_words[w->fail_open], "mac-changes", cfg_moves_words[w->arp_moves],
			   "mss", mss_json(w->mss));
	if (w->host)
		json_object_set_new(object, "host", host_json(w));
	return object;
}

json_t *config_to_json(const struct config *c)
{
	json_t *interfaces = json_array(), *pools = json_array(), *rules = json_array(), *forwards = json_array();
	json_t *zones = json_array(), *wires = json_array(), *all;

	for (size_t i = 0; i < c->n_zones; i++)
		json_array_append_new(zones, zone_json(&c->zones[i]));
	for (size_t i = 0; i < c->n_interfaces; i++)
		json_array_append_new(interfaces, interface_json(&c->interfaces[i]));
	for (size_t i = 0; i < c->n_pools; i++)
		json_array_append_new(pools, pool_json(&c->pools[i]));
	for (size_t i = 0; i < c->n_rules; i++)
		json_array_append_new(rules, rule_json(&c->rules[i]));
	for (size_t i = 0; i < c->n_forwards; i++)
		json_array_append_new(forwards, forward_json(&c->forwards[i]));
	for (size_t i = 0; i < c->n_wires; i++)
		json_array_append_new(wires, wire_json(&c->wires[i]));
	all = json_pack("{so so so so s{sI sI sI} ss ss so so so so}", "interfaces", interfaces, "zones", zones, "pools", pools,
			"timeouts", timeouts_json(&c->timeouts),
			"limits", "sessions", (json_int_t)c->max_sessions, "mappings", (json_int_t)c->max_mappings,
			"icmp-rate", (json_int_t)c->icmp_rate,
			"on-exhaustion", c->exhaust_host ? "host-unreachable" : "admin-prohibited",
			"orphans", cfg_orphans_words[c->orphans], "rules", rules, "forwards", forwards,
			"accelerate", accelerate_json(c), "wires", wires);
	/* Beside wires these would be refused. */
	if (c->n_wires)
		return all;
	json_object_set_new(all, "masquerade", masquerade_json(&c->masquerade));
	json_object_set_new(all, "tcp", json_pack("{ss}", "unsolicited", cfg_unsolicited_words[c->unsolicited]));
	return all;
}
