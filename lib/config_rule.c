/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * config_rule.c - the keys of rules, but for their actions: what a packet must be like. Names of interfaces
 * and zones, and sources, are noted with their lines, because what they name may come later in the file.
 */
#include "lib/addr.h"
#include "lib/config_impl.h"

const char *const cfg_local_words[] = { "in", "out", NULL };

/* Matches: `from` and `to` */

static void match_interface(struct cfg_parse *p, const struct node *value, void *to)
{
	struct cfg_match *match = to;
	char name[IFNAMSIZ], (*added)[IFNAMSIZ];

	if (!cfg_ifname(p, value, name))
		return;
	for (size_t i = 0; i < match->n_interfaces; i++) {
		if (!strcmp(match->interfaces[i], name)) {
			cfg_fail(p, value->line, "interface `%s` stands twice; take one away", name);
			return;
		}
	}
	if (match->n_interfaces == NATVI_MAX_PORTS) {
		cfg_fail(p, value->line, "more than %d interfaces in one list", NATVI_MAX_PORTS);
		return;
	}
	added = CFG_ADD(p, match->interfaces, match->n_interfaces);
	if (added && cfg_ref_add(p, REF_INTERFACE, value->line, name))
		strcpy(*added, name);
}

static void match_zone(struct cfg_parse *p, const struct node *value, void *to)
{
	char name[NATVI_NAME_LEN], (*added)[NATVI_NAME_LEN];
	struct cfg_match *match = to;

	if (!cfg_zone(p, value, name))
		return;
	for (size_t i = 0; i < match->n_zones; i++) {
		if (!strcmp(match->zones[i], name)) {
			cfg_fail(p, value->line, "zone `%s` stands twice; take one away", value->text);
			return;
		}
	}
	if (match->n_zones == NATVI_MAX_ZONES) {
		cfg_fail(p, value->line, "more than %d zones in one list", NATVI_MAX_ZONES);
		return;
	}
	added = CFG_ADD(p, match->zones, match->n_zones);
	if (added)
		strcpy(*added, name);
}

/* A range becomes as few prefixes as it can: 62 at most. */
static bool match_prefixes(struct cfg_parse *p, const struct node *value, struct cfg_match *match, struct cfg_range4 *range)
{
	uint32_t lo;

	if (!cfg_any_range(p, value, range))
		return false;
	for (lo = range->lo;;) {
		struct cfg_prefix4 *added = CFG_ADD(p, match->prefixes, match->n_prefixes);

		if (!added)
			return false;
		*added = cfg_largest_prefix(lo, range->hi);
		lo = cfg_prefix_range(*added).hi;
		if (lo++ == range->hi)
			return true;
	}
}

static void match_source(struct cfg_parse *p, const struct node *value, void *to)
{
	struct cfg_range4 range;

	if (match_prefixes(p, value, to, &range))
		cfg_ref_hosts(p, REF_SOURCE, value->line, range);
}

static void match_destination(struct cfg_parse *p, const struct node *value, void *to)
{
	struct cfg_range4 range;

	match_prefixes(p, value, to, &range);
}

static void match_port(struct cfg_parse *p, const struct node *value, void *to)
{
	struct cfg_match *match = to;

	cfg_add_ports(p, value, &match->ports, &match->n_ports);
}

static void match_interfaces(struct cfg_parse *p, const struct node *value, void *to)
{
	cfg_each(p, value, match_interface, to);
}

static void match_zones(struct cfg_parse *p, const struct node *value, void *to)
{
	cfg_each(p, value, match_zone, to);
}

static void match_sources(struct cfg_parse *p, const struct node *value, void *to)
{
	cfg_each(p, value, match_source, to);
}

static void match_destinations(struct cfg_parse *p, const struct node *value, void *to)
{
	cfg_each(p, value, match_destination, to);
}

static void match_ports(struct cfg_parse *p, const struct node *value, void *to)
{
	cfg_each(p, value, match_port, to);
}

static const struct cfg_key from_keys[] = {
	{ "interface", match_interfaces, false },
	{ "zone", match_zones, false },
	{ "source", match_sources, false },
	{ "port", match_ports, false },
	{ "ports", match_ports, false },
};

/* Sources that are not translated may be anybody's. */
static const struct cfg_key from_any_keys[] = {
	{ "interface", match_interfaces, false },
	{ "zone", match_zones, false },
	{ "source", match_destinations, false },
	{ "port", match_ports, false },
	{ "ports", match_ports, false },
};

static const struct cfg_key to_keys[] = {
	{ "interface", match_interfaces, false },
	{ "zone", match_zones, false },
	{ "destination", match_destinations, false },
	{ "port", match_ports, false },
	{ "ports", match_ports, false },
};

