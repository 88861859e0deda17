/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * native_tables.c - addresses, routes and sockets of the native host.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "host/native_impl.h"

struct native_addr {
	struct addr_key key;
	struct addr_info info;
	UT_hash_handle hh;
};

struct native_fragment {
	struct tuple key;
	struct fragment value;
	UT_hash_handle hh;
};

struct native_asker {
	struct addr_key key;
	struct fragment_source value;
	UT_hash_handle hh;
};

const struct addr_info *native_addr_find(struct native *n, const struct addr_key *k)
{
	struct addr_info info;
	struct native_addr *a;

	HASH_FIND(hh, n->addrs, k, sizeof(*k), a);
	if (a || !n->source || !n->source->addr(n->source->arg, k, &info) || native_addr_add(n, k, &info))
		return a ? &a->info : NULL;
	return native_addr_find(n, k);
}

int native_addr_add(struct native *n, const struct addr_key *k, const struct addr_info *info)
{
	struct native_addr *a = calloc(1, sizeof(*a));

	if (!a)
		return -ENOMEM;
	a->key = *k;
	a->info = *info;
	HASH_ADD(hh, n->addrs, key, sizeof(a->key), a);
	return 0;
}

static struct native_fragment *fragment_entry(struct native *n, const struct tuple *k)
{
	struct native_fragment *f;

	HASH_FIND(hh, n->fragments, k, sizeof(*k), f);
	return f;
}

struct fragment *native_fragment(struct native *n, const struct tuple *k)
{
	struct native_fragment *f = fragment_entry(n, k);
	struct fragment value;

	if (f || !n->source || !n->source->fragment(n->source->arg, k, &value))
		return f ? &f->value : NULL;
	native_fragment_put(n, k, &value);
	f = fragment_entry(n, k);
	return f ? &f->value : NULL;
}

void native_fragment_cut(struct native *n, const struct tuple *k)
{
	struct native_fragment *f = fragment_entry(n, k);

	if (!f)
		return;
	HASH_DEL(n->fragments, f);
	free(f);
}

void native_fragment_put(struct native *n, const struct tuple *k, const struct fragment *value)
{
	struct native_fragment *f;

	native_fragment_cut(n, k);
	if (HASH_COUNT(n->fragments) >= NATVI_FRAGMENTS)
		native_fragment_cut(n, &n->fragments->key);
	f = calloc(1, sizeof(*f));
	if (!f)
		return;
	f->key = *k;
	f->value = *value;
	HASH_ADD(hh, n->fragments, key, sizeof(f->key), f);
}

struct fragment_source *native_fragment_source(struct native *n, const struct addr_key *k)
{
	struct native_asker *s;

	HASH_FIND(hh, n->askers, k, sizeof(*k), s);
	if (s)
		return &s->value;
	if (HASH_COUNT(n->askers) >= NATVI_FRAGMENT_SOURCES) {
		s = n->askers;
		HASH_DEL(n->askers, s);
		free(s);
	}
	s = calloc(1, sizeof(*s));
	if (!s)
		return NULL;
	s->key = *k;
	if (n->source)
		n->source->fragment_source(n->source->arg, k, &s->value);
	HASH_ADD(hh, n->askers, key, sizeof(s->key), s);
	return &s->value;
}

void native_tables_free(struct native *n)
{
	struct native_fragment *f, *f_next;
	struct native_asker *s, *s_next;
	struct native_addr *a, *a_next;

	HASH_ITER(hh, n->fragments, f, f_next) {
		HASH_DEL(n->fragments, f);
		free(f);
	}
	HASH_ITER(hh, n->askers, s, s_next) {
		HASH_DEL(n->askers, s);
		free(s);
	}
	HASH_ITER(hh, n->addrs, a, a_next) {
		HASH_DEL(n->addrs, a);
		free(a);
	}
}

static const struct native_interface *interface(const struct native *n, uint32_t ifindex)
{
	for (size_t i = 0; i < n->net.n_interfaces; i++)
		if (n->net.interfaces[i].ifindex == ifindex)
			return &n->net.interfaces[i];
	return NULL;
}

static bool in_prefix(uint32_t addr, uint32_t prefix, uint8_t len)
{
	return len == 0 || (addr ^ prefix) >> (32 - len) == 0;
}

static bool selects(const struct native_selector *s, const struct native *n, uint32_t in_ifindex, const struct tuple *t)
{
	return (!s->iif || s->iif == in_ifindex) && (!s->mark || s->mark == n->mark) && (!s->tos || s->tos == n->cpu[0].meta.tos) &&
	       in_prefix(ntohl(t->src.word[3]), s->source, s->source_len);
}

size_t native_table(const struct native_net *net, const struct native_route *route)
{
	static const struct native_selector none;
	size_t i = 0;

	if (!memcmp(&route->selector, &none, sizeof(none)))
		return SIZE_MAX;
	while (memcmp(&net->routes[i].selector, &route->selector, sizeof(none)))
		i++;
	return i;
}

/* The longest prefix of the first table that has one for this packet; NULL: none has. */
static const struct native_route *find_route(const struct native *n, uint32_t in_ifindex, const struct tuple *t)
{
	const struct native_route *best = NULL, *route;
	size_t best_table = SIZE_MAX, table;

	for (size_t i = 0; i < n->net.n_routes; i++) {
		route = &n->net.routes[i];
		if (!in_prefix(ntohl(t->dst.word[3]), route->prefix, route->len) || !selects(&route->selector, n, in_ifindex, t))
			continue;
		table = native_table(&n->net, route);
		if (best && (table > best_table || (table == best_table && route->len <= best->len)))
			continue;
		best = route;
		best_table = table;
	}
	return best;
}

/* As the kernel's look-up: own addresses are local, then the routing rules in their order. */
void native_route(struct native *n, uint32_t in_ifindex, const struct tuple *t, struct route *r)
{
	uint32_t dst = ntohl(t->dst.word[3]);
	const struct native_route *best;
	const struct native_interface *out;

	r->oif = 0;
	r->mtu = 0;
	for (size_t i = 0; i < n->net.n_interfaces; i++)
		if (n->net.interfaces[i].addr == dst) {
			r->result = ROUTE_LOCAL;
			return;
		}
	best = find_route(n, in_ifindex, t);
	out = best ? interface(n, best->ifindex) : NULL;
	r->result = !out ? ROUTE_NONE : best->has_mac ? ROUTE_OK : ROUTE_NO_NEIGHBOUR;
	if (!out)
		return;
	r->oif = out->ifindex;
	if (best->has_mac)	/* the kernel tells no MTU with "no neighbour" */
		r->mtu = best->mtu ? best->mtu : out->mtu;
	memcpy(r->dmac, best->mac, sizeof(r->dmac));
	memcpy(r->smac, out->mac, sizeof(r->smac));
}

bool native_socket(struct native *n, const struct tuple *t)
{
	uint32_t addr = ntohl(t->dst.word[3]);
	uint16_t port = ntohs(t->dport);

	for (size_t i = 0; i < n->net.n_sockets; i++) {
		const struct native_socket *s = &n->net.sockets[i];

		if (s->proto == t->proto && s->port == port && (!s->addr || s->addr == addr))
			return true;
	}
	return false;
}
