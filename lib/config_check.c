/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * config_check.c - what only the whole configuration shows: names that name nothing, things that
 * collide, and bounds. Works on the struct and on the references and spans that the readers kept
 * with their lines. Everything here is at most n log n over the file, but for pools (255).
 */
#include <netinet/in.h>
#include <stdlib.h>

#include "lib/addr.h"
#include "lib/config_impl.h"

/* A name, and the line and index of what bears it. */
struct named {
	const char *name;
	int line;
	size_t index;
};

static int named_compare(const void *a, const void *b)
{
	const struct named *x = a, *y = b;
	int order = strcmp(x->name, y->name);

	return order ? order : x->index < y->index ? -1 : x->index > y->index;
}

/* Sort, and report the second and later of equal names; "" is something that could not be read. */
static void names_check(struct cfg_parse *p, struct named *list, size_t n, const char *what)
{
	qsort(list, n, sizeof(*list), named_compare);
	for (size_t i = 1; i < n; i++)
		if (*list[i].name && !strcmp(list[i].name, list[i - 1].name))
			cfg_fail(p, list[i].line, "%s `%s` stands twice; the other is in line %d", what, list[i].name,
				 list[i - 1].line);
}

static bool name_known(const struct named *list, size_t n, const char *name)
{
	size_t lo = 0, hi = n;

	while (lo < hi) {
		size_t middle = lo + (hi - lo) / 2;
		int order = strcmp(list[middle].name, name);

		if (!order)
			return true;
		if (order < 0)
			lo = middle + 1;
		else
			hi = middle;
	}
	return false;
}

/* A new list of the names of all elements of an array of structs that have .name and .line. */
#define NAMES_OF(p, array, n) ({ \
	struct named *named_ = calloc((n) ? (n) : 1, sizeof(*named_)); \
	if (!named_) \
		(p)->no_memory = true; \
	for (size_t i_ = 0; named_ && i_ < (n); i_++) \
		named_[i_] = (struct named){ (array)[i_].name, (array)[i_].line, i_ }; \
	named_; })

static void ref_check(struct cfg_parse *p, const struct cfg_ref *ref, const char *what, const char *list_name,
		      const struct named *list, size_t n)
{
	char hint[CFG_HINT_LEN];
	const char *words[33] = { NULL };

	if (name_known(list, n, ref->name))
		return;
	for (size_t i = 0; i < n && i < 32; i++)
		words[i] = list[i].name;
	if (n)
		cfg_fail(p, ref->line, "%s `%s` is not in `%s`; %s", what, ref->name, list_name,
			 cfg_hint(p, ref->name, words, hint));
	else
		cfg_fail(p, ref->line, "%s `%s` is named, but `%s` has none; add it there", what, ref->name, list_name);
}

static void check_names(struct cfg_parse *p)
{
	const struct config *c = p->config;
	struct named *interfaces = NAMES_OF(p, c->interfaces, c->n_interfaces);
	struct named *pools = NAMES_OF(p, c->pools, c->n_pools);
	struct named *rules = NAMES_OF(p, c->rules, c->n_rules);

	if (interfaces && pools && rules) {
		names_check(p, interfaces, c->n_interfaces, "interface");
		names_check(p, pools, c->n_pools, "pool");
		names_check(p, rules, c->n_rules, "rule");
		for (size_t i = 0; i < p->n_refs && !p->names_broken; i++) {
			if (p->refs[i].kind == REF_INTERFACE)
				ref_check(p, &p->refs[i], "interface", "interfaces", interfaces, c->n_interfaces);
			else if (p->refs[i].kind == REF_POOL)
				ref_check(p, &p->refs[i], "pool", "pools", pools, c->n_pools);
		}
	}
	free(interfaces);
	free(pools);
	free(rules);
}

/* Pools */

static int span_compare(const void *a, const void *b)
{
	const struct cfg_span *x = a, *y = b;

	if (x->lo != y->lo)
		return x->lo < y->lo ? -1 : 1;
	return x->line < y->line ? -1 : x->line > y->line;
}

