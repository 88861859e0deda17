/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * forward.h - a packet whose flow is known: the hot path, and its turn-offs to the slow
 * road. Nothing of the packet is changed before it is sure which one it takes.
 */
#ifndef NATVI_DP_FORWARD_H
#define NATVI_DP_FORWARD_H

#include "fragment.h"
#include "icmp.h"
#include "mss.h"
#include "rewrite.h"
#include "route.h"
#include "session.h"

/* A packet on the slow road is known to natvi's nftables table by its mark. */
DP void mark_slow(struct pkt *p)
{
	const struct settings *set = env_settings(p->control->active);

	if (set && (set->flags & SETTINGS_MARK_SLOW))
		env_mark_slow(p, set->slow_mark);
}

/* Ends in the box: rewritten it is the stack's, with no hop to count, and for its conntrack to see. */
DP bool is_to_box(const struct flow *f)
{
	return (f->flags & FLOW_SLOW) && !f->oif;
}

/*
 * Make p ready for the kernel, which goes by a zone's routes. Another zone than the port's: p has to come in anew at that
 * zone's first port, where the mark says that natvi has been at work. The port's ifindex; 0: p stays; negative: that port
 * has no Ethernet. Before the packet moves.
 */
DP int slow_begin(struct pkt *p, const struct flow *f, __u32 zone)
{
	const struct settings *set = env_settings(p->control->active);
	struct ethhdr *eth = p->data;
	const struct zone *z;

	if (is_to_box(f))
		return 0;
	if (zone == p->m->key.zone) {
		mark_slow(p);
		return 0;
	}
	z = env_zone(zone);
	if (!z || !set || !z->ifindex || !p->m->l3 || (void *)(eth + 1) > p->data_end)
		return -1;
	__builtin_memcpy(eth->h_dest, z->mac, ETH_ALEN);
	env_mark_slow(p, set->slow_mark);
	return z->ifindex;
}

DP enum stage slow_end(struct pkt *p, enum verdict why, int enter)
{
	return enter ? sent(p, why, env_enter(p, enter)) : kernel(p, why);
}

/* Translated, the rest is the kernel's: it counts the hop, finds the neighbour, cuts fragments. zone: whose routes. */
DP enum stage forward_slow(struct pkt *p, const struct flow *f, __u32 zone, enum verdict why)
{
	int enter = slow_begin(p, f, zone);

	if (enter < 0)
		return drop(p, VERDICT_NO_ROUTE);
	if (!rewrite_l3(p, f, 0) || !rewrite_l4(p, f) || !mss_clamp(p))
		return drop(p, VERDICT_TRUNCATED);
	return slow_end(p, why, enter);
}

/* Why does a flow always take the slow road? */
DP enum verdict forward_slow_why(const struct pkt *p)
{
	const struct settings *set = env_settings(p->control->active);

	return set && (set->flags & SETTINGS_POLICY) ? VERDICT_SLOW_POLICY : VERDICT_SLOW_LINK;
}

/* Does the route of f, the flow in this slot, hold for p: nothing has changed since, nor has the TOS where that counts? */
DP bool route_holds(const struct pkt *p, const struct flow *f, struct bucket *b, __u32 slot)
{
	return f->generation == p->control->generation &&
	       (likely(!(p->control->flags & CONTROL_TOS)) || *bucket_tos(b, slot) == p->m->tos);
}

/* There is no way out. */
DP enum stage refuse_route(struct pkt *p, const struct route *r)
{
	return refuse(p, r->result == ROUTE_LOOP ? VERDICT_NVI_LOOP : VERDICT_NO_ROUTE, ICMP_DEST_UNREACH, ICMP_NET_UNREACH, 0);
}

/* Look the way out of f, the flow in this slot, up again: its copy is older than what the daemon has seen since. */
DP enum stage forward_reroute(struct pkt *p, struct flow *f, struct bucket *b, __u32 slot, enum verdict *slow)
{
	const struct settings *set = env_settings(p->control->active);
	__u32 generation = p->control->generation;
	struct draft *draft = &p->cpu->draft;

	if (!set)
		return drop(p, VERDICT_INTERNAL);
	draft->out.src = f->new_src;
	draft->out.dst = f->new_dst;
	draft->out.sport = f->new_sport;
	draft->out.dport = f->new_dport;
	draft->out.proto = f->key.proto;
	draft->out.zone = f->key.zone;
	route_find(p, &draft->out, &draft->route, set, bucket_cold(b, slot)->route_zone);
	if (draft->route.result == ROUTE_NONE || draft->route.result == ROUTE_LOOP)
		return refuse_route(p, &draft->route);
	if (!draft->route.enabled && draft->route.result != ROUTE_LOCAL)
		return drop(p, VERDICT_OUT_NOT_ENABLED);
	*bucket_tos(b, slot) = p->m->tos;
	route_keep(p, f, &draft->route, set, generation);
	if (draft->route.result == ROUTE_NO_NEIGHBOUR)
		*slow = VERDICT_SLOW_NEIGHBOUR;
	return NEXT;
}

