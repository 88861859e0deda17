/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * conflict.c - see conflict.h. Subnets are sorted, so what overlaps stands together and a configuration
 * without conflicts costs no more than the sorting.
 */
#include <errno.h>
#include <linux/rtnetlink.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/conflict.h"
#include "daemon/plan.h"
#include "lib/addr.h"

#define MAX_JUDGED	256	/* overlaps that are held against the rules; more are more of the same */

/* A subnet that an interface of the configuration is connected to. */
struct subnet {
	uint32_t net;			/* host byte order */
	uint8_t len;
	size_t interface;		/* index in the configuration */
};

struct search {
	const struct config *config;
	const struct links *links;
	bool *from, *to;		/* by interface: does a translating rule name it on this side? */
	struct subnet *subnets;		/* sorted: a subnet follows those that hold it */
	size_t n_subnets;
	char *err;
	size_t err_len;
};

static int fail(const struct search *s, int line, const char *format, ...) __attribute__((format(printf, 3, 4)));

static int fail(const struct search *s, int line, const char *format, ...)
{
	size_t len = 0;
	va_list args;

	if (line)
		len = (size_t)snprintf(s->err, s->err_len, "%s:%d: ", s->config->source, line);
	va_start(args, format);
	if (len < s->err_len)
		vsnprintf(s->err + len, s->err_len - len, format, args);
	va_end(args);
	return -EINVAL;
}

/* Which interfaces rules name */

/* By its name, or by its zone's. */
static bool names(const struct cfg_match *match, const struct cfg_interface *interface)
{
	size_t i;

	for (i = 0; i < match->n_interfaces; i++)
		if (!strcmp(match->interfaces[i], interface->name))
			return true;
	for (i = 0; i < match->n_zones; i++)
		if (!strcmp(match->zones[i], interface->zone))
			return true;
	return false;
}

static bool names_any(const struct cfg_match *match)
{
	return match->n_interfaces || match->n_zones;
}

static void mark(const struct search *s, bool *marks, const struct cfg_match *match)
{
	size_t i;

	for (i = 0; names_any(match) && i < s->config->n_interfaces; i++)
		if (!marks[i])
			marks[i] = names(match, &s->config->interfaces[i]);
}

static void mark_all(const struct search *s)
{
	size_t r;

	for (r = 0; r < s->config->n_rules; r++) {
		if (s->config->rules[r].action != ACTION_TRANSLATE)
			continue;
		mark(s, s->from, &s->config->rules[r].from);
		mark(s, s->to, &s->config->rules[r].to);
	}
}

static bool comes_by(const struct search *s, const struct cfg_rule *rule, size_t interface)
{
	if (names_any(&rule->from))
		return names(&rule->from, &s->config->interfaces[interface]);
	return names_any(&rule->to) && !s->to[interface];
}

static bool leaves_by(const struct search *s, const struct cfg_rule *rule, size_t interface)
{
	if (names_any(&rule->to))
		return names(&rule->to, &s->config->interfaces[interface]);
	return names_any(&rule->from) && !s->from[interface];
}

static bool is_inside(const struct search *s, const struct cfg_rule *rule, size_t interface)
{
	return comes_by(s, rule, interface) && !leaves_by(s, rule, interface);
}

static bool is_outside(const struct search *s, const struct cfg_rule *rule, size_t interface)
{
	return leaves_by(s, rule, interface) && !comes_by(s, rule, interface);
}

/* Subnets */

static uint32_t last_of(const struct subnet *n)
{
	return n->net | ~addr_mask4(n->len);
}

static int compare_subnets(const void *a, const void *b)
{
	const struct subnet *x = a, *y = b;

	if (x->net != y->net)
		return x->net < y->net ? -1 : 1;
	if (x->len != y->len)
		return x->len < y->len ? -1 : 1;
	return x->interface < y->interface ? -1 : x->interface > y->interface;
}

/* An address alone has no hosts beside it; link-local ones are on every link. */
static bool has_hosts(const struct ifaddr4 *addr)
{
	return addr->len > 0 && addr->len < 32 && addr->scope < RT_SCOPE_LINK && addr->addr >> 16 != 0xa9fe;
}

static size_t interface_of(const struct search *s, uint32_t ifindex)
{
	const struct link *link = links_by_index(s->links, ifindex);
	size_t i = 0;

	while (link && i < s->config->n_interfaces && strcmp(s->config->interfaces[i].name, link->name))
		i++;
	return link ? i : s->config->n_interfaces;
}