/* Sort the spans and report overlaps. Returns false when there are any. */
static bool check_overlaps(struct cfg_parse *p)
{
	const struct config *c = p->config;
	struct cfg_span *spans = p->spans;
	char mine[ADDR_RANGE_LEN], other[ADDR_RANGE_LEN];
	size_t widest = 0;
	bool ok = true;

	if (p->n_spans)
		qsort(spans, p->n_spans, sizeof(*spans), span_compare);
	for (size_t i = 1; i < p->n_spans; i++) {
		const struct cfg_span *late = &spans[i], *early = &spans[widest];

		if (late->lo <= early->hi) {
			ok = false;
			if (late->line < early->line || (late->line == early->line && late->pool < early->pool)) {
				late = early;
				early = &spans[i];
			}
			addr_print_range4(late->lo, late->hi, mine);
			addr_print_range4(early->lo, early->hi, other);
			if (late->pool == early->pool)
				cfg_fail(p, late->line, "%s overlaps %s of the same pool (line %d); name each address once",
					 mine, other, early->line);
			else
				cfg_fail(p, late->line, "%s overlaps %s of pool `%s` (line %d); an address belongs to one pool",
					 mine, other, c->pools[early->pool].name, early->line);
		}
		if (spans[i].hi > spans[widest].hi)
			widest = i;
	}
	return ok;
}

static void filtering_settle(enum filtering *filtering, enum mapping_mode mapping)
{
	if (*filtering == FILTER_UNSET)
		*filtering = mapping == MAPPING_APD ? FILTER_APD : FILTER_EI;
}

/* Of a pool or of masquerading; settles what was not given. */
static void check_behaviour(struct cfg_parse *p, int line, const char *what, const char *name, struct cfg_behaviour *b)
{
	enum filtering wrong;

	filtering_settle(&b->filtering, b->mapping);
	filtering_settle(&b->filtering_tcp, b->mapping);
	if (b->mapping != MAPPING_APD)
		return;
	wrong = b->filtering != FILTER_APD ? b->filtering : b->filtering_tcp;
	if (wrong != FILTER_APD)
		cfg_fail(p, line, "%s%s: `mapping: address-and-port-dependent` goes with `filtering: "
			 "address-and-port-dependent` only, because such a mapping has one remote; with "
			 "`filtering: %s` write `mapping: endpoint-independent`",
			 what, name, cfg_filtering_words[wrong]);
	if (b->shared)
		cfg_fail(p, line, "%s%s: `protocols: shared` goes with `mapping: endpoint-independent` only, because "
			 "an address-and-port-dependent mapping is for one remote of one protocol; change one of the two",
			 what, name);
}

static void check_pools(struct cfg_parse *p)
{
	struct config *c = p->config;
	uint64_t total = 0;

	if (c->n_pools > NATVI_MAX_POOLS)
		cfg_fail(p, c->pools[NATVI_MAX_POOLS].line, "%zu pools; at most %d fit", c->n_pools,
			 NATVI_MAX_POOLS);
	for (size_t i = 0; i < c->n_pools; i++) {
		struct cfg_pool *pool = &c->pools[i];
		uint64_t before = total;

		check_behaviour(p, pool->line, "pool ", pool->name, &pool->behaviour);
		for (size_t j = 0; j < pool->n_addrs; j++)
			total += (uint64_t)pool->addrs[j].hi - pool->addrs[j].lo + 1;
		if (before <= NATVI_MAX_POOL_ADDRS && total > NATVI_MAX_POOL_ADDRS)
			cfg_fail(p, pool->line, "pool %s brings the addresses of all pools to %llu; at most %d fit", pool->name,
				 (unsigned long long)total, NATVI_MAX_POOL_ADDRS);
	}
}

/* Rules */

static void check_ports_have_proto(struct cfg_parse *p, const struct cfg_rule *rule)
{
	char name[PROTO_TEXT_LEN];

	if (!rule->from.n_ports && !rule->to.n_ports)
		return;
	if (!rule->n_protos)
		cfg_fail(p, rule->line, "rule %s matches ports, which not all protocols have; add `proto: [tcp, udp]`",
			 rule->name);
	for (size_t i = 0; i < rule->n_protos; i++)
		if (rule->protos[i] != IPPROTO_TCP && rule->protos[i] != IPPROTO_UDP)
			cfg_fail(p, rule->line, "rule %s matches ports, which %s does not have here; give it "
				 "a rule without ports",
				 rule->name, addr_print_proto(rule->protos[i], name));
}

