/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * config_parse.c - the keys of the configuration, but for zones, rules, forwards, acceleration and wires: tables of name and
 * reader, and the defaults. What can be judged by one value alone is judged here. Names that other parts
 * of the file explain, and addresses of hosts, are noted with their lines for config_check.c.
 */
#include "lib/addr.h"
#include "lib/config_impl.h"

const char *const cfg_mapping_words[] = { "endpoint-independent", "address-and-port-dependent", NULL };
const char *const cfg_filtering_words[] = {
	"endpoint-independent", "address-dependent", "address-and-port-dependent", NULL
};
const char *const cfg_pooling_words[] = { "paired", "arbitrary", NULL };
const char *const cfg_selection_words[] = { "preserve", "random", NULL };
const char *const cfg_protocols_words[] = { "separate", "shared", NULL };
const char *const cfg_unsolicited_words[] = { "hold", "silent", "kernel", NULL };
const char *const cfg_xdp_words[] = { "auto", "native", "generic", "off", NULL };
const char *const cfg_nat_words[] = { "all", "routed", NULL };
const char *const cfg_orphans_words[] = { "keep", "drain", "kill", NULL };

struct cfg_ref *cfg_ref_add(struct cfg_parse *p, enum cfg_ref_kind kind, int line, const char *name)
{
	struct cfg_ref *ref = CFG_ADD(p, p->refs, p->n_refs);

	if (!ref)
		return NULL;
	ref->kind = kind;
	ref->line = line;
	strcpy(ref->name, name);
	return ref;
}

void cfg_ref_hosts(struct cfg_parse *p, enum cfg_ref_kind kind, int line, struct cfg_range4 range)
{
	struct cfg_ref *ref = cfg_ref_add(p, kind, line, "");

	if (!ref)
		return;
	ref->index = (kind == REF_FORWARD ? p->config->n_forwards : p->config->n_rules) - 1;
	ref->range = range;
}

void cfg_defaults(struct config *config)
{
	config->timeouts = (struct cfg_timeouts){
		.udp_s = 300,			/* RFC 4787 req. 5 */
		.tcp_established_s = 7440,	/* RFC 5382 req. 5 */
		.tcp_opening_s = CFG_DEFAULT_TRANSITORY_S,
		.tcp_closing_s = CFG_DEFAULT_TRANSITORY_S,
		.icmp_s = 60,			/* RFC 5508 req. 2 */
		.other_s = 300,
		.rest_s = 120,			/* RFC 6888 req. 8 */
	};
	config->masquerade.behaviour.filtering = FILTER_UNSET;
	config->masquerade.behaviour.filtering_tcp = FILTER_UNSET;
	config->max_sessions = CFG_DEFAULT_SESSIONS;
	config->max_mappings = 0;		/* as sessions, once they are known */
	config->icmp_rate = CFG_DEFAULT_ICMP_RATE;
}

void cfg_read_filtering(struct cfg_parse *p, const struct node *value, enum filtering *to)
{
	int word = cfg_word(p, value, "a kind of filtering", cfg_filtering_words);

	if (word >= 0)
		*to = (enum filtering)word;
}

/* Behaviour: keys that pools and masquerading have in common; to: a struct that begins with it */

_Static_assert(offsetof(struct cfg_pool, behaviour) == 0 && offsetof(struct cfg_masquerade, behaviour) == 0,
	       "one reader serves both");

static void behaviour_mapping(struct cfg_parse *p, const struct node *value, void *to)
{
	int word = cfg_word(p, value, "a kind of mapping", cfg_mapping_words);

	if (word >= 0)
		((struct cfg_behaviour *)to)->mapping = (enum mapping_mode)word;
}

static void filtering_tcp(struct cfg_parse *p, const struct node *value, void *to)
{
	cfg_read_filtering(p, value, &((struct cfg_behaviour *)to)->filtering_tcp);
}

static void filtering_udp(struct cfg_parse *p, const struct node *value, void *to)
{
	cfg_read_filtering(p, value, &((struct cfg_behaviour *)to)->filtering);
}

static const struct cfg_key filtering_keys[] = {
	{ "tcp", filtering_tcp, false },
	{ "udp", filtering_udp, false },
};

/* A word for all, or one for TCP and one for the rest. */
static void behaviour_filtering(struct cfg_parse *p, const struct node *value, void *to)
{
	struct cfg_behaviour *behaviour = to;

	if (value->type == NODE_MAP) {
		CFG_MAP(p, value, "`filtering`", filtering_keys, behaviour);
		return;
	}
	cfg_read_filtering(p, value, &behaviour->filtering);
	behaviour->filtering_tcp = behaviour->filtering;
}

