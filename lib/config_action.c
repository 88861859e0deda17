/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * config_action.c - what a rule does: the keys of actions, and what does not fit together in one rule.
 * That is judged as soon as a rule is read, and only where all of it could be.
 */
#include <netinet/in.h>

#include "lib/addr.h"
#include "lib/config_impl.h"

const char *const cfg_action_words[] = { "translate", "accept", "drop", "reject", "kernel", NULL };

/* Keys */

static void action_snat(struct cfg_parse *p, const struct node *value, void *to)
{
	struct cfg_rule *rule = to;

	if (value->type == NODE_SCALAR && !strcmp(value->text, "masquerade"))
		rule->masquerade = true;
	else if (cfg_name(p, value, "a pool's name", rule->pool))
		cfg_ref_add(p, REF_POOL, value->line, rule->pool);
}

static bool unicast_prefix(struct cfg_parse *p, const struct node *value, struct cfg_prefix4 *prefix)
{
	char quoted[CFG_QUOTE_LEN];

	if (!cfg_prefix(p, value, prefix))
		return false;
	if (cfg_unicast_range(cfg_prefix_range(*prefix)))
		return true;
	cfg_fail(p, value->line, "`%s` holds addresses that no host can have (0/8, 127/8, 224/4 and above)",
		 cfg_quote(value->text, quoted));
	return false;
}

static void set_netmap(struct cfg_parse *p, const struct node *value, struct cfg_rule *rule, struct cfg_prefix4 prefix)
{
	struct cfg_range4 range = cfg_prefix_range(prefix);
	struct cfg_span *span = CFG_ADD(p, p->spans, p->n_spans);

	rule->netmap = true;
	rule->src_net = prefix;
	if (span)
		*span = (struct cfg_span){ .lo = range.lo, .hi = range.hi, .pool = CFG_NONE, .rule = p->config->n_rules - 1,
					   .line = value->line };
}

static void action_netmap(struct cfg_parse *p, const struct node *value, void *to)
{
	struct cfg_prefix4 prefix;

	if (unicast_prefix(p, value, &prefix))
		set_netmap(p, value, to, prefix);
}

static void action_static(struct cfg_parse *p, const struct node *value, void *to)
{
	struct cfg_prefix4 prefix;
	char quoted[CFG_QUOTE_LEN];

	if (!unicast_prefix(p, value, &prefix))
		return;
	if (prefix.len == 32)
		set_netmap(p, value, to, prefix);
	else
		cfg_fail(p, value->line, "`static` is one address for one address; for the prefix write `netmap: %s`",
			 cfg_quote(value->text, quoted));
}

#define DNAT_FORMS	"ADDRESS[:PORT[-PORT]] or PREFIX, like 198.18.0.10, \"198.18.0.10:8443\" or 198.18.0.0/24"

static void dnat_prefix(struct cfg_parse *p, const struct node *value, struct cfg_rule *rule)
{
	const char *colon = strchr(value->text, ':');
	char quoted[CFG_QUOTE_LEN];

	if (colon && strchr(value->text, '/') < colon)
		cfg_fail(p, value->line, "`%s`: where a prefix takes another's place the ports stay; leave `%s` away",
			 cfg_quote(value->text, quoted), colon);
	else
		rule->dnat = unicast_prefix(p, value, &rule->dst_net);
}

static void dnat_address(struct cfg_parse *p, const struct node *value, struct cfg_rule *rule)
{
	char host[CFG_HOST_LEN] = "", quoted[CFG_QUOTE_LEN];
	const char *ports;

	if (!cfg_endpoint_split(value->text, host, &ports)) {
		cfg_fail(p, value->line, "`%s` is not %s", cfg_quote(value->text, quoted), DNAT_FORMS);
		return;
	}
	cfg_endpoint_address(p, value, host, DNAT_FORMS, &rule->dst_net.addr);
	rule->dst_net.len = 32;
	rule->dnat = rule->dst_net.addr && (!*ports || cfg_ports_text(p, value->line, ports, &rule->dnat_ports));
}

static void action_dnat(struct cfg_parse *p, const struct node *value, void *to)
{
	struct cfg_rule *rule = to;

	if (!cfg_text(p, value, "the new destination"))
		return;
	if (strchr(value->text, '/'))
		dnat_prefix(p, value, rule);
	else
		dnat_address(p, value, rule);
	if (rule->dnat)
		cfg_ref_hosts(p, REF_DNAT, value->line, cfg_prefix_range(rule->dst_net));
}

static void action_zone(struct cfg_parse *p, const struct node *value, void *to)
{
	struct cfg_rule *rule = to;

	rule->has_dnat_zone = cfg_zone(p, value, rule->dnat_zone);
}

static void action_kernel(struct cfg_parse *p, const struct node *value, void *to)
{
	((struct cfg_rule *)to)->action = ACTION_KERNEL;
	cfg_read_kernel(p, value, to);
}

static const struct cfg_key action_keys[] = {
	{ "snat", action_snat, false },
	{ "netmap", action_netmap, false },
	{ "static", action_static, false },
	{ "dnat", action_dnat, false },
	{ "zone", action_zone, false },
	{ "kernel", action_kernel, false },
};

