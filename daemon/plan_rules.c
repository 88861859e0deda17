/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * plan_rules.c - see plan_rules.h. A rule's lists are multiplied out: one entry of the datapath
 * for each combination, in the configuration's order; then those of the exclusions from acceleration.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <net/if_arp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/plan_rules.h"
#include "daemon/plan_wires.h"
#include "daemon/plan_zones.h"
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

size_t plan_digit(size_t *number, size_t base)
{
	size_t value = *number % at_least_1(base);

	*number /= at_least_1(base);
	return value;
}

/* What a rule speaks of: traffic of the box itself instead of what crosses it, if it says so. */
static uint8_t traffic_of(const struct cfg_rule *rule)
{
	if (rule->local == CFG_LOCAL_IN)
		return RULE_TO_BOX;
	if (rule->local == CFG_LOCAL_OUT)
		return RULE_FROM_BOX;
	if (rule->dnat)
		return RULE_THROUGH | RULE_TO_BOX | RULE_TO_POOL | RULE_TO_NET;
	if ((rule->action == ACTION_DROP || rule->action == ACTION_REJECT) && !rule->to.n_interfaces && !rule->to.n_zones)
		return RULE_THROUGH | RULE_TO_NET;
	return RULE_THROUGH;
}

static uint16_t match_zone(const struct plan *plan, const struct cfg_match *match, size_t i)
{
	return match->n_zones ? plan_zone(plan, match->zones[i]) : ZONE_ANY;
}

static void set_net(union addr *addr, const struct cfg_prefix4 *net)
{
	*addr = addr_from4(net->addr & addr_mask4(net->len));
}

static void set_source(struct rule *out, const struct plan *plan, const struct plan_input *input, const struct cfg_rule *rule)
{
	out->pool = POOL_MASQUERADE;
	if (rule->masquerade || *rule->pool)
		out->flags |= RULE_SNAT;
	if (*rule->pool)
		out->pool = find_pool(plan, input->config, rule->pool);
	if (!rule->netmap)
		return;
	out->flags |= RULE_SRC_NET;
	set_net(&out->new_src, &rule->src_net);
}

static void set_destination(struct rule *out, const struct plan *plan, const struct cfg_rule *rule)
{
	out->new_zone = rule->has_dnat_zone ? plan_zone(plan, rule->dnat_zone) : ZONE_ANY;
	if (!rule->dnat)
		return;
	out->flags |= rule->dst_net.len == 32 ? RULE_DNAT : RULE_DST_NET;
	set_net(&out->new_dst, &rule->dst_net);
	out->new_port = rule->dnat_ports.lo;
	out->new_port_hi = rule->dnat_ports.hi;
}

static uint16_t rule_id(const struct plan_input *input, size_t number)
{
	return input->rule_ids ? input->rule_ids[number] : (uint16_t)(number + 1);
}

/* What a packet must be like, of one combination of a rule's lists; all else is 0. */
static void fill_match(struct rule *out, const struct plan *plan, const struct plan_input *input, const struct cfg_rule *rule,
		       size_t combination)
{
	const struct cfg_match *from = &rule->from, *to = &rule->to;

	memset(out, 0, sizeof(*out));
	out->in_ifindex = interface_index(input->links, from, plan_digit(&combination, from->n_interfaces));
	out->out_ifindex = interface_index(input->links, to, plan_digit(&combination, to->n_interfaces));
	out->in_zone = match_zone(plan, from, plan_digit(&combination, from->n_zones));
	out->out_zone = match_zone(plan, to, plan_digit(&combination, to->n_zones));
	set_prefix(&out->src, &out->src_len, from, plan_digit(&combination, from->n_prefixes));
	set_prefix(&out->dst, &out->dst_len, to, plan_digit(&combination, to->n_prefixes));
	set_ports(&out->sport_lo, &out->sport_hi, from, plan_digit(&combination, from->n_ports));
	set_ports(&out->dport_lo, &out->dport_hi, to, plan_digit(&combination, to->n_ports));
	out->proto = rule->n_protos ? rule->protos[plan_digit(&combination, rule->n_protos)] : 0;
	out->dscp = rule->dscp;
	out->mark = rule->mark;
	out->mark_mask = rule->mark_mask;
}