DP void flow_touch(struct pkt *p, struct flow *f)
{
	if (likely(!(p->m->flags & PKT_NO_REFRESH)))
		f->last_seen_s = p->m->now_s;
	f->packets++;
	f->bytes += p->m->len;
}

/* A fragment of flow f: the first one shows the others the way, these take the same road. */
DP void forward_fragment(struct pkt *p, const struct flow *f, enum verdict *slow)
{
	if (p->m->flags & PKT_FIRST) {
		ident_renew(p, f);
		fragment_begin(p, *slow == VERDICT_FORWARD ? 0 : FRAGMENT_SLOW, *slow);
	} else if (*slow == VERDICT_FORWARD) {
		*slow = p->m->slow & 63;
	}
}

/*
 * Left to the kernel, whose connection it is; what begins or ends one ends the session. What it came in with is noted, so
 * that accel_is_plain() sees what the kernel makes of it.
 */
DP enum stage accel_leave(struct pkt *p, struct flow *f)
{
	__s64 handle;

	if (!(p->m->flags & PKT_FRAGMENT) && p->m->ttl > 1) {
		*bucket_tos(p->bucket, p->m->slot) = p->m->tos;
		bucket_cold(p->bucket, p->m->slot)->ttl = p->m->ttl - 1;
	}
	if (p->m->tcp_flags & (SEEN_SYN | SEEN_FIN | SEEN_RST)) {
		handle = table_find(&p->m->key);
		if (f->idle_s > NATVI_ACCEL_IDLE_S)	/* it was adopted: natvi's NAT is not to take the rest of it */
			f->flags = (f->flags & ~FLOW_ACCEL) | FLOW_KERNEL;
		else if (handle >= 0)
			session_end(handle, p->cpu, END_CLOSED);
	}
	return kernel(p, VERDICT_ACCEL_KERNEL);
}

/* What a packet of flow f has to have looked at beyond the hot path: state, route, options. */
DP enum stage forward_uncommon(struct pkt *p, struct flow *f, enum verdict *slow)
{
	const struct flow_cold *cold = bucket_cold(p->bucket, p->m->slot);

	if (f->flags & FLOW_ACCEL)
		return accel_leave(p, f);
	if (f->flags & FLOW_KERNEL) {
		flow_touch(p, f);
		return kernel(p, VERDICT_KERNEL_FLOW);
	}
	if (!route_holds(p, f, p->bucket, p->m->slot) && forward_reroute(p, f, p->bucket, p->m->slot, slow) == DONE)
		return DONE;
	if (p->m->ttl <= 1 && !is_to_box(f))
		return refuse(p, VERDICT_TTL_EXCEEDED, ICMP_TIME_EXCEEDED, ICMP_EXC_TTL, 0);
	if (is_to_box(f))
		*slow = f->addr_delta || f->port_delta ? VERDICT_SLOW_LOCAL : VERDICT_LOCAL;
	else if (*slow != VERDICT_FORWARD)
		;
	else if (f->flags & FLOW_SLOW)
		*slow = forward_slow_why(p);
	else if (p->m->flags & PKT_OPTIONS)
		*slow = VERDICT_SLOW_OPTIONS;
	else if (p->m->seg_len > f->mtu && !(p->m->flags & PKT_DF))
		*slow = VERDICT_SLOW_TOO_BIG;
	if (f->mtu && p->m->seg_len > f->mtu && (p->m->flags & PKT_DF))
		return refuse(p, VERDICT_TOO_BIG, ICMP_DEST_UNREACH, ICMP_FRAG_NEEDED, f->mtu);
	if (p->m->flags & PKT_FRAGMENT)
		forward_fragment(p, f, slow);
	if (p->m->key.proto == IPPROTO_TCP && tcp_news(p, f)) {
		tcp_track(p, f, cold->peer_zone);
		mss_find(p, f);
	}
	return NEXT;
}

/*
 * A connection of the kernel's: it has let a packet of this direction through within this second (dp/accel.h), so that
 * it may go on so. What comes in elsewhere under the same addresses has rules, zones and routes of its own. A tag that bears
 * only a priority the kernel takes off.
 */
DP bool accel_holds(const struct pkt *p, const struct flow *f)
{
	return likely(!(f->flags & FLOW_ACCEL)) || (f->last_seen_s == p->m->now_s && f->in_slot == p->m->port_slot && !p->m->vlan_present);
}

