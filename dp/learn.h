/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * learn.h - who is on a wire: neighbours by their MAC address, stations by their address of IP (abi/wire.h).
 *
 * A neighbour's entry costs a crossing frame one look, and a write in each second. What it is worth: when a MAC address moves,
 * those who still say the old one are brought to the new one (link_follow), and a claim by ARP alone takes nothing from
 * who is alive with the old one.
 */
#ifndef NATVI_DP_LEARN_H
#define NATVI_DP_LEARN_H

#include "env.h"

/* MAC address and VLAN as an entry has them: one word. */
DP __u64 neighbour_id(const __u8 mac[6], __u16 vlan)
{
	const __u16 *half = (const __u16 *)mac;

	return half[0] | (__u64)half[1] << 16 | (__u64)half[2] << 32 | (__u64)vlan << 48;
}

DP __u64 neighbour_own_id(const struct wire_neighbour *n)
{
	return *(const __u64 *)n->mac;
}

DP struct wire_neighbours *neighbour_set(__u64 id, __u32 zone)
{
	__u64 h = (id + zone) * 0x9e3779b97f4a7c15ULL;

	h >>= 40;
	OPAQUE(h);
	return env_neighbours(h & (NATVI_NEIGHBOUR_SETS - 1));
}

/* The entry, or NULL. */
DP struct wire_neighbour *neighbour_find(__u64 id, __u32 zone)
{
	struct wire_neighbours *set = neighbour_set(id, zone);

	if (!set)
		return NULL;
#pragma GCC unroll 4
	for (__u32 i = 0; i < NATVI_NEIGHBOUR_WAYS; i++)
		if (neighbour_own_id(&set->entry[i]) == id && set->entry[i].zone == zone && set->entry[i].last_seen_s)
			return &set->entry[i];
	return NULL;
}

DP bool is_silent(const struct wire_neighbour *n, __u32 now_s)
{
	return (__s32)(now_s - n->last_seen_s) >= NATVI_WIRE_SILENT_S;
}

/* Is a worth less than b? Who is silent less than who is not, then who has been for longer; of those who are not, who came last. */
DP bool neighbour_yields(const struct wire_neighbour *a, const struct wire_neighbour *b, __u32 now_s)
{
	bool silent = !a->last_seen_s || is_silent(a, now_s);

	if (silent != (!b->last_seen_s || is_silent(b, now_s)))
		return silent;
	return silent ? (__s32)(a->last_seen_s - b->last_seen_s) < 0 : (__s32)(a->first_seen_s - b->first_seen_s) > 0;
}

/* The entry that is worth least becomes this one's: a flood of addresses drives out no neighbour that talks. */
DP struct wire_neighbour *neighbour_make(__u64 id, __u32 zone, __u32 now_s)
{
	struct wire_neighbours *set = neighbour_set(id, zone);
	struct wire_neighbour *n;

	if (!set)
		return NULL;
	n = &set->entry[0];
	for (__u32 i = 1; i < NATVI_NEIGHBOUR_WAYS; i++)
		if (neighbour_yields(&set->entry[i], n, now_s))
			n = &set->entry[i];
	n->last_seen_s = 0;
	*(__u64 *)n->mac = id;
	n->zone = zone;
	n->flags = 0;
	n->moved_s = 0;
	n->first_seen_s = now_s;
	return n;
}

/* The outer VLAN that p has come in by; 0: untagged. */
DP __u16 link_vlan(const struct link_head *l)
{
	return l->tags & TAGS_COUNT ? l->tci[0] & 0xfff : 0;
}

/* A frame has come from p's source. One that had moved is back. */
DP void neighbour_seen(struct pkt *p)
{
	__u64 id = neighbour_id(p->m->link.smac, link_vlan(&p->m->link));
	struct wire_neighbour *n;

	if (p->m->link.smac[0] & 1)
		return;
	n = neighbour_find(id, p->m->key.zone);
	if (likely(n && n->last_seen_s == p->m->now_s && n->side == p->m->link.side && !(n->flags & NEIGHBOUR_MOVED)))
		return;
	if (!n)
		n = neighbour_make(id, p->m->key.zone, p->m->now_s);
	if (!n)
		return;
	n->side = p->m->link.side;
	n->flags &= ~NEIGHBOUR_MOVED;
	n->last_seen_s = p->m->now_s;
}

/* Moving */

DP void neighbour_event(struct pkt *p, const union addr *addr, const struct wire_neighbour *from, __u32 why)
{
	struct event *e = &p->cpu->event;

	if ((__s32)(p->control->events_until_s - p->m->now_s) < 0)
		return;
	__builtin_memset(e, 0, sizeof(*e));
	e->kind = EVENT_NEIGHBOUR_MOVED;
	e->time_s = p->m->now_s;
	e->orig.src = *addr;
	e->orig.zone = p->m->key.zone;
	__builtin_memcpy(e->mac[0], from->mac, ETH_ALEN);
	__builtin_memcpy(e->mac[1], from->next, ETH_ALEN);
	e->verdict = from->next_side;
	e->reason = why;
	if (env_event(e))
		p->cpu->counters.events_lost++;
}