static void check_rules(struct cfg_parse *p)
{
	const struct config *c = p->config;
	size_t total = 0, ways = config_masquerade_ways(c), addrs = config_pool_addresses(c);

	for (size_t i = 0; i < c->n_rules; i++) {
		size_t entries = config_rule_entries(&c->rules[i]), before = total;

		check_ports_have_proto(p, &c->rules[i]);
		/* Saturates: config_rule_entries() does too. */
		total = entries > SIZE_MAX - total ? SIZE_MAX : total + entries;
		if (before <= NATVI_MAX_RULES && total > NATVI_MAX_RULES)
			cfg_fail(p, c->rules[i].line, "rule %s becomes %zu entries when its lists are "
				 "multiplied out, which makes more than the %d that all rules may have; use "
				 "wider prefixes or fewer lists in one rule",
				 c->rules[i].name, entries, NATVI_MAX_RULES);
	}
	if (c->n_pools <= NATVI_MAX_POOLS && ways + c->n_pools > NATVI_MAX_POOLS)
		cfg_fail(p, 0, "masquerading by %zu interfaces beside %zu pools; %d fit together; name the "
			 "interfaces to masquerade by in the rule's `to: {interface: ...}`",
			 ways, c->n_pools, NATVI_MAX_POOLS);
	if (addrs <= NATVI_MAX_POOL_ADDRS && ways + addrs > NATVI_MAX_POOL_ADDRS)
		cfg_fail(p, 0, "masquerading by %zu interfaces beside %zu pool addresses; %d fit together; make a "
			 "pool smaller", ways, addrs, NATVI_MAX_POOL_ADDRS);
}

/* Forwards */

/* The first span that ends at or after addr; spans are sorted and do not overlap. */
static size_t span_find(const struct cfg_parse *p, uint32_t addr)
{
	size_t lo = 0, hi = p->n_spans;

	while (lo < hi) {
		size_t middle = lo + (hi - lo) / 2;

		if (p->spans[middle].hi < addr)
			lo = middle + 1;
		else
			hi = middle;
	}
	return lo;
}

/* One protocol of a forward: external place first, so that sorting brings what collides together. */
struct claim {
	const struct cfg_forward *forward;
	uint8_t proto;
};

static int claim_compare(const void *a, const void *b)
{
	const struct claim *x = a, *y = b;
	int order = strcmp(x->forward->ext_interface, y->forward->ext_interface);

	if (order)
		return order;
	if (x->forward->ext_addr != y->forward->ext_addr)
		return x->forward->ext_addr < y->forward->ext_addr ? -1 : 1;
	if (x->proto != y->proto)
		return x->proto < y->proto ? -1 : 1;
	if (x->forward->ext_ports.lo != y->forward->ext_ports.lo)
		return x->forward->ext_ports.lo < y->forward->ext_ports.lo ? -1 : 1;
	return x->forward < y->forward ? -1 : x->forward > y->forward;
}

static void fail_claim(struct cfg_parse *p, const struct claim *a, const struct claim *b)
{
	const struct cfg_forward *early = a->forward < b->forward ? a->forward : b->forward;
	const struct cfg_forward *late = early == a->forward ? b->forward : a->forward;
	char addr[ADDR_TEXT_LEN], ports[PORTS_TEXT_LEN], proto[PROTO_TEXT_LEN];
	uint16_t lo = early->ext_ports.lo > late->ext_ports.lo ? early->ext_ports.lo : late->ext_ports.lo;
	uint16_t hi = early->ext_ports.hi < late->ext_ports.hi ? early->ext_ports.hi : late->ext_ports.hi;

	cfg_fail(p, late->line, "%s %s:%s is forwarded in line %d already; a port leads to one place",
		 addr_print_proto(a->proto, proto),
		 *late->ext_interface ? late->ext_interface : addr_print4(late->ext_addr, addr),
		 addr_print_ports(lo, hi, ports), early->line);
}

static void check_claims(struct cfg_parse *p)
{
	const struct config *c = p->config;
	struct claim *claims = NULL;
	size_t n = 0, widest = 0;

	for (size_t i = 0; i < c->n_forwards; i++) {
		const struct cfg_forward *f = &c->forwards[i];

		/* Not those whose external side could not be read. */
		for (size_t j = 0; j < f->n_protos && f->ext_ports.lo && (f->ext_addr || *f->ext_interface); j++) {
			struct claim *claim = CFG_ADD(p, claims, n);

			if (claim)
				*claim = (struct claim){ f, f->protos[j] };
		}
	}
	if (n)
		qsort(claims, n, sizeof(*claims), claim_compare);
	for (size_t i = 1; i < n; i++) {
		const struct cfg_forward *f = claims[i].forward, *w = claims[widest].forward;
		bool same = claims[i].proto == claims[widest].proto && f->ext_addr == w->ext_addr &&
			    !strcmp(f->ext_interface, w->ext_interface);

		if (same && f->ext_ports.lo <= w->ext_ports.hi)
			fail_claim(p, &claims[widest], &claims[i]);
		if (!same || f->ext_ports.hi > w->ext_ports.hi)
			widest = i;
	}
	free(claims);
}

static unsigned int port_count(struct cfg_ports ports)
{
	return ports.lo ? ports.hi - ports.lo + 1u : 0;
}