static void behaviour_selection(struct cfg_parse *p, const struct node *value, void *to)
{
	((struct cfg_behaviour *)to)->random = cfg_word(p, value, "a way to select ports", cfg_selection_words) == 1;
}

static void behaviour_protocols(struct cfg_parse *p, const struct node *value, void *to)
{
	((struct cfg_behaviour *)to)->shared =
		cfg_word(p, value, "a word for how TCP and UDP have their mappings", cfg_protocols_words) == 1;
}

#define BEHAVIOUR_KEYS \
	{ "mapping", behaviour_mapping, false }, \
	{ "filtering", behaviour_filtering, false }, \
	{ "port-selection", behaviour_selection, false }, \
	{ "protocols", behaviour_protocols, false }

/* Interfaces */

static void interface_name(struct cfg_parse *p, const struct node *value, void *to)
{
	struct cfg_interface *interface = to;

	if (!cfg_ifname(p, value, interface->name))
		p->names_broken = true;
}

void cfg_read_xdp(struct cfg_parse *p, const struct node *value, enum xdp_mode *to)
{
	int word = cfg_word(p, value, "a way to use XDP", cfg_xdp_words);

	if (word >= 0)
		*to = (enum xdp_mode)word;
}

void cfg_read_mss(struct cfg_parse *p, const struct node *value, uint16_t *to)
{
	static const char *const words[] = { "off", "auto", NULL };
	int word;

	if (value->type == NODE_SCALAR && *value->text >= '0' && *value->text <= '9') {
		*to = (uint16_t)cfg_number(p, value, "`mss`", CFG_MIN_MSS, CFG_MAX_MSS, 0);
		return;
	}
	word = cfg_word(p, value, "a limit for `mss` (a number of bytes or a word)", words);
	*to = word == 1 ? MSS_AUTO : 0;
}

static void interface_xdp(struct cfg_parse *p, const struct node *value, void *to)
{
	cfg_read_xdp(p, value, &((struct cfg_interface *)to)->xdp);
}

static void interface_mss(struct cfg_parse *p, const struct node *value, void *to)
{
	cfg_read_mss(p, value, &((struct cfg_interface *)to)->mss);
}

static void interface_zone(struct cfg_parse *p, const struct node *value, void *to)
{
	cfg_zone(p, value, ((struct cfg_interface *)to)->zone);
}

static void interface_nat(struct cfg_parse *p, const struct node *value, void *to)
{
	((struct cfg_interface *)to)->routed = cfg_word(p, value, "a word for what natvi looks at", cfg_nat_words) == 1;
}

static const struct cfg_key interface_keys[] = {
	{ "name", interface_name, true },
	{ "xdp", interface_xdp, false },
	{ "mss", interface_mss, false },
	{ "zone", interface_zone, false },
	{ "nat", interface_nat, false },
};

static void read_interface(struct cfg_parse *p, const struct node *value, void *to)
{
	struct config *config = p->config;
	struct cfg_interface *interface = CFG_ADD(p, config->interfaces, config->n_interfaces);

	if (!interface)
		return;
	interface->line = value->line;
	if (value->type == NODE_SCALAR && !cfg_is_empty(value))
		interface_name(p, value, interface);	/* the name alone */
	else
		CFG_MAP(p, value, "an interface", interface_keys, interface);
}

/* Pools */

static void pool_name(struct cfg_parse *p, const struct node *value, void *to)
{
	struct cfg_pool *pool = to;

	if (!cfg_name(p, value, "a pool's name", pool->name)) {
		p->names_broken = true;
	} else if (!strcmp(pool->name, "masquerade")) {
		cfg_fail(p, value->line, "a pool cannot be called `masquerade`, which means the address of the way out");
		p->names_broken = true;
	}
}

static void pool_address(struct cfg_parse *p, const struct node *value, void *to)
{
	struct cfg_pool *pool = to;
	struct cfg_range4 range;
	struct cfg_range4 *added;
	struct cfg_span *span;

	if (!cfg_range(p, value, &range))
		return;
	added = CFG_ADD(p, pool->addrs, pool->n_addrs);
	span = CFG_ADD(p, p->spans, p->n_spans);
	if (!added || !span)
		return;
	*added = range;
	*span = (struct cfg_span){ .lo = range.lo, .hi = range.hi, .pool = p->config->n_pools - 1, .rule = CFG_NONE,
				   .line = value->line };
}

