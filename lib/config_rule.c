/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * config_rule.c - the keys of rules and forwards. Names of interfaces and pools, and source prefixes,
 * are noted with their lines for config_check.c, because what they name may come later in the file.
 */
#include <netinet/in.h>

#include "lib/addr.h"
#include "lib/config_impl.h"

const char *const cfg_action_words[] = { "translate", "accept", "drop", "reject", "kernel", NULL };

static struct cfg_ref *ref_add(struct cfg_parse *p, enum cfg_ref_kind kind, size_t rule, int line, const char *name)
{
	struct cfg_ref *ref = CFG_ADD(p, p->refs, p->n_refs);

	if (!ref)
		return NULL;
	ref->kind = kind;
	ref->rule = rule;
	ref->line = line;
	strcpy(ref->name, name);
	return ref;
}

static size_t this_rule(const struct cfg_parse *p)
{
	return p->config->n_rules - 1;
}

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
	if (added && ref_add(p, REF_INTERFACE, this_rule(p), value->line, name))
		strcpy(*added, name);
}

static void match_prefix(struct cfg_parse *p, const struct node *value, struct cfg_match *match, bool source)
{
	struct cfg_prefix4 prefix, *added;
	struct cfg_ref *ref;

	if (!cfg_prefix(p, value, &prefix))
		return;
	added = CFG_ADD(p, match->prefixes, match->n_prefixes);
	if (!added)
		return;
	*added = prefix;
	ref = source ? ref_add(p, REF_SOURCE, this_rule(p), value->line, "") : NULL;
	if (ref)
		ref->prefix = prefix;
}

static void match_source(struct cfg_parse *p, const struct node *value, void *to)
{
	match_prefix(p, value, to, true);
}

static void match_destination(struct cfg_parse *p, const struct node *value, void *to)
{
	match_prefix(p, value, to, false);
}

static void match_port(struct cfg_parse *p, const struct node *value, void *to)
{
	struct cfg_match *match = to;
	struct cfg_ports range, *added;

	if (cfg_ports(p, value, &range) && (added = CFG_ADD(p, match->ports, match->n_ports)))
		*added = range;
}

static void match_interfaces(struct cfg_parse *p, const struct node *value, void *to)
{
	cfg_each(p, value, match_interface, to);
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
	{ "source", match_sources, false },
	{ "port", match_ports, false },
	{ "ports", match_ports, false },
};

