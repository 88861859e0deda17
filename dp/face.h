/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * face.h - the face of a host: the outside address and port that a new mapping gets.
 *
 * A host keeps to one address of its pool, in all protocols (RFC 4787 req. 2, RFC 6888 req. 2): a HOST
 * entry says which, held by the host's mappings. abi/mapping.h has its life. Which one a new host gets is
 * a matter of its hash, and of which address has room. The address under work is draft->face.
 *
 * Concurrency: the HOST entry's insertion with NOEXIST decides; the other CPU's packet is dropped.
 */
#ifndef NATVI_DP_FACE_H
#define NATVI_DP_FACE_H

#include "claim.h"
#include "mapping.h"

/* What natvi knows of an address that a zone sees; NULL: nothing. */
DP_CALLED const struct addr_info *addr_find_in(struct pkt *p, const union addr *addr, __u16 zone)
{
	struct addr_key *k = &p->cpu->addr_key;

	k->addr = *addr;
	k->zone = zone;
	return env_addr(k);
}

DP const struct addr_info *addr_find(struct pkt *p, const union addr *addr)
{
	return addr_find_in(p, addr, p->m->key.zone);
}

/* The pool that draft->pool names, in the half in force; NULL: it has no address. */
DP const struct pool *draft_pool(struct pkt *p)
{
	const struct pool *pool;

	if (p->cpu->draft.pool >= NATVI_MAX_POOLS)
		return NULL;
	pool = env_pool((p->control->active ? NATVI_MAX_POOLS : 0) + p->cpu->draft.pool);
	return pool && pool->n_addrs ? pool : NULL;
}

/* Which of the pool's addresses is p's source's first choice? The same one for all its flows (RFC 4787 req. 2). */
DP __u32 pool_choice(const struct pkt *p, const struct pool *pool)
{
	__u64 h = (rotate32(p->m->key.src.quad[1]) ^ p->m->key.src.quad[0] ^ p->control->seed) * 0x9e3779b97f4a7c15ULL;

	h = (h ^ h >> 29) * 0xc2b2ae3d27d4eb4fULL;
	return (h >> 32) * pool->n_addrs >> 32;
}

/* The pool's addresses begin here in pool_addrs. */
DP __u32 pool_first(const struct pkt *p, const struct pool *pool)
{
	return (p->control->active ? p->control->n_pool_addrs : 0) + pool->first;
}

/* Address number n (below the number of addresses) after the first choice. */
DP const struct pool_addr *pool_pick(struct pkt *p, const struct pool *pool, __u32 n)
{
	__u32 i = pool_choice(p, pool) + n;

	if (i >= pool->n_addrs)
		i -= pool->n_addrs;
	return env_pool_addr(pool_first(p, pool) + i);
}

/* A walk over a pool's addresses, for one that has a port left. */
struct room_walk {
	__u32 first, n;		/* in pool_addrs */
	__u32 at;		/* of those, where the walk begins */
	__u32 bits;		/* enum portbits_proto */
	__s64 found;		/* in pool_addrs, or -1 */
};

static long room_step(__u32 i, void *arg)
{
	struct room_walk *w = arg;
	__u32 at = w->at + i < w->n ? w->at + i : w->at + i - w->n;
	const struct pool_addr *pa = env_pool_addr(w->first + at);
	const struct portbits *b = pa ? env_portbits(pa->slot * PORTBITS_PROTOS + w->bits) : NULL;
	__u64 open = 0;

	if (!b)
		return 1;
	for (__u32 s = 0; s < NATVI_PORT_SUMMARY; s++)
		open |= ~b->summary[s];
	if (!open)
		return 0;
	w->found = w->first + at;
	return 1;
}

/* An address with room among NATVI_POOL_SCAN after those that were tried; NULL: none. */
DP const struct pool_addr *pool_room(struct pkt *p, const struct pool *pool)
{
	int bits = portbits_proto(p->m->key.proto);
	struct room_walk w = { .n = pool->n_addrs, .found = -1 };
	__u32 steps;

	if (bits < 0 || pool->n_addrs <= NATVI_POOL_TRIES)
		return NULL;
	w.first = pool_first(p, pool);
	w.at = pool_choice(p, pool) + NATVI_POOL_TRIES;
	if (w.at >= w.n)
		w.at -= w.n;
	w.bits = bits;
	steps = w.n - NATVI_POOL_TRIES;
	env_loop(steps < NATVI_POOL_SCAN ? steps : NATVI_POOL_SCAN, room_step, &w);
	return w.found < 0 ? NULL : env_pool_addr(w.found);
}

/* Would a socket of the box take packets of this protocol from p's remote to addr:port? */
DP bool port_is_local(struct pkt *p, const struct pool_addr *pa, __u32 port, __u8 proto)
{
	struct tuple *t = &p->cpu->draft.reply;

	if (!(pa->flags & ADDR_LOCAL) || proto == IPPROTO_ICMP)
		return false;
	t->src = p->m->key.dst;
	t->sport = p->m->key.dport;
	t->dst = pa->addr;
	t->dport = __builtin_bswap16(port);
	t->proto = proto;
	return env_socket(p, t);
}

/* A mapping for TCP and UDP has its port, claimed for TCP, of UDP too. False: somebody else has it there. */
DP bool port_share(struct pkt *p, const struct pool_addr *pa, __u32 port)
{
	struct portbits *b = env_portbits(pa->slot * PORTBITS_PROTOS + PORTBITS_UDP);

	if (!b || !port_take(b, port))
		return false;
	if (!port_is_local(p, pa, port, IPPROTO_TCP) && !port_is_local(p, pa, port, IPPROTO_UDP))
		return true;
	port_free(b, port);
	return false;
}