/* Can f take p as it is, with one look? */
DP bool forward_is_common(const struct pkt *p, const struct flow *f)
{
	return route_holds(p, f, p->bucket, p->m->slot) && p->m->seg_len <= f->mtu && p->m->ttl > 1 &&
	       !(p->m->flags & (PKT_OPTIONS | PKT_FRAGMENT)) && !(f->flags & (FLOW_SLOW | FLOW_KERNEL)) &&
	       (!env_hits_only(p) || (f->flags & FLOW_XDP)) && accel_holds(p, f) &&
	       (p->m->key.proto != IPPROTO_TCP || !tcp_news(p, f));
}

/* Is p, which takes flow f, to leave by nvi0's far end? What ends in the box stays here. */
DP bool is_to_cross(const struct pkt *p, const struct flow *f)
{
	return (p->m->flags & PKT_CROSS) && !is_to_box(f);
}

/* Translated by flow number handle: over nvi0 with it. */
DP enum stage cross(struct pkt *p, __s64 handle, enum verdict done)
{
	int action = handle < 0 ? -1 : env_cross(p, handle);

	return action < 0 ? drop(p, VERDICT_NO_ROUTE) : sent(p, done, action);
}

DP enum stage forward_cross(struct pkt *p, const struct flow *f, enum verdict done)
{
	__s64 handle = table_find(&p->m->key);

	if (!rewrite_l3(p, f, 0) || !rewrite_l4(p, f) || !mss_clamp(p))
		return drop(p, VERDICT_TRUNCATED);
	return cross(p, handle, done);
}

/* The hot path: f takes p as it is. */
DP enum stage forward_fast(struct pkt *p, struct flow *f, enum verdict done)
{
	flow_touch(p, f);
	ident_renew(p, f);
	if (!rewrite_l2(p, f) || !rewrite_l3(p, f, CSUM_TTL_DELTA) || !rewrite_l4(p, f) || !mss_clamp(p))
		return drop(p, VERDICT_TRUNCATED);
	if (env_hits_only(p))
		p->cpu->counters.xdp_hits++;
	return sent(p, f->flags & FLOW_ACCEL ? VERDICT_ACCELERATED : done, env_redirect(p, f->oif));
}

/* Send p by its flow, p->m->handle. */
DP enum stage forward(struct pkt *p)
{
	enum verdict slow = VERDICT_FORWARD, done;
	struct flow *f;

	p->bucket = handle_bucket(p->m->handle, &p->m->slot);
	if (!p->bucket)
		return drop(p, VERDICT_INTERNAL);
	done = p->m->done & 63;
	f = bucket_flow(p->bucket, p->m->slot);
	if (!forward_is_common(p, f) && forward_uncommon(p, f, &slow) == DONE)
		return DONE;
	p->m->slow = slow;	/* one case to the verifier, whatever it is */
	settle();
	slow = p->m->slow & 63;
	if (slow == VERDICT_FORWARD && !is_to_cross(p, f))
		return forward_fast(p, f, done);
	flow_touch(p, f);
	ident_renew(p, f);
	if (is_to_cross(p, f))
		return forward_cross(p, f, slow == VERDICT_FORWARD ? done : slow);
	return forward_slow(p, f, bucket_cold(p->bucket, p->m->slot)->route_zone, slow);
}

/*
 * A request that comes in on the way of the replies, to an address that hides another, is another conversation,
 * whatever its identifier. Hosts that see each other's own addresses may share it.
 */
DP bool is_strange_request(const struct pkt *p, const struct flow *f)
{
	return p->m->key.proto == IPPROTO_ICMP && (p->m->icmp_type == ICMP_ECHO || p->m->icmp_type == ICMP_TIMESTAMP) &&
	       !(f->flags & (FLOW_ORIG | FLOW_KERNEL)) && f->new_dst.word[3] != f->key.dst.word[3];
}

/* p's flow, if that takes p with one look; else NULL. */
DP struct flow *flow_hit(struct pkt *p)
{
	struct flow *f;

	if ((p->m->flags & (PKT_FRAGMENT | PKT_CROSS)) || !may_have_flow(p))
		return NULL;
	p->bucket = flow_lookup(&p->m->key, p->control, &p->m->slot);
	if (!p->bucket)
		return NULL;
	f = bucket_flow(p->bucket, p->m->slot);
	return flow_fresh(f, p->m->now_s) && !is_strange_request(p, f) && forward_is_common(p, f) ? f : NULL;
}

/*
 * Does p have a flow that lives? p->m->handle then. A session past its time on both sides is a miss, whether
 * or not the sweep has been by.
 */
DP bool flow_find(struct pkt *p)
{
	__s64 handle = table_find(&p->m->key);
	struct bucket *b;
	struct flow *f;
	__u32 slot = 0;

	b = handle < 0 ? NULL : handle_bucket(handle, &slot);
	if (!b)
		return false;
	p->m->handle = handle;
	f = bucket_flow(b, slot);
	if (is_strange_request(p, f))
		return false;
	if (flow_fresh(f, p->m->now_s) || !session_stale(handle, p->cpu))
		return true;
	session_end(handle, p->cpu, END_IDLE);
	return false;
}

#endif