static void read_subnets(struct search *s)
{
	const struct ifaddr4 *addr;
	struct subnet next;
	size_t i, n = 0;

	for (i = 0; i < s->links->n_addrs; i++) {
		addr = &s->links->addrs[i];
		if (!has_hosts(addr))
			continue;
		next = (struct subnet){ addr->addr & addr_mask4(addr->len), addr->len, interface_of(s, addr->ifindex) };
		if (next.interface < s->config->n_interfaces)
			s->subnets[n++] = next;
	}
	if (n)
		qsort(s->subnets, n, sizeof(*s->subnets), compare_subnets);
	for (i = 0; i < n; i++)
		if (!i || compare_subnets(&s->subnets[i], &s->subnets[i - 1]))
			s->subnets[s->n_subnets++] = s->subnets[i];
}

static const char *print_subnet(const struct subnet *n, char buf[ADDR_TEXT_LEN])
{
	return addr_print_prefix4(n->net, n->len, buf);
}

/* Does a rule's source, if it names any, have a part of this subnet? */
static bool concerns(const struct cfg_rule *rule, const struct subnet *n)
{
	const struct cfg_prefix4 *p = rule->from.prefixes;
	uint32_t mask;
	size_t i;

	for (i = 0; i < rule->from.n_prefixes; i++) {
		mask = addr_mask4(p[i].len < n->len ? p[i].len : n->len);
		if ((p[i].addr & mask) == (n->net & mask))
			return true;
	}
	return !rule->from.n_prefixes;
}

/* The judgement */

/* inner lies within outer, and is a subnet of another interface. */
static int judge_overlap(const struct search *s, const struct subnet *outer, const struct subnet *inner)
{
	const struct cfg_interface *interfaces = s->config->interfaces;
	char a[ADDR_TEXT_LEN], b[ADDR_TEXT_LEN];
	const struct subnet *in, *out;
	const struct cfg_rule *rule;
	size_t r;
	int way;

	for (r = 0; r < s->config->n_rules; r++) {
		rule = &s->config->rules[r];
		for (way = 0; way < 2 && rule->action == ACTION_TRANSLATE && concerns(rule, inner); way++) {
			in = way ? outer : inner;
			out = way ? inner : outer;
			if (is_inside(s, rule, in->interface) && is_outside(s, rule, out->interface))
				return fail(s, rule->line, "rule %s leads from %s (subnet %s) to %s (subnet %s), and the two overlap: "
					    "inside and outside addresses must differ; give one of the interfaces another subnet",
					    rule->name, interfaces[in->interface].name, print_subnet(in, a),
					    interfaces[out->interface].name, print_subnet(out, b));
		}
	}
	return 0;
}

/*
 * Could a rule lead from one to the other, by what all rules name? Where many overlap they are mostly of one side. In two
 * zones the same addresses are no conflict.
 */
static bool may_lead(const struct search *s, size_t from, size_t to)
{
	return from != to && !strcmp(s->config->interfaces[from].zone, s->config->interfaces[to].zone) && (s->from[from] || !s->to[from]) && (s->to[to] || !s->from[to]);
}

static int find_overlaps(const struct search *s)
{
	const struct subnet *outer, *inner;
	size_t i, j, judged = 0;
	int err = 0;

	for (i = 0; i < s->n_subnets; i++) {
		outer = &s->subnets[i];
		for (j = i + 1; j < s->n_subnets && s->subnets[j].net <= last_of(outer) && judged < MAX_JUDGED && !err; j++) {
			inner = &s->subnets[j];
			if (!may_lead(s, inner->interface, outer->interface) && !may_lead(s, outer->interface, inner->interface))
				continue;
			judged++;
			err = judge_overlap(s, outer, inner);
		}
	}
	return err;
}

static const struct cfg_pool *pool_of(const struct config *config, const struct cfg_rule *rule)
{
	size_t i;

	for (i = 0; *rule->pool && i < config->n_pools; i++)
		if (!strcmp(config->pools[i].name, rule->pool))
			return &config->pools[i];
	return NULL;
}

/* Are an interface's hosts in one of these zones? */
static bool sees(const struct search *s, size_t interface, uint64_t zones)
{
	return config_zone(s->config, s->config->interfaces[interface].zone) & zones;
}

static int judge_pool(const struct search *s, const struct cfg_rule *rule, const struct cfg_pool *pool, const struct cfg_range4 *range)
{
	char subnet[ADDR_TEXT_LEN], addrs[ADDR_RANGE_LEN];
	const struct subnet *n;
	size_t i;

	for (i = 0; i < s->n_subnets; i++) {
		n = &s->subnets[i];
		if (range->lo <= n->net && last_of(n) <= range->hi && concerns(rule, n) && is_inside(s, rule, n->interface) &&
		    sees(s, n->interface, config_pool_zones(s->config, pool)))
			return fail(s, rule->line, "rule %s translates to pool `%s`, whose %s has all of %s, the subnet of %s that it comes "
				    "from: inside and outside addresses must differ; give one of the two others",
				    rule->name, pool->name, addr_print_range4(range->lo, range->hi, addrs), print_subnet(n, subnet),
				    s->config->interfaces[n->interface].name);
	}
	return 0;
}

