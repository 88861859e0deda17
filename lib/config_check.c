/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * config_check.c - what only the whole configuration shows: names that name nothing, things that
 * collide, and bounds. Works on the struct and on the references that the readers kept with their
 * lines. Everything here is at most n log n over the file, but for pools (255) and zones (63).
 */
#include <stdlib.h>

#include "lib/config_impl.h"

static int named_compare(const void *a, const void *b)
{
	const struct cfg_named *x = a, *y = b;
	int order = strcmp(x->name, y->name);

	return order ? order : x->index < y->index ? -1 : x->index > y->index;
}

void cfg_names_sort(struct cfg_named *list, size_t n)
{
	qsort(list, n, sizeof(*list), named_compare);
}

void cfg_names_check(struct cfg_parse *p, struct cfg_named *list, size_t n, const char *what)
{
	cfg_names_sort(list, n);
	for (size_t i = 1; i < n; i++)
		if (*list[i].name && !strcmp(list[i].name, list[i - 1].name))
			cfg_fail(p, list[i].line, "%s `%s` stands twice; the other is in line %d", what, list[i].name,
				 list[i - 1].line);
}

const struct cfg_named *cfg_names_find(const struct cfg_named *list, size_t n, const char *name)
{
	size_t lo = 0, hi = n;

	while (lo < hi) {
		size_t middle = lo + (hi - lo) / 2;
		int order = strcmp(list[middle].name, name);

		if (!order)
			return &list[middle];
		if (order < 0)
			lo = middle + 1;
		else
			hi = middle;
	}
	return NULL;
}

static void ref_check(struct cfg_parse *p, const struct cfg_ref *ref, const char *what, const char *list_name,
		      const struct cfg_named *list, size_t n)
{
	char hint[CFG_HINT_LEN];
	const char *words[34] = { NULL };

	if (cfg_names_find(list, n, ref->name))
		return;
	for (size_t i = 0; i < n && i < 32; i++)
		words[i] = list[i].name;
	if (ref->kind == REF_ZONE)
		words[n < 32 ? n : 32] = "global";
	if (n)
		cfg_fail(p, ref->line, "%s `%s` is not in `%s`; %s", what, ref->name, list_name,
			 cfg_hint(p, ref->name, words, hint));
	else
		cfg_fail(p, ref->line, "%s `%s` is named, but `%s` has none; add it there", what, ref->name, list_name);
}

static void check_names(struct cfg_parse *p)
{
	const struct config *c = p->config;
	struct cfg_named *interfaces = CFG_NAMES_OF(p, c->interfaces, c->n_interfaces);
	struct cfg_named *pools = CFG_NAMES_OF(p, c->pools, c->n_pools);
	struct cfg_named *rules = CFG_NAMES_OF(p, c->rules, c->n_rules);
	struct cfg_named *zones = CFG_NAMES_OF(p, c->zones, c->n_zones);

	if (interfaces && pools && rules && zones) {
		cfg_names_check(p, interfaces, c->n_interfaces, "interface");
		cfg_names_check(p, pools, c->n_pools, "pool");
		cfg_names_check(p, rules, c->n_rules, "rule");
		cfg_names_check(p, zones, c->n_zones, "zone");
		for (size_t i = 0; i < p->n_refs && !p->names_broken; i++) {
			if (p->refs[i].kind == REF_INTERFACE)
				ref_check(p, &p->refs[i], "interface", "interfaces", interfaces, c->n_interfaces);
			else if (p->refs[i].kind == REF_POOL)
				ref_check(p, &p->refs[i], "pool", "pools", pools, c->n_pools);
			else if (p->refs[i].kind == REF_ZONE)
				ref_check(p, &p->refs[i], "zone", "zones", zones, c->n_zones);
		}
	}
	free(interfaces);
	free(pools);
	free(rules);
	free(zones);
}

/* Pools */

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

	if (c->n_pools > NATVI_MAX_POOLS)
		cfg_fail(p, c->pools[NATVI_MAX_POOLS].line, "%zu pools; at most %d fit", c->n_pools,
			 NATVI_MAX_POOLS);
	for (size_t i = 0; i < c->n_pools; i++) {
		struct cfg_pool *pool = &c->pools[i];

		check_behaviour(p, pool->line, "pool ", pool->name, &pool->behaviour);
	}
}

/* Rules */

void cfg_count_entries(struct cfg_parse *p, int line, size_t entries, const char *what, const char *noun, size_t *total)
{
	size_t before = *total;

	/* Saturates: config_rule_entries() does too. */
	*total = entries > SIZE_MAX - before ? SIZE_MAX : before + entries;
	if (before <= NATVI_MAX_RULES && *total > NATVI_MAX_RULES)
		cfg_fail(p, line, "%s becomes %zu entries when its lists are multiplied out, which makes more than the %d "
			 "that all %ss may have; use wider prefixes or fewer lists in one %s", what, entries, NATVI_MAX_RULES,
			 noun, noun);
}

static void check_entries(struct cfg_parse *p)
{
	const struct config *c = p->config;
	char what[NATVI_NAME_LEN + 8];
	size_t total = 0;

	for (size_t i = 0; i < c->n_rules; i++) {
		snprintf(what, sizeof(what), "rule %s", c->rules[i].name);
		cfg_count_entries(p, c->rules[i].line, config_rule_entries(&c->rules[i]), what, "rule", &total);
	}
	for (size_t i = 0; i < c->n_excludes; i++) {
		snprintf(what, sizeof(what), "exclusion %zu", i + 1);
		cfg_count_entries(p, c->excludes[i].line, config_rule_entries(&c->excludes[i]), what, "rule", &total);
	}
}

static void check_rules(struct cfg_parse *p)
{
	const struct config *c = p->config;
	size_t ways = config_masquerade_ways(c), addrs = config_pool_addresses(c);

	check_entries(p);
	if (c->n_pools <= NATVI_MAX_POOLS && ways + c->n_pools > NATVI_MAX_POOLS)
		cfg_fail(p, 0, "masquerading by %zu interfaces beside %zu pools; %d fit together; name the "
			 "interfaces to masquerade by in the rule's `to: {interface: ...}`",
			 ways, c->n_pools, NATVI_MAX_POOLS);
	if (addrs <= NATVI_MAX_POOL_ADDRS && ways + addrs > NATVI_MAX_POOL_ADDRS)
		cfg_fail(p, 0, "masquerading by %zu interfaces beside %zu pool addresses; %d fit together; make a "
			 "pool smaller", ways, addrs, NATVI_MAX_POOL_ADDRS);
}

void cfg_check(struct cfg_parse *p)
{
	struct config *c = p->config;

	if (!c->n_interfaces && !c->n_wires && !p->errors->n)
		cfg_fail(p, 0, "`interfaces` is empty; name the interfaces that natvi shall serve, like "
			 "`interfaces: [{name: lan0}, {name: wan0}]`, or `wires: [{name: w0, ports: [eth1, eth2]}]`");
	if (c->n_interfaces > NATVI_MAX_PORTS)
		cfg_fail(p, c->interfaces[NATVI_MAX_PORTS].line, "%zu interfaces; at most %d fit", c->n_interfaces,
			 NATVI_MAX_PORTS);
	if (!c->max_mappings)
		c->max_mappings = c->max_sessions;
	check_names(p);
	check_pools(p);
	check_behaviour(p, p->masquerade_line, "masquerade", "", &c->masquerade.behaviour);
	check_rules(p);
	cfg_check_forwards(p);
	cfg_check_zones(p);
	cfg_check_space(p);
	cfg_check_kernels(p);
	cfg_check_wires(p);
}