/* from's next is its MAC address from now on. */
DP void neighbour_move(struct pkt *p, struct wire_neighbour *from, const union addr *addr, __u32 why)
{
	struct wire_state *st = env_wire_state(p->m->key.zone);

	if (!st)
		return;
	from->flags = (from->flags & ~NEIGHBOUR_CLAIMED) | NEIGHBOUR_MOVED;
	from->moved_s = p->m->now_s;
	if (!__builtin_memcmp(st->gateway, from->mac, ETH_ALEN)) {
		__builtin_memcpy(st->gateway, from->next, ETH_ALEN);
		st->gateway_side = from->next_side;
	}
	__sync_fetch_and_add(&st->generation, 1);
	neighbour_event(p, addr, from, why);
}

/*
 * Address addr, which was behind the MAC address of id, is behind p's source now. By ARP alone only where the policy
 * says so or the old one is silent, else when it will be. True: it is.
 */
DP bool neighbour_claim(struct pkt *p, const struct wire *w, __u64 id, const union addr *addr, __u32 why)
{
	struct wire_neighbour *from = neighbour_find(id, p->m->key.zone);
	struct wire_state *st = env_wire_state(p->m->key.zone);
	bool silent = !from || is_silent(from, p->m->now_s);

	if (!st)
		return false;
	if (!from)
		return true;
	if (!silent && why == MOVED_BY_PACKET)	/* the address goes, the neighbour stays for others */
		return true;
	__builtin_memcpy(from->next, p->m->link.smac, ETH_ALEN);
	from->next_side = p->m->link.side;
	if (silent || (w->flags & WIRE_ARP_MOVES)) {
		neighbour_move(p, from, addr, why);
		return true;
	}
	from->flags |= NEIGHBOUR_CLAIMED;
	from->moved_s = p->m->now_s;
	st->claims_until_s = p->m->now_s + NATVI_WIRE_CLAIM_S;
	return false;
}

#define FOLLOW_STEPS	3

/* The MAC address and the port in l, which a packet is to go to, as they are now. True: others than before. */
DP bool link_follow(struct pkt *p, struct link_head *l)
{
	union addr none = {};
	bool moved = false;

	for (int i = 0; i < FOLLOW_STEPS; i++) {
		struct wire_neighbour *n = neighbour_find(neighbour_id(l->dmac, link_vlan(l)), p->m->key.zone);

		if (!n)
			break;
		if ((n->flags & NEIGHBOUR_CLAIMED) && is_silent(n, p->m->now_s) &&
		    (__s32)(p->m->now_s - n->moved_s) <= NATVI_WIRE_CLAIM_S)
			neighbour_move(p, n, &none, MOVED_BY_ARP);
		if (!(n->flags & NEIGHBOUR_MOVED))
			break;
		__builtin_memcpy(l->dmac, n->next, ETH_ALEN);
		l->side = n->next_side;
		moved = true;
	}
	return moved;
}

/* Stations */

DP struct stations *station_set(const union addr *addr, __u32 zone)
{
	__u64 h = (addr->quad[0] ^ zone) * 0x9e3779b97f4a7c15ULL + addr->quad[1];

	h = (h ^ h >> 32) * 0xc2b2ae3d27d4eb4fULL >> 40;
	OPAQUE(h);
	return env_stations(h & (NATVI_STATION_SETS - 1));
}

DP bool addr_same(const union addr *a, const union addr *b)
{
	return a->quad[0] == b->quad[0] && a->quad[1] == b->quad[1];
}

/* The entry, or NULL. */
DP struct station *station_find(const union addr *addr, __u32 zone)
{
	struct stations *set = station_set(addr, zone);

	if (!set)
		return NULL;
	for (__u32 i = 0; i < NATVI_STATION_WAYS; i++)
		if (addr_same(&set->entry[i].addr, addr) && set->entry[i].zone == zone && set->entry[i].last_seen_s)
			return &set->entry[i];
	return NULL;
}

DP struct station *station_make(const union addr *addr, __u32 zone)
{
	struct stations *set = station_set(addr, zone);
	struct station *s;

	if (!set)
		return NULL;
	s = &set->entry[0];
	for (__u32 i = 1; i < NATVI_STATION_WAYS; i++)
		if ((__s32)(set->entry[i].last_seen_s - s->last_seen_s) < 0)
			s = &set->entry[i];
	s->last_seen_s = 0;
	s->addr = *addr;
	s->zone = zone;
	__builtin_memset(s->peer, 0, ETH_ALEN);
	return s;
}

/* As link_vlan(). */
DP __u16 station_vlan(const struct station *s)
{
	return s->tags & TAGS_COUNT ? s->tci[0] & 0xfff : 0;
}

/* Is this what the station has said of itself before, in this second? */
DP bool station_is_current(const struct pkt *p, const struct station *s)
{
	return s->last_seen_s == p->m->now_s && s->side == p->m->link.side && !__builtin_memcmp(s->mac, p->m->link.smac, ETH_ALEN);
}

