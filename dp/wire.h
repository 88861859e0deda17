/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * wire.h - wire mode's table of contents, as dp.h is NAT's: three programs, for a wire's ports, for the devices that captured
 * traffic goes to, and for nvi0, where the box itself speaks.
 */
#ifndef NATVI_DP_WIRE_H
#define NATVI_DP_WIRE_H

#include "apart.h"
#include "icmp6.h"
#include "wire_error.h"
#include "wire_host.h"

/* On to the other port, byte for byte. */
DP enum stage cross_wire(struct pkt *p, const struct wire *w)
{
	__u32 side = p->m->link.side & 1, out = w->port[!side];

	if (env_hits_only(p) && !(w->flags & WIRE_XDP))
		return punt(p);
	if (!out)
		return drop(p, VERDICT_WIRE_NO_PORT);
	p->cpu->counters.crossed[p->m->key.zone & (NATVI_MAX_WIRES - 1)][side].packets++;
	p->cpu->counters.crossed[p->m->key.zone & (NATVI_MAX_WIRES - 1)][side].bytes += p->m->wire_len;
	if (env_hits_only(p))
		p->cpu->counters.xdp_hits++;
	return sent(p, VERDICT_WIRE_CROSSED, env_redirect(p, out));
}

/* Larger than what is ahead takes: whoever may not have it cut is told so in the name of the remote. */
DP enum stage refuse_size(struct pkt *p, __u32 mtu)
{
	return is_v6(p) ? refuse(p, VERDICT_TOO_BIG, ICMP6_TOO_BIG, 0, mtu)
			: refuse(p, VERDICT_TOO_BIG, ICMP_DEST_UNREACH, ICMP_FRAG_NEEDED, mtu);
}

/*
 * Larger than the target takes, and it may be cut: the kernel's work. p goes in by nvi0, and its mark leads it out of the target
 * (the daemon's routing rule); the hop that this costs is given back before.
 */
DP enum stage captured_whole(struct pkt *p, const struct wire *w, const struct port *to)
{
	struct iphdr *ip = p->data + p->m->l3;

	if (!p->control->nvi_ifindex || !to->target_mark || (void *)(ip + 1) > p->data_end)
		return refuse_size(p, to->mtu);
	if (ip->ttl < 255) {
		ip->ttl++;
		ip->check = csum_apply(ip->check, (__u16)~CSUM_TTL_DELTA);
	}
	if (env_store(p, 0, w->host_mac, ETH_ALEN) || !env_untag(p, p->m->link.tags & TAGS_COUNT))
		return drop(p, VERDICT_TRUNCATED);
	env_mark_slow(p, to->target_mark);
	return sent(p, VERDICT_SLOW_TOO_BIG, env_enter(p, p->control->nvi_ifindex));
}

/* While nobody watches it, the device may be gone without a word. */
DP bool target_is_there(struct pkt *p)
{
	return p->m->target && (likely(daemon_lives(p)) || env_is_there(p, p->m->target));
}

/* p is taken out of the wire, to p->m->target. */
DP enum stage captured(struct pkt *p)
{
	const struct wire *w = env_wire(p->m->key.zone);
	const struct port *to = port_lookup(p->m->target, 0);
	__u32 end = p->m->l3 + p->m->len;

	if (!w)
		return drop(p, VERDICT_INTERNAL);
	if (!to && !p->m->target_rule) {	/* the flow's target has gone, and may have come back by another ifindex */
		p->m->target = capture_target(p);
		to = port_lookup(p->m->target, 0);
	}
	if (!to || (to->flags & PORT_DOWN) || !target_is_there(p))
		return w->flags & WIRE_OPEN ? cross_wire(p, w) : drop(p, VERDICT_WIRE_NO_TARGET);
	station_learn(p, w, &p->m->key.src, MOVED_BY_PACKET, true);
	if (has_wire_flow(p))
		wire_flow_follow(p, w, p->m->target, p->m->target_rule);
	if (to->flags & PORT_NVI)
		return env_store(p, 0, w->host_mac, ETH_ALEN) ? drop(p, VERDICT_TRUNCATED)
							      : to_host(p, VERDICT_WIRE_CAPTURED);
	if (p->m->seg_len > to->mtu && ((p->m->flags & PKT_DF) || is_v6(p)))
		return refuse_size(p, to->mtu);
	if (p->m->seg_len > to->mtu)
		return captured_whole(p, w, to);
	wire_mss(p, w, to->mtu);
	if (!mss_clamp(p) || (p->m->wire_len > end && !env_trim(p, end)) || !env_untag(p, p->m->link.tags & TAGS_COUNT))
		return drop(p, VERDICT_TRUNCATED);
	return sent(p, VERDICT_WIRE_CAPTURED, env_redirect(p, p->m->target));
}