/* A prefix takes the place of another as a whole: no part of it can be among the hosts that are translated. */
static int judge_netmap(const struct search *s, const struct cfg_rule *rule)
{
	struct subnet net = { .net = rule->src_net.addr & addr_mask4(rule->src_net.len), .len = rule->src_net.len };
	char subnet[ADDR_TEXT_LEN], prefix[ADDR_TEXT_LEN];
	const struct subnet *n;
	size_t i;

	for (i = 0; i < s->n_subnets; i++) {
		n = &s->subnets[i];
		if (n->net <= last_of(&net) && net.net <= last_of(n) && is_inside(s, rule, n->interface) &&
		    sees(s, n->interface, config_netmap_zones(s->config, rule)))
			return fail(s, rule->line, "rule %s translates to %s, which overlaps %s, the subnet of %s that it comes from: inside "
				    "and outside addresses must differ; give one of the two others", rule->name,
				    print_subnet(&net, prefix), print_subnet(n, subnet), s->config->interfaces[n->interface].name);
	}
	return 0;
}

static int find_netmaps(const struct search *s)
{
	int err = 0;
	size_t r;

	for (r = 0; r < s->config->n_rules && !err; r++)
		if (s->config->rules[r].netmap && s->config->rules[r].src_net.len < 32)
			err = judge_netmap(s, &s->config->rules[r]);
	return err;
}

static int find_pools(const struct search *s)
{
	const struct cfg_pool *pool;
	size_t r, i;
	int err = 0;

	for (r = 0; r < s->config->n_rules && !err; r++) {
		pool = pool_of(s->config, &s->config->rules[r]);
		for (i = 0; pool && i < pool->n_addrs && !err; i++)
			err = judge_pool(s, &s->config->rules[r], pool, &pool->addrs[i]);
	}
	return err;
}

static int find_sharing(const struct search *s)
{
	const struct cfg_interface *interface;
	char text[ADDR_TEXT_LEN];
	const struct cfg_pool *pool;
	const struct link *link;
	uint32_t addr;
	size_t i;

	for (i = 0; i < s->config->n_interfaces; i++) {
		interface = &s->config->interfaces[i];
		link = config_masquerades(s->config, interface->name) ? links_by_name(s->links, interface->name) : NULL;
		addr = link ? links_primary4(s->links, link->ifindex) : 0;
		pool = addr ? config_sharing_conflict(s->config, addr, interface->zone) : NULL;
		if (pool)
			return fail(s, pool->line, "pool `%s` has %s too, the address of %s, which rules masquerade by, and only %s "
				    "`protocols: shared`; write the same for both", pool->name, addr_print4(addr, text), interface->name,
				    pool->behaviour.shared ? "the pool has" : "`masquerade` has");
	}
	return 0;
}

/* An address that natvi masquerades by has all its ports for natvi to give away. */
static int judge_kernel(const struct search *s, const struct cfg_rule *rule)
{
	const struct cfg_interface *interface;
	char text[ADDR_TEXT_LEN];
	const struct link *link;
	size_t i;

	for (i = 0; i < s->config->n_interfaces; i++) {
		interface = &s->config->interfaces[i];
		link = config_masquerades(s->config, interface->name) ? links_by_name(s->links, interface->name) : NULL;
		if (link && links_primary4(s->links, link->ifindex) == rule->kernel.snat)
			return fail(s, rule->line, "rule %s gives %s to the kernel, the address of %s, which rules masquerade by; write "
				    "`masquerade: true` with `ports` of its own, or give it another address", rule->name,
				    addr_print4(rule->kernel.snat, text), interface->name);
	}
	return 0;
}

static int find_kernels(const struct search *s)
{
	int err = 0;
	size_t r;

	for (r = 0; r < s->config->n_rules && !err; r++)
		if (s->config->rules[r].kernel.snat)
			err = judge_kernel(s, &s->config->rules[r]);
	return err;
}

int conflict_find(const struct config *config, const struct links *links, char *err, size_t err_len)
{
	struct search s = { .config = config, .links = links, .err = err, .err_len = err_len };
	int ret = -ENOMEM;

	s.from = calloc(2 * config->n_interfaces + 1, sizeof(*s.from));
	s.subnets = calloc(links->n_addrs + 1, sizeof(*s.subnets));
	if (s.from && s.subnets) {
		s.to = s.from + config->n_interfaces;
		mark_all(&s);
		read_subnets(&s);
		ret = find_sharing(&s);
		if (!ret)
			ret = find_kernels(&s);
		if (!ret)
			ret = find_overlaps(&s);
		if (!ret)
			ret = find_pools(&s);
		if (!ret)
			ret = find_netmaps(&s);
	} else {
		snprintf(err, err_len, "out of memory");
	}
	free(s.from);
	free(s.subnets);
	return ret;
}
