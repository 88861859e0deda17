/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * wire_host.h - the box's own packets on a wire: one address, no routes.
 *
 * The kernel sends them all to nvi0, where it finds each host of the world by ARP: those of the box's network answer
 * themselves, for all others natvi gives the gateway's MAC address. What a packet really leaves with is decided
 * here, by what has been learned, so that the kernel may keep a MAC address for as long as it likes.
 */
#ifndef NATVI_DP_WIRE_HOST_H
#define NATVI_DP_WIRE_HOST_H

#include "arp_packet.h"
#include "wire_flow.h"

/* In the VLAN of the box's address? A tag with a priority alone is none (802.1Q). */
DP bool is_hosts_vlan(const struct pkt *p, const struct wire *w)
{
	return w->host && link_vlan(&p->m->link) == w->host_vlan && (p->m->link.tags & TAGS_COUNT) <= 1;
}

/* From the wire, for the box's own stack. */
DP enum stage to_host(struct pkt *p, enum verdict v)
{
	__u32 tags = p->m->link.tags & TAGS_COUNT;

	if (!p->control->nvi_ifindex)
		return drop(p, VERDICT_WIRE_NO_TARGET);
	if (!env_untag(p, tags))
		return drop(p, VERDICT_TRUNCATED);
	return sent(p, v, env_enter(p, p->control->nvi_ifindex));
}

/* Out of both ports. */
DP enum stage host_flood(struct pkt *p, const struct wire *w)
{
	int failed;

	if (!env_frame(p, &p->m->link))
		return drop(p, VERDICT_TRUNCATED);
	failed = w->port[0] ? env_copy(p, w->port[0], false) : -1;
	if (!w->port[1])
		return failed ? drop(p, VERDICT_WIRE_NO_PORT) : sent(p, VERDICT_WIRE_OWN, env_drop(p));
	return sent(p, VERDICT_WIRE_OWN, env_redirect(p, w->port[1]));
}

DP enum stage host_out(struct pkt *p, const struct wire *w)
{
	__u32 out = w->port[p->m->link.side & 1];

	if (!out)
		return drop(p, VERDICT_WIRE_NO_PORT);
	if (!env_frame(p, &p->m->link))
		return drop(p, VERDICT_TRUNCATED);
	return sent(p, VERDICT_WIRE_OWN, env_redirect(p, out));
}

/* To the MAC address that the kernel says, in the box's VLAN, from the box's own. */
DP void host_link(struct pkt *p, const struct wire *w)
{
	struct link_head *l = &p->m->link;

	l->proto = p->m->eth_proto;
	l->tags = w->host_vlan ? 1 : 0;
	l->tci[0] = w->host_vlan;
	l->tci[1] = 0;
}

/* As the kernel has it, if that is one MAC address that is known. */
DP enum stage host_by_mac(struct pkt *p, const struct wire *w)
{
	struct link_head *l = &p->m->link;
	const struct wire_neighbour *n;

	if (l->dmac[0] & 1)
		return host_flood(p, w);
	link_follow(p, l);
	n = neighbour_find(neighbour_id(l->dmac, w->host_vlan), p->m->key.zone);
	if (!n)
		return host_flood(p, w);
	l->side = n->side;
	return host_out(p, w);
}

/* Whom the kernel asks for is the gateway's to reach: the answer comes from here. */
DP enum stage host_arp_answer(struct pkt *p, struct arp_packet *arp, const struct wire *w, const struct wire_state *st)
{
	struct ethhdr *eth = p->data;

	if ((void *)(eth + 1) > p->data_end)
		return drop(p, VERDICT_TRUNCATED);
	arp_reply(arp, st->gateway);
	__builtin_memcpy(eth->h_dest, w->host_mac, ETH_ALEN);
	__builtin_memcpy(eth->h_source, st->gateway, ETH_ALEN);
	return sent(p, VERDICT_ARP_SENT, env_enter(p, p->control->nvi_ifindex));
}

DP enum stage host_arp(struct pkt *p, const struct wire *w)
{
	const struct wire_state *st = env_wire_state(p->m->key.zone);
	struct arp_packet *arp = arp_of(p);
	union addr asked;

	if (arp && st && st->gateway_seen_s && !(w->flags & WIRE_GATEWAY) && arp->op == ARP_REQUEST) {
		addr_from_v4(&asked, arp_addr(arp->tpa));
		if (is_beyond(w, &asked))
			return host_arp_answer(p, arp, w, st);
	}
	host_link(p, w);
	return host_by_mac(p, w);
}

/*
 * A packet that its mark ties to a captured connection: one that answers goes where the connection's requests have come from,
 * one in the requests' direction where they were to go. False: it is no such packet.
 */
DP bool host_by_mark(struct pkt *p, const struct wire *w)
{
	struct link_head *l = &p->m->link;
	struct flow *f;
	__u64 handle;

	if (likely(!p->m->mark) || (p->m->mark != w->reply_mark && p->m->mark != w->original_mark) || !has_wire_flow(p))
		return false;
	f = flow_of(&p->m->key, &handle);
	if (!f || !(f->flags & FLOW_WIRE) || p->m->mark != (f->flags & FLOW_ORIG ? w->original_mark : w->reply_mark) ||
	    !mac_is_set(f->smac))
		return false;
	flow_link(f, l);
	if (f->flags & FLOW_TARGET)
		l->side = target_side(f, w);
	else
		l->side = !(f->tags & TAGS_SECOND);
	link_follow(p, l);
	f->last_seen_s = p->m->now_s;
	return true;
}

/* Who has sent from p's destination, in the box's VLAN and not long ago; a host beyond a router that is silent is the gateway's. */
DP const struct station *host_station(const struct pkt *p, const struct wire *w)
{
	const struct station *s = station_find(&p->m->key.dst, p->m->key.zone);
	const struct wire_neighbour *n;

	if (!s || station_vlan(s) != w->host_vlan)
		return NULL;
	if (!is_beyond(w, &p->m->key.dst))
		return s;
	n = neighbour_find(neighbour_id(s->mac, w->host_vlan), p->m->key.zone);
	return n && (__s32)(p->m->now_s - n->last_seen_s) <= NATVI_WIRE_GATEWAY_S ? s : NULL;
}

/* The box sends p, which is at nvi0's egress. */
DP enum stage host_stages(struct pkt *p, const struct wire *w)
{
	const struct wire_state *st = env_wire_state(p->m->key.zone);
	struct link_head *l = &p->m->link;
	const struct station *s;
	bool sound;

	if (!st || !parse_link(p) || (l->tags & TAGS_COUNT))
		return drop(p, VERDICT_WIRE_UNKNOWN);
	if (p->m->eth_proto == __builtin_bswap16(ETH_P_ARP))
		return host_arp(p, w);
	sound = parse_captured(p);
	host_link(p, w);
	if (!sound)
		return host_by_mac(p, w);
	if (host_by_mark(p, w))
		return host_out(p, w);
	s = host_station(p, w);
	if (s) {
		__builtin_memcpy(l->dmac, s->mac, ETH_ALEN);
		l->side = s->side;
	} else if (is_beyond(w, &p->m->key.dst) && st->gateway_seen_s && !(w->flags & WIRE_GATEWAY)) {
		__builtin_memcpy(l->dmac, st->gateway, ETH_ALEN);
		l->side = st->gateway_side;
	} else {
		return host_by_mac(p, w);
	}
	link_follow(p, l);
	return host_out(p, w);
}

#endif