/* Does the station go to p's source? What ARP has confirmed a single packet does not take from a neighbour that is alive. */
DP bool station_moves(struct pkt *p, const struct wire *w, const struct station *s, __u32 why)
{
	__u64 id = neighbour_id(s->mac, station_vlan(s));
	const struct wire_neighbour *n = neighbour_find(id, p->m->key.zone);

	if (why == MOVED_BY_PACKET && (s->tags & STATION_CONFIRMED) && !(w->flags & WIRE_ARP_MOVES) && n && !is_silent(n, p->m->now_s))
		return false;
	return neighbour_claim(p, w, id, &s->addr, why);
}

/*
 * addr is behind p's source. why: enum moved. peer: p is for its MAC address beyond this wire, which answers to
 * addr may come from.
 */
DP void station_learn(struct pkt *p, const struct wire *w, const union addr *addr, __u32 why, bool peer)
{
	struct station *s = station_find(addr, p->m->key.zone);
	const struct link_head *l = &p->m->link;
	__u8 confirmed = why == MOVED_BY_ARP ? STATION_CONFIRMED : 0;

	if (l->smac[0] & 1)
		return;
	if (s && !__builtin_memcmp(s->mac, l->smac, ETH_ALEN))
		confirmed |= s->tags & STATION_CONFIRMED;
	else if (s && !station_moves(p, w, s, why))
		return;
	if (!s)
		s = station_make(addr, p->m->key.zone);
	if (!s)
		return;
	__builtin_memcpy(s->mac, l->smac, ETH_ALEN);
	if (peer)
		__builtin_memcpy(s->peer, l->dmac, ETH_ALEN);
	s->tci[0] = l->tci[0];
	s->tci[1] = l->tci[1];
	s->tags = l->tags | confirmed;
	s->side = l->side;
	s->last_seen_s = p->m->now_s;
}

DP bool mac_is_set(const __u8 mac[6])
{
	return mac[0] | mac[1] | mac[2] | mac[3] | mac[4] | mac[5];
}

/* The way to a station; its answers are taken to come from the one that it talked to, or from the box. */
DP void station_link(const struct station *s, const struct wire *w, struct link_head *l)
{
	__builtin_memcpy(l->dmac, s->mac, ETH_ALEN);
	__builtin_memcpy(l->smac, mac_is_set(s->peer) ? s->peer : w->host_mac, ETH_ALEN);
	l->tci[0] = s->tci[0];
	l->tci[1] = s->tci[1];
	l->tags = s->tags & ~STATION_CONFIRMED;
	l->side = s->side;
}

/* The gateway */

/* Is addr beyond the box's network, as only a router sends from? */
DP bool is_beyond(const struct wire *w, const union addr *addr)
{
	__u8 first = addr->byte[12];

	return w->host && addr_is_v4(addr) && ((addr->word[3] ^ w->host) & w->host_mask) && first && first != 127 && first < 224;
}

/* mac, behind this port, is a router; the gateway, if that is not another one that has been heard of lately. */
DP void gateway_learn(struct pkt *p, struct wire_state *st, const __u8 mac[6], __u32 side)
{
	struct wire_neighbour *n;

	if (st->gateway_seen_s && (__s32)(p->m->now_s - st->gateway_seen_s) <= NATVI_WIRE_GATEWAY_S)
		return;
	n = neighbour_find(neighbour_id(mac, link_vlan(&p->m->link)), p->m->key.zone);
	if (n)
		n->flags |= NEIGHBOUR_ROUTER;
	__builtin_memcpy(st->gateway, mac, ETH_ALEN);
	st->gateway_side = side;
	st->gateway_seen_s = p->m->now_s;
}

/* p has come from beyond the box's network, in its VLAN. */
DP void gateway_seen(struct pkt *p, struct wire_state *st)
{
	if (__builtin_memcmp(st->gateway, p->m->link.smac, ETH_ALEN)) {
		gateway_learn(p, st, p->m->link.smac, p->m->link.side);
		return;
	}
	if (st->gateway_seen_s != p->m->now_s) {
		st->gateway_seen_s = p->m->now_s;
		st->gateway_side = p->m->link.side;
	}
}

/* p goes from the box's network beyond it: whom it is for knows the way, and is behind the other port. */
DP void gateway_meant(struct pkt *p, const struct wire *w)
{
	struct wire_state *st;

	if (!is_beyond(w, &p->m->key.dst) || (p->m->link.dmac[0] & 1))
		return;
	st = env_wire_state(p->m->key.zone);
	if (st)
		gateway_learn(p, st, p->m->link.dmac, !p->m->link.side);
}

DP bool gateway_link(const struct wire *w, struct link_head *l, const struct wire_state *st)
{
	if (!st->gateway_seen_s)
		return false;
	__builtin_memcpy(l->dmac, st->gateway, ETH_ALEN);
	__builtin_memcpy(l->smac, w->host_mac, ETH_ALEN);
	l->side = st->gateway_side;
	l->tags = w->host_vlan ? 1 : 0;
	l->tci[0] = w->host_vlan;
	l->tci[1] = 0;
	return true;
}

#endif