/* External and internal ports go one to one. */
static void check_forward_ports(struct cfg_parse *p, const struct cfg_forward *f)
{
	unsigned int outside = port_count(f->ext_ports), inside = port_count(f->int_ports);
	char addr[ADDR_TEXT_LEN];

	/* A side that could not be read has been reported, and is not judged a second time. */
	if (outside == inside || !outside || !inside || !f->int_addr)
		return;
	addr_print4(f->int_addr, addr);
	if (f->int_ports.lo + outside - 1 > 65535)
		cfg_fail(p, f->line, "the forward has %u external and %u internal ports; they go one to one, "
			 "so both must be as many",
			 outside, inside);
	else if (outside == 1)
		cfg_fail(p, f->line, "the forward has 1 external and %u internal ports; write `internal: \"%s:%u\"`", inside,
			 addr, f->int_ports.lo);
	else
		cfg_fail(p, f->line, "the forward has %u external and %u internal port%s; write `internal: \"%s:%u-%u\"`",
			 outside, inside, inside == 1 ? "" : "s", addr, f->int_ports.lo, f->int_ports.lo + outside - 1);
}

static void check_forwards(struct cfg_parse *p, bool spans_sound)
{
	const struct config *c = p->config;
	size_t statics = config_static_ports(c);
	char addr[ADDR_TEXT_LEN];

	for (size_t i = 0; i < c->n_forwards; i++) {
		const struct cfg_forward *f = &c->forwards[i];
		size_t s = spans_sound && f->int_addr ? span_find(p, f->int_addr) : p->n_spans;

		check_forward_ports(p, f);
		if (s < p->n_spans && p->spans[s].lo <= f->int_addr)
			cfg_fail(p, f->line, "the forward's internal address %s belongs to pool `%s` (line "
				 "%d); an address is inside or outside, not both",
				 addr_print4(f->int_addr, addr), c->pools[p->spans[s].pool].name, p->spans[s].line);
		else if (f->int_addr && f->int_addr == f->ext_addr)
			cfg_fail(p, f->line, "the forward leads from %s to itself; `internal` is the host behind the box",
				 addr_print4(f->int_addr, addr));
	}
	check_claims(p);
	if (statics > CFG_MAX_STATICS)
		cfg_fail(p, c->forwards[0].line, "the forwards have %zu ports over all addresses and protocols; at "
			 "most %u fit; name the ports that are needed", statics, CFG_MAX_STATICS);
}

/* Sources against pools */

/*
 * The same addresses inside and outside could not be told apart before there are zones (RFC 4787
 * req. 7 asks for nothing less). A source of 0.0.0.0/0 says "any", not "these".
 */
static void check_sources(struct cfg_parse *p)
{
	char printed[ADDR_TEXT_LEN], range[ADDR_RANGE_LEN];

	for (size_t i = 0; i < p->n_refs; i++) {
		const struct cfg_ref *ref = &p->refs[i];
		const struct cfg_rule *rule = ref->rule == CFG_NO_RULE ? NULL : &p->config->rules[ref->rule];
		const struct cfg_span *span;
		size_t s;

		if (ref->kind != REF_SOURCE || !ref->prefix.len || (!rule->masquerade && !*rule->pool))
			continue;
		s = span_find(p, ref->prefix.addr);
		span = s < p->n_spans ? &p->spans[s] : NULL;
		if (span && span->lo <= (ref->prefix.addr | ~addr_mask4(ref->prefix.len)))
			cfg_fail(p, ref->line, "source %s overlaps %s of pool `%s` (line %d); inside and outside addresses must differ",
				 addr_print_prefix4(ref->prefix.addr, ref->prefix.len, printed),
				 addr_print_range4(span->lo, span->hi, range), p->config->pools[span->pool].name, span->line);
	}
}

void cfg_check(struct cfg_parse *p)
{
	struct config *c = p->config;
	bool spans_sound;

	if (!c->n_interfaces && !p->errors->n)
		cfg_fail(p, 0, "`interfaces` is empty; name the interfaces that natvi shall serve, like "
			 "`interfaces: [{name: lan0}, {name: wan0}]`");
	if (c->n_interfaces > NATVI_MAX_PORTS)
		cfg_fail(p, c->interfaces[NATVI_MAX_PORTS].line, "%zu interfaces; at most %d fit", c->n_interfaces,
			 NATVI_MAX_PORTS);
	if (!c->max_mappings)
		c->max_mappings = c->max_sessions;
	check_names(p);
	check_pools(p);
	check_behaviour(p, p->masquerade_line, "masquerade", "", &c->masquerade.behaviour);
	spans_sound = check_overlaps(p);
	check_rules(p);
	check_forwards(p, spans_sound);
	if (spans_sound)
		check_sources(p);
}