APART(captured)
APART(icmp_answer)
APART(icmp6_answer)
APART(wire_error)

/* The first fragment decides for all; one that comes before it goes as if a rule asked for no ports. */
DP void capture_fragment(struct pkt *p)
{
	if ((p->m->flags & PKT_LATER) && wire_fragment_follow(p))
		p->m->flags &= ~(PKT_LATER | PKT_NO_PORTS);
	else if (p->m->flags & PKT_FIRST)
		wire_fragment_begin(p);
}

/* Does a rule take p out of the wire, or does it answer what came out of a tunnel? Where to is in p->m then. */
DP bool is_captured(struct pkt *p)
{
	const struct rule *r = capture_find(p);
	const struct wire_state *st;
	struct flow *f;

	p->m->target = 0;
	p->m->target_rule = 0;
	if (r) {
		p->m->target = r->target;
		p->m->target_rule = r->id;
		return true;
	}
	st = env_wire_state(p->m->key.zone);
	if (likely(!st || (__s32)(st->replies_until_s - p->m->now_s) < 0))
		return false;
	if (p->m->flags & PKT_ICMP_ERROR)
		return env_hits_only(p) || wire_error_apart(p->ctx) == NEXT;
	if (!has_wire_flow(p))
		return false;
	if (env_hits_only(p))
		return flow_lookup(&p->m->key, p->control, &p->m->slot);
	f = wire_flow_find(p);
	if (!f || (f->flags & (FLOW_ORIG | FLOW_TARGET)) == FLOW_ORIG)
		return false;
	if (!(f->flags & FLOW_TARGET)) {
		p->m->target = f->oif;
		return true;
	}
	if (f->flags & FLOW_ORIG)	/* what came out of the tunnel crosses now: it is no tunnel's any more */
		session_end(p->m->handle, p->cpu, END_RULE_GONE);
	return false;
}

/* ARP is learned from, and what asks for the box goes to it alone. */
DP enum stage wire_arp(struct pkt *p, const struct wire *w)
{
	struct arp_packet *arp = arp_of(p);
	union addr sender;
	bool for_host;

	if (!arp)
		return cross_wire(p, w);
	for_host = is_hosts_vlan(p, w) && arp_addr(arp->tpa) == w->host && arp_addr(arp->spa) != w->host;
	addr_from_v4(&sender, arp_addr(arp->spa));
	if (sender.word[3] && sender.word[3] != w->host && !__builtin_memcmp(arp->sha, p->m->link.smac, ETH_ALEN))
		station_learn(p, w, &sender, MOVED_BY_ARP, false);
	if (!for_host && !(is_hosts_vlan(p, w) && !__builtin_memcmp(p->m->link.dmac, w->host_mac, ETH_ALEN)))
		return cross_wire(p, w);
	return to_host(p, VERDICT_WIRE_OWN);
}

/* Multicast listeners, routers and neighbours (RFC 3810, RFC 4861): never beyond their link. */
DP bool is_links_icmp6(const struct pkt *p)
{
	return is_v6(p) && p->m->key.proto == IPPROTO_ICMP6 && !(p->m->flags & PKT_LATER) &&
	       ((p->m->icmp_type >= ICMP6_MLD_QUERY && p->m->icmp_type <= ICMP6_ND_REDIRECT) || p->m->icmp_type == ICMP6_MLD2_REPORT);
}

/* Neighbour discovery (RFC 4861 section 7): who says so is on this link. */
DP bool is_discovery(const struct pkt *p)
{
	return (p->m->icmp_type == ICMP6_NS || p->m->icmp_type == ICMP6_NA) && p->m->ttl == 255 &&
	       (p->m->key.src.quad[0] || p->m->key.src.quad[1]);
}

/* What a sound IP packet in the box's VLAN says of who is where. False: at XDP, that has to be written at tc. */
DP bool wire_learn(struct pkt *p, const struct wire *w)
{
	const struct station *s;
	struct wire_state *st;

	if (is_beyond(w, &p->m->key.src)) {
		st = env_wire_state(p->m->key.zone);
		if (st)
			gateway_seen(p, st);
		return true;
	}
	if (!addr_is_v4(&p->m->key.src) || p->m->key.src.word[3] == w->host)
		return true;
	gateway_meant(p, w);
	s = station_find(&p->m->key.src, p->m->key.zone);
	if (likely(s && station_is_current(p, s)))
		return true;
	if (env_hits_only(p))
		return false;
	station_learn(p, w, &p->m->key.src, MOVED_BY_PACKET, false);
	return true;
}