static void pool_addresses(struct cfg_parse *p, const struct node *value, void *to)
{
	if (cfg_is_empty(value))
		cfg_fail(p, value->line, "the pool is empty; write `addresses: [203.0.113.16/28]` with addresses of yours");
	else
		cfg_each(p, value, pool_address, to);
}

static void pool_port(struct cfg_parse *p, const struct node *value, void *to)
{
	struct cfg_pool *pool = to;

	cfg_add_ports(p, value, &pool->ports, &pool->n_ports);
}

static void pool_ports(struct cfg_parse *p, const struct node *value, void *to)
{
	cfg_each(p, value, pool_port, to);
}

static void pool_pooling(struct cfg_parse *p, const struct node *value, void *to)
{
	((struct cfg_pool *)to)->behaviour.arbitrary = cfg_word(p, value, "a kind of pooling", cfg_pooling_words) == 1;
}

static void pool_zone(struct cfg_parse *p, const struct node *value, void *to)
{
	struct cfg_pool *pool = to;

	pool->has_zone = cfg_zone(p, value, pool->zone);
}

static const struct cfg_key pool_keys[] = {
	{ "name", pool_name, true },
	{ "addresses", pool_addresses, true },
	{ "ports", pool_ports, false },
	{ "zone", pool_zone, false },
	{ "pooling", pool_pooling, false },
	BEHAVIOUR_KEYS,
};

static void read_pool(struct cfg_parse *p, const struct node *value, void *to)
{
	struct cfg_pool *pool = CFG_ADD(p, p->config->pools, p->config->n_pools);

	if (!pool)
		return;
	pool->line = value->line;
	pool->behaviour.filtering = FILTER_UNSET;
	pool->behaviour.filtering_tcp = FILTER_UNSET;
	CFG_MAP(p, value, "a pool", pool_keys, pool);
	if (!*pool->name)
		p->names_broken = true;
}

/* Masquerading */

static void masquerade_port(struct cfg_parse *p, const struct node *value, void *to)
{
	struct cfg_masquerade *masquerade = to;

	cfg_add_ports(p, value, &masquerade->ports, &masquerade->n_ports);
}

static void masquerade_ports(struct cfg_parse *p, const struct node *value, void *to)
{
	if (value->type != NODE_SCALAR || strcmp(value->text, "auto"))
		cfg_each(p, value, masquerade_port, to);
}

static const struct cfg_key masquerade_keys[] = {
	{ "ports", masquerade_ports, false },
	BEHAVIOUR_KEYS,
};

/* Time-outs and limits */

#define TIMEOUT_READER(function, member, what) \
	static void function(struct cfg_parse *p, const struct node *value, void *to) \
	{ \
		struct cfg_timeouts *timeouts = to; \
	\
		timeouts->member = cfg_seconds(p, value, what, timeouts->member); \
	}

TIMEOUT_READER(timeout_udp, udp_s, "`udp`")
TIMEOUT_READER(timeout_established, tcp_established_s, "`tcp-established`")
TIMEOUT_READER(timeout_opening, tcp_opening_s, "`tcp-opening`")
TIMEOUT_READER(timeout_closing, tcp_closing_s, "`tcp-closing`")
TIMEOUT_READER(timeout_icmp, icmp_s, "`icmp`")
TIMEOUT_READER(timeout_other, other_s, "`other`")
TIMEOUT_READER(timeout_rest, rest_s, "`port-rest`")

static void timeout_transitory(struct cfg_parse *p, const struct node *value, void *to)
{
	p->tcp_transitory_s = cfg_seconds(p, value, "`tcp-transitory`", 0);
}

static const struct cfg_key timeout_keys[] = {
	{ "udp", timeout_udp, false },
	{ "tcp-established", timeout_established, false },
	{ "tcp-opening", timeout_opening, false },
	{ "tcp-closing", timeout_closing, false },
	{ "tcp-transitory", timeout_transitory, false },
	{ "icmp", timeout_icmp, false },
	{ "other", timeout_other, false },
	{ "port-rest", timeout_rest, false },
};

static void limit_sessions(struct cfg_parse *p, const struct node *value, void *to)
{
	p->config->max_sessions = cfg_number(p, value, "`sessions`", CFG_MIN_SESSIONS, CFG_MAX_SESSIONS,
					     CFG_DEFAULT_SESSIONS);
}

static void limit_mappings(struct cfg_parse *p, const struct node *value, void *to)
{
	p->config->max_mappings = cfg_number(p, value, "`mappings`", CFG_MIN_SESSIONS, CFG_MAX_SESSIONS, 0);
}

