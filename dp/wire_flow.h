/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * wire_flow.h - captured connections: two flows, the wire's side and the target's (abi/wire.h).
 *
 * The next hop of what comes out of a target is the MAC address that the connection's packets on the wire came from; each
 * packet there brings it up to date. Rules alone decide what is captured; a flow is only needed for the way
 * back. So a full table costs a capture nothing: the way back then goes by stations.
 */
#ifndef NATVI_DP_WIRE_FLOW_H
#define NATVI_DP_WIRE_FLOW_H

#include "capture.h"
#include "fragment.h"
#include "mss.h"
#include "session.h"

/* The link that f, the wire's side, has seen last is p's? */
DP bool link_is(const struct flow *f, const struct link_head *l)
{
	return !__builtin_memcmp(f->smac, l->smac, ETH_ALEN) && !__builtin_memcmp(f->dmac, l->dmac, ETH_ALEN) &&
	       f->tci[0] == l->tci[0] && f->tci[1] == l->tci[1] && f->tags == (l->tags | (l->side ? TAGS_SECOND : 0));
}

/* What f, of whichever side, has in front of its packets; the port is the caller's to say. */
DP void flow_link(const struct flow *f, struct link_head *l)
{
	__builtin_memcpy(l->dmac, f->dmac, ETH_ALEN);
	__builtin_memcpy(l->smac, f->smac, ETH_ALEN);
	l->tci[0] = f->tci[0];
	l->tci[1] = f->tci[1];
	l->tags = f->tags & ~TAGS_SECOND;
}

/* Behind which port is it that f, which comes out of a target, goes to? Its ifindex says so, unless the port has gone since and come back. */
DP __u32 target_side(const struct flow *f, const struct wire *w)
{
	if (f->oif == w->port[0] || f->oif == w->port[1])
		return f->oif == w->port[1];
	return !!(f->tags & TAGS_SECOND);
}

/* As p came in, so its answers leave. target: the flow that they take; NULL: none does. */
DP void link_keep(struct pkt *p, const struct wire *w, struct flow *wire, struct flow *target)
{
	const struct wire_state *st = env_wire_state(p->m->key.zone);
	const struct link_head *l = &p->m->link;

	__builtin_memcpy(wire->smac, l->smac, ETH_ALEN);
	__builtin_memcpy(wire->dmac, l->dmac, ETH_ALEN);
	wire->tci[0] = l->tci[0];
	wire->tci[1] = l->tci[1];
	wire->tags = l->tags | (l->side ? TAGS_SECOND : 0);
	if (!target || !st)
		return;
	target->flags |= FLOW_TARGET;
	__builtin_memcpy(target->dmac, l->smac, ETH_ALEN);
	__builtin_memcpy(target->smac, l->dmac, ETH_ALEN);
	target->tci[0] = l->tci[0];
	target->tci[1] = l->tci[1];
	target->tags = wire->tags;
	target->generation = st->generation;
	target->oif = w->port[l->side & 1];
}

DP struct flow *peer_of(struct pkt *p, const struct flow *f)
{
	__u64 handle;

	flow_peer_key(&p->cpu->draft.reply, f, p->m->key.zone);
	return flow_of(&p->cpu->draft.reply, &handle);
}

DP void wire_flow_touch(struct pkt *p, struct flow *f)
{
	f->last_seen_s = p->m->now_s;
	f->packets++;
	f->bytes += p->m->len;
	if (p->m->key.proto == IPPROTO_TCP && tcp_news(p, f))
		tcp_track(p, f, p->m->key.zone);
}