static void action_map(struct cfg_parse *p, const struct node *value, struct cfg_rule *rule)
{
	int sources = cfg_has(value, "snat") + cfg_has(value, "netmap") + cfg_has(value, "static");
	bool dnat = cfg_has(value, "dnat");

	rule->action = ACTION_TRANSLATE;
	CFG_MAP(p, value, "an action", action_keys, rule);
	if (cfg_has(value, "kernel")) {
		if (sources || dnat || cfg_has(value, "zone"))
			cfg_fail(p, value->line, "what is left to the kernel (`kernel`) is not translated by natvi as well; keep one of the "
				 "two");
		return;
	}
	if (sources > 1)
		cfg_fail(p, value->line, "an action translates the source in one way; keep one of `snat`, `netmap` and `static`");
	if (cfg_has(value, "zone") && !dnat)
		cfg_fail(p, value->line, "`zone` is where a new destination is; write `dnat` beside it, or `to: {zone: ...}` for a "
			 "match");
	else if (!sources && !dnat)
		cfg_fail(p, value->line, "an action needs `snat`, `netmap` or `static` for the source, or `dnat` for the destination");
}

/* How the words that need a value are written. */
static const char *action_example(const char *word)
{
	return !strcmp(word, "snat") ? "a pool; write `action: {snat: POOL}` or `action: masquerade`" :
	       !strcmp(word, "dnat") ? "an address; write `action: {dnat: ADDRESS[:PORT]}`" :
	       !strcmp(word, "netmap") ? "a prefix; write `action: {netmap: PREFIX}`" :
	       !strcmp(word, "static") ? "an address; write `action: {static: ADDRESS}`" : NULL;
}

void cfg_read_action(struct cfg_parse *p, const struct node *value, void *to)
{
	static const char *const words[] = { "masquerade", "accept", "drop", "reject", "kernel", NULL };
	const char *example = value->type == NODE_SCALAR ? action_example(value->text) : NULL;
	struct cfg_rule *rule = to;
	int word;

	if (value->type == NODE_MAP) {
		action_map(p, value, rule);
		return;
	}
	if (example) {
		cfg_fail(p, value->line, "`%s` needs %s", value->text, example);
		return;
	}
	word = cfg_word(p, value, "an action (`{snat: POOL}`, `{dnat: ADDRESS}` or a word)", words);
	if (word < 0)
		return;
	rule->masquerade = word == 0;
	rule->action = word == 0 ? ACTION_TRANSLATE : (enum rule_action)word;
}

/* What does not fit together */

static bool only_tcp_udp(const struct cfg_rule *rule, uint8_t *other)
{
	for (size_t i = 0; i < rule->n_protos; i++) {
		*other = rule->protos[i];
		if (*other != IPPROTO_TCP && *other != IPPROTO_UDP)
			return false;
	}
	return true;
}

/* what: the part of the rule that has ports. */
static void check_ports(struct cfg_parse *p, const struct cfg_rule *rule, const char *what)
{
	char name[PROTO_TEXT_LEN];
	uint8_t other;

	if (!rule->n_protos)
		cfg_fail(p, rule->line, "rule %s %s ports, which not all protocols have; add `proto: [tcp, udp]`", rule->name, what);
	else if (!only_tcp_udp(rule, &other))
		cfg_fail(p, rule->line, "rule %s %s ports, which %s does not have here; give it a rule without ports", rule->name,
			 what, addr_print_proto(other, name));
}

static void check_side(struct cfg_parse *p, int line, const char *what, const struct cfg_match *match, const char *key)
{
	if (match->n_interfaces && match->n_zones)
		cfg_fail(p, line, "%s has `interface` and `zone` in `%s`; an interface is in one zone, so keep one of the two",
			 what, key);
}

void cfg_check_match(struct cfg_parse *p, const struct cfg_rule *rule, const char *what)
{
	check_side(p, rule->line, what, &rule->from, "from");
	check_side(p, rule->line, what, &rule->to, "to");
}

static bool names_place(const struct cfg_match *match)
{
	return match->n_interfaces || match->n_zones;
}

static void check_local(struct cfg_parse *p, const struct cfg_rule *rule)
{
	if (rule->local == CFG_LOCAL_OUT && names_place(&rule->from))
		cfg_fail(p, rule->line, "rule %s: what the box itself sends (`local: out`) comes in nowhere; leave `interface` and "
			 "`zone` out of `from`", rule->name);
	if (rule->local != CFG_LOCAL_IN)
		return;
	/* With dnat it goes somewhere, which is said there. */
	if (names_place(&rule->to) && !rule->dnat)
		cfg_fail(p, rule->line, "rule %s: what comes in for the box itself (`local: in`) has no way out; leave `interface` "
			 "and `zone` out of `to`", rule->name);
	if (rule->action == ACTION_TRANSLATE && !rule->dnat)
		cfg_fail(p, rule->line, "rule %s: what comes in for the box itself (`local: in`) keeps its source, or the box could "
			 "not answer it; add `dnat` if it shall go elsewhere", rule->name);
}