/* Where answers of the box's go. */
DP void host_learn(struct pkt *p, const struct wire *w)
{
	struct wire_state *st = env_wire_state(p->m->key.zone);

	if (st && is_beyond(w, &p->m->key.src))
		gateway_seen(p, st);
	station_learn(p, w, &p->m->key.src, MOVED_BY_PACKET, false);
}

DP enum stage wire_ip(struct pkt *p, const struct wire *w, bool for_host)
{
	bool sound = parse_captured(p) && !(p->m->link.smac[0] & 1);	/* nobody is answered at a group address */

	settle();
	if (is_links_icmp6(p)) {
		if (env_hits_only(p))
			return punt(p);
		if (is_discovery(p))
			station_learn(p, w, &p->m->key.src, MOVED_BY_ARP, false);
		sound = false;
	}
	if (for_host) {
		if (sound)
			host_learn(p, w);
		return to_host(p, VERDICT_WIRE_OWN);
	}
	if (!sound)
		return cross_wire(p, w);
	if (is_hosts_vlan(p, w) && !wire_learn(p, w))
		return punt(p);
	if (unlikely(p->m->flags & PKT_FRAGMENT)) {
		if (env_hits_only(p))
			return punt(p);
		capture_fragment(p);
	}
	if (likely(!is_captured(p)))
		return cross_wire(p, w);
	return env_hits_only(p) ? punt(p) : (enum stage)captured_apart(p->ctx);
}

DP enum stage wire_stages(struct pkt *p, const struct wire *w)
{
	bool for_host;

	p->m->link.side = !!(p->port->flags & PORT_SECOND);
	if (!parse_link(p))
		return cross_wire(p, w);
	neighbour_seen(p);
	for_host = is_hosts_vlan(p, w) && !__builtin_memcmp(p->m->link.dmac, w->host_mac, ETH_ALEN);
	if (env_hits_only(p) && (for_host || p->m->eth_proto == __builtin_bswap16(ETH_P_ARP)))
		return punt(p);
	if (p->m->eth_proto == __builtin_bswap16(ETH_P_ARP))
		return wire_arp(p, w);
	if (p->m->eth_proto == __builtin_bswap16(ETH_P_IP) || is_v6(p))
		return wire_ip(p, w, for_host);
	return for_host ? to_host(p, VERDICT_WIRE_OWN) : cross_wire(p, w);
}

/* The port of a wire, whatever the VLAN; NULL: p is not natvi's. */
DP const struct wire *wire_of(struct pkt *p, __u32 kind)
{
	const struct wire *w;

	p->port = port_search(p->m->ifindex, 0, &p->m->port_slot);
	if (!p->port || !(p->port->flags & kind))
		return NULL;
	p->m->key.zone = p->port->zone;
	w = env_wire(p->port->zone);
	return w && w->name[0] ? w : NULL;
}

/* The error that a stage asked for by refuse(), back to where p came from: with p's tags, of which the inner one lies in the frame. */
DP void wire_answer(struct pkt *p)
{
	bool tagged = p->m->flags & PKT_TAGGED;
	struct link_head *l = &p->m->link;
	__u8 from[ETH_ALEN];

	if (likely(!p->m->error_type))
		return;
	if (tagged) {
		if (!env_untag(p, l->tags & TAGS_COUNT))
			return;
		p->m->l4 -= p->m->l3 - sizeof(struct ethhdr);
		p->m->l3 = sizeof(struct ethhdr);
		p->m->flags &= ~PKT_TAGGED;
	}
	if (is_v6(p))
		icmp6_answer_apart(p->ctx);
	else
		icmp_answer_apart(p->ctx);
	if (!tagged)
		return;
	__builtin_memcpy(from, l->dmac, ETH_ALEN);
	__builtin_memcpy(l->dmac, l->smac, ETH_ALEN);
	__builtin_memcpy(l->smac, from, ETH_ALEN);
	l->proto = p->m->eth_proto;
	if (!env_frame(p, l))
		p->m->action = env_drop(p);
}

/* Out of a target */

