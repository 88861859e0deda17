/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * accel.h - connections that the kernel tracks, and its rules decide on.
 *
 * Learned at tc egress, from what the kernel itself has forwarded: so its rules have let the packet through, its routing
 * has chosen the way and the next hop, its NAT has shown what it makes of it. Conntrack has the other side of that.
 * The session (FLOW_ACCEL) then sends the packets of its directions on at ingress, in the kernel's place.
 *
 * It does so for the rest of a second only. The first packet of each second and direction goes through the kernel, and
 * is seen here again: what has changed since, be it rules, routes, marks, conntrack or the path's MTU, shows in time,
 * conntrack's time-out begins anew, and no packet overtakes another, because this one passes before the next is sent on.
 * What ends or begins a connection, and all that is out of the common, is the kernel's in any case (forward.h).
 *
 * Nothing is confirmed when the daemon is dead: within a second all is the kernel's again. It finds its connections
 * as they were, because their windows are not checked (CT_LIBERAL): the daemon says so to conntrack before the first
 * packet is sent on, and that stays with the connection.
 *
 * Concurrency: as sessions. The flow's copy of the way is written by the CPU that sees its packet pass.
 */
#ifndef NATVI_DP_ACCEL_H
#define NATVI_DP_ACCEL_H

#include "forward.h"
#include "rule.h"

/* Is p of the kind that can leave without the kernel? */
DP bool accel_suits(const struct pkt *p)
{
	if (p->m->key.proto != IPPROTO_TCP && p->m->key.proto != IPPROTO_UDP)
		return false;
	return !(p->m->flags & (PKT_LATER | PKT_OPTIONS | PKT_TAGGED)) && !p->m->vlan_present && p->m->l3 == ETH_HLEN &&
	       !(p->m->tcp_flags & (SEEN_SYN | SEEN_FIN | SEEN_RST));
}

/* Ask the daemon once a second to have this connection's windows left unchecked. */
DP void accel_ask(struct pkt *p, const struct ct *ct)
{
	struct event *e = &p->cpu->event;
	__u32 hash = table_hash(FLOWS, &ct->orig, p->control->seed), word = (hash & ~0xfu) | (p->m->now_s & 0xf);
	__u32 *asked = &p->cpu->asked[hash & (NATVI_ACCEL_ASKED - 1)];

	if (*asked == word)
		return;
	*asked = word;
	__builtin_memset(e, 0, sizeof(*e));
	e->kind = REQUEST_LIBERAL;
	e->time_s = p->m->now_s;
	e->orig = ct->orig;
	e->reply = ct->reply;
	e->rule = ct->zone;
	if (env_request(e))
		p->cpu->counters.events_lost++;
}

/* Does the configuration leave this connection out? By its first packet, and by the mark of this one or of the connection. */
DP bool accel_is_excluded(struct pkt *p, const struct ct *ct, __u32 in, bool reply)
{
	const struct settings *set = env_settings(p->control->active);
	struct tuple was = p->m->key;
	__u32 out = p->m->ifindex, mark = p->m->mark;
	struct route *way = &p->cpu->draft.route;
	const struct rule *r;

	if (!set || !(set->flags & SETTINGS_EXCLUDE))
		return false;
	p->m->key = p->cpu->draft.orig;
	p->m->ifindex = reply ? out : in;
	way->oif = reply ? in : out;
	way->zone = p->cpu->draft.reply.zone;
	r = rule_match(p, RULE_EXCLUDE, way, 0);
	if (!r) {
		p->m->mark = ct->mark;
		r = rule_match(p, RULE_EXCLUDE, way, 0);
	}
	p->m->mark = mark;
	p->m->ifindex = out;
	p->m->key = was;
	return r;
}

/* The session's tuples: draft->orig and reply, each in the zone of the port that it comes in by. */
DP void accel_draft(struct pkt *p, const struct ct *ct, const struct port *in, bool reply)
{
	struct draft *draft = &p->cpu->draft;

	draft->orig = ct->orig;
	draft->reply = ct->reply;
	draft->orig.zone = reply ? p->port->zone : in->zone;
	draft->reply.zone = reply ? in->zone : p->port->zone;
	tuple_reverse(&draft->out, &draft->reply);
	draft->rule = 0;
	draft->idle_s = NATVI_ACCEL_IDLE_S;
	draft->held = 0;
	draft->pool = POOL_NONE;
	draft->dst_pool = 0;	/* the same byte as flow_cold.ttl */
	draft->flow_flags = FLOW_ACCEL;
	draft->to_zone = draft->reply.zone;
}