/* The source's one prefix, and the prefix that takes its place. */
static void check_netmap(struct cfg_parse *p, const struct cfg_rule *rule)
{
	const struct cfg_prefix4 *net = &rule->src_net, *source = rule->from.prefixes;
	char outside[ADDR_TEXT_LEN], inside[ADDR_TEXT_LEN];
	const char *key = net->len == 32 ? "static" : "netmap";
	struct cfg_range4 a, b;

	addr_print_prefix4(net->addr, net->len, outside);
	if (rule->from.n_prefixes != 1) {
		cfg_fail(p, rule->line, "rule %s has %zu prefixes in `from: {source: ...}`; `%s: %s` takes the place of one of the "
			 "same length", rule->name, rule->from.n_prefixes, key, outside);
		return;
	}
	addr_print_prefix4(source->addr, source->len, inside);
	a = cfg_prefix_range(*net);
	b = cfg_prefix_range(*source);
	if (source->len != net->len)
		cfg_fail(p, rule->line, "rule %s: source %s has not as many addresses as `%s: %s`; they go one to one, so both are of "
			 "the same length", rule->name, inside, key, outside);
	else if (a.lo <= b.hi && b.lo <= a.hi)
		cfg_fail(p, rule->line, "rule %s: source %s and `%s: %s` overlap; inside and outside addresses must differ",
			 rule->name, inside, key, outside);
}

static void check_dnat_prefix(struct cfg_parse *p, const struct cfg_rule *rule)
{
	char net[ADDR_TEXT_LEN], other[ADDR_TEXT_LEN];

	addr_print_prefix4(rule->dst_net.addr, rule->dst_net.len, net);
	if (!rule->to.n_prefixes)
		cfg_fail(p, rule->line, "rule %s: `dnat: %s` takes the place of a prefix as long; add it as `to: {destination: ...}`",
			 rule->name, net);
	for (size_t i = 0; i < rule->to.n_prefixes; i++) {
		const struct cfg_prefix4 *to = &rule->to.prefixes[i];

		if (to->len == rule->dst_net.len)
			continue;
		cfg_fail(p, rule->line, "rule %s: destination %s has not as many addresses as `dnat: %s`; they go one to one, so "
			 "both are of the same length", rule->name, addr_print_prefix4(to->addr, to->len, other), net);
		return;
	}
}

static void check_dnat_ports(struct cfg_parse *p, const struct cfg_rule *rule)
{
	unsigned int inside = cfg_port_count(rule->dnat_ports), outside;
	char addr[ADDR_TEXT_LEN], ports[PORTS_TEXT_LEN];

	addr_print4(rule->dst_net.addr, addr);
	addr_print_ports(rule->dnat_ports.lo, rule->dnat_ports.hi, ports);
	if (inside <= 1)
		return;
	outside = rule->to.n_ports == 1 ? cfg_port_count(rule->to.ports[0]) : 0;
	if (!outside)
		cfg_fail(p, rule->line, "rule %s has %zu ranges in `to: {port: ...}`; `dnat: \"%s:%s\"` takes the place of one as "
			 "long, port for port", rule->name, rule->to.n_ports, addr, ports);
	else if (outside != inside)
		cfg_fail(p, rule->line, "rule %s: %u ports do not go to `dnat: \"%s:%s\"` one to one, which has %u; both must be as "
			 "many", rule->name, outside, addr, ports, inside);
}

static void check_dnat(struct cfg_parse *p, const struct cfg_rule *rule)
{
	if (names_place(&rule->to))
		cfg_fail(p, rule->line, "rule %s: the way out is only known once the destination is translated; leave `interface` and "
			 "`zone` out of `to` beside `dnat`%s", rule->name,
			 rule->to.n_zones ? "; the new destination's zone is `action: {dnat: ..., zone: ...}`" : "");
	if (rule->dst_net.len < 32)
		check_dnat_prefix(p, rule);
	else if (!rule->to.n_prefixes && !rule->to.n_ports && !rule->local)
		cfg_fail(p, rule->line, "rule %s: `dnat` would take everything; say what, by `to: {destination: ...}` or `to: {port: "
			 "...}`", rule->name);
	if (rule->dnat_ports.lo)
		check_dnat_ports(p, rule);
}

void cfg_check_rule(struct cfg_parse *p, const struct cfg_rule *rule)
{
	char what[NATVI_NAME_LEN + 8];

	if (rule->from.n_ports || rule->to.n_ports)
		check_ports(p, rule, "matches");
	else if (rule->dnat_ports.lo)
		check_ports(p, rule, "translates");
	snprintf(what, sizeof(what), "rule %s", rule->name);
	cfg_check_match(p, rule, what);
	check_local(p, rule);
	if (rule->netmap)
		check_netmap(p, rule);
	if (rule->dnat)
		check_dnat(p, rule);
	if (rule->action == ACTION_KERNEL)
		cfg_check_kernel(p, rule);
}