/* A new connection out of the target: its flow, or NULL. What answers it on the wire goes there, too. */
DP struct flow *target_session(struct pkt *p)
{
	struct flow *f, *peer;

	if (!has_wire_flow(p) || !wire_session(p, 0))
		return NULL;
	f = flow_of(&p->m->key, &p->m->handle);
	if (!f)
		return NULL;
	peer = peer_of(p, f);
	if (peer)
		peer->oif = p->m->ifindex;
	f->flags |= FLOW_TARGET;
	return f;
}

/* f leaves by the link in p->m->link. */
DP void target_keep(const struct pkt *p, const struct wire *w, struct flow *f, const struct wire_state *st)
{
	const struct link_head *l = &p->m->link;

	__builtin_memcpy(f->dmac, l->dmac, ETH_ALEN);
	__builtin_memcpy(f->smac, l->smac, ETH_ALEN);
	f->tci[0] = l->tci[0];
	f->tci[1] = l->tci[1];
	f->tags = l->tags | (l->side ? TAGS_SECOND : 0);
	f->generation = st->generation;
	f->oif = w->port[l->side & 1];
}

/* The link that p's flow f has, brought up to date. */
DP void target_link(struct pkt *p, const struct wire *w, struct flow *f, const struct wire_state *st)
{
	struct link_head *l = &p->m->link;

	flow_link(f, l);
	l->side = target_side(f, w);
	if (unlikely(f->generation != st->generation || (__s32)(st->claims_until_s - p->m->now_s) >= 0)) {
		if (link_follow(p, l))
			__builtin_memcpy(f->dmac, l->dmac, ETH_ALEN);
		f->generation = st->generation;
	}
	if (unlikely(f->oif != w->port[l->side & 1]) && w->port[l->side & 1]) {
		f->tags = l->tags | (l->side ? TAGS_SECOND : 0);
		f->oif = w->port[l->side & 1];
	}
}

/*
 * p comes out of the target as it was captured, its direction unchanged, as from a device that inspects: on it goes as if it had
 * crossed. False: its flow has not been seen on the wire.
 */
DP bool target_pass(struct pkt *p, const struct flow *f)
{
	struct link_head *l = &p->m->link;

	if (!mac_is_set(f->smac))
		return false;
	flow_link(f, l);
	l->side = !(f->tags & TAGS_SECOND);
	link_follow(p, l);
	return true;
}

/* Who has, or who leads to, the destination of p, which no connection knows? */
DP bool target_way(struct pkt *p, const struct wire *w, const struct wire_state *st)
{
	const struct station *s = station_find(&p->m->key.dst, p->m->key.zone);

	if (s)
		station_link(s, w, &p->m->link);
	else if (!is_beyond(w, &p->m->key.dst) || !gateway_link(w, &p->m->link, st))
		return false;
	link_follow(p, &p->m->link);
	return true;
}

/* On the box's network: the kernel asks by ARP and sends it on by nvi0. */
DP bool is_hosts_net(const struct pkt *p, const struct wire *w)
{
	return w->host && addr_is_v4(&p->m->key.dst) && !((p->m->key.dst.word[3] ^ w->host) & w->host_mask);
}

/* Nobody is known to have the destination. What the box has of IPv6 only its routes know; they do not lead anywhere else. */
DP enum stage target_unknown(struct pkt *p)
{
	struct route *r = &p->cpu->draft.route;

	if (!is_v6(p))
		return drop(p, VERDICT_WIRE_UNKNOWN);
	env_route(p, p->m->ifindex, &p->m->key, r, false);
	return r->result == ROUTE_LOCAL ? kernel(p, VERDICT_LOCAL) : drop(p, VERDICT_WIRE_UNKNOWN);
}

/* p's way without a flow that has one; a session all the same. False: none is known yet. */
DP bool target_find(struct pkt *p, const struct wire *w, const struct wire_state *st, struct flow **f)
{
	bool known = target_way(p, w, st);

	if (!known && !is_hosts_net(p, w))
		return false;
	if (!*f)
		*f = target_session(p);
	if (known && *f && ((*f)->flags & FLOW_TARGET))
		target_keep(p, w, *f, st);
	return known;
}

/* The kernel finds the neighbour or cuts p, and sends it by nvi0, whatever other routes the box has: that is what the mark is for. */
DP enum stage returned_by_kernel(struct pkt *p, const struct wire *w, enum verdict why)
{
	env_mark_slow(p, w->reply_mark);
	return kernel(p, why);
}