static void fill_rule(struct rule *out, const struct plan *plan, const struct plan_input *input, size_t number, size_t combination)
{
	const struct cfg_rule *rule = &input->config->rules[number];

	fill_match(out, plan, input, rule, combination);
	out->action = (uint8_t)rule->action;
	out->traffic = traffic_of(rule);
	set_source(out, plan, input, rule);
	set_destination(out, plan, rule);
	out->id = rule_id(input, number);
}

/* An exclusion has no number: sessions do not come of it. */
static void fill_exclude(struct rule *out, const struct plan *plan, const struct plan_input *input, size_t number, size_t combination)
{
	fill_match(out, plan, input, &input->config->excludes[number], combination);
	out->action = ACTION_KERNEL;
	out->traffic = RULE_EXCLUDE;
	out->pool = POOL_MASQUERADE;
	out->new_zone = ZONE_ANY;
}

static size_t combinations(const struct cfg_rule *rule)
{
	return config_rule_entries(rule) / (rule->netmap ? 2 : 1);
}

/* The way back of a netmap: what comes in for its translated prefix, by whatever interface. */

/* Zone of the hosts behind a netmap. */
static uint16_t inside_zone(const struct plan *plan, const struct config *config, const struct cfg_match *from)
{
	size_t i;

	if (from->n_zones)
		return plan_zone(plan, from->zones[0]);
	for (i = 0; from->n_interfaces && i < config->n_interfaces; i++)
		if (!strcmp(config->interfaces[i].name, from->interfaces[0]))
			return plan_zone(plan, config->interfaces[i].zone);
	return 0;
}

/* Does the rule put a prefix in the place of another one of its size, so that it can be put back? */
static bool is_reversible(const struct cfg_rule *rule)
{
	return rule->dnat && !rule->dnat_ports.lo && rule->to.n_prefixes == 1 && rule->to.prefixes[0].len == rule->dst_net.len;
}

/* Senders of the way back, in prefixes: with twice NAT there is one, whatever the destinations were. */
static size_t back_prefixes(const struct cfg_rule *rule)
{
	return rule->dnat ? 1 : rule->to.n_prefixes;
}

/* Who sends on the way back: what the rule's destination is, or with twice NAT what it becomes. */
static void set_sender(struct rule *out, const struct plan *plan, const struct cfg_rule *rule, size_t *combination)
{
	const struct cfg_match *to = &rule->to;

	out->in_zone = match_zone(plan, to, plan_digit(combination, to->n_zones));
	set_prefix(&out->src, &out->src_len, to, plan_digit(combination, back_prefixes(rule)));
	if (!rule->dnat)
		return;
	if (rule->has_dnat_zone)
		out->in_zone = plan_zone(plan, rule->dnat_zone);
	set_net(&out->src, &rule->dst_net);
	out->src_len = (uint8_t)(96 + rule->dst_net.len);
	if (!is_reversible(rule))
		return;
	out->flags |= RULE_SRC_NET;
	set_net(&out->new_src, &to->prefixes[0]);
}

static void fill_back(struct rule *out, const struct plan *plan, const struct plan_input *input, size_t number, size_t combination)
{
	const struct cfg_rule *rule = &input->config->rules[number];
	const struct cfg_match *from = &rule->from, *to = &rule->to;

	memset(out, 0, sizeof(*out));
	set_sender(out, plan, rule, &combination);
	set_net(&out->dst, &rule->src_net);
	out->dst_len = (uint8_t)(96 + rule->src_net.len);
	set_ports(&out->dport_lo, &out->dport_hi, from, plan_digit(&combination, from->n_ports));
	set_ports(&out->sport_lo, &out->sport_hi, to, plan_digit(&combination, to->n_ports));
	out->proto = rule->n_protos ? rule->protos[plan_digit(&combination, rule->n_protos)] : 0;
	out->action = ACTION_TRANSLATE;
	out->traffic = RULE_THROUGH | RULE_TO_POOL | RULE_TO_BOX | RULE_TO_NET;
	out->flags |= RULE_DST_NET;
	set_net(&out->new_dst, &from->prefixes[0]);
	out->new_zone = inside_zone(plan, input->config, from);
	out->out_zone = ZONE_ANY;
	out->pool = POOL_MASQUERADE;
	out->id = rule_id(input, number);
}

