/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * dp.h - the datapath's table of contents.
 *
 * A hook calls dp_run() with its context; what comes back is the hook's own
 * return code. Each stage either passes the packet to the next (NEXT) or has ended it
 * (DONE) with exactly one verdict counted.
 */
#ifndef NATVI_DP_DP_H
#define NATVI_DP_DP_H

#include "apart.h"
#include "arp.h"
#include "box.h"
#include "env.h"
#include "expire.h"
#include "forward.h"
#include "fragment.h"
#include "icmp_error.h"
#include "nat.h"
#include "nvi.h"
#include "parse.h"
#include "port.h"

APART(decide)
APART(establish)
APART(fragment)
APART(forward)
APART(icmp_error)
APART(icmp_answer)
APART(nvi_gate)
APART(box_decide)
APART(box_source)
APART(box_forward)
APART(box_icmp_error)

/* A session for a packet that has none; NEXT: p->m->handle is its flow now. */
DP enum stage nat_miss(struct pkt *p)
{
	if (is_v6(p) || (p->control->flags & CONTROL_NO_NAT))
		return kernel(p, is_v6(p) ? VERDICT_NOT_IPV4 : VERDICT_NO_RULE);
	if (decide_apart(p->ctx) != NEXT || establish_apart(p->ctx) != NEXT)
		return DONE;
	p->m->done = VERDICT_NEW_FORWARD;
	return NEXT;
}

/* Has natvi been at work on it already, and counted it? It comes in anew for the kernel's sake. */
DP bool is_done(const struct pkt *p)
{
	const struct settings *set = env_settings(p->control->active);

	return set && (p->m->mark & set->slow_mark);
}

/* Parsed, and more than one look is needed. */
DP enum stage dp_translate(struct pkt *p)
{
	if ((p->m->flags & (PKT_FRAGMENT | PKT_ICMP_ERROR)) && (p->control->flags & CONTROL_NO_NAT))
		return kernel(p, VERDICT_NO_RULE);
	p->m->done = VERDICT_FORWARD;
	if ((p->m->flags & PKT_FRAGMENT) && fragment_apart(p->ctx) != NEXT)
		return DONE;
	if (p->m->flags & PKT_ICMP_ERROR)
		return (enum stage)icmp_error_apart(p->ctx);
	if ((!may_have_flow(p) || !flow_find(p)) && nat_miss(p) == DONE)
		return DONE;
	return (enum stage)forward_apart(p->ctx);
}

/*
 * In a frame that is not for the port's MAC address: one that only promiscuous mode lets in, one of a macvlan device on this
 * interface, or a broadcast. The stack forwards none of these, and nor does natvi.
 */
DP enum stage of_others(struct pkt *p)
{
	struct ethhdr *eth = p->data;

	return kernel(p, (void *)(eth + 1) <= p->data_end && (eth->h_dest[0] & 1) ? VERDICT_MULTICAST : VERDICT_OTHER_HOST);
}

DP enum stage dp_stages(struct pkt *p)
{
	struct flow *f;

	if (!port_find(p))
		return kernel(p, VERDICT_NOT_ENABLED);
	if (unlikely(p->m->mark) && is_done(p)) {
		p->m->action = env_kernel(p);
		return DONE;
	}
	if (parse(p, !(p->port->flags & PORT_NO_L2)) == DONE)
		return DONE;
	settle();
	if (p->m->eth_proto == __builtin_bswap16(ETH_P_ARP))
		return arp(p);
	if (unlikely(!(p->port->flags & PORT_NO_L2) && !env_is_mine(p)))
		return of_others(p);
	if (unlikely(p->port->flags & PORT_ROUTED)) {
		if (env_hits_only(p))
			return punt(p);
		if (nvi_gate_apart(p->ctx) != NEXT)
			return DONE;
	}
	f = flow_hit(p);
	if (likely(f))
		return forward_fast(p, f, VERDICT_FORWARD);
	return env_hits_only(p) ? punt(p) : NEXT;
}

DP int dp_run(void *ctx)
{
	struct pkt packet = { .ctx = ctx }, *p = &packet;

	if (!dp_begin(p))
		return env_drop(p);
	return dp_stages(p) == NEXT ? env_rest(p) : p->m->action;
}

/* Parsed, sent by the box itself, and not the kernel's alone. */
DP enum stage box_translate(struct pkt *p)
{
	if (p->m->flags & PKT_ICMP_ERROR)
		return (enum stage)box_icmp_error_apart(p->ctx);
	if (!may_have_flow(p))
		return kernel(p, VERDICT_HOST_OUT);
	if (!box_flow_find(p)) {
		if (box_decide_apart(p->ctx) != NEXT || box_source_apart(p->ctx) != NEXT || establish_apart(p->ctx) != NEXT)
			return DONE;
	}
	return (enum stage)box_forward_apart(p->ctx);
}

