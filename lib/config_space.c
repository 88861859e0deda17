/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * config_space.c - translated addresses: those of pools, and those that netmap rules translate to. Where
 * one zone sees two of them, or one beside a real host with the same address, they could not be told
 * apart (RFC 4787 req. 7 asks for nothing less).
 */
#include <stdlib.h>

#include "lib/addr.h"
#include "lib/config_impl.h"

static const char *span_kind(const struct cfg_span *span)
{
	return span->pool != CFG_NONE ? "pool" : "rule";
}

static const char *span_name(const struct config *c, const struct cfg_span *span)
{
	return span->pool != CFG_NONE ? c->pools[span->pool].name : c->rules[span->rule].name;
}

/* How many */

static void check_total(struct cfg_parse *p)
{
	const struct config *c = p->config;
	size_t total = config_pool_addresses(c);

	if (total > NATVI_MAX_POOL_ADDRS) {
		cfg_fail(p, c->pools[0].line, "the pools have %zu addresses; at most %d fit", total, NATVI_MAX_POOL_ADDRS);
		return;
	}
	for (size_t i = 0; i < c->n_rules; i++) {
		total += c->rules[i].netmap ? (size_t)1 << (32 - c->rules[i].src_net.len) : 0;
		if (total <= NATVI_MAX_POOL_ADDRS)
			continue;
		cfg_fail(p, c->rules[i].line, "rule %s brings the addresses of all pools and netmaps to %zu; at most %d fit",
			 c->rules[i].name, total, NATVI_MAX_POOL_ADDRS);
		return;
	}
}

/* Against each other */

static int span_compare(const void *a, const void *b)
{
	const struct cfg_span *x = a, *y = b;

	if (x->lo != y->lo)
		return x->lo < y->lo ? -1 : 1;
	return x->line < y->line ? -1 : x->line > y->line;
}

static void fail_overlap(struct cfg_parse *p, const struct cfg_span *a, const struct cfg_span *b)
{
	bool swap = b->line < a->line || (b->line == a->line && b->pool < a->pool);
	const struct cfg_span *early = swap ? b : a, *late = swap ? a : b;
	char mine[ADDR_RANGE_LEN], other[ADDR_RANGE_LEN];

	addr_print_range4(late->lo, late->hi, mine);
	addr_print_range4(early->lo, early->hi, other);
	if (late->pool == early->pool && late->rule == early->rule)
		cfg_fail(p, late->line, "%s overlaps %s of the same pool (line %d); name each address once", mine, other, early->line);
	else
		cfg_fail(p, late->line, "%s overlaps %s of %s `%s` (line %d); an address belongs to one %s%s", mine, other,
			 span_kind(early), span_name(p->config, early), early->line,
			 early->pool != CFG_NONE && late->pool != CFG_NONE ? "pool" : "pool or netmap",
			 p->config->n_zones ? ", unless different zones see them" : "");
}

/* Sort the spans and report overlaps, each once. Returns false when there are any. */
static bool check_overlaps(struct cfg_parse *p)
{
	const struct cfg_span *widest[NATVI_MAX_ZONES] = { NULL };
	bool ok = true;

	if (p->n_spans)
		qsort(p->spans, p->n_spans, sizeof(*p->spans), span_compare);
	for (size_t i = 0; i < p->n_spans; i++) {
		const struct cfg_span *span = &p->spans[i], *met = NULL;

		for (uint64_t left = span->zones; left; left &= left - 1) {
			const struct cfg_span **wide = &widest[__builtin_ctzll(left)];

			if (*wide && span->lo <= (*wide)->hi && !met)
				met = *wide;
			if (!*wide || span->hi > (*wide)->hi)
				*wide = span;
		}
		if (met)
			fail_overlap(p, met, span);
		ok &= !met;
	}
	return ok;
}

/* Against real hosts */

static bool translates_source(const struct cfg_rule *rule)
{
	return rule->masquerade || *rule->pool || rule->netmap;
}

/*
 * The zones that the hosts of this reference are in. A source of 0.0.0.0/0 says "any", not "these", and what
 * the box itself sends (local: out) has addresses that pools may have, too. from: of the rule's `from`.
 */
static uint64_t host_zones(const struct config *c, const struct cfg_ref *ref, uint64_t from)
{
	const struct cfg_rule *rule = ref->kind == REF_FORWARD ? NULL : &c->rules[ref->index];

	if (!rule)
		return config_forward_zone(c, &c->forwards[ref->index]);
	if (ref->kind == REF_DNAT)
		return rule->has_dnat_zone ? config_zone(c, rule->dnat_zone) : rule->local == CFG_LOCAL_OUT ? CFG_GLOBAL_ZONE : from;
	if (!translates_source(rule) || rule->local == CFG_LOCAL_OUT)
		return 0;
	return ref->range.lo || ref->range.hi != UINT32_MAX ? from : 0;
}

static void settle_hosts(struct cfg_parse *p)
{
	size_t last = CFG_NONE;
	uint64_t from = 0;

	for (size_t i = 0; i < p->n_refs; i++) {
		struct cfg_ref *ref = &p->refs[i];

		if (ref->kind != REF_SOURCE && ref->kind != REF_DNAT && ref->kind != REF_FORWARD)
			continue;
		if (ref->kind != REF_FORWARD && ref->index != last) {
			last = ref->index;
			from = config_match_zones(p->config, &p->config->rules[last].from);
		}
		ref->zones = host_zones(p->config, ref, from);
	}
}

