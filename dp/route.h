/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * route.h - the second routing decision, and its copy in the flow.
 *
 * The look-up uses the translated addresses and the original input interface. A flow keeps
 * the result until control.generation moves; the daemon moves it when links, addresses,
 * routes, rules or neighbours change.
 */
#ifndef NATVI_DP_ROUTE_H
#define NATVI_DP_ROUTE_H

#include "port.h"

/*
 * The input interface that a look-up for p goes by: p's own, or the other zone's first port; 0: that has none. For
 * what the box itself sends it is lo, as for the kernel, but a zone's routes are asked for by a port of that zone.
 */
DP __u32 route_in(const struct pkt *p, __u32 zone)
{
	const struct zone *z;

	if ((p->m->flags & PKT_FROM_BOX) && !zone)
		return IFINDEX_LO;
	if (!(p->m->flags & PKT_FROM_BOX) && zone == p->m->key.zone)
		return p->m->ifindex;
	z = env_zone(zone);
	return z ? z->ifindex : 0;
}

DP bool leads_to_nvi(const struct pkt *p, const struct route *r)
{
	return r->oif && r->oif == p->control->nvi_ifindex;
}

/*
 * Way out by a zone's routes for a packet with tuple t that came in as p; r->enabled says whether natvi serves it. A route to
 * nvi0 has done what it is for: the way out is the one from its far end.
 */
DP void route_find(struct pkt *p, const struct tuple *t, struct route *r, const struct settings *set, __u32 zone)
{
	__u32 in = route_in(p, zone);
	const struct port *out;

	r->enabled = 0;
	r->masq_pool = POOL_MASQUERADE;
	r->out_flags = 0;
	r->zone = zone;
	r->oif = 0;
	r->result = ROUTE_NONE;
	if (!in)
		return;
	env_route(p, in, t, r, set->flags & SETTINGS_MARK_ROUTES);
	if (unlikely(leads_to_nvi(p, r))) {
		env_route(p, p->control->nvi_peer, t, r, set->flags & SETTINGS_MARK_ROUTES);
		if (leads_to_nvi(p, r))
			r->result = ROUTE_LOOP;
	}
	if (r->result != ROUTE_OK && r->result != ROUTE_NO_NEIGHBOUR)
		return;
	out = port_lookup(r->oif, 0);
	if (!out)
		return;
	r->enabled = 1;
	r->out_flags = out->flags;
	r->masq_pool = out->masq_pool;
	r->zone = out->zone;
	if (!r->mtu)
		r->mtu = out->mtu;
}

/* Can frames go from p's port to r without the stack? */
DP bool route_is_fast(const struct pkt *p, const struct route *r, const struct settings *set)
{
	return !((p->port->flags | r->out_flags) & PORT_NO_L2) && !(set->flags & SETTINGS_POLICY);
}

/*
 * Keep r in f. generation was read before the look-up, so a change in between is not lost. A flow that ends in
 * the box has no way out, and nothing is too big for it.
 */
DP void route_keep(struct pkt *p, struct flow *f, const struct route *r, const struct settings *set, __u32 generation)
{
	__u8 flags = f->flags & ~(FLOW_XDP | FLOW_SLOW);
	bool local = r->result == ROUTE_LOCAL;

	if (local || !route_is_fast(p, r, set))
		flags |= FLOW_SLOW;
	else if (r->out_flags & PORT_XDP_OUT)
		flags |= FLOW_XDP;
	f->oif = local ? 0 : r->oif;
	__builtin_memcpy(f->dmac, r->dmac, sizeof(f->dmac));
	__builtin_memcpy(f->smac, r->smac, sizeof(f->smac));
	f->mtu = local || r->mtu > 0xffff ? 0xffff : r->mtu;
	f->flags = flags;
	if (r->result == ROUTE_OK || (flags & FLOW_SLOW))
		f->generation = generation;
}

#endif
