/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * plan_rules.c - see plan_rules.h. A rule's lists are multiplied out: one entry of the datapath
 * for each combination, in the configuration's order.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <net/if_arp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/plan_rules.h"
#include "lib/addr.h"

static uint16_t find_pool(const struct plan *plan, const struct config *config, const char *name)
{
	size_t i;

	for (i = 0; i < config->n_pools; i++)
		if (!strcmp(config->pools[i].name, name))
			return plan->cfg_pool[i];
	return POOL_MASQUERADE;
}

static uint32_t interface_index(const struct links *links, const struct cfg_match *match, size_t i)
{
	const struct link *link;

	if (!match->n_interfaces)
		return 0;
	link = links_by_name(links, match->interfaces[i]);
	return link ? link->ifindex : IFINDEX_ABSENT;
}

static void set_prefix(union addr *addr, uint8_t *len, const struct cfg_match *match, size_t i)
{
	*len = 0;
	memset(addr, 0, sizeof(*addr));
	if (!match->n_prefixes)
		return;
	*addr = addr_from4(match->prefixes[i].addr & addr_mask4(match->prefixes[i].len));
	*len = (uint8_t)(96 + match->prefixes[i].len);
}

static void set_ports(uint16_t *lo, uint16_t *hi, const struct cfg_match *match, size_t i)
{
	*lo = match->n_ports ? match->ports[i].lo : 0;
	*hi = match->n_ports ? match->ports[i].hi : 65535;
}

static size_t at_least_1(size_t n)
{
	return n ? n : 1;
}

/* Take the next digit of a number written with mixed bases. */
static size_t digit(size_t *number, size_t base)
{
	size_t value = *number % at_least_1(base);

	*number /= at_least_1(base);
	return value;
}

static void fill_rule(struct rule *out, const struct plan *plan, const struct plan_input *input, size_t number, size_t combination)
{
	const struct cfg_rule *rule = &input->config->rules[number];
	const struct cfg_match *from = &rule->from, *to = &rule->to;

	memset(out, 0, sizeof(*out));
	out->in_ifindex = interface_index(input->links, from, digit(&combination, from->n_interfaces));
	out->out_ifindex = interface_index(input->links, to, digit(&combination, to->n_interfaces));
	set_prefix(&out->src, &out->src_len, from, digit(&combination, from->n_prefixes));
	set_prefix(&out->dst, &out->dst_len, to, digit(&combination, to->n_prefixes));
	set_ports(&out->sport_lo, &out->sport_hi, from, digit(&combination, from->n_ports));
	set_ports(&out->dport_lo, &out->dport_hi, to, digit(&combination, to->n_ports));
	out->proto = rule->n_protos ? rule->protos[digit(&combination, rule->n_protos)] : 0;
	out->action = (uint8_t)rule->action;
	out->pool = POOL_MASQUERADE;
	out->in_zone = ZONE_ANY;
	out->out_zone = ZONE_ANY;
	out->traffic = RULE_THROUGH;
	if (rule->masquerade || *rule->pool)
		out->flags |= RULE_SNAT;
	if (*rule->pool)
		out->pool = find_pool(plan, input->config, rule->pool);
	out->id = (uint16_t)(number + 1);
}

static int add_rules(struct plan *plan, const struct plan_input *input, char *err, size_t err_len)
{
	const struct config *config = input->config;
	size_t total = 0, i, c, entries;

	for (i = 0; i < config->n_rules; i++)
		total += config_rule_entries(&config->rules[i]);
	if (total > NATVI_MAX_RULES) {
		snprintf(err, err_len, "the rules make %zu entries when their lists are multiplied out; the limit is %d",
			 total, NATVI_MAX_RULES);
		return -E2BIG;
	}
	plan->rules = calloc(total + 1, sizeof(*plan->rules));
	if (!plan->rules) {
		snprintf(err, err_len, "out of memory");
		return -ENOMEM;
	}
	for (i = 0; i < config->n_rules; i++) {
		entries = config_rule_entries(&config->rules[i]);
		for (c = 0; c < entries; c++)
			fill_rule(&plan->rules[plan->n_rules++], plan, input, i, c);
	}
	return 0;
}