static void fail_host(struct cfg_parse *p, const struct cfg_ref *ref, const struct cfg_span *span)
{
	char mine[ADDR_RANGE_LEN], other[ADDR_RANGE_LEN];
	const char *name = span_name(p->config, span), *kind = span_kind(span);

	addr_print_range4(ref->range.lo, ref->range.hi, mine);
	addr_print_range4(span->lo, span->hi, other);
	if (ref->kind == REF_SOURCE)
		cfg_fail(p, ref->line, "source %s overlaps %s of %s `%s` (line %d); inside and outside addresses must differ", mine, other,
			 kind, name, span->line);
	else if (ref->kind == REF_DNAT)
		cfg_fail(p, ref->line, "`dnat` leads to %s, which is translated itself: %s of %s `%s` (line %d); name the real host",
			 mine, other, kind, name, span->line);
	else
		cfg_fail(p, ref->line, "the forward's internal address %s belongs to %s `%s` (line %d); an address is inside or "
			 "outside, not both", mine, kind, name, span->line);
}

/* The first of these that ends at or after addr; sorted, without overlaps. NULL: none. */
static const struct cfg_span *span_find(const struct cfg_span *const *spans, size_t n, uint32_t addr)
{
	size_t lo = 0, hi = n;

	while (lo < hi) {
		size_t middle = lo + (hi - lo) / 2;

		if (spans[middle]->hi < addr)
			lo = middle + 1;
		else
			hi = middle;
	}
	return lo < n ? spans[lo] : NULL;
}

/* Hosts that are in one zone against what this zone sees; each is told once. */
static void check_hosts(struct cfg_parse *p, uint64_t zone, const struct cfg_span *const *spans, size_t n)
{
	for (size_t i = 0; i < p->n_refs; i++) {
		struct cfg_ref *ref = &p->refs[i];
		const struct cfg_span *span = ref->zones & zone ? span_find(spans, n, ref->range.lo) : NULL;

		/* A netmap's own source has been judged with its rule. */
		if (!span || span->lo > ref->range.hi || (ref->kind == REF_SOURCE && span->rule == ref->index))
			continue;
		fail_host(p, ref, span);
		ref->zones = 0;
	}
}

static void check_all_hosts(struct cfg_parse *p)
{
	const struct cfg_span **seen = calloc(p->n_spans + 1, sizeof(*seen));

	if (!seen) {
		p->no_memory = true;
		return;
	}
	settle_hosts(p);
	for (uint64_t left = config_zones(p->config); left; left &= left - 1) {
		uint64_t zone = left & -left;
		size_t n = 0;

		for (size_t i = 0; i < p->n_spans; i++)
			if (p->spans[i].zones & zone)
				seen[n++] = &p->spans[i];
		check_hosts(p, zone, seen, n);
	}
	free(seen);
}

/* Answers come to where the rule leads; 0: that is not said. */
static uint64_t answer_zones(const struct config *c, const struct cfg_rule *rule)
{
	const struct cfg_match *way = rule->dnat ? &rule->from : &rule->to;

	if (rule->has_dnat_zone)
		return config_zone(c, rule->dnat_zone);
	return way->n_interfaces || way->n_zones ? config_match_zones(c, way) : 0;
}

static void check_answers(struct cfg_parse *p, const struct cfg_rule *rule, const struct cfg_pool *pool)
{
	const struct config *c = p->config;
	uint64_t seen = config_pool_zones(c, pool), away = answer_zones(c, rule) & ~seen;
	int number = away ? __builtin_ctzll(away) : 0;

	if (seen && away)
		cfg_fail(p, rule->line, "rule %s leads to zone `%s`, but only zone `%s` sees the addresses of pool `%s`; answers would not "
			 "come back", rule->name, number ? c->zones[number - 1].name : "global", *pool->zone ? pool->zone : "global",
			 pool->name);
}

static void check_pool_zones(struct cfg_parse *p)
{
	const struct config *c = p->config;

	for (size_t i = 0; i < c->n_pools; i++)
		for (size_t j = 0; c->pools[i].has_zone && j < c->n_rules; j++)
			if (!strcmp(c->rules[j].pool, c->pools[i].name) && *c->rules[j].pool)
				check_answers(p, &c->rules[j], &c->pools[i]);
}

/* What comes in for a netmap's prefix goes back to the one zone that its source is in. */
static void check_netmap_zones(struct cfg_parse *p)
{
	const struct config *c = p->config;

	for (size_t i = 0; i < c->n_rules && c->n_zones; i++) {
		const struct cfg_rule *rule = &c->rules[i];

		if (rule->netmap && rule->local != CFG_LOCAL_OUT && __builtin_popcountll(config_match_zones(c, &rule->from)) > 1)
			cfg_fail(p, rule->line, "rule %s translates both ways, but its source may be in several zones; name one by "
				 "`from: {zone: ...}`, and write a rule for each", rule->name);
	}
}

void cfg_check_space(struct cfg_parse *p)
{
	const struct config *c = p->config;

	/* That has been told, and what follows goes through them again and again. */
	if (c->n_interfaces > NATVI_MAX_PORTS || c->n_pools > NATVI_MAX_POOLS)
		return;
	for (size_t i = 0; i < p->n_spans; i++) {
		struct cfg_span *span = &p->spans[i];

		span->zones = span->pool != CFG_NONE ? config_pool_zones(c, &c->pools[span->pool]) :
						       config_netmap_zones(c, &c->rules[span->rule]);
	}
	check_total(p);
	check_pool_zones(p);
	check_netmap_zones(p);
	if (check_overlaps(p))
		check_all_hosts(p);
}
