/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * box.h - what the box itself sends, seen as it leaves by a port (tc egress).
 *
 * A packet of a session goes as its flow says. What begins a conversation is held against the rules that speak of
 * the box; if none translates it, it keeps its address and its port, which becomes the box's own (a mapping whose
 * two sides are the same, MAPPING_BOX), so that NAT gives it to nobody meanwhile. Where NAT has given it away
 * already the box gets another port of the same address. Ports that NAT never gives need no state.
 *
 * Translated, it is routed again by its translated source, with the box as its origin: out of this port with another
 * next hop, or out of another one. What cannot be translated goes as it is where no other conversation is hurt.
 *
 * Not natvi's: multicast and broadcast, IPv6, and what others have sent and is only passing here.
 */
#ifndef NATVI_DP_BOX_H
#define NATVI_DP_BOX_H

#include "icmp_error.h"
#include "nat.h"

/* Does p begin a conversation? An answer of the box's own services does not, and no rule is for it. */
DP bool box_begins(const struct pkt *p)
{
	if (p->m->key.proto == IPPROTO_TCP)
		return (p->m->tcp_flags & (SEEN_SYN | SEEN_ACK | SEEN_RST)) == SEEN_SYN;
	return starts_session(p);
}

/* Nothing is remembered for a RST, an answer to a ping, or an error. */
DP bool box_has_session(const struct pkt *p)
{
	return p->m->key.proto == IPPROTO_TCP ? !(p->m->tcp_flags & SEEN_RST) : starts_session(p);
}

DP bool tuple_same(const struct tuple *a, const struct tuple *b)
{
	return a->src.word[3] == b->src.word[3] && a->dst.word[3] == b->dst.word[3] && a->sport == b->sport && a->dport == b->dport;
}

/* Does the flow leave its packets as they are? */
DP bool is_identity(const struct flow *f)
{
	return f->new_src.word[3] == f->key.src.word[3] && f->new_dst.word[3] == f->key.dst.word[3] &&
	       f->new_sport == f->key.sport && f->new_dport == f->key.dport;
}

/* Ports of its own */

/* The port of p's source at draft->face, which nobody has: for the box alone from now on. False: it cannot be had. */
DP bool box_claim(struct pkt *p, const struct pool *pool)
{
	struct draft *draft = &p->cpu->draft;
	int bits = draft->map_proto ? portbits_proto(draft->map_proto) : PORTBITS_TCP;
	__u32 port = __builtin_bswap16(p->m->key.sport);
	struct portbits *b, *udp;

	if (bits < 0)
		return false;
	b = env_portbits(draft->face.slot * PORTBITS_PROTOS + bits);
	if (!b || !port_take(b, port))
		return false;
	udp = draft->map_proto ? NULL : env_portbits(draft->face.slot * PORTBITS_PROTOS + PORTBITS_UDP);
	if (udp && !port_take(udp, port)) {
		port_free(b, port);
		return false;
	}
	return !mapping_make(p, pool, port, MAPPING_BOX);
}

/* Another port of p's own address, draft->face, because NAT has given its own away. False: there is none. */
DP bool box_move(struct pkt *p, const struct pool *pool)
{
	int port = pool->mapping == MAPPING_EI ? face_port(p->ctx, pool->flags) : -1;

	return port >= 0 && !mapping_make(p, pool, port, 0);
}

/* A mapping for p's source, held: the one that it has, its own port, or another one. False: none can be had. */
DP bool box_mapping(struct pkt *p, const struct addr_info *info, bool taken)
{
	struct draft *draft = &p->cpu->draft;
	const struct pool *pool = draft_pool(p);
	struct mapping *m;

	if (!pool)
		return false;
	m = source_mapping(p, pool);
	if (m && ((m->flags & MAPPING_BOX) || box_begins(p)) && mapping_hold(m)) {
		draft->out.src = m->addr;
		draft->out.sport = m->port;
		return true;
	}
	draft->face.addr = p->m->key.src;
	draft->face.slot = info->slot;
	draft->face.flags = info->flags;
	return taken ? box_begins(p) && box_move(p, pool) : box_claim(p, pool);
}

