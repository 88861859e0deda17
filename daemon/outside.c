/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * outside.c - see outside.h.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/outside.h"
#include "lib/addr.h"

#define TEXT_LEN	320
#define LISTED		4	/* prefixes in a sentence */

/* Collecting */

static void add(struct outsides *to, uint32_t lo, uint32_t hi, enum outside_kind kind, size_t index, const char *name,
		uint64_t zones)
{
	to->list[to->n++] = (struct outside){ .lo = lo, .hi = hi, .kind = kind, .index = index, .name = name, .zones = zones };
}

static size_t room_for(const struct config *config)
{
	size_t n = config->n_rules + config->n_forwards, i;

	for (i = 0; i < config->n_pools; i++)
		n += config->pools[i].n_addrs;
	return n + 1;
}

static void collect(const struct config *config, struct outsides *to)
{
	const struct cfg_forward *forward;
	const struct cfg_pool *pool;
	const struct cfg_rule *rule;
	size_t i, r;

	for (i = 0; i < config->n_pools; i++) {
		pool = &config->pools[i];
		for (r = 0; r < pool->n_addrs; r++)
			add(to, pool->addrs[r].lo, pool->addrs[r].hi, OUTSIDE_POOL, i, pool->name, config_pool_zones(config, pool));
	}
	for (i = 0; i < config->n_rules; i++) {
		rule = &config->rules[i];
		if (rule->netmap)
			add(to, rule->src_net.addr, outside_last(rule->src_net.addr, rule->src_net.len), OUTSIDE_RULE, i, rule->name,
			    config_netmap_zones(config, rule));
	}
	for (i = 0; i < config->n_forwards; i++) {
		forward = &config->forwards[i];
		if (forward->ext_addr)
			add(to, forward->ext_addr, forward->ext_addr, OUTSIDE_FORWARD, 0, "", config_zones(config));
	}
}

static int compare(const void *a, const void *b)
{
	const struct outside *x = a, *y = b;

	if (x->zones != y->zones)
		return x->zones > y->zones ? -1 : 1;
	if (x->lo != y->lo)
		return x->lo < y->lo ? -1 : 1;
	if (x->kind != y->kind)
		return (int)x->kind - (int)y->kind;
	return x->index < y->index ? -1 : x->index > y->index;
}

static bool same_owner(const struct outside *a, const struct outside *b)
{
	return a->kind == b->kind && a->index == b->index;
}

/* Sorted: what an entry before has already goes, and neighbours of one owner become one. */
static void merge(struct outsides *o)
{
	struct outside *last, *next;
	size_t i, n = 0;

	for (i = 0; i < o->n; i++) {
		next = &o->list[i];
		last = n && o->list[n - 1].zones == next->zones ? &o->list[n - 1] : NULL;
		if (last && next->hi <= last->hi)
			continue;
		if (last && next->lo <= last->hi)
			next->lo = last->hi + 1;
		if (last && next->lo == last->hi + 1 && same_owner(last, next))
			last->hi = next->hi;
		else
			o->list[n++] = *next;
	}
	o->n = n;
}

/* Take addr out of entry i; true: nothing is left of it. Order may be lost. */
static bool cut_entry(struct outsides *o, size_t i, uint32_t addr)
{
	struct outside *entry = &o->list[i];

	if (addr < entry->lo || addr > entry->hi)
		return false;
	if (entry->lo == entry->hi) {
		*entry = o->list[--o->n];
		return true;
	}
	if (addr == entry->lo) {
		entry->lo++;
	} else if (addr == entry->hi) {
		entry->hi--;
	} else {
		o->list[o->n] = *entry;
		o->list[o->n++].lo = addr + 1;
		entry->hi = addr - 1;
	}
	return false;
}

/* An interface owns addr. */
static void cut(struct outsides *o, uint32_t addr)
{
	size_t i;

	for (i = 0; i < o->n; )
		i += !cut_entry(o, i, addr);
}

/* An address of the box may part one range of each set of zones. */
static int make_room(struct outsides *o, size_t n_addrs)
{
	struct outside *more;
	size_t sets = 0, i;

	for (i = 0; i < o->n; i++)
		sets += !i || o->list[i].zones != o->list[i - 1].zones;
	more = realloc(o->list, (o->n + n_addrs * sets + 1) * sizeof(*more));
	if (!more)
		return -ENOMEM;
	o->list = more;
	return 0;
}

int outside_list(const struct config *config, const struct links *links, struct outsides *out)
{
	size_t i;

	out->n = 0;
	out->list = calloc(room_for(config), sizeof(*out->list));
	if (!out->list)
		return -ENOMEM;
	collect(config, out);
	qsort(out->list, out->n, sizeof(*out->list), compare);
	merge(out);
	if (make_room(out, links->n_addrs)) {
		outside_free(out);
		return -ENOMEM;
	}
	for (i = 0; i < links->n_addrs; i++)
		cut(out, links->addrs[i].addr);
	qsort(out->list, out->n, sizeof(*out->list), compare);
	return 0;
}

void outside_free(struct outsides *outsides)
{
	free(outsides->list);
	memset(outsides, 0, sizeof(*outsides));
}

/* Prefixes */