static size_t back_combinations(const struct cfg_rule *rule)
{
	const struct cfg_match *from = &rule->from, *to = &rule->to;

	if (!rule->netmap || from->n_prefixes != 1)
		return 0;
	return at_least_1(to->n_zones) * at_least_1(back_prefixes(rule)) * at_least_1(from->n_ports) * at_least_1(to->n_ports) *
	       at_least_1(rule->n_protos);
}

/*
 * What comes for what the kernel's NAT has given away is no beginning, and rules of what comes in for the box (local: in)
 * are not asked for it.
 */

static bool has_local_in(const struct config *config)
{
	size_t i;

	for (i = 0; i < config->n_rules; i++)
		if (config->rules[i].local == CFG_LOCAL_IN)
			return true;
	return false;
}

static size_t kernel_entries(const struct plan *plan, const struct config *config)
{
	size_t n = plan->n_kernels, i;

	for (i = 0; i < config->n_rules; i++)
		n += !!config->rules[i].kernel.snat;
	return has_local_in(config) ? n : 0;
}

static void add_kernels_own(struct plan *plan, uint32_t addr, uint8_t proto, uint16_t lo, uint16_t hi)
{
	plan->rules[plan->n_rules++] = (struct rule){
		.dst = addr_from4(addr), .dst_len = 128, .proto = proto, .action = ACTION_KERNEL, .sport_hi = 65535, .dport_lo = lo,
		.dport_hi = hi, .in_zone = ZONE_ANY, .out_zone = ZONE_ANY, .traffic = RULE_TO_BOX, .pool = POOL_MASQUERADE, .new_zone = ZONE_ANY,
	};
}

static void add_all_kernels_own(struct plan *plan, const struct config *config)
{
	size_t i;

	for (i = 0; i < plan->n_kernels; i++)
		add_kernels_own(plan, plan->kernels[i].addr, plan->kernels[i].proto, plan->kernels[i].ports.lo, plan->kernels[i].ports.hi);
	for (i = 0; i < config->n_rules; i++)
		if (config->rules[i].kernel.snat)
			add_kernels_own(plan, config->rules[i].kernel.snat, 0, 0, 65535);
}

static size_t entries(const struct config *config)
{
	size_t total = 0, i;

	for (i = 0; i < config->n_rules; i++)
		total += combinations(&config->rules[i]) + back_combinations(&config->rules[i]);
	for (i = 0; i < config->n_excludes; i++)
		total += combinations(&config->excludes[i]);
	return total;
}

static int add_rules(struct plan *plan, const struct plan_input *input, char *err, size_t err_len)
{
	const struct config *config = input->config;
	size_t own = kernel_entries(plan, config), total = entries(config) + own, i, c;

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
	if (own)
		add_all_kernels_own(plan, config);
	for (i = 0; i < config->n_rules; i++) {
		for (c = 0; c < combinations(&config->rules[i]); c++)
			fill_rule(&plan->rules[plan->n_rules++], plan, input, i, c);
		for (c = 0; c < back_combinations(&config->rules[i]); c++)
			fill_back(&plan->rules[plan->n_rules++], plan, input, i, c);
	}
	for (i = 0; i < config->n_excludes; i++)
		for (c = 0; c < combinations(&config->excludes[i]); c++)
			fill_exclude(&plan->rules[plan->n_rules++], plan, input, i, c);
	return 0;
}