/* A rule that looks at the way out, or that must know whether a packet is for the box itself. */
static bool needs_out(const struct cfg_rule *rule)
{
	return rule->to.n_interfaces || rule->masquerade || rule->action != ACTION_TRANSLATE;
}

static void fill_settings(struct plan *plan, const struct plan_input *input)
{
	const struct config *config = input->config;
	const struct cfg_timeouts *t = &config->timeouts;
	struct settings *s = &plan->settings;
	size_t i;

	for (i = 0; i < config->n_rules; i++)
		if (needs_out(&config->rules[i]))
			s->flags |= SETTINGS_NEED_OUT;
	if (config->exhaust_host)
		s->flags |= SETTINGS_EXHAUST_HOST;
	if (config->unsolicited == UNSOLICITED_HOLD)
		s->flags |= SETTINGS_SYN_HOLD;
	if (config->unsolicited == UNSOLICITED_SILENT)
		s->flags |= SETTINGS_SYN_SILENT;
	if (input->policy)
		s->flags |= SETTINGS_POLICY;
	if (input->one_route)
		s->flags |= SETTINGS_ONE_ROUTE;
	if (input->mark_routes)
		s->flags |= SETTINGS_MARK_ROUTES;
	if (input->mark_slow)
		s->flags |= SETTINGS_MARK_SLOW;
	s->n_rules = (uint32_t)plan->n_rules;
	s->n_pools = (uint32_t)plan->n_pools;
	s->udp_idle_s = t->udp_s;
	s->tcp_established_s = t->tcp_established_s;
	s->tcp_opening_s = t->tcp_opening_s;
	s->tcp_closing_s = t->tcp_closing_s;
	s->icmp_idle_s = t->icmp_s;
	s->other_idle_s = t->other_s;
	s->rest_s = t->rest_s;
	s->icmp_rate = config->icmp_rate;
	s->slow_mark = SLOW_MARK;
}

static bool has_ethernet(const struct link *link)
{
	return link->type == ARPHRD_ETHER || link->type == ARPHRD_LOOPBACK;
}

static void fill_port(struct port *port, uint16_t masq_pool, uint16_t mss, const struct plan_input *input, const struct link *link)
{
	port->ifindex = link->ifindex;
	port->mss = mss;
	port->masq_pool = masq_pool;
	port->addr4 = htonl(links_primary4(input->links, link->ifindex));
	port->mtu = link->mtu;
	if (!has_ethernet(link))
		port->flags |= PORT_NO_L2;
	if (!(link->flags & IFF_UP) || !link->carrier)
		port->flags |= PORT_DOWN;
	memcpy(port->mac, link->mac, sizeof(port->mac));
	memcpy(port->name, link->name, sizeof(port->name));
}

static int add_ports(struct plan *plan, const struct plan_input *input)
{
	const struct config *config = input->config;
	const struct link *link;
	size_t i;

	plan->ports = calloc(config->n_interfaces + 1, sizeof(*plan->ports));
	if (!plan->ports)
		return -ENOMEM;
	for (i = 0; i < config->n_interfaces; i++) {
		link = links_by_name(input->links, config->interfaces[i].name);
		if (link)
			fill_port(&plan->ports[plan->n_ports++], plan->masq_pool[i], config->interfaces[i].mss, input, link);
	}
	return 0;
}

int plan_rules(struct plan *plan, const struct plan_input *input, char *err, size_t err_len)
{
	int ret = add_rules(plan, input, err, err_len);

	if (ret)
		return ret;
	ret = add_ports(plan, input);
	if (ret) {
		snprintf(err, err_len, "out of memory");
		return ret;
	}
	fill_settings(plan, input);
	return 0;
}