static const struct cfg_key to_keys[] = {
	{ "interface", match_interfaces, false },
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

static void rule_to(struct cfg_parse *p, const struct node *value, void *to)
{
	CFG_MAP(p, value, "`to`", to_keys, &((struct cfg_rule *)to)->to);
}

static bool read_proto(struct cfg_parse *p, const struct node *value, uint8_t *proto)
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

static void rule_proto(struct cfg_parse *p, const struct node *value, void *to)
{
	struct cfg_rule *rule = to;
	uint8_t proto, *added;

	if (!read_proto(p, value, &proto))
		return;
	if (memchr(rule->protos ? rule->protos : &proto, proto, rule->n_protos)) {
		cfg_fail(p, value->line, "protocol `%s` stands twice; take one away", value->text);
		return;
	}
	added = CFG_ADD(p, rule->protos, rule->n_protos);
	if (added)
		*added = proto;
}

static void rule_protos(struct cfg_parse *p, const struct node *value, void *to)
{
	cfg_each(p, value, rule_proto, to);
}

static void action_snat(struct cfg_parse *p, const struct node *value, void *to)
{
	struct cfg_rule *rule = to;

	rule->action = ACTION_TRANSLATE;
	if (value->type == NODE_SCALAR && !strcmp(value->text, "masquerade"))
		rule->masquerade = true;
	else if (cfg_name(p, value, "a pool's name", rule->pool))
		ref_add(p, REF_POOL, this_rule(p), value->line, rule->pool);
}

static const struct cfg_key action_keys[] = {
	{ "snat", action_snat, true },
};

static void rule_action(struct cfg_parse *p, const struct node *value, void *to)
{
	static const char *const words[] = { "masquerade", "accept", "drop", "reject", "kernel", NULL };
	struct cfg_rule *rule = to;
	int word;

	if (value->type == NODE_MAP) {
		CFG_MAP(p, value, "an action", action_keys, rule);
		return;
	}
	if (value->type == NODE_SCALAR && !strcmp(value->text, "snat")) {
		cfg_fail(p, value->line, "`snat` needs a pool; write `action: {snat: POOL}` or `action: masquerade`");
		return;
	}
	word = cfg_word(p, value, "an action (`{snat: POOL}` or a word)", words);
	if (word < 0)
		return;
	rule->masquerade = word == 0;
	rule->action = word == 0 ? ACTION_TRANSLATE : (enum rule_action)word;
}

static const struct cfg_key rule_keys[] = {
	{ "name", rule_name, false },
	{ "from", rule_from, false },
	{ "to", rule_to, false },
	{ "proto", rule_protos, false },
	{ "action", rule_action, true },
};

static void read_rule(struct cfg_parse *p, const struct node *value, void *to)
{
	struct cfg_rule *rule = CFG_ADD(p, p->config->rules, p->config->n_rules);

	if (!rule)
		return;
	rule->line = value->line;
	CFG_MAP(p, value, "a rule", rule_keys, rule);
	if (!*rule->name)
		snprintf(rule->name, sizeof(rule->name), "rule-%zu", p->config->n_rules);
}

void cfg_read_rules(struct cfg_parse *p, const struct node *value, void *to)
{
	cfg_list(p, value, "- {from: {interface: lan0}, to: {interface: wan0}, action: masquerade}", read_rule, to);
}

/* Forwards */

#define HOST_LEN	64

/* "HOST[:PORTS]" to host and ports ("" without). False when HOST is empty or too long. */
static bool endpoint_split(const char *text, char host[HOST_LEN], const char **ports)
{
	const char *colon = strrchr(text, ':');
	size_t len = colon ? (size_t)(colon - text) : strlen(text);

	*ports = colon ? colon + 1 : "";
	if (!len || len >= HOST_LEN || (colon && !colon[1]))
		return false;
	memcpy(host, text, len);
	host[len] = '\0';
	return true;
}

static bool looks_like_address(const char *host)
{
	return strspn(host, "0123456789.") == strlen(host) || strchr(host, ':') || strchr(host, '[');
}

static void fail_endpoint(struct cfg_parse *p, int line, const char *text, const char *forms)
{
	char quoted[CFG_QUOTE_LEN];

	cfg_fail(p, line, "`%s` is not %s", cfg_quote(text, quoted), forms);
}

#define EXTERNAL_FORMS	"ADDRESS[:PORT[-PORT]] or INTERFACE:PORT[-PORT], like \"203.0.113.1:443\" or \"wan0:8000-8010\""
#define INTERNAL_FORMS	"ADDRESS[:PORT[-PORT]], like \"198.18.0.10:8443\""

/* The interface's own address, whatever it is, so that only a port of it can be given away. */
static void external_interface(struct cfg_parse *p, const struct node *value, const char *host, const char *ports,
			       struct cfg_forward *forward)
{
	if (!cfg_ifname_ok(host)) {
		fail_endpoint(p, value->line, value->text, EXTERNAL_FORMS);
		return;
	}
	if (!*ports) {
		cfg_fail(p, value->line, "`%s` without a port would give all of the box away; write \"%s:PORT\"", host, host);
		return;
	}
	strcpy(forward->ext_interface, host);
	ref_add(p, REF_INTERFACE, CFG_NO_RULE, value->line, host);
}

/* The address of an endpoint, with a word for those that cannot be one. */
static void endpoint_address(struct cfg_parse *p, const struct node *value, const char *host, const char *forms,
			     uint32_t *to)
{
	uint32_t addr;

	if (addr_parse4(host, &addr))
		fail_endpoint(p, value->line, value->text, forms);
	else if (!cfg_unicast(addr))
		cfg_fail(p, value->line, "no host can have the address %s", host);
	else
		*to = addr;
}

static void forward_external(struct cfg_parse *p, const struct node *value, void *to)
{
	const char *text = cfg_text(p, value, "the external address and port"), *ports;
	struct cfg_forward *forward = to;
	char host[HOST_LEN];

	if (!text)
		return;
	if (!endpoint_split(text, host, &ports)) {
		fail_endpoint(p, value->line, text, EXTERNAL_FORMS);
		return;
	}
	if (looks_like_address(host))
		endpoint_address(p, value, host, EXTERNAL_FORMS, &forward->ext_addr);
	else
		external_interface(p, value, host, ports, forward);
	if (*ports)
		cfg_ports_text(p, value->line, ports, &forward->ext_ports);
	else
		forward->ext_ports = (struct cfg_ports){ 1, 65535 };
}

static void forward_internal(struct cfg_parse *p, const struct node *value, void *to)
{
	const char *text = cfg_text(p, value, "the internal address"), *ports;
	struct cfg_forward *forward = to;
	char host[HOST_LEN];

	if (!text)
		return;
	if (!endpoint_split(text, host, &ports)) {
		fail_endpoint(p, value->line, text, INTERNAL_FORMS);
		return;
	}
	endpoint_address(p, value, host, INTERNAL_FORMS, &forward->int_addr);
	if (*ports)
		cfg_ports_text(p, value->line, ports, &forward->int_ports);
}

static void forward_proto(struct cfg_parse *p, const struct node *value, void *to)
{
	struct cfg_forward *forward = to;
	uint8_t proto;

	if (!read_proto(p, value, &proto))
		return;
	if (proto != IPPROTO_TCP && proto != IPPROTO_UDP)
		cfg_fail(p, value->line, "a forward is of tcp, udp or [tcp, udp], not `%s`", value->text);
	else if (memchr(forward->protos, proto, forward->n_protos))
		cfg_fail(p, value->line, "protocol `%s` stands twice; take one away", value->text);
	else
		forward->protos[forward->n_protos++] = proto;
}

static void forward_protos(struct cfg_parse *p, const struct node *value, void *to)
{
	cfg_each(p, value, forward_proto, to);
}

static void forward_filtering(struct cfg_parse *p, const struct node *value, void *to)
{
	cfg_read_filtering(p, value, &((struct cfg_forward *)to)->filtering);
}

static const struct cfg_key forward_keys[] = {
	{ "proto", forward_protos, true },
	{ "external", forward_external, true },
	{ "internal", forward_internal, true },
	{ "filtering", forward_filtering, false },
};

static void read_forward(struct cfg_parse *p, const struct node *value, void *to)
{
	struct cfg_forward *forward = CFG_ADD(p, p->config->forwards, p->config->n_forwards);

	if (!forward)
		return;
	forward->line = value->line;
	CFG_MAP(p, value, "a forward", forward_keys, forward);
	if (!forward->int_ports.lo)
		forward->int_ports = forward->ext_ports;	/* the same ports inside */
}

void cfg_read_forwards(struct cfg_parse *p, const struct node *value, void *to)
{
	cfg_list(p, value, "- {proto: tcp, external: \"wan0:443\", internal: \"198.18.0.10:8443\"}", read_forward, to);
}