/* Rules */

static void rule_name(struct cfg_parse *p, const struct node *value, void *to)
{
	cfg_name(p, value, "a rule's name", ((struct cfg_rule *)to)->name);
}

static void rule_from(struct cfg_parse *p, const struct node *value, void *to)
{
	CFG_MAP(p, value, "`from`", from_keys, &((struct cfg_rule *)to)->from);
}

void cfg_read_from_any(struct cfg_parse *p, const struct node *value, void *to)
{
	CFG_MAP(p, value, "`from`", from_any_keys, &((struct cfg_rule *)to)->from);
}

void cfg_read_to(struct cfg_parse *p, const struct node *value, void *to)
{
	CFG_MAP(p, value, "`to`", to_keys, &((struct cfg_rule *)to)->to);
}

bool cfg_proto(struct cfg_parse *p, const struct node *value, uint8_t *proto)
{
	const char *text = cfg_text(p, value, "a protocol");
	char quoted[CFG_QUOTE_LEN];

	if (!text)
		return false;
	if (!addr_parse_proto(text, proto) && *proto)
		return true;
	cfg_fail(p, value->line, "`%s` is not a protocol; tcp, udp, icmp, esp, gre, sctp or a number from 1 "
		 "to 255, or leave `proto` away for all",
		 cfg_quote(text, quoted));
	return false;
}

void cfg_add_proto(struct cfg_parse *p, const struct node *value, uint8_t **list, size_t *n)
{
	uint8_t proto, *added;

	if (!cfg_proto(p, value, &proto))
		return;
	if (memchr(*list ? *list : &proto, proto, *n)) {
		cfg_fail(p, value->line, "protocol `%s` stands twice; take one away", value->text);
		return;
	}
	added = CFG_ADD(p, *list, *n);
	if (added)
		*added = proto;
}

static void rule_proto(struct cfg_parse *p, const struct node *value, void *to)
{
	struct cfg_rule *rule = to;

	cfg_add_proto(p, value, &rule->protos, &rule->n_protos);
}

void cfg_read_protos(struct cfg_parse *p, const struct node *value, void *to)
{
	cfg_each(p, value, rule_proto, to);
}

void cfg_add_dscp(struct cfg_parse *p, const struct node *value, uint64_t *set)
{
	unsigned int dscp;

	if (!cfg_dscp(p, value, &dscp))
		return;
	if (*set >> dscp & 1)
		cfg_fail(p, value->line, "DSCP `%s` stands twice; take one away", value->text);
	*set |= 1ull << dscp;
}

static void rule_dscp(struct cfg_parse *p, const struct node *value, void *to)
{
	cfg_add_dscp(p, value, &((struct cfg_rule *)to)->dscp);
}

void cfg_read_dscps(struct cfg_parse *p, const struct node *value, void *to)
{
	cfg_each(p, value, rule_dscp, to);
}

void cfg_read_mark(struct cfg_parse *p, const struct node *value, void *to)
{
	struct cfg_rule *rule = to;

	cfg_mark(p, value, &rule->mark, &rule->mark_mask);
}

static void rule_local(struct cfg_parse *p, const struct node *value, void *to)
{
	int word = cfg_word(p, value, "a direction of the box's own traffic", cfg_local_words);

	((struct cfg_rule *)to)->local = word == 0 ? CFG_LOCAL_IN : word == 1 ? CFG_LOCAL_OUT : CFG_LOCAL_NO;
}

static const struct cfg_key rule_keys[] = {
	{ "name", rule_name, false },
	{ "from", rule_from, false },
	{ "to", cfg_read_to, false },
	{ "proto", cfg_read_protos, false },
	{ "dscp", cfg_read_dscps, false },
	{ "mark", cfg_read_mark, false },
	{ "local", rule_local, false },
	{ "action", cfg_read_action, true },
};

static void read_rule(struct cfg_parse *p, const struct node *value, void *to)
{
	struct cfg_rule *rule = CFG_ADD(p, p->config->rules, p->config->n_rules);
	size_t errors = p->errors->n + p->errors_dropped;

	if (!rule)
		return;
	rule->line = value->line;
	CFG_MAP(p, value, "a rule", rule_keys, rule);
	if (!*rule->name)
		snprintf(rule->name, sizeof(rule->name), "rule-%zu", p->config->n_rules);
	/* What could not be read would only be missed a second time. */
	if (p->errors->n + p->errors_dropped == errors)
		cfg_check_rule(p, rule);
}

void cfg_read_rules(struct cfg_parse *p, const struct node *value, void *to)
{
	cfg_list(p, value, "- {from: {interface: lan0}, to: {interface: wan0}, action: masquerade}", read_rule, to);
}