/* A port of the face that no mapping, no reservation and no local socket has; or -1. pool_flags: of its pool. Verified apart. */
ENV_GLOBAL int face_port(ENV_CONTEXT *ctx, __u32 pool_flags)
{
	struct pkt packet = { .ctx = ctx }, *p = &packet;
	const struct pool_addr *face;
	__u32 want;
	__u8 proto;
	int bits;

	if (!pkt_begin(p))
		return -1;
	face = &p->cpu->draft.face;
	want = __builtin_bswap16(p->m->key.sport);
	proto = p->cpu->draft.map_proto;
	bits = proto ? portbits_proto(proto) : PORTBITS_TCP;
	if (bits < 0)
		return -1;
	for (__u64 i = 0; i < NATVI_FACE_TRIES; i++) {	/* a stack slot of its own: the verifier has to know it */
		int port = port_claim(face->slot, bits, want, i == 0 && !(pool_flags & POOL_RANDOM));
		struct portbits *b;

		if (port < 0)
			return -1;
		if (proto ? !port_is_local(p, face, port, proto) : port_share(p, face, port))
			return port;
		b = env_portbits(face->slot * PORTBITS_PROTOS + bits);
		if (b)
			port_free(b, port);
	}
	return -1;
}

/* Do hosts keep to one of several addresses? */
DP bool is_paired(const struct pool *pool)
{
	return pool->n_addrs > 1 && !(pool->flags & POOL_ARBITRARY);
}

/* The HOST entry of p's source, or NULL; draft->back is its key. */
DP struct mapping *host_get(struct pkt *p)
{
	struct draft *draft = &p->cpu->draft;

	mapping_host_key(&draft->back, &p->m->key.src, p->m->key.zone, draft->pool);
	return mapping_get(&draft->back);
}

/* The pool's address in a HOST entry; NULL: a reload has taken it out of the pool. What all zones see zone 0 sees, too. */
DP const struct addr_info *host_address(struct pkt *p, const struct mapping *m)
{
	const struct pool *pool = draft_pool(p);
	const struct addr_info *info = pool ? addr_find_in(p, &m->addr, pool->zone) : NULL;

	return info && info->pool == p->cpu->draft.pool ? info : NULL;
}

/* The face that p's host has already, held for one more mapping; false: none. */
DP bool host_face(struct pkt *p)
{
	struct draft *draft = &p->cpu->draft;
	struct mapping *m = host_get(p);
	const struct addr_info *info = m ? host_address(p, m) : NULL;

	if (!info || !mapping_hold(m))
		return false;
	draft->face.addr = m->addr;
	draft->face.slot = m->slot;
	draft->face.flags = info->flags;
	return true;
}

/* draft->face is p's host's from now on, for one mapping. 0, or negative: another CPU was faster, or there is no room. */
DP int host_begin(struct pkt *p)
{
	struct draft *draft = &p->cpu->draft;
	struct mapping *m = host_get(p);

	if (m && !host_address(p, m) && mapping_hold(m)) {
		m->addr = draft->face.addr;
		m->slot = draft->face.slot;
		return 0;
	}
	__builtin_memset(&draft->value, 0, sizeof(draft->value));
	draft->value.addr = draft->face.addr;
	draft->value.slot = draft->face.slot;
	draft->value.refs = 1;
	draft->value.since_s = p->m->now_s;
	draft->value.pool = draft->pool;
	return mapping_put(&draft->back, &draft->value);
}

/* What has no mapping of its own goes by the address of its host's mappings (RFC 7857 section 4), if there are any. */
DP void host_follow(struct pkt *p)
{
	struct draft *draft = &p->cpu->draft;
	const struct mapping *m = host_get(p);

	if (!m || !host_address(p, m))
		return;
	draft->out.src = m->addr;
	draft->slot = m->slot;
}

DP void host_release(struct pkt *p)
{
	struct draft *draft = &p->cpu->draft;

	mapping_host_key(&draft->back, &p->m->key.src, p->m->key.zone, draft->pool);
	holder_release(&draft->back);
}

/*
 * Address (draft->face) and port for a new mapping; the port, or -1 and the reason in *why. A host keeps to
 * the address that it has (RFC 4787 req. 2, RFC 6888 req. 2), also when that has no port left; a new one
 * goes where there is room.
 */
DP int face_find(struct pkt *p, const struct pool *pool, bool paired, enum verdict *why)
{
	struct draft *draft = &p->cpu->draft;
	int port = -1, err;

	*why = VERDICT_NO_PORT;
	if (paired && host_face(p)) {
		port = face_port(p->ctx, pool->flags);
		if (port < 0)
			host_release(p);
		return port;
	}
	for (__u32 i = 0; i <= NATVI_POOL_TRIES && port < 0; i++) {
		const struct pool_addr *pa = i < NATVI_POOL_TRIES && i < pool->n_addrs ? pool_pick(p, pool, i) : pool_room(p, pool);

		if (!pa)
			return -1;
		draft->face = *pa;
		port = face_port(p->ctx, pool->flags);
	}
	err = port < 0 || !paired ? 0 : host_begin(p);
	if (!err)
		return port;
	mapping_port_free(draft->face.slot, draft->map_proto, port);
	*why = err == -EEXIST_ ? VERDICT_RACE : VERDICT_MAPPINGS_FULL;
	return -1;
}

#endif