/*
 * p's source keeps its address, which info knows, and its port if it can. False: it needs no session for that, NAT never
 * gives this port away. A mapping is not always to be had; the session alone then keeps NAT away towards this remote.
 */
DP bool box_keep(struct pkt *p, const struct addr_info *info)
{
	struct draft *draft = &p->cpu->draft;
	bool taken;

	draft->pool = POOL_NONE;
	if (!info || info->slot == SLOT_NONE)
		return false;
	if (!has_ports(p))
		return true;
	taken = !port_is_ours(p, info, __builtin_bswap16(p->m->key.sport));
	if (taken && !outside_mapping(p, &p->m->key.src, p->m->key.sport, info))
		return false;
	draft->pool = info->pool;
	if (!box_mapping(p, info, taken)) {
		draft->pool = POOL_NONE;
		return true;
	}
	draft->held |= COLD_SRC_MAPPED | (draft->map_proto ? 0 : COLD_SRC_SHARED);
	if (p->m->key.proto == IPPROTO_ICMP)
		draft->out.dport = draft->out.sport;
	return true;
}

/* A packet without a flow */

/* What the rules say of p, if it begins a conversation. NEXT: draft has it, if they say anything. */
DP enum stage box_decide(struct pkt *p)
{
	const struct settings *set = env_settings(p->control->active);
	struct route *way = &p->cpu->draft.route;
	const struct rule *r;

	if (!set || !box_has_session(p))
		return kernel(p, VERDICT_HOST_OUT);
	draft_begin(p, set);
	p->cpu->draft.held = COLD_BOX;
	if (!(set->flags & SETTINGS_FROM_BOX) || (p->port->flags & PORT_ROUTED) || !box_begins(p))
		return NEXT;
	way->oif = p->m->ifindex;
	way->zone = p->m->key.zone;
	way->masq_pool = p->port->masq_pool;
	r = rule_match(p, RULE_FROM_BOX, way, 0);
	if (!r)
		return NEXT;
	if (nat_by(p, r, NULL, set) == DONE)
		return DONE;
	p->cpu->draft.to_box = 0;	/* the answer would not pass a port */
	return NEXT;
}

/*
 * Where an outside port serves any number of remotes, a port that is free may still be NAT's towards this one: then the
 * box gets another, too.
 */
DP bool box_by_remote(struct pkt *p, const struct addr_info *info)
{
	struct draft *draft = &p->cpu->draft;
	const struct pool *pool;

	draft->pool = info->pool;
	pool = draft_pool(p);
	if (!pool || pool->mapping != MAPPING_APD || !box_begins(p))
		return false;
	draft->held = COLD_BOX;
	return true;
}

/*
 * The session of a packet that goes as it is; without one it goes all the same, but where somebody inside talks to this
 * remote from the same port. NEXT: it needs another port.
 */
DP enum stage box_plain(struct pkt *p, const struct addr_info *info)
{
	struct draft *draft = &p->cpu->draft;
	__s64 handle;

	tuple_reverse(&draft->reply, &draft->out);
	handle = session_insert(p->cpu);
	if (handle < 0)
		draft_release(p);
	if (handle != -EREPLY_)
		return kernel(p, VERDICT_HOST_OUT);
	if (!has_ports(p))
		return drop(p, VERDICT_REMOTE_TAKEN);
	return box_by_remote(p, info) ? NEXT : refuse_exhausted(p, VERDICT_NO_PORT);
}

/*
 * Must the answer find a session, because rules speak of what comes in for the box? They are for the beginnings of
 * conversations. The second packet of a handshake is none of ours to remember: a flood of SYNs would fill the table.
 */
DP bool box_is_answered(struct pkt *p, const struct addr_info *info)
{
	const struct settings *set = env_settings(p->control->active);

	if (!info || !set || !(set->flags & SETTINGS_TO_BOX))
		return false;
	return p->m->key.proto != IPPROTO_TCP || (p->m->tcp_flags & (SEEN_SYN | SEEN_ACK)) != (SEEN_SYN | SEEN_ACK);
}

/*
 * Who is not translated, or by a pool that its own address is of, keeps that. NEXT: the packet changes, and establish()
 * makes its session.
 */