/*
 * Would the kernel's own look-up, by the old source and the new destination, lead the way that p goes? Then it also knows
 * the path's MTU. What the route itself is limited to it would name only if that is locked, but p's own route shows it.
 * in: ifindex that p came in by.
 */
DP bool accel_route(struct pkt *p, const struct tuple *key, __u32 in)
{
	struct route *r = &p->cpu->draft.route;
	struct tuple *t = &p->cpu->fragment_key;
	__u32 mtu;

	*t = p->m->key;
	t->src = key->src;
	t->sport = key->sport;
	env_route(p, in, t, r, p->m->mark);
	mtu = env_route_mtu(p);
	if (mtu && (!r->mtu || mtu < r->mtu))
		r->mtu = mtu;
	return r->result == ROUTE_OK && r->oif == p->m->ifindex;
}

/*
 * Has the kernel translated p and counted the hop, and is that all? Of a new DSCP or TTL natvi knows nothing, nor of a mark or
 * a class for the shaper there; and what has been cut comes in anew in one piece. slot of b: p's flow.
 */
DP bool accel_is_plain(const struct pkt *p, struct bucket *b, __u32 slot)
{
	__u8 ttl = bucket_cold(b, slot)->ttl, left = 0;

	if (p->m->flags & PKT_FIRST)
		left = LEFT_CUT;
	else if (!ttl)
		return false;	/* none has been seen coming in yet */
	else if (ttl != p->m->ttl || ((*bucket_tos(b, slot) ^ p->m->tos) & TOS_DSCP) ||
		 ((p->port->flags & PORT_SHAPED) && env_is_classed(p)))
		left = LEFT_ALTERED;
	if (left)
		bucket_flow(b, slot)->tcp_seen = left;
	return !left;
}

/* Does f make of its packets what p is? */
DP bool accel_is_same(const struct pkt *p, const struct flow *f)
{
	const struct tuple *is = &p->m->key;

	return is->src.quad[0] == f->new_src.quad[0] && is->src.quad[1] == f->new_src.quad[1] &&
	       is->dst.quad[0] == f->new_dst.quad[0] && is->dst.quad[1] == f->new_dst.quad[1] &&
	       is->sport == f->new_sport && is->dport == f->new_dport;
}

/* Handle of the flow that makes p of what came in as key; made if there is none. Negative: it cannot be. */
DP __s64 accel_flow(struct pkt *p, const struct tuple *key)
{
	__s64 handle = table_find(key);
	const struct flow *f;
	struct bucket *b;
	__u32 slot = 0;

	if (handle >= 0) {
		b = handle_bucket(handle, &slot);
		if (!b)
			return -1;
		f = bucket_flow(b, slot);
		if ((f->flags & FLOW_ACCEL) && accel_is_same(p, f))
			return handle;
		if (!(f->flags & (FLOW_ACCEL | FLOW_KERNEL)))
			return -1;	/* natvi's own */
		if ((f->flags & FLOW_ACCEL) && f->last_seen_s == p->m->now_s)
			return -1;	/* of another interface or conntrack zone, which has it for this second */
		p->cpu->draft.idle_s = f->idle_s;	/* one that natvi's NAT must not take stays as long */
		session_make_way(p->cpu, handle);
	}
	session_insert(p->cpu);
	return table_find(key);
}

/* f has the way that p goes, and goes it for the rest of this second. in_slot: of the port that p came in by. */
DP void accel_confirm(struct pkt *p, struct flow *f, __u32 mtu, __u32 in_slot)
{
	struct ethhdr *eth = p->data;

	if ((void *)(eth + 1) > p->data_end)
		return;
	__builtin_memcpy(f->dmac, eth->h_dest, sizeof(f->dmac));
	__builtin_memcpy(f->smac, eth->h_source, sizeof(f->smac));
	f->oif = p->m->ifindex;
	f->in_slot = in_slot;
	f->mtu = mtu && mtu < 0xffff ? mtu : 0xffff;
	f->tcp_seen = SEEN_SYN | SEEN_ACK;
	if (p->port->flags & PORT_XDP_OUT)
		f->flags |= FLOW_XDP;
	else
		f->flags &= ~FLOW_XDP;
	f->packets++;
	f->bytes += p->m->len;
	f->generation = p->control->generation;
	f->last_seen_s = p->m->now_s;
}