/* Back into the wire, by p->m->link. */
DP enum stage returned(struct pkt *p)
{
	const struct wire *w = env_wire(p->m->key.zone);
	const struct port *to;
	__u32 out;

	if (!w)
		return drop(p, VERDICT_INTERNAL);
	out = w->port[p->m->link.side & 1];
	to = port_lookup(out, 0);
	if (!out || !to)
		return drop(p, VERDICT_WIRE_NO_PORT);
	if (p->m->seg_len > to->mtu)
		return (p->m->flags & PKT_DF) || is_v6(p) || !w->host ? refuse_size(p, to->mtu)
								      : returned_by_kernel(p, w, VERDICT_SLOW_TOO_BIG);
	p->m->link.proto = p->m->eth_proto;
	wire_mss(p, w, p->port->mtu);
	if (!mss_clamp(p) || !env_untag(p, p->m->in_tags) || !env_frame(p, &p->m->link))
		return drop(p, VERDICT_TRUNCATED);
	return sent(p, VERDICT_WIRE_RETURNED, env_redirect(p, out));
}

APART(returned)

/*
 * A connection that began in the target is answered on the wire: those are to be looked for. They go to the target that it
 * speaks from; once a second is enough to follow one that has another ifindex now.
 */
DP void expect_answers(struct pkt *p, const struct flow *f, struct wire_state *st)
{
	__u32 until = p->m->now_s + f->idle_s;
	struct flow *peer;

	if (!(f->flags & FLOW_ORIG))
		return;
	if ((__s32)(until - st->replies_until_s) > 0)
		st->replies_until_s = until;
	if (f->last_seen_s == p->m->now_s)
		return;
	peer = peer_of(p, f);
	if (peer && !(peer->flags & FLOW_TARGET))
		peer->oif = p->m->ifindex;
}

DP enum stage target_stages(struct pkt *p, const struct wire *w)
{
	struct wire_state *st = env_wire_state(p->m->key.zone);
	const struct addr_info *info;
	struct flow *f = NULL;
	bool known = true;

	p->m->l3 = 0;
	p->m->link.tags = 0;
	if (!st || (!(p->port->flags & PORT_NO_L2) && !parse_link(p)))
		return kernel(p, VERDICT_NOT_ENABLED);
	p->m->in_tags = p->m->link.tags & TAGS_COUNT;
	if (!parse_captured(p))
		return kernel(p, VERDICT_MULTICAST);
	settle();
	p->cpu->addr_key.addr = p->m->key.dst;
	p->cpu->addr_key.zone = 0;
	info = env_addr(&p->cpu->addr_key);
	if (info && (info->flags & ADDR_LOCAL))
		return kernel(p, VERDICT_LOCAL);
	if (p->m->flags & PKT_FRAGMENT)
		capture_fragment(p);
	if (has_wire_flow(p))
		f = wire_flow_find(p);
	if (f && !(f->flags & FLOW_TARGET) && target_pass(p, f))
		return (enum stage)returned_apart(p->ctx);
	if (f && (f->flags & FLOW_TARGET) && f->oif)
		target_link(p, w, f, st);
	else
		known = target_find(p, w, st, &f);
	if (f) {
		expect_answers(p, f, st);
		wire_flow_touch(p, f);
	}
	if (!known)
		return is_hosts_net(p, w) ? returned_by_kernel(p, w, VERDICT_SLOW_NEIGHBOUR) : target_unknown(p);
	return (enum stage)returned_apart(p->ctx);
}

typedef enum stage wire_stages_fn(struct pkt *, const struct wire *);

/* At a device of this kind (PORT_*). */
DP int wire_run(void *ctx, __u32 kind, wire_stages_fn *stages)
{
	struct pkt packet = { .ctx = ctx }, *p = &packet;
	const struct wire *w;

	if (!dp_begin(p))
		return env_drop(p);
	w = wire_of(p, kind);
	if (!w) {
		kernel(p, VERDICT_NOT_ENABLED);
		return p->m->action;
	}
	stages(p, w);
	if (!env_hits_only(p))
		wire_answer(p);
	return p->m->action;
}

/* At the ingress of a wire's port. */
DP int dp_wire(void *ctx)
{
	return wire_run(ctx, PORT_WIRE, wire_stages);
}

/* At the ingress of a capture's target. */
DP int dp_target(ENV_CONTEXT *ctx)
{
	return wire_run(ctx, PORT_TARGET, target_stages);
}

/* At nvi0's egress: what the box itself sends by a wire. */
DP int dp_host(ENV_CONTEXT *ctx)
{
	return wire_run(ctx, PORT_NVI, host_stages);
}

#endif