DP enum stage box_source(struct pkt *p)
{
	struct draft *draft = &p->cpu->draft;
	const struct addr_info *info = addr_find(p, &p->m->key.src);
	bool kept;

	if (draft->pool == POOL_NONE ? draft->out.src.word[3] != p->m->key.src.word[3] : !info || info->pool != draft->pool)
		return NEXT;
	kept = box_keep(p, info);
	if (!tuple_same(&draft->out, &draft->orig))
		return NEXT;
	return kept || box_is_answered(p, info) ? box_plain(p, info) : kernel(p, VERDICT_HOST_OUT);
}

/* A packet that is translated */

/* How it leaves. */
enum box_way {
	BOX_HERE,	/* by this port */
	BOX_OUT,	/* by another one */
	BOX_RESOLVE,	/* by this or another one, the kernel finds the neighbour */
	BOX_ENTER,	/* it comes in here, for the kernel to send it on */
};

/* Where rules ask for marks the kernel's look-up for the neighbour would see natvi's, too: it forwards without that. */
DP enum box_way box_way(const struct pkt *p, const struct flow *f, enum verdict slow)
{
	const struct settings *set = env_settings(p->control->active);
	const struct port *out = port_lookup(f->oif, 0);
	bool l2 = out && !(out->flags & PORT_NO_L2), marks = set && (set->flags & SETTINGS_MARK_ROUTES);

	if (slow == VERDICT_SLOW_POLICY || slow == VERDICT_SLOW_TOO_BIG || (slow == VERDICT_SLOW_NEIGHBOUR && marks))
		return BOX_ENTER;
	if (l2 && (slow == VERDICT_SLOW_NEIGHBOUR || !p->m->l3))
		return BOX_RESOLVE;
	return f->oif == p->m->ifindex ? BOX_HERE : BOX_OUT;
}

/* The same, one case to the verifier, whatever it is. */
DP enum box_way box_settled(struct pkt *p, enum box_way way, enum verdict *slow)
{
	p->m->slow = *slow;
	p->m->done = way;
	settle();
	*slow = p->m->slow & 63;
	return p->m->done;
}

/* Marks and link-layer header, before anything moves. False: the packet is not what it seemed. */
DP bool box_prepare(struct pkt *p, const struct flow *f, enum box_way way)
{
	const struct settings *set = env_settings(p->control->active);
	struct ethhdr *eth = p->data;

	if (!set)
		return false;
	if (way != BOX_HERE)
		env_mark_slow(p, set->slow_mark);
	if (!p->m->l3)
		return true;
	if (way == BOX_HERE || way == BOX_OUT)
		return rewrite_l2(p, f);
	if ((void *)(eth + 1) > p->data_end)
		return false;
	__builtin_memcpy(eth->h_dest, p->port->mac, ETH_ALEN);
	return true;
}

DP enum stage box_send(struct pkt *p, const struct flow *f, enum box_way way, enum verdict slow)
{
	switch (way) {
	case BOX_HERE:
		return sent(p, VERDICT_HOST_NAT, env_kernel(p));
	case BOX_OUT:
		return sent(p, VERDICT_HOST_NAT, env_redirect(p, f->oif));
	case BOX_RESOLVE:
		return sent(p, VERDICT_HOST_NAT, env_resolve(p, f->oif));
	default:
		return sent(p, slow, env_enter(p, p->m->ifindex));
	}
}

/*
 * The way of a packet of flow f, which is in this slot; NEXT: *slow says what stands in it, FORWARD: nothing. The flow's copy of
 * its route is looked up again where it is too old.
 */
DP enum stage box_route(struct pkt *p, struct flow *f, struct bucket *b, __u32 slot, enum verdict *slow)
{
	const struct settings *set = env_settings(p->control->active);

	if (!route_holds(p, f, b, slot) && forward_reroute(p, f, b, slot, slow) == DONE)
		return DONE;
	if (is_to_box(f))
		return refuse(p, VERDICT_NO_ROUTE, ICMP_DEST_UNREACH, ICMP_NET_UNREACH, 0);
	if (set && (set->flags & SETTINGS_POLICY))
		*slow = VERDICT_SLOW_POLICY;
	if (!f->mtu || p->m->seg_len <= f->mtu)
		return NEXT;
	if (p->m->flags & PKT_DF)
		return refuse(p, VERDICT_TOO_BIG, ICMP_DEST_UNREACH, ICMP_FRAG_NEEDED, f->mtu);
	*slow = VERDICT_SLOW_TOO_BIG;
	return NEXT;
}

