/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * wire.h - wire mode's table of contents, as dp.h is NAT's.
 */
#ifndef NATVI_DP_WIRE_H
#define NATVI_DP_WIRE_H

#include "env.h"
#include "port.h"

/* At the ingress of a wire's port. */
DP int dp_wire(void *ctx)
{
	struct pkt packet = { .ctx = ctx }, *p = &packet;
	const struct wire *w;

	if (!dp_begin(p))
		return env_drop(p);
	p->m->vlan_present = 0;
	if (!port_find(p))
		return env_kernel(p);
	w = env_wire(p->port->zone);
	if (!w)
		return env_kernel(p);
	sent(p, VERDICT_WIRE_CROSSED, env_redirect(p, w->port[!(p->port->flags & PORT_SECOND)]));
	return p->m->action;
}

/* At the ingress of a capture's target. */
DP int dp_target(ENV_CONTEXT *ctx)
{
	struct pkt packet = { .ctx = ctx }, *p = &packet;

	return env_kernel(p);
}

/* At nvi0's egress: what the box itself sends by a wire. */
DP int dp_host(ENV_CONTEXT *ctx)
{
	struct pkt packet = { .ctx = ctx }, *p = &packet;

	return env_kernel(p);
}

#endif
