/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * native_tables.c - hash tables, routes and sockets of the native host.
 *
 * Entries are separate allocations, so a mapping keeps its address while it lives, as
 * entries of the kernel's hash tables do. Bounded as those are: a full table says so.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "host/native_impl.h"

struct native_mapping {
	struct mapping_key key;
	struct mapping value;
	UT_hash_handle hh;
};

struct native_addr {
	struct addr_key key;
	struct addr_info info;
	UT_hash_handle hh;
};

const struct addr_info *native_addr_find(struct native *n, const struct addr_key *k)
{
	struct native_addr *a;

	HASH_FIND(hh, n->addrs, k, sizeof(*k), a);
	return a ? &a->info : NULL;
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

static struct native_mapping *find(struct native *n, const struct mapping_key *k)
{
	struct native_mapping *m;

	HASH_FIND(hh, n->mappings, k, sizeof(*k), m);
	return m;
}

struct mapping *native_mapping_find(struct native *n, const struct mapping_key *k)
{
	struct native_mapping *m = find(n, k);

	return m ? &m->value : NULL;
}

int native_mapping_insert(struct native *n, const struct mapping_key *k, const struct mapping *value)
{
	struct native_mapping *m;

	if (find(n, k))
		return -EEXIST;
	if (n->n_mappings >= 2 * n->control.max_mappings + NATVI_MAX_RULES)
		return -E2BIG;
	m = calloc(1, sizeof(*m));
	if (!m)
		return -ENOMEM;
	m->key = *k;
	m->value = *value;
	HASH_ADD(hh, n->mappings, key, sizeof(m->key), m);
	n->n_mappings++;
	return 0;
}

int native_mapping_delete(struct native *n, const struct mapping_key *k)
{
	struct native_mapping *m = find(n, k);

	if (!m)
		return -ENOENT;
	HASH_DEL(n->mappings, m);
	free(m);
	n->n_mappings--;
	return 0;
}

void native_mappings_each(struct native *n, void (*fn)(const struct mapping_key *k, struct mapping *m, void *arg), void *arg)
{
	struct mapping_key *keys = calloc(n->n_mappings + 1, sizeof(*keys));
	struct native_mapping *m, *next;
	size_t i = 0, count;

	if (!keys)
		return;
	HASH_ITER(hh, n->mappings, m, next)
		keys[i++] = m->key;
	count = i;
	for (i = 0; i < count; i++) {
		m = find(n, &keys[i]);	/* may have gone with its other half */
		if (m)
			fn(&keys[i], &m->value, arg);
	}
	free(keys);
}

void native_tables_free(struct native *n)
{
	struct native_mapping *m, *m_next;
	struct native_addr *a, *a_next;

	HASH_ITER(hh, n->mappings, m, m_next) {
		HASH_DEL(n->mappings, m);
		free(m);
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

/* As the kernel's look-up: own addresses are local, then the longest prefix. */
void native_route(struct native *n, uint32_t in_ifindex, const struct tuple *t, struct route *r)
{
	uint32_t dst = ntohl(t->dst.word[3]);
	const struct native_route *best = NULL;
	const struct native_interface *out;

	r->oif = 0;
	r->mtu = 0;
	for (size_t i = 0; i < n->net.n_interfaces; i++)
		if (n->net.interfaces[i].addr == dst) {
			r->result = ROUTE_LOCAL;
			return;
		}
	for (size_t i = 0; i < n->net.n_routes; i++) {
		const struct native_route *route = &n->net.routes[i];

		if (in_prefix(dst, route->prefix, route->len) && (!best || route->len > best->len))
			best = route;
	}
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