/* Send p by its flow. What the kernel has done for it already, the hop and the fragments, is not done again. */
DP enum stage box_forward(struct pkt *p)
{
	enum verdict slow = VERDICT_FORWARD;
	enum box_way way;
	struct flow *f;

	p->bucket = handle_bucket(p->m->handle, &p->m->slot);
	if (!p->bucket)
		return drop(p, VERDICT_INTERNAL);
	f = bucket_flow(p->bucket, p->m->slot);
	if (!(f->flags & FLOW_KERNEL) && p->m->key.proto == IPPROTO_TCP && tcp_news(p, f))
		tcp_track(p, f, bucket_cold(p->bucket, p->m->slot)->peer_zone);
	flow_touch(p, f);
	if ((f->flags & FLOW_KERNEL) || is_identity(f))
		return kernel(p, f->flags & FLOW_KERNEL ? VERDICT_KERNEL_FLOW : VERDICT_HOST_OUT);
	if (box_route(p, f, p->bucket, p->m->slot, &slow) == DONE)
		return DONE;
	if (p->m->key.proto == IPPROTO_TCP)
		mss_find(p, f);
	ident_renew(p, f);
	if (p->m->flags & PKT_FIRST)
		fragment_begin(p, 0, VERDICT_FORWARD);
	way = box_settled(p, box_way(p, f, slow), &slow);
	if (!box_prepare(p, f, way) || !rewrite_l3(p, f, 0) || !rewrite_l4(p, f) || !mss_clamp(p))
		return drop(p, VERDICT_TRUNCATED);
	return box_send(p, f, way, slow);
}

/* An ICMP error of the box's about a packet that had come to it translated: it comes from where that was sent to. */
DP enum stage box_icmp_error(struct pkt *p)
{
	enum verdict slow = VERDICT_FORWARD;
	struct quoted q = {};
	struct bucket *b;
	enum box_way way;
	struct flow *f;
	__s64 handle;
	__u32 slot = 0;

	handle = (p->m->flags & PKT_FRAGMENT) || !quoted_parse(p, &q) ? -1 : quoted_flow(p);
	b = handle < 0 ? NULL : handle_bucket(handle, &slot);
	if (!b)
		return kernel(p, VERDICT_HOST_OUT);
	f = bucket_flow(b, slot);
	if ((f->flags & FLOW_KERNEL) || is_identity(f))
		return kernel(p, VERDICT_HOST_OUT);
	if (box_route(p, f, b, slot, &slow) == DONE)
		return DONE;
	way = box_settled(p, box_way(p, f, slow), &slow);
	if (!box_prepare(p, f, way) || !quoted_rewrite(p, &q, f, 0))
		return drop(p, VERDICT_TRUNCATED);
	return box_send(p, f, way, slow);
}

/* A later fragment: true: its first one was translated, and it has the ports of that now. The box sends them in order. */
DP bool box_fragment(struct pkt *p)
{
	const struct fragment *f = env_fragment(fragment_key(p));

	if (!f || !fragment_fresh(f, p->m->now_s))
		return false;
	p->m->key.sport = f->sport;
	p->m->key.dport = f->dport;
	p->m->new_id = f->id;
	p->m->flags |= PKT_NEW_ID;
	p->m->flags &= ~PKT_NO_PORTS;
	if (!p->m->frag_more)
		env_fragment_cut(fragment_key(p));
	return true;
}

/* p's flow; false: none. A ping and the answer to another one may have the same identifier. */
DP bool box_flow_find(struct pkt *p)
{
	bool query = p->m->icmp_type == ICMP_ECHO || p->m->icmp_type == ICMP_TIMESTAMP;
	struct bucket *b;
	__u32 slot = 0;

	if (!flow_find(p))
		return false;
	if (p->m->key.proto != IPPROTO_ICMP || (p->m->flags & PKT_LATER))
		return true;
	b = handle_bucket(p->m->handle, &slot);
	return b && query == !!(bucket_flow(b, slot)->flags & FLOW_ORIG);
}

#endif