/* A new session of p's by the rule with this id (0: none), the handle of p's flow in p->m->handle; false: no room. */
DP bool wire_session(struct pkt *p, __u16 rule)
{
	const struct settings *set = env_settings(p->control->active);
	struct draft *draft = &p->cpu->draft;
	__s64 handle;

	if (!set)
		return false;
	__builtin_memset(draft, 0, sizeof(*draft));
	draft->orig = p->m->key;
	draft->out = p->m->key;
	tuple_reverse(&draft->reply, &p->m->key);
	draft->idle_s = first_idle_s(set, p->m->key.proto == IPPROTO_ICMP6 ? IPPROTO_ICMP : p->m->key.proto);
	draft->rule = rule;
	draft->pool = POOL_NONE;
	draft->dst_pool = POOL_NONE;
	draft->flow_flags = FLOW_WIRE;
	draft->to_zone = p->m->key.zone;
	handle = session_insert(p->cpu);
	p->m->handle = handle;
	return handle >= 0;
}

/* The live flow of p's, whichever side it comes in by; one that is over its time ends. */
DP struct flow *wire_flow_find(struct pkt *p)
{
	struct flow *f = flow_of(&p->m->key, &p->m->handle);

	if (!f || ((f->flags & FLOW_WIRE) && (flow_fresh(f, p->m->now_s) || !session_stale(p->m->handle, p->cpu))))
		return f;
	session_end(p->m->handle, p->cpu, END_IDLE);
	return NULL;
}

DP bool has_wire_flow(const struct pkt *p)
{
	return !(p->m->flags & (PKT_ICMP_ERROR | PKT_LATER)) && (p->m->key.proto != IPPROTO_ICMP6 || !(p->m->flags & PKT_NO_PORTS)) &&
	       (p->m->key.proto != IPPROTO_ICMP || !(p->m->flags & PKT_NO_PORTS));
}

/*
 * p is captured by a rule (0: as an answer into a tunnel), for the device target: its session, made if need be. Where both
 * directions are captured, both flows are the wire's, and neither says how the other leaves.
 */
DP void wire_flow_follow(struct pkt *p, const struct wire *w, __u32 target, __u16 rule)
{
	struct flow *f = wire_flow_find(p), *peer;

	if (!f) {
		if (!wire_session(p, rule))
			return;
		f = flow_of(&p->m->key, &p->m->handle);
		if (!f)
			return;
	}
	if (unlikely((f->flags & FLOW_TARGET) || !link_is(f, &p->m->link))) {
		peer = peer_of(p, f);
		f->flags &= ~FLOW_TARGET;
		link_keep(p, w, f, peer && (!peer->oif || (peer->flags & FLOW_TARGET)) ? peer : NULL);
	}
	f->oif = target;
	wire_flow_touch(p, f);
}

/* TCP's MSS goes down to what this MTU takes, and the wire's setting. */
DP void wire_mss(struct pkt *p, const struct wire *w, __u32 mtu)
{
	__u32 head = is_v6(p) ? 60 : MSS_HEADERS;

	if (!(p->m->tcp_flags & SEEN_SYN) || !(w->flags & WIRE_MSS) || p->m->tcp_head <= sizeof(struct tcphdr))
		return;
	p->m->mss = mtu > head ? mtu - head : 0;
	if (w->mss != MSS_AUTO && (!p->m->mss || w->mss < p->m->mss))
		p->m->mss = w->mss;
}

/* Fragments: the first one shows the others the way. */

DP void wire_fragment_begin(struct pkt *p)
{
	struct fragment *f = &p->cpu->fragment;

	__builtin_memset(f, 0, sizeof(*f));
	f->sport = p->m->key.sport;
	f->dport = p->m->key.dport;
	f->since_s = p->m->now_s;
	env_fragment_put(fragment_key(p), f);
}

/* What the first one has left, NULL: nothing, or long ago. */
DP const struct fragment *wire_fragment_follow(struct pkt *p)
{
	const struct fragment *f = env_fragment(fragment_key(p));

	if (!f || !fragment_fresh(f, p->m->now_s))
		return NULL;
	p->m->key.sport = f->sport;
	p->m->key.dport = f->dport;
	return f;
}

#endif