/* A rule that looks at the way out, or that must know whether a packet is for the box itself. */
static bool needs_out(const struct cfg_rule *rule)
{
	return rule->to.n_interfaces || rule->to.n_zones || rule->masquerade || rule->action != ACTION_TRANSLATE;
}

/* What some rule asks of every new flow. */
static uint32_t rule_flags(const struct plan *plan, const struct config *config)
{
	uint32_t flags = 0;
	size_t i;

	for (i = 0; i < config->n_rules; i++) {
		if (needs_out(&config->rules[i]))
			flags |= SETTINGS_NEED_OUT;
		if (config->rules[i].kernel.helper)
			flags |= SETTINGS_HELP;
	}
	for (i = 0; i < plan->n_rules; i++) {
		if (plan->rules[i].traffic & (RULE_TO_BOX | RULE_TO_POOL))
			flags |= SETTINGS_TO_KNOWN;
		if (plan->rules[i].traffic & RULE_TO_BOX)
			flags |= SETTINGS_TO_BOX;
		if (plan->rules[i].traffic & RULE_FROM_BOX)
			flags |= SETTINGS_FROM_BOX;
		if (plan->rules[i].traffic & RULE_EXCLUDE)
			flags |= SETTINGS_EXCLUDE;
	}
	return flags;
}

static void fill_settings(struct plan *plan, const struct plan_input *input)
{
	const struct config *config = input->config;
	const struct cfg_timeouts *t = &config->timeouts;
	struct settings *s = &plan->settings;

	s->flags = rule_flags(plan, config);
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
	s->ct_tcp_s = input->ct_tcp_s;
}

static bool has_ethernet(const struct link *link)
{
	return link->type == ARPHRD_ETHER || link->type == ARPHRD_LOOPBACK;
}

static void fill_port(struct port *port, const struct plan *plan, const struct plan_input *input, size_t number, const struct link *link)
{
	const struct cfg_interface *interface = &input->config->interfaces[number];

	port->ifindex = link->ifindex;
	port->zone = plan_zone(plan, interface->zone);
	port->mss = interface->mss;
	port->masq_pool = plan->masq_pool[number];
	port->addr4 = htonl(links_primary4(input->links, link->ifindex));
	port->mtu = link->mtu;
	if (!has_ethernet(link))
		port->flags |= PORT_NO_L2;
	if (!(link->flags & IFF_UP) || !link->carrier)
		port->flags |= PORT_DOWN;
	if (interface->routed)
		port->flags |= PORT_ROUTED;
	memcpy(port->mac, link->mac, sizeof(port->mac));
	memcpy(port->name, link->name, sizeof(port->name));
}

static int add_ports(struct plan *plan, const struct plan_input *input)
{
	const struct config *config = input->config;
	const struct link *link;
	size_t i;

	plan->ports = calloc(config->n_interfaces + 1, sizeof(*plan->ports));	/* and nvi0 */
	if (!plan->ports)
		return -ENOMEM;
	for (i = 0; i < config->n_interfaces; i++) {
		link = links_by_name(input->links, config->interfaces[i].name);
		if (link)
			fill_port(&plan->ports[plan->n_ports++], plan, input, i, link);
	}
	return 0;
}

static int rules_and_ports(struct plan *plan, const struct plan_input *input, char *err, size_t err_len)
{
	int ret = add_rules(plan, input, err, err_len);

	if (ret)
		return ret;
	ret = add_ports(plan, input);
	if (ret) {
		snprintf(err, err_len, "out of memory");
		return ret;
	}
	plan_zone_ports(plan);
	return 0;
}

int plan_rules(struct plan *plan, const struct plan_input *input, char *err, size_t err_len)
{
	int ret = input->config->n_wires ? plan_wires(plan, input, err, err_len) : rules_and_ports(plan, input, err, err_len);

	if (!ret)
		fill_settings(plan, input);
	return ret;
}