/* The rest of the way of a packet that needs more than one look: env_rest() leads here. */
DP int dp_rest(ENV_CONTEXT *ctx)
{
	struct pkt packet = { .ctx = ctx }, *p = &packet;
	bool at_port;	/* the box sends it by a port */

	if (!pkt_begin(p))
		return env_drop(p);
	at_port = (p->m->flags & (PKT_FROM_BOX | PKT_AT_NVI)) == PKT_FROM_BOX;
	if (at_port)
		box_translate(p);
	else
		dp_translate(p);
	if (!at_port && (p->m->flags & PKT_FIRST) && !(p->control->flags & CONTROL_NO_NAT))
		fragment_done(p);
	if (p->m->error_type)
		icmp_answer_apart(p->ctx);
	return p->m->action;
}

/* On its way out of nvi0. */
DP int dp_nvi_out(void *ctx)
{
	struct pkt packet = { .ctx = ctx }, *p = &packet;

	if (!dp_begin(p))
		return env_drop(p);
	return nvi_out(p) == NEXT ? env_rest(p) : p->m->action;
}

/* At nvi0's far end. */
DP int dp_nvi_in(void *ctx)
{
	struct pkt packet = { .ctx = ctx }, *p = &packet;

	if (!dp_begin(p))
		return env_drop(p);
	nvi_in(p);
	return p->m->action;
}

DP enum stage egress_stages(struct pkt *p)
{
	/* a tag that is no port's: the interface above this one is the port, and p has been there */
	if (!port_find(p) || (p->m->eth_proto != __builtin_bswap16(ETH_P_IP) && !is_vlan(p->m->eth_proto)))
		return DONE;
	if (parse(p, !(p->port->flags & PORT_NO_L2)) == DONE)
		return DONE;
	settle();
	if (is_kernels_v4(p->m->key.src.word[3], p->m->key.dst.word[3]) || ((p->m->flags & PKT_LATER) && !box_fragment(p)))
		return kernel(p, VERDICT_HOST_OUT);
	return NEXT;
}

/* At tc egress of a port. What others sent, and what natvi has been at work on, passes at once. */
DP int dp_egress(ENV_CONTEXT *ctx)
{
	struct pkt packet = { .ctx = ctx }, *p = &packet;
	const struct settings *set;

	if (likely(env_is_passing(ctx)) || !dp_begin(p))
		return env_kernel(p);
	p->m->action = env_kernel(p);
	if (p->control->flags & CONTROL_NO_NAT)
		return env_kernel(p);
	set = env_settings(p->control->active);
	if (!set)
		return env_kernel(p);
	if (p->m->mark & set->slow_mark) {
		env_unmark(p, set->slow_mark);
		return env_kernel(p);
	}
	if (env_origin(p))
		return env_kernel(p);
	p->m->flags |= PKT_FROM_BOX;
	return egress_stages(p) == NEXT ? env_rest(p) : p->m->action;
}

/*
 * What comes back from the daemon's tap: a fragment whose turn it is comes in anew at its port; a SYN
 * whose time is over is answered, if the connection has not come about meanwhile.
 */
DP enum stage parked_stages(struct pkt *p)
{
	struct park_mac mac;
	struct ethhdr *eth = p->data;

	if ((void *)(eth + 1) > p->data_end)
		return drop(p, VERDICT_TRUNCATED);
	__builtin_memcpy(&mac, eth->h_dest, sizeof(mac));
	p->m->ifindex = (__u32)mac.ifindex[0] << 24 | mac.ifindex[1] << 16 | mac.ifindex[2] << 8 | mac.ifindex[3];
	if (mac.local != PARK_MAC_LOCAL || !p->m->ifindex || !port_find(p))
		return drop(p, VERDICT_FRAGMENT);
	__builtin_memcpy(eth->h_dest, p->port->mac, ETH_ALEN);
	if (mac.kind == PARK_FRAGMENT) {
		p->m->action = env_enter(p, p->m->ifindex);
		return DONE;
	}
	if (mac.kind != PARK_SYN)
		return drop(p, VERDICT_FRAGMENT);
	if (parse(p, true) == DONE)
		return DONE;
	settle();
	if (p->m->key.proto != IPPROTO_TCP || (p->m->flags & PKT_FRAGMENT))
		return drop(p, VERDICT_FRAGMENT);
	if (flow_find(p))
		return drop(p, VERDICT_SYN_HELD);
	return refuse(p, VERDICT_SYN_HELD, ICMP_DEST_UNREACH, ICMP_PORT_UNREACH, 0);
}

DP int dp_parked(void *ctx)
{
	struct pkt packet = { .ctx = ctx }, *p = &packet;

	if (!dp_begin(p))
		return env_drop(p);
	parked_stages(p);
	if (p->m->error_type)
		icmp_answer_apart(p->ctx);
	return p->m->action;
}

#endif