/*
 * Has the other direction's flow, with this key, been seen lately? Conntrack misses acknowledgements that went past it, and would
 * give the connection minutes instead of days. One whose other end has fallen silent is to have just these.
 */
DP bool accel_is_answered(const struct pkt *p, const struct tuple *key)
{
	const struct flow *f;
	__u64 handle = 0;

	f = flow_of(key, &handle);
	return f && (__s32)(p->m->now_s - f->last_seen_s) <= NATVI_ACCEL_ANSWER_S;
}

/* It is not to be accelerated any more: there may be a session of before, which would look as if it were. */
DP void accel_forget(struct pkt *p, const struct tuple *key)
{
	const struct flow *f;
	__u64 handle = 0;

	f = flow_of(key, &handle);
	if (f && (f->flags & FLOW_ACCEL) && f->last_seen_s != p->m->now_s)
		session_end(handle, p->cpu, END_CLOSED);
}

/* p, which came in by `in`, leaves as the kernel has made it. */
DP void accel_learn(struct pkt *p, __u32 in_ifindex)
{
	__u32 slot = 0, in_slot = 0;
	const struct port *in = port_search(in_ifindex, 0, &in_slot);
	const struct settings *set = env_settings(p->control->active);
	struct draft *draft = &p->cpu->draft;
	struct ct *ct = &p->cpu->ct;
	const struct tuple *key;
	struct bucket *b;
	__s64 handle;
	bool reply;

	if (!set || !in || !daemon_lives(p) || ((in->flags | p->port->flags) & (PORT_NO_L2 | PORT_ROUTED | PORT_NVI)))
		return;
	tuple_reverse(&draft->reply, &p->m->key);
	if (env_was_encrypted(p) || !env_ct(p, &draft->reply, ct) || !(ct->flags & CT_STEADY) || (ct->flags & CT_KERNELS))
		return;
	reply = !(ct->flags & CT_REPLY);	/* the reverse of what leaves belongs to the other direction */
	if (!(ct->flags & CT_LIBERAL)) {
		accel_ask(p, ct);
		return;
	}
	accel_draft(p, ct, in, reply);
	key = reply ? &draft->reply : &draft->orig;
	if (accel_is_excluded(p, ct, in_ifindex, reply)) {
		accel_forget(p, key);
		return;
	}
	if (!accel_route(p, key, in_ifindex))
		return;
	handle = accel_flow(p, key);
	b = handle < 0 ? NULL : handle_bucket(handle, &slot);
	if (!b || !(bucket_flow(b, slot)->flags & FLOW_ACCEL) || !accel_is_plain(p, b, slot))
		return;
	accel_confirm(p, bucket_flow(b, slot), draft->route.mtu, in_slot);
	if (p->m->key.proto == IPPROTO_TCP && accel_is_answered(p, reply ? &draft->orig : &draft->reply)) {
		tuple_reverse(&draft->reply, &p->m->key);
		env_ct_refresh(p, &draft->reply, set->ct_tcp_s);
	}
}

/* At tc egress of a port, behind natvi's own program there. Whatever it finds, p leaves. */
DP int dp_accel(ENV_CONTEXT *ctx)
{
	struct pkt packet = { .ctx = ctx }, *p = &packet;
	const struct settings *set;
	__u32 in;

	if (!env_is_forwarded(ctx) || !dp_begin(p))
		return env_kernel(p);
	in = env_origin(p);
	set = env_settings(p->control->active);
	if (!set || !(p->control->flags & CONTROL_ACCEL) || (p->m->mark & set->slow_mark) || !port_find(p))
		return env_kernel(p);
	if (p->m->eth_proto != __builtin_bswap16(ETH_P_IP) && !is_v6(p))
		return env_kernel(p);
	p->m->l3 = ETH_HLEN;
	if ((is_v6(p) ? parse_ipv6(p) : parse_ipv4(p)) == NEXT && !is_mapped_v6(p)) {	/* parse() would count it once more */
		settle();
		if (accel_suits(p))
			accel_learn(p, in);
	}
	return env_kernel(p);
}

#endif