uint32_t outside_last(uint32_t addr, uint8_t len)
{
	return addr | ~addr_mask4(len);
}

uint8_t outside_prefix(uint32_t lo, uint32_t hi)
{
	uint8_t len = 0;

	while ((lo & ~addr_mask4(len)) || outside_last(lo, len) > hi)
		len++;
	return len;
}

bool outside_subnet(const struct ifaddr4 *addr, uint32_t *lo, uint32_t *hi)
{
	uint32_t net = addr->addr & addr_mask4(addr->len), last = outside_last(net, addr->len);

	if (!addr->len || addr->len > 31)
		return false;
	*lo = addr->len == 31 ? net : net + 1;
	*hi = addr->len == 31 ? last : last - 1;
	return true;
}

/* Advice */

struct advice {
	const struct config *config;
	const struct links *links;
	struct outsides outsides;
	bool *alone;			/* by entry: in no connected subnet, and not told yet */
};

/* Is all of it in one connected subnet of an enabled interface that the zone has? */
static bool is_connected(const struct advice *a, const struct outside *o)
{
	const struct cfg_interface *interface;
	const struct link *link;
	uint32_t lo, hi;
	size_t i, n;

	for (i = 0; i < a->config->n_interfaces; i++) {
		interface = &a->config->interfaces[i];
		link = links_by_name(a->links, interface->name);
		if (!link || !(o->zones & config_zone(a->config, interface->zone)))
			continue;
		for (n = 0; n < a->links->n_addrs; n++)
			if (a->links->addrs[n].ifindex == link->ifindex && outside_subnet(&a->links->addrs[n], &lo, &hi) &&
			    lo <= o->lo && o->hi <= hi)
				return true;
	}
	return false;
}

/* Names of interfaces whose subnets are not known: not there, or not up. */
static bool unknown_interfaces(const struct advice *a, char *text, size_t size)
{
	const struct link *link;
	size_t i, len = 0;

	for (i = 0; i < a->config->n_interfaces; i++) {
		link = links_by_name(a->links, a->config->interfaces[i].name);
		if ((!link || !(link->flags & IFF_UP)) && len < size)
			len += (size_t)snprintf(text + len, size - len, "%s%s", len ? ", " : "", a->config->interfaces[i].name);
	}
	return len;
}

static void name_owner(const struct outside *o, char *text, size_t size)
{
	if (o->kind == OUTSIDE_FORWARD)
		snprintf(text, size, "forwards");
	else
		snprintf(text, size, "%s \"%s\"", o->kind == OUTSIDE_POOL ? "pool" : "rule", o->name);
}

/* "192.0.2.0/28, 192.0.2.64/26 and 3 more": all that stands alone of the owner of entry i; it is told then. */
static void take_prefixes(struct advice *a, size_t i, char *text, size_t size)
{
	const struct outside *first = &a->outsides.list[i], *o;
	char prefix[ADDR_TEXT_LEN];
	size_t len = 0, n = 0;
	uint64_t at;
	uint8_t bits;

	for (; i < a->outsides.n; i++) {
		o = &a->outsides.list[i];
		if (!a->alone[i] || !same_owner(first, o))
			continue;
		a->alone[i] = false;
		for (at = o->lo; at <= o->hi; at += 1ull << (32 - bits), n++) {
			bits = outside_prefix((uint32_t)at, o->hi);
			if (n < LISTED && len < size)
				len += (size_t)snprintf(text + len, size - len, "%s%s", n ? ", " : "",
							addr_print_prefix4((uint32_t)at, bits, prefix));
		}
	}
	if (n > LISTED && len < size)
		snprintf(text + len, size - len, " and %zu more", n - LISTED);
}

static int advise_each(struct advice *a, outside_fn fn, void *arg)
{
	char owner[64], prefixes[160], text[TEXT_LEN];
	int told = 0;
	size_t i;

	for (i = 0; i < a->outsides.n; i++) {
		if (!a->alone[i])
			continue;
		name_owner(&a->outsides.list[i], owner, sizeof(owner));
		take_prefixes(a, i, prefixes, sizeof(prefixes));
		snprintf(text, sizeof(text), "in no connected subnet of an enabled interface: routers need a route to %s via this box, "
			 "or a routing daemon here that exports protocol 208", prefixes);
		fn(owner, text, arg);
		told++;
	}
	return told;
}

int outside_advise(const struct config *config, const struct links *links, outside_fn fn, void *arg)
{
	struct advice a = { .config = config, .links = links };
	char missing[128], text[TEXT_LEN];
	bool any = false;
	int told = 0;
	size_t i;

	if (outside_list(config, links, &a.outsides))
		return 0;
	a.alone = calloc(a.outsides.n + 1, sizeof(*a.alone));
	for (i = 0; a.alone && i < a.outsides.n; i++)
		any |= a.alone[i] = !is_connected(&a, &a.outsides.list[i]);
	if (any && unknown_interfaces(&a, missing, sizeof(missing))) {
		snprintf(text, sizeof(text), "%s not here, or not up: whether routers need routes to outside addresses cannot be said", missing);
		fn("interfaces", text, arg);
		told = 1;
	} else if (any) {
		told = advise_each(&a, fn, arg);
	}
	free(a.alone);
	outside_free(&a.outsides);
	return told;
}