static void limit_icmp_rate(struct cfg_parse *p, const struct node *value, void *to)
{
	p->config->icmp_rate = cfg_number(p, value, "`icmp-rate`", 0, CFG_MAX_ICMP_RATE, CFG_DEFAULT_ICMP_RATE);
}

static const struct cfg_key limit_keys[] = {
	{ "sessions", limit_sessions, false },
	{ "mappings", limit_mappings, false },
	{ "icmp-rate", limit_icmp_rate, false },
};

/* The whole */

static void root_interfaces(struct cfg_parse *p, const struct node *value, void *to)
{
	cfg_list(p, value, "- name: lan0", read_interface, to);
}

static void root_pools(struct cfg_parse *p, const struct node *value, void *to)
{
	cfg_list(p, value, "- {name: public, addresses: [203.0.113.16/28]}", read_pool, to);
}

static void root_masquerade(struct cfg_parse *p, const struct node *value, void *to)
{
	p->masquerade_line = value->line;
	CFG_MAP(p, value, "`masquerade`", masquerade_keys, &p->config->masquerade);
}

static void root_timeouts(struct cfg_parse *p, const struct node *value, void *to)
{
	struct cfg_timeouts *t = &p->config->timeouts;
	uint16_t transitory_s;

	t->tcp_opening_s = t->tcp_closing_s = 0;
	CFG_MAP(p, value, "`timeouts`", timeout_keys, t);
	transitory_s = p->tcp_transitory_s ? p->tcp_transitory_s : CFG_DEFAULT_TRANSITORY_S;
	t->tcp_opening_s = t->tcp_opening_s ? t->tcp_opening_s : transitory_s;
	t->tcp_closing_s = t->tcp_closing_s ? t->tcp_closing_s : transitory_s;
}

static void root_limits(struct cfg_parse *p, const struct node *value, void *to)
{
	CFG_MAP(p, value, "`limits`", limit_keys, p->config);
}

static void tcp_unsolicited(struct cfg_parse *p, const struct node *value, void *to)
{
	int word = cfg_word(p, value, "an answer to unsolicited connections", cfg_unsolicited_words);

	if (word >= 0)
		p->config->unsolicited = (enum cfg_unsolicited)word;
}

static const struct cfg_key tcp_keys[] = {
	{ "unsolicited", tcp_unsolicited, false },
};

static void root_tcp(struct cfg_parse *p, const struct node *value, void *to)
{
	CFG_MAP(p, value, "`tcp`", tcp_keys, NULL);
}

static void root_exhaustion(struct cfg_parse *p, const struct node *value, void *to)
{
	static const char *const words[] = { "admin-prohibited", "host-unreachable", NULL };
	int word = cfg_word(p, value, "an answer for `on-exhaustion`", words);

	if (word >= 0)
		p->config->exhaust_host = word == 1;
}

static void root_orphans(struct cfg_parse *p, const struct node *value, void *to)
{
	int word = cfg_word(p, value, "an end for sessions whose rule has gone", cfg_orphans_words);

	if (word >= 0)
		p->config->orphans = (enum cfg_orphans)word;
}

static const struct cfg_key root_keys[] = {
	{ "interfaces", root_interfaces, false },
	{ "zones", cfg_read_zones, false },
	{ "pools", root_pools, false },
	{ "masquerade", root_masquerade, false },
	{ "timeouts", root_timeouts, false },
	{ "tcp", root_tcp, false },
	{ "limits", root_limits, false },
	{ "on-exhaustion", root_exhaustion, false },
	{ "orphans", root_orphans, false },
	{ "rules", cfg_read_rules, false },
	{ "forwards", cfg_read_forwards, false },
	{ "accelerate", cfg_read_accelerate, false },
	{ "wires", cfg_read_wires, false },
};

void cfg_parse_root(struct cfg_parse *p)
{
	static const struct node nothing = { .type = NODE_MAP };
	const struct node *root = p->root ? p->root : &nothing;

	if (root->type != NODE_MAP && !cfg_is_empty(root)) {
		cfg_fail(p, root->line, "a configuration begins with a key like `interfaces:`");
		return;
	}
	CFG_MAP(p, root, "the configuration", root_keys, NULL);
	if (!cfg_has(root, "interfaces") && !cfg_has(root, "wires"))
		cfg_fail(p, root->line, "the configuration needs `interfaces` (for NAT and acceleration) or `wires`");
	if (p->config->n_wires)
		cfg_check_alone(p, root);
}
